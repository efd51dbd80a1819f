//! How a workload's own manifest says that old pods give way to new ones.

use std::str::FromStr;

use units::SimDuration;

use crate::error::ScenarioError;
use crate::file::{PauseFile, PortionFile, ScaleFile, StepFile, StrategyFields, StrategyKind};
use crate::manifest::workload::Workload;
use crate::quantity::{Amount, Time};
use crate::tree::Node;

type Checked<T> = Result<T, ScenarioError>;

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
    /// As the manifest has it; what it leaves out is the default of Kubernetes.
    pub(super) fn of(workload: Option<&Workload>) -> Checked<Self> {
        let spec = workload.and_then(|workload| workload.document.node.get("spec"));
        let spec = spec.map(|node| Fields { node, path: "spec".to_owned() });
        let seconds = |key: &str, default| {
            let found = spec.as_ref().map(|spec| spec.number(key)).transpose()?.flatten();
            Ok::<_, ScenarioError>(SimDuration::from_secs(found.unwrap_or(default)))
        };
        let keys = ["strategy", "updateStrategy", "rolloutStrategy"];
        let strategy = spec.as_ref().and_then(|spec| keys.iter().find_map(|key| spec.below(key)));
        Ok(Self {
            strategy: strategy.map(|strategy| fields(&strategy)).transpose()?,
            min_ready: seconds("minReadySeconds", 0)?,
            progress_deadline: seconds("progressDeadlineSeconds", 600)?,
        })
    }
}

/// A mapping of a manifest, and the path to it.
struct Fields<'a> {
    node: &'a Node,
    path: String,
}

impl<'a> Fields<'a> {
    fn below(&self, key: &str) -> Option<Fields<'a>> {
        self.node.get(key).map(|node| Fields { node, path: format!("{}.{key}", self.path) })
    }

    fn read<T>(&self, key: &str, expected: &str, read: impl Fn(&str) -> Option<T>) -> Checked<Option<T>> {
        let Some(text) = self.node.text_at(&[key]) else { return Ok(None) };
        read(text).map(Some).ok_or_else(|| ScenarioError::WrongValue {
            at: self.node.get(key).unwrap_or(self.node).locate(format!("{}.{key}", self.path)),
            found: format!("text `{text}`"),
            expected: expected.to_owned(),
        })
    }

    fn number<T: FromStr>(&self, key: &str) -> Checked<Option<T>> {
        self.read(key, "a whole number, 0 or more", |text| text.parse().ok())
    }

    fn portion(&self, key: &str) -> Checked<Option<PortionFile>> {
        // A blank before the sign is for scenarios; Kubernetes refuses it.
        let read = |text: &str| PortionFile::parse(text).filter(|_| !text.contains(' '));
        self.read(key, PortionFile::EXPECTED, read)
    }
}

fn fields(strategy: &Fields<'_>) -> Checked<StrategyFields> {
    if let Some(canary) = strategy.below("canary") {
        let steps = canary.node.get("steps").map(Node::items).unwrap_or_default().iter().enumerate();
        let steps = steps
            .map(|(index, node)| step(&Fields { node, path: format!("{}.steps[{index}]", canary.path) }).transpose());
        return Ok(StrategyFields {
            kind: StrategyKind::Canary,
            max_surge: canary.portion("maxSurge")?,
            max_unavailable: canary.portion("maxUnavailable")?,
            steps: steps.flatten().collect::<Checked<_>>()?,
            traffic_routing: canary.node.get("trafficRouting").is_some(),
            ..StrategyFields::default()
        });
    }
    if let Some(switch) = strategy.below("blueGreen") {
        return Ok(StrategyFields {
            kind: StrategyKind::BlueGreen,
            preview_replica_count: switch.number("previewReplicaCount")?,
            auto_promotion_enabled: switch.node.text_at(&["autoPromotionEnabled"]).map(|text| text == "true"),
            auto_promotion_seconds: switch.number("autoPromotionSeconds")?,
            scale_down_delay_seconds: switch.number("scaleDownDelaySeconds")?,
            ..StrategyFields::default()
        });
    }
    let kind = match strategy.node.text_at(&["type"]) {
        Some("Recreate") => StrategyKind::Recreate,
        Some("OnDelete") => StrategyKind::OnDelete,
        _ => StrategyKind::RollingUpdate,
    };
    // A LeaderWorkerSet has the latter, and a surge of 0 unless it says otherwise.
    let of_groups = strategy.below("rollingUpdateConfiguration");
    let is_of_groups = of_groups.is_some();
    let Some(rolling) = strategy.below("rollingUpdate").or(of_groups) else {
        return Ok(StrategyFields { kind, ..StrategyFields::default() });
    };
    Ok(StrategyFields {
        kind,
        max_surge: rolling
            .portion("maxSurge")?
            .filter(|surge| !is_of_groups || !matches!(surge, PortionFile::Count(0) | PortionFile::Percent(0))),
        max_unavailable: rolling.portion("maxUnavailable")?,
        partition: rolling.number("partition")?.unwrap_or(0),
        ..StrategyFields::default()
    })
}

/// A step of a canary; analyses and experiments pass at once.
fn step(step: &Fields<'_>) -> Checked<Option<StepFile>> {
    if let Some(weight) = step.number("setWeight")? {
        return Ok(Some(StepFile::SetWeight(weight)));
    }
    if let Some(scale) = step.below("setCanaryScale") {
        let scale = ScaleFile { replicas: scale.number("replicas")?, weight: scale.number("weight")? };
        return Ok((scale.replicas.is_some() != scale.weight.is_some()).then_some(StepFile::SetCanaryScale(scale)));
    }
    let Some(pause) = step.below("pause") else { return Ok(None) };
    let length = |text: &str| text.parse().ok().map(Time).or_else(|| Time::written_in(&["h", "m", "s"], text));
    Ok(Some(StepFile::Pause(PauseFile {
        duration: pause.read("duration", "seconds, or a time such as `10m`", length)?,
    })))
}
