//! What it costs, checked by hand.

use cluster::fleet::Notice;
use cluster::spec::{CommitmentSpec, InterruptionModel, OnDemandShare, PodSpec};
use record::{CostLedger, GpuUse, Purchase};
use units::{SimTime, Usd, UsdPerHour};

use crate::support::{Driver, World, at, fleet, offering, secs};

const DAY: u64 = 86_400;

fn amount(ledger: &CostLedger, gpu_use: GpuUse) -> Usd {
    ledger.lines().iter().filter(|line| line.gpu_use == gpu_use).map(|line| line.amount).sum()
}

/// Cost of a day with `pods` idle pods.
fn idle_day(offering: cluster::spec::InstanceOffering, pods: u32) -> CostLedger {
    let mut driver = Driver::new(&fleet(vec![offering]));
    for _ in 0..pods {
        driver.create_ready();
    }
    driver.run_to(at(DAY));
    driver.fleet.finish(at(DAY));
    driver.fleet.ledger().clone()
}

#[test]
fn ten_idle_gpus_at_three_dollars_cost_720_a_day() {
    let ledger = idle_day(offering("a100", Purchase::OnDemand, 1, 3.0), 10);
    assert_eq!(ledger.total().to_string(), "720.000000");
    assert_eq!(amount(&ledger, GpuUse::ServingIdle), ledger.total());
}

#[test]
fn one_gpu_on_a_p4d_is_billed_eight_seven_of_them_unallocated() {
    let ledger = idle_day(offering("p4d.24xlarge", Purchase::OnDemand, 8, 32.77), 1);
    assert_eq!(ledger.total().to_string(), "786.480000");
    assert_eq!(amount(&ledger, GpuUse::Unallocated).to_string(), "688.170000");
    assert_eq!(amount(&ledger, GpuUse::ServingIdle).to_string(), "98.310000");
    assert_eq!(ledger.gpu_ns(), 8 * u128::from(DAY) * 1_000_000_000);
}

#[test]
fn spot_at_the_articles_prices_saves_seventy_percent() {
    for (on_demand, spot) in [(32.77, 9.83), (1.01, 0.30), (3.67, 1.10)] {
        let full = idle_day(offering("x", Purchase::OnDemand, 1, on_demand), 4).total().as_f64();
        let cheap = idle_day(offering("x", Purchase::Spot, 1, spot), 4).total().as_f64();
        assert!((1.0 - cheap / full - 0.70).abs() < 0.005, "{cheap} of {full}");
    }
}

#[test]
fn a_node_is_billed_from_launch_to_termination_with_every_second_attributed() {
    // Asked for at 0, launched at 30, up at 80, ready at 210, pod deleted at 1000, gone at 1300: 1270 s at $3.60/h, a tenth of a cent each.
    let mut driver = Driver::new(&fleet(vec![offering("x", Purchase::OnDemand, 1, 3.6)]));
    let pod = driver.create();
    driver.run_to(at(900));
    driver.fleet.add_busy(pod, secs(400));
    driver.fleet.begin_drain(pod, at(900));
    driver.run_to(at(1_000));
    driver.delete(pod);
    driver.run_to(at(5_000));
    driver.fleet.finish(at(5_000));
    let ledger = driver.fleet.ledger();
    assert_eq!(ledger.total().to_string(), "1.270000");
    for (gpu_use, dollars) in [
        (GpuUse::Provisioning, "0.050000"),
        (GpuUse::ImagePull, "0.040000"),
        (GpuUse::ModelDownload, "0.060000"),
        (GpuUse::GpuLoad, "0.020000"),
        (GpuUse::CudaWarmUp, "0.010000"),
        (GpuUse::ServingBusy, "0.400000"),
        (GpuUse::ServingIdle, "0.290000"),
        (GpuUse::Draining, "0.100000"),
        (GpuUse::NodeOverhead, "0.300000"),
    ] {
        assert_eq!(amount(ledger, gpu_use).to_string(), dollars, "{gpu_use:?}");
    }
    let (replicas, nodes) = driver.fleet.take_lives();
    assert_eq!((nodes[0].billed, nodes[0].cost.to_string()), (secs(1_270), "1.270000".into()));
    assert_eq!((nodes[0].ending, replicas[0].ending, replicas[0].busy), ("empty", "scale_in", secs(400)));
}

