//! Replicas and pods of a workload at each moment that controllers look, out of kube-state-metrics.

use std::collections::{BTreeMap, BTreeSet};

use policy::{PodPhase, PodView, Ready};
use units::PodId;

use crate::answer::{self, Series};
use crate::client::Prometheus;
use crate::error::LiveError;
use crate::grid::Grid;
use crate::path::{Counting, ReplicaPath, STALE, Workload};
use crate::select::{Matchers, quoted};
use crate::twins;

/// Asked for before the first moment, so that what held there is known.
const LEAD_MS: i64 = 300_000;
/// What one question asks for at most.
const CHUNK_MS: i64 = 7_200_000;
/// What the API server knows of a pod, as kube-state-metrics shows it.
const FACTS: [&str; 6] = [
    "kube_pod_status_phase",
    "kube_pod_status_ready",
    "kube_pod_start_time",
    "kube_pod_created",
    "kube_pod_status_ready_time",
    "kube_pod_deletion_timestamp",
];

/// What was there, moment by moment.
pub(super) struct Sight {
    /// Counts of the workload.
    pub counts: ReplicaPath,
    /// Its pods, in order of creation; `None` where they were not seen.
    pub pods: Vec<Option<Vec<PodView>>>,
    /// Names of all pods, by [`PodId::index`].
    pub names: Vec<String>,
}

/// Asks for both. Nanoseconds of pods count from `start_ms`.
pub(super) fn sight(
    server: &Prometheus,
    (workload, matchers): (Workload, &Matchers),
    grid: Grid,
    start_ms: i64,
) -> Result<Sight, LiveError> {
    let (metrics, label) = (workload.metrics(), workload.kind().1);
    let selector = format!("{{__name__=~{},{}}}", quoted(&metrics.join("|")), matchers.of_workload(label));
    let mut counts: [Counting; 3] = Default::default();
    let of_workload = raw(server, &selector, grid)?;
    twins::refuse_namesakes(&of_workload)?;
    for found in of_workload {
        let name = found.labels.get("__name__").cloned().unwrap_or_default();
        if let Some(place) = metrics.iter().position(|metric| *metric == name) {
            counts[place].add(&[found]);
        }
    }
    let [wanted, existing, ready] = counts.map(|counting| counting.rows(grid));
    let selector = format!("{{__name__=~{},{}}}", quoted(&FACTS.join("|")), matchers.of_pods());
    let scrapes = Scrapes::of(raw(server, &selector, grid)?);
    let names = scrapes.names();
    let pods = scrapes.rows(grid, start_ms, &names);
    Ok(Sight { counts: ReplicaPath { wanted, existing, ready }, pods, names })
}

/// The samples of a selector as they were scraped, from before the first moment on.
fn raw(server: &Prometheus, selector: &str, grid: Grid) -> Result<Vec<Series>, LiveError> {
    let (first, last) = (grid.from_ms - LEAD_MS, grid.at_ms(grid.rows.saturating_sub(1)));
    let mut found = Vec::new();
    let mut from = first;
    while from < last {
        let to = last.min(from + CHUNK_MS);
        let expression = format!("{selector}[{}ms]", to - from);
        found.extend(answer::series(&server.query(&expression, Some(to))?)?);
        from = to;
    }
    Ok(found)
}

/// One thing that a scrape showed of a pod.
struct Fact {
    metric: usize,
    pod: String,
    /// The phase or the condition's status.
    word: String,
    value: f64,
}

/// What each scrape showed, by who was scraped and when: a pod that a scrape does not show is not there.
struct Scrapes {
    by_instance: BTreeMap<String, BTreeMap<i64, Vec<Fact>>>,
}

impl Scrapes {
    fn of(series: Vec<Series>) -> Self {
        let mut by_instance: BTreeMap<String, BTreeMap<i64, Vec<Fact>>> = BTreeMap::new();
        for one in series {
            let label = |name: &str| one.labels.get(name).cloned().unwrap_or_default();
            let Some(metric) = FACTS.iter().position(|fact| *fact == label("__name__")) else { continue };
            let word = label(if metric == 0 { "phase" } else { "condition" });
            let scrapes = by_instance.entry(label("instance")).or_default();
            // Conditions are 0 or 1, the rest are moments: what is neither was not seen.
            for sample in one.samples.iter().filter(|sample| sample.time_s().is_some()) {
                let fact = Fact { metric, pod: label("pod"), word: word.clone(), value: sample.value };
                scrapes.entry(sample.at_ms).or_default().push(fact);
            }
        }
        Self { by_instance }
    }

