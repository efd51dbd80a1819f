//! The metrics pipeline: what replicas and the gateway expose, when it is scraped, and what the metric APIs answer.
//!
//! Staleness is made here and nowhere else: a controller sees a value as old as the scrape, the exporter's refresh, the range of the query
//! and the adapter's list make it. A policy that reads no metrics costs no scrapes.

mod answer;
mod exposition;
mod resource;

use policy::{MetricError, MetricQuery, MetricReading, Provenance};
use promql::adapter::Adapter;
use promql::{Labels, Options, Query, ScrapeTarget, Storage, TargetId};
use units::{PodId, SimDuration, SimTime};
use workload::{Purpose, Stream};

use crate::flow::{Flow, LatencyLog, ReplicaStats};
use crate::model::Pods;
use crate::spec::{MetricsSpec, ServiceSpec, SimulationSpec};
use exposition::{AtGateway, Exposition, GatewayMetric, PodMetric};
pub(crate) use resource::request_table;

/// What a controller is answered.
pub(crate) type Answer = Result<MetricReading, MetricError>;

/// Samples must outlive the longest query; the margin covers KEDA's whole-second query times and the end-of-run staleness rule.
const RETENTION_MARGIN_MS: i64 = 120_000;
const NANOS_PER_MILLI: u64 = 1_000_000;
/// DCGM's utilization is the busy share of the driver's last sample period.
const DCGM_WINDOW: SimDuration = SimDuration::from_secs(1);

/// Something the pipeline does at a time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricsEvent {
    /// A pod is scraped.
    Scrape(PodId),
    /// The gateway is scraped.
    ScrapeGateway,
    /// The driver's sample period before an exporter refresh begins.
    DcgmSample(PodId),
    /// dcgm-exporter refreshes.
    DcgmRefresh(PodId),
    /// prometheus-adapter asks which series there are.
    Relist,
    /// metrics-server reads the kubelets.
    Resources,
}

impl MetricsEvent {
    /// A word for the digest.
    pub(crate) fn word(self) -> u64 {
        match self {
            Self::Scrape(pod) => u64::from(pod.0) << 3,
            Self::ScrapeGateway => 1,
            Self::DcgmSample(pod) => u64::from(pod.0) << 3 | 2,
            Self::DcgmRefresh(pod) => u64::from(pod.0) << 3 | 3,
            Self::Relist => 4,
            Self::Resources => 5,
        }
    }
}

/// A pod as a source of metrics: from warm to gone.
struct PodTarget {
    target: TargetId,
    /// What it did before it last joined the endpoints: counters of a process do not start anew with a label patch.
    carried: ReplicaStats,
    carried_latency: Option<LatencyLog>,
    dcgm_busy_ns: u64,
    dcgm_percent: f64,
}

/// Exporters, Prometheus, prometheus-adapter and metrics-server of one run.
pub(crate) struct Pipeline {
    metrics: MetricsSpec,
    service: ServiceSpec,
    seed: u64,
    storage: Storage,
    options: Options,
    adapter: Option<Adapter>,
    /// Compiled PromQL by text.
    queries: Vec<Query>,
    exposed: Exposition,
    targets: Vec<Option<PodTarget>>,
    gateway: Option<(TargetId, ScrapeTarget)>,
    resources: Option<resource::ResourceSamples>,
    is_read: bool,
    values: Vec<f64>,
    pending: Vec<(SimTime, MetricsEvent)>,
    /// How the answer in the making comes about.
    provenance: Provenance,
}

impl Pipeline {
    /// A pipeline for controllers that will ask `asked`.
    pub(crate) fn new(spec: &SimulationSpec, asked: &[MetricQuery], seed: u64) -> Self {
        let metrics = spec.metrics.clone();
        let options = Options { lookback_ms: millis(metrics.lookback), ..Options::default() };
        let queries: Vec<Query> = asked.iter().filter_map(promql_text).map(compile).collect();
        let reads_adapter = asked.iter().any(is_custom);
        let rules = metrics.adapter.as_ref().filter(|_| reads_adapter);
        let adapter = rules.map(|rules| {
            Adapter::new(rules, millis(metrics.adapter_relist), options)
                .expect("the scenario checked the adapter's rules")
        });
        let exposed = Exposition::new(&spec.service, &metrics, &queries, adapter.as_ref());
        let lookbehind = queries.iter().filter_map(|query| query.lookbehind_ms(options)).max().unwrap_or(0);
        let lookbehind =
            adapter.as_ref().and_then(Adapter::lookbehind_ms).map_or(lookbehind, |rules| rules.max(lookbehind));
        let reads_resources = asked.iter().any(|query| matches!(query, MetricQuery::Resource { .. }));
        Self {
            service: spec.service.clone(),
            seed,
            storage: Storage::new(lookbehind.max(millis(metrics.adapter_relist)) + RETENTION_MARGIN_MS),
            options,
            adapter,
            queries,
            exposed,
            targets: Vec::new(),
            gateway: None,
            resources: reads_resources.then(resource::ResourceSamples::default),
            is_read: asked
                .iter()
                .any(|query| !matches!(query, MetricQuery::Resource { .. } | MetricQuery::Signal { .. })),
            values: Vec::new(),
            pending: Vec::new(),
            provenance: Provenance::default(),
            metrics,
        }
    }

