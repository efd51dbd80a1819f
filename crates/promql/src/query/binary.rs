//! Operators between scalars and vectors, and vector matching.

use std::collections::BTreeMap;

use super::eval::{Evaluator, drop_names, is_same_input, require_unique};
use super::plan::{Cardinality, Match, MatchMemo, Operator, Pair, SetMemo, SetOperation, SetOperator, WithScalar};
use super::{Element, EvalError};
use crate::labels::Labels;

impl Operator {
    /// Whether the operator answers yes or no.
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal | Self::NotEqual | Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual
        )
    }

    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            _ => unreachable!("arithmetic"),
        }
    }

    /// The result for a pair of values, or None if a comparison filters the pair out.
    fn result(self, left: f64, right: f64, is_bool: bool) -> Option<f64> {
        if !self.is_comparison() || is_bool {
            return Some(scalar(self, left, right));
        }
        self.holds(left, right).then_some(left)
    }
}

/// The operator's value for two numbers; comparisons give 0 or 1.
pub(super) fn scalar(operator: Operator, left: f64, right: f64) -> f64 {
    match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::Modulo => left % right,
        Operator::Power => libm::pow(left, right),
        Operator::Atan2 => libm::atan2(left, right),
        comparison => f64::from(u8::from(comparison.holds(left, right))),
    }
}

/// `v op s` or `s op v`. A comparison keeps the vector's value, on whichever side it stands.
pub(super) fn with_scalar(
    operation: &WithScalar,
    elements: Vec<Element>,
    scalar_value: f64,
) -> Result<Vec<Element>, EvalError> {
    let WithScalar { operator, is_scalar_left, is_bool, .. } = *operation;
    let is_filter = operator.is_comparison() && !is_bool;
    let results = elements.into_iter().filter_map(|element| {
        let own = element.value;
        let (left, right) = if is_scalar_left { (scalar_value, own) } else { (own, scalar_value) };
        let value = operator.result(left, right, is_bool)?;
        Some(Element { value: if is_filter { own } else { value }, ..element })
    });
    let results = results.collect();
    if is_filter { Ok(results) } else { drop_names(results) }
}

impl Evaluator<'_> {
    pub(super) fn matched(&mut self, operation: &mut Match, t_ms: i64) -> Result<Vec<Element>, EvalError> {
        let left = self.vector(&mut operation.left, t_ms)?;
        let right = self.vector(&mut operation.right, t_ms)?;
        if left.is_empty() || right.is_empty() {
            return Ok(Vec::new());
        }
        let known = operation.memo.take();
        let memo = known.filter(|memo| is_same_input(&memo.left, &left) && is_same_input(&memo.right, &right));
        let memo = memo.unwrap_or_else(|| MatchMemo {
            left: labels_of(&left),
            right: labels_of(&right),
            pairs: pairs(operation, &left, &right),
        });
        let pairs = operation.memo.insert(memo).pairs.as_ref().map_err(Clone::clone)?;
        let (operator, is_bool) = (operation.operator, operation.is_bool);
        let results = pairs.iter().filter_map(|pair| {
            let value = operator.result(left[pair.left as usize].value, right[pair.right as usize].value, is_bool)?;
            Some(Element { labels: pair.labels.clone(), value })
        });
        Ok(results.collect())
    }

    pub(super) fn set_operation(&mut self, operation: &mut SetOperation, t_ms: i64) -> Result<Vec<Element>, EvalError> {
        let left = self.vector(&mut operation.left, t_ms)?;
        let right = self.vector(&mut operation.right, t_ms)?;
        let known = operation.memo.take();
        let memo = known.filter(|memo| is_same_input(&memo.left, &left) && is_same_input(&memo.right, &right));
        let memo = operation.memo.insert(memo.unwrap_or_else(|| passing(operation, &left, &right)));
        let from_left = memo.left_kept.iter().map(|&index| left[index as usize].clone());
        let from_right = memo.right_kept.iter().map(|&index| right[index as usize].clone());
        Ok(from_left.chain(from_right).collect())
    }
}

