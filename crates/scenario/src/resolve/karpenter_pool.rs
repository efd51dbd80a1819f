//! Pools from NodePool and Provisioner manifests, with what the scenario adds to them.

use std::collections::BTreeMap;

use cluster::fleet::is_schedule;
use cluster::spec::{
    Consolidation, DisruptionBudget, InstanceOffering, LabelOperator, LabelRule, NodePoolSpec, PodSpec, PoolRules,
};
use prices::{Machine, Platform, is_gpu_feature, machines, well_known_key};
use record::Purchase;
use units::{Bytes, Millicores};

use crate::error::{At, ScenarioError};
use crate::file::{CapacityType, ManagerFile, PoolFile};
use crate::manifest::{Document, KarpenterPool, Kind, is_accelerator};
use crate::tree::{Node, parse_path};

use super::Context;
use super::cloud::Cloud;
use super::offerings::{Asker, Market, Wanted};
use super::price_book::purchase;
use super::shapes::Shape;
use super::wish::{Unmet, Wish, check_values, is_users_key, wish};

/// Keys under `nodes.pools[]` that add to a pool from a manifest.
const ADDITIONS: [&str; 6] = ["name", "capacity", "onDemandBase", "onDemandShare", "spotPrice", "zones"];

/// What becomes of a manifest.
pub enum Manifested {
    /// A pool.
    Pool(Box<NodePoolSpec>),
    /// Nothing: it launches no machine for this pod.
    LeftOut(LeftOut),
}

/// A manifest that launches no machine for the pod.
pub struct LeftOut {
    /// `NodePool/general`.
    pub title: String,
    /// Its requirements.
    pub at: Box<At>,
    /// Which of them removes the last machine, or why else.
    pub reason: String,
    /// It is for machines without accelerators.
    pub is_cpu: bool,
}

/// Label of a node's processor.
const ARCH: &str = "kubernetes.io/arch";

impl LeftOut {
    /// A sentence for the user.
    pub fn text(&self) -> String {
        format!("{} launches nothing for the pod: {}", self.title, self.reason)
    }
}

