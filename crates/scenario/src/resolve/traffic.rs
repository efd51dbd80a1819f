//! What arrives, and what arrived before.

use std::sync::Arc;

use jiff::ZonedDateTime;
use units::SimDuration;
use workload::{Distribution, RateCurve, RateLog, Traffic};

use crate::data::TraceDetails;
use crate::error::ScenarioError;
use crate::file::{
    GeneratorFile, ModelFile, PartFile, PrefixFile, ProcessFile, RateTerm, ServiceView, TraceFile, TrafficFile,
};
use crate::quantity::{Share, Time};

use super::Context;
use super::calendar::Calendar;
use super::rates::{Dimension, Rate};
use super::window::Window;

/// Steps of a generated curve at most: a month of ten-second steps is a quarter of a million.
const STEPS_MAX: u64 = 20_000_000;

/// Copies of a request that is drawn anew, at most, in the mean.
const RESAMPLE_MAX: f64 = 1e6;

/// Steps in which a trace's factor changes: those of a generator that says nothing else.
const DEFAULT_STEP: SimDuration = SimDuration::from_secs(10);

/// What a generator is known to do.
struct Known {
    /// Its rate as it stands.
    rate: Rate,
    /// The same, shifted as the run is.
    in_run: Rate,
    /// Gaps of its renewal process.
    gaps: Option<Distribution>,
}

/// What arrives, and what is known of the time before.
pub(super) struct Arrivals {
    /// Requests of the run.
    pub traffic: Traffic,
    /// Rates before it, for predictors.
    pub history: Arc<RateLog>,
    /// The rate that leads up to the start; `None` for a trace that nothing is said of.
    pub before: Option<Before>,
}

/// The rate that leads up to the start.
pub(super) struct Before {
    /// Requests per second, at negative times.
    pub rate: Rate,
    /// Gaps of a renewal process.
    pub gaps: Option<Distribution>,
    /// True if the user stated it.
    pub is_stated: bool,
    /// True if nobody calls for it is a load test, or sessions, that begins with the run.
    pub is_idle: bool,
}

