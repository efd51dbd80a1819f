//! A recorded rate, evaluated at any instant.

use crate::data::RateRow;
use crate::file::SeriesUnit;

/// Rates by time, each holding until the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Seconds from the first row, ascending.
    times: Vec<f64>,
    /// Requests per second from that time on; `None` is a gap.
    rates: Vec<Option<f64>>,
    /// Where the last row ends: one usual interval after its time.
    end: f64,
    /// How far rows usually are apart, in seconds: the median.
    interval: f64,
}

impl Series {
    /// At least two rows in order of time, whose values are in `unit`.
    pub fn from_rows(rows: &[RateRow], unit: SeriesUnit) -> Self {
        let origin_ns = rows[0].at_ns;
        let times: Vec<f64> = rows.iter().map(|row| (row.at_ns - origin_ns) as f64 / 1e9).collect();
        let mut gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let middle = gaps.len() / 2;
        let (_, usual, _) = gaps.select_nth_unstable_by(middle, f64::total_cmp);
        let interval = *usual;
        let end = times[times.len() - 1] + interval;
        let rates = rows.iter().enumerate().map(|(index, row)| {
            let until = times.get(index + 1).copied().unwrap_or(end);
            row.value.map(|value| match unit {
                SeriesUnit::PerSecond => value,
                SeriesUnit::PerInterval => value / (until - times[index]),
            })
        });
        Self { rates: rates.collect(), end, interval, times }
    }

    /// How far rows usually are apart, in seconds.
    pub fn interval(&self) -> f64 {
        self.interval
    }

    /// Requests per second at `t` seconds from the first row; `None` in gaps and outside.
    pub fn rate_at(&self, t: f64) -> Option<f64> {
        if t >= self.end {
            return None;
        }
        let next = self.times.partition_point(|time| *time <= t);
        self.rates[next.checked_sub(1)?]
    }
}
