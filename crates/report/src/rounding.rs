//! Numbers for people: short, with units, no more digits than the data carry.

/// Dollars with cents below 100,000 and with thousands separators: `$1,234.56`, `$123,457`; six digits below a cent.
pub(crate) fn dollars(amount: f64) -> String {
    let sign = if amount < 0.0 { "-" } else { "" };
    let size = amount.abs();
    if !size.is_finite() {
        return "-".to_owned();
    }
    let digits = match size {
        s if s >= 99_999.995 => 0,
        s if s >= 0.995 || s == 0.0 => 2,
        s if s >= 0.01 => 4,
        _ => 6,
    };
    format!("{sign}${}", grouped(&format!("{size:.digits$}")))
}

/// A share as a percentage with enough digits to tell it from 100 %: `98.71 %`, `99.9987 %`.
pub(crate) fn percent(share: f64) -> String {
    if !share.is_finite() {
        return "-".to_owned();
    }
    format!("{:.*} %", percent_digits(share), share * 100.0)
}

/// A share somebody chose, with the digits they wrote: `99 %`, `99.95 %`.
pub(crate) fn objective(share: f64) -> String {
    format!("{} %", format!("{:.6}", share * 100.0).trim_end_matches('0').trim_end_matches('.'))
}

/// `99.95 to 99.97 %`, `$1.20 to $1.40`: the bounds of an interval, a unit behind both only once; nothing where one of them is not known.
pub(crate) fn bounds(interval: record::Interval, print: impl Fn(f64) -> String) -> String {
    if interval.low.is_nan() || interval.high.is_nan() {
        return String::new();
    }
    let (low, high) = (print(interval.low), print(interval.high));
    let unit = |text: &str| text.split_once(' ').map(|(_, unit)| unit.to_owned());
    match (unit(&low), unit(&high)) {
        (Some(a), Some(b)) if a == b => format!("{} to {high}", low.trim_end_matches(&a).trim_end()),
        _ => format!("{low} to {high}"),
    }
}

/// Decimals a percentage near `share` needs.
fn percent_digits(share: f64) -> usize {
    match 1.0 - share {
        miss if miss < 0.000_000_5 => 2,
        miss if miss < 0.000_1 => 4,
        miss if miss < 0.001 => 3,
        _ => 2,
    }
}

/// Milliseconds with a unit that keeps the number short: `0.45 ms`, `120 ms`, `2.4 s`, `12 min`.
pub(crate) fn milliseconds(amount: f64) -> String {
    match amount {
        ms if !ms.is_finite() => "-".to_owned(),
        ms if ms < 1_000.0 => format!("{} ms", three_digits(ms)),
        ms if ms < 120_000.0 => format!("{} s", three_digits(ms / 1e3)),
        ms if ms < 7_200_000.0 => format!("{} min", three_digits(ms / 6e4)),
        ms => format!("{} h", three_digits(ms / 3.6e6)),
    }
}

/// At least three significant digits, without trailing zeros after the point: `0.45`, `12.3`, `1234`.
pub(crate) fn three_digits(number: f64) -> String {
    if !number.is_finite() {
        return "-".to_owned();
    }
    let size = number.abs();
    let digits = match size {
        s if s >= 99.95 || s == 0.0 => 0,
        s if s >= 9.995 => 1,
        s if s >= 0.9995 => 2,
        s if s >= 0.09995 => 3,
        _ => 4,
    };
    let text = format!("{number:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { grouped(&text) }
}

/// `1 cold start`, `1,200 cold starts`.
pub(crate) fn cold_starts(number: u64) -> String {
    format!("{} cold start{}", count(number), if number == 1 { "" } else { "s" })
}

/// A whole number with thousands separators.
pub(crate) fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// Tick labels: `0`, `0.5`, `1,500`, `15k`, `2M`.
pub(crate) fn tick(value: f64) -> String {
    let size = value.abs();
    let (scaled, suffix) = match size {
        s if s >= 1e9 => (value / 1e9, "G"),
        s if s >= 1e6 => (value / 1e6, "M"),
        s if s >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{scaled:.6}");
    format!("{}{suffix}", grouped(text.trim_end_matches('0').trim_end_matches('.')))
}

/// Puts commas into the whole part of a printed number.
fn grouped(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut out = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    fraction.map_or(out.clone(), |fraction| format!("{out}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_keep_the_digits_that_matter() {
        let printed: Vec<String> = [1234.5, 123_456.7, 0.5, 0.001_5, -3.2, 0.0, f64::NAN].map(dollars).into();
        assert_eq!(printed, ["$1,234.50", "$123,457", "$0.5000", "$0.001500", "-$3.20", "$0.00", "-"]);
    }

    #[test]
    fn a_share_just_below_one_is_not_printed_as_one_hundred() {
        assert_eq!(percent(0.99999), "99.9990 %");
        assert_eq!(percent(0.9871), "98.71 %");
        assert_eq!(percent(1.0), "100.00 %");
    }

    #[test]
    fn times_change_unit_before_they_get_long() {
        let printed: Vec<String> = [0.45, 12.34, 999.9, 2400.0, 720_000.0].map(milliseconds).into();
        assert_eq!(printed, ["0.45 ms", "12.3 ms", "1,000 ms", "2.4 s", "12 min"]);
        assert_eq!(tick(15_000.0), "15k");
        assert_eq!(tick(0.25), "0.25");
    }
}
