//! What the answer lacks: the documents of the folder that were not read, each counted, named or refused.

use crate::error::ScenarioError;
use crate::manifest::workload::{self, Workload, accelerator};
use crate::manifest::{Document, Kind, Treatment};
use crate::tree::{Node, Value};

use super::Context;
use super::scale_target::scaled_by;

impl Context<'_> {
    /// Says of every document that was not read what becomes of it; refuses those that move replicas by rules that are not modelled.
    pub fn left_out(&mut self, is_named: bool) -> Result<(), ScenarioError> {
        let mut others = Vec::new();
        for document in self.documents {
            let label = document.label();
            if document.kind == Kind::Scenario || self.used.contains(&label) || self.is_environment(document) {
                continue;
            }
            let is_ours = self.workloads().any(|found| found.document.label() == document.label());
            if is_ours {
                continue;
            }
            if document.kind.is_workload() {
                if workload::is_on_its_own(document, self.documents) {
                    others.push(document.title());
                } else {
                    self.folded.child(document.label());
                }
                continue;
            }
            if !workload::is_on_its_own(document, self.documents) && document.kind == Kind::HorizontalPodAutoscaler {
                self.folded.child(document.label());
                continue;
            }
            self.leave_out(document, is_named)?;
        }
        if !others.is_empty() {
            let others = others.join(", ");
            let service = self.workloads().next().map(|found| found.document.title());
            let service = service.unwrap_or_else(|| "the pod of the scenario".to_owned());
            self.note(if self.has_several() {
                format!("no services, left out: {others}")
            } else {
                format!("not the service, which is {service}: {others}")
            });
        }
        Ok(())
    }

    /// Whether variables of a service's containers come from a document.
    pub(super) fn is_environment(&self, document: &Document) -> bool {
        let label = document.label();
        self.workloads().any(|found| found.config_maps.contains(&label))
    }

    #[allow(clippy::match_same_arms, reason = "first by kind, then by treatment")]
    fn leave_out(&mut self, document: &Document, is_named: bool) -> Result<(), ScenarioError> {
        let label = document.label();
        let moves_ours = self.moves_the_service(document);
        match (document.kind, document.treatment()) {
            (Kind::HorizontalPodAutoscaler | Kind::ScaledObject, _) if moves_ours != Some(false) => {}
            (Kind::Unknown, _) if moves_ours == Some(true) => {
                let reason = "it moves the replicas of the service and is not modelled";
                return Err(unmodelled(document, reason));
            }
            (Kind::Unknown, _) => match pods_with_accelerators(&document.node) {
                Some(resource) => {
                    self.note(format!(
                        "{label}: its pods ask for {resource}, and its kind is not known: they are left out"
                    ));
                }
                None => self.without_effect(document),
            },
            // A workload of a kind that is not modelled does not matter beside the one that was asked for.
            (_, Treatment::Stop(reason)) if moves_ours == Some(true) || (moves_ours.is_none() && !is_named) => {
                return Err(unmodelled(document, reason));
            }
            (_, Treatment::Warn(loss)) if self.is_a_concern(document, moves_ours) => {
                self.note(format!("{label}: {loss}"));
            }
            (_, Treatment::Inert) if speaks_of_scraping(&document.node) => {}
            (_, Treatment::Stop(_) | Treatment::Warn(_) | Treatment::Inert) => self.without_effect(document),
            (Kind::HorizontalPodAutoscaler | Kind::ScaledObject, _) => self.without_effect(document),
            (_, Treatment::Read) => {}
        }
        Ok(())
    }

    /// Whether a document moves the replicas of a service; `None` if it names nothing that it moves.
    fn moves_the_service(&self, document: &Document) -> Option<bool> {
        let (group, kind, name) = scaled_by(document)?;
        let moves = |found: &Workload| {
            document.is_beside(self.namespace_of(&found.document)) && found.is_target(group, kind, name)
        };
        Some(self.workloads().any(moves))
    }

    /// Kinds that matter only if they say so, or only if the service is among those they are about.
    fn is_a_concern(&self, document: &Document, moves_ours: Option<bool>) -> bool {
        let node = &document.node;
        let text = |path: &[&str]| node.text_at(path);
        match document.kind_text() {
            "Service" => text(&["spec", "sessionAffinity"]) == Some("ClientIP"),
            "VerticalPodAutoscaler" => {
                moves_ours == Some(true) && text(&["spec", "updatePolicy", "updateMode"]) != Some("Off")
            }
            "HTTPScaledObject" => moves_ours != Some(false),
            "ProvisioningRequest" => {
                text(&["spec", "provisioningClassName"]) != Some("check-capacity.autoscaling.x-k8s.io")
            }
            "ClusterQueue" | "LocalQueue" | "Cohort" => self.has_label("kueue.x-k8s.io/queue-name"),
            "PodGroup" | "Queue" => self.has_own_scheduler(),
            "BackendTrafficPolicy" => {
                ["retry", "circuitBreaker", "rateLimit"].iter().any(|key| node.at(&["spec", key]).is_some())
            }
            "JobSet" | "MPIJob" | "PyTorchJob" | "TFJob" | "TrainJob" | "Job" | "CronJob" | "RayJob" | "RayCronJob"
            | "RayCluster" | "ScaledJob" | "StormService" | "RayClusterFleet" | "KVCache" | "ModelServing" => {
                pods_with_accelerators(node).is_some()
            }
            _ => true,
        }
    }

    fn templates(&self) -> impl Iterator<Item = &Node> {
        self.workloads().filter_map(|found| found.deployment.node.at(&["spec", "template"]))
    }

    fn has_label(&self, key: &str) -> bool {
        let documents = self.workloads().map(|found| &found.document.node);
        self.templates().chain(documents).any(|node| node.at(&["metadata", "labels", key]).is_some())
    }

    fn has_own_scheduler(&self) -> bool {
        let mut names = self.templates().filter_map(|template| template.text_at(&["spec", "schedulerName"]));
        names.any(|name| name != "default-scheduler")
    }
}

fn unmodelled(document: &Document, reason: &str) -> ScenarioError {
    ScenarioError::Unmodelled { at: document.node.locate(""), title: document.title(), reason: reason.to_owned() }
}

/// The accelerator that some pod template in a document asks for.
fn pods_with_accelerators(node: &Node) -> Option<String> {
    match &node.value {
        Value::Map(entries) => {
            let own = accelerator(node).map(|(resource, _)| resource.to_owned());
            own.or_else(|| entries.iter().find_map(|entry| pods_with_accelerators(&entry.value)))
        }
        Value::List(items) => items.iter().find_map(pods_with_accelerators),
        Value::Null | Value::Scalar { .. } => None,
    }
}

/// Whether values of charts in a document are read for what is scraped.
fn speaks_of_scraping(node: &Node) -> bool {
    let Ok(values) = crate::manifest::chart_values(node) else { return false };
    values.iter().any(|values| !values.objects().is_empty())
}
