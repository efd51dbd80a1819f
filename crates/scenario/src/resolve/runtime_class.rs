//! What a pod's runtime adds to it: overhead, and where the runtime is installed.

use cluster::spec::{PodOverhead, PodSpec};
use serde::Deserialize;

use crate::error::ScenarioError;
use crate::manifest::{Document, Kind, Quantity, TolerationFile, read_loosely};
use crate::tree::Node;

use super::Context;

/// RuntimeClass, as far as scheduling goes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RuntimeClassFile {
    overhead: OverheadFile,
    scheduling: ClassSchedulingFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OverheadFile {
    pod_fixed: std::collections::BTreeMap<String, Quantity>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClassSchedulingFile {
    node_selector: std::collections::BTreeMap<String, String>,
    tolerations: Vec<TolerationFile>,
}

impl Context<'_> {
    /// The overhead and the node selector that the admission of the API server adds to pods of a RuntimeClass.
    pub(super) fn run_in_class(&mut self, pod: &mut PodSpec, template: &Node) -> Result<(), ScenarioError> {
        if let Some(node) = template.at(&["spec", "overhead"]) {
            let fixed: std::collections::BTreeMap<String, Quantity> = node.read("spec.template.spec.overhead")?;
            pod.scheduling.overhead = overhead(&fixed);
        }
        let Some(name) =
            template.at(&["spec", "runtimeClassName"]).and_then(Node::text).filter(|name| !name.is_empty())
        else {
            return Ok(());
        };
        let found: Option<&Document> = self.of_kind(Kind::RuntimeClass).find(|document| document.name == name);
        let Some(document) = found else {
            // Those that GPU operators install are everywhere, and add nothing.
            if !name.starts_with("nvidia") {
                self.note(format!(
                    "RuntimeClass `{name}` is not among the manifests: what it adds to the pod's requests is left out"
                ));
            }
            return Ok(());
        };
        let file: RuntimeClassFile = read_loosely(document)?;
        self.used.insert(document.label());
        pod.scheduling.overhead = overhead(&file.overhead.pod_fixed);
        for (key, value) in file.scheduling.node_selector {
            match pod.node_selector.iter().find(|(known, _)| *known == key) {
                Some((_, own)) if *own != value => {
                    let reason = format!(
                        "the pod selects nodes with `{key}: {own}`, its {} those with `{key}: {value}`: the API server refuses it",
                        document.title()
                    );
                    return Err(ScenarioError::Inconsistent {
                        at: document.node.locate("scheduling.nodeSelector"),
                        reason,
                    });
                }
                Some(_) => {}
                None => pod.node_selector.push((key, value)),
            }
        }
        for toleration in file.scheduling.tolerations {
            let toleration = toleration.toleration().map_err(|reason| ScenarioError::Inconsistent {
                at: document.node.locate("scheduling.tolerations"),
                reason,
            })?;
            pod.scheduling.tolerations.push(toleration);
        }
        Ok(())
    }
}

fn overhead(fixed: &std::collections::BTreeMap<String, Quantity>) -> PodOverhead {
    let of = |resource: &str| fixed.get(resource).copied().unwrap_or(Quantity(0));
    PodOverhead { millicores: u64::try_from(of("cpu").0).unwrap_or(0), bytes: of("memory").units() }
}
