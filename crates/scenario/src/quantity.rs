//! Amounts with their units, as scenarios write them: `15s`, `80Gi`, `$3.06/h`, `12req/s`, `400MB/s`, `70%`, `7.5%/month`.
//!
//! A number without a unit is refused with a message that says which unit is meant.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use units::{SimDuration, UsdPerHour};

use crate::file::{Level, PortionFile, PrehistoryFile, SchedulerWord, StopWord};

/// An amount that is written with its unit.
pub trait Amount: Sized {
    /// Name in the schema.
    const NAME: &'static str;
    /// What it is and how it is written, for messages.
    const EXPECTED: &'static str;
    /// The value of `text`; `None` if it is none.
    fn parse(text: &str) -> Option<Self>;
    /// What is allowed, of a text that is such an amount and more than the model can count.
    fn limit(_text: &str) -> Option<&'static str> {
        None
    }
    /// The value of a number without a unit, where that makes sense.
    fn from_number(_number: f64) -> Option<Self> {
        None
    }
}

/// A length of time: `90s`, `1.5h`, `1h30m`, `250ms`, `62.7ns`; in seconds, exact to what a double can hold.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Time(pub f64);

/// A number of bytes: `80Gi`, `500Mi`, `140GB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A price: `$3.06/h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price(pub UsdPerHour);

/// Requests per second: `12req/s`, `90req/min`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct RequestRate(pub f64);

/// Bytes per second: `10Gbit/s`, `400MB/s`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Bandwidth(pub f64);

/// A share or factor: `70%`, `120%`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Share(pub f64);

/// Events per hour of one node. `0.02/h` is the hazard itself; `7.5%/month` is the share of nodes lost within a month of 730 h, from which
/// the constant hazard follows as −ln(1 − 0.075)/730 h.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Hazard(pub f64);

/// A whole or fractional number of things, tokens for instance; written without a unit.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Count(pub f64);

impl Time {
    /// The length in the simulator's nanoseconds.
    pub fn duration(self) -> SimDuration {
        SimDuration::from_secs_f64(self.0)
    }

    /// The length in nanoseconds with its fraction, as written: rounded to femtoseconds, below which only the binary form of the seconds shows.
    pub fn nanos(self) -> f64 {
        (self.0 * 1e15).round() / 1e6
    }
}

/// Seconds in one of these units.
fn time_unit(unit: &str) -> Option<f64> {
    Some(match unit {
        "ps" => 1e-12,
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => return None,
    })
}

/// A finite, non-negative number followed by the rest of the text.
fn leading_number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    Some((number, text[end..].trim_start()))
}

/// A number and its unit.
fn scaled(text: &str, unit: impl Fn(&str) -> Option<f64>) -> Option<f64> {
    let (number, rest) = leading_number(text)?;
    Some(number * unit(rest)?)
}

impl Time {
    /// A time as other programs' files have it: numbers with one of these units each, nothing between them.
    pub fn written_in(units: &[&str], text: &str) -> Option<Self> {
        let mut rest = text;
        while !rest.is_empty() {
            let number = rest.find(|letter: char| !(letter.is_ascii_digit() || letter == '.'))?;
            let unit = rest[number..].find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len() - number);
            if number == 0 || !units.contains(&&rest[number..number + unit]) {
                return None;
            }
            rest = &rest[number + unit..];
        }
        Self::parse(text)
    }
}

impl Amount for Time {
    const NAME: &'static str = "Duration";
    const EXPECTED: &'static str = "a duration with its unit such as `15s`, `2m`, `500ms` or `1h30m`";

    fn parse(text: &str) -> Option<Self> {
        length(text).filter(|seconds| *seconds <= CENTURY_S).map(Self)
    }

    fn limit(text: &str) -> Option<&'static str> {
        length(text).filter(|seconds| *seconds > CENTURY_S).map(|_| "at most a century, `36525d`")
    }
}

/// The longest time there is, in seconds. The clock counts nanoseconds in 64 bits, 584 years of them, and times are added to others.
const CENTURY_S: f64 = 36_525.0 * 86_400.0;

/// A length of time in seconds, however long.
fn length(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut total = 0.0;
    loop {
        let (number, after) = leading_number(rest)?;
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        // Nanoseconds are divided, not multiplied by 1e-9, so that `500ms` is half a second exactly.
        total += match time_unit(after[..end].trim_end())? {
            unit if unit < 1.0 => number / (1.0 / unit).round(),
            unit => number * unit,
        };
        rest = &after[end..];
        if rest.is_empty() {
            return Some(total);
        }
    }
}

impl Amount for Size {
    const NAME: &'static str = "Size";
    const EXPECTED: &'static str = "a size with its unit such as `80Gi`, `500Mi` or `140GB`";

    fn parse(text: &str) -> Option<Self> {
        let bytes = scaled(text, size_unit)?;
        (bytes < 1e18).then(|| Self(bytes.ceil() as u64))
    }
}

