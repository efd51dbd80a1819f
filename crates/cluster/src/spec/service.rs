//! The service: how requests are routed, batched and served, and what one of its pods asks for.

use std::fmt;
use std::sync::Arc;

use exporters::Target;
use units::{Bytes, Millicores, PodId, SimDuration};
use workload::{Distribution, Purpose, RateLog, Stream, Traffic};

use super::{
    ColdStartSpec, EarlierTraffic, EngineSpec, IterationLaw, PodClass, PodDisruptionBudget, PodScheduling, PrefixSpec,
    Probes, RolloutSpec, RouterSpec, Routing, TagSpec, UsageSpec,
};

/// Tells the streams of first iterations from those of cold starts.
const FIRST_ITERATION: u64 = 1 << 48;

/// One service: what it is asked, how it serves, what it is judged by.
#[derive(Clone, Debug)]
pub struct ServiceSpec {
    /// Name in tables and policies: that of its workload where there is one service.
    pub name: String,
    /// Name of the Deployment, or of whatever else makes its pods.
    pub workload: String,
    /// Tells its random numbers from those of the other services; 0: they are the run's own.
    pub salt: u64,
    /// Namespace.
    pub namespace: String,
    /// How a replica serves requests.
    pub model: ServiceModel,
    /// How requests find a replica.
    pub routing: Routing,
    /// What the router knows and holds; language models only.
    pub router: RouterSpec,
    /// What requests find in the KV cache; language models only.
    pub prefix: PrefixSpec,
    /// What its requests are besides their times and tokens; language models only.
    pub tags: TagSpec,
    /// The engine takes the smallest priority first (`--scheduling-policy priority`), and not who came first; language models only.
    pub engine_by_priority: bool,
    /// How its engine fills its passes; language models only.
    pub engine: EngineSpec,
    /// What happens while no replica is ready.
    pub no_replica: NoReplicaRule,
    /// Requests that may wait (in the whole service) before arrivals are rejected; `None` is no limit.
    pub queue_limit: Option<u32>,
    /// Requests not answered this long after arrival are given up by the client; `None` is never.
    pub client_timeout: Option<Patience>,
    /// Requests whose service has not begun this long after arrival (with a language model: that have no first token) are given up by the
    /// client; `None` is never.
    pub client_patience: Option<Patience>,
    /// Client retries of failed requests.
    pub retries: Option<RetrySpec>,
    /// What happens to requests in service on a replica that is killed.
    pub kill_rule: KillRule,
    /// Replicas at the start of the run, ready at once.
    pub replicas_initial: u32,
    /// In which order replicas come and go.
    pub order: ReplicaOrder,
    /// `minReadySeconds`: a pod is available when it has been ready this long, and the next of a StatefulSet waits for that.
    pub min_ready: SimDuration,
    /// One pod.
    pub pod: PodSpec,
    /// What a pod goes through once it has a node.
    pub cold_start: ColdStartSpec,
    /// What the first iteration with a prompt takes longer, in seconds, in processes that were started during the run. Only language models.
    pub first_iteration: Option<Distribution>,
    /// PodDisruptionBudgets that select its pods.
    pub budgets: Vec<PodDisruptionBudget>,
    /// Its requests.
    pub traffic: Traffic,
    /// Another service whose answers bring it requests.
    pub called_by: Option<CalledBy>,
    /// Its requests in the stretch before time zero.
    pub earlier: EarlierTraffic,
    /// Offered rates before the run, for predictors.
    pub history: Arc<RateLog>,
    /// What its latency is judged by.
    pub slo: SloSpec,
    /// New versions that are rolled out, in order of time.
    pub rollouts: Vec<RolloutSpec>,
    /// What is scraped of it. Series nobody reads cost nothing.
    pub targets: Vec<Target>,
    /// CPU, memory and power of its replicas.
    pub usage: UsageSpec,
}

impl ServiceSpec {
    /// Its pods as the fleet sees them in a run with this seed.
    pub fn pod_class(&self, run: u64) -> PodClass {
        PodClass {
            name: self.name.clone(),
            pod: self.pod.largest_of_group(),
            cold_start: self.cold_start.clone(),
            budgets: self.budgets.clone(),
            seed: self.seed(run),
        }
    }

    /// What the first iteration with a prompt takes longer in the process of this pod, if anything.
    pub(crate) fn first_delay(&self, seed: u64, pod: PodId) -> Option<SimDuration> {
        let first = self.first_iteration.as_ref()?;
        let mut stream = Stream::new(seed, Purpose::ColdStart, FIRST_ITERATION | pod.index() as u64);
        Some(SimDuration::from_secs_f64(first.sampler().sample(&mut stream)))
    }

