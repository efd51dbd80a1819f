//! What the fleet asks to be woken for, and what it tells its caller.

use units::{NodeId, PodId, SimTime};

use super::transfer::TransferEpoch;

/// One part of a cold start that takes time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadPart {
    /// Weights to the node.
    Download,
    /// Weights to the GPU.
    GpuLoad,
    /// First inferences.
    WarmUp,
    /// A snapshot, in place of all these.
    Restore,
}

/// Something the fleet wants to be told about at a later time. The caller keeps it until then and gives it to `Fleet::handle`; events of
/// things that are gone meanwhile are ignored there, so none ever needs to be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FleetEvent {
    /// The answer to a launch request.
    Launch(NodeId),
    /// Kubelet registered and Ready.
    Boot(NodeId),
    /// GPUs allocatable.
    DevicePlugin(NodeId),
    /// The image of that number is on the node and unpacked.
    ImagePulled(NodeId, u32),
    /// The DaemonSet that fills the node's model cache is done.
    CacheFilled(NodeId),
    /// That DaemonSet looks again what is missing.
    CacheSync(NodeId),
    /// A pause pod has made way for a pod on a node.
    Preempted(NodeId, PodId),
    /// A part of a pod's cold start is over, of the attempt of that number.
    PartDone(PodId, LoadPart, u32),
    /// The last failure a startup or liveness probe forgives: a container (of that attempt) that does not answer by then is killed.
    ProbeKill(PodId, u32),
    /// A killed container is started again, for the attempt of that number.
    Restart(PodId, u32),
    /// The next transfer over shared links completes, unless the set of transfers changed since.
    Transfer(TransferEpoch),
    /// The first readiness probe after warm-up.
    Probe(PodId),
    /// Endpoints have propagated.
    Endpoint(PodId),
    /// A node may have been empty for long enough; the number tells whether it was used meanwhile.
    Empty(NodeId, u32),
    /// The provider gives notice.
    SpotNotice(NodeId),
    /// The notice has reached the node controller.
    SpotHeard(NodeId),
    /// The provider takes the node.
    SpotKill(NodeId),
    /// A zone-wide reclaim of the clustered model, in the zone of that number.
    SpotCluster(u32),
    /// An availability trace is about to change (zone, step): notices.
    AvailabilityNotice(u32, u32),
    /// An availability trace changes (zone, step).
    Availability(u32, u32),
    /// A price changes (offering, step).
    Price(u32, u32),
    /// A clock hour of the commitments ends.
    CommitmentHour,
    /// What a commitment (number) has for this hour is spent, unless its use changed since.
    CommitmentSpent(u32, u32),
    /// Pods wait for capacity that was not to be had: try again.
    Retry,
    /// The provisioning batch may close.
    Batch,
    /// Karpenter's disruption loop.
    Disruption,
    /// The validation of a disruption command.
    Validate,
    /// A node that is to replace others has taken too long.
    ReplaceTimeout(NodeId),
    /// The oldest age a node may reach.
    Expire(NodeId),
    /// Retry of blocked evictions on a draining node.
    Evict(NodeId),
    /// A drained node may be terminated.
    Drained(NodeId),
    /// The hard limit of a drain; the flag is set for the last one, when what is left is killed.
    GraceOver(NodeId, bool),
    /// A scan of the Cluster Autoscaler.
    Scan,
    /// A node the Cluster Autoscaler asked for has not come in time.
    ProvisionTimeout(NodeId),
    /// A claim of Karpenter has not been launched, or its node not registered, in time.
    ClaimTimeout(NodeId),
}

impl FleetEvent {
    /// Whether handling it may write a bill while pods serve: tell the fleet how busy they were before (`Fleet::add_busy`), or that
    /// time counts as idle.
    pub const fn wants_busy(self) -> bool {
        matches!(
            self,
            Self::SpotKill(_)
                | Self::Availability(..)
                | Self::GraceOver(_, true)
                | Self::Price(..)
                | Self::CommitmentHour
                | Self::CommitmentSpent(..)
        )
    }
}

