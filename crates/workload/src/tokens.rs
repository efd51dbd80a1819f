//! Tokens for requests that come without.

use crate::{ArrivalCursor, Distribution, Purpose, Sampler, Stream, TraceChunk};

/// Reads a source without tokens and draws them.
pub struct WithTokens {
    source: Box<ArrivalCursor>,
    prompt: (Sampler, Stream),
    output: (Sampler, Stream),
}

impl WithTokens {
    /// Starts where the source is. The draws come from the same streams as those of a service whose requests have no tokens.
    pub fn new(source: ArrivalCursor, prompt: &Distribution, output: &Distribution, seed: u64) -> Self {
        let dice = |law: &Distribution, entity| (law.sampler(), Stream::new(seed, Purpose::Demand, entity));
        Self { source: Box::new(source), prompt: dice(prompt, 1), output: dice(output, 2) }
    }

    /// Appends the next block of requests; false, and nothing appended, at the end.
    pub fn fill(&mut self, out: &mut TraceChunk) -> bool {
        let is_more = self.source.fill(out);
        let draw = |(sampler, stream): &mut (Sampler, Stream)| {
            // `as` saturates, so that a wild tail ends at 2^32 - 1.
            ((sampler.sample(stream) + 0.5) as u32).max(1)
        };
        for _ in out.prompt_tokens.len()..out.arrival_ns.len() {
            out.prompt_tokens.push(draw(&mut self.prompt));
            out.output_tokens.push(draw(&mut self.output));
        }
        is_more
    }
}