    /// Whether some of its clients wait longer than others.
    pub fn clients_differ(&self) -> bool {
        [&self.client_timeout, &self.client_patience].iter().any(|limit| matches!(limit, Some(Patience::Drawn(_))))
    }

    /// The seed of its random numbers in a run with this seed.
    pub fn seed(&self, run: u64) -> u64 {
        if self.salt == 0 { run } else { Stream::new(run, Purpose::Service, self.salt).next_u64() }
    }
}

/// A share of the requests of one service become requests of another when they are answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalledBy {
    /// Number of the service that calls.
    pub service: usize,
    /// Share of its answered requests that call, above 0 and at most 1.
    pub share: f64,
    /// Requests each of these makes, all at once, at least 1.
    pub count: u32,
    /// What the caller has computed of the prompt is fetched from the replica that did, and not computed again.
    pub transfer: Option<KvTransfer>,
}

/// How the KV cache of a prompt comes from the replica that has computed it to the one that decodes: prefill and decode apart. Source:
/// specification of the model, section 6.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KvTransfer {
    /// Bytes a second in or out of one replica, above 0; what is under way there at once shares them evenly.
    pub bytes_per_second: f64,
    /// From the request for it to the first byte.
    pub latency: SimDuration,
    /// Bytes per token of the prompt, in all GPUs of a replica together, above 0.
    pub bytes_per_token: f64,
    /// Prompts with fewer tokens than this are none of it: the service that answers computes them itself, and the caller never sees them.
    /// 0: there are none such.
    pub from_tokens: u32,
}

impl KvTransfer {
    /// Seconds for a prompt of so many tokens if nothing else is under way.
    pub fn seconds_alone(&self, tokens: f64) -> f64 {
        self.latency.as_secs_f64() + tokens * self.bytes_per_token / self.bytes_per_second
    }
}

/// In which order the controller of the workload makes and removes replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplicaOrder {
    /// All at once; whom a scale-in takes is the ReplicaSet controller's choice. Deployments and their like.
    #[default]
    Parallel,
    /// One after another: a replica is made when all before it are ready, the last made goes first, and the next when it is gone. A
    /// StatefulSet with `podManagementPolicy: OrderedReady`.
    Ordered,
    /// All at once, the last made go first: a StatefulSet with `podManagementPolicy: Parallel`, a LeaderWorkerSet.
    HighestFirst,
}

/// How a replica serves.
#[derive(Clone, Debug)]
pub enum ServiceModel {
    /// `concurrency` requests at once, each for its own service time.
    Slots {
        /// Requests served at once by one replica, at least 1.
        concurrency: u32,
        /// Service time in seconds, drawn when the request is created.
        service: Distribution,
    },
    /// Triton-style dynamic batching: one batch at a time; a batch starts when the replica is free and either `batch_max` (or a preferred
    /// size) requests wait or the oldest has waited `queue_delay`.
    DynamicBatching {
        /// Largest batch, at least 1.
        batch_max: u32,
        /// Preferred sizes, ascending; empty: only `batch_max`.
        preferred: Vec<u32>,
        /// `max_queue_delay_microseconds`.
        queue_delay: SimDuration,
        /// Time to execute a batch, by its size.
        latency: BatchLatency,
    },
    /// LLM serving with continuous batching, one engine iteration after another, each as long as the law says, with coefficients rounded to
    /// 2^-20 ns. Scheduling is that of `ServiceSpec::engine`, see `flow::llm`.
    ContinuousBatching {
        /// Sequences in the running batch at most; no more than `batched_tokens_max` count.
        sequences_max: u32,
        /// Tokens one iteration may carry (chunked prefill budget).
        batched_tokens_max: u32,
        /// KV-cache capacity in tokens, in whole blocks of 16. A request that could never fit is rejected.
        kv_tokens: u64,
        /// How long an iteration takes.
        law: IterationLaw,
        /// What requests take outside the engine (router, HTTP, tokenizing), added to their first tokens and answers; not seen by the
        /// engine's own metrics.
        overhead: Overhead,
        /// Tokens of requests that have none in the trace.
        prompt_tokens: Distribution,
        /// Output tokens of requests that have none in the trace; at least 1 each.
        output_tokens: Distribution,
    },
}

