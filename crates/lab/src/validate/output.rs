//! A validation as text for a terminal, as Markdown for a repository, and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Case, Checked, Claim, Point, Validation, Within};
use crate::columns::Unit;
use crate::gates::figure;

/// A claim and what it came to, in words.
struct Line {
    quantity: String,
    window: String,
    measured: String,
    within: String,
    simulated: String,
    band: String,
    deviation: String,
    verdict: &'static str,
    seeds: String,
}

impl Line {
    fn of(case: &Case, claim: &Claim, checked: &Checked) -> Self {
        let show = |value| shown(claim.quantity.unit(), value);
        Self {
            quantity: claim.quantity.title(),
            window: claim.window.map_or("run", |window| &case.windows[window].name).to_owned(),
            measured: claim.measured.map_or_else(String::new, show),
            within: claim.within.map_or_else(String::new, |within| tolerance(claim, within)),
            simulated: show(checked.median),
            band: format!("{} to {}", show(checked.low), show(checked.high)),
            deviation: deviation(claim, checked.median),
            verdict: match checked.is_inside {
                Some(true) => "inside",
                Some(false) => "OUTSIDE",
                None => "",
            },
            seeds: checked.inside_share.map_or_else(String::new, |share| format!("{:.0} %", share * 100.0)),
        }
    }

    fn cells(&self) -> [&str; 9] {
        [
            &self.quantity,
            &self.window,
            &self.measured,
            &self.within,
            &self.simulated,
            &self.band,
            &self.deviation,
            self.verdict,
            &self.seeds,
        ]
    }
}

const HEADER: [&str; 9] =
    ["quantity", "window", "measured", "within", "simulated", "5 to 95 %", "deviation", "", "seeds inside"];

/// A figure; what never happened in words.
fn shown(unit: Unit, value: f64) -> String {
    if value.is_infinite() { "never".to_owned() } else { figure(unit, value) }
}

fn tolerance(claim: &Claim, within: Within) -> String {
    let show = |value| shown(claim.quantity.unit(), value);
    let words = match within {
        Within::Relative(share) => format!("{} %", number(share * 100.0)),
        Within::Absolute(distance) => format!("+-{}", show(distance)),
        Within::Factor(factor) => format!("factor {}", number(factor)),
        Within::Range(low, high) => format!("{} to {}", show(low), show(high)),
        Within::AtLeast(least) => format!("at least {}", show(least)),
        Within::AtMost(most) => format!("at most {}", show(most)),
        Within::Exact => "exactly".to_owned(),
        Within::Holds(share) => format!("holds {} %", number(share * 100.0)),
    };
    claim.seeds.map_or(words.clone(), |share| format!("{words}, in {} % of seeds", number(share * 100.0)))
}

/// A number without the noise of its last bits.
fn number(value: f64) -> String {
    format!("{}", (value * 1e6).round() / 1e6)
}

/// How far the median is from what was measured.
fn deviation(claim: &Claim, median: f64) -> String {
    match claim.measured {
        Some(measured) if median.is_finite() => match (claim.quantity.unit(), claim.within) {
            (_, Some(Within::Factor(_))) => format!("x {:.2}", median / measured),
            (Unit::Share, _) => format!("{:+.2} points", (median - measured) * 100.0),
            _ if measured == 0.0 => String::new(),
            _ => format!("{:+.1} %", (median / measured - 1.0) * 100.0),
        },
        _ => String::new(),
    }
}

/// Values by what settings are tried.
fn settings(point: &Point) -> String {
    point.settings.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
}

/// `11 of 12 judged quantities inside`.
fn tally(point: &Point) -> String {
    match point.inside() {
        (_, 0) => "nothing is judged".to_owned(),
        (inside, all) => format!("{inside} of {all} judged quantities inside"),
    }
}

