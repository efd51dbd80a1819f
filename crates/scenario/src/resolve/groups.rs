//! Replicas that are groups of pods: what of their manifests the model does, and what it does not.

use cluster::spec::{GroupRestart, PodGroup, PodSpec};
use units::SimDuration;

use crate::error::ScenarioError;
use crate::file::ManagerFile;
use crate::manifest::workload::{Group, Workload};
use crate::manifest::{BudgetFile, Kind, read};
use crate::tree::Node;

use super::Context;

/// Annotations that keep a group, or a part of one, in a domain of its own.
const EXCLUSIVE: [&str; 2] =
    ["leaderworkerset.sigs.k8s.io/exclusive-topology", "leaderworkerset.sigs.k8s.io/subgroup-exclusive-topology"];

impl Context<'_> {
    /// The group of pods that a replica of `workload` is; `leader` is the first of them.
    pub(super) fn group_of(
        &mut self,
        (workload, group): (&Workload, &Group),
        leader: &PodSpec,
        endpoint_delay: SimDuration,
        manager: &ManagerFile,
    ) -> Result<PodGroup, ScenarioError> {
        let title = workload.document.title();
        let worker = self.worker_of((workload, group), leader, endpoint_delay, manager)?;
        beyond_the_model((workload, group), leader, &worker)?;
        self.hold_budgets((&title, group.size), leader, &worker)?;
        if (worker.millicores(), worker.bytes()) != (leader.millicores(), leader.bytes()) {
            self.note(format!(
                "{title}: leader and workers ask for different CPU or memory; each pod gets room for the larger request"
            ));
        }
        let probes = probes_of(&group.worker.node);
        if !probes.is_empty() && probes != probes_of(&workload.deployment.node) {
            self.note(format!("{title}: probes of the leader alone restart containers here, not those of its workers"));
        }
        if matches!(manager, ManagerFile::Serverless(_)) {
            self.note(format!(
                "{title}: a replica is {} pods, each of which has the price of `nodes.manager.serverless`",
                group.size
            ));
        }
        match group.restart {
            GroupRestart::Group => {}
            GroupRestart::GroupAfterStart => self.note(format!(
                "{title}: RecreateGroupAfterStart: a pod that is deleted before all of its group have started takes the others with it here"
            )),
            GroupRestart::Pod => self.note(format!(
                "{title}: of a group that loses a pod a cluster makes that one again, and the others start their servers anew in their \
                 places; here the whole group is deleted and made again"
            )),
        }
        Ok(PodGroup {
            size: group.size,
            worker_pre_stop: worker.pre_stop.min(worker.grace),
            worker_containers: worker.containers,
            restart: group.restart,
            leader_ready_first: group.leader_ready_first,
        })
    }

    /// A pod of the group that is not the leader; the same if both are made of one template.
    fn worker_of(
        &mut self,
        (workload, group): (&Workload, &Group),
        leader: &PodSpec,
        endpoint_delay: SimDuration,
        manager: &ManagerFile,
    ) -> Result<PodSpec, ScenarioError> {
        let template = |node: &'_ Node| node.at(&["spec", "template", "spec"]).cloned();
        if template(&group.worker.node) == template(&workload.deployment.node) {
            return Ok(leader.clone());
        }
        let hook_waits = self.hook_waits;
        let (worker, _) = self.pod_in(workload, (&group.worker, &group.worker_path), endpoint_delay, manager)?;
        self.hook_waits = hook_waits;
        Ok(worker)
    }

    /// A PodDisruptionBudget that counts some pods of a group and not the others.
    fn hold_budgets(
        &self,
        (title, size): (&str, u32),
        leader: &PodSpec,
        worker: &PodSpec,
    ) -> Result<(), ScenarioError> {
        for document in self.of_kind(Kind::PodDisruptionBudget) {
            let (budget, _) = read::<BudgetFile>(document)?;
            if budget.spec.selects(&leader.labels) != budget.spec.selects(&worker.labels) {
                let reason = format!(
                    "selects some pods of {title} only, of whose groups of {size} pods none serves without the others; select all by \
                     `leaderworkerset.sigs.k8s.io/name`"
                );
                let place = document.node.at(&["spec", "selector"]).unwrap_or(&document.node);
                return Err(ScenarioError::NotModelled { at: place.locate("spec.selector"), reason });
            }
        }
        Ok(())
    }
}

/// Probes of a template that restart containers.
fn probes_of(shaped: &Node) -> Vec<&Node> {
    let containers = shaped.at(&["spec", "template", "spec", "containers"]).map(Node::items).unwrap_or_default();
    containers
        .iter()
        .flat_map(|one| ["startupProbe", "livenessProbe"].into_iter().filter_map(|key| one.get(key)))
        .collect()
}

/// What a group asks for that is not modelled.
fn beyond_the_model(
    (workload, group): (&Workload, &Group),
    leader: &PodSpec,
    worker: &PodSpec,
) -> Result<(), ScenarioError> {
    let document = &workload.document;
    let title = document.title();
    let refused = |node: &Node, path: &str, reason: String| {
        Err(ScenarioError::NotModelled { at: node.locate(path), reason: format!("{title}: {reason}") })
    };
    for key in EXCLUSIVE {
        if let Some(node) = document.node.at(&["metadata", "annotations", key]) {
            let domain = node.text().unwrap_or_default();
            let reason = format!(
                "keeps its pods in a domain of `{domain}` of their own; leave the annotation out to have them wherever there is room"
            );
            return refused(node, &format!("metadata.annotations[\"{key}\"]"), reason);
        }
    }
    let place = group.worker.node.at(&["spec", "template"]).unwrap_or(&group.worker.node);
    let gpus = |pod: &PodSpec| format!("{} {}", pod.gpus, pod.gpu_resource);
    if gpus(leader) != gpus(worker) {
        let reason = format!(
            "its leader asks for {} and its workers for {}; ask for the same in both templates",
            gpus(leader),
            gpus(worker)
        );
        return refused(place, &group.worker_path, reason);
    }
    let nodes = |pod: &PodSpec| (pod.node_selector.clone(), pod.spread, pod.priority, pod.scheduling.clone());
    if nodes(leader) != nodes(worker) {
        let reason = "its leader and its workers differ in where they may run (nodeSelector, affinity, tolerations, priority, annotations, \
                      claims, quota); write the same in both templates";
        return refused(place, &group.worker_path, reason.to_owned());
    }
    Ok(())
}
