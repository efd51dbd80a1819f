//! `scalelab merge`: shards of one sweep to a whole.

use std::path::Path;

use lab::sweep::{self, SweepError};

use crate::args::Merge;
use crate::failure::{Failure, Outcome, Result};
use crate::places::whereabouts;
use crate::sweep_folder::{self, SweepFile};

/// Reads the shards' journals, checks that they agree, and writes the whole sweep's folder.
pub fn merge(args: &Merge) -> Result<Outcome> {
    let folders: Vec<&Path> = args.folders.iter().map(std::path::PathBuf::as_path).collect();
    let file = SweepFile::read(folders[0])?;
    let merged = sweep::merge(&folders, &args.out).map_err(|error| failure(error, &args.out))?;
    let file = SweepFile { command: std::env::args().collect(), ..file };
    sweep_folder::write(&args.out, &merged.results, &file)?;
    let results = merged.finish().map_err(|error| failure(error, &args.out))?;
    out!("{}", sweep_folder::front(&results, &file));
    eprintln!("{} rows {}", results.rows.len(), whereabouts(&args.out.join("results.csv")));
    if results.missing() > 0 {
        eprintln!(
            "{} of {} runs are missing: another shard, or one that was not finished",
            results.missing(),
            results.total
        );
    }
    Ok(Outcome::Done)
}

fn failure(error: SweepError, out: &Path) -> Failure {
    match error {
        SweepError::Exists(_) => {
            Failure::input(format!("{} holds a sweep already; choose another folder", out.display()))
        }
        error if error.is_environment() => Failure::Environment(anyhow::Error::new(error)),
        error => Failure::Input(anyhow::Error::new(error)),
    }
}
