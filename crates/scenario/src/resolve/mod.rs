//! From documents to an experiment: names become references, files become traces, defaults are filled.

mod adapter;
mod adapters;
mod adapters_of_traces;
mod annotation_places;
mod annotations;
mod asked;
mod availability;
mod beside;
mod buffer;
mod calendar;
mod client;
mod cloud;
mod cold_start;
mod compute_class;
mod context;
mod daemons;
mod distribution;
mod endpoint_picker;
mod examples;
mod field_slips;
mod flags;
mod fleet;
mod groups;
mod implied;
mod interceptor;
mod iteration_law;
mod karpenter_pool;
mod keda;
mod kubelet;
mod kv_transfer;
mod labels;
mod left_out;
mod load_test;
mod managed;
mod metrics;
mod neighbours;
mod node_manager;
mod offerings;
mod overlay;
mod policies;
mod prehistory;
mod preset;
mod price_book;
mod probes;
mod queries;
mod rates;
mod recorded;
mod recording;
mod registry;
mod requests;
mod requirement;
mod rollouts;
mod routing;
mod runtime_class;
mod saturation;
mod scale_target;
mod scheduler;
mod scheduling;
mod scrape_configs;
mod series;
mod server;
mod service;
mod several;
mod shapes;
mod speculative;
mod spot_history;
mod stopping;
mod targets;
mod traffic;
mod triggers;
mod turn;
mod updates;
mod usage;
mod user_series;
mod versions;
mod window;
mod wish;
mod workload;

pub use calendar::changes_in_run;
pub use context::Context;
pub use registry::{MetricUse, MetricsView};
pub use scale_target::scaled_by;

use std::collections::BTreeMap;

use cluster::spec::{FleetSpec, PolicySpec, PrehistorySpec, ServiceSpec, SimulationSpec, SloSpec};
use units::{SimDuration, SimTime};

use crate::error::ScenarioError;
use crate::file::{ScenarioFile, ServiceView};
use crate::quantity::Time;
use traffic::{Arrivals, Before};

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

/// One service, as far as it is resolved.
struct Resolved {
    service: ServiceSpec,
    /// The policies as they are about it.
    policies: Vec<PolicySpec>,
    before: Option<Before>,
}

impl ScenarioFile {
    /// The experiment this document describes together with the manifests and files beside it.
    pub fn resolve(&self, context: &mut Context<'_>) -> Result<SimulationSpec, ScenarioError> {
        context.check_label(&self.metadata.name, "metadata.name")?;
        context.check_folder(&self.metadata.name, "metadata.name")?;
        if self.spec.policies.is_empty() {
            return Err(context.inconsistent("spec.policies", "at least one policy is needed"));
        }
        let mut views = context.views(&self.spec)?;
        views.iter_mut().for_each(|view| view.service.model.spell_out());
        let run = &self.spec.run;
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
        context.note_clock_change(&start, duration);
        let window = RunWindow { start: start.timestamp(), date: start.date(), length: duration };
        let (mut all, fleet) = context.on_nodes(&mut views, &window)?;
        context.check_pools_apart(&self.spec.policies, (&fleet, all.len()))?;
        context.asked_and_scaled(&views, &mut all, &start)?;
        let metrics = context.metrics(&views, &mut all)?;
        let policies = merged(&all);
        let (services, before) = all.into_iter().map(|one| (one.service, one.before)).unzip();
        let mut resolved = SimulationSpec {
            name: self.metadata.name.clone(),
            start_unix_seconds: start.timestamp().as_second(),
            time_zone: run.time_zone.clone(),
            end: SimTime::ZERO + duration,
            warm_up: run.warm_up.duration(),
            timeline_step: context.at_least(run.timeline_step, SimDuration::from_secs(1), "spec.run.timelineStep")?,
            metrics,
            policies,
            services,
            prehistory: PrehistorySpec::default(),
            fleet,
        };
        context.prehistory(run, &mut resolved, before)?;
        context.turn_to_all();
        Ok(resolved)
    }
}

