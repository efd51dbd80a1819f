//! What is given by name: said with its value where it is none.

use std::num::{NonZeroU32, NonZeroUsize};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// A text, or several. None at all is refused: where leaving it out means all of them, an empty list would too.
pub struct Words(Vec<String>);

impl Words {
    /// They, or nothing where they were left out.
    pub fn or_none(words: Option<Self>) -> Vec<String> {
        words.map(|words| words.0).unwrap_or_default()
    }

    /// They, if they were given.
    pub fn if_given(words: Option<Self>) -> Option<Vec<String>> {
        words.map(|words| words.0)
    }
}

impl<'py> FromPyObject<'_, 'py> for Words {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if given.is_instance_of::<PyString>() {
            return Ok(Self(vec![given.extract()?]));
        }
        let words: Vec<String> = given.extract()?;
        if words.is_empty() {
            return Err(PyValueError::new_err(format!(
                "{}: names nothing; leave it out for what it is without",
                shown(given)
            )));
        }
        Ok(Self(words))
    }
}

/// A whole number in the range of `N`.
pub struct Whole<N>(N);

impl<N: Ranged> Whole<N> {
    /// The number one.
    pub fn one() -> Option<Self> {
        N::of(1).map(Self)
    }

    /// It, if it was given.
    pub fn if_given(number: Option<Self>) -> Option<N> {
        number.map(|number| number.0)
    }
}

/// Numbers of which only some are taken.
pub trait Ranged: Sized {
    /// Which, in words.
    const RANGE: &'static str;
    /// It, if it is one of them.
    fn of(number: u64) -> Option<Self>;
}

impl Ranged for NonZeroU32 {
    const RANGE: &'static str = "from 1 to 2^32 - 1";
    fn of(number: u64) -> Option<Self> {
        u32::try_from(number).ok().and_then(Self::new)
    }
}

impl Ranged for NonZeroUsize {
    const RANGE: &'static str = "from 1";
    fn of(number: u64) -> Option<Self> {
        usize::try_from(number).ok().and_then(Self::new)
    }
}

impl Ranged for u64 {
    const RANGE: &'static str = "from 0 to 2^64 - 1";
    fn of(number: u64) -> Option<Self> {
        Some(number)
    }
}

impl<'py, N: Ranged> FromPyObject<'_, 'py> for Whole<N> {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let number = given.extract::<u64>().ok().and_then(N::of);
        number.map(Self).ok_or_else(|| PyValueError::new_err(format!("{}: a whole number {}", shown(given), N::RANGE)))
    }
}

fn shown(given: Borrowed<'_, '_, PyAny>) -> String {
    given.repr().map(|text| text.to_string()).unwrap_or_default()
}
