//! Recorded spot availability: how many nodes could be had, or were held, at each instant.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::DateTime;
use units::{SimDuration, SimTime};

use crate::PriceError;

/// Nodes of one zone over time: constant from each step to the next. Instants count from the start of the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    /// Zone.
    pub zone: String,
    /// (from, nodes), ascending by instant, the first at zero; neighbours differ.
    pub steps: Vec<(SimTime, u32)>,
    /// End of the recording.
    pub end: SimTime,
    /// What was odd about the file.
    pub notes: Vec<String>,
}

impl Availability {
    /// Samples in any order, the later of two at one instant counting, as steps.
    fn from_samples(zone: &str, samples: impl IntoIterator<Item = (SimTime, u32)>, notes: Vec<String>) -> Option<Self> {
        let by_time: BTreeMap<SimTime, u32> = samples.into_iter().collect();
        let (first, _) = by_time.first_key_value()?;
        let (last, _) = by_time.last_key_value()?;
        let end = SimTime::ZERO + last.since(*first);
        let mut steps: Vec<(SimTime, u32)> = Vec::new();
        for (at, nodes) in &by_time {
            if steps.last().is_none_or(|step| step.1 != *nodes) {
                steps.push((SimTime::ZERO + at.since(*first), *nodes));
            }
        }
        Some(Self { zone: zone.to_owned(), steps, end, notes })
    }

    /// Nodes lost between steps, each as (instant, nodes before, nodes lost).
    pub fn losses(&self) -> impl Iterator<Item = (SimTime, u32, u32)> {
        self.steps
            .windows(2)
            .filter(|pair| pair[1].1 < pair[0].1)
            .map(|pair| (pair[1].0, pair[0].1, pair[0].1 - pair[1].1))
    }

    /// Node-time of the recording: the area under the steps, in node-hours.
    pub fn node_hours(&self) -> f64 {
        let ends = self.steps.iter().skip(1).map(|step| step.0).chain([self.end]);
        self.steps
            .iter()
            .zip(ends)
            .map(|(step, end)| end.since(step.0).as_secs_f64() / 3_600.0 * f64::from(step.1))
            .sum()
    }
}

#[derive(serde::Deserialize)]
struct SkyPilot {
    metadata: Metadata,
    data: Vec<u32>,
}

#[derive(serde::Deserialize)]
struct Metadata {
    gap_seconds: f64,
}

/// Reads a SkyPilot spot trace, `{"metadata": {"gap_seconds": G}, "data": [nodes, ...]}`: one count every G seconds. Availability traces
/// say how many nodes could be had, preemption traces how many were held; both read the same.
pub fn availability_skypilot(zone: &str, text: &str) -> Result<Availability, PriceError> {
    const WHAT: &str = "SkyPilot trace";
    let trace: SkyPilot =
        serde_json::from_str(text).map_err(|error| PriceError::Json { what: WHAT, reason: error.to_string() })?;
    if !(trace.metadata.gap_seconds.is_finite() && trace.metadata.gap_seconds > 0.0) {
        let reason = format!("gap_seconds is {}; it must be above 0", trace.metadata.gap_seconds);
        return Err(PriceError::Json { what: WHAT, reason });
    }
    let gap = SimDuration::from_secs_f64(trace.metadata.gap_seconds);
    let samples = trace.data.iter().zip(0u64..).map(|(nodes, tick)| (SimTime::ZERO + gap * tick, *nodes));
    let mut availability = Availability::from_samples(zone, samples, Vec::new())
        .ok_or_else(|| PriceError::Empty { what: WHAT, detail: String::new() })?;
    // The last count holds for its own gap too.
    availability.end += gap;
    Ok(availability)
}

