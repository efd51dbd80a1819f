//! Kubernetes' own: kube-state-metrics at c92fe0c, cAdvisor in the kubelet, node-exporter.
//!
//! kube-state-metrics reads watches, so a scrape sees the objects as they are.

use super::Figure::{self, Always, Not, Of};
use super::{Metric, Needs, Pairs, Statement, counter, gauge};
use crate::signal::{Scope, Signal as S};

const DEPLOYMENT: Pairs = &[("namespace", "{namespace}"), ("deployment", "{workload}")];
const STATEFUL_SET: Pairs = &[("namespace", "{namespace}"), ("statefulset", "{workload}")];
const REPLICA_SET: Pairs = &[("namespace", "{namespace}"), ("replicaset", "{replica_set}")];
const POD: Pairs = &[("namespace", "{namespace}"), ("pod", "{pod}"), ("uid", "{uid}")];
const POD_INFO: Pairs = &[
    ("namespace", "{namespace}"),
    ("pod", "{pod}"),
    ("uid", "{uid}"),
    ("node", "{node}"),
    ("host_ip", "{node_ip}"),
    ("pod_ip", "{pod_ip}"),
    ("created_by_kind", "{owner_kind}"),
    ("created_by_name", "{owner_name}"),
];
const POD_OWNER: Pairs = &[
    ("namespace", "{namespace}"),
    ("pod", "{pod}"),
    ("uid", "{uid}"),
    ("owner_kind", "{owner_kind}"),
    ("owner_name", "{owner_name}"),
    ("owner_is_controller", "true"),
];
const CONTAINER: Pairs =
    &[("namespace", "{namespace}"), ("pod", "{pod}"), ("uid", "{uid}"), ("container", "{container}")];
const CONTAINER_GPU: Pairs = &[
    ("namespace", "{namespace}"),
    ("pod", "{pod}"),
    ("uid", "{uid}"),
    ("container", "{container}"),
    ("resource", "nvidia_com_gpu"),
    ("unit", "integer"),
    ("node", "{node}"),
];
const AUTOSCALER: Pairs = &[("namespace", "{namespace}"), ("horizontalpodautoscaler", "?{hpa}")];
const NODE: Pairs = &[("node", "{node}")];
const NODE_GPU: Pairs = &[("node", "{node}"), ("resource", "nvidia_com_gpu"), ("unit", "integer")];

const UNCHANGED: &str = "the object is as it was created";
const RUNNING: &str = "it is part of the object, not of what happens";
const REST: &str = "targets and conditions of autoscalers are not kept as series";
const OTHER_RESOURCES: &str = "only GPUs are kept as series";

const fn pod(name: &'static str, figure: Figure) -> Metric {
    gauge(name, POD, figure).per(Scope::PodObject)
}

const fn container(name: &'static str, figure: Figure) -> Metric {
    gauge(name, CONTAINER, figure).per(Scope::PodObject)
}

const fn autoscaler(name: &'static str, figure: Figure) -> Metric {
    gauge(name, AUTOSCALER, figure).per(Scope::Autoscaler)
}

const fn node(name: &'static str, figure: Figure) -> Metric {
    gauge(name, NODE, figure).per(Scope::Node)
}

const PHASES: &[(Pairs, Figure)] = &[
    (&[("phase", "Pending")], Of(S::PodIsPending)),
    (&[("phase", "Running")], Of(S::PodIsRunning)),
    (&[("phase", "Succeeded")], Always(0.0, "pods of a service do not end by themselves")),
    (&[("phase", "Failed")], Always(0.0, "pods of a service do not end by themselves")),
    (&[("phase", "Unknown")], Always(0.0, "a lost node takes its pods with it")),
];

