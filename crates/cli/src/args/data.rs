//! Options of the commands that look at data: `trace`, `prices`, `calibrate`, `init`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Format, MakingArgs};

/// `scalelab trace`.
#[derive(Debug, Subcommand)]
pub enum Trace {
    /// Say what is in a trace: rows, span, rates, tokens
    Inspect(TraceFile),
    /// Write a trace with the columns arrival_s, prompt_tokens, output_tokens, as CSV or Parquet
    Convert {
        /// The trace.
        #[command(flatten)]
        input: TraceFile,
        /// Where to write it; Parquet if the name ends in .parquet, packed CSV if it ends in .gz
        output: PathBuf,
    },
    /// Make a trace up: Poisson arrivals, lognormal token counts
    Synthesize(Synthesize),
    /// Print a generator that resembles a trace, as YAML for a scenario
    Fit(Fit),
}

/// A trace and how to read it.
#[derive(Debug, Args)]
pub struct TraceFile {
    /// CSV or JSON lines, plain, .gz or .zst, or Parquet; known formats are recognised
    pub file: PathBuf,
    /// Column of arrivals, for a table of no known format
    #[arg(long, value_name = "COLUMN")]
    pub arrival: Option<String>,
    /// What that column holds
    #[arg(long, value_enum, default_value_t = ArrivalUnit::Seconds, requires = "arrival")]
    pub arrival_unit: ArrivalUnit,
    /// Column of prompt tokens
    #[arg(long, value_name = "COLUMN", requires_all = ["arrival", "output_tokens"])]
    pub prompt_tokens: Option<String>,
    /// Column of output tokens
    #[arg(long, value_name = "COLUMN", requires_all = ["arrival", "prompt_tokens"])]
    pub output_tokens: Option<String>,
    /// Column of the adapters (LoRA) that requests are for; `adapter` where columns are known
    #[arg(long, value_name = "COLUMN", requires = "arrival")]
    pub adapter: Option<String>,
}

/// What a column of arrivals holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ArrivalUnit {
    /// Numbers, in seconds
    Seconds,
    /// Numbers, in milliseconds
    Milliseconds,
    /// Numbers, in microseconds
    Microseconds,
    /// Numbers, in nanoseconds
    Nanoseconds,
    /// Dates and times; the first request is the start
    Timestamp,
}

/// `scalelab trace synthesize`.
#[derive(Debug, Args)]
pub struct Synthesize {
    /// Mean rate, such as 5req/s
    #[arg(long)]
    pub rate: String,
    /// Length, such as 10m
    #[arg(long)]
    pub duration: String,
    /// Seed: the same seed makes the same file
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Median and 90th percentile of the prompt's length in tokens
    #[arg(long, value_name = "P50,P90", default_value = "1000,2700")]
    pub prompt_tokens: String,
    /// Median and 90th percentile of the answer's length in tokens
    #[arg(long, value_name = "P50,P90", default_value = "130,420")]
    pub output_tokens: String,
    /// Longest prompt and longest answer in tokens
    #[arg(long, value_name = "TOKENS", default_value_t = 8192)]
    pub tokens_max: u32,
    /// Where to write it; Parquet if the name ends in .parquet, packed if it ends in .gz; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,
}

/// `scalelab trace fit`.
#[derive(Debug, Args)]
pub struct Fit {
    /// The trace.
    #[command(flatten)]
    pub input: TraceFile,
    /// Length over which the rate is averaged, such as 5m [default: a 48th of the trace or more, at least 1 s]
    #[arg(long)]
    pub interval: Option<String>,
}

/// `scalelab prices`.
#[derive(Debug, Subcommand)]
pub enum Prices {
    /// List prices, cheapest GPU first
    List(PricesList),
    /// Show an instance type: shape, billing rules, every price with its day and source
    Show(PricesShow),
    /// Make a catalog out of somebody else's price file
    Import(PricesImport),
}

