//! The simulated engine that tests are repeated on.

use cluster::flow::{LoadAnswer, LoadTest, load_test};
use cluster::spec::{EngineSpec, IterationLaw as SimulatedLaw, Overhead, PassTime, Scheduler, ServiceModel};
use units::{SimDuration, SimTime};
use workload::{Distribution, Purpose, Stream};

use super::super::checks::CheckedRun;
use super::super::run::{RunLoad, Statistic};
use crate::llm::{IterationLaw, LlmPreset};

/// Settings of the engine that load tests do not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `--max-num-seqs`.
    pub sequences_max: Option<u32>,
    /// `--max-num-batched-tokens`.
    pub batched_tokens_max: Option<u32>,
    /// Tokens in the KV cache, from the engine's log.
    pub kv_tokens: Option<u64>,
}

/// An engine: a law, what corrects it, and its settings.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Engine {
    pub law: IterationLaw,
    /// Factors on the points of the table.
    pub pass_factors: Vec<f64>,
    pub decode_factor: f64,
    pub prefill_factor: f64,
    /// Added to every point of the table.
    pub host_s: f64,
    pub overhead_s: f64,
    pub floor_s: f64,
    pub sequences_max: u32,
    pub batched_tokens_max: u32,
    pub kv_tokens: u64,
    pub scheduler: Scheduler,
}

impl Engine {
    /// The engine of a preset, with its own settings where none are given.
    pub fn of_preset(preset: &LlmPreset, settings: &Settings) -> Self {
        let (sequences, tokens) = preset.engine.limits(preset.gpu);
        let kv_tokens = settings.kv_tokens.or_else(|| preset.kv_tokens()).unwrap_or(u64::from(u32::MAX));
        let law = preset.law.clone();
        let engine = Self::new(law, Settings { kv_tokens: Some(kv_tokens), ..*settings }, (sequences, tokens));
        Self { scheduler: preset.engine.scheduler(), ..engine }
    }

    /// An engine with this law and these settings, or the usual ones.
    pub fn new(law: IterationLaw, settings: Settings, (sequences, tokens): (u32, u32)) -> Self {
        Self {
            pass_factors: vec![1.0; law.token_time.len()],
            law,
            decode_factor: 1.0,
            prefill_factor: 1.0,
            host_s: 0.0,
            overhead_s: 0.0,
            floor_s: 0.0,
            sequences_max: settings.sequences_max.unwrap_or(sequences),
            batched_tokens_max: settings.batched_tokens_max.unwrap_or(tokens),
            kv_tokens: settings.kv_tokens.unwrap_or(u64::from(u32::MAX)),
            scheduler: Scheduler::Vllm,
        }
    }

    /// The table as it is corrected: times that do not fall.
    pub fn token_time(&self) -> Vec<(u32, f64)> {
        let mut least = 0.0_f64;
        let points = self.law.token_time.iter().zip(&self.pass_factors);
        points
            .map(|((tokens, time), factor)| {
                least = least.max(time * factor);
                (*tokens, least + self.host_s)
            })
            .collect()
    }

    /// As the cluster runs it.
    pub fn model(&self) -> ServiceModel {
        ServiceModel::ContinuousBatching {
            sequences_max: self.sequences_max,
            batched_tokens_max: self.batched_tokens_max,
            kv_tokens: self.kv_tokens,
            law: SimulatedLaw {
                shortest: SimDuration::from_secs_f64(self.floor_s),
                pass: PassTime::Table {
                    points: self.token_time().into_iter().map(|(tokens, seconds)| (tokens, seconds * 1e9)).collect(),
                    decode_factor: self.decode_factor,
                    prefill_factor: self.prefill_factor,
                },
                ns_per_kv_token: self.law.per_kv_token_s * 1e9,
                ns_per_sequence: self.law.per_sequence_s * 1e9,
                ns_per_prompt_token_context: self.law.per_prompt_token_context_s * 1e9,
            },
            overhead: Overhead::Fixed(SimDuration::from_secs_f64(self.overhead_s)),
            prompt_tokens: Distribution::Constant(1.0),
            output_tokens: Distribution::Constant(1.0),
        }
    }

    /// Repeats a load test.
    pub fn show(&self, test: &Test) -> Shown {
        let load = LoadTest { arrivals: &test.arrivals, tokens: &test.tokens, concurrency: test.concurrency };
        let engine = EngineSpec { scheduler: self.scheduler, ..EngineSpec::default() };
        Shown::of(&load_test(&self.model(), &engine, &load), test.statistic)
    }

    /// Seconds to the first token of requests with these tokens, sent one at a time, without what is outside the engine. A request that never fits
    /// into the cache has none.
    pub fn first_tokens_alone_s(&self, tokens: &[(u32, u32)]) -> Vec<f64> {
        let arrivals = vec![SimTime::ZERO; tokens.len()];
        let load = LoadTest { arrivals: &arrivals, tokens, concurrency: Some(1) };
        let spec = EngineSpec { scheduler: self.scheduler, ..EngineSpec::default() };
        let inside = Self { overhead_s: 0.0, ..self.clone() };
        let answers = load_test(&inside.model(), &spec, &load);
        answers.iter().map(|one| (one.first_token_ns - one.sent_ns) as f64 * 1e-9).collect()
    }
}

