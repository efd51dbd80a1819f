//! Replicas that are groups of pods.

use cluster::simulate;
use cluster::spec::{
    ControllerManager, ControllerSpec, GroupRestart, InstanceOffering, InterruptionModel, KillRule, NoReplicaRule,
    NodeLostSpec, PodGroup, PolicySpec, Probe, Probes, ReplicaOrder, ServiceSpec, SimulationSpec,
};
use policy::hpa::{HpaSpec, MetricSpec, MetricTarget};
use promql::adapter::{NameRule, Resources, Rule, Rules};
use record::{Purchase, ReplicaLife, RunRecord};
use units::{NodeId, SimDuration, SimTime, Usd, UsdPerHour};
use workload::Distribution;

use crate::model::{EVERYTHING, fleet, scenario, seconds};
use crate::support::{service, slots};

/// A group of `size` pods of one template.
pub fn group(size: u32) -> PodGroup {
    PodGroup {
        size,
        worker_containers: Vec::new(),
        worker_pre_stop: SimDuration::ZERO,
        restart: GroupRestart::Group,
        leader_ready_first: false,
    }
}

/// `replicas` of two pods with 8 GPUs each on machines of 8 that nobody takes away, for half an hour.
fn spec(replicas: u32) -> SimulationSpec {
    let mut service = ServiceSpec {
        replicas_initial: replicas,
        no_replica: NoReplicaRule::Hold,
        kill_rule: KillRule::Fail,
        order: ReplicaOrder::HighestFirst,
        ..service(slots(4, Distribution::Constant(0.1)))
    };
    service.pod.gpus = 8;
    service.pod.group = Some(group(2));
    let mut fleet = fleet(0.0, SimDuration::ZERO);
    fleet.pools[0].offerings =
        vec![InstanceOffering::plain("p5.48xlarge", Purchase::Spot, 8, UsdPerHour::from_dollars(36.0))];
    let mut spec = scenario(service, 10.0, seconds(1_800), fleet);
    spec.warm_up = SimDuration::ZERO;
    spec.policies = vec![policy(ControllerSpec::Static { replicas })];
    spec
}

fn policy(controller: ControllerSpec) -> PolicySpec {
    PolicySpec::of_one("it", vec![controller])
}

/// An HPA that wants one replica for so many requests per second, from 1 to 4.
fn hpa(requests_per_replica: i64) -> ControllerSpec {
    let metric = MetricSpec::External {
        name: "requests_per_second".into(),
        selector: Vec::new(),
        target: MetricTarget::AverageValue(requests_per_replica * 1_000),
    };
    let spec =
        HpaSpec { name: "server".into(), replicas_min: 1, replicas_max: 4, metrics: vec![metric], behavior: None };
    ControllerSpec::Hpa { spec, manager: ControllerManager::default() }
}

fn run(spec: &SimulationSpec) -> RunRecord {
    simulate(spec, 0, 0, 3, EVERYTHING)
}

fn nodes(life: &ReplicaLife) -> Vec<NodeId> {
    life.node.into_iter().chain(life.worker_nodes.iter().copied()).collect()
}

/// A replica that began after the run did.
fn late(record: &RunRecord) -> &ReplicaLife {
    record.only().replicas.iter().find(|life| life.created > SimTime::ZERO).expect("one was made again")
}

/// A run in which every machine is taken after ten minutes on average, `notice` seconds after word of it.
fn taken(mut spec: SimulationSpec, notice: u64) -> RunRecord {
    spec.fleet.spot.model = InterruptionModel::Constant { per_hour: 6.0 };
    (spec.fleet.spot.notice, spec.fleet.spot.notice_latency) = (seconds(notice), SimDuration::ZERO);
    run(&spec)
}

#[test]
fn a_group_of_two_takes_two_machines_and_its_bill_is_that_of_both() {
    let record = run(&spec(1));
    let [life] = &record.only().replicas[..] else { panic!("{:?}", record.only().replicas) };
    assert_eq!(nodes(life), [NodeId(0), NodeId(1)]);
    // Half an hour of two machines at 36 dollars.
    let bills: Usd = record.nodes.iter().map(|node| node.cost).sum();
    assert_eq!((life.cost, bills), (Usd::from_micros(36_000_000), Usd::from_micros(36_000_000)));
    assert_eq!(record.ledger.total(), bills);
}

#[test]
fn small_pods_of_a_group_share_a_machine() {
    let mut spec = spec(1);
    spec.services[0].pod.gpus = 4;
    let record = run(&spec);
    assert_eq!(nodes(&record.only().replicas[0]), [NodeId(0), NodeId(0)]);
    assert_eq!(record.nodes.len(), 1);
}

