//! A stretch of a service's past, out of a Prometheus.

use std::collections::BTreeSet;

use crate::answer::{self, Series};
use crate::chunks::ChunkStore;
use crate::client::Prometheus;
use crate::error::LiveError;
use crate::families::{Counts, FAMILIES, LATENCIES};
use crate::grid::Grid;
use crate::increase::{Folding, Requests};
use crate::observed::{self, Observed};
use crate::path::{Counting, ReplicaPath, Workload};
use crate::pods::{MOMENTS, PodStart, Starting};
use crate::select::{Matchers, quoted};
use crate::served::{self, Alike, Histogram, Served, Server, Sizes};
use crate::twins;

/// Asked for before and after the stretch, so that what happens at its ends lies between two scrapes.
const LEAD_MS: i64 = 300_000;
/// What is asked for at once of stretches that are not kept.
const PAST_CHUNK_MS: i64 = 7_200_000;
/// Prometheus answers a range query with at most 11,000 points a series.
const POINTS_MAX: i64 = 10_000;

/// The stretch, and how much is asked for at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its rows.
    pub grid: Grid,
    /// Length of what one question asks for.
    pub chunk_ms: i64,
}

/// Whose past.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Name of the workload; found out where it is not given and there is one only.
    pub service: Option<String>,
    /// Its namespace; likewise.
    pub namespace: Option<String>,
    /// Matchers for the series of requests and latencies, in place of that on the pods' names.
    pub matchers: Vec<String>,
    /// The counter of requests, where it is none of those that are known.
    pub requests: Option<String>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Name of the workload.
    pub service: String,
    /// Its namespace, where it is known.
    pub namespace: Option<String>,
    /// Names of the counters that were read, and what they count; of the user's own that is not known.
    pub counters: (Vec<String>, Option<Counts>),
    /// Requests by row.
    pub requests: Requests,
    /// Replicas by row; `None` without kube-state-metrics.
    pub path: Option<ReplicaPath>,
    /// Pods that were created meanwhile.
    pub pods: Vec<PodStart>,
    /// Latencies and GPU use, on rows of their own.
    pub observed: (Grid, Observed),
    /// What the model server tells of how its replicas serve.
    pub served: Served,
    /// What the server warned of: answers that may lack something.
    pub warnings: BTreeSet<String>,
}

/// What is asked, once it is known of whom.
struct Subject {
    matchers: Matchers,
    workload: Option<Workload>,
}

/// Asks for all of it, a chunk at a time; `progress` is told how many of how many questions are answered. What was answered before is not
/// asked again.
pub fn import(
    server: &Prometheus,
    window: Window,
    wish: &Wish,
    store: &ChunkStore,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Imported, LiveError> {
    let subject = subject(server, window, wish)?;
    let names = names(server, window, &subject.matchers, wish)?;
    let counters = counters(&names, &subject.matchers, wish)?;
    let chunks = chunks(window);
    let observed_grid = observed::grid(window.grid);
    let shown = shown(server, window, &subject.matchers)?;
    let of_requests = subject.matchers.of_requests();
    // Where a gateway counts requests, its pods' server knows its latencies better.
    let series_of = |name: &str| {
        let of_server = shown.names.iter().any(|one| one == name).then_some(shown.series.as_str());
        of_server.or(names.iter().any(|one| one == name).then_some(of_requests.as_str()))
    };
    let questions = observed::questions(&subject.matchers, observed_grid.step_ms, series_of);
    let of_workload = subject.workload.map_or(0, |_| 1 + MOMENTS.len());
    let Subject { matchers, workload } = subject;
    let total = chunks.len() * (1 + of_workload + shown.questions()) + questions.len();
    let mut reader = Reader { server, window, store, chunks, progress, done: 0, total, warnings: BTreeSet::new() };

    let path = workload.map(|workload| reader.path(workload, &matchers)).transpose()?;
    let pods = if workload.is_some() { reader.pods(&matchers)? } else { Vec::new() };
    let no_replica = |at: i64| {
        let row = window.grid.row_of(at);
        path.as_ref().zip(row).is_some_and(|(path, row)| path.ready[row].or(path.wanted[row]) == Some(0))
    };
    let requests = reader.requests(&counters.0, &matchers)?.finish(no_replica);
    let observed = reader.observed(&questions, observed_grid)?;
    let served = reader.served(shown, &matchers)?;
    let mut warnings = reader.warnings;
    warnings.extend(server.take_warnings());
    let Matchers { service, namespace, .. } = matchers;
    Ok(Imported {
        service,
        namespace,
        counters,
        requests,
        path,
        pods,
        observed: (observed_grid, observed),
        served,
        warnings,
    })
}

/// Asks and keeps count.
struct Reader<'a> {
    server: &'a Prometheus,
    window: Window,
    store: &'a ChunkStore,
    chunks: Vec<(i64, i64)>,
    progress: &'a mut dyn FnMut(usize, usize),
    done: usize,
    total: usize,
    /// Those of kept answers too.
    warnings: BTreeSet<String>,
}

