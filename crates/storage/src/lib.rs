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
#[cfg(not(feature = "object-store"))]
mod without;

pub use address::{Address, Service, is_address};
pub use error::{StorageError, Whose};
#[cfg(feature = "object-store")]
pub use folder::BucketFolder;
#[cfg(not(feature = "object-store"))]
pub use without::BucketFolder;

/// Whether this program was built to reach object stores.
pub const IS_BUILT_IN: bool = cfg!(feature = "object-store");

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
