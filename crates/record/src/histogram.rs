//! A latency histogram with logarithmic buckets: exact counts, bounded relative error, mergeable, constant memory.

/// Sub-buckets per power of two, as a power of two: 2^7 = 128. A bucket is at most 1/128 of its value wide, so its middle is
/// within 0.4 % of every value in it.
const PRECISION_BITS: u32 = 7;
/// Enough buckets for every `u64`: 128 for each of the 57 octaves from 2^7 up, after a linear start of 128.
const BUCKETS: usize = (64 - PRECISION_BITS as usize + 1) << PRECISION_BITS;

/// Counts of `u64` values (nanoseconds, for latencies) in logarithmic buckets.
///
/// Values below 256 are exact; above, quantiles are within 0.4 % of the true order statistic. Counting is exact and
/// [`Histogram::merge`] loses nothing, so pooled quantiles do not depend on how runs were split. About 60 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// An empty histogram.
    pub fn new() -> Self {
        Self { counts: vec![0; BUCKETS] }
    }

    /// Counts one value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.counts[bucket_of(value)] += 1;
    }

    /// Counts one value `times` times.
    pub fn record_many(&mut self, value: u64, times: u64) {
        self.counts[bucket_of(value)] += times;
    }

    /// Adds all counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
    }

    /// What was counted since it was `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            counts: self.counts.iter().zip(&earlier.counts).map(|(now, before)| now.saturating_sub(*before)).collect(),
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.counts.fill(0);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The value of rank `ceil(q * count)`, as the middle of its bucket; `None` when empty. `q` is clamped to 0..=1.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let total = self.count();
        if total == 0 {
            return None;
        }
        // The small slack keeps 0.95 * 20 at rank 19, which floating point would round up to 20.
        let rank = ((q.clamp(0.0, 1.0) * total as f64 - 1e-9).ceil() as u64).clamp(1, total);
        self.value_at_rank(rank)
    }

    /// [`Self::quantile`] over the values here and `beyond` more that are larger than any; `None` where the rank falls among those, or there is
    /// nothing at all.
    pub fn quantile_with_beyond(&self, q: f64, beyond: u64) -> Option<u64> {
        let total = self.count() + beyond;
        let rank = (q.clamp(0.0, 1.0) * total as f64 - 1e-9).ceil() as u64;
        self.value_at_rank(rank.max(1))
    }

    /// The middle of the bucket that holds the value of 1-based `rank` in ascending order; `None` beyond the last.
    pub fn value_at_rank(&self, rank: u64) -> Option<u64> {
        let mut seen = 0;
        self.counts
            .iter()
            .position(|&count| {
                seen += count;
                seen >= rank
            })
            .filter(|_| rank > 0)
            .map(bucket_middle)
    }

    /// Values counted in buckets wholly at or below `limit`, an undercount by at most the bucket that holds `limit`.
    pub fn count_at_most(&self, limit: u64) -> u64 {
        let end = bucket_of(limit);
        self.counts[..end].iter().sum::<u64>() + if bucket_end(end) <= limit { self.counts[end] } else { 0 }
    }

    /// The buckets that hold something, ascending: (middle value, count).
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.counts
            .iter()
            .enumerate()
            .filter(|&(_, &count)| count > 0)
            .map(|(index, &count)| (bucket_middle(index), count))
    }

    /// Folds all counts into `digest` (FNV-1a over the non-empty buckets).
    pub fn digest(&self, digest: u64) -> u64 {
        let fold = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0100_0000_01b3);
        self.counts
            .iter()
            .enumerate()
            .filter(|&(_, &count)| count > 0)
            .fold(digest, |hash, (index, &count)| fold(fold(hash, index as u64), count))
    }
}

#[inline]
fn bucket_of(value: u64) -> usize {
    // The leading `PRECISION_BITS + 1` bits pick the bucket; smaller values are their own bucket.
    let shift = 63 - PRECISION_BITS - (value | (1 << PRECISION_BITS)).leading_zeros();
    (u64::from(shift) << PRECISION_BITS) as usize + (value >> shift) as usize
}

fn bucket_start(index: usize) -> u64 {
    let index = index as u64;
    let shift = (index >> PRECISION_BITS).saturating_sub(1);
    (index - (shift << PRECISION_BITS)) << shift
}

fn bucket_end(index: usize) -> u64 {
    if index + 1 >= BUCKETS { u64::MAX } else { bucket_start(index + 1).saturating_sub(1) }
}

fn bucket_middle(index: usize) -> u64 {
    let start = bucket_start(index);
    start + (bucket_end(index) - start) / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_tile_the_line_without_gap_or_overlap() {
        for index in 0..3_000 {
            assert_eq!(bucket_of(bucket_start(index)), index);
            assert_eq!(bucket_of(bucket_end(index)), index);
            assert_eq!(bucket_end(index) + 1, bucket_start(index + 1));
        }
        assert!(bucket_of(u64::MAX) < BUCKETS);
    }

    #[test]
    fn a_quantile_is_the_rank_not_beyond_it() {
        let mut histogram = Histogram::new();
        (1..=20).for_each(|value| histogram.record(value));
        assert_eq!(histogram.quantile(0.95), Some(19));
        assert_eq!(histogram.quantile(1.0), Some(20));
        assert_eq!(histogram.quantile(0.0), Some(1));
        assert_eq!(Histogram::new().quantile(0.5), None);
    }

    #[test]
    fn what_lies_beyond_counts_as_later_than_all() {
        let mut histogram = Histogram::new();
        (1..=98).for_each(|value| histogram.record(value));
        assert_eq!(histogram.quantile_with_beyond(0.98, 2), Some(98));
        assert_eq!(histogram.quantile_with_beyond(0.99, 2), None);
        assert_eq!(histogram.quantile_with_beyond(0.99, 0), histogram.quantile(0.99));
        assert_eq!(Histogram::new().quantile_with_beyond(0.5, 0), None);
    }

    proptest! {
        #[test]
        fn a_bucket_middle_is_within_half_a_percent(value in 1u64..u64::MAX / 2) {
            let middle = bucket_middle(bucket_of(value));
            prop_assert!(middle.abs_diff(value) as f64 <= 0.005 * value as f64);
        }

        #[test]
        fn splitting_and_merging_changes_nothing(values in prop::collection::vec(0u64..1 << 40, 1..200), cut in 0usize..200) {
            let (mut whole, mut left, mut right) = (Histogram::new(), Histogram::new(), Histogram::new());
            for (index, &value) in values.iter().enumerate() {
                whole.record(value);
                if index < cut { left.record(value) } else { right.record(value) }
            }
            left.merge(&right);
            prop_assert_eq!(left, whole);
        }
    }
}
