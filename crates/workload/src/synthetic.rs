//! Traces made up from a description, for shipping and for trying things out.

use std::sync::Arc;

use units::SimTime;

use crate::{ArrivalCursor, Distribution, Purpose, RateCurve, Sampler, Stream, TraceChunk, Traffic};

/// What a made-up trace of language-model requests looks like.
#[derive(Clone, Debug, PartialEq)]
pub struct LlmTrace {
    /// When requests arrive: a Poisson process of this rate.
    pub rate: Arc<RateCurve>,
    /// Lengths of prompts, in tokens; usually lognormal.
    pub prompt_tokens: Distribution,
    /// Lengths of answers, in tokens; usually lognormal.
    pub output_tokens: Distribution,
    /// Upper limit of each length: the context window.
    pub tokens_max: u32,
    /// Stop after this many requests, if the curve does not end before.
    pub requests_max: Option<usize>,
}

/// The trace of `spec` under `seed`. Lengths are rounded to whole tokens, 1 to `tokens_max`. Arrivals are those of a
/// [`Traffic::Poisson`] of the same curve and seed.
pub fn synthesize_llm(spec: &LlmTrace, seed: u64) -> TraceChunk {
    let traffic = Traffic::Poisson { rate: Arc::clone(&spec.rate) };
    let mut cursor = ArrivalCursor::new(&traffic, seed, SimTime::MAX);
    let requests_max = spec.requests_max.unwrap_or(usize::MAX);
    let mut trace = TraceChunk::default();
    while trace.len() < requests_max && cursor.fill(&mut trace) {}
    trace.arrival_ns.truncate(requests_max);

    let count = trace.len();
    let column = |distribution: &Distribution, entity| {
        let (sampler, mut stream) = (distribution.sampler(), Stream::new(seed, Purpose::Demand, entity));
        (0..count).map(|_| tokens(&sampler, &mut stream, spec.tokens_max)).collect()
    };
    // Entity 0 is the demand of a service; a trace's columns are those after it.
    trace.prompt_tokens = column(&spec.prompt_tokens, 1);
    trace.output_tokens = column(&spec.output_tokens, 2);
    trace
}

fn tokens(sampler: &Sampler, stream: &mut Stream, tokens_max: u32) -> u32 {
    // `as` saturates, so that a wild tail ends at the limit.
    ((sampler.sample(stream) + 0.5) as u32).clamp(1, tokens_max.max(1))
}

#[cfg(test)]
mod tests {
    use units::SimDuration;

    use super::*;

    fn spec() -> LlmTrace {
        LlmTrace {
            rate: Arc::new(RateCurve::constant(50.0, SimDuration::from_secs(1_000))),
            prompt_tokens: Distribution::LogNormal { p50: 900.0, p90: 4_000.0 },
            output_tokens: Distribution::LogNormal { p50: 130.0, p90: 420.0 },
            tokens_max: 8_192,
            requests_max: None,
        }
    }

    #[test]
    fn a_made_up_trace_is_valid_and_has_the_medians_asked_for() {
        let trace = synthesize_llm(&spec(), 11);
        trace.validate().unwrap();
        assert!(trace.has_tokens());
        for (column, median) in [(&trace.prompt_tokens, 900.0), (&trace.output_tokens, 130.0)] {
            let below = column.iter().filter(|tokens| f64::from(**tokens) < median).count() as f64;
            let n = column.len() as f64;
            // Four standard errors of a share of one half, and the tokens rounded onto the median itself.
            assert!((below / n - 0.5).abs() < 2.0 / n.sqrt() + 0.005, "{below} of {n}");
            assert!(column.iter().all(|tokens| (1..=8_192).contains(tokens)));
        }
    }

    #[test]
    fn a_limit_on_requests_cuts_the_same_trace_short() {
        let whole = synthesize_llm(&spec(), 11);
        let cut = synthesize_llm(&LlmTrace { requests_max: Some(1_500), ..spec() }, 11);
        assert_eq!(cut.len(), 1_500);
        assert_eq!(cut.arrival_ns, whole.arrival_ns[..1_500]);
        assert_eq!(cut.output_tokens, whole.output_tokens[..1_500]);
    }
}
