//! The readers under test, each with a good input to start from, and how an input is damaged.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lab::sweep::{JOURNAL_NAME, Sweep, SweepFile};
use scenario::file::{TraceFile, TraceFormat};
use scenario::{Documents, Input, NoFiles, OtherDocument};
use traces::FileTrace;
use workload::{Purpose, Stream, TraceChunk, TraceSource};

/// Words that broke something once, in this program or in others.
const NASTY: [&str; 28] = [
    "",
    "0",
    "-1",
    "1e308",
    "-0.0",
    "NaN",
    "inf",
    "18446744073709551615",
    "9223372036854775808",
    "1e-300",
    "true",
    "null",
    "[]",
    "{}",
    "~",
    "\"",
    "'",
    "\u{1b}[2J",
    "=1+1",
    "💥",
    "../..",
    "5200000h",
    "1ns",
    "sum(rate(x[$y]))",
    "2026-02-30",
    "- -",
    "<<",
    "&a *a",
];

/// Reads bytes; whether it took them.
pub type Read = Box<dyn Fn(&[u8]) -> bool>;

/// One reader: whether it takes an input.
pub struct Reader {
    /// What it reads.
    pub name: &'static str,
    /// An input it takes.
    pub good: Vec<u8>,
    /// Reads; true if the input was taken.
    pub read: Read,
}

/// All readers; files go to `folder`.
pub fn readers(folder: &Path) -> Vec<Reader> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let text = |name: &str| std::fs::read(data.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let reader = |name, good, read: Read| Reader { name, good, read };
    let catalog: String = prices::Catalog::built_in().to_csv().lines().take(40).flat_map(|line| [line, "\n"]).collect();
    let (csv, lines, table) = trace_inputs();
    let pods = |bytes: &[u8]| calibrate::cold_start(&[&String::from_utf8_lossy(bytes)], 1).is_ok();
    let history = |bytes: &[u8]| prices::SpotPriceHistory::parse(&[&String::from_utf8_lossy(bytes)]).is_ok();
    let mut all = documents();
    all.push(reader("sweep", text("data/sweep.yaml"), Box::new(sweep)));
    all.push(reader("trace, CSV", csv, trace_file(folder.join("t.csv"))));
    all.push(reader("trace, JSON lines", lines, trace_file(folder.join("t.jsonl"))));
    all.push(reader("trace, Parquet", table, trace_file(folder.join("t.parquet"))));
    all.push(reader(
        "price catalog",
        catalog.into_bytes(),
        Box::new(|bytes| prices::Catalog::parse(&String::from_utf8_lossy(bytes)).is_ok()),
    ));
    all.push(reader("spot price history", text("data_data/spot-history.json"), Box::new(history)));
    all.push(reader("kubectl, pods", text("data_data/pods.json"), Box::new(pods)));
    all.push(reader("journal of a sweep", journal(), journal_file(folder.join("sweep"))));
    all
}

/// Every document of the built-in scenario, damaged while the others stay as they are.
fn documents() -> Vec<Reader> {
    let names = ["scenario", "manifest, 1st", "manifest, 2nd", "manifest, 3rd", "manifest, 4th"];
    let all = scenario::embedded_default();
    let inputs = move |changed: usize, text: &str| -> Vec<Input> {
        let text_of = |(index, (name, whole)): (usize, (&'static str, &'static str))| Input::Text {
            name: name.to_owned(),
            text: if index == changed { text.to_owned() } else { whole.to_owned() },
        };
        scenario::embedded_default().into_iter().enumerate().map(text_of).collect()
    };
    let reader = |(index, (_, text)): (usize, (&str, &str))| Reader {
        name: names[index],
        good: text.as_bytes().to_vec(),
        read: Box::new(move |bytes| {
            let inputs = inputs(index, &String::from_utf8_lossy(bytes));
            Documents::read(&inputs, Arc::new(NoFiles)).and_then(|documents| documents.load(&[])).is_ok()
        }),
    };
    all.into_iter().enumerate().take(names.len()).map(reader).collect()
}

fn sweep(bytes: &[u8]) -> bool {
    let file = OtherDocument::parse("sweep.yaml", &String::from_utf8_lossy(bytes))
        .and_then(|document| document.read::<SweepFile>());
    file.is_ok_and(|file| Sweep::resolve(&file).is_ok())
}

