//! Which document is which: by group and kind, whatever the version.

use super::kind_table::ROWS;

/// What a document is to us. Several kinds of the API may be one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The experiment.
    Scenario,
    /// What was measured of a real run.
    Measured,
    /// A workload.
    Deployment,
    /// A workload whose replicas have names and an order.
    StatefulSet,
    /// A workload without rollouts; also a ReplicationController.
    ReplicaSet,
    /// One pod.
    Pod,
    /// Argo's Deployment.
    Rollout,
    /// OpenKruise's Deployment.
    CloneSet,
    /// OpenShift's Deployment.
    DeploymentConfig,
    /// A workload whose replicas are groups of pods.
    LeaderWorkerSet,
    /// KServe.
    InferenceService,
    /// KServe: what an InferenceService runs in.
    ServingRuntime,
    /// KServe for LLMs.
    LlmInferenceService,
    /// KServe: what an LLMInferenceService starts from.
    LlmInferenceServiceConfig,
    /// NVIDIA's NIM operator.
    NimService,
    /// Several NIMServices.
    NimPipeline,
    /// Weights of a NIMService.
    NimCache,
    /// KAITO.
    KaitoWorkspace,
    /// KAITO: Workspaces in a number.
    KaitoInferenceSet,
    /// KubeAI.
    KubeAiModel,
    /// Ray Serve on KubeRay.
    RayService,
    /// Knative.
    KnativeService,
    /// NVIDIA Dynamo.
    DynamoGraphDeployment,
    /// The scale of one component of it.
    DynamoScalingAdapter,
    /// SageMaker HyperPod.
    HyperPodEndpoint,
    /// An autoscaler.
    HorizontalPodAutoscaler,
    /// An autoscaler.
    ScaledObject,
    /// KEDA's HTTP add-on.
    HttpScaledObject,
    /// KEDA's HTTP add-on.
    InterceptorRoute,
    /// Secrets of a trigger.
    TriggerAuthentication,
    /// Holds evictions back.
    PodDisruptionBudget,
    /// A pool of nodes (`karpenter.sh/v1`).
    NodePool,
    /// A pool of nodes (`karpenter.sh/v1beta1`).
    NodePoolBeta,
    /// A pool of nodes (`karpenter.sh/v1alpha5`).
    Provisioner,
    /// Prices that Karpenter chooses by.
    NodeOverlay,
    /// What the machines of a pool are made of.
    NodeClass,
    /// GKE's list of machines.
    ComputeClass,
    /// Room that the Cluster Autoscaler keeps.
    CapacityBuffer,
    /// Priorities of pods.
    PriorityClass,
    /// What a runtime costs a pod.
    RuntimeClass,
    /// Devices asked for by dynamic resource allocation.
    ResourceClaim,
    /// A pod on every node.
    DaemonSet,
    /// Requests filled in.
    LimitRange,
    /// What a namespace may have.
    ResourceQuota,
    /// Pods that end.
    Job,
    /// prometheus-adapter's configuration, bare or in a ConfigMap; every ConfigMap.
    AdapterConfig,
    /// Values of prometheus-adapter's chart.
    AdapterValues,
    /// Values of KEDA's chart.
    KedaValues,
    /// Values of a chart that installs Prometheus or an exporter.
    MonitoringValues,
    /// Disks.
    PersistentVolumeClaim,
    /// Where requests are sent.
    Service,
    /// prometheus-operator.
    ServiceMonitor,
    /// prometheus-operator.
    PodMonitor,
    /// prometheus-operator.
    PrometheusRule,
    /// prometheus-operator: Prometheus itself.
    Prometheus,
    /// Google's managed Prometheus.
    PodMonitoring,
    /// Google's managed Prometheus.
    GoogleRules,
    /// GKE: a gauge of the pods for the HPA.
    AutoscalingMetric,
    /// VictoriaMetrics.
    VmServiceScrape,
    /// VictoriaMetrics.
    VmPodScrape,
    /// VictoriaMetrics.
    VmRule,
    /// Gateway API's inference extension.
    InferencePool,
    /// The same: how its picker routes.
    EndpointPicker,
    /// What a delivery tool renders: it stands for documents that are elsewhere.
    Delivery,
    /// kustomize's own file.
    Kustomization,
    /// Changes the answer in a way that is left out.
    Warned,
    /// Moves replicas in a way that is not modelled.
    Stopped,
    /// Recognised, without effect.
    Inert,
    /// Not recognised.
    Unknown,
}

impl Kind {
    /// True if it runs pods of a service.
    pub fn is_workload(self) -> bool {
        use Kind::{
            CloneSet, Deployment, DeploymentConfig, DynamoGraphDeployment, HyperPodEndpoint, InferenceService,
            KaitoInferenceSet, KaitoWorkspace, KnativeService, KubeAiModel, LeaderWorkerSet, LlmInferenceService,
            NimService, Pod, RayService, ReplicaSet, Rollout, StatefulSet,
        };
        matches!(
            self,
            Deployment
                | StatefulSet
                | ReplicaSet
                | Pod
                | Rollout
                | CloneSet
                | DeploymentConfig
                | LeaderWorkerSet
                | InferenceService
                | LlmInferenceService
                | NimService
                | KaitoWorkspace
                | KaitoInferenceSet
                | KubeAiModel
                | RayService
                | KnativeService
                | DynamoGraphDeployment
                | HyperPodEndpoint
        )
    }
}

