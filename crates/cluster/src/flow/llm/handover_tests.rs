//! Prefill and decode apart: does a prompt take the way it should, and do many iterations at once leave what one by one leaves?

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use record::{RequestRow, RequestTotals};
use units::{PodId, SimDuration, SimTime};
use workload::{Distribution, Traffic};

use super::engine::Engine;
use super::step_engine::StepEngine;
use super::tests::{Act, Case, SEED, Sight, cases, nanos, pod, sight, traffic};
use super::{LlmFlow, RunEngine, TokenCounts};
use crate::flow::reactive::Reactive;
use crate::flow::{Flow, Intake, Kept, Load, Meter, ReplicaStats, Slot};
use crate::spec::{
    CalledBy, EngineSpec, IterationLaw, KillRule, KvTransfer, Overhead, Patience, PrefixSpec, Routing, Scheduler,
    ServiceModel, ServiceSpec, SloSpec,
};

/// Two services, the second of which decodes what the first has computed.
struct Pair<E> {
    flows: [LlmFlow<E>; 2],
}

fn meter(service: &ServiceSpec, measure_from: SimTime) -> Meter {
    let slo = SloSpec { latency: None, ttft: None, tpot: None, end_to_end: None, objective: 0.9 };
    let timeout = service.client_timeout.as_ref().and_then(Patience::fixed).map_or(u64::MAX, SimDuration::as_nanos);
    let meter = Meter::new(measure_from, timeout, &slo, true);
    if service.called_by.is_some() { meter.of_chain(&slo).of_one_request() } else { meter }
}

impl<E: Engine> Pair<E> {
    fn new(services: &[ServiceSpec; 2], traffic: &Traffic, (measure_from, end): (SimTime, SimTime)) -> Self {
        let one = Distribution::Constant(1.0);
        let none = Traffic::Merge(Vec::new());
        let from = services[1].called_by.and_then(|call| call.transfer).map(|transfer| transfer.from_tokens);
        let flow = |service: &ServiceSpec, traffic: &Traffic, is_heard: bool| {
            let reactive = Reactive::of(service, (is_heard, from.filter(|_| is_heard)), SEED, (SimTime::ZERO, end));
            let intake = Intake::new(traffic, SEED, end, None, 1)
                .with_tokens(TokenCounts::new(&one, &one, SEED))
                .measure_from(measure_from.as_nanos())
                .with_reactive(reactive);
            LlmFlow::<E>::on_engines(service, SEED, intake, meter(service, measure_from))
        };
        Self { flows: [flow(&services[0], traffic, true), flow(&services[1], &none, false)] }
    }

    /// Moves both on until `to`; replicas that run empty on the way are taken away.
    fn advance(&mut self, to: SimTime, mut removed: impl FnMut(usize, Slot, SimTime)) {
        let [prefill, decode] = &mut self.flows;
        let (mut lost, mut given_up) = (Vec::<Kept>::new(), Vec::new());
        prefill.take_lost(&mut lost);
        decode.lose(&lost);
        decode.take_released(&mut given_up);
        prefill.release(&given_up);
        loop {
            let (mut released, mut answered) = (Vec::new(), Vec::new());
            let next = prefill.next_due().min(decode.next_due()).min(to);
            let mut drained = Vec::new();
            drained.extend(prefill.advance(next).map(|empty| (0, empty)));
            prefill.take_answered(&mut answered);
            decode.take_calls(&answered);
            drained.extend(decode.advance(next).map(|empty| (1, empty)));
            decode.take_released(&mut released);
            prefill.release(&released);
            for (which, empty) in &drained {
                let flow = if *which == 0 { &mut *prefill } else { &mut *decode };
                flow.remove(empty.slot, empty.at);
                removed(*which, empty.slot, empty.at);
            }
            if next == to && released.is_empty() && drained.is_empty() {
                return;
            }
        }
    }

    /// Ends both at `now`.
    fn finish(mut self, now: SimTime) -> [(RequestTotals, Vec<RequestRow>); 2] {
        self.flows.each_mut().map(|flow| {
            let arrived = flow.finish(now);
            let meter = std::mem::replace(flow.meter(), Meter::idle());
            let (totals, _, rows) = meter.into_totals(arrived);
            let known = totals.completed + totals.failed() + totals.in_system;
            assert_eq!(totals.arrived, known, "every request of the measured part is known");
            (totals, rows)
        })
    }
}

mod by_hand {
    use super::*;

