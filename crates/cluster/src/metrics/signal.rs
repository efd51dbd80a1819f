//! Signals: figures of the request flow and the fleet, as fresh as the service outside the cluster that they stand for would show them.
//!
//! A source that is refreshed on a grid, or seen with a delay, or that tells a mean over a window, needs the past: a log of the flow is
//! kept for those, one row per step. Who asks, and what a trigger makes of the figure, this module does not know.

use std::collections::VecDeque;

use policy::{MetricQuery, Signal, SignalQuery};
use units::{SimDuration, SimTime};

use crate::flow::{Flow, Load};
use crate::pods::Pods;

/// Step of the log where the queries have no grid of their own.
const STEP: SimDuration = SimDuration::from_secs(1);

/// The figures at one instant.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    at: SimTime,
    load: Load,
    held: u64,
    current: u32,
    ready: u32,
    pods: u32,
}

/// What is remembered of the flow for signals that look back.
#[derive(Debug, Default)]
pub(super) struct SignalLog {
    /// Time from row to row; `None` if no query looks back.
    step: Option<SimDuration>,
    /// How far back any query but the age of the oldest request looks.
    horizon: SimDuration,
    /// Rows are kept until the requests that had not arrived by them are all gone.
    knows_oldest: bool,
    rows: VecDeque<Row>,
}

impl SignalLog {
    /// A log long and fine enough for every signal in `asked`.
    pub(super) fn new<'a>(asked: impl Iterator<Item = &'a MetricQuery>) -> Self {
        let mut log = Self::default();
        for query in asked {
            let MetricQuery::Signal(query) = query else { continue };
            log.knows_oldest |= query.signal == Signal::Oldest;
            let window = if query.signal.is_rate() { query.over } else { SimDuration::ZERO };
            let reach = query.every.as_nanos() + query.delay.as_nanos() + window.as_nanos();
            if reach == 0 && query.signal != Signal::Oldest {
                continue;
            }
            let own = if query.every.is_zero() { STEP } else { query.every };
            // A mean over a window shorter than the grid needs rows in between.
            let own = if window.is_zero() { own } else { SimDuration::from_nanos(divisor(own, window)) };
            let step = log.step.map_or(own.as_nanos(), |step| divisor(step, own));
            log.step = Some(SimDuration::from_nanos(step));
            log.horizon = log.horizon.max(SimDuration::from_nanos(reach));
        }
        log
    }

    /// Time from row to row, if rows are wanted.
    pub(super) fn step(&self) -> Option<SimDuration> {
        self.step
    }

    /// Logs the present, and forgets what nothing looks back to any more.
    pub(super) fn push(&mut self, now: SimTime, flow: &mut dyn Flow, pods: &Pods) {
        self.rows.push_back(Row::of(now, flow, pods));
        let opens = now.saturating_sub(self.horizon);
        let ended = self.row_at(opens).map_or(0, |row| row.load.completed + row.load.failed);
        // The row before the window opens is needed too: it says what had happened until then.
        while let Some(next) = self.rows.get(1)
            && next.at <= opens
            && (!self.knows_oldest || next.load.arrived <= ended)
        {
            self.rows.pop_front();
        }
    }

    /// The figure as it can be seen at `now`, and how old it is.
    pub(super) fn value(
        &self,
        query: SignalQuery,
        now: SimTime,
        flow: &mut dyn Flow,
        pods: &Pods,
    ) -> (f64, SimDuration) {
        let row = match self.seen_at(query, now) {
            Some(row) => row,
            None => Row::of(now, flow, pods),
        };
        (self.figure(query, &row), now.since(row.at))
    }

    /// The row a source shows that is refreshed on a grid and seen late; `None` is the present.
    fn seen_at(&self, query: SignalQuery, now: SimTime) -> Option<Row> {
        if query.every.is_zero() && query.delay.is_zero() {
            return None;
        }
        let point = now.saturating_sub(query.delay).as_nanos();
        let every = query.every.as_nanos().max(1);
        self.row_at(SimTime::from_nanos(point - point % every))
    }

    /// The newest row that is not after `at`, else the first of all.
    fn row_at(&self, at: SimTime) -> Option<Row> {
        let after = self.rows.partition_point(|row| row.at <= at);
        self.rows.get(after.saturating_sub(1)).copied()
    }

    fn figure(&self, query: SignalQuery, row: &Row) -> f64 {
        let load = row.load;
        let unfinished = load.waiting + load.in_flight;
        let whole = match query.signal {
            Signal::ArrivalRate => return self.rate(query, row, |load| load.arrived),
            Signal::FinishRate => return self.rate(query, row, |load| load.completed),
            Signal::Oldest => return self.oldest(row).as_nanos() as f64 / 1e9,
            Signal::Held => row.held,
            Signal::Assigned => unfinished.saturating_sub(row.held),
            Signal::Running => load.in_flight,
            Signal::Waiting => load.waiting,
            Signal::Requests => unfinished,
            Signal::ArrivalsTotal => load.arrived,
            Signal::CompletedTotal => load.completed,
            Signal::FailedTotal => load.failed,
            Signal::ReplicasCurrent => u64::from(row.current),
            Signal::ReplicasReady => u64::from(row.ready),
            Signal::Pods => u64::from(row.pods),
        };
        whole as f64
    }

    /// Per second, over the window that ends at `row`, or the part of it since the start.
    fn rate(&self, query: SignalQuery, row: &Row, count: impl Fn(&Load) -> u64) -> f64 {
        let Some(then) = self.row_at(row.at.saturating_sub(query.over)) else { return 0.0 };
        let elapsed_ns = row.at.since(then.at).as_nanos();
        if elapsed_ns == 0 {
            return 0.0;
        }
        count(&row.load).saturating_sub(count(&then.load)) as f64 * 1e9 / elapsed_ns as f64
    }

    /// Age of the oldest unfinished request, as if requests ended in the order they came: never more than the true age, and less by at
    /// most a step where they do.
    fn oldest(&self, row: &Row) -> SimDuration {
        let ended = row.load.completed + row.load.failed;
        if row.load.arrived <= ended {
            return SimDuration::ZERO;
        }
        let first = self.rows.partition_point(|earlier| earlier.load.arrived <= ended);
        self.rows.get(first).map_or(SimDuration::ZERO, |arrived| row.at.since(arrived.at))
    }
}

