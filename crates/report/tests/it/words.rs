//! The comparison as people read it.

use record::{Interval, Verdict};
use report::{Format, RunReport, TerminalStyle, ranking_sentences, render};
use units::SimDuration;

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
        policy                objective  SLO met           95 % CI      p50     p99         95 % CI     cost             95 % CI  per 1M answers  replicas mean/max  cold starts  lost  failed
        --------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------
        hpa-cpu-70            misses     97.11 %  96.76 to 97.46 %  73.1 ms  28.4 s  28.4 to 28.4 s  $617.56  $604.59 to $630.53          $30.01            9.31/16           36     0       0
        keda-queue            misses     94.60 %  93.95 to 95.25 %  76.3 ms  32.3 s  32.3 to 32.3 s  $230.88  $226.03 to $235.73          $11.24            9.31/16           36     0       0
        predictive+warm-pool  misses     97.16 %  96.82 to 97.50 %  72.1 ms  28.4 s  28.4 to 28.4 s  $777.06  $760.74 to $793.38          $37.78            9.31/16           36     0       0

        verdict    no policy meets the objective; predictive+warm-pool is nearest and misses the objective by 1.84 points: $777.06 for 24 h; 97.16 % of requests answered within 500 ms (99 % needed)
        why        83 % of the misses under hpa-cpu-70 fall into the 12 min from 14:15, when 16 replicas were wanted and 9 ready; a cold start took 212 s; hpa's rate limit (Pods 2 per 60s, oldest wins) held it back in 12 of 48 passes
                   predictive+warm-pool pays $41.50 for ready replicas without a request (18 % of its bill), hpa-cpu-70 $12.25
        how sure   certain with 20 replications at 95 %
        try        look beyond what is listed: cheaper settings of hpa-cpu-70 that meet
                   scalelab optimize weekday-ramp --policy hpa-cpu-70

        keda-queue is cheaper than hpa-cpu-70 by $386.68 (95 % CI $377.68 to $395.68, 20 replications)
        keda-queue meets the SLO less often than hpa-cpu-70, by 2.51 points (95 % CI 2.11 to 2.91 points, 20 replications)
        predictive+warm-pool costs $159.50 more than hpa-cpu-70 (95 % CI $150.50 to $168.50, 20 replications)
        predictive+warm-pool against hpa-cpu-70, SLO: undecided (difference 0.0558 points, 95 % CI -0.34 points to 0.46 points, 20 replications)

        hpa-cpu-70: 28 days like this spend 289 % (95 % of them 229 % to 356 %) of the error budget; worst 5 min from 14:15, at 87.5 times the rate allowed
        keda-queue: 28 days like this spend 540 % (95 % of them 428 % to 665 %) of the error budget; worst 5 min from 14:15, at 87.5 times the rate allowed
        predictive+warm-pool: 28 days like this spend 284 % (95 % of them 225 % to 349 %) of the error budget; worst 5 min from 14:15, at 87.5 times the rate allowed

        hpa-cpu-70, keda-queue, predictive+warm-pool: hpa: cpu unread in 2 of 5760 passes, first at 00:00:00: no such metric
        "##);
}

#[test]
fn the_whole_way_of_a_chain_is_part_of_what_is_judged() {
    let day = day(&THREE);
    let policies = day.outcomes();
    let report = RunReport { slo_end_to_end: Some(SimDuration::from_secs(10)), ..day.report(&policies) };
    let text = render(&report, Format::Table, TerminalStyle::PLAIN);
    assert!(text.contains("of requests answered within 500 ms and end to end within 10 s (99 % needed)"), "{text}");
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
    day.verdict.chosen = Some(1);
    day.verdict.policies[1].silent_metrics = vec!["cpu".to_owned()];
    let text = printed(&day, Format::Table, TerminalStyle::PLAIN);
    let mut lines = text.lines().skip_while(|line| !line.starts_with("verdict"));
    assert!(lines.next().unwrap().contains("keda-queue"), "{text}");
    let warning = lines.next().unwrap();
    assert!(warning.starts_with("warning    keda-queue never had a value of cpu"), "{warning}");
    let json: serde_json::Value = serde_json::from_str(&printed(&day, Format::Json, TerminalStyle::PLAIN)).unwrap();
    assert_eq!(json["verdict"]["policies"][1]["silent_metrics"][0], "cpu");
    assert!(printed(&day, Format::Markdown, TerminalStyle::PLAIN).contains("- **warning**: keda-queue never had"));
    assert!(!text.contains("hpa-cpu-70 (!)"));
}

