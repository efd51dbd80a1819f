//! The flags of the server in the workload's container, held against the service that the scenario describes.

use cluster::spec::PodSpec;

use crate::error::ScenarioError;
use crate::file::{ContinuousBatchingFile, ModelFile, ServiceView};
use crate::manifest::workload::{engine, gpu_containers};
use crate::server::{Settings, Stated, Words, settings, slips};

use super::Context;

impl Context<'_> {
    /// A scenario that says another number than the manifest beside it is about another server. What `--set` changes is meant to differ,
    /// and is noted.
    pub(super) fn hold_against_flags(&mut self, spec: &ServiceView, pod: &PodSpec) -> Result<(), ScenarioError> {
        let Some(workload) = &self.workload else { return Ok(()) };
        let node = &workload.deployment.node;
        let template = node.at(&["spec", "template"]).unwrap_or(node);
        let (Some(engine), Some(container)) = (engine(template), gpu_containers(template).first().copied()) else {
            return Ok(());
        };
        let found = settings(container, engine, None);
        let place = container.place.to_string();
        let words = Words::of(container);
        let told = words.repeated().into_iter().map(|(flag, values)| {
            let all = values.join(", then ");
            format!("{place}: {flag} is given {} times ({all}): the last one counts", values.len())
        });
        let told: Vec<String> =
            told.chain(slips(&words, engine).into_iter().map(|slip| format!("{place}: {slip}"))).collect();
        told.into_iter().for_each(|note| self.note(note));
        found.notes.iter().for_each(|note| self.note_flag(&place, note));
        self.hold_gpus(&found, pod, &place);
        match &spec.service.model {
            ModelFile::ContinuousBatching(model) => self.hold_batching(&found, model, &place),
            _ => Ok(()),
        }
    }

    /// Processes of a server and GPUs of its pod.
    fn hold_gpus(&mut self, found: &Settings, pod: &PodSpec, place: &str) {
        let Some(gpus) = &found.gpus else { return };
        let (uses, source) = (gpus.value, &gpus.source);
        // What is local is said of one pod of several.
        let of_all = pod.group.is_some() && !source.contains("-local");
        let (has, whose) = if of_all { (pod.replica_gpus(), "pods of a replica ask") } else { (pod.gpus, "pod asks") };
        if uses > has {
            self.note(format!(
                "{place}: {source} uses {uses} GPUs and the {whose} for {has}: such a server never starts"
            ));
        } else if uses < has {
            self.note(format!(
                "{place}: {source} uses {uses} of the {has} GPUs that the {whose} for; the others are paid for idle"
            ));
        }
    }

    fn hold_batching(
        &mut self,
        found: &Settings,
        model: &ContinuousBatchingFile,
        place: &str,
    ) -> Result<(), ScenarioError> {
        let pairs = [
            ("sequencesMax", &found.sequences_max, model.sequences_max),
            ("batchedTokensMax", &found.batched_tokens_max, model.batched_tokens_max),
        ];
        for (key, stated, ours) in pairs {
            // What a preset stands for goes by the flags.
            let Some(ours) = ours else { continue };
            let Some(Stated { value, source, is_default: false }) = stated else { continue };
            if *value == ours {
                continue;
            }
            let path = format!("spec.service.model.continuousBatching.{key}");
            let at = self.at(&path);
            if at.place.source.starts_with("--set") {
                self.note(format!("{key} is {ours} by --set; {place} says {source}"));
            } else {
                let reason = format!("is {ours}, and the container at {place} is started with {source}");
                return Err(ScenarioError::Inconsistent { at, reason });
            }
        }
        Ok(())
    }
}
