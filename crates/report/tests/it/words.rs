//! The comparison as people read it.

use record::{Interval, Verdict};
use report::{Format, TerminalStyle, ranking_sentences, render};

use crate::fixture::{Day, THREE, day};

fn printed(day: &Day, format: Format, style: TerminalStyle) -> String {
    let policies = day.outcomes();
    render(&day.report(&policies), format, style)
}

#[test]
fn the_terminal_table_is_aligned_and_plain_where_it_must_be() {
    let text = printed(&day(&THREE), Format::Table, TerminalStyle::PLAIN);
    assert!(text.is_ascii(), "{text}");
    insta::assert_snapshot!(text, @r##"
        policy                       SLO met      p50     p99             cost  per 1M requests  replicas mean/max  cold starts  lost  failed
        -------------------------------------------------------------------------------------------------------------------------------------
        hpa-cpu-70            97.11 % +-0.35  73.1 ms  28.4 s  $617.56 +-12.97           $30.01            9.31/16           36     0       0
        keda-queue            94.60 % +-0.65  76.3 ms  32.3 s   $230.88 +-4.85           $11.24            9.31/16           36     0       0
        predictive+warm-pool  97.16 % +-0.34  72.1 ms  28.4 s  $777.06 +-16.32           $37.78            9.31/16           36     0       0

        keda-queue is cheaper than hpa-cpu-70 by $386.68 (95 % CI $377.68 to $395.68, 20 replications)
        keda-queue meets the SLO less often than hpa-cpu-70, by 2.51 points (95 % CI 2.11 to 2.91 points, 20 replications)
        predictive+warm-pool costs $159.50 more than hpa-cpu-70 (95 % CI $150.50 to $168.50, 20 replications)
        predictive+warm-pool against hpa-cpu-70, SLO: undecided (difference 0.0558 points, 95 % CI -0.34 points to 0.46 points, 20 replications)
        hpa-cpu-70 misses the objective of 99 % (97.11 % met the SLO)
        keda-queue misses the objective of 99 % (94.60 % met the SLO)
        predictive+warm-pool misses the objective of 99 % (97.16 % met the SLO)

        hpa-cpu-70: 28 days like this spend 289 % (95 % of them 229 % to 356 %) of the error budget; worst 5 min from 14:15, at 87.5 times the rate allowed
        keda-queue: 28 days like this spend 540 % (95 % of them 428 % to 665 %) of the error budget; worst 5 min from 14:15, at 87.5 times the rate allowed
        predictive+warm-pool: 28 days like this spend 284 % (95 % of them 225 % to 349 %) of the error budget; worst 5 min from 14:15, at 87.5 times the rate allowed

        hpa-cpu-70: hpa: cpu unread in 2 of 5760 passes, first at 00:00:00: no such metric
        keda-queue: hpa: cpu unread in 2 of 5760 passes, first at 00:00:00: no such metric
        predictive+warm-pool: hpa: cpu unread in 2 of 5760 passes, first at 00:00:00: no such metric
        "##);
}

#[test]
fn a_policy_with_a_metric_that_never_answered_is_marked_wherever_it_is_named() {
    let mut day = day(&THREE);
    let used = &mut day.details[1].services[0].metrics[0];
    (used.read, used.failed, used.empty_as_zero) = (0, 0, used.reads);
    day.summaries[1].pooled.metrics_silent = 1;
    let text = printed(&day, Format::Table, TerminalStyle::PLAIN);
    let row = text.lines().find(|line| line.starts_with("keda-queue")).unwrap();
    assert!(row.starts_with("keda-queue (!)"), "{row}");
    let verdict = text.lines().find(|line| line.starts_with("keda-queue misses the objective")).unwrap();
    assert!(verdict.ends_with("(warning: it never had a value of cpu, see the remarks)"), "{verdict}");
    assert!(!text.contains("hpa-cpu-70 (!)"));
}

#[test]
fn a_narrow_terminal_loses_columns_and_no_line_is_too_long() {
    for width in [60, 80, 100] {
        let style = TerminalStyle { width: Some(width), ..TerminalStyle::PLAIN };
        let text = printed(&day(&THREE), Format::Table, style);
        assert!(text.lines().all(|line| line.len() <= width), "{text}");
        assert!(text.contains("SLO met") && text.contains("cost"));
    }
}

#[test]
fn only_values_the_data_tell_apart_lose_the_highlight() {
    let style = TerminalStyle { color: true, unicode: true, width: None };
    let text = printed(&day(&THREE), Format::Table, style);
    let is_highlighted = |policy: &str, value: &str| {
        let line = text.lines().find(|line| line.starts_with(policy)).unwrap();
        let end = line.find(value).unwrap_or_else(|| panic!("{value} not in {line}"));
        line[..end].rfind("\u{1b}[1;32m") > line[..end].rfind("\u{1b}[0m")
    };
    assert!(is_highlighted("predictive", "97.16 %"));
    assert!(is_highlighted("hpa", "97.11 %"), "undecided against the best");
    assert!(!is_highlighted("keda", "94.60 %"));
}

#[test]
fn one_replication_supports_no_ranking() {
    let mut day = day(&THREE);
    let unknown = |mean| Interval { mean, low: f64::NAN, high: f64::NAN };
    for comparison in &mut day.comparisons {
        comparison.replications = 1;
        (comparison.cost_usd, comparison.slo_attainment) = (unknown(-5.0), unknown(0.1));
        (comparison.cost_verdict, comparison.slo_verdict) = (Verdict::Undecided, Verdict::Undecided);
    }
    let policies = day.outcomes();
    let sentences = ranking_sentences(&day.report(&policies));
    assert_eq!(sentences[0], "keda-queue against hpa-cpu-70, cost: undecided (1 replication gives no interval)");
    assert!(sentences.iter().all(|sentence| !sentence.contains("cheaper") && !sentence.contains("NaN")));
}

#[test]
fn json_has_the_summary_and_markdown_escapes_names() {
    let mut day = day(&THREE);
    day.summaries[0].pooled.policy = "a|b_<c>".to_owned();
    let json: serde_json::Value = serde_json::from_str(&printed(&day, Format::Json, TerminalStyle::PLAIN)).unwrap();
    assert_eq!(json["summary"][0]["policy"], "a|b_<c>");
    assert_eq!(json["summary"][0]["queue_wait_ms_mean"], serde_json::Value::Null);
    assert!(json["summary"][1]["cost_usd"].as_f64().unwrap() > 0.0);
    let markdown = printed(&day, Format::Markdown, TerminalStyle::PLAIN);
    assert!(markdown.contains("| a\\|b\\_&lt;c> |"), "{markdown}");
    assert!(printed(&day, Format::Csv, TerminalStyle::PLAIN).starts_with("policy,replications,requests,"));
}
