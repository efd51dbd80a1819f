//! What a folder of manifests holds, for those who have no scenario yet: which workload is the service, and who scales it.

use std::cmp::Reverse;

use crate::error::ScenarioError;
use crate::input::{Input, expand, gather};
use crate::manifest::workload::{self, Engine, Workload, accelerator, gpu_containers};
use crate::manifest::{Document, Kind, Treatment};
use crate::resolve::scaled_by;
use crate::server::{self, Gpu, ModelSize, Settings, TritonConfig};
use crate::sources::sources;
use crate::tree::Node;

/// A folder, looked at.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Workloads, the one that is most likely the service first.
    pub candidates: Vec<Candidate>,
    /// HorizontalPodAutoscalers and ScaledObjects, those that operators make too.
    pub autoscalers: Vec<Autoscaler>,
    /// Names of NodePools and Provisioners.
    pub pools: Vec<String>,
    /// True if there is a ComputeClass that makes node pools.
    pub has_classes: bool,
    /// Files that documents were found in, in order.
    pub sources: Vec<String>,
    /// File of a Scenario that is there already.
    pub scenario: Option<String>,
    /// Kinds found, without those that have no effect.
    pub kinds: Vec<String>,
    /// File, line and name of the first ScaledJob, Job or CronJob that takes accelerators, if there is one.
    pub jobs: Option<String>,
}

/// A workload that may be the service.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// `Kind/NAME`.
    pub title: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace, if it says so.
    pub namespace: Option<String>,
    /// Where it stands: file, line and column.
    pub place: String,
    /// Replicas it starts with.
    pub replicas: u64,
    /// Accelerator of a pod and how many in all its containers.
    pub accelerator: Option<(String, f64)>,
    /// Pods of a replica.
    pub pods: u32,
    /// Image of the container with the accelerator, or of the first one.
    pub image: String,
    /// What serves, if image or command tell, or else the metrics that its autoscalers ask for.
    pub engine: Option<Engine>,
    /// True if an autoscaler of the folder scales it.
    pub is_scaled: bool,
    /// How it scales itself, if that is not modelled: what is lost.
    pub own_scaler: Option<String>,
    /// Triton's configuration of its model, if the folder holds exactly one.
    pub triton: Option<TritonConfig>,
    /// The model that a kind of its own names, beside its containers.
    model: Option<String>,
    /// The container that serves.
    container: Option<Node>,
}

/// An autoscaler and whom it scales.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autoscaler {
    /// `Kind/NAME`.
    pub title: String,
    /// Where it stands: file, line and column.
    pub place: String,
    /// True for a ScaledObject.
    pub is_keda: bool,
    /// Name.
    pub name: String,
    /// Name of its target; empty if it names none.
    pub target: String,
    /// Position of that workload among the candidates, if it is there.
    pub candidate: Option<usize>,
    /// Why it scales nothing, where a workload of another kind, group or namespace has the name of its target.
    pub miss: Option<String>,
}

