//! Putting the shape together, and looking into it.

use crate::tree::{Node, Value};

use super::super::{Document, Kind};

/// A document shaped like a Deployment with this pod, at the places of the original.
pub fn deployment(document: &Document, template: Node, replicas: Option<Node>) -> Document {
    let node = &document.node;
    let metadata = node.get("metadata").cloned().unwrap_or_else(|| node.with_map([]));
    let mut spec = vec![("template", template)];
    spec.extend(replicas.map(|replicas| ("replicas", replicas)));
    // What is read of a Deployment besides.
    let more = ["strategy", "selector", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds", "paused"];
    if document.kind == Kind::Deployment {
        spec.extend(more.into_iter().filter_map(|key| Some((key, node.at(&["spec", key])?.clone()))));
    }
    let node = node.with_map([
        ("apiVersion", node.with_text("apps/v1")),
        ("kind", node.with_text("Deployment")),
        ("metadata", metadata),
        ("spec", node.get("spec").unwrap_or(node).with_map(spec)),
    ]);
    Document { kind: Kind::Deployment, name: document.name.clone(), node }
}

/// True for extended resources that are accelerators.
fn is_accelerator(resource: &str) -> bool {
    let (domain, name) = resource.split_once('/').unwrap_or(("", resource));
    !domain.is_empty()
        && (["gpu", "tpu", "neuron", "neuroncore", "neurondevice"].contains(&name)
            || name.starts_with("mig-")
            || name.starts_with("gpu")
            || ["habana.ai", "amd.com", "gpu.intel.com", "google.com", "aws.amazon.com"].contains(&domain))
}

/// The accelerator a container asks for and how many, as written.
fn container_accelerator(container: &Node) -> Option<(&str, f64)> {
    let resources = container.get("resources")?;
    let asked = ["limits", "requests"].into_iter().filter_map(|key| resources.get(key));
    let mut found = asked.flat_map(Node::entries).filter(|entry| is_accelerator(&entry.key));
    found.find_map(|entry| {
        let count: f64 = entry.value.text()?.parse().ok()?;
        (count > 0.0).then_some((entry.key.as_str(), count))
    })
}

/// The accelerator a pod template asks for and how many in all.
pub fn accelerator(template: &Node) -> Option<(&str, f64)> {
    let containers = template.at(&["spec", "containers"]).map(Node::items).unwrap_or_default();
    let asked: Vec<(&str, f64)> = containers.iter().filter_map(container_accelerator).collect();
    let (name, _) = asked.first()?;
    Some((name, asked.iter().map(|(_, count)| count).sum()))
}

/// The containers with an accelerator; all of them if none has.
pub fn gpu_containers(template: &Node) -> Vec<&Node> {
    let containers = template.at(&["spec", "containers"]).map(Node::items).unwrap_or_default();
    let asking: Vec<&Node> = containers.iter().filter(|one| container_accelerator(one).is_some()).collect();
    if asking.is_empty() { containers.iter().collect() } else { asking }
}

/// The whole number that stands at a path.
pub fn whole(node: &Node, path: &[&str]) -> Option<u32> {
    node.text_at(path)?.parse().ok()
}

/// A mapping with everything of `over` put over `base`: mappings key by key, lists of named things by name, the rest replaced.
pub fn merged(base: &Node, over: &Node) -> Node {
    let mut result = base.clone();
    match (&mut result.value, &over.value) {
        (Value::Map(_), Value::Map(entries)) => {
            for entry in entries {
                let value = match base.get(&entry.key) {
                    Some(below) => merged(below, &entry.value),
                    None => entry.value.clone(),
                };
                result.put(&entry.key, value);
            }
            result
        }
        (Value::List(items), Value::List(more)) if more.iter().all(|item| item.get("name").is_some()) => {
            for item in more {
                let name = item.text_at(&["name"]);
                match items.iter_mut().find(|known| known.text_at(&["name"]) == name) {
                    Some(known) => *known = merged(&known.clone(), item),
                    None => items.push(item.clone()),
                }
            }
            result
        }
        _ => over.clone(),
    }
}
