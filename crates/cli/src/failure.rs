//! How a command ends: exit codes and the last words on standard error.

use std::fmt::Display;
use std::process::ExitCode;

use crate::places::in_words;

/// A command that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, and all gates hold: exit code 0.
    Done,
    /// Done, and a gate fails: exit code 1.
    GateFailed,
    /// Cut short; what was finished is written: exit code 3.
    Interrupted,
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
            Self::Interrupted => ExitCode::from(3),
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
        eprintln!("error: {}", printable(&in_words(&format!("{error:#}"))));
        ExitCode::from(code)
    }
}

/// A text of which a terminal obeys nothing but ends of lines: what a message repeats of an input may hold anything. Long parts are cut.
pub fn printable(text: &str) -> String {
    const LETTERS_MAX: usize = 4_000;
    let mut shown = String::with_capacity(text.len().min(LETTERS_MAX));
    for letter in text.chars().take(LETTERS_MAX) {
        if letter.is_control() && letter != '\n' {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    if text.chars().nth(LETTERS_MAX).is_some() {
        shown.push('…');
    }
    shown
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_drive_the_terminal_nor_fill_it() {
        assert_eq!(printable("unknown key `tra\u{1b}[2J`\n  help: é"), "unknown key `tra\\u{1b}[2J`\n  help: é");
        assert_eq!(printable(&"x".repeat(100_000)).chars().count(), 4_001);
    }
}
