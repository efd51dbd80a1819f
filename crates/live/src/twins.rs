//! One thing that a Prometheus has twice: scraped by two monitors, or seen by two Prometheus behind one address. Added up it would count twice.

use std::collections::BTreeMap;

use crate::answer::{Sample, Series};
use crate::error::LiveError;
use crate::select::quoted;

/// Labels that say who scraped, and where, and nothing of what was measured.
const OF_SCRAPES: [&str; 9] = [
    "job",
    "endpoint",
    "service",
    "monitor",
    "prometheus",
    "prometheus_replica",
    "replica",
    "__replica__",
    "receive_replica",
];
/// The server that was scraped: where a pod is named it says nothing more, else it tells two servers apart.
const INSTANCE: &str = "instance";
/// Labels that kube-state-metrics has of its own pods where Prometheus does not honour those it shows.
const OF_EXPORTERS: [&str; 5] = [INSTANCE, "pod", "container", "uid", "node"];
/// Fewer samples in common are no evidence.
const SAMPLES_MIN: usize = 4;

/// Refuses counters of which two are one: the same labels but for those of scrapes, and each sample of the one between the samples of the other
/// before and after it, while both grow.
pub(crate) fn refuse_twins(series: &[Series]) -> Result<(), LiveError> {
    for (one, other) in pairs(series) {
        if !is_one_counter(&one.samples, &other.samples) {
            continue;
        }
        let name = one.labels.get("__name__").map_or("the counter of requests", String::as_str);
        let pod = one.labels.get("pod").map(|pod| format!(" of {pod}")).unwrap_or_default();
        let (first, second) = differing(one, other);
        return Err(LiveError::input(format!(
            "{name}{pod} is there twice, {first} and {second}, as if two monitors scraped one server, or two Prometheus answered together: \
             requests would count twice; --match '{first}' beside --match 'pod=~\"NAME-.*\"' takes one of them"
        )));
    }
    Ok(())
}

/// Refuses counts of a workload that several clusters behind one address have under one name, with different values.
pub(crate) fn refuse_namesakes(series: &[Series]) -> Result<(), LiveError> {
    let scrapes: Vec<&str> = OF_SCRAPES.into_iter().chain(OF_EXPORTERS).collect();
    let named = |series: &Series| series.labels.get("__name__").cloned();
    for (number, one) in series.iter().enumerate() {
        for other in series[number + 1..].iter().filter(|other| named(other) == named(one)) {
            if identity(one, &scrapes) == identity(other, &scrapes) || !overlaps(&one.samples, &other.samples) {
                continue;
            }
            let (name, (first, second)) = (named(one).unwrap_or_default(), differing(one, other));
            return Err(LiveError::input(format!(
                "{name} is there several times, with {first} and with {second}: the counts of several clusters cannot be told apart here; \
                 --url needs the Prometheus of one"
            )));
        }
    }
    Ok(())
}

/// Pairs of series that are the same but for labels of scrapes.
fn pairs(series: &[Series]) -> Vec<(&Series, &Series)> {
    let with_instance: Vec<&str> = OF_SCRAPES.into_iter().chain([INSTANCE]).collect();
    let mut same: BTreeMap<Vec<(&str, &str)>, Vec<&Series>> = BTreeMap::new();
    for one in series {
        let but_for = if one.labels.contains_key("pod") { &with_instance[..] } else { &OF_SCRAPES };
        same.entry(identity(one, but_for)).or_default().push(one);
    }
    // Neighbours are enough: of three that are one counter the first two are.
    same.into_values().flat_map(|of_one| of_one.windows(2).map(|two| (two[0], two[1])).collect::<Vec<_>>()).collect()
}

fn identity<'a>(series: &'a Series, but_for: &[&str]) -> Vec<(&'a str, &'a str)> {
    let labels = series.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    labels.filter(|(name, _)| !but_for.contains(name)).collect()
}

