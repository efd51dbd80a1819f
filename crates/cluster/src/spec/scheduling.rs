//! What binds a pod to nodes: labels it requires, taints it tolerates, pods it must be near or away from; and what keeps it there.
//!
//! The tests here are those the scheduler makes whatever runs elsewhere. Which pods run where is the fleet's business.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use record::Purchase;
use units::{Bytes, SimDuration};

use super::{InstanceOffering, NodePoolSpec, PodSpec};

/// What a pod asks of the scheduler beyond resources and `nodeSelector`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodScheduling {
    /// Required node affinity: one of them must hold; empty: there is none.
    pub node_terms: Vec<NodeTerm>,
    /// Preferred node affinity, the heaviest first.
    pub preferred: Vec<PreferredTerm>,
    /// What running the pod takes beside its containers (`overhead` of its RuntimeClass).
    pub overhead: PodOverhead,
    /// `tolerations`.
    pub tolerations: Vec<Toleration>,
    /// Required placement relative to other pods of the service.
    pub placement: Vec<PlacementRule>,
    /// Other extended resources than the accelerator, such as `vpc.amazonaws.com/efa`; they bind where instance types declare them.
    pub extended: Vec<(String, u32)>,
    /// `karpenter.sh/do-not-disrupt`.
    pub protection: Protection,
    /// The Cluster Autoscaler does not remove its node (`safe-to-evict: "false"`, or local storage).
    pub pins_node: bool,
    /// `preemptionPolicy: Never`, or a priority not above that of pause pods: it waits where they stand.
    pub never_preempts: bool,
    /// ResourceQuotas of its namespace: pods beyond the least of them are not created.
    pub quotas: Vec<PodQuota>,
}

/// What a ResourceQuota lets the pods of its namespace have of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodQuota {
    /// Which quota and which resource: services with the same share it.
    pub key: String,
    /// How much there may be in all.
    pub hard: u64,
    /// How much of it one pod of the service takes, above zero.
    pub each: u64,
    /// Which quota and which resource, in words.
    pub what: String,
}

impl PodQuota {
    /// So many pods and no more.
    pub fn of_pods(pods: u32, what: &str) -> Self {
        Self { key: what.to_owned(), hard: u64::from(pods), each: 1, what: what.to_owned() }
    }

    /// How many pods of the service it lets exist if there are no others.
    pub fn pods(&self) -> u64 {
        self.hard / self.each.max(1)
    }
}

/// What `karpenter.sh/do-not-disrupt` of a pod asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Nothing.
    #[default]
    None,
    /// Its node is not disrupted until the pod is so old.
    Until(SimDuration),
    /// Its node is never disrupted.
    Always,
}

/// One of `nodeSelectorTerms`: all its rules must hold, and there must be one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeTerm {
    /// `matchExpressions`.
    pub labels: Vec<LabelRule>,
}

/// A preference for nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreferredTerm {
    /// 1 to 100.
    pub weight: u32,
    /// What nodes should be like.
    pub term: NodeTerm,
}

/// CPU and memory that a pod takes beside its containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodOverhead {
    /// Thousandths of a CPU.
    pub millicores: u64,
    /// Bytes of memory.
    pub bytes: u64,
}

/// A rule on a node's label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelRule {
    /// Label.
    pub key: String,
    /// Operator.
    pub operator: LabelOperator,
    /// Its values: one whole number for [`LabelOperator::Gt`] and [`LabelOperator::Lt`], none for the two of existence.
    pub values: Vec<String>,
}

/// Operators of rules on labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelOperator {
    /// One of the values.
    In,
    /// None of them, or no such label.
    NotIn,
    /// Any value.
    Exists,
    /// No such label.
    DoesNotExist,
    /// Above, as whole numbers.
    Gt,
    /// Below, as whole numbers.
    Lt,
}

impl LabelRule {
    /// Whether a node with this value, or without the label, is accepted.
    pub fn admits(&self, value: Option<&str>) -> bool {
        let is_listed = value.is_some_and(|value| self.values.iter().any(|listed| listed == value));
        let whole = |text: &str| text.parse::<i64>().ok();
        let beyond = |is_beyond: fn(i64, i64) -> bool| {
            let bound = self.values.first().and_then(|text| whole(text));
            value.and_then(whole).zip(bound).is_some_and(|(value, bound)| is_beyond(value, bound))
        };
        match self.operator {
            LabelOperator::In => is_listed,
            LabelOperator::NotIn => !is_listed,
            LabelOperator::Exists => value.is_some(),
            LabelOperator::DoesNotExist => value.is_none(),
            LabelOperator::Gt => beyond(|value, bound| value > bound),
            LabelOperator::Lt => beyond(|value, bound| value < bound),
        }
    }
}

