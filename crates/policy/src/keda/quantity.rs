//! Kubernetes quantities in thousandths.

/// Thousandths of `value` as KEDA sends it: rounded to three decimals, halves of the exact decimal text to even. Negative, NaN and
/// infinite values become 0; what exceeds the range is cut to it (scaler.go:quantityFromFloat64).
pub fn milli_from_f64(value: f64) -> i64 {
    if !value.is_finite() || value <= 0.0 {
        return 0;
    }
    // Going through the text is the point: multiplying by 1000 first would round twice.
    let digits: String = format!("{value:.3}").chars().filter(char::is_ascii_digit).collect();
    digits.parse::<i64>().unwrap_or(i64::MAX)
}

/// Thousandths cut off towards zero, as the composite metric and fallback values are made. NaN gives 0.
pub fn milli_truncated(value: f64) -> i64 {
    // `as` saturates and maps NaN to 0.
    (value * 1000.0) as i64
}

/// Thousandths of a quantity as written in a manifest (`500m`, `2Gi`, `1e3`), rounded up; `None` if it is not one.
pub fn milli_from_text(text: &str) -> Option<i64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '+' || c == '-')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (mantissa, decimals) = decimal(number)?;
    let (up, down) = multiplier(suffix)?;
    let numerator = mantissa.checked_mul(up)?.checked_mul(1000)?;
    let denominator = 10_i128.checked_pow(decimals)?.checked_mul(down)?;
    let rounded = numerator.div_euclid(denominator) + i128::from(numerator.rem_euclid(denominator) != 0);
    Some(rounded.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
}

/// Digits without their point, and how many stood behind it.
fn decimal(number: &str) -> Option<(i128, u32)> {
    let decimals = number.split_once('.').map_or(0, |(_, fraction)| fraction.len()) as u32;
    let digits = number.replacen('.', "", 1);
    Some((digits.parse().ok()?, decimals))
}

/// The suffix as a fraction.
fn multiplier(suffix: &str) -> Option<(i128, i128)> {
    let exponent = |text: &str| text.parse::<i32>().ok().filter(|power| power.abs() <= 18);
    Some(match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1_000),
        "k" => (1_000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        _ => {
            let power = exponent(suffix.strip_prefix(['e', 'E'])?)?;
            let scale = 10_i128.pow(power.unsigned_abs());
            if power >= 0 { (scale, 1) } else { (1, scale) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_to_three_decimals_with_halves_to_even() {
        // 0.0625 and 0.1875 are exact in binary, so their third decimal is a true tie.
        assert_eq!(milli_from_f64(0.0625), 62);
        assert_eq!(milli_from_f64(0.1875), 188);
        assert_eq!(milli_from_f64(12.000_4), 12_000);
    }

    #[test]
    fn what_is_no_amount_is_sent_as_zero_and_what_is_too_large_as_the_largest() {
        assert_eq!([f64::NAN, f64::INFINITY, -3.0, 0.0].map(milli_from_f64), [0; 4]);
        assert_eq!(milli_from_f64(1e300), i64::MAX);
    }

    #[test]
    fn written_quantities_are_read_with_their_suffix_and_rounded_up() {
        let read = ["500m", "2Gi", "1.5", "1e3", "2E", "100u", "1500n", "0.0001"].map(milli_from_text);
        let expected = [500, 2_147_483_648_000, 1500, 1_000_000, 2_000_000_000_000_000_000, 1, 1, 1].map(Some);
        // 2E is 2e21 thousandths, beyond the range.
        assert_eq!(read[4], Some(i64::MAX));
        assert_eq!((&read[..4], &read[5..]), (&expected[..4], &expected[5..]));
        assert_eq!(["", "m", "1x", "--1", "1.2.3"].map(milli_from_text), [None; 5]);
    }
}
