//! Do many iterations at once leave what one by one leaves?

use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use record::{RequestRow, RequestTotals, ServiceTotals};
use units::{PodId, SimDuration, SimTime};
use workload::{Distribution, Tag, Trace, TraceChunk, Traffic};

use super::engine::Engine;
use super::step_engine::StepEngine;
use super::{LlmFlow, RunEngine, TokenCounts};
use crate::flow::{EventFlow, Flow, Intake, LatencyLog, Load, Meter, ReplicaStats, Slot, Watched};
use crate::spec::{
    AdapterSpec, EngineSpec, FlowControl, IterationLaw, KillRule, NoReplicaRule, Overhead, PassTime, Patience, PodSpec,
    PrefillFirst, PrefixSpec, RetryDemand, RetrySpec, RouterSpec, Routing, Scheduler, Scorers, ServiceModel,
    ServiceSpec, SloSpec, Speculative, Tgi,
};

pub(super) const SEED: u64 = 11;

/// A control event.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Add(Slot),
    Drain(Slot),
    Remove(Slot),
    Refuse(Slot),
    Halt(Slot),
    Look,
}

#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) service: ServiceSpec,
    pub(super) requests: Vec<(u64, u32, u32)>,
    pub(super) acts: Vec<(u64, Act)>,
    pub(super) end: u64,
    /// What the first iteration of a replica takes longer.
    pub(super) first_delay: u64,
}

/// What is seen of a replica at a control event.
pub(super) type Sight = (ReplicaStats, (u64, u64), f64, Option<LatencyLog>);

/// Everything a run shows.
#[derive(Debug, PartialEq)]
struct Outcome {
    totals: RequestTotals,
    service: ServiceTotals,
    rows: Vec<RequestRow>,
    looks: Vec<(Load, u64, u64, Vec<Sight>)>,
    removed: Vec<(ReplicaStats, u64)>,
    drained: Vec<(Slot, SimTime)>,
}

pub(super) fn nanos(nanos: u64) -> SimTime {
    SimTime::from_nanos(nanos)
}

pub(super) fn traffic(case: &Case) -> Traffic {
    let mut columns = TraceChunk::default();
    for &(arrival, prompt, output) in &case.requests {
        columns.push_with_tokens(arrival, (prompt, output));
        columns.tag_last(tag_of(prompt, output));
        // Prompts with one number for their first block, and then one of three ways to go on.
        let way = output % 3;
        columns.set_blocks_of_last((0..prompt.div_ceil(16)).map(|block| if block == 0 { 0 } else { 10 * way + block }));
    }
    let trace = Trace::new(columns).expect("requests are sorted");
    Traffic::Replay { source: Arc::new(trace), copies: 1.0 }
}

/// Anything, as long as all of it comes up.
fn tag_of(prompt: u32, output: u32) -> Tag {
    let (group, session) = (prompt % 3, (prompt / 3) % 4);
    let (priority, engine_priority) = (output as i32 % 3 - 1, output as i32 / 3 % 3);
    Tag { session, group, group_tokens: 16 * group + 5, priority, engine_priority, adapter: (prompt + output / 2) % 5 }
}

fn intake(case: &Case) -> Intake {
    let one = Distribution::Constant(1.0);
    Intake::new(&traffic(case), SEED, nanos(case.end), None, 1).with_tokens(TokenCounts::new(&one, &one, SEED))
}

pub(super) fn sight(flow: &mut dyn Flow, slot: Slot, now: SimTime) -> Sight {
    let log = flow.latency(slot, now).cloned();
    (flow.stats(slot, now), flow.replica_load(slot, now), flow.kv_usage(slot, now), log)
}

fn meter(case: &Case) -> Meter {
    let slo = SloSpec {
        latency: Some(SimDuration::from_nanos(400)),
        ttft: None,
        tpot: None,
        end_to_end: None,
        objective: 0.9,
    };
    let timeout =
        case.service.client_timeout.as_ref().and_then(Patience::fixed).map_or(u64::MAX, SimDuration::as_nanos);
    Meter::new(nanos(50), timeout, &slo, true)
}

