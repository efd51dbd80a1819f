//! Where pods run: on the pools of the manifests, else on the machine their labels ask for, else on the cheapest that holds them.

use std::cmp::Reverse;
use std::path::Path;

use cluster::spec::{PodSpec, named_labels, slots};
use prices::{Catalog, Gpu, Label, Machine, Query, default_region, known_values, machines, well_known_key};
use record::Purchase;
use scenario::{Loaded, ScenarioError};

use super::load;
use super::manifests::Found;
use super::starter::{NodesChoice, Starter};
use crate::failure::{Failure, OrInput, Result};

/// Providers in the order they are tried where nothing says which.
const PROVIDERS: [&str; 3] = ["aws", "gcp", "azure"];

/// Words in manifests that say whose cluster it is.
const SIGNS: [(&str, &str); 11] = [
    ("karpenter.k8s.aws", "aws"),
    ("eks.amazonaws.com", "aws"),
    (".dkr.ecr.", "aws"),
    ("service.beta.kubernetes.io/aws-", "aws"),
    ("cloud.google.com/", "gcp"),
    ("karpenter.k8s.gcp", "gcp"),
    ("networking.gke.io", "gcp"),
    ("iam.gke.io", "gcp"),
    ("karpenter.azure.com", "azure"),
    ("kubernetes.azure.com/", "azure"),
    (".azurecr.io", "azure"),
];

/// Label of nodes that EKS Auto Mode launches.
const AUTO_MODE: &str = "eks.amazonaws.com/compute-type";

