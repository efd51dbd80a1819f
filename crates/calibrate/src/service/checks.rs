//! What load tests must pass before anything is fitted to them: traps that give wrong parameters without looking wrong.

use crate::CalibrateError;
use crate::llm::LlmPreset;

use super::run::{LlmRun, RunLoad, Statistic};

const WHAT: &str = "LLM load tests";

/// A load test, and what of it counts.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedRun {
    /// The test.
    pub run: LlmRun,
    /// Time per further token that is believed, in seconds.
    pub tpot_s: Option<f64>,
    /// How much its time to first token, time per token and throughput count.
    pub weights: [f64; 3],
}

impl CheckedRun {
    /// Mean number of sequences that decode at once: Little's law over the time from first to last token.
    pub fn sequences(&self) -> f64 {
        let steps = (self.run.output.mean - 1.0).max(0.0);
        let held = self.run.requests_per_second * steps * self.tpot_s.unwrap_or_default();
        match self.run.load {
            RunLoad::Concurrency(bound) => held.min(f64::from(bound)).max(1.0_f64.min(f64::from(bound))),
            RunLoad::Rate { .. } => held.max(1.0),
        }
    }

    /// Mean tokens in the KV cache: each decoding sequence holds its prompt and, on average, half its output.
    pub fn kv_tokens(&self) -> f64 {
        self.sequences() * (self.run.prompt.mean + self.run.output.mean / 2.0)
    }

    /// Whether nothing is ever beside a request.
    pub fn is_single(&self) -> bool {
        match self.run.load {
            RunLoad::Concurrency(bound) => bound == 1,
            RunLoad::Rate { .. } => {
                let whole = self.run.ttft_s.unwrap_or_default()
                    + (self.run.output.mean - 1.0) * self.tpot_s.unwrap_or_default();
                self.run.requests_per_second * whole < 0.6
            }
        }
    }
}

/// What is known beside the files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// The preset.
    pub preset: Option<&'a LlmPreset>,
    /// Tokens in the KV cache as the user says.
    pub kv_tokens: Option<u64>,
}

/// The runs that passed and a line for each check, with its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The runs.
    pub runs: Vec<CheckedRun>,
    /// The lines.
    pub lines: Vec<String>,
    /// The floor under every iteration, in seconds, where the runs show one.
    pub floor_s: Option<f64>,
    /// Whether prompts and outputs are as long in every run.
    pub has_one_shape: bool,
}

/// Checks every run; an error is a contradiction that nothing can be fitted to.
pub fn check(runs: Vec<LlmRun>, beside: &Beside<'_>) -> Result<Checked, CalibrateError> {
    if runs.is_empty() {
        return Err(nothing("no run".to_owned()));
    }
    let mut lines = Vec::new();
    units(&runs, &mut lines)?;
    let mut checked = time_per_token(runs, &mut lines)?;
    capacity(&checked, beside, &mut lines)?;
    saturation(&mut checked, &mut lines);
    loops(&mut checked, &mut lines);
    let has_one_shape = shapes(&checked, &mut lines);
    let floor_s = floor(&checked, beside.preset, &mut lines);
    prefix_hits(&checked, beside.preset, &mut lines);
    let failed = checked.iter().map(|one| one.run.failed_share).fold(0.0, f64::max);
    if failed > 0.0 {
        lines.push(format!(
            "errors: up to {:.1} % of a run's requests failed; they are not in its figures",
            failed * 100.0
        ));
    }
    if checked.iter().any(|one| one.run.is_simulated) {
        lines.push("source: figures of a simulator, not measured".to_owned());
    }
    if checked.iter().any(|one| one.run.statistic == Statistic::Median) {
        lines.push("source: medians, for want of means: simulated medians are held against them".to_owned());
    }
    Ok(Checked { runs: checked, lines, floor_s, has_one_shape })
}

fn nothing(reason: String) -> CalibrateError {
    CalibrateError::Nothing { what: WHAT, reason }
}

/// `low to high`, or one figure.
fn span(values: impl Iterator<Item = f64> + Clone, digits: usize) -> String {
    let (low, high) = (values.clone().fold(f64::INFINITY, f64::min), values.fold(0.0, f64::max));
    if (high - low).abs() < 0.5 * 0.1_f64.powi(digits as i32) {
        format!("{low:.digits$}")
    } else {
        format!("{low:.digits$} to {high:.digits$}")
    }
}

