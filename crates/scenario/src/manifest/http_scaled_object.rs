//! KEDA's HTTP add-on: HTTPScaledObject and InterceptorRoute (`http.keda.sh`), and the ScaledObject the add-on makes of the first.
//!
//! The interceptor counts a request from its arrival to the last byte of its answer, held ones included: that is every unfinished
//! request of the service. Behaviour follows kedacore/http-add-on 59b2f6a1 (June 2026).

use std::collections::BTreeMap;

use policy::Signal;
use policy::keda::{Advanced, Annotations, Feed, FeedSource, ScaledObject, Trigger};
use schemars::JsonSchema;
use serde::Deserialize;
use units::SimDuration;

use super::{MetadataFile, ScaleTargetFile};
use crate::quantity::Time;

/// Annotation by which no ScaledObject is made.
pub const SKIP: &str = "httpscaledobject.keda.sh/skip-scaledobject-creation";
/// Annotation by which the one that was made is left alone.
pub const ORPHAN: &str = "httpscaledobject.keda.sh/orphan-scaledobject";

/// The manifest of an HTTPScaledObject.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HttpScaledObjectFile {
    /// `metadata`.
    pub metadata: MetadataFile,
    /// `spec`.
    pub spec: HttpScaledObjectSpecFile,
}

/// `spec` of an HTTPScaledObject.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HttpScaledObjectSpecFile {
    /// Hosts whose requests it is about.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Paths likewise.
    #[serde(default)]
    pub path_prefixes: Vec<String>,
    /// Headers likewise.
    #[serde(default)]
    pub headers: Vec<BTreeMap<String, String>>,
    /// What it scales, and the Service in front of it.
    pub scale_target_ref: HttpTargetFile,
    /// Bounds.
    #[serde(default)]
    pub replicas: HttpReplicasFile,
    /// What it scales on.
    #[serde(default)]
    pub scaling_metric: Option<ScalingMetricFile>,
    /// Old form of `scalingMetric.concurrency.targetValue`.
    #[serde(default)]
    pub target_pending_requests: Option<u32>,
    /// `cooldownPeriod` of the ScaledObject in seconds, 300 unless set.
    #[serde(default)]
    pub scaledown_period: Option<u64>,
    /// `initialCooldownPeriod` of the ScaledObject in seconds.
    #[serde(default)]
    pub initial_cooldown_period: Option<u64>,
    /// Timeouts of the interceptor.
    #[serde(default)]
    pub timeouts: Option<HttpTimeoutsFile>,
    /// Who answers where none of the target's pods does in time.
    #[serde(default)]
    pub cold_start_timeout_failover_ref: Option<FailoverFile>,
}

/// `scaleTargetRef` of an HTTPScaledObject.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HttpTargetFile {
    /// API version of the target.
    #[serde(default)]
    pub api_version: Option<String>,
    /// Kind of the target.
    #[serde(default)]
    pub kind: Option<String>,
    /// Name of the target.
    pub name: String,
    /// The Service.
    #[serde(default)]
    pub service: Option<String>,
    /// Its port.
    #[serde(default)]
    pub port: Option<u32>,
    /// Its port by name.
    #[serde(default)]
    pub port_name: Option<String>,
}

/// `replicas`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct HttpReplicasFile {
    /// Lower bound, 0 unless set.
    pub min: Option<u32>,
    /// Upper bound, 100 unless set.
    pub max: Option<u32>,
}

/// `scalingMetric`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ScalingMetricFile {
    /// Requests at the interceptor or beyond it.
    pub concurrency: Option<ConcurrencyFile>,
    /// Requests per second.
    pub request_rate: Option<RequestRateFile>,
}

/// `scalingMetric.concurrency`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ConcurrencyFile {
    /// Per replica, 100 unless set.
    pub target_value: Option<u32>,
}

/// `scalingMetric.requestRate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct RequestRateFile {
    /// Per replica and second, 100 unless set.
    pub target_value: Option<u32>,
    /// What it is averaged over, 1 min unless set.
    pub window: Option<Time>,
    /// Length of one bucket, 1 s unless set.
    pub granularity: Option<Time>,
}

/// `timeouts` of an HTTPScaledObject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct HttpTimeoutsFile {
    /// How long a request waits for a ready endpoint.
    pub condition_wait: Option<Time>,
    /// How long for the first byte of the answer.
    pub response_header: Option<Time>,
}

/// `coldStartTimeoutFailoverRef`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct FailoverFile {
    /// The Service.
    pub service: Option<String>,
    /// Its port.
    pub port: Option<u32>,
    /// Its port by name.
    pub port_name: Option<String>,
    /// When it takes over, 30 s unless set.
    pub timeout_seconds: Option<u32>,
}

