//! What a pod template says of where its pods may run: required affinities, spread constraints, tolerations, annotations.

use std::collections::BTreeMap;

use cluster::spec::{
    LabelOperator, LabelRule, NodeTerm, PlacementKind, PlacementRule, PreferredTerm, Protection, Taint, TaintEffect,
    Toleration,
};
use serde::Deserialize;

use crate::error::ScenarioError;
use crate::quantity::Time;
use crate::tree::Node;

use super::deployment::ExpressionSelectorFile;

/// A requirement as the scheduler's API spells it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RuleFile {
    key: String,
    operator: OperatorFile,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum OperatorFile {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    Gt,
    Lt,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct NodeTermFile {
    match_expressions: Vec<RuleFile>,
    match_fields: Vec<RuleFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NodeTermsFile {
    node_selector_terms: Vec<NodeTermFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PreferredTermFile {
    weight: u32,
    preference: NodeTermFile,
}

/// One required term about other pods.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PodTermFile {
    #[serde(default)]
    label_selector: Option<ExpressionSelectorFile>,
    topology_key: String,
    #[serde(default)]
    namespaces: Vec<String>,
    #[serde(default)]
    namespace_selector: Option<ExpressionSelectorFile>,
    #[serde(default)]
    match_label_keys: Vec<String>,
    #[serde(default)]
    mismatch_label_keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SpreadFile {
    max_skew: u32,
    topology_key: String,
    #[serde(default)]
    when_unsatisfiable: Option<String>,
    #[serde(default)]
    label_selector: Option<ExpressionSelectorFile>,
    #[serde(default)]
    min_domains: Option<u32>,
    #[serde(default)]
    node_affinity_policy: Option<String>,
    #[serde(default)]
    node_taints_policy: Option<String>,
    #[serde(default)]
    match_label_keys: Vec<String>,
}

/// A toleration as manifests have it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TolerationFile {
    #[serde(default)]
    key: String,
    #[serde(default)]
    operator: Option<String>,
    #[serde(default)]
    value: String,
    #[serde(default)]
    effect: Option<String>,
    #[serde(default)]
    toleration_seconds: Option<i64>,
}

/// A taint as manifests and `nodes.pools[].taints` have it.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TaintFile {
    /// Key.
    pub key: String,
    /// Value; none by default.
    #[serde(default)]
    pub value: String,
    /// `NoSchedule`, `NoExecute` or `PreferNoSchedule`.
    pub effect: TaintEffectFile,
}

/// `effect` of a taint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[allow(missing_docs, reason = "names of the API")]
pub enum TaintEffectFile {
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}

impl TaintFile {
    /// The taint of the model.
    pub fn taint(&self) -> Taint {
        let effect = match self.effect {
            TaintEffectFile::NoSchedule => TaintEffect::NoSchedule,
            TaintEffectFile::PreferNoSchedule => TaintEffect::PreferNoSchedule,
            TaintEffectFile::NoExecute => TaintEffect::NoExecute,
        };
        Taint { key: self.key.clone(), value: self.value.clone(), effect }
    }
}

/// What a template requires of where its pods run, as far as it can be told without other documents.
#[derive(Clone, Debug, Default)]
pub struct Required {
    /// Required node affinity.
    pub node_terms: Vec<NodeTerm>,
    /// Preferred node affinity, the heaviest first.
    pub preferred: Vec<PreferredTerm>,
    /// Relative to other pods of the same template.
    pub placement: Vec<PlacementRule>,
    /// Tolerations.
    pub tolerations: Vec<Toleration>,
    /// What could not be modelled and was left out, in words.
    pub notes: Vec<String>,
}

/// Below which a template's fields are, in messages.
const POD: &str = "spec.template.spec";

impl Required {
    /// Reads the template of a workload in `namespace`.
    pub fn read(template: &Node, namespace: &str) -> Result<Self, ScenarioError> {
        let mut required = Self::default();
        let labels = template.at(&["metadata", "labels"]).map_or(Ok(BTreeMap::new()), |node| {
            node.read::<BTreeMap<String, String>>("spec.template.metadata.labels")
        })?;
        let Some(spec) = template.get("spec") else { return Ok(required) };
        let own = Own { labels: &labels, namespace };
        required.read_affinity(spec, &own)?;
        required.read_spread(spec, &own)?;
        required.read_host_ports(spec);
        if let Some(node) = spec.get("tolerations") {
            for (file, item) in
                node.read::<Vec<TolerationFile>>(&format!("{POD}.tolerations"))?.iter().zip(node.items())
            {
                required
                    .tolerations
                    .push(file.toleration().map_err(|reason| inconsistent(item, "tolerations", reason))?);
            }
        }
        Ok(required)
    }

    fn read_affinity(&mut self, spec: &Node, own: &Own<'_>) -> Result<(), ScenarioError> {
        const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
        let at = |kind: &str| spec.at(&["affinity", kind, REQUIRED]);
        let path = |kind: &str| format!("{POD}.affinity.{kind}.{REQUIRED}");
        if let Some(node) = at("nodeAffinity") {
            let terms = node.read::<NodeTermsFile>(&path("nodeAffinity"))?.node_selector_terms;
            if terms.is_empty() {
                return Err(inconsistent(
                    node,
                    "affinity.nodeAffinity",
                    "required node affinity without a term".into(),
                ));
            }
            for term in terms {
                let term = term.term().map_err(|reason| inconsistent(node, "affinity.nodeAffinity", reason))?;
                self.node_terms.push(term);
            }
        }
        self.read_preferred(spec)?;
        for (kind, what) in [("podAffinity", PlacementKind::Together), ("podAntiAffinity", PlacementKind::Apart)] {
            let Some(node) = at(kind) else { continue };
            for term in node.read::<Vec<PodTermFile>>(&path(kind))? {
                if own.is_met_by(&term) {
                    self.placement.push(PlacementRule { topology_key: term.topology_key, kind: what });
                } else {
                    let topology = &term.topology_key;
                    self.notes.push(format!(
                        "required {kind} on `{topology}` is about other pods than the service's own, of which the scenario has none; taken as met"
                    ));
                }
            }
        }
        Ok(())
    }

    /// A node has each of its ports once, so that no two pods that want one of them run there. On the node's own network every port of
    /// the pod is one.
    fn read_host_ports(&mut self, spec: &Node) {
        let of_host = spec.text_at(&["hostNetwork"]) == Some("true");
        let containers = spec.get("containers").map_or(&[][..], Node::items);
        let mut ports = containers.iter().flat_map(|one| one.get("ports").map_or(&[][..], Node::items));
        let is_wanted = |port: &Node| of_host || port.text_at(&["hostPort"]).is_some_and(|number| number != "0");
        let rule = PlacementRule { topology_key: "kubernetes.io/hostname".to_owned(), kind: PlacementKind::Apart };
        if ports.any(is_wanted) && !self.placement.contains(&rule) {
            self.placement.push(rule);
        }
    }

    fn read_preferred(&mut self, spec: &Node) -> Result<(), ScenarioError> {
        const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
        let Some(node) = spec.at(&["affinity", "nodeAffinity", PREFERRED]) else { return Ok(()) };
        let files = node.read::<Vec<PreferredTermFile>>(&format!("{POD}.affinity.nodeAffinity.{PREFERRED}"))?;
        for (file, item) in files.into_iter().zip(node.items()) {
            let wrong = |reason: String| inconsistent(item, "affinity.nodeAffinity", reason);
            if !(1..=100).contains(&file.weight) {
                return Err(wrong(format!("a preference has a weight from 1 to 100, found {}", file.weight)));
            }
            self.preferred.push(PreferredTerm { weight: file.weight, term: file.preference.term().map_err(wrong)? });
        }
        // Stable: of equal weights the first written counts as the heavier, as in Karpenter.
        self.preferred.sort_by_key(|preference| std::cmp::Reverse(preference.weight));
        Ok(())
    }

    fn read_spread(&mut self, spec: &Node, own: &Own<'_>) -> Result<(), ScenarioError> {
        let Some(node) = spec.get("topologySpreadConstraints") else { return Ok(()) };
        let files = node.read::<Vec<SpreadFile>>(&format!("{POD}.topologySpreadConstraints"))?;
        for (file, item) in files.into_iter().zip(node.items()) {
            let rule = file.rule(own).map_err(|reason| inconsistent(item, "topologySpreadConstraints", reason))?;
            self.placement.extend(rule);
        }
        Ok(())
    }
}

/// The pods a template makes.
struct Own<'a> {
    labels: &'a BTreeMap<String, String>,
    namespace: &'a str,
}

