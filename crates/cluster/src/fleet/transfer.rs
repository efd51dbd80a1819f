//! Transfers that share links, each at its max–min fair rate.
//!
//! Rates change only when a transfer starts, ends or is given up; between such instants bytes flow at constant rates, so completions
//! are computed, never stepped towards. Several changes at one instant cost one computation: the first of them asks to be woken at
//! that same instant, and the rates are worked out then.

use smallvec::SmallVec;
use units::{Bytes, NodeId, PodId, SimDuration, SimTime};

use super::event::{FleetEvent, LoadPart, Out};
use crate::spec::LinkSpec;

/// Which set of transfers a completion was computed for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransferEpoch(u32);

/// Whose transfer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The image of that number, onto a node.
    Image(NodeId, u32),
    /// The weights, into a node's cache.
    Cache(NodeId),
    /// A part of a pod's cold start.
    Pod(PodId, LoadPart),
}

/// A link of one node, or (`None`) one that all share.
type Link = (usize, Option<NodeId>);

#[derive(Clone, Debug)]
struct Flow {
    owner: Owner,
    links: SmallVec<[Link; 2]>,
    remaining_bytes: f64,
    /// Bytes per nanosecond.
    rate: f64,
}

/// All transfers under way.
#[derive(Clone, Debug)]
pub(super) struct Transfers {
    links: Vec<LinkSpec>,
    flows: Vec<Flow>,
    since: SimTime,
    epoch: TransferEpoch,
    /// Rates are to be worked out anew at the present instant.
    stale: bool,
}

impl Transfers {
    pub fn new(links: &[LinkSpec]) -> Self {
        Self {
            links: links.to_vec(),
            flows: Vec::new(),
            since: SimTime::ZERO,
            epoch: TransferEpoch::default(),
            stale: false,
        }
    }

    /// Starts moving `bytes` for `owner` at `node` over `links` (indexes into the links of the scenario, at least one).
    pub fn start(&mut self, owner: Owner, bytes: Bytes, over: (&[usize], NodeId), at: (SimTime, &mut Out)) {
        let (now, out) = at;
        self.advance(now);
        let links = over.0.iter().map(|&link| (link, self.links[link].per_node.then_some(over.1))).collect();
        self.flows.push(Flow { owner, links, remaining_bytes: bytes.0 as f64, rate: 0.0 });
        self.mark(now, out);
    }

    /// Gives up the transfers that `gone` picks.
    pub fn abandon(&mut self, gone: impl Fn(Owner) -> bool, now: SimTime, out: &mut Out) {
        let before = self.flows.len();
        if before == 0 {
            return;
        }
        self.advance(now);
        self.flows.retain(|flow| !gone(flow.owner));
        if self.flows.len() < before {
            self.mark(now, out);
        }
    }

    /// Handles [`FleetEvent::Transfer`]: who is done. Asks for the next completion.
    pub fn step(&mut self, epoch: TransferEpoch, now: SimTime, out: &mut Out) -> Vec<Owner> {
        if epoch != self.epoch {
            return Vec::new();
        }
        self.advance(now);
        let mut done = Vec::new();
        self.flows.retain(|flow| {
            // Completion instants are rounded up to whole nanoseconds; less than two nanoseconds' worth is rounding.
            let is_done = flow.remaining_bytes <= flow.rate * 2.0;
            if is_done {
                done.push(flow.owner);
            }
            !is_done
        });
        self.share();
        self.stale = false;
        self.epoch.0 += 1;
        let next = self.flows.iter().map(|flow| flow.remaining_bytes / flow.rate).min_by(f64::total_cmp);
        if let Some(nanos) = next {
            out.at(now.saturating_add(SimDuration::from_nanos(nanos.ceil() as u64)), FleetEvent::Transfer(self.epoch));
        }
        done
    }

    /// Lets bytes flow up to `now`.
    fn advance(&mut self, now: SimTime) {
        let nanos = (now - self.since).as_nanos() as f64;
        self.since = now;
        if nanos > 0.0 {
            for flow in &mut self.flows {
                flow.remaining_bytes = (flow.remaining_bytes - flow.rate * nanos).max(0.0);
            }
        }
    }

    fn mark(&mut self, now: SimTime, out: &mut Out) {
        if !self.stale {
            self.stale = true;
            self.epoch.0 += 1;
            out.at(now, FleetEvent::Transfer(self.epoch));
        }
    }

