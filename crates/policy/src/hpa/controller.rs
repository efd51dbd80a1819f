//! The controller as a policy: a spec, its settings, and what it remembers.

use super::config::HpaConfig;
use super::defaults::EffectiveSpec;
use super::normalize::count;
use super::pass::{Memory, ScaleApi, reconcile};
use super::spec::{HpaSpec, MetricSpec};
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
