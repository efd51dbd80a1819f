//! What can be measured of a run, by name.

use crate::columns::{COLUMNS, Column, Unit};

/// Quantities that are no columns of the summary, with what each is.
pub const EXTRA_QUANTITIES: &[(&str, &str)] = &[
    ("replicas_min", "fewest ready replicas"),
    ("replicas_final", "ready replicas at the end"),
    ("replica_transitions", "times at which the number of ready replicas, or of wanted ones, changed"),
    ("time_to_replicas_s", "time from the start until `replicas` are ready for the first time"),
    ("replicas_held", "share of the time since then with that many ready, or more"),
    ("throughput_rps", "answers per second, from the first arrival to the last answer"),
    ("output_tokens_per_s", "output tokens per second, likewise"),
];

/// Columns that windows have too.
pub(super) const OF_WINDOWS: &[&str] = &[
    "requests",
    "completed",
    "failed",
    "in_system",
    "rejected",
    "timed_out",
    "requests_lost",
    "slo_attainment",
    "latency_ms_mean",
    "latency_ms_p50",
    "latency_ms_p90",
    "latency_ms_p95",
    "latency_ms_p99",
    "latency_ms_p999",
    "latency_ms_max",
    "ttft_ms_mean",
    "ttft_ms_p50",
    "ttft_ms_p90",
    "ttft_ms_p95",
    "ttft_ms_p99",
    "tpot_ms_mean",
    "tpot_ms_p50",
    "tpot_ms_p90",
    "tpot_ms_p95",
    "tpot_ms_p99",
    "prompt_tokens",
    "output_tokens",
    "replicas_mean",
    "replicas_max",
    "replica_changes",
];

/// A quantity.
#[derive(Clone, Copy, Debug)]
pub enum Quantity {
    /// A column of the summary.
    Column(&'static Column),
    /// Fewest ready replicas.
    ReplicasMin,
    /// Ready replicas at the end.
    ReplicasFinal,
    /// Changes of the number of ready or of wanted replicas.
    Transitions,
    /// Time until so many replicas are ready.
    TimeTo(u32),
    /// Share of the time since then with that many.
    Held(u32),
    /// Answers per second.
    Throughput,
    /// Output tokens per second.
    TokenThroughput,
}

impl Quantity {
    /// The quantity of that name, about so many replicas. `None` if there is none, or if it needs their number and has none.
    pub fn named(name: &str, replicas: Option<u32>) -> Option<Self> {
        Some(match name {
            "replicas_min" => Self::ReplicasMin,
            "replicas_final" => Self::ReplicasFinal,
            "replica_transitions" => Self::Transitions,
            "time_to_replicas_s" => Self::TimeTo(replicas?),
            "replicas_held" => Self::Held(replicas?),
            "throughput_rps" => Self::Throughput,
            "output_tokens_per_s" => Self::TokenThroughput,
            name => Self::Column(Column::named(name)?),
        })
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        COLUMNS.iter().map(|column| column.name).chain(EXTRA_QUANTITIES.iter().map(|extra| extra.0))
    }

    /// The names of those that windows have.
    pub fn names_of_windows() -> impl Iterator<Item = &'static str> {
        OF_WINDOWS.iter().copied().chain(EXTRA_QUANTITIES.iter().map(|extra| extra.0))
    }

    /// Whether the quantity of that name is about a number of replicas.
    pub fn is_about_replicas(name: &str) -> bool {
        matches!(name, "time_to_replicas_s" | "replicas_held")
    }

    /// Whether windows have it.
    pub fn is_of_windows(&self) -> bool {
        match self {
            Self::Column(column) => OF_WINDOWS.contains(&column.name),
            _ => true,
        }
    }

    /// Its name, with the number of replicas it is about.
    pub fn title(&self) -> String {
        match self {
            Self::Column(column) => column.name.to_owned(),
            Self::ReplicasMin => "replicas_min".to_owned(),
            Self::ReplicasFinal => "replicas_final".to_owned(),
            Self::Transitions => "replica_transitions".to_owned(),
            Self::TimeTo(replicas) => format!("time_to_replicas_s ({replicas})"),
            Self::Held(replicas) => format!("replicas_held ({replicas})"),
            Self::Throughput => "throughput_rps".to_owned(),
            Self::TokenThroughput => "output_tokens_per_s".to_owned(),
        }
    }

    /// The unit of its figures.
    pub fn unit(&self) -> Unit {
        match self {
            Self::Column(column) => column.unit,
            Self::TimeTo(_) => Unit::Seconds,
            Self::Held(_) => Unit::Share,
            Self::ReplicasMin | Self::ReplicasFinal | Self::Transitions | Self::Throughput | Self::TokenThroughput => {
                Unit::Count
            }
        }
    }

    /// Whether it is made of single requests, which a run keeps only when asked to.
    pub(super) fn needs_requests(&self, is_of_window: bool) -> bool {
        match self {
            Self::Column(column) => is_of_window && !column.name.starts_with("replica"),
            Self::Throughput | Self::TokenThroughput => true,
            _ => false,
        }
    }
}
