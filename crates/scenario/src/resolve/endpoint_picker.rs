//! The endpoint picker of the folder: whether it routes to the service, and how.

use std::collections::BTreeMap;

use cluster::spec::{PrefixSpec, RouterSpec, Routing, Scorers, ServiceSpec};

use crate::error::ScenarioError;
use crate::manifest::{Document, Kind, LabelSelector, PICKER_KIND, PickerRole, PickerRules, read_picker};
use crate::tree::{Node, parse_block};

use super::Context;

impl Context<'_> {
    /// The rules of the one picker that routes to the service, if there is one; `is_written`: the scenario has rules of its own.
    pub(super) fn picker(&mut self, is_written: bool, is_model: bool) -> Result<Option<PickerRules>, ScenarioError> {
        let found = self.pickers()?;
        let names: Vec<&str> = found.iter().map(|(title, _)| title.as_str()).collect();
        let reason = match found.as_slice() {
            [] => return Ok(None),
            _ if is_written => "`service.routing` of the scenario counts",
            _ if !is_model => "only a service that makes tokens has a picker",
            [_, _, ..] => "which of them routes is not known; say so with `service.routing`",
            [_] if self.is_in_another_pool() => "no InferencePool selects the pods of the service",
            [_] if self.has_several() && !self.is_in_a_pool() => {
                "to which of the services it routes is not known; say so with `service.routing`"
            }
            [(title, node)] => {
                let (title, rules) = (title.clone(), read_picker(node, self.picker_role()));
                let said = if rules.said.is_empty() { String::new() } else { format!(": {}", rules.said.join(", ")) };
                self.note(format!("{title}: routing by the endpoint picker{said}"));
                rules.notes.iter().for_each(|note| self.note(format!("{title}: {note}")));
                return Ok(Some(rules));
            }
        };
        let note = format!("{}: not used: {reason}", names.join(", "));
        self.note(note);
        Ok(None)
    }

    /// Prompts from how many tokens on are computed apart, as the decider of the picker that routes to the service has it.
    pub(super) fn picker_decider(&mut self) -> Result<Option<u32>, ScenarioError> {
        let found = self.pickers()?;
        let [(_, node)] = found.as_slice() else { return Ok(None) };
        let counts = !self.is_written("spec.service.routing") && !self.is_in_another_pool() && self.is_in_a_pool();
        Ok(if counts { read_picker(node, PickerRole::Decode).apart_from } else { None })
    }

    /// Every picker of the folder.
    fn pickers(&mut self) -> Result<Vec<(String, Node)>, ScenarioError> {
        let mut found = Vec::new();
        for document in self.documents {
            for (title, node) in configurations(document)? {
                self.used.insert(document.label());
                found.push((title, node));
            }
        }
        Ok(found)
    }

    /// The part that the service has in the requests a picker routes to it.
    fn picker_role(&self) -> PickerRole {
        let services = self.scenario.at(&["spec", "services"]).map_or(&[][..], Node::items);
        let Some(own) = self.entry.as_ref().map(|entry| entry.name.as_str()) else { return PickerRole::Whole };
        let mut apart = services.iter().filter(|one| one.at(&["traffic", "from", "kvTransfer"]).is_some());
        let is_own = |one: &&Node| one.text_at(&["name"]) == Some(own);
        if apart.clone().any(|one| is_own(&one)) {
            PickerRole::Decode
        } else if apart.any(|one| one.text_at(&["traffic", "from", "service"]) == Some(own)) {
            PickerRole::Prefill
        } else {
            PickerRole::Whole
        }
    }

    /// Routing and router by the picker. A scorer that has nothing to look at is said.
    pub(super) fn route_by_picker(&mut self, service: &mut ServiceSpec, rules: &PickerRules, has_sessions: bool) {
        service.router = RouterSpec { flow_control: rules.flow_control, ..RouterSpec::default() };
        service.routing = rules.routing;
        let Routing::Scored(mut scorers) = rules.routing else { return };
        if scorers.session_affinity > 0.0 && !has_sessions {
            scorers.session_affinity = 0.0;
            self.note("session-affinity-scorer: no request of this traffic is a turn of a conversation".to_owned());
        }
        service.routing = if scorers == Scorers::default() { Routing::Random } else { Routing::Scored(scorers) };
    }

    /// What prompts share is in no manifest.
    pub(super) fn note_idle_scorer(&mut self, service: &ServiceSpec) {
        let weighs = matches!(service.routing, Routing::Scored(scorers) if scorers.prefix_cache > 0.0);
        if weighs && !matches!(service.prefix, PrefixSpec::Cache { .. }) {
            self.note(
                "prefix-cache-scorer: nothing says what prompts share (`traffic.prefix`), so that it finds nothing"
                    .to_owned(),
            );
        }
    }

    /// Labels of the pods of the service.
    fn own_labels(&self) -> BTreeMap<String, String> {
        let Some(workload) = &self.workload else { return BTreeMap::new() };
        let node = &workload.deployment.node;
        let labels = node.at(&["spec", "template", "metadata", "labels"]).map(Node::entries).unwrap_or_default();
        labels.iter().filter_map(|entry| Some((entry.key.clone(), entry.value.text()?.to_owned()))).collect()
    }

    fn is_in_a_pool(&self) -> bool {
        let labels = self.own_labels();
        self.of_kind(Kind::InferencePool).any(|pool| selector(&pool.node).selects(&labels))
    }

    /// Whether there are pools, and the service is in none.
    fn is_in_another_pool(&self) -> bool {
        self.of_kind(Kind::InferencePool).next().is_some() && self.workload.is_some() && !self.is_in_a_pool()
    }
}

/// `spec.selector`: with `matchLabels` since v1, plain labels before.
fn selector(pool: &Node) -> LabelSelector {
    let Some(written) = pool.at(&["spec", "selector"]) else { return LabelSelector::default() };
    if written.get("matchLabels").is_some() { LabelSelector::read(written) } else { LabelSelector::of_labels(written) }
}

/// The configurations in a document: itself, or the texts of a ConfigMap.
fn configurations(document: &Document) -> Result<Vec<(String, Node)>, ScenarioError> {
    if document.kind == Kind::EndpointPicker {
        return Ok(vec![(document.label(), document.node.clone())]);
    }
    if document.kind_text() != "ConfigMap" {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in document.node.get("data").map(Node::entries).unwrap_or_default() {
        if !entry.value.text().is_some_and(|text| text.contains(PICKER_KIND)) {
            continue;
        }
        let documents = parse_block(&entry.value)?;
        let is_one = |node: &Node| node.text_at(&["kind"]) == Some(PICKER_KIND);
        found.extend(
            documents.into_iter().filter(is_one).map(|node| (format!("{} {}", document.label(), entry.key), node)),
        );
    }
    Ok(found)
}
