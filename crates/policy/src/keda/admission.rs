//! Admission: what KEDA's webhook refuses or warns about, and what this model cannot simulate.

use units::SimDuration;

use super::fallback;
use super::formula::{Formula, FormulaError};
use super::scaler::{self, Fault, FeedNote, Scaler};
use super::{FallbackBehavior, MetricType, Release, ScaledObject, Trigger};
use crate::SignalQuery;
use crate::hpa::{Behavior, Rules};

const NAME_LENGTH_MAX: usize = 63;

/// Why a ScaledObject is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Violation {
    /// minReplicaCount above maxReplicaCount.
    #[error("minReplicaCount {min} is above maxReplicaCount {max}")]
    MinAboveMax {
        /// The minimum as the webhook reads it: a written 0 counts as 1.
        min: u32,
        /// The maximum, 100 unless set.
        max: u32,
    },
    /// idleReplicaCount not below minReplicaCount.
    #[error("idleReplicaCount {idle} is not below minReplicaCount {min}")]
    IdleNotBelowMin {
        /// The idle count.
        idle: u32,
        /// The minimum as the webhook reads it: unset is 0, a written 0 counts as 1.
        min: u32,
    },
    /// pollingInterval below one second.
    #[error("pollingInterval must be at least 1s, found {found}")]
    PollingIntervalTooShort {
        /// What was given.
        found: SimDuration,
    },
    /// No trigger at all.
    #[error("triggers: at least one is needed")]
    NoTriggers,
    /// Two triggers of one name.
    #[error("triggers[{index}].name: `{name}` is already the name of another trigger")]
    DuplicateTriggerName {
        /// The second of the two.
        index: usize,
        /// Their name.
        name: String,
    },
    /// useCachedMetrics where there is nothing to cache.
    #[error("triggers[{index}].useCachedMetrics is not supported for {kind}")]
    CachedUnsupported {
        /// The trigger.
        index: usize,
        /// Its type.
        kind: String,
    },
    /// A trigger that cannot be used.
    #[error("triggers[{index}] ({kind}): {fault}")]
    Trigger {
        /// The trigger.
        index: usize,
        /// Its type.
        kind: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// Two metrics of one name, which the metrics adapter could not tell apart.
    #[error("two triggers yield the external metric {name}; KEDA refuses that")]
    DuplicateMetric {
        /// The name.
        name: String,
    },
    /// A behavior the API server would refuse in the HPA.
    #[error("advanced.horizontalPodAutoscalerConfig.behavior: {message}")]
    Behavior {
        /// What is wrong with it.
        message: String,
    },
    /// Negative numbers in fallback.
    #[error(
        "fallback.failureThreshold and fallback.replicas must be 0 or more, found {failure_threshold} and {replicas}"
    )]
    FallbackNegative {
        /// failureThreshold.
        failure_threshold: i32,
        /// replicas.
        replicas: i32,
    },
    /// A fallback that no trigger could use.
    #[error("fallback needs at least one trigger other than cpu and memory")]
    FallbackWithoutTrigger,
    /// `fallback.behavior: scalingModifiers` without a formula.
    #[error("fallback.behavior scalingModifiers needs advanced.scalingModifiers.formula")]
    FallbackWithoutFormula,
    /// Nothing could ever wake the target.
    #[error("minReplicaCount must be above 0 where all triggers are cpu or memory")]
    ResourceOnlyFromZero,
    /// A cpu or memory trigger on containers without the request.
    #[error("a {kind} trigger needs a {kind} request or limit on the container")]
    MissingRequest {
        /// `cpu` or `memory`.
        kind: String,
    },
    /// A name longer than a label may be.
    #[error("{what} has {length} characters, allowed are 63")]
    NameTooLong {
        /// Whose name.
        what: &'static str,
        /// Its length.
        length: usize,
    },
    /// scalingModifiers that make no sense.
    #[error("advanced.scalingModifiers.{field}: {message}")]
    Modifiers {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// paused-replicas is not a count.
    #[error("annotation autoscaling.keda.sh/paused-replicas: `{found}` is not a number of replicas")]
    PausedReplicas {
        /// What was given.
        found: String,
    },
    /// No trigger yields a metric, so no HPA can be generated.
    #[error("no trigger yields a metric for the HPA")]
    NoMetrics,
    /// Two owners of one workload or HPA name.
    #[error("{what} `{name}` already belongs to `{owner}`")]
    Taken {
        /// `workload` or `HPA`.
        what: &'static str,
        /// Its name.
        name: String,
        /// Who has it.
        owner: String,
    },
}