/// The policies with what each says of all services.
fn merged(all: &[Resolved]) -> Vec<PolicySpec> {
    let policies = all[0].policies.iter().enumerate().map(|(index, first)| PolicySpec {
        name: first.name.clone(),
        services: all.iter().flat_map(|one| one.policies[index].services.iter().cloned()).collect(),
        has_pools_apart: first.has_pools_apart,
    });
    policies.collect()
}

impl Context<'_> {
    /// The services with their pods, and the nodes they run on.
    fn on_nodes(
        &mut self,
        views: &mut [ServiceView],
        window: &RunWindow,
    ) -> Result<(Vec<Resolved>, FleetSpec), ScenarioError> {
        let mut services = Vec::with_capacity(views.len());
        for (number, view) in views.iter_mut().enumerate() {
            self.turn_to(number);
            let service = self.service(view)?;
            self.hold_against_flags(view, &service.pod)?;
            self.check_apart(&service, &services)?;
            self.keep_manifests(view, &service)?;
            services.push(service);
        }
        let fleet = self.fleet(views, &mut services, window)?;
        for (number, (view, service)) in views.iter().zip(&services).enumerate() {
            self.turn_to(number);
            self.hold_preset_gpu(view, &service.pod, &fleet)?;
        }
        self.turn_to_all();
        let resolved = |service| Resolved { service, policies: Vec::new(), before: None };
        Ok((services.into_iter().map(resolved).collect(), fleet))
    }

    /// What each service is asked, what it is judged by, what scales it and what is rolled out.
    fn asked_and_scaled(
        &mut self,
        views: &[ServiceView],
        all: &mut [Resolved],
        start: &jiff::ZonedDateTime,
    ) -> Result<(), ScenarioError> {
        for (number, (spec, one)) in views.iter().zip(all.iter_mut()).enumerate() {
            self.turn_to(number);
            let Arrivals { traffic, history, before } = self.traffic(spec, start)?;
            one.service.called_by = self.called_by(views, spec);
            (one.service.traffic, one.service.history, one.before) = (traffic, history, before);
            self.adapters_of_traces(spec, &mut one.service)?;
            self.check_redraw(&one.service)?;
            one.service.slo = self.slo(spec)?;
        }
        self.kv_transfers(views, all)?;
        let fetched_from: BTreeMap<usize, u32> = all
            .iter()
            .filter_map(|one| one.service.called_by)
            .filter_map(|call| call.transfer.map(|transfer| (call.service, transfer.from_tokens)))
            .collect();
        for (number, one) in all.iter().enumerate() {
            self.turn_to(number);
            self.note_saturation(
                &one.service,
                fetched_from.get(&number).copied(),
                views[number].run.duration.duration(),
            );
        }
        self.turn_to_all();
        self.check_triggers(views)?;
        self.check_add_on(&views[0])?;
        self.note_routes();
        self.note_annotations();
        self.note_field_slips();
        for (number, (spec, one)) in views.iter().zip(all.iter_mut()).enumerate() {
            self.turn_to(number);
            one.policies = self.policies(spec, &one.service)?;
            self.keep_buffers(&mut one.policies, &one.service, spec)?;
            one.service.rollouts = self.rollouts(spec, &one.service)?;
        }
        Ok(())
    }
    /// A length that must not be shorter than `least`.
    fn at_least(&self, time: Time, least: SimDuration, path: &str) -> Result<SimDuration, ScenarioError> {
        let duration = time.duration();
        if duration < least {
            return Err(self.inconsistent(path, &format!("must be at least {least}")));
        }
        Ok(duration)
    }

    fn slo(&self, spec: &ServiceView) -> Result<SloSpec, ScenarioError> {
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
        if slo.end_to_end.is_some() && spec.traffic.from.is_none() {
            let reason = "is for services that others call, with `traffic.from`; elsewhere it is `latency`";
            return Err(self.inconsistent("spec.slo.endToEnd", reason));
        }
        Ok(SloSpec {
            latency: slo.latency.map(Time::duration),
            ttft: slo.ttft.map(Time::duration),
            tpot: slo.tpot.map(Time::duration),
            end_to_end: slo.end_to_end.map(Time::duration),
            objective,
        })
    }
}
