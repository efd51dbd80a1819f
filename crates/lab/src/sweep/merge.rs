//! Folders of sweeps back to rows, and several folders to one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::SweepError;
use super::journal::{Header, JOURNAL_NAME, Journal, RunKey, SweepRow, key, read_journal};
use super::table::{TableColumn, columns};
use record::Interval;

use crate::columns::{Column, Estimate};
use crate::design::Parameter;
use crate::experiment::{has_changes, replications_needed_of, widening};
use crate::statistics::{Confidence, mean_interval, share_interval};

/// What a sweep's folder holds.
#[derive(Clone, Debug)]
pub struct SweepResults {
    /// Name of the sweep.
    pub name: String,
    /// What varied.
    pub parameters: Vec<Parameter>,
    /// Policies, in the order of the scenario.
    pub policies: Vec<String>,
    /// Runs the whole sweep has.
    pub total: usize,
    /// Runs that are there, by point, policy, replication.
    pub rows: Vec<SweepRow>,
}

/// One column at one point under one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct PointEstimate {
    /// Number of the point.
    pub point: usize,
    /// Its settings, in the order of the parameters.
    pub settings: Vec<String>,
    /// The policy.
    pub policy: String,
    /// Replications behind it.
    pub replications: usize,
    /// Estimate and interval.
    pub estimate: Interval,
}

impl SweepResults {
    /// Runs that are not there yet.
    pub fn missing(&self) -> usize {
        self.total - self.rows.len()
    }

    /// The rows as columns of a tidy table: `point`, a column per parameter, `policy, replication, seed, digest`, the summary's.
    pub fn table(&self) -> Vec<TableColumn> {
        columns(&self.parameters, &self.rows)
    }

    /// One column over the replications of each point and policy, with its 95 % interval, in the order of the rows: what a curve over a
    /// parameter shows. Attainment by `statistics::share_interval`; all else, percentiles too (a journal keeps no histograms), by
    /// Student's t over replications. Where so few are not known to give an interval that holds, there is none.
    pub fn estimates(&self, column: &Column) -> Vec<PointEstimate> {
        self.rows
            .chunk_by(|a, b| a.point == b.point && a.summary.policy == b.summary.policy)
            .map(|rows| PointEstimate {
                point: rows[0].point,
                settings: rows[0].settings.clone(),
                policy: rows[0].summary.policy.clone(),
                replications: rows.len(),
                estimate: estimate(column, rows),
            })
            .collect()
    }

    fn new(header: &Header, mut rows: Vec<SweepRow>) -> Self {
        let place = |policy: &str| header.policies.iter().position(|name| name == policy);
        rows.sort_by_key(|row| (row.point, place(&row.summary.policy), row.summary.replication));
        Self {
            name: header.name.clone(),
            parameters: header
                .parameters
                .iter()
                .map(|(name, path)| Parameter { name: name.clone(), path: path.clone() })
                .collect(),
            policies: header.policies.clone(),
            total: header.points * header.policies.len() * header.replications as usize,
            rows,
        }
    }
}

fn estimate(column: &Column, rows: &[SweepRow]) -> Interval {
    let summaries = || rows.iter().map(|row| &row.summary);
    let is_skewed = column.estimate == Estimate::Quantile || summaries().any(has_changes);
    let confidence = Confidence::P95.widened(widening(is_skewed, rows.len()));
    let interval = match column.estimate {
        Estimate::Share => share_interval(&rows.iter().map(|row| row.slo).collect::<Vec<_>>(), confidence),
        _ => mean_interval(&summaries().map(|summary| column.of(summary)).collect::<Vec<_>>(), confidence),
    };
    let is_held = rows.len() as u32 >= replications_needed_of(column, summaries());
    if is_held { interval } else { Interval { low: f64::NAN, high: f64::NAN, ..interval } }
}

/// Reads a sweep's folder.
pub fn read(directory: &Path) -> Result<SweepResults, SweepError> {
    gather(&[directory]).map(|(header, rows)| SweepResults::new(&header, rows))
}

/// Shards put together: the results, and a journal that is not yet in its folder under its name.
#[derive(Debug)]
pub struct Merged {
    /// Of all runs that the shards have.
    pub results: SweepResults,
    partial: PathBuf,
    journal: PathBuf,
}

impl Merged {
    /// Gives the journal its name, which makes the folder one of a sweep. To be called when all else that goes there is written: a merge that was
    /// killed before can be done again.
    pub fn finish(self) -> Result<SweepResults, SweepError> {
        std::fs::rename(&self.partial, &self.journal)
            .map_err(|source| SweepError::Disk { path: self.journal, source })?;
        Ok(self.results)
    }
}

/// Merges shards of one sweep into `directory`, which must not hold a sweep yet, unless it is what comes of them: what was merged may be merged again.
/// A run that several folders have must be the same in all of them.
pub fn merge(folders: &[&Path], directory: &Path) -> Result<Merged, SweepError> {
    let path = directory.join(JOURNAL_NAME);
    let exists = || SweepError::Exists(directory.to_owned());
    let (header, rows) = match (path.exists(), gather(folders)) {
        (true, Ok(gathered)) if !holds(directory, &gathered) => return Err(exists()),
        (true, Err(_)) => return Err(exists()),
        (_, gathered) => gathered?,
    };
    let results = SweepResults::new(&header, rows);
    std::fs::create_dir_all(directory).map_err(|source| SweepError::Disk { path: directory.to_owned(), source })?;
    let partial = directory.join(format!("{JOURNAL_NAME}.tmp"));
    let mut journal = Journal::create(&partial, &header)?;
    for row in &results.rows {
        journal.append(row)?;
    }
    journal.sync()?;
    Ok(Merged { results, partial, journal: path })
}

/// Whether the sweep in a folder has exactly these runs.
fn holds(directory: &Path, (header, rows): &(Header, Vec<SweepRow>)) -> bool {
    let Ok((held, found)) = read_journal(directory) else { return false };
    let digests = |rows: &[SweepRow]| -> BTreeMap<RunKey, u64> {
        rows.iter().map(|row| (key(row), row.summary.digest)).collect()
    };
    held.of_this_version() == *header && digests(&found) == digests(rows)
}

fn gather(folders: &[&Path]) -> Result<(Header, Vec<SweepRow>), SweepError> {
    let mut first: Option<Header> = None;
    let mut rows: BTreeMap<RunKey, SweepRow> = BTreeMap::new();
    for folder in folders {
        let (header, found) = read_journal(folder)?;
        let header = header.of_this_version();
        if first.get_or_insert_with(|| header.clone()) != &header {
            return Err(SweepError::Other((*folder).to_owned()));
        }
        for row in found {
            let entry = rows.entry(key(&row)).or_insert_with(|| row.clone());
            if entry.summary.digest != row.summary.digest || entry.slo != row.slo {
                let (point, policy, replication) = key(&row);
                return Err(SweepError::Conflict { point, policy, replication });
            }
        }
    }
    let header = first.ok_or_else(|| SweepError::at("merge", "no folders"))?;
    Ok((header, rows.into_values().collect()))
}
