//! The Cluster Autoscaler with pods of several classes: which group grows by how many nodes, and which nodes are not needed.
//!
//! The waiting pods are packed on template nodes of each group, those that take most of one first, each on the first node with room
//! (`estimator/binpacking_estimator.go`). A node is not needed if its pods, placed one after the other, find room on others.

use units::{NodeId, PodId};

use super::Fleet;
use super::autoscaler::GroupOption;
use super::event::Out;
use super::room::{self, Amounts};
use super::rooms::Counts;
use crate::spec::ClusterAutoscalerSpec;

/// A pod that waits for a node, or a pause pod.
type Waiting = (usize, Option<PodId>);

/// A template node with the pods packed on it.
#[derive(Clone, Debug)]
struct Packed {
    load: Amounts,
    counts: Counts,
    pods: Vec<Waiting>,
}

impl Fleet {
    /// Raises the size of the best group by what the waiting pods of all classes need.
    pub(super) fn scale_group_up_for_all(&mut self, on_demand: bool, out: &mut Out) -> bool {
        let queue = usize::from(on_demand);
        let headroom = if on_demand { Counts::from_elem(0, self.classes.len()) } else { self.headroom_missing() };
        let mut waiting: Vec<Waiting> = Vec::new();
        for (class, state) in self.classes.iter().enumerate().filter(|(class, _)| !self.is_expendable(*class)) {
            waiting.extend(state.unplanned[queue].iter().map(|&pod| (class, Some(pod))));
            waiting.extend((0..headroom[class]).map(|_| (class, None)));
        }
        if waiting.is_empty() || self.has_only_new(queue) {
            return false;
        }
        let templates = self.pool_order.iter().flat_map(|&pool| self.templates(pool, on_demand, &waiting));
        let options = templates.filter_map(|template| self.group_option_for_all(template, on_demand, &waiting));
        let Some((best, nodes)) = options.min_by(|one, other| GroupOption::compare(&one.0, &other.0)) else {
            self.note_waits();
            return false;
        };
        self.note_scale_up();
        for packed in nodes {
            let node = self.launch(&best.candidates, out);
            for pod in packed.pods.into_iter().filter_map(|(_, pod)| pod) {
                self.nominate(pod, node);
            }
        }
        true
    }

    /// What a group's nodes may be taken to be like: for each class the first it would launch for its pods.
    fn templates(&self, pool: usize, on_demand: bool, waiting: &[Waiting]) -> Vec<usize> {
        if self.is_backing_off(pool) || self.seems_without_gpus(pool) {
            return Vec::new();
        }
        let mut offers = self.pool_offers[pool].clone();
        self.sort_for_group(&mut offers);
        let first = |class: usize| offers.iter().copied().find(|&offer| self.is_eligible(class, offer, on_demand));
        let mut templates: Vec<usize> = self.classes_of(waiting).filter_map(first).collect();
        templates.sort_unstable();
        templates.dedup();
        templates
    }

    /// The classes some of whose pods wait.
    fn classes_of<'a>(&'a self, waiting: &'a [Waiting]) -> impl Iterator<Item = usize> + 'a {
        (0..self.classes.len()).filter(|class| waiting.iter().any(|pod| pod.0 == *class))
    }

    /// What growing a group by nodes like the template would do for the waiting pods.
    fn group_option_for_all(
        &self,
        template: usize,
        on_demand: bool,
        waiting: &[Waiting],
    ) -> Option<(GroupOption, Vec<Packed>)> {
        let pool = self.offers[template].pool;
        let is_as_large = |offer: usize| {
            self.classes_of(waiting).all(|class| self.slots(class, offer) >= self.slots(class, template))
        };
        let is_eligible =
            |offer: usize| self.classes_of(waiting).any(|class| self.is_eligible(class, offer, on_demand));
        let mut candidates = self.pool_offers[pool].clone();
        candidates.retain(|&offer| is_eligible(offer) && is_as_large(offer));
        self.sort_for_group(&mut candidates);
        let room = self.room().nodes_of(pool, &self.offers[template]);
        let nodes = self.pack(template, on_demand, (waiting, room));
        if nodes.is_empty() {
            return None;
        }
        let waste = self.waste(template, &nodes);
        let priority = self.spec.pools[pool].weight;
        let count = nodes.len() as u32;
        Some((GroupOption { priority, waste, slots: 0, candidates, nodes: count }, nodes))
    }

