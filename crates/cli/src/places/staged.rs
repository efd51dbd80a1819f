//! One folder in a bucket and the folder of this machine that stands for it while a command runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use storage::{Address, Listing, StorageError, Store};
use tempfile::TempDir;

use super::journal::{self, Brought, Stream};
use super::shown::stands_for;
use crate::failure::{Failure, OrEnvironment, Result};
use crate::run_file::{NOT_ALWAYS, RUN_FILE};
use crate::sweep_folder::SWEEP_FILE;
use lab::sweep::JOURNAL_NAME;

/// What a command reads of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// `run.json`, of which the address may be too.
    RunFile,
    /// Tables of a run, or the journal of a sweep. Plots and requests are not read by any command.
    Results,
    /// The journal of a sweep.
    Journal,
}

/// How a command writes to a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// Everything at its end.
    Results,
    /// A journal, run by run; worth keeping also when the command fails.
    Sweep,
}

/// What files are written last, in this order: a folder that has one is whole.
const LAST: [&str; 2] = [SWEEP_FILE, RUN_FILE];
const PLOTS: &str = "plots";

/// A folder in a bucket, and what stands for it here.
#[derive(Debug)]
pub struct Staged {
    store: Arc<dyn Store>,
    here: TempDir,
    /// The one file of it that was named, in place of the folder.
    file: Option<&'static str>,
    /// Files that were brought here, as they were then.
    before: BTreeMap<String, Stamp>,
    writes: Option<Writes>,
    stream: Option<Stream>,
}

/// What changes when a file is written.
type Stamp = (u64, Option<SystemTime>);

/// The shards at an address: itself, or those in the folders below it, without what the merge is to write.
pub fn shards(address: &Address, out: Option<&Address>) -> Result<Vec<Address>> {
    shards_in(&*storage::open(address)?, out)
}

pub(super) fn shards_in(store: &dyn Store, out: Option<&Address>) -> Result<Vec<Address>> {
    let address = store.address();
    let listing = store.list("")?;
    if journal::is_in(&listing) {
        return Ok(vec![address.clone()]);
    }
    let mut found = Vec::new();
    for folder in &listing.folders {
        let shard = address.join(folder);
        if out != Some(&shard) && journal::is_in(&store.list(folder)?) {
            found.push(shard);
        }
    }
    if found.is_empty() {
        return Err(Failure::input(format!(
            "{address}: has no {JOURNAL_NAME}, nor has a folder in it; `scalelab sweep -o` writes one"
        )));
    }
    Ok(found)
}

impl Staged {
    /// Brings what a command needs of a folder.
    pub fn input(address: &Address, needs: Needs) -> Result<Self> {
        let of_file = address.split().filter(|(_, name)| *name == RUN_FILE && needs == Needs::RunFile);
        let folder = of_file.map_or_else(|| address.clone(), |(folder, _)| folder);
        let mut staged = Self::input_in(storage::open(&folder)?.into(), needs)?;
        if folder != *address {
            staged.file = Some(RUN_FILE);
        }
        Ok(staged)
    }

    pub(super) fn input_in(store: Arc<dyn Store>, needs: Needs) -> Result<Self> {
        let mut staged = Self::new(store)?;
        staged.fetch(needs)?;
        Ok(staged)
    }

    /// A folder a command will write to, tried before it works, with what says whether another one is there already.
    pub fn output(address: &Address, writes: Writes) -> Result<Self> {
        Self::output_in(storage::open(address)?.into(), writes)
    }

    pub(super) fn output_in(store: Arc<dyn Store>, writes: Writes) -> Result<Self> {
        let mut staged = Self::new(store)?;
        staged.writes = Some(writes);
        staged.store.probe()?;
        let listing = staged.store.list("")?;
        for object in listing.objects.iter().filter(|object| LAST.contains(&object.name.as_str())) {
            staged.store.download(object, &staged.here.path().join(&object.name))?;
        }
        let length = journal::fetch(&*staged.store, &listing, staged.here.path())?;
        staged.before = files_of(staged.here.path())?;
        if writes == Writes::Sweep {
            let brought = Brought { length, has_origin: listing.has(SWEEP_FILE) };
            let (store, here) = (Arc::clone(&staged.store), staged.here.path().to_owned());
            staged.stream = Some(Stream::start(store, here, brought));
        }
        Ok(staged)
    }

    /// The same of a folder that is read, where a command leaves something too.
    pub fn written_to(mut self) -> Self {
        self.writes = Some(Writes::Results);
        self
    }

    fn new(store: Arc<dyn Store>) -> Result<Self> {
        let here = tempfile::Builder::new().prefix("scalelab-").tempdir();
        let here = here.or_environment("making a temporary folder")?;
        stands_for(here.path(), &store.address().to_string());
        Ok(Self { store, here, file: None, before: BTreeMap::new(), writes: None, stream: None })
    }

    /// What the command is given.
    pub fn path(&self) -> PathBuf {
        self.file.map_or_else(|| self.here.path().to_owned(), |name| self.here.path().join(name))
    }