/// What is accepted but probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// pollingInterval is set where it moves nothing.
    PollingIntervalIrrelevant,
    /// cooldownPeriod is set where it moves nothing.
    CooldownIrrelevant,
    /// An idle count above 0: the HPA raises the target to its minimum, the operator lowers it again, for ever.
    IdleAboveZero {
        /// The idle count.
        idle: u32,
    },
    /// A trigger is fed by the signal of its type, for nobody named one.
    FedByDefault {
        /// The trigger.
        index: usize,
        /// How.
        signal: SignalQuery,
    },
    /// A trigger counts a queue that holds nothing where requests are pushed to replicas.
    CountsQueue {
        /// The trigger.
        index: usize,
    },
    /// Something else about what feeds a trigger.
    Feed {
        /// The trigger.
        index: usize,
        /// In words.
        remark: String,
    },
    /// A metadata key that has no effect in the model.
    MetadataIgnored {
        /// The trigger.
        index: usize,
        /// The key.
        key: String,
    },
}

/// All rules that concern one ScaledObject alone.
pub fn validate(object: &ScaledObject) -> Result<Vec<Warning>, Violation> {
    check_names(object)?;
    check_bounds(object)?;
    check_triggers(&object.triggers)?;
    check_scale_to_zero(object)?;
    check_fallback(object)?;
    check_modifiers(object)?;
    check_behavior(object)?;
    object.annotations.paused_replicas()?;
    if object.polling_interval() < SimDuration::from_secs(1) {
        return Err(Violation::PollingIntervalTooShort { found: object.polling_interval() });
    }
    let scalers = scalers(object)?;
    let mut warnings = irrelevant_fields(object);
    warnings.extend(object.replicas_idle.filter(|idle| *idle > 0).map(|idle| Warning::IdleAboveZero { idle }));
    warnings.extend(ignored_metadata(object));
    warnings.extend(scalers.iter().enumerate().flat_map(|(index, scalers)| feed_warnings(index, scalers)));
    Ok(warnings)
}

/// One ScaledObject per workload and one owner per HPA name; `hpas` are the hand-written ones as (name, workload).
pub fn validate_together(objects: &[&ScaledObject], hpas: &[(&str, &str)]) -> Result<(), Violation> {
    let taken = |what, name: &str, owner: &str| Err(Violation::Taken { what, name: name.into(), owner: owner.into() });
    for (place, object) in objects.iter().enumerate() {
        let hpa_name = object.hpa_name();
        for earlier in &objects[..place] {
            if earlier.scale_target == object.scale_target {
                return taken("workload", &object.scale_target, &earlier.name);
            }
            if earlier.hpa_name() == hpa_name {
                return taken("HPA", &hpa_name, &earlier.name);
            }
        }
        if let Some((name, workload)) = hpas.iter().find(|(_, workload)| *workload == object.scale_target) {
            return taken("workload", workload, name);
        }
    }
    Ok(())
}

/// The scalers of all triggers, in their order: one per metric.
pub(super) fn scalers(object: &ScaledObject) -> Result<Vec<Vec<Scaler>>, Violation> {
    let of_trigger = |(index, trigger): (usize, &Trigger)| {
        let refused = |fault| Violation::Trigger { index, kind: trigger.kind.clone(), fault };
        let scalers = Scaler::all_of(trigger, object.release).map_err(refused)?;
        // The API server refuses a metric whose target is not positive, so no HPA would come about.
        let is_amount = |scaler: &&Scaler| scaler.threshold() > 0.0 && scaler.threshold().is_finite();
        let wrong = scalers.iter().find(|scaler| !trigger.is_resource() && !is_amount(scaler));
        match wrong {
            Some(scaler) => {
                Err(refused(Fault::Other(format!("the target must be above 0, found {}", scaler.threshold()))))
            }
            None => Ok(scalers),
        }
    };
    object.triggers.iter().enumerate().map(of_trigger).collect()
}

