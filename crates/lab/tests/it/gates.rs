//! Gates: text in, three-valued answers out.

use cluster::Keep;
use lab::experiment::{Plan, PolicyResult, run};
use lab::gates::{Gate, GateReport, Outcome, WhenUndecided, evaluate, sparkline};
use lab::{Job, Runs, Workers};
use record::ReplicationSummary;

use crate::queue::Queue;

const QUEUE: Queue = Queue { servers: 8, rate: 5.6, requests: 2_000, slo_s: 4.0, stretch: 1.0 };

fn policies(replications: u32) -> Vec<PolicyResult> {
    let workers = Workers::new(None).unwrap();
    let keep = Keep { tables: true, requests: false };
    let plan = Plan { policies: 1, replications, seed: 11, keep, progress: &|_| () };
    run(&workers, &plan, &|job: &Job| QUEUE.simulate("hpa", job)).policies
}

fn check(gates: &[&str], baseline: &[ReplicationSummary]) -> GateReport {
    let baseline = &Runs { replications: baseline.to_vec(), pooled: Vec::new() };
    let gates: Vec<Gate> = gates.iter().map(|text| Gate::parse(text).unwrap()).collect();
    evaluate(&gates, &policies(10), baseline, None, WhenUndecided::Fail)
}

fn outcome(gate: &str) -> Outcome {
    check(&[gate], &[]).results[0].outcome
}

#[test]
fn a_gate_reads_back_as_it_is_written() {
    let rows = [
        ("slo_attainment >= 0.99 at 95 %", "slo_attainment >= 0.99"),
        ("slo_attainment >= 99.9 % at 99.9%", "slo_attainment >= 0.999 at 99.9 %"),
        ("cost_usd<=$1_200", "cost_usd <= 1200"),
        ("cost_usd <= baseline * 1.05", "cost_usd <= baseline * 1.05"),
        ("p99 <= 250ms", "latency_ms_p99_all <= 250"),
        ("p95 < 1.5s at 90 %", "latency_ms_p95_all < 1500 at 90 %"),
        ("latency_ms_p50 <= 1e2", "latency_ms_p50 <= 100"),
        ("hpa-60: cost_usd <= 12", "hpa-60: cost_usd <= 12"),
        ("requests_lost <= baseline", "requests_lost <= baseline"),
        ("p99 <= baseline + 20ms", "latency_ms_p99_all <= baseline + 20"),
        ("slo_attainment >= baseline - 0.1 %", "slo_attainment >= baseline - 0.001"),
        ("cold_start_s_p95 < 2m", "cold_start_s_p95 < 120"),
    ];
    for (text, canonical) in rows {
        let gate = Gate::parse(text).unwrap();
        assert_eq!(gate.to_string(), canonical);
        assert_eq!(Gate::parse(canonical).unwrap().to_string(), canonical);
    }
}

#[test]
fn a_mistake_in_a_gate_is_shown_with_its_place_and_what_is_allowed() {
    let message = |text: &str| Gate::parse(text).unwrap_err().to_string();
    assert!(
        message("slo_atainment >= 0.99")
            .starts_with("column 1: unknown metric `slo_atainment`; did you mean `slo_attainment`?"),
    );
    insta::assert_snapshot!(message("p99 <= 250"), @"column 11: found the end, expected a unit: `ms`, `s`, `us`, `m`");
    insta::assert_snapshot!(message("hpa: p99 == 250ms"), @"column 10: found `==`, expected one of `<=`, `<`, `>=`, `>`");
    insta::assert_snapshot!(message("cost_usd <= 12 eur"), @"column 16: found `eur`, expected no unit: `cost_usd` has its own");
    insta::assert_snapshot!(message("cost_usd <= at 95 %"), @"column 13: found `at`, expected a number or `baseline`");
    insta::assert_snapshot!(message("cost_usd <= 12 at 95"), @"column 21: found the end, expected `%`");
    insta::assert_snapshot!(message("cost_usd <= 12 at 100 %"), @"column 19: found `100`, expected a confidence level between 0 and 100 %");
    insta::assert_snapshot!(message("cost_usd <= 12 13"), @"column 16: found `13`, expected `at` with a confidence level, or the end");
    insta::assert_snapshot!(message(": cost_usd <= 12"), @"column 1: found `:`, expected the name of a policy or a service before the colon");
    insta::assert_snapshot!(message("cost_usd <= 1.2.3"), @"column 13: found `1.2.3`, expected a number");
    let gate = Gate::parse("hap: cost_usd <= 12").unwrap();
    let unknown = gate.named(&["hpa", "keda"], &["only"]).unwrap_err().to_string();
    insta::assert_snapshot!(unknown, @"column 1: unknown policy `hap`; did you mean `hpa`?; one of: hpa, keda");
}

#[test]
fn a_gate_is_decided_by_the_whole_interval() {
    let attainment = policies(10)[0].summary.slo_attainment;
    let between = f64::midpoint(attainment.low, attainment.mean);
    assert_eq!(outcome(&format!("slo_attainment >= {}", attainment.low - 1e-6)), Outcome::Holds);
    assert_eq!(outcome(&format!("slo_attainment >= {between}")), Outcome::Undecided);
    assert_eq!(outcome(&format!("slo_attainment >= {}", attainment.high + 1e-6)), Outcome::Fails);
    assert_eq!(outcome("cost_usd <= 0.01"), Outcome::Fails);
    assert_eq!(outcome("p99 <= 60m"), Outcome::Holds);
}

