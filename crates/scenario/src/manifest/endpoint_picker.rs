//! What an `EndpointPickerConfig` says of routing: scorers with weights, and when requests are held.

use cluster::spec::{FlowControl, Routing, Scorers};
use units::SimDuration;

use crate::tree::Node;

/// The kind, as a document of its own and in ConfigMaps.
pub(crate) const PICKER_KIND: &str = "EndpointPickerConfig";

/// Threshold parameters of a saturation detector.
const THRESHOLDS: [&str; 2] = ["queueDepthThreshold", "kvCacheUtilThreshold"];

/// A picker's rules, as far as they are modelled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PickerRules {
    /// By scorers, or at random.
    pub routing: Routing,
    /// Whether and when requests are held.
    pub flow_control: Option<FlowControl>,
    /// Prompts from how many tokens on are computed apart from where they are answered, where a decider says it: `u32::MAX` for none.
    pub apart_from: Option<u32>,
    /// What was taken over, in short.
    pub said: Vec<String>,
    /// What was read and is not modelled.
    pub notes: Vec<String>,
}

/// What a service does that a picker routes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PickerRole {
    /// All of a request.
    Whole,
    /// It computes prompts for another.
    Prefill,
    /// It answers what another may have computed.
    Decode,
}

/// A plugin that is declared.
struct Plugin<'a> {
    name: &'a str,
    kind: &'a str,
    parameters: Option<&'a Node>,
}

/// Whether a ConfigMap holds one.
pub(crate) fn holds_picker(node: &Node) -> bool {
    let data = node.get("data").map(Node::entries).unwrap_or_default();
    data.iter().any(|entry| entry.value.text().is_some_and(|text| text.contains(PICKER_KIND)))
}

/// Reads the configuration for a service with this part.
pub(crate) fn read_picker(node: &Node, role: PickerRole) -> PickerRules {
    let plugins: Vec<Plugin<'_>> = items(node, "plugins").iter().filter_map(plugin).collect();
    let mut reading = Reading { plugins, role, scorers: Scorers::default(), said: Vec::new(), notes: Vec::new() };
    let is_random = reading.profile(node);
    let apart_from = if role == PickerRole::Decode { reading.decider() } else { None };
    let flow_control = reading.flow_control(node);
    let Reading { scorers, said, notes, .. } = reading;
    // Where nothing scores all are equal, and one of them is drawn.
    let routing = if is_random || scorers == Scorers::default() { Routing::Random } else { Routing::Scored(scorers) };
    PickerRules { routing, flow_control, apart_from, said, notes }
}

fn items<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    node.get(key).map(Node::items).unwrap_or_default()
}

fn plugin(node: &Node) -> Option<Plugin<'_>> {
    let kind = node.text_at(&["type"])?;
    Some(Plugin { name: node.text_at(&["name"]).unwrap_or(kind), kind, parameters: node.get("parameters") })
}

struct Reading<'a> {
    plugins: Vec<Plugin<'a>>,
    role: PickerRole,
    scorers: Scorers,
    said: Vec<String>,
    notes: Vec<String>,
}

impl<'a> Reading<'a> {
    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Who decides whose prompts are computed apart, and what it says.
    fn decider(&mut self) -> Option<u32> {
        let handlers = ["disagg-profile-handler", "pd-profile-handler"];
        let handler = self.plugins.iter().find(|plugin| handlers.contains(&plugin.kind))?.parameters?;
        let Some(name) = handler.text_at(&["deciders", "prefill"]).or_else(|| handler.text_at(&["deciderPluginName"]))
        else {
            // Before there were deciders the handler had a bound of its own, in characters; zero is none.
            if let Some(bound) = handler.text_at(&["threshold"]).filter(|bound| *bound != "0") {
                self.note(format!(
                    "its threshold {bound} counts characters and is not modelled: every prompt is computed apart, unless `traffic.from.decider` \
                     says from how many tokens on"
                ));
            }
            return None;
        };
        let Some(decider) = self.plugins.iter().find(|plugin| plugin.name == name) else {
            self.note(format!("plugin {name} is not declared under `plugins`"));
            return None;
        };
        match decider.kind {
            "always-disagg-pd-decider" => {
                self.said.push(name.to_owned());
                Some(0)
            }
            "prefix-based-pd-decider" => {
                let written = decider.parameters.and_then(|parameters| parameters.text_at(&["nonCachedTokens"]));
                let Ok(least) = written.unwrap_or("0").parse::<u32>() else {
                    self.note(format!(
                        "nonCachedTokens of {name} is no whole number of at least 0: every prompt is computed apart"
                    ));
                    return None;
                };
                self.said.push(format!("nonCachedTokens {least}"));
                Some(if least == 0 { u32::MAX } else { least })
            }
            kind => {
                self.note(format!("plugin {kind}: not modelled, every prompt is computed apart"));
                None
            }
        }
    }

