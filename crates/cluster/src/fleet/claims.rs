//! Karpenter's packing of pods of several classes into the nodes it orders.
//!
//! Pods come with the most CPU first, then the most memory, then the oldest. Each goes to a node that is on its way, else to one that is
//! being put together in this pass, the one with the fewest pods first, else to a new one of the first pool by weight that can host it. What
//! is put together keeps all instance types that hold all of its pods; the cheapest is launched. Preferences are given up one by one while
//! there is no place (`provisioning/scheduling/scheduler.go`: `add`). Pods of one class fill one node after the other: for them
//! `Fleet::choose` knows the outcome.

use std::cmp::Reverse;

use record::Purchase;
use units::PodId;

use super::Fleet;
use super::event::Out;
use super::room::{self, Amounts};
use super::rooms::Counts;

/// A pod, or room for one, that a node is ordered for.
#[derive(Clone, Copy, Debug)]
struct Wish {
    class: usize,
    on_demand: bool,
    pod: Option<PodId>,
}

/// A node that is being put together.
#[derive(Clone, Debug)]
struct Claim {
    pool: usize,
    /// Offerings that hold all of its pods, and the one that would be launched now.
    candidates: Vec<usize>,
    choice: usize,
    load: Amounts,
    counts: Counts,
    wishes: Vec<Wish>,
}

impl Fleet {
    /// One provisioning pass over the waiting pods of all classes.
    pub(super) fn plan_claims_for_pods(&mut self, out: &mut Out) {
        let mut wishes = Vec::new();
        for (class, state) in self.classes.iter().enumerate() {
            for (queue, pods) in state.unplanned.iter().enumerate() {
                wishes.extend(pods.iter().map(|&pod| Wish { class, on_demand: queue == 1, pod: Some(pod) }));
            }
        }
        if self.plan_claims(wishes, out) {
            self.note_waits();
        }
    }

    /// The same for the room that is to be kept. True if some of it is not to be had.
    pub(super) fn plan_claims_for_headroom(&mut self, out: &mut Out) -> bool {
        let missing = self.headroom_missing();
        let wish = |class: usize| Wish { class, on_demand: false, pod: None };
        let wishes = missing.iter().enumerate().flat_map(|(class, &count)| (0..count).map(move |_| wish(class)));
        let wishes = wishes.collect();
        self.plan_claims(wishes, out)
    }

    /// Orders nodes for all of them as far as they are to be had; whether some are not.
    fn plan_claims(&mut self, mut wishes: Vec<Wish>, out: &mut Out) -> bool {
        wishes.sort_by_key(|wish| {
            let wanted = &self.classes[wish.class].wanted;
            let number = wish.pod.map(|pod| self.pods[pod].number);
            (Reverse((wanted[room::CPU], wanted[room::MEMORY])), number)
        });
        let mut claims: Vec<Claim> = Vec::new();
        let mut failed = vec![[false; 2]; self.classes.len()];
        for wish in wishes {
            if let Some(pod) = wish.pod
                && let Some(node) = self.first_coming(wish.class, wish.on_demand)
            {
                self.nominate(pod, node);
                continue;
            }
            let failed = &mut failed[wish.class][usize::from(wish.on_demand)];
            *failed = *failed || !self.claim(&mut claims, wish);
        }
        for claim in claims {
            let candidates = self.one_purchase(claim.wishes[0].class, claim.candidates);
            let node = self.launch(&candidates, out);
            for wish in claim.wishes {
                match wish.pod {
                    Some(pod) => self.nominate(pod, node),
                    None => self.nodes[node.index()].reserved = true,
                }
            }
        }
        failed.iter().flatten().any(|&failed| failed)
    }

    /// Finds a place for one more pod; false if there is none.
    fn claim(&self, claims: &mut Vec<Claim>, wish: Wish) -> bool {
        for step in 0..self.classes[wish.class].steps {
            let mut order: Vec<usize> = (0..claims.len()).collect();
            order.sort_by_key(|&claim| claims[claim].wishes.len());
            let joined = order.into_iter().find_map(|claim| Some((claim, self.joined(claims, claim, (wish, step))?)));
            if let Some((claim, candidates)) = joined {
                let claim = &mut claims[claim];
                claim.choice = self.first_choice(wish.class, &candidates);
                claim.candidates = candidates;
                room::add(&mut claim.load, &self.classes[wish.class].wanted, 1);
                claim.counts[wish.class] += 1;
                claim.wishes.push(wish);
                return true;
            }
            if let Some(claim) = self.new_claim(claims, (wish, step)) {
                claims.push(claim);
                return true;
            }
        }
        false
    }

