//! Whether a file is still what it was when it was read through.
//!
//! Every policy must face the same requests, and each run opens its trace anew. A seal keeps what the system says of a file and a hash of
//! its bytes. Where the system says the same, nobody wrote to the file; where it does not, the bytes are read again: a file that was only
//! touched, or whose name was given to another while it is being read, is the same still.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use xxhash_rust::xxh3::Xxh3;

/// Bytes hashed at once.
const BUFFER: usize = 1 << 18;

/// What the clock of a file system may be behind: a write that soon after another one would leave the same time.
const CLOCK_STEP: Duration = Duration::from_millis(20);

/// A data file is not what it was when it was first read. It ends what is being done by unwinding, silently: readers of traces have no way
/// to fail, because nothing that comes after could be made good. [`Changed::catch`] is where it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    file: String,
    reason: String,
}

impl Changed {
    /// Gives up everything up to [`Changed::catch`].
    pub(crate) fn raise(path: &Path, reason: impl fmt::Display) -> ! {
        resume_unwind(Box::new(Self { file: path.display().to_string(), reason: reason.to_string() }))
    }

    /// What `work` gives, or which file changed meanwhile. Panics of another kind go on.
    pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Self> {
        catch_unwind(AssertUnwindSafe(work)).map_err(|payload| match payload.downcast::<Self>() {
            Ok(changed) => *changed,
            Err(other) => resume_unwind(other),
        })
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, reason } = self;
        write!(
            f,
            "{file}: changed during the run ({reason}); every run must read the same, so this one ends here: try again when the file stays as it is"
        )
    }
}

impl std::error::Error for Changed {}

/// What the system says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    length: u64,
    modified: Option<SystemTime>,
    /// Device, number of the file there, and when it was last changed in any way, in seconds and nanoseconds.
    #[cfg(unix)]
    identity: (u64, u64, i64, i64),
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            identity: (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// What a file was when it was first read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    path: PathBuf,
    state: State,
    content: u128,
}

impl Seal {
    /// Reads the whole file.
    pub fn take(path: &Path) -> io::Result<Self> {
        let mut file = crate::open_file(path)?;
        let metadata = file.metadata()?;
        let is_fresh = metadata.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age < CLOCK_STEP);
        if is_fresh {
            std::thread::sleep(CLOCK_STEP);
        }
        let state = State::of(&file.metadata()?);
        let content = hash(&mut file)?;
        Ok(Self { path: path.to_owned(), state, content })
    }

    /// Hash of the file's bytes.
    pub fn content(&self) -> u128 {
        self.content
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends the run unless the file of this name still has the bytes it had.
    pub fn hold(self: &Arc<Self>) {
        self.open().verify();
    }

    /// Opens the file for a run; ends the run where that cannot be.
    pub fn open(self: &Arc<Self>) -> Sealed {
        match crate::open_file(&self.path) {
            Ok(file) => Sealed { seal: Arc::clone(self), file, known: self.state },
            Err(error) => Changed::raise(&self.path, error),
        }
    }
}

/// An open file that must stay what its seal says.
#[derive(Debug)]
pub struct Sealed {
    seal: Arc<Seal>,
    file: File,
    /// What the system said when the bytes were last found to be the same.
    known: State,
}

impl Sealed {
    /// Another handle of the same open file; they move together.
    pub fn handle(&self) -> File {
        self.file.try_clone().unwrap_or_else(|error| Changed::raise(&self.seal.path, error))
    }

    /// Ends the run unless everything that was read so far was of the sealed bytes.
    pub fn verify(&mut self) {
        let now = self.state();
        if now == self.known {
            return;
        }
        if now.length != self.seal.state.length {
            let (before, now) = (self.seal.state.length, now.length);
            Changed::raise(&self.seal.path, format_args!("it had {before} bytes and has {now}"));
        }
        let hashed = self.file.stream_position().and_then(|at| {
            self.file.seek(SeekFrom::Start(0))?;
            let content = hash(&mut self.file)?;
            self.file.seek(SeekFrom::Start(at))?;
            Ok(content)
        });
        match hashed {
            Ok(content) if content == self.seal.content => self.known = now,
            Ok(_) => Changed::raise(&self.seal.path, "it holds other bytes"),
            Err(error) => Changed::raise(&self.seal.path, error),
        }
    }

    /// Ends the run because of something that cannot be in the sealed bytes.
    pub fn give_up(&mut self, reason: impl fmt::Display) -> ! {
        // Says it better if it can.
        self.verify();
        Changed::raise(&self.seal.path, reason)
    }

    fn state(&self) -> State {
        match self.file.metadata() {
            Ok(metadata) => State::of(&metadata),
            Err(error) => Changed::raise(&self.seal.path, error),
        }
    }
}

fn hash(file: &mut File) -> io::Result<u128> {
    let (mut hash, mut buffer) = (Xxh3::new(), vec![0; BUFFER]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.digest128()),
            length => hash.update(&buffer[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(seal: &Arc<Seal>) -> Option<String> {
        Changed::catch(|| seal.hold()).err().map(|changed| changed.reason)
    }

    #[test]
    fn a_file_that_was_touched_or_copied_is_the_same_and_one_with_other_bytes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "arrival\n1\n").unwrap();
        let seal = Arc::new(Seal::take(&path).unwrap());
        assert_eq!(changed(&seal), None);
        std::fs::write(&path, "arrival\n1\n").unwrap();
        assert_eq!(changed(&seal), None);
        std::fs::write(&path, "arrival\n2\n").unwrap();
        assert_eq!(changed(&seal).as_deref(), Some("it holds other bytes"));
        std::fs::write(&path, "arrival\n1\n2\n").unwrap();
        assert_eq!(changed(&seal).as_deref(), Some("it had 10 bytes and has 12"));
        std::fs::remove_file(&path).unwrap();
        assert!(changed(&seal).is_some_and(|reason| reason.starts_with("No such file")));
    }

    #[test]
    fn what_is_open_may_lose_its_name_but_not_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "arrival\n1\n").unwrap();
        let seal = Arc::new(Seal::take(&path).unwrap());
        let mut open = seal.open();
        std::fs::rename(&path, folder.path().join("b.csv")).unwrap();
        std::fs::write(&path, "arrival\n5\n").unwrap();
        open.verify();
        std::fs::write(folder.path().join("b.csv"), "arrival\n7\n").unwrap();
        assert!(Changed::catch(|| open.verify()).is_err());
    }
}
