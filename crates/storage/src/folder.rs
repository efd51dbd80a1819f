//! A folder in a bucket: listed, read, written.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path as Key;
use object_store::{
    BackoffConfig, Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions,
    PutPayload, RetryConfig,
};
use tokio::runtime::Runtime;

use crate::explain::Doing;
use crate::http::Connector;
use crate::{Address, Listing, Object, Service, StorageError, Store};

/// Bytes that are read or written at once: what is held in memory of an object.
const PIECE: usize = 16 << 20;
/// What is asked again when it fails in a way that may pass, and for how long.
const RETRIES: usize = 5;
const RETRIED_FOR: Duration = Duration::from_secs(90);
/// Tells whether a folder takes objects; removed at once.
const PROBE: &str = ".scalelab-probe";

/// A folder in a bucket. Calls block, and may come from several threads.
#[derive(Debug)]
pub struct BucketFolder {
    address: Address,
    store: Arc<dyn ObjectStore>,
    runtime: Runtime,
}

impl BucketFolder {
    /// Reads credentials and places from the environment; nothing is asked yet. The error says which are missing or make no sense.
    pub fn open(address: &Address) -> Result<Self, StorageError> {
        Self::open_with(address, &[])
    }

    /// The same with variables that are not in the environment, or have another value there.
    pub fn open_with(address: &Address, variables: &[(&str, &str)]) -> Result<Self, StorageError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| StorageError::environment(format!("starting a thread: {error}")))?;
        let store = store(address, variables).map_err(|error| Doing::Opening.failed(address, &error))?;
        Ok(Self { address: address.clone(), store, runtime })
    }
}

impl Store for BucketFolder {
    fn address(&self) -> &Address {
        &self.address
    }

    fn list(&self, below: &str) -> Result<Listing, StorageError> {
        let folder = if below.is_empty() { self.address.clone() } else { self.address.join(below) };
        let key = key(&folder)?;
        let prefix = (!folder.key.is_empty()).then_some(&key);
        let found = self.runtime.block_on(self.store.list_with_delimiter(prefix));
        let found = found.map_err(|error| Doing::Listing.failed(&folder, &error))?;
        // The folder's own name with nothing after it is what consoles make of "new folder".
        let objects = found.objects.into_iter().filter(|object| object.location != key);
        let last = |key: &Key| key.filename().unwrap_or_default().to_owned();
        let mut listing = Listing {
            objects: objects.map(|object| described(last(&object.location), object)).collect(),
            folders: found.common_prefixes.iter().map(last).collect(),
        };
        listing.objects.sort_by(|a, b| a.name.cmp(&b.name));
        listing.folders.sort();
        Ok(listing)
    }

    fn stat(&self, name: &str) -> Result<Option<Object>, StorageError> {
        let address = self.address.join(name);
        match self.runtime.block_on(self.store.head(&key(&address)?)) {
            Ok(found) => Ok(Some(described(name.to_owned(), found))),
            // Whether there is the bucket a bare 404 does not say.
            Err(Error::NotFound { .. }) => self.list("").map(|_| None),
            Err(error) => Err(Doing::Reading.failed(&address, &error)),
        }
    }

    fn download(&self, object: &Object, to: &Path) -> Result<(), StorageError> {
        let address = self.address.join(&object.name);
        let here = |error: std::io::Error| StorageError::environment(format!("{}: {error}", to.display()));
        let mut file = File::create(to).map_err(here)?;
        let mut from = 0;
        while from < object.bytes {
            let end = object.bytes.min(from + PIECE as u64);
            let options = GetOptions {
                range: Some(GetRange::Bounded(from..end)),
                if_match: object.etag.clone(),
                ..GetOptions::default()
            };
            let piece = async { self.store.get_opts(&key(&address)?, options).await?.bytes().await };
            let piece = self.runtime.block_on(piece).map_err(|error| Doing::Reading.failed(&address, &error))?;
            if piece.len() as u64 != end - from {
                return Err(StorageError::environment(format!(
                    "{address}: ended after {} of {} bytes; it was replaced meanwhile: start again",
                    from + piece.len() as u64,
                    object.bytes
                )));
            }
            file.write_all(&piece).map_err(here)?;
            from = end;
        }
        file.sync_all().map_err(here)
    }

