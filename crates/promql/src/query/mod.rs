//! Queries: compiled once, evaluated often.
//!
//! The text is parsed by `promql-parser`; what it accepts beyond a stock Prometheus 3 server, and functions outside
//! the subset that autoscaling needs, are refused when a query is compiled. Evaluation knows float samples only.

mod aggregate;
mod binary;
mod calendar;
mod compile;
mod compile_operators;
mod durations;
mod eval;
mod histogram;
mod map;
mod outline;
mod over_range;
mod places;
mod plan;
mod relabel;
mod shape;
mod sums;
#[cfg(test)]
mod tests;
mod visit;

pub use outline::{AnswerType, Kept, Outline, SelectorUse};

use crate::labels::Labels;
use crate::matcher::Matcher;
use crate::storage::{Sample, Storage};
use plan::Node;

/// Why a query cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The text is not PromQL, or its types do not fit.
    #[error("cannot parse query {query:?}: {reason}")]
    Parse {
        /// The query as written.
        query: String,
        /// What the parser said.
        reason: String,
    },
    /// The function exists, but not here.
    #[error("query {query:?} uses function {function}, which is not supported; supported are: {supported}")]
    UnsupportedFunction {
        /// The query as written.
        query: String,
        /// Name of the function.
        function: String,
        /// What may be used instead.
        supported: String,
    },
    /// A server would accept the text and then fail at every evaluation.
    #[error("query {query:?} fails at every evaluation: {reason}")]
    NeverEvaluates {
        /// The query as written.
        query: String,
        /// What is wrong.
        reason: String,
    },
    /// The parser accepts something that a stock server refuses.
    #[error("query {query:?} uses {feature}, which a stock Prometheus server refuses")]
    UnsupportedFeature {
        /// The query as written.
        query: String,
        /// What was used.
        feature: String,
    },
}

/// Why a query has no answer. A server would reply with status 422.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// Two elements of a result would have equal labels, usually because the metric name was dropped.
    #[error("two elements of one vector have the same labels {0}")]
    DuplicateLabels(String),
    /// The side of an operation that must be unique is not.
    #[error("several series match the group {group} on the {side} side; labels must be unique on one side")]
    DuplicateSeries {
        /// Labels of the group.
        group: String,
        /// `left` or `right`.
        side: &'static str,
    },
    /// Several elements of the left side found the same element of the right side.
    #[error("several series on the left match {0}; say group_left or group_right if that is meant")]
    ImplicitManyToOne(String),
    /// A grouped match yields the same labels twice.
    #[error("several matches yield the labels {0}; grouping labels must make them unique")]
    AmbiguousGrouping(String),
    /// The count given to `topk` or `bottomk` is no count.
    #[error("{0} is not a number of elements")]
    BadCount(String),
}

/// Settings of the simulated server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long a sample without successor counts, in milliseconds.
    pub lookback_ms: i64,
    /// Step of subqueries that do not give one (the global evaluation interval), in milliseconds.
    pub subquery_step_ms: i64,
}

/// Prometheus' defaults: five minutes, one minute.
impl Default for Options {
    fn default() -> Self {
        Self { lookback_ms: 300_000, subquery_step_ms: 60_000 }
    }
}

/// One element of an instant vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// The answer to a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One number.
    Scalar(f64),
    /// An instant vector, empty if there is no data.
    Vector(Vec<Element>),
    /// A range vector: series with their samples.
    Matrix(Vec<(Labels, Vec<Sample>)>),
    /// A string.
    Text(String),
}

/// Which samples an evaluation used, to tell how old an answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleAges {
    /// Time of the newest sample used, in milliseconds.
    pub newest_ms: Option<i64>,
    /// Of the newest samples of each series, the oldest: how far the most outdated series lags, in milliseconds.
    pub stalest_ms: Option<i64>,
}

/// An answer and what it was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The answer.
    pub value: Value,
    /// Times of the samples used.
    pub ages: SampleAges,
}

/// Tells the names that are meant.
pub type IsNamed<'a> = &'a dyn Fn(&str) -> bool;

