//! Karpenter: batched provisioning and the removal of nodes.

use units::{NodeId, SimDuration, SimTime};

use super::Fleet;
use super::event::{FleetEvent, Out};

/// The provisioning window closes this long after the last new pod, (second) and at the latest this long after the first.
const BATCH: (SimDuration, SimDuration) = (SimDuration::from_secs(1), SimDuration::from_secs(10));

/// The provisioning window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Batch {
    opened: Option<SimTime>,
    closes: SimTime,
    is_asked: bool,
}

impl Fleet {
    /// A pod without a plan opens the window, or keeps it open.
    pub(super) fn trigger_batch(&mut self, out: &mut Out) {
        let opened = *self.batch.opened.get_or_insert(self.now);
        self.batch.closes = (self.now + BATCH.0).min(opened + BATCH.1);
        if !self.batch.is_asked {
            self.batch.is_asked = true;
            out.at(self.batch.closes, FleetEvent::Batch);
        }
    }

    /// The window may close: it does unless it was kept open meanwhile.
    pub(super) fn on_batch(&mut self, out: &mut Out) {
        if self.batch.closes > self.now {
            out.at(self.batch.closes, FleetEvent::Batch);
            return;
        }
        self.batch = Batch::default();
        self.plan(true, out);
        self.retry_later(out);
    }

    pub(super) fn begin_expiry(&mut self, _node: NodeId, _out: &mut Out) {}
    pub(super) fn on_replacement_up(&mut self, _node: NodeId, _out: &mut Out) {}
    pub(super) fn begin_grace(&mut self, _node: NodeId, _out: &mut Out) {}
    pub(super) fn back_off_group(&mut self, _node: NodeId) {}
}
