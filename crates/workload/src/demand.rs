//! Service times in request order.

use crate::exponential::{BLOCK, ExponentialBlocks};
use crate::{Distribution, Purpose, Sampler, Stream, nanos};

const NANOS_PER_SECOND: f64 = 1e9;

/// Deals out the service time of one request after another, so that every policy faces the same demands.
#[derive(Clone, Debug)]
pub struct ServiceTimes(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Constant(u64),
    Exponential { mean_ns: f64, source: Box<ExponentialBlocks>, block: Box<[f64; BLOCK]>, used: usize },
    Drawn { sampler: Sampler, stream: Stream },
}

impl ServiceTimes {
    /// Starts at the first request. `distribution` is in seconds and valid; draws come from the demand stream of `seed`.
    pub fn new(distribution: &Distribution, seed: u64) -> Self {
        let stream = Stream::new(seed, Purpose::Demand, 0);
        Self(match distribution {
            Distribution::Constant(seconds) => Kind::Constant(nanos::round(seconds * NANOS_PER_SECOND)),
            Distribution::Exponential { mean } => Kind::Exponential {
                mean_ns: mean * NANOS_PER_SECOND,
                source: Box::new(ExponentialBlocks::new(stream)),
                block: Box::new([0.0; BLOCK]),
                used: BLOCK,
            },
            other => Kind::Drawn { sampler: other.sampler(), stream },
        })
    }

    /// Appends the service times of the next `count` requests, in nanoseconds, each at most 2^51 (26 days). How the requests are cut into
    /// calls does not matter.
    pub fn fill(&mut self, times_ns: &mut Vec<u64>, count: usize) {
        match &mut self.0 {
            Kind::Constant(time_ns) => times_ns.resize(times_ns.len() + count, *time_ns),
            Kind::Exponential { mean_ns, source, block, used } => {
                let mut left = count;
                while left > 0 {
                    if *used == BLOCK {
                        source.fill(block);
                        *used = 0;
                    }
                    let take = left.min(BLOCK - *used);
                    times_ns.extend(block[*used..*used + take].iter().map(|unit| nanos::round(unit * *mean_ns)));
                    *used += take;
                    left -= take;
                }
            }
            Kind::Drawn { sampler, stream } => {
                times_ns.extend((0..count).map(|_| nanos::round(sampler.sample(stream) * NANOS_PER_SECOND)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times_of(distribution: &Distribution, cuts: &[usize]) -> Vec<u64> {
        let mut source = ServiceTimes::new(distribution, 5);
        let mut times_ns = Vec::new();
        for &count in cuts {
            source.fill(&mut times_ns, count);
        }
        times_ns
    }

    fn families() -> [Distribution; 4] {
        [
            Distribution::Constant(0.25),
            Distribution::Exponential { mean: 0.05 },
            Distribution::LogNormal { p50: 0.2, p90: 0.7 },
            Distribution::Gamma { mean: 0.1, cv: 2.0 },
        ]
    }

    #[test]
    fn the_demand_of_a_request_does_not_depend_on_how_requests_are_read() {
        for family in families() {
            assert_eq!(times_of(&family, &[5_000]), times_of(&family, &[1, 0, 1_023, 1_025, 2_951]), "{family:?}");
        }
    }

    #[test]
    fn demands_have_the_mean_of_their_distribution() {
        for family in families() {
            let n = 400_000;
            let times_ns = times_of(&family, &[n]);
            let mean = times_ns.iter().sum::<u64>() as f64 / n as f64 / NANOS_PER_SECOND;
            // Every family here has a coefficient of variation of at most 2: four standard errors of the mean.
            assert!((mean / family.mean() - 1.0).abs() < 4.0 * 2.0 / (n as f64).sqrt(), "{family:?}: {mean}");
        }
    }
}
