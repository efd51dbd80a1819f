//! How long engine iterations take: one by one, and many at once.
//!
//! Time inside an engine is counted in 2^-20 ns, so that every coefficient is a whole number and the sum of many iterations is an
//! integer that does not depend on how it was added up. What an engine shows (answers, tokens) happens at the whole nanosecond its
//! clock has reached, rounded down; the fraction is carried on and no error accumulates.

use std::sync::Arc;

use exporters::HistogramSignal;

use super::pace::Pace;
pub use crate::flow::latency::FRACTION_BITS;
use crate::flow::latency::LatencyLog;
use crate::spec::{IterationLaw, PassTime, time_of};

/// Sums of durations stay below this (73 minutes): a longer iteration is cut to it, a longer run of iterations is split.
const SPAN_MAX: u64 = 1 << 62;

/// Passes with more tokens than this are worked out one by one, along the last line of the table.
const TABLE_MAX: u64 = 1 << 20;

/// What one iteration computes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    /// Sequences that decode.
    pub decodes: u64,
    /// All sequences, those included whose prompt is processed.
    pub sequences: u64,
    /// Tokens in the cache of the decoding sequences when it is over, in the units of the pace.
    pub kv_decoding: u64,
    /// Tokens in the cache of the others then.
    pub kv_prefilling: u64,
    /// Prompt tokens it processes.
    pub prompt: u64,
    /// Twice the sum over chunks of prompts of tokens x (tokens before them + half the tokens): how much attention they take.
    pub context_twice: u64,
}

impl Work {
    /// Adds a chunk of `tokens` of a prompt of which `before` tokens are in the cache.
    pub fn add_chunk(&mut self, tokens: u64, before: u64) {
        self.sequences += 1;
        self.kv_prefilling += before + tokens;
        self.prompt += tokens;
        self.context_twice += tokens.saturating_mul(2 * before + tokens);
    }
}

/// Bits of what a token of context costs beyond those of time.
const CONTEXT_BITS: u32 = 12;
/// A nanosecond in the unit of what a token of context costs.
const CONTEXT_UNIT: f64 = (1u64 << (FRACTION_BITS + CONTEXT_BITS)) as f64;

/// An [`IterationLaw`] in whole numbers: all coefficients in 2^-20 ns.
#[derive(Clone, Debug)]
pub struct Curve {
    shortest: u64,
    /// Per unit of the pace.
    per_kv_token: u64,
    per_sequence: u64,
    /// Per token x token of [`Work::context_twice`], in 2^-32 ns: there are many of them.
    per_context_half: u64,
    counts_decodes_only: bool,
    pass: Pass,
    pace: Pace,
    /// What guessing takes.
    draft: u64,
}

#[derive(Clone, Debug)]
enum Pass {
    Linear { base: u64, per_prompt_token: u64 },
    Table { decode: Times, prefill: Times },
}

/// Time by tokens of a pass, from none on.
#[derive(Clone, Debug)]
struct Times {
    table: Arc<[u64]>,
    /// Per token beyond the table.
    slope: u64,
}

impl Times {
    /// The times of `points`, each times `factor`, for passes of at most `tokens_max`.
    fn new(points: &[(u32, f64)], factor: f64, tokens_max: u64) -> Self {
        let length = tokens_max.min(TABLE_MAX) as u32;
        let time = |tokens: u32| fixed(factor * time_of(points, f64::from(tokens)));
        let table: Arc<[u64]> = (0..=length).map(time).collect();
        Self { slope: time(length.saturating_add(1)).saturating_sub(table[length as usize]), table }
    }

    #[inline]
    fn of(&self, tokens: u64) -> u64 {
        let last = self.table.len() as u64 - 1;
        let inside = self.table[tokens.min(last) as usize];
        if tokens <= last { inside } else { inside.saturating_add(self.slope.saturating_mul(tokens - last)) }
    }
}

/// Nanoseconds in 2^-20 ns; `as` saturates, and so do the sums.
fn fixed(nanos: f64) -> u64 {
    (nanos * f64::from(1 << FRACTION_BITS)).round() as u64
}

/// Whole nanoseconds in 2^-20 of them, as long as an iteration at most.
pub fn in_fractions(nanos: u64) -> u64 {
    nanos.min(SPAN_MAX >> FRACTION_BITS) << FRACTION_BITS
}

impl Curve {
    /// `law` for an engine whose passes have at most `tokens_max` tokens. An iteration takes at least a nanosecond.
    pub fn of(law: &IterationLaw, tokens_max: u64) -> Self {
        let (pass, decode_factor, prefill_factor) = match &law.pass {
            PassTime::Linear { base, ns_per_prompt_token } => {
                let per_prompt_token = fixed(*ns_per_prompt_token);
                (Pass::Linear { base: in_fractions(base.as_nanos()), per_prompt_token }, 1.0, 1.0)
            }
            PassTime::Table { points, decode_factor, prefill_factor } => {
                let [decode, prefill] =
                    [decode_factor, prefill_factor].map(|factor| Times::new(points, *factor, tokens_max));
                (Pass::Table { decode, prefill }, *decode_factor, *prefill_factor)
            }
        };
        Self {
            shortest: in_fractions(law.shortest.as_nanos().max(1)),
            per_kv_token: fixed(decode_factor * law.ns_per_kv_token),
            per_sequence: fixed(law.ns_per_sequence),
            per_context_half: (prefill_factor * law.ns_per_prompt_token_context / 2.0 * CONTEXT_UNIT).round() as u64,
            counts_decodes_only: law.counts_decodes_only(),
            pass,
            pace: Pace::ONE,
            draft: 0,
        }
    }

