//! From objects to the phases each pod and node went through.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::objects::{Container, ContainerStatus, Event, Objects, Pod, Probe, became_true};
use super::pulls::Pulled;
use super::{Phase, Unused};
use crate::fit::Observation;

/// Kubernetes' period of probes that state none.
const PROBE_PERIOD_DEFAULT_S: f64 = 10.0;

/// What was measured and what was not.
#[derive(Default)]
pub struct Samples {
    /// Observations by phase.
    pub by_phase: BTreeMap<Phase, Vec<Observation>>,
    /// What could not be used.
    pub unused: Vec<Unused>,
    /// Pods whose image was on the node.
    pub images_present: usize,
    /// Seconds that pulls waited behind others of their node.
    pub pull_waits_s: Vec<f64>,
    /// (bytes, seconds) of pulls that state their size.
    pub pull_sizes: Vec<(u64, f64)>,
}

impl Samples {
    /// Takes a length in, unless it ends more than a second, the resolution of these clocks, before it begins.
    fn add(&mut self, object: &str, phase: Phase, observation: Observation) {
        let (Observation::Exact(length)
        | Observation::Rounded(length)
        | Observation::Probed { length, .. }
        | Observation::LongerThan(length)) = observation;
        if length < -1.0 {
            return self.leave(object, phase, "ends before it begins: the clocks that tell of it differ");
        }
        let observation = match observation {
            Observation::LongerThan(length) => Observation::LongerThan(length.max(0.0)),
            _ if length < 0.0 => Observation::Rounded(0.0),
            other => other,
        };
        self.by_phase.entry(phase).or_default().push(observation);
    }

    fn leave(&mut self, object: &str, phase: Phase, reason: &str) {
        self.unused.push(Unused { object: object.to_owned(), phase: Some(phase), reason: reason.to_owned() });
    }

    fn leave_whole(&mut self, object: &str, reason: &str) {
        self.unused.push(Unused { object: object.to_owned(), phase: None, reason: reason.to_owned() });
    }
}

/// Whole seconds between two instants as clocks that show whole seconds tell them.
fn between(from: Timestamp, to: Timestamp) -> f64 {
    (to.as_second() - from.as_second()) as f64
}

/// Collects every phase of every pod that has a GPU (of every pod, if none has), and of the nodes that were started for them.
pub fn collect(objects: &Objects) -> Samples {
    let mut samples = Samples::default();
    let mut events: BTreeMap<(&str, &str), Vec<&Event>> = BTreeMap::new();
    for event in &objects.events {
        events
            .entry((event.involved_object.kind.as_str(), event.involved_object.name.as_str()))
            .or_default()
            .push(event);
    }
    let any_gpu = objects.pods.iter().any(|pod| pod.gpu_container().is_some());
    let mut claims = BTreeSet::new();
    for pod in &objects.pods {
        let name = pod.full_name();
        let of_pod: Vec<&Event> = events
            .get(&("Pod", pod.metadata.name.as_str()))
            .into_iter()
            .flatten()
            .filter(|event| {
                event.involved_object.namespace.as_ref().is_none_or(|namespace| *namespace == pod.metadata.namespace)
            })
            .copied()
            .collect();
        if let Some(reason) = whole_pod_unusable(pod, any_gpu) {
            samples.leave_whole(&name, reason);
            continue;
        }
        let timeline =
            Timeline { pod, name: &name, events: &of_pod, now: objects.latest.unwrap_or(Timestamp::UNIX_EPOCH) };
        timeline.provision(&mut samples);
        timeline.pull(&mut samples);
        timeline.download(&mut samples);
        timeline.load(&mut samples);
        if let Some((claim, nominated)) = timeline.claim()
            && claims.insert(claim.to_owned())
        {
            let of_claim = events.get(&("NodeClaim", claim)).map_or(&[][..], Vec::as_slice);
            node(objects, &events, (claim, nominated, of_claim), &pod.spec.node_name, &mut samples);
        }
    }
    samples
}

