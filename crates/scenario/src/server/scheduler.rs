//! How the engine in a container fills its passes: the rule of its kind, and what its command line says of it.

use cluster::spec::{EngineSpec, PrefillFirst, Scheduler, Tgi};

use super::lora::{LoraFlags, idle_lora_flags, lora_flags};
use super::{APART, Words};
use crate::manifest::workload::Engine;
use crate::tree::Node;

/// A rule and what says so.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scheduling {
    /// The rule with its settings.
    pub engine: EngineSpec,
    /// What says so: `SGLang with --schedule-conservativeness 0.8`.
    pub source: String,
    /// What it says of guessing tokens.
    pub drafts: Option<Drafts>,
    /// What it says of adapters, where they are modelled.
    pub lora: Option<LoraFlags>,
    /// What was read and is not modelled.
    pub notes: Vec<String>,
}

/// What flags say of speculative decoding. How often guesses are right is in none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drafts {
    /// Guessed tokens per sequence and iteration.
    pub tokens: Option<u32>,
    /// Places in a row that are guessed, where the guesses are a tree.
    pub places: Option<u32>,
    /// The flag, as written.
    pub said: String,
}

/// Flags that change what a pass holds in a way that is not modelled, by engine.
const VLLM_FLAGS: [(&str, &str); 5] = [
    ("--num-scheduler-steps", "not modelled, whoever waits is looked at before every iteration"),
    ("--scheduler-delay-factor", "not modelled, prompts are not held back"),
    ("--preemption-mode", "not modelled, who is preempted is computed anew"),
    ("--scheduler-cls", "a scheduler of your own is not modelled, vLLM's is in its place"),
    ("--kv-offloading-size", "not modelled, what leaves the KV cache of the GPU is computed anew"),
];
const SGLANG_FLAGS: [(&str, &str); 4] = [
    ("--num-continuous-decode-steps", "not modelled, whoever waits is looked at before every pass"),
    ("--prefill-max-requests", "not modelled, a pass holds as many prompts as its tokens allow"),
    ("--disaggregation-mode", APART),
    ("--page-size", "not modelled, blocks of the KV cache have 16 tokens"),
];
/// The same of switches.
const SGLANG_SWITCHES: [(&str, &str); 3] = [
    ("--enable-mixed-chunk", "not modelled, passes of prompts hold nothing else"),
    ("--enable-hierarchical-cache", "not modelled, what leaves the KV cache of the GPU is computed anew"),
    ("--enable-priority-scheduling", "not modelled, first come first served instead"),
];

/// That of the server in a container; `None` where the kind is not one whose scheduler is known.
pub(crate) fn scheduling(container: &Node, engine: Engine) -> Option<Scheduling> {
    let words = Words::of(container);
    let mut reading = Reading { words: &words, said: Vec::new(), notes: Vec::new() };
    let spec = match engine {
        Engine::Vllm => reading.vllm(),
        Engine::Sglang => reading.sglang(),
        Engine::TensorRtLlm => reading.tensorrt_llm(),
        Engine::TextGenerationInference => reading.text_generation_inference(),
        _ => return None,
    };
    let lora = if engine == Engine::Vllm { lora_flags(&words) } else { None };
    if engine == Engine::Vllm {
        reading.notes.extend(idle_lora_flags(&words));
    } else {
        reading.note_unmodelled();
    }
    let said = if reading.said.is_empty() { String::new() } else { format!(" with {}", reading.said.join(", ")) };
    let drafts = reading.drafts(engine);
    Some(Scheduling { engine: spec, source: format!("{}{said}", engine.title()), drafts, lora, notes: reading.notes })
}

struct Reading<'a> {
    words: &'a Words,
    /// Flags that were taken over, as written.
    said: Vec<String>,
    notes: Vec<String>,
}

