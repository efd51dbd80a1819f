//! What the page's script draws, packed: a header in JSON and the columns of every timeline as 32-bit floats, deflated, in base64.
//!
//! Layout before deflating: the header's length as four bytes, little end first; the header; then each column, first the lowest byte of
//! all its numbers, then the next, which packs better. Counts are exact; times and money are rounded to about four digits. What is not
//! known is NaN. A policy's explanations are those of the passes that wrote something, and of the first of those in a row that were held.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use record::{DecisionRow, NodeLife, TimelineRow};
use serde_json::{Value, json};
use units::{SimDuration, SimTime};

use super::spending::{USES, spending};
use crate::comparison::slo_words;
use crate::plots::condensed;
use crate::{PolicyOutcome, RunReport, decision_outcome, decision_words};

/// Rows of timelines over all policies and services: beyond that they are condensed, so that the page stays small.
const ROWS_MAX: usize = 9_000;
/// Explanations over all policies and services.
const DECISIONS_MAX: usize = 1_500;

/// The packed data of the page.
pub(super) fn packed(report: &RunReport<'_>) -> String {
    let mut columns = Columns::default();
    let subjects: Vec<RunReport<'_>> = [*report].into_iter().chain(report.services.iter().copied()).collect();
    let share = subjects.len() * report.policies.len().max(1);
    let each = Share { rows: (ROWS_MAX / share).max(60), decisions: (DECISIONS_MAX / share).max(20) };
    let subjects: Vec<Value> = subjects.iter().map(|of| subject(of, &each, &mut columns)).collect();
    let header = json!({
        "start": report.start.map(|start| start.local_seconds(SimTime::ZERO)),
        "zone": report.start.map(crate::CalendarStart::zone_label),
        "shifts": report.start.map_or_else(Vec::new, |start| start.shifts().collect::<Vec<_>>()),
        "policies": report.policies.iter().map(PolicyOutcome::name).collect::<Vec<_>>(),
        "chosen": report.verdict.and_then(|verdict| verdict.chosen.or_else(|| verdict.runner_up.as_ref().map(|other| other.policy))),
        "beside": report.verdict.and_then(|verdict| verdict.chosen.and(verdict.runner_up.as_ref()).map(|other| other.policy)),
        "uses": USES,
        "subjects": subjects,
        "lengths": columns.lengths,
    });
    columns.pack(&header)
}

/// How much of the page one policy of one service may take.
struct Share {
    rows: usize,
    decisions: usize,
}

/// The cluster or one service: its objective, and a run per policy.
fn subject(report: &RunReport<'_>, each: &Share, columns: &mut Columns) -> Value {
    let milliseconds = |limit: Option<SimDuration>| limit.map(SimDuration::as_millis_f64);
    let runs: Vec<Value> = report.policies.iter().map(|policy| run(report, policy, each, columns)).collect();
    json!({
        "name": report.service,
        "slo": slo_words(report),
        "objective": report.objective,
        "limits": {
            "latency": milliseconds(report.slo_threshold),
            "ttft": milliseconds(report.token_slo.ttft),
            "tpot": milliseconds(report.token_slo.tpot),
        },
        "timeout": milliseconds(report.timeout),
        "runs": runs,
    })
}

fn run(report: &RunReport<'_>, policy: &PolicyOutcome<'_>, each: &Share, columns: &mut Columns) -> Value {
    let detail = policy.detail;
    let steps = detail.timeline();
    let rows = condensed(&steps, each.rows);
    let mut named = serde_json::Map::new();
    let mut put = |name: &str, values: Vec<f64>| {
        named.insert(name.to_owned(), json!(columns.add(&values)));
    };
    let counts = |count: fn(&TimelineRow) -> u64| rows.iter().map(|row| count(row) as f64).collect::<Vec<_>>();
    put("start", rows.iter().map(|row| row.start.as_secs_f64()).collect());
    put("step", rows.iter().map(|row| row.step.as_secs_f64()).collect());
    put("arrivals", counts(|row| row.arrivals));
    put("missed", counts(|row| row.slo_misses));
    put("queue", counts(|row| row.queue));
    put("desired", counts(|row| u64::from(row.desired)));
    put("ready", counts(|row| u64::from(row.ready)));
    put("starting", counts(|row| u64::from(row.starting)));
    put("standby", counts(|row| u64::from(row.standby)));
    put("draining", counts(|row| u64::from(row.draining)));
    put("silent", counts(|row| u64::from(row.completions == 0 && row.failures + row.slo_misses > 0)));
    put("bad", rows.iter().map(|row| f64::from(u8::from(is_bad(row, report.objective)))).collect());
    if report.has_latency() {
        let known = |time: fn(&TimelineRow) -> Option<u64>| {
            rows.iter().map(|row| time(row).map_or(f64::NAN, |nanos| rounded(nanos as f64 / 1e6))).collect::<Vec<_>>()
        };
        put("p50", known(|row| row.latency_p50_ns));
        put("p99", known(|row| row.latency_p99_ns));
        if rows.iter().any(|row| row.ttft_p99_ns.is_some()) {
            put("ttft50", known(|row| row.ttft_p50_ns));
            put("ttft99", known(|row| row.ttft_p99_ns));
            put("tpot50", known(|row| row.tpot_p50_ns));
            put("tpot99", known(|row| row.tpot_p99_ns));
            put("kv", rows.iter().map(|row| rounded(row.kv_usage.unwrap_or(f64::NAN))).collect());
        }
    }
    if report.has_bill() {
        put("on_demand", counts(|row| u64::from(row.nodes_on_demand)));
        put("spot", counts(|row| u64::from(row.nodes_spot)));
        put("reserved", counts(|row| u64::from(row.nodes_reserved)));
        for (index, amounts) in spending(detail, &rows).into_iter().enumerate() {
            put(&format!("use{index}"), amounts.into_iter().map(rounded).collect());
        }
    }
    let step = rows.first().map_or(0.0, |row| row.step.as_secs_f64());
    json!({
        "columns": named,
        "rows": rows.len(),
        "step": step,
        "replication": detail.replication,
        "is_condensed": rows.len() < steps.len(),
        "interruptions": detail.nodes.iter().filter_map(interruption).collect::<Vec<_>>(),
        "decisions": decisions(report, policy, each.decisions),
    })
}

