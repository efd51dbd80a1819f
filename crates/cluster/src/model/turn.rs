//! What the services of a run share while one event is handled.

use engine::Agenda;
use units::{SimDuration, SimTime};

use super::Event;
use crate::fleet::{Groups, Out};
use crate::metrics::Pipeline;

/// One instant at which something happens: the clock, the fleet, the metrics, and what is to happen later.
///
/// There are two clocks. That of the agenda begins with the prehistory, so that requests, metrics and controllers have one time that is
/// never negative. The fleet lives on the clock of the run and stands still until it begins; everything a record shows is on that clock too.
pub(super) struct Turn<'t> {
    agenda: &'t mut Agenda<Event>,
    /// Nodes and what is on them.
    pub fleet: &'t mut Groups,
    /// What the fleet asks to have scheduled and has to say.
    pub out: &'t mut Out,
    /// Exporters, Prometheus, adapters.
    pub pipeline: &'t mut Pipeline,
    /// Time zero of the run on the agenda's clock.
    pub origin: SimTime,
}

impl<'t> Turn<'t> {
    /// The instant of the event that `agenda` is at.
    pub fn new(
        agenda: &'t mut Agenda<Event>,
        (fleet, out): (&'t mut Groups, &'t mut Out),
        pipeline: &'t mut Pipeline,
        origin: SimTime,
    ) -> Self {
        Self { agenda, fleet, out, pipeline, origin }
    }

    /// The present on the agenda's clock.
    pub fn now(&self) -> SimTime {
        self.agenda.now()
    }

    /// The present on the clock of the run.
    pub fn run_now(&self) -> SimTime {
        self.in_run(self.now())
    }

    /// Has `event` happen at `time` of the agenda's clock.
    pub fn schedule(&mut self, time: SimTime, event: Event) {
        self.agenda.schedule(time, event);
    }

    /// An instant of the agenda on the clock of the run.
    pub fn in_run(&self, time: SimTime) -> SimTime {
        SimTime::ZERO + time.since(self.origin)
    }

    /// An instant of the run on the agenda.
    pub fn on_agenda(&self, time: SimTime) -> SimTime {
        time.saturating_add(self.before())
    }

    /// Length of the prehistory.
    pub fn before(&self) -> SimDuration {
        self.origin.since(SimTime::ZERO)
    }
}
