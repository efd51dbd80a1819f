//! The page of a run: its figures are those of the tables, what it packs is the timeline, and it stays small.

use std::collections::BTreeMap;
use std::io::Read;

use record::TimelineRow;
use report::{Table, error_budget_table, report_html, summary_table};

use crate::fixture::{Behavior, Day, FIVE, day};

fn six() -> Day {
    let sixth =
        Behavior { name: "hpa-as-published", lag_minutes: 3, headroom: 1.4, spot: false, standby: 1, service: None };
    day(&[FIVE[0], FIVE[1], FIVE[2], FIVE[3], FIVE[4], sixth])
}

fn page_of(day: &Day) -> String {
    let policies = day.outcomes();
    String::from_utf8(report_html(&day.report(&policies))).unwrap()
}

/// The text between two marks, and what follows.
fn between<'a>(text: &'a str, from: &str, to: &str) -> (&'a str, &'a str) {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from}"));
    rest.split_once(to).unwrap_or_else(|| panic!("no {to} after {from}"))
}

/// Headers, and the cells of each row without their small print.
fn comparison(page: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let (table, _) = between(page, "id=\"comparison\">", "</table>");
    let (head, body) = table.split_once("<tbody>").unwrap();
    let plain = |text: &str| {
        let text = text.split("<small>").next().unwrap();
        let mut out = String::new();
        let mut is_tag = false;
        for character in text.chars() {
            match character {
                '<' => is_tag = true,
                '>' => is_tag = false,
                other if !is_tag => out.push(other),
                _ => {}
            }
        }
        out.trim().replace("&#x2f;", "/").replace("&gt;", ">")
    };
    let headers =
        head.split("<button type=\"button\">").skip(1).map(|rest| plain(rest.split("</button>").next().unwrap()));
    let rows = body.split("<tr>").skip(1).map(|row| {
        let cells = row.split("<td").skip(1);
        cells.map(|cell| plain(cell.split_once('>').unwrap().1.split("</td>").next().unwrap())).collect()
    });
    (headers.collect(), rows.collect())
}

/// The rows of a table as its CSV has them, by column.
fn rows_of(table: &Table) -> Vec<BTreeMap<String, String>> {
    let text = String::from_utf8(table.to_csv()).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let headers = lines.next().unwrap();
    lines.map(|line| headers.iter().cloned().zip(line).collect()).collect()
}

/// The number printed, in the unit of the tables, and how far off rounding may be.
fn printed(text: &str) -> Option<(f64, f64)> {
    let text = text.replace(',', "");
    let (number, unit) = match text.trim_start_matches(['$', '>', ' ']).split_once(' ') {
        Some((number, unit)) => (number.to_owned(), unit.to_owned()),
        None => (text.trim_start_matches(['$', '>', ' ']).to_owned(), String::new()),
    };
    let value: f64 = number.parse().ok()?;
    let decimals = number.split_once('.').map_or(0, |(_, part)| part.len());
    let scale = match unit.as_str() {
        "%" => 0.01,
        "s" => 1_000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        _ => 1.0,
    };
    Some((value * scale, scale * 10_f64.powi(-i32::try_from(decimals).unwrap())))
}

#[test]
fn every_figure_of_the_pages_table_is_that_of_the_csv() {
    let day = six();
    let policies = day.outcomes();
    let report = day.report(&policies);
    let rows = rows_of(&summary_table(&report));
    let budgets = rows_of(&error_budget_table(&report));
    let (headers, cells) = comparison(&page_of(&day));
    assert_eq!((cells.len(), rows.len()), (6, 6));
    let mut compared = 0;
    for ((row, budget), cells) in rows.iter().zip(&budgets).zip(&cells) {
        let csv = |name: &str| row[name].parse::<f64>().unwrap_or_else(|_| panic!("{name}: {}", row[name]));
        let days = budget["measured_s"].parse::<f64>().unwrap() / 86_400.0;
        for (header, text) in headers.iter().zip(cells) {
            let wanted = match header.as_str() {
                "policy" => {
                    assert_eq!(&row["policy"], text);
                    continue;
                }
                "objective" => {
                    let objective = 0.99;
                    let wanted = match (csv("slo_attainment_ci_low"), csv("slo_attainment_ci_high")) {
                        _ if csv("slo_attainment") >= objective && csv("slo_attainment_ci_low") >= objective => "meets",
                        (_, high) if csv("slo_attainment") < objective && high < objective => "misses",
                        _ => "undecided",
                    };
                    assert_eq!(text, wanted);
                    continue;
                }
                "SLO met" => csv("slo_attainment"),
                "cost" => csv("cost_usd"),
                "a day like this" => csv("cost_usd") / days,
                "30 days like this" => csv("cost_usd") / days * 30.0,
                "below objective" => budget["in_violation_s"].parse::<f64>().unwrap() * 1_000.0,
                "failed" => csv("failed"),
                // No answer there: later than the client waits.
                "p99" if text.starts_with('>') => {
                    assert!(!row["latency_ms_p99_all"].parse::<f64>().is_ok_and(f64::is_finite));
                    continue;
                }
                "p99" => csv("latency_ms_p99_all"),
                "waste" => {
                    let parts = ["cost_idle_usd", "cost_cold_start_usd", "cost_standby_usd", "cost_unallocated_usd"];
                    parts.into_iter().map(csv).sum::<f64>() / csv("cost_usd")
                }
                "replicas mean/max" => {
                    let (mean, max) = text.split_once('/').unwrap();
                    assert_eq!(max.parse::<f64>().unwrap(), csv("replicas_max"));
                    let (value, step) = printed(mean).unwrap();
                    assert!((value - csv("replicas_mean")).abs() <= step, "{text}");
                    continue;
                }
                "cold starts" => csv("cold_starts"),
                other => panic!("{other}: no column to compare with"),
            };
            let (value, step) = printed(text).unwrap_or((0.0, 1.0));
            assert!((value - wanted).abs() <= step * 1.000_001, "{header}: {text} where the table has {wanted}");
            compared += 1;
        }
    }
    assert!(compared >= 6 * 7, "{compared}");
}

