//! Which machines a Karpenter pool may launch: its requirements, one after the other, over the machines of its provider.
//!
//! As `karpenter/pkg/scheduling` and the providers' `instancetype` packages, over the machine table.

use std::collections::{BTreeMap, BTreeSet};

use cluster::spec::{LabelOperator, PodSpec};
use names::nearest;
use prices::{Label, Machine, Platform, is_gpu_feature, known_values, machines, provider_of_key, well_known_key};

use crate::file::CapacityType;
use crate::manifest::{KarpenterPool, Operator, Requirement};

use super::cloud::Cloud;
use super::offerings::Asker;
use super::requirement::ValueSet;

/// Purchase options and their names in `karpenter.sh/capacity-type`.
pub const CAPACITY_TYPES: [(&str, CapacityType); 3] =
    [("on-demand", CapacityType::OnDemand), ("spot", CapacityType::Spot), ("reserved", CapacityType::Reserved)];

const CAPACITY_TYPE: &str = "karpenter.sh/capacity-type";
const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
const ZONE: &str = "topology.kubernetes.io/zone";
const ZONE_ID: &str = "topology.k8s.aws/zone-id";
const REGION: &str = "topology.kubernetes.io/region";

/// Domains whose keys users may not invent, and parts of them in which they may.
const RESTRICTED: [&str; 3] = ["kubernetes.io", "k8s.io", "karpenter.sh"];
const FREE: [&str; 3] = ["node.kubernetes.io", "node-restriction.kubernetes.io", "kops.k8s.io"];

/// At most so many values are listed in a message.
const LISTED_MAX: usize = 8;

/// What a Karpenter pool's requirements leave.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Machines.
    pub machines: Vec<Machine>,
    /// Whether the manifest names instance types.
    pub named: Vec<String>,
    /// Purchase options.
    pub capacity_types: Vec<CapacityType>,
    /// Whether the manifest asks for them.
    pub names_capacity: bool,
    /// Zones; empty if any will do.
    pub zones: Vec<String>,
    /// The region the manifest names or its zones are in.
    pub region: Option<String>,
    /// Labels that follow from requirements on keys of the user.
    pub labels: BTreeMap<String, String>,
    /// Labels of GPU feature discovery that the pool declares.
    pub declared: BTreeSet<String>,
    /// `minValues`, with what they are asked of.
    pub least: Vec<(String, u32)>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Why a pool launches nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// The manifest is wrong.
    Mistake(String),
    /// No machine meets it.
    NoMachine {
        /// Which requirement removed the last.
        reason: String,
        /// It asks for machines without accelerators.
        is_cpu: bool,
    },
}

/// The requirements on one key, together.
struct KeyRule {
    key: String,
    set: ValueSet,
    min_values: Option<u32>,
    text: String,
}

