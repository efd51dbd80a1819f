//! Signals: the figures of the model that metrics are made of.

/// Of what there is one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// A replica's serving process: from *listening* to gone.
    Pod,
    /// The gateway in front of the service.
    Gateway,
    /// The cluster as a whole: controllers, the workload object, the clock.
    Cluster,
    /// A pod object, scheduled or not.
    PodObject,
    /// A node object.
    Node,
    /// One GPU of a node, held by a pod or free.
    Gpu,
    /// A HorizontalPodAutoscaler.
    Autoscaler,
}

/// A distribution that some exporter shows as a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HistogramSignal {
    /// Arrival to first token, seconds.
    FirstToken,
    /// One per token after the first, seconds.
    InterToken,
    /// Decode time over tokens after the first, one per request, seconds; 0 for a single token.
    TimePerOutputToken,
    /// Arrival at the replica to last token, seconds.
    EndToEnd,
    /// Arrival at the replica to admission, observed at the finish, seconds.
    Queue,
    /// Admission to first token, seconds.
    Prefill,
    /// First to last token, seconds.
    Decode,
    /// Admission to last token, seconds.
    Inference,
    /// Prompt tokens.
    PromptSize,
    /// Output tokens.
    OutputSize,
    /// Arrival at the gateway to answer, seconds.
    GatewayLatency,
    /// Arrival at the gateway to first token, seconds.
    GatewayFirstToken,
}

/// Which series of a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HistogramPart {
    /// Observations at or below this bound (`f64::INFINITY`: all).
    Bucket(f64),
    /// Sum of the observations.
    Sum,
    /// How many.
    Count,
}

/// A figure the model knows at every instant. Counters start at 0 with the process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Signal {
    // Of a replica.
    /// Requests waiting at the replica, not in its batch.
    Waiting,
    /// Those and its share of the gateway's queue: what a server shows whose scheduler is that queue.
    WaitingShared,
    /// Requests in service.
    Running,
    /// Requests in service whose first token is not out.
    Prefilling,
    /// Waiting and in service.
    Requests,
    /// Share of KV blocks held by requests in the batch, 0..1.
    KvUsage,
    /// Tokens of KV cache held.
    KvTokensUsed,
    /// Tokens of KV cache there are.
    KvTokensMax,
    /// Tokens of KV cache that are free.
    KvTokensFree,
    /// Most requests that can be in service at once.
    BatchLimit,
    /// Busy share of the last second, 0..1.
    GpuUtilization,
    /// Prompt tokens of waiting requests.
    WaitingTokens,
    /// Prompt tokens not found in a cache, of requests whose first token is not out.
    BacklogTokens,
    /// Prompt tokens of waiting and served requests.
    InflightTokens,
    /// Output tokens per second of the last ten seconds.
    TokenRate,
    /// Requests received by the replica.
    Received,
    /// Requests finished well.
    Completed,
    /// Requests given up by their client.
    Failed,
    /// Requests turned away by the replica's own queue limit.
    RejectedAtReplica,
    /// Preemptions.
    Preemptions,
    /// Batches or iterations executed.
    Executions,
    /// Prompt tokens processed.
    PromptTokens,
    /// Prompt tokens looked for in the prefix cache.
    PrefixQueries,
    /// Of these, found.
    PrefixHits,
    /// `PrefixHits` over `PrefixQueries`, 0..1.
    PrefixHitRate,
    /// Prompt tokens processed that were found in the prefix cache.
    PromptTokensCached,
    /// Prompt tokens processed that were looked for at replicas of another service, which compute them.
    TransferQueries,
    /// Prompt tokens processed that were fetched from another service's replicas, which had computed them.
    PromptTokensFetched,
    /// Prompt tokens processed that were neither.
    PromptTokensComputed,
    /// Output tokens made.
    OutputTokens,
    /// Seconds with at least one request in service.
    BusySeconds,
    /// Summed waiting time of finished requests, seconds.
    QueueSeconds,
    /// Summed service time of finished requests, seconds.
    ServiceSeconds,
    /// Summed time from arrival at the replica to answer of finished requests, seconds.
    RequestSeconds,
    /// Length of the load phase of its cold start, seconds.
    LoadSeconds,
    /// CPU used since its start, seconds (`service.usage`).
    CpuSeconds,
    /// Memory in use, bytes (`service.usage`).
    MemoryBytes,
    /// A histogram of a replica or of the gateway.
    Histogram(HistogramSignal, HistogramPart),
    // Of the gateway.
    /// Requests received; retries of clients count anew.
    Arrivals,
    /// Requests given to a replica so far.
    Scheduled,
    /// Answers with code 200.
    Answered,
    /// Requests that ended with 503: rejected, or no replica.
    Rejected,
    /// Of these, held by the router's flow control for too long.
    Evicted,
    /// The others.
    RejectedAtOnce,
    /// Requests given up by the client (504; 499 at nginx).
    TimedOut,
    /// Requests lost with a replica (502).
    Lost,
    /// Requests that ended, whatever their code.
    Ended,
    /// Requests that ended without an answer: rejected, given up or lost.
    Unanswered,
    /// Requests held by the gateway, given to no replica.
    GatewayQueue,
    /// Everything that waits: the gateway's and the replicas' queues.
    QueueLength,
    /// Requests in service, over all replicas.
    InFlight,
    /// Given to a replica and unfinished.
    Dispatched,
    /// All unfinished requests.
    Unfinished,
    /// Unfinished requests whose first token is not out.
    BeforeFirstToken,
    /// Mean over ready replicas of waiting requests, two decimals, sampled every 5 s, kept when there is none.
    PoolQueueMean,
    /// The same of KV usage.
    PoolKvMean,
    /// The same of requests in service.
    PoolRunningMean,
    /// Mean over ready replicas of max(waiting / 5, KV usage / 0.8); 1 where there is none.
    PoolSaturation,
    /// Arrivals per second over the last so many seconds.
    ArrivalRate {
        /// Length of the window in seconds.
        window_s: f64,
    },
    /// Quantile of the latency of answers in the last so many seconds.
    LatencyQuantile {
        /// Which, 0..1.
        quantile: f64,
        /// Length of the window in seconds.
        window_s: f64,
    },
    // Of the cluster.
    /// `spec.replicas`.
    ReplicasDesired,
    /// Pods not being deleted.
    ReplicasCurrent,
    /// Ready ones.
    ReplicasReady,
    /// Not ready yet.
    ReplicasStarting,
    /// Being deleted.
    ReplicasTerminating,
    /// Current less ready.
    ReplicasUnavailable,
    /// Pods without a node.
    PodsPending,
    /// Nodes that are ready.
    NodesReady,
    /// Nodes on their way.
    NodesStarting,
    /// GPUs of ready nodes.
    GpusAllocatable,
    /// Those that no pod holds.
    GpusFree,
    /// Seconds since local midnight.
    TimeOfDay,
    /// 0 = Sunday.
    DayOfWeek,
    // Of a pod object: 1 while it holds, else 0.
    /// Phase Pending.
    PodIsPending,
    /// Phase Running.
    PodIsRunning,
    /// Condition Ready is true.
    PodIsReady,
    /// Condition Ready is false.
    PodIsUnready,
    /// Condition PodScheduled is true.
    PodIsScheduled,
    /// Condition PodScheduled is false.
    PodIsUnscheduled,
    /// Unix time of its creation.
    PodCreated,
    /// Unix time of its scheduling.
    PodStarted,
    /// Unix time of its readiness.
    PodReadyTime,
    // Of a node object.
    /// Condition Ready is true.
    NodeIsReady,
    /// Unix time of its creation.
    NodeCreated,
    /// GPUs it has.
    NodeGpus,
    // Of a GPU.
    /// Busy share of the second before dcgm-exporter's refresh, whole percent.
    DcgmUtilization,
    /// Busy share since the refresh before, 0..1.
    DcgmEngineActive,
    /// Memory in use, MiB.
    DcgmMemoryUsed,
    /// Memory free, MiB.
    DcgmMemoryFree,
    /// Power draw, W (`service.usage.gpuPower`).
    DcgmPower,
    /// Energy since the exporter started, mJ.
    DcgmEnergy,
    // Of an autoscaler's last pass.
    /// `spec.minReplicas`.
    AutoscalerMin,
    /// `spec.maxReplicas`.
    AutoscalerMax,
    /// `status.currentReplicas`.
    AutoscalerCurrent,
    /// `status.desiredReplicas`.
    AutoscalerDesired,
}

