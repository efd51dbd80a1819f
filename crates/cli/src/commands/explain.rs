//! `scalelab explain`: why a controller did, or did not, scale.

use cluster::Keep;
use lab::experiment::replication_seed;
use record::{DecisionRow, MetricUse, NodeLife, ReplicaLife, RolloutLife, ServiceRecord};
use report::{CalendarStart, decision_words, metric_words};
use units::{SimDuration, SimTime};

use crate::args::Explain;
use crate::failure::{Failure, Outcome, Result};
use crate::moment::{self, Clock};
use crate::run_file::RunFile;
use crate::saved_tables::Saved;

/// What a run says of one policy and one service in its first replication.
struct Told {
    clock: Clock,
    end: SimTime,
    /// Each with the age of the oldest sample behind it, where its metrics do not say theirs.
    decisions: Vec<(DecisionRow, Option<f64>)>,
    metrics: Vec<MetricUse>,
    replicas: Vec<ReplicaLife>,
    nodes: Vec<NodeLife>,
    rollouts: Vec<RolloutLife>,
}

/// Tells the reasoning of a policy from what the run wrote; where that is not all there, the run is repeated.
pub fn explain(args: &Explain) -> Result<Outcome> {
    let file = RunFile::read(&args.dir)?;
    if !file.policies.contains(&args.policy) {
        return Err(Failure::input(format!(
            "--policy {}: the run has no such policy (one of: {})",
            args.policy,
            file.policies.join(", ")
        )));
    }
    let service = service(&file.services, args)?;
    let told = match saved(&file, args, service)? {
        Some(told) => told,
        None => repeated(&file, args, service)?,
    };
    if let Some(service) = service {
        outln!("{service} of {}", args.policy);
    }
    if told.decisions.is_empty() {
        outln!("{} never decides anything: it keeps what it was given", args.policy);
    }
    if let Some(metric) = args.watch.as_ref().filter(|_| !told.decisions.is_empty()) {
        watch(&told.decisions, metric, told.clock)?;
    }
    match &args.at {
        Some(at) => tell(&told, moment::within(at, told.clock, told.end)?),
        None => out!("{}", metrics_in_words(&told.metrics, told.clock)),
    }
    Ok(Outcome::Done)
}

/// The last pass of each controller by then, and what pods and nodes are at.
fn tell(told: &Told, at: SimTime) {
    let clock = told.clock;
    for controller in controllers(&told.decisions) {
        let passes = told.decisions.iter().filter(|(row, _)| row.controller == controller);
        match passes.take_while(|(row, _)| row.time <= at).last() {
            Some((row, oldest)) => {
                let age = oldest.map(|age| format!("  the oldest sample behind it was {age:.1} s old\n"));
                outln!("{}{}", decision_words(row, &clock.at(row.time)), age.unwrap_or_default());
            }
            None => outln!("{controller} has made no pass by {}\n", clock.at(at)),
        }
    }
    out!("{}", rollout_in_words(&told.rollouts, at, clock));
    out!("{}", pods_in_words(&told.replicas, at, clock));
    out!("{}", ended_in_words(&told.replicas, at, clock));
    out!("{}", nodes_in_words(&told.nodes, at, clock));
    out!("{}", metrics_in_words(&told.metrics, clock));
}

/// From the tables of the run. They do not tell how new versions were rolled out, so a run with any is repeated.
fn saved(file: &RunFile, args: &Explain, service: Option<&str>) -> Result<Option<Told>> {
    if !args.dir.is_dir() || file.documents.to_string().contains("\"rollouts\"") {
        return Ok(None);
    }
    let saved = Saved::read(&args.dir, &args.policy, service)?;
    Ok(saved.map(|saved| Told {
        clock: Clock(saved.start),
        end: saved.end,
        decisions: saved.decisions,
        metrics: saved.metrics,
        replicas: saved.replicas,
        nodes: saved.nodes,
        rollouts: Vec::new(),
    }))
}

