//! Interruptions, and what budgets can and cannot do about them.

use cluster::fleet::Notice;
use cluster::spec::{Consolidation, InterruptionModel, NodeLostSpec, NodeManager, PodDisruptionBudget, ZoneTrace};
use proptest::prelude::*;
use record::Purchase;
use units::SimTime;
use workload::Distribution;

use crate::support::{Driver, at, fleet, offering, secs};

fn trace(zone: &str, steps: Vec<(SimTime, u32)>) -> ZoneTrace {
    ZoneTrace { zone: zone.into(), instance_type: String::new(), steps: steps.into() }
}

fn availability(steps: &[(u64, u32)]) -> InterruptionModel {
    let steps: Vec<(SimTime, u32)> = steps.iter().map(|&(from, nodes)| (at(from), nodes)).collect();
    InterruptionModel::Availability { zones: vec![trace("a", steps)] }
}

const TRACE: [(u64, u32); 7] = [(0, 4), (1_000, 2), (3_000, 0), (5_000, 3), (7_000, 8), (9_000, 1), (9_300, 5)];

#[test]
fn nodes_held_never_exceed_the_trace_and_every_loss_is_an_interruption() {
    for manager in [NodeManager::Karpenter, NodeManager::Simple { empty_delay: secs(60) }] {
        let mut spec = fleet(vec![offering("v100", Purchase::Spot, 1, 1.0)]);
        spec.manager = manager;
        spec.spot.model = availability(&TRACE);
        let mut driver = Driver::new(&spec);
        driver.replaces = true;
        for _ in 0..6 {
            driver.create();
        }
        let mut losses = 0;
        for second in 0..12_000 {
            driver.run_to(at(second));
            let held = driver.fleet.counts().spot;
            let allowed = TRACE.iter().rev().find(|step| step.0 <= second).map_or(0, |step| step.1);
            assert!(held <= allowed, "{held} of {allowed} at {second}");
            losses += usize::from(TRACE.iter().any(|step| step.0 == second));
        }
        assert_eq!(losses, TRACE.len());
        driver.fleet.finish(at(12_000));
        let (_, nodes) = driver.fleet.take_lives();
        let reclaimed = nodes.iter().filter(|node| node.ending == "spot_reclaim" && node.launched.is_some()).count();
        let interrupted = driver.times(|notice| matches!(notice, Notice::NodeInterrupted { .. }));
        // 4 to 2, 2 to 0, and of the six wanted all but one: 2 + 2 + 5.
        assert_eq!((reclaimed, interrupted.len()), (9, 9), "{interrupted:?}");
        assert!(nodes.iter().all(|node| node.ended.is_none() || node.ending != "empty"));
    }
}

#[test]
fn the_trace_gives_notice_when_there_is_time_for_it() {
    let mut spec = fleet(vec![offering("v100", Purchase::Spot, 1, 1.0)]);
    spec.spot.model = availability(&[(0, 2), (1_000, 1)]);
    let mut driver = Driver::new(&spec);
    driver.create();
    driver.create();
    driver.run_to(at(2_000));
    assert_eq!(driver.times(|notice| matches!(notice, Notice::Interrupted { .. })), [885.0]);
    assert_eq!(driver.times(|notice| matches!(notice, Notice::Killed { .. })), [1_000.0]);
}

/// Least number of ready pods of three while something takes the nodes of two.
fn least_ready(model: InterruptionModel, expires: bool) -> i32 {
    let mut spec = fleet(vec![offering("x", Purchase::Spot, 1, 1.0)]);
    spec.manager = NodeManager::Karpenter;
    spec.pools[0].consolidation = Consolidation::Never;
    spec.pools[0].expire_after = expires.then(|| secs(600));
    spec.spot.model = model;
    spec.budgets = vec![PodDisruptionBudget::AvailableMin(2)];
    let mut driver = Driver::new(&spec);
    for _ in 0..3 {
        driver.create_ready();
    }
    driver.replaces = true;
    driver.run_to(at(1_500));
    let (mut ready, mut least) = (0, i32::MAX);
    for (time, notice) in &driver.notices {
        match notice {
            Notice::Ready { .. } => ready += 1,
            Notice::Evicted { .. } | Notice::Interrupted { .. } | Notice::Killed { .. } => ready -= 1,
            _ => {}
        }
        if *time > at(0) {
            least = least.min(ready);
        }
    }
    least
}

