//! Annotations that look like ones which act and are not: Kubernetes takes any, and whoever should read them does not find them.

use names::{distance, nearest};

use crate::tree::Node;

use super::Context;

/// Domains of annotations that move replicas, pods or nodes, with the names under each that somebody reads.
/// Sources: KEDA 2.21 `scaledobject_types.go`, the HTTP add-on, Karpenter 1.14 `apis/v1/labels.go`, the Cluster Autoscaler's FAQ, Kubernetes'
/// list of well-known annotations, Knative Serving's `autoscaling/register.go`.
const READ: [(&str, &[&str]); 9] = [
    ("autoscaling.keda.sh", &["paused", "paused-replicas", "paused-scale-in", "paused-scale-out", "force-activation"]),
    ("scaledobject.keda.sh", &["transfer-hpa-ownership", "name"]),
    ("validations.keda.sh", &["hpa-ownership"]),
    ("httpscaledobject.keda.sh", &["skip-scaledobject-creation", "orphan-scaledobject"]),
    (
        "karpenter.sh",
        &[
            "do-not-disrupt",
            "do-not-evict",
            "do-not-consolidate",
            "nodepool-hash",
            "nodepool-hash-version",
            "nodeclaim-termination-timestamp",
            "nodeclaim-min-values-relaxed",
            "provisioner-hash",
            "stored-version-migrated",
            "registered",
            "initialized",
        ],
    ),
    (
        "cluster-autoscaler.kubernetes.io",
        &[
            "safe-to-evict",
            "safe-to-evict-local-volumes",
            "scale-down-disabled",
            "enable-ds-eviction",
            "pod-scale-up-delay",
            "consume-provisioning-request",
            "provisioning-class-name",
        ],
    ),
    ("controller.kubernetes.io", &["pod-deletion-cost"]),
    ("deployment.kubernetes.io", &["revision", "desired-replicas", "max-replicas"]),
    (
        "autoscaling.knative.dev",
        &[
            "class",
            "metric",
            "target",
            "window",
            "min-scale",
            "minScale",
            "max-scale",
            "maxScale",
            "initial-scale",
            "initialScale",
            "activation-scale",
            "activationScale",
            "scale-down-delay",
            "scaleDownDelay",
            "metric-aggregation-algorithm",
            "metricAggregationAlgorithm",
            "target-burst-capacity",
            "targetBurstCapacity",
            "target-utilization-percentage",
            "targetUtilizationPercentage",
            "panic-window-percentage",
            "panicWindowPercentage",
            "panic-threshold-percentage",
            "panicThresholdPercentage",
            "scale-to-zero-pod-retention-period",
            "scaleToZeroPodRetentionPeriod",
        ],
    ),
];

/// Letters by which a domain may differ from one that is read and still be a slip of it.
const SLIP_OF_A_DOMAIN: usize = 2;

impl Context<'_> {
    /// Names the annotation that was meant beside each that nobody reads.
    pub(super) fn note_annotations(&mut self) {
        let mut slips = Vec::new();
        for document in self.documents {
            let mut found = Vec::new();
            gather(&document.node, &mut found);
            slips.extend(found.into_iter().filter_map(|(key, node)| {
                let meant = meant(key)?;
                let title = document.title();
                Some(format!("{}: {title}: nothing reads the annotation `{key}`; did you mean `{meant}`?", node.place))
            }));
        }
        slips.into_iter().for_each(|slip| self.note(slip));
    }
}

/// Keys of all annotations in a document, those of pod templates too, with their values.
fn gather<'n>(node: &'n Node, found: &mut Vec<(&'n str, &'n Node)>) {
    if let Some(annotations) = node.at(&["metadata", "annotations"]) {
        found.extend(annotations.entries().iter().map(|entry| (entry.key.as_str(), &entry.value)));
    }
    let below = node.entries().iter().filter(|entry| entry.key != "metadata");
    below.for_each(|entry| gather(&entry.value, found));
    node.items().iter().for_each(|item| gather(item, found));
}

/// What a key is a slip of; `None` if it is read, or is like none that is.
fn meant(key: &str) -> Option<String> {
    let (domain, name) = key.split_once('/')?;
    if let Some((_, known)) = READ.iter().find(|(read, _)| *read == domain) {
        let is_read = known.contains(&name);
        return (!is_read).then(|| nearest(name, known.iter().copied()))?.map(|name| format!("{domain}/{name}"));
    }
    let (read, _) = READ
        .iter()
        .find(|(read, known)| known.contains(&name) && (1..=SLIP_OF_A_DOMAIN).contains(&distance(domain, read)))?;
    Some(format!("{read}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn slips_of_names_and_domains_are_told_and_what_is_read_is_not() {
        let told = |key: &str| meant(key).unwrap_or_default();
        assert_eq!(told("autoscaling.keda.sh/pausd"), "autoscaling.keda.sh/paused");
        assert_eq!(told("autoscaling.keda.sh/paused-replica"), "autoscaling.keda.sh/paused-replicas");
        assert_eq!(told("autoscaling.keda.io/paused"), "autoscaling.keda.sh/paused");
        assert_eq!(
            told("cluster-autoscaler.kubernetes.io/safe-to-evct"),
            "cluster-autoscaler.kubernetes.io/safe-to-evict"
        );
        assert_eq!(told("autoscaling.knative.dev/min-scales"), "autoscaling.knative.dev/min-scale");
        let read = ["autoscaling.keda.sh/paused", "autoscaling.knative.dev/minScale", "autoscaling.keda.sh/owner-team"];
        assert_eq!(read.map(told), ["", "", ""]);
        assert_eq!(["prometheus.io/scrape", "kubectl.kubernetes.io/last-applied-configuration"].map(told), ["", ""]);
    }
}
