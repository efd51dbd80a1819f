//! `rollouts`, `service.onTerminate`, `run.prehistory`: what is read, what is refused, what is said.

use cluster::spec::{CanaryStep, Leeway, Portion, RolloutStrategy, StopRule};
use units::SimDuration;

use crate::support::{SCENARIO, load_text, message, with};

fn with_rollouts(rollouts: &str) -> String {
    with("  policies:\n", &format!("  rollouts:\n  - {rollouts}\n  policies:\n"))
}

fn strategy(rollout: &str) -> RolloutStrategy {
    load_text(&with_rollouts(rollout)).expect("a rollout").spec.services[0].rollouts[0].strategy.clone()
}

#[test]
fn a_strategy_is_a_word_or_its_fields_and_by_default_a_quarter_at_a_time() {
    assert_eq!(strategy("at: 10m"), RolloutStrategy::Rolling(Leeway::DEFAULT));
    assert_eq!(strategy("{at: 10m, strategy: recreate}"), RolloutStrategy::Recreate);
    let leeway = Leeway { surge: Portion::Count(1), unavailable: Portion::Percent(0) };
    assert_eq!(strategy("{at: 10m, strategy: {maxSurge: 1, maxUnavailable: 0%}}"), RolloutStrategy::Rolling(leeway));
    let canary = "{at: 10m, promoteAfter: 5m, strategy: {type: canary, steps: [{setWeight: 20}, {pause: {}}]}}";
    let steps = vec![CanaryStep::Weight(20), CanaryStep::Pause(SimDuration::from_secs(300))];
    assert_eq!(strategy(canary), RolloutStrategy::Canary { steps, leeway: Leeway::DEFAULT, keeps_stable: false });
}

#[test]
fn a_rollout_that_cannot_be_is_refused_with_its_place() {
    let refused = |rollout: &str| message(&with_rollouts(rollout));
    let late = refused("at: 2h");
    assert!(late.starts_with("scenario.yaml:24:") && late.ends_with("must be before the end of the run"), "{late}");
    assert!(refused("{at: 1m, strategy: {type: canary, steps: [{pause: {}}]}}").contains("promoteAfter"));
    assert!(refused("{at: 1m, strategy: {partition: 1}}").contains("`partition` is for StatefulSets"));
    assert!(refused("{at: 1m, strategy: replace}").contains("`rollingUpdate`, `recreate`"));
    let other = refused("{at: 1m, service: other}");
    assert!(other.contains("there is no workload `other`"), "{other}");
}

#[test]
fn what_a_server_does_when_it_is_told_to_stop_is_read_and_its_cost_is_said() {
    let loaded =
        |rule: &str| load_text(&with("    model:\n", &format!("    onTerminate: {rule}\n    model:\n"))).expect(rule);
    let stop = |rule: &str| loaded(rule).spec.services[0].pod.stop;
    assert_eq!((stop("finish"), stop("abort")), (StopRule::FINISH, StopRule::Abort));
    let bounded = StopRule::Finish { within: Some(SimDuration::from_secs(90)), poll: SimDuration::from_secs(5) };
    assert_eq!(stop("{finish: {within: 90s, poll: 5s}}"), bounded);
    let said = |rule: &str| loaded(rule).notes.iter().any(|note| note.starts_with("service.onTerminate is"));
    assert!(said("abort") && !said("finish") && !said("{finish: {within: 90s}}"));
    assert!(message(&with("    model:\n", "    onTerminate: drain\n    model:\n")).contains("`abort` or `finish`"));
}

#[test]
fn only_where_metrics_are_read_something_runs_before_the_start() {
    let length = |text: &str| load_text(text).expect("a scenario").spec.prehistory.length;
    assert_eq!(length(SCENARIO), SimDuration::ZERO);
    let stated = with("    duration: 1h", "    duration: 1h\n    prehistory: 90s");
    assert_eq!(length(&stated), SimDuration::from_secs(120), "in whole minutes");
    assert!(message(&with("    duration: 1h", "    duration: 1h\n    start: cold")).contains("run.prehistory: none"));
    assert!(message(&with("    duration: 1h", "    duration: 1h\n    prehistory: often")).contains("`auto`, `none`"));
}
