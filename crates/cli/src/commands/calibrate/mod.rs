//! `scalelab calibrate`: measurements in, scenario snippets out.

mod plot;
mod presets;
mod service;
mod spot;

use std::path::{Path, PathBuf};

use calibrate::presets;

use super::data_files::{read_text, say, write, wrong};
use crate::args::{Calibrate, CalibrateColdStart};
use crate::failure::{Failure, OrInput, Outcome, Result};

/// Runs the command given.
pub fn calibrate(args: &Calibrate) -> Result<Outcome> {
    match args {
        Calibrate::ColdStart(args) => cold_start(args)?,
        Calibrate::Spot(args) => spot::spot(args)?,
        Calibrate::Service(args) => service::service(args)?,
        Calibrate::Presets(args) => presets::presets(args)?,
        Calibrate::Preset { name } => preset(name.as_deref())?,
    }
    Ok(Outcome::Done)
}

/// The report goes to standard output; the snippet to its file, or below the report.
fn publish(report: &str, snippet: &str, out: Option<&Path>) -> Result<()> {
    match out {
        // What is asked for goes to standard output alone; what was found on the way is for people.
        Some(path) if path.as_os_str() == "-" => {
            eprintln!("{report}");
            say(snippet)
        }
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