fn run<E: Engine>(case: &Case) -> Outcome {
    drive(case, &mut LlmFlow::<E>::on_engines(&case.service, SEED, intake(case), meter(case)))
}

fn drive(case: &Case, flow: &mut dyn Flow) -> Outcome {
    flow.watch_latency(&Arc::new(Watched::everything(&[1e-7, 3e-7, 1e-6, 2.0, 20.0])));
    let (mut looks, mut removed, mut drained) = (Vec::new(), Vec::new(), Vec::new());
    // 0 is absent, 1 serving, 2 draining, 3 refusing, 4 halted, 5 halted and still refusing.
    let mut stages = [0; 4];
    for &(at, act) in case.acts.iter().chain(&[(case.end, Act::Look)]) {
        while let Some(empty) = flow.advance(nanos(at)) {
            drained.push((empty.slot, empty.at));
            removed.push(flow.remove(empty.slot, empty.at));
            stages[empty.slot] = 0;
        }
        match act {
            Act::Add(slot) if stages[slot] == 0 => {
                flow.add(slot, PodId(slot as u32), nanos(at));
                if case.first_delay > 0 {
                    flow.slow_first(slot, SimDuration::from_nanos(case.first_delay));
                }
                stages[slot] = 1;
            }
            Act::Refuse(slot) if stages[slot] == 1 && case.service.routing != Routing::CentralQueue => {
                flow.refuse(slot, nanos(at));
                stages[slot] = 3;
            }
            Act::Halt(slot) if stages[slot] == 2 || stages[slot] == 3 => {
                flow.halt(slot, nanos(at));
                stages[slot] = if stages[slot] == 3 { 5 } else { 4 };
            }
            Act::Drain(slot) if [1, 3, 5].contains(&stages[slot]) => {
                stages[slot] = if stages[slot] == 5 { 4 } else { 2 };
                if flow.drain(slot, nanos(at)).is_some() {
                    removed.push(flow.remove(slot, nanos(at)));
                    stages[slot] = 0;
                }
            }
            Act::Remove(slot) if stages[slot] > 0 => {
                removed.push(flow.remove(slot, nanos(at)));
                stages[slot] = 0;
            }
            _ => {
                let present = (0..stages.len()).filter(|&slot| stages[slot] > 0);
                let sights = present.map(|slot| sight(flow, slot, nanos(at))).collect();
                looks.push((flow.load(nanos(at)), flow.started(), flow.central_queue(nanos(at)), sights));
            }
        }
    }
    let arrived = flow.finish(nanos(case.end));
    let meter = std::mem::replace(flow.meter(), Meter::idle());
    let (totals, service, rows) = meter.into_totals(arrived);
    Outcome { totals, service, rows, looks, removed, drained }
}

pub(super) fn pod() -> PodSpec {
    PodSpec {
        gpus: 1,
        gpu_resource: "nvidia.com/gpu".into(),
        containers: Vec::new(),
        grace: SimDuration::ZERO,
        pre_stop: SimDuration::ZERO,
        probe_period: SimDuration::ZERO,
        probe_initial_delay: SimDuration::ZERO,
        endpoint_delay: SimDuration::ZERO,
        drain_delay: None,
        stop: crate::spec::StopRule::FINISH,
        spread: crate::spec::SoftSpread::default(),
        node_selector: Vec::new(),
        priority: 0,
        labels: Vec::new(),
        image: "server:1".into(),
        group: None,
        probes: crate::spec::Probes::default(),
        scheduling: crate::spec::PodScheduling::default(),
    }
}