impl Context<'_> {
    /// Why no pool can hold the pod, at the manifest of one if there are only manifests that launch nothing.
    pub(super) fn nothing_fits(&self, asker: &Asker<'_>, misfits: &[String], left_out: &[LeftOut]) -> ScenarioError {
        let is_cpu = misfits.is_empty() && left_out.iter().all(|pool| pool.is_cpu);
        let reasons: Vec<String> = left_out.iter().map(LeftOut::text).chain(misfits.iter().cloned()).collect();
        let reason = reasons.join("; ");
        let reason = if self.has_several() { format!("service `{}`: {reason}", asker.name) } else { reason };
        let first = left_out.first().filter(|_| misfits.is_empty());
        let at = first.map_or_else(|| self.at("spec.nodes"), |pool| pool.at.clone());
        if is_cpu { ScenarioError::CpuPools { at, reason } } else { ScenarioError::Inconsistent { at, reason } }
    }

    /// What is said under the name of a manifest's pool must be something the manifest cannot say.
    pub(super) fn check_addition(&self, pool: &PoolFile, path: &str) -> Result<(), ScenarioError> {
        let segments = parse_path(path).expect("paths in this crate are well-formed");
        let written: Vec<&str> =
            self.scenario.deepest(&segments).entries().iter().map(|entry| entry.key.as_str()).collect();
        if let Some(key) = written.iter().find(|key| !ADDITIONS.contains(key)) {
            let reason = format!(
                "`{}` is a pool of a manifest, which decides on `{key}`; here it may have {}",
                pool.name,
                ADDITIONS.join(", ")
            );
            return Err(self.inconsistent(&format!("{path}.{key}"), &reason));
        }
        self.check_capacity(pool, path)
    }

    /// A pool as its manifest describes it.
    pub(super) fn karpenter_pool(
        &mut self,
        market: &Market<'_>,
        document: &Document,
    ) -> Result<Manifested, ScenarioError> {
        let (pool, ignored) = KarpenterPool::read(document)?;
        self.note_ignored(document, &ignored);
        let below = if document.kind == Kind::Provisioner { "spec" } else { "spec.template.spec" };
        let requirements = locate(document, &format!("{below}.requirements"));
        let mistake = |reason: String| ScenarioError::Inconsistent { at: requirements.clone(), reason };
        let left_out = |reason: String, is_cpu: bool| {
            Ok(Manifested::LeftOut(LeftOut { title: document.title(), at: requirements.clone(), reason, is_cpu }))
        };
        let cloud = self.cloud(market, &pool).map_err(mistake)?;
        check_values(&pool, &cloud).map_err(mistake)?;
        let universe = self.with_kubelet((document, &pool, &cloud), self.universe(market, &cloud))?;
        let mut found = match wish(&pool, &cloud, universe, market.askers) {
            Ok(found) => found,
            Err(Unmet::Mistake(reason)) => return Err(mistake(reason)),
            Err(Unmet::NoMachine { reason, is_cpu }) => return left_out(reason, is_cpu),
        };
        // Capacity that is yours is reserved in a node class and asked for, or has a price of yours; the catalog's is a year's commitment.
        if !found.names_capacity && !market.book.states_reserved() {
            found.capacity_types.retain(|kind| *kind != CapacityType::Reserved);
        }
        let addition = market.spec.nodes.pools.iter().position(|file| file.name == pool.name);
        let addition = addition.map(|index| (&market.spec.nodes.pools[index], format!("spec.nodes.pools[{index}]")));
        if let Some((file, path)) = &addition {
            self.add_zones(&mut found, file, path)?;
        }
        if let Some(reason) = self.undeclared(market, &pool, &found) {
            return left_out(reason, false);
        }
        if let Err(reason) = self.keep_priced(
            market,
            &mut found,
            &cloud,
            addition.as_ref().is_some_and(|(file, _)| file.spot_price.is_some()),
        ) {
            return if market.book.has_catalog() { left_out(reason, false) } else { Err(mistake(reason)) };
        }
        keep_fitting(market, &mut found);
        if let Some(reason) = found.short_of_values(&cloud) {
            return left_out(reason, false);
        }
        self.notes.extend(found.notes.iter().map(|note| format!("{}: {note}", document.title())));
        self.note_fee(market, &document.title(), &cloud);
        let offerings = self
            .manifest_offerings(market, (&pool.name, &found), &cloud, addition.as_ref().map(|(file, _)| *file))
            .map_err(|error| match error {
                ScenarioError::Inconsistent { reason, .. } => mistake(reason),
                other => other,
            })?;
        self.note_unoffered(&document.title(), &found, &offerings);
        self.note_arm64(market, (&pool, &document.title()), &found);
        let on_demand = match &addition {
            Some((file, path)) => self.on_demand_share(file, &found.capacity_types, path)?,
            None => None,
        };
        self.note_schedules(&document.title(), &pool.disruption.budgets);
        if document.node.at(&["spec", "template", "spec", "startupTaints"]).is_some() {
            self.notes.push(format!(
                "{}: `startupTaints` are taken as gone when the GPUs are there; what removes them may take longer (`nodes.timings.devicePlugin`)",
                document.title()
            ));
        }
        if pool.replicas.is_some() {
            self.notes.push(format!(
                "{}: `replicas` needs Karpenter's feature gate StaticCapacity, which is off by default; taken as on",
                document.title()
            ));
        }
        let spec = limited(document, pool, found, offerings)?;
        Ok(Manifested::Pool(Box::new(NodePoolSpec { on_demand, ..spec })))
    }

    /// Whose machines a pool launches.
    fn cloud(&self, market: &Market<'_>, pool: &KarpenterPool) -> Result<Cloud, String> {
        if let Some(cloud) = Cloud::of(pool)? {
            return Ok(cloud);
        }
        if let Some(provider) = market.book.provider() {
            return Ok(Cloud::any(provider));
        }
        let mut providers: Vec<String> =
            market.book.names().iter().filter_map(|name| Some(self.machine(market, name)?.provider.clone())).collect();
        providers.sort();
        providers.dedup();
        match &providers[..] {
            [] => Ok(Cloud::any("")),
            [one] => Ok(Cloud::any(one)),
            several => Err(format!(
                "nothing says whose machines pool `{}` launches ({}): give it a `nodeClassRef` with its group, or set `prices.provider`",
                pool.name,
                several.join(", ")
            )),
        }
    }

    /// All machines a provider has, and those of the scenario that nobody else has.
    fn universe(&self, market: &Market<'_>, cloud: &Cloud) -> Vec<Machine> {
        let is_made_here = |machine: &&Machine| {
            machine.provider == cloud.provider
                // A T4 on an n1 is attached by hand.
                && !(cloud.platform == Platform::KarpenterGcp && machine.instance_type.contains('+'))
        };
        let mut universe: BTreeMap<String, Machine> = BTreeMap::new();
        for machine in machines().iter().filter(is_made_here) {
            universe.insert(machine.instance_type.clone(), machine.clone());
        }
        let own = market.spec.nodes.instance_types.keys().cloned();
        for name in market.book.names().into_iter().chain(own) {
            match self.machine(market, &name) {
                Some(machine) if is_made_here(&&*machine) => drop(universe.insert(name, machine.into_owned())),
                Some(_) => {}
                None => drop(own_machine(market, &name, cloud).map(|machine| universe.insert(name, machine))),
            }
        }
        universe.into_values().collect()
    }

    /// Zones the scenario names for a pool whose manifest does not.
    fn add_zones(&self, found: &mut Wish, file: &PoolFile, path: &str) -> Result<(), ScenarioError> {
        if file.zones.is_empty() {
            return Ok(());
        }
        let stranger = file.zones.iter().find(|zone| !found.zones.is_empty() && !found.zones.contains(zone));
        if let Some(zone) = stranger {
            let reason = format!("the manifest has the zones {}, not `{zone}`", found.zones.join(", "));
            return Err(self.inconsistent(&format!("{path}.zones"), &reason));
        }
        found.zones.clone_from(&file.zones);
        Ok(())
    }

    /// A label of GPU feature discovery that the pods require and Karpenter cannot know of: they would stay pending for ever. Where that is
    /// so of some services only, the pool is there for the others.
    fn undeclared(&mut self, market: &Market<'_>, pool: &KarpenterPool, found: &Wish) -> Option<String> {
        if market.spec.nodes.assume_gfd_labels || !matches!(market.spec.nodes.manager, ManagerFile::Karpenter) {
            return None;
        }
        let lacking = |asker: &Asker<'_>| Some((asker.name.to_owned(), lacks(asker.pod, pool, found)?));
        let mut missed: Vec<(String, String)> = market.askers.iter().filter_map(lacking).collect();
        if missed.len() == market.askers.len() {
            return missed.pop().map(|(_, reason)| reason);
        }
        for (name, reason) in missed {
            let pool = &pool.name;
            self.note(format!("NodePool/{pool} launches nothing for the pods of `{name}`, which may still use what it launches for others: {reason}"));
        }
        None
    }

    /// Leaves out machines without a price, as Karpenter does.
    fn keep_priced(
        &mut self,
        market: &Market<'_>,
        found: &mut Wish,
        cloud: &Cloud,
        has_spot_price: bool,
    ) -> Result<(), String> {
        let region = found.region.clone();
        let wanted = wanted("", found, cloud, region.as_deref());
        let place = wanted.place();
        let is_priced = |name: &String| has_spot_price || market.book.check(name, place).is_ok();
        let unpriced: Vec<&String> = found.named.iter().filter(|name| !is_priced(name)).collect();
        if let (Some(name), false) = (unpriced.first(), market.book.has_catalog()) {
            return Err(format!("instance type `{name}` has no entry under `prices` of the scenario"));
        }
        let strangers: Vec<String> = unpriced
            .iter()
            .filter(|name| found.machines.iter().any(|machine| machine.instance_type == ***name))
            .map(|name| (*name).clone())
            .collect();
        let kept: Vec<Machine> =
            found.machines.iter().filter(|machine| is_priced(&machine.instance_type)).cloned().collect();
        if kept.is_empty() {
            let names: Vec<&str> =
                found.machines.iter().map(|machine| machine.instance_type.as_str()).take(8).collect();
            let region = region.or_else(|| market.book.region().map(str::to_owned));
            let place = region.map_or_else(String::new, |region| format!(" in {region}"));
            return Err(format!(
                "no instance type with a price under `prices` of the scenario meets them ({} have none{place})",
                names.join(", ")
            ));
        }
        if !strangers.is_empty() {
            self.notes.push(format!("not offered for want of a price: {}", strangers.join(", ")));
        }
        found.machines = kept;
        Ok(())
    }

    fn manifest_offerings(
        &mut self,
        market: &Market<'_>,
        (pool, found): (&str, &Wish),
        cloud: &Cloud,
        addition: Option<&PoolFile>,
    ) -> Result<Vec<InstanceOffering>, ScenarioError> {
        let names = found.machines.iter().map(|machine| machine.instance_type.clone()).collect();
        let none = BTreeMap::new();
        let capacity = addition.map_or(&none, |file| &file.capacity);
        let wanted = Wanted {
            instance_types: names,
            capacity_path: (found.names_capacity && market.book.has_catalog()).then_some("spec.prices"),
            capacity,
            spot_price: addition.and_then(|file| file.spot_price).map(|price| price.0),
            ..wanted(pool, found, cloud, found.region.as_deref())
        };
        let mut offerings = self.offerings(market, &wanted)?;
        for offering in &mut offerings {
            let machine = found.machines.iter().find(|machine| machine.instance_type == offering.instance_type);
            let is_written = market.spec.nodes.instance_types.contains_key(&offering.instance_type);
            if let Some(machine) = machine.filter(|_| !is_written) {
                offering.cpu = Millicores(machine.cpu_milli);
                offering.memory = Bytes(machine.allocatable_mib << 20);
            }
        }
        Ok(offerings)
    }

    /// A budget whose schedule Karpenter cannot read permits nothing, and only its log says so.
    fn note_schedules(&mut self, title: &str, budgets: &[DisruptionBudget]) {
        for (index, budget) in budgets.iter().enumerate() {
            if let Some((schedule, _)) = budget.window.as_ref().filter(|window| !is_schedule(&window.0)) {
                self.notes.push(format!(
                    "{title}: spec.disruption.budgets[{index}].schedule `{schedule}` is no schedule to Karpenter's parser (Sunday is 0, ranges ascend): \
                     it then disrupts no node of the pool, for any reason, at any time"
                ));
            }
        }
    }

    /// A manifest may name capacity types that the scenario has no prices of; that is no mistake, but makes the pool smaller than it looks.
    fn note_unoffered(&mut self, title: &str, found: &Wish, offerings: &[InstanceOffering]) {
        for kind in found.capacity_types.iter().filter(|_| found.names_capacity).map(|kind| purchase(*kind)) {
            if offerings.iter().all(|offering| offering.purchase != kind) {
                self.notes.push(format!("not offered for want of a price: {} capacity of {title}", kind.name()));
            }
        }
    }

    /// Karpenter takes the cheapest machine whatever its processor, and most images are built for amd64 alone.
    fn note_arm64(&mut self, market: &Market<'_>, (pool, title): (&KarpenterPool, &str), found: &Wish) {
        let asks = |pod: &PodSpec| {
            let required = pod.scheduling.node_terms.iter().flat_map(|term| &term.labels).map(|rule| &rule.key);
            pod.node_selector.iter().map(|(key, _)| key).chain(required).any(|key| well_known_key(key) == ARCH)
        };
        let is_said = pool.requirements.iter().any(|rule| well_known_key(&rule.key) == ARCH) || market.pods().any(asks);
        let types: Vec<&str> =
            found.machines.iter().filter(|one| one.arch == "arm64").map(|one| one.instance_type.as_str()).collect();
        if let ([first, ..], false) = (types.as_slice(), is_said || types.len() == found.machines.len()) {
            let more = if types.len() > 1 { format!(" and {} more", types.len() - 1) } else { String::new() };
            self.notes.push(format!(
                "{title}: {first}{more} may be launched, arm64 machines: an image for amd64 alone does not start there; `{{key: {ARCH}, operator: \
                 In, values: [amd64]}}` of the pool, or a nodeSelector, keeps them out"
            ));
        }
    }

    /// Capacity reservations of a node class are used by pools that allow `reserved` only, and have a size the manifest does not say.
    pub(super) fn note_reservations(&mut self, pools: &[NodePoolSpec]) {
        let mut offerings = pools.iter().flat_map(|pool| &pool.offerings);
        if offerings.any(|offering| offering.purchase == Purchase::Reserved) {
            return;
        }
        for document in self.documents {
            let is_class = document.node.get("kind").and_then(Node::text) == Some("EC2NodeClass");
            if is_class && document.node.at(&["spec", "capacityReservationSelectorTerms"]).is_some() {
                self.notes.push(format!(
                    "{}: capacityReservationSelectorTerms: no pool offers reserved capacity; `capacity-type` with `reserved`, its price under \
                     `prices` and `capacity: {{reserved: {{instancesMax: N}}}}` under the pool's name in `nodes.pools` do",
                    document.title()
                ));
            }
        }
    }

    /// EKS Auto Mode costs more than its machines.
    fn note_fee(&mut self, market: &Market<'_>, title: &str, cloud: &Cloud) {
        if cloud.platform == Platform::EksAuto && market.spec.prices.node_fee.percent == 0.0 {
            self.notes.push(format!(
                "{title}: EKS Auto Mode adds a fee to the price of each machine, about 12 % by secondary sources, which is not counted: \
                 `prices.nodeFee: {{percent: 12}}` does"
            ));
        }
    }
}

