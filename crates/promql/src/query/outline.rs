//! What a query asks for, seen without data: its selectors, what is done to them, and the shape of its answer.
//!
//! Read from the parser's tree, for those who hold queries against what there is. Evaluation knows nothing of it.

use std::collections::BTreeSet;

use promql_parser::label::MatchOp;
use promql_parser::parser::token::{T_BOTTOMK, T_COUNT_VALUES, T_LAND, T_LOR, T_LUNLESS, T_TOPK};
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality, VectorSelector,
};

use super::QueryError;
use super::compile::Compiler;
use super::places::Places;
use crate::labels::METRIC_NAME;
use crate::matcher::Matcher;

/// Labels of a series that are left in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// These at most.
    Only(BTreeSet<String>),
    /// All but these.
    AllBut(BTreeSet<String>),
}

impl Kept {
    fn all() -> Self {
        Self::AllBut(BTreeSet::new())
    }

    fn none() -> Self {
        Self::Only(BTreeSet::new())
    }

    /// Whether this label is left.
    pub fn keeps(&self, label: &str) -> bool {
        match self {
            Self::Only(labels) => labels.contains(label),
            Self::AllBut(labels) => !labels.contains(label),
        }
    }

    fn only(&self, labels: &[String]) -> Self {
        Self::Only(labels.iter().filter(|label| self.keeps(label)).cloned().collect())
    }

    fn without(&self, labels: &[String]) -> Self {
        match self {
            Self::Only(kept) => Self::Only(kept.iter().filter(|label| !labels.contains(label)).cloned().collect()),
            Self::AllBut(gone) => Self::AllBut(gone.iter().chain(labels).cloned().collect()),
        }
    }
}

/// One selector of a query.
#[derive(Clone, Debug)]
pub struct SelectorUse {
    /// Name of the metric, unless it is matched by a pattern or not at all.
    pub name: Option<String>,
    /// All other conditions, those on the name included.
    pub matchers: Vec<Matcher>,
    /// As written, without range and offset.
    pub text: String,
    /// Where it begins in the query, in bytes.
    pub offset: usize,
    /// Its range in milliseconds; None for an instant selector.
    pub range_ms: Option<i64>,
    /// Names of the functions and aggregations around it, the innermost first; `[]` stands for a subquery.
    pub around: Vec<String>,
    /// Labels of its series that are left in the answer; None if they only decide about others.
    pub kept: Option<Kept>,
    /// It goes into a `histogram_quantile` without its `le`.
    pub loses_bounds: bool,
}

/// What an instant query answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "names of PromQL")]
pub enum AnswerType {
    Scalar,
    Vector,
    Matrix,
    Text,
}

/// A query seen from outside.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Its selectors, in the order of the text.
    pub selectors: Vec<SelectorUse>,
    /// What it answers.
    pub answer: AnswerType,
}

impl Outline {
    /// Of a query text that compiles.
    pub fn of(text: &str) -> Result<Self, QueryError> {
        let compiler = Compiler::new(text);
        let tree = compiler.tree()?;
        let mut walk = Walk { compiler, places: Places::new(text), selectors: Vec::new(), around: Vec::new() };
        for (index, kept) in walk.node(&tree)? {
            walk.selectors[index].kept = Some(kept);
        }
        let answer = match tree.value_type() {
            ValueType::Scalar => AnswerType::Scalar,
            ValueType::Vector => AnswerType::Vector,
            ValueType::Matrix => AnswerType::Matrix,
            ValueType::String => AnswerType::Text,
        };
        Ok(Self { selectors: walk.selectors, answer })
    }
}

/// Selectors below a node whose labels reach it.
type Leaves = Vec<(usize, Kept)>;

struct Walk<'a> {
    compiler: Compiler<'a>,
    places: Places<'a>,
    selectors: Vec<SelectorUse>,
    /// Names around the present node, the outermost first.
    around: Vec<String>,
}

