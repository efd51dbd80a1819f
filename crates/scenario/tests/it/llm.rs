//! `continuousBatching`: which keys go together.

use cluster::spec::{Overhead, PassTime, ServiceModel};
use insta::assert_snapshot;
use units::SimDuration;
use workload::Distribution;

use crate::support::{load_text, message, with};

/// The scenario of one service with this law of iterations.
fn scenario(law: &str) -> String {
    let sizes = "sequencesMax: 8, batchedTokensMax: 512, kvTokens: 4096";
    with("slots:\n        serviceTime: 50ms", &format!("continuousBatching: {{{sizes}, {law}}}"))
}

const TABLE: &str = "tokenTime: [{tokens: 1, time: 6ms}, {tokens: 256, time: 9ms}]";

#[test]
fn a_table_needs_nothing_beside_it() {
    let spec = load_text(&scenario(&format!("{TABLE}, perPromptTokenContext: 775ps"))).unwrap().spec;
    let ServiceModel::ContinuousBatching { law, .. } = &spec.services[0].model else { panic!("a language model") };
    assert!(matches!(&law.pass, PassTime::Table { points, .. } if points[..] == [(1, 6e6), (256, 9e6)]), "{law:?}");
    assert_eq!((law.ns_per_prompt_token_context, law.ns_per_kv_token, law.shortest.as_nanos()), (0.775, 0.0, 0));
}

#[test]
fn table_and_line_are_told_apart() {
    assert_snapshot!(message(&scenario(&format!("{TABLE}, perPromptToken: 20us"))), @"scenario.yaml:13:163: spec.service.model.continuousBatching.perPromptToken: `tokenTime` says it already: one of both");
    assert_snapshot!(message(&scenario("iterationMin: 9ms, iterationBase: 6ms, perKvToken: 62ns")), @"scenario.yaml:13:27: spec.service.model.continuousBatching: key `perPromptToken` is missing");
    assert_snapshot!(message(&scenario("iterationMin: 9ms, iterationBase: 6ms, perKvToken: 62ns, perPromptToken: 1us, decodeFactor: 1.1")), @"scenario.yaml:13:176: spec.service.model.continuousBatching.decodeFactor: is a factor on `tokenTime`, which is not there");
    assert_snapshot!(message(&scenario(&format!("{TABLE}, prefillFactor: 0"))), @"scenario.yaml:13:162: spec.service.model.continuousBatching.prefillFactor: must be above zero");
}

#[test]
fn a_table_rises() {
    assert_snapshot!(message(&scenario("tokenTime: [{tokens: 1, time: 6ms}]")), @"scenario.yaml:13:95: spec.service.model.continuousBatching.tokenTime: needs at least two points");
    assert_snapshot!(message(&scenario("tokenTime: [{tokens: 9, time: 6ms}, {tokens: 9, time: 7ms}]")), @"scenario.yaml:13:129: spec.service.model.continuousBatching.tokenTime[1].tokens: must be more than in the point before");
    assert_snapshot!(message(&scenario("tokenTime: [{tokens: 1, time: 6ms}, {tokens: 9, time: 5ms}]")), @"scenario.yaml:13:138: spec.service.model.continuousBatching.tokenTime[1].time: must not be less than in the point before");
    assert_snapshot!(message(&scenario("tokenTime: [{tokens: 0, time: 6ms}, {tokens: 9, time: 7ms}]")), @"scenario.yaml:13:105: spec.service.model.continuousBatching.tokenTime[0].tokens: must be at least 1: an iteration computes something");
}

#[test]
fn overhead_is_a_time_or_a_distribution() {
    let overhead = |text: &str| match load_text(&scenario(&format!("{TABLE}{text}")))
        .unwrap()
        .spec
        .services
        .swap_remove(0)
        .model
    {
        ServiceModel::ContinuousBatching { overhead, .. } => overhead,
        _ => panic!("a language model"),
    };
    assert_eq!(overhead(""), Overhead::NONE);
    assert_eq!(overhead(", overhead: 20ms"), Overhead::Fixed(SimDuration::from_millis(20)));
    let drawn = Distribution::LogNormal { p50: 0.02, p90: 0.027 };
    assert_eq!(overhead(", overhead: {logNormal: {p50: 20ms, p90: 27ms}}"), Overhead::Drawn(drawn));
    assert_snapshot!(message(&scenario(&format!("{TABLE}, overhead: {{uniform: {{low: 3ms, high: 2ms}}}}"))), @"scenario.yaml:13:157: spec.service.model.continuousBatching.overhead: high is 0.002, below low, which is 0.003");
}
