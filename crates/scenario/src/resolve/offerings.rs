//! What a pool can launch: instance types with shape, labels and price.

use std::borrow::Cow;
use std::collections::BTreeMap;

use cluster::spec::{Billing, GpuSlice, HOSTNAME, InstanceOffering, PodSpec};
use prices::{Gpu, Label, Machine, PriceError, machines, well_known_key};
use record::Purchase;
use units::{Bytes, Millicores, SimTime, UsdPerHour};

use crate::error::ScenarioError;
use crate::file::{CapacityType, OfferCapacity, ServiceView};

use super::Context;
use super::cloud::Cloud;
use super::daemons::Daemon;
use super::overlay::{Overlaid, Overlay};
use super::price_book::{Place, PriceBook};
use super::shapes::Shape;
use super::spot_history::PriceSteps;
use super::wish::{self, CAPACITY_TYPES};

impl Context<'_> {
    /// GPUs that are cut or shared are offered as one resource: two services cannot ask for them as two.
    fn check_one_resource(
        &self,
        market: &Market<'_>,
        shape: &Shape,
        (instance_type, path): (&str, &str),
    ) -> Result<(), ScenarioError> {
        let advertised =
            |pod: &&PodSpec| pod.gpus > 0 && shape.sliced.iter().any(|(name, _)| *name == pod.gpu_resource);
        let mut asked = market.pods().filter(advertised).map(|pod| pod.gpu_resource.as_str());
        let Some(first) = asked.next() else { return Ok(()) };
        let Some(other) = asked.find(|other| *other != first) else { return Ok(()) };
        let reason = format!("services ask for `{first}` and for `{other}` of {instance_type}, one node for both");
        Err(ScenarioError::NotModelled { at: self.at(path), reason })
    }

    /// One offering per instance type, purchase option and zone.
    pub(super) fn offerings(
        &mut self,
        market: &Market<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Vec<InstanceOffering>, ScenarioError> {
        let no_zone = [String::new()];
        let zones = if wanted.zones.is_empty() { &no_zone[..] } else { wanted.zones };
        let (mut offerings, mut unpriced) = (Vec::new(), Vec::new());
        for instance_type in &wanted.instance_types {
            let place = wanted.place();
            if wanted.spot_price.is_none() {
                self.check_priced(market.book, instance_type, place, wanted.path)?;
            }
            let shape = self.shape(market, instance_type, wanted.path)?;
            self.check_one_resource(market, &shape, (instance_type, wanted.path))?;
            let machine = self.machine(market, instance_type);
            for capacity_type in wanted.capacity_types {
                let capacity = wanted.capacity.get(capacity_type).copied().unwrap_or_default();
                for zone in zones {
                    let place = Place { zone, ..place };
                    let Some(prices) = self.price_steps(market, wanted, (instance_type, *capacity_type), place)? else {
                        unpriced.push((*capacity_type, instance_type.as_str()));
                        continue;
                    };
                    let bill = (prices, market.book.billing(instance_type, *capacity_type));
                    let mut offering =
                        offering((instance_type, zone), *capacity_type, bill, capacity, (&shape, market));
                    if let Some(machine) = &machine {
                        offering.labels = labels(machine, &offering, market, wanted);
                        Overlaid { machine, wanted }.apply(market.overlays, &mut offering);
                    }
                    offerings.push(offering);
                }
            }
        }
        if offerings.is_empty() {
            return Err(self.inconsistent(wanted.path, &nothing_priced(market.book, wanted, &unpriced)));
        }
        self.check_unpriced(market.book, wanted, &unpriced)?;
        Ok(offerings)
    }

    /// The price over the run, with what the operator of the nodes adds; `None` if nobody states it.
    fn price_steps(
        &self,
        market: &Market<'_>,
        wanted: &Wanted<'_>,
        (name, capacity_type): (&str, CapacityType),
        place: Place<'_>,
    ) -> Result<Option<PriceSteps>, ScenarioError> {
        let found = match (capacity_type, wanted.spot_price) {
            (CapacityType::Spot, Some(price)) => Ok(Some(PriceSteps::from([(SimTime::ZERO, price)]))),
            _ => market.book.prices(name, capacity_type, place),
        };
        let steps = found.map_err(|reason| self.inconsistent(wanted.path, &reason))?;
        let percent = market.spec.prices.node_fee.percent;
        if percent == 0.0 {
            return Ok(steps);
        }
        if !(percent.is_finite() && percent > 0.0) {
            return Err(self.inconsistent("spec.prices.nodeFee.percent", "must be 0 or more"));
        }
        let Some(steps) = steps else { return Ok(None) };
        let on_demand = market.book.prices(name, CapacityType::OnDemand, place).ok().flatten();
        let Some(on_demand) = on_demand.map(|steps| steps[0].1) else {
            let reason = format!("the fee is a share of the on-demand price, and `{name}` has none");
            return Err(self.inconsistent("spec.prices.nodeFee.percent", &reason));
        };
        let fee = (on_demand.as_micros() as f64 * percent / 100.0).round() as u64;
        let with_fee = |step: &(SimTime, UsdPerHour)| (step.0, UsdPerHour::from_micros(step.1.as_micros() + fee));
        Ok(Some(steps.iter().map(with_fee).collect()))
    }

    /// A purchase option that is asked for by name and has no price would silently make the pool smaller than it is: for all types that is
    /// a mistake, for some worth a note.
    fn check_unpriced(
        &mut self,
        book: &PriceBook,
        wanted: &Wanted<'_>,
        unpriced: &[(CapacityType, &str)],
    ) -> Result<(), ScenarioError> {
        let Some(path) = wanted.capacity_path else { return Ok(()) };
        for (name, capacity_type) in CAPACITY_TYPES {
            let mut types: Vec<&str> = unpriced.iter().filter(|one| one.0 == capacity_type).map(|one| one.1).collect();
            types.dedup();
            if types.is_empty() {
                continue;
            }
            let key = price_key(capacity_type);
            let hint = book.unpriced_hint(capacity_type);
            if types.len() == wanted.instance_types.len() && wanted.capacity_is_required {
                let reason = format!(
                    "`{name}` has no price for any instance type of this pool: write `{key}` under `prices`, or leave it out{hint}{}",
                    known_siblings(book, wanted, capacity_type, &types)
                );
                return Err(self.inconsistent(path, &reason));
            }
            let known = known_siblings(book, wanted, capacity_type, &types);
            let types = types.join(", ");
            self.notes.push(format!(
                "not offered for want of a price: {types} as `{name}` (`{key}` under `prices`){hint}{known}"
            ));
        }
        Ok(())
    }

    /// An instance type asked for by name must have a price.
    fn check_priced(&self, book: &PriceBook, name: &str, place: Place<'_>, path: &str) -> Result<(), ScenarioError> {
        book.check(name, place).map_err(|reason| match reason {
            Some(error @ (PriceError::AmbiguousProvider { .. } | PriceError::UnknownRegion { .. })) => {
                self.inconsistent(path, &format!("{error} (`prices.provider` and `prices.region` choose)"))
            }
            _ => self.unknown_name(path, "entry under `prices` for instance type", name, book.names()),
        })
    }

    fn shape(&self, market: &Market<'_>, instance_type: &str, path: &str) -> Result<Shape, ScenarioError> {
        if let Some(file) = market.spec.nodes.instance_types.get(instance_type) {
            let below = format!("spec.nodes.instanceTypes[\"{instance_type}\"]");
            let shape = Shape::written(file).ok_or_else(|| {
                self.inconsistent(&format!("{below}.cpu"), "must be a CPU quantity such as `11` or `11500m`")
            })?;
            return match shape.overcommitted() {
                Some(reason) => Err(self.inconsistent(&format!("{below}.resources"), &reason)),
                None => Ok(shape),
            };
        }
        let known = market.book.machine(instance_type).or_else(|| prices::machine(instance_type).map(Cow::Borrowed));
        known.map(|machine| Shape::of(&machine)).ok_or_else(|| {
            let known = machines().iter().map(|machine| machine.instance_type.clone());
            let known = known.chain(market.spec.nodes.instance_types.keys().cloned());
            self.unknown_name(path, "built-in shape or `nodes.instanceTypes` entry for", instance_type, known)
        })
    }

    /// What is known of a machine beyond its shape: the table's entry, else what a catalog row or the scenario says; `None` if nobody knows
    /// whose it is.
    #[allow(clippy::unused_self, reason = "a question to the context like its neighbours")]
    pub(super) fn machine<'m>(&self, market: &Market<'m>, name: &str) -> Option<Cow<'m, Machine>> {
        let known = market.book.machine(name).or_else(|| prices::machine(name).map(Cow::Borrowed));
        let Some(file) = market.spec.nodes.instance_types.get(name) else { return known };
        let mut machine = known?.into_owned();
        let product = Gpu::of_product(&file.gpu_product);
        machine.gpu = product.or(machine.gpu).filter(|_| file.gpus > 0);
        machine.gpus = file.gpus;
        machine.devices = Some(file.gpus);
        Some(Cow::Owned(machine))
    }
}