/// Reads a Bamboo trace in any of its three layouts, told apart by the first line: `milliseconds,add|remove,node`, `date, time, count`
/// (sorted here, for the originals are not), or `elapsed,count` in which the later of two lines at one instant counts. Elapsed times are seconds, or hours if any of
/// them has a fraction: the files come both ways and say neither; a note says what was taken.
pub fn availability_bamboo(zone: &str, text: &str) -> Result<Availability, PriceError> {
    let lines: Vec<(u64, Vec<&str>)> = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| (number, line.split(',').map(str::trim).collect()))
        .collect();
    let mut notes = Vec::new();
    let samples = match lines.first().map(|(_, fields)| fields.as_slice()) {
        None => Vec::new(),
        Some([_, "add" | "remove", _]) => membership(&lines, &mut notes)?,
        Some([_, _, _]) => dated(&lines, &mut notes)?,
        Some(_) => elapsed(&lines, &mut notes)?,
    };
    Availability::from_samples(zone, samples, notes)
        .ok_or_else(|| PriceError::Empty { what: "Bamboo trace", detail: String::new() })
}

type Lines<'a> = [(u64, Vec<&'a str>)];

fn wrong(line: u64, expected: &str) -> PriceError {
    PriceError::Line { line, reason: format!("expected {expected}") }
}

fn membership(lines: &Lines<'_>, notes: &mut Vec<String>) -> Result<Vec<(SimTime, u32)>, PriceError> {
    const EXPECTED: &str = "`milliseconds,add|remove,node`";
    let mut held = BTreeSet::new();
    let mut samples = vec![(SimTime::ZERO, 0)];
    for (line, fields) in lines {
        let [at, verb, node] = fields[..] else { return Err(wrong(*line, EXPECTED)) };
        let millis: u64 = at.parse().map_err(|_| wrong(*line, EXPECTED))?;
        let changed = match verb {
            "add" => held.insert(node),
            "remove" => held.remove(node),
            _ => return Err(wrong(*line, EXPECTED)),
        };
        if !changed {
            notes.push(format!("line {line}: {verb} of {node} changes nothing"));
        }
        samples.push((SimTime::ZERO + SimDuration::from_millis(millis), held.len() as u32));
    }
    Ok(samples)
}

fn dated(lines: &Lines<'_>, notes: &mut Vec<String>) -> Result<Vec<(SimTime, u32)>, PriceError> {
    const EXPECTED: &str = "`date, time, count`";
    let mut stamped = Vec::new();
    for (line, fields) in lines {
        let [date, time, count] = fields[..] else { return Err(wrong(*line, EXPECTED)) };
        let at: DateTime = format!("{date}T{time}").parse().map_err(|_| wrong(*line, EXPECTED))?;
        stamped.push((at, count.parse::<u32>().map_err(|_| wrong(*line, EXPECTED))?));
    }
    if !stamped.is_sorted_by_key(|sample| sample.0) {
        notes.push("lines are not in order of time: sorted; of equal times the last line counts".to_owned());
    }
    let Some(first) = stamped.iter().map(|sample| sample.0).min() else { return Ok(Vec::new()) };
    let since_first = |at: DateTime| at.duration_since(first).as_secs().unsigned_abs();
    Ok(stamped.into_iter().map(|(at, count)| (SimTime::from_secs(since_first(at)), count)).collect())
}

fn elapsed(lines: &Lines<'_>, notes: &mut Vec<String>) -> Result<Vec<(SimTime, u32)>, PriceError> {
    const EXPECTED: &str = "`elapsed,count`";
    let in_hours = lines.iter().any(|(_, fields)| fields[0].contains('.'));
    notes.push(format!("elapsed times taken as {}", if in_hours { "hours: they have fractions" } else { "seconds" }));
    let unit_seconds = if in_hours { 3_600.0 } else { 1.0 };
    let sample = |(line, fields): &(u64, Vec<&str>)| {
        let [at, count] = fields[..] else { return Err(wrong(*line, EXPECTED)) };
        let elapsed: f64 =
            at.parse().ok().filter(|s: &f64| s.is_finite() && *s >= 0.0).ok_or_else(|| wrong(*line, EXPECTED))?;
        let nodes: u32 = count.parse().map_err(|_| wrong(*line, EXPECTED))?;
        Ok((SimTime::ZERO + SimDuration::from_secs_f64(elapsed * unit_seconds), nodes))
    };
    lines.iter().map(sample).collect()
}
