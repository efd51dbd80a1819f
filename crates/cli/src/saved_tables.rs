//! What a run left in its folder, read back for `explain`: decisions, metrics, pods and nodes of the first replication. It needs neither the
//! scenario nor its traces. What the tables do not have (the ratio of a metric, the age of each) stays unknown.

use std::path::Path;

use record::{
    DecisionRow, MetricOutcome, MetricRow, MetricUse, NodeLife, PhaseSpan, Purchase, ReplicaLife, StepRow, WaitSpan,
};
use report::CalendarStart;
use units::{NodeId, PodId, SimDuration, SimTime, Usd};

use crate::failure::{Failure, Result};
use crate::moment;

/// One policy of a run, and one service of it.
pub struct Saved {
    /// Calendar time of the run's first instant.
    pub start: CalendarStart<'static>,
    /// When the run ended.
    pub end: SimTime,
    /// Passes in order, each with the age of the oldest sample behind it.
    pub decisions: Vec<(DecisionRow, Option<f64>)>,
    /// What happened to each metric.
    pub metrics: Vec<MetricUse>,
    /// The pods.
    pub replicas: Vec<ReplicaLife>,
    /// The nodes, of all services.
    pub nodes: Vec<NodeLife>,
}

impl Saved {
    /// What the tables in `folder` say of a policy and, where there are several, a service. `None` if they are not there.
    pub fn read(folder: &Path, policy: &str, service: Option<&str>) -> Result<Option<Self>> {
        let needed = ["timeline.csv", "decisions.csv", "metrics.csv", "replicas.csv", "nodes.csv"];
        if !needed.iter().all(|name| folder.join(name).is_file()) {
            return Ok(None);
        }
        let rows = |name: &str, service: Option<&str>| rows(&folder.join(name), policy, service);
        let timeline = rows("timeline.csv", None)?;
        let (Some(first), Some(last)) = (timeline.first(), timeline.last()) else { return Ok(None) };
        let broken = |name: &str| Failure::input(format!("{}: not as scalelab writes it", folder.join(name).display()));
        let start = start(first, &timeline).ok_or_else(|| broken("timeline.csv"))?;
        let end = last.time("time_s").ok_or_else(|| broken("timeline.csv"))? + last.length("step_s");
        let decisions = rows("decisions.csv", service)?.iter().map(decision).collect::<Option<Vec<_>>>();
        let replicas = rows("replicas.csv", service)?.iter().map(replica).collect::<Option<Vec<_>>>();
        let nodes = rows("nodes.csv", None)?.iter().map(node).collect::<Option<Vec<_>>>();
        Ok(Some(Self {
            start,
            end,
            decisions: decisions.ok_or_else(|| broken("decisions.csv"))?,
            metrics: rows("metrics.csv", service)?.iter().map(metric_use).collect(),
            replicas: replicas.ok_or_else(|| broken("replicas.csv"))?,
            nodes: nodes.ok_or_else(|| broken("nodes.csv"))?,
        }))
    }
}

/// A row of a table, its fields by name.
struct Row {
    headers: std::rc::Rc<csv::StringRecord>,
    fields: csv::StringRecord,
}

impl Row {
    /// Empty where there is no such column.
    fn text(&self, name: &str) -> &str {
        let place = self.headers.iter().position(|header| header == name);
        place.and_then(|place| self.fields.get(place)).unwrap_or("")
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.text(name).parse().ok()
    }

    fn count(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }

    fn replicas(&self, name: &str) -> Option<u32> {
        self.text(name).parse().ok()
    }

    fn time(&self, name: &str) -> Option<SimTime> {
        time(self.text(name))
    }

    fn length(&self, name: &str) -> SimDuration {
        SimDuration::from_secs_f64(self.number(name).unwrap_or(0.0))
    }
}

fn time(seconds: &str) -> Option<SimTime> {
    let seconds: f64 = seconds.parse().ok()?;
    Some(SimTime::ZERO + SimDuration::from_secs_f64(seconds))
}

/// The rows of a policy, and of a service if one is named.
fn rows(path: &Path, policy: &str, service: Option<&str>) -> Result<Vec<Row>> {
    let failed = |error: csv::Error| Failure::input(format!("{}: {error}", path.display()));
    let mut reader = csv::Reader::from_path(path).map_err(failed)?;
    let headers = std::rc::Rc::new(reader.headers().map_err(failed)?.clone());
    let place = |name: &str| headers.iter().position(|header| header == name);
    let (of_policy, of_service) = (place("policy"), place("service"));
    let mut rows = Vec::new();
    let mut fields = csv::StringRecord::new();
    while reader.read_record(&mut fields).map_err(failed)? {
        let is = |place: Option<usize>, wanted: &str| place.is_none_or(|place| fields.get(place) == Some(wanted));
        if is(of_policy, policy) && service.is_none_or(|service| is(of_service, service)) {
            rows.push(Row { headers: headers.clone(), fields: fields.clone() });
        }
    }
    Ok(rows)
}