/// What was chosen.
pub struct Chosen {
    /// The nodes.
    pub nodes: NodesChoice,
    /// The GPU replicas will run on and how many of them each has, if that is known.
    pub gpu: Option<(&'static Gpu, u32)>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// These nodes, if the pod can run there.
pub fn on(nodes: &NodesChoice, starter: &Starter, found: &Found) -> Option<Chosen> {
    let loaded = load(starter.probe(nodes), found, Path::new("")).ok()?;
    let NodesChoice::Pool { instance_type, .. } = nodes else {
        return Some(on_manifests(starter, &loaded, Vec::new()));
    };
    let count = loaded.spec.services[0].pod.replica_gpus();
    let gpu = prices::machine(instance_type).and_then(|machine| machine.gpu).map(|gpu| (gpu, count));
    Some(Chosen { nodes: nodes.clone(), gpu, notes: slowness(starter, gpu) })
}

/// The pools of the manifests where there are any; otherwise the cheapest machine of the catalog that the pod can run on, of this provider
/// first if one is named.
pub fn choose(starter: &Starter, found: &Found, provider: Option<&str>) -> Result<Chosen> {
    let works = |nodes: &NodesChoice| load(starter.probe(nodes), found, Path::new(""));
    // Without nodes every remaining mistake is one in the manifests, and theirs is the message that helps.
    let pod = works(&NodesChoice::Serverless).or_input()?.spec.services.swap_remove(0).pod;
    let mut notes = Vec::new();
    if !found.pools.is_empty() {
        match works(&NodesChoice::Manifests) {
            Ok(loaded) => return Ok(on_manifests(starter, &loaded, notes)),
            Err(error @ ScenarioError::CpuPools { .. }) => notes.push(format!("nodes: {error}; a pool was made up")),
            Err(error) => return Err(Failure::input(error)),
        }
    }
    if found.has_classes && found.pools.is_empty() {
        match works(&NodesChoice::Manifests) {
            Ok(loaded) => return Ok(on_manifests(starter, &loaded, notes)),
            Err(error) => notes.push(format!("nodes: {error}; a pool was made up")),
        }
    }
    if found.pools.is_empty() && pod.gpus > 0 && selected(&pod, AUTO_MODE) == Some("auto") {
        notes.push(format!(
            "nodes: the pods select `{AUTO_MODE}: auto`, and the built-in pools of EKS Auto Mode launch no GPU: without a NodePool for it they \
             stay pending in a cluster; a pool was made up"
        ));
    }
    let sign = sign(found);
    let mut refusal = None;
    let provider = provider.or(sign.as_ref().map(|sign| sign.1));
    let seen = starter.seen_gpu();
    let is_other = |gpu: &Gpu| seen.is_some_and(|product| !gpu.products.iter().any(|name| name == product));
    for offer in offers(&pod, provider, (&is_other, &|gpu| starter.lacks_speed(gpu, pod.replica_gpus()))) {
        let choice = NodesChoice::Pool {
            provider: offer.machine.provider.clone(),
            instance_type: offer.machine.instance_type.clone(),
            is_spot: offer.is_spot,
            region: offer.region.clone(),
            zone: zone(&pod),
        };
        match works(&choice) {
            Ok(_) => {
                let gpu = offer.machine.gpu.map(|gpu| (gpu, pod.replica_gpus()));
                let is_seen = seen.is_some() && gpu.is_some_and(|(gpu, _)| !is_other(gpu));
                notes.push(reason(&offer, (&pod, starter.held()), (sign.as_ref(), is_seen)));
                if let (Some(product), false) = (seen, is_seen) {
                    notes.push(format!(
                        "nodes: by dcgm-exporter the pods had {product}, with which the catalog has no machine for them"
                    ));
                }
                notes.extend(slowness(starter, gpu));
                return Ok(Chosen { nodes: choice, gpu, notes });
            }
            Err(error) => refusal = Some(error),
        }
    }
    let place = found.chosen.as_ref().map_or_else(String::new, |chosen| format!("{}: ", chosen.place));
    Err(Failure::input(format!("{place}{}", refused(&pod, refusal))))
}

/// On the pools of the manifests; which GPU that is follows from what would be launched first.
fn on_manifests(starter: &Starter, loaded: &Loaded, mut notes: Vec<String>) -> Chosen {
    let (spec, pod) = (&loaded.spec.fleet, &loaded.spec.services[0].pod);
    let named = named_labels(&spec.pools);
    let offerings = spec.pools.iter().flat_map(|pool| pool.offerings.iter().map(move |offering| (pool, offering)));
    let offerings = offerings.filter(|(pool, offering)| slots(offering, (pool, &named), pod) > 0);
    let first = offerings.min_by_key(|(pool, offering)| (Reverse(pool.weight), offering.prices[0].1));
    let first = first.map(|(_, offering)| offering);
    let is_equal = spec.pools.iter().all(|pool| pool.weight == spec.pools[0].weight);
    let gpu = first.and_then(|offering| {
        let by_type = || prices::machine(&offering.instance_type).and_then(|machine| machine.gpu);
        Gpu::of_product(&offering.gpu_product).or_else(by_type)
    });
    let gpu = gpu.map(|gpu| (gpu, pod.replica_gpus()));
    notes.extend(slowness(starter, gpu));
    if let (Some(first), Some((gpu, _))) = (first, gpu) {
        notes.push(format!(
            "nodes: the pools of the manifests; how fast a replica serves is a guess for {}, the GPU of {}, {}",
            gpu.name,
            first.instance_type,
            if is_equal { "the cheapest of them" } else { "the cheapest of the pool that is tried first" }
        ));
    }
    Chosen { nodes: NodesChoice::Manifests, gpu, notes }
}

/// Whether the speed in the scenario is not that of the machine it pays for.
fn slowness(starter: &Starter, gpu: Option<(&Gpu, u32)>) -> Vec<String> {
    let slow = gpu.filter(|(gpu, count)| starter.lacks_speed(gpu, *count));
    let slow = slow.map(|(gpu, count)| format!(
        "service.model: how fast {} x {} serve{} is not known, or the model does not fit: the scenario has the speed of one H100, which is \
         wrong for it; state your own (`scalelab calibrate service`)",
        count.max(1),
        gpu.name,
        if count > 1 { "" } else { "s" }
    ));
    slow.into_iter().collect()
}

/// What may be said of a GPU.
type IsGpu<'a> = dyn Fn(&Gpu) -> bool + 'a;

/// A machine at a price.
struct Offer {
    machine: &'static Machine,
    is_spot: bool,
    price: units::UsdPerHour,
    region: Option<String>,
}

/// Machines that may hold the pod, in the order they are tried: with the GPU that was seen, of the cloud the manifests speak of, whole GPUs before slices, GPUs whose
/// speed is known and that hold the model before others, amd64 before arm64, for which most images are not built, on demand before spot,
/// the cheapest first.
fn offers(pod: &PodSpec, sign: Option<&str>, (is_other, lacks_speed): (&IsGpu<'_>, &IsGpu<'_>)) -> Vec<Offer> {
    let catalog = Catalog::built_in();
    let region = region(pod);
    let mut offers = Vec::new();
    for machine in machines().iter().filter(|machine| may_hold(machine, pod)) {
        let own = region.clone().filter(|name| is_of(&machine.provider, name));
        if region.is_some() && own.is_none() {
            continue;
        }
        for is_spot in [false, true] {
            let query = Query {
                instance_type: &machine.instance_type,
                provider: Some(&machine.provider),
                region: own.as_deref().or_else(|| default_region(&machine.provider)),
                zone: None,
                purchase: if is_spot { Purchase::Spot } else { Purchase::OnDemand },
            };
            if let Ok(price) = catalog.price(query) {
                offers.push(Offer { machine, is_spot, price: price.price, region: own.clone() });
            }
        }
    }
    // Azure only where something speaks of it: its smallest sizes are cheap for what they leave out.
    let strange = |offer: &Offer| match sign {
        Some(provider) => offer.machine.provider != provider,
        None => offer.machine.provider == "azure",
    };
    offers.sort_by_key(|offer| {
        let rank = PROVIDERS.iter().position(|name| *name == offer.machine.provider);
        (
            offer.machine.gpu.is_none_or(is_other),
            strange(offer),
            offer.machine.is_slice(),
            offer.machine.gpu.is_none_or(lacks_speed),
            offer.machine.arch == "arm64",
            offer.is_spot,
            offer.price,
            rank,
            offer.machine.instance_type.as_str(),
        )
    });
    offers
}

/// Whether the machine has what the pod asks for and none of its selectors says otherwise. What follows from pools and purchase is seen
/// when the scenario is read.
fn may_hold(machine: &Machine, pod: &PodSpec) -> bool {
    let sum = |of: fn(&cluster::spec::ContainerSpec) -> Option<u64>| pod.containers.iter().filter_map(of).sum::<u64>();
    let (cpu, memory) = (sum(|one| one.cpu.map(|cpu| cpu.0)), sum(|one| one.memory.map(|memory| memory.0)));
    machine.gpus >= pod.gpus.max(1)
        && (pod.gpus == 0 || machine.resource() == pod.gpu_resource)
        && machine.cpu_milli >= cpu
        && machine.allocatable_mib << 20 >= memory
        && pod.node_selector.iter().all(|(key, value)| is_met(machine, key, value))
}

fn is_met(machine: &Machine, key: &str, value: &str) -> bool {
    match machine.label(key) {
        Some(Label::Value(has)) => {
            let products = machine.gpu.map(|gpu| gpu.products.as_slice()).unwrap_or_default();
            has == value || (key == "nvidia.com/gpu.product" && products.iter().any(|name| name == value))
        }
        Some(Label::Absent) => false,
        // What a slice is called is not in the table; it begins with the name of its GPU.
        Some(Label::Opaque) if key == "nvidia.com/gpu.product" => {
            let products = machine.gpu.map(|gpu| gpu.products.as_slice()).unwrap_or_default();
            products.iter().any(|product| value.starts_with(product.as_str()))
        }
        Some(Label::Opaque) | None => true,
    }
}

/// The zone the pod selects.
fn zone(pod: &PodSpec) -> Option<String> {
    selected(pod, "topology.kubernetes.io/zone").map(str::to_owned)
}

/// The region the pod selects, or that its zone is in.
fn region(pod: &PodSpec) -> Option<String> {
    let of_zone = |zone: &str| {
        let aws = zone.strip_suffix(|letter: char| letter.is_ascii_lowercase());
        let aws = aws.filter(|region| {
            region.ends_with(|digit: char| digit.is_ascii_digit()) && region.matches('-').count() == 2
        });
        aws.or_else(|| zone.rsplit_once('-').map(|(region, _)| region)).map(str::to_owned)
    };
    selected(pod, "topology.kubernetes.io/region")
        .map(str::to_owned)
        .or_else(|| selected(pod, "topology.kubernetes.io/zone").and_then(of_zone))
}

fn selected<'a>(pod: &'a PodSpec, key: &str) -> Option<&'a str> {
    pod.node_selector.iter().find(|(name, _)| well_known_key(name) == key).map(|(_, value)| value.as_str())
}

