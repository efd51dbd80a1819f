//! The files of a folder, to be held against another's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Names, relative, with their bytes; how long a command took is left out, and its words (`--resume` is one).
pub struct Folder(BTreeMap<String, Vec<u8>>);

/// Lines are added to it as runs end, in the order in which they do: what it holds is told by the tables made of it.
const JOURNAL: &str = "journal.jsonl";

impl Folder {
    /// Everything below a path, which need not be there.
    pub fn read(path: &Path) -> Self {
        let mut files = BTreeMap::new();
        gather(path, String::new(), &mut files);
        Self(files)
    }

    /// Whether every file is one of the others', temporary ones aside, and all are of the same one if there is a `run.json`; else what is wrong.
    pub fn is_of(&self, others: [&Self; 2]) -> Result<(), String> {
        let is_temporary = |name: &str| Path::new(name).extension().is_some_and(|ending| ending == "tmp");
        let files = || self.0.iter().filter(|(name, _)| !is_temporary(name) && !name.ends_with(JOURNAL));
        let strange = |other: &Self| {
            files().find(|(name, bytes)| other.0.get(*name) != Some(bytes)).map(|(name, _)| name.clone())
        };
        if self.0.contains_key("/run.json") {
            let strange: Option<Vec<String>> = others.into_iter().map(strange).collect();
            return strange.map_or(Ok(()), |names| Err(format!("run.json beside {names:?}")));
        }
        let is_known =
            |(name, bytes): &(&String, &Vec<u8>)| others.iter().any(|other| other.0.get(*name) == Some(bytes));
        files()
            .find(|file| !is_known(file))
            .map_or(Ok(()), |(name, bytes)| Err(format!("{name} with {} bytes", bytes.len())))
    }

    /// Whether both have the same files, the order of a journal's lines aside; else the first that differs.
    pub fn is_same_as(&self, other: &Self) -> Result<(), String> {
        for (name, bytes) in &self.0 {
            match other.0.get(name) {
                None => return Err(format!("{name} is left over")),
                Some(right) if name.ends_with(JOURNAL) && sorted(bytes) == sorted(right) => {}
                Some(right) if bytes == right => {}
                Some(_) => return Err(format!("{name} differs")),
            }
        }
        match other.0.keys().find(|name| !self.0.contains_key(*name)) {
            Some(name) => Err(format!("{name} is missing")),
            None => Ok(()),
        }
    }
}

fn sorted(bytes: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    lines
}

fn timeless(json: &[u8]) -> Vec<u8> {
    // One that cannot be read is half-written, and differs from any that can.
    let Ok(serde_json::Value::Object(mut fields)) = serde_json::from_slice(json) else { return json.to_vec() };
    ["wall_time_s", "command"].iter().for_each(|key| drop(fields.remove(*key)));
    serde_json::Value::Object(fields).to_string().into_bytes()
}

fn gather(path: &Path, name: String, files: &mut BTreeMap<String, Vec<u8>>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a readable folder") {
            let entry = entry.expect("a readable folder");
            gather(&entry.path(), format!("{name}/{}", entry.file_name().to_string_lossy()), files);
        }
    } else if path.is_file() {
        let bytes = fs::read(path).expect("a readable file");
        let is_told = name.ends_with("run.json") || name.ends_with("sweep.json");
        files.insert(name, if is_told { timeless(&bytes) } else { bytes });
    }
}
