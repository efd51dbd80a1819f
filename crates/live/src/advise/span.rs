//! How often controllers pass, and how far back what they see today depends on what they saw.

use cluster::spec::{ControllerSpec, ServicePolicy};
use policy::hpa::HpaSpec;
use policy::keda::{Keda, Setting};
use units::SimDuration;

/// Beyond every memory: the first passes seed it with what they find.
const MARGIN_MS: i64 = 120_000;
/// What an HPA remembers that says nothing of it (`--horizontal-pod-autoscaler-downscale-stabilization`).
const DOWNSCALE_WINDOW: SimDuration = SimDuration::from_secs(300);
/// Rows are no shorter: what is scraped is older anyway.
const STEP_MIN_MS: i64 = 1_000;
/// The step where nothing passes at times of its own.
const STEP_MS: i64 = 15_000;

/// The largest step of which every period is a multiple.
pub(super) fn step_ms(policies: &[(&str, &ServicePolicy)]) -> i64 {
    let controllers = policies.iter().flat_map(|(_, policy)| &policy.controllers);
    let periods = controllers.flat_map(|controller| match controller {
        ControllerSpec::Hpa { manager, .. } => vec![manager.sync_period],
        ControllerSpec::Keda { scaled_object, manager } => vec![scaled_object.polling_interval(), manager.sync_period],
        ControllerSpec::Predictive(config) => vec![config.interval],
        ControllerSpec::Static { .. } | ControllerSpec::Recorded(_) | ControllerSpec::External { .. } => Vec::new(),
    });
    let step = periods.map(milliseconds).filter(|period| *period > 0).reduce(common);
    step.unwrap_or(STEP_MS).max(STEP_MIN_MS)
}

/// The longest that any controller remembers.
pub(super) fn lookback_ms(policies: &[(&str, &ServicePolicy)]) -> i64 {
    let controllers = policies.iter().flat_map(|(_, policy)| &policy.controllers);
    let memories = controllers.map(|controller| match controller {
        ControllerSpec::Hpa { spec, .. } => memory(spec),
        ControllerSpec::Keda { scaled_object, .. } => {
            let keda = Keda::new(scaled_object.clone(), Setting::starting_at(0)).ok();
            let of_hpa = keda.as_ref().and_then(Keda::hpa_spec).map_or(SimDuration::ZERO, memory);
            let failures = scaled_object.fallback.map_or(0, |fallback| fallback.failure_threshold.max(0));
            let of_fallback = scaled_object.polling_interval() * (u64::from(failures.unsigned_abs()) + 1);
            scaled_object.cooldown_period().max(of_hpa).max(of_fallback)
        }
        ControllerSpec::Predictive(config) => config.lookahead + config.interval,
        ControllerSpec::Static { .. } | ControllerSpec::Recorded(_) | ControllerSpec::External { .. } => {
            SimDuration::ZERO
        }
    });
    milliseconds(memories.max().unwrap_or_default()) + MARGIN_MS
}

/// Windows and the periods of rate policies.
fn memory(spec: &HpaSpec) -> SimDuration {
    let rules = spec.behavior.iter().flat_map(|behavior| [&behavior.scale_up, &behavior.scale_down]).flatten();
    let lengths = rules.flat_map(|rules| {
        let periods = rules.policies.iter().flatten().map(|rule| rule.period);
        rules.stabilization_window.into_iter().chain(periods)
    });
    lengths.fold(DOWNSCALE_WINDOW, SimDuration::max)
}

fn milliseconds(length: SimDuration) -> i64 {
    (length.as_nanos() / 1_000_000) as i64
}

fn common(one: i64, other: i64) -> i64 {
    if other == 0 { one } else { common(other, one % other) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_period_is_a_multiple_of_the_step() {
        assert_eq!(common(15_000, 30_000), 15_000);
        assert_eq!(common(common(15_000, 10_000), 300_000), 5_000);
    }
}
