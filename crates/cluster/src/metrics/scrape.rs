//! Targets as they come and go, and what a scrape of one stores.

use std::collections::BTreeMap;

use exporters::{Exporter, Scope, TargetOf, Variable};
use promql::storage::MISSING;
use promql::{Labels, ScrapeTarget, TargetId, Value};
use units::{NodeId, PodId, SimDuration, SimTime};
use workload::{Purpose, Stream};

use super::gpu::Holder;
use super::plan::{Figure, Shown, exposed};
use super::process::Process;
use super::tenant::process_of;
use super::value::{Before, Column, Source, Subject};
use super::world::World;
use super::{MetricsEvent, NANOS_PER_MILLI, Pipeline, millis, now_ms};

/// How long before a scrape a busy share begins, and a rate of tokens.
const BUSY_WINDOW: SimDuration = SimDuration::from_secs(1);
const TOKEN_WINDOW: SimDuration = SimDuration::from_secs(10);
/// Time between two looks for targets to forget.
const COLLECT_MS: i64 = 60_000;

/// Something that is scraped.
pub(super) struct Instance {
    plan: usize,
    subject: Subject,
    scrape: ScrapeTarget,
    /// Where its own series are stored; nothing if others hold them all.
    stored: Option<TargetId>,
    /// Whether its `up` is stored with them; else another target with the same labels has it.
    has_up: bool,
    columns: Vec<Column>,
    groups: BTreeMap<Key, Group>,
    before: Before,
}

/// An object that a target shows. Labels of a pod change with its node.
type Key = (Scope, Subject, Option<NodeId>);

/// The series of one object that a target shows.
struct Group {
    stored: Option<TargetId>,
    columns: Vec<Column>,
}

impl Pipeline {
    /// Registers the targets of one kind that show `subject`, and schedules their first scrapes.
    pub(super) fn register(&mut self, of: TargetOf, subject: Subject, now: SimTime) -> Vec<u32> {
        let is_meant = |plan: &usize| {
            let plan = &self.plans[*plan];
            plan.target.of == of && subject.service().is_none_or(|service| service == plan.service)
        };
        let plans: Vec<usize> = (0..self.plans.len()).filter(is_meant).collect();
        plans.into_iter().filter_map(|plan| self.register_one(plan, subject, now)).collect()
    }

    fn register_one(&mut self, plan: usize, subject: Subject, now: SimTime) -> Option<u32> {
        let scrape = self.scrape_target(plan, subject);
        let (series, columns) = self.series(plan, &scrape, (&self.plans[plan].own, subject));
        let up = scrape.up_labels();
        let is_read = !columns.is_empty() || !self.plans[plan].of_objects.is_empty() || self.readers.wants(&up);
        if !is_read {
            return None;
        }
        let has_up = !self.storage.holds(&up);
        let (stored, columns) = if has_up {
            let mut kept: Vec<(Labels, Column)> = Vec::with_capacity(columns.len());
            for (labels, column) in series.into_iter().zip(columns) {
                // Of two samples with equal labels a server keeps one.
                if !self.storage.holds(&labels) && kept.iter().all(|(known, _)| *known != labels) {
                    kept.push((labels, column));
                }
            }
            let (series, columns) = kept.into_iter().unzip();
            (Some(self.storage.add_target(up, series)), columns)
        } else {
            self.add_group(&series, columns)
        };
        let number = self.instances.len() as u32;
        let first = next_scrape(&scrape, now);
        let groups = BTreeMap::new();
        let before = Before::default();
        self.instances.push(Some(Instance { plan, subject, scrape, stored, has_up, columns, groups, before }));
        self.schedule_scrape(number, plan, (now, first));
        Some(number)
    }

    fn add_group(&mut self, series: &[Labels], columns: Vec<Column>) -> (Option<TargetId>, Vec<Column>) {
        match self.storage.add_group(series) {
            Some((id, kept)) => {
                let kept = columns.into_iter().zip(kept).filter(|(_, is_kept)| *is_kept).map(|(column, _)| column);
                (Some(id), kept.collect())
            }
            None => (None, Vec::new()),
        }
    }

