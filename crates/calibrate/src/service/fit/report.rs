//! A fit in words and as YAML.

use std::fmt::Write;

use cluster::spec::Scheduler;

use super::RUNS_TO_CHECK;
use super::outcome::{Coefficient, FittedRun, LlmFit, summary};
use super::spread::OverheadSpread;
use crate::yaml::{distribution, significant, time};

const KINDS: [&str; 3] = ["TTFT", "TPOT", "throughput"];

impl LlmFit {
    /// Checks, coefficients, each run, and how well runs are predicted that were not fitted.
    pub fn report(&self) -> String {
        let mut text = String::new();
        self.checks.iter().for_each(|line| line_of(&mut text, line));
        if let Some(source) = &self.source {
            line_of(&mut text, &format!("preset {source}"));
        }
        self.notes.iter().for_each(|note| line_of(&mut text, &format!("note: {note}")));
        text.push_str("\ncoefficients, 95 %\n");
        self.coefficients.iter().for_each(|one| line_of(&mut text, &format!("  {}", in_words(one))));
        if let Some(spread) = &self.overhead_spread {
            line_of(&mut text, &format!("  {}", spread.in_words()));
        }
        text.push('\n');
        text.push_str(&self.table());
        line_of(&mut text, &self.quality("error of the fit", false));
        if self.runs.len() < RUNS_TO_CHECK {
            let count = self.runs.len();
            line_of(&mut text, &format!("hold-one-out: not enough to check: {count} of at least {RUNS_TO_CHECK} runs"));
        } else {
            line_of(&mut text, &self.quality("hold-one-out, each run predicted by a fit to the others", true));
        }
        text
    }

    fn table(&self) -> String {
        let width = self.runs.iter().map(|run| run.load.len()).max().unwrap_or(0).max(4);
        let mut text = format!(
            "{:width$}  {:>9} {:>9} {:>7}   {:>8} {:>8} {:>7}   {:>8} {:>8} {:>7}   run\n",
            "load", "TTFT ms", "fitted", "error", "TPOT ms", "fitted", "error", "req/s", "fitted", "error"
        );
        for run in &self.runs {
            let cells: Vec<String> = (0..3).map(|kind| cells(run, kind)).collect();
            let _ = writeln!(text, "{:width$}  {}   {}   {}   {}", run.load, cells[0], cells[1], cells[2], run.name);
        }
        text
    }

    fn quality(&self, what: &str, held_out: bool) -> String {
        let errors = |run: &FittedRun, kind: usize| {
            if held_out { run.held_out.and_then(|held| held.errors[kind]) } else { run.errors[kind] }
        };
        let parts: Vec<String> = (0..3)
            .filter_map(|kind| {
                let (rms, (index, worst)) =
                    summary(self.runs.iter().enumerate().map(|(index, run)| (index, errors(run, kind))))?;
                Some(format!(
                    "{} RMS {:.1} %, worst {:+.1} % ({})",
                    KINDS[kind],
                    rms * 100.0,
                    worst * 100.0,
                    self.runs[index].load
                ))
            })
            .collect();
        format!("{what}: {}", parts.join("; "))
    }

    /// The `service` section of a scenario, complete as it stands. What no load test shows says where it is from.
    pub fn yaml(&self) -> String {
        let mut text = String::from("service:\n  model:\n    continuousBatching:\n");
        let mut key = |key: &str, value: &str, remark: &str| {
            let remark = if remark.is_empty() { String::new() } else { format!(" # {remark}") };
            let _ = writeln!(text, "      {key}: {value}{remark}");
        };
        if let Some(preset) = &self.preset {
            key("preset", preset, "corrected by the keys below");
        }
        self.settings(&mut key);
        self.law(&mut key);
        let tokens = |mean: f64| format!("{:.0}", mean.max(1.0));
        key("promptTokens", &tokens(self.tokens.0), "of requests without tokens of their own: mean of the runs");
        key("outputTokens", &tokens(self.tokens.1), "");
        text
    }

