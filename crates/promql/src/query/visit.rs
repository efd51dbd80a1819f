//! Questions about all selectors of a query.

use super::Options;
use super::plan::{Aggregation, At, HistogramFunction, Node, RangeNode, ScalarNode, Selector, Shift, VectorNode};
use crate::matcher::Matcher;

/// What a node looks at directly, and the nodes below it.
#[derive(Default)]
struct Parts<'a> {
    scalars: Vec<&'a mut ScalarNode>,
    vectors: Vec<&'a mut VectorNode>,
    range: Option<&'a mut RangeNode>,
    selector: Option<&'a mut Selector>,
}

fn scalar_parts(node: &mut ScalarNode) -> Parts<'_> {
    match node {
        ScalarNode::Number(_) | ScalarNode::Time => Parts::default(),
        ScalarNode::Only(operand) => Parts { vectors: vec![operand], ..Parts::default() },
        ScalarNode::Negate(operand) => Parts { scalars: vec![operand], ..Parts::default() },
        ScalarNode::Binary { left, right, .. } => Parts { scalars: vec![left, right], ..Parts::default() },
    }
}

fn vector_parts(node: &mut VectorNode) -> Parts<'_> {
    let mut parts = Parts::default();
    match node {
        VectorNode::Selector(selector) | VectorNode::SampleTime(selector) => parts.selector = Some(selector),
        VectorNode::FromScalar(scalar) => parts.scalars.push(scalar),
        VectorNode::Negate(operand)
        | VectorNode::Absent { operand, .. }
        | VectorNode::ElementTime(operand)
        | VectorNode::Sort { operand, .. } => parts.vectors.push(operand),
        VectorNode::Map { operand, parameters, .. } => {
            parts.vectors.push(operand);
            parts.scalars.extend(parameters);
        }
        VectorNode::OverRange(over) => {
            parts.range = Some(&mut over.range);
            parts.scalars.extend(&mut over.parameter);
        }
        VectorNode::AbsentOverTime { range, .. } => parts.range = Some(range),
        VectorNode::Relabel(relabel) => parts.vectors.push(&mut relabel.operand),
        VectorNode::Histogram(histogram) => {
            parts.vectors.push(&mut histogram.operand);
            match &mut histogram.function {
                HistogramFunction::Quantile(q) => parts.scalars.push(q),
                HistogramFunction::Fraction { lower, upper } => parts.scalars.extend([lower, upper]),
            }
        }
        VectorNode::Aggregate(aggregate) => {
            parts.vectors.push(&mut aggregate.operand);
            match &mut aggregate.operator {
                Aggregation::Top(k) | Aggregation::Bottom(k) | Aggregation::Quantile(k) => parts.scalars.push(k),
                _ => {}
            }
        }
        VectorNode::WithScalar(operation) => {
            parts.vectors.push(&mut operation.vector);
            parts.scalars.push(&mut operation.scalar);
        }
        VectorNode::Match(operation) => parts.vectors.extend([&mut operation.left, &mut operation.right]),
        VectorNode::Set(operation) => parts.vectors.extend([&mut operation.left, &mut operation.right]),
    }
    parts
}

fn node_parts(node: &mut Node) -> Parts<'_> {
    match node {
        Node::Scalar(scalar) => Parts { scalars: vec![scalar], ..Parts::default() },
        Node::Vector(vector) => Parts { vectors: vec![vector], ..Parts::default() },
        Node::Range(range) => Parts { range: Some(range), ..Parts::default() },
        Node::Text(_) => Parts::default(),
    }
}

/// A selector as reached from the root.
#[derive(Clone, Debug)]
pub(super) struct Reached {
    pub selector: Selector,
    /// How far before the query time subqueries around it begin; None if that is a fixed time.
    around_ms: Option<i64>,
    /// None for an instant selector.
    range_ms: Option<i64>,
}

impl Reached {
    /// How far before the query time this selector looks; None if it looks at a fixed time.
    pub fn lookbehind_ms(&self, options: Options) -> Option<i64> {
        let own_ms = shifted(self.around_ms, self.selector.shift)?;
        Some(own_ms + self.range_ms.unwrap_or(options.lookback_ms))
    }
}

type Visit<'a> = &'a mut dyn FnMut(&mut Selector, Option<i64>, Option<i64>);

fn walk(parts: Parts<'_>, around_ms: Option<i64>, each: Visit<'_>) {
    if let Some(selector) = parts.selector {
        each(selector, around_ms, None);
    }
    match parts.range {
        Some(RangeNode::Selector { selector, range_ms }) => each(selector, around_ms, Some(*range_ms)),
        Some(RangeNode::Subquery { operand, range_ms, shift, .. }) => {
            let below_ms = shifted(around_ms, *shift).map(|around| around + *range_ms);
            walk(vector_parts(operand), below_ms, each);
        }
        None => {}
    }
    for scalar in parts.scalars {
        walk(scalar_parts(scalar), around_ms, each);
    }
    for vector in parts.vectors {
        walk(vector_parts(vector), around_ms, each);
    }
}

fn shifted(around_ms: Option<i64>, shift: Shift) -> Option<i64> {
    match shift.at {
        Some(At::Time(_)) => None,
        Some(At::Query) => Some(shift.offset_ms),
        None => around_ms.map(|around| around + shift.offset_ms),
    }
}

/// All selectors of a query.
pub(super) fn reached(root: &mut Node) -> Vec<Reached> {
    let mut all = Vec::new();
    walk(node_parts(root), Some(0), &mut |selector, around_ms, range_ms| {
        all.push(Reached { selector: selector.clone(), around_ms, range_ms });
    });
    all
}

/// Adds conditions to all selectors.
pub(super) fn restrict(root: &mut Node, matchers: &[Matcher]) {
    walk(node_parts(root), Some(0), &mut |selector, _, _| {
        selector.matchers.extend_from_slice(matchers);
        selector.selection = None;
    });
}

/// Gives all bound selectors their conditions; returns how many there are.
pub(super) fn bind(root: &mut Node, matchers: &[Matcher]) -> usize {
    let mut count = 0;
    walk(node_parts(root), Some(0), &mut |selector, _, _| {
        if selector.is_bound {
            count += 1;
            selector.bound = matchers.to_vec();
            selector.selection = None;
        }
    });
    count
}
