//! The `scalelab` command line: flags in, `lab` called, `report` out. No logic of its own.

/// `print!` for which a reader that has seen enough (`| head`) is no failure.
macro_rules! out {
    ($($text:tt)*) => { $crate::commands::data_files::shown(format_args!($($text)*)) };
}

/// The same with the end of a line.
macro_rules! outln {
    () => { out!("\n") };
    ($($text:tt)*) => { out!("{}\n", format_args!($($text)*)) };
}

mod args;
mod assumptions;
mod commands;
mod failure;
mod grid;
mod inputs;
mod interrupt;
mod moment;
mod progress;
mod question;
mod results;
mod run_file;
mod run_report;
mod saved_requests;
mod saved_tables;
mod sweep_folder;
mod tuning;

use std::process::ExitCode;

use failure::Failure;

fn main() -> ExitCode {
    let cli = args::parse();
    cli.trace_cache().choose();
    match traces::Changed::catch(|| commands::dispatch(cli)) {
        Ok(Ok(outcome)) => outcome.exit_code(),
        Ok(Err(failure)) => failure.report(),
        Err(changed) => Failure::Environment(changed.into()).report(),
    }
}
