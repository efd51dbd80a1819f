//! Where a fit begins and what it may change, by what the runs can tell.

use super::super::checks::CheckedRun;
use super::super::run::RunLoad;
use super::Given;
use super::engine::Engine;
use super::unknown::{Unknown, Which};
use crate::CalibrateError;
use crate::llm::{IterationLaw, PresetEngine};

/// Two batch sizes, or two prompts, are different from here on.
const DIFFERENT: f64 = 1.8;

/// Points of the table that are nearer than this are one.
const ONE_POINT: f64 = 1.35;

/// vLLM's settings on a large GPU, where nothing says which it is.
const USUAL: (u32, u32) = (1_024, 8_192);

/// What may be changed beside a preset.
pub(super) fn beside_preset(runs: &[CheckedRun], has_one_shape: bool, notes: &mut Vec<String>) -> Vec<Unknown> {
    let mut unknowns = vec![Unknown::new(Which::DecodeFactor, 1.0)];
    let timed = || runs.iter().filter(|one| one.weights[1] > 0.0);
    let batches = different(timed().map(CheckedRun::sequences));
    match batches {
        0 | 1 => notes.push(
            "the runs show one batch size: perSequence is the preset's, and what the host adds is in decodeFactor"
                .to_owned(),
        ),
        2 => unknowns.push(Unknown::new(Which::PerSequence, 25e-6)),
        _ => {
            unknowns.push(Unknown::new(Which::PerSequence, 25e-6));
            unknowns.push(Unknown::new(Which::HostTime, 0.0));
        }
    }
    if has_one_shape {
        notes.push("perKvToken and perPromptTokenContext are the preset's: the runs have one shape".to_owned());
    }
    unknowns.extend(prompts(runs, (has_one_shape, batches), notes));
    unknowns
}

/// Overhead and the factor of prompts, as far as times to first token tell them apart.
fn prompts(runs: &[CheckedRun], (has_one_shape, batches): (bool, usize), notes: &mut Vec<String>) -> Vec<Unknown> {
    let first = || runs.iter().filter(|one| one.weights[0] > 0.0);
    let single = different(first().filter(|one| one.is_single()).map(|one| one.run.prompt.mean));
    let any = different(first().map(|one| one.run.prompt.mean));
    let overhead = Unknown::new(Which::Overhead, 5e-3);
    let factor = Unknown::new(Which::PrefillFactor, 1.0);
    match (any, single) {
        (0, _) => {
            notes.push("no time to first token counts: prefillFactor is 1 and overhead 0; run two single prompts, of 512 and 8192 tokens".to_owned());
            Vec::new()
        }
        // Prompts per second lengthen every token: at three loads that tells what they cost, if not apart from their context.
        _ if (has_one_shape || any < 2) && batches >= 3 => {
            notes.push("prefillFactor comes from how the time per token rises with the load: the prompts have one length; run two single prompts, of 512 and 8192 tokens".to_owned());
            vec![factor, overhead]
        }
        _ if has_one_shape || any < 2 => {
            notes.push("one prompt length cannot tell overhead from prefillFactor: prefillFactor is 1, which a preset's usually is not; run two single prompts, of 512 and 8192 tokens".to_owned());
            vec![overhead]
        }
        (_, single) => {
            if single < 2 {
                notes.push("overhead and prefillFactor come from loaded runs: two single prompts, of 512 and 8192 tokens, tell them apart better".to_owned());
            }
            vec![factor, overhead]
        }
    }
}

/// How many values differ from each other.
fn different(values: impl Iterator<Item = f64>) -> usize {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let mut count = 0;
    let mut last = 0.0;
    for value in sorted {
        if value > DIFFERENT * last {
            (count, last) = (count + 1, value);
        }
    }
    count
}

/// The engine that a fit without a preset begins with: a table where the runs visit it.
pub(super) fn engine(
    runs: &[CheckedRun],
    given: &Given<'_>,
    notes: &mut Vec<String>,
) -> Result<Engine, CalibrateError> {
    let usual = given.like.map_or(USUAL, |like| like.engine.limits(like.gpu));
    let budget = given.settings.batched_tokens_max.unwrap_or(usual.1);
    let shortest =
        runs.iter().filter(|one| one.weights[1] > 0.0).filter_map(|one| one.tpot_s).fold(f64::INFINITY, f64::min);
    if !shortest.is_finite() {
        let reason = "no run has a time per token that counts".to_owned();
        return Err(CalibrateError::Nothing { what: "LLM load tests", reason });
    }
    let lightest = runs
        .iter()
        .filter(|one| one.run.ttft_s.is_some())
        .min_by(|left, right| left.sequences().total_cmp(&right.sequences()));
    // What a token of a long prompt takes, where no preset of the kind says it.
    let per_token =
        lightest.map_or(shortest / 300.0, |one| one.run.ttft_s.unwrap_or(shortest) / one.run.prompt.mean.max(1.0));
    let curve = |tokens: f64| match given.like {
        Some(like) => like.law.pass_s(tokens),
        None => libm::hypot(shortest, per_token * tokens),
    };
    let mut knots = visited(runs, f64::from(budget));
    if knots.len() < 2 {
        knots.push(knots[0] * 2);
    }
    let token_time: Vec<(u32, f64)> = knots.iter().map(|tokens| (*tokens, curve(f64::from(*tokens)))).collect();
    let (per_kv_token_s, per_prompt_token_context_s) =
        given.like.map_or((0.0, 0.0), |like| (like.law.per_kv_token_s, like.law.per_prompt_token_context_s));
    if given.like.is_none() {
        notes.push("no preset is near (--preset, or --model and --gpu): what the runs cannot tell of the context is taken as nothing".to_owned());
    }
    // The cost per sequence is in the table: every decoding sequence is a token of the pass.
    let law = IterationLaw { token_time, per_kv_token_s, per_prompt_token_context_s, per_sequence_s: 0.0 };
    let kv_tokens = given.settings.kv_tokens.or_else(|| given.like?.kv_tokens());
    let engine = Engine::new(law, super::Settings { kv_tokens, ..given.settings }, usual);
    let scheduler = given.like.map_or(engine.scheduler, |like| like.engine.scheduler());
    Ok(Engine { scheduler, ..engine })
}

