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
mod sweep_folder;
mod tuning;

use std::process::ExitCode;

use clap::Parser;

use args::Cli;

fn main() -> ExitCode {
    match commands::dispatch(Cli::parse()) {
        Ok(outcome) => outcome.exit_code(),
        Err(failure) => failure.report(),
    }
}
