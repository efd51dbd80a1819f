//! The samples of one target: a ring of rows, one row per scrape, one column per series.
//!
//! All samples of a scrape carry one timestamp, so it is stored once, and a scrape writes one contiguous row.

/// A staleness marker: the series ended here. Compared by bits, since every not-a-number compares unequal.
pub const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Given to a scrape for a series it did not expose, and kept in rows where a series has no sample at all.
pub const MISSING: f64 = f64::from_bits(0x7ff0_0000_0000_0003);

/// Whether the value is the staleness marker.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE.to_bits()
}

/// Whether there is no sample.
pub fn is_missing(value: f64) -> bool {
    value.to_bits() == MISSING.to_bits()
}

/// One sample of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was scraped, in milliseconds.
    pub t_ms: i64,
    /// The scraped value.
    pub value: f64,
}

/// Markers that Prometheus writes late, after it noticed that a target is gone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EndOfRun {
    /// Time the markers carry.
    pub stamp_ms: i64,
    /// Time from which a query sees them.
    pub visible_from_ms: i64,
}

#[derive(Debug, Default)]
pub(super) struct Block {
    times_ms: Vec<i64>,
    /// Row after row, `width` values each; MISSING where a series has no sample.
    values: Vec<f64>,
    width: usize,
    /// Rows before this one are past retention. They are cut off in batches, so that a scrape stays cheap.
    start: usize,
    pub end: Option<EndOfRun>,
}

impl Block {
    pub fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    /// Time of the newest row.
    pub fn last_ms(&self) -> Option<i64> {
        self.times_ms.last().copied()
    }

    /// Adds a row made of `first` and `rest`. False, and nothing stored, if it is not newer than the newest.
    pub fn push(&mut self, t_ms: i64, first: f64, rest: &[f64]) -> bool {
        assert_eq!(rest.len() + 1, self.width, "a scrape gives one value for each registered series");
        if self.last_ms().is_some_and(|last| t_ms <= last) {
            return false;
        }
        let previous = self.values.len().wrapping_sub(self.width);
        self.times_ms.push(t_ms);
        self.values.push(first);
        self.values.extend_from_slice(rest);
        self.mark_vanished(previous);
        true
    }

    /// Turns "not exposed" in the newest row into a marker where the row before, at `previous`, had a sample.
    fn mark_vanished(&mut self, previous: usize) {
        let newest = self.values.len() - self.width;
        for column in 0..self.width {
            if is_missing(self.values[newest + column]) && newest > 0 {
                let before = self.values[previous + column];
                if !is_missing(before) && !is_stale(before) {
                    self.values[newest + column] = STALE;
                }
            }
        }
    }

    /// Adds a row that says: every series ended here.
    pub fn push_end(&mut self, t_ms: i64) {
        let nothing = vec![MISSING; self.width - 1];
        self.push(t_ms, MISSING, &nothing);
    }

    /// Forgets rows at or before `limit_ms`.
    pub fn forget(&mut self, limit_ms: i64) {
        while self.times_ms.get(self.start).is_some_and(|&t| t <= limit_ms) {
            self.start += 1;
        }
        if self.start >= 8 && self.start * 4 >= self.times_ms.len() {
            self.times_ms.drain(..self.start);
            self.values.drain(..self.start * self.width);
            self.start = 0;
        }
    }

    /// Adds a column without history and returns its index.
    pub fn widen(&mut self) -> usize {
        let mut wider = Vec::with_capacity((self.width + 1) * (self.times_ms.len() + 1));
        for row in self.values.chunks_exact(self.width) {
            wider.extend_from_slice(row);
            wider.push(MISSING);
        }
        self.values = wider;
        self.width += 1;
        self.width - 1
    }

    /// Whether the series of this column has anything stored in `[from_ms, to_ms]`, markers included.
    pub fn has_any(&self, column: usize, from_ms: i64, to_ms: i64) -> bool {
        let rows = self.rows(from_ms.saturating_sub(1), to_ms);
        rows.into_iter().any(|row| !is_missing(self.values[row * self.width + column]))
    }

    /// Rows with `after_ms < t <= to_ms`.
    fn rows(&self, after_ms: i64, to_ms: i64) -> std::ops::Range<usize> {
        let end = self.row_after(to_ms);
        let begin = self.start + self.times_ms[self.start..end].partition_point(|&t| t <= after_ms);
        begin..end
    }

    /// The first row later than `t_ms`; usually one past the newest, which is tried first.
    fn row_after(&self, t_ms: i64) -> usize {
        match self.last_ms() {
            Some(last) if last > t_ms => self.start + self.times_ms[self.start..].partition_point(|&t| t <= t_ms),
            _ => self.times_ms.len(),
        }
    }

    /// The newest sample of a column with `after_ms < t <= to_ms`, unless a marker is newer. `now_ms` decides whether
    /// late markers are known yet.
    pub fn newest(&self, column: usize, after_ms: i64, to_ms: i64, now_ms: i64) -> Option<Sample> {
        if self.end.is_some_and(|end| now_ms >= end.visible_from_ms && to_ms >= end.stamp_ms) {
            return None;
        }
        let mut row = self.row_after(to_ms);
        while row > self.start {
            row -= 1;
            let (t_ms, value) = (self.times_ms[row], self.values[row * self.width + column]);
            if t_ms <= after_ms || is_stale(value) {
                return None;
            }
            if !is_missing(value) {
                return Some(Sample { t_ms, value });
            }
        }
        None
    }

    /// Appends to `into` the samples of a column with `after_ms < t <= to_ms`. Markers are skipped.
    pub fn collect(&self, column: usize, after_ms: i64, to_ms: i64, into: &mut Vec<Sample>) {
        for row in self.rows(after_ms, to_ms) {
            let value = self.values[row * self.width + column];
            if !is_missing(value) && !is_stale(value) {
                into.push(Sample { t_ms: self.times_ms[row], value });
            }
        }
    }
}
