//! Replicas that are groups of pods (LeaderWorkerSet), seen from outside: a replica is its leader.
//!
//! Inside, the pods of replica r have the numbers from r · size on; each is placed, starts and is billed by itself ([`super::gang`] has them
//! wait for each other). Here the one number becomes the other, and what befalls one pod becomes what befalls the replica. Where a replica
//! is one pod all of this passes straight through.

use record::{CostLedger, NodeLife, ReplicaLife};
use units::{Cost, PodId, SimDuration, SimTime};

use super::gang::Gang;
use super::{Fleet, FleetEvent, NodeCounts, Notice, Out, PodRole};
use crate::spec::{FleetSpec, GroupRestart, PodClass};

/// What is known of one replica.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    /// Pods whose containers have started, and whose models are loaded.
    started: u32,
    loaded: u32,
    end: End,
    is_warned: bool,
}

/// How far a replica is on its way out: what happens to its pods is news as long as it takes the replica further.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// It is wanted.
    #[default]
    No,
    /// One of its pods is being deleted, and the others with it.
    Begun,
    /// One of its pods is gone with its node, which is not known yet.
    Lost,
    /// Nothing is left to happen.
    Over,
}

/// The infrastructure as the services' replicas see it.
#[derive(Clone, Debug)]
pub struct Groups {
    fleet: Fleet,
    /// How pods form groups, and what the restart of one means, by service.
    rules: Vec<(Gang, GroupRestart)>,
    /// Replicas by service; none where a replica is one pod.
    known: Vec<Vec<Group>>,
}

impl Groups {
    /// See [`Fleet::new`].
    pub fn new(spec: &FleetSpec, classes: Vec<PodClass>, seed: u64) -> Self {
        let restart = |class: &PodClass| class.pod.group.as_ref().map_or(GroupRestart::Pod, |group| group.restart);
        let rules: Vec<_> = classes.iter().map(|class| (Gang::of(&class.pod), restart(class))).collect();
        let known = vec![Vec::new(); classes.len()];
        Self { fleet: Fleet::new(spec, classes, seed), rules, known }
    }

    fn gang(&self, replica: PodId) -> Gang {
        self.rules[replica.service()].0
    }

    fn is_plain(&self, replica: PodId) -> bool {
        self.gang(replica).size == 1
    }

    fn are_plain(&self) -> bool {
        self.rules.iter().all(|(gang, _)| gang.size == 1)
    }

    /// The nodes and pods themselves.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// See [`Fleet::keep_standbys_on_demand`].
    pub fn keep_standbys_on_demand(&mut self, service: usize, on_demand: bool) {
        self.fleet.keep_standbys_on_demand(service, on_demand);
    }

    /// See [`Fleet::start_calendar_at`].
    pub fn start_calendar_at(&mut self, unix_seconds: i64) {
        self.fleet.start_calendar_at(unix_seconds);
    }

    /// See [`Fleet::start`].
    pub fn start(&mut self, out: &mut Out) {
        self.fleet.start(out);
    }

    /// See [`Fleet::create_ready_pod`]: true if all of its pods have found room.
    pub fn create_ready_pod(&mut self, replica: PodId, role: PodRole, now: SimTime, out: &mut Out) -> bool {
        let from = out.notices.len();
        if self.is_plain(replica) {
            let is_placed = self.fleet.create_ready_pod(replica, role, now, out);
            self.translate(from, out);
            return is_placed;
        }
        let placed =
            self.gang(replica).pods(replica).filter(|&pod| self.fleet.create_ready_pod(pod, role, now, out)).count()
                as u32;
        self.known[replica.service()].push(Group { started: placed, loaded: placed, ..Group::default() });
        self.translate(from, out);
        placed == self.gang(replica).size
    }

    /// See [`Fleet::create_pod`].
    pub fn create_pod(&mut self, replica: PodId, role: PodRole, now: SimTime, out: &mut Out) {
        let from = out.notices.len();
        if self.is_plain(replica) {
            self.fleet.create_pod(replica, role, now, out);
            return self.translate(from, out);
        }
        self.known[replica.service()].push(Group::default());
        for pod in self.gang(replica).pods(replica) {
            if self.gang(replica).leader_ready_first && pod != self.gang(replica).leader(replica) {
                self.fleet.create_later(pod, role, now);
            } else {
                self.fleet.create_pod(pod, role, now, out);
            }
        }
        self.translate(from, out);
    }

    /// See [`Fleet::set_role`].
    pub fn set_role(&mut self, replica: PodId, role: PodRole, now: SimTime) {
        self.gang(replica).pods(replica).for_each(|pod| self.fleet.set_role(pod, role, now));
    }

