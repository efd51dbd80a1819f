//! Metrics of the user's own: `metrics.aliases` and `metrics.series`.

use exporters::{
    Appears, Exporter, Facts, HistogramPart, HistogramSignal, Kind, Label, NAMED_SIGNALS, NamedSignal, Scope, Series,
    Signal, Target, TargetOf, Value, default_target, named_signal,
};
use promql::Outline;
use units::SimDuration;

use crate::error::{Allowed, ScenarioError};
use crate::file::{KindFile, MetricsFile, PlaceFile, PresentFile, RoundFile, UserSeriesFile};

use crate::quantity::{Amount, Time};

use super::Context;

impl Context<'_> {
    /// The targets that show the user's own metrics.
    pub(super) fn user_targets(&self, file: &MetricsFile, facts: &Facts) -> Result<Vec<Target>, ScenarioError> {
        let mut targets: Vec<Target> = Vec::new();
        for (name, signal) in &file.aliases {
            let path = format!("spec.metrics.aliases[\"{name}\"]");
            let written = UserSeriesFile::of_signal(name, signal);
            self.add_series(&written, (&path, &path), facts, &mut targets)?;
        }
        for (index, written) in file.series.iter().enumerate() {
            let path = format!("spec.metrics.series[{index}]");
            self.add_series(written, (&path, &format!("{path}.from")), facts, &mut targets)?;
        }
        Ok(targets)
    }

    fn add_series(
        &self,
        written: &UserSeriesFile,
        (path, from_path): (&str, &str),
        facts: &Facts,
        targets: &mut Vec<Target>,
    ) -> Result<(), ScenarioError> {
        let source = self.shown_value(written, path, from_path)?;
        let (of, per) = place(written.at, source.scope());
        let interval = match written.interval {
            Some(interval) => self.at_least(interval, SimDuration::from_secs(1), &format!("{path}.interval"))?,
            None => facts.interval,
        };
        let delay = written.delay.map_or(SimDuration::ZERO, Time::duration);
        let series = made(written, &source, per, facts);
        let same =
            targets.iter_mut().find(|target| target.of == of && target.interval == interval && target.delay == delay);
        match same {
            Some(target) => target.series.extend(series),
            None => targets.push(Target { interval, delay, ..default_target(Exporter::User, of, facts, series) }),
        }
        Ok(())
    }

    fn shown_value(&self, written: &UserSeriesFile, path: &str, from_path: &str) -> Result<Source, ScenarioError> {
        let kind = written.kind.map(|kind| match kind {
            KindFile::Counter => Kind::Counter,
            KindFile::Gauge => Kind::Gauge,
            KindFile::Histogram => Kind::Histogram,
        });
        match (&written.from, &written.promql, written.constant) {
            (Some(from), None, None) => {
                let (own, what) = self.signal(from, from_path)?;
                if matches!(what, NamedSignal::Spread(_)) && written.buckets.is_empty() {
                    return Err(self.inconsistent(path, "a histogram needs `buckets`"));
                }
                Ok(Source { kind: kind.unwrap_or(own), what: What::Signal(what) })
            }
            (None, Some(text), None) => {
                Outline::of(text).map_err(|error| self.inconsistent(&format!("{path}.promql"), &error.to_string()))?;
                Ok(Source { kind: kind.unwrap_or(Kind::Gauge), what: What::Expression(text.clone()) })
            }
            (None, None, Some(value)) => Ok(Source { kind: kind.unwrap_or(Kind::Gauge), what: What::Constant(value) }),
            _ => Err(self.inconsistent(path, "needs exactly one of `from`, `promql` and `constant`")),
        }
    }

    /// A signal by name, with parameters in braces where it has some.
    fn signal(&self, text: &str, path: &str) -> Result<(Kind, NamedSignal), ScenarioError> {
        let (name, parameters) = text.split_once('{').unwrap_or((text, ""));
        let Some((kind, mut what)) = named_signal(name) else {
            let names = NAMED_SIGNALS.iter().map(|known| known.0);
            let at = self.at(path);
            return Err(ScenarioError::UnknownName { at, what: "signal", allowed: Allowed::new(name, names) });
        };
        for parameter in parameters.trim_end_matches('}').split(',').filter(|parameter| !parameter.trim().is_empty()) {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.trim().trim_matches('"');
            let seconds = || Time::parse(value).map(|time| time.0).filter(|seconds| *seconds > 0.0);
            let number = || value.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
            what = match (what, key.trim()) {
                (NamedSignal::Plain(Signal::ArrivalRate { .. }), "window") => {
                    seconds().map(|window_s| NamedSignal::Plain(Signal::ArrivalRate { window_s }))
                }
                (NamedSignal::Plain(Signal::LatencyQuantile { quantile, .. }), "window") => {
                    seconds().map(|window_s| NamedSignal::Plain(Signal::LatencyQuantile { quantile, window_s }))
                }
                (NamedSignal::Plain(Signal::LatencyQuantile { window_s, .. }), "q") => {
                    number().map(|quantile| NamedSignal::Plain(Signal::LatencyQuantile { quantile, window_s }))
                }
                _ => None,
            }
            .ok_or_else(|| {
                let reason = format!("`{parameter}` is no parameter of {name}; arrival_rate has window, latency_quantile has q and window");
                self.inconsistent(path, &reason)
            })?;
        }
        Ok((kind, what))
    }
}

