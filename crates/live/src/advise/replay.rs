//! The passes of one policy's controllers over what was, and the last one's answer.

use std::collections::BTreeMap;

use cluster::controllers::{ControllerList, Terms, decision_row};
use cluster::spec::{ControllerSpec, ServicePolicy, ServiceSpec};
use policy::keda::Setting;
use policy::{Action, Counts, MetricError, MetricQuery, MetricReading, Observation, PodView, Recommendation};
use record::DecisionRow;
use units::{SimDuration, SimTime};

use super::PolicyAdvice;
use super::answers::Answers;
use super::past::Past;
use super::sight::Sight;
use crate::grid::Grid;

const A_DAY_S: i64 = 86_400;

/// Every query's answers, or why they are not known.
pub(super) type Known = BTreeMap<String, Result<Answers, String>>;

/// One policy, and what it is shown.
pub(super) struct Replay<'a> {
    pub service: &'a ServiceSpec,
    pub policy: &'a ServicePolicy,
    pub grid: Grid,
    pub start_ms: i64,
    pub sight: &'a Sight,
    pub answers: &'a Known,
}

/// What has come of the passes so far.
struct Course {
    controllers: ControllerList,
    floor: u32,
    /// What was written in the last row.
    written: Option<u32>,
    decisions: Vec<DecisionRow>,
    /// Passes that could not be repeated.
    skipped: usize,
}

/// The metrics that the policy's controllers ask for. A policy of somebody's own is not started for it.
pub(super) fn queries(policy: &ServicePolicy, service: &ServiceSpec) -> Vec<MetricQuery> {
    if unknown(policy).is_some() {
        return Vec::new();
    }
    controllers(policy, service, 0).queries().into_iter().filter(|query| !is_of_keda(query)).collect()
}

/// What a generated HPA asks KEDA for, which is answered here.
fn is_of_keda(query: &MetricQuery) -> bool {
    let MetricQuery::External { selector, .. } = query else { return false };
    selector.iter().any(|condition| condition.key == "scaledobject.keda.sh/name")
}

/// Why nobody can say what the policy would do.
fn unknown(policy: &ServicePolicy) -> Option<&'static str> {
    policy.controllers.iter().find_map(|controller| match controller {
        ControllerSpec::Recorded(_) => Some("it replays a recording, and says nothing of what comes after"),
        ControllerSpec::External { .. } => {
            Some("a policy of your own is shown queues and requests in service, which no Prometheus tells")
        }
        _ => None,
    })
}

fn controllers(policy: &ServicePolicy, service: &ServiceSpec, start_s: i64) -> ControllerList {
    // When passes are is said by the rows. The object is there for long: what it was like when it was new is not seen.
    let first = |_: SimDuration, _: usize| SimTime::ZERO;
    let setting = |first_poll: SimTime| Setting { first_poll, created_s: -A_DAY_S, ..Setting::starting_at(start_s) };
    ControllerList::new(
        policy,
        service,
        &Terms { first: &first, setting: &setting, before: SimDuration::ZERO, seed: 0 },
    )
}