#[test]
fn a_narrow_terminal_loses_columns_and_no_line_is_too_long() {
    for width in [60, 80, 100] {
        let style = TerminalStyle { width: Some(width), ..TerminalStyle::PLAIN };
        let text = printed(&day(&THREE), Format::Table, style);
        // A command is one line whatever the width: it is there to be copied.
        assert!(text.lines().all(|line| line.len() <= width || line.contains(" scalelab ")), "{text}");
        assert!(text.contains("SLO met") && text.contains("cost"));
    }
}

#[test]
fn no_policy_below_the_objective_is_ever_green() {
    let style = TerminalStyle { color: true, unicode: true, width: None };
    let mut green = 0;
    for (mean, low, high) in [
        (0.97, 0.90, 0.995),
        (0.97, f64::NAN, f64::NAN),
        (0.989_999, 0.9895, 0.9999),
        (0.98, 0.991, 0.995),
        (0.995, 0.98, 0.999),
        (0.995, f64::NAN, f64::NAN),
        (0.995, 0.992, 0.997),
        (1.0, 0.999, 1.0),
        (f64::NAN, f64::NAN, f64::NAN),
    ] {
        let mut day = day(&THREE[..1]);
        day.summaries[0].slo_attainment = Interval { mean, low, high };
        day.summaries[0].slo_attainment_decides = Interval { mean, low, high };
        day.summaries[0].pooled.slo_attainment = mean;
        let text = printed(&day, Format::Table, style);
        let policies = day.outcomes();
        // Pages take their time: those of the doubtful cases are enough.
        let is_doubtful = (0.98..=0.995).contains(&mean);
        let page = if is_doubtful {
            String::from_utf8(report::report_html(&day.report(&policies))).unwrap()
        } else {
            String::new()
        };
        let is_sure = mean >= 0.99 && low >= 0.99;
        assert_eq!(text.contains("\u{1b}[1;32m"), is_sure, "{mean} {low}: {text}");
        assert_eq!(page.contains("class=\"stamp stamp-meets\""), is_sure && is_doubtful, "{mean} {low}");
        green += u32::from(is_sure);
    }
    assert_eq!(green, 2);
}

#[test]
fn a_percentile_that_has_no_answer_is_later_than_the_client_waits() {
    let mut day = day(&THREE);
    day.summaries[0].pooled.latency_ms_p99_all = f64::INFINITY;
    day.summaries[0].latency_ms_p99_all = Interval { mean: f64::INFINITY, low: f64::INFINITY, high: f64::INFINITY };
    let text = printed(&day, Format::Table, TerminalStyle::PLAIN);
    let row = text.lines().find(|line| line.starts_with("hpa-cpu-70")).unwrap();
    assert!(row.contains("> 60 s") && !row.contains("inf"), "{row}");
    let csv = printed(&day, Format::Csv, TerminalStyle::PLAIN);
    let header = csv.lines().next().unwrap().split(',').position(|name| name == "latency_ms_p99_all").unwrap();
    assert_eq!(csv.lines().nth(1).unwrap().split(',').nth(header), Some("inf"));
}

#[test]
fn two_replications_give_no_usable_interval() {
    let mut day = day(&THREE);
    day.summaries.iter_mut().for_each(|summary| summary.replications = 2);
    let text = printed(&day, Format::Table, TerminalStyle::PLAIN);
    assert!(!text.lines().next().unwrap().contains("95 % CI"), "{text}");
    assert!(text.contains("2 replications give no usable interval"), "{text}");
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
    let text = printed(&day, Format::Table, TerminalStyle::PLAIN);
    assert!(text.contains("no policy is told from another: an interval takes 3 replications or more"), "{text}");
    assert!(!text.contains(" against "), "one line says it of all pairs: {text}");
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

#[test]
fn json_of_one_policy_names_it() {
    let day = day(&THREE[..1]);
    let json: serde_json::Value = serde_json::from_str(&printed(&day, Format::Json, TerminalStyle::PLAIN)).unwrap();
    assert_eq!(json["summary"][0]["policy"], "hpa-cpu-70");
}
