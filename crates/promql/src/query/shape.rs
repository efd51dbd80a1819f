//! Which label sets a query can answer with, told from the label sets of the series there can be.
//!
//! It follows labels through the plan and leaves values alone: a comparison that filters may let everything pass. What it gives is
//! therefore everything possible, which is what somebody who reads the answer under another name has to know.

use std::collections::BTreeSet;

use super::binary::result_labels;
use super::plan::{
    Aggregate, Aggregation, Cardinality, Match, Node, RangeFunction, RangeNode, Selector, SetOperator, VectorNode,
};
use super::relabel;
use crate::labels::Labels;

type Sets = BTreeSet<Labels>;

/// The possible label sets of an answer; for a scalar the empty set.
pub(super) fn of_node(node: &Node, series: &[Labels]) -> Sets {
    match node {
        Node::Scalar(_) => Sets::from([Labels::empty()]),
        Node::Vector(vector) => of_vector(vector, series),
        Node::Range(range) => of_range(range, series),
        Node::Text(_) => Sets::new(),
    }
}

fn of_vector(node: &VectorNode, series: &[Labels]) -> Sets {
    let nameless = |sets: Sets| sets.iter().map(Labels::without_name).collect();
    match node {
        VectorNode::Selector(selector) => selected(selector, series),
        VectorNode::FromScalar(_) => Sets::from([Labels::empty()]),
        VectorNode::SampleTime(selector) => nameless(selected(selector, series)),
        VectorNode::Negate(operand) | VectorNode::ElementTime(operand) | VectorNode::Map { operand, .. } => {
            nameless(of_vector(operand, series))
        }
        VectorNode::OverRange(over) => {
            let sets = of_range(&over.range, series);
            let keeps_name = matches!(over.function, RangeFunction::First | RangeFunction::Last);
            if keeps_name { sets } else { nameless(sets) }
        }
        VectorNode::Absent { labels, .. } | VectorNode::AbsentOverTime { labels, .. } => Sets::from([labels.clone()]),
        VectorNode::Sort { operand, .. } => of_vector(operand, series),
        VectorNode::Relabel(operation) => {
            let operand = of_vector(&operation.operand, series);
            operand.iter().map(|labels| relabel::apply(&operation.rule, labels)).collect()
        }
        VectorNode::Histogram(histogram) => {
            let operand = of_vector(&histogram.operand, series);
            let buckets = operand.iter().filter(|labels| !labels.get("le").is_empty());
            buckets.map(|labels| labels.without_name().filtered(|name| name != "le")).collect()
        }
        VectorNode::Aggregate(aggregate) => aggregated(aggregate, series),
        VectorNode::WithScalar(operation) => {
            let operand = of_vector(&operation.vector, series);
            let is_filter = operation.operator.is_comparison() && !operation.is_bool;
            if is_filter { operand } else { nameless(operand) }
        }
        VectorNode::Match(operation) => matched(operation, series),
        VectorNode::Set(operation) => {
            let mut left = of_vector(&operation.left, series);
            if operation.operator == SetOperator::Or {
                left.extend(of_vector(&operation.right, series));
            }
            left
        }
    }
}

fn of_range(node: &RangeNode, series: &[Labels]) -> Sets {
    match node {
        RangeNode::Selector { selector, .. } => selected(selector, series),
        RangeNode::Subquery { operand, .. } => of_vector(operand, series),
    }
}

fn selected(selector: &Selector, series: &[Labels]) -> Sets {
    series.iter().filter(|labels| selector.is_match(labels)).cloned().collect()
}

fn aggregated(aggregate: &Aggregate, series: &[Labels]) -> Sets {
    let operand = of_vector(&aggregate.operand, series);
    let groups = operand.iter().map(|labels| aggregate.grouping.of(labels));
    match &aggregate.operator {
        Aggregation::Top(_) | Aggregation::Bottom(_) => operand,
        // The value becomes a label; which, nobody knows before.
        Aggregation::CountValues(label) => groups.map(|labels| labels.with(label, "0")).collect(),
        _ => groups.collect(),
    }
}

fn matched(operation: &Match, series: &[Labels]) -> Sets {
    let (left, right) = (of_vector(&operation.left, series), of_vector(&operation.right, series));
    let is_right_many = matches!(operation.cardinality, Cardinality::OneToMany(_));
    let (many, one) = if is_right_many { (right, left) } else { (left, right) };
    let mut results = Sets::new();
    for labels in &many {
        let signature = operation.signature.of(labels);
        let partners = one.iter().filter(|partner| operation.signature.of(partner) == signature);
        results.extend(partners.map(|partner| result_labels(operation, labels, partner)));
    }
    results
}

#[cfg(test)]
mod tests {
    use crate::labels::{Labels, METRIC_NAME};
    use crate::query::Query;

    fn shape(query: &str) -> String {
        let pod = |name: &'static str, pod: &'static str| {
            Labels::new([(METRIC_NAME, name), ("namespace", "ml"), ("pod", pod), ("job", "llm")])
        };
        let bucket = pod("ttft_bucket", "a").with("le", "0.5");
        let series = [pod("queue", "a"), pod("queue", "b"), pod("slots", "a"), bucket];
        let sets = Query::compile(query).expect("valid").possible_labels(&series);
        sets.iter().map(Labels::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn aggregations_group_and_functions_drop_the_name() {
        assert_eq!(shape("sum by (namespace) (queue)"), r#"{namespace="ml"}"#);
        assert_eq!(shape("rate(queue{pod=\"a\"}[1m])"), r#"{job="llm", namespace="ml", pod="a"}"#);
        assert_eq!(shape("last_over_time(slots[1m])"), r#"slots{job="llm", namespace="ml", pod="a"}"#);
        assert_eq!(shape("histogram_quantile(0.9, sum by (le, job) (rate(ttft_bucket[5m])))"), r#"{job="llm"}"#);
        assert_eq!(shape("sum(absent_metric)"), "");
        assert_eq!(shape("vector(1)"), "{}");
    }

    #[test]
    fn a_filter_may_let_everything_pass_and_a_match_needs_a_partner() {
        assert_eq!(shape("sum without (pod, job) (queue) > 100"), r#"{namespace="ml"}"#);
        assert_eq!(shape("queue / on (pod) slots"), r#"{pod="a"}"#);
        assert_eq!(shape("queue - on (pod) group_left () slots"), r#"{job="llm", namespace="ml", pod="a"}"#);
    }

    #[test]
    fn label_replace_and_or_are_followed() {
        assert_eq!(
            shape("label_replace(sum by (pod) (slots), \"x\", \"$1!\", \"pod\", \"(.*)\") or sum(queue)"),
            r#"{} {pod="a", x="a!"}"#
        );
    }
}
