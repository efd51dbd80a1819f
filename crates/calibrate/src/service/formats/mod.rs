//! Readers of LLM load-test results. Each makes [`LlmRun`]s of one file; none judges them.

mod document;
mod genai_perf;
mod guidellm;
mod inference_perf;
mod prediction;
mod table;
mod vllm_bench;

pub use genai_perf::genai_perf;
pub use guidellm::guidellm;
pub use inference_perf::inference_perf;
pub use prediction::prediction;
pub use table::{Choice, table};
pub use vllm_bench::vllm_bench;

use super::run::{LlmRun, RunLoad};
use crate::CalibrateError;
use document::Document;

/// Formats of load-test results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LlmFormat {
    /// JSON of `vllm bench serve --save-result`.
    VllmBench,
    /// JSON of genai-perf or AIPerf.
    GenaiPerf,
    /// A stage report of inference-perf.
    InferencePerf,
    /// JSON of guidellm: several benchmarks.
    Guidellm,
    /// `prediction.json` of AISimulate: simulated, not measured.
    Prediction,
    /// A CSV table, a run in each row.
    Table,
}

/// What a file leaves out and the user says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Told {
    /// Prompt tokens.
    pub prompt_tokens: Option<f64>,
    /// Output tokens.
    pub output_tokens: Option<f64>,
    /// Requests under way at all times.
    pub concurrency: Option<u32>,
    /// Requests per second.
    pub rate: Option<f64>,
}

/// The format of a file by what is in it; `None` if it is none of these.
pub fn llm_format(text: &str) -> Option<LlmFormat> {
    if !text.trim_start().starts_with(['{', '[']) {
        return table::is_one(text).then_some(LlmFormat::Table);
    }
    let document = Document::parse("JSON", text).ok()?;
    [
        ("/benchmarks", LlmFormat::Guidellm),
        ("/load_summary", LlmFormat::InferencePerf),
        ("/successes", LlmFormat::InferencePerf),
        ("/time_to_first_token", LlmFormat::GenaiPerf),
        ("/records/time_to_first_token", LlmFormat::GenaiPerf),
        ("/output_throughput_tok_s", LlmFormat::Prediction),
        ("/total_input_tokens", LlmFormat::VllmBench),
    ]
    .into_iter()
    .find_map(|(path, format)| document.has(path).then_some(format))
}

/// The runs of one file. `name` is what messages call it; `choice` picks rows of a table.
pub fn llm_runs(
    (name, text): (&str, &str),
    format: LlmFormat,
    choice: &[Choice],
    told: &Told,
) -> Result<Vec<LlmRun>, CalibrateError> {
    if !choice.is_empty() && format != LlmFormat::Table {
        return Err(CalibrateError::Nothing { what: "JSON", reason: "--where picks rows of a table".to_owned() });
    }
    match format {
        LlmFormat::VllmBench => vllm_bench(name, text).map(|run| vec![run]),
        LlmFormat::GenaiPerf => genai_perf(name, text).map(|run| vec![run]),
        LlmFormat::InferencePerf => inference_perf(name, text).map(|run| vec![run]),
        LlmFormat::Guidellm => guidellm(name, text),
        LlmFormat::Prediction => prediction(name, text, told).map(|run| vec![run]),
        LlmFormat::Table => table(name, text, choice, told),
    }
}

/// A rate that stands for "as fast as possible".
const UNBOUNDED: f64 = 1e6;

/// The load of a rate (absent or huge: none), a bound, and how many requests there were.
fn load(rate: Option<f64>, bound: Option<f64>, requests: f64) -> RunLoad {
    let bound = bound.filter(|bound| *bound >= 1.0).map(|bound| bound.round() as u32);
    match rate.filter(|rate| *rate < UNBOUNDED && *rate > 0.0) {
        Some(rate) => RunLoad::Rate { rate, concurrency_max: bound },
        None => RunLoad::Concurrency(bound.unwrap_or(requests.clamp(1.0, 1e6) as u32)),
    }
}
