//! The vectors as written, and what the controller is shown of them.

use std::collections::BTreeMap;

use policy::hpa::events::ScaleEvent;
use policy::hpa::group::PodMetric;
use policy::hpa::stabilize::LoggedRecommendation;
use policy::hpa::{
    Behavior, ContainerRequests, Moment, PodRequests, PolicyKind, RequestTable, Rules, ScalingPolicyRule, SelectPolicy,
};
use policy::{ContainerUsage, PodPhase, PodSample, PodUsage, PodView, Ready};
use serde::Deserialize;
use units::{PodId, SimDuration, SimTime};

/// The instant all cases are evaluated at. Most of what they speak of is older than the run then.
pub const NOW: SimTime = SimTime::from_secs(1_000);

/// The instant so many seconds before [`NOW`].
pub fn ago(seconds: i64) -> Moment {
    Moment::from_nanos(Moment::from(NOW).as_nanos() - seconds * 1_000_000_000)
}

pub fn seconds(count: u64) -> SimDuration {
    SimDuration::from_secs(count)
}

/// Pod names and the ids that stand for them.
#[derive(Default)]
pub struct Names(Vec<String>);

impl Names {
    pub fn id(&mut self, name: &str) -> PodId {
        let at = self.0.iter().position(|known| known == name).unwrap_or_else(|| {
            self.0.push(name.to_owned());
            self.0.len() - 1
        });
        PodId(u32::try_from(at).unwrap())
    }

    pub fn name(&self, id: PodId) -> &str {
        &self.0[id.index()]
    }
}

#[derive(Deserialize)]
pub struct Container {
    pub name: String,
    pub request_m: Option<i64>,
}

#[derive(Deserialize)]
pub struct InitContainer {
    #[serde(default)]
    pub name: String,
    pub request_m: Option<i64>,
    pub restart_policy_always: bool,
}

#[derive(Deserialize)]
pub struct Pod {
    pub name: String,
    pub phase: Option<String>,
    #[serde(default)]
    pub deleted: bool,
    pub ready: Option<String>,
    pub start_s_ago: Option<i64>,
    pub ready_transition_s_ago: Option<i64>,
    #[serde(default)]
    pub containers: Vec<Container>,
    #[serde(rename = "pod_level_request_m")]
    pub whole_request_m: Option<i64>,
    #[serde(default)]
    pub init_containers: Vec<InitContainer>,
}

impl Pod {
    pub fn view(&self, names: &mut Names) -> PodView {
        PodView {
            pod: names.id(&self.name),
            phase: match self.phase.as_deref() {
                None | Some("Running") => PodPhase::Running,
                Some("Pending") => PodPhase::Pending,
                Some("Succeeded") => PodPhase::Succeeded,
                Some("Failed") => PodPhase::Failed,
                Some(other) => panic!("unknown phase {other}"),
            },
            deleted: self.deleted,
            ready: match self.ready.as_deref() {
                None => Ready::Absent,
                Some("True") => Ready::True,
                Some("False") => Ready::False,
                Some("Unknown") => Ready::Unknown,
                Some(other) => panic!("unknown readiness {other}"),
            },
            started_ns: self.start_s_ago.map(|s| ago(s).as_nanos()),
            ready_transition_ns: ago(self.ready_transition_s_ago.unwrap_or(0)).as_nanos(),
        }
    }

    /// The requests of the pod, the same numbers for each of `resources`.
    fn requests(&self, resources: &[&str]) -> PodRequests {
        let of = |request: Option<i64>| -> BTreeMap<String, i64> {
            request.iter().flat_map(|m| resources.iter().map(|resource| ((*resource).to_owned(), *m))).collect()
        };
        let plain = self.containers.iter().map(|container| (&container.name, container.request_m));
        let sidecars = self.init_containers.iter().filter(|container| container.restart_policy_always);
        let all = plain.chain(sidecars.map(|container| (&container.name, container.request_m)));
        PodRequests {
            pod_level: of(self.whole_request_m),
            containers: all
                .map(|(name, request)| ContainerRequests { name: name.clone(), requests: of(request) })
                .collect(),
        }
    }
}

pub fn views(pods: &[Pod], names: &mut Names) -> Vec<PodView> {
    pods.iter().map(|pod| pod.view(names)).collect()
}

