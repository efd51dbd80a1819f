//! Every option, once.

mod data;
mod examples;
mod live;

pub use data::*;
pub use examples::parse;
pub use live::*;

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use traces::TraceCache;

/// Replay HPA, KEDA, warm-pool and predictive autoscaling over the same GPU-inference traffic; compare SLO misses with dollars.
#[derive(Debug, Parser)]
#[command(name = "scalelab", version, propagate_version = true, max_term_width = 120)]
pub struct Cli {
    /// Parse traces anew and leave no parsed copy of them
    #[arg(long, global = true, help_heading = "Parsed traces")]
    pub no_cache: bool,
    /// Keep parsed copies of traces in this folder instead of beside each trace
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        env = "SCALELAB_CACHE_DIR",
        hide_env_values = true,
        help_heading = "Parsed traces"
    )]
    pub cache_dir: Option<PathBuf>,
    /// Let policies start the programs that a scenario names (`exec`). Only for scenarios you trust as you trust those programs
    #[arg(long, global = true, help_heading = "Policies of your own")]
    pub allow_exec: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Where parsed copies of traces are kept.
    pub fn trace_cache(&self) -> TraceCache {
        match &self.cache_dir {
            _ if self.no_cache => TraceCache::Off,
            Some(folder) if !folder.as_os_str().is_empty() => TraceCache::Folder(folder.clone()),
            _ => TraceCache::Beside,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run every policy of a scenario over the same requests and compare them
    Run(Run),
    /// Hold a scenario against its gates: exit code 0 if all hold, 1 if one does not
    Check(Check),
    /// Hold scenarios against what was measured of the real runs they stand for: exit code 0 if all is inside, 1 if not
    Validate(Validate),
    /// Compare two result folders and say which differences are more than chance
    Diff(Diff),
    /// Run a scenario at every point of a sweep
    Sweep(Sweep),
    /// Put the shards of a sweep together
    Merge(Merge),
    /// Find the cheapest settings that meet the SLO, or the value at which it breaks
    Optimize(Optimize),
    /// Say which inputs matter for a figure
    Sensitivity(Sensitivity),
    /// Say why a controller did, or did not, scale
    Explain(Explain),
    /// Say what each policy would ask for now, and why, out of a running cluster's Prometheus; nothing is written to the cluster
    Advise(Advise),
    /// List the metrics of a scenario: their labels, what they show, and who reads them
    Metrics(Metrics),
    /// Write a run's or a sweep's HTML report anew
    Report(Report),
    /// Look at request traces, convert them, make one up, describe one by a generator
    #[command(subcommand)]
    Trace(Trace),
    /// What GPU instances cost: a dated catalog with its sources
    #[command(subcommand)]
    Prices(Prices),
    /// Turn measurements into settings: cold starts, spot interruptions, service times
    #[command(subcommand)]
    Calibrate(Calibrate),
    /// Write a page in which the settings of a scenario can be moved, with the engine inside
    Lab(Lab),
    /// Make a scenario to start from, around your manifests and traffic
    Init(Init),
    /// Make a scenario of what really was: from a Prometheus, or from what kubectl prints
    #[command(subcommand)]
    Import(Import),
    /// Run random worlds and look whether what must hold holds
    Fuzz(Fuzz),
    /// Print the JSON schema of a Scenario document
    Schema {
        /// Of a Measured document instead
        #[arg(long, conflicts_with = "advice")]
        measured: bool,
        /// Of what `advise --format json` prints instead
        #[arg(long)]
        advice: bool,
    },
    /// Print a completion script
    Completions {
        /// For this shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Which scenario, and what to change in it.
#[derive(Debug, Args)]
pub struct ScenarioArgs {
    /// Files or folders with one Scenario and its manifests, as `kubectl -f` takes them; `-` is standard input. Without any, the
    /// built-in triton-day scenario
    pub scenario: Vec<PathBuf>,
    /// Change a value, e.g. `run.duration=2h` or `policies.hpa.spec.maxReplicas=40`; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// How manifests are read.
    #[command(flatten)]
    pub reading: ReadingArgs,
}

/// How manifests are read and what is said of them.
#[derive(Clone, Copy, Debug, Args)]
pub struct ReadingArgs {
    /// Read manifests as they are, without the patches of the kustomization beside them
    #[arg(long, help_heading = "Manifests")]
    pub plain: bool,
    /// List the fields and documents that have no effect, instead of their number
    #[arg(short, long, help_heading = "Manifests")]
    pub verbose: bool,
}

/// `scalelab lab`.
#[derive(Debug, Args)]
pub struct Lab {
    /// What to play with
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// The page to write
    #[arg(short, long, value_name = "FILE", default_value = "lab.html")]
    pub out: PathBuf,
    /// The engine as WebAssembly; by default that of this program, or `scalelab-lab.wasm` beside it. `scripts/build-lab.sh` builds it
    #[arg(long, value_name = "FILE")]
    pub module: Option<PathBuf>,
}

/// `scalelab metrics`.
#[derive(Debug, Args)]
pub struct Metrics {
    /// What to list
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Only what this policy reads counts as used
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Only names that this regular expression is found in
    #[arg(long = "match", value_name = "REGEX")]
    pub name: Option<String>,
    /// Only what no query reads
    #[arg(long)]
    pub unused: bool,
    /// What never changes and what is not modelled too, with the reason
    #[arg(long)]
    pub all: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// How often each policy is run.
#[derive(Debug, Args)]
pub struct EffortArgs {
    /// Replications per policy [default: the scenario's]
    #[arg(long, value_name = "N", conflicts_with = "precision")]
    pub replications: Option<NonZeroU32>,
    /// Add replications until the half-widths of the 95 % intervals of cost and of SLO misses are at most this share of their estimates (rarer misses
    /// than the objective allows are held against what it allows)
    #[arg(long, value_name = "REL")]
    pub precision: Option<f64>,
}

/// How a command works through its runs.
#[derive(Debug, Args)]
pub struct WorkArgs {
    /// Seed [default: the scenario's]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Threads [default: all cores]
    #[arg(long, value_parser = jobs)]
    pub jobs: Option<NonZeroUsize>,
    /// Print nothing but errors
    #[arg(long)]
    pub quiet: bool,
}

/// `scalelab run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The scenario.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Repeat a run from its run.json instead: same inputs, same seeds
    #[arg(long, value_name = "RUN.JSON", conflicts_with_all = ["scenario", "set"])]
    pub from: Option<PathBuf>,
    /// Only this policy; may be given several times
    #[arg(long, value_name = "NAME")]
    pub policy: Vec<String>,
    /// How often.
    #[command(flatten)]
    pub effort: EffortArgs,
    /// Leave the beginning out of the statistics: a time such as `10m`, or `auto`: what MSER-5 finds in a pilot run, for loads that
    /// become steady [default: the scenario's]
    #[arg(long, value_name = "TIME|auto", conflicts_with = "from")]
    pub warm_up: Option<String>,
    /// Folder for tables and plots [default: results/SCENARIO]
    #[arg(short, long, value_name = "DIR", value_parser = folder())]
    pub out: Option<PathBuf>,
    /// Open the page in the browser when it is written
    #[arg(long)]
    pub open: bool,
    /// Also write one row per request (large)
    #[arg(long)]
    pub save_requests: bool,
    /// How to print the comparison
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// How it is worked through.
    #[command(flatten)]
    pub work: WorkArgs,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For pull requests.
    Markdown,
    /// For spreadsheets.
    Csv,
}

/// `scalelab check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The scenario.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Only this policy; may be given several times
    #[arg(long, value_name = "NAME")]
    pub policy: Vec<String>,
    /// A gate besides the scenario's, such as `slo_attainment >= 0.99 at 95 %`, `hpa: cost_usd <= baseline * 1.05` or, of a service, `chat: p99 <= 2s`; may be given
    /// several times
    #[arg(long, value_name = "EXPR")]
    pub gate: Vec<String>,
    /// A folder written by `scalelab run` that gates with `baseline` compare with
    #[arg(long, value_name = "DIR")]
    pub baseline: Option<PathBuf>,
    /// Write JUnit XML, for the CI server's test report
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write Markdown, for a comment on the pull request
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Narrow intervals by what is known of the number of requests (Poisson traffic, five replications or more)
    #[arg(long)]
    pub control_variates: bool,
    /// What an interval that contains the bound does to the check
    #[arg(long, value_enum, default_value_t = Undecided::Fail)]
    pub undecided: Undecided,
    /// How often.
    #[command(flatten)]
    pub effort: EffortArgs,
    /// How it is worked through.
    #[command(flatten)]
    pub work: WorkArgs,
}

/// `scalelab validate`.
#[derive(Debug, Args)]
pub struct Validate {
    /// Files or folders, each with one Scenario, its manifests and one Measured document
    #[arg(required = true, value_name = "FOLDER")]
    pub scenario: Vec<PathBuf>,
    /// Change a value of every scenario, e.g. `metrics.scrapeInterval=10s`; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// How manifests are read.
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Runs with different seeds [default: the Measured document's, 20]
    #[arg(long, value_name = "N")]
    pub replications: Option<NonZeroU32>,
    /// Only the scenario as it is, not what is not known of the real run
    #[arg(long)]
    pub no_sweep: bool,
    /// Write Markdown
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write JSON, with the figures of every seed
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// How it is worked through.
    #[command(flatten)]
    pub work: WorkArgs,
}

/// What an undecided gate does to the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Undecided {
    /// It fails it.
    Fail,
    /// It is reported and passes.
    Pass,
}

/// `scalelab diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// The folder of the run before
    pub before: PathBuf,
    /// The folder of the run after
    pub after: PathBuf,
    /// Compare this column of the summary instead of the usual ones; may be given several times
    #[arg(long, value_name = "NAME")]
    pub column: Vec<String>,
    /// How to print the differences
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// `scalelab sweep`.
#[derive(Debug, Args)]
pub struct Sweep {
    /// A file with a Sweep document; `-` is standard input
    #[arg(value_name = "SWEEP")]
    pub file: PathBuf,
    /// Change a value of the scenario at every point; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Folder for journal, tables and plots; with --emit-job the file of the manifests [default there: standard output]
    #[arg(short, long, value_name = "DIR", value_parser = folder(), required_unless_present = "emit_job")]
    pub out: Option<PathBuf>,
    /// Only every N-th point, beginning with the I-th: one machine's share. `job/N` takes the share of a pod of a Kubernetes Indexed Job, from
    /// its JOB_COMPLETION_INDEX, which counts from 0
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,
    /// Go on with what the folder has
    #[arg(long)]
    pub resume: bool,
    /// Write the Kubernetes manifests that work through the sweep in shards and merge them, instead of running it: image=IMAGE shards=N
    /// volume=CLAIM or bucket=ADDRESS, and others, see the guide
    #[arg(long, value_name = "KEY=VALUE", num_args = 1.., conflicts_with_all = ["shard", "resume", "dry_run"])]
    pub emit_job: Option<Vec<String>>,
    /// Print the plan and how long it will take, and stop
    #[arg(long)]
    pub dry_run: bool,
    /// Threads [default: all cores]
    #[arg(long, value_parser = jobs)]
    pub jobs: Option<NonZeroUsize>,
    /// Print nothing but errors
    #[arg(long)]
    pub quiet: bool,
}

/// `scalelab merge`.
#[derive(Debug, Args)]
pub struct Merge {
    /// Folders written by `scalelab sweep --shard`
    #[arg(required = true, value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// Folder for the whole sweep
    #[arg(short, long, value_name = "DIR", value_parser = folder())]
    pub out: PathBuf,
}

/// `scalelab optimize`.
#[derive(Debug, Args)]
pub struct Optimize {
    /// The scenario.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// The column of the summary to make small
    #[arg(long, value_name = "COLUMN", default_value = "cost_usd")]
    pub minimize: String,
    /// A condition that must hold, such as `slo_attainment >= 0.99`; may be given several times [default: the scenario's gates]
    #[arg(long, value_name = "CONDITION")]
    pub subject_to: Vec<String>,
    /// What may change and how far: `PATH=FROM..TO`, `PATH=log:FROM..TO` or `PATH=WORD|WORD`; may be given several times
    #[arg(long, value_name = "PATH=RANGE", num_args = 1.., required_unless_present = "cliff")]
    pub over: Vec<String>,
    /// Find the largest value in this range at which the conditions still hold, instead
    #[arg(long, value_name = "PATH=RANGE", conflicts_with_all = ["over", "runs"])]
    pub cliff: Option<String>,
    /// The policy to tune [default: the one that the paths name, or the only one]
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Runs the search may take, confirmation not counted
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub runs: usize,
    /// Replications of a candidate that goes all the way, and of the confirmation [default: the scenario's, at least 5]
    #[arg(long, value_name = "N")]
    pub replications: Option<NonZeroU32>,
    /// Folder for the table of everything tried (`tried.csv`), its plot (`front.svg`, `front.png`) and its page (`report.html`)
    #[arg(short, long, value_name = "DIR", value_parser = folder())]
    pub out: Option<PathBuf>,
    /// How it is worked through.
    #[command(flatten)]
    pub work: WorkArgs,
}

/// `scalelab sensitivity`.
#[derive(Debug, Args)]
pub struct Sensitivity {
    /// The scenario.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// An input and its range: `PATH=FROM..TO`, `PATH=log:FROM..TO` or `PATH=WORD|WORD`; may be given several times
    #[arg(long, value_name = "PATH=RANGE", num_args = 1.., required = true)]
    pub over: Vec<String>,
    /// The column of the summary that is looked at
    #[arg(long, value_name = "COLUMN", default_value = "cost_usd")]
    pub of: String,
    /// Sobol indices over all inputs at once instead of one input at a time
    #[arg(long)]
    pub sobol: bool,
    /// Base points of the Sobol design; it takes POINTS (inputs + 2) runs per replication
    #[arg(long, value_name = "POINTS", default_value_t = 64, requires = "sobol", value_parser = base_points)]
    pub points: usize,
    /// The policy to look at [default: the one that the paths name, or the only one]
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Replications of each point [default: the scenario's]
    #[arg(long, value_name = "N")]
    pub replications: Option<NonZeroU32>,
    /// Folder for the table
    #[arg(short, long, value_name = "DIR", value_parser = folder())]
    pub out: Option<PathBuf>,
    /// How it is worked through.
    #[command(flatten)]
    pub work: WorkArgs,
}

/// `scalelab fuzz`.
#[derive(Debug, Args)]
pub struct Fuzz {
    /// How many worlds [default: 20]
    #[arg(long, value_name = "N", conflicts_with = "time")]
    pub worlds: Option<u32>,
    /// How long instead: `90s`, `10m`, `1h`
    #[arg(long = "for", value_name = "TIME", value_parser = fuzz_time)]
    pub time: Option<std::time::Duration>,
    /// Which worlds: the same seed makes the same ones
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,
    /// One world by its number, in this process
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["worlds", "time"])]
    pub world: Option<u32>,
    /// Folder for the scenario of each world in which something does not hold
    #[arg(short, long, value_name = "DIR", default_value = ".", value_parser = folder())]
    pub out: PathBuf,
}

/// A whole number of seconds, minutes or hours.
fn fuzz_time(text: &str) -> Result<std::time::Duration, String> {
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        _ => return Err("expected a time such as 90s, 10m or 1h".to_owned()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| "expected a time such as 90s, 10m or 1h")?;
    let seconds = count.checked_mul(unit).filter(|seconds| (1..=864_000).contains(seconds));
    seconds.map(std::time::Duration::from_secs).ok_or_else(|| "1s to 240h".to_owned())
}

/// `scalelab explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// A folder written by `scalelab run`
    pub dir: PathBuf,
    /// Which policy
    #[arg(long, value_name = "NAME")]
    pub policy: String,
    /// Which service, where there are several
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// When, on the clock of the run: `09:14`, `09:14:30`, `2026-03-17 09:14`, `1d 09:14` (the day after the first); since its start: `+90m`, `5400s`
    #[arg(long, value_name = "TIME", required_unless_present = "watch")]
    pub at: Option<String>,
    /// List when the replicas asked for by this metric changed
    #[arg(long, value_name = "METRIC")]
    pub watch: Option<String>,
}

