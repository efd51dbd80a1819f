//! `continuousBatching`: which keys go together.

use cluster::spec::{PassTime, ServiceModel};
use insta::assert_snapshot;

use crate::support::{load_text, message, with};

/// The scenario of one service with this law of iterations.
fn scenario(law: &str) -> String {
    let sizes = "sequencesMax: 8, batchedTokensMax: 512, kvTokens: 4096";
    with("slots: {serviceTime: 50ms}", &format!("continuousBatching: {{{sizes}, {law}}}"))
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
    assert_snapshot!(message(&scenario(&format!("{TABLE}, perPromptToken: 20us"))), @"");
    assert_snapshot!(message(&scenario("iterationMin: 9ms, iterationBase: 6ms, perKvToken: 62ns")), @"");
    assert_snapshot!(message(&scenario("iterationMin: 9ms, iterationBase: 6ms, perKvToken: 62ns, perPromptToken: 1us, decodeFactor: 1.1")), @"");
    assert_snapshot!(message(&scenario(&format!("{TABLE}, prefillFactor: 0"))), @"");
}

#[test]
fn a_table_rises() {
    assert_snapshot!(message(&scenario("tokenTime: [{tokens: 1, time: 6ms}]")), @"");
    assert_snapshot!(message(&scenario("tokenTime: [{tokens: 9, time: 6ms}, {tokens: 9, time: 7ms}]")), @"");
    assert_snapshot!(message(&scenario("tokenTime: [{tokens: 1, time: 6ms}, {tokens: 9, time: 5ms}]")), @"");
    assert_snapshot!(message(&scenario("tokenTime: [{tokens: 0, time: 6ms}, {tokens: 9, time: 7ms}]")), @"");
}