/// Repeats replication 0 of the policy.
fn repeated(file: &RunFile, args: &Explain, service: Option<&str>) -> Result<Told> {
    let loaded = file.reload()?;
    let policy = loaded.spec.policies.iter().position(|policy| policy.name == args.policy);
    let policy =
        policy.ok_or_else(|| Failure::input(format!("{}: has no policy {}", args.dir.display(), args.policy)))?;
    let seed = replication_seed(file.seed, 0);
    let run = cluster::simulate(&loaded.spec, policy, 0, seed, Keep { tables: true, requests: false });
    let of = |one: &ServiceRecord| service.is_none_or(|name| one.name == name);
    let missing = || Failure::input(format!("{}: the run has no such service", args.dir.display()));
    let record = run.services.into_iter().find(of).ok_or_else(missing)?;
    let start = CalendarStart {
        unix_seconds: loaded.spec.start_unix_seconds,
        utc_offset_seconds: loaded.utc_offset_seconds,
        changes: loaded.clock_changes.clone().leak(),
    };
    Ok(Told {
        clock: Clock(start),
        end: loaded.spec.end,
        decisions: record.decisions.into_iter().map(|row| (row, None)).collect(),
        metrics: record.metrics,
        replicas: record.replicas,
        nodes: run.nodes,
        rollouts: record.rollouts,
    })
}

/// The service asked for; `None` where there is only one, which goes without a name.
fn service<'a>(services: &'a [String], args: &Explain) -> Result<Option<&'a str>> {
    let Some(wanted) = &args.service else {
        return if services.is_empty() {
            Ok(None)
        } else {
            Err(Failure::input(format!(
                "the run has several services; say which with --service (one of: {})",
                services.join(", ")
            )))
        };
    };
    let found = services.iter().find(|service| *service == wanted);
    found.map(|found| Some(found.as_str())).ok_or_else(|| {
        let hint =
            names::nearest(wanted, services.iter().map(String::as_str)).map(|near| format!("; did you mean `{near}`?"));
        let known = if services.is_empty() {
            "it has only one, without a name".to_owned()
        } else {
            format!("one of: {}", services.join(", "))
        };
        Failure::input(format!("--service {wanted}: the run has no such service{} ({known})", hint.unwrap_or_default()))
    })
}

/// The metrics that did not always have a value over the whole run; nothing where all did.
fn metrics_in_words(metrics: &[MetricUse], clock: Clock) -> String {
    let troubled = metrics.iter().filter(|used| used.unanswered() > 0);
    let lines = troubled.map(|used| {
        let first = used.first_failure.as_ref().map(|(at, why)| format!("; first at {}: {why}", clock.at(*at)));
        let first = first.unwrap_or_default();
        format!(
            "  {} {}: a value in {} of {} passes, read as 0 for want of series in {}, failed in {}{first}\n",
            used.controller,
            used.metric,
            used.read,
            used.reads,
            used.empty_as_zero,
            used.empty + used.not_a_number + used.failed
        )
    });
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("metrics without a value over the whole run\n{lines}\n") }
}

fn controllers(decisions: &[(DecisionRow, Option<f64>)]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for (row, _) in decisions {
        if !names.contains(&row.controller.as_str()) {
            names.push(&row.controller);
        }
    }
    names
}

/// Pods that are not ready and why: what they wait for, or that a probe keeps killing them. Nothing if there are none.
fn pods_in_words(pods: &[ReplicaLife], at: SimTime, clock: Clock) -> String {
    let is_there = |pod: &&ReplicaLife| pod.created <= at && pod.ended.is_none_or(|ended| ended > at);
    let mut lines = String::new();
    for pod in pods.iter().filter(is_there).filter(|pod| pod.ready.is_none_or(|ready| ready > at)) {
        let waits = pod.waits.iter().find(|wait| wait.start <= at && at < wait.end);
        let phase = pod.phases.iter().find(|span| span.start <= at && at < span.end);
        let since = clock.at(pod.created);
        match (waits, phase) {
            (Some(wait), _) => {
                lines += &format!("  {} waits for a node since {}: {}\n", pod.pod, clock.at(wait.start), wait.reason);
            }
            (None, Some(span)) if span.phase == "back_off" => {
                lines += &format!(
                    "  {} was killed by a probe and waits to be started again since {}\n",
                    pod.pod,
                    clock.at(span.start)
                );
            }
            (None, Some(span)) if span.phase == "pending" => {
                lines += &format!("  {} waits since {since}: a node is on its way\n", pod.pod);
            }
            (None, Some(span)) if span.phase == "group" => {
                lines +=
                    &format!("  {} waits for the other pods of its group since {}\n", pod.pod, clock.at(span.start));
            }
            (None, Some(span)) => {
                lines += &format!("  {} is in {} since {}\n", pod.pod, span.phase, clock.at(span.start));
            }
            (None, None) => {}
        }
    }
    if lines.is_empty() { lines } else { format!("pods that are not ready\n{lines}\n") }
}

