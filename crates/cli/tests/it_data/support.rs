//! Running the program in a folder of its own, on short scenarios.

#[path = "../support/lab.rs"]
mod lab;

pub use lab::{Lab, Ran};

/// A scenario with `service` that runs for a minute, its `spec` going on with `rest`.
pub fn scenario(rest: &str) -> String {
    format!(
        "apiVersion: scalelab.dev/v1\nkind: Scenario\nmetadata: {{name: tiny}}\nspec:\n  run: {{start: \"2026-01-05\", duration: 60s}}\n  \
         policies:\n  - name: fixed\n    static: {{replicas: 1}}\n{rest}"
    )
}

/// The parts of `spec` that tests usually do not ask about.
pub const TRAFFIC: &str = "  traffic: {generator: {rate: 5req/s}}\n";
pub const SERVICE: &str = "  service: {pod: {gpus: 1}, model: {slots: {serviceTime: 50ms}}}\n";
pub const POOL: &str = "  nodes: {pools: [{name: gpu, instanceTypes: [g5.xlarge]}]}\n";
