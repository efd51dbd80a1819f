//! Is a query refused, remembered and measured as it should be? Values are the business of the parity test.

use proptest::prelude::{any, prop, prop_assert_eq, proptest};

use super::{Options, Query, QueryError, SampleAges, Value};
use crate::labels::{Labels, METRIC_NAME};
use crate::matcher::Matcher;
use crate::storage::{MISSING, Storage, TargetId};

fn named(name: &str, pod: &str) -> Labels {
    Labels::new([(METRIC_NAME, name), ("pod", pod)])
}

fn error(text: &str) -> String {
    Query::compile(text).expect_err("not a valid query").to_string()
}

fn lookbehind_ms(text: &str) -> Option<i64> {
    Query::compile(text).expect("a valid query").lookbehind_ms(Options::default())
}

fn sum(query: &mut Query, storage: &Storage, now_ms: i64) -> f64 {
    match query.evaluate(storage, now_ms, Options::default()).expect("an answer").value {
        Value::Vector(elements) => elements.iter().map(|element| element.value).sum(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unsupported_function_is_named_together_with_what_is_supported() {
    let text = error("sum(double_exponential_smoothing(x[5m], 0.1, 0.1))");
    assert!(text.contains("function double_exponential_smoothing, which is not supported"), "{text}");
    assert!(text.contains("histogram_quantile, hour, idelta, increase, irate"), "{text}");
}

#[test]
fn what_only_the_parser_accepts_is_refused() {
    for text in ["limitk(1, x)", r#"{a="1" or b="2"}"#, "x + fill(0) y", "integral(x[5m])", "start()"] {
        assert!(!matches!(Query::compile(text), Ok(_) | Err(QueryError::Parse { .. })), "{text}");
    }
}

#[test]
fn what_prometheus_cannot_parse_is_refused() {
    for text in
        ["{}", "{x=~\".*\"}", "ln(0)", "1 > 2", "sum(x) or 0", "x + bool y", "clamp_max(x)", "rate(x)", "x[5m:0s]"]
    {
        assert!(matches!(Query::compile(text), Err(QueryError::Parse { .. })), "{text}");
    }
}

#[test]
fn what_fails_at_every_evaluation_is_refused_at_once() {
    for text in [
        r#"label_replace(x, "a", "", "b", "(.*")"#,
        r#"label_replace(x, "\xff", "", "b", "(.*)")"#,
        r#"label_join(x, "a", "-", "")"#,
        r#"count_values("", x)"#,
    ] {
        assert!(matches!(Query::compile(text), Err(QueryError::NeverEvaluates { .. })), "{text}");
    }
    assert!(Query::compile(r#"label_replace(x, "ÿ", "", "b", "(.*)")"#).is_ok());
}

#[test]
fn the_needed_history_adds_up_over_ranges_offsets_and_subqueries() {
    assert_eq!(lookbehind_ms("x"), Some(300_000));
    assert_eq!(lookbehind_ms("sum(rate(x[2m] offset 1m)) / y"), Some(300_000));
    assert_eq!(lookbehind_ms("rate(x[10m] offset 1m)"), Some(660_000));
    assert_eq!(lookbehind_ms("max_over_time(rate(x[2m] offset 30s)[10m:15s] offset 1m)"), Some(810_000));
    assert_eq!(lookbehind_ms("x @ 100"), None);
    assert_eq!(lookbehind_ms("time()"), Some(0));
}

#[test]
fn a_query_wants_the_series_it_selects_and_no_others() {
    let query = Query::compile(r#"sum(rate(a{pod=~"p.*"}[1m])) / scalar(b)"#).expect("a valid query");
    assert!(query.wants(&named("a", "p1")) && query.wants(&named("b", "q")));
    assert!(!query.wants(&named("a", "q")) && !query.wants(&named("c", "p1")));
}

#[test]
fn an_answer_tells_how_old_its_samples_are() {
    let mut storage = Storage::new(600_000);
    for (pod, t_ms) in [("a", 1_000), ("b", 40_000)] {
        let id = storage.series(&named("x", pod));
        storage.append(id, t_ms, 1.0);
    }
    let mut query = Query::compile("sum(x)").expect("a valid query");
    let ages = query.evaluate(&storage, 60_000, Options::default()).expect("an answer").ages;
    assert_eq!(ages, SampleAges { newest_ms: Some(40_000), stalest_ms: Some(1_000) });
    let ages = query.evaluate(&storage, 0, Options::default()).expect("an answer").ages;
    assert_eq!(ages, SampleAges::default());
}

#[test]
fn a_query_notices_new_series_and_other_stores() {
    let mut first = Storage::new(600_000);
    let mut query = Query::compile("sum(x)").expect("a valid query");
    assert_eq!(sum(&mut query, &first, 1_000), 0.0);
    for (pod, expected) in [("a", 1.0), ("b", 2.0), ("c", 3.0)] {
        let id = first.series(&named("x", pod));
        first.append(id, 1_000, 1.0);
        assert_eq!(sum(&mut query, &first, 1_000), expected);
    }
    let mut second = Storage::new(600_000);
    let id = second.series(&named("x", "a"));
    second.append(id, 1_000, 7.0);
    assert_eq!(sum(&mut query, &second, 1_000), 7.0);
}

#[test]
fn conditions_bound_later_apply_to_every_selector_that_asks_for_them() {
    let mut storage = Storage::new(600_000);
    for (pod, value) in [("a", 1.0), ("b", 2.0), ("c", 4.0)] {
        let id = storage.series(&named("x", pod));
        storage.append(id, 1_000, value);
    }
    let text = format!("sum(x{{{}}}) + sum(x)", super::BOUND_MATCHER);
    let mut query = Query::compile(&text).expect("a valid query");
    assert_eq!(query.bind(&[Matcher::pattern("pod", "a|c").expect("valid")]), 1);
    assert_eq!(sum(&mut query, &storage, 1_000), 12.0);
    query.bind(&[Matcher::equal("pod", "b")]);
    assert_eq!(sum(&mut query, &storage, 1_000), 9.0);
}

/// What can happen to a fleet of pods between two evaluations.
fn change(storage: &mut Storage, pods: &mut [Option<TargetId>], what: u8, t_ms: i64) {
    let slot = usize::from(what >> 3) % pods.len();
    let pod = format!("p{slot}");
    match (what & 7, pods[slot]) {
        (0..=2, None) => {
            pods[slot] = Some(storage.add_target(named("up", &pod), vec![named("x", &pod), named("y", &pod)]));
        }
        (0, Some(id)) => {
            storage.end_target(id, 15_000);
            pods[slot] = None;
        }
        (1, Some(id)) => drop(storage.scrape_failed(id, t_ms)),
        (2, Some(id)) => drop(storage.scrape(id, t_ms, &[MISSING, f64::from(what)])),
        (3, _) => storage.collect(t_ms),
        (_, Some(id)) => drop(storage.scrape(id, t_ms, &[f64::from(what), t_ms as f64 / 1000.0])),
        (_, None) => {}
    }
}

proptest! {
    #[test]
    fn a_long_lived_query_answers_as_one_compiled_just_now(changes in prop::collection::vec(any::<u8>(), 1..120)) {
        let texts = [
            "sum(x)", "avg by (pod) (x)", "rate(y[1m])", "x + on (pod) group_left () y", "x and y > 30",
            "topk(2, x) or y", "max_over_time(sum(x)[1m:15s])", r#"label_join(x, "z", "", "pod")"#, "-{pod=~\"p[01]\"}",
        ];
        let compile = |text: &&str| Query::compile(text).expect("a valid query");
        let mut old: Vec<Query> = texts.iter().map(compile).collect();
        let mut storage = Storage::new(300_000);
        let mut pods = [None; 4];
        for (step, what) in changes.into_iter().enumerate() {
            let t_ms = step as i64 * 5_000;
            change(&mut storage, &mut pods, what, t_ms);
            for (text, query) in texts.iter().zip(&mut old) {
                let (old, new) = (
                    query.evaluate(&storage, t_ms, Options::default()),
                    compile(text).evaluate(&storage, t_ms, Options::default()),
                );
                prop_assert_eq!(format!("{old:?}"), format!("{new:?}"), "{} at {}", text, t_ms);
            }
        }
    }
}