#[test]
fn a_reclaim_takes_pods_below_the_budget_and_a_drain_does_not() {
    assert!(least_ready(availability(&[(0, 3), (700, 0), (720, 3)]), false) < 2);
    assert_eq!(least_ready(InterruptionModel::None, true), 2);
}

#[test]
fn a_blocked_eviction_leaves_the_pod_serving_until_the_kill() {
    let mut spec = fleet(vec![offering("x", Purchase::Spot, 1, 1.0)]);
    spec.manager = NodeManager::Karpenter;
    spec.spot.model = availability(&[(0, 1), (700, 0)]);
    spec.budgets = vec![PodDisruptionBudget::AvailableMin(1)];
    let mut driver = Driver::new(&spec);
    driver.create_ready();
    driver.run_to(at(1_000));
    assert_eq!(driver.times(|notice| matches!(notice, Notice::Warned { .. })), [585.0]);
    assert!(driver.times(|notice| matches!(notice, Notice::Interrupted { .. })).is_empty());
    assert_eq!(driver.times(|notice| matches!(notice, Notice::Killed { .. })), [700.0]);
}

#[test]
fn a_node_karpenter_has_drained_is_paid_and_one_taken_in_its_first_hour_is_not() {
    for (replaces, cents) in [(true, 0.590), (false, 0.0)] {
        let mut spot = offering("x", Purchase::Spot, 1, 3.6);
        spot.billing.spot_free_until = secs(3_600);
        let mut spec = fleet(vec![spot]);
        spec.manager = NodeManager::Karpenter;
        spec.spot.model = availability(&[(0, 1), (700, 0)]);
        let mut driver = Driver::new(&spec);
        driver.replaces = replaces;
        driver.create_ready();
        driver.run_to(at(1_000));
        driver.fleet.finish(at(1_000));
        // Heard at 585, drained by 590.
        assert_eq!(driver.fleet.ledger().total().as_f64(), cents);
    }
}

#[test]
fn a_zone_event_takes_its_share_of_the_zone_within_minutes() {
    let mut spec = fleet(vec![offering("x", Purchase::Spot, 1, 1.0)]);
    spec.spot.model = InterruptionModel::Clustered { events_per_hour: 0.2, share: 0.5, spread: secs(180) };
    let mut driver = Driver::new(&spec);
    for _ in 0..200 {
        driver.create_ready();
    }
    driver.run_to(at(20 * 3_600));
    let times = driver.times(|notice| matches!(notice, Notice::NodeInterrupted { .. }));
    let first: Vec<f64> = times.iter().copied().filter(|time| *time <= times[0] + 180.0).collect();
    // Binomial of 200 and one half: four standard deviations are 28.
    assert!((72..=128).contains(&first.len()), "{}", first.len());
    assert!(times.len() > first.len(), "events come again");
}

#[test]
fn a_bathtub_takes_the_young_and_the_old() {
    let mut spec = fleet(vec![offering("x", Purchase::Spot, 1, 1.0)]);
    let points = vec![(0.0, 0.4), (1.0, 0.02), (10.0, 0.02), (11.0, 2.0)];
    spec.spot.model = InterruptionModel::Bathtub { points };
    let mut driver = Driver::new(&spec);
    for _ in 0..1_000 {
        driver.create_ready();
    }
    driver.run_to(at(24 * 3_600));
    let hours: Vec<f64> = driver
        .times(|notice| matches!(notice, Notice::NodeInterrupted { .. }))
        .iter()
        .map(|time| time / 3_600.0)
        .collect();
    let share = |from: f64, to: f64| hours.iter().filter(|&&hour| from <= hour && hour < to).count() as f64 / 1_000.0;
    // Survival is exp of minus the integral: 0.21 after the first hour, 0.18 more by the tenth, 1.01 more in the eleventh.
    let [first, middle, last] =
        [(0.0, 0.21), (0.21, 0.39), (0.39, 1.40)].map(|(from, to): (f64, f64)| (-from).exp() - (-to).exp());
    for (seen, expected) in [(share(0.0, 1.0), first), (share(1.0, 10.0), middle), (share(10.0, 11.0), last)] {
        // Four standard deviations of a binomial of 1000.
        assert!((seen - expected).abs() < 4.0 * (expected * (1.0 - expected) / 1_000.0).sqrt(), "{seen} {expected}");
    }
}

