//! Are folders in a bucket whole or not at all, whatever ends a command? Against a store in memory; `tests/it_storage` asks a real one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use lab::sweep::JOURNAL_NAME;
use storage::{Address, Listing, Object, StorageError, Store};

use super::journal::{self, Brought};
use super::staged::{Needs, Staged, Writes, shards_in};
use crate::failure::Failure;

/// A folder of a bucket in memory.
#[derive(Debug)]
pub struct Shelf {
    address: Address,
    objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// What was written and removed, in order.
    log: Mutex<Vec<String>>,
    downloads: AtomicUsize,
    /// Names it does not take.
    refused: Mutex<Option<String>>,
}

impl Shelf {
    pub fn new(address: &str) -> Self {
        Self {
            address: Address::parse(address).expect("an address"),
            objects: Arc::default(),
            log: Mutex::default(),
            downloads: AtomicUsize::new(0),
            refused: Mutex::default(),
        }
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        self.objects.lock().unwrap().insert(name.to_owned(), bytes.to_vec());
    }

    pub fn downloads(&self) -> usize {
        self.downloads.load(Ordering::Relaxed)
    }

    fn names(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    fn note(&self, what: &str, name: &str) -> Result<(), StorageError> {
        if self.refused.lock().unwrap().as_deref() == Some(name) {
            return Err(StorageError::environment("the network is gone"));
        }
        self.log.lock().unwrap().push(format!("{what}{name}"));
        Ok(())
    }
}

impl Store for Shelf {
    fn address(&self) -> &Address {
        &self.address
    }

    fn list(&self, below: &str) -> Result<Listing, StorageError> {
        let prefix = if below.is_empty() { String::new() } else { format!("{below}/") };
        let mut listing = Listing::default();
        for (name, bytes) in self.objects.lock().unwrap().iter() {
            let Some(rest) = name.strip_prefix(&prefix) else { continue };
            match rest.split_once('/') {
                Some((folder, _)) if listing.folders.iter().any(|one| one == folder) => {}
                Some((folder, _)) => listing.folders.push(folder.to_owned()),
                None => listing.objects.push(object(rest, bytes)),
            }
        }
        Ok(listing)
    }

    fn stat(&self, name: &str) -> Result<Option<Object>, StorageError> {
        Ok(self.objects.lock().unwrap().get(name).map(|bytes| object(name, bytes)))
    }

    fn download(&self, object: &Object, to: &Path) -> Result<(), StorageError> {
        self.downloads.fetch_add(1, Ordering::Relaxed);
        std::fs::write(to, &self.objects.lock().unwrap()[&object.name]).expect("a writable folder");
        Ok(())
    }

    fn upload(&self, from: &Path, name: &str) -> Result<(), StorageError> {
        self.note("+", name)?;
        self.put(name, &std::fs::read(from).expect("it is there"));
        Ok(())
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        if self.objects.lock().unwrap().get(name).is_some_and(|there| there != bytes) {
            return Err(StorageError { is_taken: true, ..StorageError::environment("is there") });
        }
        self.note("+", name)?;
        self.put(name, bytes);
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), StorageError> {
        self.note("-", name)?;
        self.objects.lock().unwrap().remove(name);
        Ok(())
    }

