//! How many requests per second one language-model replica serves when it is never idle: the bound that no policy goes below.
//!
//! With b sequences that decode, a request of P prompt and O output tokens costs O − 1 iterations shared by b, and once what its chunks add
//! to an iteration: `X = b / ((O − 1) D0 + b Δ)`. Besides the b it has seats for those whose prompt is being processed. Where prompts have
//! passes of their own a request costs its share of one, with as many prompts as answers end in an iteration, and O − 1 iterations shared by
//! all seats: `X = 1 / (D(prompts)/n + (O − 1) D0/c)`.
//! Where whole answers are reserved, seats are bounded by these.

use crate::spec::{EngineSpec, Iteration, IterationLaw, ServiceModel};

/// The largest batch that is looked at.
const BATCH_MAX: u32 = 16_384;

/// Requests per second, of so many prompt and output tokens each, that a `continuousBatching` replica serves when it is never idle; `None`
/// of other services, and where such a request does not fit.
pub fn saturation(model: &ServiceModel, engine: &EngineSpec, prompt: f64, output: f64) -> Option<f64> {
    let ServiceModel::ContinuousBatching { sequences_max, batched_tokens_max, kv_tokens, law, .. } = model else {
        return None;
    };
    let (prompt, output) = (prompt.max(1.0), output.max(1.0));
    let held = prompt + output / 2.0;
    let budget = f64::from(*batched_tokens_max);
    let pace = Pace::of(engine);
    let answer = engine.max_new_tokens.map_or(output, |most| output.max(f64::from(most)));
    let kept = if engine.scheduler.reserves_answers() { prompt + answer } else { held };
    let is_apart = engine.scheduler.keeps_prompts_apart();
    let places = if is_apart { f64::from(*sequences_max) } else { f64::from(*sequences_max).min(budget / pace.width) };
    let seats = places.min(*kv_tokens as f64 / kept);
    if seats < 1.0 {
        return None;
    }
    if output < 2.0 {
        return Some(prompts_only(law, prompt, (budget, seats), &pace));
    }
    if is_apart {
        let batch = seats.floor();
        let decode = pace.decode(law, (batch, held)) + pace.draft;
        // As many are admitted together as answers end in an iteration.
        let iterations = (output - 1.0) / pace.gain;
        let together = (batch / iterations).max(1.0) * prompt;
        let prompts = prompts_only(law, prompt, (budget.min(together.max(prompt)), seats), &pace);
        return Some(1.0 / (1.0 / prompts + iterations * decode / batch));
    }
    let mut best: f64 = 0.0;
    for batch in (1..=BATCH_MAX).map(f64::from).take_while(|batch| *batch <= seats && batch * pace.width < budget) {
        let decode = pace.decode(law, (batch, held));
        let (added, chunks) = added(law, (batch, held), prompt, (budget - batch * pace.width, decode), &pace);
        let decode = decode + pace.draft;
        let rate = batch / ((output - 1.0) / pace.gain * decode + batch * added);
        // Those whose prompts are processed have seats too.
        if batch > 1.0 && batch + rate * (chunks * decode + added) > seats {
            break;
        }
        best = best.max(rate);
    }
    Some(best)
}

/// What of speculative decoding counts here.
struct Pace {
    /// Tokens that a sequence gains in an iteration.
    gain: f64,
    /// Its tokens in a pass.
    width: f64,
    /// Seconds of an iteration in which is guessed.
    draft: f64,
}

impl Pace {
    fn of(engine: &EngineSpec) -> Self {
        engine.speculative.as_ref().map_or(Self { gain: 1.0, width: 1.0, draft: 0.0 }, |speculative| Self {
            gain: speculative.tokens_per_iteration(),
            width: f64::from(speculative.width()),
            draft: speculative.draft_time.as_secs_f64(),
        })
    }

    /// Seconds of an iteration in which `batch` sequences decode, of `held` tokens each, without guessing.
    fn decode(&self, law: &IterationLaw, (batch, held): (f64, f64)) -> f64 {
        let decodes = batch * self.width;
        law.seconds(&Iteration { decodes, sequences: batch, kv: batch * held, ..Iteration::default() })
    }
}

