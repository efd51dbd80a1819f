//! Do 95 % intervals contain the truth in about 95 % of cases? 200 macro-replications of M/M/8, each a whole experiment.

use cluster::Keep;
use lab::experiment::{Plan, Results, run};
use lab::{Job, Workers};
use record::Interval;

use crate::queue::Queue;

const MACRO_REPLICATIONS: u64 = 200;
/// The promise. Replications are of 8,000 requests: with 2,000 they are so skewed at this load that ten of them cover a paired
/// difference in only 91 % (3,000 macro-replications; 95 % with 8,000).
const BAND: std::ops::RangeInclusive<f64> = 0.92..=0.98;

const FAST: Queue = Queue { servers: 8, rate: 5.6, requests: 8_000, slo_s: 2.5, stretch: 1.0 };
const SLOW: Queue = Queue { stretch: 1.1, ..FAST };

fn experiment(workers: &Workers, seed: u64) -> Results {
    let plan = Plan { policies: 2, replications: 10, seed, keep: Keep::default(), progress: &|_| () };
    run(workers, &plan, &|job: &Job| match job.policy {
        0 => FAST.simulate("fast", job),
        _ => SLOW.simulate("slow", job),
    })
}

fn covers(interval: Interval, truth: f64) -> bool {
    interval.low <= truth && truth <= interval.high
}

#[test]
fn intervals_of_means_shares_and_paired_differences_cover_the_truth_as_often_as_they_say() {
    let workers = Workers::new(None).unwrap();
    let mut hits = [0_u32; 3];
    for seed in 0..MACRO_REPLICATIONS {
        let results = experiment(&workers, 1_000 + seed);
        let summary = &results.policies[0].summary;
        let difference = results.comparisons()[0].slo_attainment;
        hits[0] += u32::from(covers(summary.latency_ms_mean, FAST.latency_ms_mean()));
        hits[1] += u32::from(covers(summary.slo_attainment, FAST.slo_attainment()));
        hits[2] += u32::from(covers(difference, SLOW.slo_attainment() - FAST.slo_attainment()));
    }
    let coverage = hits.map(|hits| f64::from(hits) / MACRO_REPLICATIONS as f64);
    println!("coverage of 95 % intervals (mean latency, attainment, paired difference): {coverage:?}");
    assert!(coverage.iter().all(|share| BAND.contains(share)), "{coverage:?}");
}

#[test]
fn a_quantile_interval_covers_at_least_as_often_as_it_says() {
    // The 99th percentile of the sojourn time: where the theoretical miss share with that threshold is 1 %.
    let (mut low, mut high) = (0.0, 100.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        let share = Queue { slo_s: middle, ..FAST }.slo_attainment();
        if share < 0.99 { low = middle } else { high = middle }
    }
    let workers = Workers::new(None).unwrap();
    let hits = (0..MACRO_REPLICATIONS)
        .filter(|seed| covers(experiment(&workers, 5_000 + seed).policies[0].summary.latency_ms_p99, low * 1e3))
        .count();
    let coverage = hits as f64 / MACRO_REPLICATIONS as f64;
    println!("coverage of the 95 % interval of p99: {coverage}");
    // Half a bucket on both sides is a third of an interval as narrow as this one.
    assert!(coverage >= *BAND.start(), "{coverage}");
}

#[test]
fn batch_means_of_a_lone_steady_run_cover_the_attainment() {
    let workers = Workers::new(None).unwrap();
    let long = Queue { requests: 20_000, ..FAST };
    let hits = (0..MACRO_REPLICATIONS)
        .filter(|&seed| {
            let keep = Keep { tables: true, requests: false };
            let plan = Plan { policies: 1, replications: 1, seed, keep, progress: &|_| () };
            let results = run(&workers, &plan, &|job: &Job| long.simulate("fast", job));
            covers(results.policies[0].summary.slo_attainment, long.slo_attainment())
        })
        .count();
    let coverage = hits as f64 / MACRO_REPLICATIONS as f64;
    println!("coverage of the 95 % interval of attainment by batch means: {coverage}");
    // Batches of a thousand requests are still slightly dependent, so the band is wider below.
    assert!((0.90..=0.98).contains(&coverage), "{coverage}");
}
