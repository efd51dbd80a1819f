//! Options of the commands that ask a running cluster.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use scenario::{Amount, Time};

/// `scalelab import`.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one a process")]
pub enum Import {
    /// Record a service's past out of a Prometheus: traffic, replicas, cold starts, and a scenario that replays them
    Prometheus(ImportPrometheus),
    /// Make a scenario of what `kubectl get … -o json` prints: objects are manifests, pods and events say how pods started
    Kubectl(ImportKubectl),
}

/// How to reach a Prometheus.
#[derive(Debug, Args)]
pub struct ConnectionArgs {
    /// Where Prometheus (or Thanos, Mimir, VictoriaMetrics) serves its API, up to and without `/api/v1`
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// File whose content is sent as a bearer token
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub token_file: Option<PathBuf>,
    /// PEM file of the certificates to trust, in place of the public ones
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub ca_file: Option<PathBuf>,
    /// How long one question may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = length, help_heading = "Connection")]
    pub timeout: Duration,
    /// How often a question is asked again after a failure that may pass
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=20), help_heading = "Connection")]
    pub retries: u32,
}

/// Which series are the service's.
#[derive(Debug, Args)]
pub struct ServiceArgs {
    /// Name of the Deployment or StatefulSet [default: the only one there is]
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Its namespace [default: the only one it is in]
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Which series of requests and latencies are the service's, as PromQL writes it, such as 'route="chat"'; may be given several times
    /// [default: by the names of its pods]
    #[arg(long = "match", value_name = "MATCHER", value_parser = matcher)]
    pub matchers: Vec<String>,
    /// The counter of requests [default: the first of those of vLLM, Triton, TGI, SGLang and HTTP libraries that is there]
    #[arg(long, value_name = "METRIC", value_parser = metric)]
    pub requests: Option<String>,
}

/// `scalelab import prometheus`.
#[derive(Debug, Args)]
pub struct ImportPrometheus {
    /// Where it is.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Whose past.
    #[command(flatten)]
    pub service: ServiceArgs,
    /// From when on: an instant (2026-03-01T00:00:00Z), or how long before the end
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub since: String,
    /// Until when: an instant [default: now]
    #[arg(long, value_name = "INSTANT")]
    pub until: Option<String>,
    /// Length of a row
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = length)]
    pub step: Duration,
    /// How much is asked for at once
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = length)]
    pub chunk: Duration,
    /// Your manifests, as `init` takes them; without any, the scenario describes a pod itself
    #[arg(long, value_name = "PATH")]
    pub manifests: Vec<PathBuf>,
    /// The scenario to make. An import that was interrupted goes on in its folder.
    #[command(flatten)]
    pub making: MakingArgs,
}

/// `scalelab import kubectl`.
#[derive(Debug, Args)]
pub struct ImportKubectl {
    /// Output of `kubectl get deploy,hpa,scaledobject,pdb,nodepool,pods,events,nodes -o json`, in one file or several; `-` is standard input
    #[arg(required_unless_present = "run", conflicts_with = "run", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Run kubectl itself, which must be on PATH: `api-resources` and `get`, nothing that writes
    #[arg(long)]
    pub run: bool,
    /// What kubectl is told.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// The workload that is the service, as for `init`
    #[arg(long, value_name = "NAME")]
    pub workload: Option<String>,
    /// Your traffic, as for `init`
    #[arg(long, value_name = "FILE")]
    pub traffic: Option<PathBuf>,
    /// The scenario to make.
    #[command(flatten)]
    pub making: MakingArgs,
}

/// Which cluster kubectl is to look at, and how far.
#[derive(Debug, Args)]
pub struct ClusterArgs {
    /// Namespace to read [default: that of the context]
    #[arg(short, long, value_name = "NAME", requires = "run", help_heading = "With --run")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME", requires = "run", help_heading = "With --run")]
    pub context: Option<String>,
    /// The kubeconfig [default: kubectl's]
    #[arg(long, value_name = "FILE", requires = "run", help_heading = "With --run")]
    pub kubeconfig: Option<PathBuf>,
    /// Resources to read besides, such as `configmaps`, in which variables of containers or the adapter's rules may stand; may be given
    /// several times
    #[arg(long, value_name = "RESOURCE", requires = "run", help_heading = "With --run")]
    pub also: Vec<String>,
    /// How long one kubectl may take
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = length, help_heading = "With --run")]
    pub timeout: Duration,
}

