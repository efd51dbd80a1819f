//! A table of named columns and its two encodings. It knows no column of any particular table.

use polars::prelude::{
    AnyValue, Column, CompatLevel, DataFrame, Float64Chunked, Int64Chunked, IntoColumn, NewChunkedArray, StringChunked,
    UInt64Chunked,
};
use polars_arrow::array::StructArray;
use polars_arrow::datatypes::{ArrowDataType, Field};
use polars_arrow::ffi::{ArrowArrayStream, export_iterator};
use serde_json::Value;
use units::Usd;

use crate::csv::print_csv;
use crate::parquet::frame_to_parquet;

/// Columns of equal length, added from left to right. An absent value is an empty field in CSV and a null in Parquet.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<Column>,
    /// Columns that hold micro-dollars: printed with six decimals in CSV, dollars in Parquet.
    dollars: Vec<usize>,
}

impl Table {
    /// Adds text; an empty string is an absent value.
    #[must_use]
    pub fn text<T: AsRef<str>>(mut self, name: &str, values: impl Iterator<Item = T>) -> Self {
        let values: Vec<T> = values.collect();
        let present = values.iter().map(|value| Some(value.as_ref()).filter(|text| !text.is_empty()));
        self.columns.push(StringChunked::from_iter_options(name.into(), present).into_column());
        self
    }

    /// Adds whole numbers.
    #[must_use]
    pub fn count<T: Into<Option<u64>>>(mut self, name: &str, values: impl Iterator<Item = T>) -> Self {
        self.columns.push(UInt64Chunked::from_iter_options(name.into(), values.map(Into::into)).into_column());
        self
    }

    /// Adds real numbers; NaN is an absent value. CSV has the shortest digits that read back as the same number.
    #[must_use]
    pub fn number<T: Into<Option<f64>>>(mut self, name: &str, values: impl Iterator<Item = T>) -> Self {
        let present = values.map(|value| value.into().filter(|number| !number.is_nan()));
        self.columns.push(Float64Chunked::from_iter_options(name.into(), present).into_column());
        self
    }

    /// Adds amounts of money.
    #[must_use]
    pub fn dollars<T: Into<Option<Usd>>>(mut self, name: &str, values: impl Iterator<Item = T>) -> Self {
        let micros = values.map(|value| value.into().map(Usd::as_micros));
        self.dollars.push(self.columns.len());
        self.columns.push(Int64Chunked::from_iter_options(name.into(), micros).into_column());
        self
    }

    /// Column names, left to right.
    pub fn column_names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name().as_str()).collect()
    }

    /// The table as CSV with a header (RFC 4180 quoting, `\n`, no byte order mark).
    pub fn to_csv(&self) -> Vec<u8> {
        let frame = self.frame(|name, micros| {
            let printed = micros.iter().map(|cell| cell.map(|micros| Usd::from_micros(micros).to_string()));
            StringChunked::from_iter_options(name.into(), printed).into_column()
        });
        print_csv(&frame)
    }

    /// The table as Parquet, Snappy-compressed so that every reader opens it.
    pub fn to_parquet(&self) -> Vec<u8> {
        frame_to_parquet(&mut self.parquet_frame()).expect("memory takes every flat column")
    }

    /// The table as a frame for Parquet, money in dollars.
    pub(crate) fn parquet_frame(&self) -> DataFrame {
        self.frame(|name, micros| {
            let dollars = micros.iter().map(|cell| cell.map(|micros| Usd::from_micros(micros).as_f64()));
            Float64Chunked::from_iter_options(name.into(), dollars).into_column()
        })
    }

    /// One object per row with the columns as keys; absent values are null, dollars are numbers.
    pub(crate) fn to_json_rows(&self) -> Vec<Value> {
        let height = self.height();
        let cell = |(index, column): (usize, &Column), row: usize| {
            let value = match column.get(row).expect("the row is below the height") {
                AnyValue::UInt64(number) => Value::from(number),
                AnyValue::Float64(number) => Value::from(number),
                AnyValue::Int64(micros) if self.dollars.contains(&index) => {
                    Value::from(Usd::from_micros(micros).as_f64())
                }
                AnyValue::String(text) => Value::from(text),
                // polars keeps a column of one row as a value.
                AnyValue::StringOwned(text) => Value::from(text.as_str()),
                _ => Value::Null,
            };
            (column.name().to_string(), value)
        };
        (0..height).map(|row| self.columns.iter().enumerate().map(|column| cell(column, row)).collect()).collect()
    }

    /// How many rows it has.
    pub fn height(&self) -> usize {
        self.columns.first().map_or(0, Column::len)
    }

    /// The table as one batch of Arrow's C stream interface, dollars as numbers. Whoever takes it shares the columns' memory with this table.
    pub fn to_arrow_stream(&self) -> ArrowArrayStream {
        let frame = self.parquet_frame();
        let series = frame.columns().iter().map(|column| column.as_materialized_series().rechunk());
        let arrays: Vec<_> = series.map(|series| series.to_arrow(0, CompatLevel::newest())).collect();
        let names = self.column_names();
        let kinds = arrays.iter().map(|array| array.dtype().clone());
        let fields = names.iter().zip(kinds).map(|(name, kind)| Field::new((*name).into(), kind, true));
        let kind = ArrowDataType::Struct(fields.collect());
        let batch = StructArray::new(kind.clone(), self.height(), arrays, None).boxed();
        export_iterator(Box::new(std::iter::once(Ok(batch))), Field::new("".into(), kind, false))
    }

    fn frame(&self, money: impl Fn(&str, &Int64Chunked) -> Column) -> DataFrame {
        let mut columns = self.columns.clone();
        for &index in &self.dollars {
            let micros = self.columns[index].as_materialized_series().i64().expect("dollar columns hold micro-dollars");
            columns[index] = money(self.columns[index].name(), micros);
        }
        DataFrame::new_infer_height(columns).expect("every column of a table has a value per row and its own name")
    }
}
