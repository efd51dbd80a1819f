//! From parsed texts to documents: what each is, which of two of one name counts, what is none at all.

use std::collections::BTreeMap;

use crate::error::{Allowed, ScenarioError};
use crate::notes::Folded;
use crate::tree::{Node, Parsed, Value};

use super::kinds::{Kind, Treatment, lookup, nearest_kind, newest_instead};
use super::{habits, versions};

/// One document and what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Kind.
    pub kind: Kind,
    /// `metadata.name`; empty for a bare adapter configuration.
    pub name: String,
    /// Its content, as written.
    pub node: Node,
}

impl Document {
    /// `Deployment/triton-inference`, as kubectl calls it.
    pub fn title(&self) -> String {
        let kind = match self.kind {
            Kind::AdapterValues => "prometheus-adapter chart values",
            Kind::KedaValues => "KEDA chart values",
            Kind::MonitoringValues => "chart values",
            Kind::PrometheusRule => self.node.text_at(&["kind"]).unwrap_or("recording rules"),
            _ => self.node.text_at(&["kind"]).unwrap_or("prometheus-adapter rules"),
        };
        if self.name.is_empty() { kind.to_owned() } else { format!("{kind}/{}", self.name) }
    }

    /// File and title, for remarks.
    pub fn label(&self) -> String {
        format!("{}: {}", self.node.place.source, self.title())
    }

    /// `kind` as written.
    pub fn kind_text(&self) -> &str {
        self.node.text_at(&["kind"]).unwrap_or_default()
    }

    /// API group; empty for the core group.
    pub fn group(&self) -> &str {
        group_and_version(self.node.text_at(&["apiVersion"]).unwrap_or_default()).0
    }

    /// Version without its group.
    pub fn version(&self) -> &str {
        group_and_version(self.node.text_at(&["apiVersion"]).unwrap_or_default()).1
    }

    /// `metadata.namespace`, if it has one.
    pub fn namespace(&self) -> Option<&str> {
        self.node.text_at(&["metadata", "namespace"]).filter(|text| !text.is_empty())
    }

    /// The value of one of its annotations.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.node.text_at(&["metadata", "annotations", key])
    }

    /// True if it comes from a cluster: then its replica count is that of a moment.
    pub fn is_export(&self) -> bool {
        self.node.at(&["metadata", "uid"]).is_some()
    }

    /// What becomes of it.
    pub fn treatment(&self) -> Treatment {
        lookup(self.group(), self.kind_text()).map_or(Treatment::Inert, |row| row.treatment)
    }

    /// Kind and name of the controller that made it, if another document did.
    pub fn owner(&self) -> Option<(&str, &str)> {
        let owners = self.node.at(&["metadata", "ownerReferences"])?.items();
        let owner = owners.iter().find(|owner| owner.text_at(&["controller"]).is_some_and(|text| text == "true"))?;
        Some((owner.text_at(&["kind"])?, owner.text_at(&["name"])?))
    }

    /// True if both are in one namespace, as far as they say so.
    pub fn is_beside(&self, namespace: Option<&str>) -> bool {
        self.namespace().zip(namespace).is_none_or(|(own, other)| own == other)
    }
}

/// `apps/v1` as group and version; the core group is empty.
pub fn group_and_version(api_version: &str) -> (&str, &str) {
    api_version.rsplit_once('/').unwrap_or(("", api_version))
}

/// Documents as they come in.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// What was found.
    pub documents: Vec<Document>,
    /// What a user should know of how they were read.
    pub notes: Vec<String>,
    /// What he may ask for.
    pub folded: Folded,
}

/// Where a document comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file that was named, or standard input: everything in it is meant.
    Named,
    /// A file of a folder: it need not be a manifest.
    Folder,
}

