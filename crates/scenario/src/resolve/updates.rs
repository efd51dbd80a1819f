//! How a workload's own manifest says that old pods give way to new ones.

use units::SimDuration;

use crate::file::{PauseFile, PortionFile, ScaleFile, StepFile, StrategyFields, StrategyKind};
use crate::manifest::workload::Workload;
use crate::quantity::{Amount, Time};
use crate::tree::Node;

/// What a StatefulSet, Deployment or Rollout says of its updates; defaults of the scenario's `rollouts`.
#[derive(Clone, Debug)]
pub(super) struct UpdateDefaults {
    /// `strategy` or `updateStrategy`.
    pub strategy: Option<StrategyFields>,
    /// `minReadySeconds`.
    pub min_ready: SimDuration,
    /// `progressDeadlineSeconds`, 600 unless set.
    pub progress_deadline: SimDuration,
}

impl UpdateDefaults {
    /// As the manifest has it; what cannot be read there is the default of Kubernetes.
    pub(super) fn of(workload: Option<&Workload>) -> Self {
        let spec = workload.and_then(|workload| workload.document.node.get("spec"));
        let seconds =
            |key: &str, default| SimDuration::from_secs(spec.and_then(|spec| number(spec, key)).unwrap_or(default));
        let keys = ["strategy", "updateStrategy", "rolloutStrategy"];
        let strategy = spec.and_then(|spec| keys.iter().find_map(|key| spec.get(key)));
        Self {
            strategy: strategy.map(fields),
            min_ready: seconds("minReadySeconds", 0),
            progress_deadline: seconds("progressDeadlineSeconds", 600),
        }
    }
}

fn fields(strategy: &Node) -> StrategyFields {
    if let Some(canary) = strategy.get("canary") {
        return StrategyFields {
            kind: StrategyKind::Canary,
            max_surge: portion(canary, "maxSurge"),
            max_unavailable: portion(canary, "maxUnavailable"),
            steps: canary.get("steps").map(|steps| steps.items().iter().filter_map(step).collect()).unwrap_or_default(),
            traffic_routing: canary.get("trafficRouting").is_some(),
            ..StrategyFields::default()
        };
    }
    if let Some(switch) = strategy.get("blueGreen") {
        return StrategyFields {
            kind: StrategyKind::BlueGreen,
            preview_replica_count: number(switch, "previewReplicaCount").and_then(|count| u32::try_from(count).ok()),
            auto_promotion_enabled: switch.text_at(&["autoPromotionEnabled"]).map(|text| text == "true"),
            auto_promotion_seconds: number(switch, "autoPromotionSeconds"),
            scale_down_delay_seconds: number(switch, "scaleDownDelaySeconds"),
            ..StrategyFields::default()
        };
    }
    let kind = match strategy.text_at(&["type"]) {
        Some("Recreate") => StrategyKind::Recreate,
        Some("OnDelete") => StrategyKind::OnDelete,
        _ => StrategyKind::RollingUpdate,
    };
    // A LeaderWorkerSet has the latter, and a surge of 0 unless it says otherwise.
    let of_groups = strategy.get("rollingUpdateConfiguration");
    let rolling = strategy.get("rollingUpdate").or(of_groups);
    let surge = rolling.and_then(|rolling| portion(rolling, "maxSurge"));
    StrategyFields {
        kind,
        max_surge: surge
            .filter(|surge| of_groups.is_none() || !matches!(surge, PortionFile::Count(0) | PortionFile::Percent(0))),
        max_unavailable: rolling.and_then(|rolling| portion(rolling, "maxUnavailable")),
        partition: rolling.and_then(|rolling| number(rolling, "partition")).map_or(0, |count| count as u32),
        ..StrategyFields::default()
    }
}

/// A step of a canary; analyses and experiments pass at once.
fn step(node: &Node) -> Option<StepFile> {
    if let Some(weight) = number(node, "setWeight") {
        return Some(StepFile::SetWeight(u32::try_from(weight).ok()?));
    }
    if let Some(scale) = node.get("setCanaryScale") {
        let count = |key| number(scale, key).and_then(|count| u32::try_from(count).ok());
        let scale = ScaleFile { replicas: count("replicas"), weight: count("weight") };
        return (scale.replicas.is_some() != scale.weight.is_some()).then_some(StepFile::SetCanaryScale(scale));
    }
    let pause = node.get("pause")?;
    let length = |text: &str| text.parse().ok().map(Time).or_else(|| Time::parse(text));
    Some(StepFile::Pause(PauseFile { duration: pause.text_at(&["duration"]).and_then(length) }))
}

fn number(node: &Node, key: &str) -> Option<u64> {
    node.text_at(&[key])?.parse().ok()
}

fn portion(node: &Node, key: &str) -> Option<PortionFile> {
    PortionFile::parse(node.text_at(&[key])?)
}
