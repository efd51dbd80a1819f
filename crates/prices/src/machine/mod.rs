//! What accelerator machines are: GPUs, CPU, memory, and the labels their nodes carry in each way of running Kubernetes.
//!
//! The table knows no prices, no pools and no pods.

mod cells;
mod gpu;
mod labels;
mod names;
mod taints;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use gpu::{Gpu, gpus};
pub use labels::{Label, Platform, is_gpu_feature, known_values, provider_of_key, well_known_key};
pub use taints::{ImpliedTaint, implied_taints};

use crate::Shape;
use cells::Cells;

/// An instance type. What is `None` is not known.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// `aws`, `gcp`, `azure`, or another provider of the catalog.
    pub provider: String,
    /// Instance type; `n1-standard-4+t4` is an n1 with a T4 attached.
    pub instance_type: String,
    /// `amd64` or `arm64`.
    pub arch: String,
    /// Its GPUs.
    pub gpu: Option<&'static Gpu>,
    /// GPUs a pod can ask for as `nvidia.com/gpu`; none where a device is a slice without a device plugin.
    pub gpus: u32,
    /// GPUs as the provider counts them.
    pub devices: Option<u32>,
    /// Memory of one of them by the provider's word, in MiB.
    pub gpu_memory_mib: Option<u64>,
    /// Other accelerators: name and count.
    pub accelerator: Option<(String, u32)>,
    /// Virtual CPUs as sold.
    pub vcpus: u32,
    /// Memory as sold, in MiB.
    pub memory_mib: u64,
    /// Local NVMe, GB in all.
    pub nvme_gb: Option<u64>,
    /// Network, baseline Mbit/s.
    pub network_mbps: Option<u64>,
    /// EBS, maximum Mbit/s.
    pub ebs_mbps: Option<u64>,
    /// `nitro`, `xen`, or empty for bare metal.
    pub hypervisor: String,
    /// Whether it encrypts traffic.
    pub encryption: Option<bool>,
    /// Maker of its CPUs.
    pub cpu_maker: String,
    /// Their sustained clock.
    pub cpu_mhz: Option<u32>,
    /// CPU that pods can have, in thousandths.
    pub cpu_milli: u64,
    /// Memory that pods can have, in MiB.
    pub allocatable_mib: u64,
    /// Pods at most.
    pub pods: u32,
    /// Whether the figures are the table's, or follow from a catalog row.
    pub is_listed: bool,
}

static MACHINES: LazyLock<Vec<Machine>> =
    LazyLock::new(|| Cells::lines(include_str!("../../data/machines.csv")).map(read).collect());

static BY_NAME: LazyLock<BTreeMap<&'static str, &'static Machine>> =
    LazyLock::new(|| machines().iter().map(|machine| (machine.instance_type.as_str(), machine)).collect());

fn read(mut cells: Cells<'_>) -> Machine {
    Machine {
        provider: cells.text(),
        instance_type: cells.text(),
        arch: cells.text(),
        gpu: Some(cells.next()).filter(|name| !name.is_empty()).map(|name| {
            gpus().iter().find(|gpu| gpu.name == name).expect("the table of GPUs has all that machines have")
        }),
        gpus: cells.number().unwrap_or(0),
        devices: cells.number(),
        gpu_memory_mib: cells.number(),
        accelerator: Some(cells.text()).zip(cells.number()),
        vcpus: cells.number().expect("every machine has CPUs"),
        memory_mib: cells.number().expect("every machine has memory"),
        nvme_gb: cells.number(),
        network_mbps: cells.number(),
        ebs_mbps: cells.number(),
        hypervisor: cells.text(),
        encryption: Some(cells.next()).filter(|cell| !cell.is_empty()).map(|cell| cell == "true"),
        cpu_maker: cells.text(),
        cpu_mhz: cells.number(),
        cpu_milli: cells.number().expect("every machine has allocatable CPU"),
        allocatable_mib: cells.number().expect("every machine has allocatable memory"),
        pods: cells.number().unwrap_or(110),
        is_listed: true,
    }
}

/// All machines of the table, provider by provider.
pub fn machines() -> &'static [Machine] {
    &MACHINES
}

/// The machine of this name.
pub fn machine(instance_type: &str) -> Option<&'static Machine> {
    BY_NAME.get(instance_type).copied()
}

/// What kubelet and system keep of a machine that is not in the table: 0.2 CPUs and a twelfth of the memory.
const RESERVED_MILLICORES: u64 = 200;

impl Machine {
    /// What a catalog row says of a machine that the table does not have; `None` where it sells GPUs without a machine around them.
    pub fn of_shape(provider: &str, instance_type: &str, shape: &Shape) -> Option<Self> {
        let (vcpus, gib) = (shape.vcpus?, shape.memory_gib?);
        let memory_mib = (gib * 1024.0) as u64;
        Some(Self {
            provider: provider.to_owned(),
            instance_type: instance_type.to_owned(),
            arch: "amd64".to_owned(),
            gpu: Gpu::of_catalog_model(&shape.gpu_model),
            gpus: shape.gpus,
            devices: Some(shape.gpus),
            gpu_memory_mib: None,
            accelerator: None,
            vcpus,
            memory_mib,
            nvme_gb: None,
            network_mbps: None,
            ebs_mbps: None,
            hypervisor: String::new(),
            encryption: None,
            cpu_maker: String::new(),
            cpu_mhz: None,
            cpu_milli: (u64::from(vcpus) * 1000).saturating_sub(RESERVED_MILLICORES),
            allocatable_mib: memory_mib / 12 * 11,
            pods: 110,
            is_listed: false,
        })
    }

    /// What the price catalog says is in it; `None` without a GPU that pods can ask for.
    pub fn shape(&self) -> Option<Shape> {
        let gpu = self.gpu.filter(|_| self.gpus > 0)?;
        Some(Shape {
            gpus: self.gpus,
            gpu_model: gpu.catalog_model.clone(),
            gpu_memory_gib: if self.is_slice() {
                self.gpu_memory_mib.unwrap_or(0) as f64 / 1024.0
            } else {
                gpu.memory_gib
            },
            vcpus: Some(self.vcpus),
            memory_gib: Some(self.memory_mib as f64 / 1024.0),
        })
    }

    /// Whether what it sells as a GPU is a part of one.
    pub fn is_slice(&self) -> bool {
        let whole = |gpu: &Gpu| gpu.driver_memory_mib.map_or(gpu.memory_gib * 1024.0, |mib| mib as f64);
        match (self.gpu, self.gpu_memory_mib) {
            (Some(gpu), Some(mib)) => (mib as f64) < 0.8 * whole(gpu),
            _ => false,
        }
    }

    /// The extended resource its accelerators are asked for as.
    pub fn resource(&self) -> &'static str {
        match (&self.accelerator, self.gpu) {
            (Some((name, _)), _) if name.starts_with("inferentia") || name.starts_with("trainium") => {
                "aws.amazon.com/neuron"
            }
            (Some(_), _) => "qualcomm.com/qaic",
            (None, Some(gpu)) if gpu.manufacturer == "amd" => "amd.com/gpu",
            _ => "nvidia.com/gpu",
        }
    }
}
