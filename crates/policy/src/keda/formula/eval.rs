//! The tree to a value. Whole numbers stay whole under `+ - * %`; `/` and powers give doubles, as in expr-lang.

use std::collections::BTreeMap;

use super::parser::{Node, NodeKind};
use super::{FormulaError, Value};

/// The functions a formula may call; those that take a predicate look at each element of a list as `#`.
const FUNCTIONS: [&str; 18] = [
    "abs", "all", "any", "ceil", "count", "filter", "float", "floor", "int", "len", "map", "max", "mean", "median",
    "min", "none", "one", "round",
];

type Result<T> = std::result::Result<T, FormulaError>;

/// Evaluates `root` with the triggers' values.
pub(super) fn run(root: &Node, triggers: &BTreeMap<String, Option<f64>>) -> Result<Value> {
    Scope { triggers, bound: Vec::new(), elements: Vec::new() }.value(root)
}

struct Scope<'a> {
    triggers: &'a BTreeMap<String, Option<f64>>,
    bound: Vec<(&'a str, Value)>,
    elements: Vec<Value>,
}

impl<'a> Scope<'a> {
    fn value(&mut self, node: &'a Node) -> Result<Value> {
        match &node.kind {
            NodeKind::Literal(value) => Ok(value.clone()),
            NodeKind::Element => Ok(self.elements.last().cloned().unwrap_or(Value::Nil)),
            NodeKind::Name(name) => Ok(self.named(name)),
            NodeKind::List(nodes) => Ok(Value::List(self.values(nodes)?)),
            NodeKind::Unary(operator, operand) => {
                let operand = self.value(operand)?;
                unary(operator, &operand)
                    .ok_or_else(|| error(node, format!("{operator} does not take a {}", operand.kind())))
            }
            NodeKind::Binary(operator, left, right) => self.binary(node, operator, left, right),
            NodeKind::Choice(condition, yes, no) => {
                let branch = if self.truth(condition)? { yes } else { no };
                self.value(branch)
            }
            NodeKind::Index(list, index) => {
                let list = self.value(list)?;
                let index = self.value(index)?;
                element(&list, &index).ok_or_else(|| error(node, "there is no such element".to_owned()))
            }
            NodeKind::Call(name, arguments) => self.call(node, name, arguments),
            NodeKind::Let(name, value, body) => {
                let value = self.value(value)?;
                self.bound.push((name, value));
                let result = self.value(body);
                self.bound.pop();
                result
            }
        }
    }

    /// A name without a value is nil, as a missing key of expr-lang's environment is.
    fn named(&self, name: &str) -> Value {
        if let Some((_, value)) = self.bound.iter().rev().find(|(bound, _)| *bound == name) {
            return value.clone();
        }
        self.triggers.get(name).copied().flatten().map_or(Value::Nil, Value::Float)
    }

    fn values(&mut self, nodes: &'a [Node]) -> Result<Vec<Value>> {
        nodes.iter().map(|node| self.value(node)).collect()
    }

