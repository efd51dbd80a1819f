//! Timelines: what the controller wrote at each pass, and why.

use insta::assert_snapshot;
use proptest::prelude::*;
use units::{PodId, SimDuration, SimTime};

use super::*;
use crate::{
    Action, Counts, MetricError, MetricOutcome, MetricQuery, MetricReading, Observation, PodPhase, PodSample, PodView,
    Proposal, RateHistory, Ready, ScalingPolicy, Trail,
};

struct NoHistory;

impl RateHistory for NoHistory {
    fn rate_at_minute(&self, _minute: i64) -> Option<f64> {
        None
    }
}

fn seconds(count: u64) -> SimDuration {
    SimDuration::from_secs(count)
}

/// A service of `replicas` pods, all ready long since.
fn pods(replicas: u32) -> Vec<PodView> {
    let pod = |id| PodView {
        pod: PodId(id),
        phase: PodPhase::Running,
        deleted: false,
        ready: Ready::True,
        started_ns: Some(-3_600_000_000_000),
        ready_transition_ns: -3_600_000_000_000,
    };
    (0..replicas).map(pod).collect()
}

/// An HPA from 1 to 100 on `load`, a custom metric of 100 per pod.
fn per_pod(behavior: Option<Behavior>) -> HpaSpec {
    let target = MetricTarget::AverageValue(100_000);
    let metrics = vec![MetricSpec::Pods { name: "load".into(), selector: Vec::new(), target }];
    HpaSpec { name: "web".into(), replicas_min: 1, replicas_max: 100, metrics, behavior }
}

/// An HPA from 0 to 100 on `lag`, an external metric of 10 per replica.
fn from_zero() -> HpaSpec {
    let target = MetricTarget::AverageValue(10_000);
    let metrics = vec![MetricSpec::External { name: "lag".into(), selector: Vec::new(), target }];
    HpaSpec { name: "worker".into(), replicas_min: 0, replicas_max: 100, metrics, behavior: Some(Behavior::default()) }
}

fn rules(policies: &[(PolicyKind, u32, u64)], window_s: Option<u64>) -> Rules {
    let rule = |&(kind, value, period)| ScalingPolicyRule { kind, value, period: seconds(period) };
    Rules {
        policies: (!policies.is_empty()).then(|| policies.iter().map(rule).collect()),
        stabilization_window: window_s.map(seconds),
        ..Rules::default()
    }
}

/// The service as one controller sees it, pass by pass. What the controller writes is what runs at the next pass.
struct Bench {
    hpa: HorizontalPodAutoscaler,
    replicas: u32,
    floor: u32,
    is_rehearsal: bool,
}

impl Bench {
    fn new(spec: &HpaSpec, replicas: u32) -> Self {
        Self { hpa: HorizontalPodAutoscaler::new(spec, HpaConfig::default()), replicas, floor: 0, is_rehearsal: false }
    }

    /// One pass: every pod shows `value`, or an external total is `value`; `None` is an API that fails.
    fn pass(&mut self, at_s: u64, value: Option<i64>) -> Trail {
        let pods = pods(self.replicas);
        let value_m = value.map(|value| value * 1_000);
        let sample = |value_m| move |pod: &PodView| PodSample { pod: pod.pod, value_m, timestamp_ns: 0 };
        let reading = value_m.map(|value_m| match self.hpa.queries()[0] {
            MetricQuery::Pods { .. } => MetricReading::Pods(pods.iter().map(sample(value_m)).collect()),
            _ => MetricReading::External(vec![value_m]),
        });
        let metrics = [reading.ok_or_else(|| MetricError { message: "the adapter is down".into() })];
        let seen = Observation {
            now: SimTime::from_secs(at_s),
            counts: Counts { spec: self.replicas, status: self.replicas, ..Counts::default() },
            floor: self.floor,
            pods: &pods,
            metrics: &metrics,
            provenance: &[],
            arrivals: 0,
            completions: 0,
            queue: 0,
            in_flight: 0,
            history: &NoHistory,
        };
        if self.is_rehearsal {
            self.hpa.rehearse(&seen);
            return Trail::default();
        }
        let answer = self.hpa.decide(&seen);
        if let Action::Scale(replicas) = answer.action {
            self.replicas = replicas;
        }
        answer.trail
    }

