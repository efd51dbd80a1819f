//! Names that a user makes up, which end up in tables, pages, verdicts and paths: what they may not be.

use crate::error::ScenarioError;

use super::Context;

/// Longest name, in bytes: a file may be called so on every system, with an ending.
const LENGTH_MAX: usize = 200;

impl Context<'_> {
    /// A name that can stand in a terminal, a CSV and a page as it is: no control characters, no start that makes a spreadsheet compute.
    pub(super) fn check_label(&self, name: &str, path: &str) -> Result<(), ScenarioError> {
        problem(name).map_or(Ok(()), |reason| Err(self.inconsistent(path, reason)))
    }

    /// A name that can be that of a folder, here and nowhere else.
    pub(super) fn check_folder(&self, name: &str, path: &str) -> Result<(), ScenarioError> {
        if name == "." || name == ".." || name.contains(['/', '\\']) {
            let reason = format!("`{name}` names another place; results are in `results/NAME` unless `-o` says where");
            return Err(self.inconsistent(path, &reason));
        }
        Ok(())
    }
}

fn problem(name: &str) -> Option<&'static str> {
    if name.trim().is_empty() {
        Some("is empty; tables need a name")
    } else if name.len() > LENGTH_MAX {
        Some("is longer than 200 bytes; files are called so")
    } else if name.contains(char::is_control) {
        Some("has a control character, which a terminal would obey")
    } else if name.starts_with(['=', '+', '-', '@']) {
        Some("starts with `=`, `+`, `-` or `@`; a spreadsheet would compute it")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_language_are_fine() {
        assert!(
            ["triton day", "HPA (default)", "naïve", "日本", "a=b", "50% | spot"]
                .iter()
                .all(|name| problem(name).is_none())
        );
    }

    #[test]
    fn what_acts_where_it_is_shown_is_refused() {
        let long = "x".repeat(300);
        for name in ["", " ", "a\nb", "\u{1b}[2J", "=1+1", "-x", "@x", &long] {
            assert!(problem(name).is_some(), "{name:?}");
        }
    }
}
