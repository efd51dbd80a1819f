//! Who adds nodes, where the scenario does not say and the folder does.

use names::nearest;

use crate::error::ScenarioError;
use crate::file::{ClusterAutoscalerFile, ManagerFile, ServiceView};
use crate::manifest::{Document, Kind};
use crate::quantity::{Amount, Share, Time};
use crate::tree::Node;

use super::Context;

/// Flags of the Cluster Autoscaler that are modelled.
const FLAGS: [&str; 5] = [
    "scan-interval",
    "scale-down-unneeded-time",
    "scale-down-delay-after-add",
    "max-node-provision-time",
    "scale-down-gpu-utilization-threshold",
];

/// Others that change what it does, with what is done here.
const NOT_MODELLED: [(&str, &str); 17] = [
    ("expander", "among node groups of the same `weight` the least waste wins, as with `least-waste`"),
    ("salvo-scale-up", "one group grows in a scan"),
    ("parallel-scale-up", "one group grows in a scan"),
    ("scale-down-enabled", "nodes are removed"),
    ("scale-down-delay-after-delete", "nothing is waited for after a removal"),
    ("new-pod-scale-up-delay", "GPU pods wait 30 s, others 2 s"),
    ("scale-down-delay-after-failure", "nothing is waited for after a removal that failed"),
    ("scale-down-unready-time", "nodes that are not ready are not removed for it"),
    ("max-scale-down-parallelism", "all that may go in a scan go"),
    ("max-empty-bulk-delete", "all that may go in a scan go"),
    ("skip-nodes-with-local-storage", "local storage of pods is not known"),
    ("nodes", "groups and their sizes are `nodes.pools`"),
    ("node-group-auto-discovery", "groups and their sizes are `nodes.pools`"),
    ("max-nodes-total", "the limit is `nodesMax` of each pool"),
    ("gpu-total", "the limit is `gpusMax` of each pool"),
    ("balance-similar-node-groups", "groups are not balanced"),
    ("expendable-pods-priority-cutoff", "pods of any priority count"),
];

/// Those that change nothing which is simulated: of logs, of the cloud's interface, of other programs than the service.
const HARMLESS: [&str; 34] = [
    "v",
    "vmodule",
    "logtostderr",
    "alsologtostderr",
    "stderrthreshold",
    "log-file",
    "logging-format",
    "skip-headers",
    "cloud-provider",
    "cloud-config",
    "cluster-name",
    "namespace",
    "kubeconfig",
    "kubernetes",
    "address",
    "profiling",
    "user-agent",
    "leader-elect",
    "leader-elect-lease-duration",
    "leader-elect-renew-deadline",
    "leader-elect-retry-period",
    "leader-elect-resource-name",
    "write-status-configmap",
    "status-config-map-name",
    "record-duplicated-events",
    "emit-per-nodegroup-metrics",
    "debugging-snapshot-enabled",
    "max-inactivity",
    "max-failing-time",
    "kube-client-qps",
    "kube-client-burst",
    "aws-use-static-instance-list",
    // Pods of the system are no part of the model, and nodes with GPUs go by the use of their GPUs.
    "skip-nodes-with-system-pods",
    "scale-down-utilization-threshold",
];

impl Context<'_> {
    /// The Cluster Autoscaler of the folder, or GKE's, where nobody says who adds nodes and no pool is Karpenter's; what the scenario says,
    /// with the settings of a class. `None` where the scenario's word stands as it is.
    pub(super) fn settled_manager(&mut self, spec: &ServiceView) -> Result<Option<ManagerFile>, ScenarioError> {
        let pools = [Kind::NodePool, Kind::NodePoolBeta, Kind::Provisioner];
        let has_karpenter = pools.iter().any(|kind| self.of_kind(*kind).next().is_some());
        let is_written = self.scenario.at(&["spec", "nodes", "manager"]).is_some();
        let (class, autoscaler) = (self.of_kind(Kind::ComputeClass).next(), autoscaler(self.documents));
        if class.is_none() && (autoscaler.is_none() || is_written) {
            return Ok(None);
        }
        let mut manager = spec.nodes.manager.clone();
        if !is_written && !has_karpenter {
            let mut settings = ClusterAutoscalerFile::default();
            match (class, autoscaler) {
                (Some(class), _) => self.note(format!(
                    "nodes.manager: the Cluster Autoscaler, which is GKE's, since there is {}",
                    class.title()
                )),
                (None, Some((document, container))) => {
                    self.note(format!("nodes.manager: the Cluster Autoscaler, with the flags of {}", document.title()));
                    self.read_flags(document, container, &mut settings)?;
                }
                (None, None) => {}
            }
            manager = ManagerFile::ClusterAutoscaler(settings);
        }
        if let (ManagerFile::ClusterAutoscaler(settings), Some(class)) = (&mut manager, class) {
            self.settle_class(class, settings)?;
        }
        Ok(Some(manager))
    }

    fn read_flags(
        &mut self,
        document: &Document,
        container: &Node,
        settings: &mut ClusterAutoscalerFile,
    ) -> Result<(), ScenarioError> {
        let parts = ["command", "args"].iter().flat_map(|part| container.get(part).map_or(&[][..], Node::items));
        for item in parts {
            let Some(flag) = item.text().and_then(|text| text.strip_prefix("--")) else { continue };
            let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
            if let Some((_, done)) = NOT_MODELLED.iter().find(|(known, _)| *known == name) {
                if (name, value) != ("expander", "least-waste")
                    && (name, value) != ("scale-down-enabled", "true")
                    && (name, value) != ("balance-similar-node-groups", "false")
                {
                    self.note(format!("{}: `--{flag}` is not modelled: {done}", document.label()));
                }
                continue;
            }
            if !FLAGS.contains(&name) {
                if !HARMLESS.contains(&name) {
                    let known = FLAGS.into_iter().chain(NOT_MODELLED.map(|(known, _)| known)).chain(HARMLESS);
                    let meant = nearest(name, known).map(|known| format!("; did you mean `--{known}`?"));
                    let meant = meant.unwrap_or_default();
                    self.note(format!("{}: {}: `--{name}` is not read{meant}", item.place, document.label()));
                }
                continue;
            }
            let wrong = || ScenarioError::Inconsistent {
                at: item.locate("spec.template.spec.containers[].args"),
                reason: format!("`--{flag}`: `{value}` is no value of this flag"),
            };
            if name == "scale-down-gpu-utilization-threshold" {
                settings.gpu_utilization_threshold = Share(value.parse().map_err(|_| wrong())?);
                continue;
            }
            let time = Time::parse(value).ok_or_else(wrong)?;
            match name {
                "scan-interval" => settings.scan_interval = time,
                "scale-down-unneeded-time" => settings.unneeded_time = time,
                "scale-down-delay-after-add" => settings.delay_after_add = time,
                _ => settings.provision_time_max = time,
            }
        }
        Ok(())
    }
}

/// The Deployment that runs the Cluster Autoscaler, and its container.
fn autoscaler(documents: &[Document]) -> Option<(&Document, &Node)> {
    documents.iter().filter(|document| document.kind == Kind::Deployment).find_map(|document| {
        let containers = document.node.at(&["spec", "template", "spec", "containers"])?.items();
        let is_it = |container: &&Node| {
            let image = container.text_at(&["image"]).unwrap_or_default();
            let name = image.rsplit('/').next().unwrap_or_default();
            name.split([':', '@']).next() == Some("cluster-autoscaler")
        };
        Some((document, containers.iter().find(is_it)?))
    })
}
