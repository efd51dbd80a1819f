//! The price catalog: rows of a CSV file, each with its date and source.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jiff::civil::Date;
use names::nearest;
use units::UsdPerHour;

use crate::{PriceError, Shape, regions};

/// Columns of a catalog file, in the order they are written. `zone` may be empty, and so may all but one of the prices.
pub const COLUMNS: [&str; 14] = [
    "provider",
    "region",
    "zone",
    "instance_type",
    "gpus",
    "gpu_model",
    "gpu_memory_gib",
    "vcpus",
    "memory_gib",
    "on_demand_usd_per_hour",
    "spot_usd_per_hour",
    "reserved_1y_usd_per_hour",
    "price_date",
    "source",
];

/// One row: what some source said an instance type cost somewhere on some day.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Provider, such as `aws`.
    pub provider: String,
    /// Region; `any` where the provider has one price everywhere.
    pub region: String,
    /// Zone, for prices that differ by zone; empty for the whole region.
    pub zone: String,
    /// Instance type.
    pub instance_type: String,
    /// What is in it.
    pub shape: Shape,
    /// Pay as you go.
    pub on_demand: Option<UsdPerHour>,
    /// Interruptible.
    pub spot: Option<UsdPerHour>,
    /// Committed for a year, without upfront payment.
    pub reserved_1y: Option<UsdPerHour>,
    /// The day the source was read; the earliest possible day where the source is undated.
    pub date: Date,
    /// Who says so.
    pub source: String,
}

/// A price catalog.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    rows: Vec<Row>,
    /// Places in `rows` of each instance type, in file order.
    by_type: BTreeMap<String, Vec<usize>>,
    providers: BTreeSet<String>,
}

static BUILT_IN: LazyLock<Catalog> = LazyLock::new(|| {
    // Of equal dates the later row counts: those of the first file are more exact.
    let mut catalog = Catalog::from_rows(regions::rows(include_str!("../data/regions.csv")));
    catalog.merge(Catalog::parse(include_str!("../data/catalog.csv")).expect("a test reads the embedded catalog"));
    catalog
});

impl Catalog {
    /// The catalog that ships with the program: `prices/catalog.csv` and `prices/regions.csv` of the repository.
    pub fn embedded() -> Self {
        Self::built_in().clone()
    }

    /// The same, read once and kept.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// Reads a catalog file. Columns may come in any order; unknown ones are refused.
    pub fn parse(text: &str) -> Result<Self, PriceError> {
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let positions = positions(reader.headers().map_err(|error| line_error(&error))?)?;
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| line_error(&error))?;
            let line = record.position().map_or(0, csv::Position::line);
            rows.push(Fields { record: &record, positions: &positions, line }.row()?);
        }
        Ok(Self::from_rows(rows))
    }

    /// A catalog of these rows.
    pub fn from_rows(rows: Vec<Row>) -> Self {
        let mut catalog = Self::default();
        catalog.extend(rows);
        catalog
    }

    fn extend(&mut self, rows: Vec<Row>) {
        for row in rows {
            self.by_type.entry(row.instance_type.clone()).or_default().push(self.rows.len());
            if !self.providers.contains(&row.provider) {
                self.providers.insert(row.provider.clone());
            }
            self.rows.push(row);
        }
    }

    /// All rows, in file order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// This catalog and the rows of another. Of two rows that answer the same question the later date wins, and of equal dates the one
    /// from `other`.
    pub fn merge(&mut self, other: Self) {
        self.extend(other.rows);
    }

    /// Rows of one instance type, in file order.
    pub(crate) fn of_type(&self, instance_type: &str) -> impl DoubleEndedIterator<Item = &Row> {
        self.by_type.get(instance_type).into_iter().flatten().map(|index| &self.rows[*index])
    }

    /// Instance types with a row.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.by_type.keys().map(String::as_str)
    }

    /// Providers with a row.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(String::as_str)
    }

    /// The catalog as a file that [`Catalog::parse`] reads back to the same rows.
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS).expect("writing to memory cannot fail");
        for row in &self.rows {
            writer.write_record(cells(row)).expect("writing to memory cannot fail");
        }
        String::from_utf8(writer.into_inner().expect("writing to memory cannot fail"))
            .expect("rows are made of strings")
    }
}

fn cells(row: &Row) -> [String; 14] {
    let price = |price: Option<UsdPerHour>| price.map_or_else(String::new, dollars);
    [
        row.provider.clone(),
        row.region.clone(),
        row.zone.clone(),
        row.instance_type.clone(),
        row.shape.gpus.to_string(),
        row.shape.gpu_model.clone(),
        row.shape.gpu_memory_gib.to_string(),
        row.shape.vcpus.map_or_else(String::new, |count| count.to_string()),
        row.shape.memory_gib.map_or_else(String::new, |gib| gib.to_string()),
        price(row.on_demand),
        price(row.spot),
        price(row.reserved_1y),
        row.date.to_string(),
        row.source.clone(),
    ]
}

