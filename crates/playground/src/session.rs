//! One open scenario: questions in, answers out. What it was asked before is kept only where the next question is about the same.

use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher};
use std::path::Path;
use std::sync::Arc;

use cluster::Keep;
use cluster::spec::SimulationSpec;
use lab::columns::COLUMNS;
use lab::experiment::{Replication, paired_differences, pool, reduce, replication_seed};
use record::{Interval, ReplicationSummary, RunRecord, TimelineRow};
use scenario::{Documents, Input, Loaded};
use serde::Deserialize;
use serde_json::{Value, json};
use units::SimTime;

use crate::answer::{NamedColumn, plain, refusal, with_columns};
use crate::knobs::knobs;
use crate::preview::{Stretch, preview};
use crate::recorder::{Contents, MAGIC, VERSION};
use crate::yaml::changes;

/// Assignments of `--set`.
type Overrides = Vec<(String, String)>;

/// A scenario that is being played with.
#[derive(Debug)]
pub struct Session {
    documents: Documents,
    /// As JSON, for knobs.
    texts: Vec<Value>,
    /// As JSON with `base`: what changes are told from.
    before: Value,
    /// What was changed before it was packed.
    base: Overrides,
    /// The scenario as it was last asked for.
    last: Option<(Overrides, Arc<Loaded>, Vec<u64>)>,
    /// The replications of the run that was last asked for, in order, under its fingerprint.
    replications: (u64, Vec<Replication>),
}

/// A question.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", tag = "ask")]
enum Question {
    /// What the scenario is with these settings.
    Scenario { set: Overrides },
    /// One replication of a policy; replications are asked for in order.
    Run { set: Overrides, policy: usize, replication: u32 },
    /// A stretch of replication 0.
    Preview { set: Overrides, policy: usize, from_s: u64, length_s: u64, replicas: Vec<u32> },
    /// How two settings differ, by what each replication of both cost and met: `[usd, met, judged]`.
    Difference { now: Vec<(f64, u64, u64)>, before: Vec<(f64, u64, u64)> },
}

impl Session {
    /// Opens a pack. The second is the answer to "what is the scenario", or why it cannot be opened.
    pub fn open(pack: &[u8]) -> (Option<Self>, Vec<u8>) {
        match Self::read(pack) {
            Ok(mut session) => {
                let answer = session.scenario(&Vec::new());
                match answer {
                    Ok(answer) => {
                        session.before = session.last.as_ref().map_or(Value::Null, |last| last.1.documents.clone());
                        (Some(session), answer)
                    }
                    Err(reason) => (None, refusal(&reason)),
                }
            }
            Err(reason) => (None, refusal(&reason)),
        }
    }

    fn read(pack: &[u8]) -> Result<Self, String> {
        let broken = || "the scenario in this page is damaged".to_owned();
        let bytes = pack.strip_prefix(MAGIC).ok_or_else(broken)?;
        let (version, bytes): (&str, _) = postcard::take_from_bytes(bytes).map_err(|_| broken())?;
        if version != VERSION {
            return Err(format!("the scenario is packed by version {version} and the engine is of version {VERSION}"));
        }
        let Contents { texts, overrides: base, files } = postcard::from_bytes(bytes).map_err(|_| broken())?;
        let named = |(index, text): (usize, &String)| Input::Text {
            name: format!("document {}", index + 1),
            text: text.clone(),
        };
        let inputs: Vec<Input> = texts.iter().enumerate().map(named).collect();
        let documents = Documents::read(&inputs, Arc::new(files)).map_err(|error| error.to_string())?;
        let texts = texts.iter().map(|text| serde_json::from_str(text)).collect::<Result<_, _>>();
        let texts = texts.map_err(|_| broken())?;
        let documents = documents.in_folder(Path::new(""));
        Ok(Self { documents, texts, before: Value::Null, base, last: None, replications: (0, Vec::new()) })
    }

    /// The answer to a question in JSON.
    pub fn answer(&mut self, question: &[u8]) -> Vec<u8> {
        let question = match serde_json::from_slice(question) {
            Ok(question) => question,
            Err(error) => return refusal(&format!("not a question: {error}")),
        };
        let answer = match question {
            Question::Scenario { set } => self.scenario(&set),
            Question::Run { set, policy, replication } => self.run(&set, policy, replication),
            Question::Preview { set, policy, from_s, length_s, replicas } => {
                self.preview(&set, policy, &Stretch { from_s, length_s, replicas })
            }
            Question::Difference { now, before } => Ok(difference(&now, &before)),
        };
        answer.unwrap_or_else(|reason| refusal(&reason))
    }

