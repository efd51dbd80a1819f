//! A request trace in Parquet: the columns of the CSV formats, one row group in memory at a time.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use workload::{Tag, TraceChunk, TraceReader};

use scenario::file::{TimeColumn, TraceFile};
use scenario::{ScenarioError, TraceDetails};

use crate::adapter::AdapterNames;
use crate::file::{Clock, bad_row};
use crate::line::{Layout, time_ns};
use crate::parquet::{Cells, ParquetInput, Values};
use crate::seal::{Seal, Sealed};
use crate::text::shortened;
use crate::time::whole;
use crate::{open_file, unreadable};

/// Rows handed out at once.
const ROWS_PER_CHUNK: usize = 8_192;

/// A Parquet file and which of its columns are read how.
#[derive(Clone, Debug)]
pub struct ParquetTrace {
    input: ParquetInput,
    seal: Arc<Seal>,
    arrival: usize,
    unit: TimeColumn,
    tokens: Option<(usize, usize)>,
    skips_failures: bool,
    adapter: Option<usize>,
    /// Adapters by name, if they are read; known once the file was read through.
    pub adapters: Arc<AdapterNames>,
    /// The file's own time of the start, in nanoseconds; known once the file was read through.
    origin_ns: i64,
}

/// The requests of one row group, in the file's own time.
#[derive(Default)]
struct Group {
    at_ns: Vec<i64>,
    tokens: Option<(Vec<u32>, Vec<u32>)>,
    /// Names of the adapters that requests are for, if they are read.
    adapters: Vec<String>,
    /// Row in the group of each request; empty if it is that of the request.
    rows: Vec<usize>,
}

/// What is wrong with a row of a group; without a row it is the column.
type Complaint = (Option<usize>, String);

impl ParquetTrace {
    /// What the columns of a file say of requests beside times and tokens.
    pub fn details(path: &Path, trace: &TraceFile) -> Result<TraceDetails, ScenarioError> {
        let input = ParquetInput::open(path)?;
        let layout = Layout::of_columns(&input.names(), trace);
        let adapters = matches!(layout, Ok(Layout::Csv { adapter: Some(_), .. }));
        Ok(TraceDetails { adapters, ..TraceDetails::default() })
    }

    /// Reads the file through: every row must be readable, and none earlier than the one above it.
    pub fn load(seal: &Arc<Seal>, trace: &TraceFile, wanted: TraceDetails) -> Result<(Self, Clock), ScenarioError> {
        let path = seal.path();
        let input = ParquetInput::open(path)?;
        let name = path.display().to_string();
        let bad_file = |reason: String| ScenarioError::BadFile { file: name.clone(), reason };
        let layout = Layout::of_columns(&input.names(), trace).map_err(bad_file)?;
        let Layout::Csv { arrival, unit, tokens, skips_failures, adapter } = layout else {
            return Err(bad_file("has no columns".to_owned()));
        };
        let unit = if input.holds_instants(arrival) { TimeColumn::Timestamp } else { unit };
        let (seal, adapter) = (Arc::clone(seal), adapter.filter(|_| wanted.adapters));
        let adapters = Arc::default();
        let mut parquet = Self { input, seal, arrival, unit, tokens, skips_failures, adapter, adapters, origin_ns: 0 };
        let mut names = AdapterNames::default();
        let mut clock = Clock::new(unit == TimeColumn::Timestamp);
        let mut file = open_file(path).map_err(|error| unreadable(path, &error))?;
        let mut rows_before = 0;
        for group in 0..parquet.input.groups() {
            let complain = |(row, reason): Complaint| match row {
                Some(row) => bad_row(&name, rows_before + row as u64 + 1, reason),
                None => ScenarioError::BadFile { file: name.clone(), reason },
            };
            let (group, rows) = parquet.group(&mut file, group).map_err(complain)?;
            for (index, at_ns) in group.at_ns.iter().enumerate() {
                let row = group.rows.get(index).copied().unwrap_or(index);
                clock.admit(*at_ns).map_err(|reason| complain((Some(row), reason)))?;
                if let Some(name) = group.adapters.get(index) {
                    let said = |reason| format!("adapter `{}` {reason}", shortened(name));
                    names.admit(name).map_err(|reason| complain((Some(row), said(reason))))?;
                }
            }
            rows_before += rows as u64;
        }
        parquet.origin_ns = clock.origin_ns;
        parquet.adapters = Arc::new(names);
        Ok((parquet, clock))
    }

