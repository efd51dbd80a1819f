//! Instants and amounts out of bytes, exact to the nanosecond and without allocation.

/// Nanoseconds since 1970 of `2023-11-16 18:15:46.6805900`, with `T` or a space, any number of fractional digits (what is finer than a
/// nanosecond is cut), and `Z`, an offset or no zone (then UTC). `None` if it is something else.
pub fn timestamp_ns(text: &[u8]) -> Option<i64> {
    if text.len() < 19 || text[4] != b'-' || text[7] != b'-' || text[13] != b':' || text[16] != b':' {
        return None;
    }
    if text[10] != b' ' && text[10] != b'T' {
        return None;
    }
    let year = two(text, 0)? * 100 + two(text, 2)?;
    let (month, day) = (two(text, 5)?, two(text, 8)?);
    let (hour, minute, second) = (two(text, 11)?, two(text, 14)?, two(text, 17)?);
    if !(1..=12).contains(&month)
        || !(1..=days_of(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let (fraction_ns, rest) = match text[19..].split_first() {
        Some((b'.', digits)) => fraction(digits)?,
        _ => (0, &text[19..]),
    };
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    (seconds - offset_seconds(rest)?).checked_mul(1_000_000_000)?.checked_add(fraction_ns)
}

/// Nanoseconds of a decimal number of units of `unit_ns` each: `1.5` seconds, `250` milliseconds. Exact for plain decimals; a number with
/// an exponent goes through a double.
pub fn decimal_ns(text: &[u8], unit_ns: i64) -> Option<i64> {
    let whole_end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    if whole_end == 0 || whole_end > 18 {
        return float_ns(text, unit_ns);
    }
    let whole = digits(&text[..whole_end]);
    match text[whole_end..].split_first() {
        None => whole.checked_mul(unit_ns),
        Some((b'.', rest)) => match fraction(rest) {
            // Billionths of the unit: at most 1e9 times the unit's 1e9 nanoseconds, which fits.
            Some((billionths, [])) => whole.checked_mul(unit_ns)?.checked_add(billionths * unit_ns / 1_000_000_000),
            _ => float_ns(text, unit_ns),
        },
        Some(_) => float_ns(text, unit_ns),
    }
}

fn float_ns(text: &[u8], unit_ns: i64) -> Option<i64> {
    let number: f64 = std::str::from_utf8(text).ok()?.trim().parse().ok()?;
    let ns = number * unit_ns as f64;
    (ns.is_finite() && ns.abs() < 9e18).then_some(ns.round() as i64)
}

/// A whole number.
pub fn whole(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 9 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    u32::try_from(digits(text)).ok()
}

fn digits(text: &[u8]) -> i64 {
    text.iter().fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0'))
}

fn two(text: &[u8], at: usize) -> Option<i64> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// Digits after the point as billionths, and what follows them; at least one digit.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 {
        return None;
    }
    let kept = end.min(9);
    let value = digits(&text[..kept]) * 10_i64.pow(9 - kept as u32);
    Some((value, &text[end..]))
}

/// `Z`, `+01:00`, `-0400` or nothing.
fn offset_seconds(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text {
        [] | [b'Z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let minutes = match rest {
        [_, _] => 0,
        [_, _, b':', _, _] => two(rest, 3)?,
        [_, _, _, _] => two(rest, 2)?,
        _ => return None,
    };
    Some(sign * (two(rest, 0)? * 3_600 + minutes * 60))
}

/// Days of a month in the Gregorian calendar.
fn days_of(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, by counting years from March so that leap days come last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_to_the_nanosecond() {
        let azure = timestamp_ns(b"2023-11-16 18:15:46.6805900").unwrap();
        let expected: jiff::Timestamp = "2023-11-16T18:15:46.680590Z".parse().unwrap();
        assert_eq!(i128::from(azure), expected.as_nanosecond());
        assert_eq!(timestamp_ns(b"2024-02-29T00:00:00Z"), Some(1_709_164_800_000_000_000));
        assert_eq!(timestamp_ns(b"1995-07-01T00:00:00-04:00"), Some(804_571_200_000_000_000));
        assert_eq!(timestamp_ns(b"1970-01-01T00:00:01.5+0000"), Some(1_500_000_000));
    }

    #[test]
    fn what_is_no_timestamp_is_refused() {
        for text in [
            "",
            "2023-11-16",
            "2023-13-16 18:15:46",
            "2023-11-16x18:15:46",
            "2023-11-16 18:15:46.",
            "2023-11-16 18:15:46 CET",
            "2026-02-30 00:00:00",
            "2026-04-31 00:00:00",
            "2100-02-29 00:00:00",
        ] {
            assert_eq!(timestamp_ns(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(decimal_ns(b"1.5", 1_000_000_000), Some(1_500_000_000));
        assert_eq!(decimal_ns(b"0.123456789", 1_000_000_000), Some(123_456_789));
        assert_eq!(decimal_ns(b"27482", 1_000_000), Some(27_482_000_000));
        assert_eq!(decimal_ns(b"0.25", 1_000_000), Some(250_000));
        assert_eq!(decimal_ns(b"12.5", 1_000), Some(12_500));
        assert_eq!(decimal_ns(b"7", 1), Some(7));
        assert_eq!(decimal_ns(b"1e3", 1_000_000_000), Some(1_000_000_000_000));
        assert_eq!([&b"x"[..], b"", b"1.2.3"].map(|text| decimal_ns(text, 1)), [None; 3]);
    }
}
