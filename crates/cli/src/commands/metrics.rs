//! `scalelab metrics`: what metrics there are in a scenario, with their labels, and who reads them.

use std::collections::BTreeMap;

use exporters::catalogue::program;
use exporters::{Domain, Exporter, Kind, Matcher, Registry, Shown, Value, appears_text, signal_text};
use scenario::{MetricUse, MetricsView};
use serde_json::json;

use crate::args::Metrics;
use crate::failure::{Failure, Outcome, Result};
use crate::inputs;

/// Prints the metrics, sorted by exporter and name.
pub fn metrics(args: &Metrics) -> Result<Outcome> {
    let mut loaded = inputs::look_at(&args.scenario)?;
    let policies: Vec<String> = args.policy.iter().cloned().collect();
    inputs::choose_policies(&mut loaded, &policies)?;
    let wanted = pattern(args)?;
    let views: Vec<View> = loaded.metrics.into_iter().map(|view| View::of(view, args, wanted.as_ref())).collect();
    if args.json {
        outln!("{:#}", to_json(&views));
        return Ok(Outcome::Done);
    }
    for view in &views {
        if views.len() > 1 {
            outln!("service {}", view.service);
        }
        view.rows.iter().for_each(|row| out!("{}", row.to_text()));
        for (exporter, name, why) in &view.absent {
            outln!("{exporter}  {name}  not shown: {why}");
        }
    }
    if views.iter().all(|view| view.rows.is_empty()) {
        eprintln!("note: no metric is left; --all shows those that never change and those that are not modelled");
    }
    Ok(Outcome::Done)
}

/// What is printed of one service.
struct View {
    service: String,
    rows: Vec<Row>,
    absent: Vec<(&'static str, &'static str, String)>,
}

/// One list; with several services each entry says whose it is.
fn to_json(views: &[View]) -> serde_json::Value {
    let (mut shown, mut missing) = (Vec::new(), Vec::new());
    for view in views {
        let of_service = |mut entry: serde_json::Value| {
            if views.len() > 1 {
                entry["service"] = json!(view.service);
            }
            entry
        };
        shown.extend(view.rows.iter().map(Row::to_json).map(of_service));
        let absent = view.absent.iter();
        let entries = absent.map(|(exporter, name, why)| json!({"exporter": exporter, "name": name, "absent": why}));
        missing.extend(entries.map(of_service));
    }
    json!({"metrics": shown, "absent": missing})
}

impl View {
    fn of(view: MetricsView, args: &Metrics, wanted: Option<&Matcher>) -> Self {
        let MetricsView { service, registry, mut uses } = view;
        if let Some(policy) = &args.policy {
            uses.retain(|entry| entry.policy == *policy);
        }
        let rows = rows(&registry, &uses)
            .into_iter()
            .filter(|row| wanted.is_none_or(|pattern| pattern.is_match_value(&row.name)))
            .filter(|row| !args.unused || row.used_by.is_empty())
            .filter(|row| args.all || row.constant.is_none() || !row.used_by.is_empty())
            .collect();
        let absent = if args.all && !args.unused { absent(&registry, wanted) } else { Vec::new() };
        Self { service, rows, absent }
    }
}

/// The pattern may stand anywhere in the name.
fn pattern(args: &Metrics) -> Result<Option<Matcher>> {
    let Some(text) = &args.name else { return Ok(None) };
    let matcher = Matcher::pattern("name", &format!(".*(?:{text}).*"));
    matcher.map(Some).map_err(|error| {
        // The expression's own message draws the whole pattern; its last line says what is wrong.
        let reason = error.reason.lines().last().unwrap_or_default();
        let reason = reason.strip_prefix("error: ").unwrap_or(reason);
        Failure::input(format!("--match {text}: not a regular expression: {reason}"))
    })
}

/// One metric, buckets and sums together.
struct Row {
    exporter: &'static str,
    name: String,
    kind: &'static str,
    labels: BTreeMap<String, String>,
    job: String,
    interval: String,
    signal: String,
    appears: &'static str,
    constant: Option<&'static str>,
    used_by: Vec<String>,
}

