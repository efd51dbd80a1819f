//! The files a sweep needs, as a ConfigMap holds them.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::failure::{Failure, OrEnvironment, Result};

/// What a ConfigMap may hold, by the API server's own check.
const BYTES_MAX: usize = 1 << 20;
/// Longest key of a ConfigMap.
const KEY_MAX: usize = 253;
/// First folder of every path: the top of a mounted ConfigMap has links, to files and folders alike, and links to folders are passed over when a
/// folder of manifests is read. Below the first link all is as it was.
const TOP: &str = "files";

/// Files with their places to each other kept.
#[derive(Debug)]
pub struct Bundle {
    files: Vec<Packed>,
}

#[derive(Debug)]
struct Packed {
    key: String,
    /// From the folder the ConfigMap is mounted at, with slashes.
    path: String,
    bytes: Vec<u8>,
}

impl Bundle {
    /// The sweep's file and all others it needs.
    pub fn of(sweep: &Path, files: &[PathBuf]) -> Result<Self> {
        let mut found: Vec<PathBuf> = vec![tidy(sweep)?];
        for file in files {
            let file = tidy(file)?;
            if !found.contains(&file) {
                found.push(file);
            }
        }
        let root = found.iter().skip(1).fold(parent(&found[0]), |root, file| shared(&root, file));
        let mut packed: Vec<Packed> = Vec::new();
        for file in &found {
            let bytes = std::fs::read(file).or_environment(&format!("reading {}", file.display()))?;
            let inside = file.strip_prefix(&root).expect("the root is a folder of every file");
            let inside = inside
                .to_str()
                .ok_or_else(|| Failure::input(format!("{}: a ConfigMap takes names in UTF-8 only", file.display())))?;
            let path = format!("{TOP}/{}", inside.replace(std::path::MAIN_SEPARATOR, "/"));
            let key = key(inside, packed.len(), &packed);
            packed.push(Packed { key, path, bytes });
        }
        let bundle = Self { files: packed };
        bundle.check_size()?;
        Ok(bundle)
    }

    /// The sweep's file, from the folder the ConfigMap is mounted at.
    pub fn sweep(&self) -> &str {
        &self.files[0].path
    }

    /// Which key is mounted where.
    pub fn items(&self) -> Value {
        self.files.iter().map(|file| json!({"key": file.key, "path": file.path})).collect()
    }

    /// Texts as `data`, all else as `binaryData`: whatever a reader of YAML might change goes there.
    pub fn data(&self) -> (BTreeMap<&str, &str>, BTreeMap<&str, String>) {
        let (mut texts, mut others) = (BTreeMap::new(), BTreeMap::new());
        for file in &self.files {
            match std::str::from_utf8(&file.bytes).ok().filter(|text| is_plain(text)) {
                Some(text) => drop(texts.insert(file.key.as_str(), text)),
                None => drop(others.insert(file.key.as_str(), STANDARD.encode(&file.bytes))),
            }
        }
        (texts, others)
    }

    /// Writes the files below `folder` as the mount has them.
    pub fn lay_out(&self, folder: &Path) -> std::io::Result<()> {
        for file in &self.files {
            let path = folder.join(&file.path);
            std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
            std::fs::write(path, &file.bytes)?;
        }
        Ok(())
    }

    fn check_size(&self) -> Result<()> {
        let total: usize = self.files.iter().map(|file| file.bytes.len()).sum();
        if total <= BYTES_MAX {
            return Ok(());
        }
        let mut largest: Vec<&Packed> = self.files.iter().collect();
        largest.sort_by_key(|file| std::cmp::Reverse(file.bytes.len()));
        let largest = largest.iter().take(3).map(|file| {
            let inside = file.path.trim_start_matches(TOP).trim_start_matches('/');
            format!("{inside} has {}", kibibytes(file.bytes.len()))
        });
        Err(Failure::input(format!(
            "the files of the sweep have {}, and a ConfigMap holds {}: {}. Put the folder into the volume or the image and say input=PATH, \
             where PATH is the sweep's file as the pods see it",
            kibibytes(total),
            kibibytes(BYTES_MAX),
            largest.collect::<Vec<_>>().join(", ")
        )))
    }
}

/// A path from the root of this disk without `.` and `..`. Where a link makes that another file, it is refused: a ConfigMap has no links.
fn tidy(path: &Path) -> Result<PathBuf> {
    let whole = std::path::absolute(path).or_environment(&format!("finding {}", path.display()))?;
    let mut tidy = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::ParentDir => drop(tidy.pop()),
            Component::CurDir => {}
            part => tidy.push(part),
        }
    }
    let is_same = matches!((tidy.canonicalize(), whole.canonicalize()), (Ok(tidy), Ok(whole)) if tidy == whole);
    if is_same {
        return Ok(tidy);
    }
    Err(Failure::input(format!(
        "{}: `..` behind a linked folder, which a ConfigMap cannot have; say input=PATH with the sweep's path in the volume or the image",
        path.display()
    )))
}

fn parent(file: &Path) -> PathBuf {
    file.parent().map(Path::to_owned).unwrap_or_default()
}

/// The folders that `root` and the folder of `file` begin with.
fn shared(root: &Path, file: &Path) -> PathBuf {
    let folder = parent(file);
    root.components().zip(folder.components()).take_while(|(a, b)| a == b).map(|(part, _)| part).collect()
}

/// A name that a ConfigMap takes, readable where it can be.
fn key(inside: &str, number: usize, others: &[Packed]) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' };
    let key: String = inside.replace(['/', '\\'], "__").chars().map(plain).collect();
    let is_taken = others.iter().any(|other| other.key == key);
    if is_taken || key.len() > KEY_MAX || key.starts_with('.') { format!("file-{number}") } else { key }
}

/// Text that comes back the same from every reader of YAML: printable, with ends of lines as here.
fn is_plain(text: &str) -> bool {
    let is_odd = |letter: char| {
        (letter.is_control() && letter != '\n')
            || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    !text.contains(is_odd)
}

fn kibibytes(bytes: usize) -> String {
    format!("{} KiB", bytes.div_ceil(1 << 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_to_each_other_are_kept_and_keys_are_those_of_a_config_map() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, bytes: &[u8]| {
            let path = place.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a writable folder");
            std::fs::write(&path, bytes).expect("a writable folder");
            path
        };
        let sweep = write("sweeps/s.yaml", b"kind: Sweep\n");
        let files = [
            write("service/ä b.yaml", "# ä\n".as_bytes()),
            write("service/__b.yaml", b"x\r\n"),
            place.path().join("sweeps/../traces/t.csv.gz"),
            write("traces/t.csv.gz", &[0x1f, 0x8b, 0]),
        ];
        let bundle = Bundle::of(&sweep, &files).expect("they are small");
        assert_eq!(bundle.sweep(), "files/sweeps/s.yaml");
        let paths: Vec<(&str, &str)> =
            bundle.files.iter().map(|file| (file.key.as_str(), file.path.as_str())).collect();
        assert_eq!(
            paths,
            [
                ("sweeps__s.yaml", "files/sweeps/s.yaml"),
                ("service____b.yaml", "files/service/ä b.yaml"),
                ("file-2", "files/service/__b.yaml"),
                ("traces__t.csv.gz", "files/traces/t.csv.gz"),
            ]
        );
        let (texts, others) = bundle.data();
        assert_eq!(texts.keys().collect::<Vec<_>>(), [&"service____b.yaml", &"sweeps__s.yaml"]);
        assert_eq!(others["traces__t.csv.gz"], "H4sA");
        assert_eq!(others["file-2"], "eA0K");
    }
}
