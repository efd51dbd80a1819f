//! What a pool can launch: instance types that meet its requirements, with shape and price.

use cluster::spec::{Billing, GpuSlice, InstanceOffering};
use prices::PriceError;
use record::Purchase;
use units::{Bytes, Millicores};

use crate::error::ScenarioError;
use crate::file::{CapacityType, OfferCapacity, ScenarioSpec};
use crate::manifest::{KarpenterPool, Operator, Requirement};

use super::Context;
use super::price_book::PriceBook;
use super::shapes::{Shape, built_in, built_in_names};
use super::spot_history::PriceSteps;

/// Purchase options and their names in `karpenter.sh/capacity-type`.
const CAPACITY_TYPES: [(&str, CapacityType); 3] =
    [("on-demand", CapacityType::OnDemand), ("spot", CapacityType::Spot), ("reserved", CapacityType::Reserved)];

/// Requirements on labels that all nodes of the model meet alike.
const UNIFORM_KEYS: [&str; 6] = [
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "topology.kubernetes.io/region",
    "karpenter.k8s.aws/instance-hypervisor",
    "karpenter.k8s.aws/instance-generation",
    "nvidia.com/gpu",
];

impl Context<'_> {
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
            self.check_priced(market.book, instance_type, wanted.path)?;
            let shape = self.shape(market, instance_type, wanted.path)?;
            for capacity_type in wanted.capacity_types {
                let capacity = wanted.capacity.get(capacity_type).copied().unwrap_or_default();
                for zone in zones {
                    let found = market.book.prices(instance_type, *capacity_type, zone);
                    let Some(prices) = found.map_err(|reason| self.inconsistent(wanted.path, &reason))? else {
                        unpriced.push((*capacity_type, instance_type.as_str()));
                        continue;
                    };
                    let bill = (prices, market.book.billing(instance_type, *capacity_type));
                    let shape = (&shape, market.resource);
                    offerings.push(offering((instance_type, zone), *capacity_type, bill, capacity, shape));
                }
            }
        }
        if offerings.is_empty() {
            let reason = "no instance type of this pool has a price for any of its capacity types under `prices`";
            return Err(self.inconsistent(wanted.path, reason));
        }
        self.check_unpriced(market.book, wanted, &unpriced)?;
        Ok(offerings)
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
            if types.len() == wanted.instance_types.len() {
                let reason = format!(
                    "`{name}` has no price for any instance type of this pool: write `{key}` under `prices`, or leave it out{hint}"
                );
                return Err(self.inconsistent(path, &reason));
            }
            let types = types.join(", ");
            self.notes
                .push(format!("not offered for want of a price: {types} as `{name}` (`{key}` under `prices`){hint}"));
        }
        Ok(())
    }

    /// An instance type asked for by name must have a price.
    fn check_priced(&self, book: &PriceBook, instance_type: &str, path: &str) -> Result<(), ScenarioError> {
        book.check(instance_type).map_err(|reason| match reason {
            Some(error @ (PriceError::AmbiguousProvider { .. } | PriceError::UnknownRegion { .. })) => {
                self.inconsistent(path, &format!("{error} (`prices.provider` and `prices.region` choose)"))
            }
            _ => self.unknown_name(path, "entry under `prices` for instance type", instance_type, book.names()),
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
        let in_catalog = || market.book.shape(instance_type).and_then(Shape::sold);
        built_in(instance_type).or_else(in_catalog).ok_or_else(|| {
            let known = built_in_names().map(str::to_owned).chain(market.spec.nodes.instance_types.keys().cloned());
            self.unknown_name(path, "built-in shape or `nodes.instanceTypes` entry for", instance_type, known)
        })
    }

    /// Types, purchase options and zones that meet a Karpenter pool's requirements, among the types that have a price.
    pub(super) fn karpenter_wish(&self, market: &Market<'_>, pool: &KarpenterPool) -> Result<Wish, String> {
        let mut types: Vec<String> = market.book.names();
        let mut capacity_types: Vec<CapacityType> = CAPACITY_TYPES.iter().map(|known| known.1).collect();
        if pool.on_demand_by_default && pool.requirements.iter().all(|rule| rule.key != "karpenter.sh/capacity-type") {
            capacity_types = vec![CapacityType::OnDemand];
        }
        let mut zones = Vec::new();
        for rule in &pool.requirements {
            match rule.key.as_str() {
                "node.kubernetes.io/instance-type" => {
                    named_types(rule, &types)?;
                    types.retain(|name| admits(rule, name));
                }
                "karpenter.sh/capacity-type" => {
                    capacity_types
                        .retain(|kind| CAPACITY_TYPES.iter().any(|known| known.1 == *kind && admits(rule, known.0)));
                }
                "topology.kubernetes.io/zone" if rule.operator == Operator::In => zones.clone_from(&rule.values),
                key if UNIFORM_KEYS.contains(&key) => {}
                _ => types.retain(|name| {
                    self.shape(market, name, "spec.prices").is_ok_and(|shape| meets(rule, name, &shape))
                }),
            }
            if !is_understood(rule) {
                return Err(format!("requirement on `{}` with operator {:?} is not modelled", rule.key, rule.operator));
            }
        }
        Ok(Wish { instance_types: types, capacity_types, zones })
    }
}

/// What a Karpenter pool's requirements leave.
pub struct Wish {
    /// Instance types.
    pub instance_types: Vec<String>,
    /// Purchase options.
    pub capacity_types: Vec<CapacityType>,
    /// Zones.
    pub zones: Vec<String>,
}

/// What there is to be had: shapes and prices.
pub struct Market<'a> {
    /// The scenario, for shapes.
    pub spec: &'a ScenarioSpec,
    /// Prices.
    pub book: &'a PriceBook,
    /// The extended resource the pod asks for.
    pub resource: &'a str,
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
    /// Zones.
    pub zones: &'a [String],
    /// How much there is.
    pub capacity: &'a std::collections::BTreeMap<CapacityType, OfferCapacity>,
}

