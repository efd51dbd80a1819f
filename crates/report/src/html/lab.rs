//! The lab: a page with the engine and a scenario in it, whose settings can be moved. It loads nothing from anywhere.
//!
//! Beyond what the report may do, the page may compile the module it carries (`'wasm-unsafe-eval'`) and start workers from its own text
//! (`worker-src blob:`). It knows neither what the module is nor how a scenario is packed.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use minijinja::context;
use serde_json::json;

use super::{json_for_html, rendered, sha256};

const TEMPLATE: &str = concat!(include_str!("../../assets/head.html"), include_str!("../../assets/lab/lab.html"));
const STYLE: &str =
    concat!(include_str!("../../assets/vendor/uplot.min.css"), include_str!("../../assets/lab/lab.css"));
const SCRIPT: &str = concat!(
    include_str!("../../assets/vendor/uplot.min.js"),
    include_str!("../../assets/lab/knobs.js"),
    include_str!("../../assets/lab/workers.js"),
    include_str!("../../assets/lab/lab.js")
);
const LICENCE: &str = include_str!("../../assets/vendor/LICENSE-uPlot.txt");
/// What runs in a worker. It is data of the page until the page makes a worker of it.
const WORKER: &str = include_str!("../../assets/lab/engine.js");

/// What a lab page is made of.
#[derive(Clone, Copy, Debug)]
pub struct LabPage<'a> {
    /// Name of the scenario.
    pub scenario: &'a str,
    /// What it is about; may be empty.
    pub description: &'a str,
    /// The engine, a WebAssembly module.
    pub module: &'a [u8],
    /// The scenario as the module reads it.
    pub pack: &'a [u8],
    /// The command that runs the scenario as it is in the page, ready for more `--set`.
    pub command: &'a str,
    /// Version of the program that wrote it.
    pub version: &'a str,
}

/// The whole page.
pub fn lab_html(page: &LabPage<'_>) -> Vec<u8> {
    let facts = json!({ "command": page.command, "version": page.version });
    let values = context! {
        title => page.scenario,
        product => "scalelab lab",
        description => page.description,
        version => page.version,
        licence => LICENCE,
        content_security_policy => format!(
            "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}' 'wasm-unsafe-eval'; worker-src blob:",
            sha256::base64_digest(STYLE.as_bytes()),
            sha256::base64_digest(SCRIPT.as_bytes())
        ),
        style => minijinja::Value::from_safe_string(STYLE.to_owned()),
        script => minijinja::Value::from_safe_string(SCRIPT.to_owned()),
        worker => minijinja::Value::from_safe_string(json_for_html(&json!(WORKER))),
        facts => minijinja::Value::from_safe_string(json_for_html(&facts)),
        module => minijinja::Value::from_safe_string(sha256::base64(&packed(page.module))),
        pack => minijinja::Value::from_safe_string(sha256::base64(&packed(page.pack))),
    };
    rendered(TEMPLATE, values).into_bytes()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes everything")
}
