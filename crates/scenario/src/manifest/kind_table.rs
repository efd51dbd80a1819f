//! Every kind of document people keep beside a service, and what becomes of it.
//!
//! One row per sentence of `docs/guide/manifests.md`. A kind that nothing here knows is inert as well: see `documents`.

use super::kinds::{Kind, Row, Treatment};

use Treatment::{Inert, Read, Stop, Warn};

const fn row(groups: &'static str, kinds: &'static str, kind: Kind, treatment: Treatment) -> Row {
    Row { groups, kinds, kind, treatment }
}

const fn inert(groups: &'static str, kinds: &'static str) -> Row {
    row(groups, kinds, Kind::Inert, Inert)
}

const fn warn(groups: &'static str, kinds: &'static str, loss: &'static str) -> Row {
    row(groups, kinds, Kind::Warned, Warn(loss))
}

const fn stop(groups: &'static str, kinds: &'static str, reason: &'static str) -> Row {
    row(groups, kinds, Kind::Stopped, Stop(reason))
}

/// The core group is `core` here.
pub const ROWS: &[Row] = &[
    row("scalelab.dev", "Scenario", Kind::Scenario, Read),
    row("scalelab.dev", "Measured", Kind::Measured, Inert),
    inert("scalelab.dev", "Sweep"),
    // Workloads.
    row("apps extensions", "Deployment", Kind::Deployment, Read),
    row("apps apps.kruise.io", "StatefulSet", Kind::StatefulSet, Read),
    row("apps extensions", "ReplicaSet", Kind::ReplicaSet, Read),
    row("core", "ReplicationController", Kind::ReplicaSet, Read),
    row("core", "Pod", Kind::Pod, Read),
    row("argoproj.io", "Rollout", Kind::Rollout, Read),
    row("apps.kruise.io", "CloneSet", Kind::CloneSet, Read),
    row("apps.openshift.io", "DeploymentConfig", Kind::DeploymentConfig, Read),
    row("leaderworkerset.x-k8s.io", "LeaderWorkerSet", Kind::LeaderWorkerSet, Read),
    row("serving.kserve.io", "InferenceService", Kind::InferenceService, Read),
    row("serving.kserve.io", "ServingRuntime ClusterServingRuntime", Kind::ServingRuntime, Read),
    row("serving.kserve.io", "LLMInferenceService", Kind::LlmInferenceService, Read),
    row("serving.kserve.io", "LLMInferenceServiceConfig", Kind::LlmInferenceServiceConfig, Read),
    row("apps.nvidia.com", "NIMService", Kind::NimService, Read),
    row("apps.nvidia.com", "NIMPipeline", Kind::NimPipeline, Read),
    row("kaito.sh", "Workspace", Kind::KaitoWorkspace, Read),
    row("kaito.sh", "InferenceSet", Kind::KaitoInferenceSet, Read),
    row("kubeai.org", "Model", Kind::KubeAiModel, Read),
    row("ray.io", "RayService", Kind::RayService, Read),
    row("serving.knative.dev", "Service", Kind::KnativeService, Read),
    row("nvidia.com", "DynamoGraphDeployment", Kind::DynamoGraphDeployment, Read),
    row("nvidia.com", "DynamoGraphDeploymentScalingAdapter", Kind::DynamoScalingAdapter, Read),
    row("inference.sagemaker.aws.amazon.com", "InferenceEndpointConfig JumpStartModel", Kind::HyperPodEndpoint, Read),
    // Autoscalers.
    row("autoscaling", "HorizontalPodAutoscaler", Kind::HorizontalPodAutoscaler, Read),
    row("keda.sh", "ScaledObject", Kind::ScaledObject, Read),
    row("http.keda.sh", "HTTPScaledObject", Kind::HttpScaledObject, Read),
    row("http.keda.sh", "InterceptorRoute", Kind::InterceptorRoute, Read),
    row("keda.sh", "TriggerAuthentication ClusterTriggerAuthentication", Kind::TriggerAuthentication, Inert),
    inert("eventing.keda.sh keda.sh", "CloudEventSource ClusterCloudEventSource"),
    warn(
        "keda.sh",
        "ScaledJob",
        "it starts jobs that take GPUs of the pool; a ScaledObject on the queue would be a service",
    ),
    warn(
        "autoscaling.k8s.io",
        "VerticalPodAutoscaler",
        "it changes requests and evicts pods to do so; both are left out",
    ),
    inert("autoscaling.k8s.io", "VerticalPodAutoscalerCheckpoint"),
    stop("autoscaling.gke.io", "MultidimPodAutoscaler", "it moves the replicas of its target and is not modelled"),
    row("autoscaling.gke.io", "AutoscalingMetric", Kind::AutoscalingMetric, Read),
    stop(
        "autoscaling.alibabacloud.com",
        "CronHorizontalPodAutoscaler AdvancedHorizontalPodAutoscaler",
        "it moves the replicas of its target and is not modelled",
    ),
    stop(
        "datadoghq.com",
        "WatermarkPodAutoscaler DatadogPodAutoscaler",
        "it moves the replicas of its target and is not modelled",
    ),
    warn("datadoghq.com", "DatadogMetric", "the metric it publishes must be given as a signal"),
    inert("datadoghq.com", "*"),
    stop(
        "autoscaling.aibrix.ai",
        "PodAutoscaler",
        "AIBrix moves the replicas of its target by rules that are not modelled",
    ),
    warn(
        "orchestration.aibrix.ai model.aibrix.ai",
        "StormService RayClusterFleet KVCache ModelAdapter",
        "AIBrix runs pods by it that are left out",
    ),
    warn(
        "llmd.ai",
        "VariantAutoscaling",
        "it publishes `wva_desired_replicas`, which an autoscaler may read and the model does not have",
    ),
    stop(
        "workload.serving.volcano.sh",
        "AutoscalingPolicy AutoscalingPolicyBinding",
        "it moves the replicas of its target and is not modelled",
    ),
    warn("workload.serving.volcano.sh", "ModelServing", "Kthena runs pods by it that are left out"),
    stop("disaggregatedset.x-k8s.io", "DisaggregatedSet", "its roles grow together, which is not modelled"),
    // Nodes.
    row("karpenter.sh", "NodePool", Kind::NodePool, Read),
    row("karpenter.sh", "Provisioner", Kind::Provisioner, Read),
    inert("karpenter.sh", "NodeClaim"),
    row("karpenter.sh", "NodeOverlay", Kind::NodeOverlay, Read),
    row("karpenter.k8s.aws", "EC2NodeClass AWSNodeTemplate", Kind::NodeClass, Inert),
    row("karpenter.azure.com", "AKSNodeClass", Kind::NodeClass, Inert),
    row("karpenter.k8s.gcp", "GCENodeClass", Kind::NodeClass, Inert),
    row("eks.amazonaws.com", "NodeClass", Kind::NodeClass, Warn("the fee of EKS Auto Mode is not in the prices")),
    row("karpenter.sagemaker.amazonaws.com", "HyperpodNodeClass", Kind::NodeClass, Inert),
    row("cloud.google.com", "ComputeClass", Kind::ComputeClass, Read),
    row("autoscaling.x-k8s.io", "CapacityBuffer", Kind::CapacityBuffer, Read),
    warn(
        "autoscaling.x-k8s.io",
        "CapacityQuota",
        "the limit it sets to nodes is left out; `nodes.pools[].nodesMax` sets one",
    ),
    warn("autoscaling.x-k8s.io", "ProvisioningRequest", "nodes that come all at once or not at all are left out"),
    warn(
        "cluster.x-k8s.io infrastructure.cluster.x-k8s.io autoscaling.openshift.io machine.openshift.io eksctl.io",
        "MachineDeployment MachinePool MachineSet MachineAutoscaler ClusterAutoscaler ClusterConfig",
        "write its instance type, least and largest number of nodes and spot into `nodes.pools`",
    ),
    inert("cluster.x-k8s.io infrastructure.cluster.x-k8s.io machine.openshift.io", "*"),
    warn(
        "kueue.x-k8s.io",
        "ClusterQueue LocalQueue Cohort",
        "the pods wait for quota in its queue; quota and admission of groups are left out",
    ),
    inert("kueue.x-k8s.io", "*"),
    warn(
        "scheduling.volcano.sh scheduling.x-k8s.io scheduling.run.ai",
        "PodGroup Queue",
        "pods that are scheduled together or not at all are left out",
    ),
    warn(
        "jobset.x-k8s.io kubeflow.org trainer.kubeflow.org batch.volcano.sh",
        "JobSet MPIJob PyTorchJob TFJob TrainJob Job",
        "training takes GPUs of the pool at times that are left out",
    ),
    stop("grove.io", "PodCliqueSet", "its cliques grow together, which is not modelled"),
    inert("grove.io", "*"),
    // Scheduling, quotas, disruption.
    row("policy", "PodDisruptionBudget", Kind::PodDisruptionBudget, Read),
    row("scheduling.k8s.io", "PriorityClass", Kind::PriorityClass, Read),
    row("node.k8s.io", "RuntimeClass", Kind::RuntimeClass, Read),
    row("resource.k8s.io", "ResourceClaimTemplate ResourceClaim DeviceClass", Kind::ResourceClaim, Read),
    inert("resource.k8s.io", "ResourceSlice DeviceTaintRule"),
    row("apps extensions", "DaemonSet", Kind::DaemonSet, Read),
    row("core", "LimitRange", Kind::LimitRange, Read),
    row("core", "ResourceQuota", Kind::ResourceQuota, Read),
    row("batch", "Job CronJob", Kind::Job, Warn("its pods take GPUs of the pool at times that are left out")),
    // Configuration and storage.
    row("core", "ConfigMap", Kind::AdapterConfig, Read),
    row("core", "PersistentVolumeClaim PersistentVolume", Kind::PersistentVolumeClaim, Inert),
    row(
        "core",
        "Service",
        Kind::Service,
        Warn("`sessionAffinity: ClientIP` keeps a client on one replica; that is left out"),
    ),
    inert(
        "core discovery.k8s.io",
        "Endpoints EndpointSlice Secret Namespace ServiceAccount Event Node PodTemplate ComponentStatus Binding",
    ),
    inert("events.k8s.io", "Event"),
    inert(
        "rbac.authorization.k8s.io admissionregistration.k8s.io apiregistration.k8s.io coordination.k8s.io storage.k8s.io \
         snapshot.storage.k8s.io authorization.openshift.io certificates.k8s.io flowcontrol.apiserver.k8s.io",
        "*",
    ),
    inert("apiextensions.k8s.io", "CustomResourceDefinition"),
    // Monitoring.
    row("monitoring.coreos.com", "ServiceMonitor", Kind::ServiceMonitor, Read),
    row("monitoring.coreos.com", "PodMonitor", Kind::PodMonitor, Read),
    row("monitoring.coreos.com", "PrometheusRule", Kind::PrometheusRule, Read),
    row("monitoring.coreos.com", "Prometheus PrometheusAgent", Kind::Prometheus, Read),
    inert("monitoring.coreos.com", "*"),
    row("monitoring.googleapis.com", "PodMonitoring ClusterPodMonitoring", Kind::PodMonitoring, Read),
    row("monitoring.googleapis.com", "Rules ClusterRules GlobalRules", Kind::GoogleRules, Read),
    inert("monitoring.googleapis.com", "*"),
    row("operator.victoriametrics.com", "VMServiceScrape", Kind::VmServiceScrape, Read),
    row("operator.victoriametrics.com", "VMPodScrape", Kind::VmPodScrape, Read),
    row("operator.victoriametrics.com", "VMRule", Kind::VmRule, Read),
    inert("operator.victoriametrics.com", "*"),
    // Networks and gateways.
    inert(
        "networking.k8s.io extensions networking.gke.io cloud.google.com elbv2.k8s.aws gateway.networking.k8s.io \
         gateway.networking.x-k8s.io projectcontour.io traefik.io traefik.containo.us configuration.konghq.com cilium.io \
         projectcalico.org crd.projectcalico.org route.openshift.io externaldns.k8s.io metallb.io",
        "*",
    ),
    row("inference.networking.k8s.io inference.networking.x-k8s.io", "InferencePool", Kind::InferencePool, Inert),
    inert("inference.networking.k8s.io inference.networking.x-k8s.io", "InferencePoolImport"),
    warn(
        "llm-d.ai inference.networking.k8s.io inference.networking.x-k8s.io",
        "InferenceObjective InferenceModel InferenceModelRewrite",
        "priorities decide which requests wait; that is left out: `traffic.classes` has them",
    ),
    row(
        "llm-d.ai inference.networking.k8s.io inference.networking.x-k8s.io",
        "EndpointPickerConfig",
        Kind::EndpointPicker,
        Read,
    ),
    inert("networking.istio.io security.istio.io telemetry.istio.io extensions.istio.io install.istio.io", "*"),
    warn(
        "gateway.envoyproxy.io",
        "BackendTrafficPolicy",
        "its retries, circuit breakers and rate limits are left out; `service.client` has retries and a timeout",
    ),
    inert("gateway.envoyproxy.io aigateway.envoyproxy.io", "*"),
    // Delivery and operations.
    row("argoproj.io", "Application ApplicationSet", Kind::Delivery, Inert),
    inert("argoproj.io", "*"),
    row(
        "helm.toolkit.fluxcd.io kustomize.toolkit.fluxcd.io source.toolkit.fluxcd.io helm.cattle.io",
        "HelmRelease Kustomization GitRepository OCIRepository HelmRepository HelmChart Bucket",
        Kind::Delivery,
        Inert,
    ),
    inert("*.toolkit.fluxcd.io", "*"),
    row("kustomize.config.k8s.io", "Kustomization Component", Kind::Kustomization, Inert),
    inert(
        "cert-manager.io acme.cert-manager.io external-secrets.io bitnami.com secrets-store.csi.x-k8s.io opentelemetry.io \
         kyverno.io wgpolicyk8s.io operators.coreos.com velero.io image.openshift.io build.openshift.io tekton.dev \
         triggers.tekton.dev fluentbit.fluent.io logging.banzaicloud.io jaegertracing.io",
        "*",
    ),
    inert(
        "grafana.* *.grafana.com *.gatekeeper.sh *.crossplane.io *.upbound.io *.cnrm.cloud.google.com *.services.k8s.aws",
        "*",
    ),
    // What operators of inference bring besides.
    inert("serving.kserve.io", "ClusterStorageContainer LocalModelCache LocalModelNode LocalModelNodeGroup"),
    warn("serving.kserve.io", "InferenceGraph TrainedModel", "requests it splits or sends on are left out"),
    row("apps.nvidia.com", "NIMCache", Kind::NimCache, Inert),
    inert("apps.nvidia.com", "*"),
    inert("nvidia.com", "ClusterPolicy NVIDIADriver DynamoGraphDeploymentRequest DynamoModel DynamoCheckpoint"),
    warn("nvidia.com", "DynamoComponentDeployment", "a component without its graph is left out"),
    inert("mellanox.com nfd.k8s-sigs.io nfd.kubernetes.io", "*"),
    warn("kaito.sh", "RAGEngine ModelMirror MultiRoleInference", "KAITO runs pods by it that are left out"),
    warn("ray.io", "RayCluster", "a cluster without a RayService has no service that is scaled"),
    row("ray.io", "RayJob RayCronJob", Kind::Job, Warn("its pods take GPUs of the pool at times that are left out")),
    warn("serving.knative.dev", "Route", "shares of traffic it sends to revisions are left out"),
    inert(
        "serving.knative.dev autoscaling.internal.knative.dev networking.internal.knative.dev caching.internal.knative.dev",
        "*",
    ),
    warn(
        "mlops.seldon.io machinelearning.seldon.io",
        "Model Server Pipeline Experiment SeldonDeployment",
        "Seldon runs pods by it that are left out; give the pods as a Deployment",
    ),
    warn(
        "serving.yatai.ai ome.io",
        "BentoDeployment InferenceService ServingRuntime",
        "it runs pods that are left out; give the pods as a Deployment",
    ),
    inert("ome.io", "*"),
    inert("data.fluid.io", "*"),
];
