//! One history: results depend on jobs and seeds, not on threads.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use cluster::Keep;
use lab::experiment::{Plan, Precision, Results, pool, reduce, run, run_to_precision};
use lab::{Job, Workers};
use record::{GpuUse, Purchase, RequestTotals, RunRecord, ServiceRecord, ServiceTotals, TokenLatency, Verdict};
use units::{Cost, SimDuration};

use crate::queue::Queue;

const QUEUE: Queue = Queue { servers: 4, rate: 2.8, requests: 500, slo_s: 3.0, stretch: 1.0 };

fn runner(job: &Job) -> RunRecord {
    let stretch = [1.0, 1.2, 1.2001][job.policy];
    let servers = [4, 4, 5][job.policy];
    Queue { servers, stretch, ..QUEUE }.simulate(["base", "slow", "dear"][job.policy], job)
}

fn with_jobs(jobs: usize, seed: u64) -> Results {
    let workers = Workers::new(NonZeroUsize::new(jobs)).unwrap();
    let keep = Keep { tables: true, requests: false };
    run(&workers, &Plan { policies: 3, replications: 6, seed, keep, progress: &|_| () }, &runner)
}

/// Equality in which NaN equals NaN: the text of both.
fn is_same<T: std::fmt::Debug>(a: &T, b: &T) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

#[test]
fn means_of_tokens_are_of_all_requests_and_money_is_of_the_tokens_of_the_answered() {
    let record = |ttft_ms: u64, answers: u64, dollars: f64| {
        let mut tokens =
            TokenLatency { prompt_tokens: 1_000 * answers, output_tokens: 100 * answers, ..TokenLatency::default() };
        tokens.ttft.record_many(ttft_ms * 1_000_000, answers);
        tokens.ttft_ns_sum = u128::from(answers * ttft_ms * 1_000_000);
        tokens.tpot.record_many(10_000_000, answers);
        tokens.tpot_ns_sum = u128::from(answers * 10_000_000);
        let totals = ServiceTotals { tokens: Some(tokens), ..ServiceTotals::default() };
        let requests = RequestTotals { arrived: answers, completed: answers, ..RequestTotals::default() };
        let mut run = RunRecord { measured: SimDuration::from_secs(60), ..RunRecord::default() };
        let cost = Cost::from_raw((dollars * 1e6) as u128 * Cost::PER_MICRO_USD);
        run.ledger.bill_exactly(cost);
        run.ledger.attribute_to(None, (GpuUse::ServingBusy, Purchase::OnDemand, "zone-a"), (cost, 1));
        run.services = vec![ServiceRecord { requests, totals, ..ServiceRecord::default() }];
        reduce(&run)
    };
    let pooled = pool(&[record(100, 10, 1.0), record(400, 30, 3.0)]).pooled;
    assert_eq!(pooled.ttft_ms_mean, Some(325.0));
    assert_eq!(pooled.tpot_ms_mean, Some(10.0));
    // Four dollars for 40,000 tokens of prompts and 4,000 of answers.
    assert_eq!(pooled.cost_per_million_input_tokens_usd, Some(100.0));
    assert_eq!(pooled.cost_per_million_output_tokens_usd, Some(1_000.0));
    assert_eq!((pooled.prompt_tokens, pooled.output_tokens), (Some(20_000), Some(2_000)));
}

#[test]
fn the_same_seed_gives_the_same_results_with_any_number_of_threads() {
    let (one, eight) = (with_jobs(1, 7), with_jobs(8, 7));
    assert_eq!(one.policies.len(), 3);
    for (a, b) in one.policies.iter().zip(&eight.policies) {
        assert!(is_same(&a.summary, &b.summary), "{} differs", a.name());
        assert!(is_same(&a.replications, &b.replications), "{} differs", a.name());
        assert!(is_same(&a.first, &b.first), "{} differs", a.name());
    }
    assert_eq!(one.comparisons(), eight.comparisons());
    assert_ne!(one.policies[0].summary.pooled.digest, with_jobs(1, 8).policies[0].summary.pooled.digest);
}

#[test]
fn all_policies_meet_the_same_seed_in_each_replication_and_no_two_replications_share_one() {
    let results = with_jobs(2, 7);
    let seeds = |policy: usize| -> Vec<u64> {
        results.policies[policy].replications.iter().map(|replication| replication.summary.seed).collect()
    };
    assert_eq!(seeds(0), seeds(1));
    let mut distinct = seeds(0);
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 6);
}

#[test]
fn only_replication_zero_keeps_its_tables() {
    let asked = Mutex::new(Vec::new());
    let workers = Workers::new(NonZeroUsize::new(2)).unwrap();
    let keep = Keep { tables: true, requests: true };
    let plan = Plan { policies: 1, replications: 3, seed: 1, keep, progress: &|_| () };
    let results = run(&workers, &plan, &|job: &Job| {
        asked.lock().unwrap().push((job.replication, job.keep.tables, job.keep.requests));
        QUEUE.simulate("base", job)
    });
    let mut asked = asked.into_inner().unwrap();
    asked.sort_unstable();
    assert_eq!(asked, [(0, true, true), (1, false, false), (2, false, false)]);
    assert_eq!(results.policies[0].first.timeline().len(), 100);
}

