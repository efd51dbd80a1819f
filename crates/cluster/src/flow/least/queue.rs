//! The requests of one replica.

/// Requests at a replica in the order they arrived, those being served first, in one piece of memory.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// Arrivals, in nanoseconds; those at `first..end` are here.
    arrivals: Box<[u64]>,
    /// Service times they were created with, likewise; empty where they have none.
    service: Box<[u64]>,
    first: u32,
    end: u32,
}

impl Queue {
    /// Requests in it.
    #[inline]
    pub fn len(&self) -> usize {
        (self.end - self.first) as usize
    }

    /// Their arrivals, oldest first.
    #[inline]
    pub fn arrivals(&self) -> &[u64] {
        &self.arrivals[self.first as usize..self.end as usize]
    }

    /// Service time of the one at `place`; 0 where they have none.
    #[inline]
    pub fn service(&self, place: usize) -> u64 {
        self.service.get(self.first as usize + place).copied().unwrap_or(0)
    }

    /// The requests as (arrival, service time), oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.arrivals().iter().enumerate().map(|(place, &arrival)| (arrival, self.service(place)))
    }

    /// Adds a request that is not older than the last.
    #[inline]
    pub fn push(&mut self, arrival: u64, service: u64) {
        if self.end as usize == self.arrivals.len() {
            self.make_room();
        }
        let end = self.end as usize;
        self.arrivals[end] = arrival;
        if service != 0 && self.service.is_empty() {
            self.service = vec![0; self.arrivals.len()].into_boxed_slice();
        }
        if let Some(place) = self.service.get_mut(end) {
            *place = service;
        }
        self.end += 1;
    }

    /// Adds a request in its place by arrival, after those that arrived with it and not before the first `ahead`.
    pub fn insert(&mut self, arrival: u64, service: u64, ahead: usize) {
        let place = ahead + self.arrivals()[ahead..].partition_point(|&other| other <= arrival);
        let later: Vec<(u64, u64)> = self.iter().skip(place).collect();
        self.end = self.first + place as u32;
        self.push(arrival, service);
        later.into_iter().for_each(|(arrival, service)| self.push(arrival, service));
    }

    /// Takes the oldest `count` requests away.
    #[inline]
    pub fn take(&mut self, count: usize) {
        self.first += count as u32;
        if self.first == self.end {
            (self.first, self.end) = (0, 0);
        }
    }

    /// Takes the one at `place` away. Those before it move: they are few.
    pub fn take_at(&mut self, place: usize) {
        let (first, at) = (self.first as usize, self.first as usize + place);
        self.arrivals.copy_within(first..at, first + 1);
        if !self.service.is_empty() {
            self.service.copy_within(first..at, first + 1);
        }
        self.take(1);
    }

    /// All of them are gone.
    pub fn clear(&mut self) {
        (self.first, self.end) = (0, 0);
    }

    /// Moves them to the front of the memory if half of it is spent, and to twice the memory if not: each is moved once on average.
    #[cold]
    fn make_room(&mut self) {
        let (first, end) = (self.first as usize, self.end as usize);
        if first >= end.div_ceil(2).max(1) {
            self.arrivals.copy_within(first..end, 0);
            if !self.service.is_empty() {
                self.service.copy_within(first..end, 0);
            }
        } else {
            let larger = |column: &[u64], len: usize| {
                let mut column = column[first..end].to_vec();
                column.resize(len, 0);
                column.into_boxed_slice()
            };
            let len = (2 * end).max(64);
            self.arrivals = larger(&self.arrivals, len);
            if !self.service.is_empty() {
                self.service = larger(&self.service, len);
            }
        }
        (self.first, self.end) = (0, (end - first) as u32);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Push(u64),
        Insert(u64, usize),
        Take(usize),
        TakeAt(usize),
        Clear,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (0u64..3).prop_map(Step::Push),
            1 => (0u64..400, 0usize..3).prop_map(|(arrival, ahead)| Step::Insert(arrival, ahead)),
            4 => (1usize..5).prop_map(Step::Take),
            1 => (0usize..5).prop_map(Step::TakeAt),
            1 => Just(Step::Clear),
        ]
    }

    proptest! {
        #[test]
        fn it_holds_what_a_list_would_hold(steps in prop::collection::vec(step(), 1..600), has_service in any::<bool>()) {
            let (mut queue, mut list, mut now) = (Queue::default(), Vec::<(u64, u64)>::new(), 0);
            let service_of = |arrival: u64| if has_service { arrival + 1 } else { 0 };
            for step in steps {
                match step {
                    Step::Push(gap) => {
                        now += gap;
                        queue.push(now, service_of(now));
                        list.push((now, service_of(now)));
                    }
                    Step::Insert(arrival, ahead) if ahead <= list.len() && arrival <= now => {
                        queue.insert(arrival, service_of(arrival), ahead);
                        let place = ahead + list[ahead..].partition_point(|&(other, _)| other <= arrival);
                        list.insert(place, (arrival, service_of(arrival)));
                    }
                    Step::Take(count) if count <= list.len() => {
                        queue.take(count);
                        list.drain(..count);
                    }
                    Step::TakeAt(place) if place < list.len() => {
                        queue.take_at(place);
                        list.remove(place);
                    }
                    Step::Clear => {
                        queue.clear();
                        list.clear();
                    }
                    Step::Insert(..) | Step::Take(_) | Step::TakeAt(_) => {}
                }
                prop_assert_eq!(queue.len(), list.len());
                prop_assert_eq!(queue.iter().collect::<Vec<_>>(), list.clone());
            }
        }
    }
}