impl fmt::Display for LabelRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.key, self.operator)?;
        if self.values.is_empty() { Ok(()) } else { write!(f, " [{}]", self.values.join(", ")) }
    }
}

impl fmt::Display for NodeTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<String> = self.labels.iter().map(LabelRule::to_string).collect();
        f.write_str(if rules.is_empty() { "an empty term, which no node meets" } else { "" })?;
        f.write_str(&rules.join(" and "))
    }
}

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaintEffect {
    /// They are not placed there.
    NoSchedule,
    /// They are placed there last.
    PreferNoSchedule,
    /// They are not placed there, and evicted.
    NoExecute,
}

impl TaintEffect {
    /// As in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

/// A taint of a pool's nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// Key.
    pub key: String,
    /// Value; may be empty.
    pub value: String,
    /// Effect.
    pub effect: TaintEffect,
}

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let equals = if self.value.is_empty() { "" } else { "=" };
        write!(f, "{}{equals}{}:{}", self.key, self.value, self.effect.name())
    }
}

/// One of a pod's `tolerations`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toleration {
    /// Key; empty with `Exists`: every taint.
    pub key: String,
    /// The value it must have; `None`: any (`operator: Exists`).
    pub value: Option<String>,
    /// The effect; `None`: every one.
    pub effect: Option<TaintEffect>,
}

impl Toleration {
    /// Whether the taint is tolerated.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.effect.is_none_or(|effect| effect == taint.effect)
            && (self.key.is_empty() && self.value.is_none() || self.key == taint.key)
            && self.value.as_ref().is_none_or(|value| *value == taint.value)
    }
}

/// A requirement on where pods of the service are relative to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacementRule {
    /// The label whose values are the domains: `kubernetes.io/hostname`, `topology.kubernetes.io/zone`, …
    pub topology_key: String,
    /// What is required.
    pub kind: PlacementKind,
}

/// What a [`PlacementRule`] requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlacementKind {
    /// One pod per domain at most (required anti-affinity to its own labels); pods on their way out count.
    Apart,
    /// All in one domain (required affinity to its own labels); the first goes anywhere.
    Together,
    /// `DoNotSchedule` topology spread.
    Spread {
        /// `maxSkew`, at least 1.
        skew_max: u32,
        /// `minDomains`, at least 1.
        domains_min: u32,
        /// `nodeTaintsPolicy: Honor`: nodes it does not tolerate are no domains.
        honors_taints: bool,
        /// `nodeAffinityPolicy: Honor`: nor are nodes it may not use.
        honors_affinity: bool,
    },
}

/// The topology key whose domains are single nodes.
pub const HOSTNAME: &str = "kubernetes.io/hostname";

/// What is known of a label of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeLabel<'a> {
    /// Its value.
    Is(Cow<'a, str>),
    /// The node does not have it.
    Absent,
    /// Neither the pools nor the model say.
    Unknown,
}

/// A label of nodes of `offering` in `pool`. `named` has the labels that some pool gives its nodes: those are known of all pools.
pub fn node_label<'a>(
    offering: &'a InstanceOffering,
    (pool, named): (&'a NodePoolSpec, &BTreeSet<&str>),
    key: &str,
) -> NodeLabel<'a> {
    if let Some((_, given)) = pool.labels.iter().find(|(name, _)| name == key) {
        return NodeLabel::Is(Cow::Borrowed(given));
    }
    if let Some((_, has)) = offering.labels.iter().find(|(name, _)| name == key) {
        return has.as_deref().map_or(NodeLabel::Absent, |has| NodeLabel::Is(Cow::Borrowed(has)));
    }
    let known = match key {
        "nvidia.com/gpu.product" => &offering.gpu_product,
        "topology.kubernetes.io/zone" | "failure-domain.beta.kubernetes.io/zone" => &offering.zone,
        "node.kubernetes.io/instance-type" | "beta.kubernetes.io/instance-type" => &offering.instance_type,
        "karpenter.sh/nodepool" | "karpenter.sh/provisioner-name" => &pool.name,
        "karpenter.sh/capacity-type" => {
            return NodeLabel::Is(Cow::Borrowed(match offering.purchase {
                Purchase::OnDemand => "on-demand",
                Purchase::Spot => "spot",
                Purchase::Reserved => "reserved",
                Purchase::Serverless => "",
            }));
        }
        _ if named.contains(key) => return NodeLabel::Absent,
        _ => return NodeLabel::Unknown,
    };
    if known.is_empty() { NodeLabel::Unknown } else { NodeLabel::Is(Cow::Borrowed(known)) }
}

