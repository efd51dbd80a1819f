//! Cold starts from what `kubectl get pods,events,nodes -o json` prints.

mod objects;
mod pulls;
mod samples;

use crate::fit::{DistributionFit, Interval, Observation, fit_distribution, quantile_plot};
use crate::{CalibrateError, yaml};

use objects::Objects;
use samples::{Samples, collect};

/// A part of a cold start that the objects show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Pod created to scheduled, for pods that waited for a node; the next three are parts of it.
    Provision,
    /// Karpenter's decision to the instance's launch.
    NodeLaunch,
    /// Launch to the node being Ready.
    NodeBoot,
    /// Node Ready to its GPUs usable.
    DevicePlugin,
    /// Image pulls, without waiting behind others on the node.
    ImagePull,
    /// Init containers.
    ModelDownload,
    /// Process start to ready: download in the container, GPU load and warm-up, which Kubernetes cannot tell apart.
    Load,
}

impl Phase {
    /// Every phase in the order of time.
    pub const ALL: [Self; 7] = [
        Self::Provision,
        Self::NodeLaunch,
        Self::NodeBoot,
        Self::DevicePlugin,
        Self::ImagePull,
        Self::ModelDownload,
        Self::Load,
    ];

    /// Name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provision => "provision (pod created to scheduled)",
            Self::NodeLaunch => "node launch",
            Self::NodeBoot => "node boot",
            Self::DevicePlugin => "device plugin",
            Self::ImagePull => "image pull",
            Self::ModelDownload => "model download (init containers)",
            Self::Load => "load and warm-up (start to ready)",
        }
    }
}

/// A measurement that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Pod or NodeClaim.
    pub object: String,
    /// Which phase of it; `None` for all.
    pub phase: Option<Phase>,
    /// Why.
    pub reason: String,
}

/// One phase.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseFit {
    /// Which.
    pub phase: Phase,
    /// What was measured.
    pub sample: Vec<Observation>,
    /// Its distribution; `None` if no measurement ran to its end.
    pub fit: Option<DistributionFit>,
}

/// Cold starts as measured.
#[derive(Clone, Debug, PartialEq)]
pub struct ColdStartFit {
    /// Phases with at least one measurement, in the order of time.
    pub phases: Vec<PhaseFit>,
    /// What could not be used, and why.
    pub unused: Vec<Unused>,
    /// What the reader of the result should know.
    pub notes: Vec<String>,
}

/// Fits every phase that the documents show. Each document is a `List` or a single object; pods, events and nodes may come together or
/// apart. `seed` is that of the bootstrap.
///
/// Clocks show whole seconds and probes come in periods: both count in the likelihood. Pods that are not ready yet count as longer than
/// they have taken so far, the snapshot being taken at the latest instant in the documents.
pub fn cold_start(documents: &[&str], seed: u64) -> Result<ColdStartFit, CalibrateError> {
    let objects = Objects::read(documents)?;
    if objects.pods.is_empty() {
        let reason = format!("no pods among {} events and {} nodes", objects.events.len(), objects.nodes.len());
        return Err(CalibrateError::Nothing { what: "Kubernetes objects", reason });
    }
    let samples = collect(&objects);
    let notes = notes(&objects, &samples);
    let phases = samples.by_phase.into_iter().map(|(phase, sample)| PhaseFit {
        phase,
        fit: fit_distribution(&sample, seed),
        sample,
    });
    Ok(ColdStartFit { phases: phases.collect(), unused: samples.unused, notes })
}

fn notes(objects: &Objects, samples: &Samples) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(latest) = objects.latest {
        notes.push(format!("snapshot taken at {latest}, the latest instant in the files"));
    }
    if objects.events.is_empty() {
        notes.push("no events: image pulls and node phases cannot be measured".to_owned());
    }
    if samples.images_present > 0 {
        notes.push(format!("{} pods found their image on the node and pulled nothing", samples.images_present));
    }
    let waits: Vec<f64> = samples.pull_waits_s.iter().copied().filter(|wait| *wait > 0.0).collect();
    if !waits.is_empty() {
        let mean = waits.iter().sum::<f64>() / waits.len() as f64;
        notes.push(format!(
            "{} pulls waited {mean:.1} s on average behind others of their node; not part of the phase",
            waits.len()
        ));
    }
    let mut rates: Vec<f64> = samples.pull_sizes.iter().map(|(bytes, seconds)| *bytes as f64 / seconds / 1e6).collect();
    rates.sort_by(f64::total_cmp);
    if let (Some(rate), Some((bytes, _))) = (rates.get(rates.len() / 2), samples.pull_sizes.last()) {
        notes.push(format!(
            "images of {:.2} GB came at {rate:.0} MB/s (median); `transfer` models pulls that share a link",
            *bytes as f64 / 1e9
        ));
    }
    notes
}

