//! The compiled form of a query: a tree in which every node has one known type, with what it remembers.
//!
//! What a node remembers depends on label sets only, never on values, and is checked against the very objects it was
//! made from. Forgetting it would change the cost of an evaluation, not its answer.

use std::sync::Arc;

use crate::labels::Labels;
use crate::matcher::Matcher;
use crate::query::EvalError;
use crate::storage::{Place, Sample};

/// A node that yields one number.
#[derive(Clone, Debug)]
pub(super) enum ScalarNode {
    Number(f64),
    /// Evaluation time in seconds.
    Time,
    /// `scalar(v)`.
    Only(Box<VectorNode>),
    Negate(Box<ScalarNode>),
    Binary {
        operator: Operator,
        left: Box<ScalarNode>,
        right: Box<ScalarNode>,
    },
}

/// A node that yields an instant vector.
#[derive(Clone, Debug)]
pub(super) enum VectorNode {
    Selector(Selector),
    /// `vector(s)`.
    FromScalar(Box<ScalarNode>),
    Negate(Box<VectorNode>),
    /// A function of each element's value.
    Map {
        function: MapFunction,
        operand: Box<VectorNode>,
        parameters: Vec<ScalarNode>,
    },
    /// A function of each series' samples.
    OverRange(Box<OverRange>),
    Absent {
        operand: Box<VectorNode>,
        labels: Labels,
    },
    AbsentOverTime {
        range: Box<RangeNode>,
        labels: Labels,
    },
    /// `timestamp(selector)`, which alone sees the sample's own time.
    SampleTime(Selector),
    /// `timestamp(v)` of anything else.
    ElementTime(Box<VectorNode>),
    Sort {
        operand: Box<VectorNode>,
        is_descending: bool,
    },
    Relabel(Box<Relabel>),
    Histogram(Box<Histogram>),
    Aggregate(Box<Aggregate>),
    /// `v op s` or `s op v`.
    WithScalar(Box<WithScalar>),
    Match(Box<Match>),
    Set(Box<SetOperation>),
}

/// A compiled query of any type.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Scalar(ScalarNode),
    Vector(VectorNode),
    Range(RangeNode),
    Text(String),
}

/// The time a selector looks at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shift {
    pub at: Option<At>,
    pub offset_ms: i64,
}

/// What `@` says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum At {
    /// Milliseconds.
    Time(i64),
    /// `start()` or `end()`: the time of the query as a whole, also within subqueries.
    Query,
}

#[derive(Clone, Debug)]
pub(super) struct Selector {
    pub name: Option<Arc<str>>,
    /// All conditions but the one on the name, if that is an equality.
    pub matchers: Vec<Matcher>,
    /// Whether the conditions given by [`crate::Query::bind`] apply too.
    pub is_bound: bool,
    pub bound: Vec<Matcher>,
    pub shift: Shift,
    pub selection: Option<Selection>,
}

/// The series a selector found.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub store: Arc<()>,
    pub version: u64,
    /// Sorted by labels.
    pub series: Vec<(Labels, Place)>,
}

#[derive(Clone, Debug)]
pub(super) enum RangeNode {
    Selector { selector: Selector, range_ms: i64 },
    Subquery { operand: Box<VectorNode>, range_ms: i64, step_ms: Option<i64>, shift: Shift },
}

