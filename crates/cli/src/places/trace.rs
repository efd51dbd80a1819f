//! Data files of scenarios that are in buckets: brought here once, kept by what they were then.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use storage::{Address, Object, StorageError, Store, is_address};
use tempfile::TempDir;
use traces::TraceCache;

use super::shown::stands_for;

/// Data files that were brought here, by their addresses.
#[derive(Debug, Default)]
pub struct Fetched(Mutex<BTreeMap<PathBuf, Place>>);

/// Where a file is.
#[derive(Debug)]
struct Place {
    file: PathBuf,
    /// The folder it goes with, where nothing is kept.
    _folder: Option<TempDir>,
}

impl Fetched {
    /// The file that a path is: itself, or what was brought of an address. It is brought once, also where it is used by many.
    pub fn here<'a>(&self, path: &'a Path) -> Result<Cow<'a, Path>, StorageError> {
        if !is_address(path) {
            return Ok(Cow::Borrowed(path));
        }
        // What it guards is whole at every moment.
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(path) {
            return Ok(Cow::Owned(place.file.clone()));
        }
        let address = Address::parse(&path.to_string_lossy())?;
        let (folder, name) =
            address.split().ok_or_else(|| StorageError::input(format!("{address}: is a bucket; name a file in it")))?;
        let place = fetch(&*storage::open(&folder)?, name, TraceCache::chosen().folder().as_deref())?;
        stands_for(&place.file, &address.to_string());
        let file = place.file.clone();
        places.insert(path.to_owned(), place);
        Ok(Cow::Owned(file))
    }

    /// Whether a file is one that was brought here.
    pub fn has(&self, file: &Path) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().any(|place| place.file == file)
    }
}

/// Brings an object into the folder of copies, unless it is there from last time.
fn fetch(store: &dyn Store, name: &str, kept: Option<&Path>) -> Result<Place, StorageError> {
    let address = store.address().join(name);
    let object = store.stat(name)?.ok_or_else(|| StorageError::input(format!("{address}: there is no such object")))?;
    let failed = |folder: &Path, error: std::io::Error| {
        StorageError::environment(format!("{}: {error}; --cache-dir names another place for copies", folder.display()))
    };
    let folder = kept.and_then(|kept| copy_folder(kept, store.address(), &object));
    let Some(folder) = folder else {
        let folder = tempfile::Builder::new().prefix("scalelab-").tempdir();
        let folder = folder.map_err(|error| failed(&std::env::temp_dir(), error))?;
        let file = folder.path().join(name);
        store.download(&object, &file)?;
        return Ok(Place { file, _folder: Some(folder) });
    };
    let file = folder.join(name);
    let is_there = std::fs::metadata(&file).is_ok_and(|facts| facts.len() == object.bytes);
    if !is_there {
        std::fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
        // Beside it and then in its place: others may be at it too.
        let part = tempfile::NamedTempFile::new_in(&folder).map_err(|error| failed(&folder, error))?;
        store.download(&object, part.path())?;
        part.persist(&file).map_err(|error| failed(&folder, error.error))?;
    }
    Ok(Place { file, _folder: None })
}

/// Where the copy of an object is that has this content: by its address and what the store says changes with it. None where it says nothing.
fn copy_folder(kept: &Path, folder: &Address, object: &Object) -> Option<PathBuf> {
    let tag: String = object.etag.as_ref()?.chars().filter(char::is_ascii_alphanumeric).collect();
    let of_bucket = kept.join("objects").join(folder.service.scheme()).join(&folder.bucket);
    // Names of objects are parts without `..`, which an address does not take.
    let below = folder.key.split('/').filter(|part| !part.is_empty());
    let path = below.fold(of_bucket, |path, part| path.join(part));
    (!tag.is_empty()).then(|| path.join(&object.name).join(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::tests::Shelf;

    #[test]
    fn a_trace_is_brought_once_and_anew_when_it_is_another() {
        let (shelf, kept) = (Shelf::new("s3://bucket/traces"), tempfile::tempdir().expect("a temporary folder"));
        let read = |place: Place| std::fs::read_to_string(place.file).expect("a file");
        shelf.put("day.csv", b"one");
        for _ in 0..2 {
            assert_eq!(read(fetch(&shelf, "day.csv", Some(kept.path())).expect("it is there")), "one");
        }
        assert_eq!(shelf.downloads(), 1);
        shelf.put("day.csv", b"two");
        assert_eq!(read(fetch(&shelf, "day.csv", Some(kept.path())).expect("it is there")), "two");
        assert_eq!(shelf.downloads(), 2);
        let nothing_kept = fetch(&shelf, "day.csv", None).expect("it is there");
        assert_eq!((read(nothing_kept).as_str(), shelf.downloads()), ("two", 3));
        let error = fetch(&shelf, "night.csv", None).expect_err("it is not there");
        assert!(error.message.contains("s3://bucket/traces/night.csv: there is no such object"), "{error}");
    }
}
