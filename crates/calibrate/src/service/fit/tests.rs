//! Are the coefficients found that load tests were made with?

use cluster::spec::Scheduler;
use workload::{Distribution, Purpose, Stream};

use super::engine::{Engine, Test};
use super::*;
use crate::llm::llm_preset;
use crate::service::{RunLoad, RunTokens, Statistic};

/// A load test with what this engine shows in it.
fn shown(engine: &Engine, (prompt, output): (f64, f64), load: RunLoad) -> LlmRun {
    let run = LlmRun {
        name: format!("{prompt}/{output} {load:?}"),
        load,
        completed: None,
        requests_per_second: 1.0,
        prompt: RunTokens::constant(prompt),
        output: RunTokens::constant(output),
        tokens: Vec::new(),
        ttfts_s: Vec::new(),
        statistic: Statistic::Mean,
        ttft_s: None,
        tpot_s: None,
        e2e_s: None,
        failed_share: 0.0,
        ttft_thirds_s: None,
        is_simulated: true,
        model: None,
    };
    let test = Test::of(&CheckedRun { run: run.clone(), tpot_s: None, weights: [1.0, 2.0, 1.0] });
    let seen = engine.show(&test);
    LlmRun {
        ttft_s: Some(seen.ttft_s),
        tpot_s: Some(seen.tpot_s),
        e2e_s: Some(seen.e2e_s),
        requests_per_second: seen.requests_per_second,
        ..run
    }
}

fn rate(rate: f64) -> RunLoad {
    RunLoad::Rate { rate, concurrency_max: None }
}

fn value(fit: &LlmFit, name: &str) -> f64 {
    fit.coefficients.iter().find(|one| one.name == name).unwrap_or_else(|| panic!("{name}: {fit:?}")).value
}

#[test]
fn what_a_preset_was_off_by_is_found() {
    let preset = llm_preset("llama-3.1-8b-h100-vllm").unwrap();
    let mut truth = Engine::of_preset(&preset, &Settings::default());
    (truth.decode_factor, truth.prefill_factor, truth.law.per_sequence_s, truth.overhead_s) = (1.12, 1.3, 60e-6, 0.02);
    let runs = vec![
        shown(&truth, (512.0, 64.0), RunLoad::Concurrency(1)),
        shown(&truth, (8192.0, 64.0), RunLoad::Concurrency(1)),
        shown(&truth, (512.0, 256.0), rate(5.0)),
        shown(&truth, (512.0, 256.0), rate(25.0)),
        shown(&truth, (2048.0, 128.0), rate(8.0)),
    ];
    let fit = fit(runs, &Given { preset: Some(&preset), ..Given::default() }).unwrap();
    for (name, told, off) in [
        ("decodeFactor", 1.12, 0.02),
        ("prefillFactor", 1.3, 0.02),
        ("overhead", 0.02, 0.1),
        ("perSequence", 60e-6, 0.15),
    ] {
        assert!((value(&fit, name) / told - 1.0).abs() < off, "{name} {told}: {}", fit.report());
    }
    let held_out = fit.rms(true);
    assert!(held_out[0].unwrap() < 0.05 && held_out[1].unwrap() < 0.02, "{}", fit.report());
}

#[test]
fn a_whole_law_is_found_where_runs_visit_it() {
    let preset = llm_preset("qwen3-8b-a100-vllm").unwrap();
    let mut truth = Engine::of_preset(&preset, &Settings::default());
    truth.law.per_sequence_s = 0.0;
    let closed = |shape, bound| shown(&truth, shape, RunLoad::Concurrency(bound));
    let mut runs: Vec<LlmRun> =
        [128.0, 512.0, 2048.0, 8192.0, 32768.0].map(|prompt| closed((prompt, 64.0), 1)).to_vec();
    runs.extend([4, 16, 64, 128].map(|bound| closed((128.0, 256.0), bound)));
    runs.extend([4, 16, 64].map(|bound| closed((2048.0, 256.0), bound)));
    let like = llm_preset("llama-3.1-8b-a100-vllm").unwrap();
    let fit = fit(runs, &Given { like: Some(&like), ..Given::default() }).unwrap();
    for tokens in [1.0, 64.0, 512.0, 2048.0] {
        let off = fit.pass_s(tokens) / preset.law.pass_s(tokens) - 1.0;
        assert!(off.abs() < 0.06, "{tokens}: {off}\n{}", fit.report());
    }
    assert!((value(&fit, "perKvToken") / preset.law.per_kv_token_s - 1.0).abs() < 0.1, "{}", fit.report());
    assert!(
        (value(&fit, "perPromptTokenContext") / preset.law.per_prompt_token_context_s - 1.0).abs() < 0.1,
        "{}",
        fit.report()
    );
    assert!(fit.rms(true)[1].unwrap() < 0.05, "{}", fit.report());
}

