//! A sweep as a Kubernetes Indexed Job: the manifests that run its shards in pods and put them together.
//!
//! [`settings`] reads the words of `--emit-job`, [`bundle`] collects the files the sweep needs, [`manifest`] writes the documents. What the
//! pods will find is laid out on this disk and read again before anything is written, so that a file that would be missed there is told here.

mod bundle;
mod manifest;
mod settings;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lab::Workers;
use lab::sweep::{Shard, Sweep};
use scenario::{Documents, Input};

use self::bundle::Bundle;
use self::settings::{Settings, job_name};
use crate::args;
use crate::commands::{read_sweep, scenario_files, write_bytes};
use crate::failure::{Failure, OrEnvironment, OrInput, Outcome, Result};
use crate::inputs;
use crate::programs::{self, Files};
use crate::sweep_points::check_points;
use crate::tuning::Tuned;

/// Where a pod of an Indexed Job is told which one it is, from 0.
const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";

/// The shard that `--shard` names: `I/N`, or `job/N` with the index of this pod.
pub fn shard(text: &str) -> Result<Shard> {
    let Some(count) = text.strip_prefix("job/") else { return Shard::parse(text).or_input() };
    let index = std::env::var(INDEX_VARIABLE).map_err(|_| {
        Failure::input(format!(
            "--shard {text}: {INDEX_VARIABLE} is not set; pods of a Kubernetes Job with `completionMode: Indexed` have it, elsewhere say I/N"
        ))
    })?;
    let whole = |number: &str| number.trim().parse::<usize>().ok();
    let count = whole(count).filter(|count| *count > 0);
    let shard = count.zip(whole(&index)).and_then(|(count, index)| Shard::of_completion_index(index, count));
    shard.ok_or_else(|| {
        Failure::input(format!(
            "--shard {text} with {INDEX_VARIABLE}={index}: expected job/N and an index from 0 to N - 1; N is the `completions` of the Job"
        ))
    })
}

/// What a sweep is read from: its points, its scenario, and the files of both.
struct Read {
    sweep: Sweep,
    /// How many it runs.
    policies: usize,
    files: Vec<PathBuf>,
}

/// Writes the manifests of the sweep with the settings of `--emit-job`.
pub fn emit(args: &args::Sweep, words: &[String]) -> Result<Outcome> {
    let settings = Settings::parse(words)?;
    if args.jobs.is_some() {
        return Err(Failure::input("--jobs: a pod has as many threads as CPUs; say cpu=N after --emit-job"));
    }
    if args.file.as_os_str() == "-" {
        return Err(Failure::input("--emit-job: the pods read the sweep from a file; name one in place of `-`"));
    }
    let read = read(&args.file, &args.set)?;
    let points = read.sweep.points.len();
    if settings.shards > points {
        return Err(Failure::input(format!(
            "--emit-job shards={}: the sweep has {points} points, and a shard has one at least",
            settings.shards
        )));
    }
    let bundle = settings.input.is_none().then(|| Bundle::of(&args.file, &read.files)).transpose()?;
    if let Some(bundle) = &bundle {
        hold(bundle, args, points)?;
    }
    let name = settings.name.clone().map_or_else(|| job_name(&read.sweep.name), Ok)?;
    let text = manifest::text(&manifest::Plan {
        name: &name,
        settings: &settings,
        bundle: bundle.as_ref(),
        set: &args.set,
        allows_exec: programs::are_allowed(),
        point_settings: points * read.sweep.parameters.len(),
        rows: points * read.policies * read.sweep.replications as usize,
    });
    write_bytes(args.out.as_deref().unwrap_or(Path::new("-")), text.as_bytes())?;
    if !args.quiet {
        let runs = points.div_ceil(settings.shards);
        eprintln!(
            "{points} points in {} shards of at most {runs}; the first lines say how it is started",
            settings.shards
        );
    }
    Ok(Outcome::Done)
}

/// Reads a sweep and its scenario, resolves a point for every value of every axis, and says which files that took.
fn read(file: &Path, set: &[String]) -> Result<Read> {
    let (sweep, _) = read_sweep(file)?;
    let data = Arc::new(Files::default());
    let inputs: Vec<Input> = scenario_files(&sweep, file).into_iter().map(Input::Path).collect();
    let documents = Documents::read_with(&inputs, false, Arc::clone(&data) as _).or_input()?;
    let mut files = vec![file.to_owned()];
    files.extend_from_slice(documents.files());
    let tuned = Tuned::new(documents, inputs::overrides(set)?)?;
    let workers = Workers::new(None).or_environment("starting threads")?;
    check_points(&sweep, &tuned, &workers)?;
    files.extend(data.read());
    let policies = sweep.policies.as_ref().map_or(tuned.loaded.spec.policies.len(), Vec::len);
    Ok(Read { sweep, policies, files })
}

/// Lays the bundle out as a pod sees it and reads the sweep there: it must be the same work, and need nothing else.
fn hold(bundle: &Bundle, args: &args::Sweep, points: usize) -> Result<()> {
    let place = tempfile::tempdir().or_environment("making a temporary folder")?;
    bundle.lay_out(place.path()).or_environment("writing the files of the sweep to a temporary folder")?;
    let there = read(&place.path().join(bundle.sweep()), &args.set)?;
    if let Some(outside) = there.files.iter().find(|file| !file.starts_with(place.path())) {
        return Err(Failure::input(format!(
            "{}: named in a way that leads nowhere in a pod; name it from the folder of the scenario, or say input=PATH with the sweep's path in the volume or the image",
            outside.display()
        )));
    }
    if there.sweep.points.len() != points {
        return Err(Failure::input("the sweep changed while it was read; do it again"));
    }
    Ok(())
}
