//! A synthetic runner: an M/M/c queue by the Kiefer-Wolfowitz recursion, with its theory beside it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use lab::Job;
use record::{GpuUse, Purchase, RunRecord, ServiceRecord, TimelineRow};
use units::{SimDuration, SimTime, UsdPerHour};
use workload::{Purpose, Stream};

/// An M/M/c queue: `servers` of service time with mean one second, fed at `rate` requests per second.
#[derive(Clone, Copy)]
pub struct Queue {
    pub servers: usize,
    pub rate: f64,
    pub requests: usize,
    /// Latency threshold of the SLO in seconds.
    pub slo_s: f64,
    /// Stretch of all service times: a slower policy on the same requests.
    pub stretch: f64,
}

impl Queue {
    /// Requests served before counting begins, from empty to steady.
    const WARM_UP: usize = 400;

    pub fn simulate(&self, policy: &str, job: &Job) -> RunRecord {
        let mut arrivals = Stream::new(job.seed, Purpose::Arrivals, 0);
        let mut demand = Stream::new(job.seed, Purpose::Demand, 0);
        let exponential = |stream: &mut Stream| -libm::log(1.0 - stream.uniform());
        let nanos = |seconds: f64| (seconds * 1e9) as u64;
        let mut free: BinaryHeap<Reverse<u64>> = (0..self.servers).map(|_| Reverse(0)).collect();
        let mut record = blank(policy, job);
        let (mut now, mut misses, mut begin) = (0.0, Vec::new(), 0.0);
        for index in 0..self.requests + Self::WARM_UP {
            now += exponential(&mut arrivals) / self.rate;
            let served = nanos(exponential(&mut demand) * self.stretch);
            let Reverse(ready) = free.pop().unwrap();
            let start = ready.max(nanos(now));
            free.push(Reverse(start + served));
            if index < Self::WARM_UP {
                begin = now;
                continue;
            }
            let latency = start + served - nanos(now);
            record.services[0].requests.arrived += 1;
            record.services[0].requests.completed += 1;
            record.services[0].totals.latency.record(latency);
            record.services[0].totals.latency_ns_sum += u128::from(latency);
            record.services[0].totals.latency_ns_max = record.services[0].totals.latency_ns_max.max(latency);
            record.services[0].totals.wait_ns_sum += u128::from(start - nanos(now));
            record.services[0].totals.slo_total += 1;
            record.services[0].totals.slo_met += u64::from(latency <= nanos(self.slo_s));
            record.digest = (record.digest ^ latency).wrapping_mul(0x0100_0000_01b3);
            misses.push((nanos(now - begin), latency > nanos(self.slo_s)));
        }
        record.measured = SimDuration::from_secs_f64(now - begin);
        charge(&mut record, self.servers as u64);
        if job.keep.tables {
            record.services[0].timeline = timeline(&misses, record.measured);
        }
        record
    }

    /// Offered load.
    fn load(&self) -> f64 {
        self.rate * self.stretch
    }

    /// Chance that a request waits: Erlang C.
    fn wait_chance(&self) -> f64 {
        let (servers, load) = (self.servers as f64, self.load());
        let blocked = (1..=self.servers).fold(1.0, |blocked, k| load * blocked / (k as f64 + load * blocked));
        blocked / (1.0 - load / servers * (1.0 - blocked))
    }

    /// Mean latency in milliseconds.
    pub fn latency_ms_mean(&self) -> f64 {
        let spare = self.servers as f64 / self.stretch - self.rate;
        1e3 * (self.stretch + self.wait_chance() / spare)
    }

    /// Share of requests within the SLO: the tail of service plus exponential wait.
    pub fn slo_attainment(&self) -> f64 {
        let (fast, spare) = (1.0 / self.stretch, self.servers as f64 / self.stretch - self.rate);
        let tail = |rate: f64| libm::exp(-rate * self.slo_s);
        let waits = self.wait_chance();
        let late_after_wait = (spare * tail(fast) - fast * tail(spare)) / (spare - fast);
        1.0 - (1.0 - waits) * tail(fast) - waits * late_after_wait
    }
}

pub fn blank(policy: &str, job: &Job) -> RunRecord {
    RunRecord {
        policy: policy.to_owned(),
        replication: job.replication,
        seed: job.seed,
        digest: 0xcbf2_9ce4_8422_2325,
        services: vec![ServiceRecord::default()],
        ..RunRecord::default()
    }
}

/// Three dollars an hour per server, busy or not.
fn charge(record: &mut RunRecord, servers: u64) {
    let price = UsdPerHour::from_dollars(3.0);
    let billed = record.measured * servers;
    record.ledger.bill(price, billed);
    record.ledger.attribute(
        (GpuUse::ServingBusy, Purchase::OnDemand, "a"),
        price.cost_of(billed),
        u128::from(billed.as_nanos()),
    );
    record.services[0].scaling.replica_ns = u128::from(billed.as_nanos());
    record.services[0].scaling.replicas_max = servers as u32;
}

/// A hundred equal steps; answers are counted where they arrived, near enough for a timeline.
fn timeline(misses: &[(u64, bool)], measured: SimDuration) -> Vec<TimelineRow> {
    let step = measured / 100;
    let mut rows: Vec<TimelineRow> = (0..100)
        .map(|index| TimelineRow { start: SimTime::ZERO + step * index, step, ..TimelineRow::default() })
        .collect();
    for &(at, is_missed) in misses {
        let row = &mut rows[((at / step.as_nanos()) as usize).min(99)];
        row.arrivals += 1;
        row.completions += 1;
        row.slo_misses += u64::from(is_missed);
    }
    rows
}