pub(super) const KUBE_STATE_METRICS: &[Metric] = &[
    gauge("kube_deployment_spec_replicas", DEPLOYMENT, Of(S::ReplicasDesired)),
    gauge("kube_deployment_status_replicas", DEPLOYMENT, Of(S::ReplicasCurrent)),
    gauge("kube_deployment_status_replicas_ready", DEPLOYMENT, Of(S::ReplicasReady)),
    gauge("kube_deployment_status_replicas_available", DEPLOYMENT, Of(S::ReplicasReady)),
    gauge("kube_deployment_status_replicas_unavailable", DEPLOYMENT, Of(S::ReplicasUnavailable)),
    gauge("kube_deployment_status_replicas_updated", DEPLOYMENT, Of(S::ReplicasCurrent)),
    gauge("kube_deployment_metadata_generation", DEPLOYMENT, Always(1.0, UNCHANGED)),
    gauge("kube_deployment_status_observed_generation", DEPLOYMENT, Always(1.0, UNCHANGED)),
    gauge("kube_deployment_created", DEPLOYMENT, Not("the workload is older than the run")),
    gauge("kube_deployment_status_condition", DEPLOYMENT, Not("conditions of the workload are not kept as series")),
    gauge("kube_statefulset_replicas", STATEFUL_SET, Of(S::ReplicasDesired)),
    gauge("kube_statefulset_status_replicas", STATEFUL_SET, Of(S::ReplicasCurrent)),
    gauge("kube_statefulset_status_replicas_ready", STATEFUL_SET, Of(S::ReplicasReady)),
    gauge("kube_replicaset_spec_replicas", REPLICA_SET, Of(S::ReplicasDesired)),
    gauge("kube_replicaset_status_replicas", REPLICA_SET, Of(S::ReplicasCurrent)),
    gauge("kube_replicaset_status_ready_replicas", REPLICA_SET, Of(S::ReplicasReady)),
    pod("kube_pod_status_phase", Of(S::PodIsRunning)).rows(PHASES),
    pod("kube_pod_status_ready", Of(S::PodIsReady)).rows(&[
        (&[("condition", "true")], Of(S::PodIsReady)),
        (&[("condition", "false")], Of(S::PodIsUnready)),
        (&[("condition", "unknown")], Always(0.0, "a lost node takes its pods with it")),
    ]),
    pod("kube_pod_status_scheduled", Of(S::PodIsScheduled)).rows(&[
        (&[("condition", "true")], Of(S::PodIsScheduled)),
        (&[("condition", "false")], Of(S::PodIsUnscheduled)),
        (&[("condition", "unknown")], Always(0.0, "a lost node takes its pods with it")),
    ]),
    gauge("kube_pod_info", POD_INFO, Always(1.0, RUNNING)).per(Scope::PodObject),
    gauge("kube_pod_owner", POD_OWNER, Always(1.0, RUNNING)).per(Scope::PodObject),
    pod("kube_pod_created", Of(S::PodCreated)),
    pod("kube_pod_start_time", Of(S::PodStarted)).while_true(),
    pod("kube_pod_status_scheduled_time", Of(S::PodStarted)).while_true(),
    pod("kube_pod_status_ready_time", Of(S::PodReadyTime)).while_true(),
    pod("kube_pod_deletion_timestamp", Not("when a pod was deleted is not kept as a series")),
    pod("kube_pod_status_unschedulable", Of(S::PodIsUnscheduled)).while_true(),
    container("kube_pod_container_status_running", Of(S::PodIsRunning)),
    container("kube_pod_container_status_ready", Of(S::PodIsReady)),
    container("kube_pod_container_status_waiting", Of(S::PodIsPending)),
    gauge("kube_pod_container_status_waiting_reason", CONTAINER, Of(S::PodIsPending))
        .per(Scope::PodObject)
        .while_true()
        .rows(&[(&[("reason", "ContainerCreating")], Of(S::PodIsPending))]),
    counter(
        "kube_pod_container_status_restarts_total",
        CONTAINER,
        Always(0.0, "a pod that fails is replaced, not restarted"),
    )
    .per(Scope::PodObject),
    container("kube_pod_container_info", Always(1.0, RUNNING)),
    gauge("kube_pod_container_resource_requests", CONTAINER_GPU, Figure::Gpus).per(Scope::PodObject),
    gauge("kube_pod_container_resource_limits", CONTAINER_GPU, Figure::Gpus).per(Scope::PodObject),
    pod("kube_pod_labels", Always(1.0, RUNNING)).needs(Needs::Stated(Statement::ObjectLabels)),
    gauge("kube_deployment_labels", DEPLOYMENT, Always(1.0, RUNNING)).needs(Needs::Stated(Statement::ObjectLabels)),
    node("kube_node_labels", Always(1.0, RUNNING)).needs(Needs::Stated(Statement::ObjectLabels)),
    autoscaler("kube_horizontalpodautoscaler_spec_min_replicas", Of(S::AutoscalerMin)),
    autoscaler("kube_horizontalpodautoscaler_spec_max_replicas", Of(S::AutoscalerMax)),
    autoscaler("kube_horizontalpodautoscaler_status_current_replicas", Of(S::AutoscalerCurrent)),
    autoscaler("kube_horizontalpodautoscaler_status_desired_replicas", Of(S::AutoscalerDesired)),
    autoscaler("kube_horizontalpodautoscaler_status_condition", Not(REST)),
    autoscaler("kube_horizontalpodautoscaler_spec_target_metric", Not(REST)),
    autoscaler("kube_horizontalpodautoscaler_status_target_metric", Not(REST)),
    autoscaler("kube_horizontalpodautoscaler_info", Not(REST)),
    node("kube_node_info", Always(1.0, RUNNING)),
    node("kube_node_spec_unschedulable", Always(0.0, "a node that is drained is taken away")),
    node("kube_node_spec_taint", Not("taints of nodes are not kept as series")),
    node("kube_node_created", Of(S::NodeCreated)),
    node("kube_node_status_condition", Of(S::NodeIsReady)).rows(&[
        (&[("condition", "Ready"), ("status", "true")], Of(S::NodeIsReady)),
        (&[("condition", "Ready"), ("status", "false")], Not(OTHER_RESOURCES)),
        (&[("condition", "Ready"), ("status", "unknown")], Always(0.0, "a lost node leaves at once")),
    ]),
    gauge("kube_node_status_allocatable", NODE_GPU, Of(S::NodeGpus)).per(Scope::Node),
    gauge("kube_node_status_capacity", NODE_GPU, Of(S::NodeGpus)).per(Scope::Node),
];

