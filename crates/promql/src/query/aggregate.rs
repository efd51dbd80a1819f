//! Aggregation: many elements to one per group.

use super::eval::{Evaluator, is_same_input};
use super::plan::{Aggregate, Aggregation, GroupMemo, LabelChoice};
use super::sums::{self, Mean, Spread, Sum};
use super::{Element, EvalError, map};
use crate::labels::Labels;

/// Assigns elements to groups, unless the memo already knows these very elements.
pub(super) fn groups_of(memo: &mut GroupMemo, elements: &[Element], key: impl Fn(&Labels) -> Labels) {
    if is_same_input(&memo.inputs, elements) {
        return;
    }
    memo.inputs = elements.iter().map(|element| element.labels.clone()).collect();
    let mut index_of = std::collections::BTreeMap::new();
    memo.groups.clear();
    memo.group_of.clear();
    for element in elements {
        let group = *index_of.entry(key(&element.labels)).or_insert_with_key(|labels| {
            memo.groups.push(labels.clone());
            memo.groups.len() as u32 - 1
        });
        memo.group_of.push(group);
    }
}

impl Evaluator<'_> {
    pub(super) fn aggregate(&mut self, aggregate: &mut Aggregate, t_ms: i64) -> Result<Vec<Element>, EvalError> {
        let Aggregate { operator, operand, grouping, memo } = aggregate;
        let parameter = match operator {
            Aggregation::Top(node) | Aggregation::Bottom(node) | Aggregation::Quantile(node) => {
                self.scalar(node, t_ms)?
            }
            _ => f64::NAN,
        };
        let elements = self.vector(operand, t_ms)?;
        if let Aggregation::CountValues(label) = operator {
            return Ok(count_values(label, grouping, &elements));
        }
        let ranked = matches!(operator, Aggregation::Top(_) | Aggregation::Bottom(_));
        let limit = if ranked { count(parameter)? } else { 0 };
        groups_of(memo, &elements, |labels| grouping.of(labels));
        if ranked {
            let is_top = matches!(operator, Aggregation::Top(_));
            return Ok(best(&elements, memo, limit, is_top));
        }
        let values = elements.iter().map(|element| element.value);
        let reduced = reduce(operator, parameter, memo, values);
        Ok(memo.groups.iter().zip(reduced).map(|(labels, value)| Element { labels: labels.clone(), value }).collect())
    }
}

/// One value per group.
fn reduce(operator: &Aggregation, parameter: f64, memo: &GroupMemo, values: impl Iterator<Item = f64>) -> Vec<f64> {
    let groups = memo.groups.len();
    let members = memo.group_of.iter().map(|&group| group as usize).zip(values);
    match operator {
        Aggregation::Sum => fold(groups, members, Sum::default(), Sum::add, Sum::total),
        Aggregation::Average => fold(groups, members, Mean::default(), Mean::add, Mean::value),
        Aggregation::Count => fold(groups, members, 0.0, |n, _| *n += 1.0, |n| n),
        Aggregation::Group => vec![1.0; groups],
        // A number wins against NaN, whichever comes first: f64::min and max do just that.
        Aggregation::Minimum => {
            fold(groups, members, f64::NAN, |least, value| *least = least.min(value), |least| least)
        }
        Aggregation::Maximum => fold(groups, members, f64::NAN, |most, value| *most = most.max(value), |most| most),
        Aggregation::Deviation => {
            fold(groups, members, Spread::default(), Spread::add, |spread| spread.variance().sqrt())
        }
        Aggregation::Variance => fold(groups, members, Spread::default(), Spread::add, Spread::variance),
        Aggregation::Quantile(_) => {
            let mut lists = vec![Vec::new(); groups];
            members.for_each(|(group, value)| lists[group].push(value));
            lists.iter_mut().map(|list| sums::quantile(parameter, list)).collect()
        }
        Aggregation::Top(_) | Aggregation::Bottom(_) | Aggregation::CountValues(_) => {
            unreachable!("these return elements, not one value per group")
        }
    }
}