fn feed_warnings(index: usize, scalers: &[Scaler]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for FeedNote { assumed, counts_queue, remarks } in scalers.iter().filter_map(Scaler::feed_note) {
        warnings.extend(assumed.map(|signal| Warning::FedByDefault { index, signal }));
        warnings.extend(counts_queue.then_some(Warning::CountsQueue { index }));
        warnings.extend(remarks.into_iter().map(|remark| Warning::Feed { index, remark }));
    }
    warnings
}

/// Rule 1: min ≤ max, idle < min. An unset minimum is read as 0, a written 0 as 1.
pub fn check_bounds(object: &ScaledObject) -> Result<(), Violation> {
    let min = object.replicas_min.map_or(0, |min| min.max(1));
    let max = object.hpa_replicas_max();
    if min > max {
        return Err(Violation::MinAboveMax { min, max });
    }
    match object.replicas_idle {
        Some(idle) if idle >= min => Err(Violation::IdleNotBelowMin { idle, min }),
        _ => Ok(()),
    }
}

/// Rule 2: at least one trigger, unique names, nothing cached that cannot be.
pub fn check_triggers(triggers: &[Trigger]) -> Result<(), Violation> {
    if triggers.is_empty() {
        return Err(Violation::NoTriggers);
    }
    for (index, trigger) in triggers.iter().enumerate() {
        if trigger.use_cached_metrics && (trigger.is_resource() || trigger.kind == "cron") {
            return Err(Violation::CachedUnsupported { index, kind: trigger.kind.clone() });
        }
        let Some(name) = trigger.name.as_ref().filter(|name| !name.is_empty()) else { continue };
        if triggers[..index].iter().any(|earlier| earlier.name.as_ref() == Some(name)) {
            return Err(Violation::DuplicateTriggerName { index, name: name.clone() });
        }
    }
    Ok(())
}

/// Rule 3: a fallback has no negative numbers and at least one trigger that can use it.
pub fn check_fallback(object: &ScaledObject) -> Result<(), Violation> {
    let Some(fallback) = &object.fallback else { return Ok(()) };
    let (failure_threshold, replicas) = (fallback.failure_threshold, fallback.replicas);
    if !fallback::is_valid(fallback, None) {
        return Err(Violation::FallbackNegative { failure_threshold, replicas });
    }
    let is_usable = object.advanced.scaling_modifiers.is_some() || object.triggers.iter().any(|t| !t.is_resource());
    if is_usable { Ok(()) } else { Err(Violation::FallbackWithoutTrigger) }
}

/// Rule 4, first half: cpu or memory alone cannot wake a target from zero.
pub fn check_scale_to_zero(object: &ScaledObject) -> Result<(), Violation> {
    let is_resource_only = !object.triggers.is_empty() && object.triggers.iter().all(Trigger::is_resource);
    if is_resource_only && object.replicas_min.unwrap_or(0) == 0 {
        return Err(Violation::ResourceOnlyFromZero);
    }
    Ok(())
}

/// Rule 4, second half: cpu and memory triggers need the request. `requested` names the resources the container asks for.
pub fn check_requests(object: &ScaledObject, requested: &[&str]) -> Result<(), Violation> {
    let lacking = object.triggers.iter().find(|t| t.is_resource() && !requested.contains(&t.kind.as_str()));
    lacking.map_or(Ok(()), |trigger| Err(Violation::MissingRequest { kind: trigger.kind.clone() }))
}

/// Rule 6: names that must fit into a label; refused since 2.20.
pub fn check_names(object: &ScaledObject) -> Result<(), Violation> {
    if object.release < Release::new(2, 20, 0) {
        return Ok(());
    }
    let names = [("the ScaledObject's name", object.name.len()), ("the HPA's name", object.hpa_name().len())];
    for (what, length) in names {
        if length > NAME_LENGTH_MAX {
            return Err(Violation::NameTooLong { what, length });
        }
    }
    Ok(())
}