    /// Weighs the plugins of the profile that picks who has this service's part. Returns whether the pick is at random.
    fn profile(&mut self, node: &'a Node) -> bool {
        let profiles = items(node, "schedulingProfiles");
        let named = |name: &str| profiles.iter().find(|profile| profile.text_at(&["name"]) == Some(name));
        let part = if self.role == PickerRole::Prefill { "prefill" } else { "decode" };
        let Some(profile) = named(part).or_else(|| named("default")).or_else(|| profiles.first()) else {
            // Without profiles all plugins are in one, each with weight 1.
            let all: Vec<(&str, f64)> = self.plugins.iter().map(|plugin| (plugin.name, 1.0)).collect();
            return self.weigh(&all);
        };
        for other in profiles.iter().filter(|other| !std::ptr::eq(*other, profile)) {
            let name = other.text_at(&["name"]).unwrap_or("without a name");
            if self.role != PickerRole::Whole && ["prefill", "decode"].contains(&name) {
                continue;
            }
            self.note(format!("profile {name}: not modelled, one replica does prefill and decode"));
        }
        let mut weights = Vec::new();
        for reference in items(profile, "plugins") {
            let Some(name) = reference.text_at(&["pluginRef"]) else { continue };
            let weight = match reference.text_at(&["weight"]).map(str::parse::<f64>) {
                None => 1.0,
                Some(Ok(weight)) if weight.is_finite() && weight >= 0.0 => weight,
                Some(_) => {
                    self.note(format!("the weight of {name} is no number of at least 0: 1 in its place"));
                    1.0
                }
            };
            weights.push((name, weight));
        }
        self.weigh(&weights)
    }

    fn weigh(&mut self, weights: &[(&str, f64)]) -> bool {
        let mut is_random = false;
        for &(name, weight) in weights {
            let Some(plugin) = self.plugins.iter().find(|plugin| plugin.name == name) else {
                self.note(format!("plugin {name} is not declared under `plugins`"));
                continue;
            };
            let kind = plugin.kind;
            self.note_parameters(name);
            if let Some(place) = scorer(&mut self.scorers, kind) {
                *place += weight;
                self.said.push(format!("{kind} {weight}"));
            } else if kind == "random-picker" {
                is_random = true;
                self.said.push(kind.to_owned());
            } else if let Some(loss) = loss_of(kind) {
                self.note(format!("plugin {kind}: {loss}"));
            }
            if kind == "precise-prefix-cache-scorer" {
                self.note(format!(
                    "plugin {kind}: by what the router has sent, not by what engines report of their caches"
                ));
            }
        }
        is_random
    }

    /// Parameters that are other than what is modelled.
    fn note_parameters(&mut self, name: &str) {
        let Some(plugin) = self.plugins.iter().find(|plugin| plugin.name == name) else { return };
        let kind = plugin.kind;
        let written = plugin.parameters.map(Node::entries).unwrap_or_default();
        let others: Vec<String> = written
            .iter()
            .filter(|entry| !is_modelled(kind, &entry.key, entry.value.text()))
            .map(|entry| entry.value.text().map_or_else(|| entry.key.clone(), |value| format!("{} {value}", entry.key)))
            .collect();
        if !others.is_empty() && loss_of(kind).is_none() {
            self.note(format!("plugin {kind}: its {} not modelled", are(&others)));
        }
    }

