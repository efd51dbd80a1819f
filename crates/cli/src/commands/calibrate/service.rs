//! `scalelab calibrate service`: load tests of language models and of Triton.

use std::ffi::OsStr;
use std::path::Path;

use calibrate::llm::{LlmPreset, PresetEngine, llm_preset, llm_preset_for};
use calibrate::{Choice, Given, LlmFit, LlmFormat, LlmRun, Settings, Told};
use report::MeasuredPanel;

use super::super::data_files::{file_name, read_text, write_bytes, wrong};
use crate::args::{CalibrateService, ServiceFormat};
use crate::failure::{Failure, OrInput, Result};

pub fn service(args: &CalibrateService) -> Result<()> {
    let texts = args.files.iter().map(|path| read_text(path)).collect::<Result<Vec<String>>>()?;
    let is_triton = |text: &String| {
        text.lines().next().is_some_and(|head| head.contains("Server Queue") || head.contains("Server Compute"))
    };
    let is_triton =
        args.format == Some(ServiceFormat::PerfAnalyzer) || (args.format.is_none() && texts.iter().all(is_triton));
    if !args.batch.is_empty() && !is_triton {
        return Err(Failure::input("--batch is for --format perf-analyzer"));
    }
    if is_triton {
        only_llm(args)?;
        return super::publish("", &perf_analyzer(args, &texts)?, args.out.as_deref());
    }
    let plot = args.plot.as_deref().map(|path| Ok::<_, Failure>((path, is_png(path)?))).transpose()?;
    let runs = runs(args, &texts)?;
    let preset = args.preset.as_deref().map(llm_preset).transpose().or_input()?;
    let like = like(args, &runs)?;
    let settings = Settings {
        sequences_max: args.sequences_max,
        batched_tokens_max: args.batched_tokens_max,
        kv_tokens: args.kv_tokens,
    };
    let fit = calibrate::fit_llm(runs, &Given { preset: preset.as_ref(), like: like.as_ref(), settings }).or_input()?;
    if let Some((path, is_png)) = plot {
        draw(&fit, path, is_png)?;
    }
    if args.out.is_some() {
        return super::publish(&fit.report(), &fit.yaml(), args.out.as_deref());
    }
    // All of it goes into a scenario as it stands: the report as remarks.
    let remarks: String = fit.report().lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect();
    super::publish("", &format!("{remarks}{}", fit.yaml()), None)
}

/// What says something of language models only.
fn only_llm(args: &CalibrateService) -> Result<()> {
    let given = [
        ("--preset", args.preset.is_some()),
        ("--gpu", args.gpu.is_some()),
        ("--model", args.model.is_some()),
        ("--replicas", args.replicas != 1),
        ("--where", !args.rows.is_empty()),
        ("--prompt-tokens", args.prompt_tokens.is_some()),
        ("--output-tokens", args.output_tokens.is_some()),
        ("--concurrency", args.concurrency.is_some()),
        ("--rate", args.rate.is_some()),
        ("--sequences-max", args.sequences_max.is_some()),
        ("--batched-tokens-max", args.batched_tokens_max.is_some()),
        ("--kv-tokens", args.kv_tokens.is_some()),
        ("--plot", args.plot.is_some()),
    ];
    match given.iter().find(|one| one.1) {
        Some((flag, _)) => {
            Err(Failure::input(format!("{flag} is for load tests of language models, not for perf_analyzer's")))
        }
        None => Ok(()),
    }
}

fn perf_analyzer(args: &CalibrateService, texts: &[String]) -> Result<String> {
    let batches = if args.batch.is_empty() { vec![1; texts.len()] } else { args.batch.clone() };
    if batches.len() != texts.len() {
        let (sizes, files) = (batches.len(), texts.len());
        return Err(Failure::input(format!("--batch: {sizes} sizes for {files} files; one for each is needed")));
    }
    if let Some(zero) = batches.iter().position(|batch| *batch == 0) {
        return Err(Failure::input(format!("--batch: number {} is 0; a batch has at least one request", zero + 1)));
    }
    let mut runs = Vec::new();
    for ((path, text), batch) in args.files.iter().zip(texts).zip(batches) {
        runs.extend(calibrate::triton_perf_analyzer(text, batch).map_err(|error| wrong(path, error))?);
    }
    Ok(calibrate::batching(&runs).or_input()?.yaml())
}

