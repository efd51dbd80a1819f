//! A recorded trace in a file, whatever its format.

use std::path::Path;
use std::sync::Arc;

use workload::{TraceReader, TraceSource};

use scenario::file::TraceFile;
use scenario::{ScenarioError, TraceDetails};

use crate::cache::{CacheFile, CacheWriter, Facts, Key, TraceCache};
use crate::line::Layout;
use crate::lines::LinesTrace;
use crate::parquet::is_parquet;
use crate::parquet_trace::ParquetTrace;
use crate::seal::Seal;
use crate::unreadable;

/// A trace file that has been read through once and found good.
#[derive(Clone, Debug)]
pub struct FileTrace {
    content: Content,
    facts: Facts,
    format_name: &'static str,
}

/// What readers read.
#[derive(Clone, Debug)]
enum Content {
    Lines(Arc<LinesTrace>),
    Parquet(Arc<ParquetTrace>),
    /// What the lines were parsed to; the lines themselves should the cache go away during the run.
    Cached(CacheFile, Arc<LinesTrace>),
}

impl FileTrace {
    /// Reads the file through: every row must be readable, and none earlier than the one above it. A file of lines that was read before is
    /// recognised by its content and not parsed again, where the process has chosen a [`TraceCache`].
    pub fn load(path: &Path, trace: &TraceFile) -> Result<Self, ScenarioError> {
        Self::load_sealed(&sealed(path)?, trace, TraceCache::chosen())
    }

    /// The same with caches where `cache` says.
    pub fn load_with(path: &Path, trace: &TraceFile, cache: &TraceCache) -> Result<Self, ScenarioError> {
        Self::load_sealed(&sealed(path)?, trace, cache)
    }

    /// The same with the adapters that requests are for, where the file names any. It is then in no cache.
    pub fn load_with_adapters(path: &Path, trace: &TraceFile, cache: &TraceCache) -> Result<Self, ScenarioError> {
        let seal = sealed(path)?;
        // Of JSON lines only all of them tell.
        let is_json = !is_parquet(path)? && matches!(LinesTrace::of(&seal, trace)?.layout, Layout::Json { .. });
        let wanted = TraceDetails { adapters: is_json || Self::details(&seal, trace).adapters, blocks: false };
        if wanted.adapters { Self::load_detailed(&seal, trace, wanted) } else { Self::load_sealed(&seal, trace, cache) }
    }

    /// A sealed file with more of its requests than times and tokens. It is in no cache: the file is parsed anew.
    pub(crate) fn load_detailed(
        seal: &Arc<Seal>,
        trace: &TraceFile,
        wanted: TraceDetails,
    ) -> Result<Self, ScenarioError> {
        let path = seal.path();
        if is_parquet(path)? {
            if wanted.blocks {
                let reason = "Parquet traces have no `hash_ids`, which traffic.prefix.hashIds needs".to_owned();
                return Err(ScenarioError::BadFile { file: path.display().to_string(), reason });
            }
            return Self::parquet(seal, trace, wanted);
        }
        let mut lines = LinesTrace::of(seal, trace)?;
        lines.wanted = wanted;
        let (format_name, has_tokens) = (lines.layout.name(), lines.layout.has_tokens());
        let facts = lines.check(&mut None)?.facts(path, has_tokens)?;
        seal.hold();
        Ok(Self { content: Content::Lines(Arc::new(lines)), facts, format_name })
    }

    /// What a file says of requests beside times and tokens, as far as its first line or its columns tell; nothing of one that cannot be read.
    pub(crate) fn details(seal: &Arc<Seal>, trace: &TraceFile) -> TraceDetails {
        let found = is_parquet(seal.path()).and_then(|is_parquet| {
            if is_parquet {
                ParquetTrace::details(seal.path(), trace)
            } else {
                LinesTrace::of(seal, trace).map(|lines| lines.details)
            }
        });
        found.unwrap_or_default()
    }

    fn parquet(seal: &Arc<Seal>, trace: &TraceFile, wanted: TraceDetails) -> Result<Self, ScenarioError> {
        let (parquet, clock) = ParquetTrace::load(seal, trace, wanted)?;
        let facts = clock.facts(seal.path(), parquet.has_tokens())?;
        seal.hold();
        Ok(Self { format_name: parquet.format_name(), content: Content::Parquet(Arc::new(parquet)), facts })
    }

