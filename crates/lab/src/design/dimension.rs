//! One side of a space: a range of numbers with a unit, or a choice.

use std::fmt;

use thiserror::Error;

/// A value as it is written into a scenario, and as a number where it is one.
#[derive(Clone, Debug)]
pub struct Value {
    /// As written: `15s`, `4`, `leastRequests`.
    pub text: String,
    /// Times in seconds, sizes in bytes, other numbers as they are; NaN for words.
    pub number: f64,
}

impl PartialEq for Value {
    /// Equal as written; the number follows from the text, and NaN must not make a word differ from itself.
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Value {
    /// A value from its text.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let number = quantity(&text).unwrap_or(f64::NAN);
        Self { text, number }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A number with an optional unit in base units: times in seconds, sizes in bytes; with any other unit the bare number.
/// `None` if `text` does not begin with a number.
pub fn quantity(text: &str) -> Option<f64> {
    let (number, unit) = split_unit(text)?;
    let scale = match unit {
        "ms" => 1e-3,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        _ => 1.0,
    };
    Some(number * scale)
}

/// `15s` into 15 and `s`; a leading `$` counts as no unit.
fn split_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let text = text.strip_prefix('$').unwrap_or(text);
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(text.len());
    // Exponents as in `1e-3`, but not the `e` of a unit.
    if let Ok(number) = text.parse::<f64>()
        && number.is_finite()
    {
        return Some((number, ""));
    }
    Some((text[..end].parse().ok()?, text[end..].trim()))
}

/// How a range is divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// Evenly in the logarithm; both ends above zero.
    Log,
}

/// One side of a space.
#[derive(Clone, Debug, PartialEq)]
pub enum Dimension {
    /// Numbers between two ends, both included.
    Range {
        /// Lower end, in `unit`.
        low: f64,
        /// Upper end, in `unit`.
        high: f64,
        /// How it is divided.
        scale: Scale,
        /// Whole numbers only.
        is_integer: bool,
        /// Written behind the number.
        unit: String,
    },
    /// Words, each as likely.
    Choice(Vec<String>),
}

/// Why a range is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DimensionError {
    /// An end is not a number.
    #[error("`{found}` is not a number with an optional unit, as `4` or `15s`")]
    NotANumber {
        /// What stands there.
        found: String,
    },
    /// The ends have different units.
    #[error("`{low}` and `{high}` must have the same unit")]
    Units {
        /// Lower end.
        low: String,
        /// Upper end.
        high: String,
    },
    /// Nothing lies between.
    #[error("the range from `{low}` to `{high}` is empty")]
    Empty {
        /// Lower end.
        low: String,
        /// Upper end.
        high: String,
    },
    /// A logarithm of nothing.
    #[error("a logarithmic range must begin above zero, found `{low}`")]
    LogOfZero {
        /// Lower end.
        low: String,
    },
    /// Not a range at all.
    #[error("`{found}` is not a range; expected `FROM..TO`, `log:FROM..TO` or `WORD|WORD`")]
    NotARange {
        /// What stands there.
        found: String,
    },
}

impl Dimension {
    /// A range between two texts with the same unit. Whole numbers only, if both ends are written without a point and have no unit.
    pub fn between(low: &str, high: &str, scale: Scale) -> Result<Self, DimensionError> {
        let end = |text: &str| {
            split_unit(text)
                .map(|(number, unit)| (number, unit.to_owned()))
                .ok_or_else(|| DimensionError::NotANumber { found: text.to_owned() })
        };
        let ((from, unit), (to, unit_high)) = (end(low)?, end(high)?);
        if unit != unit_high {
            return Err(DimensionError::Units { low: low.to_owned(), high: high.to_owned() });
        }
        if from > to {
            return Err(DimensionError::Empty { low: low.to_owned(), high: high.to_owned() });
        }
        if scale == Scale::Log && from <= 0.0 {
            return Err(DimensionError::LogOfZero { low: low.to_owned() });
        }
        let is_integer = unit.is_empty() && !low.contains(['.', 'e']) && !high.contains(['.', 'e']);
        Ok(Self::Range { low: from, high: to, scale, is_integer, unit })
    }

    /// From the form of a command line: `2..20`, `0.5..0.9`, `10s..60s`, `log:1..1000`, `fast|slow`.
    pub fn parse(text: &str) -> Result<Self, DimensionError> {
        let (scale, range) = match text.strip_prefix("log:") {
            Some(range) => (Scale::Log, range),
            None => (Scale::Linear, text),
        };
        match range.split_once("..") {
            Some((low, high)) => Self::between(low, high, scale),
            None if scale == Scale::Linear && text.contains('|') => {
                Ok(Self::Choice(text.split('|').map(|word| word.trim().to_owned()).collect()))
            }
            None => Err(DimensionError::NotARange { found: text.to_owned() }),
        }
    }

    /// The value at `position` of the way from the lower end to the upper, 0..=1. Whole numbers and words have equal shares.
    pub fn at(&self, position: f64) -> Value {
        let position = position.clamp(0.0, 1.0);
        match self {
            Self::Range { low, high, scale, is_integer: true, unit } => {
                let number = match scale {
                    Scale::Linear => low + (position * (high - low + 1.0)).floor(),
                    // Half a step around each end keeps the ends as likely as their neighbours.
                    Scale::Log => interpolate(low - 0.5, high + 0.5, Scale::Log, position).round(),
                };
                Value::new(format!("{}{unit}", number.clamp(*low, *high)))
            }
            Self::Range { low, high, scale, is_integer: false, unit } => {
                let number = interpolate(*low, *high, *scale, position);
                Value::new(format!("{}{unit}", six_digits(number).clamp(*low, *high)))
            }
            Self::Choice(words) => {
                let index = ((position * words.len() as f64) as usize).min(words.len() - 1);
                Value::new(words[index].clone())
            }
        }
    }

