//! What arrives: recorded requests, or a process whose rate is put together from terms.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::quantity::{Amount, Bandwidth, Count, RequestRate, Share, Size, Time};

use super::adapters::TrafficAdaptersFile;
use super::choice::{DistributionChoice, TextOr};
use super::load_test::{ClosedLoopFile, SessionsFile, StageFile};
use super::routing::{ClassFile, PrefixFile};

/// `traffic`: exactly one of `trace`, `generator`, `sum`, `stages` and `closedLoop`; or `from`, with or without one of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TrafficFile {
    /// Recorded requests.
    #[serde(default)]
    pub trace: Option<TraceFile>,
    /// A process with a rate.
    #[serde(default)]
    pub generator: Option<GeneratorFile>,
    /// The requests of several sources at once.
    #[serde(default)]
    pub sum: Option<Vec<PartFile>>,
    /// A load test: stages that follow each other.
    #[serde(default)]
    pub stages: Option<Vec<StageFile>>,
    /// A stage begins only when every request of those before it has ended: `poll`, `lead` and the gap after the last end. It is that of
    /// inference-perf.
    #[serde(default)]
    pub drain: bool,
    /// Pause between stages; nothing unless said, 1 s with `drain`.
    #[serde(default)]
    pub interval: Option<Time>,
    /// With `drain`: until the tool notices that all have ended; 1 s unless said.
    #[serde(default)]
    pub poll: Option<Time>,
    /// With `drain`: what the tool takes to get a stage ready; 1 s unless said.
    #[serde(default)]
    pub lead: Option<Time>,
    /// A load test of clients that each wait for their answer.
    #[serde(default)]
    pub closed_loop: Option<ClosedLoopFile>,
    /// Each request of the trace, the generator, the sum or of stages that wait for nobody begins a conversation of several turns.
    #[serde(default)]
    pub sessions: Option<SessionsFile>,
    /// Multiplies the number of requests; `250%` sends each of them twice and every other one a third time.
    #[serde(default = "whole")]
    pub scale: Share,
    /// A factor over time: the rate of a generator is multiplied by it, requests of a trace are left out or repeated at random so that their
    /// rate is. Times are those of the run, not shifted.
    #[serde(default)]
    pub factor: Option<RateTerm>,
    /// How often a trace is played, one after another.
    #[serde(default = "once")]
    pub repeat: u32,
    /// Everything arrives this much later.
    #[serde(default = "no_shift")]
    pub shift: Time,
    /// Only this part of a trace, moved to the start.
    #[serde(default)]
    pub clip: Option<ClipFile>,
    /// The past that predictors look at.
    #[serde(default)]
    pub history: Option<HistoryFile>,
    /// Requests that another service of the scenario makes of this one, in place of others or beside them.
    #[serde(default)]
    pub from: Option<FromFile>,
    /// What prompts have in common, and so what the engines' prefix caches find. Nothing by default.
    #[serde(default)]
    pub prefix: Option<PrefixFile>,
    /// Requests by urgency.
    #[serde(default)]
    pub classes: Vec<ClassFile>,
    /// Requests by the adapter (LoRA) they are for; all are for the base model by default.
    #[serde(default)]
    pub adapters: Option<TrafficAdaptersFile>,
}

/// `traffic.from`: a share of the requests of one service become arrivals at another at the instant they are answered. Latency here counts
/// from then; `slo.endToEnd`, and the percentiles of a remark, from the arrival of the first request of the chain.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FromFile {
    /// Name of the service that calls.
    pub service: String,
    /// Share of its answered requests that call.
    #[serde(default = "whole")]
    pub share: Share,
    /// How often each of these calls, all at once.
    #[serde(default = "once")]
    pub count: u32,
    /// Prefill and decode apart: the other service computes the prompt of a request, and replicas of this one fetch what it has computed and make
    /// the answer. Latency and time to first token then count from the arrival at the other.
    #[serde(default)]
    pub kv_transfer: Option<KvTransferFile>,
    /// With `kvTransfer`: whose prompts are computed by the other service, and whose by this one. Every prompt is the other's unless said; a
    /// `prefix-based-pd-decider` of the endpoint picker says it too.
    #[serde(default)]
    pub decider: Option<DeciderFile>,
}

/// `traffic.from.decider`: which prompts are worth another service.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DeciderFile {
    /// Prompts with at least so many tokens are computed by the other service, those with fewer by this one. With 0 all of them are
    /// computed by this one, as llm-d has it.
    pub non_cached_tokens: u32,
}

/// `traffic.from.kvTransfer`: how the KV cache of a prompt comes from the replica that has computed it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KvTransferFile {
    /// What can come into or go out of one replica at once, shared evenly by all that is under way. There is no default: stacks differ a
    /// hundredfold (50 GB/s is what the network of an H100 carries, 0.36 GB/s what a whole path was seen to do).
    pub bandwidth: Bandwidth,
    /// From the request for it to the first byte.
    #[serde(default = "no_shift")]
    pub latency: Time,
    /// Size of the cache of one token in all GPUs of a replica together: 2 x layers x heads of keys and values x width of a head x bytes of a value.
    /// With a preset it is known.
    #[serde(default)]
    pub bytes_per_token: Option<Size>,
}

