//! The verdict in words: the same lines for terminals, Markdown, JSON and the page.

use record::{BillPart, Fact, Held, PolicyVerdict, RunVerdict, RunnerUp, ServiceVerdict, Shortfall, Standing};
use serde_json::{Value, json};
use units::SimTime;

use crate::RunReport;
use crate::plots::horizon;
use crate::rounding::{cold_starts, count, dollars, milliseconds, objective, percent, three_digits};

/// One line of the verdict.
pub(crate) struct Line {
    /// What it is about: `verdict`, `next best`, `why`, `how sure`, `try`.
    pub label: &'static str,
    /// The sentence; of something to try what it is for.
    pub text: String,
    /// The command to copy, where there is one.
    pub command: Option<String>,
    /// Whether it warns of what stands in the first line.
    pub is_warning: bool,
}

impl Line {
    fn new(label: &'static str, text: String) -> Self {
        Self { label, text, command: None, is_warning: false }
    }
}

/// The verdict, first line first; nothing where the report has none (that of one service of several).
pub(crate) fn lines(report: &RunReport<'_>) -> Vec<Line> {
    let Some(verdict) = report.verdict else { return Vec::new() };
    let words = Words { report, verdict };
    let mut lines = vec![Line::new("verdict", words.headline())];
    lines.extend(verdict.chosen.and_then(|chosen| words.warning(chosen)));
    let is_told = |other: &&RunnerUp| verdict.chosen.is_some_and(|chosen| chosen != other.policy);
    lines
        .extend(verdict.runner_up.as_ref().filter(is_told).map(|other| Line::new("next best", words.runner_up(other))));
    lines.extend(verdict.facts.iter().map(|fact| Line::new("why", words.fact(fact))));
    lines.push(Line::new("how sure", words.certainty()));
    lines.extend(
        verdict
            .next
            .iter()
            .map(|step| Line { command: Some(step.command.clone()), ..Line::new("try", step.purpose.clone()) }),
    );
    lines
}

/// The verdict for programs: names and numbers, and the same words.
pub fn json_value(report: &RunReport<'_>) -> Value {
    let Some(verdict) = report.verdict else { return Value::Null };
    let name = |index: usize| verdict.policies[index].policy.clone();
    let interval = |of: record::Interval| json!({ "estimate": of.mean, "ci_low": of.low, "ci_high": of.high });
    let service = |one: &ServiceVerdict| {
        json!({
            "service": one.service,
            "slo_objective": one.objective,
            "standing": one.standing.name(),
            "slo_attainment": interval(one.slo_attainment),
        })
    };
    let policy = |one: &PolicyVerdict| {
        json!({
            "policy": one.policy,
            "standing": one.standing.name(),
            "slo_attainment": interval(one.slo_attainment),
            "cost_usd": interval(one.cost_usd),
            "services": one.services.iter().map(service).collect::<Vec<_>>(),
            "silent_metrics": one.silent_metrics,
        })
    };
    let certainty = &verdict.certainty;
    let next = verdict.next.iter().map(|step| json!({ "purpose": step.purpose, "command": step.command }));
    let text = lines(report).into_iter().map(|line| match line.command {
        Some(command) => format!("{}: {}: {command}", line.label, line.text),
        None => format!("{}: {}", line.label, line.text),
    });
    json!({
        "chosen": verdict.chosen.map(name),
        "is_certain": certainty.is_certain() && is_met_for_certain(verdict),
        "runner_up": verdict.runner_up.as_ref().map(|other| name(other.policy)),
        "policies": verdict.policies.iter().map(policy).collect::<Vec<_>>(),
        "replications": certainty.replications,
        "replications_needed": certainty.replications_needed,
        "open_objectives": certainty.open_objectives.iter().map(|&index| name(index)).collect::<Vec<_>>(),
        "open_costs": certainty.open_costs.iter().map(|&index| name(index)).collect::<Vec<_>>(),
        "next": next.collect::<Vec<_>>(),
        "text": text.collect::<Vec<_>>(),
    })
}

fn is_met_for_certain(verdict: &RunVerdict) -> bool {
    verdict.chosen.is_some_and(|chosen| verdict.policies[chosen].standing == Standing::Meets)
}

struct Words<'a> {
    report: &'a RunReport<'a>,
    verdict: &'a RunVerdict,
}