/// What becomes of the documents of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Its content counts.
    Read,
    /// It has no effect: counted.
    Inert,
    /// It would have an effect: named, with what the answer lacks.
    Warn(&'static str),
    /// It decides what is asked for: refused, with what it does, unless the scenario ignores it.
    Stop(&'static str),
}

/// One row of the table of kinds.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// API groups, `*.name` and `name.*` for many.
    pub groups: &'static str,
    /// Kinds; `*` is all others of the groups.
    pub kinds: &'static str,
    /// What they are to us.
    pub kind: Kind,
    /// What becomes of them.
    pub treatment: Treatment,
}

/// Versions of the kinds whose versions differ, the newest first.
const VERSIONS: &[(Kind, &[&str])] = &[
    (Kind::Deployment, &["v1"]),
    (Kind::StatefulSet, &["v1", "v1beta1", "v1alpha1"]),
    (Kind::HorizontalPodAutoscaler, &["v2", "v2beta2", "v2beta1", "v1"]),
    (Kind::ScaledObject, &["v1alpha1"]),
    (Kind::PodDisruptionBudget, &["v1", "v1beta1"]),
    (Kind::NodePool, &["v1", "v1beta1"]),
    (Kind::Provisioner, &["v1alpha5"]),
    (Kind::LeaderWorkerSet, &["v1"]),
    (Kind::InferenceService, &["v1beta1"]),
    (Kind::LlmInferenceService, &["v1alpha2", "v1alpha1"]),
    (Kind::NimService, &["v1alpha1"]),
    (Kind::KaitoWorkspace, &["v1beta1", "v1alpha1"]),
    (Kind::KaitoInferenceSet, &["v1beta1", "v1alpha1"]),
    (Kind::KubeAiModel, &["v1"]),
    (Kind::RayService, &["v1", "v1alpha1"]),
    (Kind::KnativeService, &["v1"]),
    (Kind::DynamoGraphDeployment, &["v1beta1", "v1alpha1"]),
    (Kind::HyperPodEndpoint, &["v1", "v1alpha1"]),
];

/// The row of a group and kind.
pub fn lookup(group: &str, kind: &str) -> Option<&'static Row> {
    let group = if group.is_empty() { "core" } else { group };
    let of_group = |row: &&Row| row.groups.split_whitespace().any(|pattern| is_group(pattern, group));
    let named = ROWS.iter().filter(of_group).find(|row| row.kinds.split_whitespace().any(|name| name == kind));
    named.or_else(|| ROWS.iter().filter(of_group).find(|row| row.kinds == "*"))
}

/// The kind of our table that a slip in a kind of this group may mean.
pub fn nearest_kind(group: &str, kind: &str) -> Option<&'static str> {
    let group = if group.is_empty() { "core" } else { group };
    let rows = ROWS.iter().filter(|row| row.groups.split_whitespace().any(|pattern| is_group(pattern, group)));
    names::nearest(kind, rows.flat_map(|row| row.kinds.split_whitespace()).filter(|name| *name != "*"))
}

/// The newest known version, if `version` is none that is known of this kind.
pub fn newest_instead(kind: Kind, version: &str) -> Option<&'static str> {
    let (_, versions) = VERSIONS.iter().find(|(known, _)| *known == kind)?;
    if versions.contains(&version) { None } else { versions.first().copied() }
}

fn is_group(pattern: &str, group: &str) -> bool {
    if let Some(end) = pattern.strip_prefix('*') {
        return group.ends_with(end);
    }
    match pattern.strip_suffix('*') {
        Some(start) => group.starts_with(start),
        None => pattern == group,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_by_its_group() {
        assert_eq!(lookup("", "Service").unwrap().kind, Kind::Service);
        assert_eq!(lookup("serving.knative.dev", "Service").unwrap().kind, Kind::KnativeService);
        assert_eq!(lookup("autoscaling.aibrix.ai", "PodAutoscaler").unwrap().kind, Kind::Stopped);
        assert!(lookup("example.com", "Deployment").is_none());
    }

    #[test]
    fn all_kinds_of_a_group_and_all_groups_of_a_family_may_be_meant() {
        assert_eq!(lookup("rbac.authorization.k8s.io", "ClusterRole").unwrap().kind, Kind::Inert);
        assert_eq!(lookup("s3.aws.crossplane.io", "Bucket").unwrap().kind, Kind::Inert);
        // A named kind wins over all the others of its group.
        assert_eq!(lookup("monitoring.coreos.com", "ServiceMonitor").unwrap().kind, Kind::ServiceMonitor);
        assert_eq!(lookup("monitoring.coreos.com", "Alertmanager").unwrap().kind, Kind::Inert);
    }

    #[test]
    fn no_kind_of_a_group_has_two_rows() {
        let mut seen = std::collections::BTreeSet::new();
        for row in ROWS {
            for group in row.groups.split_whitespace() {
                for kind in row.kinds.split_whitespace() {
                    assert!(seen.insert((group, kind)), "{group} {kind}");
                }
            }
        }
    }
}
