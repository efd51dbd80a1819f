//! What the user's manifests hold.

use std::path::{Path, PathBuf};

use scenario::{Input, Manifest};
use serde_json::Value;

use crate::failure::{Failure, OrInput, Result};

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Name of the copy and path of the original of each file.
    pub files: Vec<(String, PathBuf)>,
    /// Name of the Deployment to scale, if there is one.
    pub deployment: Option<String>,
    /// True if other Deployments are there, so that this one must be named.
    pub has_several: bool,
    /// Name of the service: the Deployment's, or what the autoscalers call their target.
    pub service: String,
    /// `spec.replicas` of the Deployment.
    pub replicas: u64,
    /// Image of the container with the GPU, or of the first one.
    pub image: String,
    /// HorizontalPodAutoscalers of the service.
    pub hpas: Vec<String>,
    /// ScaledObjects of the service.
    pub scaled_objects: Vec<String>,
    /// True if there is a NodePool or Provisioner.
    pub has_pools: bool,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl Found {
    /// Reads files and folders as `kubectl -f` does.
    pub fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut found = Self { replicas: 1, service: "inference".to_owned(), ..Self::default() };
        if paths.is_empty() {
            return Ok(found);
        }
        let inputs: Vec<Input> = paths.iter().cloned().map(Input::Path).collect();
        let documents = scenario::manifests(&inputs).or_input()?;
        if let Some(document) = documents.iter().find(|document| document.kind == "Scenario") {
            let reason = "holds a Scenario already; run it, or give the manifests without it";
            return Err(Failure::input(format!("{}: {reason}", document.source)));
        }
        found.copies(&documents);
        found.choose(&documents);
        found.autoscalers(&documents);
        found.has_pools =
            documents.iter().any(|document| ["NodePool", "Provisioner"].contains(&document.kind.as_str()));
        Ok(found)
    }

    /// Every file once, under a name of its own.
    fn copies(&mut self, documents: &[Manifest]) {
        for document in documents {
            let path = PathBuf::from(&document.source);
            if self.files.iter().any(|(_, known)| *known == path) {
                continue;
            }
            let plain = super::super::data_files::file_name(&path);
            let is_taken = |name: &str| name == "scenario.yaml" || self.files.iter().any(|(known, _)| known == name);
            let name = if is_taken(&plain) {
                // One more name than there are files: one of them is free.
                let numbered = (2..=self.files.len() + 3).map(|number| format!("{number}-{plain}"));
                numbered.into_iter().find(|name| !is_taken(name)).unwrap_or(plain)
            } else {
                plain
            };
            // Only these endings are read when the folder is.
            let is_read = Path::new(&name)
                .extension()
                .is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
            let name = if is_read { name } else { format!("{name}.yaml") };
            self.files.push((name, path));
        }
    }

    /// The Deployment that autoscalers scale; else the one with a GPU; else the first.
    fn choose(&mut self, documents: &[Manifest]) {
        let deployments: Vec<&Manifest> = documents.iter().filter(|document| document.kind == "Deployment").collect();
        let targets: Vec<&str> = documents.iter().filter_map(target).collect();
        let scaled = deployments.iter().find(|document| targets.contains(&document.name.as_str()));
        let with_gpu = deployments.iter().find(|document| gpu_container(&document.content).is_some());
        let Some(chosen) = scaled.or(with_gpu).or(deployments.first()) else {
            if let Some(target) = targets.first() {
                (*target).clone_into(&mut self.service);
            }
            return;
        };
        self.deployment = Some(chosen.name.clone());
        self.service.clone_from(&chosen.name);
        self.has_several = deployments.len() > 1;
        self.replicas = chosen.content.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
        let container =
            gpu_container(&chosen.content).or_else(|| chosen.content.pointer("/spec/template/spec/containers/0"));
        let image = container.and_then(|container| container.get("image")).and_then(Value::as_str);
        image.unwrap_or_default().clone_into(&mut self.image);
    }

    fn autoscalers(&mut self, documents: &[Manifest]) {
        for document in documents {
            let Some(target) = target(document) else { continue };
            if target != self.service {
                let title = format!("{}/{}", document.kind, document.name);
                self.notes.push(format!("{title} scales {target}, not {}: it became no policy", self.service));
            } else if document.kind == "HorizontalPodAutoscaler" {
                self.hpas.push(document.name.clone());
            } else if !self.scaled_objects.contains(&document.name) {
                // An HTTPScaledObject and the ScaledObject made of it have one name, and are one policy.
                self.scaled_objects.push(document.name.clone());
            }
        }
    }
}

/// What an autoscaler scales; `None` for everything else.
fn target(document: &Manifest) -> Option<&str> {
    if !["HorizontalPodAutoscaler", "ScaledObject", "HTTPScaledObject"].contains(&document.kind.as_str()) {
        return None;
    }
    document.content.pointer("/spec/scaleTargetRef/name")?.as_str()
}

fn gpu_container(deployment: &Value) -> Option<&Value> {
    let containers = deployment.pointer("/spec/template/spec/containers")?.as_array()?;
    let asks = |container: &&Value| {
        let limits = container.pointer("/resources/limits").and_then(Value::as_object);
        limits.is_some_and(|limits| limits.keys().any(|key| key.contains("/gpu") || key.contains("/mig-")))
    };
    containers.iter().find(asks)
}