    /// Events to schedule before the run begins.
    pub(crate) fn first_events(&mut self) -> Vec<(SimTime, MetricsEvent)> {
        let mut events = std::mem::take(&mut self.pending);
        if self.is_read {
            let gateway = self.scrape_target(exposition::gateway_labels(&self.service), u64::MAX);
            self.gateway = Some((gateway.register(&mut self.storage, &self.exposed.gateway_labels), gateway.clone()));
            events.push((next_scrape(&gateway, SimTime::ZERO), MetricsEvent::ScrapeGateway));
        }
        if self.adapter.is_some() {
            events.push((SimTime::ZERO, MetricsEvent::Relist));
        }
        if self.resources.is_some() {
            events.push((SimTime::ZERO, MetricsEvent::Resources));
        }
        events
    }

    /// A pod is warm: Prometheus has discovered it.
    pub(crate) fn pod_is_warm(&mut self, pod: PodId, now: SimTime) {
        if !self.is_read || self.targets.get(pod.index()).is_some_and(Option::is_some) {
            return;
        }
        let scrape = self.scrape_target(exposition::pod_labels(&self.service, pod), u64::from(pod.0));
        let target = scrape.register(&mut self.storage, &self.exposed.pod_labels);
        if self.targets.len() <= pod.index() {
            self.targets.resize_with(pod.index() + 1, || None);
        }
        self.pending.push((next_scrape(&scrape, now), MetricsEvent::Scrape(pod)));
        if self.exposed.pod_metrics.contains(&PodMetric::DcgmUtilization) {
            let phase = Stream::new(self.seed, Purpose::Phase, u64::from(pod.0) | 1 << 40)
                .below(self.metrics.dcgm_interval.as_nanos());
            let refresh = now + SimDuration::from_nanos(phase) + DCGM_WINDOW;
            self.pending.push((refresh.saturating_sub(DCGM_WINDOW), MetricsEvent::DcgmSample(pod)));
        }
        self.targets[pod.index()] = Some(PodTarget {
            target,
            carried: ReplicaStats::default(),
            carried_latency: None,
            dcgm_busy_ns: 0,
            dcgm_percent: 0.0,
        });
    }

    /// Whether latency histograms of the replicas are exposed.
    pub(crate) fn reads_latency(&self) -> bool {
        self.exposed.pod_metrics.iter().any(|metric| metric.is_latency())
    }

    /// A pod left the request flow with these statistics; its process lives on.
    pub(crate) fn pod_left_flow(&mut self, pod: PodId, stats: ReplicaStats, latency: Option<&LatencyLog>) {
        if let Some(Some(target)) = self.targets.get_mut(pod.index()) {
            target.carried = exposition::sum(target.carried, stats);
            if let Some(latency) = latency {
                target.carried_latency.get_or_insert_default().merge(latency);
            }
        }
    }

    /// A pod is gone: its target leaves discovery.
    pub(crate) fn pod_is_gone(&mut self, pod: PodId) {
        if let Some(target) = self.targets.get_mut(pod.index()).and_then(Option::take) {
            self.storage.end_target(target.target, millis(self.metrics.scrape_interval));
        }
    }

    /// Events that came up since the last call.
    pub(crate) fn take_pending(&mut self) -> Vec<(SimTime, MetricsEvent)> {
        std::mem::take(&mut self.pending)
    }

    /// Handles one event; the next ones are then pending.
    pub(crate) fn handle(&mut self, event: MetricsEvent, now: SimTime, flow: &mut dyn Flow, pods: &Pods) {
        match event {
            MetricsEvent::Scrape(pod) => self.scrape_pod(pod, now, flow, pods),
            MetricsEvent::ScrapeGateway => self.scrape_gateway(now, flow, pods),
            MetricsEvent::DcgmSample(pod) => self.dcgm_sample(pod, now, flow, pods),
            MetricsEvent::DcgmRefresh(pod) => self.dcgm_refresh(pod, now, flow, pods),
            MetricsEvent::Relist => self.relist(now),
            MetricsEvent::Resources => self.read_resources(now, flow, pods),
        }
    }

