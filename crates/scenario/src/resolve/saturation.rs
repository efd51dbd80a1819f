//! What a language-model service is asked, held against what its law says of it: whether the law holds there, and how many replicas it needs
//! at least.

use cluster::saturation::saturation;
use cluster::spec::{IterationLaw, PassTime, PrefixSpec, ServiceModel, ServiceSpec};
use units::{SimDuration, SimTime};
use workload::{ArrivalCursor, Distribution, Purpose, Stream, TraceChunk};

use super::Context;

/// Prompts that are drawn to know how many are long.
const DRAWN: u32 = 20_000;
/// Requests that are looked at, from the start of the run.
const REQUESTS_MAX: u64 = 1_000_000;
/// Rates are counted over this long.
const STEP: SimDuration = SimDuration::from_secs(60);
/// Prompts from here on show what a law without context leaves out.
const LONG_PROMPT: f64 = 2_000.0;
/// What a prompt token costs more per token before it, over what it costs alone: an 8B model on an H100 (0.775 ns over 21.2 us).
const CONTEXT_SHARE: f64 = 0.775 / 21_200.0;
/// Above this share of what it can serve, a small error of the law is a large one of the waiting time.
const NEAR_SATURATION: f64 = 0.9;

/// What the requests of a run amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Asked {
    /// Requests per second in the busiest minute.
    peak: f64,
    /// Requests per second.
    mean: f64,
    /// Prompt tokens of a request.
    pub prompt: f64,
    /// Output tokens of a request.
    output: f64,
}

/// The requests of a service that are not left to another, by their prompts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Long {
    /// Fewest tokens.
    pub from: u32,
    /// Share of such prompts where tokens are drawn.
    share: f64,
    /// Their mean tokens, likewise.
    pub prompt: f64,
}

impl Long {
    /// Prompts of `from` tokens and more, where their tokens are drawn from `tokens`.
    pub fn of(tokens: &Distribution, from: u32) -> Self {
        if from == 0 {
            return Self { from, share: 1.0, prompt: tokens.mean() };
        }
        let (sampler, mut dice) = (tokens.sampler(), Stream::new(0, Purpose::Demand, 0));
        let drawn = (0..DRAWN).map(|_| (sampler.sample(&mut dice) + 0.5).floor().max(1.0));
        let (count, sum) = drawn
            .filter(|tokens| *tokens >= f64::from(from))
            .fold((0, 0.0), |(count, sum), tokens| (count + 1, sum + tokens));
        Self {
            from,
            share: f64::from(count) / f64::from(DRAWN),
            prompt: if count > 0 { sum / f64::from(count) } else { 0.0 },
        }
    }
}

impl Asked {
    /// That of a service in the first `length` of its run, as far as its prompts are long; `usual` are tokens of requests that come without.
    /// `None` without any request.
    pub fn of(service: &ServiceSpec, usual: (f64, f64), (length, long): (SimDuration, Long)) -> Option<Self> {
        let mut cursor = ArrivalCursor::new(&service.traffic, service.seed(1), SimTime::ZERO + length);
        let step = STEP.min(length).as_nanos();
        let (mut chunk, mut counts, mut last) = (TraceChunk::default(), Vec::new(), 0);
        let (mut requests, mut with_tokens, mut prompts, mut outputs) = (0, 0, 0, 0);
        while requests < REQUESTS_MAX && cursor.fill(&mut chunk) {
            let mut taken = 0;
            for (row, &at) in chunk.arrival_ns.iter().enumerate() {
                let tokens = chunk.prompt_tokens.get(row).copied();
                if tokens.is_some_and(|tokens| tokens < long.from) {
                    continue;
                }
                taken += 1;
                prompts += u64::from(tokens.unwrap_or(0));
                outputs += u64::from(chunk.output_tokens.get(row).copied().unwrap_or(0));
                with_tokens += u64::from(tokens.is_some());
                let place = (at / step) as usize;
                counts.resize(counts.len().max(place + 1), 0);
                counts[place] += 1;
                last = at;
            }
            requests += taken;
            chunk.clear();
        }
        let span = if requests < REQUESTS_MAX { length.as_nanos() } else { last.max(1) };
        let mean_of = |sum: u64, usual: f64| if with_tokens > 0 { sum as f64 / with_tokens as f64 } else { usual };
        let busiest: u64 = counts.iter().copied().max()?;
        let share = if with_tokens > 0 { 1.0 } else { long.share };
        Some(Self {
            peak: share * busiest as f64 / step as f64 * 1e9,
            mean: share * requests as f64 / span as f64 * 1e9,
            prompt: mean_of(prompts, usual.0),
            output: mean_of(outputs, usual.1),
        })
    }
}

