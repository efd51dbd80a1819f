//! `--set PATH=VALUE`: changes to documents before they are resolved.
//!
//! A path starts below `spec` of the Scenario (`run.duration`, `policies.hpa.warmPool.size`), where policies and services are named instead
//! of counted (`services.chat.traffic.scale`, `policies.hpa.services.chat.warmPool.size`). A
//! policy that names a manifest gets its own copy of it (`policies.hpa.spec.maxReplicas`), so that other policies keep theirs. A path may
//! also start with a manifest: `Deployment/triton-inference.spec.replicas`.

use crate::error::{Place, ScenarioError};
use crate::manifest::Document;
use crate::tree::{Entry, Node, Segment, Value, parse_path, parse_value, path_text};
use names::nearest;

/// Mappings of a manifest whose values are text, whatever they look like: Kubernetes takes nothing else there.
const TEXTS: [&str; 4] = ["annotations", "labels", "matchLabels", "nodeSelector"];

/// Keys of a policy that may name a manifest.
const REFERENCES: [&str; 2] = ["hpa", "keda"];

/// Applies one override.
pub fn apply(documents: &mut [Document], scenario: usize, path: &str, value: &str) -> Result<(), ScenarioError> {
    let change = Change { argument: format!("{path}={value}") };
    if let Some((title, rest)) = manifest_path(documents, path) {
        let segments = parse_path(rest).map_err(|reason| change.refused(reason, None))?;
        let value = change.value(value)?;
        return change.set(&mut documents[title].node, &segments, value);
    }
    let mut segments = parse_path(path).map_err(|reason| change.refused(reason, None))?;
    if segments[0] != Segment::Key("metadata".to_owned()) && segments[0] != Segment::Key("spec".to_owned()) {
        segments.insert(0, Segment::Key("spec".to_owned()));
    }
    let segments = change.through_references(documents, scenario, &segments)?;
    let value = change.value(value)?;
    change.set(&mut documents[scenario].node, &segments, value)
}

/// True if a path starts with a manifest.
pub fn is_manifest(documents: &[Document], path: &str) -> bool {
    manifest_path(documents, path).is_some()
}

/// `Deployment/name.rest` as the index of that document and the rest.
fn manifest_path<'p>(documents: &[Document], path: &'p str) -> Option<(usize, &'p str)> {
    documents.iter().enumerate().find_map(|(index, document)| {
        let title = document.title();
        let head = path.get(..title.len())?;
        let rest = path[title.len()..].strip_prefix('.')?;
        (title.contains('/') && head.eq_ignore_ascii_case(&title)).then_some((index, rest))
    })
}

/// One override being applied.
struct Change {
    argument: String,
}

impl Change {
    fn refused(&self, reason: String, nearest: Option<String>) -> ScenarioError {
        ScenarioError::Override { argument: self.argument.clone(), reason, nearest }
    }

    fn source(&self) -> String {
        format!("--set {}", self.argument)
    }

    fn value(&self, text: &str) -> Result<Node, ScenarioError> {
        parse_value(&self.source(), text).map_err(|error| match error {
            ScenarioError::Syntax { reason, .. } => {
                self.refused(format!("the value is not valid YAML: {reason}"), None)
            }
            other => other,
        })
    }

    /// Turns policy names into positions, and puts a copy of a named manifest's `spec` in the place of its name where the path goes on
    /// into it.
    fn through_references(
        &self,
        documents: &mut [Document],
        scenario: usize,
        segments: &[Segment],
    ) -> Result<Vec<Segment>, ScenarioError> {
        let key = |index: usize, name: &str| matches!(segments.get(index), Some(Segment::Key(key)) if key == name);
        if !(key(0, "spec") && key(1, "policies")) || segments.len() < 4 {
            return Ok(segments.to_vec());
        }
        let policies = documents[scenario].node.at(&["spec", "policies"]).map(Node::items).unwrap_or_default();
        let position = self.position(policies, &segments[2], "policies")?;
        // What is about one service of several stands below its name.
        let depth = if key(3, "services") && segments.len() > 5 { 5 } else { 3 };
        let policy = match &segments[4..depth.max(4)] {
            [Segment::Key(service)] => policies[position].at(&["services", service]),
            _ => Some(&policies[position]),
        };
        let Some(policy) = policy else { return Ok(positioned(segments, position)) };
        let above = &positioned(segments, position)[..depth];
        let mut rest = segments[depth..].to_vec();
        // `policies.x.spec…` means the one manifest the policy names.
        if rest[0] == Segment::Key("spec".to_owned()) {
            let named: Vec<&str> = REFERENCES.into_iter().filter(|key| policy.get(key).is_some()).collect();
            let [reference] = named[..] else {
                let reason =
                    "`spec` of a policy stands for the `spec` of its `hpa` or `keda`, of which it has none".to_owned();
                return Err(self.refused(reason, None));
            };
            rest[0] = Segment::Key(reference.to_owned());
        }
        let reference = match &rest[0] {
            Segment::Key(key) if rest.len() > 1 && REFERENCES.contains(&key.as_str()) => key.clone(),
            _ => String::new(),
        };
        let name = policy.get(&reference).and_then(Node::text).map(str::to_owned);
        if let Some(name) = name {
            let copy = documents.iter().find(|document| {
                let kind = if reference == "hpa" { "HorizontalPodAutoscaler" } else { "ScaledObject" };
                document.title() == format!("{kind}/{name}")
            });
            // A name without manifest is reported where it is written, when the scenario is resolved.
            if let Some(spec) = copy.and_then(|document| document.node.get("spec")).cloned() {
                let is_keda = reference == "keda";
                let path = [above, &[Segment::Key(reference)]].concat();
                self.set(&mut documents[scenario].node, &path, spec)?;
                if is_keda {
                    self.keep_metadata(documents, scenario, above, &name)?;
                }
            }
        }
        Ok([above, &rest].concat())
    }

