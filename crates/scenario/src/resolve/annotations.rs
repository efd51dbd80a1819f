//! Annotations that look like ones which act and are not: Kubernetes takes any, and whoever should read them does not find them.

use names::{distance, nearest};

use crate::manifest::Document;
use crate::tree::Node;

use super::Context;
use super::annotation_places::{Stand, belongs};

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

/// Keys that are labels too, of objects that their controllers write.
const LABELS_TOO: [&str; 3] = ["scaledobject.keda.sh/name", "karpenter.sh/registered", "karpenter.sh/initialized"];

/// Labels by right that people write as annotations: nobody reads them there, and they are no slips of an annotation.
const LABELS: [&str; 3] = ["karpenter.sh/nodepool", "karpenter.sh/capacity-type", "karpenter.sh/provisioner-name"];

impl Context<'_> {
    /// Names the annotation that was meant beside each that nobody reads, and the place beside each that stands where nobody looks.
    pub(super) fn note_annotations(&mut self) {
        let mut slips = Vec::new();
        for document in self.documents {
            let mut found = Vec::new();
            gather(&document.node, Stand::OWN, &mut found);
            let title = document.title();
            slips.extend(found.into_iter().filter_map(|Found { key, node, stand }| {
                Some(format!("{}: {title}: {}", node.place, fault(document, key, stand)?))
            }));
        }
        slips.into_iter().for_each(|slip| self.note(slip));
    }
}

/// What is wrong with a key where it stands; `None` if it is read there, or is none of ours.
fn fault(document: &Document, key: &str, stand: Stand) -> Option<String> {
    let (domain, name) = key.split_once('/')?;
    let is_read = READ.iter().any(|(read, known)| *read == domain && known.contains(&name));
    if stand.is_label {
        let is_told = is_read && !LABELS_TOO.contains(&key);
        return is_told.then(|| format!("nothing reads `{key}` among labels: it is an annotation"));
    }
    if LABELS.contains(&key) {
        return Some(format!(
            "nothing reads `{key}` among annotations: it is a label of nodes, which `nodeSelector` asks for"
        ));
    }
    if let Some(meant) = meant(key) {
        return Some(format!("nothing reads the annotation `{key}`; did you mean `{meant}`?"));
    }
    let place = if is_read { belongs(document, key, stand) } else { None };
    place.map(|place| format!("nothing reads the annotation `{key}` here: {place}"))
}

/// A key of an annotation or label and where it stands.
struct Found<'n> {
    key: &'n str,
    node: &'n Node,
    stand: Stand,
}

/// Keys of all annotations and labels in a document, those of pod templates too, with their values.
fn gather<'n>(node: &'n Node, stand: Stand, found: &mut Vec<Found<'n>>) {
    for (list, is_label) in [("annotations", false), ("labels", true)] {
        let entries = node.at(&["metadata", list]).map_or(&[][..], Node::entries);
        found.extend(entries.iter().map(|entry| {
            let stand = Stand { is_label, is_own: stand.is_own };
            Found { key: entry.key.as_str(), node: &entry.value, stand }
        }));
    }
    let inside = Stand { is_own: false, ..stand };
    let below = node.entries().iter().filter(|entry| entry.key != "metadata");
    below.for_each(|entry| gather(&entry.value, inside, found));
    node.items().iter().for_each(|item| gather(item, inside, found));
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
