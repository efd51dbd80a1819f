//! Intervals by resampling.

use workload::{Distribution, Purpose, Stream};

use super::families::{Family, Parameters};
use super::observation::{Observation, Tally};
use super::{Interval, maximum, quantiles};

/// Resamples: enough for the ends of a 95 % interval to be good to about a tenth of its width.
const RESAMPLES: usize = 200;

/// Median and 90th percentile of the fitted distribution with 95 % percentile intervals: the family is fitted again to samples drawn with
/// replacement. For an empirical distribution the resamples' own quantiles count.
pub fn intervals(
    sample: &[Observation],
    chosen: Option<(Family, Parameters)>,
    fitted: &Distribution,
    seed: u64,
) -> (Interval, Interval) {
    let mut stream = Stream::new(seed, Purpose::Resampling, 0);
    let mut p50s = Vec::with_capacity(RESAMPLES);
    let mut p90s = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        let drawn = (0..sample.len()).map(|_| (sample[stream.below(sample.len() as u64) as usize], 1));
        let tally = Tally::weighted(drawn);
        let distribution = match chosen {
            Some((family, start)) => {
                maximum::likelihood(family, &tally, Some(start)).map(|(parameters, _)| family.distribution(parameters))
            }
            None => {
                Some(quantiles::survival(&tally)).filter(|curve| !curve.steps.is_empty()).map(|curve| curve.empirical())
            }
        };
        if let Some(distribution) = distribution {
            p50s.push(distribution.p50());
            p90s.push(distribution.p90());
        }
    }
    (interval(fitted.p50(), p50s), interval(fitted.p90(), p90s))
}

fn interval(value: f64, mut resampled: Vec<f64>) -> Interval {
    resampled.sort_by(f64::total_cmp);
    let at = |share: f64| resampled.get((share * resampled.len() as f64) as usize).copied().unwrap_or(value);
    Interval { value, low: at(0.025).min(value), high: at(0.975).max(value) }
}
