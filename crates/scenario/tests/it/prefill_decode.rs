//! `traffic.from.kvTransfer`: prefill in one service, decode in another.

use cluster::spec::KvTransfer;
use insta::assert_snapshot;
use units::SimDuration;

use crate::support::{load_text, message, repository};

/// The shipped scenario in one text, with one passage in the place of another.
fn changed(from: &str, to: &str) -> String {
    let read = |name: &str| std::fs::read_to_string(repository("scenarios/prefill-decode").join(name)).unwrap();
    let text = format!("{}---\n{}", read("scenario.yaml"), read("manifests.yaml"));
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

const TRANSFER: &str = "kvTransfer: {bandwidth: 6GB/s, latency: 5ms}";

#[test]
fn the_transfer_is_as_written_and_its_tokens_as_large_as_the_preset_says() {
    let loaded = load_text(&changed(TRANSFER, TRANSFER)).unwrap();
    let [prefill, decode] = &loaded.spec.services[..] else { panic!("two services") };
    assert!(prefill.called_by.is_none());
    // 64 layers x 8 heads of keys and of values x 128 x 2 bytes.
    let expected = KvTransfer {
        bytes_per_second: 6e9,
        latency: SimDuration::from_millis(5),
        bytes_per_token: 262_144.0,
        from_tokens: 0,
    };
    assert_eq!(decode.called_by.unwrap().transfer, Some(expected));
    let about = |word: &str| loaded.notes.iter().filter(|note| note.contains(word)).cloned().collect::<Vec<_>>();
    assert_snapshot!(about("fetched").join("\n"), @"decode: the KV cache of a mean prompt (4332 tokens, 1136 MB) is fetched from `prefill` in 194ms if nothing else is under way, and 5.283 a second into or out of one replica at most; latency and time to first token count from the arrival there");
    assert_snapshot!(about("saturation").join("\n"), @"prefill: saturation: a replica serves 4.17 req/s of 4332 prompt and 1 output tokens at most; the busiest minute has 6.20 req/s: fewer than 2 replicas fall behind");
    assert!(about("--kv-transfer-config").is_empty(), "{:?}", loaded.notes);
}

#[test]
fn without_it_the_flag_of_the_server_is_told_to_come_to_nothing() {
    let loaded = load_text(&changed(TRANSFER, "share: 100%")).unwrap();
    assert!(
        loaded
            .notes
            .iter()
            .any(|note| note.contains("--kv-transfer-config: prefill and decode apart are two `services`"))
    );
}

#[test]
fn what_makes_no_sense_beside_it_is_refused() {
    let transfer = |file: &str| message(&changed(TRANSFER, file));
    assert_snapshot!(transfer("kvTransfer: {latency: 5ms}"), @"scenario.yaml:46:21: spec.services[1].traffic.from.kvTransfer: key `bandwidth` is missing");
    assert_snapshot!(transfer("kvTransfer: {bandwith: 6GB/s}"), @"scenario.yaml:46:22: spec.services[1].traffic.from.kvTransfer: unknown key `bandwith`; did you mean `bandwidth`? (one of: bandwidth, latency, bytesPerToken)");
    assert_snapshot!(transfer("share: 50%\n        kvTransfer: {bandwidth: 6GB/s}"), @"scenario.yaml:44:9: spec.services[1].traffic.from: every request whose prompt was computed is answered once: `share` and `count` stay at 100% and 1");
    let decode = |more: &str| message(&changed("      model: *qwen\n", &format!("      model: *qwen\n{more}")));
    assert_snapshot!(decode("      client: {timeout: 60s}\n"), @"scenario.yaml:50:25: spec.services[1].service.client.timeout: beside `traffic.from.kvTransfer`: what clients wait for is both services; with the one that computes prompts it is about its part; it would change the result and is not modelled");
    assert_snapshot!(message(&changed("rate: {sine: {mean: 4req/s, amplitude: 50%, period: 1h, peak: 30m}}}", "rate: 1req/s}\n      sessions: {turns: 3, thinkTime: 5s}")), @"scenario.yaml:47:21: spec.services[1].traffic.from.kvTransfer: clients of `prefill` go on when they have an answer (closedLoop, sessions), and the answer is made here; it would change the result and is not modelled");
}

/// The picker of llm-d's guide, with a pool that has both Deployments.
const PICKER: &str = "---
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata: {name: qwen}
spec: {selector: {matchLabels: {model: qwen}}}
---
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
metadata: {name: epp}
plugins:
- type: prefill-filter
- type: decode-filter
- type: queue-scorer
- type: active-request-scorer
- {name: by-prefix, type: prefix-based-pd-decider, parameters: {nonCachedTokens: 2000}}
- {type: disagg-profile-handler, parameters: {deciders: {prefill: by-prefix}}}
schedulingProfiles:
- {name: prefill, plugins: [{pluginRef: prefill-filter}, {pluginRef: queue-scorer}]}
- {name: decode, plugins: [{pluginRef: decode-filter}, {pluginRef: active-request-scorer}]}
";

#[test]
fn the_decider_is_the_scenarios_or_the_pickers() {
    let from_tokens = |text: &str| {
        let loaded = load_text(text).unwrap();
        (loaded.spec.services[1].called_by.unwrap().transfer.unwrap().from_tokens, loaded.notes)
    };
    let written = |least: u32| changed(TRANSFER, &format!("{TRANSFER}\n        decider: {{nonCachedTokens: {least}}}"));
    let (least, notes) = from_tokens(&written(1_000));
    assert_eq!(least, 1_000);
    let about = |notes: &[String], word: &str| {
        notes.iter().filter(|note| note.contains(word)).cloned().collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(about(&notes, "fetched"), @"decode: the KV cache of a mean prompt of 1000 tokens and more (4694 tokens, 1231 MB) is fetched from `prefill` in 210ms if nothing else is under way, and 4.876 a second into or out of one replica at most; latency and time to first token count from the arrival there");
    assert_snapshot!(about(&notes, "saturation"), @"prefill: saturation: a replica serves 3.83 req/s of 4694 prompt and 1 output tokens at most; the busiest minute has 5.59 req/s: fewer than 2 replicas fall behind");
    let (least, notes) = from_tokens(&written(0));
    assert_eq!(least, u32::MAX);
    assert_snapshot!(about(&notes, "nonCachedTokens"), @"decode: nonCachedTokens 0: no prompt is computed by `prefill`, all are here; llm-d's decider with 0 takes none for worth it");
    let by_picker = format!("{}{PICKER}", changed(TRANSFER, TRANSFER)).replace("      routing: leastRequests\n", "");
    let by_picker = by_picker.replace("labels: {", "labels: {model: qwen, ");
    let (least, notes) = from_tokens(&by_picker);
    assert_eq!(least, 2_000);
    assert_snapshot!(about(&notes, "endpoint picker"), @"
    prefill: scenario.yaml: EndpointPickerConfig/epp: routing by the endpoint picker: queue-scorer 1
    decode: scenario.yaml: EndpointPickerConfig/epp: routing by the endpoint picker: active-request-scorer 1, nonCachedTokens 2000
    ");
    assert_snapshot!(about(&notes, "profile"), @"");
    // What the scenario says counts.
    let both = by_picker.replacen(TRANSFER, &format!("{TRANSFER}\n        decider: {{nonCachedTokens: 64}}"), 1);
    let (least, notes) = from_tokens(&both);
    assert_eq!(least, 64);
    assert!(notes.iter().any(|note| note.contains("`decider` of the scenario counts")), "{notes:?}");
    assert_snapshot!(message(&changed(TRANSFER, "decider: {nonCachedTokens: 64}")), @"scenario.yaml:46:18: spec.services[1].traffic.from.decider: decides which prompts another service computes: that takes `kvTransfer`, the way of what it has computed");
}

#[test]
fn what_is_fetched_shows_in_the_metrics_of_the_service_that_decodes() {
    let still = |from: &str, pods: &str| {
        let of = |name: &str| format!("sum(rate(vllm:external_prefix_cache_{name}_total{{pod=~\"{pods}-.*\"}}[1m]))");
        let text = changed(from, &format!("{} / {}", of("hits"), of("queries")));
        let notes = load_text(&text).unwrap().notes;
        notes.iter().filter(|note| note.contains("never changes: prompt tokens are all computed")).count()
    };
    assert_eq!(still("sum(vllm:kv_cache_usage_perc{pod=~\"qwen-decode-.*\"})", "qwen-decode"), 0);
    assert_eq!(still("sum(vllm:num_requests_running{pod=~\"qwen-prefill-.*\"})", "qwen-prefill"), 2);
}
