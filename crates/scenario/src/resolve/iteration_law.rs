//! How long an engine iteration takes: `continuousBatching`'s times.

use cluster::spec::{IterationLaw, PassTime};
use units::SimDuration;

use crate::error::ScenarioError;
use crate::file::{ContinuousBatchingFile, TokenTimeFile};
use crate::quantity::Time;

use super::Context;

const PATH: &str = "spec.service.model.continuousBatching";

impl Context<'_> {
    /// The law that the keys of `file` give, of one of its two forms.
    pub(super) fn iteration_law(&self, file: &ContinuousBatchingFile) -> Result<IterationLaw, ScenarioError> {
        let law = if file.token_time.is_empty() { self.linear_law(file)? } else { self.table_law(file)? };
        match &law.pass {
            PassTime::Linear { base, .. } if base.is_zero() && law.shortest.is_zero() => {
                Err(self
                    .inconsistent(PATH, "an iteration must take time: `iterationMin` or `iterationBase` above zero"))
            }
            _ => Ok(law),
        }
    }

    fn linear_law(&self, file: &ContinuousBatchingFile) -> Result<IterationLaw, ScenarioError> {
        for (key, factor) in [("decodeFactor", file.decode_factor), ("prefillFactor", file.prefill_factor)] {
            if factor.is_some() {
                return Err(
                    self.inconsistent(&format!("{PATH}.{key}"), "is a factor on `tokenTime`, which is not there")
                );
            }
        }
        let needed = |key: &str, time: Option<Time>| {
            time.ok_or_else(|| ScenarioError::MissingKey { at: self.at(PATH), key: key.to_owned() })
        };
        let shortest = needed("iterationMin", file.iteration_min)?.duration();
        let base = needed("iterationBase", file.iteration_base)?.duration();
        let per_kv_token = needed("perKvToken", file.per_kv_token)?.nanos();
        let per_prompt_token = needed("perPromptToken", file.per_prompt_token)?.nanos();
        Ok(IterationLaw {
            ns_per_sequence: file.per_sequence.map_or(0.0, Time::nanos),
            ns_per_prompt_token_context: file.per_prompt_token_context.map_or(0.0, Time::nanos),
            ..IterationLaw::linear(shortest, base, [per_kv_token, per_prompt_token])
        })
    }

    fn table_law(&self, file: &ContinuousBatchingFile) -> Result<IterationLaw, ScenarioError> {
        for (key, time) in [("iterationBase", file.iteration_base), ("perPromptToken", file.per_prompt_token)] {
            if time.is_some() {
                return Err(self.inconsistent(&format!("{PATH}.{key}"), "`tokenTime` says it already: one of both"));
            }
        }
        let factor = |key: &str, factor: Option<f64>| match factor.unwrap_or(1.0) {
            factor if factor > 0.0 && factor.is_finite() => Ok(factor),
            _ => Err(self.inconsistent(&format!("{PATH}.{key}"), "must be above zero")),
        };
        self.check_points(&file.token_time)?;
        let points = file.token_time.iter().map(|point| (point.tokens, point.time.nanos()));
        Ok(IterationLaw {
            shortest: file.iteration_min.map_or(SimDuration::ZERO, Time::duration),
            pass: PassTime::Table {
                points: points.collect(),
                decode_factor: factor("decodeFactor", file.decode_factor)?,
                prefill_factor: factor("prefillFactor", file.prefill_factor)?,
            },
            ns_per_kv_token: file.per_kv_token.map_or(0.0, Time::nanos),
            ns_per_sequence: file.per_sequence.map_or(0.0, Time::nanos),
            ns_per_prompt_token_context: file.per_prompt_token_context.map_or(0.0, Time::nanos),
        })
    }

    fn check_points(&self, points: &[TokenTimeFile]) -> Result<(), ScenarioError> {
        let path = |place: usize, key: &str| format!("{PATH}.tokenTime[{place}].{key}");
        if points.len() < 2 {
            return Err(self.inconsistent(&format!("{PATH}.tokenTime"), "needs at least two points"));
        }
        if points[0].tokens == 0 {
            return Err(self.inconsistent(&path(0, "tokens"), "must be at least 1: an iteration computes something"));
        }
        if points[0].time.0 <= 0.0 {
            return Err(self.inconsistent(&path(0, "time"), "must be above zero"));
        }
        for (place, pair) in (1..).zip(points.windows(2)) {
            if pair[1].tokens <= pair[0].tokens {
                return Err(self.inconsistent(&path(place, "tokens"), "must be more than in the point before"));
            }
            if pair[1].time.0 < pair[0].time.0 {
                return Err(self.inconsistent(&path(place, "time"), "must not be less than in the point before"));
            }
        }
        Ok(())
    }
}
