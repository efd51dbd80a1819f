//! Routing by least requests to replicas with one server each.
//!
//! Who has the fewest requests changes with arrivals and with answers, not with starts of service. So a replica is due when its next answer
//! (or time-out) is, as far as its queue knows; its starts are done when somebody looks: the next request that joins it, its answer, or
//! the end of the stretch. Half-idle replicas, where every request is a batch of its own, are looked at twice for each and not four times.

use super::{Discipline, NEVER, RoutedFlow, Routing, Slot, Watch, Work, answer_due, start_due};

impl<D: Discipline> RoutedFlow<D> {
    /// Whether replicas are due by answers instead of starts.
    #[inline]
    pub(super) fn projects(&self) -> bool {
        self.routing == Routing::LeastRequests && self.discipline.servers_per_replica() == 1
    }

    /// A request that has just arrived joins the queue of a replica.
    #[inline]
    pub(super) fn join_projected(&mut self, slot: Slot, arrival: u64, service: u64) {
        let is_overdue = self.watches[slot].start < arrival;
        if is_overdue {
            self.advance_station(slot, answer_due(arrival));
        }
        self.waiting += 1;
        self.queues[slot].push(arrival, service);
        self.watches[slot].waiting += 1;
        self.change_load(slot, 1);
        let waiting = self.watches[slot].waiting as usize;
        // Behind a batch under way only the first request and the one that fills a batch can bring the next start forward; a batch that has
        // not started ends at another time for being larger.
        if is_overdue || waiting == 1 || waiting == self.discipline.fill() || !self.watches[slot].work.counted {
            self.project(slot);
        }
    }

    /// Notes when a replica starts next, and when its load falls next.
    #[inline]
    pub(super) fn project(&mut self, slot: Slot) {
        let work = self.watches[slot].work;
        let answer = if work.counted { answer_due(work.end) } else { NEVER };
        let (start, due, planned) = match self.next_at(slot) {
            None => (NEVER, answer, 0),
            Some((deadline, _, false)) => (deadline, start_due(deadline).min(answer), 0),
            Some((start, _, true)) if work.counted => (start, answer, 0),
            Some((start, _, true)) => {
                let taken = self.taken(slot, start);
                let end = start + self.discipline.duration(taken, self.queues[slot].service());
                // Who is left behind may give up before that. And what takes no time ends after those have joined that arrive as it starts.
                if self.watches[slot].waiting > taken as u64 || end == start {
                    (start, start_due(start), 0)
                } else {
                    (start, answer_due(end), u16::try_from(taken).unwrap_or(0))
                }
            }
        };
        let watch = &mut self.watches[slot];
        (watch.start, watch.planned) = (start, planned);
        if start != NEVER && !std::mem::replace(&mut watch.is_pending, true) {
            self.pending.push(slot);
        }
        if due != watch.due {
            watch.due = due;
            self.dues.set(slot, due);
        }
    }

    /// All that waits at a replica was started and answered by now, with nobody having looked in between.
    #[inline]
    pub(super) fn serve_planned(&mut self, slot: Slot) {
        if self.watches[slot].work.len > 0 {
            self.report(slot, 0);
        }
        let Watch { planned, start, due, .. } = self.watches[slot];
        self.take_batch(slot, 0, planned.into());
        self.change_load(slot, -i64::from(planned));
        let work = Work { start, end: due >> 1, len: planned.into(), counted: false };
        let watch = &mut self.watches[slot];
        (watch.work, watch.start, watch.due, watch.planned) = (work, NEVER, NEVER, 0);
        self.dues.set(slot, NEVER);
    }

    /// Does the starts up to and including `to` that nobody has looked at.
    pub(super) fn start_pending(&mut self, to: u64) {
        let mut pending = std::mem::take(&mut self.pending);
        pending.retain(|&slot| {
            if self.watches[slot].start <= to {
                self.advance_station(slot, start_due(to));
                self.project(slot);
            }
            let is_pending = self.watches[slot].start != NEVER;
            self.watches[slot].is_pending = is_pending;
            is_pending
        });
        self.pending = pending;
    }
}