    /// Those of `shown` that somebody wants of `subject`, as they are stored.
    fn series(
        &self,
        plan: usize,
        scrape: &ScrapeTarget,
        (shown, subject): (&[Shown], Subject),
    ) -> (Vec<Labels>, Vec<Column>) {
        let exporter = self.plans[plan].target.exporter;
        let mut found = (Vec::new(), Vec::new());
        // A target of the cluster shows each pod as the service does whose it is.
        let is_of = |series: &&Shown| subject.service().is_none_or(|service| service == series.service);
        for series in shown.iter().filter(is_of) {
            let fill = |variable| self.fill(variable, (subject, series.service), exporter);
            let shown = match subject {
                Subject::Worker(replica, place) => {
                    exposed(&series.of_container(&self.first_container(replica, place)), fill)
                }
                _ => exposed(series, fill),
            };
            let Some(labels) = scrape.stored_labels(&shown) else { continue };
            if self.readers.wants(&labels) {
                let column = Column::of(series);
                found.0.push(labels);
                found.1.push(column);
            }
        }
        found
    }

    /// What a variable is for a subject, in a series of a service.
    fn fill(&self, variable: Variable, (subject, service): (Subject, usize), exporter: Exporter) -> String {
        let names = &self.tenants[subject.service().unwrap_or(service)].names;
        match subject {
            Subject::Pod(pod) => {
                let node = process_of(&self.tenants, pod).and_then(|process| process.node);
                match (variable, node) {
                    (Variable::Gpu | Variable::GpuUuid | Variable::GpuModel, Some(node)) => {
                        let holder = Holder { replica: pod, place: 0 };
                        let gpu = self.devices.first_of(holder, node);
                        gpu.map_or_else(String::new, |gpu| {
                            self.fill(variable, (Subject::Gpu(node, gpu, Some(holder)), service), exporter)
                        })
                    }
                    (Variable::Gpu | Variable::GpuUuid | Variable::GpuModel, None) => String::new(),
                    _ => names.of_pod(variable, pod, node),
                }
            }
            Subject::Worker(replica, place) => {
                names.of_worker(variable, (replica, place), self.worker_node(replica, place))
            }
            Subject::Node(node) => self.names.of_node(variable, node, Some(exporter)),
            Subject::Gpu(node, gpu, holder) => match variable {
                Variable::Gpu => gpu.to_string(),
                Variable::GpuUuid => self.names.gpu(node, gpu),
                Variable::GpuModel => self.devices.product(node),
                Variable::HolderPod => holder.map_or_else(String::new, |Holder { replica, place }| {
                    let names = &self.tenants[replica.service()].names;
                    if place == 0 { names.pod(replica) } else { names.of_worker(Variable::Pod, (replica, place), None) }
                }),
                Variable::HolderNamespace => holder.map_or_else(String::new, |Holder { replica, .. }| {
                    self.tenants[replica.service()].service.namespace.clone()
                }),
                Variable::HolderContainer => {
                    holder.map_or_else(String::new, |Holder { replica, place }| self.first_container(replica, place))
                }
                other => self.names.of_node(other, node, Some(exporter)),
            },
            Subject::Gateway(_) | Subject::Cluster => names.of_service(variable),
        }
    }

    /// Name of the first container of a replica's pod: its leader's, or a worker's.
    fn first_container(&self, replica: PodId, place: u32) -> String {
        let pod = &self.tenants[replica.service()].service.pod;
        let workers = pod.group.as_ref().filter(|_| place > 0).map(|group| &group.worker_containers);
        workers.unwrap_or(&pod.containers).first().map_or_else(String::new, |container| container.name.clone())
    }

    fn worker_node(&self, replica: PodId, place: u32) -> Option<NodeId> {
        let workers = &process_of(&self.tenants, replica)?.workers;
        workers.iter().find(|(known, _)| *known == place).map(|(_, node)| *node)
    }

