//! Money as integers, so that a ledger closes exactly.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

use crate::SimDuration;

/// An amount in micro-dollars (1 USD = 1,000,000), rounded; what tables show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Usd(i64);

/// A price in micro-dollars per hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct UsdPerHour(u64);

/// An exact cost: micro-dollars-per-hour times nanoseconds. One micro-dollar is 3.6e12 of these.
///
/// Prices and durations multiply into it without rounding, so sums of it are exact; it is rounded to [`Usd`] once, at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cost(u128);

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount of `micros` micro-dollars.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The amount in micro-dollars.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The amount in dollars, for output and statistics.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl UsdPerHour {
    /// Free.
    pub const ZERO: Self = Self(0);

    /// A price of `micros` micro-dollars an hour.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The nearest price to `dollars` an hour; negative and NaN give zero.
    pub fn from_dollars(dollars: f64) -> Self {
        Self((dollars * 1e6 + 0.5) as u64)
    }

    /// The price in micro-dollars an hour.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The price in dollars an hour, for output.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// What `billed` costs at this price, exactly.
    pub fn cost_of(self, billed: SimDuration) -> Cost {
        Cost(u128::from(self.0) * u128::from(billed.as_nanos()))
    }
}

impl Cost {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// How many of these make one micro-dollar: nanoseconds in an hour.
    pub const PER_MICRO_USD: u128 = 3_600_000_000_000;

    /// A cost from its raw count.
    pub const fn from_raw(raw: u128) -> Self {
        Self(raw)
    }

    /// The raw count.
    pub const fn raw(self) -> u128 {
        self.0
    }

    /// The share `part / whole`, rounded down; what is lost is under one raw unit. Panics if `whole` is zero.
    pub const fn share(self, part: u64, whole: u64) -> Self {
        Self(self.0 * part as u128 / whole as u128)
    }

    /// Rounded to the nearest micro-dollar, halves up.
    pub fn to_usd(self) -> Usd {
        Usd(((self.0 + Self::PER_MICRO_USD / 2) / Self::PER_MICRO_USD) as i64)
    }
}

impl Add for Cost {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self(self.0 + rhs.0)
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, rhs: Self) {
        self.0 += rhs.0;
    }
}

impl Sub for Cost {
    type Output = Self;
    fn sub(self, rhs: Self) -> Self {
        Self(self.0 - rhs.0)
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

impl Add for Usd {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self(self.0 + rhs.0)
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, rhs: Self) {
        self.0 += rhs.0;
    }
}

impl Sub for Usd {
    type Output = Self;
    fn sub(self, rhs: Self) -> Self {
        Self(self.0 - rhs.0)
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Usd {
    /// Dollars with all six decimals, so that printed items add up as the integers do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:06}", self.0.unsigned_abs() / 1_000_000, self.0.unsigned_abs() % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_idle_gpus_at_three_dollars_cost_720_a_day() {
        let day = SimDuration::from_secs(86_400);
        let total: Cost = (0..10).map(|_| UsdPerHour::from_dollars(3.0).cost_of(day)).sum();
        assert_eq!(total.to_usd().to_string(), "720.000000");
    }

    #[test]
    fn one_nanosecond_is_not_lost_in_a_sum() {
        let price = UsdPerHour::from_micros(1);
        let hour: Cost = std::iter::repeat_n(price.cost_of(SimDuration::from_nanos(3_600_000)), 1_000_000).sum();
        assert_eq!(hour.to_usd(), Usd::from_micros(1));
    }
}
