//! Calendar and service level objective.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::quantity::{Share, Time};

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
    /// Share of requests that shall meet it.
    pub objective: Share,
}

impl Default for SloFile {
    fn default() -> Self {
        Self { latency: None, ttft: None, tpot: None, objective: Share(0.99) }
    }
}