    /// Flow control behind its feature gate, with the thresholds of the saturation detector.
    fn flow_control(&mut self, node: &'a Node) -> Option<FlowControl> {
        let mut rules = FlowControl::default();
        let detector = node.get("saturationDetector");
        let referred = detector.and_then(|detector| detector.text_at(&["pluginRef"]));
        let by_plugin = self.plugins.iter().find(|plugin| match referred {
            Some(name) => plugin.name == name,
            None => plugin.kind.ends_with("-detector"),
        });
        if let Some(plugin) = by_plugin
            && plugin.kind.starts_with("concurrency")
        {
            let kind = plugin.kind;
            self.note(format!("plugin {kind}: not modelled, saturation is by queues and KV caches"));
        }
        let parameters = self.plugins.iter().find(|plugin| plugin.kind.ends_with("-detector"));
        let mut thresholds = Vec::new();
        for source in [detector, parameters.and_then(|plugin| plugin.parameters)].into_iter().flatten() {
            for (key, place) in THRESHOLDS.iter().zip([&mut rules.queue_depth, &mut rules.kv_usage]) {
                let value = source.text_at(&[key]).and_then(|text| text.parse::<f64>().ok());
                if let Some(value) = value.filter(|value| value.is_finite() && *value > 0.0) {
                    *place = value;
                    thresholds.push(format!("{key} {value}"));
                }
            }
        }
        let is_on = items(node, "featureGates").iter().any(|gate| gate.text() == Some("flowControl"));
        let block = node.get("flowControl");
        if !is_on {
            if !thresholds.is_empty() {
                let all = thresholds.join(", ");
                self.note(format!(
                    "{all}: without feature gate flowControl nobody is held, and the default thresholds count"
                ));
            }
            if block.is_some() {
                self.note("flowControl: without its feature gate it does nothing".to_owned());
            }
            return None;
        }
        if let Some(block) = block {
            self.bands(block, &mut rules);
        }
        self.said.push("flowControl".to_owned());
        self.said.extend(thresholds);
        Some(rules)
    }

    /// How long and how much is held.
    fn bands(&mut self, block: &Node, rules: &mut FlowControl) {
        for entry in block.entries() {
            let value = entry.value.text();
            match (entry.key.as_str(), value.and_then(duration)) {
                ("defaultRequestTTL", Some(ttl)) if !ttl.is_zero() => rules.ttl = Some(ttl),
                ("defaultRequestTTL", _) if matches!(value, Some("0" | "0s")) => {}
                ("defaultPriorityBand", _) => self.default_band(&entry.value, rules),
                (key, _) => self.note(format!("flowControl.{key}: not modelled")),
            }
        }
    }

    fn default_band(&mut self, band: &Node, rules: &mut FlowControl) {
        for entry in band.entries() {
            let number = entry.value.text().and_then(|text| text.parse::<u64>().ok()).filter(|number| *number > 0);
            match (entry.key.as_str(), number) {
                ("maxRequests", Some(most)) => rules.per_band_requests = most,
                ("maxBytes", Some(most)) => rules.per_band_bytes = most,
                (key, _) => self.note(format!("flowControl.defaultPriorityBand.{key}: not modelled")),
            }
        }
    }
}

fn are(words: &[String]) -> String {
    let list = words.join(", ");
    if words.len() == 1 { format!("{list} is") } else { format!("{list} are") }
}

/// The weight of a scorer, by its type in this and in older releases.
fn scorer<'s>(scorers: &'s mut Scorers, kind: &str) -> Option<&'s mut f64> {
    Some(match kind {
        "queue-scorer" | "queue-depth-scorer" => &mut scorers.queue,
        "kv-cache-utilization-scorer" | "kv-cache-scorer" => &mut scorers.kv_cache_utilization,
        "prefix-cache-scorer" | "precise-prefix-cache-scorer" => &mut scorers.prefix_cache,
        "running-requests-size-scorer" | "running-requests-scorer" => &mut scorers.running_requests,
        "load-aware-scorer" => &mut scorers.load_aware,
        "active-request-scorer" => &mut scorers.active_request,
        "token-load-scorer" => &mut scorers.token_load,
        "session-affinity-scorer" => &mut scorers.session_affinity,
        "lora-affinity-scorer" => &mut scorers.lora_affinity,
        _ => return None,
    })
}

