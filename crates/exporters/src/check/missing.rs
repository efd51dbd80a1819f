//! A metric that nothing in this scenario shows: why, and what stands in its place.

use promql::SelectorUse;

use super::nearest::nearest;
use super::{Finding, Severity, Topic};
use crate::catalogue::{self, FOREIGN, Figure, Metric, Needs, program};
use crate::registry::{Registry, is_series_of};
use crate::target::Exporter;

/// What is wrong with the name of a selector that finds nothing.
pub(super) fn finding(selector: &SelectorUse, registry: &Registry) -> Finding {
    let error = |text: String| Finding::new(Severity::Error, Topic::Missing, selector.offset, text);
    let Some(name) = selector.name.as_deref() else {
        return error(format!("{}: no metric of this scenario has such a name", selector.text));
    };
    let owners: Vec<(Exporter, &Metric)> = catalogue::all().filter(|(_, metric)| is_series_of(metric, name)).collect();
    let here = owners.iter().find(|(exporter, _)| registry.offers(*exporter));
    if let Some((exporter, metric)) = here {
        return not_shown(name, *exporter, metric, registry, error);
    }
    if let Some((exporter, metric)) = owners.first() {
        let runs = running(registry);
        let word = program(*exporter).word;
        let mut help = vec![format!("if it does run here, say metrics.exporters: [{word}, …]")];
        help.extend(equivalents(metric, registry));
        return error(format!("{name} is {}'s; {runs}", program(*exporter).title)).with_help(help);
    }
    if let Some((_, why)) = FOREIGN.iter().find(|(prefix, _)| name.starts_with(prefix)) {
        return error(format!("{name} is not modelled: {why}")).with_help([give(name)]);
    }
    let near = nearest(name, registry);
    let text = format!("no metric {name} exists in this scenario");
    if near.is_empty() {
        return error(text).with_help([format!(
            "if it is your own, say what it shows: metrics.aliases: {{{name}: queue_length}} (scalelab metrics lists what there is)"
        )]);
    }
    let names: Vec<String> =
        near.iter().map(|known| format!("{} ({})", known.name, program(known.exporter).word)).collect();
    let own = format!("if it is your own, say what it shows: metrics.aliases: {{{name}: queue_length}}");
    error(format!("{text}; nearest: {}", names.join(", "))).with_help([own])
}

/// A metric of an exporter that is here, and is not shown.
fn not_shown(
    name: &str,
    exporter: Exporter,
    metric: &Metric,
    registry: &Registry,
    error: impl Fn(String) -> Finding,
) -> Finding {
    let facts = registry.facts();
    let title = program(exporter).title;
    let version = facts.versions.get(&exporter).copied();
    if let Some(why) = metric.not_modelled() {
        return error(format!("{name} is not modelled: {why}")).with_help([give(name)]);
    }
    if !metric.is_in(version) {
        let image = if facts.image.is_empty() { String::new() } else { format!(" (image {})", facts.image) };
        let when = match (version, metric.since, metric.hidden.or(metric.until)) {
            (Some(version), Some(since), _) if version < since => format!("came with {title} {since}"),
            (_, _, Some(gone)) => format!("was removed in {title} {}", metric.until.unwrap_or(gone)),
            _ => format!("is not in this release of {title}"),
        };
        let suffix = &name[metric.name.len()..];
        let successor =
            metric.successor.map(|successor| format!("; its successor is {successor}{suffix}")).unwrap_or_default();
        let word = program(exporter).word;
        let other = format!("if another release runs here, say metrics.versions: {{{word}: \"0.9\"}}");
        return error(format!("{name} {when}{image}{successor}")).with_help([other]);
    }
    match metric.needs.filter(|needs| !facts.has(*needs)) {
        Some(Needs::Argument(word)) => {
            error(format!("{name} is shown only with {word}, which the arguments of the server do not have"))
        }
        Some(Needs::NoArgument(word)) => {
            error(format!("{name} is shown only without {word}, which the arguments of the server have"))
        }
        Some(Needs::Stated(statement)) => {
            error(format!("{name} is not shown: {}", statement.help())).with_help([give(name)])
        }
        None if !facts.left_out.contains(&(exporter, metric.name)) => error(format!(
            "{name} of {title} is kept by none of the monitors: their relabelings (metricRelabelings, `action: drop` or `keep`) drop it"
        )),
        None => error(format!(
            "{name} of {title} is left out, because another program of this scenario shows requests under the same name"
        )),
    }
}

fn give(name: &str) -> String {
    format!("give it by metrics.series, or say that it is not there: metrics.assumeAbsent: [{name:?}]")
}

/// What runs, in words.
fn running(registry: &Registry) -> String {
    let engines: Vec<&str> =
        registry.exporters().map(program).filter(|program| program.is_engine).map(|program| program.title).collect();
    let image = &registry.facts().image;
    match (engines.as_slice(), image.is_empty()) {
        (_, false) => format!("the container runs {image}"),
        ([], true) => "no server that shows metrics runs here".to_owned(),
        (several, true) => format!("here runs {}", several.join(" and ")),
    }
}

/// Names of this scenario that show the same.
fn equivalents(metric: &Metric, registry: &Registry) -> Option<String> {
    let mut same: Vec<&str> = registry
        .exporters()
        .flat_map(|exporter| catalogue::metrics(exporter).iter())
        .filter(|other| is_same(metric, other) && registry.named(&other.series_names()[0]).next().is_some())
        .map(|other| other.name)
        .collect();
    same.dedup();
    same.truncate(3);
    (!same.is_empty()).then(|| format!("here the same is {}", same.join(", ")))
}

fn is_same(one: &Metric, other: &Metric) -> bool {
    match (one.figure, other.figure) {
        (Figure::Spread(one, _), Figure::Spread(other, _)) => one == other,
        (Figure::Of(one) | Figure::Times(one, _) | Figure::Whole(one, _), _) => {
            matches!(other.figure, Figure::Of(of) | Figure::Times(of, _) | Figure::Whole(of, _) if of == one)
        }
        _ => false,
    }
}
