//! Evaluation: selectors, subqueries and the dispatch to everything else.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::plan::{
    At, Node, OverRange, RangeNode, Relabel, ScalarNode, Selection, Selector, Shift, VectorNode, WithScalar,
};
use super::{Element, EvalError, Evaluation, Options, SampleAges, Value, binary, map, over_range, relabel};
use crate::labels::{Labels, METRIC_NAME};
use crate::storage::{Sample, Storage};

/// Everything an evaluation needs besides the query.
pub(super) struct Evaluator<'a> {
    storage: &'a Storage,
    /// Time of the query as a whole, also within subqueries.
    now_ms: i64,
    options: Options,
    ages: SampleAges,
}

type Vector = Vec<Element>;
type Matrix = Vec<(Labels, Vec<Sample>)>;

pub(super) fn evaluate(
    root: &mut Node,
    storage: &Storage,
    now_ms: i64,
    options: Options,
) -> Result<Evaluation, EvalError> {
    let mut evaluator = Evaluator { storage, now_ms, options, ages: SampleAges::default() };
    let value = match root {
        Node::Scalar(node) => Value::Scalar(evaluator.scalar(node, now_ms)?),
        Node::Vector(node) => Value::Vector(evaluator.vector(node, now_ms)?),
        Node::Range(node) => Value::Matrix(evaluator.matrix(node, now_ms)?),
        Node::Text(text) => Value::Text(text.clone()),
    };
    Ok(Evaluation { value, ages: evaluator.ages })
}

