//! What the verdict is asked: objectives, and what commands would ask the same question again.

use std::path::PathBuf;

use cluster::spec::{ControllerSpec, PolicySpec, ServicePolicy};
use lab::verdict::Question;
use report::shell_word;
use scenario::Loaded;
use serde_json::Value;

use crate::args::ScenarioArgs;

/// The question of a scenario read as these arguments say; without arguments (a repetition of a run) no commands are proposed.
pub fn question(loaded: &Loaded, args: Option<&ScenarioArgs>) -> Question {
    let spec = &loaded.spec;
    let objectives = spec.services.iter().map(|service| (service.name.clone(), service.slo.objective)).collect();
    let ranges = spec.policies.iter().map(|policy| ranges(loaded, policy)).collect();
    // What stood on standard input is gone.
    let again = args.filter(|args| args.scenario.iter().all(|path| path.as_os_str() != "-"));
    let scenario = again.map(|args| scenario_words(&args.scenario, &args.set, args.reading.plain));
    Question { objectives, scenario, ranges }
}

/// A scenario on a command line: its files, what is set and how manifests are read.
pub fn scenario_words(files: &[PathBuf], set: &[String], is_plain: bool) -> String {
    let files = files.iter().map(|path| shell_word(&path.display().to_string()));
    let set = set.iter().map(|assignment| format!("--set {}", shell_word(assignment)));
    files.chain(set).chain(is_plain.then(|| "--plain".to_owned())).collect::<Vec<_>>().join(" ")
}

/// The least number of replicas of every service, which is what most often decides between money and misses.
fn ranges(loaded: &Loaded, policy: &PolicySpec) -> String {
    let services = &loaded.spec.services;
    let written = written(loaded, &policy.name);
    let of_service = |(index, service): (usize, &ServicePolicy)| {
        let name = &services[index].name;
        let (whose, at) = if services.len() == 1 {
            (String::new(), written)
        } else {
            (format!("services.{name}."), written.and_then(|policy| policy.get("services")?.get(name)))
        };
        let (key, from, to) = range(service)?;
        // A path leads somewhere only where the policy itself says what scales: what is deployed beside it is not its own.
        let says = |word: &str| at.is_some_and(|at| at.get(word).is_some());
        let leads = if key.starts_with("static.") { says("static") } else { says("hpa") != says("keda") };
        leads.then(|| shell_word(&format!("policies.{}.{whose}{key}={from}..{to}", policy.name)))
    };
    policy.services.iter().enumerate().filter_map(of_service).collect::<Vec<_>>().join(" ")
}

/// The policy as the Scenario document has it.
fn written<'a>(loaded: &'a Loaded, policy: &str) -> Option<&'a Value> {
    let documents = loaded.documents.as_array()?;
    let scenario = documents.iter().find(|one| one.get("kind").and_then(Value::as_str) == Some("Scenario"))?;
    let policies = scenario.get("spec")?.get("policies")?.as_array()?;
    policies.iter().find(|one| one.get("name").and_then(Value::as_str) == Some(policy))
}

/// The key of a policy and how far it may go: from one up to its maximum; of a fixed number down to one and up to half as many again.
fn range(service: &ServicePolicy) -> Option<(&'static str, u32, u32)> {
    let found = service.controllers.iter().find_map(|controller| match controller {
        ControllerSpec::Hpa { spec, .. } => Some(("spec.minReplicas", 1, spec.replicas_max)),
        ControllerSpec::Keda { scaled_object, .. } => {
            let from = scaled_object.replicas_idle.map_or(1, |idle| idle + 1);
            Some(("spec.minReplicaCount", from, scaled_object.replicas_max.unwrap_or(100)))
        }
        ControllerSpec::Static { replicas } => Some(("static.replicas", 1, replicas + replicas.div_ceil(2))),
        ControllerSpec::Recorded(_) | ControllerSpec::Predictive(_) | ControllerSpec::External { .. } => None,
    });
    found.filter(|(_, from, to)| from < to)
}