#[test]
fn short_lives_are_billed_the_minimum_and_whole_increments() {
    for (empty, billed) in [(1, 60), (20, 71), (300, 351)] {
        let mut spec = fleet(vec![offering("x", Purchase::OnDemand, 1, 3.6)]);
        spec.manager = cluster::spec::NodeManager::Simple { empty_delay: secs(empty) };
        spec.timings.boot = workload::Distribution::Constant(30.5);
        let mut driver = Driver::new(&spec);
        let pod = driver.create();
        driver.delete(pod);
        driver.run_to(at(1_000));
        driver.fleet.finish(at(1_000));
        let (_, nodes) = driver.fleet.take_lives();
        // Up 50.5 s after launch, gone `empty` seconds later.
        assert_eq!(nodes[0].billed, secs(billed));
        assert_eq!(amount(driver.fleet.ledger(), GpuUse::NodeOverhead), driver.fleet.ledger().total());
    }
}

#[test]
fn cheapest_spot_first_then_on_demand_when_there_is_none() {
    let mut spot = offering("small", Purchase::Spot, 1, 0.3);
    spot.capacity_max = Some(2);
    let dear_spot = offering("large", Purchase::Spot, 1, 5.0);
    let mut driver = Driver::new(&fleet(vec![offering("small", Purchase::OnDemand, 1, 1.0), dear_spot, spot]));
    for _ in 0..4 {
        driver.create();
    }
    driver.run_to(at(1_000));
    let counts = driver.fleet.counts();
    assert_eq!((counts.spot, counts.on_demand), (2, 2));
    // The refusal comes after 2 s, the fallback at once.
    assert_eq!(driver.ready_times(), [210.0, 210.0, 212.0, 212.0]);
    assert_eq!(driver.times(|notice| matches!(notice, Notice::LaunchFailed { .. })), [2.0, 2.0]);
}

#[test]
fn zones_of_equal_price_share_the_nodes() {
    let in_zone = |zone: &str| {
        let mut offering = offering("x", Purchase::Spot, 1, 0.3);
        offering.zone = zone.into();
        offering
    };
    let mut driver = Driver::new(&fleet(vec![in_zone("a"), in_zone("b"), in_zone("c")]));
    for _ in 0..9 {
        driver.create();
    }
    driver.run_to(at(1_000));
    driver.fleet.finish(at(1_000));
    let (_, nodes) = driver.fleet.take_lives();
    for zone in ["a", "b", "c"] {
        assert_eq!(nodes.iter().filter(|node| node.zone == zone).count(), 3);
    }
}

#[test]
fn a_pools_gpu_limit_counts_whole_nodes() {
    let mut spec = fleet(vec![offering("p4d.24xlarge", Purchase::OnDemand, 8, 32.77)]);
    spec.pools[0].gpus_max = Some(20);
    let mut driver = Driver::new(&spec);
    for _ in 0..20 {
        driver.create();
    }
    driver.run_to(at(1_000));
    assert_eq!(driver.fleet.counts().on_demand, 2);
    assert_eq!(driver.ready_times().len(), 16);
}

fn reclaimed(first_hour_free: bool) -> (Driver, SimTime) {
    let mut offering = offering("x", Purchase::Spot, 1, 3.6);
    offering.billing.spot_free_until = secs(if first_hour_free { 3_600 } else { 0 });
    let mut spec = fleet(vec![offering]);
    spec.spot.model = InterruptionModel::Constant { per_hour: 100.0 };
    let mut driver = Driver::new(&spec);
    driver.create_ready();
    driver.run_to(at(3_000));
    driver.fleet.finish(at(3_000));
    let kill = driver.times(|notice| matches!(notice, Notice::Killed { .. }));
    (driver, SimTime::from_nanos((kill[0] * 1e9) as u64))
}

