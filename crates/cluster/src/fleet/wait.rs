//! Why pods wait: what each pool lacks for them, noted when it changes.

use record::WaitSpan;
use units::{PodId, SimDuration, SimTime};

use super::Fleet;
use super::pod::Pod;
use crate::spec::{NodeManager, NodePoolSpec};

/// What keeps a pool from taking one more pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lack {
    /// Its nodes can never hold the pod.
    Fit,
    /// It has as many nodes as it may.
    Nodes,
    /// As many GPUs.
    Gpus,
    /// As much CPU.
    Cpu,
    /// As much memory.
    Memory,
    /// The provider has refused all that would do, lately.
    Capacity,
    /// Reservations are used up.
    Reservation,
    /// The node group is left alone after a failure.
    BackOff,
    /// Where the other pods are.
    Placement,
    /// Its nodes are not added for pods.
    Static,
}

/// Reasons that came up in a run, each once, with the last one worked out.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits {
    texts: Vec<String>,
    last: Option<(usize, Vec<Lack>, usize)>,
}

impl Waits {
    fn number(&mut self, text: String) -> usize {
        self.texts.iter().position(|known| *known == text).unwrap_or_else(|| {
            self.texts.push(text);
            self.texts.len() - 1
        })
    }
}

impl Fleet {
    /// The pods that are left without a plan wait for what their pools lack.
    pub(super) fn note_waits(&mut self) {
        for class in 0..self.classes.len() {
            for queue in 0..2 {
                if self.classes[class].unplanned[queue].is_empty() {
                    continue;
                }
                let reason = self.reason(class, queue == 1);
                let now = self.now;
                for &pod in &self.classes[class].unplanned[queue] {
                    self.pods[pod].wait_for(reason, now);
                }
            }
        }
    }

    /// `pod` is not created for now: `what` permits no more.
    pub(super) fn note_quota(&mut self, pod: PodId, what: &str) {
        let reason = self.waits.number(format!("{what} is used up"));
        self.pods[pod].wait_for(reason, self.now);
    }

    fn reason(&mut self, class: usize, on_demand: bool) -> usize {
        let lacks: Vec<Lack> = self.pool_order.iter().map(|&pool| self.lack(class, pool, on_demand)).collect();
        if let Some((of, last, number)) = &self.waits.last
            && (*of, last) == (class, &lacks)
        {
            return *number;
        }
        let pools = self.pool_order.iter().zip(&lacks).map(|(&pool, &lack)| {
            let spec = &self.spec.pools[pool];
            format!("pool `{}`: {}", spec.name, self.in_words(class, spec, lack))
        });
        let text = pools.collect::<Vec<_>>().join("; ");
        let number = self.waits.number(text);
        self.waits.last = Some((class, lacks, number));
        number
    }

    fn lack(&self, class: usize, pool: usize, on_demand: bool) -> Lack {
        let offers = || self.pool_offers[pool].iter().copied().filter(|&offer| self.slots(class, offer) > 0);
        if offers().next().is_none() {
            return Lack::Fit;
        }
        let spec = &self.spec.pools[pool];
        if spec.rules.is_static {
            return Lack::Static;
        }
        if self.is_backing_off(pool) {
            return Lack::BackOff;
        }
        let room = self.room();
        if spec.nodes_max.is_some_and(|most| self.pool_nodes[pool] >= most) {
            return Lack::Nodes;
        }
        let usable = || offers().filter(|&offer| self.is_eligible(class, offer, on_demand));
        if usable().next().is_none() {
            let is_hidden = offers().any(|offer| self.offers[offer].hidden_until > self.now);
            return if is_hidden { Lack::Capacity } else { Lack::Reservation };
        }
        if !usable().any(|offer| room.has(pool, &self.offers[offer])) {
            return room.scarcest(pool, usable().map(|offer| &self.offers[offer]));
        }
        let is_bound = !self.classes[class].topology.is_empty();
        if is_bound && usable().all(|offer| self.plan_map(class, &[]).takes_new(offer) == 0) {
            return Lack::Placement;
        }
        Lack::Capacity
    }

    fn in_words(&self, class: usize, pool: &NodePoolSpec, lack: Lack) -> String {
        let of = &self.classes[class];
        let resource = &of.pod.gpu_resource;
        match lack {
            Lack::Fit => "its nodes can never hold the pod".to_owned(),
            Lack::Nodes => format!("limit of {} nodes reached", pool.nodes_max.unwrap_or(0)),
            Lack::Gpus => format!("limit of {} {resource} reached", pool.gpus_max.unwrap_or(0)),
            Lack::Cpu => format!("limit of {} CPU reached", pool.cpu_max.map_or(0, |cpu| cpu.0 / 1_000)),
            Lack::Memory => format!("limit of {} memory reached", pool.memory_max.unwrap_or_default()),
            Lack::Capacity => "no capacity to be had".to_owned(),
            Lack::Reservation => "nothing it may launch is left (reservations used up, or on demand only)".to_owned(),
            Lack::BackOff => "left alone for a while after a failed launch".to_owned(),
            Lack::Placement => format!("{} leaves no place", of.topology.in_words(&of.pod)),
            Lack::Static => "its number of nodes is fixed, and they are full".to_owned(),
        }
    }

