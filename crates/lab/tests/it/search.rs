//! Searches, cliffs, sensitivities and differences on a service whose truth is a formula.

use std::sync::atomic::{AtomicUsize, Ordering};

use cluster::Keep;
use lab::columns::Column;
use lab::design::{Dimension, Parameter, Setting};
use lab::diff::diff;
use lab::experiment::{Plan, run};
use lab::gates::{Gate, Outcome};
use lab::optimize::{Search, find_cliff, optimize};
use lab::sensitivity::{SobolDesign, sobol_sensitivity, tornado};
use lab::sweep::Scenarios;
use lab::{Job, Runs, TrialError, Trials, Workers};
use record::{GpuUse, Purchase, RunRecord, Verdict};
use units::{SimDuration, UsdPerHour};
use workload::{Purpose, Stream};

use crate::queue::{Queue, blank};

/// Replicas (2 to 50) at a threshold (1 to 10): a lower threshold and more replicas cost more and miss less.
#[derive(Default)]
struct Service {
    runs: AtomicUsize,
}

#[derive(Clone, Copy)]
struct Knobs {
    replicas: f64,
    threshold: f64,
    tier: f64,
}

impl Knobs {
    fn cost_usd(self) -> f64 {
        2.0 * self.replicas + 40.0 / self.threshold + self.tier
    }

    fn miss_share(self) -> f64 {
        libm::exp(-0.14 * self.replicas + 0.3 * (self.threshold - 4.0).abs() - 0.4 * self.tier).min(1.0)
    }
}

impl Scenarios for Service {
    type Prepared = Knobs;

    fn prepare(&self, settings: &[Setting]) -> Result<Knobs, String> {
        let mut knobs = Knobs { replicas: 20.0, threshold: 5.0, tier: 0.0 };
        for setting in settings {
            match setting.parameter.name.as_str() {
                "replicas" => knobs.replicas = setting.value.number,
                "threshold" => knobs.threshold = setting.value.number,
                "tier" => {
                    let tiers = ["slow", "middling", "fast"];
                    knobs.tier = tiers.iter().position(|&tier| tier == setting.value.text).unwrap() as f64;
                }
                other => return Err(format!("unknown key `{other}`")),
            }
        }
        Ok(knobs)
    }

    fn policies(&self, _: &Knobs) -> Vec<String> {
        vec!["only".to_owned()]
    }

    fn run(&self, knobs: &Knobs, job: &Job) -> RunRecord {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let mut stream = Stream::new(job.seed, Purpose::Arrivals, 0);
        let luck = 1.0 + 0.2 * (stream.uniform() - 0.5);
        let mut record = blank("only", job);
        record.measured = SimDuration::from_secs(3600);
        record.services[0].totals.slo_total = 100_000;
        let misses = (1e5 * knobs.miss_share() * luck).min(1e5) as u64;
        record.services[0].totals.slo_met = 100_000 - misses;
        let price = UsdPerHour::from_dollars(knobs.cost_usd() * (1.0 + 0.02 * (stream.uniform() - 0.5)));
        record.ledger.bill(price, record.measured);
        record.ledger.attribute((GpuUse::ServingBusy, Purchase::OnDemand, "a"), price.cost_of(record.measured), 1);
        record
    }
}

fn parameter(name: &str, range: &str) -> (Parameter, Dimension) {
    (Parameter::at(name), Dimension::parse(range).unwrap())
}

fn condition(text: &str) -> Gate {
    Gate::parse(text).unwrap()
}

fn trials<'a>(workers: &'a Workers, service: &'a Service) -> Trials<'a, Service> {
    Trials { workers, scenarios: service, policy: None, seed: 17, progress: &|_| () }
}

fn search() -> Search {
    Search {
        minimize: Column::named("cost_usd").unwrap(),
        subject_to: vec![condition("slo_attainment >= 0.99")],
        over: vec![
            parameter("replicas", "2..50"),
            parameter("threshold", "1.0..10.0"),
            parameter("tier", "slow|middling|fast"),
        ],
        runs_max: 800,
        replications: 8,
    }
}