/// Laws with and without a table, with and without a term for context.
fn laws() -> impl Strategy<Value = IterationLaw> {
    let linear = (1u64..20, prop_oneof![Just(1.0), 0.0..2.0]).prop_map(|(base, ns_per_prompt_token)| {
        PassTime::Linear { base: SimDuration::from_nanos(base), ns_per_prompt_token }
    });
    let points = (1u32..4, 1u32..9, 1.0..9.0, 0.0..9.0);
    let table = (points, 0.5..2.0, 0.5..2.0).prop_map(|((first, gap, time, more), decode_factor, prefill_factor)| {
        let points = [(first, time), (first + gap, time + more), (first + 2 * gap, time + 3.0 * more)];
        PassTime::Table { points: points.into(), decode_factor, prefill_factor }
    });
    let terms = (0u64..40, prop_oneof![Just(0.0), 0.0..0.4], 0.0..3.0, prop_oneof![Just(0.0), 0.0..0.1]);
    (prop_oneof![linear, table], terms).prop_map(|(pass, (shortest, ns_per_kv_token, ns_per_sequence, context))| {
        let shortest = SimDuration::from_nanos(shortest);
        IterationLaw { shortest, pass, ns_per_kv_token, ns_per_sequence, ns_per_prompt_token_context: context }
    })
}

fn models() -> impl Strategy<Value = ServiceModel> {
    let bounds = (1u32..8, prop_oneof![3 => 1u32..48, 1 => 60u32..160], 3u64..20);
    let overhead = prop_oneof![
        4 => (0u64..5).prop_map(|nanos| Overhead::Fixed(SimDuration::from_nanos(nanos))),
        1 => (0u64..3).prop_map(|low| Overhead::Drawn(Distribution::Uniform { low: low as f64 * 1e-9, high: 9e-9 })),
    ];
    (bounds, laws(), overhead).prop_map(|((sequences_max, batched_tokens_max, blocks), law, overhead)| {
        ServiceModel::ContinuousBatching {
            sequences_max,
            batched_tokens_max,
            kv_tokens: blocks * 16,
            law,
            overhead,
            prompt_tokens: Distribution::Constant(1.0),
            output_tokens: Distribution::Uniform { low: 1.0, high: 90.0 },
        }
    })
}

fn scorers() -> impl Strategy<Value = Scorers> {
    let weight = || prop_oneof![Just(0.0), Just(1.0), Just(2.0), Just(3.0)];
    ((weight(), weight(), weight(), weight()), (weight(), weight(), weight(), weight())).prop_map(|(first, second)| {
        Scorers {
            queue: first.0,
            kv_cache_utilization: first.1,
            prefix_cache: first.2,
            running_requests: first.3,
            load_aware: second.0,
            active_request: second.1,
            token_load: second.2,
            session_affinity: second.3,
            lora_affinity: first.1,
        }
    })
}

/// Looks, ticks and bounds on the scale of the random worlds.
fn routers() -> impl Strategy<Value = RouterSpec> {
    let held = (1.0..4.0, 0.3..1.0, 0.5..1.5, (1u64..6, prop::option::of(20u64..900)));
    let flow_control = held.prop_map(|(queue_depth, kv_usage, ceiling, (per_band_requests, ttl))| FlowControl {
        queue_depth,
        kv_usage,
        ceiling,
        per_band_requests,
        per_band_bytes: 600,
        ttl: ttl.map(SimDuration::from_nanos),
        tick: SimDuration::from_nanos(9),
    });
    (1u64..300, prop::option::of(flow_control))
        .prop_map(|(refresh, flow_control)| RouterSpec { refresh: SimDuration::from_nanos(refresh), flow_control })
}

fn prefixes() -> impl Strategy<Value = PrefixSpec> {
    prop_oneof![
        2 => Just(PrefixSpec::Off),
        2 => Just(PrefixSpec::Cache { blocks_per_entry: 0 }),
        1 => Just(PrefixSpec::Cache { blocks_per_entry: 1 }),
        1 => Just(PrefixSpec::Cache { blocks_per_entry: 2 }),
        1 => (0.0..1.0).prop_map(PrefixSpec::HitRatio),
    ]
}