    /// The scenario with these settings and the fingerprints of its policies.
    fn load(&mut self, set: &Overrides) -> Result<(Arc<Loaded>, Vec<u64>), String> {
        if let Some((last, loaded, prints)) = &self.last
            && last == set
        {
            return Ok((Arc::clone(loaded), prints.clone()));
        }
        let overrides: Overrides = self.base.iter().chain(set).cloned().collect();
        let loaded = Arc::new(self.documents.load(&overrides).map_err(|error| error.to_string())?);
        let prints = fingerprints(&loaded);
        self.last = Some((set.clone(), Arc::clone(&loaded), prints.clone()));
        Ok((loaded, prints))
    }

    fn scenario(&mut self, set: &Overrides) -> Result<Vec<u8>, String> {
        let (loaded, prints) = self.load(set)?;
        let spec = &loaded.spec;
        let policies = spec.policies.iter().zip(&prints).map(|(policy, print)| {
            json!({
                "name": policy.name, "fingerprint": hex(*print),
            })
        });
        let services = spec.services.iter().map(|service| {
            let milliseconds = |limit: Option<units::SimDuration>| limit.map(units::SimDuration::as_millis_f64);
            let slo = &service.slo;
            json!({
                "name": service.name, "objective": slo.objective, "latencyMs": milliseconds(slo.latency),
                "ttftMs": milliseconds(slo.ttft), "tpotMs": milliseconds(slo.tpot),
                "endToEndMs": milliseconds(slo.end_to_end),
            })
        });
        Ok(plain(&json!({
            "name": spec.name,
            "description": loaded.description,
            "policies": policies.collect::<Vec<_>>(),
            "services": services.collect::<Vec<_>>(),
            "knobs": knobs(&self.texts),
            "yaml": if set.is_empty() { String::new() } else { changes(&self.before, &loaded.documents, &self.texts) },
            "seed": loaded.seed,
            "replications": loaded.replications,
            "durationS": spec.end.since(SimTime::ZERO).as_secs_f64(),
            "warmUpS": spec.warm_up.as_secs_f64(),
            "startUnixS": spec.start_unix_seconds,
            "utcOffsetS": loaded.utc_offset_seconds,
            "notes": loaded.notes,
        })))
    }

    fn run(&mut self, set: &Overrides, policy: usize, replication: u32) -> Result<Vec<u8>, String> {
        let (loaded, prints) = self.load(set)?;
        let print = *prints.get(policy).ok_or("no such policy")?;
        if self.replications.0 != print || self.replications.1.len() != replication as usize {
            if replication != 0 {
                return Err("replications are asked for in order".to_owned());
            }
            self.replications = (print, Vec::new());
        }
        let seed = replication_seed(loaded.seed, replication);
        let keep = Keep { tables: replication == 0, requests: false };
        let record = cluster::simulate(&loaded.spec, policy, replication, seed, keep);
        let reduced = reduce(&record);
        let row = [reduced.summary.cost_usd, reduced.slo.met as f64, reduced.slo.total as f64];
        self.replications.1.push(reduced);
        let mut head = head(&record, print);
        let pooled = pool(&self.replications.1);
        head["row"] = json!(row);
        head["summary"] = figures(&pooled.pooled);
        head["intervals"] = json!({
            "cost_usd": bounds(pooled.cost_usd),
            "slo_attainment": bounds(pooled.slo_attainment),
            "latency_ms_p99_all": bounds(pooled.latency_ms_p99_all),
        });
        head["services"] = self.services(&record);
        let columns = if replication == 0 { timeline(&record, 0.0) } else { Vec::new() };
        Ok(with_columns(head, &columns))
    }

    /// Attainment of each service, where there are several, pooled over the replications so far.
    fn services(&self, record: &RunRecord) -> Value {
        if !record.has_several_services() {
            return json!([]);
        }
        let of_service = |service: usize| {
            let parts: Vec<Replication> = self.replications.1.iter().map(|one| one.services[service].clone()).collect();
            let pooled = pool(&parts);
            json!({
                "name": record.services[service].name,
                "summary": figures(&pooled.pooled),
                "slo_attainment": bounds(pooled.slo_attainment),
            })
        };
        (0..record.services.len()).map(of_service).collect()
    }

