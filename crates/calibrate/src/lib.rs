//! From measurements to scenario parameters: cold-start phases from Kubernetes objects, interruption rates from spot histories, service
//! times from load-test results. Each fit comes with intervals, with what it could not use and why, and with YAML to paste.
//!
//! Text and plain values in, plain values out. The crate knows no paths, prices or scenario types; it only writes the keys that scenarios
//! read. Of the model it uses one replica's engine, which load tests are repeated on.

mod cold_start;
mod error;
mod fit;
pub mod llm;
mod presets;
mod service;
mod spot;
pub mod traffic;
mod yaml;

pub use cold_start::{ColdStartFit, Phase, PhaseFit, Unused, cold_start};
pub use error::CalibrateError;
pub use fit::{
    Candidate, DistributionFit, Family, Interval, Observation, QuantilePair, fit_distribution, quantile_plot,
};
pub use presets::{ColdStartPreset, PresetPhase, preset, presets};
pub use service::{
    BatchRun, BatchingFit, Beside, Checked, CheckedRun, Choice, Coefficient, FittedRun, Given, HeldOut, LlmFit,
    LlmFormat, LlmRun, OverheadSpread, RunLoad, RunTokens, Settings, Statistic, Told, batching, check, fit as fit_llm,
    genai_perf, guidellm, inference_perf, llm_format, llm_runs, prediction, repeated, table, triton_perf_analyzer,
    vllm_bench,
};
pub use spot::{Clustering, SpotFit, SpotHistory, ZonePrices, ZoneSteps, spot};
