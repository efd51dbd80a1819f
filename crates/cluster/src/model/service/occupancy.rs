//! A look at what replicas and queues hold.

use record::{KvUse, Occupancy};
use units::SimTime;

use super::Service;
use crate::pods::PodState;
use crate::spec::ServiceModel;

/// What they hold at one instant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    /// Requests that wait at no replica.
    pub gateway: u64,
    /// Requests that wait at replicas.
    pub replicas: u64,
    /// Ready replicas.
    ready: u64,
    /// Requests being served by those, and the most of one.
    served: (u64, u64),
    /// Their KV caches, of a language model.
    kv: Option<KvUse>,
    /// Adapters that the replicas there are have brought into slots so far, of a language model with adapters.
    pub adapter_loads: Option<u64>,
}

impl Look {
    /// The mean share of KV caches in use.
    pub(super) fn kv_mean(&self) -> Option<f64> {
        self.kv.filter(|kv| kv.looks > 0).map(|kv| kv.sum / kv.looks as f64)
    }

    /// Adds this look to those before.
    pub(super) fn add_to(&self, occupancy: &mut Occupancy) {
        occupancy.looks += 1;
        occupancy.replica_looks += self.ready;
        occupancy.served_sum += self.served.0;
        occupancy.served_max = occupancy.served_max.max(self.served.1);
        occupancy.gateway.see(self.gateway);
        occupancy.replicas.see(self.replicas);
        if let Some(seen) = self.kv {
            let all = occupancy.kv.get_or_insert_default();
            all.looks += seen.looks;
            all.sum += seen.sum;
            all.max = all.max.max(seen.max);
        }
    }
}

impl Service<'_> {
    /// What its replicas and queues hold at `now`.
    pub(super) fn look(&mut self, now: SimTime) -> Look {
        let is_language_model = matches!(self.spec.model, ServiceModel::ContinuousBatching { .. });
        let mut look = Look { gateway: self.flow.central_queue(now), ..Look::default() };
        look.adapter_loads = self.spec.engine.adapters.map(|_| 0);
        let mut kv = KvUse::default();
        for (pod, slot) in self.pods.in_flow() {
            let (waiting, served) = self.flow.replica_load(slot, now);
            look.replicas += waiting;
            if let Some(loads) = &mut look.adapter_loads {
                *loads += self.flow.stats(slot, now).adapter_loads;
            }
            if self.pods.state(pod) != PodState::Ready {
                continue;
            }
            look.ready += 1;
            look.served = (look.served.0 + served, look.served.1.max(served));
            if is_language_model {
                kv.see(self.flow.kv_usage(slot, now));
            }
        }
        look.kv = is_language_model.then_some(kv);
        look
    }
}
