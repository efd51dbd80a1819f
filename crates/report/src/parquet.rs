//! Parquet written a stretch at a time: memory is that of one row group, whatever the length of the table.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use polars_io::parquet::write::BatchedWriter;
use polars_parquet::read::{PageReader, read_metadata};
use polars_parquet::write::CompressedPage;
use tempfile::NamedTempFile;

use crate::Table;
use crate::file::{put_into_place, temporary_beside};
use crate::table::parquet_writer;

/// Buffer of the file, in bytes.
const BUFFER: usize = 1 << 18;

/// A Parquet file that grows by row groups, and has its name only once it is whole: dropped before [`ParquetFile::finish`] it leaves nothing.
pub struct ParquetFile {
    path: PathBuf,
    temporary: NamedTempFile,
    writer: BatchedWriter<BufWriter<File>>,
}

impl ParquetFile {
    /// A file that will be `path`, with the columns of `columns`, whose rows are not written.
    pub fn create(path: &Path, columns: &Table) -> io::Result<Self> {
        let temporary = temporary_beside(path)?;
        let output = BufWriter::with_capacity(BUFFER, temporary.reopen()?);
        let writer = parquet_writer(output).batched(columns.parquet_frame().schema()).map_err(io::Error::other)?;
        Ok(Self { path: path.to_owned(), temporary, writer })
    }

    /// Appends the rows of `table` as one row group; it has the columns of the first one.
    pub fn push(&mut self, table: &Table) -> io::Result<()> {
        self.writer.write_batch(&table.parquet_frame()).map_err(io::Error::other)
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
            self.writer.write_row_group(group.num_rows() as u64, &columns).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Writes the footer, flushes to the disk, and gives the file its name.
    pub fn finish(self) -> io::Result<()> {
        let path = self.path.clone();
        put_into_place(self.close()?, &path)
    }

    /// Writes the footer: the file is whole, and still without its name.
    pub(crate) fn close(self) -> io::Result<NamedTempFile> {
        // Ends with a flush of the buffer.
        self.writer.finish().map_err(io::Error::other)?;
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
