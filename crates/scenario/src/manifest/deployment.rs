//! Deployment, `apps/v1`.

use std::collections::BTreeMap;

use cluster::spec::{ContainerSpec, PodSpec, SoftSpread};
use serde::Deserialize;
use units::{Bytes, Millicores, SimDuration};

use super::karpenter::{Operator, Requirement};
use super::{MetadataFile, Quantity};

/// The manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DeploymentFile {
    /// `metadata`.
    pub metadata: MetadataFile,
    /// `spec`.
    pub spec: DeploymentSpecFile,
}

/// `spec` of a Deployment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DeploymentSpecFile {
    /// Replicas, 1 unless set.
    #[serde(default)]
    pub replicas: Option<u32>,
    /// Its pods.
    pub template: TemplateFile,
}

/// `template`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TemplateFile {
    /// Labels of the pods.
    #[serde(default)]
    pub metadata: TemplateMetadataFile,
    /// The pod.
    pub spec: PodSpecFile,
}

/// `template.metadata`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct TemplateMetadataFile {
    /// Labels of the pods.
    pub labels: BTreeMap<String, String>,
}

/// `template.spec`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PodSpecFile {
    /// Labels a node must have.
    #[serde(default)]
    pub node_selector: BTreeMap<String, String>,
    /// Containers.
    pub containers: Vec<ContainerFile>,
    /// 30 unless set.
    #[serde(default)]
    pub termination_grace_period_seconds: Option<u64>,
    /// Scheduling priority.
    #[serde(default)]
    pub priority: Option<i32>,
    /// Preferences for other nodes.
    #[serde(default)]
    pub affinity: AffinityFile,
    /// Spreading over nodes and zones.
    #[serde(default)]
    pub topology_spread_constraints: Vec<SpreadConstraintFile>,
}

/// `affinity`: only preferred pod anti-affinity is left of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct AffinityFile {
    /// Pods it would rather not be near.
    pub pod_anti_affinity: AntiAffinityFile,
}

/// `podAntiAffinity`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct AntiAffinityFile {
    /// Preferences.
    pub preferred_during_scheduling_ignored_during_execution: Vec<PreferenceFile>,
}

/// One weighted preference.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PreferenceFile {
    /// 1 to 100; the model knows only whether there is a preference.
    pub weight: u32,
    /// Whom it is about.
    pub pod_affinity_term: TermFile,
}

/// `podAffinityTerm`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TermFile {
    /// Whose pods.
    #[serde(default)]
    pub label_selector: ExpressionSelectorFile,
    /// What they would rather not share.
    pub topology_key: String,
}

/// One of `topologySpreadConstraints`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SpreadConstraintFile {
    /// Difference allowed; as a preference it only has to exist.
    pub max_skew: u32,
    /// What to spread over.
    pub topology_key: String,
    /// `DoNotSchedule` unless set.
    #[serde(default)]
    pub when_unsatisfiable: Option<String>,
    /// Whose pods.
    #[serde(default)]
    pub label_selector: ExpressionSelectorFile,
}

/// A label selector with expressions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ExpressionSelectorFile {
    /// Labels that must be equal.
    pub match_labels: BTreeMap<String, String>,
    /// Conditions on labels.
    pub match_expressions: Vec<Requirement>,
}

impl ExpressionSelectorFile {
    /// Whether it selects everything.
    pub(super) fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether it selects pods with these labels.
    pub(super) fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |rule: &Requirement| {
            let value = labels.get(&rule.key);
            let is_listed = value.is_some_and(|value| rule.values.contains(value));
            match rule.operator {
                Operator::In => is_listed,
                Operator::NotIn => !is_listed,
                Operator::Exists => value.is_some(),
                _ => value.is_none(),
            }
        };
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(has)
    }
}

/// One container.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ContainerFile {
    /// Name.
    pub name: String,
    /// Image.
    #[serde(default)]
    pub image: String,
    /// Requests and limits.
    #[serde(default)]
    pub resources: ResourcesFile,
    /// Readiness probe.
    #[serde(default)]
    pub readiness_probe: Option<ProbeFile>,
    /// Hooks.
    #[serde(default)]
    pub lifecycle: Option<LifecycleFile>,
}

/// `resources`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ResourcesFile {
    /// Requests; where one is missing the limit stands for it.
    pub requests: BTreeMap<String, Quantity>,
    /// Limits.
    pub limits: BTreeMap<String, Quantity>,
}

/// `readinessProbe`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ProbeFile {
    /// 0 unless set.
    #[serde(default)]
    pub initial_delay_seconds: u64,
    /// 10 unless set.
    #[serde(default = "probe_period")]
    pub period_seconds: u64,
    /// 1 unless set.
    #[serde(default)]
    pub success_threshold: Option<u32>,
}

fn probe_period() -> u64 {
    10
}