    fn upload(&self, from: &Path, name: &str) -> Result<(), StorageError> {
        let address = self.address.join(name);
        let here = |error: std::io::Error| StorageError::environment(format!("{}: {error}", from.display()));
        let mut file = File::open(from).map_err(here)?;
        let first = piece(&mut file).map_err(here)?;
        let failed = |error: Error| Doing::Writing.failed(&address, &error);
        let key = key(&address)?;
        if first.len() < PIECE {
            return self.runtime.block_on(self.store.put(&key, first.into())).map(|_| ()).map_err(failed);
        }
        let mut upload = self.runtime.block_on(self.store.put_multipart(&key)).map_err(failed)?;
        let mut next = first;
        while !next.is_empty() {
            let sent = self.runtime.block_on(upload.put_part(PutPayload::from(next))).map_err(failed);
            match sent.and_then(|()| piece(&mut file).map_err(here)) {
                Ok(more) => next = more,
                Err(error) => {
                    // Parts that were taken cost money until they are given up; if that fails too there is nothing more to say.
                    let _ = self.runtime.block_on(upload.abort());
                    return Err(error);
                }
            }
        }
        self.runtime.block_on(upload.complete()).map(|_| ()).map_err(failed)
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        let address = self.address.join(name);
        let key = key(&address)?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.runtime.block_on(self.store.put_opts(&key, bytes.to_vec().into(), options)) {
            Ok(_) => Ok(()),
            // Also what becomes of a request that was taken and whose answer was lost: the same bytes are no one else's.
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                let there = self.runtime.block_on(async { self.store.get(&key).await?.bytes().await });
                match there {
                    Ok(there) if there == bytes => Ok(()),
                    _ => Err(StorageError {
                        is_taken: true,
                        ..StorageError::environment(format!(
                            "{address}: is there already, and is not what this process wrote"
                        ))
                    }),
                }
            }
            Err(error) => Err(Doing::Writing.failed(&address, &error)),
        }
    }

    fn remove(&self, name: &str) -> Result<(), StorageError> {
        let address = self.address.join(name);
        match self.runtime.block_on(self.store.delete(&key(&address)?)) {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Doing::Removing.failed(&address, &error)),
        }
    }

    fn probe(&self) -> Result<(), StorageError> {
        let address = self.address.join(PROBE);
        let put = self.runtime.block_on(self.store.put(&key(&address)?, PutPayload::new()));
        put.map_err(|error| Doing::Writing.failed(&self.address, &error))?;
        self.remove(PROBE)
    }
}

/// The store of an address, with what the environment says of it and `variables` in place of what that says.
fn store(address: &Address, variables: &[(&str, &str)]) -> object_store::Result<Arc<dyn ObjectStore>> {
    let retries = RetryConfig {
        backoff: BackoffConfig { max_backoff: Duration::from_secs(8), ..BackoffConfig::default() },
        max_retries: RETRIES,
        retry_timeout: RETRIED_FOR,
    };
    // The builders are types of their own with the same methods.
    macro_rules! built {
        ($builder:ident, $with_bucket:ident) => {{
            let mut builder = $builder::from_env();
            for (name, value) in variables {
                builder = builder.with_config(name.to_ascii_lowercase().parse()?, *value);
            }
            let builder = builder.$with_bucket(&address.bucket);
            Arc::new(builder.with_retry(retries).with_http_connector(Connector).build()?)
        }};
    }
    Ok(match address.service {
        Service::S3 => built!(AmazonS3Builder, with_bucket_name),
        Service::Google => built!(GoogleCloudStorageBuilder, with_bucket_name),
        Service::Azure => built!(MicrosoftAzureBuilder, with_container_name),
    })
}

/// The key of an address as it is, nothing in it escaped or resolved.
fn key(address: &Address) -> Result<Key, Error> {
    Key::parse(&address.key).map_err(Error::from)
}

impl From<Error> for StorageError {
    /// What is wrong with a name before anything is asked.
    fn from(error: Error) -> Self {
        Self::input(error.to_string())
    }
}

fn described(name: String, found: ObjectMeta) -> Object {
    Object { name, bytes: found.size, etag: found.e_tag }
}

/// The next bytes of a file: a whole piece, unless it ends before.
fn piece(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(PIECE as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
