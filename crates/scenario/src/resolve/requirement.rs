//! The algebra of node requirements: what a set of `In`, `NotIn`, `Exists`, `DoesNotExist` and bounds on one key admits.
//!
//! As `karpenter/pkg/scheduling/requirement.go`. It knows labels by their text only.

use std::collections::BTreeSet;

use prices::Label;

use crate::manifest::{Operator, Requirement};

/// The values that a key may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueSet {
    /// All values but those listed.
    is_complement: bool,
    values: BTreeSet<String>,
    least: Option<u64>,
    most: Option<u64>,
}

impl ValueSet {
    /// What one requirement admits; what is wrong with it, if it is none.
    pub fn of(rule: &Requirement) -> Result<Self, String> {
        let key = &rule.key;
        let values: BTreeSet<String> = rule.values.iter().cloned().collect();
        let bound = || match &rule.values[..] {
            [text] => text.parse::<u64>().map_err(|_| format!("`{key}`: a bound is one whole number, found `{text}`")),
            _ => Err(format!("`{key}`: {:?} takes one value, found {}", rule.operator, rule.values.len())),
        };
        let open = Self { is_complement: true, values: BTreeSet::new(), least: None, most: None };
        Ok(match rule.operator {
            Operator::In if values.is_empty() => return Err(format!("`{key}`: In without values admits nothing")),
            Operator::In => Self { is_complement: false, values, ..open },
            Operator::NotIn => Self { values, ..open },
            Operator::Exists => open,
            Operator::DoesNotExist => Self { is_complement: false, ..open },
            Operator::Gt => Self { least: Some(bound()?.saturating_add(1)), ..open },
            Operator::Gte => Self { least: Some(bound()?), ..open },
            Operator::Lt => match bound()?.checked_sub(1) {
                Some(most) => Self { most: Some(most), ..open },
                None => Self { is_complement: false, ..open },
            },
            Operator::Lte => Self { most: Some(bound()?), ..open },
        })
    }

    /// What both admit.
    pub fn and(&self, other: &Self) -> Self {
        let least = self.least.max(other.least);
        let most = match (self.most, other.most) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        if let (Some(least), Some(most)) = (least, most)
            && least > most
        {
            return Self { is_complement: false, values: BTreeSet::new(), least: None, most: None };
        }
        let values: BTreeSet<String> = match (self.is_complement, other.is_complement) {
            (true, true) => self.values.union(&other.values).cloned().collect(),
            (true, false) => other.values.difference(&self.values).cloned().collect(),
            (false, true) => self.values.difference(&other.values).cloned().collect(),
            (false, false) => self.values.intersection(&other.values).cloned().collect(),
        };
        let values = values.into_iter().filter(|value| is_within(value, least, most)).collect();
        let is_complement = self.is_complement && other.is_complement;
        let bounds = |bound: Option<u64>| bound.filter(|_| is_complement);
        Self { is_complement, values, least: bounds(least), most: bounds(most) }
    }

    /// Whether the key may have this value.
    pub fn admits(&self, value: &str) -> bool {
        self.values.contains(value) != self.is_complement && is_within(value, self.least, self.most)
    }

    /// Whether the key may be absent: under `NotIn` and `DoesNotExist` only.
    pub fn admits_absence(&self) -> bool {
        self.values.is_empty() != self.is_complement
    }

    /// Whether nodes with this label are admitted. What is not known is taken as met.
    pub fn meets(&self, label: &Label) -> bool {
        match label {
            Label::Value(value) => self.admits(value),
            Label::Absent => self.admits_absence(),
            Label::Opaque => true,
        }
    }

    /// The values listed, where only those are admitted.
    pub fn listed(&self) -> Option<&BTreeSet<String>> {
        (!self.is_complement).then_some(&self.values)
    }
}

fn is_within(value: &str, least: Option<u64>, most: Option<u64>) -> bool {
    if least.is_none() && most.is_none() {
        return true;
    }
    let Ok(number) = value.parse::<u64>() else { return false };
    least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(operator: Operator, values: &[&str]) -> ValueSet {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        ValueSet::of(&Requirement { key: "key".to_owned(), operator, values, min_values: None }).unwrap()
    }

    #[test]
    fn an_absent_label_passes_not_in_and_does_not_exist_alone() {
        use Operator::{DoesNotExist, Exists, Gt, In, Lt, NotIn};
        let passes = |operator, values: &[&str]| set(operator, values).meets(&Label::Absent);
        assert!(passes(NotIn, &["8"]) && passes(DoesNotExist, &[]));
        assert!(!passes(In, &["8"]) && !passes(Exists, &[]) && !passes(Gt, &["1"]) && !passes(Lt, &["9"]));
    }

    #[test]
    fn bounds_hold_for_whole_numbers_only() {
        use Operator::{Gt, Gte, Lt, Lte};
        assert!(set(Gt, &["4"]).admits("5") && !set(Gt, &["4"]).admits("4") && set(Gte, &["4"]).admits("4"));
        assert!(set(Lt, &["4"]).admits("3") && !set(Lt, &["4"]).admits("4") && set(Lte, &["4"]).admits("4"));
        assert!(!set(Gt, &["4"]).admits("4.5") && !set(Gt, &["4"]).admits("large"));
        assert!(!set(Lt, &["0"]).admits("0"));
    }

    #[test]
    fn requirements_on_one_key_intersect() {
        use Operator::{Gt, In, Lt, NotIn};
        let few = set(In, &["g4dn", "g5", "g6"]).and(&set(NotIn, &["g4dn"]));
        assert!(few.admits("g5") && !few.admits("g4dn") && !few.admits("p5"));
        let between = set(In, &["1", "4", "8"]).and(&set(Gt, &["1"])).and(&set(Lt, &["8"]));
        assert_eq!(between, set(In, &["4"]));
        // Bounds that cross leave only nodes without the label.
        let crossed = set(Gt, &["8"]).and(&set(Lt, &["4"]));
        assert!(crossed.admits_absence() && !crossed.admits("6"));
    }
}
