//! A made-up day with several policies: smooth traffic with a morning ramp and a spike, replicas that follow it with a lag.

use record::{
    BillPart, BudgetDetail, BudgetStretch, BudgetWindow, Certainty, Comparison, DecisionRow, ErrorBudget, Fact, GpuUse,
    Held, Histogram, Interval, MetricOutcome, MetricRow, MetricUse, NextStep, NodeLife, PhaseSpan, PolicySummary,
    PolicyVerdict, Purchase, ReplicaLife, ReplicationSummary, RunRecord, RunVerdict, RunnerUp, ScalingTotals,
    ServiceRecord, ServiceVerdict, Shortfall, Standing, StepRow, TimelineRow, Verdict,
};
use report::{CalendarStart, PolicyOutcome, RunReport, TokenSlo};
use units::{NodeId, PodId, SimDuration, SimTime, Usd, UsdPerHour};

const CAPACITY: f64 = 40.0;
const PRICE: f64 = 3.0673;

/// Owns what a [`RunReport`] borrows.
pub struct Day {
    pub summaries: Vec<PolicySummary>,
    pub replications: Vec<Vec<ReplicationSummary>>,
    pub details: Vec<RunRecord>,
    pub comparisons: Vec<Comparison>,
    pub budgets: Vec<ErrorBudget>,
    pub verdict: RunVerdict,
}

impl Day {
    pub fn outcomes(&self) -> Vec<PolicyOutcome<'_>> {
        (0..self.details.len())
            .map(|index| PolicyOutcome {
                summary: &self.summaries[index],
                replications: &self.replications[index],
                detail: &self.details[index],
                budget: Some(&self.budgets[index]),
            })
            .collect()
    }

    pub fn report<'a>(&'a self, policies: &'a [PolicyOutcome<'a>]) -> RunReport<'a> {
        RunReport {
            scenario: "weekday-ramp",
            start: Some(CalendarStart { unix_seconds: 1_772_406_000, utc_offset_seconds: 3_600, changes: &[] }),
            slo_threshold: Some(SimDuration::from_millis(500)),
            slo_end_to_end: None,
            objective: Some(0.99),
            token_slo: TokenSlo::default(),
            timeout: Some(SimDuration::from_secs(60)),
            verdict: Some(&self.verdict),
            assumptions: &[],
            service: "",
            services: &[],
            policies,
            comparisons: &self.comparisons,
        }
    }
}

/// How a made-up policy behaves: minutes of lag, share of spare capacity, spot or not.
#[derive(Clone, Copy)]
pub struct Behavior {
    pub name: &'static str,
    pub lag_minutes: usize,
    pub headroom: f64,
    pub spot: bool,
    pub standby: u32,
    /// Whose the cells of the ledger are.
    pub service: Option<u32>,
}

pub const THREE: [Behavior; 3] = [
    Behavior { name: "hpa-cpu-70", lag_minutes: 9, headroom: 1.25, spot: false, standby: 0, service: None },
    Behavior { name: "keda-queue", lag_minutes: 6, headroom: 1.1, spot: true, standby: 0, service: None },
    Behavior { name: "predictive+warm-pool", lag_minutes: 0, headroom: 1.3, spot: false, standby: 2, service: None },
];

pub const FIVE: [Behavior; 5] = [
    THREE[0],
    THREE[1],
    THREE[2],
    Behavior { name: "static-14", lag_minutes: 0, headroom: 1.6, spot: false, standby: 0, service: None },
    Behavior { name: "keda-scale-to-zero", lag_minutes: 12, headroom: 1.05, spot: true, standby: 0, service: None },
];

/// A portable pseudo-random sequence in 0..1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn rate(minute: usize) -> f64 {
    let hour = minute as f64 / 60.0;
    let day = 180.0 + 150.0 * ((hour - 9.0) / 24.0 * std::f64::consts::TAU).sin();
    let ramp = 160.0 / (1.0 + (-(hour - 9.0) * 6.0).exp()) - 160.0 / (1.0 + (-(hour - 17.5) * 3.0).exp());
    let spike = if (14 * 60 + 10..14 * 60 + 22).contains(&minute) { 260.0 } else { 0.0 };
    day + ramp + spike
}