/// A hundred requests as CSV, JSON lines and Parquet.
fn trace_inputs() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let rows = 0..100_u32;
    let csv: String = rows.clone().map(|row| format!("2026-01-05 00:00:{:02}.5,{row},7\n", row / 2)).collect();
    let lines: String = rows
        .clone()
        .map(|row| {
            format!("{{\"timestamp\": {row}, \"input_length\": {row}, \"output_length\": 3, \"hash_ids\": [1]}}\n")
        })
        .collect();
    let table = report::Table::default()
        .number("arrival_s", rows.clone().map(|row| f64::from(row) / 3.0))
        .count("prompt_tokens", rows.clone().map(u64::from))
        .count("output_tokens", rows.map(u64::from));
    let csv = format!("TIMESTAMP,ContextTokens,GeneratedTokens\n{csv}");
    (csv.into_bytes(), lines.into_bytes(), table.to_parquet())
}

/// Reads a trace through twice: when it is loaded, and as a run does.
fn trace_file(path: PathBuf) -> Read {
    let key = TraceFile { file: path.display().to_string(), format: TraceFormat::Auto, columns: None, resample: false };
    Box::new(move |bytes| {
        write(&path, bytes);
        FileTrace::load(&path, &key).is_ok_and(|trace| {
            let (mut reader, mut chunk) = (trace.open(), TraceChunk::default());
            while reader.next_chunk(&mut chunk) {}
            true
        })
    })
}

/// A file whose time is long ago: one just written would be looked at again after a moment.
fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("a writable folder");
    let file = std::fs::File::options().write(true).open(path).expect("the file");
    file.set_modified(std::time::UNIX_EPOCH).expect("a file has a time");
}

/// The journal of a sweep without runs: its lines are looked at one by one, and the header decides most.
fn journal() -> Vec<u8> {
    let header = "{\"scalelab_sweep\":1,\"name\":\"s\",\"fingerprint\":7,\"points\":2,\"policies\":[\"a\"],\"replications\":2,\
                  \"parameters\":[[\"x\",\"y.x\"]],\"columns\":[\"requests\",\"cost_usd\"]}\n";
    let line = |point: u32, replication: u32| {
        format!(
            "{{\"point\":{point},\"settings\":[\"1\"],\"policy\":\"a\",\"replication\":{replication},\"seed\":1,\"digest\":2,\
             \"slo_met\":3,\"slo_total\":4,\"values\":[5.0,null]}}\n"
        )
    };
    (header.to_owned() + &line(0, 0) + &line(0, 1) + &line(1, 0)).into_bytes()
}

fn journal_file(folder: PathBuf) -> Read {
    std::fs::create_dir_all(&folder).expect("a writable folder");
    Box::new(move |bytes| {
        std::fs::write(folder.join(JOURNAL_NAME), bytes).expect("a writable folder");
        // What reads it goes on to make tables and a page of it.
        lab::sweep::read(&folder).is_ok_and(|results| !results.table().is_empty())
    })
}

/// Damages inputs, the same way for the same seed.
pub struct Dice(Stream);

impl Dice {
    /// Dice of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Stream::new(seed, Purpose::Arrivals, 0))
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.0.next_u64() % limit.max(1) as u64) as usize
    }

    /// One to four changes: a byte, a bit, a stretch gone or doubled, two stretches exchanged, the end cut off, or a word for another.
    pub fn damage(&mut self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        for _ in 0..=self.below(4) {
            if bytes.is_empty() {
                return bytes;
            }
            let at = self.below(bytes.len());
            let end = (at + 1 + self.below(40)).min(bytes.len());
            match self.below(8) {
                0 => bytes[at] = self.below(256) as u8,
                1 => bytes[at] ^= 1 << self.below(8),
                2 => drop(bytes.drain(at..end)),
                3 => {
                    let stretch = bytes[at..end].to_vec();
                    bytes.splice(at..at, stretch);
                }
                4 => {
                    let other = self.below(bytes.len());
                    bytes.swap(at, other);
                }
                5 if self.below(8) == 0 => bytes.truncate(at),
                _ => {
                    let word = NASTY[self.below(NASTY.len())].bytes();
                    drop(bytes.splice(word_around(&bytes, at), word));
                }
            }
        }
        bytes
    }
}

/// The word, number or path at a place.
fn word_around(bytes: &[u8], at: usize) -> std::ops::Range<usize> {
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/' | b'%');
    let start = bytes[..at].iter().rposition(|byte| !is_inside(byte)).map_or(0, |before| before + 1);
    let end = bytes[at..].iter().position(|byte| !is_inside(byte)).map_or(bytes.len(), |after| at + after);
    start..end.max(start)
}