    /// Iterations of 10 ms with up to eight sequences, and so many blocks of cache.
    fn service(blocks: u64) -> ServiceSpec {
        let model = ServiceModel::ContinuousBatching {
            sequences_max: 8,
            batched_tokens_max: 512,
            kv_tokens: 16 * blocks,
            law: IterationLaw::linear(SimDuration::from_millis(10), SimDuration::ZERO, [0.0, 0.0]),
            overhead: Overhead::NONE,
            prompt_tokens: Distribution::Constant(1.0),
            output_tokens: Distribution::Constant(1.0),
        };
        ServiceSpec {
            routing: Routing::LeastRequests,
            kill_rule: KillRule::Fail,
            pod: pod(),
            ..ServiceSpec::plain("llm", model)
        }
    }

    /// 5 ms to the first byte, 0.1 ms a token.
    fn apart(blocks: (u64, u64), from_tokens: u32) -> [ServiceSpec; 2] {
        let latency = SimDuration::from_millis(5);
        let transfer = KvTransfer { bytes_per_second: 1e9, latency, bytes_per_token: 1e5, from_tokens };
        let called_by = Some(CalledBy { service: 0, share: 1.0, count: 1, transfer: Some(transfer) });
        [service(blocks.0), ServiceSpec { called_by, ..service(blocks.1) }]
    }

    fn at(millis: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_millis(millis)
    }

    /// One replica of each; requests by (milliseconds, prompt, output).
    fn pair(blocks: (u64, u64), requests: &[(u64, u32, u32)]) -> Pair<RunEngine> {
        decided_pair(blocks, 0, requests)
    }

    /// The same where prompts of fewer tokens stay with the second.
    fn decided_pair(blocks: (u64, u64), from_tokens: u32, requests: &[(u64, u32, u32)]) -> Pair<RunEngine> {
        let requests = requests.iter().map(|&(ms, prompt, output)| (ms * 1_000_000, prompt, output)).collect();
        let services = apart(blocks, from_tokens);
        let case = Case { service: services[0].clone(), requests, acts: Vec::new(), end: u64::MAX / 2, first_delay: 0 };
        let mut pair = Pair::new(&services, &traffic(&case), (SimTime::ZERO, at(1_000_000)));
        pair.flows.iter_mut().for_each(|flow| flow.add(0, PodId(0), SimTime::ZERO));
        pair
    }

    /// (first token, end) of each answer, in milliseconds since the run began.
    fn answers(rows: &[RequestRow]) -> Vec<(u64, u64)> {
        let millis = |time: Option<SimTime>| time.expect("it was answered").as_nanos() / 1_000_000;
        rows.iter().map(|row| (millis(row.first_token), millis(row.end))).collect()
    }

    #[test]
    fn a_lone_request_is_computed_here_fetched_and_answered_there() {
        let mut pair = pair((100, 100), &[(3, 100, 3)]);
        pair.advance(at(1_000), |_, _, _| panic!("nobody drains"));
        let [(prefill, _), (decode, rows)] = pair.finish(at(1_000));
        assert_eq!((prefill.completed, decode.arrived, decode.completed), (1, 1, 1));
        // 10 ms to compute, 5 + 10 to fetch, 10 to the first token, 10 for each of two more. It counts from the client's request.
        assert_eq!(answers(&rows), [(38, 58)]);
        assert_eq!(rows[0].arrival, at(3));
    }

    #[test]
    fn a_short_prompt_is_computed_where_it_is_answered_and_the_first_never_sees_it() {
        let mut pair = decided_pair((100, 100), 100, &[(3, 99, 3), (3, 100, 3)]);
        pair.advance(at(1_000), |_, _, _| panic!("nobody drains"));
        let stats = [0, 1].map(|which: usize| pair.flows[which].stats(0, at(1_000)));
        let [(prefill, kept), (decode, rows)] = pair.finish(at(1_000));
        assert_eq!((prefill.arrived, prefill.completed, kept.len()), (1, 1, 1));
        assert_eq!((decode.arrived, decode.completed), (2, 2));
        // The short one has its first token after one iteration, the long one waits for the other service, its cache and the iteration under way.
        assert_eq!(answers(&rows), [(13, 33), (43, 63)]);
        let computed = stats.map(|stats| stats.prompt_tokens - stats.fetched_tokens);
        assert_eq!(computed, [100, 99 + 1], "the last token of a fetched prompt is computed");
    }

    #[test]
    fn short_prompts_need_no_replica_of_the_first() {
        let mut pair = decided_pair((100, 100), 100, &[(3, 50, 1), (4, 100, 1)]);
        pair.flows[0].remove(0, at(2));
        pair.advance(at(1_000), |_, _, _| panic!("nobody drains"));
        let [(prefill, _), (decode, _)] = pair.finish(at(1_000));
        assert_eq!((prefill.in_system, decode.completed), (1, 1));
    }