/// A label that every term of the pod's required node affinity asks for although no node is known to have it: its key and the rule.
fn required_unknown(pod: &PodSpec, is_unknown: &dyn Fn(&String) -> bool) -> Option<(String, String)> {
    let asks = |rule: &&LabelRule| {
        is_unknown(&rule.key) && !matches!(rule.operator, LabelOperator::NotIn | LabelOperator::DoesNotExist)
    };
    let terms = &pod.scheduling.node_terms;
    let found: Vec<&LabelRule> = terms.iter().filter_map(|term| term.labels.iter().find(asks)).collect();
    let first = found.first().filter(|_| found.len() == terms.len())?;
    Some((first.key.clone(), format!("{:?} [{}]", first.operator, first.values.join(", "))))
}

/// What to look for, capacity and types aside.
fn wanted<'a>(pool: &'a str, found: &'a Wish, cloud: &'a Cloud, region: Option<&'a str>) -> Wanted<'a> {
    static NONE: BTreeMap<CapacityType, crate::file::OfferCapacity> = BTreeMap::new();
    Wanted {
        path: "spec.prices",
        instance_types: Vec::new(),
        capacity_types: &found.capacity_types,
        capacity_path: None,
        capacity_is_required: false,
        zones: &found.zones,
        capacity: &NONE,
        pool,
        cloud: Some(cloud),
        region,
        spot_price: None,
    }
}

