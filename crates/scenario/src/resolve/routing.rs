//! Routing, flow control, and what requests have in common.

use cluster::spec::{
    ClassSpec, FlowControl, GroupSpec, PrefixSpec, RouterSpec, Routing, Scorers, ServiceSpec, TagSpec,
};
use units::SimDuration;

use crate::error::ScenarioError;
use crate::file::{
    FlowControlFile, ModelFile, PopularityFile, PrefixFile, RouterFile, RoutingFile, RoutingRule, ScorersFile,
    ServiceView,
};
use crate::quantity::Time;
use crate::tree::{Segment, parse_path};

use super::Context;

/// Tokens in a block of KV cache.
const BLOCK_TOKENS: u32 = 16;

/// The picker's default profile.
const DEFAULT_PROFILE: Scorers = Scorers {
    queue: 2.0,
    kv_cache_utilization: 2.0,
    prefix_cache: 3.0,
    running_requests: 0.0,
    load_aware: 0.0,
    active_request: 0.0,
    token_load: 0.0,
    session_affinity: 0.0,
    lora_affinity: 0.0,
};

fn rule(rule: RoutingRule) -> Routing {
    match rule {
        RoutingRule::CentralQueue => Routing::CentralQueue,
        RoutingRule::RoundRobin => Routing::RoundRobin,
        RoutingRule::Random => Routing::Random,
        RoutingRule::LeastRequests => Routing::LeastRequests,
        RoutingRule::PowerOfTwo => Routing::PowerOfTwo,
        RoutingRule::LeastKv => Routing::Scored(Scorers { kv_cache_utilization: 1.0, ..Scorers::default() }),
        RoutingRule::SessionAffinity => Routing::SessionAffinity,
    }
}