fn fold<S: Copy>(
    groups: usize,
    members: impl Iterator<Item = (usize, f64)>,
    start: S,
    mut add: impl FnMut(&mut S, f64),
    finish: impl Fn(S) -> f64,
) -> Vec<f64> {
    let mut states = vec![start; groups];
    members.for_each(|(group, value)| add(&mut states[group], value));
    states.into_iter().map(finish).collect()
}

/// The argument of `topk` and `bottomk`, cut to a whole number.
fn count(parameter: f64) -> Result<usize, EvalError> {
    // 2^63 as a float: the first number that does not fit.
    let limit = 9_223_372_036_854_775_808.0;
    if parameter.is_nan() || parameter >= limit || parameter < -limit {
        return Err(EvalError::BadCount(parameter.to_string()));
    }
    Ok(parameter.max(0.0) as usize)
}

/// The `limit` best elements of each group, best first, NaN last.
fn best(elements: &[Element], memo: &GroupMemo, limit: usize, is_top: bool) -> Vec<Element> {
    if limit == 0 {
        return Vec::new();
    }
    let mut lists: Vec<Heap<'_>> = memo.groups.iter().map(|_| Heap { kept: Vec::new(), is_top }).collect();
    for (element, &group) in elements.iter().zip(&memo.group_of) {
        lists[group as usize].offer(element, limit);
    }
    let sorted = lists.into_iter().flat_map(|mut heap| {
        heap.kept.sort_by(|a, b| map::by_value(a.value, b.value, is_top));
        heap.kept
    });
    sorted.cloned().collect()
}

/// A heap with the worst kept element at the root. Which of several equal elements is displaced is visible in the
/// answer, so it works step by step as Go's `container/heap`.
struct Heap<'a> {
    kept: Vec<&'a Element>,
    is_top: bool,
}

impl<'a> Heap<'a> {
    fn offer(&mut self, element: &'a Element, limit: usize) {
        if self.kept.len() < limit {
            self.kept.push(element);
            self.rise(self.kept.len() - 1);
            return;
        }
        let worst = self.kept[0].value;
        let is_better = if self.is_top { worst < element.value } else { worst > element.value };
        if is_better || (worst.is_nan() && !element.value.is_nan()) {
            self.kept[0] = element;
            self.sink(0);
        }
    }

    /// Whether the element at `a` belongs nearer to the root than the one at `b`.
    fn is_worse(&self, a: usize, b: usize) -> bool {
        let (a, b) = (self.kept[a].value, self.kept[b].value);
        a.is_nan() || if self.is_top { a < b } else { a > b }
    }

    fn rise(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.is_worse(at, parent) {
                return;
            }
            self.kept.swap(at, parent);
            at = parent;
        }
    }

    fn sink(&mut self, mut at: usize) {
        loop {
            let mut child = 2 * at + 1;
            if child >= self.kept.len() {
                return;
            }
            if child + 1 < self.kept.len() && self.is_worse(child + 1, child) {
                child += 1;
            }
            if !self.is_worse(child, at) {
                return;
            }
            self.kept.swap(at, child);
            at = child;
        }
    }
}

/// How often each value occurs, by the value's text.
fn count_values(label: &str, grouping: &LabelChoice, elements: &[Element]) -> Vec<Element> {
    let mut choice = grouping.clone();
    if !choice.is_without {
        choice.labels.push(label.to_owned());
    }
    let mut memo = GroupMemo::default();
    let valued: Vec<Element> = elements
        .iter()
        .map(|element| Element { labels: element.labels.with(label, &text(element.value)), value: element.value })
        .collect();
    groups_of(&mut memo, &valued, |labels| choice.of(labels));
    let counts = reduce(&Aggregation::Count, f64::NAN, &memo, valued.iter().map(|element| element.value));
    memo.groups.into_iter().zip(counts).map(|(labels, value)| Element { labels, value }).collect()
}

/// A value as Go prints it: shortest decimal, no exponent.
fn text(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        value.to_string()
    }
}