#[test]
fn a_group_serves_when_the_last_of_its_pods_could() {
    let mut spec = spec(0);
    spec.policies = vec![policy(ControllerSpec::Static { replicas: 1 })];
    let record = run(&spec);
    let life = &record.only().replicas[0];
    let phase = |name: &str| life.phases.iter().find(|span| span.phase == name);
    let waits = phase("group").expect("the leader is first in this run");
    assert_eq!((Some(waits.end), phase("ready").map(|span| span.start)), (life.ready, life.ready));
    spec.services[0].pod.group.as_mut().unwrap().leader_ready_first = true;
    let serial = run(&spec);
    let start = |record: &RunRecord| record.only().replicas[0].ready.unwrap().as_secs_f64();
    // Its workers get their machine, and begin to load, when the leader is ready by itself: at least 35 s at their fastest.
    let own = serial.only().replicas[0].phases.iter().find(|span| span.phase == "group").unwrap().start.as_secs_f64();
    assert!(start(&serial) > own + 17.5 && start(&serial) > start(&record) + 17.5, "{} {own}", start(&serial));
}

#[test]
fn the_loss_of_one_machine_ends_the_group_and_another_one_is_made() {
    for notice in [0, 30] {
        let record = taken(spec(1), notice);
        let first = &record.only().replicas[0];
        let gone = first.ended.expect("it lost a machine");
        assert_eq!(first.ending, "spot_reclaim", "notice {notice}");
        let both = nodes(first);
        let reclaimed = record.nodes.iter().filter(|node| both.contains(&node.node) && node.ending == "spot_reclaim");
        assert!(reclaimed.count() >= 1);
        let next = late(&record);
        // The one that still stands is used again.
        assert!(nodes(next).iter().any(|node| both.contains(node)), "{both:?} {:?}", nodes(next));
        assert!(next.created >= gone, "its place is taken until then");
        assert!(next.ready.is_some_and(|ready| ready > gone), "{next:?}");
        assert!(record.only().timeline.iter().any(|row| row.ready == 0), "notice {notice}");
    }
}

#[test]
fn a_group_that_lost_a_machine_unnoticed_is_made_again_when_that_is_known() {
    let mut spec = spec(1);
    spec.fleet.spot.node_lost = Some(NodeLostSpec { not_ready: Distribution::Constant(45.0), eviction: seconds(100) });
    let record = taken(spec, 0);
    let first = &record.only().replicas[0];
    let taken = record.nodes.iter().filter(|node| nodes(first).contains(&node.node) && node.ending == "spot_reclaim");
    let lost = taken.filter_map(|node| node.ended).min().expect("it lost a machine");
    assert_eq!((late(&record).created, first.ending), (lost + seconds(145), "spot_reclaim"));
    assert!(
        first.ended.is_some_and(|ended| ended == lost + seconds(145)),
        "the other pod stands until then: {first:?}"
    );
}

#[test]
fn what_a_replica_serves_is_lost_when_a_worker_stops_and_kept_when_its_leader_is_let_finish() {
    let mut spec = spec(2);
    spec.services[0].model = slots(4, Distribution::Constant(5.0));
    spec.services[0].pod.grace = seconds(20);
    let record = taken(spec, 60);
    let lost_a_worker = |life: &&ReplicaLife| {
        let is_taken = |node: &NodeId| {
            let node = &record.nodes[node.index()];
            node.noticed.is_some_and(|noticed| {
                life.ended.is_some_and(|ended| ended >= noticed && ended - noticed < seconds(25))
            })
        };
        life.worker_nodes.iter().any(is_taken) && !life.node.iter().any(is_taken)
    };
    let lost_its_leader = |life: &&ReplicaLife| life.ending == "spot_reclaim" && !lost_a_worker(life);
    let lost = |lives: Vec<&ReplicaLife>| (lives.len(), lives.iter().map(|life| life.lost).sum::<u64>());
    let workers = lost(record.only().replicas.iter().filter(lost_a_worker).collect());
    let leaders = lost(record.only().replicas.iter().filter(lost_its_leader).collect());
    assert!(workers.0 > 0 && workers.1 > 0, "{workers:?}");
    assert!(leaders.0 > 0 && leaders.1 == 0, "{leaders:?}");
}

