//! A replica on a law with a table: what lone requests take, worked out by hand.

use cluster::flow::Flow;
use cluster::spec::{IterationLaw, PassTime, ServiceModel};
use units::{SimDuration, SimTime};
use workload::Distribution;

use crate::support::{close, flow, service, trace};

/// Llama-3.1-8B on one H100 with vLLM (a fit to AISimulate 0.13's tables), as far as these requests need it.
fn example() -> ServiceModel {
    let points = [(1, 6.333e6), (512, 12.2207e6), (1_024, 22.2163e6), (8_192, 173.822e6)];
    ServiceModel::ContinuousBatching {
        sequences_max: 256,
        batched_tokens_max: 8_192,
        kv_tokens: 444_000,
        law: IterationLaw {
            shortest: SimDuration::ZERO,
            pass: PassTime::Table { points: points.into(), decode_factor: 1.0, prefill_factor: 1.0 },
            ns_per_kv_token: 43.777,
            ns_per_sequence: 0.0,
            ns_per_prompt_token_context: 0.775_23,
        },
        overhead: SimDuration::ZERO,
        prompt_tokens: Distribution::Constant(1.0),
        output_tokens: Distribution::Constant(1.0),
    }
}

/// Milliseconds to the first and to the last token of a request that is alone.
fn alone(prompt: u32, output: u32) -> [f64; 2] {
    let end = SimTime::ZERO + SimDuration::from_secs(100);
    let mut flow = flow(&service(example()), &trace(&[(0, prompt, output)]), 1, end, true);
    flow.advance(end);
    let (_, _, rows) = close(flow, end);
    [rows[0].first_token, rows[0].end].map(|time| time.expect("it was answered").as_nanos() as f64 / 1e6)
}

fn assert_near(found: [f64; 2], wanted: [f64; 2]) {
    let is_near = found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-4);
    assert!(is_near, "{found:?} ms, not {wanted:?} ms");
}

#[test]
fn a_short_prompt_takes_the_table_and_its_own_attention() {
    // g(1000) lies on the line between 512 and 1024 tokens, and 0.77523 ns x 1000^2 / 2 come on top.
    let pass = 12.2207 + (22.2163 - 12.2207) * 488.0 / 512.0 + 0.387_615;
    // 99 iterations of one token with 1,001 to 1,099 tokens in the cache.
    assert_near(alone(1_000, 100), [pass, pass + 99.0 * 6.333 + 43.777e-6 * 99.0 * 1_050.0]);
}

#[test]
fn a_long_prompt_goes_in_chunks_each_dearer_than_the_one_before() {
    let slope = (173.822 - 22.2163) / 7_168.0;
    let last = 22.2163 + slope * (3_616.0 - 1_024.0) + 0.775_23e-6 * 3_616.0 * (16_384.0 + 1_808.0);
    let first_token = 199.834_4 + 251.859_2 + last;
    let decoding = 49.0 * 6.333 + 43.777e-6 * 49.0 * 20_025.0;
    let found = alone(20_000, 50);
    assert!((found[0] - first_token).abs() < 2e-4 && (found[1] - first_token - decoding).abs() < 3e-4, "{found:?}");
}
