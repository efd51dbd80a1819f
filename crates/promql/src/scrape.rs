//! The simulated scrape: when a target is scraped and under which labels its series are stored.

use std::sync::Arc;

use crate::labels::{Labels, METRIC_NAME};
use crate::relabel::{self, RelabelRule};
use crate::storage::{Storage, TargetId};

/// A scraped endpoint as service discovery shows it.
#[derive(Clone, Debug)]
pub struct ScrapeTarget {
    /// Labels of the target: `job`, `instance` and what relabelling made of its pod.
    pub labels: Labels,
    /// Time between scrapes, in milliseconds.
    pub interval_ms: i64,
    /// Offset of this target's scrapes within the interval, in milliseconds. Prometheus spreads its targets.
    pub phase_ms: i64,
    /// Whether exposed labels win over the target's (`honor_labels`, off by default).
    pub honor_labels: bool,
    /// `metricRelabelings`: what becomes of each series before it is stored.
    pub metric_relabelings: Vec<RelabelRule>,
}

impl ScrapeTarget {
    /// A target with `honor_labels: false` and without relabelling.
    pub fn new(labels: Labels, interval_ms: i64, phase_ms: i64) -> Self {
        Self { labels, interval_ms, phase_ms, honor_labels: false, metric_relabelings: Vec::new() }
    }

    /// Time of the first scrape at or after `t_ms`.
    pub fn next_scrape_ms(&self, t_ms: i64) -> i64 {
        let since = t_ms - self.phase_ms;
        let ticks = since.div_euclid(self.interval_ms) + i64::from(since.rem_euclid(self.interval_ms) != 0);
        self.phase_ms + ticks * self.interval_ms
    }

    /// Labels under which an exposed series is stored. A label that collides with one of the target is renamed to
    /// `exported_..`; bounds and quantiles become float text, as Prometheus 3 stores them.
    pub fn series_labels(&self, exposed: &Labels) -> Labels {
        let mut pairs: Vec<(Arc<str>, Arc<str>)> = Vec::with_capacity(exposed.len() + self.labels.len());
        for (name, value) in exposed.pairs() {
            let is_collision = !self.labels.get(name).is_empty();
            if is_collision && !self.honor_labels {
                pairs.push((self.exported_name(name, exposed).into(), value.clone()));
            } else if matches!(&**name, "le" | "quantile") {
                pairs.push((name.clone(), float_text(value).map_or_else(|| value.clone(), Arc::from)));
            } else {
                pairs.push((name.clone(), value.clone()));
            }
        }
        let own = self.labels.pairs().filter(|(name, _)| !self.honor_labels || exposed.get(name).is_empty());
        Labels::new(pairs.into_iter().chain(own.cloned()))
    }

    /// Labels under which an exposed series is stored after `metricRelabelings`; None if they drop it, or leave it without a name.
    pub fn stored_labels(&self, exposed: &Labels) -> Option<Labels> {
        let labels = relabel::apply(&self.metric_relabelings, &self.series_labels(exposed))?;
        if labels.metric_name().is_empty() {
            return None;
        }
        // Names of its own use begin with `__`; none of them is stored.
        Some(labels.filtered(|name| name == METRIC_NAME || !name.starts_with("__")))
    }

    fn exported_name(&self, name: &str, exposed: &Labels) -> String {
        let mut renamed = format!("exported_{name}");
        while !self.labels.get(&renamed).is_empty() || !exposed.get(&renamed).is_empty() {
            renamed.insert_str(0, "exported_");
        }
        renamed
    }

    /// Labels of the target's `up` series.
    pub fn up_labels(&self) -> Labels {
        self.labels.with(METRIC_NAME, "up")
    }

    /// Registers the target and the series it exposes, in the order in which scrapes will give their values.
    pub fn register(&self, storage: &mut Storage, exposed: &[Labels]) -> TargetId {
        let series = exposed.iter().map(|labels| self.series_labels(labels)).collect();
        storage.add_target(self.up_labels(), series)
    }
}

/// The text of a number as OpenMetrics wants it: Go's shortest form, with `.0` if it would look like an integer.
/// None if `text` is no number.
fn float_text(text: &str) -> Option<String> {
    let value: f64 = text.parse().ok()?;
    if value.is_nan() {
        return Some("NaN".to_owned());
    }
    if value.is_infinite() {
        return Some(if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned());
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    // Go's %g: an exponent below -4 or of 6 and more is written as such, with two digits.
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return Some(format!("{digits}e{sign}{:02}", exponent.abs()));
    }
    let plain = value.to_string();
    Some(if plain.contains('.') { plain } else { plain + ".0" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relabel::{Action, RelabelConfig};

    fn target() -> ScrapeTarget {
        ScrapeTarget::new(Labels::new([("job", "dcgm"), ("pod", "exporter-x")]), 15_000, 4_000)
    }

    #[test]
    fn bounds_are_stored_as_go_writes_floats() {
        let texts = ["1", "1.0", "0.001", "0", "-1", "16384", "100000", "1000000", "2560000", "0.00001", "+Inf", "x"];
        let stored: Vec<String> = texts.iter().map(|text| float_text(text).unwrap_or_default()).collect();
        let go =
            ["1.0", "1.0", "0.001", "0.0", "-1.0", "16384.0", "100000.0", "1e+06", "2.56e+06", "1e-05", "+Inf", ""];
        assert_eq!(stored, go);
    }

    #[test]
    fn an_exposed_label_gives_way_to_the_target_label() {
        let exposed = Labels::new([(METRIC_NAME, "m"), ("pod", "vllm-0"), ("gpu", "0")]);
        let stored = target().series_labels(&exposed);
        assert_eq!(stored.to_string(), r#"m{exported_pod="vllm-0", gpu="0", job="dcgm", pod="exporter-x"}"#);
        let honored = ScrapeTarget { honor_labels: true, ..target() }.series_labels(&exposed);
        assert_eq!(honored.to_string(), r#"m{gpu="0", job="dcgm", pod="vllm-0"}"#);
    }

    #[test]
    fn metric_relabelings_see_the_labels_after_the_conflict_and_may_drop_a_series() {
        let config = |source: &str, regex: &str| RelabelConfig {
            source_labels: vec![source.to_owned()],
            regex: Some(regex.to_owned()),
            ..RelabelConfig::default()
        };
        let rename = RelabelConfig { target_label: Some("pod".to_owned()), ..config("exported_pod", "(.+)") };
        let drop = RelabelConfig { action: Some(Action::Drop), ..config(METRIC_NAME, "go_.*") };
        let rules = [rename, drop].iter().map(|config| RelabelRule::new(config).expect("valid")).collect();
        let target = ScrapeTarget { metric_relabelings: rules, ..target() };
        let stored = |name| target.stored_labels(&Labels::new([(METRIC_NAME, name), ("pod", "vllm-0")]));
        let kept = stored("util").expect("kept").to_string();
        assert_eq!(kept, r#"util{exported_pod="vllm-0", job="dcgm", pod="vllm-0"}"#);
        assert_eq!(stored("go_goroutines"), None);
    }

    #[test]
    fn a_taken_exported_name_is_prefixed_again() {
        let exposed = Labels::new([(METRIC_NAME, "m"), ("pod", "a"), ("exported_pod", "b")]);
        assert_eq!(target().series_labels(&exposed).get("exported_exported_pod"), "a");
    }

    #[test]
    fn scrapes_lie_on_the_phase_of_the_target() {
        assert_eq!([0, 4_000, 4_001, 19_000].map(|t_ms| target().next_scrape_ms(t_ms)), [4_000, 4_000, 19_000, 19_000]);
    }
}
