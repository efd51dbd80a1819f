//! New versions that are rolled out, replicas in order, and servers that are told to stop.

use cluster::simulate;
use cluster::spec::{
    CanaryStep, ControllerSpec, KillRule, Leeway, NoReplicaRule, PolicySpec, Portion, ReplicaOrder, RetryDemand,
    RetrySpec, RolloutSpec, RolloutStrategy, Routing, ServiceSpec, SimulationSpec, StopRule,
};
use record::{ReplicaLife, RunRecord};
use units::{SimDuration, SimTime};
use workload::Distribution;

use crate::model::{EVERYTHING, fleet, scenario, seconds};
use crate::support::{service, slots};

/// `replicas` of a service on at most `nodes` nodes of one GPU, with requests that take `time` seconds.
fn spec(replicas: u32, nodes: u32, time: f64) -> SimulationSpec {
    let service = ServiceSpec {
        replicas_initial: replicas,
        no_replica: NoReplicaRule::Hold,
        kill_rule: KillRule::Fail,
        ..service(slots(4, Distribution::Constant(time)))
    };
    let mut fleet = fleet(0.0, SimDuration::ZERO);
    fleet.pools[0].nodes_max = Some(nodes);
    fleet.pools[0].offerings[0].insufficient_capacity = 0.0;
    let mut spec = scenario(service, 10.0, seconds(1_800), fleet);
    spec.warm_up = SimDuration::ZERO;
    spec.policies = vec![PolicySpec::of_one("fixed", vec![ControllerSpec::Static { replicas }])];
    spec
}

fn rollout(strategy: RolloutStrategy) -> RolloutSpec {
    RolloutSpec {
        at: SimTime::from_secs(600),
        image_is_new: true,
        model_is_new: false,
        min_ready: SimDuration::ZERO,
        progress_deadline: Some(seconds(600)),
        strategy,
    }
}

fn rolling(surge: u32, unavailable: u32) -> RolloutStrategy {
    RolloutStrategy::Rolling(Leeway { surge: Portion::Count(surge), unavailable: Portion::Count(unavailable) })
}

fn run(spec: &SimulationSpec) -> RunRecord {
    simulate(spec, 0, 0, 3, EVERYTHING)
}

fn rolled_out(mut spec: SimulationSpec, strategy: RolloutStrategy) -> RunRecord {
    spec.services[0].rollouts = vec![rollout(strategy)];
    run(&spec)
}

fn ended(record: &RunRecord, ending: &str) -> usize {
    record.only().replicas.iter().filter(|life| life.ending == ending).count()
}

/// Fewest ready replicas at the end of a step.
fn fewest(record: &RunRecord) -> u32 {
    record.only().timeline.iter().map(|row| row.ready).min().unwrap()
}

#[test]
fn with_room_for_a_surge_no_replica_is_ever_missing() {
    let record = rolled_out(spec(4, 6, 0.1), rolling(1, 0));
    assert_eq!((ended(&record, "rollout"), ended(&record, "running")), (4, 4));
    assert_eq!(fewest(&record), 4);
    assert!(record.all_remarks().iter().any(|remark| remark.contains("was over after")), "{:?}", record.all_remarks());
}

#[test]
fn without_a_free_gpu_a_rollout_that_may_miss_no_replica_never_ends() {
    let record = rolled_out(spec(4, 4, 0.1), rolling(1, 0));
    assert_eq!((ended(&record, "rollout"), fewest(&record)), (0, 4));
    let remarks = record.all_remarks();
    let told = remarks.iter().find(|remark| remark.contains("was not over at the end")).expect("it is said");
    assert!(told.contains("1 new pod to get a node") && told.contains("needs a free GPU"), "{told}");
    // What the service says of itself, and what the fleet says of its pods.
    for part in ["made no progress for", "1 pod waited for a node"] {
        assert!(remarks.iter().any(|remark| remark.contains(part)), "{part}: {remarks:?}");
    }
    let life = &record.only().rollouts[0];
    let last = life.stages.last().expect("a stage");
    assert_eq!((life.ended, last.new, last.available, last.old), (None, 1, 0, 4));
    let record = rolled_out(spec(4, 4, 0.1), rolling(0, 1));
    assert_eq!((ended(&record, "rollout"), fewest(&record)), (4, 3));
}

