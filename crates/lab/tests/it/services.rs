//! Two services: what holds of each, and what of both together.

use cluster::Keep;
use lab::columns::Column;
use lab::design::{Dimension, Parameter, Setting};
use lab::diff::diff;
use lab::error_budget::error_budget;
use lab::experiment::{Plan, PolicyResult, Results, run};
use lab::gates::{Gate, GateReport, Outcome, WhenUndecided, evaluate};
use lab::optimize::{Search, optimize};
use lab::sweep::{Cells, Scenarios, Shard, Sweep, SweepOptions};
use lab::{Job, Runs, Trials, Workers};
use record::{GpuUse, Purchase, ReplicationSummary, RunRecord};
use units::{SimDuration, UsdPerHour};

use crate::queue::Queue;

const SERVICES: [&str; 2] = ["chat", "embed"];
/// The second is overloaded for its SLO, the first is not.
const QUEUES: [Queue; 2] = [
    Queue { servers: 8, rate: 4.0, requests: 1_000, slo_s: 8.0, stretch: 1.0 },
    Queue { servers: 4, rate: 3.4, requests: 600, slo_s: 3.0, stretch: 1.0 },
];

/// Both queues as services of one run; each has a seed of its own, and each server costs three dollars an hour. A tenth of that is shared.
fn both(policy: &str, queues: [Queue; 2], job: &Job) -> RunRecord {
    let parts = [0, 1].map(|index| queues[index].simulate(policy, &Job { seed: job.seed ^ index as u64, ..*job }));
    let price = UsdPerHour::from_dollars(3.0);
    let mut record = RunRecord { services: Vec::new(), ledger: record::CostLedger::default(), ..parts[0].clone() };
    record.digest ^= parts[1].digest;
    for (index, part) in parts.into_iter().enumerate() {
        let billed = record.measured * queues[index].servers as u64;
        let shared = SimDuration::from_nanos(billed.as_nanos() / 7);
        for (whose, gpu_use, billed) in
            [(Some(index as u32), GpuUse::ServingBusy, billed), (None, GpuUse::Unallocated, shared)]
        {
            record.ledger.bill(price, billed);
            let cell = (price.cost_of(billed), u128::from(billed.as_nanos()));
            record.ledger.attribute_to(whose, (gpu_use, Purchase::OnDemand, "a"), cell);
        }
        record.services.extend(part.services);
        SERVICES[index].clone_into(&mut record.services[index].name);
    }
    record
}

fn stretched(by: f64) -> [Queue; 2] {
    let [chat, embed] = QUEUES;
    [chat, Queue { stretch: by, ..embed }]
}

fn results() -> Results {
    let workers = Workers::new(None).unwrap();
    let keep = Keep { tables: true, requests: false };
    let plan = Plan { policies: 2, replications: 6, seed: 11, keep, progress: &|_| () };
    run(&workers, &plan, &|job: &Job| both(["hpa", "keda"][job.policy], stretched([1.0, 0.7][job.policy]), job))
}

fn all(policies: &[PolicyResult]) -> Vec<ReplicationSummary> {
    policies
        .iter()
        .flat_map(|policy| [policy].into_iter().chain(&policy.services))
        .flat_map(PolicyResult::summaries)
        .collect()
}

#[test]
fn the_clusters_figures_are_those_of_its_services_together() {
    let results = results();
    for policy in &results.policies {
        assert_eq!(policy.services.iter().map(PolicyResult::service).collect::<Vec<_>>(), SERVICES);
        for (index, whole) in policy.replications.iter().enumerate() {
            let parts = [0, 1].map(|service| &policy.services[service].replications[index]);
            let sum =
                |figure: fn(&ReplicationSummary) -> u64| parts.iter().map(|part| figure(&part.summary)).sum::<u64>();
            assert_eq!(whole.summary.requests, sum(|one| one.requests));
            assert_eq!(whole.slo.met, parts.iter().map(|part| part.slo.met).sum::<u64>());
            assert_eq!(whole.latency_ns_sum, parts.iter().map(|part| part.latency_ns_sum).sum::<u128>());
            // To the micro-dollar, with what no service has to itself.
            let micros = |dollars: f64| (dollars * 1e6).round() as i64;
            let costs: i64 = parts.iter().map(|part| micros(part.summary.cost_usd)).sum();
            assert_eq!(micros(whole.summary.cost_usd), costs + micros(whole.summary.cost_unallocated_usd));
            assert!(parts.iter().all(|part| part.summary.digest == whole.summary.digest));
        }
    }
}

