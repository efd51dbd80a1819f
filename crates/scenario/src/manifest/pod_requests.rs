//! What the scheduler counts of a pod beside its containers: sidecars, init containers, and requests of the pod as a whole.
//!
//! Source: `PodRequests` of `k8s.io/component-helpers/resource` and the defaults of pod-level resources (KEP-2837).

use cluster::spec::{ContainerSpec, PodOverhead};
use units::{Bytes, Millicores};

use crate::error::ScenarioError;
use crate::tree::{Node, Value};

use super::amounts;
use super::deployment::{ContainerFile, ResourcesFile};

const PATH: &str = "spec.template.spec";

/// The init containers of a template, in order, and its `resources`.
#[derive(Debug, Default)]
pub struct BesideContainers {
    /// Those that end before the containers start, each with the number of sidecars that started before it.
    pub inits: Vec<(ContainerSpec, usize)>,
    /// Those that stay (`restartPolicy: Always`).
    pub sidecars: Vec<ContainerSpec>,
    whole: Option<(ResourcesFile, Node)>,
}

/// Milli-CPU and bytes.
type Pair = [u64; 2];

impl BesideContainers {
    /// Reads them.
    ///
    /// # Errors
    /// Amounts that the API server refuses.
    pub fn read(template: &Node) -> Result<Self, ScenarioError> {
        let mut found = Self::default();
        let inits = template.at(&["spec", "initContainers"]).map_or(&[][..], Node::items);
        for (index, node) in inits.iter().enumerate() {
            let below = format!("initContainers[{index}].resources");
            let resources = resources(node, &below)?;
            let name = node.text_at(&["name"]).unwrap_or_default().to_owned();
            let container = ContainerFile::asking(name, resources).resolve();
            if node.text_at(&["restartPolicy"]) == Some("Always") {
                found.sidecars.push(ContainerSpec { is_sidecar: true, ..container });
            } else {
                found.inits.push((container, found.sidecars.len()));
            }
        }
        if let Some(node) = template.at(&["spec", "resources"]) {
            let whole = resources(template.get("spec").unwrap_or(template), "resources")?;
            let named = whole.requests.keys().chain(whole.limits.keys()).find(|name| name.contains('/'));
            if let Some(name) = named {
                let reason = format!(
                    "a pod as a whole asks for `cpu`, `memory` and `hugepages-…` only; `{name}` belongs to the resources of a container"
                );
                return Err(ScenarioError::Inconsistent { at: node.locate(format!("{PATH}.resources")), reason });
            }
            found.whole = Some((whole, node.clone()));
        }
        Ok(found)
    }

    /// Puts what the pod asks for as a whole upon its first container, so that all together ask for it, and returns what init containers
    /// ask for above that. `containers` has the sidecars already, and what a `LimitRange` gives.
    ///
    /// # Errors
    /// A pod that asks for less than its containers.
    pub fn settle(&self, containers: &mut [ContainerSpec]) -> Result<PodOverhead, ScenarioError> {
        let mut excess = self.init_excess(containers);
        let Some((whole, node)) = &self.whole else {
            return Ok(PodOverhead { millicores: excess[0], bytes: excess[1] });
        };
        for (index, resource) in ["cpu", "memory"].into_iter().enumerate() {
            let asked: Vec<Option<u64>> = containers.iter().map(|one| parts(one)[index]).collect();
            let running: u64 = asked.iter().flatten().sum();
            let inits = self.inits.iter().any(|(one, _)| parts(one)[index].is_some());
            let is_silent = !inits && asked.iter().all(Option::is_none);
            let limit = whole.limits.get(resource).filter(|_| is_silent);
            let Some(amount) = whole.requests.get(resource).or(limit) else { continue };
            let amount = if index == 0 { u64::try_from(amount.0).unwrap_or(0) } else { amount.units() };
            if amount < running + excess[index] {
                let reason = format!("is less {resource} than its containers ask for together; Kubernetes refuses it");
                let at = node.locate(format!("{PATH}.resources.requests.{resource}"));
                return Err(ScenarioError::Inconsistent { at, reason });
            }
            excess[index] = 0;
            if let Some(first) = containers.first_mut() {
                let own = parts(first)[index].unwrap_or(0) + amount - running;
                if index == 0 {
                    first.cpu = Some(Millicores(own));
                } else {
                    first.memory = Some(Bytes(own));
                }
            }
        }
        Ok(PodOverhead { millicores: excess[0], bytes: excess[1] })
    }

    /// How much more than the running containers the pod needs while it starts: an init container runs beside the sidecars before it.
    fn init_excess(&self, containers: &[ContainerSpec]) -> Pair {
        let total = |list: &[ContainerSpec]| -> Pair {
            [0, 1].map(|index| list.iter().filter_map(|one| parts(one)[index]).sum())
        };
        // Sidecars are the last of the containers; there they have what a LimitRange gives them.
        let sidecars = &containers[containers.len() - self.sidecars.len()..];
        let running = total(containers);
        let mut excess = [0, 0];
        for (init, before) in &self.inits {
            let beside = total(&sidecars[..*before]);
            for index in [0, 1] {
                let needed = beside[index] + parts(init)[index].unwrap_or(0);
                excess[index] = excess[index].max(needed.saturating_sub(running[index]));
            }
        }
        excess
    }
}

fn parts(container: &ContainerSpec) -> [Option<u64>; 2] {
    [container.cpu.map(|cpu| cpu.0), container.memory.map(|memory| memory.0)]
}

fn resources(node: &Node, below: &str) -> Result<ResourcesFile, ScenarioError> {
    let Some(stated) = node.get("resources") else { return Ok(ResourcesFile::default()) };
    let mut stated = stated.clone();
    if let Value::Map(entries) = &mut stated.value {
        entries.retain(|entry| ["requests", "limits"].contains(&entry.key.as_str()));
    }
    let path = format!("{PATH}.{below}");
    let file: ResourcesFile = stated.read(&path)?;
    match amounts::problem(&file.requests, &file.limits) {
        None => Ok(file),
        Some((at, reason)) => Err(ScenarioError::Inconsistent { at: stated.locate(format!("{path}.{at}")), reason }),
    }
}
