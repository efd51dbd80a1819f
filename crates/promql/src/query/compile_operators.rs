//! From the parser's tree to the plan: binary operators and aggregations.

use promql_parser::parser::token::{
    T_ADD, T_ATAN2, T_AVG, T_BOTTOMK, T_COUNT, T_COUNT_VALUES, T_DIV, T_EQLC, T_GROUP, T_GTE, T_GTR, T_LAND, T_LOR,
    T_LSS, T_LTE, T_LUNLESS, T_MAX, T_MIN, T_MOD, T_MUL, T_NEQ, T_POW, T_QUANTILE, T_STDDEV, T_STDVAR, T_SUB, T_SUM,
    T_TOPK, TokenId,
};
use promql_parser::parser::{AggregateExpr, BinModifier, BinaryExpr, LabelModifier, VectorMatchCardinality};

use super::QueryError;
use super::compile::Compiler;
use super::plan::{
    Aggregate, Aggregation, Cardinality, GroupMemo, LabelChoice, Match, Node, Operator, ScalarNode, SetOperation,
    SetOperator, VectorNode, WithScalar,
};

impl Compiler<'_> {
    pub(super) fn binary(&self, parsed: &BinaryExpr) -> Result<Node, QueryError> {
        let modifier = parsed.modifier.clone().unwrap_or_default();
        if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
            return Err(self.unsupported("the `fill` modifier"));
        }
        let (left, right) = (self.node(&parsed.lhs)?, self.node(&parsed.rhs)?);
        if let Some(operator) = set_operator(parsed.op.id()) {
            let (Node::Vector(left), Node::Vector(right)) = (left, right) else {
                return Err(self.parse_error("set operators need two instant vectors"));
            };
            let signature = signature(&modifier);
            let operation = SetOperation { operator, left, right, signature, memo: None };
            return Ok(Node::Vector(VectorNode::Set(Box::new(operation))));
        }
        let operator =
            operator(parsed.op.id()).ok_or_else(|| self.unsupported(&format!("the operator {}", parsed.op)))?;
        let is_bool = modifier.return_bool;
        Ok(match (left, right) {
            (Node::Scalar(left), Node::Scalar(right)) => {
                let (left, right) = (Box::new(left), Box::new(right));
                Node::Scalar(ScalarNode::Binary { operator, left, right })
            }
            (Node::Vector(vector), Node::Scalar(scalar)) => {
                let operation = WithScalar { operator, vector, scalar, is_scalar_left: false, is_bool };
                Node::Vector(VectorNode::WithScalar(Box::new(operation)))
            }
            (Node::Scalar(scalar), Node::Vector(vector)) => {
                let operation = WithScalar { operator, vector, scalar, is_scalar_left: true, is_bool };
                Node::Vector(VectorNode::WithScalar(Box::new(operation)))
            }
            (Node::Vector(left), Node::Vector(right)) => {
                let (signature, cardinality) = (signature(&modifier), cardinality(&modifier));
                let operation = Match { operator, is_bool, left, right, signature, cardinality, memo: None };
                Node::Vector(VectorNode::Match(Box::new(operation)))
            }
            _ => return Err(self.parse_error("operators need numbers or instant vectors")),
        })
    }

    pub(super) fn aggregate(&self, parsed: &AggregateExpr) -> Result<VectorNode, QueryError> {
        let parameter = || match &parsed.param {
            Some(tree) => Ok(&**tree),
            None => Err(self.parse_error(&format!("{} needs a parameter", parsed.op))),
        };
        let operator = match parsed.op.id() {
            T_SUM => Aggregation::Sum,
            T_AVG => Aggregation::Average,
            T_COUNT => Aggregation::Count,
            T_GROUP => Aggregation::Group,
            T_MIN => Aggregation::Minimum,
            T_MAX => Aggregation::Maximum,
            T_STDDEV => Aggregation::Deviation,
            T_STDVAR => Aggregation::Variance,
            T_TOPK => Aggregation::Top(self.scalar(parameter()?)?),
            T_BOTTOMK => Aggregation::Bottom(self.scalar(parameter()?)?),
            T_QUANTILE => Aggregation::Quantile(self.scalar(parameter()?)?),
            T_COUNT_VALUES => Aggregation::CountValues(self.label_name(parameter()?)?),
            _ => return Err(self.unsupported(&format!("the experimental aggregation {}", parsed.op))),
        };
        let grouping = match &parsed.modifier {
            Some(modifier) => choice(modifier),
            None => LabelChoice { labels: Vec::new(), is_without: false },
        };
        let operand = self.vector(&parsed.expr)?;
        Ok(VectorNode::Aggregate(Box::new(Aggregate { operator, operand, grouping, memo: GroupMemo::default() })))
    }
}

fn choice(modifier: &LabelModifier) -> LabelChoice {
    LabelChoice { labels: modifier.labels().labels.clone(), is_without: !modifier.is_include() }
}

fn signature(modifier: &BinModifier) -> LabelChoice {
    match &modifier.matching {
        Some(matching) => choice(matching),
        None => LabelChoice { labels: Vec::new(), is_without: true },
    }
}

fn cardinality(modifier: &BinModifier) -> Cardinality {
    match &modifier.card {
        VectorMatchCardinality::ManyToOne(included) => Cardinality::ManyToOne(included.labels.clone()),
        VectorMatchCardinality::OneToMany(included) => Cardinality::OneToMany(included.labels.clone()),
        VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => Cardinality::OneToOne,
    }
}

fn set_operator(token: TokenId) -> Option<SetOperator> {
    match token {
        T_LAND => Some(SetOperator::And),
        T_LOR => Some(SetOperator::Or),
        T_LUNLESS => Some(SetOperator::Unless),
        _ => None,
    }
}

fn operator(token: TokenId) -> Option<Operator> {
    Some(match token {
        T_ADD => Operator::Add,
        T_SUB => Operator::Subtract,
        T_MUL => Operator::Multiply,
        T_DIV => Operator::Divide,
        T_MOD => Operator::Modulo,
        T_POW => Operator::Power,
        T_ATAN2 => Operator::Atan2,
        T_EQLC => Operator::Equal,
        T_NEQ => Operator::NotEqual,
        T_LSS => Operator::Less,
        T_LTE => Operator::LessOrEqual,
        T_GTR => Operator::Greater,
        T_GTE => Operator::GreaterOrEqual,
        _ => return None,
    })
}