/// The label of a pod that a pool's manifest declares nowhere.
fn lacks(pod: &PodSpec, pool: &KarpenterPool, found: &Wish) -> Option<String> {
    let is_declared =
        |key: &String| found.declared.contains(key) || found.labels.contains_key(key) || pool.labels.contains_key(key);
    let is_unknown = |key: &String| !is_declared(key) && (is_gpu_feature(key) || is_users_key(key));
    let selected = pod.node_selector.iter().find(|(key, _)| is_unknown(key));
    let (key, value) = selected.cloned().or_else(|| required_unknown(pod, &is_unknown))?;
    let (key, value) = (key.as_str(), value.as_str());
    if !is_gpu_feature(key) {
        return Some(format!(
            "it selects nodes with `{key}: {value}`, which neither the template's labels nor the requirements give"
        ));
    }
    Some(format!(
        "it requires `{key}: {value}`, a label that nodes get after they have started, so that Karpenter launches none for it: add the key \
         to the template's labels or requirements, select the machine by its family or GPU name, or set `nodes.assumeGfdLabels: true`"
    ))
}

/// Drops machines that can hold none of the pods, which are never launched for them; keeps all if none can, so that the reason can be given.
fn keep_fitting(market: &Market<'_>, found: &mut Wish) {
    let holds = |machine: &Machine| {
        if market.spec.nodes.instance_types.contains_key(&machine.instance_type) {
            return true;
        }
        let shape = Shape::of(machine);
        market
            .pods()
            .any(|pod| pod.gpus <= shape.gpus && pod.millicores() <= shape.cpu.0 && pod.bytes() <= shape.memory.0)
    };
    if found.machines.iter().any(holds) {
        found.machines.retain(holds);
    }
}