/// What the caller must know, in the order it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The pod is bound to a node.
    Scheduled {
        /// The pod.
        pod: PodId,
        /// Its node; for serverless replicas a number of their own.
        node: NodeId,
    },
    /// Another pod of its group is bound to a node.
    Joined {
        /// The replica.
        pod: PodId,
        /// Which of its pods, the leader being 0.
        place: u32,
        /// The node of that pod.
        node: NodeId,
    },
    /// Its containers run: the image is there.
    ContainerStarted {
        /// The pod.
        pod: PodId,
    },
    /// A probe killed its container before it answered; it will be started again on the same node.
    ContainerKilled {
        /// The pod.
        pod: PodId,
        /// Its node.
        node: NodeId,
    },
    /// Warm-up is over; the readiness probe has not seen it yet.
    Loaded {
        /// The pod.
        pod: PodId,
    },
    /// Probe passed and endpoints propagated: an active pod may serve from now on, a standby is warm.
    Ready {
        /// The pod.
        pod: PodId,
    },
    /// Its node got a spot notice that has reached the cluster, whether or not the pod may be drained now.
    Warned {
        /// The pod.
        pod: PodId,
        /// When the node goes.
        kill_at: SimTime,
    },
    /// Evicted because of a spot notice: drain it now, the pod dies at `kill_at` at the latest. Comes after [`Notice::Warned`], as soon as
    /// the disruption budgets allow; not at all if they never do.
    Interrupted {
        /// The pod.
        pod: PodId,
        /// When the node goes.
        kill_at: SimTime,
    },
    /// Evicted by a node controller: no new requests, then the caller deletes the pod, at the end of its grace period at the latest.
    Evicted {
        /// The pod.
        pod: PodId,
        /// `consolidation`, `expired`, `spot_reclaim`, …: the ending to give to `Fleet::delete_pod`.
        reason: &'static str,
    },
    /// Gone with its node, at once. The fleet has already deleted it.
    Killed {
        /// The pod.
        pod: PodId,
    },
    /// Gone with its node, and nobody in the cluster knows: it serves no more, but it is replaced only once it is evicted.
    Lost {
        /// The pod.
        pod: PodId,
        /// When its node is seen as NotReady.
        not_ready_at: SimTime,
        /// When it is evicted.
        evicted_at: SimTime,
    },
    /// A worker of the replica's group is going or gone: the leader is to be deleted, and all of the group with it.
    Broken {
        /// The replica.
        pod: PodId,
        /// The ending to give to `Groups::delete_pod`.
        reason: &'static str,
        /// Whether it serves no more from now on; else from the end of the worker's preStop hook on.
        at_once: bool,
    },
    /// A node takes pods.
    NodeUp {
        /// The node.
        node: NodeId,
    },
    /// A node is gone.
    NodeGone {
        /// The node.
        node: NodeId,
        /// Whether the provider took it.
        reclaimed: bool,
    },
    /// A launch failed for want of capacity.
    LaunchFailed {
        /// The node that never was.
        node: NodeId,
    },
    /// The provider gave notice that it will take a node.
    NodeInterrupted {
        /// The node.
        node: NodeId,
    },
}

impl Notice {
    /// The pod it is about, if it is about one.
    pub fn pod(self) -> Option<PodId> {
        match self {
            Self::Scheduled { pod, .. }
            | Self::Joined { pod, .. }
            | Self::ContainerStarted { pod }
            | Self::ContainerKilled { pod, .. }
            | Self::Loaded { pod }
            | Self::Ready { pod }
            | Self::Warned { pod, .. }
            | Self::Interrupted { pod, .. }
            | Self::Evicted { pod, .. }
            | Self::Killed { pod }
            | Self::Lost { pod, .. }
            | Self::Broken { pod, .. } => Some(pod),
            Self::NodeUp { .. } | Self::NodeGone { .. } | Self::NodeInterrupted { .. } | Self::LaunchFailed { .. } => {
                None
            }
        }
    }
}

/// What one call led to. The caller empties and reuses it.
#[derive(Clone, Debug, Default)]
pub struct Out {
    /// Events to hand back at their times.
    pub schedule: Vec<(SimTime, FleetEvent)>,
    /// What happened, in order.
    pub notices: Vec<Notice>,
}

impl Out {
    /// Empties both lists and keeps their memory.
    pub fn clear(&mut self) {
        self.schedule.clear();
        self.notices.clear();
    }

    /// Asks for an event.
    pub(super) fn at(&mut self, time: SimTime, event: FleetEvent) {
        self.schedule.push((time, event));
    }

    /// Reports.
    pub(super) fn tell(&mut self, notice: Notice) {
        self.notices.push(notice);
    }
}
