//! Keys of workloads, autoscalers and monitors that Kubernetes has not: a slip there has no effect in a cluster either, or is refused.
//!
//! What is read of a manifest is checked where it is read. Here stand the mappings that are read by their paths, with all fields that the
//! API has, read or not.

use names::nearest;

use crate::manifest::{Document, Treatment};
use crate::tree::{Node, Segment, path_text};

use super::Context;

/// Mappings by the end of their path, with their fields. `*` is any key or item. Kubernetes 1.37, prometheus-operator 0.90.
const FIELDS: [(&[&str], &str); 14] = [
    (
        &["template", "spec"],
        "activeDeadlineSeconds affinity automountServiceAccountToken containers dnsConfig dnsPolicy enableServiceLinks ephemeralContainers \
         hostAliases hostIPC hostNetwork hostPID hostUsers hostname hostnameOverride imagePullSecrets initContainers nodeName nodeSelector os \
         overhead preemptionPolicy priority priorityClassName readinessGates resourceClaims resources restartPolicy runtimeClassName \
         schedulerName schedulingGates securityContext serviceAccount serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain \
         terminationGracePeriodSeconds tolerations topologySpreadConstraints volumes workloadRef",
    ),
    (&["affinity"], "nodeAffinity podAffinity podAntiAffinity"),
    (&["affinity", "nodeAffinity"], AFFINITY),
    (&["affinity", "podAffinity"], AFFINITY),
    (&["affinity", "podAntiAffinity"], AFFINITY),
    (
        &["containers", "*"],
        "args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe resizePolicy resources \
         restartPolicy restartPolicyRules securityContext startupProbe stdin stdinOnce terminationMessagePath terminationMessagePolicy tty \
         volumeDevices volumeMounts workingDir",
    ),
    (&["containers", "*", "lifecycle"], "postStart preStop stopSignal"),
    (&["containers", "*", "resources"], "claims limits requests"),
    (&["strategy", "rollingUpdate"], "maxSurge maxUnavailable partition"),
    (&["behavior", "scaleUp"], SCALING_RULES),
    (&["behavior", "scaleDown"], SCALING_RULES),
    (&["endpoints", "*"], ENDPOINT),
    (&["podMetricsEndpoints", "*"], ENDPOINT),
    (&["behavior"], "scaleUp scaleDown"),
];

const AFFINITY: &str = "requiredDuringSchedulingIgnoredDuringExecution preferredDuringSchedulingIgnoredDuringExecution";

const SCALING_RULES: &str = "stabilizationWindowSeconds selectPolicy policies tolerance";

const ENDPOINT: &str = "authorization basicAuth bearerTokenFile bearerTokenSecret bodySizeLimit enableHttp2 filterRunning followRedirects honorLabels \
     honorTimestamps interval limits metricRelabeling metricRelabelings noProxy oauth2 params path port portNumber proxyConnectHeader \
     proxyFromEnvironment proxyUrl relabelings scheme scrapeTimeout targetPort timeout tls tlsConfig trackTimestampsStaleness";

/// Where servers show metrics.
const METRICS_PATHS: [&str; 2] = ["/metrics", "/v1/metrics"];

/// `spec` of the kinds whose number of replicas and updates stand there.
const SPECS: [(&str, &str); 3] = [
    (
        "Deployment",
        "minReadySeconds paused progressDeadlineSeconds replicas revisionHistoryLimit selector strategy template",
    ),
    (
        "StatefulSet",
        "minReadySeconds ordinals persistentVolumeClaimRetentionPolicy podManagementPolicy replicas revisionHistoryLimit selector serviceName \
         template updateStrategy volumeClaimTemplates",
    ),
    ("ReplicaSet", "minReadySeconds replicas selector template"),
];

/// Letters in common at the start that make one word of two whose ends differ: `policy`, `policies`.
const STEM: usize = 5;

impl Context<'_> {
    /// Names the field that was meant beside each key that its mapping has not.
    pub(super) fn note_field_slips(&mut self) {
        for document in self.documents {
            let is_read = matches!(document.treatment(), Treatment::Read);
            let is_kubernetes = !document.group().contains('.') || document.group().ends_with(".coreos.com");
            if !is_read || !(is_kubernetes || document.group().ends_with("googleapis.com")) {
                continue;
            }
            let mut found = Vec::new();
            own_fields(document, &mut found);
            gather(&document.node, &mut Vec::new(), &mut found);
            found.into_iter().for_each(|slip| self.note_once(format!("{}: {slip}", document.label())));
        }
    }
}

fn own_fields(document: &Document, found: &mut Vec<String>) {
    let known = SPECS.iter().find(|(kind, _)| *kind == document.kind_text());
    if let (Some((_, fields)), Some(spec)) = (known, document.node.get("spec")) {
        check(spec, &[Segment::Key("spec".to_owned())], fields, found);
    }
}

fn gather(node: &Node, path: &mut Vec<Segment>, found: &mut Vec<String>) {
    if let Some((_, fields)) = FIELDS.iter().find(|(end, _)| ends_in(path, end)) {
        check(node, path, fields, found);
        if *fields == ENDPOINT {
            found.extend(path_slip(node, path));
        }
    }
    for entry in node.entries() {
        path.push(Segment::Key(entry.key.clone()));
        gather(&entry.value, path, found);
        path.pop();
    }
    for (index, item) in node.items().iter().enumerate() {
        path.push(Segment::Index(index));
        gather(item, path, found);
        path.pop();
    }
}

/// A path at which nobody shows metrics, a slip away from those at which servers do.
fn path_slip(endpoint: &Node, path: &[Segment]) -> Option<String> {
    let (node, asked) = endpoint.get("path").and_then(|node| Some((node, node.text()?)))?;
    let is_other = asked.trim_end_matches('/').rsplit('/').next() != Some("metrics");
    let near = nearest(asked, METRICS_PATHS).filter(|_| is_other)?;
    let place = path_text("", path);
    Some(format!(
        "{place}.path (line {}): `{asked}` is where no server shows metrics; did you mean `{near}`?",
        node.place.line
    ))
}

fn ends_in(path: &[Segment], end: &[&str]) -> bool {
    let is_met = |(segment, wanted): (&Segment, &&str)| match segment {
        Segment::Key(key) => *wanted == "*" || key == wanted,
        Segment::Index(_) => *wanted == "*",
    };
    path.len() >= end.len() && path[path.len() - end.len()..].iter().zip(end).all(is_met)
}

fn check(node: &Node, path: &[Segment], fields: &str, found: &mut Vec<String>) {
    for entry in node.entries() {
        let key = entry.key.as_str();
        if fields.split_whitespace().any(|field| field == key) {
            continue;
        }
        let free = || fields.split_whitespace().filter(|field| node.get(field).is_none());
        let stem = key.get(..STEM);
        let Some(near) =
            nearest(key, free()).or_else(|| free().find(|field| stem.is_some_and(|stem| field.starts_with(stem))))
        else {
            continue;
        };
        let path = path_text("", path);
        let line = entry.value.place.line;
        found.push(format!("{path}.{key} (line {line}) is not known; did you mean `{near}`?"));
    }
}