#[test]
fn capacity_stays_away_after_a_reclaim() {
    let mut spec = fleet(vec![offering("x", Purchase::Spot, 1, 1.0)]);
    spec.manager = NodeManager::Karpenter;
    spec.spot.model = availability(&[(0, 1), (700, 0), (710, 1)]);
    spec.spot.away = secs(1_800);
    let mut driver = Driver::new(&spec);
    driver.create_ready();
    driver.replaces = true;
    driver.run_to(at(4_000));
    let up = driver.times(|notice| matches!(notice, Notice::NodeUp { .. }));
    assert!(up[1] > 700.0 + 80.0, "{up:?}");
}

/// Bamboo's recording of a spot group of g4dn.xlarge: nodes there from each change on. Empty if the data are not beside the repository.
fn recorded() -> Vec<(SimTime, u32)> {
    let folder = std::env::var("SCALELAB_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").to_owned());
    let Ok(text) = std::fs::read_to_string(format!("{folder}/spot/bamboo/g4dn-trace.csv")) else { return Vec::new() };
    let mut steps: Vec<(SimTime, u32)> = vec![(at(0), 0)];
    for line in text.lines() {
        let mut fields = line.split(',');
        let time = at(fields.next().unwrap().parse::<u64>().unwrap() / 1_000);
        let held = steps.last().unwrap().1;
        let held = if fields.next() == Some("add") { held + 1 } else { held - 1 };
        if steps.last().unwrap().0 == time {
            steps.last_mut().unwrap().1 = held;
        } else {
            steps.push((time, held));
        }
    }
    steps
}

#[test]
fn a_recorded_trace_replays_and_its_losses_are_interruptions() {
    let steps = recorded();
    if steps.is_empty() {
        println!("skipped: no recorded traces here");
        return;
    }
    let mut spec = fleet(vec![offering("g4dn.xlarge", Purchase::Spot, 1, 0.16)]);
    spec.spot.model = InterruptionModel::Availability { zones: vec![trace("a", steps.clone())] };
    let mut driver = Driver::new(&spec);
    driver.replaces = true;
    // More than there ever are, so that everything there is is held.
    for _ in 0..100 {
        driver.create();
    }
    let mut step = 0;
    let end = steps.last().unwrap().0.as_secs() + 1_000;
    for second in (0..end).step_by(10) {
        driver.run_to(at(second));
        while step + 1 < steps.len() && steps[step + 1].0 <= driver.now {
            step += 1;
        }
        assert!(driver.fleet.counts().spot <= steps[step].1, "at {second}");
    }
    let lost: u32 = steps.windows(2).map(|pair| pair[0].1.saturating_sub(pair[1].1)).sum();
    let interrupted = driver.times(|notice| matches!(notice, Notice::NodeInterrupted { .. })).len() as u32;
    // What comes back is seen only when asked for again, every three minutes, so a few short visits are never held.
    assert!(interrupted <= lost && f64::from(interrupted) > 0.8 * f64::from(lost), "{interrupted} of {lost}");
}

#[test]
fn without_a_queue_nobody_hears_the_notice_and_pods_are_replaced_when_they_are_evicted() {
    let mut spec = fleet(vec![offering("x", Purchase::Spot, 1, 1.0)]);
    spec.manager = NodeManager::Karpenter;
    spec.spot.model = availability(&[(0, 1), (700, 0), (710, 1)]);
    spec.spot.node_lost =
        Some(NodeLostSpec { not_ready: Distribution::Uniform { low: 40.0, high: 50.0 }, eviction: secs(300) });
    let mut driver = Driver::new(&spec);
    driver.create_ready();
    driver.run_to(at(2_000));
    assert!(driver.times(|notice| matches!(notice, Notice::Warned { .. } | Notice::Killed { .. })).is_empty());
    let lost = driver.notices.iter().filter_map(|(time, notice)| match notice {
        Notice::Lost { evicted_at, .. } => Some((*time, evicted_at.as_secs_f64())),
        _ => None,
    });
    let lost: Vec<(SimTime, f64)> = lost.collect();
    assert_eq!((lost.len(), lost[0].0), (1, at(700)));
    assert!((1_040.0..1_050.0).contains(&lost[0].1), "{lost:?}");
}

