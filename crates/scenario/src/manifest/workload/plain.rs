//! Workloads that hold a pod template as it is.

use cluster::spec::{GroupRestart, ReplicaOrder};

use crate::error::{Allowed, ScenarioError};
use crate::tree::Node;

use super::super::{Document, Kind};
use super::shape;
use super::{Group, Shape, Source};

impl Shape {
    /// One pod a replica, all at once.
    pub fn of(template: Node, template_path: &str, replicas: Option<Node>) -> Self {
        Self {
            template,
            template_path: template_path.to_owned(),
            replicas,
            order: ReplicaOrder::Parallel,
            group: None,
            scalers: Vec::new(),
            targets: Vec::new(),
            own_scaler: None,
            notes: Vec::new(),
        }
    }
}

impl Source<'_> {
    /// The node at a path, which must be there.
    pub fn need(&self, path: &[&str]) -> Result<&Node, ScenarioError> {
        let node = &self.document.node;
        node.at(path).ok_or_else(|| {
            let (key, above) = path.split_last().unwrap_or((&"", &[]));
            let parent = (0..=above.len()).rev().find_map(|length| node.at(&above[..length])).unwrap_or(node);
            ScenarioError::MissingKey { at: parent.locate(above.join(".")), key: (*key).to_owned() }
        })
    }

    fn replicas(&self) -> Option<Node> {
        self.document.node.at(&["spec", "replicas"]).cloned()
    }

    fn with_template(&self) -> Result<Shape, ScenarioError> {
        let template = self.need(&["spec", "template"])?.clone();
        Ok(Shape::of(template, "spec.template", self.replicas()))
    }
}

/// A Deployment; a ReplicaSet or ReplicationController on its own is one without rollouts.
pub fn deployment(source: Source<'_>) -> Result<Shape, ScenarioError> {
    source.with_template()
}

/// Kinds of others that differ only in how they roll out.
pub fn like_a_deployment(source: Source<'_>) -> Result<Shape, ScenarioError> {
    let mut shape = source.with_template()?;
    shape.notes.push(format!("{} is read as a Deployment", source.document.title()));
    Ok(shape)
}

/// Replicas one after another, unless `Parallel`.
pub fn stateful_set(source: Source<'_>) -> Result<Shape, ScenarioError> {
    let mut shape = source.with_template()?;
    let policy = source.document.node.at(&["spec", "podManagementPolicy"]);
    shape.order = match policy.and_then(Node::text) {
        None | Some("OrderedReady") => ReplicaOrder::Ordered,
        Some("Parallel") => ReplicaOrder::HighestFirst,
        Some(other) => {
            let at = policy.unwrap_or(&source.document.node).locate("spec.podManagementPolicy");
            return Err(ScenarioError::UnknownChoice {
                at,
                allowed: Allowed::new(other, ["OrderedReady", "Parallel"]),
            });
        }
    };
    Ok(shape)
}

/// A bare pod is never more than one.
pub fn pod(source: Source<'_>) -> Result<Shape, ScenarioError> {
    let node = &source.document.node;
    let mut parts = vec![("spec", source.need(&["spec"])?.clone())];
    parts.extend(
        node.at(&["metadata", "labels"]).map(|labels| ("metadata", labels.with_map([("labels", labels.clone())]))),
    );
    let mut shape = Shape::of(node.with_map(parts), "", Some(node.with_word("1")));
    shape.notes.push(format!(
        "{} is one pod that nothing replaces or scales: it is run as one fixed replica",
        source.document.title()
    ));
    Ok(shape)
}