    /// All pods, oldest first.
    fn names(&self) -> Vec<String> {
        let facts = self.by_instance.values().flat_map(BTreeMap::values).flatten();
        let mut created: BTreeMap<&str, i64> = BTreeMap::new();
        for fact in facts {
            let at = created.entry(&fact.pod).or_insert(i64::MAX);
            if FACTS[fact.metric] == "kube_pod_created" {
                *at = fact.value as i64;
            }
        }
        let mut names: Vec<(i64, &str)> = created.into_iter().map(|(name, at)| (at, name)).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name.to_owned()).collect()
    }

    /// The facts of the newest scrape of each instance by then; `None` where the newest is too old.
    fn at(&self, at_ms: i64, fresh_ms: i64) -> Option<Vec<&Fact>> {
        let mut facts = Vec::new();
        let mut is_fresh = false;
        for scrapes in self.by_instance.values() {
            if let Some((seen_ms, of_scrape)) = scrapes.range(..=at_ms).next_back()
                && at_ms - seen_ms <= fresh_ms
            {
                is_fresh = true;
                facts.extend(of_scrape);
            }
        }
        is_fresh.then_some(facts)
    }

    /// How old a scrape may be to count.
    fn fresh_ms(&self) -> i64 {
        let mut between: Vec<i64> = Vec::new();
        for scrapes in self.by_instance.values() {
            let times: Vec<i64> = scrapes.keys().copied().collect();
            between.extend(times.windows(2).map(|pair| pair[1] - pair[0]));
        }
        let middle = between.len() / 2;
        if between.is_empty() { LEAD_MS } else { (STALE * *between.select_nth_unstable(middle).1 as f64) as i64 }
    }

    fn rows(&self, grid: Grid, start_ms: i64, names: &[String]) -> Vec<Option<Vec<PodView>>> {
        let fresh_ms = self.fresh_ms();
        let mut changes = Changes::default();
        let row = |row: usize| {
            let at_ms = grid.at_ms(row);
            let facts = self.at(at_ms, fresh_ms)?;
            let shown: BTreeSet<&str> = facts.iter().map(|fact| fact.pod.as_str()).collect();
            let pods = names.iter().enumerate().filter(|(_, name)| shown.contains(name.as_str()));
            let view = |(index, name): (usize, &String)| {
                let of_pod = facts.iter().filter(|fact| fact.pod == *name).copied();
                changes.view(PodId::new(0, index), of_pod, (at_ms, start_ms))
            };
            Some(pods.map(view).collect())
        };
        (0..grid.rows).map(row).collect()
    }
}

/// When the Ready condition of each pod last changed, as far as it was seen.
#[derive(Default)]
struct Changes {
    last: BTreeMap<PodId, (Ready, i64)>,
}

impl Changes {
    fn view<'a>(
        &mut self,
        pod: PodId,
        facts: impl Iterator<Item = &'a Fact>,
        (at_ms, start_ms): (i64, i64),
    ) -> PodView {
        let (mut phase, mut ready, mut deleted) = (PodPhase::Pending, Ready::Absent, false);
        let (mut started, mut created, mut ready_since) = (None, None, None);
        for fact in facts {
            let milliseconds = (fact.value * 1e3) as i64;
            match (FACTS[fact.metric], fact.word.as_str()) {
                ("kube_pod_status_phase", word) if fact.value > 0.0 => phase = phase_of(word),
                ("kube_pod_status_ready", word) if fact.value > 0.0 => ready = ready_of(word),
                ("kube_pod_start_time", _) => started = Some(milliseconds),
                ("kube_pod_created", _) => created = Some(milliseconds),
                ("kube_pod_status_ready_time", _) => ready_since = Some(milliseconds),
                ("kube_pod_deletion_timestamp", _) => deleted = true,
                _ => {}
            }
        }
        let ready_since = ready_since.filter(|_| ready == Ready::True);
        let changed_ms = match self.last.get(&pod) {
            Some((before, changed_ms)) if *before == ready => ready_since.unwrap_or(*changed_ms),
            Some(_) => ready_since.unwrap_or(at_ms),
            // A condition is as old as its pod until it changes.
            None => ready_since.or(created).or(started).unwrap_or(at_ms),
        };
        self.last.insert(pod, (ready, changed_ms));
        let nanos = |at_ms: i64| (at_ms - start_ms).saturating_mul(1_000_000);
        PodView { pod, phase, deleted, ready, started_ns: started.map(nanos), ready_transition_ns: nanos(changed_ms) }
    }
}

