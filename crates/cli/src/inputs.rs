//! From arguments to a resolved scenario.

use std::path::Path;

use scenario::{Documents, Input, Loaded};

use crate::args::ScenarioArgs;
use crate::commands::read_text;
use crate::failure::{Failure, OrInput, Result, printable};
use crate::programs;

/// What messages call standard input.
pub const STANDARD_INPUT: &str = "(standard input)";

/// Prints what a user should know of a scenario; what has no effect is counted, or listed if he asked for it.
pub fn print_notes(loaded: &Loaded, is_verbose: bool) {
    loaded.notes.iter().for_each(|note| eprintln!("note: {}", printable(note)));
    let hint = if is_verbose { "" } else { " (-v lists them)" };
    loaded.counted.iter().for_each(|note| eprintln!("note: {}{hint}", printable(note)));
    if is_verbose {
        loaded.details.iter().for_each(|note| eprintln!("note: {}", printable(note)));
    }
}

/// Loads what the arguments name: files, folders, `-`, or the built-in scenario if they name nothing.
pub fn load(args: &ScenarioArgs) -> Result<Loaded> {
    let (documents, overrides) = documents(args)?;
    documents.load(&overrides).or_input()
}

/// The documents the arguments name, not yet resolved, and the assignments of `--set`: for commands that resolve them many times.
pub fn documents(args: &ScenarioArgs) -> Result<(Documents, Vec<(String, String)>)> {
    let documents = programs::read(&inputs(args)?, args.reading.plain).or_input()?;
    Ok((documents, overrides(&args.set)?))
}

/// Assignments of `--set` as pairs.
pub fn overrides(assignments: &[String]) -> Result<Vec<(String, String)>> {
    assignments.iter().map(|assignment| parse_override(assignment)).collect()
}

/// What the arguments name, in order; the built-in scenario if they name nothing.
pub fn inputs(args: &ScenarioArgs) -> Result<Vec<Input>> {
    if args.scenario.is_empty() {
        return Ok(Input::embedded_default());
    }
    args.scenario.iter().map(|path| input(path)).collect()
}

/// A file or folder; `-` is what stands on standard input.
pub fn input(path: &Path) -> Result<Input> {
    if path != Path::new("-") {
        return Ok(Input::Path(path.to_owned()));
    }
    Ok(Input::Text { name: STANDARD_INPUT.to_owned(), text: read_text(path)? })
}

fn parse_override(assignment: &str) -> Result<(String, String)> {
    let (path, value) = assignment
        .split_once('=')
        .ok_or_else(|| Failure::input(format!("--set {assignment}: expected PATH=VALUE, such as run.duration=2h")))?;
    Ok((path.trim().to_owned(), value.trim().to_owned()))
}

/// Keeps the policies named, in the scenario's order; all if none is named.
pub fn choose_policies(loaded: &mut Loaded, names: &[String]) -> Result<()> {
    let known: Vec<String> = loaded.spec.policies.iter().map(|policy| policy.name.clone()).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        let hint = names::nearest(unknown, known.iter().map(String::as_str));
        let hint = hint.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        return Err(Failure::input(format!("--policy {unknown}: no such policy{hint} (one of: {})", known.join(", "))));
    }
    if !names.is_empty() {
        loaded.spec.policies.retain(|policy| names.contains(&policy.name));
    }
    Ok(())
}
