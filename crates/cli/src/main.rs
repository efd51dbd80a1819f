//! The `scalelab` command line: flags in, `lab` called, `report` out. No logic of its own.

mod args;
mod commands;
mod failure;
mod grid;
mod inputs;
mod interrupt;
mod progress;
mod results;
mod run_file;
mod saved_requests;
mod sweep_folder;
mod tuning;

use std::process::ExitCode;

use clap::Parser;

use args::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.trace_cache().choose();
    match commands::dispatch(cli) {
        Ok(outcome) => outcome.exit_code(),
        Err(failure) => failure.report(),
    }
}
