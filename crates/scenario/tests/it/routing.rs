//! Routing, flow control, shared prompts and classes: what is understood, and what is refused because nothing would look at it.

use cluster::spec::{FlowControl, PrefixSpec, Routing, Scorers};
use insta::assert_snapshot;
use units::SimDuration;

use crate::support::{load_text, message, with};

const MODEL: &str = "      continuousBatching: {sequencesMax: 8, batchedTokensMax: 512, kvTokens: 4096, iterationMin: 9ms, iterationBase: 6ms, \
                     perKvToken: 62ns, perPromptToken: 20us}\n";

/// A language model with more lines under `service` and under `traffic`.
fn model(service: &str, traffic: &str) -> String {
    let text = with("      slots:\n        serviceTime: 50ms\n", MODEL);
    let text = text.replacen("    pod:\n", &format!("{service}    pod:\n"), 1);
    text.replacen("  traffic:\n", &format!("  traffic:\n{traffic}"), 1)
}

fn service(service: &str, traffic: &str) -> cluster::spec::ServiceSpec {
    load_text(&model(service, traffic)).expect("a good scenario").spec.services.remove(0)
}

#[test]
fn a_router_has_the_pickers_profile_and_thresholds_unless_told_otherwise() {
    let spec = service("    routing: {flowControl: {}}\n", "");
    let profile = Scorers { queue: 2.0, kv_cache_utilization: 2.0, prefix_cache: 3.0, ..Scorers::default() };
    assert_eq!(spec.routing, Routing::Scored(profile));
    assert_eq!(
        (spec.router.refresh, spec.router.flow_control),
        (SimDuration::from_millis(50), Some(FlowControl::default()))
    );
    let spec =
        service("    routing: {rule: random, refresh: 1s, flowControl: {queueDepth: 2, ttl: 3s, kvUsage: 90%}}\n", "");
    let rules = spec.router.flow_control.expect("it is on");
    assert_eq!((spec.routing, rules.queue_depth, rules.kv_usage), (Routing::Random, 2.0, 0.9));
    assert_eq!(rules.ttl, Some(SimDuration::from_secs(3)));
    let spec = service("    routing: leastKv\n", "");
    assert_eq!(spec.routing, Routing::Scored(Scorers { kv_cache_utilization: 1.0, ..Scorers::default() }));
}

#[test]
fn what_prompts_share_turns_the_prefix_cache_on() {
    let shared = "    prefix: {sharedPrefix: {groups: 3, tokens: 640, popularity: {zipf: 1}}}\n";
    let spec = service("", shared);
    let groups = spec.tags.groups.expect("there are groups");
    assert_eq!(
        (spec.prefix, groups.count, groups.tokens, groups.zipf),
        (PrefixSpec::Cache { blocks_per_entry: 0 }, 3, 640, 1.0)
    );
    assert_eq!(service("", "    prefix: {hitRatio: 40%}\n").prefix, PrefixSpec::HitRatio(0.4));
    assert_eq!(service("", "").prefix, PrefixSpec::Off);
}

/// A ConfigMap with a picker's configuration, of which the prefix scorer weighs 3 and one plugin is not modelled.
const PICKER: &str = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: epp}\ndata:\n  plugins.yaml: |\n    apiVersion: inference.networking.x-k8s.io/v1alpha1\n    \
                      kind: EndpointPickerConfig\n    plugins:\n    - type: queue-scorer\n    - type: prefix-cache-scorer\n    - type: lora-affinity-scorer\n    - type: no-hit-lru-scorer\n    schedulingProfiles:\n    \
                      - name: default\n      plugins:\n      - {pluginRef: queue-scorer}\n      - {pluginRef: prefix-cache-scorer, weight: 3}\n      - pluginRef: lora-affinity-scorer\n      - pluginRef: no-hit-lru-scorer\n";