fn engine_specs() -> impl Strategy<Value = EngineSpec> {
    let first = (1u32..90, prop_oneof![Just(0.0), 0.0..2.0], any::<bool>()).prop_map(
        |(prefill_tokens_max, conservativeness, longest_prefix_first)| {
            Scheduler::PrefillFirst(PrefillFirst { prefill_tokens_max, conservativeness, longest_prefix_first })
        },
    );
    let together = (0.0..2.0, 1u32..30, prop::option::of(40u64..300)).prop_map(|(ratio, waiting_tokens_max, total)| {
        Scheduler::Tgi(Tgi { waiting_served_ratio: ratio, waiting_tokens_max, total_tokens_max: total })
    });
    let scheduler = prop_oneof![
        4 => Just(Scheduler::Vllm),
        3 => first,
        1 => Just(Scheduler::NoEvict),
        1 => Just(Scheduler::MaxUtilization),
        2 => together,
    ];
    let threshold = prop::option::weighted(0.4, 1u32..40);
    let flags =
        (prop_oneof![7 => Just(true), 1 => Just(false)], prop_oneof![3 => Just(false), 1 => Just(true)], threshold);
    let extras = (prop::option::weighted(0.4, speculations()), prop::option::weighted(0.4, adapters()));
    let parts = (scheduler, prop::option::of(1u32..200), flags, extras);
    parts.prop_map(|(scheduler, max_new_tokens, (chunks_prompts, by_chunk, threshold), (speculative, adapters))| {
        EngineSpec {
            adapters: adapters.filter(|_| !scheduler.keeps_prompts_apart()),
            long_prefill_token_threshold: threshold
                .filter(|_| scheduler == Scheduler::Vllm && chunks_prompts && speculative.is_none()),
            admits_by_chunk: by_chunk && scheduler == Scheduler::Vllm,
            scheduler,
            max_new_tokens,
            chunks_prompts,
            speculative,
        }
    })
}

fn adapters() -> impl Strategy<Value = AdapterSpec> {
    let overhead = prop_oneof![Just(0.0), 0.0..0.5];
    (1u32..4, 0u32..3, (0u64..60, 0u64..200), overhead).prop_map(|(max_active, more, (load, fetch), step_overhead)| {
        let [load, fetch] = [load, fetch].map(SimDuration::from_nanos);
        AdapterSpec { max_active, max_kept: max_active + more, load, fetch, step_overhead }
    })
}

fn speculations() -> impl Strategy<Value = Speculative> {
    let acceptance = prop::collection::vec(prop_oneof![Just(0.0), Just(1.0), 0.0..1.0], 1..4);
    (acceptance, 0u32..3, 0u64..6).prop_map(|(acceptance, more, draft)| Speculative {
        tokens: acceptance.len() as u32 + more,
        acceptance,
        draft_time: SimDuration::from_nanos(draft),
    })
}

/// A pass has room for the guesses of one sequence at least: no scenario has it otherwise.
fn widened(model: ServiceModel, engine: &EngineSpec) -> ServiceModel {
    let mut model = model;
    if let (ServiceModel::ContinuousBatching { batched_tokens_max, .. }, Some(guesses)) =
        (&mut model, &engine.speculative)
    {
        *batched_tokens_max += guesses.tokens;
    }
    model
}

/// How long clients wait, if they do not wait for ever.
fn limits(longest: u64) -> impl Strategy<Value = Option<Patience>> {
    let fixed = (1..longest).prop_map(|limit| Patience::Fixed(SimDuration::from_nanos(limit)));
    let drawn = (1..longest).prop_map(|mean| Patience::Drawn(Distribution::Exponential { mean: mean as f64 * 1e-9 }));
    prop_oneof![2 => Just(None), 2 => fixed.prop_map(Some), 1 => drawn.prop_map(Some)]
}

