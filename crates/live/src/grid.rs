//! The rows of a recording.

/// Rows of equal length; row `i` is from `from_ms + i · step_ms` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Start of the first row, in milliseconds since 1970.
    pub from_ms: i64,
    /// Length of a row, above zero.
    pub step_ms: i64,
    /// How many there are.
    pub rows: usize,
}

impl Grid {
    /// End of the last row.
    pub fn to_ms(&self) -> i64 {
        self.at_ms(self.rows)
    }

    /// Start of a row.
    pub fn at_ms(&self, row: usize) -> i64 {
        self.from_ms + row as i64 * self.step_ms
    }

    /// The row that an instant falls into; `None` outside.
    pub fn row_of(&self, at_ms: i64) -> Option<usize> {
        let row = usize::try_from((at_ms - self.from_ms).div_euclid(self.step_ms)).ok()?;
        (row < self.rows).then_some(row)
    }

    /// Spreads an amount evenly over `(after, until]`: its parts, by row. What lies outside the rows is left out.
    pub fn spread(&self, (after_ms, until_ms): (i64, i64), amount: f64, mut add: impl FnMut(usize, f64)) {
        let length = until_ms - after_ms;
        let first = after_ms.max(self.from_ms);
        let last = until_ms.min(self.to_ms());
        if length <= 0 || last <= first {
            return;
        }
        let mut at = first;
        while at < last {
            let Some(row) = self.row_of(at) else { return };
            let end = self.at_ms(row + 1).min(last);
            add(row, amount * (end - at) as f64 / length as f64);
            at = end;
        }
    }
}
