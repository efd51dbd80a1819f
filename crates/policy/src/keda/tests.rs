//! A ScaledObject in operation: timelines of polls and HPA syncs in, decisions in words out.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use insta::assert_snapshot;
use units::{PodId, SimDuration, SimTime};

use super::*;
use crate::hpa::{MetricSpec, MetricTarget};
use crate::{
    Action, Counts, MetricError, MetricOutcome, MetricQuery, MetricReading, Observation, PodPhase, PodView, Provenance,
    RateHistory, Ready, Recommendation, ScalingPolicy, Signal,
};

struct NoHistory;

impl RateHistory for NoHistory {
    fn rate_at_minute(&self, _: i64) -> Option<f64> {
        None
    }
}

type Answer = Result<MetricReading, MetricError>;

#[expect(clippy::unnecessary_wraps, reason = "answers come as results")]
fn vector(value: f64) -> Answer {
    Ok(MetricReading::Vector(vec![value]))
}

fn outage() -> Answer {
    Err(MetricError { message: "connection refused".to_owned() })
}

/// Shows an observation at `second` with `spec` wanted replicas, `ready` of them ready, to `look`.
fn seen<T>(second: u64, spec: u32, ready: u32, answers: &[Answer], look: impl FnOnce(&Observation<'_>) -> T) -> T {
    let pod = |number| PodView {
        pod: PodId(number),
        phase: PodPhase::Running,
        deleted: false,
        ready: if number < ready { Ready::True } else { Ready::False },
        started_ns: Some(0),
        ready_transition_ns: 0,
    };
    let pods: Vec<PodView> = (0..spec).map(pod).collect();
    let counts = Counts { spec, status: spec, ready, ..Counts::default() };
    look(&Observation {
        now: SimTime::from_secs(second),
        counts,
        floor: 0,
        pods: &pods,
        metrics: answers,
        provenance: &[],
        arrivals: 0,
        completions: 0,
        queue: 0,
        in_flight: 0,
        history: &NoHistory,
    })
}

fn poll(keda: &mut Keda, second: u64, spec: u32, answers: &[Answer]) -> Recommendation {
    seen(second, spec, spec, answers, |seen| keda.decide(seen))
}

fn sync(keda: &mut Keda, second: u64, spec: u32, answers: &[Answer]) -> Vec<Answer> {
    let answers = seen(second, spec, spec, answers, |seen| keda.external_metrics(seen));
    answers.into_iter().map(|external| external.answer).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "answers come as results")]