    /// How many values [`Dimension::at`] gives equal shares to; `None` for real numbers and whole ones on a logarithmic scale.
    pub fn cells(&self) -> Option<usize> {
        match self {
            Self::Range { low, high, scale: Scale::Linear, is_integer: true, .. } => Some((high - low) as usize + 1),
            Self::Range { .. } => None,
            Self::Choice(words) => Some(words.len()),
        }
    }

    /// `count` values from end to end, evenly on its scale; fewer where whole numbers repeat.
    pub fn grid(&self, count: usize) -> Vec<Value> {
        let mut values: Vec<Value> = match self {
            Self::Choice(words) => words.iter().map(|word| Value::new(word.clone())).collect(),
            Self::Range { low, high, scale, is_integer, unit } => (0..count)
                .map(|index| {
                    let position = if count == 1 { 0.0 } else { index as f64 / (count - 1) as f64 };
                    let number = interpolate(*low, *high, *scale, position);
                    let number = if *is_integer { number.round() } else { six_digits(number).clamp(*low, *high) };
                    Value::new(format!("{number}{unit}"))
                })
                .collect(),
        };
        values.dedup_by(|a, b| a.text == b.text);
        values
    }

    /// The number of `text`, which must have the unit of the range.
    pub fn in_unit(&self, text: &str) -> Result<f64, DimensionError> {
        let (number, found) = split_unit(text).ok_or_else(|| DimensionError::NotANumber { found: text.to_owned() })?;
        match self {
            Self::Range { unit, low, .. } if unit != found => {
                Err(DimensionError::Units { low: format!("{low}{unit}"), high: text.to_owned() })
            }
            _ => Ok(number),
        }
    }

    /// Values from the lower end in steps, up to the upper end.
    pub fn steps(&self, step: f64) -> Vec<Value> {
        match self {
            Self::Choice(_) => self.grid(0),
            Self::Range { low, unit, .. } => {
                let count = self.steps_count(step);
                (0..count).map(|index| Value::new(format!("{}{unit}", six_digits(low + index as f64 * step)))).collect()
            }
        }
    }

    /// How many values [`Dimension::steps`] has.
    pub fn steps_count(&self, step: f64) -> usize {
        match self {
            Self::Choice(words) => words.len(),
            // A step that lands on the end by arithmetic shall not miss it by a rounding error.
            Self::Range { low, high, .. } => (((high - low) / step + 1e-9) as usize).saturating_add(1),
        }
    }
}

fn interpolate(low: f64, high: f64, scale: Scale, position: f64) -> f64 {
    match scale {
        Scale::Linear => low + (high - low) * position,
        Scale::Log => libm::exp(libm::log(low) + (libm::log(high) - libm::log(low)) * position),
    }
}

/// Six significant digits: what is written into the scenario is exactly what a reader can type again.
fn six_digits(number: f64) -> f64 {
    format!("{number:.5e}").parse().expect("a formatted number is a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[Value]) -> String {
        values.iter().map(|value| value.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ranges_keep_their_unit_and_reach_both_ends() {
        let grid = |text: &str, count| texts(&Dimension::parse(text).unwrap().grid(count));
        assert_eq!(grid("10s..60s", 3), "10s 35s 60s");
        assert_eq!(grid("log:1..1000", 4), "1 10 100 1000");
        assert_eq!(grid("1..3", 9), "1 2 3");
        assert_eq!(grid("0.0..1.0", 4), "0 0.333333 0.666667 1");
        assert_eq!(grid("fast|slow", 9), "fast slow");
        assert_eq!(texts(&Dimension::parse("0.1..0.4").unwrap().steps(0.1)), "0.1 0.2 0.3 0.4");
    }

    #[test]
    fn whole_numbers_have_equal_shares_of_the_unit_interval() {
        let dimension = Dimension::parse("3..6").unwrap();
        let mut counts = [0; 4];
        for index in 0..400 {
            counts[dimension.at((f64::from(index) + 0.5) / 400.0).number as usize - 3] += 1;
        }
        assert_eq!(counts, [100; 4]);
    }

    #[test]
    fn a_range_that_is_none_says_why() {
        let message = |text: &str| Dimension::parse(text).unwrap_err().to_string();
        assert_eq!(message("10s..2m"), "`10s` and `2m` must have the same unit");
        assert_eq!(message("log:0..5"), "a logarithmic range must begin above zero, found `0`");
        assert_eq!(message("5..1"), "the range from `5` to `1` is empty");
        assert_eq!(message("a..b"), "`a` is not a number with an optional unit, as `4` or `15s`");
        assert_eq!(message("7"), "`7` is not a range; expected `FROM..TO`, `log:FROM..TO` or `WORD|WORD`");
    }

    #[test]
    fn quantities_are_in_seconds_and_bytes() {
        assert_eq!(quantity("250ms"), Some(0.25));
        assert_eq!(quantity("2m"), Some(120.0));
        assert_eq!(quantity("80Gi"), Some(80.0 * 1_073_741_824.0));
        assert_eq!(quantity("$3.06/h"), Some(3.06));
        assert_eq!(quantity("1e-3"), Some(0.001));
        assert_eq!(quantity("fast"), None);
    }
}