impl Reading<'_> {
    /// A value of a flag or, in upper case, of a variable.
    fn value<T: std::str::FromStr>(&mut self, flag: &str) -> Option<T> {
        let name = flag.trim_start_matches('-').replace('-', "_").to_uppercase();
        let by_flag = self.words.flag(&[flag]).map(|(written, value)| (format!("{written} {value}"), value));
        let by_name = || self.words.variable(&name).map(|value| (format!("{name}={value}"), value.to_owned()));
        let (said, value) = by_flag.or_else(by_name)?;
        if let Ok(value) = value.parse() {
            self.said.push(said);
            return Some(value);
        }
        self.notes.push(format!("{said}: not understood, the engine's default counts"));
        None
    }

    /// What guesses tokens, if anything does.
    fn drafts(&self, engine: Engine) -> Option<Drafts> {
        let number = |flag: &str| self.words.flag(&[flag]).and_then(|(_, value)| value.parse::<u32>().ok());
        let drafts = |(said, value): (String, String), tokens, places| {
            Some(Drafts { tokens, places, said: format!("{said} {value}") })
        };
        match engine {
            Engine::Vllm => {
                let key = "--speculative-config.num-speculative-tokens";
                if let Some(written) = self.words.flag(&["--speculative-config", "-sc"]) {
                    let json = serde_json::from_str::<serde_json::Value>(&written.1).ok();
                    let tokens = json.and_then(|json| json.get("num_speculative_tokens")?.as_u64());
                    return drafts(written, tokens.and_then(|tokens| u32::try_from(tokens).ok()), None);
                }
                let written = self.words.flag(&[key, "--num-speculative-tokens"]);
                let tokens = number(key).or_else(|| number("--num-speculative-tokens"));
                drafts(written.or_else(|| self.words.flag(&["--speculative-model"]))?, tokens, None)
            }
            Engine::Sglang => {
                let written = self.words.flag(&["--speculative-algorithm", "--speculative-algo"])?;
                let steps = number("--speculative-num-steps");
                // Of the tokens that are checked the first is the next one, which nobody guesses.
                let checked = number("--speculative-num-draft-tokens").map(|tokens| tokens.saturating_sub(1));
                drafts(written, checked.or(steps), steps)
            }
            Engine::TextGenerationInference => {
                let variable = || Some(("SPECULATE".to_owned(), self.words.variable("SPECULATE")?.to_owned()));
                let written = self.words.flag(&["--speculate"]).or_else(variable)?;
                let tokens = written.1.parse().ok();
                if tokens == Some(0) { None } else { drafts(written, tokens, None) }
            }
            _ => None,
        }
    }

    /// Flags of these whose value is not the one that is modelled anyway.
    fn note_flags(&mut self, flags: &[(&str, &str)]) {
        for (flag, loss) in flags {
            if let Some((written, value)) = self.words.flag(&[flag])
                && !is_modelled(flag, &value)
            {
                self.notes.push(format!("{written} {value}: {loss}"));
            }
        }
    }

    /// Flags that change which adapter an iteration needs.
    fn note_unmodelled(&mut self) {
        let adapters = ["--enable-lora", "--lora-paths", "--lora-adapters"];
        let written = adapters
            .into_iter()
            .find(|flag| self.words.switch(flag) == Some(true) || self.words.flag(&[*flag]).is_some());
        if let Some(written) = written {
            self.notes.push(format!("{written}: adapters are modelled for vLLM only, all requests are of one model"));
        }
    }

    fn vllm(&mut self) -> EngineSpec {
        let chunks_prompts = self.words.switch("--enable-chunked-prefill") != Some(false);
        if !chunks_prompts {
            self.said.push("--no-enable-chunked-prefill".to_owned());
        }
        self.note_flags(&VLLM_FLAGS);
        for flag in ["--max-num-partial-prefills", "--max-long-partial-prefills"] {
            if let Some((written, value)) = self.words.flag(&[flag]) {
                self.notes.push(format!("{written} {value}: has no effect in vLLM's V1 engine, and none here"));
            }
        }
        if let Some((written, tokens)) = self.words.flag(&["--block-size"]).filter(|(_, tokens)| tokens != "16") {
            self.notes.push(format!("{written} {tokens}: not modelled, blocks of the KV cache have 16 tokens"));
        }
        let admits_by_chunk = self.words.switch("--scheduler-reserve-full-isl") == Some(false);
        if admits_by_chunk {
            self.said.push("--no-scheduler-reserve-full-isl".to_owned());
        }
        let threshold = self.value("--long-prefill-token-threshold").filter(|tokens: &u32| *tokens > 0);
        let long_prefill_token_threshold = threshold.filter(|_| chunks_prompts);
        if threshold.is_some() && !chunks_prompts {
            self.notes.push("--long-prefill-token-threshold: not modelled with prompts computed whole".to_owned());
            self.said.retain(|said| !said.contains("-threshold"));
        }
        EngineSpec { chunks_prompts, admits_by_chunk, long_prefill_token_threshold, ..EngineSpec::default() }
    }

    fn sglang(&mut self) -> EngineSpec {
        let mut rule = PrefillFirst::default();
        rule.prefill_tokens_max = self.value("--max-prefill-tokens").unwrap_or(rule.prefill_tokens_max);
        let conservativeness = self.value("--schedule-conservativeness").filter(|value: &f64| *value >= 0.0);
        rule.conservativeness = conservativeness.unwrap_or(rule.conservativeness);
        if let Some((written, policy)) = self.words.flag(&["--schedule-policy"]) {
            match policy.as_str() {
                "fcfs" => self.said.push(format!("{written} fcfs")),
                "lpm" => {
                    rule.longest_prefix_first = true;
                    self.said.push(format!("{written} lpm"));
                }
                other => self.notes.push(format!("{written} {other}: not modelled, first come first served instead")),
            }
        }
        let chunks_prompts = !chunks_are_off(self.words);
        if !chunks_prompts {
            self.said.push("--chunked-prefill-size -1".to_owned());
        }
        self.note_flags(&SGLANG_FLAGS);
        for (switch, loss) in SGLANG_SWITCHES {
            if self.words.switch(switch) == Some(true) {
                self.notes.push(format!("{switch}: {loss}"));
            }
        }
        EngineSpec { scheduler: Scheduler::PrefillFirst(rule), chunks_prompts, ..EngineSpec::default() }
    }

    fn tensorrt_llm(&mut self) -> EngineSpec {
        let chunks_prompts = self.words.switch("--enable-chunked-prefill") == Some(true);
        if chunks_prompts {
            self.said.push("--enable_chunked_prefill".to_owned());
        }
        if let Some((written, file)) = self.words.flag(&["--extra-llm-api-options", "--config"]) {
            self.notes.push(format!(
                "{written} {file} is not read: if it has capacity_scheduler_policy MAX_UTILIZATION, say `scheduler: maxUtilization`"
            ));
        }
        EngineSpec { scheduler: Scheduler::NoEvict, chunks_prompts, ..EngineSpec::default() }
    }

    fn text_generation_inference(&mut self) -> EngineSpec {
        let mut rule = Tgi::default();
        let ratio = self.value("--waiting-served-ratio").filter(|value: &f64| *value >= 0.0);
        rule.waiting_served_ratio = ratio.unwrap_or(rule.waiting_served_ratio);
        rule.waiting_tokens_max = self.value("--max-waiting-tokens").unwrap_or(rule.waiting_tokens_max);
        rule.total_tokens_max = self.value("--max-batch-total-tokens");
        EngineSpec { scheduler: Scheduler::Tgi(rule), ..EngineSpec::default() }
    }
}

