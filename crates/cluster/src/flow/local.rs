//! A replica's own queue.

use super::intake::NEVER;

/// Requests waiting at one replica, oldest first, in one piece of memory followed by `padding` entries of [`NEVER`], so that a
/// discipline can look past the last one.
///
/// Aligned so that looking at it touches one cache line, and its end another.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub struct LocalQueue {
    arrivals: Vec<u64>,
    /// Service times they were created with; empty as long as all are 0, as those of batched requests are.
    service: Vec<u64>,
    head: usize,
    padding: usize,
}

impl LocalQueue {
    /// An empty queue.
    pub fn new(padding: usize) -> Self {
        Self { arrivals: vec![NEVER; padding], service: Vec::new(), head: 0, padding }
    }

    /// Requests in it.
    #[inline]
    pub fn len(&self) -> usize {
        self.arrivals.len() - self.head - self.padding
    }

    /// True if there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first `padding` arrivals, or what there is of them and then [`NEVER`].
    #[inline]
    pub fn window(&self) -> &[u64] {
        &self.arrivals[self.head..self.head + self.padding]
    }

    /// Reads what the next [`LocalQueue::push`] will write next to, so that it is in the cache by then.
    #[inline]
    pub fn touch(&self) -> u64 {
        self.arrivals[(self.arrivals.len() - self.padding).saturating_sub(1)]
    }

    /// Service time the oldest request was created with.
    #[inline]
    pub fn service(&self) -> u64 {
        self.service.get(self.head).copied().unwrap_or(0)
    }

    /// Adds a request that is not older than the last.
    #[inline]
    pub fn push(&mut self, arrival: u64, service: u64) {
        let end = self.arrivals.len() - self.padding;
        self.arrivals[end] = arrival;
        self.arrivals.push(NEVER);
        if service != 0 || !self.service.is_empty() {
            self.service.resize(end, 0);
            self.service.push(service);
        }
    }

    /// Adds a request in its place by arrival, after those that arrived with it.
    pub fn insert(&mut self, arrival: u64, service: u64) {
        let end = self.arrivals.len() - self.padding;
        let place = self.head + self.arrivals[self.head..end].partition_point(|&other| other <= arrival);
        self.arrivals.insert(place, arrival);
        if service != 0 || !self.service.is_empty() {
            self.service.resize(end, 0);
            self.service.insert(place, service);
        }
    }

    /// Takes the oldest `count` requests away.
    #[inline]
    pub fn take(&mut self, count: usize) {
        self.head += count;
        // Moved together when most of it is spent: each request is moved once on average.
        if self.head > 16 && self.head > self.arrivals.len() / 2 {
            self.arrivals.drain(..self.head);
            self.service.drain(..self.head.min(self.service.len()));
            self.head = 0;
        }
    }

    /// The requests as (arrival, service time), oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let end = self.arrivals.len() - self.padding;
        let service = |place: usize| self.service.get(place).copied().unwrap_or(0);
        (self.head..end).map(move |place| (self.arrivals[place], service(place)))
    }
}
