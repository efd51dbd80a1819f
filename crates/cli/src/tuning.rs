//! What searches and sensitivities share: a scenario that can be made again with other settings, ranges, and the policy meant.

use std::num::NonZeroU32;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cluster::spec::SimulationSpec;
use lab::Job;
use lab::columns::Column;
use lab::design::{Dimension, Parameter, Setting};
use lab::sweep::{Scenarios, Simulated};
use record::RunRecord;
use scenario::{Documents, Loaded};

use crate::args::ScenarioArgs;
use crate::failure::{Failure, OrInput, Result};
use crate::inputs;

/// An input and how far it goes.
pub type Range = (Parameter, Dimension);

/// A scenario read once, to be resolved at many settings.
pub struct Tuned {
    documents: Documents,
    overrides: Vec<(String, String)>,
    /// The scenario as it is.
    pub loaded: Loaded,
}

/// What a thread unwinds with whose run was stopped in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Scenarios whose runs can be stopped.
struct Stoppable<'a> {
    tuned: &'a Tuned,
    stop: Arc<AtomicBool>,
}

impl Scenarios for Stoppable<'_> {
    type Prepared = SimulationSpec;

    fn prepare(&self, settings: &[Setting]) -> std::result::Result<SimulationSpec, String> {
        self.tuned.with(settings)
    }

    fn policies(&self, prepared: &SimulationSpec) -> Vec<String> {
        prepared.policies.iter().map(|policy| policy.name.clone()).collect()
    }

    fn run(&self, prepared: &SimulationSpec, job: &Job) -> RunRecord {
        let watch = cluster::Watch { stop: &self.stop, pulse: &cluster::Pulse::default() };
        let record = cluster::simulate_until(prepared, (job.policy, job.replication), job.seed, job.keep, watch);
        record.unwrap_or_else(|| resume_unwind(Box::new(Stopped)))
    }
}

impl Tuned {
    /// Reads and resolves the scenario as it is.
    pub fn read(args: &ScenarioArgs) -> Result<Self> {
        let (documents, overrides) = inputs::documents(args)?;
        Self::new(documents, overrides)
    }

    /// Documents with assignments that hold at every point.
    pub fn new(documents: Documents, overrides: Vec<(String, String)>) -> Result<Self> {
        let loaded = documents.load(&overrides).or_input()?;
        Ok(Self { documents, overrides, loaded })
    }

    /// The scenario with `settings` on top.
    pub fn with(&self, settings: &[Setting]) -> std::result::Result<SimulationSpec, String> {
        let pair = |setting: &Setting| (setting.parameter.path.clone(), setting.value.text.clone());
        let overrides: Vec<_> = self.overrides.iter().cloned().chain(settings.iter().map(pair)).collect();
        self.documents.load(&overrides).map(|loaded| loaded.spec).map_err(|error| error.to_string())
    }

    /// As `lab` takes scenarios.
    pub fn scenarios(&self) -> impl Scenarios + '_ {
        Simulated(|settings: &[Setting]| self.with(settings))
    }

    /// The same, of runs that end within a moment when `stop` is raised. Such a run has nothing to give: its thread unwinds with [`Stopped`], and
    /// with it the work it is part of.
    pub fn scenarios_until(&self, stop: Arc<AtomicBool>) -> impl Scenarios<Prepared = SimulationSpec> + '_ {
        Stoppable { tuned: self, stop }
    }

    /// The policy given, or the only one that paths name (`policies.hpa.spec…`), or the only one there is.
    pub fn policy(&self, given: Option<&str>, ranges: &[Range]) -> Result<String> {
        let names: Vec<&str> = self.loaded.spec.policies.iter().map(|policy| policy.name.as_str()).collect();
        if let Some(given) = given {
            if names.contains(&given) {
                return Ok(given.to_owned());
            }
            let hint = names::nearest(given, names.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
            return Err(Failure::input(format!(
                "--policy {given}: no such policy{} (one of: {})",
                hint.unwrap_or_default(),
                names.join(", ")
            )));
        }
        let is_named = |name: &&str| {
            ranges.iter().any(|(parameter, _)| {
                let path = parameter.path.strip_prefix("spec.").unwrap_or(&parameter.path);
                path.starts_with(&format!("policies.{name}."))
            })
        };
        let named: Vec<&str> = names.iter().copied().filter(is_named).collect();
        match (named.as_slice(), names.as_slice()) {
            ([only], _) | ([], [only]) => Ok((*only).to_owned()),
            _ => Err(Failure::input(format!(
                "the scenario has several policies; say which with --policy (one of: {})",
                names.join(", ")
            ))),
        }
    }

    /// Both ends of every range, one range at a time, must make a scenario at one end at least: a path that never works is a slip.
    pub fn check_ranges(&self, ranges: &[Range]) -> Result<()> {
        for (parameter, dimension) in ranges {
            let try_at =
                |position: f64| self.with(&[Setting { parameter: parameter.clone(), value: dimension.at(position) }]);
            if let (Err(problem), Err(_)) = (try_at(0.0), try_at(1.0)) {
                return Err(Failure::input(problem));
            }
        }
        Ok(())
    }

    /// Replications asked for, or the scenario's but at least `least`.
    pub fn replications(&self, asked: Option<NonZeroU32>, least: u32) -> u32 {
        asked.map_or(self.loaded.replications.max(least), NonZeroU32::get)
    }
}

/// `PATH=RANGE` of an option, each path once.
pub fn ranges(option: &str, texts: &[String]) -> Result<Vec<Range>> {
    let mut ranges: Vec<Range> = Vec::new();
    for text in texts {
        let Some((path, range)) = text.split_once('=') else {
            return Err(Failure::input(format!(
                "{option} {text}: expected PATH=RANGE, such as policies.hpa.spec.maxReplicas=4..20 (the scenario is named before {option})"
            )));
        };
        let dimension =
            Dimension::parse(range.trim()).map_err(|error| Failure::input(format!("{option} {text}: {error}")))?;
        let parameter = Parameter::at(path.trim());
        if ranges.iter().any(|(other, _)| other.path == parameter.path) {
            return Err(Failure::input(format!("{option} {text}: the path is there twice")));
        }
        ranges.push((parameter, dimension));
    }
    // Two paths with the same last word, or one that is a column of the tables, are told apart by the whole path.
    let names: Vec<String> = ranges.iter().map(|(parameter, _)| parameter.name.clone()).collect();
    let is_column = |name: &str| name == "replications" || name == "conditions" || Column::named(name).is_some();
    for (parameter, _) in &mut ranges {
        if is_column(&parameter.name) || names.iter().filter(|name| **name == parameter.name).count() > 1 {
            parameter.name.clone_from(&parameter.path);
        }
    }
    Ok(ranges)
}

/// Settings as `--set` takes them, to be typed again.
pub fn assignments(settings: &[Setting]) -> String {
    settings
        .iter()
        .map(|setting| format!("--set {}", report::shell_word(&setting.to_override())))
        .collect::<Vec<_>>()
        .join(" ")
}
