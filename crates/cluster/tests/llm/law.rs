//! A replica on a law with a table: what lone requests take, worked out by hand.

use cluster::flow::Flow;
use cluster::saturation::saturation;
use cluster::spec::{
    EngineSpec, IterationLaw, Overhead, PassTime, PrefillFirst, Scheduler, ServiceModel, ServiceSpec, Speculative,
};
use units::{SimDuration, SimTime};
use workload::Distribution;

use crate::support::{close, flow, poisson, service, trace};

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
        overhead: Overhead::NONE,
        prompt_tokens: Distribution::Constant(1.0),
        output_tokens: Distribution::Constant(1.0),
    }
}

/// Milliseconds to the first and to the last token of a request that is alone.
fn alone(prompt: u32, output: u32) -> [f64; 2] {
    alone_on(EngineSpec::default(), prompt, output)
}

/// The same on another engine.
fn alone_on(engine: EngineSpec, prompt: u32, output: u32) -> [f64; 2] {
    let end = SimTime::ZERO + SimDuration::from_secs(100);
    let mut flow = flow(&ServiceSpec { engine, ..service(example()) }, &trace(&[(0, prompt, output)]), 1, end, true);
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

/// Three guesses, each right in half of the cases in which those before it were: 1 + 1/2 + 1/4 + 1/8 tokens an iteration.
fn guessing(draft_time: SimDuration) -> EngineSpec {
    let speculative = Some(Speculative { tokens: 3, acceptance: vec![0.5; 3], draft_time });
    EngineSpec { speculative, ..EngineSpec::default() }
}

#[test]
fn guesses_make_fewer_iterations_of_more_tokens() {
    let engine = guessing(SimDuration::from_millis(1));
    let first = 12.2207 + (22.2163 - 12.2207) * 488.0 / 512.0 + 0.387_615 + 1.0;
    // 15 tokens at 1.875 an iteration: 8 iterations of 4 tokens each, with 1,001.875 to 1,015 tokens in the cache.
    let pass = 6.333 + (12.2207 - 6.333) * 3.0 / 511.0 + 1.0;
    let decoding = 8.0 * pass + 43.777e-6 * (8.0 * 1_000.0 + 1.875 * 36.0);
    assert_near(alone_on(engine, 1_000, 16), [first, first + decoding]);
}

#[test]
fn more_than_the_saturation_rate_is_not_served() {
    let engines = [Scheduler::Vllm, Scheduler::PrefillFirst(PrefillFirst::default()), Scheduler::NoEvict];
    let engines = engines.map(|scheduler| EngineSpec { scheduler, ..EngineSpec::default() });
    let engines: Vec<EngineSpec> = engines.into_iter().chain([guessing(SimDuration::from_millis(2))]).collect();
    for ((prompt, output), engine) in [(1_000.0, 128.0), (128.0, 512.0)]
        .into_iter()
        .flat_map(|size| engines.clone().into_iter().map(move |engine| (size, engine)))
    {
        // Where all answers are of one length their prompts come in herds, and a herd is slower.
        let mut model = example();
        if let ServiceModel::ContinuousBatching { prompt_tokens, output_tokens, .. } = &mut model {
            (*prompt_tokens, *output_tokens) =
                (Distribution::Constant(prompt), Distribution::Uniform { low: output * 0.25, high: output * 1.75 });
        }
        let expected = saturation(&model, &engine, prompt, output).expect("it fits");
        let length = SimDuration::from_secs(400);
        let end = SimTime::ZERO + length;
        let service = ServiceSpec { engine: engine.clone(), ..service(model) };
        let mut flow = flow(&service, &poisson(expected * 1.3, length), 1, end, false);
        let warm = SimTime::from_secs(150);
        flow.advance(warm);
        let before = flow.load(warm).completed;
        flow.advance(end);
        let measured = (flow.load(end).completed - before) as f64 / 250.0;
        // The rate counts one prompt at a time; several in one pass cost more on this table, which is steeper from 512 tokens on.
        let ratio = measured / expected;
        assert!((0.9..1.05).contains(&ratio), "{engine:?} {prompt}/{output}: {measured} against {expected}");
    }
}

#[test]
fn prompt_and_decode_tokens_of_one_cost_are_the_linear_law() {
    // Prompts of one token: a pass has as many tokens as sequences.
    let requests: Vec<(u64, u32, u32)> =
        (0..200).map(|index| (index * 7_000_000, 1, 1 + index as u32 * 13 % 90)).collect();
    let rows = |law| {
        let mut model = example();
        if let ServiceModel::ContinuousBatching { law: of_model, .. } = &mut model {
            *of_model = law;
        }
        let end = SimTime::from_secs(100);
        let mut flow = flow(&service(model), &trace(&requests), 1, end, true);
        flow.advance(end);
        close(flow, end).2
    };
    let line = IterationLaw::linear(SimDuration::ZERO, SimDuration::from_nanos(5_000_000), [0.0; 2]);
    let points = [(1, 5_100_000.0), (101, 15_100_000.0)];
    let pass = PassTime::Table { points: points.into(), decode_factor: 1.0, prefill_factor: 1.0 };
    let table = IterationLaw { pass, ..line.clone() };
    assert_eq!(rows(IterationLaw { ns_per_sequence: 100_000.0, ..line }), rows(table));
}

#[test]
fn attention_over_a_very_long_prompt_is_exact_to_the_microsecond() {
    let [first_token, _] = alone(65_536, 1);
    let expected = 8.0 * 173.822 + 0.775_23e-6 * 65_536.0 * 65_536.0 / 2.0;
    assert!((first_token - expected).abs() < 1e-4, "{first_token} against {expected}");
}
