//! Which nodes a pod may use, which it would rather, and what of a node it takes.

use cluster::fleet::Notice;
use cluster::spec::{GpuSlice, NodeManager, PodSpec, Scheduling, SoftSpread};
use record::{GpuUse, Purchase};
use units::{Bytes, Millicores, PodId};

use crate::support::{Driver, at, fleet, offering, pool, secs};

#[test]
fn limits_on_cpu_and_memory_count_whole_machines() {
    for by_cpu in [true, false] {
        let mut machine = offering("g5.xlarge", Purchase::OnDemand, 1, 1.0);
        (machine.machine_cpu, machine.machine_memory) = (Millicores(4_000), Bytes(16 << 30));
        let mut spec = fleet(vec![machine]);
        spec.manager = NodeManager::Karpenter;
        if by_cpu {
            spec.pools[0].cpu_max = Some(Millicores(11_000));
        } else {
            spec.pools[0].memory_max = Some(Bytes(33 << 30));
        }
        let mut driver = Driver::new(&spec);
        let pods: Vec<PodId> = (0..3).map(|_| driver.create()).collect();
        driver.run_to(at(1_000));
        assert_eq!(driver.fleet.counts().on_demand, 2, "a third machine would be above the limit");
        driver.delete(pods[0]);
        driver.run_to(at(2_000));
        assert_eq!(driver.ready_times().len(), 3);
    }
}

#[test]
fn a_node_selector_finds_the_pool_that_gives_its_nodes_that_label() {
    // A label that no pool gives is taken as present: then the later in the alphabet is tried first.
    let mut spec = fleet(vec![offering("cheap", Purchase::OnDemand, 1, 0.5)]);
    spec.pools[0].labels = vec![("team".into(), "research".into())];
    let mut other = pool(vec![offering("dear", Purchase::OnDemand, 1, 2.0)]);
    other.name = "other".into();
    spec.pools.push(other);
    for (key, value, nodes) in
        [("team", "research", vec!["cheap"]), ("team", "sales", vec![]), ("disk", "ssd", vec!["dear"])]
    {
        let mut pod = PodSpec::plain();
        pod.node_selector = vec![(key.into(), value.into())];
        let mut driver = Driver::with_pod(&spec, &pod);
        driver.create();
        driver.run_to(at(500));
        driver.fleet.finish(at(500));
        let (_, lives) = driver.fleet.take_lives();
        let types: Vec<&str> = lives.iter().map(|node| node.instance_type.as_str()).collect();
        assert_eq!(types, nodes, "{key}={value}");
    }
}

/// Pods per node, largest first, after `pods` pods found two warm nodes of four GPUs each.
fn packed(spread: SoftSpread, pods: u32) -> Vec<usize> {
    let mut spec = fleet(vec![offering("g5.12xlarge", Purchase::OnDemand, 4, 5.7)]);
    spec.scheduling = Scheduling::MostAllocated;
    spec.pools[0].nodes_min = 2;
    let mut driver = Driver::with_pod(&spec, &PodSpec { spread, ..PodSpec::plain() });
    let pods: Vec<PodId> = (0..pods).map(|_| driver.create()).collect();
    let nodes: Vec<u32> = pods.into_iter().map(|pod| driver.fleet.node(pod).expect("there is room").0).collect();
    let mut counts: Vec<usize> = (0..2).map(|node| nodes.iter().filter(|&&other| other == node).count()).collect();
    counts.sort_unstable_by(|one, other| other.cmp(one));
    counts
}

#[test]
fn a_preference_for_other_nodes_weighs_more_than_packing_and_never_keeps_a_pod_waiting() {
    let spread = SoftSpread { nodes: true, zones: false };
    assert_eq!(packed(SoftSpread::default(), 4), [4, 0]);
    assert_eq!(packed(spread, 4), [2, 2]);
    assert_eq!(packed(spread, 8), [4, 4]);
}

#[test]
fn karpenter_takes_a_preference_for_a_requirement_as_long_as_it_can() {
    let mut spec = fleet(vec![
        offering("g5.xlarge", Purchase::OnDemand, 1, 1.0),
        offering("g5.12xlarge", Purchase::OnDemand, 4, 5.7),
    ]);
    spec.manager = NodeManager::Karpenter;
    for (nodes, launched) in [(false, 1), (true, 4)] {
        let pod = PodSpec { spread: SoftSpread { nodes, zones: false }, ..PodSpec::plain() };
        let mut driver = Driver::with_pod(&spec, &pod);
        for _ in 0..4 {
            driver.create();
        }
        driver.run_to(at(500));
        assert_eq!(driver.times(|notice| matches!(notice, Notice::NodeUp { .. })).len(), launched);
        assert_eq!(driver.ready_times().len(), 4);
    }
}

#[test]
fn a_preference_for_other_zones_spreads_new_nodes_even_where_one_zone_is_cheaper() {
    let mut dear = offering("g5.xlarge", Purchase::OnDemand, 1, 1.2);
    dear.zone = "b".into();
    let spec = fleet(vec![offering("g5.xlarge", Purchase::OnDemand, 1, 1.0), dear]);
    for (zones, in_b) in [(false, 0), (true, 3)] {
        let pod = PodSpec { spread: SoftSpread { nodes: false, zones }, ..PodSpec::plain() };
        let mut driver = Driver::with_pod(&spec, &pod);
        for _ in 0..6 {
            driver.create();
        }
        driver.run_to(at(500));
        driver.fleet.finish(at(500));
        let (_, lives) = driver.fleet.take_lives();
        assert_eq!(lives.iter().filter(|node| node.zone == "b").count(), in_b);
    }
}

#[test]
fn a_slice_pays_its_share_of_the_gpu_and_the_others_are_unallocated() {
    let resource = "nvidia.com/mig-1g.10gb";
    let mut machine = offering("p5.4xlarge", Purchase::OnDemand, 7, 7.0);
    machine.gpu_resource = resource.into();
    machine.slice = GpuSlice { devices: 1, shares: 7, of_unit: 1 };
    let pod = PodSpec { gpu_resource: resource.into(), ..PodSpec::plain() };
    let mut driver = Driver::with_pod(&fleet(vec![machine]), &pod);
    for _ in 0..8 {
        driver.create_ready();
    }
    assert_eq!(driver.fleet.counts().on_demand, 2, "seven slices to a GPU");
    driver.run_to(at(3_600));
    driver.fleet.finish(at(3_600));
    let of = |gpu_use: GpuUse| {
        let lines = driver.fleet.ledger().lines();
        lines.iter().filter(|line| line.gpu_use == gpu_use).map(|line| line.amount.as_f64()).sum::<f64>()
    };
    assert_eq!((of(GpuUse::ServingIdle), of(GpuUse::Unallocated)), (8.0, 6.0));
    assert_eq!(driver.fleet.ledger().gpu_ns(), 2 * u128::from(secs(3_600).as_nanos()), "two GPUs for an hour");
}

#[test]
fn one_replica_on_a_machine_of_eight_gpus_is_billed_all_eight() {
    let mut driver = Driver::new(&fleet(vec![offering("p4d.24xlarge", Purchase::OnDemand, 8, 32.0)]));
    driver.create_ready();
    driver.run_to(at(3_600));
    driver.fleet.finish(at(3_600));
    let lines = driver.fleet.ledger().lines();
    let unallocated: f64 =
        lines.iter().filter(|line| line.gpu_use == GpuUse::Unallocated).map(|line| line.amount.as_f64()).sum();
    assert_eq!((driver.fleet.ledger().total().as_f64(), unallocated), (32.0, 28.0));
}
