//! Services that call each other move on together: an answer at the caller is an arrival at the one that is called.
//!
//! Callers go first. What they have answered up to an instant is known to those they call before these reach it.

use units::{PodId, SimTime};

use super::service::Service;
use crate::flow::Answered;
use crate::spec::ServiceSpec;

/// The services of a run, those that call each other together, each chain in the order of its first service.
pub(super) struct Chains(Vec<Chain>);

/// Services that call each other, callers before those they call; one service that calls none and is called by none.
pub(super) struct Chain {
    services: Vec<usize>,
    /// Of each of them: the place in `services` of the one that calls it.
    callers: Vec<Option<usize>>,
    /// Of each of them: it fetches what its caller has computed, which keeps that for so long.
    fetches: Vec<bool>,
}

impl Chains {
    /// Calls must not form a ring.
    pub fn of(services: &[ServiceSpec]) -> Self {
        let caller = |service: usize| services[service].called_by.map(|call| call.service);
        let ancestors = |service: usize| std::iter::successors(Some(service), |at| caller(*at));
        let root = |service: usize| ancestors(service).last().expect("it is its own ancestor");
        let depth = |service: usize| ancestors(service).count();
        let mut chains: Vec<Chain> = Vec::new();
        for first in 0..services.len() {
            if chains.iter().any(|chain| chain.services.contains(&first)) {
                continue;
            }
            let mut members: Vec<usize> = (0..services.len()).filter(|other| root(*other) == root(first)).collect();
            members.sort_by_key(|service| depth(*service));
            let place = |service: usize| members.iter().position(|other| *other == service);
            let callers = members.iter().map(|member| caller(*member).and_then(place)).collect();
            let fetches = |service: &usize| services[*service].called_by.is_some_and(|call| call.transfer.is_some());
            let fetches = members.iter().map(fetches).collect();
            chains.push(Chain { services: members, callers, fetches });
        }
        Self(chains)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Chain> {
        self.0.iter()
    }
}

impl Chain {
    /// Whether a pod of any of them may run empty on the way.
    pub fn may_stop_early(&self, services: &[Service<'_>]) -> bool {
        self.services.iter().any(|service| services[*service].may_stop_early())
    }

    /// Moves all of them on until `to`, or until a draining pod has answered its last, which is then told.
    pub fn advance(&self, services: &mut [Service<'_>], to: SimTime, mut drained: impl FnMut((SimTime, PodId))) {
        if let [only] = self.services[..] {
            if let Some(empty) = services[only].advance(to) {
                drained(empty);
            }
            return;
        }
        let waits_for_another = self.fetches.contains(&true);
        if !waits_for_another && !self.may_stop_early(services) {
            let stopped = self.step(services, to);
            assert!(stopped.is_empty(), "a pod ran empty that was not about to");
            return;
        }
        self.tell_lost(services);
        // What those who fetch have given up since.
        self.tell_released(services);
        // Instant by instant: nobody may run ahead of where another stops, or of what another lets go of.
        loop {
            let due = self.services.iter().map(|service| services[*service].next_due()).min();
            let next = due.map_or(to, |due| due.min(to));
            let stopped = self.step(services, next);
            let has_released = self.tell_released(services);
            let is_over = next == to && !has_released || !stopped.is_empty();
            stopped.into_iter().for_each(&mut drained);
            if is_over {
                return;
            }
        }
    }

    /// What callers have computed is gone with their replicas for those who were to fetch it.
    fn tell_lost(&self, services: &mut [Service<'_>]) {
        for (caller, service) in self.fetching() {
            let mut lost = Vec::new();
            services[caller].take_lost(&mut lost);
            services[service].lose(&lost);
        }
    }

    /// Callers need not keep what has been fetched. Whether anything has.
    fn tell_released(&self, services: &mut [Service<'_>]) -> bool {
        let mut has_released = false;
        for (caller, service) in self.fetching() {
            let mut released = Vec::new();
            services[service].take_released(&mut released);
            services[caller].release(&released);
            has_released |= !released.is_empty();
        }
        has_released
    }

    /// (who computes, who fetches).
    fn fetching(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let places = (0..self.services.len()).filter(|place| self.fetches[*place]);
        places.filter_map(|place| Some((self.services[self.callers[place]?], self.services[place])))
    }

    /// Moves all of them on until `to`; pods that run empty on the way.
    fn step(&self, services: &mut [Service<'_>], to: SimTime) -> Vec<(SimTime, PodId)> {
        let mut stopped = Vec::new();
        let mut answers: Vec<Vec<Answered>> = Vec::with_capacity(self.services.len());
        for (place, service) in self.services.iter().enumerate() {
            if let Some(caller) = self.callers[place] {
                services[*service].take_calls(&answers[caller]);
            }
            stopped.extend(services[*service].advance(to));
            let mut answered = Vec::new();
            if self.callers.contains(&Some(place)) {
                services[*service].take_answered(&mut answered);
            }
            answers.push(answered);
        }
        stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{CalledBy, ServiceModel};
    use workload::Distribution;

    fn service(called_by: Option<usize>) -> ServiceSpec {
        let model = ServiceModel::Slots { concurrency: 1, service: Distribution::Constant(1.0) };
        let called_by = called_by.map(|service| CalledBy { service, share: 1.0, count: 1, transfer: None });
        ServiceSpec { called_by, ..ServiceSpec::plain("any", model) }
    }

    #[test]
    fn callers_come_before_those_they_call_and_strangers_stay_alone() {
        // 2 calls 0 and 3, 0 calls 4; nobody calls 1.
        let services = [Some(2), None, None, Some(2), Some(0)].map(service);
        let chains = Chains::of(&services);
        let orders: Vec<&[usize]> = chains.iter().map(|chain| chain.services.as_slice()).collect();
        assert_eq!(orders, [&[2, 0, 3, 4][..], &[1]]);
        assert_eq!(chains.0[0].callers, [None, Some(0), Some(0), Some(1)]);
    }
}