/// Values that change nothing.
fn is_modelled(flag: &str, value: &str) -> bool {
    match flag {
        "--num-scheduler-steps" | "--num-continuous-decode-steps" => value == "1",
        "--preemption-mode" => value == "recompute",
        // One token a page, SGLang's default, shares no less than 16 do.
        "--page-size" => value == "1" || value == "16",
        "--disaggregation-mode" => value == "null",
        _ => false,
    }
}

/// Whether SGLang was told to compute prompts whole.
pub(super) fn chunks_are_off(words: &Words) -> bool {
    words.flag(&["--chunked-prefill-size"]).is_some_and(|(_, size)| size.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse_documents;

    fn read(engine: Engine, container: &str) -> Scheduling {
        scheduling(&parse_documents("a.yaml", container).expect("YAML")[0], engine).expect("its scheduler is known")
    }

    #[test]
    fn each_engine_has_its_rule_with_what_its_flags_say() {
        let found = read(
            Engine::Sglang,
            "{args: [--schedule-conservativeness, \"0.5\", --schedule-policy=lpm, --chunked-prefill-size, \"-1\"]}",
        );
        let rule = PrefillFirst { conservativeness: 0.5, longest_prefix_first: true, ..PrefillFirst::default() };
        assert_eq!((found.engine.scheduler, found.engine.chunks_prompts), (Scheduler::PrefillFirst(rule), false));
        assert_eq!(
            found.source,
            "SGLang with --schedule-conservativeness 0.5, --schedule-policy lpm, --chunked-prefill-size -1"
        );
        let found = read(
            Engine::TextGenerationInference,
            "{args: [--max-waiting-tokens, \"7\"], env: [{name: WAITING_SERVED_RATIO, value: \"1.2\"}]}",
        );
        let rule = Tgi { waiting_served_ratio: 1.2, waiting_tokens_max: 7, total_tokens_max: None };
        assert_eq!(found.engine.scheduler, Scheduler::Tgi(rule));
        assert!(!read(Engine::Vllm, "{args: [--no-enable-chunked-prefill]}").engine.chunks_prompts);
        assert_eq!(read(Engine::Vllm, "{}").engine, EngineSpec::default());
        let trt = read(Engine::TensorRtLlm, "{args: [--enable_chunked_prefill, --extra_llm_api_options, a.yaml]}");
        assert_eq!((trt.engine.scheduler, trt.engine.chunks_prompts, trt.notes.len()), (Scheduler::NoEvict, true, 1));
    }

    #[test]
    fn what_is_not_modelled_is_said() {
        assert_eq!(read(Engine::Sglang, "{args: [--enable-mixed-chunk, --schedule-policy, random]}").notes.len(), 2);
        let threshold = |args: &str| {
            let found = read(Engine::Vllm, &format!("{{args: [--long-prefill-token-threshold, {args}]}}"));
            (found.engine.long_prefill_token_threshold, found.notes.len())
        };
        assert_eq!(threshold("\"512\""), (Some(512), 0));
        assert_eq!(threshold("\"0\""), (None, 0));
        assert_eq!(threshold("\"512\", --no-enable-chunked-prefill"), (None, 1));
        let partial =
            "{args: [--max-long-partial-prefills=2, --max-num-partial-prefills=4, --block-size=32, --enable-lora]}";
        assert_eq!(read(Engine::Vllm, partial).notes.len(), 3);
        assert_eq!(read(Engine::Sglang, "{args: [--disaggregation-mode, prefill, --lora-paths, a, b]}").notes.len(), 2);
    }

    #[test]
    fn guesses_are_read_from_the_flags_of_each_engine() {
        let of = |engine, container| read(engine, container).drafts.map(|drafts| (drafts.tokens, drafts.places));
        let json = "{args: [--speculative-config, '{\"method\": \"eagle3\", \"num_speculative_tokens\": 3}']}";
        assert_eq!(of(Engine::Vllm, json), Some((Some(3), None)));
        let dotted = "{args: [--speculative-config.method=ngram, --speculative-config.num_speculative_tokens, \"5\"]}";
        assert_eq!(of(Engine::Vllm, dotted), Some((Some(5), None)));
        assert_eq!(of(Engine::Vllm, "{args: [\"--speculative-config={}\"]}"), Some((None, None)));
        let tree = "{args: [--speculative-algorithm, EAGLE3, --speculative-num-steps, \"5\", --speculative-num-draft-tokens, \"8\"]}";
        assert_eq!(of(Engine::Sglang, tree), Some((Some(7), Some(5))));
        assert_eq!(
            of(Engine::TextGenerationInference, "{env: [{name: SPECULATE, value: \"2\"}]}"),
            Some((Some(2), None))
        );
        assert_eq!(of(Engine::Vllm, "{}"), None);
    }

    #[test]
    fn older_admission_is_a_flag() {
        assert!(read(Engine::Vllm, "{args: [--no-scheduler-reserve-full-isl]}").engine.admits_by_chunk);
    }
}
