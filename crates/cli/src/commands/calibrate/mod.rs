//! `scalelab calibrate`: measurements in, scenario snippets out.

mod plot;
mod spot;

use std::path::{Path, PathBuf};

use calibrate::{LlmRun, presets};

use super::data_files::{read_text, say, write, wrong};
use crate::args::{Calibrate, CalibrateColdStart, CalibrateService, ServiceFormat};
use crate::failure::{Failure, OrInput, Outcome, Result};

/// Runs the command given.
pub fn calibrate(args: &Calibrate) -> Result<Outcome> {
    match args {
        Calibrate::ColdStart(args) => cold_start(args)?,
        Calibrate::Spot(args) => spot::spot(args)?,
        Calibrate::Service(args) => service(args)?,
        Calibrate::Preset { name } => preset(name.as_deref())?,
    }
    Ok(Outcome::Done)
}

/// The report goes to standard output; the snippet to its file, or below the report.
fn publish(report: &str, snippet: &str, out: Option<&Path>) -> Result<()> {
    match out {
        Some(path) => {
            write(path, snippet)?;
            say(report)?;
            eprintln!("the snippet is in {}", path.display());
            Ok(())
        }
        None if report.is_empty() => say(snippet),
        None => say(&format!("{report}\n{snippet}")),
    }
}

fn cold_start(args: &CalibrateColdStart) -> Result<()> {
    let files: Vec<&PathBuf> = args.pods.iter().chain(&args.events).chain(&args.nodes).collect();
    let mut texts = Vec::new();
    for path in &files {
        let text = read_text(path)?;
        serde_json::from_str::<serde::de::IgnoredAny>(&text)
            .map_err(|error| wrong(path, format!("not the output of `kubectl get … -o json`: {error}")))?;
        texts.push(text);
    }
    let documents: Vec<&str> = texts.iter().map(String::as_str).collect();
    let fit = calibrate::cold_start(&documents, args.seed).or_input()?;
    let snippet = fit.yaml();
    if snippet.is_empty() {
        say(&fit.report())?;
        return Err(Failure::input("no phase could be fitted; nothing was written"));
    }
    if let Some(path) = &args.plot {
        let drawing = plot::cold_start(&fit).ok_or_else(|| Failure::input("no phase has a fit to draw"))?;
        write(path, &drawing)?;
    }
    let head = "# Cold-start phases fitted by `scalelab calibrate cold-start`; goes under `spec` of a Scenario.\n";
    publish(&fit.report(), &format!("{head}{snippet}"), args.out.as_deref())
}

fn service(args: &CalibrateService) -> Result<()> {
    if !args.batch.is_empty() && args.format != ServiceFormat::PerfAnalyzer {
        return Err(Failure::input("--batch is for --format perf-analyzer"));
    }
    let snippet = match args.format {
        ServiceFormat::PerfAnalyzer => perf_analyzer(args)?,
        ServiceFormat::VllmBench => llm(args, calibrate::vllm_bench)?,
        ServiceFormat::GenaiPerf => llm(args, calibrate::genai_perf)?,
        ServiceFormat::InferencePerf => llm(args, calibrate::inference_perf)?,
    };
    publish("", &snippet, args.out.as_deref())
}

fn perf_analyzer(args: &CalibrateService) -> Result<String> {
    let batches = if args.batch.is_empty() { vec![1; args.files.len()] } else { args.batch.clone() };
    if batches.len() != args.files.len() {
        let (sizes, files) = (batches.len(), args.files.len());
        return Err(Failure::input(format!("--batch: {sizes} sizes for {files} files; one for each is needed")));
    }
    if let Some(zero) = batches.iter().position(|batch| *batch == 0) {
        return Err(Failure::input(format!("--batch: number {} is 0; a batch has at least one request", zero + 1)));
    }
    let mut runs = Vec::new();
    for (path, batch) in args.files.iter().zip(batches) {
        runs.extend(calibrate::triton_perf_analyzer(&read_text(path)?, batch).map_err(|error| wrong(path, error))?);
    }
    Ok(calibrate::batching(&runs).or_input()?.yaml())
}

fn llm(
    args: &CalibrateService,
    read: fn(&str) -> std::result::Result<LlmRun, calibrate::CalibrateError>,
) -> Result<String> {
    let mut runs = Vec::new();
    for path in &args.files {
        runs.push(read(&read_text(path)?).map_err(|error| wrong(path, error))?);
    }
    Ok(calibrate::llm(&runs).or_input()?.yaml())
}

fn preset(name: Option<&str>) -> Result<()> {
    let Some(name) = name else {
        let lines: Vec<String> =
            presets().iter().map(|preset| format!("{:<28} {}\n", preset.name, preset.description)).collect();
        return say(&lines.concat());
    };
    let preset = calibrate::preset(name).ok_or_else(|| {
        let hint = names::nearest(name, presets().iter().map(|preset| preset.name))
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        let known: Vec<&str> = presets().iter().map(|preset| preset.name).collect();
        Failure::input(format!("{name}: no such preset{hint} (one of: {})", known.join(", ")))
    })?;
    say(&preset.yaml())
}