fn whole_pod_unusable(pod: &Pod, any_gpu: bool) -> Option<&'static str> {
    if any_gpu && pod.gpu_container().is_none() {
        return Some("has no GPU, while others have");
    }
    match pod.status.phase.as_str() {
        "Failed" | "Succeeded" => Some("has ended"),
        _ if pod.metadata.deletion_timestamp.is_some() => Some("is being deleted"),
        _ => None,
    }
}

/// The first event of a reason.
fn first<'a>(events: &[&'a Event], reason: &str) -> Option<(&'a Event, Timestamp)> {
    events
        .iter()
        .filter(|event| event.reason == reason)
        .filter_map(|event| Some((*event, event.at()?)))
        .min_by_key(|(_, at)| *at)
}

/// One pod and what happened to it.
struct Timeline<'a> {
    pod: &'a Pod,
    name: &'a str,
    events: &'a [&'a Event],
    now: Timestamp,
}

impl<'a> Timeline<'a> {
    /// Created to scheduled, for pods that had to wait for a node.
    fn provision(&self, samples: &mut Samples) {
        let Some(created) = self.pod.metadata.creation_timestamp else {
            return samples.leave(self.name, Phase::Provision, "has no creation time");
        };
        let waited_for_node = ["FailedScheduling", "Nominated", "TriggeredScaleUp"]
            .iter()
            .any(|reason| first(self.events, reason).is_some());
        match self.pod.since("PodScheduled") {
            Some(scheduled) if waited_for_node => {
                samples.add(self.name, Phase::Provision, Observation::Rounded(between(created, scheduled)));
            }
            // Scheduled within seconds on a node that was there; a wait without events may have been one for a node or not.
            Some(scheduled) if between(created, scheduled) > 5.0 => {
                let reason = "waited, but no event says what for (events are kept for an hour)";
                samples.leave(self.name, Phase::Provision, reason);
            }
            Some(_) => {}
            None => samples.add(self.name, Phase::Provision, Observation::LongerThan(between(created, self.now))),
        }
    }

    /// Image pulls of all containers, one after the other.
    fn pull(&self, samples: &mut Samples) {
        let pulled: Vec<Pulled> = self
            .events
            .iter()
            .filter(|event| event.reason == "Pulled")
            .map(|event| Pulled::read(&event.message))
            .collect();
        let pulling = first(self.events, "Pulling");
        let (mut total, mut size, mut waited) = (0.0, Some(0), 0.0);
        for one in &pulled {
            if let Pulled::Timed { seconds, waited: wait, bytes } = one {
                total += seconds;
                waited += wait;
                size = size.zip(*bytes).map(|(sum, bytes)| sum + bytes);
            }
        }
        match (pulling, first(self.events, "Pulled")) {
            _ if total > 0.0 => {
                samples.add(self.name, Phase::ImagePull, Observation::Exact(total));
                samples.pull_waits_s.push(waited);
                samples.pull_sizes.extend(size.filter(|bytes| *bytes > 0).map(|bytes| (bytes, total)));
            }
            (Some((_, from)), Some((_, to))) if pulled.contains(&Pulled::Untimed) => {
                samples.add(self.name, Phase::ImagePull, Observation::Rounded(between(from, to)));
            }
            (_, Some(_)) if pulled.contains(&Pulled::Present) => samples.images_present += 1,
            (Some((_, from)), None) if self.started().is_none() => {
                samples.add(self.name, Phase::ImagePull, Observation::LongerThan(between(from, self.now)));
            }
            _ if self.pod.since("PodScheduled").is_none() => {}
            _ => samples.leave(self.name, Phase::ImagePull, "has no Pulled event (events are kept for an hour)"),
        }
    }

    /// Init containers, which is where models are commonly fetched.
    fn download(&self, samples: &mut Samples) {
        let spans: Option<Vec<f64>> = self
            .pod
            .status
            .init_container_statuses
            .iter()
            .map(|status| {
                let span = status.state.terminated.as_ref()?;
                (status.restart_count == 0).then_some(between(span.started_at?, span.finished_at?))
            })
            .collect();
        match spans {
            Some(spans) if spans.is_empty() => {}
            Some(spans) => samples.add(self.name, Phase::ModelDownload, Observation::Rounded(spans.into_iter().sum())),
            None => {
                samples.leave(self.name, Phase::ModelDownload, "has init containers that restarted or have not ended");
            }
        }
    }