/// Bytes in one of these units: Kubernetes' suffixes and the SI ones.
fn size_unit(unit: &str) -> Option<f64> {
    Some(match unit {
        "B" => 1.0,
        "k" | "kB" | "KB" => 1e3,
        "M" | "MB" => 1e6,
        "G" | "GB" => 1e9,
        "T" | "TB" => 1e12,
        "Ki" | "KiB" => 1024.0,
        "Mi" | "MiB" => 1_048_576.0,
        "Gi" | "GiB" => 1_073_741_824.0,
        "Ti" | "TiB" => 1_099_511_627_776.0,
        _ => return None,
    })
}

impl Amount for Price {
    const NAME: &'static str = "Price";
    const EXPECTED: &'static str = "a price with its unit such as `$3.06/h`";

    fn parse(text: &str) -> Option<Self> {
        let (dollars, unit) = leading_number(text.strip_prefix('$')?)?;
        let per_hour = match unit {
            "/h" | "/hour" => dollars,
            "/s" => dollars * 3_600.0,
            _ => return None,
        };
        (per_hour < 1e9).then(|| Self(UsdPerHour::from_dollars(per_hour)))
    }
}

impl Amount for RequestRate {
    const NAME: &'static str = "RequestRate";
    const EXPECTED: &'static str = "a request rate with its unit such as `12req/s` or `90req/min`";

    fn parse(text: &str) -> Option<Self> {
        scaled(text, |unit| time_unit(unit.strip_prefix("req/")?).map(|seconds| 1.0 / seconds)).map(Self)
    }
}

impl Amount for Bandwidth {
    const NAME: &'static str = "Bandwidth";
    const EXPECTED: &'static str = "a bandwidth with its unit such as `10Gbit/s` or `400MB/s`";

    fn parse(text: &str) -> Option<Self> {
        let unit = |unit: &str| {
            let amount = unit.strip_suffix("/s")?;
            match amount.strip_suffix("bit") {
                Some(prefix) => size_unit(&format!("{prefix}B")).map(|bits| bits / 8.0),
                None => size_unit(amount),
            }
        };
        scaled(text, unit).filter(|rate| *rate > 0.0).map(Self)
    }
}

impl Amount for Share {
    const NAME: &'static str = "Share";
    const EXPECTED: &'static str = "a percentage such as `70%`";

    fn parse(text: &str) -> Option<Self> {
        // Dividing keeps `99%` the double nearest to 0.99; multiplying by 0.01 would not.
        let (number, rest) = leading_number(text)?;
        (rest == "%").then_some(Self(number / 100.0))
    }
}

impl Amount for Hazard {
    const NAME: &'static str = "Hazard";
    const EXPECTED: &'static str = "an interruption rate with its unit such as `0.02/h`, `0.5/d` or `7.5%/month`";

    fn parse(text: &str) -> Option<Self> {
        per_hour(text).filter(|rate| *rate <= HAZARD_MAX).map(Self)
    }

    fn limit(text: &str) -> Option<&'static str> {
        per_hour(text).filter(|rate| *rate > HAZARD_MAX).map(|_| "at most one a second, `3600/h`")
    }
}

/// The highest hazard there is, per hour: no machine lives through a second of more, and a run would draw events without end.
const HAZARD_MAX: f64 = 3_600.0;

/// A hazard, however high.
fn per_hour(text: &str) -> Option<f64> {
    let (number, rest) = leading_number(text)?;
    if let Some(unit) = rest.strip_prefix("%/") {
        let hours = if unit == "month" { 730.0 } else { time_unit(unit)? / 3_600.0 };
        return (number < 100.0).then(|| -libm::log1p(-number / 100.0) / hours);
    }
    let hours = time_unit(rest.strip_prefix('/')?)? / 3_600.0;
    Some(number / hours)
}

impl Amount for Count {
    const NAME: &'static str = "Count";
    const EXPECTED: &'static str = "a number";

    fn parse(_: &str) -> Option<Self> {
        None
    }

    fn from_number(number: f64) -> Option<Self> {
        (number >= 0.0 && number.is_finite()).then_some(Self(number))
    }
}

/// Reads any [`Amount`].
pub struct AmountVisitor<T>(std::marker::PhantomData<T>);

impl<T> Default for AmountVisitor<T> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<T: Amount> AmountVisitor<T> {
    fn number<E: Error>(number: f64, written: &str) -> Result<T, E> {
        T::from_number(number).ok_or_else(|| {
            let found = format!("number `{written}` without a unit");
            E::invalid_type(Unexpected::Other(&found), &T::EXPECTED)
        })
    }
}

impl<T: Amount> Visitor<'_> for AmountVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::parse(text.trim()).ok_or_else(|| {
            let found = format!("text `{text}`");
            E::invalid_value(Unexpected::Other(&found), &T::limit(text.trim()).unwrap_or(T::EXPECTED))
        })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Self::number(number as f64, &number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Self::number(number as f64, &number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Self::number(number, &number.to_string())
    }
}