pub fn request_table(pods: &[Pod], resources: &[&str], names: &mut Names) -> RequestTable {
    let exceptions = pods.iter().map(|pod| (names.id(&pod.name), pod.requests(resources))).collect();
    RequestTable { template: PodRequests::default(), exceptions }
}

#[derive(Deserialize)]
pub struct ContainerMetric {
    pub name: String,
    pub usage_m: Option<i64>,
}

#[derive(Deserialize)]
pub struct ResourceMetric {
    pub pod: String,
    pub timestamp_s_ago: i64,
    pub window_s: u64,
    pub containers: Vec<ContainerMetric>,
}

impl ResourceMetric {
    pub fn usage(&self, names: &mut Names) -> PodUsage {
        let usage = |container: &ContainerMetric| {
            Some(ContainerUsage { name: container.name.clone(), usage_m: container.usage_m? })
        };
        PodUsage {
            pod: names.id(&self.pod),
            containers: self.containers.iter().filter_map(usage).collect(),
            containers_listed: self.containers.len(),
            timestamp_ns: ago(self.timestamp_s_ago).as_nanos(),
            window: seconds(self.window_s),
        }
    }
}

#[derive(Deserialize)]
pub struct PodValue {
    pub pod: String,
    pub value_m: i64,
    pub timestamp_s_ago: i64,
    pub window_s: u64,
}

impl PodValue {
    pub fn sample(&self, names: &mut Names) -> PodSample {
        let timestamp_ns = ago(self.timestamp_s_ago).as_nanos();
        PodSample { pod: names.id(&self.pod), value_m: self.value_m, timestamp_ns }
    }

    pub fn metric(&self, names: &mut Names) -> (PodId, PodMetric) {
        let metric = PodMetric { value_m: self.value_m, at: ago(self.timestamp_s_ago), window: seconds(self.window_s) };
        (names.id(&self.pod), metric)
    }
}

#[derive(Deserialize)]
pub struct PolicyText {
    #[serde(rename = "type")]
    pub kind: String,
    pub value: u32,
    pub period_s: u64,
}

#[derive(Deserialize)]
pub struct RulesText {
    pub policies: Option<Vec<PolicyText>>,
    pub select_policy: Option<String>,
    pub stabilization_window_s: Option<u64>,
    pub tolerance: Option<f64>,
}

impl RulesText {
    pub fn rules(&self) -> Rules {
        let rule = |text: &PolicyText| ScalingPolicyRule {
            kind: match &*text.kind {
                "Pods" => PolicyKind::Pods,
                "Percent" => PolicyKind::Percent,
                other => panic!("unknown policy type {other}"),
            },
            value: text.value,
            period: seconds(text.period_s),
        };
        Rules {
            policies: self.policies.as_ref().map(|list| list.iter().map(rule).collect()),
            select_policy: self.select_policy.as_deref().map(|text| match text {
                "Max" => SelectPolicy::Max,
                "Min" => SelectPolicy::Min,
                "Disabled" => SelectPolicy::Disabled,
                other => panic!("unknown selectPolicy {other}"),
            }),
            stabilization_window: self.stabilization_window_s.map(seconds),
            tolerance: self.tolerance,
        }
    }
}

#[derive(Deserialize)]
pub struct BehaviorText {
    pub scale_up: Option<RulesText>,
    pub scale_down: Option<RulesText>,
}

impl BehaviorText {
    pub fn behavior(&self) -> Behavior {
        Behavior {
            scale_up: self.scale_up.as_ref().map(RulesText::rules),
            scale_down: self.scale_down.as_ref().map(RulesText::rules),
        }
    }
}

#[derive(Deserialize)]
pub struct Recommended {
    pub value: i32,
    pub s_ago: i64,
}

pub fn recommendations(list: &[Recommended]) -> Vec<LoggedRecommendation> {
    list.iter().map(|entry| LoggedRecommendation { replicas: entry.value, at: ago(entry.s_ago) }).collect()
}

#[derive(Deserialize)]
pub struct Event {
    pub change: i32,
    pub s_ago: i64,
    #[serde(default)]
    pub outdated: bool,
}

pub fn events(list: &[Event]) -> Vec<ScaleEvent> {
    list.iter()
        .map(|event| ScaleEvent { change: event.change, at: ago(event.s_ago), is_outdated: event.outdated })
        .collect()
}
