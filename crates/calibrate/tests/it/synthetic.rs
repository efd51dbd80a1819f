//! Kubernetes objects made from known distributions, with everything that blurs real ones: clocks of whole seconds, probes that come in
//! periods, pods that are not ready yet.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use workload::{Distribution, Purpose, Stream};

/// A cluster whose cold starts are known.
pub struct Cluster {
    /// Pods.
    pub pods: usize,
    /// Pod created to scheduled.
    pub provision: Distribution,
    /// Image pull.
    pub pull: Distribution,
    /// Process start to ready.
    pub load: Distribution,
    /// Period of the startup probe in seconds.
    pub probe_period_s: f64,
    /// When the snapshot is taken, in seconds after the start; pods are created one second apart on average.
    pub snapshot_s: f64,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            pods: 1_000,
            provision: Distribution::Weibull { shape: 2.5, scale: 110.0 },
            pull: Distribution::Gamma { mean: 48.0, cv: 0.35 },
            load: Distribution::LogNormal { p50: 41.0, p90: 66.0 },
            probe_period_s: 5.0,
            snapshot_s: 1e6,
        }
    }
}

/// One instant of the snapshot, cut to its second as the API shows it; `None` if it is still to come.
struct Clock {
    snapshot_s: f64,
}

impl Clock {
    fn show(&self, seconds: f64) -> Option<String> {
        let start: Timestamp = "2026-08-10T09:00:00Z".parse().unwrap();
        (seconds <= self.snapshot_s).then(|| (start + SignedDuration::from_secs(seconds.floor() as i64)).to_string())
    }
}

impl Cluster {
    /// The objects as `kubectl get pods,events -o json` would print them at the time of the snapshot.
    pub fn json(&self, seed: u64) -> String {
        let mut stream = Stream::new(seed, Purpose::ColdStart, 0);
        let clock = Clock { snapshot_s: self.snapshot_s };
        let mut items = vec![json!({"kind": "Node", "metadata": {"name": "n", "creationTimestamp": clock.show(0.0)}})];
        if self.snapshot_s < 1e6 {
            // Something that happened at the very time of the snapshot, which is how it is known.
            items.push(json!({"kind": "Event", "metadata": {"name": "last"}, "reason": "Any", "eventTime": clock.show(self.snapshot_s)}));
        }
        for index in 0..self.pods {
            let created = index as f64 + stream.uniform();
            let scheduled = created + self.provision.sample(&mut stream);
            let pulling = scheduled + 1.0;
            let pull = (self.pull.sample(&mut stream) * 1e3).round() / 1e3;
            let started = pulling + pull + 0.3;
            let probes = (self.load.sample(&mut stream) / self.probe_period_s).ceil();
            let ready = started + probes * self.probe_period_s;
            let name = format!("pod-{index}");
            if created > self.snapshot_s {
                break;
            }
            items.push(pod(&name, &clock, [created, scheduled, started, ready], self.probe_period_s));
            let message = format!(
                "Successfully pulled image \"i\" in {pull}s ({pull}s including waiting). Image size: 9000000000 bytes."
            );
            for (at, reason, message) in [
                (created, "FailedScheduling", "0/9 nodes are available"),
                (pulling, "Pulling", "Pulling image \"i\""),
                (pulling + pull, "Pulled", message.as_str()),
            ] {
                items.extend(clock.show(at).map(|at| event(&name, reason, message, &at)));
            }
        }
        json!({"kind": "List", "items": items}).to_string()
    }
}

/// A pod with its conditions as far as they have come true.
fn pod(name: &str, clock: &Clock, [created, scheduled, started, ready]: [f64; 4], period: f64) -> Value {
    let conditions: Vec<Value> = [("PodScheduled", scheduled), ("Ready", ready)]
        .into_iter()
        .map(|(kind, at)| match clock.show(at) {
            Some(at) => json!({"type": kind, "status": "True", "lastTransitionTime": at}),
            None => json!({"type": kind, "status": "False", "lastTransitionTime": clock.show(created)}),
        })
        .collect();
    let state = clock.show(started).map_or_else(|| json!({"waiting": {}}), |at| json!({"running": {"startedAt": at}}));
    json!({
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "inference", "creationTimestamp": clock.show(created)},
        "spec": {
            "nodeName": "n",
            "containers": [{
                "name": "vllm",
                "resources": {"limits": {"nvidia.com/gpu": "1"}},
                "startupProbe": {"periodSeconds": period, "failureThreshold": 600},
            }],
        },
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": [{"name": "vllm", "restartCount": 0, "state": state}]},
    })
}

/// An event of the old kind about a pod.
pub fn event(pod: &str, reason: &str, message: &str, at: &str) -> Value {
    json!({
        "kind": "Event",
        "metadata": {"name": format!("{pod}.{reason}"), "namespace": "inference"},
        "involvedObject": {"kind": "Pod", "name": pod, "namespace": "inference"},
        "reason": reason,
        "message": message,
        "firstTimestamp": at,
    })
}