fn services() -> impl Strategy<Value = ServiceSpec> {
    let routing = prop_oneof![
        Just(Routing::CentralQueue),
        Just(Routing::RoundRobin),
        Just(Routing::Random),
        Just(Routing::LeastRequests),
        Just(Routing::PowerOfTwo),
        Just(Routing::SessionAffinity),
        scorers().prop_map(Routing::Scored),
    ];
    let no_replica = prop_oneof![Just(NoReplicaRule::Hold), Just(NoReplicaRule::Reject)];
    let kill_rule = prop_oneof![Just(KillRule::Fail), Just(KillRule::Requeue)];
    let retry = RetrySpec {
        attempts_max: 3,
        backoff: SimDuration::from_nanos(40),
        backoff_max: SimDuration::from_nanos(100),
        jitter: 0.5,
        demand: RetryDemand::Same,
    };
    let again = prop_oneof![Just(RetryDemand::Same), Just(RetryDemand::Redraw)];
    let retries = prop::option::of(again.prop_map(move |demand| RetrySpec { demand, ..retry.clone() }));
    let clients = (prop::option::of(0u32..12), (limits(1_500), limits(600)), retries);
    let shared = (routers(), prefixes(), any::<bool>(), engine_specs());
    (models(), routing, no_replica, kill_rule, clients, shared).prop_map(
        |(model, routing, no_replica, kill_rule, (queue_limit, (timeout, patience), retries), shared)| ServiceSpec {
            router: if routing == Routing::CentralQueue { RouterSpec::default() } else { shared.0 },
            routing,
            prefix: shared.1,
            engine_by_priority: shared.2 && shared.3.scheduler == Scheduler::Vllm,
            engine: shared.3.clone(),
            no_replica,
            queue_limit,
            client_timeout: timeout,
            client_patience: patience,
            retries,
            kill_rule,
            replicas_initial: 0,
            pod: pod(),
            ..ServiceSpec::plain("llm", widened(model, &shared.3))
        },
    )
}

pub(super) fn cases() -> impl Strategy<Value = Case> {
    let end = 4_000u64;
    let request = (0..end, 1u32..60, 1u32..90);
    let act = prop_oneof![
        4 => (0usize..4).prop_map(Act::Add),
        1 => (0usize..4).prop_map(Act::Drain),
        1 => (0usize..4).prop_map(Act::Remove),
        1 => (0usize..4).prop_map(Act::Refuse),
        1 => (0usize..4).prop_map(Act::Halt),
        2 => Just(Act::Look),
    ];
    let first_delay = prop_oneof![Just(0u64), 1u64..200];
    let acts = prop::collection::vec((0..end, act), 1..40);
    let parts = (services(), prop::collection::vec(request, 0..80), acts, first_delay);
    parts.prop_map(move |(service, mut requests, mut acts, first_delay)| {
        requests.sort_unstable();
        acts.push((0, Act::Add(0)));
        acts.sort_by_key(|(at, _)| *at);
        Case { service, requests, acts, end, first_delay }
    })
}

/// Without these the comparison below would say little.
#[test]
fn the_random_cases_reach_every_corner() {
    let mut runner = TestRunner::deterministic();
    let (mut preemptions, mut drained, mut requeued) = (0, 0, 0);
    let mut totals = RequestTotals::default();
    let mut aborted_in_service = 0;
    let (mut hits, mut held, mut loads) = (0, 0, 0);
    // By scheduler: answered, computed anew.
    let mut by_scheduler = [(0, 0); 5];
    for _ in 0..1_200 {
        let case = cases().new_tree(&mut runner).expect("nothing is filtered").current();
        let outcome = run::<RunEngine>(&case);
        let of_scheduler = &mut by_scheduler[match case.service.engine.scheduler {
            Scheduler::Vllm => 0,
            Scheduler::PrefillFirst(_) => 1,
            Scheduler::NoEvict => 2,
            Scheduler::MaxUtilization => 3,
            Scheduler::Tgi(_) => 4,
        }];
        of_scheduler.0 += outcome.totals.completed;
        of_scheduler.1 += outcome.removed.iter().map(|(stats, _)| stats.preemptions).sum::<u64>();
        preemptions += outcome.removed.iter().map(|(stats, _)| stats.preemptions).sum::<u64>();
        drained += outcome.drained.len();
        requeued += u64::from(case.service.kill_rule == KillRule::Requeue && !outcome.removed.is_empty());
        let served = |row: &&RequestRow| row.outcome == "timed_out" && row.start.is_some();
        aborted_in_service += outcome.rows.iter().filter(served).count();
        hits += outcome.removed.iter().map(|(stats, _)| stats.hit_tokens).sum::<u64>();
        loads += outcome.removed.iter().map(|(stats, _)| stats.adapter_loads).sum::<u64>();
        let has_hold = case.service.router.flow_control.is_some();
        held += outcome.looks.iter().filter(|look| has_hold && look.2 > 0).count();
        totals.completed += outcome.totals.completed;
        totals.rejected += outcome.totals.rejected;
        totals.timed_out += outcome.totals.timed_out;
        totals.lost += outcome.totals.lost;
        totals.in_system += outcome.totals.in_system;
    }
    println!("{totals:?} {preemptions} {drained} {requeued} {aborted_in_service} {hits} {held}");
    assert!(hits > 2_000 && held > 100 && loads > 500, "{hits} {held} {loads}");
    for count in [totals.completed, totals.rejected, totals.timed_out, totals.lost, totals.in_system] {
        assert!(count > 200, "{totals:?}");
    }
    println!("{by_scheduler:?}");
    let [_, _, kept, _, together] = by_scheduler;
    assert!(by_scheduler.iter().all(|(completed, _)| *completed > 150), "{by_scheduler:?}");
    assert!(kept.1 == 0 && together.1 == 0, "who reserves never computes anew: {by_scheduler:?}");
    assert!(preemptions > 100 && drained > 100 && requeued > 100 && aborted_in_service > 100);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn iterations_advanced_at_once_leave_what_one_by_one_leave(case in cases()) {
        prop_assert_eq!(in_order(run::<RunEngine>(&case)), in_order(run::<StepEngine>(&case)));
    }
}

