//! New versions of the workload: from the sizes of ReplicaSets to pods made and deleted, and what a canary or a blue-green switch adds.
//!
//! A pass is made whenever anything of the service has changed. StatefulSets replace their pods in place: see [`super::ordered`].

use record::RolloutLife;
use units::{PodId, SimDuration, SimTime};

use super::{Event, Service, Turn};
use crate::pods::{PodState, Role};
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
    /// How far it was, since when it is no further, and whether that has been told.
    pub(super) life: RolloutLife,
    pub(super) moved_at: SimTime,
    pub(super) is_stuck: bool,
}

impl Running {
    fn begin(spec: RolloutSpec, now: SimTime) -> Self {
        let life = RolloutLife { began: spec.at, ..RolloutLife::default() };
        Self { spec, step: 0, since: None, previewed: None, promoted: None, life, moved_at: now, is_stuck: false }
    }

    pub(super) fn spec(&self) -> &RolloutSpec {
        &self.spec
    }

    /// What it waits for by the clock, and until when.
    pub(super) fn waits_until(&self, now: SimTime) -> Option<(&'static str, SimTime)> {
        let (what, until) = match &self.spec.strategy {
            RolloutStrategy::Canary { steps, .. } => match (steps.get(self.step), self.since) {
                (Some(CanaryStep::Pause(length)), Some(since)) => {
                    ("a pause of the canary", since.saturating_add(*length))
                }
                _ => return None,
            },
            RolloutStrategy::BlueGreen { promote_after, scale_down_delay, .. } => match (self.previewed, self.promoted)
            {
                (_, Some(promoted)) => ("the delay of the old pods", promoted.saturating_add(*scale_down_delay)),
                (Some(previewed), None) => ("the promotion", previewed.saturating_add(*promote_after)),
                (None, None) => return None,
            },
            _ => return None,
        };
        (until > now).then_some((what, until))
    }

    /// What bounds the sizes meanwhile.
    fn leeway(&self) -> Leeway {
        leeway_of(&self.spec.strategy)
    }

    /// A StatefulSet's rule, if it is one: ordinals below the first stay, and so many pods may be unavailable.
    pub(super) fn ordered(&self) -> Option<(u32, Portion)> {
        match self.spec.strategy {
            RolloutStrategy::Ordered { partition, unavailable_max } => Some((partition, unavailable_max)),
            _ => None,
        }
    }
}

fn leeway_of(strategy: &RolloutStrategy) -> Leeway {
    match strategy {
        RolloutStrategy::Rolling(leeway) | RolloutStrategy::Canary { leeway, .. } => *leeway,
        RolloutStrategy::Recreate | RolloutStrategy::Ordered { .. } | RolloutStrategy::BlueGreen { .. } => {
            Leeway::DEFAULT
        }
    }
}

