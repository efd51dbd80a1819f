//! Recorded availability of spot nodes on the clock of a run, checked against the pools it limits.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use cluster::spec::{InterruptionModel, NodePoolSpec, ZoneTrace};
use prices::{Availability, availability_bamboo, availability_skypilot};
use record::Purchase;
use units::{SimDuration, SimTime};

use crate::error::ScenarioError;
use crate::file::AvailabilityFile;

use super::{Context, RunWindow};

const PATH: &str = "spec.spot.interruptions.availability";

impl Context<'_> {
    /// Recorded spot availability, one trace per zone, or per zone and instance type.
    pub(super) fn availability(
        &mut self,
        file: &AvailabilityFile,
        pools: &[NodePoolSpec],
        window: &RunWindow,
    ) -> Result<InterruptionModel, ScenarioError> {
        let mut zones = Vec::new();
        for (zone, traces) in &file.zones {
            for (instance_type, name) in &traces.0 {
                let path = self.file_of(name, &format!("{PATH}.zones"))?;
                let recorded = self.recorded_availability(zone, &path)?;
                self.notes.extend(recorded.notes.iter().map(|note| format!("{}: {note}", path.display())));
                let start_at = file.start_at.duration();
                let length = recorded.end.since(SimTime::ZERO);
                if start_at >= length {
                    let reason = format!("is {start_at}, and {} ends after {length}", path.display());
                    return Err(self.inconsistent(&format!("{PATH}.startAt"), &reason));
                }
                if !file.repeat && start_at + window.length > length {
                    self.notes.push(format!(
                        "{} ends {} after the start of the run; its last count stays (`repeat: true` starts it again)",
                        path.display(),
                        length.saturating_sub(start_at)
                    ));
                }
                let steps = replayed(&recorded, start_at, window.length, file.repeat);
                zones.push(ZoneTrace { zone: zone.clone(), instance_type: instance_type.clone(), steps });
            }
        }
        self.check_traces(&zones, pools)?;
        Ok(InterruptionModel::Availability { zones })
    }

    /// Nodes that could be had, or were held, from an instant on: a SkyPilot trace (JSON) or a Bamboo one (CSV).
    fn recorded_availability(&self, zone: &str, path: &Path) -> Result<Availability, ScenarioError> {
        let text = self.data.text(path)?;
        let is_json = text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
        let read = if is_json { availability_skypilot(zone, &text) } else { availability_bamboo(zone, &text) };
        read.map_err(|error| ScenarioError::BadFile { file: path.display().to_string(), reason: error.to_string() })
    }

    /// Every trace limits something, and everything there is on spot is limited: else nodes held would exceed the record in silence.
    fn check_traces(&self, traces: &[ZoneTrace], pools: &[NodePoolSpec]) -> Result<(), ScenarioError> {
        let path = format!("{PATH}.zones");
        let spot = || {
            let offerings = pools.iter().flat_map(|pool| pool.offerings.iter().map(move |offering| (pool, offering)));
            offerings.filter(|(_, offering)| offering.purchase == Purchase::Spot)
        };
        let zones: BTreeSet<&str> = spot().map(|(_, offering)| offering.zone.as_str()).collect();
        for trace in traces {
            if !zones.contains(trace.zone.as_str()) {
                let named = zones.iter().filter(|zone| !zone.is_empty()).copied();
                let what = "zone in which a pool offers spot nodes";
                return Err(self.unknown_name(&path, what, &trace.zone, named));
            }
            let is_here = |name: &&str| trace.instance_type.is_empty() || **name == *trace.instance_type;
            let types: BTreeSet<&str> = spot()
                .filter(|(_, offering)| offering.zone == trace.zone)
                .map(|(_, offering)| offering.instance_type.as_str())
                .collect();
            if !types.iter().any(is_here) {
                let what = "instance type on spot in this zone";
                return Err(self.unknown_name(&path, what, &trace.instance_type, types));
            }
        }
        let unlimited = spot().find(|(_, offering)| !traces.iter().any(|trace| trace.limits(offering)));
        let Some((pool, offering)) = unlimited else { return Ok(()) };
        let place = if offering.zone.is_empty() {
            "without naming zones".to_owned()
        } else {
            format!("in zone `{}`, which has no trace for it", offering.zone)
        };
        let reason = format!(
            "pool `{}` offers spot nodes of `{}` {place}: they would be unlimited",
            pool.name, offering.instance_type
        );
        Err(self.inconsistent(&path, &reason))
    }
}

/// The steps of a recording from `start_at` on, over `length`; once, or again and again.
fn replayed(
    recorded: &Availability,
    start_at: SimDuration,
    length: SimDuration,
    repeat: bool,
) -> Arc<[(SimTime, u32)]> {
    let period = recorded.end.since(SimTime::ZERO);
    let rounds = if repeat { (start_at + length).as_nanos().div_ceil(period.as_nanos()) } else { 1 };
    let start = SimTime::ZERO + start_at;
    let mut steps: Vec<(SimTime, u32)> = Vec::new();
    for round in 0..rounds.max(1) {
        for (at, nodes) in &recorded.steps {
            let at = *at + period * round;
            if at <= start {
                // In force at the start, unless a later step is too.
                steps = vec![(SimTime::ZERO, *nodes)];
            } else if at.since(start) < length && steps.last().is_none_or(|last| last.1 != *nodes) {
                steps.push((SimTime::ZERO + at.since(start), *nodes));
            }
        }
    }
    steps.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_starts_where_it_is_told_and_again_when_it_is_over() {
        let at = SimTime::from_secs;
        let recorded = Availability {
            zone: "a".to_owned(),
            steps: vec![(at(0), 2), (at(10), 5), (at(20), 1)],
            end: at(30),
            notes: Vec::new(),
        };
        let replay = |start: u64, length: u64, repeat| {
            let steps = replayed(&recorded, SimDuration::from_secs(start), SimDuration::from_secs(length), repeat);
            steps.iter().map(|(at, nodes)| (at.as_secs(), *nodes)).collect::<Vec<_>>()
        };
        assert_eq!(replay(0, 100, false), [(0, 2), (10, 5), (20, 1)]);
        assert_eq!(replay(15, 100, false), [(0, 5), (5, 1)]);
        assert_eq!(replay(15, 40, true), [(0, 5), (5, 1), (15, 2), (25, 5), (35, 1)]);
        assert_eq!(replay(0, 15, false), [(0, 2), (10, 5)]);
    }
}
