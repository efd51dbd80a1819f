//! What the figures of a run rest on, so that a page that is passed on can be judged.

use std::collections::BTreeMap;

use cluster::spec::{NodeManager, Scheduler, ServiceModel, ServiceSpec};
use lab::experiment::{PolicyResult, Results};
use prices::Catalog;
use record::{Purchase, ReplicaLife};
use report::Assumption;
use scenario::Loaded;
use units::{SimDuration, UsdPerHour};

use crate::run_file::RunFile;

/// Topic by topic, most asked first.
pub fn assumptions(loaded: &Loaded, results: &Results, file: &RunFile) -> Vec<Assumption> {
    let one = |topic: &str, lines: Vec<String>| Assumption { topic: topic.to_owned(), lines };
    let mut all = vec![
        one("machines and prices", machines(loaded, results)),
        one("traffic", traffic(loaded, results)),
        one("serving", loaded.spec.services.iter().map(|service| serving(loaded, service)).collect()),
        one("cold start", cold_start(results)),
        one("gates", loaded.gates.clone()),
        one("to know", loaded.notes.iter().chain(&loaded.counted).cloned().collect()),
        one("to repeat it", repeat(file)),
    ];
    all.retain(|topic| !topic.lines.is_empty());
    all
}

/// Every offering that a node of the first replications was, with its price and who says so.
fn machines(loaded: &Loaded, results: &Results) -> Vec<String> {
    let mut used: BTreeMap<(&str, &str, Purchase), u64> = BTreeMap::new();
    for node in results.policies.iter().flat_map(|policy| &policy.first.nodes) {
        *used.entry((&node.pool, &node.instance_type, node.purchase)).or_default() += 1;
    }
    let offerings = loaded.spec.fleet.pools.iter().flat_map(|pool| pool.offerings.iter().map(move |one| (pool, one)));
    let mut lines: Vec<String> = Vec::new();
    for (pool, offering) in offerings {
        if !used.contains_key(&(pool.name.as_str(), offering.instance_type.as_str(), offering.purchase)) {
            continue;
        }
        let gpus = if offering.gpus == 1 { "1 GPU".to_owned() } else { format!("{} GPUs", offering.gpus) };
        let product =
            if offering.gpu_product.is_empty() { String::new() } else { format!(" {}", offering.gpu_product) };
        let prices: Vec<UsdPerHour> = offering.prices.iter().map(|(_, price)| *price).collect();
        let line = format!(
            "{} ({gpus}{product}), {}: {} per hour, {}",
            offering.instance_type,
            offering.purchase.name().replace('_', " "),
            price_range(&prices),
            source(loaded, &offering.instance_type, offering.purchase, &prices),
        );
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let manager = match &loaded.spec.fleet.manager {
        NodeManager::Karpenter => "Karpenter adds and removes nodes".to_owned(),
        NodeManager::ClusterAutoscaler(_) => "the Cluster Autoscaler adds and removes nodes".to_owned(),
        NodeManager::Simple { empty_delay } => {
            format!("a node comes as soon as a pod needs one and goes {empty_delay} after its last")
        }
        NodeManager::Serverless { price } => {
            format!("no nodes: a replica costs {} per hour while it exists", dollars(*price))
        }
    };
    lines.push(manager);
    lines
}

fn price_range(prices: &[UsdPerHour]) -> String {
    let (low, high) = (prices.iter().min(), prices.iter().max());
    match (low, high) {
        (Some(low), Some(high)) if low == high => dollars(*low),
        (Some(low), Some(high)) => format!("{} to {} as it was recorded", dollars(*low), dollars(*high)),
        _ => "no price".to_owned(),
    }
}

fn dollars(price: UsdPerHour) -> String {
    format!("${}", price.as_f64())
}

/// Who says what it costs: the scenario, or the row of the catalog with that price.
fn source(loaded: &Loaded, instance_type: &str, purchase: Purchase, prices: &[UsdPerHour]) -> String {
    let documents = loaded.documents.as_array().into_iter().flatten();
    let written = documents.filter_map(|one| one.get("spec")?.get("prices")?.get(instance_type));
    let key = match purchase {
        Purchase::Spot => "spot",
        Purchase::Reserved => "reserved",
        _ => "onDemand",
    };
    if prices.len() > 1 {
        return "from the history the scenario names".to_owned();
    }
    if written.into_iter().any(|price| price.get(key).is_some()) {
        return "as the scenario states it, without a date".to_owned();
    }
    let is_it = |row: &&prices::Row| {
        let price = match purchase {
            Purchase::Spot => row.spot,
            Purchase::Reserved => row.reserved_1y,
            _ => row.on_demand,
        };
        row.instance_type == instance_type && price.is_some() && price == prices.first().copied()
    };
    match Catalog::built_in().rows().iter().filter(is_it).max_by_key(|row| row.date) {
        Some(row) => format!("{} {} of {}, {}", row.provider, row.region, row.date, row.source),
        None => "from the catalog, the rules or the commitments the scenario names".to_owned(),
    }
}

fn traffic(loaded: &Loaded, results: &Results) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    if !loaded.description.is_empty() {
        lines.push(loaded.description.clone());
    }
    if let Some(policy) = results.policies.first() {
        let requests = |policy: &PolicyResult| policy.summary.pooled.requests;
        let parts: Vec<String> = match &policy.services[..] {
            [] => vec![format!("{} requests per replication", requests(policy))],
            parts => parts
                .iter()
                .map(|part| format!("{}: {} requests per replication", part.service(), requests(part)))
                .collect(),
        };
        lines.extend(parts);
    }
    lines.push("every policy faces the same requests".to_owned());
    lines
}

