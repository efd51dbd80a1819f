//! What each policy would ask for now, read only: the controllers of the simulator are shown what a cluster's Prometheus knows.
//!
//! As in a rehearsal before a run, each pass of the lookback is shown to its controller, which remembers and writes nothing; the last one
//! answers. Replicas and pods are those that the cluster had, whoever scaled it (the loop is open). What cannot be known is said, and that
//! policy is unknown.

mod answers;
mod past;
mod replay;
mod sight;
mod span;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use cluster::spec::{ControllerSpec, MetricsSpec, ServicePolicy, ServiceSpec};
use policy::MetricQuery;
use record::DecisionRow;

use crate::client::Prometheus;
use crate::error::LiveError;
use crate::grid::Grid;
use crate::path::Workload;
use crate::select::Matchers;
use answers::Asking;
use past::Past;
use replay::Replay;

const MINUTE_MS: i64 = 60_000;

/// Of whom, of when.
pub struct Wish<'a> {
    /// The service, as the scenario has it.
    pub service: &'a ServiceSpec,
    /// How metrics travel there.
    pub metrics: &'a MetricsSpec,
    /// The policies by name, each as it scales this service.
    pub policies: Vec<(&'a str, &'a ServicePolicy)>,
    /// Name of the Deployment or StatefulSet in the cluster.
    pub workload: &'a str,
    /// Its namespace, where the cluster may have several of that name.
    pub namespace: Option<&'a str>,
    /// Matchers and counter of its requests, for policies that look at past days.
    pub requests: (&'a [String], Option<&'a str>),
    /// The moment, in milliseconds since 1970.
    pub at_ms: i64,
    /// How far back controllers are shown what was; none is as far as they remember.
    pub lookback_ms: Option<i64>,
}

/// What there is and what is advised.
#[derive(Clone, Debug)]
pub struct Advice {
    /// Namespace of the workload, where it is known.
    pub namespace: Option<String>,
    /// Replicas now: wanted, existing, ready.
    pub replicas: (u32, Option<u32>, Option<u32>),
    /// How far back was looked, in milliseconds.
    pub lookback_ms: i64,
    /// Policy by policy, in the order asked.
    pub policies: Vec<PolicyAdvice>,
}

/// What one policy would ask for.
#[derive(Clone, Debug)]
pub struct PolicyAdvice {
    /// Its name.
    pub policy: String,
    /// Replicas; or why that cannot be known.
    pub replicas: Result<u32, String>,
    /// The last pass of each controller.
    pub decisions: Vec<DecisionRow>,
    /// What the reader should know of how it came about.
    pub notes: Vec<String>,
}

/// Asks, repeats, tells.
///
/// # Errors
///
/// Of the connection; of a workload that is not there at that moment.
pub fn advise(server: &Prometheus, wish: &Wish<'_>) -> Result<Advice, LiveError> {
    let step_ms = span::step_ms(&wish.policies);
    let lookback_ms = wish.lookback_ms.unwrap_or_else(|| span::lookback_ms(&wish.policies));
    let rows = usize::try_from(lookback_ms / step_ms).unwrap_or(0) + 1;
    let grid = Grid { from_ms: wish.at_ms - (rows as i64 - 1) * step_ms, step_ms, rows };
    let (workload, matchers) = found(server, wish, grid)?;
    let start_ms = grid.from_ms.div_euclid(MINUTE_MS) * MINUTE_MS;
    let sight = sight::sight(server, (workload, &matchers), grid, start_ms)?;
    let last = rows - 1;
    let Some(wanted) = sight.counts.wanted[last] else {
        let reason = format!(
            "{} of {} was not scraped lately at that moment, or is no number; --at asks of another",
            workload.metrics()[0],
            matchers.service
        );
        return Err(LiveError::input(format!("{}: {reason}", server.url())));
    };
    let namespace = matchers.namespace.clone();
    let max_age_ms = (wish.metrics.adapter_relist.as_nanos() / 1_000_000) as i64;
    let is_adapted = |(_, policy): &(&str, &ServicePolicy)| replay::queries(policy, wish.service).iter().any(is_custom);
    let adapter = if wish.policies.iter().any(is_adapted) {
        answers::adapter(server, wish.metrics.adapter.as_ref(), (max_age_ms, wish.at_ms))?
    } else {
        Err(String::new())
    };
    let asking = Asking {
        server,
        grid,
        namespace: namespace.as_deref().unwrap_or(&wish.service.namespace),
        matchers: &matchers,
        sight: &sight,
        adapter,
        gke: wish.metrics.gke.metrics.keys().cloned().collect(),
    };
    let mut known = BTreeMap::new();
    let mut policies = Vec::new();
    for (name, policy) in &wish.policies {
        let past = past(server, (wish, &matchers), policy, (start_ms, grid))?;
        let asked: Vec<MetricQuery> = replay::queries(policy, wish.service);
        for query in &asked {
            if let Entry::Vacant(place) = known.entry(format!("{query:?}")) {
                place.insert(asking.answers(query)?);
            }
        }
        let replay = Replay { service: wish.service, policy, grid, start_ms, sight: &sight, answers: &known };
        policies.push(match past {
            Ok(past) => {
                let mut advice = replay.advice(name, &past);
                let missing = past.missing.iter();
                advice.notes.extend(
                    missing.map(|day| format!("its past is not known of a day, and the others count alone: {day}")),
                );
                advice
            }
            Err(why) => PolicyAdvice {
                policy: (*name).to_owned(),
                replicas: Err(why),
                decisions: Vec::new(),
                notes: Vec::new(),
            },
        });
    }
    let replicas = (wanted, sight.counts.existing[last], sight.counts.ready[last]);
    Ok(Advice { namespace, replicas, lookback_ms, policies })
}

