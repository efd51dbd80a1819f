//! Folders in object stores (`s3://`, `gs://`, `az://`): what stands in one, and files to and from it.
//!
//! Calls block. What is asynchronous in the protocols stays in here, behind the feature `object-store`; without it addresses are known,
//! and opening one says how to build the program that can. Credentials come from the environment and from nowhere else.
//! This crate does not know what the files are.

mod address;
mod error;
#[cfg(feature = "object-store")]
mod explain;
#[cfg(feature = "object-store")]
mod folder;
#[cfg(feature = "object-store")]
mod http;

pub use address::{Address, Service, is_address};
pub use error::{StorageError, Whose};
#[cfg(feature = "object-store")]
pub use folder::BucketFolder;

use std::fmt::Debug;
use std::path::Path;

/// A folder that takes and gives whole files. Calls block, and may come from several threads.
pub trait Store: Debug + Send + Sync {
    /// Where it is, as messages say it.
    fn address(&self) -> &Address;

    /// What stands in the folder `below` it, or in itself if that is empty. A folder without objects is as good as none.
    fn list(&self, below: &str) -> Result<Listing, StorageError>;

    /// The object of that name, if there is one.
    fn stat(&self, name: &str) -> Result<Option<Object>, StorageError>;

    /// Writes an object into a file. An object that is another one by now is an error.
    fn download(&self, object: &Object, to: &Path) -> Result<(), StorageError>;

    /// Makes a file an object, or replaces the one there is. It is seen whole or not at all.
    fn upload(&self, from: &Path, name: &str) -> Result<(), StorageError>;

    /// Makes an object that must not be there yet: who comes second with other bytes gets an error with `is_taken`.
    fn create(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError>;

    /// Removes an object; one that is not there is gone already.
    fn remove(&self, name: &str) -> Result<(), StorageError>;

    /// Tries whether the folder takes objects and lets go of them: before the work, which would be lost.
    fn probe(&self) -> Result<(), StorageError>;
}

/// The folder at an address, with credentials and places from the environment; nothing is asked yet. The error says what is missing, or how to
/// build the program that can reach object stores.
pub fn open(address: &Address) -> Result<Box<dyn Store>, StorageError> {
    #[cfg(feature = "object-store")]
    return BucketFolder::open(address).map(|folder| Box::new(folder) as _);
    #[cfg(not(feature = "object-store"))]
    Err(StorageError::input(format!(
        "{address}: this program was built without object stores; build one with them: cargo install --path crates/cli --features object-store"
    )))
}

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name below the folder, without a slash.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// What changes when its content does; not every store says one.
    pub etag: Option<String>,
}

/// What stands in a folder, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Objects in the folder itself.
    pub objects: Vec<Object>,
    /// Names of folders below it.
    pub folders: Vec<String>,
}

impl Listing {
    /// True if there is an object of that name.
    pub fn has(&self, name: &str) -> bool {
        self.objects.iter().any(|object| object.name == name)
    }
}