    /// The same for sequences that gain tokens at `pace`, where guessing takes `draft` nanoseconds of each iteration.
    pub fn with_drafts(mut self, pace: Pace, draft: u64) -> Self {
        // Half a unit: 2^-21 ns.
        let half = (1u64 << pace.bits) >> 1;
        self.per_kv_token = self.per_kv_token.saturating_add(half) >> pace.bits;
        self.draft = in_fractions(draft);
        self.shortest = self.shortest.saturating_add(self.draft).min(SPAN_MAX);
        self.pace = pace;
        self
    }

    /// One iteration.
    pub fn iteration(&self, work: &Work) -> u64 {
        let prompts = match &self.pass {
            Pass::Linear { per_prompt_token, .. } => per_prompt_token.saturating_mul(work.prompt),
            Pass::Table { prefill, .. } => {
                let decodes = work.decodes * self.pace.width;
                prefill.of(decodes + work.prompt) - prefill.of(decodes)
            }
        };
        let kv = work.kv_decoding + if self.counts_decodes_only { 0 } else { work.kv_prefilling << self.pace.bits };
        self.decoding(kv, work.decodes, work.sequences)
            .saturating_add(prompts)
            .saturating_add(self.context(work))
            .max(self.shortest)
            .min(SPAN_MAX)
    }

    /// What attention of the prompts' chunks takes, rounded half up: it is not part of a run of iterations.
    #[inline]
    fn context(&self, work: &Work) -> u64 {
        if work.context_twice == 0 {
            return 0;
        }
        let fine = u128::from(self.per_context_half) * u128::from(work.context_twice);
        u64::try_from((fine + (1 << (CONTEXT_BITS - 1))) >> CONTEXT_BITS).unwrap_or(u64::MAX)
    }

    /// What decoding takes, the floor aside.
    fn decoding(&self, kv: u64, decodes: u64, sequences: u64) -> u64 {
        let base = match &self.pass {
            Pass::Linear { base, .. } => *base,
            Pass::Table { decode, .. } => decode.of(decodes * self.pace.width),
        };
        base.saturating_add(self.draft)
            .saturating_add(self.per_kv_token.saturating_mul(kv))
            .saturating_add(self.per_sequence.saturating_mul(sequences))
    }

    /// One iteration, by `delay` longer than the law has it, as a run of its own.
    pub fn single(&self, work: &Work, delay: u64) -> Run {
        Run::of(self.iteration(work).saturating_add(delay).min(SPAN_MAX))
    }

    /// Up to `count` iterations of `sequences` decoding sequences, the first with `kv` tokens in the units of the pace: each adds its gain per
    /// sequence.
    pub fn rising(&self, kv: u64, sequences: u64, count: u64) -> Run {
        let slope = self.per_kv_token.saturating_mul(sequences * self.pace.gain);
        let start = self.decoding(kv, sequences, sequences).min(SPAN_MAX);
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
    /// The first duration of `run`, which has been counted, was longer by `waited` for one sequence.
    pub(super) fn delay_first(&mut self, run: &Run, waited: u64) {
        let Some(buckets) = self.buckets_mut(HistogramSignal::InterToken) else { return };
        let counted = buckets.bucket_of(run.duration(0));
        let right = buckets.bucket_of(run.duration(0) + waited);
        buckets.counts[counted] -= 1;
        buckets.counts[right] += 1;
        buckets.sum += u128::from(waited);
    }

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

    use super::*;

    /// A law, with a table in place of base and prompt time if it has points.
    fn curve(
        (shortest, base): (u64, u64),
        (ns_per_kv_token, ns_per_sequence): (f64, f64),
        points: &[(u32, f64)],
    ) -> Curve {
        let [shortest, base] = [shortest, base].map(SimDuration::from_nanos);
        let pass = if points.is_empty() {
            PassTime::Linear { base, ns_per_prompt_token: 20_000.0 }
        } else {
            PassTime::Table { points: points.into(), decode_factor: 1.5, prefill_factor: 0.5 }
        };
        let law = IterationLaw { shortest, pass, ns_per_kv_token, ns_per_sequence, ns_per_prompt_token_context: 0.0 };
        Curve::of(&law, 2_048)
    }

    fn tables() -> impl Strategy<Value = Vec<(u32, f64)>> {
        let steps = prop::collection::vec((1u32..200, 0.0..9e6), 2..6);
        let added = |steps: Vec<(u32, f64)>| {
            let add = |sum: &mut (u32, f64), step: (u32, f64)| {
                *sum = (sum.0 + step.0, sum.1 + step.1);
                Some(*sum)
            };
            steps.into_iter().scan((0, 0.0), add).collect()
        };
        prop_oneof![Just(Vec::new()), steps.prop_map(added)]
    }

    proptest! {
        #[test]
        fn a_run_is_the_sum_of_its_iterations(
            (shortest, base) in (1u64..20_000_000, 0u64..20_000_000),
            (per_kv_token, per_sequence) in (prop_oneof![Just(0.0), 0.0..200.0], 0.0..1_000.0),
            (kv, sequences, count) in (0u64..400_000, 1u64..300, 1u64..2_000),
            (share, points) in (0.0..1.1, tables()),
        ) {
            let curve = curve((shortest, base), (per_kv_token, per_sequence), &points);
            let run = curve.rising(kv, sequences, count);
            prop_assert_eq!(run.count, count);
            let work = |index| Work { decodes: sequences, sequences, kv_decoding: kv + sequences * index, ..Work::default() };
            let durations = (0..count).map(|index| curve.iteration(&work(index)));
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
        let curve = curve((u64::MAX, u64::MAX), (1e30, 1e30), &[]);
        let run = curve.rising(1 << 40, 1 << 20, 1 << 30);
        assert_eq!((run.count, run.span(1)), (1, SPAN_MAX));
    }
}
