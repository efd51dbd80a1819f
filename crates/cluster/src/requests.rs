//! Rows of requests on their way out of a run, in order of arrival.
//!
//! A run knows how a request ends when it ends, and requests overtake each other. [`InOrder`] reads the arrivals a second time and holds a
//! row back until every older one is there: as many rows as there are requests in the system, not as many as there are requests. It does
//! not know files.

use std::collections::VecDeque;

use record::RequestRow;
use units::SimTime;
use workload::{ArrivalCursor, TraceChunk};

use crate::spec::{ServiceSpec, SimulationSpec};

/// Takes the rows of requests while a run goes on.
pub trait RequestSink: Send {
    /// The next rows, in order.
    fn take(&mut self, rows: &[RequestRow]);
    /// There are no more.
    fn close(&mut self);
}

/// A request that has arrived, and its row once it has ended.
struct Place {
    arrival: SimTime,
    row: Option<RequestRow>,
}

/// Sorts rows by arrival. Of requests that arrived at one instant, those whose service began earlier come first.
pub(crate) struct InOrder {
    sink: Box<dyn RequestSink>,
    cursor: ArrivalCursor,
    chunk: TraceChunk,
    measure_from: u64,
    /// From the oldest request without a row to the last one read.
    places: VecDeque<Place>,
    ready: Vec<RequestRow>,
}

impl InOrder {
    /// For a service of a run of `spec` under the service's `seed`.
    pub(crate) fn new(spec: &SimulationSpec, service: &ServiceSpec, seed: u64, sink: Box<dyn RequestSink>) -> Self {
        Self {
            sink,
            cursor: ArrivalCursor::new(&service.traffic, seed, spec.end),
            chunk: TraceChunk::default(),
            measure_from: spec.warm_up.as_nanos(),
            places: VecDeque::new(),
            ready: Vec::new(),
        }
    }

    /// Puts a row to the first free place of its arrival.
    fn place(&mut self, row: RequestRow) {
        while self.places.back().is_none_or(|last| last.arrival <= row.arrival) && self.read() {}
        let first = self.places.partition_point(|place| place.arrival < row.arrival);
        let same = self.places.iter_mut().skip(first).take_while(|place| place.arrival == row.arrival);
        let free = same.into_iter().find(|place| place.row.is_none());
        free.expect("every request that ends has arrived, and ends once").row = Some(row);
    }

    /// Reads more arrivals; false at the end.
    fn read(&mut self) -> bool {
        self.chunk.clear();
        let is_more = self.cursor.fill(&mut self.chunk);
        let measured = self.chunk.arrival_ns.iter().filter(|at| **at >= self.measure_from);
        self.places.extend(measured.map(|at| Place { arrival: SimTime::from_nanos(*at), row: None }));
        is_more
    }

    /// Hands on what no older request holds back any more.
    fn hand_on(&mut self) {
        self.ready.clear();
        while let Some(Place { row: Some(row), .. }) = self.places.front() {
            self.ready.push(*row);
            self.places.pop_front();
        }
        // All of one instant are there or none is handed on: an instant is complete when a later arrival heads the queue.
        let held = match (self.ready.last(), self.places.front()) {
            (Some(last), Some(next)) if last.arrival == next.arrival => {
                let instant = last.arrival;
                self.ready.len() - self.ready.partition_point(|row| row.arrival < instant)
            }
            _ => 0,
        };
        for row in self.ready.drain(self.ready.len() - held..).rev() {
            self.places.push_front(Place { arrival: row.arrival, row: Some(row) });
        }
        for instant in self.ready.chunk_by_mut(|one, next| one.arrival == next.arrival) {
            instant.sort_by_key(|row| (row.start, row.end, row.replica));
        }
        self.sink.take(&self.ready);
    }
}

/// Keeps all rows and sorts them when the run is over: where requests follow from answers, nobody knows before which are still to arrive.
pub(crate) struct AtTheEnd {
    sink: Box<dyn RequestSink>,
    rows: Vec<RequestRow>,
}

impl AtTheEnd {
    pub(crate) fn new(sink: Box<dyn RequestSink>) -> Self {
        Self { sink, rows: Vec::new() }
    }
}

impl RequestSink for AtTheEnd {
    fn take(&mut self, rows: &[RequestRow]) {
        self.rows.extend_from_slice(rows);
    }

    fn close(&mut self) {
        self.rows.sort_by_key(|row| (row.arrival, row.start, row.end, row.replica));
        self.sink.take(&self.rows);
        self.sink.close();
    }
}

impl RequestSink for InOrder {
    fn take(&mut self, rows: &[RequestRow]) {
        rows.iter().for_each(|row| self.place(*row));
        self.hand_on();
    }

    fn close(&mut self) {
        self.hand_on();
        while self.read() {}
        assert!(self.places.is_empty(), "a request that arrived has no row");
        self.sink.close();
    }
}
