//! What is kept of a run while it goes on.

use std::collections::BTreeMap;

use policy::{Counts, Trail};
use record::{
    DecisionRow, ReplicaLife, RequestRow, RequestTotals, RolloutLife, ScalingTotals, ServiceRecord, ServiceTotals,
    TimelineRow,
};
use units::{Cost, PodId, SimDuration, SimTime};

use crate::Keep;
use crate::controllers::decision_row;
use crate::fleet::NodeCounts;
use crate::flow::{Load, ReplicaStats, StepLatency};
use crate::spec::{ServicePolicy, SimulationSpec};

use super::occupancy::Look;
use super::remarks::{AdapterLoads, Tally, replicas_max};

/// Collects totals always, tables when asked to.
pub(super) struct Recorder {
    keep: Keep,
    /// Since when the current timeline step goes on.
    step_since: SimTime,
    scaling: ScalingTotals,
    timeline: Vec<TimelineRow>,
    decisions: Vec<DecisionRow>,
    /// Final statistics of pods that have served.
    served: BTreeMap<PodId, Done>,
    /// What those that were there before the run had done by then.
    before: BTreeMap<PodId, Done>,
    /// Time zero of the run on the clock of the agenda.
    origin: SimTime,
    measure_from: SimTime,
    rollouts: Vec<RolloutLife>,
    remarks: Vec<String>,
    ready_since: (SimTime, u32),
    last_load: Load,
    /// Adapters that replicas, of all that there were, had loaded when the step began.
    last_adapter_loads: u64,
    /// What remarks are made of.
    tally: Tally,
    /// Likewise, of adapters.
    pub(super) adapters: AdapterLoads,
    /// The bound of the policy, and since when as many replicas are wanted.
    at_max: (Option<u32>, Option<SimTime>),
    /// ∫ ready dt and ∫ busy dt of the current timeline step.
    step_ready_ns: u128,
    step_busy_ns: u64,
}

impl Recorder {
    pub(super) fn new(spec: &SimulationSpec, policy: &ServicePolicy, keep: Keep) -> Self {
        Self {
            keep,
            step_since: SimTime::ZERO + spec.prehistory.length,
            scaling: ScalingTotals::default(),
            timeline: Vec::new(),
            decisions: Vec::new(),
            served: BTreeMap::new(),
            before: BTreeMap::new(),
            origin: SimTime::ZERO + spec.prehistory.length,
            measure_from: SimTime::ZERO + spec.prehistory.length + spec.warm_up,
            rollouts: Vec::new(),
            remarks: Vec::new(),
            ready_since: (SimTime::ZERO, 0),
            last_load: Load::default(),
            last_adapter_loads: 0,
            tally: Tally::default(),
            adapters: AdapterLoads::default(),
            at_max: (replicas_max(policy), None),
            step_ready_ns: 0,
            step_busy_ns: 0,
        }
    }

    /// The number of ready replicas from now on.
    pub(super) fn ready_changed(&mut self, now: SimTime, counts: Counts) {
        self.scaling.replicas_max = self.scaling.replicas_max.max(counts.ready);
        let (since, ready) = self.ready_since;
        if now > since {
            let span = u128::from((now - since).as_nanos()) * u128::from(ready);
            self.step_ready_ns += span;
            self.scaling.replica_ns += span;
            self.ready_since.0 = now;
        }
        self.ready_since.1 = counts.ready;
        let time = self.in_run(now);
        note(&mut self.scaling.ready_path, time, counts.ready);
    }

    /// As many replicas are wanted from now on.
    pub(super) fn desired_changed(&mut self, now: SimTime, desired: u32) {
        let (max, since) = self.at_max;
        if let Some(since) = since {
            self.scaling.at_max_ns += u128::from((now - since.min(now)).as_nanos());
        }
        self.at_max.1 = max.is_some_and(|max| desired >= max).then_some(now);
        let time = self.in_run(now);
        note(&mut self.scaling.desired_path, time, desired);
    }

