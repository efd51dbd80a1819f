//! The list of metrics for the user guide, made of the tables.

use std::fmt::Write as _;

use super::{Figure, Metric, Needs, metrics, program};
use crate::names_of_signals::{NAMED_SIGNALS, NamedSignal, signal_text};
use crate::target::{Appears, Exporter, Kind};

/// The list as Markdown: a section per program, a row per metric.
pub fn guide() -> String {
    let mut text = String::new();
    for exporter in Exporter::ALL {
        let about = program(exporter);
        let _ = writeln!(text, "### {} (`{}`)\n", about.title, about.word);
        text += "| metric | type | labels | shows |\n| --- | --- | --- | --- |\n";
        for metric in metrics(exporter) {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                metric.name,
                kind(metric.kind),
                labels(metric),
                shows(metric)
            );
        }
        text.push('\n');
    }
    text += "### Signals\n\n| name | type | what it is |\n| --- | --- | --- |\n";
    for (name, of, _, words) in NAMED_SIGNALS {
        let _ = writeln!(text, "| `{name}` | {} | {words} |", kind(of));
    }
    text
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::Summary => "summary",
        Kind::Recorded => "recorded",
    }
}

/// Names of the labels, each once, those of single rows with their values.
fn labels(metric: &Metric) -> String {
    let mut names: Vec<String> =
        metric.labels.iter().map(|(name, _)| (*name).replace("{hostname_label}", "Hostname")).collect();
    let mut of_rows: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, value) in metric.rows.iter().flat_map(|(labels, _)| labels.iter()) {
        match of_rows.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) if !values.contains(value) => values.push(value),
            Some(_) => {}
            None => of_rows.push((name, vec![value])),
        }
    }
    let values = |values: Vec<&str>| {
        let plain: Vec<&str> = values.into_iter().filter(|value| !value.is_empty() && !value.contains('{')).collect();
        plain.join(", ")
    };
    names.extend(of_rows.into_iter().map(|(name, listed)| match values(listed) {
        listed if listed.is_empty() => name.to_owned(),
        listed => format!("{name} ({listed})"),
    }));
    names.join(", ")
}

fn shows(metric: &Metric) -> String {
    let mut text = match figure(metric.figure) {
        own if metric.rows.is_empty() => own,
        _ => {
            let mut rows: Vec<String> = metric.rows.iter().map(|(_, row)| figure(*row)).collect();
            rows.dedup();
            rows.join("; ")
        }
    };
    if metric.appears == Appears::FirstEvent {
        text += "; from the first event on";
    }
    match (metric.since, metric.hidden.or(metric.until)) {
        (Some(since), _) => text += &format!("; since {since}"),
        (None, Some(gone)) => text += &format!("; gone in {}", metric.until.unwrap_or(gone)),
        (None, None) => {}
    }
    if let Some(successor) = metric.successor {
        text += &format!("; now `{successor}`");
    }
    match metric.needs {
        Some(Needs::Argument(word)) => text += &format!("; only with `{word}`"),
        Some(Needs::Stated(statement)) => text += &format!("; {}", statement.help()),
        // What is there by default; the module of the exporter and the message of a query say what takes it away.
        Some(Needs::NoArgument(_)) | None => {}
    }
    text.replace('|', "\\|")
}

fn figure(figure: Figure) -> String {
    let name = |spread| {
        let known = NAMED_SIGNALS.iter().find(|known| known.2 == NamedSignal::Spread(spread));
        known.map_or("a distribution", |known| known.0)
    };
    match figure {
        Figure::Of(signal) => signal_text(signal),
        Figure::Times(signal, scale) | Figure::Whole(signal, scale) => format!("{} x {scale}", signal_text(signal)),
        Figure::Spread(spread, scale) if (scale - 1.0).abs() < f64::EPSILON => name(spread).to_owned(),
        Figure::Spread(spread, scale) => format!("{} x {scale}", name(spread)),
        Figure::Ones(signal) => format!("1 per event of {}", signal_text(signal)),
        Figure::SumAndCount(sum, scale, count) => {
            format!("sum {} x {scale}, count {}; no quantiles", signal_text(sum), signal_text(count))
        }
        Figure::Gpus => "GPUs of the pod".to_owned(),
        Figure::Always(value, why) => format!("always {value}: {why}"),
        Figure::Found(signal, why) => format!("{}, else 0: {why}", signal_text(signal)),
        Figure::Not(why) => format!("*not modelled*: {why}"),
    }
}
