//! Traces and series: every format, every row, in constant memory.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use insta::assert_snapshot;
use scenario::{Input, Loaded, ScenarioError};
use traces::load;
use units::{SimDuration, SimTime};
use workload::{Distribution, LlmTrace, RateCurve, TraceChunk, TraceSource, Traffic, synthesize_llm};

use crate::support::{SCENARIO, repository};

const AZURE: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,109";

/// Loads [`SCENARIO`] with this trace file beside it; `settings` are further keys of `traffic`.
fn load_trace(name: &str, content: &[u8], settings: &str) -> Result<Arc<dyn TraceSource>, String> {
    let loaded = load_beside(name, content, settings)?;
    let Traffic::Replay { source, .. } = &loaded.spec.services[0].traffic else { panic!("no replay") };
    Ok(Arc::clone(source))
}

fn load_beside(name: &str, content: &[u8], settings: &str) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), content).unwrap();
    let traffic = format!("trace: {{file: {name}}}{settings}");
    let text = SCENARIO.replacen("generator:\n      rate: 10req/s", &traffic, 1);
    std::fs::write(folder.path().join("scenario.yaml"), text).unwrap();
    let result = load(&[Input::Path(folder.path().join("scenario.yaml"))], &[]);
    let shown = |error: ScenarioError| error.to_string().replace(&folder.path().display().to_string(), "FOLDER");
    let loaded = result.map_err(shown)?;
    // The file must outlive the test's readers.
    std::mem::forget(folder);
    Ok(loaded)
}

fn rows(source: &dyn TraceSource) -> TraceChunk {
    let (mut reader, mut chunk, mut all) = (source.open(), TraceChunk::default(), TraceChunk::default());
    while reader.next_chunk(&mut chunk) {
        all.arrival_ns.extend(&chunk.arrival_ns);
        all.prompt_tokens.extend(&chunk.prompt_tokens);
        all.output_tokens.extend(&chunk.output_tokens);
    }
    assert_eq!(all.len() as u64, source.len());
    all
}

#[test]
fn azure_traces_start_at_their_first_request_and_keep_every_digit() {
    let source = load_trace("azure.csv", AZURE.as_bytes(), "").unwrap();
    let rows = rows(source.as_ref());
    assert_eq!(rows.arrival_ns, [0, 4_314_579_000]);
    assert_eq!((rows.prompt_tokens, rows.output_tokens), (vec![374, 396], vec![44, 109]));
}

#[test]
fn packed_files_are_read_like_plain_ones() {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(AZURE.as_bytes()).unwrap();
    let source = load_trace("azure.csv.gz", &packer.finish().unwrap(), "").unwrap();
    assert_eq!(rows(source.as_ref()).arrival_ns.len(), 2);
}

#[test]
fn mooncake_qwen_and_burst_gpt_are_recognised() {
    let mooncake = "{\"timestamp\": 0, \"input_length\": 6758, \"output_length\": 500, \"hash_ids\": [0, 1]}\n{\"timestamp\": 3000, \"input_length\": 7, \"output_length\": 2, \"hash_ids\": []}\n";
    assert_eq!(rows(load_trace("m.jsonl", mooncake.as_bytes(), "").unwrap().as_ref()).arrival_ns, [0, 3_000_000_000]);
    let qwen = "{\"chat_id\": 1, \"timestamp\": 1.5, \"input_length\": 5, \"output_length\": 3}\n";
    assert_eq!(rows(load_trace("q.jsonl", qwen.as_bytes(), "").unwrap().as_ref()).arrival_ns, [1_500_000_000]);
    let burst = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n45,GPT-4,10,0,10,API log\n118.5,ChatGPT,1087,230,1317,Conversation log\n";
    assert_eq!(
        rows(load_trace("b.csv", burst.as_bytes(), "").unwrap().as_ref()).arrival_ns,
        [5_000_000_000, 118_500_000_000]
    );
}

