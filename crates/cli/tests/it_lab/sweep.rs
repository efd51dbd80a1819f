//! `sweep` and `merge`: nothing twice, nothing lost.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::support::Desk;

/// The transcript without how long it took.
fn timeless(transcript: &str) -> String {
    let kept = |line: &&str| !line.starts_with("about ");
    transcript.lines().filter(kept).map(|line| format!("{line}\n")).collect()
}

/// A command in the background, when the journal it writes has 20 lines.
fn started(desk: &Desk, args: &str, journal: &str) -> Child {
    let child = desk.command(args).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let begun = Instant::now();
    let lines = || fs::read_to_string(desk.path(journal)).map_or(0, |text| text.lines().count());
    while lines() < 20 && begun.elapsed() < Duration::from_secs(30) {
        sleep(Duration::from_millis(2));
    }
    child
}

#[test]
fn a_sweep_leaves_tables_and_plots_and_says_what_nothing_beats() {
    let desk = Desk::new();
    assert_snapshot!(timeless(&desk.run("sweep sweep.yaml -o out")));
    let table = desk.read("out/results.csv");
    assert_eq!(table.lines().count(), 1 + 8 * 2, "{table}");
    assert!(table.starts_with("point,target,most,policy,replication,seed,digest,requests,"));
    for file in
        ["results.parquet", "sweep.json", "plots/cost_vs_slo.svg", "plots/heat_map-hpa.png", "plots/curve-hpa.svg"]
    {
        assert!(desk.path(&format!("out/{file}")).exists(), "{file} is missing");
    }
    let told = desk.run("report out -o again.html");
    assert!(told.starts_with("exit code 0\n"), "{told}");
    assert_eq!(desk.read("again.html"), desk.read("out/report.html"));
}

#[test]
fn a_dry_run_prints_the_plan_and_writes_nothing() {
    let desk = Desk::new();
    assert_snapshot!(timeless(&desk.run("sweep sweep.yaml -o out --dry-run")));
    assert!(!desk.path("out").exists());
}

#[test]
fn a_folder_with_a_sweep_is_not_overwritten() {
    let desk = Desk::new();
    desk.run("sweep sweep.yaml -o out --quiet");
    let before = desk.read("out/journal.jsonl");
    assert_snapshot!(desk.run("sweep sweep.yaml -o out"));
    desk.change("sweep.yaml", "seed: 3", "seed: 4");
    assert_snapshot!("another-sweep", desk.run("sweep sweep.yaml -o out --resume --quiet"));
    assert_eq!(desk.read("out/journal.jsonl"), before);
}

#[test]
fn a_sweep_killed_in_the_middle_and_resumed_has_the_same_rows() {
    let desk = Desk::new();
    desk.change("sweep.yaml", "replications: 2", "replications: 125");
    desk.run("sweep sweep.yaml -o whole --quiet");
    let mut killed = started(&desk, "sweep sweep.yaml -o killed --quiet", "killed/journal.jsonl");
    // SIGKILL: nothing can be tidied up.
    killed.kill().expect("the process is there");
    killed.wait().expect("the process ends");
    let done = desk.read("killed/journal.jsonl").lines().count();
    assert!((20..1 + 8 * 125).contains(&done), "{done} lines: not killed in the middle");
    assert!(!desk.path("killed/results.csv").exists());
    let resumed = desk.run("sweep sweep.yaml -o killed --resume --quiet");
    assert!(resumed.starts_with("exit code 0\n"), "{resumed}");
    assert_eq!(desk.read("killed/results.csv"), desk.read("whole/results.csv"));
    let parquet = |folder: &str| fs::read(desk.path(&format!("{folder}/results.parquet"))).expect("it is there");
    assert_eq!(parquet("killed"), parquet("whole"));
}