/// The labels that some pool gives its nodes.
pub fn named_labels(pools: &[NodePoolSpec]) -> BTreeSet<&str> {
    pools.iter().flat_map(|pool| &pool.labels).map(|(key, _)| key.as_str()).collect()
}

/// Whether nodes of `offering` meet the pod's `nodeSelector` and required node affinity; what is unknown is taken as met. If not, which
/// part they do not meet.
pub fn affinity_misfit(
    offering: &InstanceOffering,
    at: (&NodePoolSpec, &BTreeSet<&str>),
    pod: &PodSpec,
) -> Option<String> {
    let kind = &offering.instance_type;
    for (key, value) in &pod.node_selector {
        match node_label(offering, at, key) {
            NodeLabel::Is(has) if has != value.as_str() => {
                return Some(format!("it selects nodes with `{key}: {value}`, {kind} has `{has}`"));
            }
            NodeLabel::Absent => {
                return Some(format!(
                    "it selects nodes with `{key}: {value}`, which {kind} in this pool does not have"
                ));
            }
            _ => {}
        }
    }
    let terms = &pod.scheduling.node_terms;
    let meets = |term: &NodeTerm| {
        !term.labels.is_empty()
            && term.labels.iter().all(|rule| match node_label(offering, at, &rule.key) {
                NodeLabel::Is(value) => rule.admits(Some(&value)),
                NodeLabel::Absent => rule.admits(None),
                NodeLabel::Unknown => true,
            })
    };
    if terms.is_empty() || terms.iter().any(meets) {
        return None;
    }
    let all: Vec<String> = terms.iter().map(NodeTerm::to_string).collect();
    Some(format!("its required node affinity ({}) does not meet nodes of {kind}", all.join(", or ")))
}

/// The first taint of the pool that the pod does not tolerate and that keeps it away.
pub fn untolerated<'a>(pool: &'a NodePoolSpec, pod: &PodSpec) -> Option<&'a Taint> {
    let hard = pool.rules.taints.iter().filter(|taint| taint.effect != TaintEffect::PreferNoSchedule);
    hard.into_iter().find(|taint| !pod.scheduling.tolerations.iter().any(|toleration| toleration.tolerates(taint)))
}

/// Why a pod can never run on a node of this offering, other pods aside; `None` if it can. CPU or memory of zero is not stated.
pub fn misfit(offering: &InstanceOffering, at: (&NodePoolSpec, &BTreeSet<&str>), pod: &PodSpec) -> Option<String> {
    let kind = &offering.instance_type;
    if let Some(taint) = untolerated(at.0, pod) {
        return Some(format!("it does not tolerate the taint `{taint}` of its nodes"));
    }
    if let Some(reason) = affinity_misfit(offering, at, pod) {
        return Some(reason);
    }
    if pod.gpus > 0 && pod.gpu_resource != offering.gpu_resource {
        return Some(format!("it asks for `{}`, {kind} has `{}`", pod.gpu_resource, offering.gpu_resource));
    }
    if pod.gpus > offering.gpus {
        return Some(format!("it asks for {} GPUs, {kind} has {}", pod.gpus, offering.gpus));
    }
    if let Some((name, wanted, has)) = short_of(offering, pod) {
        return Some(format!("it asks for {wanted} of `{name}`, {kind} has {has}"));
    }
    let cpu = pod.millicores();
    if offering.cpu.0 > 0 && cpu > offering.cpu.0 {
        return Some(format!("it asks for {cpu}m of CPU, {kind} has {}", offering.cpu));
    }
    let memory = pod.bytes();
    (offering.memory.0 > 0 && memory > offering.memory.0)
        .then(|| format!("it asks for {} of memory, {kind} has {}", Bytes(memory), offering.memory))
}