fn is_custom(query: &MetricQuery) -> bool {
    matches!(query, MetricQuery::Pods { .. } | MetricQuery::Object { .. } | MetricQuery::External { .. })
}

/// The workload in the cluster, and what tells its series from others'.
fn found(server: &Prometheus, wish: &Wish<'_>, grid: Grid) -> Result<(Workload, Matchers), LiveError> {
    let span = (wish.at_ms - MINUTE_MS.max(grid.step_ms * 4), wish.at_ms);
    let (own, _) = wish.requests;
    let mut matchers =
        Matchers { service: wish.workload.to_owned(), namespace: wish.namespace.map(str::to_owned), own: own.to_vec() };
    let mut others = Vec::new();
    for workload in Workload::ALL {
        let (metric, label) = (workload.metrics()[0], workload.kind().1);
        let selector = format!("{metric}{{{}}}", matchers.of_workload(label));
        let names = server.label_values(label, &selector, span)?;
        if names.is_empty() {
            others.extend(server.label_values(label, metric, span)?);
            continue;
        }
        let mut namespaces = server.label_values("namespace", &selector, span)?;
        if namespaces.len() > 1 {
            let reason = format!("{} is in several: {}", wish.workload, namespaces.join(", "));
            return Err(LiveError::input(format!("--namespace is needed: {reason}")));
        }
        matchers.namespace = matchers.namespace.or_else(|| namespaces.pop());
        return Ok((workload, matchers));
    }
    if others.is_empty() {
        let reason = "shows no kube_deployment_spec_replicas at that moment: replicas are known of kube-state-metrics, which must be scraped";
        return Err(LiveError::input(format!("{}: {reason}", server.url())));
    }
    let near = names::nearest(wish.workload, others.iter().map(String::as_str));
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let reason = "no Deployment or StatefulSet of that name in the cluster at that moment";
    Err(LiveError::input(format!("{}: {reason}{near} (--workload names it there)", wish.workload)))
}

/// What policies that look at past days are shown; or why nothing of it is known.
fn past(
    server: &Prometheus,
    (wish, matchers): (&Wish<'_>, &Matchers),
    policy: &ServicePolicy,
    (start_ms, grid): (i64, Grid),
) -> Result<Result<Past, String>, LiveError> {
    let mut past = Past::default();
    for controller in &policy.controllers {
        let ControllerSpec::Predictive(config) = controller else { continue };
        past.add(server, (matchers, wish.requests.1), config, (start_ms, grid.from_ms, wish.at_ms))?;
    }
    if !past.missing.is_empty() && past.is_empty() {
        return Ok(Err(format!("its past is not known: {}", past.missing.join("; "))));
    }
    Ok(Ok(past))
}