/// Execution time by batch size: `table[n - 1]` for a batch of n.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchLatency {
    /// As long as the largest batch.
    pub table: Arc<[SimDuration]>,
}

/// What happens to arrivals while no replica is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoReplicaRule {
    /// They wait.
    Hold,
    /// They fail at once.
    Reject,
}

/// What happens to the requests in service on a killed replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillRule {
    /// They fail.
    Fail,
    /// They go back to the head of the queue with their original arrival times.
    Requeue,
}

/// What a server that is told to stop does with the requests it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopRule {
    /// It finishes them, and then exits.
    Finish {
        /// After so long it gives up what is left; `None` is never, the grace period ends it.
        within: Option<SimDuration>,
        /// It looks every so often whether there are any left; zero is at once.
        poll: SimDuration,
    },
    /// It exits at once: they end as those of a killed replica.
    Abort,
    /// It stops working at once and does not exit before it is killed: until then their clients wait. An engine without requests exits at
    /// once. Only language models.
    Halt,
}

impl StopRule {
    /// It finishes what it has, however long that takes.
    pub const FINISH: Self = Self::Finish { within: None, poll: SimDuration::ZERO };
}

/// What requests take outside the engine of a language model, however busy it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Overhead {
    /// All as long.
    Fixed(SimDuration),
    /// Each by a draw of its own, in seconds, the same in all its attempts and under every policy.
    Drawn(Distribution),
}

impl Overhead {
    /// Nothing.
    pub const NONE: Self = Self::Fixed(SimDuration::ZERO);

    /// What they take on average.
    pub fn mean(&self) -> SimDuration {
        match self {
            Self::Fixed(overhead) => *overhead,
            Self::Drawn(law) => SimDuration::from_secs_f64(law.mean()),
        }
    }
}

/// How long clients wait for something, counted from the arrival of each of their attempts.
#[derive(Clone, Debug, PartialEq)]
pub enum Patience {
    /// All as long.
    Fixed(SimDuration),
    /// Each by a draw of its own, in seconds, with which it stays in all its attempts.
    Drawn(Distribution),
}

impl Patience {
    /// The same for all, if it is.
    pub fn fixed(&self) -> Option<SimDuration> {
        match self {
            Self::Fixed(limit) => Some(*limit),
            Self::Drawn(_) => None,
        }
    }
}

impl fmt::Display for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(limit) => write!(f, "{limit}"),
            Self::Drawn(law) => write!(f, "{} on average", SimDuration::from_secs_f64(law.mean())),
        }
    }
}

/// What a request asks for when it is sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryDemand {
    /// The same as before: what takes long takes long again (repeat identical).
    #[default]
    Same,
    /// As much as a new draw says (repeat different): the service time, or the length of a language model's answer.
    Redraw,
}

/// Client retries.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrySpec {
    /// Attempts in all, the first included.
    pub attempts_max: u32,
    /// Wait before the first retry; doubles each time.
    pub backoff: SimDuration,
    /// Longest wait.
    pub backoff_max: SimDuration,
    /// Share of the wait drawn at random, 0..=1.
    pub jitter: f64,
    /// What they ask for.
    pub demand: RetryDemand,
}

impl RetrySpec {
    /// Nanoseconds from the end of attempt number `attempt` to the next one, at least 1; `None` if it was the last.
    pub(crate) fn pause_after(&self, attempt: u32, dice: &mut Stream) -> Option<u64> {
        if attempt >= self.attempts_max {
            return None;
        }
        let doubled = self.backoff.as_nanos().saturating_mul(1 << (attempt - 1).min(30));
        let pause = doubled.min(self.backoff_max.as_nanos()) as f64;
        let random = (pause * self.jitter * dice.uniform()) as u64;
        let fixed = (pause * (1.0 - self.jitter)) as u64;
        Some((fixed + random).max(1))
    }
}