/// Times that no engine and no patience allows were read in the wrong unit.
fn units(runs: &[LlmRun], lines: &mut Vec<String>) -> Result<(), CalibrateError> {
    for run in runs {
        let odd_first = run.ttft_s.filter(|ttft| !(0.000_5..=600.0).contains(ttft));
        let odd_next = run.tpot_s.filter(|tpot| !(0.001..=1.0).contains(tpot));
        if let Some(ttft) = odd_first {
            return Err(nothing(format!(
                "{}: a time to first token of {ttft} s: in which unit is it? (0.5 ms to 10 min are believed)",
                run.name
            )));
        }
        if let Some(tpot) = odd_next {
            return Err(nothing(format!(
                "{}: a time per token of {tpot} s: in which unit is it? (1 ms to 1 s are believed)",
                run.name
            )));
        }
    }
    let ttft = span(runs.iter().filter_map(|run| run.ttft_s.map(|ttft| ttft * 1e3)), 1);
    let tpot = span(runs.iter().filter_map(|run| run.tpot_s.map(|tpot| tpot * 1e3)), 2);
    lines.push(format!("check 7, units: TTFT {ttft} ms, TPOT {tpot} ms: plausible"));
    Ok(())
}

/// What the time per token of a file is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PerToken {
    Plain,
    Unknown,
    Chunks,
    WholeAnswer,
}

fn time_per_token(runs: Vec<LlmRun>, lines: &mut Vec<String>) -> Result<Vec<CheckedRun>, CalibrateError> {
    let mut checked = Vec::new();
    let mut seen: Vec<(PerToken, f64)> = Vec::new();
    for run in runs {
        let of_answers = run.tpot_of_answers_s().filter(|tpot| *tpot > 0.0);
        let (kind, ratio, tpot_s) = match (of_answers, run.tpot_s) {
            (Some(answers), Some(tpot)) => {
                let ratio = answers / tpot;
                let of_whole = run.e2e_s.unwrap_or_default() / run.output.mean / tpot;
                match ratio {
                    0.9..=1.1 => (PerToken::Plain, ratio, Some(tpot)),
                    1.7..=2.2 => (PerToken::Chunks, ratio, Some(answers)),
                    _ if (0.97..=1.03).contains(&of_whole) => (PerToken::WholeAnswer, ratio, Some(answers)),
                    _ => return Err(nothing(contradiction(&run, answers, tpot))),
                }
            }
            (answers, tpot) => (PerToken::Unknown, f64::NAN, tpot.or(answers)),
        };
        seen.push((kind, ratio));
        let weights = [f64::from(u8::from(run.ttft_s.is_some())), if tpot_s.is_some() { 2.0 } else { 0.0 }, 1.0];
        checked.push(CheckedRun { run, tpot_s, weights });
    }
    for kind in [PerToken::Plain, PerToken::Unknown, PerToken::Chunks, PerToken::WholeAnswer] {
        let ratios: Vec<f64> = seen.iter().filter(|one| one.0 == kind).map(|one| one.1).collect();
        if ratios.is_empty() {
            continue;
        }
        let (count, span) = (ratios.len(), span(ratios.iter().copied(), 2));
        let of = format!("of {count} run{}", if count == 1 { "" } else { "s" });
        lines.push(match kind {
            PerToken::Plain => format!("check 1, TPOT {of}: (E2E - TTFT)/((out - 1) TPOT) = {span}: consistent"),
            PerToken::Unknown => format!("check 1, TPOT {of}: cannot be held against whole answers, the file has none or no outputs"),
            PerToken::Chunks => format!(
                "check 1, TPOT {of}: (E2E - TTFT)/((out - 1) TPOT) = {span}: the client counted tokens of its own; WARNING: the file's TPOT is not \
                 used, (E2E - TTFT)/(out - 1) is"
            ),
            PerToken::WholeAnswer => format!(
                "check 1, TPOT {of}: the file's TPOT is E2E/out and contains the TTFT ({span} for 1.00); WARNING: (E2E - TTFT)/(out - 1) is used"
            ),
        });
    }
    Ok(checked)
}

fn contradiction(run: &LlmRun, answers: f64, tpot: f64) -> String {
    format!(
        "{}: its time per token is {:.3} ms, and its answers take (E2E - TTFT)/(out - 1) = {:.3} ms per token ({:.2} times as long): neither \
         tokens counted by the client (1.7 to 2.2) nor E2E/out; one of the columns is something else",
        run.name,
        tpot * 1e3,
        answers * 1e3,
        answers / tpot
    )
}

