//! A starter of several services on the same nodes.

use std::cmp::Reverse;

use super::manifests::Found;
use super::nodes::{self, Chosen};
use super::starter::{NodesChoice, Starter, nodes_text, quoted, with_timings};
use super::triggers;
use crate::failure::{Failure, Result};

/// The scenario of all that was found, and what is to be said of its nodes.
pub fn compose(
    name: &str,
    all: &[Found],
    measured: &dyn Fn(&str) -> Option<(String, String)>,
) -> Result<(String, Vec<String>)> {
    let mut starters: Vec<Starter> = all.iter().map(|found| Starter::new(name.to_owned(), found, None)).collect();
    let mut open = Vec::new();
    for (starter, found) in starters.iter_mut().zip(all) {
        starter.measured = measured(&found.service);
        open.extend(triggers::feed(starter, found));
    }
    let (pools, mut notes) = place(&mut starters, all)?;
    let is_measured = starters.iter().any(|starter| starter.measured.is_some());
    let entries = starters.iter().enumerate().map(|(index, starter)| starter.entry_text(index == 0, is_measured));
    let services = format!("  services:\n{}", entries.collect::<String>());
    // Nodes are those of all.
    let timings =
        starters.iter().filter_map(|starter| Some(&starter.measured.as_ref()?.1)).find(|lines| !lines.is_empty());
    let nodes = with_timings(nodes_text(&pools, &all[0].pools), &pools[0], timings.map_or("", String::as_str));
    let parts = [services, nodes, policies_text(all)];
    starters[0].triggers = starters.iter().flat_map(|starter| starter.triggers.clone()).collect();
    notes.extend(open);
    Ok((starters[0].head_text() + &parts.join("\n"), notes))
}

/// Machines for all of them: the largest replica first, and for each that follows one that is there already, if its pods can run on it.
fn place(starters: &mut [Starter], all: &[Found]) -> Result<(Vec<NodesChoice>, Vec<String>)> {
    let (mut pools, mut notes): (Vec<NodesChoice>, Vec<String>) = (Vec::new(), Vec::new());
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|&index| Reverse(all[index].accelerators()));
    for index in order {
        let (starter, found) = (&mut starters[index], &all[index]);
        let chosen = match pools.iter().find_map(|pool| nodes::on(pool, starter, found)) {
            Some(chosen) => chosen,
            None => nodes::choose(starter, found, pools.first().and_then(NodesChoice::provider))?,
        };
        let Chosen { nodes, gpu, notes: own } = chosen;
        notes.extend(own.into_iter().map(|note| format!("{}: {note}", found.service)));
        if !pools.contains(&nodes) {
            pools.push(nodes);
        }
        starter.gpu = gpu;
        notes.extend(starter.preset_note().map(|note| format!("{}: {note}", found.service)));
    }
    if let Some(other) = pools.iter().find(|pool| !pool.is_priced_with(&pools[0])) {
        let reason =
            "one scenario has the prices of one provider and region; `--workload` takes those that run together";
        return Err(Failure::input(format!("the pods need {} and {}: {reason}", pools[0].title(), other.title())));
    }
    Ok((pools, notes))
}

/// As many replicas as the manifests say, beside what scales them.
fn policies_text(all: &[Found]) -> String {
    let mut text = String::from(
        "  # Alternatives to compare, all over the same requests; what a service does not say is its manifest's.\n  policies:\n",
    );
    let mut add = |name: &str, of: &dyn Fn(&Found) -> Option<String>| {
        let lines: String = all
            .iter()
            .filter_map(|found| Some(format!("      {}: {}\n", quoted(&found.service), of(found)?)))
            .collect();
        text += &format!("  - name: {name}\n    services:\n{lines}");
    };
    add("static", &|found| Some(format!("{{static: {{replicas: {}}}}}", found.replicas.max(1))));
    let is_scaled = all.iter().any(|found| scaler(found).is_some());
    if is_scaled {
        add("as-deployed", &|found| scaler(found).map(|scaler| format!("{{{scaler}}}")));
        add("as-deployed-with-warm-pool", &|found| {
            scaler(found).map(|scaler| format!("{{{scaler}, warmPool: {{size: 1}}}} # a standby with the model loaded"))
        });
    } else {
        text += "  # An autoscaler is a manifest in this folder, named here: `chat: {hpa: NAME}` or `chat: {keda: NAME}`.\n";
    }
    text
}

/// The autoscaler of a service as a policy names it; the first of several.
fn scaler(found: &Found) -> Option<String> {
    let keda = || found.scaled_objects.first().map(|name| format!("keda: {}", quoted(name)));
    found.hpas.first().map(|name| format!("hpa: {}", quoted(name))).or_else(keda)
}
