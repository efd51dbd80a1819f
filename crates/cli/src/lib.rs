//! The command line as a library: what each command does with its flags. `scalelab` (the program) calls [`main`]; the Python package calls the
//! parts below it, so that both read, run and write the same way.

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
pub mod failure;
mod grid;
pub mod inputs;
mod interrupt;
mod job;
pub mod measured;
mod moment;
mod places;
pub mod programs;
mod progress;
mod question;
pub mod results;
pub mod run_file;
pub mod run_report;
mod saved_requests;
mod saved_tables;
pub mod searching;
pub mod simulation;
pub mod sweep_folder;
pub mod sweep_points;
pub mod tuning;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;

use failure::Failure;

/// Reads the arguments of the process, does what they say, and gives the exit code.
pub fn main() -> ExitCode {
    let cli = args::parse();
    cli.trace_cache().choose();
    if cli.allow_exec {
        programs::allow();
    }
    let done = catch_unwind(AssertUnwindSafe(|| traces::Changed::catch(|| commands::dispatch(cli))));
    match done {
        Ok(Ok(Ok(outcome))) => outcome.exit_code(),
        Ok(Ok(Err(failure))) => failure.report(),
        Ok(Err(changed)) => Failure::Environment(changed.into()).report(),
        Err(panic) => match panic.downcast::<programs::ProgramFailure>() {
            Ok(failure) => Failure::from(*failure).report(),
            Err(panic) => resume_unwind(panic),
        },
    }
}
