//! Label matchers of a selector.

use std::collections::BTreeSet;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use crate::labels::Labels;

/// A pattern that is not a regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid regular expression {pattern:?}: {reason}")]
pub struct MatcherError {
    /// The pattern as written.
    pub pattern: String,
    /// What the regular expression compiler said.
    pub reason: String,
}

/// One condition on one label. An absent label compares as the empty string.
#[derive(Clone, Debug)]
pub struct Matcher {
    name: Arc<str>,
    rule: Rule,
    is_negated: bool,
}

#[derive(Clone, Debug)]
enum Rule {
    Equal(Arc<str>),
    /// An alternation of plain words, as generated for lists of pods.
    OneOf(Arc<BTreeSet<Box<str>>>),
    Pattern(Regex),
}

impl Matcher {
    /// `name="value"`.
    pub fn equal(name: &str, value: &str) -> Self {
        Self { name: name.into(), rule: Rule::Equal(value.into()), is_negated: false }
    }

    /// `name=~"pattern"`: anchored at both ends, dot matches a line feed.
    pub fn pattern(name: &str, pattern: &str) -> Result<Self, MatcherError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '|' | ':' | '/' | ' ');
        let rule = if pattern.chars().all(is_plain) {
            Rule::OneOf(Arc::new(pattern.split('|').map(Into::into).collect()))
        } else {
            Rule::Pattern(anchored(pattern)?)
        };
        Ok(Self { name: name.into(), rule, is_negated: false })
    }

    /// The opposite condition.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { is_negated: !self.is_negated, ..self }
    }

    /// The label looked at.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value a label must have, if this is an equality.
    pub fn equal_value(&self) -> Option<&str> {
        match &self.rule {
            Rule::Equal(value) if !self.is_negated => Some(value),
            _ => None,
        }
    }

    /// Words that the value may be, where the condition lists them.
    pub fn words(&self) -> Vec<&str> {
        match &self.rule {
            _ if self.is_negated => Vec::new(),
            Rule::Equal(value) => vec![value],
            Rule::OneOf(words) => words.iter().map(|word| &**word).collect(),
            Rule::Pattern(_) => Vec::new(),
        }
    }

    /// Whether the value is given by a pattern.
    pub fn is_pattern(&self) -> bool {
        matches!(self.rule, Rule::Pattern(_) | Rule::OneOf(_))
    }

    /// Whether it is the opposite of a condition.
    pub fn is_negated(&self) -> bool {
        self.is_negated
    }

    /// The condition as it is written.
    pub fn text(&self) -> String {
        let sign = |plain, negated| if self.is_negated { negated } else { plain };
        let (operator, value) = match &self.rule {
            Rule::Equal(value) => (sign("=", "!="), value.to_string()),
            Rule::OneOf(words) => (sign("=~", "!~"), words.iter().map(|word| &**word).collect::<Vec<_>>().join("|")),
            Rule::Pattern(regex) => (sign("=~", "!~"), regex.as_str().to_owned()),
        };
        let plain = value.strip_prefix("^(?:").and_then(|rest| rest.strip_suffix(")$")).unwrap_or(&value);
        format!("{}{operator}{plain:?}", self.name)
    }

    /// Whether a series with these labels passes.
    pub fn is_match(&self, labels: &Labels) -> bool {
        self.is_match_value(labels.get(&self.name))
    }

    /// Whether a label with this value passes; an absent one has the empty value.
    pub fn is_match_value(&self, value: &str) -> bool {
        let is_hit = match &self.rule {
            Rule::Equal(wanted) => **wanted == *value,
            Rule::OneOf(words) => words.contains(value),
            Rule::Pattern(regex) => regex.is_match(value),
        };
        is_hit != self.is_negated
    }
}

/// A regular expression that must cover the whole text.
pub(crate) fn anchored(pattern: &str) -> Result<Regex, MatcherError> {
    let wrong = |error: &regex::Error| MatcherError { pattern: pattern.to_owned(), reason: in_one_line(error) };
    // What is wrong alone may be right between the anchors: `a)|(b`.
    regex_syntax_of(pattern).map_err(|error| wrong(&error))?;
    let whole = format!("^(?:{pattern})$");
    RegexBuilder::new(&whole).dot_matches_new_line(true).build().map_err(|error| wrong(&error))
}

/// Whether a pattern is a regular expression by itself.
fn regex_syntax_of(pattern: &str) -> Result<(), regex::Error> {
    let may_lean_on_anchors = pattern.contains(')');
    if may_lean_on_anchors { Regex::new(pattern).map(|_| ()) } else { Ok(()) }
}

/// What is wrong with a regular expression, without the picture that its compiler draws of the place.
pub(crate) fn in_one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_pattern_is_said_in_one_line() {
        let said = |pattern: &str| Matcher::pattern("pod", pattern).map(|_| ()).unwrap_err().to_string();
        assert_eq!(said("(up"), "invalid regular expression \"(up\": unclosed group");
        assert_eq!(said("a)|(b"), "invalid regular expression \"a)|(b\": unopened group");
        assert!(!said("(a{1,1000}){1,1000}").contains('\n'));
    }

    #[test]
    fn a_pattern_covers_the_whole_value_and_dot_matches_a_line_feed() {
        let labels = Labels::new([("pod", "vllm-0\nx")]);
        assert!(Matcher::pattern("pod", "vllm.*").expect("valid").is_match(&labels));
        assert!(!Matcher::pattern("pod", "vllm-.").expect("valid").is_match(&labels));
    }

    #[test]
    fn an_absent_label_compares_as_empty() {
        let none = Labels::empty();
        assert!(Matcher::equal("x", "b").negated().is_match(&none));
        assert!(Matcher::pattern("x", "a|").expect("valid").is_match(&none));
        assert!(!Matcher::pattern("x", "a|b").expect("valid").is_match(&none));
    }

    #[test]
    fn a_list_of_words_matches_like_the_pattern_it_is() {
        for value in ["a", "b", "ab", "a|b", ""] {
            let labels = Labels::new([("x", value)]);
            let words = Matcher::pattern("x", "a|b").expect("valid").is_match(&labels);
            assert_eq!(words, anchored("a|b").expect("valid").is_match(value), "{value}");
        }
    }
}
