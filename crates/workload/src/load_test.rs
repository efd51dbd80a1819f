//! Load tests: stages of requests at a rate, or of clients that each wait for their answer, as the tools that run them make them.
//!
//! This module knows what a stage is and when its requests are due; who waits for whom is the business of [`crate::LoadDriver`].

use std::sync::Arc;

use units::{SimDuration, SimTime};

use crate::exponential::BLOCK;
use crate::{Distribution, DistributionError, Purpose, Sampler, Stream, nanos};

const NANOS_PER_SECOND: f64 = 1e9;

/// A load test.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadTest {
    /// When its first stage begins.
    pub start: SimDuration,
    /// Its stages, one after another.
    pub stages: Vec<Stage>,
    /// A stage begins when every request of those before it has ended, so long after the last end: what the tool takes to notice and to get
    /// ready. `None`: it begins when the time of the one before is over.
    pub drain: Option<SimDuration>,
}

/// One stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Who sends when.
    pub load: StageLoad,
    /// How long it goes on.
    pub length: StageLength,
    /// Pause after it.
    pub gap: SimDuration,
}

/// Who sends when.
#[derive(Clone, Debug, PartialEq)]
pub enum StageLoad {
    /// Requests come at a rate, whatever becomes of those before.
    Open {
        /// Requests per second.
        rate: f64,
        /// How they are placed.
        arrivals: ArrivalRule,
        /// Requests that are under way at most; one that is due waits for another to end, and its time counts from when it is sent.
        concurrency_max: Option<u32>,
    },
    /// Clients send one request after another, the next when the last has ended.
    Closed {
        /// Clients.
        concurrency: u32,
        /// They begin spread evenly over this time; zero is all at once.
        ramp: SimDuration,
        /// Seconds from an answer to the client's next request.
        delay: Distribution,
    },
}

/// How long a stage goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageLength {
    /// Nothing is sent later than this. At a rate that is ⌊rate × duration⌋ requests, where the rule gives exact counts.
    Duration(SimDuration),
    /// So many requests.
    Requests(u64),
}

/// How the requests of a stage are placed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ArrivalRule {
    /// A Poisson process: over a duration its count is random.
    Poisson,
    /// Gaps of a gamma distribution of this shape, stretched so that the last request comes at the very end: an exact count. Shape 1 has
    /// exponential gaps.
    Gamma {
        /// Shape; below 1 burstier than Poisson.
        shape: f64,
    },
    /// A Poisson number for every second, the last of them at its end, until the count is reached.
    PerSecondPoisson,
    /// Equal gaps.
    Even,
}

/// Why a load test cannot be run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoadTestError {
    /// It has no stages.
    #[error("needs at least one stage")]
    NoStages,
    /// A stage sends nothing.
    #[error("stage {stage} sends no request")]
    Nothing {
        /// Its number, from 1.
        stage: usize,
    },
    /// The delay of its clients is broken.
    #[error("stage {stage}: delay: {error}")]
    Delay {
        /// Its number, from 1.
        stage: usize,
        /// What is wrong.
        error: DistributionError,
    },
}

impl LoadTest {
    /// Whether it can be run; everything else here relies on it.
    pub fn validate(&self) -> Result<(), LoadTestError> {
        if self.stages.is_empty() {
            return Err(LoadTestError::NoStages);
        }
        for (stage, spec) in (1..).zip(&self.stages) {
            let sends = match &spec.load {
                StageLoad::Open { rate, arrivals, concurrency_max } => {
                    let is_shaped =
                        !matches!(arrivals, ArrivalRule::Gamma { shape } if !(*shape > 0.0 && shape.is_finite()));
                    rate.is_finite()
                        && *rate > 0.0
                        && is_shaped
                        && *concurrency_max != Some(0)
                        && spec.count() > Some(0)
                }
                StageLoad::Closed { concurrency, delay, .. } => {
                    delay.validate().map_err(|error| LoadTestError::Delay { stage, error })?;
                    *concurrency > 0
                        && spec.length != StageLength::Requests(0)
                        && spec.length != StageLength::Duration(SimDuration::ZERO)
                }
            };
            if !sends {
                return Err(LoadTestError::Nothing { stage });
            }
        }
        Ok(())
    }

