//! One line of a trace: formats and their fields.

use std::borrow::Cow;

use names::nearest;
use scenario::TraceDetails;
use scenario::file::{ColumnsFile, TimeColumn, TraceFile, TraceFormat};

use crate::text::{listed, shortened};
use crate::time::{decimal_ns, timestamp_ns, whole};

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Arrival in the file's own time.
    pub at_ns: i64,
    /// Prompt and output tokens.
    pub tokens: Option<(u32, u32)>,
}

/// How lines are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Comma-separated values, the first line a header.
    Csv {
        /// Index of the arrival column.
        arrival: usize,
        /// What it holds.
        unit: TimeColumn,
        /// Indexes of prompt and output tokens.
        tokens: Option<(usize, usize)>,
        /// Rows without output tokens are failed requests and left out (BurstGPT).
        skips_failures: bool,
        /// Index of the adapters that requests are for.
        adapter: Option<usize>,
    },
    /// One JSON object per line; Mooncake counts milliseconds, Qwen-Bailian seconds.
    Json {
        /// Nanoseconds in one unit of `timestamp`.
        unit_ns: i64,
    },
}

#[derive(serde::Deserialize)]
struct JsonRow {
    timestamp: f64,
    input_length: u32,
    output_length: u32,
}

#[derive(serde::Deserialize)]
struct JsonBlocks {
    hash_ids: Vec<u32>,
}

#[derive(serde::Deserialize)]
struct JsonAdapter {
    #[serde(default)]
    adapter: serde_json::Value,
}

/// Column of the adapters where nothing names another.
const ADAPTER: &str = "adapter";

impl Layout {
    /// The numbered blocks of the prompt in this line. The error says what is wrong.
    pub fn blocks(&self, line: &[u8]) -> Result<Vec<u32>, String> {
        match self {
            Self::Json { .. } => serde_json::from_slice::<JsonBlocks>(line).map(|row| row.hash_ids).map_err(|error| {
                format!("`hash_ids`, a list of whole numbers, are needed for traffic.prefix.hashIds: {error}")
            }),
            Self::Csv { .. } => Err("only JSON lines have `hash_ids`, which traffic.prefix.hashIds needs".to_owned()),
        }
    }