    /// The offerings left to a claim if one more pod joins it; `None` if there are none.
    fn joined(&self, claims: &[Claim], index: usize, (wish, step): (Wish, u32)) -> Option<Vec<usize>> {
        let claim = &claims[index];
        let class = wish.class;
        let wanted = &self.classes[class].wanted;
        if claim.counts[class] >= self.takes_each(class, u32::MAX) {
            // Pods that would rather not share a node have another. Room that is kept may well be on this one.
            let fits = room::fits(&self.offers[claim.choice].has, &claim.load, wanted) > 0;
            return (wish.pod.is_none() && fits).then(|| claim.candidates.clone());
        }
        let mut candidates = claim.candidates.clone();
        candidates.retain(|&offer| {
            self.may_launch(offer, (wish, step), claims, Some(index))
                && room::fits(&self.offers[offer].has, &claim.load, wanted) > 0
        });
        self.keep_placed(&mut candidates, class, claims, Some(index));
        (!candidates.is_empty()).then_some(candidates)
    }

    /// A new claim for one pod, in the first pool by weight that can host it.
    fn new_claim(&self, claims: &[Claim], (wish, step): (Wish, u32)) -> Option<Claim> {
        let mut room = self.room();
        for claim in claims {
            room.subtract_largest(claim.pool, claim.candidates.iter().map(|&offer| &self.offers[offer]));
        }
        let class = wish.class;
        for &pool in self.pool_order.iter().filter(|&&pool| !self.spec.pools[pool].rules.is_static) {
            let mut candidates = self.pool_offers[pool].clone();
            candidates.retain(|&offer| {
                self.may_launch(offer, (wish, step), claims, None) && room.has(pool, &self.offers[offer])
            });
            self.keep_mix(pool, &mut candidates);
            self.keep_placed(&mut candidates, class, claims, None);
            if candidates.is_empty() {
                continue;
            }
            let mut counts = Counts::from_elem(0, self.classes.len());
            counts[class] = 1;
            let choice = self.first_choice(class, &candidates);
            let load = self.classes[class].wanted.clone();
            return Some(Claim { pool, candidates, choice, load, counts, wishes: vec![wish] });
        }
        None
    }

    /// Whether an offering may be launched for a pod, with the other claims launched before.
    fn may_launch(&self, offer: usize, (wish, step): (Wish, u32), claims: &[Claim], own: Option<usize>) -> bool {
        let of = &self.offers[offer];
        let others = claims.iter().enumerate().filter(|(index, claim)| Some(*index) != own && claim.choice == offer);
        let used = of.in_use + others.count() as u32;
        let is_used_up = of.spec.purchase == Purchase::Reserved && of.spec.capacity_max.is_some_and(|max| used >= max);
        self.is_eligible(wish.class, offer, wish.on_demand)
            && self.classes[wish.class].fits[offer].is_at(step)
            && !is_used_up
    }

    /// Leaves the offerings whose nodes the placement rules of a class permit to take one more of its pods.
    fn keep_placed(&self, candidates: &mut Vec<usize>, class: usize, claims: &[Claim], own: Option<usize>) {
        if self.classes[class].topology.is_empty() {
            return;
        }
        let mut map = self.plan_map(class, &[]);
        for (index, claim) in claims.iter().enumerate() {
            if Some(index) != own && claim.counts[class] > 0 {
                map.add_planned(claim.choice, claim.counts[class]);
            }
        }
        let there = own.map_or(0, |own| claims[own].counts[class]);
        candidates.retain(|&offer| map.takes_new(offer) > there);
    }

    fn first_choice(&self, class: usize, candidates: &[usize]) -> usize {
        self.one_purchase(class, candidates.to_vec())[0]
    }

    /// The offerings for one node that holds so many pods of each class, cheapest first and all of one purchase option.
    pub(super) fn choose_for_all(&self, pods: &[u32]) -> Option<Vec<usize>> {
        let room = self.room();
        let first = pods.iter().position(|&pods| pods > 0)?;
        let most = self.classes.iter().map(|class| class.steps).max().unwrap_or(1);
        let mut tries = (0..most).flat_map(|step| self.pool_order.iter().map(move |&pool| (step, pool)));
        tries.find_map(|(step, pool)| {
            if self.spec.pools[pool].rules.is_static {
                return None;
            }
            let mut candidates = self.pool_offers[pool].clone();
            candidates.retain(|&offer| self.hosts(offer, pods, step) && room.has(pool, &self.offers[offer]));
            self.keep_mix(pool, &mut candidates);
            self.keep_hosts_of(&mut candidates, pods, &[]);
            (!candidates.is_empty()).then(|| self.one_purchase(first, candidates))
        })
    }

    /// Whether a new node of `offer` may be launched for so many pods of each class and holds them all.
    pub(super) fn hosts(&self, offer: usize, pods: &[u32], step: u32) -> bool {
        let mut load = room::nothing(self.names.len());
        for (class, &count) in pods.iter().enumerate().filter(|(_, count)| **count > 0) {
            let of = &self.classes[class];
            if !self.is_eligible(class, offer, false) || !of.fits[offer].is_at(step.min(of.steps - 1)) {
                return false;
            }
            room::add(&mut load, &of.wanted, count);
        }
        room::fits(&self.offers[offer].has, &room::nothing(self.names.len()), &load) > 0
    }
}
