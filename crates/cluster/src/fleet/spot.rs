//! Interruptions of spot nodes.
//!
//! Hazards draw from streams of the node (or of the zone, for events that strike a whole zone), so that what a policy does never
//! changes when the nodes it has in common with another policy are taken.

use record::Purchase;
use units::{NodeId, SimDuration, SimTime};
use workload::{Purpose, Stream};

use super::Fleet;
use super::dice::draw;
use super::event::{FleetEvent, Notice, Out};
use super::node::{self, NodeState};
use super::provision::REFUSAL;
use crate::spec::{InterruptionModel, NodeManager};

/// Entities of zone-wide draws lie above all nodes'.
const ZONE_ENTITY: u64 = 1 << 32;
/// So do those of how early a recommendation comes, and of how late a loss is seen.
const LEAD_ENTITY: u64 = 1 << 33;
const LOST_ENTITY: u64 = 1 << 34;
const SECONDS_PER_HOUR: f64 = 3_600.0;

impl Fleet {
    /// A spot node starts to run: draws when it will be interrupted.
    pub(super) fn begin_hazard(&mut self, node: NodeId, out: &mut Out) {
        if self.offers[self.nodes[node.index()].offer].spec.purchase != Purchase::Spot {
            return;
        }
        let mut stream = Stream::new(self.seed, Purpose::Spot, node::entity(node));
        let hours = match &self.spec.spot.model {
            InterruptionModel::Constant { per_hour } => exponential(&mut stream) / per_hour,
            InterruptionModel::Bathtub { points } => age_at_hazard(points, exponential(&mut stream)),
            _ => return,
        };
        if hours.is_finite() {
            self.after(SimDuration::from_secs_f64(hours * SECONDS_PER_HOUR), FleetEvent::SpotNotice(node), out);
        }
    }

    /// The provider gives notice.
    pub(super) fn on_spot_notice(&mut self, node: NodeId, out: &mut Out) {
        self.give_notice(node, self.spec.spot.notice, out);
    }

    /// Notice of `notice` for `node`, unless it has had one.
    fn give_notice(&mut self, node: NodeId, notice: SimDuration, out: &mut Out) {
        let state = &self.nodes[node.index()];
        if state.ended.is_some() || state.kill_at.is_some() {
            return;
        }
        let (kill_at, recommended) = (self.now + notice, self.recommended_at(node));
        let state = &mut self.nodes[node.index()];
        state.kill_at = Some(kill_at);
        state.noticed = Some(self.now);
        state.recommended = recommended;
        out.tell(Notice::NodeInterrupted { node });
        out.at(kill_at, FleetEvent::SpotKill(node));
        let latency = self.spec.spot.notice_latency;
        if latency < notice && self.spec.spot.node_lost.is_none() {
            self.after(latency, FleetEvent::SpotHeard(node), out);
        }
    }

    /// When the provider recommended to leave `node`, whose notice comes now. Karpenter only records it (`interruption/utils.go`).
    fn recommended_at(&self, node: NodeId) -> Option<SimTime> {
        let lead = self.spec.spot.rebalance.as_ref()?;
        let mut stream = Stream::new(self.seed, Purpose::Spot, LEAD_ENTITY + node::entity(node));
        let launched = self.nodes[node.index()].launched.unwrap_or(self.now);
        Some(self.now.saturating_sub(draw(lead, &mut stream)).max(launched))
    }

    /// When a node that has gone unannounced is seen as NotReady, and its pods evicted; `None` if the cluster hears of its end at once.
    pub(super) fn found_lost_at(&self, node: NodeId) -> Option<(SimTime, SimTime)> {
        let lost = self.spec.spot.node_lost.as_ref()?;
        let mut stream = Stream::new(self.seed, Purpose::Spot, LOST_ENTITY + node::entity(node));
        let not_ready = self.now + draw(&lost.not_ready, &mut stream);
        Some((not_ready, not_ready + lost.eviction))
    }

    /// The notice has reached the cluster: no new pods here, and those it has are drained.
    pub(super) fn on_spot_heard(&mut self, node: NodeId, out: &mut Out) {
        let state = &mut self.nodes[node.index()];
        let (Some(kill_at), None) = (state.kill_at, state.ended) else { return };
        state.warned = true;
        let (was_up, offer) = (state.state == NodeState::Up, state.offer);
        for pod in state.pods.clone() {
            out.tell(Notice::Warned { pod, kill_at });
        }
        self.reindex(node);
        self.disappoint(node);
        if matches!(self.spec.manager, NodeManager::Karpenter) {
            self.hide(offer, self.now + REFUSAL);
        }
        match self.nodes[node.index()].state {
            // Karpenter deletes the claim of a node that is not even up.
            state if state < NodeState::Up && matches!(self.spec.manager, NodeManager::Karpenter) => {
                self.end_node(node, "spot_reclaim", out);
            }
            NodeState::Draining => self.redirect_drain(node, out),
            _ if was_up => self.begin_drain_of(node, "spot_reclaim", out),
            _ => {}
        }
        self.request_capacity(out);
    }

