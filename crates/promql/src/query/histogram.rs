//! Classic histograms: buckets as series with an `le` label.

use super::aggregate::groups_of;
use super::eval::{Evaluator, is_same_input, require_unique};
use super::plan::{Histogram, HistogramFunction};
use super::{Element, EvalError};

/// Relative difference below which a falling bucket count is rounding, not a fault (quantile.go).
const SMALL_DELTA: f64 = 1e-12;

/// One cumulative bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    upper: f64,
    count: f64,
}

enum Question {
    Quantile(f64),
    Fraction { lower: f64, upper: f64 },
}

impl Evaluator<'_> {
    pub(super) fn histogram(&mut self, histogram: &mut Histogram, t_ms: i64) -> Result<Vec<Element>, EvalError> {
        let question = match &mut histogram.function {
            HistogramFunction::Quantile(q) => Question::Quantile(self.scalar(q, t_ms)?),
            HistogramFunction::Fraction { lower, upper } => {
                Question::Fraction { lower: self.scalar(lower, t_ms)?, upper: self.scalar(upper, t_ms)? }
            }
        };
        let elements = self.vector(&mut histogram.operand, t_ms)?;
        if !is_same_input(&histogram.memo.inputs, &elements) {
            histogram.bounds = elements.iter().map(|element| bound(element.labels.get("le"))).collect();
        }
        groups_of(&mut histogram.memo, &elements, |labels| labels.filtered(|name| name != "le"));
        let memo = &histogram.memo;
        let mut buckets: Vec<Vec<Bucket>> = vec![Vec::new(); memo.groups.len()];
        for ((element, &group), &upper) in elements.iter().zip(&memo.group_of).zip(&histogram.bounds) {
            if !upper.is_nan() {
                buckets[group as usize].push(Bucket { upper, count: element.value });
            }
        }
        let histograms = memo.groups.iter().zip(buckets).filter(|(_, buckets)| !buckets.is_empty());
        let answers = histograms.map(|(labels, buckets)| {
            let value = match question {
                Question::Quantile(q) => quantile(q, buckets),
                Question::Fraction { lower, upper } => fraction(lower, upper, buckets),
            };
            Element { labels: labels.without_name(), value }
        });
        require_unique(answers.collect())
    }
}

/// The bound an `le` text means, NaN if none. Go's spellings of infinity are those that Rust reads, too.
fn bound(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

/// Sorts, and adds up buckets with the same bound. None if the highest bound is not +Inf.
fn merged(mut buckets: Vec<Bucket>) -> Option<Vec<Bucket>> {
    buckets.sort_by(|a, b| a.upper.total_cmp(&b.upper));
    if buckets.last()?.upper != f64::INFINITY {
        return None;
    }
    let mut merged: Vec<Bucket> = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        match merged.last_mut() {
            Some(last) if last.upper == bucket.upper => last.count += bucket.count,
            _ => merged.push(bucket),
        }
    }
    Some(merged)
}

/// Makes counts rise: cumulative counts that fall come from scrapes or layouts that do not fit together.
fn repair(buckets: &mut [Bucket]) {
    let mut previous = buckets[0].count;
    for bucket in &mut buckets[1..] {
        if bucket.count == previous {
            continue;
        }
        if is_almost_equal(bucket.count, previous) || bucket.count < previous {
            bucket.count = previous;
        } else {
            previous = bucket.count;
        }
    }
}

fn is_almost_equal(a: f64, b: f64) -> bool {
    if a.is_nan() || b.is_nan() {
        return a.is_nan() && b.is_nan();
    }
    let (magnitude, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || magnitude < f64::MIN_POSITIVE {
        return difference < SMALL_DELTA * f64::MIN_POSITIVE;
    }
    difference / magnitude.min(f64::MAX) < SMALL_DELTA
}

/// quantile.go:BucketQuantile.
fn quantile(q: f64, buckets: Vec<Bucket>) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let Some(mut buckets) = merged(buckets) else { return f64::NAN };
    repair(&mut buckets);
    let last = buckets.len() - 1;
    let total = buckets[last].count;
    if last == 0 || total == 0.0 {
        return f64::NAN;
    }
    let rank = q * total;
    // "Not at least" instead of "less": the difference shows when counts are NaN.
    #[expect(clippy::neg_cmp_op_on_partial_ord, reason = "see above")]
    let index = buckets[..last].partition_point(|bucket| !(bucket.count >= rank));
    if index == last {
        return buckets[last - 1].upper;
    }
    let Bucket { upper, count } = buckets[index];
    if index == 0 && upper <= 0.0 {
        return upper;
    }
    let (lower, below) = if index == 0 { (0.0, 0.0) } else { (buckets[index - 1].upper, buckets[index - 1].count) };
    lower + (upper - lower) * ((rank - below) / (count - below))
}

/// The share of observations between two values (quantile.go:BucketFraction).
fn fraction(lower: f64, upper: f64, buckets: Vec<Bucket>) -> f64 {
    let Some(buckets) = merged(buckets) else { return f64::NAN };
    let total = buckets[buckets.len() - 1].count;
    if total == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank_of(upper, &buckets) - rank_of(lower, &buckets)) / total
}

/// How many observations lie below a value, at most all of them.
fn rank_of(value: f64, buckets: &[Bucket]) -> f64 {
    let total = buckets[buckets.len() - 1].count;
    // The first bucket begins at zero unless it ends there or below.
    let mut begin = if buckets[0].upper <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
    let mut below = 0.0;
    for bucket in buckets {
        if begin >= value {
            return f64::min(below, total);
        }
        if bucket.upper > value {
            // Within a bucket without a lower end there is nothing to interpolate from.
            let share = if begin.is_infinite() { 1.0 } else { (value - begin) / (bucket.upper - begin) };
            return f64::min(below + (bucket.count - below) * share, total);
        }
        begin = bucket.upper;
        below = bucket.count;
    }
    total
}
