//! What the kubelets of an EC2NodeClass keep of a machine, where it says so: pods get the rest.
//!
//! Source: `pkg/providers/instancetype/types.go` of karpenter-provider-aws (`kubeReservedResources`, `systemReservedResources`,
//! `evictionThreshold`), for the families AL2023 (the default), AL2 and Bottlerocket.

use std::collections::BTreeMap;

use policy::keda::quantity::milli_from_text;
use prices::{Machine, Platform};

use crate::error::ScenarioError;
use crate::manifest::{Document, KarpenterPool, Kind};
use crate::tree::Node;

use super::Context;
use super::cloud::Cloud;

/// Kept for the kubelet itself beside so much for each pod, and for evictions, where nothing is said; MiB.
const KUBE_MIB: u64 = 255;
const KUBE_MIB_PER_POD: u64 = 11;
const EVICTION_MIB: u64 = 100;

/// `kubelet` of a node class, as far as it decides what pods get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kubelet {
    kube: Kept,
    system: Kept,
    /// `memory.available` of `evictionHard` and, where the family heeds it, `evictionSoft`.
    evictions: Vec<Eviction>,
    /// Pods of a node, where the memory that is kept goes by them (Bottlerocket).
    pods: Option<u64>,
    pods_per_core: Option<u64>,
}

/// CPU in thousandths and memory in MiB; `None` where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kept {
    milli: Option<u64>,
    mib: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Eviction {
    Mib(u64),
    /// Of the memory, in thousandths of a percent.
    Share(u64),
}

impl Kubelet {
    /// The machine with what is left for pods.
    fn on(&self, machine: &mut Machine) {
        let pods_by_default = u64::from(machine.pods);
        let by_core = self.pods_per_core.map(|per_core| per_core * u64::from(machine.vcpus));
        let pods = self.pods.unwrap_or(pods_by_default).min(by_core.unwrap_or(u64::MAX));
        let kube_mib = |pods: u64| KUBE_MIB_PER_POD * pods + KUBE_MIB;
        // What the table's figure was made of.
        let memory_mib = machine.allocatable_mib + kube_mib(pods_by_default) + EVICTION_MIB;
        let eviction = self.evictions.iter().map(|one| match one {
            Eviction::Mib(mib) => *mib,
            Eviction::Share(share) => memory_mib * share / 100_000,
        });
        let kept = self.kube.mib.unwrap_or_else(|| kube_mib(pods))
            + self.system.mib.unwrap_or(0)
            + eviction.max().unwrap_or(EVICTION_MIB);
        machine.allocatable_mib = memory_mib.saturating_sub(kept);
        let whole = u64::from(machine.vcpus) * 1_000;
        let kube_milli = self.kube.milli.unwrap_or_else(|| whole.saturating_sub(machine.cpu_milli));
        machine.cpu_milli = whole.saturating_sub(kube_milli + self.system.milli.unwrap_or(0));
    }
}

impl<'a> Context<'a> {
    /// The machines of a pool with what the kubelet settings of its node class leave; they are said once.
    pub(super) fn with_kubelet(
        &mut self,
        (document, pool, cloud): (&Document, &KarpenterPool, &Cloud),
        mut machines: Vec<Machine>,
    ) -> Result<Vec<Machine>, ScenarioError> {
        if cloud.platform != Platform::KarpenterAws {
            return Ok(machines);
        }
        let (own, path) = match document.kind {
            Kind::Provisioner => (document.node.at(&["spec", "kubeletConfiguration"]), "spec.kubeletConfiguration"),
            _ => (document.node.at(&["spec", "template", "spec", "kubelet"]), "spec.template.spec.kubelet"),
        };
        let class = self.node_class(pool);
        let is_bottlerocket = class.is_some_and(is_bottlerocket);
        let found = match (own, class) {
            (Some(node), _) => Some((document, node, path)),
            (None, Some(class)) => class.node.at(&["spec", "kubelet"]).map(|node| (class, node, "spec.kubelet")),
            (None, None) => None,
        };
        let Some((place, node, path)) = found else { return Ok(machines) };
        let kubelet = read(node, path, is_bottlerocket)?;
        if kubelet == Kubelet::default() {
            return Ok(machines);
        }
        let label = place.label();
        self.used.insert(label.clone());
        machines.iter_mut().for_each(|machine| kubelet.on(machine));
        self.note(format!("{label}: what `{path}` keeps of a node's CPU and memory is not there for pods"));
        Ok(machines)
    }