    /// A node that was being drained anyway is now drained because of the notice.
    fn redirect_drain(&mut self, node: NodeId, out: &mut Out) {
        self.nodes[node.index()].ending = "spot_reclaim";
        self.evict_pods(node, out);
    }

    /// The provider takes the node, with whatever still runs on it.
    pub(super) fn on_spot_kill(&mut self, node: NodeId, out: &mut Out) {
        if self.nodes[node.index()].ended.is_some() {
            return;
        }
        let offer = self.nodes[node.index()].offer;
        self.offers[offer].away_until = self.now + self.spec.spot.away;
        self.kill_node(node, "spot_reclaim", out);
    }

    /// First events of zone-wide models.
    pub(super) fn start_zones(&mut self, out: &mut Out) {
        match &self.spec.spot.model {
            InterruptionModel::Clustered { .. } => {
                for zone in 0..self.zones.len() {
                    let entity = ZONE_ENTITY + zone as u64;
                    self.zones[zone].stream = Some(Stream::new(self.seed, Purpose::Spot, entity));
                    self.await_cluster(zone, out);
                }
            }
            InterruptionModel::Availability { zones } => {
                for zone in 0..zones.len() {
                    self.await_availability(zone as u32, 0, out);
                }
            }
            _ => {}
        }
    }

    fn await_cluster(&mut self, zone: usize, out: &mut Out) {
        let InterruptionModel::Clustered { events_per_hour, .. } = self.spec.spot.model else { return };
        let stream = self.zones[zone].stream.as_mut().expect("clustered zones have streams");
        let hours = exponential(stream) / events_per_hour;
        if hours.is_finite() {
            let wait = SimDuration::from_secs_f64(hours * SECONDS_PER_HOUR);
            self.after(wait, FleetEvent::SpotCluster(zone as u32), out);
        }
    }

    /// A zone-wide event: each spot node of the zone is taken with the given chance, some time within the spread.
    pub(super) fn on_spot_cluster(&mut self, zone: u32, out: &mut Out) {
        let InterruptionModel::Clustered { share, spread, .. } = self.spec.spot.model else { return };
        let zone = zone as usize;
        for node in self.spot_nodes(zone) {
            let stream = self.zones[zone].stream.as_mut().expect("clustered zones have streams");
            let (luck, when) = (stream.uniform(), stream.uniform());
            if luck < share {
                let wait = SimDuration::from_secs_f64(spread.as_secs_f64() * when);
                self.after(wait, FleetEvent::SpotNotice(node), out);
            }
        }
        self.await_cluster(zone, out);
    }

    /// Asks for notice and change of one step of a trace. The trace knows the future; the provider gives notice as long before as it can.
    fn await_availability(&self, index: u32, step: u32, out: &mut Out) {
        let InterruptionModel::Availability { zones } = &self.spec.spot.model else { return };
        if let Some(&(from, _)) = zones[index as usize].steps.get(step as usize) {
            let notice = from.saturating_sub(self.spec.spot.notice).max(self.now);
            out.at(notice, FleetEvent::AvailabilityNotice(index, step));
        }
    }

    /// Notice before a step of the availability trace of zone `index` of the trace, to nodes that will be too many then.
    pub(super) fn on_availability_notice(&mut self, index: u32, step: u32, out: &mut Out) {
        let InterruptionModel::Availability { zones } = &self.spec.spot.model else { return };
        let (from, available) = zones[index as usize].steps[step as usize];
        out.at(from, FleetEvent::Availability(index, step));
        self.await_availability(index, step + 1, out);
        let held = self.nodes_of_trace(index);
        let staying = held.iter().filter(|node| self.nodes[node.index()].kill_at.is_none()).count();
        let lost = staying.saturating_sub(available as usize);
        // The trace says how many, not which: the latest comers go first.
        let victims: Vec<NodeId> =
            held.into_iter().rev().filter(|node| self.nodes[node.index()].kill_at.is_none()).take(lost).collect();
        for node in victims {
            self.give_notice(node, from - self.now, out);
        }
    }