#[test]
fn blocks_that_nothing_uses_are_said() {
    let said = |lines: &str| {
        let loaded = load_beside("m.jsonl", lines.as_bytes(), "").unwrap();
        loaded.notes.iter().any(|note| note.starts_with("m.jsonl: `hash_ids`"))
    };
    assert!(said("{\"timestamp\": 0, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [0, 1]}\n"));
    assert!(!said("{\"timestamp\": 0, \"input_length\": 600, \"output_length\": 5}\n"));
}

#[test]
fn any_csv_is_read_by_its_column_names() {
    let csv = "id,ts,\"in, tokens\",out\n\"a,b\",1000,5,6\nc,2500,7,8\n";
    let settings = "\n".to_owned();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.csv"), csv.replacen("\"in, tokens\"", "in", 1)).unwrap();
    let trace = "trace: {file: t.csv, format: columns, columns: {arrival: ts, arrivalUnit: milliseconds, promptTokens: in, outputTokens: out}}";
    let text = SCENARIO.replacen("generator:\n      rate: 10req/s", trace, 1) + &settings;
    std::fs::write(folder.path().join("s.yaml"), text).unwrap();
    let loaded = load(&[Input::Path(folder.path().join("s.yaml"))], &[]).unwrap();
    let Traffic::Replay { source, .. } = &loaded.spec.services[0].traffic else { panic!("no replay") };
    assert_eq!(rows(source.as_ref()).arrival_ns, [1_000_000_000, 2_500_000_000]);
}

#[test]
fn a_window_clips_repeats_and_shifts() {
    let csv = "arrival\n0\n10\n20\n30\n";
    let all = rows(
        load_trace("a.csv", csv.as_bytes(), "\n    clip: {from: 10s, to: 30s}\n    repeat: 2\n    shift: 5s")
            .unwrap()
            .as_ref(),
    );
    assert_eq!(all.arrival_ns, [5, 15, 25, 35].map(|seconds: u64| seconds * 1_000_000_000));
    let twice = rows(load_trace("a.csv", csv.as_bytes(), "\n    repeat: 2").unwrap().as_ref());
    assert_eq!(twice.arrival_ns.len(), 8);
    assert!(twice.arrival_ns.is_sorted());
}

#[test]
fn bad_rows_are_named_by_their_line() {
    let refused = |content: &str| load_trace("t.csv", content.as_bytes(), "").unwrap_err();
    assert_snapshot!(refused(&AZURE.replacen("396", "many", 1)), @"FOLDER/t.csv:3: prompt tokens `many` is not a whole number");
    assert_snapshot!(refused(&AZURE.replacen(":50.", ":40.", 1)), @"FOLDER/t.csv:3: arrives before the start of the trace; rows must be in order of arrival");
    assert_snapshot!(refused(&AZURE.replacen("2023-11-16 18:15:50.9951690,396,109", "2023-11-16 18:15:50", 1)), @"FOLDER/t.csv:3: only 1 columns, 3 are needed");
    assert_snapshot!(refused("when,what\n1,2\n"), @"FOLDER/t.csv: format not recognised from the first line `when,what`; name the columns under `columns` with `format: columns`");
    assert_snapshot!(refused("arrival\n"), @"FOLDER/t.csv: holds no request");
}

#[test]
fn a_recorded_rate_is_traffic_and_history() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "time,count,kind\n2026-01-01T00:00:00Z,600,a\n2026-01-01T00:10:00Z,1200,a\n2026-01-01T00:10:00Z,9,b\n2026-01-01T00:20:00Z,,a\n2026-01-01T00:30:00Z,2400,a\n";
    std::fs::write(folder.path().join("r.csv"), csv).unwrap();
    let traffic = "generator:\n      rate:\n        series: {file: r.csv, timeUnit: timestamp, valueUnit: perInterval, startAt: 10m, where: {kind: a}}\n    history: {days: 1}";
    let text = SCENARIO.replacen("generator:\n      rate: 10req/s", traffic, 1);
    std::fs::write(folder.path().join("s.yaml"), text).unwrap();
    let loaded = load(&[Input::Path(folder.path().join("s.yaml"))], &[]).unwrap();
    let Traffic::Poisson { rate } = &loaded.spec.services[0].traffic else { panic!("not Poisson") };
    let at = |minutes: u64| rate.rate_at(SimTime::from_secs(minutes * 60));
    assert_eq!([at(0), at(10), at(20), at(40)], [2.0, 0.0, 4.0, 0.0]);
    assert_eq!(loaded.spec.services[0].history.rate_at_minute(-5), Some(1.0));
    assert_eq!(loaded.spec.services[0].history.rate_at_minute(-11), None);
}