impl Row {
    fn to_text(&self) -> String {
        let labels: Vec<String> = self.labels.iter().map(|(name, values)| format!("{name}{values}")).collect();
        let mut text = format!("{}  {}  {}\n", self.exporter, self.name, self.kind);
        text += &format!("  labels: {}\n", labels.join(", "));
        text += &format!("  from {}; {}; job {}, every {}\n", self.signal, self.appears, self.job, self.interval);
        if let Some(why) = self.constant {
            text += &format!("  never changes: {why}\n");
        }
        if !self.used_by.is_empty() {
            text += &format!("  used by {}\n", self.used_by.join(", "));
        }
        text
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "exporter": self.exporter,
            "name": self.name,
            "type": self.kind,
            "labels": self.labels,
            "job": self.job,
            "interval": self.interval,
            "signal": self.signal,
            "appears": self.appears,
            "constant": self.constant,
            "used_by": self.used_by,
        })
    }
}

/// A row per metric and exporter. Series that differ in their labels are one row with all their values.
fn rows(registry: &Registry, uses: &[MetricUse]) -> Vec<Row> {
    let mut all: BTreeMap<(Exporter, String), Vec<&Shown>> = BTreeMap::new();
    for shown in registry.all() {
        all.entry((shown.exporter, shown.name.clone())).or_default().push(shown);
    }
    let rows = all.into_iter().map(|((exporter, name), shown)| {
        let mut used_by: Vec<String> = uses
            .iter()
            .filter(|entry| entry.exporter == exporter && entry.name == name)
            .map(|entry| {
                if entry.policy.is_empty() { entry.asker.clone() } else { format!("{} {}", entry.policy, entry.asker) }
            })
            .collect();
        used_by.dedup();
        let first = shown[0];
        let is_constant = shown.iter().all(|shown| shown.constant.is_some());
        Row {
            exporter: program(exporter).word,
            name,
            kind: kind_text(first.kind),
            labels: labels(&shown),
            job: first.labels.get("job").map(values).unwrap_or_default(),
            interval: first.interval.to_string(),
            signal: signals(&shown),
            appears: appears_text(first.appears),
            constant: first.constant.filter(|_| is_constant),
            used_by,
        }
    });
    rows.collect()
}

fn kind_text(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::Summary => "summary",
        Kind::Recorded => "recorded",
    }
}

/// Every label with the values it can have in any of the series.
fn labels(shown: &[&Shown]) -> BTreeMap<String, String> {
    let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for series in shown {
        for (name, domain) in &series.labels {
            match domain {
                Domain::Known(values) => known.entry(name.clone()).or_default().extend(values.iter().cloned()),
                other => {
                    texts.insert(name.clone(), other.matcher_text());
                }
            }
        }
    }
    for (name, mut values) in known {
        if name != "le" {
            values.sort();
        }
        values.dedup();
        texts.insert(name, Domain::Known(values).matcher_text());
    }
    texts
}

fn values(domain: &Domain) -> String {
    match domain {
        Domain::Known(values) => values.join(" or "),
        other => other.text(),
    }
}

/// What the series are made of, each once.
fn signals(shown: &[&Shown]) -> String {
    let mut texts: Vec<String> = shown
        .iter()
        .map(|shown| match &shown.value {
            Value::Signal { signal, scale, .. } if (*scale - 1.0).abs() > f64::EPSILON => {
                format!("{} x {scale}", signal_text(*signal))
            }
            Value::Signal { signal, .. } => signal_text(*signal),
            Value::Constant(value) => format!("constant {value}"),
            Value::Expression(text) => text.clone(),
        })
        .collect();
    texts.sort();
    texts.dedup();
    texts.join(", ")
}

/// Metrics of the exporters that are there, that are not shown, and why.
fn absent(registry: &Registry, wanted: Option<&Matcher>) -> Vec<(&'static str, &'static str, String)> {
    let mut all = Vec::new();
    for exporter in registry.exporters() {
        for metric in exporters::catalogue::metrics(exporter) {
            let is_wanted = wanted.is_none_or(|pattern| pattern.is_match_value(metric.name));
            if is_wanted && let Some(why) = registry.why_absent(exporter, metric) {
                all.push((program(exporter).word, metric.name, why));
            }
        }
    }
    all
}
