//! Reads `presets/llm.csv`, the table the program carries.

use std::sync::LazyLock;

use super::gpu::serving_gpu;
use super::law::IterationLaw;
use super::memory::KvType;
use super::preset::{LlmPreset, Origin, PresetEngine, RealRows};
use super::shape::model_shape;

const TABLE: &str = include_str!("../../presets/llm.csv");

/// Tokens of the passes that the columns are about.
const KNOTS: [u32; 10] = [1, 8, 32, 64, 128, 256, 512, 1024, 2048, 8192];

static PRESETS: LazyLock<Vec<LlmPreset>> = LazyLock::new(|| TABLE.lines().skip(1).map(row).collect());

/// Every row, in the order of the table.
pub(super) fn rows() -> &'static [LlmPreset] {
    &PRESETS
}

fn row(line: &str) -> LlmPreset {
    let mut cells = line.split(',');
    let mut next = || cells.next().expect("a test reads the whole table");
    let (model, gpu, tp, engine, engine_version, _experts) = (next(), next(), next(), next(), next(), next());
    let mut number = || next().parse::<f64>().ok();
    let mut told = || number().expect("a test reads the whole table");
    let token_time = KNOTS.iter().map(|tokens| (*tokens, told() * 1e-3)).collect();
    let (per_kv_token_ns, per_prompt_token_context_ns, weights_gib) = (told(), told(), told());
    let kv_type = if next() == "fp8" { KvType::Fp8 } else { KvType::Bf16 };
    let mut number = || next().parse::<f64>().ok();
    let (passes, rms_pct) = (number(), number());
    let checked = [number(), number(), number(), number()];
    let real = [number(), number(), number(), number()];
    let engine = PresetEngine::of(engine).expect("a test reads the whole table");
    let tp = tp.parse().expect("a test reads the whole table");
    LlmPreset {
        name: format!("{model}-{gpu}-tp{tp}-{engine}", engine = engine.name()),
        model: model.to_owned(),
        shape: model_shape(model).expect("a test reads the whole table"),
        gpu: serving_gpu(gpu).expect("a test reads the whole table"),
        tp,
        engine,
        law: IterationLaw {
            token_time,
            per_kv_token_s: per_kv_token_ns * 1e-9,
            per_prompt_token_context_s: per_prompt_token_context_ns * 1e-9,
            per_sequence_s: engine.per_sequence_s(),
        },
        weights_gib,
        kv_type,
        origin: Origin::Fit {
            engine_version: engine_version.to_owned(),
            passes: passes.unwrap_or_default() as u32,
            rms_pct: rms_pct.unwrap_or_default(),
            checked_runs: checked[0].unwrap_or_default() as u32,
            checked_ttft_pct: checked[1].unwrap_or_default(),
            checked_tpot_pct: checked[2].unwrap_or_default(),
            checked_e2e_pct: checked[3].unwrap_or_default(),
            real: real[0].map(|rows| RealRows {
                rows: rows as u32,
                tpot_ratio: real[1].unwrap_or(1.0),
                ttft_slope: real[2].unwrap_or(1.0),
                ttft_offset_ms: real[3].unwrap_or_default(),
            }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table_reads_and_every_law_is_one() {
        assert_eq!(rows().len(), 107);
        for preset in rows() {
            let points = &preset.law.token_time;
            assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1), "{}", preset.name);
            assert!(points[0].1 > 1e-3 && preset.kv_tokens().is_some(), "{}", preset.name);
            let Origin::Fit { rms_pct, passes, .. } = &preset.origin else { panic!("{} is a fit", preset.name) };
            assert!(*rms_pct > 0.0 && *passes > 100, "{}", preset.name);
        }
    }
}
