//! `requests.csv` and `requests.parquet`, written while the runs go on.
//!
//! Policies run at once, and the table has them one after another: each writes a part of its own, and the parts are put together when all
//! are there. A part holds the rows of one row group in memory.

use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use record::RequestRow;
use tempfile::NamedTempFile;

use crate::file::{put_into_place, temporary_beside};
use crate::parquet::ParquetFile;
use crate::requests_table;

/// Rows of a row group: some ten megabytes while they are packed, and a footer that stays small.
const ROWS_PER_GROUP: usize = 1 << 16;

/// The part of one policy, or of one service of it where there are several, while its run goes on. Its files are gone when it is dropped.
pub struct RequestsPart {
    policy: String,
    /// The service, where there are several.
    service: Option<String>,
    rows: Vec<RequestRow>,
    parquet: ParquetFile,
    csv: NamedTempFile,
    /// Bytes of the header of `requests.csv`.
    header_length: usize,
}

/// A part with all its rows.
pub struct FinishedPart {
    parquet: ParquetFile,
    csv: NamedTempFile,
    header_length: usize,
}

impl RequestsPart {
    /// An empty part beside the table it will be in, which is below `folder`.
    pub fn create(folder: &Path, (policy, service): (&str, Option<&str>)) -> io::Result<Self> {
        let columns = requests_table((policy, service), &[]);
        let mut csv = temporary_beside(&folder.join("requests.csv"))?;
        csv.write_all(&columns.to_csv())?;
        let parquet = ParquetFile::create(&folder.join("requests.parquet"), &columns)?;
        let (policy, service) = (policy.to_owned(), service.map(str::to_owned));
        Ok(Self { policy, service, rows: Vec::new(), header_length: columns.to_csv().len(), parquet, csv })
    }

    /// Appends rows, in order of arrival.
    pub fn push(&mut self, mut rows: &[RequestRow]) -> io::Result<()> {
        while !rows.is_empty() {
            let (now, later) = rows.split_at(rows.len().min(ROWS_PER_GROUP - self.rows.len()));
            self.rows.extend_from_slice(now);
            rows = later;
            if self.rows.len() == ROWS_PER_GROUP {
                self.write()?;
            }
        }
        Ok(())
    }

    /// There are no more rows.
    pub fn finish(mut self) -> io::Result<FinishedPart> {
        if !self.rows.is_empty() {
            self.write()?;
        }
        Ok(FinishedPart { parquet: self.parquet, csv: self.csv, header_length: self.header_length })
    }

    fn write(&mut self) -> io::Result<()> {
        let table = requests_table((&self.policy, self.service.as_deref()), &self.rows);
        self.parquet.push(&table)?;
        self.csv.write_all(&table.to_csv()[self.header_length..])?;
        self.rows.clear();
        Ok(())
    }
}

/// Puts the parts together, in their order, as `requests.parquet` and `requests.csv` in `folder`; each is there whole or not at all. The
/// first grows by the others, so that a lone one is only given its name.
pub fn write_requests(folder: &Path, parts: Vec<FinishedPart>) -> io::Result<()> {
    let mut parts = parts.into_iter();
    let Some(mut whole) = parts.next() else { return Ok(()) };
    for part in parts {
        let mut csv = part.csv;
        csv.seek(SeekFrom::Start(part.header_length as u64))?;
        io::copy(csv.as_file_mut(), whole.csv.as_file_mut())?;
        whole.parquet.append(part.parquet.close()?.as_file_mut())?;
    }
    put_into_place(whole.csv, &folder.join("requests.csv"))?;
    whole.parquet.finish()
}
