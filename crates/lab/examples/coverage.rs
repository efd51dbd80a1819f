//! Do 95 % intervals contain the truth in 95 % of cases? Whole experiments on `scenarios/theory/mm8`, each with seeds of its own, against the formulas.
//!
//! `coverage [MACRO-REPLICATIONS]` prints CSV: a row per measure with the share of experiments whose interval holds the truth, and the
//! 95 % interval of that share. Two policies of eight and nine servers face the same requests, for paired differences. Ten replications of a minute each,
//! about 38,000 requests, after ten seconds that are not counted.

use std::path::Path;

use cluster::Keep;
use lab::Workers;
use lab::experiment::{Plan, Results, run, simulator};
use lab::statistics::{Confidence, Counts, wilson_interval};
use record::Interval;
use scenario::Input;

const REPLICATIONS: u32 = 10;

/// An M/M/c queue in steady state, first come, first served; rates in 1/s.
struct Theory {
    servers: u32,
    arrivals: f64,
    services: f64,
}

impl Theory {
    const fn of(servers: u32) -> Self {
        Self { servers, arrivals: 640.0, services: 100.0 }
    }

    /// Erlang C.
    fn wait_chance(&self) -> f64 {
        let load = self.arrivals / self.services;
        let blocked = (1..=self.servers).fold(1.0, |blocked, k| load * blocked / (f64::from(k) + load * blocked));
        blocked / (1.0 - load / f64::from(self.servers) * (1.0 - blocked))
    }

    fn spare(&self) -> f64 {
        f64::from(self.servers) * self.services - self.arrivals
    }

    fn latency_ms_mean(&self) -> f64 {
        1e3 * (1.0 / self.services + self.wait_chance() / self.spare())
    }

    fn wait_ms_mean(&self) -> f64 {
        1e3 * self.wait_chance() / self.spare()
    }

    /// Share answered within `seconds`: service plus a wait that is exponential where there is one.
    fn within(&self, seconds: f64) -> f64 {
        let (service, spare, waits) = (self.services, self.spare(), self.wait_chance());
        let tail = |rate: f64| libm::exp(-rate * seconds);
        let late_after_wait = (spare * tail(service) - service * tail(spare)) / (spare - service);
        1.0 - (1.0 - waits) * tail(service) - waits * late_after_wait
    }

    fn latency_ms_quantile(&self, q: f64) -> f64 {
        let (mut low, mut high) = (0.0, 10.0);
        for _ in 0..80 {
            let middle = f64::midpoint(low, high);
            *(if self.within(middle) < q { &mut low } else { &mut high }) = middle;
        }
        low * 1e3
    }
}

/// A measure: its name, how its interval is made, the truth, and where it is in the results.
type Measure = (&'static str, &'static str, f64, fn(&Results) -> Interval);

fn measures() -> Vec<Measure> {
    let (eight, nine) = (Theory::of(8), Theory::of(9));
    let difference = nine.within(0.05) - eight.within(0.05);
    vec![
        ("latency_ms_mean", "ratio estimator", eight.latency_ms_mean(), |found| {
            found.policies[0].summary.latency_ms_mean
        }),
        ("queue_wait_ms_mean", "ratio estimator", eight.wait_ms_mean(), |found| column(found, "queue_wait_ms_mean")),
        ("slo_attainment", "ratio estimator on the logit scale", eight.within(0.05), |found| {
            found.policies[0].summary.slo_attainment
        }),
        ("slo_attainment difference", "paired ratio estimators", difference, |found| {
            found.comparisons()[0].slo_attainment
        }),
        ("latency_ms_mean", "ratio estimator with requests as control", eight.latency_ms_mean(), |found| {
            controlled(found, "latency_ms_mean")
        }),
        ("slo_attainment", "logit scale with requests as control", eight.within(0.05), |found| {
            controlled(found, "slo_attainment")
        }),
        ("latency_ms_p50", "sectioning", eight.latency_ms_quantile(0.5), |found| column(found, "latency_ms_p50")),
        ("latency_ms_p99", "sectioning", eight.latency_ms_quantile(0.99), |found| {
            found.policies[0].summary.latency_ms_p99
        }),
    ]
}

fn column(found: &Results, name: &str) -> Interval {
    let column = lab::columns::Column::named(name).expect("it is a column of the summary");
    lab::experiment::column_interval(column, &found.policies[0].replications, Confidence::P95)
}

/// The measured minute's requests are expected to be 640 × 60.
fn controlled(found: &Results, name: &str) -> Interval {
    let column = lab::columns::Column::named(name).expect("it is a column of the summary");
    let replications = &found.policies[0].replications;
    let found = lab::experiment::controlled_column(column, replications, 38_400.0, Confidence::P95);
    found.expect("ten replications are enough").controlled.interval
}

fn main() {
    let count: u64 = std::env::args().nth(1).map_or(200, |text| text.parse().expect("a whole number"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/theory/mm8");
    let overrides = [("run.duration", "70s"), ("run.warmUp", "10s"), ("policies[0].name", "eight")];
    let overrides: Vec<_> = overrides.map(|(path, value)| (path.to_owned(), value.to_owned())).into();
    let documents = traces::read(&[Input::Path(file)]).expect("the scenario is there");
    let mut spec = documents.load(&overrides).expect("the scenario is right").spec;
    let mut nine = documents.load(&[
        ("policies[0].static.replicas".to_owned(), "9".to_owned()),
        ("policies[0].replicas".to_owned(), "9".to_owned()),
        ("policies[0].name".to_owned(), "nine".to_owned()),
    ]);
    spec.policies.append(&mut nine.as_mut().expect("so is the other").spec.policies);
    let workers = Workers::new(None).expect("there are threads");
    let measures = measures();
    let mut hits = vec![0_u64; measures.len()];
    let mut width = vec![0.0; measures.len()];
    for seed in 0..count {
        let plan = Plan { policies: 2, replications: REPLICATIONS, seed, keep: Keep::default(), progress: &|_| () };
        let results = run(&workers, &plan, &simulator(&spec));
        for (index, (_, _, truth, find)) in measures.iter().enumerate() {
            let interval = find(&results);
            hits[index] += u64::from(interval.low <= *truth && *truth <= interval.high);
            width[index] += (interval.high - interval.low) / 2.0 / truth.abs() / count as f64;
        }
    }
    println!(
        "measure,method,truth,macro_replications,replications,coverage,coverage_ci_low,coverage_ci_high,half_width_relative_mean"
    );
    for (index, (name, method, truth, _)) in measures.iter().enumerate() {
        let share = wilson_interval(Counts { met: hits[index], total: count }, Confidence::P95);
        println!(
            "{name},{method},{truth:.6},{count},{REPLICATIONS},{:.4},{:.4},{:.4},{:.5}",
            share.mean, share.low, share.high, width[index]
        );
    }
}
