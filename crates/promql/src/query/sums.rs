//! Sums and means that lose no small addends (Kahan, Neumaier), and the spread of values (Welford).

/// A compensated sum. Read it with [`Sum::total`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    pub fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        if sum.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.lost += (self.sum - sum) + value;
        } else {
            self.lost += (value - sum) + self.sum;
        }
        self.sum = sum;
    }

    pub fn total(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.lost }
    }
}

/// A mean that stays exact as long as the sum fits, and goes on as a running mean when it would overflow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    /// The sum so far or, once it would overflow, the mean so far.
    state: Sum,
    count: f64,
    is_running: bool,
}

impl Mean {
    pub fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.is_running {
            let mut next = self.state;
            next.add(value);
            if self.count == 1.0 || !next.sum.is_infinite() {
                self.state = next;
                return;
            }
            self.is_running = true;
            self.scale(1.0 / (self.count - 1.0));
        }
        self.scale((self.count - 1.0) / self.count);
        self.state.add(value / self.count);
    }

    fn scale(&mut self, by: f64) {
        self.state.sum *= by;
        self.state.lost *= by;
    }

    pub fn value(self) -> f64 {
        if self.is_running {
            self.state.sum + self.state.lost
        } else {
            self.state.sum / self.count + self.state.lost / self.count
        }
    }
}

/// The population variance of values seen one by one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spread {
    count: f64,
    mean: Sum,
    squares: Sum,
}

impl Spread {
    pub fn add(&mut self, value: f64) {
        self.count += 1.0;
        let before = value - self.mean.total();
        self.mean.add(before / self.count);
        self.squares.add(before * (value - self.mean.total()));
    }

    pub fn variance(self) -> f64 {
        self.squares.total() / self.count
    }
}

/// The quantile of values in any order, by linear interpolation; NaN sorts first. Both neighbours enter even with
/// weight 0, so an infinite one can make the answer NaN (quantile.go:quantile).
pub(super) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
    let rank = q * (values.len() - 1) as f64;
    let low = rank.floor() as usize;
    let high = (low + 1).min(values.len() - 1);
    let weight = rank - rank.floor();
    values[low] * (1.0 - weight) + values[high] * weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_keeps_what_a_large_addend_would_swallow() {
        let mut sum = Sum::default();
        for value in [1.0, 1e100, 1.0, -1e100] {
            sum.add(value);
        }
        assert_eq!(sum.total(), 2.0);
    }

    #[test]
    fn a_mean_survives_a_sum_beyond_the_largest_float() {
        let mut mean = Mean::default();
        for value in [f64::MAX; 3] {
            mean.add(value);
        }
        assert!((mean.value() / f64::MAX - 1.0).abs() < 1e-9, "{}", mean.value());
    }

    #[test]
    fn an_infinite_neighbour_spoils_a_quantile_even_with_weight_zero() {
        assert!(quantile(0.5, &mut [1.0, 2.0, f64::INFINITY]).is_nan());
        assert_eq!(quantile(0.5, &mut [f64::NAN, 1.0, 3.0, 2.0, 4.0]), 2.0);
    }
}
