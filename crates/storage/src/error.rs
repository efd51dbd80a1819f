//! What can go wrong between here and a bucket, and whose it is to mend.

/// Who can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The user: an address, credentials, a build without the feature.
    Input,
    /// The network, the server, the disk.
    Environment,
}

/// Something that was not done. The message says what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct StorageError {
    /// Who can do something about it.
    pub whose: Whose,
    /// What happened, and what to do.
    pub message: String,
    /// There is already an object where a new one was to be.
    pub is_taken: bool,
}

impl StorageError {
    /// A mistake of the user.
    pub fn input(message: impl Into<String>) -> Self {
        Self { whose: Whose::Input, message: message.into(), is_taken: false }
    }

    /// A failure of network, server or disk.
    pub fn environment(message: impl Into<String>) -> Self {
        Self { whose: Whose::Environment, message: message.into(), is_taken: false }
    }
}