impl Evaluator<'_> {
    /// The value of a scalar node at `t_ms`.
    pub fn scalar(&mut self, node: &mut ScalarNode, t_ms: i64) -> Result<f64, EvalError> {
        match node {
            ScalarNode::Number(value) => Ok(*value),
            ScalarNode::Time => Ok(t_ms as f64 / 1000.0),
            ScalarNode::Only(operand) => match self.vector(operand, t_ms)?.as_slice() {
                [only] => Ok(only.value),
                _ => Ok(f64::NAN),
            },
            ScalarNode::Negate(operand) => Ok(-self.scalar(operand, t_ms)?),
            ScalarNode::Binary { operator, left, right } => {
                let (left, right) = (self.scalar(left, t_ms)?, self.scalar(right, t_ms)?);
                Ok(binary::scalar(*operator, left, right))
            }
        }
    }

    /// The elements of a vector node at `t_ms`.
    pub fn vector(&mut self, node: &mut VectorNode, t_ms: i64) -> Result<Vector, EvalError> {
        match node {
            VectorNode::Selector(selector) => Ok(self.instant(selector, t_ms, |sample| sample.value)),
            VectorNode::FromScalar(scalar) => Ok(unlabelled(self.scalar(scalar, t_ms)?)),
            VectorNode::Negate(operand) => {
                let mut elements = self.vector(operand, t_ms)?;
                for element in &mut elements {
                    element.value = -element.value;
                }
                drop_names(elements)
            }
            VectorNode::Map { function, operand, parameters } => {
                let elements = self.vector(operand, t_ms)?;
                let values: Result<Vec<f64>, EvalError> =
                    parameters.iter_mut().map(|parameter| self.scalar(parameter, t_ms)).collect();
                drop_names(map::apply(*function, elements, &values?))
            }
            VectorNode::OverRange(over) => self.over_range(over, t_ms),
            VectorNode::Absent { operand, labels } => Ok(absent(self.vector(operand, t_ms)?.is_empty(), labels)),
            VectorNode::AbsentOverTime { range, labels } => Ok(absent(self.matrix(range, t_ms)?.is_empty(), labels)),
            VectorNode::SampleTime(selector) => {
                drop_names(self.instant(selector, t_ms, |sample| sample.t_ms as f64 / 1000.0))
            }
            VectorNode::ElementTime(operand) => {
                let mut elements = self.vector(operand, t_ms)?;
                for element in &mut elements {
                    element.value = t_ms as f64 / 1000.0;
                }
                drop_names(elements)
            }
            VectorNode::Sort { operand, is_descending } => Ok(map::sort(self.vector(operand, t_ms)?, *is_descending)),
            VectorNode::Relabel(relabel) => self.relabel(relabel, t_ms),
            VectorNode::Histogram(histogram) => self.histogram(histogram, t_ms),
            VectorNode::Aggregate(aggregate) => self.aggregate(aggregate, t_ms),
            VectorNode::WithScalar(operation) => self.with_scalar(operation, t_ms),
            VectorNode::Match(operation) => self.matched(operation, t_ms),
            VectorNode::Set(operation) => self.set_operation(operation, t_ms),
        }
    }

    fn reference_ms(&self, shift: Shift, t_ms: i64) -> i64 {
        let base = match shift.at {
            Some(At::Time(fixed)) => fixed,
            Some(At::Query) => self.now_ms,
            None => t_ms,
        };
        base - shift.offset_ms
    }

    fn saw(&mut self, newest_ms: i64) {
        self.ages.newest_ms = Some(self.ages.newest_ms.map_or(newest_ms, |known| known.max(newest_ms)));
        self.ages.stalest_ms = Some(self.ages.stalest_ms.map_or(newest_ms, |known| known.min(newest_ms)));
    }

    fn instant(&mut self, selector: &mut Selector, t_ms: i64, value: impl Fn(Sample) -> f64) -> Vector {
        let reference_ms = self.reference_ms(selector.shift, t_ms);
        let after_ms = reference_ms - self.options.lookback_ms;
        let selected = selector.select(self.storage);
        let mut elements = Vec::with_capacity(selected.len());
        for (labels, place) in selected {
            if let Some(sample) = self.storage.newest(*place, after_ms, reference_ms, self.now_ms) {
                self.saw(sample.t_ms);
                elements.push(Element { labels: labels.clone(), value: value(sample) });
            }
        }
        elements
    }

    fn over_range(&mut self, over: &mut OverRange, t_ms: i64) -> Result<Vector, EvalError> {
        let parameter = match &mut over.parameter {
            Some(node) => self.scalar(node, t_ms)?,
            None => f64::NAN,
        };
        let (range_ms, shift) = match &over.range {
            RangeNode::Selector { selector, range_ms } => (*range_ms, selector.shift),
            RangeNode::Subquery { range_ms, shift, .. } => (*range_ms, *shift),
        };
        let end_ms = self.reference_ms(shift, t_ms);
        let context = over_range::Context { window: Window { end_ms, range_ms }, t_ms, parameter };
        let mut elements = Vec::new();
        let mut add = |labels: &Labels, samples: &[Sample]| {
            if let Some(value) = over_range::apply(over.function, samples, context) {
                elements.push(Element { labels: labels.clone(), value });
            }
        };
        match &mut over.range {
            RangeNode::Selector { selector, .. } => {
                for (labels, place) in selector.select(self.storage) {
                    over.scratch.clear();
                    self.storage.samples(*place, end_ms - range_ms, end_ms, &mut over.scratch);
                    if let Some(last) = over.scratch.last() {
                        self.saw(last.t_ms);
                        add(labels, &over.scratch);
                    }
                }
            }
            subquery @ RangeNode::Subquery { .. } => {
                self.matrix(subquery, t_ms)?.iter().for_each(|(labels, samples)| add(labels, samples));
            }
        }
        if over.function.keeps_name() { Ok(elements) } else { drop_names(elements) }
    }

    /// The series of a range node at `t_ms`; those without a sample are left out.
    fn matrix(&mut self, node: &mut RangeNode, t_ms: i64) -> Result<Matrix, EvalError> {
        match node {
            RangeNode::Selector { selector, range_ms } => {
                let end_ms = self.reference_ms(selector.shift, t_ms);
                let mut matrix = Matrix::new();
                for (labels, place) in selector.select(self.storage) {
                    let mut samples = Vec::new();
                    self.storage.samples(*place, end_ms - *range_ms, end_ms, &mut samples);
                    if let Some(last) = samples.last() {
                        self.saw(last.t_ms);
                        matrix.push((labels.clone(), samples));
                    }
                }
                Ok(matrix)
            }
            RangeNode::Subquery { operand, range_ms, step_ms, shift } => {
                let end_ms = self.reference_ms(*shift, t_ms);
                let step_ms = step_ms.unwrap_or(self.options.subquery_step_ms);
                self.subquery(operand, Window { end_ms, range_ms: *range_ms }, step_ms)
            }
        }
    }

    /// Evaluates `operand` at multiples of the step within the window.
    fn subquery(&mut self, operand: &mut VectorNode, window: Window, step_ms: i64) -> Result<Matrix, EvalError> {
        let mut matrix = Matrix::new();
        let mut index_of: BTreeMap<Labels, usize> = BTreeMap::new();
        // Steps are multiples since the epoch, not since the start of the range.
        let mut at_ms = ((window.end_ms - window.range_ms).div_euclid(step_ms) + 1) * step_ms;
        while at_ms <= window.end_ms {
            for (position, Element { labels, value }) in self.vector(operand, at_ms)?.into_iter().enumerate() {
                let sample = Sample { t_ms: at_ms, value };
                // Most often the same series come in the same order as in the step before.
                match matrix.get_mut(position) {
                    Some((known, samples)) if known.is_same_object(&labels) => samples.push(sample),
                    _ => {
                        let index = *index_of.entry(labels.clone()).or_insert_with(|| {
                            matrix.push((labels, Vec::new()));
                            matrix.len() - 1
                        });
                        matrix[index].1.push(sample);
                    }
                }
            }
            at_ms += step_ms;
        }
        Ok(matrix)
    }

    fn relabel(&mut self, relabel: &mut Relabel, t_ms: i64) -> Result<Vector, EvalError> {
        let elements = self.vector(&mut relabel.operand, t_ms)?;
        if !is_same_input(&relabel.inputs, &elements) {
            relabel.inputs = elements.iter().map(|element| element.labels.clone()).collect();
            relabel.outputs = relabel.inputs.iter().map(|labels| relabel::apply(&relabel.rule, labels)).collect();
        }
        let renamed = elements.iter().zip(&relabel.outputs);
        require_unique(
            renamed.map(|(element, labels)| Element { labels: labels.clone(), value: element.value }).collect(),
        )
    }

    fn with_scalar(&mut self, operation: &mut WithScalar, t_ms: i64) -> Result<Vector, EvalError> {
        let scalar = self.scalar(&mut operation.scalar, t_ms)?;
        let elements = self.vector(&mut operation.vector, t_ms)?;
        binary::with_scalar(operation, elements, scalar)
    }
}

