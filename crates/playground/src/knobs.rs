//! The numbers of a scenario that one would turn: what autoscalers want, what traffic comes, how long a start takes, what spot does.
//!
//! A knob is a path of `--set` with the value that is written there, or the default of an autoscaler's field where none is. Whether a value
//! is good is for the scenario's reader to say.

use serde::Serialize;
use serde_json::Value;

/// A number that can be changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Knob {
    /// What it belongs to: a policy, an autoscaler, `traffic` and so on, with the service where there are several.
    pub group: String,
    /// Its keys below that.
    pub label: String,
    /// Path for `--set`.
    pub path: String,
    /// The text that is written, or would be.
    pub text: String,
    /// Whether the value is text in its manifest even where it is a plain number.
    pub is_text: bool,
    /// Whether the document says nothing, and `text` is the default.
    pub is_default: bool,
}

/// Keys below which nothing is a knob: curves of many points, calendars, seeds, grids, and what names something.
const LEFT_OUT: &[&str] = &[
    "points",
    "weekly",
    "seed",
    "every",
    "step",
    "history",
    "period",
    "columns",
    "file",
    "weight",
    "instanceTypes",
    "name",
    "priority",
    "daysAgo",
    "weights",
    "values",
    "metadata",
    "labels",
    "annotations",
    "taints",
    "scaleTargetRef",
];

/// Keys of a policy that are knobs of their own.
const OF_POLICY: &[&str] = &["static", "replicas", "warmPool", "predictive", "pausePods"];

/// All knobs of some documents, the Scenario's among them.
pub fn knobs(documents: &[Value]) -> Vec<Knob> {
    let mut found = Found { documents, knobs: Vec::new() };
    if let Some(spec) = documents.iter().find(|one| one["kind"] == "Scenario").map(|scenario| &scenario["spec"]) {
        found.policies(spec);
        found.service(spec, "", "");
        for (index, service) in spec["services"].as_array().into_iter().flatten().enumerate() {
            let Some(name) = service["name"].as_str() else { continue };
            found.service(service, &format!("services{}.", segment(name, index)), &format!(" · {name}"));
        }
        found.leaves(&spec["spot"], &Spot { group: "spot", path: "spot", label: "" });
        for (index, pool) in spec["nodes"]["pools"].as_array().into_iter().flatten().enumerate() {
            found.pool(pool, &format!("nodes.pools[{index}]"));
        }
    }
    found.knobs
}

/// Where a walk is.
struct Spot<'a> {
    group: &'a str,
    path: &'a str,
    label: &'a str,
}

struct Found<'d> {
    documents: &'d [Value],
    knobs: Vec<Knob>,
}

