//! Variables of a container whose values stand elsewhere in the folder: in ConfigMaps, and in the pod itself.
//!
//! The kubelet puts the entries of `envFrom` first, so that those of `env` of the same name count. What a Secret, a node or the running
//! pod would say is not known, and stays as it is written.

use crate::tree::{Node, Value};

use super::super::Document;

/// The template with the values of its variables written out, and the labels of the ConfigMaps they were found in.
pub fn with_environment(mut template: Node, document: &Document, folder: &[Document]) -> (Node, Vec<String>) {
    let mut found = Vec::new();
    let facts = template.clone();
    let pod = Pod { document, facts: &facts, folder };
    let containers = template.get_mut("spec").and_then(|spec| spec.get_mut("containers"));
    if let Some(Value::List(containers)) = containers.map(|node| &mut node.value) {
        for container in containers {
            pod.write_out(container, &mut found);
        }
    }
    found.sort();
    found.dedup();
    (template, found)
}

/// Where values are looked up.
struct Pod<'a> {
    document: &'a Document,
    facts: &'a Node,
    folder: &'a [Document],
}

impl Pod<'_> {
    fn write_out(&self, container: &mut Node, found: &mut Vec<String>) {
        let mut variables = Vec::new();
        for source in container.get("envFrom").map(Node::items).unwrap_or_default() {
            let name = source.text_at(&["configMapRef", "name"]);
            let Some(map) = name.and_then(|name| self.config_map(name)) else { continue };
            let prefix = source.text_at(&["prefix"]).unwrap_or_default();
            let data = map.node.get("data").map(Node::entries).unwrap_or_default();
            let entries = data.iter().filter_map(|entry| Some((format!("{prefix}{}", entry.key), entry.value.text()?)));
            variables.extend(entries.map(|(name, value)| variable(source, &name, value)));
            found.push(map.label());
        }
        let is_whole = variables.is_empty();
        let own = container.get("env").map(Node::items).unwrap_or_default();
        let mut has_changed = false;
        for entry in own {
            let written = entry.text_at(&["name"]).zip(self.value(entry, found));
            has_changed |= written.is_some();
            variables.push(written.map_or_else(|| entry.clone(), |(name, value)| variable(entry, name, &value)));
        }
        if !is_whole || has_changed {
            let list = container.get("env").unwrap_or(container).with_list(variables);
            container.put("env", list);
        }
    }

    /// What `valueFrom` stands for, as far as the folder says.
    fn value(&self, entry: &Node, found: &mut Vec<String>) -> Option<String> {
        let from = entry.get("valueFrom")?;
        if let Some(reference) = from.get("configMapKeyRef") {
            let map = self.config_map(reference.text_at(&["name"])?)?;
            let value = map.node.at(&["data", reference.text_at(&["key"])?])?.text()?;
            found.push(map.label());
            return Some(value.to_owned());
        }
        let field = from.text_at(&["fieldRef", "fieldPath"])?;
        if field == "metadata.namespace" {
            return self.document.namespace().map(str::to_owned);
        }
        let (map, key) = field.strip_prefix("metadata.")?.split_once('[')?;
        let key = key.trim_end_matches(']').trim_matches(['\'', '"']);
        self.facts.text_at(&["metadata", map, key]).map(str::to_owned)
    }

    fn config_map(&self, name: &str) -> Option<&Document> {
        let is_it = |one: &&Document| {
            one.kind_text() == "ConfigMap" && one.name == name && one.is_beside(self.document.namespace())
        };
        self.folder.iter().find(is_it)
    }
}

/// `{name, value}` at the place of the entry it came from.
fn variable(at: &Node, name: &str, value: &str) -> Node {
    at.with_map([("name", at.with_text(name)), ("value", at.with_text(value))])
}
