//! Distributions as they are drawn from.

use workload::Distribution as Drawn;

use crate::error::ScenarioError;
use crate::file::{Distribution, DistributionChoice, TextOr};
use crate::quantity::{Count, Time};

use super::Context;

/// Amounts that distributions can be made of, as plain numbers.
pub trait Plain: Copy {
    /// Seconds, tokens, …
    fn plain(self) -> f64;
}

impl Plain for Time {
    fn plain(self) -> f64 {
        self.0
    }
}

impl Plain for Count {
    fn plain(self) -> f64 {
        self.0
    }
}

/// Bounds as they are written.
fn bounds<A: Plain>(min: Option<A>, max: Option<A>) -> (f64, f64) {
    (min.map_or(0.0, A::plain), max.map_or(f64::INFINITY, A::plain))
}

impl Context<'_> {
    /// A distribution, checked.
    pub(super) fn distribution<A: Plain>(&self, file: &Distribution<A>, path: &str) -> Result<Drawn, ScenarioError> {
        let drawn = match file {
            TextOr::Amount(amount) => Drawn::Constant(amount.plain()),
            TextOr::Choice(choice) => match choice {
                DistributionChoice::Constant(value) => Drawn::Constant(value.plain()),
                DistributionChoice::Uniform { low, high } => Drawn::Uniform { low: low.plain(), high: high.plain() },
                DistributionChoice::Exponential { mean } => Drawn::Exponential { mean: mean.plain() },
                DistributionChoice::Gamma { mean, cv } => Drawn::Gamma { mean: mean.plain(), cv: *cv },
                DistributionChoice::Weibull { shape, scale } => Drawn::Weibull { shape: *shape, scale: scale.plain() },
                DistributionChoice::Empirical(values) => {
                    let mut sorted: Vec<f64> = values.iter().copied().map(Plain::plain).collect();
                    sorted.sort_by(f64::total_cmp);
                    Drawn::Empirical(sorted.into())
                }
                other => self.of_lengths(other, path)?,
            },
        };
        drawn.validate().map_err(|error| self.inconsistent(path, &error.to_string()))?;
        Ok(drawn)
    }

    /// The families that load tests know.
    fn of_lengths<A: Plain>(&self, choice: &DistributionChoice<A>, path: &str) -> Result<Drawn, ScenarioError> {
        let refuse = |reason: &str| Err(self.inconsistent(path, reason));
        Ok(match choice {
            DistributionChoice::LogNormal { p50: Some(p50), p90: Some(p90), mean: None, std: None } => {
                Drawn::LogNormal { p50: p50.plain(), p90: p90.plain() }
            }
            DistributionChoice::LogNormal { p50: None, p90: None, mean: Some(mean), std: Some(std) } => {
                let (mean, std) = (mean.plain(), std.plain());
                if !(mean > 0.0 && std >= 0.0) {
                    return refuse("logNormal: `mean` must be above 0 and `std` not below");
                }
                Drawn::log_normal(mean, std)
            }
            DistributionChoice::LogNormal { .. } => {
                return refuse("logNormal: needs `p50` and `p90`, or `mean` and `std`");
            }
            DistributionChoice::Normal { mean, std, min, max } => {
                let (min, max) = bounds(*min, *max);
                Drawn::Normal { mean: mean.plain(), std: std.plain(), min, max }
            }
            DistributionChoice::SkewNormal { mean, std, skew, min, max } => {
                let (mean, std, (min, max)) = (mean.plain(), std.plain(), bounds(*min, *max));
                Drawn::Normal { mean, std, min, max }
                    .validate()
                    .map_err(|error| self.inconsistent(path, &error.to_string()))?;
                if !skew.is_finite() {
                    return refuse("skewNormal: `skew` must be a finite number");
                }
                Drawn::skew_normal((mean, std), *skew, (min, max))
            }
            DistributionChoice::Poisson { mean } => {
                if !(mean.plain() >= 0.0 && mean.plain() <= 1e7) {
                    return refuse("poisson: `mean` must be 0 to 10,000,000");
                }
                Drawn::poisson(mean.plain())
            }
            DistributionChoice::RangeRatio { length, ratio } => {
                if !(*ratio >= 0.0 && *ratio < 1.0 && length.plain() >= 1.0) {
                    return refuse("rangeRatio: `ratio` must be 0 to less than 1, and `length` at least 1");
                }
                let (low, high) = ((length.plain() * (1.0 - ratio)).floor(), (length.plain() * (1.0 + ratio)).ceil());
                // Rounded to whole numbers when it is drawn, every one of them gets a stretch of length 1.
                Drawn::Uniform { low: low.max(1.0) - 0.5, high: high + 0.5 }
            }
            DistributionChoice::Weighted { values, weights } => {
                if values.len() != weights.len() {
                    return refuse(&format!("weighted: {} values and {} weights", values.len(), weights.len()));
                }
                let pairs: Vec<(f64, f64)> =
                    values.iter().map(|value| value.plain()).zip(weights.iter().copied()).collect();
                Drawn::weighted(&pairs)
            }
            DistributionChoice::Column { file, name } => {
                let values = self.data.column(&self.file_of(file, &format!("{path}.column.file"))?, name)?;
                Drawn::weighted(&values.into_iter().map(|value| (value, 1.0)).collect::<Vec<_>>())
            }
            _ => unreachable!("the caller knows the others"),
        })
    }
}
