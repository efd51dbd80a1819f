//! Service times from load-test results.

mod batching;
mod llm;
mod read;
mod solve;

pub use batching::{BatchRun, BatchingFit, batching, triton_perf_analyzer};
pub use llm::{LlmFit, LlmRun, llm};
pub use read::{genai_perf, inference_perf, vllm_bench};
