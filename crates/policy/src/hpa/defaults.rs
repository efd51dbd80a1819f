//! Defaults of the API, and the spec as the controller uses it.

use units::SimDuration;

use super::ratio::Tolerances;
use super::spec::{HpaSpec, MetricSpec, MetricTarget, PolicyKind, Rules, ScalingPolicyRule, SelectPolicy};

/// Target of the metric the API adds when none is given, in percent of the CPU request.
const CPU_UTILIZATION_DEFAULT_PERCENT: i32 = 80;
const PERIOD_DEFAULT: SimDuration = SimDuration::from_secs(15);

/// One direction of `behavior` with its defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction {
    /// Rate policies.
    pub policies: Vec<ScalingPolicyRule>,
    /// Which of them counts.
    pub select: SelectPolicy,
    /// Stabilization window; `None` is the down-window flag of the controller.
    pub window: Option<SimDuration>,
    /// Tolerance; `None` is the tolerance flag of the controller.
    pub tolerance: Option<f64>,
}

impl Direction {
    /// The rules as given, without any default but the kind of selection.
    pub fn as_written(rules: &Rules) -> Self {
        Self {
            policies: rules.policies.clone().unwrap_or_default(),
            select: rules.select_policy.unwrap_or(SelectPolicy::Max),
            window: rules.stabilization_window,
            tolerance: rules.tolerance,
        }
    }

    /// `scaleUp`: at most 4 pods or 100 % per 15 s, whichever is more, and no window.
    pub fn up(rules: Option<&Rules>) -> Self {
        let policies = [policy(PolicyKind::Pods, 4), policy(PolicyKind::Percent, 100)];
        let filled = Self::filled(rules, &policies);
        Self { window: filled.window.or(Some(SimDuration::ZERO)), ..filled }
    }

    /// `scaleDown`: 100 % per 15 s; the window is the controller's flag.
    pub fn down(rules: Option<&Rules>) -> Self {
        Self::filled(rules, &[policy(PolicyKind::Percent, 100)])
    }

    fn filled(rules: Option<&Rules>, policies: &[ScalingPolicyRule]) -> Self {
        let written = rules.cloned().unwrap_or_default();
        let has_policies = written.policies.is_some();
        let mut filled = Self::as_written(&written);
        if !has_policies {
            filled.policies = policies.to_vec();
        }
        filled
    }
}

const fn policy(kind: PolicyKind, value: u32) -> ScalingPolicyRule {
    ScalingPolicyRule { kind, value, period: PERIOD_DEFAULT }
}

/// Both directions of a `behavior` that is present.
#[derive(Clone, Debug, PartialEq)]
pub struct Directions {
    /// `scaleUp`.
    pub up: Direction,
    /// `scaleDown`.
    pub down: Direction,
}

/// An HPA as the controller reads it: every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectiveSpec {
    /// `minReplicas`.
    pub replicas_min: i32,
    /// `maxReplicas`.
    pub replicas_max: i32,
    /// `metrics`; never empty.
    pub metrics: Vec<MetricSpec>,
    /// `behavior`; absent means the legacy path.
    pub behavior: Option<Directions>,
}

impl EffectiveSpec {
    /// Fills the defaults of `spec`.
    pub fn new(spec: &HpaSpec) -> Self {
        let mut metrics = spec.metrics.clone();
        if metrics.is_empty() {
            let target = MetricTarget::Utilization(CPU_UTILIZATION_DEFAULT_PERCENT);
            metrics.push(MetricSpec::Resource { name: "cpu".to_owned(), target });
        }
        Self {
            replicas_min: replicas(spec.replicas_min),
            replicas_max: replicas(spec.replicas_max),
            metrics,
            behavior: spec.behavior.as_ref().map(|behavior| Directions {
                up: Direction::up(behavior.scale_up.as_ref()),
                down: Direction::down(behavior.scale_down.as_ref()),
            }),
        }
    }

    /// The flag, replaced per direction where `behavior` names a tolerance and the gate lets it.
    pub fn tolerances(&self, flag: f64, is_configurable: bool) -> Tolerances {
        match &self.behavior {
            Some(Directions { up, down }) if is_configurable => {
                Tolerances { up: up.tolerance.unwrap_or(flag), down: down.tolerance.unwrap_or(flag) }
            }
            _ => Tolerances::both(flag),
        }
    }

    /// True if a metric can be read without any pod.
    pub fn has_object_or_external_metric(&self) -> bool {
        self.metrics.iter().any(|metric| matches!(metric, MetricSpec::Object { .. } | MetricSpec::External { .. }))
    }
}

/// A replica count in the controller's own 32-bit integers.
pub(super) fn replicas(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::spec::Behavior;
    use super::*;

    fn spec(behavior: Option<Behavior>) -> EffectiveSpec {
        EffectiveSpec::new(&HpaSpec {
            name: "web".into(),
            replicas_min: 1,
            replicas_max: 10,
            metrics: Vec::new(),
            behavior,
        })
    }

    #[test]
    fn an_empty_behavior_is_filled_and_an_absent_one_stays_absent() {
        assert_eq!(spec(None).behavior, None);
        let filled = spec(Some(Behavior::default())).behavior.unwrap();
        assert_eq!(filled.up.policies, [policy(PolicyKind::Pods, 4), policy(PolicyKind::Percent, 100)]);
        assert_eq!((filled.up.window, filled.up.select), (Some(SimDuration::ZERO), SelectPolicy::Max));
        assert_eq!(filled.down.policies, [policy(PolicyKind::Percent, 100)]);
        assert_eq!((filled.down.window, filled.down.tolerance), (None, None));
    }

    #[test]
    fn a_given_list_of_policies_replaces_the_default_one_whole() {
        let rules = Rules { policies: Some(vec![policy(PolicyKind::Pods, 9)]), ..Rules::default() };
        assert_eq!(Direction::up(Some(&rules)).policies, [policy(PolicyKind::Pods, 9)]);
        assert_eq!(Direction::up(Some(&rules)).window, Some(SimDuration::ZERO));
    }

    #[test]
    fn no_metric_means_cpu_at_the_default_percentage() {
        let target = MetricTarget::Utilization(80);
        assert_eq!(spec(None).metrics, [MetricSpec::Resource { name: "cpu".into(), target }]);
    }

    #[test]
    fn each_direction_may_have_its_own_tolerance_if_the_gate_is_on() {
        let up = Rules { tolerance: Some(0.01), ..Rules::default() };
        let spec = spec(Some(Behavior { scale_up: Some(up), scale_down: None }));
        assert_eq!(spec.tolerances(0.1, true), Tolerances { up: 0.01, down: 0.1 });
        assert_eq!(spec.tolerances(0.1, false), Tolerances::both(0.1));
    }
}
