//! The server in the service's pods: which program it is and what its command line says of its metrics.
//!
//! Read from the workload's own document, whatever its kind; how the server performs is not looked at here.

use exporters::{Exporter, Facts, Version};

use crate::manifest::workload::with_environment;
use crate::manifest::{Document, Kind};
use crate::server::{Words, count};
use crate::tree::Node;

/// What a document says of the container that serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Server {
    /// Name of the container.
    pub container: String,
    /// Image reference.
    pub image: String,
    /// Command, arguments and environment.
    pub words: Words,
    /// Kind of the workload.
    pub kind: String,
    /// Labels of its pods.
    pub labels: Vec<(String, String)>,
}

impl Server {
    /// Of the document that describes the pods of `workload`, if there is one.
    pub fn of_documents(documents: &[Document], (workload, namespace): (&str, &str)) -> Option<Self> {
        let others = [Kind::Scenario, Kind::HorizontalPodAutoscaler, Kind::ScaledObject, Kind::PodDisruptionBudget];
        let is_it = |document: &&Document| document.name == workload && document.is_beside(Some(namespace));
        let mut candidates = documents.iter().filter(is_it).filter(|document| !others.contains(&document.kind));
        candidates.find_map(|document| {
            let template = document.node.at(&["spec", "template"])?.clone();
            let (template, _) = with_environment(template, document, documents);
            let containers = template.at(&["spec", "containers"])?.items();
            let serving = containers.iter().find(|container| has_gpu(container)).or_else(|| containers.first())?;
            let kind = document.node.get("kind").and_then(Node::text).unwrap_or("Deployment").to_owned();
            let labels = template.at(&["metadata", "labels"]).map(Node::entries).unwrap_or_default();
            let labels = labels.iter().filter_map(|entry| Some((entry.key.clone(), entry.value.text()?.to_owned())));
            Some(Self { kind, labels: labels.collect(), ..Self::of_container(serving) })
        })
    }

    fn of_container(container: &Node) -> Self {
        let text = |key: &str| container.get(key).and_then(Node::text).unwrap_or_default().to_owned();
        Self { container: text("name"), image: text("image"), words: Words::of(container), ..Self::default() }
    }

    /// The name the model is served under, and what says so.
    pub fn model_name(&self) -> Option<(String, String)> {
        let flags = ["--served-model-name", "--model", "--model-path", "--model-id", "--model-name"];
        let by_flag = flags.iter().find_map(|flag| self.words.flag(&[flag]).map(|(written, value)| (value, written)));
        let positional = || Some((self.words.served()?, "the model of `serve`".to_owned()));
        by_flag.or_else(positional).filter(|(name, _)| !name.contains('$') && !name.is_empty())
    }

    /// The servers of models that the image or the command names; None if it tells nothing.
    pub fn engines(&self) -> Option<Vec<Exporter>> {
        let image = self.image.to_lowercase();
        let has = |part: &str| image.contains(part) || self.words.mentions(part);
        let name = image.rsplit('/').next().unwrap_or_default().to_owned();
        Some(match () {
            () if image.contains("nvcr.io/nim/") => vec![Exporter::Nim, Exporter::Vllm],
            () if name.contains("tritonserver") && name.contains("trtllm") => vec![Exporter::TritonTensorRtLlm],
            () if has("trtllm-serve") => vec![Exporter::TrtllmServe],
            () if name.contains("tritonserver") || has("tritonserver") => vec![Exporter::Triton],
            () if has("text-generation-inference") || has("text-generation-launcher") => vec![Exporter::Tgi],
            () if has("text-embeddings-inference") || has("text-embeddings-router") => vec![Exporter::Tei],
            () if has("sglang") => vec![Exporter::Sglang],
            () if has("lmdeploy") => vec![Exporter::Lmdeploy],
            () if name.contains("vllm") || has("vllm.entrypoints") || self.words.mentions("vllm serve") => {
                vec![Exporter::Vllm]
            }
            () if image.contains("ollama/") || name.starts_with("ollama") => Vec::new(),
            () if has("llama.cpp") || has("llama-server") => vec![Exporter::LlamaCpp],
            () if name.contains("torchserve") => vec![Exporter::TorchServe],
            () if image.contains("rayproject/") || name.starts_with("ray") => vec![Exporter::RayServe],
            () if image.contains("kserve/") => vec![Exporter::KServe],
            () => return None,
        })
    }