impl Found<'_> {
    /// Traffic, objective and cold start of the short form, or of one of several services.
    fn service(&mut self, spec: &Value, path: &str, of_service: &str) {
        let traffic = &spec["traffic"];
        let group = format!("traffic{of_service}");
        let spot = Spot { group: &group, path: &format!("{path}traffic"), label: "" };
        if ["trace", "generator", "sum"].iter().any(|key| traffic.get(key).is_some()) {
            self.field(traffic, "scale", "100%", &spot);
        }
        let mut rest = traffic.clone();
        rest.as_object_mut().and_then(|keys| keys.remove("scale"));
        self.leaves(&rest, &spot);
        for (key, name) in [("coldStart", "cold start"), ("slo", "objective")] {
            let group = format!("{name}{of_service}");
            self.leaves(&spec[key], &Spot { group: &group, path: &format!("{path}{key}"), label: "" });
        }
    }

    fn policies(&mut self, spec: &Value) {
        let policies: Vec<&Value> = spec["policies"].as_array().into_iter().flatten().collect();
        let mut has_plain = policies.is_empty();
        for (index, policy) in policies.into_iter().enumerate() {
            let Some(name) = policy["name"].as_str() else { continue };
            let path = format!("policies{}", segment(name, index));
            let mut is_plain = !self.controllers(policy, &path, name);
            // What is about a service stands below its name, which a path can hold only if it is one word.
            for (service, part) in policy["services"].as_object().into_iter().flatten().filter(|part| is_word(part.0)) {
                let path = format!("{path}.services.{service}");
                is_plain &= !self.controllers(part, &path, &format!("{name} · {service}"));
            }
            has_plain |= is_plain;
        }
        // A policy that says nothing is the autoscalers of the manifests.
        if has_plain {
            for document in self.documents {
                let (Some(kind), Some(name)) = (document["kind"].as_str(), document["metadata"]["name"].as_str())
                else {
                    continue;
                };
                let (group, path) = (format!("{kind}/{name}"), format!("{kind}/{name}.spec"));
                let spot = Spot { group: &group, path: &path, label: "" };
                match kind {
                    "HorizontalPodAutoscaler" => self.hpa(&document["spec"], &spot),
                    "ScaledObject" => self.keda(&document["spec"], &spot),
                    _ => {}
                }
            }
        }
    }

    /// What a policy, or its part for a service, says; false if it says nothing.
    fn controllers(&mut self, policy: &Value, path: &str, group: &str) -> bool {
        let before = self.knobs.len();
        for key in OF_POLICY {
            let path = format!("{path}.{key}");
            self.leaves(&policy[key], &Spot { group, path: &path, label: key });
        }
        for (key, kind) in [("hpa", "HorizontalPodAutoscaler"), ("keda", "ScaledObject")] {
            let spec = match &policy[key] {
                Value::String(name) => {
                    let named = |one: &&Value| one["kind"] == kind && one["metadata"]["name"] == *name;
                    self.documents.iter().find(named).map(|document| &document["spec"])
                }
                Value::Object(_) => Some(&policy[key]),
                _ => None,
            };
            let Some(spec) = spec.cloned() else { continue };
            let path = format!("{path}.{key}");
            let spot = Spot { group, path: &path, label: "" };
            if key == "hpa" { self.hpa(&spec, &spot) } else { self.keda(&spec, &spot) }
        }
        self.knobs.len() > before
    }

    fn hpa(&mut self, spec: &Value, spot: &Spot<'_>) {
        self.field(spec, "minReplicas", "1", spot);
        self.leaf(spec, "maxReplicas", spot);
        self.leaves(
            &spec["metrics"],
            &Spot { group: spot.group, path: &format!("{}.metrics", spot.path), label: "metrics" },
        );
        for (key, default) in [("scaleUp", "0"), ("scaleDown", "300")] {
            let path = format!("{}.behavior.{key}", spot.path);
            let below = Spot { group: spot.group, path: &path, label: key };
            let behavior = &spec["behavior"][key];
            self.field(behavior, "stabilizationWindowSeconds", default, &below);
            let path = format!("{path}.policies");
            self.leaves(&behavior["policies"], &Spot { group: spot.group, path: &path, label: key });
        }
    }

    fn keda(&mut self, spec: &Value, spot: &Spot<'_>) {
        for (key, default) in
            [("minReplicaCount", "0"), ("maxReplicaCount", "100"), ("cooldownPeriod", "300"), ("pollingInterval", "30")]
        {
            self.field(spec, key, default, spot);
        }
        for (index, trigger) in spec["triggers"].as_array().into_iter().flatten().enumerate() {
            let path = format!("{}.triggers[{index}].metadata", spot.path);
            let name = trigger["name"].as_str().or(trigger["type"].as_str()).unwrap_or("trigger");
            let below = Spot { group: spot.group, path: &path, label: name };
            for key in ["threshold", "activationThreshold", "value", "activationValue", "desiredReplicas"] {
                self.leaf(&trigger["metadata"], key, &below);
            }
        }
    }

    /// What is written of a pool, and how much of it is kept on demand where it may have both: the one number that trades price for safety.
    fn pool(&mut self, pool: &Value, path: &str) {
        let name = pool["name"].as_str().unwrap_or("pool");
        let group = format!("nodes · {name}");
        let spot = Spot { group: &group, path, label: "" };
        let mut rest = pool.clone();
        if self.has_spot_and_on_demand(pool, name) {
            for (key, default) in [("onDemandBase", "0"), ("onDemandShare", "0%")] {
                self.field(pool, key, default, &spot);
                rest.as_object_mut().and_then(|keys| keys.remove(key));
            }
        }
        self.leaves(&rest, &spot);
    }

    /// Whether a pool may buy both: by its own `capacityTypes`, or by the requirement of the NodePool that it adds to.
    fn has_spot_and_on_demand(&self, pool: &Value, name: &str) -> bool {
        let holds = |values: &Value, kind: &str| values.as_array().into_iter().flatten().any(|value| value == kind);
        let holds_both = |values: &Value| holds(values, "spot") && holds(values, "on-demand");
        let of_manifest = |document: &&Value| document["kind"] == "NodePool" && document["metadata"]["name"] == *name;
        let requirements = self.documents.iter().find(of_manifest);
        let requirements = requirements.map(|document| &document["spec"]["template"]["spec"]["requirements"]);
        let requirements = requirements.and_then(Value::as_array).into_iter().flatten();
        let mut of_capacity = requirements.filter(|one| one["key"] == "karpenter.sh/capacity-type");
        holds_both(&pool["capacityTypes"])
            || of_capacity.any(|one| one["operator"] == "In" && holds_both(&one["values"]))
    }

    /// A field that has a default where it is not written.
    fn field(&mut self, of: &Value, key: &str, default: &str, spot: &Spot<'_>) {
        let before = self.knobs.len();
        self.leaf(of, key, spot);
        if self.knobs.len() == before && of.get(key).is_none() {
            self.knobs.push(Knob {
                group: spot.group.to_owned(),
                label: joined(spot.label, key),
                path: format!("{}.{key}", spot.path),
                text: default.to_owned(),
                is_text: false,
                is_default: true,
            });
        }
    }

    fn leaf(&mut self, of: &Value, key: &str, spot: &Spot<'_>) {
        let (path, label) = (format!("{}.{key}", spot.path), joined(spot.label, key));
        if let Some(value) = of.get(key) {
            self.leaves(value, &Spot { group: spot.group, path: &path, label: &label });
        }
    }

    /// Every amount in a value.
    fn leaves(&mut self, value: &Value, spot: &Spot<'_>) {
        let (text, is_text) = match value {
            Value::Number(number) => (number.to_string(), false),
            Value::String(text) if is_amount(text) => (text.clone(), text.parse::<f64>().is_ok()),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{}[{index}]", spot.path);
                    let label = match item["name"].as_str() {
                        Some(name) => joined(spot.label, name),
                        None if items.len() > 1 => joined(spot.label, &(index + 1).to_string()),
                        None => spot.label.to_owned(),
                    };
                    self.leaves(item, &Spot { group: spot.group, path: &path, label: &label });
                }
                return;
            }
            Value::Object(keys) => {
                for key in keys.keys().filter(|key| !LEFT_OUT.contains(&key.as_str())) {
                    self.leaf(value, key, spot);
                }
                return;
            }
            _ => return,
        };
        let (group, label, path) = (spot.group.to_owned(), spot.label.to_owned(), spot.path.to_owned());
        self.knobs.push(Knob { group, label, path, text, is_text, is_default: false });
    }
}

