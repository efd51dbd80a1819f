//! The value of a signal at one instant.
//!
//! Not a number means: not known now, or not modelled in this scenario; a scrape then shows no such series.

use exporters::{Appears, HistogramPart, HistogramSignal, Kind, Signal};
use units::{NodeId, PodId, SimDuration, SimTime};

use super::gpu::{Devices, Holder};
use super::plan::{Figure, Shown};
use super::process::Process;
use super::tenant::{Tenant, process_of};
use super::usage::Usage;
use super::world::{PodSeen, ServiceView, World};
use crate::flow::{Failure, InHand, LatencyLog, Load, Slot};
use crate::pods::PodObject;
use crate::spec::{ServiceModel, SimulationSpec};

/// What a series is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Pod(PodId),
    /// A pod of a replica's group besides its leader, by its place there.
    Worker(PodId, u32),
    /// That of a service, by number.
    Gateway(usize),
    Cluster,
    Node(NodeId),
    /// A GPU of a node, by index, with who holds it.
    Gpu(NodeId, u32, Option<Holder>),
}

impl Subject {
    /// The service it is of; nothing if it is the cluster's.
    pub fn service(self) -> Option<usize> {
        match self {
            Self::Pod(pod) | Self::Worker(pod, _) => Some(pod.service()),
            Self::Gateway(service) => Some(service),
            Self::Cluster | Self::Node(_) | Self::Gpu(..) => None,
        }
    }
}

/// What values need beside the world: fixed for a run.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    /// Unix time of time zero of the clock the model runs on.
    pub start_unix_seconds: i64,
    /// What that clock is ahead of the fleet's, which begins with the run.
    pub before: SimDuration,
    pub time_zone: Option<jiff::tz::TimeZone>,
}

impl Fixed {
    pub fn new(spec: &SimulationSpec) -> Self {
        Self {
            start_unix_seconds: spec.start_unix_seconds - spec.prehistory.length.as_secs() as i64,
            before: spec.prehistory.length,
            time_zone: jiff::tz::TimeZone::get(&spec.time_zone).ok(),
        }
    }

    fn unix(&self, at: SimTime) -> f64 {
        self.start_unix_seconds as f64 + at.as_secs_f64()
    }

    /// Seconds since local midnight, and the day of the week from Sunday on.
    fn local(&self, now: SimTime) -> (f64, f64) {
        let second = self.start_unix_seconds + now.as_secs() as i64;
        let Ok(timestamp) = jiff::Timestamp::from_second(second) else { return (f64::NAN, f64::NAN) };
        let local = self.time_zone.as_ref().unwrap_or(&jiff::tz::TimeZone::UTC).to_datetime(timestamp);
        let seconds = i32::from(local.hour()) * 3_600 + i32::from(local.minute()) * 60 + i32::from(local.second());
        (f64::from(seconds), f64::from(local.weekday().to_sunday_zero_offset()))
    }
}

/// What a target was like some time before its scrape.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    /// Busy time, as of a second ago.
    pub busy: Option<(SimTime, u64)>,
    /// Output tokens, the newest as of ten seconds ago first.
    pub tokens: Vec<(SimTime, u64)>,
}

/// Everything values are made of at one instant.
pub(super) struct Source<'a, 'w> {
    pub fixed: &'a Fixed,
    pub world: &'a mut World<'w>,
    pub tenants: &'a mut [Tenant],
    pub devices: &'a Devices,
    /// The service whose figures are asked for.
    pub service: usize,
    /// The pod and the gateway, looked at once per scrape.
    pub pod: Option<(PodId, PodSeen)>,
    pub gateway: Option<(usize, AtGateway)>,
}

/// What the gateway knows at a scrape.
#[derive(Clone, Copy, Debug)]
pub(super) struct AtGateway {
    load: Load,
    /// Requests it has not given to a replica yet.
    held: u64,
    waiting: u64,
    serving: u64,
    retrying: u64,
    repeated: u64,
}

