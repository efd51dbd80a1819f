//! One module per command.

mod explain;
mod report;
mod run;

use clap::CommandFactory;

use crate::args::{Cli, Command};
use crate::failure::{OrEnvironment, Outcome, Result};

/// Runs the command given.
pub fn dispatch(cli: Cli) -> Result<Outcome> {
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Report(args) => report::report(&args),
        Command::Schema => {
            println!("{:#}", scenario::schema());
            Ok(Outcome::Done)
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "scalelab", &mut std::io::stdout());
            Ok(Outcome::Done)
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command())
                .render(&mut std::io::stdout())
                .or_environment("printing the manual page")?;
            Ok(Outcome::Done)
        }
    }
}
