//! How long engine iterations take: one by one, and many at once.
//!
//! Time inside an engine is counted in 2^-20 ns, so that every coefficient is a whole number and the sum of many iterations is an
//! integer that does not depend on how it was added up. What an engine shows (answers, tokens) happens at the whole nanosecond its
//! clock has reached, rounded down; the fraction is carried on and no error accumulates.

use exporters::HistogramSignal;

pub use crate::flow::latency::FRACTION_BITS;
use crate::flow::latency::LatencyLog;
use crate::spec::ServiceModel;

/// Sums of durations stay below this (73 minutes): a longer iteration is cut to it, a longer run of iterations is split.
const SPAN_MAX: u64 = 1 << 62;

/// The service curve: one iteration takes
/// `max(iteration_min, iteration_base + ns_per_kv_token * K + ns_per_sequence * sequences + ns_per_prompt_token * prompt)`,
/// where K counts the tokens its sequences have in the KV cache when it is over: prompt (as far as it is processed) plus output so far.
/// All coefficients in 2^-20 ns.
#[derive(Clone, Copy, Debug)]
pub struct Curve {
    shortest: u64,
    base: u64,
    per_kv_token: u64,
    per_sequence: u64,
    per_prompt_token: u64,
}

impl Curve {
    /// The curve of a `continuousBatching` service; panics for any other. An iteration takes at least a nanosecond.
    pub fn of(model: &ServiceModel) -> Self {
        let ServiceModel::ContinuousBatching {
            iteration_min,
            iteration_base,
            ns_per_kv_token,
            ns_per_prompt_token,
            ns_per_sequence,
            ..
        } = model
        else {
            panic!("only a continuousBatching service has iterations");
        };
        // `as` saturates; so do the sums below.
        let fixed = |nanos: f64| (nanos * f64::from(1 << FRACTION_BITS)).round() as u64;
        let whole = |nanos: u64| nanos.min(SPAN_MAX >> FRACTION_BITS) << FRACTION_BITS;
        Self {
            shortest: whole(iteration_min.as_nanos().max(1)),
            base: whole(iteration_base.as_nanos()),
            per_kv_token: fixed(*ns_per_kv_token),
            per_sequence: fixed(*ns_per_sequence),
            per_prompt_token: fixed(*ns_per_prompt_token),
        }
    }

    /// One iteration with `kv` tokens in the cache when it is over.
    pub fn iteration(&self, kv: u64, sequences: u64, prompt: u64) -> u64 {
        let work = self
            .base
            .saturating_add(self.per_kv_token.saturating_mul(kv))
            .saturating_add(self.per_sequence.saturating_mul(sequences))
            .saturating_add(self.per_prompt_token.saturating_mul(prompt));
        work.max(self.shortest).min(SPAN_MAX)
    }

    /// One iteration as a run of its own.
    pub fn single(&self, kv: u64, sequences: u64, prompt: u64) -> Run {
        Run::of(self.iteration(kv, sequences, prompt))
    }

    /// Up to `count` iterations of `sequences` decoding sequences, the first with `kv` tokens: each adds one token per sequence.
    pub fn rising(&self, kv: u64, sequences: u64, count: u64) -> Run {
        let slope = self.per_kv_token.saturating_mul(sequences);
        let start = self.base.saturating_add(self.per_kv_token.saturating_mul(kv));
        let start = start.saturating_add(self.per_sequence.saturating_mul(sequences)).min(SPAN_MAX);
        let last = slope.saturating_mul(count).saturating_add(start).clamp(self.shortest, SPAN_MAX);
        // Splitting a run changes nothing but the number of steps it is simulated in.
        let count = if count.saturating_mul(last) < SPAN_MAX { count } else { (SPAN_MAX / last).clamp(1, count) };
        let flat = match self.shortest.saturating_sub(start) {
            0 => 0,
            _ if slope == 0 => count,
            short => short.div_ceil(slope).min(count),
        };
        Run { shortest: self.shortest, start, slope, flat, count }
    }
}

/// Iterations in a row whose durations are `max(shortest, start + slope * i)` for i in 0..count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    shortest: u64,
    start: u64,
    slope: u64,
    /// How many of them take `shortest` because `start + slope * i` is below it.
    flat: u64,
    /// How many there are.
    pub count: u64,
}

impl Run {
    /// One iteration.
    pub fn of(duration: u64) -> Self {
        Self { shortest: duration, start: duration, slope: 0, flat: 0, count: 1 }
    }

    /// Duration of iteration `index`.
    #[inline]
    pub fn duration(&self, index: u64) -> u64 {
        self.shortest.max(self.start + self.slope * index)
    }

    /// Time of the first `count` iterations together.
    #[inline]
    pub fn span(&self, count: u64) -> u64 {
        let flat = count.min(self.flat);
        let rest = count - flat;
        if rest == 0 {
            return flat * self.shortest;
        }
        flat * self.shortest + rest * (self.start + self.slope * flat) + self.slope * (rest * (rest - 1) / 2)
    }