    /// Whether when requests are sent depends on when others end.
    pub fn follows_answers(&self) -> bool {
        let waits = |stage: &Stage| !matches!(stage.load, StageLoad::Open { concurrency_max: None, .. });
        self.drain.is_some() && self.stages.len() > 1 || self.stages.iter().any(waits)
    }
}

impl Stage {
    /// Requests it sends, where that is known.
    pub fn count(&self) -> Option<u64> {
        match (&self.load, self.length) {
            (_, StageLength::Requests(count)) => Some(count),
            // As the tools do: the product is cut, not rounded.
            (StageLoad::Open { rate, .. }, StageLength::Duration(duration)) => {
                Some((rate * duration.as_secs_f64()) as u64)
            }
            (StageLoad::Closed { .. }, StageLength::Duration(_)) => None,
        }
    }

    /// The time its requests are meant to take, nanoseconds; nothing for clients that send a number of them.
    pub(crate) fn nominal_ns(&self) -> f64 {
        match (&self.load, self.length) {
            (_, StageLength::Duration(duration)) => duration.as_nanos() as f64,
            (StageLoad::Open { rate, .. }, StageLength::Requests(count)) => count as f64 / rate * NANOS_PER_SECOND,
            (StageLoad::Closed { .. }, StageLength::Requests(_)) => 0.0,
        }
    }
}

/// When the requests of a stage with a rate are due, in nanoseconds from its start, ascending.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    kind: Kind,
    stream: Stream,
    /// Left to send; `None`: until the end of the stage.
    left: Option<u64>,
    at_ns: f64,
    end_ns: f64,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Exponential gaps with this mean.
    Poisson { gap_ns: f64 },
    /// Gaps of a sampler, each times a factor.
    Scaled { gaps: Sampler, factor: f64 },
    /// Second by second: how many are left of this one, its start, the factor of its gaps.
    PerSecond { rate: f64, left: u64, start_ns: f64, factor: f64 },
}

impl Schedule {
    /// Of a stage with a rate.
    pub fn new(stage: &Stage, number: usize, seed: u64) -> Self {
        let StageLoad::Open { rate, arrivals, .. } = stage.load else { panic!("stage {number} has clients, no rate") };
        let stream = Stream::new(seed, Purpose::LoadStage, number as u64);
        let (count, end_ns) = (stage.count().unwrap_or(0), stage.nominal_ns());
        let is_counted = matches!(stage.length, StageLength::Requests(_));
        let (kind, left) = match arrivals {
            ArrivalRule::Poisson => (Kind::Poisson { gap_ns: NANOS_PER_SECOND / rate }, is_counted.then_some(count)),
            ArrivalRule::PerSecondPoisson => {
                (Kind::PerSecond { rate, left: 0, start_ns: -NANOS_PER_SECOND, factor: 0.0 }, Some(count))
            }
            ArrivalRule::Even => (scaled(&Distribution::Constant(1.0), &stream, (count, end_ns)), Some(count)),
            ArrivalRule::Gamma { shape } => {
                let gaps = if shape == 1.0 {
                    Distribution::Exponential { mean: 1.0 }
                } else {
                    Distribution::Gamma { mean: 1.0, cv: 1.0 / shape.sqrt() }
                };
                (scaled(&gaps, &stream, (count, end_ns)), Some(count))
            }
        };
        let end_ns = if is_counted { f64::INFINITY } else { end_ns };
        Self { kind, stream, left, at_ns: 0.0, end_ns }
    }

