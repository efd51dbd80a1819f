//! Replicas that are groups of pods: what of their manifests the model does, and what it does not.

use cluster::spec::{GroupRestart, PodGroup, PodSpec};
use units::SimDuration;

use crate::error::ScenarioError;
use crate::file::ManagerFile;
use crate::manifest::workload::{Group, Workload};

use super::Context;

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
        let worker = self.pod_in(workload, &group.worker, endpoint_delay, manager)?.0;
        if let Some(what) = beyond_the_model(group, leader, &worker, manager) {
            let reason = format!("{title}: {what}");
            return Err(ScenarioError::NotModelled { at: workload.document.node.locate("spec"), reason });
        }
        if (worker.millicores(), worker.bytes()) != (leader.millicores(), leader.bytes()) {
            self.note(format!(
                "{title}: leader and workers ask for different CPU or memory; each pod gets room for the larger request"
            ));
        }
        if group.restart == GroupRestart::Pod {
            self.note(format!(
                "{title}: `restartPolicy: None` leaves the other pods of a group where they are when one is lost; here the whole group is \
                 deleted and made again"
            ));
        }
        Ok(PodGroup {
            size: group.size,
            worker_containers: worker.containers,
            restart: group.restart,
            leader_ready_first: group.leader_ready_first,
        })
    }
}

/// What a group asks for that is not modelled, in words.
fn beyond_the_model(group: &Group, leader: &PodSpec, worker: &PodSpec, manager: &ManagerFile) -> Option<String> {
    if matches!(manager, ManagerFile::Serverless(_)) {
        return Some(format!("a replica is {} pods, and serverless prices are for one", group.size));
    }
    if let Some(key) = &group.exclusive_topology {
        return Some(format!("keeps each group in a domain of `{key}` of its own (exclusive-topology)"));
    }
    if (leader.gpus, &leader.gpu_resource) != (worker.gpus, &worker.gpu_resource) {
        let of = |pod: &PodSpec| format!("{} {}", pod.gpus, pod.gpu_resource);
        return Some(format!("its leader asks for {} and its workers for {}", of(leader), of(worker)));
    }
    if leader.node_selector != worker.node_selector || leader.spread != worker.spread {
        return Some("its leader and its workers may go to different nodes (nodeSelector, affinity)".to_owned());
    }
    (leader.scheduling != worker.scheduling).then(|| {
        "its leader and its workers differ in what binds them to nodes (affinity, tolerations, claims, extended resources)"
            .to_owned()
    })
}
