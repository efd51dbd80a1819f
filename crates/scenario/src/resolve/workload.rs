//! The workload of the service: which it is, and its pod.

use cluster::spec::PodSpec;
use units::SimDuration;

use crate::error::{Allowed, ScenarioError};
use crate::file::{ManagerFile, ServiceFile};
use crate::manifest::workload::{self, Workload, accelerator};
use crate::manifest::{DeploymentFile, Document, Kind, read};

use super::Context;

impl Context<'_> {
    /// The workload of the service: the one named, the one of its own name, the only one, or the only one with an accelerator.
    pub(super) fn choose_workload(
        &mut self,
        file: &ServiceFile,
        service: Option<&str>,
    ) -> Result<Option<Workload>, ScenarioError> {
        let documents: Vec<&Document> = workload::documents(self.documents).collect();
        let of = |document: &Document, folder: &[Document]| Workload::of(document, folder);
        let chosen = match (&file.workload, &file.deployment) {
            (Some(_), Some(_)) => {
                let reason = "stands for `workload: Deployment/NAME`; leave one of them out";
                return Err(self.inconsistent("spec.service.deployment", reason));
            }
            (Some(name), None) => Some(self.named_workload(&documents, name, "spec.service.workload")?),
            (None, Some(name)) => {
                let full = format!("Deployment/{name}");
                Some(self.named_workload(&documents, &full, "spec.service.deployment")?)
            }
            (None, None) if file.pod.is_some() => None,
            (None, None) => match self.namesake(&documents, service) {
                Some(found) => Some(found),
                None => self.only_workload(&documents)?,
            },
        };
        if let (Some(_), Some(chosen)) = (&file.pod, chosen) {
            let reason = format!("there is {} too; leave one of them out", chosen.title());
            return Err(self.inconsistent("spec.service.pod", &reason));
        }
        // Beside others, workloads with accelerators may be theirs.
        if file.pod.is_some() && !self.has_several() {
            let with_gpus = |document: &&Document| template_asks(document, self.documents);
            if let Some(other) = documents.into_iter().find(with_gpus) {
                let reason = format!(
                    "there is {} too; leave one of them out, or list it under `manifests.ignore`",
                    other.title()
                );
                return Err(self.inconsistent("spec.service.pod", &reason));
            }
        }
        chosen.map_or(Ok(None), |document| of(document, self.documents))
    }

    /// The workload that is called as the service.
    fn namesake<'d>(&self, documents: &[&'d Document], service: Option<&str>) -> Option<&'d Document> {
        let service = service?;
        let of_name: Vec<&Document> =
            documents.iter().copied().filter(|one| is_called(one, service, self.namespace_of(one))).collect();
        match of_name[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    fn only_workload<'d>(&mut self, documents: &[&'d Document]) -> Result<Option<&'d Document>, ScenarioError> {
        let [first, _, ..] = documents else { return Ok(documents.first().copied()) };
        let with_gpus: Vec<&Document> =
            documents.iter().copied().filter(|document| template_asks(document, self.documents)).collect();
        if let [only] = with_gpus[..] {
            let others: Vec<String> =
                documents.iter().filter(|other| other.label() != only.label()).map(|other| other.title()).collect();
            debug_assert!(!others.is_empty(), "{}", first.name);
            self.note(format!("the service is {}, the only workload with an accelerator", only.title()));
            return Ok(Some(only));
        }
        let titles: Vec<String> = documents.iter().map(|document| document.title()).collect();
        let reason = format!("there are several workloads ({}); name one in `service.workload`", titles.join(", "));
        Err(self.inconsistent("spec.service", &reason))
    }

    /// `NAME`, `KIND/NAME` or `NAMESPACE/KIND/NAME`.
    fn named_workload<'d>(
        &self,
        documents: &[&'d Document],
        name: &str,
        path: &str,
    ) -> Result<&'d Document, ScenarioError> {
        let found: Vec<&Document> = documents
            .iter()
            .copied()
            .filter(|document| is_called(document, name, self.namespace_of(document)))
            .collect();
        match found[..] {
            [only] => Ok(only),
            [] => {
                let is_short = path.ends_with("deployment");
                let (what, found) =
                    if is_short { ("Deployment", name.trim_start_matches("Deployment/")) } else { ("workload", name) };
                let known = documents.iter().filter(|document| !is_short || document.kind == Kind::Deployment);
                let names = known.map(|document| if is_short { document.name.clone() } else { document.title() });
                Err(ScenarioError::UnknownName { at: self.at(path), what, allowed: Allowed::new(found, names) })
            }
            _ => {
                let full = |document: &&Document| {
                    let namespace = self.namespace_of(document).unwrap_or("default");
                    format!("{namespace}/{}", document.title())
                };
                let names: Vec<String> = found.iter().map(full).collect();
                Err(self.inconsistent(path, &format!("`{name}` may be {}; name one of them", names.join(" or "))))
            }
        }
    }

    /// Nothing runs pods: what there is instead, and what each would need.
    pub(super) fn no_workload(&self) -> ScenarioError {
        let delivered: Vec<String> =
            self.documents.iter().filter(|one| one.kind == Kind::Delivery).map(Document::title).collect();
        let reason = if delivered.is_empty() {
            "there is no workload among the manifests (Deployment, StatefulSet, LeaderWorkerSet, …); add one, or describe the pod under \
             `service.pod`"
                .to_owned()
        } else {
            let delivered = delivered.join(", ");
            format!(
                "{delivered} stands for manifests that are elsewhere: render what it points at into this folder, or describe the pod under `service.pod`"
            )
        };
        self.inconsistent("spec.service", &reason)
    }

    /// The pod of a workload and how many replicas it starts with.
    pub(super) fn workload_pod(
        &mut self,
        workload: &Workload,
        endpoint_delay: SimDuration,
        manager: &ManagerFile,
    ) -> Result<(PodSpec, u32), ScenarioError> {
        let shaped = (&workload.deployment, workload.template_path.as_str());
        let (mut pod, replicas) = self.pod_in(workload, shaped, endpoint_delay, manager)?;
        if let Some(template) = workload.deployment.node.at(&["spec", "template"]) {
            self.read_probes(&mut pod, template).map_err(|error| renamed(error, &workload.template_path))?;
        }
        workload.notes.iter().for_each(|note| self.note(note.clone()));
        if let Some(lost) = &workload.own_scaler {
            self.note(lost.clone());
        }
        if workload.document.is_export()
            && let Some(replicas) = replicas
        {
            let title = workload.document.title();
            self.note(format!("{title} comes from a cluster: its {replicas} replicas are those of that moment, and the number the run starts with"));
        }
        if let Some(group) = &workload.group {
            pod.group = Some(self.group_of((workload, group), &pod, endpoint_delay, manager)?);
        }
        Ok((pod, replicas.unwrap_or(1)))
    }

    /// The pod of one of a workload's templates, with what binds it to nodes and without probes, and the number of replicas there.
    pub(super) fn pod_in(
        &mut self,
        workload: &Workload,
        (shaped, template_path): (&Document, &str),
        endpoint_delay: SimDuration,
        manager: &ManagerFile,
    ) -> Result<(PodSpec, Option<u32>), ScenarioError> {
        let (mut pod, replicas) = self.shaped_pod(workload, (shaped, template_path), endpoint_delay)?;
        if let Some(template) = shaped.node.at(&["spec", "template"]) {
            let namespace = self.namespace_of(&workload.document).unwrap_or("default").to_owned();
            let there = |error| renamed(error, template_path);
            self.bind(&mut pod, (template, &namespace), manager).map_err(there)?;
        }
        Ok((pod, replicas))
    }

    fn shaped_pod(
        &mut self,
        workload: &Workload,
        (shaped, template_path): (&Document, &str),
        endpoint_delay: SimDuration,
    ) -> Result<(PodSpec, Option<u32>), ScenarioError> {
        let there = |error| renamed(error, template_path);
        let (file, ignored) = read::<DeploymentFile>(shaped).map_err(there)?;
        let ignored: Vec<String> = ignored.iter().map(|path| in_template(path, template_path)).collect();
        self.note_ignored(&workload.document, &ignored);
        let title = workload.document.title();
        for (container, reading) in file.unread_hooks() {
            self.note(format!("{title}: preStop hook of container `{container}`: {reading}"));
        }
        self.hook_waits = file.hook_waits();
        let pod = file.pod(endpoint_delay).map_err(|(path, reason)| {
            let place = shaped.node.at(&["spec", "template", "spec"]).unwrap_or(&shaped.node);
            let path = in_template(&format!("spec.template.spec.{path}"), template_path);
            ScenarioError::Inconsistent { at: place.locate(path), reason }
        })?;
        Ok((pod, file.spec.replicas))
    }
}