/// The runs of every file, as one replica saw them.
fn runs(args: &CalibrateService, texts: &[String]) -> Result<Vec<LlmRun>> {
    let choice = args.rows.iter().map(|text| {
        let (column, value) =
            text.split_once('=').ok_or_else(|| Failure::input(format!("--where: `{text}` is not COLUMN=VALUE")))?;
        Ok(Choice { column: column.trim().to_owned(), value: value.trim().to_owned() })
    });
    let choice = choice.collect::<Result<Vec<Choice>>>()?;
    for (flag, value) in
        [("--prompt-tokens", args.prompt_tokens), ("--output-tokens", args.output_tokens), ("--rate", args.rate)]
    {
        if value.is_some_and(|value| !(value.is_finite() && value > 0.0)) {
            return Err(Failure::input(format!("{flag} must be above zero")));
        }
    }
    let told = Told {
        prompt_tokens: args.prompt_tokens,
        output_tokens: args.output_tokens,
        concurrency: args.concurrency,
        rate: args.rate,
    };
    let mut runs = Vec::new();
    for (path, text) in args.files.iter().zip(texts) {
        let format = args.format.map_or_else(|| calibrate::llm_format(text), |format| Some(of_format(format)));
        let Some(format) = format else {
            return Err(wrong(path, "no load test of a known format; --format says which it is"));
        };
        // Rows are picked of tables; a JSON file beside them is one test.
        let choice = if format == LlmFormat::Table || texts.len() == 1 { choice.as_slice() } else { &[] };
        let read = calibrate::llm_runs((&file_name(path), text), format, choice, &told);
        runs.extend(read.map_err(|error| wrong(path, error))?.into_iter().map(|run| run.shared_by(args.replicas)));
    }
    Ok(runs)
}

fn of_format(format: ServiceFormat) -> LlmFormat {
    match format {
        ServiceFormat::VllmBench => LlmFormat::VllmBench,
        ServiceFormat::GenaiPerf => LlmFormat::GenaiPerf,
        ServiceFormat::InferencePerf => LlmFormat::InferencePerf,
        ServiceFormat::Guidellm => LlmFormat::Guidellm,
        ServiceFormat::Aisimulate => LlmFormat::Prediction,
        ServiceFormat::Table | ServiceFormat::PerfAnalyzer => LlmFormat::Table,
    }
}

/// A preset of the same model and GPU, for what the runs cannot tell.
fn like(args: &CalibrateService, runs: &[LlmRun]) -> Result<Option<LlmPreset>> {
    let Some(gpu) = &args.gpu else {
        return match &args.model {
            Some(_) => Err(Failure::input("--model needs --gpu")),
            None => Ok(None),
        };
    };
    let named = args.model.as_deref().or_else(|| runs.iter().find_map(|run| run.model.as_deref()));
    let Some(model) = named else {
        return Err(Failure::input("--gpu: no file names the model; say it with --model"));
    };
    Ok(Some(llm_preset_for(model, gpu, (args.tp, PresetEngine::Vllm)).or_input()?))
}

fn is_png(path: &Path) -> Result<bool> {
    match path.extension().and_then(OsStr::to_str) {
        Some("svg") => Ok(false),
        Some("png") => Ok(true),
        _ => Err(Failure::input(format!("--plot: {}: the ending says which picture: .svg or .png", path.display()))),
    }
}

fn draw(fit: &LlmFit, path: &Path, is_png: bool) -> Result<()> {
    let pairs = fit.pairs();
    let panels: Vec<MeasuredPanel<'_>> = pairs.iter().map(|(title, pairs)| MeasuredPanel { title, pairs }).collect();
    let what = fit.preset.as_deref().unwrap_or("a law without a preset");
    let drawing = report::measured_vs_fitted(&format!("{} load tests, {what}", fit.runs.len()), &panels);
    let bytes = if is_png { drawing.to_png() } else { drawing.to_svg().into_bytes() };
    write_bytes(path, &bytes)
}
