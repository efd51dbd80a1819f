//! Label sets: what identifies a series or an element of a result.
//!
//! A set is immutable and shared: cloning is a reference count, and so is dropping the metric name, which only hides
//! it. Query nodes recognise a set they saw before by its address.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The label that holds the metric name.
pub const METRIC_NAME: &str = "__name__";

type Pair = (Arc<str>, Arc<str>);

/// A label set, sorted by label name. Empty values are never stored: they mean "label absent".
#[derive(Clone)]
pub struct Labels {
    set: Arc<LabelSet>,
    /// Never set on a set without a name.
    is_name_hidden: bool,
}

struct LabelSet {
    pairs: Box<[Pair]>,
    /// Index of the metric name.
    name_at: Option<usize>,
}

impl Labels {
    /// The set without labels.
    pub fn empty() -> Self {
        Self::from_sorted(Vec::new())
    }

    /// A set from label names and values in any order. Of two values for one name the last wins; empty values are
    /// left out.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut sorted: Vec<Pair> = Vec::new();
        for (name, value) in pairs {
            let (name, value) = (name.into(), value.into());
            match sorted.binary_search_by(|pair| pair.0.cmp(&name)) {
                Ok(at) => sorted[at].1 = value,
                Err(at) => sorted.insert(at, (name, value)),
            }
        }
        sorted.retain(|pair| !pair.1.is_empty());
        Self::from_sorted(sorted)
    }

    fn from_sorted(pairs: Vec<Pair>) -> Self {
        let name_at = pairs.iter().position(|pair| &*pair.0 == METRIC_NAME);
        Self { set: Arc::new(LabelSet { pairs: pairs.into_boxed_slice(), name_at }), is_name_hidden: false }
    }

    /// The value of a label, or the empty string if it is absent.
    pub fn get(&self, name: &str) -> &str {
        self.pairs().find(|pair| &*pair.0 == name).map_or("", |pair| &*pair.1)
    }

    /// The metric name, or the empty string.
    pub fn metric_name(&self) -> &str {
        match self.set.name_at {
            Some(at) if !self.is_name_hidden => &self.set.pairs[at].1,
            _ => "",
        }
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs().map(|pair| (&*pair.0, &*pair.1))
    }

    /// Names and values, shared.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = &(Arc<str>, Arc<str>)> {
        let (before, after) = match self.set.name_at {
            Some(at) if self.is_name_hidden => (&self.set.pairs[..at], &self.set.pairs[at + 1..]),
            _ => (&self.set.pairs[..], &[][..]),
        };
        before.iter().chain(after)
    }

    /// Number of labels.
    pub fn len(&self) -> usize {
        self.set.pairs.len() - usize::from(self.is_name_hidden)
    }

    /// Whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether both are the very same object: equal for sure, at the cost of one comparison of addresses.
    pub(crate) fn is_same_object(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.set, &other.set) && self.is_name_hidden == other.is_name_hidden
    }

    /// This set without the metric name. Costs a reference count.
    #[must_use]
    pub fn without_name(&self) -> Self {
        Self { set: self.set.clone(), is_name_hidden: self.set.name_at.is_some() }
    }

    /// This set with only the labels whose name passes.
    #[must_use]
    pub fn filtered(&self, mut keep: impl FnMut(&str) -> bool) -> Self {
        Self::from_sorted(self.pairs().filter(|pair| keep(&pair.0)).cloned().collect())
    }

    /// This set with one label set, or removed if `value` is empty.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut pairs: Vec<Pair> = self.pairs().cloned().collect();
        match (pairs.binary_search_by(|pair| (*pair.0).cmp(name)), value.is_empty()) {
            (Ok(at), true) => drop(pairs.remove(at)),
            (Ok(at), false) => pairs[at].1 = value.into(),
            (Err(_), true) => {}
            (Err(at), false) => pairs.insert(at, (name.into(), value.into())),
        }
        Self::from_sorted(pairs)
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        self.is_same_object(other) || self.pairs().eq(other.pairs())
    }
}

impl Eq for Labels {}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Pair by pair, a shorter set before a longer one that begins with it: the order in which Prometheus visits series.
impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.is_same_object(other) { Ordering::Equal } else { self.pairs().cmp(other.pairs()) }
    }
}

/// As Prometheus writes it: `name{a="1", b="2"}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.metric_name();
        f.write_str(name)?;
        let rest: Vec<String> =
            self.iter().filter(|(key, _)| *key != METRIC_NAME).map(|(key, value)| format!("{key}={value:?}")).collect();
        if name.is_empty() || !rest.is_empty() { write!(f, "{{{}}}", rest.join(", ")) } else { Ok(()) }
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_value_is_an_absent_label() {
        let labels = Labels::new([("b", "2"), ("a", ""), (METRIC_NAME, "m")]);
        assert_eq!(labels.to_string(), r#"m{b="2"}"#);
        assert_eq!(labels.with("b", ""), Labels::new([(METRIC_NAME, "m")]));
    }

    #[test]
    fn dropping_the_name_twice_gives_the_same_object() {
        let labels = Labels::new([("b", "2"), (METRIC_NAME, "m")]);
        let nameless = labels.without_name();
        assert!(nameless.is_same_object(&labels.without_name().without_name()));
        assert_eq!(nameless, Labels::new([("b", "2")]));
        assert_eq!((nameless.metric_name(), nameless.get(METRIC_NAME), nameless.len()), ("", "", 1));
    }

    #[test]
    fn a_shorter_set_sorts_before_a_longer_one_that_begins_with_it() {
        let short = Labels::new([("a", "1")]);
        let long = Labels::new([("a", "1"), ("b", "0")]);
        assert!(short < long && Labels::empty() < short);
    }
}
