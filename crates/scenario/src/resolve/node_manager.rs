//! Who adds nodes, where the scenario does not say and the folder does.

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
const NOT_MODELLED: [(&str, &str); 6] = [
    ("expander", "among node groups of the same `weight` the least waste wins, as with `least-waste`"),
    ("salvo-scale-up", "one group grows in a scan"),
    ("parallel-scale-up", "one group grows in a scan"),
    ("scale-down-enabled", "nodes are removed"),
    ("scale-down-delay-after-delete", "nothing is waited for after a removal"),
    ("new-pod-scale-up-delay", "GPU pods wait 30 s, others 2 s"),
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
                if (name, value) != ("expander", "least-waste") && (name, value) != ("scale-down-enabled", "true") {
                    self.note(format!("{}: `--{flag}` is not modelled: {done}", document.label()));
                }
                continue;
            }
            if !FLAGS.contains(&name) {
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