impl Row {
    fn of(at: SimTime, flow: &mut dyn Flow, pods: &Pods) -> Self {
        let load = flow.load(at);
        let counts = pods.counts(0);
        let pods = pods.selected().len() as u32;
        Self { at, load, held: flow.central_queue(at), current: counts.status, ready: counts.ready, pods }
    }
}

/// The greatest common divisor of two lengths, but no finer than a tenth of a second.
fn divisor(one: SimDuration, other: SimDuration) -> u64 {
    let (mut large, mut small) = (one.as_nanos(), other.as_nanos());
    while small > 0 {
        (large, small) = (small, large % small);
    }
    large.max(STEP.as_nanos() / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(second: u64, arrived: u64, completed: u64) -> Row {
        let load = Load { arrived, completed, waiting: arrived - completed, ..Load::default() };
        Row { at: SimTime::from_secs(second), load, ..Row::default() }
    }

    fn log(rows: impl IntoIterator<Item = Row>) -> SignalLog {
        SignalLog { step: Some(STEP), rows: rows.into_iter().collect(), ..SignalLog::default() }
    }

    fn query(signal: Signal, every: u64, delay: u64) -> SignalQuery {
        let (every, delay) = (SimDuration::from_secs(every), SimDuration::from_secs(delay));
        SignalQuery { every, delay, ..SignalQuery::live(signal) }
    }

    #[test]
    fn a_source_on_a_grid_shows_its_last_refresh_before_the_delay() {
        let log = log((0..=300).map(|second| row(second, second, 0)));
        let seen = |now, every, delay| {
            log.seen_at(query(Signal::Requests, every, delay), SimTime::from_secs(now)).unwrap().at.as_secs()
        };
        assert_eq!(seen(209, 60, 0), 180);
        assert_eq!(seen(209, 60, 90), 60);
        assert_eq!(seen(210, 60, 90), 120);
        assert_eq!(seen(209, 0, 7), 202);
        // Before the first refresh there is only the start.
        assert_eq!(seen(30, 60, 90), 0);
    }

    #[test]
    fn a_rate_is_the_mean_over_its_window_or_over_what_there_is_of_it() {
        // 2 per second for 100 s, then 5 per second.
        let log = log((0..=200).map(|second| row(second, 2 * second.min(100) + 5 * second.saturating_sub(100), 0)));
        let rate = |second| log.figure(query(Signal::ArrivalRate, 0, 0), &log.rows[second]);
        assert_eq!([rate(0), rate(30), rate(100), rate(130), rate(160)], [0.0, 2.0, 2.0, 3.5, 5.0]);
    }

    #[test]
    fn the_oldest_request_is_as_old_as_the_backlog() {
        // One arrives per second; nothing is answered after second 40.
        let log = log((0..=100).map(|second| row(second, second, second.min(40))));
        let age = |second| log.figure(query(Signal::Oldest, 0, 0), &log.rows[second]);
        assert_eq!([age(40), age(41), age(100)], [0.0, 0.0, 59.0]);
    }

    #[test]
    fn the_log_is_as_fine_as_its_finest_grid_and_window_and_absent_without_any() {
        let step = |queries: &[SignalQuery]| {
            let asked: Vec<MetricQuery> = queries.iter().copied().map(MetricQuery::Signal).collect();
            SignalLog::new(asked.iter()).step().map(SimDuration::as_secs)
        };
        assert_eq!(step(&[query(Signal::Requests, 0, 0)]), None);
        assert_eq!(step(&[query(Signal::Requests, 60, 90)]), Some(60));
        assert_eq!(step(&[query(Signal::Requests, 60, 90), query(Signal::Held, 45, 0)]), Some(15));
        assert_eq!(step(&[query(Signal::ArrivalRate, 0, 0)]), Some(1));
        assert_eq!(step(&[query(Signal::ArrivalRate, 300, 60)]), Some(60));
    }
}