/// The law by which a replica serves, and what the client does.
fn serving(loaded: &Loaded, service: &ServiceSpec) -> String {
    let law = match &service.model {
        ServiceModel::Slots { concurrency, .. } => format!("{concurrency} requests at once, each for its own time"),
        ServiceModel::DynamicBatching { batch_max, queue_delay, latency, .. } => {
            let time = |size: usize| latency.table.get(size - 1).map_or(SimDuration::ZERO, |time| *time);
            format!(
                "one batch at a time, up to {batch_max} requests after at most {queue_delay}; a batch of 1 takes {}, of {batch_max} {}",
                time(1),
                time(*batch_max as usize)
            )
        }
        ServiceModel::ContinuousBatching { sequences_max, batched_tokens_max, kv_tokens, .. } => format!(
            "continuous batching{}, up to {sequences_max} sequences and {batched_tokens_max} tokens in an iteration, {kv_tokens} tokens of KV cache",
            scheduler(&service.engine.scheduler)
        ),
    };
    let client = match (&service.client_timeout, &service.client_patience) {
        (None, None) => "waits for ever".to_owned(),
        (Some(limit), None) => format!("gives up after {limit}"),
        (None, Some(patience)) => format!("gives up if nothing has begun after {patience}"),
        (Some(limit), Some(patience)) => format!("gives up after {limit}, or if nothing has begun after {patience}"),
    };
    let name = if loaded.spec.services.len() > 1 { format!("{}: ", service.name) } else { String::new() };
    format!("{name}{law}; the client {client}")
}

/// By whose rule passes are filled, where it is not vLLM's.
fn scheduler(scheduler: &Scheduler) -> &'static str {
    match scheduler {
        Scheduler::Vllm => "",
        Scheduler::PrefillFirst(_) => " as SGLang has it",
        Scheduler::NoEvict => " as TensorRT-LLM has it (no evict)",
        Scheduler::MaxUtilization => " as TensorRT-LLM has it (max utilization)",
        Scheduler::Tgi(_) => " as TGI has it",
    }
}

/// What the phases took in the first replications, in the mean over the replicas that became ready.
fn cold_start(results: &Results) -> Vec<String> {
    let lives = || results.policies.iter().flat_map(|policy| &policy.first.services).flat_map(|one| &one.replicas);
    let started: Vec<&ReplicaLife> =
        lives().filter(|life| life.ready.is_some_and(|ready| ready > life.created)).collect();
    if started.is_empty() {
        return Vec::new();
    }
    let mut phases: Vec<(&str, f64)> = Vec::new();
    for life in &started {
        let ready = life.ready.unwrap_or(life.created);
        for span in life.phases.iter().filter(|span| span.end <= ready) {
            let seconds = span.end.since(span.start).as_secs_f64();
            match phases.iter_mut().find(|(name, _)| *name == span.phase) {
                Some((_, sum)) => *sum += seconds,
                None => phases.push((span.phase, seconds)),
            }
        }
    }
    let count = started.len() as f64;
    let total: f64 =
        started.iter().map(|life| life.ready.unwrap_or(life.created).since(life.created).as_secs_f64()).sum();
    let parts: Vec<String> = phases
        .iter()
        .filter(|(_, sum)| *sum > 0.0)
        .map(|(name, sum)| format!("{} {:.0} s", name.replace('_', " "), sum / count))
        .collect();
    vec![format!(
        "{:.0} s in the mean over {} cold starts of the first replications: {}",
        total / count,
        started.len(),
        parts.join(", ")
    )]
}

fn repeat(file: &RunFile) -> Vec<String> {
    let mut lines = vec![
        format!("scalelab {}, seed {}, {} replications per policy", file.version, file.seed, file.replications),
        format!("made by: {}", file.command.join(" ")),
        "scalelab run --from run.json repeats it to the bit".to_owned(),
    ];
    let first = file.digests.iter().filter(|digest| digest.replication == 0);
    let digests: Vec<String> = first.map(|digest| format!("{} {}", digest.policy, digest.digest)).collect();
    lines.push(format!("digests of the first replications: {}", digests.join(", ")));
    lines
}
