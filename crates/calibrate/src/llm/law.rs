//! The law of one pass.

/// How long a pass of an engine takes (`docs/model.md`, continuous batching): a table of times by tokens, plus what the context costs.
#[derive(Clone, Debug, PartialEq)]
pub struct IterationLaw {
    /// (Tokens in the pass, seconds), tokens strictly rising, times not falling, at least two.
    pub token_time: Vec<(u32, f64)>,
    /// Seconds per token in the KV cache of the decoding sequences.
    pub per_kv_token_s: f64,
    /// Seconds per prompt token and token of its context.
    pub per_prompt_token_context_s: f64,
    /// Seconds per sequence: work of the host.
    pub per_sequence_s: f64,
}

impl IterationLaw {
    /// A pass with so many tokens and no context: the first time below the table, the last slope beyond it.
    pub fn pass_s(&self, tokens: f64) -> f64 {
        let points = &self.token_time;
        let first = points[0];
        if tokens <= f64::from(first.0) {
            return first.1;
        }
        let end = points.iter().position(|point| f64::from(point.0) >= tokens).unwrap_or(points.len() - 1);
        let (low, high) = (points[end - 1], points[end]);
        low.1 + (high.1 - low.1) / f64::from(high.0 - low.0) * (tokens - f64::from(low.0))
    }

    /// A prompt of so many tokens alone in the engine, in chunks of at most `budget` tokens.
    pub fn prefill_s(&self, prompt: f64, budget: f64) -> f64 {
        let full = libm::floor(prompt / budget);
        let rest = prompt - full * budget;
        let rest = if rest > 0.0 { self.pass_s(rest) } else { 0.0 };
        full * self.pass_s(budget) + rest + self.per_prompt_token_context_s * prompt * prompt / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_follow_the_table_and_its_last_slope() {
        let law = IterationLaw {
            token_time: vec![(1, 0.006), (100, 0.008), (200, 0.010)],
            per_kv_token_s: 0.0,
            per_prompt_token_context_s: 1e-9,
            per_sequence_s: 0.0,
        };
        let passes: Vec<f64> = [0.5, 1.0, 150.0, 300.0].iter().map(|tokens| law.pass_s(*tokens) * 1e3).collect();
        assert!(
            passes.iter().zip([6.0, 6.0, 9.0, 12.0]).all(|(found, told)| (found - told).abs() < 1e-9),
            "{passes:?}"
        );
        assert!((law.prefill_s(250.0, 100.0) - (0.016 + law.pass_s(50.0) + 1e-9 * 31_250.0)).abs() < 1e-12);
    }
}