/// `scalelab prices list`.
#[derive(Debug, Args)]
pub struct PricesList {
    /// Only this GPU model, such as H100
    #[arg(long, value_name = "MODEL")]
    pub gpu: Option<String>,
    /// Only this provider
    #[arg(long)]
    pub provider: Option<String>,
    /// Only this region
    #[arg(long)]
    pub region: Option<String>,
    /// Another catalog than the built-in one, as `prices import` writes it
    #[arg(long, value_name = "FILE")]
    pub catalog: Option<PathBuf>,
}

/// `scalelab prices show`.
#[derive(Debug, Args)]
pub struct PricesShow {
    /// Instance type, such as p5.48xlarge
    pub instance: String,
    /// Only this region
    #[arg(long)]
    pub region: Option<String>,
    /// Only this provider
    #[arg(long)]
    pub provider: Option<String>,
    /// Another catalog than the built-in one, as `prices import` writes it
    #[arg(long, value_name = "FILE")]
    pub catalog: Option<PathBuf>,
}

/// `scalelab prices import`.
#[derive(Debug, Args)]
pub struct PricesImport {
    /// What the files are
    #[arg(long, value_enum)]
    pub format: PriceFormat,
    /// The files, plain or .gz; `-` is standard input
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Catalog to write; use it with `prices: {catalog: [embedded, FILE]}`
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
    /// Whose prices a SkyPilot file holds: the name of its folder
    #[arg(long, default_value = "aws")]
    pub provider: String,
    /// Day the file was fetched; price histories have their own dates [default: the file's modification date]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<jiff::civil::Date>,
    /// Who says so, for each row [default: the format and the file's name]
    #[arg(long)]
    pub source: Option<String>,
}

/// Formats of price files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PriceFormat {
    /// `vms.csv` of the SkyPilot catalog
    Skypilot,
    /// JSON of `aws ec2 describe-spot-price-history`, one file per page
    AwsSpotHistory,
    /// `spot-advisor-data.json` of the AWS Spot Advisor
    SpotAdvisor,
}

/// `scalelab calibrate`.
#[derive(Debug, Subcommand)]
pub enum Calibrate {
    /// Cold-start phases from what `kubectl get pods,events,nodes -o json` prints
    ColdStart(CalibrateColdStart),
    /// Interruptions from a recorded availability or price history
    Spot(CalibrateSpot),
    /// Service times from load tests
    Service(CalibrateService),
    /// List the presets of language models on GPUs (`service.model: {preset: NAME}`)
    Presets(CalibratePresets),
    /// Print a cold-start preset with its sources, or list all
    Preset {
        /// Name, as in `coldStart: {preset: NAME}`.
        name: Option<String>,
    },
}

