//! Do requests that follow from others find in a prefix cache what they should?

use units::{PodId, SimDuration, SimTime};
use workload::{Distribution, SessionLaw, Trace, TraceChunk, Traffic};

use super::{LlmFlow, TokenCounts};
use crate::flow::reactive::Reactive;
use crate::flow::{Flow, Intake, Meter, ReplicaStats, TagDraws};
use crate::spec::{
    GroupSpec, IterationLaw, Overhead, PrefixSpec, Routing, ServiceModel, ServiceSpec, SloSpec, TagSpec,
};

const SEED: u64 = 3;

fn at(seconds: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_secs(seconds)
}

/// Conversations of three turns that begin a second after each other: 64 prompt tokens, 16 of each answer, 32 more with each turn.
fn service(conversations: u64, routing: Routing) -> ServiceSpec {
    let mut columns = TraceChunk::default();
    (0..conversations).for_each(|number| columns.push_with_tokens(at(number).as_nanos(), (64, 16)));
    let trace = Trace::new(columns).expect("in order");
    let starts = Traffic::Replay { source: std::sync::Arc::new(trace), copies: 1.0 };
    let law = SessionLaw {
        turns: Distribution::Constant(3.0),
        think_time: Distribution::Constant(10.0),
        new_tokens: Some(Distribution::Constant(32.0)),
    };
    let model = ServiceModel::ContinuousBatching {
        sequences_max: 64,
        batched_tokens_max: 4_096,
        kv_tokens: 160_000,
        law: IterationLaw::linear(SimDuration::from_millis(10), SimDuration::ZERO, [0.0, 0.0]),
        overhead: Overhead::NONE,
        prompt_tokens: Distribution::Constant(64.0),
        output_tokens: Distribution::Constant(16.0),
    };
    ServiceSpec {
        routing,
        prefix: PrefixSpec::Cache { blocks_per_entry: 0 },
        traffic: Traffic::Sessions { starts: Box::new(starts), law },
        ..ServiceSpec::plain("llm", model)
    }
}

/// What the replicas have done in the end.
fn served(service: &ServiceSpec, replicas: usize) -> ReplicaStats {
    let end = at(10_000);
    let ServiceModel::ContinuousBatching { prompt_tokens, output_tokens, .. } = &service.model else { unreachable!() };
    let intake = Intake::new(&service.traffic, SEED, end, None, 1)
        .with_tokens(TokenCounts::new(prompt_tokens, output_tokens, SEED))
        .with_tags(TagDraws::new(&service.tags, SEED))
        .with_reactive(Reactive::of(service, (false, None), SEED, (SimTime::ZERO, end)));
    let slo = SloSpec { latency: None, ttft: None, tpot: None, end_to_end: None, objective: 0.9 };
    let mut flow = LlmFlow::new(service, SEED, intake, Meter::new(SimTime::ZERO, u64::MAX, &slo, true));
    (0..replicas).for_each(|slot| flow.add(slot, PodId(slot as u32), SimTime::ZERO));
    assert_eq!(flow.advance(end), None);
    let stats: Vec<ReplicaStats> = (0..replicas).map(|slot| flow.stats(slot, end)).collect();
    stats.into_iter().fold(ReplicaStats::default(), |sum, one| ReplicaStats {
        success: sum.success + one.success,
        admitted_tokens: sum.admitted_tokens + one.admitted_tokens,
        hit_tokens: sum.hit_tokens + one.hit_tokens,
        ..sum
    })
}

#[test]
fn a_turn_finds_all_whole_blocks_of_the_turn_before() {
    let stats = served(&service(1, Routing::LeastRequests), 1);
    // Prompts of 64, 112 and 160. The last token of an answer is in no cache: 79 and 127 tokens are, of these whole blocks 64 and 112.
    assert_eq!((stats.success, stats.admitted_tokens, stats.hit_tokens), (3, 64 + 112 + 160, 64 + 112));
}

#[test]
fn conversations_are_told_apart() {
    let (one, many) =
        (served(&service(1, Routing::LeastRequests), 1), served(&service(200, Routing::LeastRequests), 1));
    assert_eq!((many.success, many.hit_tokens), (600, 200 * one.hit_tokens));
}

#[test]
fn affinity_brings_a_turn_to_what_the_turn_before_has_left() {
    let (apart, home) =
        (served(&service(200, Routing::RoundRobin), 4), served(&service(200, Routing::SessionAffinity), 4));
    assert_eq!(home.hit_tokens, 200 * (64 + 112));
    assert!(apart.hit_tokens < home.hit_tokens / 2, "{}", apart.hit_tokens);
}

#[test]
fn a_conversation_keeps_the_system_prompt_it_began_with() {
    let groups = Some(GroupSpec { count: 7, tokens: 32, zipf: 0.0 });
    let stats = served(
        &ServiceSpec { tags: TagSpec { groups, ..TagSpec::default() }, ..service(200, Routing::LeastRequests) },
        1,
    );
    // As without, and each first turn but the first of each group finds the system prompt.
    assert_eq!(stats.hit_tokens, 200 * (64 + 112) + (200 - 7) * 32);
}