/// A load test, ready to be repeated: the same requests in every trial.
#[derive(Clone, Debug)]
pub(super) struct Test {
    arrivals: Vec<SimTime>,
    tokens: Vec<(u32, u32)>,
    concurrency: Option<u32>,
    statistic: Statistic,
}

/// Requests of a repeated test: at least these, two minutes of an open one, and never more than the most.
const REQUESTS: f64 = 300.0;
const SECONDS: f64 = 120.0;
const REQUESTS_MAX: f64 = 6_000.0;

const SEED: u64 = 1;

impl Test {
    /// The test that a run was.
    pub fn of(one: &CheckedRun) -> Self {
        let run = &one.run;
        let (wanted, concurrency) = match run.load {
            RunLoad::Rate { rate, concurrency_max } => (rate * SECONDS, concurrency_max),
            RunLoad::Concurrency(bound) => (f64::from(bound) * 4.0, Some(bound)),
        };
        // AISimulate's closed loops are four requests for each that is under way: its first wave is a quarter of its figures.
        let usual = if run.is_simulated && concurrency.is_some() { wanted } else { wanted.max(REQUESTS) };
        let count = run.completed.filter(|count| *count >= 20.0).unwrap_or(usual).min(REQUESTS_MAX);
        // One request at a time is the same every time.
        let count = if run.load == RunLoad::Concurrency(1) && run.tokens.is_empty() { count.min(40.0) } else { count };
        let count = count.round().max(1.0) as usize;
        let mut dice = Stream::new(SEED, Purpose::Arrivals, 0);
        let arrivals = match run.load {
            RunLoad::Concurrency(_) => vec![SimTime::ZERO; count],
            RunLoad::Rate { rate, .. } => exact_poisson(&mut dice, count, rate),
        };
        let mut lengths = Stream::new(SEED, Purpose::Demand, 0);
        let tokens = (0..count)
            .map(|index| match run.tokens.as_slice() {
                [] => (
                    drawn(&mut lengths, (run.prompt.mean, run.prompt.deviation)),
                    drawn(&mut lengths, (run.output.mean, run.output.deviation)),
                ),
                listed => listed[index % listed.len()],
            })
            .collect();
        Self { arrivals, tokens, concurrency, statistic: run.statistic }
    }
}

impl Test {
    /// A closed loop of equal requests, so many for each that is under way.
    pub fn closed((prompt, output): (f64, f64), (concurrency, rounds): (u32, u32)) -> Self {
        let count = (rounds * concurrency) as usize;
        Self {
            arrivals: vec![SimTime::ZERO; count],
            tokens: vec![(prompt as u32, output as u32); count],
            concurrency: Some(concurrency),
            statistic: Statistic::Mean,
        }
    }
}

/// So many arrivals with exponential gaps, scaled so that they take as long as the rate says.
fn exact_poisson(dice: &mut Stream, count: usize, rate: f64) -> Vec<SimTime> {
    let gap = Distribution::Exponential { mean: 1.0 };
    let mut sum = 0.0;
    let times: Vec<f64> = (0..count)
        .map(|_| {
            sum += gap.sample(dice);
            sum
        })
        .collect();
    let scale = count as f64 / rate / sum.max(1e-9) * 1e9;
    times.iter().map(|time| SimTime::from_nanos((time * scale) as u64)).collect()
}

/// A number of tokens: twelve uniform draws make a normal one.
fn drawn(dice: &mut Stream, (mean, deviation): (f64, f64)) -> u32 {
    // Even without a spread, means that are no whole numbers need two lengths.
    let tokens = if deviation > 0.0 {
        let normal = (0..12).map(|_| dice.uniform()).sum::<f64>() - 6.0;
        (mean + deviation * normal).round()
    } else {
        (mean + dice.uniform()).floor()
    };
    tokens.clamp(1.0, 1e7) as u32
}

/// What a repeated test shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shown {
    pub ttft_s: f64,
    pub tpot_s: f64,
    pub e2e_s: f64,
    pub requests_per_second: f64,
}

impl Shown {
    fn of(answered: &[LoadAnswer], statistic: Statistic) -> Self {
        let seconds = |nanos: u64| nanos as f64 * 1e-9;
        let figure = |mut values: Vec<f64>| {
            if values.is_empty() {
                return f64::NAN;
            }
            match statistic {
                Statistic::Mean => values.iter().sum::<f64>() / values.len() as f64,
                Statistic::Median => {
                    values.sort_by(f64::total_cmp);
                    values[values.len() / 2]
                }
            }
        };
        let ttft = answered.iter().map(|one| seconds(one.first_token_ns - one.sent_ns)).collect();
        let e2e = answered.iter().map(|one| seconds(one.end_ns - one.sent_ns)).collect();
        let several = answered.iter().filter(|one| one.output > 1);
        let tpot = several.map(|one| seconds(one.end_ns - one.first_token_ns) / f64::from(one.output - 1)).collect();
        let last = answered.iter().map(|one| one.end_ns).max().unwrap_or_default();
        Self {
            ttft_s: figure(ttft),
            tpot_s: figure(tpot),
            e2e_s: figure(e2e),
            requests_per_second: answered.len() as f64 / seconds(last.max(1)),
        }
    }
}