/// What is lost with a plugin that is neither a modelled scorer nor modelled anyway.
fn loss_of(kind: &str) -> Option<&'static str> {
    let is_scorer = scorer(&mut Scorers::default(), kind).is_some();
    // The best score wins, and one profile picks: that is what is modelled. Detectors are looked at beside flow control.
    let is_usual = ["max-score-picker", "single-profile-handler", "decode-filter", "prefill-filter", "random-picker"]
        .contains(&kind)
        || kind.ends_with("-detector");
    if is_scorer || is_usual {
        return None;
    }
    Some(match kind {
        "weighted-random-picker" => "not modelled, the best score wins",
        kind if kind.contains("profile-handler") => {
            "not modelled, one profile picks one replica for prefill and decode"
        }
        kind if kind.ends_with("-scorer") => "not modelled, its weight is left out",
        kind if kind.ends_with("-filter") || kind.starts_with("by-label") => {
            "not modelled, every ready replica is a candidate"
        }
        _ => "not modelled",
    })
}

/// Whether a parameter of a plugin says what is so here.
fn is_modelled(kind: &str, key: &str, value: Option<&str>) -> bool {
    match (kind, key) {
        ("prefix-cache-scorer", "blockSize" | "hashBlockSize" | "blockSizeTokens") => value == Some("16"),
        ("prefix-cache-scorer", "maxPrefixBlocksToMatch") => value == Some("256"),
        // The room of an engine is known from its KV cache.
        ("prefix-cache-scorer", "lruCapacityPerServer" | "autoTune") => true,
        ("load-aware-scorer", "threshold") => value == Some("128"),
        ("max-score-picker" | "random-picker", "maxNumOfEndpoints") => value == Some("1"),
        _ => false,
    }
}

