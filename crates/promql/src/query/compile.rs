//! From the parser's tree to the plan: selectors, functions and types.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use promql_parser::label::{MatchOp, Matcher as ParsedMatcher};
use promql_parser::parser::{self, AtModifier, Call, Expr, Offset, SubqueryExpr, VectorSelector};

use super::durations::impossible;
use super::plan::{
    At, Histogram, HistogramFunction, MapFunction, Node, OverRange, RangeFunction, RangeNode, Relabel, RelabelRule,
    ScalarNode, Selector, Shift, VectorNode,
};
use super::{BOUND_MATCHER, QueryError};
use crate::labels::{Labels, METRIC_NAME};
use crate::matcher::{self, Matcher};

const RANGE_FUNCTIONS: &[(&str, RangeFunction)] = &[
    ("rate", RangeFunction::Rate),
    ("increase", RangeFunction::Increase),
    ("delta", RangeFunction::Delta),
    ("irate", RangeFunction::InstantRate),
    ("idelta", RangeFunction::InstantDelta),
    ("deriv", RangeFunction::Derivative),
    ("resets", RangeFunction::Resets),
    ("changes", RangeFunction::Changes),
    ("sum_over_time", RangeFunction::Sum),
    ("avg_over_time", RangeFunction::Average),
    ("count_over_time", RangeFunction::Count),
    ("min_over_time", RangeFunction::Minimum),
    ("max_over_time", RangeFunction::Maximum),
    ("first_over_time", RangeFunction::First),
    ("last_over_time", RangeFunction::Last),
    ("present_over_time", RangeFunction::Present),
    ("stddev_over_time", RangeFunction::Deviation),
    ("stdvar_over_time", RangeFunction::Variance),
];

const MAP_FUNCTIONS: &[(&str, MapFunction)] = &[
    ("abs", MapFunction::Absolute),
    ("ceil", MapFunction::Ceiling),
    ("floor", MapFunction::Floor),
    ("sqrt", MapFunction::SquareRoot),
    ("exp", MapFunction::Exponential),
    ("ln", MapFunction::LogNatural),
    ("log2", MapFunction::Log2),
    ("log10", MapFunction::Log10),
    ("sgn", MapFunction::Sign),
    ("round", MapFunction::Round),
    ("clamp", MapFunction::Clamp),
    ("clamp_min", MapFunction::ClampMin),
    ("clamp_max", MapFunction::ClampMax),
];

/// Functions of a time in seconds; without argument, of the evaluation time.
const CALENDAR_FUNCTIONS: &[(&str, MapFunction)] = &[
    ("year", MapFunction::Year),
    ("month", MapFunction::Month),
    ("day_of_month", MapFunction::DayOfMonth),
    ("day_of_week", MapFunction::DayOfWeek),
    ("day_of_year", MapFunction::DayOfYear),
    ("days_in_month", MapFunction::DaysInMonth),
    ("hour", MapFunction::Hour),
    ("minute", MapFunction::Minute),
];

const OTHER_FUNCTIONS: &[&str] = &[
    "absent",
    "absent_over_time",
    "histogram_fraction",
    "histogram_quantile",
    "label_join",
    "label_replace",
    "predict_linear",
    "quantile_over_time",
    "scalar",
    "sort",
    "sort_desc",
    "time",
    "timestamp",
    "vector",
];

/// Compiles a query text.
pub(super) fn compile(text: &str) -> Result<Node, QueryError> {
    let compiler = Compiler::new(text);
    compiler.node(&compiler.tree()?)
}

/// Carries the text for error messages.
pub(super) struct Compiler<'a> {
    text: &'a str,
}

impl<'a> Compiler<'a> {
    /// For messages about this text.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text }
    }
}