/// True if a document goes by this name.
fn is_called(document: &Document, name: &str, namespace: Option<&str>) -> bool {
    match name.split('/').collect::<Vec<_>>()[..] {
        [own] => document.name == own,
        [kind, own] => document.name == own && document.kind_text().eq_ignore_ascii_case(kind),
        [space, kind, own] => {
            document.name == own
                && document.kind_text().eq_ignore_ascii_case(kind)
                && namespace.unwrap_or("default") == space
        }
        _ => false,
    }
}

/// True if a pod of this workload asks for an accelerator.
fn template_asks(document: &Document, folder: &[Document]) -> bool {
    let workload = Workload::of(document, folder).ok().flatten();
    workload.is_some_and(|found| found.deployment.node.at(&["spec", "template"]).and_then(accelerator).is_some())
}

/// A path below `spec.template` as the document has it.
fn in_template(path: &str, template_path: &str) -> String {
    match path.strip_prefix("spec.template") {
        Some(rest) if template_path.is_empty() => rest.trim_start_matches('.').to_owned(),
        Some(rest) => format!("{template_path}{rest}"),
        None => path.to_owned(),
    }
}

fn renamed(mut error: ScenarioError, template_path: &str) -> ScenarioError {
    match &mut error {
        ScenarioError::UnknownKey { at, .. }
        | ScenarioError::UnknownChoice { at, .. }
        | ScenarioError::MissingKey { at, .. }
        | ScenarioError::WrongValue { at, .. }
        | ScenarioError::Inconsistent { at, .. }
        | ScenarioError::NotModelled { at, .. } => at.path = in_template(&at.path, template_path),
        _ => {}
    }
    error
}
