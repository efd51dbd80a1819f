//! The journal: a header line and one line per finished run, appended.
//!
//! A line is written in one call before its run is counted, so a killed process loses nothing that was counted and leaves at most one
//! torn line, which is cut off when the journal is opened again. The disk is told to write through at most once a second and at the
//! end: a power cut may cost the last second's runs, never the journal.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use record::ReplicationSummary;
use serde::{Deserialize, Serialize};

use super::{Point, Sweep, SweepError};
use crate::columns::{COLUMNS, Column};
use crate::experiment::Replication;
use crate::statistics::Counts;

/// Name of the journal in its folder.
pub const JOURNAL_NAME: &str = "journal.jsonl";
/// Version of the format. Since 2 every line ends in a checksum.
const VERSION: u32 = 2;
/// Time between write-throughs.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// One finished run: a point, a policy, a replication.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepRow {
    /// Number of the point.
    pub point: usize,
    /// Its settings as text, in the order of the parameters.
    pub settings: Vec<String>,
    /// Requests that met the SLO, of those it is judged on.
    pub slo: Counts,
    /// The run's figures.
    pub summary: ReplicationSummary,
    /// Of each service, where there are several: its counts and figures.
    pub services: Vec<(Counts, ReplicationSummary)>,
}

/// First line: whose journal this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// Version of this format.
    pub scalelab_sweep: u32,
    pub name: String,
    pub fingerprint: u64,
    pub points: usize,
    pub policies: Vec<String>,
    pub replications: u32,
    /// (name, path) of each parameter.
    pub parameters: Vec<(String, String)>,
    /// Columns of each line's values.
    pub columns: Vec<String>,
}

impl Header {
    pub fn new(sweep: &Sweep, policies: &[String]) -> Self {
        Self {
            scalelab_sweep: VERSION,
            name: sweep.name.clone(),
            fingerprint: sweep.fingerprint(policies),
            points: sweep.points.len(),
            policies: policies.to_vec(),
            replications: sweep.replications,
            parameters: sweep.parameters.iter().map(|one| (one.name.clone(), one.path.clone())).collect(),
            columns: COLUMNS.iter().map(|column| column.name.to_owned()).collect(),
        }
    }
}

impl Header {
    /// The same in the format that is written now.
    pub fn of_this_version(self) -> Self {
        Self { scalelab_sweep: VERSION, ..self }
    }

    fn from_line(text: &str) -> Result<Self, String> {
        // Before the checksum is known to be needed: which version it is stands in the line.
        let version = serde_json::from_str::<Self>(text).map_err(|error| error.to_string())?.scalelab_sweep;
        serde_json::from_str(&unchecked(text, version)?).map_err(|error| error.to_string())
    }

    /// Whether a run can be of this sweep, with a value for every column.
    fn fits(&self, line: &Line) -> Result<(), String> {
        let same = |what: &str, found: usize, expected: usize| {
            if found == expected { Ok(()) } else { Err(format!("{found} {what}, expected {expected}")) }
        };
        same("values", line.values.len(), self.columns.len())?;
        for service in &line.services {
            same("values of a service", service.values.len(), self.columns.len())?;
        }
        same("settings", line.settings.len(), self.parameters.len())?;
        if line.point >= self.points || line.replication >= self.replications || !self.policies.contains(&line.policy) {
            let Line { point, policy, replication, .. } = line;
            return Err(format!("the sweep has no point {point} with policy `{policy}` and replication {replication}"));
        }
        Ok(())
    }
}

/// How the checksum of a line begins; sixteen hexadecimal digits, a quote and a brace follow.
const CHECK: &str = ",\"check\":\"";

/// A line with its end: an object whose last key is a checksum of everything before it.
fn checked(line: &impl Serialize) -> String {
    let mut text = serde_json::to_string(line).expect("strings and numbers are always JSON");
    text.pop();
    format!("{text}{CHECK}{:016x}\"}}\n", checksum(&text))
}