/// Which values fit best, in a sentence; empty if nothing was tried.
fn fit(validation: &Validation) -> String {
    let best = validation.best();
    let Some(first) = best.first() else { return String::new() };
    let which = |point: &&Point| format!("`{}`", settings(point));
    if best.len() == validation.sweep.len() && best.len() > 1 {
        return "What is not known makes no difference to any of this.".to_owned();
    }
    let which = best.iter().map(which).collect::<Vec<_>>().join(" and ");
    format!(
        "Of what is not known {which} fits best: {}, {:.2} tolerances off on average.",
        tally(first),
        first.misfit()
    )
}

/// One validation as lines for a terminal.
pub fn to_text(validation: &Validation) -> String {
    let Validation { case, as_it_is, sweep } = validation;
    let mut text = format!("{}: {}, {} seeds\n", case.name, tally(as_it_is), case.replications);
    text += &aligned(&rows(case, as_it_is), 2);
    if !sweep.is_empty() {
        text += "\n";
        text += &aligned(&sweep_rows(validation), 1);
        let _ = writeln!(text, "{}", fit(validation).replace('`', ""));
    }
    text
}

fn rows(case: &Case, point: &Point) -> Vec<Vec<String>> {
    let header = HEADER.iter().map(|&cell| cell.to_owned()).collect();
    let lines =
        case.claims.iter().zip(&point.checked).map(|(claim, checked)| {
            Line::of(case, claim, checked).cells().iter().map(|&cell| cell.to_owned()).collect()
        });
    std::iter::once(header).chain(lines).collect()
}

/// A row per judged claim, a column per point: medians, those outside marked; then how many are inside and the misfit.
fn sweep_rows(validation: &Validation) -> Vec<Vec<String>> {
    let Validation { case, sweep, .. } = validation;
    let row = |title: String, cell: &dyn Fn(&Point) -> String| -> Vec<String> {
        std::iter::once(title).chain(sweep.iter().map(cell)).collect()
    };
    let mut rows = vec![row(String::new(), &settings)];
    for (index, claim) in case.claims.iter().enumerate().filter(|(_, claim)| claim.within.is_some()) {
        let window = claim.window.map_or_else(String::new, |window| format!(", {}", case.windows[window].name));
        let title = format!("{}{window}", claim.quantity.title());
        rows.push(row(title, &|point| {
            let checked = &point.checked[index];
            let mark = if checked.is_inside == Some(false) { " (!)" } else { "" };
            format!("{}{mark}", shown(claim.quantity.unit(), checked.median))
        }));
    }
    rows.push(row("inside".to_owned(), &|point| format!("{} of {}", point.inside().0, point.inside().1)));
    rows.push(row("misfit".to_owned(), &|point| format!("{:.2}", point.misfit())));
    rows
}

