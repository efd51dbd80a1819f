//! A load test whose requests wait for the ends of others.
//!
//! It is told when a request ends and says what is sent because of that. It does not know who serves.

use std::sync::Arc;

use units::{SimDuration, SimTime};

use crate::load_test::Schedule;
use crate::{Distribution, LoadTest, Purpose, Sampler, StageLength, StageLoad, Stream};

/// A client whose request has failed sends the next one no sooner than after this: a round trip. Without it one that is turned away at once
/// would ask for ever at one instant.
const TURN_AROUND_NS: u64 = 1_000_000;
/// Numbers of requests within a stage.
const STAGE_BITS: u32 = 40;

/// A request that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When, in nanoseconds from the start of the run; perhaps before others that were announced earlier.
    pub at_ns: u64,
    /// Its number, the same in every run of the test: the n-th of its stage.
    pub number: u64,
}

/// A stage that has begun.
struct Active {
    start_ns: u64,
    /// When the next ones are due at the earliest; the last has been sent where it is empty.
    schedule: Due,
    in_flight: u64,
    sent: u64,
    /// Nothing is sent from then on.
    until_ns: u64,
    delay: Option<(Sampler, Stream)>,
    /// The next stage waits for the end of its requests.
    is_awaited: bool,
}

enum Due {
    Rate(Schedule),
    /// So many more, as soon as a client is free.
    Clients(u64),
}

/// Sends the requests of a load test.
pub struct LoadDriver {
    test: Arc<LoadTest>,
    seed: u64,
    end_ns: u64,
    stages: Vec<Active>,
    /// The latest that happened: ends, and nominal ends of stages.
    last_ns: u64,
    under_way: u64,
}

impl LoadDriver {
    /// Nothing is sent at or after `end`. The test must be valid.
    pub fn new(test: &Arc<LoadTest>, seed: u64, end: SimTime) -> Self {
        let test = Arc::clone(test);
        let last_ns = test.start.as_nanos();
        Self { test, seed, end_ns: end.as_nanos(), stages: Vec::new(), last_ns, under_way: 0 }
    }

    /// The test begins: what is sent before any request ends.
    pub fn begin(&mut self, sent: &mut Vec<Sent>) {
        self.begin_stages(self.test.start.as_nanos(), sent);
    }

    /// The request of that number has ended, with an answer or without.
    pub fn ended(&mut self, number: u64, (at_ns, is_answered): (u64, bool), sent: &mut Vec<Sent>) {
        let stage = (number >> STAGE_BITS) as usize;
        self.last_ns = self.last_ns.max(at_ns);
        self.under_way -= 1;
        let active = &mut self.stages[stage];
        active.in_flight -= 1;
        if active.is_client_bound() {
            let pause_ns = active
                .delay
                .as_mut()
                .map_or(0, |(sampler, stream)| SimDuration::from_secs_f64(sampler.sample(stream)).as_nanos());
            let least_ns = if is_answered { 0 } else { TURN_AROUND_NS };
            self.send(stage, at_ns + pause_ns.max(least_ns), sent);
        }
        let is_last = stage + 1 == self.stages.len();
        let must_be_over = if self.test.drain.is_some() { self.under_way } else { self.stages[stage].in_flight };
        if is_last && self.stages[stage].is_awaited && must_be_over == 0 {
            let spec = &self.test.stages[stage];
            let pause = self.test.drain.unwrap_or(SimDuration::ZERO) + spec.gap;
            self.begin_stages(self.last_ns + pause.as_nanos(), sent);
        }
    }

    /// Begins the next stage, and those that follow it whatever happens.
    fn begin_stages(&mut self, mut start_ns: u64, sent: &mut Vec<Sent>) {
        while let Some(spec) = self.test.stages.get(self.stages.len()) {
            let gap_ns = spec.gap.as_nanos();
            let over_ns = self.begin_stage(start_ns, sent);
            self.last_ns = self.last_ns.max(over_ns);
            let active = self.stages.last().expect("it has begun");
            if active.is_awaited && active.in_flight > 0 {
                return;
            }
            start_ns = over_ns + gap_ns + self.test.drain.map_or(0, SimDuration::as_nanos);
        }
    }

