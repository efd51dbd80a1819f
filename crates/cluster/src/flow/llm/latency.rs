//! The latency histograms an engine exposes: vLLM's buckets (`vllm/v1/metrics/loggers.py`), filled as it fills them.
//!
//! They measure from a request's arrival at the engine, without the overhead outside it and without waiting at the gateway.

use super::iteration::{FRACTION_BITS, Run};

/// One of the histograms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// From arrival to the first token, when it is out.
    FirstToken,
    /// Between two tokens of a request, one per request and iteration.
    InterToken,
    /// From arrival to the last token, when it is out.
    EndToEnd,
    /// From arrival to admission, when the request is finished.
    Queue,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::FirstToken, Self::InterToken, Self::EndToEnd, Self::Queue];

    /// Upper bounds of the buckets in seconds, as Prometheus writes them; the last is `+Inf`.
    pub fn bounds(self) -> &'static [&'static str] {
        match self {
            Self::FirstToken => &[
                "0.001", "0.005", "0.01", "0.02", "0.04", "0.06", "0.08", "0.1", "0.25", "0.5", "0.75", "1.0", "2.5",
                "5.0", "7.5", "10.0", "20.0", "40.0", "80.0", "160.0", "640.0", "2560.0", "+Inf",
            ],
            Self::InterToken => &[
                "0.01", "0.025", "0.05", "0.075", "0.1", "0.15", "0.2", "0.3", "0.4", "0.5", "0.75", "1.0", "2.5",
                "5.0", "7.5", "10.0", "20.0", "40.0", "80.0", "+Inf",
            ],
            Self::EndToEnd | Self::Queue => &[
                "0.3", "0.5", "0.8", "1.0", "1.5", "2.0", "2.5", "5.0", "10.0", "15.0", "20.0", "30.0", "40.0", "50.0",
                "60.0", "120.0", "240.0", "480.0", "960.0", "1920.0", "7680.0", "+Inf",
            ],
        }
    }
}

/// Counts by bucket, and the sum; values in 2^-20 ns.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Buckets {
    /// Upper bounds but the last, which is infinite.
    limits: Vec<u64>,
    counts: Vec<u64>,
    sum: u128,
}

impl Buckets {
    fn new(family: Family) -> Self {
        let finite = family.bounds().iter().filter(|bound| **bound != "+Inf");
        let limits: Vec<u64> = finite
            .map(|bound| {
                let seconds: f64 = bound.parse().expect("bounds are numbers");
                ((seconds * 1e9).round() as u64) << FRACTION_BITS
            })
            .collect();
        Self { counts: vec![0; limits.len() + 1], limits, sum: 0 }
    }

    fn bucket_of(&self, value: u64) -> usize {
        self.limits.partition_point(|&limit| limit < value)
    }
}

/// The histograms of one engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyLog {
    /// In the order of [`Family::ALL`].
    families: [Buckets; 4],
}

impl Default for LatencyLog {
    fn default() -> Self {
        Self { families: Family::ALL.map(Buckets::new) }
    }
}

impl LatencyLog {
    /// Counts one value, given in nanoseconds.
    pub fn record(&mut self, family: Family, nanos: u64) {
        let buckets = &mut self.families[family as usize];
        // Beyond the last finite bound it makes no difference how much.
        let bucket = buckets.bucket_of(nanos.min(u64::MAX >> FRACTION_BITS) << FRACTION_BITS);
        buckets.counts[bucket] += 1;
        buckets.sum += u128::from(nanos) << FRACTION_BITS;
    }

    /// Counts the durations of the first `count` iterations of `run` between tokens of `sequences` sequences.
    pub(super) fn record_run(&mut self, run: &Run, count: u64, sequences: u64) {
        if sequences == 0 || count == 0 {
            return;
        }
        let buckets = &mut self.families[Family::InterToken as usize];
        buckets.sum += u128::from(run.span(count)) * u128::from(sequences);
        let mut counted = 0;
        while counted < count {
            // Durations never fall: each bucket holds a stretch of them.
            let bucket = buckets.bucket_of(run.duration(counted));
            let limit = buckets.limits.get(bucket).copied().unwrap_or(u64::MAX);
            let (mut inside, mut beyond) = (counted, count);
            if run.duration(count - 1) <= limit {
                inside = count - 1;
            }
            while beyond - inside > 1 {
                let middle = inside.midpoint(beyond);
                if run.duration(middle) <= limit { inside = middle } else { beyond = middle }
            }
            buckets.counts[bucket] += (inside + 1 - counted) * sequences;
            counted = inside + 1;
        }
    }

    /// Values in the first `bucket + 1` buckets together.
    pub fn at_most(&self, family: Family, bucket: usize) -> u64 {
        self.families[family as usize].counts[..=bucket].iter().sum()
    }

    /// All values.
    pub fn count(&self, family: Family) -> u64 {
        self.families[family as usize].counts.iter().sum()
    }

    /// Their sum in seconds.
    pub fn sum_seconds(&self, family: Family) -> f64 {
        self.families[family as usize].sum as f64 / f64::from(1 << FRACTION_BITS) / 1e9
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.families.iter_mut().zip(&other.families) {
            mine.sum += theirs.sum;
            mine.counts.iter_mut().zip(&theirs.counts).for_each(|(mine, theirs)| *mine += theirs);
        }
    }
}
