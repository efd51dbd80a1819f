//! What ships must load, from the folder and from inside the program.

use std::path::{Path, PathBuf};

use scenario::{Input, schema};
use traces::load;

use crate::support::repository;

/// Folders below `folder` that hold a scenario.
fn scenario_folders(folder: &Path) -> Vec<PathBuf> {
    let below = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    below
        .flat_map(|path| if path.join("scenario.yaml").exists() { vec![path] } else { scenario_folders(&path) })
        .collect()
}

#[test]
fn every_shipped_scenario_loads() {
    let mut names = Vec::new();
    // What starts a program is loaded where programs may be started: `crates/cli/tests/it_run/exec.rs`.
    let starts_none = |path: &PathBuf| !path.ends_with("own-policy");
    for path in scenario_folders(&repository("scenarios")).into_iter().filter(starts_none) {
        let loaded = load(&[Input::Path(path.clone())], &[]).unwrap_or_else(|error| panic!("{error}"));
        assert!(!loaded.spec.policies.is_empty() && !loaded.description.is_empty(), "{}", path.display());
        names.push(loaded.spec.name);
    }
    names.sort();
    assert_eq!(
        names,
        [
            "adapters",
            "bench-day",
            "keda-1000x250-10-to-16",
            "keda-1000x250-16-to-24",
            "keda-100x1000-16-to-24",
            "keda-300x300-2-to-10",
            "llama-8b-one-replica-1000x250",
            "llama-8b-one-replica-300x300",
            "llm-hour",
            "llmd-decode-heavy-autoscaled",
            "llmd-decode-heavy-static",
            "llmd-prefill-heavy-autoscaled",
            "llmd-prefill-heavy-static",
            "llmd-slo-aware-static",
            "llmd-symmetrical-autoscaled",
            "llmd-symmetrical-static",
            "load-test",
            "md8",
            "mm8",
            "model-zoo",
            "prefill-decode",
            "preset-hour",
            "rag",
            "rollout-hour",
            "spot-day",
            "triton-day"
        ]
    );
}

#[test]
fn the_built_in_scenario_is_the_shipped_one() {
    let built_in = load(&Input::embedded_default(), &[]).unwrap();
    let folder = load(&[Input::Path(repository("scenarios/triton-day"))], &[]).unwrap();
    assert_eq!(built_in.spec.policies.len(), folder.spec.policies.len());
    assert_eq!(
        std::fs::read_dir(repository("scenarios/triton-day")).unwrap().count(),
        scenario::embedded_default().len()
    );
    assert!(built_in.spec.policies.len() >= 5);
}

#[test]
fn triton_day_has_an_idle_night_a_thousand_requests_a_second_and_two_weeks_of_past() {
    let loaded = load(&Input::embedded_default(), &[]).unwrap();
    let workload::Traffic::Poisson { rate } = &loaded.spec.services[0].traffic else { panic!("not Poisson") };
    assert!((900.0..1_100.0).contains(&rate.mean()), "{}", rate.mean());
    assert_eq!(rate.rate_at(units::SimTime::from_secs(3 * 3_600)), 0.0);
    assert!(rate.peak() > 3_500.0, "{}", rate.peak());
    assert_eq!(loaded.spec.services[0].history.before.len(), 14 * 1_440);
    // The crowd is news: the same minute a week ago was quiet.
    let week_ago = loaded.spec.services[0].history.rate_at_minute(14 * 60 + 40 - 7 * 1_440).unwrap();
    assert!(week_ago < 2_200.0, "{week_ago}");
}

#[test]
fn the_schema_knows_the_keys_and_their_documentation() {
    let schema = schema().to_string();
    for part in
        ["timelineStep", "Length of one row of the timeline", "dynamicBatching", "\"additionalProperties\":false"]
    {
        assert!(schema.contains(part), "{part}");
    }
}
