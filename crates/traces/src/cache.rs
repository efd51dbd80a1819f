//! Parsed traces on disk, so that a second run does not parse again.
//!
//! A cache holds the arrivals and tokens of one file, read with certain options, and the key of both: a hash of the file's bytes and of the
//! options. Whoever opens it says which key it must have, so a file that has changed is never answered from an old cache; every block carries
//! a checksum, so a damaged one is not used either. It knows neither CSV nor JSON.
//!
//! Layout, little-endian: a header of 64 bytes, then blocks of [rows u32, width u32, first arrival u64, checksum u64] followed by the gaps
//! between arrivals (`width` bytes each, 4 unless a gap is longer than four seconds, then 8), the prompt tokens and the output tokens (4
//! bytes each).

use std::fs::{File, TryLockError};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempPath;
use workload::{TraceChunk, TraceReader};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use scenario::file::TraceFile;

use crate::seal::{Changed, Seal};

/// Says what the file is; the digit is the version of the layout and of what parsing makes of a row.
const MAGIC: [u8; 8] = *b"SLTRACE1";

const HEADER_BYTES: usize = 64;
const BLOCK_HEADER_BYTES: usize = 24;

/// Rows of a block: 32 KiB of gaps.
const ROWS_PER_BLOCK: usize = 8_192;

/// A shorter trace is parsed in a few milliseconds; a file beside it would be litter.
const ROWS_MIN: u64 = 10_000;

/// Buffer of a file, in bytes.
const BUFFER: usize = 1 << 18;

/// Where parsed traces are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TraceCache {
    /// Nowhere: every run parses.
    #[default]
    Off,
    /// Beside the trace, or in the user's cache folder where that folder cannot be written to.
    Beside,
    /// In this folder.
    Folder(PathBuf),
}

static CHOSEN: OnceLock<TraceCache> = OnceLock::new();

impl TraceCache {
    /// Makes this the choice of the whole process; the first choice stands. Without one it is [`TraceCache::Off`].
    pub fn choose(self) {
        // A second choice is left aside, as said.
        let _ = CHOSEN.set(self);
    }

    /// The choice of this process.
    pub fn chosen() -> &'static Self {
        CHOSEN.get_or_init(Self::default)
    }

    /// The folder for copies of what has no place of its own on this machine; `None` where none are kept.
    pub fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Off => None,
            Self::Folder(folder) => Some(folder.clone()),
            Self::Beside => user_folder(),
        }
    }

    /// Where a cache of `path` may be, the best place first.
    pub(crate) fn places(&self, path: &Path, key: Key) -> Vec<PathBuf> {
        let in_folder = |folder: &Path| folder.join(format!("{:032x}.scalelab-cache", key.0));
        match self {
            Self::Off => Vec::new(),
            Self::Folder(folder) => vec![in_folder(folder)],
            Self::Beside => {
                // The options are in the name, so that two ways to read one file do not push each other out.
                let mut name = path.file_name().unwrap_or_default().to_owned();
                name.push(format!(".{:08x}.scalelab-cache", key.1));
                std::iter::once(path.with_file_name(name))
                    .chain(user_folder().map(|folder| in_folder(&folder)))
                    .collect()
            }
        }
    }
}

/// Where programs of this user keep what they can make again.
fn user_folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || variable("HOME");
    let base = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Caches"))
    } else {
        variable("XDG_CACHE_HOME").or_else(|| home().map(|home| home.join(".cache")))
    };
    base.map(|base| base.join("scalelab"))
}

/// What a cache is of: the hash of a file's bytes with the options it was read with, and a short hash of the options alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u128, u32);

impl Key {
    /// Of a sealed file read with these options.
    pub fn of(seal: &Seal, options: &TraceFile) -> Self {
        // Spelled out: a new version of the program may understand the same words otherwise.
        let options = format!("{}\n{:?}\n{:?}", env!("CARGO_PKG_VERSION"), options.format, options.columns);
        let mut hash = Xxh3::new();
        hash.update(options.as_bytes());
        hash.update(&seal.content().to_le_bytes());
        Self(hash.digest128(), xxh3_64(options.as_bytes()) as u32)
    }
}

