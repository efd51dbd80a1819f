//! Two services on one fleet: what is told apart, and what is told together.

use report::{
    Format, RunReport, TerminalStyle, comparison_table, error_budget_table, files, latency_cdf_table, ledger_table,
    metrics_table, render, replicas_table, report_html, requests_table, summary_table, timeline_table,
};

use crate::fixture::{Pair, THREE, pair};

const TWO: usize = 2;

fn two() -> Pair {
    pair(&THREE[..TWO])
}

fn rows(table: &report::Table) -> Vec<Vec<String>> {
    let text = String::from_utf8(table.to_csv()).unwrap();
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn column(rows: &[Vec<String>], name: &str) -> Vec<String> {
    let index = rows[0].iter().position(|header| header == name).unwrap_or_else(|| panic!("no column {name}"));
    rows[1..].iter().map(|row| row[index].clone()).collect()
}

fn micros(printed: &str) -> i64 {
    printed.replace('.', "").parse().unwrap()
}

#[test]
fn the_summary_has_a_row_for_the_cluster_and_one_for_each_service() {
    two().with_report(|report| {
        let rows = rows(&summary_table(report));
        assert_eq!(
            column(&rows, "policy"),
            ["hpa-cpu-70", "hpa-cpu-70", "hpa-cpu-70", "keda-queue", "keda-queue", "keda-queue"]
        );
        assert_eq!(column(&rows, "service"), ["", "chat", "embed", "", "chat", "embed"]);
        let requests: Vec<u64> = column(&rows, "requests").iter().map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(requests[0], requests[1] + requests[2]);
        // Nodes are the cluster's: no service lost none of them.
        assert_eq!(column(&rows, "spot_interruptions")[3..], ["0", "", ""]);
    });
}

#[test]
fn the_ledger_is_split_over_services_and_adds_up_to_the_bill() {
    let day = two();
    let total = day.cluster.details[1].ledger.total();
    day.with_report(|report| {
        let rows = rows(&ledger_table(report));
        let (policies, services) = (column(&rows, "policy"), column(&rows, "service"));
        let (uses, amounts) = (column(&rows, "use"), column(&rows, "usd"));
        let of_keda = |row: &usize| policies[*row] == "keda-queue";
        let sum: i64 = (0..policies.len()).filter(of_keda).map(|row| micros(&amounts[row])).sum();
        assert_eq!(sum, total.as_micros());
        for row in 0..policies.len() {
            assert_eq!(services[row].is_empty(), uses[row] == "unallocated", "row {row}");
        }
        let serving = uses.iter().zip(&services).filter(|(used, _)| *used == "serving");
        assert_eq!(
            serving.map(|(_, service)| service.as_str()).collect::<Vec<_>>(),
            ["chat", "embed", "chat", "embed"]
        );
    });
}

#[test]
fn every_table_says_whose_its_rows_are() {
    two().with_report(|report| {
        let services = |table: report::Table| {
            let mut names = column(&rows(&table), "service");
            names.dedup();
            names.truncate(3);
            names.join("|")
        };
        assert_eq!(services(timeline_table(report)), "|chat|embed");
        assert_eq!(services(replicas_table(report)), "chat|embed|chat");
        assert_eq!(services(metrics_table(report)), "chat|embed|chat");
        assert_eq!(services(comparison_table(report)), "|chat|embed");
        assert_eq!(services(error_budget_table(report)), "chat|embed|chat");
        assert_eq!(services(latency_cdf_table(report)), "chat|embed|chat");
        assert_eq!(column(&rows(&error_budget_table(report)), "objective"), ["0.95", "0.99", "0.95", "0.99"]);
    });
    assert_eq!(requests_table(("hpa", Some("chat")), &[]).column_names()[..2], ["policy", "service"]);
    assert!(!requests_table(("hpa", None), &[]).column_names().contains(&"service"));
}

#[test]
fn the_timeline_of_the_cluster_is_the_sum_and_alone_has_nodes_and_the_bill() {
    two().with_report(|report| {
        let rows = rows(&timeline_table(report));
        let (arrivals, bills) = (column(&rows, "arrivals"), column(&rows, "cost_so_far_usd"));
        let number = |row: usize| arrivals[row].parse::<u64>().unwrap();
        assert_eq!(number(700), number(1_440 + 700) + number(2 * 1_440 + 700));
        assert!(
            bills[..1_440].iter().all(|bill| !bill.is_empty()) && bills[1_440..3 * 1_440].iter().all(String::is_empty)
        );
        assert!(column(&rows, "latency_ms_p99")[..1_440].iter().all(String::is_empty), "quantiles do not add up");
    });
}

#[test]
fn the_terminal_tells_the_cluster_first_and_then_one_service_at_a_time() {
    let text = two().with_report(|report| render(report, Format::Table, TerminalStyle::PLAIN));
    insta::assert_snapshot!(text, @r##"
    policy      objective  SLO met           95 % CI       cost                 95 % CI  per 1M answers  replicas mean/max  cold starts  lost  failed
    -------------------------------------------------------------------------------------------------------------------------------------------------
    hpa-cpu-70  misses     97.14 %  96.79 to 97.48 %  $1,231.29  $1,205.43 to $1,257.14          $29.92            9.31/16           72     0       0
    keda-queue  misses     94.81 %  94.19 to 95.44 %    $460.80      $451.12 to $470.48          $11.21            9.31/16           72     0       0

    verdict    no policy meets the objectives of all services; keda-queue is nearest and misses the objective by 1.84 points: $460.80 for 24 h; 94.81 % of requests met the SLO (99 % needed)
    why        83 % of the misses under hpa-cpu-70 fall into the 12 min from 14:15, when 16 replicas were wanted and 9 ready; a cold start took 212 s; hpa's rate limit (Pods 2 per 60s, oldest wins) held it back in 12 of 48 passes
               keda-queue pays $41.50 for ready replicas without a request (18 % of its bill), hpa-cpu-70 $12.25
    how sure   certain with 20 replications at 95 %
    try        look beyond what is listed: cheaper settings of hpa-cpu-70 that meet
               scalelab optimize weekday-ramp --policy hpa-cpu-70

    keda-queue is cheaper than hpa-cpu-70 by $770.49 (95 % CI $761.49 to $779.49, 20 replications)
    keda-queue meets the SLO less often than hpa-cpu-70, by 2.32 points (95 % CI 1.92 to 2.72 points, 20 replications)

    chat (SLO: 95 % within 500 ms)

    policy      objective  SLO met           95 % CI      p50     p99         95 % CI     cost             95 % CI  per 1M answers  replicas mean/max  cold starts  lost  failed
    ----------------------------------------------------------------------------------------------------------------------------------------------------------------------------
    hpa-cpu-70  meets      97.11 %  96.76 to 97.46 %  73.1 ms  28.4 s  28.4 to 28.4 s  $590.32  $577.93 to $602.72          $28.68            9.31/16           36     0       0
    keda-queue  undecided  94.60 %  93.95 to 95.25 %  76.3 ms  32.3 s  32.3 to 32.3 s  $219.44  $214.83 to $224.05          $10.68            9.31/16           36     0       0

    keda-queue is cheaper than hpa-cpu-70 by $370.88 (95 % CI $361.88 to $379.88, 20 replications)
    keda-queue meets the SLO less often than hpa-cpu-70, by 2.51 points (95 % CI 2.11 to 2.91 points, 20 replications)

    hpa-cpu-70: 28 days like this spend 289 % (95 % of them 229 % to 356 %) of the error budget; worst 5 min from 14:15, at 87.5 times the rate allowed
    keda-queue: 28 days like this spend 540 % (95 % of them 428 % to 665 %) of the error budget; worst 5 min from 14:15, at 87.5 times the rate allowed

    embed (SLO: 99 % within 200 ms)

    policy      objective  SLO met           95 % CI      p50     p99         95 % CI     cost             95 % CI  per 1M answers  replicas mean/max  cold starts  lost  failed
    ----------------------------------------------------------------------------------------------------------------------------------------------------------------------------
    hpa-cpu-70  misses     97.16 %  96.82 to 97.50 %  73.1 ms  28.4 s  28.4 to 28.4 s  $586.49  $574.17 to $598.80          $28.51            9.31/16           36     0       0
    keda-queue  misses     95.03 %  94.43 to 95.62 %  76.3 ms  30.1 s  30.1 to 30.1 s  $218.48  $213.89 to $223.07          $10.62            9.31/16           36     0       0

    keda-queue is cheaper than hpa-cpu-70 by $368.01 (95 % CI $359.01 to $377.01, 20 replications)
    keda-queue meets the SLO less often than hpa-cpu-70, by 2.14 points (95 % CI 1.74 to 2.54 points, 20 replications)

    hpa-cpu-70: 28 days like this spend 284 % (95 % of them 225 % to 349 %) of the error budget; worst 5 min from 14:15, at 87.5 times the rate allowed
    keda-queue: 28 days like this spend 497 % (95 % of them 394 % to 613 %) of the error budget; worst 5 min from 14:15, at 87.5 times the rate allowed

    hpa-cpu-70, keda-queue: chat: hpa: cpu unread in 2 of 5760 passes, first at 00:00:00: no such metric
    hpa-cpu-70, keda-queue: embed: hpa: cpu unread in 2 of 5760 passes, first at 00:00:00: no such metric
    hpa-cpu-70, keda-queue: 1 pod waited for a node
    "##);
}

#[test]
fn markdown_and_json_have_a_part_for_each_service() {
    let (markdown, json) = two().with_report(|report| {
        let json: serde_json::Value =
            serde_json::from_str(&render(report, Format::Json, TerminalStyle::PLAIN)).unwrap();
        (render(report, Format::Markdown, TerminalStyle::PLAIN), json)
    });
    assert_eq!(
        markdown.lines().filter(|line| line.starts_with("#### ")).collect::<Vec<_>>(),
        ["#### chat (SLO: 95 % within 500 ms)", "#### embed (SLO: 99 % within 200 ms)"]
    );
    let services = json["services"].as_array().unwrap();
    assert_eq!((&services[1]["service"], &services[1]["slo_objective"]), (&"embed".into(), &0.99.into()));
    assert_eq!((&json["slo_objective"], &json["summary"][2]["service"]), (&serde_json::Value::Null, &"embed".into()));
}

#[test]
fn each_service_has_its_plots_and_its_section_of_the_page() {
    let day = two();
    let (names, page) = day.with_report(|report| {
        let names: Vec<String> =
            files(report).into_iter().map(|file| file.0).filter(|name| name.ends_with("svg")).collect();
        (names, String::from_utf8(report_html(report)).unwrap())
    });
    for name in ["cost_by_service", "overview", "chat-overview", "embed-latency_cdf", "embed-timeline-keda-queue"] {
        assert!(names.contains(&format!("plots/{name}.svg")), "{name}: {names:?}");
    }
    assert!(!names.contains(&"plots/latency_cdf.svg".to_owned()), "latencies of several services are no one's");
    for part in [
        "<h2>chat (SLO: 95 % within 500 ms)</h2>",
        "<th scope=\"col\">keda-queue: embed</th>",
        "2 services on one fleet",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<h2>Error budget</h2>"), "a cluster of services has none of its own");
}

#[test]
fn a_lone_service_is_not_told_apart() {
    let day = crate::fixture::day(&THREE);
    let policies = day.outcomes();
    let report: RunReport<'_> = day.report(&policies);
    for table in [summary_table(&report), timeline_table(&report), ledger_table(&report), comparison_table(&report)] {
        assert!(!table.column_names().contains(&"service"));
    }
}