impl TrafficFile {
    /// Whether it has requests that are not of load tests and not of other services.
    pub fn has_source(&self) -> bool {
        self.trace.is_some() || self.generator.is_some() || self.sum.is_some()
    }

    /// The source, without what is said of the past; of a `sum` only what holds for all of its parts.
    pub fn part(&self) -> PartFile {
        PartFile {
            trace: self.trace.clone(),
            generator: self.generator.clone(),
            scale: self.scale,
            factor: self.factor.clone(),
            repeat: self.repeat,
            shift: self.shift,
            clip: self.clip,
        }
    }
}

/// One part of a `sum`: exactly one of `trace` and `generator`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PartFile {
    /// Recorded requests.
    #[serde(default)]
    pub trace: Option<TraceFile>,
    /// A process with a rate.
    #[serde(default)]
    pub generator: Option<GeneratorFile>,
    /// Multiplies the number of requests, on top of the sum's own `scale`.
    #[serde(default = "whole")]
    pub scale: Share,
    /// A factor over time, on top of the sum's own `factor`.
    #[serde(default)]
    pub factor: Option<RateTerm>,
    /// How often a trace is played, one after another.
    #[serde(default = "once")]
    pub repeat: u32,
    /// Everything arrives this much later, on top of the sum's own `shift`.
    #[serde(default = "no_shift")]
    pub shift: Time,
    /// Only this part of a trace, moved to the start.
    #[serde(default)]
    pub clip: Option<ClipFile>,
}

fn whole() -> Share {
    Share(1.0)
}

fn once() -> u32 {
    1
}

fn no_shift() -> Time {
    Time(0.0)
}

/// `clip`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClipFile {
    /// From here on.
    #[serde(default = "no_shift")]
    pub from: Time,
    /// Up to here, not included; to the end by default.
    #[serde(default)]
    pub to: Option<Time>,
}

/// `history`: offered rates before the start of the run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HistoryFile {
    /// Days of it, for predictors.
    #[serde(default)]
    pub days: u32,
    /// The rate in those days, and in the minutes before the start that `run.prehistory` lets run; by default the generator's, continued
    /// backwards.
    #[serde(default)]
    pub rate: Option<RateTerm>,
}

/// `trace`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TraceFile {
    /// CSV or JSON lines, plain, `.gz` or `.zst`, or Parquet; relative to the scenario's own folder.
    pub file: String,
    /// Its format; by default recognised from the first line or the names of its columns.
    #[serde(default)]
    pub format: TraceFormat,
    /// Draw the trace anew in every replication: each of its requests comes a Poisson number of times, once in the mean (times `scale`),
    /// placed before the next one recorded. Rates over time and the tokens that belong together stay.
    #[serde(default)]
    pub resample: bool,
    /// Which columns hold what, for `format: columns`.
    #[serde(default)]
    pub columns: Option<ColumnsFile>,
}

/// Formats of request traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TraceFormat {
    /// Recognised from the first line.
    #[default]
    Auto,
    /// Azure LLM inference traces: `TIMESTAMP,ContextTokens,GeneratedTokens`.
    AzureLlm,
    /// Mooncake JSON lines: `timestamp` in milliseconds, `input_length`, `output_length`.
    Mooncake,
    /// BurstGPT: `Timestamp` in seconds, `Request tokens`, `Response tokens`.
    BurstGpt,
    /// CSV or Parquet with the columns named under `columns`.
    Columns,
}

/// Column names of a CSV or Parquet trace.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ColumnsFile {
    /// Arrival.
    pub arrival: String,
    /// What the arrival column holds.
    #[serde(default)]
    pub arrival_unit: TimeColumn,
    /// Prompt tokens.
    #[serde(default)]
    pub prompt_tokens: Option<String>,
    /// Output tokens.
    #[serde(default)]
    pub output_tokens: Option<String>,
    /// Names of the adapters (LoRA) that requests are for, empty for the base model: for `traffic.adapters.fromTrace`.
    #[serde(default)]
    pub adapter: Option<String>,
}

/// What a column of times holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TimeColumn {
    /// Numbers, in seconds.
    #[default]
    Seconds,
    /// Numbers, in milliseconds.
    Milliseconds,
    /// Numbers, in microseconds.
    Microseconds,
    /// Numbers, in nanoseconds.
    Nanoseconds,
    /// Dates and times, `2023-11-16 18:15:46.68` or RFC 3339.
    Timestamp,
}

/// `generator`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GeneratorFile {
    /// The rate.
    pub rate: RateTerm,
    /// How requests are placed under it.
    #[serde(default)]
    pub process: ProcessFile,
    /// The rate is constant over steps of this length. Unless said 10 s, or less where a recorded rate changes more often or not in time with
    /// it.
    #[serde(default)]
    pub step: Option<Time>,
}