impl Walk<'_> {
    fn node(&mut self, tree: &Expr) -> Result<Leaves, QueryError> {
        Ok(match tree {
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => Vec::new(),
            Expr::Paren(paren) => self.node(&paren.expr)?,
            Expr::Unary(unary) => self.node(&unary.expr)?,
            Expr::VectorSelector(selector) => self.selector(selector, None)?,
            Expr::MatrixSelector(range) => {
                let range_ms = i64::try_from(range.range.as_millis()).unwrap_or(i64::MAX);
                self.selector(&range.vs, Some(range_ms))?
            }
            Expr::Subquery(subquery) => self.within("[]", &subquery.expr)?,
            Expr::Binary(binary) => self.binary(binary)?,
            Expr::Aggregate(aggregate) => self.aggregate(aggregate)?,
            Expr::Call(call) => self.call(call)?,
        })
    }

    fn within(&mut self, name: &str, tree: &Expr) -> Result<Leaves, QueryError> {
        self.around.push(name.to_owned());
        let leaves = self.node(tree);
        self.around.pop();
        leaves
    }

    fn selector(&mut self, parsed: &VectorSelector, range_ms: Option<i64>) -> Result<Leaves, QueryError> {
        let mut matchers = Vec::new();
        let mut name = parsed.name.clone();
        for matcher in &parsed.matchers.matchers {
            if name.is_none() && matcher.name == METRIC_NAME && matches!(matcher.op, MatchOp::Equal) {
                name = Some(matcher.value.clone());
            } else {
                matchers.push(self.compiler.matcher(matcher)?);
            }
        }
        let plain = VectorSelector { offset: None, at: None, ..parsed.clone() };
        self.selectors.push(SelectorUse {
            offset: self.places.next(parsed.name.as_deref()),
            text: plain.to_string(),
            name,
            matchers,
            range_ms,
            around: self.around.iter().rev().cloned().collect(),
            kept: None,
            loses_bounds: false,
        });
        Ok(vec![(self.selectors.len() - 1, Kept::all())])
    }

    fn binary(&mut self, binary: &BinaryExpr) -> Result<Leaves, QueryError> {
        let left = self.node(&binary.lhs)?;
        let mut right = self.node(&binary.rhs)?;
        let is_scalar = |tree: &Expr| tree.value_type() == ValueType::Scalar;
        if is_scalar(&binary.lhs) {
            return Ok(right);
        }
        if is_scalar(&binary.rhs) {
            return Ok(left);
        }
        match binary.op.id() {
            T_LOR => {
                let mut both = left;
                both.append(&mut right);
                return Ok(both);
            }
            T_LAND | T_LUNLESS => return Ok(left),
            _ => {}
        }
        let Some(modifier) = &binary.modifier else { return Ok(left) };
        match &modifier.card {
            VectorMatchCardinality::ManyToOne(_) => return Ok(left),
            VectorMatchCardinality::OneToMany(_) => return Ok(right),
            _ => {}
        }
        Ok(match &modifier.matching {
            Some(matching) => reduced(left, Some(matching)),
            None => left,
        })
    }

    fn aggregate(&mut self, aggregate: &AggregateExpr) -> Result<Leaves, QueryError> {
        let name = aggregate.op.to_string();
        let mut is_first_only = false;
        if let Some(parameter) = &aggregate.param {
            is_first_only = matches!(&**parameter, Expr::NumberLiteral(number) if number.val < 2.0);
            self.node(parameter)?;
        }
        let leaves = self.within(&name, &aggregate.expr)?;
        Ok(match aggregate.op.id() {
            T_TOPK | T_BOTTOMK if is_first_only && aggregate.modifier.is_none() => reduced(leaves, None),
            T_TOPK | T_BOTTOMK | T_COUNT_VALUES => leaves,
            _ => reduced(leaves, aggregate.modifier.as_ref()),
        })
    }

    fn call(&mut self, call: &Call) -> Result<Leaves, QueryError> {
        let name = call.func.name;
        let mut leaves = Vec::new();
        for argument in &call.args.args {
            let below = self.within(name, argument)?;
            if argument.value_type() != ValueType::Scalar {
                leaves = below;
            }
        }
        Ok(match name {
            "absent" | "absent_over_time" | "scalar" | "vector" | "time" => {
                leaves.into_iter().map(|(index, _)| (index, Kept::none())).collect()
            }
            "histogram_quantile" | "histogram_fraction" => {
                for (index, kept) in &leaves {
                    self.selectors[*index].loses_bounds |= !kept.keeps("le");
                }
                let bound = ["le".to_owned()];
                leaves.into_iter().map(|(index, kept)| (index, kept.without(&bound))).collect()
            }
            _ => leaves,
        })
    }
}

fn reduced(leaves: Leaves, modifier: Option<&LabelModifier>) -> Leaves {
    let reduce = |kept: &Kept| match modifier {
        None => Kept::none(),
        Some(modifier) if modifier.is_include() => kept.only(&modifier.labels().labels),
        Some(modifier) => kept.without(&modifier.labels().labels),
    };
    leaves.into_iter().map(|(index, kept)| (index, reduce(&kept))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> SelectorUse {
        Outline::of(text).expect("a query").selectors.remove(0)
    }

    #[test]
    fn selectors_are_found_where_they_stand() {
        let text = "sum(rate(a:b{x=\"a:b\"}[2m])) by (pod) / on(pod) count(a:b) # a:b\n + scalar({__name__=\"c\"})";
        let selectors = Outline::of(text).expect("a query").selectors;
        let found: Vec<(Option<&str>, usize)> =
            selectors.iter().map(|selector| (selector.name.as_deref(), selector.offset)).collect();
        assert_eq!(found, [(Some("a:b"), 9), (Some("a:b"), 53), (Some("c"), 74)]);
        assert_eq!(selectors[0].range_ms, Some(120_000));
        assert_eq!(selectors[0].around, ["rate", "sum"]);
    }

    #[test]
    fn labels_are_followed_to_the_answer() {
        let keeps = |text: &str, label: &str| only(text).kept.is_some_and(|kept| kept.keeps(label));
        assert!(keeps("m > 3", "pod") && keeps("max_over_time(rate(m[1m])[5m:])", "pod"));
        assert!(keeps("sum by (pod) (m)", "pod") && !keeps("sum by (job) (m)", "pod"));
        assert!(!keeps("sum(m)", "pod") && !keeps("sum(m) / on(pod) sum(n)", "pod"));
        assert!(keeps("sum without (job) (m)", "pod") && !keeps("topk(1, m)", "pod") && keeps("topk(2, m)", "pod"));
        assert!(!keeps("n and m", "x") || only("n and m").name.as_deref() == Some("n"));
    }

    #[test]
    fn a_quantile_without_bounds_is_seen() {
        assert!(only("histogram_quantile(0.9, sum(rate(m_bucket[1m])))").loses_bounds);
        assert!(!only("histogram_quantile(0.9, sum by (le) (rate(m_bucket[1m])))").loses_bounds);
    }

    #[test]
    fn the_type_of_the_answer_is_known() {
        let answer = |text| Outline::of(text).expect("a query").answer;
        assert_eq!(answer("scalar(m)"), AnswerType::Scalar);
        assert_eq!(answer("m[1m]"), AnswerType::Matrix);
        assert_eq!(answer("m"), AnswerType::Vector);
    }
}