/// A cache smaller than what was in it is an average in use, not a capacity.
fn capacity(runs: &[CheckedRun], beside: &Beside<'_>, lines: &mut Vec<String>) -> Result<(), CalibrateError> {
    let held = |one: &CheckedRun| {
        one.run.requests_per_second
            * (one.run.output.mean - 1.0).max(0.0)
            * one.tpot_s.unwrap_or_default()
            * (one.run.prompt.mean + one.run.output.mean / 2.0)
    };
    // A first token that comes in a fifth of the answer's time did not wait for room.
    let unqueued = runs.iter().filter(|one| {
        let whole = one.run.ttft_s.unwrap_or_default() + one.run.output.mean * one.tpot_s.unwrap_or_default();
        one.run.ttft_s.unwrap_or_default() < 0.2 * whole
    });
    let most = unqueued.map(held).fold(0.0, f64::max);
    let given = beside.kv_tokens.map(|tokens| (tokens, "given"));
    let of_preset = || Some((beside.preset?.kv_tokens()?, "of the preset"));
    let Some((capacity, whose)) = given.or_else(of_preset) else {
        lines.push(format!("check 2, KV cache: the busiest run without a queue held {most:.0} tokens on average; its capacity is not known"));
        return Ok(());
    };
    let text = format!(
        "check 2, KV cache: {capacity} tokens {whose}, and the busiest run without a queue held {most:.0} on average"
    );
    if (capacity as f64) < 1.2 * most {
        if given.is_some() {
            let reason = format!(
                "{text}: what was given is an average in use, not the capacity; the engine logs it as `GPU KV cache size`, or it is \
                 num_gpu_blocks x block_size"
            );
            return Err(nothing(reason));
        }
        lines.push(format!("{text}: the engine has more room than the preset"));
        return Ok(());
    }
    lines.push(format!("{text}: fits"));
    Ok(())
}

/// Saturated runs say how much an engine can do, not how long it takes.
fn saturation(runs: &mut [CheckedRun], lines: &mut Vec<String>) {
    let mut names = Vec::new();
    for one in runs.iter_mut() {
        let slow = match one.run.load {
            RunLoad::Rate { rate, .. } if one.run.requests_per_second < 0.95 * rate => {
                Some(format!("{}: {:.4} of {rate:.4} req/s", one.run.name, one.run.requests_per_second))
            }
            _ => one.run.ttft_thirds_s.filter(|(first, last)| *last > 2.0 * first).map(|(first, last)| {
                format!(
                    "{}: TTFT {:.0} ms in the first third, {:.0} ms in the last",
                    one.run.name,
                    first * 1e3,
                    last * 1e3
                )
            }),
        };
        if let Some(slow) = slow {
            one.weights = [0.0, 0.0, 1.0];
            names.push(slow);
        }
    }
    lines.push(if names.is_empty() {
        "check 3, saturation: no run".to_owned()
    } else {
        format!("check 3, saturation: only the throughput of {} counts", names.join("; "))
    });
}

/// Closed loops of equal requests synchronise: their time to first token is an artefact.
fn loops(runs: &mut [CheckedRun], lines: &mut Vec<String>) {
    let rates: Vec<f64> = runs.iter().map(|one| one.run.requests_per_second).collect();
    let differ = rates.iter().fold(0.0, |most: f64, rate| most.max(*rate))
        > 1.3 * rates.iter().fold(f64::INFINITY, |least, rate| least.min(*rate));
    let bounds: Vec<Option<u32>> = runs
        .iter()
        .map(|one| match one.run.load {
            RunLoad::Rate { concurrency_max, .. } => concurrency_max,
            RunLoad::Concurrency(bound) => Some(bound),
        })
        .collect();
    let is_shared = runs.len() > 2 && differ && bounds[0].is_some() && bounds.iter().all(|bound| *bound == bounds[0]);
    let (mut count, mut ignored) = (0, 0);
    let mut idle = Vec::new();
    for one in runs.iter_mut() {
        if let (true, RunLoad::Rate { concurrency_max: Some(bound), .. }) = (is_shared, one.run.load) {
            one.run.load = RunLoad::Concurrency(bound);
        }
        let RunLoad::Concurrency(bound) = one.run.load else { continue };
        // Little: as many under way as came per second, times how long they stayed.
        let under_way = one.run.requests_per_second * one.run.e2e_s.unwrap_or(f64::INFINITY);
        if under_way < 0.8 * f64::from(bound) {
            idle.push(format!("{}: {under_way:.1} of {bound}", one.run.name));
            one.run.load = RunLoad::Rate { rate: one.run.requests_per_second, concurrency_max: Some(bound) };
            continue;
        }
        count += 1;
        let is_constant =
            one.run.prompt.deviation == 0.0 && one.run.output.deviation == 0.0 && one.run.tokens.is_empty();
        // A simulator's requests really are alike, and so are ours.
        if bound > 1 && is_constant && !one.run.is_simulated && one.weights[0] > 0.0 {
            one.weights[0] = 0.0;
            ignored += 1;
        }
    }
    if !idle.is_empty() {
        lines.push(format!(
            "check 4, closed loop: by rate x E2E fewer were under way than the generator was told ({}): taken as sent at the rate they were \
             answered at",
            idle.join("; ")
        ));
    }
    lines.push(match (count, ignored) {
        (0, _) => "check 4, closed loop: no run".to_owned(),
        (count, 0) => format!("check 4, closed loop: {count} of {} runs, simulated as such", runs.len()),
        (count, ignored) => format!(
            "check 4, closed loop: {count} of {} runs, simulated as such; the TTFT of {ignored} does not count, for requests of one length keep \
             step with each other",
            runs.len()
        ),
    });
}