fn phase_of(word: &str) -> PodPhase {
    match word {
        "Running" => PodPhase::Running,
        "Succeeded" => PodPhase::Succeeded,
        "Failed" => PodPhase::Failed,
        _ => PodPhase::Pending,
    }
}

fn ready_of(word: &str) -> Ready {
    match word {
        "true" => Ready::True,
        "false" => Ready::False,
        _ => Ready::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Sample;

    fn series(metric: &str, pod: &str, word: (&str, &str), samples: &[(i64, f64)]) -> Series {
        let labels = [("__name__", metric), ("pod", pod), word];
        Series {
            labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            samples: samples.iter().map(|(at, value)| Sample { at_ms: at * 1_000, value: *value }).collect(),
        }
    }

    #[test]
    fn a_pod_is_there_as_long_as_scrapes_show_it_and_its_readiness_has_the_age_that_was_seen() {
        let scrapes = Scrapes::of(vec![
            series("kube_pod_created", "b", ("", ""), &[(20, 15.0), (30, 15.0), (40, 15.0)]),
            series("kube_pod_created", "a", ("", ""), &[(10, 5.0), (20, 5.0)]),
            series("kube_pod_status_phase", "b", ("phase", "Running"), &[(20, 0.0), (30, 1.0), (40, 1.0)]),
            series("kube_pod_status_ready", "b", ("condition", "true"), &[(20, 0.0), (30, 0.0), (40, 1.0)]),
            series("kube_pod_status_ready", "b", ("condition", "false"), &[(20, 1.0), (30, 1.0), (40, 0.0)]),
            series("kube_pod_status_ready_time", "b", ("", ""), &[(40, 34.0)]),
        ]);
        let names = scrapes.names();
        assert_eq!(names, ["a", "b"]);
        let rows = scrapes.rows(Grid { from_ms: 12_000, step_ms: 10_000, rows: 6 }, 0, &names);
        let told = |row: &Option<Vec<PodView>>| {
            row.as_ref().map(|pods| {
                let told = |pod: &PodView| {
                    format!(
                        "{} {:?} {:?} {}",
                        pod.pod.index(),
                        pod.phase,
                        pod.ready,
                        pod.ready_transition_ns / 1_000_000_000
                    )
                };
                pods.iter().map(told).collect::<Vec<_>>().join(", ")
            })
        };
        let told: Vec<Option<String>> = rows.iter().map(told).collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            told,
            [
                text("0 Pending Absent 5"),
                text("0 Pending Absent 5, 1 Pending False 15"),
                text("1 Running False 15"),
                text("1 Running True 34"),
                text("1 Running True 34"),
                text("1 Running True 34"),
            ]
        );
        let late = scrapes.rows(Grid { from_ms: 70_000, step_ms: 10_000, rows: 1 }, 0, &names);
        assert_eq!(late, [None], "what was last seen three scrapes ago is not known");
    }

    #[test]
    fn moments_that_are_none_were_not_seen() {
        let nowhere = [(20, f64::NAN), (20, f64::INFINITY), (20, f64::NEG_INFINITY)];
        let created = nowhere.map(|sample| series("kube_pod_created", "a", ("", ""), &[sample]));
        let phase = series("kube_pod_status_phase", "a", ("phase", "Running"), &[(20, 1.0)]);
        let scrapes = Scrapes::of(created.into_iter().chain([phase]).collect());
        let names = scrapes.names();
        let rows = scrapes.rows(Grid { from_ms: 20_000, step_ms: 10_000, rows: 1 }, 0, &names);
        let pods = rows[0].as_ref().expect("it was scraped");
        assert_eq!(
            (pods[0].phase, pods[0].started_ns, pods[0].ready_transition_ns),
            (PodPhase::Running, None, 20_000_000_000)
        );
    }
}