    fn node_class(&self, pool: &KarpenterPool) -> Option<&'a Document> {
        let class = pool.node_class.as_ref()?;
        let is_class = |document: &&Document| {
            document.node.get("kind").and_then(Node::text) == Some("EC2NodeClass") && document.name == class.name
        };
        self.documents.iter().find(is_class)
    }
}

fn is_bottlerocket(class: &Document) -> bool {
    let family = class.node.at(&["spec", "amiFamily"]).and_then(Node::text);
    let terms = class.node.at(&["spec", "amiSelectorTerms"]).map_or(&[][..], Node::items);
    let mut aliases = terms.iter().filter_map(|term| term.text_at(&["alias"]));
    family == Some("Bottlerocket") || aliases.any(|alias| alias.starts_with("bottlerocket@"))
}

fn read(node: &Node, path: &str, is_bottlerocket: bool) -> Result<Kubelet, ScenarioError> {
    let table = |key: &str| -> Result<BTreeMap<String, String>, ScenarioError> {
        node.get(key).map_or(Ok(BTreeMap::new()), |table| table.read(&format!("{path}.{key}")))
    };
    let wrong = |key: &str, name: &str, reason: String| ScenarioError::Inconsistent {
        at: node.get(key).unwrap_or(node).locate(format!("{path}.{key}[\"{name}\"]")),
        reason,
    };
    let amount = |key: &str, name: &str, unit: u64, table: &BTreeMap<String, String>| {
        let Some(text) = table.get(name) else { return Ok(None) };
        let milli = milli_from_text(text).and_then(|milli| u64::try_from(milli).ok());
        let milli =
            milli.ok_or_else(|| wrong(key, name, format!("`{text}` is no quantity such as `500m` or `1Gi`")))?;
        Ok(Some(milli.div_ceil(unit)))
    };
    let mib = 1_000 << 20;
    let kept = |key: &str| -> Result<Kept, ScenarioError> {
        let table = table(key)?;
        Ok(Kept { milli: amount(key, "cpu", 1, &table)?, mib: amount(key, "memory", mib, &table)? })
    };
    let mut evictions = Vec::new();
    for key in ["evictionHard", "evictionSoft"] {
        // Bottlerocket has no soft evictions.
        if key == "evictionSoft" && is_bottlerocket {
            continue;
        }
        let table = table(key)?;
        let share = table.get("memory.available").and_then(|text| text.strip_suffix('%'));
        if let Some(text) = share {
            let percent = text.parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent));
            let percent = percent.ok_or_else(|| wrong(key, "memory.available", format!("`{text}%` is no share")))?;
            // All of it turns the signal off.
            evictions.push(Eviction::Share(if percent < 100.0 { (percent * 1_000.0) as u64 } else { 0 }));
        } else if let Some(amount) = amount(key, "memory.available", mib, &table)? {
            evictions.push(Eviction::Mib(amount));
        }
    }
    let count = |key: &str| -> Result<Option<u64>, ScenarioError> {
        let node = node.get(key).filter(|_| is_bottlerocket);
        node.map(|node| node.read::<u64>(&format!("{path}.{key}"))).transpose()
    };
    Ok(Kubelet {
        kube: kept("kubeReserved")?,
        system: kept("systemReserved")?,
        evictions,
        pods: count("maxPods")?,
        pods_per_core: count("podsPerCore")?.filter(|count| *count > 0),
    })
}