impl Survey {
    /// Looks into files, folders and texts. Documents whose kind or `Kind/NAME` is in `ignored` are as if not there.
    pub fn read(inputs: &[Input], is_plain: bool, ignored: &[String]) -> Result<Self, ScenarioError> {
        let mut documents = gather(&sources(inputs, is_plain)?)?.documents;
        let mut sources: Vec<String> = Vec::new();
        for document in &documents {
            let source = document.node.place.source.to_string();
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
        documents.retain(|document| !ignored.iter().any(|pattern| crate::input::is_meant(pattern, document)));
        let scenario = documents.iter().find(|document| document.kind == Kind::Scenario);
        let scenario = scenario.map(|document| document.node.place.source.to_string());
        expand(&mut documents)?;
        let mut found = workloads(&documents)?;
        let scalers: Vec<&Document> = documents.iter().filter(|document| is_scaler(document, &documents)).collect();
        let is_scaled = |workload: &Workload| scalers.iter().any(|scaler| scales(scaler, workload));
        found.sort_by_cached_key(|workload| Rank::of(workload, is_scaled(workload)));
        let autoscaler = |scaler: &&Document| Autoscaler {
            title: scaler.title(),
            place: scaler.node.place.to_string(),
            is_keda: scaler.kind != Kind::HorizontalPodAutoscaler,
            name: scaler.name.clone(),
            target: scaled_by(scaler).map(|(_, _, name)| name.to_owned()).unwrap_or_default(),
            candidate: found.iter().position(|workload| scales(scaler, workload)),
            miss: miss(scaler, &found),
        };
        let triton = triton_config(&documents);
        let pools = [Kind::NodePool, Kind::NodePoolBeta, Kind::Provisioner];
        let makes_pools = |one: &Document| {
            one.kind == Kind::ComputeClass
                && one.node.text_at(&["spec", "nodePoolAutoCreation", "enabled"]) == Some("true")
        };
        let mut kinds: Vec<String> = documents
            .iter()
            .filter(|one| one.treatment() != Treatment::Inert)
            .map(|one| one.kind_text().to_owned())
            .collect();
        kinds.sort();
        kinds.dedup();
        Ok(Self {
            autoscalers: scalers.iter().map(autoscaler).collect(),
            candidates: found
                .iter()
                .map(|workload| Candidate {
                    triton: triton.clone(),
                    ..Candidate::of(
                        workload,
                        &scalers.iter().copied().filter(|scaler| scales(scaler, workload)).collect::<Vec<_>>(),
                    )
                })
                .collect(),
            pools: documents.iter().filter(|one| pools.contains(&one.kind)).map(|one| one.name.clone()).collect(),
            has_classes: documents.iter().any(makes_pools),
            sources,
            scenario,
            kinds,
            jobs: documents
                .iter()
                .find(|document| is_job(document))
                .map(|job| format!("{}: {}", job.node.place, job.title())),
        })
    }
}

/// Where kinds that bring their own server say which model it is.
const MODEL_PATHS: [&[&str]; 5] = [
    &["spec", "predictor", "model", "storageUri"],
    &["spec", "model", "uri"],
    &["inference", "preset", "name"],
    &["spec", "template", "inference", "preset", "name"],
    &["spec", "url"],
];

impl Candidate {
    fn of(workload: &Workload, scalers: &[&Document]) -> Self {
        let template = template(workload);
        let asked = accelerator(template).map(|(name, count)| (name.to_owned(), count));
        let container = gpu_containers(template).first().map(|container| (*container).clone());
        let image = container.as_ref().and_then(|container| container.text_at(&["image"]));
        Self {
            title: workload.document.title(),
            kind: workload.document.kind_text().to_owned(),
            name: workload.document.name.clone(),
            namespace: workload.document.namespace().map(str::to_owned),
            place: workload.document.node.place.to_string(),
            replicas: replicas(workload),
            accelerator: asked,
            pods: workload.group.as_ref().map_or(1, |group| group.size),
            image: image.unwrap_or_default().to_owned(),
            engine: workload::engine(template)
                .or_else(|| scalers.iter().find_map(|scaler| engine_asked_for(&scaler.node))),
            is_scaled: !scalers.is_empty(),
            own_scaler: workload.own_scaler.clone(),
            triton: None,
            model: MODEL_PATHS.iter().find_map(|path| workload.document.node.text_at(path)).map(str::to_owned),
            container,
        }
    }

    /// How its server was told to serve, on this GPU; nothing where the server is not known.
    pub fn settings(&self, gpu: Option<Gpu<'_>>) -> Settings {
        match (&self.container, self.engine) {
            (Some(container), Some(engine)) => server::settings(container, engine, gpu),
            _ => Settings::default(),
        }
    }

    /// Parameters of its model in billions and bytes of each of them, where its name says so: `Qwen2.5-32B-Instruct-AWQ`.
    pub fn model_size(&self) -> Option<ModelSize> {
        let by_container = self.container.as_ref().and_then(server::model_size);
        by_container.or_else(|| server::size_in_name(self.model.as_deref()?))
    }

    /// The name of the model it is told to serve: the one whose size is known by it, else the first.
    pub fn model_name(&self) -> Option<String> {
        let by_container = self.container.as_ref().map(server::model_names).unwrap_or_default();
        let all: Vec<String> = by_container.into_iter().chain(self.model.clone()).collect();
        all.iter().find(|name| server::size_in_name(name).is_some()).or(all.first()).cloned()
    }

    /// `service.onTerminate` as its server behaves, and what says so; nothing where the server is not known.
    pub fn on_terminate(&self) -> Option<(String, String)> {
        let stopping = server::stopping(self.container.as_ref()?, self.engine?);
        let doubt = if stopping.is_known { "" } else { ": not known, so it is taken to finish" };
        Some((stopping.rule_in_words(), format!("{}{doubt}", stopping.source)))
    }

    /// True if it goes by this name: `NAME`, `Kind/NAME` or `NAMESPACE/Kind/NAME`.
    pub fn is_called(&self, name: &str) -> bool {
        match name.split('/').collect::<Vec<_>>()[..] {
            [own] => self.name == own,
            [kind, own] => self.name == own && self.kind.eq_ignore_ascii_case(kind),
            [namespace, kind, own] => {
                self.name == own
                    && self.kind.eq_ignore_ascii_case(kind)
                    && self.namespace.as_deref().unwrap_or("default") == namespace
            }
            _ => false,
        }
    }

    /// The name that only this one goes by.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace.as_deref().unwrap_or("default"), self.title)
    }
}

/// What makes a workload the service, most telling first; smaller is likelier.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    without_accelerator: bool,
    without_engine: bool,
    without_scaler: bool,
    accelerators: Reverse<u64>,
    replicas: Reverse<u64>,
    name: String,
}

