//! Parquet, column by column and one row group at a time. What the columns mean is for others to say.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use polars_arrow::array::{Array, PrimitiveArray, Utf8ViewArray};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, TimeUnit};
use polars_arrow::types::NativeType;
use polars_parquet::parquet::compression::Compression;
use polars_parquet::parquet::page::CompressedPage;
use polars_parquet::read::schema::parquet_to_arrow_schema;
use polars_parquet::read::{BasicDecompressor, FileMetadata, PageReader, column_iter_to_arrays, read_metadata};

use scenario::ScenarioError;

use crate::guard::{BROKEN, guarded};
use crate::{open_file, unreadable};

/// Largest page, in bytes: writers make pages of a megabyte or so.
const PAGE_BYTES_MAX: usize = 1 << 30;

/// Most rows of a row group: writers make groups of a million or so, and a damaged count must not be taken for an amount of memory.
const GROUP_ROWS_MAX: usize = 1 << 31;

/// True if the file begins as Parquet does, whatever its name.
pub fn is_parquet(path: &Path) -> Result<bool, ScenarioError> {
    let mut start = Vec::new();
    let read = open_file(path).and_then(|file| file.take(4).read_to_end(&mut start));
    read.map_err(|error| unreadable(path, &error))?;
    Ok(start == b"PAR1")
}

/// The values of one column in one row group.
pub struct Cells {
    /// The values; what stands at a missing one means nothing.
    pub values: Values,
    present: Option<Bitmap>,
}

/// Values by what a reader can do with them.
pub enum Values {
    /// Whole numbers; those beyond 2^63 are cut there.
    Whole(Vec<i64>),
    /// Numbers.
    Numbers(Vec<f64>),
    /// Instants, nanoseconds since 1970.
    Instants(Vec<i64>),
    /// Text.
    Text(Utf8ViewArray),
}

impl Cells {
    /// Rows.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Whole(values) | Values::Instants(values) => values.len(),
            Values::Numbers(values) => values.len(),
            Values::Text(values) => values.len(),
        }
    }

    /// The first row without a value.
    pub fn first_missing(&self) -> Option<usize> {
        self.present.as_ref().filter(|present| present.unset_bits() > 0)?.iter().position(|is_present| !is_present)
    }

    /// A value as it would stand in a CSV; empty if it is missing. Instants are in nanoseconds since 1970.
    pub fn text(&self, row: usize) -> String {
        if self.present.as_ref().is_some_and(|present| !present.get_bit(row)) {
            return String::new();
        }
        match &self.values {
            Values::Whole(values) | Values::Instants(values) => values[row].to_string(),
            Values::Numbers(values) => values[row].to_string(),
            Values::Text(values) => values.value(row).to_owned(),
        }
    }
}

/// A Parquet file whose footer has been read.
#[derive(Clone, Debug)]
pub struct ParquetInput {
    metadata: Arc<FileMetadata>,
    schema: Arc<ArrowSchema>,
}

impl ParquetInput {
    /// Reads the footer.
    pub fn open(path: &Path) -> Result<Self, ScenarioError> {
        let mut file = open_file(path).map_err(|error| unreadable(path, &error))?;
        let length = file.metadata().map_err(|error| unreadable(path, &error))?.len();
        let bad_file = |reason: String| ScenarioError::BadFile { file: path.display().to_string(), reason };
        let read = guarded(|| {
            let metadata = read_metadata(&mut file).map_err(|error| error.to_string())?;
            let schema = parquet_to_arrow_schema(metadata.schema().fields());
            is_within(&metadata, length).then_some((metadata, schema)).ok_or_else(|| BROKEN.to_owned())
        });
        let (metadata, schema) = read.map_err(|reason| bad_file(format!("not readable as Parquet: {reason}")))?;
        Ok(Self { metadata: Arc::new(metadata), schema: Arc::new(schema) })
    }

    /// Names of the columns.
    pub fn names(&self) -> Vec<&str> {
        self.schema.iter_names().map(|name| &**name).collect()
    }

    /// True if the column holds instants.
    pub fn holds_instants(&self, column: usize) -> bool {
        let field = self.schema.get_at_index(column).expect("columns are named by their index").1;
        matches!(field.dtype, ArrowDataType::Timestamp(..))
    }

    /// Row groups.
    pub fn groups(&self) -> usize {
        self.metadata.row_groups.len()
    }

    /// The cells of a column in a row group. The error says what is wrong with the column.
    pub fn cells(&self, file: &mut File, group: usize, column: usize) -> Result<Cells, String> {
        let name = self.names()[column].to_owned();
        let read = guarded(|| self.unguarded_cells(file, group, column));
        read.map_err(
            |reason| if reason == BROKEN { format!("column `{name}` cannot be read: {reason}") } else { reason },
        )
    }

