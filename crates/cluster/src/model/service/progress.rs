//! How far a rollout is, what it waits for, and that it gets no further.

use record::RolloutStage;
use units::{PodId, SimTime};

use super::rollout::Running;
use super::{Event, Service, Turn};
use crate::pods::PodState;
use crate::pods::Role;
use crate::spec::RolloutStrategy;

impl Service<'_> {
    /// Notes how far the rollout is if that has changed, and says so once if it has not for too long.
    pub(super) fn follow_rollout(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now();
        let Some(rollout) = &self.rollout else { return };
        let stage = self.stage(rollout, turn);
        let last = rollout.life.stages.last();
        let counts = |stage: &RolloutStage| (stage.wanted, stage.new, stage.available, stage.old);
        let has_moved = last.is_none_or(|last| counts(last) != counts(&stage));
        let is_news = has_moved || last.is_some_and(|last| last.waits_for != stage.waits_for);
        let deadline = rollout.spec().progress_deadline;
        let is_late = deadline.is_some_and(|deadline| rollout.moved_at.saturating_add(deadline) <= now);
        let (began, is_told) = (rollout.spec().at, rollout.is_stuck);
        if !has_moved && is_late && !is_told {
            let length = deadline.unwrap_or_default();
            let why = if stage.waits_for.is_empty() { "nothing".to_owned() } else { stage.waits_for.join(" and ") };
            self.recorder.remark(format!(
                "the rollout at {began} made no progress for {length} (progressDeadlineSeconds); it waited for {why}, and nothing rolls back"
            ));
        }
        let Some(rollout) = &mut self.rollout else { return };
        rollout.is_stuck |= !has_moved && is_late;
        if has_moved {
            rollout.moved_at = now;
            if let Some(deadline) = deadline {
                turn.schedule(now.saturating_add(deadline), Event::Settle(self.number));
            }
        }
        if is_news {
            rollout.life.stages.push(stage);
        }
    }

    fn stage(&self, rollout: &Running, turn: &Turn<'_>) -> RolloutStage {
        let now = turn.now();
        let revision = self.sets.revision();
        let is_there = |pod: &PodId| !matches!(self.pods.state(*pod), PodState::Draining | PodState::Gone);
        let actives = || self.pods.living().iter().copied().filter(|&pod| self.pods.role(pod) == Role::Active);
        let is_new = |pod: &PodId| self.pods.revision(*pod) == revision;
        let new = || actives().filter(is_there).filter(is_new);
        RolloutStage {
            since: turn.in_run(now),
            wanted: self.controllers.desired,
            new: new().count() as u32,
            available: new().filter(|&pod| self.is_available(pod, now)).count() as u32,
            old: actives().filter(is_there).filter(|pod| !is_new(pod)).count() as u32,
            waits_for: self.what_it_waits_for(rollout, turn, now),
        }
    }

    /// What must happen before a rollout goes on, a sentence's object each.
    pub(super) fn what_it_waits_for(&self, rollout: &Running, turn: &Turn<'_>, now: SimTime) -> Vec<String> {
        let revision = self.sets.revision();
        let count = |is_meant: &dyn Fn(PodId, bool, PodState) -> bool| {
            let actives = self.pods.living().iter().filter(|&&pod| self.pods.role(pod) == Role::Active);
            let is_meant = |&&pod: &&PodId| is_meant(pod, self.pods.revision(pod) == revision, self.pods.state(pod));
            actives.filter(is_meant).count()
        };
        let is_starting = |state| matches!(state, PodState::Starting | PodState::Lost);
        let unplaced = count(&|pod, is_new, state| is_new && is_starting(state) && !self.pods.is_scheduled(pod));
        let starting = count(&|pod, is_new, state| is_new && is_starting(state) && self.pods.is_scheduled(pod));
        let is_ready = |state| matches!(state, PodState::Ready | PodState::Promoting);
        let unripe = count(&|pod, is_new, state| is_new && is_ready(state) && !self.is_available(pod, now));
        let leaving = count(&|_, is_new, state| !is_new && state == PodState::Draining);
        let broken =
            count(&|pod, is_new, state| !is_new && state != PodState::Draining && !self.is_available(pod, now));
        let is_ordered = rollout.ordered().is_some();
        let waits_for_leaving = is_ordered || rollout.spec().strategy == RolloutStrategy::Recreate;
        let min_ready = self.min_ready();
        let counted = [
            (unplaced, "new pod", "to get a node".to_owned()),
            (starting, "new pod", "to be ready".to_owned()),
            (unripe, "new pod", format!("to have been ready for {min_ready}")),
            (if waits_for_leaving { leaving } else { 0 }, "old pod", "to be gone".to_owned()),
            (if is_ordered { broken } else { 0 }, "old pod", "to be available".to_owned()),
        ];
        let parts = counted.into_iter().filter(|(count, ..)| *count > 0);
        let mut waits: Vec<String> = parts
            .map(|(count, what, fate)| format!("{count} {what}{} {fate}", if count == 1 { "" } else { "s" }))
            .collect();
        waits.extend(rollout.waits_until(now).map(|(what, until)| format!("{what} until {}", turn.in_run(until))));
        waits
    }
}
