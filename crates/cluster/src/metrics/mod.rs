//! The metrics pipeline: what exporters show, when they are scraped, and what the metric APIs answer.
//!
//! Staleness is made here and nowhere else: a controller sees a value as old as the scrape, the exporter's refresh, the range of the query
//! and the adapter's list make it. What is scraped is a list of [`exporters::Target`]s, made elsewhere; of their series those are kept
//! that some query can reach. A policy that reads no metrics costs no scrapes.
//!
//! The parts: [`plan`] chooses series, [`scrape`] has targets come and go and stores what they show, [`value`] makes values of the model's
//! state, with [`gpu`], [`usage`] and [`tally`] for what has a memory of its own; [`answer`] is what controllers talk to.

mod answer;
mod gpu;
mod names;
mod outage;
mod plan;
mod process;
mod resource;
mod rules;
mod scrape;
mod selector;
mod signal;
mod tally;
mod tenant;
#[cfg(test)]
mod tests;
mod usage;
mod value;
mod world;

use std::sync::Arc;

use exporters::{Exporter, TargetOf};
use policy::{MetricError, MetricQuery, MetricReading, Provenance};
use promql::adapter::Adapter;
use promql::gke::GkeAdapter;
use promql::{Options, Query, Storage};
use units::{NodeId, PodId, SimDuration, SimTime};
use workload::{Purpose, Stream};

use crate::fleet::Fleet;
use crate::flow::{LatencyLog, ReplicaStats, Watched};
use crate::spec::{MetricsSpec, SimulationSpec};
use gpu::{DCGM_WINDOW, Devices, Holder};
use names::Names;
use outage::Outages;
use plan::{Figure, Plan, Readers};
use process::Process;
pub(crate) use resource::request_table;
use scrape::Instance;
pub use selector::requirements as metric_selector;
use tally::{POOL_PERIOD, Tally};
use tenant::Tenant;
use value::{Fixed, Source, Subject};
pub(crate) use world::{Asker, ScalerStatus, ServiceView, World};

/// What a controller is answered.
pub(crate) type Answer = Result<MetricReading, MetricError>;

/// Samples must outlive the longest query; the margin covers KEDA's whole-second query times and the end-of-run staleness rule.
const RETENTION_MARGIN_MS: i64 = 120_000;
const NANOS_PER_MILLI: u64 = 1_000_000;

/// Something the pipeline does at a time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricsEvent {
    /// A target is scraped.
    Scrape(u32),
    /// A target will be scraped, and something is measured from here to there.
    LookBefore(u32),
    /// The driver's sample period before a refresh of dcgm-exporter begins.
    DcgmSample(NodeId),
    /// dcgm-exporter refreshes.
    DcgmRefresh(NodeId),
    /// The endpoint picker of a service looks at its pool.
    Pool(usize),
    /// A sample of a window of a service.
    Window(usize, u32),
    /// prometheus-adapter asks which series there are.
    Relist,
    /// metrics-server reads the kubelets.
    Resources,
    /// A group of recording rules is evaluated.
    Rules(u32),
    /// The log of a service's signals is continued.
    Signals(usize),
}

impl MetricsEvent {
    /// A word for the digest.
    pub(crate) fn word(self) -> u64 {
        let (kind, whom) = match self {
            Self::Scrape(target) => (0, target),
            Self::LookBefore(target) => (1, target),
            Self::DcgmSample(node) => (2, node.0),
            Self::DcgmRefresh(node) => (3, node.0),
            Self::Pool(service) => (4, service as u32),
            Self::Window(service, window) => (5, (service as u32) << 16 | window),
            Self::Relist => (6, 0),
            Self::Signals(service) => (6, service as u32 + 1),
            Self::Resources => (7, 0),
            Self::Rules(group) => (7, group + 1),
        };
        u64::from(whom) << 3 | kind
    }
}

/// Exporters, Prometheus, prometheus-adapter and metrics-server of one run.
pub(crate) struct Pipeline {
    metrics: MetricsSpec,
    fixed: Fixed,
    /// The services, by number.
    tenants: Vec<Tenant>,
    /// Names of what is the cluster's.
    names: Names,
    seed: u64,
    storage: Storage,
    options: Options,
    readers: Readers,
    plans: Vec<Plan>,
    /// Every target there ever was; those that left are gone.
    instances: Vec<Option<Instance>>,
    devices: Devices,
    /// Whether somebody reads what dcgm-exporter shows.
    reads_gpus: bool,
    outages: Outages,
    resources: Option<resource::ResourceSamples>,
    /// Whether Prometheus is asked for anything.
    is_read: bool,
    values: Vec<f64>,
    pending: Vec<(SimTime, MetricsEvent)>,
    collected_ms: i64,
    /// How the answer in the making comes about.
    provenance: Provenance,
}

