//! Places, time-outs, kills and drains, one by one.

use cluster::flow::Flow;
use cluster::spec::{KillRule, Overhead, Patience, Routing, ServiceModel, ServiceSpec};
use record::RequestRow;
use units::{PodId, SimDuration, SimTime};
use workload::Distribution;

use crate::support::{close, flow, model, service, trace};

fn at(millis: u64) -> SimTime {
    SimTime::from_nanos(millis * 1_000_000)
}

/// A service with places for `sequences` sequences and `kv_tokens` tokens.
fn small(sequences: u32, kv_tokens: u64) -> ServiceSpec {
    let mut model = model(1.0, 1.0);
    let ServiceModel::ContinuousBatching { sequences_max, kv_tokens: kv, .. } = &mut model else {
        panic!("a language model");
    };
    (*sequences_max, *kv) = (sequences, kv_tokens);
    service(model)
}

#[test]
fn a_request_waits_for_a_free_sequence() {
    let requests = trace(&[(0, 10, 100), (0, 10, 50), (1, 10, 50)]);
    let mut flow = flow(&small(2, 100_000), &requests, 1, at(10_000), true);
    flow.advance(at(100));
    assert_eq!(flow.replica_load(0, at(100)), (1, 2));
    flow.advance(at(10_000));
    let (_, _, rows) = close(flow, at(10_000));
    assert_eq!(rows[2].start, rows[0].end, "it starts when the shorter one is over");
}

#[test]
fn when_the_cache_is_full_the_youngest_is_computed_anew() {
    // Two sequences of 60 tokens in a cache of 96: they fit at first.
    let requests = trace(&[(0, 20, 41), (0, 20, 41)]);
    let mut flow = flow(&small(8, 96), &requests, 1, at(10_000), true);
    flow.advance(at(5_000));
    let stats = flow.stats(0, at(5_000));
    assert_eq!((stats.success, stats.preemptions), (2, 1));
    assert_eq!((stats.prompt_tokens, stats.output_tokens), (40, 82), "what was recomputed counts once");
    let (_, _, rows) = close(flow, at(10_000));
    assert_eq!(rows[0].first_token, rows[1].first_token);
    // The oldest goes on alone; the other must be over later than its 41 iterations.
    let mut ends = [rows[0].end, rows[1].end];
    ends.sort();
    assert_eq!(ends[0], Some(SimTime::from_nanos(41 * 9_540_000)));
    assert!(ends[1] > ends[0]);
}

#[test]
fn a_request_larger_than_the_cache_is_turned_away() {
    let mut flow = flow(&small(8, 96), &trace(&[(0, 90, 7), (0, 90, 8)]), 1, at(1_000), false);
    flow.advance(at(1_000));
    let load = flow.load(at(1_000));
    assert_eq!((load.completed, load.failed), (1, 1));
}

#[test]
fn a_client_that_gives_up_frees_the_cache() {
    let mut spec = small(8, 100_000);
    spec.client_timeout = Some(Patience::Fixed(SimDuration::from_nanos(200_000_000)));
    let mut flow = flow(&spec, &trace(&[(0, 1_600, 1_000)]), 1, at(1_000), false);
    flow.advance(at(199));
    assert!(flow.kv_usage(0, at(199)) > 0.016);
    flow.advance(at(200));
    assert_eq!((flow.kv_usage(0, at(200)), flow.replica_load(0, at(200))), (0.0, (0, 0)));
    let (totals, _, _) = close(flow, at(1_000));
    assert_eq!(totals.timed_out, 1);
}

#[test]
fn a_drained_replica_serves_what_it_has() {
    let mut flow = flow(&small(1, 100_000), &trace(&[(0, 10, 10), (0, 10, 10)]), 1, at(1_000), true);
    flow.advance(at(10));
    assert_eq!(flow.drain(0, at(10)), None);
    let drained = flow.advance(at(1_000)).expect("it runs empty");
    assert_eq!(drained.at, SimTime::from_nanos(20 * 9_540_000));
    assert_eq!(flow.remove(0, drained.at).0.success, 2);
}

#[test]
fn what_is_requeued_after_a_kill_begins_anew_elsewhere() {
    let mut spec = small(8, 100_000);
    spec.kill_rule = KillRule::Requeue;
    let mut flow = flow(&spec, &trace(&[(0, 10, 100)]), 1, at(3_000), true);
    flow.advance(at(500));
    flow.add(1, PodId(1), at(500));
    assert_eq!(flow.remove(0, at(500)).1, 0);
    flow.advance(at(3_000));
    let (totals, _, rows) = close(flow, at(3_000));
    assert_eq!((totals.completed, rows[0].start, rows[0].replica), (1, Some(at(500)), Some(PodId(1))));
}

