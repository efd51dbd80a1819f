//! What the platform adds that nobody writes: taints of GKE and AKS, and the label by which the Cluster Autoscaler knows GPU nodes.

use cluster::spec::{NodePoolSpec, Taint, TaintEffect};
use prices::implied_taints;
use record::Purchase;

use crate::error::ScenarioError;
use crate::file::{ManagerFile, PoolFile};

use super::Context;
use super::offerings::Market;

/// The label that node groups on AWS tell the Cluster Autoscaler of their GPUs by; GKE and AKS set theirs themselves.
const AWS_GPU_LABEL: &str = "k8s.amazonaws.com/accelerator";

impl Context<'_> {
    /// Gives node groups of GKE and AKS the taints their platform puts on them, as far as they keep the service's pods away.
    pub(super) fn imply_taints(&mut self, market: &Market<'_>, pools: &mut [NodePoolSpec]) {
        for pool in pools.iter_mut() {
            let taints = self.platform_taints(market, pool);
            for (taint, is_admitted) in taints {
                let is_written = pool.rules.taints.iter().any(|own| own.key == taint.key && own.effect == taint.effect);
                if is_written {
                    continue;
                }
                if is_admitted && market.wants_gpus() {
                    self.note_unkept(market, pool, &taint);
                    continue;
                }
                self.note(format!(
                    "pool `{}`: its nodes carry the taint `{taint}`, as the platform does it",
                    pool.name
                ));
                pool.rules.taints.push(taint);
            }
        }
    }

    /// Of services with and without GPUs a taint that only the latter would meet is left out: says so.
    fn note_unkept(&mut self, market: &Market<'_>, pool: &NodePoolSpec, taint: &Taint) {
        let without: Vec<&str> =
            market.askers.iter().filter(|asker| asker.pod.gpus == 0).map(|asker| asker.name).collect();
        if !without.is_empty() {
            self.note(format!(
                "pool `{}`: in a cluster the taint `{taint}` keeps pods without GPUs away; here {} may use its nodes",
                pool.name,
                without.join(", ")
            ));
        }
    }

    /// Taints that admission adds the toleration of to pods with GPUs: other pods, such as those of DaemonSets, must write it.
    pub(super) fn admission_taints(&self, market: &Market<'_>, pool: &NodePoolSpec) -> Vec<Taint> {
        let taints = self.platform_taints(market, pool).into_iter();
        taints.filter(|(_, is_admitted)| *is_admitted).map(|(taint, _)| taint).collect()
    }

    fn platform_taints(&self, market: &Market<'_>, pool: &NodePoolSpec) -> Vec<(Taint, bool)> {
        if !matches!(market.spec.nodes.manager, ManagerFile::ClusterAutoscaler(_)) || pool.offerings.is_empty() {
            return Vec::new();
        }
        let machine = self.machine(market, &pool.offerings[0].instance_type);
        let provider = machine.map_or_else(String::new, |machine| machine.provider.clone());
        let has_gpus = pool.offerings.iter().all(|offering| offering.gpus > 0);
        // Of GKE's spot pools only those it makes itself are tainted, and their pods tolerate it by the class they ask for.
        let is_spot = provider == "azure" && pool.offerings.iter().all(|offering| offering.purchase == Purchase::Spot);
        let taints = implied_taints(&provider, has_gpus, is_spot).into_iter();
        let taint = |key: &str, value: &str| Taint {
            key: key.to_owned(),
            value: value.to_owned(),
            effect: TaintEffect::NoSchedule,
        };
        taints.map(|implied| (taint(implied.key, implied.value), implied.is_tolerated_by_admission)).collect()
    }

    /// Whether a node group does not tell the Cluster Autoscaler of its GPUs.
    pub(super) fn lacks_gpu_label(
        &mut self,
        market: &Market<'_>,
        pool: &PoolFile,
        path: &str,
    ) -> Result<bool, ScenarioError> {
        let is_autoscaled = matches!(market.spec.nodes.manager, ManagerFile::ClusterAutoscaler(_));
        if pool.gpu_label.is_some() && !is_autoscaled {
            let reason = "only the Cluster Autoscaler looks at it (`nodes.manager: {clusterAutoscaler: {}}`)";
            return Err(self.inconsistent(&format!("{path}.gpuLabel"), reason));
        }
        let is_labelled = pool.labels.contains_key(AWS_GPU_LABEL);
        if pool.gpu_label == Some(false) && is_labelled {
            let reason = format!("`labels` has `{AWS_GPU_LABEL}`");
            return Err(self.inconsistent(&format!("{path}.gpuLabel"), &reason));
        }
        let first = pool.instance_types.first().and_then(|name| self.machine(market, name));
        let is_aws = first.is_some_and(|machine| machine.provider == "aws");
        if is_autoscaled && is_aws && market.wants_gpus() && pool.gpu_label.is_none() && !is_labelled {
            self.note(format!(
                "pool `{}`: taken to have the label `{AWS_GPU_LABEL}`; without it the Cluster Autoscaler orders a second node for the same pods \
                 (`gpuLabel: false` shows what that costs)",
                pool.name
            ));
        }
        Ok(pool.gpu_label == Some(false))
    }
}
