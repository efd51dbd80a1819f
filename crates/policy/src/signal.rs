//! Signals: figures of the request flow and the fleet that stand in for services outside the cluster.
//!
//! A queue trigger counts messages; here a request is one message. This module names the figures and how stale they are seen; how they
//! come about is the cluster's business.

use units::SimDuration;

/// A figure the simulator knows at every instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// Arrived and given to no replica: in the central queue, at the gateway or interceptor, nothing up.
    Held,
    /// On a replica, waiting there or served.
    Assigned,
    /// Being served.
    Running,
    /// Held, or in the queue of a replica.
    Waiting,
    /// All unfinished requests: held and assigned.
    Requests,
    /// Arrivals per second, mean over a window.
    ArrivalRate,
    /// Answers per second, mean over a window.
    FinishRate,
    /// Age of the oldest unfinished request in seconds.
    Oldest,
    /// Requests arrived since the start.
    ArrivalsTotal,
    /// Requests answered since the start.
    CompletedTotal,
    /// Requests that ended without an answer since the start.
    FailedTotal,
    /// Pods that are not being deleted.
    ReplicasCurrent,
    /// Ready pods.
    ReplicasReady,
    /// Pods of the service that exist, those being deleted included.
    Pods,
}

/// Every name a scenario may use, the first of a signal being its own.
const NAMES: [(&str, Signal); 24] = [
    ("held", Signal::Held),
    ("assigned", Signal::Assigned),
    ("running", Signal::Running),
    ("waiting", Signal::Waiting),
    ("requests", Signal::Requests),
    ("arrivalRate", Signal::ArrivalRate),
    ("finishRate", Signal::FinishRate),
    ("oldest", Signal::Oldest),
    ("arrivals_total", Signal::ArrivalsTotal),
    ("completed_total", Signal::CompletedTotal),
    ("failed_total", Signal::FailedTotal),
    ("replicas_current", Signal::ReplicasCurrent),
    ("replicas_ready", Signal::ReplicasReady),
    ("pods", Signal::Pods),
    // Names of the same figures where metrics are made of them.
    ("gateway_queue", Signal::Held),
    ("dispatched", Signal::Assigned),
    ("in_flight", Signal::Running),
    ("queue_length", Signal::Waiting),
    ("unfinished", Signal::Requests),
    ("arrival_rate", Signal::ArrivalRate),
    ("finish_rate", Signal::FinishRate),
    ("oldest_age", Signal::Oldest),
    ("requests_total", Signal::ArrivalsTotal),
    ("answered_total", Signal::CompletedTotal),
];

impl Signal {
    /// The signal of this name.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, signal)| *signal)
    }

    /// Every name there is.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// Its own name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, signal)| *signal == self).map_or("", |(name, _)| *name)
    }

    /// True for a mean over a window.
    pub const fn is_rate(self) -> bool {
        matches!(self, Self::ArrivalRate | Self::FinishRate)
    }

    /// True for the length of a queue that routing empties at once where the service pushes requests to its replicas.
    pub const fn is_queue(self) -> bool {
        matches!(self, Self::Held)
    }
}

/// A signal as a service outside the cluster would show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalQuery {
    /// Which.
    pub signal: Signal,
    /// Window of a rate, above 0; without effect for the others.
    pub over: SimDuration,
    /// The source is refreshed on a grid of this step from the start of the run; 0 is at every instant.
    pub every: SimDuration,
    /// How long after a refresh it can be seen.
    pub delay: SimDuration,
}

impl SignalQuery {
    /// Window of a rate where nothing else is said.
    pub const OVER: SimDuration = SimDuration::from_secs(60);

    /// The signal as it is now.
    pub const fn live(signal: Signal) -> Self {
        Self { signal, over: Self::OVER, every: SimDuration::ZERO, delay: SimDuration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_a_signal_that_has_a_name() {
        for name in Signal::names() {
            let signal = Signal::named(name).unwrap();
            assert_eq!(Signal::named(signal.name()), Some(signal), "{name}");
        }
        assert_eq!(Signal::named("queue_lenght"), None);
    }
}
