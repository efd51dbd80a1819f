//! Replayed traces.

use std::sync::Arc;

use proptest::prelude::*;
use units::SimTime;
use workload::{ArrivalCursor, Trace, TraceChunk, Traffic, TrafficError};

use crate::statistics::{ks_distance, ks_limit};

/// A trace whose prompts number its requests.
fn numbered(arrival_ns: Vec<u64>) -> Trace {
    let rows = u32::try_from(arrival_ns.len()).expect("a short trace");
    let columns = TraceChunk {
        arrival_ns,
        prompt_tokens: (0..rows).collect(),
        output_tokens: (0..rows).map(|i| i * 2).collect(),
        ..TraceChunk::default()
    };
    Trace::new(columns).expect("a valid trace")
}

fn replay(trace: &Trace, copies: f64, end: SimTime) -> TraceChunk {
    let traffic = Traffic::Replay { source: Arc::new(trace.clone()), copies };
    let (mut cursor, mut chunk) = (ArrivalCursor::new(&traffic, 1, end), TraceChunk::default());
    while cursor.fill(&mut chunk) {}
    chunk.validate().expect("replayed columns stay a trace");
    chunk
}

#[test]
fn one_copy_is_the_trace_itself() {
    let trace = numbered((0..10_000).map(|i| i * i).collect());
    assert_eq!(replay(&trace, 1.0, SimTime::MAX), *trace.columns);
}

#[test]
fn requests_recorded_at_or_after_the_end_are_dropped() {
    let trace = numbered((0..10_000).map(|i| i * 10).collect());
    for (copies, expected) in [(1.0, 5_000), (3.0, 15_000), (0.5, 2_500)] {
        let replayed = replay(&trace, copies, SimTime::from_nanos(50_000));
        assert_eq!(replayed.len(), expected);
        assert!(replayed.arrival_ns.iter().all(|at| *at < 50_000));
    }
}

#[test]
fn copies_of_the_last_request_before_the_end_stay_before_it() {
    let replayed = replay(&numbered(vec![100, 200]), 50.0, SimTime::from_nanos(104));
    assert_eq!(replayed.len(), 50);
    assert!(replayed.arrival_ns.iter().all(|at| (100..104).contains(at)));
}

#[test]
fn copies_of_the_very_last_request_stay_within_a_mean_gap() {
    let replayed = replay(&numbered(vec![100, 110, 130]), 50.0, SimTime::MAX);
    assert!(replayed.arrival_ns[100..].iter().all(|at| (130..145).contains(at)));
}

#[test]
fn half_a_copy_takes_every_other_request() {
    let replayed = replay(&numbered(vec![10, 20, 30, 40, 50]), 0.5, SimTime::MAX);
    assert_eq!(replayed.arrival_ns, [20, 40]);
    assert_eq!(replayed.output_tokens, [2, 6]);
}

#[test]
fn no_copies_are_no_requests() {
    assert!(replay(&numbered(vec![1, 2, 3]), 0.0, SimTime::MAX).is_empty());
    assert!(replay(&numbered(Vec::new()), 2.5, SimTime::MAX).is_empty());
}

#[test]
fn copies_are_spread_evenly_over_the_gap_that_follows() {
    let trace = numbered((0..4_000).map(|i| i * 1_000_000).collect());
    let replayed = replay(&trace, 21.0, SimTime::MAX);
    let extra: Vec<f64> =
        replayed.arrival_ns.iter().map(|at| at % 1_000_000).filter(|at| *at > 0).map(|at| at as f64 * 1e-6).collect();
    let n = extra.len();
    assert!(n > 79_900, "{n}");
    assert!(ks_distance(extra, |x| x) < ks_limit(n));
}

#[test]
fn a_number_of_copies_must_be_one() {
    let traffic = Traffic::Replay { source: Arc::new(numbered(vec![1])), copies: -1.0 };
    assert_eq!(traffic.validate(), Err(TrafficError::Copies { copies: -1.0 }));
}