fn milli(value_m: i64) -> Answer {
    Ok(MetricReading::External(vec![value_m]))
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A prometheus trigger with target 10 and activation threshold 2.
fn requests(name: &str) -> Trigger {
    let metadata =
        [("serverAddress", "http://p"), ("query", "sum(q)"), ("threshold", "10"), ("activationThreshold", "2")];
    Trigger {
        kind: "prometheus".to_owned(),
        name: Some(name.to_owned()),
        metadata: map(&metadata),
        ..Trigger::default()
    }
}

fn object(triggers: Vec<Trigger>) -> ScaledObject {
    let (name, scale_target) = ("llm".to_owned(), "llm".to_owned());
    ScaledObject { name, scale_target, replicas_max: Some(10), triggers, ..ScaledObject::default() }
}

fn with_fallback(mut object: ScaledObject, behavior: FallbackBehavior) -> ScaledObject {
    object.fallback = Some(Fallback { failure_threshold: 2, replicas: 4, behavior });
    object
}

fn with_formula(mut object: ScaledObject, formula: &str) -> ScaledObject {
    object.advanced.scaling_modifiers = Some(ScalingModifiers {
        formula: Some(formula.to_owned()),
        target: Some("5".to_owned()),
        ..ScalingModifiers::default()
    });
    object
}

fn annotated(mut object: ScaledObject, key: &str, value: &str) -> ScaledObject {
    object.annotations = Annotations(map(&[(&format!("autoscaling.keda.sh/{key}"), value)]));
    object
}

fn running(object: ScaledObject) -> Keda {
    Keda::new(object, Setting::starting_at(0)).expect("the object is valid")
}

/// Polls every 30 s with these values; replicas follow the operator's writes and `changes` by others before a poll.
fn timeline(keda: &mut Keda, values: &[f64], changes: &[(usize, u32)]) -> String {
    let mut replicas = 0;
    let mut lines = String::new();
    for (number, value) in values.iter().enumerate() {
        if let Some((_, changed)) = changes.iter().find(|(at, _)| *at == number) {
            replicas = *changed;
        }
        let answer = poll(keda, number as u64 * 30, replicas, &[vector(*value)]);
        let wrote = match answer.action {
            Action::Scale(to) => {
                let from = std::mem::replace(&mut replicas, to);
                format!("{from} -> {to}")
            }
            _ => format!("{replicas}"),
        };
        let note = &answer.trail.steps[0].note;
        writeln!(lines, "{:>3}s  {value:>4}  {wrote:<7} {}: {note}", number * 30, answer.trail.reason).unwrap();
    }
    lines
}

#[test]
fn from_zero_the_operator_makes_one_replica_and_after_the_cooldown_takes_all_at_once() {
    let mut scaled = object(vec![requests("q")]);
    scaled.cooldown_period = Some(SimDuration::from_secs(90));
    let values = [0.0, 40.0, 40.0, 3.0, 2.0, 0.0, 0.0, 0.0];
    assert_snapshot!(timeline(&mut running(scaled), &values, &[(2, 4)]), @r"
    0s     0  0       ScalerNotActive: no trigger is active and there is nothing to take away
   30s    40  0 -> 1  ScalerActive: the target is woken to max(minReplicaCount, 1)
   60s    40  4       ScalerActive: the count is left to the HPA, last-active is now
   90s     3  4       ScalerActive: the count is left to the HPA, last-active is now
  120s     2  4       ScalerCooldown: cooldownPeriod since last active: 30.05s of 90s, 59.95s left
  150s     0  4       ScalerCooldown: cooldownPeriod since last active: 60.05s of 90s, 29.95s left
  180s     0  4 -> 0  ScalerNotActive: cooldownPeriod since last active is over (90.05s of 90s): one jump from 4
  210s     0  0       ScalerNotActive: no trigger is active and there is nothing to take away
    ");
}

#[test]
fn every_trigger_is_explained_with_its_value_and_activation_threshold() {
    let mut keda = running(object(vec![requests("q"), requests("lost")]));
    let answer = poll(&mut keda, 0, 0, &[vector(1.5), outage()]);
    let notes: Vec<String> = answer.trail.proposals.iter().map(|p| format!("{}: {}", p.metric, p.note)).collect();
    assert_snapshot!(notes.join("\n"), @r"
    q (s0-prometheus): inactive: 1.5 is not above the activation threshold 2
    lost (s1-prometheus): failed: connection refused
    ");
    assert_eq!((answer.action, answer.trail.reason), (Action::Hold, "TriggerError"));
}

#[test]
fn an_active_trigger_wakes_the_target_even_if_another_fails() {
    let mut keda = running(object(vec![requests("q"), requests("lost")]));
    assert_eq!(poll(&mut keda, 0, 0, &[vector(3.0), outage()]).action, Action::Scale(1));
    assert_eq!(poll(&mut keda, 30, 1, &[vector(3.0), outage()]).trail.reason, "PartialTriggerError");
}

#[test]
fn both_loops_count_failures_and_any_success_resets_them() {
    let mut keda = running(with_fallback(object(vec![requests("q")]), FallbackBehavior::Static));
    assert_eq!(poll(&mut keda, 0, 3, &[outage()]).action, Action::Hold);
    assert!(sync(&mut keda, 10, 3, &[outage()])[0].is_err());
    assert_eq!(keda.failures(0), 2);
    assert_eq!(sync(&mut keda, 25, 3, &[outage()]), [milli(40_000)]);
    let at_poll = poll(&mut keda, 30, 0, &[outage()]);
    assert_eq!((at_poll.action, at_poll.trail.reason), (Action::Scale(1), "ScalerActive"));
    assert_eq!(sync(&mut keda, 40, 3, &[vector(7.0)]), [milli(7000)]);
    assert_eq!(keda.failures(0), 0);
}

#[test]
fn at_zero_and_outside_its_bounds_the_hpa_reads_nothing_and_nothing_is_counted() {
    let mut keda = running(with_fallback(object(vec![requests("q")]), FallbackBehavior::Static));
    for spec in [0, 11] {
        assert!(sync(&mut keda, 0, spec, &[outage()])[0].is_err());
        assert!(!keda.needs_query(0, SimTime::ZERO, Counts { spec, ..Counts::default() }));
    }
    assert_eq!(keda.failures(0), 0);
}

#[test]
fn a_value_target_falls_back_by_ready_replicas_and_not_at_all_without_any() {
    let mut trigger = requests("q");
    trigger.metric_type = Some(MetricType::Value);
    let mut keda = running(with_fallback(object(vec![trigger]), FallbackBehavior::CurrentReplicasIfHigher));
    for second in [0, 15] {
        sync(&mut keda, second, 6, &[outage()]);
    }
    let answer = |keda: &mut Keda, ready| {
        let external = seen(30, 6, ready, &[outage()], |seen| keda.external_metrics(seen));
        external[0].answer.clone()
    };
    assert_eq!(answer(&mut keda, 3), milli(20_000));
    assert!(answer(&mut keda, 0).is_err());
}

#[test]
fn the_cache_answers_the_hpa_until_it_is_older_than_the_polling_interval() {
    let mut trigger = requests("q");
    trigger.use_cached_metrics = true;
    let mut keda = running(object(vec![trigger]));
    let counts = Counts { spec: 3, ..Counts::default() };
    assert!(keda.needs_query(0, SimTime::ZERO, counts));
    poll(&mut keda, 0, 3, &[vector(33.0)]);
    assert!(!keda.needs_query(0, SimTime::from_secs(30), counts));
    assert_eq!(sync(&mut keda, 30, 3, &[outage()]), [milli(33_000)]);
    assert_eq!(sync(&mut keda, 31, 3, &[vector(8.0)]), [milli(8000)]);
}

#[test]
fn values_reach_the_hpa_rounded_and_never_negative_while_activity_sees_them_raw() {
    let mut trigger = requests("q");
    trigger.metadata.insert("activationThreshold".to_owned(), "-5".to_owned());
    let mut keda = running(object(vec![trigger]));
    assert_eq!(sync(&mut keda, 0, 3, &[vector(0.0625)]), [milli(62)]);
    assert_eq!(sync(&mut keda, 0, 3, &[vector(-3.0)]), [milli(0)]);
    assert_eq!(poll(&mut keda, 0, 0, &[vector(-3.0)]).action, Action::Scale(1));
}

#[test]
fn a_formula_makes_one_metric_and_decides_activity_alone() {
    let two = object(vec![requests("a"), requests("b")]);
    let mut keda = running(with_formula(two, "a > 50 ? a : a + b - 10"));
    let metrics = &keda.hpa_spec().unwrap().metrics;
    assert!(
        matches!(metrics.as_slice(), [MetricSpec::External { name, target: MetricTarget::AverageValue(5000), .. }] if name == "composite-metric")
    );
    assert_eq!(sync(&mut keda, 0, 2, &[vector(20.0), vector(1.5)]), [milli(11_500)]);
    assert_eq!(poll(&mut keda, 0, 0, &[vector(7.0), vector(3.0)]).action, Action::Hold);
    assert_eq!(poll(&mut keda, 0, 0, &[vector(7.0), vector(3.1)]).action, Action::Scale(1));
    assert!(sync(&mut keda, 0, 2, &[vector(20.0), outage()])[0].is_err());
}

#[test]
fn a_formula_that_gives_no_finite_number_is_inactive_and_told_apart() {
    let mut keda = running(with_formula(object(vec![requests("a")]), "a / 0"));
    let found = seen(10, 3, 3, &[vector(40.0)], |seen| keda.external_metrics(seen)).remove(0);
    assert_eq!(found.answer, milli(0));
    assert_eq!(poll(&mut keda, 0, 0, &[vector(40.0)]).action, Action::Hold);
    assert_eq!(found.provenance.outcome, Some(MetricOutcome::NotANumber { as_zero: true }));
}

#[test]
fn past_the_threshold_a_trigger_is_nil_in_the_formula_and_all_nil_is_the_fallback_count() {
    let two = with_fallback(object(vec![requests("a"), requests("b")]), FallbackBehavior::ScalingModifiers);
    let mut keda = running(with_formula(two, "a ?? b"));
    for second in [0, 15] {
        assert!(sync(&mut keda, second, 2, &[outage(), vector(9.0)])[0].is_err());
    }
    assert_eq!(sync(&mut keda, 30, 2, &[outage(), vector(9.0)]), [milli(9000)]);
    for second in [45, 60] {
        sync(&mut keda, second, 2, &[outage(), outage()]);
    }
    assert_eq!(sync(&mut keda, 75, 2, &[outage(), outage()]), [milli(20_000)]);
}

#[test]
fn with_a_fallback_in_force_the_formula_is_skipped() {
    let two = with_fallback(object(vec![requests("a"), requests("b")]), FallbackBehavior::Static);
    let mut keda = running(with_formula(two, "a + b"));
    for second in [0, 15] {
        sync(&mut keda, second, 2, &[outage(), vector(9.0)]);
    }
    assert_eq!(sync(&mut keda, 30, 2, &[outage(), vector(9.0)]), [milli(20_000)]);
}

#[test]
fn a_cron_trigger_needs_no_query_and_asks_for_exactly_its_count() {
    let metadata =
        [("timezone", "Europe/Berlin"), ("start", "0 8 * * *"), ("end", "0 18 * * *"), ("desiredReplicas", "6")];
    let trigger = Trigger { kind: "cron".to_owned(), metadata: map(&metadata), ..Trigger::default() };
    // 2026-01-05T06:59:00Z is a minute before eight in Berlin.
    let mut keda = Keda::new(object(vec![trigger]), Setting::starting_at(1_767_596_340)).expect("it is valid");
    assert!(keda.queries().is_empty());
    assert_eq!(poll(&mut keda, 0, 0, &[]).action, Action::Hold);
    assert_eq!(poll(&mut keda, 60, 0, &[]).action, Action::Scale(1));
    assert_eq!(sync(&mut keda, 65, 1, &[]), [milli(6000)]);
    assert_eq!(sync(&mut keda, 60 + 36_000, 6, &[]), [milli(0)]);
}

#[test]
fn a_named_signal_feeds_triggers_of_services_outside_the_cluster() {
    let metadata = [
        ("scalelabSignal", "queue_length"),
        ("targetValue", "4"),
        ("activationTargetValue", "1"),
        ("url", "http://q"),
        ("colour", "blue"),
    ];
    let trigger = Trigger { kind: "metrics-api".to_owned(), metadata: map(&metadata), ..Trigger::default() };
    let scaled = object(vec![trigger]);
    let warnings = admission::validate(&scaled).unwrap();
    assert_eq!(warnings, [Warning::MetadataIgnored { index: 0, key: "colour".to_owned() }]);
    let mut keda = running(scaled);
    assert_eq!(poll(&mut keda, 0, 0, &[Ok(MetricReading::Signal(1.0))]).action, Action::Hold);
    assert_eq!(poll(&mut keda, 30, 0, &[Ok(MetricReading::Signal(2.0))]).action, Action::Scale(1));
}

#[test]
fn paused_replicas_are_written_once_and_there_is_no_hpa() {
    let mut keda = running(annotated(object(vec![requests("q")]), "paused-replicas", "25"));
    assert_eq!(keda.hpa_spec(), None);
    assert_eq!(poll(&mut keda, 0, 3, &[vector(99.0)]).action, Action::Scale(25));
    assert_eq!(poll(&mut keda, 30, 3, &[vector(99.0)]).action, Action::Hold);
}

#[test]
fn forced_activation_wakes_an_idle_target_without_any_trigger() {
    let mut keda = running(annotated(object(vec![requests("q")]), "force-activation", "true"));
    assert_eq!(poll(&mut keda, 0, 0, &[vector(0.0)]).action, Action::Scale(1));
    assert_eq!(poll(&mut keda, 3000, 1, &[vector(0.0)]).action, Action::Hold);
}

#[test]
fn an_idle_count_above_zero_is_warned_about_and_flaps() {
    let mut scaled = object(vec![requests("q")]);
    (scaled.replicas_min, scaled.replicas_idle) = (Some(3), Some(1));
    assert_eq!(admission::validate(&scaled), Ok(vec![Warning::IdleAboveZero { idle: 1 }]));
    let mut keda = running(scaled);
    assert_eq!(poll(&mut keda, 0, 3, &[vector(0.0)]).action, Action::Scale(1));
    // The HPA, below its minimum, has raised it again.
    assert_eq!(poll(&mut keda, 30, 3, &[vector(0.0)]).action, Action::Scale(1));
}

#[test]
fn metrics_are_ordered_by_type_and_carry_the_selector_of_their_object() {
    let cpu = Trigger {
        kind: "cpu".to_owned(),
        metadata: map(&[("value", "60")]),
        metric_type: Some(MetricType::Utilization),
        ..Trigger::default()
    };
    let keda = running(object(vec![cpu, requests("q")]));
    let selector = vec![crate::LabelCondition::equals("scaledobject.keda.sh/name", "llm")];
    let name = "s1-prometheus".to_owned();
    assert_eq!(keda.answer_index(&MetricQuery::External { name: name.clone(), selector: selector.clone() }), Some(0));
    assert_eq!(keda.answer_index(&MetricQuery::External { name, selector: Vec::new() }), None);
    let external =
        MetricSpec::External { name: "s1-prometheus".to_owned(), selector, target: MetricTarget::AverageValue(10_000) };
    let resource = MetricSpec::Resource { name: "cpu".to_owned(), target: MetricTarget::Utilization(60) };
    assert_eq!(keda.hpa_spec().unwrap().metrics, [external, resource]);
}

#[test]
fn what_cannot_be_simulated_is_refused_in_words() {
    let refused = |change: &dyn Fn(&mut ScaledObject)| {
        let mut scaled = object(vec![requests("q")]);
        change(&mut scaled);
        admission::validate(&scaled).expect_err("it is refused").to_string()
    };
    let messages = [
        refused(&|scaled| scaled.triggers[0].kind = "kafka".to_owned()),
        refused(&|scaled| scaled.triggers[0].kind = "external".to_owned()),
        refused(&|scaled| scaled.triggers[0].metric_type = Some(MetricType::Utilization)),
        refused(&|scaled| scaled.triggers[0].metadata = BTreeMap::new()),
        refused(&|scaled| {
            scaled.triggers[0].metadata.insert("threshold".to_owned(), "0".to_owned());
        }),
        refused(&|scaled| scaled.triggers.push(requests("q"))),
        refused(&|scaled| scaled.polling_interval = Some(SimDuration::ZERO)),
        refused(&|scaled| *scaled = with_formula(scaled.clone(), "q + p")),
        refused(&|scaled| *scaled = annotated(scaled.clone(), "paused-replicas", "many")),
        refused(&|scaled| *scaled = with_fallback(scaled.clone(), FallbackBehavior::ScalingModifiers)),
    ];
    assert_snapshot!(messages.join("\n"), @r"
    triggers[0] (kafka): metadata.bootstrapServers or bootstrapServersFromEnv is missing
    triggers[0] (external): metadata.scalerAddress is missing
    triggers[0] (prometheus): metricType Utilization is for cpu and memory; allowed are AverageValue and Value
    triggers[0] (prometheus): metadata.serverAddress is missing
    triggers[0] (prometheus): the target must be above 0, found 0
    triggers[1].name: `q` is already the name of another trigger
    pollingInterval must be at least 1s, found 0s
    advanced.scalingModifiers.formula: unknown name p; the named triggers are: q (at character 5)
    annotation autoscaling.keda.sh/paused-replicas: `many` is not a number of replicas
    fallback.behavior scalingModifiers needs advanced.scalingModifiers.formula
    ");
}

#[test]
fn a_workload_and_an_hpa_name_have_one_owner() {
    let first = object(vec![requests("q")]);
    let second = ScaledObject { name: "other".to_owned(), ..first.clone() };
    let apart = ScaledObject { scale_target: "other".to_owned(), ..second.clone() };
    assert!(admission::validate_together(&[&first, &second], &[]).is_err());
    assert!(admission::validate_together(&[&first, &apart], &[]).is_ok());
    assert!(admission::validate_together(&[&first], &[("by-hand", "llm")]).is_err());
    assert!(admission::check_requests(&first, &[]).is_ok());
}

/// Outcomes of one poll for each of these answers to a lone prometheus trigger.
fn outcomes(ignore_null_values: &str, answers: &[Answer]) -> Vec<MetricOutcome> {
    let mut trigger = requests("q");
    trigger.metadata.insert("ignoreNullValues".to_owned(), ignore_null_values.to_owned());
    let mut keda = running(object(vec![trigger]));
    let outcome = |answer: &Answer| poll(&mut keda, 30, 1, std::slice::from_ref(answer)).trail.proposals[0].outcome;
    answers.iter().map(outcome).collect()
}

#[test]
fn a_poll_says_what_became_of_each_metric() {
    let several = Ok(MetricReading::Vector(vec![1.0, 2.0]));
    let answers = [vector(1.0), Ok(MetricReading::Vector(vec![])), vector(f64::NAN), several, outage()];
    let (empty, no_number) =
        (|as_zero| MetricOutcome::Empty { as_zero }, |as_zero| MetricOutcome::NotANumber { as_zero });
    let (read, failed) = (MetricOutcome::Read, MetricOutcome::Failed);
    assert_eq!(outcomes("true", &answers), [read, empty(true), no_number(true), failed, failed]);
    assert_eq!(outcomes("false", &answers), [read, empty(false), no_number(false), failed, failed]);
}

#[test]
fn a_cached_value_ages_until_the_hpa_reads_it() {
    let mut trigger = requests("q");
    trigger.use_cached_metrics = true;
    let mut keda = running(object(vec![trigger]));
    let provenance = [Provenance { outcome: None, age: Some(SimDuration::from_secs(7)) }];
    let polled = seen(30, 1, 1, &[vector(5.0)], |seen| keda.decide(&Observation { provenance: &provenance, ..*seen }));
    assert_eq!(polled.trail.proposals[0].age, Some(SimDuration::from_secs(7)));
    let served = seen(40, 1, 1, &[outage()], |seen| keda.external_metrics(seen));
    let expected = Provenance { outcome: Some(MetricOutcome::Read), age: Some(SimDuration::from_secs(17)) };
    assert_eq!((served[0].answer.clone(), served[0].provenance), (milli(5_000), expected));
}

/// A push trigger fed by these feeds.
fn pushing(feeds: Vec<Feed>) -> Trigger {
    Trigger {
        kind: "external-push".to_owned(),
        metadata: map(&[("scalerAddress", "a:1")]),
        feeds,
        ..Trigger::default()
    }
}

fn fed(signal: Signal, target: f64) -> Feed {
    let name = Some(signal.name().to_owned());
    Feed { target: Some(target), name, ..Feed::of(FeedSource::Signal(signal)) }
}

#[test]
fn a_push_wakes_the_target_between_polls_and_its_false_is_ignored() {
    let mut keda = running(object(vec![requests("q"), pushing(vec![fed(Signal::Requests, 5.0)])]));
    assert!(keda.has_push());
    let queries = keda.push_queries();
    assert!(matches!(queries.as_slice(), [MetricQuery::Unread, MetricQuery::Signal(_)]), "{queries:?}");
    let mut push = |second, spec, value| {
        let answers = [outage(), Ok(MetricReading::Signal(value))];
        seen(second, spec, spec, &answers, |seen| keda.push(seen)).map(|recommendation| recommendation.action)
    };
    assert_eq!(push(1, 0, 0.0), None);
    assert_eq!(push(2, 0, 1.0), Some(Action::Scale(1)));
    assert_eq!(push(3, 1, 1.0), None);
    assert_eq!(push(400, 1, 0.0), None);
    // It counted as activity at second 3: the cooldown of 300 s has run out by 310 and not by 300.
    let silent = [vector(0.0), Ok(MetricReading::Signal(0.0))];
    assert_eq!(poll(&mut keda, 300, 1, &silent).action, Action::Hold);
    assert_eq!(poll(&mut keda, 310, 1, &silent).action, Action::Scale(0));
}

#[test]
fn of_several_metrics_of_one_trigger_the_last_decides_its_activity() {
    let two = vec![fed(Signal::Requests, 5.0), fed(Signal::ArrivalRate, 7.0)];
    let mut keda = running(object(vec![pushing(two)]));
    let names: Vec<String> = keda.hpa_spec().unwrap().metrics.iter().map(|metric| format!("{metric:?}")).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let values = |first, last| [Ok(MetricReading::Signal(first)), Ok(MetricReading::Signal(last))];
    assert_eq!(poll(&mut keda, 0, 0, &values(9.0, 0.0)).action, Action::Hold);
    assert_eq!(poll(&mut keda, 30, 0, &values(0.0, 9.0)).action, Action::Scale(1));
    assert_eq!(sync(&mut keda, 35, 1, &values(3.0, 4.0)), [milli(3_000), milli(4_000)]);
}

#[test]
fn two_metrics_of_one_name_are_refused() {
    let twins = vec![fed(Signal::Requests, 5.0), fed(Signal::Requests, 7.0)];
    let refused = Keda::new(object(vec![pushing(twins)]), Setting::starting_at(0)).expect_err("it is refused");
    assert_snapshot!(refused.to_string(), @"two triggers yield the external metric s0-requests; KEDA refuses that");
}

#[test]
fn a_behavior_the_api_server_would_refuse_is_refused_at_admission() {
    use crate::hpa::{Behavior, PolicyKind, Rules, ScalingPolicyRule};
    let with = |rules: Rules| {
        let mut scaled = object(vec![requests("q")]);
        scaled.advanced.behavior = Some(Behavior { scale_up: Some(rules), scale_down: None });
        admission::validate(&scaled).map(|_| ()).map_err(|violation| violation.to_string())
    };
    let rate =
        |value, period| ScalingPolicyRule { kind: PolicyKind::Pods, value, period: SimDuration::from_secs(period) };
    let rules = |policies| Rules { policies: Some(policies), ..Rules::default() };
    assert_eq!(with(rules(vec![rate(1, 1_800)])), Ok(()));
    let below = |message: &str| Err(format!("advanced.horizontalPodAutoscalerConfig.behavior: scaleUp: {message}"));
    assert_eq!(with(rules(vec![rate(1, 1_801)])), below("policies[0].periodSeconds must be 1 to 1800"));
    assert_eq!(with(rules(vec![rate(0, 60)])), below("policies[0].value must be above 0"));
    let window = Rules { stabilization_window: Some(SimDuration::from_secs(3_601)), ..Rules::default() };
    assert_eq!(with(window), below("stabilizationWindowSeconds must be at most 3600"));
}

#[test]
fn up_to_2_19_a_fallback_beside_a_formula_is_passed_over() {
    let scaled = |release| {
        let with_formula = with_formula(object(vec![requests("q")]), "q");
        ScaledObject { release, ..with_fallback(with_formula, FallbackBehavior::Static) }
    };
    let answer = |release| {
        let mut keda = running(scaled(release));
        for pass in 0..3 {
            sync(&mut keda, pass * 15, 1, &[outage()]);
        }
        sync(&mut keda, 45, 1, &[outage()]).remove(0)
    };
    assert_eq!(answer(Release::new(2, 20, 0)), milli(20_000));
    assert!(answer(Release::new(2, 19, 0)).is_err());
}
