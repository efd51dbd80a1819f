//! Stage reports of inference-perf: seconds.

use super::document::Document;
use super::load;
use crate::CalibrateError;
use crate::service::run::{LlmRun, RunTokens, Statistic};

/// Reads one stage. Its time per output token is that of chunks where the client counted tokens of its own; a check notices.
pub fn inference_perf(name: &str, text: &str) -> Result<LlmRun, CalibrateError> {
    let document = Document::parse("inference-perf JSON", text)?;
    let completed = document.number("/successes/count")?;
    let failed = document.number("/failures/count")?;
    if completed < 1.0 {
        return Err(CalibrateError::Nothing { what: document.what, reason: "no request completed".to_owned() });
    }
    let latency = |metric: &str| document.maybe(&format!("/successes/latency/{metric}/mean"));
    let tokens = |field: &str| {
        let mean = document.number(&format!("/successes/{field}/mean"))?;
        // The report has percentiles and no deviation; of a normal distribution they are 2.563 deviations apart.
        let (low, high) =
            (document.maybe(&format!("/successes/{field}/p10"))?, document.maybe(&format!("/successes/{field}/p90"))?);
        Ok(RunTokens { mean, deviation: low.zip(high).map_or(0.0, |(low, high)| (high - low).max(0.0) / 2.563) })
    };
    let requests_per_second = document.number("/successes/throughput/requests_per_sec")?;
    let bound = document.maybe("/load_summary/concurrency")?.or(document.maybe("/load_summary/concurrency_level")?);
    let requested = document.maybe("/load_summary/requested_rate")?;
    let achieved = document.maybe("/load_summary/achieved_rate")?;
    let rate = if bound.is_some() { None } else { requested.or(achieved).or(Some(requests_per_second)) };
    let ttft_s = latency("time_to_first_token")?;
    let tpot_s = latency("time_per_output_token")?;
    let needed = |value: Option<f64>, metric: &str| {
        let path = format!("/successes/latency/{metric}/mean");
        value.ok_or_else(|| document.wrong(&path, "a number, not negative"))
    };
    Ok(LlmRun {
        name: name.to_owned(),
        load: load(rate, bound, completed),
        completed: Some(completed),
        requests_per_second,
        prompt: tokens("prompt_len")?,
        output: tokens("output_len")?,
        tokens: Vec::new(),
        ttfts_s: Vec::new(),
        statistic: Statistic::Mean,
        ttft_s: Some(needed(ttft_s, "time_to_first_token")?),
        tpot_s: Some(needed(tpot_s, "time_per_output_token")?),
        e2e_s: latency("request_latency")?,
        failed_share: failed / (completed + failed).max(1.0),
        ttft_thirds_s: None,
        is_simulated: false,
        model: None,
    })
}