/// Tokens in the passes of the runs: those of decoding, of a prompt beside it, and of a burst of prompts.
fn visited(runs: &[CheckedRun], budget: f64) -> Vec<u32> {
    let mut tokens: Vec<f64> = Vec::new();
    for one in runs.iter().filter(|one| one.weights[0] + one.weights[1] > 0.0) {
        let (batch, prompt) = (one.sequences(), one.run.prompt.mean);
        if one.weights[1] > 0.0 {
            tokens.push(batch);
        }
        if one.weights[0] > 0.0 || !one.is_single() {
            tokens.push((prompt + if one.is_single() { 0.0 } else { batch }).min(budget));
        }
        if let RunLoad::Concurrency(bound @ 2..) = one.run.load {
            tokens.push((f64::from(bound) * prompt).min(budget));
        }
    }
    tokens.sort_by(f64::total_cmp);
    let mut groups: Vec<(f64, f64)> = Vec::new();
    for value in tokens.into_iter().map(|value| value.max(1.0)) {
        match groups.last_mut() {
            Some((first, last)) if value <= ONE_POINT * *first => *last = value,
            _ => groups.push((value, value)),
        }
    }
    let count = groups.len();
    let mut knots: Vec<u32> = groups
        .into_iter()
        .enumerate()
        // The ends of the table stand where the runs end; between them a group is its middle.
        .map(|(index, (first, last))| {
            if index == 0 {
                first
            } else if index + 1 == count {
                last
            } else {
                libm::sqrt(first * last)
            }
        })
        .map(|tokens| tokens.round() as u32)
        .collect();
    knots.dedup();
    knots
}

/// What may be changed of a law without a preset.
pub(super) fn of_law(
    runs: &[CheckedRun],
    engine: &Engine,
    has_one_shape: bool,
    notes: &mut Vec<String>,
) -> Vec<Unknown> {
    let mut unknowns: Vec<Unknown> =
        (0..engine.law.token_time.len()).map(|place| Unknown::new(Which::Pass(place), 1.0)).collect();
    let timed = || runs.iter().filter(|one| one.weights[1] > 0.0 && one.tpot_s.is_some());
    let context = |one: &CheckedRun| libm::log(one.run.prompt.mean + one.run.output.mean / 2.0);
    let count = timed().count() as f64;
    let mean = timed().map(context).sum::<f64>() / count;
    let spread = libm::sqrt(timed().map(|one| (context(one) - mean).powi(2)).sum::<f64>() / count);
    if has_one_shape || spread < 0.1 || count < 3.0 {
        notes.push(format!(
            "perKvToken is fixed at {}: the context per sequence hardly differs over the runs (sd of its logarithm {spread:.2})",
            crate::yaml::time(engine.law.per_kv_token_s)
        ));
    } else {
        let longest =
            timed().max_by(|left, right| left.kv_tokens().total_cmp(&right.kv_tokens())).expect("there are runs");
        let start = typical(engine.law.per_kv_token_s, 0.3 * longest.tpot_s.unwrap_or_default() / longest.kv_tokens());
        unknowns.push(Unknown::new(Which::PerKvToken, start));
    }
    let longest = runs
        .iter()
        .filter(|one| one.weights[0] > 0.0 && one.is_single())
        .map(|one| (one.run.prompt.mean, one.run.ttft_s.unwrap_or_default()));
    match longest.max_by(|left, right| left.0.total_cmp(&right.0)) {
        Some((prompt, ttft)) if prompt >= 16_000.0 => {
            let start = typical(engine.law.per_prompt_token_context_s, 0.3 * ttft / (prompt * prompt / 2.0));
            unknowns.push(Unknown::new(Which::PerPromptTokenContext, start));
        }
        _ => notes.push(format!(
            "perPromptTokenContext is fixed at {}: no run has a single prompt of 16,000 tokens",
            crate::yaml::time(engine.law.per_prompt_token_context_s)
        )),
    }
    let single =
        different(runs.iter().filter(|one| one.weights[0] > 0.0 && one.is_single()).map(|one| one.run.prompt.mean));
    if single >= 3 {
        unknowns.push(Unknown::new(Which::Overhead, 0.0));
    } else {
        notes.push(
            "overhead is 0 and in the times of prompts: three single prompts of different lengths tell it".to_owned(),
        );
    }
    unknowns
}

/// What is known, or else what would be usual.
fn typical(known: f64, else_: f64) -> f64 {
    if known > 0.0 { known } else { else_.max(1e-13) }
}

/// The engine's word, for messages.
pub(super) fn engine_title(given: &Given<'_>) -> &'static str {
    given.preset.or(given.like).map_or(PresetEngine::Vllm, |preset| preset.engine).title()
}