    fn fetch(&mut self, needs: Needs) -> Result<()> {
        let (address, listing) = (self.store.address(), self.store.list("")?);
        let is_whole = match needs {
            Needs::RunFile => listing.has(RUN_FILE),
            Needs::Results => listing.has(RUN_FILE) || journal::is_in(&listing),
            Needs::Journal => listing.has(SWEEP_FILE) && journal::is_in(&listing),
        };
        if !is_whole {
            return Err(Failure::input(format!("{address}: {}", what_is_missing(needs, &listing))));
        }
        let is_needed = |name: &str| match needs {
            Needs::RunFile => name == RUN_FILE,
            Needs::Results => !name.starts_with("requests.") && !name.starts_with(JOURNAL_NAME),
            Needs::Journal => name == SWEEP_FILE,
        };
        for object in listing.objects.iter().filter(|object| is_needed(&object.name)) {
            self.store.download(object, &self.here.path().join(&object.name))?;
        }
        if needs != Needs::RunFile {
            journal::fetch(&*self.store, &listing, self.here.path())?;
        }
        self.before = files_of(self.here.path())?;
        Ok(())
    }

    /// Brings what the command wrote, unless it failed and left nothing worth it. What cannot be brought stays here, and where is said.
    pub fn finish(mut self, is_done: bool) -> Result<()> {
        let brought = self.stream.take().map(Stream::stop);
        let is_kept = self.writes.is_some() && (is_done || self.writes == Some(Writes::Sweep));
        if !is_kept {
            return Ok(());
        }
        let Err(error) = self.bring(brought) else { return Ok(()) };
        if error.is_taken {
            return Err(error.into());
        }
        let address = self.store.address().clone();
        let kept = self.here.keep();
        // Its name, and not the address it stands for, which is what it is called everywhere else.
        eprintln!("what was written is kept in {}", kept.display());
        let message = format!("not all of it is in {address}: {error}");
        Err(StorageError { message, ..error }.into())
    }

    fn bring(&self, brought: Option<Brought>) -> std::result::Result<(), StorageError> {
        let (store, here) = (&*self.store, self.here.path());
        if let Some(mut brought) = brought {
            // What makes sure that no other process is at it.
            brought.bring(store, here)?;
        }
        let now = files_of(here).map_err(|failure| StorageError::environment(words(failure)))?;
        let changed: Vec<&String> =
            now.iter().filter(|(name, stamp)| self.before.get(*name) != Some(stamp)).map(|(name, _)| name).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let listing = store.list("")?;
        for name in LAST.iter().filter(|name| **name == RUN_FILE && listing.has(name)) {
            // Until the new one is whole there is neither.
            if changed.iter().any(|changed| changed == name) {
                store.remove(name)?;
            }
        }
        let is_last = |name: &&&String| LAST.contains(&name.as_str());
        for name in changed.iter().filter(|name| !is_last(name)) {
            store.upload(&here.join(name), name)?;
        }
        if changed.iter().any(|name| is_last(&name)) {
            remove_others(store, &listing, &now)?;
        }
        for name in LAST.iter().filter(|name| changed.iter().any(|changed| changed == *name)) {
            store.upload(&here.join(name), name)?;
        }
        // Last: until here they are the journal.
        if now.contains_key(JOURNAL_NAME) {
            journal::parts(&store.list("")?).into_iter().try_for_each(|part| store.remove(&part.name))?;
        }
        Ok(())
    }
}

/// Removes what an earlier run left in the bucket and this one did not write: what it would remove here, and nothing of the user's.
fn remove_others(
    store: &dyn Store,
    there: &Listing,
    now: &BTreeMap<String, Stamp>,
) -> std::result::Result<(), StorageError> {
    let plots = if there.folders.iter().any(|name| name == PLOTS) { store.list(PLOTS)? } else { Listing::default() };
    let is_plot = |name: &str| Path::new(name).extension().is_some_and(|ending| ending == "svg" || ending == "png");
    let plots = plots.objects.iter().filter(|plot| is_plot(&plot.name)).map(|plot| format!("{PLOTS}/{}", plot.name));
    let tables = NOT_ALWAYS.iter().filter(|name| there.has(name)).map(|name| (*name).to_owned());
    plots.chain(tables).filter(|name| !now.contains_key(name)).try_for_each(|name| store.remove(&name))
}

fn what_is_missing(needs: Needs, there: &Listing) -> String {
    let first = match needs {
        Needs::RunFile | Needs::Results => format!("has no {RUN_FILE}"),
        Needs::Journal => format!("has no {SWEEP_FILE} with a {JOURNAL_NAME}"),
    };
    if there.objects.is_empty() && there.folders.is_empty() {
        return format!("{first}: nothing is there");
    }
    format!("{first}, which is written last: it is no folder of scalelab's, or one that was not brought there whole")
}

fn words(failure: Failure) -> String {
    match failure {
        Failure::Input(error) | Failure::Environment(error) => format!("{error:#}"),
    }
}

/// Files in a folder and in those below it, by their names from it; without what is being written.
fn files_of(folder: &Path) -> Result<BTreeMap<String, Stamp>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![String::new()];
    while let Some(below) = folders.pop() {
        for entry in std::fs::read_dir(folder.join(&below)).or_environment("reading what was written")? {
            let entry = entry.or_environment("reading what was written")?;
            let file = entry.file_name().to_string_lossy().into_owned();
            let name = if below.is_empty() { file.clone() } else { format!("{below}/{file}") };
            let facts = entry.metadata().or_environment("reading what was written")?;
            if facts.is_dir() {
                folders.push(name);
            } else if !file.starts_with('.') {
                found.insert(name, (facts.len(), facts.modified().ok()));
            }
        }
    }
    Ok(found)
}
