//! The histograms replicas and the gateway expose: only those somebody reads are kept, with the bounds they are read at.
//!
//! What a replica measures begins with a request's arrival at it, without the overhead outside the engine and without waiting at the
//! gateway. What is shown under which name it does not know.

use std::sync::Arc;

use exporters::HistogramSignal;

/// Binary places of a nanosecond, and of a token: engines count finer than either.
pub const FRACTION_BITS: u32 = 20;
const FAMILIES: usize = 12;

/// All of them, each in the place of its number.
const ALL: [HistogramSignal; FAMILIES] = [
    HistogramSignal::FirstToken,
    HistogramSignal::InterToken,
    HistogramSignal::TimePerOutputToken,
    HistogramSignal::EndToEnd,
    HistogramSignal::Queue,
    HistogramSignal::Prefill,
    HistogramSignal::Decode,
    HistogramSignal::Inference,
    HistogramSignal::PromptSize,
    HistogramSignal::OutputSize,
    HistogramSignal::GatewayLatency,
    HistogramSignal::GatewayFirstToken,
];

fn place(family: HistogramSignal) -> usize {
    let place = family as usize;
    debug_assert_eq!(ALL[place], family, "families are numbered in this order");
    place
}

/// Which histograms are kept, and the upper bounds of their buckets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watched {
    /// Ascending, without the infinite one; `None`: nobody reads this family.
    families: [Option<Vec<f64>>; FAMILIES],
}

impl Watched {
    /// Every family of a replica at a few bounds, for tests.
    pub fn everything(bounds: &[f64]) -> Self {
        let mut watched = Self::default();
        for family in ALL {
            watched.add(family, None);
            bounds.iter().for_each(|&bound| watched.add(family, Some(bound)));
        }
        watched
    }

    /// Somebody reads `family`: at this bound, or its count and sum.
    pub fn add(&mut self, family: HistogramSignal, bound: Option<f64>) {
        let bounds = self.families[place(family)].get_or_insert_default();
        if let Some(bound) = bound.filter(|bound| bound.is_finite())
            && let Err(at) = bounds.binary_search_by(|known| known.total_cmp(&bound))
        {
            bounds.insert(at, bound);
        }
    }

    /// The number of the bucket with this upper bound, which was added before.
    pub fn bucket(&self, family: HistogramSignal, bound: f64) -> usize {
        let bounds = self.families[place(family)].as_deref().unwrap_or_default();
        bounds.partition_point(|&known| known < bound)
    }

    /// Whether a family of the replicas is read.
    pub fn reads_replicas(&self) -> bool {
        self.families[..place(HistogramSignal::GatewayLatency)].iter().any(Option::is_some)
    }

    /// Whether a family of the gateway is read.
    pub fn reads_gateway(&self) -> bool {
        self.families[place(HistogramSignal::GatewayLatency)..].iter().any(Option::is_some)
    }
}

/// Counts by bucket, and the sum; values in 2^-20 ns or 2^-20 tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Buckets {
    /// Upper bounds but the last, which is infinite.
    limits: Arc<[u64]>,
    pub(super) counts: Vec<u64>,
    pub(super) sum: u128,
}

impl Buckets {
    fn new(family: HistogramSignal, bounds: &[f64]) -> Self {
        let limit = |bound: f64| match unit(family) {
            Unit::Nanos => ((bound * 1e9).round().max(0.0) as u64) << FRACTION_BITS,
            Unit::Tokens => (bound.floor().max(0.0) as u64) << FRACTION_BITS,
        };
        let limits: Arc<[u64]> = bounds.iter().map(|&bound| limit(bound)).collect();
        Self { counts: vec![0; limits.len() + 1], limits, sum: 0 }
    }

    pub(super) fn bucket_of(&self, value: u64) -> usize {
        self.limits.partition_point(|&limit| limit < value)
    }

    /// Upper bound of a bucket.
    pub(super) fn limit(&self, bucket: usize) -> u64 {
        self.limits.get(bucket).copied().unwrap_or(u64::MAX)
    }
}

enum Unit {
    Nanos,
    Tokens,
}

fn unit(family: HistogramSignal) -> Unit {
    match family {
        HistogramSignal::PromptSize | HistogramSignal::OutputSize => Unit::Tokens,
        _ => Unit::Nanos,
    }
}

/// The histograms of one engine, or of the gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyLog {
    families: [Option<Buckets>; FAMILIES],
}

impl LatencyLog {
    /// Empty ones of the families that `watched` names.
    pub fn new(watched: &Watched) -> Self {
        let kept = |family: HistogramSignal| {
            watched.families[place(family)].as_deref().map(|bounds| Buckets::new(family, bounds))
        };
        Self { families: ALL.map(kept) }
    }

