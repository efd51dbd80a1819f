//! Recording rules: queries evaluated at an interval, their answers stored under names of their own.
//!
//! Follows Prometheus' `rules/group.go` and `rules/recording.go`. A group knows when it is due and what it stored last; who calls it at
//! those times, and where rules are written, it does not know.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::labels::{Labels, METRIC_NAME};
use crate::matcher::Matcher;
use crate::query::{AnswerType, EvalError, Options, Query, Value};
use crate::storage::Storage;

/// A rule as its user wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleConfig {
    /// `record`: the name to store under.
    pub record: String,
    /// `expr`.
    pub expression: String,
    /// `labels`: written over those of the answer; an empty value takes the label out.
    pub labels: BTreeMap<String, String>,
}

/// A group as its user wrote it, defaults filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupConfig {
    /// Name, for messages.
    pub name: String,
    /// Time between evaluations, in milliseconds.
    pub interval_ms: i64,
    /// How far before the evaluation time queries look, in milliseconds.
    pub query_offset_ms: i64,
    /// Most elements a rule may give; 0 for any number.
    pub limit: usize,
    /// `labels` of the group; those of a rule win.
    pub labels: BTreeMap<String, String>,
    /// Labels that every selector is limited to and every result carries: what Google's `Rules` do with their namespace.
    pub scope: BTreeMap<String, String>,
    /// Recording rules, in order. Alerts are none of ours.
    pub rules: Vec<RuleConfig>,
}

/// Why a rule is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The expression is no query.
    #[error(transparent)]
    Query(#[from] crate::QueryError),
    /// The answer could not be stored.
    #[error("query {query:?} gives {found}; a recording rule stores an instant vector or a scalar")]
    Type {
        /// The query.
        query: String,
        /// What it gives.
        found: &'static str,
    },
    /// The name is none.
    #[error("{name:?} is not a metric name")]
    Name {
        /// As written.
        name: String,
    },
    /// A label is none, or is the name.
    #[error("{name:?} is not a label a rule may write")]
    Label {
        /// As written.
        name: String,
    },
}

/// Why one evaluation of a rule stored nothing. What it stored before lives on until the lookback ends it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleFailure {
    /// The query failed.
    #[error(transparent)]
    Query(#[from] EvalError),
    /// Two elements have the same labels once those of the rule are written.
    #[error("two elements have the labels {0} once those of the rule are written")]
    SameLabels(String),
    /// More elements than the group allows.
    #[error("{found} elements, and the group's limit is {limit}")]
    Limit {
        /// Elements of the answer.
        found: usize,
        /// `limit`.
        limit: usize,
    },
}

/// A checked rule and what it stored at its last good evaluation.
#[derive(Clone, Debug)]
pub struct RecordingRule {
    record: String,
    query: Query,
    labels: Vec<(String, String)>,
    stored: BTreeSet<Labels>,
}

/// A checked group.
#[derive(Clone, Debug)]
pub struct RuleGroup {
    name: String,
    interval_ms: i64,
    phase_ms: i64,
    query_offset_ms: i64,
    limit: usize,
    rules: Vec<RecordingRule>,
}

impl RecordingRule {
    /// Checks a rule of a group.
    pub fn new(config: &RuleConfig, group: &GroupConfig) -> Result<Self, RuleError> {
        if !is_metric_name(&config.record) {
            return Err(RuleError::Name { name: config.record.clone() });
        }
        let mut query = Query::compile(&config.expression)?;
        let scope: Vec<Matcher> = group.scope.iter().map(|(name, value)| Matcher::equal(name, value)).collect();
        query.restrict(&scope);
        let found = match query.answer_type() {
            AnswerType::Scalar | AnswerType::Vector => "",
            AnswerType::Matrix => "a range vector",
            AnswerType::Text => "a string",
        };
        if !found.is_empty() {
            return Err(RuleError::Type { query: config.expression.clone(), found });
        }
        let mut labels = group.labels.clone();
        labels.extend(config.labels.clone());
        labels.extend(group.scope.clone());
        let is_writable = |name: &str| name != METRIC_NAME && crate::relabel::is_label_name(name);
        if let Some(name) = labels.keys().find(|name| !is_writable(name)) {
            return Err(RuleError::Label { name: name.clone() });
        }
        Ok(Self { record: config.record.clone(), query, labels: labels.into_iter().collect(), stored: BTreeSet::new() })
    }

