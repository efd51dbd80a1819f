//! `client`: how long clients wait and what they ask for again.

use cluster::spec::{Patience, RetryDemand};
use insta::assert_snapshot;
use units::SimDuration;
use workload::Distribution;

use crate::support::{load_text, message, with};

fn client(text: &str) -> String {
    with("    pod:\n", &format!("    client: {text}\n    pod:\n"))
}

fn model(text: &str) -> String {
    client("{retries: {demand: redraw}}").replace("slots:\n        serviceTime: 50ms", text)
}

#[test]
fn clients_wait_all_as_long_or_each_as_long_as_it_draws() {
    let spec = load_text(&client("{timeout: 2s, patience: {exponential: {mean: 300ms}}}")).unwrap().spec;
    let service = &spec.services[0];
    assert_eq!(service.client_timeout, Some(Patience::Fixed(SimDuration::from_secs(2))));
    assert_eq!(service.client_patience, Some(Patience::Drawn(Distribution::Exponential { mean: 0.3 })));
    assert!(service.clients_differ());
    let constant = load_text(&client("{timeout: {constant: 2s}}")).unwrap().spec;
    assert_eq!(constant.services[0].client_timeout, Some(Patience::Fixed(SimDuration::from_secs(2))));
}

#[test]
fn a_retry_is_the_same_request_unless_it_is_drawn_anew() {
    let demand = |text: &str| load_text(&client(text)).unwrap().spec.services[0].retries.clone().unwrap().demand;
    assert_eq!(demand("{retries: {}}"), RetryDemand::Same);
    assert_eq!(demand("{retries: {demand: redraw}}"), RetryDemand::Redraw);
}

#[test]
fn a_new_draw_needs_something_to_draw_from() {
    assert_snapshot!(message(&model("dynamicBatching: {batchMax: 4, latency: {affine: {base: 5ms, perRequest: 1ms}}}")), @"scenario.yaml:14:32: spec.service.client.retries.demand: there is nothing to draw: a batch takes as long as its size says, whoever is in it");
    assert_snapshot!(message(&client("{retries: {demand: again}}")), @"scenario.yaml:15:32: spec.service.client.retries.demand: unknown choice `again` (one of: same, redraw)");
}