/// Rule 7: formula and target, both, and a formula that runs on the named triggers.
pub fn check_modifiers(object: &ScaledObject) -> Result<(), Violation> {
    let modifiers = object.advanced.scaling_modifiers.as_ref();
    let refused = |field, message: &str| Err(Violation::Modifiers { field, message: message.to_owned() });
    let text = modifiers.and_then(|m| m.formula.as_deref()).filter(|text| !text.is_empty());
    if text.is_none() && object.fallback.is_some_and(|f| f.behavior == FallbackBehavior::ScalingModifiers) {
        return Err(Violation::FallbackWithoutFormula);
    }
    let Some(modifiers) = modifiers else { return Ok(()) };
    let Some(text) = text else { return refused("formula", "missing, it is what the block is for") };
    if modifiers.target_number().is_none() {
        let found = modifiers.target.as_deref().unwrap_or("nothing");
        return refused("target", &format!("found {found}, a number above 0 is needed"));
    }
    if modifiers.metric_type == Some(MetricType::Utilization) {
        return refused("metricType", "found Utilization, allowed are AverageValue and Value");
    }
    let activation_target = modifiers.activation_target.as_deref().filter(|found| !found.is_empty());
    if let Some(found) = activation_target.filter(|found| found.parse::<f64>().is_err()) {
        return refused("activationTarget", &format!("`{found}` is not a number"));
    }
    check_formula(object, text).or_else(|error| refused("formula", &error.to_string()))
}

/// `advanced.horizontalPodAutoscalerConfig.behavior`, as the webhook checks it on the HPA it would make.
pub fn check_behavior(object: &ScaledObject) -> Result<(), Violation> {
    let Some(Behavior { scale_up, scale_down }) = &object.advanced.behavior else { return Ok(()) };
    let sides = [("scaleUp", scale_up), ("scaleDown", scale_down)];
    for (side, rules) in sides.into_iter().filter_map(|(side, rules)| Some((side, rules.as_ref()?))) {
        check_rules(rules).map_err(|message| Violation::Behavior { message: format!("{side}: {message}") })?;
    }
    Ok(())
}

fn check_rules(rules: &Rules) -> Result<(), String> {
    if rules.stabilization_window.is_some_and(|window| window > SimDuration::from_secs(3_600)) {
        return Err("stabilizationWindowSeconds must be at most 3600".to_owned());
    }
    if rules.tolerance.is_some_and(|tolerance| tolerance.is_nan() || tolerance < 0.0) {
        return Err("tolerance must be 0 or more".to_owned());
    }
    if rules.policies.as_ref().is_some_and(Vec::is_empty) {
        return Err("policies must not be empty; leave it out for the defaults".to_owned());
    }
    for (index, policy) in rules.policies.iter().flatten().enumerate() {
        let period = policy.period;
        if policy.value == 0 {
            return Err(format!("policies[{index}].value must be above 0"));
        }
        if period.is_zero() || period > SimDuration::from_secs(1_800) {
            return Err(format!("policies[{index}].periodSeconds must be 1 to 1800"));
        }
    }
    Ok(())
}

fn check_formula(object: &ScaledObject, text: &str) -> Result<(), FormulaError> {
    let external = object.triggers.iter().filter(|trigger| !trigger.is_resource());
    let names: Vec<&str> =
        external.filter_map(|trigger| trigger.name.as_deref()).filter(|name| !name.is_empty()).collect();
    Formula::parse(text)?.check(&names)
}

/// Rule 8: fields that have no effect because the operator never moves the target.
pub fn irrelevant_fields(object: &ScaledObject) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if object.replicas_min.unwrap_or(0) == 0 || object.replicas_idle.is_some() {
        return warnings;
    }
    let is_cached = object.triggers.iter().any(|trigger| trigger.use_cached_metrics);
    if object.polling_interval.is_some() && !is_cached {
        warnings.push(Warning::PollingIntervalIrrelevant);
    }
    if object.cooldown_period.is_some() {
        warnings.push(Warning::CooldownIrrelevant);
    }
    warnings
}

fn ignored_metadata(object: &ScaledObject) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (index, trigger) in object.triggers.iter().enumerate() {
        let Some(known) = scaler::known_keys(&trigger.kind) else { continue };
        let ignored = trigger.metadata.keys().filter(|key| !known.contains(&key.as_str()));
        warnings.extend(ignored.map(|key| Warning::MetadataIgnored { index, key: key.clone() }));
    }
    warnings
}
