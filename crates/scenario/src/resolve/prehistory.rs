//! What runs before the run: for how long, and at which rate.

use std::collections::BTreeSet;
use std::sync::Arc;

use cluster::prehistory::{needed, sustainable};
use cluster::spec::{EarlierTraffic, PrehistorySpec, ServiceSpec, SimulationSpec};
use units::{SimDuration, SimTime};
use workload::{ArrivalCursor, Distribution, RateCurve, TraceChunk};

use crate::error::ScenarioError;
use crate::file::{PrehistoryFile, RunFile};

use super::Context;
use super::traffic::Before;

const MINUTE: SimDuration = SimDuration::from_secs(60);
/// A day of it fills any range that people write.
const LENGTH_MAX: SimDuration = SimDuration::from_secs(86_400);
/// Longer ones are worth a word: they are simulated as the run is.
const LENGTH_LONG: SimDuration = SimDuration::from_secs(1_800);
const STEP: SimDuration = SimDuration::from_secs(10);
/// What of a trace stands for the time before it.
const TRACE_HEAD: SimTime = SimTime::from_secs(600);
const TRACE_REQUESTS: usize = 1_000;

impl Context<'_> {
    /// The prehistory of an experiment that is resolved but for it.
    pub(super) fn prehistory(
        &mut self,
        run: &RunFile,
        spec: &mut SimulationSpec,
        before: Vec<Option<Before>>,
    ) -> Result<(), ScenarioError> {
        self.turn_to_all();
        let needed = needed(spec);
        let length = match (run.prehistory, needed) {
            (PrehistoryFile::None, _) | (PrehistoryFile::Auto, None) => return Ok(()),
            (PrehistoryFile::Auto, Some(needed)) => needed.length().min(LENGTH_MAX),
            (PrehistoryFile::For(time), _) => {
                let length = time.duration();
                if length.is_zero() || length > LENGTH_MAX {
                    let reason = "must be longer than zero and at most a day; `none` is for nothing at all";
                    return Err(self.inconsistent("spec.run.prehistory", reason));
                }
                MINUTE * length.as_nanos().div_ceil(MINUTE.as_nanos())
            }
        };
        let needed = needed.unwrap_or_default();
        if run.prehistory == PrehistoryFile::Auto && length > LENGTH_LONG {
            self.notes.push(format!(
                "{length} before the start are simulated, for queries look back {}; `run.prehistory` states another length",
                needed.ranges
            ));
        }
        let rehearsal = length.saturating_sub(needed.ranges).min(length);
        spec.prehistory = PrehistorySpec { length, rehearsal };
        for (number, before) in before.into_iter().enumerate() {
            self.turn_to(number);
            let service = &spec.services[number];
            let head = Head::read(spec.end, service, service.seed(run.seed));
            spec.services[number].earlier = self.earlier(head, before, length);
            self.note_unserved(spec, number);
        }
        Ok(())
    }

    /// What one service is asked in a prehistory of this length.
    fn earlier(&mut self, head: Head, before: Option<Before>, length: SimDuration) -> EarlierTraffic {
        let rate = match &before {
            Some(before) => curve(before, length),
            None => RateCurve::constant(head.rate, length),
        };
        if before.is_none() && head.rate > 0.0 {
            self.notes.push(format!(
                "before the start {:.3}req/s arrive, the mean of the trace's first 10 minutes; `traffic.history.rate` states another rate, \
                 `run.prehistory: none` a start with empty metrics",
                head.rate
            ));
        }
        if before.as_ref().is_some_and(|before| before.is_idle) {
            let reason = "before the start nobody calls, for the load test, or its sessions, begin with the run; `traffic.history.rate` states a rate";
            self.notes.push(reason.to_owned());
        }
        let rate = (rate.peak() > 0.0).then(|| Arc::new(rate));
        let (tokens, adapters) = (head.tokens.filter(|_| rate.is_some()), head.adapters);
        let is_rate_stated = before.as_ref().is_some_and(|before| before.is_stated);
        let gaps = before.and_then(|before| before.gaps);
        EarlierTraffic { rate, is_rate_stated, gaps, tokens, adapters }
    }

    /// Says where the replicas of the start could not have served what the traffic says.
    fn note_unserved(&mut self, spec: &SimulationSpec, number: usize) {
        let service = &spec.services[number];
        let Some(rate) = service.earlier.rate.as_ref().map(|curve| curve.mean()) else { return };
        let policies = 0..spec.policies.len();
        let counts: BTreeSet<u32> = policies.map(|policy| spec.replicas_at_start(policy, number)).collect();
        for replicas in counts {
            let limit = sustainable(service, replicas);
            let note = match replicas {
                0 => "before the start nobody calls, for the run begins with no replica".to_owned(),
                _ if service.earlier.is_rate_stated || rate <= limit => continue,
                _ => format!(
                    "before the start {limit:.3}req/s arrive, not {rate:.3}req/s: {replicas} ready at the start could not have served \
                     more; `traffic.history.rate` states another rate, `run.prehistory: none` a start with empty metrics"
                ),
            };
            self.notes.push(note);
        }
    }
}

/// The rate that leads up to the start, from the beginning of a prehistory of this length. Where a record has a gap, the first known
/// rate of the run stands for it.
fn curve(before: &Before, length: SimDuration) -> RateCurve {
    let start = before.rate.at(0.0).unwrap_or(0.0);
    RateCurve::from_fn(STEP, length, |at| before.rate.at(at.as_secs_f64() - length.as_secs_f64()).unwrap_or(start))
}

/// The beginning of the traffic.
struct Head {
    /// Requests per second.
    rate: f64,
    /// Tokens of its requests, if they come with it.
    tokens: Option<(Distribution, Distribution)>,
    /// Share of its requests for each adapter, if they come with it.
    adapters: Vec<f64>,
}

impl Head {
    fn read(end: SimTime, service: &ServiceSpec, seed: u64) -> Self {
        let mut cursor = ArrivalCursor::new(&service.traffic, seed, end);
        let until = TRACE_HEAD.min(end);
        let mut read = TraceChunk::default();
        while read.len() < TRACE_REQUESTS || read.arrival_ns.last().is_some_and(|last| *last < until.as_nanos()) {
            if !cursor.fill(&mut read) {
                break;
            }
        }
        let arrived = read.arrival_ns.partition_point(|arrival| *arrival < until.as_nanos());
        let rate = arrived as f64 / until.since(SimTime::ZERO).as_secs_f64();
        let is_worded = service.traffic.has_tokens() && !read.arrival_ns.is_empty();
        let tokens = is_worded.then(|| (law(&read.prompt_tokens), law(&read.output_tokens)));
        Self { rate, tokens, adapters: shares(&read) }
    }
}

/// The share of the first requests that are for each adapter; none where they are for none.
fn shares(read: &TraceChunk) -> Vec<f64> {
    let first = read.len().min(TRACE_REQUESTS);
    let numbers = || (0..first).map(|row| read.tag(row).adapter as usize);
    let mut shares = vec![0.0; numbers().max().unwrap_or(0)];
    for place in numbers().filter_map(|number| number.checked_sub(1)) {
        shares[place] += 1.0 / first as f64;
    }
    shares
}

/// The first tokens as a distribution.
fn law(tokens: &[u32]) -> Distribution {
    let mut values: Vec<f64> = tokens.iter().take(TRACE_REQUESTS).map(|tokens| f64::from(*tokens)).collect();
    values.sort_by(f64::total_cmp);
    Distribution::Empirical(values.into())
}