#[test]
fn a_search_beats_a_grid_of_500_points_with_a_fifth_of_its_runs() {
    let mut best = f64::INFINITY;
    for replicas in 0..13 {
        for threshold in 0..13 {
            for tier in 0..3 {
                let knobs = Knobs {
                    replicas: f64::from(2 + 4 * replicas),
                    threshold: 1.0 + 0.75 * f64::from(threshold),
                    tier: f64::from(tier),
                };
                // The grid is given the truth, which its eight replications per point could only estimate.
                if knobs.miss_share() <= 0.01 {
                    best = best.min(knobs.cost_usd());
                }
            }
        }
    }
    let workers = Workers::new(None).unwrap();
    for seed in 17..27 {
        let service = Service::default();
        let found = optimize(&search(), &Trials { seed, ..trials(&workers, &service) });
        let winner = found.winner.as_ref().expect("a confirmed winner");
        println!("seed {seed}: grid {best}, search {} in {} runs", winner.objective.mean, found.runs);
        assert!(winner.objective.mean <= best * 1.001, "seed {seed}: {} against {best}", winner.objective.mean);
        assert!(found.runs <= 507 * 8 / 5 + 5 * 8, "seed {seed}: {} runs", found.runs);
        assert_eq!(found.runs, service.runs.load(Ordering::Relaxed));
        let confirmation = found.confirmation.as_ref().unwrap();
        assert!(confirmation.is_certain());
        assert_ne!(confirmation.replications[0].summary.seed, winner.replications[0].summary.seed);
    }
}

#[test]
fn a_search_finds_the_same_with_any_number_of_threads() {
    let service = Service::default();
    let tried = [1, 4].map(|jobs| {
        let workers = Workers::new(std::num::NonZeroUsize::new(jobs)).unwrap();
        let found = optimize(&Search { runs_max: 200, ..search() }, &trials(&workers, &service));
        found.tried.into_iter().map(|candidate| (candidate.settings, candidate.objective.mean)).collect::<Vec<_>>()
    });
    assert!(tried[0] == tried[1]);
}

#[test]
fn the_front_runs_from_cheap_to_good() {
    let (workers, service) = (Workers::new(None).unwrap(), Service::default());
    let search = Search { runs_max: 300, ..search() };
    let found = optimize(&search, &trials(&workers, &service));
    let front = found.front(&search);
    assert!(front.len() > 3);
    assert!(front.windows(2).all(|pair| pair[0].objective.mean < pair[1].objective.mean));
    assert!(front.windows(2).all(|pair| pair[0].measures[0].mean < pair[1].measures[0].mean));
}

#[test]
fn a_search_without_a_feasible_point_has_no_winner() {
    let (workers, service) = (Workers::new(None).unwrap(), Service::default());
    let impossible = vec![condition("slo_attainment >= 0.99"), condition("cost_usd <= 10")];
    let found = optimize(&Search { subject_to: impossible, runs_max: 100, ..search() }, &trials(&workers, &service));
    assert!(found.winner.is_none() && found.confirmation.is_none());
    assert!(!found.tried[0].is_feasible());
}

#[test]
fn a_space_smaller_than_the_budget_is_searched_whole_and_then_left() {
    let (workers, service) = (Workers::new(None).unwrap(), Service::default());
    let over = vec![parameter("tier", "slow|middling|fast"), parameter("replicas", "30..33")];
    let found = optimize(&Search { over, ..search() }, &trials(&workers, &service));
    assert_eq!(found.tried.len(), 12);
    assert!(found.runs < 200);
}

#[test]
fn settings_that_make_no_scenario_are_reported() {
    let (workers, service) = (Workers::new(None).unwrap(), Service::default());
    let over = vec![parameter("replcias", "2..5")];
    let found = optimize(&Search { over, runs_max: 20, ..search() }, &trials(&workers, &service));
    assert!(found.tried.is_empty());
    assert!(matches!(&found.failures[0], TrialError::Scenario { problem, .. } if problem == "unknown key `replcias`"));
}

#[test]
fn the_cliff_is_the_last_value_that_still_holds() {
    let (workers, service) = (Workers::new(None).unwrap(), Service::default());
    // With 20 replicas 20 % miss where 0.3 (threshold - 4) = 0.14 * 20 - ln 5.
    let (threshold, range) = parameter("threshold", "4.0..10.0");
    let conditions = [condition("slo_attainment >= 80 %")];
    let cliff = find_cliff(&trials(&workers, &service), (&threshold, &range), &conditions, 10, 16).unwrap();
    let truth = 4.0 + (0.14 * 20.0 - libm::log(5.0)) / 0.3;
    let (holds, breaks) = (cliff.holds_up_to.unwrap().number, cliff.breaks_from.unwrap().number);
    assert!(holds <= truth * 1.02 && truth * 0.95 <= breaks && holds < breaks, "{holds} {truth} {breaks}");
    assert!(breaks - holds < 0.01, "sixteen steps narrow it down");
    assert!(cliff.steps.iter().all(|step| (step.outcome == Outcome::Holds) == (step.value.number <= holds)));
    let (replicas, range) = parameter("tier", "slow|fast");
    let never = [condition("cost_usd <= 1")];
    let none = find_cliff(&trials(&workers, &service), (&replicas, &range), &never, 3, 16).unwrap();
    assert!(none.holds_up_to.is_none() && none.steps.len() == 1);
}

