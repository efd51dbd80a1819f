//! What resolving needs besides the Scenario document itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::ZonedDateTime;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use units::SimDuration;

use crate::data::DataFiles;
use crate::error::{Allowed, At, ScenarioError};
use crate::file::RunFile;
use crate::manifest::workload::Workload;
use crate::manifest::{Document, Kind, is_slip};
use crate::notes::Folded;
use crate::tree::{Node, parse_path};

use super::MetricsView;
use super::adapters_of_traces::TraceAdapters;
use super::calendar::changes_in_run;
use super::turn::{Entry, Turns};

/// Documents, places and notes.
pub struct Context<'a> {
    /// The Scenario document, for places.
    pub scenario: &'a Node,
    /// All documents.
    pub documents: &'a [Document],
    /// Folder that relative file names start from.
    pub folder: PathBuf,
    /// The files themselves.
    pub data: &'a dyn DataFiles,
    /// What a user should know and need not act on.
    pub notes: Vec<String>,
    /// What he may ask for.
    pub folded: Folded,
    /// Namespace of manifests that name none, if the scenario says.
    pub namespace: Option<String>,
    /// The service, where it is a manifest.
    pub workload: Option<Workload>,
    /// True if the workload's preStop hook waits until its server is idle.
    pub hook_waits: bool,
    /// Kind and name of the manifests that were looked into.
    pub used: BTreeSet<String>,
    /// What metrics each service has and who reads them, once that is resolved.
    pub metrics: Vec<MetricsView>,
    /// Names of recording rules that nothing reads.
    pub idle_records: BTreeSet<String>,
    /// CapacityBuffers that name no workload and are kept for a service.
    pub shared_room: BTreeSet<String>,
    /// Adapters by the names that traces give them.
    pub(super) adapters: TraceAdapters,
    /// The service whose turn it is, where there are several.
    pub entry: Option<Entry>,
    /// What is known of the others.
    pub turns: Turns,
}

impl<'a> Context<'a> {
    /// Documents and nothing said of them yet.
    pub fn new(scenario: &'a Node, documents: &'a [Document], files: (PathBuf, &'a dyn DataFiles)) -> Self {
        let (notes, folded) = (Vec::new(), Folded::default());
        let (folder, data) = files;
        Self {
            scenario,
            documents,
            folder,
            data,
            notes,
            folded,
            namespace: None,
            workload: None,
            hook_waits: false,
            used: BTreeSet::new(),
            metrics: Vec::new(),
            idle_records: BTreeSet::new(),
            shared_room: BTreeSet::new(),
            adapters: TraceAdapters::default(),
            entry: None,
            turns: Turns::default(),
        }
    }

    /// The namespace of a document: its own, or the scenario's for those that name none.
    pub fn namespace_of<'d>(&'d self, document: &'d Document) -> Option<&'d str> {
        document.namespace().or(self.namespace.as_deref())
    }

    /// A note, once.
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// The deepest node on `path` that is written, and the whole path. What the short form has at the top is that of the service whose turn
    /// it is.
    #[allow(clippy::unnecessary_box_returns, reason = "errors hold it boxed, to stay small")]
    pub fn at(&self, path: &str) -> Box<At> {
        let path = self.place_of(path);
        let segments = parse_path(&path).expect("paths in this crate are well-formed");
        let place = self.scenario.deepest(&segments).place.clone();
        Box::new(At { place, path })
    }

    /// Values that do not go together.
    pub fn inconsistent(&self, path: &str, reason: &str) -> ScenarioError {
        ScenarioError::Inconsistent { at: self.at(path), reason: reason.to_owned() }
    }

    /// A name that refers to nothing.
    pub fn unknown_name<S: Into<String>>(
        &self,
        path: &str,
        what: &'static str,
        found: &str,
        names: impl IntoIterator<Item = S>,
    ) -> ScenarioError {
        ScenarioError::UnknownName { at: self.at(path), what, allowed: Allowed::new(found, names) }
    }

    /// Documents of one kind.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &'a Document> + use<'a> {
        self.documents.iter().filter(move |document| document.kind == kind)
    }

