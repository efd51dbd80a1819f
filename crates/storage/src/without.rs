//! What a program without the feature `object-store` says.

use std::path::Path;

use crate::{Address, Listing, Object, StorageError};

/// A folder in a bucket. There is none in this build: [`BucketFolder::open`] says how to get one.
#[derive(Debug)]
pub enum BucketFolder {}

impl BucketFolder {
    /// Always an error, which says how to build the program that can.
    pub fn open(address: &Address) -> Result<Self, StorageError> {
        Err(StorageError::input(format!(
            "{address}: this program was built without object stores; build one with them: cargo install --path crates/cli --features object-store"
        )))
    }

    /// See the build with the feature.
    pub fn address(&self) -> &Address {
        match *self {}
    }

    /// See the build with the feature.
    pub fn list(&self, _below: &str) -> Result<Listing, StorageError> {
        match *self {}
    }

    /// See the build with the feature.
    pub fn stat(&self, _name: &str) -> Result<Option<Object>, StorageError> {
        match *self {}
    }

    /// See the build with the feature.
    pub fn download(&self, _object: &Object, _to: &Path) -> Result<(), StorageError> {
        match *self {}
    }

    /// See the build with the feature.
    pub fn upload(&self, _from: &Path, _name: &str) -> Result<(), StorageError> {
        match *self {}
    }

    /// See the build with the feature.
    pub fn create(&self, _name: &str, _bytes: &[u8]) -> Result<(), StorageError> {
        match *self {}
    }

    /// See the build with the feature.
    pub fn remove(&self, _name: &str) -> Result<(), StorageError> {
        match *self {}
    }

    /// See the build with the feature.
    pub fn probe(&self) -> Result<(), StorageError> {
        match *self {}
    }
}
