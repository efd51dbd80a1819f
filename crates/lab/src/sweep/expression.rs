//! Conditions on the names of a sweep's axes: `min <= max && (threshold < 10 || mode == 'fast')`.
//!
//! Numbers carry units as values do (`delay < 2m` compares seconds). Words are compared in quotes with `==` and `!=`.

use std::fmt;

use thiserror::Error;

use crate::design::{Setting, Value, quantity};
use names::nearest;

/// What is wrong with a condition. Columns count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExpressionError {
    /// Something else should stand here.
    #[error("column {column}: found {found}, expected {expected}")]
    Unexpected {
        /// Where.
        column: usize,
        /// What stands there.
        found: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// No axis of that name.
    #[error("column {column}: unknown axis `{found}`{}; one of: {allowed}", nearest.as_ref().map_or_else(String::new, |name| format!("; did you mean `{name}`?")))]
    UnknownName {
        /// Where.
        column: usize,
        /// What stands there.
        found: String,
        /// The nearest axis.
        nearest: Option<String>,
        /// All axes.
        allowed: String,
    },
}

/// A condition, ready to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    text: String,
    root: Node,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Number(f64),
    Word(String),
    Axis(String),
    Not(Box<Node>),
    Negative(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    AtMost,
    AtLeast,
    Less,
    More,
    Plus,
    Minus,
    Times,
    Over,
}

/// Operators by how tightly they bind, loosest first. Longer signs come before those they begin with.
const LEVELS: [&[(&str, Operator)]; 5] = [
    &[("||", Operator::Or)],
    &[("&&", Operator::And)],
    &[
        ("==", Operator::Equal),
        ("!=", Operator::Unequal),
        ("<=", Operator::AtMost),
        (">=", Operator::AtLeast),
        ("<", Operator::Less),
        (">", Operator::More),
    ],
    &[("+", Operator::Plus), ("-", Operator::Minus)],
    &[("*", Operator::Times), ("/", Operator::Over)],
];

impl Expression {
    /// Reads a condition on axes called `names`.
    pub fn parse(text: &str, names: &[&str]) -> Result<Self, ExpressionError> {
        let mut reader = Reader { letters: text.chars().collect(), at: 0, names };
        let root = reader.level(0)?;
        match reader.peek() {
            None => Ok(Self { text: text.to_owned(), root }),
            Some(_) => reader.unexpected("an operator or the end"),
        }
    }

