//! Fallback: what stands in for a metric that cannot be read (`pkg/fallback/fallback.go`).

use super::quantity::milli_truncated;
use super::{Fallback, FallbackBehavior, MetricType, ScalingModifiers};

/// What decides one metric read besides its outcome.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circumstances<'a> {
    /// `spec.fallback`.
    pub fallback: Option<&'a Fallback>,
    /// `spec.advanced.scalingModifiers`; its target and metric type then take the place of the trigger's.
    pub modifiers: Option<&'a ScalingModifiers>,
    /// The trigger's target in plain units.
    pub target: f64,
    /// The trigger's metric type.
    pub metric_type: MetricType,
    /// Wanted replicas.
    pub replicas_current: u32,
    /// Pods that run and are ready, those being deleted included.
    pub replicas_ready: u32,
}

/// What a metric read comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// The value that was read, in milli-units.
    Live(i64),
    /// The fallback value, in milli-units.
    Fallback(i64),
    /// Nothing: the trigger is nil in the formula.
    Nil,
    /// The error is passed on.
    Failed(String),
}

/// Counts the outcome of a read and says what is served. Both loops come through here: the counter holds consecutive failures, any
/// success resets it, and without a valid fallback nothing is counted.
pub fn serve(seen: &Circumstances<'_>, failures: &mut u32, read: Result<i64, String>) -> Served {
    // A target in percent is no External metric's, and there is nothing to multiply.
    let has_amount = seen.metric_type != MetricType::Utilization;
    let valid = seen.fallback.filter(|fallback| has_amount && is_valid(fallback, seen.modifiers));
    let (fallback, error) = match (valid, read) {
        (None, Ok(value_m)) => return Served::Live(value_m),
        (None, Err(error)) => return Served::Failed(error),
        (Some(_), Ok(value_m)) => {
            *failures = 0;
            return Served::Live(value_m);
        }
        (Some(fallback), Err(error)) => (fallback, error),
    };
    *failures += 1;
    if !is_past(*failures, fallback) {
        return Served::Failed(error);
    }
    if fallback.behavior == FallbackBehavior::ScalingModifiers {
        return Served::Nil;
    }
    match stand_in(seen, fallback) {
        Some(value_m) => Served::Fallback(value_m),
        None => Served::Failed(format!("{error}; no fallback either, as no replica is ready")),
    }
}

/// True once more failures than the threshold have come in a row.
pub fn is_past(failures: u32, fallback: &Fallback) -> bool {
    i64::from(failures) > i64::from(fallback.failure_threshold)
}

/// What a trigger is in the formula: nil past the failure threshold if the fallback says so, else its value.
pub fn formula_value(value: f64, failures: Option<u32>, fallback: Option<&Fallback>) -> Option<f64> {
    let is_nil = fallback.is_some_and(|fallback| {
        fallback.behavior == FallbackBehavior::ScalingModifiers
            && failures.is_some_and(|count| is_past(count, fallback))
    });
    (!is_nil).then_some(value)
}

/// Numbers must not be negative, and with a formula the target must be a whole number.
pub fn is_valid(fallback: &Fallback, modifiers: Option<&ScalingModifiers>) -> bool {
    fallback.failure_threshold >= 0
        && fallback.replicas >= 0
        && modifiers.is_none_or(|modifiers| modifiers.target_whole().is_some())
}

/// target × R, so that the HPA works R out by its ordinary path. For a Value target the HPA multiplies by ready replicas, hence the
/// division; with none ready there is nothing to divide by.
fn stand_in(seen: &Circumstances<'_>, fallback: &Fallback) -> Option<i64> {
    let given = f64::from(fallback.replicas);
    let current = f64::from(seen.replicas_current);
    let mut replicas = match fallback.behavior {
        FallbackBehavior::Static | FallbackBehavior::ScalingModifiers => given,
        FallbackBehavior::CurrentReplicas => current,
        FallbackBehavior::CurrentReplicasIfHigher => current.max(given),
        FallbackBehavior::CurrentReplicasIfLower => current.min(given),
    };
    let (target, metric_type) = match seen.modifiers {
        Some(modifiers) => (modifiers.target_number()?, modifiers.metric_type.unwrap_or(MetricType::AverageValue)),
        None => (seen.target, seen.metric_type),
    };
    if metric_type == MetricType::Value {
        if seen.replicas_ready == 0 {
            return None;
        }
        replicas /= f64::from(seen.replicas_ready);
    }
    // The order of the factors is KEDA's: it decides the last bit before the cut.
    Some((target * 1000.0 * replicas) as i64)
}

/// The composite value of a formula that came out nil: as for any other fallback, target × replicas.
pub fn composite_of_nil(fallback: &Fallback, modifiers: &ScalingModifiers) -> Option<i64> {
    Some(milli_truncated(f64::from(fallback.replicas) * modifiers.target_number()?))
}
