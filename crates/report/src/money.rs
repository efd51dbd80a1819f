//! Dollars of a summary as integers whose items add up to the total exactly.

use record::ReplicationSummary;
use units::Usd;

/// One row's cost and its two breakdowns in micro-dollars; each breakdown adds up to `total` exactly.
///
/// A mean over replications is no whole number of micro-dollars, so the items are rounded by largest remainder: each down, then the
/// micro-dollars left over to those that lost most (ties: column order).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SettledCosts {
    pub total: Usd,
    /// Serving, idle, cold start, standby, draining, unallocated.
    pub uses: [Usd; 6],
    /// On demand, spot, reserved, serverless.
    pub purchases: [Usd; 4],
}

impl SettledCosts {
    /// Panics if a breakdown misses the total by more than rounding: the ledger it came from did not close.
    pub fn of(figures: &ReplicationSummary) -> Self {
        let total = rounded(figures.cost_usd);
        let uses = [
            figures.cost_serving_usd,
            figures.cost_idle_usd,
            figures.cost_cold_start_usd,
            figures.cost_standby_usd,
            figures.cost_draining_usd,
            figures.cost_unallocated_usd,
        ];
        let purchases =
            [figures.cost_on_demand_usd, figures.cost_spot_usd, figures.cost_reserved_usd, figures.cost_serverless_usd];
        Self { total, uses: settle(uses, total), purchases: settle(purchases, total) }
    }
}

/// The nearest whole micro-dollar.
pub(crate) fn rounded(dollars: f64) -> Usd {
    Usd::from_micros((dollars * 1e6).round() as i64)
}

fn settle<const N: usize>(dollars: [f64; N], total: Usd) -> [Usd; N] {
    let exact = dollars.map(|item| item * 1e6);
    let mut micros = exact.map(|item| item.floor() as i64);
    let left_over = total.as_micros() - micros.iter().sum::<i64>();
    // Sums of `f64` dollars are off by far less than this even at a billion dollars.
    let slack = N as i64 + 1 + total.as_micros() / 1_000_000_000;
    assert!(left_over.abs() <= slack, "cost items {dollars:?} do not add up to {total}");
    let mut by_remainder: [usize; N] = std::array::from_fn(|index| index);
    by_remainder.sort_by(|&a, &b| (exact[b] - exact[b].floor()).total_cmp(&(exact[a] - exact[a].floor())));
    for step in 0..left_over.unsigned_abs() as usize {
        // A surplus comes off where the smallest remainder was, and never from an item that is zero.
        let index = if left_over > 0 {
            by_remainder[step % N]
        } else {
            let owing = by_remainder.iter().rev().copied().filter(|&index| micros[index] > 0).collect::<Vec<_>>();
            *owing.get(step % owing.len().max(1)).unwrap_or(&0)
        };
        micros[index] += left_over.signum();
    }
    micros.map(Usd::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirds_of_a_dollar_still_add_up() {
        let third = 1.0 / 3.0;
        let parts = settle([third, third, third, 0.0], Usd::from_micros(1_000_000));
        assert_eq!(parts.map(Usd::as_micros), [333_334, 333_333, 333_333, 0]);
    }

    #[test]
    fn whole_micro_dollars_stay_as_they_are() {
        let parts = settle([0.1, 0.2, 0.3, 0.000_001], Usd::from_micros(600_001));
        assert_eq!(parts.map(Usd::as_micros), [100_000, 200_000, 300_000, 1]);
    }

    #[test]
    #[should_panic(expected = "do not add up")]
    fn items_that_miss_the_total_are_caught() {
        settle([1.0, 2.0], Usd::from_micros(4_000_000));
    }
}
