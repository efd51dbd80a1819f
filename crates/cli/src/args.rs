//! Every option, once.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Replay HPA, KEDA, warm-pool and predictive autoscaling over the same GPU-inference traffic; compare SLO misses with dollars.
#[derive(Debug, Parser)]
#[command(name = "scalelab", version, propagate_version = true, max_term_width = 120)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run every policy of a scenario over the same requests and compare them
    Run(Run),
    /// Say why a controller did, or did not, scale
    Explain(Explain),
    /// Write a run's HTML report anew
    Report(Report),
    /// Print the JSON schema of a Scenario document
    Schema,
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
    /// Replications per policy [default: the scenario's]
    #[arg(long, value_name = "N", conflicts_with = "precision")]
    pub replications: Option<NonZeroU32>,
    /// Add replications until 95 % intervals of cost and SLO misses are this narrow, relative to their estimates
    #[arg(long, value_name = "REL")]
    pub precision: Option<f64>,
    /// Seed [default: the scenario's]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Threads [default: all cores]
    #[arg(long)]
    pub jobs: Option<NonZeroUsize>,
    /// Folder for tables and plots [default: results/<scenario>]
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Also write one row per request (large)
    #[arg(long)]
    pub save_requests: bool,
    /// How to print the comparison
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Print nothing but errors
    #[arg(long)]
    pub quiet: bool,
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

/// `scalelab explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// A folder written by `scalelab run`
    pub dir: PathBuf,
    /// Which policy
    #[arg(long, value_name = "NAME")]
    pub policy: String,
    /// When: `09:14`, `09:14:30`, `1d 02:00`, `33240s` from the start of the run
    #[arg(long, value_name = "TIME", required_unless_present = "watch")]
    pub at: Option<String>,
    /// List when the replicas asked for by this metric changed
    #[arg(long, value_name = "METRIC")]
    pub watch: Option<String>,
}

/// `scalelab report`.
#[derive(Debug, Args)]
pub struct Report {
    /// A folder written by `scalelab run`
    pub dir: PathBuf,
    /// Where to write it [default: DIR/report.html]
    #[arg(short, long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,
}