fn joined(above: &str, key: &str) -> String {
    if above.is_empty() { key.to_owned() } else { format!("{above} {key}") }
}

/// An entry of a list in a path: by its name, or by its place where the name is no one word.
fn segment(name: &str, index: usize) -> String {
    if is_word(name) { format!(".{name}") } else { format!("[{index}]") }
}

fn is_word(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|one| one.is_ascii_alphanumeric() || "-_".contains(one))
}

/// Numbers with units: `5`, `$3.67/h`, `70%`, `1500m`, `14h30m`, `0.2/h`.
fn is_amount(text: &str) -> bool {
    let digits = text.strip_prefix('$').unwrap_or(text);
    let is_known = |one: char| one.is_ascii_alphanumeric() || "./%".contains(one);
    digits.starts_with(|one: char| one.is_ascii_digit()) && text.len() <= 16 && digits.chars().all(is_known)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(documents: &[Value]) -> Vec<String> {
        knobs(documents).into_iter().map(|knob| format!("{}={}", knob.path, knob.text)).collect()
    }

    #[test]
    fn policies_have_the_knobs_of_the_manifests_they_name() {
        let hpa = json!({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}, "spec": {
            "maxReplicas": 9,
            "metrics": [{"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1500m"}}}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}});
        let scenario = json!({"kind": "Scenario", "spec": {"policies": [{"name": "p", "hpa": "a", "warmPool": {"size": 2, "promote": "2s"}}]}});
        assert_eq!(
            paths(&[hpa, scenario]),
            [
                "policies.p.warmPool.size=2",
                "policies.p.warmPool.promote=2s",
                "policies.p.hpa.minReplicas=1",
                "policies.p.hpa.maxReplicas=9",
                "policies.p.hpa.metrics[0].pods.target.averageValue=1500m",
                "policies.p.hpa.behavior.scaleUp.stabilizationWindowSeconds=0",
                "policies.p.hpa.behavior.scaleDown.stabilizationWindowSeconds=60",
            ]
        );
    }

    #[test]
    fn a_pool_that_buys_spot_and_on_demand_has_their_mix() {
        let manifest = json!({"kind": "NodePool", "metadata": {"name": "karpenter"}, "spec": {"template": {"spec": {"requirements": [
            {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot", "on-demand"]}]}}}});
        let scenario = json!({"kind": "Scenario", "spec": {
            "policies": [{"name": "p", "static": {"replicas": 4}}],
            "nodes": {"pools": [
                {"name": "mixed", "capacityTypes": ["spot", "on-demand"], "gpusMax": 8, "onDemandBase": 2},
                {"name": "spot", "capacityTypes": ["spot"], "gpusMax": 8},
                {"name": "karpenter", "zones": ["a"]}]}}});
        assert_eq!(
            paths(&[manifest, scenario]),
            [
                "policies.p.static.replicas=4",
                "nodes.pools[0].onDemandBase=2",
                "nodes.pools[0].onDemandShare=0%",
                "nodes.pools[0].gpusMax=8",
                "nodes.pools[1].gpusMax=8",
                "nodes.pools[2].onDemandBase=0",
                "nodes.pools[2].onDemandShare=0%",
            ]
        );
    }

    #[test]
    fn manifests_have_their_own_knobs_where_a_policy_leaves_all_to_them() {
        let keda = json!({"kind": "ScaledObject", "metadata": {"name": "k"}, "spec": {
            "triggers": [{"type": "prometheus", "metadata": {"threshold": "100", "query": "up"}}]}});
        let scenario = json!({"kind": "Scenario", "spec": {
            "services": [{"name": "s", "traffic": {"generator": {"rate": {"sine": {"mean": "1req/s", "period": "24h"}}}}}],
            "policies": [{"name": "as-deployed"}]}});
        let found = knobs(&[keda, scenario]);
        let paths: Vec<&str> = found.iter().map(|knob| knob.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "ScaledObject/k.spec.minReplicaCount",
                "ScaledObject/k.spec.maxReplicaCount",
                "ScaledObject/k.spec.cooldownPeriod",
                "ScaledObject/k.spec.pollingInterval",
                "ScaledObject/k.spec.triggers[0].metadata.threshold",
                "services.s.traffic.scale",
                "services.s.traffic.generator.rate.sine.mean",
            ]
        );
        assert!(found[4].is_text, "a threshold is text in its manifest");
    }
}