impl Reader<'_> {
    fn ask(
        &mut self,
        name: &str,
        question: impl FnOnce() -> Result<String, LiveError>,
    ) -> Result<Vec<Series>, LiveError> {
        // An answer that is none is not kept: it would be found again by the next try.
        let checked = || question().and_then(|body| answer::series(&body).map(|_| body));
        let body = self.store.get(name, checked)?;
        self.warnings.extend(answer::warnings(&body));
        let series = answer::series(&body)?;
        self.done += 1;
        (self.progress)(self.done, self.total);
        Ok(series)
    }

    /// What an expression is at the end of each chunk; the expression is given the chunk's length.
    fn each_chunk(
        &mut self,
        name: &str,
        expression: impl Fn(&str) -> String,
        mut take: impl FnMut(&[Series]) -> Result<(), LiveError>,
    ) -> Result<(), LiveError> {
        for (number, (from, to)) in self.chunks.clone().into_iter().enumerate() {
            let (expression, server) = (expression(&format!("{}ms", to - from)), self.server);
            take(&self.ask(&format!("{name}-{number:05}"), || server.query(&expression, Some(to)))?)?;
        }
        Ok(())
    }

    fn path(&mut self, workload: Workload, matchers: &Matchers) -> Result<ReplicaPath, LiveError> {
        let (metrics, label) = (workload.metrics(), workload.kind().1);
        let selector = format!("{{__name__=~{},{}}}", quoted(&metrics.join("|")), matchers.of_workload(label));
        let mut counts: [Counting; 3] = Default::default();
        let range = |length: &str| format!("{selector}[{length}]");
        self.each_chunk("replicas", range, |found| {
            twins::refuse_namesakes(found)?;
            for (metric, counting) in metrics.iter().zip(&mut counts) {
                let of = |series: &&Series| series.labels.get("__name__").is_some_and(|name| name == metric);
                counting.add(&found.iter().filter(of).cloned().collect::<Vec<_>>());
            }
            Ok(())
        })?;
        let [wanted, existing, ready] = counts.map(|counting| counting.rows(self.window.grid));
        if wanted.iter().all(Option::is_none) {
            let reason = format!("{} of {} has no number in this time", metrics[0], matchers.service);
            let advice = "--since and --until say another, in which kube-state-metrics was scraped";
            return Err(LiveError::input(format!("{}: {reason}; {advice}", self.server.url())));
        }
        Ok(ReplicaPath { wanted, existing, ready })
    }

    fn pods(&mut self, matchers: &Matchers) -> Result<Vec<PodStart>, LiveError> {
        let mut starting = Starting::default();
        for (moment, metric) in MOMENTS.iter().enumerate() {
            let pods = matchers.of_pods();
            let earliest = |length: &str| format!("max by (pod) (min_over_time({metric}{{{pods}}}[{length}]))");
            self.each_chunk(&format!("pods-{moment}"), earliest, |found| {
                starting.add(moment, found);
                Ok(())
            })?;
        }
        Ok(starting.finish(span(self.window)))
    }

    fn requests(&mut self, counters: &[String], matchers: &Matchers) -> Result<Folding, LiveError> {
        let mut folding = Folding::new(self.window.grid);
        let selector = format!("{{__name__=~{},{}}}", quoted(&counters.join("|")), matchers.of_requests());
        self.each_chunk("requests", |length| format!("{selector}[{length}]"), |found| folding.add_checked(found))?;
        Ok(folding)
    }

    /// A number that is told in each chunk, put together by `join`.
    fn number(
        &mut self,
        name: &str,
        expression: impl Fn(&str) -> String,
        join: fn(f64, f64) -> f64,
    ) -> Result<Option<f64>, LiveError> {
        let mut told: Option<f64> = None;
        self.each_chunk(name, expression, |found| {
            let values = found.iter().flat_map(|series| &series.samples).map(|sample| sample.value);
            for value in values.filter(|value| value.is_finite()) {
                told = Some(told.map_or(value, |before| join(before, value)));
            }
            Ok(())
        })?;
        Ok(told)
    }

    /// Out of a histogram, or its mean alone out of counters of tokens and of requests.
    fn sizes(
        &mut self,
        column: &str,
        (histogram, means): (Option<&'static str>, Option<[&'static str; 2]>),
        series: &str,
    ) -> Result<Option<Sizes>, LiveError> {
        let Some(metric) = histogram else {
            let Some([tokens, requests]) = means else { return Ok(None) };
            let of =
                |metric: &'static str| move |length: &str| format!("sum(increase({metric}{{{series}}}[{length}]))");
            let sum = self.number(&format!("{column}-sum"), of(tokens), |one, other| one + other)?;
            let count = self.number(&format!("{column}-count"), of(requests), |one, other| one + other)?;
            return Ok(sum.zip(count).and_then(|(sum, count)| Sizes::of_mean([tokens, requests], (sum, count))));
        };
        let mut histogram = Histogram::default();
        let of = |length: &str| {
            let buckets = format!("sum by (le) (increase({metric}_bucket{{{series}}}[{length}]))");
            format!("{buckets} or sum(increase({metric}_sum{{{series}}}[{length}]))")
        };
        self.each_chunk(column, of, |found| {
            histogram.add(found);
            Ok(())
        })?;
        Ok(histogram.finish(metric))
    }

    fn served(&mut self, shown: Shown, matchers: &Matchers) -> Result<Served, LiveError> {
        let Some(server) = shown.server else { return Ok(Served::default()) };
        let series = &shown.series;
        let mut served = Served { server: Some(server), models: shown.models, ..Served::default() };
        served.prompt = self.sizes("prompt-tokens", (shown.sizes[0], shown.means[0]), series)?;
        served.output = self.sizes("output-tokens", (shown.sizes[1], shown.means[1]), series)?;
        for (most, metric) in served.most.iter_mut().zip(shown.loads) {
            let Some(metric) = metric else { continue };
            let of = |length: &str| format!("max(max_over_time({metric}{{{series}}}[{length}]))");
            *most = self.number(&metric.replace(':', "-"), of, f64::max)?;
        }
        if let Some([hits, queries]) = shown.prefix {
            let of =
                |metric: &'static str| move |length: &str| format!("sum(increase({metric}{{{series}}}[{length}]))");
            let hits = self.number("prefix-hits", of(hits), |one, other| one + other)?;
            let queries = self.number("prefix-queries", of(queries), |one, other| one + other)?;
            served.prefix_share = hits.zip(queries).filter(|(_, queries)| *queries > 0.0).map(|(hits, all)| hits / all);
        }
        if let Some(metric) = shown.cache {
            let mut caches = Alike::default();
            self.each_chunk(
                "cache",
                |length| format!("last_over_time({metric}{{{series}}}[{length}])"),
                |found| {
                    served::caches(metric, found).into_iter().for_each(|tokens| caches.add(tokens));
                    Ok(())
                },
            )?;
            served.kv_tokens = caches.finish().map(|tokens| (tokens, metric));
        }
        let mut gpus = Alike::default();
        let of = |label: &str, length: &str| {
            format!("last_over_time(DCGM_FI_DEV_GPU_UTIL{{{}}}[{length}])", matchers.pods_by(label))
        };
        self.each_chunk(
            "gpus",
            |length| format!("{} or {}", of("exported_pod", length), of("pod", length)),
            |found| {
                served::gpus(found).into_iter().for_each(|one| gpus.add(one));
                Ok(())
            },
        )?;
        served.gpus = gpus.finish();
        Ok(served)
    }

    fn observed(&mut self, questions: &[observed::Question], grid: Grid) -> Result<Observed, LiveError> {
        let mut observed = Observed::default();
        for question in questions {
            let mut values = vec![None; grid.rows];
            let mut from = grid.from_ms + grid.step_ms;
            while from <= grid.to_ms() {
                let to = grid.to_ms().min(from + grid.step_ms * POINTS_MAX);
                let (server, name) = (self.server, format!("{}-{from}", question.column));
                let found = self.ask(&name, || server.query_range(&question.expression, from, to, grid.step_ms))?;
                observed::column(&found, grid, &mut values);
                from = to + grid.step_ms;
            }
            if values.iter().any(Option::is_some) {
                observed.columns.push(question.column.clone());
                observed.values.push(values);
            }
        }
        Ok(observed)
    }
}

