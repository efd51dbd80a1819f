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

/// A condition and the policies and the service it is about.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The policy it is about; `None` is every policy of the run. As it is parsed, a name before the colon may be that of a service:
    /// [`Gate::named`] tells.
    pub policy: Option<String>,
    /// The service it is about; `None` is the whole cluster.
    pub service: Option<String>,
    /// What must hold.
    pub condition: Condition,
}

impl Gate {
    /// Reads a gate. Errors name the column of the text, what was found and what is allowed.
    pub fn parse(text: &str) -> Result<Self, GateError> {
        parse::gate(text)
    }

    /// The gate with what its names are: of `policies`, of `services`, or of neither, which is an error that has the nearest. One name may
    /// be either's; of two the first is the policy. A lone service is the whole cluster.
    pub fn named(mut self, policies: &[&str], services: &[&str]) -> Result<Self, GateError> {
        if let (Some(name), None) = (&self.policy, &self.service) {
            match (policies.contains(&name.as_str()), services.contains(&name.as_str())) {
                (true, true) if services.len() > 1 => return Err(GateError::Ambiguous { found: name.clone() }),
                (false, true) => self.service = self.policy.take(),
                (true, _) => {}
                (false, false) => return Err(unknown(1, name, policies, services)),
            }
        }
        if let Some(policy) = self.policy.as_deref().filter(|name| !policies.contains(name)) {
            return Err(unknown(1, policy, policies, &[]));
        }
        if let Some(service) = self.service.as_deref().filter(|name| !services.contains(name)) {
            let column = self.policy.as_deref().map_or(1, |policy| policy.chars().count() + 3);
            return Err(unknown(column, service, &[], services));
        }
        if services.len() == 1 {
            self.service = None;
        }
        let column = self.condition.column;
        match &self.service {
            Some(service) if column.is_of_the_cluster() => {
                Err(GateError::OfTheCluster { service: service.clone(), column: column.name })
            }
            _ => Ok(self),
        }
    }

    /// Whose the figures are, as results name it: the policy, and the service if it is about one.
    pub fn subject(&self, policy: &str) -> String {
        self.service.as_ref().map_or_else(|| policy.to_owned(), |service| format!("{policy}: {service}"))
    }

    /// A column, with the service if it is about one: `chat: slo_attainment`.
    pub fn subject_of(&self, column: &str) -> String {
        self.service.as_ref().map_or_else(|| column.to_owned(), |service| format!("{service}: {column}"))
    }

    /// Whether it compares with a baseline.
    pub fn needs_baseline(&self) -> bool {
        matches!(self.condition.bound, Bound::Baseline { .. })
    }
}

/// A name before the colon that is none of a policy or a service. A lone service is not offered: nobody has to name it.
fn unknown(column: usize, found: &str, policies: &[&str], services: &[&str]) -> GateError {
    let services = if policies.is_empty() || services.len() > 1 { services } else { &[] };
    let kind = match (policies.is_empty(), services.is_empty()) {
        (false, false) => "policy or service",
        (true, _) => "service",
        (false, true) => "policy",
    };
    let all: Vec<&str> = policies.iter().chain(services).copied().collect();
    GateError::UnknownName {
        column,
        kind,
        found: found.to_owned(),
        nearest: nearest(found, all.iter().copied()).map(str::to_owned),
        allowed: all.join(", "),
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
        for name in [&self.policy, &self.service].into_iter().flatten() {
            write!(f, "{name}: ")?;
        }
        write!(f, "{}", self.condition)
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
