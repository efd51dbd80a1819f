//! What can be wrong with an input, in words its author can act on.
//!
//! Every message names the place, what was found, what is allowed and the nearest valid name.

use std::fmt;
use std::sync::Arc;

use names::nearest;

/// Where something stands in an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// File name, `-` for standard input, or the `--set` argument.
    pub source: Arc<str>,
    /// Line, from 1; 0 where there are no lines.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

/// A place and the path of keys that leads there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// Where it stands.
    pub place: Place,
    /// Keys from the top of the document, `spec.policies[1].hpa`; empty for the document itself.
    pub path: String,
}

/// Names that would have been right; prints the nearest to what was found and then all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// What was found instead.
    pub found: String,
    /// All valid names.
    pub names: Vec<String>,
}

/// Why an input was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// A file or folder could not be read.
    #[error("{path}: cannot be read: {reason}")]
    Unreadable {
        /// As given.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// A folder without manifests.
    #[error("{path}: no *.yaml, *.yml or *.json file in this folder")]
    EmptyFolder {
        /// As given.
        path: String,
    },
    /// The text is no YAML.
    #[error("{place}: not valid YAML: {reason}")]
    Syntax {
        /// Where reading stopped.
        place: Place,
        /// What the parser says.
        reason: String,
    },
    /// A key occurs twice in one mapping.
    #[error("{at}: key `{key}` is given twice; first at line {first_line}")]
    DuplicateKey {
        /// The second one.
        at: Box<At>,
        /// The key.
        key: String,
        /// Line of the first.
        first_line: u32,
    },
    /// A document without `apiVersion` or `kind`.
    #[error("{at}: {reason}; every document starts with `apiVersion` and `kind`")]
    NoKind {
        /// The document.
        at: Box<At>,
        /// What is missing.
        reason: String,
    },
    /// A kind of document that is not understood.
    #[error("{at}: unknown kind `{}`{allowed}", allowed.found)]
    UnknownKind {
        /// The `kind` key.
        at: Box<At>,
        /// Known kinds, with their API versions.
        allowed: Allowed,
    },
    /// A text that makes manifests instead of being one.
    #[error(
        "{place}: `{action}` is a template action, and templates are no manifests: render them first, `helm template NAME {folder} | scalelab init --manifests - -o SCENARIO`"
    )]
    Template {
        /// The first action.
        place: Place,
        /// The action.
        action: String,
        /// Folder of the chart.
        folder: String,
    },
    /// A folder that holds a chart and nothing else.
    #[error(
        "{folder}: a Helm chart, whose templates are no manifests: render it first, `helm template NAME {folder} [-f VALUES] | scalelab init --manifests - -o SCENARIO`"
    )]
    Chart {
        /// The folder.
        folder: String,
    },
    /// A folder whose manifests are patched by kustomize.
    #[error(
        "{file}: the manifests here are patched by kustomize: build them first, `kubectl kustomize {folder} | scalelab init --manifests - -o SCENARIO`, or read them without their patches with `--plain`"
    )]
    Kustomization {
        /// kustomize's file.
        file: String,
        /// Its folder.
        folder: String,
    },
    /// None or several Scenario documents.
    #[error("{found} documents of `kind: Scenario` in {inputs}; exactly one is needed")]
    ScenarioCount {
        /// How many.
        found: usize,
        /// The inputs that were read.
        inputs: String,
    },
    /// A key the type does not have.
    #[error("{at}: unknown key `{}`{allowed}", allowed.found)]
    UnknownKey {
        /// The key.
        at: Box<At>,
        /// The keys there are.
        allowed: Allowed,
    },
    /// A word that is none of the alternatives.
    #[error("{at}: unknown choice `{}`{allowed}", allowed.found)]
    UnknownChoice {
        /// The word.
        at: Box<At>,
        /// The alternatives.
        allowed: Allowed,
    },
    /// A key that must be there is not.
    #[error("{at}: key `{key}` is missing")]
    MissingKey {
        /// The mapping that lacks it.
        at: Box<At>,
        /// The key.
        key: String,
    },
    /// A value of the wrong type, without its unit, or out of range.
    #[error("{at}: {found}, expected {expected}")]
    WrongValue {
        /// The value.
        at: Box<At>,
        /// What was found.
        found: String,
        /// What is allowed.
        expected: String,
    },
    /// A name that refers to nothing.
    #[error("{at}: there is no {what} `{}`{allowed}", allowed.found)]
    UnknownName {
        /// The reference.
        at: Box<At>,
        /// What it should name.
        what: &'static str,
        /// What there is.
        allowed: Allowed,
    },
    /// Values that are fine one by one but not together.
    #[error("{at}: {reason}")]
    Inconsistent {
        /// The place to change.
        at: Box<At>,
        /// Why.
        reason: String,
    },
    /// A trigger measures what lies outside the cluster, and no signal stands for it.
    #[error("{at}: {reason}")]
    OpenTrigger {
        /// The trigger.
        at: Box<At>,
        /// What the scenario has to name.
        trigger: Box<OpenTrigger>,
        /// What is lacking, with the line that helps.
        reason: String,
    },
    /// All pools of the manifests are for machines without accelerators.
    #[error("{at}: {reason}")]
    CpuPools {
        /// The first of them.
        at: Box<At>,
        /// What each asks for.
        reason: String,
    },
    /// A query that cannot be answered as it is meant.
    #[error("{at}: {reason}{}", help_lines(help))]
    Query {
        /// Where the query stands.
        at: Box<At>,
        /// What is wrong.
        reason: String,
        /// What can be done, a line each.
        help: Vec<String>,
    },
    /// A manifest field that would change the answer and that the model does not have.
    #[error("{at}: {reason}; it would change the result and is not modelled")]
    NotModelled {
        /// The field.
        at: Box<At>,
        /// What it does.
        reason: String,
    },
    /// A document that decides what is asked for, by rules that the model does not have.
    #[error(
        "{at}: {title}: {reason}; `manifests: {{ignore: [{title}]}}` of the scenario, or `init --ignore {title}`, leaves it out all the same"
    )]
    Unmodelled {
        /// The document.
        at: Box<At>,
        /// Kind and name.
        title: String,
        /// What it does.
        reason: String,
    },
    /// A `--set` argument that cannot be applied.
    #[error("--set {argument}: {reason}{}", hint(nearest.as_deref()))]
    Override {
        /// As given.
        argument: String,
        /// Why.
        reason: String,
        /// The nearest path there is.
        nearest: Option<String>,
    },
    /// A data file with a bad row.
    #[error("{file}:{row}: {reason}")]
    BadRow {
        /// The file.
        file: String,
        /// Line, from 1, the header included.
        row: u64,
        /// What is wrong.
        reason: String,
    },
    /// A data file that is wrong as a whole.
    #[error("{file}: {reason}")]
    BadFile {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
}

