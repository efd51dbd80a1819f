//! Floating-point nanoseconds to integers, fast and the same everywhere.

/// 2^52: from here on to 2^53 the spacing of doubles is 1, so adding it rounds a smaller number to an integer in the low mantissa bits.
const TWO_52: f64 = 4_503_599_627_370_496.0;

/// The longest time [`round`] gives: 2^51 nanoseconds, about 26 days.
const NANOS_MAX: f64 = TWO_52 / 2.0;

/// `nanos` rounded to the nearest integer (halves to even), for 0 to `limit`; more is cut to `limit`, which must be at most 2^51.
///
/// A plain `as u64` saturates and handles NaN one number at a time; this form compiles to vector code.
#[inline]
pub fn round_below(nanos: f64, limit: f64) -> u64 {
    let within = if nanos < limit { nanos } else { limit };
    (within + TWO_52).to_bits() - TWO_52.to_bits()
}

/// `nanos` rounded to the nearest integer, cut at 2^51 (about 26 days): longer than any request takes.
#[inline]
pub fn round(nanos: f64) -> u64 {
    round_below(nanos, NANOS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_to_the_nearest_nanosecond_and_stop_at_the_limit() {
        assert_eq!([0.0, 0.4, 0.6, 1e9 + 0.75, 1e30].map(round), [0, 0, 1, 1_000_000_001, 1 << 51]);
        assert_eq!(round_below(59.9, 59.0), 59);
    }
}
