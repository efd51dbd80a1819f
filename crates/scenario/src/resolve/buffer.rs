//! CapacityBuffers: room for pods that are still to come, ordered and kept by whoever adds nodes.

use cluster::spec::{PausePodsSpec, PolicySpec, ServiceSpec};
use serde::Deserialize;
use std::collections::BTreeMap;
use units::SimDuration;

use crate::error::ScenarioError;
use crate::file::{ManagerFile, ServiceView};
use crate::manifest::{Document, Kind, Quantity, is_accelerator, is_kind, read_loosely};
use crate::tree::Node;

use super::Context;

const ACTIVE: &str = "buffer.x-k8s.io/active-capacity";
const STANDBY: &str = "buffer.gke.io/standby-capacity";

#[derive(Debug, Deserialize)]
struct BufferFile {
    #[serde(default)]
    spec: BufferSpecFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BufferSpecFile {
    provisioning_strategy: Option<String>,
    pod_template_ref: Option<ReferenceFile>,
    scalable_ref: Option<ReferenceFile>,
    replicas: Option<u32>,
    percentage: Option<u32>,
    limits: BTreeMap<String, Quantity>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ReferenceFile {
    api_group: Option<String>,
    kind: String,
    name: String,
}

/// What a buffer asks one chunk for.
struct Chunk {
    gpus: u32,
    millicores: u64,
    bytes: u64,
}

impl Context<'_> {
    /// Lets every policy keep the room that the folder's buffers ask for.
    pub(super) fn keep_buffers(
        &mut self,
        policies: &mut [PolicySpec],
        service: &ServiceSpec,
        spec: &ServiceView,
    ) -> Result<(), ScenarioError> {
        let documents: Vec<&Document> = self.of_kind(Kind::CapacityBuffer).collect();
        let mut kept: Option<PausePodsSpec> = None;
        for document in documents {
            self.used.insert(document.label());
            let Some(buffer) = self.buffer(document, service, spec)? else { continue };
            // Room that is nobody's by name is kept once, in replicas of the first service that it can be kept for.
            if self.has_several() && document.node.at(&["spec", "scalableRef"]).is_none() {
                if !self.shared_room.insert(document.label()) {
                    continue;
                }
                self.note(format!("{}: its room is kept as that of replicas of this service", document.title()));
            }
            let sum = kept.get_or_insert(PausePodsSpec {
                count: 0,
                percent: 0,
                is_room: true,
                preemption: SimDuration::ZERO,
            });
            if sum.percent > 0 && buffer.count > 0 || buffer.percent > 0 && sum.count > 0 {
                self.note(format!(
                    "{}: of several buffers with numbers and percentages the larger room is kept, not the sum",
                    document.title()
                ));
            }
            sum.count += buffer.count;
            sum.percent += buffer.percent;
        }
        let Some(kept) = kept else { return Ok(()) };
        for policy in policies {
            match &policy.services[0].pause_pods {
                None => policy.services[0].pause_pods = Some(kept),
                Some(_) => self.note(format!(
                    "policy `{}`: its pausePods stand in place of the room that CapacityBuffers keep",
                    policy.name
                )),
            }
        }
        Ok(())
    }

    /// The room of one buffer in replicas; `None` if it is not about the service, or cannot be kept.
    fn buffer(
        &mut self,
        document: &Document,
        service: &ServiceSpec,
        spec: &ServiceView,
    ) -> Result<Option<PausePodsSpec>, ScenarioError> {
        let BufferFile { spec: file } = read_loosely(document)?;
        let label = document.label();
        let wrong = |reason: String| ScenarioError::Inconsistent {
            at: document.node.get("spec").unwrap_or(&document.node).locate("spec"),
            reason,
        };
        if self.namespace_of(document).is_some_and(|namespace| namespace != service.namespace) {
            self.note_miss(format!("{label}: keeps room in another namespace than the service's; left out"));
            return Ok(None);
        }
        match file.provisioning_strategy.as_deref() {
            None | Some("" | ACTIVE) => {}
            Some(STANDBY) if service.pod.gpus > 0 => {
                self.note(format!("{label}: GKE keeps no GPU nodes on standby; the room is left out"));
                return Ok(None);
            }
            Some(STANDBY) => self
                .note(format!("{label}: suspended nodes are taken as running: they start too fast and cost too much")),
            Some(other) => {
                return Err(wrong(format!("provisioningStrategy: `{other}` (one of: {ACTIVE}, {STANDBY})")));
            }
        }
        let Some(chunk) = self.chunk(document, &file, service)? else { return Ok(None) };
        if matches!(spec.nodes.manager, ManagerFile::Karpenter) {
            self.note(format!(
                "{}: needs Karpenter's feature gate CapacityBuffer, which is off by default; taken as on",
                document.title()
            ));
        }
        let by_limit = file.limits.iter().filter_map(|(resource, limit)| chunk.times_in(resource, *limit)).min();
        if file.replicas.is_none() && file.percentage.is_none() && by_limit.is_none() {
            return Err(wrong("needs `replicas`, `percentage` or `limits`: without them it keeps nothing".to_owned()));
        }
        if file.percentage.is_some() && by_limit.is_some() {
            self.note(format!("{label}: `limits` do not cap a percentage here"));
        }
        let most = by_limit.unwrap_or(u32::MAX);
        let chunks = match (file.replicas, file.percentage) {
            (Some(replicas), _) => replicas.min(most),
            (None, Some(_)) => 0,
            (None, None) => most,
        };
        let gpus = u64::from(service.pod.gpus.max(1));
        let count = if service.pod.gpus > 0 {
            (u64::from(chunks) * u64::from(chunk.gpus)).div_ceil(gpus)
        } else {
            u64::from(chunks)
        };
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if count != chunks {
            self.note(format!("{label}: {chunks} x {} GPUs are kept as the room of {count} replicas", chunk.gpus));
        }
        Ok(Some(PausePodsSpec {
            count,
            percent: file.percentage.unwrap_or(0),
            is_room: true,
            preemption: SimDuration::ZERO,
        }))
    }

    /// What one chunk of the buffer is as large as.
    fn chunk(
        &mut self,
        document: &Document,
        file: &BufferSpecFile,
        service: &ServiceSpec,
    ) -> Result<Option<Chunk>, ScenarioError> {
        let pod = &service.pod;
        let own = Chunk { gpus: pod.gpus, millicores: pod.millicores(), bytes: pod.bytes() };
        if let Some(scalable) = &file.scalable_ref {
            let is_ours = self.workload.as_ref().is_none_or(|workload| {
                workload.is_target(scalable.api_group.as_deref(), &scalable.kind, &scalable.name)
            });
            if !is_ours {
                self.note_miss(format!(
                    "{}: keeps room for {}/{}, not for the service; left out",
                    document.label(),
                    scalable.kind,
                    scalable.name
                ));
            }
            return Ok(is_ours.then_some(own));
        }
        let Some(reference) = &file.pod_template_ref else {
            let reason = "needs `scalableRef` or `podTemplateRef`: it does not say what it keeps room for".to_owned();
            return Err(ScenarioError::Inconsistent { at: document.node.locate("spec"), reason });
        };
        let found = self.documents.iter().find(|one| is_kind(one, "PodTemplate") && one.name == reference.name);
        let Some(template) = found else {
            let reason = format!("the PodTemplate `{}` it names is not among the manifests", reference.name);
            return Err(ScenarioError::Inconsistent { at: document.node.locate("spec.podTemplateRef"), reason });
        };
        let chunk = Chunk::of(template);
        if pod.gpus > 0 && chunk.gpus == 0 {
            self.note(format!(
                "{}: its PodTemplate asks for no accelerator: room for other pods than the service's; left out",
                document.label()
            ));
            return Ok(None);
        }
        Ok(Some(chunk))
    }
}

impl Chunk {
    fn of(template: &Document) -> Self {
        let mut chunk = Self { gpus: 0, millicores: 0, bytes: 0 };
        for container in template.node.at(&["template", "spec", "containers"]).map_or(&[][..], Node::items) {
            let given = ["requests", "limits"]
                .iter()
                .flat_map(|part| container.at(&["resources", part]).map_or(&[][..], Node::entries));
            let mut seen = std::collections::BTreeSet::new();
            for entry in given {
                let amount = entry.value.text().and_then(policy::keda::quantity::milli_from_text).map(Quantity);
                let Some(amount) = amount.filter(|_| seen.insert(entry.key.as_str())) else { continue };
                match entry.key.as_str() {
                    "cpu" => chunk.millicores += u64::try_from(amount.0).unwrap_or(0),
                    "memory" => chunk.bytes += amount.units(),
                    name if is_accelerator(name) => chunk.gpus += u32::try_from(amount.units()).unwrap_or(u32::MAX),
                    _ => {}
                }
            }
        }
        chunk
    }

    /// How many chunks a limit has room for; `None` if they ask for none of it.
    fn times_in(&self, resource: &str, limit: Quantity) -> Option<u32> {
        let limit_milli = u64::try_from(limit.0).unwrap_or(0);
        let times = match resource {
            "cpu" => limit_milli.checked_div(self.millicores),
            "memory" => limit.units().checked_div(self.bytes),
            name if is_accelerator(name) => limit.units().checked_div(u64::from(self.gpus)),
            _ => None,
        };
        times.map(|times| u32::try_from(times).unwrap_or(u32::MAX))
    }
}