impl AtGateway {
    /// Attempts that have arrived.
    fn arrivals(&self) -> u64 {
        self.load.arrived + self.repeated - self.retrying
    }
}

/// A process that has not been heard of.
static NOTHING: std::sync::LazyLock<Process> = std::sync::LazyLock::new(Process::default);

impl<'w> Source<'_, 'w> {
    /// The value of a figure that is no expression.
    pub fn value(&mut self, figure: Figure, subject: Subject, before: &Before) -> f64 {
        match figure {
            Figure::Constant(value) => value,
            Figure::Expression(_) => f64::NAN,
            Figure::Bucket(family, bucket) => self.histogram(family, subject, |log| log.at_most(family, bucket) as f64),
            Figure::Usage { signal, container, scale } => self.usage(signal, container, subject) * scale,
            Figure::Signal { signal, scale, floor } => {
                let value = self.signal(signal, subject, before) * scale;
                if floor { value.floor() } else { value }
            }
        }
    }

    /// Whether a series that is born with its first event is there: `value` is what it would show.
    pub fn is_born(&mut self, (figure, kind): (Figure, Kind), value: f64, subject: Subject) -> bool {
        match figure {
            Figure::Bucket(family, _) | Figure::Signal { signal: Signal::Histogram(family, _), .. } => {
                self.histogram(family, subject, |log| log.count(family) as f64) > 0.0
            }
            Figure::Constant(0.0) => false,
            _ if kind == Kind::Counter => value > 0.0,
            Figure::Signal { signal: Signal::Dispatched | Signal::InFlight, .. } => {
                self.signal(Signal::Scheduled, Subject::Gateway(self.service), &Before::default()) > 0.0
            }
            _ => match subject {
                Subject::Pod(_) => self.signal(Signal::Received, subject, &Before::default()) > 0.0,
                _ => self.at_gateway().arrivals() > 0,
            },
        }
    }

    /// Whether a replica is ready.
    fn has_ready(&mut self) -> bool {
        self.signal(Signal::ReplicasReady, Subject::Cluster, &Before::default()) > 0.0
    }

    fn signal(&mut self, signal: Signal, subject: Subject, before: &Before) -> f64 {
        use exporters::Scope;
        if let Signal::Histogram(family, part) = signal {
            return self.histogram(family, subject, |log| match part {
                HistogramPart::Bucket(_) => f64::NAN,
                HistogramPart::Sum => log.sum(family),
                HistogramPart::Count => log.count(family) as f64,
            });
        }
        match (signal.scope(), subject) {
            (Scope::Pod, Subject::Pod(pod)) => self.pod_value(signal, pod, before),
            (Scope::PodObject, Subject::Pod(pod)) => {
                let object = self.view().pods.object(pod);
                self.object_value(signal, object)
            }
            (Scope::PodObject, Subject::Worker(replica, place)) => {
                let object = self.world.worker((replica, place), self.fixed.before);
                object.map_or(f64::NAN, |object| self.object_value(signal, object))
            }
            (Scope::Gateway, _) => self.gateway_value(signal),
            (Scope::Cluster, _) => self.cluster_value(signal),
            (Scope::Node, Subject::Node(node) | Subject::Gpu(node, ..)) => self.node_value(signal, node),
            (Scope::Gpu, Subject::Gpu(node, gpu, _)) => self.devices.value(signal, node, gpu),
            (Scope::Autoscaler, _) => {
                let Some(scaler) = self.view().scaler else { return f64::NAN };
                f64::from(match signal {
                    Signal::AutoscalerMin => scaler.min,
                    Signal::AutoscalerMax => scaler.max,
                    Signal::AutoscalerCurrent => scaler.current,
                    _ => scaler.desired,
                })
            }
            _ => f64::NAN,
        }
    }

    fn view(&mut self) -> &mut ServiceView<'w> {
        &mut self.world.services[self.service]
    }

    fn kv_usage(&mut self, slot: Option<Slot>) -> f64 {
        let now = self.world.now;
        slot.map_or(0.0, |slot| self.view().flow.kv_usage(slot, now))
    }

    fn in_hand(&mut self, slot: Slot) -> InHand {
        let now = self.world.now;
        self.view().flow.in_hand(slot, now)
    }

    fn process(&self, pod: PodId) -> &Process {
        process_of(self.tenants, pod).unwrap_or(&NOTHING)
    }

    fn seen(&mut self, pod: PodId) -> PodSeen {
        if let Some((_, seen)) = self.pod.filter(|(known, _)| *known == pod) {
            return seen;
        }
        let process = process_of(self.tenants, pod).unwrap_or(&NOTHING);
        let seen = self.world.pod(pod, process);
        self.pod = Some((pod, seen));
        seen
    }

    fn pod_value(&mut self, signal: Signal, pod: PodId, before: &Before) -> f64 {
        use Signal as S;
        let seen = self.seen(pod);
        let PodSeen { stats, own_waiting, share, serving, slot } = seen;
        let whole = match signal {
            // An engine does not know what the gateway holds; Triton's queue is that of the gateway.
            S::Waiting => own_waiting,
            S::WaitingShared => own_waiting + share,
            S::Running => serving,
            S::Requests => own_waiting + serving,
            S::Received => stats.success + stats.failure + stats.given_up + own_waiting + serving,
            S::Completed => stats.success,
            S::Failed => stats.failure + stats.given_up,
            // The queue limit is the service's: what it turns away no replica has seen.
            S::RejectedAtReplica => 0,
            S::Preemptions => stats.preemptions,
            S::Executions => stats.executions,
            S::PromptTokens | S::TransferQueries => stats.prompt_tokens,
            S::PrefixQueries => stats.admitted_tokens,
            S::PrefixHits => stats.hit_tokens,
            S::PrefixHitRate => return stats.hit_tokens as f64 / stats.admitted_tokens.max(1) as f64,
            S::PromptTokensCached => stats.cached_tokens,
            S::PromptTokensFetched => stats.fetched_tokens,
            S::PromptTokensComputed => stats.prompt_tokens - stats.cached_tokens - stats.fetched_tokens,
            S::OutputTokens => stats.output_tokens,
            S::BusySeconds => return stats.busy_ns as f64 / 1e9,
            S::QueueSeconds => return stats.wait_ns as f64 / 1e9,
            S::ServiceSeconds => return stats.compute_ns as f64 / 1e9,
            S::KvUsage => return self.kv_usage(slot),
            S::KvTokensUsed => {
                let usage = self.kv_usage(slot);
                return (usage * self.kv_tokens()).round();
            }
            S::KvTokensMax => return self.kv_tokens(),
            S::KvTokensFree => {
                let usage = self.kv_usage(slot);
                return self.kv_tokens() - (usage * self.kv_tokens()).round();
            }
            S::BatchLimit => return f64::from(self.batch_limit()),
            S::RequestSeconds => return (stats.wait_ns + stats.compute_ns) as f64 / 1e9,
            S::LoadSeconds => {
                let process = self.process(pod);
                let span = process.listening.zip(process.started).map(|(end, start)| end.since(start));
                return span.map_or(f64::NAN, SimDuration::as_secs_f64);
            }
            S::Prefilling | S::WaitingTokens | S::BacklogTokens | S::InflightTokens => {
                let hand = slot.map(|slot| self.in_hand(slot)).unwrap_or_default();
                match signal {
                    S::Prefilling => hand.prefilling,
                    S::WaitingTokens => hand.waiting_tokens,
                    S::BacklogTokens => hand.backlog_tokens,
                    _ => hand.waiting_tokens + hand.serving_tokens,
                }
            }
            S::GpuUtilization => {
                let Some((at, busy_ns)) = before.busy else { return 0.0 };
                let span = self.world.now.since(at).as_nanos();
                return if span == 0 {
                    0.0
                } else {
                    (stats.busy_ns.saturating_sub(busy_ns) as f64 / span as f64).min(1.0)
                };
            }
            S::TokenRate => {
                let Some((at, tokens)) = before.tokens.first().copied() else { return 0.0 };
                let span = self.world.now.since(at).as_secs_f64();
                return if span > 0.0 { (stats.output_tokens - tokens) as f64 / span } else { 0.0 };
            }
            S::CpuSeconds | S::MemoryBytes => return self.usage(signal, None, Subject::Pod(pod)),
            _ => return f64::NAN,
        };
        whole as f64
    }

    fn kv_tokens(&self) -> f64 {
        match self.tenants[self.service].service.model {
            ServiceModel::ContinuousBatching { kv_tokens, .. } => kv_tokens as f64,
            _ => f64::NAN,
        }
    }

    fn batch_limit(&self) -> u32 {
        match self.tenants[self.service].service.model {
            ServiceModel::Slots { concurrency, .. } => concurrency,
            ServiceModel::DynamicBatching { batch_max, .. } => batch_max,
            ServiceModel::ContinuousBatching { sequences_max, .. } => sequences_max,
        }
    }

    fn usage(&mut self, signal: Signal, container: Option<usize>, subject: Subject) -> f64 {
        let Subject::Pod(pod) = subject else { return f64::NAN };
        let seen = self.seen(pod);
        let process = self.process(pod);
        let usage = Usage { service: &self.tenants[self.service].service, process, seen, pod };
        match signal {
            Signal::CpuSeconds => usage.cpu_seconds(container, self.world),
            _ => usage.memory_bytes(container, self.world),
        }
    }

    /// What `read` finds in the histograms of the subject, over all stretches of its process; 0 where it keeps none.
    fn histogram(&mut self, family: HistogramSignal, subject: Subject, read: impl Fn(&LatencyLog) -> f64) -> f64 {
        if matches!(family, HistogramSignal::GatewayLatency | HistogramSignal::GatewayFirstToken) {
            return self.view().flow.meter().gateway().map_or(0.0, read);
        }
        let Subject::Pod(pod) = subject else { return f64::NAN };
        let carried = self.process(pod).carried_latency.as_deref().map_or(0.0, &read);
        let slot = self.view().pods.slot(pod);
        let now = self.world.now;
        carried + slot.and_then(|slot| self.view().flow.latency(slot, now)).map_or(0.0, &read)
    }

    fn at_gateway(&mut self) -> AtGateway {
        if let Some((_, known)) = self.gateway.filter(|(service, _)| *service == self.service) {
            return known;
        }
        let now = self.world.now;
        let at_replicas = self
            .view()
            .pods
            .in_flow()
            .into_iter()
            .map(|(_, slot)| self.world.services[self.service].flow.replica_load(slot, now));
        let (waiting, serving) = at_replicas.fold((0, 0), |sum, (waiting, serving)| (sum.0 + waiting, sum.1 + serving));
        let seen = AtGateway {
            waiting,
            serving,
            load: self.view().flow.load(now),
            held: self.view().flow.central_queue(now),
            retrying: self.view().flow.retrying(),
            repeated: self.view().flow.meter().repeated(),
        };
        self.gateway = Some((self.service, seen));
        seen
    }

    fn gateway_value(&mut self, signal: Signal) -> f64 {
        use Signal as S;
        let seen = self.at_gateway();
        let failed = |source: &mut Self, failure| source.view().flow.meter().attempts_failed(failure);
        let whole = match signal {
            S::Arrivals => seen.arrivals(),
            S::Scheduled => self.scheduled(),
            S::Answered => seen.load.completed,
            S::Rejected => failed(self, Failure::Rejected),
            S::Evicted => self.view().flow.expired(),
            S::RejectedAtOnce => failed(self, Failure::Rejected) - self.view().flow.expired(),
            S::TimedOut => failed(self, Failure::TimedOut),
            S::Lost => failed(self, Failure::Lost),
            S::Ended => seen.load.completed + seen.load.failed + seen.repeated,
            S::Unanswered => seen.load.failed + seen.repeated,
            S::BeforeFirstToken => {
                let pods = self.view().pods.in_flow().into_iter();
                let prefilling: u64 = pods.map(|(_, slot)| self.in_hand(slot).prefilling).sum();
                seen.held + seen.waiting + prefilling
            }
            S::GatewayQueue => seen.held,
            S::QueueLength => seen.held + seen.waiting,
            S::InFlight => seen.serving,
            S::Dispatched => seen.waiting + seen.serving,
            S::Unfinished => seen.held + seen.waiting + seen.serving,
            S::PoolQueueMean => return self.tenants[self.service].tally.pool.unwrap_or_default().queue,
            S::PoolKvMean => return self.tenants[self.service].tally.pool.unwrap_or_default().kv_usage,
            S::PoolRunningMean => return self.tenants[self.service].tally.pool.unwrap_or_default().running,
            S::PoolSaturation => return self.saturation(),
            S::ArrivalRate { window_s } => {
                let window = self.tenants[self.service].tally.windows.iter().find(|window| window.is_of(window_s));
                return window.map_or(0.0, |window| window.arrival_rate(self.world.now, seen.arrivals()));
            }
            S::LatencyQuantile { quantile, window_s } => {
                let answers = self.view().flow.meter().answers();
                let window = self.tenants[self.service].tally.windows.iter().find(|window| window.is_of(window_s));
                let found = window.and_then(|window| window.latency_quantile(self.world.now, quantile, &answers));
                return found.unwrap_or(f64::NAN);
            }
            _ => return f64::NAN,
        };
        whole as f64
    }

    /// Attempts that have arrived.
    pub fn arrivals(&mut self) -> u64 {
        self.at_gateway().arrivals()
    }

    fn scheduled(&mut self) -> u64 {
        let now = self.world.now;
        let mut received = 0;
        for (_, slot) in self.view().pods.in_flow() {
            let stats = self.view().flow.stats(slot, now);
            let (waiting, serving) = self.view().flow.replica_load(slot, now);
            received += stats.success + stats.failure + stats.given_up + waiting + serving;
        }
        self.tenants[self.service].tally.scheduled(received)
    }

    fn saturation(&mut self) -> f64 {
        // The router's own figure, where it holds requests by it.
        if let Some(known) = self.view().flow.saturation() {
            return known;
        }
        let now = self.world.now;
        let (mut sum, mut ready) = (0.0, 0.0);
        for (_, slot) in self.view().pods.in_flow() {
            if self.view().pods.rank_among_ready(slot).0.is_some() {
                let (waiting, _) = self.view().flow.replica_load(slot, now);
                sum += (waiting as f64 / 5.0).max(self.view().flow.kv_usage(slot, now) / 0.8);
                ready += 1.0;
            }
        }
        if ready > 0.0 { sum / ready } else { 1.0 }
    }

    fn cluster_value(&mut self, signal: Signal) -> f64 {
        use Signal as S;
        let (now, fleet) = (self.world.now, self.world.fleet);
        let ServiceView { pods, desired, .. } = *self.view();
        let counts = pods.counts(desired);
        let nodes = || fleet.live_nodes().map(|node| fleet.node_view(node));
        let count = match signal {
            S::ReplicasDesired => desired,
            S::ReplicasCurrent => counts.status,
            S::ReplicasReady => counts.ready,
            S::ReplicasStarting => counts.starting,
            S::ReplicasTerminating => counts.draining,
            S::ReplicasUnavailable => counts.status.saturating_sub(counts.ready),
            S::PodsPending if self.tenants[self.service].service.pod.group.is_some() => fleet.pods_waiting(),
            S::PodsPending => pods.living().iter().filter(|&&pod| pods.object(pod).scheduled.is_none()).count() as u32,
            S::NodesReady => nodes().filter(|node| node.is_up).count() as u32,
            S::NodesStarting => fleet.live_nodes().count() as u32 - nodes().filter(|node| node.is_up).count() as u32,
            S::GpusAllocatable => nodes().filter(|node| node.is_up).map(|node| node.gpus).sum(),
            S::GpusFree => {
                let up = nodes().filter(|node| node.is_up);
                up.map(|node| node.gpus.saturating_sub(node.gpus_held)).sum()
            }
            S::TimeOfDay => return self.fixed.local(now).0,
            S::DayOfWeek => return self.fixed.local(now).1,
            _ => return f64::NAN,
        };
        f64::from(count)
    }

    fn object_value(&self, signal: Signal, object: PodObject) -> f64 {
        use Signal as S;
        let flag = |is_set: bool| f64::from(u8::from(is_set));
        let time = |at: Option<SimTime>| at.map_or(f64::NAN, |at| self.fixed.unix(at));
        match signal {
            S::PodIsPending => flag(!object.is_running),
            S::PodIsRunning => flag(object.is_running),
            // The condition is there once a kubelet has the pod.
            S::PodIsReady | S::PodIsUnready if object.scheduled.is_none() => f64::NAN,
            S::PodIsReady => flag(object.is_ready),
            S::PodIsUnready => flag(!object.is_ready),
            S::PodIsScheduled => flag(object.scheduled.is_some()),
            S::PodIsUnscheduled => flag(object.scheduled.is_none()),
            S::PodCreated => time(Some(object.created)),
            S::PodStarted => time(object.scheduled),
            S::PodReadyTime => time(object.is_ready.then_some(object.ready_transition)),
            _ => f64::NAN,
        }
    }

    fn node_value(&self, signal: Signal, node: NodeId) -> f64 {
        let view = self.world.fleet.node_view(node);
        match signal {
            Signal::NodeIsReady => f64::from(u8::from(view.registered.is_some())),
            Signal::NodeCreated => view.registered.map_or(f64::NAN, |at| self.fixed.unix(at + self.fixed.before)),
            Signal::NodeGpus => f64::from(view.gpus),
            _ => f64::NAN,
        }
    }
}