/// A compiled query with its caches. Cloning is cheap enough for one clone per run.
#[derive(Clone, Debug)]
pub struct Query {
    text: String,
    root: Node,
    /// All selectors, as compiled.
    selectors: Vec<visit::Reached>,
}

impl Query {
    /// Compiles a query; everything that can be refused without data is refused here.
    pub fn compile(text: &str) -> Result<Self, QueryError> {
        let mut root = compile::compile(text)?;
        let selectors = visit::reached(&mut root);
        Ok(Self { text: text.to_owned(), root, selectors })
    }

    /// The query as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What kind of answer it gives.
    pub fn answer_type(&self) -> AnswerType {
        match self.root {
            Node::Scalar(_) => AnswerType::Scalar,
            Node::Vector(_) => AnswerType::Vector,
            Node::Range(_) => AnswerType::Matrix,
            Node::Text(_) => AnswerType::Text,
        }
    }

    /// The answer as of `now_ms`. Samples later than that are not seen.
    pub fn evaluate(&mut self, storage: &Storage, now_ms: i64, options: Options) -> Result<Evaluation, EvalError> {
        eval::evaluate(&mut self.root, storage, now_ms, options)
    }

    /// How far before the query time samples can matter, in milliseconds. None if the query looks at a fixed time
    /// (`@`), so that no retention is enough in general.
    pub fn lookbehind_ms(&self, options: Options) -> Option<i64> {
        self.selectors.iter().try_fold(0, |far, reached| Some(far.max(reached.lookbehind_ms(options)?)))
    }

    /// The same if series are made of earlier samples themselves, as recording rules make them: `behind_ms` tells how much earlier those of
    /// the names are that it is asked about.
    pub fn lookbehind_through_ms(
        &self,
        options: Options,
        behind_ms: &mut dyn FnMut(IsNamed<'_>) -> i64,
    ) -> Option<i64> {
        self.selectors.iter().try_fold(0, |far: i64, reached| {
            let behind = behind_ms(&|name| reached.selector.is_name_match(name));
            Some(far.max(reached.lookbehind_ms(options)?.saturating_add(behind)))
        })
    }

    /// Whether any selector of the query would select a series with these labels. A producer of samples may leave
    /// out series that no query wants.
    pub fn wants(&self, labels: &Labels) -> bool {
        self.selectors.iter().any(|reached| reached.selector.is_match(labels))
    }

    /// The label sets the answer can have, if `series` are the label sets of all series there can be. Values play no part: what a
    /// comparison may filter out is in it.
    pub fn possible_labels(&self, series: &[Labels]) -> std::collections::BTreeSet<Labels> {
        shape::of_node(&self.root, series)
    }

    /// Whether a selector of the query could select a series of this name.
    pub fn wants_name(&self, name: &str) -> bool {
        self.selectors.iter().any(|reached| reached.selector.is_name_match(name))
    }

    /// Labels of the series that the query's first selector finds and that have something stored in
    /// `[from_ms, to_ms]`, as `/api/v1/series` answers.
    pub(crate) fn series<'a>(&self, storage: &'a Storage, from_ms: i64, to_ms: i64) -> Vec<&'a Labels> {
        let Some(visit::Reached { selector, .. }) = self.selectors.first() else { return Vec::new() };
        let candidates = storage.all_series(selector.name.as_deref());
        let found =
            candidates.filter(|(labels, place)| selector.is_match(labels) && storage.has_any(*place, from_ms, to_ms));
        found.map(|(labels, _)| labels).collect()
    }

    /// Adds conditions to every selector of the query.
    pub fn restrict(&mut self, matchers: &[Matcher]) {
        visit::restrict(&mut self.root, matchers);
        self.selectors = visit::reached(&mut self.root);
    }

    /// Gives the conditions that stand for each selector's [`BOUND_MATCHER`]. Returns the number of such selectors.
    pub fn bind(&mut self, matchers: &[Matcher]) -> usize {
        visit::bind(&mut self.root, matchers)
    }
}

/// A matcher which, written in a selector, stands for conditions given later by [`Query::bind`]. It spares compiling
/// a query again for each new list of pods.
pub const BOUND_MATCHER: &str = r#"__bound__="later""#;