/// Whether the requests that ended in this step met the SLO less often than the objective asks.
fn is_bad(row: &TimelineRow, objective: Option<f64>) -> bool {
    let ended = row.completions + row.failures;
    objective.is_some_and(|objective| row.slo_misses > 0 && row.slo_misses as f64 > (1.0 - objective) * ended as f64)
}

/// When the provider took a node back, or said it would, and which.
fn interruption(node: &NodeLife) -> Option<Value> {
    let taken = node.ended.filter(|_| node.ending == "spot_reclaim");
    let at = node.noticed.or(taken)?;
    Some(json!([at.as_secs_f64(), format!("{} ({})", node.node, node.instance_type)]))
}

/// Passes with their explanations: all that wrote, as far as there is room, then those that begin to be held.
fn decisions(report: &RunReport<'_>, policy: &PolicyOutcome<'_>, room: usize) -> Value {
    let all: Vec<&DecisionRow> = policy.detail.services.iter().flat_map(|one| &one.decisions).collect();
    // Of several services each has its own.
    if report.has_several_services() {
        return json!({ "all": all.len(), "rows": [] });
    }
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    let is_new = |row: &'_ DecisionRow, before: Option<&str>| {
        before.is_some_and(|before| before != row.reason) && row.written.is_none() && is_held(row)
    };
    let mut told: Vec<(bool, &DecisionRow)> = Vec::new();
    for &row in &all {
        let before = last.insert(&row.controller, &row.reason);
        if row.written.is_some() || is_new(row, before) {
            told.push((row.written.is_some(), row));
        }
    }
    let mut chosen: Vec<&DecisionRow> = told.iter().filter(|one| one.0).map(|one| one.1).take(room).collect();
    let left = room - chosen.len();
    chosen.extend(told.iter().filter(|one| !one.0).map(|one| one.1).take(left));
    chosen.sort_by_key(|row| row.time);
    let writes = told.iter().filter(|one| one.0).count();
    let rows: Vec<Value> = chosen.into_iter().map(|row| decision(report, row)).collect();
    json!({ "all": all.len(), "writes": writes, "rows": rows })
}

/// Whether a limit or a missing metric decided, and not the metrics alone.
fn is_held(row: &DecisionRow) -> bool {
    row.steps.iter().any(|step| step.before != step.after) || row.metrics.iter().any(|metric| metric.replicas.is_none())
}

/// `[second, which way, headline, explanation]`.
fn decision(report: &RunReport<'_>, row: &DecisionRow) -> Value {
    let way = match row.written {
        Some(("replicas", after)) => (i64::from(after) - i64::from(row.replicas_before)).signum().to_string(),
        Some(_) => "other".to_owned(),
        None => "held".to_owned(),
    };
    let when = report.start.map_or_else(|| row.time.to_string(), |start| start.moment(row.time));
    let short: String = decision_outcome(row).split([':', ',']).take(1).collect();
    json!([row.time.as_secs_f64(), way, format!("{when} {} {short}", row.controller), decision_words(row, &when)])
}

/// About four digits: an `f32` with half of its mantissa, which packs better.
fn rounded(value: f64) -> f64 {
    let bits = (value as f32).to_bits();
    if value.is_finite() { f64::from(f32::from_bits((bits + 0x400) & !0x7ff)) } else { f64::NAN }
}

/// Columns, each kept once however often it comes.
#[derive(Default)]
struct Columns {
    bytes: Vec<u8>,
    known: BTreeMap<Vec<u8>, usize>,
    lengths: Vec<usize>,
}

impl Columns {
    /// The number of the column with these values.
    fn add(&mut self, values: &[f64]) -> usize {
        let numbers: Vec<[u8; 4]> = values.iter().map(|&value| (value as f32).to_le_bytes()).collect();
        let planes: Vec<u8> = (0..4).flat_map(|plane| numbers.iter().map(move |number| number[plane])).collect();
        if let Some(&index) = self.known.get(&planes) {
            return index;
        }
        self.bytes.extend_from_slice(&planes);
        self.lengths.push(values.len());
        self.known.insert(planes, self.lengths.len() - 1);
        self.lengths.len() - 1
    }

    fn pack(&self, header: &Value) -> String {
        let header = header.to_string();
        let length = u32::try_from(header.len()).expect("a header is small");
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        let parts = [&length.to_le_bytes()[..], header.as_bytes(), &self.bytes];
        let written = parts.iter().try_for_each(|part| encoder.write_all(part));
        let packed = written.and_then(|()| encoder.finish()).expect("memory takes all");
        super::sha256::base64(&packed)
    }
}
