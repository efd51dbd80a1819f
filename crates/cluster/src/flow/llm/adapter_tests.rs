//! Do requests wait for adapters as long as they should? Worked out by hand: iterations of 10 ms.

use units::{PodId, SimDuration, SimTime};
use workload::{Distribution, Tag, Trace, TraceChunk, Traffic};

use super::{LlmFlow, TokenCounts};
use crate::flow::{Flow, Intake, Meter};
use crate::spec::{
    AdapterSpec, EngineSpec, IterationLaw, Overhead, PrefixSpec, Routing, Scorers, ServiceModel, ServiceSpec, SloSpec,
};

/// A request: when it arrives (milliseconds), tokens of its answer, the adapter it is for.
type Asked = (u64, u32, u32);

fn millis(millis: u64) -> SimDuration {
    SimDuration::from_millis(millis)
}

fn service(adapters: AdapterSpec) -> ServiceSpec {
    let model = ServiceModel::ContinuousBatching {
        sequences_max: 8,
        batched_tokens_max: 4_096,
        kv_tokens: 160_000,
        law: IterationLaw::linear(millis(10), SimDuration::ZERO, [0.0, 0.0]),
        overhead: Overhead::NONE,
        prompt_tokens: Distribution::Constant(1.0),
        output_tokens: Distribution::Constant(1.0),
    };
    let engine = EngineSpec { adapters: Some(adapters), ..EngineSpec::default() };
    ServiceSpec { engine, routing: Routing::LeastRequests, ..ServiceSpec::plain("llm", model) }
}

fn plain(max_active: u32) -> AdapterSpec {
    AdapterSpec {
        max_active,
        max_kept: max_active,
        load: SimDuration::ZERO,
        fetch: SimDuration::ZERO,
        step_overhead: 0.0,
    }
}

/// A flow after all of these are answered. Their prompts have 64 tokens and begin with one system prompt of 32.
fn served(service: &ServiceSpec, asked: &[Asked], replicas: usize) -> LlmFlow {
    let mut columns = TraceChunk::default();
    for &(arrival, output, adapter) in asked {
        columns.push_with_tokens(millis(arrival).as_nanos(), (64, output));
        columns.tag_last(Tag { adapter, group: 1, group_tokens: 32, ..Tag::default() });
    }
    let traffic = Traffic::Replay { source: std::sync::Arc::new(Trace::new(columns).expect("in order")), copies: 1.0 };
    let one = Distribution::Constant(1.0);
    let end = SimTime::ZERO + millis(1_000_000);
    let intake = Intake::new(&traffic, 1, end, None, 1).with_tokens(TokenCounts::new(&one, &one, 1));
    let slo = SloSpec { latency: None, ttft: None, tpot: None, end_to_end: None, objective: 0.9 };
    let mut flow = LlmFlow::new(service, 1, intake, Meter::new(SimTime::ZERO, u64::MAX, &slo, true));
    (0..replicas).for_each(|slot| flow.add(slot, PodId(slot as u32), SimTime::ZERO));
    assert_eq!(flow.advance(end), None);
    flow
}

/// When each is answered, in milliseconds, by the length of its answer.
fn ends(service: &ServiceSpec, asked: &[Asked]) -> Vec<(u32, f64)> {
    let mut flow = served(service, asked, 1);
    let meter = std::mem::replace(flow.meter(), Meter::idle());
    let (_, _, rows) = meter.into_totals(asked.len() as u64);
    let end = |time: SimTime| time.as_nanos() as f64 / 1e6;
    let mut ends: Vec<(u32, f64)> = rows
        .iter()
        .map(|row| (row.output_tokens.expect("it is answered"), end(row.end.expect("it is over"))))
        .collect();
    ends.sort_by_key(|row| row.0);
    ends
}

#[test]
fn who_would_be_one_adapter_too_many_waits_and_others_pass() {
    let asked = [(0, 3, 1), (0, 2, 2), (0, 1, 0), (0, 4, 1)];
    // The second waits until both of the first adapter are done, the fourth and the one for the base model do not wait for it.
    assert_eq!(ends(&service(plain(1)), &asked), [(1, 10.0), (2, 60.0), (3, 30.0), (4, 40.0)]);
    assert_eq!(ends(&service(plain(2)), &asked), [(1, 10.0), (2, 20.0), (3, 30.0), (4, 40.0)]);
}

#[test]
fn one_that_comes_while_others_wait_for_a_place_joins_the_next_iteration() {
    // At 15 ms somebody stands in the queue whose adapter has no place.
    let asked = [(0, 9, 1), (5, 2, 2), (15, 1, 1)];
    assert_eq!(ends(&service(plain(1)), &asked), [(1, 30.0), (2, 110.0), (9, 90.0)]);
}

#[test]
fn a_pass_waits_for_the_adapters_it_needs_first() {
    let adapters = AdapterSpec { load: millis(3), fetch: millis(100), max_kept: 2, ..plain(1) };
    // The first pass fetches and loads 1 (113 ms), the next 2; then 1 is kept and only loaded, and stays while nobody else is served.
    let asked = [(0, 1, 1), (0, 2, 2), (1_000, 3, 1), (2_000, 4, 1)];
    assert_eq!(ends(&service(adapters), &asked), [(1, 113.0), (2, 236.0), (3, 1_033.0), (4, 2_040.0)]);
    assert_eq!(served(&service(adapters), &asked, 1).stats(0, SimTime::ZERO + millis(1_000_000)).adapter_loads, 3);
}

#[test]
fn each_adapter_of_a_pass_lengthens_it() {
    let adapters = AdapterSpec { step_overhead: 0.05, ..plain(2) };
    // 11 ms with both, 10.5 with one, 10 with none.
    let asked = [(0, 1, 1), (0, 2, 2), (0, 4, 0)];
    assert_eq!(ends(&service(adapters), &asked), [(1, 11.0), (2, 21.5), (4, 41.5)]);
}

#[test]
fn adapters_find_nothing_of_each_other_in_the_prefix_cache() {
    let service = ServiceSpec { prefix: PrefixSpec::Cache { blocks_per_entry: 0 }, ..service(plain(2)) };
    let hits = |adapters: [u32; 4]| {
        let asked: Vec<Asked> = adapters.iter().zip(0..).map(|(&adapter, turn)| (1_000 * turn, 1, adapter)).collect();
        served(&service, &asked, 1).stats(0, SimTime::ZERO + millis(1_000_000)).hit_tokens
    };
    assert_eq!([hits([0; 4]), hits([1; 4]), hits([1, 2, 1, 2]), hits([0, 1, 2, 3])], [96, 96, 64, 0]);
}

#[test]
fn affinity_keeps_an_adapter_where_it_is() {
    let adapters = AdapterSpec { load: millis(5), ..plain(1) };
    let asked: Vec<Asked> = (0..100).map(|number| (30 * number, 4, 1 + number as u32 % 2)).collect();
    let loads = |routing| {
        let mut flow = served(&ServiceSpec { routing, ..service(adapters) }, &asked, 2);
        let end = SimTime::ZERO + millis(1_000_000);
        flow.stats(0, end).adapter_loads + flow.stats(1, end).adapter_loads
    };
    let scored = Routing::Scored(Scorers { lora_affinity: 1.0, ..Scorers::default() });
    // In turn: each replica has its own. With requests for both at once a random choice among equals has them change.
    assert_eq!(loads(Routing::RoundRobin), 2);
    let (affine, random) = (loads(scored), loads(Routing::Random));
    assert!(affine * 3 < random, "{affine} {random}");
}
