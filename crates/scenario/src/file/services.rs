//! The long form of a Scenario: several services on the same nodes.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::manifest::MetadataFile;

use super::{
    ColdStartFile, ExecFile, HpaChoice, KedaChoice, PausePodsFile, PolicyFile, PredictiveFile, RecordedFile,
    RolloutFile, ServiceFile, SloFile, StaticFile, TrafficFile, WarmPoolFile,
};

/// One service of several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServiceEntryFile {
    /// Name in tables, policies and gates, unique in the scenario. Its random numbers follow from it, not from its place in the list.
    pub name: String,
    /// What arrives.
    pub traffic: TrafficFile,
    /// What serves it; without `workload` and `pod` the workload of the service's own name.
    pub service: ServiceFile,
    /// What a new pod of it goes through before it serves. Links and the model cache belong to the nodes: who says the same name, or speaks
    /// of the cache, speaks of the same one.
    #[serde(default)]
    pub cold_start: ColdStartFile,
    /// New versions of the workload in the course of the run.
    #[serde(default)]
    pub rollouts: Vec<RolloutFile>,
    /// What an answer is judged by.
    #[serde(default)]
    pub slo: SloFile,
    /// Name under which its model is served, where the arguments of the container do not tell it.
    pub model_name: Option<String>,
}

/// What acts on one service of several in a policy. Without `static`, `recorded`, `hpa`, `keda`, `predictive` and `exec` that is the autoscaler
/// among the manifests, or nothing if there is none.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ServicePolicyFile {
    /// A fixed number of replicas.
    #[serde(rename = "static")]
    pub fixed: Option<StaticFile>,
    /// A HorizontalPodAutoscaler: name of the manifest, or its `spec` written here.
    pub hpa: Option<HpaChoice>,
    /// A ScaledObject: name of the manifest, or its `spec` written here. The name of an HTTPScaledObject stands for the ScaledObject that
    /// KEDA's HTTP add-on makes of it.
    pub keda: Option<KedaChoice>,
    /// Name and annotations of the ScaledObject whose `spec` is written in place; without it, it is called POLICY-SERVICE.
    pub metadata: Option<MetadataFile>,
    /// The counts of a recording, at the times they were recorded.
    pub recorded: Option<RecordedFile>,
    /// A program that decides. It runs only where the command line allows it (`--allow-exec`).
    pub exec: Option<ExecFile>,
    /// A floor from the traffic of past weeks.
    pub predictive: Option<PredictiveFile>,
    /// Warm standbys.
    pub warm_pool: Option<WarmPoolFile>,
    /// Pause pods: low-priority placeholders that keep room for replicas.
    pub pause_pods: Option<PausePodsFile>,
    /// Replicas at the start, if not the service's.
    pub replicas: Option<u32>,
}

impl PolicyFile {
    /// What this policy, of a scenario with several services, says of one of them, in the words of the short form.
    pub fn of_service(&self, service: &str) -> Self {
        let named = self.services.as_ref().and_then(|services| services.get(service));
        let own = named.cloned().unwrap_or_default();
        Self {
            name: self.name.clone(),
            fixed: own.fixed,
            hpa: own.hpa,
            keda: own.keda,
            metadata: own.metadata,
            predictive: own.predictive,
            exec: own.exec,
            recorded: own.recorded,
            warm_pool: own.warm_pool,
            pause_pods: own.pause_pods,
            replicas: own.replicas,
            sync_period: self.sync_period,
            services: None,
            pools: self.pools,
            object: Some(format!("{}-{service}", self.name)),
        }
    }

    /// Whether it says what scales the service.
    pub fn names_controllers(&self) -> bool {
        let is_ours = self.fixed.is_some() || self.recorded.is_some() || self.predictive.is_some();
        is_ours || self.hpa.is_some() || self.keda.is_some() || self.exec.is_some()
    }

    /// The keys that are about one service and stand at the top of the policy.
    pub fn keys_of_one_service(&self) -> Vec<&'static str> {
        let keys = [
            ("static", self.fixed.is_some()),
            ("hpa", self.hpa.is_some()),
            ("keda", self.keda.is_some()),
            ("exec", self.exec.is_some()),
            ("recorded", self.recorded.is_some()),
            ("metadata", self.metadata.is_some()),
            ("predictive", self.predictive.is_some()),
            ("warmPool", self.warm_pool.is_some()),
            ("pausePods", self.pause_pods.is_some()),
            ("replicas", self.replicas.is_some()),
        ];
        keys.into_iter().filter(|(_, is_there)| *is_there).map(|(key, _)| key).collect()
    }

    /// What a HorizontalPodAutoscaler or ScaledObject is called whose `spec` is written in place.
    pub fn object(&self) -> &str {
        self.object.as_ref().unwrap_or(&self.name)
    }
}
