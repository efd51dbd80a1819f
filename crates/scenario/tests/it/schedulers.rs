//! Whose scheduler a language model has: as written, as the server in the manifest has it, and what is refused because it would do nothing.

use cluster::spec::{EngineSpec, PrefillFirst, Scheduler, Tgi};
use insta::assert_snapshot;

use crate::support::{load_text, message, with};

fn scenario(keys: &str) -> String {
    let model = format!(
        "      continuousBatching: {{sequencesMax: 8, batchedTokensMax: 512, kvTokens: 4096, iterationMin: 9ms, iterationBase: 6ms, \
         perKvToken: 62ns, perPromptToken: 20us{keys}}}\n"
    );
    with("      slots:\n        serviceTime: 50ms\n", &model)
}

fn engine(keys: &str) -> EngineSpec {
    load_text(&scenario(keys)).expect("a good scenario").spec.services[0].engine.clone()
}

/// The engine of the scenario beside a Deployment of this container, and the notes about it.
fn beside(container: &str, keys: &str) -> (EngineSpec, Vec<String>) {
    let text = scenario(keys).replacen("    pod:\n      gpus: 1\n", "", 1);
    let deployment = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: chat}}\nspec:\n  replicas: 1\n  selector: {{matchLabels: {{app: chat}}}}\n  \
         template:\n    metadata: {{labels: {{app: chat}}}}\n    spec:\n      containers:\n      - {{name: server, {container}, resources: \
         {{limits: {{nvidia.com/gpu: 1}}}}}}\n"
    );
    let loaded = load_text(&format!("{text}---\n{deployment}")).expect("a good folder");
    let notes = loaded.notes.iter().filter(|note| note.contains("chedul") && !note.contains("room is kept"));
    (loaded.spec.services[0].engine.clone(), notes.cloned().collect())
}

#[test]
fn a_scheduler_is_named_with_or_without_its_settings() {
    let of = |keys: &str| engine(keys).scheduler;
    assert_eq!(engine(""), EngineSpec::default());
    assert_eq!(of(", scheduler: prefillFirst"), Scheduler::PrefillFirst(PrefillFirst::default()));
    let rule = PrefillFirst { prefill_tokens_max: 2_048, conservativeness: 0.5, longest_prefix_first: true };
    let written = ", scheduler: {prefillFirst: {maxPrefillTokens: 2048, conservativeness: 0.5, policy: lpm}}";
    assert_eq!(of(written), Scheduler::PrefillFirst(rule));
    let rule = Tgi { waiting_served_ratio: 1.2, waiting_tokens_max: 5, total_tokens_max: Some(4_000) };
    let written = ", scheduler: {tgi: {waitingServedRatio: 1.2, maxWaitingTokens: 5, maxBatchTotalTokens: 4000}}";
    assert_eq!(of(written), Scheduler::Tgi(rule));
    assert_eq!(of(", scheduler: maxUtilization"), Scheduler::MaxUtilization);
    let kept = engine(", scheduler: noEvict, maxNewTokens: 300, chunkedPrefill: false");
    assert_eq!((kept.scheduler, kept.max_new_tokens, kept.chunks_prompts), (Scheduler::NoEvict, Some(300), false));
}

#[test]
fn guesses_are_as_many_as_the_flags_say_and_as_right_as_the_scenario_says() {
    let speculative = |keys: &str| engine(keys).speculative.expect("it guesses");
    let of = speculative(", speculative: {tokens: 3, acceptance: 50%, draftTime: 1ms}");
    assert_eq!((of.tokens, of.acceptance, of.draft_time.as_nanos()), (3, vec![0.5; 3], 1_000_000));
    assert_eq!(speculative(", speculative: {tokens: 3, acceptance: [80%, 50%]}").acceptance, [0.8, 0.5]);
    let vllm = "image: \"vllm/vllm-openai:v0.11.0\", args: [--speculative-config, '{\"num_speculative_tokens\": 2}']";
    let found = beside(vllm, ", speculative: {acceptance: 60%}").0.speculative.expect("it guesses");
    assert_eq!((found.tokens, found.acceptance), (2, vec![0.6; 2]));
    assert_eq!(beside(vllm, "").0.speculative, None);
    for (keys, reason) in [
        (", speculative: {acceptance: 50%}", "needs `tokens`: no flag of a server says how many are guessed"),
        (", speculative: {tokens: 2, acceptance: [50%, 40%, 30%]}", "acceptance: needs 1 to 2 shares"),
        (", speculative: {tokens: 2, acceptance: 101%}", "acceptance: must be 0% to 100%"),
        (
            ", scheduler: noEvict, longPrefillTokenThreshold: 512",
            "longPrefillTokenThreshold: is of `vllm`; the scheduler here is noEvict",
        ),
        (
            ", chunkedPrefill: false, longPrefillTokenThreshold: 512",
            "longPrefillTokenThreshold: is about chunks of prompts, and prompts are computed whole here",
        ),
        (
            ", longPrefillTokenThreshold: 512, speculative: {tokens: 2, acceptance: 50%}",
            "longPrefillTokenThreshold: and `speculative` together are not modelled",
        ),
        (", scheduler: noEvict, admitByChunk: true", "admitByChunk: is of `vllm`; the scheduler here is noEvict"),
    ] {
        let refused = message(&scenario(keys));
        assert!(refused.contains(reason), "{refused}");
    }
    assert!(engine(", admitByChunk: true").admits_by_chunk);
    assert_eq!(engine(", longPrefillTokenThreshold: 512").long_prefill_token_threshold, Some(512));
    assert_eq!(engine(", longPrefillTokenThreshold: 0").long_prefill_token_threshold, None);
    let flag = "image: \"vllm/vllm-openai:v0.11.0\", args: [--long-prefill-token-threshold, \"512\"]";
    assert_eq!(beside(flag, "").0.long_prefill_token_threshold, Some(512));
    assert_eq!(beside(flag, ", longPrefillTokenThreshold: 0").0.long_prefill_token_threshold, None);
}