    /// How many iterations are over after `span`: the largest n with `self.span(n) <= span`.
    #[inline]
    pub fn ended_within(&self, span: u64) -> u64 {
        let flat_span = self.flat * self.shortest;
        if span < flat_span {
            return span / self.shortest;
        }
        if self.flat == self.count {
            return self.count;
        }
        // n start + slope n (n - 1) / 2 = left, solved for n without cancellation; the loops below make it exact.
        let left = (span - flat_span) as f64;
        let slope = self.slope as f64;
        let linear = (self.start + self.slope * self.flat) as f64 - slope / 2.0;
        let root = 2.0 * left / (linear + (linear * linear + 2.0 * slope * left).sqrt());
        let mut ended = (self.flat + root as u64).min(self.count);
        while self.span(ended) > span {
            ended -= 1;
        }
        while ended < self.count && self.span(ended + 1) <= span {
            ended += 1;
        }
        ended
    }

    /// What is left of the run after its first `count` iterations.
    #[inline]
    pub fn after(&self, count: u64) -> Self {
        Self {
            start: self.start + self.slope * count,
            flat: self.flat.saturating_sub(count),
            count: self.count - count,
            ..*self
        }
    }

    /// Only its first `count` iterations.
    #[inline]
    pub fn first(&self, count: u64) -> Self {
        Self { flat: self.flat.min(count), count, ..*self }
    }
}

impl LatencyLog {
    /// Counts the durations of the first `count` iterations of `run` between tokens of `sequences` sequences.
    pub(super) fn record_run(&mut self, run: &Run, count: u64, sequences: u64) {
        if sequences == 0 || count == 0 {
            return;
        }
        let Some(buckets) = self.buckets_mut(HistogramSignal::InterToken) else { return };
        buckets.sum += u128::from(run.span(count)) * u128::from(sequences);
        let mut counted = 0;
        while counted < count {
            // Durations never fall: each bucket holds a stretch of them.
            let bucket = buckets.bucket_of(run.duration(counted));
            let limit = buckets.limit(bucket);
            let (mut inside, mut beyond) = (counted, count);
            if run.duration(count - 1) <= limit {
                inside = count - 1;
            }
            while beyond - inside > 1 {
                let middle = inside.midpoint(beyond);
                if run.duration(middle) <= limit { inside = middle } else { beyond = middle }
            }
            buckets.counts[bucket] += (inside + 1 - counted) * sequences;
            counted = inside + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use units::SimDuration;
    use workload::Distribution;

    use super::*;

    fn curve(shortest: u64, base: u64, per_kv_token: f64, per_sequence: f64) -> Curve {
        Curve::of(&ServiceModel::ContinuousBatching {
            sequences_max: 256,
            batched_tokens_max: 2_048,
            kv_tokens: 400_000,
            iteration_min: SimDuration::from_nanos(shortest),
            iteration_base: SimDuration::from_nanos(base),
            ns_per_kv_token: per_kv_token,
            ns_per_prompt_token: 20_000.0,
            ns_per_sequence: per_sequence,
            overhead: SimDuration::ZERO,
            prompt_tokens: Distribution::Constant(1.0),
            output_tokens: Distribution::Constant(1.0),
        })
    }

    proptest! {
        #[test]
        fn a_run_is_the_sum_of_its_iterations(
            (shortest, base) in (1u64..20_000_000, 0u64..20_000_000),
            (per_kv_token, per_sequence) in (prop_oneof![Just(0.0), 0.0..200.0], 0.0..1_000.0),
            (kv, sequences, count) in (0u64..400_000, 1u64..300, 1u64..2_000),
            share in 0.0..1.1,
        ) {
            let curve = curve(shortest, base, per_kv_token, per_sequence);
            let run = curve.rising(kv, sequences, count);
            prop_assert_eq!(run.count, count);
            let durations = (0..count).map(|index| curve.iteration(kv + sequences * index, sequences, 0));
            let mut ends = vec![0];
            for (index, duration) in durations.enumerate() {
                prop_assert_eq!(duration, run.duration(index as u64));
                ends.push(ends[index] + duration);
                prop_assert_eq!(run.span(index as u64 + 1), ends[index + 1]);
            }
            let span = (run.span(count) as f64 * share) as u64;
            let ended = ends.iter().filter(|&&end| end <= span).count() as u64 - 1;
            prop_assert_eq!(run.ended_within(span), ended);
            for exact in [ended, (ended + 1).min(count)] {
                prop_assert_eq!(run.ended_within(ends[exact as usize]), exact);
                prop_assert_eq!(run.ended_within(ends[exact as usize].saturating_sub(1)), exact.saturating_sub(1));
            }
            let rest = run.after(ended);
            prop_assert_eq!(rest.span(rest.count), run.span(count) - run.span(ended));
        }
    }

    #[test]
    fn an_iteration_of_hours_is_cut_instead_of_overflowing() {
        let curve = curve(u64::MAX, u64::MAX, 1e30, 1e30);
        let run = curve.rising(1 << 40, 1 << 20, 1 << 30);
        assert_eq!((run.count, run.span(1)), (1, SPAN_MAX));
    }
}
