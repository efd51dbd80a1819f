//! How pods end: what deleted, lost and warned ones mean for the requests and for those that replace them.

use cluster::simulate;
use cluster::spec::{
    ControllerSpec, InterruptionModel, NodeLostSpec, NodeManager, PausePodsSpec, PodDisruptionBudget, PolicySpec,
    RetryDemand, RetrySpec, Routing, ServicePolicy, ServiceSpec, SimulationSpec, WarmPoolSpec, ZoneTrace,
};
use record::{Purchase, ReplicaLife};
use units::{SimDuration, SimTime, UsdPerHour};
use workload::Distribution;

use crate::model::{EVERYTHING, fleet, scenario, seconds};
use crate::support::{millis, service, slots};

fn fixed(replicas: u32, warm_pool: Option<WarmPoolSpec>) -> PolicySpec {
    PolicySpec {
        name: "fixed".into(),
        services: vec![ServicePolicy {
            controllers: vec![ControllerSpec::Static { replicas }],
            warm_pool,
            ..ServicePolicy::default()
        }],
        has_pools_apart: false,
    }
}

/// Three replicas on spot nodes that live for minutes and are drained at their notice.
fn reclaimed(drain_delay: Option<SimDuration>, pre_stop: SimDuration) -> SimulationSpec {
    let mut service = ServiceSpec {
        routing: Routing::RoundRobin,
        replicas_initial: 3,
        ..service(slots(8, Distribution::Uniform { low: 0.01, high: 0.03 }))
    };
    service.pod.grace = seconds(30);
    (service.pod.drain_delay, service.pod.pre_stop) = (drain_delay, pre_stop);
    let mut spec = scenario(service, 100.0, seconds(1_200), fleet(20.0, seconds(60)));
    spec.policies = vec![fixed(3, None)];
    spec
}

#[test]
fn a_deleted_pod_that_stops_before_the_router_knows_loses_requests() {
    let lost = |delay, hook| simulate(&reclaimed(delay, hook), 0, 0, 3, EVERYTHING).requests().lost;
    assert_eq!(lost(None, SimDuration::ZERO), 0);
    let without_hook = lost(Some(seconds(3)), SimDuration::ZERO);
    // Each of some twenty drains turns away a third (with two replicas left, more) of three seconds of a hundred requests per second.
    assert!((500..6_000).contains(&without_hook), "{without_hook}");
    let short_hook = lost(Some(seconds(3)), seconds(2));
    assert!(0 < short_hook && short_hook < without_hook * 2 / 3, "{short_hook} of {without_hook}");
    assert_eq!(lost(Some(seconds(3)), seconds(3)), 0, "a hook as long as the delay is what it is for");
}

#[test]
fn clients_that_try_again_are_answered_by_another_replica() {
    let mut spec = reclaimed(Some(seconds(3)), SimDuration::ZERO);
    spec.services[0].retries = Some(RetrySpec {
        attempts_max: 20,
        backoff: millis(50),
        backoff_max: seconds(1),
        jitter: 0.0,
        demand: RetryDemand::Same,
    });
    assert_eq!(simulate(&spec, 0, 0, 3, EVERYTHING).requests().lost, 0);
}

#[test]
fn a_draining_pod_stays_for_its_hook_and_no_longer_than_its_grace() {
    for (hook, grace, longest) in [(10, 30, 10.1), (40, 30, 30.0_f64)] {
        let mut spec = reclaimed(Some(seconds(1)), seconds(hook));
        spec.services[0].pod.grace = seconds(grace);
        let record = simulate(&spec, 0, 0, 3, EVERYTHING);
        let draining = |life: &ReplicaLife| {
            let span = life.phases.iter().find(|span| span.phase == "draining")?;
            life.ended.map(|_| (span.end - span.start).as_secs_f64())
        };
        let lengths: Vec<f64> = record.only().replicas.iter().filter_map(draining).collect();
        assert!(lengths.len() > 5, "{lengths:?}");
        let least = longest.floor();
        assert!(lengths.iter().all(|length| (least..=longest).contains(length)), "{lengths:?}");
    }
}

