//! What a model server does with the requests it has when it is told to stop, by engine, release and flags.
//!
//! As the servers' own sources have it: vLLM `entrypoints/launcher.py` (`--shutdown-timeout` from 0.18 on), SGLang's SIGTERM watchdog, TGI
//! `launcher`, Triton `--exit-timeout-secs`, Ray Serve `graceful_shutdown_timeout_s`. Of Ollama and llama.cpp it is known less surely.

use cluster::spec::StopRule;
use units::SimDuration;

use crate::manifest::workload::Engine;
use crate::tree::Node;

use super::{Words, number, release_of, variable, vllm_release_of};

/// How a server stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopping {
    /// What it does.
    pub rule: StopRule,
    /// What says so: `vLLM 0.11 without --shutdown-timeout`.
    pub source: String,
    /// False where it is taken to finish for want of knowledge.
    pub is_known: bool,
}

impl Stopping {
    /// The rule as `service.onTerminate` has it.
    pub fn rule_in_words(&self) -> String {
        in_words(self.rule)
    }

    fn known(rule: StopRule, source: impl Into<String>) -> Self {
        Self { rule, source: source.into(), is_known: true }
    }

    fn unknown(source: &str) -> Self {
        Self { rule: StopRule::FINISH, source: source.to_owned(), is_known: false }
    }
}

/// A rule as `onTerminate` has it.
pub(crate) fn in_words(rule: StopRule) -> String {
    let StopRule::Finish { within, poll } = rule else {
        return if rule == StopRule::Halt { "{abort: {notice: atKill}}" } else { "abort" }.to_owned();
    };
    let within = within.map(|within| format!("within: {}s", within.as_secs_f64()));
    let poll = (!poll.is_zero()).then(|| format!("poll: {}s", poll.as_secs_f64()));
    let bounds: Vec<String> = within.into_iter().chain(poll).collect();
    if bounds.is_empty() { "finish".to_owned() } else { format!("{{finish: {{{}}}}}", bounds.join(", ")) }
}

/// What the server in this container does when it is told to stop.
pub(crate) fn stopping(container: &Node, engine: Engine) -> Stopping {
    let words = Words::of(container);
    let image = container.text_at(&["image"]);
    let release = image.and_then(release_of);
    match engine {
        Engine::Vllm => vllm(&words, image.and_then(vllm_release_of), "vLLM"),
        Engine::Nim if release.is_some_and(|release| release >= (2, 0, 0)) => vllm(&words, None, "the vLLM of NIM"),
        Engine::Sglang => sglang(&words),
        Engine::TextGenerationInference => {
            let flag = number(&words, &["--graceful-termination-timeout"]);
            let stated = flag.or_else(|| variable(&words, "GRACEFUL_TERMINATION_TIMEOUT"));
            bounded("TGI", stated.map(|stated| (stated.value, stated.source)), 90)
        }
        Engine::TextEmbeddingsInference => Stopping::known(StopRule::FINISH, "TEI finishes what it has"),
        Engine::Triton => {
            let stated = number(&words, &["--exit-timeout-secs"]);
            bounded("Triton", stated.map(|stated| (stated.value, stated.source)), 30)
        }
        Engine::RayServe => bounded("Ray Serve (graceful_shutdown_timeout_s)", None, 20),
        Engine::Ollama => Stopping::known(StopRule::Abort, "Ollama exits at once"),
        Engine::LlamaCpp => Stopping::known(StopRule::Abort, "llama.cpp exits at once"),
        Engine::Nim => Stopping::unknown("NIM, whose engine its tag does not tell"),
        Engine::Dynamo => Stopping::unknown("Dynamo, which drains as it is configured to"),
        Engine::TensorRtLlm => Stopping::unknown("TensorRT-LLM"),
        Engine::LmDeploy => Stopping::unknown("LMDeploy"),
        Engine::Djl => Stopping::unknown("DJL Serving"),
        Engine::Infinity => Stopping::unknown("Infinity"),
        Engine::HuggingfaceServer => Stopping::unknown("KServe's Hugging Face server"),
    }
}

