//! Files that are whole or not there: the only place of this crate that touches a disk.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// How names of files under way begin and end.
const UNDER_WAY: (&str, &str) = (".scalelab-", ".tmp");

/// Writes `bytes` to `path`, creating missing folders. A reader sees the old file or the new one, never a part: the bytes go to a
/// temporary file beside it, are flushed to the disk, and the file is renamed into place. It keeps the mode of the file it replaces; a link
/// stays one, and its target is replaced. What is no file (a device, a fifo, `/dev/stdout`) is written to.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = temporary_beside(path)?;
    temporary.write_all(bytes)?;
    put_into_place(temporary, path)
}

/// Where bytes for a path go.
enum Target {
    /// A file of this name, links followed, that is replaced as a whole.
    File(PathBuf),
    /// Something that takes bytes and must not be replaced.
    Stream,
}

impl Target {
    fn of(path: &Path) -> Self {
        let is_open_file = path.exists() && ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder));
        let is_stream = fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
        if is_open_file || is_stream {
            return Self::Stream;
        }
        if !path.is_symlink() {
            return Self::File(path.to_owned());
        }
        // The target of a link need not be there yet.
        let beside = |link: PathBuf| path.parent().unwrap_or(Path::new("")).join(link);
        let target = fs::canonicalize(path).or_else(|_| fs::read_link(path).map(beside));
        Self::File(target.unwrap_or_else(|_| path.to_owned()))
    }
}

/// An empty file in the folder of `path`, which is created if it is missing. It is gone when dropped, and what killed processes had under way in
/// that folder is gone at once.
pub(crate) fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    let Target::File(path) = Target::of(path) else { return NamedTempFile::new() };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // A folder that cannot be listed is no reason not to write into it.
    let _ = remove_strays(folder);
    temporary_in(folder)
}

/// An empty file that is locked as long as it is under way, so that [`remove_strays`] knows it from what a killed process left.
fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let mut builder = tempfile::Builder::new();
        // A temporary file is private by default; a result is as readable as the umask says.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let temporary = builder.prefix(UNDER_WAY.0).suffix(UNDER_WAY.1).tempfile_in(folder)?;
        // Some file systems know no locks; then strays stay.
        let is_locked = temporary.as_file().lock().is_ok();
        // Another process may have taken it for a stray between the two steps.
        if !is_locked || temporary.path().exists() {
            return Ok(temporary);
        }
    }
}