impl Words<'_> {
    fn name(&self, index: usize) -> &str {
        &self.verdict.policies[index].policy
    }

    fn cost(&self, index: usize) -> String {
        format!("{} for {}", dollars(self.verdict.policies[index].cost_usd.mean), horizon(self.report))
    }

    fn headline(&self) -> String {
        let is_lone = self.verdict.policies.len() == 1;
        let Some(chosen) = self.verdict.chosen else {
            let Some(best) = &self.verdict.runner_up else {
                return "there was no request to judge any policy by".to_owned();
            };
            let policy = &self.verdict.policies[best.policy];
            let figures = format!("{}; {}", self.cost(best.policy), self.attained(policy));
            let by = Self::shortfall(&best.by);
            return if is_lone {
                format!("{} {by}: {figures}", policy.policy)
            } else {
                format!("no policy meets {}; {} is nearest and {by}: {figures}", self.objectives(), policy.policy)
            };
        };
        let policy = &self.verdict.policies[chosen];
        let figures = format!("{}; {}", self.cost(chosen), self.attained(policy));
        match (policy.standing, is_lone) {
            (Standing::Meets, true) => format!("{} meets {}: {figures}", policy.policy, self.objectives()),
            (Standing::Meets, false) => format!("choose {}: {figures}", policy.policy),
            (_, true) => format!("{} may meet {}, which is not certain: {figures}", policy.policy, self.objectives()),
            (_, false) => format!(
                "{} is the cheapest whose estimate meets {}, which is not certain of any: {figures}",
                policy.policy,
                self.objectives()
            ),
        }
    }

    fn objectives(&self) -> &'static str {
        if self.report.has_several_services() { "the objectives of all services" } else { "the objective" }
    }

    /// `99.99 % of requests within 200 ms (99 % needed)`; of several services each.
    fn attained(&self, policy: &PolicyVerdict) -> String {
        let one = |service: &ServiceVerdict| {
            let share = percent(service.slo_attainment.mean);
            format!("{share} ({} needed)", objective(service.objective))
        };
        if let [only] = &policy.services[..] {
            return format!("{} of requests {}{}", percent(only.slo_attainment.mean), self.within(), {
                format!(" ({} needed)", objective(only.objective))
            });
        }
        policy.services.iter().map(|of| format!("{} {}", of.service, one(of))).collect::<Vec<_>>().join(", ")
    }

    fn within(&self) -> String {
        let threshold = |time: units::SimDuration| milliseconds(time.as_millis_f64());
        let slo = &self.report.token_slo;
        let parts = [
            self.report.slo_threshold.map(|time| format!("answered within {}", threshold(time))),
            slo.ttft.map(|time| format!("with the first token within {}", threshold(time))),
            slo.tpot.map(|time| format!("{} or less per token", threshold(time))),
            self.report.slo_end_to_end.map(|time| format!("end to end within {}", threshold(time))),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "met the SLO".to_owned() } else { parts.join(" and ") }
    }

    /// What stands beside a policy that did without a metric.
    fn warning(&self, index: usize) -> Option<Line> {
        let policy = &self.verdict.policies[index];
        let metrics = &policy.silent_metrics;
        (!metrics.is_empty()).then(|| Line {
            is_warning: true,
            ..Line::new(
                "warning",
                format!(
                    "{} never had a value of {}: check the name before you trust these figures",
                    policy.policy,
                    metrics.join(" and of ")
                ),
            )
        })
    }

    fn runner_up(&self, other: &RunnerUp) -> String {
        let silent = if self.verdict.policies[other.policy].silent_metrics.is_empty() {
            ""
        } else {
            " (some of its metrics never had a value)"
        };
        format!(
            "{} for {} {}{silent}",
            self.name(other.policy),
            dollars(self.verdict.policies[other.policy].cost_usd.mean),
            Self::shortfall(&other.by)
        )
    }

    fn shortfall(by: &Shortfall) -> String {
        let of = |service: &str| if service.is_empty() { String::new() } else { format!(" of {service}") };
        match by {
            Shortfall::Objective { service, share, is_certain } => {
                let points = super::sentences::points(*share);
                let doubt = if *is_certain { "" } else { " by its estimate, which is not certain" };
                format!("misses the objective{} by {points}{doubt}", of(service))
            }
            Shortfall::NotCertain { service, low } if low.is_nan() => {
                format!("meets the objective{} by its estimate; these replications give no interval", of(service))
            }
            Shortfall::NotCertain { service, low } => {
                format!("meets the objective{} by its estimate, which may be as low as {}", of(service), percent(*low))
            }
            Shortfall::Cost { more, is_certain: true } if more.mean == 0.0 => {
                "meets as well and costs the same in every replication".to_owned()
            }
            Shortfall::Cost { more, is_certain: true } => {
                let range = if more.low.is_finite() {
                    format!(" (95 % CI {} to {})", dollars(more.low), dollars(more.high))
                } else {
                    String::new()
                };
                format!("meets as well and costs {} more{range}", dollars(more.mean))
            }
            Shortfall::Cost { more, is_certain: false } => {
                format!("meets as well; by its estimate it costs {} more, which may be chance", dollars(more.mean))
            }
        }
    }

    fn fact(&self, fact: &Fact) -> String {
        match fact {
            Fact::Misses { policy, service, start, length, share, wanted, ready, held, cold_start_s } => {
                let whose = if service.is_empty() { String::new() } else { format!(" of {service}") };
                let place = format!("{} from {}", milliseconds(length.as_millis_f64()), self.clock(*start));
                let lag = match (ready < wanted, cold_start_s.is_nan()) {
                    (true, false) => format!(
                        ", when {wanted} replicas were wanted and {ready} ready; a cold start took {} s",
                        three_digits(*cold_start_s)
                    ),
                    (true, true) => format!(", when {wanted} replicas were wanted and {ready} ready"),
                    (false, _) => format!(", with all {wanted} replicas that were wanted ready"),
                };
                let held = held.as_ref().map(held_back).unwrap_or_default();
                let share = if *share > 0.9995 { "all".to_owned() } else { format!("{:.0} %", share * 100.0) };
                format!("{share} of the misses{whose} under {} fall into the {place}{lag}{held}", self.name(*policy))
            }
            Fact::Silent { policy, metrics, held_passes } => {
                let held = match held_passes {
                    0 => String::new(),
                    passes => format!("; for want of it a scale-down was held in {} passes", count(*passes)),
                };
                format!("{} never had a value of {}{held}", self.name(*policy), metrics.join(" and of "))
            }
            Fact::AtMaximum { policy, share } => {
                format!("{} wanted its maximum of replicas for {:.0} % of the time", self.name(*policy), share * 100.0)
            }
            Fact::Replicas { policy, mean, cold_starts: starts, other } => {
                let other =
                    other.map(|(index, mean)| format!("; {} had {} ready", self.name(index), three_digits(mean)));
                format!(
                    "{} had {} {} ready in the mean and {}{}",
                    self.name(*policy),
                    three_digits(*mean),
                    if three_digits(*mean) == "1" { "replica" } else { "replicas" },
                    cold_starts(*starts),
                    other.unwrap_or_default()
                )
            }
            Fact::Bill { policy, part, usd, share, other } => {
                let other = other.map(|(index, usd)| format!(", {} {}", self.name(index), dollars(usd)));
                format!(
                    "{} pays {} for {} ({:.0} % of its bill){}",
                    self.name(*policy),
                    dollars(*usd),
                    part_words(*part),
                    share * 100.0,
                    other.unwrap_or_default()
                )
            }
        }
    }

    fn clock(&self, time: SimTime) -> String {
        self.report.start.map_or_else(|| time.to_string(), |start| start.clock(time))
    }

    fn certainty(&self) -> String {
        let certainty = &self.verdict.certainty;
        let replications = match certainty.replications {
            1 => "1 replication".to_owned(),
            many => format!("{many} replications"),
        };
        let names = |indexes: &[usize]| indexes.iter().map(|&index| self.name(index)).collect::<Vec<_>>().join(", ");
        if certainty.is_certain() {
            return match (self.verdict.chosen, self.verdict.policies.len()) {
                (Some(chosen), 2..) => {
                    format!(
                        "certain with {replications} at 95 %: {} meets, and nothing that meets costs less",
                        self.name(chosen)
                    )
                }
                _ => format!("certain with {replications} at 95 %"),
            };
        }
        let mut open = Vec::new();
        if !certainty.open_objectives.is_empty() {
            let verb = if certainty.open_objectives.len() == 1 { "meets" } else { "meet" };
            open.push(format!("whether {} {verb} {}", names(&certainty.open_objectives), self.objectives()));
        }
        if !certainty.open_costs.is_empty() {
            let chosen = self.verdict.chosen.map_or("", |chosen| self.name(chosen));
            let verb = if certainty.open_costs.len() == 1 { "costs" } else { "cost" };
            open.push(format!("whether {} {verb} more than {chosen}", names(&certainty.open_costs)));
        }
        let more = match certainty.replications_needed {
            Some(needed) => format!("; about {needed} would probably tell"),
            None => "; they are too alike for a reasonable number to tell".to_owned(),
        };
        format!("open with {replications}: {}{more}", open.join(", and "))
    }
}

fn held_back(held: &Held) -> String {
    let note = if held.note.is_empty() { String::new() } else { format!(" ({})", held.note) };
    format!("; {}'s {}{note} held it back in {} of {} passes", held.controller, held.step, held.passes, held.of)
}

const fn part_words(part: BillPart) -> &'static str {
    match part {
        BillPart::Serving => "replicas that serve at least one request",
        BillPart::Idle => "ready replicas without a request",
        BillPart::ColdStart => "cold starts",
        BillPart::Standby => "warm standbys",
        BillPart::Draining => "draining replicas",
        BillPart::Unallocated => "GPUs nobody uses",
    }
}
