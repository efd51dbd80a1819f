//! A recording that a scenario replays, and what it tells of how a replica serves.

use super::starter::quoted;

/// How a replica serves, as its own metrics tell.
#[derive(Clone, Debug)]
pub struct Serving {
    /// The server.
    pub engine: scenario::Engine,
    /// How the names of its metrics begin.
    pub prefix: &'static str,
    /// The name under which the model is served, if there is one.
    pub model: Option<String>,
    /// Keys of `continuousBatching`, their values, and where each is from.
    pub told: Vec<(&'static str, String, String)>,
    /// The most requests that were in service at once in an engine: `sequencesMax` is no less.
    pub running: Option<u32>,
    /// Value of `nvidia.com/gpu.product`, and GPUs of a pod.
    pub gpus: Option<(String, u32)>,
    /// What was seen of how it served, to hold a run against.
    pub seen: Vec<String>,
}

impl Serving {
    /// `text`, the guess of a model, with what was told in the place of it or below it.
    pub fn as_told(&self, text: &str) -> String {
        let mut told = self.told.clone();
        let value =
            |key: &str| text.lines().find_map(|line| line.trim_start().strip_prefix(key)?.trim().parse::<u32>().ok());
        if let Some(running) =
            self.running.filter(|running| value("sequencesMax:").is_some_and(|guess| guess < *running))
        {
            told.push((
                "sequencesMax",
                running.to_string(),
                "so many were in service at once; GUESS: that it is no more".to_owned(),
            ));
        }
        let key = |line: &str| line.strip_prefix("        ")?.split_once(':').map(|(key, _)| key.to_owned());
        let line = |(name, value, source): &(&str, String, String)| format!("        {name}: {value} # {source}\n");
        let lines =
            text.lines().map(|text| match told.iter().find(|(name, ..)| key(text).is_some_and(|key| key == *name)) {
                Some(one) => line(one),
                None => format!("{text}\n"),
            });
        let seen = self.seen.iter().map(|seen| format!("    # Seen: {seen}\n"));
        let missing =
            told.iter().filter(|(name, ..)| !text.lines().any(|line| key(line).is_some_and(|key| key == *name)));
        seen.chain(lines).chain(missing.map(line)).collect()
    }

    /// Keys that were measured, in words.
    pub fn measured(&self) -> String {
        let told: Vec<&str> = self.told.iter().map(|(name, ..)| *name).collect();
        if told.is_empty() { "nothing of it".to_owned() } else { told.join(", ") }
    }

    /// Keys of the guess that neither the metrics nor the flags (which made the second text of the first) told.
    pub fn guessed(&self, (guess, with_flags): (&str, &str)) -> Vec<String> {
        let key = |line: &str| line.strip_prefix("        ")?.split_once(':').map(|(key, _)| key.to_owned());
        let same = guess.lines().filter(|line| with_flags.lines().any(|other| other == *line));
        same.filter_map(key).filter(|key| !self.told.iter().any(|(name, ..)| key == name)).collect()
    }
}

/// A recording that the scenario replays.
#[derive(Clone, Debug)]
pub struct Recording {
    /// What it is of, in a line.
    pub title: String,
    /// Start of the run, in UTC.
    pub start: String,
    /// Length of the run, in seconds.
    pub length_s: i64,
    /// From the first row to the start of the run, in seconds: history.
    pub start_at_s: i64,
    /// Whether there are replica counts.
    pub has_path: bool,
    /// Replicas at the start.
    pub replicas: u32,
    /// `coldStart`, where it was measured.
    pub cold_start: Option<String>,
    /// How a replica serves, where a model server tells.
    pub serving: Option<Serving>,
    /// What a reader has to know.
    pub notes: Vec<String>,
}

/// Requests of a recording.
pub const TRAFFIC: &str = "traffic.csv";
/// Replica counts of a recording.
pub const REPLICAS: &str = "replicas.csv";

impl Recording {
    pub(super) fn head(&self, name: &str) -> String {
        let notes: String = self.notes.iter().map(|note| format!("#   {note}\n")).collect();
        format!(
            "# Made by `scalelab import prometheus`: {}.\n{notes}# Lines marked GUESS are placeholders: replace them by what you know or have \
             measured.\napiVersion: scalelab.dev/v1\nkind: Scenario\nmetadata:\n  name: {}\nspec:\n  run:\n    start: \"{}\"\n    timeZone: \
             UTC\n    duration: {}s\n    seed: 1\n    replications: 3 # intervals need several\n\n",
            self.title,
            quoted(name),
            self.start,
            self.length_s
        )
    }

    pub(super) fn traffic(&self) -> String {
        let days = self.start_at_s / 86_400;
        let history = if days > 0 { format!("    history: {{days: {days}}}\n") } else { String::new() };
        format!(
            "  # What was counted, row by row; within a row requests come at random (Poisson).\n  traffic:\n    generator:\n      process: \
             poisson\n      rate:\n        series: {{file: {TRAFFIC}, timeUnit: timestamp, value: requests_per_s, valueUnit: perSecond, startAt: \
             {}s}}\n{history}",
            self.start_at_s
        )
    }

    pub(super) fn policy(&self) -> String {
        if !self.has_path {
            return String::new();
        }
        format!(
            "  # What really was: the counts that were wanted, when they were.\n  - name: recorded\n    recorded: {{file: {REPLICAS}, timeUnit: \
             timestamp, value: wanted, startAt: {}s}}\n",
            self.start_at_s
        )
    }
}