/// Requests of one stretch by the counter that is named or the first that is known, asked for at once and kept nowhere.
pub(crate) fn requests(
    server: &Prometheus,
    (matchers, counter): (&Matchers, Option<&str>),
    grid: Grid,
) -> Result<Requests, LiveError> {
    let window = Window { grid, chunk_ms: PAST_CHUNK_MS };
    let wish = Wish { requests: counter.map(str::to_owned), ..Wish::default() };
    let names = names(server, window, matchers, &wish)?;
    let (counters, _) = counters(&names, matchers, &wish).map_err(LiveError::of_question)?;
    let selector = format!("{{__name__=~{},{}}}", quoted(&counters.join("|")), matchers.of_requests());
    let mut folding = Folding::new(grid);
    for (from, to) in chunks(window) {
        let body = server.query(&format!("{selector}[{}ms]", to - from), Some(to))?;
        folding.add_checked(&answer::series(&body)?).map_err(LiveError::of_question)?;
    }
    Ok(folding.finish(|_| false))
}

/// Stretches `(from, to]` that cover the window and what is asked for around it.
fn chunks(window: Window) -> Vec<(i64, i64)> {
    let (first, end) = (window.grid.from_ms - LEAD_MS, window.grid.to_ms() + LEAD_MS);
    let count = (end - first + window.chunk_ms - 1) / window.chunk_ms;
    let at = |number: i64| (first + number * window.chunk_ms).min(end);
    (0..count).map(|number| (at(number), at(number + 1))).collect()
}