    /// True if requests have tokens.
    pub fn has_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// What the format is called.
    pub fn format_name(&self) -> &'static str {
        match (self.tokens.is_some(), self.unit == TimeColumn::Timestamp) {
            (true, true) => "Parquet with dates and tokens",
            (true, false) => "Parquet with arrivals and tokens",
            (false, true) => "Parquet with dates",
            (false, false) => "Parquet with arrivals",
        }
    }

    /// A reader at the first request.
    pub fn reader(&self) -> ParquetReader {
        let file = self.seal.open();
        ParquetReader { trace: self.clone(), file, next_group: 0, group: Group::default(), next_row: 0 }
    }

    /// The requests of a row group, and how many rows it has.
    fn group(&self, file: &mut File, group: usize) -> Result<(Group, usize), Complaint> {
        let mut column = |index: usize| {
            let cells = self.input.cells(file, group, index).map_err(|reason| (None, reason))?;
            match cells.first_missing() {
                Some(row) => Err((Some(row), format!("column `{}` is empty", self.input.names()[index]))),
                None => Ok(cells),
            }
        };
        let mut found = Group { at_ns: times(column(self.arrival)?, self.unit)?, ..Group::default() };
        let rows = found.at_ns.len();
        if let Some((prompt, output)) = self.tokens {
            found.tokens =
                Some((counts(&column(prompt)?, "prompt tokens")?, counts(&column(output)?, "output tokens")?));
        }
        if let Some(adapter) = self.adapter {
            let cells = self.input.cells(file, group, adapter).map_err(|reason| (None, reason))?;
            found.adapters = adapter_names(&cells)?;
        }
        if let (true, Some((prompt, output))) = (self.skips_failures, &mut found.tokens) {
            found.rows = (0..rows).filter(|row| output[*row] > 0).collect();
            found.at_ns = found.rows.iter().map(|row| found.at_ns[*row]).collect();
            *prompt = found.rows.iter().map(|row| prompt[*row]).collect();
            *output = found.rows.iter().map(|row| output[*row]).collect();
            if !found.adapters.is_empty() {
                found.adapters = found.rows.iter().map(|row| std::mem::take(&mut found.adapters[*row])).collect();
            }
        }
        Ok((found, rows))
    }
}

/// A column of times, in nanoseconds of the file's own time.
fn times(cells: Cells, unit: TimeColumn) -> Result<Vec<i64>, Complaint> {
    let unit_ns = match unit {
        TimeColumn::Seconds => 1_000_000_000,
        TimeColumn::Milliseconds => 1_000_000,
        TimeColumn::Microseconds => 1_000,
        TimeColumn::Nanoseconds | TimeColumn::Timestamp => 1,
    };
    let bad = |row: usize, found: String| (Some(row), format!("arrival `{}` is not a time", shortened(&found)));
    match cells.values {
        Values::Instants(instants) => Ok(instants),
        Values::Text(texts) => texts
            .values_iter()
            .enumerate()
            .map(|(row, text)| time_ns(text.as_bytes(), unit).ok_or_else(|| bad(row, text.to_owned())))
            .collect(),
        _ if unit == TimeColumn::Timestamp => {
            Err((None, "the column of arrivals holds numbers where dates and times are expected".to_owned()))
        }
        Values::Whole(values) => values
            .iter()
            .enumerate()
            .map(|(row, value)| value.checked_mul(unit_ns).ok_or_else(|| bad(row, value.to_string())))
            .collect(),
        Values::Numbers(values) => {
            let is_time = |value: &f64| (value * unit_ns as f64).abs() < 9e18;
            match values.iter().position(|value| !is_time(value)) {
                Some(row) => Err(bad(row, values[row].to_string())),
                None => Ok(values.iter().map(|value| round(value * unit_ns as f64)).collect()),
            }
        }
    }
}