/// `30s`, `1m30s`, `500ms`, as Go prints times.
fn duration(text: &str) -> Option<SimDuration> {
    let mut left = text;
    let mut seconds = 0.0;
    while !left.is_empty() {
        let end = left.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, rest) = left.split_at(end);
        let unit_end = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
        let (unit, rest) = rest.split_at(unit_end);
        let factor = match unit {
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" => 1e-6,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * factor;
        left = rest;
    }
    (!text.is_empty() && seconds.is_finite()).then(|| SimDuration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse_documents;

    fn read(text: &str) -> PickerRules {
        read_for(PickerRole::Whole, text)
    }

    fn read_for(role: PickerRole, text: &str) -> PickerRules {
        read_picker(&parse_documents("a.yaml", text).expect("YAML")[0], role)
    }

    const LLM_D: &str = "
plugins:
- type: queue-scorer
- type: kv-cache-utilization-scorer
- {name: prefix, type: prefix-cache-scorer, parameters: {maxPrefixBlocksToMatch: 256, lruCapacityPerServer: 31250}}
- type: lora-affinity-scorer
- type: no-hit-lru-scorer
- type: max-score-picker
- type: single-profile-handler
schedulingProfiles:
- name: default
  plugins:
  - {pluginRef: queue-scorer, weight: 2}
  - {pluginRef: kv-cache-utilization-scorer}
  - {pluginRef: prefix, weight: 3}
  - {pluginRef: lora-affinity-scorer, weight: 1}
  - {pluginRef: no-hit-lru-scorer, weight: 1}
  - {pluginRef: max-score-picker}
";

    #[test]
    fn weights_are_those_of_the_profile_and_what_is_not_modelled_is_named() {
        let found = read(LLM_D);
        let scorers = Scorers {
            queue: 2.0,
            kv_cache_utilization: 1.0,
            prefix_cache: 3.0,
            lora_affinity: 1.0,
            ..Scorers::default()
        };
        assert_eq!((found.routing, found.flow_control), (Routing::Scored(scorers), None));
        assert_eq!(found.notes, ["plugin no-hit-lru-scorer: not modelled, its weight is left out"]);
    }

    #[test]
    fn without_profiles_every_plugin_weighs_one() {
        let found = read("plugins: [{type: queue-scorer}, {type: session-affinity-scorer}]");
        let scorers = Scorers { queue: 1.0, session_affinity: 1.0, ..Scorers::default() };
        assert_eq!(found.routing, Routing::Scored(scorers));
        assert_eq!(read("plugins: [{type: queue-scorer}, {type: random-picker}]").routing, Routing::Random);
        assert_eq!(read("plugins: [{type: by-label-selector}]").routing, Routing::Random);
    }

    #[test]
    fn of_prefill_and_decode_the_profile_that_decodes_counts() {
        let found = read(
            "plugins: [{type: queue-scorer}, {type: load-aware-scorer, parameters: {threshold: 64}}, {type: pd-profile-handler}]\n\
             schedulingProfiles: [{name: prefill, plugins: [{pluginRef: queue-scorer}]}, {name: decode, plugins: [{pluginRef: load-aware-scorer}]}]",
        );
        assert_eq!(found.routing, Routing::Scored(Scorers { load_aware: 1.0, ..Scorers::default() }));
        assert_eq!(found.notes.len(), 2, "{:?}", found.notes);
    }

    #[test]
    fn of_two_services_each_has_its_profile_and_the_one_that_decodes_the_decider() {
        let text = |handler: &str, decider: &str| {
            format!(
                "plugins: [{{type: queue-scorer}}, {{type: load-aware-scorer}}, {{type: prefill-filter}}, {handler}, {{name: decider, {decider}}}]\n\
                 schedulingProfiles: [{{name: prefill, plugins: [{{pluginRef: prefill-filter}}, {{pluginRef: queue-scorer}}]}}, {{name: decode, plugins: [{{pluginRef: load-aware-scorer}}]}}]"
            )
        };
        let new = "{type: disagg-profile-handler, parameters: {deciders: {prefill: decider}}}";
        let old = "{type: pd-profile-handler, parameters: {deciderPluginName: decider}}";
        let least = |tokens: u32| format!("type: prefix-based-pd-decider, parameters: {{nonCachedTokens: {tokens}}}");
        let prefill = read_for(PickerRole::Prefill, &text(new, &least(16)));
        assert_eq!(prefill.routing, Routing::Scored(Scorers { queue: 1.0, ..Scorers::default() }));
        assert_eq!((prefill.apart_from, prefill.notes), (None, Vec::new()));
        let decode = |handler: &str, decider: &str| {
            let found = read_for(PickerRole::Decode, &text(handler, decider));
            assert_eq!(found.routing, Routing::Scored(Scorers { load_aware: 1.0, ..Scorers::default() }));
            (found.apart_from, found.notes.len())
        };
        assert_eq!(decode(new, &least(16)), (Some(16), 0));
        assert_eq!(decode(old, &least(16)), (Some(16), 0));
        assert_eq!(decode(new, "type: prefix-based-pd-decider"), (Some(u32::MAX), 0));
        assert_eq!(decode(new, "type: always-disagg-pd-decider"), (Some(0), 0));
        assert_eq!(decode(new, "type: my-decider"), (None, 1));
        assert_eq!(decode("{type: disagg-profile-handler}", &least(16)), (None, 0));
        let of_old = |threshold: u32| format!("{{type: pd-profile-handler, parameters: {{threshold: {threshold}}}}}");
        assert_eq!(decode(&of_old(0), &least(16)), (None, 0));
        assert_eq!(decode(&of_old(500), &least(16)), (None, 1), "characters are no tokens");
    }

    #[test]
    fn requests_are_held_behind_the_feature_gate() {
        let thresholds =
            "saturationDetector: {queueDepthThreshold: 3, kvCacheUtilThreshold: 0.7}\nplugins: [{type: queue-scorer}]";
        let found = read(&format!(
            "featureGates: [flowControl]\nflowControl: {{defaultRequestTTL: 1m30s, maxBytes: 5}}\n{thresholds}"
        ));
        let rules = found.flow_control.expect("the gate is open");
        assert_eq!((rules.queue_depth, rules.kv_usage, rules.ttl), (3.0, 0.7, Some(SimDuration::from_secs(90))));
        assert_eq!(found.notes, ["flowControl.maxBytes: not modelled"]);
        let closed = read(thresholds);
        assert_eq!((closed.flow_control, closed.notes.len()), (None, 1));
    }
}
