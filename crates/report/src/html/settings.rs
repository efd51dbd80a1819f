//! The page of many settings, of a sweep or a search: the answer, what nothing beats, plots, and everything that was tried.

use minijinja::value::Serde;
use minijinja::{Value, context};
use record::Interval;
use serde_json::{Value as Json, json};

use super::{STYLE, figures, rendered, security_policy};
use crate::drawing::Drawing;
use crate::plots::Standing;
use crate::rounding::count;

const TEMPLATE: &str = concat!(
    include_str!("../../assets/head.html"),
    include_str!("../../assets/header.html"),
    include_str!("../../assets/answer.html"),
    include_str!("../../assets/settings.html")
);
const SCRIPT: &str = include_str!("../../assets/sort.js");
/// Most settings that get a row: more would make the page slow, and the tables beside it have all.
pub(super) const ROWS_MAX: usize = 2_000;

/// What the page says first.
pub(super) struct Answer {
    pub standing: Option<Standing>,
    pub headline: String,
    /// Label, text, command.
    pub lines: Vec<(&'static str, String, Option<String>)>,
}

/// A setting that was tried.
pub(super) struct Row {
    pub cells: Vec<Json>,
    pub is_chosen: bool,
}

/// Everything on the page.
pub(super) struct SettingsPage<'a> {
    pub product: &'static str,
    pub title: &'a str,
    pub facts: Vec<String>,
    pub answer: Option<Answer>,
    /// Headers, and whether the column is words.
    pub columns: Vec<(&'a str, bool)>,
    /// What nothing beats.
    pub front: Vec<Row>,
    /// The first [`ROWS_MAX`] of all.
    pub rows: Vec<Row>,
    /// How many there are, and the file that has them.
    pub all: (usize, &'static str),
    pub plots: &'a [(String, Drawing)],
}

/// A cell that sorts by `key`, or by its text where that is no number.
pub(super) fn cell(text: &str, key: f64) -> Json {
    let key = if key.is_finite() { json!(key) } else { json!(text) };
    json!({ "text": text, "key": key })
}

/// The bounds of an interval; empty where none is known.
pub(super) fn bounds(interval: Interval, print: impl Fn(f64) -> String) -> Json {
    let known = interval.low.is_finite().then(|| format!("{} to {}", print(interval.low), print(interval.high)));
    cell(&known.unwrap_or_default(), interval.high - interval.low)
}

/// How a setting stands to what must hold, as a stamp.
pub(super) fn stamp(standing: Option<Standing>) -> Json {
    standing.map_or_else(
        || json!({ "text": "", "key": 3 }),
        |standing| json!({ "text": standing.words(), "stamp": standing.stamp(), "key": standing as u8 }),
    )
}

/// The page as HTML.
pub(super) fn settings_page(page: SettingsPage<'_>) -> String {
    let (total, file) = page.all;
    let all = if total > ROWS_MAX {
        format!("The first {} of {}; {file} has all.", count(ROWS_MAX as u64), count(total as u64))
    } else {
        format!("Means over replications; {file} has what is behind them.")
    };
    let row = |row: &Row| json!({ "cells": row.cells, "is_chosen": row.is_chosen });
    let table = |title: &str, note: &str, rows: Vec<Json>| json!({ "title": title, "note": note, "rows": rows });
    let tables = json!([
        table(
            "What nothing beats",
            "No other setting is cheaper and at least as good. The best of many look better than they are: run the one you choose with another seed.",
            page.front.iter().map(row).collect(),
        ),
        table("All settings", &all, page.rows.iter().map(row).collect()),
    ]);
    let columns: Vec<Json> =
        page.columns.iter().map(|(header, is_text)| json!({ "header": header, "is_text": is_text })).collect();
    let lines = |lines: Vec<(&'static str, String, Option<String>)>| -> Vec<Json> {
        lines
            .into_iter()
            .map(|(label, text, command)| json!({ "label": label, "text": text, "command": command }))
            .collect()
    };
    let answer = page.answer.map(|answer| {
        let stamp = answer.standing.map_or("undecided", Standing::stamp);
        json!({ "stamp": stamp, "headline": answer.headline, "lines": lines(answer.lines) })
    });
    let page = context! {
        product => page.product,
        title => page.title,
        content_security_policy => security_policy(STYLE, SCRIPT),
        style => Value::from_safe_string(STYLE.to_owned()),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        facts => page.facts,
        answer => Value::from(Serde(answer)),
        tables => Value::from(Serde(tables)),
        columns => Value::from(Serde(columns)),
        plots => figures(page.plots),
    };
    rendered(TEMPLATE, page)
}
