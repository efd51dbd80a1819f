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
}

impl LiveError {
    /// A mistake of the user.
    pub fn input(message: impl Into<String>) -> Self {
        Self { whose: Whose::Input, message: message.into(), is_passing: false }
    }

    /// A failure of network, server or disk that will not pass by itself.
    pub fn environment(message: impl Into<String>) -> Self {
        Self { whose: Whose::Environment, message: message.into(), is_passing: false }
    }

    /// The same, which may pass.
    pub fn passing(message: impl Into<String>) -> Self {
        Self { is_passing: true, ..Self::environment(message) }
    }
}