pub fn day(behaviors: &[Behavior]) -> Day {
    of_details(behaviors.iter().enumerate().map(|(index, behavior)| run(*behavior, index as u64)).collect())
}

fn of_details(details: Vec<RunRecord>) -> Day {
    let replications: Vec<Vec<ReplicationSummary>> =
        details.iter().map(|detail| (0..20).map(|replication| figures(detail, replication)).collect()).collect();
    let summaries: Vec<PolicySummary> =
        details.iter().zip(&replications).map(|(detail, rows)| pooled(detail, rows)).collect();
    let comparisons = (1..summaries.len()).map(|index| compare(&summaries[index], &summaries[0])).collect();
    let budgets = summaries.iter().zip(&details).map(|(summary, detail)| budget(summary, detail)).collect();
    let verdict = verdict(&summaries);
    Day { summaries, replications, details, comparisons, budgets, verdict }
}

/// None meets 99 %; the last is nearest.
fn verdict(summaries: &[PolicySummary]) -> RunVerdict {
    let policy = |summary: &PolicySummary| PolicyVerdict {
        policy: summary.pooled.policy.clone(),
        standing: Standing::of(summary.slo_attainment, 0.99),
        is_met_by_estimate: summary.slo_attainment.mean >= 0.99,
        slo_attainment: summary.slo_attainment,
        cost_usd: summary.cost_usd,
        services: vec![ServiceVerdict {
            service: String::new(),
            objective: 0.99,
            standing: Standing::of(summary.slo_attainment, 0.99),
            slo_attainment: summary.slo_attainment,
        }],
        silent_metrics: Vec::new(),
    };
    RunVerdict {
        policies: summaries.iter().map(policy).collect(),
        chosen: None,
        runner_up: Some(RunnerUp {
            policy: summaries.len() - 1,
            by: Shortfall::Objective { service: String::new(), share: 0.0184, is_certain: true },
        }),
        facts: vec![
            Fact::Misses {
                policy: 0,
                service: String::new(),
                start: SimTime::from_secs(51_300),
                length: SimDuration::from_secs(720),
                share: 0.83,
                wanted: 16,
                ready: 9,
                held: Some(Held {
                    controller: "hpa".to_owned(),
                    step: "rate limit".to_owned(),
                    note: "Pods 2 per 60s, oldest wins".to_owned(),
                    passes: 12,
                    of: 48,
                }),
                cold_start_s: 212.0,
            },
            Fact::Bill {
                policy: summaries.len() - 1,
                part: BillPart::Idle,
                usd: 41.5,
                share: 0.18,
                other: Some((0, 12.25)),
            },
        ],
        certainty: Certainty { replications: 20, ..Certainty::default() },
        next: vec![NextStep {
            purpose: "look beyond what is listed: cheaper settings of hpa-cpu-70 that meet".to_owned(),
            command: "scalelab optimize weekday-ramp --policy hpa-cpu-70".to_owned(),
        }],
    }
}

/// A day of two services, each with its own lag: the cluster's, and each one's.
pub struct Pair {
    pub cluster: Day,
    pub parts: [Day; 2],
}

pub const NAMES: [&str; 2] = ["chat", "embed"];

