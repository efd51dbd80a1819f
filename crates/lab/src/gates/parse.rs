//! Text to gates.

use thiserror::Error;

use super::{Bound, Condition, Gate, Side};
use crate::columns::{COLUMNS, Column, Unit};
use crate::statistics::Confidence;
use names::nearest;

/// Short names for latencies, those that the comparison of a run has: over all requests, one without an answer later than any other. A bound given
/// with one needs a unit.
const SHORT_NAMES: &[(&str, &str)] = &[
    ("p50", "latency_ms_p50_all"),
    ("p90", "latency_ms_p90_all"),
    ("p95", "latency_ms_p95_all"),
    ("p99", "latency_ms_p99_all"),
    ("p999", "latency_ms_p999_all"),
];

/// What is wrong with a gate's text. Columns count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GateError {
    /// Something else should stand here.
    #[error("column {column}: found {found}, expected {expected}")]
    Unexpected {
        /// Where.
        column: usize,
        /// What stands there.
        found: String,
        /// What is allowed.
        expected: String,
    },
    /// No such column of the summary.
    #[error("column {column}: unknown metric `{found}`{}; the metrics are the columns of the summary: {}", suggestion(nearest.as_deref()), metric_names().collect::<Vec<_>>().join(", "))]
    UnknownMetric {
        /// Where.
        column: usize,
        /// What stands there.
        found: String,
        /// The nearest valid name.
        nearest: Option<String>,
    },
    /// A column that services have no part of.
    #[error("`{column}` is the whole cluster's, `{service}` has none of its own")]
    OfTheCluster {
        /// The service.
        service: String,
        /// The column.
        column: &'static str,
    },
    /// A policy and a service have this name.
    #[error("column 1: `{found}` is the name of a policy and of a service; write `POLICY: SERVICE: …`")]
    Ambiguous {
        /// What stands there.
        found: String,
    },
    /// The name is not one of the run's.
    #[error("column {column}: unknown {kind} `{found}`{}; one of: {allowed}", suggestion(nearest.as_deref()))]
    UnknownName {
        /// Where.
        column: usize,
        /// Of what it should be one: `policy`, `service`, `policy or service`.
        kind: &'static str,
        /// What stands there.
        found: String,
        /// The nearest valid name.
        nearest: Option<String>,
        /// All valid names.
        allowed: String,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn metric_names() -> impl Iterator<Item = &'static str> {
    SHORT_NAMES.iter().map(|(short, _)| *short).chain(COLUMNS.iter().map(|column| column.name))
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Number(f64),
    Sign(String),
    End,
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Self::Word(text) | Self::Sign(text) => format!("`{text}`"),
            Self::Number(value) => format!("`{value}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// Tokens with the columns they begin at; the last is always `End`.
struct Tokens {
    tokens: Vec<(usize, Token)>,
    next: usize,
}

impl Tokens {
    fn peek(&self) -> &Token {
        &self.tokens[self.next].1
    }

    fn column(&self) -> usize {
        self.tokens[self.next].0
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        // `End` stays, so that looking on is always possible.
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    fn skip(&mut self, wanted: &Token) -> bool {
        let is_there = self.peek() == wanted;
        if is_there {
            self.take();
        }
        is_there
    }

    fn unexpected<T>(&self, expected: &str) -> Result<T, GateError> {
        let (column, token) = &self.tokens[self.next];
        Err(GateError::Unexpected { column: *column, found: token.shown(), expected: expected.to_owned() })
    }

    fn number(&mut self, expected: &str) -> Result<f64, GateError> {
        let sign = if self.skip(&sign("-")) { -1.0 } else { 1.0 };
        let Token::Number(value) = *self.peek() else { return self.unexpected(expected) };
        self.take();
        Ok(sign * value)
    }
}

fn sign(text: &str) -> Token {
    Token::Sign(text.to_owned())
}

/// Cuts `text` into tokens, columns counted from `column`.
fn tokens(text: &str, mut column: usize) -> Result<Tokens, GateError> {
    let letters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        let rest = &letters[at..];
        let run = |accept: fn(char) -> bool| rest.iter().take_while(|&&letter| accept(letter)).count();
        let (length, token) = match rest[0] {
            letter if letter.is_whitespace() => (1, None),
            letter if letter.is_ascii_digit() || letter == '.' => {
                let length = number_length(rest);
                let written: String = rest[..length].iter().filter(|&&letter| letter != '_').collect();
                let value = written.parse().map_err(|_| GateError::Unexpected {
                    column,
                    found: format!("`{written}`"),
                    expected: "a number".to_owned(),
                })?;
                (length, Some(Token::Number(value)))
            }
            letter if letter.is_alphabetic() || letter == '_' => {
                let length = run(|letter| letter.is_alphanumeric() || letter == '_');
                (length, Some(Token::Word(rest[..length].iter().collect())))
            }
            '<' | '>' | '=' | '!' => {
                let length = run(|letter| matches!(letter, '<' | '>' | '=' | '!'));
                (length, Some(Token::Sign(rest[..length].iter().collect())))
            }
            letter => (1, Some(Token::Sign(letter.to_string()))),
        };
        tokens.extend(token.map(|token| (column, token)));
        at += length;
        column += length;
    }
    tokens.push((column, Token::End));
    Ok(Tokens { tokens, next: 0 })
}

/// Digits, points and underscores, and an exponent only if digits follow it: `1e3` is a number, `1e` is one and a unit.
fn number_length(letters: &[char]) -> usize {
    let mantissa = letters.iter().take_while(|letter| letter.is_ascii_digit() || matches!(letter, '.' | '_')).count();
    let signed = match letters.get(mantissa..) {
        Some(['e' | 'E', '-' | '+', ..]) => 2,
        Some(['e' | 'E', ..]) => 1,
        _ => return mantissa,
    };
    let exponent = letters[mantissa + signed..].iter().take_while(|letter| letter.is_ascii_digit()).count();
    if exponent == 0 { mantissa } else { mantissa + signed + exponent }
}

pub(super) fn gate(text: &str) -> Result<Gate, GateError> {
    // Names may hold anything but a colon; metrics and numbers never hold one.
    let (policy, rest, column) = name(text, 1)?;
    let (service, rest, column) = if policy.is_some() { name(rest, column)? } else { (None, rest, column) };
    let mut tokens = tokens(rest, column)?;
    let condition = condition(&mut tokens)?;
    Ok(Gate { policy, service, condition })
}

/// A name before a colon, if there is one, what follows it, and the column at which that begins.
fn name(text: &str, column: usize) -> Result<(Option<String>, &str, usize), GateError> {
    let Some((name, rest)) = text.split_once(':') else { return Ok((None, text, column)) };
    if name.trim().is_empty() {
        return Err(GateError::Unexpected {
            column,
            found: "`:`".to_owned(),
            expected: "the name of a policy or a service before the colon".to_owned(),
        });
    }
    Ok((Some(name.trim().to_owned()), rest, column + name.chars().count() + 1))
}

fn condition(tokens: &mut Tokens) -> Result<Condition, GateError> {
    let (column, is_short) = metric(tokens)?;
    let side = match tokens.peek() {
        Token::Sign(sign) if sign == "<=" => Side::AtMost,
        Token::Sign(sign) if sign == "<" => Side::Below,
        Token::Sign(sign) if sign == ">=" => Side::AtLeast,
        Token::Sign(sign) if sign == ">" => Side::Above,
        _ => return tokens.unexpected("one of `<=`, `<`, `>=`, `>`"),
    };
    tokens.take();
    let bound = if tokens.skip(&Token::Word("baseline".to_owned())) {
        baseline(tokens, column)?
    } else {
        let at = tokens.column();
        let value = amount(tokens, column, is_short)?;
        // No share is more than all of them: a gate that nothing can break, or nothing can meet, is a slip of the unit.
        if column.unit == Unit::Share && !(0.0..=1.0).contains(&value) {
            let expected = format!("a share from 0 to 1 or a percentage: did you mean `{value} %`?");
            return Err(GateError::Unexpected { column: at, found: format!("`{value}`"), expected });
        }
        Bound::Value(value)
    };
    let confidence = confidence(tokens)?;
    if tokens.peek() == &Token::End {
        Ok(Condition { column, side, bound, confidence })
    } else {
        tokens.unexpected("`at` with a confidence level, or the end")
    }
}

fn metric(tokens: &mut Tokens) -> Result<(&'static Column, bool), GateError> {
    let at = tokens.column();
    let Token::Word(word) = tokens.peek().clone() else { return tokens.unexpected("a metric, as `slo_attainment`") };
    tokens.take();
    let short = SHORT_NAMES.iter().find(|(short, _)| *short == word);
    let name = short.map_or(word.as_str(), |(_, name)| *name);
    Column::named(name).map(|column| (column, short.is_some())).ok_or_else(|| GateError::UnknownMetric {
        column: at,
        nearest: nearest(&word, metric_names()).map(str::to_owned),
        found: word,
    })
}

/// `baseline`, `baseline * 1.05`, `baseline + 20ms`, `baseline * 1.05 + 3`.
fn baseline(tokens: &mut Tokens, column: &Column) -> Result<Bound, GateError> {
    let factor = if tokens.skip(&sign("*")) { tokens.number("a factor, as `1.05`")? } else { 1.0 };
    let offset = if tokens.skip(&sign("+")) {
        amount(tokens, column, false)?
    } else if tokens.skip(&sign("-")) {
        -amount(tokens, column, false)?
    } else {
        0.0
    };
    Ok(Bound::Baseline { factor, offset })
}

/// A number with its unit, in the unit of `column`. Full column names carry their unit, so a bare number will do; short names do not.
fn amount(tokens: &mut Tokens, column: &Column, is_unit_needed: bool) -> Result<f64, GateError> {
    let is_dollars = column.unit == Unit::Dollars && tokens.skip(&sign("$"));
    let value = tokens.number(if is_dollars { "an amount of dollars" } else { "a number or `baseline`" })?;
    let units: &[(&str, f64)] = match column.unit {
        Unit::Share => &[("%", 0.01)],
        Unit::Milliseconds => &[("ms", 1.0), ("s", 1e3), ("us", 1e-3), ("m", 6e4)],
        Unit::Seconds => &[("s", 1.0), ("ms", 1e-3), ("m", 60.0), ("h", 3600.0)],
        Unit::Hours => &[("h", 1.0)],
        Unit::Dollars | Unit::Count => &[],
    };
    let written = match tokens.peek() {
        Token::Word(word) if word != "at" => Some(word.clone()),
        Token::Sign(sign) if sign == "%" => Some(sign.clone()),
        _ => None,
    };
    let expected = || units.iter().map(|(unit, _)| format!("`{unit}`")).collect::<Vec<_>>().join(", ");
    let Some(written) = written else {
        return if is_unit_needed { tokens.unexpected(&format!("a unit: {}", expected())) } else { Ok(value) };
    };
    match units.iter().find(|(unit, _)| *unit == written) {
        Some(("%", _)) => {
            tokens.take();
            Ok(share_of(value))
        }
        Some((_, scale)) => {
            tokens.take();
            Ok(value * scale)
        }
        None if units.is_empty() => tokens.unexpected(&format!("no unit: `{}` has its own", column.name)),
        None => tokens.unexpected(&format!("a unit of `{}`: {}", column.name, expected())),
    }
}

/// A percentage as a share, to twelve digits: 99.9 / 100 in binary is not the double that `0.999` is read as.
fn share_of(percent: f64) -> f64 {
    (percent * 1e10).round() / 1e12
}

fn confidence(tokens: &mut Tokens) -> Result<Confidence, GateError> {
    if !tokens.skip(&Token::Word("at".to_owned())) {
        return Ok(Confidence::P95);
    }
    let column = tokens.column();
    let percent = tokens.number("a confidence level, as `95 %`")?;
    if !tokens.skip(&sign("%")) {
        return tokens.unexpected("`%`");
    }
    Confidence::new(share_of(percent)).ok_or_else(|| GateError::Unexpected {
        column,
        found: format!("`{percent}`"),
        expected: "a confidence level between 0 and 100 %".to_owned(),
    })
}
