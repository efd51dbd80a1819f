//! Gates: claims about a run that a pull request must not break, decided with the interval and not with the estimate.
//!
//! A gate holds when the whole interval is on its right side, fails when the whole interval is on the wrong side, and is undecided
//! in between: more replications would tell. The interval is two-sided, which makes both answers a little cautious.

mod evaluate;
mod output;
mod parse;

pub(crate) use evaluate::decide;
pub use evaluate::{Against, GateReport, GateResult, Outcome, WhenUndecided, evaluate};
pub use output::sparkline;
pub use parse::GateError;

use std::fmt;

use crate::columns::{Column, Unit};
use crate::statistics::Confidence;
use names::nearest;

/// Which side of the bound is the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `<=`
    AtMost,
    /// `<`
    Below,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
}

impl Side {
    /// As written.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::AtMost => "<=",
            Self::Below => "<",
            Self::AtLeast => ">=",
            Self::Above => ">",
        }
    }
}

/// What a column is held against, in the column's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// A figure.
    Value(f64),
    /// `factor` times the same column of the baseline, plus `offset`.
    Baseline {
        /// Multiplier.
        factor: f64,
        /// What is added, in the column's unit.
        offset: f64,
    },
}

/// One gate, as `slo_attainment >= 0.99 at 95 %` or `hpa: cost_usd <= baseline * 1.05`.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// The column that is judged.
    pub column: &'static Column,
    /// Its right side.
    pub side: Side,
    /// What it is held against.
    pub bound: Bound,
    /// Level of the interval; 95 % unless the gate says otherwise.
    pub confidence: Confidence,
}

/// A condition and the policies it is about.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The policy it is about; `None` is every policy of the run.
    pub policy: Option<String>,
    /// What must hold.
    pub condition: Condition,
}

impl Gate {
    /// Reads a gate. Errors name the column of the text, what was found and what is allowed.
    pub fn parse(text: &str) -> Result<Self, GateError> {
        parse::gate(text)
    }

    /// Whether the policy it names is one of `names`; the error lists them.
    pub fn check_policy(&self, names: &[&str]) -> Result<(), GateError> {
        match &self.policy {
            Some(policy) if !names.contains(&policy.as_str()) => Err(GateError::UnknownPolicy {
                found: policy.clone(),
                nearest: nearest(policy, names.iter().copied()).map(str::to_owned),
                allowed: names.join(", "),
            }),
            _ => Ok(()),
        }
    }

    /// Whether it compares with a baseline.
    pub fn needs_baseline(&self) -> bool {
        matches!(self.condition.bound, Bound::Baseline { .. })
    }
}

impl fmt::Display for Condition {
    /// In the column's unit, such that parsing it gives the same condition.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.column.name, self.side.sign())?;
        match self.bound {
            Bound::Value(value) => write!(f, "{value}")?,
            Bound::Baseline { factor, offset } => {
                write!(f, "baseline")?;
                if factor != 1.0 {
                    write!(f, " * {factor}")?;
                }
                if offset != 0.0 {
                    write!(f, " {} {}", if offset < 0.0 { '-' } else { '+' }, offset.abs())?;
                }
            }
        }
        // Twelve digits hide what multiplying by a hundred adds in binary.
        let percent = (self.confidence.level() * 1e14).round() / 1e12;
        if percent == 95.0 { Ok(()) } else { write!(f, " at {percent} %") }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.policy {
            Some(policy) => write!(f, "{policy}: {}", self.condition),
            None => write!(f, "{}", self.condition),
        }
    }
}

/// A figure of a column with its unit, to four or five significant digits.
pub fn figure(unit: Unit, value: f64) -> String {
    if value.is_nan() {
        return "n/a".to_owned();
    }
    match unit {
        Unit::Share => format!("{:.3} %", value * 100.0),
        Unit::Milliseconds => format!("{} ms", digits(value)),
        Unit::Seconds => format!("{} s", digits(value)),
        Unit::Dollars if value < 0.0 => format!("-${:.2}", -value),
        Unit::Dollars => format!("${value:.2}"),
        Unit::Hours => format!("{} h", digits(value)),
        Unit::Count => digits(value),
    }
}

fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}
