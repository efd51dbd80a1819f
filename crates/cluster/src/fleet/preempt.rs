//! Preemption: a pod without room takes the place of pods of lower priority, as kube-scheduler does it.
//!
//! On each node all pods of lower priority are thought away; if the pod then fits, as many as possible are let stay, the most important
//! first, those whose going would break a disruption budget before the others. Of the nodes the one is taken with the fewest broken
//! budgets, then the lowest priority of its first victim, the smallest sum of priorities, the fewest victims, and the latest start of its
//! first victim (`preemption.pickOneNodeForPreemption`). The victims have their grace period; until they are gone the pod waits for that
//! node, with the room they leave kept for it from pods that are no more important.

use std::cmp::Reverse;

use units::{NodeId, PodId, SimTime};

use super::Fleet;
use super::event::{Notice, Out};
use super::node::NodeState;
use super::placement::kinds;
use super::pod::PodPhase;
use super::removal::healthy_desired;
use super::room::{self, Amounts};

/// What a pod drives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Pod(PodId),
    /// A pause pod of a class.
    Pause(usize),
}

/// A node where a pod fits once the victims are gone.
#[derive(Clone, Debug)]
pub(super) struct Preemption {
    node: NodeId,
    victims: Vec<Victim>,
    violations: u32,
}

/// How bad a preemption is: the least is chosen.
type Rank = (u32, i64, i64, usize, Reverse<SimTime>, NodeId);

/// Pause pods are less important than all pods.
const PAUSE_PRIORITY: i64 = i32::MIN as i64 - 1;

impl Fleet {
    /// Has waiting pods, the most important first, take the place of less important ones.
    pub(super) fn preempt_lower(&mut self, out: &mut Out) {
        if self.classes.len() == 1 {
            return;
        }
        let mut failed = vec![[false; 2]; self.classes.len()];
        while let Some((class, queue)) = self.first_waiting(|class| &class.pending, &failed) {
            let waiting = self.classes[class].pending[queue].iter().copied();
            let pod = waiting.into_iter().find(|&pod| self.pods[pod].preempts_on.is_none());
            let found = pod.filter(|_| self.has_lower(class)).and_then(|pod| Some((pod, self.find_preemption(pod)?)));
            match found {
                Some((pod, preemption)) => self.carry_out_preemption(pod, preemption, out),
                None => failed[class][queue] = true,
            }
        }
    }

    /// Whether pods of a class may drive out any that there are.
    fn has_lower(&self, class: usize) -> bool {
        let (priority, never) = (self.classes[class].pod.priority, self.classes[class].pod.scheduling.never_preempts);
        let is_lower = |other: &super::class::Class| other.bound > 0 && other.pod.priority < priority && !never;
        self.classes.iter().any(is_lower) || self.takeable_pauses(class).next().is_some()
    }

