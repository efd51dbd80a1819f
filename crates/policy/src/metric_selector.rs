//! Selectors of metrics: which of the series of a name an HPA means.

/// One condition of a metric's selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelCondition {
    /// The label.
    pub key: String,
    /// What must hold for its value.
    pub test: LabelTest,
}

/// What a [`LabelCondition`] asks of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelTest {
    /// One of `matchLabels`.
    Equals(String),
    /// `In`.
    In(Vec<String>),
    /// `NotIn`.
    NotIn(Vec<String>),
    /// `Exists`.
    Exists,
    /// `DoesNotExist`.
    DoesNotExist,
}

impl LabelCondition {
    /// The label must have this value.
    pub fn equals(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), test: LabelTest::Equals(value.into()) }
    }
}