/// vLLM aborts what it runs, unless it is one that can wait and was told to.
fn vllm(words: &Words, release: Option<(u32, u32, u32)>, name: &str) -> Stopping {
    let can_wait = release.is_none_or(|release| release >= (0, 18, 0));
    let stated = number(words, &["--shutdown-timeout"]).filter(|stated| can_wait && stated.value > 0);
    let version = release.map(|(major, minor, _)| format!(" {major}.{minor}")).unwrap_or_default();
    match stated {
        Some(stated) => Stopping::known(finish_within(stated.value), format!("{name}{version} with {}", stated.source)),
        None if can_wait => Stopping::known(StopRule::Abort, format!("{name}{version} without --shutdown-timeout")),
        None => Stopping::known(StopRule::Abort, format!("{name}{version}; --shutdown-timeout came with 0.18")),
    }
}

/// SGLang looks every five seconds whether it still has requests.
fn sglang(words: &Words) -> Stopping {
    let is_forced = |name: &str| words.variable(name).is_some_and(|value| ["1", "true", "True"].contains(&value));
    if let Some(name) = ["SGL_FORCE_SHUTDOWN", "SGLANG_FORCE_SHUTDOWN"].into_iter().find(|name| is_forced(name)) {
        return Stopping::known(StopRule::Abort, format!("SGLang with {name}"));
    }
    let rule = StopRule::Finish { within: None, poll: SimDuration::from_secs(5) };
    Stopping::known(rule, "SGLang finishes what it has and looks every 5 s")
}

fn bounded(name: &str, stated: Option<(u32, String)>, default: u32) -> Stopping {
    match stated {
        Some((seconds, source)) => Stopping::known(finish_within(seconds), format!("{name} with {source}")),
        None => Stopping::known(finish_within(default), format!("{name}'s default of {default} s")),
    }
}

fn finish_within(seconds: u32) -> StopRule {
    StopRule::Finish { within: Some(SimDuration::from_secs(u64::from(seconds))), poll: SimDuration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse_documents;

    fn rule(engine: Engine, container: &str) -> StopRule {
        stopping(&parse_documents("a.yaml", container).expect("YAML")[0], engine).rule
    }

    #[test]
    fn vllm_aborts_unless_it_can_wait_and_was_told_to() {
        let vllm = |container: &str| rule(Engine::Vllm, container);
        assert_eq!(vllm("{image: \"vllm/vllm-openai:v0.11.0\"}"), StopRule::Abort);
        assert_eq!(vllm("{image: \"vllm/vllm-openai:v0.11.0\", args: [--shutdown-timeout, \"60\"]}"), StopRule::Abort);
        assert_eq!(vllm("{image: \"vllm/vllm-openai:v0.18.1\"}"), StopRule::Abort);
        for tag in ["v0.18.1", "latest"] {
            let container = format!("{{image: \"vllm/vllm-openai:{tag}\", args: [\"--shutdown-timeout=60\"]}}");
            assert_eq!(vllm(&container), finish_within(60), "{tag}");
        }
    }

    #[test]
    fn others_finish_within_their_bounds() {
        assert_eq!(rule(Engine::TextGenerationInference, "{image: x}"), finish_within(90));
        let told = "{image: x, env: [{name: GRACEFUL_TERMINATION_TIMEOUT, value: \"30\"}]}";
        assert_eq!(rule(Engine::TextGenerationInference, told), finish_within(30));
        assert_eq!(rule(Engine::Triton, "{image: x, args: [--exit-timeout-secs=120]}"), finish_within(120));
        let poll = SimDuration::from_secs(5);
        assert_eq!(rule(Engine::Sglang, "{image: x}"), StopRule::Finish { within: None, poll });
        let forced = "{image: x, env: [{name: SGL_FORCE_SHUTDOWN, value: \"1\"}]}";
        assert_eq!(rule(Engine::Sglang, forced), StopRule::Abort);
        assert_eq!(rule(Engine::Nim, "{image: \"nvcr.io/nim/meta/llama:1.8.4\"}"), StopRule::FINISH);
        assert_eq!(rule(Engine::Nim, "{image: \"nvcr.io/nim/meta/llama:2.0.1\"}"), StopRule::Abort);
    }
}