    fn truth(&mut self, node: &'a Node) -> Result<bool> {
        match self.value(node)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(error(node, format!("a condition must be a truth value, this is a {}", other.kind()))),
        }
    }

    fn binary(&mut self, node: &'a Node, operator: &str, left: &'a Node, right: &'a Node) -> Result<Value> {
        match operator {
            "&&" => return Ok(Value::Bool(self.truth(left)? && self.truth(right)?)),
            "||" => return Ok(Value::Bool(self.truth(left)? || self.truth(right)?)),
            "??" => {
                let left = self.value(left)?;
                return if left == Value::Nil { self.value(right) } else { Ok(left) };
            }
            _ => {}
        }
        let (left, right) = (self.value(left)?, self.value(right)?);
        if matches!(operator, "**" | "^") && !number(&right).is_none_or(is_whole_exponent) {
            return Err(error(node, "powers are modelled for whole exponents from -64 to 64 only".to_owned()));
        }
        combined(operator, &left, &right)
            .ok_or_else(|| error(node, format!("{operator} does not take a {} and a {}", left.kind(), right.kind())))
    }

    fn call(&mut self, node: &'a Node, name: &str, arguments: &'a [Node]) -> Result<Value> {
        let goes_over_lists = matches!(name, "all" | "any" | "none" | "one" | "count" | "filter" | "map" | "sum");
        if let (true, [list, predicate]) = (goes_over_lists, arguments) {
            return self.over_list(name, list, predicate);
        }
        let values = self.values(arguments)?;
        let refused = || {
            let kinds: Vec<_> = values.iter().map(Value::kind).collect();
            let message = match name {
                "sum" => format!("sum does not take ({})", kinds.join(", ")),
                _ if FUNCTIONS.contains(&name) => format!("{name} does not take ({})", kinds.join(", ")),
                _ => format!("unknown function {name}; known are: {}, sum", FUNCTIONS.join(", ")),
            };
            error(node, message)
        };
        match values.as_slice() {
            [single] if !matches!(name, "max" | "min" | "mean" | "median") => of_one(name, single),
            _ => of_many(name, &values),
        }
        .ok_or_else(refused)
    }

    fn over_list(&mut self, name: &str, list: &'a Node, predicate: &'a Node) -> Result<Value> {
        let Value::List(elements) = self.value(list)? else {
            return Err(error(list, format!("{name} goes over a list")));
        };
        let mut mapped = Vec::with_capacity(elements.len());
        for element in &elements {
            self.elements.push(element.clone());
            let value = self.value(predicate);
            self.elements.pop();
            mapped.push(value?);
        }
        if name == "map" {
            return Ok(Value::List(mapped));
        }
        if name == "sum" {
            return total(&mapped).ok_or_else(|| error(predicate, "sum adds numbers".to_owned()));
        }
        if mapped.iter().any(|value| !matches!(value, Value::Bool(_))) {
            return Err(error(predicate, "a predicate must be a truth value".to_owned()));
        }
        let hits = mapped.iter().filter(|value| **value == Value::Bool(true)).count();
        Ok(match name {
            "all" => Value::Bool(hits == mapped.len()),
            "any" => Value::Bool(hits > 0),
            "none" => Value::Bool(hits == 0),
            "one" => Value::Bool(hits == 1),
            "count" => Value::Int(hits as i64),
            _ => Value::List(
                elements
                    .into_iter()
                    .zip(mapped)
                    .filter(|(_, keep)| *keep == Value::Bool(true))
                    .map(|(e, _)| e)
                    .collect(),
            ),
        })
    }
}