    fn scrape_target(&self, plan: usize, subject: Subject) -> ScrapeTarget {
        let (target, service) = (&self.plans[plan].target, self.plans[plan].service);
        let labels = target.labels.iter().map(|label| {
            (label.name.clone(), label.value.fill(|variable| self.fill(variable, (subject, service), target.exporter)))
        });
        let entity = match subject {
            Subject::Pod(pod) => pod.index() as u64,
            Subject::Node(node) => 1 << 40 | u64::from(node.0),
            _ => u64::MAX,
        };
        let seed = subject.service().map_or(self.seed, |service| self.tenants[service].seed);
        let interval_ms = millis(target.interval);
        let mut phase = Stream::new(seed, Purpose::Phase, entity ^ self.plans[plan].entity);
        ScrapeTarget {
            honor_labels: target.honor_labels,
            metric_relabelings: target.metric_relabelings.clone(),
            ..ScrapeTarget::new(Labels::new(labels), interval_ms, phase.below(interval_ms as u64) as i64)
        }
    }

    fn schedule_scrape(&mut self, number: u32, plan: usize, (now, at): (SimTime, SimTime)) {
        let plan = &self.plans[plan];
        let windows = [(plan.reads_utilization, BUSY_WINDOW), (plan.reads_token_rate, TOKEN_WINDOW)];
        for (_, window) in windows.into_iter().filter(|(is_read, _)| *is_read) {
            self.pending.push((at.saturating_sub(window).max(now), MetricsEvent::LookBefore(number)));
        }
        self.pending.push((at, MetricsEvent::Scrape(number)));
    }

    /// Notes what a target was like some time before its scrape.
    pub(super) fn look_before(&mut self, number: u32, world: &mut World<'_>) {
        let Some(Some(instance)) = self.instances.get_mut(number as usize) else { return };
        let Subject::Pod(pod) = instance.subject else { return };
        let Some(process) = process_of(&self.tenants, pod) else { return };
        let stats = world.pod(pod, process).stats;
        instance.before.busy = Some((world.now, stats.busy_ns));
        instance.before.tokens.push((world.now, stats.output_tokens));
    }

    /// A target leaves discovery.
    pub(super) fn end_instance(&mut self, number: u32) {
        let Some(instance) = self.instances.get_mut(number as usize).and_then(Option::take) else { return };
        let groups = instance.groups.values().filter_map(|group| group.stored);
        for stored in instance.stored.into_iter().chain(groups) {
            self.storage.end_target(stored, instance.scrape.interval_ms);
        }
    }

    /// Ends what `is_over` says of its plan.
    pub(super) fn end_instances_of(&mut self, subject: Subject) {
        for number in 0..self.instances.len() {
            if self.instances[number].as_ref().is_some_and(|instance| instance.subject == subject) {
                self.end_instance(number as u32);
            }
        }
    }

    /// Whether the target with this number leaves discovery when its pod is deleted.
    pub(super) fn leaves_at_deletion(&self, number: u32) -> bool {
        let instance = self.instances.get(number as usize).and_then(Option::as_ref);
        instance.is_some_and(|instance| self.plans[instance.plan].target.life == exporters::TargetLife::Endpoints)
    }

    /// A target is scraped.
    pub(super) fn scrape(&mut self, number: u32, world: &mut World<'_>) {
        let Some(mut instance) = self.instances.get_mut(number as usize).and_then(Option::take) else { return };
        let now = world.now;
        if !self.outages.prometheus(now) {
            self.scrape_instance(&mut instance, world);
            if now_ms(now) >= self.collected_ms + COLLECT_MS {
                self.collected_ms = now_ms(now);
                self.storage.collect(now_ms(now));
            }
        }
        let (plan, interval) = (instance.plan, self.plans[instance.plan].target.interval);
        self.instances[number as usize] = Some(instance);
        self.schedule_scrape(number, plan, (now, now + interval));
    }