fn span(window: Window) -> (i64, i64) {
    (window.grid.from_ms, window.grid.to_ms())
}

/// The workload, and what tells its series from others'.
fn subject(server: &Prometheus, window: Window, wish: &Wish) -> Result<Subject, LiveError> {
    let mut found: Vec<(Workload, String)> = Vec::new();
    for workload in Workload::ALL {
        let namespace = wish.namespace.as_ref().map(|name| format!("namespace={}", quoted(name))).unwrap_or_default();
        let selector = format!("{}{{{namespace}}}", workload.metrics()[0]);
        let names = server.label_values(workload.kind().1, &selector, span(window))?;
        found.extend(names.into_iter().map(|name| (workload, name)));
    }
    let listed = || {
        let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
        if names.len() > 12 {
            format!("{}, … ({} in all)", names[..12].join(", "), names.len())
        } else {
            names.join(", ")
        }
    };
    let (workload, service) = match (&wish.service, found.as_slice()) {
        (Some(service), []) => (None, service.clone()),
        (Some(service), found) => {
            let one = found.iter().find(|(_, name)| name == service).ok_or_else(|| {
                let near = names::nearest(service, found.iter().map(|(_, name)| name.as_str()));
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                let reason = "no Deployment or StatefulSet of that name in this time";
                LiveError::input(format!("--service {service}: {reason}{near} (there are: {})", listed()))
            })?;
            (Some(one.0), one.1.clone())
        }
        (None, [(workload, name)]) => (Some(*workload), name.clone()),
        (None, []) => {
            let reason = "shows no kube_deployment_spec_replicas in this time, of kube-state-metrics: --service NAME says whose pods are meant";
            return Err(LiveError::input(format!("{}: {reason}", server.url())));
        }
        (None, _) => return Err(LiveError::input(format!("--service is needed: there are {}", listed()))),
    };
    let mut matchers = Matchers { service, namespace: wish.namespace.clone(), own: wish.matchers.clone() };
    if let (Some(workload), None) = (workload, &wish.namespace) {
        let selector = format!("{}{{{}}}", workload.metrics()[0], matchers.of_workload(workload.kind().1));
        let mut namespaces = server.label_values("namespace", &selector, span(window))?;
        if namespaces.len() > 1 {
            let reason = format!("{} is in several: {}", matchers.service, namespaces.join(", "));
            return Err(LiveError::input(format!("--namespace is needed: {reason}")));
        }
        matchers.namespace = namespaces.pop();
    }
    Ok(Subject { matchers, workload })
}