fn error(node: &Node, message: String) -> FormulaError {
    FormulaError { message, at: node.at }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(whole) => Some(*whole as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

fn unary(operator: &str, operand: &Value) -> Option<Value> {
    match (operator, operand) {
        ("!", Value::Bool(truth)) => Some(Value::Bool(!truth)),
        ("-", Value::Int(whole)) => Some(Value::Int(whole.wrapping_neg())),
        ("-", Value::Float(number)) => Some(Value::Float(-number)),
        ("+", Value::Int(_) | Value::Float(_)) => Some(operand.clone()),
        _ => None,
    }
}

fn combined(operator: &str, left: &Value, right: &Value) -> Option<Value> {
    match (operator, left, right) {
        ("==", ..) => return Some(Value::Bool(equal(left, right))),
        ("!=", ..) => return Some(Value::Bool(!equal(left, right))),
        ("in", _, Value::List(list)) => return Some(Value::Bool(list.iter().any(|element| equal(left, element)))),
        // A range that long is a mistake, and would exhaust memory.
        ("..", Value::Int(low), Value::Int(high)) if high.saturating_sub(*low) < 10_000 => {
            return Some(Value::List((*low..=*high).map(Value::Int).collect()));
        }
        ("+", Value::Int(a), Value::Int(b)) => return Some(Value::Int(a.wrapping_add(*b))),
        ("-", Value::Int(a), Value::Int(b)) => return Some(Value::Int(a.wrapping_sub(*b))),
        ("*", Value::Int(a), Value::Int(b)) => return Some(Value::Int(a.wrapping_mul(*b))),
        ("%", Value::Int(a), Value::Int(b)) => return (*b != 0).then(|| Value::Int(a.wrapping_rem(*b))),
        _ => {}
    }
    let (a, b) = (number(left)?, number(right)?);
    Some(match operator {
        "+" => Value::Float(a + b),
        "-" => Value::Float(a - b),
        "*" => Value::Float(a * b),
        "/" => Value::Float(a / b),
        "**" | "^" => Value::Float(power(a, b)),
        "<" => Value::Bool(a < b),
        ">" => Value::Bool(a > b),
        "<=" => Value::Bool(a <= b),
        ">=" => Value::Bool(a >= b),
        _ => return None,
    })
}

fn is_whole_exponent(exponent: f64) -> bool {
    exponent.fract() == 0.0 && exponent.abs() <= 64.0
}

/// By repeated multiplication: the platform's power function does not give the same bits everywhere.
fn power(base: f64, exponent: f64) -> f64 {
    let product = (0..exponent.abs() as u32).fold(1.0, |product, _| product * base);
    if exponent < 0.0 { 1.0 / product } else { product }
}

fn equal(left: &Value, right: &Value) -> bool {
    match (number(left), number(right)) {
        (Some(a), Some(b)) => a == b,
        _ => left == right,
    }
}

fn element(list: &Value, index: &Value) -> Option<Value> {
    let (Value::List(list), Value::Int(index)) = (list, index) else { return None };
    let place = if *index < 0 { *index + list.len() as i64 } else { *index };
    usize::try_from(place).ok().and_then(|place| list.get(place).cloned())
}

fn of_one(name: &str, value: &Value) -> Option<Value> {
    Some(match (name, value) {
        ("float", Value::Nil) => Value::Nil,
        ("float", _) => Value::Float(number(value)?),
        ("int", _) => Value::Int(number(value)? as i64),
        ("abs", Value::Int(whole)) => Value::Int(whole.wrapping_abs()),
        ("abs", Value::Float(number)) => Value::Float(number.abs()),
        ("ceil", _) => Value::Float(number(value)?.ceil()),
        ("floor", _) => Value::Float(number(value)?.floor()),
        ("round", _) => Value::Float(number(value)?.round()),
        ("len", Value::List(list)) => Value::Int(list.len() as i64),
        ("count", Value::List(list)) if list.iter().all(|element| matches!(element, Value::Bool(_))) => {
            Value::Int(list.iter().filter(|element| **element == Value::Bool(true)).count() as i64)
        }
        ("sum", Value::List(list)) => total(list)?,
        _ => return None,
    })
}

/// `max`, `min`, `mean`, `median` over arguments and lists alike.
fn of_many(name: &str, values: &[Value]) -> Option<Value> {
    let mut flat = Vec::new();
    for value in values {
        match value {
            Value::List(list) => flat.extend(list.iter().cloned()),
            other => flat.push(other.clone()),
        }
    }
    let numbers = flat.iter().map(number).collect::<Option<Vec<f64>>>()?;
    if numbers.is_empty() {
        return None;
    }
    match name {
        // The first of equals stays, as in a fold with a strict comparison.
        "max" => flat.into_iter().reduce(|best, next| if number(&next) > number(&best) { next } else { best }),
        "min" => flat.into_iter().reduce(|best, next| if number(&next) < number(&best) { next } else { best }),
        "mean" => Some(Value::Float(numbers.iter().sum::<f64>() / numbers.len() as f64)),
        "median" => Some(Value::Float(median(numbers))),
        _ => None,
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 { numbers[middle] } else { f64::midpoint(numbers[middle - 1], numbers[middle]) }
}

fn total(list: &[Value]) -> Option<Value> {
    list.iter().try_fold(Value::Int(0), |sum, value| match value {
        Value::Int(_) | Value::Float(_) => combined("+", &sum, value),
        _ => None,
    })
}