    /// What it says, as facts for labels and bounds.
    pub fn tell(&self, facts: &mut Facts) {
        facts.container.clone_from(&self.container);
        facts.image.clone_from(&self.image);
        facts.workload_kind.clone_from(&self.kind);
        facts.arguments = self.words.all();
        if let Some((name, from)) = self.model_name() {
            (facts.model_name, facts.model_name_from) = (name, from);
        }
        let flags = ["--max-model-len", "--context-length", "--max-total-tokens"];
        let context = flags.iter().find_map(|flag| self.words.flag(&[flag]));
        if let Some(tokens) = context.and_then(|(_, text)| count(&text)) {
            facts.context_tokens = tokens;
        }
        if let Some(version) = Version::of_image(&self.image) {
            for engine in self.engines().into_iter().flatten() {
                // A NIM's tag counts releases of NIM, not of the vLLM inside.
                if engine != Exporter::Vllm || !self.image.contains("nvcr.io/nim/") {
                    facts.versions.insert(engine, version);
                }
            }
        }
    }
}

fn has_gpu(container: &Node) -> bool {
    let kinds = ["limits", "requests"].iter().filter_map(|kind| container.at(&["resources", kind]));
    kinds.flat_map(Node::entries).any(|entry| entry.key.contains("gpu") || entry.key.contains("nvidia.com/mig"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse_documents;

    fn server(container: &str) -> Server {
        Server::of_container(&parse_documents("a.yaml", container).expect("YAML")[0])
    }

    #[test]
    fn the_name_of_the_model_is_found_however_it_is_given() {
        for (container, name) in [
            ("{image: vllm/vllm-openai:v0.11.0, args: [--model, a/b, --served-model-name, chat]}", "chat"),
            ("{image: vllm/vllm-openai:v0.11.0, args: [\"--model=a/b\"]}", "a/b"),
            ("{image: x/vllm:1, command: [sh, -c, \"vllm serve a/b --port 80\"]}", "a/b"),
            ("{image: x, args: [--served-model-name, old, --port, \"80\", --served_model_name=new]}", "new"),
            ("{image: x, args: [\"--model=$(MODEL)\"], env: [{name: MODEL, value: c}]}", "c"),
        ] {
            assert_eq!(server(container).model_name().map(|found| found.0).as_deref(), Some(name), "{container}");
        }
        assert_eq!(server("{image: x, args: [\"--model=$(MODEL)\"]}").model_name(), None);
    }

    #[test]
    fn servers_are_known_by_image_or_command() {
        let engines = |container: &str| server(container).engines();
        assert_eq!(engines("{image: \"us-docker.pkg.dev/p/serving/vllm-openai:v0.10.1\"}"), Some(vec![Exporter::Vllm]));
        assert_eq!(engines("{image: \"nvcr.io/nvidia/tritonserver:25.02-py3\"}"), Some(vec![Exporter::Triton]));
        assert_eq!(
            engines("{image: \"nvcr.io/nvidia/tritonserver:25.02-trtllm-python-py3\"}"),
            Some(vec![Exporter::TritonTensorRtLlm])
        );
        assert_eq!(engines("{image: \"ollama/ollama:0.5\"}"), Some(vec![]));
        assert_eq!(engines("{image: \"registry.example/own:1\"}"), None);
        assert_eq!(engines("{image: own, command: [python, -m, sglang.launch_server]}"), Some(vec![Exporter::Sglang]));
    }
}
