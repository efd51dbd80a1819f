//! HorizontalPodAutoscaler, `autoscaling/v2`.

use std::collections::BTreeMap;

use policy::hpa::{Behavior, HpaSpec, MetricSpec, MetricTarget, PolicyKind, Rules, ScalingPolicyRule, SelectPolicy};
use policy::{LabelCondition, LabelTest};
use schemars::JsonSchema;
use serde::Deserialize;
use units::SimDuration;

use super::{MetadataFile, Quantity};

/// The manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HpaFile {
    /// `metadata`.
    pub metadata: MetadataFile,
    /// `spec`.
    pub spec: HpaSpecFile,
}

/// `spec` of a HorizontalPodAutoscaler.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HpaSpecFile {
    /// What it scales; the service, where it is left out in a scenario.
    #[serde(default)]
    pub scale_target_ref: Option<ScaleTargetFile>,
    /// Lower bound, 1 unless set.
    #[serde(default)]
    pub min_replicas: Option<u32>,
    /// Upper bound.
    pub max_replicas: u32,
    /// Metrics; the largest answer counts.
    #[serde(default)]
    pub metrics: Vec<MetricFile>,
    /// Damping; left out is not the same as empty.
    #[serde(default)]
    pub behavior: Option<BehaviorFile>,
}

/// `scaleTargetRef`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ScaleTargetFile {
    /// API version of the target.
    #[serde(default)]
    pub api_version: Option<String>,
    /// Kind of the target.
    #[serde(default)]
    pub kind: Option<String>,
    /// Name of the target.
    pub name: String,
}

/// One entry of `metrics`: the key named by `type` holds the source.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MetricFile {
    /// Which of the sources.
    #[serde(rename = "type")]
    pub kind: MetricKindFile,
    /// For `Resource`.
    #[serde(default)]
    pub resource: Option<ResourceSourceFile>,
    /// For `ContainerResource`.
    #[serde(default)]
    pub container_resource: Option<ContainerSourceFile>,
    /// For `Pods`.
    #[serde(default)]
    pub pods: Option<PodsSourceFile>,
    /// For `Object`.
    #[serde(default)]
    pub object: Option<ObjectSourceFile>,
    /// For `External`.
    #[serde(default)]
    pub external: Option<PodsSourceFile>,
}

/// `type` of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "names of the API")]
pub enum MetricKindFile {
    Resource,
    ContainerResource,
    Pods,
    Object,
    External,
}

/// `resource`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ResourceSourceFile {
    /// `cpu`, `memory`, …
    pub name: String,
    /// Target.
    pub target: TargetFile,
}

/// `containerResource`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ContainerSourceFile {
    /// `cpu`, `memory`, …
    pub name: String,
    /// The container.
    pub container: String,
    /// Target.
    pub target: TargetFile,
}

/// `pods` and `external`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PodsSourceFile {
    /// Metric.
    pub metric: MetricNameFile,
    /// Target.
    pub target: TargetFile,
}

/// `object`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ObjectSourceFile {
    /// Metric.
    pub metric: MetricNameFile,
    /// The object it describes.
    pub described_object: ScaleTargetFile,
    /// Target.
    pub target: TargetFile,
}

/// `metric`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MetricNameFile {
    /// Name.
    pub name: String,
    /// Selector.
    #[serde(default)]
    pub selector: Option<SelectorFile>,
}

/// A label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SelectorFile {
    /// Labels that must be equal.
    #[serde(default)]
    pub match_labels: BTreeMap<String, String>,
    /// Conditions on labels.
    #[serde(default)]
    pub match_expressions: Vec<SelectorExpressionFile>,
}

/// One of `matchExpressions`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SelectorExpressionFile {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: SelectorOperatorFile,
    /// With what; none for `Exists` and `DoesNotExist`.
    #[serde(default)]
    pub values: Vec<String>,
}

/// `operator`. The metric APIs know no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum SelectorOperatorFile {
    /// One of the values.
    In,
    /// None of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

/// `target`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TargetFile {
    /// Which of the values.
    #[serde(rename = "type")]
    pub kind: TargetKindFile,
    /// For `Utilization`, percent.
    #[serde(default)]
    pub average_utilization: Option<i32>,
    /// For `AverageValue`.
    #[serde(default)]
    pub average_value: Option<Quantity>,
    /// For `Value`.
    #[serde(default)]
    pub value: Option<Quantity>,
}

/// `type` of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "names of the API")]
pub enum TargetKindFile {
    Utilization,
    AverageValue,
    Value,
}

/// `behavior`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BehaviorFile {
    /// Upwards.
    #[serde(default)]
    pub scale_up: Option<RulesFile>,
    /// Downwards.
    #[serde(default)]
    pub scale_down: Option<RulesFile>,
}

