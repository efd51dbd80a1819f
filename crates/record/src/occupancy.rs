//! What replicas and queues held, looked at now and then.

/// Sums and maxima over the ends of the timeline's steps in the measured part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Occupancy {
    /// Steps that ended.
    pub looks: u64,
    /// Ready replicas seen at their ends, over all of them.
    pub replica_looks: u64,
    /// Requests being served by those replicas.
    pub served_sum: u64,
    /// Most requests being served by one of them.
    pub served_max: u64,
    /// Their KV cache in use, of language models.
    pub kv: Option<KvUse>,
    /// Requests that waited at no replica: at the gateway.
    pub gateway: QueueUse,
    /// Requests that waited at replicas.
    pub replicas: QueueUse,
}

/// Shares of KV caches in use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KvUse {
    /// Ready replicas looked at.
    pub looks: u64,
    /// Σ of their shares, 0..=1 each.
    pub sum: f64,
    /// The largest.
    pub max: f64,
}

/// The length of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueUse {
    /// Σ of lengths.
    pub sum: u64,
    /// The longest; `None` where several queues were put together, of which nobody knows whether they were long at once.
    pub max: Option<u64>,
}

impl Default for QueueUse {
    fn default() -> Self {
        Self { sum: 0, max: Some(0) }
    }
}

impl QueueUse {
    /// The queue has this length at the end of a step.
    pub fn see(&mut self, length: u64) {
        self.sum += length;
        self.max = self.max.map(|max| max.max(length));
    }

    /// The mean length at the ends of `looks` steps; NaN of none.
    pub fn mean(&self, looks: u64) -> f64 {
        self.sum as f64 / looks as f64
    }
}

impl KvUse {
    /// A ready replica uses this share.
    pub fn see(&mut self, share: f64) {
        self.looks += 1;
        self.sum += share;
        self.max = self.max.max(share);
    }
}

impl Occupancy {
    /// Adds that of another service over the same steps.
    pub(crate) fn merge(&mut self, other: &Self) {
        let queues = |mine: QueueUse, theirs: QueueUse| QueueUse { sum: mine.sum + theirs.sum, max: None };
        let is_first = self.looks == 0;
        self.looks = self.looks.max(other.looks);
        self.replica_looks += other.replica_looks;
        self.served_sum += other.served_sum;
        self.served_max = self.served_max.max(other.served_max);
        self.gateway = if is_first { other.gateway } else { queues(self.gateway, other.gateway) };
        self.replicas = if is_first { other.replicas } else { queues(self.replicas, other.replicas) };
        if let Some(theirs) = other.kv {
            let mine = self.kv.get_or_insert_default();
            mine.looks += theirs.looks;
            mine.sum += theirs.sum;
            mine.max = mine.max.max(theirs.max);
        }
    }
}