/// The labels that tell two series apart, as matchers.
fn differing(one: &Series, other: &Series) -> (String, String) {
    let of = |of: &Series, than: &Series| {
        let own = of.labels.iter().filter(|(name, value)| than.labels.get(*name) != Some(value));
        // What is not there matches nothing.
        let absent = than.labels.keys().filter(|name| !of.labels.contains_key(*name));
        let own = own.map(|(name, value)| format!("{name}={}", quoted(value)));
        own.chain(absent.map(|name| format!("{name}=\"\""))).collect::<Vec<_>>().join(",")
    };
    (of(one, other), of(other, one))
}

fn overlaps(one: &[Sample], other: &[Sample]) -> bool {
    let span = |samples: &[Sample]| samples.first().zip(samples.last()).map(|(first, last)| (first.at_ms, last.at_ms));
    span(one).zip(span(other)).is_some_and(|(one, other)| one.0 < other.1 && other.0 < one.1)
}

fn is_one_counter(one: &[Sample], other: &[Sample]) -> bool {
    let grows = |samples: &[Sample]| samples.first().zip(samples.last()).is_some_and(|(a, b)| b.value > a.value);
    if !grows(one) || !grows(other) {
        return false;
    }
    let between = other.iter().filter_map(|sample| {
        let after = one.partition_point(|before| before.at_ms <= sample.at_ms);
        let (before, next) = (one.get(after.checked_sub(1)?)?, one.get(after)?);
        // A process that began anew in between says nothing.
        (before.value <= next.value).then_some((before.value..=next.value).contains(&sample.value))
    });
    let within: Vec<bool> = between.collect();
    within.len() >= SAMPLES_MIN && within.iter().all(|is_within| *is_within)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(labels: &[(&str, &str)], at: i64, value: impl Fn(i64) -> f64) -> Series {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let samples = (0..8).map(|row| at + row * 15_000).map(|at_ms| Sample { at_ms, value: value(at_ms) });
        Series { labels, samples: samples.collect() }
    }

    #[test]
    fn a_counter_that_two_monitors_scrape_is_refused_and_two_containers_are_not() {
        let count = |at: i64| (at / 100) as f64;
        let one = counter(&[("pod", "a"), ("job", "x")], 0, count);
        let twin = counter(&[("pod", "a"), ("job", "y")], 7_000, count);
        let other = counter(&[("pod", "a"), ("job", "y")], 7_000, |at| count(at) + 5_000.0);
        let gateway = |of: &str| counter(&[("job", "x"), ("instance", of)], 0, count);
        let engine = counter(&[("pod", "a"), ("job", "x"), ("engine", "1")], 7_000, count);
        let refused = refuse_twins(&[one.clone(), twin]).unwrap_err().to_string();
        assert!(refused.contains("of a is there twice, job=\"x\" and job=\"y\","), "{refused}");
        let replica = counter(&[("pod", "a"), ("job", "x"), ("replica", "b")], 7_000, count);
        let refused = refuse_twins(&[one.clone(), replica]).unwrap_err().to_string();
        assert!(refused.contains("twice, replica=\"\" and replica=\"b\","), "{refused}");
        assert!(refuse_twins(&[one.clone(), other]).is_ok(), "another container behind another monitor");
        assert!(refuse_twins(&[one, engine]).is_ok(), "another engine in the pod");
        assert!(refuse_twins(&[gateway("u"), gateway("v")]).is_ok(), "two gateways that share the load evenly");
    }

    #[test]
    fn a_workload_of_two_clusters_is_refused_and_two_exporters_are_not() {
        let of = |labels: &[(&str, &str)]| counter(labels, 0, |_| 3.0);
        let name = ("__name__", "kube_deployment_spec_replicas");
        let one = of(&[name, ("cluster", "a"), ("instance", "x")]);
        let refused = refuse_namesakes(&[one.clone(), of(&[name, ("cluster", "b"), ("instance", "x")])]);
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("with cluster=\"a\" and with cluster=\"b\""), "{refused}");
        assert!(refuse_namesakes(&[one, of(&[name, ("cluster", "a"), ("instance", "y")])]).is_ok());
    }
}
