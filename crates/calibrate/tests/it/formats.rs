//! Does every load generator's file become the runs it tells of, and do traps in it stop a fit?

use calibrate::{
    Beside, Choice, LlmFormat, LlmRun, RunLoad, Told, check, genai_perf, guidellm, inference_perf, llm_format,
    llm_runs, prediction, vllm_bench,
};

const VLLM: &str = r#"{"num_prompts": 110, "completed": 100, "total_input_tokens": 20000, "total_output_tokens": 6000, "request_rate": 31.0,
    "request_throughput": 31.0, "mean_ttft_ms": 30.0, "mean_tpot_ms": 4.0, "mean_e2el_ms": 266.0}"#;
const GENAI: &str = r#"{"request_throughput": {"avg": 31.0, "unit": "requests/sec"}, "time_to_first_token": {"avg": 30.0, "unit": "ms"},
    "inter_token_latency": {"avg": 4.0, "unit": "ms"}, "request_latency": {"avg": 0.266, "unit": "s"}, "request_count": {"avg": 100},
    "input_sequence_length": {"avg": 200}, "output_sequence_length": {"avg": 60}, "error_request_count": {"avg": 10}}"#;
const INFERENCE: &str = r#"{"load_summary": {"requested_rate": 31.0}, "successes": {"count": 100, "prompt_len": {"mean": 200},
    "output_len": {"mean": 60}, "throughput": {"requests_per_sec": 31.0}, "latency": {"time_to_first_token": {"mean": 0.03},
    "time_per_output_token": {"mean": 0.004}, "request_latency": {"mean": 0.266}}}, "failures": {"count": 10}}"#;
const GUIDELLM: &str = r#"{"benchmarks": [{"config": {"strategy": {"type_": "constant", "rate": 31.0}},
    "run_stats": {"requests_made": {"successful": 100, "errored": 10}}, "metrics": {
    "requests_per_second": {"successful": {"mean": 31.0}}, "time_to_first_token_ms": {"successful": {"mean": 30.0}},
    "time_per_output_token_ms": {"successful": {"mean": 4.43}}, "inter_token_latency_ms": {"successful": {"mean": 4.0}},
    "request_latency": {"successful": {"mean": 0.266}}, "prompt_token_count": {"successful": {"mean": 200}},
    "output_token_count": {"successful": {"mean": 60}}}}]}"#;
const TABLE: &str = "variant,rate,achieved_rps,prompt,output,ttft_ms,tpot_ms,e2e_ms,completed,failures\n\
                     a,31,31,200,60,30,4,266,100,10\nb,62,62,200,60,33,5,328,100,0\n";

fn same(run: &LlmRun) -> LlmRun {
    LlmRun { name: String::new(), ..run.clone() }
}

#[test]
fn the_same_run_reads_the_same_from_every_tool() {
    let first = same(&vllm_bench("", VLLM).unwrap());
    assert!(
        (first.failed_share - 1.0 / 11.0).abs() < 1e-12
            && first.load == RunLoad::Rate { rate: 31.0, concurrency_max: None }
    );
    let choice = [Choice { column: "variant".to_owned(), value: "a".to_owned() }];
    let others = [
        genai_perf("", GENAI).unwrap(),
        inference_perf("", INFERENCE).unwrap(),
        guidellm("", GUIDELLM).unwrap().remove(0),
        llm_runs(("", TABLE), LlmFormat::Table, &choice, &Told::default()).unwrap().remove(0),
    ];
    for other in others {
        let other = same(&other);
        assert!(
            (other.ttft_s.unwrap() - 0.03).abs() < 1e-12 && (other.failed_share - first.failed_share).abs() < 1e-12
        );
        assert_eq!(LlmRun { failed_share: first.failed_share, ttft_s: first.ttft_s, ..other }, first);
    }
}

