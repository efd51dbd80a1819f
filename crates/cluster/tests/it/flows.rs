//! The fast flows against the event flow: equal to the nanosecond, whatever happens to their replicas.

use std::collections::BTreeMap;

use cluster::flow::{Flow, Meter, Slot};
use cluster::spec::{KillRule, NoReplicaRule, Patience, Routing, ServiceModel, ServiceSpec};
use proptest::prelude::*;
use record::RequestRow;
use units::{PodId, SimDuration, SimTime};
use workload::Distribution;

use crate::support::{Demand, MILLISECOND, batching, millis, replay, service, slots};

/// What is done to both flows at one instant.
#[derive(Clone, Copy, Debug)]
enum Control {
    Add,
    /// Drains one of the serving replicas.
    Drain(usize),
    /// Removes one of the replicas, serving or draining.
    Kill(usize),
    /// A draining replica has run empty.
    Drained(Slot),
    /// Compares everything that can be read.
    Look,
    /// Ends a step of the timeline.
    Step,
}

#[derive(Clone, Debug)]
struct Case {
    service: ServiceSpec,
    arrivals: Vec<u64>,
    replicas: usize,
    controls: Vec<(u64, Control)>,
    warm_up: u64,
    keep_rows: bool,
    seed: u64,
}

/// Both flows under the same controls.
struct Pair {
    fast: Box<dyn Flow>,
    event: Box<dyn Flow>,
    serving: Vec<Slot>,
    draining: Vec<Slot>,
    free: Vec<Slot>,
    pods: u32,
    agenda: BTreeMap<(u64, u64), Control>,
    scheduled: u64,
}

impl Pair {
    fn new(case: &Case) -> Self {
        let end = SimTime::from_secs(3_600);
        let demand = Demand {
            measure_from: SimTime::from_nanos(case.warm_up),
            keep_rows: case.keep_rows,
            ..Demand::of(replay(case.arrivals.clone()), case.seed, end)
        };
        let mut pair = Self {
            fast: demand.fast_flow(&case.service),
            event: demand.event_flow(&case.service),
            serving: Vec::new(),
            draining: Vec::new(),
            free: (0..64 + case.replicas).rev().collect(),
            pods: 0,
            agenda: BTreeMap::new(),
            scheduled: 0,
        };
        (0..case.replicas).for_each(|_| pair.add(SimTime::ZERO));
        let mut now = 0;
        for &(gap, control) in &case.controls {
            now += gap;
            pair.schedule(now, control);
        }
        pair
    }

    fn schedule(&mut self, at: u64, control: Control) {
        self.agenda.insert((at, self.scheduled), control);
        self.scheduled += 1;
    }

    /// Runs all controls, then on to `end`.
    fn run(&mut self, end: u64) -> Result<(), TestCaseError> {
        loop {
            let next = self.agenda.first_key_value().map_or(end, |(&(time, _), _)| time.min(end));
            let to = SimTime::from_nanos(next);
            let drained = self.fast.advance(to);
            prop_assert_eq!(drained, self.event.advance(to));
            prop_assert_eq!(self.fast.started(), self.event.started(), "started by {}", to);
            if let Some(drained) = drained {
                self.schedule(drained.at.as_nanos(), Control::Drained(drained.slot));
                continue;
            }
            let due = self
                .agenda
                .first_entry()
                .filter(|entry| entry.key().0 <= end)
                .map(std::collections::btree_map::OccupiedEntry::remove);
            match due {
                Some(control) => self.control(to, control)?,
                None => return self.look(to),
            }
        }
    }

