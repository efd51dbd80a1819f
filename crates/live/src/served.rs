//! What model servers tell of how their replicas serve: which server, which model, how large requests are, how large the cache is, on which GPUs.

use std::collections::{BTreeMap, BTreeSet};

use crate::answer::Series;

/// A model server, known by what its metrics are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// vLLM.
    Vllm,
    /// SGLang.
    Sglang,
    /// Text Generation Inference.
    TextGenerationInference,
    /// Text Embeddings Inference.
    TextEmbeddingsInference,
    /// Triton.
    Triton,
}

const PREFIXES: [(&str, Server); 5] = [
    ("vllm:", Server::Vllm),
    ("sglang:", Server::Sglang),
    ("tgi_", Server::TextGenerationInference),
    ("te_", Server::TextEmbeddingsInference),
    ("nv_inference_", Server::Triton),
];

impl Server {
    /// The server that has a metric of one of these names.
    pub(crate) fn of(names: &[String]) -> Option<Self> {
        let has = |prefix: &str| names.iter().any(|name| name.starts_with(prefix));
        PREFIXES.iter().find(|(prefix, _)| has(prefix)).map(|(_, server)| *server)
    }

    /// How the names of its metrics begin.
    pub fn prefix(self) -> &'static str {
        PREFIXES.iter().find(|(_, server)| *server == self).map_or("", |(prefix, _)| prefix)
    }
}

/// Histograms of tokens of a prompt, and of an answer: the first that is there is read.
pub(crate) const SIZES: [&[&str]; 2] = [
    &["vllm:request_prompt_tokens", "tgi_request_input_length"],
    &["vllm:request_generation_tokens", "tgi_request_generated_tokens"],
];
/// Counters of tokens and of requests that have their mean, where there is no histogram.
pub(crate) const MEANS: [&[[&str; 2]]; 2] = [
    &[
        ["vllm:prompt_tokens_total", "vllm:request_success_total"],
        ["sglang:prompt_tokens_total", "sglang:num_requests_total"],
    ],
    &[
        ["vllm:generation_tokens_total", "vllm:request_success_total"],
        ["sglang:generation_tokens_total", "sglang:num_requests_total"],
    ],
];
/// Requests in a replica's batch, and those that wait for it.
pub(crate) const LOADS: [&[&str]; 2] = [
    &["vllm:num_requests_running", "sglang:num_running_reqs", "tgi_batch_current_size"],
    &["vllm:num_requests_waiting", "sglang:num_queue_reqs", "tgi_queue_size"],
];
/// Tokens that the prefix cache was asked for and that it had, by vLLM's releases.
pub(crate) const PREFIXES_FOUND: [[&str; 2]; 2] = [
    ["vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total"],
    ["vllm:gpu_prefix_cache_hits_total", "vllm:gpu_prefix_cache_queries_total"],
];
/// Says in its labels how many blocks of how many tokens the KV cache has.
pub(crate) const CACHE: &str = "vllm:cache_config_info";
/// The KV cache in tokens.
pub(crate) const CACHE_TOKENS: &str = "sglang:max_total_num_tokens";

/// Tokens of a prompt or an answer, request by request.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizes {
    /// The histogram that they are from.
    pub metric: String,
    /// How many requests it counted.
    pub requests: f64,
    /// Their mean.
    pub mean: f64,
    /// Bounds of the buckets and the share of requests at or below each, in order; none where only the mean is known.
    pub shares: Vec<(f64, f64)>,
}

impl Sizes {
    /// Sizes of which only tokens and requests were counted.
    pub(crate) fn of_mean([tokens, requests]: [&str; 2], (sum, count): (f64, f64)) -> Option<Self> {
        let metric = format!("{tokens} by {requests}");
        (sum > 0.0 && count >= 1.0).then(|| Self { metric, requests: count, mean: sum / count, shares: Vec::new() })
    }