#[test]
fn a_rebalance_recommendation_is_written_down_and_moves_nothing() {
    let mut spec = fleet(vec![offering("x", Purchase::Spot, 1, 1.0)]);
    spec.manager = NodeManager::Karpenter;
    spec.spot.model = availability(&[(0, 1), (700, 0)]);
    spec.spot.rebalance = Some(Distribution::Constant(400.0));
    let mut driver = Driver::new(&spec);
    driver.create_ready();
    driver.run_to(at(1_000));
    assert_eq!(driver.times(|notice| matches!(notice, Notice::Interrupted { .. })), [585.0]);
    driver.fleet.finish(at(1_000));
    let (_, nodes) = driver.fleet.take_lives();
    assert_eq!((nodes[0].recommended, nodes[0].noticed), (Some(at(180)), Some(at(580))));
}

/// A trace of steps `gap` seconds apart.
fn counted(zone: &str, gap: u64, counts: &[u32]) -> ZoneTrace {
    trace(zone, (0..).map(|step| at(step * gap)).zip(counts.iter().copied()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn in_every_zone_nodes_held_never_exceed_the_trace(
        (gap, notice) in (20u64..900, 0u64..300),
        first in prop::collection::vec(0u32..8, 2..20),
        second in prop::collection::vec(0u32..8, 2..20),
        manager in 0u8..2,
        wanted in 1u32..16,
    ) {
        let mut other = offering("v100", Purchase::Spot, 1, 1.0);
        other.zone = "b".into();
        let mut spec = fleet(vec![offering("v100", Purchase::Spot, 1, 1.0), other]);
        spec.manager = if manager == 0 { NodeManager::Karpenter } else { NodeManager::Simple { empty_delay: secs(60) } };
        let traces = vec![counted("a", gap, &first), counted("b", gap, &second)];
        spec.spot.model = InterruptionModel::Availability { zones: traces.clone() };
        spec.spot.notice = secs(notice);
        let mut driver = Driver::new(&spec);
        driver.replaces = true;
        for _ in 0..wanted {
            driver.create();
        }
        let end = at(gap * 20 + 1_000);
        driver.run_to(end);
        let interrupted = driver.times(|notice| matches!(notice, Notice::NodeInterrupted { .. })).len();
        driver.fleet.finish(end);
        let (_, nodes) = driver.fleet.take_lives();
        let launched: Vec<_> = nodes.iter().filter(|node| node.launched.is_some()).collect();
        for trace in &traces {
            let instants = trace.steps.iter().map(|step| step.0).chain(launched.iter().filter_map(|node| node.launched));
            for instant in instants {
                let available = trace.steps.iter().rev().find(|step| step.0 <= instant).map_or(0, |step| step.1);
                let is_held = |node: &&&record::NodeLife| {
                    node.zone == trace.zone && node.launched <= Some(instant) && node.ended.is_none_or(|ended| ended > instant)
                };
                let held = launched.iter().filter(is_held).count();
                prop_assert!(held as u32 <= available, "{} of {} in {} at {}", held, available, trace.zone, instant);
            }
        }
        let taken = nodes.iter().filter(|node| node.ending == "spot_reclaim").count();
        // A notice that is still pending at the end has taken nothing yet.
        prop_assert!(taken <= interrupted, "{taken} {interrupted}");
    }
}

#[test]
fn a_trace_of_one_type_leaves_the_others_alone() {
    let mut spec = fleet(vec![offering("v100", Purchase::Spot, 1, 1.0), offering("k80", Purchase::Spot, 1, 2.0)]);
    let of_v100 = ZoneTrace { instance_type: "v100".into(), ..counted("a", 1_000, &[2, 0]) };
    let of_k80 = ZoneTrace { instance_type: "k80".into(), ..counted("a", 1_000, &[1, 4]) };
    spec.spot.model = InterruptionModel::Availability { zones: vec![of_v100, of_k80] };
    let mut driver = Driver::new(&spec);
    driver.replaces = true;
    for _ in 0..3 {
        driver.create_ready();
    }
    driver.run_to(at(5_000));
    driver.fleet.finish(at(5_000));
    let (_, nodes) = driver.fleet.take_lives();
    let running: Vec<&str> =
        nodes.iter().filter(|node| node.ended.is_none()).map(|node| node.instance_type.as_str()).collect();
    assert_eq!(running, ["k80", "k80", "k80"]);
    assert_eq!(driver.times(|notice| matches!(notice, Notice::NodeInterrupted { .. })).len(), 2);
}
