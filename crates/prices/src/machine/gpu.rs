//! GPU models: what each platform calls them and what they can do.

use std::sync::LazyLock;

use super::cells::Cells;

/// A GPU as it is soldered: two boards of one name (SXM and PCIe) are two models.
#[derive(Clone, Debug, PartialEq)]
pub struct Gpu {
    /// Our name, such as `A100-80GB-PCIE`.
    pub name: String,
    /// The name the price catalog lists it under, such as `A100-80GB`.
    pub catalog_model: String,
    /// `nvidia` or `amd`.
    pub manufacturer: String,
    /// Memory as it is sold, in GiB.
    pub memory_gib: f64,
    /// Values of `nvidia.com/gpu.product`: today's first, then those of older drivers.
    pub products: Vec<String>,
    /// Value of `cloud.google.com/gke-accelerator`; empty where Google has none.
    pub gke_accelerator: String,
    /// Value of `karpenter.k8s.aws/instance-gpu-name`; empty where AWS has none.
    pub aws_name: String,
    /// The word for it in names of Azure sizes; empty where Azure has none.
    pub azure_token: String,
    /// Value of `nvidia.com/gpu.family`; empty if it is not known.
    pub family: String,
    /// Compute capability, major and minor.
    pub capability: Option<(u32, u32)>,
    /// Memory as the driver reports it, in MiB.
    pub driver_memory_mib: Option<u64>,
    /// Memory bandwidth in GB/s.
    pub bandwidth_gb_s: f64,
    /// Dense 16-bit throughput in TFLOPS.
    pub tflops: Option<f64>,
    /// Board power in watts.
    pub watts: Option<u32>,
}

static GPUS: LazyLock<Vec<Gpu>> = LazyLock::new(|| {
    Cells::lines(include_str!("../../data/gpus.csv"))
        .map(|mut cells| Gpu {
            name: cells.text(),
            catalog_model: cells.text(),
            manufacturer: cells.text(),
            memory_gib: cells.number().expect("every GPU has its memory"),
            products: cells.text().split('|').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            gke_accelerator: cells.text(),
            aws_name: cells.text(),
            azure_token: cells.text(),
            family: cells.text(),
            capability: cells
                .text()
                .split_once('.')
                .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?))),
            driver_memory_mib: cells.number(),
            bandwidth_gb_s: cells.number().expect("every GPU has its bandwidth"),
            tflops: cells.number(),
            watts: cells.number(),
        })
        .collect()
});

/// All GPU models of the table.
pub fn gpus() -> &'static [Gpu] {
    &GPUS
}

impl Gpu {
    /// The model with one of these values of `nvidia.com/gpu.product`.
    pub fn of_product(product: &str) -> Option<&'static Self> {
        gpus().iter().find(|gpu| gpu.products.iter().any(|known| known == product))
    }

    /// The model of this name in the price catalog; the first of several boards.
    pub fn of_catalog_model(model: &str) -> Option<&'static Self> {
        gpus().iter().find(|gpu| gpu.catalog_model == model)
    }

    /// Today's value of `nvidia.com/gpu.product`; `None` for GPUs without such a label.
    pub fn product(&self) -> Option<&str> {
        self.products.first().map(String::as_str)
    }
}
