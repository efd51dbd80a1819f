//! Annotations that are spelt right and stand where nobody reads them: on a Deployment instead of its pods, on the workload instead of its
//! ScaledObject.

use crate::manifest::{Document, Kind};

/// Where a key of `metadata` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stand {
    /// Among labels, not annotations.
    pub(super) is_label: bool,
    /// In the document's own `metadata`, not in a template within it.
    pub(super) is_own: bool,
}

impl Stand {
    /// Among the annotations of a document's own `metadata`.
    pub(super) const OWN: Self = Self { is_label: false, is_own: true };
}

/// Annotations of pods, read by the controller that would end them or their node.
const OF_PODS: [&str; 9] = [
    "karpenter.sh/do-not-disrupt",
    "karpenter.sh/do-not-evict",
    "cluster-autoscaler.kubernetes.io/safe-to-evict",
    "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes",
    "cluster-autoscaler.kubernetes.io/enable-ds-eviction",
    "cluster-autoscaler.kubernetes.io/pod-scale-up-delay",
    "cluster-autoscaler.kubernetes.io/consume-provisioning-request",
    "cluster-autoscaler.kubernetes.io/provisioning-class-name",
    "controller.kubernetes.io/pod-deletion-cost",
];

/// Where an annotation that somebody reads is read instead of here; `None` if it may be read where it stands.
///
/// Only kinds whose controllers are known to leave their own annotations alone are judged: KServe, for one, copies those of an
/// InferenceService to whatever it makes. So are documents that a controller of another kind wrote.
pub(super) fn belongs(document: &Document, key: &str, stand: Stand) -> Option<String> {
    if document.owner().is_some() {
        return None;
    }
    let (domain, _) = key.split_once('/')?;
    match domain {
        "autoscaling.keda.sh" if is_scaled_by_keda(document, stand) => None,
        "autoscaling.keda.sh" => keeps_its_own(document).then(|| {
            "KEDA looks for it in `metadata.annotations` of the ScaledObject that scales the workload".to_owned()
        }),
        "httpscaledobject.keda.sh" if document.kind != Kind::HttpScaledObject => keeps_its_own(document)
            .then(|| "the HTTP add-on looks for it in `metadata.annotations` of the HTTPScaledObject".to_owned()),
        "autoscaling.knative.dev" => knative(document, stand),
        _ if OF_PODS.contains(&key) => of_pods(document, stand),
        _ => None,
    }
}

fn is_scaled_by_keda(document: &Document, stand: Stand) -> bool {
    let is_keda =
        matches!(document.kind, Kind::ScaledObject | Kind::HttpScaledObject) || document.kind_text() == "ScaledJob";
    is_keda && stand.is_own
}

/// Knative's own webhook refuses them in the Service's metadata; another kind's controller never looks.
fn knative(document: &Document, stand: Stand) -> Option<String> {
    let is_knative = document.kind == Kind::KnativeService || document.group() == "serving.knative.dev";
    if !is_knative {
        return keeps_its_own(document)
            .then(|| "only a Service of Knative has it, in `spec.template.metadata.annotations`".to_owned());
    }
    let is_wrong = stand.is_own && document.kind_text() != "Revision";
    is_wrong.then(|| "Knative refuses it outside `spec.template.metadata.annotations`, where it belongs".to_owned())
}

fn of_pods(document: &Document, stand: Stand) -> Option<String> {
    if !stand.is_own || matches!(document.kind, Kind::Pod) {
        return None;
    }
    let place = match (document.kind, template(document)) {
        (Kind::NodePool, _) => "it belongs into `spec.template.metadata.annotations`, for the pool's nodes".to_owned(),
        (_, Some(template)) => format!("it belongs to the pods, into `{template}.metadata.annotations`"),
        (_, None) if keeps_its_own(document) => {
            "it belongs to the pods, into `spec.template.metadata.annotations` of the workload".to_owned()
        }
        _ => return None,
    };
    Some(place)
}

/// Where the pods of a workload have their metadata, for kinds whose own does not reach them.
fn template(document: &Document) -> Option<&'static str> {
    Some(match (document.kind, document.kind_text()) {
        (Kind::LeaderWorkerSet, _) => "spec.leaderWorkerTemplate.workerTemplate",
        (_, "CronJob") => "spec.jobTemplate.spec.template",
        (
            Kind::Deployment
            | Kind::StatefulSet
            | Kind::ReplicaSet
            | Kind::Rollout
            | Kind::CloneSet
            | Kind::DeploymentConfig
            | Kind::KnativeService,
            _,
        )
        | (_, "DaemonSet" | "Job") => "spec.template",
        _ => return None,
    })
}

/// True for kinds whose own annotations reach no other object.
fn keeps_its_own(document: &Document) -> bool {
    let kinds = ["HorizontalPodAutoscaler", "ScaledObject", "HTTPScaledObject", "PodDisruptionBudget", "NodePool"];
    let is_core_service = document.kind_text() == "Service" && document.group().is_empty();
    let is_workload = template(document).is_some() || document.kind == Kind::Pod;
    is_workload || is_core_service || kinds.contains(&document.kind_text())
}
