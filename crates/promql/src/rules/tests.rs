//! Do recorded series come, age and end as a Prometheus server's do?

use super::*;
use crate::query::Query;

const OPTIONS: Options = Options { lookback_ms: 300_000, subquery_step_ms: 60_000 };

fn config(rules: &[(&str, &str)]) -> GroupConfig {
    let rules = rules.iter().map(|(record, expression)| RuleConfig {
        record: (*record).to_owned(),
        expression: (*expression).to_owned(),
        ..RuleConfig::default()
    });
    GroupConfig { name: "g".to_owned(), interval_ms: 30_000, rules: rules.collect(), ..GroupConfig::default() }
}

fn group(rules: &[(&str, &str)]) -> RuleGroup {
    RuleGroup::new(&config(rules), 4_000).expect("valid")
}

fn give(storage: &mut Storage, pod: &str, t_ms: i64, value: f64) {
    let id = storage.series(&Labels::new([(METRIC_NAME, "queue"), ("pod", pod), ("namespace", "ml")]));
    storage.append(id, t_ms, value);
}

fn ask(storage: &Storage, query: &str, now_ms: i64) -> String {
    let value = Query::compile(query).expect("valid").evaluate(storage, now_ms, OPTIONS).expect("answered").value;
    let Value::Vector(elements) = value else { panic!("{value:?}") };
    elements.iter().map(|element| format!("{} {}", element.labels, element.value)).collect::<Vec<_>>().join("; ")
}

#[test]
fn evaluations_lie_on_the_groups_own_grid() {
    let group = group(&[("a", "queue")]);
    assert_eq!(
        [-1, 0, 4_000, 33_999, 34_000].map(|t_ms| group.next_after_ms(t_ms)),
        [4_000, 4_000, 34_000, 34_000, 64_000]
    );
}