    fn settings(&self, key: &mut impl FnMut(&str, &str, &str)) {
        let engine = &self.engine;
        // A preset brings that of its engine along.
        if self.preset.is_none() && engine.scheduler != Scheduler::Vllm {
            key(
                "scheduler",
                engine.scheduler.word(),
                &format!("as {} comes; the runs were repeated with it", self.engine_title),
            );
        }
        let given = [("sequencesMax", self.given.sequences_max), ("batchedTokensMax", self.given.batched_tokens_max)];
        let used = [engine.sequences_max, engine.batched_tokens_max];
        for ((name, given), used) in given.into_iter().zip(used) {
            match given {
                Some(given) => key(name, &given.to_string(), "as given"),
                // A preset goes by the flags of the manifest, which a load test knows nothing of.
                None if self.preset.is_none() => {
                    key(
                        name,
                        &used.to_string(),
                        &format!("assumed: {}'s default; take it from the engine's log", self.engine_title),
                    );
                }
                None => {}
            }
        }
        match self.given.kv_tokens {
            Some(given) => key("kvTokens", &given.to_string(), "as given"),
            None if self.preset.is_some() => {}
            None if engine.kv_tokens < u64::from(u32::MAX) => {
                key(
                    "kvTokens",
                    &engine.kv_tokens.to_string(),
                    "worked out from memory and weights; the engine logs it as `GPU KV cache size`",
                );
            }
            None => {
                // Never a load for a capacity: several times what the busiest run held, and enough for one request.
                let least = libm::ceil(4.0 * self.held_max.1.max(self.tokens.0 + self.tokens.1) / 16.0) * 16.0;
                key(
                    "kvTokens",
                    &format!("{least:.0}"),
                    "ASSUMED: four times what the busiest run held; the engine logs the real one as `GPU KV cache size`",
                );
            }
        }
    }

    fn law(&self, key: &mut impl FnMut(&str, &str, &str)) {
        let engine = &self.engine;
        let remark = |name: &str| {
            let found = self.coefficients.iter().find(|one| one.name == name);
            found.map_or_else(String::new, plus_minus)
        };
        if self.preset.is_none() || engine.host_s > 0.0 {
            let points: Vec<String> = engine
                .token_time()
                .iter()
                .map(|(tokens, seconds)| format!("{{tokens: {tokens}, time: {}}}", time(*seconds)))
                .collect();
            let remark = if self.preset.is_some() {
                format!("the preset's, {} later: {}", time(engine.host_s), remark("added to every tokenTime"))
            } else {
                String::new()
            };
            key("tokenTime", &format!("[{}]", points.join(", ")), &remark);
        }
        if self.preset.is_none() {
            key("perKvToken", &time(engine.law.per_kv_token_s), &remark("perKvToken"));
            key(
                "perPromptTokenContext",
                &time(engine.law.per_prompt_token_context_s),
                &remark("perPromptTokenContext"),
            );
        } else {
            key("decodeFactor", &significant(engine.decode_factor), &remark("decodeFactor"));
            let is_fitted = self.coefficients.iter().any(|one| one.name == "prefillFactor");
            if is_fitted {
                key("prefillFactor", &significant(engine.prefill_factor), &remark("prefillFactor"));
            }
        }
        if engine.law.per_sequence_s > 0.0 {
            key("perSequence", &time(engine.law.per_sequence_s), &remark("perSequence"));
        }
        if engine.floor_s > 0.0 {
            key("iterationMin", &time(engine.floor_s), "the least loaded runs");
        }
        if engine.overhead_s > 0.0 {
            match &self.overhead_spread {
                Some(OverheadSpread { law, moments_s, .. }) => {
                    let said = format!(
                        "of {} requests sent one at a time, {} in the mean; all runs together say {} {}",
                        law.complete,
                        time(moments_s.0),
                        time(engine.overhead_s),
                        remark("overhead")
                    );
                    key("overhead", &distribution(&law.distribution), &said);
                }
                None => key("overhead", &time(engine.overhead_s), &remark("overhead")),
            }
        }
    }

    /// Pairs for a plot: (what, measured, fitted), each in milliseconds or requests per second.
    pub fn pairs(&self) -> [(&'static str, Vec<(f64, f64)>); 3] {
        let scale = [1e3, 1e3, 1.0];
        let titles = ["time to first token, ms", "time per token, ms", "requests per second"];
        [0, 1, 2].map(|kind| {
            let pairs = self.runs.iter().filter_map(|run| {
                run.errors[kind]?;
                Some((run.measured[kind]? * scale[kind], run.fitted[kind] * scale[kind]))
            });
            (titles[kind], pairs.collect())
        })
    }
}

fn line_of(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn in_words(one: &Coefficient) -> String {
    let value = if one.is_time { time(one.value) } else { significant(one.value) };
    format!("{:<26} {value} {}", one.name, plus_minus(one))
}

fn plus_minus(one: &Coefficient) -> String {
    if !one.plus_minus.is_finite() {
        return "(too few figures for an interval)".to_owned();
    }
    let value = if one.is_time { time(one.plus_minus) } else { significant(one.plus_minus) };
    format!("+- {value}")
}

fn cells(run: &FittedRun, kind: usize) -> String {
    let scale = if kind < 2 { 1e3 } else { 1.0 };
    let digits = [1, 2, 2][kind];
    let width = if kind == 0 { 9 } else { 8 };
    let number =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{:.digits$}", value * scale));
    let error = run.errors[kind].map_or_else(|| "-".to_owned(), |error| format!("{:+.1} %", error * 100.0));
    format!("{:>width$} {:>width$} {error:>7}", number(run.measured[kind]), number(Some(run.fitted[kind])))
}
