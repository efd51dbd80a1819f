//! A sweep's journal in a bucket, where nothing can be appended: parts, each with the place in the journal it begins at.
//!
//! While a sweep runs, what is new is brought there as a part of its own every few seconds; at its end the whole journal replaces them. Who starts
//! again puts both together. A part is made only where there is none: two processes that write to one journal meet at the same place, and
//! the second is told. A part ends with a line.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use lab::sweep::JOURNAL_NAME;
use storage::{Listing, Object, StorageError, Store};

use crate::sweep_folder::SWEEP_FILE;

/// Time between two parts: what a process that is killed may lose.
const PERIOD: Duration = Duration::from_secs(15);

fn part_name(from: u64) -> String {
    format!("{JOURNAL_NAME}.from-{from:015}")
}

/// Where a part begins; `None` for other objects.
fn part_start(name: &str) -> Option<u64> {
    name.strip_prefix(JOURNAL_NAME)?.strip_prefix(".from-")?.parse().ok()
}

/// Whether a folder has a journal, whole or in parts.
pub fn is_in(listing: &Listing) -> bool {
    listing.has(JOURNAL_NAME) || listing.objects.iter().any(|object| part_start(&object.name).is_some())
}

/// The parts there are, in order.
pub fn parts(listing: &Listing) -> Vec<&Object> {
    let mut parts: Vec<(u64, &Object)> =
        listing.objects.iter().filter_map(|object| Some((part_start(&object.name)?, object))).collect();
    parts.sort_by_key(|(start, _)| *start);
    parts.into_iter().map(|(_, object)| object).collect()
}

/// Puts the journal together in the folder `here`, and says how long it is; 0 if there is none.
pub fn fetch(store: &dyn Store, listing: &Listing, here: &Path) -> Result<u64, StorageError> {
    let to = here.join(JOURNAL_NAME);
    let failed = |error: std::io::Error| StorageError::environment(format!("{}: {error}", to.display()));
    let whole = listing.objects.iter().find(|object| object.name == JOURNAL_NAME);
    let mut length = 0;
    if let Some(whole) = whole {
        store.download(whole, &to)?;
        length = whole.bytes;
    }
    for part in parts(listing) {
        let start = part_start(&part.name).unwrap_or_default();
        if start + part.bytes <= length {
            // Of a process that was killed when the whole was there and the parts not yet gone.
            continue;
        }
        if start != length {
            return Err(StorageError::environment(format!(
                "{}: begins at byte {start}, and what is before it ends at byte {length}: a part of the journal was removed",
                store.address().join(&part.name)
            )));
        }
        let piece = here.join(&part.name);
        store.download(part, &piece)?;
        let append = || {
            let mut journal = File::options().create(true).append(true).open(&to)?;
            std::io::copy(&mut File::open(&piece)?, &mut journal)?;
            journal.flush()?;
            std::fs::remove_file(&piece)
        };
        append().map_err(failed)?;
        length += part.bytes;
    }
    Ok(length)
}

/// How much of a sweep's folder is in the bucket.
#[derive(Debug)]
pub struct Brought {
    /// Bytes of the journal.
    pub length: u64,
    /// Whether `sweep.json` is.
    pub has_origin: bool,
}

impl Brought {
    /// Brings what is new: first what the sweep is, then the lines of its journal that are whole.
    pub fn bring(&mut self, store: &dyn Store, here: &Path) -> Result<(), StorageError> {
        let origin = here.join(SWEEP_FILE);
        if !self.has_origin && origin.exists() {
            store.upload(&origin, SWEEP_FILE)?;
            self.has_origin = true;
        }
        let path = here.join(JOURNAL_NAME);
        let lines = new_lines(&path, self.length)
            .map_err(|error| StorageError::environment(format!("{}: {error}", path.display())))?;
        if !lines.is_empty() {
            store.create(&part_name(self.length), &lines).map_err(|error| StorageError {
                message: if error.is_taken {
                    format!("{}: another process works at this sweep: let one of them do it", store.address())
                } else {
                    error.message
                },
                ..error
            })?;
            self.length += lines.len() as u64;
        }
        Ok(())
    }
}

/// The whole lines of a journal from a place on; none if it is not there yet.
fn new_lines(path: &Path, from: u64) -> std::io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    if path.exists() {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut lines)?;
    }
    let end = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    lines.truncate(end);
    Ok(lines)
}

/// Brings what is new again and again until it is told to stop.
#[derive(Debug)]
pub struct Stream {
    stop: Sender<()>,
    thread: JoinHandle<Brought>,
}

impl Stream {
    /// Starts with what is there.
    pub fn start(store: Arc<dyn Store>, here: PathBuf, mut brought: Brought) -> Self {
        let (stop, stopped) = channel();
        let work = move || {
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                match brought.bring(&*store, &here) {
                    Err(error) if error.is_taken => {
                        // The other process has the same share: every further run here would be for nothing.
                        eprintln!("error: {error}");
                        std::process::exit(3);
                    }
                    Err(error) => eprintln!("note: {error}; tried again in {} s", PERIOD.as_secs()),
                    Ok(()) => {}
                }
            }
            brought
        };
        Self { stop, thread: std::thread::spawn(work) }
    }

    /// Waits for what is under way, and says how far it came.
    pub fn stop(self) -> Brought {
        // Dropped, it stops as well.
        drop(self.stop);
        self.thread.join().expect("it does not panic")
    }
}
