//! One pod as the fleet sees it.

use record::{GpuUse, PhaseSpan};
use units::{NodeId, PodId, SimDuration, SimTime};

use super::probes::{Attempts, Ticks};

/// What a pod is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodRole {
    /// Serves, once ready.
    Active,
    /// Loaded and waiting outside the endpoints.
    Standby,
}

/// Where in its life a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodPhase {
    /// No node yet.
    Pending,
    /// Its container was killed by a probe and waits to be started again.
    BackOff,
    /// Waiting for its image.
    ImagePull,
    /// Downloading weights.
    ModelDownload,
    /// Loading weights into GPU memory.
    GpuLoad,
    /// First inferences.
    CudaWarmUp,
    /// Being restored from a snapshot, in place of the last three.
    Restore,
    /// Loaded; probe and endpoints not yet.
    Readiness,
    /// Could serve, and waits for the other pods of its group.
    Group,
    /// Ready (a standby: warm).
    Ready,
    /// Finishing its last requests.
    Draining,
    /// Gone.
    Gone,
}

/// State and history of one pod.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub role: PodRole,
    pub phase: PodPhase,
    pub phase_since: SimTime,
    pub spans: Vec<PhaseSpan>,
    /// The node it is bound to, kept after its end.
    pub node: Option<NodeId>,
    /// The node that was launched, or has room, for it.
    pub nominated: Option<NodeId>,
    /// The node on which others make way for it.
    pub preempts_on: Option<NodeId>,
    /// Its number among the pods of all classes, in order of creation.
    pub number: u64,
    /// When it was bound to its node.
    pub bound_at: SimTime,
    /// Lengths of its phases that are plain times, drawn when it is bound.
    pub lengths: [SimDuration; 5],
    pub created: SimTime,
    pub container_started: SimTime,
    /// Where in their periods its probes tick, and how its containers fared.
    pub ticks: Ticks,
    pub attempts: Attempts,
    /// Why it waits for a node, if it does, since when; and why it waited before.
    pub waiting: Option<(usize, SimTime)>,
    pub waits: Vec<(usize, SimTime, SimTime)>,
    /// A streaming loader has the weights in GPU memory while the phase is still called download.
    pub gpu_loaded: bool,
    pub ready_at: Option<SimTime>,
    pub ended: Option<SimTime>,
    /// Evicted by a node controller.
    pub evicted: bool,
    /// Evicted by the scheduler for one of higher priority.
    pub preempted: bool,
    /// Must not run on spot nodes.
    pub on_demand: bool,
    pub busy: SimDuration,
    pub ending: &'static str,
}

impl Pod {
    pub fn new(role: PodRole, now: SimTime) -> Self {
        Self {
            role,
            phase: PodPhase::Pending,
            phase_since: now,
            spans: Vec::new(),
            node: None,
            nominated: None,
            preempts_on: None,
            number: 0,
            bound_at: now,
            lengths: [SimDuration::ZERO; 5],
            created: now,
            container_started: now,
            ticks: Ticks::default(),
            attempts: Attempts::default(),
            waiting: None,
            waits: Vec::new(),
            gpu_loaded: false,
            ready_at: None,
            ended: None,
            evicted: false,
            preempted: false,
            on_demand: false,
            busy: SimDuration::ZERO,
            ending: "running",
        }
    }

    /// What its GPUs count as.
    pub fn gpu_use(&self) -> GpuUse {
        match (self.phase, self.role) {
            (PodPhase::Pending | PodPhase::Gone, _) => GpuUse::Unallocated,
            (PodPhase::ImagePull, _) => GpuUse::ImagePull,
            (PodPhase::ModelDownload, _) => GpuUse::ModelDownload,
            // A restore fills GPU memory too.
            (PodPhase::GpuLoad | PodPhase::Restore, _) => GpuUse::GpuLoad,
            (PodPhase::CudaWarmUp, _) => GpuUse::CudaWarmUp,
            (PodPhase::Readiness | PodPhase::BackOff | PodPhase::Group, _) => GpuUse::Readiness,
            (PodPhase::Ready, PodRole::Active) => GpuUse::ServingIdle,
            (PodPhase::Ready, PodRole::Standby) => GpuUse::Standby,
            (PodPhase::Draining, _) => GpuUse::Draining,
        }
    }

    /// Name of the present phase in [`record::ReplicaLife`].
    pub fn phase_name(&self) -> &'static str {
        match (self.phase, self.role) {
            (PodPhase::Pending, _) => "pending",
            (PodPhase::BackOff, _) => "back_off",
            (PodPhase::ImagePull, _) => "image_pull",
            (PodPhase::ModelDownload, _) => "model_download",
            (PodPhase::GpuLoad, _) => "gpu_load",
            (PodPhase::CudaWarmUp, _) => "cuda_warm_up",
            (PodPhase::Restore, _) => "restore",
            (PodPhase::Readiness, _) => "readiness",
            (PodPhase::Group, _) => "group",
            (PodPhase::Ready, PodRole::Active) => "ready",
            (PodPhase::Ready, PodRole::Standby) => "standby",
            (PodPhase::Draining, _) => "draining",
            (PodPhase::Gone, _) => "gone",
        }
    }

    /// Writes the span of the phase called `phase`, which ends now; empty ones are left out.
    pub fn close_span(&mut self, phase: &'static str, now: SimTime) {
        if now > self.phase_since {
            self.spans.push(PhaseSpan { phase, start: self.phase_since, end: now });
        }
        self.phase_since = now;
    }

    /// True for pods without a node and without one on its way.
    pub fn is_unplanned(&self) -> bool {
        self.phase == PodPhase::Pending && self.nominated.is_none() && self.preempts_on.is_none()
    }

    /// True for pods that count as healthy under a PodDisruptionBudget.
    pub fn is_healthy(&self) -> bool {
        self.phase == PodPhase::Ready && self.role == PodRole::Active && !self.evicted
    }

    /// True for pods a PodDisruptionBudget expects: not gone and not scaled in. One that was evicted is still wanted.
    pub fn is_expected(&self) -> bool {
        self.role == PodRole::Active
            && (self.phase < PodPhase::Draining || self.phase == PodPhase::Draining && self.evicted)
    }
}

/// Its number as the entity of its class's random streams.
pub(super) fn entity(pod: PodId) -> u64 {
    pod.index() as u64
}