    /// The standard deviation of the lognormal with this mean that comes nearest to the buckets, and by how large a share of the requests it is
    /// off at the worst bound. 0 is a constant.
    pub fn lognormal(&self) -> (f64, f64) {
        let at = |bound: f64, sigma: f64| match sigma {
            0.0 => f64::from(bound >= self.mean),
            _ => {
                0.5 * libm::erfc(-((bound / self.mean).ln() + sigma * sigma / 2.0) / (sigma * std::f64::consts::SQRT_2))
            }
        };
        let off = |sigma: f64| self.shares.iter().map(move |(bound, share)| (at(*bound, sigma) - share).abs());
        let squares = |sigma: f64| off(sigma).map(|off| off * off).sum::<f64>();
        let tried = (0..=SIGMA_STEPS).map(|step| f64::from(step) * SIGMA_STEP);
        let sigma = tried.min_by(|one, other| squares(*one).total_cmp(&squares(*other))).unwrap_or_default();
        (self.mean * libm::expm1(sigma * sigma).sqrt(), off(sigma).fold(0.0, f64::max))
    }
}

/// Spreads that are tried, up to that of a service where one request in a hundred is a thousand times the median.
const SIGMA_STEP: f64 = 0.005;
const SIGMA_STEPS: u32 = 600;

/// What was told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Served {
    /// The server; `None` where no metric of one is there.
    pub server: Option<Server>,
    /// Names under which models are served.
    pub models: Vec<String>,
    /// Tokens of prompts.
    pub prompt: Option<Sizes>,
    /// Tokens of answers.
    pub output: Option<Sizes>,
    /// KV cache of a replica in tokens and the metric that says so; `None` where that is not told, or differently from replica to replica.
    pub kv_tokens: Option<(u64, &'static str)>,
    /// The most requests that were seen in service, and waiting, in one engine.
    pub most: [Option<f64>; 2],
    /// Share of the tokens of prompts that were found in the prefix cache.
    pub prefix_share: Option<f64>,
    /// GPU model as dcgm-exporter calls it, and how many of them a pod has; `None` where not told, or not the same for all.
    pub gpus: Option<(String, u32)>,
}

/// All names that are looked for beside those of counters.
pub(crate) fn names() -> impl Iterator<Item = String> {
    let buckets = SIZES.iter().copied().flatten().map(|name| format!("{name}_bucket"));
    let others = LOADS.iter().copied().flatten().chain(PREFIXES_FOUND.iter().flatten()).chain([&CACHE, &CACHE_TOKENS]);
    let counters = MEANS.iter().copied().flatten().flatten();
    buckets.chain(others.chain(counters).map(|name| (*name).to_owned()))
}

/// Puts one histogram together, stretch by stretch.
#[derive(Default)]
pub(crate) struct Histogram {
    /// What came to be at or below each bound, by the bound's order.
    below: BTreeMap<u64, (f64, f64)>,
    sum: f64,
}

impl Histogram {
    /// Increases of buckets (labelled by `le`) and of the sum (without).
    pub(crate) fn add(&mut self, found: &[Series]) {
        for series in found {
            let Some(value) = series.samples.last().map(|sample| sample.value).filter(|value| value.is_finite()) else {
                continue;
            };
            match series.labels.get("le").map(|bound| bound.parse::<f64>()) {
                None => self.sum += value,
                // Bounds are above zero: their bits are in their order.
                Some(Ok(bound)) if bound > 0.0 => self.below.entry(bound.to_bits()).or_insert((bound, 0.0)).1 += value,
                Some(_) => {}
            }
        }
    }

    pub(crate) fn finish(&self, metric: &str) -> Option<Sizes> {
        let requests = self.below.last_key_value().filter(|(_, last)| last.0.is_infinite())?.1.1;
        let mean = self.sum / requests;
        let finite = self.below.values().filter(|(bound, _)| bound.is_finite());
        let shares = finite.map(|(bound, below)| (*bound, below / requests)).collect();
        (requests >= 1.0 && mean > 0.0).then(|| Sizes { metric: metric.to_owned(), requests, mean, shares })
    }
}

/// A fact that all replicas have to tell alike.
#[derive(Default)]
pub(crate) struct Alike<T> {
    told: BTreeSet<T>,
}

impl<T: Ord + Clone> Alike<T> {
    pub(crate) fn add(&mut self, one: T) {
        self.told.insert(one);
    }

    pub(crate) fn finish(&self) -> Option<T> {
        if self.told.len() == 1 { self.told.first().cloned() } else { None }
    }
}

