//! KServe: InferenceService over its ServingRuntime, LLMInferenceService over its Configs.

use cluster::spec::ReplicaOrder;

use crate::error::ScenarioError;
use crate::tree::{Node, parse_block};

use super::super::{Document, Kind};
use super::made::{alike, fields, scaler, target, template, with_gpus};
use super::plain::beside;
use super::shape::{merged, whole};
use super::{Group, Shape, Source, Target};

/// Frameworks that stand for `model.modelFormat` in older manifests.
const FORMATS: [&str; 11] = [
    "huggingface",
    "triton",
    "pytorch",
    "tensorflow",
    "onnx",
    "sklearn",
    "xgboost",
    "lightgbm",
    "paddle",
    "mlflow",
    "pmml",
];

const CONTAINER: &str = "kserve-container";

/// An InferenceService: the predictor's pods.
pub fn inference_service(source: Source<'_>) -> Result<Shape, ScenarioError> {
    let predictor = source.need(&["spec", "predictor"])?;
    let document = source.document;
    let title = document.title();
    let mode = deployment_mode(&source);
    if mode == "ModelMesh" {
        let reason = "ModelMesh moves models between servers, which is not modelled".to_owned();
        return Err(ScenarioError::Unmodelled { at: document.node.locate(""), title, reason });
    }
    let mut notes = Vec::new();
    let mut pod = predictor_template(&source, predictor, &mut notes);
    for (key, what) in [("transformer", "its transformer"), ("explainer", "its explainer")] {
        if document.node.at(&["spec", key]).is_some() {
            notes.push(format!("{title}: {what} is left out"));
        }
    }
    if predictor.get("canaryTrafficPercent").is_some() {
        notes.push(format!("{title}: the share of traffic of `canaryTrafficPercent` is left out"));
    }
    let workers = predictor.get("workerSpec");
    let of = |key: &str| workers.and_then(|node| whole(node, &[key])).unwrap_or(1).max(1);
    with_gpus(&mut pod, if workers.is_some() { of("tensorParallelSize") } else { 0 });
    let group = workers.and_then(|_| alike(document, of("pipelineParallelSize"), &pod)).map(Group::of_single_pods);
    let scaled = target("Deployment", format!("{}-predictor", document.name));
    let least = whole(predictor, &["minReplicas"]).unwrap_or(1);
    let mut shape = Shape::of(pod, "spec.predictor", Some(predictor.with_word(least.to_string())));
    if mode == "Standard" {
        match document.annotation("serving.kserve.io/autoscalerClass") {
            Some("keda") => shape.scalers.extend(keda(document, predictor, &scaled, &mut notes)),
            Some("none" | "external") => {}
            _ => shape.scalers.push(hpa(document, predictor, &scaled, &mut notes)),
        }
    } else if whole(predictor, &["maxReplicas"]) != Some(least) {
        shape.own_scaler = Some(format!(
            "{title}: Knative moves its replicas by requests in progress (KPA), which is not modelled; with \
             `serving.kserve.io/deploymentMode: Standard` it has an HPA or KEDA instead"
        ));
    }
    Ok(Shape { group, targets: vec![scaled], notes, ..shape })
}

/// `Standard`, `Knative` or `ModelMesh`.
fn deployment_mode(source: &Source<'_>) -> String {
    let configured = || {
        let map = source.folder.iter().find(|other| other.name == "inferenceservice-config")?;
        let text = map.node.at(&["data", "deploy"])?;
        let parsed = parse_block(text).ok()?;
        parsed.first()?.text_at(&["defaultDeploymentMode"]).map(str::to_owned)
    };
    let written = source.document.annotation("serving.kserve.io/deploymentMode").map(str::to_owned);
    match written.or_else(configured).as_deref() {
        Some("Standard" | "RawDeployment") => "Standard".to_owned(),
        Some("ModelMesh") => "ModelMesh".to_owned(),
        _ => "Knative".to_owned(),
    }
}