/// The recipe of `traces/README.md`.
fn recipe() -> TraceChunk {
    let minute = SimDuration::from_secs(60);
    let rates = (0..60_u32).map(|m| {
        let base = 3.0 + f64::from(m.min(60 - m)) / 30.0;
        if (35..39).contains(&m) { base + 3.0 } else { base }
    });
    let spec = LlmTrace {
        rate: Arc::new(RateCurve { step: minute, rates: rates.collect() }),
        prompt_tokens: Distribution::LogNormal { p50: 1_000.0, p90: 2_700.0 },
        output_tokens: Distribution::LogNormal { p50: 130.0, p90: 420.0 },
        tokens_max: 8_192,
        requests_max: None,
    };
    synthesize_llm(&spec, 20_260_316)
}

fn write_trace(path: &Path, trace: &TraceChunk) {
    let mut text = String::from("TIMESTAMP,ContextTokens,GeneratedTokens\n");
    for (row, at_ns) in trace.arrival_ns.iter().enumerate() {
        let millis = at_ns / 1_000_000;
        let (minute, second) = (millis / 60_000, millis / 1_000 % 60);
        let tokens = (trace.prompt_tokens[row], trace.output_tokens[row]);
        let row = format!("2026-03-16 09:{minute:02}:{second:02}.{:03},{},{}\n", millis % 1_000, tokens.0, tokens.1);
        text.push_str(&row);
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(text.as_bytes()).unwrap();
    std::fs::write(path, packer.finish().unwrap()).unwrap();
}

#[test]
fn the_shipped_trace_is_what_its_recipe_makes() {
    let path = repository("traces/llm-hour.csv.gz");
    let made = recipe();
    if std::env::var_os("WRITE_TRACES").is_some() {
        write_trace(&path, &made);
    }
    let loaded = load(&[Input::Path(repository("scenarios/llm-hour"))], &[]).unwrap();
    let Traffic::Replay { source, .. } = &loaded.spec.services[0].traffic else { panic!("no replay") };
    let shipped = rows(source.as_ref());
    assert_eq!((&shipped.prompt_tokens, &shipped.output_tokens), (&made.prompt_tokens, &made.output_tokens));
    let first_ms = made.arrival_ns[0] / 1_000_000;
    let since_first = |at_ns: &u64| (at_ns / 1_000_000 - first_ms) * 1_000_000;
    assert_eq!(shipped.arrival_ns, made.arrival_ns.iter().map(since_first).collect::<Vec<_>>());
}

#[test]
fn a_file_that_is_not_there_is_named_with_its_place_and_the_nearest_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("azure.csv"), "arrival\n1\n").unwrap();
    let text = SCENARIO.replacen("generator:\n      rate: 10req/s", "trace: {file: azur.csv}", 1);
    std::fs::write(folder.path().join("s.yaml"), text).unwrap();
    let said = load(&[Input::Path(folder.path().join("s.yaml"))], &[]).unwrap_err().to_string();
    let said = said.replace(&folder.path().display().to_string(), "FOLDER");
    assert!(said.starts_with("FOLDER/s.yaml:"), "{said}");
    let rest = "spec.traffic.trace.file: there is no file `FOLDER/azur.csv`; did you mean `azure.csv`?";
    assert!(said.ends_with(rest), "{said}");
}