/// The times `(end - range, end]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub end_ms: i64,
    pub range_ms: i64,
}

impl Selector {
    /// Whether a series with these labels is selected.
    pub fn is_match(&self, labels: &Labels) -> bool {
        self.name.as_ref().is_none_or(|name| **name == *labels.metric_name())
            && self.matchers.iter().chain(&self.bound).all(|matcher| matcher.is_match(labels))
    }

    /// Whether a series of this name could be selected.
    pub fn is_name_match(&self, name: &str) -> bool {
        let named = Labels::new([(METRIC_NAME, name)]);
        let conditions = self.matchers.iter().filter(|matcher| matcher.name() == METRIC_NAME);
        self.name.as_ref().is_none_or(|wanted| **wanted == *name)
            && conditions.into_iter().all(|matcher| matcher.is_match(&named))
    }

    /// The selected series, sorted by labels. Looked up again only when series of that metric came or went.
    fn select(&mut self, storage: &Storage) -> &[(Labels, crate::storage::Place)] {
        let name = self.name.as_deref();
        let version = storage.version(name);
        let is_known = self
            .selection
            .as_ref()
            .is_some_and(|known| known.version == version && Arc::ptr_eq(&known.store, storage.identity()));
        if !is_known {
            let candidates = storage.all_series(name);
            let matching = candidates.filter(|(labels, _)| self.is_match(labels));
            let mut series: Vec<_> = matching.map(|(labels, place)| (labels.clone(), place)).collect();
            series.sort_by(|a, b| a.0.cmp(&b.0));
            self.selection = Some(Selection { store: storage.identity().clone(), version, series });
        }
        self.selection.as_ref().map_or(&[], |selection| &selection.series)
    }
}

/// One element without labels.
fn unlabelled(value: f64) -> Vector {
    vec![Element { labels: Labels::empty(), value }]
}

fn absent(is_absent: bool, labels: &Labels) -> Vector {
    if is_absent { vec![Element { labels: labels.clone(), value: 1.0 }] } else { Vec::new() }
}

/// Whether a node was given the very label sets it remembers.
pub(super) fn is_same_input(known: &[Labels], elements: &[Element]) -> bool {
    known.len() == elements.len() && known.iter().zip(elements).all(|(a, b)| a.is_same_object(&b.labels))
}

/// Removes the metric name from every element. An error if two elements become equal by that.
pub(super) fn drop_names(mut elements: Vector) -> Result<Vector, EvalError> {
    // Elements were unique before, so equal names cannot make them collide.
    let has_one_name = elements.windows(2).all(|pair| pair[0].labels.metric_name() == pair[1].labels.metric_name());
    for element in &mut elements {
        element.labels = element.labels.without_name();
    }
    if has_one_name { Ok(elements) } else { require_unique(elements) }
}

/// An error if two elements have equal labels.
pub(super) fn require_unique(elements: Vector) -> Result<Vector, EvalError> {
    let mut sorted: Vec<&Labels> = elements.iter().map(|element| &element.labels).collect();
    sorted.sort();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(EvalError::DuplicateLabels(pair[0].to_string())),
        None => Ok(elements),
    }
}
