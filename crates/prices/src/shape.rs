//! What is in an instance.

/// What one instance holds, as the provider sells it (before kubelet and system reserve their part).
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Whole GPUs.
    pub gpus: u32,
    /// GPU model, such as `A100-80GB`.
    pub gpu_model: String,
    /// Memory of one GPU in GiB.
    pub gpu_memory_gib: f64,
    /// Virtual CPUs; `None` where the provider sells GPUs alone.
    pub vcpus: Option<u32>,
    /// Main memory in GiB; `None` where the provider sells GPUs alone.
    pub memory_gib: Option<f64>,
}

/// Models and the values GPU feature discovery gives `nvidia.com/gpu.product` on nodes of the large clouds.
const PRODUCTS: [(&str, &str); 11] = [
    ("T4", "Tesla-T4"),
    ("V100", "Tesla-V100-SXM2-16GB"),
    ("A10", "NVIDIA-A10"),
    ("A10G", "NVIDIA-A10G"),
    ("L4", "NVIDIA-L4"),
    ("L40S", "NVIDIA-L40S"),
    ("A100-40GB", "NVIDIA-A100-SXM4-40GB"),
    ("A100-80GB", "NVIDIA-A100-SXM4-80GB"),
    ("H100", "NVIDIA-H100-80GB-HBM3"),
    ("H200", "NVIDIA-H200"),
    ("B200", "NVIDIA-B200"),
];

impl Shape {
    /// The likely value of the node label `nvidia.com/gpu.product`; `None` for a model whose label is not known.
    pub fn gpu_product(&self) -> Option<&'static str> {
        PRODUCTS.iter().find(|product| product.0 == self.gpu_model).map(|product| product.1)
    }
}