    /// A step of the availability trace: what is still too many goes without notice.
    pub(super) fn on_availability(&mut self, index: u32, step: u32, out: &mut Out) {
        let InterruptionModel::Availability { zones } = &self.spec.spot.model else { return };
        let available = zones[index as usize].steps[step as usize].1 as usize;
        let mut held = self.nodes_of_trace(index);
        // Those under notice go first; their time has come.
        held.sort_by_key(|node| (self.nodes[node.index()].kill_at.is_none(), std::cmp::Reverse(*node)));
        let lost = held.len().saturating_sub(available);
        for node in held.into_iter().take(lost) {
            if self.nodes[node.index()].kill_at.is_none() {
                out.tell(Notice::NodeInterrupted { node });
            }
            self.nodes[node.index()].kill_at = Some(self.now);
            self.kill_node(node, "spot_reclaim", out);
        }
    }

    /// Spot nodes the provider has granted in a zone and not taken back.
    fn spot_nodes(&self, zone: usize) -> Vec<NodeId> {
        let is_spot_here = |node: &NodeId| {
            let state = &self.nodes[node.index()];
            let offer = &self.offers[state.offer];
            state.granted && offer.spec.purchase == Purchase::Spot && offer.zone == zone
        };
        self.live.iter().copied().filter(is_spot_here).collect()
    }

    /// Spot nodes the provider has granted that count towards a trace, and not taken back.
    fn nodes_of_trace(&self, index: u32) -> Vec<NodeId> {
        let InterruptionModel::Availability { zones } = &self.spec.spot.model else { return Vec::new() };
        let counts = |node: &NodeId| {
            let state = &self.nodes[node.index()];
            state.granted && zones[index as usize].limits(&self.offers[state.offer].spec)
        };
        self.live.iter().copied().filter(counts).collect()
    }

    /// How many more nodes of a spot offering its zone's trace permits, now and until a notice given now would end.
    pub(super) fn spot_room(&self, offer: usize) -> u32 {
        let offer = &self.offers[offer];
        let InterruptionModel::Availability { zones } = &self.spec.spot.model else { return u32::MAX };
        let Some(index) = zones.iter().position(|trace| trace.limits(&offer.spec)) else { return u32::MAX };
        let steps = &zones[index].steps;
        let until = self.now.saturating_add(self.spec.spot.notice);
        let current = steps.partition_point(|&(from, _)| from <= self.now).saturating_sub(1);
        let coming = steps[current..].iter().take_while(|&&(from, _)| from <= until);
        let least = coming.map(|&(_, nodes)| nodes).min().unwrap_or(u32::MAX);
        least.saturating_sub(self.nodes_of_trace(index as u32).len() as u32)
    }
}

/// A draw from the exponential distribution of mean 1.
fn exponential(stream: &mut Stream) -> f64 {
    -libm::log1p(-stream.uniform())
}

/// The age in hours at which the integral of a hazard, linear between `points` and constant outside them, reaches `target`.
fn age_at_hazard(points: &[(f64, f64)], target: f64) -> f64 {
    let Some(&(first_age, first_rate)) = points.first() else { return f64::INFINITY };
    if first_age * first_rate >= target {
        return target / first_rate;
    }
    let mut left = target - first_age * first_rate;
    for pair in points.windows(2) {
        let [(from, low), (to, high)] = [pair[0], pair[1]];
        let (width, slope) = (to - from, (high - low) / (to - from));
        let area = f64::midpoint(low, high) * width;
        if area >= left {
            // low x + slope x²/2 = left; written so that it stays exact for a slope of zero.
            return from + 2.0 * left / (low + (low * low + 2.0 * slope * left).max(0.0).sqrt());
        }
        left -= area;
    }
    let &(last_age, last_rate) = points.last().expect("there is a first");
    last_age + left / last_rate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_hazard_is_the_exponential_and_a_ramp_its_square_root() {
        assert_eq!(age_at_hazard(&[(0.0, 0.5), (10.0, 0.5)], 1.0), 2.0);
        assert_eq!(age_at_hazard(&[(0.0, 0.5), (1.0, 0.5)], 3.0), 6.0);
        // Hazard 2t integrates to t²: 9 is reached at 3.
        assert!((age_at_hazard(&[(0.0, 0.0), (10.0, 20.0)], 9.0) - 3.0).abs() < 1e-12);
        assert_eq!(age_at_hazard(&[(0.0, 0.0)], 1.0), f64::INFINITY);
    }
}
