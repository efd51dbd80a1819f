//! Does the router hold, let go and choose as the rules say? Worked out by hand.

use units::{PodId, SimDuration, SimTime};
use workload::{Distribution, Tag, Trace, TraceChunk, Traffic};

use super::{LlmFlow, TokenCounts};
use crate::flow::{Flow, Intake, Meter};
use crate::spec::{
    FlowControl, IterationLaw, Overhead, PrefixSpec, RouterSpec, Routing, Scorers, ServiceModel, ServiceSpec, SloSpec,
};

/// A request: when it arrives (milliseconds), what its prompt and answer have, what else it is.
type Asked = (u64, u32, u32, Tag);

/// Iterations of 10 ms, `sequences_max` at a time.
fn model(sequences_max: u32) -> ServiceModel {
    ServiceModel::ContinuousBatching {
        sequences_max,
        batched_tokens_max: 512,
        kv_tokens: 16_000,
        law: IterationLaw::linear(SimDuration::from_millis(10), SimDuration::ZERO, [0.0, 0.0]),
        overhead: Overhead::NONE,
        prompt_tokens: Distribution::Constant(1.0),
        output_tokens: Distribution::Constant(1.0),
    }
}

fn at(millis: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_millis(millis)
}

fn flow(service: &ServiceSpec, asked: &[Asked], replicas: usize) -> LlmFlow {
    let mut columns = TraceChunk::default();
    for &(arrival, prompt, output, tag) in asked {
        columns.push_with_tokens(at(arrival).as_nanos(), (prompt, output));
        columns.tag_last(tag);
    }
    let traffic = Traffic::Replay { source: std::sync::Arc::new(Trace::new(columns).expect("in order")), copies: 1.0 };
    let one = Distribution::Constant(1.0);
    let intake = Intake::new(&traffic, 1, at(1_000_000), None, 1).with_tokens(TokenCounts::new(&one, &one, 1));
    let slo = SloSpec { latency: None, ttft: None, tpot: None, end_to_end: None, objective: 0.9 };
    let mut flow = LlmFlow::new(service, 1, intake, Meter::new(SimTime::ZERO, u64::MAX, &slo, true));
    (0..replicas).for_each(|slot| flow.add(slot, PodId(slot as u32), SimTime::ZERO));
    flow
}

fn held(flow: &mut LlmFlow, millis: u64) -> u64 {
    assert_eq!(flow.advance(at(millis)), None);
    flow.central_queue(at(millis))
}

fn with_flow_control(rules: FlowControl) -> ServiceSpec {
    let router = RouterSpec { flow_control: Some(rules), ..RouterSpec::default() };
    ServiceSpec { routing: Routing::LeastRequests, router, ..ServiceSpec::plain("llm", model(1)) }
}

#[test]
fn requests_pass_on_old_numbers_until_the_router_looks_and_are_held_from_then_on() {
    // One is served for ever; W = 5 is saturated.
    let asked: Vec<Asked> =
        (1..=20).map(|ms| (ms, 1, 1_000, Tag::default())).chain([(60, 1, 1, Tag::default())]).collect();
    let mut flow = flow(&with_flow_control(FlowControl::default()), &asked, 1);
    // Until 50 ms the router knows what was there at 0: nobody.
    assert_eq!(held(&mut flow, 50), 0);
    assert_eq!(flow.replica_load(0, at(50)), (19, 1));
    assert_eq!(held(&mut flow, 61), 1);
    assert_eq!(flow.saturation(), 19.0 / 5.0);
}

#[test]
fn held_requests_leave_one_per_tick_the_most_urgent_first() {
    // Six of 9 output tokens: the last of them starts after 450 ms; W = 5 until 90 ms, seen at 100 ms.
    let urgent = Tag { priority: 3, ..Tag::default() };
    let mut asked: Vec<Asked> = (1..=6).map(|ms| (ms, 1, 9, Tag::default())).collect();
    asked.extend([(60, 2, 1, Tag::default()), (61, 3, 1, Tag::default()), (62, 4, 1, urgent)]);
    let mut flow = flow(&with_flow_control(FlowControl::default()), &asked, 1);
    assert_eq!(held(&mut flow, 100), 3);
    // The look of 100 ms counts at 101 ms, and each millisecond one goes.
    assert_eq!([101, 102, 103].map(|ms| held(&mut flow, ms)), [2, 1, 0]);
    let prompts: Vec<u32> = flow.requests_at(0);
    assert_eq!(prompts[prompts.len() - 3..], [4, 2, 3]);
}

