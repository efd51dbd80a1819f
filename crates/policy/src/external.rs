//! A policy that somebody else wrote: another program, or a class in another language.
//!
//! What it is asked and what it answers passes through a [`Decider`]; how that reaches it is for whoever made the decider to know. There is one
//! decider for each run, so that runs share no memory whatever order they are done in.

use std::fmt::Debug;

use units::{SimDuration, SimTime};

use crate::{Action, MetricQuery, Observation, Recommendation, ScalingPolicy, Schedule, Step, Trail};

/// A run, as a decider may know it: with the same numbers it must answer the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunIdentity {
    /// Seed of the service in this run, the same for every policy.
    pub seed: u64,
}

/// Makes a decider for every run.
pub trait Deciders: Debug + Send + Sync {
    /// One for this run, which remembers nothing of any other. There is no way to fail here or in [`Decider::decide`]: who cannot answer unwinds
    /// with what went wrong, and the run ends without a record.
    fn start(&self, run: RunIdentity) -> Box<dyn Decider>;
}

/// Decides for one service in one run.
pub trait Decider: Send {
    /// The answer to what is seen.
    fn decide(&mut self, seen: &Sight<'_>) -> Wish;
}

/// What a decider is shown.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    /// Counts, requests and the answers to the metrics asked for.
    pub seen: &'a Observation<'a>,
    /// Time of the run; zero is its start.
    pub now: SimTime,
    /// Arrivals per second since the pass before; of the first pass since the start.
    pub arrival_rate: f64,
    /// Names of the metrics, in the order of their answers.
    pub metrics: &'a [String],
}

/// What a decider wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// So many replicas; `None` leaves them as they are.
    pub replicas: Option<u32>,
    /// Why, for the decision log; may be empty.
    pub note: String,
}

/// Settings of a policy from outside.
#[derive(Clone, Debug)]
pub struct ExternalConfig {
    /// Time between two passes; the first is at the start of the run.
    pub period: SimDuration,
    /// The metrics it is shown: a name and what is asked.
    pub metrics: Vec<(String, MetricQuery)>,
    /// Least and most replicas that are written, whatever it wants.
    pub bounds: (u32, u32),
}

/// The policy: asks its decider at every pass.
pub struct External {
    config: ExternalConfig,
    names: Vec<String>,
    queries: Vec<MetricQuery>,
    /// How long the clock has been running when the run begins.
    before: SimDuration,
    /// Time and arrivals of the pass before.
    last: (SimTime, u64),
    decider: Box<dyn Decider>,
}

impl External {
    /// A policy whose clock is at `before` when the run begins.
    pub fn new(config: ExternalConfig, before: SimDuration, decider: Box<dyn Decider>) -> Self {
        let (names, queries) = config.metrics.iter().cloned().unzip();
        Self { config, names, queries, before, last: (SimTime::ZERO + before, 0), decider }
    }
}

impl ScalingPolicy for External {
    fn name(&self) -> &'static str {
        "external"
    }

    fn schedule(&self) -> Schedule {
        Schedule { period: self.config.period, first: SimTime::ZERO }
    }

    fn queries(&self) -> &[MetricQuery] {
        &self.queries
    }

    fn decide(&mut self, seen: &Observation<'_>) -> Recommendation {
        let (time, arrivals) = self.last;
        let seconds = seen.now.since(time).as_secs_f64();
        // What arrived before the run is not counted in it.
        let arrived = seen.arrivals.saturating_sub(arrivals) as f64;
        let arrival_rate = if seconds > 0.0 { arrived / seconds } else { 0.0 };
        self.last = (seen.now, seen.arrivals);
        let now = SimTime::ZERO + seen.now.since(SimTime::ZERO + self.before);
        let wish = self.decider.decide(&Sight { seen, now, arrival_rate, metrics: &self.names });
        let Some(raw) = wish.replicas else {
            return Recommendation { action: Action::Hold, trail: noted(None, seen.counts.spec, wish.note) };
        };
        let (least, most) = self.config.bounds;
        let least = least.max(seen.floor);
        let replicas = raw.clamp(least.min(most), most);
        let mut trail = noted(Some(raw), replicas, wish.note);
        if replicas != raw {
            let note = format!("at least {least}, at most {most}");
            trail.steps.push(Step { name: "bounds", before: raw, after: replicas, note });
        }
        let action = if replicas == seen.counts.spec { Action::Hold } else { Action::Scale(replicas) };
        Recommendation { action, trail }
    }
}

/// The trail of an answer, with the decider's own words as a step that changes nothing.
fn noted(raw: Option<u32>, replicas: u32, note: String) -> Trail {
    let step = Step { name: "answer", before: raw.unwrap_or(replicas), after: raw.unwrap_or(replicas), note };
    let steps = if step.note.is_empty() { Vec::new() } else { vec![step] };
    Trail { raw, steps, reason: if raw.is_some() { "Answered" } else { "NoOpinion" }, ..Trail::default() }
}
