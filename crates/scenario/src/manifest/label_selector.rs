//! Label selectors, as Services, monitors and pools choose pods by them.

use std::collections::BTreeMap;

use crate::tree::Node;

/// A selector: every condition must hold. Without conditions it selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
}

impl Condition {
    fn of_query(text: &str) -> Option<Self> {
        let one = |value: &str| vec![value.trim().to_owned()];
        let (key, test) = if let Some((words, values)) = text.strip_suffix(')').and_then(|text| text.split_once('(')) {
            let values = values.split(',').map(|value| value.trim().to_owned()).collect();
            match words.split_whitespace().collect::<Vec<_>>()[..] {
                [key, "in"] => (key, Test::In(values)),
                [key, "notin"] => (key, Test::NotIn(values)),
                _ => return None,
            }
        } else if let Some((key, value)) = text.split_once("!=") {
            (key, Test::NotIn(one(value)))
        } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
            (key, Test::In(one(value)))
        } else {
            text.strip_prefix('!').map_or((text, Test::Exists), |key| (key, Test::DoesNotExist))
        };
        let key = key.trim();
        (!key.is_empty() && !key.contains([' ', '(', ')'])).then(|| Self { key: key.to_owned(), test })
    }
}

impl LabelSelector {
    /// A selector with `matchLabels` and `matchExpressions`. An operator that there is not selects nothing, as the API refuses it.
    pub fn read(node: &Node) -> Self {
        let mut selector = node.get("matchLabels").map(Self::of_labels).unwrap_or_default();
        for expression in node.get("matchExpressions").map(Node::items).unwrap_or_default() {
            let text = |key: &str| expression.get(key).and_then(Node::text).unwrap_or_default();
            let values = expression.get("values").map(Node::items).unwrap_or_default();
            let values: Vec<String> = values.iter().filter_map(Node::text).map(str::to_owned).collect();
            let test = match text("operator") {
                "NotIn" => Test::NotIn(values),
                "Exists" => Test::Exists,
                "DoesNotExist" => Test::DoesNotExist,
                _ => Test::In(values),
            };
            selector.conditions.push(Condition { key: text("key").to_owned(), test });
        }
        selector
    }

    /// The form of a query: `app=web,tier!=db,zone in (a, b),!canary`. `None` if it is none.
    pub fn of_query(text: &str) -> Option<Self> {
        let mut depth = 0_usize;
        let requirements = text.split(|letter| {
            match letter {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            letter == ',' && depth == 0
        });
        let conditions = requirements.map(str::trim).filter(|one| !one.is_empty()).map(Condition::of_query);
        Some(Self { conditions: conditions.collect::<Option<_>>()? })
    }

    /// The plain form of a Service: labels that must be equal.
    pub fn of_labels(node: &Node) -> Self {
        let equal = node.entries().iter().filter_map(|entry| {
            let test = Test::In(vec![entry.value.text()?.to_owned()]);
            Some(Condition { key: entry.key.clone(), test })
        });
        Self { conditions: equal.collect() }
    }

    /// Whether it has no condition.
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    /// Whether it selects an object with these labels.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.conditions.iter().all(|condition| {
            let value = labels.get(&condition.key);
            match &condition.test {
                Test::In(values) => value.is_some_and(|value| values.contains(value)),
                Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Test::Exists => value.is_some(),
                Test::DoesNotExist => value.is_none(),
            }
        })
    }

    /// Labels that what it selects must have, with the only value they may have.
    pub fn demanded(&self) -> impl Iterator<Item = (&str, &str)> {
        self.conditions.iter().filter_map(|condition| match &condition.test {
            Test::In(values) => match values.as_slice() {
                [only] => Some((condition.key.as_str(), only.as_str())),
                _ => None,
            },
            _ => None,
        })
    }

    /// All keys and values that it asks for.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.conditions.iter().flat_map(|condition| {
            let values = match &condition.test {
                Test::In(values) => values.as_slice(),
                _ => &[],
            };
            values.iter().chain([&condition.key]).map(String::as_str)
        })
    }
}

/// The text entries of a mapping of labels or annotations.
pub fn text_map(node: Option<&Node>) -> BTreeMap<String, String> {
    let entries = node.map(Node::entries).unwrap_or_default();
    entries.iter().filter_map(|entry| Some((entry.key.clone(), entry.value.text()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse_value;

    fn selects(selector: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        LabelSelector::read(&parse_value("test", selector).unwrap()).selects(&labels)
    }

    #[test]
    fn a_query_has_the_forms_that_kubectl_takes() {
        let selects = |query: &str| {
            let labels = [("app", "llm"), ("tier", "prod")].map(|(key, value)| (key.to_owned(), value.to_owned()));
            LabelSelector::of_query(query).map(|selector| selector.selects(&labels.into()))
        };
        for query in ["app=llm", "app == llm, tier", "app in (a, llm),tier!=test", "!zone,tier notin (a,b)", ""] {
            assert_eq!(selects(query), Some(true), "{query}");
        }
        for query in ["app=a", "app=llm,tier in (test)", "!app", "zone", "tier notin (prod)"] {
            assert_eq!(selects(query), Some(false), "{query}");
        }
        for query in ["app within (a)", "app in a", "=llm", "app in (a"] {
            assert_eq!(selects(query), None, "{query}");
        }
    }

    #[test]
    fn every_condition_must_hold_and_an_absent_label_is_in_no_list() {
        let selector = "{matchLabels: {app: llm}, matchExpressions: [{key: tier, operator: NotIn, values: [test]}]}";
        assert!(selects(selector, &[("app", "llm")]));
        assert!(!selects(selector, &[("app", "llm"), ("tier", "test")]));
        assert!(!selects(selector, &[("tier", "prod")]));
        assert!(!selects("{matchExpressions: [{key: a, operator: In, values: [x]}]}", &[]));
        assert!(selects("{matchExpressions: [{key: a, operator: DoesNotExist}]}", &[("b", "x")]));
        assert!(selects("{}", &[("b", "x")]));
    }
}