#[test]
fn a_rule_sees_what_those_before_it_in_its_group_stored() {
    let mut storage = Storage::new(600_000);
    give(&mut storage, "a", 1_000, 3.0);
    give(&mut storage, "b", 1_000, 4.0);
    let mut group = group(&[("ml:queue:sum", "sum by (namespace) (queue)"), ("ml:queue:double", "2 * ml:queue:sum")]);
    assert_eq!(group.evaluate(&mut storage, 4_000, OPTIONS), []);
    assert_eq!(ask(&storage, "ml:queue:double", 4_000), r#"ml:queue:double{namespace="ml"} 14"#);
}

#[test]
fn labels_of_the_group_and_then_of_the_rule_are_written_over_those_of_the_answer() {
    let mut storage = Storage::new(600_000);
    give(&mut storage, "a", 1_000, 3.0);
    let mut config = config(&[("q", "queue")]);
    config.labels = [("namespace", "other"), ("team", "x")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    config.rules[0].labels = [("team", "y"), ("pod", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    RuleGroup::new(&config, 0).expect("valid").evaluate(&mut storage, 2_000, OPTIONS);
    assert_eq!(ask(&storage, "q", 2_000), r#"q{namespace="other", team="y"} 3"#);
}

#[test]
fn a_scope_limits_what_is_read_and_marks_what_is_stored() {
    let mut storage = Storage::new(600_000);
    give(&mut storage, "a", 1_000, 3.0);
    let other = storage.series(&Labels::new([(METRIC_NAME, "queue"), ("pod", "a"), ("namespace", "web")]));
    storage.append(other, 1_000, 100.0);
    let mut config = config(&[("q", "sum(queue)")]);
    config.scope.insert("namespace".to_owned(), "ml".to_owned());
    RuleGroup::new(&config, 0).expect("valid").evaluate(&mut storage, 2_000, OPTIONS);
    assert_eq!(ask(&storage, "q", 2_000), r#"q{namespace="ml"} 3"#);
}

#[test]
fn a_scalar_is_one_element_without_labels() {
    let mut storage = Storage::new(600_000);
    group(&[("limit", "4 * 2")]).evaluate(&mut storage, 4_000, OPTIONS);
    assert_eq!(ask(&storage, "limit", 4_000), "limit 8");
}

#[test]
fn a_series_the_answer_no_longer_has_ends_at_that_evaluation() {
    let mut storage = Storage::new(600_000);
    give(&mut storage, "a", 1_000, 3.0);
    let mut group = group(&[("q", "queue > 0")]);
    group.evaluate(&mut storage, 4_000, OPTIONS);
    give(&mut storage, "a", 30_000, 0.0);
    assert_eq!(ask(&storage, "q", 33_999), r#"q{namespace="ml", pod="a"} 3"#);
    group.evaluate(&mut storage, 34_000, OPTIONS);
    assert_eq!(ask(&storage, "q", 34_000), "");
    give(&mut storage, "a", 60_000, 5.0);
    group.evaluate(&mut storage, 64_000, OPTIONS);
    assert_eq!(ask(&storage, "q", 64_000), r#"q{namespace="ml", pod="a"} 5"#);
}

#[test]
fn after_a_failure_the_old_value_lives_on_until_the_lookback_ends_it() {
    let mut storage = Storage::new(900_000);
    give(&mut storage, "a", 1_000, 3.0);
    let mut group = group(&[("q", "label_replace(queue, \"pod\", \"\", \"\", \"\")")]);
    assert_eq!(group.evaluate(&mut storage, 4_000, OPTIONS), []);
    give(&mut storage, "a", 20_000, 4.0);
    give(&mut storage, "b", 20_000, 4.0);
    let failures = group.evaluate(&mut storage, 34_000, OPTIONS);
    assert_eq!(failures.len(), 1, "two pods, one label set");
    assert_eq!(ask(&storage, "q", 303_999), r#"q{namespace="ml"} 3"#);
    assert_eq!(ask(&storage, "q", 304_000), "");
}

#[test]
fn equal_labels_after_those_of_the_rule_and_more_than_the_limit_are_failures() {
    let mut storage = Storage::new(600_000);
    give(&mut storage, "a", 1_000, 3.0);
    give(&mut storage, "b", 1_000, 4.0);
    let mut config = config(&[("q", "queue"), ("r", "queue")]);
    config.rules[0].labels.insert("pod".to_owned(), String::new());
    config.limit = 1;
    let failures = RuleGroup::new(&config, 0).expect("valid").evaluate(&mut storage, 2_000, OPTIONS);
    let texts: Vec<String> = failures.iter().map(|(index, failure)| format!("{index}: {failure}")).collect();
    assert_eq!(
        texts,
        [
            r#"0: two elements have the labels q{namespace="ml"} once those of the rule are written"#,
            "1: 2 elements, and the group's limit is 1",
        ]
    );
}

#[test]
fn an_offset_query_is_stored_at_the_time_it_looked_at() {
    let mut storage = Storage::new(600_000);
    give(&mut storage, "a", 1_000, 3.0);
    give(&mut storage, "a", 50_000, 9.0);
    let config = GroupConfig { query_offset_ms: 20_000, ..config(&[("q", "queue")]) };
    RuleGroup::new(&config, 0).expect("valid").evaluate(&mut storage, 60_000, OPTIONS);
    assert_eq!(ask(&storage, "timestamp(q)", 60_000), r#"{namespace="ml", pod="a"} 40"#);
    assert_eq!(ask(&storage, "q", 60_000), r#"q{namespace="ml", pod="a"} 3"#);
}

#[test]
fn a_series_that_ended_is_forgotten_and_may_come_back() {
    let mut storage = Storage::new(60_000);
    give(&mut storage, "a", 1_000, 3.0);
    let mut group = group(&[("q", "queue > 0")]);
    group.evaluate(&mut storage, 4_000, OPTIONS);
    give(&mut storage, "a", 30_000, 0.0);
    group.evaluate(&mut storage, 34_000, OPTIONS);
    assert_eq!(storage.series_count(), 2);
    storage.collect(200_000);
    assert_eq!(storage.series_count(), 1);
    give(&mut storage, "a", 210_000, 2.0);
    group.evaluate(&mut storage, 214_000, OPTIONS);
    assert_eq!(ask(&storage, "q", 214_000), r#"q{namespace="ml", pod="a"} 2"#);
}

#[test]
fn a_series_that_a_scrape_gives_is_not_written_over() {
    let mut storage = Storage::new(600_000);
    let scraped = Labels::new([(METRIC_NAME, "queue"), ("pod", "a")]);
    let target = storage.add_target(Labels::new([(METRIC_NAME, "up"), ("pod", "a")]), vec![scraped]);
    storage.scrape(target, 1_000, &[3.0]);
    assert_eq!(group(&[("queue", "queue * 2")]).evaluate(&mut storage, 4_000, OPTIONS), []);
    assert_eq!(ask(&storage, "queue", 4_000), r#"queue{pod="a"} 3"#);
}

#[test]
fn only_groups_on_the_way_to_a_reader_are_reached() {
    let groups = [
        group(&[("base", "sum(queue)")]),
        group(&[("step", "base * 2"), ("other", "queue")]),
        group(&[("unread", "step")]),
    ];
    assert_eq!(reached(&groups, |name| name == "step"), BTreeSet::from([0, 1]));
    assert_eq!(reached(&groups, |name| name == "queue"), BTreeSet::new());
}

#[test]
fn rules_that_read_their_own_results_are_named() {
    let groups = [group(&[("a", "b + 1"), ("c", "a")]), group(&[("b", "a * 0.5")]), group(&[("d", "c")])];
    assert_eq!(cycles(&groups), BTreeSet::from(["a".to_owned(), "b".to_owned()]));
}

#[test]
fn what_cannot_be_recorded_is_refused_with_its_rule() {
    let text = |record: &str, expression: &str| {
        let (index, error) = RuleGroup::new(&config(&[("fine", "queue"), (record, expression)]), 0).expect_err("bad");
        format!("{index}: {error}")
    };
    assert_eq!(
        text("a", "queue[5m]"),
        r#"1: query "queue[5m]" gives a range vector; a recording rule stores an instant vector or a scalar"#
    );
    assert_eq!(text("a-b", "queue"), r#"1: "a-b" is not a metric name"#);
    assert!(text("a", "sum(queue").starts_with("1: cannot parse query \"sum(queue\""));
    let mut labelled = config(&[("a", "queue")]);
    labelled.labels.insert(METRIC_NAME.to_owned(), "b".to_owned());
    let (_, error) = RuleGroup::new(&labelled, 0).expect_err("a rule's name is `record`");
    assert_eq!(error.to_string(), r#""__name__" is not a label a rule may write"#);
}