#[test]
fn an_interrupt_keeps_what_is_finished_and_its_tables_and_resumes() {
    let desk = Desk::new();
    desk.change("sweep.yaml", "replications: 2", "replications: 40");
    let child = started(&desk, "sweep sweep.yaml -o out --quiet", "out/journal.jsonl");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("there is a `kill`");
    assert!(sent.success());
    let output = child.wait_with_output().expect("the process ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("of 320 runs are in out; go on with --resume"), "{told}");
    let rows = desk.read("out/results.csv").lines().count();
    assert_eq!(rows, desk.read("out/journal.jsonl").lines().count());
    assert!(rows < 1 + 320, "not interrupted in the middle");
    desk.run("sweep sweep.yaml -o out --resume --quiet");
    assert_eq!(desk.read("out/results.csv").lines().count(), 1 + 320);
}

#[test]
fn two_shards_merged_equal_one_run() {
    let desk = Desk::new();
    desk.run("sweep sweep.yaml -o whole --quiet");
    desk.run("sweep sweep.yaml -o one --shard 1/2 --quiet");
    let half = desk.run("merge one -o half");
    assert!(half.contains("8 of 16 runs are missing"), "{half}");
    desk.run("sweep sweep.yaml -o two --shard 2/2 --jobs 1 --quiet");
    let merged = desk.run("merge two one -o merged");
    assert!(merged.starts_with("exit code 0\n"), "{merged}");
    assert_eq!(desk.read("merged/results.csv"), desk.read("whole/results.csv"));
    // A merge may be done again, as a Job whose pod was lost too late does it; another may not take its place.
    assert!(desk.run("merge one two -o merged").starts_with("exit code 0\n"));
    assert_eq!(desk.read("merged/results.csv"), desk.read("whole/results.csv"));
    assert_snapshot!(desk.run("merge one -o merged"));
}

#[test]
fn a_merge_that_was_killed_before_its_end_can_be_done_again() {
    let desk = Desk::new();
    desk.run("sweep sweep.yaml -o whole --quiet");
    desk.run("merge whole -o merged");
    let rows = desk.read("merged/results.csv");
    // The journal gets its name last.
    fs::rename(desk.path("merged/journal.jsonl"), desk.path("merged/journal.jsonl.tmp"))
        .expect("a merge has a journal");
    let again = desk.run("merge whole -o merged");
    assert!(again.starts_with("exit code 0\n"), "{again}");
    assert_eq!(desk.read("merged/results.csv"), rows);
    assert!(!desk.path("merged/journal.jsonl.tmp").exists());
}

#[test]
fn plots_of_a_part_go_when_the_sweep_is_resumed() {
    let desk = Desk::new();
    desk.run("sweep sweep.yaml -o out --quiet");
    fs::write(desk.path("out/plots/curve.png"), "of a part").expect("a writable folder");
    desk.run("sweep sweep.yaml -o out --resume --quiet");
    assert!(!desk.path("out/plots/curve.png").exists());
    assert!(desk.path("out/plots/curve-hpa.png").exists());
}

#[test]
fn a_wrong_sweep_is_refused_before_anything_is_written() {
    let changes = [
        ("kind: Sweep", "kind: Swep"),
        ("maxReplicas", "maxReplicaz"),
        ("values: [40, 60, 80]", "values: [40, sixty]"),
        ("name: most", "name: replicas_max"),
        ("scenario: [service, hpa]", "scenario: [service]"),
    ];
    let told: Vec<String> = changes
        .iter()
        .map(|(old, new)| {
            let desk = Desk::new();
            desk.change("sweep.yaml", old, new);
            let told = format!("{new}\n{}", desk.run("sweep sweep.yaml -o out"));
            assert!(!desk.path("out").exists(), "{told}");
            told
        })
        .collect();
    assert_snapshot!(told.join("\n"));
}

#[test]
fn a_slip_in_a_sweep_is_named_with_its_line_and_the_nearest_key() {
    let desk = Desk::new();
    desk.change("sweep.yaml", "replications:", "replicatons:");
    let told = desk.run("sweep sweep.yaml -o out");
    assert!(told.contains("error: sweep.yaml:6:1: unknown key `replicatons`; did you mean `replications`?"), "{told}");
    desk.change("sweep.yaml", "replicatons: ", "replications: 0 #");
    let told = desk.run("sweep sweep.yaml -o out");
    assert!(told.contains("error: sweep.yaml:6:15: replications: 0 replications; at least 1 is needed"), "{told}");
}

#[test]
fn standard_output_is_no_folder() {
    let desk = Desk::new();
    for line in ["run service hpa -o -", "sweep sweep.yaml -o -", "merge a b -o -"] {
        let told = desk.run(line);
        assert!(
            told.starts_with("exit code 2\n") && told.contains("`-` is standard output, and this is a folder"),
            "{told}"
        );
    }
}

#[test]
#[cfg(not(feature = "object-store"))]
fn an_address_is_refused_with_the_way_to_a_program_that_takes_it() {
    let desk = Desk::new();
    for line in
        ["run service hpa -o s3://lab/run", "sweep sweep.yaml -o gs://lab/sweep", "merge az://lab/parts -o whole"]
    {
        let told = desk.run(line);
        let way = "build one with them: cargo install --path crates/cli --features object-store";
        assert!(told.starts_with("exit code 2\n") && told.contains(way), "{told}");
    }
    // Where no address is taken, one would become a folder of that name.
    let told = desk.run("init --manifests hpa -o s3://lab/scenario");
    assert!(told.starts_with("exit code 2\n") && told.contains("no bucket read or written here"), "{told}");
    let told = desk.run("run service hpa --set traffic.trace.file=s3://lab/day.csv -o out");
    assert!(told.starts_with("exit code 2\n"), "{told}");
    assert!(!desk.path("s3:").exists() && !desk.path("out").exists());
}
