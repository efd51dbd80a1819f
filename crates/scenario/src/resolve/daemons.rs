//! DaemonSets: pods that run on every node that they may, and take CPU and memory there from the service's.

use cluster::spec::{ContainerSpec, NodePoolSpec, PodSpec, affinity_misfit, named_labels, untolerated};
use units::{Bytes, Millicores};

use crate::error::ScenarioError;
use crate::manifest::{Document, Kind, Quantity, Required, is_accelerator};
use crate::tree::Node;

use super::Context;
use super::offerings::Market;

/// The pod of a DaemonSet.
#[derive(Clone, Debug)]
pub struct Daemon {
    /// `DaemonSet/NAME`.
    pub title: String,
    /// Its pod.
    pub pod: PodSpec,
}

impl Context<'_> {
    /// The DaemonSets of the folder that ask for CPU or memory.
    pub(super) fn daemons(&mut self) -> Result<Vec<Daemon>, ScenarioError> {
        let mut daemons = Vec::new();
        let documents: Vec<&Document> = self.of_kind(Kind::DaemonSet).collect();
        for document in documents {
            let Some(template) = document.node.at(&["spec", "template"]) else {
                self.without_effect(document);
                continue;
            };
            let pod = self.daemon_pod(document, template)?;
            if asks_for_accelerators(template) {
                self.note(format!(
                    "{}: its pods ask for accelerators, which are left to the service",
                    document.label()
                ));
            }
            if pod.millicores() == 0 && pod.bytes() == 0 {
                self.without_effect(document);
                continue;
            }
            self.used.insert(document.label());
            daemons.push(Daemon { title: document.title(), pod });
        }
        Ok(daemons)
    }

    fn daemon_pod(&self, document: &Document, template: &Node) -> Result<PodSpec, ScenarioError> {
        let namespace = self.namespace_of(document).unwrap_or("default");
        let required = Required::read(template, namespace)?;
        let mut pod = PodSpec { gpus: 0, ..PodSpec::plain() };
        pod.containers =
            template.at(&["spec", "containers"]).map_or(&[][..], Node::items).iter().map(container).collect();
        pod.node_selector = match template.at(&["spec", "nodeSelector"]) {
            Some(node) => {
                let labels: std::collections::BTreeMap<String, String> =
                    node.read("spec.template.spec.nodeSelector")?;
                labels.into_iter().collect()
            }
            None => Vec::new(),
        };
        pod.scheduling.node_terms = required.node_terms;
        pod.scheduling.tolerations = required.tolerations;
        Ok(pod)
    }

    /// Takes what DaemonSets ask for off the nodes that they run on.
    pub(super) fn make_room_for_daemons(&mut self, market: &Market<'_>, pools: &mut [NodePoolSpec]) {
        let mut taken: Vec<(String, u64, u64)> = Vec::new();
        let named: std::collections::BTreeSet<String> = named_labels(pools).into_iter().map(str::to_owned).collect();
        let named: std::collections::BTreeSet<&str> = named.iter().map(String::as_str).collect();
        for pool in pools.iter_mut() {
            let (mut cpu_most, mut memory_most) = (0, 0);
            let taints = self.admission_taints(market, pool);
            for index in 0..pool.offerings.len() {
                let runs = |daemon: &&Daemon| {
                    untolerated(pool, &daemon.pod).is_none()
                        && !taints.iter().any(|taint| {
                            !daemon.pod.scheduling.tolerations.iter().any(|toleration| toleration.tolerates(taint))
                        })
                        && affinity_misfit(&pool.offerings[index], (pool, &named), &daemon.pod).is_none()
                };
                let here: Vec<&Daemon> = market.daemons.iter().filter(runs).collect();
                let cpu: u64 = here.iter().map(|daemon| daemon.pod.millicores()).sum();
                let memory: u64 = here.iter().map(|daemon| daemon.pod.bytes()).sum();
                (cpu_most, memory_most) = (cpu_most.max(cpu), memory_most.max(memory));
                let offering = &mut pool.offerings[index];
                // Zero means that nobody has stated it.
                if offering.cpu.0 > 0 {
                    offering.cpu = Millicores(offering.cpu.0.saturating_sub(cpu).max(1));
                }
                if offering.memory.0 > 0 {
                    offering.memory = Bytes(offering.memory.0.saturating_sub(memory).max(1));
                }
            }
            if cpu_most > 0 || memory_most > 0 {
                taken.push((pool.name.clone(), cpu_most, memory_most));
            }
        }
        if let Some((_, cpu, memory)) = taken.iter().max_by_key(|(_, cpu, memory)| (*cpu, *memory)) {
            let titles: Vec<&str> = market.daemons.iter().map(|daemon| daemon.title.as_str()).collect();
            self.note(format!(
                "{} take up to {cpu}m of CPU and {} of memory of each node of {}",
                titles.join(", "),
                Bytes(*memory),
                taken.iter().map(|(name, _, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            ));
        }
    }
}

fn container(node: &Node) -> ContainerSpec {
    let quantity = |resource: &str| {
        let at = |part: &str| node.at(&["resources", part, resource]).and_then(Node::text);
        // What has a limit and no request requests its limit.
        let text = at("requests").or_else(|| at("limits"))?;
        policy::keda::quantity::milli_from_text(text).map(Quantity)
    };
    ContainerSpec {
        name: node.text_at(&["name"]).unwrap_or_default().to_owned(),
        cpu: quantity("cpu").map(|cpu| Millicores(u64::try_from(cpu.0).unwrap_or(0))),
        memory: quantity("memory").map(|memory| Bytes(memory.units())),
        is_sidecar: false,
    }
}

fn asks_for_accelerators(template: &Node) -> bool {
    let containers = template.at(&["spec", "containers"]).map_or(&[][..], Node::items);
    containers.iter().any(|container| {
        ["limits", "requests"].iter().any(|part| {
            let resources = container.at(&["resources", part]).map_or(&[][..], Node::entries);
            resources.iter().any(|entry| is_accelerator(&entry.key))
        })
    })
}
