//! The kinds of objects that labels may name, as the adapter learns them from the API server.

/// Singular, plural and group of the resources that every cluster serves. Custom resources are known only where a rule names them.
const RESOURCES: &[(&str, &str, &str)] = &[
    ("pod", "pods", ""),
    ("namespace", "namespaces", ""),
    ("node", "nodes", ""),
    ("service", "services", ""),
    ("persistentvolume", "persistentvolumes", ""),
    ("persistentvolumeclaim", "persistentvolumeclaims", ""),
    ("replicationcontroller", "replicationcontrollers", ""),
    ("configmap", "configmaps", ""),
    ("secret", "secrets", ""),
    ("serviceaccount", "serviceaccounts", ""),
    ("endpoints", "endpoints", ""),
    ("event", "events", ""),
    ("limitrange", "limitranges", ""),
    ("resourcequota", "resourcequotas", ""),
    ("podtemplate", "podtemplates", ""),
    ("deployment", "deployments", "apps"),
    ("statefulset", "statefulsets", "apps"),
    ("daemonset", "daemonsets", "apps"),
    ("replicaset", "replicasets", "apps"),
    ("controllerrevision", "controllerrevisions", "apps"),
    ("job", "jobs", "batch"),
    ("cronjob", "cronjobs", "batch"),
    ("horizontalpodautoscaler", "horizontalpodautoscalers", "autoscaling"),
    ("poddisruptionbudget", "poddisruptionbudgets", "policy"),
    ("ingress", "ingresses", "networking.k8s.io"),
    ("ingressclass", "ingressclasses", "networking.k8s.io"),
    ("networkpolicy", "networkpolicies", "networking.k8s.io"),
    ("endpointslice", "endpointslices", "discovery.k8s.io"),
    ("lease", "leases", "coordination.k8s.io"),
    ("priorityclass", "priorityclasses", "scheduling.k8s.io"),
    ("runtimeclass", "runtimeclasses", "node.k8s.io"),
    ("storageclass", "storageclasses", "storage.k8s.io"),
    ("volumeattachment", "volumeattachments", "storage.k8s.io"),
    ("role", "roles", "rbac.authorization.k8s.io"),
    ("rolebinding", "rolebindings", "rbac.authorization.k8s.io"),
    ("clusterrole", "clusterroles", "rbac.authorization.k8s.io"),
    ("clusterrolebinding", "clusterrolebindings", "rbac.authorization.k8s.io"),
    ("certificatesigningrequest", "certificatesigningrequests", "certificates.k8s.io"),
    ("customresourcedefinition", "customresourcedefinitions", "apiextensions.k8s.io"),
    ("apiservice", "apiservices", "apiregistration.k8s.io"),
];

/// Singular and plural name and group of each known resource.
pub(super) fn known() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    RESOURCES.iter().copied()
}

/// The group of a resource (singular); empty for the core group and for what is not known.
pub(super) fn group_of(resource: &str) -> &'static str {
    RESOURCES.iter().find(|known| known.0 == resource).map_or("", |known| known.2)
}

/// The singular name by which this module knows a resource; capitals do not matter, as for `kubectl`.
pub(super) fn singular(resource: &str) -> String {
    let lower = resource.to_ascii_lowercase();
    let found = RESOURCES.iter().find(|(one, many, _)| *one == lower || *many == lower);
    found.map_or_else(|| lower.strip_suffix('s').unwrap_or(&lower).to_owned(), |(one, _, _)| (*one).to_owned())
}

/// Cluster-wide things stay cluster-wide even if their series have a namespace label.
pub(super) fn is_cluster_wide(resource: &str) -> bool {
    matches!(resource, "namespace" | "node" | "persistentvolume")
}
