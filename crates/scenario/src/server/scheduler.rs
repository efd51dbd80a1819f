//! How the engine in a container fills its passes: the rule of its kind, and what its command line says of it.

use cluster::spec::{EngineSpec, PrefillFirst, Scheduler, Tgi};

use super::Words;
use crate::manifest::workload::Engine;
use crate::tree::Node;

/// A rule and what says so.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scheduling {
    /// The rule with its settings.
    pub engine: EngineSpec,
    /// What says so: `SGLang with --schedule-conservativeness 0.8`.
    pub source: String,
    /// What was read and is not modelled.
    pub notes: Vec<String>,
}

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
    reading.note_unmodelled();
    let said = if reading.said.is_empty() { String::new() } else { format!(" with {}", reading.said.join(", ")) };
    Some(Scheduling { engine: spec, source: format!("{}{said}", engine.title()), notes: reading.notes })
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

    /// Flags that change how many tokens an iteration makes, or which adapter it needs.
    fn note_unmodelled(&mut self) {
        let drafts = ["--speculative-config", "--speculative-model", "--speculative-algorithm", "--speculate"];
        if let Some((written, _)) = self.words.flag(&drafts) {
            self.notes.push(format!(
                "{written}: speculative decoding is not modelled, every iteration makes one token per sequence; times measured with it have its gain"
            ));
        }
        let adapters = ["--enable-lora", "--lora-paths", "--lora-modules", "--lora-adapters"];
        let written = adapters
            .into_iter()
            .find(|flag| self.words.switch(flag) == Some(true) || self.words.flag(&[*flag]).is_some());
        if let Some(written) = written {
            self.notes.push(format!("{written}: adapters are not modelled, all requests are of one model"));
        }
    }

    fn vllm(&mut self) -> EngineSpec {
        let chunks_prompts = self.words.switch("--enable-chunked-prefill") != Some(false);
        if !chunks_prompts {
            self.said.push("--no-enable-chunked-prefill".to_owned());
        }
        for flag in ["--long-prefill-token-threshold", "--max-num-partial-prefills"] {
            if let Some((written, value)) = self.words.flag(&[flag]) {
                self.notes.push(format!("{written} {value}: not modelled, a prompt takes what is left of the pass"));
            }
        }
        EngineSpec { chunks_prompts, ..EngineSpec::default() }
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
        if self.words.switch("--enable-mixed-chunk") == Some(true) {
            self.notes.push("--enable-mixed-chunk: not modelled, passes of prompts hold nothing else".to_owned());
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
        assert_eq!(read(Engine::Vllm, "{args: [--long-prefill-token-threshold, \"512\"]}").notes.len(), 1);
        assert_eq!(read(Engine::Vllm, "{args: [\"--speculative-config={}\", --enable-lora]}").notes.len(), 2);
        assert_eq!(
            read(Engine::Sglang, "{args: [--speculative-algorithm, EAGLE3, --lora-paths, a, b]}").notes.len(),
            2
        );
    }
}