impl Replay<'_> {
    /// Repeats the lookback and tells the last passes.
    pub fn advice(&self, name: &str, past: &Past) -> PolicyAdvice {
        let advice = |replicas, decisions, notes| PolicyAdvice { policy: name.to_owned(), replicas, decisions, notes };
        if let Some(why) = self.why_unknown() {
            return advice(Err(why), Vec::new(), Vec::new());
        }
        let controllers = controllers(self.policy, self.service, self.start_ms.div_euclid(1_000));
        if controllers.is_empty() {
            let replicas = self.policy.replicas_initial.unwrap_or(self.service.replicas_initial);
            let note = "nothing scales it: it keeps the replicas that it is given".to_owned();
            return advice(Ok(replicas), Vec::new(), vec![note]);
        }
        let mut course = Course { controllers, floor: 0, written: None, decisions: Vec::new(), skipped: 0 };
        let order = order(&course.controllers);
        for row in 0..self.grid.rows {
            for &index in &order {
                if self.is_due(course.controllers.schedule(index).period, row) {
                    self.pass(&mut course, (index, row), past);
                }
            }
            self.tell_change(&mut course, row);
        }
        let now = self.sight.counts.wanted[self.grid.rows - 1].unwrap_or_default();
        let notes = (course.skipped > 0).then(|| {
            format!(
                "{} passes of the lookback could not be repeated, because replicas or pods were not seen then: windows may hold less than the \
                 controller remembers",
                course.skipped
            )
        });
        advice(Ok(course.written.unwrap_or(now)), course.decisions, notes.into_iter().collect())
    }

    fn why_unknown(&self) -> Option<String> {
        if let Some(why) = unknown(self.policy) {
            return Some(why.to_owned());
        }
        let asked = queries(self.policy, self.service);
        let why = asked.iter().find_map(|query| self.answers.get(&format!("{query:?}"))?.as_ref().err());
        if let Some(why) = why {
            return Some(why.clone());
        }
        let last = self.grid.rows - 1;
        let reads_pods = self
            .policy
            .controllers
            .iter()
            .any(|controller| matches!(controller, ControllerSpec::Hpa { .. } | ControllerSpec::Keda { .. }));
        let has_pods = self.sight.pods[last].is_some() || self.sight.counts.wanted[last] == Some(0);
        (reads_pods && !has_pods).then(|| {
            "it looks at the pods, and no kube_pod_status_phase and kube_pod_status_ready of them were scraped lately".to_owned()
        })
    }

    /// Whether a pass in that row is the last but so many whole periods: the last one is now.
    fn is_due(&self, period: SimDuration, row: usize) -> bool {
        let before = self.time(self.grid.rows - 1).since(self.time(row));
        before.is_zero() || !period.is_zero() && before.as_nanos().is_multiple_of(period.as_nanos())
    }

    fn time(&self, row: usize) -> SimTime {
        let nanos = (self.grid.at_ms(row) - self.start_ms).saturating_mul(1_000_000);
        SimTime::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }

    fn pass(&self, course: &mut Course, (index, row): (usize, usize), past: &Past) {
        let is_last = row + 1 == self.grid.rows;
        let now = self.time(row);
        let is_at_zero = self.sight.counts.wanted[row] == Some(0);
        let no_pods = Vec::new();
        let pods = self.sight.pods[row].as_ref().or(is_at_zero.then_some(&no_pods));
        let watches = course.controllers.watches(index);
        let (Some(spec), Some(pods)) = (self.sight.counts.wanted[row], pods.or((!watches).then_some(&no_pods))) else {
            course.skipped += 1;
            return;
        };
        let counts = Counts {
            spec: course.written.filter(|_| is_last && !course.controllers.is_operator(index)).unwrap_or(spec),
            status: self.sight.counts.existing[row].unwrap_or(pods.len() as u32),
            ready: self.sight.counts.ready[row].unwrap_or_default(),
            ..Counts::default()
        };
        let asked = course.controllers.queries_of(index, now, counts);
        let metrics: Vec<Result<MetricReading, MetricError>> =
            asked.iter().map(|query| self.answer(query, row, pods)).collect();
        let provenance = vec![policy::Provenance::default(); metrics.len()];
        let seen = Observation {
            now,
            counts,
            floor: course.floor,
            pods,
            metrics: &metrics,
            provenance: &provenance,
            arrivals: 0,
            completions: 0,
            queue: 0,
            in_flight: 0,
            history: past,
        };
        // Who remembers nothing of metrics is asked each time: forecasts and floors stand until the next.
        if let Some(recommendation) = course.controllers.pass(index, &seen, watches && !is_last) {
            course.take(&recommendation, (index, now), counts, is_last);
        }
    }

    fn answer(&self, query: &MetricQuery, row: usize, pods: &[PodView]) -> Result<MetricReading, MetricError> {
        let not_asked = || MetricError { message: "not asked for".to_owned() };
        let known = self.answers.get(&format!("{query:?}")).and_then(|known| known.as_ref().ok());
        let nanos = i64::try_from(self.time(row).as_nanos()).unwrap_or(i64::MAX);
        known.map_or_else(|| Err(not_asked()), |answers| answers.reading(row, pods, &self.sight.names, nanos))
    }

    /// A change that the next row shows was made in a pass by this one.
    fn tell_change(&self, course: &mut Course, row: usize) {
        let counts = &self.sight.counts.wanted;
        if let (Some(before), Some(Some(after))) = (counts[row], counts.get(row + 1))
            && before != *after
        {
            course.controllers.saw_change((before, *after), course.floor, self.time(row));
        }
    }
}

/// Floors first, autoscalers of pods after what they are held by, KEDA's operator last: what it writes stands.
fn order(controllers: &ControllerList) -> Vec<usize> {
    let mut order: Vec<usize> = (0..controllers.len()).collect();
    order.sort_by_key(|index| (controllers.is_operator(*index), controllers.is_hpa(*index)));
    order
}

impl Course {
    fn take(&mut self, recommendation: &Recommendation, (index, now): (usize, SimTime), counts: Counts, is_last: bool) {
        let written = match recommendation.action {
            Action::Hold => None,
            Action::Scale(replicas) => Some(("replicas", replicas)),
            Action::Floor(replicas) => Some(("floor", replicas)),
            Action::Standby(replicas) => Some(("standby", replicas)),
        };
        match written {
            Some(("floor", replicas)) => self.floor = replicas,
            Some(("replicas", replicas)) if is_last => self.written = Some(replicas),
            _ => {}
        }
        if is_last {
            let name = self.controllers.name(index);
            let row = decision_row(now, name, (counts.spec, counts.ready), &recommendation.trail, written);
            self.decisions.push(row);
        }
    }
}
