//! A scenario as one of its services sees it.

use super::{
    ColdStartFile, HttpAddOnFile, KarpenterFile, KedaFile, KubernetesFile, MetricsFile, NodesFile, PolicyFile,
    PricesFile, RolloutFile, RunFile, ScenarioSpec, ServiceEntryFile, ServiceFile, SloFile, SpotFile, TrafficFile,
};

/// What a scenario says of one of its services, with all that they share: in the words of the short form.
#[derive(Clone, Debug)]
pub struct ServiceView {
    /// Its name, where there are several.
    pub name: Option<String>,
    /// Calendar, length, seed and replications.
    pub run: RunFile,
    /// What arrives.
    pub traffic: TrafficFile,
    /// What serves it.
    pub service: ServiceFile,
    /// What a new pod goes through before it serves.
    pub cold_start: ColdStartFile,
    /// New versions.
    pub rollouts: Vec<RolloutFile>,
    /// What an answer is judged by.
    pub slo: SloFile,
    /// The alternatives, each as it is about this service.
    pub policies: Vec<PolicyFile>,
    /// Where pods run.
    pub nodes: NodesFile,
    /// Which Karpenter manages the nodes.
    pub karpenter: KarpenterFile,
    /// Prices.
    pub prices: PricesFile,
    /// Interruptions of spot nodes.
    pub spot: SpotFile,
    /// How metrics reach the controllers.
    pub metrics: MetricsFile,
    /// The control plane.
    pub kubernetes: KubernetesFile,
    /// The KEDA that runs ScaledObjects.
    pub keda: KedaFile,
    /// KEDA's HTTP add-on.
    pub http_add_on: HttpAddOnFile,
}

impl ServiceView {
    /// The only service of the short form; `None` where `traffic` or `service` is missing.
    pub fn of_only(spec: &ScenarioSpec) -> Option<Self> {
        let entry = ServiceEntryFile {
            name: String::new(),
            traffic: spec.traffic.clone()?,
            service: spec.service.clone()?,
            cold_start: spec.cold_start.clone(),
            rollouts: spec.rollouts.clone(),
            slo: spec.slo.clone(),
            model_name: None,
        };
        Some(Self { name: None, ..Self::new(spec, entry, spec.policies.clone()) })
    }

    /// One service of several.
    pub fn of_entry(spec: &ScenarioSpec, entry: &ServiceEntryFile) -> Self {
        let policies = spec.policies.iter().map(|policy| policy.of_service(&entry.name)).collect();
        Self::new(spec, entry.clone(), policies)
    }

    fn new(spec: &ScenarioSpec, entry: ServiceEntryFile, policies: Vec<PolicyFile>) -> Self {
        let model_name = entry.model_name.or_else(|| spec.metrics.model_name.clone());
        Self {
            name: Some(entry.name),
            run: spec.run.clone(),
            traffic: entry.traffic,
            service: entry.service,
            cold_start: entry.cold_start,
            rollouts: entry.rollouts,
            slo: entry.slo,
            policies,
            nodes: spec.nodes.clone(),
            karpenter: spec.karpenter.clone(),
            prices: spec.prices.clone(),
            spot: spec.spot.clone(),
            metrics: MetricsFile { model_name, ..spec.metrics.clone() },
            kubernetes: spec.kubernetes.clone(),
            keda: spec.keda.clone(),
            http_add_on: spec.http_add_on.clone(),
        }
    }
}