/// The predictor's pod over that of its runtime.
fn predictor_template(source: &Source<'_>, predictor: &Node, notes: &mut Vec<String>) -> Node {
    let title = source.document.title();
    let model = predictor.get("model").or_else(|| FORMATS.iter().find_map(|format| predictor.get(format)));
    let runtime = model.and_then(|model| runtime(source, predictor, model));
    let nothing = predictor.with_map([]);
    let base = runtime.and_then(|runtime| runtime.node.get("spec")).unwrap_or(&nothing);
    let mut containers = base.get("containers").map(|list| list.items().to_vec()).unwrap_or_default();
    if let Some(own) = predictor.get("containers") {
        for container in own.items() {
            let name = container.text_at(&["name"]);
            match containers.iter_mut().find(|known| known.text_at(&["name"]) == name) {
                Some(known) => *known = merged(&known.clone(), container),
                None => containers.push(container.clone()),
            }
        }
    }
    if let Some(model) = model {
        if runtime.is_none() {
            notes.push(format!(
                "{title}: its ServingRuntime is not among the manifests: image and defaults of the server are not known"
            ));
        }
        let position = containers.iter().position(|one| one.text_at(&["name"]) == Some(CONTAINER)).unwrap_or(0);
        if containers.is_empty() {
            containers.push(model.with_map([("name", model.with_text(CONTAINER))]));
        }
        over_runtime(&mut containers[position], model);
    }
    let pod = merged(base, predictor);
    let labels = source.document.node.at(&["metadata", "labels"]);
    template(&pod, containers, labels)
}

/// Arguments are added to those of the runtime, variables by their names, resources replaced.
fn over_runtime(container: &mut Node, model: &Node) {
    for (key, value) in
        fields(model, &["image", "resources", "command", "readinessProbe", "livenessProbe", "startupProbe"])
    {
        container.put(key, value);
    }
    if let Some(args) = model.get("args") {
        let before = container.get("args").map(|list| list.items().to_vec()).unwrap_or_default();
        container.put("args", args.with_list(before.into_iter().chain(args.items().iter().cloned()).collect()));
    }
    if let Some(env) = model.get("env") {
        let own = container.get("env").map_or_else(|| env.clone(), |base| merged(base, env));
        container.put("env", own);
    }
}

/// The runtime that is named, or that chooses itself for the model's format.
fn runtime<'a>(source: &Source<'a>, predictor: &Node, model: &Node) -> Option<&'a Document> {
    let named = model.text_at(&["runtime"]);
    let old = FORMATS.iter().find(|format| predictor.get(format).is_some()).copied();
    let format = model.text_at(&["modelFormat", "name"]).or(old)?.to_owned();
    let chooses_itself = |runtime: &&Document| {
        let formats = runtime.node.at(&["spec", "supportedModelFormats"]).map(Node::items).unwrap_or_default();
        formats
            .iter()
            .any(|one| one.text_at(&["name"]) == Some(&format) && one.text_at(&["autoSelect"]) == Some("true"))
    };
    let mut runtimes = beside(source, Kind::ServingRuntime);
    match named {
        Some(name) => runtimes.find(|runtime| runtime.name == name),
        None => runtimes.find(chooses_itself),
    }
}

/// The bounds of both autoscalers; an upper one below the lower is the lower one.
fn bounds(predictor: &Node, floor: u32) -> (Node, Node) {
    let least = whole(predictor, &["minReplicas"]).unwrap_or(1).max(floor);
    let most = whole(predictor, &["maxReplicas"]).unwrap_or(0).max(least);
    (predictor.with_word(least.to_string()), predictor.with_word(most.to_string()))
}

/// A Resource metric with its target in percent.
fn utilization(node: &Node, name: &str, percent: Node) -> Node {
    let target = node.with_map([("type", node.with_text("Utilization")), ("averageUtilization", percent)]);
    let resource = node.with_map([("name", node.with_text(name)), ("target", target)]);
    node.with_map([("type", node.with_text("Resource")), ("resource", resource)])
}