/// An extended resource that the instance type declares too little of: name, how much the pod wants, how much there is.
fn short_of<'a>(offering: &InstanceOffering, pod: &'a PodSpec) -> Option<(&'a str, u32, u32)> {
    pod.scheduling.extended.iter().find_map(|(name, wanted)| {
        let has = offering.extended.iter().find(|(declared, _)| declared == name)?.1;
        (has < *wanted).then_some((name.as_str(), *wanted, has))
    })
}

/// Pods one node takes at most: the kubelet's default limit.
pub const PODS_PER_NODE: u32 = 110;

/// How many pods fit on one node of `offering`, other rules than resources, labels and taints aside.
pub fn slots(offering: &InstanceOffering, at: (&NodePoolSpec, &BTreeSet<&str>), pod: &PodSpec) -> u32 {
    if misfit(offering, at, pod).is_some() {
        return 0;
    }
    let fit = |have: u64, want: u64| if have == 0 || want == 0 { u64::MAX } else { have / want };
    let by_gpu = offering.gpus.checked_div(pod.gpus).map_or(u64::MAX, u64::from);
    let by_extended = pod.scheduling.extended.iter().filter_map(|(name, wanted)| {
        let has = offering.extended.iter().find(|(declared, _)| declared == name)?.1;
        has.checked_div(*wanted).map(u64::from)
    });
    let by_extended = by_extended.min().unwrap_or(u64::MAX);
    let by_machine = fit(offering.cpu.0, pod.millicores()).min(fit(offering.memory.0, pod.bytes()));
    by_gpu.min(by_extended).min(by_machine).min(u64::from(PODS_PER_NODE)) as u32
}

impl PodSpec {
    /// CPU requests of all containers and the overhead, in millicores.
    pub fn millicores(&self) -> u64 {
        let requests: u64 = self.containers.iter().filter_map(|container| container.cpu).map(|cpu| cpu.0).sum();
        requests + self.scheduling.overhead.millicores
    }

    /// Memory requests of all containers and the overhead.
    pub fn bytes(&self) -> u64 {
        let requests: u64 =
            self.containers.iter().filter_map(|container| container.memory).map(|memory| memory.0).sum();
        requests + self.scheduling.overhead.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(operator: LabelOperator, values: &[&str]) -> LabelRule {
        LabelRule { key: "k".into(), operator, values: values.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn operators_treat_an_absent_label_as_the_scheduler_does() {
        use LabelOperator::{DoesNotExist, Exists, Gt, In, Lt, NotIn};
        for (operator, values, value, admits) in [
            (In, &["a", "b"][..], Some("b"), true),
            (In, &["a"], None, false),
            (NotIn, &["a"], None, true),
            (NotIn, &["a"], Some("a"), false),
            (Exists, &[], Some(""), true),
            (Exists, &[], None, false),
            (DoesNotExist, &[], None, true),
            (DoesNotExist, &[], Some("a"), false),
            (Gt, &["4"], Some("5"), true),
            (Gt, &["4"], Some("4"), false),
            (Gt, &["4"], Some("five"), false),
            (Lt, &["4"], Some("3"), true),
            (Lt, &["4"], None, false),
        ] {
            assert_eq!(rule(operator, values).admits(value), admits, "{operator:?} {values:?} {value:?}");
        }
    }

    #[test]
    fn a_toleration_without_key_tolerates_all_and_one_without_effect_every_effect() {
        let taint = Taint { key: "gpu".into(), value: "present".into(), effect: TaintEffect::NoExecute };
        let toleration = |key: &str, value: Option<&str>, effect| Toleration {
            key: key.into(),
            value: value.map(Into::into),
            effect,
        };
        for (one, is_enough) in [
            (toleration("", None, None), true),
            (toleration("", None, Some(TaintEffect::NoSchedule)), false),
            (toleration("gpu", None, Some(TaintEffect::NoExecute)), true),
            (toleration("gpu", Some("present"), None), true),
            (toleration("gpu", Some(""), None), false),
            (toleration("other", None, None), false),
        ] {
            assert_eq!(one.tolerates(&taint), is_enough, "{one:?}");
        }
    }
}