#[test]
fn recreate_is_an_outage_as_long_as_a_cold_start() {
    let record = rolled_out(spec(3, 6, 0.1), RolloutStrategy::Recreate);
    assert_eq!((ended(&record, "rollout"), fewest(&record)), (3, 0));
    let gone = record.only().replicas.iter().filter_map(|life| life.ended).max().unwrap();
    let made = record
        .only()
        .replicas
        .iter()
        .filter(|life| life.created >= SimTime::from_secs(600))
        .map(|life| life.created)
        .min();
    assert_eq!(made, Some(gone), "new pods are made when the last old one is gone");
}

#[test]
fn a_new_image_is_pulled_again_where_the_old_one_was() {
    let pulls = |image_is_new| {
        let mut spec = spec(2, 2, 0.1);
        spec.services[0].rollouts = vec![RolloutSpec { image_is_new, ..rollout(rolling(0, 1)) }];
        let lives = run(&spec).only().replicas.clone();
        let is_new = |life: &&ReplicaLife| life.created >= SimTime::from_secs(600);
        lives.iter().filter(is_new).filter(|life| life.phases.iter().any(|span| span.phase == "image_pull")).count()
    };
    assert_eq!((pulls(true), pulls(false)), (2, 0));
}

#[test]
fn a_blue_green_rollout_pays_for_both_and_switches_at_once() {
    let strategy =
        RolloutStrategy::BlueGreen { preview: None, promote_after: seconds(60), scale_down_delay: seconds(30) };
    let record = rolled_out(spec(3, 6, 0.1), strategy);
    assert_eq!(ended(&record, "rollout"), 3);
    let ends: Vec<SimTime> = record.only().replicas.iter().filter_map(|life| life.ended).collect();
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{ends:?}");
    let new = || record.only().replicas.iter().filter(|life| life.created >= SimTime::from_secs(600));
    let last_ready = new().filter_map(|life| life.ready).max().unwrap();
    assert!(ends[0].since(last_ready) >= seconds(90), "a minute of preview, half a minute more");
    assert!(new().all(|life| life.completed > 0));
    assert_eq!(record.only().requests.failed(), 0);
}

fn ordered(order: ReplicaOrder, count: u32) -> RunRecord {
    let mut spec = spec(1, 8, 0.1);
    spec.services[0].order = order;
    spec.policies[0].services[0].controllers = vec![ControllerSpec::Static { replicas: count }];
    run(&spec)
}

#[test]
fn a_stateful_set_grows_by_one_cold_start_after_another() {
    let ready = |order| ordered(order, 4).only().replicas.iter().filter_map(|life| life.ready).max().unwrap();
    let (serial, parallel) = (ready(ReplicaOrder::Ordered), ready(ReplicaOrder::HighestFirst));
    assert!(serial.as_secs_f64() > 2.0 * parallel.as_secs_f64(), "{serial} and {parallel}");
    let record = ordered(ReplicaOrder::Ordered, 4);
    for pair in record.only().replicas[1..].windows(2) {
        assert_eq!(Some(pair[1].created), pair[0].ready.map(|ready| ready.max(pair[1].created)));
    }
}

#[test]
fn a_stateful_set_takes_the_last_made_first_and_one_at_a_time() {
    let mut spec = spec(3, 8, 0.1);
    (spec.services[0].order, spec.services[0].pod.grace) = (ReplicaOrder::Ordered, seconds(60));
    (spec.services[0].pod.drain_delay, spec.services[0].pod.pre_stop) = (Some(seconds(1)), seconds(20));
    spec.policies[0].services[0].controllers = vec![ControllerSpec::Static { replicas: 1 }];
    let ends: Vec<_> = run(&spec).only().replicas.iter().map(|life| life.ended.map(SimTime::as_secs)).collect();
    assert_eq!(ends, [None, Some(40), Some(20)], "the second goes when the third is gone");
}

