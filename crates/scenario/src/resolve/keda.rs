//! ScaledObjects: those of the folder, those written in place, and those the HTTP add-on makes.

use cluster::spec::{NoReplicaRule, Routing, ServiceSpec};
use policy::keda::{Release, ScaledObject, Violation, Warning, admission};

use crate::error::{At, ScenarioError};
use crate::file::{KedaChoice, PolicyFile, Reference, ServiceView};
use crate::manifest::{Document, HttpScaledObjectFile, Kind, MetadataFile, ScaledObjectFile, read};
use crate::tree::Node;

use super::Context;
use super::requests::lacking;
use super::triggers::{open_trigger, refused_trigger};

/// Annotation by which a ScaledObject takes over an HPA that is there already.
const TRANSFER: &str = "scaledobject.keda.sh/transfer-hpa-ownership";

impl<'a> Context<'a> {
    pub(super) fn keda(
        &mut self,
        choice: &KedaChoice,
        (file, path): (&PolicyFile, &str),
        spec: &ServiceView,
        service: &ServiceSpec,
    ) -> Result<ScaledObject, ScenarioError> {
        let (mut object, document) = match choice {
            Reference::Inline(inline) => {
                self.check_target(inline.scale_target_ref.as_ref(), &service.workload, None, path)?;
                let own = MetadataFile { name: file.object().to_owned(), ..MetadataFile::default() };
                let object = inline.resolve(file.metadata.as_ref().unwrap_or(&own));
                (object.map_err(|(below, reason)| self.inconsistent(&format!("{path}.{below}"), &reason))?, None)
            }
            Reference::Name(name) => {
                let (object, document) = self.scaled_object(name, path, service)?;
                (object, Some(document))
            }
        };
        object.scale_target.clone_from(&service.workload);
        object.release = self.keda_release(spec)?;
        self.feed_triggers(&mut object, spec)?;
        let warnings = admission::validate(&object).map_err(|violation| {
            let (below, reason) = match &violation {
                Violation::Trigger { index, fault, .. } => refused_trigger(&object, *index, fault),
                Violation::Modifiers { field, message } => {
                    (format!("advanced.scalingModifiers.{field}"), message.clone())
                }
                other => (String::new(), other.to_string()),
            };
            let error = match document {
                Some(document) => in_spec(document, &below, reason),
                None => self.inconsistent(&joined(path, &below), &reason),
            };
            match (open_trigger(&object, &violation), error) {
                (Some(open), ScenarioError::Inconsistent { at, reason }) => {
                    ScenarioError::OpenTrigger { at, trigger: Box::new(open), reason }
                }
                (_, error) => error,
            }
        })?;
        self.check_requests(&object, service, document, path)?;
        self.check_hpa_name(&object, document, path)?;
        for warning in warnings {
            if matches!(warning, Warning::CountsQueue { .. }) && service.routing == Routing::CentralQueue {
                continue;
            }
            let text = warning_text(&object, &warning);
            let note = match &warning {
                Warning::MetadataIgnored { index, key } => {
                    let below = format!("triggers[{index}].metadata.{key}");
                    let at = match document {
                        Some(document) => below_spec(document, &below),
                        None => self.at(&joined(path, &below)),
                    };
                    // KEDA named metrics by it until 2.12, and manifests still have it: nothing that anybody would miss.
                    if key == "metricName" && text.starts_with("ignored: ") {
                        self.folded.fields(format!("{}: ScaledObject/{}", at.place, object.name), &[below]);
                        continue;
                    }
                    format!("{}: ScaledObject/{}: {text}", at.place, object.name)
                }
                _ => format!("ScaledObject/{}: {text}", object.name),
            };
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        Ok(object)
    }

    /// The ScaledObject of this name, or the one the HTTP add-on makes of the HTTPScaledObject of this name. One that lies beside its
    /// HTTPScaledObject is what was made of it, perhaps changed since: it counts.
    fn scaled_object(
        &mut self,
        name: &str,
        path: &str,
        service: &ServiceSpec,
    ) -> Result<(ScaledObject, &'a Document), ScenarioError> {
        if let Some(document) = self.beside(Kind::ScaledObject, name) {
            let (file, ignored) = read::<ScaledObjectFile>(document)?;
            self.note_ignored(document, &ignored);
            self.check_target(file.spec.scale_target_ref.as_ref(), &service.workload, Some(document), path)?;
            let object = file.spec.resolve(&file.metadata);
            return Ok((object.map_err(|(below, reason)| in_spec(document, &below, reason))?, document));
        }
        let Some(document) = self.beside(Kind::HttpScaledObject, name) else {
            let both = self.of_kind(Kind::ScaledObject).chain(self.of_kind(Kind::HttpScaledObject));
            let names: Vec<&str> = both.map(|document| document.name.as_str()).collect();
            return Err(self.unknown_name(path, "ScaledObject", name, names));
        };
        let (file, ignored) = read::<HttpScaledObjectFile>(document)?;
        self.note_ignored(document, &ignored);
        self.check_target(Some(&file.target()), &service.workload, Some(document), path)?;
        if file.is_released() {
            let reason =
                "its annotations keep the add-on from making a ScaledObject, and the folder has none of this name";
            return Err(in_spec(document, "", reason.to_owned()));
        }
        let object = file.scaled_object().map_err(|(below, reason)| in_spec(document, &below, reason))?;
        if service.no_replica != NoReplicaRule::Hold {
            let reason = format!(
                "the interceptor of HTTPScaledObject/{name} holds requests while no replica is ready: say `hold`"
            );
            return Err(self.inconsistent("spec.service.whileNoReplica", &reason));
        }
        self.note_add_on(&file);
        Ok((object, document))
    }

    /// KEDA's webhook wants the request or limit that a cpu or memory trigger divides by.
    fn check_requests(
        &self,
        object: &ScaledObject,
        service: &ServiceSpec,
        document: Option<&Document>,
        path: &str,
    ) -> Result<(), ScenarioError> {
        for (index, trigger) in object.triggers.iter().enumerate().filter(|(_, trigger)| trigger.is_resource()) {
            let container = trigger.metadata.get("containerName").map(String::as_str);
            let Some(lacking) = lacking(service, &trigger.kind, container) else { continue };
            let kind = &trigger.kind;
            let below = format!("triggers[{index}]");
            let reason = format!(
                "{below} ({kind}): KEDA refuses it, for container {lacking} has neither a {kind} request nor a limit"
            );
            return Err(match document {
                Some(document) => in_spec(document, &below, reason),
                None => self.inconsistent(&joined(path, &below), &reason),
            });
        }
        Ok(())
    }

    /// From 2.21.1 on KEDA acts only on HPAs it owns: one of the same name that is there already keeps the object from working.
    fn check_hpa_name(
        &self,
        object: &ScaledObject,
        document: Option<&Document>,
        path: &str,
    ) -> Result<(), ScenarioError> {
        let takes_over = object.annotations.0.get(TRANSFER).is_some_and(|value| value == "true");
        if object.release < Release::new(2, 21, 1) || takes_over {
            return Ok(());
        }
        let name = object.hpa_name();
        let is_owned = |hpa: &&Document| hpa.node.at(&["metadata", "ownerReferences"]).is_some();
        let clash = self.of_kind(Kind::HorizontalPodAutoscaler).find(|hpa| hpa.name == name && !is_owned(hpa));
        let Some(hpa) = clash else { return Ok(()) };
        let place = &hpa.node.place;
        let reason = format!(
            "name clash: its HPA is called {name}, and so is one of the folder that KEDA does not own ({place}); set the annotation \
             {TRANSFER}: \"true\" or another horizontalPodAutoscalerConfig.name"
        );
        Err(match document {
            Some(document) => in_spec(document, "advanced.horizontalPodAutoscalerConfig.name", reason),
            None => self.inconsistent(path, &reason),
        })
    }
}

fn joined(path: &str, below: &str) -> String {
    if below.is_empty() { path.to_owned() } else { format!("{path}.{below}") }
}

/// A problem somewhere below `spec` of a manifest, at the deepest node that is written.
pub(super) fn in_spec(document: &Document, below: &str, reason: String) -> ScenarioError {
    ScenarioError::Inconsistent { at: below_spec(document, below), reason }
}

/// A place below `spec` of a document; `spec` itself for an empty path.
#[allow(clippy::unnecessary_box_returns, reason = "errors hold it boxed, to stay small")]
fn below_spec(document: &Document, below: &str) -> Box<At> {
    let path = if below.is_empty() { "spec".to_owned() } else { format!("spec.{below}") };
    let segments = crate::tree::parse_path(&path).unwrap_or_default();
    let node: &Node = document.node.deepest(&segments);
    Box::new(At { place: node.place.clone(), path })
}

fn warning_text(object: &ScaledObject, warning: &Warning) -> String {
    let called = |index: usize| {
        format!(
            "trigger {} ({})",
            object.triggers[index].name.clone().unwrap_or_else(|| index.to_string()),
            object.triggers[index].kind
        )
    };
    match warning {
        Warning::PollingIntervalIrrelevant => {
            "pollingInterval moves nothing between minReplicaCount and maxReplicaCount".to_owned()
        }
        Warning::CooldownIrrelevant => "cooldownPeriod moves nothing unless replicas can go to zero or idle".to_owned(),
        Warning::IdleAboveZero { idle } => {
            format!("idleReplicaCount {idle} makes operator and HPA undo each other's writes for ever")
        }
        Warning::FedByDefault { index, signal } => {
            let freshness = match (signal.every.is_zero(), signal.delay.is_zero()) {
                (true, true) => String::new(),
                _ => format!(", every {}, delay {}", signal.every, signal.delay),
            };
            format!(
                "{} is fed by the signal {}{freshness}; metrics.triggers can name another",
                called(*index),
                signal.signal.name()
            )
        }
        Warning::CountsQueue { index } => {
            let what = "counts a queue, but the service pushes requests to its replicas, where they no longer count";
            format!("{} {what}; a pull consumer has routing: centralQueue", called(*index))
        }
        Warning::Feed { index, remark } => format!("{}: {remark}", called(*index)),
        Warning::MetadataIgnored { index, key } => {
            let (kind, given) = (&object.triggers[*index].kind, &object.triggers[*index].metadata);
            let known = policy::keda::scaler::known_keys(kind).unwrap_or_default();
            let absent = known.into_iter().filter(|known| !given.contains_key(*known));
            match names::nearest(key, absent) {
                Some(near) => {
                    format!("no {kind} trigger has a key `{key}`; did you mean `{near}`, which has its default now?")
                }
                None => format!("ignored: triggers[{index}].metadata.{key}"),
            }
        }
    }
}