/// What there is to be had: shapes and prices.
pub struct Market<'a> {
    /// The scenario, for shapes.
    pub spec: &'a ServiceView,
    /// Prices.
    pub book: &'a PriceBook,
    /// The pods that are to run, of each service its own.
    pub askers: &'a [Asker<'a>],
    /// Pods that run on every node that they may.
    pub daemons: &'a [Daemon],
    /// Prices that Karpenter chooses by, the one that counts first.
    pub overlays: &'a [Overlay],
}

/// A service whose pods are to run.
#[derive(Clone, Debug)]
pub struct Asker<'a> {
    /// Its number.
    pub number: usize,
    /// Its name.
    pub name: &'a str,
    /// Its pod.
    pub pod: &'a PodSpec,
    /// The namespace of its workload, if that or the scenario says so.
    pub namespace: Option<String>,
}

impl<'a> Market<'a> {
    /// The pods that are to run.
    pub fn pods(&self) -> impl Iterator<Item = &'a PodSpec> + use<'a> {
        self.askers.iter().map(|asker| asker.pod)
    }

    /// Whether any of them asks for GPUs.
    pub fn wants_gpus(&self) -> bool {
        self.pods().any(|pod| pod.gpus > 0)
    }
}

/// What a pool asks for.
pub struct Wanted<'a> {
    /// Where it is written.
    pub path: &'a str,
    /// Instance types.
    pub instance_types: Vec<String>,
    /// Purchase options.
    pub capacity_types: &'a [CapacityType],
    /// Where they are written; `None` if nobody asked for them by name.
    pub capacity_path: Option<&'a str>,
    /// Whether an option that no type has a price of is a mistake, or only worth a note.
    pub capacity_is_required: bool,
    /// Zones.
    pub zones: &'a [String],
    /// How much there is.
    pub capacity: &'a BTreeMap<CapacityType, OfferCapacity>,
    /// The pool.
    pub pool: &'a str,
    /// Whose machines, and whose labels their nodes carry; `None`: whoever has the type.
    pub cloud: Option<&'a Cloud>,
    /// Region, where it is not that of `prices`.
    pub region: Option<&'a str>,
    /// The pool's own spot price.
    pub spot_price: Option<UsdPerHour>,
}

