//! Frames as CSV: `,` between fields, `\n` after rows, quotes only where a field could be misread.

use std::io::Write;

use polars::prelude::{Column, DataFrame, DataType};
use polars_arrow::array::{PrimitiveArray, Utf8ViewArray};
use polars_arrow::types::NativeType;

/// Prints the value of the next row, or nothing if there is none.
type Printer<'a> = Box<dyn FnMut(&mut Vec<u8>) + 'a>;

/// A header and a line per row. Numbers have the shortest digits that read back as the same bits.
pub(crate) fn print_csv(frame: &DataFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, name) in frame.get_column_names().into_iter().enumerate() {
        separate(&mut bytes, index);
        print_text(&mut bytes, name);
    }
    bytes.push(b'\n');
    let mut printers: Vec<Printer<'_>> = frame.columns().iter().map(printer).collect();
    for _ in 0..frame.height() {
        for (index, print) in printers.iter_mut().enumerate() {
            separate(&mut bytes, index);
            print(&mut bytes);
        }
        bytes.push(b'\n');
    }
    bytes
}

fn separate(bytes: &mut Vec<u8>, index: usize) {
    if index > 0 {
        bytes.push(b',');
    }
}

fn printer(column: &Column) -> Printer<'_> {
    match column.dtype() {
        DataType::UInt64 => printer_of(primitives::<u64>(column), print_whole),
        DataType::Int64 => printer_of(primitives::<i64>(column), print_whole),
        DataType::Float64 => printer_of(primitives::<f64>(column), |bytes, &value| {
            bytes.extend_from_slice(zmij::Buffer::new().format(value).as_bytes());
        }),
        DataType::String => {
            let texts =
                chunks(column).flat_map(|chunk| chunk.downcast_ref::<Utf8ViewArray>().expect("a column of text"));
            printer_of(texts, print_text)
        }
        other => unreachable!("tables have no columns of {other}"),
    }
}

fn printer_of<'a, T: 'a>(
    mut values: impl Iterator<Item = Option<T>> + 'a,
    print: impl Fn(&mut Vec<u8>, T) + 'a,
) -> Printer<'a> {
    Box::new(move |bytes| {
        if let Some(value) = values.next().expect("a value per row") {
            print(bytes, value);
        }
    })
}

fn chunks(column: &Column) -> impl Iterator<Item = &dyn std::any::Any> {
    column.as_materialized_series().chunks().iter().map(|chunk| chunk.as_any())
}

fn primitives<T: NativeType>(column: &Column) -> impl Iterator<Item = Option<&T>> {
    chunks(column).flat_map(|chunk| chunk.downcast_ref::<PrimitiveArray<T>>().expect("the type the column says"))
}

fn print_whole(bytes: &mut Vec<u8>, value: impl std::fmt::Display) {
    write!(bytes, "{value}").expect("memory takes every number");
}

/// A field of text. An empty one is quoted: without quotes it would be an absent value.
fn print_text(bytes: &mut Vec<u8>, text: &str) {
    if !text.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        return bytes.extend_from_slice(text.as_bytes());
    }
    bytes.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            bytes.push(b'"');
        }
        bytes.push(byte);
    }
    bytes.push(b'"');
}
