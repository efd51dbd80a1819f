//! Names that a user makes up, which end up in tables, pages, verdicts and paths: what they may not be.

use crate::error::ScenarioError;

use super::Context;

impl Context<'_> {
    /// A name that can stand in a terminal, a CSV and a page as it is: no control characters, no start that makes a spreadsheet compute.
    pub(super) fn check_label(&self, name: &str, path: &str) -> Result<(), ScenarioError> {
        names::not_shown(name).map_or(Ok(()), |reason| Err(self.inconsistent(path, reason)))
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
