//! GKE's ComputeClass: a list of machines in the order in which node pools of them are made.

use std::collections::BTreeMap;

use cluster::spec::{Consolidation, LabelOperator, NodePoolSpec};
use prices::{Label, Machine, machines};
use serde::Deserialize;
use units::SimDuration;

use crate::error::ScenarioError;
use crate::file::{CapacityType, ClusterAutoscalerFile, ManagerFile, OfferCapacity};
use crate::manifest::{Document, Kind, is_kind, read_loosely};
use crate::quantity::{Share, Time};

use super::Context;
use super::cloud::Cloud;
use super::karpenter_pool::LeftOut;
use super::offerings::{Asker, Market, Wanted};

/// The label by which pods ask for a class and nodes belong to one.
const CLASS: &str = "cloud.google.com/compute-class";
const DEFAULT_CLASS: &str = "cloud.google.com/default-compute-class";
/// Classes that GKE brings along.
const BUILT_IN: [&str; 6] = ["Accelerator", "Performance", "Balanced", "Scale-Out", "autopilot", "autopilot-spot"];

#[derive(Debug, Deserialize)]
struct ClassFile {
    #[serde(default)]
    spec: ClassSpecFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClassSpecFile {
    priorities: Vec<RuleFile>,
    priority_defaults: RuleFile,
    node_pool_auto_creation: AutoCreationFile,
    active_migration: MigrationFile,
    autoscaling_policy: PolicyFile,
    when_unsatisfiable: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AutoCreationFile {
    enabled: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MigrationFile {
    optimize_rule_priority: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PolicyFile {
    consolidation_delay_minutes: Option<u32>,
    consolidation_threshold: Option<u32>,
    gpu_consolidation_threshold: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RuleFile {
    machine_family: Option<String>,
    machine_type: Option<String>,
    nodepools: Vec<String>,
    pod_family: Option<String>,
    min_cores: Option<u32>,
    min_memory_gb: Option<u64>,
    spot: bool,
    gpu: Option<GpuFile>,
    tpu: Option<serde_json::Value>,
    flex_start: Option<FlexFile>,
    max_run_duration_seconds: Option<u64>,
    reservations: Option<serde_json::Value>,
    location: LocationFile,
    priority_score: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GpuFile {
    #[serde(rename = "type")]
    kind: Option<String>,
    count: Option<u32>,
    gpu_sharing: Option<serde_json::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FlexFile {
    enabled: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LocationFile {
    zones: Vec<String>,
}

impl Context<'_> {
    /// The settings of GKE's autoscaler that a class has, where the scenario does not say otherwise.
    pub(super) fn settle_class(
        &mut self,
        document: &Document,
        settings: &mut ClusterAutoscalerFile,
    ) -> Result<(), ScenarioError> {
        let ClassFile { spec: class } = read_loosely(document)?;
        let written = |key: &str| self.scenario.at(&["spec", "nodes", "manager", "clusterAutoscaler", key]).is_some();
        let policy = class.autoscaling_policy;
        if let Some(minutes) = policy.consolidation_delay_minutes.filter(|_| !written("unneededTime")) {
            settings.unneeded_time = Time(f64::from(minutes) * 60.0);
        }
        if let Some(percent) = policy.gpu_consolidation_threshold.filter(|_| !written("gpuUtilizationThreshold")) {
            settings.gpu_utilization_threshold = Share(f64::from(percent) / 100.0);
        }
        if policy.consolidation_threshold.is_some() {
            self.note(format!(
                "{}: consolidationThreshold is about CPU and memory; GPU nodes go by gpuConsolidationThreshold",
                document.label()
            ));
        }
        Ok(())
    }

    /// Whether `name` is that of a pool that a class makes.
    pub(super) fn is_of_class(&self, market: &Market<'_>, name: &str) -> bool {
        let mut classes = market.askers.iter().filter_map(|asker| self.chosen_class(asker));
        classes.any(|class| {
            name.strip_prefix(&format!("{}/", class.name)).is_some_and(|rule| rule.parse::<usize>().is_ok())
        })
    }

    /// The class that the pods ask for, or get from their namespace or by its name.
    fn chosen_class(&self, asker: &Asker<'_>) -> Option<&Document> {
        let pod = asker.pod;
        let required = pod.scheduling.node_terms.iter().flat_map(|term| &term.labels);
        let required = required
            .filter(|rule| rule.key == CLASS && rule.operator == LabelOperator::In)
            .filter_map(|rule| rule.values.first());
        let selected = pod.node_selector.iter().filter(|(key, _)| key == CLASS).map(|(_, value)| value);
        let namespace = asker.namespace.as_ref();
        let of_namespace =
            self.documents.iter().filter(|one| is_kind(one, "Namespace") && Some(&one.name) == namespace);
        let of_namespace = of_namespace.filter_map(|one| one.node.text_at(&["metadata", "labels", DEFAULT_CLASS]));
        let asked: Option<&str> = selected.chain(required).map(String::as_str).chain(of_namespace).next();
        let name = asked.unwrap_or("default");
        self.documents.iter().find(|one| one.kind == Kind::ComputeClass && one.name == name)
    }

    /// Makes pools of the rules of the class that the pods ask for.
    pub(super) fn class_pools(
        &mut self,
        market: &Market<'_>,
        (pools, left_out): (&mut Vec<NodePoolSpec>, &mut Vec<LeftOut>),
    ) -> Result<(), ScenarioError> {
        let mut chosen: Vec<Document> = Vec::new();
        let mut missing: Vec<String> = Vec::new();
        for asker in market.askers {
            let asked = asker.pod.node_selector.iter().find(|(key, _)| key == CLASS).map(|(_, value)| value.clone());
            match self.chosen_class(asker) {
                Some(class) if chosen.iter().all(|known| known.name != class.name) => chosen.push(class.clone()),
                Some(_) => {}
                None => missing.extend(asked),
            }
        }
        for document in self.of_kind(Kind::ComputeClass) {
            self.used.insert(document.label());
            if chosen.iter().all(|chosen| chosen.name != document.name) {
                self.note(format!("{}: the pods of the service do not ask for this class; left out", document.label()));
            }
        }
        for name in missing {
            let what = if BUILT_IN.contains(&name.as_str()) {
                "is one of GKE's own, which bills by what pods ask for; nodes are priced as those of `nodes.pools`"
            } else {
                "is not among the manifests; its machines are those of `nodes.pools`"
            };
            self.note(format!("the ComputeClass `{name}` that the pods ask for {what}"));
        }
        for document in chosen {
            self.pools_of_class(market, &document, (&mut *pools, &mut *left_out))?;
        }
        Ok(())
    }

    fn pools_of_class(
        &mut self,
        market: &Market<'_>,
        document: &Document,
        (pools, left_out): (&mut Vec<NodePoolSpec>, &mut Vec<LeftOut>),
    ) -> Result<(), ScenarioError> {
        if !matches!(market.spec.nodes.manager, ManagerFile::ClusterAutoscaler(_)) {
            self.note(format!(
                "{}: its machines are chosen by GKE's autoscaler, and `nodes.manager` is another; left out",
                document.label()
            ));
            return Ok(());
        }
        let ClassFile { spec: class } = read_loosely(document)?;
        self.note_class(document, &class);
        let (count, mut missing) = (class.priorities.len(), Vec::new());
        for (index, rule) in class.priorities.iter().enumerate() {
            let weight = rule.priority_score.unwrap_or(u32::try_from(count - index).unwrap_or(u32::MAX));
            for name in &rule.nodepools {
                match pools.iter_mut().find(|pool| pool.name == *name) {
                    Some(pool) => {
                        pool.weight = weight;
                        pool.labels.retain(|(key, _)| key != CLASS);
                        pool.labels.push((CLASS.to_owned(), document.name.clone()));
                        pool.labels.sort();
                    }
                    None => missing.push(name.clone()),
                }
            }
            if !rule.nodepools.is_empty() {
                continue;
            }
            if !class.node_pool_auto_creation.enabled {
                continue;
            }
            match self.rule_pool(market, document, (index, rule, &class.priority_defaults))? {
                Ok(pool) => pools.push(NodePoolSpec { weight, ..pool }),
                Err(reason) => left_out.push(LeftOut {
                    title: format!("priorities[{index}] of {}", document.title()),
                    at: document.node.at(&["spec", "priorities"]).unwrap_or(&document.node).locate("spec.priorities"),
                    reason,
                    is_cpu: false,
                }),
            }
        }
        if !missing.is_empty() {
            self.note(format!(
                "{}: the node pools {} are not under `nodes.pools`; left out",
                document.label(),
                missing.join(", ")
            ));
        }
        Ok(())
    }

    fn note_class(&mut self, document: &Document, class: &ClassSpecFile) {
        let label = document.label();
        if !class.node_pool_auto_creation.enabled && class.priorities.iter().any(|rule| rule.nodepools.is_empty()) {
            self.note(format!(
                "{label}: nodePoolAutoCreation is not enabled: only node pools that are there act, those under `nodes.pools` with the label \
                 `{CLASS}: {}`",
                document.name
            ));
        }
        if class.active_migration.optimize_rule_priority {
            self.note(format!(
                "{label}: activeMigration: nodes are not drained towards better machines once those are to be had; costs come out too high"
            ));
        }
        if class.when_unsatisfiable.as_deref() == Some("ScaleUpAnyway") {
            self.note(format!(
                "{label}: whenUnsatisfiable ScaleUpAnyway makes E2 machines, which hold no pod with accelerators"
            ));
        }
        for (index, rule) in class.priorities.iter().enumerate() {
            let mut lost = Vec::new();
            if rule.flex_start.as_ref().is_some_and(|flex| flex.enabled) {
                lost.push("flexStart (its queue of about 3 min)");
            }
            if rule.max_run_duration_seconds.is_some() {
                lost.push("maxRunDurationSeconds");
            }
            if rule.reservations.is_some() {
                lost.push("reservations (priced as on demand)");
            }
            if rule.gpu.as_ref().is_some_and(|gpu| gpu.gpu_sharing.is_some()) {
                lost.push("gpuSharing");
            }
            if !lost.is_empty() {
                self.note(format!("{label}: priorities[{index}]: {} left out", lost.join(", ")));
            }
        }
    }

    /// The pool of one rule, or why it has no machine.
    fn rule_pool(
        &mut self,
        market: &Market<'_>,
        document: &Document,
        (index, rule, defaults): (usize, &RuleFile, &RuleFile),
    ) -> Result<Result<NodePoolSpec, String>, ScenarioError> {
        if rule.pod_family.is_some() || rule.tpu.is_some() {
            let what = if rule.tpu.is_some() {
                "TPUs have no prices here"
            } else {
                "podFamily is for pods without accelerators"
            };
            return Ok(Err(what.to_owned()));
        }
        let cloud = Cloud::any("gcp");
        let fitting: Vec<&Machine> =
            machines().iter().filter(|machine| machine.provider == "gcp" && rule.admits(machine)).collect();
        if fitting.is_empty() {
            return Ok(Err(rule.nothing_found()));
        }
        let name = format!("{}/{index}", document.name);
        let addition = market.spec.nodes.pools.iter().find(|file| file.name == name);
        let none: BTreeMap<CapacityType, OfferCapacity> = BTreeMap::new();
        let zones = [&rule.location.zones, &defaults.location.zones].into_iter().find(|zones| !zones.is_empty());
        let zones: &[String] = match (zones, addition) {
            (Some(zones), _) => zones,
            (None, Some(file)) => &file.zones,
            (None, None) => &[],
        };
        let region = zones.first().and_then(|zone| cloud.region_of_zone(zone)).map(str::to_owned);
        let capacity_types = [if rule.spot { CapacityType::Spot } else { CapacityType::OnDemand }];
        let wanted = Wanted {
            path: "spec.prices",
            instance_types: Vec::new(),
            capacity_types: &capacity_types,
            capacity_path: None,
            capacity_is_required: false,
            zones,
            capacity: addition.map_or(&none, |file| &file.capacity),
            pool: &name,
            cloud: Some(&cloud),
            region: region.as_deref(),
            spot_price: addition.and_then(|file| file.spot_price).map(|price| price.0),
        };
        let place = wanted.place();
        let is_priced = |machine: &&Machine| {
            wanted.spot_price.is_some() || market.book.check(&machine.instance_type, place).is_ok()
        };
        let names: Vec<String> =
            fitting.into_iter().filter(is_priced).map(|machine| machine.instance_type.clone()).collect();
        if names.is_empty() {
            return Ok(Err("none of its machines has a price under `prices`".to_owned()));
        }
        let offerings = match self.offerings(market, &Wanted { instance_types: names, ..wanted }) {
            Ok(offerings) => offerings,
            Err(ScenarioError::Inconsistent { reason, .. }) => return Ok(Err(reason)),
            Err(error) => return Err(error),
        };
        Ok(Ok(NodePoolSpec {
            name: name.clone(),
            labels: vec![(CLASS.to_owned(), document.name.clone())],
            consolidation: Consolidation::Never,
            ..NodePoolSpec::plain(offerings, SimDuration::ZERO)
        }))
    }
}

impl RuleFile {
    fn admits(&self, machine: &Machine) -> bool {
        let is = |key: &str, wanted: &str| matches!(machine.label(key), Some(Label::Value(has)) if has == wanted);
        let gpu = self.gpu.as_ref();
        self.machine_type.as_ref().is_none_or(|name| machine.instance_type == *name)
            && self.machine_family.as_ref().is_none_or(|family| is("cloud.google.com/machine-family", family))
            && self.min_cores.is_none_or(|cores| machine.vcpus >= cores)
            && self.min_memory_gb.is_none_or(|gigabytes| machine.memory_mib >= gigabytes * 1024)
            && gpu.and_then(|gpu| gpu.kind.as_ref()).is_none_or(|kind| is("cloud.google.com/gke-accelerator", kind))
            && gpu.and_then(|gpu| gpu.count).is_none_or(|count| machine.gpus == count)
    }

    /// Which part of the rule no machine meets.
    fn nothing_found(&self) -> String {
        let values = |key: &str| -> Vec<String> {
            let has = |machine: &Machine| match machine.label(key) {
                Some(Label::Value(value)) => Some(value),
                _ => None,
            };
            machines().iter().filter(|one| one.provider == "gcp").filter_map(has).collect()
        };
        let unknown = |what: &str, found: &str, known: Vec<String>| {
            let hint = names::nearest(found, known.iter().map(String::as_str))
                .map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
            format!("{what}: no machine with accelerators has `{found}`{hint}")
        };
        let types: Vec<String> =
            machines().iter().filter(|one| one.provider == "gcp").map(|one| one.instance_type.clone()).collect();
        if let Some(name) = self.machine_type.as_ref().filter(|name| !types.contains(name)) {
            return unknown("machineType", name, types);
        }
        let families = values("cloud.google.com/machine-family");
        if let Some(family) = self.machine_family.as_ref().filter(|family| !families.contains(family)) {
            return unknown("machineFamily", family, families);
        }
        let kinds = values("cloud.google.com/gke-accelerator");
        match self.gpu.as_ref().and_then(|gpu| gpu.kind.as_ref()).filter(|kind| !kinds.contains(kind)) {
            Some(kind) => unknown("gpu.type", kind, kinds),
            None => "no machine meets all of it".to_owned(),
        }
    }
}
