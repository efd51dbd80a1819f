//! The commands that are killed, on the small scenarios of `tests/data`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A command that writes, and where it does.
pub struct Work {
    pub name: &'static str,
    /// What is done before, undisturbed: lines of shell, with `scalelab` as `$S`.
    before: &'static str,
    /// Its words; `~` stands for a blank in a word.
    pub command: &'static str,
    /// What is started after it was killed.
    pub again: &'static str,
    /// Where it writes: a folder of the desk.
    pub output: &'static str,
}

const SWEEP: &str = "sed -i 's/replications: 2/replications: 8/' sweep.yaml";
const TWO_SWEEPS: &str = "sed -i 's/replications: 2/replications: 8/' sweep.yaml; \
    $S sweep sweep.yaml -o one --shard 1/2 --quiet; $S sweep sweep.yaml -o two --shard 2/2 --quiet";
const MERGE: &str = "merge one two -o out";
const RUN: &str = "run service hpa --replications 12 --quiet -o out";
const REQUESTS: &str = "run service hpa --replications 8 --save-requests --quiet -o out";
const OLD: &str = "$S run service hpa --set metadata.name=old --replications 2 --save-requests --quiet -o out";
const SEARCH: &str =
    "optimize service hpa --over policies.hpa.spec.maxReplicas=2..6 --runs 60 --replications 5 --quiet -o out";
const TRACE: &str = "mkdir out; $S trace synthesize --rate 500req/s --duration 20m -o trace.csv";
const TRACE_RUN: &str = "mkdir out; $S trace synthesize --rate 100req/s --duration 10m -o service/trace.csv";
const FROM_TRACE: &str =
    "run service hpa --set traffic={trace:~{file:~trace.csv}} --replications 3 --cache-dir out/cache --quiet -o out";

/// All of them.
pub fn works() -> Vec<Work> {
    let work = |name, before, command, again| Work { name, before, command, again, output: "out" };
    vec![
        work(
            "`sweep` on two threads, then `--resume`",
            SWEEP,
            "sweep sweep.yaml --jobs 2 --quiet -o out",
            "sweep sweep.yaml --jobs 2 --quiet -o out --resume",
        ),
        work(
            "`sweep` on one thread, then `--resume`",
            SWEEP,
            "sweep sweep.yaml --jobs 1 --quiet -o out",
            "sweep sweep.yaml --jobs 1 --quiet -o out --resume",
        ),
        work("`merge`", TWO_SWEEPS, MERGE, MERGE),
        work("`run`", "", RUN, RUN),
        work("`run --save-requests`", "", REQUESTS, REQUESTS),
        work("`run` over another run's folder", OLD, RUN, RUN),
        work("`optimize`", "", SEARCH, SEARCH),
        work(
            "`check` with JSON, junit and Markdown",
            "mkdir out",
            "check service hpa --gate slo_attainment~>=~0.1 --replications 20 --quiet --json out/a --junit out/b --markdown out/c",
            "check service hpa --gate slo_attainment~>=~0.1 --replications 20 --quiet --json out/a --junit out/b --markdown out/c",
        ),
        work("`run` of a trace, a parsed copy beside it", TRACE_RUN, FROM_TRACE, FROM_TRACE),
        work(
            "`trace convert`",
            TRACE,
            "trace convert trace.csv out/trace.parquet",
            "trace convert trace.csv out/trace.parquet",
        ),
    ]
}

/// The folder the commands run in, always of the same path: it stands in what they write.
pub struct Desk {
    home: TempDir,
}

impl Desk {
    /// With the scenarios and what the work finds done.
    pub fn of(work: &Work, program: &Path) -> Self {
        let desk = Self { home: tempfile::tempdir().expect("a temporary folder") };
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"), &desk.path());
        let shell = Command::new("bash").args(["-ec", work.before]).current_dir(desk.path()).env("S", program).output();
        let output = shell.expect("bash runs");
        assert!(output.status.success(), "{}: {}", work.name, String::from_utf8_lossy(&output.stderr));
        copy(&desk.path(), &desk.home.path().join("prepared"));
        desk
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.home.path().join("desk")
    }

    /// As it was prepared.
    pub fn clear(&self) {
        fs::remove_dir_all(self.path()).expect("a folder of this process");
        copy(&self.home.path().join("prepared"), &self.path());
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a fresh folder");
    for entry in fs::read_dir(from).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a readable file");
        }
    }
}
