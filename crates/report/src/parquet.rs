//! Parquet written a stretch at a time: memory is that of one row group, whatever the length of the table.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use polars::error::PolarsResult;
use polars::frame::chunk_df_for_writing;
use polars::prelude::{CompatLevel, DataFrame, SchemaExt};
use polars_parquet::read::{PageReader, read_metadata};
use polars_parquet::write::{
    CompressedPage, CompressionOptions, DynIter, DynStreamingIterator, FileWriter, RowGroupIterator, StatisticsOptions,
    Version, WriteOptions, fallible_streaming_iterator, get_dtype_encoding,
};
use tempfile::NamedTempFile;

use crate::Table;
use crate::file::{put_into_place, temporary_beside};

/// Buffer of the file, in bytes.
const BUFFER: usize = 1 << 18;

/// Rows of a group, about, where a whole table is written.
const GROUP_ROWS: usize = 1 << 18;

/// Snappy, so that every reader opens the file; pages of polars' usual size.
fn options() -> WriteOptions {
    WriteOptions {
        statistics: StatisticsOptions::default(),
        version: Version::V1,
        compression: CompressionOptions::Snappy,
        data_page_size: None,
    }
}

/// A whole frame as a file in memory.
pub(crate) fn frame_to_parquet(frame: &mut DataFrame) -> PolarsResult<Vec<u8>> {
    let frame = chunk_df_for_writing(frame, GROUP_ROWS)?;
    let mut writer = RowGroups::new(Vec::new(), &frame)?;
    writer.push(&frame)?;
    writer.writer.end(None)?;
    Ok(writer.writer.into_inner())
}

/// What takes frames of the same columns, one row group per chunk.
struct RowGroups<W: Write> {
    writer: FileWriter<W>,
}

impl<W: Write> RowGroups<W> {
    fn new(output: W, columns: &DataFrame) -> PolarsResult<Self> {
        let schema = columns.schema().to_arrow(CompatLevel::newest());
        Ok(Self { writer: FileWriter::try_new(output, schema, options())? })
    }

    fn push(&mut self, frame: &DataFrame) -> PolarsResult<()> {
        let batches: Vec<_> =
            frame.iter_chunks(CompatLevel::newest(), false).filter(|batch| !batch.is_empty()).collect();
        let rows: Vec<u64> = batches.iter().map(|batch| batch.len() as u64).collect();
        let schema = self.writer.schema().clone();
        let encodings = schema.iter_values().map(|field| get_dtype_encoding(&field.dtype)).collect();
        let groups = RowGroupIterator::try_new(batches.into_iter().map(Ok), &schema, options(), encodings)?;
        for (rows, group) in rows.into_iter().zip(groups) {
            self.writer.write(rows, group?)?;
        }
        Ok(())
    }
}

/// A Parquet file that grows by row groups, and has its name only once it is whole: dropped before [`ParquetFile::finish`] it leaves nothing.
pub struct ParquetFile {
    path: PathBuf,
    temporary: NamedTempFile,
    writer: RowGroups<BufWriter<File>>,
}

impl ParquetFile {
    /// A file that will be `path`, with the columns of `columns`, whose rows are not written.
    pub fn create(path: &Path, columns: &Table) -> io::Result<Self> {
        let temporary = temporary_beside(path)?;
        let output = BufWriter::with_capacity(BUFFER, temporary.reopen()?);
        let writer = RowGroups::new(output, &columns.parquet_frame()).map_err(io::Error::other)?;
        Ok(Self { path: path.to_owned(), temporary, writer })
    }

    /// Appends the rows of `table` as one row group; it has the columns of the first one.
    pub fn push(&mut self, table: &Table) -> io::Result<()> {
        self.writer.push(&table.parquet_frame()).map_err(io::Error::other)
    }

    /// Appends the row groups of another file of the same columns, as they are: nothing is unpacked.
    pub(crate) fn append(&mut self, other: &mut File) -> io::Result<()> {
        other.seek(SeekFrom::Start(0))?;
        let metadata = read_metadata(other).map_err(io::Error::other)?;
        for group in &metadata.row_groups {
            let mut columns: Vec<Vec<CompressedPage>> = Vec::new();
            for column in group.parquet_columns() {
                let range = column.byte_range();
                other.seek(SeekFrom::Start(range.start))?;
                let mut bytes = vec![0; (range.end - range.start) as usize];
                other.read_exact(&mut bytes)?;
                let size = bytes.len();
                let pages = PageReader::new(io::Cursor::new(bytes.into()), column, Vec::new(), size);
                let pages = pages.map(|page| page.map(with_rows));
                columns.push(pages.collect::<Result<_, _>>().map_err(io::Error::other)?);
            }
            let columns = columns
                .iter()
                .map(|pages| Ok(DynStreamingIterator::new(fallible_streaming_iterator::convert(pages.iter().map(Ok)))));
            let rows = group.num_rows() as u64;
            self.writer.writer.write(rows, DynIter::new(columns)).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Writes the footer, flushes to the disk, and gives the file its name.
    pub fn finish(self) -> io::Result<()> {
        let path = self.path.clone();
        put_into_place(self.close()?, &path)
    }

    /// Writes the footer: the file is whole, and still without its name.
    pub(crate) fn close(mut self) -> io::Result<NamedTempFile> {
        // Ends with a flush of the buffer.
        self.writer.writer.end(None).map_err(io::Error::other)?;
        Ok(self.temporary)
    }
}

/// A page as the writer wants it. A reader leaves the number of rows out; columns here are flat, so it is that of values.
fn with_rows(mut page: CompressedPage) -> CompressedPage {
    if let CompressedPage::Data(data) = &mut page {
        data.num_rows = Some(data.num_values());
    }
    page
}