/// What a series is made of.
struct Source {
    kind: Kind,
    what: What,
}

enum What {
    Signal(NamedSignal),
    Expression(String),
    Constant(f64),
}

impl Source {
    fn scope(&self) -> Scope {
        match &self.what {
            What::Signal(NamedSignal::Plain(signal)) => signal.scope(),
            What::Signal(NamedSignal::Spread(of)) => histogram(*of, HistogramPart::Count).scope(),
            What::Expression(_) | What::Constant(_) => Scope::Gateway,
        }
    }
}

fn histogram(of: HistogramSignal, part: HistogramPart) -> Signal {
    Signal::Histogram(of, part)
}

/// The target of a series and of what there is one.
#[allow(clippy::unnested_or_patterns, reason = "what is written, or else what follows from the scope")]
fn place(at: Option<PlaceFile>, scope: Scope) -> (TargetOf, Scope) {
    let of = match (at, scope) {
        (Some(PlaceFile::Pod), _) | (None, Scope::Pod) => TargetOf::Pod,
        (Some(PlaceFile::Gateway), _) | (None, Scope::Gateway) => TargetOf::Gateway,
        (Some(PlaceFile::Node), _) => TargetOf::Node,
        (Some(PlaceFile::Controller), _) | (None, _) => TargetOf::Cluster,
    };
    (of, scope)
}

fn made(written: &UserSeriesFile, source: &Source, per: Scope, facts: &Facts) -> Vec<Series> {
    let (scale, floor) = (written.scale.unwrap_or(1.0), written.round == RoundFile::Floor);
    let labels: Vec<Label> = written
        .labels
        .iter()
        .map(|(name, value)| {
            let words = [
                ("{namespace}", facts.namespace.as_str()),
                ("{model_name}", &facts.model_name),
                ("{workload}", &facts.workload),
                ("{deployment}", &facts.workload),
                ("{service}", &facts.service),
            ];
            Label::new(name, words.into_iter().fold(value.clone(), |text, (word, fact)| text.replace(word, fact)))
        })
        .collect();
    let one = |suffix: &str, value: Value, bound: Option<String>| Series {
        name: format!("{}{suffix}", written.name),
        kind: source.kind,
        labels: labels.iter().cloned().chain(bound.map(|bound| Label::new("le", bound))).collect(),
        value,
        per,
        appears: match written.present {
            PresentFile::Always => Appears::WithProcess,
            PresentFile::Ready => Appears::WhileReady,
            PresentFile::First => Appears::FirstEvent,
        },
    };
    match &source.what {
        What::Constant(value) => vec![one("", Value::Constant(*value), None)],
        What::Expression(text) => vec![one("", Value::Expression(text.clone()), None)],
        What::Signal(NamedSignal::Plain(signal)) => {
            vec![one("", Value::Signal { signal: *signal, scale, floor }, None)]
        }
        What::Signal(NamedSignal::Spread(of)) => {
            let value = |part, scale| Value::Signal { signal: histogram(*of, part), scale, floor: false };
            let bounds = written.buckets.iter().copied().chain([f64::INFINITY]);
            let buckets = bounds.map(|bound| {
                let text = if bound.is_infinite() { "+Inf".to_owned() } else { bound.to_string() };
                one("_bucket", value(HistogramPart::Bucket(bound / scale), 1.0), Some(text))
            });
            buckets
                .chain([
                    one("_sum", value(HistogramPart::Sum, scale), None),
                    one("_count", value(HistogramPart::Count, 1.0), None),
                ])
                .collect()
        }
    }
}

impl UserSeriesFile {
    /// The short form.
    fn of_signal(name: &str, signal: &str) -> Self {
        Self {
            name: name.to_owned(),
            from: Some(signal.to_owned()),
            promql: None,
            constant: None,
            labels: std::collections::BTreeMap::new(),
            kind: None,
            buckets: Vec::new(),
            scale: None,
            round: RoundFile::None,
            at: None,
            interval: None,
            delay: None,
            present: PresentFile::Always,
        }
    }
}