    fn probe(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

fn object(name: &str, bytes: &[u8]) -> Object {
    let etag = bytes.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    Object { name: name.to_owned(), bytes: bytes.len() as u64, etag: Some(format!("\"{etag:x}\"")) }
}

fn write(staged: &Staged, name: &str, text: &str) {
    let path = staged.path().join(name);
    std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a writable folder");
    std::fs::write(path, text).expect("a writable folder");
}

fn output(shelf: &Arc<Shelf>, writes: Writes) -> Staged {
    Staged::output_in(Arc::clone(shelf) as _, writes).expect("it is there")
}

fn words(failure: Failure) -> String {
    match failure {
        Failure::Input(error) | Failure::Environment(error) => error.to_string(),
    }
}

#[test]
fn a_run_is_whole_only_when_its_last_file_is_there() {
    let shelf = Arc::new(Shelf::new("s3://bucket/run"));
    for (name, text) in [("run.json", "old"), ("requests.csv", "old"), ("plots/old.svg", "old"), ("notes.txt", "mine")]
    {
        shelf.put(name, text.as_bytes());
    }
    let staged = output(&shelf, Writes::Results);
    ["run.json", "summary.csv", "plots/new.svg"].iter().for_each(|name| write(&staged, name, "new"));
    staged.finish(true).expect("it takes files");
    let expected = ["-run.json", "+plots/new.svg", "+summary.csv", "-plots/old.svg", "-requests.csv", "+run.json"];
    assert_eq!(shelf.log(), expected);
    assert_eq!(shelf.names(), ["notes.txt", "plots/new.svg", "run.json", "summary.csv"]);
}

#[test]
fn what_could_not_be_brought_is_not_taken_for_whole_and_stays_here() {
    let shelf = Arc::new(Shelf::new("s3://bucket/broken"));
    shelf.put("run.json", b"old");
    let staged = output(&shelf, Writes::Results);
    let here = staged.path();
    ["run.json", "summary.csv"].iter().for_each(|name| write(&staged, name, "new"));
    *shelf.refused.lock().unwrap() = Some("summary.csv".to_owned());
    let failure = staged.finish(true).expect_err("one is not taken");
    assert!(words(failure).starts_with("not all of it is in s3://bucket/broken: the network is gone"));
    assert_eq!(shelf.names(), Vec::<String>::new());
    assert_eq!(std::fs::read_to_string(here.join("summary.csv")).expect("it is kept"), "new");
    std::fs::remove_dir_all(here).expect("it was kept");
}

#[test]
fn a_command_that_failed_leaves_nothing() {
    let shelf = Arc::new(Shelf::new("s3://bucket/failed"));
    shelf.put("run.json", b"old");
    let staged = output(&shelf, Writes::Results);
    write(&staged, "summary.csv", "half");
    staged.finish(false).expect("there is nothing to do");
    assert_eq!((shelf.log(), shelf.names()), (Vec::new(), vec!["run.json".to_owned()]));
}

#[test]
fn a_journal_goes_on_where_a_killed_process_left_it() {
    let shelf = Arc::new(Shelf::new("s3://bucket/sweep"));
    let here = tempfile::tempdir().expect("a temporary folder");
    let journal = here.path().join(JOURNAL_NAME);
    std::fs::write(here.path().join("sweep.json"), "{}").expect("a writable folder");
    let mut brought = Brought { length: 0, has_origin: false };
    // The second line is being written when the first part is made, and again when the process is killed.
    for text in ["one\ntw", "one\ntwo\n", "one\ntwo\nthr"] {
        std::fs::write(&journal, text).expect("a writable folder");
        brought.bring(&*shelf, here.path()).expect("it takes files");
    }
    let parts = ["journal.jsonl.from-000000000000000", "journal.jsonl.from-000000000000004"];
    assert_eq!(shelf.names(), [parts[0], parts[1], "sweep.json"]);

    let staged = output(&shelf, Writes::Sweep);
    let found = std::fs::read_to_string(staged.path().join(JOURNAL_NAME)).expect("there is one");
    assert_eq!(found, "one\ntwo\n");
    write(&staged, JOURNAL_NAME, "one\ntwo\nthree\n");
    // Interrupted, and what it has is kept.
    staged.finish(false).expect("it takes files");
    assert_eq!(shelf.names(), [JOURNAL_NAME, "sweep.json"]);
    assert_eq!(shelf.objects.lock().unwrap()[JOURNAL_NAME], b"one\ntwo\nthree\n");
}

#[test]
fn parts_the_whole_journal_has_are_passed_over_and_gaps_are_told() {
    let shelf = Shelf::new("s3://bucket/parts");
    let here = tempfile::tempdir().expect("a temporary folder");
    shelf.put(JOURNAL_NAME, b"one\ntwo\n");
    shelf.put("journal.jsonl.from-000000000000004", b"two\n");
    let fetch = || journal::fetch(&shelf, &shelf.list("").expect("it answers"), here.path());
    assert_eq!(fetch().expect("it is whole"), 8);
    shelf.put("journal.jsonl.from-000000000000012", b"four\n");
    let error = fetch().expect_err("three is missing");
    assert!(error.message.contains("begins at byte 12, and what is before it ends at byte 8"), "{error}");
}

#[test]
fn a_second_process_at_one_sweep_is_told() {
    let shelf = Arc::new(Shelf::new("s3://bucket/two"));
    let staged = output(&shelf, Writes::Sweep);
    write(&staged, JOURNAL_NAME, "mine\n");
    shelf.put("journal.jsonl.from-000000000000000", b"another's\n");
    let failure = staged.finish(true).expect_err("another is at it");
    assert!(words(failure).contains("s3://bucket/two: another process works at this sweep"));
    assert_eq!(shelf.log(), Vec::<String>::new());
}

#[test]
fn shards_are_found_below_a_folder_and_the_whole_is_none() {
    let shelf = Shelf::new("s3://bucket/sweep");
    for name in
        ["part-0/journal.jsonl", "part-1/journal.jsonl.from-000000000000000", "merged/journal.jsonl", "notes/a.txt"]
    {
        shelf.put(name, b"x");
    }
    let merged = shelf.address().join("merged");
    let found: Vec<String> =
        shards_in(&shelf, Some(&merged)).expect("there are some").iter().map(ToString::to_string).collect();
    assert_eq!(found, ["s3://bucket/sweep/part-0", "s3://bucket/sweep/part-1"]);
    let nothing = words(shards_in(&Shelf::new("s3://bucket/empty"), None).expect_err("there are none"));
    assert!(nothing.contains("has no journal.jsonl, nor has a folder in it"), "{nothing}");
}

#[test]
fn half_of_a_folder_is_not_read() {
    let shelf = Arc::new(Shelf::new("s3://bucket/half"));
    shelf.put("summary.csv", b"x");
    let refused = |needs| words(Staged::input_in(Arc::clone(&shelf) as _, needs).expect_err("it is half"));
    assert!(refused(Needs::Results).contains("has no run.json, which is written last"));
    assert!(refused(Needs::Journal).contains("has no sweep.json with a journal.jsonl"));
}