fn hpa(document: &Document, predictor: &Node, scaled: &Target, notes: &mut Vec<String>) -> Document {
    let written = predictor.at(&["autoScaling", "metrics"]).map(Node::items).unwrap_or_default();
    let resources = written.iter().filter(|metric| metric.text_at(&["type"]) == Some("Resource"));
    let mut metrics: Vec<Node> = resources.cloned().collect();
    if metrics.is_empty() {
        let goal = predictor.get("scaleTarget").cloned();
        match (predictor.text_at(&["scaleMetric"]), goal) {
            (None | Some("cpu"), goal) => {
                metrics.push(utilization(predictor, "cpu", goal.unwrap_or_else(|| predictor.with_word("80"))));
            }
            (Some("memory"), Some(goal)) => metrics.push(utilization(predictor, "memory", goal)),
            (Some(other), _) => notes.push(format!(
                "{}: the HPA of deployment mode Standard has no metric `{other}`: the API server gives it cpu at 80 %",
                document.title()
            )),
        }
    }
    let (least, most) = bounds(predictor, 1);
    let spec = vec![("minReplicas", least), ("maxReplicas", most), ("metrics", predictor.with_list(metrics))];
    scaler(document, Kind::HorizontalPodAutoscaler, &scaled.name, scaled, spec)
}

fn keda(document: &Document, predictor: &Node, scaled: &Target, notes: &mut Vec<String>) -> Option<Document> {
    let written = predictor.at(&["autoScaling", "metrics"]).map(Node::items).unwrap_or_default();
    let mut triggers = Vec::new();
    for metric in written {
        let trigger = match metric.text_at(&["type"]) {
            Some("Resource") => resource_trigger(metric),
            Some("External") => external_trigger(metric),
            _ => None,
        };
        match trigger {
            Some(trigger) => triggers.push(trigger),
            None => notes.push(format!(
                "{}: a metric of type {} of `autoScaling` is left out",
                document.title(),
                metric.text_at(&["type"]).unwrap_or("unknown")
            )),
        }
    }
    if triggers.is_empty() {
        return None;
    }
    let (least, most) = bounds(predictor, 0);
    let mut spec =
        vec![("minReplicaCount", least), ("maxReplicaCount", most), ("triggers", predictor.with_list(triggers))];
    let behavior = predictor.at(&["autoScaling", "behavior"]);
    let window = |side: &str, usual: &str| {
        let own = behavior.and_then(|node| node.at(&[side, "stabilizationWindowSeconds"])).cloned();
        predictor.with_map([("stabilizationWindowSeconds", own.unwrap_or_else(|| predictor.with_word(usual)))])
    };
    let sides = predictor.with_map([("scaleUp", window("scaleUp", "0")), ("scaleDown", window("scaleDown", "300"))]);
    let config = predictor.with_map([("behavior", sides)]);
    spec.push(("advanced", predictor.with_map([("horizontalPodAutoscalerConfig", config)])));
    Some(scaler(document, Kind::ScaledObject, &scaled.name, scaled, spec))
}

fn resource_trigger(metric: &Node) -> Option<Node> {
    let resource = metric.get("resource")?;
    let goal = resource.get("target")?;
    let kind = goal.text_at(&["type"]).unwrap_or("Utilization");
    let value = ["averageUtilization", "averageValue", "value"].into_iter().find_map(|key| goal.text_at(&[key]))?;
    Some(metric.with_map([
        ("type", metric.with_text(resource.text_at(&["name"])?)),
        ("metricType", metric.with_text(kind)),
        ("metadata", metric.with_map([("value", metric.with_text(value))])),
    ]))
}

fn external_trigger(metric: &Node) -> Option<Node> {
    let source = metric.at(&["external", "metric"])?;
    let goal = metric.at(&["external", "target"])?;
    let backend = source.text_at(&["backend"]).unwrap_or("prometheus");
    let value = ["value", "averageValue"].into_iter().find_map(|key| goal.text_at(&[key]))?;
    let text = |key: &'static str| Some((key, metric.with_text(source.text_at(&[key])?)));
    let mut metadata: Vec<(&str, Node)> =
        ["serverAddress", "query", "namespace"].into_iter().filter_map(text).collect();
    metadata.push(("threshold", metric.with_text(value)));
    let mut trigger = vec![("type", metric.with_text(backend)), ("metadata", metric.with_map(metadata))];
    if let Some(kind @ ("AverageValue" | "Value")) = goal.text_at(&["type"]) {
        trigger.push(("metricType", metric.with_text(kind)));
    }
    Some(metric.with_map(trigger))
}