/// A price in dollars without needless zeros, exact to the micro-dollar.
pub fn dollars(price: UsdPerHour) -> String {
    let micros = price.as_micros();
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let short = text.trim_end_matches('0');
    short.strip_suffix('.').unwrap_or(short).to_owned()
}

/// Where each of [`COLUMNS`] is in this file.
fn positions(header: &csv::StringRecord) -> Result<[usize; 14], PriceError> {
    for (index, name) in header.iter().enumerate() {
        if !COLUMNS.contains(&name) {
            return Err(PriceError::UnknownColumn {
                position: index + 1,
                column: name.to_owned(),
                nearest: nearest(name, COLUMNS).map(str::to_owned),
                known: COLUMNS.join(", "),
            });
        }
    }
    let mut positions = [0; 14];
    for (column, position) in COLUMNS.into_iter().zip(&mut positions) {
        *position = header.iter().position(|name| name == column).ok_or_else(|| PriceError::MissingColumn {
            column,
            nearest: nearest(column, header.iter()).map(str::to_owned),
        })?;
    }
    Ok(positions)
}

fn line_error(error: &csv::Error) -> PriceError {
    let line = error.position().map_or(1, csv::Position::line);
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields where the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    PriceError::Line { line, reason }
}

/// One record with what is needed to say where in it a mistake is.
struct Fields<'a> {
    record: &'a csv::StringRecord,
    positions: &'a [usize; 14],
    line: u64,
}

/// What tables and pages repeat must neither act in a terminal nor be computed by a spreadsheet.
const NAME: &str =
    "a name: not empty, 200 bytes at most, no control characters, and not beginning with `=`, `+`, `-` or `@`";

fn shown(text: &str) -> Option<String> {
    names::not_shown(text).is_none().then(|| text.to_owned())
}

impl Fields<'_> {
    fn row(&self) -> Result<Row, PriceError> {
        let row = Row {
            provider: self.name(0)?,
            region: self.name(1)?,
            zone: self.optional(2, NAME, shown)?.unwrap_or_default(),
            instance_type: self.name(3)?,
            shape: Shape {
                gpus: self.value(4, "a whole number of GPUs, 1 or more", |text| {
                    text.parse().ok().filter(|count| *count > 0)
                })?,
                gpu_model: self.name(5)?,
                gpu_memory_gib: self.value(6, "GiB per GPU, above 0", positive)?,
                vcpus: self.optional(7, "a whole number of vCPUs or nothing", |text| {
                    text.parse().ok().filter(|count| *count > 0)
                })?,
                memory_gib: self.optional(8, "GiB above 0 or nothing", positive)?,
            },
            on_demand: self.price(9)?,
            spot: self.price(10)?,
            reserved_1y: self.price(11)?,
            date: self.value(12, "a date such as 2026-08-20", |text| text.parse().ok())?,
            source: self.name(13)?,
        };
        if row.on_demand.or(row.spot).or(row.reserved_1y).is_none() {
            let columns = COLUMNS[9..12].join(", ");
            return Err(PriceError::RowWithoutPrice { line: self.line, instance_type: row.instance_type, columns });
        }
        Ok(row)
    }

    fn text(&self, column: usize) -> &str {
        &self.record[self.positions[column]]
    }

    fn name(&self, column: usize) -> Result<String, PriceError> {
        self.value(column, NAME, shown)
    }

    fn price(&self, column: usize) -> Result<Option<UsdPerHour>, PriceError> {
        self.optional(column, "dollars per hour above 0, or nothing", |text| price_above_zero(positive(text)?))
    }

    fn optional<T>(
        &self,
        column: usize,
        expected: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, PriceError> {
        if self.text(column).is_empty() { Ok(None) } else { self.value(column, expected, read).map(Some) }
    }

    fn value<T>(
        &self,
        column: usize,
        expected: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, PriceError> {
        let found = self.text(column);
        read(found).ok_or_else(|| PriceError::Value {
            line: self.line,
            position: self.positions[column] + 1,
            column: COLUMNS[column],
            found: found.to_owned(),
            expected,
        })
    }
}

fn positive(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0)
}

/// A price of at least one micro-dollar: anything less would round to free.
pub fn price_above_zero(dollars: f64) -> Option<UsdPerHour> {
    Some(UsdPerHour::from_dollars(dollars)).filter(|price| dollars.is_finite() && price.as_micros() > 0)
}
