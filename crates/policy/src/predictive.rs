//! A floor from the traffic of past weeks: the same time of day, 7 and 14 days ago.
//!
//! The rule and its open choices are worked out in the user guide (predictive). In short: pool the per-minute rates in a window around
//! the target time of each past day, take a high percentile, add a buffer, divide by what one replica can serve.

use units::{SimDuration, SimTime};

use crate::observation::RateHistory;
use crate::{
    Action, MetricOutcome, MetricQuery, Observation, Proposal, Recommendation, ScalingPolicy, Schedule, Step, Trail,
};

const MINUTE_NS: u64 = 60_000_000_000;
const MINUTES_PER_DAY: i64 = 1_440;
/// Division noise: 3.0000000004 replicas are 3.
const CEIL_SLACK: f64 = 1e-9;

/// Parameters of the predictor.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictiveConfig {
    /// Time between forecasts; the first is made at the start.
    pub interval: SimDuration,
    /// How far ahead a forecast looks.
    pub lookahead: SimDuration,
    /// Days back at which the same time of day is looked up.
    pub days_ago: Vec<u32>,
    /// Percentile of the pooled past rates, 0..=100, interpolated linearly between order statistics.
    pub percentile: f64,
    /// Width of the window of past rates around the target time.
    pub window: SimDuration,
    /// Safety factor on the predicted rate.
    pub buffer: f64,
    /// Requests per second one replica serves within the SLO.
    pub replica_rps: f64,
    /// Least answer.
    pub replicas_min: u32,
    /// Largest answer.
    pub replicas_max: u32,
    /// What becomes of the answer.
    pub role: Role,
}

/// What a predictor does with its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A floor for the other controllers of the policy, which may go above it.
    Floor,
    /// It is alone: it writes the count, up and down, and holds it where the past says nothing.
    Alone,
    /// It writes the count, only upwards, as the naive version does.
    UpOnly,
}

/// The predictive scaler.
#[derive(Clone, Debug)]
pub struct Predictive {
    config: PredictiveConfig,
    /// Forecasts whose target time may still matter: (target time, replicas).
    forecasts: Vec<(SimTime, u32)>,
}

/// What the past says about one target time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// Percentile of the pooled rates in requests per second; `None` with too little data.
    pub rate: Option<f64>,
    /// Rates in the pool.
    pub samples: usize,
    /// Rates there would be without gaps.
    pub wanted: usize,
}

/// Pools the rates of past days around `target` and takes their percentile. With fewer samples than half of one day's window there
/// is no opinion. Missing minutes are missing, not zero.
pub fn forecast(config: &PredictiveConfig, history: &dyn RateHistory, target: SimTime) -> Forecast {
    let target_minute = (target.as_nanos() / MINUTE_NS) as i64;
    let half = (config.window.as_nanos() / MINUTE_NS / 2) as i64;
    let window = |days: &u32| {
        let center = target_minute - i64::from(*days) * MINUTES_PER_DAY;
        center - half..=center + half
    };
    let mut rates: Vec<f64> =
        config.days_ago.iter().flat_map(window).filter_map(|minute| history.rate_at_minute(minute)).collect();
    rates.sort_by(f64::total_cmp);
    let per_day = (2 * half + 1) as usize;
    let enough = rates.len() * 2 >= per_day;
    Forecast {
        rate: enough.then(|| percentile(&rates, config.percentile)),
        samples: rates.len(),
        wanted: per_day * config.days_ago.len(),
    }
}

/// Linear interpolation between order statistics at index (n − 1) · p / 100, as numpy and PromQL do. `sorted` is not empty.
fn percentile(sorted: &[f64], p: f64) -> f64 {
    let rank = (sorted.len() - 1) as f64 * p / 100.0;
    let low = rank.floor() as usize;
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (sorted[high] - sorted[low]) * (rank - low as f64)
}

/// Replicas for a predicted rate: × buffer, ÷ capacity, rounded up, within the bounds.
pub fn replicas_for(config: &PredictiveConfig, rate: f64) -> u32 {
    unbounded_replicas(config, rate).max(config.replicas_min).min(config.replicas_max)
}

