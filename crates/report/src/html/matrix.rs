//! Every pair of policies as a table: the row's policy against the column's, in cost and in the share of requests that met the SLO.

use record::{Comparison, Interval, Verdict};
use serde_json::{Value, json};

use crate::RunReport;
use crate::comparison::points;
use crate::rounding::dollars;

/// `null` with fewer than two policies.
pub(super) fn matrix(report: &RunReport<'_>) -> Value {
    let names: Vec<&str> = report.policies.iter().map(crate::PolicyOutcome::name).collect();
    if names.len() < 2 || report.comparisons.is_empty() {
        return Value::Null;
    }
    let cell = |row: &str, column: &str| -> Value {
        let found = |one: &&Comparison| one.policy == row && one.baseline == column;
        let turned = |one: &&Comparison| one.policy == column && one.baseline == row;
        match (report.comparisons.iter().find(found), report.comparisons.iter().find(turned)) {
            (Some(pair), _) => words(pair, 1.0),
            (None, Some(pair)) => words(pair, -1.0),
            (None, None) => Value::Null,
        }
    };
    let rows = names
        .iter()
        .map(|row| json!({ "name": row, "cells": names.iter().map(|column| cell(row, column)).collect::<Vec<_>>() }));
    json!({ "names": names, "rows": rows.collect::<Vec<_>>() })
}

/// `$301.35 cheaper`, `1.97 points more met`; `?` where it may be chance. `sign` is -1 for the pair the other way round.
fn words(pair: &Comparison, sign: f64) -> Value {
    let one = |difference: Interval, verdict: Verdict, print: &dyn Fn(f64) -> String, [more, less]: [&str; 2]| {
        let amount = difference.mean * sign;
        let text = match amount {
            0.0 => "the same".to_owned(),
            amount if amount > 0.0 => format!("{} {more}", print(amount)),
            amount => format!("{} {less}", print(-amount)),
        };
        match verdict {
            Verdict::Undecided => format!("? {text}"),
            Verdict::Better | Verdict::Worse | Verdict::Same => text,
        }
    };
    json!({
        "cost": one(pair.cost_usd, pair.cost_verdict, &dollars, ["dearer", "cheaper"]),
        "slo": one(pair.slo_attainment, pair.slo_verdict, &points, ["more met", "less met"]),
    })
}
