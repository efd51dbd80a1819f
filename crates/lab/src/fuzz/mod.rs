//! Random worlds, and what must hold in every one of them.
//!
//! A world is the text of a scenario, made from a seed, so that what breaks the program is a file that breaks it again. What must hold is said
//! of a resolved scenario: whoever knows files reads it.

mod world;

use std::num::NonZeroUsize;

use cluster::spec::{ServiceModel, SimulationSpec};
use cluster::{Keep, simulate, simulate_by_events};
use record::RunRecord;
use units::SimTime;

use crate::Workers;
use crate::experiment::{Plan, replication_seed, run, simulator};

pub use world::world;

const EVERYTHING: Keep = Keep { tables: true, requests: true };
const REPLICATIONS: u32 = 2;

/// Runs every policy of a world, and says what does not hold: requests and money are conserved, the timeline covers the run, no node has more
/// GPUs given away than it has, a run repeats itself, the fast flows do what request by request does, and the number of threads changes
/// nothing. Gives the digest of each policy. Panics where the model does.
///
/// # Errors
///
/// What does not hold, and with which policy.
pub fn check(spec: &SimulationSpec, seed: u64) -> Result<Vec<u64>, String> {
    let first = replication_seed(seed, 0);
    let mut digests = Vec::new();
    for (number, policy) in spec.policies.iter().enumerate() {
        let held = |what: &str, holds: bool| {
            if holds { Ok(()) } else { Err(format!("policy {}: {what}", policy.name)) }
        };
        let record = simulate(spec, number, 0, first, EVERYTHING);
        holds_by_itself(spec, &record).map_err(|what| format!("policy {}: {what}", policy.name))?;
        let again = simulate(spec, number, 0, first, EVERYTHING);
        held("a run does not repeat itself", text(&record) == text(&again))?;
        if spec.services.iter().all(|service| !matches!(service.model, ServiceModel::ContinuousBatching { .. })) {
            let event = simulate_by_events(spec, number, first, EVERYTHING);
            held("the fast flow and the event flow differ", text(&record) == text(&event))?;
        }
        digests.push(record.digest);
    }
    let digests_with = |jobs: usize| {
        let workers = Workers::new(NonZeroUsize::new(jobs)).map_err(|error| error.to_string())?;
        let plan = Plan {
            policies: spec.policies.len(),
            replications: REPLICATIONS,
            seed,
            keep: Keep::default(),
            progress: &|_| (),
        };
        let results = run(&workers, &plan, &simulator(spec));
        let of_policy = results.policies.iter().flat_map(|policy| &policy.replications);
        Ok::<_, String>(of_policy.map(|one| format!("{:?}", one.summary)).collect::<Vec<_>>())
    };
    if digests_with(1)? != digests_with(2)? {
        return Err("one thread and two give different results".to_owned());
    }
    Ok(digests)
}

/// Everything a run leaves behind, as text: NaN equals NaN there.
fn text(record: &RunRecord) -> String {
    format!("{record:?}")
}

fn holds_by_itself(spec: &SimulationSpec, record: &RunRecord) -> Result<(), String> {
    for service in &record.services {
        let totals = service.requests;
        let known = totals.completed + totals.failed() + totals.in_system;
        if totals.arrived != known {
            return Err(format!("{}: {} requests arrived and {known} are known", service.name, totals.arrived));
        }
        let timeline = &service.timeline;
        let is_joined = timeline.windows(2).all(|rows| rows[0].start + rows[0].step == rows[1].start);
        let covers = timeline.first().is_some_and(|row| row.start == SimTime::ZERO)
            && timeline.last().is_some_and(|row| row.start + row.step == spec.end);
        if !(is_joined && covers) {
            return Err(format!("{}: the timeline does not cover the run", service.name));
        }
    }
    if record.ledger.attributed() != record.ledger.billed() {
        return Err("the ledger does not add up to the bill".to_owned());
    }
    gpus_are_enough(spec, record)
}

/// At every instant the pods of a node hold no more GPUs than it has. A pod holds its own from the end of its waiting on.
fn gpus_are_enough(spec: &SimulationSpec, record: &RunRecord) -> Result<(), String> {
    for node in &record.nodes {
        let mut changes: Vec<(SimTime, i64)> = Vec::new();
        for (service, found) in spec.services.iter().zip(&record.services) {
            for replica in found.replicas.iter().filter(|replica| replica.node == Some(node.node)) {
                let on_node = replica.phases.iter().find(|phase| phase.phase != "pending");
                let Some(bound) = on_node.map(|phase| phase.start) else { continue };
                changes.push((bound, i64::from(service.pod.gpus)));
                changes.push((replica.ended.unwrap_or(spec.end), -i64::from(service.pod.gpus)));
            }
        }
        // What is given back at an instant can be given away at it.
        changes.sort_unstable();
        let mut held = 0;
        for (at, by) in changes {
            held += by;
            if held > i64::from(node.gpus) {
                return Err(format!("{} has {} GPUs and gives away {held} at {at}", node.node, node.gpus));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use scenario::Input;

    use super::*;

    /// A world on machines, and a run of it that holds.
    fn run_of_a_world() -> (SimulationSpec, RunRecord) {
        for seed in 0.. {
            let input = Input::Text { name: "world".to_owned(), text: world(seed) };
            let spec = traces::read(&[input]).and_then(|documents| documents.load(&[])).expect("worlds are valid").spec;
            let record = simulate(&spec, 0, 0, seed, EVERYTHING);
            let has_pods = record.services.iter().flat_map(|service| &service.replicas).any(|one| one.node.is_some());
            if has_pods && !record.nodes.is_empty() {
                return (spec, record);
            }
        }
        unreachable!("some world has a pod on a node")
    }

    /// What is said of the run once it has been tampered with.
    fn said_of(tamper: impl Fn(&mut SimulationSpec, &mut RunRecord)) -> String {
        let (mut spec, mut record) = run_of_a_world();
        assert_eq!(holds_by_itself(&spec, &record), Ok(()));
        tamper(&mut spec, &mut record);
        holds_by_itself(&spec, &record).expect_err("it was tampered with")
    }

    #[test]
    fn a_request_that_nobody_knows_of_is_noticed() {
        assert!(said_of(|_, record| record.services[0].requests.arrived += 1).contains("requests arrived"));
    }

    #[test]
    fn a_timeline_that_ends_early_is_noticed() {
        let shortened = |_: &mut SimulationSpec, record: &mut RunRecord| {
            record.services[0].timeline.pop();
        };
        assert!(said_of(shortened).contains("does not cover the run"));
    }

    #[test]
    fn a_gpu_given_away_twice_is_noticed() {
        assert!(said_of(|spec, _| spec.services.iter_mut().for_each(|one| one.pod.gpus = 99)).contains("gives away"));
    }
}