    fn preview(&mut self, set: &Overrides, policy: usize, stretch: &Stretch) -> Result<Vec<u8>, String> {
        let (loaded, prints) = self.load(set)?;
        let print = *prints.get(policy).ok_or("no such policy")?;
        let (spec, from) = preview(&loaded.spec, policy, stretch);
        let keep = Keep { tables: true, requests: false };
        let record = cluster::simulate(&spec, policy, 0, replication_seed(loaded.seed, 0), keep);
        let mut head = head(&record, print);
        head["fromS"] = json!(from.as_secs_f64());
        head["lengthS"] = json!(spec.end.since(SimTime::ZERO).as_secs_f64());
        head["summary"] = figures(&reduce(&record).summary);
        Ok(with_columns(head, &timeline(&record, from.as_secs_f64())))
    }
}

fn head(record: &RunRecord, print: u64) -> Value {
    json!({
        "policy": record.policy,
        "replication": record.replication,
        "digest": hex(record.digest),
        "fingerprint": hex(print),
        "remarks": record.remarks,
    })
}

fn hex(value: u64) -> String {
    format!("{value:016x}")
}

/// Every column of a row by its name; what there is none of is null.
fn figures(summary: &ReplicationSummary) -> Value {
    COLUMNS
        .iter()
        .map(|column| (column.name.to_owned(), json!(column.of(summary))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Mean and bounds; a bound that is not known is null.
fn bounds(interval: Interval) -> Value {
    json!([interval.mean, interval.low, interval.high])
}

fn difference(now: &[(f64, u64, u64)], before: &[(f64, u64, u64)]) -> Vec<u8> {
    let (cost, attainment) = paired_differences(now, before);
    plain(&json!({ "costUsd": bounds(cost), "attainment": bounds(attainment) }))
}

/// The timeline of a run as columns; times in seconds from the start of the whole run.
fn timeline(record: &RunRecord, from_s: f64) -> Vec<NamedColumn> {
    let rows = record.timeline();
    let column = |value: fn(&TimelineRow) -> f64| rows.iter().map(value).collect::<Vec<f64>>();
    let milliseconds = |latency: Option<u64>| latency.map_or(f64::NAN, |ns| ns as f64 / 1e6);
    let p99 = rows.iter().map(|row| milliseconds(row.latency_p99_ns)).collect();
    let starts = rows.iter().map(|row| from_s + row.start.as_secs_f64()).collect();
    let mut columns = vec![
        ("start", starts),
        ("step", column(|row| row.step.as_secs_f64())),
        ("arrivals", column(|row| row.arrivals as f64)),
        ("completions", column(|row| row.completions as f64)),
        ("failures", column(|row| row.failures as f64)),
        ("misses", column(|row| row.slo_misses as f64)),
        ("queue", column(|row| row.queue as f64)),
        ("desired", column(|row| f64::from(row.desired))),
        ("ready", column(|row| f64::from(row.ready))),
        ("starting", column(|row| f64::from(row.starting))),
        ("standby", column(|row| f64::from(row.standby))),
        ("nodes", column(|row| f64::from(row.nodes_on_demand + row.nodes_spot + row.nodes_reserved))),
        ("spot", column(|row| f64::from(row.nodes_spot))),
        ("cost", column(|row| row.cost_so_far.as_f64())),
        ("p99", p99),
    ];
    // Ready replicas of each service: where a preview begins.
    columns.extend(
        record
            .services
            .iter()
            .map(|service| ("ready of service", service.timeline.iter().map(|row| f64::from(row.ready)).collect())),
    );
    columns
}

/// What decides the results of each policy, in one number: two settings with the same one have the same runs.
fn fingerprints(loaded: &Loaded) -> Vec<u64> {
    let spec = &loaded.spec;
    let shared = SimulationSpec { policies: Vec::new(), ..spec.clone() };
    let shared = hashed(&(&shared, loaded.seed));
    spec.policies.iter().map(|policy| hashed(&(shared, policy))).collect()
}

fn hashed(value: &impl fmt::Debug) -> u64 {
    struct Sink(DefaultHasher);
    impl fmt::Write for Sink {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut sink = Sink(DefaultHasher::new());
    write!(sink, "{value:?}").expect("hashing does not fail");
    sink.0.finish()
}
