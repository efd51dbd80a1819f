//! Pods that are of use only together: the pods of a group get ready when the last of them would be, and workers may have to wait for
//! their leader before they exist at all.
//!
//! The pods of group g have the numbers from g · size on, the leader first. What becomes of a group that loses one is for
//! [`super::Groups`] to say.

use units::PodId;

use super::Fleet;
use super::event::{Notice, Out};
use super::pod::{PodPhase, PodRole};
use crate::spec::PodSpec;

/// How pods form groups.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gang {
    /// Pods of a group, 1 where there are none.
    pub size: u32,
    /// Workers are created once their leader is ready by itself.
    pub leader_ready_first: bool,
}

impl Gang {
    /// How pods like this one do.
    pub fn of(pod: &PodSpec) -> Self {
        pod.group.as_ref().map_or(Self { size: 1, leader_ready_first: false }, |group| Self {
            size: group.size,
            leader_ready_first: group.leader_ready_first,
        })
    }

    /// Its pods, the leader first.
    pub fn pods(self, group: PodId) -> impl Iterator<Item = PodId> + Clone + use<> {
        let first = group.index() * self.size as usize;
        (first..first + self.size as usize).map(move |index| PodId::new(group.service(), index))
    }

    /// The first pod of a group.
    pub fn leader(self, group: PodId) -> PodId {
        PodId::new(group.service(), group.index() * self.size as usize)
    }

    /// The group `pod` is of, and its place there: 0 is the leader.
    pub fn place(self, pod: PodId) -> (PodId, u32) {
        let size = self.size as usize;
        (PodId::new(pod.service(), pod.index() / size), (pod.index() % size) as u32)
    }

    /// Whether the server in `pod` does not answer before all of its group could: a leader is asked, and needs its workers for an answer.
    pub fn waits_unanswering(self, pod: PodId) -> bool {
        self.size > 1 && !self.leader_ready_first && self.place(pod).1 == 0
    }
}

impl Fleet {
    /// How the pods of this one's class form groups.
    pub(super) fn gang(&self, pod: PodId) -> Gang {
        Gang::of(&self.class(pod).pod)
    }

    /// A pod that exists only once its leader is ready.
    pub(super) fn create_later(&mut self, pod: PodId, role: PodRole, now: units::SimTime) {
        self.enter(now);
        self.push_state(pod, role);
        self.quota.keep_unborn(pod);
    }

    /// `pod` could serve: it does if it is on its own, or as soon as all of its group could.
    pub(super) fn become_ready(&mut self, pod: PodId, out: &mut Out) {
        let gang = self.gang(pod);
        if gang.size == 1 {
            return self.turn_ready(pod, out);
        }
        self.enter_phase(pod, PodPhase::Group);
        let group = gang.pods(gang.place(pod).0);
        let made = self.pods.of(pod.service()).len();
        if group.clone().all(|other| other.index() < made && self.pods[other].phase == PodPhase::Group) {
            group.for_each(|other| self.turn_ready(other, out));
            return;
        }
        let unborn: Vec<PodId> = group.filter(|&other| self.quota.bear(other)).collect();
        for worker in unborn {
            self.pods[worker].created = self.now;
            self.admit(worker);
            self.seek_place(worker, out);
        }
    }

    fn turn_ready(&mut self, pod: PodId, out: &mut Out) {
        self.pods[pod].ready_at = Some(self.now);
        self.enter_phase(pod, PodPhase::Ready);
        out.tell(Notice::Ready { pod });
    }
}