impl Pipeline {
    /// A pipeline for controllers that will ask these things, by service.
    pub(crate) fn new(spec: &SimulationSpec, asked_by: &[Vec<MetricQuery>], seed: u64) -> Self {
        let asked = &asked_by.concat();
        let metrics = spec.metrics.clone();
        let options = Options { lookback_ms: millis(metrics.lookback), ..Options::default() };
        let mut queries: Vec<Query> = Vec::new();
        for text in asked.iter().filter_map(promql_text) {
            if queries.iter().all(|query| query.text() != text) {
                queries.push(compile(text));
            }
        }
        let is_of_gke = |name: &&str| metrics.gke.metrics.contains_key(*name);
        let of_adapter: Vec<&str> = asked.iter().filter_map(custom_name).filter(|name| !is_of_gke(name)).collect();
        let rules = metrics.adapter.as_ref().filter(|_| !of_adapter.is_empty());
        let adapter = rules.map(|rules| {
            Adapter::new(rules, millis(metrics.adapter_relist), options)
                .expect("the scenario checked the adapter's rules")
                .only(of_adapter.iter().copied())
        });
        let of_gke = asked.iter().filter_map(custom_name).filter_map(|name| metrics.gke.metrics.get(name)).cloned();
        let gke = of_gke.collect();
        let mut readers =
            Readers { queries, adapter, expressions: Vec::new(), rules: rules::groups(&metrics.rules, seed), gke };
        let (plans, watched) = plan::plan(&spec.services, &mut readers);
        let numbered = spec.services.iter().zip(asked_by).zip(watched);
        let mut tenants: Vec<Tenant> = numbered
            .map(|((service, asked), watched)| Tenant {
                seed: service.seed(seed),
                names: Names::new(&service.workload, service.seed(seed)),
                service: service.clone(),
                processes: Vec::new(),
                tally: Tally::default(),
                signals: signal::SignalLog::new(asked.iter()),
                watched,
            })
            .collect();
        let shown =
            plans.iter().flat_map(|plan| plan.own.iter().chain(plan.of_objects.iter().flat_map(|(_, series)| series)));
        for series in shown {
            if let Figure::Signal { signal, .. } = series.figure {
                tenants[series.service].tally.watch(signal);
            }
        }
        let retention = readers.lookbehind_ms(options, millis(metrics.gke.delay)).max(millis(metrics.adapter_relist))
            + RETENTION_MARGIN_MS;
        let reads_resources = asked.iter().any(|query| matches!(query, MetricQuery::Resource { .. }));
        Self {
            fixed: Fixed::new(spec),
            tenants,
            names: Names::new(&spec.name, seed),
            seed,
            storage: Storage::new(retention),
            options,
            reads_gpus: plans.iter().any(|plan| plan.target.exporter == Exporter::Dcgm && !plan.of_objects.is_empty()),
            is_read: !readers.queries.is_empty() || readers.adapter.is_some() || !readers.gke.is_empty(),
            readers,
            plans,
            instances: Vec::new(),
            devices: Devices::default(),
            outages: Outages::of(spec),
            resources: reads_resources.then(resource::ResourceSamples::default),
            values: Vec::new(),
            pending: Vec::new(),
            collected_ms: 0,
            provenance: Provenance::default(),
            metrics,
        }
    }

    /// Events to schedule before the run begins.
    pub(crate) fn first_events(&mut self) -> Vec<(SimTime, MetricsEvent)> {
        if self.is_read {
            for service in 0..self.tenants.len() {
                self.register(TargetOf::Gateway, Subject::Gateway(service), SimTime::ZERO);
            }
            self.register(TargetOf::Cluster, Subject::Cluster, SimTime::ZERO);
        }
        let mut events = std::mem::take(&mut self.pending);
        for (service, tenant) in self.tenants.iter().enumerate() {
            if tenant.tally.pool.is_some() {
                events.push((SimTime::ZERO, MetricsEvent::Pool(service)));
            }
            let windows = 0..tenant.tally.windows.len() as u32;
            events.extend(windows.map(|window| (SimTime::ZERO, MetricsEvent::Window(service, window))));
        }
        if self.readers.adapter.is_some() {
            events.push((SimTime::ZERO, MetricsEvent::Relist));
        }
        if self.is_read {
            events.extend(rules::first_evaluations(&self.readers.rules));
        }
        if self.resources.is_some() {
            events.push((SimTime::ZERO, MetricsEvent::Resources));
        }
        for (service, tenant) in self.tenants.iter().enumerate() {
            if tenant.signals.step().is_some() {
                events.push((SimTime::ZERO, MetricsEvent::Signals(service)));
            }
        }
        events
    }

    /// The histograms of a service that are read.
    pub(crate) fn watched(&self, service: usize) -> &Arc<Watched> {
        &self.tenants[service].watched
    }