#[test]
fn the_gateway_holds_requests_until_a_sequence_is_free() {
    let mut spec = small(2, 100_000);
    spec.routing = Routing::CentralQueue;
    let requests: Vec<(u64, u32, u32)> = (0..10).map(|_| (0, 10, 50)).collect();
    let mut flow = flow(&spec, &trace(&requests), 2, at(3_000), false);
    flow.advance(at(100));
    assert_eq!((flow.central_queue(at(100)), flow.replica_load(0, at(100))), (6, (0, 2)));
    flow.advance(at(3_000));
    assert_eq!(flow.load(at(3_000)).completed, 10);
}

/// A replica drains while it serves a request of 2 s, and halts.
fn halted(kill: u64) -> (cluster::flow::Load, Vec<RequestRow>) {
    let mut flow = flow(&small(8, 100_000), &trace(&[(0, 10, 200), (300_000_000, 10, 20)]), 1, at(10_000), true);
    flow.advance(at(100));
    flow.refuse(0, at(100));
    flow.halt(0, at(100));
    flow.advance(at(400));
    assert_eq!(flow.drain(0, at(400)), None, "its client still waits");
    assert_eq!(flow.advance(at(kill)), None);
    assert_eq!(flow.stats(0, at(kill)).busy_ns, 100_000_000, "it stopped working");
    flow.remove(0, at(kill));
    let load = flow.load(at(kill));
    (load, close(flow, at(kill)).2)
}

#[test]
fn what_a_halted_engine_has_fails_when_it_is_killed_and_new_requests_at_once() {
    let (load, rows) = halted(5_000);
    assert_eq!((load.completed, load.failed), (0, 2));
    let ends: Vec<Option<SimTime>> = rows.iter().map(|row| row.end).collect();
    let mut ends: Vec<SimTime> = ends.into_iter().flatten().collect();
    ends.sort();
    assert_eq!(ends, [at(300), at(5_000)]);
}

#[test]
fn the_first_iteration_with_a_prompt_is_slower_and_only_that() {
    let requests = trace(&[(0, 10, 3), (1_000_000_000, 10, 3)]);
    let mut flow = flow(&small(8, 100_000), &requests, 1, at(10_000), true);
    flow.slow_first(0, SimDuration::from_secs(2));
    flow.advance(at(10_000));
    let (_, _, rows) = close(flow, at(10_000));
    let firsts: Vec<u64> = rows.iter().filter_map(|row| row.first_token).map(SimTime::as_nanos).collect();
    // The second waits for the first iteration too.
    assert_eq!(firsts, [2_009_540_000, 2_019_080_000]);
}

#[test]
fn each_request_has_its_own_overhead_wherever_it_is_served() {
    let mut model = model(1.0, 1.0);
    let ServiceModel::ContinuousBatching { overhead, .. } = &mut model else { panic!("a language model") };
    *overhead = Overhead::Drawn(Distribution::Uniform { low: 0.010, high: 0.030 });
    let requests: Vec<_> = (0..200).map(|number| (number * 1_000_000_000, 10, 5)).collect();
    // Each is alone, so that passes take as long for all.
    let overheads = |service: &ServiceSpec, replicas: usize| {
        let mut flow = flow(service, &trace(&requests), replicas, at(200_000), true);
        flow.advance(at(200_000));
        let (_, _, rows) = close(flow, at(200_000));
        let beyond = |at: Option<SimTime>, row: &RequestRow, passes: u64| {
            at.expect("it is answered").since(row.arrival).as_nanos() - passes * 9_540_000
        };
        let first: Vec<u64> = rows.iter().map(|row| beyond(row.first_token, row, 1)).collect();
        let last: Vec<u64> = rows.iter().map(|row| beyond(row.end, row, 5)).collect();
        assert_eq!(first, last, "what delays the first token delays them all");
        first
    };
    let one = overheads(&service(model.clone()), 1);
    assert!(one.iter().all(|overhead| (10_000_000..30_000_000).contains(overhead)), "{one:?}");
    assert!(one.iter().any(|overhead| *overhead < 12_000_000) && one.iter().any(|overhead| *overhead > 28_000_000));
    let random = ServiceSpec { routing: Routing::Random, ..service(model) };
    assert_eq!(one, overheads(&random, 3), "whatever serves it");
}
