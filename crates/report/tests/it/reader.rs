//! Parquet read back into a frame, and a frame printed, by other code than wrote it.

use std::io::Cursor;

use polars::prelude::{AnyValue, DataFrame, IntoColumn, PlSmallStr, Series};
use polars_parquet::read::schema::parquet_to_arrow_schema;
use polars_parquet::read::{BasicDecompressor, PageReader, RowGroupMetadata, column_iter_to_arrays, read_metadata};

/// The columns of a Parquet file, chunk for row group.
pub fn parquet_frame(bytes: &[u8]) -> DataFrame {
    let metadata = read_metadata(&mut Cursor::new(bytes)).unwrap();
    let schema = parquet_to_arrow_schema(metadata.schema().fields());
    let columns = schema.iter().enumerate().map(|(index, (name, field))| {
        let groups = metadata.row_groups.iter().map(|group| {
            let chunk = &group.parquet_columns()[index];
            let range = chunk.byte_range();
            let stored = bytes[range.start as usize..range.end as usize].to_vec();
            let pages = PageReader::new(Cursor::new(stored.into()), chunk, Vec::new(), 1 << 30);
            let kind = &chunk.descriptor().descriptor.primitive_type;
            let pages = vec![BasicDecompressor::new(pages, Vec::new())];
            column_iter_to_arrays(pages, vec![kind], field.clone(), None).unwrap().0
        });
        Series::try_from((name.clone(), groups.flatten().collect::<Vec<_>>())).unwrap().into_column()
    });
    DataFrame::new_infer_height(columns.collect()).unwrap()
}

/// Row groups of a Parquet file, in rows.
pub fn group_rows(bytes: &[u8]) -> Vec<usize> {
    let metadata = read_metadata(&mut Cursor::new(bytes)).unwrap();
    metadata.row_groups.iter().map(RowGroupMetadata::num_rows).collect()
}

/// The frame's values as CSV has them, where no text needs quotes.
pub fn printed(frame: &DataFrame) -> String {
    let names: Vec<&str> = frame.get_column_names().into_iter().map(PlSmallStr::as_str).collect();
    let mut text = names.join(",") + "\n";
    let columns: Vec<Series> = frame.columns().iter().map(|column| column.as_materialized_series().rechunk()).collect();
    let mut values: Vec<_> = columns.iter().map(Series::iter).collect();
    for _ in 0..frame.height() {
        let cells = values.iter_mut().map(|column| match column.next().unwrap() {
            AnyValue::Null => String::new(),
            AnyValue::String(text) => text.to_owned(),
            AnyValue::UInt64(number) => number.to_string(),
            AnyValue::Float64(number) => format!("{number:?}"),
            other => panic!("{other:?}"),
        });
        text += &(cells.collect::<Vec<_>>().join(",") + "\n");
    }
    text
}