const USAGE: Needs = Needs::Stated(Statement::Usage);
const CONTAINER_USE: Pairs = &[
    ("namespace", "{namespace}"),
    ("pod", "{pod}"),
    ("image", "{image}"),
    ("name", "{uid}"),
    ("id", "/kubepods/{uid}"),
    ("node", "{node}"),
];
const CPU_USE: Pairs = &[
    ("namespace", "{namespace}"),
    ("pod", "{pod}"),
    ("image", "{image}"),
    ("name", "{uid}"),
    ("id", "/kubepods/{uid}"),
    ("cpu", "total"),
    ("node", "{node}"),
];
/// The container, and the pod as a whole: a sum that does not say which counts twice.
const CPU_ROWS: &[(Pairs, Figure)] =
    &[(&[("container", "{container}")], Of(S::CpuSeconds)), (&[("container", "")], Of(S::CpuSeconds))];
const MEMORY_ROWS: &[(Pairs, Figure)] =
    &[(&[("container", "{container}")], Of(S::MemoryBytes)), (&[("container", "")], Of(S::MemoryBytes))];

pub(super) const CADVISOR: &[Metric] = &[
    counter("container_cpu_usage_seconds_total", CPU_USE, Of(S::CpuSeconds))
        .rows(CPU_ROWS)
        .per(Scope::Pod)
        .needs(USAGE),
    gauge("container_memory_working_set_bytes", CONTAINER_USE, Of(S::MemoryBytes))
        .rows(MEMORY_ROWS)
        .per(Scope::Pod)
        .needs(USAGE),
    gauge("container_memory_usage_bytes", CONTAINER_USE, Of(S::MemoryBytes))
        .rows(MEMORY_ROWS)
        .per(Scope::Pod)
        .needs(USAGE),
    gauge("container_memory_rss", CONTAINER_USE, Of(S::MemoryBytes)).rows(MEMORY_ROWS).per(Scope::Pod).needs(USAGE),
    gauge("container_spec_cpu_quota", CONTAINER_USE, Not("kube-prometheus-stack drops container_spec_*")),
    gauge("container_spec_memory_limit_bytes", CONTAINER_USE, Not("kube-prometheus-stack drops container_spec_*")),
    counter("container_network_receive_bytes_total", CONTAINER_USE, Not("sizes in bytes are not modelled")),
    counter("container_network_transmit_bytes_total", CONTAINER_USE, Not("sizes in bytes are not modelled")),
];

const MACHINE: &str = "CPU and memory of whole nodes are not kept as series";

pub(super) const NODE_EXPORTER: &[Metric] = &[
    counter("node_cpu_seconds_total", NODE, Not(MACHINE)),
    gauge("node_memory_MemTotal_bytes", NODE, Not(MACHINE)),
    gauge("node_memory_MemAvailable_bytes", NODE, Not(MACHINE)),
    gauge("node_load1", NODE, Not(MACHINE)),
    gauge("node_load5", NODE, Not(MACHINE)),
];