    /// Draws a Poisson number for each second until one has any.
    fn next_second(&mut self) {
        let Kind::PerSecond { rate, left, start_ns, factor } = &mut self.kind else { return };
        while *left == 0 {
            *start_ns += NANOS_PER_SECOND;
            let mut within = exponential(&mut self.stream);
            while within < *rate {
                *left += 1;
                within += exponential(&mut self.stream);
            }
            self.at_ns = *start_ns;
        }
        let mut ahead = self.stream.clone();
        let sum: f64 = (0..*left).map(|_| exponential(&mut ahead)).sum();
        *factor = NANOS_PER_SECOND / sum;
    }
}

impl Iterator for Schedule {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.left == Some(0) {
            return None;
        }
        if matches!(self.kind, Kind::PerSecond { left: 0, .. }) {
            self.next_second();
        }
        self.at_ns += match &mut self.kind {
            Kind::Poisson { gap_ns } => exponential(&mut self.stream) * *gap_ns,
            Kind::Scaled { gaps, factor } => gaps.sample(&mut self.stream) * *factor,
            Kind::PerSecond { left, factor, .. } => {
                *left -= 1;
                exponential(&mut self.stream) * *factor
            }
        };
        if self.left.is_none() && self.at_ns >= self.end_ns {
            return None;
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        Some(nanos::round_below(self.at_ns, (1_u64 << 51) as f64))
    }
}

/// Gaps that add up to the whole length: their sum is taken first, over the very numbers that are drawn again.
fn scaled(gaps: &Distribution, stream: &Stream, (count, length_ns): (u64, f64)) -> Kind {
    let (gaps, mut ahead) = (gaps.sampler(), stream.clone());
    let sum: f64 = (0..count).map(|_| gaps.sample(&mut ahead)).sum();
    Kind::Scaled { gaps, factor: if sum > 0.0 { length_ns / sum } else { 0.0 } }
}

fn exponential(stream: &mut Stream) -> f64 {
    -libm::log1p(-stream.uniform())
}

/// Reads the requests of a load test that waits for no answer.
pub(crate) struct StageWalk {
    test: Arc<LoadTest>,
    seed: u64,
    end_ns: u64,
    /// The stage under way, when it began, and what is left of it.
    stage: usize,
    start_ns: u64,
    last_ns: u64,
    schedule: Option<Schedule>,
}

impl StageWalk {
    /// Starts with the first stage; nothing arrives at or after `end`. A test that waits for answers has no requests here.
    pub fn new(test: &Arc<LoadTest>, seed: u64, end: SimTime) -> Self {
        let schedule = (!test.follows_answers()).then(|| Schedule::new(&test.stages[0], 0, seed));
        let start_ns = test.start.as_nanos();
        Self { test: Arc::clone(test), seed, end_ns: end.as_nanos(), stage: 0, start_ns, last_ns: start_ns, schedule }
    }

    /// Appends the next block of arrivals; false, and nothing appended, at the end.
    pub fn fill(&mut self, arrival_ns: &mut Vec<u64>) -> bool {
        let before = arrival_ns.len();
        while arrival_ns.len() < before + BLOCK
            && let Some(schedule) = &mut self.schedule
        {
            match schedule.next() {
                Some(offset_ns) => {
                    self.last_ns = self.start_ns + offset_ns;
                    if self.last_ns >= self.end_ns {
                        self.schedule = None;
                        break;
                    }
                    arrival_ns.push(self.last_ns);
                }
                None => self.next_stage(),
            }
        }
        arrival_ns.len() > before
    }

