//! What clients do.

use cluster::spec::{Patience, RetryDemand, RetrySpec, ServiceModel, ServiceSpec};
use workload::Distribution as Drawn;

use crate::error::ScenarioError;
use crate::file::{Distribution, RetryDemandFile, ServiceFile};
use crate::quantity::Time;

use super::Context;

const DEMAND: &str = "spec.service.client.retries.demand";

impl Context<'_> {
    /// How long clients wait.
    pub(super) fn patience(
        &self,
        file: Option<&Distribution<Time>>,
        path: &str,
    ) -> Result<Option<Patience>, ScenarioError> {
        let Some(file) = file else { return Ok(None) };
        Ok(Some(match self.distribution(file, path)? {
            Drawn::Constant(seconds) => Patience::Fixed(Time(seconds).duration()),
            law => Patience::Drawn(law),
        }))
    }

    /// When they ask again, and for what.
    pub(super) fn retries(&self, file: &ServiceFile, model: &ServiceModel) -> Result<Option<RetrySpec>, ScenarioError> {
        let Some(retries) = &file.client.retries else { return Ok(None) };
        if retries.attempts_max == 0 {
            return Err(self.inconsistent("spec.service.client.retries.attemptsMax", "must be at least 1"));
        }
        if retries.jitter.0 > 1.0 {
            return Err(self.inconsistent("spec.service.client.retries.jitter", "must be at most 100%"));
        }
        let demand = match retries.demand {
            RetryDemandFile::Same => RetryDemand::Same,
            RetryDemandFile::Redraw => RetryDemand::Redraw,
        };
        if demand == RetryDemand::Redraw && matches!(model, ServiceModel::DynamicBatching { .. }) {
            let reason = "there is nothing to draw: a batch takes as long as its size says, whoever is in it";
            return Err(self.inconsistent(DEMAND, reason));
        }
        Ok(Some(RetrySpec {
            attempts_max: retries.attempts_max,
            backoff: retries.backoff.duration(),
            backoff_max: retries.backoff_max.duration(),
            jitter: retries.jitter.0,
            demand,
        }))
    }

    /// A new draw needs something to draw from: refuses it where the lengths of answers are those of a trace.
    pub(super) fn check_redraw(&self, service: &ServiceSpec) -> Result<(), ScenarioError> {
        let is_redrawn = service.retries.as_ref().is_some_and(|retries| retries.demand == RetryDemand::Redraw);
        let is_language_model = matches!(service.model, ServiceModel::ContinuousBatching { .. });
        if is_redrawn && is_language_model && service.traffic.has_tokens() {
            let reason = "the traffic says how long each answer is, and `outputTokens` does not: `same`";
            return Err(self.inconsistent(DEMAND, reason));
        }
        Ok(())
    }
}
