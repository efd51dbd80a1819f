//! How long an engine iteration takes, by what it computes.

use std::sync::Arc;

use units::SimDuration;

/// The time of one iteration of a language-model engine. With d decode tokens (one per sequence that decodes) and p prompt tokens in it, K
/// tokens in the cache of the decoding sequences when it is over, n sequences, and A the sum of p_i (c_i + p_i / 2) over the chunks of prompts
/// in it, c_i tokens of whose sequence were in the cache before:
///
/// - [`PassTime::Table`]: `max(shortest, decode_factor (g(d) + ns_per_kv_token K) + prefill_factor (g(d + p) - g(d) +
///   ns_per_prompt_token_context A) + ns_per_sequence n)`, where g is the table.
/// - [`PassTime::Linear`]: `max(shortest, base + ns_per_kv_token K + ns_per_sequence n + ns_per_prompt_token p + ns_per_prompt_token_context
///   A)`. Without a context term K counts the tokens of all sequences, prompts included as far as they are processed.
#[derive(Clone, Debug, PartialEq)]
pub struct IterationLaw {
    /// Shortest iteration; at least a nanosecond counts.
    pub shortest: SimDuration,
    /// Time by tokens.
    pub pass: PassTime,
    /// Added per token in the KV cache, in nanoseconds.
    pub ns_per_kv_token: f64,
    /// Added per sequence in the batch, in nanoseconds.
    pub ns_per_sequence: f64,
    /// Added per prompt token and token of context before it, in nanoseconds.
    pub ns_per_prompt_token_context: f64,
}

/// The part of an iteration's time that follows from the tokens it computes.
#[derive(Clone, Debug, PartialEq)]
pub enum PassTime {
    /// A constant, and so much per prompt token.
    Linear {
        /// Iteration time with an empty KV cache and no prompt tokens.
        base: SimDuration,
        /// Added per prompt token, in nanoseconds.
        ns_per_prompt_token: f64,
    },
    /// A table by tokens, decoding and prompt tokens together.
    Table {
        /// Tokens and nanoseconds, both ascending, at least two points. Between two points on the line through them; below the first its time,
        /// beyond the last along the last line.
        points: Arc<[(u32, f64)]>,
        /// On the time of decoding.
        decode_factor: f64,
        /// On what prompt tokens add to it.
        prefill_factor: f64,
    },
}

impl IterationLaw {
    /// A law without a table and without terms for sequences and context.
    pub fn linear(shortest: SimDuration, base: SimDuration, [ns_per_kv_token, ns_per_prompt_token]: [f64; 2]) -> Self {
        Self {
            shortest,
            pass: PassTime::Linear { base, ns_per_prompt_token },
            ns_per_kv_token,
            ns_per_sequence: 0.0,
            ns_per_prompt_token_context: 0.0,
        }
    }

    /// The law of iterations that take `factor` times as long.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        let longer = |time: SimDuration| SimDuration::from_nanos((time.as_nanos() as f64 * factor).round() as u64);
        let pass = match &self.pass {
            PassTime::Linear { base, ns_per_prompt_token } => {
                PassTime::Linear { base: longer(*base), ns_per_prompt_token: ns_per_prompt_token * factor }
            }
            // Their factors are on the terms for context too.
            PassTime::Table { points, decode_factor, prefill_factor } => PassTime::Table {
                points: points.clone(),
                decode_factor: decode_factor * factor,
                prefill_factor: prefill_factor * factor,
            },
        };
        let of_terms = if matches!(self.pass, PassTime::Table { .. }) { 1.0 } else { factor };
        Self {
            shortest: longer(self.shortest),
            pass,
            ns_per_kv_token: self.ns_per_kv_token * of_terms,
            ns_per_sequence: self.ns_per_sequence * factor,
            ns_per_prompt_token_context: self.ns_per_prompt_token_context * of_terms,
        }
    }

    /// Whether K counts decoding sequences only.
    pub fn counts_decodes_only(&self) -> bool {
        matches!(self.pass, PassTime::Table { .. }) || self.ns_per_prompt_token_context > 0.0
    }

    /// Seconds of an iteration, in floating point: for estimates, not for simulation. `kv` is K, `context` is A.
    pub fn seconds(&self, work: &Iteration) -> f64 {
        let Iteration { decodes, prompt, sequences, kv, context } = *work;
        let (kv, context) = (self.ns_per_kv_token * kv, self.ns_per_prompt_token_context * context);
        let nanos = match &self.pass {
            PassTime::Linear { base, ns_per_prompt_token } => {
                base.as_nanos() as f64 + kv + ns_per_prompt_token * prompt + context
            }
            PassTime::Table { points, decode_factor, prefill_factor } => {
                let (decoding, all) = (time_of(points, decodes), time_of(points, decodes + prompt));
                decode_factor * (decoding + kv) + prefill_factor * (all - decoding + context)
            }
        };
        (nanos + self.ns_per_sequence * sequences).max(self.shortest.as_nanos() as f64) / 1e9
    }
}

/// What an iteration computes, on the average.
#[derive(Clone, Copy, Debug, Default)]
pub struct Iteration {
    /// Decode tokens.
    pub decodes: f64,
    /// Prompt tokens.
    pub prompt: f64,
    /// Sequences.
    pub sequences: f64,
    /// Tokens in the KV cache, as the law counts them.
    pub kv: f64,
    /// Prompt tokens times context before them.
    pub context: f64,
}

/// The table's time of a pass with so many tokens, in nanoseconds: nothing takes none.
pub fn time_of(points: &[(u32, f64)], tokens: f64) -> f64 {
    if tokens <= 0.0 {
        return 0.0;
    }
    let above = points.partition_point(|point| f64::from(point.0) < tokens);
    let (low, high) = match above {
        0 => return points[0].1,
        above if above == points.len() => (points[above - 2], points[above - 1]),
        above => (points[above - 1], points[above]),
    };
    let slope = (high.1 - low.1) / f64::from(high.0 - low.0);
    low.1 + slope * (tokens - f64::from(low.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Llama-3.1-8B on one H100 with vLLM, as far as the examples need it (a fit to AISimulate's tables; specification of the model, section 1.3).
    fn example() -> IterationLaw {
        let points = [(1, 6.333e6), (512, 12.2207e6), (1_024, 22.2163e6), (8_192, 173.822e6)];
        IterationLaw {
            shortest: SimDuration::ZERO,
            pass: PassTime::Table { points: points.into(), decode_factor: 1.0, prefill_factor: 1.0 },
            ns_per_kv_token: 43.777,
            ns_per_sequence: 0.0,
            ns_per_prompt_token_context: 0.775_23,
        }
    }

    #[test]
    fn a_table_is_flat_below_its_first_point_and_goes_on_beyond_its_last() {
        let points = [(4, 10.0), (8, 14.0), (16, 30.0)];
        let times = [0.0, 1.0, 4.0, 6.0, 8.0, 12.0, 16.0, 20.0].map(|tokens| time_of(&points, tokens));
        assert_eq!(times, [0.0, 10.0, 10.0, 12.0, 14.0, 22.0, 30.0, 38.0]);
    }

    #[test]
    fn a_chunk_behind_a_long_context_costs_its_attention() {
        let work = Iteration { decodes: 0.0, prompt: 8_192.0, sequences: 1.0, kv: 0.0, context: 8_192.0 * 4_096.0 };
        assert!((example().seconds(&work) - 0.199_834_4).abs() < 1e-7);
        let second = Iteration { context: 8_192.0 * (8_192.0 + 4_096.0), ..work };
        assert!((example().seconds(&second) - 0.251_859_2).abs() < 1e-7);
    }
}