/// What a cache says of its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Requests.
    pub rows: u64,
    /// Arrival of the last one, in nanoseconds from the start of the trace.
    pub last_ns: u64,
    /// The file's own time of the start, in nanoseconds.
    pub origin_ns: i64,
    /// True if requests have tokens.
    pub has_tokens: bool,
}

/// A cache that was read through once and found whole.
#[derive(Clone, Debug)]
pub struct CacheFile {
    path: PathBuf,
    key: Key,
    /// What it says of its trace.
    pub facts: Facts,
}

impl CacheFile {
    /// The cache at `path` if there is one, it is of `key`, and every byte of it is as it was written.
    pub fn find(path: &Path, key: Key) -> Option<Self> {
        let (facts, mut input) = open(path, key)?;
        let (mut block, mut rows, mut last_ns) = (Block::default(), 0, 0);
        while block.read(&mut input, facts.has_tokens).ok()? {
            let first = *block.chunk.arrival_ns.first()?;
            if first < last_ns {
                return None;
            }
            rows += block.chunk.len() as u64;
            last_ns = *block.chunk.arrival_ns.last()?;
        }
        ((rows, last_ns) == (facts.rows, facts.last_ns)).then(|| Self { path: path.to_owned(), key, facts })
    }

    /// A reader at the first request; `None` if another file has taken its place or it is gone.
    pub fn reader(&self) -> Option<CacheReader> {
        let (facts, input) = open(&self.path, self.key)?;
        (facts == self.facts).then(|| CacheReader { path: self.path.clone(), facts, input, block: Block::default() })
    }
}

/// Opens a cache of `key` behind its header.
fn open(path: &Path, key: Key) -> Option<(Facts, BufReader<File>)> {
    // A pipe in its place would wait for a writer.
    let mut input = BufReader::with_capacity(BUFFER, crate::open_file(path).ok()?);
    let mut header = [0; HEADER_BYTES];
    input.read_exact(&mut header).ok()?;
    let word = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes are eight bytes"));
    let is_ours = header[..8] == MAGIC && word(56) == xxh3_64(&header[..56]);
    let is_of_key = u128::from(word(8)) | u128::from(word(16)) << 64 == key.0;
    let facts =
        Facts { rows: word(24), last_ns: word(32), origin_ns: word(40).cast_signed(), has_tokens: word(48) == 1 };
    (is_ours && is_of_key).then_some((facts, input))
}

/// Writes a cache while its trace is parsed for the first time. Dropped, it leaves nothing.
pub struct CacheWriter {
    /// Locked as long as it is open.
    output: BufWriter<File>,
    temporary: TempPath,
    path: PathBuf,
    chunk: TraceChunk,
    payload: Vec<u8>,
    has_tokens: bool,
}

impl CacheWriter {
    /// A writer for the first of `places` that can be written to; `None` too if another process is writing it.
    pub fn create(places: &[PathBuf], has_tokens: bool) -> Option<Self> {
        let writer_at = |path: &PathBuf| {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            // Only the folder for caches is made; a trace is in a folder that is there.
            std::fs::create_dir_all(folder).ok()?;
            // Said of a folder this holds for root too, whom the system would let write.
            if std::fs::metadata(folder).ok()?.permissions().readonly() {
                return None;
            }
            let Some((file, temporary)) = under_way(path).ok()? else { return Some(None) };
            let mut output = BufWriter::with_capacity(BUFFER, file);
            output.write_all(&[0; HEADER_BYTES]).ok()?;
            let (chunk, payload) = (TraceChunk::default(), Vec::new());
            Some(Some(Self { output, temporary, path: path.clone(), chunk, payload, has_tokens }))
        };
        places.iter().find_map(writer_at).flatten()
    }

