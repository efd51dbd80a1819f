//! What happens at one replica: joining, starts, time-outs, answers.

use super::{Discipline, Failure, NEVER, RoutedFlow, Slot, Stage, Work, answer_due, start_due};

impl<D: Discipline> RoutedFlow<D> {
    /// A request that has just arrived joins the queue of a replica.
    #[inline]
    pub(super) fn join(&mut self, slot: Slot, arrival: u64, service: u64) {
        self.waiting += 1;
        self.queues[slot].push(arrival, service);
        self.watches[slot].waiting += 1;
        let waiting = self.watches[slot].waiting as usize;
        if self.watches_loads() {
            self.change_load(slot, 1);
        }
        // Only the first request and the one that fills a batch can bring the next start forward.
        if waiting == 1 || waiting == self.discipline.fill() {
            self.schedule(slot);
        }
    }

    /// A request joins the queue of a replica at `now`, having arrived earlier.
    pub(super) fn join_late(&mut self, slot: Slot, (arrival, service): (u64, u64), now: u64) {
        self.waiting += 1;
        self.queues[slot].insert(arrival, service);
        self.watches[slot].waiting += 1;
        self.watches[slot].floor = now;
        if self.watches_loads() {
            self.change_load(slot, 1);
        }
        self.schedule(slot);
    }

    #[inline]
    pub(super) fn change_load(&mut self, slot: Slot, by: i64) {
        let station = &mut self.stations[slot];
        station.load = station.load.checked_add_signed(by).expect("a load never falls below zero");
        if station.stage == Stage::Serving {
            self.loads.change(slot, by);
        }
    }

    /// Looks at every replica that is due up to and including `bound`.
    pub(super) fn look(&mut self, bound: u64) {
        self.look_at_touched(bound);
        loop {
            let (due, slot) = self.dues.first();
            if due > bound || due == NEVER {
                return;
            }
            self.advance_station(slot, bound);
            self.tell(slot);
        }
    }

    /// Looks at those of the replicas with a new due time that are due up to and including `bound`.
    #[inline]
    pub(super) fn look_at_touched(&mut self, bound: u64) {
        while let Some(slot) = self.touched.pop() {
            if self.watches[slot].due <= bound {
                self.advance_station(slot, bound);
            }
            self.tell(slot);
        }
    }

    /// Tells the tree when a replica is due.
    #[inline]
    pub(super) fn tell(&mut self, slot: Slot) {
        let due = self.next_due(slot);
        let watch = &mut self.watches[slot];
        watch.due = due;
        watch.is_new = false;
        self.dues.set(slot, due);
    }

    /// Notes when a replica is due.
    #[inline]
    pub(super) fn schedule(&mut self, slot: Slot) {
        let due = self.next_due(slot);
        let watch = &mut self.watches[slot];
        watch.due = due;
        if !std::mem::replace(&mut watch.is_new, true) {
            self.touched.push(slot);
        }
    }

    /// Answers, time-outs and starts at one replica up to and including `bound`.
    #[inline]
    pub(super) fn advance_station(&mut self, slot: Slot, bound: u64) {
        while let Some((next, server, is_start)) = self.next_at(slot) {
            if start_due(next) > bound {
                break;
            }
            if is_start {
                self.start_batch(slot, server, next);
            } else {
                self.time_out(slot, next);
            }
        }
        if self.watches_loads() {
            self.count_answers(slot, bound >> 1);
        }
    }

    /// The next start (or, if false, time-out) at a replica as far as its queue knows, and the server it concerns.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "most of what it reads is known where it is called")]
    pub(super) fn next_at(&self, slot: Slot) -> Option<(u64, usize, bool)> {
        let watch = &self.watches[slot];
        if watch.waiting == 0 {
            return None;
        }
        let mut server = 0;
        let work = self.work(slot);
        for other in 1..work.len() {
            if work[other].end < work[server].end {
                server = other;
            }
        }
        let window = self.queues[slot].window();
        let start = work[server].end.max(self.discipline.trigger(window)).max(watch.floor);
        let deadline = window[0].saturating_add(self.rules.leaves);
        if deadline <= start { Some((deadline.max(watch.floor), server, false)) } else { Some((start, server, true)) }
    }

    #[inline]
    fn next_due(&self, slot: Slot) -> u64 {
        let start = self.next_at(slot).map_or(NEVER, |(next, _, _)| start_due(next));
        let answer = if self.watches_loads() {
            let counted = self.work(slot).iter().filter(|work| work.counted);
            counted.map(|work| answer_due(work.end)).min().unwrap_or(NEVER)
        } else {
            NEVER
        };
        start.min(answer)
    }

    /// How many requests a start at a replica takes. Mostly all that wait have arrived by then, and need not be counted.
    #[inline]
    pub(super) fn taken(&self, slot: Slot, start: u64) -> usize {
        let window = self.queues[slot].window();
        let arrived = (self.watches[slot].waiting as usize).min(self.discipline.batch_max());
        if window[arrived - 1] <= start {
            self.discipline.take_of(arrived, window[0], start)
        } else {
            self.discipline.take(window, start)
        }
    }