/// Machines that `pool` may launch, of those there are.
#[allow(clippy::needless_pass_by_value, reason = "the universe is used up")]
pub fn wish(pool: &KarpenterPool, cloud: &Cloud, universe: Vec<Machine>, askers: &[Asker<'_>]) -> Result<Wish, Unmet> {
    let mut wish = Wish {
        machines: Vec::new(),
        named: Vec::new(),
        capacity_types: CAPACITY_TYPES.iter().map(|known| known.1).collect(),
        names_capacity: false,
        zones: Vec::new(),
        region: None,
        labels: BTreeMap::new(),
        declared: BTreeSet::new(),
        least: Vec::new(),
        notes: Vec::new(),
    };
    if pool.on_demand_by_default && pool.requirements.iter().all(|rule| rule.key != CAPACITY_TYPE) {
        wish.capacity_types = vec![CapacityType::OnDemand];
    }
    let mut left = universe.clone();
    for rule in merged(pool)? {
        wish.least.extend(rule.min_values.map(|least| (rule.key.clone(), least)));
        if wish.place(&rule, cloud)? {
            continue;
        }
        if !is_machine_label(&rule.key, cloud)? {
            wish.label(&rule, askers);
            continue;
        }
        wish.remember(&rule, cloud, &universe);
        let before = left.clone();
        left.retain(|machine| rule.set.meets(&label(machine, &rule.key, cloud)));
        if left.is_empty() {
            return Err(none_left(&rule, cloud, &before, &universe));
        }
    }
    wish.machines = left;
    Ok(wish)
}

/// Values that a pod requires of a label.
fn asked_values<'p>(pod: &'p PodSpec, key: &'p str) -> impl Iterator<Item = &'p String> {
    let selected = pod.node_selector.iter().filter(move |(own, _)| own == key).map(|(_, value)| value);
    let terms = pod.scheduling.node_terms.iter().flat_map(|term| &term.labels);
    let required = terms.filter(move |asked| asked.key == key && asked.operator == LabelOperator::In);
    selected.chain(required.flat_map(|asked| &asked.values))
}

impl Wish {
    /// Takes a requirement on purchase option, zone or region; false if it is on something else.
    fn place(&mut self, rule: &KeyRule, cloud: &Cloud) -> Result<bool, Unmet> {
        match rule.key.as_str() {
            CAPACITY_TYPE => {
                self.names_capacity = true;
                self.capacity_types
                    .retain(|kind| CAPACITY_TYPES.iter().any(|known| known.1 == *kind && rule.set.admits(known.0)));
                if self.capacity_types.is_empty() {
                    let reason =
                        format!("`{}` leaves no purchase option: the pool is not ready and hosts nothing", rule.text);
                    return Err(Unmet::Mistake(reason));
                }
            }
            ZONE | ZONE_ID => match rule.set.listed() {
                Some(zones) => {
                    self.zones = zones.iter().cloned().collect();
                    let regions: BTreeSet<&str> = zones.iter().filter_map(|zone| cloud.region_of_zone(zone)).collect();
                    if regions.len() > 1 {
                        let regions: Vec<&str> = regions.into_iter().collect();
                        let reason = format!("`{}`: zones of several regions ({})", rule.text, regions.join(", "));
                        return Err(Unmet::Mistake(reason));
                    }
                    self.region = regions.into_iter().next().map(str::to_owned).or(self.region.take());
                }
                None => self.notes.push(format!("`{}`: which zones there are is not known; taken as met", rule.text)),
            },
            REGION => match rule.set.listed().map(|regions| regions.iter().collect::<Vec<_>>()) {
                Some(regions) if regions.len() == 1 => self.region = Some(regions[0].clone()),
                _ => {
                    self.notes
                        .push(format!("`{}` does not say one region; prices are the default region's", rule.text));
                }
            },
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A requirement on a key of the user's own becomes a label of the pool's nodes: what the pod wants, else the first value.
    fn label(&mut self, rule: &KeyRule, askers: &[Asker<'_>]) {
        let mut wanted: Vec<(&str, &String)> = Vec::new();
        for asker in askers {
            let mut asked = asked_values(asker.pod, &rule.key);
            wanted.extend(asked.find(|value| rule.set.admits(value)).map(|value| (asker.name, value)));
        }
        if let Some((other, value)) = wanted.iter().find(|(_, value)| *value != wanted[0].1) {
            let (first, chosen) = wanted[0];
            self.notes.push(format!(
                "`{}`: its nodes are taken to have `{chosen}`, which `{first}` asks for, and not `{value}`, which `{other}` does: a pool has \
                 nodes of one value here",
                rule.text
            ));
        }
        let first = || rule.set.listed().and_then(|values| values.iter().next());
        if let Some(value) = wanted.first().map(|(_, value)| *value).or_else(first) {
            self.labels.insert(rule.key.clone(), value.clone());
        }
    }

    fn remember(&mut self, rule: &KeyRule, cloud: &Cloud, universe: &[Machine]) {
        if rule.key == INSTANCE_TYPE {
            self.named.extend(rule.set.listed().into_iter().flatten().cloned());
        }
        if is_gpu_feature(&rule.key) {
            self.declared.insert(rule.key.clone());
            self.notes.push(format!(
                "`{}`: Karpenter does not know this label of a machine before it runs and would choose without it; here it chooses by it. \
                 State the machine too, by its family or GPU name",
                rule.text
            ));
        }
        if !universe.is_empty() && universe.iter().all(|machine| label(machine, &rule.key, cloud) == Label::Opaque) {
            self.notes.push(format!("`{}`: what machines have for it is not known; taken as met", rule.text));
        }
        if cloud.platform == Platform::KarpenterGcp
            && ["-gpu-count", "-gpu-memory", "-gpu-manufacturer"].iter().any(|end| rule.key.ends_with(end))
        {
            self.notes.push(format!(
                "`{}`: Karpenter on Google Cloud counts kinds of accelerators here (always 1) and fills neither memory nor maker",
                rule.text
            ));
        }
    }
}

/// What a machine's nodes have for a key under this platform.
pub fn label(machine: &Machine, key: &str, cloud: &Cloud) -> Label {
    if cloud.equivalent(key).is_some() {
        return Label::Absent;
    }
    machine.label(key).unwrap_or(Label::Opaque)
}

/// All requirements, template labels among them, key by key in the order of the manifest.
fn merged(pool: &KarpenterPool) -> Result<Vec<KeyRule>, Unmet> {
    let mut rules: Vec<KeyRule> = Vec::new();
    let labels = pool.labels.iter().map(|(key, value)| Requirement {
        key: key.clone(),
        operator: Operator::In,
        values: vec![value.clone()],
        min_values: None,
    });
    for rule in pool.requirements.iter().cloned().chain(labels) {
        let key = well_known_key(&rule.key).to_owned();
        let set = ValueSet::of(&rule).map_err(Unmet::Mistake)?;
        let text = describe(&rule);
        check_min_values(&rule, &text)?;
        match rules.iter_mut().find(|known| known.key == key) {
            Some(known) => {
                known.set = known.set.and(&set);
                known.min_values = known.min_values.max(rule.min_values);
                known.text = format!("{} and {}", known.text, text);
            }
            None => rules.push(KeyRule { key, set, min_values: rule.min_values, text }),
        }
    }
    Ok(rules)
}

fn check_min_values(rule: &Requirement, text: &str) -> Result<(), Unmet> {
    let Some(least) = rule.min_values else { return Ok(()) };
    if !(1..=50).contains(&least) {
        return Err(Unmet::Mistake(format!("`{text}`: minValues is from 1 to 50, found {least}")));
    }
    if rule.operator == Operator::In && rule.values.len() < least as usize {
        return Err(Unmet::Mistake(format!("`{text}`: minValues {least} with {} values", rule.values.len())));
    }
    Ok(())
}

fn describe(rule: &Requirement) -> String {
    if rule.values.is_empty() {
        return format!("{} {:?}", rule.key, rule.operator);
    }
    format!("{} {:?} [{}]", rule.key, rule.operator, rule.values.join(", "))
}

/// Whether a key is a label that follows from the machine. One that is neither that nor the user's own is a mistake.
fn is_machine_label(key: &str, cloud: &Cloud) -> Result<bool, Unmet> {
    let mistake = |reason: String| Err(Unmet::Mistake(reason));
    if let Some(own) = cloud.equivalent(key) {
        let whose = if cloud.platform == Platform::EksAuto { "EKS Auto Mode" } else { "Karpenter's EC2NodeClass" };
        return mistake(format!("`{key}` means nothing to a pool of {whose}: write `{own}`"));
    }
    if cloud.platform == Platform::EksAuto && ["kubernetes.io/os", "node.kubernetes.io/windows-build"].contains(&key) {
        return mistake(format!("`{key}` is not accepted by EKS Auto Mode, whose nodes are linux"));
    }
    if let Some(provider) =
        provider_of_key(key).filter(|provider| !cloud.provider.is_empty() && *provider != cloud.provider)
    {
        return mistake(format!("`{key}` is a label of {provider}'s nodes, and this pool makes {}'s", cloud.provider));
    }
    let sample = machines().iter().find(|machine| cloud.provider.is_empty() || machine.provider == cloud.provider);
    if sample.is_some_and(|machine| machine.label(key).is_some()) {
        return Ok(true);
    }
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let is_under = |domains: &[&str]| domains.iter().any(|one| domain == *one || domain.ends_with(&format!(".{one}")));
    if provider_of_key(key).is_some() || (is_under(&RESTRICTED) && !is_under(&FREE)) {
        let known = cloud.platform.keys(&cloud.provider);
        let known: Vec<&str> = known.iter().map(String::as_str).chain([CAPACITY_TYPE, ZONE, REGION]).collect();
        let hint = nearest(key, known).map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        return mistake(format!("`{key}` is no label that a pool may require{hint}"));
    }
    Ok(false)
}

/// Whether a key is no label that Kubernetes, Karpenter or a provider sets: a pod finds it only where a pool says so.
pub fn is_users_key(key: &str) -> bool {
    let key = well_known_key(key);
    let ours = [CAPACITY_TYPE, ZONE, ZONE_ID, REGION, "karpenter.sh/nodepool", "karpenter.sh/provisioner-name"];
    provider_of_key(key).is_none()
        && !ours.contains(&key)
        && !["kubernetes.io/hostname", "k8s.amazonaws.com/accelerator", "accelerator"].contains(&key)
        && machines().first().is_some_and(|machine| machine.label(key).is_none())
}

/// Checks the values a user wrote against those there are, where all of them are known.
pub fn check_values(pool: &KarpenterPool, cloud: &Cloud) -> Result<(), String> {
    for rule in pool.requirements.iter().filter(|rule| matches!(rule.operator, Operator::In | Operator::NotIn)) {
        let key = well_known_key(&rule.key);
        let known = if key == CAPACITY_TYPE {
            Some(CAPACITY_TYPES.iter().map(|known| known.0.to_owned()).collect())
        } else {
            known_values(&cloud.provider, key)
        };
        let Some(known) = known else { continue };
        let stranger = rule.values.iter().find(|value| !known.contains(value));
        if let Some(value) = stranger.filter(|value| !is_sliced_product(key, value)) {
            let hint = nearest(value, known.iter().map(String::as_str))
                .map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
            return Err(format!("`{key}`: no machine has `{value}`{hint} (one of: {})", known.join(", ")));
        }
    }
    Ok(())
}

/// A GPU that is shared or cut has its own product name.
fn is_sliced_product(key: &str, value: &str) -> bool {
    key == "nvidia.com/gpu.product" && (value.ends_with("-SHARED") || value.contains("-MIG-"))
}

/// Says which requirement removed the last machines, and what they had.
fn none_left(rule: &KeyRule, cloud: &Cloud, before: &[Machine], universe: &[Machine]) -> Unmet {
    let values = |machines: &[Machine]| -> BTreeSet<String> {
        let has = |machine: &Machine| match label(machine, &rule.key, cloud) {
            Label::Value(value) => Some(value),
            _ => None,
        };
        machines.iter().filter_map(has).collect()
    };
    let (had, all) = (values(before), values(universe));
    let wanted: Vec<&str> = rule.set.listed().into_iter().flatten().map(String::as_str).collect();
    let is_cpu = asks_for_cpu_machines(rule, cloud, &all);
    let hint = wanted
        .iter()
        .find(|value| !is_cpu && !all.contains(**value))
        .and_then(|value| nearest(value, all.iter().map(String::as_str)))
        .map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
    let listed: Vec<&str> = had.iter().map(String::as_str).take(LISTED_MAX).collect();
    let more = if had.len() > LISTED_MAX { ", …" } else { "" };
    let before = match listed.len() {
        0 => "which do not have it".to_owned(),
        _ => format!("which have {}{more}", listed.join(", ")),
    };
    let provider = if cloud.provider.is_empty() { "the scenario" } else { &cloud.provider };
    let is_nobodys_name = rule.key == INSTANCE_TYPE && wanted.iter().all(|name| !all.contains(*name));
    let reason = if is_nobodys_name && !is_cpu {
        format!("`{}`: no machine of {provider} is called that{hint}", rule.text)
    } else if is_cpu {
        format!("`{}` admits none of {provider}'s machines with accelerators", rule.text)
    } else {
        format!("`{}` removes the last of {provider}'s machines that meet what is above it, {before}{hint}", rule.text)
    };
    // A slip of the pen is a mistake whatever other pools there are.
    if !is_cpu && (!hint.is_empty() || is_nobodys_name) {
        return Unmet::Mistake(reason);
    }
    Unmet::NoMachine { reason, is_cpu }
}

/// Letters that families with accelerators begin with on AWS.
const ACCELERATED: [&str; 8] = ["g", "gr", "p", "inf", "trn", "dl", "vt", "f"];

/// Whether a requirement by itself asks for machines without accelerators: it names families of none, or no GPU.
fn asks_for_cpu_machines(rule: &KeyRule, cloud: &Cloud, all: &BTreeSet<String>) -> bool {
    if rule.key.ends_with("-gpu-count") || rule.key.ends_with("-gpu-name") {
        return rule.set.admits_absence() || rule.set.admits("0");
    }
    let Some(wanted) = rule.set.listed().filter(|wanted| !wanted.is_empty()) else { return false };
    let letters = |value: &str| value.chars().take_while(char::is_ascii_alphabetic).collect::<String>();
    let is_plain = |value: &String| match cloud.provider.as_str() {
        "aws" => !ACCELERATED.contains(&letters(value).as_str()),
        _ => nearest(value, all.iter().map(String::as_str)).is_none(),
    };
    let is_named = ["-category", "-family", "instance-type", "sku-name", "-series", "-shape"]
        .iter()
        .any(|end| rule.key.ends_with(end));
    is_named && wanted.iter().all(is_plain)
}

impl Wish {
    /// Says which `minValues` the machines that are left do not meet.
    pub fn short_of_values(&self, cloud: &Cloud) -> Option<String> {
        self.least.iter().find_map(|(key, least)| {
            let values: BTreeSet<String> = match key.as_str() {
                CAPACITY_TYPE => CAPACITY_TYPES
                    .iter()
                    .filter(|known| self.capacity_types.contains(&known.1))
                    .map(|known| known.0.to_owned())
                    .collect(),
                ZONE | ZONE_ID => self.zones.iter().cloned().collect(),
                _ => self.machines.iter().filter_map(|machine| value(machine, key, cloud)).collect(),
            };
            (values.len() < *least as usize).then(|| {
                let listed: Vec<&str> = values.iter().map(String::as_str).collect();
                format!(
                    "`{key}` has minValues {least}, and the machines that can hold the pod have {} ({}): it would launch nothing",
                    values.len(),
                    listed.join(", ")
                )
            })
        })
    }
}

fn value(machine: &Machine, key: &str, cloud: &Cloud) -> Option<String> {
    match label(machine, key, cloud) {
        Label::Value(value) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