fn labels_of(elements: &[Element]) -> Vec<Labels> {
    elements.iter().map(|element| element.labels.clone()).collect()
}

/// Which elements meet, and the labels of the results (engine.go:VectorBinop). The values play no part.
fn pairs(operation: &Match, left: &[Element], right: &[Element]) -> Result<Vec<Pair>, EvalError> {
    let is_right_many = matches!(operation.cardinality, Cardinality::OneToMany(_));
    let (many, one) = if is_right_many { (right, left) } else { (left, right) };
    let mut one_by_signature = BTreeMap::new();
    for (index, element) in one.iter().enumerate() {
        let signature = operation.signature.of(&element.labels);
        if one_by_signature.contains_key(&signature) {
            let side = if is_right_many { "left" } else { "right" };
            return Err(EvalError::DuplicateSeries { group: signature.to_string(), side });
        }
        one_by_signature.insert(signature, (index, Vec::<Labels>::new()));
    }
    let mut pairs = Vec::new();
    for (many_index, element) in many.iter().enumerate() {
        let signature = operation.signature.of(&element.labels);
        let Some((one_index, results)) = one_by_signature.get_mut(&signature) else { continue };
        let labels = result_labels(operation, &element.labels, &one[*one_index].labels);
        match operation.cardinality {
            Cardinality::OneToOne if !results.is_empty() => {
                return Err(EvalError::ImplicitManyToOne(signature.to_string()));
            }
            Cardinality::OneToOne => results.push(labels.clone()),
            _ => match results.binary_search(&labels) {
                Ok(_) => return Err(EvalError::AmbiguousGrouping(labels.to_string())),
                Err(at) => results.insert(at, labels.clone()),
            },
        }
        let (left, right) = if is_right_many { (*one_index, many_index) } else { (many_index, *one_index) };
        pairs.push(Pair { left: left as u32, right: right as u32, labels });
    }
    let elements = pairs.iter().map(|pair| Element { labels: pair.labels.clone(), value: 0.0 });
    require_unique(elements.collect())?;
    Ok(pairs)
}

pub(super) fn result_labels(operation: &Match, many: &Labels, one: &Labels) -> Labels {
    let mut labels = if operation.operator.is_comparison() { many.clone() } else { many.without_name() };
    match &operation.cardinality {
        Cardinality::OneToOne => {
            let listed = |name: &str| operation.signature.labels.iter().any(|label| label == name);
            let is_without = operation.signature.is_without;
            if !(is_without && operation.signature.labels.is_empty()) {
                labels = labels.filtered(|name| listed(name) != is_without);
            }
        }
        Cardinality::ManyToOne(included) | Cardinality::OneToMany(included) => {
            for name in included {
                labels = labels.with(name, one.get(name));
            }
        }
    }
    if operation.is_bool { labels.without_name() } else { labels }
}

/// Which elements of both sides pass a set operator. The metric name plays no part.
fn passing(operation: &SetOperation, left: &[Element], right: &[Element]) -> SetMemo {
    let signatures = |elements: &[Element]| -> Vec<Labels> {
        elements.iter().map(|element| operation.signature.of(&element.labels)).collect()
    };
    let (left_signatures, right_signatures) = (signatures(left), signatures(right));
    let on_other_side = |own: &[Labels], other: &[Labels], is_wanted: bool| -> Vec<u32> {
        let other: std::collections::BTreeSet<&Labels> = other.iter().collect();
        (0..own.len() as u32).filter(|&index| other.contains(&own[index as usize]) == is_wanted).collect()
    };
    let (left_kept, right_kept) = match operation.operator {
        SetOperator::And => (on_other_side(&left_signatures, &right_signatures, true), Vec::new()),
        SetOperator::Unless => (on_other_side(&left_signatures, &right_signatures, false), Vec::new()),
        SetOperator::Or => {
            ((0..left.len() as u32).collect(), on_other_side(&right_signatures, &left_signatures, false))
        }
    };
    SetMemo { left: labels_of(left), right: labels_of(right), left_kept, right_kept }
}
