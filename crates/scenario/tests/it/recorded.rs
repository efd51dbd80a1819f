//! `recorded`: the path of replica counts that really was, beside the policies.

use cluster::spec::ControllerSpec;
use scenario::{Input, Loaded, ScenarioError};
use traces::load;

use crate::support::with;

/// [`crate::support::SCENARIO`] in a folder with `replicas.csv`, its policy `recorded` with these keys beside `file`.
fn loaded(rows: &str, keys: &str) -> Result<Loaded, ScenarioError> {
    let folder = tempfile::tempdir().unwrap();
    let policy = format!("recorded: {{file: replicas.csv{keys}}}");
    std::fs::write(folder.path().join("scenario.yaml"), with("static: {replicas: 2}", &policy)).unwrap();
    std::fs::write(folder.path().join("replicas.csv"), rows).unwrap();
    load(&[Input::Path(folder.path().to_owned())], &[])
}

fn message(rows: &str, keys: &str) -> String {
    let text = loaded(rows, keys).expect_err("this must be refused").to_string();
    text.rsplit_once("/scenario.yaml")
        .map_or(text.clone(), |(_, rest)| rest.replace(&std::env::temp_dir().display().to_string(), ""))
}

#[test]
fn the_counts_of_the_file_are_written_when_they_were() {
    let rows = "time,spec,ready\n2026-01-05T10:00:00Z,2,2\n2026-01-05T10:30:00Z,4,2\n2026-01-05T11:00:00Z,4,4\n2026-01-05T11:30:00Z,1,4\n";
    let loaded = loaded(rows, ", timeUnit: timestamp, startAt: 15m").unwrap();
    let policy = &loaded.spec.policies[0].services[0];
    let ControllerSpec::Recorded(path) = &policy.controllers[0] else { panic!("{policy:?}") };
    let changes: Vec<(u64, u32)> = path.changes.iter().map(|(at, count)| (at.as_secs() / 60, *count)).collect();
    assert_eq!(changes, [(0, 2), (15, 4), (75, 1)]);
    assert_eq!(policy.replicas_initial, Some(2), "the run begins with what there was");
    assert!(loaded.notes.is_empty(), "{:?}", loaded.notes);
}

#[test]
fn gaps_and_an_early_end_are_said() {
    let loaded = loaded("t,replicas\n0,2\n600,\n1200,3\n", "").unwrap();
    let notes: Vec<String> = loaded.notes.iter().map(ToString::to_string).collect();
    assert!(
        notes.iter().any(|note| note.contains("replicas.csv has no count in 1 of 3 rows; the one before holds")),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|note| note.contains("the last row of replicas.csv is 1200s after the start")),
        "{notes:?}"
    );
}

#[test]
fn what_is_no_path_is_refused() {
    insta::assert_snapshot!(message("t,replicas\n0,2\n600,2.5\n", ""), @":25:15: spec.policies[0].recorded.value: `replicas.csv` holds 2.5, which is no number of replicas (whole, at most 150000)");
    insta::assert_snapshot!(message("t,replicas\n0,\n600,2\n", ""), @":25:15: spec.policies[0].recorded.startAt: at the start of the run `replicas.csv` holds no count, nor before it");
    insta::assert_snapshot!(message("t,replicas\n0,1\n600,2\n", "}\n    static: {replicas: 1"), @":24:5: spec.policies[0]: `recorded` is the past as it was: beside another that writes the replica count it would be neither; a policy each");
}
