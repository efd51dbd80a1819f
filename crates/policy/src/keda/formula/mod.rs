//! The formula of `scalingModifiers`: the part of the expr-lang language that works on trigger values.
//!
//! Known: numbers, `true`, `false`, `nil`, trigger names, `+ - * / % ** ^`, comparisons (also `in`, `..`), `&& || !` and their words,
//! `? :`, `??`, lists, indexing, `let name = …;`, the functions in `eval.rs` and predicates (`{# > 1}`). Strings, maps, pipes and
//! dates are not: a formula that uses them is refused when it is parsed, never misread.

mod eval;
mod lexer;
mod parser;

use std::collections::BTreeMap;

use parser::Node;

/// What a formula may see and give.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A trigger without a value.
    Nil,
    /// A truth value.
    Bool(bool),
    /// A whole number: literals and what is made of them. Trigger values are never whole in this sense.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A list.
    List(Vec<Value>),
}

/// Why a formula cannot be used, or gave nothing this time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {at})")]
pub struct FormulaError {
    /// What is wrong.
    pub message: String,
    /// Where, counted from 1.
    pub at: usize,
}

/// A parsed formula.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    root: Node,
}

impl Formula {
    /// Parses `text`.
    pub fn parse(text: &str) -> Result<Self, FormulaError> {
        if text.trim().is_empty() {
            return Err(FormulaError { message: "the formula is empty".to_owned(), at: 1 });
        }
        Ok(Self { root: parser::parse(&lexer::tokens(text)?)? })
    }

    /// Checks the formula as KEDA does on admission: every name it uses must be that of a trigger, and it must run on -1 for each.
    pub fn check(&self, names: &[&str]) -> Result<(), FormulaError> {
        self.root.check_names(&mut names.to_vec())?;
        let dummies = names.iter().map(|name| ((*name).to_owned(), Some(-1.0))).collect();
        self.evaluate(&dummies).map(|_| ())
    }

    /// The formula's value for these trigger values, as a double. `None` if it comes out nil.
    pub fn evaluate(&self, values: &BTreeMap<String, Option<f64>>) -> Result<Option<f64>, FormulaError> {
        match eval::run(&self.root, values)? {
            Value::Nil => Ok(None),
            Value::Int(whole) => Ok(Some(whole as f64)),
            Value::Float(number) => Ok(Some(number)),
            other => {
                Err(FormulaError { message: format!("the formula gives a {}, not a number", other.kind()), at: 1 })
            }
        }
    }
}

impl Value {
    /// What it is, in one word.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "truth value",
            Self::Int(_) | Self::Float(_) => "number",
            Self::List(_) => "list",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<Option<f64>, String> {
        let triggers =
            BTreeMap::from([("a", Some(2.0)), ("b", Some(5.0)), ("lost", None)].map(|(k, v)| (k.to_owned(), v)));
        Formula::parse(text).and_then(|formula| formula.evaluate(&triggers)).map_err(|error| error.message)
    }

    fn gives(text: &str, expected: f64) {
        assert_eq!(value(text), Ok(Some(expected)), "{text}");
    }

    #[test]
    fn operators_bind_as_in_expr_lang() {
        for (text, expected) in [
            ("a + b * 2", 12.0),
            ("(a + b) * 2", 14.0),
            ("-a ** 2", -4.0),
            ("2 ** 3 ** 2", 512.0),
            ("2 ^ 3", 8.0),
            ("10 - 4 - 3", 3.0),
            ("1 + lost ?? 7", 8.0),
            ("5 / 2", 2.5),
            ("7 % 4", 3.0),
            ("a > 1 && b > 1 ? 10 : 20", 10.0),
            ("a > 9 or not (b > 9) ? 1 : 0", 1.0),
            ("a > 9 ? 1 : b > 9 ? 2 : 3", 3.0),
            ("float(a == 2 ? b : 0)", 5.0),
            ("let x = a + 1; let y = x * 2; y + x", 9.0),
            ("a in [1, 2] ? 1 : 0", 1.0),
            ("sum(1..3)", 6.0),
            ("1_000 + 1e3 + .5", 2000.5),
        ] {
            gives(text, expected);
        }
    }

    #[test]
    fn functions_take_numbers_or_lists_and_predicates() {
        for (text, expected) in [
            ("max(a, b)", 5.0),
            ("max([a, b, 9])", 9.0),
            ("min(a, b, 1)", 1.0),
            ("sum([a, b])", 7.0),
            ("mean([a, b])", 3.5),
            ("median([a, b, 9])", 5.0),
            ("count([a, b], {# > 3})", 1.0),
            ("count([a, b], # > 1) > 1 ? 5 : 0", 5.0),
            ("sum([a, b], # * 2)", 14.0),
            ("sum(filter([a, b, 9], {# > 2}))", 14.0),
            ("sum(map([a, b], {# + 1}))", 9.0),
            ("all([a, b], {# > 1}) ? 1 : 0", 1.0),
            ("any([a, b], # > 9) ? 1 : 0", 0.0),
            ("none([a, b], # > 9) ? 1 : 0", 1.0),
            ("len([a, b])", 2.0),
            ("abs(-a) + ceil(1.2) + floor(1.8) + round(2.5)", 8.0),
            ("int(2.9)", 2.0),
            ("[a, b][1] + [a, b][-2]", 7.0),
        ] {
            gives(text, expected);
        }
    }

    #[test]
    fn nil_passes_through_coalescing_and_stops_arithmetic() {
        assert_eq!(value("lost ?? lost"), Ok(None));
        assert_eq!(value("lost ?? a"), Ok(Some(2.0)));
        assert_eq!(value("lost == nil ? 4 : 5"), Ok(Some(4.0)));
        assert!(value("lost + 1").is_err());
        assert!(value("max(lost, 1)").is_err());
    }

    #[test]
    fn what_the_language_refuses_is_refused() {
        for text in [
            "",
            "a +",
            "a b",
            "(a",
            "a ?? b + 1",
            "a % 2",
            "a > 1",
            "'x'",
            "a | max()",
            "foo(a)",
            "max()",
            "let x = 1 x",
            "#",
        ] {
            assert!(value(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_formula_too_long_or_too_deep_is_refused_before_it_exhausts_the_stack() {
        for text in ["1".to_owned() + &"+1".repeat(50_000), "(".repeat(50_000), "-".repeat(50_000), "a[".repeat(500)] {
            assert!(value(&text).is_err());
        }
        gives(&("1".to_owned() + &"+1".repeat(900)), 901.0);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_evaluator_panic(
            words in proptest::collection::vec(proptest::sample::select(vec![
                "a", "b", "lost", "1", "0", "2.5", "9223372036854775807", "nil", "true", "+", "-", "*", "/", "%", "**", "??", "?",
                ":", "(", ")", "[", "]", "{", "}", "#", ",", "..", "<", "==", "!", "not", "in", "let", "=", ";", "sum", "count",
                "max(", "int(", "map([a,b],", "&&", "é", ".",
            ]), 0..14)
        ) {
            let _ = value(&words.join(" "));
        }
    }

    #[test]
    fn a_name_that_is_no_trigger_is_found_even_in_a_branch_not_taken() {
        let formula = Formula::parse("a > 0 ? missing : 1").expect("it parses");
        assert_eq!(formula.check(&["a"]).unwrap_err().message, "unknown name missing; the named triggers are: a");
        assert_eq!(Formula::parse("let t = a; t + 1").expect("it parses").check(&["a"]), Ok(()));
    }
}