/// `scalelab report`.
#[derive(Debug, Args)]
pub struct Report {
    /// A folder written by `scalelab run` or `scalelab sweep`
    pub dir: PathBuf,
    /// Where to write it [default: DIR/report.html]
    #[arg(short, long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,
}

/// Base points of a design that is held in memory.
fn base_points(text: &str) -> Result<usize, String> {
    const POINTS_MAX: usize = 1_000_000;
    match text.parse() {
        Ok(points) if (1..=POINTS_MAX).contains(&points) => Ok(points),
        _ => Err(format!("a whole number from 1 to {POINTS_MAX} is needed")),
    }
}

/// A folder that will hold several files, which standard output cannot.
fn folder() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        if path.as_os_str() == "-" {
            return Err(
                "`-` is standard output, and this is a folder of files; name one (what is printed goes to standard output \
                 anyway, `--format json` where there is one)",
            );
        }
        Ok(path)
    })
}

/// A number of threads that a machine may have: each takes memory of its own.
fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    const JOBS_MAX: usize = 1_024;
    let jobs: NonZeroUsize = text.parse().map_err(|_| "a whole number from 1 on is needed".to_owned())?;
    if jobs.get() > JOBS_MAX { Err(format!("at most {JOBS_MAX} threads")) } else { Ok(jobs) }
}
