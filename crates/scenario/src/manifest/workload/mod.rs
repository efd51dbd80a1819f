//! What runs the pods: every kind of workload in the one shape that the rest reads.
//!
//! A workload becomes a document shaped like a Deployment (with the places of the original, so that messages name its lines), the order
//! and the grouping of its replicas, and the autoscaler that its operator would make of it. What is in the pod is for
//! [`DeploymentFile`](super::DeploymentFile).

mod engine;
mod environment;
mod kserve;
mod made;
mod managed;
mod nvidia;
mod plain;
mod shape;

use cluster::spec::{GroupRestart, ReplicaOrder};

pub use engine::{Engine, Serving, engine, engine_of_metrics};
pub use environment::with_environment;
pub use nvidia::nim_services;
pub use shape::{accelerator, gpu_containers};

use crate::error::ScenarioError;
use crate::tree::Node;

use super::{Document, Kind};

/// A workload, in the shape that is read.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The document it was made of.
    pub document: Document,
    /// Shaped like a Deployment: `spec.replicas` and `spec.template`.
    pub deployment: Document,
    /// Where the pod stands in the document: what messages say instead of `spec.template`.
    pub template_path: String,
    /// In which order replicas come and go.
    pub order: ReplicaOrder,
    /// The pods of a replica besides its first, if there are any.
    pub group: Option<Group>,
    /// Autoscalers that its operator makes of it.
    pub scalers: Vec<Document>,
    /// What an autoscaler may call it, the document itself first.
    pub targets: Vec<Target>,
    /// A rule of its own by which it scales, if it is none that is modelled: what is lost.
    pub own_scaler: Option<String>,
    /// What a user should know.
    pub notes: Vec<String>,
    /// Labels of the ConfigMaps that variables of its containers come from.
    pub config_maps: Vec<String>,
}

/// What an autoscaler names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// API group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
}

/// A replica of several pods.
#[derive(Clone, Debug)]
pub struct Group {
    /// Pods in all.
    pub size: u32,
    /// A pod that is not the leader, shaped like a Deployment.
    pub worker: Document,
    /// Where it stands in the document.
    pub worker_path: String,
    /// What the loss of a pod means.
    pub restart: GroupRestart,
    /// Workers wait for the leader.
    pub leader_ready_first: bool,
}

impl Group {
    /// The same of pods that a Deployment or StatefulSet makes again one by one.
    fn of_single_pods(self) -> Self {
        Self { restart: GroupRestart::Pod, ..self }
    }
}

/// What the makers of workloads fill in.
#[derive(Clone, Debug)]
struct Shape {
    /// `{metadata, spec}` of a pod.
    template: Node,
    template_path: String,
    replicas: Option<Node>,
    order: ReplicaOrder,
    group: Option<Group>,
    scalers: Vec<Document>,
    targets: Vec<Target>,
    own_scaler: Option<String>,
    notes: Vec<String>,
}

/// A document and the folder it stands in.
#[derive(Clone, Copy)]
struct Source<'a> {
    document: &'a Document,
    folder: &'a [Document],
}

type Maker = fn(Source<'_>) -> Result<Shape, ScenarioError>;

/// Who makes what of which kind.
const MAKERS: &[(Kind, Maker)] = &[
    (Kind::Deployment, plain::deployment),
    (Kind::ReplicaSet, plain::deployment),
    (Kind::CloneSet, plain::like_a_deployment),
    (Kind::DeploymentConfig, plain::like_a_deployment),
    (Kind::StatefulSet, plain::stateful_set),
    (Kind::Pod, plain::pod),
    (Kind::Rollout, plain::rollout),
    (Kind::LeaderWorkerSet, plain::leader_worker_set),
    (Kind::InferenceService, kserve::inference_service),
    (Kind::LlmInferenceService, kserve::llm_inference_service),
    (Kind::NimService, nvidia::nim_service),
    (Kind::DynamoGraphDeployment, nvidia::dynamo_graph),
    (Kind::KaitoWorkspace, managed::kaito_workspace),
    (Kind::KaitoInferenceSet, managed::kaito_inference_set),
    (Kind::KubeAiModel, managed::kubeai_model),
    (Kind::RayService, managed::ray_service),
    (Kind::KnativeService, managed::knative_service),
    (Kind::HyperPodEndpoint, managed::hyperpod),
];

impl Workload {
    /// The workload a document describes; `None` if it describes none.
    pub fn of(document: &Document, folder: &[Document]) -> Result<Option<Self>, ScenarioError> {
        let Some((_, make)) = MAKERS.iter().find(|(kind, _)| *kind == document.kind) else { return Ok(None) };
        let shape = make(Source { document, folder })?;
        let own = Target {
            group: document.group().to_owned(),
            kind: document.kind_text().to_owned(),
            name: document.name.clone(),
        };
        let exact = exact_template(document, folder);
        let template = exact.unwrap_or(shape.template);
        let (template, config_maps) = with_environment(template, document, folder);
        Ok(Some(Self {
            deployment: shape::deployment(document, template, shape.replicas),
            document: document.clone(),
            template_path: shape.template_path,
            order: shape.order,
            group: shape.group,
            scalers: shape.scalers,
            targets: std::iter::once(own).chain(shape.targets).collect(),
            own_scaler: shape.own_scaler,
            notes: shape.notes,
            config_maps,
        }))
    }

    /// Name of the service.
    pub fn name(&self) -> &str {
        &self.document.name
    }

    /// True if an autoscaler that names this kind and name means it; a group that is not given is not compared.
    pub fn is_target(&self, group: Option<&str>, kind: &str, name: &str) -> bool {
        self.targets
            .iter()
            .any(|target| target.kind == kind && target.name == name && group.is_none_or(|group| group == target.group))
    }
}

/// True for the documents that stand for themselves: those that no other document of the folder made.
pub fn is_on_its_own(document: &Document, folder: &[Document]) -> bool {
    let is_there = |(kind, name): (&str, &str)| {
        folder.iter().any(|other| {
            (other.kind.is_workload() || other.kind == Kind::ScaledObject)
                && other.kind_text() == kind
                && other.name == name
                && other.is_beside(document.namespace())
        })
    };
    if document.owner().is_some_and(is_there) {
        return false;
    }
    // A Rollout may take its pods from a Deployment, which then has none of its own.
    let refers = |other: &Document| {
        let reference = |key: &str| other.node.text_at(&["spec", "workloadRef", key]);
        other.kind == Kind::Rollout
            && other.is_beside(document.namespace())
            && reference("name") == Some(&document.name)
            && reference("kind").is_none_or(|kind| kind == document.kind_text())
    };
    !folder.iter().any(refers)
}

/// All documents of a folder that are workloads of their own.
pub fn documents(folder: &[Document]) -> impl Iterator<Item = &Document> {
    folder.iter().filter(|document| document.kind.is_workload() && is_on_its_own(document, folder))
}

/// The pod template of a document that this one made: what an operator has made of it is exact.
fn exact_template(document: &Document, folder: &[Document]) -> Option<Node> {
    let is_plain = matches!(document.kind, Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet | Kind::Pod);
    if is_plain || matches!(document.kind, Kind::Rollout | Kind::CloneSet | Kind::DeploymentConfig) {
        return None;
    }
    let made = folder.iter().filter(|other| {
        other.owner() == Some((document.kind_text(), &document.name)) && other.is_beside(document.namespace())
    });
    let mut templates = made.filter_map(|child| child.node.at(&["spec", "template"]));
    templates.rfind(|template| accelerator(template).is_some()).cloned()
}
