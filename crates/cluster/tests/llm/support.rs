//! A language-model service on the published curve, and runs of it.

use std::sync::Arc;

use cluster::flow::{Flow, Intake, LlmFlow, Meter, TokenCounts};
use cluster::spec::{IterationLaw, KillRule, Overhead, Patience, PodSpec, Routing, ServiceModel, ServiceSpec, SloSpec};
use record::{RequestRow, RequestTotals, ServiceTotals};
use units::{PodId, SimDuration, SimTime};
use workload::{Distribution, RateCurve, Trace, TraceChunk, Traffic};

pub const SEED: u64 = 3;

/// Llama 3.1 8B on an H100 without CUDA graphs: an iteration takes max(9.54, 6.64 + 0.0627 per thousand KV tokens) ms, prompts
/// are processed at 49,900 tokens/s, the cache holds 411,264 tokens.
pub fn model(prompt: f64, output: f64) -> ServiceModel {
    ServiceModel::ContinuousBatching {
        sequences_max: 256,
        batched_tokens_max: 8_192,
        kv_tokens: 411_264,
        law: IterationLaw::linear(
            SimDuration::from_nanos(9_540_000),
            SimDuration::from_nanos(6_640_000),
            [62.7, 1e9 / 49_900.0],
        ),
        overhead: Overhead::NONE,
        prompt_tokens: Distribution::Constant(prompt),
        output_tokens: Distribution::Constant(output),
    }
}

pub fn service(model: ServiceModel) -> ServiceSpec {
    ServiceSpec {
        routing: Routing::LeastRequests,
        kill_rule: KillRule::Fail,
        pod: PodSpec { containers: Vec::new(), ..PodSpec::plain() },
        ..ServiceSpec::plain("llm", model)
    }
}

pub fn poisson(rate: f64, length: SimDuration) -> Traffic {
    Traffic::Poisson { rate: Arc::new(RateCurve::constant(rate, length)) }
}

/// Requests of (arrival, prompt, output).
pub fn trace(requests: &[(u64, u32, u32)]) -> Traffic {
    let mut columns = TraceChunk::default();
    for &(arrival, prompt, output) in requests {
        columns.push_with_tokens(arrival, (prompt, output));
    }
    Traffic::Replay { source: Arc::new(Trace::new(columns).expect("arrivals ascend")), copies: 1.0 }
}

/// A flow with `replicas` replicas from the start, and requests that arrive before `end`.
pub fn flow(service: &ServiceSpec, traffic: &Traffic, replicas: usize, end: SimTime, keep_rows: bool) -> LlmFlow {
    let ServiceModel::ContinuousBatching { prompt_tokens, output_tokens, .. } = &service.model else {
        panic!("a language model");
    };
    let tokens = TokenCounts::new(prompt_tokens, output_tokens, SEED);
    let slo = SloSpec { latency: None, ttft: None, tpot: None, end_to_end: None, objective: 0.99 };
    let timeout = service.client_timeout.as_ref().and_then(Patience::fixed).map_or(u64::MAX, SimDuration::as_nanos);
    let meter = Meter::new(SimTime::ZERO, timeout, &slo, keep_rows);
    let intake = Intake::new(traffic, SEED, end, None, 1).with_tokens(tokens);
    let mut flow = LlmFlow::new(service, SEED, intake, meter);
    (0..replicas).for_each(|slot| flow.add(slot, PodId(slot as u32), SimTime::ZERO));
    flow
}

/// Ends the run at `end`, without going on.
pub fn close(mut flow: LlmFlow, end: SimTime) -> (RequestTotals, ServiceTotals, Vec<RequestRow>) {
    let arrived = flow.finish(end);
    std::mem::replace(flow.meter(), Meter::idle()).into_totals(arrived)
}