impl Own<'_> {
    fn selected_by(&self, selector: Option<&ExpressionSelectorFile>) -> bool {
        selector.is_some_and(|selector| selector.selects(self.labels))
    }

    /// Whether a term is about the template's own pods. Labels that pods of one revision share do not set them apart.
    fn is_met_by(&self, term: &PodTermFile) -> bool {
        let is_here = term.namespaces.is_empty() && term.namespace_selector.is_none()
            || term.namespaces.iter().any(|name| name == self.namespace)
            || term.namespace_selector.as_ref().is_some_and(ExpressionSelectorFile::is_empty);
        let is_mismatched = term.mismatch_label_keys.iter().any(|key| self.labels.contains_key(key));
        let _ = &term.match_label_keys;
        is_here && !is_mismatched && self.selected_by(term.label_selector.as_ref())
    }
}

impl NodeTermFile {
    fn term(self) -> Result<NodeTerm, String> {
        let fields = self.match_fields.into_iter().map(|rule| {
            if rule.key != "metadata.name" {
                return Err(format!("matchFields knows `metadata.name` only, not `{}`", rule.key));
            }
            rule.rule()
        });
        let labels = self.match_expressions.into_iter().map(RuleFile::rule).chain(fields);
        Ok(NodeTerm { labels: labels.collect::<Result<_, String>>()? })
    }
}