/// The calendar time of the run's first instant, from the first step's; changes of the clocks are taken to be where a step begins.
fn start(first: &Row, timeline: &[Row]) -> Option<CalendarStart<'static>> {
    let since = first.time("time_s")?.as_secs();
    let (unix_seconds, utc_offset_seconds) = moment::calendar(first.text("time"))?;
    let mut changes: Vec<(i64, i32)> = Vec::new();
    for (at, offset) in timeline.iter().filter_map(|row| moment::calendar(row.text("time"))) {
        if offset != changes.last().map_or(utc_offset_seconds, |change| change.1) {
            changes.push((at, offset));
        }
    }
    // There are few, and the process ends soon.
    let changes = changes.leak();
    Some(CalendarStart { unix_seconds: unix_seconds - i64::try_from(since).ok()?, utc_offset_seconds, changes })
}

/// Words of a table that the program knows as its own. There are few, and the process ends soon.
fn word(text: &str) -> &'static str {
    text.to_owned().leak()
}

fn decision(row: &Row) -> Option<(DecisionRow, Option<f64>)> {
    let mut metrics: Vec<MetricRow> = items(row.text("metrics"), |piece| metric(piece).is_some())
        .iter()
        .map(|piece| metric(piece))
        .collect::<Option<_>>()?;
    let oldest = row.number("metric_age_s_max");
    // The age of the oldest is that of the only one.
    if let ([only], Some(age)) = (&mut metrics[..], oldest) {
        only.age = Some(SimDuration::from_secs_f64(age));
    }
    let is_told = metrics.len() == 1;
    let written = row.replicas("written").map(|value| (word(row.text("written_to")), value));
    let decision = DecisionRow {
        time: row.time("time_s")?,
        controller: row.text("controller").to_owned(),
        replicas_before: row.replicas("replicas_before")?,
        replicas_ready: row.replicas("ready")?,
        metrics,
        raw: row.replicas("raw"),
        steps: items(row.text("steps"), |piece| step(piece).is_some())
            .iter()
            .map(|piece| step(piece))
            .collect::<Option<_>>()?,
        reason: row.text("reason").to_owned(),
        written,
    };
    Some((decision, oldest.filter(|_| !is_told)))
}

/// The items of a list that is joined by `; `, where notes in parentheses may have the same: what begins no item goes on with the one before.
fn items(text: &str, is_item: impl Fn(&str) -> bool) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for piece in text.split("; ").filter(|piece| !piece.is_empty()) {
        let depth = |text: &str| text.matches('(').count().saturating_sub(text.matches(')').count());
        match items.last_mut() {
            Some(last) if depth(last) > 0 || !begins(piece, &is_item) => *last += &format!("; {piece}"),
            _ => items.push(piece.to_owned()),
        }
    }
    items
}

/// Whether an item begins here, whose note may go on in the next piece.
fn begins(piece: &str, is_item: impl Fn(&str) -> bool) -> bool {
    is_item(piece) || is_item(&format!("{piece})"))
}

/// A note in parentheses behind what is told, or nothing.
fn note(rest: &str) -> Option<String> {
    if rest.is_empty() {
        return Some(String::new());
    }
    Some(rest.strip_prefix(" (")?.strip_suffix(')')?.to_owned())
}

/// `name=value/target->replicas (note)`.
fn metric(text: &str) -> Option<MetricRow> {
    text.match_indices('=').find_map(|(place, _)| {
        let (value, rest) = text[place + 1..].split_once('/')?;
        let (target, rest) = rest.split_once("->")?;
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '?').unwrap_or(rest.len());
        let (replicas, rest) = rest.split_at(digits);
        let value = if value == "?" { None } else { Some(value.parse().ok()?) };
        let replicas = if replicas == "?" { None } else { Some(replicas.parse().ok()?) };
        Some(MetricRow {
            metric: text[..place].to_owned(),
            value,
            target: target.parse().ok()?,
            ratio: None,
            replicas,
            outcome: if value.is_some() { MetricOutcome::Read } else { MetricOutcome::Failed },
            note: note(rest)?,
            age: None,
        })
    })
}

/// `name before->after (note)`.
fn step(text: &str) -> Option<StepRow> {
    let (head, rest) = text.split_once("->")?;
    let (name, before) = head.rsplit_once(' ')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (after, rest) = rest.split_at(digits);
    Some(StepRow { name: name.to_owned(), before: before.parse().ok()?, after: after.parse().ok()?, note: note(rest)? })
}

fn metric_use(row: &Row) -> MetricUse {
    MetricUse {
        controller: row.text("controller").to_owned(),
        metric: row.text("metric").to_owned(),
        reads: row.count("reads"),
        read: row.count("read"),
        empty_as_zero: row.count("empty_as_zero"),
        empty: row.count("empty"),
        not_a_number: row.count("not_a_number"),
        failed: row.count("failed"),
        first_failure: row.time("first_failure_s").map(|at| (at, row.text("first_failure").to_owned())),
        ..MetricUse::default()
    }
}

