//! Running the program in a folder of its own.

use std::path::PathBuf;
use std::process::Command;

/// What a command did.
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A folder for one test; gone afterwards.
pub struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Runs the program in the folder. `@name` stands for a file of `tests/data_data`. Where the folder has a `bin`, that is all of PATH.
    pub fn run(&self, line: &str) -> Ran {
        let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data_data");
        let arguments = line.split_whitespace().map(|word| match word.strip_prefix('@') {
            Some(name) => data.join(name).display().to_string(),
            None => word.to_owned(),
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_scalelab"));
        command.args(arguments).current_dir(self.folder.path()).env("NO_COLOR", "1");
        for proxy in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        // What another test, or another run of this one, has left in the user's own folder must not be found.
        command.env_remove("SCALELAB_CACHE_DIR").env("XDG_CACHE_HOME", self.folder.path().join("user-cache"));
        if self.path("bin").is_dir() {
            command.env("PATH", self.path("bin"));
        }
        let output = command.output().expect("the program starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The same, and it must succeed.
    pub fn done(&self, line: &str) -> Ran {
        let ran = self.run(line);
        assert_eq!(ran.code, 0, "{line}\n{}{}", ran.stdout, ran.stderr);
        ran
    }

    /// The same, and it must succeed; its output.
    pub fn out(&self, line: &str) -> String {
        self.done(line).stdout
    }

    /// The same, and it must be refused as wrong input; the message.
    pub fn refused(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!(ran.code, 2, "{line}\n{}{}", ran.stdout, ran.stderr);
        ran.stderr
    }

    /// A file or folder in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("a writable folder");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Names in the folder, hidden ones too, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("a readable folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}
