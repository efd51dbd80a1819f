//! `run.json`: what it takes to repeat a run, and what came of it.

use std::path::{Path, PathBuf};

use lab::experiment::Results;
use scenario::{Documents, Input, Loaded};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, OrEnvironment, OrInput, Result};

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

/// Names of the services, where there are several.
pub fn services(loaded: &Loaded) -> Vec<String> {
    let all = &loaded.spec.services;
    all.iter().filter(|_| all.len() > 1).map(|service| service.name.clone()).collect()
}

/// The digests of all runs, in order.
pub fn digests(results: &Results) -> Vec<RunDigest> {
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
        let path = if path.is_dir() { path.join("run.json") } else { path.to_owned() };
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::input(format!("{}: {error}; a folder written by `scalelab run` has one", path.display()))
        })?;
        serde_json::from_str(&text).map_err(|error| Failure::input(format!("{}: {error}", path.display())))
    }

    /// The scenario as it was.
    pub fn reload(&self) -> Result<Loaded> {
        let documents = self.documents.as_array().into_iter().flatten().enumerate();
        let input = |(index, document): (usize, &serde_json::Value)| Input::Text {
            name: format!("run.json: documents[{index}]"),
            text: document.to_string(),
        };
        let inputs: Vec<Input> = documents.map(input).collect();
        let documents = Documents::read(&inputs).or_input()?.in_folder(&self.folder);
        let mut loaded = documents.load(&[]).or_input()?;
        loaded.spec.policies.retain(|policy| self.policies.contains(&policy.name));
        Ok(loaded)
    }

    /// As text.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).or_environment("writing run.json")
    }
}