    /// Process start to ready: loading the weights and warming up, as seen by probes.
    fn load(&self, samples: &mut Samples) {
        let Some(container) = self.container() else {
            return samples.leave(self.name, Phase::Load, "has no containers");
        };
        let Some(status) = self.status(container) else { return };
        if status.restart_count > 0 {
            let reason = "its container restarted: the first start, the one that was cold, is no longer recorded";
            return samples.leave(self.name, Phase::Load, reason);
        }
        let Some(started) = self.started() else { return };
        let governing = container.startup_probe.as_ref().or(container.readiness_probe.as_ref());
        let Some(probe) = governing else {
            let reason =
                "has neither startup nor readiness probe: it is ready when its process starts, whatever it still loads";
            return samples.leave(self.name, Phase::Load, reason);
        };
        let observation = match self.pod.since("Ready") {
            None => Observation::LongerThan(between(started, self.now)),
            Some(ready) if ready < started => {
                return samples.leave(self.name, Phase::Load, "was ready before its container started");
            }
            Some(ready) => probed(between(started, ready), probe),
        };
        samples.add(self.name, Phase::Load, observation);
    }

    fn container(&self) -> Option<&'a Container> {
        self.pod.gpu_container().or(self.pod.spec.containers.first())
    }

    fn status(&self, container: &Container) -> Option<&'a ContainerStatus> {
        self.pod.status.container_statuses.iter().find(|status| status.name == container.name)
    }

    fn started(&self) -> Option<Timestamp> {
        self.status(self.container()?)?.state.running.as_ref()?.started_at
    }

    /// The NodeClaim that Karpenter started for this pod, and when it was nominated.
    fn claim(&self) -> Option<(&'a str, Timestamp)> {
        let (event, at) = first(self.events, "Nominated")?;
        let (_, after) = event.message.split_once("nodeclaim/")?;
        Some((after.split([',', ' ', '"']).next()?, at))
    }
}

/// A time from start to ready as its probe saw it: all but the last of the successes that make it ready came after the end.
fn probed(length: f64, probe: &Probe) -> Observation {
    let period = probe.period_seconds.filter(|period| *period > 0.0).unwrap_or(PROBE_PERIOD_DEFAULT_S);
    let repeats = (probe.success_threshold.unwrap_or(1.0) - 1.0).max(0.0);
    Observation::Probed { length: (length - repeats * period).max(0.0), period }
}

/// Phases of a node, from Karpenter's and kubelet's events.
fn node(
    objects: &Objects,
    events: &BTreeMap<(&str, &str), Vec<&Event>>,
    (claim, nominated, of_claim): (&str, Timestamp, &[&Event]),
    node_name: &str,
    samples: &mut Samples,
) {
    let at = |reason: &str| first(of_claim, reason).map(|(_, at)| at);
    let name = format!("nodeclaim/{claim}");
    let Some(launched) = at("Launched") else {
        return samples.leave(&name, Phase::NodeLaunch, "has no Launched event (events are kept for an hour)");
    };
    samples.add(&name, Phase::NodeLaunch, Observation::Rounded(between(nominated, launched)));
    let of_node = events.get(&("Node", node_name)).map_or(&[][..], Vec::as_slice);
    let ready = first(of_node, "NodeReady").map(|(_, at)| at).or_else(|| {
        let node = objects.nodes.iter().find(|node| node.metadata.name == node_name)?;
        became_true(&node.status.conditions, "Ready")
    });
    let Some(ready) = ready else {
        return samples.leave(&name, Phase::NodeBoot, "its node is not, or no longer, there");
    };
    samples.add(&name, Phase::NodeBoot, Observation::Rounded(between(launched, ready)));
    match at("Initialized") {
        Some(initialized) => {
            samples.add(&name, Phase::DevicePlugin, Observation::Rounded(between(ready, initialized)));
        }
        None => samples.leave(&name, Phase::DevicePlugin, "has no Initialized event"),
    }
}
