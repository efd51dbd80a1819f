//! The data files of a pack: what a scenario asked of its files when it was packed, answered again without them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use scenario::file::{RateSeriesFile, TraceFile};
use scenario::{DataFiles, RateRow, RequestTrace, ScenarioError};

use crate::blob::{Reader, Writer};
use crate::request_trace::PackedTrace;

/// Answers by what was asked: the file, and for what in it.
#[derive(Clone, Debug, Default)]
pub struct PackedFiles {
    /// Whole texts.
    pub texts: BTreeMap<String, String>,
    /// Columns of numbers.
    pub columns: BTreeMap<String, Vec<f64>>,
    /// Recorded rates.
    pub rates: BTreeMap<String, Vec<RateRow>>,
    /// Request traces.
    pub requests: BTreeMap<String, PackedTrace>,
}

/// What a file is called in a pack, and what was asked of it: everything that decides the answer.
pub fn asked(path: &Path, options: &str) -> String {
    format!("{}\n{options}", path.display())
}

/// What decides how a request trace is read.
pub fn trace_options(trace: &TraceFile, reads_blocks: bool) -> String {
    format!("{:?} {:?} {reads_blocks}", trace.format, trace.columns)
}

/// What decides how a recorded rate is read. Its unit does not: that is made of the rows later.
pub fn rate_options(file: &RateSeriesFile) -> String {
    format!("{:?} {:?} {:?} {:?} {:?}", file.time, file.value, file.every, file.filter, file.time_unit)
}

impl PackedFiles {
    /// Puts them into a pack.
    pub fn write(&self, writer: &mut Writer) {
        writer.whole(self.texts.len() as u64);
        for (name, text) in &self.texts {
            writer.piece(name.as_bytes());
            writer.piece(text.as_bytes());
        }
        writer.whole(self.columns.len() as u64);
        for (name, values) in &self.columns {
            writer.piece(name.as_bytes());
            writer.whole(values.len() as u64);
            values.iter().for_each(|value| writer.number(*value));
        }
        writer.whole(self.rates.len() as u64);
        for (name, rows) in &self.rates {
            writer.piece(name.as_bytes());
            writer.whole(rows.len() as u64);
            for row in rows {
                writer.whole(row.at_ns as u64);
                writer.number(row.value.unwrap_or(f64::NAN));
            }
        }
        writer.whole(self.requests.len() as u64);
        for (name, trace) in &self.requests {
            writer.piece(name.as_bytes());
            trace.write(writer);
        }
    }

    /// Reads them out of a pack; `None` if it is broken.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut files = Self::default();
        for _ in 0..reader.whole()? {
            let name = reader.text()?.to_owned();
            files.texts.insert(name, reader.text()?.to_owned());
        }
        for _ in 0..reader.whole()? {
            let name = reader.text()?.to_owned();
            let values = (0..reader.whole()?).map(|_| reader.number()).collect::<Option<Vec<_>>>()?;
            files.columns.insert(name, values);
        }
        for _ in 0..reader.whole()? {
            let name = reader.text()?.to_owned();
            let rows = reader.whole()?;
            let row = |_| {
                let (at_ns, value) = (reader.whole()? as i64, reader.number()?);
                Some(RateRow { at_ns, value: (!value.is_nan()).then_some(value) })
            };
            let rows = (0..rows).map(row).collect::<Option<Vec<_>>>()?;
            files.rates.insert(name, rows);
        }
        for _ in 0..reader.whole()? {
            let name = reader.text()?.to_owned();
            files.requests.insert(name, PackedTrace::read(reader)?);
        }
        Some(files)
    }

    fn found<'f, T>(answers: &'f BTreeMap<String, T>, path: &Path, options: &str) -> Result<&'f T, ScenarioError> {
        answers.get(&asked(path, options)).ok_or_else(|| ScenarioError::Unreadable {
            path: path.display().to_string(),
            reason: "is not in this page, which holds what its scenario read when it was made".to_owned(),
        })
    }
}

impl DataFiles for PackedFiles {
    fn exists(&self, path: &Path) -> bool {
        let prefix = asked(path, "");
        let has = |name: &String| name.starts_with(&prefix);
        self.texts.keys().any(has)
            || self.columns.keys().any(has)
            || self.rates.keys().any(has)
            || self.requests.keys().any(has)
    }

    fn text(&self, path: &Path) -> Result<String, ScenarioError> {
        Self::found(&self.texts, path, "").cloned()
    }

    fn column(&self, path: &Path, name: &str) -> Result<Vec<f64>, ScenarioError> {
        Self::found(&self.columns, path, name).cloned()
    }

    fn rates(&self, path: &Path, file: &RateSeriesFile) -> Result<Vec<RateRow>, ScenarioError> {
        Self::found(&self.rates, path, &rate_options(file)).cloned()
    }

    fn requests(&self, path: &Path, trace: &TraceFile, reads_blocks: bool) -> Result<RequestTrace, ScenarioError> {
        let found = Self::found(&self.requests, path, &trace_options(trace, reads_blocks))?;
        Ok(RequestTrace { source: Arc::new(found.clone()), last_ns: found.last_ns })
    }
}
