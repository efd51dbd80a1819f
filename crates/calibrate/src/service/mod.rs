//! Service times from load-test results.

mod batching;
mod checks;
mod fit;
mod formats;
mod run;
mod solve;

pub use batching::{BatchRun, BatchingFit, batching, triton_perf_analyzer};
pub use checks::{Beside, Checked, CheckedRun, check};
pub use fit::{Coefficient, FittedRun, Given, HeldOut, LlmFit, OverheadSpread, Settings, fit, repeated};
pub use formats::{
    Choice, LlmFormat, Told, genai_perf, guidellm, inference_perf, llm_format, llm_runs, prediction, table, vllm_bench,
};
pub use run::{LlmRun, RunLoad, RunTokens, Statistic};
