//! What the tables hold, read back from their bytes.

use std::path::Path;

use record::{Interval, RequestRow};
use report::{
    FinishedPart, RequestsPart, Table, burn_rate_table, comparison_table, decisions_table, error_budget_table, files,
    ledger_table, replications_table, requests_table, summary_table, timeline_table, write_requests,
};
use units::{SimDuration, SimTime, Usd};

use crate::fixture::{Day, THREE, day};
use crate::reader::{group_rows, parquet_frame, printed};

/// The fixed columns of `summary`, in order.
const SUMMARY: &str = "policy, replications, requests, completed, failed, slo_attainment, slo_attainment_ci_low, \
    slo_attainment_ci_high, latency_ms_mean, latency_ms_p50, latency_ms_p90, latency_ms_p95, latency_ms_p99, latency_ms_p999, \
    latency_ms_max, queue_wait_ms_mean, cost_usd, cost_usd_ci_low, cost_usd_ci_high, cost_per_million_requests_usd, \
    cost_serving_usd, cost_idle_usd, cost_cold_start_usd, cost_standby_usd, cost_draining_usd, cost_unallocated_usd, \
    cost_on_demand_usd, cost_spot_usd, gpu_hours, replicas_mean, replicas_max, cold_starts, cold_start_s_mean, cold_start_s_p95, \
    spot_interruptions, requests_lost, scale_ups, scale_downs";

fn csv(bytes: Vec<u8>) -> Vec<Vec<String>> {
    let text = String::from_utf8(bytes).unwrap();
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn column<'a>(rows: &'a [Vec<String>], name: &str) -> Vec<&'a str> {
    let index = rows[0].iter().position(|header| header == name).unwrap_or_else(|| panic!("no column {name}"));
    rows[1..].iter().map(|row| row[index].as_str()).collect()
}

/// Micro-dollars of a printed amount with exactly six decimals.
fn micros(printed: &str) -> i64 {
    let (whole, fraction) = printed.split_once('.').unwrap();
    assert_eq!(fraction.len(), 6, "{printed}");
    format!("{whole}{fraction}").parse().unwrap()
}

