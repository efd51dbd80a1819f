//! Control events and their order at one instant.

use units::PodId;

use crate::fleet::FleetEvent;
use crate::metrics::MetricsEvent;

/// What happens outside the request flow.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// Something in the fleet.
    Fleet(FleetEvent),
    /// A draining pod has answered its last request.
    Drained(PodId),
    /// A pod's endpoint is known to the router.
    Endpoint(PodId),
    /// A deleted pod's grace period is over.
    GraceOver(PodId),
    /// A deleted pod has been told to stop and turns new requests away.
    Refuse(PodId),
    /// That a pod is deleted is known to the router.
    Withdraw(PodId),
    /// A pod that was lost with its node is evicted.
    Forget(PodId),
    /// A scrape, a refresh, a relist.
    Metrics(MetricsEvent),
    /// A minute is over: its offered rate enters the history.
    Minute,
    /// A controller of a service makes a pass: numbers of both.
    Decide(usize, usize),
    /// Push scalers of a controller of a service may wake the target.
    Push(usize, usize),
    /// A step of the timeline is over.
    Step,
    /// The warm-up is over.
    MeasureFrom,
    /// The prehistory is over: the last nanosecond before time zero.
    Begin,
    /// A new version of a service is rolled out, by its number.
    Rollout(usize, usize),
    /// A rollout of a service may go on.
    Settle(usize),
    /// The server of a deleted pod gives up what it still has.
    Stop(PodId),
}

impl engine::Event for Event {
    /// At one instant, after all requests of that instant:
    fn rank(&self) -> u8 {
        match self {
            // What nodes and pods do comes first: it is what the rest looks at.
            Self::Fleet(_) => 0,
            // A pod that has just run empty ends well, even if its grace ends now.
            Self::Drained(_) => 1,
            Self::Refuse(_) | Self::Withdraw(_) | Self::GraceOver(_) | Self::Forget(_) | Self::Stop(_) => 2,
            // What is rolled out looks after what pods did, before those who look at them.
            Self::Endpoint(_) | Self::Rollout(..) | Self::Settle(_) => 3,
            // The scrape sees the pods of this instant, the controllers see the scrape.
            Self::Metrics(_) => 4,
            Self::Minute => 5,
            // Decide late: the policy sees the whole instant.
            Self::Decide(..) | Self::Push(..) => 6,
            // The timeline shows what the instant ended with.
            Self::Step => 7,
            Self::MeasureFrom => 8,
            Self::Begin => 9,
        }
    }
}

impl Event {
    /// The number of the service it is about; `None` if it is about the cluster.
    pub(crate) fn service(self) -> Option<usize> {
        match self {
            Self::Drained(pod)
            | Self::Endpoint(pod)
            | Self::GraceOver(pod)
            | Self::Refuse(pod)
            | Self::Withdraw(pod)
            | Self::Forget(pod)
            | Self::Stop(pod) => Some(pod.service()),
            Self::Decide(service, _) | Self::Push(service, _) | Self::Rollout(service, _) | Self::Settle(service) => {
                Some(service)
            }
            Self::Fleet(_) | Self::Metrics(_) | Self::Minute | Self::Step | Self::MeasureFrom | Self::Begin => None,
        }
    }

    /// A word for the digest: kind and whom it concerns.
    pub(crate) fn word(self) -> u64 {
        let (kind, whom) = match self {
            Self::Fleet(_) => (0, 0),
            Self::Drained(pod) => (1, u64::from(pod.0)),
            Self::Endpoint(pod) => (2, u64::from(pod.0)),
            Self::GraceOver(pod) => (3, u64::from(pod.0)),
            Self::Metrics(event) => (4, event.word()),
            Self::Minute => (5, 0),
            Self::Decide(service, index) => (6, of_service(service, index)),
            Self::Step => (7, 0),
            Self::MeasureFrom => (8, 0),
            Self::Refuse(pod) => (9, u64::from(pod.0)),
            Self::Withdraw(pod) => (10, u64::from(pod.0)),
            Self::Forget(pod) => (11, u64::from(pod.0)),
            Self::Begin => (12, 0),
            Self::Rollout(service, index) => (16, of_service(service, index)),
            Self::Settle(service) => (14, service as u64),
            Self::Stop(pod) => (15, u64::from(pod.0)),
            Self::Push(service, index) => (13, of_service(service, index)),
        };
        whom << 8 | kind
    }
}

/// A number for something that services count for themselves.
fn of_service(service: usize, index: usize) -> u64 {
    (service as u64) << 32 | index as u64
}