/// One shape alone cannot tell prompts from context.
fn shapes(runs: &[CheckedRun], lines: &mut Vec<String>) -> bool {
    let prompts = runs.iter().map(|one| one.run.prompt.mean);
    let outputs = runs.iter().map(|one| one.run.output.mean);
    let alike = |values: &mut dyn Iterator<Item = f64>| {
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        values.for_each(|value| (low, high) = (low.min(value), high.max(value)));
        high <= 1.1 * low
    };
    let has_one = alike(&mut prompts.clone()) && alike(&mut outputs.clone());
    let text = format!("check 5, shapes: prompts of {}, outputs of {} tokens", span(prompts, 0), span(outputs, 0));
    lines.push(if has_one {
        format!("{text}: one shape, so perKvToken, perPromptTokenContext and prefillFactor cannot be told apart: what is fixed is named below")
    } else {
        text
    });
    has_one
}

/// An engine without CUDA graphs has a floor, not a factor.
fn floor(runs: &[CheckedRun], preset: Option<&LlmPreset>, lines: &mut Vec<String>) -> Option<f64> {
    let mut by_load: Vec<(f64, f64, &CheckedRun)> = runs
        .iter()
        .filter(|one| one.weights[1] > 0.0)
        .filter_map(|one| Some((one.sequences(), one.tpot_s?, one)))
        .collect();
    by_load.sort_by(|left, right| left.0.total_cmp(&right.0));
    let flat = by_load.get(..3).filter(|least| {
        let (low, high) =
            least.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), one| (low.min(one.1), high.max(one.1)));
        high <= 1.03 * low && least[2].0 >= 4.0 * least[0].0
    });
    let factor = |one: &(f64, f64, &CheckedRun)| {
        let law = &preset?.law;
        Some(one.1 / (law.pass_s(one.0) + law.per_kv_token_s * one.2.kv_tokens() + law.per_sequence_s * one.0))
    };
    let (least, most) = (by_load.first(), by_load.last());
    let factors = least.zip(most).and_then(|(least, most)| Some((least.0, factor(least)?, most.0, factor(most)?)));
    if let Some((few, low, many, high)) = factors {
        let text =
            format!("check 6, CUDA graphs: {low:.2} x the preset at {few:.0} sequences, {high:.2} x at {many:.0}");
        // A mean over the runs in between may be flat too, on graphs: then the least loaded is near the preset.
        let is_eager = low > 1.3 && high < 1.1 && many >= 16.0;
        let found = if is_eager || (flat.is_some() && low > 1.2) { least.map(|one| one.1) } else { None };
        lines.push(match found {
            Some(floor) => format!("{text}: a floor of {:.2} ms (eager mode), not a factor", floor * 1e3),
            None => text,
        });
        return found;
    }
    let found = flat.map(|least| least.iter().map(|one| one.1).sum::<f64>() / 3.0);
    if let Some(floor) = found {
        lines.push(format!(
            "check 6, floor: the three least loaded runs take {:.2} ms per token alike, at {:.0} to {:.0} sequences: iterationMin",
            floor * 1e3,
            by_load[0].0,
            by_load[2].0
        ));
    } else {
        lines.push("check 6, floor: none seen".to_owned());
    }
    found
}

/// A prompt cannot be computed faster than the GPU computes.
fn prefix_hits(runs: &[CheckedRun], preset: Option<&LlmPreset>, lines: &mut Vec<String>) {
    let bound = |one: &CheckedRun| preset?.prefill_at_full_speed_s(one.run.prompt.mean);
    let fast: Vec<String> = runs
        .iter()
        .filter(|one| one.is_single() && one.run.prompt.mean >= 256.0)
        .filter_map(|one| {
            let (ttft, bound) = (one.run.ttft_s?, bound(one)?);
            (ttft < bound).then(|| {
                format!(
                    "{}: TTFT {:.1} ms for {:.0} tokens, below {:.1} ms at the GPU's full speed",
                    one.run.name,
                    ttft * 1e3,
                    one.run.prompt.mean,
                    bound * 1e3
                )
            })
        })
        .collect();
    if !fast.is_empty() {
        lines.push(format!(
            "check 8, prefix cache: WARNING: {}: prompts were repeated; use random ones",
            fast.join("; ")
        ));
    } else if preset.is_some_and(|preset| preset.prefill_at_full_speed_s(1.0).is_some()) {
        lines.push("check 8, prefix cache: no prompt was faster than the GPU".to_owned());
    } else {
        lines.push("check 8, prefix cache: not checked, for want of a dense model and its GPU (--preset)".to_owned());
    }
}
