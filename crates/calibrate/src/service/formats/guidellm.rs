//! guidellm: one file, several benchmarks. Its `time_per_output_token_ms` contains the time to first token and is not read.

use serde_json::Value;

use super::document::Document;
use super::load;
use crate::CalibrateError;
use crate::service::run::{LlmRun, RunTokens, Statistic};

const WHAT: &str = "guidellm JSON";

/// Reads every benchmark of a file that completed a request.
pub fn guidellm(name: &str, text: &str) -> Result<Vec<LlmRun>, CalibrateError> {
    let document = Document::parse(WHAT, text)?;
    let Some(list) = document.value.get("benchmarks").and_then(Value::as_array) else {
        return Err(document.wrong("/benchmarks", "a list of benchmarks"));
    };
    let numbered = list.iter().enumerate().map(|(index, value)| {
        let of_one = Document { what: WHAT, value: value.clone() };
        benchmark(format!("{name} benchmark {index}"), &of_one)
    });
    let runs: Vec<LlmRun> = numbered.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    if runs.is_empty() {
        return Err(CalibrateError::Nothing { what: WHAT, reason: "no benchmark completed a request".to_owned() });
    }
    Ok(runs)
}

fn benchmark(name: String, document: &Document) -> Result<Option<LlmRun>, CalibrateError> {
    let path = |metric: &str, field: &str| format!("/metrics/{metric}/successful/{field}");
    let requests_per_second = document.number(&path("requests_per_second", "mean"))?;
    let count = |kind: &str| {
        let totals = ["/run_stats/requests_made", "/metrics/request_totals", "/request_totals"];
        let found = totals.iter().map(|total| document.maybe(&format!("{total}/{kind}")));
        found.into_iter().find(|found| !matches!(found, Ok(None))).transpose().map(Option::flatten)
    };
    let (completed, failed) = (count("successful")?, count("errored")?.unwrap_or_default());
    if completed == Some(0.0) || requests_per_second == 0.0 {
        return Ok(None);
    }
    let tokens = |metric: &str| {
        let mean = document.number(&path(metric, "mean"))?;
        Ok(RunTokens { mean, deviation: document.maybe(&path(metric, "std_dev"))?.unwrap_or_default() })
    };
    let strategy = ["/config/strategy", "/args/strategy", "/benchmarker/profile/strategy", "/scheduler/strategy"];
    let strategy = strategy.into_iter().find(|path| document.has(path)).unwrap_or("/config/strategy");
    let setting = |field: &str| document.maybe(&format!("{strategy}/{field}"));
    let kind = document.text(&format!("{strategy}/type_")).or_else(|| document.text(&format!("{strategy}/type")));
    let (rate, bound) = match kind {
        Some("synchronous") => (None, Some(1.0)),
        Some("concurrent") => (None, setting("streams")?.or(setting("concurrency")?)),
        Some("throughput") => (None, setting("max_concurrency")?),
        _ => (setting("rate")?.or(Some(requests_per_second)), setting("max_concurrency")?),
    };
    Ok(Some(LlmRun {
        load: load(rate, bound, completed.unwrap_or(1.0)),
        name,
        completed,
        requests_per_second,
        prompt: tokens("prompt_token_count")?,
        output: tokens("output_token_count")?,
        tokens: Vec::new(),
        ttfts_s: Vec::new(),
        statistic: Statistic::Mean,
        ttft_s: Some(document.number(&path("time_to_first_token_ms", "mean"))? / 1e3),
        tpot_s: Some(document.number(&path("inter_token_latency_ms", "mean"))? / 1e3),
        e2e_s: document.maybe(&path("request_latency", "mean"))?,
        failed_share: failed / (completed.unwrap_or_default() + failed).max(1.0),
        ttft_thirds_s: None,
        is_simulated: false,
        model: None,
    }))
}