    /// A ScaledObject's annotations pause it, and its name is what triggers are called by: both stay when its `spec` moves into the policy.
    fn keep_metadata(
        &self,
        documents: &mut [Document],
        scenario: usize,
        policy: &[Segment],
        name: &str,
    ) -> Result<(), ScenarioError> {
        let title = format!("ScaledObject/{name}");
        let metadata = documents.iter().find(|document| document.title() == title);
        let Some(metadata) = metadata.and_then(|document| document.node.get("metadata")).cloned() else {
            return Ok(());
        };
        for key in ["name", "annotations"] {
            let Some(value) = metadata.get(key).cloned() else { continue };
            let below = ["metadata", key].map(|key| Segment::Key(key.to_owned()));
            let path = [policy, &below].concat();
            self.set(&mut documents[scenario].node, &path, value)?;
        }
        Ok(())
    }

    /// The item a segment means: by position, or by `name`.
    fn position(&self, items: &[Node], segment: &Segment, list: &str) -> Result<usize, ScenarioError> {
        match segment {
            Segment::Index(index) if *index < items.len() => Ok(*index),
            Segment::Index(index) => {
                Err(self.refused(format!("`{list}` has {} entries, there is no number {index}", items.len()), None))
            }
            Segment::Key(name) => {
                let names: Vec<&str> = items.iter().filter_map(|item| item.get("name").and_then(Node::text)).collect();
                let found = items.iter().position(|item| item.get("name").and_then(Node::text) == Some(name));
                found.ok_or_else(|| {
                    let near = nearest(name, names.iter().copied()).map(|near| format!("{list}.{near}"));
                    self.refused(format!("`{list}` has no entry `{name}` (one of: {})", names.join(", ")), near)
                })
            }
        }
    }

    /// Puts `value` at the end of `path`, making mappings on the way where there is nothing yet.
    fn set(&self, root: &mut Node, path: &[Segment], value: Node) -> Result<(), ScenarioError> {
        let place = value.place.clone();
        let mut node = root;
        for (depth, segment) in path.iter().enumerate() {
            let here = path_text("", &path[..depth]);
            // What was text or nothing becomes a mapping: the path says so, and the types have the last word.
            if matches!((segment, &node.value), (Segment::Key(_), Value::Null | Value::Scalar { .. })) {
                *node = Node { value: Value::Map(Vec::new()), place: place.clone() };
            }
            node = match (segment, &mut node.value) {
                (segment, Value::List(items)) => {
                    let position = self.position(items, segment, &here)?;
                    &mut items[position]
                }
                (Segment::Key(key), Value::Map(entries)) => entry(entries, key, &place),
                _ => {
                    let reason =
                        format!("`{here}` is no list, `{}` makes no sense there", path_text("", &path[depth..=depth]));
                    return Err(self.refused(reason, None));
                }
            };
        }
        *node = if holds_text(path) { as_text(value) } else { value };
        Ok(())
    }
}

/// True where a manifest has text even if it is a number: in [`TEXTS`] and in the `metadata` of a trigger.
fn holds_text(path: &[Segment]) -> bool {
    match path {
        [.., Segment::Key(triggers), Segment::Index(_), Segment::Key(metadata), Segment::Key(_)] => {
            triggers == "triggers" && metadata == "metadata"
        }
        [.., Segment::Key(parent), Segment::Key(_)] => TEXTS.contains(&parent.as_str()),
        _ => false,
    }
}

/// A word as if it stood in quotes: `threshold=8` means what `threshold: "8"` says.
fn as_text(mut node: Node) -> Node {
    if let Value::Scalar { plain, .. } = &mut node.value {
        *plain = false;
    }
    node
}

/// A path into `policies` with the policy by its position.
fn positioned(segments: &[Segment], position: usize) -> Vec<Segment> {
    [&segments[..2], &[Segment::Index(position)], &segments[3..]].concat()
}

/// The value of a key, made if it is not there.
fn entry<'e>(entries: &'e mut Vec<Entry>, key: &str, place: &Place) -> &'e mut Node {
    let position = entries.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
        let value = Node { value: Value::Null, place: place.clone() };
        entries.push(Entry { key: key.to_owned(), place: place.clone(), value });
        entries.len() - 1
    });
    &mut entries[position].value
}

/// Where an unknown key came in through an override, the nearest whole path is what its author needs.
pub fn explain(error: ScenarioError, overrides: &[(String, String)]) -> ScenarioError {
    let ScenarioError::UnknownKey { at, allowed } = &error else { return error };
    let Some((path, value)) =
        overrides.iter().find(|(path, value)| *at.place.source == *format!("--set {path}={value}"))
    else {
        return error;
    };
    let near = nearest(&allowed.found, allowed.names.iter().map(String::as_str));
    ScenarioError::Override {
        argument: format!("{path}={value}"),
        reason: format!("unknown key `{}` (one of: {})", allowed.found, allowed.names.join(", ")),
        nearest: near.map(|near| {
            let parent = at.path.strip_prefix("spec.").unwrap_or(if at.path == "spec" { "" } else { &at.path });
            if parent.is_empty() { near.to_owned() } else { format!("{parent}.{near}") }
        }),
    }
}
