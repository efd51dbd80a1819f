//! Figures that need a memory of their own: means that are kept, windows, what is gone.

use std::collections::VecDeque;

use exporters::Signal;
use record::Histogram;
use units::{SimDuration, SimTime};

use super::world::ServiceView;

/// How often the endpoint picker looks at its pool.
pub(super) const POOL_PERIOD: SimDuration = SimDuration::from_secs(5);
/// Samples a window is made of.
const STEPS: u64 = 12;

/// Means over the ready replicas, two decimals; they stay when there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PoolMeans {
    pub queue: f64,
    pub kv_usage: f64,
    pub running: f64,
}

/// The last while of the gateway.
#[derive(Clone, Debug)]
pub(super) struct Window {
    length: SimDuration,
    reads_latency: bool,
    samples: VecDeque<(SimTime, u64, Option<Histogram>)>,
}

impl Window {
    pub fn new(seconds: f64, reads_latency: bool) -> Self {
        Self { length: SimDuration::from_secs_f64(seconds), reads_latency, samples: VecDeque::new() }
    }

    pub fn is_of(&self, seconds: f64) -> bool {
        self.length == SimDuration::from_secs_f64(seconds)
    }

    /// Time between two samples.
    pub fn period(&self) -> SimDuration {
        SimDuration::from_nanos((self.length.as_nanos() / STEPS).max(1_000_000))
    }

    pub fn watch_latency(&mut self) {
        self.reads_latency = true;
    }

    /// Takes a sample.
    pub fn sample(&mut self, now: SimTime, arrived: u64, answers: impl FnOnce() -> Histogram) {
        let answers = self.reads_latency.then(answers);
        self.samples.push_back((now, arrived, answers));
        // The newest sample that is as old as the window is what it is measured from.
        while self.samples.get(1).is_some_and(|(at, ..)| now.since(*at) >= self.length) {
            self.samples.pop_front();
        }
    }

    /// The sample the window begins with.
    fn start(&self, now: SimTime) -> Option<&(SimTime, u64, Option<Histogram>)> {
        self.samples.iter().rev().find(|(at, ..)| now.since(*at) >= self.length).or(self.samples.front())
    }

    /// Arrivals per second; 0 before there is anything to compare with.
    pub fn arrival_rate(&self, now: SimTime, arrived: u64) -> f64 {
        let Some((at, before, _)) = self.start(now) else { return 0.0 };
        let span = now.since(*at).as_secs_f64();
        if span > 0.0 { (arrived - before) as f64 / span } else { 0.0 }
    }

    /// A quantile of the latency of answers, seconds; nothing without answers.
    pub fn latency_quantile(&self, now: SimTime, quantile: f64, answers: &Histogram) -> Option<f64> {
        let (_, _, before) = self.start(now)?;
        let found = answers.since(before.as_ref()?).quantile(quantile)?;
        Some(found as f64 / 1e9)
    }
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub pool: Option<PoolMeans>,
    pub windows: Vec<Window>,
    /// Requests that replicas received which have left the flow since.
    pub received_by_gone: u64,
    scheduled: u64,
}

impl Tally {
    /// Notes that a signal is read.
    pub fn watch(&mut self, signal: Signal) {
        let (seconds, reads_latency) = match signal {
            Signal::PoolQueueMean | Signal::PoolKvMean | Signal::PoolRunningMean => {
                self.pool.get_or_insert_default();
                return;
            }
            Signal::ArrivalRate { window_s } => (window_s, false),
            Signal::LatencyQuantile { window_s, .. } => (window_s, true),
            _ => return,
        };
        match self.windows.iter_mut().find(|window| window.is_of(seconds)) {
            Some(window) if reads_latency => window.watch_latency(),
            Some(_) => {}
            None => self.windows.push(Window::new(seconds, reads_latency)),
        }
    }

    /// Looks at the pool.
    pub fn sample_pool(&mut self, service: &mut ServiceView<'_>, now: SimTime) {
        let mut sum = PoolMeans::default();
        let mut ready = 0.0;
        for (_, slot) in service.pods.in_flow() {
            if service.pods.rank_among_ready(slot).0.is_none() {
                continue;
            }
            let (waiting, serving) = service.flow.replica_load(slot, now);
            sum.queue += waiting as f64;
            sum.running += serving as f64;
            sum.kv_usage += service.flow.kv_usage(slot, now);
            ready += 1.0;
        }
        if ready > 0.0 {
            let mean = |sum: f64| (sum / ready * 100.0).round() / 100.0;
            let means = PoolMeans { queue: mean(sum.queue), kv_usage: mean(sum.kv_usage), running: mean(sum.running) };
            self.pool = Some(means);
        }
    }

    /// Requests given to replicas so far, which never falls: `received` is what those in the flow have received.
    pub fn scheduled(&mut self, received: u64) -> u64 {
        self.scheduled = self.scheduled.max(self.received_by_gone + received);
        self.scheduled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_over_the_window_or_what_there_is_of_it() {
        let mut window = Window::new(60.0, false);
        let at = SimTime::from_secs;
        assert_eq!(window.arrival_rate(at(0), 5), 0.0);
        for step in 0..=30 {
            window.sample(at(5 * step), 10 * step, Histogram::new);
        }
        // At 150 s 300 have arrived, at 90 s 180.
        assert_eq!(window.arrival_rate(at(150), 300), 2.0);
        assert_eq!(window.arrival_rate(at(152), 310), (310.0 - 180.0) / 62.0);
        assert!(window.samples.len() <= 14, "{}", window.samples.len());
    }

    #[test]
    fn a_quantile_is_of_the_answers_of_the_window() {
        let mut window = Window::new(60.0, true);
        let mut all = Histogram::new();
        all.record(200);
        window.sample(SimTime::ZERO, 0, || all.clone());
        assert_eq!(window.latency_quantile(SimTime::from_secs(30), 0.5, &all), None);
        all.record(100);
        assert_eq!(window.latency_quantile(SimTime::from_secs(30), 0.9, &all), Some(100e-9));
    }
}
