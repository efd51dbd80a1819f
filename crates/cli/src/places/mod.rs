//! Folders of results in buckets, for every command that takes a folder: the one place where an address on the command line becomes a folder.
//!
//! Before the command what it needs of a bucket is brought into a folder of this machine, and the command is given that; after it what it
//! wrote is brought to the bucket, `run.json` and `sweep.json` last. So a folder there with one of them is whole, and no command knows of buckets.

mod journal;
mod shown;
mod staged;
#[cfg(test)]
mod tests;
mod trace;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use storage::{Address, StorageError, Whose, is_address};

use crate::args::Command;
use crate::failure::{Failure, Outcome, Result};

pub use shown::{in_words, is_elsewhere, shown, whereabouts};
pub use trace::Fetched;

use self::staged::{Needs, Staged, Writes};

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        let is_input = error.whose == Whose::Input;
        let error = anyhow::Error::new(error);
        if is_input { Self::Input(error) } else { Self::Environment(error) }
    }
}

/// The folders of a command that are in buckets.
#[derive(Debug, Default)]
pub struct Places {
    staged: Vec<Staged>,
    /// Addresses that were given where there may be one.
    known: Vec<OsString>,
}

impl Places {
    /// Puts folders of this machine in place of the addresses in a command, with what it needs of them.
    pub fn prepare(command: &mut Command) -> Result<Self> {
        let mut places = Self::default();
        places.stage(command)?;
        places.refuse_others(std::env::args_os().skip(1))?;
        Ok(places)
    }

    fn stage(&mut self, command: &mut Command) -> Result<()> {
        match command {
            Command::Run(args) => {
                if args.open && args.out.as_deref().is_some_and(is_address) {
                    return Err(Failure::input("--open opens a page of this machine, and -o names a bucket"));
                }
                self.input_opt(args.from.as_mut(), Needs::RunFile)?;
                self.output_opt(args.out.as_mut(), Writes::Results)
            }
            Command::Check(args) => self.input_opt(args.baseline.as_mut(), Needs::Results),
            Command::Diff(args) => {
                self.input(&mut args.before, Needs::Results)?;
                self.input(&mut args.after, Needs::Results)
            }
            Command::Explain(args) => self.input(&mut args.dir, Needs::Results),
            Command::Report(args) => match &args.out {
                Some(_) => self.input(&mut args.dir, Needs::Results),
                None => self.both(&mut args.dir),
            },
            Command::Sweep(args) if args.emit_job.is_some() => Ok(()),
            Command::Sweep(args) if args.dry_run => self.name_only(args.out.as_deref()),
            Command::Sweep(args) => self.output_opt(args.out.as_mut(), Writes::Sweep),
            Command::Merge(args) => {
                self.shards(&mut args.folders, &args.out)?;
                self.output(&mut args.out, Writes::Results)
            }
            Command::Optimize(args) => self.output_opt(args.out.as_mut(), Writes::Results),
            Command::Sensitivity(args) => self.output_opt(args.out.as_mut(), Writes::Results),
            _ => Ok(()),
        }
    }

    /// What the command has written goes to its buckets, whatever came of it that is worth keeping; then what came of both.
    pub fn finish(self, done: Result<Outcome>) -> Result<Outcome> {
        let is_done = done.is_ok();
        let brought: Vec<Result<()>> = self.staged.into_iter().map(|staged| staged.finish(is_done)).collect();
        brought.into_iter().fold(done, |done, brought| match (done, brought) {
            (Ok(_), Err(failure)) => Err(failure),
            (Err(first), Err(failure)) => {
                failure.report();
                Err(first)
            }
            (done, Ok(())) => done,
        })
    }

    fn input_opt(&mut self, path: Option<&mut PathBuf>, needs: Needs) -> Result<()> {
        path.map_or(Ok(()), |path| self.input(path, needs))
    }

    fn input(&mut self, path: &mut PathBuf, needs: Needs) -> Result<()> {
        let Some(address) = self.address(path)? else { return Ok(()) };
        self.staged.push(Staged::input(&address, needs)?);
        self.put(path);
        Ok(())
    }

    fn both(&mut self, path: &mut PathBuf) -> Result<()> {
        let Some(address) = self.address(path)? else { return Ok(()) };
        self.staged.push(Staged::input(&address, Needs::Results)?.written_to());
        self.put(path);
        Ok(())
    }

    fn output_opt(&mut self, path: Option<&mut PathBuf>, writes: Writes) -> Result<()> {
        path.map_or(Ok(()), |path| self.output(path, writes))
    }

    fn output(&mut self, path: &mut PathBuf, writes: Writes) -> Result<()> {
        let Some(address) = self.address(path)? else { return Ok(()) };
        self.staged.push(Staged::output(&address, writes)?);
        self.put(path);
        Ok(())
    }

    /// Shards to merge: a folder with a journal is one; one without stands for those below it, as a bucket has no shell that lists them.
    fn shards(&mut self, folders: &mut Vec<PathBuf>, out: &Path) -> Result<()> {
        let out = out.to_str().filter(|_| is_address(out)).and_then(|out| Address::parse(out).ok());
        for mut path in std::mem::take(folders) {
            let Some(address) = self.address(&path)? else {
                folders.push(path);
                continue;
            };
            for shard in staged::shards(&address, out.as_ref())? {
                self.staged.push(Staged::input(&shard, Needs::Journal)?);
                self.put(&mut path);
                folders.push(path.clone());
            }
        }
        Ok(())
    }

    fn name_only(&mut self, path: Option<&Path>) -> Result<()> {
        path.map_or(Ok(()), |path| self.address(path).map(|_| ()))
    }

    /// The folder that was prepared last, in place of its address.
    fn put(&self, path: &mut PathBuf) {
        if let Some(staged) = self.staged.last() {
            *path = staged.path();
        }
    }

    /// The address a path is, if it is one.
    fn address(&mut self, path: &Path) -> Result<Option<Address>> {
        if !is_address(path) {
            return Ok(None);
        }
        self.known.push(path.as_os_str().to_owned());
        Ok(Some(Address::parse(&path.to_string_lossy())?))
    }

    /// An address where a command takes none would become a folder of that name here.
    fn refuse_others(&self, arguments: impl Iterator<Item = OsString>) -> Result<()> {
        for argument in arguments {
            let text = argument.to_string_lossy();
            let value =
                text.strip_prefix("--").and_then(|option| option.split_once('=')).map_or(&*text, |(_, value)| value);
            let is_bucket = ["s3://", "gs://", "az://"].iter().any(|scheme| value.starts_with(scheme));
            if is_bucket && !self.known.iter().any(|known| known == value) {
                return Err(Failure::input(format!(
                    "{value}: there is no bucket read or written here. Folders of results may be in one (-o of run, sweep, merge, optimize, sensitivity; \
                     run --from, check --baseline, diff, explain, report, merge), and the data files that a scenario names"
                )));
            }
        }
        Ok(())
    }
}