    fn control(&mut self, now: SimTime, control: Control) -> Result<(), TestCaseError> {
        match control {
            Control::Add => {
                if !self.free.is_empty() {
                    self.add(now);
                }
            }
            Control::Drain(pick) if !self.serving.is_empty() => {
                let slot = self.serving.remove(pick % self.serving.len());
                let empty_at = self.fast.drain(slot, now);
                prop_assert_eq!(empty_at, self.event.drain(slot, now), "drain at {}", now);
                self.draining.push(slot);
                if let Some(empty_at) = empty_at {
                    self.schedule(empty_at.as_nanos(), Control::Drained(slot));
                }
            }
            Control::Kill(pick) => {
                let all = self.serving.len() + self.draining.len();
                if all > 0 {
                    let slot = *self.serving.iter().chain(&self.draining).nth(pick % all).unwrap();
                    self.remove(slot, now)?;
                }
            }
            Control::Drained(slot) if self.draining.contains(&slot) => {
                prop_assert_eq!(self.fast.replica_load(slot, now), (0, 0), "a drained replica is empty");
                self.remove(slot, now)?;
            }
            Control::Look => self.look(now)?,
            Control::Step => {
                prop_assert_eq!(self.fast.load(now), self.event.load(now), "load at {}", now);
                prop_assert_eq!(self.fast.meter().close_step(), self.event.meter().close_step(), "step at {}", now);
            }
            Control::Drain(_) | Control::Drained(_) => {}
        }
        Ok(())
    }

    fn add(&mut self, now: SimTime) {
        let slot = self.free.pop().unwrap();
        let pod = PodId(self.pods);
        self.pods += 1;
        self.fast.add(slot, pod, now);
        self.event.add(slot, pod, now);
        self.serving.push(slot);
    }

    fn remove(&mut self, slot: Slot, now: SimTime) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.fast.remove(slot, now), self.event.remove(slot, now), "remove at {}", now);
        self.serving.retain(|&other| other != slot);
        self.draining.retain(|&other| other != slot);
        self.free.push(slot);
        // A stale notice must not remove the next replica in this place.
        self.agenda.retain(|_, control| !matches!(control, Control::Drained(other) if *other == slot));
        Ok(())
    }

    fn look(&mut self, now: SimTime) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.fast.central_queue(now), self.event.central_queue(now), "queue at {}", now);
        for &slot in self.serving.iter().chain(&self.draining) {
            let loads = (self.fast.replica_load(slot, now), self.event.replica_load(slot, now));
            prop_assert_eq!(loads.0, loads.1, "load of {} at {}", slot, now);
            prop_assert_eq!(self.fast.stats(slot, now), self.event.stats(slot, now), "stats of {} at {}", slot, now);
        }
        prop_assert_eq!(self.fast.load(now), self.event.load(now), "load at {}", now);
        Ok(())
    }
}

fn rows_in_full_order(mut rows: Vec<RequestRow>) -> Vec<RequestRow> {
    rows.sort_by_key(|row| (row.arrival, row.start, row.end, row.replica, row.outcome));
    rows
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let mut pair = Pair::new(case);
    let end = case.arrivals.last().copied().unwrap_or(0) + 7 * MILLISECOND;
    let end = end.max(case.controls.iter().map(|(gap, _)| gap).sum());
    pair.run(end)?;
    let end = SimTime::from_nanos(end);
    let (arrived, arrived_event) = (pair.fast.finish(end), pair.event.finish(end));
    prop_assert_eq!(arrived, arrived_event);
    let take = |flow: &mut dyn Flow| std::mem::replace(flow.meter(), Meter::idle()).into_totals(arrived);
    let (totals, service, rows) = take(&mut *pair.fast);
    let (totals_event, service_event, rows_event) = take(&mut *pair.event);
    prop_assert_eq!(totals, totals_event);
    prop_assert_eq!(service, service_event);
    prop_assert_eq!(rows_in_full_order(rows), rows_in_full_order(rows_event));
    prop_assert_eq!(totals.arrived, totals.completed + totals.failed() + totals.in_system);
    Ok(())
}

/// Gaps in milliseconds, with many exact ties, bursts and pauses; some off the grid.
fn gap() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => Just(0),
        4 => (1u64..4).prop_map(|gap| gap * MILLISECOND),
        1 => (4u64..60).prop_map(|gap| gap * MILLISECOND),
        2 => 0..2 * MILLISECOND,
    ]
}