/// Nobody decodes: passes are full of prompts.
fn prompts_only(law: &IterationLaw, prompt: f64, (budget, seats): (f64, f64), pace: &Pace) -> f64 {
    let prompts = (budget / prompt).floor().min(seats);
    if prompts >= 1.0 {
        let (tokens, context) = (prompts * prompt, prompts * prompt * prompt / 2.0);
        let kv = if law.counts_decodes_only() { 0.0 } else { tokens };
        let pass = Iteration { prompt: tokens, sequences: prompts, context, kv, ..Iteration::default() };
        return prompts / (law.seconds(&pass) + pace.draft);
    }
    let (seconds, chunks) = added(law, (0.0, 0.0), prompt, (budget, 0.0), pace);
    1.0 / (seconds + chunks * pace.draft)
}

/// Seconds that the chunks of a prompt, of `room` tokens at most, add to passes of `batch` decoding sequences with `held` tokens each that
/// take `decode` seconds without it. Returns how many chunks there are too.
fn added(
    law: &IterationLaw,
    (batch, held): (f64, f64),
    prompt: f64,
    (room, decode): (f64, f64),
    pace: &Pace,
) -> (f64, f64) {
    let (mut before, mut seconds, mut chunks) = (0.0, 0.0, 0.0);
    while before < prompt {
        let chunk = room.min(prompt - before);
        let own = if law.counts_decodes_only() { 0.0 } else { before + chunk };
        let pass = Iteration {
            decodes: batch * pace.width,
            prompt: chunk,
            sequences: batch + 1.0,
            kv: batch * held + own,
            context: chunk * (before + chunk / 2.0),
        };
        seconds += law.seconds(&pass) - decode;
        before += chunk;
        chunks += 1.0;
    }
    (seconds, chunks)
}

#[cfg(test)]
mod tests {
    use units::SimDuration;
    use workload::Distribution;

    use super::*;
    use crate::spec::{Overhead, PassTime, PrefillFirst, Scheduler};

    fn model(points: &[(u32, f64)], sequences_max: u32) -> ServiceModel {
        ServiceModel::ContinuousBatching {
            sequences_max,
            batched_tokens_max: 8_192,
            kv_tokens: 400_000,
            law: IterationLaw {
                pass: PassTime::Table { points: points.into(), decode_factor: 1.0, prefill_factor: 1.0 },
                ..IterationLaw::linear(SimDuration::ZERO, SimDuration::ZERO, [0.0; 2])
            },
            overhead: Overhead::NONE,
            prompt_tokens: Distribution::Constant(1.0),
            output_tokens: Distribution::Constant(1.0),
        }
    }

    #[test]
    fn where_every_token_costs_alike_the_rate_is_one_over_the_tokens_of_a_request() {
        for output in [1.0, 101.0] {
            for scheduler in [Scheduler::Vllm, Scheduler::PrefillFirst(PrefillFirst::default())] {
                let engine = EngineSpec { scheduler, ..EngineSpec::default() };
                let law = model(&[(1, 1e5), (8_192, 8_192e5)], 256);
                let rate = saturation(&law, &engine, 100.0, output).expect("it fits");
                let expected = 1e9 / ((99.0 + output) * 1e5);
                assert!((rate / expected - 1.0).abs() < 1e-9, "{rate} against {expected}");
            }
        }
    }

    #[test]
    fn where_passes_are_of_one_length_the_seats_decide() {
        // 10 ms a pass; a request sits through its prompt's pass and 99 more.
        let rate = |engine: &EngineSpec| {
            saturation(&model(&[(1, 1e7), (8_192, 1e7)], 100), engine, 100.0, 100.0).expect("it fits")
        };
        let mixed = rate(&EngineSpec::default());
        assert!((mixed / 100.0 - 1.0).abs() < 0.02, "{mixed}");
        // 400,000 tokens hold 50 answers of 7,900 tokens beside their prompts.
        let reserved =
            rate(&EngineSpec { scheduler: Scheduler::NoEvict, max_new_tokens: Some(7_900), ..EngineSpec::default() });
        assert!((reserved / 50.0 - 1.0).abs() < 0.03, "{reserved}");
    }

    #[test]
    fn what_does_not_fit_into_the_cache_has_no_rate() {
        assert_eq!(saturation(&model(&[(1, 1e7), (2, 1e7)], 100), &EngineSpec::default(), 500_000.0, 1.0), None);
    }
}
