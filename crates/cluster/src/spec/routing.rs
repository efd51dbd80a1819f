//! How requests find a replica, and how many are kept from doing so.

use units::SimDuration;

/// How requests find a replica.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Routing {
    /// One queue for all; a free replica takes the oldest. The replica that has been free longest goes first.
    CentralQueue,
    /// Replicas in turn, each with its own queue.
    RoundRobin,
    /// A replica at random.
    Random,
    /// The replica with the fewest requests waiting and in service; ties: lowest id.
    LeastRequests,
    /// The less loaded of two replicas drawn at random.
    PowerOfTwo,
    /// The replica with the highest sum of weighted scores; ties: at random. Language models only.
    Scored(Scorers),
    /// A conversation goes to the replica of its last turn while that serves, everything else to the one with the fewest requests. Language
    /// models only.
    SessionAffinity,
}

/// Weights of the scorers of llm-d's endpoint picker; 0: not used. Each gives a replica 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scorers {
    /// `(max - x) / (max - min)` of requests waiting at a replica, 1 where all are equal.
    pub queue: f64,
    /// What of its KV cache is not in use.
    pub kv_cache_utilization: f64,
    /// Share of the prompt's blocks that the router has sent there before.
    pub prefix_cache: f64,
    /// As `queue`, of requests in its batch.
    pub running_requests: f64,
    /// Half of what is left of 128 places in its queue.
    pub load_aware: f64,
    /// As `queue`, of requests the router has sent there and that are not answered.
    pub active_request: f64,
    /// What is left of 4,194,304 prompt tokens of such requests.
    pub token_load: f64,
    /// 1 for the replica that had the last turn of the conversation.
    pub session_affinity: f64,
    /// 1 for a replica that has requests for the adapter, 0.8 for one that has room for one more; of language models with adapters only.
    pub lora_affinity: f64,
}

/// What the router knows of replicas, and its hold queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RouterSpec {
    /// Queues, batches and KV caches are as of the last multiple of this.
    pub refresh: SimDuration,
    /// Holds requests while the replicas are saturated.
    pub flow_control: Option<FlowControl>,
}

impl Default for RouterSpec {
    fn default() -> Self {
        Self { refresh: SimDuration::from_millis(50), flow_control: None }
    }
}

/// Flow control of llm-d's endpoint picker: requests are held while the mean over replicas of max(waiting / `queue_depth`, KV usage /
/// `kv_usage`) is `ceiling` or more. One that has not been looked at yet counts 1, and so does a service without any.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlowControl {
    /// Waiting requests of a saturated replica.
    pub queue_depth: f64,
    /// KV usage of a saturated replica.
    pub kv_usage: f64,
    /// Saturation from which on requests are held.
    pub ceiling: f64,
    /// Requests of one priority that may be held; more are rejected.
    pub per_band_requests: u64,
    /// Bytes of their prompts, at 4 a token.
    pub per_band_bytes: u64,
    /// Requests held so long fail.
    pub ttl: Option<SimDuration>,
    /// While requests are held one is let through at each multiple of this, and one at each arrival.
    pub tick: SimDuration,
}

impl Default for FlowControl {
    fn default() -> Self {
        Self {
            queue_depth: 5.0,
            kv_usage: 0.8,
            ceiling: 1.0,
            per_band_requests: 5_000,
            per_band_bytes: 1_000_000_000,
            ttl: None,
            tick: SimDuration::from_millis(1),
        }
    }
}

/// What requests find in the KV cache of their engine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum PrefixSpec {
    /// Nothing: every prompt is computed.
    #[default]
    Off,
    /// What others with the same beginning have computed and nothing has displaced since, in blocks of 16 tokens.
    Cache {
        /// Such blocks in one of the numbered blocks of a recorded prompt.
        blocks_per_entry: u32,
    },
    /// This share of every prompt, whatever the cache holds.
    HitRatio(f64),
}

/// What requests are besides their times and tokens, drawn for each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TagSpec {
    /// System prompts their prompts begin with.
    pub groups: Option<GroupSpec>,
    /// Classes of urgency; who is in none has priority 0.
    pub classes: Vec<ClassSpec>,
    /// Share of the requests that are for the first adapter, the second and so on; the rest is for the base model.
    pub adapters: Vec<f64>,
}

/// System prompts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupSpec {
    /// How many there are.
    pub count: u32,
    /// Tokens of each.
    pub tokens: u32,
    /// The n-th is used in proportion to n to the power of minus this.
    pub zipf: f64,
}

/// Requests of one urgency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassSpec {
    /// Share of the requests.
    pub share: f64,
    /// For the router: larger is sooner.
    pub priority: i32,
    /// For the engine: smaller is sooner.
    pub engine_priority: i32,
}
