//! What pods would rather have, and prices that are chosen by and not paid.

use cluster::fleet::Notice;
use cluster::spec::{
    InstanceOffering, LabelOperator, LabelRule, NodeManager, NodeTerm, PodSpec, PreferredTerm, PriceOverlay, Taint,
    TaintEffect,
};
use record::Purchase;
use units::UsdPerHour;

use crate::support::{Driver, World, at, fleet, offering, pool};

/// A type that says of itself what family it is.
fn of_family(family: &str, dollars: f64) -> InstanceOffering {
    InstanceOffering {
        labels: vec![("family".into(), Some(family.into()))],
        ..offering(&format!("{family}.xlarge"), Purchase::OnDemand, 1, dollars)
    }
}

/// A pod that would rather run on these families, the heaviest first.
fn preferring(families: &[&str]) -> PodSpec {
    let mut pod = PodSpec::plain();
    pod.scheduling.preferred = families
        .iter()
        .zip([100, 10, 1])
        .map(|(family, weight)| PreferredTerm { weight, term: term(family) })
        .collect();
    pod
}

fn term(family: &str) -> NodeTerm {
    let rule = LabelRule { key: "family".into(), operator: LabelOperator::In, values: vec![family.into()] };
    NodeTerm { labels: vec![rule] }
}

fn karpenter(offerings: Vec<InstanceOffering>) -> World {
    fleet(offerings).under(NodeManager::Karpenter)
}

/// Instance types of the nodes after pods were created every five minutes.
fn launched(spec: &World, pod: &PodSpec, pods: u64) -> Vec<String> {
    let mut driver = Driver::with_pod(spec, pod);
    for number in 0..pods {
        driver.run_to(at(300 * number));
        driver.create();
    }
    driver.run_to(at(300 * pods));
    let (_, nodes) = driver.fleet.take_lives();
    nodes.into_iter().filter(|node| node.launched.is_some()).map(|node| node.instance_type).collect()
}

#[test]
fn karpenter_launches_the_preferred_machine_whatever_it_costs_and_another_while_there_is_none() {
    let scarce = InstanceOffering { capacity_max: Some(1), ..of_family("g6", 2.0) };
    let spec = karpenter(vec![of_family("g5", 1.0), scarce, of_family("g4", 0.5)]);
    assert_eq!(launched(&spec, &preferring(&["g6"]), 1), ["g6.xlarge"]);
    // The second finds no capacity for it; while that is known the next preference counts, and then none.
    assert_eq!(launched(&spec, &preferring(&["g6", "g5"]), 2), ["g6.xlarge", "g5.xlarge"]);
    assert_eq!(launched(&spec, &preferring(&["g6"]), 2), ["g6.xlarge", "g4.xlarge"]);
}

#[test]
fn karpenter_tries_required_terms_in_their_order() {
    let spec = karpenter(vec![of_family("g5", 1.0), of_family("g6", 2.0)]);
    let mut pod = PodSpec::plain();
    pod.scheduling.node_terms = vec![term("g6"), term("g5")];
    assert_eq!(launched(&spec, &pod, 1), ["g6.xlarge"], "not the cheaper one, which is the second term's");
}

#[test]
fn karpenter_leaves_a_pool_with_a_soft_taint_for_last_after_all_preferences() {
    let mut tainted = pool(vec![of_family("g6", 0.5)]);
    tainted.weight = 100;
    let taint = Taint { key: "soft".into(), value: String::new(), effect: TaintEffect::PreferNoSchedule };
    tainted.rules.taints = vec![taint];
    let mut spec = karpenter(vec![of_family("g5", 1.0)]);
    tainted.name = "tainted".into();
    spec.pools.push(tainted);
    assert_eq!(launched(&spec, &preferring(&["g6"]), 1), ["g5.xlarge"]);
}

#[test]
fn the_scheduler_ranks_preferred_nodes_above_emptier_ones() {
    let mut spec = fleet(vec![
        InstanceOffering { gpus: 8, ..of_family("g5", 1.0) },
        InstanceOffering { gpus: 8, ..of_family("g6", 2.0) },
    ]);
    for (index, name) in ["a", "b"].into_iter().enumerate() {
        if index > 0 {
            let offering = spec.pools[0].offerings.remove(1);
            spec.pools.push(pool(vec![offering]));
        }
        spec.pools[index].nodes_min = 1;
        spec.pools[index].name = name.into();
    }
    let mut driver = Driver::with_pod(&spec, &preferring(&["g6"]));
    for _ in 0..3 {
        driver.create();
    }
    let placed = driver.notices.iter().filter_map(|(_, notice)| match notice {
        Notice::Scheduled { node, .. } => Some(*node),
        _ => None,
    });
    let nodes: Vec<_> = placed.collect();
    assert_eq!(nodes.len(), 3);
    let (_, lives) = driver.fleet.take_lives();
    assert!(nodes.iter().all(|node| lives[node.index()].instance_type == "g6.xlarge"), "{nodes:?}");
}

#[test]
fn an_overlay_changes_what_is_chosen_and_not_what_is_paid() {
    let overlaid = InstanceOffering { overlay: Some(PriceOverlay::Share(-0.5)), ..of_family("g6", 1.5) };
    let spec = karpenter(vec![of_family("g5", 1.0), overlaid]);
    let mut driver = Driver::new(&spec);
    driver.create();
    driver.run_to(at(3_640));
    driver.fleet.finish(at(3_640));
    let (_, nodes) = driver.fleet.take_lives();
    assert_eq!(nodes[0].instance_type, "g6.xlarge");
    let hours = nodes[0].billed.as_secs_f64() / 3_600.0;
    assert!((nodes[0].cost.as_f64() - 1.5 * hours).abs() < 1e-3, "{} for {hours} h", nodes[0].cost);
    assert_eq!(
        PriceOverlay::Fixed(UsdPerHour::from_dollars(0.2)).over(UsdPerHour::from_dollars(9.0)),
        UsdPerHour::from_dollars(0.2)
    );
}

#[test]
fn a_reservation_that_is_used_up_falls_through_to_what_is_left() {
    let reserved = InstanceOffering { capacity_max: Some(1), ..offering("p5", Purchase::Reserved, 1, 1.0) };
    let spec = karpenter(vec![offering("p5", Purchase::OnDemand, 1, 3.0), reserved]);
    let mut driver = Driver::new(&spec);
    driver.create();
    driver.create();
    driver.run_to(at(300));
    let (_, nodes) = driver.fleet.take_lives();
    let bought: Vec<Purchase> = nodes.iter().map(|node| node.purchase).collect();
    assert!(bought.contains(&Purchase::Reserved) && bought.contains(&Purchase::OnDemand), "{bought:?}");
    assert_eq!(driver.fleet.remarks(), Vec::<String>::new());
}