fn control() -> impl Strategy<Value = Control> {
    prop_oneof![
        4 => Just(Control::Add),
        2 => any::<usize>().prop_map(Control::Drain),
        2 => any::<usize>().prop_map(Control::Kill),
        2 => Just(Control::Look),
        1 => Just(Control::Step),
    ]
}

fn batch_model() -> impl Strategy<Value = ServiceModel> {
    let sizes = (1u32..=16, prop::collection::btree_set(1u32..=16, 0..3));
    (sizes, 0u64..8, 0u64..6, 0u64..3).prop_map(|((batch_max, sizes), delay, base, per_request)| {
        let mut model = batching(batch_max, millis(delay), millis(base), millis(per_request));
        if let ServiceModel::DynamicBatching { preferred, .. } = &mut model {
            *preferred = sizes.into_iter().filter(|&size| size <= batch_max).collect();
        }
        model
    })
}

fn slots_model() -> impl Strategy<Value = ServiceModel> {
    let on_the_grid = Distribution::Empirical([0.0, 0.001, 0.002, 0.005, 0.020].into());
    let demand = prop_oneof![
        Just(Distribution::Exponential { mean: 0.005 }),
        Just(Distribution::Constant(0.004)),
        Just(on_the_grid),
    ];
    (1u32..4, demand).prop_map(|(concurrency, demand)| slots(concurrency, demand))
}

fn any_service() -> impl Strategy<Value = ServiceSpec> {
    let timeout = prop::option::of((0u64..40).prop_map(millis));
    let patience = prop::option::weighted(0.3, (1u64..40).prop_map(millis));
    let rules = ((timeout, patience), prop::option::of(16u32..40), any::<bool>(), any::<bool>());
    let models = prop_oneof![batch_model(), slots_model()];
    (models, rules).prop_map(|(model, ((timeout, patience), limit, reject, requeue))| {
        let small = matches!(model, ServiceModel::Slots { .. });
        ServiceSpec {
            client_timeout: timeout.filter(|&timeout| timeout > SimDuration::ZERO).map(Patience::Fixed),
            client_patience: patience.map(Patience::Fixed),
            queue_limit: limit.map(|limit| if small { limit - 15 } else { limit }),
            no_replica: if reject { NoReplicaRule::Reject } else { NoReplicaRule::Hold },
            kill_rule: if requeue { KillRule::Requeue } else { KillRule::Fail },
            ..service(model)
        }
    })
}

fn any_routing() -> impl Strategy<Value = Routing> {
    let all = [Routing::RoundRobin, Routing::Random, Routing::LeastRequests, Routing::PowerOfTwo];
    prop::sample::select(all.to_vec())
}

fn any_case() -> impl Strategy<Value = Case> {
    let controls = prop::collection::vec((gap().prop_map(|gap| 3 * gap), control()), 0..30);
    let measure = (prop_oneof![Just(0), 0..100 * MILLISECOND], any::<bool>(), any::<u64>());
    (any_service(), prop::collection::vec(gap(), 0..400), 0usize..5, controls, measure).prop_map(
        |(service, gaps, replicas, controls, (warm_up, keep_rows, seed))| {
            let arrivals = gaps.iter().scan(0, |now, gap| {
                *now += gap;
                Some(*now)
            });
            Case { service, arrivals: arrivals.collect(), replicas, controls, warm_up, keep_rows, seed }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn the_batch_recursion_equals_the_event_flow(case in any_case()) {
        check(&case)?;
    }

    #[test]
    fn the_recursion_per_replica_equals_the_event_flow(case in any_case(), routing in any_routing()) {
        let service = ServiceSpec { routing, queue_limit: None, ..case.service };
        check(&Case { service, ..case })?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Hundreds of replicas are brought up to date group by group.
    #[test]
    fn it_does_so_with_several_groups_of_replicas(case in any_case(), replicas in 250usize..600, routing in any_routing()) {
        let service = ServiceSpec { routing, queue_limit: None, ..case.service };
        check(&Case { service, replicas, ..case })?;
    }
}