#[test]
fn a_file_tells_its_format() {
    let found = [VLLM, GENAI, INFERENCE, GUIDELLM, TABLE].map(llm_format);
    let formats =
        [LlmFormat::VllmBench, LlmFormat::GenaiPerf, LlmFormat::InferencePerf, LlmFormat::Guidellm, LlmFormat::Table];
    assert_eq!(found, formats.map(Some));
    assert_eq!([llm_format("{}"), llm_format("a,b\n1,2\n")], [None, None]);
}

#[test]
fn how_requests_were_sent_is_read() {
    let load = |text: &str| vllm_bench("", text).unwrap().load;
    let burst = VLLM.replace("\"request_rate\": 31.0", "\"request_rate\": \"inf\", \"max_concurrency\": 64");
    assert_eq!(load(&burst), RunLoad::Concurrency(64));
    assert_eq!(load(&VLLM.replace("\"request_rate\": 31.0", "\"request_rate\": \"inf\"")), RunLoad::Concurrency(110));
    let capped = VLLM.replace("\"request_rate\": 31.0", "\"request_rate\": 31.0, \"max_concurrency\": 8");
    assert_eq!(load(&capped), RunLoad::Rate { rate: 31.0, concurrency_max: Some(8) });
    let halved = vllm_bench("", &burst).unwrap().shared_by(4);
    assert_eq!((halved.load, halved.requests_per_second), (RunLoad::Concurrency(16), 31.0 / 4.0));
}

#[test]
fn a_prediction_is_marked_as_simulated_and_asks_for_what_it_leaves_out() {
    let text = r#"{"mean_ttft_ms": 22.1, "mean_tpot_ms": 6.2, "mean_e2e_latency_ms": 411.6, "output_throughput_tok_s": 155.5}"#;
    let told = Told { prompt_tokens: Some(1024.0), output_tokens: Some(64.0), concurrency: Some(1), rate: None };
    let run = prediction("", text, &told).unwrap();
    assert!(run.is_simulated && run.load == RunLoad::Concurrency(1), "{run:?}");
    let missing = prediction("", text, &Told::default()).unwrap_err().to_string();
    assert_eq!(missing, "AISimulate prediction: `isl` is missing; expected prompt tokens, or --prompt-tokens");
}

#[test]
fn a_missing_or_unit_less_figure_is_named() {
    let no_unit = r#"{"request_throughput": {"avg": 1}, "input_sequence_length": {"avg": 1}, "output_sequence_length": {"avg": 1},
        "time_to_first_token": {"avg": 30.0}}"#;
    let errors = [
        vllm_bench("", "{}").unwrap_err().to_string(),
        genai_perf("", no_unit).unwrap_err().to_string(),
        llm_runs(("", "ttft_ms,prompt\n1,2\n"), LlmFormat::Table, &[], &Told::default()).unwrap_err().to_string(),
    ];
    insta::assert_snapshot!(errors.join("\n"), @r"
    vllm bench JSON: `completed` is missing; expected a number, not negative
    genai-perf JSON: `time_to_first_token.unit` is missing; expected ms, s, us or ns
    table of load tests: `output tokens (output, output_tokens, mean_out_tokens, mean_output_tokens, osl, output_len)` is not among the columns: ttft_ms, prompt; expected a column of one of these names
    ");
}

fn checked(text: &str, kv_tokens: Option<u64>) -> Result<Vec<String>, String> {
    let runs = llm_runs(("t", text), LlmFormat::Table, &[], &Told::default()).unwrap();
    check(runs, &Beside { preset: None, kv_tokens }).map(|checked| checked.lines).map_err(|error| error.to_string())
}

fn line(lines: &[String], check: u32) -> &str {
    lines.iter().find(|line| line.starts_with(&format!("check {check},"))).unwrap()
}

