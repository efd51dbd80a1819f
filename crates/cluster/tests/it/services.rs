//! Several services on one fleet.

use cluster::spec::{
    ColdStartSpec, ControllerSpec, GpuSlice, PolicySpec, Routing, ServiceModel, ServicePolicy, ServiceSpec,
    SimulationSpec,
};
use cluster::{simulate, simulate_by_events};
use proptest::prelude::*;
use record::{RunRecord, ServiceRecord};
use units::{SimDuration, SimTime};
use workload::Distribution;

use crate::groups::group;
use crate::model::{EVERYTHING, any_scenario, fleet, scenario, seconds};
use crate::prehistory::precede;
use crate::support::{service, slots};

pub fn fixed(replicas: u32) -> ServicePolicy {
    ServicePolicy { controllers: vec![ControllerSpec::Static { replicas }], ..ServicePolicy::default() }
}

/// A queue with `replicas` servers, each of which takes `mean` seconds on average.
pub fn queue(name: &str, salt: u64, (replicas, rate, mean): (u32, f64, f64)) -> SimulationSpec {
    let model = slots(1, Distribution::Exponential { mean });
    let of_name = ServiceSpec { name: name.into(), salt, replicas_initial: replicas, ..service(model) };
    let mut spec = scenario(of_name, rate, seconds(3_600), fleet(0.0, SimDuration::ZERO));
    spec.policies = vec![PolicySpec::of_one("fixed", fixed(replicas).controllers)];
    spec
}

/// All services of these runs in one.
pub fn together(runs: &[SimulationSpec]) -> SimulationSpec {
    let mut all = runs[0].clone();
    all.services = runs.iter().flat_map(|run| run.services.clone()).collect();
    for (number, policy) in all.policies.iter_mut().enumerate() {
        policy.services = runs.iter().flat_map(|run| run.policies[number].services.clone()).collect();
    }
    all
}

pub fn run(spec: &SimulationSpec) -> RunRecord {
    simulate(spec, 0, 0, 11, EVERYTHING)
}

/// What its requests met: when each came, began and ended.
pub fn requests(service: &ServiceRecord) -> Vec<(u64, Option<u64>, Option<u64>)> {
    let nanos = |time: SimTime| time.as_nanos();
    service.request_rows.iter().map(|row| (nanos(row.arrival), row.start.map(nanos), row.end.map(nanos))).collect()
}

#[test]
fn with_pools_apart_each_service_costs_what_it_would_alone() {
    let eight_gpus = |mut spec: SimulationSpec| {
        spec.fleet.pools.iter_mut().flat_map(|pool| &mut pool.offerings).for_each(|offering| {
            (offering.gpus, offering.slice) = (8, GpuSlice::whole(8));
        });
        spec
    };
    let one = eight_gpus(queue("one", 5, (3, 20.0, 0.1)));
    let other = eight_gpus(queue("other", 9, (2, 30.0, 0.04)));
    let mut both = together(&[one.clone(), other.clone()]);
    let shared = run(&both).ledger.billed();
    both.policies[0].has_pools_apart = true;
    let apart = run(&both).ledger.billed();
    let (one, other) = (run(&one).ledger.billed(), run(&other).ledger.billed());
    assert_eq!((shared, apart), (one, one + other), "they fit on one node together");
}

#[test]
fn two_queues_with_room_for_both_behave_as_they_would_alone() {
    let one = queue("one", 5, (3, 20.0, 0.1));
    let other = queue("other", 9, (2, 30.0, 0.04));
    let both = run(&together(&[one.clone(), other.clone()]));
    let alone = [run(&one), run(&other)];
    for (shared, alone) in both.services.iter().zip(&alone) {
        assert!(shared.requests.completed > 50_000, "{:?}", shared.requests);
        assert_eq!(requests(shared), requests(alone.only()), "{}", shared.name);
        assert_eq!(shared.totals, alone.only().totals);
    }
    assert_eq!(both.ledger.billed(), alone[0].ledger.billed() + alone[1].ledger.billed(), "one GPU a node");
}

#[test]
fn another_service_or_another_order_leaves_the_requests_of_a_service_alone() {
    let [one, two, three] = [("one", 5, 20.0), ("two", 9, 30.0), ("three", 2, 10.0)]
        .map(|(name, salt, rate)| queue(name, salt, (3, rate, 0.05)));
    let alone = requests(run(&one).only());
    for order in [vec![&one, &two], vec![&two, &one], vec![&three, &two, &one]] {
        let specs: Vec<SimulationSpec> = order.into_iter().cloned().collect();
        let record = run(&together(&specs));
        let found = record.services.iter().find(|service| service.name == "one").expect("it is one of them");
        assert_eq!(requests(found), alone);
    }
}

