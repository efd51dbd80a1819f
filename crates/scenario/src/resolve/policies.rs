//! The alternatives, with the manifests they name.

use cluster::spec::{
    ControllerSpec, PausePodsSpec, PolicySpec, PredictiveRole, PredictiveSpec, ServicePolicy, ServiceSpec, WarmPoolSpec,
};
use policy::external::ExternalConfig;
use units::SimDuration;

use crate::data::Program;
use crate::error::ScenarioError;
use crate::file::{ExecFile, HpaChoice, PolicyFile, PoolSharing, PredictiveFile, Reference, ServiceView, WarmPoolFile};
use crate::manifest::{HpaFile, Kind, read};
use crate::quantity::Time;

use super::Context;
use super::keda::in_spec;

/// Most replicas of a service. Kubernetes is tested up to 150,000 pods.
pub(super) const REPLICAS_MAX: u32 = 150_000;

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
            self.check_label(&file.name, &format!("{path}.name"))?;
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
        self.check_writers(file, path)?;
        let mut controllers = Vec::new();
        let is_alone = file.hpa.is_none() && file.keda.is_none() && file.exec.is_none();
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
        for (key, replicas) in [("static.replicas", fixed.map(|fixed| fixed.replicas)), ("replicas", file.replicas)] {
            if replicas.is_some_and(|replicas| replicas > REPLICAS_MAX) {
                let reason = format!("more than {REPLICAS_MAX} replicas are more than a cluster, or memory, holds");
                return Err(self.inconsistent(&format!("{path}.{key}"), &reason));
            }
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
        if let Some(exec) = &file.exec {
            controllers.push(self.exec(exec, &file.name, &format!("{path}.exec"))?);
        }
        let mut replicas_initial = file.replicas;
        if let Some(recorded) = &file.recorded {
            let path = format!("{path}.recorded");
            let recorded = self.recorded(recorded, (&file.name, &path), spec.run.duration.duration())?;
            // The recording says what there was at the start, too.
            replicas_initial = replicas_initial.or(Some(recorded.at(SimDuration::ZERO)));
            controllers.push(ControllerSpec::Recorded(recorded));
        }
        if controllers.is_empty() {
            let reason = "needs at least one of `static`, `recorded`, `hpa`, `keda`, `predictive` and `exec`";
            return Err(self.inconsistent(path, reason));
        }
        let of_service = ServicePolicy {
            controllers,
            warm_pool: file.warm_pool.as_ref().map(warm_pool),
            pause_pods: file.pause_pods.map(|pause| PausePodsSpec {
                count: pause.count,
                percent: 0,
                is_room: false,
                preemption: pause.preemption.duration(),
            }),
            replicas_initial,
        };
        let has_pools_apart = file.pools == PoolSharing::PerService;
        Ok(PolicySpec { name: file.name.clone(), services: vec![of_service], has_pools_apart })
    }

    /// One of a policy's controllers writes the replica count, and no more than one.
    fn check_writers(&self, file: &PolicyFile, path: &str) -> Result<(), ScenarioError> {
        if file.hpa.is_some() && file.keda.is_some() {
            let reason = "`hpa` and `keda` on one service fight over its replica count; KEDA refuses it at admission";
            return Err(self.inconsistent(path, reason));
        }
        if file.exec.is_some() && (file.hpa.is_some() || file.keda.is_some() || file.fixed.is_some()) {
            let reason = "`exec` beside `hpa`, `keda` or `static`: both would write the replica count";
            return Err(self.inconsistent(path, reason));
        }
        let is_other = file.fixed.is_some() || file.predictive.is_some() || file.exec.is_some();
        if file.recorded.is_some() && (is_other || file.hpa.is_some() || file.keda.is_some()) {
            let reason = "`recorded` is the past as it was: beside another that writes the replica count it would be neither; a policy each";
            return Err(self.inconsistent(path, reason));
        }
        Ok(())
    }

    /// A program that decides, as far as whoever opens files lets it run.
    fn exec(&self, file: &ExecFile, policy: &str, path: &str) -> Result<ControllerSpec, ScenarioError> {
        let below = |key: &str| format!("{path}.{key}");
        if file.command.first().is_none_or(String::is_empty) {
            return Err(self.inconsistent(&below("command"), "needs the program first, then its arguments"));
        }
        let period = self.at_least(file.period, SimDuration::from_secs(1), &below("period"))?;
        let timeout = self.at_least(file.timeout, SimDuration::from_millis(1), &below("timeout"))?;
        if file.max_replicas > REPLICAS_MAX {
            let reason = format!("more than {REPLICAS_MAX} replicas are more than a cluster, or memory, holds");
            return Err(self.inconsistent(&below("maxReplicas"), &reason));
        }
        if file.min_replicas > file.max_replicas {
            return Err(self.inconsistent(&below("minReplicas"), "is above `maxReplicas`"));
        }
        let program = Program {
            command: file.command.clone(),
            timeout: std::time::Duration::from_nanos(timeout.as_nanos()),
            folder: self.folder.clone(),
            policy: policy.to_owned(),
        };
        let deciders = self.data.program(program).map_err(|reason| self.inconsistent(path, &reason))?;
        let query =
            |(name, text): (&String, &String)| (name.clone(), policy::MetricQuery::PromQl { expression: text.clone() });
        let config = ExternalConfig {
            period,
            metrics: file.metrics.iter().map(query).collect(),
            bounds: (file.min_replicas, file.max_replicas),
        };
        Ok(ControllerSpec::External { config, deciders })
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

fn warm_pool(file: &WarmPoolFile) -> WarmPoolSpec {
    WarmPoolSpec {
        size: file.size,
        promote: file.promote.duration(),
        demote: file.demote,
        on_demand: file.on_demand,
        cover_notices: file.cover_notices,
    }
}