impl Context<'_> {
    /// Arrivals of the run and the rates before it.
    pub(super) fn traffic(&mut self, spec: &ServiceView, start: &ZonedDateTime) -> Result<Arrivals, ScenarioError> {
        self.adapters.begin();
        let file = &spec.traffic;
        let calendar = &Calendar::of(start, spec.run.duration.duration());
        let load_test = self.load_test(spec)?;
        let is_load_test = load_test.is_some();
        let is_called_only = file.from.is_some() && !is_load_test && !file.has_source();
        let (traffic, known) = match (load_test, &file.sum) {
            (Some(test), _) => (test, None),
            (None, None) if is_called_only => {
                self.check_called_only(file)?;
                (Traffic::Merge(Vec::new()), None)
            }
            (None, None) => self.source(spec, &file.part(), "spec.traffic", calendar)?,
            (None, Some(parts)) => self.sum(spec, parts, calendar)?,
        };
        let traffic = self.sessions(spec, traffic)?;
        // That of first turns says nothing of all turns.
        let known = known.filter(|_| file.sessions.is_none());
        traffic.validate().map_err(|error| self.inconsistent("spec.traffic", &error.to_string()))?;
        let history = self.history(file, known.as_ref().map(|known| known.rate.clone()), calendar)?;
        if history.before.is_empty() && spec.policies.iter().any(|policy| policy.predictive.is_some()) {
            self.notes.push("predictive policies have no history: state `traffic.history`; until a day has passed they know nothing".to_owned());
        }
        let stated = file.history.as_ref().and_then(|history| history.rate.as_ref());
        let before = match (stated, known) {
            (Some(term), known) => {
                let rate = self.request_rate(term, "spec.traffic.history.rate", calendar)?;
                Some(Before { rate, gaps: known.and_then(|known| known.gaps), is_stated: true, is_idle: false })
            }
            (None, Some(Known { in_run, gaps, .. })) => {
                Some(Before { rate: in_run, gaps, is_stated: false, is_idle: false })
            }
            (None, None) if is_load_test || is_called_only || file.sessions.is_some() => {
                let rate = Rate::Constant(0.0);
                Some(Before { rate, gaps: None, is_stated: true, is_idle: !is_called_only })
            }
            (None, None) => None,
        };
        Ok(Arrivals { traffic, history: Arc::new(history), before })
    }

    /// Nothing shapes requests that are not there.
    fn check_called_only(&self, file: &TrafficFile) -> Result<(), ScenarioError> {
        let keys = [
            ("scale", file.scale.0 != 1.0),
            ("factor", file.factor.is_some()),
            ("repeat", file.repeat != 1),
            ("shift", file.shift.0 != 0.0),
            ("clip", file.clip.is_some()),
            ("sessions", file.sessions.is_some()),
        ];
        match keys.into_iter().find(|(_, is_there)| *is_there) {
            Some((key, _)) => {
                let reason = "shapes requests of the service's own, and it has but those of `from`: `share` and `count` say how many";
                Err(self.inconsistent(&format!("spec.traffic.{key}"), reason))
            }
            None => Ok(()),
        }
    }

    /// The requests of all parts. Its rate is known if that of every part is.
    fn sum(
        &mut self,
        spec: &ServiceView,
        parts: &[PartFile],
        calendar: &Calendar,
    ) -> Result<(Traffic, Option<Known>), ScenarioError> {
        let file = &spec.traffic;
        if file.trace.is_some() || file.generator.is_some() {
            return Err(self.inconsistent("spec.traffic", "only one of `trace`, `generator` and `sum`"));
        }
        if file.clip.is_some() || file.repeat != 1 {
            return Err(self.inconsistent("spec.traffic", "`clip` and `repeat` go to the traces in `sum`"));
        }
        if parts.is_empty() {
            return Err(self.inconsistent("spec.traffic.sum", "needs at least one part"));
        }
        let (mut sources, mut known) = (Vec::new(), Vec::new());
        for (index, part) in parts.iter().enumerate() {
            let (scale, shift) = (Share(part.scale.0 * file.scale.0), Time(part.shift.0 + file.shift.0));
            let part = PartFile { scale, shift, ..part.clone() };
            let (source, rate) = self.source(spec, &part, &format!("spec.traffic.sum[{index}]"), calendar)?;
            sources.push(source);
            known.push(rate);
        }
        let with_tokens = sources.iter().filter(|source| source.has_tokens()).count();
        if with_tokens > 0 {
            sources = sources.into_iter().map(|source| self.with_tokens(spec, source)).collect::<Result<_, _>>()?;
        }
        let known = known.into_iter().collect::<Option<Vec<_>>>().map(|parts| {
            let (rates, in_run) = parts.into_iter().map(|part| (part.rate, part.in_run)).unzip();
            Known { rate: Rate::Sum(rates), in_run: Rate::Sum(in_run), gaps: None }
        });
        Ok((Traffic::Merge(sources), known))
    }

    /// Tokens for a source that has none and is added to one that has: those of the service.
    fn with_tokens(&self, spec: &ServiceView, source: Traffic) -> Result<Traffic, ScenarioError> {
        if source.has_tokens() {
            return Ok(source);
        }
        let (prompt, output) = match &spec.service.model {
            ModelFile::ContinuousBatching(model) => {
                let path = "spec.service.model.continuousBatching";
                let law = |tokens, key: &str| self.distribution(tokens, &format!("{path}.{key}"));
                (law(&model.prompt_tokens, "promptTokens")?, law(&model.output_tokens, "outputTokens")?)
            }
            // Nobody looks at them.
            _ => (Distribution::Constant(1.0), Distribution::Constant(1.0)),
        };
        Ok(Traffic::WithTokens { source: Box::new(source), prompt, output })
    }

    /// A trace or a generator, times its factor and that of the whole, with its rate if that is known.
    fn source(
        &mut self,
        spec: &ServiceView,
        part: &PartFile,
        path: &str,
        calendar: &Calendar,
    ) -> Result<(Traffic, Option<Known>), ScenarioError> {
        let mut factors = Vec::new();
        let is_part = path != "spec.traffic";
        if let Some(term) = spec.traffic.factor.as_ref().filter(|_| is_part) {
            factors.push(self.factor(term, "spec.traffic.factor", calendar)?);
        }
        if let Some(term) = &part.factor {
            factors.push(self.factor(term, &format!("{path}.factor"), calendar)?);
        }
        match (&part.trace, &part.generator) {
            (Some(trace), None) => {
                let wanted = TraceDetails {
                    blocks: matches!(spec.traffic.prefix, Some(PrefixFile::HashIds(_))),
                    adapters: spec.traffic.adapters.as_ref().is_some_and(|adapters| adapters.from_trace),
                };
                let traffic = self.replay(part, trace, (path, wanted))?;
                if factors.is_empty() {
                    return Ok((traffic, None));
                }
                let curve = self.curve(&Rate::Product(factors), DEFAULT_STEP, spec, &format!("{path}.factor"))?;
                Ok((Traffic::Thinned { source: Box::new(traffic), factor: curve }, None))
            }
            (None, Some(generator)) => {
                let (traffic, known) = self.generated(spec, (part, generator), &factors, (path, calendar))?;
                Ok((traffic, Some(known)))
            }
            (Some(_), Some(_)) => Err(self.inconsistent(path, "only one of `trace` and `generator`")),
            (None, None) if is_part => Err(self.inconsistent(path, "needs `trace` or `generator`")),
            (None, None) => {
                Err(self.inconsistent(path, "needs `trace`, `generator`, `sum`, `stages`, `closedLoop` or `from`"))
            }
        }
    }

    fn factor(&self, term: &RateTerm, path: &str, calendar: &Calendar) -> Result<Rate, ScenarioError> {
        let (rate, dimension) = self.rate(term, path, calendar)?;
        if dimension == Dimension::Rate {
            let reason = "is a rate (`req/s`); a factor such as `70%` is needed. Rates are added as parts of a `sum`";
            return Err(self.inconsistent(path, reason));
        }
        Ok(rate)
    }

    fn replay(
        &mut self,
        part: &PartFile,
        trace: &TraceFile,
        (path, wanted): (&str, TraceDetails),
    ) -> Result<Traffic, ScenarioError> {
        if trace.columns.is_some() != (trace.format == crate::file::TraceFormat::Columns) {
            let reason = "`columns` and `format: columns` go together";
            return Err(self.inconsistent(&format!("{path}.trace"), reason));
        }
        if trace.columns.as_ref().is_some_and(|columns| columns.adapter.is_some()) && !wanted.adapters {
            let reason = "does nothing without `traffic.adapters: {fromTrace: true}`";
            return Err(self.inconsistent(&format!("{path}.trace.columns.adapter"), reason));
        }
        if part.repeat == 0 {
            return Err(self.inconsistent(&format!("{path}.repeat"), "must be at least 1"));
        }
        let file = self.file_of(&trace.file, &format!("{path}.trace.file"))?;
        let recorded = self.data.requests(&file, trace, wanted)?;
        let adapters = wanted.adapters.then(|| self.adapters.number(&trace.file, recorded.adapters.as_deref()));
        let clip = part.clip.map(|clip| (clip.from.duration(), clip.to.map(Time::duration)));
        if let Some((from, Some(to))) = clip
            && to <= from
        {
            return Err(self.inconsistent(&format!("{path}.clip.to"), "must be later than `from`"));
        }
        let window = Window::new(recorded, clip, part.repeat, part.shift.duration()).with_adapters(adapters.flatten());
        let (source, copies) = (Arc::new(window), part.scale.0);
        if trace.resample {
            if copies > RESAMPLE_MAX {
                return Err(self.inconsistent(&format!("{path}.scale"), "is too much for a trace that is drawn anew"));
            }
            return Ok(Traffic::Resampled { source, copies });
        }
        Ok(Traffic::Replay { source, copies })
    }

    fn generated(
        &self,
        spec: &ServiceView,
        (part, generator): (&PartFile, &GeneratorFile),
        factors: &[Rate],
        (path, calendar): (&str, &Calendar),
    ) -> Result<(Traffic, Known), ScenarioError> {
        if part.clip.is_some() || part.repeat != 1 {
            return Err(self.inconsistent(path, "`clip` and `repeat` are for traces"));
        }
        let rate_path = format!("{path}.generator.rate");
        let own = self.request_rate(&generator.rate, &rate_path, calendar)?;
        let own = Rate::Product(vec![own, Rate::Constant(part.scale.0)]);
        let shifted = Rate::Shifted { rate: Box::new(own.clone()), by: part.shift.0 };
        let times_factors = |rate| Rate::Product(std::iter::once(rate).chain(factors.iter().cloned()).collect());
        let step_path = format!("{path}.generator.step");
        let step = generator.step.unwrap_or_else(|| Time(own.step(DEFAULT_STEP.as_secs_f64())));
        let step = self.at_least(step, SimDuration::from_millis(1), &step_path)?;
        let in_run = times_factors(shifted);
        let curve = self.curve(&in_run, step, spec, &step_path)?;
        if curve.peak() <= 0.0 {
            return Err(self.inconsistent(&rate_path, "is zero all through the run"));
        }
        let gaps = match &generator.process {
            ProcessFile::Poisson => None,
            ProcessFile::Renewal(gaps) => Some(self.distribution(gaps, &format!("{path}.generator.process.renewal"))?),
        };
        let traffic = match gaps.clone() {
            None => Traffic::Poisson { rate: curve },
            Some(gaps) => Traffic::Renewal { rate: curve, gaps },
        };
        // The past is that of the generator as it stands: `shift` moves the run against it, not the past.
        Ok((traffic, Known { rate: times_factors(own), in_run, gaps }))
    }

    /// A rate in steps over the run; gaps are zero.
    fn curve(
        &self,
        rate: &Rate,
        step: SimDuration,
        spec: &ServiceView,
        path: &str,
    ) -> Result<Arc<RateCurve>, ScenarioError> {
        let length = spec.run.duration.duration();
        if length.as_nanos() / step.as_nanos() > STEPS_MAX {
            return Err(self.inconsistent(path, "is too short for a run of this length"));
        }
        Ok(Arc::new(RateCurve::from_fn(step, length, |at| rate.at(at.as_secs_f64()).unwrap_or(0.0))))
    }

    fn request_rate(&self, term: &RateTerm, path: &str, calendar: &Calendar) -> Result<Rate, ScenarioError> {
        let (rate, dimension) = self.rate(term, path, calendar)?;
        if dimension == Dimension::Factor {
            return Err(self.inconsistent(path, "is a factor (`%`); a rate such as `12req/s` must be in it"));
        }
        Ok(rate)
    }

    fn history(
        &self,
        file: &TrafficFile,
        generated: Option<Rate>,
        calendar: &Calendar,
    ) -> Result<RateLog, ScenarioError> {
        let Some(history) = &file.history else { return Ok(RateLog::default()) };
        let rate = match (&history.rate, generated) {
            (Some(term), _) => self.request_rate(term, "spec.traffic.history.rate", calendar)?,
            (None, Some(rate)) => rate,
            (None, None) => {
                let reason =
                    "a trace, a load test and sessions have no past of their own: say what it was with `history.rate`";
                return Err(self.inconsistent("spec.traffic.history", reason));
            }
        };
        let minutes = i64::from(history.days) * 1_440;
        let before = (-minutes..0).map(|minute| rate.mean(minute as f64 * 60.0, 60.0, 10.0)).collect();
        Ok(RateLog::with_past(before))
    }
}