impl Gathered {
    /// Takes one parsed document in; a list is taken apart.
    pub fn take(&mut self, parsed: Parsed, origin: Origin) -> Result<(), ScenarioError> {
        let Parsed { node, repeated } = parsed;
        if matches!(node.text_at(&["kind"]), Some("Scenario" | "Measured"))
            && let Some(repeated) = repeated.first()
        {
            return Err(repeated.clone().into_error());
        }
        for repeated in repeated {
            let (place, key) = (&repeated.place, &repeated.key);
            self.notes
                .push(format!("{place}: key `{key}` twice, first at line {}: the last counts", repeated.first_line));
        }
        self.node(node, origin)
    }

    fn node(&mut self, node: Node, origin: Origin) -> Result<(), ScenarioError> {
        let kind = node.text_at(&["kind"]);
        let is_list = kind.is_some_and(|kind| kind.ends_with("List")) && node.get("apiVersion").is_some();
        if is_list && let Some(items) = node.get("items") {
            let kind = kind.unwrap_or_default().trim_end_matches("List").to_owned();
            for item in items.items() {
                let mut item = item.clone();
                if !kind.is_empty() && item.get("kind").is_none() {
                    item.put("kind", node.with_text(kind.as_str()));
                    if let (None, Some(version)) = (item.get("apiVersion"), node.get("apiVersion")) {
                        item.put("apiVersion", version.clone());
                    }
                }
                self.node(item, origin)?;
            }
            return Ok(());
        }
        match without_kind(node) {
            Ok(document) => self.documents.push(document),
            Err(Unkinded::Manifest(node)) => self.manifest(node)?,
            Err(Unkinded::Stranger(node, reason)) => {
                if origin == Origin::Named || node.get("kind").is_some() || node.get("apiVersion").is_some() {
                    return Err(ScenarioError::NoKind { at: node.locate(""), reason: reason.to_owned() });
                }
                self.folded.stranger(node.place.source.to_string());
            }
        }
        Ok(())
    }

    /// A document with a kind and a version.
    fn manifest(&mut self, mut node: Node) -> Result<(), ScenarioError> {
        let (api_version, kind_text) = (node.text_at(&["apiVersion"]).unwrap_or_default(), node.text_at(&["kind"]));
        let kind_text = kind_text.unwrap_or_default().to_owned();
        let (group, version) = group_and_version(api_version);
        let row = lookup(group, &kind_text);
        let kind = row.map_or(Kind::Unknown, |row| row.kind);
        if (kind_text == "Scenario" || kind == Kind::Measured) && api_version != "scalelab.dev/v1" {
            let at = node.get("apiVersion").unwrap_or(&node).locate("apiVersion");
            let allowed = Allowed::new(api_version, ["scalelab.dev/v1"]);
            return Err(ScenarioError::UnknownName { at, what: "supported API version of this kind", allowed });
        }
        if group == "scalelab.dev" && kind == Kind::Unknown {
            let at = node.get("kind").unwrap_or(&node).locate("kind");
            return Err(ScenarioError::UnknownKind {
                at,
                allowed: Allowed::new(kind_text, ["Scenario", "Measured", "Sweep"]),
            });
        }
        let name = ["name", "generateName"].into_iter().find_map(|key| node.text_at(&["metadata", key]));
        let name = name.unwrap_or_default().to_owned();
        // A picker's configuration is a file that nobody applies.
        let needs_name = kind != Kind::EndpointPicker && row.is_some_and(|row| row.treatment == Treatment::Read);
        if name.is_empty() && needs_name {
            let at = node.get("metadata").unwrap_or(&node).locate("metadata");
            return Err(ScenarioError::MissingKey { at, key: "name".to_owned() });
        }
        let label = format!("{}: {kind_text}/{name}", node.place.source);
        if kind == Kind::Unknown
            && let Some(near) = nearest_kind(group, &kind_text)
        {
            self.notes.push(format!("{label}: not a known kind of `{api_version}`: no effect; did you mean `{near}`?"));
        }
        if let Some(newest) = newest_instead(kind, version) {
            self.notes.push(format!("{label}: version `{version}` is not known, read as `{newest}`"));
        }
        let kind = versions::kind_of(kind, version);
        if !matches!(kind, Kind::Scenario | Kind::Measured) {
            habits::smooth(&mut node, &mut self.folded);
            versions::modernise(kind, &mut node)
                .map_err(|(path, reason)| ScenarioError::Inconsistent { at: node.locate(path), reason })?;
        }
        match kind_text.as_str() {
            // What is secret stays where it is, and a schema only looks like manifests.
            "Secret" => drop((node.take("data"), node.take("stringData"))),
            "CustomResourceDefinition" => drop(node.take("spec")),
            _ => {}
        }
        self.documents.push(Document { kind, name, node });
        Ok(())
    }