    /// Begins a stage. Returns when its time is over.
    fn begin_stage(&mut self, start_ns: u64, sent: &mut Vec<Sent>) -> u64 {
        let stage = self.stages.len();
        let spec = self.test.stages[stage].clone();
        let nominal_ns = start_ns + spec.nominal_ns() as u64;
        let by_time = matches!(spec.length, StageLength::Duration(_));
        let (schedule, delay, at_once, ramp) = match &spec.load {
            StageLoad::Open { concurrency_max, .. } => {
                let at_once = concurrency_max.map_or(u64::MAX, u64::from);
                (Due::Rate(Schedule::new(&spec, stage, self.seed)), None, at_once, SimDuration::ZERO)
            }
            StageLoad::Closed { concurrency, ramp, delay } => {
                let dice = || Stream::new(self.seed, Purpose::LoadStage, 1 << 32 | stage as u64);
                let delay = (*delay != Distribution::Constant(0.0)).then(|| (delay.sampler(), dice()));
                let count = spec.count().unwrap_or(u64::MAX);
                (Due::Clients(count), delay, u64::from(*concurrency), *ramp)
            }
        };
        let is_closed = matches!(schedule, Due::Clients(_));
        self.stages.push(Active {
            start_ns,
            schedule,
            in_flight: 0,
            sent: 0,
            until_ns: if is_closed && by_time { nominal_ns.min(self.end_ns) } else { self.end_ns },
            delay,
            is_awaited: self.test.drain.is_some() || (at_once != u64::MAX && !(is_closed && by_time)),
        });
        let mut client = 0;
        let mut last_ns = start_ns;
        while client < at_once {
            let begins_ns = start_ns + (u128::from(ramp.as_nanos()) * u128::from(client) / u128::from(at_once)) as u64;
            let Some(at_ns) = self.send(stage, begins_ns, sent) else { break };
            last_ns = last_ns.max(at_ns);
            client += 1;
        }
        nominal_ns.max(last_ns)
    }

    /// Sends the next request of a stage, not before `from_ns`; `None` if there is none.
    fn send(&mut self, stage: usize, from_ns: u64, sent: &mut Vec<Sent>) -> Option<u64> {
        let active = &mut self.stages[stage];
        let due_ns = match &mut active.schedule {
            Due::Rate(schedule) => active.start_ns + schedule.next()?,
            Due::Clients(0) => return None,
            Due::Clients(left) => {
                *left -= 1;
                from_ns
            }
        };
        let at_ns = due_ns.max(from_ns);
        if at_ns >= active.until_ns {
            return None;
        }
        sent.push(Sent { at_ns, number: (stage as u64) << STAGE_BITS | active.sent });
        active.sent += 1;
        active.in_flight += 1;
        self.under_way += 1;
        Some(at_ns)
    }
}