fn with_report<T>(day: &Day, check: impl FnOnce(&report::RunReport<'_>) -> T) -> T {
    let policies = day.outcomes();
    check(&day.report(&policies))
}

#[test]
fn summary_has_the_promised_columns_in_order() {
    let wanted: Vec<&str> = SUMMARY.split(", ").collect();
    with_report(&day(&THREE), |report| {
        assert_eq!(summary_table(report).column_names()[..wanted.len()], wanted);
        let without_intervals: Vec<&str> = wanted.iter().copied().filter(|name| !name.contains("_ci_")).collect();
        let replications = replications_table(report);
        let names = replications.column_names();
        assert_eq!((names[0], names[1]), ("policy", "replication"));
        assert_eq!(names[2..without_intervals.len()], without_intervals[2..]);
        // What was added later comes after what was there.
        let late = names.iter().position(|name| *name == "ttft_ms_mean").unwrap();
        assert_eq!(names[late - 2..late], ["seed", "digest"]);
        let last = summary_table(report);
        let last: Vec<&str> = last.column_names().into_iter().filter(|name| !name.contains("_ci_")).collect();
        assert_eq!(names[names.len() - 2..], last[last.len() - 2..]);
    });
}

#[test]
fn printed_cost_items_add_up_to_the_printed_cost_to_the_last_digit() {
    with_report(&day(&THREE), |report| {
        for table in [summary_table(report), replications_table(report)] {
            let rows = csv(table.to_csv());
            let sum =
                |names: &[&str], row: usize| -> i64 { names.iter().map(|name| micros(column(&rows, name)[row])).sum() };
            for (row, total) in column(&rows, "cost_usd").into_iter().enumerate() {
                let uses = ["serving", "idle", "cold_start", "standby", "draining", "unallocated"]
                    .map(|item| format!("cost_{item}_usd"));
                let bought = ["on_demand", "spot", "reserved", "serverless"].map(|item| format!("cost_{item}_usd"));
                assert_eq!(sum(&uses.each_ref().map(String::as_str), row), micros(total));
                assert_eq!(sum(&bought.each_ref().map(String::as_str), row), micros(total));
            }
        }
    });
}

#[test]
fn the_ledger_table_adds_up_to_the_ledger() {
    let day = day(&THREE);
    with_report(&day, |report| {
        let rows = csv(ledger_table(report).to_csv());
        let total: i64 = column(&rows, "usd").into_iter().map(micros).sum();
        assert_eq!(total, day.details.iter().map(|detail| detail.ledger.total().as_micros()).sum::<i64>());
    });
}

#[test]
fn a_budget_says_how_long_it_lasts_and_where_it_went() {
    let mut day = day(&THREE);
    day.budgets[1].burn_rate = Interval { mean: 4.0, low: f64::NAN, high: f64::NAN };
    day.budgets[2].burn_rate = Interval { mean: 0.0, low: 0.0, high: 0.1 };
    with_report(&day, |report| {
        let rows = csv(error_budget_table(report).to_csv());
        assert_eq!(column(&rows, "budget_lasts_days")[1..], ["7.0", ""]);
        assert_eq!(column(&rows, "burn_rate_ci_low")[1], "");
        assert_eq!(column(&rows, "worst_5m_start")[0], "2026-03-02T14:15:00+01:00");
        assert_eq!(column(&rows, "in_violation_s"), ["5400.0"; 3]);
        let rows = csv(burn_rate_table(report).to_csv());
        assert_eq!(column(&rows, "window_s"), ["300.0", "3600.0", "300.0", "3600.0", "300.0", "3600.0"]);
        assert_eq!(column(&rows, "alerting_s")[..2], ["", "1260.0"]);
    });
}

#[test]
fn what_is_not_known_is_an_empty_field() {
    let mut day = day(&THREE);
    day.summaries[0].cost_usd.low = f64::NAN;
    with_report(&day, |report| {
        let rows = csv(summary_table(report).to_csv());
        assert_eq!(column(&rows, "queue_wait_ms_mean"), ["", "", ""]);
        assert_eq!(column(&rows, "cost_usd_ci_low")[0], "");
        assert_eq!(column(&rows, "ttft_ms_p50"), ["", "", ""]);
        let text = String::from_utf8(comparison_table(report).to_csv()).unwrap();
        assert!(!text.contains("NaN"));
    });
}

#[test]
fn a_decision_can_be_read_without_a_manual() {
    with_report(&day(&THREE[..1]), |report| {
        let text = String::from_utf8(decisions_table(report).to_csv()).unwrap();
        insta::assert_snapshot!(text, @r##"
        time_s,time,policy,controller,replicas_before,ready,metrics,metric_age_s_max,raw,stabilized,rate_limited,bounded,after_steps,steps,reason,written_to,written
        33240.0,2026-03-02T09:14:00+01:00,hpa-cpu-70,hpa,9,9,cpu=0.91/0.7->12,45.0,12,12,11,10,10,"stabilization 12->12; rate limit 12->11 (Pods 2 per 60s, oldest wins); bounds 11->10 (maxReplicas)",TooManyReplicas,replicas,10
        "##);
    });
}

#[test]
fn parquet_reads_back_what_csv_says() {
    with_report(&day(&THREE), |report| {
        let table = timeline_table(report);
        let read = parquet_frame(&table.to_parquet());
        assert_eq!(read.height(), 3 * 1_440);
        let names: Vec<&str> = read.get_column_names().into_iter().map(polars::prelude::PlSmallStr::as_str).collect();
        assert_eq!(names, table.column_names());
        let rows = csv(table.to_csv());
        let cost = read.column("cost_so_far_usd").unwrap().f64().unwrap().get(1_439).unwrap();
        assert_eq!(format!("{cost:.6}"), column(&rows, "cost_so_far_usd")[1_439]);
        let p99 = read.column("latency_ms_p99").unwrap().f64().unwrap().clone();
        assert_eq!((p99.get(3), column(&rows, "latency_ms_p99")[3]), (None, ""));
        assert_eq!(column(&rows, "time")[554], "2026-03-02T09:14:00+01:00");
        assert_eq!(column(&rows, "time_s")[554], "33240.0");
    });
}

/// Rows of a policy, one every millisecond, all answered after 250 ms by replica 3 save every seventh, which is turned away.
fn request_rows(count: u64) -> Vec<RequestRow> {
    let row = |index: u64| {
        let arrival = SimTime::from_nanos(index * 1_000_000);
        let is_answered = !index.is_multiple_of(7);
        let end = if is_answered { arrival + SimDuration::from_millis(250) } else { arrival };
        RequestRow {
            arrival,
            start: is_answered.then_some(arrival),
            first_token: None,
            end: Some(end),
            replica: is_answered.then_some(units::PodId(3)),
            outcome: if is_answered { "completed" } else { "rejected" },
            prompt_tokens: None,
            output_tokens: None,
        }
    };
    (0..count).map(row).collect()
}

fn part(folder: &Path, policy: &str, rows: &[RequestRow], at_once: usize) -> FinishedPart {
    let mut part = RequestsPart::create(folder, (policy, None)).unwrap();
    rows.chunks(at_once).for_each(|rows| part.push(rows).unwrap());
    part.finish().unwrap()
}

#[test]
fn requests_written_in_parts_read_back_as_one_table_in_the_order_of_policies() {
    let folder = tempfile::tempdir().unwrap();
    // The first is longer than a row group.
    let rows = [request_rows(300_001), request_rows(5), request_rows(0), request_rows(140_000)];
    let parts = rows.iter().zip(["a", "b", "none", "d"]).map(|(rows, policy)| part(folder.path(), policy, rows, 4_096));
    write_requests(folder.path(), parts.collect()).unwrap();
    let bytes = std::fs::read(folder.path().join("requests.parquet")).unwrap();
    assert_eq!(group_rows(&bytes), [65_536, 65_536, 65_536, 65_536, 37_857, 5, 65_536, 65_536, 8_928]);
    let read = parquet_frame(&bytes);
    let whole =
        [(0, "a"), (1, "b"), (3, "d")].map(|(index, policy)| requests_table((policy, None), &rows[index]).to_csv());
    let header = requests_table(("", None), &[]).to_csv();
    let mut expected = header.clone();
    whole.iter().for_each(|csv| expected.extend_from_slice(&csv[header.len()..]));
    assert!(std::fs::read(folder.path().join("requests.csv")).unwrap() == expected, "requests.csv");
    assert!(printed(&read).into_bytes() == expected, "requests.parquet");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
}

#[test]
fn how_rows_are_handed_over_does_not_change_the_bytes() {
    let rows = request_rows(200_000);
    let bytes = |at_once: usize, policies: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let parts = policies.iter().map(|policy| part(folder.path(), policy, &rows, at_once));
        write_requests(folder.path(), parts.collect()).unwrap();
        std::fs::read(folder.path().join("requests.parquet")).unwrap()
    };
    assert!(bytes(1_000, &["a"]) == bytes(200_000, &["a"]));
    assert!(bytes(1_000, &["a", "b"]) == bytes(70_001, &["a", "b"]));
}

#[test]
fn a_part_that_is_given_up_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut part = RequestsPart::create(folder.path(), ("a", None)).unwrap();
    part.push(&request_rows(200_000)).unwrap();
    drop(part);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_name_with_commas_and_quotes_stays_one_field() {
    let mut day = day(&THREE);
    day.summaries[0].pooled.policy = "hpa, \"fast\"".to_owned();
    with_report(&day, |report| {
        let text = String::from_utf8(summary_table(report).to_csv()).unwrap();
        assert!(text.contains("\n\"hpa, \"\"fast\"\"\",20,"), "{text}");
    });
}

#[test]
fn fields_of_csv_are_quoted_where_they_could_be_misread_and_numbers_read_back_as_the_same_bits() {
    let texts = ["plain", "a,b", "say \"so\"", "two\nlines", "a\rb", " é ", ""];
    let numbers = [0.1 + 0.2, 1e16, -0.0, 5e-324, f64::NAN, f64::INFINITY, 123_456_789.0];
    let counts = [0, 1, u64::MAX, 7, 8, 9, 10].map(|count| Some(count).filter(|count| *count != 9));
    let table = Table::default()
        .text("text, \"quoted\"", texts.iter())
        .number("number", numbers.into_iter())
        .count("count", counts.into_iter())
        .dollars("usd", [1, -2, 3, 4, 5, 6, 0].into_iter().map(Usd::from_micros));
    let wanted = "\"text, \"\"quoted\"\"\",number,count,usd\n\
        plain,0.30000000000000004,0,0.000001\n\
        \"a,b\",1e+16,1,-0.000002\n\
        \"say \"\"so\"\"\",-0.0,18446744073709551615,0.000003\n\
        \"two\nlines\",5e-324,7,0.000004\n\
        \"a\rb\",,8,0.000005\n \
        é ,inf,,0.000006\n\
        ,123456789.0,10,0.000000\n";
    assert_eq!(String::from_utf8(table.to_csv()).unwrap(), wanted);
    let one_column = Table::default().text("only", ["", "x"].iter());
    assert_eq!(one_column.to_csv(), b"only\n\nx\n");
}

#[test]
fn a_long_table_is_several_row_groups_and_an_empty_one_none() {
    let table = |rows: u64| Table::default().count("n", 0..rows);
    assert_eq!(group_rows(&table(600_000).to_parquet()), [300_000, 300_000]);
    assert_eq!(group_rows(&table(0).to_parquet()), [0; 0]);
}

#[test]
fn the_same_results_make_the_same_bytes() {
    let (first, second) = (day(&THREE), day(&THREE));
    let all = |day: &Day| with_report(day, files);
    assert!(all(&first) == all(&second));
}

#[test]
fn a_run_without_details_still_makes_every_table() {
    let mut day = day(&THREE);
    for detail in &mut day.details {
        let service = &mut detail.services[0];
        (service.timeline, service.decisions, service.replicas) = (Vec::new(), Vec::new(), Vec::new());
        detail.nodes.clear();
    }
    with_report(&day, |report| {
        let names: Vec<String> = files(report).into_iter().map(|file| file.0).collect();
        assert!(names.contains(&"timeline.csv".to_owned()) && names.contains(&"report.html".to_owned()));
        assert!(!names.iter().any(|name| name.starts_with("requests") || name.contains("plots/timeline")));
    });
}