/// One pod of the service.
#[derive(Clone, Debug, PartialEq)]
pub struct PodSpec {
    /// Whole GPUs (or slices of them) it asks for.
    pub gpus: u32,
    /// The extended resource it asks them of, `nvidia.com/gpu` as a rule.
    pub gpu_resource: String,
    /// Containers with their requests; their sums are what a node must have.
    pub containers: Vec<ContainerSpec>,
    /// `terminationGracePeriodSeconds`.
    pub grace: SimDuration,
    /// preStop sleep, part of the grace period.
    pub pre_stop: SimDuration,
    /// `readinessProbe.periodSeconds`; readiness is seen at the first probe after warm-up.
    pub probe_period: SimDuration,
    /// `readinessProbe.initialDelaySeconds`, from container start.
    pub probe_initial_delay: SimDuration,
    /// Time from ready to receiving requests, and from deletion to receiving none.
    pub endpoint_delay: SimDuration,
    /// From deletion to receiving no new requests; `None`: at once, and the preStop hook takes no time of its own.
    pub drain_delay: Option<SimDuration>,
    /// What its server does with its requests when it is told to stop, after the hook.
    pub stop: StopRule,
    /// Nodes and zones the scheduler would rather spread pods over.
    pub spread: SoftSpread,
    /// `nodeSelector`, sorted by key.
    pub node_selector: Vec<(String, String)>,
    /// Scheduling priority.
    pub priority: i32,
    /// Labels, sorted by key.
    pub labels: Vec<(String, String)>,
    /// Image reference, the key of layer caches.
    pub image: String,
    /// A replica that is a group of pods: this is its leader, the others are here. `None`: a replica is one pod.
    pub group: Option<PodGroup>,
    /// Probes that restart its container.
    pub probes: Probes,
    /// What binds it to nodes.
    pub scheduling: PodScheduling,
}

/// What a replica has besides its leader: pods that are placed one by one, ready together and billed together. They ask for as many GPUs
/// as the leader does, and where it may go they may.
#[derive(Clone, Debug, PartialEq)]
pub struct PodGroup {
    /// Pods in all, the leader included, at least 2.
    pub size: u32,
    /// Containers of a worker with their requests.
    pub worker_containers: Vec<ContainerSpec>,
    /// preStop sleep of a worker: it takes part for so long after its deletion.
    pub worker_pre_stop: SimDuration,
    /// What the loss of one pod means for the others.
    pub restart: GroupRestart,
    /// Workers are made only when the leader is ready (`startupPolicy: LeaderReady`): their cold starts come after its own.
    pub leader_ready_first: bool,
}

impl PodSpec {
    /// GPUs of a replica: of all pods of its group.
    pub fn replica_gpus(&self) -> u32 {
        self.gpus.saturating_mul(self.group.as_ref().map_or(1, |group| group.size))
    }

    /// A pod that asks for as much of everything as the one of the group that asks for most: each gets room for it.
    pub fn largest_of_group(&self) -> Self {
        let Some(group) = &self.group else { return self.clone() };
        let mut pod = Self { containers: group.worker_containers.clone(), ..self.clone() };
        let overhead = self.scheduling.overhead;
        let cpu = self.millicores().max(pod.millicores()) - overhead.millicores;
        let memory = self.bytes().max(pod.bytes()) - overhead.bytes;
        let name = self.containers.first().map_or_else(String::new, |container| container.name.clone());
        let (cpu, memory) = ((cpu > 0).then_some(Millicores(cpu)), (memory > 0).then_some(Bytes(memory)));
        pod.containers = vec![ContainerSpec { name, cpu, memory, is_sidecar: false }];
        pod
    }
}

/// `restartPolicy` of a LeaderWorkerSet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupRestart {
    /// The whole group is deleted and made again (`RecreateGroupOnPodRestart`).
    #[default]
    Group,
    /// The same, but not before all of the group have started once (`RecreateGroupAfterStart`).
    GroupAfterStart,
    /// That pod alone (`None`).
    Pod,
}

/// What `preferredDuringScheduling` anti-affinity and `ScheduleAnyway` spread constraints ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoftSpread {
    /// Over nodes.
    pub nodes: bool,
    /// Over zones.
    pub zones: bool,
}

/// One container.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerSpec {
    /// Name.
    pub name: String,
    /// CPU request; `None` if not set.
    pub cpu: Option<Millicores>,
    /// Memory request; `None` if not set.
    pub memory: Option<Bytes>,
    /// An init container that stays (`restartPolicy: Always`): its requests count as any other's, but not everybody looks at it.
    pub is_sidecar: bool,
}

/// What latency is judged by: an answer meets the SLO if it is within every threshold given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SloSpec {
    /// Arrival to answer.
    pub latency: Option<SimDuration>,
    /// Arrival to first token.
    pub ttft: Option<SimDuration>,
    /// Mean time per output token after the first.
    pub tpot: Option<SimDuration>,
    /// Arrival at the first service of a chain of calls to answer.
    pub end_to_end: Option<SimDuration>,
    /// Share of requests that shall meet it, 0..1.
    pub objective: f64,
}