/// Removes the files that processes which were killed had under way in `folder`.
fn remove_strays(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(|name| name.starts_with(UNDER_WAY.0) && name.ends_with(UNDER_WAY.1));
        if !is_ours || !entry.file_type()?.is_file() {
            continue;
        }
        let file = fs::File::options().write(true).open(entry.path());
        if file.is_ok_and(|file| file.try_lock().is_ok()) {
            // Someone else may have removed it.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Flushes a whole file to the disk and gives it its name.
pub(crate) fn put_into_place(temporary: NamedTempFile, path: &Path) -> io::Result<()> {
    let path = match Target::of(path) {
        Target::File(path) => path,
        Target::Stream => {
            let mut stream = fs::File::options().append(true).open(path)?;
            return io::copy(&mut temporary.reopen()?, &mut stream).map(|_| ());
        }
    };
    if let Ok(old) = fs::metadata(&path)
        && old.is_file()
    {
        temporary.as_file().set_permissions(old.permissions())?;
    }
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

/// A folder that is known to take files before the work begins. If this made it and nothing came into it, it is gone when dropped.
#[derive(Debug)]
pub struct ResultFolder {
    path: PathBuf,
    is_new: bool,
}

impl ResultFolder {
    /// Creates the folder if it is missing, tries whether it takes files, and removes what a killed process left half-written in it.
    pub fn prepare(path: &Path) -> io::Result<Self> {
        let folder = Self { path: path.to_owned(), is_new: !path.exists() };
        fs::create_dir_all(path)?;
        temporary_in(path)?;
        remove_strays(path)?;
        if path.join("plots").is_dir() {
            remove_strays(&path.join("plots"))?;
        }
        Ok(folder)
    }

    /// Removes those of `earlier` that are there and not in `written`, and the plots that are not: they are of an earlier run. Paths are relative to the folder.
    pub fn remove_others(&self, earlier: &[&str], written: &[(String, Vec<u8>)]) -> io::Result<()> {
        let is_written = |name: &str| written.iter().any(|(one, _)| one == name);
        let plots = self.path.join("plots");
        for entry in if plots.is_dir() { Some(fs::read_dir(&plots)?) } else { None }.into_iter().flatten() {
            let path = entry?.path();
            let is_plot = path.extension().is_some_and(|ending| ending == "svg" || ending == "png");
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if is_plot && !is_written(&format!("plots/{name}")) {
                remove_if_there(&path)?;
            }
        }
        earlier.iter().filter(|name| !is_written(name)).try_for_each(|name| remove_if_there(&self.path.join(name)))
    }
}

impl Drop for ResultFolder {
    fn drop(&mut self) {
        if self.is_new {
            // Fails unless it is empty, which is what is wanted.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file written a stretch at a time that has its name only once it is whole: dropped before [`WholeFile::finish`] it leaves nothing.
pub struct WholeFile {
    path: PathBuf,
    output: BufWriter<NamedTempFile>,
}

impl WholeFile {
    /// An empty file that will be `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), output: BufWriter::new(temporary_beside(path)?) })
    }

    /// Flushes it to the disk and gives it its name.
    pub fn finish(self) -> io::Result<()> {
        put_into_place(self.output.into_inner().map_err(io::IntoInnerError::into_error)?, &self.path)
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Writes every (relative path, bytes) of [`crate::files`] below `folder`, each atomically, in order.
pub fn write_all(folder: &Path, files: &[(String, Vec<u8>)]) -> io::Result<()> {
    files.iter().try_for_each(|(name, bytes)| write_atomically(&folder.join(name), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn what_is_no_file_is_written_to_and_stays() {
        use std::io::Read;
        use std::os::fd::AsRawFd;
        let (mut reader, writer) = io::pipe().unwrap();
        // A fifo by another name, as `--json >(jq .)` gives it.
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("out.json");
        std::os::unix::fs::symlink(format!("/proc/self/fd/{}", writer.as_raw_fd()), &link).unwrap();
        write_atomically(&link, b"text").unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        assert!(link.is_symlink());
        let null = folder.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &null).unwrap();
        write_atomically(&null, b"text").unwrap();
        assert!(null.is_symlink() && !Path::new("/dev/null").is_file());
    }

    #[test]
    #[cfg(unix)]
    fn a_link_stays_and_its_target_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "old").unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink("target", &link).unwrap();
        write_atomically(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_under_way_stays() {
        let folder = tempfile::tempdir().unwrap();
        let stray = folder.path().join(".scalelab-AbCdEf.tmp");
        fs::write(&stray, "half").unwrap();
        let under_way = temporary_beside(&folder.path().join("requests.csv")).unwrap();
        let _prepared = ResultFolder::prepare(folder.path()).unwrap();
        assert!(!stray.exists() && under_way.path().exists());
    }

    #[test]
    fn files_of_an_earlier_run_go_and_those_of_the_user_stay() {
        let folder = tempfile::tempdir().unwrap();
        let there = |name: &str| folder.path().join(name).exists();
        for name in ["requests.csv", "notes.txt", "plots/timeline-old.svg", "plots/timeline-a.svg", "plots/my.txt"] {
            write_atomically(&folder.path().join(name), b"x").unwrap();
        }
        let prepared = ResultFolder::prepare(folder.path()).unwrap();
        let written = [("plots/timeline-a.svg".to_owned(), Vec::new())];
        prepared.remove_others(&["requests.csv", "requests.parquet"], &written).unwrap();
        assert!(!there("requests.csv") && !there("plots/timeline-old.svg"));
        assert!(there("notes.txt") && there("plots/timeline-a.svg") && there("plots/my.txt"));
    }

    #[test]
    fn a_folder_made_for_nothing_is_gone_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        drop(ResultFolder::prepare(&path).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn a_rewrite_replaces_the_file_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plots/summary.csv");
        write_atomically(&path, b"old, and longer").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("taken")).unwrap();
        fs::write(folder.path().join("taken/inside"), b"x").unwrap();
        assert!(write_atomically(&folder.path().join("taken"), b"x").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
