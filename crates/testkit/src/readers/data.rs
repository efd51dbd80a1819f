//! Readers of data: traces and what they are parsed to, prices, what a cluster tells, load tests.

use std::path::{Path, PathBuf};

use calibrate::{Given, LlmFormat, LlmRun, Settings, Told};
use report::Table;
use scenario::file::{TraceFile, TraceFormat};
use traces::{FileTrace, TraceCache};
use workload::{TraceChunk, TraceSource};

use super::{Reader, test_data};

/// A hundred requests as a CSV file.
pub fn trace_csv(own: &Path) -> Reader {
    let rows: String = (0..100).map(|row| format!("2026-01-05 00:00:{:02}.5,{row},7\n", row / 2)).collect();
    trace("trace-csv", format!("TIMESTAMP,ContextTokens,GeneratedTokens\n{rows}").into_bytes(), own.join("t.csv"))
}

/// The same as JSON lines.
pub fn trace_jsonl(own: &Path) -> Reader {
    let line = |row: u32| {
        format!("{{\"timestamp\": {row}, \"input_length\": {row}, \"output_length\": 3, \"hash_ids\": [1]}}\n")
    };
    trace("trace-jsonl", (0..100).map(line).collect::<String>().into_bytes(), own.join("t.jsonl"))
}

/// The same as Parquet.
pub fn trace_parquet(own: &Path) -> Reader {
    let rows = 0..100_u32;
    let table = Table::default()
        .number("arrival_s", rows.clone().map(|row| f64::from(row) / 3.0))
        .count("prompt_tokens", rows.clone().map(u64::from))
        .count("output_tokens", rows.map(u64::from));
    trace("trace-parquet", table.to_parquet(), own.join("t.parquet"))
}

/// Reads a trace through twice: when it is loaded, and as a run does.
fn trace(name: &str, good: Vec<u8>, path: PathBuf) -> Reader {
    let key = options(&path);
    Reader::new(name, good, move |bytes| {
        write_long_ago(&path, bytes);
        FileTrace::load(&path, &key).is_ok_and(|trace| {
            read_through(&trace);
            true
        })
    })
}

fn options(path: &Path) -> TraceFile {
    TraceFile { file: path.display().to_string(), format: TraceFormat::Auto, columns: None, resample: false }
}

/// A file whose time is long ago: one just written would be looked at again after a moment.
fn write_long_ago(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("a writable folder");
    let file = std::fs::File::options().write(true).open(path).expect("the file");
    file.set_modified(std::time::UNIX_EPOCH).expect("a file has a time");
}

/// Requests, and the sum of their arrivals in nanoseconds.
fn read_through(trace: &FileTrace) -> (usize, u64) {
    let (mut reader, mut chunk, mut requests, mut sum) = (trace.open(), TraceChunk::default(), 0, 0_u64);
    while reader.next_chunk(&mut chunk) {
        requests += chunk.arrival_ns.len();
        sum = chunk.arrival_ns.iter().fold(sum, |sum, at| sum.wrapping_add(*at));
    }
    (requests, sum)
}

/// What a trace was parsed to: a damaged copy must never change the answer, whatever it says of itself.
pub fn trace_cache(own: &Path) -> Reader {
    let (path, kept) = (own.join("t.csv"), own.join("kept"));
    let rows: String = (0..10_000).map(|row| format!("{}.25,{row},7\n", row / 9)).collect();
    write_long_ago(&path, format!("arrival_s,prompt_tokens,output_tokens\n{rows}").as_bytes());
    let (key, cache) = (options(&path), TraceCache::Folder(kept.clone()));
    let whole = read_through(&FileTrace::load_with(&path, &key, &cache).expect("a good trace"));
    let file = std::fs::read_dir(&kept).expect("the cache's folder").next().expect("a parsed copy").expect("its name");
    let good = std::fs::read(file.path()).expect("the parsed copy");
    Reader::new("trace-cache", good, move |bytes| {
        std::fs::write(file.path(), bytes).expect("a writable folder");
        let trace = FileTrace::load_with(&path, &key, &cache).expect("the trace itself is good");
        assert_eq!(read_through(&trace), whole, "a damaged copy has changed the answer");
        // One that was refused is written anew.
        std::fs::read(file.path()).is_ok_and(|now| now == bytes)
    })
}

/// Forty rows of the catalog.
pub fn price_catalog() -> Reader {
    let rows: String = prices::Catalog::built_in().to_csv().lines().take(40).flat_map(|line| [line, "\n"]).collect();
    Reader::of_text("price-catalog", rows, |text| prices::Catalog::parse(text).is_ok())
}