/// `lifecycle`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct LifecycleFile {
    /// Before the container is told to stop.
    pub pre_stop: Option<HookFile>,
}

/// `preStop`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct HookFile {
    /// Sleeps.
    pub sleep: Option<SleepFile>,
    /// Runs a command.
    pub exec: Option<ExecFile>,
    /// Asks a server for something.
    pub http_get: Option<serde::de::IgnoredAny>,
    /// Opens a connection; kept for old manifests.
    pub tcp_socket: Option<serde::de::IgnoredAny>,
}

/// What is known of a hook's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HookLength {
    Seconds(u64),
    /// It asks again and again whether there are requests.
    UntilIdle,
    Unknown,
}

/// `sleep`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SleepFile {
    /// How long.
    pub seconds: u64,
}

/// `exec`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ExecFile {
    /// The command.
    pub command: Vec<String>,
}

/// A problem below `spec.template.spec`: path and reason.
pub type PodProblem = (String, String);

impl ContainerFile {
    /// The request of a resource, or the limit that stands for it.
    fn request(&self, resource: &str) -> Option<Quantity> {
        self.resources.requests.get(resource).or_else(|| self.resources.limits.get(resource)).copied()
    }

    /// A container of which only the resources are known.
    pub(super) fn asking(name: String, resources: ResourcesFile) -> Self {
        Self { name, image: String::new(), resources, readiness_probe: None, lifecycle: None }
    }

    pub(super) fn resolve(&self) -> ContainerSpec {
        ContainerSpec {
            name: self.name.clone(),
            cpu: self.request("cpu").map(|cpu| Millicores(u64::try_from(cpu.0).unwrap_or(0))),
            memory: self.request("memory").map(|memory| Bytes(memory.units())),
            is_sidecar: false,
        }
    }

    /// Names of extended resources: those with a domain.
    fn extended(&self) -> impl Iterator<Item = &str> {
        self.resources
            .requests
            .keys()
            .chain(self.resources.limits.keys())
            .map(String::as_str)
            .filter(|key| key.contains('/'))
    }
}

impl HookFile {
    fn length(&self) -> HookLength {
        if let Some(sleep) = self.sleep {
            return HookLength::Seconds(sleep.seconds);
        }
        let Some(exec) = &self.exec else { return HookLength::Unknown };
        let command = exec.command.join(" ");
        let words: Vec<&str> =
            command.split([' ', ';', '&', '|', '\n', '\t', '(', ')']).filter(|word| !word.is_empty()).collect();
        let asks = ["num_requests_running", "nv_inference_pending", "num_running_reqs", "tgi_batch_current_size"];
        if words.iter().any(|word| ["while", "until"].contains(word))
            || asks.iter().any(|metric| command.contains(metric))
        {
            return HookLength::UntilIdle;
        }
        let seconds = |text: &str| match text.strip_suffix('m') {
            Some(minutes) => minutes.parse::<u64>().ok().map(|minutes| 60 * minutes),
            None => text.strip_suffix('s').unwrap_or(text).parse().ok(),
        };
        let is_sleep = |word: &str| word == "sleep" || word.ends_with("/sleep");
        let sleeps: Vec<u64> =
            words.windows(2).filter(|pair| is_sleep(pair[0])).filter_map(|pair| seconds(pair[1])).collect();
        if sleeps.is_empty() { HookLength::Unknown } else { HookLength::Seconds(sleeps.iter().sum()) }
    }
}

impl ContainerFile {
    fn hook(&self) -> Option<HookLength> {
        Some(self.lifecycle.as_ref()?.pre_stop.as_ref()?.length())
    }
}

impl DeploymentFile {
    /// Names of containers whose preStop hook is no mere sleep, and how it is read.
    pub fn unread_hooks(&self) -> Vec<(&str, &'static str)> {
        let reading = |hook| match hook {
            HookLength::Seconds(_) => None,
            HookLength::UntilIdle => {
                Some("it is taken to wait until the server has no requests, within the grace period")
            }
            HookLength::Unknown => {
                Some("it is taken to be over at once, since only `sleep` and waiting in a loop are understood")
            }
        };
        let containers = self.spec.template.spec.containers.iter();
        containers.filter_map(|container| Some((container.name.as_str(), reading(container.hook()?)?))).collect()
    }

    /// Whether a hook waits until the server has no requests.
    pub fn hook_waits(&self) -> bool {
        self.spec.template.spec.containers.iter().any(|container| container.hook() == Some(HookLength::UntilIdle))
    }
}

