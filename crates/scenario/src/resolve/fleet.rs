//! Nodes, cold starts, spot interruptions, disruption budgets.

use cluster::fleet::is_schedule;
use cluster::spec::{
    ClusterAutoscalerSpec, Consolidation, DisruptionBudget, FleetSpec, InterruptionModel, KarpenterSpec, NodeLostSpec,
    NodeManager, NodePoolSpec, NodeTimings, OnDemandShare, PodDisruptionBudget, PodSpec, PoolRules, Scheduling,
    ServiceSpec, SpotSpec,
};
use units::{Bytes, Millicores, SimDuration};

use crate::error::{At, ScenarioError};
use crate::file::{
    CapacityType, ConsolidationFile, DisruptionBudgetFile, InterruptionsFile, ManagerFile, PoolFile, SchedulingFile,
    ServiceView, SpotFile,
};
use crate::manifest::{BudgetFile, Document, Kind, TaintFile, default_budget, disruption_budget, read};
use crate::quantity::Time;

use super::karpenter_pool::Manifested;
use super::offerings::{Asker, Market, Wanted};
use super::{Context, RunWindow};

const SECOND: SimDuration = SimDuration::from_secs(1);

impl Context<'_> {
    /// Everything that runs pods, and what those of each service go through there.
    pub(super) fn fleet(
        &mut self,
        views: &[ServiceView],
        services: &mut [ServiceSpec],
        window: &RunWindow,
    ) -> Result<FleetSpec, ScenarioError> {
        let spec = &views[0];
        let pods: Vec<PodSpec> = services.iter().map(|service| service.pod.largest_of_group()).collect();
        let mut askers = Vec::with_capacity(services.len());
        for (number, (service, pod)) in services.iter().zip(&pods).enumerate() {
            self.turn_to(number);
            let namespace = self.workload.as_ref().and_then(|found| self.namespace_of(&found.document));
            askers.push(Asker { number, name: &service.name, pod, namespace: namespace.map(str::to_owned) });
        }
        self.turn_to_all();
        let manager = self.manager(&spec.nodes.manager)?;
        let pools = match manager {
            NodeManager::Serverless { .. } => Vec::new(),
            _ => self.pools(spec, &askers, window)?,
        };
        self.turn_to_all();
        let spot = self.spot(&spec.spot, &pools, window)?;
        let links = self.links(views)?;
        for (number, (view, service)) in views.iter().zip(services.iter_mut()).enumerate() {
            self.turn_to(number);
            service.cold_start = self.cold_start(&view.cold_start, &links)?;
            service.first_iteration = self.first_iteration(&view.cold_start, &service.model)?;
            self.note_kills(&pods[number], &service.cold_start, &links);
        }
        self.turn_to_all();
        let (timings, commitments) = (self.timings(spec)?, self.commitments(spec, &pools)?);
        for (number, service) in services.iter_mut().enumerate() {
            self.turn_to(number);
            service.budgets = self.pod_budgets(&pods[number].labels, &service.namespace)?;
        }
        let cache = self.node_cache(views)?;
        self.turn_to_all();
        Ok(FleetSpec {
            manager,
            timings,
            links,
            cache,
            spot,
            commitments,
            pools,
            scheduling: match spec.nodes.scheduling {
                SchedulingFile::LeastAllocated => Scheduling::LeastAllocated,
                SchedulingFile::MostAllocated => Scheduling::MostAllocated,
            },
            karpenter: self.karpenter(spec)?,
        })
    }

    /// Rules of the version of Karpenter that is stated; of the newest if none is.
    fn karpenter(&self, spec: &ServiceView) -> Result<KarpenterSpec, ScenarioError> {
        let Some(version) = &spec.karpenter.version else { return Ok(KarpenterSpec::default()) };
        let parts: Option<Vec<u32>> =
            version.trim_start_matches('v').split('.').map(|part| part.parse().ok()).collect();
        match parts.as_deref() {
            Some([major, minor, ..]) => Ok(KarpenterSpec { receivers_need_not_settle: (*major, *minor) < (1, 14) }),
            _ => Err(self.inconsistent("spec.karpenter.version", "must be a version such as `1.13`")),
        }
    }

    fn timings(&self, spec: &ServiceView) -> Result<NodeTimings, ScenarioError> {
        let timings = &spec.nodes.timings;
        let has_timeouts = matches!(spec.nodes.manager, ManagerFile::Karpenter | ManagerFile::ClusterAutoscaler(_));
        for (key, share) in [("launchStuck", timings.launch_stuck), ("registrationStuck", timings.registration_stuck)] {
            let path = format!("spec.nodes.timings.{key}");
            if share.0 >= 1.0 {
                return Err(self.inconsistent(&path, "must be below 100%: no node would ever come"));
            }
            if share.0 > 0.0 && !has_timeouts {
                return Err(self.inconsistent(
                    &path,
                    "only `karpenter` and `clusterAutoscaler` give up a node that does not come",
                ));
            }
        }
        Ok(NodeTimings {
            launch: self.distribution(&timings.launch, "spec.nodes.timings.launch")?,
            boot: self.distribution(&timings.boot, "spec.nodes.timings.boot")?,
            device_plugin: self.distribution(&timings.device_plugin, "spec.nodes.timings.devicePlugin")?,
            launch_failure: self.distribution(&timings.launch_failure, "spec.nodes.timings.launchFailure")?,
            launch_stuck: timings.launch_stuck.0,
            registration_stuck: timings.registration_stuck.0,
        })
    }

    fn manager(&self, file: &ManagerFile) -> Result<NodeManager, ScenarioError> {
        Ok(match file {
            ManagerFile::Karpenter => NodeManager::Karpenter,
            ManagerFile::ClusterAutoscaler(settings) => {
                let least = SECOND;
                let path = "spec.nodes.manager.clusterAutoscaler.scanInterval";
                NodeManager::ClusterAutoscaler(ClusterAutoscalerSpec {
                    scan_interval: self.at_least(settings.scan_interval, least, path)?,
                    unneeded_time: settings.unneeded_time.duration(),
                    delay_after_add: settings.delay_after_add.duration(),
                    provision_time_max: settings.provision_time_max.duration(),
                    gpu_utilization_threshold: settings.gpu_utilization_threshold.0,
                })
            }
            ManagerFile::Simple(simple) => NodeManager::Simple { empty_delay: simple.empty_delay.duration() },
            ManagerFile::Serverless(serverless) => NodeManager::Serverless { price: serverless.price.0 },
        })
    }

    fn pools(
        &mut self,
        spec: &ServiceView,
        askers: &[Asker<'_>],
        window: &RunWindow,
    ) -> Result<Vec<NodePoolSpec>, ScenarioError> {
        let book = self.price_book(spec, window)?;
        let (daemons, overlays) = (self.daemons()?, self.overlays(spec)?);
        let market = Market { spec, book: &book, askers, daemons: &daemons, overlays: &overlays };
        let manifests: Vec<&Document> = [Kind::NodePool, Kind::NodePoolBeta, Kind::Provisioner]
            .into_iter()
            .flat_map(|kind| self.of_kind(kind))
            .collect();
        let (mut pools, mut left_out) = (Vec::new(), Vec::new());
        for (index, pool) in spec.nodes.pools.iter().enumerate() {
            let path = format!("spec.nodes.pools[{index}]");
            if manifests.iter().any(|document| document.name == pool.name) || self.is_of_class(&market, &pool.name) {
                self.check_addition(pool, &path)?;
            } else {
                pools.push(self.written_pool(&market, pool, &path)?);
            }
        }
        for document in manifests {
            match self.karpenter_pool(&market, document)? {
                Manifested::Pool(pool) => pools.push(*pool),
                Manifested::LeftOut(pool) => left_out.push(pool),
            }
        }
        self.class_pools(&market, (&mut pools, &mut left_out))?;
        if pools.is_empty() && left_out.is_empty() {
            let reason = "there is no pool: add one under `nodes.pools`, or a NodePool manifest";
            return Err(self.inconsistent("spec.nodes", reason));
        }
        self.imply_taints(&market, &mut pools);
        self.make_room_for_daemons(&market, &mut pools);
        for (index, pool) in pools.iter().enumerate() {
            if pools[..index].iter().any(|earlier| earlier.name == pool.name) {
                return Err(self.inconsistent("spec.nodes.pools", &format!("two pools are called `{}`", pool.name)));
            }
        }
        for asker in askers {
            self.turn_to(asker.number);
            self.check_fit(&pools, &left_out, asker)?;
            let (pod, resource) = (asker.pod, &asker.pod.gpu_resource);
            if matches!(spec.nodes.manager, ManagerFile::Karpenter) && pod.gpus > 0 && resource != "nvidia.com/gpu" {
                self.notes.push(format!(
                    "Karpenter launches nothing for `{resource}` before a node has reported it; the model takes it as known"
                ));
            }
        }
        self.turn_to_all();
        self.note_reservations(&pools);
        self.note_recorded_prices(&book, &pools);
        self.note_catalog_prices(&book, &pools, window.date);
        Ok(pools)
    }

    fn written_pool(
        &mut self,
        market: &Market<'_>,
        pool: &PoolFile,
        path: &str,
    ) -> Result<NodePoolSpec, ScenarioError> {
        let wanted = Wanted {
            path: &format!("{path}.instanceTypes"),
            instance_types: pool.instance_types.clone(),
            capacity_types: &pool.capacity_types,
            capacity_path: Some(&format!("{path}.capacityTypes")),
            capacity_is_required: true,
            zones: &pool.zones,
            capacity: &pool.capacity,
            pool: &pool.name,
            cloud: None,
            region: None,
            spot_price: pool.spot_price.map(|price| price.0),
        };
        if pool.instance_types.is_empty() {
            let reason = format!("`instanceTypes` is missing, and no NodePool manifest is called `{}`", pool.name);
            return Err(self.inconsistent(path, &reason));
        }
        self.check_capacity(pool, path)?;
        if pool.nodes_max.is_some_and(|most| most < pool.nodes_min) {
            return Err(self.inconsistent(&format!("{path}.nodesMax"), "is below `nodesMin`"));
        }
        Ok(NodePoolSpec {
            name: pool.name.clone(),
            weight: pool.weight,
            offerings: self.offerings(market, &wanted)?,
            labels: pool.labels.clone().into_iter().collect(),
            gpus_max: pool.gpus_max,
            cpu_max: pool.cpus_max.map(|cpus| Millicores(u64::from(cpus) * 1_000)),
            memory_max: pool.memory_max.map(|memory| Bytes(memory.0)),
            nodes_min: pool.nodes_min,
            nodes_max: pool.nodes_max,
            on_demand: self.on_demand_share(pool, &pool.capacity_types, path)?,
            consolidation: match pool.consolidation {
                ConsolidationFile::Never => Consolidation::Never,
                ConsolidationFile::WhenEmpty(after) => Consolidation::WhenEmpty(after.duration()),
                ConsolidationFile::WhenEmptyOrUnderutilized(after) => {
                    Consolidation::WhenEmptyOrUnderutilized(after.duration())
                }
                ConsolidationFile::Balanced(balanced) if balanced.threshold == 0 => {
                    let path = format!("{path}.consolidation.balanced.threshold");
                    return Err(self.inconsistent(&path, "must be at least 1"));
                }
                ConsolidationFile::Balanced(balanced) => {
                    Consolidation::Balanced { after: balanced.after.duration(), threshold: balanced.threshold }
                }
            },
            expire_after: pool.expire_after.map(Time::duration),
            termination_grace: pool.termination_grace.map(Time::duration),
            budgets: self.written_budgets(pool.budgets.as_deref(), &format!("{path}.budgets"))?,
            rules: PoolRules {
                taints: pool.taints.iter().map(TaintFile::taint).collect(),
                lacks_gpu_label: self.lacks_gpu_label(market, pool, path)?,
                ..PoolRules::default()
            },
        })
    }

    /// A capacity that lets nothing through is a slip.
    pub(super) fn check_capacity(&self, pool: &PoolFile, path: &str) -> Result<(), ScenarioError> {
        let mut shares = pool.capacity.values().filter_map(|capacity| capacity.insufficient);
        match shares.find(|share| share.0 >= 1.0) {
            Some(share) => {
                let reason = format!("`insufficient: {}%` would never launch anything", share.0 * 100.0);
                Err(self.inconsistent(&format!("{path}.capacity"), &reason))
            }
            None => Ok(()),
        }
    }

    /// How much of a pool is kept on demand. It needs both options, or there would be nothing to share.
    pub(super) fn on_demand_share(
        &self,
        pool: &PoolFile,
        capacity_types: &[CapacityType],
        path: &str,
    ) -> Result<Option<OnDemandShare>, ScenarioError> {
        if pool.on_demand_base.is_none() && pool.on_demand_share.is_none() {
            return Ok(None);
        }
        let has = |kind| capacity_types.contains(&kind);
        if !(has(CapacityType::Spot) && has(CapacityType::OnDemand)) {
            let reason = "`onDemandBase` and `onDemandShare` need `capacityTypes: [spot, on-demand]`";
            return Err(self.inconsistent(path, reason));
        }
        let above = pool.on_demand_share.map_or(0.0, |share| share.0);
        if above > 1.0 {
            return Err(self.inconsistent(&format!("{path}.onDemandShare"), "must be at most 100%"));
        }
        Ok(Some(OnDemandShare { base: pool.on_demand_base.unwrap_or(0), above }))
    }

    fn written_budgets(
        &self,
        budgets: Option<&[DisruptionBudgetFile]>,
        path: &str,
    ) -> Result<Vec<DisruptionBudget>, ScenarioError> {
        let Some(budgets) = budgets else { return Ok(vec![default_budget()]) };
        let resolve = |budget: &DisruptionBudgetFile| {
            if let Some(schedule) = budget.schedule.as_ref().filter(|text| !is_schedule(text)) {
                let reason =
                    format!("schedule `{schedule}` is no cron schedule (five fields; Sunday is 0, ranges ascend)");
                return Err(self.inconsistent(path, &reason));
            }
            let duration = budget.duration.map(Time::duration);
            disruption_budget(&budget.nodes, budget.reasons.clone(), budget.schedule.clone(), duration)
                .map_err(|reason| self.inconsistent(path, &reason))
        };
        budgets.iter().map(resolve).collect()
    }

    fn pod_budgets(
        &mut self,
        labels: &[(String, String)],
        namespace: &str,
    ) -> Result<Vec<PodDisruptionBudget>, ScenarioError> {
        let mut budgets = Vec::new();
        for document in self.of_kind(Kind::PodDisruptionBudget) {
            let (budget, ignored) = read::<BudgetFile>(document)?;
            self.note_ignored(document, &ignored);
            // One service is taken to be where its budget is.
            let is_here = !self.has_several() || document.is_beside(Some(namespace));
            if is_here && budget.spec.selects(labels) {
                budgets.push(budget.spec.resolve().map_err(|reason| {
                    let place = document.node.get("spec").unwrap_or(&document.node).place.clone();
                    ScenarioError::Inconsistent { at: Box::new(At { place, path: "spec".to_owned() }), reason }
                })?);
            } else {
                let source = &document.node.place.source;
                self.note_miss(format!("ignored: {source}: {}: selects no pod of the service", document.title()));
            }
        }
        Ok(budgets)
    }

    fn spot(&mut self, file: &SpotFile, pools: &[NodePoolSpec], window: &RunWindow) -> Result<SpotSpec, ScenarioError> {
        let model = match &file.interruptions {
            InterruptionsFile::None => InterruptionModel::None,
            InterruptionsFile::Constant(hazard) => InterruptionModel::Constant { per_hour: hazard.0 },
            InterruptionsFile::Bathtub(bathtub) => {
                let points: Vec<(f64, f64)> =
                    bathtub.points.iter().map(|point| (point.age.0 / 3_600.0, point.rate.0)).collect();
                if points.is_empty() || points.windows(2).any(|pair| pair[1].0 <= pair[0].0) {
                    let reason = "at least one point is needed, in ascending order of `age`";
                    return Err(self.inconsistent("spec.spot.interruptions.bathtub.points", reason));
                }
                InterruptionModel::Bathtub { points }
            }
            InterruptionsFile::Clustered(clustered) => {
                if clustered.share.0 > 1.0 {
                    let path = "spec.spot.interruptions.clustered.share";
                    return Err(self.inconsistent(path, "must be at most 100%"));
                }
                InterruptionModel::Clustered {
                    events_per_hour: clustered.events.0,
                    share: clustered.share.0,
                    spread: clustered.spread.duration(),
                }
            }
            InterruptionsFile::Availability(traces) => self.availability(traces, pools, window)?,
        };
        Ok(SpotSpec {
            model,
            notice: file.notice.duration(),
            notice_latency: file.notice_latency.duration(),
            node_lost: (!file.interruption_queue)
                .then(|| {
                    let not_ready = self.distribution(&file.node_lost.not_ready, "spec.spot.nodeLost.notReady")?;
                    Ok(NodeLostSpec { not_ready, eviction: file.node_lost.eviction.duration() })
                })
                .transpose()?,
            rebalance: file
                .rebalance
                .as_ref()
                .map(|lead| self.distribution(lead, "spec.spot.rebalance"))
                .transpose()?,
            away: file.away.duration(),
        })
    }
}