/// What the page's script gets: the header, and columns by number.
fn unpacked(page: &str) -> (serde_json::Value, Vec<Vec<f32>>) {
    let (text, _) = between(page, "id=\"data\">", "</script>");
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = 0_u32;
    let mut packed = Vec::new();
    for (index, letter) in text.trim().trim_end_matches('=').bytes().enumerate() {
        bits = bits << 6 | u32::try_from(letters.find(char::from(letter)).unwrap()).unwrap();
        if index % 4 > 0 {
            packed.push((bits >> (6 - 2 * (index % 4))) as u8);
        }
    }
    let mut bytes = Vec::new();
    flate2::read::ZlibDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
    let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[4..4 + length]).unwrap();
    let mut rest = &bytes[4 + length..];
    let lengths = header["lengths"].as_array().unwrap().iter().map(|length| length.as_u64().unwrap() as usize);
    let columns = lengths
        .map(|rows| {
            let (planes, left) = rest.split_at(4 * rows);
            rest = left;
            (0..rows).map(|row| f32::from_le_bytes(std::array::from_fn(|plane| planes[plane * rows + row]))).collect()
        })
        .collect();
    assert!(rest.is_empty());
    (header, columns)
}

#[test]
fn what_the_page_draws_is_the_timeline_and_its_dollars_add_up_to_the_bill() {
    let day = six();
    let (header, columns) = unpacked(&page_of(&day));
    for (policy, detail) in day.details.iter().enumerate() {
        let run = &header["subjects"][0]["runs"][policy];
        let column = |name: &str| &columns[usize::try_from(run["columns"][name].as_u64().unwrap()).unwrap()];
        let timeline = detail.timeline();
        let exact = |count: fn(&TimelineRow) -> f32| timeline.iter().map(count).collect::<Vec<_>>();
        assert_eq!(column("missed"), &exact(|row| row.slo_misses as f32));
        assert_eq!(column("arrivals"), &exact(|row| row.arrivals as f32));
        assert_eq!(column("ready"), &exact(|row| row.ready as f32));
        let hours: Vec<f64> = timeline.iter().map(|row| row.step.as_secs_f64() / 3_600.0).collect();
        let dollars: f64 = (0..6)
            .map(|part| {
                column(&format!("use{part}"))
                    .iter()
                    .zip(&hours)
                    .map(|(rate, hour)| f64::from(*rate) * hour)
                    .sum::<f64>()
            })
            .sum();
        let bill = timeline.last().unwrap().cost_so_far.as_f64();
        assert!((dollars / bill - 1.0).abs() < 1e-3, "{dollars} of {bill}");
        let told = run["decisions"]["rows"].as_array().unwrap();
        let writes = detail.services[0].decisions.iter().filter(|row| row.written.is_some()).count();
        assert!(told.len() >= writes.min(200), "{} of {writes}", told.len());
    }
}

#[test]
fn six_policies_over_a_day_stay_below_700_kilobytes() {
    let page = page_of(&six());
    assert!(page.len() < 700_000, "{}", page.len());
    assert!(
        !page.contains("id=\"overview\"") && !page.contains("id=\"timeline-"),
        "the script draws what is over time"
    );
}
