//! Adapters of a language model: how many requests are for which, how many may be active, and what is refused because nobody would look at it.

use cluster::spec::{AdapterSpec, Routing, Scorers, ServiceSpec};
use units::SimDuration;

use crate::support::{load_text, message, with};

/// A language model with more keys, and more lines under `service` and `traffic`.
fn scenario(keys: &str, service: &str, traffic: &str) -> String {
    let model = format!(
        "      continuousBatching: {{sequencesMax: 8, batchedTokensMax: 512, kvTokens: 4096, iterationMin: 9ms, iterationBase: 6ms, \
         perKvToken: 62ns, perPromptToken: 20us{keys}}}\n"
    );
    let text = with("      slots:\n        serviceTime: 50ms\n", &model);
    let text = text.replacen("    pod:\n", &format!("{service}    pod:\n"), 1);
    text.replacen("  traffic:\n", &format!("  traffic:\n{traffic}"), 1)
}

fn load(text: &str) -> (ServiceSpec, String) {
    let mut loaded = load_text(text).expect("a good scenario");
    (loaded.spec.services.remove(0), loaded.notes.join("\n"))
}

/// The same beside a Deployment of vLLM with these flags.
fn beside(flags: &str, keys: &str, traffic: &str) -> (ServiceSpec, String) {
    let text = scenario(keys, "", traffic).replacen("    pod:\n      gpus: 1\n", "", 1);
    load(&format!(
        "{text}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: chat}}\nspec:\n  replicas: 1\n  selector: {{matchLabels: {{app: \
         chat}}}}\n  template:\n    metadata: {{labels: {{app: chat}}}}\n    spec:\n      containers:\n      - {{name: server, image: \
         \"vllm/vllm-openai:v0.11.0\", args: [{flags}], resources: {{limits: {{nvidia.com/gpu: 1}}}}}}\n"
    ))
}

#[test]
fn adapters_have_shares_slots_and_times() {
    let keys = ", adapters: {maxActive: 2, maxCpu: 8, size: 32MB, load: {fixed: 1.5ms, bandwidth: 16GB/s}, fetch: {bandwidth: 1GB/s}, \
                stepOverhead: 3.5%}";
    let (service, notes) = load(&scenario(keys, "", "    adapters: {count: 4, share: 60%, popularity: {zipf: 1}}\n"));
    let [load_time, fetch] = [3_500_000, 32_000_000].map(SimDuration::from_nanos);
    let expected = AdapterSpec { max_active: 2, max_kept: 8, load: load_time, fetch, step_overhead: 0.035 };
    assert_eq!(service.engine.adapters, Some(expected));
    // In proportion to 1, 1/2, 1/3, 1/4: together 25/12.
    let shares: Vec<f64> = service.tags.adapters.iter().map(|share| (share * 1e9).round() / 1e9).collect();
    assert_eq!(shares, [0.288, 0.144, 0.096, 0.072]);
    let said = "adapters: 60 % of the requests are for 4, of which a pass holds 2 at most and a replica keeps 8 in memory; to load one takes 3.5ms, \
                35.5ms if it has to be fetched first; each lengthens its passes by 3.5 %";
    assert!(notes.contains(said), "{notes}");
    let (service, notes) = load(&scenario(", adapters: {}", "", "    adapters: {shares: [30%, 0%, 20%]}\n"));
    assert_eq!(service.tags.adapters, [0.3, 0.0, 0.2]);
    assert_eq!(service.engine.adapters.map(|adapters| (adapters.max_active, adapters.max_kept)), Some((1, 1)));
    assert!(notes.contains("50 % of the requests are for 2") && notes.contains("say what it takes"), "{notes}");
}

#[test]
fn flags_of_the_server_count_where_nothing_is_written() {
    let flags = "--enable-lora, --max-loras, \"4\", --max-cpu-loras=16, --lora-modules, a=/a, b=/b, c=/c";
    let (service, _) = beside(flags, "", "    adapters: {}\n");
    let of = |service: &ServiceSpec| service.engine.adapters.map(|adapters| (adapters.max_active, adapters.max_kept));
    assert_eq!((of(&service), service.tags.adapters.len()), (Some((4, 16)), 3));
    let (service, notes) = beside(flags, ", adapters: {maxActive: 2}", "    adapters: {count: 9}\n");
    assert_eq!((of(&service), service.tags.adapters.len()), (Some((2, 16)), 9));
    assert!(notes.contains("but the maxActive 2 of the scenario counts"), "{notes}");
    let (service, notes) = beside(flags, "", "");
    assert_eq!(of(&service), None);
    assert!(notes.contains("every request is for the base model until `traffic.adapters` says"), "{notes}");
    let (_, notes) = beside("--max-loras=4", "", "");
    assert!(notes.contains("--max-loras: without --enable-lora vLLM has no adapters"), "{notes}");
}

#[test]
fn a_scorer_of_adapters_needs_some() {
    let routing = "    routing: {scorers: {queue: 1, loraAffinity: 2}}\n";
    let (service, _) = load(&scenario(", adapters: {}", routing, "    adapters: {count: 3}\n"));
    let scorers = Scorers { queue: 1.0, lora_affinity: 2.0, ..Scorers::default() };
    assert_eq!(service.routing, Routing::Scored(scorers));
    let refused = message(&scenario("", routing, ""));
    assert!(refused.contains("loraAffinity: affinity of adapters needs some (`traffic.adapters`)"), "{refused}");
}

#[test]
fn what_nobody_would_look_at_is_refused() {
    for (keys, traffic, reason) in [
        (", adapters: {}", "", "adapters: no request of this traffic is for an adapter"),
        ("", "    adapters: {count: 3}\n", "spec.traffic.adapters: needs `service.model.continuousBatching.adapters`"),
        (", adapters: {}", "    adapters: {}\n", "spec.traffic.adapters: needs `count` or `shares`"),
        (", adapters: {}", "    adapters: {count: 0}\n", "count: must be 1 to 100000"),
        (", adapters: {}", "    adapters: {count: 2, shares: [1%]}\n", "only one of `shares` and of `count`"),
        (", adapters: {}", "    adapters: {shares: [60%, 60%]}\n", "at most 100% together"),
        (", adapters: {maxActive: 4, maxCpu: 2}", "    adapters: {count: 3}\n", "maxCpu: must be at least the 4"),
        (", adapters: {size: 1MB}", "    adapters: {count: 3}\n", "size: does nothing without"),
        (", adapters: {load: {bandwidth: 1GB/s}}", "    adapters: {count: 3}\n", "needs the `size` of an adapter"),
        (", adapters: {stepOverhead: 200%}", "    adapters: {count: 3}\n", "stepOverhead: must be 0% to 100%"),
        (", adapters: {}, scheduler: tgi", "    adapters: {count: 3}\n", "the scheduler here is tgi"),
    ] {
        let refused = message(&scenario(keys, "", traffic));
        assert!(refused.contains(reason), "{refused}");
    }
}