    fn scrape_instance(&mut self, instance: &mut Instance, world: &mut World<'_>) {
        let t_ms = self.stored_at(instance.plan, world.now);
        let exporter = self.plans[instance.plan].target.exporter;
        let answers = match instance.subject {
            Subject::Pod(pod) => process_of(&self.tenants, pod).is_some_and(Process::listens),
            _ => true,
        };
        if !answers || self.outages.exporter(exporter, world.now) {
            return self.fail_scrape(instance, t_ms);
        }
        let mut values = std::mem::take(&mut self.values);
        if let Some(stored) = instance.stored {
            self.read(&mut instance.columns, (instance.subject, &instance.before), world, &mut values);
            if instance.has_up {
                self.storage.scrape(stored, t_ms, &values);
            } else {
                self.storage.record(stored, t_ms, &values);
            }
        }
        self.values = values;
        let old = world.now.saturating_sub(TOKEN_WINDOW);
        while instance.before.tokens.get(1).is_some_and(|(at, _)| *at <= old) {
            instance.before.tokens.remove(0);
        }
        for kind in 0..self.plans[instance.plan].of_objects.len() {
            self.scrape_objects(instance, kind, world);
        }
    }

    /// When what is read now is stored: a target whose figures come late is read that much before its scrape. Nobody sees a sample
    /// before its time.
    fn stored_at(&self, plan: usize, now: SimTime) -> i64 {
        now_ms(now + self.plans[plan].target.delay)
    }

    fn fail_scrape(&mut self, instance: &mut Instance, t_ms: i64) {
        if let Some(stored) = instance.stored {
            if instance.has_up {
                self.storage.scrape_failed(stored, t_ms);
            } else {
                self.storage.record(stored, t_ms, &vec![MISSING; instance.columns.len()]);
            }
        }
        for group in instance.groups.values() {
            if let Some(stored) = group.stored {
                self.storage.record(stored, t_ms, &vec![MISSING; group.columns.len()]);
            }
        }
    }

    /// The present values of `columns`.
    fn read(
        &mut self,
        columns: &mut [Column],
        (subject, before): (Subject, &Before),
        world: &mut World<'_>,
        values: &mut Vec<f64>,
    ) {
        let t_ms = now_ms(world.now);
        let mut source = Source {
            fixed: &self.fixed,
            world,
            tenants: &mut self.tenants,
            devices: &self.devices,
            service: subject.service().unwrap_or_default(),
            pod: None,
            gateway: None,
        };
        values.clear();
        for column in columns {
            source.service = column.service;
            let value = match column.figure {
                Figure::Expression(number) => {
                    let found = self.readers.expressions[number].evaluate(&self.storage, t_ms, self.options);
                    found.ok().and_then(|found| first(&found.value)).unwrap_or(f64::NAN)
                }
                figure => source.value(figure, subject, before),
            };
            values.push(column.shown(value, subject, &mut source));
        }
    }

    /// The objects of one kind that a target shows.
    fn scrape_objects(&mut self, instance: &mut Instance, kind: usize, world: &mut World<'_>) {
        let scope = self.plans[instance.plan].of_objects[kind].0;
        let t_ms = self.stored_at(instance.plan, world.now);
        let present = self.objects(scope, instance.subject, world);
        let gone: Vec<Key> =
            instance.groups.keys().filter(|key| key.0 == scope && !present.contains(key)).copied().collect();
        for key in gone {
            let group = instance.groups.remove(&key).expect("it was listed");
            if let Some(stored) = group.stored {
                self.storage.record(stored, t_ms, &vec![MISSING; group.columns.len()]);
                self.storage.end_target(stored, instance.scrape.interval_ms);
            }
        }
        for key in present {
            if !instance.groups.contains_key(&key) {
                let shown = &self.plans[instance.plan].of_objects[kind].1;
                let (series, columns) = self.series(instance.plan, &instance.scrape, (shown, key.1));
                let (stored, columns) = self.add_group(&series, columns);
                instance.groups.insert(key, Group { stored, columns });
            }
            let Some(group) = instance.groups.get_mut(&key) else { continue };
            if let Some(stored) = group.stored {
                let mut values = std::mem::take(&mut self.values);
                self.read(&mut group.columns, (key.1, &instance.before), world, &mut values);
                self.storage.record(stored, t_ms, &values);
                self.values = values;
            }
        }
    }