    /// The document of this kind and name that `path` refers to; of several in other namespaces that beside the service.
    pub fn named(&self, kind: Kind, name: &str, path: &str) -> Result<&'a Document, ScenarioError> {
        let what = match kind {
            Kind::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            _ => "ScaledObject",
        };
        self.beside(kind, name).ok_or_else(|| {
            self.unknown_name(path, what, name, self.of_kind(kind).map(|document| document.name.as_str()))
        })
    }

    /// The document of this kind and name; of several in other namespaces that beside the service.
    pub fn beside(&self, kind: Kind, name: &str) -> Option<&'a Document> {
        let mut found: Vec<&Document> = self.of_kind(kind).filter(|document| document.name == name).collect();
        let service = self.workload.as_ref().and_then(|workload| workload.document.namespace());
        if found.len() > 1 {
            found.retain(|document| self.namespace_of(document) == service.or(self.namespace.as_deref()));
        }
        found.first().copied()
    }

    /// Notes which fields of a manifest have no effect: a slip of a name on a line of its own, the others by their number.
    pub fn note_ignored(&mut self, document: &Document, paths: &[String]) {
        let label = document.label();
        let (slips, others): (Vec<&String>, Vec<&String>) = paths.iter().partition(|path| is_slip(path));
        slips.into_iter().for_each(|slip| self.note(format!("{label}: {slip}")));
        self.folded.fields(label, &others.into_iter().cloned().collect::<Vec<_>>());
        self.used.insert(document.label());
    }

    /// Counts a manifest that turned out to have nothing to read.
    pub fn without_effect(&mut self, document: &Document) {
        self.used.insert(document.label());
        self.folded.document(document.kind_text(), document.label());
    }

    /// A data file: beside the scenario, or from the current folder, which is what a path on the command line means.
    pub fn file(&self, name: &str) -> PathBuf {
        let beside = self.folder.join(name);
        if !self.data.exists(&beside) && self.data.exists(Path::new(name)) { PathBuf::from(name) } else { beside }
    }

    /// The same of a file that must be there; `path` is the key that names it.
    pub fn file_of(&self, name: &str, path: &str) -> Result<PathBuf, ScenarioError> {
        let file = self.file(name);
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let wanted = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let names = match self.data.names(folder) {
            Some(names) if !self.data.exists(&file) => names,
            _ => return Ok(file),
        };
        let near =
            names::nearest(&wanted, names.iter().map(String::as_str)).map(|near| Path::new(name).with_file_name(near));
        let near = near.map(|near| format!("; did you mean `{}`?", near.display())).unwrap_or_default();
        Err(self.inconsistent(path, &format!("there is no file `{}`{near}", file.display())))
    }

    /// When the run starts, in the calendar.
    pub fn start(&self, run: &RunFile) -> Result<ZonedDateTime, ScenarioError> {
        let wrong = |path: &str, found: &str, expected: &str| ScenarioError::WrongValue {
            at: self.at(path),
            found: format!("text `{found}`"),
            expected: expected.to_owned(),
        };
        let zone = TimeZone::get(&run.time_zone).map_err(|_| {
            wrong("spec.run.timeZone", &run.time_zone, "an IANA time zone such as `UTC` or `Europe/Berlin`")
        })?;
        if run.start == "cold" {
            let reason = "a date and time; for an empty Prometheus at the start say `run.prehistory: none`";
            return Err(wrong("spec.run.start", &run.start, reason));
        }
        let local: DateTime = run.start.parse().map_err(|_| {
            wrong(
                "spec.run.start",
                &run.start,
                "a local date and time such as `2026-03-16T00:00:00` (the zone is `timeZone`)",
            )
        })?;
        let found = local
            .to_zoned_datetime(zone)
            .map_err(|_| wrong("spec.run.start", &run.start, "a date between the years 1 and 9999"))?;
        if found.datetime() != local {
            let skipped = "a time that the clocks of `timeZone` show: summer time begins there and skips this one";
            return Err(wrong("spec.run.start", &run.start, skipped));
        }
        Ok(found)
    }

    /// Says that the clocks change in the run, and what follows them.
    pub fn note_clock_change(&mut self, start: &ZonedDateTime, length: SimDuration) {
        for (unix_seconds, _) in changes_in_run(start, length) {
            let zone = start.time_zone().iana_name().unwrap_or("the time zone");
            let shown = jiff::Timestamp::from_second(unix_seconds).map_or_else(
                |_| unix_seconds.to_string(),
                |at| at.to_zoned_datetime(start.time_zone().clone()).strftime("%FT%T%:z").to_string(),
            );
            self.note(format!(
                "the clocks of {zone} change in this run, to {shown}: cron schedules, daily and weekly traffic and the `time` columns follow them; seasons of predictive policies go on in steps of their period"
            ));
        }
    }
}