    /// See [`Fleet::begin_drain`].
    pub fn begin_drain(&mut self, replica: PodId, now: SimTime) {
        self.gang(replica).pods(replica).for_each(|pod| self.fleet.begin_drain(pod, now));
    }

    /// See [`Fleet::delete_pod`]: all that is left of the replica.
    pub fn delete_pod(&mut self, replica: PodId, ending: &'static str, now: SimTime, out: &mut Out) {
        let from = out.notices.len();
        if self.is_plain(replica) {
            self.fleet.delete_pod(replica, ending, now, out);
            // Its room may be what a group of another service waits for.
            return self.translate(from, out);
        }
        self.known[replica.service()][replica.index()].end = End::Over;
        for pod in self.gang(replica).pods(replica) {
            self.fleet.delete_pod(pod, ending, now, out);
        }
        self.translate(from, out);
    }

    /// See [`Fleet::add_busy`]: the GPUs of all its pods were.
    pub fn add_busy(&mut self, replica: PodId, busy: SimDuration) {
        self.gang(replica).pods(replica).for_each(|pod| self.fleet.add_busy(pod, busy));
    }

    /// See [`Fleet::handle`].
    pub fn handle(&mut self, event: FleetEvent, now: SimTime, out: &mut Out) {
        let from = out.notices.len();
        self.fleet.handle(event, now, out);
        self.translate(from, out);
    }

    /// See [`Fleet::counts`].
    pub fn counts(&self) -> NodeCounts {
        self.fleet.counts()
    }

    /// See [`Fleet::want_replicas`].
    pub fn want_replicas(&mut self, service: usize, replicas: u32) {
        self.fleet.want_replicas(service, replicas.saturating_mul(self.rules[service].0.size));
    }

    /// See [`Fleet::ledger`].
    pub fn ledger(&self) -> &CostLedger {
        self.fleet.ledger()
    }

    /// See [`Fleet::cost_so_far`].
    pub fn cost_so_far(&self, now: SimTime) -> Cost {
        self.fleet.cost_so_far(now)
    }

    /// See [`Fleet::preempt_after`].
    pub fn preempt_after(&mut self, service: usize, preemption: SimDuration) {
        self.fleet.preempt_after(service, preemption);
    }

    /// See [`Fleet::keep_room_only`].
    pub fn keep_room_only(&mut self, service: usize, is_room: bool) {
        self.fleet.keep_room_only(service, is_room);
    }

    /// See [`Fleet::keep_pause_pods`]: a pause pod holds the place of one pod.
    pub fn keep_pause_pods(&mut self, service: usize, count: u32, now: SimTime, out: &mut Out) {
        let from = out.notices.len();
        self.fleet.keep_pause_pods(service, count, now, out);
        self.translate(from, out);
    }

    /// See [`Fleet::release`].
    pub fn release(&mut self, service: usize, is_new: (bool, bool), now: SimTime) {
        self.fleet.release(service, is_new, now);
    }

    /// See [`Fleet::start_pause_pods`]: a pause pod holds the place of one pod.
    pub fn start_pause_pods(&mut self, service: usize, count: u32, now: SimTime, out: &mut Out) {
        let from = out.notices.len();
        self.fleet.start_pause_pods(service, count, now, out);
        self.translate(from, out);
    }

    /// See [`Fleet::victim`]: replicas rank as their leaders do.
    pub fn victim(&self, candidates: impl Iterator<Item = PodId>, now: SimTime) -> Option<PodId> {
        let leaders = candidates.map(|replica| self.gang(replica).leader(replica));
        let leader = self.fleet.victim(leaders, now)?;
        Some(self.gang(leader).place(leader).0)
    }

    /// See [`Fleet::reset_measurement`].
    pub fn reset_measurement(&mut self, now: SimTime) {
        self.fleet.reset_measurement(now);
    }

    /// See [`Fleet::finish`].
    pub fn finish(&mut self, end: SimTime) {
        self.fleet.finish(end);
    }

    /// See [`Fleet::remarks`].
    pub fn remarks(&self) -> Vec<String> {
        self.fleet.remarks()
    }

    /// See [`Fleet::take_lives`]: one per replica, the leader's with the waits, restarts and costs of all its pods.
    pub fn take_lives(&mut self) -> (Vec<ReplicaLife>, Vec<NodeLife>) {
        let (pods, nodes) = self.fleet.take_lives();
        if self.are_plain() {
            return (pods, nodes);
        }
        let replicas = pods.chunk_by(|one, next| self.place(one) == self.place(next)).map(|group| match group {
            [pod] if self.is_plain(pod.pod) => pod.clone(),
            pods => as_one(self.place(&pods[0]), pods),
        });
        (replicas.collect(), nodes)
    }

