//! Shapes of common GPU instance types, so that a scenario needs to state prices only.

use cluster::spec::InstanceOffering;
use units::{Bytes, Millicores};

use crate::file::InstanceTypeFile;
use crate::manifest::Quantity;

/// What a pod finds on a node of some type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// GPUs.
    pub gpus: u32,
    /// Extended resource they are advertised as.
    pub gpu_resource: String,
    /// `nvidia.com/gpu.product`.
    pub gpu_product: String,
    /// Allocatable CPU.
    pub cpu: Millicores,
    /// Allocatable memory.
    pub memory: Bytes,
}

const A100_40: &str = "NVIDIA-A100-SXM4-40GB";
const A100_80: &str = "NVIDIA-A100-SXM4-80GB";

/// Name, GPUs, product, vCPUs, memory in GiB; from the providers' instance pages.
const SHAPES: [(&str, u32, &str, u64, u64); 28] = [
    ("g4dn.xlarge", 1, "Tesla-T4", 4, 16),
    ("g4dn.2xlarge", 1, "Tesla-T4", 8, 32),
    ("g4dn.12xlarge", 4, "Tesla-T4", 48, 192),
    ("g5.xlarge", 1, "NVIDIA-A10G", 4, 16),
    ("g5.2xlarge", 1, "NVIDIA-A10G", 8, 32),
    ("g5.4xlarge", 1, "NVIDIA-A10G", 16, 64),
    ("g5.12xlarge", 4, "NVIDIA-A10G", 48, 192),
    ("g5.48xlarge", 8, "NVIDIA-A10G", 192, 768),
    ("g6.xlarge", 1, "NVIDIA-L4", 4, 16),
    ("g6.2xlarge", 1, "NVIDIA-L4", 8, 32),
    ("g6.12xlarge", 4, "NVIDIA-L4", 48, 192),
    ("g6e.xlarge", 1, "NVIDIA-L40S", 4, 32),
    ("g6e.2xlarge", 1, "NVIDIA-L40S", 8, 64),
    ("g6e.12xlarge", 4, "NVIDIA-L40S", 48, 384),
    ("p3.2xlarge", 1, "Tesla-V100-SXM2-16GB", 8, 61),
    ("p3.8xlarge", 4, "Tesla-V100-SXM2-16GB", 32, 244),
    ("p4d.24xlarge", 8, A100_40, 96, 1152),
    ("p4de.24xlarge", 8, A100_80, 96, 1152),
    ("p5.4xlarge", 1, "NVIDIA-H100-80GB-HBM3", 16, 256),
    ("p5.48xlarge", 8, "NVIDIA-H100-80GB-HBM3", 192, 2048),
    ("a2-highgpu-1g", 1, A100_40, 12, 85),
    ("a2-highgpu-2g", 2, A100_40, 24, 170),
    ("a2-highgpu-4g", 4, A100_40, 48, 340),
    ("a2-highgpu-8g", 8, A100_40, 96, 680),
    ("a2-ultragpu-1g", 1, A100_80, 12, 170),
    ("a3-highgpu-8g", 8, "NVIDIA-H100-80GB-HBM3", 208, 1872),
    ("g2-standard-8", 1, "NVIDIA-L4", 8, 32),
    ("g2-standard-96", 8, "NVIDIA-L4", 96, 384),
];

/// Names of the built-in shapes.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().map(|shape| shape.0)
}

/// CPU that kubelet and system keep for themselves.
const RESERVED_MILLICORES: u64 = 200;

/// A twelfth of the memory is kept back too.
fn allocatable(bytes: u64) -> Bytes {
    Bytes(bytes / 12 * 11)
}

/// A built-in shape. Kubelet and system keep 0.2 CPUs and a twelfth of the memory for themselves, about what EKS and GKE reserve.
pub fn built_in(name: &str) -> Option<Shape> {
    let (_, gpus, product, cpus, gib) = *SHAPES.iter().find(|shape| shape.0 == name)?;
    Some(Shape {
        gpus,
        gpu_resource: "nvidia.com/gpu".to_owned(),
        gpu_product: product.to_owned(),
        cpu: Millicores(cpus * 1000 - RESERVED_MILLICORES),
        memory: allocatable(gib << 30),
    })
}

impl Shape {
    /// A shape as the price catalog has it; `None` where it names GPUs without a machine around them.
    pub fn sold(shape: &prices::Shape) -> Option<Self> {
        let (vcpus, gib) = (shape.vcpus?, shape.memory_gib?);
        Some(Self {
            gpus: shape.gpus,
            gpu_resource: "nvidia.com/gpu".to_owned(),
            gpu_product: shape.gpu_product().unwrap_or_default().to_owned(),
            cpu: Millicores((u64::from(vcpus) * 1000).saturating_sub(RESERVED_MILLICORES)),
            memory: allocatable((gib * f64::from(1u32 << 30)) as u64),
        })
    }

    /// A shape from the scenario; `None` if its CPU is no quantity.
    pub fn written(file: &InstanceTypeFile) -> Option<Self> {
        let cpu = policy::keda::quantity::milli_from_text(&file.cpu).map(Quantity)?;
        Some(Self {
            gpus: file.gpus,
            gpu_resource: file.gpu_resource.clone(),
            gpu_product: file.gpu_product.clone(),
            cpu: Millicores(u64::try_from(cpu.0).ok()?),
            memory: Bytes(file.memory.0),
        })
    }

    /// Puts the shape into an offering.
    pub fn fill(&self, offering: &mut InstanceOffering) {
        offering.gpus = self.gpus;
        offering.gpu_resource.clone_from(&self.gpu_resource);
        offering.gpu_product.clone_from(&self.gpu_product);
        offering.cpu = self.cpu;
        offering.memory = self.memory;
    }
}
