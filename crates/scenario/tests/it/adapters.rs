//! Adapters of a language model: how many requests are for which, how many may be active, and what is refused because nobody would look at it.

use cluster::spec::{AdapterSpec, Routing, Scorers, ServiceSpec};
use scenario::{Input, Loaded};
use units::{SimDuration, SimTime};
use workload::{ArrivalCursor, TraceChunk};

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

/// A language model with adapters, and this traffic, beside files of these names and contents.
fn traced(traffic: &str, files: &[(&str, &str)]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, content)| std::fs::write(folder.path().join(name), content).unwrap());
    let text = scenario(", adapters: {maxActive: 2}", "", "");
    let text = text.replacen("    generator:\n      rate: 10req/s\n", traffic, 1);
    std::fs::write(folder.path().join("s.yaml"), text).unwrap();
    let loaded = traces::load(&[Input::Path(folder.path().join("s.yaml"))], &[]);
    // The files must outlive the test's readers.
    let folder = folder.keep();
    loaded.map_err(|error| error.to_string().replace(&folder.display().to_string(), ""))
}

/// The adapters of all requests, in order.
fn adapters_of(loaded: &Loaded) -> Vec<u32> {
    let mut cursor = ArrivalCursor::new(&loaded.spec.services[0].traffic, 1, SimTime::from_secs(3_600));
    let mut read = TraceChunk::default();
    while cursor.fill(&mut read) {}
    (0..read.len()).map(|row| read.tag(row).adapter).collect()
}

const FIRST: (&str, &str) =
    ("a.csv", "arrival_s,prompt_tokens,output_tokens,adapter\n0,5,5,sql\n2,5,5,\n4,5,5,chat\n6,5,5,sql\n");

#[test]
fn a_trace_says_which_adapter_each_request_is_for() {
    let loaded = traced("    trace: {file: a.csv}\n    adapters: {fromTrace: true}\n", &[FIRST]).unwrap();
    assert_eq!(adapters_of(&loaded), [1, 0, 2, 1]);
    let notes = loaded.notes.join("\n");
    assert!(
        notes.contains("adapters: the trace says which request is for which of 2, of which a pass holds 2"),
        "{notes}"
    );
    let played = "    trace: {file: a.csv}\n    adapters: {fromTrace: true}\n    clip: {from: 3s}\n    repeat: 2\n    scale: 200%\n";
    assert_eq!(adapters_of(&traced(played, &[FIRST]).unwrap()), [2, 2, 1, 1, 2, 2, 1, 1]);
    let named = "    trace: {file: b.csv, format: columns, columns: {arrival: at, adapter: lora}}\n    adapters: {fromTrace: true}\n";
    assert_eq!(adapters_of(&traced(named, &[("b.csv", "at,lora\n1,9\n2,8\n3,9\n")]).unwrap()), [1, 2, 1]);
}

#[test]
fn one_name_is_one_adapter_in_all_parts_of_a_sum() {
    let json = "{\"timestamp\": 1000, \"input_length\": 5, \"output_length\": 5, \"adapter\": \"chat\"}\n\
                {\"timestamp\": 3000, \"input_length\": 5, \"output_length\": 5, \"adapter\": 7}\n";
    let plain = "arrival_s\n5\n";
    let traffic = "    sum: [{trace: {file: a.csv}}, {trace: {file: b.jsonl}}, {trace: {file: c.csv}}]\n    adapters: {fromTrace: true}\n";
    let loaded = traced(traffic, &[FIRST, ("b.jsonl", json), ("c.csv", plain)]).unwrap();
    // sql 1, chat 2, 7 3, in the order of arrival.
    assert_eq!(adapters_of(&loaded), [1, 2, 0, 3, 2, 0, 1]);
    let notes = loaded.notes.join("\n");
    assert!(notes.contains("for which of 3 (those of c.csv are for the base model), of which"), "{notes}");
}

#[test]
fn adapters_of_a_trace_that_nobody_uses_are_said_or_refused() {
    let refused = |traffic: &str| traced(traffic, &[FIRST, ("c.csv", "arrival_s,adapter\n5,\n")]).unwrap_err();
    let wrong = refused("    trace: {file: a.csv}\n    adapters: {fromTrace: true, count: 3}\n");
    assert!(wrong.contains("spec.traffic.adapters: only one of `fromTrace`, `shares`"), "{wrong}");
    for traffic in ["    trace: {file: c.csv}\n", "    generator: {rate: 1req/s}\n"] {
        let wrong = refused(&format!("{traffic}    adapters: {{fromTrace: true}}\n"));
        assert!(
            wrong.contains("spec.traffic.adapters.fromTrace: no request of a trace of this traffic is for"),
            "{wrong}"
        );
    }
    let columns = "    trace: {file: a.csv, format: columns, columns: {arrival: arrival_s, adapter: adapter}}\n    adapters: {count: 3}\n";
    let wrong = refused(columns);
    assert!(
        wrong.contains("trace.columns.adapter: does nothing without `traffic.adapters: {fromTrace: true}`"),
        "{wrong}"
    );
    let loaded = traced("    trace: {file: a.csv}\n    adapters: {count: 3}\n", &[FIRST]).unwrap();
    let notes = loaded.notes.join("\n");
    assert!(notes.contains("is not used: they are drawn as `traffic.adapters` says"), "{notes}");
    assert!(adapters_of(&loaded).iter().all(|adapter| *adapter == 0), "drawn by the run");
}
