//! The controller as a policy: a spec, its settings, and what it remembers.

use units::SimTime;

use super::config::HpaConfig;
use super::defaults::{EffectiveSpec, replicas};
use super::moment::Moment;
use super::normalize::count;
use super::pass::{Memory, ScaleApi, adopt, reconcile};
use super::spec::{HpaSpec, MetricSpec};
use super::stabilize::Wish;
use crate::{Action, MetricQuery, Observation, Recommendation, ScalingPolicy, Schedule};

/// A HorizontalPodAutoscaler v2 and the part of kube-controller-manager that serves it.
#[derive(Clone, Debug)]
pub struct HorizontalPodAutoscaler {
    spec: EffectiveSpec,
    config: HpaConfig,
    queries: Vec<MetricQuery>,
    memory: Memory,
}

impl HorizontalPodAutoscaler {
    /// A controller that has not made a pass yet.
    pub fn new(spec: &HpaSpec, config: HpaConfig) -> Self {
        let spec = EffectiveSpec::new(spec);
        let queries = spec.metrics.iter().filter_map(query).collect();
        Self { spec, config, queries, memory: Memory::default() }
    }

    /// The spec with all defaults filled in.
    pub fn spec(&self) -> &EffectiveSpec {
        &self.spec
    }

    /// Logs and conditions as they are now.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Takes up from other logs and conditions: a controller that has been running for a while.
    pub fn with_memory(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// The count was changed at `at`, between two rehearsals, by whoever is in charge of a cluster that runs. It counts as this controller's
    /// own change, which rate policies are held against. `floor` is that of the pass.
    pub fn saw_change(&mut self, (before, after): (u32, u32), floor: u32, at: SimTime) {
        let wish = Wish { current: replicas(before), desired: replicas(after) };
        adopt(&self.spec, &self.config, &mut self.memory, (wish, floor), Moment::from(at));
    }

    /// Forgets the logs, as a restart of kube-controller-manager does. Conditions live in the API server and stay.
    pub fn restart(&mut self) {
        let conditions = std::mem::take(&mut self.memory.conditions);
        self.memory = Memory { conditions, ..Memory::default() };
    }
}

impl ScalingPolicy for HorizontalPodAutoscaler {
    fn name(&self) -> &'static str {
        "hpa"
    }

    fn schedule(&self) -> Schedule {
        Schedule { period: self.config.sync_period, first: self.config.first }
    }

    fn queries(&self) -> &[MetricQuery] {
        &self.queries
    }

    fn decide(&mut self, seen: &Observation<'_>) -> Recommendation {
        let outcome = reconcile(&self.spec, &self.config, &mut self.memory, seen, ScaleApi::UP);
        let action = if outcome.is_written { Action::Scale(count(outcome.replicas)) } else { Action::Hold };
        Recommendation { action, trail: outcome.trail }
    }

    /// Its recommendations enter the log; a change that is not written is none, so that no rate limit counts it.
    fn rehearse(&mut self, seen: &Observation<'_>) {
        let scale = ScaleApi { is_readable: true, is_writable: false };
        reconcile(&self.spec, &self.config, &mut self.memory, seen, scale);
    }
}

/// What the metrics pipeline is asked for `metric`; nothing for a type the controller does not know.
fn query(metric: &MetricSpec) -> Option<MetricQuery> {
    Some(match metric.clone() {
        MetricSpec::Resource { name, .. } => MetricQuery::Resource { name, container: None },
        MetricSpec::ContainerResource { name, container, .. } => {
            MetricQuery::Resource { name, container: Some(container) }
        }
        MetricSpec::Pods { name, selector, .. } => MetricQuery::Pods { name, selector },
        MetricSpec::Object { name, selector, kind, object, .. } => MetricQuery::Object { name, kind, object, selector },
        MetricSpec::External { name, selector, .. } => MetricQuery::External { name, selector },
        MetricSpec::Unknown { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hpa::{Behavior, MetricTarget, PolicyKind, Rules, ScalingPolicyRule};
    use crate::observation::RateHistory;
    use crate::{Counts, MetricReading};
    use units::SimDuration;

    struct NoPast;

    impl RateHistory for NoPast {
        fn rate_at_minute(&self, _: i64) -> Option<f64> {
            None
        }
    }

    #[test]
    fn a_change_that_was_seen_counts_against_the_rate_as_one_that_was_made() {
        let minute = SimDuration::from_secs(60);
        let two_a_minute = ScalingPolicyRule { kind: PolicyKind::Pods, value: 2, period: minute };
        let scale_up = Some(Rules { policies: Some(vec![two_a_minute]), ..Rules::default() });
        let spec = HpaSpec {
            name: "chat".to_owned(),
            replicas_min: 1,
            replicas_max: 20,
            metrics: vec![MetricSpec::External {
                name: "queue".to_owned(),
                selector: Vec::new(),
                target: MetricTarget::AverageValue(1_000),
            }],
            behavior: Some(Behavior { scale_up, scale_down: None }),
        };
        let at = |seconds: u64, replicas: u32, hpa: &mut HorizontalPodAutoscaler| {
            let seen = Observation {
                now: SimTime::from_secs(seconds),
                counts: Counts { spec: replicas, status: replicas, ready: replicas, ..Counts::default() },
                floor: 0,
                pods: &[],
                metrics: &[Ok(MetricReading::External(vec![15_000]))],
                provenance: &[],
                arrivals: 0,
                completions: 0,
                queue: 0,
                in_flight: 0,
                history: &NoPast,
            };
            hpa.decide(&seen).action
        };
        let new = || HorizontalPodAutoscaler::new(&spec, HpaConfig::default());
        let (mut own, mut seen, mut blind) = (new(), new(), new());
        assert_eq!(at(0, 4, &mut own), Action::Scale(6));
        seen.saw_change((4, 6), 0, SimTime::ZERO);
        assert_eq!(at(30, 6, &mut own), Action::Hold, "two a minute are used up");
        assert_eq!(at(30, 6, &mut seen), Action::Hold);
        assert_eq!(at(30, 6, &mut blind), Action::Scale(8));
    }
}
