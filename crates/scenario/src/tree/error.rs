//! Errors of reading a typed value from a tree, before they are told their full path.

use std::fmt;

use crate::error::{Allowed, At, Place, ScenarioError};

use super::{Segment, path_text};

/// Why a node is not the type it should be. Grows its path from the inside out.
#[derive(Debug)]
pub struct TreeError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    place: Option<Place>,
    /// Innermost first.
    path: Vec<Segment>,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    UnknownKey(Allowed),
    UnknownChoice(Allowed),
    MissingKey(String),
    WrongValue { found: String, expected: String },
    Plain(String),
}

impl TreeError {
    fn new(problem: Problem) -> Self {
        Self(Box::new(Inner { place: None, path: Vec::new(), problem }))
    }

    /// A value that is something else than it should be.
    pub fn wrong_value(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::new(Problem::WrongValue { found: found.into(), expected: expected.into() })
    }

    /// The same error, at `place` unless it already has one: the innermost place is the most precise.
    pub fn or_at(mut self, place: &Place) -> Self {
        self.0.place.get_or_insert_with(|| place.clone());
        self
    }

    /// The same error, one step further from the top.
    pub fn under(mut self, segment: Segment) -> Self {
        self.0.path.push(segment);
        self
    }

    /// The error with its path from `root` on.
    pub fn into_scenario_error(self, root: &str, fallback: &Place) -> ScenarioError {
        let Inner { place, mut path, problem } = *self.0;
        path.reverse();
        let at = Box::new(At { place: place.unwrap_or_else(|| fallback.clone()), path: path_text(root, &path) });
        match problem {
            Problem::UnknownKey(allowed) => ScenarioError::UnknownKey { at, allowed },
            Problem::UnknownChoice(allowed) => ScenarioError::UnknownChoice { at, allowed },
            Problem::MissingKey(key) => ScenarioError::MissingKey { at, key },
            Problem::WrongValue { found, expected } => ScenarioError::WrongValue { at, found, expected },
            Problem::Plain(reason) => ScenarioError::Inconsistent { at, reason },
        }
    }
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for TreeError {}

impl serde::de::Error for TreeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Problem::Plain(message.to_string()))
    }

    fn invalid_type(found: serde::de::Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Self::wrong_value(found.to_string(), expected.to_string())
    }

    fn invalid_value(found: serde::de::Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Self::wrong_value(found.to_string(), expected.to_string())
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownKey(Allowed::new(field, expected.iter().copied())))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownChoice(Allowed::new(variant, expected.iter().copied())))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Problem::MissingKey(field.to_owned()))
    }
}