#[test]
fn sources_with_and_without_tokens_do_not_mix() {
    let bare = TraceChunk { arrival_ns: vec![1, 2], ..TraceChunk::default() };
    let source = |trace| Traffic::Replay { source: Arc::new(trace), copies: 1.0 };
    let with_tokens = source(numbered(vec![1, 3]));
    let mixed = Traffic::Merge(vec![with_tokens.clone(), source(Trace::new(bare).expect("a valid trace"))]);
    assert_eq!(mixed.validate(), Err(TrafficError::MixedTokens));
    assert_eq!(Traffic::Merge(vec![with_tokens.clone(), with_tokens]).validate(), Ok(()));
}

#[test]
fn merged_traces_keep_their_tokens() {
    let source = |times: &[u64]| Traffic::Replay { source: Arc::new(numbered(times.to_vec())), copies: 1.0 };
    let merged = Traffic::Merge(vec![source(&[10, 30, 50]), source(&[20, 40])]);
    let (mut cursor, mut chunk) = (ArrivalCursor::new(&merged, 1, SimTime::MAX), TraceChunk::default());
    while cursor.fill(&mut chunk) {}
    assert_eq!(chunk.arrival_ns, [10, 20, 30, 40, 50]);
    assert_eq!(chunk.prompt_tokens, [0, 0, 1, 1, 2]);
}

proptest! {
    #[test]
    fn exactly_the_asked_share_arrives_in_order_and_within_its_gap(
        gaps in prop::collection::vec(0..1_000_u64, 1..9_000),
        copies in 0.0..6.0_f64,
    ) {
        let times: Vec<u64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
        let trace = numbered(times.clone());
        let replayed = replay(&trace, copies, SimTime::MAX);
        prop_assert_eq!(replayed.len(), (times.len() as f64 * copies) as usize);

        let last = times[times.len() - 1];
        for (at, request) in replayed.arrival_ns.iter().zip(&replayed.prompt_tokens) {
            let request = *request as usize;
            let next = times.get(request + 1).copied().unwrap_or(last + last / (times.len() as u64 - 1).max(1));
            prop_assert!(times[request] <= *at && *at <= next);
        }
        let mut of_each = vec![0_u64; times.len()];
        replayed.prompt_tokens.iter().for_each(|request| of_each[*request as usize] += 1);
        prop_assert!(of_each.iter().all(|count| (*count as f64 - copies).abs() < 1.0));
    }
}

#[test]
fn a_trace_drawn_anew_has_its_rate_its_rows_and_another_choice_of_them_under_every_seed() {
    let trace = numbered((0..40_000).map(|i| i * 1_000).collect());
    let drawn = |copies, seed| {
        let traffic = Traffic::Resampled { source: Arc::new(trace.clone()), copies };
        let (mut cursor, mut chunk) = (ArrivalCursor::new(&traffic, seed, SimTime::MAX), TraceChunk::default());
        while cursor.fill(&mut chunk) {}
        chunk.validate().expect("resampled columns stay a trace");
        chunk
    };
    let chunk = drawn(1.0, 1);
    assert_ne!(chunk, drawn(1.0, 2));
    // A Poisson number of mean 1 for each row: the count has the standard error 200, and a share of 1/e of the rows never comes.
    assert!(chunk.len().abs_diff(40_000) < 800, "{}", chunk.len());
    let half = chunk.arrival_ns.partition_point(|at| *at < 20_000_000);
    assert!(half.abs_diff(20_000) < 600, "{half}");
    let rows: std::collections::BTreeSet<u32> = chunk.prompt_tokens.iter().copied().collect();
    assert!(rows.len().abs_diff(25_285) < 400, "{}", rows.len());
    assert!(chunk.prompt_tokens.iter().zip(&chunk.output_tokens).all(|(prompt, output)| *output == prompt * 2));
    assert!(drawn(2.5, 1).len().abs_diff(100_000) < 1_300);
}