#[test]
fn one_replication_decides_no_gate_on_money_and_says_so() {
    let gates = [Gate::parse("cost_usd <= 1000000").unwrap()];
    let report = evaluate(&gates, &policies(1), &Runs::default(), None, WhenUndecided::Fail);
    assert_eq!(report.results[0].outcome, Outcome::Undecided);
    assert!(
        report.results[0].reason.contains("1 replication, which gives no interval"),
        "{}",
        report.results[0].reason
    );
    assert!(!report.is_passed());
    assert!(evaluate(&gates, &policies(1), &Runs::default(), None, WhenUndecided::Pass).is_passed());
}

#[test]
fn a_share_above_all_is_a_slip_of_the_unit() {
    let message = |text: &str| Gate::parse(text).unwrap_err().to_string();
    insta::assert_snapshot!(message("slo_attainment >= 99"), @"column 19: found `99`, expected a share from 0 to 1 or a percentage: did you mean `99 %`?");
    assert!(Gate::parse("slo_attainment >= 100 %").is_ok() && Gate::parse("slo_attainment >= 1").is_ok());
}

#[test]
fn a_baseline_whose_seeds_are_the_first_of_ours_is_paired_with_those() {
    let first = policies(10)[0].summaries()[..3].to_vec();
    let report = check(&["cost_usd <= baseline"], &first);
    let result = &report.results[0];
    assert_eq!(result.outcome, Outcome::Holds);
    let reason = &result.reason;
    assert!(reason.contains("the first 3 of 10 replications, whose seeds are the baseline's: paired"), "{reason}");
    // What is shown is what was compared.
    let shown = lab::experiment::column_interval(
        result.gate.condition.column,
        &policies(10)[0].replications[..3],
        lab::statistics::Confidence::P95,
    );
    assert_eq!(result.estimate, shown);
}

#[test]
fn a_baseline_with_the_same_seeds_is_compared_pair_by_pair() {
    let same = policies(10)[0].summaries();
    // The interval of the cost itself is wide; against the same runs there is no difference at all.
    let report = check(&["cost_usd <= baseline", "cost_usd <= baseline * 0.999", "cost_usd < baseline"], &same);
    let outcomes: Vec<Outcome> = report.results.iter().map(|result| result.outcome).collect();
    assert_eq!(outcomes, [Outcome::Holds, Outcome::Fails, Outcome::Fails]);
    assert!(
        report.results[0].reason.contains("is the baseline's figure in every replication"),
        "{:?}",
        report.results[0]
    );
    // One replication gives no interval, and yet what is equal is within.
    let alone = [Gate::parse("cost_usd <= baseline").unwrap()];
    let one = Runs { replications: policies(1)[0].summaries(), pooled: Vec::new() };
    let report = evaluate(&alone, &policies(1), &one, None, WhenUndecided::Fail);
    assert_eq!(report.results[0].outcome, Outcome::Holds, "{:?}", report.results[0]);
    let mut unpaired = same.clone();
    for summary in &mut unpaired {
        summary.seed ^= 1;
    }
    let report = check(&["cost_usd <= baseline * 0.999", "cost_usd <= baseline * 1.5"], &unpaired);
    assert_eq!(report.results[0].outcome, Outcome::Undecided, "without pairs the spread hides 0.1 %");
    assert_eq!(report.results[1].outcome, Outcome::Holds);
    let report = check(&["cost_usd <= baseline"], &[]);
    assert!(report.results[0].reason.ends_with("the baseline has no policy `hpa`"));
}

#[test]
fn a_percentile_beside_a_baseline_is_that_of_all_replications_together_as_the_run_prints_it() {
    let found = policies(10);
    let pooled = vec![found[0].summary.pooled.clone()];
    let mut replications = found[0].summaries();
    for one in &mut replications {
        one.seed ^= 1;
    }
    let gate = [Gate::parse("p99 <= baseline * 1.5").unwrap()];
    let report = evaluate(&gate, &found, &Runs { replications, pooled }, None, WhenUndecided::Fail);
    let result = &report.results[0];
    let printed = found[0].summary.latency_ms_p99_all.mean;
    assert_eq!((result.estimate.mean, result.baseline.unwrap().mean), (printed, printed));
    assert_eq!(result.outcome, Outcome::Holds);
}

#[test]
fn the_reports_name_the_gate_the_numbers_and_the_interval() {
    let report = check(&["slo_attainment >= 0.9", "p99 <= 250ms", "hpa: slo_attainment >= 0.9775"], &[]);
    insta::assert_snapshot!(report.to_text());
    insta::assert_snapshot!(report.to_markdown(&policies(10)));
    insta::assert_snapshot!(report.to_junit());
    insta::assert_snapshot!(serde_json::to_string_pretty(&report.to_json()).unwrap());
}

#[test]
fn a_sparkline_shows_the_peaks_on_a_scale_from_zero() {
    assert_eq!(sparkline(&[0.0, 1.0, 2.0, 4.0, f64::NAN, 8.0]), "▁▂▃▅ █");
    assert_eq!(sparkline(&[0.0, 0.0]), "▁▁");
    assert_eq!(sparkline(&(0..480).map(f64::from).collect::<Vec<_>>()).chars().count(), 48);
    assert_eq!(sparkline(&[]), "");
}