impl Compiler<'_> {
    /// What the parser makes of the text.
    pub(super) fn tree(&self) -> Result<Expr, QueryError> {
        if let Some(duration) = impossible(self.text) {
            return Err(self.parse_error(&format!("`{duration}` is no duration, or too long for one")));
        }
        parser::parse(self.text).map_err(|reason| self.parse_error(&reason))
    }

    pub(super) fn parse_error(&self, reason: &str) -> QueryError {
        // The parser names the pattern only.
        let of_pattern = reason.strip_prefix("illegal regex for ").and_then(|pattern| matcher::anchored(pattern).err());
        let reason = of_pattern.map_or_else(|| reason.to_owned(), |error| error.to_string());
        QueryError::Parse { query: self.text.to_owned(), reason }
    }

    pub(super) fn unsupported(&self, feature: &str) -> QueryError {
        QueryError::UnsupportedFeature { query: self.text.to_owned(), feature: feature.to_owned() }
    }

    pub(super) fn node(&self, tree: &Expr) -> Result<Node, QueryError> {
        Ok(match tree {
            Expr::NumberLiteral(number) => Node::Scalar(ScalarNode::Number(number.val)),
            Expr::StringLiteral(string) => Node::Text(string.val.clone()),
            Expr::Paren(paren) => self.node(&paren.expr)?,
            Expr::Unary(unary) => match self.node(&unary.expr)? {
                Node::Scalar(operand) => Node::Scalar(ScalarNode::Negate(Box::new(operand))),
                Node::Vector(operand) => Node::Vector(VectorNode::Negate(Box::new(operand))),
                Node::Range(_) | Node::Text(_) => {
                    return Err(self.parse_error("unary minus needs a number or an instant vector"));
                }
            },
            Expr::VectorSelector(selector) => Node::Vector(VectorNode::Selector(self.selector(selector)?)),
            Expr::MatrixSelector(range) => Node::Range(RangeNode::Selector {
                selector: self.selector(&range.vs)?,
                range_ms: self.millis(range.range)?,
            }),
            Expr::Subquery(subquery) => Node::Range(self.subquery(subquery)?),
            Expr::Binary(binary) => self.binary(binary)?,
            Expr::Aggregate(aggregate) => Node::Vector(self.aggregate(aggregate)?),
            Expr::Call(call) => self.call(call)?,
            Expr::Extension(_) => return Err(self.unsupported("an extension of the parser")),
        })
    }

    pub(super) fn vector(&self, tree: &Expr) -> Result<VectorNode, QueryError> {
        match self.node(tree)? {
            Node::Vector(vector) => Ok(vector),
            _ => Err(self.parse_error(&format!("{tree} is not an instant vector"))),
        }
    }

    pub(super) fn scalar(&self, tree: &Expr) -> Result<ScalarNode, QueryError> {
        match self.node(tree)? {
            Node::Scalar(scalar) => Ok(scalar),
            _ => Err(self.parse_error(&format!("{tree} is not a scalar"))),
        }
    }

    fn range(&self, tree: &Expr) -> Result<RangeNode, QueryError> {
        match self.node(tree)? {
            Node::Range(range) => Ok(range),
            _ => Err(self.parse_error(&format!("{tree} is not a range vector"))),
        }
    }

    pub(super) fn string(&self, tree: &Expr) -> Result<String, QueryError> {
        match self.node(tree)? {
            Node::Text(text) => Ok(text),
            _ => Err(self.parse_error(&format!("{tree} is not a string"))),
        }
    }

    fn millis(&self, duration: Duration) -> Result<i64, QueryError> {
        i64::try_from(duration.as_millis()).map_err(|_| self.parse_error("duration out of range"))
    }

    fn shift(&self, at: Option<&AtModifier>, offset: Option<&Offset>) -> Result<Shift, QueryError> {
        let at = match at {
            None => None,
            Some(AtModifier::Start | AtModifier::End) => Some(At::Query),
            Some(AtModifier::At(time)) => Some(At::Time(match time.duration_since(SystemTime::UNIX_EPOCH) {
                Ok(after) => self.millis(after)?,
                Err(before) => -self.millis(before.duration())?,
            })),
        };
        let offset_ms = match offset {
            None => 0,
            Some(Offset::Pos(duration)) => self.millis(*duration)?,
            Some(Offset::Neg(duration)) => -self.millis(*duration)?,
        };
        Ok(Shift { at, offset_ms })
    }

    fn selector(&self, parsed: &VectorSelector) -> Result<Selector, QueryError> {
        if !parsed.matchers.or_matchers.is_empty() {
            return Err(self.unsupported("`or` between matchers"));
        }
        let mut selector = Selector {
            name: parsed.name.as_deref().map(Arc::from),
            matchers: Vec::new(),
            is_bound: false,
            bound: Vec::new(),
            shift: self.shift(parsed.at.as_ref(), parsed.offset.as_ref())?,
            selection: None,
        };
        for matcher in &parsed.matchers.matchers {
            let is_equal = matches!(matcher.op, MatchOp::Equal);
            if is_equal && format!("{}={:?}", matcher.name, matcher.value) == BOUND_MATCHER {
                selector.is_bound = true;
            } else if is_equal && matcher.name == METRIC_NAME && selector.name.is_none() {
                selector.name = Some(matcher.value.as_str().into());
            } else {
                selector.matchers.push(self.matcher(matcher)?);
            }
        }
        Ok(selector)
    }

    pub(super) fn matcher(&self, parsed: &ParsedMatcher) -> Result<Matcher, QueryError> {
        let (name, value) = (parsed.name.as_str(), parsed.value.as_str());
        let pattern = |regex: &regex::Regex| {
            // The parser has already anchored the pattern and mended what only Go accepts.
            let mended = regex.as_str().strip_prefix("^(?:").and_then(|rest| rest.strip_suffix(")$")).unwrap_or(value);
            Matcher::pattern(name, mended).map_err(|error| self.parse_error(&error.to_string()))
        };
        Ok(match &parsed.op {
            MatchOp::Equal => Matcher::equal(name, value),
            MatchOp::NotEqual => Matcher::equal(name, value).negated(),
            MatchOp::Re(regex) => pattern(regex)?,
            MatchOp::NotRe(regex) => pattern(regex)?.negated(),
        })
    }

    fn subquery(&self, parsed: &SubqueryExpr) -> Result<RangeNode, QueryError> {
        let step_ms = parsed.step.map(|step| self.millis(step)).transpose()?;
        if step_ms == Some(0) {
            return Err(self.parse_error("a subquery step must be positive"));
        }
        Ok(RangeNode::Subquery {
            operand: Box::new(self.vector(&parsed.expr)?),
            range_ms: self.millis(parsed.range)?,
            step_ms,
            shift: self.shift(parsed.at.as_ref(), parsed.offset.as_ref())?,
        })
    }

    fn call(&self, call: &Call) -> Result<Node, QueryError> {
        let name = call.func.name;
        let arguments: Vec<&Expr> = call.args.args.iter().map(|argument| &**argument).collect();
        let found = |table: &[(&str, MapFunction)]| table.iter().find(|entry| entry.0 == name).map(|entry| entry.1);
        if let Some((_, function)) = RANGE_FUNCTIONS.iter().find(|entry| entry.0 == name) {
            return Ok(over_range(*function, self.range(arguments[0])?, None));
        }
        if let Some(function) = found(MAP_FUNCTIONS) {
            let parameters: Result<Vec<_>, _> = arguments[1..].iter().map(|tree| self.scalar(tree)).collect();
            let operand = Box::new(self.vector(arguments[0])?);
            return Ok(Node::Vector(VectorNode::Map { function, operand, parameters: parameters? }));
        }
        if let Some(function) = found(CALENDAR_FUNCTIONS) {
            let operand = match arguments.first() {
                Some(tree) => self.vector(tree)?,
                None => VectorNode::FromScalar(Box::new(ScalarNode::Time)),
            };
            let operand = Box::new(operand);
            return Ok(Node::Vector(VectorNode::Map { function, operand, parameters: Vec::new() }));
        }
        self.other_call(name, &arguments)
    }

    /// Functions whose arguments follow no common pattern.
    fn other_call(&self, name: &str, arguments: &[&Expr]) -> Result<Node, QueryError> {
        Ok(Node::Vector(match (name, arguments) {
            ("time", []) => return Ok(Node::Scalar(ScalarNode::Time)),
            ("scalar", [v]) => return Ok(Node::Scalar(ScalarNode::Only(Box::new(self.vector(v)?)))),
            ("predict_linear", [range, seconds]) => {
                let seconds = self.scalar(seconds)?;
                return Ok(over_range(RangeFunction::PredictLinear, self.range(range)?, Some(seconds)));
            }
            ("quantile_over_time", [q, range]) => {
                let q = self.scalar(q)?;
                return Ok(over_range(RangeFunction::Quantile, self.range(range)?, Some(q)));
            }
            ("vector", [s]) => VectorNode::FromScalar(Box::new(self.scalar(s)?)),
            ("absent", [v]) => VectorNode::Absent { operand: Box::new(self.vector(v)?), labels: labels_if_absent(v) },
            ("absent_over_time", [range]) => {
                VectorNode::AbsentOverTime { range: Box::new(self.range(range)?), labels: labels_if_absent(range) }
            }
            ("timestamp", [v]) => match self.vector(v)? {
                VectorNode::Selector(selector) => VectorNode::SampleTime(selector),
                operand => VectorNode::ElementTime(Box::new(operand)),
            },
            ("sort" | "sort_desc", [v]) => {
                VectorNode::Sort { operand: Box::new(self.vector(v)?), is_descending: name == "sort_desc" }
            }
            ("histogram_quantile", [q, v]) => self.histogram(HistogramFunction::Quantile(self.scalar(q)?), v)?,
            ("histogram_fraction", [lower, upper, v]) => {
                let (lower, upper) = (self.scalar(lower)?, self.scalar(upper)?);
                self.histogram(HistogramFunction::Fraction { lower, upper }, v)?
            }
            ("label_replace", [v, target, template, source, pattern]) => {
                let pattern = self.string(pattern)?;
                let rule = RelabelRule::Replace {
                    target: self.label_name(target)?,
                    template: self.string(template)?,
                    source: self.string(source)?,
                    pattern: matcher::anchored(&pattern).map_err(|error| self.never(&error.to_string()))?,
                };
                self.relabel(v, rule)?
            }
            ("label_join", [v, target, separator, sources @ ..]) => {
                let sources: Result<Vec<_>, _> = sources.iter().map(|source| self.label_name(source)).collect();
                let (target, separator) = (self.label_name(target)?, self.string(separator)?);
                self.relabel(v, RelabelRule::Join { target, separator, sources: sources? })?
            }
            _ => return Err(self.unsupported_function(name)),
        }))
    }

    fn unsupported_function(&self, name: &str) -> QueryError {
        let tables = [MAP_FUNCTIONS, CALENDAR_FUNCTIONS].into_iter().flatten().map(|entry| entry.0);
        let mut known: Vec<&str> = RANGE_FUNCTIONS.iter().map(|entry| entry.0).chain(tables).collect();
        known.extend(OTHER_FUNCTIONS);
        known.sort_unstable();
        QueryError::UnsupportedFunction {
            query: self.text.to_owned(),
            function: name.to_owned(),
            supported: known.join(", "),
        }
    }

    fn histogram(&self, function: HistogramFunction, operand: &Expr) -> Result<VectorNode, QueryError> {
        let (memo, bounds) = Default::default();
        Ok(VectorNode::Histogram(Box::new(Histogram { function, operand: self.vector(operand)?, memo, bounds })))
    }

    fn relabel(&self, operand: &Expr, rule: RelabelRule) -> Result<VectorNode, QueryError> {
        let (inputs, outputs) = Default::default();
        Ok(VectorNode::Relabel(Box::new(Relabel { operand: self.vector(operand)?, rule, inputs, outputs })))
    }

    fn never(&self, reason: &str) -> QueryError {
        QueryError::NeverEvaluates { query: self.text.to_owned(), reason: reason.to_owned() }
    }

    /// A string argument that names a label. Since Prometheus 3 any UTF-8 text is a name, but not the empty one.
    pub(super) fn label_name(&self, tree: &Expr) -> Result<String, QueryError> {
        let name = self.string(tree)?;
        // The parser reads the escape `\xff` as a character where Go reads a byte, so the bytes are looked at here.
        let bytes: Option<Vec<u8>> = name.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        let is_broken = self.has_byte_escape() && bytes.is_some_and(|bytes| std::str::from_utf8(&bytes).is_err());
        if name.is_empty() || is_broken { Err(self.never("a label name must be UTF-8, not empty")) } else { Ok(name) }
    }

    /// Whether the text has an escape for a byte beyond ASCII.
    fn has_byte_escape(&self) -> bool {
        let bytes = self.text.as_bytes();
        bytes.windows(3).any(|part| {
            part[0] == b'\\' && (part[1] == b'x' && !matches!(part[2], b'0'..=b'7') || matches!(part[1], b'2'..=b'3'))
        })
    }
}

fn over_range(function: RangeFunction, range: RangeNode, parameter: Option<ScalarNode>) -> Node {
    Node::Vector(VectorNode::OverRange(Box::new(OverRange { function, range, parameter, scratch: Vec::new() })))
}

/// What `absent` can say about the series that is not there: the labels required by exactly one equality.
fn labels_if_absent(tree: &Expr) -> Labels {
    let selector = match tree {
        Expr::Paren(paren) => return labels_if_absent(&paren.expr),
        Expr::VectorSelector(selector) => selector,
        Expr::MatrixSelector(range) => &range.vs,
        _ => return Labels::empty(),
    };
    let mut seen: Vec<&str> = Vec::new();
    let mut labels = Labels::empty();
    for matcher in selector.matchers.matchers.iter().filter(|matcher| matcher.name != METRIC_NAME) {
        let is_first_equality = matches!(matcher.op, MatchOp::Equal) && !seen.contains(&matcher.name.as_str());
        labels = labels.with(&matcher.name, if is_first_equality { &matcher.value } else { "" });
        if is_first_equality {
            seen.push(&matcher.name);
        }
    }
    labels
}
