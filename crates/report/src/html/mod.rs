//! One self-contained HTML page: the verdict, tables, plots over time that its script draws ([`payload`]), the others as inline SVG. It loads
//! nothing from anywhere.
//!
//! Text of the scenario reaches the page only escaped by the template engine, or packed. The content security policy lets
//! exactly the page's own style and script run, by their hashes.

mod fragment;
mod lab;
mod matrix;
mod payload;
mod search;
mod settings;
mod sha256;
mod spending;
mod sweep;

pub use fragment::fragment_html;
pub use lab::{LabPage, lab_html};
pub use search::search_html;
pub(crate) use sweep::sweep_page;
pub use sweep::sweep_sentences;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use serde_json::json;

use crate::comparison::answer;
use crate::comparison::cells::{interval_note, page_cells};
use crate::comparison::{service_heading, slo_words};
use crate::drawing::Drawing;
use crate::plots::{horizon, replications_of_attainment};
use crate::rounding::milliseconds;
use crate::tables::summary_table;
use crate::{RunReport, ranking_sentences, remark_sentences};

const TEMPLATE: &str = concat!(
    include_str!("../../assets/head.html"),
    include_str!("../../assets/header.html"),
    include_str!("../../assets/answer.html"),
    include_str!("../../assets/report.html")
);
const STYLE: &str = include_str!("../../assets/report.css");
/// With what the plots over time need.
const STYLE_OF_RUN: &str =
    concat!(include_str!("../../assets/vendor/uplot.min.css"), include_str!("../../assets/report.css"));
/// Sorts tables; the library that draws over time, with its licence; then what it draws.
const SCRIPT: &str = concat!(
    include_str!("../../assets/sort.js"),
    "/*\n",
    include_str!("../../assets/vendor/LICENSE-uPlot.txt"),
    "\n*/\n",
    include_str!("../../assets/vendor/uplot.min.js"),
    "\n",
    include_str!("../../assets/report.js")
);

/// The whole page of a run.
pub fn report_html(report: &RunReport<'_>) -> Vec<u8> {
    let of_services: Vec<_> = (0..report.services.len()).map(|one| crate::plots::of_service(report, one)).collect();
    page(report, &crate::plots::all(report), &of_services).into_bytes()
}

/// The page with plots that are already drawn.
pub(crate) fn page(
    report: &RunReport<'_>,
    plots: &[(String, Drawing)],
    of_services: &[Vec<(String, Drawing)>],
) -> String {
    let page = context! {
        product => "scalelab report",
        title => report.scenario.to_owned(),
        content_security_policy => security_policy(STYLE_OF_RUN, SCRIPT),
        style => Value::from_safe_string(STYLE_OF_RUN.to_owned()),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        data => Value::from_safe_string(payload::packed(report)),
        facts => facts(report),
        columns => Value::from(Serde(comparison_columns(report))),
        policies => report.policies.iter().map(|policy| policy.name().to_owned()).collect::<Vec<_>>(),
        answer => Value::from(Serde(answer_card(report))),
        assumptions => Value::from(Serde(assumptions(report))),
        interval_note => interval_note(report),
        pairs_of => Value::from(Serde(matrix::matrix(report))),
        ranking => ranking_sentences(report),
        budget => Value::from(Serde(budget(report))),
        services => report.services.iter().zip(of_services).map(|(one, plots)| service(one, plots)).collect::<Vec<_>>(),
        subjects => report.outcomes().iter().map(|(of, policy)| subject(of, policy.name())).collect::<Vec<_>>(),
        figures => Value::from(Serde(all_figures(report))),
        plots => figures(plots),
        remarks => remark_sentences(report),
        metrics => Value::from(Serde(metrics(report))),
    };
    rendered(TEMPLATE, page)
}

/// The page may run exactly its own style and script.
fn security_policy(style: &str, script: &str) -> String {
    format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'",
        sha256::base64_digest(style.as_bytes()),
        sha256::base64_digest(script.as_bytes())
    )
}

fn rendered(template: &str, page: Value) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("page", template).expect("the templates of this crate parse");
    let template = environment.get_template("page").expect("it was just added");
    template.render(page).expect("every name of the template is in the context")
}

/// JSON that may stand inside a script element: `<`, `>` and `&` are written as escapes, and so are the line separators of old scripts.
fn json_for_html(value: &serde_json::Value) -> String {
    let mut out = String::new();
    for character in value.to_string().chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.extend(["\\u", &format!("{:04x}", character as u32)]),
            other => out.push(other),
        }
    }
    out
}

/// The line under the page's title.
fn facts(report: &RunReport<'_>) -> Vec<String> {
    let mut facts = vec![format!("{} simulated", horizon(report))];
    if let Some(start) = report.start {
        facts.push(format!("from {}", start.iso(units::SimTime::ZERO)));
    }
    facts.extend(slo_words(report).map(|slo| format!("SLO: {slo}")));
    if report.has_several_services() {
        facts.push(format!("{} services on one fleet", report.services.len()));
    }
    facts.push(replications_of_attainment(report));
    facts
}

/// The verdict: its first line, the stamp of what was chosen, and the other lines by label.
fn answer_card(report: &RunReport<'_>) -> serde_json::Value {
    let mut lines = answer::lines(report).into_iter();
    let Some(first) = lines.next() else { return serde_json::Value::Null };
    let standing = report.verdict.and_then(|verdict| Some(verdict.policies[verdict.chosen?].standing.name()));
    let rest: Vec<_> = lines
        .map(|line| json!({ "label": line.label, "text": line.text, "command": line.command, "is_warning": line.is_warning }))
        .collect();
    json!({ "headline": first.text, "stamp": standing.unwrap_or("misses"), "lines": rest })
}

