//! What a user should be told of a run: metrics that never answered, bounds that decided, cold starts that outlast cooldowns.
//!
//! Counting happens while the run goes on, words are made at its end. A remark says what happened and how often; it never judges.

use policy::Trail;
use record::{MetricUse, ScalingTotals, ServiceTotals};
use units::{SimDuration, SimTime};

use crate::controllers::outcome_word;
use crate::spec::{AdapterSpec, ControllerSpec, ServicePolicy};

/// A share of the time at `maxReplicas` below this is not worth a remark.
const AT_MAX_SHARE: f64 = 0.01;

/// How long the requests of a service that others call took from the first of their chain on.
pub(super) fn of_chain(totals: &ServiceTotals) -> Option<String> {
    let latency = totals.end_to_end.as_ref()?;
    let millis = |q: f64| latency.quantile(q).map(|nanos| nanos as f64 / 1e6);
    let (p50, p99) = (millis(0.5)?, millis(0.99)?);
    Some(format!(
        "end to end, from the first request of the chain to the answer here: p50 {p50:.1} ms, p99 {p99:.1} ms"
    ))
}

/// What replicas have done with adapters of a language model, over their whole lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AdapterLoads {
    /// Replicas.
    pub lives: u64,
    /// Adapters brought into a slot.
    pub loads: u64,
    /// Requests answered.
    pub answered: u64,
}

impl AdapterLoads {
    /// A remark where adapters push each other out: where one is loaded that would not be with slots for all, for every tenth answer at least.
    pub(super) fn remark(self, rules: &AdapterSpec) -> Option<String> {
        let Self { lives, loads, answered } = self;
        let again = loads.saturating_sub(lives * u64::from(rules.max_active));
        let takes_time = !(rules.load + rules.fetch).is_zero();
        (takes_time && again > 0 && again * 10 >= answered).then(|| {
            let slots = if rules.max_active == 1 { "slot".to_owned() } else { format!("{} slots", rules.max_active) };
            format!(
                "adapters push each other out: loaded {loads} times for {answered} answers, {} and more for each, while all of the pass wait; a replica has {slots} (maxActive)",
                rules.load
            )
        })
    }
}

/// Counts of a run that remarks are made of.
#[derive(Debug, Default)]
pub(super) struct Tally {
    metrics: Vec<MetricUse>,
    /// Passes in which a metric that failed kept the count from being lowered.
    held_by_failure: u64,
    /// Forecasts that asked for more than their upper bound.
    clipped: u64,
    passes: u64,
}

impl Tally {
    /// One pass of a controller at `at`.
    pub(super) fn pass(&mut self, at: SimTime, controller: &str, before: u32, trail: &Trail) {
        self.passes += 1;
        for proposal in &trail.proposals {
            let outcome = outcome_word(proposal.outcome);
            if outcome == record::MetricOutcome::Skipped {
                continue;
            }
            let known =
                self.metrics.iter().position(|known| known.controller == controller && known.metric == proposal.metric);
            let index = known.unwrap_or_else(|| {
                let (controller, metric) = (controller.to_owned(), proposal.metric.clone());
                self.metrics.push(MetricUse { controller, metric, ..MetricUse::default() });
                self.metrics.len() - 1
            });
            self.metrics[index].count(at, outcome, proposal.age, &proposal.note);
        }
        let wants_less = trail.proposals.iter().filter_map(|proposal| proposal.replicas).max();
        let is_held = trail.steps.iter().any(|step| step.name == "metrics");
        self.held_by_failure += u64::from(is_held && wants_less.is_some_and(|wanted| wanted < before));
        self.clipped +=
            u64::from(trail.steps.iter().any(|step| step.name == "forecast bounds" && step.after < step.before));
    }

    /// Forgets the warm-up.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The uses of metrics, and the remarks that follow from them and from the totals.
    pub(super) fn finish(
        self,
        policy: &ServicePolicy,
        scaling: &ScalingTotals,
        measured: SimDuration,
    ) -> (Vec<MetricUse>, Vec<String>) {
        let mut remarks: Vec<String> = self.metrics.iter().flat_map(of_metric).collect();
        if self.held_by_failure > 0 {
            let passes = self.held_by_failure;
            remarks.push(format!("scale-down held in {passes} passes because a metric could not be read"));
        }
        if self.clipped > 0 {
            remarks.push(format!("{} forecasts asked for more than replicasMax and were cut", self.clipped));
        }
        remarks.extend(at_max(policy, scaling, measured));
        remarks.extend(slow_start(policy, scaling));
        (self.metrics, remarks)
    }
}

