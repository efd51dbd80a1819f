//! `vllm bench serve --save-result`: milliseconds; with `--save-detailed` also a list per request, in seconds.

use serde_json::Value;

use super::document::Document;
use super::load;
use crate::CalibrateError;
use crate::service::run::{LlmRun, RunTokens, Statistic};

/// Reads one result. Files that lost the `_ms` of their fields hold seconds.
pub fn vllm_bench(name: &str, text: &str) -> Result<LlmRun, CalibrateError> {
    let document = Document::parse("vllm bench JSON", text)?;
    let completed = document.number("/completed")?;
    if completed < 1.0 {
        return Err(CalibrateError::Nothing { what: document.what, reason: "no request completed".to_owned() });
    }
    let seconds = |field: &str| match document.maybe(&format!("/{field}_ms"))? {
        Some(millis) => Ok(Some(millis / 1e3)),
        None => document.maybe(&format!("/{field}")),
    };
    let (ttft_s, tpot_s) = (seconds("mean_ttft")?, seconds("mean_tpot")?);
    if ttft_s.is_none() {
        return Err(document.wrong("/mean_ttft_ms", "a number, not negative"));
    }
    if tpot_s.is_none() {
        return Err(document.wrong("/mean_tpot_ms", "a number, not negative"));
    }
    let detail = Detail::of(&document);
    // A file that says nothing of how it was sent: at the rate at which it was answered.
    let is_silent = !document.has("/request_rate") && !document.has("/max_concurrency");
    let answered = is_silent.then(|| document.number("/request_throughput")).transpose()?;
    let rate = document.maybe_rate("/request_rate")?.or(answered);
    let planned = document.maybe("/num_prompts")?.unwrap_or(completed).max(completed);
    let mean = |total: &str| Ok(RunTokens::constant(document.number(total)? / completed));
    Ok(LlmRun {
        name: name.to_owned(),
        load: load(rate, document.maybe("/max_concurrency")?, planned),
        completed: Some(completed),
        requests_per_second: document.number("/request_throughput")?,
        prompt: mean("/total_input_tokens")?,
        output: mean("/total_output_tokens")?,
        statistic: Statistic::Mean,
        ttft_s,
        tpot_s,
        e2e_s: seconds("mean_e2el")?.or(detail.e2e_s),
        failed_share: 1.0 - completed / planned,
        ttft_thirds_s: detail.ttft_thirds_s,
        tokens: detail.tokens,
        ttfts_s: detail.ttfts_s,
        is_simulated: false,
        model: document.text("/model_id").map(str::to_owned),
    })
}

impl Document {
    /// A number, or `inf`.
    fn maybe_rate(&self, path: &str) -> Result<Option<f64>, CalibrateError> {
        if self.text(path).is_some_and(|text| text.eq_ignore_ascii_case("inf")) {
            return Ok(None);
        }
        self.maybe(path)
    }
}

/// What the lists per request add.
#[derive(Default)]
struct Detail {
    tokens: Vec<(u32, u32)>,
    ttfts_s: Vec<f64>,
    e2e_s: Option<f64>,
    ttft_thirds_s: Option<(f64, f64)>,
}

impl Detail {
    fn of(document: &Document) -> Self {
        let (inputs, outputs) = (document.list("/input_lens"), document.list("/output_lens"));
        let ttfts = document.list("/ttfts");
        let gaps: Vec<f64> = document.value.get("itls").and_then(Value::as_array).map_or_else(Vec::new, |itls| {
            let sum = |gaps: &Value| gaps.as_array().map_or(0.0, |gaps| gaps.iter().filter_map(Value::as_f64).sum());
            itls.iter().map(sum).collect()
        });
        if inputs.is_empty() || inputs.len() != outputs.len() || inputs.len() != ttfts.len() {
            return Self::default();
        }
        // A failed request has no output and no first token.
        let good = |index: &usize| outputs[*index] >= 1.0 && ttfts[*index] > 0.0;
        let answered: Vec<usize> = (0..inputs.len()).filter(good).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let first: Vec<f64> = answered.iter().map(|index| ttfts[*index]).collect();
        let third = first.len() / 3;
        let whole: Vec<f64> =
            answered.iter().filter(|_| gaps.len() == inputs.len()).map(|index| ttfts[*index] + gaps[*index]).collect();
        Self {
            tokens: answered.iter().map(|index| (inputs[*index].max(1.0) as u32, outputs[*index] as u32)).collect(),
            e2e_s: (!whole.is_empty()).then(|| mean(&whole)),
            ttft_thirds_s: (third >= 5).then(|| (mean(&first[..third]), mean(&first[first.len() - third..]))),
            ttfts_s: first,
        }
    }
}
