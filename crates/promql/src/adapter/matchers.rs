//! Conditions on labels that the adapter adds to a query.

use super::AdapterError;
use super::config::{Requirement, SelectorOperator};
use crate::matcher::Matcher;

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    label: String,
    operator: Operator,
    /// Joined by `|` where the operator is a pattern.
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Pattern,
    NotPattern,
}

impl Condition {
    pub fn equal(label: &str, value: &str) -> Self {
        Self { label: label.to_owned(), operator: Operator::Equal, values: vec![value.to_owned()] }
    }

    /// One of some objects. The adapter does not escape the names.
    pub fn names<N: AsRef<str>>(label: &str, names: &[N]) -> Self {
        let operator = if names.len() == 1 { Operator::Equal } else { Operator::Pattern };
        let values = names.iter().map(|name| name.as_ref().to_owned()).collect();
        Self { label: label.to_owned(), operator, values }
    }

    pub fn label(&self) -> &str {
        &self.label
    }

    pub fn values(&self) -> String {
        self.values.join("|")
    }

    pub fn matcher(&self) -> Result<Matcher, AdapterError> {
        let value = self.values();
        let pattern = || {
            Matcher::pattern(&self.label, &value)
                .map_err(|error| AdapterError::Pattern { pattern: error.pattern, reason: error.reason })
        };
        Ok(match self.operator {
            Operator::Equal => Matcher::equal(&self.label, &value),
            Operator::NotEqual => Matcher::equal(&self.label, &value).negated(),
            Operator::Pattern => pattern()?,
            Operator::NotPattern => pattern()?.negated(),
        })
    }
}

/// The conditions of a metric selector.
pub(super) fn of_selector(selector: &[Requirement]) -> Vec<Condition> {
    let conditions = selector.iter().map(|requirement| {
        let several = requirement.values.len() > 1;
        let (operator, values) = match requirement.operator {
            SelectorOperator::Equals if several => (Operator::Pattern, requirement.values.clone()),
            SelectorOperator::Equals => (Operator::Equal, requirement.values.clone()),
            SelectorOperator::NotEquals if several => (Operator::NotPattern, requirement.values.clone()),
            SelectorOperator::NotEquals => (Operator::NotEqual, requirement.values.clone()),
            SelectorOperator::In => (Operator::Pattern, requirement.values.clone()),
            SelectorOperator::NotIn => (Operator::NotPattern, requirement.values.clone()),
            SelectorOperator::Exists => (Operator::NotEqual, Vec::new()),
            SelectorOperator::DoesNotExist => (Operator::Equal, Vec::new()),
        };
        Condition { label: requirement.key.clone(), operator, values }
    });
    conditions.collect()
}

/// The conditions as they stand in a selector.
pub(super) fn text(conditions: &[Condition]) -> String {
    let texts = conditions.iter().map(|condition| {
        let operator = match condition.operator {
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Pattern => "=~",
            Operator::NotPattern => "!~",
        };
        format!("{}{operator}{:?}", condition.label, condition.values())
    });
    texts.collect::<Vec<_>>().join(",")
}