fn assumptions(report: &RunReport<'_>) -> serde_json::Value {
    report.assumptions.iter().map(|one| json!({ "topic": one.topic, "lines": one.lines })).collect()
}

/// The comparison's columns: header, and a cell per policy with its text, bounds, sort key and stamp.
fn comparison_columns(report: &RunReport<'_>) -> serde_json::Value {
    let columns = page_cells(report).columns.into_iter().map(|column| {
        let cells = column.values.iter().enumerate().map(|(row, text)| {
            let key = column.keys.get(row).map_or_else(|| json!(text), |key| json!(key));
            let stamp = column.standings.get(row).map(|standing| standing.name());
            json!({ "text": text, "key": key, "stamp": stamp, "bounds": column.intervals[row] })
        });
        json!({ "header": column.header, "is_text": column.is_text, "cells": cells.collect::<Vec<_>>() })
    });
    columns.collect()
}

/// The error budgets: sentences, and per policy the worst place of every window that fits into the run.
fn budget(report: &RunReport<'_>) -> serde_json::Value {
    let number = crate::rounding::three_digits;
    let length = |duration: units::SimDuration| milliseconds(duration.as_millis_f64());
    let place = |time: units::SimTime| report.start.map_or_else(|| time.to_string(), |start| start.clock(time));
    let rows = report.policies.iter().filter_map(|policy| Some((policy, policy.budget?.detail.as_ref()?)));
    let rows = rows.flat_map(|(policy, detail)| {
        detail.windows.iter().filter_map(move |window| {
            let worst = window.worst.as_ref()?;
            Some(json!([
                policy.name(),
                length(window.length),
                place(worst.start),
                crate::rounding::count(worst.slo_misses),
                number(worst.burn_rate),
                format!("{} %", number(worst.spent * 100.0)),
                window.alert_burn_rate.map_or_else(String::new, number),
                window.alert_burn_rate.map_or_else(String::new, |_| length(window.alerting)),
            ]))
        })
    });
    let violation = report.policies.iter().filter_map(|policy| {
        let detail = policy.budget?.detail.as_ref().filter(|detail| !detail.in_violation.is_zero())?;
        let (bad, all) = (length(detail.in_violation), length(detail.measured));
        Some(format!("{}: in violation for {bad} of {all}, timeline steps below the objective", policy.name()))
    });
    let mut sentences: Vec<String> = crate::budget_sentences(report).into_iter().chain(violation).collect();
    if sentences.is_empty() && !report.has_several_services() {
        sentences.push("no policy spends any of it".to_owned());
    }
    json!({
        "sentences": sentences,
        "rows": rows.collect::<Vec<_>>(),
    })
}

/// A service's own section.
fn service(report: &RunReport<'_>, plots: &[(String, Drawing)]) -> Value {
    context! {
        heading => service_heading(report),
        columns => Value::from(Serde(comparison_columns(report))),
        pairs_of => Value::from(Serde(matrix::matrix(report))),
        ranking => ranking_sentences(report),
        budget => Value::from(Serde(budget(report))),
        plots => figures(plots),
    }
}

/// The plots that the page's script does not draw itself: all that are not over time.
fn figures(plots: &[(String, Drawing)]) -> Vec<Value> {
    let is_over_time = |name: &str| name.ends_with("overview") || name.contains("timeline-");
    let shown = plots.iter().filter(|(name, _)| !is_over_time(name));
    shown
        .map(|(name, drawing)| context! { name => name.clone(), svg => Value::from_safe_string(drawing.to_inline_svg()) })
        .collect()
}

/// A policy, with the service if the report is about one.
fn subject(of: &RunReport<'_>, policy: &str) -> String {
    if of.service.is_empty() { policy.to_owned() } else { format!("{policy}: {}", of.service) }
}

/// Every column of the `summary` table as a row of its own: name, then a value per policy and, where there are several, per service of it.
fn all_figures(report: &RunReport<'_>) -> serde_json::Value {
    let table = summary_table(report);
    let rows = table.to_json_rows();
    let names = table.column_names().into_iter().filter(|name| !matches!(*name, "policy" | "service"));
    let row = |name: &str| {
        let values = rows.iter().map(|policy| match &policy[name] {
            serde_json::Value::Null => String::new(),
            serde_json::Value::Number(number) if name.ends_with("_usd") || name.contains("_usd_ci") => {
                crate::rounding::dollars(number.as_f64().unwrap_or(f64::NAN))
            }
            serde_json::Value::Number(number) if number.is_f64() => rounded_number(number.as_f64().unwrap_or(f64::NAN)),
            other => other.to_string(),
        });
        json!({ "name": name, "values": values.collect::<Vec<_>>() })
    };
    names.map(row).collect()
}

fn rounded_number(number: f64) -> String {
    format!("{number:.6}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The metrics that had no answer at least once, as rows: policy, controller, metric, reads, and how many of them came to what.
fn metrics(report: &RunReport<'_>) -> serde_json::Value {
    let rows = report.policies.iter().flat_map(|policy| {
        policy.detail.services.iter().flat_map(|one| one.metrics.iter().map(move |used| (one, used))).map(move |(one, used)| {
            let age = used.age_s_mean().map_or_else(String::new, |age| format!("{age:.1} s"));
            json!({
                "is_silent": used.is_silent(),
                "cells": [
                    if report.has_several_services() { format!("{}: {}", policy.name(), one.name) } else { policy.name().to_owned() },
                    used.controller,
                    used.metric,
                    crate::rounding::count(used.reads),
                    crate::rounding::count(used.read),
                    crate::rounding::count(used.empty_as_zero),
                    crate::rounding::count(used.empty + used.not_a_number + used.failed),
                    age,
                ],
            })
        })
    });
    rows.collect()
}
