//! Does the engine take the time its curve says?

use cluster::flow::Flow;
use units::{SimDuration, SimTime};

use crate::support::{close, flow, model, poisson, service, trace};

const ITERATION_MIN: f64 = 9_540_000.0;
const ITERATION_BASE: f64 = 6_640_000.0;
const PER_KV_TOKEN: f64 = 62.7;
const PER_PROMPT_TOKEN: f64 = 1e9 / 49_900.0;
/// Nanoseconds: coefficients are whole numbers of 2^-20 ns, times a few thousand tokens, and what is shown is rounded down.
const ROUNDING: f64 = 2.0;

fn iteration(kv: f64, prompt: f64) -> f64 {
    (ITERATION_BASE + PER_KV_TOKEN * kv + PER_PROMPT_TOKEN * prompt).max(ITERATION_MIN)
}

/// First token and answer of one request alone, in nanoseconds from its arrival.
fn alone(prompt: u32, output: u32) -> (f64, f64) {
    let end = SimTime::from_secs(100_000);
    let arrival = 123_456_789;
    let mut flow = flow(&service(model(1.0, 1.0)), &trace(&[(arrival, prompt, output)]), 1, end, true);
    assert!(flow.advance(end).is_none());
    let (_, _, rows) = close(flow, end);
    let since = |time: Option<SimTime>| (time.expect("it was answered").as_nanos() - arrival) as f64;
    (since(rows[0].first_token), since(rows[0].end))
}

#[test]
fn an_unloaded_request_takes_what_the_curve_says() {
    for (prompt, output) in [(1_000, 250), (1, 1), (100, 20_000), (8_000, 2)] {
        let (first_token, end) = alone(prompt, output);
        let prompt = f64::from(prompt);
        let expected = iteration(prompt, prompt);
        assert!((first_token - expected).abs() <= ROUNDING, "{first_token} against {expected}");
        let decoding: f64 = (1..output).map(|made| iteration(prompt + f64::from(made), 0.0)).sum();
        let slack = ROUNDING * f64::from(output);
        assert!((end - expected - decoding).abs() <= slack, "{end} against {}", expected + decoding);
    }
}

#[test]
fn a_long_prompt_is_prefilled_chunk_by_chunk() {
    let (first_token, _) = alone(20_000, 5);
    let expected = iteration(8_192.0, 8_192.0) + iteration(16_384.0, 8_192.0) + iteration(20_000.0, 3_616.0);
    assert!((first_token - expected).abs() <= ROUNDING, "{first_token} against {expected}");
}

#[test]
fn requests_in_the_system_are_rate_times_latency() {
    let length = SimDuration::from_secs(4_000);
    let end = SimTime::ZERO + length;
    let mut flow = flow(&service(model(1_000.0, 250.0)), &poisson(24.0, length), 2, end, false);
    let samples = 40_000;
    let mut requests = 0;
    for sample in 1..=samples {
        let now = SimTime::from_nanos(length.as_nanos() / samples * sample);
        assert!(flow.advance(now).is_none());
        let load = flow.load(now);
        requests += load.waiting + load.in_flight;
    }
    let (totals, service, _) = close(flow, end);
    let latency = service.latency_ns_sum as f64 / 1e9 / totals.completed as f64;
    let rate = totals.arrived as f64 / 4_000.0;
    let mean = requests as f64 / samples as f64;
    // The only differences are the last requests and the grid of the samples.
    assert!((mean / (rate * latency) - 1.0).abs() < 2e-3, "{mean} against {rate} x {latency}");
}

#[test]
fn throughput_at_saturation_is_that_of_the_curve() {
    for (prompt, output) in [(1_000.0, 250.0), (100.0, 1_000.0)] {
        let length = SimDuration::from_secs(3_000);
        let end = SimTime::ZERO + length;
        let mut flow = flow(&service(model(prompt, output)), &poisson(60.0, length), 1, end, false);
        let warm = SimTime::from_secs(500);
        assert!(flow.advance(warm).is_none());
        let before = flow.load(warm);
        assert_eq!(before.in_flight, 256, "the batch is full");
        assert!(flow.advance(end).is_none());
        let after = flow.load(end);
        let measured = (after.completed - before.completed) as f64 / 2_500.0;
        // A full batch of 256; a request stays for `output` iterations with prompt + 0.. tokens in the cache.
        let kv = 256.0 * (prompt + (output - 1.0) / 2.0);
        let mean_iteration = ITERATION_BASE + PER_KV_TOKEN * kv + PER_PROMPT_TOKEN * prompt * 256.0 / output;
        let expected = 256.0 / output / (mean_iteration / 1e9);
        // At each end up to a batch is partly done.
        assert!((measured / expected - 1.0).abs() < 256.0 / (measured * 2_500.0), "{measured} against {expected}");
    }
}
