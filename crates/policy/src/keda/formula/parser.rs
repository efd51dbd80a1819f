//! Tokens to a tree, by precedence climbing with expr-lang's table of precedences.

use super::lexer::{Token, TokenKind};
use super::{FormulaError, Value};

/// One node and where its first token stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) at: usize,
}

/// What a node does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NodeKind {
    Literal(Value),
    Name(String),
    /// `#`: the element a predicate looks at.
    Element,
    List(Vec<Node>),
    Unary(&'static str, Box<Node>),
    Binary(&'static str, Box<Node>, Box<Node>),
    Choice(Box<Node>, Box<Node>, Box<Node>),
    Index(Box<Node>, Box<Node>),
    Call(String, Vec<Node>),
    Let(String, Box<Node>, Box<Node>),
}

impl Node {
    /// Fails on the first name that is neither in `known` nor bound by a `let` around it.
    pub(super) fn check_names<'a>(&'a self, known: &mut Vec<&'a str>) -> Result<(), FormulaError> {
        match &self.kind {
            NodeKind::Literal(_) | NodeKind::Element => Ok(()),
            NodeKind::Name(name) if known.contains(&name.as_str()) => Ok(()),
            NodeKind::Name(name) => {
                let message = format!("unknown name {name}; the named triggers are: {}", known.join(", "));
                Err(FormulaError { message, at: self.at })
            }
            NodeKind::List(nodes) | NodeKind::Call(_, nodes) => {
                nodes.iter().try_for_each(|node| node.check_names(known))
            }
            NodeKind::Unary(_, node) => node.check_names(known),
            NodeKind::Binary(_, left, right) | NodeKind::Index(left, right) => {
                left.check_names(known)?;
                right.check_names(known)
            }
            NodeKind::Choice(condition, yes, no) => {
                condition.check_names(known)?;
                yes.check_names(known)?;
                no.check_names(known)
            }
            NodeKind::Let(name, value, body) => {
                value.check_names(known)?;
                known.push(name);
                let checked = body.check_names(known);
                known.pop();
                checked
            }
        }
    }
}

/// How tightly a binary operator binds; larger is tighter.
fn precedence(operator: &str) -> Option<u32> {
    Some(match operator {
        "||" => 10,
        "&&" => 15,
        "==" | "!=" | "<" | ">" | "<=" | ">=" | "in" => 20,
        ".." => 25,
        "+" | "-" => 30,
        "*" | "/" | "%" => 60,
        "**" | "^" => 100,
        "??" => 500,
        _ => return None,
    })
}

/// Chains of operators grow the tree by their length and every walk over it recurses, so length is bounded as nesting is.
const TOKENS_MAX: usize = 2_000;
const DEPTH_MAX: u32 = 200;

const PRECEDENCE_NOT: u32 = 50;
const PRECEDENCE_SIGN: u32 = 90;

