//! What a model server's metrics tell of how a replica serves, as a scenario says it.

use live::{Imported, Observed, Server, Sizes};

use crate::commands::init::Serving;

/// Standard deviation by mean where only the mean is known: those of the guess for servers of language models, p90 by p50 of 2.7 and 3.2.
const PROMPT_SPREAD: f64 = 0.91;
const OUTPUT_SPREAD: f64 = 1.14;
/// Columns of what was observed that say how it served, and what they are.
const SEEN: [(&str, &str); 3] =
    [("ttft_s_p50", "time to first token"), ("itl_s_p50", "time between tokens"), ("latency_s_p50", "whole answer")];

/// What is told; `None` where no metric of a model server was found.
pub fn serving(found: &Imported) -> Option<Serving> {
    let served = &found.served;
    let server = served.server?;
    let mut told = Vec::new();
    if let Some((tokens, metric)) = served.kv_tokens {
        told.push(("kvTokens", tokens.to_string(), metric.to_owned()));
    }
    let sizes = [("promptTokens", &served.prompt, PROMPT_SPREAD), ("outputTokens", &served.output, OUTPUT_SPREAD)];
    told.extend(
        sizes.into_iter().filter_map(|(key, sizes, spread)| sizes.as_ref().map(|sizes| law(key, sizes, spread))),
    );
    match server {
        Server::Sglang => told.push(("scheduler", "prefillFirst".to_owned(), "SGLang's".to_owned())),
        Server::TextGenerationInference => told.push(("scheduler", "tgi".to_owned(), "TGI's".to_owned())),
        Server::Vllm | Server::TextEmbeddingsInference | Server::Triton => {}
    }
    let one_model =
        served.models.first().filter(|model| served.models.len() == 1 && super::one_line(model) == **model).cloned();
    Some(Serving {
        engine: engine(server),
        prefix: server.prefix(),
        model: one_model,
        told,
        running: served.most[0].map(|most| most as u32),
        gpus: served.gpus.as_ref().map(|(model, count)| (product(model), *count)),
        seen: seen(found),
    })
}

fn engine(server: Server) -> scenario::Engine {
    match server {
        Server::Vllm => scenario::Engine::Vllm,
        Server::Sglang => scenario::Engine::Sglang,
        Server::TextGenerationInference => scenario::Engine::TextGenerationInference,
        Server::TextEmbeddingsInference => scenario::Engine::TextEmbeddingsInference,
        Server::Triton => scenario::Engine::Triton,
    }
}

/// The mean is counted exactly, and load follows from it; the spread is that of the lognormal that is nearest to the buckets.
fn law(key: &'static str, sizes: &Sizes, spread: f64) -> (&'static str, String, String) {
    let mean = sizes.mean.max(1.0);
    let counted = format!("{}: {:.0} requests, mean {:.1}", sizes.metric, sizes.requests, sizes.mean);
    if sizes.shares.is_empty() {
        let value = format!("{{logNormal: {{mean: {mean:.0}, std: {:.0}}}}}", mean * spread);
        return (key, value, format!("{counted}; GUESS: how they spread, which no histogram tells"));
    }
    let (deviation, off) = sizes.lognormal();
    if deviation < 0.5 {
        return (
            key,
            format!("{{constant: {mean:.0}}}"),
            format!("{counted}; how they spread within a bucket is not told"),
        );
    }
    let value = format!("{{logNormal: {{mean: {mean:.0}, std: {deviation:.0}}}}}");
    (key, value, format!("{counted}; the lognormal is off by at most {:.1} % of them at a bucket's bound", off * 100.0))
}

/// dcgm-exporter has spaces where GPU feature discovery has hyphens.
fn product(model: &str) -> String {
    model.trim().replace(' ', "-")
}

fn seen(found: &Imported) -> Vec<String> {
    let served = &found.served;
    let mut seen = Vec::new();
    let words = ["in service", "waiting"];
    let most = served.most.iter().zip(words).filter_map(|(most, word)| most.map(|most| format!("{most:.0} {word}")));
    let most: Vec<String> = most.collect();
    if !most.is_empty() {
        seen.push(format!("at most {} at a scrape, in one engine.", most.join(" and ")));
    }
    let medians = SEEN
        .iter()
        .filter_map(|(column, what)| Some(format!("{what} {}", milliseconds(median(&found.observed.1, column)?))));
    let medians: Vec<String> = medians.collect();
    if !medians.is_empty() {
        let what = "the medians of a run of `recorded` should come near; observed.csv has more";
        seen.push(format!("p50 of {} in the middle of the rows: {what}.", medians.join(", ")));
    }
    if let Some(share) = served.prefix_share.filter(|share| *share >= 0.005) {
        seen.push(format!(
            "{:.0} % of the tokens of prompts were found in the prefix cache. Here all are computed, unless `traffic.prefix` says what prompts share.",
            share * 100.0
        ));
    }
    if served.models.len() > 1 {
        let models = super::one_line(&served.models.join(", "));
        seen.push(format!("models {models}: requests of all of them are counted together."));
    }
    seen
}

fn median(observed: &Observed, column: &str) -> Option<f64> {
    let place = observed.columns.iter().position(|name| name == column)?;
    let mut values: Vec<f64> = observed.values[place].iter().flatten().copied().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn milliseconds(seconds: f64) -> String {
    match seconds {
        ..0.01 => format!("{:.1} ms", seconds * 1e3),
        ..1.0 => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}
