//! From documents to an experiment: names become references, files become traces, defaults are filled.

mod adapter;
mod asked;
mod availability;
mod beside;
mod buffer;
mod cloud;
mod compute_class;
mod context;
mod daemons;
mod examples;
mod flags;
mod fleet;
mod groups;
mod implied;
mod interceptor;
mod karpenter_pool;
mod keda;
mod left_out;
mod managed;
mod metrics;
mod node_manager;
mod offerings;
mod overlay;
mod policies;
mod prehistory;
mod price_book;
mod probes;
mod queries;
mod rates;
mod recording;
mod registry;
mod requests;
mod requirement;
mod rollouts;
mod runtime_class;
mod scale_target;
mod scheduling;
mod scrape_configs;
mod server;
mod service;
mod shapes;
mod spot_history;
mod stopping;
mod targets;
mod traffic;
mod triggers;
mod updates;
mod usage;
mod user_series;
mod versions;
mod wish;
mod workload;

pub use context::Context;
pub use registry::{MetricUse, MetricsView};
pub use scale_target::scaled_by;

use cluster::spec::{PrehistorySpec, SimulationSpec, SloSpec};
use units::{SimDuration, SimTime};

use crate::error::ScenarioError;
use crate::file::ScenarioFile;
use crate::quantity::Time;
use traffic::Arrivals;

/// The part of the calendar that the run covers.
#[derive(Clone, Copy, Debug)]
pub struct RunWindow {
    /// Start.
    pub start: jiff::Timestamp,
    /// Local day of the start.
    pub date: jiff::civil::Date,
    /// Length.
    pub length: SimDuration,
}

impl ScenarioFile {
    /// The experiment this document describes together with the manifests and files beside it.
    pub fn resolve(&self, context: &mut Context<'_>) -> Result<SimulationSpec, ScenarioError> {
        if self.spec.policies.is_empty() {
            return Err(context.inconsistent("spec.policies", "at least one policy is needed"));
        }
        let spec = &*context.with_manager(&self.spec)?;
        let run = &spec.run;
        let duration = run.duration.duration();
        if duration.is_zero() {
            return Err(context.inconsistent("spec.run.duration", "must be longer than zero"));
        }
        if run.warm_up.duration() >= duration {
            return Err(context.inconsistent("spec.run.warmUp", "must be shorter than `run.duration`"));
        }
        if run.replications == 0 {
            return Err(context.inconsistent("spec.run.replications", "must be at least 1"));
        }
        let start = context.start(run)?;
        let mut service = context.service(spec)?;
        context.hold_against_flags(spec, &service.pod)?;
        let window = RunWindow { start: start.timestamp(), date: start.date(), length: duration };
        let fleet = context.fleet(spec, &mut service, &window)?;
        let Arrivals { traffic, history, before } = context.traffic(spec, &start)?;
        (service.traffic, service.history, service.slo) = (traffic, history, context.slo(spec)?);
        let mut policies = context.policies(spec, &service)?;
        context.keep_buffers(&mut policies, &service, spec)?;
        service.rollouts = context.rollouts(spec, &service)?;
        let metrics = context.metrics(spec, &mut service, &policies)?;
        let mut resolved = SimulationSpec {
            name: self.metadata.name.clone(),
            start_unix_seconds: start.timestamp().as_second(),
            time_zone: run.time_zone.clone(),
            end: SimTime::ZERO + duration,
            warm_up: run.warm_up.duration(),
            timeline_step: context.at_least(run.timeline_step, SimDuration::from_secs(1), "spec.run.timelineStep")?,
            metrics,
            policies,
            services: vec![service],
            prehistory: PrehistorySpec::default(),
            fleet,
        };
        context.prehistory(run, &mut resolved, before)?;
        Ok(resolved)
    }
}

impl Context<'_> {
    /// A length that must not be shorter than `least`.
    fn at_least(&self, time: Time, least: SimDuration, path: &str) -> Result<SimDuration, ScenarioError> {
        let duration = time.duration();
        if duration < least {
            return Err(self.inconsistent(path, &format!("must be at least {least}")));
        }
        Ok(duration)
    }

    fn slo(&self, spec: &crate::file::ScenarioSpec) -> Result<SloSpec, ScenarioError> {
        let slo = &spec.slo;
        let objective = slo.objective.0;
        if !(objective > 0.0 && objective <= 1.0) {
            return Err(self.inconsistent("spec.slo.objective", "must be above 0% and at most 100%"));
        }
        let is_tokenwise = slo.ttft.is_some() || slo.tpot.is_some();
        if is_tokenwise && !matches!(spec.service.model, crate::file::ModelFile::ContinuousBatching(_)) {
            let reason = "`ttft` and `tpot` need a service that makes tokens: `service.model.continuousBatching`";
            return Err(self.inconsistent("spec.slo", reason));
        }
        Ok(SloSpec {
            latency: slo.latency.map(Time::duration),
            ttft: slo.ttft.map(Time::duration),
            tpot: slo.tpot.map(Time::duration),
            objective,
        })
    }
}