#[test]
fn a_reclaim_gives_notice_then_kills_and_the_first_hour_is_free_if_the_provider_says_so() {
    let (driver, kill) = reclaimed(false);
    let notice = driver.times(|notice| matches!(notice, Notice::NodeInterrupted { .. }))[0];
    let heard = driver.times(|notice| matches!(notice, Notice::Interrupted { .. }))[0];
    assert!((heard - notice - 5.0).abs() < 1e-6);
    assert!((kill.as_secs_f64() - notice - 120.0).abs() < 1e-6);
    let billed = kill.as_nanos().div_ceil(1_000_000_000);
    assert_eq!(driver.fleet.ledger().total(), UsdPerHour::from_dollars(3.6).cost_of(secs(billed)).to_usd());
    let (driver, _) = reclaimed(true);
    assert_eq!(driver.fleet.ledger().total(), Usd::ZERO);
}

#[test]
fn a_constant_hazard_takes_as_many_nodes_as_it_says() {
    let mut spec = fleet(vec![offering("x", Purchase::Spot, 1, 1.0)]);
    spec.spot.model = InterruptionModel::Constant { per_hour: 0.5 };
    let mut driver = Driver::with_pod(&spec, &PodSpec::plain());
    driver.replaces = true;
    for _ in 0..200 {
        driver.create_ready();
    }
    driver.run_to(at(10 * 3_600));
    let interrupted = driver.times(|notice| matches!(notice, Notice::NodeInterrupted { .. })).len();
    // 200 nodes × 10 h × 0.5/h = 1000, less what is missing while nodes are replaced (about 2 %); four standard deviations are 126.
    assert!((870..=1_100).contains(&interrupted), "{interrupted}");
}

#[test]
fn reserved_instances_are_paid_whether_they_run_or_not() {
    let mut reserved = offering("x", Purchase::Reserved, 1, 1.0);
    reserved.capacity_max = Some(3);
    let mut driver = Driver::new(&fleet(vec![reserved, offering("x", Purchase::OnDemand, 1, 2.0)]));
    let pod = driver.create();
    driver.run_to(at(1_800));
    driver.delete(pod);
    driver.run_to(at(3_600));
    driver.fleet.finish(at(3_600));
    assert_eq!(driver.fleet.ledger().total().to_string(), "3.000000");
    assert_eq!(driver.fleet.ledger().gpu_ns(), 3 * 3_600 * 1_000_000_000);
}

#[test]
fn what_was_spent_before_the_measurement_is_forgotten() {
    let mut driver = Driver::new(&fleet(vec![offering("x", Purchase::OnDemand, 1, 3.6)]));
    driver.create_ready();
    driver.run_to(at(1_000));
    driver.fleet.reset_measurement(at(1_000));
    assert_eq!(driver.fleet.cost_so_far(at(1_500)).to_usd().to_string(), "0.500000");
    driver.run_to(at(2_000));
    driver.fleet.finish(at(2_000));
    assert_eq!(driver.fleet.ledger().total().to_string(), "1.000000");
}

#[test]
fn a_price_history_is_billed_stretch_by_stretch() {
    let mut spot = offering("x", Purchase::Spot, 1, 1.0);
    spot.prices =
        [(0, 1.0), (1_800, 2.0), (5_400, 0.5)].map(|(time, price)| (at(time), UsdPerHour::from_dollars(price))).into();
    let ledger = idle_day(spot, 1);
    // Half an hour at 1, an hour at 2, 22.5 hours at 0.5.
    assert_eq!(ledger.total().to_string(), "13.750000");
}

/// A type `x` at $2 an hour on demand, of which `per_hour` dollars an hour are committed at $1.
fn committed(per_hour: f64) -> World {
    let mut spec = fleet(vec![offering("x", Purchase::OnDemand, 1, 2.0)]);
    let rates = vec![("x".to_owned(), UsdPerHour::from_dollars(1.0))];
    spec.commitments = vec![CommitmentSpec { per_hour: UsdPerHour::from_dollars(per_hour), rates }];
    spec
}

