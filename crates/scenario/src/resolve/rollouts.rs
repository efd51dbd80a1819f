//! `rollouts`: new versions of the workload.

use cluster::spec::{CanaryStep, Leeway, Portion, ReplicaOrder, RolloutSpec, RolloutStrategy, ServiceSpec};
use units::{SimDuration, SimTime};

use crate::error::ScenarioError;
use crate::file::{PortionFile, RolloutFile, ServiceView, StepFile, StrategyFields, StrategyKind, VersionFile};
use crate::quantity::Time;

use super::Context;
use super::updates::UpdateDefaults;

impl Context<'_> {
    /// The new versions of the run, in order of time.
    pub(super) fn rollouts(
        &mut self,
        spec: &ServiceView,
        service: &ServiceSpec,
    ) -> Result<Vec<RolloutSpec>, ScenarioError> {
        let defaults = UpdateDefaults::of(self.workload.as_ref())?;
        let has_pool = spec.policies.iter().any(|policy| policy.warm_pool.is_some());
        let title = self.workload.as_ref().map(|workload| workload.document.title());
        if let (ReplicaOrder::Ordered, Some(title)) = (service.order, title) {
            self.note(format!(
                "{title}: podManagementPolicy OrderedReady: each replica starts when all before it are ready, so that growth by several takes \
                 as many cold starts; with Parallel they start at once"
            ));
        }
        if has_pool && service.order != ReplicaOrder::Parallel {
            let name = &service.workload;
            self.note(format!(
                "{name}: in policies with a warm pool its replicas come and go all at once, as those of a Deployment"
            ));
        }
        let mut rollouts = Vec::new();
        for (index, file) in spec.rollouts.iter().enumerate() {
            let path = format!("spec.rollouts[{index}]");
            if file.service.as_ref().is_some_and(|name| *name != service.workload) {
                let found = file.service.as_deref().unwrap_or_default();
                return Err(self.unknown_name(
                    &format!("{path}.service"),
                    "workload",
                    found,
                    [service.workload.as_str()],
                ));
            }
            if file.at.duration() >= spec.run.duration.duration() {
                return Err(self.inconsistent(&format!("{path}.at"), "must be before the end of the run"));
            }
            if has_pool {
                return Err(self.inconsistent(&path, "rollouts of a service with a warm pool are not modelled"));
            }
            let fields = file.strategy.as_ref().map(|strategy| &strategy.0).or(defaults.strategy.as_ref());
            let fields = fields.cloned().unwrap_or_default();
            rollouts.push(RolloutSpec {
                at: SimTime::ZERO + file.at.duration(),
                image_is_new: file.image == VersionFile::New,
                model_is_new: file.model == VersionFile::New,
                min_ready: file.min_ready.map_or(defaults.min_ready, Time::duration),
                progress_deadline: (service.order == ReplicaOrder::Parallel).then_some(defaults.progress_deadline),
                strategy: self.strategy((file, &fields), service.order, &path)?,
            });
        }
        rollouts.sort_by_key(|rollout| rollout.at);
        Ok(rollouts)
    }

    fn strategy(
        &self,
        (file, fields): (&RolloutFile, &StrategyFields),
        order: ReplicaOrder,
        path: &str,
    ) -> Result<RolloutStrategy, ScenarioError> {
        let at = format!("{path}.strategy");
        if order != ReplicaOrder::Parallel {
            if fields.kind == StrategyKind::OnDelete {
                return Ok(RolloutStrategy::Ordered { partition: 0, unavailable_max: Portion::Count(0) });
            }
            if fields.kind != StrategyKind::RollingUpdate || fields.max_surge.is_some() {
                return Err(self.inconsistent(
                    &at,
                    "a StatefulSet has `onDelete`, or `rollingUpdate` with `partition` and `maxUnavailable` only; a surge of a LeaderWorkerSet is not modelled",
                ));
            }
            let unavailable_max = match fields.max_unavailable.map(portion) {
                Some(Portion::Count(0)) => {
                    return Err(self.inconsistent(&at, "`maxUnavailable` of a StatefulSet must be at least 1"));
                }
                stated => stated.unwrap_or(Portion::Count(1)),
            };
            return Ok(RolloutStrategy::Ordered { partition: fields.partition, unavailable_max });
        }
        if fields.partition > 0 {
            return Err(self.inconsistent(&at, "`partition` is for StatefulSets"));
        }
        let leeway = Leeway {
            surge: fields.max_surge.map_or(Leeway::DEFAULT.surge, portion),
            unavailable: fields.max_unavailable.map_or(Leeway::DEFAULT.unavailable, portion),
        };
        Ok(match fields.kind {
            StrategyKind::RollingUpdate => RolloutStrategy::Rolling(leeway),
            StrategyKind::Recreate => RolloutStrategy::Recreate,
            StrategyKind::OnDelete => return Err(self.inconsistent(&at, "`onDelete` is for StatefulSets")),
            StrategyKind::Canary => {
                let steps = fields.steps.iter().map(|step| self.step(*step, file, (fields.traffic_routing, path)));
                let steps = steps.collect::<Result<_, _>>()?;
                RolloutStrategy::Canary { steps, leeway, keeps_stable: fields.traffic_routing }
            }
            StrategyKind::BlueGreen => {
                let by_itself = fields.auto_promotion_enabled.unwrap_or(true);
                let promote_after = match (by_itself, fields.auto_promotion_seconds, file.promote_after) {
                    (_, _, Some(stated)) => stated.duration(),
                    (true, seconds, None) => SimDuration::from_secs(seconds.unwrap_or(0)),
                    (false, ..) => {
                        let reason = "waits for a person to promote it; say after how long with `promoteAfter`";
                        return Err(self.inconsistent(path, reason));
                    }
                };
                RolloutStrategy::BlueGreen {
                    preview: fields.preview_replica_count,
                    promote_after,
                    scale_down_delay: SimDuration::from_secs(fields.scale_down_delay_seconds.unwrap_or(30)),
                }
            }
        })
    }

    fn step(
        &self,
        step: StepFile,
        file: &RolloutFile,
        (routes_traffic, path): (bool, &str),
    ) -> Result<CanaryStep, ScenarioError> {
        match step {
            StepFile::SetWeight(weight) if weight <= 100 => Ok(CanaryStep::Weight(weight)),
            StepFile::SetWeight(_) => Err(self.inconsistent(path, "`setWeight` must be at most 100")),
            StepFile::SetCanaryScale(_) if !routes_traffic => {
                Err(self.inconsistent(path, "`setCanaryScale` needs `trafficRouting: true`"))
            }
            StepFile::SetCanaryScale(scale) => match (scale.replicas, scale.weight) {
                (Some(replicas), None) => Ok(CanaryStep::Scale(Portion::Count(replicas))),
                (None, Some(weight)) => Ok(CanaryStep::Scale(Portion::Percent(weight))),
                _ => Err(self.inconsistent(path, "`setCanaryScale` needs one of `replicas` and `weight`")),
            },
            StepFile::Pause(pause) => {
                let length = pause.duration.or(file.promote_after).ok_or_else(|| {
                    let reason = "has a `pause` that waits for a person; say for how long with `promoteAfter`";
                    self.inconsistent(path, reason)
                })?;
                Ok(CanaryStep::Pause(length.duration()))
            }
        }
    }
}

fn portion(file: PortionFile) -> Portion {
    match file {
        PortionFile::Count(count) => Portion::Count(count),
        PortionFile::Percent(percent) => Portion::Percent(percent),
    }
}
