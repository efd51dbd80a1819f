//! What arrives, and what arrived before.

use std::sync::Arc;

use jiff::ZonedDateTime;
use units::SimDuration;
use workload::{RateCurve, RateLog, Traffic};

use crate::error::ScenarioError;
use crate::file::{GeneratorFile, ProcessFile, ScenarioSpec, TraceFile, TrafficFile};
use crate::quantity::Time;
use crate::trace::{FileTrace, Window};

use super::Context;
use super::rates::{Calendar, Dimension, Rate};

/// Steps of a generated curve at most: a month of ten-second steps is a quarter of a million.
const STEPS_MAX: u64 = 20_000_000;

impl Context<'_> {
    /// Arrivals of the run and the rates before it.
    pub(super) fn traffic(
        &mut self,
        spec: &ScenarioSpec,
        start: &ZonedDateTime,
    ) -> Result<(Traffic, Arc<RateLog>), ScenarioError> {
        let file = &spec.traffic;
        let midnight = start.time().duration_since(jiff::civil::Time::midnight());
        let weekday = start.weekday().to_monday_zero_offset();
        let calendar = Calendar { second_of_day: midnight.as_secs_f64(), weekday: weekday.unsigned_abs().into() };
        let (traffic, rate) = match (&file.trace, &file.generator) {
            (Some(trace), None) => (self.replay(file, trace)?, None),
            (None, Some(generator)) => {
                let (traffic, rate) = self.generated(spec, generator, calendar)?;
                (traffic, Some(rate))
            }
            (Some(_), Some(_)) => return Err(self.inconsistent("spec.traffic", "only one of `trace` and `generator`")),
            (None, None) => return Err(self.inconsistent("spec.traffic", "needs `trace` or `generator`")),
        };
        traffic.validate().map_err(|error| self.inconsistent("spec.traffic", &error.to_string()))?;
        let history = self.history(file, rate, calendar)?;
        if history.before.is_empty() && spec.policies.iter().any(|policy| policy.predictive.is_some()) {
            self.notes.push("predictive policies have no history: state `traffic.history`; until a day has passed they know nothing".to_owned());
        }
        Ok((traffic, Arc::new(history)))
    }

    fn replay(&self, file: &TrafficFile, trace: &TraceFile) -> Result<Traffic, ScenarioError> {
        let path = self.file(&trace.file);
        if trace.columns.is_some() != (trace.format == crate::file::TraceFormat::Columns) {
            let reason = "`columns` and `format: columns` go together";
            return Err(self.inconsistent("spec.traffic.trace", reason));
        }
        if file.repeat == 0 {
            return Err(self.inconsistent("spec.traffic.repeat", "must be at least 1"));
        }
        let source = FileTrace::load(&path, trace)?;
        let clip = file.clip.map(|clip| (clip.from.duration(), clip.to.map(Time::duration)));
        if let Some((from, Some(to))) = clip
            && to <= from
        {
            return Err(self.inconsistent("spec.traffic.clip.to", "must be later than `from`"));
        }
        let window = Window::new(source, clip, file.repeat, file.shift.duration());
        Ok(Traffic::Replay { source: Arc::new(window), copies: file.scale.0 })
    }

    fn generated(
        &self,
        spec: &ScenarioSpec,
        generator: &GeneratorFile,
        calendar: Calendar,
    ) -> Result<(Traffic, Rate), ScenarioError> {
        let file = &spec.traffic;
        if file.clip.is_some() || file.repeat != 1 {
            return Err(self.inconsistent("spec.traffic", "`clip` and `repeat` are for traces"));
        }
        let path = "spec.traffic.generator.rate";
        let rate = self.request_rate(&generator.rate, path, calendar)?;
        let rate = Rate::Product(vec![rate, Rate::Constant(file.scale.0)]);
        let least = SimDuration::from_millis(1);
        let step = self.at_least(generator.step, least, "spec.traffic.generator.step")?;
        let length = spec.run.duration.duration();
        if length.as_nanos() / step.as_nanos() > STEPS_MAX {
            return Err(self.inconsistent("spec.traffic.generator.step", "is too short for a run of this length"));
        }
        let shift = file.shift.0;
        let curve = RateCurve::from_fn(step, length, |at| rate.at(at.as_secs_f64() - shift).unwrap_or(0.0));
        if curve.peak() <= 0.0 {
            return Err(self.inconsistent(path, "is zero all through the run"));
        }
        let curve = Arc::new(curve);
        let traffic = match &generator.process {
            ProcessFile::Poisson => Traffic::Poisson { rate: curve },
            ProcessFile::Renewal(gaps) => {
                let gaps = self.distribution(gaps, "spec.traffic.generator.process.renewal")?;
                Traffic::Renewal { rate: curve, gaps }
            }
        };
        Ok((traffic, rate))
    }

    fn request_rate(
        &self,
        term: &crate::file::RateTerm,
        path: &str,
        calendar: Calendar,
    ) -> Result<Rate, ScenarioError> {
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
        calendar: Calendar,
    ) -> Result<RateLog, ScenarioError> {
        let Some(history) = &file.history else { return Ok(RateLog::default()) };
        let rate = match (&history.rate, generated) {
            (Some(term), _) => self.request_rate(term, "spec.traffic.history.rate", calendar)?,
            (None, Some(rate)) => rate,
            (None, None) => {
                let reason = "a trace has no past of its own: say what it was with `history.rate`";
                return Err(self.inconsistent("spec.traffic.history", reason));
            }
        };
        let minutes = i64::from(history.days) * 1_440;
        let before = (-minutes..0).map(|minute| rate.mean(minute as f64 * 60.0, 60.0, 10.0)).collect();
        Ok(RateLog::with_past(before))
    }
}