impl Pair {
    pub fn with_report<T>(&self, check: impl FnOnce(&RunReport<'_>) -> T) -> T {
        let [chat, embed] = [0, 1].map(|service| self.parts[service].outcomes());
        let of = |service: usize, policies| RunReport {
            service: NAMES[service],
            slo_threshold: Some(SimDuration::from_millis([500, 200][service])),
            objective: Some([0.95, 0.99][service]),
            verdict: None,
            ..self.parts[service].report(policies)
        };
        let services = [of(0, &chat), of(1, &embed)];
        let mut policies = self.cluster.outcomes();
        policies.iter_mut().for_each(|policy| policy.budget = None);
        let cluster = self.cluster.report(&policies);
        let none = RunReport { slo_threshold: None, objective: None, timeout: None, ..cluster };
        check(&RunReport { services: &services, ..none })
    }
}

pub fn pair(behaviors: &[Behavior]) -> Pair {
    let details: Vec<RunRecord> = behaviors.iter().enumerate().map(|(index, one)| both(*one, index as u64)).collect();
    let part = |service: usize| {
        let mut day = of_details(details.iter().map(|detail| detail.of_service(service)).collect());
        let name = || NAMES[service].to_owned();
        day.summaries.iter_mut().for_each(|one| one.pooled.service = name());
        day.replications.iter_mut().flatten().for_each(|one| one.service = name());
        day.comparisons.iter_mut().for_each(|one| one.service = name());
        day
    };
    let parts = [part(0), part(1)];
    Pair { cluster: of_details(details), parts }
}

fn both(behavior: Behavior, seed: u64) -> RunRecord {
    let mut chat = run(Behavior { service: Some(0), ..behavior }, seed);
    let lag_minutes = behavior.lag_minutes / 2;
    let embed = run(Behavior { service: Some(1), lag_minutes, ..behavior }, seed + 50);
    chat.ledger.merge(&embed.ledger);
    chat.services.extend(embed.services);
    chat.services.iter_mut().zip(NAMES).for_each(|(service, name)| name.clone_into(&mut service.name));
    chat.remarks.push("1 pod waited for a node".to_owned());
    chat
}

/// A budget for 99 %, worst at 14:15.
fn budget(summary: &PolicySummary, detail: &RunRecord) -> ErrorBudget {
    let Interval { mean, low, high } = summary.slo_attainment;
    let burn_rate = Interval { mean: (1.0 - mean) * 100.0, low: (1.0 - high) * 100.0, high: (1.0 - low) * 100.0 };
    let stretch = |burn_rate| BudgetStretch {
        start: SimTime::from_secs(51_300),
        requests: 96_000,
        slo_misses: (960.0 * burn_rate) as u64,
        burn_rate,
        spent: burn_rate / 8_064.0,
    };
    let window = |seconds, burn_rate, alert_burn_rate| BudgetWindow {
        length: SimDuration::from_secs(seconds),
        worst: Some(stretch(burn_rate)),
        alert_burn_rate,
        alerting: SimDuration::from_secs(1_260),
    };
    ErrorBudget {
        slo_attainment: summary.slo_attainment,
        burn_rate,
        spent_28d: Interval { low: burn_rate.low * 0.9, high: burn_rate.high * 1.1, ..burn_rate },
        detail: (!detail.timeline().is_empty()).then(|| BudgetDetail {
            measured: detail.measured,
            in_violation: SimDuration::from_secs(5_400),
            spent: burn_rate.mean / 28.0,
            windows: vec![window(300, 87.5, None), window(3_600, 21.0, Some(13.44))],
        }),
    }
}

fn run(behavior: Behavior, seed: u64) -> RunRecord {
    let mut noise = Noise(seed + 7);
    let service = ServiceRecord {
        name: "vision".to_owned(),
        scaling: ScalingTotals { scale_ups: 31, scale_downs: 28, ..ScalingTotals::default() },
        metrics: vec![MetricUse {
            controller: "hpa".to_owned(),
            metric: "cpu".to_owned(),
            reads: 5_760,
            read: 5_758,
            failed: 2,
            age_ns_sum: 5_758 * 45_000_000_000,
            aged: 5_758,
            age_max: SimDuration::from_secs(60),
            first_failure: Some((SimTime::ZERO, "no such metric".to_owned())),
            ..MetricUse::default()
        }],
        remarks: vec!["hpa: cpu unread in 2 of 5760 passes, first at 00:00:00: no such metric".to_owned()],
        ..ServiceRecord::default()
    };
    let mut record = RunRecord {
        policy: behavior.name.to_owned(),
        seed: 42,
        digest: 0xabcd_0000 + seed,
        measured: SimDuration::from_secs(86_400),
        spot_interruptions: u64::from(behavior.spot) * 3,
        services: vec![service],
        ..RunRecord::default()
    };
    let mut queue = 0.0;
    for minute in 0..1_440 {
        step(&mut record, behavior, minute, &mut queue, &mut noise);
    }
    lives(&mut record, behavior, &mut noise);
    decisions(&mut record);
    record
}

fn wanted(behavior: Behavior, minute: usize) -> u32 {
    if behavior.name.starts_with("static") {
        18
    } else {
        ((rate(minute) * behavior.headroom / CAPACITY).ceil() as u32).clamp(1, 16)
    }
}

fn step(record: &mut RunRecord, behavior: Behavior, minute: usize, queue: &mut f64, noise: &mut Noise) {
    let arrivals = rate(minute) * 60.0 * (0.97 + 0.06 * noise.next());
    let desired = wanted(behavior, minute);
    let earlier = wanted(behavior, minute.saturating_sub(behavior.lag_minutes));
    let (ready, starting) = (desired.min(earlier), desired.saturating_sub(earlier));
    let draining = earlier.saturating_sub(desired).min(2);
    let room = f64::from(ready) * CAPACITY * 60.0;
    let served = (arrivals + *queue).min(room);
    *queue = (*queue + arrivals - served).min(30_000.0);
    let load = (arrivals / room).min(0.999);
    let wait_ms = *queue / (room / 60.0) * 1e3;
    let p50 = 82.0 + 20.0 * load + wait_ms;
    let p99 = (140.0 + 40.0 / (1.02 - load)) * (0.9 + 0.2 * noise.next()) + wait_ms * 1.4;
    let misses = if p99 > 500.0 { if p50 > 500.0 { served } else { served * 0.2 } } else { served * 0.0004 } as u64;
    let (served, arrivals) = (served as u64, arrivals as u64);
    for percentile in 0..100 {
        let shape = (f64::from(percentile) + 0.5) / 100.0;
        let value = p50 * 0.6 + (p99 - p50 * 0.6) * shape.powi(6) + 20.0 * shape;
        record.services[0].totals.latency.record_many((value * 1e6) as u64, served / 100);
    }
    record.services[0].requests.arrived += arrivals;
    record.services[0].requests.completed += served;
    record.services[0].totals.slo_total += served;
    record.services[0].totals.slo_met += served - misses.min(served);
    let minute_long = SimDuration::from_secs(60);
    let purchase = if behavior.spot { Purchase::Spot } else { Purchase::OnDemand };
    let price = UsdPerHour::from_dollars(if behavior.spot { PRICE * 0.42 } else { PRICE });
    let mut bill = |gpus: f64, gpu_use: GpuUse, purchase: Purchase| {
        let billed = SimDuration::from_secs_f64(60.0 * gpus);
        record.ledger.bill(price, billed);
        // What no pod holds is nobody's.
        let whose = if gpu_use == GpuUse::Unallocated { None } else { behavior.service };
        let cell = (price.cost_of(billed), u128::from(billed.as_nanos()));
        record.ledger.attribute_to(whose, (gpu_use, purchase, "eu-west-1a"), cell);
    };
    bill(f64::from(ready) * load, GpuUse::ServingBusy, Purchase::OnDemand);
    bill(f64::from(ready) * (1.0 - load), GpuUse::ServingIdle, purchase);
    bill(f64::from(starting), GpuUse::GpuLoad, purchase);
    bill(f64::from(behavior.standby), GpuUse::Standby, purchase);
    bill(f64::from(draining) + 0.01, GpuUse::Draining, purchase);
    bill(0.37, GpuUse::Unallocated, purchase);
    record.services[0].timeline.push(TimelineRow {
        start: SimTime::from_secs(minute as u64 * 60),
        step: minute_long,
        arrivals,
        completions: served,
        failures: 0,
        slo_misses: misses,
        queue: *queue as u64,
        in_flight: u64::from(ready) * 4,
        desired,
        ready,
        starting,
        standby: behavior.standby,
        draining,
        nodes_on_demand: ready,
        nodes_spot: 0,
        nodes_reserved: 0,
        ready_ns: u128::from(ready) * 60_000_000_000,
        gpu_utilization: load,
        latency_p50_ns: (minute % 500 != 3).then_some((p50 * 1e6) as u64),
        latency_p99_ns: (minute % 500 != 3).then_some((p99 * 1e6) as u64),
        cost_so_far: record.ledger.total(),
        ..TimelineRow::default()
    });
}

fn lives(record: &mut RunRecord, behavior: Behavior, noise: &mut Noise) {
    let spans: [(&str, f64); 6] = [
        ("pending", 75.0),
        ("image_pull", 42.0),
        ("model_download", 88.0),
        ("gpu_load", 21.0),
        ("cuda_warm_up", 14.0),
        ("readiness", 9.0),
    ];
    let speed = if behavior.standby > 0 { 0.55 } else { 1.0 };
    for index in 0..37u32 {
        let created = SimTime::from_secs(u64::from(index) * 2_000);
        let mut now = created;
        let mut phases = Vec::new();
        for (phase, seconds) in spans {
            let length = SimDuration::from_secs_f64(seconds * speed * (0.6 + 1.2 * noise.next() * noise.next()));
            phases.push(PhaseSpan { phase, start: now, end: now + length });
            now += length;
        }
        let ready = (index != 5).then_some(now);
        phases.push(PhaseSpan { phase: "ready", start: now, end: now + SimDuration::from_secs(900) });
        if let Some(ready) = ready {
            record.services[0].scaling.cold_start_ns.push(ready.since(created).as_nanos());
        }
        record.services[0].replicas.push(ReplicaLife {
            waits: Vec::new(),
            restarts: 0,
            pod: PodId(index),
            node: Some(NodeId(index / 2)),
            worker_nodes: Vec::new(),
            purchase: Some(Purchase::OnDemand),
            zone: "eu-west-1a".to_owned(),
            created,
            ready,
            ended: Some(now + SimDuration::from_secs(900)),
            phases,
            busy: SimDuration::from_secs(500),
            cost: Usd::from_micros(100_000),
            completed: 20_000,
            lost: 0,
            adapter_loads: None,
            ending: "scale_in",
        });
    }
    record.nodes.push(NodeLife {
        node: NodeId(0),
        pool: "gpu".to_owned(),
        instance_type: "g5.xlarge".to_owned(),
        zone: "eu-west-1a".to_owned(),
        purchase: Purchase::Spot,
        gpus: 1,
        recommended: None,
        noticed: None,
        requested: SimTime::from_secs(10),
        launched: Some(SimTime::from_secs(55)),
        ended: None,
        phases: vec![PhaseSpan { phase: "launch", start: SimTime::from_secs(10), end: SimTime::from_secs(55) }],
        billed: SimDuration::from_secs(86_345),
        cost: Usd::from_micros(24_131_234),
        cost_without_replica: Usd::from_micros(12_345),
        ending: "running",
    });
}

fn decisions(record: &mut RunRecord) {
    record.services[0].decisions.push(DecisionRow {
        time: SimTime::from_secs(33_240),
        controller: "hpa".to_owned(),
        replicas_before: 9,
        replicas_ready: 9,
        metrics: vec![MetricRow {
            metric: "cpu".to_owned(),
            value: Some(0.91),
            target: 0.7,
            ratio: Some(1.3),
            replicas: Some(12),
            outcome: MetricOutcome::Read,
            note: String::new(),
            age: Some(SimDuration::from_secs(45)),
        }],
        raw: Some(12),
        steps: vec![
            StepRow { name: "stabilization".to_owned(), before: 12, after: 12, note: String::new() },
            StepRow {
                name: "rate limit".to_owned(),
                before: 12,
                after: 11,
                note: "Pods 2 per 60s, oldest wins".to_owned(),
            },
            StepRow { name: "bounds".to_owned(), before: 11, after: 10, note: "maxReplicas".to_owned() },
        ],
        reason: "TooManyReplicas".to_owned(),
        written: Some(("replicas", 10)),
    });
}

fn figures(detail: &RunRecord, replication: u32) -> ReplicationSummary {
    let (requests, totals) = (detail.requests(), detail.totals());
    let cost = |wanted: &[GpuUse]| -> f64 {
        detail
            .ledger
            .lines()
            .iter()
            .filter(|line| wanted.contains(&line.gpu_use))
            .map(|line| line.amount.as_f64())
            .sum()
    };
    let bought = |purchase: Purchase| -> f64 {
        detail.ledger.lines().iter().filter(|line| line.purchase == purchase).map(|line| line.amount.as_f64()).sum()
    };
    let quantile = |q: f64| totals.latency.quantile(q).unwrap_or(0) as f64 / 1e6;
    let total = detail.ledger.total().as_f64();
    ReplicationSummary {
        policy: detail.policy.clone(),
        replication,
        requests: requests.arrived,
        completed: requests.completed,
        slo_attainment: totals.slo_met as f64 / totals.slo_total as f64,
        latency_ms_mean: 140.0,
        latency_ms_p50: quantile(0.5),
        latency_ms_p90: quantile(0.9),
        latency_ms_p95: quantile(0.95),
        latency_ms_p99: quantile(0.99),
        latency_ms_p999: quantile(0.999),
        latency_ms_max: quantile(1.0),
        latency_ms_p50_all: quantile(0.5),
        latency_ms_p99_all: quantile(0.99),
        queue_wait_ms_mean: f64::NAN,
        cost_usd: total,
        cost_per_million_requests_usd: total / requests.completed as f64 * 1e6,
        cost_serving_usd: cost(&[GpuUse::ServingBusy]),
        cost_idle_usd: cost(&[GpuUse::ServingIdle]),
        cost_cold_start_usd: cost(&[GpuUse::GpuLoad]),
        cost_standby_usd: cost(&[GpuUse::Standby]),
        cost_draining_usd: cost(&[GpuUse::Draining]),
        cost_unallocated_usd: cost(&[GpuUse::Unallocated]),
        cost_on_demand_usd: bought(Purchase::OnDemand),
        cost_spot_usd: bought(Purchase::Spot),
        gpu_hours: detail.ledger.gpu_ns() as f64 / 3.6e12,
        replicas_mean: 9.31,
        replicas_max: 16,
        cold_starts: detail.scaling().cold_start_ns.len() as u64,
        cold_start_s_mean: 212.0,
        cold_start_s_p95: 301.0,
        cost_per_thousand_slo_met_usd: f64::NAN,
        seed: 42,
        digest: detail.digest,
        ..ReplicationSummary::default()
    }
}

fn pooled(detail: &RunRecord, rows: &[ReplicationSummary]) -> PolicySummary {
    let mut pooled = rows[0].clone();
    // A mean over three replications is no whole number of micro-dollars.
    for dollars in [&mut pooled.cost_usd, &mut pooled.cost_serving_usd, &mut pooled.cost_on_demand_usd] {
        *dollars += 0.000_000_4;
    }
    let around = |mean: f64, half: f64| Interval { mean, low: mean - half, high: mean + half };
    let latency: Histogram = detail.totals().latency.clone();
    PolicySummary {
        replications: rows.len() as u32,
        replications_needed: 2,
        slo_attainment: around(pooled.slo_attainment, (1.0 - pooled.slo_attainment) * 0.12),
        slo_attainment_decides: around(pooled.slo_attainment, (1.0 - pooled.slo_attainment) * 0.12),
        cost_usd: around(pooled.cost_usd, pooled.cost_usd * 0.021),
        latency_ms_mean: around(140.0, 2.0),
        latency_ms_p99: around(pooled.latency_ms_p99, 11.0),
        latency_ms_p99_all: around(pooled.latency_ms_p99_all, 11.0),
        unanswered: 0,
        latency,
        pooled,
    }
}

fn compare(policy: &PolicySummary, baseline: &PolicySummary) -> Comparison {
    let difference = |a: f64, b: f64, half: f64| Interval { mean: a - b, low: a - b - half, high: a - b + half };
    let verdict = |interval: Interval, lower_is_better: bool| match (interval.low > 0.0, interval.high < 0.0) {
        (true, _) if lower_is_better => Verdict::Worse,
        (true, _) => Verdict::Better,
        (_, true) if lower_is_better => Verdict::Better,
        (_, true) => Verdict::Worse,
        _ => Verdict::Undecided,
    };
    let cost_usd = difference(policy.cost_usd.mean, baseline.cost_usd.mean, 9.0);
    let slo_attainment = difference(policy.slo_attainment.mean, baseline.slo_attainment.mean, 0.004);
    Comparison {
        policy: policy.pooled.policy.clone(),
        baseline: baseline.pooled.policy.clone(),
        service: String::new(),
        replications: policy.replications,
        replications_needed: 2,
        cost_usd,
        cost_verdict: verdict(cost_usd, true),
        slo_attainment,
        slo_verdict: verdict(slo_attainment, false),
    }
}