#[test]
fn pairs_are_compared_for_the_cluster_and_for_each_service() {
    let pairs = results().comparisons();
    assert_eq!(pairs.iter().map(|pair| pair.service.as_str()).collect::<Vec<_>>(), ["", "chat", "embed"]);
    assert_eq!(pairs[1].slo_attainment.mean, 0.0, "nothing changes for the first");
    assert!(pairs[2].slo_attainment.low > 0.0 && pairs[2].slo_attainment.mean > pairs[0].slo_attainment.mean);
}

fn runs(replications: &[ReplicationSummary]) -> Runs {
    Runs { replications: replications.to_vec(), pooled: Vec::new() }
}

fn check(gate: &str, baseline: &[ReplicationSummary]) -> GateReport {
    let gate = Gate::parse(gate).and_then(|gate| gate.named(&["hpa", "keda"], &SERVICES)).unwrap();
    evaluate(&[gate], &results().policies, &runs(baseline), None, WhenUndecided::Fail)
}

#[test]
fn a_gate_of_a_service_is_decided_by_that_service() {
    let outcomes = |gate: &str| check(gate, &[]).results.iter().map(|one| one.outcome).collect::<Vec<_>>();
    assert_eq!(outcomes("chat: slo_attainment >= 0.99"), [Outcome::Holds; 2]);
    assert_eq!(outcomes("hpa: embed: slo_attainment >= 0.9"), [Outcome::Fails]);
    assert_eq!(outcomes("keda: embed: slo_attainment >= 0.9"), [Outcome::Holds]);
    assert_eq!(outcomes("hpa: cost_usd <= 0.1"), [Outcome::Fails]);
    let report = check("hpa: embed: slo_attainment >= 0.9", &[]);
    assert!(report.to_text().starts_with("fails      hpa: embed: slo_attainment >= 0.9"), "{}", report.to_text());
    assert_eq!(report.to_json()["gates"][0]["service"], "embed");
    let against = all(&results().policies);
    assert_eq!(check("keda: embed: requests <= baseline", &against).results[0].outcome, Outcome::Holds);
}

#[test]
fn a_name_before_a_gate_is_a_policys_or_a_services_or_a_mistake() {
    let named = |text: &str, services: &[&str]| Gate::parse(text).unwrap().named(&["hpa", "keda"], services);
    let message = |text: &str| named(text, &SERVICES).unwrap_err().to_string();
    insta::assert_snapshot!(message("chatt: p99 <= 2s"), @"column 1: unknown policy or service `chatt`; did you mean `chat`?; one of: hpa, keda, chat, embed");
    insta::assert_snapshot!(message("hpa: embd: p99 <= 2s"), @"column 6: unknown service `embd`; did you mean `embed`?; one of: chat, embed");
    insta::assert_snapshot!(message("hpb: embed: p99 <= 2s"), @"column 1: unknown policy `hpb`; did you mean `hpa`?; one of: hpa, keda");
    insta::assert_snapshot!(message("chat: spot_interruptions <= 2"), @"`spot_interruptions` is the whole cluster's, `chat` has none of its own");
    insta::assert_snapshot!(named("hpa: p99 <= 2s", &["hpa", "chat"]).unwrap_err(), @"column 1: `hpa` is the name of a policy and of a service; write `POLICY: SERVICE: …`");
    let gate = named("chat: p99 <= 2s", &SERVICES).unwrap();
    assert_eq!(
        (gate.policy.as_deref(), gate.service.as_deref(), gate.to_string().as_str()),
        (None, Some("chat"), "chat: latency_ms_p99_all <= 2000")
    );
    assert_eq!(named("only: p99 <= 2s", &["only"]).unwrap().service, None, "a lone service is the cluster");
}