/// A machine that only the scenario knows, as one of the pool's provider.
fn own_machine(market: &Market<'_>, name: &str, cloud: &Cloud) -> Option<Machine> {
    let file = market.spec.nodes.instance_types.get(name)?;
    let shape = Shape::written(file)?;
    let sold = prices::Shape {
        gpus: shape.gpus,
        gpu_model: prices::Gpu::of_product(&shape.gpu_product).map(|gpu| gpu.catalog_model.clone()).unwrap_or_default(),
        gpu_memory_gib: 0.0,
        vcpus: u32::try_from(shape.machine.0.0 / 1_000).ok(),
        memory_gib: Some(shape.machine.1.0 as f64 / f64::from(1u32 << 30)),
    };
    Machine::of_shape(&cloud.provider, name, &sold)
}

#[allow(clippy::unnecessary_box_returns, reason = "errors hold it boxed, to stay small")]
fn locate(document: &Document, path: &str) -> Box<At> {
    let segments = parse_path(path).expect("paths in this crate are well-formed");
    document.node.deepest(&segments).locate(path)
}

/// The pool with its limits.
fn limited(
    document: &Document,
    pool: KarpenterPool,
    found: Wish,
    offerings: Vec<InstanceOffering>,
) -> Result<NodePoolSpec, ScenarioError> {
    let limit = |resource: &str| pool.limits.get(resource).map(|quantity| quantity.units());
    let known = ["cpu", "memory", "nodes"];
    if let Some(other) = pool.limits.keys().find(|key| !key.contains('/') && !known.contains(&key.as_str())) {
        let reason = format!("a limit on `{other}` caps the pool by something the model does not have");
        return Err(ScenarioError::NotModelled { at: locate(document, "spec.limits"), reason });
    }
    if let Some((name, _)) = pool.limits.iter().find(|(_, amount)| amount.0 < 0) {
        let reason = format!("the limit on `{name}` is negative: no node would ever fit");
        return Err(ScenarioError::Inconsistent { at: locate(document, "spec.limits"), reason });
    }
    let resource = &offerings[0].gpu_resource;
    let slip = pool.limits.keys().find(|key| {
        // Other accelerators look alike; a letter or two more or less of this one is a slip of it.
        let is_near = (1..=2).contains(&names::distance(key, resource));
        is_near || (names::nearest(key, [resource.as_str()]).is_some() && *key != resource && !is_accelerator(key))
    });
    if let Some(slip) = slip {
        let reason = format!("a limit on `{slip}` limits nothing: no node has any; did you mean `{resource}`?");
        return Err(ScenarioError::Inconsistent { at: locate(document, "spec.limits"), reason });
    }
    let whole = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let nodes_max = limit("nodes").map(whole);
    let is_static = pool.replicas.is_some();
    let mut labels: BTreeMap<String, String> = found.labels;
    labels.extend(pool.labels.iter().map(|(key, value)| (key.clone(), value.clone())));
    Ok(NodePoolSpec {
        name: pool.name.clone(),
        weight: pool.weight,
        labels: labels.into_iter().collect(),
        gpus_max: limit(&offerings[0].gpu_resource).map(whole),
        cpu_max: pool.limits.get("cpu").map(|cpu| Millicores(u64::try_from(cpu.0).unwrap_or(0))),
        memory_max: limit("memory").map(Bytes),
        offerings,
        nodes_min: pool.replicas.map_or(0, |replicas| replicas.min(nodes_max.unwrap_or(u32::MAX))),
        nodes_max,
        on_demand: None,
        consolidation: if is_static { Consolidation::Never } else { pool.disruption.consolidation },
        expire_after: pool.disruption.expire_after,
        termination_grace: pool.disruption.termination_grace,
        budgets: pool.disruption.budgets,
        rules: PoolRules {
            taints: pool.taints,
            protected: pool.protected,
            expires_gracefully: pool.disruption.expires_gracefully,
            is_static,
            lacks_gpu_label: false,
            only_for: None,
        },
    })
}
