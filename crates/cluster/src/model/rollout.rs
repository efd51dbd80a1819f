//! New versions of the workload: from the sizes of ReplicaSets to pods made and deleted, and what a canary or a blue-green switch adds.
//!
//! A pass is made whenever anything of the service has changed. StatefulSets replace their pods in place: see [`super::ordered`].

use engine::Agenda;
use units::{PodId, SimTime};

use super::pods::{PodState, Role};
use super::{Cluster, Event};
use crate::spec::{CanaryStep, Leeway, Portion, ReplicaOrder, RolloutSpec, RolloutStrategy};

/// Passes at one instant at most: each but the last changes a size, and sizes move one way.
const PASSES_MAX: usize = 1_000;

/// The rollout under way.
#[derive(Clone, Debug)]
pub(super) struct Running {
    spec: RolloutSpec,
    /// Steps of the canary that are done, and since when it pauses.
    step: usize,
    since: Option<SimTime>,
    /// When all pods of a blue-green preview were available, and when requests went over to them.
    previewed: Option<SimTime>,
    promoted: Option<SimTime>,
}

impl Running {
    /// What bounds the sizes meanwhile.
    fn leeway(&self) -> Leeway {
        match &self.spec.strategy {
            RolloutStrategy::Rolling(leeway) | RolloutStrategy::Canary { leeway, .. } => *leeway,
            RolloutStrategy::Recreate | RolloutStrategy::Ordered { .. } | RolloutStrategy::BlueGreen { .. } => {
                Leeway::DEFAULT
            }
        }
    }

    /// A StatefulSet's rule, if it is one.
    pub(super) fn ordered(&self) -> Option<(u32, u32)> {
        match self.spec.strategy {
            RolloutStrategy::Ordered { partition, unavailable_max } => Some((partition, unavailable_max)),
            _ => None,
        }
    }
}