    /// The replica a pod is of.
    fn place(&self, life: &ReplicaLife) -> PodId {
        self.gang(life.pod).place(life.pod).0
    }

    /// Turns what happened to pods since notice number `from` into what happened to replicas.
    fn translate(&mut self, from: usize, out: &mut Out) {
        if self.are_plain() {
            return;
        }
        let told = out.notices.split_off(from);
        out.notices.extend(told.into_iter().filter_map(|notice| self.translated(notice)));
    }

    fn translated(&mut self, notice: Notice) -> Option<Notice> {
        let Some(pod) = notice.pod() else { return Some(notice) };
        let (Gang { size, .. }, restart) = self.rules[pod.service()];
        if size == 1 {
            return Some(notice);
        }
        let (replica, place) = self.gang(pod).place(pod);
        let is_leader = place == 0;
        let ending = self.fleet.ending(pod);
        let group = &mut self.known[replica.service()][replica.index()];
        match notice {
            Notice::Scheduled { node, .. } if is_leader => Some(Notice::Scheduled { pod: replica, node }),
            Notice::Scheduled { node, .. } => Some(Notice::Joined { pod: replica, place, node }),
            Notice::ContainerStarted { .. } => {
                group.started += 1;
                is_leader.then_some(Notice::ContainerStarted { pod: replica })
            }
            Notice::Loaded { .. } => {
                group.loaded += 1;
                (group.loaded == size).then_some(Notice::Loaded { pod: replica })
            }
            // The fleet says it of all of a group at once.
            Notice::Ready { .. } => is_leader.then_some(Notice::Ready { pod: replica }),
            Notice::Warned { kill_at, .. } => {
                let is_first = !std::mem::replace(&mut group.is_warned, true);
                is_first.then_some(Notice::Warned { pod: replica, kill_at })
            }
            Notice::ContainerKilled { node, .. } => {
                let is_kept = match restart {
                    GroupRestart::Group => false,
                    GroupRestart::GroupAfterStart => group.started < size,
                    GroupRestart::Pod => true,
                };
                if is_kept {
                    return Some(Notice::ContainerKilled { pod: replica, node });
                }
                let how = Notice::Broken { pod: replica, reason: "probe_kill", at_once: true };
                group.ends(End::Begun, how)
            }
            // A leader that is deleted ends as a pod of its own would; its workers stay until it is gone.
            Notice::Interrupted { kill_at, .. } if is_leader => {
                group.ends(End::Begun, Notice::Interrupted { pod: replica, kill_at })
            }
            Notice::Evicted { reason, .. } if is_leader => {
                group.ends(End::Begun, Notice::Evicted { pod: replica, reason })
            }
            Notice::Interrupted { .. } => {
                group.ends(End::Begun, Notice::Broken { pod: replica, reason: "spot_reclaim", at_once: false })
            }
            Notice::Evicted { reason, .. } => {
                group.ends(End::Begun, Notice::Broken { pod: replica, reason, at_once: false })
            }
            Notice::Killed { .. } if is_leader => group.ends(End::Over, Notice::Killed { pod: replica }),
            Notice::Killed { .. } => {
                group.ends(End::Over, Notice::Broken { pod: replica, reason: ending, at_once: true })
            }
            Notice::Lost { not_ready_at, evicted_at, .. } => {
                group.ends(End::Lost, Notice::Lost { pod: replica, not_ready_at, evicted_at })
            }
            other => Some(other),
        }
    }
}

impl Group {
    /// Says it if that takes the replica further on its way out.
    fn ends(&mut self, end: End, notice: Notice) -> Option<Notice> {
        let is_news = end > self.end;
        self.end = self.end.max(end);
        is_news.then_some(notice)
    }
}

/// The lives of a group's pods as that of the replica.
fn as_one(replica: PodId, pods: &[ReplicaLife]) -> ReplicaLife {
    let mut life = pods[0].clone();
    life.pod = replica;
    life.worker_nodes = pods[1..].iter().filter_map(|pod| pod.node).collect();
    life.ended = pods.iter().map(|pod| pod.ended).max_by_key(|ended| ended.unwrap_or(SimTime::MAX)).flatten();
    // What befell the first to go befell the group.
    let first = pods.iter().min_by_key(|pod| pod.ended.unwrap_or(SimTime::MAX));
    life.ending = first.map_or(life.ending, |pod| pod.ending);
    life.cost = pods.iter().map(|pod| pod.cost).sum();
    life.restarts = pods.iter().map(|pod| pod.restarts).sum();
    life.waits = pods.iter().flat_map(|pod| pod.waits.iter().cloned()).collect();
    life.waits.sort_by_key(|wait| wait.start);
    life.waits.dedup();
    life
}
