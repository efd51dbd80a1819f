//! As many replications as the wanted precision takes.

use record::{Interval, RunRecord};

use super::{Gathered, Job, Plan, Results, pool};
use crate::Workers;

/// How precise the results shall be, and what that may cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Precision {
    /// Half-width of the 95 % interval over its estimate, for cost and for the share of SLO misses of every policy.
    pub relative: f64,
    /// Misses rarer than this share are not resolved further: their half-width is held against this share instead. One minus the
    /// SLO's objective is the natural choice: it is the share that decides.
    pub miss_floor: f64,
    /// Replications to begin with, at least two; few make the first interval, and so the stop, unreliable.
    pub replications_min: u32,
    /// Replications at which to give up.
    pub replications_max: u32,
}

impl Default for Precision {
    fn default() -> Self {
        Self { relative: 0.05, miss_floor: 0.01, replications_min: 10, replications_max: 200 }
    }
}

/// What was reached for one measure of one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionMeasure {
    /// Policy.
    pub policy: String,
    /// `cost_usd` or `slo_misses`.
    pub measure: &'static str,
    /// Half-width over estimate (over the larger of estimate and floor for misses); NaN if there is no interval.
    pub reached: f64,
    /// Whether that is narrow enough.
    pub is_met: bool,
}

impl PrecisionMeasure {
    /// In words.
    pub fn name(&self) -> &'static str {
        if self.measure == "cost_usd" { "cost" } else { "SLO misses" }
    }
}

/// What `--precision` came to.
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionReport {
    /// What was to be reached.
    pub relative: f64,
    /// The least share of misses a half-width is held against.
    pub miss_floor: f64,
    /// Replications it took.
    pub replications: u32,
    /// Whether every measure is narrow enough; if not, the cap or a stop ended it.
    pub is_met: bool,
    /// Measure by measure, in the order of policies.
    pub measures: Vec<PrecisionMeasure>,
}

/// Runs `plan`, adding replications until `precision` is met or its cap is reached; `plan.replications` is not looked at.
///
/// The number for the next batch is what the present half-widths suggest, at most doubling; it depends on results alone, so the same
/// seed gives the same replications with any number of threads.
pub fn run_to_precision<R: Into<Option<RunRecord>>>(
    workers: &Workers,
    plan: &Plan<'_>,
    precision: Precision,
    runner: &(impl Fn(&Job) -> R + Sync),
) -> (Results, PrecisionReport) {
    let cap = precision.replications_max.max(2);
    let mut gathered = Gathered::default();
    let mut wanted = precision.replications_min.clamp(2, cap);
    loop {
        gathered.extend(workers, &Plan { replications: wanted, ..*plan }, runner);
        let measures = measures(&gathered, precision);
        let replications = gathered.finished.len() as u32;
        let is_met = !measures.is_empty() && measures.iter().all(|measure| measure.is_met);
        if is_met || wanted == cap || gathered.is_interrupted {
            let Precision { relative, miss_floor, .. } = precision;
            let report = PrecisionReport { relative, miss_floor, replications, is_met, measures };
            return (gathered.into_results(), report);
        }
        // Half-widths shrink with the square root of the number; no interval yet asks for as many as may be.
        let worst = measures
            .iter()
            .map(|measure| if measure.reached.is_nan() { f64::INFINITY } else { measure.reached / precision.relative })
            .fold(1.0, f64::max);
        let suggested = (f64::from(replications) * worst * worst).ceil().min(f64::from(cap)) as u32;
        wanted = suggested.clamp(replications + 1, replications * 2).min(cap);
    }
}

fn measures(gathered: &Gathered, precision: Precision) -> Vec<PrecisionMeasure> {
    let mut measures = Vec::new();
    for policy in 0..gathered.first.len() {
        let column: Vec<_> = gathered.finished.iter().map(|row| row[policy].clone()).collect();
        let summary = pool(&column);
        let misses = (1.0 - summary.slo_attainment.mean).max(precision.miss_floor);
        for (measure, reached) in [
            ("cost_usd", half_width(summary.cost_usd) / summary.cost_usd.mean),
            ("slo_misses", half_width(summary.slo_attainment) / misses),
        ] {
            // No money spent at all leaves 0 / 0: nothing to resolve.
            let reached = if measure == "cost_usd" && summary.cost_usd.mean == 0.0 { 0.0 } else { reached };
            let policy = summary.pooled.policy.clone();
            measures.push(PrecisionMeasure { policy, measure, reached, is_met: reached <= precision.relative });
        }
    }
    measures
}

fn half_width(interval: Interval) -> f64 {
    (interval.high - interval.low) / 2.0
}