    /// The objects of a kind that a target of `subject` shows now, ascending.
    fn objects(&self, scope: Scope, subject: Subject, world: &World<'_>) -> Vec<Key> {
        let node_of = |pod: PodId| process_of(&self.tenants, pod).and_then(|process| process.node);
        let pod_key = |pod: PodId| (scope, Subject::Pod(pod), node_of(pod));
        let listens = |pod: &PodId| process_of(&self.tenants, *pod).is_some_and(Process::listens);
        let runs_on = |pod: &PodId, node: NodeId| {
            let process = process_of(&self.tenants, *pod);
            process.is_some_and(|process| process.node == Some(node) && process.started.is_some() && !process.is_gone)
        };
        let living = world.services.iter().flat_map(|view| view.pods.living().iter().copied());
        match (scope, subject) {
            (Scope::Pod | Scope::PodObject, Subject::Node(node)) => {
                living.filter(|pod| runs_on(pod, node)).map(pod_key).collect()
            }
            (Scope::Pod, Subject::Gateway(service)) => {
                let of_service = world.services[service].pods;
                let ready = |slot| of_service.rank_among_ready(slot).0.is_some();
                let mut pods: Vec<PodId> =
                    of_service.in_flow().into_iter().filter(|(_, slot)| ready(*slot)).map(|(pod, _)| pod).collect();
                pods.sort_unstable();
                pods.into_iter().map(pod_key).collect()
            }
            (Scope::Pod, _) => living.filter(listens).map(pod_key).collect(),
            (Scope::PodObject, _) => {
                living.flat_map(|pod| std::iter::once(pod_key(pod)).chain(self.workers(pod, world))).collect()
            }
            (Scope::Node, _) => {
                let nodes = world.fleet.live_nodes();
                let registered = nodes.filter(|&node| world.fleet.node_view(node).registered.is_some());
                registered.map(|node| (scope, Subject::Node(node), None)).collect()
            }
            (Scope::Gpu, Subject::Node(node)) => self.gpus_of(node).collect(),
            (Scope::Gpu, _) => world.fleet.live_nodes().flat_map(|node| self.gpus_of(node)).collect(),
            _ => Vec::new(),
        }
    }

    /// The other pods of a replica's group, as far as they are there.
    fn workers(&self, replica: PodId, world: &World<'_>) -> impl Iterator<Item = Key> {
        let size = self.tenants[replica.service()].service.pod.group.as_ref().map_or(1, |group| group.size);
        let there = (1..size).filter(move |&place| world.fleet.worker(replica, place).is_some());
        there.map(move |place| (Scope::PodObject, Subject::Worker(replica, place), self.worker_node(replica, place)))
    }

    fn gpus_of(&self, node: NodeId) -> impl Iterator<Item = Key> + '_ {
        self.devices.shown(node).map(move |(gpu, holder)| (Scope::Gpu, Subject::Gpu(node, gpu, holder), None))
    }
}

/// The value of an expression: its only element, or the first of several.
fn first(value: &Value) -> Option<f64> {
    match value {
        Value::Scalar(value) => Some(*value),
        Value::Vector(elements) => elements.first().map(|element| element.value),
        Value::Matrix(_) | Value::Text(_) => None,
    }
}

fn next_scrape(target: &ScrapeTarget, now: SimTime) -> SimTime {
    SimTime::from_nanos(target.next_scrape_ms(now_ms(now)) as u64 * NANOS_PER_MILLI).max(now)
}