/// The same line without its checksum, which must be right; journals before version 2 may have none.
fn unchecked(text: &str, version: u32) -> Result<String, String> {
    let end = text.len().checked_sub(CHECK.len() + 18).filter(|end| text.is_char_boundary(*end));
    let found = end.map(|end| text.split_at(end)).filter(|(_, check)| check.starts_with(CHECK));
    match found {
        Some((before, check)) if check[CHECK.len()..] == format!("{:016x}\"}}", checksum(before)) => {
            Ok(format!("{before}}}"))
        }
        Some(_) => Err("its checksum is of another line".to_owned()),
        None if version < 2 => Ok(text.to_owned()),
        None => Err("it has no checksum".to_owned()),
    }
}

/// FNV-1a: a slip of the disk or of an editor is found, no forger is kept out.
fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A run as its line says it; NaN is `null`.
#[derive(Serialize, Deserialize)]
struct Line {
    point: usize,
    settings: Vec<String>,
    policy: String,
    replication: u32,
    seed: u64,
    digest: u64,
    slo_met: u64,
    slo_total: u64,
    values: Vec<Option<f64>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    services: Vec<ServiceLine>,
}

/// A service's part of a run.
#[derive(Serialize, Deserialize)]
struct ServiceLine {
    service: String,
    slo_met: u64,
    slo_total: u64,
    values: Vec<Option<f64>>,
}

impl SweepRow {
    pub(super) fn of(point: &Point, run: Replication) -> Self {
        let settings = point.settings.iter().map(|setting| setting.value.text.clone()).collect();
        let services = run.services.into_iter().map(|service| (service.slo, service.summary)).collect();
        Self { point: point.index, settings, slo: run.slo, summary: run.summary, services }
    }

    /// The row of the cluster and, where there are several, one per service: the name (empty for the cluster), counts and figures.
    pub fn parts(&self) -> impl Iterator<Item = (Counts, &ReplicationSummary)> {
        std::iter::once((self.slo, &self.summary)).chain(self.services.iter().map(|(slo, summary)| (*slo, summary)))
    }

    fn to_line(&self) -> String {
        let line = Line {
            point: self.point,
            settings: self.settings.clone(),
            policy: self.summary.policy.clone(),
            replication: self.summary.replication,
            seed: self.summary.seed,
            digest: self.summary.digest,
            slo_met: self.slo.met,
            slo_total: self.slo.total,
            values: values(&self.summary),
            services: self
                .services
                .iter()
                .map(|(slo, summary)| ServiceLine {
                    service: summary.service.clone(),
                    slo_met: slo.met,
                    slo_total: slo.total,
                    values: values(summary),
                })
                .collect(),
        };
        checked(&line)
    }

    fn from_line(text: &str, header: &Header) -> Result<Self, String> {
        let columns = header.columns.as_slice();
        let line: Line =
            serde_json::from_str(&unchecked(text, header.scalelab_sweep)?).map_err(|error| error.to_string())?;
        header.fits(&line)?;
        let of_run = ReplicationSummary {
            policy: line.policy,
            replication: line.replication,
            seed: line.seed,
            digest: line.digest,
            ..ReplicationSummary::default()
        };
        let service = |part: ServiceLine| {
            let named = ReplicationSummary { service: part.service, ..of_run.clone() };
            (Counts { met: part.slo_met, total: part.slo_total }, with_values(named, columns, part.values))
        };
        let services = line.services.into_iter().map(service).collect();
        let slo = Counts { met: line.slo_met, total: line.slo_total };
        let summary = with_values(of_run, columns, line.values);
        Ok(Self { point: line.point, settings: line.settings, slo, summary, services })
    }
}

fn values(summary: &ReplicationSummary) -> Vec<Option<f64>> {
    COLUMNS.iter().map(|column| Some(column.of(summary)).filter(|value| value.is_finite())).collect()
}

/// By name and not by place: a journal of an earlier version may have other columns.
fn with_values(mut summary: ReplicationSummary, columns: &[String], values: Vec<Option<f64>>) -> ReplicationSummary {
    for (name, value) in columns.iter().zip(values) {
        if let Some(column) = Column::named(name) {
            column.set(&mut summary, value.unwrap_or(f64::NAN));
        }
    }
    summary
}

/// An open journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    synced: Instant,
}

/// What a run is known by.
pub(super) type RunKey = (usize, String, u32);

pub(super) fn key(row: &SweepRow) -> RunKey {
    (row.point, row.summary.policy.clone(), row.summary.replication)
}

