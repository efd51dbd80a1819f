//! The alternatives, with the manifests they name.

use cluster::spec::{
    ControllerSpec, PausePodsSpec, PolicySpec, PredictiveRole, PredictiveSpec, ServiceSpec, WarmPoolSpec,
};
use policy::keda::{ScaledObject, Warning, admission};
use units::SimDuration;

use crate::error::{At, ScenarioError};
use crate::file::{HpaChoice, KedaChoice, PolicyFile, PredictiveFile, Reference, ScenarioSpec};
use crate::manifest::{Document, HpaFile, Kind, MetadataFile, ScaledObjectFile, read};
use crate::quantity::Time;
use crate::tree::Node;

use super::Context;

impl Context<'_> {
    pub(super) fn policies(
        &mut self,
        spec: &ScenarioSpec,
        service: &ServiceSpec,
    ) -> Result<Vec<PolicySpec>, ScenarioError> {
        let mut policies: Vec<PolicySpec> = Vec::new();
        for (index, file) in spec.policies.iter().enumerate() {
            let path = format!("spec.policies[{index}]");
            if policies.iter().any(|earlier| earlier.name == file.name) {
                let reason = format!("another policy is called `{}` already", file.name);
                return Err(self.inconsistent(&format!("{path}.name"), &reason));
            }
            policies.push(self.policy(file, &path, service)?);
        }
        Ok(policies)
    }

    fn policy(&mut self, file: &PolicyFile, path: &str, service: &ServiceSpec) -> Result<PolicySpec, ScenarioError> {
        let sync_period = self.at_least(file.sync_period, SimDuration::from_secs(1), &format!("{path}.syncPeriod"))?;
        if file.hpa.is_some() && file.keda.is_some() {
            let reason = "`hpa` and `keda` on one service fight over its replica count; KEDA refuses it at admission";
            return Err(self.inconsistent(path, reason));
        }
        let mut controllers = Vec::new();
        let is_alone = file.hpa.is_none() && file.keda.is_none();
        let mut fixed = file.fixed;
        if let Some(predictive) = &file.predictive {
            let path = format!("{path}.predictive");
            let mut spec = self.predictive(predictive, &path)?;
            if is_alone && spec.role == PredictiveRole::Floor {
                spec.role = PredictiveRole::Alone;
                // A fixed number beside it is the least there shall be: two that write the count would undo each other.
                let least = fixed.take().map_or(spec.replicas_min, |fixed| fixed.replicas.max(spec.replicas_min));
                if least > spec.replicas_max {
                    return Err(self.inconsistent(&path, "`replicasMax` is below `static.replicas`"));
                }
                spec.replicas_min = least;
            }
            controllers.push(ControllerSpec::Predictive(spec));
        }
        if let Some(fixed) = fixed {
            controllers.push(ControllerSpec::Static { replicas: fixed.replicas });
        }
        if let Some(choice) = &file.hpa {
            let spec = self.hpa(choice, &file.name, &format!("{path}.hpa"), service)?;
            controllers.push(ControllerSpec::Hpa { spec, sync_period });
        }
        if let Some(choice) = &file.keda {
            let scaled_object = self.keda(choice, &file.name, &format!("{path}.keda"), service)?;
            controllers.push(ControllerSpec::Keda { scaled_object, sync_period });
        }
        if controllers.is_empty() {
            return Err(self.inconsistent(path, "needs at least one of `static`, `hpa`, `keda` and `predictive`"));
        }
        Ok(PolicySpec {
            name: file.name.clone(),
            controllers,
            warm_pool: file.warm_pool.as_ref().map(|pool| WarmPoolSpec {
                size: pool.size,
                promote: pool.promote.duration(),
                demote: pool.demote,
                on_demand: pool.on_demand,
                cover_notices: pool.cover_notices,
            }),
            pause_pods: file
                .pause_pods
                .map(|pause| PausePodsSpec { count: pause.count, preemption: pause.preemption.duration() }),
            replicas_initial: file.replicas,
        })
    }

    fn hpa(
        &mut self,
        choice: &HpaChoice,
        policy: &str,
        path: &str,
        service: &ServiceSpec,
    ) -> Result<policy::hpa::HpaSpec, ScenarioError> {
        match choice {
            Reference::Inline(spec) => {
                self.check_target(spec.scale_target_ref.as_ref(), &service.name, None, path)?;
                spec.resolve(policy).map_err(|(below, reason)| self.inconsistent(&format!("{path}.{below}"), &reason))
            }
            Reference::Name(name) => {
                let document = self.named(Kind::HorizontalPodAutoscaler, name, path)?;
                let (file, ignored) = read::<HpaFile>(document)?;
                self.note_ignored(document, &ignored);
                self.check_target(file.spec.scale_target_ref.as_ref(), &service.name, Some(document), path)?;
                file.spec.resolve(name).map_err(|(below, reason)| in_spec(document, &below, reason))
            }
        }
    }

    fn keda(
        &mut self,
        choice: &KedaChoice,
        policy: &str,
        path: &str,
        service: &ServiceSpec,
    ) -> Result<ScaledObject, ScenarioError> {
        let (mut object, document) = match choice {
            Reference::Inline(spec) => {
                self.check_target(spec.scale_target_ref.as_ref(), &service.name, None, path)?;
                let metadata = MetadataFile { name: policy.to_owned(), ..MetadataFile::default() };
                let object = spec.resolve(&metadata);
                (object.map_err(|(below, reason)| self.inconsistent(&format!("{path}.{below}"), &reason))?, None)
            }
            Reference::Name(name) => {
                let document = self.named(Kind::ScaledObject, name, path)?;
                let (file, ignored) = read::<ScaledObjectFile>(document)?;
                self.note_ignored(document, &ignored);
                self.check_target(file.spec.scale_target_ref.as_ref(), &service.name, Some(document), path)?;
                let object = file.spec.resolve(&file.metadata);
                (object.map_err(|(below, reason)| in_spec(document, &below, reason))?, Some(document))
            }
        };
        object.scale_target.clone_from(&service.name);
        let warnings = admission::validate(&object).map_err(|violation| match document {
            Some(document) => in_spec(document, "", violation.to_string()),
            None => self.inconsistent(path, &violation.to_string()),
        })?;
        for warning in warnings {
            let note = format!("ScaledObject/{}: {}", object.name, warning_text(&warning));
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        Ok(object)
    }

    fn predictive(&self, file: &PredictiveFile, path: &str) -> Result<PredictiveSpec, ScenarioError> {
        let wrong = |key: &str, reason: &str| Err(self.inconsistent(&format!("{path}.{key}"), reason));
        if file.days_ago.is_empty() || file.days_ago.contains(&0) {
            return wrong("daysAgo", "needs at least one number of days, each 1 or more");
        }
        if !(0.0..=100.0).contains(&file.percentile) {
            return wrong("percentile", "must be 0 to 100");
        }
        if file.replica_rate.0 <= 0.0 {
            return wrong("replicaRate", "must be above zero");
        }
        if file.replicas_max < file.replicas_min {
            return wrong("replicasMax", "is below `replicasMin`");
        }
        if file.window.0 < 2.0 * file.interval.0 {
            return wrong("window", "must be at least twice `interval`, else peaks between two forecasts are missed");
        }
        Ok(PredictiveSpec {
            interval: self.at_least(file.interval, SimDuration::from_secs(1), &format!("{path}.interval"))?,
            lookahead: file.lookahead.duration(),
            days_ago: file.days_ago.clone(),
            percentile: file.percentile,
            window: Time::duration(file.window),
            buffer: file.buffer.0,
            replica_rps: file.replica_rate.0,
            replicas_min: file.replicas_min,
            replicas_max: file.replicas_max,
            role: if file.direct { PredictiveRole::UpOnly } else { PredictiveRole::Floor },
        })
    }
}

/// A problem somewhere below `spec` of a manifest, at the deepest node that is written.
fn in_spec(document: &Document, below: &str, reason: String) -> ScenarioError {
    let path = if below.is_empty() { "spec".to_owned() } else { format!("spec.{below}") };
    let segments = crate::tree::parse_path(&path).unwrap_or_default();
    let node: &Node = document.node.deepest(&segments);
    ScenarioError::Inconsistent { at: Box::new(At { place: node.place.clone(), path }), reason }
}

fn warning_text(warning: &Warning) -> String {
    match warning {
        Warning::PollingIntervalIrrelevant => {
            "pollingInterval moves nothing between minReplicaCount and maxReplicaCount".to_owned()
        }
        Warning::CooldownIrrelevant => "cooldownPeriod moves nothing unless replicas can go to zero or idle".to_owned(),
        Warning::IdleAboveZero { idle } => {
            format!("idleReplicaCount {idle} makes operator and HPA undo each other's writes for ever")
        }
        Warning::MetadataIgnored { index, key } => format!("ignored: triggers[{index}].metadata.{key}"),
    }
}
