//! What can go wrong between here and a Prometheus, and whose it is to mend.

/// Who can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The user: an address, a token, a name, a query.
    Input,
    /// The network, the server, the disk.
    Environment,
}

/// A question that got no usable answer. The message says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct LiveError {
    /// Who can do something about it.
    pub whose: Whose,
    /// What happened, and what to do.
    pub message: String,
    /// The same question may be answered when it is asked again.
    pub is_passing: bool,
    /// It is about this question alone: others may be answered.
    pub is_of_question: bool,
}

impl LiveError {
    /// A mistake of the user.
    pub fn input(message: impl Into<String>) -> Self {
        Self { whose: Whose::Input, message: message.into(), is_passing: false, is_of_question: false }
    }

    /// A failure of network, server or disk that will not pass by itself.
    pub fn environment(message: impl Into<String>) -> Self {
        Self { whose: Whose::Environment, message: message.into(), is_passing: false, is_of_question: false }
    }

    /// The same failure, of one question alone.
    #[must_use]
    pub fn of_question(self) -> Self {
        Self { is_of_question: true, ..self }
    }

    /// The same, which may pass.
    pub fn passing(message: impl Into<String>) -> Self {
        Self { is_passing: true, ..Self::environment(message) }
    }
}