impl Context<'_> {
    /// `service.routing`, `traffic.prefix` and `traffic.classes`.
    pub(super) fn route(&mut self, service: &mut ServiceSpec, spec: &ServiceView) -> Result<(), ScenarioError> {
        let path = "spec.service.routing";
        let is_model = matches!(spec.service.model, ModelFile::ContinuousBatching(_));
        (service.routing, service.router) = match &spec.service.routing {
            RoutingFile::Rule(word) => (rule(*word), RouterSpec::default()),
            RoutingFile::Router(router) => self.router(router, path)?,
        };
        let picker = self.picker(self.is_written(path), is_model)?;
        let is_by_picker = picker.is_some();
        if let Some(rules) = picker {
            self.route_by_picker(service, &rules, spec.traffic.sessions.is_some());
        }
        let is_plain = !matches!(service.routing, Routing::Scored(_) | Routing::SessionAffinity);
        if !is_model && (!is_plain || service.router != RouterSpec::default()) {
            let reason = "needs a service that makes tokens (`service.model.continuousBatching`): only there a router looks at KV caches, \
                          conversations and saturation";
            return Err(self.inconsistent(path, reason));
        }
        let by_session = match service.routing {
            Routing::SessionAffinity => true,
            Routing::Scored(weights) => weights.session_affinity > 0.0,
            _ => false,
        };
        if by_session && spec.traffic.sessions.is_none() {
            let reason = "affinity of conversations needs some (`traffic.sessions`): no request of this traffic is a turn of one";
            return Err(self.inconsistent(path, reason));
        }
        self.prefix(service, spec, is_model)?;
        self.note_unused_details(spec);
        if is_by_picker {
            self.note_idle_scorer(service);
        }
        self.classes(service, spec, is_model)
    }

    /// Whether the key at the end of a path stands in the scenario.
    pub(super) fn is_written(&self, path: &str) -> bool {
        let path = parse_path(&self.place_of(path)).expect("paths in this crate are well-formed");
        let Some((Segment::Key(last), above)) = path.split_last() else { return false };
        self.scenario.deepest(above).get(last).is_some()
    }

    /// Traces say what their prompts share, or which adapters requests are for, and nothing uses it.
    fn note_unused_details(&mut self, spec: &ServiceView) {
        let uses_blocks = matches!(spec.traffic.prefix, Some(PrefixFile::HashIds(_)));
        let adapters = spec.traffic.adapters.as_ref();
        let uses_adapters = adapters.is_some_and(|adapters| adapters.from_trace);
        if spec.traffic.sessions.is_some() && spec.traffic.prefix.is_none() {
            let reason = "a turn begins with all of the turn before, and every prompt is computed whole";
            self.note(format!("traffic.sessions: {reason} (`traffic.prefix: {{sessions: {{}}}}` has the engine's prefix cache find it)"));
        }
        let parts = spec.traffic.sum.iter().flatten().filter_map(|part| part.trace.as_ref());
        let traces: Vec<_> = spec.traffic.trace.iter().chain(parts).collect();
        for trace in traces {
            let said = self.data.details(&self.file(&trace.file), trace);
            if said.adapters && !uses_adapters {
                let instead = match adapters {
                    Some(_) => "they are drawn as `traffic.adapters` says",
                    None => "every request is for the base model",
                };
                self.note(format!(
                    "{}: `adapter` says which adapter (LoRA) each request is for, and is not used: {instead} (`traffic.adapters: {{fromTrace: true}}` \
                     uses it)",
                    trace.file
                ));
            }
            if said.blocks && !uses_blocks {
                self.note(format!(
                    "{}: `hash_ids` say what prompts share, and are not used: every prompt is computed whole (`traffic.prefix: {{hashIds: \
                     {{}}}}` uses them)",
                    trace.file
                ));
            }
        }
    }

    fn router(&self, file: &RouterFile, path: &str) -> Result<(Routing, RouterSpec), ScenarioError> {
        let refresh = self.at_least(file.refresh, SimDuration::from_millis(1), &format!("{path}.refresh"))?;
        let flow_control = file.flow_control.as_ref().map(|rules| self.flow_control(rules, path)).transpose()?;
        let routing = match (&file.rule, &file.scorers) {
            (Some(_), Some(_)) => return Err(self.inconsistent(path, "only one of `rule` and `scorers`")),
            (Some(word), None) => rule(*word),
            (None, Some(weights)) => Routing::Scored(self.scorers(weights, path)?),
            (None, None) => Routing::Scored(DEFAULT_PROFILE),
        };
        if routing == Routing::CentralQueue && flow_control.is_some() {
            let reason = "`flowControl` holds requests until they may go to a replica; with `centralQueue` replicas pull, so nothing is \
                          saturated";
            return Err(self.inconsistent(path, reason));
        }
        Ok((routing, RouterSpec { refresh, flow_control }))
    }

    fn scorers(&self, file: &ScorersFile, path: &str) -> Result<Scorers, ScenarioError> {
        let weights = Scorers {
            queue: file.queue,
            kv_cache_utilization: file.kv_cache_utilization,
            prefix_cache: file.prefix_cache,
            running_requests: file.running_requests,
            load_aware: file.load_aware,
            active_request: file.active_request,
            token_load: file.token_load,
            session_affinity: file.session_affinity,
            lora_affinity: file.lora_affinity,
        };
        let all = [
            weights.queue,
            weights.kv_cache_utilization,
            weights.prefix_cache,
            weights.running_requests,
            weights.load_aware,
            weights.active_request,
            weights.token_load,
            weights.session_affinity,
            weights.lora_affinity,
        ];
        if all.iter().any(|weight| !weight.is_finite() || *weight < 0.0) || all.iter().all(|weight| *weight == 0.0) {
            return Err(self.inconsistent(&format!("{path}.scorers"), "weights must be at least 0, and one above 0"));
        }
        Ok(weights)
    }

    fn flow_control(&self, file: &FlowControlFile, path: &str) -> Result<FlowControl, ScenarioError> {
        let path = format!("{path}.flowControl");
        let positive = |value: f64, key: &str| {
            if value.is_finite() && value > 0.0 {
                Ok(value)
            } else {
                Err(self.inconsistent(&format!("{path}.{key}"), "must be above 0"))
            }
        };
        if file.per_band_requests == 0 || file.ttl.is_some_and(|ttl| ttl.duration().is_zero()) {
            return Err(self.inconsistent(&path, "`perBandRequests` and `ttl` must be above 0: nothing could be held"));
        }
        Ok(FlowControl {
            queue_depth: positive(file.queue_depth, "queueDepth")?,
            kv_usage: positive(file.kv_usage.0, "kvUsage")?,
            ceiling: positive(file.ceiling, "ceiling")?,
            per_band_requests: file.per_band_requests,
            per_band_bytes: file.per_band_bytes.0,
            ttl: file.ttl.map(Time::duration),
            ..FlowControl::default()
        })
    }

    fn prefix(&mut self, service: &mut ServiceSpec, spec: &ServiceView, is_model: bool) -> Result<(), ScenarioError> {
        let path = "spec.traffic.prefix";
        let Some(file) = &spec.traffic.prefix else { return Ok(()) };
        if !is_model {
            let reason = "needs a service that makes tokens: `service.model.continuousBatching`";
            return Err(self.inconsistent(path, reason));
        }
        service.prefix = match file {
            PrefixFile::HashIds(ids) => {
                let parts = spec.traffic.sum.as_deref().unwrap_or_default();
                if spec.traffic.trace.is_none() && (parts.is_empty() || parts.iter().any(|part| part.trace.is_none())) {
                    let reason = "`hash_ids` come from a trace; this traffic, or a part of it, has none";
                    return Err(self.inconsistent(&format!("{path}.hashIds"), reason));
                }
                if ids.block_tokens == 0 || !ids.block_tokens.is_multiple_of(BLOCK_TOKENS) {
                    let reason = "must be a multiple of 16, the tokens of a block of KV cache";
                    return Err(self.inconsistent(&format!("{path}.hashIds.blockTokens"), reason));
                }
                PrefixSpec::Cache { blocks_per_entry: ids.block_tokens / BLOCK_TOKENS }
            }
            PrefixFile::Sessions(_) if spec.traffic.sessions.is_some() => PrefixSpec::Cache { blocks_per_entry: 0 },
            PrefixFile::Sessions(_) => {
                let reason = "no request of this traffic is a turn of a conversation (`traffic.sessions`)";
                return Err(self.inconsistent(&format!("{path}.sessions"), reason));
            }
            PrefixFile::SharedPrefix(shared) => {
                if shared.groups == 0 || shared.groups > 1_000_000 || shared.tokens < BLOCK_TOKENS {
                    let reason =
                        "`groups` must be 1 to 1000000, `tokens` at least 16: less than a block is never found";
                    return Err(self.inconsistent(&format!("{path}.sharedPrefix"), reason));
                }
                let zipf = match shared.popularity {
                    PopularityFile::Uniform => 0.0,
                    PopularityFile::Zipf(exponent) if exponent.is_finite() && exponent >= 0.0 => exponent,
                    PopularityFile::Zipf(_) => {
                        let path = format!("{path}.sharedPrefix.popularity.zipf");
                        return Err(self.inconsistent(&path, "must be a number of at least 0"));
                    }
                };
                service.tags.groups = Some(GroupSpec { count: shared.groups, tokens: shared.tokens, zipf });
                PrefixSpec::Cache { blocks_per_entry: 0 }
            }
            PrefixFile::HitRatio(share) if share.0 < 1.0 => PrefixSpec::HitRatio(share.0),
            PrefixFile::HitRatio(_) => {
                return Err(
                    self.inconsistent(&format!("{path}.hitRatio"), "must be below 100%: the last token is computed")
                );
            }
        };
        Ok(())
    }

    fn classes(&mut self, service: &mut ServiceSpec, spec: &ServiceView, is_model: bool) -> Result<(), ScenarioError> {
        let path = "spec.traffic.classes";
        let classes = &spec.traffic.classes;
        if classes.is_empty() {
            return Ok(());
        }
        if !is_model {
            let reason = "needs a service that makes tokens: `service.model.continuousBatching`";
            return Err(self.inconsistent(path, reason));
        }
        if classes.iter().map(|class| class.share.0).sum::<f64>() > 1.0 + 1e-9 {
            return Err(self.inconsistent(path, "the shares must be at most 100% together"));
        }
        let has_router = service.router.flow_control.is_some() || matches!(service.routing, Routing::Scored(_));
        if classes.iter().any(|class| class.priority != 0) && !has_router {
            let reason = "`priority` needs `service.routing.flowControl` or scorers: no other routing knows it";
            return Err(self.inconsistent(path, reason));
        }
        if classes.iter().any(|class| class.engine_priority != 0) && !service.engine_by_priority {
            let reason = "`enginePriority` needs `service.model.continuousBatching.schedulingPolicy: priority`";
            return Err(self.inconsistent(path, reason));
        }
        let of = |class: &crate::file::ClassFile| ClassSpec {
            share: class.share.0,
            priority: class.priority,
            engine_priority: class.engine_priority,
        };
        service.tags = TagSpec { classes: classes.iter().map(of).collect(), ..service.tags.clone() };
        Ok(())
    }
}
