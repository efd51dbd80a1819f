//! What feeds each KEDA trigger: `metrics.triggers`, and what the folder itself says of pods, ConfigMaps and interceptor routes.

use std::collections::BTreeMap;

use policy::keda::{Feed, FeedSource, ScaledObject, Trigger, Violation};
use policy::{Signal, keda};
use units::SimDuration;

use crate::error::{Allowed, OpenTrigger, ScenarioError};
use crate::file::{ServiceView, TriggerFile};
use crate::manifest::{Document, HttpScaledObjectFile, InterceptorRouteFile, Kind, LabelSelector, read};
use crate::quantity::Time;
use crate::tree::Node;

use super::Context;

/// Where a field of `metrics.triggers` stands.
fn place(key: &str, field: &str) -> String {
    let below = if field.is_empty() { String::new() } else { format!(".{field}") };
    format!("spec.metrics.triggers[\"{key}\"]{below}")
}

impl Context<'_> {
    /// Every entry of `metrics.triggers` names a trigger there is and a source that can feed it.
    pub(super) fn check_triggers(&self, views: &[ServiceView]) -> Result<(), ScenarioError> {
        for (key, file) in &views[0].metrics.triggers {
            let at = place(key, "");
            let Some((object, trigger)) = key.split_once('/') else {
                let reason = "the key is SCALEDOBJECT/TRIGGER, the trigger by its name, its index or `*`";
                return Err(self.inconsistent(&at, reason));
            };
            let objects = self.scaled_objects(views);
            let Some((_, triggers)) = objects.iter().find(|(name, _)| name == object) else {
                let names = objects.iter().map(|(name, _)| name.as_str());
                return Err(self.unknown_name(&at, "ScaledObject", object, names));
            };
            let is_there = trigger == "*"
                || trigger.parse::<usize>().is_ok_and(|index| index < triggers.len())
                || triggers.iter().flatten().any(|name| name == trigger);
            if !is_there {
                let indexes = (0..triggers.len()).map(|index| index.to_string());
                let names = triggers.iter().flatten().cloned().chain(indexes).chain(["*".to_owned()]);
                return Err(self.unknown_name(&at, "trigger", trigger, names));
            }
            self.feed(key, file)?;
        }
        Ok(())
    }

    /// Names of all ScaledObjects, those written in place and those the HTTP add-on makes included, with the names of their triggers.
    fn scaled_objects(&self, views: &[ServiceView]) -> Vec<(String, Vec<Option<String>>)> {
        let text = |node: &Node, key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let triggers = |node: Option<&Node>| {
            let items = node.and_then(|node| node.get("triggers")).map(Node::items).unwrap_or_default();
            items.iter().map(|trigger| text(trigger, "name")).collect::<Vec<_>>()
        };
        let mut objects = Vec::new();
        for document in self.of_kind(Kind::ScaledObject) {
            objects.push((document.name.clone(), triggers(document.node.get("spec"))));
        }
        for document in self.of_kind(Kind::HttpScaledObject) {
            objects.push((document.name.clone(), vec![None]));
        }
        let policies = self.scenario.at(&["spec", "policies"]).map(Node::items).unwrap_or_default();
        for spec in views {
            for (node, file) in policies.iter().zip(&spec.policies) {
                let own = match &spec.name {
                    Some(service) => node.at(&["services", service]),
                    None => Some(node),
                };
                let inline = own.and_then(|node| node.get("keda"));
                if let Some(inline) = inline.filter(|keda| keda.get("triggers").is_some()) {
                    let name = file.metadata.as_ref().map_or(file.object(), |metadata| &metadata.name);
                    objects.push((name.to_owned(), triggers(Some(inline))));
                }
            }
        }
        objects
    }

    /// One entry as the policy reads it.
    fn feed(&self, key: &str, file: &TriggerFile) -> Result<Feed, ScenarioError> {
        let wrong = |field: &str, reason: &str| self.inconsistent(&place(key, field), reason);
        let source = match (&file.signal, file.constant, &file.promql) {
            (Some(name), None, None) => match Signal::named(name) {
                Some(signal) => FeedSource::Signal(signal),
                None => return Err(self.unknown_name(&place(key, "signal"), "signal", name, Signal::names())),
            },
            (None, Some(number), None) if number.is_finite() => FeedSource::Constant(number),
            (None, Some(_), None) => return Err(wrong("constant", "must be a finite number")),
            (None, None, Some(query)) => match promql::Query::compile(query) {
                Ok(_) => FeedSource::PromQl(query.clone()),
                Err(error) => return Err(wrong("promql", &error.to_string())),
            },
            _ => return Err(wrong("", "needs exactly one of `signal`, `constant` and `promql`")),
        };
        let positive = |field: &str, value: Option<f64>| match value {
            Some(value) if !(value.is_finite() && value > 0.0) => Err(wrong(field, "must be above 0")),
            value => Ok(value),
        };
        let second = SimDuration::from_secs(1);
        let step = |field: &str, time: Option<Time>| match time.map(Time::duration) {
            Some(step) if !step.is_zero() && step < second => Err(wrong(field, "must be 0s or at least 1s")),
            step => Ok(step),
        };
        if file.over.is_some_and(|over| over.duration() < second) {
            return Err(wrong("over", "must be at least 1s"));
        }
        if file.partitions == Some(0) {
            return Err(wrong("partitions", "must be above 0"));
        }
        Ok(Feed {
            per_request: positive("perRequest", file.per_request)?.unwrap_or(1.0),
            every: step("every", file.every)?,
            delay: file.delay.map(Time::duration),
            over: file.over.map(Time::duration),
            partitions: file.partitions,
            target: positive("target", file.target)?,
            activation: file.activation,
            push: file.push,
            ..Feed::of(source)
        })
    }

    /// Gives every trigger of `object` what feeds it, as far as scenario and folder say.
    pub(super) fn feed_triggers(&self, object: &mut ScaledObject, spec: &ServiceView) -> Result<(), ScenarioError> {
        let name = object.name.clone();
        for (index, trigger) in object.triggers.iter_mut().enumerate() {
            let own = trigger.name.clone().unwrap_or_default();
            let keys = [format!("{name}/{own}"), format!("{name}/{index}"), format!("{name}/*")];
            let given = keys.iter().find_map(|key| spec.metrics.triggers.get_key_value(key));
            if let Some((key, file)) = given {
                let feed = self.feed(key, file)?;
                trigger.feeds = match trigger.feeds.first() {
                    // What the add-on says of target and name stays.
                    Some(known) => {
                        let (target, activation) = (feed.target.or(known.target), feed.activation.or(known.activation));
                        let (name, push) = (known.name.clone(), feed.push.or(known.push));
                        vec![Feed { target, activation, name, push, ..feed }]
                    }
                    None => vec![feed],
                };
            } else if trigger.feeds.is_empty() {
                trigger.feeds = self.folder_feeds(trigger)?;
            }
        }
        Ok(())
    }

    /// What the folder says of a trigger: the add-on's objects, ConfigMaps, and which pods there are.
    fn folder_feeds(&self, trigger: &Trigger) -> Result<Vec<Feed>, ScenarioError> {
        let text = |key: &str| trigger.metadata.get(key).map(String::as_str).filter(|value| !value.is_empty());
        match trigger.kind.as_str() {
            "external" | "external-push" => {
                if let Some(document) =
                    text("interceptorRoute").and_then(|name| self.document("InterceptorRoute", name))
                {
                    let (route, _) = read::<InterceptorRouteFile>(document)?;
                    let metric = route.spec.scaling_metric.unwrap_or_default();
                    let feeds = metric.feeds(&document.name);
                    return feeds.map_err(|reason| super::keda::in_spec(document, "scalingMetric", reason));
                }
                if let Some(document) =
                    text("httpScaledObject").and_then(|name| self.document("HTTPScaledObject", name))
                {
                    let (file, _) = read::<HttpScaledObjectFile>(document)?;
                    let made = file.scaled_object();
                    let made = made.map_err(|(below, reason)| super::keda::in_spec(document, &below, reason))?;
                    return Ok(made.triggers.into_iter().flat_map(|trigger| trigger.feeds).collect());
                }
                Ok(Vec::new())
            }
            "kubernetes-resource" => {
                let value = text("resourceName").zip(text("key")).and_then(|(name, key)| {
                    self.document("ConfigMap", name)?.node.at(&["data", key])?.text()?.trim().parse().ok()
                });
                Ok(value.map(|value| Feed::of(FeedSource::Constant(value))).into_iter().collect())
            }
            "kubernetes-workload" => {
                let source = text("podSelector").and_then(|selector| self.pods_selected(selector));
                Ok(source.map(Feed::of).into_iter().collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn document(&self, kind: &str, name: &str) -> Option<&Document> {
        let is_it = |document: &&Document| {
            document.name == name && document.node.get("kind").and_then(Node::text) == Some(kind)
        };
        self.documents.iter().find(is_it)
    }

    /// What a label selector counts: the service's pods, or those of other workloads of the folder, as many as they have replicas. `None` where it
    /// meets both, neither, or pods whose number nobody has written: somebody else scales them, or they are of jobs.
    fn pods_selected(&self, selector: &str) -> Option<FeedSource> {
        let selector = LabelSelector::of_query(selector)?;
        let meets = |node: &Node| {
            let labels = node.at(&["spec", "template", "metadata", "labels"])?;
            Some(selector.selects(&labels.read::<BTreeMap<String, String>>("labels").ok()?))
        };
        let own = self.workload.as_ref();
        let is_own_met = own.is_some_and(|own| meets(&own.deployment.node) == Some(true));
        let is_own = |document: &&Document| own.is_some_and(|own| own.document.label() == document.label());
        let others = self.documents.iter().filter(|document| !is_own(document) && meets(&document.node) == Some(true));
        // Other services come and go by themselves.
        let others: Vec<&Document> = others.filter(|_| !self.has_several()).collect();
        if others.is_empty() {
            return is_own_met.then_some(FeedSource::Signal(Signal::Pods));
        }
        let counts = others.iter().map(|other| self.replicas_written(other)).collect::<Option<Vec<u32>>>()?;
        (!is_own_met).then(|| FeedSource::Constant(counts.into_iter().map(f64::from).sum()))
    }

    /// Replicas of a workload that nothing in the folder scales.
    fn replicas_written(&self, document: &Document) -> Option<u32> {
        let is_counted = matches!(document.node.text_at(&["kind"]), Some("Deployment" | "StatefulSet" | "ReplicaSet"));
        let is_scaled = self
            .documents
            .iter()
            .any(|scaler| scaler.node.text_at(&["spec", "scaleTargetRef", "name"]) == Some(document.name.as_str()));
        let replicas = document.node.text_at(&["spec", "replicas"]).map_or(Some(1), |text| text.parse().ok());
        replicas.filter(|_| is_counted && !is_scaled)
    }
}

/// The trigger that is refused for want of what feeds it, or of the target that its server tells.
pub(super) fn open_trigger(object: &ScaledObject, violation: &Violation) -> Option<OpenTrigger> {
    let Violation::Trigger { index, fault, .. } = violation else { return None };
    let trigger = &object.triggers[*index];
    let lacks_target = match fault {
        keda::scaler::Fault::NeedsFeed => false,
        keda::scaler::Fault::MissingKey { .. } if trigger.kind.starts_with("external") => true,
        _ => return None,
    };
    let (key, measured_at) = (key_of(object, *index), measured_at(&trigger.kind));
    Some(OpenTrigger { key, kind: trigger.kind.clone(), lacks_target, measured_at })
}

/// What `metrics.triggers` calls a trigger.
fn key_of(object: &ScaledObject, index: usize) -> String {
    format!("{}/{}", object.name, object.triggers[index].name.clone().unwrap_or_else(|| index.to_string()))
}

/// A trigger that cannot be used, with what its author can do about it.
pub(super) fn refused_trigger(object: &ScaledObject, index: usize, fault: &keda::scaler::Fault) -> (String, String) {
    use keda::scaler::Fault;
    let trigger = &object.triggers[index];
    let called = format!("triggers[{index}] ({})", trigger.kind);
    let key = key_of(object, index);
    let at = |field: &str| format!("triggers[{index}].{field}");
    match fault {
        Fault::MissingKey { keys } => {
            let wanted: Vec<&str> = keys.split(" or ").collect();
            let known = keda::scaler::known_keys(&trigger.kind).unwrap_or_default();
            let strange = trigger.metadata.keys().filter(|key| !known.contains(&key.as_str()));
            let slip =
                strange.into_iter().find_map(|found| Some((found, names::nearest(found, wanted.iter().copied())?)));
            match slip {
                Some((found, meant)) => (
                    at(&format!("metadata.{found}")),
                    format!("{called}: there is no key `{found}`; did you mean `{meant}`?"),
                ),
                None => (at("metadata"), format!("{called}: metadata.{keys} is missing{}", target_hint(trigger, &key))),
            }
        }
        Fault::NeedsFeed => {
            let hint =
                format!("metrics.triggers: {{\"{key}\": {{signal: requests}}}} (or another signal, constant, promql)");
            let where_it_is = measured_at(&trigger.kind);
            let what = format!("what it measures {where_it_is}; say which simulated signal stands for it");
            (at("type"), format!("{called}: {what}: {hint}"))
        }
        Fault::UnknownType => {
            let allowed = Allowed::new(trigger.kind.clone(), keda::scaler::known_types());
            let hint = format!("metrics.triggers: {{\"{key}\": {{signal: requests, target: 10}}}}");
            (
                at("type"),
                format!("there is no trigger type `{}`{allowed}; a signal can stand for it: {hint}", trigger.kind),
            )
        }
        Fault::UnknownSignal { found } => {
            let allowed = Allowed::new(found.clone(), Signal::names());
            (at("metadata.scalelabSignal"), format!("{called}: there is no signal `{found}`{allowed}"))
        }
        Fault::Other(message) => (at("metadata"), format!("{called}: {message}")),
    }
}

/// What an external scaler counts and wants of a replica is told by its server: the scenario says it instead.
fn target_hint(trigger: &Trigger, key: &str) -> String {
    if !trigger.kind.starts_with("external") {
        return String::new();
    }
    format!(
        "; where its server gives the target, say both which simulated signal stands for it and the target of a replica: metrics.triggers: \
         {{\"{key}\": {{signal: requests, target: 10}}}}"
    )
}

/// Where that is what a trigger of this type measures, in words: whoever uses it must say what stands for it.
fn measured_at(kind: &str) -> &'static str {
    // Pods and objects of the cluster, of which those of the services are simulated.
    if kind.starts_with("kubernetes-") {
        "is in the cluster, but beside what is simulated"
    } else {
        "lies outside the cluster"
    }
}