/// `scalelab calibrate cold-start`.
#[derive(Debug, Args)]
pub struct CalibrateColdStart {
    /// Output of `kubectl get pods -o json`; may be given several times, and may hold events and nodes too
    #[arg(long, value_name = "FILE", required = true)]
    pub pods: Vec<PathBuf>,
    /// Output of `kubectl get events -o json`: image pulls and node phases
    #[arg(long, value_name = "FILE")]
    pub events: Vec<PathBuf>,
    /// Output of `kubectl get nodes -o json`: how long nodes take to boot
    #[arg(long, value_name = "FILE")]
    pub nodes: Vec<PathBuf>,
    /// Write the YAML snippet here instead of printing it
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Draw observed against fitted quantiles
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Seed of the bootstrap behind the intervals
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// `scalelab calibrate spot`.
#[derive(Debug, Args)]
pub struct CalibrateSpot {
    /// History of one zone per file, plain or .gz: SkyPilot or Bamboo trace, or AWS spot price history
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub history: Vec<PathBuf>,
    /// The nodes counted could have been had, instead of were held
    #[arg(long)]
    pub available: bool,
    /// For price histories of several instance types: which
    #[arg(long, value_name = "TYPE")]
    pub instance_type: Option<String>,
    /// For price histories: a node is lost when the price rises above this, such as '$12/h' [default: the on-demand price]
    #[arg(long, value_name = "PRICE")]
    pub price_max: Option<String>,
    /// Draw observed against fitted quantiles of the node-hours between events
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Write the YAML snippet here instead of printing it
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `scalelab calibrate service`.
#[derive(Debug, Args)]
pub struct CalibrateService {
    /// What the files are [default: told by what is in each]
    #[arg(long, value_enum)]
    pub format: Option<ServiceFormat>,
    /// Results: one load per file, or several; for perf-analyzer one batch size per file
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Batch size of each perf-analyzer file (its -b), in their order [default: 1]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub batch: Vec<u32>,
    /// Correct this preset instead of fitting a whole law (`scalelab calibrate presets` lists them)
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Without a preset: the model, for what the runs cannot tell [default: the one the files name]
    #[arg(long, value_name = "NAME", conflicts_with = "preset")]
    pub model: Option<String>,
    /// Without a preset: the GPU
    #[arg(long, value_name = "NAME", conflicts_with = "preset")]
    pub gpu: Option<String>,
    /// Without a preset: GPUs that share the model
    #[arg(long, value_name = "N", default_value_t = 1, requires = "gpu")]
    pub tp: u32,
    /// Replicas that shared the load
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub replicas: u32,
    /// Rows of a table to take; may be given several times
    #[arg(long = "where", value_name = "COLUMN=VALUE")]
    pub rows: Vec<String>,
    /// Prompt tokens, where the file does not say
    #[arg(long, value_name = "N")]
    pub prompt_tokens: Option<f64>,
    /// Output tokens, where the file does not say
    #[arg(long, value_name = "N")]
    pub output_tokens: Option<f64>,
    /// Requests under way at all times, where the file does not say how they were sent
    #[arg(long, value_name = "N", conflicts_with = "rate")]
    pub concurrency: Option<u32>,
    /// Requests per second, where the file does not say how they were sent
    #[arg(long, value_name = "RATE")]
    pub rate: Option<f64>,
    /// The engine's --max-num-seqs [default: the preset's engine's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub sequences_max: Option<u32>,
    /// The engine's --max-num-batched-tokens [default: the preset's engine's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub batched_tokens_max: Option<u32>,
    /// Capacity of the KV cache as the engine logs it [default: worked out for the preset]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(16..))]
    pub kv_tokens: Option<u64>,
    /// Draw measured against fitted figures, as SVG or PNG by the ending
    #[arg(long, value_name = "FILE.svg|FILE.png")]
    pub plot: Option<PathBuf>,
    /// Write the YAML snippet here instead of printing it
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Formats of load-test results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ServiceFormat {
    /// CSV of Triton's perf_analyzer (`-f`)
    PerfAnalyzer,
    /// JSON of `vllm bench serve --save-result`
    VllmBench,
    /// JSON of genai-perf or AIPerf
    GenaiPerf,
    /// A stage report of inference-perf
    InferencePerf,
    /// JSON of guidellm
    Guidellm,
    /// `prediction.json` of AISimulate
    Aisimulate,
    /// A CSV table, a load test in each row
    Table,
}

/// `scalelab calibrate presets`.
#[derive(Debug, Args)]
pub struct CalibratePresets {
    /// Only those whose name matches
    #[arg(long = "match", value_name = "REGEX")]
    pub pattern: Option<String>,
    /// How to print them: table, json or csv
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// `scalelab init`.
#[derive(Debug, Args)]
pub struct Init {
    /// Your manifests, a file, a folder or `-` for standard input; may be given several times. Without any, the scenario describes a pod
    /// itself
    #[arg(long, value_name = "PATH")]
    pub manifests: Vec<PathBuf>,
    /// The workload that is the service, where there are several: `NAME`, `KIND/NAME` or `NAMESPACE/KIND/NAME`; given several times, each is
    /// a service on the same nodes [default: all that ask for accelerators, or the likeliest]
    #[arg(long, value_name = "NAME")]
    pub workload: Vec<String>,
    /// Read the manifests as if these were not there: `KIND`, `KIND/NAME` or `GROUP/KIND`; may be given several times
    #[arg(long, value_name = "KIND")]
    pub ignore: Vec<String>,
    /// Your traffic: a trace in a known format, or a CSV of times and rates or counts
    #[arg(long, value_name = "FILE")]
    pub traffic: Option<PathBuf>,
    /// The scenario to make.
    #[command(flatten)]
    pub making: MakingArgs,
}