/// Many short prompts with long answers on one replica whose scheduler keeps little free for answers to come: SGLang's retracts.
fn crowded() -> impl Strategy<Value = Case> {
    let ratio = prop_oneof![Just(0.0), 0.0..0.5];
    (cases(), (ratio, any::<bool>()), 14u64..40, 3u32..10).prop_map(|(mut case, rule, blocks, sequences)| {
        let rule = PrefillFirst { conservativeness: rule.0, longest_prefix_first: rule.1, ..PrefillFirst::default() };
        case.service.engine.scheduler = Scheduler::PrefillFirst(rule);
        (case.service.engine.max_new_tokens, case.service.engine.adapters) = (None, None);
        case.service.engine_by_priority = false;
        case.service.queue_limit = None;
        case.acts.retain(|(at, act)| *at == 0 || matches!(act, Act::Look));
        if let ServiceModel::ContinuousBatching { sequences_max, kv_tokens, .. } = &mut case.service.model {
            (*sequences_max, *kv_tokens) = (sequences, 16 * blocks);
        }
        case.requests.iter_mut().for_each(|request| *request = (request.0 / 2, request.1 / 3 + 1, request.2 + 40));
        case
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn retractions_at_once_leave_what_one_by_one_leave(case in crowded()) {
        prop_assert_eq!(in_order(run::<RunEngine>(&case)), in_order(run::<StepEngine>(&case)));
    }
}

/// Without them the comparison above would say little.
#[test]
fn crowded_replicas_retract() {
    let mut runner = TestRunner::deterministic();
    let retractions: u64 = (0..300)
        .map(|_| {
            let case = crowded().new_tree(&mut runner).expect("nothing is filtered").current();
            let outcome = run::<RunEngine>(&case);
            let last = outcome.looks.last().expect("there is a look at the end");
            last.3.iter().map(|sight| sight.0.preemptions).sum::<u64>()
        })
        .sum();
    assert!(retractions > 30, "{retractions}");
}

/// What is in the system at the end is listed in no order among requests of one instant.
fn in_order(mut outcome: Outcome) -> Outcome {
    outcome.rows.sort_by_key(|row| (row.arrival, row.end, row.prompt_tokens, row.output_tokens));
    outcome
}

/// One sequence at a time, with iterations of one length, is a queue of one slot: the flow between the engines against the event flow.
fn one_by_one() -> impl Strategy<Value = Case> {
    cases().prop_map(|mut case| {
        let routings = [Routing::RoundRobin, Routing::Random, Routing::LeastRequests, Routing::PowerOfTwo];
        (case.service.router, case.service.prefix) = (RouterSpec::default(), PrefixSpec::Off);
        case.service.engine_by_priority = false;
        case.service.engine = EngineSpec::default();
        if !routings.contains(&case.service.routing) {
            case.service.routing = routings[case.requests.len() % 4];
        }
        // The event flow does not know first iterations, does not halt, and does not abort what is in service.
        case.first_delay = 0;
        case.acts.retain(|(_, act)| !matches!(act, Act::Halt(_)));
        (case.service.client_timeout, case.service.client_patience) = (None, None);
        // It has no answers whose lengths could be drawn anew.
        if let Some(retries) = &mut case.service.retries {
            retries.demand = RetryDemand::Same;
        }
        // Of a limit of 0 the event flow knows that nobody waits, which no scenario asks of an engine.
        case.service.queue_limit = case.service.queue_limit.filter(|&limit| limit > 0);
        case.service.model = ServiceModel::ContinuousBatching {
            sequences_max: 1,
            batched_tokens_max: 64,
            kv_tokens: 1_000,
            law: IterationLaw::linear(SimDuration::from_nanos(7), SimDuration::ZERO, [0.0, 0.0]),
            overhead: Overhead::NONE,
            prompt_tokens: Distribution::Constant(1.0),
            output_tokens: Distribution::Constant(1.0),
        };
        case.requests.iter_mut().for_each(|request| request.2 = 20);
        case
    })
}

fn run_events(case: &Case) -> Outcome {
    let time = Distribution::Constant(140e-9);
    let model = ServiceModel::Slots { concurrency: 1, service: time.clone() };
    let service = ServiceSpec { model, ..case.service.clone() };
    let intake = Intake::new(&traffic(case), SEED, nanos(case.end), Some(&time), 1);
    drive(case, &mut EventFlow::new(&service, SEED, intake, meter(case)))
}

/// What both have: no tokens, no executions.
fn without_tokens(mut outcome: Outcome) -> Outcome {
    let plain = |stats: &mut ReplicaStats| {
        (stats.executions, stats.prompt_tokens, stats.output_tokens, stats.admitted_tokens) = (0, 0, 0, 0);
    };
    outcome.service.tokens = None;
    outcome.rows.iter_mut().for_each(|row| {
        (row.first_token, row.prompt_tokens, row.output_tokens) = (None, None, None);
    });
    outcome.removed.iter_mut().for_each(|(stats, _)| plain(stats));
    for (_, _, _, sights) in &mut outcome.looks {
        for (stats, _, kv_usage, latency) in sights {
            plain(stats);
            (*kv_usage, *latency) = (0.0, None);
        }
    }
    outcome
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn one_sequence_at_a_time_is_a_queue_of_one_slot(case in one_by_one()) {
        prop_assert_eq!(without_tokens(run::<RunEngine>(&case)), without_tokens(run_events(&case)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    /// Every prompt token is computed or found, and more is only where something was preempted.
    #[test]
    fn what_is_computed_and_what_is_found_are_the_prompts(case in cases()) {
        let service = ServiceSpec { client_timeout: None, client_patience: None, queue_limit: None, retries: None, ..case.service.clone() };
        let service = ServiceSpec { routing: Routing::RoundRobin, router: RouterSpec::default(), ..service };
        let case = Case { service, ..case };
        let mut flow = LlmFlow::<RunEngine>::on_engines(&case.service, SEED, intake(&case), meter(&case));
        flow.add(0, PodId(0), nanos(0));
        let end = nanos(10_000_000);
        prop_assert_eq!(flow.advance(end), None);
        prop_assert_eq!(flow.load(end).in_flight, 0);
        let stats = flow.engines[0].stats(end.as_nanos());
        let served = case.requests.iter().filter(|request| flow.limits.can_ever_serve(request.1, request.2));
        let prompts: u64 = served.map(|request| u64::from(request.1)).sum();
        let worked = stats.prefilled_tokens + stats.found_tokens;
        prop_assert_eq!(stats.prompt_tokens, prompts);
        prop_assert_eq!(stats.admitted_tokens, prompts);
        prop_assert!(if stats.preemptions == 0 { worked == prompts } else { worked >= prompts }, "{:?}", stats);
        prop_assert_eq!(flow.engines[0].kv_usage(end.as_nanos()), 0.0);
    }
}