fn of_purchase(ledger: &CostLedger, purchase: Purchase) -> String {
    ledger.lines().iter().filter(|line| line.purchase == purchase).map(|line| line.amount).sum::<Usd>().to_string()
}

#[test]
fn two_half_hours_are_one_hour_of_a_commitment_and_the_next_one_is_paid_unused() {
    let mut driver = Driver::new(&committed(1.0));
    let pods = [driver.create_ready(), driver.create_ready()];
    driver.run_to(at(1_500));
    for pod in pods {
        driver.delete(pod);
    }
    // Both nodes end at 1800: an instance-hour at $1, and the second hour for nothing at $1.
    driver.run_to(at(7_200));
    assert_eq!(driver.fleet.cost_so_far(at(7_200)).to_usd().to_string(), "2.000000");
    driver.fleet.finish(at(7_200));
    assert_eq!(of_purchase(driver.fleet.ledger(), Purchase::Reserved), "2.000000");
    assert_eq!(driver.fleet.ledger().total().to_string(), "2.000000");
}

#[test]
fn what_a_commitment_does_not_reach_is_billed_on_demand() {
    let mut driver = Driver::new(&committed(1.0));
    driver.create_ready();
    driver.create_ready();
    driver.run_to(at(3_600));
    driver.fleet.finish(at(3_600));
    // Two instances for half an hour use it up; the other instance-hour costs $2.
    let ledger = driver.fleet.ledger();
    assert_eq!(of_purchase(ledger, Purchase::Reserved), "1.000000");
    assert_eq!(of_purchase(ledger, Purchase::OnDemand), "2.000000");
    let (_, nodes) = driver.fleet.take_lives();
    assert_eq!(nodes.iter().map(|node| node.cost).sum::<Usd>().to_string(), "3.000000");
}

#[test]
fn a_savings_plan_larger_than_its_use_is_paid_in_full() {
    let mut driver = Driver::new(&committed(1.5));
    driver.create_ready();
    driver.run_to(at(3_600));
    driver.fleet.finish(at(3_600));
    assert_eq!(driver.fleet.ledger().total().to_string(), "1.500000");
    assert_eq!(amount(driver.fleet.ledger(), GpuUse::NodeOverhead).to_string(), "0.500000");
}

#[test]
fn commitments_go_by_the_hours_of_the_clock() {
    let mut driver = Driver::past_the_hour(&committed(1.0), 1_800);
    driver.create_ready();
    driver.create_ready();
    driver.run_to(at(1_800));
    // Half an hour of the clock is left: half a dollar lasts two instances a quarter of an hour, the next one costs $2 an hour each.
    assert_eq!(driver.fleet.cost_so_far(at(1_800)).to_usd().to_string(), "1.500000");
    driver.run_to(at(3_600));
    driver.fleet.finish(at(3_600));
    // The new hour has a whole dollar, which lasts them half an hour.
    assert_eq!(driver.fleet.ledger().total().to_string(), "2.500000");
}

/// Bill of a spot node at $3.60 an hour that the provider takes without notice at the age of `seconds`.
fn taken_at(seconds: u64, free_until: u64) -> String {
    let mut spot = offering("x", Purchase::Spot, 1, 3.6);
    spot.billing.spot_free_until = secs(free_until);
    let mut spec = fleet(vec![spot]);
    let steps = vec![(at(0), 1), (at(seconds), 0)];
    let trace = cluster::spec::ZoneTrace { zone: "a".into(), instance_type: String::new(), steps: steps.into() };
    spec.spot.model = InterruptionModel::Availability { zones: vec![trace] };
    spec.spot.notice = secs(0);
    let mut driver = Driver::new(&spec);
    driver.create_ready();
    driver.run_to(at(10_000));
    driver.fleet.finish(at(10_000));
    driver.fleet.ledger().total().to_string()
}