    #[inline]
    fn start_batch(&mut self, slot: Slot, server: usize, start: u64) {
        if self.work(slot)[server].len > 0 {
            self.uncount(slot, server);
            self.report(slot, server);
        }
        let taken = self.taken(slot, start);
        let end = start + self.discipline.duration(taken, self.queues[slot].service());
        self.take_batch(slot, server, taken);
        let counted = self.watches_loads();
        self.work_mut(slot)[server] = Work { start, end, len: taken as u32, counted };
    }

    /// Moves the oldest `taken` requests from the queue of a replica to a server.
    #[inline]
    pub(super) fn take_batch(&mut self, slot: Slot, server: usize, taken: usize) {
        let places = self.places_of(slot, server, self.discipline.batch_max());
        let queue = &mut self.queues[slot];
        let window = queue.window();
        if taken == 1 {
            self.batches[places.start] = window[0];
        } else {
            self.batches[places].copy_from_slice(window);
        }
        queue.take(taken);
        self.watches[slot].waiting -= taken as u64;
        self.waiting -= taken as u64;
        self.started += taken as u64;
    }

    fn time_out(&mut self, slot: Slot, at: u64) {
        let oldest = self.queues[slot].window()[0];
        self.queues[slot].take(1);
        self.watches[slot].waiting -= 1;
        self.waiting -= 1;
        if self.watches_loads() {
            self.change_load(slot, -1);
        }
        self.stations[slot].stats.given_up += 1;
        self.meter.fail(oldest, Failure::TimedOut, at);
    }

    /// Takes the batches that are over by `now` out of a replica's load.
    #[inline]
    fn count_answers(&mut self, slot: Slot, now: u64) {
        for server in 0..self.work(slot).len() {
            if self.work(slot)[server].end <= now {
                self.uncount(slot, server);
            }
        }
    }

    #[inline]
    fn uncount(&mut self, slot: Slot, server: usize) {
        let work = &mut self.work_mut(slot)[server];
        if std::mem::take(&mut work.counted) {
            let len = i64::from(work.len);
            self.change_load(slot, -len);
        }
    }

    /// Books the finished batch of `server`.
    #[inline]
    pub(super) fn report(&mut self, slot: Slot, server: usize) {
        let work = self.work(slot)[server];
        let arrivals = &self.batches[self.places_of(slot, server, work.len as usize)];
        let station = &mut self.stations[slot];
        let abandoned = self.meter.batch(arrivals, work.start, work.end, station.pod);
        let span = (work.start, work.end);
        station.stats.answer(arrivals, span, abandoned, self.discipline.servers_per_replica() as u64);
        if self.whole.is_on() {
            arrivals.iter().for_each(|&arrival| self.whole.answer(slot, arrival, span));
        }
        self.work_mut(slot)[server].len = 0;
    }

    pub(super) fn settle_station(&mut self, slot: Slot, now: u64) {
        for server in 0..self.work(slot).len() {
            let work = self.work(slot)[server];
            if work.len > 0 && work.end <= now {
                self.uncount(slot, server);
                self.report(slot, server);
            }
        }
    }

    pub(super) fn leave_serving(&mut self, slot: Slot, stage: Stage) {
        self.stations[slot].stage = stage;
        self.serving.retain(|&other| other != slot);
        self.loads.set(slot, None);
    }

    /// When a replica that gets no more requests has done with those it has.
    pub(super) fn empty_at(&self, slot: Slot, now: u64) -> u64 {
        let floor = self.watches[slot].floor;
        let mut queue = self.queues[slot].clone();
        let mut ends: Vec<u64> = self.work(slot).iter().map(|work| work.end).collect();
        let mut empty_at = ends.iter().copied().max().unwrap_or(0).max(now);
        while !queue.is_empty() {
            let server = (0..ends.len()).min_by_key(|&server| ends[server]).expect("a replica has a server");
            let window = queue.window();
            let start = ends[server].max(self.discipline.trigger(window)).max(floor);
            let deadline = window[0].saturating_add(self.rules.leaves);
            if deadline <= start {
                empty_at = empty_at.max(deadline);
                queue.take(1);
                continue;
            }
            let taken = self.discipline.take(window, start);
            ends[server] = start + self.discipline.duration(taken, queue.service());
            empty_at = empty_at.max(ends[server]);
            queue.take(taken);
        }
        empty_at
    }

    /// What a killed replica was serving at `now`, oldest first; it is answered no more.
    pub(super) fn take_back(&mut self, slot: Slot, now: u64) -> Vec<(u64, u64)> {
        let per_replica = self.discipline.servers_per_replica() as u64;
        let pod = self.stations[slot].pod;
        let mut back = Vec::new();
        for server in 0..self.work(slot).len() {
            let work = std::mem::take(&mut self.work_mut(slot)[server]);
            let arrivals = &self.batches[self.places_of(slot, server, work.len as usize)];
            if work.len == 0 {
                continue;
            }
            self.stations[slot].stats.busy_ns += (now - work.start) / per_replica;
            if self.rules.requeue_killed {
                self.started -= u64::from(work.len);
            } else {
                for &arrival in arrivals {
                    self.meter.fail_served(arrival, Failure::Lost, now, Some((work.start, pod)));
                }
            }
            back.extend(arrivals.iter().map(|&arrival| (arrival, work.end - work.start)));
        }
        back.sort_unstable();
        back
    }
}