    /// Reads a sealed file through.
    pub(crate) fn load_sealed(seal: &Arc<Seal>, trace: &TraceFile, cache: &TraceCache) -> Result<Self, ScenarioError> {
        let path = seal.path();
        if is_parquet(path)? {
            return Self::parquet(seal, trace, TraceDetails::default());
        }
        let mut lines = LinesTrace::of(seal, trace)?;
        let format_name = lines.layout.name();
        let key = Key::of(seal, trace);
        let places = cache.places(path, key);
        if let Some(found) = places.iter().find_map(|place| CacheFile::find(place, key)) {
            lines.origin_ns = found.facts.origin_ns;
            return Ok(Self { facts: found.facts, content: Content::Cached(found, Arc::new(lines)), format_name });
        }
        let has_tokens = lines.layout.has_tokens();
        let mut writer = CacheWriter::create(&places, has_tokens);
        let facts = lines.check(&mut writer)?.facts(path, has_tokens)?;
        let lines = Arc::new(lines);
        // The rows are those of the seal only if nobody wrote to the file in between.
        seal.hold();
        let content = match writer.and_then(|writer| writer.finish(key, facts).ok().flatten()) {
            Some(cached) => Content::Cached(cached, lines),
            None => Content::Lines(lines),
        };
        Ok(Self { content, facts, format_name })
    }

    /// What the file's format is called.
    pub fn format_name(&self) -> &'static str {
        self.format_name
    }

    /// True if its rows come out of a cache and not out of the file itself.
    pub fn is_cached(&self) -> bool {
        matches!(self.content, Content::Cached(..))
    }

    /// Names of the adapters that its requests are for, that of number 1 first; `None` without any, or if they were not read.
    pub fn adapters(&self) -> Option<Vec<String>> {
        match &self.content {
            Content::Lines(lines) | Content::Cached(_, lines) => lines.adapters.names(),
            Content::Parquet(parquet) => parquet.adapters.names(),
        }
    }

    /// Arrival of the last request, in nanoseconds from the start of the trace.
    pub fn last_ns(&self) -> u64 {
        self.facts.last_ns
    }

    /// A reader at the first request.
    pub fn reader(&self) -> Box<dyn TraceReader> {
        match &self.content {
            Content::Lines(lines) => Box::new(lines.reader()),
            Content::Parquet(parquet) => Box::new(parquet.reader()),
            Content::Cached(cache, lines) => match cache.reader() {
                Some(reader) => Box::new(reader),
                None => Box::new(lines.reader()),
            },
        }
    }
}

impl TraceSource for FileTrace {
    fn open(&self) -> Box<dyn TraceReader> {
        self.reader()
    }

    fn len(&self) -> u64 {
        self.facts.rows
    }

    fn has_tokens(&self) -> bool {
        self.facts.has_tokens
    }
}

fn sealed(path: &Path) -> Result<Arc<Seal>, ScenarioError> {
    Seal::take(path).map(Arc::new).map_err(|error| unreadable(path, &error))
}

pub(crate) fn bad_row(file: &str, row: u64, reason: String) -> ScenarioError {
    ScenarioError::BadRow { file: file.to_owned(), row, reason }
}

/// Turns the file's own times into times from its start, and sees to their order.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The file's own time of the start, in nanoseconds.
    pub origin_ns: i64,
    starts_at_first_row: bool,
    rows: u64,
    last_ns: u64,
}

impl Clock {
    /// Before the first row, whose time is the start if `starts_at_first_row`; else the start is the file's zero.
    pub fn new(starts_at_first_row: bool) -> Self {
        Self { origin_ns: 0, starts_at_first_row, rows: 0, last_ns: 0 }
    }

    /// The next row's arrival from the start, in nanoseconds.
    pub fn admit(&mut self, at_ns: i64) -> Result<u64, String> {
        if self.rows == 0 && self.starts_at_first_row {
            self.origin_ns = at_ns;
        }
        let since_start = at_ns.checked_sub(self.origin_ns).and_then(|ns| u64::try_from(ns).ok());
        let since_start =
            since_start.ok_or("arrives before the start of the trace; rows must be in order of arrival")?;
        if since_start < self.last_ns {
            return Err("arrives before the row above; rows must be in order of arrival".to_owned());
        }
        self.last_ns = since_start;
        self.rows += 1;
        Ok(since_start)
    }

    fn facts(self, path: &Path, has_tokens: bool) -> Result<Facts, ScenarioError> {
        if self.rows == 0 {
            let file = path.display().to_string();
            return Err(ScenarioError::BadFile { file, reason: "holds no request".to_owned() });
        }
        Ok(Facts { rows: self.rows, last_ns: self.last_ns, origin_ns: self.origin_ns, has_tokens })
    }
}
