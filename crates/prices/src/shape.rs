//! What is in an instance.

use crate::Gpu;

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

impl Shape {
    /// The likely value of the node label `nvidia.com/gpu.product`; `None` for a model whose label is not known.
    pub fn gpu_product(&self) -> Option<&'static str> {
        Gpu::of_catalog_model(&self.gpu_model).and_then(Gpu::product)
    }
}