/// A trigger that `metrics.triggers` has to name what feeds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTrigger {
    /// Its key there: `SCALEDOBJECT/TRIGGER`.
    pub key: String,
    /// Its type.
    pub kind: String,
    /// True if its own keys do not say how much a replica takes either.
    pub lacks_target: bool,
    /// Where that is what it measures, in words.
    pub measured_at: &'static str,
}

impl ScenarioError {
    /// Where in which file it is, as far as that is known: the file, and the line and column from 1 where there are lines.
    pub fn position(&self) -> (Option<String>, Option<u64>, Option<u64>) {
        let place = match self {
            Self::Syntax { place, .. } | Self::Template { place, .. } => place,
            Self::DuplicateKey { at, .. }
            | Self::NoKind { at, .. }
            | Self::UnknownKind { at, .. }
            | Self::UnknownKey { at, .. }
            | Self::UnknownChoice { at, .. }
            | Self::MissingKey { at, .. }
            | Self::WrongValue { at, .. }
            | Self::UnknownName { at, .. }
            | Self::Inconsistent { at, .. }
            | Self::OpenTrigger { at, .. }
            | Self::CpuPools { at, .. }
            | Self::Query { at, .. }
            | Self::NotModelled { at, .. }
            | Self::Unmodelled { at, .. } => &at.place,
            Self::BadRow { file, row, .. } => return (Some(file.clone()), Some(*row), None),
            Self::Unreadable { path: file, .. }
            | Self::EmptyFolder { path: file }
            | Self::Chart { folder: file }
            | Self::Kustomization { file, .. }
            | Self::BadFile { file, .. } => return (Some(file.clone()), None, None),
            Self::ScenarioCount { .. } | Self::Override { .. } => return (None, None, None),
        };
        let number = |number: u32| (place.line > 0).then_some(u64::from(number));
        (Some(place.source.to_string()), number(place.line), number(place.column))
    }
}

impl Place {
    /// Counts from the start of the whole what was counted from the start of a part.
    pub(crate) fn move_by(&mut self, lines: u32, columns: u32) {
        self.line += lines;
        self.column += columns;
    }

    /// A place in `source`.
    pub fn new(source: &Arc<str>, line: usize, column: usize) -> Self {
        let limit = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self { source: Arc::clone(source), line: limit(line), column: limit(column) }
    }
}

impl Allowed {
    /// Names that would have been right instead of `found`.
    pub fn new<S: Into<String>>(found: impl Into<String>, names: impl IntoIterator<Item = S>) -> Self {
        Self { found: found.into(), names: names.into_iter().map(Into::into).collect() }
    }
}

/// Each on a line of its own, at most three.
fn help_lines(help: &[String]) -> String {
    help.iter().take(3).map(|line| format!("\n  help: {line}")).collect()
}

/// `; did you mean …?`, or nothing.
fn hint(name: Option<&str>) -> String {
    name.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.source),
            line => write!(f, "{}:{line}:{}", self.source, self.column),
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)?;
        if self.path.is_empty() { Ok(()) } else { write!(f, ": {}", self.path) }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let near = nearest(&self.found, self.names.iter().map(String::as_str));
        write!(f, "{}", hint(near))?;
        match self.names.as_slice() {
            [] => write!(f, " (there is none)"),
            names => write!(f, " (one of: {})", names.join(", ")),
        }
    }
}
