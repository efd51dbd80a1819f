//! `scalelab check`: does a scenario keep what its gates promise?

use std::num::NonZeroU32;

use lab::experiment::expected_requests;
use lab::gates::{self, Gate, GateReport, WhenUndecided};
use lab::{Runs, Workers};
use scenario::Loaded;

use super::data_files::{is_standard_output, write_bytes};
use super::run::simulate_with_bar;
use crate::args::{Check, Undecided};
use crate::failure::{Failure, OrEnvironment, Outcome, Result};
use crate::interrupt::raise_on_interrupt;
use crate::simulation::Effort;
use crate::{inputs, results};

/// Runs, holds every gate against every policy it is about, writes what was asked for.
pub fn check(args: &Check) -> Result<Outcome> {
    let outputs = [args.junit.as_ref(), args.markdown.as_ref(), args.json.as_ref()];
    // Before the work: two of them cannot be standard output.
    let is_piped = is_standard_output(&outputs)?;
    let mut loaded = inputs::load(&args.scenario)?;
    let all: Vec<String> = loaded.spec.policies.iter().map(|policy| policy.name.clone()).collect();
    inputs::choose_policies(&mut loaded, &args.policy)?;
    let gates = gates(args, &loaded, &all)?;
    let baseline = baseline(args, &gates)?;
    if !args.work.quiet {
        inputs::print_notes(&loaded, args.scenario.reading.verbose);
    }
    let workers = Workers::new(args.work.jobs).or_environment("starting threads")?;
    raise_on_interrupt(workers.stop_flag()).or_environment("listening for interrupts")?;
    let effort = Effort {
        seed: args.work.seed.unwrap_or(loaded.seed),
        replications: args.effort.replications.map_or(loaded.replications, NonZeroU32::get),
        precision: args.effort.precision,
    };
    let (found, _) = simulate_with_bar(&effort, &loaded, (&workers, None), args.work.quiet)?;
    if found.is_interrupted {
        return Err(Failure::Environment(anyhow::anyhow!(
            "interrupted before all runs were done; nothing was decided"
        )));
    }
    let when_undecided = match args.undecided {
        Undecided::Fail => WhenUndecided::Fail,
        Undecided::Pass => WhenUndecided::Pass,
    };
    let expected = args.control_variates.then(|| expected_requests(&loaded.spec)).flatten();
    if args.control_variates && expected.is_none() && !args.work.quiet {
        eprintln!(
            "note: the expected number of requests is not known for this traffic, so there is no control variate"
        );
    }
    let report = gates::evaluate(&gates, &found.policies, &baseline, expected, when_undecided);
    write(args, &report, &report.to_markdown(&found.policies))?;
    if is_piped && !args.work.quiet {
        eprint!("{}", report.to_text());
    } else if !args.work.quiet {
        out!("{}", report.to_text());
    }
    Ok(if report.is_passed() { Outcome::Done } else { Outcome::GateFailed })
}

/// The scenario's gates and those of the command line, without gates on policies that are not run.
fn gates(args: &Check, loaded: &Loaded, all: &[String]) -> Result<Vec<Gate>> {
    let written = loaded.gates.iter().enumerate().map(|(index, text)| (format!("gates[{index}]"), text));
    let given = args.gate.iter().map(|text| ("--gate".to_owned(), text));
    let names: Vec<&str> = all.iter().map(String::as_str).collect();
    let services: Vec<&str> = loaded.spec.services.iter().map(|service| service.name.as_str()).collect();
    let mut gates = Vec::new();
    for (place, text) in written.chain(given) {
        let wrong = |error| Failure::input(format!("{place}: `{text}`: {error}"));
        gates.push(Gate::parse(text).and_then(|gate| gate.named(&names, &services)).map_err(wrong)?);
    }
    if gates.is_empty() {
        return Err(Failure::input(
            "there is nothing to check: give the scenario `spec.gates`, such as `- slo_attainment >= 0.99`, or use --gate",
        ));
    }
    let is_run = |name: &String| loaded.spec.policies.iter().any(|policy| policy.name == *name);
    gates.retain(|gate| gate.policy.as_ref().is_none_or(is_run));
    if gates.is_empty() {
        let chosen = args.policy.join(", ");
        return Err(Failure::input(format!("--policy {chosen}: no gate is about it, so nothing would be checked")));
    }
    Ok(gates)
}

fn baseline(args: &Check, gates: &[Gate]) -> Result<Runs> {
    match (&args.baseline, gates.iter().find(|gate| gate.needs_baseline())) {
        (Some(folder), _) => results::runs(folder),
        (None, Some(gate)) => Err(Failure::input(format!(
            "the gate `{gate}` compares with a baseline; name a folder of `scalelab run` with --baseline"
        ))),
        (None, None) => Ok(Runs::default()),
    }
}

fn write(args: &Check, report: &GateReport, markdown: &str) -> Result<()> {
    let json = || format!("{:#}\n", report.to_json());
    let files = [(&args.junit, report.to_junit()), (&args.markdown, markdown.to_owned()), (&args.json, json())];
    for (path, text) in files {
        if let Some(path) = path {
            write_bytes(path, text.as_bytes())?;
        }
    }
    Ok(())
}