    /// Whether it holds for a point. A comparison of a word with a number, or with no number (0 / 0), does not hold.
    pub fn holds(&self, settings: &[Setting]) -> bool {
        truth(&evaluate(&self.root, settings))
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

struct Reader<'a> {
    letters: Vec<char>,
    at: usize,
    names: &'a [&'a str],
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        while self.letters.get(self.at).is_some_and(|letter| letter.is_whitespace()) {
            self.at += 1;
        }
        self.letters.get(self.at).copied()
    }

    fn skip(&mut self, text: &str) -> bool {
        self.peek();
        let is_there = self.letters[self.at..].iter().copied().take(text.len()).eq(text.chars());
        if is_there {
            self.at += text.len();
        }
        is_there
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> String {
        let taken: String = self.letters[self.at..].iter().copied().take_while(|&letter| accept(letter)).collect();
        self.at += taken.chars().count();
        taken
    }

    fn unexpected<T>(&mut self, expected: &'static str) -> Result<T, ExpressionError> {
        let found = self.peek().map_or_else(|| "the end".to_owned(), |letter| format!("`{letter}`"));
        Err(ExpressionError::Unexpected { column: self.at + 1, found, expected })
    }

    fn level(&mut self, level: usize) -> Result<Node, ExpressionError> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.level(level + 1)?;
        while let Some(&(_, operator)) = operators.iter().find(|(sign, _)| self.skip(sign)) {
            left = Node::Binary(operator, Box::new(left), Box::new(self.level(level + 1)?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, ExpressionError> {
        if self.skip("!") {
            return Ok(Node::Not(Box::new(self.unary()?)));
        }
        if self.skip("-") {
            return Ok(Node::Negative(Box::new(self.unary()?)));
        }
        if self.skip("(") {
            let inner = self.level(0)?;
            return if self.skip(")") { Ok(inner) } else { self.unexpected("`)`") };
        }
        match self.peek() {
            Some(quote @ ('\'' | '"')) => self.word(quote),
            Some(letter) if letter.is_ascii_digit() || letter == '.' => self.number(),
            Some(letter) if letter.is_alphabetic() || letter == '_' => self.name(),
            _ => self.unexpected("the name of an axis, a number, a word in quotes or `(`"),
        }
    }

    fn word(&mut self, quote: char) -> Result<Node, ExpressionError> {
        self.at += 1;
        let word = self.take_while(|letter| letter != quote);
        if self.letters.get(self.at).is_none() {
            return self.unexpected("a closing quote");
        }
        self.at += 1;
        Ok(Node::Word(word))
    }

    fn number(&mut self) -> Result<Node, ExpressionError> {
        let start = self.at;
        let written = self.take_while(|letter| letter.is_ascii_alphanumeric() || letter == '.');
        quantity(&written).map(Node::Number).ok_or_else(|| ExpressionError::Unexpected {
            column: start + 1,
            found: format!("`{written}`"),
            expected: "a number with an optional unit, as `4` or `15s`",
        })
    }

    fn name(&mut self) -> Result<Node, ExpressionError> {
        let start = self.at;
        let name = self.take_while(|letter| letter.is_alphanumeric() || letter == '_');
        if self.names.contains(&name.as_str()) {
            return Ok(Node::Axis(name));
        }
        Err(ExpressionError::UnknownName {
            column: start + 1,
            nearest: nearest(&name, self.names.iter().copied()).map(str::to_owned),
            found: name,
            allowed: self.names.join(", "),
        })
    }
}

fn evaluate(node: &Node, settings: &[Setting]) -> Value {
    match node {
        Node::Number(number) => number_value(*number),
        Node::Word(word) => Value { text: word.clone(), number: f64::NAN },
        Node::Axis(name) => settings
            .iter()
            .find(|setting| setting.parameter.name == *name)
            .map_or_else(|| number_value(f64::NAN), |setting| setting.value.clone()),
        Node::Not(inner) => truth_value(!truth(&evaluate(inner, settings))),
        Node::Negative(inner) => number_value(-evaluate(inner, settings).number),
        Node::Binary(operator, left, right) => binary(*operator, &evaluate(left, settings), &evaluate(right, settings)),
    }
}

fn binary(operator: Operator, left: &Value, right: &Value) -> Value {
    let (a, b) = (left.number, right.number);
    // Words are NaN as numbers: two of them are compared by their letters.
    let is_equal = if a.is_nan() && b.is_nan() { left.text == right.text } else { a == b };
    match operator {
        Operator::Or => truth_value(truth(left) || truth(right)),
        Operator::And => truth_value(truth(left) && truth(right)),
        Operator::Equal => truth_value(is_equal),
        Operator::Unequal => truth_value(!is_equal),
        Operator::AtMost => truth_value(a <= b),
        Operator::AtLeast => truth_value(a >= b),
        Operator::Less => truth_value(a < b),
        Operator::More => truth_value(a > b),
        Operator::Plus => number_value(a + b),
        Operator::Minus => number_value(a - b),
        Operator::Times => number_value(a * b),
        Operator::Over => number_value(a / b),
    }
}

fn number_value(number: f64) -> Value {
    Value { text: String::new(), number }
}

fn truth_value(is_true: bool) -> Value {
    number_value(f64::from(u8::from(is_true)))
}

fn truth(value: &Value) -> bool {
    value.number != 0.0 && (!value.number.is_nan() || value.text == "true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Parameter;

    fn holds(text: &str) -> bool {
        let settings: Vec<Setting> = [("low", "2"), ("high", "10"), ("delay", "90s"), ("mode", "fast")]
            .map(|(name, value)| Setting { parameter: Parameter::at(name), value: Value::new(value) })
            .to_vec();
        Expression::parse(text, &["low", "high", "delay", "mode"]).unwrap().holds(&settings)
    }

    #[test]
    fn conditions_follow_the_usual_precedence() {
        assert!(holds("low + 2 * 4 == high"));
        assert!(holds("(low + 2) * 2.5 == high"));
        assert!(holds("low > 5 || high > 5 && low < 5"));
        assert!(!holds("(low > 5 || high > 5) && low > 5"));
        assert!(holds("!(low > high) && -low < 0"));
        assert!(holds("high - low - 3 == 5 && high / low / 5 == 1"));
    }

    #[test]
    fn units_and_words_are_understood() {
        assert!(holds("delay < 2m && delay >= 1.5m"));
        assert!(holds("mode == 'fast' && mode != \"slow\""));
        assert!(!holds("mode < 3"));
    }

    #[test]
    fn a_mistake_is_shown_with_its_place() {
        let message = |text: &str| Expression::parse(text, &["low", "high"]).unwrap_err().to_string();
        insta::assert_snapshot!(message("low <= hgih"), @"column 8: unknown axis `hgih`; did you mean `high`?; one of: low, high");
        insta::assert_snapshot!(message("low <="), @"column 7: found the end, expected the name of an axis, a number, a word in quotes or `(`");
        insta::assert_snapshot!(message("(low < 3"), @"column 9: found the end, expected `)`");
        insta::assert_snapshot!(message("low < 3 high"), @"column 9: found `h`, expected an operator or the end");
        insta::assert_snapshot!(message("low == 'x"), @"column 10: found the end, expected a closing quote");
        insta::assert_snapshot!(message("low < 1.2.3"), @"column 7: found `1.2.3`, expected a number with an optional unit, as `4` or `15s`");
    }
}
