//! What the pipeline may look at when it makes values.

use units::{PodId, SimDuration, SimTime};

use super::process::{Process, sum};
use crate::fleet::Fleet;
use crate::flow::{Flow, ReplicaStats, Slot};
use crate::pods::{PodObject, Pods};

/// The cluster at one instant.
pub(crate) struct World<'a> {
    pub now: SimTime,
    pub fleet: &'a Fleet,
    /// By number.
    pub services: Vec<ServiceView<'a>>,
}

/// One service at one instant.
pub(crate) struct ServiceView<'a> {
    pub flow: &'a mut dyn Flow,
    pub pods: &'a Pods,
    /// `spec.replicas`.
    pub desired: u32,
    /// The HorizontalPodAutoscaler's last pass, if there is one.
    pub scaler: Option<ScalerStatus>,
}

/// A service whose controllers ask for metrics.
pub(crate) struct Asker<'a> {
    pub now: SimTime,
    /// Its number.
    pub service: usize,
    pub view: ServiceView<'a>,
}

/// What a HorizontalPodAutoscaler shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScalerStatus {
    pub min: u32,
    pub max: u32,
    pub current: u32,
    pub desired: u32,
}

/// What one pod does at an instant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PodSeen {
    /// Where it is in the request flow, if it is.
    pub slot: Option<Slot>,
    /// Since its process began.
    pub stats: ReplicaStats,
    /// Requests waiting at it.
    pub own_waiting: u64,
    /// Its share of the gateway's queue.
    pub share: u64,
    pub serving: u64,
}

impl World<'_> {
    /// What a pod does now; nothing but its past, if it is not in the request flow.
    pub(super) fn pod(&mut self, pod: PodId, process: &Process) -> PodSeen {
        let now = self.now;
        let ServiceView { flow, pods, .. } = &mut self.services[pod.service()];
        let Some(slot) = pods.slot(pod) else { return PodSeen { stats: process.carried, ..PodSeen::default() } };
        let (own_waiting, serving) = flow.replica_load(slot, now);
        let stats = sum(process.carried, flow.stats(slot, now));
        // The gateway's queue belongs to nobody: each ready replica shows an equal share, the first ones the remainder.
        let (rank, ready) = pods.rank_among_ready(slot);
        let shared = flow.central_queue(now);
        let share = rank.map_or(0, |rank| shared / ready + u64::from(rank < shared % ready));
        PodSeen { slot: Some(slot), stats, own_waiting, share, serving }
    }

    /// Time a pod has been serving since its process began.
    pub(super) fn busy_ns(&mut self, pod: PodId, process: &Process) -> u64 {
        let now = self.now;
        let ServiceView { flow, pods, .. } = &mut self.services[pod.service()];
        process.carried.busy_ns + pods.slot(pod).map_or(0, |slot| flow.stats(slot, now).busy_ns)
    }

    /// What the API server shows of a worker of a replica's group, if it has been made and is not gone. The fleet's clock is `before`
    /// behind; what it has had from its start on was there before.
    pub(super) fn worker(&self, (replica, place): (PodId, u32), before: SimDuration) -> Option<PodObject> {
        let seen = self.fleet.worker(replica, place)?;
        let here = |at: SimTime| if at == SimTime::ZERO { at } else { at + before };
        Some(PodObject {
            created: here(seen.created),
            scheduled: seen.scheduled.map(here),
            is_running: seen.is_running,
            is_ready: seen.ready.is_some(),
            ready_transition: here(seen.ready.unwrap_or(seen.created)),
        })
    }
}