    /// Appends a request.
    pub fn push(&mut self, at_ns: u64, tokens: Option<(u32, u32)>) -> io::Result<()> {
        match tokens {
            Some(tokens) => self.chunk.push_with_tokens(at_ns, tokens),
            None => self.chunk.push(at_ns),
        }
        if self.chunk.len() == ROWS_PER_BLOCK { self.write_block() } else { Ok(()) }
    }

    fn write_block(&mut self) -> io::Result<()> {
        let arrivals = &self.chunk.arrival_ns;
        let gap = |index: usize| arrivals[index] - arrivals[index.saturating_sub(1)];
        let is_short = (0..arrivals.len()).all(|index| u32::try_from(gap(index)).is_ok());
        self.payload.clear();
        for index in 0..arrivals.len() {
            let bytes = gap(index).to_le_bytes();
            self.payload.extend_from_slice(if is_short { &bytes[..4] } else { &bytes });
        }
        for tokens in self.chunk.prompt_tokens.iter().chain(&self.chunk.output_tokens) {
            self.payload.extend_from_slice(&tokens.to_le_bytes());
        }
        let mut header = [0; BLOCK_HEADER_BYTES];
        header[..4].copy_from_slice(&(arrivals.len() as u32).to_le_bytes());
        header[4..8].copy_from_slice(&(if is_short { 4_u32 } else { 8 }).to_le_bytes());
        header[8..16].copy_from_slice(&arrivals[0].to_le_bytes());
        let checksum = checksum(&header, &self.payload);
        header[16..].copy_from_slice(&checksum.to_le_bytes());
        self.output.write_all(&header)?;
        self.output.write_all(&self.payload)?;
        self.chunk.clear();
        Ok(())
    }

    /// Gives the cache its name, if the trace is long enough to be worth it.
    pub fn finish(mut self, key: Key, facts: Facts) -> io::Result<Option<CacheFile>> {
        if facts.rows < ROWS_MIN {
            return Ok(None);
        }
        if !self.chunk.is_empty() {
            self.write_block()?;
        }
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(&MAGIC);
        header[8..24].copy_from_slice(&key.0.to_le_bytes());
        let is_with_tokens = u64::from(self.has_tokens);
        for (place, word) in
            [facts.rows, facts.last_ns, facts.origin_ns.cast_unsigned(), is_with_tokens].iter().enumerate()
        {
            header[24 + 8 * place..32 + 8 * place].copy_from_slice(&word.to_le_bytes());
        }
        let checksum = xxh3_64(&header[..56]);
        header[56..].copy_from_slice(&checksum.to_le_bytes());
        self.output.seek(SeekFrom::Start(0))?;
        self.output.write_all(&header)?;
        self.output.flush()?;
        // Without waiting for the disk: what a crash leaves of it fails its checksums.
        self.temporary.persist(&self.path)?;
        Ok(Some(CacheFile { path: self.path, key, facts }))
    }
}

/// The file beside `path` in which it is written, empty and locked. It always has the same name, so that what a killed process left is written over
/// by the next and none stays; `None` while another process writes it.
fn under_way(path: &Path) -> io::Result<Option<(File, TempPath)>> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let mut options = File::options();
    // Not cut before it is locked: another process may be writing it. As readable as a trace: others who may read that may use its cache.
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o644);
    // A link would be followed and a fifo waited for.
    if std::fs::symlink_metadata(&temporary).is_ok_and(|found| !found.is_file()) {
        return Ok(None);
    }
    let file = options.open(&temporary)?;
    // Where there are no locks there is no telling; and its writer may have given it its name since it was opened.
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) || !is_named(&file, &temporary) {
        return Ok(None);
    }
    let temporary = TempPath::try_from_path(temporary)?;
    file.set_len(0)?;
    Ok(Some((file, temporary)))
}

/// Whether a path still names an open file.
fn is_named(file: &File, path: &Path) -> bool {
    let Ok((open, named)) = file.metadata().and_then(|open| Ok((open, std::fs::metadata(path)?))) else { return false };
    #[cfg(unix)]
    return {
        use std::os::unix::fs::MetadataExt;
        (open.dev(), open.ino()) == (named.dev(), named.ino())
    };
    #[cfg(not(unix))]
    return open.len() == named.len();
}