    #[test]
    fn the_blocks_are_kept_until_they_are_fetched_and_held_there_from_admission() {
        let mut pair = pair((100, 50), &[(0, 100, 3)]);
        let mut usage = |ms: u64| {
            pair.advance(at(ms), |_, _, _| panic!("nobody drains"));
            pair.flows.each_ref().map(|flow| (flow.kv_usage(0, at(ms)) * 1_000.0).round() as u64)
        };
        // Seven blocks of 100 and of 50.
        assert_eq!(usage(9), [70, 0]);
        assert_eq!(usage(24), [70, 140]);
        assert_eq!(usage(25), [0, 140]);
    }

    #[test]
    fn a_full_cache_of_the_first_waits_for_the_fetches_of_the_second() {
        let mut pair = pair((7, 100), &[(0, 100, 1), (1, 100, 1)]);
        pair.advance(at(1_000), |_, _, _| panic!("nobody drains"));
        let [(_, prefill), (_, rows)] = pair.finish(at(1_000));
        // The second prompt begins when the first has been fetched, at 25.
        assert_eq!(prefill.iter().map(|row| row.start).collect::<Vec<_>>(), [Some(at(0)), Some(at(25))]);
        assert_eq!(answers(&rows), [(35, 35), (60, 60)]);
    }

    #[test]
    fn who_loses_the_replica_that_keeps_its_prompt_fails() {
        let mut pair = pair((100, 100), &[(0, 100, 3)]);
        pair.advance(at(20), |_, _, _| panic!("nobody drains"));
        pair.flows[0].remove(0, at(20));
        pair.advance(at(1_000), |_, _, _| panic!("nobody drains"));
        let [(prefill, _), (decode, rows)] = pair.finish(at(1_000));
        assert_eq!((prefill.completed, decode.lost, decode.completed), (1, 1, 0));
        assert_eq!(rows[0].end, Some(at(20)));
    }

    #[test]
    fn a_fetched_prompt_does_not_need_its_replica_any_more() {
        let mut pair = pair((100, 100), &[(0, 100, 3)]);
        pair.advance(at(25), |_, _, _| panic!("nobody drains"));
        pair.flows[0].remove(0, at(25));
        pair.advance(at(1_000), |_, _, _| panic!("nobody drains"));
        let [_, (decode, _)] = pair.finish(at(1_000));
        assert_eq!(decode.completed, 1);
    }

    #[test]
    fn a_replica_that_drains_stays_until_what_it_keeps_is_fetched() {
        let mut pair = pair((100, 100), &[(0, 100, 3)]);
        pair.advance(at(20), |_, _, _| panic!("nobody drains"));
        assert_eq!(pair.flows[0].drain(0, at(20)), None);
        let mut gone = Vec::new();
        pair.advance(at(1_000), |which, _, at| gone.push((which, at)));
        assert_eq!(gone, [(0, at(25))]);
    }

    #[test]
    fn who_is_preempted_there_is_computed_anew_there() {
        // Two sequences of 7 blocks in 15; each needs its ninth before it is done.
        let mut pair = pair((100, 15), &[(0, 100, 40), (0, 100, 40)]);
        pair.advance(at(3_000), |_, _, _| panic!("nobody drains"));
        let stats = pair.flows[1].stats(0, at(3_000));
        let [_, (decode, _)] = pair.finish(at(3_000));
        assert_eq!(decode.completed, 2);
        assert!(stats.preemptions > 0);
    }
}

/// A world of two services, with what happens to the replicas of each.
#[derive(Clone, Debug)]
struct World {
    services: [ServiceSpec; 2],
    /// Of the first service, with the requests and the acts on both: those on slots from 2 on are on the second.
    case: Case,
}

/// What a service may be whose prompts are fetched.
fn computes(mut service: ServiceSpec) -> ServiceSpec {
    if matches!(service.engine.scheduler, Scheduler::Tgi(_)) {
        service.engine.scheduler = Scheduler::MaxUtilization;
    }
    service
}

/// What a service that fetches may be.
fn decodes(mut service: ServiceSpec, transfer: KvTransfer) -> ServiceSpec {
    service.called_by = Some(CalledBy { service: 0, share: 1.0, count: 1, transfer: Some(transfer) });
    (service.client_timeout, service.client_patience, service.retries) = (None, None, None);
    (service.kill_rule, service.prefix) = (KillRule::Fail, PrefixSpec::Off);
    if matches!(service.engine.scheduler, Scheduler::PrefillFirst(_) | Scheduler::Tgi(_)) {
        service.engine = EngineSpec { scheduler: Scheduler::NoEvict, ..service.engine };
    }
    service
}