#[test]
fn a_stateful_set_is_updated_in_place_from_the_last_down_to_the_partition() {
    let mut spec = spec(3, 8, 0.1);
    spec.services[0].order = ReplicaOrder::Ordered;
    spec.services[0].rollouts =
        vec![rollout(RolloutStrategy::Ordered { partition: 1, unavailable_max: Portion::Count(1) })];
    let record = run(&spec);
    let ends: Vec<_> = record.only().replicas[..3].iter().map(|life| life.ended).collect();
    assert!(ends[0].is_none() && ends[2] < ends[1], "{ends:?}");
    assert_eq!((ended(&record, "rollout"), fewest(&record)), (2, 2));
}

fn poisson(rate: f64) -> workload::Traffic {
    workload::Traffic::Poisson { rate: std::sync::Arc::new(workload::RateCurve::constant(rate, seconds(1_800))) }
}

/// One of two replicas is taken away while requests of ten seconds are in service.
fn stopped(stop: StopRule, pre_stop: u64) -> RunRecord {
    let mut spec = spec(2, 4, 10.0);
    (spec.services[0].pod.stop, spec.services[0].pod.pre_stop) = (stop, seconds(pre_stop));
    spec.services[0].pod.grace = seconds(60);
    spec.services[0].traffic = poisson(0.3);
    spec.policies[0].services[0].controllers = vec![ControllerSpec::Static { replicas: 1 }];
    spec.policies[0].services[0].replicas_initial = Some(2);
    spec.services[0].rollouts = vec![rollout(rolling(1, 0))];
    run(&spec)
}

#[test]
fn a_server_that_aborts_loses_what_its_hook_does_not_wait_for() {
    let lost = |stop, hook| stopped(stop, hook).requests().lost;
    assert_eq!(lost(StopRule::FINISH, 0), 0);
    assert!(lost(StopRule::Abort, 0) > 0);
    assert_eq!(lost(StopRule::Abort, 11), 0, "a hook that lasts longer than a request");
    let within = |length| StopRule::Finish { within: Some(seconds(length)), poll: SimDuration::ZERO };
    assert!(lost(within(1), 0) > 0);
    assert_eq!(lost(within(11), 0), 0);
}

#[test]
fn every_request_of_a_rollout_is_counted_once_however_its_server_ends() {
    let stops = [StopRule::FINISH, StopRule::Abort, StopRule::Finish { within: Some(seconds(2)), poll: seconds(5) }];
    let routings = [Routing::CentralQueue, Routing::LeastRequests, Routing::RoundRobin];
    let mut lost_by_rule = [0, 0];
    for (stop, routing) in stops.into_iter().flat_map(|stop| routings.map(|routing| (stop, routing))) {
        for (delay, kill_rule) in
            [(None, KillRule::Fail), (Some(seconds(3)), KillRule::Fail), (None, KillRule::Requeue)]
        {
            let mut spec = spec(3, 3, 7.0);
            (spec.services[0].routing, spec.services[0].kill_rule) = (routing, kill_rule);
            (spec.services[0].pod.stop, spec.services[0].pod.drain_delay) = (stop, delay);
            spec.services[0].pod.grace = seconds(4);
            spec.services[0].traffic = poisson(0.8);
            let requests = rolled_out(spec, rolling(0, 1)).requests();
            let ends = requests.completed + requests.failed() + requests.in_system;
            assert_eq!(requests.arrived, ends, "{stop:?} {routing:?} {delay:?} {kill_rule:?}: {requests:?}");
            lost_by_rule[usize::from(kill_rule == KillRule::Requeue)] += requests.lost;
        }
    }
    assert!(lost_by_rule[0] > 0 && lost_by_rule[1] == 0, "{lost_by_rule:?}");
}

