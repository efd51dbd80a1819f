//! Token counts of requests, in request order.

use workload::{Distribution, Purpose, Sampler, Stream};

/// Deals out the tokens of one request after another, so that every policy faces the same demands.
#[derive(Clone, Debug)]
pub struct TokenCounts {
    prompt: (Sampler, Stream),
    output: (Sampler, Stream),
}

impl TokenCounts {
    /// Starts at the first request; draws come from the demand streams of `seed`, one each for prompts and outputs.
    pub fn new(prompt: &Distribution, output: &Distribution, seed: u64) -> Self {
        // Entity 0 is the service time of a request.
        let source =
            |distribution: &Distribution, entity| (distribution.sampler(), Stream::new(seed, Purpose::Demand, entity));
        Self { prompt: source(prompt, 1), output: source(output, 2) }
    }

    /// Appends the tokens of the next `count` requests, at least 1 each.
    pub fn fill(&mut self, prompts: &mut Vec<u32>, outputs: &mut Vec<u32>, count: usize) {
        let draw = |(sampler, stream): &mut (Sampler, Stream)| {
            // `as` saturates, so that a wild tail ends at 2^32 - 1.
            ((sampler.sample(stream) + 0.5) as u32).max(1)
        };
        prompts.extend((0..count).map(|_| draw(&mut self.prompt)));
        outputs.extend((0..count).map(|_| draw(&mut self.output)));
    }
}