impl DeploymentFile {
    /// The pod as the model has it; `endpoint_delay` is the scenario's.
    pub fn pod(&self, endpoint_delay: SimDuration) -> Result<PodSpec, PodProblem> {
        let spec = &self.spec.template.spec;
        if spec.containers.is_empty() {
            return Err(("containers".to_owned(), "at least one container is needed".to_owned()));
        }
        for (index, container) in spec.containers.iter().enumerate() {
            let problem = super::amounts::problem(&container.resources.requests, &container.resources.limits);
            let at = |(below, reason)| (format!("containers[{index}].resources.{below}"), reason);
            problem.map_or(Ok(()), |found| Err(at(found)))?;
        }
        let (gpu_resource, gpus) = gpus(&spec.containers)?;
        let probe = spec.containers.iter().find_map(|container| container.readiness_probe.as_ref());
        Ok(PodSpec {
            gpus,
            gpu_resource,
            containers: spec.containers.iter().map(ContainerFile::resolve).collect(),
            grace: SimDuration::from_secs(spec.termination_grace_period_seconds.unwrap_or(30)),
            pre_stop: pre_stop(&spec.containers),
            // Without a probe a pod is ready as soon as its container runs; a millisecond is as good as at once.
            probe_period: probe
                .map_or(SimDuration::from_millis(1), |probe| SimDuration::from_secs(probe.period_seconds.max(1))),
            probe_initial_delay: SimDuration::from_secs(probe.map_or(0, |probe| probe.initial_delay_seconds)),
            endpoint_delay,
            drain_delay: None,
            stop: cluster::spec::StopRule::FINISH,
            spread: self.spread()?,
            node_selector: spec.node_selector.clone().into_iter().collect(),
            priority: spec.priority.unwrap_or(0),
            labels: self.spec.template.metadata.labels.clone().into_iter().collect(),
            image: spec.containers[0].image.clone(),
            group: None,
            probes: cluster::spec::Probes::default(),
            scheduling: cluster::spec::PodScheduling::default(),
        })
    }
}

impl DeploymentFile {
    /// What its pods would rather be spread over, as far as it is about themselves.
    fn spread(&self) -> Result<SoftSpread, PodProblem> {
        let TemplateFile { metadata, spec } = &self.spec.template;
        let mut keys = Vec::new();
        for preference in &spec.affinity.pod_anti_affinity.preferred_during_scheduling_ignored_during_execution {
            let TermFile { label_selector, topology_key } = &preference.pod_affinity_term;
            if preference.weight > 0 && label_selector.selects(&metadata.labels) {
                keys.push(topology_key.as_str());
            }
        }
        for (index, constraint) in spec.topology_spread_constraints.iter().enumerate() {
            let path = format!("topologySpreadConstraints[{index}]");
            // Hard constraints are read with what else the pod requires of where it runs.
            if constraint.when_unsatisfiable.as_deref() != Some("ScheduleAnyway") {
                continue;
            }
            if constraint.max_skew == 0 {
                return Err((format!("{path}.maxSkew"), "must be at least 1".to_owned()));
            }
            if constraint.label_selector.selects(&metadata.labels) {
                keys.push(constraint.topology_key.as_str());
            }
        }
        Ok(SoftSpread {
            nodes: keys.contains(&"kubernetes.io/hostname"),
            zones: keys.contains(&"topology.kubernetes.io/zone"),
        })
    }
}

/// The longest preStop sleep of the pod's containers: they run side by side.
fn pre_stop(containers: &[ContainerFile]) -> SimDuration {
    let sleeps = containers.iter().filter_map(|container| match container.hook()? {
        HookLength::Seconds(seconds) => Some(seconds),
        HookLength::UntilIdle | HookLength::Unknown => None,
    });
    SimDuration::from_secs(sleeps.max().unwrap_or(0))
}

/// Extended resources that are accelerators; others only bind where instance types state them.
pub fn is_accelerator(name: &str) -> bool {
    let is_named = matches!(
        name,
        "habana.ai/gaudi"
            | "aws.amazon.com/neuron"
            | "aws.amazon.com/neuroncore"
            | "aws.amazon.com/neurondevice"
            | "gpu.intel.com/xe"
            | "gpu.intel.com/i915"
    );
    is_named || name.starts_with("nvidia.com/mig-") || ["gpu", "tpu", "npu"].iter().any(|word| name.contains(word))
}

/// The one accelerator the containers ask for, and how many of it.
fn gpus(containers: &[ContainerFile]) -> Result<(String, u32), PodProblem> {
    let mut names: Vec<&str> = containers.iter().flat_map(ContainerFile::extended).collect();
    names.retain(|name| is_accelerator(name));
    names.sort_unstable();
    names.dedup();
    let [name] = names[..] else {
        return if names.is_empty() {
            Ok(("nvidia.com/gpu".to_owned(), 0))
        } else {
            Err(("containers".to_owned(), format!("asks for several kinds of accelerators: {}", names.join(", "))))
        };
    };
    let total: u64 = containers.iter().filter_map(|container| container.request(name)).map(Quantity::units).sum();
    let total = u32::try_from(total).map_err(|_| ("containers".to_owned(), format!("asks for {total} of {name}")))?;
    Ok((name.to_owned(), total))
}
