//! A small table, CSV or Parquet, row by row as text.

use std::fs::File;
use std::path::{Path, PathBuf};

use scenario::ScenarioError;
use scenario::file::TimeColumn;

use crate::line::fields;
use crate::parquet::{ParquetInput, is_parquet};
use crate::text::{LINE_BYTES_MAX, LineError};
use crate::{read_text, unreadable};

/// A table that has been opened.
pub struct Table {
    path: PathBuf,
    /// Names of its columns.
    pub names: Vec<String>,
    content: Content,
}

enum Content {
    Csv(String),
    Parquet(ParquetInput),
}

/// Takes the number of a row, two of its cells, and what the first of them counts.
pub type TakeRow<'a> = dyn FnMut(u64, [&str; 2], TimeColumn) -> Result<(), ScenarioError> + 'a;

impl Table {
    /// Opens a table.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let path = path.to_owned();
        if is_parquet(&path)? {
            let input = ParquetInput::open(&path)?;
            let names = input.names().into_iter().map(str::to_owned).collect();
            return Ok(Self { path, names, content: Content::Parquet(input) });
        }
        let text = read_text(&path)?;
        let header = text.lines().next().unwrap_or_default().trim_start_matches('\u{feff}');
        let file = || path.display().to_string();
        if text.trim().is_empty() {
            return Err(ScenarioError::BadFile { file: file(), reason: "is empty".to_owned() });
        }
        if header.len() > LINE_BYTES_MAX {
            return Err(ScenarioError::BadRow { file: file(), row: 1, reason: LineError::TooLong.to_string() });
        }
        let names = header.split(',').map(|column| column.trim().trim_matches('"').to_owned()).collect();
        Ok(Self { path, names, content: Content::Csv(text) })
    }

    /// Hands on the cells of two columns, time and value, of every row in which the cells named by `filters` are as they say. Times are in
    /// `unit`, or in nanoseconds where the file itself knows that they are instants. Rows are numbered as an editor numbers lines, in
    /// Parquet from 1.
    pub fn each_row(
        &self,
        columns: [usize; 2],
        filters: &[(usize, &str)],
        unit: TimeColumn,
        take: &mut TakeRow<'_>,
    ) -> Result<(), ScenarioError> {
        match &self.content {
            Content::Csv(text) => self.each_line(text, (columns, filters), unit, take),
            Content::Parquet(input) => self.each_parquet_row(input, (columns, filters), unit, take),
        }
    }

    fn each_line(
        &self,
        text: &str,
        (columns, filters): ([usize; 2], &[(usize, &str)]),
        unit: TimeColumn,
        take: &mut TakeRow<'_>,
    ) -> Result<(), ScenarioError> {
        for (index, line) in text.lines().enumerate().skip(1) {
            let number = index as u64 + 1;
            let line = line.trim_end();
            if line.is_empty() {
                continue;
            }
            let bad_row = |reason| ScenarioError::BadRow { file: self.path.display().to_string(), row: number, reason };
            let mut is_wanted = true;
            for (column, wanted) in filters {
                let [found] = fields(line.as_bytes(), [*column]).map_err(bad_row)?;
                is_wanted &= found == wanted.as_bytes();
            }
            if is_wanted {
                let cells = fields(line.as_bytes(), columns).map_err(bad_row)?;
                // The line is text and commas are ASCII, so its fields are text too.
                take(number, cells.map(|cell| std::str::from_utf8(cell).unwrap_or_default()), unit)?;
            }
        }
        Ok(())
    }

    fn each_parquet_row(
        &self,
        input: &ParquetInput,
        (columns, filters): ([usize; 2], &[(usize, &str)]),
        unit: TimeColumn,
        take: &mut TakeRow<'_>,
    ) -> Result<(), ScenarioError> {
        let unit = if input.holds_instants(columns[0]) { TimeColumn::Nanoseconds } else { unit };
        let mut file = File::open(&self.path).map_err(|error| unreadable(&self.path, &error))?;
        let mut rows_before = 0;
        for group in 0..input.groups() {
            let mut read = |column: usize| {
                input
                    .cells(&mut file, group, column)
                    .map_err(|reason| ScenarioError::BadFile { file: self.path.display().to_string(), reason })
            };
            let (time, value) = (read(columns[0])?, read(columns[1])?);
            let filters = filters
                .iter()
                .map(|(column, wanted)| Ok((read(*column)?, *wanted)))
                .collect::<Result<Vec<_>, ScenarioError>>()?;
            for row in 0..time.len() {
                if filters.iter().all(|(cells, wanted)| cells.text(row) == *wanted) {
                    take(rows_before + row as u64 + 1, [&time.text(row), &value.text(row)], unit)?;
                }
            }
            rows_before += time.len() as u64;
        }
        Ok(())
    }
}