    /// One line per pass: time, size and value before, size after, reason.
    fn timeline(mut self, rows: &[(u64, i64)]) -> String {
        let line = |&(at_s, value): &(u64, i64)| {
            let before = self.replicas;
            let reason = self.pass(at_s, Some(value)).reason;
            format!("{at_s:>4}s {before:>3} @ {value:<3} -> {:<3} {reason}", self.replicas)
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn told(trail: &Trail) -> String {
    let mut lines = Vec::new();
    for proposal in trail.proposals.iter().filter(|proposal| proposal.outcome != MetricOutcome::Skipped) {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| value.to_string());
        let replicas = proposal.replicas.map_or("-".to_owned(), |replicas| replicas.to_string());
        let (value, ratio) = (number(proposal.value), number(proposal.ratio));
        let Proposal { metric, target, note, .. } = proposal;
        lines.push(format!("{metric}: {value} of {target}, ratio {ratio} -> {replicas}: {note}"));
    }
    for step in &trail.steps {
        lines.push(format!("{}: {} -> {}: {}", step.name, step.before, step.after, step.note));
    }
    lines.push(trail.reason.to_owned());
    lines.join("\n")
}

#[test]
fn a_rehearsal_leaves_recommendations_and_no_change() {
    let mut bench = Bench::new(&per_pod(Some(Behavior::default())), 2);
    bench.is_rehearsal = true;
    bench.pass(0, Some(300));
    let memory = bench.hpa.memory();
    let logged: Vec<i32> = memory.recommendations.iter().flatten().map(|logged| logged.replicas).collect();
    assert_eq!(logged, [2, 6]);
    assert_eq!((bench.replicas, &memory.events), (2, &events::ScaleEvents::default()));
    bench.is_rehearsal = false;
    bench.pass(15, Some(30));
    assert_eq!(bench.replicas, 2, "it remembers the six, which are more than two, and the window upwards is none");
}

#[test]
fn without_behavior_the_size_doubles_per_pass_and_falls_after_five_minutes() {
    let bench = Bench::new(&per_pod(None), 1);
    assert_snapshot!(bench.timeline(&[(0, 900), (15, 300), (30, 300), (45, 100), (60, 20), (330, 20), (331, 20)]), @r"
          0s   1 @ 900 -> 4   ScaleUpLimit
         15s   4 @ 300 -> 8   ScaleUpLimit
         30s   8 @ 300 -> 16  ScaleUpLimit
         45s  16 @ 100 -> 24  ScaleDownStabilized
         60s  24 @ 20  -> 24  ScaleDownStabilized
        330s  24 @ 20  -> 24  ScaleDownStabilized
        331s  24 @ 20  -> 16  ScaleDownStabilized
    ");
}

#[test]
fn a_brief_dip_does_not_scale_down() {
    let behavior = Behavior { scale_up: None, scale_down: Some(rules(&[], Some(60))) };
    let bench = Bench::new(&per_pod(Some(behavior)), 10);
    assert_snapshot!(bench.timeline(&[(0, 100), (15, 20), (30, 100), (45, 20), (60, 20), (75, 20), (90, 20)]), @r"
         0s  10 @ 100 -> 10  DesiredWithinRange
        15s  10 @ 20  -> 10  ScaleDownStabilized
        30s  10 @ 100 -> 10  DesiredWithinRange
        45s  10 @ 20  -> 10  ScaleDownStabilized
        60s  10 @ 20  -> 10  ScaleDownStabilized
        75s  10 @ 20  -> 10  ScaleDownStabilized
        90s  10 @ 20  -> 2   DesiredWithinRange
    ");
}

#[test]
fn a_budget_returns_when_its_events_are_one_period_old() {
    let behavior = Behavior { scale_up: Some(rules(&[(PolicyKind::Pods, 3, 60)], None)), scale_down: None };
    let bench = Bench::new(&per_pod(Some(behavior)), 2);
    assert_snapshot!(bench.timeline(&[(0, 900), (15, 900), (59, 900), (60, 900), (75, 900)]), @r"
         0s   2 @ 900 -> 5   ScaleUpLimit
        15s   5 @ 900 -> 5   ScaleUpLimit
        59s   5 @ 900 -> 5   ScaleUpLimit
        60s   5 @ 900 -> 8   ScaleUpLimit
        75s   8 @ 900 -> 8   ScaleUpLimit
    ");
}

#[test]
fn a_controller_that_went_to_zero_comes_back_and_one_that_did_not_stays() {
    let own = Bench::new(&from_zero(), 1).timeline(&[(0, 0), (299, 0), (300, 0), (315, 0), (330, 35)]);
    assert_snapshot!(own, @r"
          0s   1 @ 0   -> 1   ScaleDownStabilized
        299s   1 @ 0   -> 1   ScaleDownStabilized
        300s   1 @ 0   -> 0   DesiredWithinRange
        315s   0 @ 0   -> 0   DesiredWithinRange
        330s   0 @ 35  -> 4   DesiredWithinRange
    ");
    let other = Bench::new(&from_zero(), 0).timeline(&[(0, 35), (15, 35)]);
    assert_snapshot!(other, @r"
         0s   0 @ 35  -> 0   ScalingDisabled
        15s   0 @ 35  -> 0   ScalingDisabled
    ");
}

#[test]
fn the_trail_tells_every_step_of_a_limited_rise() {
    let behavior = Behavior {
        scale_up: Some(rules(&[(PolicyKind::Pods, 3, 60), (PolicyKind::Percent, 10, 30)], None)),
        scale_down: None,
    };
    let mut bench = Bench::new(&per_pod(Some(behavior)), 2);
    bench.pass(0, Some(150));
    assert_snapshot!(told(&bench.pass(15, Some(400))), @r"
        load: 400 of 100, ratio 4 -> 12: outside 0.9 to 1.1: ratio x 3 ready pods
        stabilization: 12 -> 12: no recommendation of the last 0s (up) or 300s (down) holds it
        rate limit: 12 -> 5: scaleUp Pods 3 per 60s (selectPolicy Max of 2) allows 5: 2 at the start of the period, 1 added (1 15s ago), 0 removed
        bounds: 5 -> 5: minReplicas 1, maxReplicas 100
        conditions: 3 -> 5: AbleToScale=True/SucceededRescale, ScalingActive=True/ValidMetricFound, ScalingLimited=True/ScaleUpLimit, ScaledToZero=False/NotScaledToZero
        ScaleUpLimit
    ");
}

#[test]
fn the_trail_tells_which_recommendation_held_a_fall() {
    let mut bench = Bench::new(&per_pod(Some(Behavior::default())), 10);
    bench.pass(0, Some(80));
    assert_snapshot!(told(&bench.pass(15, Some(20))), @r"
        load: 20 of 100, ratio 0.2 -> 2: outside 0.9 to 1.1: ratio x 10 ready pods
        stabilization: 2 -> 10: held by the recommendation of 10 made 15s ago
        rate limit: 10 -> 10: no move, no limit
        bounds: 10 -> 10: minReplicas 1, maxReplicas 100
        conditions: 10 -> 10: AbleToScale=True/ScaleDownStabilized, ScalingActive=True/ValidMetricFound, ScalingLimited=False/DesiredWithinRange
        ScaleDownStabilized
    ");
}

#[test]
fn the_trail_tells_why_metrics_failed_and_why_a_zero_is_left_alone() {
    assert_snapshot!(told(&Bench::new(&per_pod(None), 3).pass(0, None)), @r"
        load: - of 100, ratio - -> -: the adapter is down
        metrics: 3 -> 3: every metric failed, first: the adapter is down
        conditions: 3 -> 3: AbleToScale=True/SucceededGetScale, ScalingActive=False/FailedGetPodsMetric
        FailedGetPodsMetric
    ");
    assert_snapshot!(told(&Bench::new(&from_zero(), 0).pass(0, Some(50))), @r"
        zero: 0 -> 0: spec.replicas is 0 and it was not this controller that set it (ScaledToZero is not True)
        conditions: 0 -> 0: AbleToScale=True/SucceededGetScale, ScalingActive=False/ScalingDisabled
        ScalingDisabled
    ");
}

#[test]
fn a_floor_raises_the_minimum_but_never_above_the_maximum() {
    let mut bench = Bench::new(&per_pod(None), 5);
    bench.floor = 8;
    assert_eq!((bench.pass(0, Some(100)).reason, bench.replicas), ("TooFewReplicas", 8));
    assert_eq!((bench.pass(400, Some(10)).reason, bench.replicas), ("TooFewReplicas", 8));
    bench.floor = 500;
    bench.pass(415, Some(100));
    assert_eq!(bench.replicas, 100);
}

#[test]
fn a_restart_forgets_the_logs_and_seeds_them_anew() {
    let mut bench = Bench::new(&per_pod(None), 4);
    bench.pass(0, Some(100));
    bench.pass(301, Some(25));
    assert_eq!(bench.replicas, 1);
    bench.replicas = 4;
    bench.hpa.restart();
    assert_eq!((bench.pass(700, Some(25)).reason, bench.replicas), ("ScaleDownStabilized", 4));
}

#[test]
fn each_metric_is_asked_for_once_and_an_unknown_type_never() {
    let mut spec = per_pod(None);
    spec.metrics.insert(0, MetricSpec::Unknown { kind: "Weather".into() });
    let mut bench = Bench::new(&spec, 2);
    assert_eq!(bench.hpa.queries().len(), 1);
    assert_eq!(bench.pass(0, Some(50)).reason, "InvalidMetricSourceType");
    bench.pass(15, Some(300));
    assert_eq!(bench.replicas, 4);
}

proptest! {
    #[test]
    fn the_size_stays_within_its_bounds_whatever_the_load(
        start in 1..100_u32, loads in prop::collection::vec((prop::option::weighted(0.9, 0..2_000_i64), 1..120_u64), 1..40), has_behavior: bool,
    ) {
        let mut bench = Bench::new(&per_pod(has_behavior.then(Behavior::default)), start);
        let mut at_s = 0;
        for (load, wait_s) in loads {
            at_s += wait_s;
            let before = bench.replicas;
            let trail = bench.pass(at_s, load);
            prop_assert!((1..=100).contains(&bench.replicas));
            prop_assert_eq!(trail.steps.last().map(|step| (step.before, step.after)), Some((before, bench.replicas)));
        }
    }
}

#[test]
fn a_pass_says_what_became_of_each_metric() {
    let outcome = |trail: &Trail| trail.proposals[0].outcome;
    let mut bench = Bench::new(&per_pod(None), 1);
    assert_eq!(outcome(&bench.pass(0, Some(100))), MetricOutcome::Read);
    assert_eq!(outcome(&bench.pass(15, None)), MetricOutcome::Failed);
    bench.replicas = 1_000;
    assert_eq!(outcome(&bench.pass(30, Some(100))), MetricOutcome::Skipped);
}