#[derive(Clone, Debug)]
pub(super) struct OverRange {
    pub function: RangeFunction,
    pub range: RangeNode,
    pub parameter: Option<ScalarNode>,
    pub scratch: Vec<Sample>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RangeFunction {
    Rate,
    Increase,
    Delta,
    InstantRate,
    InstantDelta,
    Derivative,
    PredictLinear,
    Resets,
    Changes,
    Sum,
    Average,
    Count,
    Minimum,
    Maximum,
    First,
    Last,
    Present,
    Quantile,
    Deviation,
    Variance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MapFunction {
    Absolute,
    Ceiling,
    Floor,
    SquareRoot,
    Exponential,
    LogNatural,
    Log2,
    Log10,
    Sign,
    Round,
    Clamp,
    ClampMin,
    ClampMax,
    Year,
    Month,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    DaysInMonth,
    Hour,
    Minute,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Atan2,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug)]
pub(super) struct WithScalar {
    pub operator: Operator,
    pub vector: VectorNode,
    pub scalar: ScalarNode,
    pub is_scalar_left: bool,
    pub is_bool: bool,
}

/// Which labels make up a signature or a group.
#[derive(Clone, Debug)]
pub(super) struct LabelChoice {
    pub labels: Vec<String>,
    /// All but the listed ones and the name, instead of the listed ones.
    pub is_without: bool,
}

impl LabelChoice {
    /// The chosen part of a label set.
    pub fn of(&self, labels: &Labels) -> Labels {
        if self.is_without && self.labels.is_empty() {
            return labels.without_name();
        }
        labels.filtered(|name| {
            let is_listed = self.labels.iter().any(|label| label == name);
            if self.is_without { !is_listed && name != crate::labels::METRIC_NAME } else { is_listed }
        })
    }
}

#[derive(Clone, Debug)]
pub(super) struct Match {
    pub operator: Operator,
    pub is_bool: bool,
    pub left: VectorNode,
    pub right: VectorNode,
    pub signature: LabelChoice,
    pub cardinality: Cardinality,
    pub memo: Option<MatchMemo>,
}

#[derive(Clone, Debug)]
pub(super) enum Cardinality {
    OneToOne,
    /// `group_left`: labels to take from the right.
    ManyToOne(Vec<String>),
    /// `group_right`: labels to take from the left.
    OneToMany(Vec<String>),
}

#[derive(Clone, Debug)]
pub(super) struct MatchMemo {
    pub left: Vec<Labels>,
    pub right: Vec<Labels>,
    pub pairs: Result<Vec<Pair>, EvalError>,
}

/// One element of a matched result: indices into both operands.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub left: u32,
    pub right: u32,
    pub labels: Labels,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SetOperator {
    And,
    Or,
    Unless,
}

#[derive(Clone, Debug)]
pub(super) struct SetOperation {
    pub operator: SetOperator,
    pub left: VectorNode,
    pub right: VectorNode,
    pub signature: LabelChoice,
    pub memo: Option<SetMemo>,
}

#[derive(Clone, Debug)]
pub(super) struct SetMemo {
    pub left: Vec<Labels>,
    pub right: Vec<Labels>,
    /// Indices of the elements that pass.
    pub left_kept: Vec<u32>,
    pub right_kept: Vec<u32>,
}

#[derive(Clone, Debug)]
pub(super) struct Aggregate {
    pub operator: Aggregation,
    pub operand: VectorNode,
    pub grouping: LabelChoice,
    pub memo: GroupMemo,
}

#[derive(Clone, Debug)]
pub(super) enum Aggregation {
    Sum,
    Average,
    Count,
    Group,
    Minimum,
    Maximum,
    Deviation,
    Variance,
    Top(ScalarNode),
    Bottom(ScalarNode),
    Quantile(ScalarNode),
    CountValues(String),
}

/// To which group each element of the last operand belonged.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupMemo {
    pub inputs: Vec<Labels>,
    pub group_of: Vec<u32>,
    /// In order of first appearance.
    pub groups: Vec<Labels>,
}

#[derive(Clone, Debug)]
pub(super) struct Relabel {
    pub operand: VectorNode,
    pub rule: RelabelRule,
    pub inputs: Vec<Labels>,
    pub outputs: Vec<Labels>,
}

#[derive(Clone, Debug)]
pub(super) enum RelabelRule {
    Replace { target: String, template: String, source: String, pattern: regex::Regex },
    Join { target: String, separator: String, sources: Vec<String> },
}

#[derive(Clone, Debug)]
pub(super) struct Histogram {
    pub function: HistogramFunction,
    pub operand: VectorNode,
    pub memo: GroupMemo,
    /// Upper bound of each element of the last operand; NaN if it has none.
    pub bounds: Vec<f64>,
}

#[derive(Clone, Debug)]
pub(super) enum HistogramFunction {
    Quantile(ScalarNode),
    Fraction { lower: ScalarNode, upper: ScalarNode },
}
