//! How much the time outside the engine varies from request to request: what times to first token of requests that were sent one at a time say.

use crate::fit::{DistributionFit, Family, Observation, fit_distribution};
use crate::yaml;

use super::super::checks::CheckedRun;
use super::super::run::RunLoad;
use super::engine::Engine;

/// Fewer requests say little of a 90th percentile.
const REQUESTS_MIN: usize = 30;
/// More change nothing that is printed.
const REQUESTS_MAX: usize = 2_000;
/// Requests that are faster than the engine alone: more than this share of them, and the engine is not the one that was measured.
const FASTER_MAX: f64 = 0.05;
const SEED: u64 = 1;

/// The law of `overhead` over requests.
#[derive(Clone, Debug, PartialEq)]
pub struct OverheadSpread {
    /// The law in seconds, of as many values as there were requests.
    pub law: DistributionFit,
    /// Mean and standard deviation of the values, in seconds.
    pub moments_s: (f64, f64),
    /// Requests left out: they were answered faster than the engine computes their prompts.
    pub faster: usize,
}

impl OverheadSpread {
    /// What requests took to their first tokens beyond the passes of `engine`. The error says why that cannot be told.
    pub(super) fn of(engine: &Engine, runs: &[CheckedRun]) -> Result<Self, String> {
        let mut beyond: Vec<f64> = Vec::new();
        for run in runs.iter().map(|one| &one.run).filter(|run| run.load == RunLoad::Concurrency(1)) {
            let count = run.ttfts_s.len().min(REQUESTS_MAX - beyond.len());
            if run.tokens.len() != run.ttfts_s.len() || count == 0 {
                continue;
            }
            let alone = engine.first_tokens_alone_s(&run.tokens[..count]);
            // Who never fits into the cache has no first token to compare with.
            if alone.len() == count {
                beyond.extend(run.ttfts_s.iter().zip(alone).map(|(measured, passes)| measured - passes));
            }
        }
        let how = "requests sent one at a time, with the time of each (`vllm bench serve --max-concurrency 1 --save-detailed`)";
        if beyond.len() < REQUESTS_MIN {
            return Err(format!("its spread takes at least {REQUESTS_MIN} {how}; there are {}", beyond.len()));
        }
        let count = beyond.len();
        beyond.retain(|seconds| *seconds > 0.0);
        let faster = count - beyond.len();
        if faster as f64 > FASTER_MAX * count as f64 {
            return Err(format!(
                "{faster} of {count} requests sent one at a time had their first token before the fitted engine has computed their prompts, so that \
                 its spread is not told"
            ));
        }
        let sample: Vec<Observation> = beyond.iter().map(|seconds| Observation::Exact(*seconds)).collect();
        let law = fit_distribution(&sample, SEED).ok_or("no request tells its spread")?;
        let mean = beyond.iter().sum::<f64>() / beyond.len() as f64;
        let squares = beyond.iter().map(|seconds| (seconds - mean) * (seconds - mean)).sum::<f64>();
        let moments_s = (mean, libm::sqrt(squares / (beyond.len() - 1) as f64));
        Ok(Self { law, moments_s, faster })
    }

    /// A line of the report.
    pub(super) fn in_words(&self) -> String {
        let Self { law, moments_s: (mean, deviation), faster } = self;
        let kind = match law.family {
            Family::Empirical => "no family is near: quantiles of the values themselves".to_owned(),
            family => format!("{}, at most {:.3} from them", family.name(), law.distance),
        };
        let left_out =
            if *faster == 0 { String::new() } else { format!("; {faster} faster than the engine alone are left out") };
        format!(
            "overhead of {} requests sent one at a time: mean {}, standard deviation {}, p50 {} ({} to {}), p90 {} ({} to {}); {kind}{left_out}",
            law.complete,
            yaml::time(*mean),
            yaml::time(*deviation),
            yaml::time(law.p50.value),
            yaml::time(law.p50.low),
            yaml::time(law.p50.high),
            yaml::time(law.p90.value),
            yaml::time(law.p90.low),
            yaml::time(law.p90.high),
        )
    }
}