/// What `init` and the imports have in common: the scenario that they make.
#[derive(Clone, Debug, Args)]
pub struct MakingArgs {
    /// The model that is served, such as Llama-3.1-8B-Instruct: picks the preset of how fast it is on the GPU [default: the one the
    /// workload's command line names]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Folder to make; it must not exist yet, but for an `import prometheus` that was interrupted and goes on there
    #[arg(short, long, value_name = "SCENARIO", value_parser = super::folder())]
    pub out: PathBuf,
    /// How manifests are read.
    #[command(flatten)]
    pub reading: super::ReadingArgs,
}

/// `scalelab advise`.
#[derive(Debug, Args)]
pub struct Advise {
    /// Whose policies.
    #[command(flatten)]
    pub scenario: super::ScenarioArgs,
    /// Where the cluster's Prometheus is.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Only this policy; may be given several times
    #[arg(long, value_name = "NAME")]
    pub policy: Vec<String>,
    /// Only this service of the scenario
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Name of the service's Deployment or StatefulSet in the cluster [default: that of the scenario]
    #[arg(long, value_name = "NAME")]
    pub workload: Option<String>,
    /// Its namespace [default: the only one it is in]
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// For policies that look at past days: which series of requests are the service's, as for `import prometheus`
    #[arg(long = "match", value_name = "MATCHER", value_parser = matcher)]
    pub matchers: Vec<String>,
    /// For policies that look at past days: the counter of requests, as for `import prometheus`
    #[arg(long, value_name = "METRIC", value_parser = metric)]
    pub requests: Option<String>,
    /// At an instant of the past (2026-03-01T09:14:00Z) in place of now
    #[arg(long, value_name = "INSTANT", conflicts_with = "watch")]
    pub at: Option<String>,
    /// How far back controllers are shown what was [default: as far as any of them remembers]
    #[arg(long, value_name = "TIME", value_parser = length)]
    pub since: Option<Duration>,
    /// Text for people, JSON, or Prometheus' text format
    #[arg(long, value_enum, default_value_t = AdviceFormat::Text)]
    pub format: AdviceFormat,
    /// Again and again, this often, until it is stopped
    #[arg(long, value_name = "TIME", value_parser = length)]
    pub watch: Option<Duration>,
    /// Write it to this file, whole each time, in place of standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,
}

/// How advice is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AdviceFormat {
    /// A table, and each controller's last pass as `explain` tells it
    Text,
    /// One object
    Json,
    /// Samples for a scrape or a textfile collector
    Prometheus,
}

/// A length of time of a millisecond or more, such as `15s`.
fn length(text: &str) -> Result<Duration, String> {
    const LONGEST_S: f64 = 366.0 * 86_400.0;
    let time = Time::parse(text).map(|time| time.0).filter(|seconds| (1e-3..=LONGEST_S).contains(seconds));
    time.map(Duration::from_secs_f64).ok_or_else(|| "a time such as 15s, 5m or 2h is needed".to_owned())
}

/// One matcher of PromQL: a label, how it is compared, a quoted text.
fn matcher(text: &str) -> Result<String, String> {
    let text = text.trim();
    let name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let label = text.trim_start_matches(name);
    let value = ["=~", "!~", "!=", "="].iter().find_map(|operator| label.strip_prefix(operator)).map(str::trim);
    let is_quoted = |value: &str| value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
    let is_one = label.len() < text.len() && value.is_some_and(is_quoted);
    is_one.then(|| text.to_owned()).ok_or_else(|| {
        "a label, one of = != =~ !~, and a text in double quotes are needed, such as 'route=\"chat\"'".to_owned()
    })
}

/// The name of a metric, and nothing else.
fn metric(text: &str) -> Result<String, String> {
    let is_name =
        !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_:".contains(letter));
    is_name
        .then(|| text.to_owned())
        .ok_or_else(|| "the name of a metric is needed, without braces; --match says which of its series".to_owned())
}
