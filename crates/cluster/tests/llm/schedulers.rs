//! What each scheduler does that the others do not, worked out by hand.

use cluster::flow::Flow;
use cluster::spec::{EngineSpec, IterationLaw, PrefillFirst, Scheduler, ServiceModel, ServiceSpec, Tgi};
use record::RequestRow;
use units::{SimDuration, SimTime};

use crate::support::{close, flow, model, poisson, service, trace};

const MILLI: u64 = 1_000_000;

/// Iterations of 10 ms and a microsecond per prompt token.
fn engine(scheduler: Scheduler, kv_tokens: u64) -> ServiceSpec {
    let mut model = model(1.0, 1.0);
    let ServiceModel::ContinuousBatching { kv_tokens: kv, law, .. } = &mut model else { panic!("a language model") };
    *kv = kv_tokens;
    *law = IterationLaw::linear(SimDuration::ZERO, SimDuration::from_millis(10), [0.0, 1_000.0]);
    ServiceSpec { engine: EngineSpec { scheduler, ..EngineSpec::default() }, ..service(model) }
}

fn prefill_first(conservativeness: f64) -> Scheduler {
    Scheduler::PrefillFirst(PrefillFirst { conservativeness, ..PrefillFirst::default() })
}

/// What becomes of requests of (arrival, prompt, output), and how often one was computed anew.
fn rows(service: &ServiceSpec, requests: &[(u64, u32, u32)]) -> (Vec<RequestRow>, u64) {
    let end = SimTime::from_secs(1_000);
    let mut flow = flow(service, &trace(requests), 1, end, true);
    assert_eq!(flow.advance(end), None);
    let anew = flow.stats(0, end).preemptions;
    let mut rows = close(flow, end).2;
    rows.sort_by_key(|row| row.arrival);
    (rows, anew)
}

/// Milliseconds of first tokens and ends.
fn times(rows: &[RequestRow]) -> Vec<[f64; 2]> {
    let millis = |time: Option<SimTime>| time.expect("it was answered").as_nanos() as f64 / 1e6;
    rows.iter().map(|row| [millis(row.first_token), millis(row.end)]).collect()
}

#[test]
fn sglang_lets_decoding_wait_for_a_prompt_and_vllm_does_not() {
    let requests = [(0, 1_000, 3), (15 * MILLI, 2_000, 2)];
    let of = |scheduler| times(&rows(&engine(scheduler, 100_000), &requests).0);
    assert_eq!(of(Scheduler::Vllm), [[11.0, 33.0], [33.0, 43.0]]);
    assert_eq!(of(prefill_first(1.0)), [[11.0, 43.0], [33.0, 43.0]]);
}

#[test]
fn a_threshold_lets_a_short_prompt_into_the_passes_of_a_long_one() {
    let requests = [(0, 20_000, 1), (MILLI, 100, 2), (2 * MILLI, 5_000, 1)];
    let of = |threshold: Option<u32>| {
        let mut service = engine(Scheduler::Vllm, 100_000);
        service.engine.long_prefill_token_threshold = threshold;
        times(&rows(&service, &requests).0)
    };
    // Chunks of 8,192, 8,192 and 3,616 tokens; only the last leaves room, for the other two: 100 and 4,476 tokens, then 524 beside a token.
    assert_eq!(of(None), [[54.576; 2], [54.576, 65.1], [65.1; 2]]);
    // 3,000 tokens of the long one in each pass, beside them the short one and 3,000 and 2,000 of the third.
    assert_eq!(of(Some(3_000)), [[13.0 + 16.1 + 15.0 + 3.0 * 13.0 + 12.0; 2], [29.1, 44.1], [44.1; 2]]);
}

#[test]
fn a_cut_prompt_goes_on_before_anybody_decodes() {
    // Chunks of 8,192, 8,192 and 3,616 tokens; the third has room for another prompt.
    let requests = [(0, 1_000, 3), (15 * MILLI, 20_000, 1), (16 * MILLI, 100, 1)];
    let found = times(&rows(&engine(prefill_first(1.0), 100_000), &requests).0);
    let passes = 21.0 + 18.192 + 18.192 + 13.716;
    assert_eq!(found, [[11.0, passes + 10.0], [passes; 2], [passes; 2]]);
}

#[test]
fn sglang_retracts_who_has_made_the_fewest_tokens() {
    // Ten blocks; each needs four in the end, and with nothing kept for answers to come all three are admitted, one by one.
    let requests = [(0, 20, 41), (15 * MILLI, 20, 41), (40 * MILLI, 20, 41)];
    let (found, anew) = rows(&engine(prefill_first(0.0), 160), &requests);
    let found = times(&found);
    assert_eq!(anew, 1);
    assert!(found[2][0] < found[0][1], "the third ran beside the first: {found:?}");
    assert!(found[2][1] > found[1][1] + 50.0, "and was computed anew behind it: {found:?}");
    let (_, kept) = rows(&engine(prefill_first(1.4), 160), &requests);
    assert_eq!(kept, 0, "who keeps all that may come never retracts");
}