#[test]
fn a_scale_in_frees_all_machines_of_the_highest_group() {
    let mut spec = spec(1);
    spec.services[0].replicas_initial = 3;
    let record = run(&spec);
    assert_eq!(
        record.only().replicas.iter().map(|life| life.ending).collect::<Vec<_>>(),
        ["running", "scale_in", "scale_in"]
    );
    let running = record.nodes.iter().filter(|node| node.ending == "running");
    assert_eq!(
        (record.nodes.len(), running.map(|node| node.node).collect::<Vec<_>>()),
        (6, nodes(&record.only().replicas[0]))
    );
}

#[test]
fn an_hpa_counts_groups() {
    let mut spec = spec(1);
    spec.policies = vec![policy(hpa(6))];
    let record = run(&spec);
    // Up to 19 requests a second.
    assert_eq!(record.only().timeline.iter().map(|row| row.desired).max(), Some(4));
    assert_eq!(record.only().timeline.iter().map(|row| row.ready).max(), Some(4));
    let most = record.only().timeline.iter().map(|row| row.nodes_spot).max();
    assert_eq!(most, Some(8));
}

#[test]
fn exporters_show_the_pods_and_gpus_of_all_of_a_group() {
    let mut spec = spec(2);
    let facts = exporters::Facts::new("server", "default");
    let shown = [exporters::Exporter::KubeStateMetrics, exporters::Exporter::Dcgm, exporters::Exporter::Triton];
    spec.services[0].targets = exporters::targets_of(&shown, &facts);
    let resources = Resources { namespaced: Some(false), ..Resources::default() };
    let rule = |name: &str, series: &str, query: &str| Rule {
        series_query: series.into(),
        resources: resources.clone(),
        name: NameRule { matches: String::new(), api_name: name.into() },
        metrics_query: query.into(),
        ..Rule::default()
    };
    let rules = vec![
        rule("ready", "kube_pod_status_ready", "sum(kube_pod_status_ready{condition=\"true\"})"),
        rule("gpus", "DCGM_FI_DEV_GPU_UTIL", "count(DCGM_FI_DEV_GPU_UTIL)"),
        rule("holders", "DCGM_FI_DEV_GPU_UTIL", "count(count by (exported_pod) (DCGM_FI_DEV_GPU_UTIL))"),
        rule("servers", "nv_inference_request_success", "count(nv_inference_request_success)"),
    ];
    let metrics = rules.iter().map(|rule| MetricSpec::External {
        name: rule.name.api_name.clone(),
        selector: Vec::new(),
        target: MetricTarget::Value(1_000_000_000),
    });
    let hpa =
        HpaSpec { name: "server".into(), replicas_min: 2, replicas_max: 2, metrics: metrics.collect(), behavior: None };
    spec.policies = vec![policy(ControllerSpec::Hpa { spec: hpa, manager: ControllerManager::default() })];
    spec.metrics.adapter = Some(Rules { custom: Vec::new(), external: rules });
    let record = run(&spec);
    let last = record.only().decisions.last().unwrap();
    let seen: Vec<_> = last.metrics.iter().map(|row| (row.metric.as_str(), row.value)).collect();
    // Two leaders and two workers, all of whose 8 GPUs are seen; only leaders have a server.
    assert_eq!(seen, [("ready", Some(4.0)), ("gpus", Some(32.0)), ("holders", Some(4.0)), ("servers", Some(2.0))]);
}

#[test]
fn a_leader_whose_workers_do_not_come_in_time_is_killed_by_its_startup_probe() {
    let mut spec = spec(0);
    spec.policies = vec![policy(ControllerSpec::Static { replicas: 1 })];
    spec.fleet.pools[0].nodes_max = Some(1);
    let probe = Probe { initial_delay: SimDuration::ZERO, period: seconds(10), failures: 12, grace: None };
    spec.services[0].pod.probes = Probes { startup: Some(probe), ..Probes::default() };
    let record = run(&spec);
    assert!(
        record.only().replicas.iter().filter(|life| life.ending == "probe_kill").count() > 3,
        "{:?}",
        record.only().replicas
    );
    spec.fleet.pools[0].nodes_max = None;
    assert!(run(&spec).only().replicas.iter().all(|life| life.ending == "running"));
}

#[test]
fn a_group_of_one_pod_is_a_pod() {
    let mut alone = spec(1);
    alone.policies = vec![policy(hpa(6))];
    alone.services[0].pod.group = None;
    let mut one = alone.clone();
    one.services[0].pod.group = Some(group(1));
    let (alone, one) = (taken(alone, 30), taken(one, 30));
    assert_eq!(
        (alone.digest, format!("{:?}", alone.only().replicas)),
        (one.digest, format!("{:?}", one.only().replicas))
    );
}