    fn scrape_pod(&mut self, pod: PodId, now: SimTime, flow: &mut dyn Flow, pods: &Pods) {
        let Some(Some(target)) = self.targets.get(pod.index()) else { return };
        let live = exposition::live(pod, now, flow, pods);
        let stats = exposition::sum(target.carried, live.stats);
        let latency = self.reads_latency().then(|| {
            let mut all = target.carried_latency.clone().unwrap_or_default();
            if let Some(log) = pods.slot(pod).and_then(|slot| flow.latency(slot, now)) {
                all.merge(log);
            }
            all
        });
        let values = &mut self.values;
        values.clear();
        values.extend(self.exposed.pod_metrics.iter().map(|metric| match &latency {
            Some(log) if metric.is_latency() => metric.latency_value(log),
            _ => metric.value(stats, live, target.dcgm_percent),
        }));
        self.storage.scrape(target.target, now_ms(now), values);
        self.pending.push((now + self.metrics.scrape_interval, MetricsEvent::Scrape(pod)));
    }

    fn scrape_gateway(&mut self, now: SimTime, flow: &mut dyn Flow, pods: &Pods) {
        let at_replicas = pods.in_flow().into_iter().map(|(_, slot)| flow.replica_load(slot, now));
        let dispatched = at_replicas.map(|(waiting, serving)| waiting + serving).sum();
        let seen = AtGateway { load: flow.load(now), held: flow.central_queue(now), dispatched };
        let meter = flow.meter();
        self.values.clear();
        self.values.extend(self.exposed.gateway_metrics.iter().map(|metric: &GatewayMetric| metric.value(seen, meter)));
        if let Some((target, _)) = &self.gateway {
            self.storage.scrape(*target, now_ms(now), &self.values);
        }
        self.storage.collect(now_ms(now));
        self.pending.push((now + self.metrics.scrape_interval, MetricsEvent::ScrapeGateway));
    }

    fn dcgm_sample(&mut self, pod: PodId, now: SimTime, flow: &mut dyn Flow, pods: &Pods) {
        let busy_ns = exposition::live(pod, now, flow, pods).stats.busy_ns;
        if let Some(Some(target)) = self.targets.get_mut(pod.index()) {
            target.dcgm_busy_ns = busy_ns;
            self.pending.push((now + DCGM_WINDOW, MetricsEvent::DcgmRefresh(pod)));
        }
    }

    fn dcgm_refresh(&mut self, pod: PodId, now: SimTime, flow: &mut dyn Flow, pods: &Pods) {
        let busy_ns = exposition::live(pod, now, flow, pods).stats.busy_ns;
        if let Some(Some(target)) = self.targets.get_mut(pod.index()) {
            // A pod that joined or left the endpoints within the window has no difference to take.
            let busy = busy_ns.saturating_sub(target.dcgm_busy_ns);
            target.dcgm_percent = (busy as f64 / DCGM_WINDOW.as_nanos() as f64 * 100.0).round().min(100.0);
            let next = now + self.metrics.dcgm_interval;
            self.pending.push((next.saturating_sub(DCGM_WINDOW).max(now), MetricsEvent::DcgmSample(pod)));
        }
    }

    fn relist(&mut self, now: SimTime) {
        if let Some(adapter) = &mut self.adapter {
            adapter.relist(&self.storage, now_ms(now));
        }
        self.pending.push((now + self.metrics.adapter_relist, MetricsEvent::Relist));
    }

    fn read_resources(&mut self, now: SimTime, flow: &mut dyn Flow, pods: &Pods) {
        if let Some(resources) = &mut self.resources {
            resources.read(now, flow, pods);
            self.pending.push((now + self.metrics.resource_resolution, MetricsEvent::Resources));
        }
    }

    fn scrape_target(&self, labels: Labels, entity: u64) -> ScrapeTarget {
        let interval = millis(self.metrics.scrape_interval);
        let phase = Stream::new(self.seed, Purpose::Phase, entity ^ 1 << 41).below(interval as u64) as i64;
        ScrapeTarget::new(labels, interval, phase)
    }
}

fn next_scrape(target: &ScrapeTarget, now: SimTime) -> SimTime {
    SimTime::from_nanos(target.next_scrape_ms(now_ms(now)) as u64 * NANOS_PER_MILLI).max(now)
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

fn is_custom(query: &MetricQuery) -> bool {
    matches!(query, MetricQuery::Pods { .. } | MetricQuery::Object { .. } | MetricQuery::External { .. })
}

fn millis(duration: SimDuration) -> i64 {
    (duration.as_nanos() / NANOS_PER_MILLI) as i64
}

fn now_ms(now: SimTime) -> i64 {
    (now.as_nanos() / NANOS_PER_MILLI) as i64
}