    fn next_stage(&mut self) {
        let over = &self.test.stages[self.stage];
        self.start_ns = self.last_ns.max(self.start_ns + over.nominal_ns() as u64) + over.gap.as_nanos();
        self.stage += 1;
        let next = self.test.stages.get(self.stage);
        self.schedule = next.map(|stage| Schedule::new(stage, self.stage, self.seed));
        self.last_ns = self.start_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(rate: f64, length: StageLength, arrivals: ArrivalRule) -> Stage {
        let load = StageLoad::Open { rate, arrivals, concurrency_max: None };
        Stage { load, length, gap: SimDuration::ZERO }
    }

    fn offsets(stage: &Stage) -> Vec<u64> {
        Schedule::new(stage, 0, 5).collect()
    }

    #[test]
    fn exact_rules_send_the_product_of_rate_and_duration_the_last_at_the_very_end() {
        let minute = StageLength::Duration(SimDuration::from_secs(60));
        for rule in [ArrivalRule::Even, ArrivalRule::Gamma { shape: 1.0 }, ArrivalRule::Gamma { shape: 0.25 }] {
            let at = offsets(&open(7.31, minute, rule));
            assert_eq!(at.len(), 438, "{rule:?}");
            assert!(at[437].abs_diff(60_000_000_000) <= 1, "{rule:?} ends at {}", at[437]);
            assert!(at.is_sorted() && at[0] > 0);
        }
    }

    #[test]
    fn a_number_of_requests_takes_that_many_gaps() {
        let at = offsets(&open(4.0, StageLength::Requests(100), ArrivalRule::Even));
        assert_eq!((at.len(), at[0], at[99]), (100, 250_000_000, 25_000_000_000));
    }

    #[test]
    fn burstiness_is_that_of_the_shape() {
        let at = offsets(&open(100.0, StageLength::Requests(40_000), ArrivalRule::Gamma { shape: 0.25 }));
        let gaps: Vec<f64> = at.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean) * (gap - mean)).sum::<f64>() / gaps.len() as f64;
        // The squared coefficient of variation is 1 / shape; its standard error here is about 2 %.
        assert!((variance / (mean * mean) / 4.0 - 1.0).abs() < 0.08, "{}", variance / (mean * mean));
    }

    #[test]
    fn seconds_have_poisson_numbers_that_end_with_the_second_and_add_up_to_the_count() {
        let stage = open(5.0, StageLength::Duration(SimDuration::from_secs(2_000)), ArrivalRule::PerSecondPoisson);
        let at = offsets(&stage);
        assert_eq!(at.len(), 10_000);
        let (mut counts, mut whole) = (std::collections::BTreeMap::<u64, u64>::new(), 0);
        for offset in &at {
            *counts.entry(offset.div_ceil(1_000_000_000)).or_default() += 1;
            whole += u64::from(offset % 1_000_000_000 <= 1 || offset % 1_000_000_000 == 999_999_999);
        }
        // All seconds but the empty ones (one in e^5) and perhaps the last have a request at their end.
        assert!(whole + 2 >= counts.len() as u64, "{whole} of {}", counts.len());
        let variance = counts.values().map(|count| (*count as f64 - 5.0).powi(2)).sum::<f64>() / 2_000.0;
        assert!((variance / 5.0 - 1.0).abs() < 0.15, "{variance}");
    }

    #[test]
    fn a_poisson_stage_has_a_random_count_and_ends_with_its_duration() {
        let stage = open(10.0, StageLength::Duration(SimDuration::from_secs(1_000)), ArrivalRule::Poisson);
        let at = offsets(&stage);
        assert!(at.len() != 10_000 && at.len().abs_diff(10_000) < 400, "{}", at.len());
        assert!(at[at.len() - 1] < 1_000_000_000_000);
    }

    #[test]
    fn stages_follow_each_other_with_their_gaps() {
        let ten = StageLength::Duration(SimDuration::from_secs(10));
        let with_gap = Stage { gap: SimDuration::from_secs(3), ..open(1.0, ten, ArrivalRule::Even) };
        let test = LoadTest { start: SimDuration::from_secs(2), stages: vec![with_gap.clone(), with_gap], drain: None };
        test.validate().unwrap();
        let (mut walk, mut at) = (StageWalk::new(&Arc::new(test), 1, SimTime::from_secs(20)), Vec::new());
        while walk.fill(&mut at) {}
        let seconds: Vec<u64> = at.iter().map(|at| at / 1_000_000_000).collect();
        assert_eq!(seconds, [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16, 17, 18, 19]);
    }
}
