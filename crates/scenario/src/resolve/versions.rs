//! What the releases of Kubernetes and KEDA a scenario names decide.

use cluster::spec::ControllerManager;
use policy::hpa::{HpaSpec, MetricSpec, ZeroRule};
use policy::keda::Release;
use units::SimDuration;

use crate::error::ScenarioError;
use crate::file::ServiceView;

use super::Context;

/// The newest Kubernetes whose rules are known.
const KUBERNETES_NEWEST: (u32, u32) = (1, 37);
/// The first with `autoscaling/v2`.
const KUBERNETES_OLDEST: (u32, u32) = (1, 23);

/// A gate of the HPA controller: its name, and the minor release from which it is on.
const GATES: [(&str, u32); 3] = [("HPAScaleToZero", 37), ("HPAConfigurableTolerance", 35), ("PodLevelResources", 34)];

impl Context<'_> {
    /// kube-controller-manager as `kubernetes` says; `sync_period` is its flag.
    pub(super) fn controller_manager(
        &self,
        spec: &ServiceView,
        sync_period: SimDuration,
    ) -> Result<ControllerManager, ScenarioError> {
        let (_, minor) = self.kubernetes(spec)?;
        for name in spec.kubernetes.feature_gates.keys() {
            if !GATES.iter().any(|(known, _)| known == name) {
                let names = GATES.iter().map(|(known, _)| *known);
                return Err(self.unknown_name(
                    "spec.kubernetes.featureGates",
                    "feature gate that the HPA reads",
                    name,
                    names,
                ));
            }
        }
        let is_on = |gate: &str| {
            let from = GATES.iter().find(|(known, _)| *known == gate).map_or(0, |(_, from)| *from);
            spec.kubernetes.feature_gates.get(gate).copied().unwrap_or(minor >= from)
        };
        let zero_rule = match (minor, is_on("HPAScaleToZero")) {
            (0..=35, _) => ZeroRule::MinReplicas,
            (_, true) => ZeroRule::Condition,
            (_, false) => ZeroRule::GateOff,
        };
        Ok(ControllerManager {
            sync_period,
            zero_rule,
            // Stable, and no longer to be switched off, from 1.37 on.
            has_configurable_tolerance: minor >= 37 || is_on("HPAConfigurableTolerance"),
            has_pod_level_resources: is_on("PodLevelResources"),
        })
    }

    fn kubernetes(&self, spec: &ServiceView) -> Result<(u32, u32), ScenarioError> {
        let text = spec.kubernetes.version.strip_prefix('v').unwrap_or(&spec.kubernetes.version);
        let mut parts = text.split('.').map(str::parse::<u32>);
        match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor))) if (KUBERNETES_OLDEST..=KUBERNETES_NEWEST).contains(&(major, minor)) => {
                Ok((major, minor))
            }
            _ => Err(ScenarioError::WrongValue {
                at: self.at("spec.kubernetes.version"),
                found: format!("text `{}`", spec.kubernetes.version),
                expected: "a release from 1.23 to 1.37, such as `\"1.36\"`".to_owned(),
            }),
        }
    }

    pub(super) fn keda_release(&self, spec: &ServiceView) -> Result<Release, ScenarioError> {
        let found = Release::parse(&spec.keda.version);
        let known = Release::new(2, 0, 0)..=Release::default();
        found.filter(|release| known.contains(release)).ok_or_else(|| ScenarioError::WrongValue {
            at: self.at("spec.keda.version"),
            found: format!("text `{}`", spec.keda.version),
            expected: "a release from 2.0 to 2.21, such as `\"2.19\"` or `\"2.20.1\"`".to_owned(),
        })
    }

    /// The add-on's release; only its format can be wrong so far.
    pub(super) fn check_add_on(&self, spec: &ServiceView) -> Result<(), ScenarioError> {
        let found = Release::parse(&spec.http_add_on.version);
        let known = Release::new(0, 1, 0)..=Release::new(0, 16, u32::MAX);
        found.filter(|release| known.contains(release)).map(|_| ()).ok_or_else(|| ScenarioError::WrongValue {
            at: self.at("spec.httpAddOn.version"),
            found: format!("text `{}`", spec.http_add_on.version),
            expected: "a release from 0.1 to 0.16, such as `\"0.14\"`".to_owned(),
        })
    }

    /// Whether the API server of this release takes `hpa`; what is wrong with it otherwise.
    pub(super) fn admits(&self, hpa: &HpaSpec, spec: &ServiceView) -> Result<Option<String>, ScenarioError> {
        let (major, minor) = self.kubernetes(spec)?;
        let gate = spec.kubernetes.feature_gates.get("HPAScaleToZero").copied().unwrap_or(minor >= 37);
        if hpa.replicas_min > 0 {
            return Ok(None);
        }
        let is_pod_free =
            |metric: &MetricSpec| matches!(metric, MetricSpec::Object { .. } | MetricSpec::External { .. });
        Ok(match (gate, hpa.metrics.iter().any(is_pod_free)) {
            (false, _) => Some(format!(
                "Kubernetes {major}.{minor} refuses 0: the gate HPAScaleToZero is off (on by default from 1.37; \
                 kubernetes.featureGates: {{HPAScaleToZero: true}})"
            )),
            (true, false) => Some(
                "0 needs at least one Object or External metric: per-pod metrics say nothing without pods".to_owned(),
            ),
            (true, true) => None,
        })
    }

    /// Notes fields that the API server of this release drops.
    pub(super) fn note_dropped(&mut self, hpa: &HpaSpec, manager: &ControllerManager, spec: &ServiceView) {
        let mut sides = hpa.behavior.iter().flat_map(|behavior| [&behavior.scale_up, &behavior.scale_down]).flatten();
        let has_tolerance = sides.any(|rules| rules.tolerance.is_some());
        if has_tolerance && !manager.has_configurable_tolerance {
            let version = &spec.kubernetes.version;
            let what = "tolerance has no effect: the gate HPAConfigurableTolerance is off (on by default from 1.35)";
            let note = format!("HorizontalPodAutoscaler/{}: {what}, kubernetes.version is {version}", hpa.name);
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }
}
