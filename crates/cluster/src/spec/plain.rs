//! Values to start from: one GPU, no time, no failure, no limit. Who describes a fleet says only what is not so.

use std::sync::Arc;

use record::Purchase;
use units::{Bytes, Millicores, SimDuration, SimTime, UsdPerHour};
use workload::{Distribution, Traffic};

use super::{
    Billing, ColdStartSpec, Consolidation, ContainerSpec, ControllerSpec, EarlierTraffic, EngineSpec, FleetSpec,
    GpuSlice, InstanceOffering, InterruptionModel, KarpenterSpec, KillRule, NoReplicaRule, NodeManager, NodePoolSpec,
    NodeTimings, PhaseSpec, PodScheduling, PodSpec, PolicySpec, PoolRules, PrefixSpec, Probes, ReplicaOrder,
    RouterSpec, Routing, Scheduling, ServiceModel, ServicePolicy, ServiceSpec, SloSpec, SoftSpread, SpotSpec, StopRule,
    TagSpec, UsageSpec,
};

impl ServiceSpec {
    /// One replica of a `model` behind a queue in which nothing is refused, without requests and without an objective for their latency.
    pub fn plain(name: &str, model: ServiceModel) -> Self {
        Self {
            name: name.into(),
            workload: name.into(),
            salt: 0,
            namespace: "default".into(),
            model,
            routing: Routing::CentralQueue,
            router: RouterSpec::default(),
            prefix: PrefixSpec::Off,
            tags: TagSpec::default(),
            engine_by_priority: false,
            engine: EngineSpec::default(),
            no_replica: NoReplicaRule::Hold,
            queue_limit: None,
            client_timeout: None,
            client_patience: None,
            retries: None,
            kill_rule: KillRule::Requeue,
            replicas_initial: 1,
            order: ReplicaOrder::Parallel,
            min_ready: SimDuration::ZERO,
            pod: PodSpec::plain(),
            cold_start: ColdStartSpec::none(),
            first_iteration: None,
            budgets: Vec::new(),
            traffic: Traffic::Merge(Vec::new()),
            called_by: None,
            earlier: EarlierTraffic::default(),
            history: Arc::default(),
            slo: SloSpec { latency: None, ttft: None, tpot: None, end_to_end: None, objective: 0.99 },
            rollouts: Vec::new(),
            targets: Vec::new(),
            usage: UsageSpec::default(),
        }
    }
}

impl PolicySpec {
    /// An alternative for a run of one service.
    pub fn of_one(name: &str, controllers: Vec<ControllerSpec>) -> Self {
        let of_service = ServicePolicy { controllers, ..ServicePolicy::default() };
        Self { name: name.into(), services: vec![of_service], has_pools_apart: false }
    }
}

impl PodSpec {
    /// One GPU for a container `server`, ready as soon as it is loaded; 30 s of grace.
    pub fn plain() -> Self {
        Self {
            gpus: 1,
            gpu_resource: "nvidia.com/gpu".into(),
            containers: vec![ContainerSpec { name: "server".into(), cpu: None, memory: None, is_sidecar: false }],
            grace: SimDuration::from_secs(30),
            pre_stop: SimDuration::ZERO,
            probe_period: SimDuration::ZERO,
            probe_initial_delay: SimDuration::ZERO,
            endpoint_delay: SimDuration::ZERO,
            drain_delay: None,
            stop: StopRule::FINISH,
            spread: SoftSpread::default(),
            node_selector: Vec::new(),
            priority: 0,
            labels: Vec::new(),
            image: "server:1".into(),
            group: None,
            probes: Probes::default(),
            scheduling: PodScheduling::default(),
        }
    }
}

impl InstanceOffering {
    /// Instances with `gpus` whole GPUs in zone `a`, always to be had, billed by the second and for a minute at least.
    pub fn plain(instance_type: &str, purchase: Purchase, gpus: u32, price: UsdPerHour) -> Self {
        let (minimum, increment) = (SimDuration::from_secs(60), SimDuration::from_secs(1));
        Self {
            instance_type: instance_type.into(),
            zone: "a".into(),
            purchase,
            gpus,
            slice: GpuSlice::whole(gpus),
            gpu_resource: "nvidia.com/gpu".into(),
            gpu_product: String::new(),
            cpu: Millicores(0),
            memory: Bytes(0),
            machine_cpu: Millicores(0),
            machine_memory: Bytes(0),
            prices: Arc::from([(SimTime::ZERO, price)]),
            billing: Billing { minimum, increment, spot_free_until: SimDuration::ZERO },
            capacity_max: None,
            insufficient_capacity: 0.0,
            labels: Vec::new(),
            extended: Vec::new(),
            overlay: None,
        }
    }
}

impl NodePoolSpec {
    /// A pool without limits whose empty nodes go after `empty_delay`.
    pub fn plain(offerings: Vec<InstanceOffering>, empty_delay: SimDuration) -> Self {
        Self {
            name: "gpu".into(),
            weight: 0,
            offerings,
            labels: Vec::new(),
            gpus_max: None,
            cpu_max: None,
            memory_max: None,
            nodes_min: 0,
            nodes_max: None,
            on_demand: None,
            consolidation: Consolidation::WhenEmpty(empty_delay),
            expire_after: None,
            termination_grace: None,
            budgets: Vec::new(),
            rules: PoolRules::default(),
        }
    }
}

impl NodeTimings {
    /// Nodes whose launch, boot and device plugin take this long, in this order; a failed launch fails within 2 s.
    pub fn plain([launch, boot, device_plugin]: [Distribution; 3]) -> Self {
        let launch_failure = Distribution::Constant(2.0);
        Self { launch, boot, device_plugin, launch_failure, launch_stuck: 0.0, registration_stuck: 0.0 }
    }
}

impl ColdStartSpec {
    /// No time at all.
    pub fn none() -> Self {
        Self::plain([0.0; 4].map(Distribution::Constant))
    }

    /// Image pull, model download, GPU load and CUDA warm-up that take this long, in this order, whatever the node has.
    pub fn plain(phases: [Distribution; 4]) -> Self {
        let [image_pull, model_download, gpu_load, cuda_warm_up] = phases.map(PhaseSpec::Time);
        Self {
            image_pull,
            model_download,
            gpu_load,
            cuda_warm_up,
            streaming_load: false,
            image_pre_pulled: false,
            weights: None,
            restore: None,
        }
    }
}

impl FleetSpec {
    /// One pool under a simple manager, without interruptions.
    pub fn plain(offerings: Vec<InstanceOffering>, empty_delay: SimDuration, timings: NodeTimings) -> Self {
        Self {
            manager: NodeManager::Simple { empty_delay },
            pools: vec![NodePoolSpec::plain(offerings, empty_delay)],
            timings,
            links: Vec::new(),
            cache: None,
            spot: SpotSpec {
                model: InterruptionModel::None,
                notice: SimDuration::from_secs(120),
                notice_latency: SimDuration::from_secs(5),
                node_lost: None,
                rebalance: None,
                away: SimDuration::ZERO,
            },
            commitments: Vec::new(),
            scheduling: Scheduling::LeastAllocated,
            karpenter: KarpenterSpec::default(),
        }
    }
}
