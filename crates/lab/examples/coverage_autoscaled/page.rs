//! The page: per scenario a row per policy and printed column, a cell per number of replications; then gates at the edge.

use std::fmt::Write as _;

use lab::experiment::CoverageRow;

use crate::{SIZES, Study};

/// What an interval at 95 % may hold, in shares of experiments.
const BAND: std::ops::RangeInclusive<f64> = 0.92..=0.98;
/// A gate may hold falsely in half of what an interval may miss.
const FALSE_GATES_MAX: f64 = 0.025;
/// Columns whose intervals a run prints; the others are for gates, `diff` and sweeps.
const PRINTED: [&str; 7] = [
    "slo_attainment",
    "cost_usd",
    "latency_ms_mean",
    "latency_ms_p99",
    "latency_ms_p99_all",
    "cost_usd difference",
    "slo_attainment difference",
];

pub(crate) fn page(studies: &[Study], replications: usize, experiments: usize) -> String {
    let tables = studies.iter().map(|study| table(study, |column| PRINTED.contains(&column)));
    let printed = || {
        let rows = studies.iter().flat_map(|study| study.rows.iter().map(move |row| (study.scenario, row)));
        rows.filter(|(_, row)| PRINTED.contains(&row.column.as_str()) && row.shown > 0.0)
    };
    let listed = |is_listed: &dyn Fn(f64) -> bool| {
        let cells = printed().filter(|(_, row)| is_listed(row.coverage_shown));
        let line = |(scenario, row): (&str, &CoverageRow)| {
            let CoverageRow { policy, column, replications, coverage_shown, .. } = row;
            format!("- {scenario} {policy} {column} n = {replications}: {}\n", percent(*coverage_shown))
        };
        let lines: Vec<String> = cells.map(line).collect();
        if lines.is_empty() { "- none\n".to_owned() } else { lines.concat() }
    };
    let outside = format!(
        "\n## Outside 92 to 98 %\n\nOf {} cells with printed intervals, below 92 %:\n\n{}\nAbove 98 %, where an interval is wider than it promises (percentiles cannot be \
         told closer than a histogram's bucket, 1 %; bills that are the same in every replication are certain):\n\n{}",
        printed().count(),
        listed(&|share| share < *BAND.start()),
        listed(&|share| share > *BAND.end()),
    );
    head(replications, experiments) + &tables.collect::<String>() + &outside + &gates(studies)
}

fn head(replications: usize, experiments: usize) -> String {
    let apart = SIZES.into_iter().filter(|size| size * experiments <= replications).max().unwrap_or(0);
    format!(
        "# Do 95 % intervals of autoscaled runs hold the truth in 95 % of cases?

{replications} replications of each policy are dealt out at random to {experiments} experiments of n replications. Experiments of up to {apart} have no replication in
common; larger ones are dealt anew when the replications are used up, so that one of 100 shares each with about {} others. The truth is the figure of all {replications} together.

A cell has the share of intervals that hold the truth and, behind it, their median half-width over the truth. **Bold: printed.** In brackets: not
printed, since so few replications are not known to give an interval that holds; the run says how many are. A cell that is printed in part of the
experiments only (replicas came and went in some of them) says in how many, and the share is of those. `coverage.csv` has every column, also those that are for gates
alone, with the shares below and above the truth, and by how much intervals would have had to be stretched for 92, 95 and 98 % of them to hold it.

```
cargo run --release --example coverage_autoscaled -- {replications} {experiments} results/evidence
```
",
        (100 * experiments / replications).saturating_sub(1)
    )
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn table(study: &Study, is_wanted: impl Fn(&str) -> bool) -> String {
    let mut text = format!("\n## {}\n\n| policy | column |", study.scenario);
    SIZES.iter().for_each(|size| text += &format!(" n = {size} |"));
    text += &format!("\n| --- | --- |{}\n", " --- |".repeat(SIZES.len()));
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for row in study.rows.iter().filter(|row| is_wanted(&row.column)) {
        let key = (row.policy.as_str(), row.column.as_str());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    for (policy, column) in keys {
        let _ = write!(text, "| {policy} | {column} |");
        for size in SIZES {
            let is_it = |row: &&CoverageRow| {
                (row.policy.as_str(), row.column.as_str(), row.replications) == (policy, column, size)
            };
            text += &format!(" {} |", study.rows.iter().find(is_it).map_or_else(String::new, cell));
        }
        text.push('\n');
    }
    text
}

fn cell(row: &CoverageRow) -> String {
    let width = if row.half_width.is_finite() { format!("±{}", percent(row.half_width)) } else { "no end".to_owned() };
    let with = |share: f64| format!("{} ({width})", percent(share));
    match row.shown {
        _ if row.coverage.is_nan() => "none".to_owned(),
        0.0 => format!("[{}]", with(row.coverage)),
        1.0 => format!("**{}**", with(row.coverage_shown)),
        part => format!("**{}** in {}", with(row.coverage_shown), percent(part)),
    }
}

/// How often a gate holds although the truth is just beyond its limit.
fn gates(studies: &[Study]) -> String {
    let mut text = format!(
        "\n## Gates whose limit is the truth

`cost_usd <= X` with X just below the true mean, `slo_attainment >= X` with X just above it: the share of experiments in which such a gate holds although
it must not, at most {} being what an interval at 95 % leaves. Attainment with fewer than 30 replications has no interval to show and is decided by one
three times as wide; so is the difference of two policies.\n\n| scenario | policy | gate |",
        percent(FALSE_GATES_MAX)
    );
    SIZES.iter().for_each(|size| text += &format!(" n = {size} |"));
    text += &format!("\n| --- | --- | --- |{}\n", " --- |".repeat(SIZES.len()));
    for study in studies {
        for (column, sign) in [("cost_usd", "<="), ("slo_attainment", ">=")] {
            let mut policies: Vec<&str> = Vec::new();
            for row in study.rows.iter().filter(|row| row.column == column) {
                if !policies.contains(&row.policy.as_str()) {
                    policies.push(&row.policy);
                }
            }
            for policy in policies {
                let cells = SIZES.map(|size| gate_cell(study, (policy, column, sign), size));
                let _ = writeln!(text, "| {} | {policy} | `{column} {sign}` | {} |", study.scenario, cells.join(" | "));
            }
        }
    }
    text
}

fn gate_cell(study: &Study, (policy, column, sign): (&str, &str, &str), size: usize) -> String {
    let of = |name: &str| {
        let is_it = |row: &&CoverageRow| row.policy == policy && row.column == name && row.replications == size;
        study.rows.iter().find(is_it)
    };
    let deciding = of(&format!("{column} to decide by"));
    match deciding.or_else(|| of(column).filter(|row| row.shown > 0.0)) {
        Some(row) => percent(if sign == "<=" { row.too_low } else { row.too_high }),
        None => "undecided".to_owned(),
    }
}