pub(super) fn parse(tokens: &[Token]) -> Result<Node, FormulaError> {
    if let Some(beyond) = tokens.get(TOKENS_MAX) {
        return Err(FormulaError { message: format!("the formula has more than {TOKENS_MAX} tokens"), at: beyond.at });
    }
    let mut parser = Parser { tokens, next: 0, depth: 0, predicates: 0 };
    let root = parser.sequence()?;
    match parser.tokens.get(parser.next) {
        None => Ok(root),
        Some(_) => Err(parser.unexpected("the end")),
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    next: usize,
    /// Nesting so far.
    depth: u32,
    /// How many predicates surround this place; `#` means something only inside one.
    predicates: u32,
}

impl Parser<'_> {
    /// `let a = …; let b = …; expression`.
    fn sequence(&mut self) -> Result<Node, FormulaError> {
        let at = self.at();
        if self.peek_name() != Some("let") {
            return self.expression(0);
        }
        self.next += 1;
        let Some(name) = self.peek_name().map(str::to_owned) else { return Err(self.unexpected("a name")) };
        self.next += 1;
        self.expect("=")?;
        let value = self.expression(0)?;
        self.expect(";")?;
        let body = self.nested(Self::sequence)?;
        Ok(Node { kind: NodeKind::Let(name, Box::new(value), Box::new(body)), at })
    }

    fn expression(&mut self, binding: u32) -> Result<Node, FormulaError> {
        self.nested(|parser| parser.expression_inner(binding))
    }

    fn expression_inner(&mut self, binding: u32) -> Result<Node, FormulaError> {
        let at = self.at();
        let mut left = self.unary()?;
        let mut is_after_coalescing = false;
        while let Some((operator, strength)) = self.peek_operator().filter(|(_, strength)| *strength >= binding) {
            if is_after_coalescing && operator != "??" {
                return Err(self.error("`??` beside another operator needs parentheses".to_owned()));
            }
            self.next += 1;
            // Powers group to the right, everything else to the left.
            let right = self.expression(if strength == 100 { strength } else { strength + 1 })?;
            is_after_coalescing = operator == "??";
            left = Node { kind: NodeKind::Binary(operator, Box::new(left), Box::new(right)), at };
        }
        if binding == 0 && self.accept("?") {
            let yes = self.expression(0)?;
            self.expect(":")?;
            let no = self.expression(0)?;
            left = Node { kind: NodeKind::Choice(Box::new(left), Box::new(yes), Box::new(no)), at };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, FormulaError> {
        let at = self.at();
        for (symbol, binding) in
            [("not", PRECEDENCE_NOT), ("!", PRECEDENCE_NOT), ("-", PRECEDENCE_SIGN), ("+", PRECEDENCE_SIGN)]
        {
            if self.accept(symbol) {
                let operand = self.expression(binding)?;
                let symbol = if symbol == "not" { "!" } else { symbol };
                return Ok(Node { kind: NodeKind::Unary(symbol, Box::new(operand)), at });
            }
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Result<Node, FormulaError> {
        let at = self.at();
        let mut node = self.primary()?;
        while self.accept("[") {
            let index = self.expression(0)?;
            self.expect("]")?;
            node = Node { kind: NodeKind::Index(Box::new(node), Box::new(index)), at };
        }
        Ok(node)
    }

    fn primary(&mut self) -> Result<Node, FormulaError> {
        let at = self.at();
        let Some(token) = self.tokens.get(self.next) else { return Err(self.unexpected("a value")) };
        self.next += 1;
        let kind = match &token.kind {
            TokenKind::Int(whole) => NodeKind::Literal(Value::Int(*whole)),
            TokenKind::Float(number) => NodeKind::Literal(Value::Float(*number)),
            TokenKind::Name(name) => match name.as_str() {
                "true" => NodeKind::Literal(Value::Bool(true)),
                "false" => NodeKind::Literal(Value::Bool(false)),
                "nil" => NodeKind::Literal(Value::Nil),
                _ if self.accept("(") => NodeKind::Call(name.clone(), self.arguments()?),
                _ => NodeKind::Name(name.clone()),
            },
            TokenKind::Symbol("(") => {
                let inner = self.sequence()?;
                self.expect(")")?;
                inner.kind
            }
            TokenKind::Symbol("[") => NodeKind::List(self.items("]", Self::sequence)?),
            TokenKind::Symbol("#") if self.predicates > 0 => NodeKind::Element,
            TokenKind::Symbol(_) => {
                self.next -= 1;
                return Err(self.unexpected("a value"));
            }
        };
        Ok(Node { kind, at })
    }

    /// Arguments up to the closing parenthesis. Any after the first may be predicates, with or without braces.
    fn arguments(&mut self) -> Result<Vec<Node>, FormulaError> {
        let mut count = 0;
        self.items(")", |parser| {
            count += 1;
            parser.predicates += u32::from(count > 1);
            let is_braced = parser.accept("{");
            let node = parser.sequence()?;
            if is_braced {
                parser.expect("}")?;
            }
            parser.predicates -= u32::from(count > 1);
            Ok(node)
        })
    }

    fn items(
        &mut self,
        close: &'static str,
        mut item: impl FnMut(&mut Self) -> Result<Node, FormulaError>,
    ) -> Result<Vec<Node>, FormulaError> {
        let mut items = Vec::new();
        while !self.accept(close) {
            if !items.is_empty() {
                self.expect(",")?;
                if self.accept(close) {
                    break;
                }
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn nested(&mut self, inner: impl FnOnce(&mut Self) -> Result<Node, FormulaError>) -> Result<Node, FormulaError> {
        if self.depth >= DEPTH_MAX {
            return Err(self.error("the formula is nested too deeply".to_owned()));
        }
        self.depth += 1;
        let node = inner(self);
        self.depth -= 1;
        node
    }

    fn peek_name(&self) -> Option<&str> {
        match self.tokens.get(self.next).map(|token| &token.kind) {
            Some(TokenKind::Name(name)) => Some(name),
            _ => None,
        }
    }

    fn peek_operator(&self) -> Option<(&'static str, u32)> {
        match self.tokens.get(self.next).map(|token| &token.kind) {
            Some(TokenKind::Symbol(symbol)) => precedence(symbol).map(|strength| (*symbol, strength)),
            _ => None,
        }
    }

    fn accept(&mut self, symbol: &str) -> bool {
        let found = matches!(self.tokens.get(self.next), Some(Token { kind: TokenKind::Symbol(found), .. }) if *found == symbol);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &'static str) -> Result<(), FormulaError> {
        if self.accept(symbol) { Ok(()) } else { Err(self.unexpected(symbol)) }
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(1, |token| token.at)
    }

    fn unexpected(&self, wanted: &str) -> FormulaError {
        let found = match self.tokens.get(self.next).map(|token| &token.kind) {
            None => "the end".to_owned(),
            Some(TokenKind::Int(whole)) => whole.to_string(),
            Some(TokenKind::Float(number)) => number.to_string(),
            Some(TokenKind::Name(name)) => name.clone(),
            Some(TokenKind::Symbol(symbol)) => (*symbol).to_owned(),
        };
        self.error(format!("found {found} where {wanted} was expected"))
    }

    fn error(&self, message: String) -> FormulaError {
        FormulaError { message, at: self.at() }
    }
}
