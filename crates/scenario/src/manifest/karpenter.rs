//! Karpenter's NodePool (`karpenter.sh/v1`, `v1beta1`) and Provisioner (`karpenter.sh/v1alpha5`), as one type with each API's defaults.

use std::collections::BTreeMap;

use cluster::spec::{Consolidation, DisruptionBudget, Taint};
use serde::Deserialize;
use units::SimDuration;

use crate::error::ScenarioError;
use crate::quantity::Time;

use super::{Document, Kind, MetadataFile, Quantity, TaintFile, read};

/// What the three APIs say, in one form.
#[derive(Clone, Debug)]
pub struct KarpenterPool {
    /// Name.
    pub name: String,
    /// Higher is tried first.
    pub weight: u32,
    /// What nodes must be like.
    pub requirements: Vec<Requirement>,
    /// On-demand only where no capacity type is required: the rule of v1alpha5.
    pub on_demand_by_default: bool,
    /// Labels its nodes carry.
    pub labels: BTreeMap<String, String>,
    /// What its nodes are described by.
    pub node_class: Option<NodeClassRef>,
    /// Resources at most.
    pub limits: BTreeMap<String, Quantity>,
    /// When nodes go.
    pub disruption: KarpenterDisruption,
    /// Taints its nodes carry.
    pub taints: Vec<Taint>,
    /// Its nodes are annotated `karpenter.sh/do-not-disrupt: "true"`.
    pub protected: bool,
    /// `spec.replicas` of a static pool.
    pub replicas: Option<u32>,
}

/// When nodes go.
#[derive(Clone, Debug)]
pub struct KarpenterDisruption {
    /// Which and when.
    pub consolidation: Consolidation,
    /// Age at which they are replaced.
    pub expire_after: Option<SimDuration>,
    /// Whether those that old go within the budgets, with a replacement first: before v1.
    pub expires_gracefully: bool,
    /// Hard limit of a drain.
    pub termination_grace: Option<SimDuration>,
    /// Budgets.
    pub budgets: Vec<DisruptionBudget>,
}

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Requirement {
    /// Label of a node.
    pub key: String,
    /// How its value relates to `values`.
    pub operator: Operator,
    /// Values.
    #[serde(default)]
    pub values: Vec<String>,
    /// So many different values of the key the instance types that are left must have.
    #[serde(default)]
    pub min_values: Option<u32>,
}

/// `nodeClassRef`: of v1 with a group, of v1beta1 with an API version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct NodeClassRef {
    /// API group.
    pub group: String,
    /// Group and version, before v1.
    pub api_version: String,
    /// Kind, such as `EC2NodeClass`.
    pub kind: String,
    /// Name.
    pub name: String,
}