#[test]
fn clients_try_again_what_a_server_aborts() {
    let mut spec = spec(2, 3, 10.0);
    spec.services[0].pod.stop = StopRule::Abort;
    spec.services[0].retries = Some(RetrySpec {
        attempts_max: 3,
        backoff: seconds(1),
        backoff_max: seconds(2),
        jitter: 0.0,
        demand: RetryDemand::Same,
    });
    spec.services[0].traffic = poisson(0.3);
    let record = rolled_out(spec, rolling(1, 0));
    assert_eq!((ended(&record, "rollout"), record.only().requests.lost), (2, 0));
}

#[test]
fn a_replica_is_available_only_when_it_has_been_ready_for_long_enough() {
    let length = |min_ready| {
        let mut spec = spec(3, 4, 0.1);
        spec.services[0].rollouts = vec![RolloutSpec { min_ready, image_is_new: false, ..rollout(rolling(1, 0)) }];
        let lives = run(&spec).only().replicas.clone();
        let last = lives.iter().filter_map(|life| life.ended).max().expect("old ones end");
        last.since(SimTime::from_secs(600))
    };
    // Each of three waits; their draws are the same, but not where in its period a probe meets them.
    let waited = length(seconds(40)).as_secs_f64() - length(SimDuration::ZERO).as_secs_f64();
    assert!((waited - 120.0).abs() < 1.0, "{waited}");
}

#[test]
fn a_stateful_set_with_min_ready_seconds_grows_the_later() {
    let ready = |min_ready| {
        let mut spec = spec(1, 8, 0.1);
        (spec.services[0].order, spec.services[0].min_ready) = (ReplicaOrder::Ordered, min_ready);
        spec.policies[0].services[0].controllers = vec![ControllerSpec::Static { replicas: 3 }];
        run(&spec).only().replicas.iter().filter_map(|life| life.ready).max().unwrap()
    };
    // The first of the new ones waits for none that has just become ready.
    assert_eq!(ready(seconds(50)), ready(SimDuration::ZERO) + seconds(50));
}

#[test]
fn a_percentage_of_a_stateful_set_is_at_least_one_and_on_delete_replaces_none() {
    let of = |unavailable_max| {
        let mut spec = spec(5, 8, 0.1);
        spec.services[0].order = ReplicaOrder::HighestFirst;
        let record = rolled_out(spec, RolloutStrategy::Ordered { partition: 0, unavailable_max });
        (ended(&record, "rollout"), fewest(&record))
    };
    assert_eq!(of(Portion::Percent(10)), (5, 4));
    assert_eq!(of(Portion::Percent(50)), (5, 3));
    assert_eq!(of(Portion::Count(0)), (0, 5));
}

#[test]
fn a_canary_pauses_at_its_weight() {
    let steps = vec![CanaryStep::Weight(25), CanaryStep::Pause(seconds(300))];
    let leeway = Leeway { surge: Portion::Count(1), unavailable: Portion::Count(0) };
    let record = rolled_out(spec(4, 6, 0.1), RolloutStrategy::Canary { steps, leeway, keeps_stable: false });
    let new: Vec<_> = record.only().replicas.iter().filter(|life| life.created >= SimTime::from_secs(600)).collect();
    let ready = new.iter().filter_map(|life| life.ready).min().unwrap();
    let after = new.iter().map(|life| life.created).filter(|&created| created > ready).min().unwrap();
    assert!(after.since(ready) >= seconds(300), "{}", after.since(ready));
    assert_eq!((ended(&record, "rollout"), fewest(&record)), (4, 4));
}

#[test]
fn a_server_that_looks_every_five_seconds_exits_on_a_fifth() {
    let stop = StopRule::Finish { within: None, poll: seconds(5) };
    let record = stopped(stop, 0);
    let draining = |life: &ReplicaLife| {
        let span = life.phases.iter().find(|span| span.phase == "draining")?;
        life.ended.map(|_| (span.end - span.start).as_nanos())
    };
    let lengths: Vec<u64> = record.only().replicas.iter().filter_map(draining).collect();
    assert!(lengths.iter().any(|length| *length > 0), "{lengths:?}");
    assert!(lengths.iter().all(|length| length % 5_000_000_000 == 0), "{lengths:?}");
}