#[test]
fn a_time_per_token_of_chunks_is_replaced_and_one_that_fits_nothing_stops_the_fit() {
    let chunks = checked(&TABLE.replace(",4,266", ",2,266").replace(",5,328", ",2.5,328"), None).unwrap();
    assert!(line(&chunks, 1).contains("= 2.00: the client counted tokens of its own; WARNING"), "{chunks:?}");
    // 266/60 and 328/60.
    let whole = checked(&TABLE.replace(",4,266", ",4.433,266").replace(",5,328", ",5.467,328"), None).unwrap();
    // Nearly the same for long outputs; told apart only where the first token takes long.
    assert!(line(&whole, 1).contains("consistent"), "{whole:?}");
    let late = TABLE.replace("30,4,266", "130,6.1,366").replace("33,5,328", "133,7.133,428");
    assert!(line(&checked(&late, None).unwrap(), 1).contains("contains the TTFT"));
    let odd = checked(&TABLE.replace(",4,266", ",2.9,266"), None).unwrap_err();
    assert!(odd.contains("2.900 ms") && odd.contains("4.000 ms"), "{odd}");
}

#[test]
fn an_average_in_use_is_no_capacity() {
    // The second run holds 62 x 59 x 5 ms x 230 tokens = 4,207 on average.
    let refused = checked(TABLE, Some(4_500)).unwrap_err();
    assert!(
        refused.contains("4500 tokens given") && refused.contains("held 4207") && refused.contains("average in use"),
        "{refused}"
    );
    assert!(line(&checked(TABLE, Some(400_000)).unwrap(), 2).ends_with("fits"));
}

#[test]
fn a_saturated_run_counts_for_its_throughput_alone() {
    let text = TABLE.replace("62,62,", "62,50,");
    let runs = llm_runs(("t", &text), LlmFormat::Table, &[], &Told::default()).unwrap();
    let found = check(runs, &Beside::default()).unwrap();
    assert_eq!(found.runs[1].weights, [0.0, 0.0, 1.0]);
    assert!(line(&found.lines, 3).contains("t line 3: 50.0000 of 62.0000 req/s"), "{:?}", found.lines);
}

#[test]
fn one_concurrency_behind_several_rates_is_a_closed_loop_whose_first_tokens_do_not_count() {
    let text = "rate,achieved_rps,concurrency,prompt,output,ttft_ms,tpot_ms\n5,5,8,200,60,30,4\n10,10,8,200,60,33,5\n20,20,8,200,60,33,5\n";
    let runs = llm_runs(("t", text), LlmFormat::Table, &[], &Told::default()).unwrap();
    let found = check(runs, &Beside::default()).unwrap();
    assert!(found.runs.iter().all(|one| one.run.load == RunLoad::Concurrency(8) && one.weights[0] == 0.0));
    assert!(
        line(&found.lines, 4).contains("3 of 3 runs") && line(&found.lines, 5).contains("one shape"),
        "{:?}",
        found.lines
    );
}

#[test]
fn equal_times_at_light_loads_are_a_floor() {
    let text = "concurrency,prompt,output,ttft_ms,tpot_ms\n1,200,60,30,9.5\n2,200,60,30,9.52\n8,200,60,30,9.6\n128,200,60,90,14\n";
    let runs = llm_runs(("t", text), LlmFormat::Table, &[], &Told { rate: Some(1.0), ..Told::default() }).unwrap();
    let runs = runs.into_iter().map(|run| {
        let RunLoad::Rate { concurrency_max: Some(bound), .. } = run.load else { panic!("{run:?}") };
        let rate = f64::from(bound) / (run.ttft_s.unwrap() + 59.0 * run.tpot_s.unwrap());
        LlmRun { load: RunLoad::Concurrency(bound), requests_per_second: rate, ..run }
    });
    let found = check(runs.collect(), &Beside::default()).unwrap();
    assert!((found.floor_s.unwrap() - 9.54e-3).abs() < 1e-5, "{:?}", found.lines);
}

#[test]
fn times_in_the_wrong_unit_are_asked_about() {
    assert!(checked(&TABLE.replace("tpot_ms", "tpot_s"), None).unwrap_err().contains("in which unit"));
    assert!(checked(&TABLE.replace("ttft_ms", "ttft_us"), None).unwrap_err().contains("time to first token of"));
}
