//! `scalelab calibrate presets`: the presets of language models, each with how good it is and where it is from.

use calibrate::llm::{LlmPreset, Origin, llm_presets};
use regex::Regex;

use super::super::data_files::say;
use crate::args::{CalibratePresets, Format};
use crate::failure::{Failure, Result};
use crate::grid::Grid;

/// What people must know before they believe one.
const NOTE: &str = "Not measured: fits to a simulator's forward passes (AISimulate 0.13 dev, 2026-10-27) over its tables of measured kernels. \
                    `rms` is the fit's error over those passes in percent, the held-out columns its errors over whole runs of that simulator, \
                    `real/preset` how much longer published rows of real engines took per token. TTFT of a preset is typically too low: \
                    calibrate with two single prompts (`calibrate service --preset NAME`).\n";

pub fn presets(args: &CalibratePresets) -> Result<()> {
    let pattern = args.pattern.as_deref().map(|pattern| {
        Regex::new(&format!("(?i){pattern}")).map_err(|error| Failure::input(format!("--match: {error}")))
    });
    let pattern = pattern.transpose()?;
    let is_wanted = |preset: &&LlmPreset| pattern.as_ref().is_none_or(|pattern| pattern.is_match(&preset.name));
    let wanted: Vec<&LlmPreset> = llm_presets().iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        let count = llm_presets().len();
        return Err(Failure::input(format!(
            "--match: none of {count} presets matches `{}`",
            args.pattern.as_deref().unwrap_or_default()
        )));
    }
    let table = grid(&wanted, args.format).render(args.format);
    // Notes stand where no program reads them.
    say(&if args.format == Format::Table { format!("{table}\n{NOTE}") } else { table })
}

fn grid(wanted: &[&LlmPreset], format: Format) -> Grid {
    let head = [
        "name",
        "model",
        "gpu",
        "tp",
        "engine",
        "engine version",
        "kv tokens",
        "kv type",
        "g(1) ms",
        "g(256) ms",
        "g(8192) ms",
        "kv ns",
        "context ns",
        "rms %",
        "held-out ttft %",
        "held-out tpot %",
        "real rows",
        "real/preset",
        "source",
        "date",
    ];
    // For people: what does not fit a line stays in csv and json.
    let shown: Vec<usize> = match format {
        Format::Table => vec![0, 5, 6, 8, 9, 10, 13, 14, 15, 16, 17],
        _ => (0..head.len()).collect(),
    };
    let pick = |cells: Vec<String>| shown.iter().map(|column| cells[*column].clone()).collect::<Vec<String>>();
    let names = pick(head.map(str::to_owned).to_vec());
    let mut grid = Grid::new(&names.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    wanted.iter().for_each(|preset| grid.row(pick(cells(preset))));
    grid
}

fn cells(preset: &LlmPreset) -> Vec<String> {
    let pass = |tokens: f64| format!("{:.2}", preset.law.pass_s(tokens) * 1e3);
    let (version, rms, ttft, tpot, real) = match &preset.origin {
        Origin::Fit { engine_version, rms_pct, checked_runs, checked_ttft_pct, checked_tpot_pct, real, .. } => {
            let checked = |value: &f64| if *checked_runs > 0 { value.to_string() } else { String::new() };
            (engine_version.clone(), rms_pct.to_string(), checked(checked_ttft_pct), checked(checked_tpot_pct), *real)
        }
        Origin::Rough => (String::new(), "25".to_owned(), String::new(), String::new(), None),
    };
    vec![
        preset.name.clone(),
        preset.model.clone(),
        preset.gpu.name.to_owned(),
        preset.tp.to_string(),
        preset.engine.name().to_owned(),
        version,
        preset.kv_tokens().map_or_else(String::new, |tokens| tokens.to_string()),
        preset.kv_type.name().to_owned(),
        pass(1.0),
        pass(256.0),
        pass(8192.0),
        format!("{:.2}", preset.law.per_kv_token_s * 1e9),
        format!("{:.3}", preset.law.per_prompt_token_context_s * 1e9),
        rms,
        ttft,
        tpot,
        real.map_or_else(String::new, |real| real.rows.to_string()),
        real.map_or_else(String::new, |real| format!("{:.2}", real.tpot_ratio)),
        "fit to AISimulate 0.13.0.dev2026-10-27 forward passes (a simulator), not measured".to_owned(),
        "2026-10-27".to_owned(),
    ]
}
