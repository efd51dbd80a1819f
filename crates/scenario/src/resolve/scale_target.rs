//! Whom an autoscaler scales.

use crate::error::{Allowed, At, ScenarioError};
use crate::manifest::workload;
use crate::manifest::{Document, ScaleTargetFile, group_and_version};
use crate::tree::Node;

use super::Context;

impl Context<'_> {
    /// An autoscaler of something else than the service would do nothing here.
    pub(super) fn check_target(
        &mut self,
        target: Option<&ScaleTargetFile>,
        service: &str,
        document: Option<&Document>,
        path: &str,
    ) -> Result<(), ScenarioError> {
        let Some(target) = target else { return Ok(()) };
        let kind = target.kind.as_deref().unwrap_or("Deployment");
        let group = target.api_version.as_deref().map(|version| group_and_version(version).0);
        let at = self.target_place(document, path);
        let Some(found) = &self.workload else {
            // A pod written in the scenario stands for whatever has its name.
            if target.name == service {
                return Ok(());
            }
            let allowed = Allowed::new(&target.name, [service]);
            return Err(ScenarioError::UnknownName { at, what: "service", allowed });
        };
        let who = document.map_or_else(|| "the autoscaler".to_owned(), Document::title);
        if found.is_target(group, kind, &target.name) {
            let other = document.and_then(Document::namespace).zip(found.document.namespace());
            if let Some((own, theirs)) = other.filter(|(own, theirs)| own != theirs) {
                let wanted = format!("{kind} {}", target.name);
                let reason = format!(
                    "{who} is in namespace {own} and scales {wanted} there; the one here is in namespace {theirs}"
                );
                return Err(ScenarioError::Inconsistent { at, reason });
            }
            if group.is_none() && document.is_some_and(|document| document.kind_text() == "HorizontalPodAutoscaler") {
                self.note(format!(
                    "{who}: its target has no `apiVersion`, without which a cluster finds nothing; `apps/v1` is meant"
                ));
            }
            return Ok(());
        }
        let is_named = |one: &&Document| one.name == target.name;
        let others: Vec<&Document> = workload::documents(self.documents).filter(is_named).collect();
        let exact = others.iter().find(|other| other.kind_text() == kind);
        let wanted = format!("{kind} {}", target.name);
        let reason = match (exact, others.first()) {
            (Some(exact), _) if exact.title() != found.document.title() => {
                format!("{who} targets {wanted}, the service is {}", found.document.title())
            }
            (_, Some(other)) if other.kind_text() == kind => {
                let (own, group) = (target.api_version.as_deref().unwrap_or_default(), other.group());
                format!("{who} targets {wanted} of `{own}`, the {kind} here is of group `{group}`")
            }
            (_, Some(other)) => {
                format!("{who} targets {wanted}; the folder has {} {}", other.kind_text(), other.name)
            }
            (None, None) => {
                let names = found.targets.iter().map(|target| format!("{}/{}", target.kind, target.name));
                let allowed = Allowed::new(format!("{kind}/{}", target.name), names);
                return Err(ScenarioError::UnknownName { at, what: "workload", allowed });
            }
            (Some(_), None) => format!("{who} targets {wanted}"),
        };
        Err(ScenarioError::Inconsistent { at, reason })
    }

    #[allow(clippy::unnecessary_box_returns, reason = "errors hold it boxed, to stay small")]
    fn target_place(&self, document: Option<&Document>, path: &str) -> Box<At> {
        let Some(document) = document else { return self.at(path) };
        let node = document.node.at(&["spec", "scaleTargetRef", "name"]).unwrap_or(&document.node);
        node.locate("spec.scaleTargetRef.name")
    }
}

/// Group, kind and name of what a document of any kind moves, if it says so where such documents do.
pub fn scaled_by(document: &Document) -> Option<(Option<&str>, &str, &str)> {
    let reference = ["scaleTargetRef", "targetRef"].into_iter().find_map(|key| document.node.at(&["spec", key]))?;
    let name = reference.text_at(&["name"])?;
    let group = reference.get("apiVersion").and_then(Node::text).map(|version| group_and_version(version).0);
    Some((group, reference.text_at(&["kind"]).unwrap_or("Deployment"), name))
}