/// How requests are placed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ProcessFile {
    /// A Poisson process.
    #[default]
    Poisson,
    /// Independent gaps of this distribution, scaled to the rate: burstier than Poisson with a coefficient of variation above 1.
    Renewal(TextOr<Count, DistributionChoice<Count>>),
}

/// A rate (`12req/s`) or a factor (`70%`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    /// Requests per second.
    Rate(f64),
    /// A factor without dimension.
    Factor(f64),
}

impl Amount for Level {
    const NAME: &'static str = "Level";
    const EXPECTED: &'static str = "a rate such as `12req/s` or a factor such as `70%`";

    fn parse(text: &str) -> Option<Self> {
        RequestRate::parse(text)
            .map(|rate| Self::Rate(rate.0))
            .or_else(|| Share::parse(text).map(|share| Self::Factor(share.0)))
    }
}

/// A rate put together from terms.
pub type RateTerm = TextOr<Level, RateTermChoice>;

/// The terms of a rate.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RateTermChoice {
    /// The sum of terms: all rates, or all factors.
    Sum(Vec<RateTerm>),
    /// The product of terms: at most one rate, any number of factors.
    Product(Vec<RateTerm>),
    /// Straight lines between points, repeated every `every`.
    Points(PointsFile),
    /// A sine wave.
    Sine(SineFile),
    /// A factor per weekday.
    Weekly(WeeklyFile),
    /// A passing crowd: up, hold, down.
    Burst(BurstFile),
    /// Random ups and downs around 1, the same in every replication.
    Noise(NoiseFile),
    /// A recorded rate.
    Series(RateSeriesFile),
}

/// `points`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PointsFile {
    /// Period after which the points repeat, counted from local midnight of the first day; without it they happen once, counted from
    /// the start of the run, the first and the last level holding before and after.
    #[serde(default)]
    pub every: Option<Time>,
    /// Times and levels, ascending.
    pub at: Vec<PointFile>,
}

/// One point.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PointFile {
    /// When.
    pub time: Time,
    /// How much.
    pub level: Level,
}

/// `sine`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SineFile {
    /// Middle.
    pub mean: Level,
    /// Swing, as a share of the middle; at most 100 %.
    pub amplitude: Share,
    /// Length of a wave.
    pub period: Time,
    /// Time of the highest point, counted from local midnight of the first day.
    pub peak: Time,
}

/// `weekly`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct WeeklyFile {
    /// Monday.
    pub monday: Share,
    /// Tuesday.
    pub tuesday: Share,
    /// Wednesday.
    pub wednesday: Share,
    /// Thursday.
    pub thursday: Share,
    /// Friday.
    pub friday: Share,
    /// Saturday.
    pub saturday: Share,
    /// Sunday.
    pub sunday: Share,
}

impl Default for WeeklyFile {
    fn default() -> Self {
        let day = Share(1.0);
        Self { monday: day, tuesday: day, wednesday: day, thursday: day, friday: day, saturday: day, sunday: day }
    }
}

/// `burst`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BurstFile {
    /// Start, counted from the start of the run.
    pub at: Time,
    /// Time to climb.
    #[serde(default = "no_shift")]
    pub rise: Time,
    /// Time on top.
    pub hold: Time,
    /// Time to fall.
    #[serde(default = "no_shift")]
    pub fall: Time,
    /// Height; zero outside.
    pub height: Level,
}

/// `noise`: a factor with mean 1, lognormal, redrawn every `interval` and held.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NoiseFile {
    /// Standard deviation over mean.
    pub cv: Share,
    /// How long each value holds.
    pub interval: Time,
    /// Seed of its dice.
    #[serde(default)]
    pub seed: u64,
}

/// `series`: a CSV or Parquet file of times and values.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RateSeriesFile {
    /// CSV, plain, `.gz` or `.zst`, or Parquet; relative to the scenario's own folder.
    pub file: String,
    /// Column of times; the first by default.
    #[serde(default)]
    pub time: Option<String>,
    /// What it holds.
    #[serde(default)]
    pub time_unit: TimeColumn,
    /// In a file without times: how far apart its rows are. Takes the place of `time`; the value is then the first column by default.
    #[serde(default)]
    pub every: Option<Time>,
    /// Column of values; the second by default. An empty cell is a gap: no traffic in the run, unknown in the history.
    #[serde(default)]
    pub value: Option<String>,
    /// What the values count.
    pub value_unit: SeriesUnit,
    /// Where in the series the run starts; what lies before is history.
    #[serde(default = "no_shift")]
    pub start_at: Time,
    /// Only rows with these values, column by column.
    #[serde(default, rename = "where")]
    pub filter: BTreeMap<String, String>,
}

/// What the values of a series count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SeriesUnit {
    /// Requests per second.
    PerSecond,
    /// Requests in the interval up to the next row.
    PerInterval,
}
