//! `replicas` and `nodes`: one row per life, with every phase.

use record::{NodeLife, PhaseSpan, ReplicaLife};
use units::SimTime;

use super::ByService;
use crate::{RunReport, Table};

const REPLICA_PHASES: [&str; 12] = [
    "pending",
    "back_off",
    "image_pull",
    "model_download",
    "gpu_load",
    "cuda_warm_up",
    "restore",
    "readiness",
    GROUP,
    "standby",
    "ready",
    "draining",
];
/// Of replicas that are groups of pods.
const GROUP: &str = "group";
const NODE_PHASES: [&str; 5] = ["launch", "boot", "device_plugin", "up", "draining"];

/// One row per pod of the detailed replication, times in seconds since the start of the run.
pub fn replicas_table(report: &RunReport<'_>) -> Table {
    let rows = ByService::of(report, |service| &service.replicas);
    let each = || rows.each();
    let table = rows
        .whose(Table::default())
        .text("pod", each().map(|life| life.pod.to_string()))
        .text("node", each().map(nodes_of))
        .text("purchase", each().map(|life| life.purchase.map_or("", record::Purchase::name)))
        .text("zone", each().map(|life| &life.zone))
        .number("created_s", each().map(|life| life.created.as_secs_f64()))
        .number("ready_s", each().map(|life| life.ready.map(SimTime::as_secs_f64)))
        .number("ended_s", each().map(|life| life.ended.map(SimTime::as_secs_f64)))
        .number("cold_start_s", each().map(|life| life.ready.map(|ready| ready.since(life.created).as_secs_f64())));
    let has_groups = each().any(|life| life.phases.iter().any(|span| span.phase == GROUP));
    let named = REPLICA_PHASES.into_iter().filter(|phase| has_groups || *phase != GROUP);
    let table = phases(table, &named.collect::<Vec<_>>(), || each().map(|life| life.phases.as_slice()))
        .number("busy_s", each().map(|life| life.busy.as_secs_f64()))
        .dollars("cost_usd", each().map(|life| life.cost))
        .count("completed", each().map(|life| life.completed))
        .count("lost", each().map(|life| life.lost))
        .count("restarts", each().map(|life| u64::from(life.restarts)))
        .text("waited_for", each().map(waited_for))
        .text("ending", each().map(|life| life.ending));
    // Where no service has adapters it is no column.
    if each().all(|life| life.adapter_loads.is_none()) {
        return table;
    }
    table.count("adapter_loads", each().map(|life| life.adapter_loads))
}

/// The nodes of all its pods, the first pod's first.
fn nodes_of(life: &ReplicaLife) -> String {
    let nodes = life.node.iter().chain(&life.worker_nodes).map(ToString::to_string);
    nodes.collect::<Vec<_>>().join(" ")
}

/// What a pod waited for while no node was on its way, each reason once with the time.
fn waited_for(life: &ReplicaLife) -> String {
    let spans = life
        .waits
        .iter()
        .map(|wait| format!("{} {}..{}", wait.reason, wait.start.as_secs_f64(), wait.end.as_secs_f64()));
    spans.collect::<Vec<_>>().join("; ")
}

/// One row per node of the detailed replication, times in seconds since the start of the run.
pub fn nodes_table(report: &RunReport<'_>) -> Table {
    let rows: Vec<(&str, &NodeLife)> = report
        .policies
        .iter()
        .flat_map(|policy| policy.detail.nodes.iter().map(|life| (policy.name(), life)))
        .collect();
    let each = || rows.iter().map(|&(_, life)| life);
    let table = Table::default()
        .text("policy", rows.iter().map(|&(policy, _)| policy))
        .text("node", each().map(|life| life.node.to_string()))
        .text("pool", each().map(|life| &life.pool))
        .text("instance_type", each().map(|life| &life.instance_type))
        .text("zone", each().map(|life| &life.zone))
        .text("purchase", each().map(|life| life.purchase.name()))
        .count("gpus", each().map(|life| u64::from(life.gpus)))
        .number("requested_s", each().map(|life| life.requested.as_secs_f64()))
        .number("launched_s", each().map(|life| life.launched.map(SimTime::as_secs_f64)))
        .number("ended_s", each().map(|life| life.ended.map(SimTime::as_secs_f64)));
    phases(table, &NODE_PHASES, || each().map(|life| life.phases.as_slice()))
        .number("billed_s", each().map(|life| life.billed.as_secs_f64()))
        .dollars("cost_usd", each().map(|life| life.cost))
        .dollars("cost_without_replica_usd", each().map(|life| life.cost_without_replica))
        .number("rebalance_s", each().map(|life| life.recommended.map(SimTime::as_secs_f64)))
        .number("notice_s", each().map(|life| life.noticed.map(SimTime::as_secs_f64)))
        .text("ending", each().map(|life| life.ending))
}

/// Adds `<phase>_start_s` and `<phase>_end_s` of the first time each phase was entered, and `phases` with all of them in order.
fn phases<'a, I: Iterator<Item = &'a [PhaseSpan]>>(table: Table, names: &[&str], lives: impl Fn() -> I) -> Table {
    let mut table = table;
    for &name in names {
        let first = move |phases: &'a [PhaseSpan]| phases.iter().find(|span| span.phase == name);
        let start = lives().map(|phases| first(phases).map(|span| span.start.as_secs_f64()));
        let end = lives().map(|phases| first(phases).map(|span| span.end.as_secs_f64()));
        table = table.number(&format!("{name}_start_s"), start).number(&format!("{name}_end_s"), end);
    }
    table.text("phases", lives().map(phases_text))
}

fn phases_text(phases: &[PhaseSpan]) -> String {
    let spans =
        phases.iter().map(|span| format!("{} {}..{}", span.phase, span.start.as_secs_f64(), span.end.as_secs_f64()));
    spans.collect::<Vec<_>>().join("; ")
}
