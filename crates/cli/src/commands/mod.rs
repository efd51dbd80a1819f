//! One module per command.

mod advise;
mod calibrate;
mod check;
mod data_files;
mod diff;
mod explain;
mod fuzz;
mod import;
mod init;
mod lab;
mod merge;
mod metrics;
mod optimize;
mod prices;
mod report;
mod run;
mod sensitivity;
mod sweep;
mod trace;
mod validate;

pub use data_files::{read_text, write_bytes};
pub use sweep::{read_sweep, scenario_files};

use clap::CommandFactory;

use crate::args::{Cli, Command};
use crate::failure::{OrEnvironment, Outcome, Result};
use crate::places::Places;

/// Runs the command given, its folders wherever they are.
pub fn dispatch(mut cli: Cli) -> Result<Outcome> {
    let places = Places::prepare(&mut cli.command)?;
    places.finish(run_here(cli.command))
}

/// Runs a command whose folders are on this machine.
fn run_here(command: Command) -> Result<Outcome> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Validate(args) => validate::validate(&args),
        Command::Diff(args) => diff::diff(&args),
        Command::Sweep(args) => sweep::sweep(&args),
        Command::Merge(args) => merge::merge(&args),
        Command::Optimize(args) => optimize::optimize(&args),
        Command::Sensitivity(args) => sensitivity::sensitivity(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Advise(args) => advise::advise(&args),
        Command::Metrics(args) => metrics::metrics(&args),
        Command::Report(args) => report::report(&args),
        Command::Trace(args) => trace::trace(&args),
        Command::Prices(args) => prices::prices(&args),
        Command::Calibrate(args) => calibrate::calibrate(&args),
        Command::Lab(args) => lab::lab(&args),
        Command::Init(args) => init::init(&args),
        Command::Import(args) => import::import(&args),
        Command::Fuzz(args) => fuzz::fuzz(&args),
        Command::Schema { measured, advice } => {
            let schema = match (measured, advice) {
                (true, _) => scenario::measured_schema(),
                (_, true) => advise::schema(),
                _ => scenario::schema(),
            };
            outln!("{schema:#}");
            Ok(Outcome::Done)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "scalelab", &mut script);
            out!("{}", String::from_utf8_lossy(&script));
            Ok(Outcome::Done)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).or_environment("making the manual page")?;
            out!("{}", String::from_utf8_lossy(&page));
            Ok(Outcome::Done)
        }
    }
}