/// How far the latest new version was, and what it waited for. Nothing if there was none yet.
fn rollout_in_words(rollouts: &[RolloutLife], at: SimTime, clock: Clock) -> String {
    let Some(rollout) = rollouts.iter().rev().find(|rollout| rollout.began <= at) else { return String::new() };
    let began = clock.at(rollout.began);
    if let Some(ended) = rollout.ended.filter(|ended| *ended <= at) {
        return format!("the new version of {began} is everywhere since {}\n\n", clock.at(ended));
    }
    let Some(stage) = rollout.stages.iter().take_while(|stage| stage.since <= at).last() else { return String::new() };
    let waits = match &stage.waits_for[..] {
        [] => String::new(),
        waits => format!("  it waits for {}\n", waits.join(" and ")),
    };
    format!(
        "the new version of {began} is under way\n  since {}: {} new pods, {} of them available, and {} old ones; {} are wanted\n{waits}\n",
        clock.at(stage.since),
        stage.new,
        stage.available,
        stage.old,
        stage.wanted
    )
}

/// Pods that ended lately and why, with what was lost with them. Nothing if none did.
fn ended_in_words(pods: &[ReplicaLife], at: SimTime, clock: Clock) -> String {
    let lately = |pod: &&ReplicaLife| pod.ended.is_some_and(|ended| ended <= at && at.since(ended) <= SINCE);
    let mut ended: Vec<&ReplicaLife> = pods.iter().filter(lately).collect();
    ended.sort_by_key(|pod| (pod.ended, pod.pod));
    let lines = ended.iter().filter_map(|pod| {
        let lost = match pod.lost {
            0 => String::new(),
            1 => ", one request lost with it".to_owned(),
            lost => format!(", {lost} requests lost with it"),
        };
        Some(format!("  {} {} ended ({}){lost}\n", clock.at(pod.ended?), pod.pod, pod.ending))
    });
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("pods that ended in the ten minutes before\n{lines}\n") }
}

/// How far back [`nodes_in_words`] and [`ended_in_words`] look.
const SINCE: SimDuration = SimDuration::from_secs(600);

/// What happened to nodes lately: what the provider said, and which ones ended. Nothing if nothing did.
fn nodes_in_words(nodes: &[NodeLife], at: SimTime, clock: Clock) -> String {
    let mut events: Vec<(SimTime, String)> = Vec::new();
    for node in nodes {
        let who = format!("{} ({}, {})", node.node, node.instance_type, node.purchase.name());
        let said = [
            (node.recommended, "the provider recommends to leave it".to_owned()),
            (node.noticed, "the provider gives notice that it takes it back".to_owned()),
            (node.ended, format!("ended ({})", node.ending)),
        ];
        events.extend(said.into_iter().filter_map(|(time, what)| Some((time?, format!("{who}: {what}")))));
    }
    events.retain(|(time, _)| *time <= at && at.since(*time) <= SINCE);
    events.sort();
    if events.is_empty() {
        return String::new();
    }
    let lines = events.iter().map(|(time, what)| format!("  {} {what}\n", clock.at(*time)));
    format!("nodes in the ten minutes before\n{}\n", lines.collect::<String>())
}

/// When the replicas asked for by a metric changed.
fn watch(decisions: &[(DecisionRow, Option<f64>)], metric: &str, clock: Clock) -> Result<()> {
    let mut last = None;
    let mut seen = false;
    for (row, _) in decisions {
        let Some(found) =
            row.metrics.iter().find(|found| found.metric == metric || found.metric.starts_with(&format!("{metric} ")))
        else {
            continue;
        };
        seen = true;
        let now = (&row.controller, found.replicas);
        if last != Some(now) {
            outln!("{} {}: {}", clock.at(row.time), row.controller, metric_words(found));
            last = Some(now);
        }
    }
    if seen {
        return Ok(());
    }
    let mut names: Vec<&str> =
        decisions.iter().flat_map(|(row, _)| &row.metrics).map(|metric| metric.metric.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    Err(Failure::input(format!("--watch {metric}: no controller reads it (they read: {})", names.join(", "))))
}