#[test]
fn each_service_spends_an_error_budget_of_its_own() {
    let results = results();
    let burnt = |service: &str| error_budget(results.policies[0].of_service(Some(service)), 0.99).burn_rate.mean;
    assert!(burnt("chat") < 1.0 && burnt("embed") > 10.0, "{} {}", burnt("chat"), burnt("embed"));
}

#[test]
fn a_difference_is_told_service_by_service() {
    let (before, mut after) = (all(&results().policies[..1]), all(&results().policies[1..]));
    after.iter_mut().for_each(|one| one.policy = "hpa".to_owned());
    let found = diff(&runs(&before), &runs(&after), &[Column::named("slo_attainment").unwrap()]);
    assert_eq!(found.rows.iter().map(|row| row.service.as_str()).collect::<Vec<_>>(), ["", "chat", "embed"]);
    let alone: Vec<ReplicationSummary> = before.iter().filter(|one| one.service != "embed").cloned().collect();
    assert_eq!(diff(&runs(&alone), &runs(&after), &[]).only_after, ["hpa: embed"]);
}

/// As many servers for the second service as the setting says.
struct Servers;

impl Scenarios for Servers {
    type Prepared = [Queue; 2];

    fn prepare(&self, settings: &[Setting]) -> Result<[Queue; 2], String> {
        let [chat, embed] = QUEUES;
        Ok([chat, Queue { servers: settings[0].value.number as usize, ..embed }])
    }

    fn policies(&self, _: &[Queue; 2]) -> Vec<String> {
        vec!["hpa".to_owned()]
    }

    fn run(&self, queues: &[Queue; 2], job: &Job) -> RunRecord {
        both("hpa", *queues, job)
    }
}

#[test]
fn a_search_holds_a_service_to_its_condition_and_pays_for_the_whole_cluster() {
    let workers = Workers::new(None).unwrap();
    let trials = Trials { workers: &workers, scenarios: &Servers, policy: None, seed: 3, progress: &|_| () };
    let cheapest = |condition: &str| {
        let subject_to = vec![Gate::parse(condition).and_then(|gate| gate.named(&["hpa"], &SERVICES)).unwrap()];
        let over = vec![(Parameter::at("servers"), Dimension::parse("4..12").unwrap())];
        let minimize = Column::named("cost_usd").unwrap();
        let found = optimize(&Search { minimize, subject_to, over, runs_max: 80, replications: 6 }, &trials);
        found.winner.expect("there is room for it").settings[0].value.number
    };
    // More than half of the requests are the other's, which meets its SLO with any number of these.
    assert_eq!(cheapest("chat: slo_attainment >= 0.9"), 4.0);
    assert!(cheapest("embed: slo_attainment >= 0.92") > cheapest("slo_attainment >= 0.92"));
}

#[test]
fn a_sweep_has_a_row_per_service_and_its_journal_keeps_them() {
    let text = "apiVersion: scalelab.dev/v1\nkind: Sweep\nname: s\nscenario: x\nreplications: 2\nseed: 5\naxes: [{path: servers, values: [4, 6]}]\n";
    let (sweep, folder) = (Sweep::parse(text).unwrap(), tempfile::tempdir().unwrap());
    let workers = Workers::new(None).unwrap();
    let options = SweepOptions { shard: Shard::WHOLE, resume: false, progress: &|_| () };
    lab::sweep::run(&workers, &sweep, &Servers, folder.path(), &options).unwrap();
    let results = lab::sweep::read(folder.path()).unwrap();
    assert_eq!((results.rows.len(), results.rows[0].services.len()), (4, 2));
    let table = results.table();
    let cells = |name: &str| &table.iter().find(|column| column.name == name).unwrap().cells;
    assert_eq!(
        cells("service"),
        &Cells::Text(["", "chat", "embed"].repeat(4).into_iter().map(str::to_owned).collect())
    );
    let Cells::Whole(requests) = cells("requests") else { panic!("counts are whole") };
    assert_eq!(requests[..3], [1_600, 1_000, 600]);
    let Cells::Number(taken) = cells("spot_interruptions") else { panic!("services have none") };
    assert!(taken[0] == 0.0 && taken[1].is_nan());
}