#[test]
fn the_picker_of_the_folder_routes_unless_the_scenario_does() {
    let load = |lines: &str, more: &str| {
        let loaded = load_text(&format!("{}{PICKER}{more}", model(lines, ""))).expect("a good folder");
        let notes: Vec<String> =
            loaded.notes.iter().filter(|note| note.contains("epp") || note.contains("scorer")).cloned().collect();
        (loaded.spec.services[0].routing, notes.join("\n"))
    };
    let (routing, notes) = load("", "");
    assert_eq!(routing, Routing::Scored(Scorers { queue: 1.0, prefix_cache: 3.0, ..Scorers::default() }));
    for said in [
        "ConfigMap/epp plugins.yaml: routing by the endpoint picker: queue-scorer 1, prefix-cache-scorer 3",
        "plugin no-hit-lru-scorer: not modelled, its weight is left out",
        "lora-affinity-scorer: no request of this traffic is for an adapter (`traffic.adapters`)",
        "prefix-cache-scorer: nothing says what prompts share",
    ] {
        assert!(notes.contains(said), "{notes}");
    }
    let (routing, notes) = load("    routing: random\n", "");
    assert_eq!(routing, Routing::Random);
    assert!(notes.contains("plugins.yaml: not used: `service.routing` of the scenario counts"), "{notes}");
    // Two of them: nobody knows which.
    assert_eq!(load("", &PICKER.replace("name: epp", "name: epp-two")).0, Routing::LeastRequests);
}

#[test]
fn what_nothing_would_look_at_is_refused() {
    let refused = |lines: &str, traffic: &str| message(&model(lines, traffic));
    assert_snapshot!(message(&with("    pod:\n", "    routing: leastKv\n    pod:\n")), @"scenario.yaml:15:14: spec.service.routing: needs a service that makes tokens (`service.model.continuousBatching`): only there a router looks at KV caches, conversations and saturation");
    assert_snapshot!(refused("    routing: {rule: centralQueue, flowControl: {}}\n", ""), @"scenario.yaml:14:14: spec.service.routing: `flowControl` holds requests until they may go to a replica; with `centralQueue` replicas pull, so nothing is saturated");
    assert_snapshot!(refused("    routing: {scorers: {queue: 0}}\n", ""), @"scenario.yaml:14:24: spec.service.routing.scorers: weights must be at least 0, and one above 0");
    assert_snapshot!(refused("    routing: sessionAffinity\n", ""), @"scenario.yaml:14:14: spec.service.routing: affinity of conversations needs some (`traffic.sessions`): no request of this traffic is a turn of one");
    assert_snapshot!(refused("", "    prefix: {sessions: {}}\n"), @"scenario.yaml:9:24: spec.traffic.prefix.sessions: no request of this traffic is a turn of a conversation (`traffic.sessions`)");
    assert_snapshot!(refused("", "    prefix: {hashIds: {}}\n"), @"scenario.yaml:9:23: spec.traffic.prefix.hashIds: `hash_ids` come from a trace; this traffic, or a part of it, has none");
    assert_snapshot!(refused("", "    classes: [{share: 20%, priority: 3}]\n"), @"scenario.yaml:9:14: spec.traffic.classes: `priority` needs `service.routing.flowControl` or scorers: no other routing knows it");
    assert_snapshot!(refused("", "    classes: [{share: 20%, enginePriority: 3}]\n"), @"scenario.yaml:9:14: spec.traffic.classes: `enginePriority` needs `service.model.continuousBatching.schedulingPolicy: priority`");
    assert_snapshot!(refused("    routing: leastRequest\n", ""), @"scenario.yaml:14:14: spec.service.routing: unknown choice `leastRequest`; did you mean `leastRequests`? (one of: centralQueue, roundRobin, random, leastRequests, powerOfTwo, leastKv, sessionAffinity)");
}

#[test]
fn conversations_are_found_in_caches_and_brought_back_to_them() {
    let load = |lines: &str, traffic: &str| load_text(&model(lines, traffic)).unwrap();
    let sessions = "    sessions: {turns: 3, thinkTime: 2s}\n";
    let found = load("    routing: sessionAffinity\n", &format!("{sessions}    prefix: {{sessions: {{}}}}\n"));
    assert_eq!(found.spec.services[0].prefix, PrefixSpec::Cache { blocks_per_entry: 0 });
    assert_eq!(found.spec.services[0].routing, Routing::SessionAffinity);
    let not_looked_for = load("", sessions).notes.into_iter().filter(|note| note.contains("traffic.sessions"));
    assert_snapshot!(not_looked_for.collect::<Vec<_>>().join("\n"), @"traffic.sessions: a turn begins with all of the turn before, and every prompt is computed whole (`traffic.prefix: {sessions: {}}` has the engine's prefix cache find it)");
}