/// Columns under each other: so many of words to the left, figures to the right.
fn aligned(rows: &[Vec<String>], words: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column < words { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// Several validations as one Markdown document.
pub fn markdown(validations: &[Validation]) -> String {
    let (inside, all) = validations.iter().fold((0, 0), |(inside, all), validation| {
        let one = validation.as_it_is.inside();
        (inside + one.0, all + one.1)
    });
    let mut text =
        format!("# Held against measured runs\n\n{inside} of {all} judged quantities are inside their tolerance.\n");
    if validations.len() > 1 {
        text += "\n| run | inside | outside |\n| --- | ---: | --- |\n";
        for validation in validations {
            let inside = match validation.as_it_is.inside() {
                (_, 0) => "not judged".to_owned(),
                (inside, all) => format!("{inside} of {all}"),
            };
            let (name, outside) = (cell(&validation.case.name), cell(&outside(validation)));
            let _ = writeln!(text, "| {name} | {inside} | {outside} |");
        }
    }
    validations.iter().for_each(|validation| text += &section(validation));
    text
}

/// The claims that are outside, by name.
fn outside(validation: &Validation) -> String {
    let claims = validation.case.claims.iter().zip(&validation.as_it_is.checked);
    let names: Vec<String> = claims
        .filter(|(_, checked)| checked.is_inside == Some(false))
        .map(|(claim, _)| format!("`{}`", claim.quantity.title()))
        .collect();
    names.join(", ")
}

fn section(validation: &Validation) -> String {
    let Validation { case, as_it_is, sweep } = validation;
    let mut text = format!("\n## {}\n\n", case.name);
    if !case.description.is_empty() {
        let _ = writeln!(text, "{}\n", case.description);
    }
    if !case.source.is_empty() {
        let parts: Vec<String> = case.source.iter().map(|(key, value)| format!("{key} {value}")).collect();
        let _ = writeln!(text, "Source: {}.\n", parts.join(", "));
    }
    let _ = writeln!(text, "{}, {} seeds.\n", tally(as_it_is), case.replications);
    text += &table(&rows(case, as_it_is), 2);
    let noted: Vec<&Claim> = case.claims.iter().filter(|claim| !claim.note.is_empty()).collect();
    if !noted.is_empty() {
        text += "\n";
    }
    for claim in noted {
        let window = claim.window.map_or_else(String::new, |window| format!(", {}", case.windows[window].name));
        let _ = writeln!(text, "- `{}`{window}: {}", claim.quantity.title(), claim.note);
    }
    if !sweep.is_empty() {
        let keys: Vec<String> = case.unknown.iter().map(|unknown| format!("`{}`", unknown.key)).collect();
        let notes: Vec<&str> =
            case.unknown.iter().map(|unknown| unknown.note.as_str()).filter(|note| !note.is_empty()).collect();
        let _ = writeln!(text, "\nNot known: {}. {}\n", keys.join(", "), notes.join(" "));
        text += &table(&sweep_rows(validation), 1);
        let _ = writeln!(text, "\n{}", fit(validation));
    }
    text.replace(". \n", ".\n")
}

fn table(rows: &[Vec<String>], words: usize) -> String {
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
        if index == 0 {
            let rule = (0..row.len()).map(|column| if column < words { "---" } else { "---:" });
            let _ = writeln!(text, "| {} |", rule.collect::<Vec<_>>().join(" | "));
        }
    }
    text
}

fn cell(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('|', "\\|").replace(char::is_control, " ")
}

/// Several validations as JSON. What has no figure is null, what never happened is the text `never`.
pub fn to_json(validations: &[Validation]) -> Value {
    json!({
        "isInside": validations.iter().all(Validation::is_inside),
        "runs": validations.iter().map(one_as_json).collect::<Vec<_>>(),
    })
}

fn one_as_json(validation: &Validation) -> Value {
    let Validation { case, as_it_is, sweep } = validation;
    let claims = case.claims.iter().zip(&as_it_is.checked);
    let quantities = claims.map(|(claim, checked)| {
        json!({
            "quantity": claim.quantity.title(),
            "window": claim.window.map(|window| &case.windows[window].name),
            "measured": claim.measured.map(figure_as_json),
            "within": claim.within.map(|within| tolerance(claim, within)),
            "median": figure_as_json(checked.median),
            "low": figure_as_json(checked.low),
            "high": figure_as_json(checked.high),
            "values": checked.values.iter().copied().map(figure_as_json).collect::<Vec<_>>(),
            "isInside": checked.is_inside,
            "seedsInside": checked.inside_share,
            "note": claim.note,
        })
    });
    let point = |point: &Point| {
        let settings: serde_json::Map<String, Value> =
            point.settings.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
        json!({
            "settings": settings,
            "inside": point.inside().0,
            "judged": point.inside().1,
            "misfit": figure_as_json(point.misfit()),
            "medians": point.checked.iter().map(|checked| figure_as_json(checked.median)).collect::<Vec<_>>(),
        })
    };
    json!({
        "name": case.name,
        "policy": case.policy,
        "replications": case.replications,
        "seed": case.seed,
        "isInside": validation.is_inside(),
        "inside": as_it_is.inside().0,
        "judged": as_it_is.inside().1,
        "quantities": quantities.collect::<Vec<_>>(),
        "sweep": sweep.iter().map(point).collect::<Vec<_>>(),
        "best": validation.best().iter().map(|best| settings(best)).collect::<Vec<_>>(),
    })
}

fn figure_as_json(value: f64) -> Value {
    if value.is_infinite() { Value::from("never") } else { Value::from(value) }
}
