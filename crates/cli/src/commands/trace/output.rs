//! Traces written a stretch at a time: CSV, packed CSV or Parquet, by the ending of the name.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use calibrate::traffic::append;
use flate2::write::GzEncoder;
use report::{ParquetFile, Table, WholeFile};
use workload::TraceChunk;

use crate::failure::{Failure, OrEnvironment, Result};

/// Rows of a Parquet row group: a megabyte of each column at most.
const ROWS_PER_GROUP: usize = 1 << 16;

/// Where a trace goes.
pub struct TraceOutput {
    what: String,
    columns: Columns,
    kind: Kind,
}

/// What it says of requests beside their arrivals.
struct Columns {
    has_tokens: bool,
    /// Names of the adapters that they are for, that of number 1 first.
    adapters: Option<Vec<String>>,
}

impl Columns {
    /// Name of the adapter of a request; empty for the base model, and `None` without such a column.
    fn adapter(&self, chunk: &TraceChunk, row: usize) -> Option<&str> {
        let names = self.adapters.as_ref()?;
        Some((chunk.tag(row).adapter as usize).checked_sub(1).map_or("", |place| &names[place]))
    }
}

enum Kind {
    /// `-`.
    Standard(io::Stdout),
    Plain(WholeFile),
    Packed(Box<GzEncoder<WholeFile>>),
    Parquet {
        file: Box<ParquetFile>,
        rows: TraceChunk,
    },
}

impl TraceOutput {
    /// A trace at `path`, which is there only once it is finished; `-` is standard output. Requests may be for `adapters`.
    pub fn create(path: &Path, has_tokens: bool, adapters: Option<Vec<String>>) -> Result<Self> {
        let columns = Columns { has_tokens, adapters };
        let what = format!("writing {}", path.display());
        let ends_in = |ending: &str| path.extension().is_some_and(|found| found == ending);
        if ends_in("zst") || ends_in("jsonl") {
            let reason = "only CSV, .gz and .parquet are written";
            return Err(Failure::input(format!("{}: {reason}", path.display())));
        }
        let kind = if path == Path::new("-") {
            Kind::Standard(io::stdout())
        } else if ends_in("parquet") {
            let empty = table(&TraceChunk::default(), &columns);
            let file = Box::new(ParquetFile::create(path, &empty).or_environment(&what)?);
            Kind::Parquet { file, rows: TraceChunk::default() }
        } else {
            let file = WholeFile::create(path).or_environment(&what)?;
            // Neither name nor time goes into a packed file, so that equal text makes equal bytes.
            if ends_in("gz") {
                Kind::Packed(Box::new(GzEncoder::new(file, flate2::Compression::default())))
            } else {
                Kind::Plain(file)
            }
        };
        let mut header = if has_tokens { "arrival_s,prompt_tokens,output_tokens" } else { "arrival_s" }.to_owned();
        header += if columns.adapters.is_some() { ",adapter\n" } else { "\n" };
        let mut output = Self { what, columns, kind };
        output.text(&header)?;
        Ok(output)
    }

    /// Appends requests.
    pub fn push(&mut self, chunk: &TraceChunk) -> Result<()> {
        if let Kind::Parquet { rows, .. } = &mut self.kind {
            append(rows, chunk);
            return if rows.len() < ROWS_PER_GROUP { Ok(()) } else { self.write_group() };
        }
        let mut text = String::with_capacity(chunk.len() * 24);
        for (row, at) in chunk.arrival_ns.iter().enumerate() {
            // Seconds from the start with as many decimals as they need, exact to the nanosecond.
            let seconds = format!("{}.{:09}", at / 1_000_000_000, at % 1_000_000_000);
            text.push_str(seconds.trim_end_matches('0').trim_end_matches('.'));
            if self.columns.has_tokens {
                // Writing into a `String` cannot fail.
                let _ = write!(text, ",{},{}", chunk.prompt_tokens[row], chunk.output_tokens[row]);
            }
            if let Some(name) = self.columns.adapter(chunk, row) {
                text.push(',');
                if name.contains([',', '"']) {
                    let _ = write!(text, "\"{}\"", name.replace('"', "\"\""));
                } else {
                    text.push_str(name);
                }
            }
            text.push('\n');
        }
        self.text(&text)
    }

    /// Gives the file its name.
    pub fn finish(mut self) -> Result<()> {
        if matches!(&self.kind, Kind::Parquet { rows, .. } if !rows.is_empty()) {
            self.write_group()?;
        }
        let finished = match self.kind {
            Kind::Standard(mut output) => output.flush().or_else(unless_closed),
            Kind::Plain(file) => file.finish(),
            Kind::Packed(packer) => packer.finish().and_then(WholeFile::finish),
            Kind::Parquet { file, .. } => file.finish(),
        };
        finished.or_environment(&self.what)
    }

    fn text(&mut self, text: &str) -> Result<()> {
        let written = match &mut self.kind {
            Kind::Standard(output) => output.write_all(text.as_bytes()).or_else(unless_closed),
            Kind::Plain(file) => file.write_all(text.as_bytes()),
            Kind::Packed(packer) => packer.write_all(text.as_bytes()),
            // Its columns are in its footer.
            Kind::Parquet { .. } => Ok(()),
        };
        written.or_environment(&self.what)
    }

    fn write_group(&mut self) -> Result<()> {
        let Kind::Parquet { file, rows } = &mut self.kind else { return Ok(()) };
        file.push(&table(rows, &self.columns)).or_environment(&self.what)?;
        rows.clear();
        Ok(())
    }
}

/// A reader that has seen enough (`| head`) is no failure.
fn unless_closed(error: io::Error) -> io::Result<()> {
    if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

/// The columns of the normal form. A double holds seconds to the nanosecond up to fifty days, and to four of them up to a year.
fn table(chunk: &TraceChunk, columns: &Columns) -> Table {
    let table = Table::default().number("arrival_s", chunk.arrival_ns.iter().map(|at| *at as f64 / 1e9));
    let adapters = |table: Table| match &columns.adapters {
        Some(_) => table.text("adapter", (0..chunk.len()).filter_map(|row| columns.adapter(chunk, row))),
        None => table,
    };
    if !columns.has_tokens {
        return adapters(table);
    }
    let counts = |column: &[u32]| -> Vec<u64> { column.iter().map(|tokens| u64::from(*tokens)).collect() };
    adapters(
        table
            .count("prompt_tokens", counts(&chunk.prompt_tokens).into_iter())
            .count("output_tokens", counts(&chunk.output_tokens).into_iter()),
    )
}