    /// The name it stores under.
    pub fn record(&self) -> &str {
        &self.record
    }

    /// The query it stores the answer of.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// Labels it writes over those of the answer.
    pub fn labels(&self) -> &[(String, String)] {
        &self.labels
    }

    /// What an element of the answer is stored as.
    pub fn stored_labels(&self, answered: &Labels) -> Labels {
        let named = answered.with(METRIC_NAME, &self.record);
        self.labels.iter().fold(named, |labels, (name, value)| labels.with(name, value))
    }

    /// The elements to store.
    fn elements(
        &mut self,
        storage: &Storage,
        at_ms: i64,
        settings: (Options, usize),
    ) -> Result<BTreeMap<Labels, f64>, RuleFailure> {
        let (options, limit) = settings;
        let answered: Vec<(Labels, f64)> = match self.query.evaluate(storage, at_ms, options)?.value {
            Value::Scalar(value) => vec![(Labels::empty(), value)],
            Value::Vector(elements) => elements.into_iter().map(|element| (element.labels, element.value)).collect(),
            Value::Matrix(_) | Value::Text(_) => unreachable!("the type was checked"),
        };
        let found = answered.len();
        let mut elements = BTreeMap::new();
        for (labels, value) in answered {
            let labels = self.stored_labels(&labels);
            if elements.insert(labels.clone(), value).is_some() {
                return Err(RuleFailure::SameLabels(labels.to_string()));
            }
        }
        if limit > 0 && found > limit {
            return Err(RuleFailure::Limit { found, limit });
        }
        Ok(elements)
    }

    fn store(&mut self, storage: &mut Storage, at_ms: i64, elements: BTreeMap<Labels, f64>) {
        let before = std::mem::take(&mut self.stored);
        for (labels, value) in elements {
            // A series that a scrape gives belongs to its target: what the rule says is out of order there.
            let Some(id) = storage.own_series(&labels) else { continue };
            if storage.append(id, at_ms, value) {
                self.stored.insert(labels);
            }
        }
        for labels in before.difference(&self.stored) {
            storage.end_series(labels, at_ms);
        }
    }
}

impl RuleGroup {
    /// Checks a group. On failure: the index of the rule, and what is wrong with it. Groups are spread over their interval: `phase_ms`
    /// is the offset of this one's evaluations within it.
    pub fn new(config: &GroupConfig, phase_ms: i64) -> Result<Self, (usize, RuleError)> {
        let mut rules = Vec::with_capacity(config.rules.len());
        for (index, rule) in config.rules.iter().enumerate() {
            rules.push(RecordingRule::new(rule, config).map_err(|error| (index, error))?);
        }
        Ok(Self {
            name: config.name.clone(),
            interval_ms: config.interval_ms.max(1),
            phase_ms: phase_ms.rem_euclid(config.interval_ms.max(1)),
            query_offset_ms: config.query_offset_ms,
            limit: config.limit,
            rules,
        })
    }

