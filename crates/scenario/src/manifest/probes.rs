//! The probes of a pod's server, and whether what it downloads outlives its container.

use cluster::spec::{Probe, Probes};
use serde::Deserialize;
use units::SimDuration;

use crate::error::ScenarioError;
use crate::tree::Node;

/// A probe with the API's defaults; how it asks does not matter here.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct ProbeFile {
    initial_delay_seconds: Option<u64>,
    period_seconds: Option<u64>,
    timeout_seconds: Option<u64>,
    failure_threshold: Option<u32>,
    success_threshold: Option<u32>,
    termination_grace_period_seconds: Option<u64>,
    http_get: Option<serde::de::IgnoredAny>,
    tcp_socket: Option<serde::de::IgnoredAny>,
    grpc: Option<serde::de::IgnoredAny>,
    exec: Option<serde::de::IgnoredAny>,
}

/// What the probes of a template say.
#[derive(Clone, Debug, Default)]
pub struct ReadProbes {
    /// For the model.
    pub probes: Probes,
    /// Whether the server has a readiness probe.
    pub has_readiness: bool,
    /// In words, what was concluded from volumes and init containers.
    pub notes: Vec<String>,
}

/// Words in an init container that say that it fetches weights.
const FETCHERS: [&str; 11] = [
    "storage-initializer",
    "huggingface-cli",
    "hf download",
    "snapshot_download",
    "s3 cp",
    "s3 sync",
    "gsutil",
    "gcloud storage",
    "azcopy",
    "s5cmd",
    "rclone",
];

/// Where servers keep weights unless told otherwise.
const WEIGHT_FOLDERS: [&str; 7] = [
    "/root/.cache/huggingface",
    "/models",
    "/data",
    "/mnt/models",
    "/model-repository",
    "/opt/nim/.cache",
    "/root/.ollama",
];

/// Variables that name the folder of weights.
const WEIGHT_VARIABLES: [&str; 7] = [
    "HF_HOME",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "TRANSFORMERS_CACHE",
    "NIM_CACHE_PATH",
    "OLLAMA_MODELS",
    "MODEL_PATH",
];

impl ReadProbes {
    /// Reads the probes of the container that asks for `accelerator`, or of the first with any probe, or of the first.
    pub fn read(template: &Node, accelerator: &str) -> Result<Self, ScenarioError> {
        let Some(spec) = template.get("spec") else { return Ok(Self::default()) };
        let containers = spec.get("containers").map_or(&[][..], Node::items);
        let asks = |container: &&Node| {
            let has = |part: &str| container.at(&["resources", part, accelerator]).is_some();
            has("limits") || has("requests")
        };
        let is_probed = |container: &&Node| {
            ["startupProbe", "livenessProbe", "readinessProbe"].iter().any(|probe| container.get(probe).is_some())
        };
        let server = containers.iter().find(asks).or_else(|| containers.iter().find(is_probed)).or(containers.first());
        let Some(server) = server else { return Ok(Self::default()) };
        let mut read = Self { has_readiness: server.get("readinessProbe").is_some(), ..Self::default() };
        read.probes.startup = probe(server, "startupProbe")?;
        read.probes.liveness = probe(server, "livenessProbe")?;
        if let Some(node) = server.get("readinessProbe") {
            let file = node.read::<ProbeFile>("spec.template.spec.containers[].readinessProbe")?;
            read.probes.more_successes = file.success_threshold.unwrap_or(1).saturating_sub(1);
        }
        read.notes.extend(unnamed_ports(server));
        read.probes.downloads_first = spec.get("initContainers").map_or(&[][..], Node::items).iter().any(fetches);
        if let Some(volume) = volume_of_weights(spec, server) {
            read.probes.keeps_download = true;
            if read.probes.killer().is_some() {
                read.notes.push(format!("a restarted container finds what it had downloaded on the volume `{volume}`"));
            }
        }
        if read.probes.downloads_first && read.probes.killer().is_some() {
            read.notes.push("an init container fetches the weights, outside the windows of the probes".to_owned());
        }
        Ok(read)
    }
}

/// Probes of a port by a name that the container does not give to any: the kubelet finds none, and every probe fails.
fn unnamed_ports(server: &Node) -> Vec<String> {
    let ports = server.get("ports").map_or(&[][..], Node::items);
    let named: Vec<&str> = ports.iter().filter_map(|port| port.get("name")?.text()).collect();
    let probes = [
        ("startupProbe", "its container is killed again and again"),
        ("livenessProbe", "its container is killed again and again"),
        ("readinessProbe", "such a pod never gets a request"),
    ];
    let slip = |(key, fate): (&str, &str)| {
        let probe = server.get(key)?;
        let port = ["httpGet", "tcpSocket"].iter().find_map(|how| probe.at(&[how, "port"]))?;
        let name = port.text().filter(|name| name.parse::<u16>().is_err() && !named.contains(name))?;
        let near = names::nearest(name, named.iter().copied());
        let near = near.map_or(String::new(), |near| format!(" (did you mean `{near}`?)"));
        Some(format!(
            "{}: {key}: the container has no port `{name}`{near}: in a cluster {fate}; the model takes it to answer",
            port.place
        ))
    };
    probes.into_iter().filter_map(slip).collect()
}