/// KV caches of pods in tokens; a pod with several engines has one for each, which no replica of the model has.
pub(crate) fn caches(metric: &str, found: &[Series]) -> Vec<u64> {
    let mut by_pod: BTreeMap<&str, Vec<Option<u64>>> = BTreeMap::new();
    for series in found {
        let label = |name: &str| series.labels.get(name).map_or("", String::as_str);
        let by_blocks =
            || Some(label("num_gpu_blocks").parse::<u64>().ok()? * label("block_size").parse::<u64>().ok()?);
        let by_value = || series.samples.last().map(|sample| sample.value as u64);
        let tokens = if metric == CACHE { by_blocks() } else { by_value() };
        by_pod.entry(label("pod")).or_default().push(tokens.filter(|tokens| *tokens > 0));
    }
    by_pod.into_values().filter(|engines| engines.len() == 1).filter_map(|engines| engines[0]).collect()
}

/// GPU model and number of each pod.
pub(crate) fn gpus(found: &[Series]) -> Vec<(String, u32)> {
    let mut by_pod: BTreeMap<&str, BTreeSet<(&str, &str)>> = BTreeMap::new();
    for series in found {
        let label = |name: &str| series.labels.get(name).map(String::as_str);
        let pod = label("exported_pod").or(label("pod"));
        if let (Some(pod), Some(uuid), Some(model)) = (pod, label("UUID"), label("modelName")) {
            by_pod.entry(pod).or_default().insert((uuid, model));
        }
    }
    let of_pod = |gpus: BTreeSet<(&str, &str)>| {
        let models: BTreeSet<&str> = gpus.iter().map(|(_, model)| *model).collect();
        models.first().filter(|_| models.len() == 1).map(|model| ((*model).to_owned(), gpus.len() as u32))
    };
    by_pod.into_values().filter_map(of_pod).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Sample;

    fn series(labels: &[(&str, &str)], value: f64) -> Series {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Series { labels, samples: vec![Sample { at_ms: 0, value }] }
    }

    #[test]
    fn a_histogram_of_two_stretches_has_its_mean_and_spread() {
        // A lognormal with mean 300 and standard deviation 200, by its shares.
        let shares = [("100", 0.0657), ("200", 0.3574), ("500", 0.8740), ("1000", 0.9889), ("+Inf", 1.0)];
        let mut histogram = Histogram::default();
        for _ in 0..2 {
            let of = |(bound, share): &(&str, f64)| series(&[("le", bound)], share * 50.0);
            let mut found: Vec<Series> = shares.iter().map(of).collect();
            found.push(series(&[], 15_000.0));
            histogram.add(&found);
        }
        let sizes = histogram.finish("m").unwrap();
        let (deviation, off) = sizes.lognormal();
        assert_eq!((sizes.requests, sizes.mean), (100.0, 300.0));
        assert!((deviation - 200.0).abs() < 2.0 && off < 0.005, "{deviation}, off {off}");
        assert_eq!(Histogram::default().finish("m"), None);
    }

    #[test]
    fn sizes_that_are_all_alike_are_a_constant() {
        let shares = vec![(100.0, 0.0), (200.0, 1.0)];
        let (deviation, off) = Sizes { metric: "m".to_owned(), requests: 9.0, mean: 128.0, shares }.lognormal();
        assert_eq!((deviation, off), (0.0, 0.0));
    }

    #[test]
    fn caches_and_gpus_are_those_of_a_pod() {
        let cache = |pod, blocks| series(&[("pod", pod), ("num_gpu_blocks", blocks), ("block_size", "16")], 1.0);
        assert_eq!(caches(CACHE, &[cache("a", "100"), cache("b", "None")]), [1_600]);
        assert_eq!(caches(CACHE, &[cache("a", "100"), cache("a", "100")]), [] as [u64; 0], "two engines in a pod");
        let gpu = |pod, uuid| {
            series(&[("exported_pod", pod), ("pod", "dcgm"), ("UUID", uuid), ("modelName", "NVIDIA L4")], 0.0)
        };
        let two = ("NVIDIA L4".to_owned(), 2);
        assert_eq!(gpus(&[gpu("a", "1"), gpu("a", "2"), gpu("b", "3"), gpu("b", "4")]), [two.clone(), two]);
    }

    #[test]
    fn every_name_is_one_that_an_exporter_has() {
        let known: Vec<String> = exporters::catalogue::all().flat_map(|(_, metric)| metric.series_names()).collect();
        for name in names() {
            assert!(known.contains(&name), "{name}: no exporter has it");
        }
    }
}