/// AWS' spot price history.
pub fn spot_history() -> Reader {
    Reader::of_text("spot-history", test_data("data_data/spot-history.json"), |text| {
        prices::SpotPriceHistory::parse(&[text]).is_ok()
    })
}

/// Pods and events, as for `calibrate cold-start`.
pub fn kubectl_pods() -> Reader {
    Reader::of_text("kubectl-pods", test_data("data_data/pods.json"), |text| {
        calibrate::cold_start(&[text], 1).is_ok_and(|fit| is_numbers(&fit.yaml()))
    })
}

/// One load test as each tool writes it, all in one text, so that stretches of one get into another.
pub fn load_test() -> Reader {
    let tools = [
        r#"{"num_prompts": 110, "completed": 100, "total_input_tokens": 20000, "total_output_tokens": 6000, "request_rate": 31.0, "request_throughput": 31.0, "mean_ttft_ms": 30.0, "mean_tpot_ms": 4.0, "mean_e2el_ms": 266.0}"#,
        r#"{"request_throughput": {"avg": 31.0, "unit": "requests/sec"}, "time_to_first_token": {"avg": 30.0, "unit": "ms"}, "inter_token_latency": {"avg": 4.0, "unit": "ms"}, "request_latency": {"avg": 0.266, "unit": "s"}, "request_count": {"avg": 100}, "input_sequence_length": {"avg": 200}, "output_sequence_length": {"avg": 60}}"#,
        r#"{"load_summary": {"requested_rate": 31.0}, "successes": {"count": 100, "prompt_len": {"mean": 200}, "output_len": {"mean": 60}, "throughput": {"requests_per_sec": 31.0}, "latency": {"time_to_first_token": {"mean": 0.03}, "time_per_output_token": {"mean": 0.004}, "request_latency": {"mean": 0.266}}}, "failures": {"count": 10}}"#,
        r#"{"benchmarks": [{"config": {"strategy": {"type_": "constant", "rate": 31.0}}, "run_stats": {"requests_made": {"successful": 100, "errored": 10}}, "metrics": {"requests_per_second": {"successful": {"mean": 31.0}}, "time_to_first_token_ms": {"successful": {"mean": 30.0}}, "inter_token_latency_ms": {"successful": {"mean": 4.0}}, "request_latency": {"successful": {"mean": 0.266}}, "prompt_token_count": {"successful": {"mean": 200}}, "output_token_count": {"successful": {"mean": 60}}}}]}"#,
    ];
    Reader::of_text("load-test", tools.join("\n"), |text| {
        let runs: Vec<Vec<LlmRun>> = text.lines().filter_map(one_file).collect();
        let is_whole = runs.len() == text.lines().count();
        let _ = calibrate::check(runs.concat(), &calibrate::Beside { preset: None, kv_tokens: None });
        is_whole
    })
}

fn one_file(text: &str) -> Option<Vec<LlmRun>> {
    calibrate::llm_runs(("file", text), calibrate::llm_format(text)?, &[], &Told::default()).ok()
}

/// A table of load tests, through to the settings that a fit gives.
pub fn load_table() -> Reader {
    let table = "rate,achieved_rps,prompt,output,ttft_ms,tpot_ms,e2e_ms,completed,failures\n\
                 31,31,200,60,30,4,266,100,10\n62,62,200,60,33,5,328,100,0\n";
    Reader::of_text("load-table", table, |text| {
        let runs = calibrate::llm_runs(("file", text), LlmFormat::Table, &[], &Told::default());
        let given = Given { preset: None, like: None, settings: Settings::default() };
        runs.and_then(|runs| calibrate::fit_llm(runs, &given)).is_ok_and(|fit| is_numbers(&fit.yaml()))
    })
}

/// A table of Triton's perf_analyzer beside a good one of batches of eight.
pub fn perf_analyzer() -> Reader {
    let eight = String::from_utf8(test_data("data_data/perf-b8.csv")).expect("text");
    Reader::of_text("perf-analyzer", test_data("data_data/perf-b1.csv"), move |text| {
        let runs = calibrate::triton_perf_analyzer(text, 1).and_then(|mut runs| {
            runs.extend(calibrate::triton_perf_analyzer(&eight, 8)?);
            calibrate::batching(&runs)
        });
        runs.is_ok_and(|fit| is_numbers(&fit.yaml()))
    })
}

/// Settings to paste have numbers in them, and a scenario takes no other.
fn is_numbers(yaml: &str) -> bool {
    let is_none =
        |word: &str| matches!(word, "NaN" | "inf" | "-inf") || word.starts_with("infs") || word.starts_with("NaNs");
    assert!(!yaml.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '-').any(is_none), "no number:\n{yaml}");
    true
}