/// Argo's Deployment, whose pod may stand in a Deployment.
pub fn rollout(source: Source<'_>) -> Result<Shape, ScenarioError> {
    let node = &source.document.node;
    if node.at(&["spec", "template"]).is_some() {
        return source.with_template();
    }
    let reference = source.need(&["spec", "workloadRef"])?;
    let (kind, name) =
        (reference.text_at(&["kind"]).unwrap_or("Deployment"), source.need(&["spec", "workloadRef", "name"])?);
    let wanted = name.text().unwrap_or_default();
    let is_it = |other: &&Document| {
        other.kind_text() == kind && other.name == wanted && other.is_beside(source.document.namespace())
    };
    let Some(referred) = source.folder.iter().find(is_it) else {
        let names = source.folder.iter().filter(|other| other.kind_text() == kind).map(|other| other.name.as_str());
        let allowed = Allowed::new(wanted, names);
        return Err(ScenarioError::UnknownName {
            at: name.locate("spec.workloadRef.name"),
            what: "workload in the folder that `workloadRef` names,",
            allowed,
        });
    };
    let mut shape = Source { document: referred, folder: source.folder }.with_template()?;
    shape.replicas = source.replicas();
    if matches!(reference.text_at(&["scaleDown"]), None | Some("never")) {
        let (rollout, referred) = (source.document.title(), referred.title());
        shape.notes.push(format!(
            "{rollout}: pods of {referred} itself are not counted; without `scaleDown: onsuccess` both run"
        ));
    }
    Ok(shape)
}

/// Groups of a leader and workers.
pub fn leader_worker_set(source: Source<'_>) -> Result<Shape, ScenarioError> {
    const PATH: &str = "spec.leaderWorkerTemplate";
    let set = source.need(&["spec", "leaderWorkerTemplate"])?;
    let name = ("leaderworkerset.sigs.k8s.io/name", source.document.name.as_str());
    let worker = source.need(&["spec", "leaderWorkerTemplate", "workerTemplate"])?;
    let leader = set.get("leaderTemplate");
    let path = format!("{PATH}.{}", if leader.is_some() { "leaderTemplate" } else { "workerTemplate" });
    let of_leader = [name, ("leaderworkerset.sigs.k8s.io/worker-index", "0")];
    let mut shape = Shape::of(labelled(leader.unwrap_or(worker), &of_leader), &path, source.replicas());
    shape.order = ReplicaOrder::HighestFirst;
    let size = set.get("size").map_or(Ok(1), |node| {
        let found = node.text().unwrap_or("a list or mapping");
        found.parse::<u32>().ok().filter(|size| *size > 0).ok_or_else(|| ScenarioError::WrongValue {
            at: node.locate(format!("{PATH}.size")),
            found: format!("`{found}`"),
            expected: "a number of pods, 1 or more".to_owned(),
        })
    })?;
    let one_of = |node: Option<&Node>, path: &str, known: &[&'static str]| {
        let Some(word) = node.and_then(Node::text) else { return Ok(known[0]) };
        known.iter().find(|one| **one == word).copied().ok_or_else(|| ScenarioError::UnknownChoice {
            at: node.unwrap_or(set).locate(path),
            allowed: Allowed::new(word, known.iter().copied()),
        })
    };
    let restarts = ["RecreateGroupOnPodRestart", "RecreateGroupAfterStart", "None", "Default"];
    let restart = match one_of(set.get("restartPolicy"), &format!("{PATH}.restartPolicy"), &restarts)? {
        "RecreateGroupOnPodRestart" => GroupRestart::Group,
        "RecreateGroupAfterStart" => GroupRestart::GroupAfterStart,
        _ => GroupRestart::Pod,
    };
    let startup = source.document.node.at(&["spec", "startupPolicy"]);
    let startup = one_of(startup, "spec.startupPolicy", &["LeaderCreated", "LeaderReady"])?;
    shape.group = (size > 1).then(|| Group {
        size,
        worker: shape::deployment(source.document, labelled(worker, &[name]), None),
        worker_path: format!("{PATH}.workerTemplate"),
        restart,
        leader_ready_first: startup == "LeaderReady",
    });
    Ok(shape)
}

/// A pod template with labels that its controller adds.
fn labelled(template: &Node, labels: &[(&str, &str)]) -> Node {
    let part = |node: &Node, key: &str| node.get(key).cloned().unwrap_or_else(|| node.with_map([]));
    let mut metadata = part(template, "metadata");
    let mut all = part(&metadata, "labels");
    labels.iter().for_each(|(key, value)| all.put(key, template.with_text(*value)));
    metadata.put("labels", all);
    let mut template = template.clone();
    template.put("metadata", metadata);
    template
}

/// A document of another kind that has the name of this one's, for makers that derive one.
pub fn beside<'a>(source: &Source<'a>, kind: Kind) -> impl Iterator<Item = &'a Document> {
    let namespace = source.document.namespace().map(str::to_owned);
    source.folder.iter().filter(move |other| other.kind == kind && other.is_beside(namespace.as_deref()))
}
