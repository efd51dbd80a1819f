//! Where pods may run: their template together with priority classes, quotas, device claims; and whether any pool can hold them.

use cluster::spec::{
    ContainerSpec, InstanceOffering, NodeLabel, NodePoolSpec, PodQuota, PodSpec, misfit, named_labels, node_label,
};
use units::{Bytes, Millicores};

use crate::error::ScenarioError;
use crate::file::ManagerFile;
use crate::manifest::{
    BesideContainers, DeviceRequestFile, Document, LimitRangeFile, PriorityClassFile, Quantity, Required,
    ResourceQuotaFile, is_accelerator, is_kind, protection, read_loosely,
};
use crate::tree::Node;

use super::Context;
use super::karpenter_pool::LeftOut;
use super::offerings::Asker;

const DO_NOT_DISRUPT: &str = "karpenter.sh/do-not-disrupt";
const SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";
const SAFE_VOLUMES: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";

/// Priorities of the classes every cluster has.
const SYSTEM_CLASSES: [(&str, i32); 2] =
    [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

/// Priority of pods nobody gave one, and of pause pods: those of a replica push them out if they are above.
const PAUSE_PRIORITY: i32 = -10;

/// Labels that clouds, Karpenter and Kubernetes themselves give nodes.
const WELL_KNOWN: [&str; 15] = [
    "cloud.google.com/gke-accelerator",
    "cloud.google.com/gke-spot",
    "cloud.google.com/gke-nodepool",
    "cloud.google.com/compute-class",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "karpenter.sh/nodepool",
    "karpenter.sh/capacity-type",
    "nvidia.com/gpu.product",
    "kubernetes.azure.com/scalesetpriority",
    "kubernetes.azure.com/agentpool",
    "eks.amazonaws.com/nodegroup",
];

/// The label that a key nobody gives nodes may be a slip of, as the end of a note.
fn well_known(key: &str) -> String {
    let near = WELL_KNOWN.iter().find(|known| (1..=2).contains(&names::distance(key, known)));
    near.map_or_else(String::new, |known| format!("; did you mean `{known}`?"))
}

impl Context<'_> {
    /// Puts into `pod` what its template and the documents around it say of scheduling.
    pub(super) fn bind(
        &mut self,
        pod: &mut PodSpec,
        (template, namespace): (&Node, &str),
        manager: &ManagerFile,
    ) -> Result<(), ScenarioError> {
        let required = Required::read(template, namespace)?;
        self.notes.extend(required.notes);
        pod.scheduling.node_terms = required.node_terms;
        pod.scheduling.preferred = required.preferred;
        pod.scheduling.placement = required.placement;
        pod.scheduling.tolerations = required.tolerations;
        let mut beside = BesideContainers::read(template)?;
        pod.containers.append(&mut beside.sidecars.clone());
        let inits = beside.inits.iter_mut().map(|(container, _)| container);
        self.fill_requests(pod.containers.iter_mut().chain(inits).collect(), namespace)?;
        let while_it_starts = beside.settle(&mut pod.containers)?;
        self.claim_devices(pod, template)?;
        pod.scheduling.extended = other_resources(template);
        self.run_in_class(pod, template)?;
        pod.scheduling.overhead.millicores += while_it_starts.millicores;
        pod.scheduling.overhead.bytes += while_it_starts.bytes;
        self.prioritise(pod, template)?;
        self.annotate(pod, template, manager);
        self.note_gates(template);
        pod.scheduling.quotas = self.quotas(pod, namespace)?;
        Ok(())
    }

    /// Conditions that somebody outside sets, such as a load balancer that has taken the pod in.
    fn note_gates(&mut self, template: &Node) {
        let gates = template.at(&["spec", "readinessGates"]).map_or(&[][..], Node::items);
        let names: Vec<&str> = gates.iter().filter_map(|gate| gate.text_at(&["conditionType"])).collect();
        if !names.is_empty() {
            self.note(format!(
                "readinessGates ({}): pods are ready later than modelled, when whoever sets the condition has done so; `service.endpointDelay` stands for it",
                names.join(", ")
            ));
        }
    }

    /// Requests that a LimitRange of the namespace gives containers without.
    fn fill_requests(&mut self, mut containers: Vec<&mut ContainerSpec>, namespace: &str) -> Result<(), ScenarioError> {
        let documents: Vec<&Document> = self.documents.iter().filter(|one| is_kind(one, "LimitRange")).collect();
        for document in documents {
            let file: LimitRangeFile = read_loosely(document)?;
            if file.metadata.namespace.as_deref().is_some_and(|of| of != namespace) {
                continue;
            }
            for limit in file.spec.limits.iter().filter(|limit| limit.kind == "Container") {
                let given = |resource: &str| {
                    limit.default_request.get(resource).or_else(|| limit.default.get(resource)).copied()
                };
                for container in &mut containers {
                    fill(container, given("cpu"), given("memory"));
                }
            }
        }
        Ok(())
    }

    /// GPUs that the pod asks for by claims of devices (DRA) in place of extended resources.
    fn claim_devices(&mut self, pod: &mut PodSpec, template: &Node) -> Result<(), ScenarioError> {
        let claims = template.at(&["spec", "resourceClaims"]).map_or(&[][..], Node::items);
        for claim in claims {
            let text = |key: &str| claim.get(key).and_then(Node::text);
            let (kind, name) = match (text("resourceClaimTemplateName"), text("resourceClaimName")) {
                (Some(name), _) => ("ResourceClaimTemplate", name),
                (None, Some(name)) => {
                    self.notes.push(format!(
                        "ResourceClaim/{name} is claimed by name: in a cluster all replicas would share its one device"
                    ));
                    ("ResourceClaim", name)
                }
                (None, None) => continue,
            };
            let found = self.documents.iter().find(|one| is_kind(one, kind) && one.name == name);
            let Some(document) = found else {
                let reason = format!("the {kind} `{name}` it names is not among the manifests");
                return Err(ScenarioError::Inconsistent {
                    at: claim.locate("spec.template.spec.resourceClaims"),
                    reason,
                });
            };
            let below: &[&str] = if kind == "ResourceClaim" { &["spec"] } else { &["spec", "spec"] };
            let requests = document.node.at(below).and_then(|spec| spec.at(&["devices", "requests"]));
            for node in requests.map_or(&[][..], Node::items) {
                self.claim_device(pod, node, &document.title())?;
            }
        }
        Ok(())
    }

    fn claim_device(&mut self, pod: &mut PodSpec, node: &Node, title: &str) -> Result<(), ScenarioError> {
        let file: DeviceRequestFile = node.read("spec.spec.devices.requests[]")?;
        let request = file.chosen();
        let class = request.device_class_name.as_str();
        let resource = match class {
            "gpu.nvidia.com" => "nvidia.com/gpu",
            "gpu.amd.com" => "amd.com/gpu",
            "gpu.intel.com" => "gpu.intel.com/xe",
            _ => {
                self.notes.push(format!("{title}: devices of class `{class}` are not modelled; taken as there"));
                return Ok(());
            }
        };
        if request.allocation_mode.as_deref() == Some("All") {
            let reason = format!("{title} asks for all devices of a node, of whatever number: give a count");
            return Err(ScenarioError::NotModelled { at: node.locate("spec.spec.devices.requests"), reason });
        }
        if pod.gpus > 0 && pod.gpu_resource != resource {
            let reason = format!("{title} asks for `{resource}`, the containers for `{}`", pod.gpu_resource);
            return Err(ScenarioError::Inconsistent { at: node.locate("spec.spec.devices.requests"), reason });
        }
        if !request.selectors.is_empty() {
            self.notes
                .push(format!("{title}: CEL selectors of devices are not evaluated; any `{class}` device is taken"));
        }
        resource.clone_into(&mut pod.gpu_resource);
        pod.gpus += request.count.unwrap_or(1);
        Ok(())
    }

    /// The priority of its class, and whether it pushes pause pods out.
    fn prioritise(&mut self, pod: &mut PodSpec, template: &Node) -> Result<(), ScenarioError> {
        let class = template.at(&["spec", "priorityClassName"]).and_then(Node::text).filter(|name| !name.is_empty());
        let documents: Vec<&Document> = self.documents.iter().filter(|one| is_kind(one, "PriorityClass")).collect();
        let mut policy = template.at(&["spec", "preemptionPolicy"]).and_then(Node::text).map(str::to_owned);
        let mut found = None;
        for document in documents {
            let file: PriorityClassFile = read_loosely(document)?;
            if class.map_or(file.global_default, |name| name == document.name) {
                found = Some(file);
            }
        }
        let system = SYSTEM_CLASSES.iter().find(|(name, _)| Some(*name) == class);
        if let Some(file) = found {
            pod.priority = file.value;
            policy = policy.or(file.preemption_policy);
        } else if let Some((_, value)) = system {
            pod.priority = *value;
        } else if let Some(name) = class {
            let place = template.at(&["spec", "priorityClassName"]).map_or(&template.place, |node| &node.place);
            let classes = self.documents.iter().filter(|one| is_kind(one, "PriorityClass"));
            let known = classes.map(|one| one.name.as_str()).chain(SYSTEM_CLASSES.iter().map(|(name, _)| *name));
            let hint = names::nearest(name, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            self.notes.push(format!(
                "{place}: PriorityClass `{name}` is not among the manifests; priority {} is taken{hint}",
                pod.priority
            ));
        }
        pod.scheduling.never_preempts = policy.as_deref() == Some("Never") || pod.priority <= PAUSE_PRIORITY;
        Ok(())
    }

    /// Annotations that keep a pod where it is.
    fn annotate(&mut self, pod: &mut PodSpec, template: &Node, manager: &ManagerFile) {
        let karpenter = matches!(manager, ManagerFile::Karpenter);
        let annotation = |key: &str| {
            let entries = template.at(&["metadata", "annotations"]).map_or(&[][..], Node::entries);
            entries.iter().find(|entry| entry.key == key).and_then(|entry| entry.value.text()).map(str::to_owned)
        };
        if let Some(value) = annotation(DO_NOT_DISRUPT) {
            match protection(&value) {
                _ if !karpenter => {
                    self.notes.push(format!("`{DO_NOT_DISRUPT}` of the pods means nothing without Karpenter"));
                }
                Some(found) => pod.scheduling.protection = found,
                None => {
                    let note = format!(
                        "`{DO_NOT_DISRUPT}: {value}` of the pods is ignored, as Karpenter does: only `true` or a duration counts"
                    );
                    self.notes.push(note);
                }
            }
        }
        let safe = annotation(SAFE_TO_EVICT);
        if karpenter {
            if safe.is_some() {
                self.notes.push(format!(
                    "`{SAFE_TO_EVICT}` of the pods means nothing to Karpenter (`{DO_NOT_DISRUPT}` does)"
                ));
            }
            return;
        }
        if !matches!(manager, ManagerFile::ClusterAutoscaler(_)) {
            return;
        }
        let spared = annotation(SAFE_VOLUMES).unwrap_or_default();
        let spared: Vec<&str> = spared.split(',').map(str::trim).collect();
        let local = local_volume(template, &spared);
        pod.scheduling.pins_node = match safe.as_deref() {
            Some("true") => false,
            Some("false") => true,
            _ => local.is_some(),
        };
        if let (true, Some(volume)) = (pod.scheduling.pins_node && safe.is_none(), local) {
            self.notes.push(format!(
                "the Cluster Autoscaler removes no node with a pod on it: volume `{volume}` is local storage (`{SAFE_TO_EVICT}: \"true\"` permits it)"
            ));
        }
    }

    /// How many pods the quotas of the namespace let exist.
    fn quotas(&mut self, pod: &PodSpec, namespace: &str) -> Result<Vec<PodQuota>, ScenarioError> {
        let mut quotas = Vec::new();
        let documents: Vec<&Document> = self.documents.iter().filter(|one| is_kind(one, "ResourceQuota")).collect();
        for document in documents {
            let file: ResourceQuotaFile = read_loosely(document)?;
            if file.metadata.namespace.as_deref().is_some_and(|of| of != namespace) {
                continue;
            }
            let title = document.title();
            if !file.spec.scopes.is_empty() {
                self.notes.push(format!("{title}: quotas with scopes are not modelled; taken as not there"));
                continue;
            }
            for (resource, hard) in &file.spec.hard {
                let Some(each) = requested(pod, resource) else {
                    if is_pod_limit(resource) {
                        self.notes.push(format!(
                            "{title}: {resource} counts the limits of pods, which are not kept here; taken as not there"
                        ));
                    }
                    continue;
                };
                let hard_text =
                    if resource.ends_with("memory") { Bytes(hard.units()).to_string() } else { plain(*hard) };
                let what = format!("{title}: {resource} of {hard_text}");
                let key = format!("{namespace}/{what}");
                let quota = PodQuota { key, hard: u64::try_from(hard.0).unwrap_or(0), each, what };
                if quota.pods() == 0 {
                    let reason = format!("{} lets no pod of the service exist", quota.what);
                    return Err(ScenarioError::Inconsistent { at: document.node.locate("spec.hard"), reason });
                }
                quotas.push(quota);
            }
        }
        Ok(quotas)
    }

    /// A pool none of whose nodes can hold the pod is worth a note; if none can, nothing would ever run.
    pub(super) fn check_fit(
        &mut self,
        pools: &[NodePoolSpec],
        left_out: &[LeftOut],
        asker: &Asker<'_>,
    ) -> Result<(), ScenarioError> {
        let (pod, mut misfits) = (asker.pod, Vec::new());
        self.note_without_gpu(pools, asker);
        self.note_unknown_labels(pools, pod);
        self.note_undeclared(pools, pod);
        self.note_preferences(pools, pod);
        let named = named_labels(pools);
        for pool in pools {
            let reasons: Vec<String> =
                pool.offerings.iter().filter_map(|offering| misfit(offering, (pool, &named), pod)).collect();
            if reasons.len() == pool.offerings.len() {
                misfits.push(format!("pool `{}` can never hold the pod: {}", pool.name, reasons[0]));
            }
        }
        if misfits.len() == pools.len() {
            return Err(self.nothing_fits(asker, &misfits, left_out));
        }
        self.notes.extend(misfits);
        self.notes.extend(left_out.iter().map(LeftOut::text));
        Ok(())
    }

    /// A server whose pod forgot its accelerator gets none, however many the machine has.
    fn note_without_gpu(&mut self, pools: &[NodePoolSpec], asker: &Asker<'_>) {
        let offerings = || pools.iter().flat_map(|pool| &pool.offerings);
        if asker.pod.gpus > 0 || offerings().any(|offering| offering.gpus == 0) {
            return;
        }
        let whose = if self.has_several() { format!("service `{}`: ", asker.name) } else { String::new() };
        self.notes.push(format!(
            "{whose}the pod asks for no accelerator, and all machines have some: as many pods share one as its CPU and memory hold, and a \
             cluster shows none of them a GPU (`resources: {{limits: {{nvidia.com/gpu: 1}}}}` would)"
        ));
    }

    /// A label that neither a pool nor the model gives nodes cannot be checked; the pod is taken to find it.
    fn note_unknown_labels(&mut self, pools: &[NodePoolSpec], pod: &PodSpec) {
        let named = named_labels(pools);
        let is_unknown = |key: &str| {
            let mut offerings = pools.iter().flat_map(|pool| pool.offerings.iter().map(move |one| (pool, one)));
            offerings.all(|(pool, offering)| node_label(offering, (pool, &named), key) == NodeLabel::Unknown)
        };
        let mut notes = Vec::new();
        for (key, value) in pod.node_selector.iter().filter(|(key, _)| !is_silent(key) && is_unknown(key)) {
            let hint = well_known(key);
            notes.push(format!("nodeSelector `{key}: {value}`: no pool says it has this label; taken as met{hint}"));
        }
        for rule in pod.scheduling.node_terms.iter().flat_map(|term| &term.labels) {
            if !is_silent(&rule.key) && is_unknown(&rule.key) {
                let hint = well_known(&rule.key);
                notes.push(format!(
                    "required node affinity `{rule}`: no pool says it has this label; taken as met{hint}"
                ));
            }
        }
        for rule in &pod.scheduling.placement {
            let key = &rule.topology_key;
            if key != cluster::spec::HOSTNAME && is_unknown(key) {
                let hint = well_known(key);
                notes.push(format!(
                    "topologyKey `{key}`: no pool says which values nodes have; all are taken as one domain{hint}"
                ));
            }
        }
        self.notes.extend(notes);
    }

    /// A preference for a label that no node is known to have is one that nothing meets.
    fn note_preferences(&mut self, pools: &[NodePoolSpec], pod: &PodSpec) {
        let named = named_labels(pools);
        let is_unknown = |key: &str| {
            let mut offerings = pools.iter().flat_map(|pool| pool.offerings.iter().map(move |one| (pool, one)));
            offerings.all(|(pool, offering)| node_label(offering, (pool, &named), key) == NodeLabel::Unknown)
        };
        let rules = pod.scheduling.preferred.iter().flat_map(|preference| &preference.term.labels);
        let unknown: Vec<String> = rules.filter(|rule| is_unknown(&rule.key)).map(ToString::to_string).collect();
        for rule in unknown {
            self.note(format!("preferred node affinity `{rule}`: no pool says it has this label; taken as not there"));
        }
    }

    /// Resources that no instance type declares do not bind.
    fn note_undeclared(&mut self, pools: &[NodePoolSpec], pod: &PodSpec) {
        let declares =
            |name: &str, offering: &InstanceOffering| offering.extended.iter().any(|(known, _)| known == name);
        for (name, wanted) in &pod.scheduling.extended {
            if !pools.iter().flat_map(|pool| &pool.offerings).any(|offering| declares(name, offering)) {
                self.notes.push(format!(
                    "the pod asks for {wanted} of `{name}`, which no instance type states; taken as there (`nodes.instanceTypes.TYPE.resources`)"
                ));
            }
        }
    }
}

/// Labels that follow from the offering, where it has them: that a scenario without zones states none is nothing to tell.
fn is_silent(key: &str) -> bool {
    matches!(
        key,
        "nvidia.com/gpu.product"
            | "topology.kubernetes.io/zone"
            | "failure-domain.beta.kubernetes.io/zone"
            | "node.kubernetes.io/instance-type"
            | "beta.kubernetes.io/instance-type"
    )
}

fn fill(container: &mut ContainerSpec, cpu: Option<Quantity>, memory: Option<Quantity>) {
    if container.cpu.is_none() {
        container.cpu = cpu.map(|cpu| Millicores(u64::try_from(cpu.0).unwrap_or(0)));
    }
    if container.memory.is_none() {
        container.memory = memory.map(|memory| Bytes(memory.units()));
    }
}

/// Extended resources besides the accelerator, summed over containers.
fn other_resources(template: &Node) -> Vec<(String, u32)> {
    let mut sums = std::collections::BTreeMap::<String, u32>::new();
    for container in template.at(&["spec", "containers"]).map_or(&[][..], Node::items) {
        let mut of_container = std::collections::BTreeMap::<&str, u32>::new();
        for part in ["limits", "requests"] {
            for entry in container.at(&["resources", part]).map_or(&[][..], Node::entries) {
                let key = entry.key.as_str();
                let is_extended = key.contains('/') || key.starts_with("hugepages-");
                let count = entry.value.text().and_then(policy::keda::quantity::milli_from_text).map(Quantity);
                if let (true, false, Some(count)) = (is_extended, is_accelerator(key), count) {
                    of_container.insert(key, u32::try_from(count.units()).unwrap_or(u32::MAX));
                }
            }
        }
        for (key, count) in of_container {
            let sum = sums.entry(key.to_owned()).or_default();
            *sum = sum.saturating_add(count);
        }
    }
    sums.into_iter().collect()
}

/// A volume that the Cluster Autoscaler takes for local storage, but for those it is told are safe.
fn local_volume(template: &Node, spared: &[&str]) -> Option<String> {
    let volumes = template.at(&["spec", "volumes"]).map_or(&[][..], Node::items);
    volumes.iter().find_map(|volume| {
        let name = volume.get("name").and_then(Node::text)?;
        let is_disk = volume.get("emptyDir").is_some()
            && volume.at(&["emptyDir", "medium"]).and_then(Node::text) != Some("Memory");
        let is_local = is_disk || volume.get("hostPath").is_some();
        (is_local && !spared.contains(&name)).then(|| name.to_owned())
    })
}

/// What one pod takes of a resource a quota limits, in thousandths; `None` for what quotas of pods do not count.
fn requested(pod: &PodSpec, resource: &str) -> Option<u64> {
    let of_gpu = |name: &str| (name == pod.gpu_resource).then(|| u64::from(pod.gpus) * 1_000);
    let each = match resource {
        "pods" | "count/pods" => 1_000,
        "cpu" | "requests.cpu" => pod.millicores(),
        "memory" | "requests.memory" => pod.bytes().saturating_mul(1_000),
        other => of_gpu(other.strip_prefix("requests.").unwrap_or(other))?,
    };
    (each > 0).then_some(each)
}

/// Quotas on limits hold pods back as those on requests do.
fn is_pod_limit(resource: &str) -> bool {
    ["limits.cpu", "limits.memory"].contains(&resource)
}

fn plain(quantity: Quantity) -> String {
    if quantity.0 % 1_000 == 0 { (quantity.0 / 1_000).to_string() } else { format!("{}m", quantity.0) }
}