#[test]
fn a_pod_starts_when_another_services_pod_makes_room_whichever_comes_first() {
    // One GPU; who has it is taken away at the start and answers for half a minute, who waits for it starts in no time.
    let mut leaving = queue("leaving", 5, (1, 1.0, 1.0));
    let answer = ServiceModel::Slots { concurrency: 64, service: Distribution::Constant(37.3) };
    (leaving.services[0].model, leaving.services[0].routing) = (answer, Routing::RoundRobin);
    leaving.services[0].pod.grace = seconds(600);
    leaving.policies[0].services[0] = fixed(0);
    leaving.fleet.pools[0].nodes_max = Some(1);
    precede(&mut leaving, 1.0);
    let mut coming = queue("coming", 9, (0, 1.0, 0.1));
    coming.policies[0].services[0] = fixed(1);
    coming.services[0].cold_start = ColdStartSpec::none();
    (coming.fleet, coming.prehistory) = (leaving.fleet.clone(), leaving.prehistory.clone());
    let orders = [[&leaving, &coming], [&coming, &leaving]];
    let [one, other] = orders.map(|order| run(&together(&order.map(Clone::clone))));
    let of = |record: &RunRecord, name: &str| record.services.iter().find(|one| one.name == name).cloned().expect(name);
    let gone = of(&one, "leaving").replicas[0].ended.expect("it is taken away");
    assert!(gone > SimTime::from_secs(30), "{gone}");
    for record in [&one, &other] {
        let coming = of(record, "coming");
        assert_eq!(coming.replicas[0].ready, Some(gone));
        let first = coming.request_rows.iter().filter_map(|row| row.start).min();
        assert_eq!(first, Some(gone), "what waited is served at once");
    }
    assert_eq!(requests(&of(&one, "coming")), requests(&of(&other, "coming")));
}

#[test]
fn a_group_of_pods_takes_the_room_that_pods_of_another_service_leave() {
    let mut leaving = queue("leaving", 5, (2, 1.0, 0.1));
    leaving.policies[0].services[0] = fixed(0);
    leaving.fleet.pools[0].nodes_max = Some(2);
    let mut coming = queue("coming", 9, (0, 1.0, 0.1));
    coming.policies[0].services[0] = fixed(1);
    coming.services[0].pod.group = Some(group(2));
    coming.fleet = leaving.fleet.clone();
    let record = run(&together(&[leaving, coming]));
    let [leaving, coming] = &record.services[..] else { panic!("two services") };
    let gone = leaving.replicas.iter().filter_map(|life| life.ended).max().expect("they are taken away");
    let [replica] = &coming.replicas[..] else { panic!("one group: {:?}", coming.replicas) };
    assert!(replica.ready.is_some_and(|ready| ready > gone) && replica.worker_nodes.len() == 1, "{replica:?}");
    assert!(coming.requests.completed > 1_000);
}

/// Worlds of two to five services with everything that can happen to one.
fn any_services() -> impl Strategy<Value = SimulationSpec> {
    prop::collection::vec(any_scenario(), 2..=5).prop_map(|mut worlds| {
        let shortest = worlds.iter().map(|world| world.end).min().expect("there are some");
        for (number, world) in worlds.iter_mut().enumerate() {
            world.end = shortest;
            world.services[0].name = format!("service-{number}");
            world.services[0].salt = number as u64 + 1;
        }
        together(&worlds)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, ..ProptestConfig::default() })]

    #[test]
    fn no_request_and_no_cent_is_lost_between_services(
        spec in any_services(), policy in 0usize..3, seed in any::<u64>()
    ) {
        let record = simulate(&spec, policy, 0, seed, EVERYTHING);
        for service in &record.services {
            let totals = service.requests;
            prop_assert_eq!(totals.arrived, totals.completed + totals.failed() + totals.in_system, "{}", service.name);
        }
        prop_assert_eq!(record.ledger.attributed(), record.ledger.billed());
        let by_events = simulate_by_events(&spec, policy, seed, EVERYTHING);
        prop_assert_eq!(record.digest, by_events.digest);
    }
}