/// One direction of `behavior`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RulesFile {
    /// Window over which the most careful recommendation counts, at most 3600 s.
    #[serde(default)]
    pub stabilization_window_seconds: Option<u64>,
    /// Which policy counts.
    #[serde(default)]
    pub select_policy: Option<SelectFile>,
    /// Rate limits.
    #[serde(default)]
    pub policies: Option<Vec<RateFile>>,
    /// Relative error within which nothing is done.
    #[serde(default)]
    pub tolerance: Option<Quantity>,
}

/// `selectPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "names of the API")]
pub enum SelectFile {
    Max,
    Min,
    Disabled,
}

/// One entry of `policies`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RateFile {
    /// Pods or percent.
    #[serde(rename = "type")]
    pub kind: RateKindFile,
    /// How many.
    pub value: u32,
    /// In which time, 1 to 1800 s.
    pub period_seconds: u64,
}

/// `type` of a rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "names of the API")]
pub enum RateKindFile {
    Pods,
    Percent,
}

impl HpaSpecFile {
    /// The policy's own specification; the error is a path below `spec` and what is wrong there.
    pub fn resolve(&self, name: &str) -> Result<HpaSpec, (String, String)> {
        let fail = |path: &str, reason: String| Err((path.to_owned(), reason));
        let replicas_min = self.min_replicas.unwrap_or(1);
        if self.max_replicas < replicas_min {
            return fail("maxReplicas", format!("{} is below minReplicas {replicas_min}", self.max_replicas));
        }
        let mut metrics = Vec::new();
        for (index, metric) in self.metrics.iter().enumerate() {
            metrics.push(metric.resolve().map_err(|(path, reason)| (format!("metrics[{index}].{path}"), reason))?);
        }
        if metrics.is_empty() {
            // The API server adds this one.
            metrics.push(MetricSpec::Resource { name: "cpu".to_owned(), target: MetricTarget::Utilization(80) });
        }
        let behavior = self.behavior.as_ref().map(BehaviorFile::resolve).transpose()?;
        Ok(HpaSpec { name: name.to_owned(), replicas_min, replicas_max: self.max_replicas, metrics, behavior })
    }
}

impl MetricFile {
    fn resolve(&self) -> Result<MetricSpec, (String, String)> {
        let lacking = |key: &str| (key.to_owned(), format!("missing, though `type` is {:?}", self.kind));
        Ok(match self.kind {
            MetricKindFile::Resource => {
                let source = self.resource.as_ref().ok_or_else(|| lacking("resource"))?;
                MetricSpec::Resource { name: source.name.clone(), target: source.target.resolve("resource")? }
            }
            MetricKindFile::ContainerResource => {
                let source = self.container_resource.as_ref().ok_or_else(|| lacking("containerResource"))?;
                MetricSpec::ContainerResource {
                    name: source.name.clone(),
                    container: source.container.clone(),
                    target: source.target.resolve("containerResource")?,
                }
            }
            MetricKindFile::Pods => {
                let source = self.pods.as_ref().ok_or_else(|| lacking("pods"))?;
                let target = source.target.resolve("pods")?;
                if !matches!(target, MetricTarget::AverageValue(_)) {
                    return Err((
                        "pods.target.type".to_owned(),
                        "Pods metrics have AverageValue targets only".to_owned(),
                    ));
                }
                let selector = source.metric.selector("pods")?;
                MetricSpec::Pods { name: source.metric.name.clone(), selector, target }
            }
            MetricKindFile::Object => {
                let source = self.object.as_ref().ok_or_else(|| lacking("object"))?;
                MetricSpec::Object {
                    name: source.metric.name.clone(),
                    selector: source.metric.selector("object")?,
                    kind: source.described_object.kind.clone().unwrap_or_default(),
                    object: source.described_object.name.clone(),
                    target: source.target.resolve("object")?,
                }
            }
            MetricKindFile::External => {
                let source = self.external.as_ref().ok_or_else(|| lacking("external"))?;
                MetricSpec::External {
                    name: source.metric.name.clone(),
                    selector: source.metric.selector("external")?,
                    target: source.target.resolve("external")?,
                }
            }
        })
    }
}

impl MetricNameFile {
    /// Its selector, sorted by label, for metrics of this `source`.
    fn selector(&self, source: &str) -> Result<Vec<LabelCondition>, (String, String)> {
        let Some(file) = &self.selector else { return Ok(Vec::new()) };
        let equal = file.match_labels.iter().map(|(key, value)| LabelCondition::equals(key, value));
        let mut conditions: Vec<LabelCondition> = equal.collect();
        for (index, written) in file.match_expressions.iter().enumerate() {
            let test = written.test().map_err(|reason| {
                (format!("{source}.metric.selector.matchExpressions[{index}].values"), reason.to_owned())
            })?;
            conditions.push(LabelCondition { key: written.key.clone(), test });
        }
        conditions.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(conditions)
    }
}