    /// Time spent serving, over all replicas.
    pub(super) fn busy(&mut self, nanos: u64) {
        self.step_busy_ns += nanos;
        self.scaling.busy_ns += u128::from(nanos);
    }

    pub(super) fn cold_start(&mut self, now: SimTime, length: SimDuration) {
        if now >= self.measure_from {
            self.scaling.cold_start_ns.push(length.as_nanos());
        }
    }

    /// A pod has left the flow with these statistics.
    pub(super) fn replica_ended(&mut self, pod: PodId, stats: ReplicaStats, lost: u64) {
        self.adapters.lives += 1;
        self.adapters.loads += stats.adapter_loads;
        self.adapters.answered += stats.success;
        if self.keep.tables {
            let entry = self.served.entry(pod).or_default();
            let before = self.before.remove(&pod).unwrap_or_default();
            entry.busy_ns += stats.busy_ns - before.busy_ns;
            entry.completed += stats.success - before.completed;
            entry.adapter_loads += stats.adapter_loads - before.adapter_loads;
            entry.lost += lost;
        }
    }

    /// One pass of a controller.
    pub(super) fn decision(
        &mut self,
        (time, controller): (SimTime, String),
        (before, ready): (u32, u32),
        trail: &Trail,
        written: Option<(&'static str, u32)>,
    ) {
        if let Some(("replicas", replicas)) = written
            && time >= self.measure_from
        {
            self.scaling.scale_ups += u64::from(replicas > before);
            self.scaling.scale_downs += u64::from(replicas < before);
        }
        self.tally.pass(self.in_run(time), &controller, before, trail);
        if !self.keep.tables {
            return;
        }
        self.decisions.push(decision_row(self.in_run(time), controller, (before, ready), trail, written));
    }

    /// A step of the timeline ends now.
    pub(super) fn step(
        &mut self,
        now: SimTime,
        (load, latency, look): (Load, StepLatency, Look),
        counts: Counts,
        (nodes, cost): (NodeCounts, Cost),
    ) {
        self.ready_changed(now, counts);
        look.add_to(&mut self.scaling.occupancy);
        let ready_ns = std::mem::take(&mut self.step_ready_ns);
        let busy_ns = std::mem::take(&mut self.step_busy_ns);
        let last = std::mem::replace(&mut self.last_load, load);
        let since = std::mem::replace(&mut self.step_since, now);
        let adapter_loads = look.adapter_loads.map(|loads| loads + self.adapters.loads);
        let loads_before = std::mem::replace(&mut self.last_adapter_loads, adapter_loads.unwrap_or(0));
        if !self.keep.tables {
            return;
        }
        self.timeline.push(TimelineRow {
            start: self.in_run(since),
            step: now - since,
            arrivals: load.arrived - last.arrived,
            completions: load.completed - last.completed,
            failures: load.failed - last.failed,
            slo_misses: latency.missed,
            queue: load.waiting,
            in_flight: load.in_flight,
            desired: counts.spec,
            ready: counts.ready,
            starting: counts.starting,
            standby: counts.standby + counts.standby_starting,
            draining: counts.draining,
            nodes_on_demand: nodes.on_demand,
            nodes_spot: nodes.spot,
            nodes_reserved: nodes.reserved,
            ready_ns,
            gpu_utilization: if ready_ns == 0 { f64::NAN } else { (busy_ns as f64 / ready_ns as f64).min(1.0) },
            latency_p50_ns: latency.p50_ns,
            latency_p99_ns: latency.p99_ns,
            // The warm-up is not billed.
            cost_so_far: if now > self.measure_from { cost } else { Cost::ZERO }.to_usd(),
            queue_gateway: look.gateway,
            queue_replicas: look.replicas,
            kv_usage: look.kv_mean(),
            adapter_loads: adapter_loads.map(|loads| loads - loads_before),
            ttft_p50_ns: latency.ttft_ns[0],
            ttft_p99_ns: latency.ttft_ns[1],
            tpot_p50_ns: latency.tpot_ns[0],
            tpot_p99_ns: latency.tpot_ns[1],
        });
    }

    /// The run begins with this load. What a replica has done before it is not the run's.
    pub(super) fn begin(&mut self, load: Load, replicas: impl Iterator<Item = (PodId, ReplicaStats)>) {
        self.reset(self.origin);
        (self.step_ready_ns, self.step_busy_ns) = (0, 0);
        self.last_load = load;
        self.before = replicas.map(|(pod, stats)| (pod, Done::of(&stats))).collect();
        self.last_adapter_loads =
            self.adapters.loads + self.before.values().map(|done| done.adapter_loads).sum::<u64>();
    }

    /// A new version is everywhere, or will not be.
    pub(super) fn rollout(&mut self, life: RolloutLife) {
        self.rollouts.push(life);
    }

    /// Something the user should know.
    pub(super) fn remark(&mut self, text: String) {
        self.remarks.push(text);
    }

    /// Forgets the totals of the warm-up; the tables keep it.
    pub(super) fn reset(&mut self, now: SimTime) {
        let (time, ready) = (self.in_run(now), self.ready_since.1);
        self.scaling = ScalingTotals {
            replicas_max: ready,
            ready_path: vec![(time, ready)],
            desired_path: self.scaling.desired_path.last().map(|last| (time, last.1)).into_iter().collect(),
            ..ScalingTotals::default()
        };
        self.ready_since.0 = now;
        self.tally.reset();
        self.at_max.1 = self.at_max.1.map(|_| now);
    }

    /// The record of the service, save for its name. `replicas` are its pods as the fleet saw them; they may have adapters.
    pub(super) fn into_record(
        mut self,
        (policy, end, has_adapters): (&ServicePolicy, SimTime, bool),
        mut replicas: Vec<ReplicaLife>,
        (requests, totals, request_rows): (RequestTotals, ServiceTotals, Vec<RequestRow>),
    ) -> ServiceRecord {
        if let (_, Some(since)) = self.at_max {
            self.scaling.at_max_ns += u128::from((end - since).as_nanos());
        }
        let measured = end - self.measure_from;
        let (metrics, told) = self.tally.finish(policy, &self.scaling, measured);
        for life in &mut replicas {
            let done = self.served.get(&life.pod).copied();
            life.adapter_loads = has_adapters.then(|| done.unwrap_or_default().adapter_loads);
            if let Some(Done { busy_ns, completed, lost, .. }) = done {
                (life.busy, life.completed, life.lost) = (SimDuration::from_nanos(busy_ns), completed, lost);
            }
        }
        ServiceRecord {
            name: String::new(),
            requests,
            totals,
            scaling: self.scaling,
            timeline: self.timeline,
            decisions: self.decisions,
            replicas,
            request_rows,
            metrics,
            rollouts: self.rollouts,
            remarks: self.remarks.into_iter().chain(told).collect(),
        }
    }

    fn in_run(&self, time: SimTime) -> SimTime {
        SimTime::ZERO + time.since(self.origin)
    }
}

/// The count is this one from `time` on. What lasts no time leaves no trace.
fn note(path: &mut Vec<(SimTime, u32)>, time: SimTime, count: u32) {
    if path.last().is_some_and(|last| last.0 == time) {
        path.pop();
    }
    if path.last().is_none_or(|last| last.1 != count) {
        path.push((time, count));
    }
}

/// What a replica has done.
#[derive(Clone, Copy, Default)]
struct Done {
    busy_ns: u64,
    completed: u64,
    lost: u64,
    adapter_loads: u64,
}

impl Done {
    /// What these statistics say; whom it lost is known when it ends.
    fn of(stats: &ReplicaStats) -> Self {
        Self { busy_ns: stats.busy_ns, completed: stats.success, lost: 0, adapter_loads: stats.adapter_loads }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_lasts_no_time_leaves_no_trace_in_a_path() {
        let mut path = vec![(SimTime::ZERO, 2)];
        let at = SimTime::from_secs;
        for (time, count) in [(5, 3), (5, 2), (9, 1), (9, 4), (9, 4)] {
            note(&mut path, at(time), count);
        }
        assert_eq!(path, [(at(0), 2), (at(9), 4)]);
    }
}