fn probe(server: &Node, key: &str) -> Result<Option<Probe>, ScenarioError> {
    let Some(node) = server.get(key) else { return Ok(None) };
    let path = format!("spec.template.spec.containers[].{key}");
    let file = node.read::<ProbeFile>(&path)?;
    let wrong = |field: &str, reason: &str| ScenarioError::Inconsistent {
        at: node.locate(format!("{path}.{field}")),
        reason: reason.to_owned(),
    };
    if file.success_threshold.is_some_and(|threshold| threshold != 1) {
        return Err(wrong("successThreshold", "must be 1 for a startup or liveness probe"));
    }
    let period = file.period_seconds.filter(|period| *period > 0).unwrap_or(10);
    Ok(Some(Probe {
        initial_delay: SimDuration::from_secs(file.initial_delay_seconds.unwrap_or(0)),
        period: SimDuration::from_secs(period),
        failures: file.failure_threshold.filter(|failures| *failures > 0).unwrap_or(3),
        grace: file.termination_grace_period_seconds.map(SimDuration::from_secs),
    }))
}

/// Whether an init container's image, command or arguments say that it fetches weights.
fn fetches(container: &Node) -> bool {
    let words = ["command", "args"].iter().flat_map(|key| container.get(key).map_or(&[][..], Node::items));
    let mut text: Vec<&str> = words.filter_map(Node::text).collect();
    text.extend(container.get("image").and_then(Node::text));
    let text = text.join(" ");
    FETCHERS.iter().any(|word| text.contains(word))
}

/// The volume that holds the weights, if it outlives a container: mounted at or above a folder they are in.
fn volume_of_weights<'a>(spec: &'a Node, server: &'a Node) -> Option<&'a str> {
    let variables = server.get("env").map_or(&[][..], Node::items).iter().filter_map(|entry| {
        let name = entry.get("name").and_then(Node::text)?;
        WEIGHT_VARIABLES.contains(&name).then(|| entry.get("value").and_then(Node::text)).flatten()
    });
    let words: Vec<&str> = ["command", "args"]
        .iter()
        .flat_map(|key| server.get(key).map_or(&[][..], Node::items))
        .filter_map(Node::text)
        .collect();
    let stated = words.iter().enumerate().filter_map(|(index, word)| {
        let (flag, value) = word.split_once('=').map_or((*word, None), |(flag, value)| (flag, Some(value)));
        let is_path =
            matches!(flag, "--model" | "--model-path" | "--download-dir" | "--model-repository" | "--model-store");
        if is_path { value.or_else(|| words.get(index + 1).copied()) } else { None }
    });
    let folders: Vec<&str> =
        variables.chain(stated).filter(|path| path.starts_with('/')).chain(WEIGHT_FOLDERS).collect();
    let mounts = server.get("volumeMounts").map_or(&[][..], Node::items);
    mounts.iter().find_map(|mount| {
        let (name, path) = (mount.get("name").and_then(Node::text)?, mount.get("mountPath").and_then(Node::text)?);
        let holds = folders.iter().any(|folder| is_within(folder, path));
        let volumes = spec.get("volumes").map_or(&[][..], Node::items);
        let claims_template = volumes.iter().all(|volume| volume.get("name").and_then(Node::text) != Some(name));
        let lasts = claims_template
            || volumes.iter().any(|volume| {
                volume.get("name").and_then(Node::text) == Some(name)
                    && ["emptyDir", "hostPath", "persistentVolumeClaim", "ephemeral"]
                        .iter()
                        .any(|kind| volume.get(kind).is_some())
                    && volume.at(&["emptyDir", "medium"]).and_then(Node::text) != Some("Memory")
            });
        (holds && lasts).then_some(name)
    })
}

/// Whether `folder` is `mount` or lies below it.
fn is_within(folder: &str, mount: &str) -> bool {
    let mount = mount.trim_end_matches('/');
    folder.strip_prefix(mount).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse_documents;

    #[test]
    fn a_probe_of_a_port_that_has_another_name_is_told() {
        let read = |ports: &str| {
            let container =
                format!("{{name: a, ports: {ports}, readinessProbe: {{httpGet: {{path: /health, port: htp}}}}}}");
            let template = format!("{{spec: {{containers: [{container}]}}}}");
            let node = parse_documents("a.yaml", &template).expect("YAML").remove(0);
            ReadProbes::read(&node, "nvidia.com/gpu").expect("probes").notes.join("\n")
        };
        assert_eq!(read("[{name: htp, containerPort: 8000}]"), "");
        let told = read("[{name: http, containerPort: 8000}]");
        assert!(told.contains("readinessProbe: the container has no port `htp` (did you mean `http`?): in a cluster such a pod never gets a request"), "{told}");
    }
}