impl Cluster<'_> {
    pub(super) fn schedule_rollouts(&self, agenda: &mut Agenda<Event>) {
        for (index, rollout) in self.spec.rollouts.iter().enumerate() {
            agenda.schedule(self.on_agenda(rollout.at), Event::Rollout(index as u32));
        }
    }

    /// A new template is applied. One that is still being rolled out is an old version from now on.
    pub(super) fn begin_rollout(&mut self, index: u32, now: SimTime) {
        let spec = self.spec.rollouts[index as usize].clone();
        if self.rollout.is_some() {
            let at = self.in_run(now);
            self.recorder.remark(format!("the rollout before the one at {at} was not over when that began"));
        }
        self.fleet.release(spec.image_is_new, spec.model_is_new, self.in_run(now));
        self.sets.rescale(self.controllers.desired, Leeway::DEFAULT);
        self.sets.begin();
        self.rollout = Some(Running { spec, step: 0, since: None, previewed: None, promoted: None });
    }

    /// Brings the pods in line with the wanted count and the version, as far as that goes at this instant.
    pub(super) fn settle_workload(&mut self, agenda: &mut Agenda<Event>) {
        if self.spec.service.order != ReplicaOrder::Parallel {
            self.settle_ordered(agenda);
        } else if self.rollout.is_some() || self.sets.has_old() {
            self.settle_sets(agenda);
        }
        self.note_end_of_rollout(agenda.now());
    }

    fn settle_sets(&mut self, agenda: &mut Agenda<Event>) {
        for _ in 0..PASSES_MAX {
            self.observe_sets(agenda.now());
            if !self.plan(agenda) {
                break;
            }
            self.apply_sets(agenda);
        }
        self.apply_sets(agenda);
    }

    fn observe_sets(&mut self, now: SimTime) {
        let min_ready = self.rollout.as_ref().map(|rollout| rollout.spec.min_ready).unwrap_or_default();
        let pods = &self.pods;
        self.sets.observe(|revision| pods.available(revision, min_ready, now));
    }

    /// One pass over the sizes; true if there may be more to do at once.
    fn plan(&mut self, agenda: &mut Agenda<Event>) -> bool {
        let Some(mut rollout) = self.rollout.take() else { return false };
        let leeway = rollout.leeway();
        let changed = self.sets.rescale(self.controllers.desired, leeway)
            || match &rollout.spec.strategy {
                RolloutStrategy::Rolling(leeway) => self.sets.roll(*leeway),
                RolloutStrategy::Recreate => {
                    let lingers = self.pods.has_older_than(self.sets.revision());
                    self.sets.recreate(lingers)
                }
                RolloutStrategy::Canary { .. } => self.plan_canary(&mut rollout, agenda),
                RolloutStrategy::BlueGreen { .. } => self.plan_blue_green(&mut rollout, agenda),
                RolloutStrategy::Ordered { .. } => false,
            };
        self.rollout = Some(rollout);
        changed
    }

    fn plan_canary(&mut self, rollout: &mut Running, agenda: &mut Agenda<Event>) -> bool {
        let RolloutStrategy::Canary { steps, leeway, keeps_stable } = &rollout.spec.strategy else { return false };
        let (replicas, stays) = (self.controllers.desired, *keeps_stable);
        let is_last = rollout.step > steps.len();
        let all_new = self.sets.newest().available >= replicas;
        let (new, old) = match (is_last, stays && !all_new) {
            (true, true) => (replicas, replicas),
            (true, false) => (replicas, 0),
            (false, _) => canary_sizes(&steps[..rollout.step], replicas, stays),
        };
        // With traffic routing the old pods stay beside the new ones, however many these are.
        let leeway = if stays { Leeway { surge: Portion::Count(new.max(1)), ..*leeway } } else { *leeway };
        if self.sets.toward(new, old, leeway) {
            return true;
        }
        if is_last || self.sets.newest().available < new || self.sets.old_total() > old {
            return false;
        }
        let now = agenda.now();
        if let Some(CanaryStep::Pause(length)) = steps.get(rollout.step) {
            let until = rollout.since.unwrap_or(now).saturating_add(*length);
            if now < until {
                if rollout.since.replace(until.saturating_sub(*length)).is_none() {
                    agenda.schedule(until, Event::Settle);
                }
                return false;
            }
        }
        rollout.since = None;
        rollout.step += 1;
        true
    }

    fn plan_blue_green(&mut self, rollout: &mut Running, agenda: &mut Agenda<Event>) -> bool {
        let RolloutStrategy::BlueGreen { preview, promote_after, scale_down_delay } = rollout.spec.strategy else {
            return false;
        };
        let (now, replicas) = (agenda.now(), self.controllers.desired);
        if let Some(promoted) = rollout.promoted {
            let until = promoted.saturating_add(scale_down_delay);
            if now >= until && self.sets.old_total() > 0 {
                self.sets.end_old();
                return true;
            }
            return self.sets.set_newest(replicas);
        }
        let size = if rollout.previewed.is_some() { replicas } else { preview.unwrap_or(replicas).min(replicas) };
        if self.sets.set_newest(size) {
            return true;
        }
        if self.sets.newest().available < size {
            return false;
        }
        let Some(previewed) = rollout.previewed else {
            rollout.previewed = Some(now);
            agenda.schedule(now.saturating_add(promote_after), Event::Settle);
            return true;
        };
        if now < previewed.saturating_add(promote_after) {
            return false;
        }
        rollout.promoted = Some(now);
        agenda.schedule(now.saturating_add(scale_down_delay), Event::Settle);
        self.switch_over(agenda);
        true
    }

    /// Requests go to the new pods from now on.
    fn switch_over(&mut self, agenda: &mut Agenda<Event>) {
        let revision = self.sets.revision();
        let in_state = |state| self.pods.with(Role::Active, state);
        let is_new = |pod: &PodId| self.pods.revision(*pod) == revision;
        let previews: Vec<PodId> = in_state(PodState::Promoting).filter(is_new).collect();
        let old: Vec<PodId> = in_state(PodState::Ready).filter(|pod| !is_new(pod)).collect();
        previews.into_iter().for_each(|pod| self.enter_flow(pod, agenda));
        for pod in old {
            let slot = self.pods.slot(pod).expect("a serving pod has a place in the flow");
            let empty_at = self.flow.drain(slot, agenda.now());
            self.pods.unlist(pod, empty_at);
        }
    }

    /// True if a pod that is ready gets no requests yet.
    pub(super) fn is_preview(&self, pod: PodId) -> bool {
        self.rollout.as_ref().is_some_and(|rollout| {
            matches!(rollout.spec.strategy, RolloutStrategy::BlueGreen { .. })
                && rollout.promoted.is_none()
                && self.pods.revision(pod) == self.sets.revision()
        })
    }

    /// Makes and deletes pods until every set has as many as it shall.
    fn apply_sets(&mut self, agenda: &mut Agenda<Event>) {
        let newest = self.sets.revision();
        for set in self.sets.all().to_vec() {
            let pods = self.pods.actives_of(set.revision);
            for _ in pods..set.size {
                self.create_cold_of(set.revision, agenda.now());
            }
            for _ in set.size..pods {
                let Some(victim) = self.victim_of(set.revision) else { break };
                let ending = if set.revision < newest { "rollout" } else { "scale_in" };
                self.retire(victim, ending, agenda);
            }
        }
        self.sets.forget_empty();
    }

    fn victim_of(&self, revision: u32) -> Option<PodId> {
        let of_set = |state| self.pods.with(Role::Active, state).filter(move |&pod| self.pods.revision(pod) == revision);
        [PodState::Lost, PodState::Starting, PodState::Promoting, PodState::Ready]
            .into_iter()
            .find_map(|state| self.fleet.victim(of_set(state)))
    }

    fn note_end_of_rollout(&mut self, now: SimTime) {
        let Some(rollout) = &self.rollout else { return };
        let is_over = match rollout.ordered() {
            Some((partition, _)) => self.is_ordered_update_over(partition),
            None => self.sets.is_complete(),
        };
        if is_over {
            let began = rollout.spec.at;
            let length = self.in_run(now).since(began);
            self.recorder.remark(format!("the rollout at {began} was over after {length}"));
            self.rollout = None;
        }
    }

    /// A rollout that the end of the run cuts off is said to have been.
    pub(super) fn remark_on_unfinished_rollout(&mut self) {
        let Some(rollout) = &self.rollout else { return };
        let began = rollout.spec.at;
        let revision = self.sets.revision();
        let is_new = |pod: &PodId| self.pods.revision(*pod) == revision;
        let starting: Vec<PodId> = self.pods.with(Role::Active, PodState::Starting).filter(is_new).collect();
        let unplaced = starting.iter().filter(|&&pod| !self.pods.is_scheduled(pod)).count();
        let starting = starting.len();
        let ready = self.pods.ready_of(revision);
        let wanted = self.controllers.desired;
        self.recorder.remark(format!(
            "the rollout at {began} was not over at the end: {ready} of {wanted} replicas were new and ready, {starting} starting, {unplaced} \
             of these without a node"
        ));
    }
}

/// How many new and old pods a canary shall have after `done` steps.
fn canary_sizes(done: &[CanaryStep], replicas: u32, keeps_stable: bool) -> (u32, u32) {
    let weight = done.iter().rev().find_map(|step| match step {
        CanaryStep::Weight(weight) => Some((*weight).min(100)),
        _ => None,
    });
    let scale = done.iter().rev().find_map(|step| match step {
        CanaryStep::Scale(portion) => Some(portion.of(replicas, u64::div_ceil)),
        _ => None,
    });
    let share = |percent: u32| (u64::from(replicas) * u64::from(percent)).div_ceil(100) as u32;
    let weight = weight.unwrap_or(0);
    let new = scale.filter(|_| keeps_stable).unwrap_or(share(weight));
    let old = if keeps_stable { replicas } else { share(100 - weight) };
    (new, old)
}