/// An instance type that is asked for by name must have a price, else the pool would silently be smaller than it is.
fn named_types(rule: &Requirement, priced: &[String]) -> Result<(), String> {
    match rule.values.iter().find(|name| rule.operator == Operator::In && !priced.contains(name)) {
        Some(name) => Err(format!("instance type `{name}` has no entry under `prices` of the scenario")),
        None => Ok(()),
    }
}

fn admits(rule: &Requirement, value: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
    let bound = rule.values.first().map_or(f64::NAN, |text| number(text));
    match rule.operator {
        Operator::In => rule.values.iter().any(|allowed| allowed == value),
        Operator::NotIn => rule.values.iter().all(|refused| refused != value),
        Operator::Exists => true,
        Operator::DoesNotExist => false,
        Operator::Gt => number(value) > bound,
        Operator::Lt => number(value) < bound,
    }
}

/// Whether a shape meets a requirement on a label that follows from it.
fn meets(rule: &Requirement, name: &str, shape: &Shape) -> bool {
    let family = name.split('.').next().unwrap_or(name);
    let category: String = family.chars().take_while(char::is_ascii_alphabetic).collect();
    let value = match rule.key.as_str() {
        "karpenter.k8s.aws/instance-family" => family.to_owned(),
        "karpenter.k8s.aws/instance-category" => category,
        "karpenter.k8s.aws/instance-size" => name.split('.').nth(1).unwrap_or_default().to_owned(),
        "karpenter.k8s.aws/instance-gpu-count" => shape.gpus.to_string(),
        "karpenter.k8s.aws/instance-cpu" => shape.cpu.0.div_ceil(1000).to_string(),
        "nvidia.com/gpu.product" => shape.gpu_product.clone(),
        _ => return true,
    };
    admits(rule, &value)
}

/// Whether the requirement is one of those above.
fn is_understood(rule: &Requirement) -> bool {
    const SHAPE_KEYS: [&str; 6] = [
        "karpenter.k8s.aws/instance-family",
        "karpenter.k8s.aws/instance-category",
        "karpenter.k8s.aws/instance-size",
        "karpenter.k8s.aws/instance-gpu-count",
        "karpenter.k8s.aws/instance-cpu",
        "nvidia.com/gpu.product",
    ];
    let key = rule.key.as_str();
    UNIFORM_KEYS.contains(&key)
        || SHAPE_KEYS.contains(&key)
        || matches!(key, "node.kubernetes.io/instance-type" | "karpenter.sh/capacity-type")
        || (key == "topology.kubernetes.io/zone" && rule.operator == Operator::In)
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
    (shape, resource): (&Shape, &str),
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
        extended: Vec::new(),
    };
    shape.fill(&mut offering, resource);
    offering
}