impl Context<'_> {
    /// Says where the law of a language model does not reach, and what its replicas can serve at most. Where others fetch what is computed here
    /// the answers are theirs, and so are prompts of fewer tokens than `hands_over`.
    pub(super) fn note_saturation(&mut self, service: &ServiceSpec, hands_over: Option<u32>, length: SimDuration) {
        let ServiceModel::ContinuousBatching { prompt_tokens, output_tokens, batched_tokens_max, law, .. } =
            &service.model
        else {
            return;
        };
        let long = Long::of(prompt_tokens, hands_over.unwrap_or(0));
        let usual = (long.prompt, if hands_over.is_some() { 1.0 } else { output_tokens.mean() });
        let follows = service.traffic.follows_answers() || service.called_by.is_some();
        let asked = if follows {
            Asked { prompt: usual.0, output: usual.1, ..Asked::default() }
        } else {
            let Some(asked) = Asked::of(service, usual, (length, long)) else { return };
            if asked.peak <= 0.0 {
                return;
            }
            if hands_over.is_some() { Asked { output: 1.0, ..asked } } else { asked }
        };
        self.notes.extend(law_notes(law, *batched_tokens_max, asked));
        // How many come is not known before others are answered, and what a cache finds is not computed: no bound holds for either.
        if follows || service.prefix != PrefixSpec::Off {
            return;
        }
        let (prompt, output) = (asked.prompt.round(), asked.output.round());
        let Some(most) = saturation(&service.model, &service.engine, prompt, output) else {
            return self.note(format!(
                "a request of the mean {prompt} prompt and {output} output tokens does not fit into the KV cache of a replica"
            ));
        };
        let needed = (asked.peak / most).ceil();
        let mut so = if needed > 1.0 {
            format!("fewer than {needed} replicas fall behind")
        } else {
            "one can serve that".to_owned()
        };
        if service.engine.adapters.is_some() {
            so += ", not counting what waits for an adapter's slot: it may take many more";
        }
        self.note(format!(
            "saturation: a replica serves {most:.2} req/s of {prompt} prompt and {output} output tokens at most; the busiest minute has {:.2} \
             req/s: {so}",
            asked.peak
        ));
        let replicas = service.replicas_initial.max(1);
        let load = asked.mean / (most * f64::from(replicas));
        if load > NEAR_SATURATION {
            self.note(format!(
                "the mean load is {load:.2} of what {} of the start can serve: that near to saturation, or beyond it, 10 % of error in \
                 the law are 50 % of the time to the first token",
                if replicas == 1 { "the replica".to_owned() } else { format!("the {replicas} replicas") }
            ));
        }
    }
}

/// Where the law leaves what it was fitted on.
fn law_notes(law: &IterationLaw, batched_tokens_max: u32, asked: Asked) -> Vec<String> {
    let mut notes = Vec::new();
    if law.ns_per_prompt_token_context <= 0.0 && asked.prompt > LONG_PROMPT {
        let times = 1.0 + CONTEXT_SHARE * asked.prompt / 2.0;
        notes.push(format!(
            "prompts have {:.0} tokens in the mean, and this law has no perPromptTokenContext: on an H100 such a prompt takes an 8B model {times:.2} \
             times as long as one whose tokens cost what the first ones do",
            asked.prompt
        ));
    }
    if let PassTime::Table { points, .. } = &law.pass
        && let Some((last, _)) = points.last()
        && batched_tokens_max > last.saturating_mul(2)
    {
        notes.push(format!(
            "tokenTime ends at {last} tokens and an iteration may carry {batched_tokens_max}: beyond the table its last slope is assumed"
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_law_is_said_to_end_where_it_ends() {
        let asked = |prompt| Asked { prompt, ..Asked::default() };
        let line = || IterationLaw::linear(SimDuration::ZERO, SimDuration::ZERO, [0.0; 2]);
        let table = |last| IterationLaw {
            pass: PassTime::Table { points: [(1, 6e6), (last, 9e6)].into(), decode_factor: 1.0, prefill_factor: 1.0 },
            ns_per_prompt_token_context: 0.7,
            ..line()
        };
        let count = |law: &IterationLaw, prompt| law_notes(law, 8_192, asked(prompt)).len();
        assert_eq!([count(&line(), 1_999.0), count(&line(), 2_001.0)], [0, 1]);
        assert_eq!([count(&table(4_096), 20_000.0), count(&table(4_095), 20_000.0)], [0, 1]);
    }
}