    /// Progressive filling: the links with the smallest fair share fix the rate of their flows, leave the picture with the bandwidth
    /// those take, and so on. Every round fixes at least one link.
    fn share(&mut self) {
        let mut links: Vec<Link> = self.flows.iter().flat_map(|flow| flow.links.iter().copied()).collect();
        links.sort_unstable();
        let mut flows_open: Vec<u32> = Vec::new();
        let mut names: Vec<Link> = Vec::new();
        for link in links {
            if names.last() == Some(&link) {
                *flows_open.last_mut().expect("as long as the names") += 1;
            } else {
                names.push(link);
                flows_open.push(1);
            }
        }
        let mut free: Vec<f64> = names.iter().map(|link| self.links[link.0].bytes_per_second / 1e9).collect();
        let index = |link: &Link| names.binary_search(link).expect("every flow's link is listed");
        let mut open: Vec<usize> = (0..self.flows.len()).collect();
        while !open.is_empty() {
            let fair = |link: usize| free[link] / f64::from(flows_open[link]);
            let least = (0..names.len())
                .filter(|&link| flows_open[link] > 0)
                .map(fair)
                .min_by(f64::total_cmp)
                .expect("an open flow has an open link");
            // Equal links differ in the last bits after subtractions; they belong to one round.
            let fixed: Vec<bool> =
                (0..names.len()).map(|link| flows_open[link] > 0 && fair(link) <= least * (1.0 + 1e-12)).collect();
            open.retain(|&flow| {
                let flow = &mut self.flows[flow];
                if !flow.links.iter().any(|link| fixed[index(link)]) {
                    return true;
                }
                flow.rate = least;
                for link in &flow.links {
                    let link = index(link);
                    free[link] = (free[link] - least).max(0.0);
                    flows_open[link] -= 1;
                }
                false
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(per_node: bool) -> LinkSpec {
        LinkSpec { name: "link".into(), bytes_per_second: 1.25e9, per_node }
    }

    /// Completion times in seconds of `flows` (node, links, bytes), all started at zero.
    fn completions(links: &[LinkSpec], flows: &[(u32, &[usize], u64)]) -> Vec<(u32, f64)> {
        let mut transfers = Transfers::new(links);
        let mut out = Out::default();
        for &(node, over, bytes) in flows {
            let node = NodeId(node);
            transfers.start(Owner::Image(node, 0), Bytes(bytes), (over, node), (SimTime::ZERO, &mut out));
        }
        let mut done = Vec::new();
        while let Some((time, FleetEvent::Transfer(epoch))) = out.schedule.pop() {
            for owner in transfers.step(epoch, time, &mut out) {
                let Owner::Image(node, 0) = owner else { panic!("only images here") };
                done.push((node.0, time.as_secs_f64()));
            }
        }
        done
    }

    #[test]
    fn ten_pulls_over_one_link_take_ten_times_one() {
        let image = 9_350_000_000;
        assert_eq!(completions(&[link(false)], &[(0, &[0], image)]), [(0, 7.48)]);
        let ten: Vec<(u32, &[usize], u64)> = (0..10).map(|node| (node, &[0][..], image)).collect();
        for (_, seconds) in completions(&[link(false)], &ten) {
            assert!((seconds - 74.8).abs() < 1e-6, "{seconds}");
        }
        for (_, seconds) in completions(&[link(true)], &ten) {
            assert!((seconds - 7.48).abs() < 1e-6, "{seconds}");
        }
    }

    #[test]
    fn a_flow_held_back_elsewhere_leaves_its_share_to_the_others() {
        let slow = LinkSpec { name: "slow".into(), bytes_per_second: 2.5e8, per_node: true };
        // Node 0 is held to 0.25 GB/s by its own link, so node 1 gets 1.0 of the 1.25 GB/s both share.
        let done = completions(&[link(false), slow], &[(0, &[0, 1], 1_000_000_000), (1, &[0], 1_000_000_000)]);
        assert_eq!(done, [(1, 1.0), (0, 4.0)]);
    }

    #[test]
    fn bandwidth_given_back_is_used_at_once() {
        // Both at 0.625 GB/s until the small one is done at 0.8 s, then the other alone: 0.5 left at 1.25 GB/s.
        let done = completions(&[link(false)], &[(0, &[0], 500_000_000), (1, &[0], 1_000_000_000)]);
        assert_eq!(done, [(0, 0.8), (1, 1.2)]);
    }
}
