//! How a command ends: exit codes and the last words on standard error.

use std::fmt::Display;
use std::process::ExitCode;

/// A command that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, and all gates hold: exit code 0.
    Done,
    /// Done, and a gate fails: exit code 1.
    GateFailed,
}

/// A command that could not do its work.
#[derive(Debug)]
pub enum Failure {
    /// The input is wrong; nothing was written: exit code 2.
    Input(anyhow::Error),
    /// The environment failed (disk, I/O): exit code 3.
    Environment(anyhow::Error),
}

/// What commands return.
pub type Result<T> = std::result::Result<T, Failure>;

impl Outcome {
    /// 0 or 1.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::GateFailed => ExitCode::from(1),
        }
    }
}

impl Failure {
    /// A mistake of the user, in one message.
    pub fn input(message: impl Display) -> Self {
        Self::Input(anyhow::anyhow!("{message}"))
    }

    /// Prints the message and gives the exit code.
    pub fn report(self) -> ExitCode {
        let (code, error) = match self {
            Self::Input(error) => (2, error),
            Self::Environment(error) => (3, error),
        };
        eprintln!("error: {error:#}");
        ExitCode::from(code)
    }
}

/// Marks a failed operation on the environment.
pub trait OrEnvironment<T> {
    /// The value, or exit code 3 with `what` was being done.
    fn or_environment(self, what: &str) -> Result<T>;
}

impl<T, E: std::error::Error + Send + Sync + 'static> OrEnvironment<T> for std::result::Result<T, E> {
    fn or_environment(self, what: &str) -> Result<T> {
        self.map_err(|error| Failure::Environment(anyhow::Error::new(error).context(what.to_owned())))
    }
}

/// Marks a mistake in the input.
pub trait OrInput<T> {
    /// The value, or exit code 2.
    fn or_input(self) -> Result<T>;
}

impl<T, E: std::error::Error + Send + Sync + 'static> OrInput<T> for std::result::Result<T, E> {
    fn or_input(self) -> Result<T> {
        self.map_err(|error| Failure::Input(anyhow::Error::new(error)))
    }
}