#[test]
fn a_spot_node_taken_young_is_free_for_an_hour_a_minute_or_never() {
    // A tenth of a cent a second; AWS, Google Cloud, Azure. A minute is the least that is billed.
    let bills = |free_until| [50, 60, 3_599, 3_600].map(|age| taken_at(age, free_until));
    assert_eq!(bills(3_600), ["0.000000", "0.000000", "0.000000", "3.600000"]);
    assert_eq!(bills(60), ["0.000000", "0.060000", "3.599000", "3.600000"]);
    assert_eq!(bills(0), ["0.060000", "0.060000", "3.599000", "3.600000"]);
}

#[test]
fn a_pool_keeps_its_base_and_its_share_on_demand() {
    let mut spec = fleet(vec![offering("x", Purchase::Spot, 1, 0.3), offering("x", Purchase::OnDemand, 1, 1.0)]);
    spec.pools[0].on_demand = Some(OnDemandShare { base: 2, above: 0.25 });
    let mut driver = Driver::new(&spec);
    let mut seen = Vec::new();
    for _ in 0..8 {
        driver.create();
        driver.run_to(driver.now + secs(1_000));
        let counts = driver.fleet.counts();
        seen.push((counts.on_demand, counts.spot));
    }
    // Two, then of every four above them one, rounded up.
    assert_eq!(seen, [(1, 0), (2, 0), (3, 0), (3, 1), (3, 2), (3, 3), (4, 3), (4, 4)]);
}

#[test]
fn a_pod_pays_for_its_gpus_and_the_node_for_the_rest() {
    let mut driver = Driver::new(&fleet(vec![offering("p4d.24xlarge", Purchase::OnDemand, 8, 36.0)]));
    driver.create_ready();
    driver.run_to(at(1_800));
    driver.create_ready();
    driver.run_to(at(3_600));
    driver.fleet.finish(at(3_600));
    let (replicas, nodes) = driver.fleet.take_lives();
    // An eighth of $36 an hour for an hour, and for half of one.
    assert_eq!(replicas.iter().map(|life| life.cost.to_string()).collect::<Vec<_>>(), ["4.500000", "2.250000"]);
    assert_eq!(nodes[0].cost_without_replica.to_string(), "29.250000");
}

#[test]
fn consolidation_leaves_a_pool_its_base_on_demand() {
    let mut spec = fleet(vec![offering("x", Purchase::Spot, 1, 0.3), offering("x", Purchase::OnDemand, 1, 1.0)]);
    spec.manager = cluster::spec::NodeManager::Karpenter;
    spec.pools[0].consolidation = cluster::spec::Consolidation::WhenEmptyOrUnderutilized(secs(60));
    spec.pools[0].budgets =
        vec![cluster::spec::DisruptionBudget { nodes: Some(3), percent: None, reasons: Vec::new(), window: None }];
    for (base, on_demand) in [(2, 2), (0, 0)] {
        spec.pools[0].on_demand = Some(OnDemandShare { base, above: 0.0 });
        let mut driver = Driver::new(&spec);
        driver.replaces = true;
        for _ in 0..3 {
            driver.create();
        }
        driver.run_to(at(7_200));
        assert_eq!(driver.fleet.counts().on_demand, on_demand);
    }
}

#[test]
fn micro_dollars_that_rounding_leaves_over_go_to_pods() {
    let mut driver = Driver::new(&fleet(vec![offering("x", Purchase::OnDemand, 3, 1.0)]));
    for _ in 0..3 {
        driver.create_ready();
    }
    driver.run_to(at(3_600));
    driver.fleet.finish(at(3_600));
    let (replicas, nodes) = driver.fleet.take_lives();
    let costs: Vec<String> = replicas.iter().map(|life| life.cost.to_string()).collect();
    // A third of a dollar each: the whole dollar is theirs but for what a third of it loses in raw units.
    assert_eq!(
        (costs.join(" "), nodes[0].cost_without_replica.to_string()),
        ("0.333334 0.333333 0.333333".into(), "0.000000".into())
    );
}
