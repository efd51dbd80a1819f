//! The scenarios of `tests/data` in a fresh folder, and the binary run there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The files of `tests/data` in a folder of their own, which is the current folder of every command.
pub struct Desk(TempDir);

impl Desk {
    /// A fresh copy.
    pub fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a temporary folder"));
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"), desk.0.path());
        desk
    }

    /// A file or folder on it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The text of a file on it.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Replaces `old` in a file; it must be there.
    pub fn change(&self, name: &str, old: &str, new: &str) {
        let text = self.read(name);
        assert!(text.contains(old), "`{old}` is not in {name}");
        fs::write(self.path(name), text.replace(old, new)).expect("a writable folder");
    }

    /// `scalelab ARGS`, where words are separated by blanks and `~` stands for a blank in a word.
    pub fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scalelab"));
        command.current_dir(self.0.path()).env("NO_COLOR", "1");
        command.args(args.split_whitespace().map(|word| word.replace('~', " ")));
        command
    }

    /// Runs lines of shell as CI does, the binary on the path; the first that fails ends them.
    pub fn shell(&self, lines: &str) -> Output {
        let binary = Path::new(env!("CARGO_BIN_EXE_scalelab")).parent().expect("the binary lies in a folder");
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("bash");
        command.args(["-e", "-o", "pipefail", "-c", lines]).current_dir(self.0.path());
        command.env("PATH", path).env("SCENARIO", "deploy").env("NO_COLOR", "1").output().expect("bash runs")
    }

    /// Runs it and gives exit code, standard output and standard error as one text.
    pub fn run(&self, args: &str) -> String {
        transcript(&self.command(args).output().expect("the binary runs"))
    }
}

fn transcript(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("the process ends by itself");
    format!("exit code {code}\n--- stdout\n{}--- stderr\n{}", text(&output.stdout), text(&output.stderr))
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("tests/data is there") {
        let path = entry.expect("a readable folder").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            fs::create_dir(&target).expect("a fresh folder");
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a readable file");
        }
    }
}