impl Service<'_> {
    pub fn schedule_rollouts(&self, turn: &mut Turn<'_>) {
        for (index, rollout) in self.spec.rollouts.iter().enumerate() {
            turn.schedule(turn.on_agenda(rollout.at), Event::Rollout(self.number, index));
        }
    }

    /// A new template is applied. One that is still being rolled out is an old version from now on.
    pub(super) fn begin_rollout(&mut self, index: usize, turn: &mut Turn<'_>) {
        let now = turn.now();
        let spec = self.spec.rollouts[index].clone();
        if let Some(unfinished) = self.rollout.take() {
            let at = turn.in_run(now);
            self.recorder.remark(format!("the rollout before the one at {at} was not over when that began"));
            self.recorder.rollout(unfinished.life);
        }
        turn.fleet.release(self.number, (spec.image_is_new, spec.model_is_new), turn.in_run(now));
        self.sets.begin(self.controllers.desired, leeway_of(&spec.strategy));
        if let RolloutStrategy::Ordered { partition, .. } = spec.strategy {
            self.partition = partition;
        }
        self.rollout = Some(Running::begin(spec, now));
    }

    /// Brings the pods in line with the wanted count and the version, as far as that goes at this instant.
    pub fn settle_workload(&mut self, turn: &mut Turn<'_>) {
        if self.spec.order != ReplicaOrder::Parallel {
            self.settle_ordered(turn);
        } else if self.rollout.is_some() {
            self.settle_sets(turn);
        }
        self.follow_rollout(turn);
        self.note_end_of_rollout(turn);
        self.wait_for_availability(turn);
    }

    /// `minReadySeconds`: of the version that is rolled out, else of the workload.
    pub(super) fn min_ready(&self) -> SimDuration {
        self.rollout.as_ref().map_or(self.spec.min_ready, |rollout| rollout.spec.min_ready)
    }

    /// Whether a pod has been ready for long enough.
    pub(super) fn is_available(&self, pod: PodId, now: SimTime) -> bool {
        self.pods.available_at(pod, self.min_ready()).is_some_and(|at| at <= now)
    }

    /// Has the next pod that becomes available by waiting looked at then.
    fn wait_for_availability(&mut self, turn: &mut Turn<'_>) {
        let (now, min_ready) = (turn.now(), self.min_ready());
        if min_ready.is_zero() || !self.settles() {
            return;
        }
        let times = self.pods.living().iter().filter_map(|&pod| self.pods.available_at(pod, min_ready));
        let Some(next) = times.filter(|at| *at > now).min() else { return };
        if next != self.settles_at {
            self.settles_at = next;
            turn.schedule(next, Event::Settle(self.number));
        }
    }

    fn settle_sets(&mut self, turn: &mut Turn<'_>) {
        for _ in 0..PASSES_MAX {
            self.observe_sets(turn.now());
            if !self.plan(turn) {
                break;
            }
            self.apply_sets(turn);
        }
        self.apply_sets(turn);
    }

    fn observe_sets(&mut self, now: SimTime) {
        let (pods, min_ready) = (&self.pods, self.min_ready());
        self.sets.observe(|revision| pods.available(revision, min_ready, now));
    }

    /// One pass over the sizes; true if there may be more to do at once.
    fn plan(&mut self, turn: &mut Turn<'_>) -> bool {
        let Some(mut rollout) = self.rollout.take() else { return false };
        let (leeway, replicas) = (rollout.leeway(), self.controllers.desired);
        let changed = match &rollout.spec.strategy {
            RolloutStrategy::Rolling(_) => self.sets.rescale(replicas, leeway) || self.sets.roll(leeway),
            RolloutStrategy::Recreate => {
                let lingers = self.pods.has_older_than(self.sets.revision());
                self.sets.rescale(replicas, leeway) || self.sets.recreate(lingers)
            }
            RolloutStrategy::Canary { .. } => self.plan_canary(&mut rollout, turn),
            RolloutStrategy::BlueGreen { .. } => self.plan_blue_green(&mut rollout, turn),
            RolloutStrategy::Ordered { .. } => false,
        };
        self.rollout = Some(rollout);
        changed
    }

    fn plan_canary(&mut self, rollout: &mut Running, turn: &mut Turn<'_>) -> bool {
        let RolloutStrategy::Canary { steps, leeway, keeps_stable } = &rollout.spec.strategy else { return false };
        let replicas = self.controllers.desired;
        self.sets.want(replicas);
        let is_last = rollout.step > steps.len();
        let done = &steps[..rollout.step.min(steps.len())];
        let weight = if is_last { 100 } else { weight_after(done) };
        let (new, old) = if *keeps_stable {
            // The old pods stay beside the new ones, however many these are, until all are.
            let new = if is_last { replicas } else { scale_after(done, replicas) };
            let old = if is_last && self.sets.newest().available >= replicas { 0 } else { replicas };
            if self.sets.set(new, old) {
                return true;
            }
            (new, old)
        } else {
            let (sizes, ceiling) = canary_sizes(weight, replicas, *leeway);
            if self.sets.canary(sizes, ceiling, replicas.saturating_sub(leeway.of(replicas).1)) {
                return true;
            }
            sizes
        };
        let (newest, stable) = (*self.sets.newest(), self.sets.stable().map_or(old, |set| set.size));
        if is_last || (newest.size, newest.available, stable) != (new, new, old) {
            return false;
        }
        let now = turn.now();
        if let Some(CanaryStep::Pause(length)) = steps.get(rollout.step) {
            let began = *rollout.since.get_or_insert_with(|| {
                turn.schedule(now.saturating_add(*length), Event::Settle(self.number));
                now
            });
            if now < began.saturating_add(*length) {
                return false;
            }
        }
        rollout.since = None;
        rollout.step += 1;
        true
    }

    fn plan_blue_green(&mut self, rollout: &mut Running, turn: &mut Turn<'_>) -> bool {
        let RolloutStrategy::BlueGreen { preview, promote_after, scale_down_delay } = rollout.spec.strategy else {
            return false;
        };
        let (now, replicas) = (turn.now(), self.controllers.desired);
        self.sets.want(replicas);
        if let Some(promoted) = rollout.promoted {
            let is_kept = now < promoted.saturating_add(scale_down_delay);
            let old = self.sets.stable().map_or(0, |set| set.size);
            return self.sets.set(replicas, if is_kept { old } else { 0 });
        }
        // As many as there shall be in the end only when the preview is over.
        let resumes = rollout.previewed.map(|at| at.saturating_add(promote_after));
        let is_resumed = resumes.is_some_and(|at| at <= now);
        let size = if is_resumed { replicas } else { preview.unwrap_or(replicas).min(replicas) };
        if self.sets.set(size, replicas) {
            return true;
        }
        if self.sets.newest().available < size {
            return false;
        }
        if resumes.is_none() {
            rollout.previewed = Some(now);
            turn.schedule(now.saturating_add(promote_after), Event::Settle(self.number));
            return promote_after.is_zero();
        }
        if !is_resumed {
            return false;
        }
        rollout.promoted = Some(now);
        turn.schedule(now.saturating_add(scale_down_delay), Event::Settle(self.number));
        self.switch_over(turn);
        true
    }

    /// Requests go to the new pods from now on.
    fn switch_over(&mut self, turn: &mut Turn<'_>) {
        let revision = self.sets.revision();
        let in_state = |state| self.pods.with(Role::Active, state);
        let is_new = |pod: &PodId| self.pods.revision(*pod) == revision;
        let previews: Vec<PodId> = in_state(PodState::Promoting).filter(is_new).collect();
        let old: Vec<PodId> = in_state(PodState::Ready).filter(|pod| !is_new(pod)).collect();
        previews.into_iter().for_each(|pod| self.enter_flow(pod, turn));
        for pod in old {
            let slot = self.pods.slot(pod).expect("a serving pod has a place in the flow");
            let empty_at = self.flow.drain(slot, turn.now());
            self.pods.unlist(pod, empty_at);
        }
    }

    /// True if a pod that is ready gets no requests: not yet, or not any more.
    pub(super) fn is_kept_out(&self, pod: PodId) -> bool {
        self.rollout.as_ref().is_some_and(|rollout| {
            let is_new = self.pods.revision(pod) == self.sets.revision();
            matches!(rollout.spec.strategy, RolloutStrategy::BlueGreen { .. }) && is_new != rollout.promoted.is_some()
        })
    }

    /// Makes and deletes pods until every set has as many as it shall.
    fn apply_sets(&mut self, turn: &mut Turn<'_>) {
        let newest = self.sets.revision();
        for set in self.sets.all().to_vec() {
            let pods = self.pods.actives_of(set.revision);
            for _ in pods..set.size {
                self.create_cold_of(set.revision, turn);
            }
            for _ in set.size..pods {
                let Some(victim) = self.victim_of(set.revision, turn) else { break };
                let ending = if set.revision < newest { "rollout" } else { "scale_in" };
                self.retire(victim, ending, turn);
            }
        }
        self.sets.forget_empty();
    }

    fn victim_of(&self, revision: u32, turn: &Turn<'_>) -> Option<PodId> {
        self.victim_among(|pod| self.pods.revision(pod) == revision, turn)
    }

    fn note_end_of_rollout(&mut self, turn: &Turn<'_>) {
        let now = turn.now();
        let Some(rollout) = &self.rollout else { return };
        let is_over = match rollout.ordered() {
            Some((partition, _)) => self.is_ordered_update_over(partition, now),
            None => self.sets.is_complete(),
        };
        if is_over {
            let began = rollout.spec.at;
            let length = SimDuration::from_secs_f64(turn.in_run(now).since(began).as_secs_f64().round());
            self.recorder.remark(format!("the rollout at {began} was over after {length}"));
            // A StatefulSet whose lowest pods stay as they are keeps their version.
            if rollout.ordered().is_none_or(|(partition, _)| partition == 0) {
                self.sets.settle();
            }
            if let Some(Running { life, .. }) = self.rollout.take() {
                self.recorder.rollout(RolloutLife { ended: Some(turn.in_run(now)), ..life });
            }
        }
    }

    /// A rollout that the end of the run cuts off is said to have been.
    pub(super) fn remark_on_unfinished_rollout(&mut self, turn: &Turn<'_>, end: SimTime) {
        let Some(rollout) = self.rollout.take() else { return };
        let (began, wanted) = (rollout.spec.at, self.controllers.desired);
        let ready = self.pods.ready_of(self.sets.revision());
        let waits = self.what_it_waits_for(&rollout, turn, end);
        let is_full = matches!(&rollout.spec.strategy, RolloutStrategy::Rolling(leeway) if leeway.of(wanted).1 == 0);
        let advice = match (waits.iter().any(|wait| wait.ends_with("to get a node")), is_full) {
            (true, true) => "; with maxUnavailable 0 no old pod makes way for it: the surge needs a free GPU",
            _ => "",
        };
        let waits = if waits.is_empty() { "nothing".to_owned() } else { waits.join(" and ") };
        self.recorder.remark(format!(
            "the rollout at {began} was not over at the end: {ready} of {wanted} replicas were new and ready; it waited for {waits}{advice}"
        ));
        self.recorder.rollout(rollout.life);
    }
}

/// The weight after these steps of a canary.
fn weight_after(done: &[CanaryStep]) -> u32 {
    let weight = done.iter().rev().find_map(|step| match step {
        CanaryStep::Weight(weight) => Some((*weight).min(100)),
        _ => None,
    });
    weight.unwrap_or(0)
}

/// New pods after these steps of a canary whose requests are routed by weight: as many as the weight says, unless a step says otherwise.
fn scale_after(done: &[CanaryStep], replicas: u32) -> u32 {
    let scale = done.iter().rev().find_map(|step| match step {
        CanaryStep::Scale(portion) => Some(portion.of(replicas, u64::div_ceil)),
        _ => None,
    });
    scale.unwrap_or_else(|| Portion::Percent(weight_after(done)).of(replicas, u64::div_ceil))
}

/// How many new and old pods a canary shall have at a weight, both rounded up, and how many there may be: one more if both were.
pub(super) fn canary_sizes(weight: u32, replicas: u32, leeway: Leeway) -> ((u32, u32), u32) {
    let share = |percent: u32| Portion::Percent(percent).of(replicas, u64::div_ceil);
    let (new, old) = (share(weight), share(100 - weight));
    ((new, old), replicas + leeway.of(replicas).0 + u32::from(new + old > replicas))
}
