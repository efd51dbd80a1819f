//! Readers of LLM load-test results.

use serde_json::Value;

use super::LlmRun;
use crate::CalibrateError;

/// A JSON document whose fields are numbers at paths.
struct Document {
    what: &'static str,
    value: Value,
}

impl Document {
    fn parse(what: &'static str, text: &str) -> Result<Self, CalibrateError> {
        let value =
            serde_json::from_str(text).map_err(|error| CalibrateError::Json { what, reason: error.to_string() })?;
        Ok(Self { what, value })
    }

    fn number(&self, path: &str) -> Result<f64, CalibrateError> {
        let found = self.value.pointer(path);
        found.and_then(Value::as_f64).filter(|number| number.is_finite() && *number >= 0.0).ok_or_else(|| {
            CalibrateError::Field {
                what: self.what,
                field: path.trim_start_matches('/').replace('/', "."),
                found: found.map_or_else(|| "missing".to_owned(), Value::to_string),
                expected: "a number, not negative",
            }
        })
    }
}

/// Reads one result of `vllm bench serve --save-result` (milliseconds).
pub fn vllm_bench(text: &str) -> Result<LlmRun, CalibrateError> {
    let document = Document::parse("vllm bench JSON", text)?;
    let completed = document.number("/completed")?;
    if completed < 1.0 {
        return Err(CalibrateError::Nothing { what: document.what, reason: "no request completed".to_owned() });
    }
    Ok(LlmRun {
        requests_per_second: document.number("/request_throughput")?,
        prompt_tokens: document.number("/total_input_tokens")? / completed,
        output_tokens: document.number("/total_output_tokens")? / completed,
        ttft_s: document.number("/mean_ttft_ms")? / 1e3,
        tpot_s: document.number("/mean_tpot_ms")? / 1e3,
        failed_share: 1.0 - completed / document.number("/num_prompts")?.max(completed),
    })
}

/// Reads one `profile_export_*.json` of genai-perf or AIPerf (each metric states its unit).
pub fn genai_perf(text: &str) -> Result<LlmRun, CalibrateError> {
    let document = Document::parse("genai-perf JSON", text)?;
    let seconds = |metric: &str| {
        let number = document.number(&format!("/{metric}/avg"))?;
        let unit = document.value.pointer(&format!("/{metric}/unit")).and_then(Value::as_str);
        match unit {
            Some("ms") => Ok(number / 1e3),
            Some("s" | "sec" | "seconds") => Ok(number),
            Some("us") => Ok(number / 1e6),
            Some("ns") => Ok(number / 1e9),
            _ => Err(CalibrateError::Field {
                what: document.what,
                field: format!("{metric}.unit"),
                found: unit.map_or_else(|| "missing".to_owned(), |unit| format!("`{unit}`")),
                expected: "ms, s, us or ns",
            }),
        }
    };
    Ok(LlmRun {
        requests_per_second: document.number("/request_throughput/avg")?,
        prompt_tokens: document.number("/input_sequence_length/avg")?,
        output_tokens: document.number("/output_sequence_length/avg")?,
        ttft_s: seconds("time_to_first_token")?,
        tpot_s: seconds("inter_token_latency")?,
        failed_share: 0.0,
    })
}

/// Reads one stage report of inference-perf (seconds).
pub fn inference_perf(text: &str) -> Result<LlmRun, CalibrateError> {
    let document = Document::parse("inference-perf JSON", text)?;
    let completed = document.number("/successes/count")?;
    let failed = document.number("/failures/count")?;
    Ok(LlmRun {
        requests_per_second: document.number("/successes/throughput/requests_per_sec")?,
        prompt_tokens: document.number("/successes/prompt_len/mean")?,
        output_tokens: document.number("/successes/output_len/mean")?,
        ttft_s: document.number("/successes/latency/time_to_first_token/mean")?,
        tpot_s: document.number("/successes/latency/time_per_output_token/mean")?,
        failed_share: failed / (completed + failed).max(1.0),
    })
}
