//! `scalelab lab`: a scenario and the engine in one page.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use playground::{PackError, Recorder};
use report::LabPage;
use scenario::Documents;
use traces::Disk;

use super::data_files::write_bytes;
use crate::args::Lab;
use crate::failure::{Failure, OrInput, Outcome, Result};
use crate::inputs;
use crate::question::scenario_words;

/// The module this program was built with, as it is or packed by gzip (five megabytes less); empty if it was built without.
const BUILT_IN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/lab.wasm"));

/// Name of the module beside the program.
const FILE: &str = "scalelab-lab.wasm";

/// Bytes of the whole page at most: more is no page that one mails.
const PAGE_BYTES_MAX: usize = 32 << 20;

/// Writes the page.
pub fn lab(args: &Lab) -> Result<Outcome> {
    let module = module(args.module.as_deref())?;
    let recorder = Arc::new(Recorder::new(Arc::new(Disk::default())));
    let inputs = inputs::inputs(&args.scenario)?;
    let documents =
        Documents::read_with(&inputs, args.scenario.reading.plain, Arc::clone(&recorder) as _).or_input()?;
    let overrides = inputs::overrides(&args.scenario.set)?;
    let loaded = documents.load(&overrides).or_input()?;
    inputs::print_notes(&loaded, args.scenario.reading.verbose);
    let pack = playground::pack(&documents, &recorder, &overrides).map_err(|error| match error {
        PackError::Scenario(error) => Failure::input(error),
        PackError::TooBig { file, requests } => Failure::input(format!(
            "{file}: {requests} requests are too many for a page, which carries its traces; clip the file, or describe it by a generator with `scalelab trace fit`"
        )),
    })?;
    let page = report::lab_html(&LabPage {
        scenario: &loaded.spec.name,
        description: &loaded.description,
        module: &module,
        pack: &pack,
        command: &command(args),
        version: env!("CARGO_PKG_VERSION"),
    });
    if page.len() > PAGE_BYTES_MAX {
        let size = page.len() >> 20;
        return Err(Failure::input(format!(
            "the page would have {size} MiB, and {} are the most it may: its traces are too long; clip them",
            PAGE_BYTES_MAX >> 20
        )));
    }
    write_bytes(&args.out, &page)?;
    if args.out.as_os_str() != "-" {
        outln!("{}", args.out.display());
    }
    Ok(Outcome::Done)
}

/// The module: the one given, the one built in, or the one beside the program.
fn module(given: Option<&Path>) -> Result<Vec<u8>> {
    let path = match given {
        Some(path) => path.to_owned(),
        None if !BUILT_IN.is_empty() => return Ok(unpacked(BUILT_IN)),
        None => beside().ok_or_else(|| {
            Failure::input(format!(
                "this program was built without the lab's engine: build it with `scripts/build-lab.sh` of the repository, then give it as `--module target/lab/{FILE}` or put it beside the program"
            ))
        })?,
    };
    let bytes =
        std::fs::read(&path).map_err(|error| Failure::input(format!("{}: cannot be read: {error}", path.display())))?;
    if !bytes.starts_with(b"\0asm") {
        return Err(Failure::input(format!("{}: is no WebAssembly module", path.display())));
    }
    Ok(bytes)
}

/// Beside the program, or where the script leaves it in the folder of a build.
fn beside() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let folder = program.parent()?;
    let places = [Some(folder.join(FILE)), folder.parent().map(|above| above.join("lab").join(FILE))];
    places.into_iter().flatten().find(|place| place.is_file())
}

/// How the scenario is run from a shell as it is in the page.
fn command(args: &Lab) -> String {
    let scenario = &args.scenario;
    format!("scalelab run {}", scenario_words(&scenario.scenario, &scenario.set, scenario.reading.plain))
}

/// The module as it runs.
fn unpacked(built_in: &[u8]) -> Vec<u8> {
    if !built_in.starts_with(&[0x1f, 0x8b]) {
        return built_in.to_vec();
    }
    let mut module = Vec::new();
    GzDecoder::new(built_in).read_to_end(&mut module).expect("what the build packed can be unpacked");
    module
}
