//! `scalelab init`: a scenario to start from, around the user's own manifests and traffic, that runs as it is.

mod manifests;
mod nodes;
mod preset;
mod recording;
mod several;
mod speed;
mod starter;
mod traffic;
mod triggers;

use std::path::{Path, PathBuf};

use scenario::{Input, Loaded, ScenarioError};

use crate::args::Init;
use crate::failure::{Failure, OrEnvironment, OrInput, Outcome, Result};
pub use manifests::Content;
use manifests::Found;
pub use recording::{REPLICAS, Recording, Serving, TRAFFIC};
use starter::Starter;
use traffic::TrafficChoice;

/// Writes the folder, whole or not at all.
pub fn init(args: &Init) -> Result<Outcome> {
    with_cold_start(args, |_| None)
}

/// The same, with what `measured` says of the cold starts of a service: `coldStart`, and lines of `nodes.timings`.
pub fn with_cold_start(args: &Init, measured: impl Fn(&str) -> Option<(String, String)>) -> Result<Outcome> {
    if args.making.out.exists() {
        let reason = "exists already; `init` never overwrites: name a folder that does not exist";
        return Err(Failure::input(format!("{}: {reason}", args.making.out.display())));
    }
    let name = args.making.out.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.ok_or_else(|| Failure::input(format!("{}: has no name", args.making.out.display())))?;
    let all = Found::read(args)?;
    let found = &all[0];
    let traffic = args.traffic.as_deref().map(TrafficChoice::of).transpose()?;
    let (text, notes) = match &all[..] {
        [found] => {
            let mut starter = Starter::new(name, found, traffic.clone());
            starter.measured = measured(&found.service);
            starter_text(starter, found)?
        }
        all => several::compose(&name, all, &measured)?,
    };

    let file = args.traffic.as_deref().zip(traffic);
    let files: Vec<(String, Content)> =
        file.into_iter().map(|(path, choice)| (choice.file, Content::File(path.to_owned()))).collect();
    let loaded = place(&args.making.out, text, found, &files)?;
    all.iter().flat_map(|found| &found.notes).chain(&notes).for_each(|note| eprintln!("note: {note}"));
    Ok(ready(args, &loaded))
}

/// A scenario that replays a recording of `service`, with the files that it names.
pub fn from_recording(
    args: &Init,
    service: &str,
    recording: Recording,
    files: &[(String, Content)],
) -> Result<Outcome> {
    let name = args.making.out.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.ok_or_else(|| Failure::input(format!("{}: has no name", args.making.out.display())))?;
    // One: manifests come with the name of the workload.
    let mut found = Found::read(args)?.swap_remove(0);
    if args.manifests.is_empty() {
        service.clone_into(&mut found.service);
    }
    let (text, notes) = replaying(&name, &found, recording)?;
    let loaded = place(&args.making.out, text, &found, files)?;
    found.notes.iter().chain(&notes).for_each(|note| eprintln!("note: {note}"));
    Ok(ready(args, &loaded))
}

/// The text of a recording. The GPUs that pods really had are asked for where the price catalog has a machine with them.
fn replaying(name: &str, found: &Found, mut recording: Recording) -> Result<(String, Vec<String>)> {
    let starter = |recording: Recording| Starter::new(name.to_owned(), found, None).replaying(recording);
    let Some((product, count)) = recording.serving.as_ref().and_then(|serving| serving.gpus.clone()) else {
        return starter_text(starter(recording), found);
    };
    let as_seen = starter_text(starter(recording.clone()), found);
    if as_seen.is_ok() {
        return as_seen;
    }
    if let Some(serving) = &mut recording.serving {
        serving.gpus = None;
    }
    let (text, mut notes) = starter_text(starter(recording), found)?;
    notes.push(format!(
        "nodes: by dcgm-exporter a pod had {count} x {product}, with which the price catalog has no machine: name yours under nodes.instanceTypes"
    ));
    Ok((text, notes))
}

/// Says what the scenario's reader would say, and that it is there.
fn ready(args: &Init, loaded: &Loaded) -> Outcome {
    crate::inputs::print_notes(loaded, args.making.reading.verbose);
    outln!("{} is ready: scalelab run {}", args.making.out.join("scenario.yaml").display(), args.making.out.display());
    Outcome::Done
}

/// Writes the folder, whole or not at all. What stands there already (parts of an import) goes when all is there.
fn place(out: &Path, text: String, found: &Found, files: &[(String, Content)]) -> Result<Loaded> {
    let staging = staging(out);
    let written = stage(&staging, &text, found, files);
    let placed = written.and_then(|()| {
        // What `scalelab run` will say to it. Manifests are read where the user has them, so that messages name those files.
        let loaded = load(text, found, &staging).or_input()?;
        let doing = format!("writing {}", out.display());
        let aside = staging.with_extension("old");
        if out.exists() {
            std::fs::rename(out, &aside).or_environment(&doing)?;
        }
        std::fs::rename(&staging, out).or_environment(&doing)?;
        if aside.exists() {
            std::fs::remove_dir_all(&aside).or_environment(&format!("removing {}", aside.display()))?;
        }
        Ok(loaded)
    });
    if placed.is_err() {
        // The error that matters is the first one.
        let _ = std::fs::remove_dir_all(&staging);
    }
    placed
}

/// The text with nodes chosen, and what is to be said of it.
fn starter_text(mut starter: Starter, found: &Found) -> Result<(String, Vec<String>)> {
    let open = triggers::feed(&mut starter, found);
    let chosen = nodes::choose(&starter, found, None)?;
    starter.nodes = chosen.nodes;
    starter.gpu = chosen.gpu;
    let notes =
        chosen.notes.into_iter().chain(starter.preset_note()).chain(starter.serving_note()).chain(open).collect();
    Ok((starter.text(), notes))
}

/// A folder beside the one to make, so that it can be moved there in one step.
fn staging(out: &Path) -> PathBuf {
    let name = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    out.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}

fn stage(staging: &Path, text: &str, found: &Found, files: &[(String, Content)]) -> Result<()> {
    let doing = || format!("writing {}", staging.display());
    std::fs::create_dir_all(staging).or_environment(&doing())?;
    std::fs::write(staging.join("scenario.yaml"), text).or_environment(&doing())?;
    for (name, content) in found.files.iter().chain(files) {
        let copy = staging.join(name);
        std::fs::create_dir_all(copy.parent().unwrap_or(staging)).or_environment(&doing())?;
        match content {
            Content::File(path) => std::fs::copy(path, copy).map(drop),
            Content::Text(text) => std::fs::write(copy, text),
        }
        .or_environment(&doing())?;
    }
    Ok(())
}

fn load(text: String, found: &Found, folder: &Path) -> std::result::Result<Loaded, ScenarioError> {
    let mut inputs = found.inputs.clone();
    inputs.push(Input::Text { name: "scenario.yaml".to_owned(), text });
    traces::read_with(&inputs, found.is_plain)?.in_folder(folder).load(&[])
}
