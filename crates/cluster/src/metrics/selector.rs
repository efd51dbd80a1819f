//! The selector of a metric in the adapter's terms.

use policy::{LabelCondition, LabelTest};
use promql::adapter::{Requirement, SelectorOperator};

/// A metric's selector as prometheus-adapter and GKE's adapter get it.
pub fn requirements(selector: &[LabelCondition]) -> Vec<Requirement> {
    let requirement = |condition: &LabelCondition| {
        let (operator, values) = match &condition.test {
            LabelTest::Equals(value) => (SelectorOperator::Equals, vec![value.clone()]),
            LabelTest::In(values) => (SelectorOperator::In, values.clone()),
            LabelTest::NotIn(values) => (SelectorOperator::NotIn, values.clone()),
            LabelTest::Exists => (SelectorOperator::Exists, Vec::new()),
            LabelTest::DoesNotExist => (SelectorOperator::DoesNotExist, Vec::new()),
        };
        Requirement { key: condition.key.clone(), operator, values }
    };
    selector.iter().map(requirement).collect()
}