#[test]
fn the_server_in_the_manifest_has_its_own_scheduler_and_its_flags_count() {
    let (engine, notes) = beside(
        "image: \"lmsysorg/sglang:v0.5.2\", args: [--schedule-conservativeness, \"0.8\", --chunked-prefill-size, \"512\"]",
        "",
    );
    let rule = PrefillFirst { conservativeness: 0.8, ..PrefillFirst::default() };
    assert_eq!(engine.scheduler, Scheduler::PrefillFirst(rule));
    assert_snapshot!(notes.join("\n"), @"scenario.yaml:34:9: SGLang with --schedule-conservativeness 0.8: scheduler prefillFirst, passes of prompts go before decoding (maxPrefillTokens 16384, conservativeness 0.8, policy fcfs)");
    assert_eq!(beside("image: \"vllm/vllm-openai:v0.11.0\"", "").0, EngineSpec::default());
    let tgi =
        beside("image: \"ghcr.io/huggingface/text-generation-inference:3.0\", args: [--max-waiting-tokens=9]", "").0;
    assert_eq!(tgi.scheduler, Scheduler::Tgi(Tgi { waiting_tokens_max: 9, ..Tgi::default() }));
}

#[test]
fn what_the_scenario_says_counts_and_the_difference_is_said() {
    let sglang = "image: \"lmsysorg/sglang:v0.5.2\", args: [--schedule-conservativeness, \"0.8\"]";
    let (engine, notes) = beside(sglang, ", scheduler: vllm");
    assert_eq!(engine.scheduler, Scheduler::Vllm);
    assert_snapshot!(notes.join("\n"), @"scenario.yaml:34:9: SGLang with --schedule-conservativeness 0.8, whose scheduler is prefillFirst; the scenario's counts, vllm");
    let (engine, notes) = beside(sglang, ", scheduler: {prefillFirst: {maxPrefillTokens: 999}}");
    let rule = PrefillFirst { prefill_tokens_max: 999, conservativeness: 0.8, longest_prefix_first: false };
    assert_eq!(engine.scheduler, Scheduler::PrefillFirst(rule), "flags fill what is left out");
    assert_snapshot!(notes.join("\n"), @"scenario.yaml:34:9: SGLang with --schedule-conservativeness 0.8, but the settings of the scenario count: passes of prompts go before decoding (maxPrefillTokens 999, conservativeness 0.8, policy fcfs)");
}

#[test]
fn what_would_do_nothing_is_refused() {
    let refused = |keys: &str| message(&scenario(keys));
    assert_snapshot!(refused(", maxNewTokens: 300"), @"scenario.yaml:13:177: spec.service.model.continuousBatching.maxNewTokens: is what `prefillFirst`, `noEvict` and `tgi` keep room for; the scheduler here is vllm, which looks at the prompt alone");
    assert_snapshot!(refused(", scheduler: tgi, schedulingPolicy: priority"), @"scenario.yaml:13:197: spec.service.model.continuousBatching.schedulingPolicy: `priority` is vLLM's; the scheduler here is tgi");
    assert_snapshot!(refused(", scheduler: tgi, chunkedPrefill: true"), @"scenario.yaml:13:195: spec.service.model.continuousBatching.chunkedPrefill: tgi computes prompts whole");
    assert_snapshot!(refused(", scheduler: {tgi: {maxBatchTotalTokens: 5000}}"), @"scenario.yaml:13:202: spec.service.model.continuousBatching.scheduler.tgi.maxBatchTotalTokens: is more than the 4096 `kvTokens` of the cache");
    assert_snapshot!(refused(", scheduler: {prefillFirst: {conservativeness: -1}}"), @"scenario.yaml:13:208: spec.service.model.continuousBatching.scheduler.prefillFirst.conservativeness: must be at least 0");
    assert_snapshot!(refused(", scheduler: sglang"), @"scenario.yaml:13:174: spec.service.model.continuousBatching.scheduler: text `sglang`, expected `vllm`, `prefillFirst`, `noEvict`, `maxUtilization` or `tgi`");
    assert_snapshot!(refused(", scheduler: {prefillFirst: {policy: lof}}"), @"scenario.yaml:13:198: spec.service.model.continuousBatching.scheduler.prefillFirst.policy: unknown choice `lof`; did you mean `lpm`? (one of: fcfs, lpm)");
}
