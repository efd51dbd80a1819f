//! What queries people write come to.

use std::collections::BTreeMap;

use super::*;
use crate::build::targets_of;
use crate::facts::Facts;
use crate::version::Version;

fn facts() -> Facts {
    Facts {
        image: "vllm/vllm-openai:v0.11.0".to_owned(),
        model_name: "qwen".to_owned(),
        model_name_from: "--served-model-name".to_owned(),
        versions: BTreeMap::from([(Exporter::Vllm, Version(0, 11, 0))]),
        ..Facts::new("llm", "chat")
    }
}

fn registry_of(exporters: &[Exporter], facts: &Facts) -> Registry {
    Registry::new(exporters, &targets_of(exporters, facts), facts)
}

fn usual() -> Registry {
    registry_of(&[Exporter::Vllm, Exporter::Dcgm, Exporter::Gateway], &facts())
}

/// The findings of a KEDA query: severity and text, with the help after it.
fn found_in(registry: &Registry, text: &str) -> Vec<(Severity, String)> {
    let question = Question { text, reader: Reader::Keda, asker: "keda/s0", assumed_absent: &[] };
    let verdict = check(question, registry, &mut Bindings::default());
    let all = verdict.findings.into_iter();
    all.map(|finding| (finding.severity, format!("{} | {}", finding.text, finding.help.join(" | ")))).collect()
}

#[track_caller]
fn says(text: &str, severity: Severity, words: &[&str]) {
    let found = found_in(&usual(), text);
    let hit = found.iter().any(|(weight, said)| *weight == severity && words.iter().all(|word| said.contains(word)));
    assert!(hit, "{text}: {found:#?}");
}

#[track_caller]
fn is_silent(text: &str) {
    assert_eq!(found_in(&usual(), text), [], "{text}");
}