/// serde and schema for types that implement [`Amount`].
macro_rules! amounts {
    ($($name:ident: $schema:tt),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(AmountVisitor::default())
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                Cow::Borrowed($name::NAME)
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let mut schema = json_schema!($schema);
                schema.insert("description".to_owned(), $name::EXPECTED.into());
                schema
            }
        }
    )*};
}

amounts! {
    Level: {"type": "string", "pattern": r"^[0-9.]+ ?(%|req/(ms|s|m|min|h|d))$"},
    Time: {"type": "string", "pattern": r"^([0-9.]+ ?(ns|us|µs|ms|s|m|min|h|d|w))+$"},
    Size: {"type": "string", "pattern": r"^[0-9.]+ ?(B|[kKMGT]B?|[KMGT]iB?)$"},
    Price: {"type": "string", "pattern": r"^\$[0-9.]+/(h|hour|s)$"},
    RequestRate: {"type": "string", "pattern": r"^[0-9.]+ ?req/(ms|s|m|min|h|d)$"},
    Bandwidth: {"type": "string", "pattern": r"^[0-9.]+ ?[kKMGT]i?(B|bit)/s$"},
    Share: {"type": "string", "pattern": r"^[0-9.]+ ?%$"},
    Hazard: {"type": "string", "pattern": r"^[0-9.]+ ?%?/(h|d|w|month)$"},
    PrehistoryFile: {"type": "string", "pattern": r"^(auto|none|([0-9.]+ ?(ns|us|µs|ms|s|m|min|h|d|w))+)$"},
    PortionFile: {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^[0-9]+ ?%?$"}]},
    StopWord: {"enum": ["abort", "finish"]},
    SchedulerWord: {"enum": ["vllm", "prefillFirst", "noEvict", "maxUtilization", "tgi"]},
    Count: {"type": "number", "minimum": 0}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact_in_every_unit() {
        let read = |text: &str| Time::parse(text).map(|time| time.duration().as_nanos());
        assert_eq!(read("500ms"), Some(500_000_000));
        assert_eq!(read("1h30m"), Some(5_400_000_000_000));
        assert_eq!(read("2 min"), Some(120_000_000_000));
        assert_eq!(read("0s"), Some(0));
        assert_eq!(Time::parse("62.7ns").map(Time::nanos), Some(62.7));
        assert_eq!(["15", "s", "", "5x", "-5s", "5s5"].map(read), [None; 6]);
    }

    #[test]
    fn a_time_of_another_program_has_its_units_and_no_blanks() {
        let read = |text: &str| Time::written_in(&["h", "m", "s"], text).map(|time| time.duration().as_secs());
        assert_eq!(["1h30m", "90s", "1.5h"].map(read), [Some(5_400), Some(90), Some(5_400)]);
        assert_eq!(["30 s", " 30s", "30s ", "1h 30m", "1d", "30min", "30", "s", ""].map(read), [None; 9]);
    }

    #[test]
    fn more_than_a_century_is_refused_and_says_so() {
        assert_eq!(Time::parse("36525d").map(|time| time.duration().as_nanos()), Some(3_155_760_000_000_000_000));
        assert_eq!(Time::parse("5200000h"), None);
        assert_eq!(Time::limit("5200000h"), Some("at most a century, `36525d`"));
        assert_eq!(["1h", "5x"].map(Time::limit), [None; 2]);
    }

    #[test]
    fn sizes_rates_and_prices_know_their_units() {
        assert_eq!(Size::parse("80Gi"), Some(Size(85_899_345_920)));
        assert_eq!(Size::parse("140GB"), Some(Size(140_000_000_000)));
        assert_eq!(Bandwidth::parse("10Gbit/s"), Some(Bandwidth(1.25e9)));
        assert_eq!(Bandwidth::parse("400MB/s"), Some(Bandwidth(4e8)));
        assert_eq!(RequestRate::parse("90req/min"), Some(RequestRate(1.5)));
        assert_eq!(Price::parse("$3.06/h"), Some(Price(UsdPerHour::from_micros(3_060_000))));
        assert_eq!(Share::parse("70%"), Some(Share(0.7)));
        assert_eq!(Price::parse("3.06/h"), None);
        assert_eq!(Share::parse("0.7"), None);
    }

    #[test]
    fn a_monthly_share_becomes_the_constant_hazard_that_loses_it() {
        let hazard = Hazard::parse("7.5%/month").unwrap().0;
        assert!((hazard - 1.067_97e-4).abs() < 1e-9, "{hazard}");
        assert_eq!(Hazard::parse("0.02/h"), Some(Hazard(0.02)));
        assert_eq!(Hazard::parse("0.48/d"), Some(Hazard(0.02)));
        assert_eq!((Hazard::parse("2/s"), Hazard::limit("2/s")), (None, Some("at most one a second, `3600/h`")));
    }
}