#[test]
fn runs_are_repeated_with_the_scheduler_of_their_engine() {
    let preset = llm_preset("llama-3.1-8b-h100-sglang").unwrap();
    let sglang = Engine::of_preset(&preset, &Settings::default());
    let mixed = Engine { scheduler: Scheduler::Vllm, ..sglang.clone() };
    let first_token = |engine: &Engine| engine.show(&Test::closed((1024.0, 1024.0), (128, 4))).ttft_s;
    assert!(
        first_token(&sglang) > 1.5 * first_token(&mixed),
        "prompts wait for each other: {} s",
        first_token(&sglang)
    );
    let runs = || vec![shown(&sglang, (512.0, 128.0), rate(2.0)), shown(&sglang, (512.0, 128.0), rate(10.0))];
    let beside = fit(runs(), &Given { like: Some(&preset), ..Given::default() }).unwrap().yaml();
    assert!(beside.contains("scheduler: prefillFirst # as SGLang comes; the runs were repeated with it"), "{beside}");
}

#[test]
fn what_the_runs_cannot_tell_is_named_and_not_fitted() {
    let preset = llm_preset("llama-3.1-8b-h100-vllm").unwrap();
    let truth = Engine::of_preset(&preset, &Settings::default());
    let runs = vec![shown(&truth, (512.0, 128.0), rate(2.0)), shown(&truth, (512.0, 128.0), rate(10.0))];
    let found = fit(runs, &Given { preset: Some(&preset), ..Given::default() }).unwrap();
    let names: Vec<&str> = found.coefficients.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["decodeFactor", "perSequence", "overhead"]);
    let report = found.report();
    assert!(report.contains("one prompt length cannot tell overhead from prefillFactor"), "{report}");
    assert!(report.contains("hold-one-out: not enough to check: 2 of at least 4 runs"), "{report}");
    assert!(!found.yaml().contains("prefillFactor") && !found.yaml().contains("kvTokens"), "{}", found.yaml());
}

#[test]
fn a_load_is_never_written_as_a_capacity() {
    let preset = llm_preset("llama-3.1-8b-h100-vllm").unwrap();
    let truth = Engine::of_preset(&preset, &Settings::default());
    let runs = || vec![shown(&truth, (512.0, 128.0), rate(2.0)), shown(&truth, (512.0, 128.0), rate(10.0))];
    let alone = fit(runs(), &Given::default()).unwrap().yaml();
    assert!(alone.contains("# ASSUMED: four times what the busiest run held"), "{alone}");
    let beside = fit(runs(), &Given { like: Some(&preset), ..Given::default() }).unwrap().yaml();
    assert!(beside.contains("kvTokens: 444272 # worked out from memory and weights"), "{beside}");
}

#[test]
fn the_spread_of_the_overhead_is_found_in_requests_sent_one_at_a_time() {
    let preset = llm_preset("llama-3.1-8b-h100-vllm").unwrap();
    let mut truth = Engine::of_preset(&preset, &Settings::default());
    let law = Distribution::LogNormal { p50: 0.018, p90: 0.03 };
    let (mut lengths, mut dice) = (Stream::new(7, Purpose::Demand, 0), Stream::new(7, Purpose::Demand, 1));
    (truth.prefill_factor, truth.overhead_s) = (1.2, law.mean());
    let mut single = shown(&truth, (512.0, 16.0), RunLoad::Concurrency(1));
    single.tokens = (0..500).map(|_| (256 + (512.0 * lengths.uniform()) as u32, 16)).collect();
    let passes = truth.first_tokens_alone_s(&single.tokens);
    single.ttfts_s = passes.iter().map(|passes| passes + law.sample(&mut dice)).collect();
    single.ttft_s = Some(single.ttfts_s.iter().sum::<f64>() / 500.0);
    single.completed = Some(500.0);
    let long = shown(&truth, (8192.0, 64.0), RunLoad::Concurrency(1));
    let given = Given { preset: Some(&preset), ..Given::default() };
    let found = fit(vec![single.clone(), long.clone()], &given).unwrap();
    let spread = found.overhead_spread.clone().unwrap_or_else(|| panic!("{}", found.report()));
    // 500 draws with a standard deviation of the logarithm of 0.4: three standard errors are 5.4 % of p50 and 9 % of p90.
    let (p50, p90) = (spread.law.distribution.p50(), spread.law.distribution.p90());
    assert!((p50 / 0.018 - 1.0).abs() < 0.06 && (p90 / 0.03 - 1.0).abs() < 0.1, "{}", found.report());
    // Of such a sample a gamma is as good.
    let pasted = format!("overhead: {} # of 500 requests", crate::yaml::distribution(&spread.law.distribution));
    assert!(found.yaml().contains(&pasted), "{}", found.yaml());
    // Of the means alone nobody can tell it, and that is said.
    single.ttfts_s.clear();
    let found = fit(vec![single, long], &given).unwrap();
    let said = "overhead is one time for all requests: its spread takes at least 30 requests sent one at a time";
    assert!(found.overhead_spread.is_none() && found.report().contains(said), "{}", found.report());
    assert!(found.yaml().contains("overhead: 1") && !found.yaml().contains("overhead: {"), "{}", found.yaml());
}
