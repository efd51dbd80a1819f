//! Which policy is chosen, and what stands beside it.

use cluster::Keep;
use lab::experiment::{Plan, Results, run};
use lab::verdict::{Question, verdict};
use lab::{Job, Workers};
use record::{Fact, GpuUse, MetricUse, Purchase, RunRecord, RunVerdict, Shortfall, Standing};
use units::UsdPerHour;

use crate::queue::Queue;

/// A policy as so many servers at so many dollars an hour each.
#[derive(Clone, Copy)]
struct Policy {
    name: &'static str,
    servers: usize,
    price: f64,
    is_blind: bool,
}

const fn policy(name: &'static str, servers: usize, price: f64) -> Policy {
    Policy { name, servers, price, is_blind: false }
}

/// Few servers are late for the SLO, many never are.
fn simulate(policy: Policy, job: &Job) -> RunRecord {
    let queue = Queue { servers: policy.servers, rate: 4.0, requests: 2_000, slo_s: 8.0, stretch: 1.0 };
    let mut record = queue.simulate(policy.name, job);
    let billed = record.measured * policy.servers as u64;
    let price = UsdPerHour::from_dollars(policy.price);
    record.ledger = record::CostLedger::default();
    record.ledger.bill(price, billed);
    let cell = (price.cost_of(billed), u128::from(billed.as_nanos()));
    record.ledger.attribute_to(Some(0), (GpuUse::ServingBusy, Purchase::OnDemand, "a"), cell);
    if policy.is_blind {
        let used =
            MetricUse { metric: "vllm_request_running".to_owned(), reads: 240, failed: 240, ..MetricUse::default() };
        record.services[0].metrics = vec![used];
    }
    record
}

fn judged(policies: &[Policy], replications: u32, objective: f64) -> (Results, RunVerdict) {
    let workers = Workers::new(None).unwrap();
    let keep = Keep { tables: true, requests: false };
    let plan = Plan { policies: policies.len(), replications, seed: 11, keep, progress: &|_| () };
    let results = run(&workers, &plan, &|job: &Job| simulate(policies[job.policy], job));
    let question = Question {
        objectives: vec![("queue".to_owned(), objective)],
        scenario: Some("my-scenario".to_owned()),
        ranges: policies.iter().map(|one| format!("policies.{}.spec.minReplicas=1..9", one.name)).collect(),
    };
    let verdict = verdict(&results.policies, &results.comparisons(), &question);
    (results, verdict)
}

#[test]
fn the_cheapest_that_meets_for_certain_is_chosen_and_what_is_cheaper_fails() {
    let (_, verdict) = judged(&[policy("few", 4, 1.0), policy("some", 12, 1.0), policy("many", 20, 1.0)], 6, 0.95);
    let standings: Vec<Standing> = verdict.policies.iter().map(|one| one.standing).collect();
    assert_eq!(standings, [Standing::Misses, Standing::Meets, Standing::Meets]);
    assert_eq!(verdict.chosen, Some(1));
    let runner_up = verdict.runner_up.as_ref().unwrap();
    assert_eq!(runner_up.policy, 0);
    assert!(matches!(runner_up.by, Shortfall::Objective { is_certain: true, .. }), "{runner_up:?}");
    assert!(verdict.certainty.is_certain(), "{:?}", verdict.certainty);
    let commands: Vec<&str> = verdict.next.iter().map(|step| step.command.as_str()).collect();
    assert_eq!(
        commands,
        [
            "scalelab optimize my-scenario --policy few --subject-to 'slo_attainment >= 0.95' --over policies.few.spec.minReplicas=1..9"
        ]
    );
}

#[test]
fn a_policy_whose_metric_never_answered_wins_only_with_a_warning() {
    let blind = Policy { is_blind: true, ..policy("blind", 12, 0.5) };
    let (_, verdict) = judged(&[policy("some", 12, 1.0), blind], 30, 0.95);
    assert_eq!(verdict.chosen, Some(1));
    assert_eq!(verdict.policies[1].silent_metrics, ["vllm_request_running"]);
    assert!(verdict.facts.iter().any(|fact| matches!(fact, Fact::Silent { policy: 1, .. })), "{:?}", verdict.facts);
    assert_eq!(verdict.next[0].command, "scalelab metrics my-scenario --policy blind");
    assert!(verdict.policies[0].silent_metrics.is_empty());
}

#[test]
fn nothing_is_chosen_where_nothing_meets_and_one_policy_is_judged_too() {
    let (_, verdict) = judged(&[policy("few", 4, 1.0)], 6, 0.95);
    assert_eq!((verdict.chosen, verdict.policies[0].standing), (None, Standing::Misses));
    assert!(matches!(verdict.runner_up.as_ref().unwrap().by, Shortfall::Objective { share, .. } if share > 0.0));
    let (_, verdict) = judged(&[policy("some", 12, 1.0)], 6, 0.95);
    assert_eq!((verdict.chosen, verdict.runner_up), (Some(0), None));
}

#[test]
fn what_is_open_is_named_and_more_replications_are_proposed() {
    // The same twice at nearly one price: nothing tells them apart but the bill, of which one run tells nothing.
    let (_, verdict) = judged(&[policy("some", 12, 1.0), policy("dear", 12, 1.01)], 1, 0.95);
    assert_eq!(verdict.chosen, Some(0));
    assert!(!verdict.certainty.is_certain());
    let needed = verdict.certainty.replications_needed.unwrap();
    assert_eq!(verdict.next[0].command, format!("scalelab run my-scenario --replications {needed}"));
}

#[test]
fn policies_that_are_the_same_in_every_replication_leave_nothing_open() {
    let (results, verdict) = judged(&[policy("some", 12, 1.0), policy("twin", 12, 1.0)], 6, 0.95);
    let pair = &results.comparisons()[0];
    assert_eq!((pair.cost_verdict, pair.slo_verdict), (record::Verdict::Same, record::Verdict::Same));
    assert!(verdict.certainty.is_certain(), "{:?}", verdict.certainty);
    assert!(matches!(verdict.runner_up.unwrap().by, Shortfall::Cost { more, is_certain: true } if more.mean == 0.0));
}

#[test]
fn a_percentile_of_all_requests_is_infinite_once_too_many_have_no_answer() {
    let (results, _) = judged(&[policy("some", 12, 1.0)], 3, 0.95);
    let mut replications = results.policies[0].replications.clone();
    let answered = lab::experiment::pool(&replications);
    assert_eq!(answered.latency_ms_p99_all.mean, answered.latency_ms_p99.mean);
    // Two in a hundred have no answer: the 99th percentile is none, the median moves up.
    for one in &mut replications {
        one.slo.total += one.slo.total / 49;
        one.summary.latency_ms_p99_all = f64::INFINITY;
    }
    let pooled = lab::experiment::pool(&replications);
    assert!(pooled.pooled.latency_ms_p99_all.is_infinite() && pooled.latency_ms_p99_all.low.is_infinite());
    assert!(pooled.pooled.latency_ms_p50_all >= answered.pooled.latency_ms_p50_all);
    assert_eq!(pooled.latency_ms_p99, answered.latency_ms_p99);
}
