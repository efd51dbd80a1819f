//! `prediction.json` of AISimulate: figures of a simulator, milliseconds.

use super::document::Document;
use super::{Told, load};
use crate::CalibrateError;
use crate::service::run::{LlmRun, RunTokens, Statistic};

/// Reads one prediction. What was asked for stands in another file of that tool: where this one leaves it out, the user says it.
pub fn prediction(name: &str, text: &str, told: &Told) -> Result<LlmRun, CalibrateError> {
    let document = Document::parse("AISimulate prediction", text)?;
    let first = |paths: &[&str]| {
        let found = paths.iter().map(|path| document.maybe(path)).find(|found| !matches!(found, Ok(None)));
        found.transpose().map(Option::flatten)
    };
    let missing = |field: &str, expected: &'static str| CalibrateError::Field {
        what: document.what,
        field: field.to_owned(),
        found: "missing".to_owned(),
        expected,
    };
    let completed = first(&["/completed", "/num_requests", "/request_count"])?;
    let per_request = |paths: &[&str], total: &str| match (first(paths)?, document.maybe(total)?, completed) {
        (Some(mean), ..) => Ok::<_, CalibrateError>(Some(mean)),
        (None, Some(total), Some(count)) if count > 0.0 => Ok(Some(total / count)),
        _ => Ok(None),
    };
    let prompt = told.prompt_tokens.map_or_else(
        || per_request(&["/isl", "/input_tokens", "/prompt"], "/total_input_tokens"),
        |told| Ok(Some(told)),
    )?;
    let output = told.output_tokens.map_or_else(
        || per_request(&["/osl", "/output_tokens", "/output"], "/total_output_tokens"),
        |told| Ok(Some(told)),
    )?;
    let prompt = prompt.ok_or_else(|| missing("isl", "prompt tokens, or --prompt-tokens"))?;
    let output = output.ok_or_else(|| missing("osl", "output tokens, or --output-tokens"))?;
    let bound = told.concurrency.map_or_else(
        || first(&["/concurrency", "/max_concurrency", "/batch_size"]),
        |told| Ok(Some(f64::from(told))),
    )?;
    let rate = told.rate.map_or_else(|| first(&["/request_rate", "/rate"]), |told| Ok(Some(told)))?;
    if bound.is_none() && rate.is_none() {
        return Err(missing("concurrency", "how requests were sent: --concurrency or --rate"));
    }
    let millis =
        |field: &str| Ok::<_, CalibrateError>(document.maybe(&format!("/mean_{field}_ms"))?.map(|ms| ms / 1e3));
    let tpot_s = millis("tpot")?.or(millis("itl")?);
    let requests_per_second = document.number("/output_throughput_tok_s")? / output.max(1.0);
    Ok(LlmRun {
        name: name.to_owned(),
        load: load(rate, bound, completed.unwrap_or(1.0)),
        completed,
        requests_per_second,
        prompt: RunTokens::constant(prompt),
        output: RunTokens::constant(output),
        tokens: Vec::new(),
        ttfts_s: Vec::new(),
        statistic: Statistic::Mean,
        ttft_s: Some(millis("ttft")?.ok_or_else(|| missing("mean_ttft_ms", "milliseconds"))?),
        tpot_s: Some(tpot_s.ok_or_else(|| missing("mean_tpot_ms", "milliseconds"))?),
        e2e_s: millis("e2e_latency")?.or(millis("e2e")?),
        failed_share: 0.0,
        ttft_thirds_s: None,
        is_simulated: true,
        model: document.text("/model").map(str::to_owned),
    })
}