/// The manifest of an InterceptorRoute.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct InterceptorRouteFile {
    /// `metadata`.
    pub metadata: MetadataFile,
    /// `spec`.
    pub spec: InterceptorRouteSpecFile,
}

/// `spec` of an InterceptorRoute, as far as it decides anything here.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterceptorRouteSpecFile {
    /// What the route scales on: one metric or both.
    #[serde(default)]
    pub scaling_metric: Option<ScalingMetricFile>,
}

impl ScalingMetricFile {
    /// One feed per metric; concurrency at 100 where nothing is said.
    pub fn feeds(self, name: &str) -> Result<Vec<Feed>, String> {
        let mut feeds = Vec::new();
        if self.concurrency.is_some() || self.request_rate.is_none() {
            let target = self.concurrency.and_then(|metric| metric.target_value).unwrap_or(100);
            feeds.push(feed(Signal::Requests, target, format!("{name}-concurrency"))?);
        }
        if let Some(rate) = self.request_rate {
            let window = rate.window.map_or(SimDuration::from_secs(60), Time::duration);
            let granularity = rate.granularity.map_or(SimDuration::from_secs(1), Time::duration);
            if granularity.is_zero() || window < granularity {
                return Err("requestRate: granularity must be above 0 and at most window".to_owned());
            }
            let fed = feed(Signal::ArrivalRate, rate.target_value.unwrap_or(100), format!("{name}-rate"))?;
            feeds.push(Feed { over: Some(window), rounds_up: true, ..fed });
        }
        Ok(feeds)
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is used up")]
fn feed(signal: Signal, target: u32, name: String) -> Result<Feed, String> {
    if target == 0 {
        return Err("targetValue must be above 0".to_owned());
    }
    let (target, name) = (Some(f64::from(target)), Some(format!("http-{name}")));
    Ok(Feed { target, name, activation: Some(0.0), push: Some(true), ..Feed::of(FeedSource::Signal(signal)) })
}

impl HttpScaledObjectFile {
    /// True if an annotation leaves the ScaledObject to the folder.
    pub fn is_released(&self) -> bool {
        let is_true = |key| self.metadata.annotations.get(key).is_some_and(|value| value == "true");
        is_true(SKIP) || is_true(ORPHAN)
    }

    /// What it scales, as other scalers write it.
    pub fn target(&self) -> ScaleTargetFile {
        let HttpTargetFile { api_version, kind, name, .. } = self.spec.scale_target_ref.clone();
        ScaleTargetFile { api_version, kind, name }
    }

    /// The ScaledObject the add-on makes of it; the error is a path below `spec` and what is wrong there.
    pub fn scaled_object(&self) -> Result<ScaledObject, (String, String)> {
        let spec = &self.spec;
        let metric = spec.scaling_metric.unwrap_or_default();
        let old = spec.target_pending_requests.filter(|_| spec.scaling_metric.is_none());
        let metric = match old {
            Some(target) => ScalingMetricFile {
                concurrency: Some(ConcurrencyFile { target_value: Some(target) }),
                request_rate: None,
            },
            None => metric,
        };
        let name = &self.metadata.name;
        let seconds = |value: Option<u64>| value.map(SimDuration::from_secs);
        let trigger = Trigger {
            kind: "external-push".to_owned(),
            metadata: [
                ("scalerAddress".to_owned(), "keda-add-ons-http-external-scaler.keda:9090".to_owned()),
                ("httpScaledObject".to_owned(), name.clone()),
            ]
            .into(),
            feeds: metric.feeds(name).map_err(|reason| ("scalingMetric".to_owned(), reason))?,
            ..Trigger::default()
        };
        // KEDA's own annotations are passed on.
        let annotations = self.metadata.annotations.iter().filter(|(key, _)| key.contains("keda.sh/"));
        Ok(ScaledObject {
            name: name.clone(),
            annotations: Annotations(annotations.map(|(key, value)| (key.clone(), value.clone())).collect()),
            scale_target: spec.scale_target_ref.name.clone(),
            polling_interval: Some(SimDuration::from_secs(15)),
            cooldown_period: seconds(spec.scaledown_period),
            initial_cooldown_period: seconds(spec.initial_cooldown_period),
            replicas_min: spec.replicas.min,
            replicas_max: spec.replicas.max,
            triggers: vec![trigger],
            advanced: Advanced { restore_to_original_replica_count: true, ..Advanced::default() },
            ..ScaledObject::default()
        })
    }
}
