//! The page of a sweep: what nothing beats, every plot, every point.

use minijinja::value::Serde;
use minijinja::{Value, context};
use record::Interval;
use serde_json::json;

use super::{STYLE, rendered, security_policy};
use crate::drawing::Drawing;
use crate::plots::{sweep_front, sweep_replications};
use crate::rounding::{count, dollars, objective, percent};
use crate::{SweepPoint, SweepReport};

const TEMPLATE: &str = concat!(
    include_str!("../../assets/head.html"),
    include_str!("../../assets/header.html"),
    include_str!("../../assets/sweep.html")
);
const SCRIPT: &str = include_str!("../../assets/sort.js");
/// Most points that get a row: more would make the page slow, and `results.csv` has all.
const ROWS_MAX: usize = 2_000;

/// The page with plots that are already drawn.
pub(crate) fn sweep_page(report: &SweepReport<'_>, plots: &[(String, Drawing)]) -> String {
    let points: Vec<&SweepPoint> = report.points.iter().collect();
    let front = sweep_front(&points);
    let all = match points.len() {
        many if many > ROWS_MAX => {
            format!("The first {} of {}; results.csv has all.", count(ROWS_MAX as u64), count(many as u64))
        }
        _ => "Means over replications; results.csv has a row per run.".to_owned(),
    };
    let table = |title: &str, points: &[&SweepPoint], note: String| json!({ "title": title, "note": note, "rows": points.iter().map(|point| row(report, point)).collect::<Vec<_>>() });
    let tables = json!([
        table(
            "What nothing beats",
            &front,
            "No other point is cheaper at this attainment or better. The best of many look better than they are: run the one you choose with another seed.".to_owned(),
        ),
        table("All points", &points[..points.len().min(ROWS_MAX)], all),
    ]);
    let headers = [("policy", true)]
        .into_iter()
        .chain(report.parameters.iter().map(|name| (name.as_str(), false)))
        .chain([("SLO met", false), ("interval", false), ("cost", false), ("interval", false)]);
    let columns: Vec<_> = headers.map(|(header, is_text)| json!({ "header": header, "is_text": is_text })).collect();
    let figure = |(name, drawing): &(String, Drawing)| {
        context! { name => name.clone(), svg => Value::from_safe_string(drawing.to_inline_svg()) }
    };
    let page = context! {
        product => "scalelab sweep",
        title => report.name.to_owned(),
        content_security_policy => security_policy(STYLE, SCRIPT),
        style => Value::from_safe_string(STYLE.to_owned()),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        facts => facts(report),
        tables => Value::from(Serde(tables)),
        columns => Value::from(Serde(columns)),
        plots => plots.iter().map(figure).collect::<Vec<_>>(),
    };
    rendered(TEMPLATE, page)
}

fn facts(report: &SweepReport<'_>) -> Vec<String> {
    let policies = report.policies.len();
    vec![
        format!("{} points", count((report.points.len() / policies.max(1)) as u64)),
        format!("{policies} {}", if policies == 1 { "policy" } else { "policies" }),
        sweep_replications(report),
    ]
    .into_iter()
    .chain(report.objective.map(|share| format!("objective {}", objective(share))))
    .collect()
}

fn row(report: &SweepReport<'_>, point: &SweepPoint) -> Vec<serde_json::Value> {
    let cell = |text: String, key: f64| {
        let key = if key.is_finite() { json!(key) } else { json!(text) };
        json!({ "text": text, "key": key })
    };
    let range = |interval: Interval, print: fn(f64) -> String| {
        let text = if interval.low.is_finite() {
            format!("{} to {}", print(interval.low), print(interval.high))
        } else {
            String::new()
        };
        cell(text, interval.high - interval.low)
    };
    let policy = cell(report.policies[point.policy].clone(), f64::NAN);
    let settings = point.settings.iter().map(|value| cell(value.text.clone(), value.number));
    let (share, cost) = (point.slo_attainment, point.cost_usd);
    let figures = [
        cell(percent(share.mean), share.mean),
        range(share, percent),
        cell(dollars(cost.mean), cost.mean),
        range(cost, dollars),
    ];
    [policy].into_iter().chain(settings).chain(figures).collect()
}