impl ColdStartFit {
    /// The fit of a phase, if there is one.
    pub fn phase(&self, phase: Phase) -> Option<&DistributionFit> {
        self.phases.iter().find(|fit| fit.phase == phase)?.fit.as_ref()
    }

    /// The phases as a scenario writes them, ready to include under `spec`.
    pub fn yaml(&self) -> String {
        let mut text = String::new();
        let timings = [("launch", Phase::NodeLaunch), ("boot", Phase::NodeBoot), ("devicePlugin", Phase::DevicePlugin)];
        let timings: String =
            timings.into_iter().filter_map(|(key, phase)| Some(line(4, key, self.phase(phase)?))).collect();
        if !timings.is_empty() {
            text.extend(["nodes:\n  timings:\n", &timings]);
        }
        let pull = self.phase(Phase::ImagePull).map(|fit| line(2, "imagePull", fit));
        let download = self.phase(Phase::ModelDownload).map(|fit| line(2, "modelDownload", fit));
        let load = self.phase(Phase::Load).map(|fit| {
            let apart = if download.is_none() {
                "  modelDownload: 0s # part of gpuLoad: seen from outside they are one\n"
            } else {
                ""
            };
            format!("{apart}{}  cudaWarmUp: 0s # part of gpuLoad\n", line(2, "gpuLoad", fit))
        });
        let phases: String = [pull, download, load].into_iter().flatten().collect();
        if !phases.is_empty() {
            text.extend(["coldStart:\n", &phases]);
        }
        text
    }

    /// The fit for people: each phase with its candidates and a quantile plot, then notes and what was not used.
    pub fn report(&self) -> String {
        let mut text = String::new();
        for phase in &self.phases {
            text += &phase_report(phase);
        }
        text.extend(self.notes.iter().map(|note| format!("note: {note}\n")));
        text.extend(self.unused.iter().map(|unused| {
            let phase = unused.phase.map_or_else(String::new, |phase| format!(" for {}", phase.name()));
            format!("not used: {}{phase}: {}\n", unused.object, unused.reason)
        }));
        text
    }
}

fn line(indent: usize, key: &str, fit: &DistributionFit) -> String {
    let (p50, p90) = (fit.p50, fit.p90);
    let unfinished = if fit.censored > 0 { format!(" and {} unfinished", fit.censored) } else { String::new() };
    let range = |interval: Interval| format!("{}..{}", yaml::time(interval.low), yaml::time(interval.high));
    let certainty = if p50.is_known() {
        format!("95 %: p50 {}, p90 {}", range(p50), range(p90))
    } else {
        "too few for an interval".to_owned()
    };
    let distribution = yaml::distribution(&fit.distribution);
    format!("{:indent$}{key}: {distribution} # n={}{unfinished}; {certainty}\n", "", fit.complete)
}

fn phase_report(phase: &PhaseFit) -> String {
    let name = phase.phase.name();
    let Some(fit) = &phase.fit else {
        return format!("{name}: {} measurements, none finished\n\n", phase.sample.len());
    };
    let shown = |interval: Interval| {
        let value = yaml::time(interval.value);
        if !interval.is_known() {
            return format!("{value} (too few for an interval)");
        }
        format!("{value} ({} to {})", yaml::time(interval.low), yaml::time(interval.high))
    };
    let head = format!(
        "{name}: {} from {} measurements and {} unfinished\n  p50 {}, p90 {}\n",
        fit.family.name(),
        fit.complete,
        fit.censored,
        shown(fit.p50),
        shown(fit.p90),
    );
    if fit.candidates.is_empty() {
        return head + "  too few different values to choose a family: the values themselves\n\n";
    }
    let tried: Vec<String> =
        fit.candidates.iter().map(|tried| format!("{} {:.1}", tried.family.name(), tried.aic)).collect();
    let tried = format!("  AIC: {}; greatest distance {:.3}\n", tried.join(", "), fit.distance);
    [head, tried, quantile_plot(&fit.quantile_pairs, 60, 16), "\n".to_owned()].concat()
}