/// What there is to say of one metric; nothing where every read had an answer.
fn of_metric(used: &MetricUse) -> Vec<String> {
    let MetricUse { controller, metric, reads, empty_as_zero, .. } = used;
    let mut remarks = Vec::new();
    if *empty_as_zero > 0 {
        remarks.push(format!(
            "{controller}: {metric} read as 0 in {empty_as_zero} of {reads} passes because the query found nothing (ignoreNullValues)"
        ));
    }
    if used.not_a_number > 0 {
        remarks.push(format!("{controller}: {metric} was not a number in {} of {reads} passes", used.not_a_number));
    }
    let unread = used.empty + used.failed;
    if unread > 0 {
        let is_first = *empty_as_zero == 0 && used.not_a_number == 0;
        let first = used.first_failure.as_ref().filter(|_| is_first);
        let why = first.map(|(at, why)| format!(", first at {at}: {why}")).unwrap_or_default();
        remarks.push(format!("{controller}: {metric} unread in {unread} of {reads} passes{why}"));
    }
    remarks
}

/// The most replicas any controller of the policy may want; `None` if none of them has an upper bound.
pub(super) fn replicas_max(policy: &ServicePolicy) -> Option<u32> {
    let of = |controller: &ControllerSpec| match controller {
        ControllerSpec::Static { .. } | ControllerSpec::Recorded(_) => None,
        ControllerSpec::Hpa { spec, .. } => Some(spec.replicas_max),
        ControllerSpec::Keda { scaled_object, .. } => Some(scaled_object.replicas_max.unwrap_or(100)),
        ControllerSpec::Predictive(predictive) => Some(predictive.replicas_max),
        ControllerSpec::External { config, .. } => Some(config.bounds.1),
    };
    policy.controllers.iter().filter_map(of).max()
}

fn at_max(policy: &ServicePolicy, scaling: &ScalingTotals, measured: SimDuration) -> Option<String> {
    let max = replicas_max(policy)?;
    let share = scaling.at_max_ns as f64 / measured.as_nanos() as f64;
    let share_text = if share >= 0.9995 { "100".to_owned() } else { format!("{:.1}", share * 100.0) };
    (share >= AT_MAX_SHARE).then(|| format!("at maxReplicas ({max}) for {share_text} % of the time"))
}

/// A pod that needs longer to start than an idle service is kept: scaling to zero undoes what scaling up has just made.
fn slow_start(policy: &ServicePolicy, scaling: &ScalingTotals) -> Option<String> {
    let to_zero = policy.controllers.iter().find_map(|controller| match controller {
        ControllerSpec::Keda { scaled_object, .. } if scaled_object.replicas_min.unwrap_or(0) == 0 => {
            Some(scaled_object.cooldown_period())
        }
        _ => None,
    })?;
    let mut starts = scaling.cold_start_ns.clone();
    starts.sort_unstable();
    let median = SimDuration::from_nanos(*starts.get(starts.len() / 2)?);
    (median > to_zero)
        .then(|| format!("half of the cold starts take {median} or more, longer than the cooldown of {to_zero}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_that_come_back_are_remarked_on_and_those_that_come_once_are_not() {
        let rules = |load| {
            let load = SimDuration::from_millis(load);
            AdapterSpec { max_active: 2, max_kept: 2, load, fetch: SimDuration::ZERO, step_overhead: 0.0 }
        };
        let seen = |loads| AdapterLoads { lives: 3, loads, answered: 100 };
        // Six loads fill the slots of three replicas.
        assert_eq!(seen(15).remark(&rules(5)), None);
        assert_eq!(seen(16).remark(&rules(0)), None);
        assert_eq!(
            seen(16).remark(&rules(5)).expect("ten come back for a hundred answers"),
            "adapters push each other out: loaded 16 times for 100 answers, 5ms and more for each, while all of the pass wait; a replica has 2 slots \
             (maxActive)"
        );
    }
}