/// Spot nodes for two replicas of which one is taken at 600 s, on-demand ones for a standby, and a budget that wants both.
fn budgeted(cover_notices: bool) -> SimulationSpec {
    let service = ServiceSpec { replicas_initial: 2, ..service(slots(4, Distribution::Constant(0.01))) };
    let mut fleet = fleet(0.0, seconds(120));
    let mut on_demand = fleet.pools[0].offerings[0].clone();
    (on_demand.purchase, on_demand.insufficient_capacity) = (Purchase::OnDemand, 0.0);
    on_demand.prices = [(SimTime::ZERO, UsdPerHour::from_dollars(1.0))].into();
    fleet.pools[0].offerings[0].insufficient_capacity = 0.0;
    fleet.pools[0].offerings.push(on_demand);
    fleet.manager = NodeManager::Karpenter;
    let steps = [(SimTime::ZERO, 2), (SimTime::from_secs(600), 1)];
    let trace = ZoneTrace { zone: "a".into(), instance_type: String::new(), steps: steps.into() };
    fleet.spot.model = InterruptionModel::Availability { zones: vec![trace] };
    let mut spec = scenario(service, 50.0, seconds(900), fleet);
    spec.services[0].budgets = vec![PodDisruptionBudget::AvailableMin(2)];
    let pool = WarmPoolSpec { size: 1, promote: seconds(2), demote: false, on_demand: true, cover_notices };
    spec.policies = vec![fixed(2, Some(pool))];
    spec
}

#[test]
fn a_standby_serves_at_the_notice_of_a_reclaim_that_a_budget_holds_up() {
    for (covers, promoted, taken) in [(true, 481, 481), (false, 600, 600)] {
        let record = simulate(&budgeted(covers), 0, 0, 1, EVERYTHING);
        let standby =
            record.only().replicas[2].phases.iter().find(|span| span.phase == "standby").expect("the third is one");
        assert_eq!(standby.end.as_secs(), promoted);
        // Once there is a third healthy pod the eviction goes through at its next try.
        let reclaimed = record.only().replicas.iter().find(|life| life.ending == "spot_reclaim").expect("one is taken");
        assert_eq!(reclaimed.ended.map(SimTime::as_secs), Some(taken));
        let serving =
            |life: &&ReplicaLife| life.ended.is_none() && life.phases.iter().any(|span| span.phase == "ready");
        assert_eq!(record.only().replicas.iter().filter(serving).count(), 2, "two are wanted, two serve at the end");
    }
}

#[test]
fn a_pod_nobody_knows_to_be_lost_is_replaced_when_it_is_evicted_and_fails_what_it_is_sent_until_it_is_not_ready() {
    let mut spec = reclaimed(None, SimDuration::ZERO);
    spec.fleet.spot.node_lost = Some(NodeLostSpec { not_ready: Distribution::Constant(45.0), eviction: seconds(100) });
    let record = simulate(&spec, 0, 0, 3, EVERYTHING);
    let ends: Vec<SimTime> = record.only().replicas.iter().filter_map(|life| life.ended).collect();
    assert!(ends.len() > 5, "{ends:?}");
    for life in record.only().replicas.iter().filter(|life| life.created > SimTime::ZERO) {
        assert!(
            ends.iter().any(|&end| life.created == end + seconds(145)),
            "{} was created when no lost pod was evicted",
            life.pod
        );
    }
    // Until its node is NotReady, 45 s, a lost pod is sent a third or more of some 90 requests per second, and all of them at most.
    let lost = record.only().requests.lost as f64 / ends.len() as f64;
    assert!((1_350.0..4_050.0).contains(&lost), "{lost} requests per lost pod");
    let heard = simulate(&reclaimed(None, SimDuration::ZERO), 0, 0, 3, EVERYTHING);
    assert!(record.only().scaling.replica_ns < heard.only().scaling.replica_ns, "what is lost is missed for longer");
}

#[test]
fn pause_pods_give_a_replica_room_at_once() {
    let first_start = |pause_pods| {
        let mut spec = reclaimed(None, SimDuration::ZERO);
        spec.policies[0].services[0].pause_pods = pause_pods;
        let record = simulate(&spec, 0, 0, 3, EVERYTHING);
        let pending = record.only().replicas.iter().find(|life| life.created > SimTime::ZERO).expect("one is replaced");
        let span = pending.phases.iter().find(|span| span.phase == "pending").expect("it waits for its room");
        (span.end - span.start).as_secs_f64()
    };
    assert!(first_start(None) > 10.0, "a node has to come first");
    assert_eq!(first_start(Some(PausePodsSpec { count: 2, percent: 0, is_room: false, preemption: seconds(2) })), 2.0);
}
