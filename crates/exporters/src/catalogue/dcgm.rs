//! dcgm-exporter at d5e5f51: `etc/default-counters.csv`, `internal/pkg/rendermetrics`, its chart.
//!
//! One series per field and GPU, from the exporter's start on the node to the node's end, whoever holds the GPU. Values are refreshed
//! every 30 s, and scraped in between.

use super::Figure::{Always, Not, Of};
use super::{Metric, Needs, Pairs, Statement, counter, gauge};
use crate::signal::{Scope, Signal as S};

/// The last three only while a pod holds the GPU.
const GPU: Pairs = &[
    ("gpu", "{gpu}"),
    ("UUID", "{gpu_uuid}"),
    ("pci_bus_id", "00000000:0{gpu}:00.0"),
    ("device", "nvidia{gpu}"),
    ("modelName", "{gpu_model}"),
    ("{hostname_label}", "{node}"),
    ("DCGM_FI_DRIVER_VERSION", "570.124.06"),
    ("container", "{holder_container}"),
    ("namespace", "{holder_namespace}"),
    ("pod", "{holder_pod}"),
];

const KERNELS: &str = "it depends on the kernels that run";
const HEALTHY: &str = "GPUs of the model have no faults";
const NOT_DEFAULT: &str = "it is not in dcgm-exporter's default counters, so a stock exporter does not show it";

const fn field(name: &'static str, figure: super::Figure) -> Metric {
    gauge(name, GPU, figure).per(Scope::Gpu)
}

const fn total(name: &'static str, figure: super::Figure) -> Metric {
    counter(name, GPU, figure).per(Scope::Gpu)
}

pub(super) const METRICS: &[Metric] = &[
    field("DCGM_FI_DEV_GPU_UTIL", Of(S::DcgmUtilization)),
    field("DCGM_FI_PROF_GR_ENGINE_ACTIVE", Of(S::DcgmEngineActive)),
    field("DCGM_FI_DEV_FB_USED", Of(S::DcgmMemoryUsed)).needs(Needs::Stated(Statement::GpuMemory)),
    field("DCGM_FI_DEV_FB_FREE", Of(S::DcgmMemoryFree)).needs(Needs::Stated(Statement::GpuMemory)),
    field("DCGM_FI_DEV_FB_RESERVED", Not("what the driver reserves is not known")),
    field("DCGM_FI_DEV_POWER_USAGE", Of(S::DcgmPower)).needs(Needs::Stated(Statement::GpuPower)),
    total("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", Of(S::DcgmEnergy)).needs(Needs::Stated(Statement::GpuPower)),
    field("DCGM_FI_DEV_MEM_COPY_UTIL", Not(KERNELS)),
    field("DCGM_FI_DEV_ENC_UTIL", Not(KERNELS)),
    field("DCGM_FI_DEV_DEC_UTIL", Not(KERNELS)),
    field("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", Not(KERNELS)),
    field("DCGM_FI_PROF_DRAM_ACTIVE", Not(KERNELS)),
    total("DCGM_FI_PROF_PCIE_TX_BYTES", Not(KERNELS)),
    total("DCGM_FI_PROF_PCIE_RX_BYTES", Not(KERNELS)),
    field("DCGM_FI_DEV_SM_CLOCK", Not(KERNELS)),
    field("DCGM_FI_DEV_MEM_CLOCK", Not(KERNELS)),
    field("DCGM_FI_DEV_GPU_TEMP", Not(KERNELS)),
    field("DCGM_FI_DEV_MEMORY_TEMP", Not(KERNELS)),
    field("DCGM_FI_DEV_XID_ERRORS", Always(0.0, HEALTHY)),
    total("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", Always(0.0, HEALTHY)),
    total("DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", Always(0.0, "traffic between GPUs is not modelled")),
    total("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", Always(0.0, HEALTHY)),
    total("DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", Always(0.0, HEALTHY)),
    field("DCGM_FI_DEV_ROW_REMAP_FAILURE", Always(0.0, HEALTHY)),
    field("DCGM_FI_PROF_SM_ACTIVE", Not(NOT_DEFAULT)),
    field("DCGM_FI_PROF_SM_OCCUPANCY", Not(NOT_DEFAULT)),
    field("DCGM_FI_PROF_PIPE_FP64_ACTIVE", Not(NOT_DEFAULT)),
    field("DCGM_FI_PROF_PIPE_FP32_ACTIVE", Not(NOT_DEFAULT)),
    field("DCGM_FI_PROF_PIPE_FP16_ACTIVE", Not(NOT_DEFAULT)),
    field("DCGM_FI_DEV_FB_TOTAL", Not(NOT_DEFAULT)),
    field("DCGM_FI_DEV_FB_USED_PERCENT", Not(NOT_DEFAULT)),
];