impl Active {
    /// Whether another request goes out when one ends. Where all go out by the clock, nothing is left to send.
    fn is_client_bound(&self) -> bool {
        match &self.schedule {
            Due::Rate(_) => true,
            Due::Clients(left) => *left > 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ArrivalRule, Stage};

    const MS: u64 = 1_000_000;

    /// Plays a test against a server without limits that takes `service_ns` for each: (number, sent, ended), by end.
    fn played(test: LoadTest, service_ns: impl Fn(u64) -> u64) -> Vec<(u64, u64, u64)> {
        test.validate().unwrap();
        let mut driver = LoadDriver::new(&Arc::new(test), 3, SimTime::from_secs(10_000));
        let (mut sent, mut due, mut done) = (Vec::new(), std::collections::BTreeSet::new(), Vec::new());
        driver.begin(&mut sent);
        loop {
            due.extend(sent.drain(..).map(|sent| (sent.at_ns + service_ns(sent.number), sent.number, sent.at_ns)));
            let Some((end_ns, number, at_ns)) = due.pop_first() else { return done };
            done.push((number, at_ns, end_ns));
            driver.ended(number, (end_ns, true), &mut sent);
        }
    }

    fn even(rate: f64, seconds: u64) -> Stage {
        let load = StageLoad::Open { rate, arrivals: ArrivalRule::Even, concurrency_max: None };
        Stage { load, length: StageLength::Duration(SimDuration::from_secs(seconds)), gap: SimDuration::from_secs(30) }
    }

    fn clients(concurrency: u32, length: StageLength) -> Stage {
        let delay = Distribution::Constant(0.0);
        let load = StageLoad::Closed { concurrency, ramp: SimDuration::ZERO, delay };
        Stage { load, length, gap: SimDuration::ZERO }
    }

    #[test]
    fn a_drained_stage_begins_poll_lead_and_gap_after_the_last_answer() {
        let drain = Some(SimDuration::from_secs(2));
        let test = LoadTest { start: SimDuration::ZERO, stages: vec![even(2.0, 10), even(4.0, 5)], drain };
        // The 20th request is sent at 10 s, its answer comes at 17 s; the second stage begins at 49 s with its first request 0.25 s later.
        let done = played(test, |_| 7_000 * MS);
        assert_eq!(done.len(), 40);
        assert_eq!(done[19], (19, 10_000 * MS, 17_000 * MS));
        assert_eq!(done[20].1, (17_000 + 2_000 + 30_000 + 250) * MS);
    }

    #[test]
    fn clients_keep_their_number_under_way_until_the_count_is_reached() {
        let test =
            LoadTest { start: SimDuration::ZERO, stages: vec![clients(3, StageLength::Requests(10))], drain: None };
        let done = played(test, |number| (10 + number) * MS);
        assert_eq!(done.len(), 10);
        for (_, at_ns, _) in &done[3..] {
            let under_way = done.iter().filter(|(_, from_ns, to_ns)| from_ns <= at_ns && to_ns > at_ns).count();
            assert_eq!(under_way, 3);
        }
    }

    #[test]
    fn clients_stop_sending_when_their_time_is_over() {
        let length = StageLength::Duration(SimDuration::from_secs(1));
        let test = LoadTest { start: SimDuration::ZERO, stages: vec![clients(2, length)], drain: None };
        let done = played(test, |_| 300 * MS);
        assert_eq!(done.iter().map(|done| done.1 / MS).collect::<Vec<_>>(), [0, 0, 300, 300, 600, 600, 900, 900]);
    }

    #[test]
    fn a_cap_holds_back_what_is_due_and_sends_it_when_another_ends() {
        let load = StageLoad::Open { rate: 10.0, arrivals: ArrivalRule::Even, concurrency_max: Some(1) };
        let stage = Stage { load, ..even(10.0, 1) };
        let test = LoadTest { start: SimDuration::ZERO, stages: vec![stage], drain: None };
        let done = played(test, |_| 150 * MS);
        assert_eq!(done.iter().map(|done| done.1 / MS).collect::<Vec<_>>()[..4], [100, 250, 400, 550]);
        assert_eq!(done.len(), 10);
    }

    #[test]
    fn a_ramp_spreads_the_first_requests() {
        let ramp = SimDuration::from_secs(4);
        let load = StageLoad::Closed { concurrency: 4, ramp, delay: Distribution::Constant(0.5) };
        let stage = Stage { load, ..clients(4, StageLength::Requests(5)) };
        let done = played(LoadTest { start: SimDuration::ZERO, stages: vec![stage], drain: None }, |_| 100 * MS);
        assert_eq!(done.iter().map(|done| done.1 / MS).collect::<Vec<_>>(), [0, 600, 1_000, 2_000, 3_000]);
    }

    #[test]
    fn who_is_turned_away_does_not_ask_again_at_once() {
        let test = Arc::new(LoadTest {
            start: SimDuration::ZERO,
            stages: vec![clients(1, StageLength::Requests(2))],
            drain: None,
        });
        let (mut driver, mut sent) = (LoadDriver::new(&test, 1, SimTime::MAX), Vec::new());
        driver.begin(&mut sent);
        driver.ended(0, (0, false), &mut sent);
        assert_eq!(sent[1], Sent { at_ns: TURN_AROUND_NS, number: 1 });
    }
}