#[test]
fn queries_that_are_right_are_passed_over_in_silence() {
    is_silent(r#"sum(vllm:num_requests_waiting{namespace="chat", model_name="qwen", pod=~"llm-.*"})"#);
    is_silent(r#"avg(DCGM_FI_DEV_GPU_UTIL{exported_namespace="chat", exported_pod=~"llm-.*"})"#);
    is_silent("histogram_quantile(0.95, sum by (le) (rate(vllm:time_to_first_token_seconds_bucket[5m])))");
    is_silent("sum(rate(http_requests_total{namespace=\"chat\", service=\"llm\"}[2m])) or vector(0)");
}

#[test]
fn a_name_that_nobody_has_is_an_error_with_the_nearest() {
    says(
        "sum(vllm:num_request_waiting)",
        Severity::Error,
        &["vllm:num_request_waiting", "nearest: vllm:num_requests_waiting (vllm)"],
    );
    says("vllm_num_requests_waiting", Severity::Error, &["nearest: vllm:num_requests_waiting"]);
    says("sum(vllm:gpu_cache_usage_factor)", Severity::Error, &["vllm:kv_cache_usage_perc"]);
    says(
        "sum(sie_request_queue_depth)",
        Severity::Error,
        &["metrics.aliases: {sie_request_queue_depth: queue_length}"],
    );
}

#[test]
fn a_name_of_another_server_is_told_whose_it_is_and_what_is_the_same_here() {
    says(
        "sum(sglang:num_queue_reqs)",
        Severity::Error,
        &[
            "is SGLang's",
            "the container runs vllm/vllm-openai:v0.11.0",
            "metrics.exporters: [sglang",
            "vllm:num_requests_waiting",
        ],
    );
    says("sum(ollama_queue)", Severity::Error, &["Ollama has no Prometheus endpoint"]);
}

#[test]
fn a_name_of_another_release_names_its_successor() {
    says(
        "avg(vllm:gpu_cache_usage_perc)",
        Severity::Error,
        &["was removed in vLLM 0.12", "successor is vllm:kv_cache_usage_perc"],
    );
    let old = Facts { versions: BTreeMap::from([(Exporter::Vllm, Version(0, 9, 0))]), ..facts() };
    let registry = registry_of(&[Exporter::Vllm], &old);
    assert_eq!(found_in(&registry, "avg(vllm:gpu_cache_usage_perc)"), []);
    assert!(found_in(&registry, "avg(vllm:kv_cache_usage_perc)")[0].1.contains("came with vLLM 0.9.2"));
}

#[test]
fn what_is_not_modelled_says_why() {
    says("avg(DCGM_FI_PROF_DRAM_ACTIVE)", Severity::Error, &["not modelled", "kernels", "metrics.series"]);
    says("avg(DCGM_FI_DEV_POWER_USAGE)", Severity::Error, &["service.usage.gpuPower"]);
    let without = Facts { arguments: Some(vec!["--port".to_owned()]), ..Facts::new("llm", "chat") };
    let registry = registry_of(&[Exporter::Sglang], &without);
    assert!(found_in(&registry, "sum(sglang:num_queue_reqs)")[0].1.contains("--enable-metrics"));
}

#[test]
fn vllm_without_its_statistics_shows_only_http() {
    for argument in ["--disable-log-stats", "--disable_log_stats"] {
        let silent = Facts { arguments: Some(vec![argument.to_owned()]), ..Facts::new("llm", "chat") };
        let registry = registry_of(&[Exporter::Vllm], &silent);
        let found = found_in(&registry, "sum(vllm:num_requests_waiting)");
        assert_eq!(found[0].0, Severity::Error);
        assert!(found[0].1.contains("only without --disable-log-stats"), "{}", found[0].1);
        assert!(registry.names().all(|name| !name.starts_with("vllm:")));
        assert!(registry.named("http_requests_total").next().is_some());
    }
}

#[test]
fn a_label_that_no_series_has_is_an_error_with_the_one_meant() {
    says(
        "sum(vllm:num_requests_waiting{model=\"qwen\"})",
        Severity::Error,
        &["has no label model", "did you mean model_name?"],
    );
    says(
        "sum(vllm:num_requests_waiting{model_name=\"mistral-7b\"})",
        Severity::Error,
        &["model_name is \"qwen\" (from --served-model-name)", "mistral-7b"],
    );
    says("sum(vllm:num_requests_waiting{pod=\"chat-0\"})", Severity::Error, &["pod is such as \"llm-"]);
    says(
        "avg(DCGM_FI_DEV_GPU_UTIL{pod=~\"llm-.*\"})",
        Severity::Error,
        &["pod is the exporter's own; the workload's is exported_pod", "exported_pod=~\"llm-.*\"", "honorLabels: true"],
    );
    says(
        "sum(rate(vllm:time_to_first_token_seconds_bucket{le=\"1\"}[5m]))",
        Severity::Error,
        &["Prometheus 3 stores this bound as le=\"1.0\""],
    );
}

#[test]
fn a_label_that_the_scenario_cannot_know_takes_the_value_of_the_first_query_and_refuses_another() {
    let registry = registry_of(&[Exporter::Triton], &Facts::new("llm", "chat"));
    let mut bindings = Bindings::default();
    let mut ask = |asker: &str, text: &str| {
        let question = Question { text, reader: Reader::Keda, asker, assumed_absent: &[] };
        check(question, &registry, &mut bindings).findings.remove(0)
    };
    let first = ask("keda/s0", "sum(nv_inference_pending_request_count{model=\"resnet\"})");
    assert_eq!((first.severity, first.topic), (Severity::Note, Topic::Bound));
    let second = ask("keda/s1", "sum(nv_inference_pending_request_count{model=\"bert\"})");
    assert!(
        second.severity == Severity::Error && second.text.contains("keda/s0 asks for \"resnet\""),
        "{}",
        second.text
    );
}

#[test]
fn what_a_query_says_of_a_label_is_what_the_series_then_has() {
    let cases = [
        (Exporter::Triton, "nv_inference_pending_request_count", "model"),
        (Exporter::Vllm, "vllm:num_requests_running", "model_name"),
        (Exporter::Sglang, "sglang:num_queue_reqs", "model_name"),
    ];
    for (exporter, metric, label) in cases {
        let unknown = Facts::new("llm", "chat");
        let mut bindings = Bindings::default();
        let text = format!("sum({metric}{{{label}=\"resnet\"}})");
        let question = Question { text: &text, reader: Reader::Keda, asker: "keda/s0", assumed_absent: &[] };
        check(question, &registry_of(&[exporter], &unknown), &mut bindings);
        let told = Facts { bound: bindings.values(), ..unknown };
        let registry = registry_of(&[exporter], &told);
        let shown = registry.named(metric).next().expect("it is shown");
        assert_eq!(shown.labels[label].matcher_text(), "=\"resnet\"", "{metric}");
    }
}

#[test]
fn ranges_are_held_against_the_interval_of_the_target() {
    says("sum(rate(vllm:prompt_tokens_total[15s]))", Severity::Error, &["never has two samples", "every 15s", "[60s]"]);
    says("sum(rate(vllm:prompt_tokens_total[20s]))", Severity::Warning, &["often has one sample"]);
    says("sum(rate(vllm:prompt_tokens_total[30s]))", Severity::Note, &["a single missed scrape empties it"]);
    says("avg(avg_over_time(vllm:num_requests_running[5s]))", Severity::Warning, &["is empty between scrapes"]);
    let often = Facts { interval: units::SimDuration::from_secs(5), ..facts() };
    assert_eq!(found_in(&registry_of(&[Exporter::Vllm], &often), "sum(rate(vllm:prompt_tokens_total[20s]))"), []);
}

#[test]
fn functions_are_held_against_the_type_of_the_metric() {
    says("sum(rate(vllm:num_requests_waiting[2m]))", Severity::Warning, &["rate of the gauge"]);
    says("sum(vllm:prompt_tokens_total)", Severity::Warning, &["only ever grows"]);
    says(
        "histogram_quantile(0.95, sum(rate(vllm:time_to_first_token_seconds_bucket[5m])))",
        Severity::Warning,
        &["needs the label le"],
    );
}

#[test]
fn keda_is_told_of_answers_that_are_no_single_element() {
    says("vllm:num_requests_waiting", Severity::Warning, &["fails from the second replica on"]);
    says("sum by (pod) (vllm:num_requests_waiting)", Severity::Warning, &["fails from the second replica on"]);
    says(
        "sum by (finished_reason) (rate(vllm:request_success_total[2m]))",
        Severity::Warning,
        &["5 elements", "at every poll"],
    );
    says("scalar(sum(vllm:num_requests_waiting))", Severity::Error, &["gives a scalar", "vector("]);
    says("vllm:num_requests_waiting[1m]", Severity::Error, &["range vector"]);
}

#[test]
fn a_value_that_never_changes_says_why() {
    says("sum(rate(vllm:prefix_cache_hits_total[2m]))", Severity::Note, &["never changes", "no prefix cache"]);
    says("sum(rate(vllm:request_success_total{finished_reason=\"length\"}[2m]))", Severity::Note, &["never changes"]);
}

#[test]
fn a_broken_query_says_where_and_names_what_is_of_another_language() {
    says("avg(DCGM_FI_DEV_GPU_UTIL[2m])", Severity::Error, &["not a PromQL query", "vector"]);
    says("sum(rate(vllm:prompt_tokens_total[2m])", Severity::Error, &["at character 4 has no partner"]);
    says(
        "sum(vllm:num_requests_waiting{namespace=\"$namespace\"})",
        Severity::Error,
        &["$namespace", "Grafana variable"],
    );
    says(
        "sum(vllm:num_requests_waiting{pod=~\"(a\"})",
        Severity::Error,
        &["regular expression \"(a\": unclosed group"],
    );
    says("sum(vllm:num_requests_waiting[$interval])", Severity::Error, &["$interval", "Grafana variable"]);
    says("sum({{ .Values.metric }})", Severity::Error, &["template"]);
}

#[test]
fn what_is_assumed_absent_is_a_note() {
    let registry = usual();
    let words = ["absent_one".to_owned(), "vllm:num_requests_waiting{model=\"qwen\"}".to_owned()];
    for text in ["sum(absent_one)", "sum(vllm:num_requests_waiting{model=\"qwen\", namespace=\"chat\"})"] {
        let question = Question { text, reader: Reader::Keda, asker: "keda/s0", assumed_absent: &words };
        let findings = check(question, &registry, &mut Bindings::default()).findings;
        assert_eq!((findings[0].severity, findings[0].topic), (Severity::Note, Topic::Assumed), "{text}");
    }
}
