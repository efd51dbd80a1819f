//! GPUs that language models are known on.

/// What the rough law needs of a GPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RoughGpu {
    /// Memory bandwidth in bytes per second.
    pub bandwidth: f64,
    /// Dense 16-bit operations per second.
    pub flops: f64,
    /// Share of the throughput that a large pass reaches.
    pub compute: f64,
    /// Share of the bandwidth that reading the KV cache reaches.
    pub stream: f64,
    /// Share of the throughput that attention over a context reaches.
    pub attention: f64,
    /// GPUs that may share a model: without `NVLink` no more are known.
    pub tp_max: u32,
}

/// A GPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServingGpu {
    /// Name in presets: `h100`.
    pub name: &'static str,
    /// Memory as CUDA reports it, in GiB.
    pub memory_gib: f64,
    /// Its name in the table of GPUs (`prices/gpus.csv`); boards of the same chip that differ in speed are others.
    boards: &'static [&'static str],
    pub(super) rough: RoughGpu,
}

const fn rough(bandwidth: f64, flops: f64, (compute, stream, attention): (f64, f64, f64)) -> RoughGpu {
    let (bandwidth, flops) = (bandwidth * 1e12, flops * 1e12);
    RoughGpu { bandwidth, flops, compute, stream, attention, tp_max: 8 }
}

/// Memories are those of `cudaMemGetInfo`; efficiencies come from the same passes as the presets.
const GPUS: [ServingGpu; 5] = [
    ServingGpu {
        name: "h100",
        memory_gib: 79.1,
        boards: &["H100", "H100-MEGA"],
        rough: rough(3.35, 989.0, (0.77, 0.89, 0.68)),
    },
    ServingGpu { name: "h200", memory_gib: 139.8, boards: &["H200"], rough: rough(4.8, 989.0, (0.77, 0.87, 0.68)) },
    ServingGpu {
        name: "a100",
        memory_gib: 79.2,
        boards: &["A100-80GB"],
        rough: rough(2.04, 312.0, (0.79, 0.74, 0.57)),
    },
    ServingGpu { name: "b200", memory_gib: 178.4, boards: &["B200"], rough: rough(7.7, 2_250.0, (0.64, 0.93, 0.58)) },
    ServingGpu {
        name: "l40s",
        memory_gib: 44.4,
        boards: &["L40S"],
        rough: RoughGpu { tp_max: 2, ..rough(0.864, 362.0, (0.60, 0.76, 0.54)) },
    },
];

/// All of them.
pub fn serving_gpus() -> &'static [ServingGpu] {
    &GPUS
}

/// The GPU of this name, in presets or in the table of GPUs, large or small letters.
pub fn serving_gpu(name: &str) -> Option<&'static ServingGpu> {
    let is_it = |gpu: &&ServingGpu| {
        gpu.name.eq_ignore_ascii_case(name) || gpu.boards.iter().any(|board| board.eq_ignore_ascii_case(name))
    };
    GPUS.iter().find(is_it)
}

impl ServingGpu {
    /// Its name in the table of GPUs.
    pub fn board(&self) -> &'static str {
        self.boards[0]
    }
}