    /// Name of the adapter that the request in this line is for, empty for the base model. The error says what is wrong.
    pub fn adapter<'line>(&self, line: &'line [u8]) -> Result<Cow<'line, str>, String> {
        match self {
            Self::Csv { adapter: None, .. } => Ok(Cow::Borrowed("")),
            Self::Csv { adapter: Some(column), .. } => {
                let [name] = fields(line.trim_ascii_end(), [*column])?;
                let name = str::from_utf8(name.trim_ascii()).map_err(|_| bad("adapter", name, "UTF-8"))?;
                // Quotes in a quoted cell are written twice.
                Ok(if name.contains("\"\"") { name.replace("\"\"", "\"").into() } else { name.into() })
            }
            Self::Json { .. } => match serde_json::from_slice::<JsonAdapter>(line).map(|row| row.adapter) {
                Ok(serde_json::Value::Null) => Ok(Cow::Borrowed("")),
                Ok(serde_json::Value::String(name)) => Ok(name.trim_ascii().to_owned().into()),
                Ok(serde_json::Value::Number(number)) if !number.is_f64() => Ok(number.to_string().into()),
                Ok(other) => Err(bad("adapter", other.to_string().as_bytes(), "a name or a whole number")),
                Err(error) => Err(shortened(&error.to_string())),
            },
        }
    }

    /// What a file with this first line says of requests beside times and tokens, as far as that tells.
    pub fn details(&self, first_line: &[u8]) -> TraceDetails {
        TraceDetails {
            blocks: self.blocks(first_line).is_ok_and(|blocks| !blocks.is_empty()),
            adapters: match self {
                Self::Csv { adapter, .. } => adapter.is_some(),
                Self::Json { .. } => self.adapter(first_line).is_ok_and(|name| !name.is_empty()),
            },
        }
    }

    /// The layout of a file with this first line; the error says what is wrong with it.
    pub fn of(first_line: &str, trace: &TraceFile) -> Result<Self, String> {
        let header = first_line.trim_end().trim_start_matches('\u{feff}');
        if header.starts_with('{') && matches!(trace.format, TraceFormat::Auto | TraceFormat::Mooncake) {
            return Ok(json(header));
        }
        let names: Vec<&str> = header.split(',').map(|name| name.trim().trim_matches('"')).collect();
        Self::of_columns(&names, trace)
    }

    /// The layout of a table with these columns; the error says what is wrong with them.
    pub fn of_columns(names: &[&str], trace: &TraceFile) -> Result<Self, String> {
        let column = |name: &str| find(names, name);
        match trace.format {
            TraceFormat::Auto if names.contains(&"ContextTokens") => azure(names),
            TraceFormat::Auto if names.contains(&"Request tokens") => burst_gpt(names),
            TraceFormat::Auto if names.contains(&"arrival") || names.contains(&"arrival_s") => {
                let tokens = (column("prompt_tokens"), column("output_tokens"));
                let tokens = if let (Ok(prompt), Ok(output)) = tokens { Some((prompt, output)) } else { None };
                let arrival = column("arrival_s").or_else(|_| column("arrival"))?;
                Ok(Self::csv(names, arrival, (TimeColumn::Seconds, tokens)))
            }
            TraceFormat::Auto => Err(format!(
                "format not recognised from the first line `{}`; name the columns under `columns` with `format: columns`",
                shortened(&names.join(","))
            )),
            TraceFormat::AzureLlm => azure(names),
            TraceFormat::BurstGpt => burst_gpt(names),
            TraceFormat::Mooncake => Err("the first line is no JSON object".to_owned()),
            TraceFormat::Columns => match &trace.columns {
                Some(columns) => named(names, columns),
                None => Err("`format: columns` needs `columns`".to_owned()),
            },
        }
    }

    /// A table of no dialect of its own.
    fn csv(names: &[&str], arrival: usize, (unit, tokens): (TimeColumn, Option<(usize, usize)>)) -> Self {
        Self::Csv { arrival, unit, tokens, skips_failures: false, adapter: find(names, ADAPTER).ok() }
    }

    /// What the format is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Json { unit_ns: 1_000_000 } => "Mooncake JSON lines, times in milliseconds",
            Self::Json { .. } => "Qwen-Bailian JSON lines, times in seconds",
            Self::Csv { skips_failures: true, .. } => "BurstGPT CSV, failed requests left out",
            Self::Csv { unit: TimeColumn::Timestamp, tokens: Some(_), .. } => "CSV with dates and tokens, as Azure's",
            Self::Csv { unit: TimeColumn::Timestamp, .. } => "CSV with dates",
            Self::Csv { tokens: Some(_), .. } => "CSV with arrivals and tokens",
            Self::Csv { .. } => "CSV with arrivals",
        }
    }

    /// True if the first line is a header.
    pub fn has_header(&self) -> bool {
        matches!(self, Self::Csv { .. })
    }

    /// True if rows have tokens.
    pub fn has_tokens(&self) -> bool {
        match self {
            Self::Csv { tokens, .. } => tokens.is_some(),
            Self::Json { .. } => true,
        }
    }

    /// True if the file's zero is arbitrary, so that the first request counts as the start.
    pub fn starts_at_first_row(&self) -> bool {
        matches!(self, Self::Csv { unit: TimeColumn::Timestamp, .. })
    }

    /// One request; `None` for a line that holds none. The error says what is wrong.
    pub fn row(&self, line: &[u8]) -> Result<Option<Row>, String> {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            return Ok(None);
        }
        match self {
            Self::Csv { arrival, unit, tokens, skips_failures, .. } => {
                let wanted = [*arrival, tokens.map_or(*arrival, |t| t.0), tokens.map_or(*arrival, |t| t.1)];
                let [time, prompt, output] = fields(line, wanted)?;
                let at_ns = time_ns(time, *unit).ok_or_else(|| bad("arrival", time, "a time"))?;
                if tokens.is_none() {
                    return Ok(Some(Row { at_ns, tokens: None }));
                }
                let prompt = whole(prompt).ok_or_else(|| bad("prompt tokens", prompt, "a whole number"))?;
                let output = whole(output).ok_or_else(|| bad("output tokens", output, "a whole number"))?;
                if *skips_failures && output == 0 {
                    return Ok(None);
                }
                Ok(Some(Row { at_ns, tokens: Some((prompt, output)) }))
            }
            Self::Json { unit_ns } => {
                let row: JsonRow = serde_json::from_slice(line).map_err(|error| shortened(&error.to_string()))?;
                // Whole milliseconds are exact in a double; rounding makes the product exact too.
                let at_ns = (row.timestamp * *unit_ns as f64).round() as i64;
                Ok(Some(Row { at_ns, tokens: Some((row.input_length, row.output_length)) }))
            }
        }
    }
}