    /// A pod is bound to a node.
    pub(crate) fn pod_is_scheduled(&mut self, pod: PodId, node: NodeId) {
        self.process(pod).node = Some(node);
        let gpus = self.tenants[pod.service()].service.pod.gpus;
        self.devices.allocate(Holder { replica: pod, place: 0 }, node, gpus);
    }

    /// Another pod of a replica's group is bound to a node.
    pub(crate) fn worker_is_scheduled(&mut self, (replica, place): (PodId, u32), node: NodeId) {
        self.process(replica).workers.push((place, node));
        let gpus = self.tenants[replica.service()].service.pod.gpus;
        self.devices.allocate(Holder { replica, place }, node, gpus);
    }

    /// A pod's containers have started: service discovery shows it.
    pub(crate) fn pod_has_started(&mut self, pod: PodId, now: SimTime) {
        if self.process(pod).started.replace(now).is_none() && self.is_read {
            let targets = self.register(TargetOf::Pod, Subject::Pod(pod), now);
            self.process(pod).targets = targets.into();
        }
    }

    /// A pod's server listens: its model is loaded.
    pub(crate) fn pod_listens(&mut self, pod: PodId, now: SimTime) {
        self.process(pod).listening.get_or_insert(now);
    }

    /// A pod is warm: ready, in the endpoints or beside them.
    pub(crate) fn pod_is_warm(&mut self, pod: PodId, now: SimTime) {
        let process = self.process(pod);
        if process.is_gone {
            return;
        }
        if process.started.is_none() {
            // It was there before the run.
            self.pod_has_started(pod, now);
        }
        let process = self.process(pod);
        process.listening.get_or_insert(now);
        process.ready.get_or_insert(now);
    }

    /// A pod left the request flow with these statistics; its process lives on.
    pub(crate) fn pod_left_flow(&mut self, pod: PodId, stats: ReplicaStats, latency: Option<&LatencyLog>) {
        self.tenants[pod.service()].tally.received_by_gone += stats.success + stats.failure + stats.given_up;
        let process = self.process(pod);
        process.carried = process::sum(process.carried, stats);
        if let Some(latency) = latency {
            process.carried_latency.get_or_insert_default().merge(latency);
        }
    }

    /// Deletion of a pod was asked for: those who look at endpoints see it no more.
    pub(crate) fn pod_is_deleted(&mut self, pod: PodId) {
        let targets = std::mem::take(&mut self.process(pod).targets);
        let (leaving, staying): (Vec<u32>, Vec<u32>) =
            targets.into_iter().partition(|&target| self.leaves_at_deletion(target));
        self.process(pod).targets = staying.into();
        leaving.into_iter().for_each(|target| self.end_instance(target));
    }

    /// A pod's node is gone and nobody has noticed: scrapes fail.
    pub(crate) fn pod_is_lost(&mut self, pod: PodId) {
        self.process(pod).is_lost = true;
    }

    /// A pod is gone: its targets leave discovery.
    pub(crate) fn pod_is_gone(&mut self, pod: PodId) {
        let process = self.process(pod);
        process.is_gone = true;
        let workers = std::mem::take(&mut process.workers).into_iter().map(|(_, node)| node);
        let nodes = process.node.into_iter().chain(workers);
        let targets = std::mem::take(&mut process.targets);
        targets.into_iter().for_each(|target| self.end_instance(target));
        nodes.for_each(|node| self.devices.release(pod, node));
    }

    /// A node takes pods: what runs on every node runs there.
    pub(crate) fn node_is_up(&mut self, node: NodeId, fleet: &Fleet, now: SimTime) {
        if !self.is_read {
            return;
        }
        self.devices.node_is_up(node, &fleet.node_view(node), (&self.tenants, now));
        if self.reads_gpus {
            let phase = Stream::new(self.seed, Purpose::Phase, u64::from(node.0) | 1 << 40)
                .below(self.metrics.dcgm_interval.as_nanos());
            self.pending.push((now + SimDuration::from_nanos(phase), MetricsEvent::DcgmSample(node)));
        }
        self.register(TargetOf::Node, Subject::Node(node), now);
    }

    /// A node is gone, with what ran on it.
    pub(crate) fn node_is_gone(&mut self, node: NodeId) {
        self.end_instances_of(Subject::Node(node));
        self.devices.node_is_gone(node);
    }

    /// Events that came up since the last call.
    pub(crate) fn take_pending(&mut self) -> Vec<(SimTime, MetricsEvent)> {
        std::mem::take(&mut self.pending)
    }