    /// Of several documents with one identity the last counts, as the server keeps it.
    pub fn settle(&mut self) {
        let mut last: BTreeMap<[String; 4], usize> = BTreeMap::new();
        let identity = |document: &Document| {
            let parts =
                [document.group(), document.kind_text(), document.namespace().unwrap_or_default(), &document.name];
            parts.map(str::to_owned)
        };
        let mut is_gone = vec![false; self.documents.len()];
        for (index, document) in self.documents.iter().enumerate() {
            if document.name.is_empty()
                || matches!(document.kind, Kind::Scenario | Kind::Measured)
                || document.kind_text().is_empty()
            {
                continue;
            }
            if let Some(earlier) = last.insert(identity(document), index) {
                is_gone[earlier] = true;
                let (title, first) = (document.title(), &self.documents[earlier].node.place);
                let place = &document.node.place;
                self.notes.push(format!("{place}: {title} again, first at {first}: the last counts"));
            }
        }
        let mut gone = is_gone.into_iter();
        self.documents.retain(|_| !gone.next().unwrap_or(false));
    }
}

/// A document that is not to be had without a look at its kind, or that has none.
enum Unkinded {
    Manifest(Node),
    Stranger(Node, &'static str),
}

/// The documents that are known without a kind.
fn without_kind(mut node: Node) -> Result<Document, Unkinded> {
    if !matches!(node.value, Value::Map(_)) {
        return Err(Unkinded::Stranger(node, "this document is not a mapping"));
    }
    match (node.get("kind").is_some(), node.get("apiVersion").is_some()) {
        (true, true) => return Err(Unkinded::Manifest(node)),
        (true, false) => return Err(Unkinded::Stranger(node, "`apiVersion` is missing")),
        (false, true) => return Err(Unkinded::Stranger(node, "`kind` is missing")),
        (false, false) => {}
    }
    let bare = |kind, node| Ok(Document { kind, name: String::new(), node });
    if super::holds_groups(&node) {
        return bare(Kind::PrometheusRule, node);
    }
    // An umbrella chart has the values of its parts under their names.
    if let Some(values) = node.take("prometheus-adapter").filter(|entry| is_adapter_values(&entry.value)) {
        return bare(Kind::AdapterValues, values.value);
    }
    if is_adapter_values(&node) {
        return bare(Kind::AdapterValues, node);
    }
    // prometheus-adapter reads its rules from a file without kind or version.
    let lists = ["rules", "externalRules", "resourceRules"].into_iter().filter_map(|key| node.get(key));
    if lists.into_iter().any(|rules| matches!(rules.value, Value::List(_) | Value::Map(_))) {
        return bare(Kind::AdapterConfig, node);
    }
    let keys_of_keda = ["operator", "metricsServer", "webhooks", "watchNamespace", "podIdentity", "crds"];
    if keys_of_keda.iter().filter(|key| node.get(key).is_some()).count() >= 2 {
        return bare(Kind::KedaValues, node);
    }
    if super::is_monitoring_values(&node) {
        return bare(Kind::MonitoringValues, node);
    }
    Err(Unkinded::Stranger(node, "`kind` is missing"))
}

/// Values of prometheus-adapter's chart have their rules in groups.
fn is_adapter_values(node: &Node) -> bool {
    let groups = ["default", "custom", "external", "resource", "existing"];
    node.get("rules").is_some_and(|rules| groups.iter().any(|key| rules.get(key).is_some()))
}
