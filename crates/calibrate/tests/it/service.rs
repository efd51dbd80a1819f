//! Do service fits recover the parameters that results were made from?

use calibrate::{LlmRun, batching, genai_perf, inference_perf, llm, triton_perf_analyzer, vllm_bench};

const TRITON_HEADER: &str = "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,\
                             Server Compute Infer,Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency";

fn triton(infer_micros: u32) -> String {
    format!(
        "{TRITON_HEADER}\n1,69.2,225,2148,64,200,{infer_micros},20,0,1,1,1,1\n4,84.2,279,1604,33669,200,{infer_micros},20,1,1,1,1,1\n"
    )
}

#[test]
fn the_line_through_batch_sizes_is_recovered() {
    // 8 ms and 1.5 ms a request, of which 220 us are input and output.
    let runs: Vec<_> = [1, 4, 8, 16]
        .into_iter()
        .flat_map(|batch| triton_perf_analyzer(&triton(8_000 + 1_500 * batch - 220), batch).unwrap())
        .collect();
    let fit = batching(&runs).unwrap();
    assert!((fit.base_s - 0.008).abs() < 1e-6 && (fit.per_request_s - 0.0015).abs() < 1e-6, "{fit:?}");
    assert_eq!(
        fit.yaml(),
        "service:\n  model:\n    dynamicBatching:\n      batchMax: 16\n      latency: {affine: {base: 8ms, perRequest: 1.5ms}}\n"
    );
}

#[test]
fn a_curve_that_is_no_line_is_given_as_points() {
    let runs: Vec<_> = [(1, 10_000), (8, 10_000), (16, 40_000)]
        .into_iter()
        .flat_map(|(batch, micros)| triton_perf_analyzer(&triton(micros - 220), batch).unwrap())
        .collect();
    assert!(
        batching(&runs)
            .unwrap()
            .yaml()
            .contains("points: [{batch: 1, latency: 10ms}, {batch: 8, latency: 10ms}, {batch: 16, latency: 40ms}]")
    );
}

#[test]
fn one_batch_size_alone_is_all_fixed_and_said_so() {
    let fit = batching(&triton_perf_analyzer(&triton(11_780), 1).unwrap()).unwrap();
    assert_eq!((fit.per_request_s, fit.notes.len()), (0.0, 1));
}

#[test]
fn a_file_that_is_not_perf_analyzers_names_the_missing_column() {
    assert_eq!(
        triton_perf_analyzer("a,b\n1,2\n", 1).unwrap_err().to_string(),
        "perf_analyzer CSV: no column `Server Compute Infer` (columns: a, b)"
    );
    let wrong = format!("{TRITON_HEADER}\n1,69,1,1,1,1,fast,1,1,1,1,1,1\n");
    assert_eq!(
        triton_perf_analyzer(&wrong, 1).unwrap_err().to_string(),
        "perf_analyzer CSV: `Server Compute Infer of line 2` is `fast`; expected microseconds"
    );
}

/// A run of an engine whose iterations last `base` + KV tokens · `per_kv` + prompt tokens · `per_prompt`, solved for the time per token.
fn run(requests_per_second: f64, base: f64, per_kv: f64, per_prompt: f64) -> LlmRun {
    let (prompt, output) = (500.0, 201.0);
    let share = requests_per_second * ((output - 1.0) * (prompt + output / 2.0) * per_kv + prompt * per_prompt);
    let tpot_s = base / (1.0 - share);
    LlmRun {
        requests_per_second,
        prompt_tokens: prompt,
        output_tokens: output,
        ttft_s: tpot_s + prompt * per_prompt,
        tpot_s,
        failed_share: 0.0,
    }
}

#[test]
fn iteration_parameters_are_recovered_from_runs_at_several_loads() {
    let runs: Vec<LlmRun> = [0.5, 2.0, 4.0].into_iter().map(|rate| run(rate, 0.010, 60e-9, 40e-6)).collect();
    let fit = llm(&runs).unwrap();
    assert!((fit.iteration_base_s / 0.010 - 1.0).abs() < 1e-6, "{fit:?}");
    assert!((fit.per_kv_token_s / 60e-9 - 1.0).abs() < 1e-6, "{fit:?}");
    assert!((fit.per_prompt_token_s / 40e-6 - 1.0).abs() < 1e-6, "{fit:?}");
    assert!(
        fit.yaml().contains("      iterationBase: 10ms\n      perKvToken: 60ns\n      perPromptToken: 40us\n"),
        "{}",
        fit.yaml()
    );
}

#[test]
fn one_run_alone_says_so() {
    assert_eq!(
        llm(&[run(1.0, 0.01, 0.0, 1e-5)]).unwrap().notes,
        ["one run only: its time per token is taken as fixed; measure other loads"]
    );
}

#[test]
fn the_same_run_reads_the_same_from_all_three_tools() {
    let vllm = r#"{"num_prompts": 110, "completed": 100, "total_input_tokens": 20000, "total_output_tokens": 6000,
        "request_throughput": 31.0, "mean_ttft_ms": 30.0, "mean_tpot_ms": 4.0}"#;
    let genai = r#"{"request_throughput": {"avg": 31.0, "unit": "requests/sec"}, "time_to_first_token": {"avg": 30.0, "unit": "ms"},
        "inter_token_latency": {"avg": 4.0, "unit": "ms"}, "input_sequence_length": {"avg": 200}, "output_sequence_length": {"avg": 60}}"#;
    let inference = r#"{"successes": {"count": 100, "prompt_len": {"mean": 200}, "output_len": {"mean": 60},
        "throughput": {"requests_per_sec": 31.0}, "latency": {"time_to_first_token": {"mean": 0.03}, "time_per_output_token": {"mean": 0.004}}},
        "failures": {"count": 10}}"#;
    let [vllm, genai, inference] = [vllm_bench(vllm), genai_perf(genai), inference_perf(inference)].map(Result::unwrap);
    assert!((vllm.failed_share - 1.0 / 11.0).abs() < 1e-12);
    assert!((inference.failed_share - 1.0 / 11.0).abs() < 1e-12);
    let figures = |run: LlmRun| LlmRun { failed_share: 0.0, ..run };
    assert_eq!((figures(vllm), figures(inference)), (genai, genai));
}

#[test]
fn a_missing_or_unit_less_figure_is_named() {
    assert_eq!(
        vllm_bench("{}").unwrap_err().to_string(),
        "vllm bench JSON: `completed` is missing; expected a number, not negative"
    );
    let no_unit = r#"{"request_throughput": {"avg": 1}, "input_sequence_length": {"avg": 1}, "output_sequence_length": {"avg": 1},
        "time_to_first_token": {"avg": 30.0}}"#;
    assert_eq!(
        genai_perf(no_unit).unwrap_err().to_string(),
        "genai-perf JSON: `time_to_first_token.unit` is missing; expected ms, s, us or ns"
    );
}