    /// Handles one event; the next ones are then pending.
    pub(crate) fn handle(&mut self, event: MetricsEvent, world: &mut World<'_>) {
        match event {
            MetricsEvent::Scrape(target) => self.scrape(target, world),
            MetricsEvent::LookBefore(target) => self.look_before(target, world),
            MetricsEvent::DcgmSample(node) => self.dcgm_sample(node, world),
            MetricsEvent::DcgmRefresh(node) => self.dcgm_refresh(node, world),
            MetricsEvent::Pool(service) => {
                self.tenants[service].tally.sample_pool(&mut world.services[service], world.now);
                self.pending.push((world.now + POOL_PERIOD, event));
            }
            MetricsEvent::Window(service, window) => self.sample_window((service, window), world),
            MetricsEvent::Relist => self.relist(world.now),
            MetricsEvent::Resources => self.read_resources(world),
            MetricsEvent::Signals(service) => self.log_signals(service, world),
            MetricsEvent::Rules(group) => self.evaluate_rules(group, world.now),
        }
    }

    fn log_signals(&mut self, service: usize, world: &mut World<'_>) {
        let (log, view) = (&mut self.tenants[service].signals, &mut world.services[service]);
        log.push(world.now, &mut *view.flow, view.pods);
        self.pending.extend(log.step().map(|step| (world.now + step, MetricsEvent::Signals(service))));
    }

    fn process(&mut self, pod: PodId) -> &mut Process {
        self.tenants[pod.service()].process_mut(pod)
    }

    fn dcgm_sample(&mut self, node: NodeId, world: &mut World<'_>) {
        if self.devices.sample(node, world, &self.tenants) {
            self.pending.push((world.now + DCGM_WINDOW, MetricsEvent::DcgmRefresh(node)));
        }
    }

    fn dcgm_refresh(&mut self, node: NodeId, world: &mut World<'_>) {
        if self.devices.refresh(node, world, &self.tenants) {
            let next = world.now + self.metrics.dcgm_interval;
            self.pending.push((next.saturating_sub(DCGM_WINDOW).max(world.now), MetricsEvent::DcgmSample(node)));
        }
    }

    fn sample_window(&mut self, (service, window): (usize, u32), world: &mut World<'_>) {
        let arrived = self.source(service, world).arrivals();
        let window_at = &mut self.tenants[service].tally.windows[window as usize];
        window_at.sample(world.now, arrived, || world.services[service].flow.meter().answers());
        self.pending.push((world.now + window_at.period(), MetricsEvent::Window(service, window)));
    }

    /// What values of a service are made of now.
    fn source<'a, 'w>(&'a mut self, service: usize, world: &'a mut World<'w>) -> Source<'a, 'w> {
        Source {
            fixed: &self.fixed,
            world,
            tenants: &mut self.tenants,
            devices: &self.devices,
            service,
            pod: None,
            gateway: None,
        }
    }

    fn relist(&mut self, now: SimTime) {
        if let Some(adapter) = &mut self.readers.adapter
            && !self.outages.adapter(now)
            && !self.outages.prometheus(now)
        {
            adapter.relist(&self.storage, now_ms(now));
        }
        self.pending.push((now + self.metrics.adapter_relist, MetricsEvent::Relist));
    }

    fn read_resources(&mut self, world: &mut World<'_>) {
        if let Some(resources) = &mut self.resources {
            let resolution = self.metrics.resource_resolution;
            resources.read(world, &self.tenants, resolution);
            self.pending.push((world.now + resolution, MetricsEvent::Resources));
        }
    }
}

impl Readers {
    /// How far back anybody looks.
    fn lookbehind_ms(&self, options: Options, delay_ms: i64) -> i64 {
        let queries = self.queries.iter().chain(&self.expressions);
        let of_queries = queries.filter_map(|query| query.lookbehind_ms(options));
        let of_rules = self.rules.iter().filter_map(|group| group.lookbehind_ms(options));
        let of_gke = self.gke.iter().map(|_| GkeAdapter { delay_ms }.lookbehind_ms());
        let longest = of_queries.chain(of_rules).chain(of_gke).max().unwrap_or(0);
        self.adapter.as_ref().and_then(Adapter::lookbehind_ms).map_or(longest, |rules| rules.max(longest))
    }
}

fn compile(text: &str) -> Query {
    Query::compile(text).expect("the scenario compiled every query")
}

fn promql_text(query: &MetricQuery) -> Option<&str> {
    match query {
        MetricQuery::PromQl { expression } => Some(expression),
        _ => None,
    }
}

/// Name of a metric of the custom or external metrics API.
fn custom_name(query: &MetricQuery) -> Option<&str> {
    match query {
        MetricQuery::Pods { name, .. } | MetricQuery::Object { name, .. } | MetricQuery::External { name, .. } => {
            Some(name)
        }
        _ => None,
    }
}

fn millis(duration: SimDuration) -> i64 {
    (duration.as_nanos() / NANOS_PER_MILLI) as i64
}

fn now_ms(now: SimTime) -> i64 {
    (now.as_nanos() / NANOS_PER_MILLI) as i64
}