/// Whether a provider has prices in a region.
fn is_of(provider: &str, region: &str) -> bool {
    Catalog::built_in().rows().iter().any(|row| row.provider == provider && row.region == region)
}

/// The word in the manifests that says whose cluster it is, and whose; `None` without one, or with words of several.
fn sign(found: &Found) -> Option<(&'static str, &'static str)> {
    let texts: Vec<String> = found.files.iter().filter_map(|(_, content)| content.text()).collect();
    let seen: Vec<_> = SIGNS.into_iter().filter(|(word, _)| texts.iter().any(|text| text.contains(word))).collect();
    let first = *seen.first()?;
    seen.iter().all(|(_, provider)| *provider == first.1).then_some(first)
}

/// What was taken and why.
fn reason(offer: &Offer, (pod, held): (&PodSpec, &str), (sign, is_seen): (Option<&(&str, &str)>, bool)) -> String {
    let machine = offer.machine;
    let gpu = machine.gpu.map_or_else(String::new, |gpu| format!("{} x {}, ", machine.gpus, gpu.name));
    let region = offer.region.as_deref().or_else(|| default_region(&machine.provider)).unwrap_or_default();
    let bought = if offer.is_spot { "spot" } else { "on demand" };
    let decisive: Vec<String> = pod
        .node_selector
        .iter()
        .filter(|(key, _)| {
            machine.label(key).is_some_and(|label| label != Label::Opaque) || (offer.is_spot && key.contains("spot"))
        })
        .map(|(key, value)| format!("`{key}: {value}`"))
        .collect();
    let why = match (decisive.is_empty(), sign) {
        (false, _) => format!("the cheapest that holds {held} and has {}", decisive.join(", ")),
        (true, _) if !pod.scheduling.node_terms.is_empty() => {
            format!("the cheapest that holds {held} and meets its required node affinity")
        }
        (true, _) if is_seen => format!("the cheapest that holds {held} with the GPU that dcgm-exporter shows"),
        (true, Some((word, provider))) => {
            format!("the cheapest of {provider} that holds {held}, since the manifests speak of `{word}`")
        }
        (true, None) => format!("the cheapest that holds {held}, since nothing in the manifests says which machine"),
    };
    format!(
        "nodes: {} ({gpu}{} {region}, {bought} ${}/h): {why}",
        machine.instance_type,
        machine.provider,
        offer.price.as_f64()
    )
}