    /// Counts one value, given in nanoseconds or tokens.
    pub fn record(&mut self, family: HistogramSignal, value: u64) {
        let Some(buckets) = &mut self.families[place(family)] else { return };
        // Beyond the last finite bound it makes no difference how much.
        let bucket = buckets.bucket_of(value.min(u64::MAX >> FRACTION_BITS) << FRACTION_BITS);
        buckets.counts[bucket] += 1;
        buckets.sum += u128::from(value) << FRACTION_BITS;
    }

    /// The buckets of a family that is kept.
    pub(super) fn buckets_mut(&mut self, family: HistogramSignal) -> Option<&mut Buckets> {
        self.families[place(family)].as_mut()
    }

    /// Values in the first `bucket + 1` buckets together.
    pub fn at_most(&self, family: HistogramSignal, bucket: usize) -> u64 {
        let buckets = self.families[place(family)].as_ref();
        buckets.map_or(0, |buckets| buckets.counts[..=bucket.min(buckets.limits.len())].iter().sum())
    }

    /// All values.
    pub fn count(&self, family: HistogramSignal) -> u64 {
        self.families[place(family)].as_ref().map_or(0, |buckets| buckets.counts.iter().sum())
    }

    /// Their sum in seconds or tokens.
    pub fn sum(&self, family: HistogramSignal) -> f64 {
        let Some(buckets) = &self.families[place(family)] else { return 0.0 };
        let sum = buckets.sum as f64 / f64::from(1 << FRACTION_BITS);
        match unit(family) {
            Unit::Nanos => sum / 1e9,
            Unit::Tokens => sum,
        }
    }

    /// Adds the counts of `other`, which keeps the same families.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.families.iter_mut().zip(&other.families) {
            match (mine, theirs) {
                (Some(mine), Some(theirs)) => {
                    mine.sum += theirs.sum;
                    mine.counts.iter_mut().zip(&theirs.counts).for_each(|(mine, theirs)| *mine += theirs);
                }
                (mine @ None, Some(theirs)) => *mine = Some(theirs.clone()),
                (_, None) => {}
            }
        }
    }
}

/// The histograms of replicas that answer in one piece: from the answer alone.
#[derive(Clone, Debug, Default)]
pub(super) struct WholeAnswers {
    watched: Option<Arc<Watched>>,
    /// By slot: since when it is there, and its histograms.
    of: Vec<(u64, LatencyLog)>,
}

impl WholeAnswers {
    pub fn watch(&mut self, watched: &Arc<Watched>) {
        self.watched = Some(watched.clone());
    }

    #[inline]
    pub fn is_on(&self) -> bool {
        self.watched.is_some()
    }

    /// A replica comes to `slot`.
    pub fn add(&mut self, slot: usize, now: u64) {
        let Some(watched) = &self.watched else { return };
        if self.of.len() <= slot {
            self.of.resize_with(slot + 1, Default::default);
        }
        self.of[slot] = (now, LatencyLog::new(watched));
    }

    /// The replica at `slot` has answered a request that came to it at `arrival`, or before it was there.
    #[cold]
    pub fn answer(&mut self, slot: usize, arrival: u64, (start, end): (u64, u64)) {
        let Some((since, log)) = self.of.get_mut(slot) else { return };
        let arrival = arrival.max(*since).min(start);
        log.record(HistogramSignal::FirstToken, end - arrival);
        log.record(HistogramSignal::EndToEnd, end - arrival);
        log.record(HistogramSignal::Queue, start - arrival);
        log.record(HistogramSignal::Prefill, end - start);
        log.record(HistogramSignal::Inference, end - start);
    }

    pub fn log(&self, slot: usize) -> Option<&LatencyLog> {
        self.watched.as_ref().and(self.of.get(slot)).map(|(_, log)| log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_is_in_its_bucket() {
        let mut watched = Watched::default();
        [0.5, 0.25, 0.5].into_iter().for_each(|bound| watched.add(HistogramSignal::Queue, Some(bound)));
        watched.add(HistogramSignal::PromptSize, Some(50.0));
        let mut log = LatencyLog::new(&watched);
        [250_000_000, 250_000_001, 600_000_000].into_iter().for_each(|nanos| log.record(HistogramSignal::Queue, nanos));
        let at = |bound| log.at_most(HistogramSignal::Queue, watched.bucket(HistogramSignal::Queue, bound));
        assert_eq!([0.25, 0.5, f64::INFINITY].map(at), [1, 2, 3]);
        assert!((log.sum(HistogramSignal::Queue) - 1.100_000_001).abs() < 1e-12);
        log.record(HistogramSignal::PromptSize, 50);
        log.record(HistogramSignal::PromptSize, 51);
        assert_eq!((log.at_most(HistogramSignal::PromptSize, 0), log.sum(HistogramSignal::PromptSize)), (1, 101.0));
        log.record(HistogramSignal::EndToEnd, 1);
        assert_eq!(log.count(HistogramSignal::EndToEnd), 0, "nobody reads it");
    }
}
