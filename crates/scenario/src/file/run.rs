//! Calendar and service level objective.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::quantity::{Amount, Share, Time};

/// `run`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct RunFile {
    /// Local date, or date and time, at which the run starts; weekdays, schedules and cron triggers count from it.
    pub start: String,
    /// IANA name of the zone `start` and schedules are in.
    pub time_zone: String,
    /// How long it lasts.
    pub duration: Time,
    /// Stretch at the start that is simulated and left out of the statistics.
    pub warm_up: Time,
    /// Seed of all dice.
    pub seed: u64,
    /// How often each policy is run, each time with other dice.
    pub replications: u32,
    /// Length of one row of the timeline.
    pub timeline_step: Time,
    /// What ran before the start. `auto`: if some policy reads metrics, the replicas of the start have been serving the same traffic for
    /// as long as its queries and controllers look back, so that Prometheus is not empty at the start and nothing that came before it is
    /// counted. `none`: a fresh installation, everything is empty. Or how long, such as `20m`.
    pub prehistory: PrehistoryFile,
}

/// `prehistory`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum PrehistoryFile {
    /// As long as the metrics need, if any are read.
    #[default]
    Auto,
    /// Nothing.
    None,
    /// So long.
    For(Time),
}

impl Amount for PrehistoryFile {
    const NAME: &'static str = "Prehistory";
    const EXPECTED: &'static str = "`auto`, `none` or a duration with its unit such as `20m`";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "none" => Some(Self::None),
            _ => Time::parse(text).map(Self::For),
        }
    }
}

impl Default for RunFile {
    fn default() -> Self {
        Self {
            start: "2026-01-05T00:00:00".to_owned(),
            time_zone: "UTC".to_owned(),
            duration: Time(86_400.0),
            warm_up: Time(0.0),
            seed: 1,
            replications: 1,
            timeline_step: Time(60.0),
            prehistory: PrehistoryFile::Auto,
        }
    }
}

/// `slo`: an answer meets it if it is within every threshold given.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct SloFile {
    /// From arrival to answer.
    pub latency: Option<Time>,
    /// From arrival to first token.
    pub ttft: Option<Time>,
    /// Mean time per output token after the first.
    pub tpot: Option<Time>,
    /// From the arrival at the first service of a chain of calls (`traffic.from`) to the answer of this one.
    pub end_to_end: Option<Time>,
    /// Share of requests that shall meet it.
    pub objective: Share,
}

impl Default for SloFile {
    fn default() -> Self {
        Self { latency: None, ttft: None, tpot: None, end_to_end: None, objective: Share(0.99) }
    }
}