    /// Packs the waiting pods on at most so many nodes like the template.
    fn pack(&self, template: usize, on_demand: bool, (waiting, most): (&[Waiting], u32)) -> Vec<Packed> {
        let has = &self.offers[template].has;
        let share = |class: usize| {
            let of = |resource: usize| self.classes[class].wanted[resource] as f64 / has[resource] as f64;
            of(room::CPU) + of(room::MEMORY)
        };
        let mut sorted: Vec<Waiting> = waiting.to_vec();
        sorted.sort_by(|one, other| share(other.0).total_cmp(&share(one.0)));
        let mut nodes: Vec<Packed> = Vec::new();
        for pod in sorted {
            let class = pod.0;
            if !self.is_eligible(class, template, on_demand) {
                continue;
            }
            let wanted = &self.classes[class].wanted;
            let takes = self.takes_each(class, u32::MAX);
            let fits = |node: &&mut Packed| node.counts[class] < takes && room::fits(has, &node.load, wanted) > 0;
            if let Some(node) = nodes.iter_mut().find(fits) {
                room::add(&mut node.load, wanted, 1);
                node.counts[class] += 1;
                node.pods.push(pod);
            } else if (nodes.len() as u32) < most && self.may_grow(class, template, nodes.len() as u32) {
                let mut counts = Counts::from_elem(0, self.classes.len());
                counts[class] = 1;
                nodes.push(Packed { load: wanted.clone(), counts, pods: vec![pod] });
            }
        }
        nodes
    }

    /// Whether placement rules let one more new node take a pod of a class. Where the others are decides over the next: one at a time.
    fn may_grow(&self, class: usize, template: usize, nodes: u32) -> bool {
        self.classes[class].topology.is_empty()
            || nodes < self.nodes_at_once() && self.plan_map(class, &[]).takes_new(template) > 0
    }

    /// The share of CPU that stays unused; of slots where no CPU is asked for. GPUs are not looked at.
    fn waste(&self, template: usize, nodes: &[Packed]) -> f64 {
        let has = &self.offers[template].has;
        let cpu: u64 = nodes.iter().map(|node| node.load[room::CPU]).sum();
        if cpu > 0 && has[room::CPU] < u64::MAX {
            return 1.0 - cpu as f64 / (nodes.len() as u64 * has[room::CPU]) as f64;
        }
        let of_node = |node: &Packed| -> f64 {
            let counts = node.counts.iter().enumerate().filter(|(_, count)| **count > 0);
            counts.map(|(class, &count)| f64::from(count) / f64::from(self.slots(class, template))).sum()
        };
        1.0 - nodes.iter().map(of_node).sum::<f64>() / nodes.len() as f64
    }

    /// Starts and stops the clocks of nodes that are not needed.
    pub(super) fn note_unneeded_of_all(&mut self, spec: &ClusterAutoscalerSpec) {
        let mut rooms = self.rooms(&[]);
        let waiting: Counts = self.classes.iter().map(|class| class.waiting() + class.pauses_waiting).collect();
        rooms.place_all(&waiting, |_| true);
        let mut unneeded: Vec<NodeId> = Vec::new();
        for &node in &self.live {
            if !self.is_removable(node, spec) {
                continue;
            }
            let mut without = rooms.clone();
            without.remove(node);
            let pods = self.nodes[node.index()].load();
            if without.place_all(&pods, |_| true).iter().all(|&missing| missing == 0) {
                // Its pods will take room elsewhere, and its own room goes.
                rooms = without;
                unneeded.push(node);
            }
        }
        for node in self.live.clone() {
            let state = &mut self.nodes[node.index()];
            if unneeded.binary_search(&node).is_ok() {
                state.unneeded_since.get_or_insert(self.now);
            } else {
                state.unneeded_since = None;
            }
        }
    }
}