impl SelectorExpressionFile {
    /// As the API's validation has it: a list of values where they are compared, none where they are not.
    fn test(&self) -> Result<LabelTest, &'static str> {
        let values = self.values.clone();
        match (self.operator, values.is_empty()) {
            (SelectorOperatorFile::In, false) => Ok(LabelTest::In(values)),
            (SelectorOperatorFile::NotIn, false) => Ok(LabelTest::NotIn(values)),
            (SelectorOperatorFile::Exists, true) => Ok(LabelTest::Exists),
            (SelectorOperatorFile::DoesNotExist, true) => Ok(LabelTest::DoesNotExist),
            (SelectorOperatorFile::In | SelectorOperatorFile::NotIn, true) => {
                Err("`In` and `NotIn` need at least one value")
            }
            (SelectorOperatorFile::Exists | SelectorOperatorFile::DoesNotExist, false) => {
                Err("`Exists` and `DoesNotExist` take no values")
            }
        }
    }
}

impl TargetFile {
    fn resolve(&self, source: &str) -> Result<MetricTarget, (String, String)> {
        let (key, target) = match self.kind {
            TargetKindFile::Utilization => {
                ("averageUtilization", self.average_utilization.map(MetricTarget::Utilization))
            }
            TargetKindFile::AverageValue => {
                ("averageValue", self.average_value.map(|q| MetricTarget::AverageValue(q.0)))
            }
            TargetKindFile::Value => ("value", self.value.map(|quantity| MetricTarget::Value(quantity.0))),
        };
        let path = format!("{source}.target.{key}");
        match target {
            None => Err((path, format!("missing, though `type` is {:?}", self.kind))),
            Some(MetricTarget::Utilization(i32::MIN..=0)) => Err((path, "must be above 0".to_owned())),
            Some(MetricTarget::AverageValue(i64::MIN..=0) | MetricTarget::Value(i64::MIN..=0)) => {
                Err((path, "must be above 0".to_owned()))
            }
            Some(target) => Ok(target),
        }
    }
}

impl BehaviorFile {
    /// The policy's own rules; the error is a path below `spec` and what is wrong there.
    pub fn resolve(&self) -> Result<Behavior, (String, String)> {
        let side = |rules: &Option<RulesFile>, name: &str| {
            let resolved = rules.as_ref().map(RulesFile::resolve).transpose();
            resolved.map_err(|(path, reason)| (format!("behavior.{name}.{path}"), reason))
        };
        Ok(Behavior { scale_up: side(&self.scale_up, "scaleUp")?, scale_down: side(&self.scale_down, "scaleDown")? })
    }
}

impl RulesFile {
    fn resolve(&self) -> Result<Rules, (String, String)> {
        if self.stabilization_window_seconds.is_some_and(|seconds| seconds > 3_600) {
            return Err(("stabilizationWindowSeconds".to_owned(), "must be at most 3600".to_owned()));
        }
        if self.policies.as_ref().is_some_and(Vec::is_empty) {
            return Err(("policies".to_owned(), "must not be empty; leave it out for the defaults".to_owned()));
        }
        for (index, rule) in self.policies.iter().flatten().enumerate() {
            if !(1..=1_800).contains(&rule.period_seconds) {
                return Err((format!("policies[{index}].periodSeconds"), "must be 1 to 1800".to_owned()));
            }
            if rule.value == 0 {
                return Err((format!("policies[{index}].value"), "must be above 0".to_owned()));
            }
        }
        if self.tolerance.is_some_and(|tolerance| tolerance.0 < 0) {
            return Err(("tolerance".to_owned(), "is negative; Kubernetes refuses it".to_owned()));
        }
        Ok(Rules {
            policies: self.policies.as_ref().map(|rules| rules.iter().copied().map(RateFile::resolve).collect()),
            select_policy: self.select_policy.map(|select| match select {
                SelectFile::Max => SelectPolicy::Max,
                SelectFile::Min => SelectPolicy::Min,
                SelectFile::Disabled => SelectPolicy::Disabled,
            }),
            stabilization_window: self.stabilization_window_seconds.map(SimDuration::from_secs),
            // The controller turns the quantity into a double; thousandths are all the API keeps of it here.
            tolerance: self.tolerance.map(|quantity| quantity.0 as f64 / 1000.0),
        })
    }
}

impl RateFile {
    fn resolve(self) -> ScalingPolicyRule {
        let kind = match self.kind {
            RateKindFile::Pods => PolicyKind::Pods,
            RateKindFile::Percent => PolicyKind::Percent,
        };
        ScalingPolicyRule { kind, value: self.value, period: SimDuration::from_secs(self.period_seconds) }
    }
}