impl Rank {
    fn of(workload: &Workload, is_scaled: bool) -> Self {
        let template = template(workload);
        let asked = accelerator(template);
        let pods = workload.group.as_ref().map_or(1, |group| group.size);
        Self {
            without_accelerator: asked.is_none(),
            without_engine: workload::engine(template).is_none(),
            without_scaler: !is_scaled && workload.own_scaler.is_none(),
            accelerators: Reverse(asked.map_or(0, |(_, count)| count as u64 * u64::from(pods))),
            replicas: Reverse(replicas(workload)),
            name: workload.document.name.clone(),
        }
    }
}

/// The one `config.pbtxt` among the ConfigMaps; nothing where there are several, for then it is not known whose each is.
fn triton_config(documents: &[Document]) -> Option<TritonConfig> {
    let maps = documents.iter().filter(|document| document.kind_text() == "ConfigMap");
    let entries = maps.filter_map(|document| document.node.get("data")).flat_map(Node::entries);
    let mut texts = entries.filter(|entry| entry.key.ends_with("config.pbtxt")).filter_map(|entry| entry.value.text());
    let first = texts.next()?;
    texts.next().is_none().then(|| TritonConfig::parse(first))
}

/// Workloads that can be read. One that cannot is only an error where there is no other.
fn workloads(documents: &[Document]) -> Result<Vec<Workload>, ScenarioError> {
    let (mut found, mut wrong) = (Vec::new(), None);
    for document in workload::documents(documents) {
        match Workload::of(document, documents) {
            Ok(workload) => found.extend(workload),
            Err(error) => wrong = wrong.or(Some(error)),
        }
    }
    match wrong {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

/// The server whose metrics stand anywhere in an autoscaler.
fn engine_asked_for(scaler: &Node) -> Option<Engine> {
    let own = scaler.text().and_then(workload::engine_of_metrics);
    let in_entries = || scaler.entries().iter().find_map(|entry| engine_asked_for(&entry.value));
    own.or_else(in_entries).or_else(|| scaler.items().iter().find_map(engine_asked_for))
}

/// Work that ends: no replicas serve.
fn is_job(document: &Document) -> bool {
    let template = match document.kind_text() {
        "ScaledJob" => return true,
        "Job" => document.node.at(&["spec", "template"]),
        "CronJob" => document.node.at(&["spec", "jobTemplate", "spec", "template"]),
        _ => None,
    };
    template.is_some_and(|template| accelerator(template).is_some())
}

fn template(workload: &Workload) -> &Node {
    let node = &workload.deployment.node;
    node.at(&["spec", "template"]).unwrap_or(node)
}

fn replicas(workload: &Workload) -> u64 {
    let count = workload.deployment.node.text_at(&["spec", "replicas"]);
    count.and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// KEDA's own HPA is no autoscaler beside the ScaledObject it belongs to.
pub fn is_scaler(document: &Document, folder: &[Document]) -> bool {
    let is_keda = || {
        document.owner().is_some_and(|(kind, name)| {
            kind == "ScaledObject" && folder.iter().any(|other| other.kind == Kind::ScaledObject && other.name == name)
        })
    };
    // An HTTPScaledObject and the ScaledObject made of it have one name, and are one autoscaler.
    let is_made = || folder.iter().any(|other| other.kind == Kind::ScaledObject && other.name == document.name);
    match document.kind {
        Kind::HorizontalPodAutoscaler => !is_keda(),
        Kind::ScaledObject => true,
        Kind::HttpScaledObject => !is_made(),
        _ => false,
    }
}

/// Whether it moves the replicas of this workload.
pub fn scales(scaler: &Document, workload: &Workload) -> bool {
    scaled_by(scaler).is_some_and(|(group, kind, name)| workload.is_target(group, kind, name))
        && scaler.is_beside(workload.document.namespace())
}

/// Why an autoscaler scales none of the workloads, though one has the name of its target.
fn miss(scaler: &Document, workloads: &[Workload]) -> Option<String> {
    let (group, kind, name) = scaled_by(scaler)?;
    if workloads.iter().any(|workload| scales(scaler, workload)) {
        return None;
    }
    let place = &scaler.node.place;
    let named = |workload: &&Workload| workload.is_target(group, kind, name);
    if let Some(other) = workloads.iter().find(named) {
        let of = |namespace: Option<&str>| namespace.unwrap_or("default").to_owned();
        return Some(format!(
            "{place}: {} is in namespace {} and scales {kind} {name} there; {} of the folder is in namespace {}",
            scaler.title(),
            of(scaler.namespace()),
            other.document.title(),
            of(other.document.namespace())
        ));
    }
    let other = workloads.iter().find(|workload| workload.targets.iter().any(|target| target.name == name))?;
    let known = other.targets.iter().find(|target| target.name == name)?;
    let wanted = group.filter(|group| known.kind == kind && *group != known.group);
    Some(match wanted {
        Some(group) => format!(
            "{place}: {} targets {kind} {name} of group `{group}`; that of the folder is of `{}`",
            scaler.title(),
            known.group
        ),
        None => format!(
            "{place}: {} targets {kind} {name}; the folder has {} {name}, which `scaleTargetRef: {{kind: {}}}` means",
            scaler.title(),
            known.kind,
            known.kind
        ),
    })
}
