//! `run.json`: what it takes to repeat a run, and what came of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::experiment::Results;
use scenario::{Input, Loaded};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, OrEnvironment, OrInput, Result};
use crate::places::is_elsewhere;

/// What it takes to repeat a run; what other commands know a run's folder by.
pub const RUN_FILE: &str = "run.json";
/// What a run may leave beside the plots and not every run does.
pub const NOT_ALWAYS: [&str; 4] = ["requests.csv", "requests.parquet", "control_variates.csv", RUN_FILE];

/// Everything a run depends on, and the digests by which a repetition is recognized.
#[derive(Debug, Serialize, Deserialize)]
pub struct RunFile {
    /// Version of scalelab.
    pub version: String,
    /// Name of the scenario.
    pub scenario: String,
    /// The command line.
    pub command: Vec<String>,
    /// Every document of the scenario as it was read, with `--set` assignments applied.
    pub documents: serde_json::Value,
    /// Folder that relative file names in them start from.
    pub folder: PathBuf,
    /// The same folder seen from that of this file, so that it is found from every working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder_from_here: Option<PathBuf>,
    /// Policies run.
    pub policies: Vec<String>,
    /// The services, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// Base seed.
    pub seed: u64,
    /// Replications of each policy.
    pub replications: u32,
    /// Digest of every run: policy, replication, seed, digest in hexadecimal.
    pub digests: Vec<RunDigest>,
    /// Manifest fields without effect, and other remarks.
    pub notes: Vec<String>,
    /// Wall time in seconds.
    pub wall_time_s: f64,
    /// Threads used.
    pub jobs: usize,
}

/// The digest of one run.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunDigest {
    /// Policy.
    pub policy: String,
    /// Replication.
    pub replication: u32,
    /// Its seed.
    pub seed: u64,
    /// Digest, hexadecimal.
    pub digest: String,
}

/// What repeats `results`: their seed, with how many threads and how long they took, and where they are to be written, if anywhere.
/// There must be results.
pub fn describe(
    loaded: &Loaded,
    results: &Results,
    (seed, jobs, time): (u64, usize, Duration),
    folder: Option<&Path>,
) -> RunFile {
    RunFile {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: loaded.spec.name.clone(),
        command: std::env::args().collect(),
        documents: loaded.documents.clone(),
        folder: loaded.folder.clone(),
        folder_from_here: folder
            .filter(|folder| !is_elsewhere(folder))
            .and_then(|folder| from_here(&loaded.folder, folder)),
        policies: results.policies.iter().map(|policy| policy.name().to_owned()).collect(),
        services: services(loaded),
        seed,
        replications: results.policies[0].summary.replications,
        digests: digests(results),
        notes: loaded.notes.iter().chain(&loaded.details).cloned().collect(),
        wall_time_s: time.as_secs_f64(),
        jobs,
    }
}

/// The folder of a scenario as it is seen from that of the results; `None` if there is no way from one to the other.
fn from_here(scenario: &Path, results: &Path) -> Option<PathBuf> {
    let whole = |path: &Path| if path.as_os_str().is_empty() { Path::new(".") } else { path }.canonicalize().ok();
    let (scenario, results) = (whole(scenario)?, whole(results)?);
    let shared = scenario.components().zip(results.components()).take_while(|(left, right)| left == right).count();
    let up = results.components().skip(shared).map(|_| std::path::Component::ParentDir);
    let way: PathBuf = up.chain(scenario.components().skip(shared)).collect();
    Some(if way.as_os_str().is_empty() { PathBuf::from(".") } else { way })
}

/// Names of the services, where there are several.
fn services(loaded: &Loaded) -> Vec<String> {
    let all = &loaded.spec.services;
    all.iter().filter(|_| all.len() > 1).map(|service| service.name.clone()).collect()
}

/// The digests of all runs, in order.
fn digests(results: &Results) -> Vec<RunDigest> {
    let runs = results.policies.iter().flat_map(lab::experiment::PolicyResult::summaries);
    runs.map(|run| RunDigest {
        digest: format!("{:016x}", run.digest),
        policy: run.policy,
        replication: run.replication,
        seed: run.seed,
    })
    .collect()
}

impl RunFile {
    /// Reads the run.json at `path`, or in the folder `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let path = if path.is_dir() { path.join(RUN_FILE) } else { path.to_owned() };
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::input(format!("{}: {error}; a folder written by `scalelab run` has one", path.display()))
        })?;
        let mut file: Self =
            serde_json::from_str(&text).map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
        let beside = file.folder_from_here.as_ref().and_then(|way| Some(path.parent()?.join(way)));
        // Results that were moved without their scenario still have the folder as it was given.
        file.folder = beside.filter(|folder| folder.is_dir()).unwrap_or(file.folder);
        Ok(file)
    }

    /// The scenario as it was.
    pub fn reload(&self) -> Result<Loaded> {
        let documents = self.documents.as_array().into_iter().flatten().enumerate();
        let input = |(index, document): (usize, &serde_json::Value)| Input::Text {
            name: format!("run.json: documents[{index}]"),
            text: document.to_string(),
        };
        let inputs: Vec<Input> = documents.map(input).collect();
        let documents = crate::programs::read(&inputs, false).or_input()?.in_folder(&self.folder);
        let mut loaded = documents.load(&[]).or_input()?;
        loaded.spec.policies.retain(|policy| self.policies.contains(&policy.name));
        Ok(loaded)
    }

    /// As text.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).or_environment("writing run.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_the_scenario_leads_there_from_the_results() {
        let top = tempfile::tempdir().unwrap();
        let (scenario, results) = (top.path().join("kB"), top.path().join("results/one"));
        std::fs::create_dir_all(&scenario).unwrap();
        std::fs::create_dir_all(&results).unwrap();
        assert_eq!(from_here(&scenario, &results), Some(PathBuf::from("../../kB")));
        assert_eq!(from_here(&scenario, &scenario), Some(PathBuf::from(".")));
        assert_eq!(from_here(&top.path().join("gone"), &results), None);
    }
}