#[test]
fn a_tornado_ranks_inputs_by_their_swing() {
    let (workers, service) = (Workers::new(None).unwrap(), Service::default());
    let inputs = [parameter("threshold", "4.0..10.0"), parameter("replicas", "10..30"), parameter("tier", "slow|fast")];
    let column = Column::named("cost_usd").unwrap();
    let tornado = tornado(&trials(&workers, &service), &inputs, column, 6).unwrap();
    let order: Vec<&str> = tornado.bars.iter().map(|bar| bar.parameter.name.as_str()).collect();
    assert_eq!(order, ["replicas", "threshold", "tier"]);
    let bar = &tornado.bars[0];
    assert!(bar.swing.low < 40.0 && 40.0 < bar.swing.high && bar.swing.high - bar.swing.low < 1.0, "{bar:?}");
    assert!((tornado.base.mean - 48.0).abs() < 0.5);
    let wrong = lab::sensitivity::tornado(&trials(&workers, &service), &[parameter("x", "1..2")], column, 2);
    assert!(matches!(wrong, Err(TrialError::Scenario { .. })));
}

#[test]
fn sobol_indices_of_a_sum_are_the_shares_of_its_variances() {
    let (workers, service) = (Workers::new(None).unwrap(), Service::default());
    let inputs = [parameter("replicas", "10..30"), parameter("tier", "slow|middling|fast")];
    let column = Column::named("cost_usd").unwrap();
    let design = SobolDesign { points: 256, seed: 3 };
    let indices = sobol_sensitivity(&trials(&workers, &service), &inputs, column, design, 1).unwrap();
    // Uniform on 21 whole numbers times two, and on 0, 1, 2: variances 146.7 and 0.67.
    assert!((indices[0].1.first_order.mean - 0.9955).abs() < 0.02, "{indices:?}");
    assert!((indices[1].1.total.mean - 0.0045).abs() < 0.01, "{indices:?}");
    assert_eq!(service.runs.load(Ordering::Relaxed), 256 * 4);
}

#[test]
fn a_diff_tells_a_change_from_chance() {
    let queue = Queue { servers: 4, rate: 2.8, requests: 800, slo_s: 3.0, stretch: 1.0 };
    let workers = Workers::new(None).unwrap();
    let summaries = |stretch: f64, seed: u64| {
        let plan = Plan { policies: 1, replications: 10, seed, keep: Keep::default(), progress: &|_| () };
        let found = run(&workers, &plan, &|job: &Job| Queue { stretch, ..queue }.simulate("hpa", job));
        let pooled = vec![found.policies[0].summary.pooled.clone()];
        Runs { replications: found.policies[0].summaries(), pooled }
    };
    let columns: Vec<&'static Column> =
        ["slo_attainment", "latency_ms_p99", "cost_usd"].iter().map(|name| Column::named(name).unwrap()).collect();
    let before = summaries(1.0, 1);
    let same = diff(&before, &before, &columns);
    assert!(same.is_identical && same.rows.iter().all(|row| row.verdict == Verdict::Same && row.is_paired));
    let slower = diff(&before, &summaries(1.05, 1), &columns);
    assert!(!slower.is_identical);
    assert_eq!(slower.rows[0].verdict, Verdict::Worse, "{:?}", slower.rows[0]);
    assert_eq!(slower.rows[2].verdict, Verdict::Same, "the bill is the same in every replication");
    assert_eq!(slower.rows[1].before, before.pooled[0].latency_ms_p99, "the percentile that the run printed");
    // Other seeds hide what pairs show.
    let unpaired = diff(&before, &summaries(1.0, 2), &columns);
    assert!(unpaired.rows.iter().all(|row| row.verdict == Verdict::Undecided && !row.is_paired));
    let mut renamed = before.clone();
    for row in &mut renamed.replications {
        row.policy = "keda".to_owned();
    }
    let apart = diff(&before, &renamed, &columns);
    assert_eq!((apart.only_before, apart.only_after), (vec!["hpa".to_owned()], vec!["keda".to_owned()]));
}