/// Which of the metrics that are looked for the service shows.
fn names(server: &Prometheus, window: Window, matchers: &Matchers, wish: &Wish) -> Result<Vec<String>, LiveError> {
    let counters = FAMILIES.iter().flat_map(|family| family.names).map(|name| (*name).to_owned());
    let buckets = LATENCIES.iter().flat_map(|(_, names)| *names).map(|name| format!("{name}_bucket"));
    let all: Vec<String> = counters.chain(buckets).chain(wish.requests.clone()).collect();
    let selector = format!("{{__name__=~{},{}}}", quoted(&all.join("|")), matchers.of_requests());
    server.label_values("__name__", &selector, span(window))
}

/// Which of the metrics that tell how replicas serve are there.
#[derive(Default)]
struct Shown {
    server: Option<Server>,
    /// All of them.
    names: Vec<String>,
    /// What is between the braces for their series.
    series: String,
    models: Vec<String>,
    sizes: [Option<&'static str>; 2],
    loads: [Option<&'static str>; 2],
    prefix: Option<[&'static str; 2]>,
    cache: Option<&'static str>,
    /// Counters of tokens and of requests, where no histogram tells sizes.
    means: [Option<[&'static str; 2]>; 2],
}

impl Shown {
    /// How much is asked in each chunk.
    fn questions(&self) -> usize {
        let of_server = self.server.map_or(0, |_| 1);
        let single = self.sizes.iter().chain(&self.loads).chain([&self.cache]).flatten().count();
        let by_counters =
            self.sizes.iter().zip(&self.means).filter(|(sizes, means)| sizes.is_none() && means.is_some());
        of_server + single + self.prefix.map_or(0, |both| both.len()) + 2 * by_counters.count()
    }
}

/// What the model server shows: under the user's own matchers, or where those are a gateway's, by the pods.
fn shown(server: &Prometheus, window: Window, matchers: &Matchers) -> Result<Shown, LiveError> {
    let counters = FAMILIES.iter().flat_map(|family| family.names).map(|name| (*name).to_owned());
    let buckets = LATENCIES.iter().flat_map(|(_, names)| *names).map(|name| format!("{name}_bucket"));
    let all: Vec<String> = counters.chain(buckets).chain(served::names()).collect();
    let all = quoted(&all.join("|"));
    let mut ways = vec![matchers.of_requests(), matchers.of_pods()];
    ways.dedup();
    for series in ways {
        let names = server.label_values("__name__", &format!("{{__name__=~{all},{series}}}"), span(window))?;
        let Some(of) = Server::of(&names) else { continue };
        let has = |name: &&&str| names.iter().any(|one| one == **name || one.strip_suffix("_bucket") == Some(**name));
        let first = |of: &'static [&'static str]| of.iter().find(has).copied();
        let every = format!("{{__name__=~{},{series}}}", quoted(&format!("{}.*", of.prefix())));
        return Ok(Shown {
            server: Some(of),
            models: server.label_values("model_name", &every, span(window))?,
            sizes: served::SIZES.map(first),
            loads: served::LOADS.map(first),
            prefix: served::PREFIXES_FOUND.into_iter().find(|both| both.iter().all(|name| has(&name))),
            cache: [served::CACHE, served::CACHE_TOKENS].into_iter().find(|name| has(&name)),
            means: served::MEANS.map(|of| of.iter().find(|both| both.iter().all(|name| has(&name))).copied()),
            names,
            series,
        });
    }
    Ok(Shown::default())
}

/// The counters of requests.
fn counters(names: &[String], matchers: &Matchers, wish: &Wish) -> Result<(Vec<String>, Option<Counts>), LiveError> {
    let has = |name: &str| names.iter().any(|one| one == name);
    let asked = format!("{{{}}}", matchers.of_requests());
    if let Some(own) = &wish.requests {
        if !has(own) {
            return Err(LiveError::input(format!(
                "--requests {own}: no such series with {asked} in this time; --match says which are the service's"
            )));
        }
        let known = FAMILIES.iter().find(|family| family.names.contains(&own.as_str()));
        return Ok((vec![own.clone()], known.map(|family| family.counts)));
    }
    let family = FAMILIES.iter().find(|family| family.names.iter().any(|name| has(name)));
    let Some(family) = family else {
        let looked: Vec<&str> = FAMILIES.iter().flat_map(|family| family.names).copied().collect();
        return Err(LiveError::input(format!(
            "no counter of requests with {asked} in this time (looked for {}): --requests NAME names yours, --match 'LABEL=\"VALUE\"' says \
             which of its series are the service's",
            looked.join(", ")
        )));
    };
    let there = family.names.iter().filter(|name| has(name)).map(|name| (*name).to_owned());
    Ok((there.collect(), Some(family.counts)))
}
