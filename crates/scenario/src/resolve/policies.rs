//! The alternatives, with the manifests they name.

use cluster::spec::{
    ControllerSpec, PausePodsSpec, PolicySpec, PredictiveRole, PredictiveSpec, ServicePolicy, ServiceSpec, WarmPoolSpec,
};
use units::SimDuration;

use crate::error::ScenarioError;
use crate::file::{HpaChoice, PolicyFile, PoolSharing, PredictiveFile, Reference, ServiceView};
use crate::manifest::{HpaFile, Kind, read};
use crate::quantity::Time;

use super::Context;
use super::keda::in_spec;

impl Context<'_> {
    /// The alternatives as they are about one service.
    pub(super) fn policies(
        &mut self,
        spec: &ServiceView,
        service: &ServiceSpec,
    ) -> Result<Vec<PolicySpec>, ScenarioError> {
        let mut policies: Vec<PolicySpec> = Vec::new();
        for (index, file) in spec.policies.iter().enumerate() {
            let path = format!("spec.policies[{index}]");
            if policies.iter().any(|earlier| earlier.name == file.name) {
                let reason = format!("another policy is called `{}` already", file.name);
                return Err(self.inconsistent(&format!("{path}.name"), &reason));
            }
            policies.push(self.policy(file, &path, spec, service)?);
        }
        Ok(policies)
    }

    fn policy(
        &mut self,
        file: &PolicyFile,
        path: &str,
        spec: &ServiceView,
        service: &ServiceSpec,
    ) -> Result<PolicySpec, ScenarioError> {
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
            let mut forecaster = self.predictive(predictive, &path)?;
            if is_alone && forecaster.role == PredictiveRole::Floor {
                forecaster.role = PredictiveRole::Alone;
                // A fixed number beside it is the least there shall be: two that write the count would undo each other.
                let least =
                    fixed.take().map_or(forecaster.replicas_min, |fixed| fixed.replicas.max(forecaster.replicas_min));
                if least > forecaster.replicas_max {
                    return Err(self.inconsistent(&path, "`replicasMax` is below `static.replicas`"));
                }
                forecaster.replicas_min = least;
            }
            controllers.push(ControllerSpec::Predictive(forecaster));
        }
        if let Some(fixed) = fixed {
            controllers.push(ControllerSpec::Static { replicas: fixed.replicas });
        }
        if let Some(choice) = &file.hpa {
            let hpa = self.hpa(choice, (file.object(), format!("{path}.hpa").as_str()), spec, service)?;
            let manager = self.controller_manager(spec, sync_period)?;
            self.note_dropped(&hpa, &manager, spec);
            controllers.push(ControllerSpec::Hpa { spec: hpa, manager });
        }
        if let Some(choice) = &file.keda {
            let scaled_object = self.keda(choice, (file, format!("{path}.keda").as_str()), spec, service)?;
            let manager = self.controller_manager(spec, sync_period)?;
            controllers.push(ControllerSpec::Keda { scaled_object, manager });
        }
        if controllers.is_empty() {
            return Err(self.inconsistent(path, "needs at least one of `static`, `hpa`, `keda` and `predictive`"));
        }
        let of_service = ServicePolicy {
            controllers,
            warm_pool: file.warm_pool.as_ref().map(|pool| WarmPoolSpec {
                size: pool.size,
                promote: pool.promote.duration(),
                demote: pool.demote,
                on_demand: pool.on_demand,
                cover_notices: pool.cover_notices,
            }),
            pause_pods: file.pause_pods.map(|pause| PausePodsSpec {
                count: pause.count,
                percent: 0,
                is_room: false,
                preemption: pause.preemption.duration(),
            }),
            replicas_initial: file.replicas,
        };
        let has_pools_apart = file.pools == PoolSharing::PerService;
        Ok(PolicySpec { name: file.name.clone(), services: vec![of_service], has_pools_apart })
    }

    fn hpa(
        &mut self,
        choice: &HpaChoice,
        (called, path): (&str, &str),
        spec: &ServiceView,
        service: &ServiceSpec,
    ) -> Result<policy::hpa::HpaSpec, ScenarioError> {
        let (hpa, document) = match choice {
            Reference::Inline(inline) => {
                self.check_target(inline.scale_target_ref.as_ref(), &service.workload, None, path)?;
                let hpa = inline.resolve(called);
                (hpa.map_err(|(below, reason)| self.inconsistent(&format!("{path}.{below}"), &reason))?, None)
            }
            Reference::Name(name) => {
                let document = self.named(Kind::HorizontalPodAutoscaler, name, path)?;
                let (file, ignored) = read::<HpaFile>(document)?;
                self.note_ignored(document, &ignored);
                self.check_target(file.spec.scale_target_ref.as_ref(), &service.workload, Some(document), path)?;
                (file.spec.resolve(name).map_err(|(below, reason)| in_spec(document, &below, reason))?, Some(document))
            }
        };
        match self.admits(&hpa, spec)? {
            Some(reason) => Err(match document {
                Some(document) => in_spec(document, "minReplicas", reason),
                None => self.inconsistent(&format!("{path}.minReplicas"), &reason),
            }),
            None => Ok(hpa),
        }
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