    /// The waits of one pod, in words.
    pub(super) fn wait_spans(&self, pod: &Pod, end: SimTime) -> Vec<WaitSpan> {
        let open = pod.waiting.map(|(reason, start)| (reason, start, pod.ended.unwrap_or(end)));
        let spans = pod.waits.iter().copied().chain(open);
        let spans = spans.filter(|(_, start, end)| end > start);
        spans.map(|(reason, start, end)| WaitSpan { reason: self.waits.texts[reason].clone(), start, end }).collect()
    }

    /// What a user should know of pods that waited or never started: each reason once for each service. Where there are several each remark
    /// begins with the name of its service.
    pub fn remarks(&self) -> Vec<String> {
        let remarks = (0..self.classes.len()).flat_map(|class| {
            let name = (self.classes.len() > 1).then(|| format!("{}: ", self.classes[class].name));
            let name = name.unwrap_or_default();
            self.remarks_of(class).into_iter().map(move |remark| format!("{name}{remark}"))
        });
        remarks.collect()
    }

    /// The same for one service, without its name.
    pub fn remarks_of(&self, service: usize) -> Vec<String> {
        let end = self.now;
        let mut remarks = Vec::new();
        for (reason, text) in self.waits.texts.iter().enumerate() {
            let spans = self.pods.of(service).iter().map(|pod| {
                let open = pod.waiting.map(|(reason, start)| (reason, start, pod.ended.unwrap_or(end)));
                let of_pod = pod.waits.iter().copied().chain(open).filter(|span| span.0 == reason);
                of_pod.map(|(_, start, end)| end.since(start)).fold(SimDuration::ZERO, |sum, time| sum + time)
            });
            let waited: Vec<SimDuration> = spans.filter(|time| *time >= WORTH_SAYING).collect();
            let Some(longest) = waited.iter().max() else { continue };
            let pods = waited.len();
            let (noun, each) = if pods == 1 { ("pod", "") } else { ("pods", " at the longest") };
            remarks.push(format!("{pods} {noun} waited for a node, {longest}{each}: {text}"));
        }
        remarks.extend(self.preemption_remark(service));
        remarks.extend(self.probe_remark(service));
        remarks
    }

    fn preemption_remark(&self, service: usize) -> Option<String> {
        let preempted = self.pods.of(service).iter().filter(|pod| pod.preempted).count();
        let pods = plural(preempted as u64, "pod");
        (preempted > 0).then(|| format!("{pods} made way for pods of higher priority"))
    }

    fn probe_remark(&self, service: usize) -> Option<String> {
        let spec = &self.classes[service].pod;
        let killed: Vec<&Pod> = self.pods.of(service).iter().filter(|pod| pod.attempts.restarts > 0).collect();
        if killed.is_empty() {
            return None;
        }
        let restarts: u32 = killed.iter().map(|pod| pod.attempts.restarts).sum();
        let never = killed.iter().filter(|pod| pod.ready_at.is_none()).count();
        let lost = killed.iter().fold(SimDuration::ZERO, |sum, pod| sum + pod.attempts.lost);
        let gpu_hours = lost.as_secs_f64() * f64::from(spec.gpus.max(1)) / 3_600.0;
        let probe = if spec.probes.startup.is_some() { "startupProbe" } else { "livenessProbe" };
        let (pods, times) = (plural(killed.len() as u64, "pod"), plural(u64::from(restarts), "time"));
        Some(format!(
            "the {probe} killed containers of {pods} {times}, {never} of them never became ready; {gpu_hours:.2} GPU-hours went into that"
        ))
    }

    /// Whether pods of a class make the Cluster Autoscaler add no nodes: those of very low priority do not.
    pub(super) fn is_expendable(&self, class: usize) -> bool {
        matches!(self.spec.manager, NodeManager::ClusterAutoscaler(_))
            && self.classes[class].pod.priority < EXPENDABLE_BELOW
    }
}

/// Waits shorter than this are not worth a remark.
const WORTH_SAYING: SimDuration = SimDuration::from_secs(60);
/// `--expendable-pods-priority-cutoff`.
const EXPENDABLE_BELOW: i32 = -10;

fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

impl Pod {
    /// From `now` on it waits for this; what it waited for before is over.
    fn wait_for(&mut self, reason: usize, now: SimTime) {
        if self.waiting.is_some_and(|(known, _)| known == reason) {
            return;
        }
        self.stop_waiting(now);
        self.waiting = Some((reason, now));
    }

    /// It waits for nothing any more: a node is on its way, or it is gone.
    pub fn stop_waiting(&mut self, now: SimTime) {
        if let Some((reason, start)) = self.waiting.take() {
            self.waits.push((reason, start, now));
        }
    }
}

impl super::provision::Room {
    /// What no offering has room for.
    #[allow(clippy::needless_pass_by_value, reason = "an iterator that is gone through twice")]
    fn scarcest<'a>(&self, pool: usize, offers: impl Iterator<Item = &'a super::node::Offer> + Clone) -> Lack {
        let (gpus, millicores, _) = self.left(pool);
        if offers.clone().all(|offer| offer.spec.gpus > gpus) {
            Lack::Gpus
        } else if offers.clone().all(|offer| offer.spec.machine_cpu.0 > millicores) {
            Lack::Cpu
        } else {
            Lack::Memory
        }
    }
}
