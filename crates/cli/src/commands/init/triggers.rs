//! KEDA triggers that measure what is not simulated: only their user knows what of the simulated service that is. Without a word for
//! it nothing runs, so the starter has a guess in its place, and says so.

use std::path::Path;

use scenario::{OpenTrigger, ScenarioError};

use super::load;
use super::manifests::Found;
use super::starter::{NodesChoice, Starter};

/// Types whose sources do not follow the requests of a service: a number stands for them.
const FIXED: [&str; 4] = ["aws-kinesis-stream", "aws-dynamodb-streams", "kubernetes-resource", "kubernetes-workload"];

/// Gives every trigger that has no signal of its own a guess; what is to be said of them.
pub fn feed(starter: &mut Starter, found: &Found) -> Vec<String> {
    let mut notes = Vec::new();
    while let Err(ScenarioError::OpenTrigger { at, trigger, .. }) =
        load(starter.probe(&NodesChoice::Serverless), found, Path::new(""))
    {
        // A second refusal of one trigger is about something else; it is told when the scenario is loaded.
        if starter.triggers.iter().any(|known| known.key == trigger.key) {
            break;
        }
        let place = &at.place;
        notes.push(format!(
            "{place}: what trigger {} ({}) measures {}: `{}` under metrics.triggers is a guess",
            trigger.key,
            trigger.kind,
            trigger.measured_at,
            guess(&trigger)
        ));
        starter.triggers.push(*trigger);
    }
    notes
}

fn guess(trigger: &OpenTrigger) -> &'static str {
    match trigger {
        OpenTrigger { lacks_target: true, .. } => "{signal: requests, target: 10}",
        OpenTrigger { kind, .. } if FIXED.contains(&kind.as_str()) => "{constant: 1}",
        _ => "{signal: requests}",
    }
}

/// `metrics.triggers`, with what may be written there; nothing where no trigger needs it.
pub fn text(triggers: &[OpenTrigger]) -> String {
    if triggers.is_empty() {
        return String::new();
    }
    let entries = triggers.iter().map(|trigger| {
        let key = serde_json::Value::from(trigger.key.as_str());
        format!("      {key}: {} # {}\n", guess(trigger), trigger.kind)
    });
    format!(
        "  # GUESS: what these triggers measure is not simulated. Put what stands for it: `signal:` requests, held, assigned, running,\n  \
         # waiting, arrivalRate, finishRate or oldest (with `perRequest`, `every`, `delay`); `constant: N`; or `promql: \"…\"` over simulated series.\n  \
         metrics:\n    triggers:\n{}\n",
        entries.collect::<String>()
    )
}