/// `phase from..to; phase from..to`, and the same of reasons, which are words of their own.
fn spans(text: &str) -> Vec<(String, SimTime, SimTime)> {
    let span = |piece: &str| {
        let (what, range) = piece.rsplit_once(' ')?;
        let (from, to) = range.split_once("..")?;
        Some((what.to_owned(), time(from)?, time(to)?))
    };
    let mut spans = Vec::new();
    let mut before = String::new();
    for piece in text.split("; ") {
        let whole = format!("{before}{piece}");
        match span(&whole) {
            Some(found) => {
                spans.push(found);
                before.clear();
            }
            None => before = format!("{whole}; "),
        }
    }
    spans
}

fn phases(row: &Row) -> Vec<PhaseSpan> {
    let span = |(phase, start, end): (String, SimTime, SimTime)| PhaseSpan { phase: word(&phase), start, end };
    spans(row.text("phases")).into_iter().map(span).collect()
}

fn purchase(row: &Row) -> Option<Purchase> {
    Purchase::ALL.into_iter().find(|one| one.name() == row.text("purchase"))
}

/// `pod-7`, and `pod-2-7` of the third service.
fn pod_id(text: &str) -> Option<PodId> {
    let (service, index) = match text.strip_prefix("pod-")?.split_once('-') {
        Some((service, index)) => (service.parse().ok()?, index.parse().ok()?),
        None => (0, text.strip_prefix("pod-")?.parse().ok()?),
    };
    let is_valid = service < PodId::SERVICES_MAX && index < PodId::PODS_MAX;
    is_valid.then(|| PodId::new(service, index))
}

fn replica(row: &Row) -> Option<ReplicaLife> {
    let wait = |(reason, start, end): (String, SimTime, SimTime)| WaitSpan { reason, start, end };
    Some(ReplicaLife {
        pod: pod_id(row.text("pod"))?,
        node: None,
        worker_nodes: Vec::new(),
        purchase: purchase(row),
        zone: row.text("zone").to_owned(),
        created: row.time("created_s")?,
        ready: row.time("ready_s"),
        ended: row.time("ended_s"),
        phases: phases(row),
        waits: spans(row.text("waited_for")).into_iter().map(wait).collect(),
        restarts: row.replicas("restarts").unwrap_or(0),
        busy: row.length("busy_s"),
        cost: Usd::ZERO,
        completed: row.count("completed"),
        lost: row.count("lost"),
        // Nothing that is made of a saved table shows it.
        adapter_loads: None,
        ending: word(row.text("ending")),
    })
}

fn node(row: &Row) -> Option<NodeLife> {
    Some(NodeLife {
        node: NodeId(row.text("node").strip_prefix("node-")?.parse().ok()?),
        pool: row.text("pool").to_owned(),
        instance_type: row.text("instance_type").to_owned(),
        zone: row.text("zone").to_owned(),
        purchase: purchase(row)?,
        gpus: row.replicas("gpus").unwrap_or(0),
        requested: row.time("requested_s")?,
        recommended: row.time("rebalance_s"),
        noticed: row.time("notice_s"),
        launched: row.time("launched_s"),
        ended: row.time("ended_s"),
        phases: phases(row),
        billed: row.length("billed_s"),
        cost: Usd::ZERO,
        cost_without_replica: Usd::ZERO,
        ending: word(row.text("ending")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_taken_apart_at_its_items_and_not_at_its_notes() {
        let text = "running=26.5/16->4 (1 pod missing filled with 0; ratio 1.6 became 1.1; total / target); a=b=?/10->? (no metrics; a=1/2->3 is no item)";
        let found: Vec<MetricRow> =
            items(text, |piece| metric(piece).is_some()).iter().map(|piece| metric(piece).unwrap()).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!((found[0].metric.as_str(), found[0].value, found[0].replicas), ("running", Some(26.5), Some(4)));
        assert_eq!(found[0].note, "1 pod missing filled with 0; ratio 1.6 became 1.1; total / target");
        assert_eq!((found[1].metric.as_str(), found[1].value, found[1].replicas), ("a=b", None, None));
        let steps =
            "stabilization 4->4 (none of the last 0s; held); rate limit 4->3 (Pods 4 per 15s (Max of 2) allows 7)";
        let found: Vec<StepRow> =
            items(steps, |piece| step(piece).is_some()).iter().map(|piece| step(piece).unwrap()).collect();
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].name.as_str(), found[1].before, found[1].after), ("rate limit", 4, 3));
        assert_eq!(found[1].note, "Pods 4 per 15s (Max of 2) allows 7");
    }

    #[test]
    fn a_wait_may_have_any_words() {
        let found = spans("the pool is at its limit; of 3 nodes 5.5..10; no capacity 20..30");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].0, "the pool is at its limit; of 3 nodes");
        assert_eq!(found[1].1, SimTime::from_secs(20));
    }
}