    /// Other classes whose pause pods a pod of `class` may take the place of.
    fn takeable_pauses(&self, class: usize) -> impl Iterator<Item = usize> + '_ {
        let never = self.classes[class].pod.scheduling.never_preempts;
        (0..self.classes.len()).filter(move |&other| {
            let of = &self.classes[other];
            other != class && !of.paused.is_empty() && (of.room_only || !never)
        })
    }

    /// The node on which `pod` does least harm, and whom it drives out there.
    fn find_preemption(&self, pod: PodId) -> Option<Preemption> {
        let class = pod.service();
        let pauses: Vec<usize> = self.takeable_pauses(class).collect();
        let map = (!self.classes[class].topology.is_empty()).then(|| self.map(class));
        let allowed = kinds(self.pods[pod].on_demand);
        let nodes = self.live.iter().copied().filter(|&node| {
            let state = &self.nodes[node.index()];
            state.takes_pods()
                && allowed.contains(&self.offers[state.offer].spec.purchase)
                && self.slots(class, state.offer) > 0
                && map.as_ref().is_none_or(|map| map.admits_at(node))
        });
        let found = nodes.filter_map(|node| self.preemption_on(node, pod, &pauses));
        found.min_by_key(|preemption| self.rank_of(preemption))
    }

    /// Whom `pod` drives out of `node`; `None` if it does not fit there even then, or without that.
    fn preemption_on(&self, node: NodeId, pod: PodId, pauses: &[usize]) -> Option<Preemption> {
        let state = &self.nodes[node.index()];
        let priority = self.class(pod).pod.priority;
        let lower = state.pods.iter().copied().filter(|&other| self.class(other).pod.priority < priority);
        let mut potential: Vec<PodId> = lower.collect();
        potential.sort_by_key(|&other| (Reverse(self.class(other).pod.priority), self.pods[other].bound_at, other));
        let mut held = self.held_against(node, pod);
        for &other in &potential {
            room::subtract(&mut held, &self.class(other).wanted, 1);
        }
        for &other in pauses {
            room::subtract(&mut held, &self.classes[other].wanted, state.classes[other].pauses);
        }
        let (has, wanted) = (&self.offers[state.offer].has, &self.class(pod).wanted);
        if room::fits(has, &held, wanted) == 0 {
            return None;
        }
        let mut victims = Vec::new();
        let mut reprieve = |victim: Victim, each: &Amounts| {
            room::add(&mut held, each, 1);
            if room::fits(has, &held, wanted) == 0 {
                room::subtract(&mut held, each, 1);
                victims.push(victim);
                return false;
            }
            true
        };
        let (breaking, harmless) = self.split_by_budgets(&potential);
        let mut violations = 0;
        for other in breaking {
            violations += u32::from(!reprieve(Victim::Pod(other), &self.class(other).wanted));
        }
        for other in harmless {
            reprieve(Victim::Pod(other), &self.class(other).wanted);
        }
        for &other in pauses {
            for _ in 0..state.classes[other].pauses {
                reprieve(Victim::Pause(other), &self.classes[other].wanted);
            }
        }
        (!victims.is_empty()).then_some(Preemption { node, victims, violations })
    }

    /// Those whose going would break a disruption budget, and the others, each in their order.
    fn split_by_budgets(&self, pods: &[PodId]) -> (Vec<PodId>, Vec<PodId>) {
        let mut gone = vec![0; self.classes.len()];
        pods.iter().partition(|pod| {
            let class = self.class(**pod);
            gone[pod.service()] += 1;
            class.budgets.iter().any(|budget| {
                let allowed = class.healthy.saturating_sub(healthy_desired(budget, class.expected_pods()));
                gone[pod.service()] > allowed
            })
        })
    }

    fn rank_of(&self, preemption: &Preemption) -> Rank {
        let priority = |victim: &Victim| match *victim {
            Victim::Pod(pod) => i64::from(self.class(pod).pod.priority),
            Victim::Pause(_) => PAUSE_PRIORITY,
        };
        let highest = preemption.victims.iter().map(priority).max().unwrap_or(PAUSE_PRIORITY);
        // Lowest priorities count for something too, so that fewer of them are better.
        let sum = preemption.victims.iter().map(|victim| priority(victim) - PAUSE_PRIORITY + 1).sum();
        let first = preemption.victims.iter().filter(|victim| priority(victim) == highest);
        let started = first.filter_map(|victim| match *victim {
            Victim::Pod(pod) => Some(self.pods[pod].bound_at),
            Victim::Pause(_) => None,
        });
        let started = started.min().unwrap_or(SimTime::ZERO);
        (preemption.violations, highest, sum, preemption.victims.len(), Reverse(started), preemption.node)
    }

    fn carry_out_preemption(&mut self, pod: PodId, preemption: Preemption, out: &mut Out) {
        let node = preemption.node;
        let pauses = preemption.victims.iter().filter_map(|victim| match *victim {
            Victim::Pause(class) => Some(class),
            Victim::Pod(_) => None,
        });
        let pauses: Vec<usize> = pauses.collect();
        for &class in &pauses {
            self.unplace_pause(class, node);
            self.classes[class].pauses_waiting += 1;
        }
        if !pauses.is_empty() && self.is_karpenter() {
            self.trigger_batch(out);
        }
        if pauses.len() == preemption.victims.len() {
            let slowest = pauses.iter().map(|&class| self.classes[class].preemption).max().unwrap_or_default();
            return self.take_over(pod, node, slowest, out);
        }
        self.clear_lower_preemptors(node, self.class(pod).pod.priority);
        self.plan_preemption(pod, node);
        for victim in preemption.victims {
            if let Victim::Pod(victim) = victim
                && !self.pods[victim].evicted
                && self.pods[victim].phase < PodPhase::Draining
            {
                self.change_pod(victim, |state| (state.evicted, state.preempted) = (true, true));
                out.tell(Notice::Evicted { pod: victim, reason: "preempted" });
            }
        }
    }

    /// `pod` waits for `node`, where it will have room.
    fn plan_preemption(&mut self, pod: PodId, node: NodeId) {
        self.withdraw(pod);
        let queue = usize::from(self.pods[pod].on_demand);
        self.classes[pod.service()].unplanned[queue].remove(&pod);
        let now = self.now;
        self.pods[pod].stop_waiting(now);
        self.pods[pod].preempts_on = Some(node);
        self.nodes[node.index()].preemptors.push(pod);
        self.preemptors += 1;
        self.reindex(node);
    }

    /// `pod` waits for no node in particular any more. It is not yet unplanned again: that is for the caller to say.
    pub(super) fn drop_preemption(&mut self, pod: PodId) {
        if let Some(node) = self.pods[pod].preempts_on.take() {
            self.nodes[node.index()].preemptors.retain(|&other| other != pod);
            self.preemptors -= 1;
            self.reindex(node);
        }
    }

    /// Pods that waited for `node` look elsewhere.
    pub(super) fn drop_preemptors(&mut self, node: NodeId) {
        for pod in self.nodes[node.index()].preemptors.clone() {
            self.drop_preemption(pod);
            self.unplan(pod);
        }
    }

    fn clear_lower_preemptors(&mut self, node: NodeId, priority: i32) {
        for pod in self.nodes[node.index()].preemptors.clone() {
            if self.class(pod).pod.priority < priority {
                self.drop_preemption(pod);
                self.unplan(pod);
            }
        }
    }

    /// What is held of `node` as far as `pod` is concerned: by what is on it, and for preemptors that come before it.
    fn held_against(&self, node: NodeId, pod: PodId) -> Amounts {
        let state = &self.nodes[node.index()];
        let mut held = state.held.clone();
        let rank = |pod: PodId| (Reverse(self.class(pod).pod.priority), self.pods[pod].number);
        for &other in state.preemptors.iter().filter(|&&other| rank(other) < rank(pod)) {
            room::add(&mut held, &self.class(other).wanted, 1);
        }
        held
    }

    /// Binds pods to the nodes they preempt on as soon as they fit there; those that never will look elsewhere.
    pub(super) fn bind_preemptors(&mut self, out: &mut Out) {
        if self.preemptors == 0 {
            return;
        }
        let waiting = self.live.iter().flat_map(|node| self.nodes[node.index()].preemptors.iter().copied());
        let mut waiting: Vec<PodId> = waiting.collect();
        waiting.sort_by_key(|&pod| (Reverse(self.class(pod).pod.priority), self.pods[pod].number));
        for pod in waiting {
            let Some(node) = self.pods[pod].preempts_on else { continue };
            let state = &self.nodes[node.index()];
            let (class, has) = (pod.service(), &self.offers[state.offer].has);
            let fits =
                state.takes_pods() && room::fits(has, &self.held_against(node, pod), &self.class(pod).wanted) > 0;
            let is_admitted = self.classes[class].topology.is_empty() || self.map(class).admits_at(node);
            if fits && is_admitted {
                self.bind(pod, node, out);
            } else if !state.takes_pods() || !self.has_leaving_victim(node, pod) {
                self.drop_preemption(pod);
                self.unplan(pod);
            }
        }
    }

    /// Whether some less important pod is on its way out of `node`.
    fn has_leaving_victim(&self, node: NodeId, pod: PodId) -> bool {
        let priority = self.class(pod).pod.priority;
        self.nodes[node.index()].pods.iter().any(|&other| {
            let state = &self.pods[other];
            self.class(other).pod.priority < priority && (state.evicted || state.phase >= PodPhase::Draining)
        })
    }
}

impl super::node::Node {
    /// Whether the scheduler may place pods on it, room aside.
    pub fn takes_pods(&self) -> bool {
        self.state == NodeState::Up && !self.warned && !self.tainted
    }
}