    fn unguarded_cells(&self, file: &mut File, group: usize, column: usize) -> Result<Cells, String> {
        let (name, field) = self.schema.get_at_index(column).expect("columns are named by their index");
        let group = &self.metadata.row_groups[group];
        let mut chunks = group.columns_under_root_iter(name).into_iter().flatten();
        let (Some(chunk), None) = (chunks.next(), chunks.next()) else {
            return Err(format!("column `{name}` holds lists or structures, not values"));
        };
        if let codec @ (Compression::Brotli | Compression::Lzo) = chunk.compression() {
            return Err(format!(
                "column `{name}` is packed with {codec:?}, which is not read here: write the file with Zstandard, Snappy, gzip or LZ4"
            ));
        }
        let range = chunk.byte_range();
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let read = file.seek(SeekFrom::Start(range.start)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|error| format!("column `{name}` cannot be read: {error}"))?;
        let start = Cursor::new(bytes.into());
        for page in PageReader::new(start.clone(), chunk, Vec::new(), PAGE_BYTES_MAX) {
            // What a page claims to hold is reserved before it is read, and no guard catches a lack of memory.
            let page = page.map_err(|error| format!("column `{name}` cannot be read: {error}"))?;
            if let CompressedPage::Data(page) = page
                && (page.num_values() > group.num_rows() || page.uncompressed_size() > PAGE_BYTES_MAX)
            {
                return Err(BROKEN.to_owned());
            }
        }
        let pages = PageReader::new(start, chunk, Vec::new(), PAGE_BYTES_MAX);
        let pages = BasicDecompressor::new(pages, Vec::new());
        let kind = &chunk.descriptor().descriptor.primitive_type;
        let (arrays, _) = column_iter_to_arrays(vec![pages], vec![kind], field.clone(), None)
            .map_err(|error| format!("column `{name}` cannot be read: {error}"))?;
        match arrays.as_slice() {
            [array] => cells(array.as_ref())
                .ok_or_else(|| format!("column `{name}` holds {:?}, neither numbers, instants nor text", field.dtype)),
            // A flat column without a filter is one array.
            several => Err(format!("column `{name}` is in {} pieces", several.len())),
        }
    }
}

/// Whether everything a footer speaks of is within a file of `length` bytes.
fn is_within(metadata: &FileMetadata, length: u64) -> bool {
    metadata.row_groups.iter().all(|group| {
        let is_column_within = group.parquet_columns().iter().all(|column| {
            let range = column.byte_range();
            range.start <= range.end && range.end <= length
        });
        group.num_rows() <= GROUP_ROWS_MAX && is_column_within
    })
}

fn cells(array: &dyn Array) -> Option<Cells> {
    let values = match array.dtype() {
        ArrowDataType::Int8 => whole::<i8>(array)?,
        ArrowDataType::Int16 => whole::<i16>(array)?,
        ArrowDataType::Int32 => whole::<i32>(array)?,
        ArrowDataType::Int64 => Values::Whole(native::<i64>(array)?.to_vec()),
        ArrowDataType::UInt8 => whole::<u8>(array)?,
        ArrowDataType::UInt16 => whole::<u16>(array)?,
        ArrowDataType::UInt32 => whole::<u32>(array)?,
        ArrowDataType::UInt64 => {
            Values::Whole(native::<u64>(array)?.iter().map(|value| i64::try_from(*value).unwrap_or(i64::MAX)).collect())
        }
        ArrowDataType::Float32 => {
            Values::Numbers(native::<f32>(array)?.iter().map(|value| f64::from(*value)).collect())
        }
        ArrowDataType::Float64 => Values::Numbers(native::<f64>(array)?.to_vec()),
        ArrowDataType::Timestamp(unit, _) => {
            let unit_ns = match unit {
                TimeUnit::Second => 1_000_000_000,
                TimeUnit::Millisecond => 1_000_000,
                TimeUnit::Microsecond => 1_000,
                TimeUnit::Nanosecond => 1,
            };
            Values::Instants(native::<i64>(array)?.iter().map(|value| value.saturating_mul(unit_ns)).collect())
        }
        ArrowDataType::Utf8View => Values::Text(array.as_any().downcast_ref::<Utf8ViewArray>()?.clone()),
        _ => return None,
    };
    Some(Cells { values, present: array.validity().cloned() })
}

fn native<T: NativeType>(array: &dyn Array) -> Option<&[T]> {
    Some(array.as_any().downcast_ref::<PrimitiveArray<T>>()?.values().as_slice())
}

fn whole<T: NativeType + Into<i64>>(array: &dyn Array) -> Option<Values> {
    Some(Values::Whole(native::<T>(array)?.iter().map(|value| (*value).into()).collect()))
}
