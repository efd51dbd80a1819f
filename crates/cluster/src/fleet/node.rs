//! One node, and what can be launched.

use record::{PhaseSpan, Purchase};
use smallvec::SmallVec;
use units::{NodeId, PodId, SimDuration, SimTime, Usd, UsdPerHour};

use super::cache::{NodeCache, Sync};
use super::images::Image;
use super::meter::Meter;
use super::room::Amounts;
use crate::spec::InstanceOffering;

/// Where in its life a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NodeState {
    /// Asked for, not billed.
    Launching,
    /// Billed, kubelet not yet Ready.
    Booting,
    /// Ready, GPUs not yet allocatable.
    Plugging,
    /// Takes pods.
    Up,
    /// Being emptied.
    Draining,
    /// Terminated, taken, or never launched.
    Gone,
}

/// What a node has of one class of pods.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OnNode {
    /// Pods on it, and pods that count on it.
    pub pods: u32,
    pub nominated: u32,
    /// Pause pods on it.
    pub pauses: u32,
    /// Preempted pause pods that are still there.
    pub leaving: u32,
    /// Key under which it is listed as having room; `None` if it is not listed.
    pub open_key: Option<u32>,
    /// Slots it is counted with among those free.
    pub listed_slots: u32,
    /// A pod has been warm on it, so that others can be restored.
    pub has_snapshot: bool,
}

impl OnNode {
    /// Slots taken, by pods and pause pods.
    pub fn used(&self) -> u32 {
        self.pods + self.pauses + self.leaving
    }
}

/// State and history of one node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub offer: usize,
    pub state: NodeState,
    pub phase_since: SimTime,
    pub spans: Vec<PhaseSpan>,
    pub pods: Vec<PodId>,
    pub nominated: Vec<PodId>,
    /// Pods that will be bound to it when others have made way.
    pub preemptors: Vec<PodId>,
    /// By class.
    pub classes: SmallVec<[OnNode; 1]>,
    /// What pods and pause pods hold of it, and what pods that count on it will.
    pub held: Amounts,
    pub planned: Amounts,
    /// Images, by their number.
    pub images: SmallVec<[Image; 1]>,
    pub cache: NodeCache,
    /// The sync of its cache that is under way, or was last.
    pub sync: Sync,
    pub meter: Meter,
    pub requested: SimTime,
    pub launched: Option<SimTime>,
    pub ended: Option<SimTime>,
    /// Whether the launch succeeds, known when the answer comes.
    pub granted: bool,
    /// Offerings that refused this launch.
    pub refused: Vec<usize>,
    /// Lengths of boot and device plugin phase.
    pub delays: [SimDuration; 2],
    /// Grows whenever a pod comes, so that older timers of emptiness do not count.
    pub empty_epoch: u32,
    /// Last time a pod was bound or left.
    pub pod_event: SimTime,
    /// When the provider gave notice, and when it recommended to leave before that.
    pub noticed: Option<SimTime>,
    pub recommended: Option<SimTime>,
    /// When the provider takes it, once it has given notice.
    pub kill_at: Option<SimTime>,
    /// Whether it is cordoned because of that notice.
    pub warned: bool,
    /// Why it is being drained or was ended.
    pub ending: &'static str,
    /// Back-off of blocked evictions.
    pub evict_backoff: SimDuration,
    pub drain_since: SimTime,
    /// Takes no new pods because a replacement for it is on its way.
    pub tainted: bool,
    /// Past its age, in a pool where that is left to the disruption loop.
    pub expired: bool,
    /// Ordered for pods that are still elsewhere; until the first of them comes.
    pub reserved: bool,
    /// When the Cluster Autoscaler first saw it as not needed.
    pub unneeded_since: Option<SimTime>,
    pub billed: SimDuration,
    pub cost: Usd,
}

impl Node {
    /// Writes the span of the present state up to `now` and enters `state`.
    pub fn enter(&mut self, state: NodeState, now: SimTime) {
        self.close_span(now);
        self.state = state;
    }

    /// Writes the span of the present state up to `now`.
    pub fn close_span(&mut self, now: SimTime) {
        let phase = match self.state {
            NodeState::Launching => "launch",
            NodeState::Booting => "boot",
            NodeState::Plugging => "device_plugin",
            NodeState::Up => "up",
            NodeState::Draining => "draining",
            NodeState::Gone => return,
        };
        if now > self.phase_since {
            self.spans.push(PhaseSpan { phase, start: self.phase_since, end: now });
        }
        self.phase_since = now;
    }

    /// Slots taken, by pods and pause pods.
    pub fn used(&self) -> u32 {
        self.classes.iter().map(OnNode::used).sum()
    }

    /// Slots taken, by class: what tells nodes of one offering apart.
    pub fn load(&self) -> Vec<u32> {
        self.classes.iter().map(OnNode::used).collect()
    }

    /// True from the request until it takes pods.
    pub fn is_coming(&self) -> bool {
        self.state < NodeState::Up
    }

    /// True while it is billed.
    pub fn is_billed(&self) -> bool {
        self.launched.is_some() && self.ended.is_none()
    }
}

/// One offering of one pool, and what is known of it at present.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub pool: usize,
    pub spec: InstanceOffering,
    /// What a node has for pods.
    pub has: Amounts,
    /// Nodes asked for and not gone.
    pub in_use: u32,
    /// Index of the price in force.
    pub price: usize,
    /// Left out of provisioning until then, after a refusal or an interruption warning.
    pub hidden_until: SimTime,
    /// The provider has none until then.
    pub away_until: SimTime,
    /// Zone number, see `Fleet::zones`.
    pub zone: usize,
    /// Reserved instances paid for but not running: count, since when, instance-time so far.
    pub idle: Idle,
}

/// Committed instances that do not run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Idle {
    pub count: u32,
    pub since: SimTime,
    pub instance_ns: u64,
}

impl Idle {
    /// Adds the time up to `now`.
    pub fn accrue(&mut self, now: SimTime) {
        self.instance_ns += (now - self.since).as_nanos() * u64::from(self.count);
        self.since = now;
    }
}

impl Offer {
    /// The price in force.
    pub fn price(&self) -> UsdPerHour {
        self.spec.prices[self.price].1
    }

    /// The price by which it is chosen.
    pub fn choice_price(&self) -> UsdPerHour {
        self.spec.overlay.map_or(self.price(), |overlay| overlay.over(self.price()))
    }

    /// Committed instances are paid for from start to end, whether they run or not.
    pub fn is_committed(&self) -> bool {
        self.spec.purchase == Purchase::Reserved && self.spec.capacity_max.is_some()
    }
}

/// Its number as the entity of random streams.
pub(super) fn entity(node: NodeId) -> u64 {
    u64::from(node.0)
}