impl Wanted<'_> {
    /// Where its machines are bought.
    pub fn place(&self) -> Place<'_> {
        let provider = self.cloud.map(|cloud| cloud.provider.as_str()).filter(|name| !name.is_empty());
        Place { provider, region: self.region, zone: "" }
    }
}

/// What has no price where nothing has one.
fn nothing_priced(book: &PriceBook, wanted: &Wanted<'_>, unpriced: &[(CapacityType, &str)]) -> String {
    let mut text = "no instance type of this pool has a price for any of its capacity types under `prices`".to_owned();
    for (name, capacity_type) in CAPACITY_TYPES {
        let mut types: Vec<&str> = unpriced.iter().filter(|one| one.0 == capacity_type).map(|one| one.1).collect();
        types.dedup();
        if !types.is_empty() {
            let known = known_siblings(book, wanted, capacity_type, &types);
            text += &format!("; `{name}`: {}{known}", types.join(", "));
        }
    }
    text
}

/// For spot prices that are not known: which sizes of the family have one.
fn known_siblings(book: &PriceBook, wanted: &Wanted<'_>, capacity_type: CapacityType, types: &[&str]) -> String {
    if capacity_type != CapacityType::Spot {
        return String::new();
    }
    let mut known: Vec<String> = types.iter().flat_map(|name| book.spot_siblings(name, wanted.place())).collect();
    known.sort();
    known.dedup();
    if known.is_empty() {
        return String::new();
    }
    format!("; known of {}: `estimateSpot: siblings` under `prices` guesses from them", known.join(", "))
}

/// The labels of its nodes that the pod asks for, as far as the machine, its place and its purchase decide them, and its region.
fn labels(
    machine: &Machine,
    offering: &InstanceOffering,
    market: &Market<'_>,
    wanted: &Wanted<'_>,
) -> Vec<(String, Option<String>)> {
    let any = Cloud::any(&machine.provider);
    let cloud = wanted.cloud.unwrap_or(&any);
    let mut labels = Vec::new();
    for (key, value) in &asked(market) {
        let known = match bought_label(key, offering, machine) {
            Some(label) => Some(label),
            None if key == "nvidia.com/gpu.product"
                && offering.gpu_product != machine.gpu.and_then(Gpu::product).unwrap_or("") =>
            {
                // The scenario describes the machine's GPUs itself.
                None
            }
            None => match (machine.label(key).is_some(), wish::label(machine, key, cloud)) {
                (true, Label::Value(has)) => Some(Some(older_name(key, value, machine).unwrap_or(has))),
                (true, Label::Absent) => Some(None),
                _ => None,
            },
        };
        labels.extend(known.map(|known| (key.clone(), known)));
    }
    let default = || prices::default_region(&machine.provider).filter(|_| market.book.has_catalog());
    let region = wanted.region.or(market.book.region()).or_else(default);
    labels.extend(region.map(|region| ("topology.kubernetes.io/region".to_owned(), Some(region.to_owned()))));
    labels.sort();
    labels.dedup_by(|one, two| one.0 == two.0);
    labels
}