fn worlds() -> impl Strategy<Value = World> {
    let from = prop_oneof![3 => Just(0), 2 => 1u32..60, 1 => Just(u32::MAX)];
    let transfer = (0u64..60, 1.0..20.0, 0.2..3.0, from).prop_map(|(latency, bytes_per_token, rate, from_tokens)| {
        let latency = SimDuration::from_nanos(latency);
        KvTransfer { bytes_per_second: rate * 1e9, latency, bytes_per_token, from_tokens }
    });
    (cases(), cases(), transfer).prop_map(|(first, second, transfer)| {
        let mut case = Case { service: computes(first.service), ..first };
        case.acts.push((0, Act::Add(2)));
        case.acts.sort_by_key(|(at, _)| *at);
        World { services: [case.service.clone(), decodes(second.service, transfer)], case }
    })
}

/// Everything a world shows.
#[derive(Debug, PartialEq)]
struct Shown {
    ends: [(RequestTotals, Vec<RequestRow>); 2],
    looks: Vec<(Load, u64, Vec<Sight>)>,
    removed: Vec<(ReplicaStats, u64)>,
    drained: Vec<(usize, Slot, SimTime)>,
}

fn play<E: Engine>(world: &World) -> Shown {
    let World { services, case } = world;
    let mut pair = Pair::<E>::new(services, &traffic(case), (nanos(50), nanos(case.end)));
    let (mut looks, mut removed, mut drained) = (Vec::new(), Vec::new(), Vec::new());
    // Two replicas of each: 0 is absent, 1 serving, 2 draining.
    let mut stages = [[0; 2]; 2];
    for &(at, act) in case.acts.iter().chain(&[(case.end, Act::Look)]) {
        let at = nanos(at);
        pair.advance(at, |which, slot, at| {
            stages[which][slot] = 0;
            drained.push((which, slot, at));
        });
        let (Act::Add(slot) | Act::Drain(slot) | Act::Remove(slot) | Act::Refuse(slot) | Act::Halt(slot)) = act else {
            for (flow, stages) in pair.flows.iter_mut().zip(&stages) {
                let present = (0..2).filter(|&slot| stages[slot] > 0);
                let sights = present.map(|slot| sight(flow, slot, at)).collect();
                looks.push((flow.load(at), flow.started(), sights));
            }
            continue;
        };
        let (which, slot) = (slot / 2, slot % 2);
        let (flow, stage) = (&mut pair.flows[which], &mut stages[which][slot]);
        match (act, *stage) {
            (Act::Add(_), 0) => {
                flow.add(slot, PodId(slot as u32), at);
                *stage = 1;
            }
            (Act::Drain(_), 1) => {
                *stage = 2;
                if flow.drain(slot, at).is_some() {
                    removed.push(flow.remove(slot, at));
                    *stage = 0;
                }
            }
            (Act::Remove(_), 1 | 2) => {
                removed.push(flow.remove(slot, at));
                *stage = 0;
            }
            _ => {}
        }
    }
    let mut ends = pair.finish(nanos(case.end));
    for (_, rows) in &mut ends {
        rows.sort_by_key(|row| (row.arrival, row.end, row.prompt_tokens, row.output_tokens));
    }
    Shown { ends, looks, removed, drained }
}

/// Runs `test` with room for what two services at once take on the stack where nothing is optimized.
fn with_room(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(test).expect("a thread");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn apart_too_iterations_at_once_leave_what_one_by_one_leave() {
    with_room(|| {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(2_000));
        let compare = |world: World| {
            prop_assert_eq!(play::<RunEngine>(&world), play::<StepEngine>(&world));
            Ok(())
        };
        runner.run(&worlds(), compare).unwrap_or_else(|error| panic!("{error}"));
    });
}

/// Without these the comparison above would say little.
#[test]
fn the_random_worlds_reach_every_corner() {
    with_room(look_into_every_corner);
}

fn look_into_every_corner() {
    let mut runner = TestRunner::deterministic();
    let mut sums = [0; 6];
    for _ in 0..600 {
        let world = worlds().new_tree(&mut runner).expect("nothing is filtered").current();
        let shown = play::<RunEngine>(&world);
        let [(prefill, _), (decode, rows)] = &shown.ends;
        let from =
            world.services[1].called_by.and_then(|call| call.transfer).map_or(0, |transfer| transfer.from_tokens);
        let is_short = |row: &&RequestRow| row.prompt_tokens.is_some_and(|tokens| u64::from(tokens) < u64::from(from));
        let stayed = rows.iter().filter(is_short).count() as u64;
        let preempted: u64 = shown.removed.iter().map(|(stats, _)| stats.preemptions).sum();
        let found = [prefill.completed, decode.completed, decode.lost, shown.drained.len() as u64, preempted, stayed];
        sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
    }
    assert!(sums.iter().all(|sum| *sum > 30), "{sums:?}");
}