/// `operator` of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "names of the API")]
pub enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    Gt,
    Lt,
    Gte,
    Lte,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PoolManifest {
    metadata: MetadataFile,
    spec: PoolSpec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PoolSpec {
    template: PoolTemplate,
    #[serde(default)]
    disruption: Disruption,
    #[serde(default)]
    limits: BTreeMap<String, Quantity>,
    #[serde(default)]
    weight: u32,
    #[serde(default)]
    replicas: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PoolTemplate {
    #[serde(default)]
    metadata: TemplateMetadata,
    spec: TemplateSpec,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct TemplateMetadata {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TemplateSpec {
    #[serde(default)]
    node_class_ref: Option<NodeClassRef>,
    #[serde(default)]
    requirements: Vec<Requirement>,
    #[serde(default)]
    taints: Vec<TaintFile>,
    #[serde(default)]
    expire_after: Option<GoDuration>,
    #[serde(default)]
    termination_grace_period: Option<GoDuration>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Disruption {
    consolidation_policy: Option<ConsolidationPolicy>,
    consolidate_after: Option<GoDuration>,
    consolidation_threshold: Option<u32>,
    expire_after: Option<GoDuration>,
    budgets: Option<Vec<BudgetEntry>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[allow(clippy::enum_variant_names, reason = "names of the API")]
enum ConsolidationPolicy {
    WhenEmpty,
    WhenEmptyOrUnderutilized,
    WhenUnderutilized,
    Balanced,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct BudgetEntry {
    #[serde(default)]
    nodes: Option<String>,
    #[serde(default)]
    reasons: Vec<String>,
    #[serde(default)]
    schedule: Option<String>,
    #[serde(default)]
    duration: Option<GoDuration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ProvisionerManifest {
    metadata: MetadataFile,
    spec: ProvisionerSpec,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct ProvisionerSpec {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    taints: Vec<TaintFile>,
    requirements: Vec<Requirement>,
    limits: ProvisionerLimits,
    ttl_seconds_after_empty: Option<u64>,
    ttl_seconds_until_expired: Option<u64>,
    consolidation: Option<ProvisionerConsolidation>,
    weight: u32,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct ProvisionerLimits {
    resources: BTreeMap<String, Quantity>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ProvisionerConsolidation {
    #[serde(default)]
    enabled: bool,
}

/// `720h`, `1h30m` or `Never`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum GoDuration {
    Never,
    After(SimDuration),
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "Never" {
            return Ok(Self::Never);
        }
        let found = format!("text `{text}`");
        Time::written_in(&["h", "m", "s"], &text).map(|time| Self::After(time.duration())).ok_or_else(|| {
            let expected = "a duration such as `720h` or `Never`";
            serde::de::Error::invalid_value(serde::de::Unexpected::Other(&found), &expected)
        })
    }
}

impl GoDuration {
    fn finite(self) -> Option<SimDuration> {
        match self {
            Self::Never => None,
            Self::After(duration) => Some(duration),
        }
    }
}

impl KarpenterPool {
    /// Reads a pool manifest of any of the three versions, and what was ignored in it.
    pub fn read(document: &Document) -> Result<(Self, Vec<String>), ScenarioError> {
        if document.kind == Kind::Provisioner {
            let (manifest, ignored) = read::<ProvisionerManifest>(document)?;
            return Ok((manifest.resolve(document)?, ignored));
        }
        let (manifest, ignored) = read::<PoolManifest>(document)?;
        Ok((manifest.resolve(document)?, ignored))
    }
}

/// 30 days: the `expireAfter` that NodePools of both versions get from the API server.
const EXPIRE_AFTER: SimDuration = SimDuration::from_secs(720 * 3_600);

/// The `consolidationThreshold` of a NodePool that has none: a move passes at a score of 0.5.
const BALANCED_THRESHOLD: u32 = 2;

/// The largest weight of a pool.
const WEIGHT_MAX: u32 = 100;

impl PoolManifest {
    fn resolve(self, document: &Document) -> Result<KarpenterPool, ScenarioError> {
        let PoolSpec { template: PoolTemplate { metadata, spec }, disruption, limits, weight, replicas } = self.spec;
        let is_beta = document.kind == Kind::NodePoolBeta;
        let wrong = |path: &str, reason: &str| ScenarioError::Inconsistent {
            at: document.node.at(&["spec", "disruption"]).unwrap_or(&document.node).locate(path),
            reason: reason.to_owned(),
        };
        if is_beta && spec.expire_after.is_some() {
            return Err(wrong("spec.template.spec.expireAfter", "v1beta1 has `expireAfter` under `spec.disruption`"));
        }
        if !is_beta && disruption.expire_after.is_some() {
            return Err(wrong("spec.disruption.expireAfter", "v1 has `expireAfter` under `spec.template.spec`"));
        }
        check_static(replicas, weight, &limits).map_err(|reason| ScenarioError::Inconsistent {
            at: document.node.at(&["spec", "replicas"]).unwrap_or(&document.node).locate("spec.replicas"),
            reason,
        })?;
        check_weight(weight).map_err(|reason| ScenarioError::Inconsistent {
            at: document.node.at(&["spec", "weight"]).unwrap_or(&document.node).locate("spec.weight"),
            reason,
        })?;
        let expire_after = spec.expire_after.or(disruption.expire_after);
        let consolidation = consolidation(&disruption, is_beta).map_err(|reason| wrong("spec.disruption", reason))?;
        Ok(KarpenterPool {
            name: self.metadata.name,
            weight,
            requirements: spec.requirements,
            on_demand_by_default: false,
            labels: metadata.labels.clone(),
            node_class: spec.node_class_ref,
            limits,
            disruption: KarpenterDisruption {
                consolidation,
                expire_after: expire_after.map_or(Some(EXPIRE_AFTER), GoDuration::finite),
                expires_gracefully: is_beta,
                termination_grace: spec.termination_grace_period.and_then(GoDuration::finite),
                budgets: budgets(disruption.budgets).map_err(|reason| wrong("spec.disruption.budgets", &reason))?,
            },
            taints: spec.taints.iter().map(TaintFile::taint).collect(),
            protected: is_protected(&metadata.annotations),
            replicas,
        })
    }
}

impl ProvisionerManifest {
    fn resolve(self, document: &Document) -> Result<KarpenterPool, ScenarioError> {
        let spec = self.spec;
        let is_consolidated = spec.consolidation.is_some_and(|consolidation| consolidation.enabled);
        let consolidation = match (spec.ttl_seconds_after_empty, is_consolidated) {
            (Some(_), true) => {
                return Err(ScenarioError::Inconsistent {
                    at: document.node.locate("spec"),
                    reason: "`ttlSecondsAfterEmpty` and `consolidation.enabled` exclude each other".to_owned(),
                });
            }
            (Some(seconds), false) => Consolidation::WhenEmpty(SimDuration::from_secs(seconds)),
            (None, true) => Consolidation::WhenEmptyOrUnderutilized(SimDuration::from_secs(15)),
            (None, false) => Consolidation::Never,
        };
        Ok(KarpenterPool {
            name: self.metadata.name,
            weight: spec.weight,
            requirements: spec.requirements,
            on_demand_by_default: true,
            labels: spec.labels,
            node_class: Some(NodeClassRef { kind: "AWSNodeTemplate".to_owned(), ..NodeClassRef::default() }),
            limits: spec.limits.resources,
            disruption: KarpenterDisruption {
                consolidation,
                expire_after: spec.ttl_seconds_until_expired.map(SimDuration::from_secs),
                expires_gracefully: true,
                termination_grace: None,
                budgets: Vec::new(),
            },
            taints: spec.taints.iter().map(TaintFile::taint).collect(),
            protected: is_protected(&spec.annotations),
            replicas: None,
        })
    }
}

/// On a node only the word `true` counts.
fn is_protected(annotations: &BTreeMap<String, String>) -> bool {
    annotations.get("karpenter.sh/do-not-disrupt").is_some_and(|value| value == "true")
}

/// The CRD takes 1 to 100; a pool without a weight has 0.
fn check_weight(weight: u32) -> Result<(), String> {
    if weight <= WEIGHT_MAX {
        Ok(())
    } else {
        Err(format!("`{weight}` is above {WEIGHT_MAX}; the API server refuses it"))
    }
}

/// A static pool has no weight and no limit but of nodes.
fn check_static(replicas: Option<u32>, weight: u32, limits: &BTreeMap<String, Quantity>) -> Result<(), String> {
    if replicas.is_none() {
        return Ok(());
    }
    if weight > 0 {
        return Err("a static NodePool, one with `replicas`, takes no `weight`".to_owned());
    }
    match limits.keys().find(|key| *key != "nodes") {
        Some(key) => {
            Err(format!("a static NodePool, one with `replicas`, takes no limit but of `nodes`, not of `{key}`"))
        }
        None => Ok(()),
    }
}

/// Policy and delay with each version's defaults.
fn consolidation(disruption: &Disruption, is_beta: bool) -> Result<Consolidation, &'static str> {
    let fallback =
        if is_beta { ConsolidationPolicy::WhenUnderutilized } else { ConsolidationPolicy::WhenEmptyOrUnderutilized };
    let policy = disruption.consolidation_policy.unwrap_or(fallback);
    let (after, threshold) = (disruption.consolidate_after, disruption.consolidation_threshold);
    match (policy, is_beta) {
        (ConsolidationPolicy::WhenUnderutilized, false) => {
            return Err("v1 calls `WhenUnderutilized` `WhenEmptyOrUnderutilized`");
        }
        (ConsolidationPolicy::WhenEmptyOrUnderutilized, true) => {
            return Err("v1beta1 calls `WhenEmptyOrUnderutilized` `WhenUnderutilized`");
        }
        (ConsolidationPolicy::WhenUnderutilized, true) if matches!(after, Some(GoDuration::After(_))) => {
            return Err("v1beta1 refuses `consolidateAfter` with `WhenUnderutilized`");
        }
        (ConsolidationPolicy::Balanced, true) => return Err("v1beta1 does not know `Balanced`"),
        (_, _) if threshold == Some(0) => return Err("`consolidationThreshold` must be at least 1"),
        (ConsolidationPolicy::Balanced, false) => {}
        (_, _) if threshold.is_some() => return Err("`consolidationThreshold` goes with the policy `Balanced` only"),
        (ConsolidationPolicy::WhenEmpty, true) if after.is_none() => {
            return Err("v1beta1 needs `consolidateAfter` with `WhenEmpty`");
        }
        _ => {}
    }
    let default = SimDuration::from_secs(if is_beta { 15 } else { 0 });
    Ok(match after.unwrap_or(GoDuration::After(default)) {
        GoDuration::Never => Consolidation::Never,
        GoDuration::After(delay) if policy == ConsolidationPolicy::WhenEmpty => Consolidation::WhenEmpty(delay),
        GoDuration::After(after) if policy == ConsolidationPolicy::Balanced => {
            Consolidation::Balanced { after, threshold: threshold.unwrap_or(BALANCED_THRESHOLD) }
        }
        GoDuration::After(delay) => Consolidation::WhenEmptyOrUnderutilized(delay),
    })
}

fn budgets(entries: Option<Vec<BudgetEntry>>) -> Result<Vec<DisruptionBudget>, String> {
    let Some(entries) = entries else { return Ok(vec![default_budget()]) };
    entries
        .into_iter()
        .map(|entry| {
            let duration = entry.duration.and_then(GoDuration::finite);
            disruption_budget(entry.nodes.as_deref().unwrap_or("10%"), entry.reasons, entry.schedule, duration)
        })
        .collect()
}

/// What the API server gives a NodePool without budgets.
pub fn default_budget() -> DisruptionBudget {
    DisruptionBudget { nodes: None, percent: Some(10.0), reasons: Vec::new(), window: None }
}

/// One budget from its written parts.
pub fn disruption_budget(
    nodes: &str,
    reasons: Vec<String>,
    schedule: Option<String>,
    duration: Option<SimDuration>,
) -> Result<DisruptionBudget, String> {
    let known = ["Empty", "Underutilized", "Drifted"];
    if let Some(unknown) = reasons.iter().find(|reason| !known.contains(&reason.as_str())) {
        return Err(format!("unknown reason `{unknown}` (one of: {})", known.join(", ")));
    }
    let window = match (schedule, duration) {
        (Some(schedule), Some(duration)) => Some((schedule, duration)),
        (None, None) => None,
        _ => return Err("`schedule` and `duration` go together".to_owned()),
    };
    if let Some((schedule, _)) = &window {
        let is_macro = ["@annually", "@yearly", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"]
            .contains(&schedule.as_str());
        if !is_macro && schedule.split_whitespace().count() != 5 {
            return Err(format!("schedule `{schedule}`: the API server takes five fields, or @daily and its like"));
        }
    }
    let percent = nodes.strip_suffix('%').map(str::parse::<u32>);
    let (nodes, percent) = match (percent, nodes.parse::<u32>()) {
        (Some(Ok(percent)), _) if percent <= 100 => (None, Some(f64::from(percent))),
        (None, Ok(nodes)) => (Some(nodes), None),
        _ => return Err(format!("nodes: `{nodes}` is neither a number nor a percentage")),
    };
    Ok(DisruptionBudget { nodes, percent, reasons, window })
}