/// An LLMInferenceService: its own `spec` over those of its Configs.
pub fn llm_inference_service(source: Source<'_>) -> Result<Shape, ScenarioError> {
    let document = source.document;
    let title = document.title();
    let own = source.need(&["spec"])?;
    let mut notes = Vec::new();
    let mut spec = own.with_map([]);
    for reference in own.get("baseRefs").map(Node::items).unwrap_or_default() {
        let name = reference.text_at(&["name"]).unwrap_or_default();
        match beside(&source, Kind::LlmInferenceServiceConfig).find(|config| config.name == name) {
            Some(config) => spec = merged(&spec, config.node.get("spec").unwrap_or(&spec)),
            None => notes
                .push(format!("{title}: its base {name} is not among the manifests: what it fills in is not known")),
        }
    }
    let spec = merged(&spec, own);
    let nothing = own.with_map([]);
    let pod = spec.get("template").unwrap_or(&nothing);
    let mut containers = pod.get("containers").map(|list| list.items().to_vec()).unwrap_or_default();
    if !containers.iter().any(|one| one.text_at(&["name"]) == Some("main")) {
        let command = ["vllm", "serve"].map(|word| own.with_text(word)).to_vec();
        containers.insert(0, own.with_map([("name", own.with_text("main")), ("command", own.with_list(command))]));
    }
    let of = |key: &str| whole(&spec, &["parallelism", key]).unwrap_or(1).max(1);
    let labels = document.node.at(&["metadata", "labels"]);
    let mut pod = template(pod, containers, labels);
    with_gpus(&mut pod, of("tensor") * of("dataLocal"));
    let size = match spec.get("worker") {
        None => 1,
        Some(_) if of("data") > 1 => of("data").div_ceil(of("dataLocal")),
        Some(_) => of("pipeline"),
    };
    if spec.get("prefill").is_some() {
        notes.push(format!(
            "{title}: its prefill pods and their GPUs are left out: the service is the one that decodes"
        ));
    }
    let worker = spec.get("worker").map(|worker| {
        let own = worker.get("containers").map(|list| list.items().to_vec()).unwrap_or_default();
        let mut made = template(worker, if own.is_empty() { vec![own_container(&nothing)] } else { own }, labels);
        with_gpus(&mut made, of("tensor") * of("dataLocal"));
        made
    });
    let group = alike(document, size, worker.as_ref().unwrap_or(&pod));
    let scaled = match &group {
        Some(_) => target("LeaderWorkerSet", format!("{}-kserve-mn", document.name)),
        None => target("Deployment", format!("{}-kserve", document.name)),
    };
    let scaling = spec.get("scaling");
    let start = spec.get("replicas").or_else(|| scaling?.get("minReplicas")).cloned();
    let scalers = scaling.and_then(|scaling| llm_scaler(document, scaling, &scaled));
    let own_scaler = scaling
        .filter(|scaling| scaling.get("wva").is_some())
        .map(|_| format!("{title}: llm-d's variant autoscaler (wva) moves its replicas, which is not modelled"));
    Ok(Shape {
        order: if group.is_some() { ReplicaOrder::HighestFirst } else { ReplicaOrder::Parallel },
        group,
        scalers: scalers.into_iter().collect(),
        targets: vec![scaled],
        own_scaler,
        notes,
        ..Shape::of(pod, "spec.template", start)
    })
}

fn own_container(node: &Node) -> Node {
    node.with_map([("name", node.with_text("main"))])
}

/// The ScaledObject of `scaling.keda`.
fn llm_scaler(document: &Document, scaling: &Node, scaled: &Target) -> Option<Document> {
    let keda = scaling.get("keda")?;
    let keys = [
        "triggers",
        "pollingInterval",
        "cooldownPeriod",
        "initialCooldownPeriod",
        "idleReplicaCount",
        "fallback",
        "advanced",
    ];
    let mut spec = fields(keda, &keys);
    spec.push(("minReplicaCount", scaling.get("minReplicas").cloned().unwrap_or_else(|| scaling.with_word("1"))));
    spec.extend(scaling.get("maxReplicas").map(|most| ("maxReplicaCount", most.clone())));
    Some(scaler(document, Kind::ScaledObject, &format!("{}-kserve-keda", document.name), scaled, spec))
}
