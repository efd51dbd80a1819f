//! The Scenario document as it is written: one declaration per setting, from which reading, the JSON schema and the documentation derive.
//!
//! Nothing here is resolved: names refer to nothing yet, files are not open, defaults are filled only where they do not depend on
//! anything else.

mod adapters;
mod choice;
mod cold_start;
mod load_test;
mod manifests;
mod measured;
mod metrics;
mod nodes;
mod outages;
mod policies;
mod prices;
mod rollout;
mod routing;
mod run;
mod scheduler;
mod service;
mod services;
mod speculative;
mod traffic;
mod triggers;
mod usage;
mod versions;
mod view;

pub use adapters::{AdapterTimeFile, AdaptersFile, TrafficAdaptersFile};
pub use choice::{Distribution, DistributionChoice, TextOr};
pub use cold_start::{
    ArtifactFile, CacheFile, ColdStartFile, LinkFile, PhaseChoice, PhaseFile, RestoreFile, RestorePlace,
};
pub use load_test::{ArrivalsFile, ClosedLoopFile, SessionsFile, StageFile};
pub use manifests::ManifestsFile;
pub use measured::{Figure, Measured, MeasuredFile, MeasuredSpec, QuantityFile, UnknownFile, WindowFile, WithinFile};
pub use metrics::{
    AdapterSwitch, CountFile, DcgmFile, ExporterFile, GkeFile, HttpFile, KindFile, KsmFile, MetricsFile,
    OnBadQueryFile, OnUnknownFile, PlaceFile, PresentFile, RoleFile, RoundFile, TargetFile, UserSeriesFile,
};
pub use nodes::{
    AvailabilityFile, BalancedFile, BathtubFile, BathtubPoint, CapacityType, ClusterAutoscalerFile, ClusteredFile,
    ConsolidationFile, DisruptionBudgetFile, InstanceTypeFile, InterruptionsFile, KarpenterFile, ManagerFile,
    NodeLostFile, NodesFile, OfferCapacity, PoolFile, SchedulingFile, ServerlessFile, SimpleFile, SpotFile,
    TimingsFile, ZoneTraceFile,
};
pub use outages::{OutageFile, OutagePartFile};
pub use policies::{
    ExecFile, HpaChoice, KedaChoice, PausePodsFile, PolicyFile, PoolSharing, PredictiveFile, RecordedFile, Reference,
    StaticFile, WarmPoolFile,
};
pub use prices::{CommitmentFile, EstimateSpot, NodeFeeFile, OneOrMany, PriceFile, PricesFile, SpotHistoryFile};
pub use rollout::{
    AbortFile, FinishFile, NoticeFile, PauseFile, PortionFile, RolloutFile, ScaleFile, StepFile, StopChoice, StopFile,
    StopWord, StrategyFields, StrategyFile, StrategyKind, VersionFile,
};
pub use routing::{
    ClassFile, FlowControlFile, PopularityFile, PrefixFile, RouterFile, RoutingFile, RoutingRule, ScorersFile,
};
pub use run::{PrehistoryFile, RunFile, SloFile};
pub use scheduler::{PrefillFirstFile, QueueOrderFile, SchedulerChoice, SchedulerFile, SchedulerWord, TgiFile};
pub use service::{
    AffineLatency, BatchLatencyFile, BatchPoint, ClientFile, ContinuousBatchingFile, DynamicBatchingFile, KillFile,
    ModelFile, NoReplicaFile, PodFile, RetryDemandFile, RetryFile, SchedulingPolicyFile, ServiceFile, SlotsFile,
    SpreadFile, TokenTimeFile,
};
pub use services::{ServiceEntryFile, ServicePolicyFile};
pub use speculative::{AcceptanceFile, SpeculativeFile};
pub use traffic::{
    BurstFile, ClipFile, ColumnsFile, DeciderFile, FromFile, GeneratorFile, HistoryFile, KvTransferFile, Level,
    NoiseFile, PartFile, PointFile, PointsFile, ProcessFile, RateSeriesFile, RateTerm, RateTermChoice, SeriesUnit,
    SineFile, TimeColumn, TraceFile, TraceFormat, TrafficFile, WeeklyFile,
};
pub use triggers::{TriggerFile, TriggersFile};
pub use versions::{HttpAddOnFile, KedaFile, KubernetesFile};
pub use view::ServiceView;

pub use usage::{
    AmountOr, ContainerUsageFile, Cores, CpuFile, GpuPowerFile, MemoryFile, Power, UsageChoice, UsageFile,
};

use schemars::JsonSchema;
use serde::Deserialize;

/// A Scenario document.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ScenarioFile {
    /// Always `scalelab.dev/v1`.
    pub api_version: String,
    /// Always `Scenario`.
    pub kind: String,
    /// Name and labels.
    pub metadata: Metadata,
    /// The experiment.
    pub spec: ScenarioSpec,
}

/// `metadata` of a Scenario.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Metadata {
    /// Name of the scenario, shown in every table and plot.
    pub name: String,
    /// One or two sentences for readers; shown in reports.
    #[serde(default)]
    pub description: String,
}

/// `spec` of a Scenario.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = [{"required": ["traffic", "service"]}, {"required": ["services"]}]))]
pub struct ScenarioSpec {
    /// Calendar, length, seed and replications.
    #[serde(default)]
    pub run: RunFile,
    /// What arrives, where there is one service.
    #[serde(default)]
    pub traffic: Option<TrafficFile>,
    /// What serves it, where there is one service.
    #[serde(default)]
    pub service: Option<ServiceFile>,
    /// Several services on the same nodes, each with its own `traffic`, `service`, `coldStart`, `slo` and `rollouts`, which then do not stand
    /// beside this.
    #[serde(default)]
    pub services: Option<Vec<ServiceEntryFile>>,
    /// What is to be made of the manifests beside this document.
    #[serde(default)]
    pub manifests: ManifestsFile,
    /// What a new pod goes through before it serves.
    #[serde(default)]
    pub cold_start: ColdStartFile,
    /// Where pods run.
    #[serde(default)]
    pub nodes: NodesFile,
    /// Which Karpenter manages the nodes, where it does.
    #[serde(default)]
    pub karpenter: KarpenterFile,
    /// Price of each instance type, and the catalog that knows the rest.
    #[serde(default)]
    pub prices: PricesFile,
    /// Interruptions of spot nodes.
    #[serde(default)]
    pub spot: SpotFile,
    /// How metrics reach the controllers.
    #[serde(default)]
    pub metrics: MetricsFile,
    /// The control plane whose HorizontalPodAutoscaler decides.
    #[serde(default)]
    pub kubernetes: KubernetesFile,
    /// The KEDA that runs ScaledObjects.
    #[serde(default)]
    pub keda: KedaFile,
    /// KEDA's HTTP add-on.
    #[serde(default)]
    pub http_add_on: HttpAddOnFile,
    /// New versions of the workload in the course of the run.
    #[serde(default)]
    pub rollouts: Vec<RolloutFile>,
    /// The alternatives to compare.
    pub policies: Vec<PolicyFile>,
    /// What an answer is judged by.
    #[serde(default)]
    pub slo: SloFile,
    /// Conditions for `scalelab check`, such as `slo_attainment >= 0.99`.
    #[serde(default)]
    pub gates: Vec<String>,
}

impl ScenarioSpec {
    /// Whether it says which workload its services are.
    pub fn names_workloads(&self) -> bool {
        let of_entries = self.services.iter().flatten().map(|entry| &entry.service);
        self.service.iter().chain(of_entries).any(|service| service.workload.is_some())
    }
}
