//! Do spot fits recover the rate and the bunching that a history was made with?

use calibrate::{SpotHistory, ZonePrices, ZoneSteps, spot};
use units::{SimTime, UsdPerHour};
use workload::{Distribution, Purpose, Stream};

const HOUR_S: f64 = 3_600.0;

/// A zone of `nodes` nodes that loses `per_event` of them, or all that are left, at a Poisson rate, and has them back a minute later.
fn zone(name: &str, rate_per_hour: f64, (nodes, per_event): (u32, u32), hours: f64) -> ZoneSteps {
    let mut stream = Stream::new(11, Purpose::Spot, u64::from(nodes));
    let gap = Distribution::Exponential { mean: HOUR_S / rate_per_hour };
    let mut steps = vec![(SimTime::ZERO, nodes)];
    let mut at = gap.sample(&mut stream);
    while at < hours * HOUR_S {
        steps.push((SimTime::from_secs(at as u64), nodes - per_event));
        steps.push((SimTime::from_secs(at as u64 + 60), nodes));
        at += 60.0 + gap.sample(&mut stream);
    }
    ZoneSteps { zone: name.to_owned(), steps, end: SimTime::from_secs((hours * HOUR_S) as u64) }
}

#[test]
fn single_losses_give_a_constant_hazard_with_an_interval_around_the_truth() {
    // One node, 0.3 losses an hour over 2,000 hours: about 600 losses, a standard error of 4 %.
    let fit = spot(&SpotHistory::Held(vec![zone("a", 0.3, (1, 1), 2_000.0)])).unwrap();
    let hazard = fit.hazard_per_hour;
    assert!((hazard.value / 0.3 - 1.0).abs() < 0.12, "{hazard:?}");
    assert!(hazard.low < 0.3 && 0.3 < hazard.high, "{hazard:?}");
    assert!(fit.yaml().contains("    constant: 0."), "{}", fit.yaml());
    assert_eq!(fit.away_s, Some(60.0));
    // Lifetimes were drawn from an exponential: quantiles lie on the line, but for the few longest.
    let pairs = &fit.quantile_pairs;
    assert!(pairs.len() > 500 && pairs.iter().all(|pair| pair.observed > 0.0), "{}", pairs.len());
    let off = pairs.iter().filter(|pair| pair.share < 0.9 && (pair.observed - pair.fitted).abs() > 0.15 * 3.33).count();
    assert!(off == 0, "{off} of {}", pairs.len());
}

#[test]
fn losses_that_come_together_are_clustered() {
    let fit = spot(&SpotHistory::Available(vec![zone("a", 0.2, (10, 6), 2_000.0)])).unwrap();
    let clustering = fit.clustering.unwrap();
    assert!((clustering.events_per_zone_hour / 0.2 - 1.0).abs() < 0.15, "{clustering:?}");
    assert!((clustering.share - 0.6).abs() < 0.05, "{clustering:?}");
    assert!(fit.yaml().contains("clustered: {events: 0."), "{}", fit.yaml());
}

#[test]
fn no_loss_is_not_no_risk() {
    let quiet =
        ZoneSteps { zone: "a".to_owned(), steps: vec![(SimTime::ZERO, 1)], end: SimTime::from_secs(100 * 3_600) };
    let fit = spot(&SpotHistory::Held(vec![quiet])).unwrap();
    assert_eq!((fit.hazard_per_hour.value, fit.hazard_per_hour.low), (0.0, 0.0));
    // The upper end of the exact interval for no events is −ln 0.025 = 3.689.
    assert!((fit.hazard_per_hour.high - 0.036_89).abs() < 1e-4, "{:?}", fit.hazard_per_hour);
}

#[test]
fn zones_that_lose_at_once_are_noticed() {
    let zones = vec![zone("a", 0.2, (4, 1), 500.0), zone("b", 0.2, (4, 1), 500.0)];
    let fit = spot(&SpotHistory::Held(zones)).unwrap();
    assert!(fit.clustering.unwrap().share_across_zones > 0.99);
}

#[test]
fn a_price_above_the_most_one_would_pay_is_a_loss_and_the_fit_says_what_that_means() {
    let price = UsdPerHour::from_dollars;
    let at = SimTime::from_secs;
    let points = vec![(at(0), price(1.0)), (at(3_600), price(3.0)), (at(7_200), price(1.0)), (at(10_800), price(2.5))];
    let zones = vec![ZonePrices { zone: "a".to_owned(), points, end: at(14_400) }];
    let fit = spot(&SpotHistory::Prices { zones, price_max: price(2.0) }).unwrap();
    assert_eq!((fit.losses, fit.node_hours), (2, 2.0));
    assert!(fit.notes[0].ends_with("AWS does not reclaim by price"), "{:?}", fit.notes);
}

#[test]
fn a_history_without_nodes_is_refused() {
    let empty = ZoneSteps { zone: "a".to_owned(), steps: vec![(SimTime::ZERO, 0)], end: SimTime::from_secs(3_600) };
    assert_eq!(
        spot(&SpotHistory::Held(vec![empty])).unwrap_err().to_string(),
        "spot history: nothing to fit: no node was ever there"
    );
}