/// Labels the pods ask for, with the value wanted where it is one.
fn asked(market: &Market<'_>) -> Vec<(String, String)> {
    market.pods().chain(market.daemons.iter().map(|daemon| &daemon.pod)).flat_map(asked_by).collect()
}

fn asked_by(pod: &PodSpec) -> Vec<(String, String)> {
    let preferred = pod.scheduling.preferred.iter().map(|preference| &preference.term);
    let rules = pod.scheduling.node_terms.iter().chain(preferred).flat_map(|term| &term.labels);
    let rules = rules.map(|rule| (rule.key.clone(), rule.values.first().cloned().unwrap_or_default()));
    let domains = pod.scheduling.placement.iter().map(|rule| (rule.topology_key.clone(), String::new()));
    pod.node_selector.iter().cloned().chain(rules).chain(domains).filter(|(key, _)| key != HOSTNAME).collect()
}

/// A label that follows from how and where a machine is bought.
#[allow(clippy::option_option, reason = "whether the key is one of these, and its value")]
pub(super) fn bought_label(key: &str, offering: &InstanceOffering, machine: &Machine) -> Option<Option<String>> {
    let is_spot = offering.purchase == Purchase::Spot;
    let either = |spot: &str, other: Option<&str>| Some(if is_spot { Some(spot) } else { other }.map(str::to_owned));
    let of = |provider: &str| machine.provider == provider;
    match well_known_key(key) {
        "karpenter.sh/capacity-type" if offering.purchase == Purchase::Reserved => Some(Some("reserved".to_owned())),
        "karpenter.sh/capacity-type" => either("spot", Some("on-demand")),
        "topology.kubernetes.io/zone" if !offering.zone.is_empty() => Some(Some(offering.zone.clone())),
        "eks.amazonaws.com/capacityType" if of("aws") => either("SPOT", Some("ON_DEMAND")),
        "cloud.google.com/gke-spot" | "cloud.google.com/gke-preemptible" if of("gcp") => either("true", None),
        "cloud.google.com/gke-provisioning" if of("gcp") => either("spot", Some("standard")),
        "kubernetes.azure.com/scalesetpriority" | "kubernetes.azure.com/priority" if of("azure") => {
            either("spot", Some("regular"))
        }
        _ => None,
    }
}

/// Older drivers leave the maker out of the product's name: the pod may ask for either.
fn older_name(key: &str, value: &str, machine: &Machine) -> Option<String> {
    let gpu = machine.gpu.filter(|_| key == "nvidia.com/gpu.product")?;
    gpu.products.iter().find(|name| *name == value).cloned()
}

/// The key of a purchase option's price.
const fn price_key(capacity_type: CapacityType) -> &'static str {
    match capacity_type {
        CapacityType::OnDemand => "onDemand",
        CapacityType::Spot => "spot",
        CapacityType::Reserved => "reserved",
    }
}

fn offering(
    (instance_type, zone): (&str, &str),
    capacity_type: CapacityType,
    (prices, billing): (PriceSteps, Billing),
    capacity: OfferCapacity,
    (shape, market): (&Shape, &Market<'_>),
) -> InstanceOffering {
    let mut offering = InstanceOffering {
        instance_type: instance_type.to_owned(),
        zone: zone.to_owned(),
        purchase: match capacity_type {
            CapacityType::OnDemand => Purchase::OnDemand,
            CapacityType::Spot => Purchase::Spot,
            CapacityType::Reserved => Purchase::Reserved,
        },
        gpus: 0,
        slice: GpuSlice::whole(0),
        gpu_resource: String::new(),
        gpu_product: String::new(),
        cpu: Millicores(0),
        memory: Bytes(0),
        machine_cpu: Millicores(0),
        machine_memory: Bytes(0),
        prices,
        billing,
        capacity_max: capacity.instances_max,
        insufficient_capacity: capacity.insufficient.map_or(0.0, |share| share.0),
        labels: Vec::new(),
        extended: Vec::new(),
        overlay: None,
    };
    shape.fill(&mut offering, market.pods().map(|pod| pod.gpu_resource.as_str()));
    offering
}