/// The nearest whole number.
fn round(ns: f64) -> i64 {
    // From 2^52 on doubles are whole: adding one and a half of it rounds in one instruction, where `round` is a call on most machines.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    const EXACT_BELOW: f64 = 2_251_799_813_685_248.0;
    if ns.abs() < EXACT_BELOW { ((ns + SHIFT) - SHIFT) as i64 } else { ns.round() as i64 }
}

/// A column of token counts.
fn counts(cells: &Cells, what: &str) -> Result<Vec<u32>, Complaint> {
    if let Values::Whole(values) = &cells.values
        && values.iter().all(|value| u32::try_from(*value).is_ok())
    {
        return Ok(values.iter().map(|value| *value as u32).collect());
    }
    let count = |row: usize| match &cells.values {
        Values::Whole(values) => u32::try_from(values[row]).ok(),
        // Whole numbers are often doubles: pandas makes them so where a value is missing.
        Values::Numbers(values) if values[row].fract() == 0.0 && (0.0..4e9).contains(&values[row]) => {
            Some(values[row] as u32)
        }
        Values::Text(texts) => whole(texts.value(row).as_bytes()),
        Values::Numbers(_) | Values::Instants(_) => None,
    };
    let bad = |row: usize| (Some(row), format!("{what} `{}` is not a whole number", shortened(&cells.text(row))));
    (0..cells.len()).map(|row| count(row).ok_or_else(|| bad(row))).collect()
}

/// A column of adapters: a name or a whole number for each request, nothing for the base model.
fn adapter_names(cells: &Cells) -> Result<Vec<String>, Complaint> {
    let name = |row: usize| match &cells.values {
        Values::Whole(_) | Values::Text(_) => Ok(cells.text(row).trim_ascii().to_owned()),
        // Whole numbers are doubles where pandas misses a value.
        Values::Numbers(values) if cells.text(row).is_empty() || values[row].fract() == 0.0 => Ok(cells.text(row)),
        Values::Numbers(values) if values[row].is_nan() => Ok(String::new()),
        Values::Numbers(_) | Values::Instants(_) => {
            let found = shortened(&cells.text(row));
            Err((Some(row), format!("adapter `{found}` is not a name or a whole number")))
        }
    };
    (0..cells.len()).map(name).collect()
}

/// Reads a [`ParquetTrace`] forward.
pub struct ParquetReader {
    trace: ParquetTrace,
    file: Sealed,
    next_group: usize,
    group: Group,
    next_row: usize,
}

impl TraceReader for ParquetReader {
    fn next_chunk(&mut self, chunk: &mut TraceChunk) -> bool {
        chunk.clear();
        while self.next_row == self.group.at_ns.len() {
            if self.next_group == self.trace.input.groups() {
                return false;
            }
            // The old group goes before the new one comes.
            self.group = Group::default();
            match self.trace.group(&mut self.file.handle(), self.next_group) {
                Ok((group, _)) => self.group = group,
                Err((_, reason)) => self.file.give_up(reason),
            }
            // After reading: what is handed on was read before the file was found to be the same.
            self.file.verify();
            self.next_group += 1;
            self.next_row = 0;
        }
        let rows = self.next_row..self.group.at_ns.len().min(self.next_row + ROWS_PER_CHUNK);
        for row in rows.clone() {
            match self.group.at_ns[row].checked_sub(self.trace.origin_ns).map(u64::try_from) {
                Some(Ok(at_ns)) => chunk.push(at_ns),
                _ => self.file.give_up("a row before its start"),
            }
            match self.group.adapters.get(row).map_or(Ok(0), |name| self.trace.adapters.number(name)) {
                Ok(0) => {}
                Ok(adapter) => chunk.tag_last(Tag { adapter, ..Tag::default() }),
                Err(reason) => self.file.give_up(reason),
            }
        }
        if let Some((prompt, output)) = &self.group.tokens {
            chunk.prompt_tokens.extend_from_slice(&prompt[rows.clone()]);
            chunk.output_tokens.extend_from_slice(&output[rows.clone()]);
        }
        self.next_row = rows.end;
        true
    }
}
