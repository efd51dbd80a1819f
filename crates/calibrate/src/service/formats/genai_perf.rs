//! genai-perf and AIPerf: each metric states its unit; outputs are counted by the client's tokenizer.

use super::document::Document;
use super::load;
use crate::CalibrateError;
use crate::service::run::{LlmRun, RunTokens, Statistic};

/// Where the generator's settings stand, by tool and release.
const BOUNDS: [&str; 4] = [
    "/input_config/perf_analyzer/stimulus/concurrency",
    "/input_config/loadgen/concurrency",
    "/input_config/concurrency",
    "/config/loadgen/concurrency",
];
const RATES: [&str; 4] = [
    "/input_config/perf_analyzer/stimulus/request_rate",
    "/input_config/loadgen/request_rate",
    "/input_config/request_rate",
    "/config/loadgen/request_rate",
];

/// Reads one `profile_export_*.json`; older AIPerf has its metrics below `records`.
pub fn genai_perf(name: &str, text: &str) -> Result<LlmRun, CalibrateError> {
    let document = Document::parse("genai-perf JSON", text)?;
    let below = if document.has("/records/time_to_first_token") { "/records" } else { "" };
    let path = |metric: &str, field: &str| format!("{below}/{metric}/{field}");
    let seconds = |metric: &str| {
        let Some(number) = document.maybe(&path(metric, "avg"))? else { return Ok(None) };
        match document.text(&path(metric, "unit")) {
            Some("ms") => Ok(Some(number / 1e3)),
            Some("s" | "sec" | "seconds") => Ok(Some(number)),
            Some("us") => Ok(Some(number / 1e6)),
            Some("ns") => Ok(Some(number / 1e9)),
            _ => Err(document.wrong(&path(metric, "unit"), "ms, s, us or ns")),
        }
    };
    let tokens = |metric: &str| {
        let mean = document.number(&path(metric, "avg"))?;
        Ok(RunTokens { mean, deviation: document.maybe(&path(metric, "std"))?.unwrap_or_default() })
    };
    let requests_per_second = document.number(&path("request_throughput", "avg"))?;
    let first = |paths: [&str; 4]| {
        let found = paths.iter().map(|path| document.maybe(path)).find(|found| !matches!(found, Ok(None)));
        found.transpose().map(Option::flatten)
    };
    let (bound, rate) = (first(BOUNDS)?, first(RATES)?);
    // Nothing says how it was sent: at the rate at which it was answered.
    let rate = if bound.is_none() { rate.or(Some(requests_per_second)) } else { rate };
    let completed = document.maybe(&path("request_count", "avg"))?;
    let failed = document.maybe(&path("error_request_count", "avg"))?.unwrap_or_default();
    let needed = |value: Option<f64>, metric: &str| {
        value.ok_or_else(|| document.wrong(&path(metric, "avg"), "a number, not negative"))
    };
    Ok(LlmRun {
        name: name.to_owned(),
        load: load(rate, bound, completed.unwrap_or(1.0)),
        completed,
        requests_per_second,
        prompt: tokens("input_sequence_length")?,
        output: tokens("output_sequence_length")?,
        tokens: Vec::new(),
        ttfts_s: Vec::new(),
        statistic: Statistic::Mean,
        ttft_s: Some(needed(seconds("time_to_first_token")?, "time_to_first_token")?),
        tpot_s: Some(needed(seconds("inter_token_latency")?, "inter_token_latency")?),
        e2e_s: seconds("request_latency")?,
        failed_share: failed / (completed.unwrap_or_default() + failed).max(1.0),
        ttft_thirds_s: None,
        is_simulated: false,
        model: document.text("/input_config/model_names/0").map(str::to_owned),
    })
}
