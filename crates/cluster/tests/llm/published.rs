//! Does a replica on the published curve answer as the measured ones did?

use cluster::flow::Flow;
use cluster::spec::{Overhead, ServiceModel};
use units::{SimDuration, SimTime};

use crate::support::{close, flow, model, poisson, service};

/// Median latency in seconds and mean batch of replicas at `rate` requests/s each.
fn steady((prompt, output): (f64, f64), rate: f64) -> (f64, f64, f64) {
    let length = SimDuration::from_secs(3_000);
    let end = SimTime::ZERO + length;
    let mut model = model(prompt, output);
    if let ServiceModel::ContinuousBatching { overhead, .. } = &mut model {
        *overhead = Overhead::Fixed(SimDuration::from_nanos(20_000_000));
    }
    let mut flow = flow(&service(model), &poisson(rate * 4.0, length), 4, end, false);
    assert!(flow.advance(end).is_none());
    let (totals, service, _) = close(flow, end);
    let median = service.latency.quantile(0.5).expect("requests were answered") as f64 / 1e9;
    let tokens = service.tokens.expect("tokens were made");
    let between = tokens.tpot.quantile(0.5).expect("more than one") as f64 / 1e6;
    let mean = service.latency_ns_sum as f64 / 1e9 / totals.completed as f64;
    (median, between, mean * rate)
}

/// Four runs of Llama 3.1 8B on H100s by biranofer/workload-variant-autoscaler: (prompt, output) tokens, requests/s per replica (requests
/// over replica-seconds of the load, or of the stage that held the most replicas), median latency.
const RUNS: [((f64, f64), f64, f64); 4] = [
    ((1_000.0, 250.0), 13.0 / 2.44, 2.66),
    ((1_000.0, 250.0), 24.0 / 5.0, 2.59),
    ((100.0, 1_000.0), 24.0 / 10.0, 10.08),
    ((300.0, 300.0), 10.0 / 1.88, 2.831),
];

#[test]
fn medians_are_within_the_tolerance_of_the_published_runs() {
    let mut squares = 0.0;
    for (tokens, rate, published) in RUNS {
        let (median, between, batch) = steady(tokens, rate);
        let error = median / published - 1.0;
        println!(
            "{tokens:?} at {rate:.2}/s: {median:.3} s ({published} s), {between:.2} ms per token, batch {batch:.1}: {:+.1} %",
            error * 100.0
        );
        squares += error * error;
        assert!(error.abs() < 0.08, "{tokens:?} at {rate}/s: {median} s, published {published} s");
    }
    println!("RMS {:.1} %", (squares / RUNS.len() as f64).sqrt() * 100.0);
}

/// The curve as it was fitted: with a batch of b, tokens are `max(9.54, 6.64 + 0.0627 K) + b in / (49.9 out)` ms apart.
#[test]
fn time_between_tokens_is_the_fitted_curve() {
    let shapes = [(1_000.0, 250.0), (100.0, 1_000.0), (300.0, 300.0), (4_000.0, 200.0)];
    let mut squares = Vec::new();
    for (prompt, output) in shapes {
        for share in [0.1, 0.3, 0.5, 0.7] {
            // Of the rate at which a batch of 120 would be full.
            let full =
                120.0 / (output * 0.0066 + 120.0 * (output * 62.7e-9 * (prompt + output / 2.0) + prompt / 49_900.0));
            let (_, between, batch) = steady((prompt, output), full * share);
            let kv_thousands = batch * (prompt + output / 2.0) / 1_000.0;
            let fitted = (6.64 + 0.0627 * kv_thousands).max(9.54) + batch * prompt / (49.9 * output);
            println!("{prompt}/{output} batch {batch:.1}: {between:.2} ms, fitted {fitted:.2} ms");
            squares.push((between / fitted - 1.0).powi(2));
        }
    }
    let error = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
    println!("RMS {:.1} %", error * 100.0);
    // The fit itself is within 6.6 % of the measurements it was made from.
    assert!(error < 0.066, "{error}");
}