#[test]
fn a_pooled_row_tells_of_one_run_and_its_rates_are_those_of_all() {
    let results = with_jobs(2, 7);
    let policy = &results.policies[0];
    let rows = policy.summaries();
    let pooled = &policy.summary.pooled;
    let all = rows.iter().map(|row| row.requests).sum::<u64>();
    assert_eq!(pooled.requests, (all as f64 / 6.0).round() as u64);
    assert_eq!(pooled.requests, pooled.completed + pooled.failed + pooled.in_system);
    let cost = rows.iter().map(|row| row.cost_usd).sum::<f64>() / 6.0;
    assert!((policy.summary.pooled.cost_usd - cost).abs() < 1e-9);
    assert!((policy.summary.cost_usd.mean - cost).abs() < 1e-9);
    let answered = rows.iter().map(|row| row.completed).sum::<u64>();
    assert_eq!(policy.summary.latency.count(), answered);
    for row in &rows {
        let items = row.cost_serving_usd + row.cost_idle_usd + row.cost_cold_start_usd + row.cost_standby_usd;
        let items = items + row.cost_draining_usd + row.cost_unallocated_usd;
        assert!((items - row.cost_usd).abs() < 1e-9);
    }
    let rate = policy.summary.pooled.cost_per_million_requests_usd;
    assert!((rate - cost * 6.0 / answered as f64 * 1e6).abs() < 1e-6);
}

#[test]
fn a_worse_policy_is_called_worse_and_equal_costs_are_not_ranked() {
    let comparisons = with_jobs(2, 7).comparisons();
    let named = |policy: &str, baseline: &str| {
        comparisons.iter().find(|pair| pair.policy == policy && pair.baseline == baseline).unwrap()
    };
    assert_eq!(comparisons.len(), 3);
    assert_eq!(named("slow", "base").slo_verdict, Verdict::Worse);
    assert_eq!(named("slow", "base").cost_verdict, Verdict::Same, "they bill the same seconds");
    assert_eq!(named("dear", "base").cost_verdict, Verdict::Worse);
    assert_eq!(named("dear", "slow").slo_verdict, Verdict::Better);
    for pair in &comparisons {
        let excludes_zero = pair.slo_attainment.low > 0.0 || pair.slo_attainment.high < 0.0;
        assert_eq!(excludes_zero, pair.slo_verdict != Verdict::Undecided);
    }
}

#[test]
fn precision_stops_when_the_interval_is_narrow_enough_or_says_that_it_is_not() {
    let workers = Workers::new(NonZeroUsize::new(2)).unwrap();
    let plan = Plan { policies: 1, replications: 0, seed: 3, keep: Keep::default(), progress: &|_| () };
    let one = |job: &Job| QUEUE.simulate("base", job);
    let loose = Precision { relative: 0.2, miss_floor: 0.05, replications_min: 5, replications_max: 300 };
    let (results, report) = run_to_precision(&workers, &plan, loose, &one);
    assert!(report.is_met && report.replications < 300, "{report:?}");
    let interval = results.policies[0].summary.slo_attainment;
    assert!((interval.high - interval.low) / 2.0 <= 0.2 * (1.0 - interval.mean), "{interval:?}");
    let capped = Precision { relative: 0.001, replications_max: 12, ..loose };
    let (results, report) = run_to_precision(&workers, &plan, capped, &one);
    assert_eq!((report.is_met, report.replications, results.policies[0].replications.len()), (false, 12, 12));
}

#[test]
fn replications_added_for_precision_are_those_a_fixed_number_would_have_run() {
    let workers = Workers::new(NonZeroUsize::new(2)).unwrap();
    let plan = Plan { policies: 1, replications: 12, seed: 3, keep: Keep::default(), progress: &|_| () };
    let one = |job: &Job| QUEUE.simulate("base", job);
    let precision = Precision { relative: 0.0, replications_min: 5, replications_max: 12, ..Precision::default() };
    let (grown, _) = run_to_precision(&workers, &plan, precision, &one);
    assert!(is_same(&grown.policies[0].summary, &run(&workers, &plan, &one).policies[0].summary));
}

#[test]
fn a_stop_keeps_the_replications_that_every_policy_finished() {
    let workers = Workers::new(NonZeroUsize::new(1)).unwrap();
    let stop = workers.stop_flag();
    let plan = Plan { policies: 3, replications: 50, seed: 1, keep: Keep::default(), progress: &|_| () };
    let results = run(&workers, &plan, &|job: &Job| {
        if job.replication == 4 && job.policy == 1 {
            stop.store(true, Ordering::Relaxed);
        }
        runner(job)
    });
    assert!(results.is_interrupted);
    assert!(results.policies.iter().all(|policy| policy.replications.len() == 4));
}