impl RuleFile {
    fn rule(self) -> Result<LabelRule, String> {
        let operator = match self.operator {
            OperatorFile::In => LabelOperator::In,
            OperatorFile::NotIn => LabelOperator::NotIn,
            OperatorFile::Exists => LabelOperator::Exists,
            OperatorFile::DoesNotExist => LabelOperator::DoesNotExist,
            OperatorFile::Gt => LabelOperator::Gt,
            OperatorFile::Lt => LabelOperator::Lt,
        };
        let key = &self.key;
        match operator {
            LabelOperator::In | LabelOperator::NotIn if self.values.is_empty() => {
                Err(format!("`{key}`: {operator:?} needs at least one value"))
            }
            LabelOperator::Exists | LabelOperator::DoesNotExist if !self.values.is_empty() => {
                Err(format!("`{key}`: {operator:?} takes no values"))
            }
            LabelOperator::Gt | LabelOperator::Lt
                if self.values.len() != 1 || self.values[0].parse::<i64>().is_err() =>
            {
                Err(format!("`{key}`: {operator:?} takes one whole number"))
            }
            _ => Ok(LabelRule { key: self.key, operator, values: self.values }),
        }
    }
}

impl SpreadFile {
    /// The rule, if it is a hard one about the template's own pods.
    fn rule(self, own: &Own<'_>) -> Result<Option<PlacementRule>, String> {
        if self.max_skew == 0 {
            return Err("maxSkew must be at least 1".to_owned());
        }
        let is_hard = match self.when_unsatisfiable.as_deref() {
            Some("ScheduleAnyway") => false,
            None | Some("DoNotSchedule") => true,
            Some(other) => {
                return Err(format!("whenUnsatisfiable: `{other}` (one of: DoNotSchedule, ScheduleAnyway)"));
            }
        };
        let honors = |policy: Option<&str>, default| match policy {
            None => Ok(default),
            Some("Honor") => Ok(true),
            Some("Ignore") => Ok(false),
            Some(other) => Err(format!("`{other}` is no policy (one of: Honor, Ignore)")),
        };
        let kind = PlacementKind::Spread {
            skew_max: self.max_skew,
            domains_min: self.min_domains.unwrap_or(1).max(1),
            honors_affinity: honors(self.node_affinity_policy.as_deref(), true)?,
            honors_taints: honors(self.node_taints_policy.as_deref(), false)?,
        };
        let _ = &self.match_label_keys;
        let is_own = own.selected_by(self.label_selector.as_ref());
        Ok((is_hard && is_own).then_some(PlacementRule { topology_key: self.topology_key, kind }))
    }
}

impl TolerationFile {
    /// The toleration of the model, or what is wrong with it.
    pub fn toleration(&self) -> Result<Toleration, String> {
        let value = match self.operator.as_deref() {
            None | Some("Equal") if self.key.is_empty() => {
                return Err("an empty key tolerates everything and needs `operator: Exists`".to_owned());
            }
            None | Some("Equal") => Some(self.value.clone()),
            Some("Exists") if !self.value.is_empty() => return Err("`operator: Exists` takes no value".to_owned()),
            Some("Exists") => None,
            Some(other) => return Err(format!("operator `{other}` (one of: Equal, Exists)")),
        };
        let effect = match self.effect.as_deref() {
            None | Some("") => None,
            Some("NoSchedule") => Some(TaintEffect::NoSchedule),
            Some("PreferNoSchedule") => Some(TaintEffect::PreferNoSchedule),
            Some("NoExecute") => Some(TaintEffect::NoExecute),
            Some(other) => {
                return Err(format!("effect `{other}` (one of: NoSchedule, PreferNoSchedule, NoExecute)"));
            }
        };
        let _ = self.toleration_seconds;
        Ok(Toleration { key: self.key.clone(), value, effect })
    }
}

/// The `karpenter.sh/do-not-disrupt` of a pod: `true`, or how old it must be; `None` for what Karpenter ignores.
pub fn protection(value: &str) -> Option<Protection> {
    if value == "true" {
        return Some(Protection::Always);
    }
    Time::written_in(&["h", "m", "s", "ms", "us", "ns"], value).map(|time| Protection::Until(time.duration()))
}

fn inconsistent(node: &Node, field: &str, reason: String) -> ScenarioError {
    ScenarioError::Inconsistent { at: node.locate(format!("{POD}.{field}")), reason }
}