#[test]
fn a_full_band_rejects_and_the_time_to_live_ends_what_is_held() {
    let rules =
        FlowControl { per_band_requests: 1, ttl: Some(SimDuration::from_millis(100)), ..FlowControl::default() };
    let asked: Vec<Asked> = (1..=10)
        .map(|ms| (ms, 1, 1_000, Tag::default()))
        .chain([(60, 1, 1, Tag::default()), (70, 1, 1, Tag::default())])
        .collect();
    let mut flow = flow(&with_flow_control(rules), &asked, 1);
    assert_eq!((held(&mut flow, 80), flow.load(at(80)).failed), (1, 1));
    assert_eq!((held(&mut flow, 159), flow.expired()), (1, 0));
    assert_eq!((held(&mut flow, 160), flow.expired(), flow.load(at(160)).failed), (0, 1, 2));
}

#[test]
fn without_a_replica_and_before_the_first_look_at_one_everything_is_held() {
    let mut flow = flow(&with_flow_control(FlowControl::default()), &[(10, 1, 1, Tag::default())], 0);
    assert_eq!(held(&mut flow, 60), 1);
    flow.add(0, PodId(0), at(60));
    assert_eq!(held(&mut flow, 100), 1);
    assert_eq!(held(&mut flow, 101), 0);
}

#[test]
fn sheddable_requests_are_turned_away_at_saturation_where_nothing_is_held() {
    let shed = Tag { priority: -1, ..Tag::default() };
    let asked: Vec<Asked> = (1..=10)
        .map(|ms| (ms, 1, 1_000, Tag::default()))
        .chain([(45, 1, 1, shed), (60, 1, 1, shed), (61, 1, 1, Tag::default())])
        .collect();
    let scorers = Scorers { queue: 1.0, ..Scorers::default() };
    let service = ServiceSpec { routing: Routing::Scored(scorers), ..ServiceSpec::plain("llm", model(1)) };
    let mut flow = flow(&service, &asked, 1);
    flow.advance(at(70));
    assert_eq!((flow.load(at(70)).failed, flow.replica_load(0, at(70))), (1, (11, 1)));
}

#[test]
fn a_conversation_goes_back_to_the_replica_that_had_it() {
    let turn = |session| Tag { session, ..Tag::default() };
    let asked: Vec<Asked> =
        vec![(1, 64, 1_000, turn(1)), (2, 64, 1, turn(2)), (30, 96, 1, turn(1)), (31, 96, 1, turn(2))];
    let service = ServiceSpec { routing: Routing::SessionAffinity, ..ServiceSpec::plain("llm", model(8)) };
    let mut flow = flow(&service, &asked, 2);
    flow.advance(at(35));
    // The second turn of the first goes to the busier replica.
    assert_eq!((flow.replica_load(0, at(35)).0 + flow.replica_load(0, at(35)).1, flow.seats[1].load), (2, 1));
}

#[test]
fn a_turn_computes_only_what_the_turn_before_it_has_not() {
    let turn = Tag { session: 1, ..Tag::default() };
    // 64 + 16 tokens, of which the last is never in the cache: 79, four full blocks. Then 160: 64 found, 96 computed.
    let asked: Vec<Asked> = vec![(1, 64, 16, turn), (1_000, 160, 1, turn), (2_000, 160, 1, turn)];
    let prefix = PrefixSpec::Cache { blocks_per_entry: 0 };
    let service = ServiceSpec { routing: Routing::LeastRequests, prefix, ..ServiceSpec::plain("llm", model(8)) };
    let mut flow = flow(&service, &asked, 1);
    flow.advance(at(1_500));
    let stats = flow.stats(0, at(1_500));
    assert_eq!((stats.prompt_tokens, stats.hit_tokens, stats.cached_tokens), (224, 64, 64));
    // The whole prompt again: all but its last block, of which at least a token is computed.
    flow.advance(at(2_500));
    assert_eq!(flow.stats(0, at(2_500)).hit_tokens, 64 + 144);
}

#[test]
fn an_engine_by_priority_takes_the_smallest_first() {
    let of = |engine_priority| Tag { engine_priority, ..Tag::default() };
    let asked: Vec<Asked> = vec![(1, 1, 20, of(5)), (2, 2, 1, of(7)), (3, 3, 1, of(0)), (4, 4, 1, of(5))];
    let service = ServiceSpec {
        routing: Routing::LeastRequests,
        engine_by_priority: true,
        ..ServiceSpec::plain("llm", model(1))
    };
    let mut flow = flow(&service, &asked, 1);
    flow.advance(at(100));
    assert_eq!(flow.requests_at(0), [1, 3, 4, 2]);
}