fn json(first_line: &str) -> Layout {
    let unit_ns = if first_line.contains("\"chat_id\"") { 1_000_000_000 } else { 1_000_000 };
    Layout::Json { unit_ns }
}

fn azure(names: &[&str]) -> Result<Layout, String> {
    let tokens = Some((find(names, "ContextTokens")?, find(names, "GeneratedTokens")?));
    let arrival = find(names, "TIMESTAMP")?;
    Ok(Layout::csv(names, arrival, (TimeColumn::Timestamp, tokens)))
}

fn burst_gpt(names: &[&str]) -> Result<Layout, String> {
    let tokens = Some((find(names, "Request tokens")?, find(names, "Response tokens")?));
    let arrival = find(names, "Timestamp")?;
    let adapter = find(names, ADAPTER).ok();
    Ok(Layout::Csv { arrival, unit: TimeColumn::Seconds, tokens, skips_failures: true, adapter })
}

fn named(names: &[&str], columns: &ColumnsFile) -> Result<Layout, String> {
    let tokens = match (&columns.prompt_tokens, &columns.output_tokens) {
        (Some(prompt), Some(output)) => Some((find(names, prompt)?, find(names, output)?)),
        (None, None) => None,
        _ => return Err("`promptTokens` and `outputTokens` go together".to_owned()),
    };
    Ok(Layout::Csv {
        arrival: find(names, &columns.arrival)?,
        unit: columns.arrival_unit,
        tokens,
        skips_failures: false,
        adapter: columns.adapter.as_ref().map(|adapter| find(names, adapter)).transpose()?,
    })
}

/// Index of a column of the header.
pub fn find(names: &[&str], name: &str) -> Result<usize, String> {
    names.iter().position(|known| *known == name).ok_or_else(|| {
        let near = nearest(name, names.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
        format!("no column `{name}`{} (columns: {})", near.unwrap_or_default(), listed(names))
    })
}

/// An instant or amount of time as the column has it.
pub fn time_ns(text: &[u8], unit: TimeColumn) -> Option<i64> {
    match unit {
        TimeColumn::Seconds => decimal_ns(text, 1_000_000_000),
        TimeColumn::Milliseconds => decimal_ns(text, 1_000_000),
        TimeColumn::Microseconds => decimal_ns(text, 1_000),
        TimeColumn::Nanoseconds => decimal_ns(text, 1),
        TimeColumn::Timestamp => timestamp_ns(text),
    }
}

fn bad(what: &str, found: &[u8], expected: &str) -> String {
    format!("{what} `{}` is not {expected}", shortened(&String::from_utf8_lossy(found)))
}

/// The fields with these indexes, quotes taken off.
pub fn fields<const N: usize>(line: &[u8], wanted: [usize; N]) -> Result<[&[u8]; N], String> {
    let mut found = [&[][..]; N];
    let last = wanted.iter().copied().max().unwrap_or(0);
    let mut rest = line;
    for index in 0..=last {
        let (field, after) = split_field(rest)
            .ok_or("a quote is opened and not closed in this line; cells with line breaks in them are not read")?;
        for (place, wanted) in found.iter_mut().zip(wanted) {
            if wanted == index {
                *place = field;
            }
        }
        match after {
            Some(after) => rest = after,
            None if index < last => return Err(format!("only {} columns, {} are needed", index + 1, last + 1)),
            None => {}
        }
    }
    Ok(found)
}

/// The first field and what follows its comma; `None` if its quote does not end. Doubled quotes inside a quoted field stay doubled: no number
/// has any.
fn split_field(line: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if let Some(inner) = line.strip_prefix(b"\"") {
        let mut at = 0;
        while at < inner.len() {
            if inner[at] == b'"' {
                if inner.get(at + 1) != Some(&b'"') {
                    break;
                }
                at += 1;
            }
            at += 1;
        }
        let field = inner.get(..at)?;
        let after = inner.get(at + 1..)?.strip_prefix(b",");
        return Some((field, after));
    }
    Some(match line.iter().position(|byte| *byte == b',') {
        Some(comma) => (&line[..comma], Some(&line[comma + 1..])),
        None => (line, None),
    })
}