impl Signal {
    /// Of what there is one value.
    pub fn scope(self) -> Scope {
        use Signal as S;
        match self {
            S::Histogram(HistogramSignal::GatewayLatency | HistogramSignal::GatewayFirstToken, _)
            | S::Arrivals
            | S::Scheduled
            | S::Answered
            | S::Rejected
            | S::Evicted
            | S::RejectedAtOnce
            | S::TimedOut
            | S::Lost
            | S::Ended
            | S::Unanswered
            | S::BeforeFirstToken
            | S::GatewayQueue
            | S::QueueLength
            | S::InFlight
            | S::Dispatched
            | S::Unfinished
            | S::PoolQueueMean
            | S::PoolKvMean
            | S::PoolRunningMean
            | S::PoolSaturation
            | S::ArrivalRate { .. }
            | S::LatencyQuantile { .. } => Scope::Gateway,
            S::ReplicasDesired
            | S::ReplicasCurrent
            | S::ReplicasReady
            | S::ReplicasStarting
            | S::ReplicasTerminating
            | S::ReplicasUnavailable
            | S::PodsPending
            | S::NodesReady
            | S::NodesStarting
            | S::GpusAllocatable
            | S::GpusFree
            | S::TimeOfDay
            | S::DayOfWeek => Scope::Cluster,
            S::PodIsPending
            | S::PodIsRunning
            | S::PodIsReady
            | S::PodIsUnready
            | S::PodIsScheduled
            | S::PodIsUnscheduled
            | S::PodCreated
            | S::PodStarted
            | S::PodReadyTime => Scope::PodObject,
            S::NodeIsReady | S::NodeCreated | S::NodeGpus => Scope::Node,
            S::DcgmUtilization
            | S::DcgmEngineActive
            | S::DcgmMemoryUsed
            | S::DcgmMemoryFree
            | S::DcgmPower
            | S::DcgmEnergy => Scope::Gpu,
            S::AutoscalerMin | S::AutoscalerMax | S::AutoscalerCurrent | S::AutoscalerDesired => Scope::Autoscaler,
            _ => Scope::Pod,
        }
    }
}
