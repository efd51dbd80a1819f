//! Clock, pending-event set and loop of a discrete-event simulation: the whole kernel.
//!
//! It knows time and order, nothing else: no replicas, nodes, money, dice or files. A model may also carry work forward *between*
//! events ([`Model::advance`]): the request flow lives there, so that millions of requests never touch the pending-event set.

mod agenda;
mod digest;

pub use agenda::{Agenda, Event};
pub use digest::Digest;
use units::SimTime;

/// What is simulated.
pub trait Model {
    /// Its events.
    type Event: Event;

    /// Carries everything that happens outside the pending-event set forward up to and including `to`, or stops earlier, at an
    /// instant for which it has just scheduled an event.
    fn advance(&mut self, to: SimTime, agenda: &mut Agenda<Self::Event>);

    /// Handles one event; [`Agenda::now`] is its instant.
    fn handle(&mut self, event: Self::Event, agenda: &mut Agenda<Self::Event>);
}

/// Runs `model` until `end`: events at `end` itself are still handled. Events left over stay in `agenda`.
pub fn run<M: Model>(model: &mut M, agenda: &mut Agenda<M::Event>, end: SimTime) {
    let _ = run_while(model, agenda, end, || true);
}

/// The same, as long as `goes_on`, which is asked before every event. False if it was stopped before `end`.
pub fn run_while<M: Model>(
    model: &mut M,
    agenda: &mut Agenda<M::Event>,
    end: SimTime,
    goes_on: impl Fn() -> bool,
) -> bool {
    while goes_on() {
        let next = agenda.next_time().map_or(end, |time| time.min(end));
        model.advance(next, agenda);
        match agenda.pop_until(end) {
            Some(event) => model.handle(event, agenda),
            // Nothing is left up to `end`, and `advance` has just been there.
            None => return true,
        }
    }
    false
}