#[test]
fn guaranteed_no_evict_admits_when_the_whole_answer_fits() {
    let requests = [(0, 20, 41), (0, 20, 41)];
    let (vllm, preempted) = rows(&engine(Scheduler::Vllm, 96), &requests);
    let (paused, also) = rows(&engine(Scheduler::MaxUtilization, 96), &requests);
    assert_eq!((times(&vllm), preempted, also), (times(&paused), 1, 1));
    let (kept, never) = rows(&engine(Scheduler::NoEvict, 96), &requests);
    assert_eq!((kept[1].start, never), (kept[0].end, 0));
}

#[test]
fn what_clients_may_ask_for_keeps_others_out() {
    let mut service = engine(Scheduler::NoEvict, 1_024);
    let requests: Vec<(u64, u32, u32)> = (0..4).map(|_| (0, 100, 10)).collect();
    let at_once = |service: &ServiceSpec| {
        let found = rows(service, &requests).0;
        found.iter().filter(|row| row.start == Some(SimTime::ZERO)).count()
    };
    assert_eq!(at_once(&service), 4);
    service.engine.max_new_tokens = Some(400);
    assert_eq!(at_once(&service), 2, "32 blocks of 64 for each");
    // More than the cache holds is cut to that.
    service.engine.max_new_tokens = Some(100_000);
    assert_eq!(at_once(&service), 1);
}

#[test]
fn tgi_waits_for_a_share_of_the_batch_or_for_a_while() {
    let running = |more: &[(u64, u32, u32)]| {
        let mut requests = vec![(0, 10, 100); 10];
        requests.extend(more);
        times(&rows(&engine(Scheduler::Tgi(Tgi::default()), 100_000), &requests).0)[10][0]
    };
    // The first pass takes 10.1 ms; 19 tokens later any number is taken.
    assert_eq!(running(&[(15 * MILLI, 10, 2)]), 210.11);
    // Three are a share of 0.3 of ten.
    assert_eq!(running(&[(15 * MILLI, 10, 2), (55 * MILLI, 10, 2), (56 * MILLI, 10, 2)]), 70.13);
}

#[test]
fn a_pass_of_prompts_is_followed_by_one_of_decoding_in_tgi() {
    // Two arrive while the first decodes; a third in the pass of the second.
    let requests = [(0, 10, 100), (15 * MILLI, 2_000, 2), (21 * MILLI, 2_000, 2)];
    let found = times(&rows(&engine(Scheduler::Tgi(Tgi::default()), 100_000), &requests).0);
    assert_eq!(found[1..], [[32.01, 42.01], [54.01, 64.01]]);
}

#[test]
fn a_prompt_that_is_not_cut_waits_for_a_pass_it_fits_into() {
    let mut service = engine(Scheduler::Vllm, 100_000);
    service.engine.chunks_prompts = false;
    let requests = [(0, 100, 5), (15 * MILLI, 8_190, 2), (16 * MILLI, 8_191, 2), (17 * MILLI, 9_000, 2)];
    let end = SimTime::from_secs(10);
    let mut flow = flow(&service, &trace(&requests), 1, end, true);
    flow.advance(end);
    assert_eq!((flow.load(end).completed, flow.load(end).failed), (3, 1), "the last is longer than a pass");
    let rows = close(flow, end).2;
    let starts: Vec<SimTime> = rows.iter().filter_map(|row| row.start).collect();
    // Beside one that decodes 8,191 tokens are left.
    assert_eq!(starts[1], SimTime::from_nanos(20_100_000));
}

#[test]
fn under_load_prompts_first_bring_first_tokens_sooner_and_later_ones_later() {
    let length = SimDuration::from_secs(300);
    let end = SimTime::ZERO + length;
    let means = |scheduler| {
        let mut model = model(4_000.0, 200.0);
        let ServiceModel::ContinuousBatching { batched_tokens_max, .. } = &mut model else {
            panic!("a language model")
        };
        *batched_tokens_max = 2_048;
        let spec = ServiceSpec { engine: EngineSpec { scheduler, ..EngineSpec::default() }, ..service(model) };
        let mut flow = flow(&spec, &poisson(6.0, length), 1, end, true);
        flow.advance(end);
        let rows = close(flow, end).2;
        let done: Vec<(f64, f64)> = rows
            .iter()
            .filter_map(|row| {
                let since = |from: SimTime, to: SimTime| to.since(from).as_secs_f64();
                let (first, end) = (row.first_token?, row.end?);
                Some((since(row.arrival, first), since(first, end)))
            })
            .collect();
        let mean = |of: fn(&(f64, f64)) -> f64| done.iter().map(of).sum::<f64>() / done.len() as f64;
        (mean(|one| one.0), mean(|one| one.1))
    };
    let (mixed, first) = (means(Scheduler::Vllm), means(prefill_first(1.0)));
    assert!(first.0 < mixed.0 && first.1 > mixed.1, "{first:?} against {mixed:?}");
}
