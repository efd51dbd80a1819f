//! A replica's own queue.

use super::intake::NEVER;

/// Requests waiting at one replica, oldest first, in one piece of memory followed by `padding` entries of [`NEVER`], so that a
/// discipline can look past the last one.
#[derive(Clone, Debug)]
pub struct LocalQueue {
    arrivals: Vec<u64>,
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

    /// Service time the oldest request was created with.
    #[inline]
    pub fn service(&self) -> u64 {
        self.service[self.head]
    }

    /// Adds a request that is not older than the last.
    #[inline]
    pub fn push(&mut self, arrival: u64, service: u64) {
        let end = self.arrivals.len() - self.padding;
        self.arrivals[end] = arrival;
        self.arrivals.push(NEVER);
        self.service.push(service);
    }

    /// Adds a request in its place by arrival, after those that arrived with it.
    pub fn insert(&mut self, arrival: u64, service: u64) {
        let end = self.arrivals.len() - self.padding;
        let place = self.head + self.arrivals[self.head..end].partition_point(|&other| other <= arrival);
        self.arrivals.insert(place, arrival);
        self.service.insert(place, service);
    }

    /// Takes the oldest `count` requests away.
    #[inline]
    pub fn take(&mut self, count: usize) {
        self.head += count;
        // Moved together when most of it is spent: each request is moved once on average.
        if self.head > 64 && self.head > self.arrivals.len() / 2 {
            self.arrivals.drain(..self.head);
            self.service.drain(..self.head);
            self.head = 0;
        }
    }

    /// The requests as (arrival, service time), oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let end = self.arrivals.len() - self.padding;
        self.arrivals[self.head..end].iter().copied().zip(self.service[self.head..].iter().copied())
    }
}