/// Why there is no machine.
fn refused(pod: &PodSpec, refusal: Option<ScenarioError>) -> String {
    let how = "start from scenarios/triton-day and describe yours under `nodes.instanceTypes` and `prices`";
    if pod.gpus > 0 && !machines().iter().any(|machine| machine.gpus > 0 && machine.resource() == pod.gpu_resource) {
        let asked: Vec<String> = pod.node_selector.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        let asked = if asked.is_empty() { String::new() } else { format!(", on nodes with {}", asked.join(", ")) };
        return format!(
            "the pod asks for {} x `{}`{asked}: the price catalog has machines with `nvidia.com/gpu` only; {how}",
            pod.gpus, pod.gpu_resource
        );
    }
    let nobody =
        pod.node_selector.iter().find(|(key, value)| !machines().iter().any(|machine| is_met(machine, key, value)));
    if let Some((key, value)) = nobody {
        let mut known: Vec<String> =
            PROVIDERS.iter().filter_map(|provider| known_values(provider, key)).flatten().collect();
        if well_known_key(key) == "node.kubernetes.io/instance-type" {
            known.extend(machines().iter().map(|machine| machine.instance_type.clone()));
        }
        let hint = names::nearest(value, known.iter().map(String::as_str));
        let hint = hint.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        return format!(
            "no machine of the price catalog has the label `{key}: {value}` that the pod selects{hint}; {how}"
        );
    }
    let refusal = refusal.map(|error| format!(" ({error})")).unwrap_or_default();
    let selected: Vec<String> = pod.node_selector.iter().map(|(key, value)| format!("`{key}: {value}`")).collect();
    let selected = if selected.is_empty() { String::new() } else { format!(" and has {}", selected.join(", ")) };
    format!("no machine of the price catalog can hold the pod{selected}{refusal}; {how}")
}
