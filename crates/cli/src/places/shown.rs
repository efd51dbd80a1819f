//! What people read of a folder that stands for one in a bucket: its address.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Folders and files of this machine that stand for addresses, of the whole process: messages are made in many places.
static NAMES: Mutex<Vec<(PathBuf, String)>> = Mutex::new(Vec::new());

/// From now on `here` is called `named`.
pub fn stands_for(here: &Path, named: &str) {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner).push((here.to_owned(), named.to_owned()));
}

/// Whether a path is what stands for an address, or is in it.
pub fn is_elsewhere(path: &Path) -> bool {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|(here, _)| path.starts_with(here))
}

/// A path as people know it.
pub fn shown(path: &Path) -> String {
    in_words(&path.display().to_string())
}

/// Where files at a path are, after their names: an address has them only when the command is done.
pub fn whereabouts(path: &Path) -> String {
    format!("{} {}", if is_elsewhere(path) { "go to" } else { "are in" }, shown(path))
}

/// A text with every such folder called by its address.
pub fn in_words(text: &str) -> String {
    let names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    names.iter().fold(text.to_owned(), |text, (here, named)| text.replace(&*here.to_string_lossy(), named))
}
