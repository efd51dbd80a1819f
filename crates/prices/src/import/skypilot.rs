//! The SkyPilot catalog: `vms.csv` of one provider, version 9 (and 5 to 8, whose columns are the same).

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::catalog::price_above_zero;
use crate::{Catalog, PriceError, Row, Shape};

/// Where a SkyPilot catalog file comes from; the file itself says neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkyPilotSource<'a> {
    /// Provider, which is the name of its folder: `aws`, `gcp`, `azure`, ...
    pub provider: &'a str,
    /// Day the file was fetched.
    pub date: Date,
    /// Source to write into each row.
    pub source: &'a str,
}

/// An imported catalog and what was left out of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The rows.
    pub catalog: Catalog,
    /// Why rows were left out, each with how many.
    pub skipped: BTreeMap<&'static str, usize>,
}

/// One record of the file.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Vm {
    #[serde(default)]
    instance_type: String,
    #[serde(default)]
    accelerator_name: String,
    #[serde(default)]
    accelerator_count: Option<f64>,
    #[serde(default, rename = "vCPUs")]
    vcpus: Option<f64>,
    #[serde(default, rename = "MemoryGiB")]
    memory_gib: Option<f64>,
    #[serde(default)]
    gpu_info: String,
    #[serde(default)]
    price: Option<f64>,
    #[serde(default)]
    spot_price: Option<f64>,
    #[serde(default)]
    region: String,
    #[serde(default)]
    availability_zone: String,
}

/// Machine families of GCP whose GPUs are rows of their own, and the GPUs of their sizes.
const GCP_MACHINES: [(&str, &str); 9] = [
    ("a2-highgpu-", "A100"),
    ("a2-megagpu-", "A100"),
    ("a2-ultragpu-", "A100-80GB"),
    ("a3-highgpu-", "H100"),
    ("a3-megagpu-", "H100-MEGA"),
    ("a3-ultragpu-", "H200"),
    ("a4-highgpu-", "B200"),
    ("a3-edgegpu-", "H100"),
    ("g2-standard-", "L4"),
];

/// GPUs of the sizes of `g2-standard-`.
const G2_GPUS: [(&str, u32); 8] =
    [("4", 1), ("8", 1), ("12", 1), ("16", 1), ("24", 2), ("32", 1), ("48", 4), ("96", 8)];

/// Reads a SkyPilot `vms.csv`. GPU instances only. On GCP, where machine and GPUs have separate rows, the two prices are added up. A spot
/// price equal to the on-demand price means that there was no spot pool at that moment, and becomes no price.
pub fn skypilot_catalog(text: &str, from: SkyPilotSource<'_>) -> Result<Imported, PriceError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let mut vms = Vec::new();
    for record in reader.deserialize::<Vm>() {
        vms.push(record.map_err(|error| read_error(&error))?);
    }
    if vms.iter().all(|vm| vm.instance_type.is_empty()) {
        return Err(PriceError::Empty {
            what: "SkyPilot catalog",
            detail: "; is there a column `InstanceType`?".to_owned(),
        });
    }
    let gpus: BTreeMap<(&str, u32, &str), &Vm> = vms
        .iter()
        .filter(|vm| vm.instance_type.is_empty())
        .map(|vm| ((vm.accelerator_name.as_str(), count_of(vm), vm.availability_zone.as_str()), vm))
        .collect();
    let mut skipped = BTreeMap::new();
    let mut rows = Vec::new();
    for vm in vms.iter().filter(|vm| !vm.instance_type.is_empty()) {
        match row(vm, &gpus, from) {
            Ok(row) => rows.push(row),
            Err(reason) => *skipped.entry(reason).or_default() += 1,
        }
    }
    Ok(Imported { catalog: Catalog::from_rows(rows), skipped })
}

fn read_error(error: &csv::Error) -> PriceError {
    PriceError::Line { line: error.position().map_or(1, csv::Position::line), reason: error.to_string() }
}

fn count_of(vm: &Vm) -> u32 {
    vm.accelerator_count.unwrap_or(0.0) as u32
}

fn row(vm: &Vm, gpus: &BTreeMap<(&str, u32, &str), &Vm>, from: SkyPilotSource<'_>) -> Result<Row, &'static str> {
    let zone = vm.availability_zone.as_str();
    let machine = gcp_machine(&vm.instance_type).filter(|_| from.provider == "gcp" && vm.accelerator_name.is_empty());
    let (device, price, spot) = match machine {
        Some((model, count)) => {
            let gpu = *gpus.get(&(model, count, zone)).ok_or("machine without a price of its GPUs")?;
            let sum = |left: Option<f64>, right: Option<f64>| Some(left? + right?);
            (gpu, sum(vm.price, gpu.price), sum(vm.spot_price, gpu.spot_price))
        }
        None => (vm, vm.price, vm.spot_price),
    };
    if device.accelerator_name.is_empty() {
        return Err("no GPU");
    }
    if count_of(device) == 0 {
        return Err("less than one GPU");
    }
    let gpu_memory_gib = gpu_memory_gib(&device.gpu_info).or_else(|| usual_memory_gib(&device.accelerator_name));
    let spot = spot.filter(|spot| price.is_none_or(|price| *spot < price * 0.999));
    let row = Row {
        provider: from.provider.to_owned(),
        region: vm.region.clone(),
        zone: zone.to_owned(),
        instance_type: vm.instance_type.clone(),
        shape: Shape {
            gpus: count_of(device),
            gpu_model: model_name(&device.accelerator_name).to_owned(),
            gpu_memory_gib: gpu_memory_gib.ok_or("GPU memory not stated")?,
            vcpus: vm.vcpus.map(|count| count as u32),
            memory_gib: vm.memory_gib,
        },
        on_demand: price.and_then(price_above_zero),
        spot: spot.and_then(price_above_zero),
        reserved_1y: None,
        date: from.date,
        source: from.source.to_owned(),
    };
    if row.on_demand.or(row.spot).is_none() { Err("no price") } else { Ok(row) }
}

/// GPU and number of GPUs of a GCP machine type whose GPUs are priced apart.
fn gcp_machine(instance_type: &str) -> Option<(&'static str, u32)> {
    let (prefix, model) = GCP_MACHINES.into_iter().find(|machine| instance_type.starts_with(machine.0))?;
    let size = &instance_type[prefix.len()..];
    if prefix == "g2-standard-" {
        return G2_GPUS.iter().find(|known| known.0 == size).map(|known| (model, known.1));
    }
    Some((model, size.strip_suffix('g')?.parse().ok()?))
}

/// SkyPilot calls the 40 GB model plainly `A100`.
fn model_name(name: &str) -> &str {
    if name == "A100" { "A100-40GB" } else { name }
}

/// Memory of one GPU, from a column that holds a Python dictionary as text.
fn gpu_memory_gib(info: &str) -> Option<f64> {
    let after = info.split_once("'SizeInMiB':")?.1.trim_start();
    let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
    // Drivers keep a little back (22,888 MiB of an L4's 24 GiB), so up to the next multiple of 8.
    digits.parse::<f64>().ok().filter(|mib| *mib > 0.0).map(|mib| (mib / 8192.0).ceil() * 8.0)
}

/// Memory of models for files that name the model only (Azure).
fn usual_memory_gib(model: &str) -> Option<f64> {
    let known = [
        ("T4", 16.0),
        ("V100", 16.0),
        ("V100-32GB", 32.0),
        ("A10", 24.0),
        ("A100", 40.0),
        ("A100-80GB", 80.0),
        ("H100", 80.0),
    ];
    known.into_iter().find(|known| known.0 == model).map(|known| known.1)
}
