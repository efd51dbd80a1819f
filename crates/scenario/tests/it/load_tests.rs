//! Load tests, sessions and lengths as they are written.

use cluster::spec::ServiceModel;
use insta::assert_snapshot;
use units::SimDuration;
use workload::{ArrivalRule, Distribution, LoadTest, StageLength, StageLoad, Traffic};

use crate::support::{load_text, message, with};

const RATE: &str = "    generator:\n      rate: 10req/s\n";
const MODEL: &str = "      slots:\n        serviceTime: 50ms\n";

fn traffic(text: &str) -> String {
    with(RATE, &format!("    {text}\n"))
}

/// What is wrong, without the place.
fn refused(text: &str) -> String {
    let message = message(&traffic(text));
    message.split_once(' ').map(|(_, reason)| reason.to_owned()).expect("a place comes first")
}

fn test_of(text: &str) -> LoadTest {
    let loaded = load_text(&traffic(text)).unwrap();
    let Traffic::LoadTest(test) = &loaded.spec.services[0].traffic else { panic!("no load test: {text}") };
    LoadTest::clone(test)
}

/// A language model with these lengths, asked by four clients.
fn language_model(prompt: &str) -> String {
    let model = format!(
        "      continuousBatching: {{sequencesMax: 8, batchedTokensMax: 512, kvTokens: 9000, iterationMin: 9ms, iterationBase: 6ms, perKvToken: 60ns, perPromptToken: 20us, promptTokens: {prompt}, outputTokens: 100}}\n"
    );
    traffic("closedLoop: {concurrency: 4, requests: 100}").replace(MODEL, &model)
}

#[test]
fn stages_are_read_with_their_pauses() {
    let test = test_of(
        "{stages: [{rate: 12req/s, duration: 60s, arrivals: exactPoisson}, {rate: 3req/s, count: 40, arrivals: {gamma: {shape: 0.5}}, gap: 5s}, \
         {concurrency: 8, count: 100, ramp: 4s}], drain: true, interval: 30s, lead: 2s}",
    );
    assert_eq!(test.drain, Some(SimDuration::from_secs(3)));
    let gaps: Vec<u64> = test.stages.iter().map(|stage| stage.gap.as_nanos() / 1_000_000_000).collect();
    assert_eq!(gaps, [30, 5, 30]);
    assert_eq!(test.stages[1].length, StageLength::Requests(40));
    let rules = test.stages.iter().map(|stage| match &stage.load {
        StageLoad::Open { arrivals, .. } => Some(*arrivals),
        StageLoad::Closed { .. } => None,
    });
    let expected = [Some(ArrivalRule::Gamma { shape: 1.0 }), Some(ArrivalRule::Gamma { shape: 0.5 }), None];
    assert_eq!(rules.collect::<Vec<_>>(), expected);
    let scaled = test_of("{stages: [{rate: 12req/s, count: 30}], scale: 50%, shift: 10s}");
    assert_eq!((scaled.stages[0].count(), scaled.start), (Some(15), SimDuration::from_secs(10)));
}

#[test]
fn a_closed_loop_without_an_end_goes_on_until_that_of_the_run() {
    let test = test_of("closedLoop: {concurrency: 4, delay: {exponential: {mean: 2s}}}");
    assert_eq!(test.stages[0].length, StageLength::Duration(SimDuration::from_secs(3_600)));
}

#[test]
fn what_does_not_go_together_is_refused() {
    assert_snapshot!(refused("{stages: []}"), @"spec.traffic.stages: needs at least one stage");
    assert_snapshot!(refused("{stages: [{rate: 1req/s}]}"), @"spec.traffic.stages[0]: needs `duration` or `count`, and not both");
    assert_snapshot!(refused("{stages: [{rate: 1req/s, concurrency: 2, count: 3}]}"), @"spec.traffic.stages[0]: needs `rate` or `concurrency`, and not both");
    assert_snapshot!(refused("{stages: [{rate: 1req/s, count: 3, ramp: 2s}]}"), @"spec.traffic.stages[0]: `ramp` and `delay` are for clients: they go with `concurrency`");
    assert_snapshot!(refused("{stages: [{rate: 0.1req/s, duration: 5s}]}"), @"spec.traffic.stages: stage 1 sends no request");
    assert_snapshot!(refused("{generator: {rate: 1req/s}, drain: true}"), @"spec.traffic.drain: goes with `stages`");
    assert_snapshot!(refused("{stages: [{rate: 1req/s, count: 3}], poll: 2s}"), @"spec.traffic.poll: goes with `drain: true`");
    assert_snapshot!(refused("{closedLoop: {concurrency: 4}, generator: {rate: 1req/s}}"), @"spec.traffic: only one of `closedLoop` and `generator`");
    assert_snapshot!(refused("{closedLoop: {concurrency: 4}, scale: 50%}"), @"spec.traffic.scale: clients are not scaled: state another `concurrency`");
    assert_snapshot!(refused("{closedLoop: {concurrency: 4}, sessions: {turns: 3, thinkTime: 2s}}"), @"spec.traffic.sessions: begin with requests that wait for nobody: not those of clients, `drain` or `concurrencyMax`");
    assert_snapshot!(refused("{generator: {rate: 1req/s}, sessions: {turns: 3, thinkTime: 2s, newTokens: 5}}"), @"spec.traffic.sessions.newTokens: needs a service that counts tokens: `service.model.continuousBatching`");
}

#[test]
fn clients_with_equal_lengths_are_warned_of() {
    let has_note = |text: &str| load_text(text).unwrap().notes.iter().any(|note| note.contains("synchronisation"));
    assert!(has_note(&language_model("1000")));
    assert!(!has_note(&language_model("{normal: {mean: 1000, std: 200, min: 1, max: 4000}}")));
}

#[test]
fn lengths_of_load_tests_are_read() {
    let law = |text: &str| {
        let loaded = load_text(&language_model(text)).unwrap();
        let ServiceModel::ContinuousBatching { prompt_tokens, .. } =
            loaded.spec.services.into_iter().next().unwrap().model
        else {
            panic!("a language model")
        };
        prompt_tokens
    };
    let normal = Distribution::Normal { mean: 500.0, std: 60.0, min: 0.0, max: f64::INFINITY };
    assert_eq!(law("{normal: {mean: 500, std: 60}}"), normal);
    assert_eq!(law("{rangeRatio: {length: 100, ratio: 0.25}}"), Distribution::Uniform { low: 74.5, high: 125.5 });
    assert_eq!(
        law("{weighted: {values: [512, 128], weights: [3, 1]}}"),
        Distribution::weighted(&[(512.0, 3.0), (128.0, 1.0)])
    );
    assert!((law("{logNormal: {mean: 700, std: 900}}").mean() - 700.0).abs() < 1e-6);
    assert!((law("{poisson: {mean: 90}}").mean() - 90.0).abs() < 1e-6);
    assert!((law("{skewNormal: {mean: 500, std: 60, skew: 3}}").mean() - 500.0).abs() < 0.5);
    let path = "spec.service.model.continuousBatching.promptTokens";
    let wrong = message(&language_model("{logNormal: {p50: 700, std: 900}}"));
    assert!(wrong.ends_with(&format!("{path}: logNormal: needs `p50` and `p90`, or `mean` and `std`")), "{wrong}");
}
