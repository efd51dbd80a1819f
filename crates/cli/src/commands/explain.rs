//! `scalelab explain`: why a controller did, or did not, scale.

use cluster::Keep;
use lab::experiment::replication_seed;
use record::{DecisionRow, MetricRow, MetricUse, NodeLife, ReplicaLife, RolloutLife, ServiceRecord};
use report::CalendarStart;
use units::{SimDuration, SimTime};

use crate::args::Explain;
use crate::failure::{Failure, Outcome, Result};
use crate::moment::{self, Clock};
use crate::run_file::RunFile;

/// Repeats replication 0 of the policy and tells its reasoning.
pub fn explain(args: &Explain) -> Result<Outcome> {
    let file = RunFile::read(&args.dir)?;
    let loaded = file.reload()?;
    let known = || file.policies.join(", ");
    let policy = loaded.spec.policies.iter().position(|policy| policy.name == args.policy);
    let policy = policy.ok_or_else(|| {
        Failure::input(format!("--policy {}: the run has no such policy (one of: {})", args.policy, known()))
    })?;
    let seed = replication_seed(file.seed, 0);
    let run = cluster::simulate(&loaded.spec, policy, 0, seed, Keep { tables: true, requests: false });
    let record = chosen(&run.services, args)?;
    let clock = Clock(CalendarStart {
        unix_seconds: loaded.spec.start_unix_seconds,
        utc_offset_seconds: loaded.utc_offset_seconds,
    });
    if run.has_several_services() {
        outln!("{} of {}", record.name, args.policy);
    }
    if record.decisions.is_empty() {
        outln!("{} never decides anything: it keeps what it was given", args.policy);
    }
    out!("{}", metrics_in_words(&record.metrics, clock));
    if let Some(metric) = args.watch.as_ref().filter(|_| !record.decisions.is_empty()) {
        watch(&record.decisions, metric, clock)?;
    }
    if let Some(at) = &args.at {
        let at = moment::within(at, clock, loaded.spec.end)?;
        for controller in controllers(&record.decisions) {
            let passes = record.decisions.iter().filter(|row| row.controller == controller);
            match passes.take_while(|row| row.time <= at).last() {
                Some(row) => out!("{}", in_words(row, clock)),
                None => outln!("{controller} has made no pass by {}\n", clock.at(at)),
            }
        }
        out!("{}", rollout_in_words(&record.rollouts, at, clock));
        out!("{}", pods_in_words(&record.replicas, at, clock));
        out!("{}", ended_in_words(&record.replicas, at, clock));
        out!("{}", nodes_in_words(&run.nodes, at, clock));
    }
    Ok(Outcome::Done)
}

/// The service asked for, or the only one there is.
fn chosen<'a>(services: &'a [ServiceRecord], args: &Explain) -> Result<&'a ServiceRecord> {
    let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
    match (&args.service, services) {
        (None, [only]) => Ok(only),
        (None, _) => Err(Failure::input(format!(
            "the run has several services; say which with --service (one of: {})",
            names.join(", ")
        ))),
        (Some(wanted), _) => services.iter().find(|service| service.name == *wanted).ok_or_else(|| {
            let hint = names::nearest(wanted, names.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
            Failure::input(format!(
                "--service {wanted}: the run has no such service{} (one of: {})",
                hint.unwrap_or_default(),
                names.join(", ")
            ))
        }),
    }
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

fn controllers(decisions: &[DecisionRow]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for row in decisions {
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
        let lost = if pod.lost == 0 { String::new() } else { format!(", {} requests lost with it", pod.lost) };
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

/// One pass, as one would tell it to a colleague: what came of it first.
fn in_words(row: &DecisionRow, clock: Clock) -> String {
    let mut text = format!(
        "{} at {}: {}\n  {} wanted before, {} ready\n",
        row.controller,
        clock.at(row.time),
        outcome(row),
        row.replicas_before,
        row.replicas_ready
    );
    for metric in &row.metrics {
        text += &format!("  metric {}\n", metric_in_words(metric));
    }
    if let Some(raw) = row.raw {
        text += &format!("  together the metrics ask for {raw}\n");
    }
    for step in &row.steps {
        let change = if step.before == step.after {
            format!("{} stays", step.before)
        } else {
            format!("{} -> {}", step.before, step.after)
        };
        text += &format!("  {}: {change} ({})\n", step.name, step.note);
    }
    text += &match row.written {
        Some((what, value)) => format!("  written: {what} = {value} ({})\n\n", row.reason),
        None => format!("  nothing written ({})\n\n", row.reason),
    };
    text
}

/// What a pass did in one line, and what kept it from doing more or less.
fn outcome(row: &DecisionRow) -> String {
    let asked = row.raw.map(|raw| format!("the metrics ask for {raw}"));
    let last = row.steps.iter().rev().find(|step| step.before != step.after);
    let kept = last.map(|step| format!("{} made it {} ({})", step.name, step.after, step.note));
    let because: Vec<String> = [asked, kept].into_iter().flatten().collect();
    let because = if because.is_empty() { row.reason.clone() } else { because.join(", ") };
    match row.written {
        Some(("replicas", value)) if value > row.replicas_before => format!("scales up to {value}: {because}"),
        Some(("replicas", value)) if value < row.replicas_before => format!("scales down to {value}: {because}"),
        Some((what, value)) => format!("writes {what} = {value}: {because}"),
        None => {
            let unread = row.metrics.iter().filter(|metric| metric.replicas.is_none()).count();
            let unread = if unread == 0 {
                String::new()
            } else {
                format!(", {unread} of {} metrics gave no proposal", row.metrics.len())
            };
            format!("stays at {}: {because}{unread}", row.replicas_before)
        }
    }
}

fn metric_in_words(metric: &MetricRow) -> String {
    let value = metric.value.map_or("could not be read".to_owned(), |value| format!("is {}", rounded(value)));
    let age = metric.age.map(|age| format!(", {:.1} s old", age.as_secs_f64())).unwrap_or_default();
    let ratio = metric.ratio.map(|ratio| format!(", ratio {ratio:.4}")).unwrap_or_default();
    let wish = metric.replicas.map_or("no proposal".to_owned(), |replicas| format!("asks for {replicas}"));
    format!(
        "{} {value} against a target of {}{ratio}{age}: {wish} ({})",
        metric.metric,
        rounded(metric.target),
        metric.note
    )
}

fn rounded(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// When the replicas asked for by a metric changed.
fn watch(decisions: &[DecisionRow], metric: &str, clock: Clock) -> Result<()> {
    let mut last = None;
    let mut seen = false;
    for row in decisions {
        let Some(found) =
            row.metrics.iter().find(|found| found.metric == metric || found.metric.starts_with(&format!("{metric} ")))
        else {
            continue;
        };
        seen = true;
        let now = (&row.controller, found.replicas);
        if last != Some(now) {
            outln!("{} {}: {}", clock.at(row.time), row.controller, metric_in_words(found));
            last = Some(now);
        }
    }
    if seen {
        return Ok(());
    }
    let mut names: Vec<&str> =
        decisions.iter().flat_map(|row| &row.metrics).map(|metric| metric.metric.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    Err(Failure::input(format!("--watch {metric}: no controller reads it (they read: {})", names.join(", "))))
}