    /// The same group with other evaluation times.
    pub fn with_phase(self, phase_ms: i64) -> Self {
        Self { phase_ms: phase_ms.rem_euclid(self.interval_ms), ..self }
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Time between evaluations, in milliseconds.
    pub fn interval_ms(&self) -> i64 {
        self.interval_ms
    }

    /// How far before an evaluation its queries are asked, in milliseconds.
    pub fn query_offset_ms(&self) -> i64 {
        self.query_offset_ms
    }

    /// Its rules, in order.
    pub fn rules(&self) -> &[RecordingRule] {
        &self.rules
    }

    /// Time of the first evaluation after `t_ms`. Slots that nobody used are not made up for.
    pub fn next_after_ms(&self, t_ms: i64) -> i64 {
        let slot = (t_ms - self.phase_ms).div_euclid(self.interval_ms) + 1;
        self.phase_ms + slot * self.interval_ms
    }

    /// How far before an evaluation samples can matter, in milliseconds; None if a query looks at a fixed time.
    pub fn lookbehind_ms(&self, options: Options) -> Option<i64> {
        let needed = self.rules.iter().map(|rule| rule.query.lookbehind_ms(options));
        needed.into_iter().try_fold(0, |far, needed| Some(far.max(needed? + self.query_offset_ms)))
    }

    /// Whether any of its queries would select a series with these labels.
    pub fn wants(&self, labels: &Labels) -> bool {
        self.rules.iter().any(|rule| rule.query.wants(labels))
    }

    /// Whether any of its queries could select a series of this name.
    pub fn wants_name(&self, name: &str) -> bool {
        self.rules.iter().any(|rule| rule.query.wants_name(name))
    }

    /// Evaluates the rules in order, each seeing what those before it stored. Returns which ones stored nothing, and why.
    pub fn evaluate(&mut self, storage: &mut Storage, now_ms: i64, options: Options) -> Vec<(usize, RuleFailure)> {
        let at_ms = now_ms - self.query_offset_ms;
        let mut failures = Vec::new();
        for (index, rule) in self.rules.iter_mut().enumerate() {
            match rule.elements(storage, at_ms, (options, self.limit)) {
                Ok(elements) => rule.store(storage, at_ms, elements),
                Err(failure) => failures.push((index, failure)),
            }
        }
        failures
    }
}

/// Which groups are worth evaluating: those that record a name somebody reads, and those that such groups read from in turn. `is_read`
/// tells whether a query outside the rules selects series of a name.
pub fn reached(groups: &[RuleGroup], is_read: impl Fn(&str) -> bool) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    loop {
        let is_wanted =
            |name: &str| is_read(name) || reached.iter().any(|&index: &usize| groups[index].wants_name(name));
        let new: Vec<usize> = (0..groups.len())
            .filter(|index| !reached.contains(index))
            .filter(|&index| groups[index].rules.iter().any(|rule| is_wanted(&rule.record)))
            .collect();
        if new.is_empty() {
            return reached;
        }
        reached.extend(new);
    }
}

/// Names of rules that read their own results, through whatever other rules: each turn adds an interval of delay, and a value may feed
/// itself. It is legal; who writes it should know.
pub fn cycles(groups: &[RuleGroup]) -> BTreeSet<String> {
    let rules: Vec<&RecordingRule> = groups.iter().flat_map(|group| &group.rules).collect();
    let read_by = |rule: &RecordingRule| -> BTreeSet<&str> {
        rules.iter().map(|other| other.record.as_str()).filter(|name| rule.query.wants_name(name)).collect()
    };
    let direct: BTreeMap<&str, BTreeSet<&str>> = rules.iter().fold(BTreeMap::new(), |mut all, rule| {
        all.entry(rule.record.as_str()).or_insert_with(BTreeSet::new).extend(read_by(rule));
        all
    });
    let reaches_itself = |name: &str| {
        let mut open: Vec<&str> = direct.get(name).into_iter().flatten().copied().collect();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        while let Some(next) = open.pop() {
            if next == name {
                return true;
            }
            if seen.insert(next) {
                open.extend(direct.get(next).into_iter().flatten().copied());
            }
        }
        false
    };
    direct.keys().filter(|name| reaches_itself(name)).map(|&name| name.to_owned()).collect()
}

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`.
fn is_metric_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | ':'))
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}