impl Journal {
    /// Opens the journal of `directory`, and says which runs it has. A new one is begun if there is none; one that is there must be of
    /// the same sweep, and is only touched on `resume`.
    pub fn open(directory: &Path, header: &Header, resume: bool) -> Result<(Self, BTreeSet<RunKey>), SweepError> {
        let path = directory.join(JOURNAL_NAME);
        let disk = |source| SweepError::Disk { path: path.clone(), source };
        std::fs::create_dir_all(directory).map_err(disk)?;
        let whole = read_whole_lines(&path)?;
        let mut done = BTreeSet::new();
        let Some(whole) = whole else {
            return Ok((Self::create(&path, header)?, done));
        };
        if !resume {
            return Err(SweepError::Exists(directory.to_owned()));
        }
        let (found, rows) = parse(&path, &whole)?;
        // An older journal is gone on with; its new lines have their checksums.
        if found.of_this_version() != *header {
            return Err(SweepError::Other(directory.to_owned()));
        }
        done.extend(rows.iter().map(key));
        let file = OpenOptions::new().write(true).open(&path).map_err(disk)?;
        // Cuts off a line the last process was killed in.
        file.set_len(whole.len() as u64).map_err(disk)?;
        drop(file);
        let file = OpenOptions::new().append(true).open(&path).map_err(disk)?;
        Ok((Self { path, file, synced: Instant::now() }, done))
    }

    /// Begins a journal, replacing what is there.
    pub fn create(path: &Path, header: &Header) -> Result<Self, SweepError> {
        let disk = |source| SweepError::Disk { path: path.to_owned(), source };
        let mut file = File::create(path).map_err(disk)?;
        file.write_all(checked(header).as_bytes()).map_err(disk)?;
        file.sync_all().map_err(disk)?;
        Ok(Self { path: path.to_owned(), file, synced: Instant::now() })
    }

    pub fn append(&mut self, row: &SweepRow) -> Result<(), SweepError> {
        let line = row.to_line();
        self.file.write_all(line.as_bytes()).map_err(|source| self.disk(source))?;
        if self.synced.elapsed() >= SYNC_INTERVAL {
            self.sync()?;
        }
        Ok(())
    }

    pub fn sync(&mut self) -> Result<(), SweepError> {
        self.file.sync_data().map_err(|source| self.disk(source))?;
        self.synced = Instant::now();
        Ok(())
    }

    fn disk(&self, source: std::io::Error) -> SweepError {
        SweepError::Disk { path: self.path.clone(), source }
    }
}

/// Reads the journal of `directory`; a torn last line is as if it were not there.
pub(super) fn read_journal(directory: &Path) -> Result<(Header, Vec<SweepRow>), SweepError> {
    let path = directory.join(JOURNAL_NAME);
    let whole = read_whole_lines(&path)?.ok_or_else(|| SweepError::Missing(directory.to_owned()))?;
    parse(&path, &whole)
}

/// The file up to its last line break; `None` if there is no file, or not even a whole header in it.
fn read_whole_lines(path: &Path) -> Result<Option<String>, SweepError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(SweepError::Disk { path: path.to_owned(), source }),
    };
    let Some(end) = bytes.iter().rposition(|&byte| byte == b'\n') else { return Ok(None) };
    String::from_utf8(bytes[..=end].to_vec()).map(Some).map_err(|error| SweepError::Damaged {
        path: path.to_owned(),
        line: bytes[..error.utf8_error().valid_up_to()].split(|&byte| byte == b'\n').count(),
        problem: "not UTF-8".to_owned(),
    })
}

fn parse(path: &Path, whole: &str) -> Result<(Header, Vec<SweepRow>), SweepError> {
    let damaged = |line: usize, problem: String| SweepError::Damaged { path: path.to_owned(), line, problem };
    let mut lines = whole.lines();
    let header = Header::from_line(lines.next().unwrap_or_default()).map_err(|problem| damaged(1, problem))?;
    let rows = lines
        .enumerate()
        .map(|(index, line)| {
            SweepRow::from_line(line, &header).map_err(|problem| {
                damaged(index + 2, format!("{problem}; without this line `--resume` does its run again"))
            })
        })
        .collect::<Result<_, _>>()?;
    Ok((header, rows))
}
