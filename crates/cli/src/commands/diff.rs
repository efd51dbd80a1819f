//! `scalelab diff`: two result folders, and which differences are more than chance.

use lab::columns::Column;
use lab::diff::{self, COLUMNS_COMPARED, DiffRow};
use lab::gates::figure;
use record::Verdict;
use serde_json::json;

use crate::args::{Diff, Format};
use crate::failure::{Outcome, Result};
use crate::grid::Grid;
use crate::places::shown;
use crate::results;

/// Reads both, compares, prints. Differences are news, not failures: the exit code is 0.
pub fn diff(args: &Diff) -> Result<Outcome> {
    let before = results::runs(&args.before)?;
    let after = results::runs(&args.after)?;
    let columns: Vec<&'static Column> = if args.column.is_empty() {
        COLUMNS_COMPARED.iter().filter_map(|name| Column::named(name)).collect()
    } else {
        results::columns("--column", &args.column)?
    };
    let found = diff::diff(&before, &after, &columns);
    match args.format {
        Format::Json => outln!("{:#}", to_json(&found)),
        Format::Csv => out!("{}", grid(&found, |_| true).render(Format::Csv)),
        format => {
            if found.rows.iter().any(is_told) {
                out!("{}", told(&found).render(format));
                outln!();
            }
            sentences(args, &found).iter().for_each(|sentence| outln!("{sentence}"));
        }
    }
    Ok(Outcome::Done)
}

/// What is the same in every replication has no row but for programs: the sentences name it.
fn told(found: &diff::Diff) -> Grid {
    grid(found, is_told)
}

fn is_told(row: &DiffRow) -> bool {
    row.verdict != Verdict::Same
}

fn grid(found: &diff::Diff, is_told: fn(&DiffRow) -> bool) -> Grid {
    let has_services = found.rows.iter().any(|row| !row.service.is_empty());
    let mut head = vec!["policy", "service", "column", "before", "after", "difference", "interval", "verdict"];
    if !has_services {
        head.remove(1);
    }
    let mut grid = Grid::new(&head, 2 + usize::from(has_services));
    for row in found.rows.iter().filter(|row| is_told(row)) {
        let shown = |value: f64| figure(row.column.unit, value);
        let interval = match (row.difference.low.is_nan(), row.replications_needed) {
            (true, Some(needed)) => format!("needs {needed} replications"),
            (true, None) => "none".to_owned(),
            (false, _) => format!("{} to {}", shown(row.difference.low), shown(row.difference.high)),
        };
        let mut cells = vec![
            row.policy.clone(),
            row.service.clone(),
            row.column.name.to_owned(),
            shown(row.before),
            shown(row.after),
            shown(row.difference.mean),
            interval,
            row.verdict.name().to_owned(),
        ];
        if !has_services {
            cells.remove(1);
        }
        grid.row(cells);
    }
    grid
}

fn sentences(args: &Diff, found: &diff::Diff) -> Vec<String> {
    let count = |verdict: Verdict| found.rows.iter().filter(|row| row.verdict == verdict).count();
    let mut sentences = vec![format!(
        "{} against {}: {} better, {} worse, {} undecided, {} the same in every replication",
        shown(&args.after),
        shown(&args.before),
        count(Verdict::Better),
        count(Verdict::Worse),
        count(Verdict::Undecided),
        count(Verdict::Same),
    )];
    if found.is_identical {
        sentences.push("nothing changed: every run has the same digest".to_owned());
    } else {
        sentences.extend(same(found));
    }
    for (folder, names) in [(&args.before, &found.only_before), (&args.after, &found.only_after)] {
        if !names.is_empty() {
            sentences.push(format!("only in {}: {}", shown(folder), names.join(", ")));
        }
    }
    let paired = found.rows.iter().filter(|row| row.is_paired).count();
    if count(Verdict::Same) == found.rows.len() {
        return sentences;
    }
    sentences.push(match paired {
        all if all == found.rows.len() => {
            "differences are paired by seed; intervals are wide enough for all rows together (Holm)".to_owned()
        }
        0 => "the seeds differ, so differences are between independent runs (Welch); intervals are wide enough for all rows together (Holm)".to_owned(),
        _ => "differences are paired by seed where both have the same seeds; intervals are wide enough for all rows together (Holm)".to_owned(),
    });
    sentences
}

/// Policy by policy, the columns that are the same in every replication.
fn same(found: &diff::Diff) -> Vec<String> {
    let mut sentences: Vec<(String, Vec<&str>)> = Vec::new();
    for row in found.rows.iter().filter(|row| row.verdict == Verdict::Same) {
        let whose =
            if row.service.is_empty() { row.policy.clone() } else { format!("{}: {}", row.policy, row.service) };
        match sentences.last_mut().filter(|(last, _)| *last == whose) {
            Some((_, columns)) => columns.push(row.column.name),
            None => sentences.push((whose, vec![row.column.name])),
        }
    }
    sentences
        .into_iter()
        .map(|(whose, columns)| format!("{whose}: the same in every replication: {}", columns.join(", ")))
        .collect()
}

fn to_json(found: &diff::Diff) -> serde_json::Value {
    let rows: Vec<_> = found
        .rows
        .iter()
        .map(|row| {
            let difference = row.difference;
            let mut one = json!({
                "policy": row.policy,
                "column": row.column.name,
                "before": row.before,
                "after": row.after,
                "difference": { "mean": difference.mean, "low": difference.low, "high": difference.high },
                "paired": row.is_paired,
                "replicationsNeeded": row.replications_needed,
                "verdict": row.verdict.name(),
            });
            if !row.service.is_empty() {
                one["service"] = json!(row.service);
            }
            one
        })
        .collect();
    json!({
        "identical": found.is_identical,
        "onlyBefore": found.only_before,
        "onlyAfter": found.only_after,
        "rows": rows,
    })
}