fn checksum(header: &[u8; BLOCK_HEADER_BYTES], payload: &[u8]) -> u64 {
    xxh3_64(payload) ^ xxh3_64(&header[..16])
}

/// One block, read.
#[derive(Default)]
struct Block {
    chunk: TraceChunk,
    payload: Vec<u8>,
}

impl Block {
    /// The next block; false at the end of the file, an error if it is not as it was written.
    fn read(&mut self, input: &mut impl Read, has_tokens: bool) -> io::Result<bool> {
        let mut header = [0; BLOCK_HEADER_BYTES];
        let mut got = 0;
        while got < BLOCK_HEADER_BYTES {
            match input.read(&mut header[got..])? {
                0 if got == 0 => return Ok(false),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                more => got += more,
            }
        }
        let short = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes are four bytes"));
        let (rows, width) = (short(0) as usize, short(4) as usize);
        let long = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes are eight bytes"));
        let (first, stated) = (long(8), long(16));
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        if !(1..=ROWS_PER_BLOCK).contains(&rows) || !matches!(width, 4 | 8) {
            return Err(broken());
        }
        self.payload.resize(rows * (width + if has_tokens { 8 } else { 0 }), 0);
        input.read_exact(&mut self.payload)?;
        if checksum(&header, &self.payload) != stated {
            return Err(broken());
        }
        self.chunk.clear();
        let (gaps, tokens) = self.payload.split_at(rows * width);
        let mut at_ns = first;
        let mut arrive = |gap: u64| {
            at_ns = at_ns.wrapping_add(gap);
            at_ns
        };
        let arrivals = &mut self.chunk.arrival_ns;
        if width == 4 {
            arrivals.extend(gaps.as_chunks::<4>().0.iter().map(|gap| arrive(u64::from(u32::from_le_bytes(*gap)))));
        } else {
            arrivals.extend(gaps.as_chunks::<8>().0.iter().map(|gap| arrive(u64::from_le_bytes(*gap))));
        }
        let (prompt, output) = tokens.split_at(tokens.len() / 2);
        let counts =
            |bytes: &[u8]| bytes.as_chunks::<4>().0.iter().map(|count| u32::from_le_bytes(*count)).collect::<Vec<_>>();
        self.chunk.prompt_tokens.extend(counts(prompt));
        self.chunk.output_tokens.extend(counts(output));
        Ok(true)
    }
}

/// Reads a cache forward.
pub struct CacheReader {
    path: PathBuf,
    facts: Facts,
    input: BufReader<File>,
    block: Block,
}

impl TraceReader for CacheReader {
    fn next_chunk(&mut self, chunk: &mut TraceChunk) -> bool {
        let is_more = self.block.read(&mut self.input, self.facts.has_tokens);
        let is_more = is_more.unwrap_or_else(|error| Changed::raise(&self.path, error));
        chunk.clear();
        if is_more {
            std::mem::swap(chunk, &mut self.block.chunk);
        }
        is_more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_written_over_and_what_another_writes_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, temporary) = (folder.path().join("a.csv.cache"), folder.path().join("a.csv.cache.tmp"));
        std::fs::write(&temporary, "half of a cache").unwrap();
        let places = [path.clone(), folder.path().join("elsewhere")];
        let mut first = CacheWriter::create(&places, false).expect("nobody holds it");
        assert!(
            CacheWriter::create(&places, false).is_none(),
            "one writes it at a time, and nobody goes elsewhere for it"
        );
        (0..ROWS_MIN).for_each(|row| first.push(row, None).unwrap());
        let facts = Facts { rows: ROWS_MIN, last_ns: ROWS_MIN - 1, origin_ns: 0, has_tokens: false };
        first.finish(Key(7, 0), facts).unwrap().expect("it is long enough");
        assert!(path.is_file() && !temporary.exists());
        drop(CacheWriter::create(&places, false).expect("it is free again"));
        assert!(path.is_file() && !temporary.exists());
    }
}