fn unbounded_replicas(config: &PredictiveConfig, rate: f64) -> u32 {
    (rate * config.buffer / config.replica_rps - CEIL_SLACK).ceil().max(0.0) as u32
}

impl Predictive {
    /// A predictor that has made no forecast yet.
    pub fn new(config: PredictiveConfig) -> Self {
        Self { config, forecasts: Vec::new() }
    }

    /// The largest forecast whose target lies between now and one interval past the lookahead.
    fn standing(&mut self, now: SimTime) -> u32 {
        self.forecasts.retain(|&(target, _)| target >= now);
        self.forecasts.iter().map(|&(_, replicas)| replicas).max().unwrap_or(self.config.replicas_min)
    }
}

impl ScalingPolicy for Predictive {
    fn name(&self) -> &'static str {
        "predictive"
    }

    fn schedule(&self) -> Schedule {
        Schedule { period: self.config.interval, first: SimTime::ZERO }
    }

    fn queries(&self) -> &[MetricQuery] {
        &[]
    }

    fn decide(&mut self, seen: &Observation<'_>) -> Recommendation {
        let target = seen.now + self.config.lookahead;
        let found = forecast(&self.config, seen.history, target);
        let unknown = match self.config.role {
            Role::Alone => seen.counts.spec.clamp(self.config.replicas_min, self.config.replicas_max),
            Role::Floor | Role::UpOnly => self.config.replicas_min,
        };
        let predicted = found.rate.map_or(unknown, |rate| replicas_for(&self.config, rate));
        self.forecasts.push((target, predicted));
        let standing = self.standing(seen.now);
        let proposal = Proposal {
            metric: format!("P{} of past rates around {target}", self.config.percentile),
            value: found.rate,
            target: self.config.replica_rps,
            ratio: None,
            replicas: Some(predicted),
            note: match found.rate {
                Some(_) => format!("{} of {} past minutes recorded", found.samples, found.wanted),
                None => format!("no opinion: only {} of {} past minutes recorded", found.samples, found.wanted),
            },
            age: None,
            outcome: if found.rate.is_some() { MetricOutcome::Read } else { MetricOutcome::Empty { as_zero: false } },
        };
        let wanted = found.rate.map(|rate| unbounded_replicas(&self.config, rate));
        let clipped = wanted.filter(|wanted| *wanted > predicted).map(|wanted| Step {
            name: "forecast bounds",
            before: wanted,
            after: predicted,
            note: format!("the forecast asks for more than replicasMax {}", self.config.replicas_max),
        });
        let held = Step {
            name: "standing forecasts",
            before: predicted,
            after: standing,
            note: "largest forecast not yet past".into(),
        };
        let (action, reason) = match self.config.role {
            Role::UpOnly if predicted > seen.counts.spec => (Action::Scale(predicted), "Prescaled"),
            Role::UpOnly => (Action::Hold, "AlreadyEnough"),
            Role::Alone if standing == seen.counts.spec => (Action::Hold, "AsForecast"),
            Role::Alone => (Action::Scale(standing), "Prescaled"),
            Role::Floor if standing == seen.floor => (Action::Hold, "FloorUnchanged"),
            Role::Floor => (Action::Floor(standing), "FloorSet"),
        };
        Recommendation {
            action,
            trail: Trail {
                proposals: vec![proposal],
                raw: Some(predicted),
                steps: clipped.into_iter().chain([held]).collect(),
                reason,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Counts;

    /// A past that is the same rate every minute, save for what `at` says.
    struct Past<F: Fn(i64) -> Option<f64>>(F);

    impl<F: Fn(i64) -> Option<f64>> RateHistory for Past<F> {
        fn rate_at_minute(&self, minute: i64) -> Option<f64> {
            (self.0)(minute)
        }
    }

    fn article() -> PredictiveConfig {
        PredictiveConfig {
            interval: SimDuration::from_secs(300),
            lookahead: SimDuration::from_secs(900),
            days_ago: vec![7, 14],
            percentile: 90.0,
            window: SimDuration::from_secs(1_800),
            buffer: 1.2,
            replica_rps: 500.0,
            replicas_min: 2,
            replicas_max: 20,
            role: Role::Floor,
        }
    }

    fn seen(history: &dyn RateHistory, now: SimTime, floor: u32) -> Observation<'_> {
        let counts = Counts { spec: 3, ..Counts::default() };
        Observation {
            now,
            counts,
            floor,
            pods: &[],
            metrics: &[],
            provenance: &[],
            arrivals: 0,
            completions: 0,
            queue: 0,
            in_flight: 0,
            history,
        }
    }

    #[test]
    fn two_thousand_requests_a_second_need_five_replicas_of_five_hundred() {
        // 2000 x 1.2 / 500 = 4.8.
        let past = Past(|_| Some(2_000.0));
        let answer = Predictive::new(article()).decide(&seen(&past, SimTime::ZERO, 0));
        assert_eq!(answer.action, Action::Floor(5));
    }

    #[test]
    fn an_idle_past_leaves_the_floor_of_two() {
        let past = Past(|_| Some(0.0));
        assert_eq!(Predictive::new(article()).decide(&seen(&past, SimTime::ZERO, 0)).action, Action::Floor(2));
    }

    #[test]
    fn without_enough_past_there_is_no_opinion() {
        let past = Past(|minute| (minute % 3 == 0).then_some(9_000.0));
        let mut config = article();
        config.days_ago = vec![7];
        let answer = Predictive::new(config).decide(&seen(&past, SimTime::ZERO, 0));
        assert_eq!(answer.action, Action::Floor(2));
        assert!(answer.trail.proposals[0].note.contains("no opinion"));
    }

    #[test]
    fn a_past_spike_raises_the_floor_fifteen_minutes_ahead_and_lets_it_fall_after() {
        // A busy half hour exactly a week before 02:00..02:30.
        let past = Past(|minute| Some(if (120 - 10_080..150 - 10_080).contains(&minute) { 3_000.0 } else { 100.0 }));
        let mut config = article();
        config.days_ago = vec![7];
        let mut predictor = Predictive::new(config);
        let mut floor = 2;
        let mut raised = Vec::new();
        for pass in 0..48 {
            let now = SimTime::from_secs(pass * 300);
            if let Action::Floor(next) = predictor.decide(&seen(&past, now, floor)).action {
                floor = next;
                raised.push((now.as_secs() / 60, next));
            }
        }
        // P90 of 31 minutes sees the spike once 4 of them are in it: 02:04 - 15 min = 01:49 before, so the 01:35 pass (target 01:50).
        assert_eq!(raised.first(), Some(&(95, 8)));
        assert_eq!(raised.last().map(|last| last.1), Some(2));
    }

    #[test]
    fn alone_it_writes_the_count_up_and_down_and_holds_what_it_knows_nothing_of() {
        let config = PredictiveConfig { role: Role::Alone, ..article() };
        let after = |past: Past<fn(i64) -> Option<f64>>| {
            Predictive::new(config.clone()).decide(&seen(&past, SimTime::ZERO, 0)).action
        };
        assert_eq!(after(Past(|_| Some(4_000.0))), Action::Scale(10));
        assert_eq!(after(Past(|_| Some(10.0))), Action::Scale(2));
        assert_eq!(after(Past(|_| None)), Action::Hold);
    }

    #[test]
    fn the_naive_version_only_ever_writes_upwards() {
        let mut config = article();
        config.role = Role::UpOnly;
        let busy = Past(|_| Some(4_000.0));
        let calm = Past(|_| Some(10.0));
        assert_eq!(Predictive::new(config.clone()).decide(&seen(&busy, SimTime::ZERO, 0)).action, Action::Scale(10));
        assert_eq!(Predictive::new(config).decide(&seen(&calm, SimTime::ZERO, 0)).action, Action::Hold);
    }
}
