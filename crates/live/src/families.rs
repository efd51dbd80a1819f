//! Counters of requests that servers and fronts have.

/// What a counter of requests counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Requests as they come.
    Arrivals,
    /// Requests when they are answered: what is given up or lost is missing, and what is under way comes later.
    Answers,
}

/// Counters of one program that together count its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Whose they are.
    pub title: &'static str,
    /// Their names; together they count each request once.
    pub names: &'static [&'static str],
    /// What they count.
    pub counts: Counts,
}

const fn family(title: &'static str, names: &'static [&'static str], counts: Counts) -> Family {
    Family { title, names, counts }
}

/// Looked for in this order: what comes in before what is answered, the server before its front. vLLM's comes first, because its pods show a
/// `http_requests_total` too, in which answers count whatever was asked.
pub const FAMILIES: [Family; 10] = [
    family("vLLM", &["vllm:request_success_total"], Counts::Answers),
    family("the service's own front", &["http_requests_total"], Counts::Arrivals),
    family("Triton", &["nv_inference_request_success", "nv_inference_request_failure"], Counts::Answers),
    family("TGI", &["tgi_request_duration_count"], Counts::Answers),
    family("TEI", &["te_request_duration_count"], Counts::Answers),
    family("SGLang", &["sglang:num_requests_total"], Counts::Answers),
    family("KServe", &["revision_app_request_count"], Counts::Answers),
    family("the service's own front", &["http_request_duration_seconds_count"], Counts::Answers),
    family("the service's own front", &["http_server_requests_seconds_count"], Counts::Answers),
    family("the service's own front", &["http_server_request_duration_seconds_count"], Counts::Answers),
];

/// Histograms of what a request takes, in seconds, by column: the first that is there is read.
pub(crate) const LATENCIES: [(&str, &[&str]); 3] = [
    (
        "latency_s",
        &[
            "vllm:e2e_request_latency_seconds",
            "tgi_request_duration",
            "sglang:e2e_request_latency_seconds",
            "te_request_duration",
            "http_request_duration_seconds",
            "http_server_requests_seconds",
            "http_server_request_duration_seconds",
        ],
    ),
    ("ttft_s", &["vllm:time_to_first_token_seconds", "sglang:time_to_first_token_seconds"]),
    (
        "itl_s",
        &[
            "vllm:inter_token_latency_seconds",
            "vllm:time_per_output_token_seconds",
            "sglang:inter_token_latency_seconds",
            "tgi_request_mean_time_per_token_duration",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_one_that_an_exporter_has() {
        let known: Vec<String> = exporters::catalogue::all().flat_map(|(_, metric)| metric.series_names()).collect();
        let counters = FAMILIES.iter().flat_map(|family| family.names).map(|name| (*name).to_owned());
        let buckets = LATENCIES.iter().flat_map(|(_, names)| *names).map(|name| format!("{name}_bucket"));
        for name in counters.chain(buckets) {
            assert!(known.contains(&name), "{name}: no exporter has it");
        }
    }
}