/// One series of a scrape: where its value comes from, and whether it has been born.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub figure: Figure,
    pub kind: Kind,
    pub appears: Appears,
    pub service: usize,
    pub is_born: bool,
    pub flow: FlowSeen,
}

/// How long the endpoint picker keeps a flow of requests that is idle.
const IDLE_FLOW: SimDuration = SimDuration::from_secs(300);

/// When requests came or waited last, as scrapes saw it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FlowSeen {
    arrivals: u64,
    last: Option<SimTime>,
}

impl Column {
    /// One that has not been born.
    pub fn of(shown: &Shown) -> Self {
        let Shown { figure, kind, appears, service, .. } = *shown;
        Self { figure, kind, appears, service, is_born: false, flow: FlowSeen::default() }
    }

    /// What a scrape shows of it: `value`, or that it is not there.
    pub fn shown(&mut self, value: f64, subject: Subject, source: &mut Source<'_, '_>) -> f64 {
        if value.is_nan() {
            return promql::storage::MISSING;
        }
        match self.appears {
            Appears::WithProcess => value,
            Appears::WhileTrue => {
                if value > 0.0 {
                    value
                } else {
                    promql::storage::MISSING
                }
            }
            Appears::WhileFlowing => {
                let (now, arrivals) = (source.world.now, source.at_gateway().arrivals());
                if arrivals > self.flow.arrivals || value > 0.0 {
                    self.flow = FlowSeen { arrivals, last: Some(now) };
                }
                let is_kept = self.flow.last.is_some_and(|last| now.since(last) < IDLE_FLOW);
                if is_kept { value } else { promql::storage::MISSING }
            }
            Appears::WhileReady => {
                if source.has_ready() {
                    value
                } else {
                    promql::storage::MISSING
                }
            }
            Appears::FirstEvent => {
                self.is_born = self.is_born || source.is_born((self.figure, self.kind), value, subject);
                if self.is_born { value } else { promql::storage::MISSING }
            }
        }
    }
}
