//! Answers kept on disk until all are there, so that an import that was interrupted goes on where it was.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::error::LiveError;

/// The folder below the output folder in which answers wait.
pub const CHUNKS: &str = ".chunks";

/// Kept answers of one import.
pub struct ChunkStore {
    folder: PathBuf,
    is_resumed: bool,
}

impl ChunkStore {
    /// The store below `out` of an import that `plan` describes. There may be one of an earlier try with the same plan; another plan's is
    /// refused.
    pub fn open(out: &Path, plan: &str) -> Result<Self, LiveError> {
        let folder = out.join(CHUNKS);
        let shown = folder.display().to_string();
        let failed = |error: std::io::Error| LiveError::environment(format!("{shown}: {error}"));
        let is_resumed = match std::fs::read_to_string(folder.join("plan")) {
            Ok(earlier) if earlier == plan => true,
            Ok(_) => {
                let reason = "holds part of another import (other server, service, time or step): delete it, or name another folder";
                return Err(LiveError::input(format!("{}: {reason}", out.display())));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(failed(error)),
        };
        let store = Self { folder, is_resumed };
        if !is_resumed {
            std::fs::create_dir_all(&store.folder).map_err(failed)?;
            store.write("plan", plan.as_bytes())?;
        }
        Ok(store)
    }

    /// The plan of an earlier try below `out`, if there is one.
    pub fn plan_in(out: &Path) -> Option<String> {
        std::fs::read_to_string(out.join(CHUNKS).join("plan")).ok()
    }

    /// Whether an earlier try is gone on with.
    pub fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// Whether nothing has been kept yet.
    pub fn is_empty(&self) -> bool {
        let entries = std::fs::read_dir(&self.folder).map(|entries| entries.flatten().count());
        entries.is_ok_and(|count| count <= 1)
    }

    /// The answer called `name`: the one that is kept, or what `ask` gives, which is then kept.
    pub fn get(&self, name: &str, ask: impl FnOnce() -> Result<String, LiveError>) -> Result<String, LiveError> {
        if let Some(kept) = self.read(name) {
            return Ok(kept);
        }
        let answer = ask()?;
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        let packed = packed.write_all(answer.as_bytes()).and_then(|()| packed.finish());
        let packed = packed.expect("memory can be written to");
        self.write(&format!("{name}.json.gz"), &packed)?;
        Ok(answer)
    }

    /// A kept answer; one that is damaged is asked for again.
    fn read(&self, name: &str) -> Option<String> {
        let file = std::fs::File::open(self.folder.join(format!("{name}.json.gz"))).ok()?;
        let mut text = String::new();
        GzDecoder::new(file).read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// A file that is whole or not there.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), LiveError> {
        let path = self.folder.join(name);
        let failed = |error: std::io::Error| LiveError::environment(format!("writing {}: {error}", path.display()));
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_answered_is_not_asked_again_and_a_damaged_answer_is() {
        let out = tempfile::tempdir().unwrap();
        let store = ChunkStore::open(out.path(), "plan").unwrap();
        assert!(store.is_empty() && !store.is_resumed());
        assert_eq!(store.get("a", || Ok("one".to_owned())).unwrap(), "one");
        let again = ChunkStore::open(out.path(), "plan").unwrap();
        assert!(again.is_resumed() && !again.is_empty());
        assert_eq!(again.get("a", || panic!("it is there")).unwrap(), "one");
        std::fs::write(out.path().join(".chunks/a.json.gz"), b"half").unwrap();
        assert_eq!(again.get("a", || Ok("two".to_owned())).unwrap(), "two");
        let other = ChunkStore::open(out.path(), "another plan").err().expect("it must be refused");
        assert_eq!(other.whose, crate::Whose::Input);
    }
}
