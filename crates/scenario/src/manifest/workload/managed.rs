//! Workloads that bring a scaler of their own: Ray Serve, Knative, KubeAI, KAITO, SageMaker HyperPod.

use prices::Catalog;

use crate::error::ScenarioError;
use crate::tree::{Node, parse_block};

use super::super::Kind;
use super::made::{alike, fields, scaler, template, with_gpus};
use super::shape::{accelerator, whole};
use super::{Group, Shape, Source, Target};

/// Ray Serve: a replica is an actor, many of which may share a worker pod.
pub fn ray_service(source: Source<'_>) -> Result<Shape, ScenarioError> {
    let title = source.document.title();
    let config = source.need(&["spec", "serveConfigV2"])?;
    let documents = parse_block(config)?;
    let nothing = config.with_map([]);
    let deployments = serve_deployments(documents.first().unwrap_or(&nothing));
    let groups = source.need(&["spec", "rayClusterConfig", "workerGroupSpecs"])?.items();
    let Some(group) = groups.iter().find(|group| group.get("template").and_then(accelerator).is_some()) else {
        let reason = format!("{title}: no group of workers asks for an accelerator");
        return Err(ScenarioError::Inconsistent {
            at: config.locate("spec.rayClusterConfig.workerGroupSpecs"),
            reason,
        });
    };
    let pod = group.get("template").cloned().unwrap_or(nothing);
    let pod_gpus = accelerator(&pod).map_or(0.0, |(_, count)| count);
    let serving = deployments.iter().find(|one| one.gpus > 0.0).or(deployments.first());
    let Some(serving) = serving else {
        let reason = format!("{title}: serveConfigV2 has no deployment");
        return Err(ScenarioError::Inconsistent { at: config.locate("spec.serveConfigV2"), reason });
    };
    let hosts = whole(group, &["numOfHosts"]).unwrap_or(1);
    let mut shape =
        Shape::of(pod.clone(), "spec.rayClusterConfig.workerGroupSpecs[].template", serving.replicas.clone());
    shape.group = alike(source.document, hosts, &pod);
    shape.notes.push(format!("{title}: the service is its deployment {}", serving.name));
    if serving.gpus > 0.0 && serving.gpus < pod_gpus {
        let share = pod_gpus / serving.gpus;
        shape.notes.push(format!(
            "{title}: a worker pod has room for {share:.1} replicas; here each replica has a pod of its own"
        ));
    }
    if serving.is_scaled {
        shape.own_scaler = Some(format!(
            "{title}: Ray Serve moves its replicas by requests in progress (autoscaling_config), which is not modelled"
        ));
    }
    Ok(shape)
}

/// A deployment of Serve.
struct Serving {
    name: String,
    gpus: f64,
    replicas: Option<Node>,
    is_scaled: bool,
}

fn serve_deployments(config: &Node) -> Vec<Serving> {
    let applications = config.get("applications").map(Node::items).unwrap_or_default();
    let mut found = Vec::new();
    for application in applications {
        for node in application.get("deployments").map(Node::items).unwrap_or_default() {
            let gpus = node.text_at(&["ray_actor_options", "num_gpus"]).and_then(|text| text.parse().ok());
            found.push(serving(node, node.text_at(&["name"]).unwrap_or_default(), gpus.unwrap_or(0.0)));
        }
        for model in application.at(&["args", "llm_configs"]).map(Node::items).unwrap_or_default() {
            let of = |key: &str| model.text_at(&["engine_kwargs", key]).and_then(|text| text.parse::<f64>().ok());
            let gpus = of("tensor_parallel_size").unwrap_or(1.0) * of("pipeline_parallel_size").unwrap_or(1.0);
            let name = model.text_at(&["model_loading_config", "model_id"]).unwrap_or_default();
            let nothing = model.with_map([]);
            found.push(serving(model.get("deployment_config").unwrap_or(&nothing), name, gpus));
        }
    }
    found
}

fn serving(node: &Node, name: &str, gpus: f64) -> Serving {
    let number = node.get("num_replicas");
    let bounds = node.get("autoscaling_config");
    let started = bounds.and_then(|bounds| bounds.get("initial_replicas").or_else(|| bounds.get("min_replicas")));
    let is_auto = number.and_then(Node::text) == Some("auto");
    let fixed = match (
        bounds.and_then(|one| whole(one, &["min_replicas"])),
        bounds.and_then(|one| whole(one, &["max_replicas"])),
    ) {
        (Some(least), Some(most)) => least == most,
        _ => false,
    };
    Serving {
        name: name.to_owned(),
        gpus,
        replicas: if is_auto { None } else { number.or(started).cloned() },
        is_scaled: is_auto || (bounds.is_some() && !fixed),
    }
}

/// A Knative Service: a pod a replica, scaled by requests in progress unless its class says otherwise.
pub fn knative_service(source: Source<'_>) -> Result<Shape, ScenarioError> {
    let pod = source.need(&["spec", "template"])?.clone();
    let annotation = |names: &[&str]| {
        let annotations = pod.at(&["metadata", "annotations"])?;
        names.iter().find_map(|name| annotations.get(&format!("autoscaling.knative.dev/{name}"))).cloned()
    };
    let least = annotation(&["min-scale", "minScale"]);
    let most = annotation(&["max-scale", "maxScale"]);
    let start = annotation(&["initial-scale", "initialScale"]).or_else(|| least.clone()).map(|node| number(&node));
    let mut shape = Shape::of(pod.clone(), "spec.template", start);
    let class = annotation(&["class"]).and_then(|node| node.text().map(str::to_owned)).unwrap_or_default();
    let metric = annotation(&["metric"]).and_then(|node| node.text().map(str::to_owned));
    let document = source.document;
    let bounds = (least.as_ref().and_then(Node::text), most.as_ref().and_then(Node::text));
    if class.starts_with("hpa.") && matches!(metric.as_deref(), None | Some("cpu" | "memory")) {
        let scaled =
            Target { group: "apps".into(), kind: "Deployment".into(), name: format!("{}-deployment", document.name) };
        let percent = annotation(&["target"]).map_or_else(|| pod.with_word("80"), |node| number(&node));
        let resource = pod.with_map([
            ("name", pod.with_text(metric.as_deref().unwrap_or("cpu"))),
            ("target", pod.with_map([("type", pod.with_text("Utilization")), ("averageUtilization", percent)])),
        ]);
        let metrics = pod.with_map([("type", pod.with_text("Resource")), ("resource", resource)]);
        let mut spec = vec![("metrics", pod.with_list(vec![metrics]))];
        spec.extend(least.as_ref().map(|node| ("minReplicas", number(node))));
        spec.push(("maxReplicas", most.as_ref().map_or_else(|| pod.with_word("100"), number)));
        shape.scalers.push(scaler(document, Kind::HorizontalPodAutoscaler, &document.name, &scaled, spec));
        shape.targets.push(scaled);
    } else if bounds.0.is_none() || bounds.0 != bounds.1 {
        let title = document.title();
        shape.own_scaler =
            Some(format!("{title}: Knative moves its replicas by requests in progress (KPA), which is not modelled"));
    }
    Ok(shape)
}

/// The number in an annotation, which is text there.
fn number(node: &Node) -> Node {
    node.with_word(node.text().unwrap_or_default())
}

/// A KubeAI model: the resources of a replica are a profile of KubeAI's own configuration.
pub fn kubeai_model(source: Source<'_>) -> Result<Shape, ScenarioError> {
    let spec = source.need(&["spec"])?;
    let title = source.document.title();
    let profile = spec.text_at(&["resourceProfile"]).unwrap_or("cpu:1");
    let (name, count) = profile.rsplit_once(':').unwrap_or((profile, "1"));
    let count: u32 = count.parse().unwrap_or(1);
    let image = match spec.text_at(&["engine"]) {
        Some("OLlama") => "ollama/ollama",
        Some("FasterWhisper") => "fedirz/faster-whisper-server",
        Some("Infinity") => "michaelf34/infinity",
        _ => "vllm/vllm-openai",
    };
    let mut container = vec![("name", spec.with_text("server"))];
    container.push(("image", spec.get("image").cloned().unwrap_or_else(|| spec.with_text(image))));
    container.extend(fields(spec, &["args"]));
    if let Some(env) = spec.get("env") {
        let items = env
            .entries()
            .iter()
            .map(|entry| spec.with_map([("name", spec.with_text(entry.key.as_str())), ("value", entry.value.clone())]));
        container.push(("env", spec.with_list(items.collect())));
    }
    let resource = match name {
        _ if name.starts_with("cpu") => None,
        _ if name.starts_with("amd-") => Some("amd.com/gpu"),
        _ if name.starts_with("google-tpu") => Some("google.com/tpu"),
        _ => Some("nvidia.com/gpu"),
    };
    if let Some(resource) = resource {
        let limits = spec.with_map([(resource, spec.with_word(count.to_string()))]);
        container.push(("resources", spec.with_map([("limits", limits)])));
    }
    let pod = template(spec, vec![spec.with_map(container)], source.document.node.at(&["metadata", "labels"]));
    let is_fixed = spec.text_at(&["autoscalingDisabled"]) == Some("true");
    let least = whole(spec, &["minReplicas"]).unwrap_or(0).max(1);
    let start = spec.get("replicas").cloned().unwrap_or_else(|| spec.with_word(least.to_string()));
    let mut shape = Shape::of(pod, "spec", Some(start));
    shape.notes.push(format!(
        "{title}: a unit of resource profile {name} is taken as one device, its CPU and memory are not known"
    ));
    if !is_fixed {
        shape.own_scaler = Some(format!(
            "{title}: KubeAI moves its replicas by the mean of active requests (targetRequests), which is not modelled"
        ));
    }
    Ok(shape)
}

/// A KAITO Workspace: one replica on nodes of its own.
pub fn kaito_workspace(source: Source<'_>) -> Result<Shape, ScenarioError> {
    let mut shape = kaito(&source, &source.document.node, "")?;
    shape.replicas = Some(source.document.node.with_word("1"));
    Ok(shape)
}

/// A KAITO InferenceSet: Workspaces in a number.
pub fn kaito_inference_set(source: Source<'_>) -> Result<Shape, ScenarioError> {
    let spec = source.need(&["spec"])?;
    let mut shape = kaito(&source, source.need(&["spec", "template"])?, "spec.template.")?;
    shape.replicas = spec.get("replicas").cloned();
    let provision = source.document.annotation("scaledobject.kaito.sh/auto-provision");
    if provision == Some("true") {
        let title = source.document.title();
        shape.own_scaler = Some(format!(
            "{title}: KAITO's scaler for KEDA (scaledobject.kaito.sh) moves its replicas, which is not modelled"
        ));
    }
    Ok(shape)
}

fn kaito(source: &Source<'_>, node: &Node, above: &str) -> Result<Shape, ScenarioError> {
    let lacking =
        |key: &str| ScenarioError::MissingKey { at: node.locate(above.trim_end_matches('.')), key: key.to_owned() };
    let inference = node.get("inference").ok_or_else(|| lacking("inference"))?;
    let instance = node.text_at(&["resource", "instanceType"]);
    let nodes = whole(node, &["resource", "count"]).unwrap_or(1);
    let mut shape = match inference.get("template") {
        Some(pod) => Shape::of(pod.clone(), &format!("{above}inference.template"), None),
        _ => preset(source, inference, instance, above).ok_or_else(|| lacking("inference.preset.name"))?,
    };
    if let Some(instance) = instance {
        let selector = node.with_map([("node.kubernetes.io/instance-type", node.with_text(instance))]);
        if let Some(pod) = shape.template.get_mut("spec")
            && pod.get("nodeSelector").is_none()
        {
            pod.put("nodeSelector", selector);
        }
    }
    let pod = shape.template.clone();
    shape.group = alike(source.document, nodes, &pod).map(Group::of_single_pods);
    Ok(shape)
}

/// A pod of one of KAITO's own images, with all the GPUs of its machine.
fn preset(source: &Source<'_>, inference: &Node, instance: Option<&str>, above: &str) -> Option<Shape> {
    let preset = inference.text_at(&["preset", "name"])?;
    let command = ["vllm", "serve"].map(|word| inference.with_text(word)).to_vec();
    let container = inference.with_map([
        ("name", inference.with_text(preset)),
        ("image", inference.with_text(format!("mcr.microsoft.com/aks/kaito/kaito-{preset}"))),
        ("command", inference.with_list(command)),
    ]);
    let mut pod = template(inference, vec![container], source.document.node.at(&["metadata", "labels"]));
    let known = instance.and_then(gpus_of);
    with_gpus(&mut pod, known.unwrap_or(1));
    let mut shape = Shape::of(pod, &format!("{above}inference.preset"), None);
    if known.is_none() {
        let unknown = |name: &str| format!("the price catalog does not know {name}");
        let machine = instance.map_or_else(|| "its machine is not named".to_owned(), unknown);
        shape.notes.push(format!("{}: {machine}: one GPU is taken", source.document.title()));
    }
    Some(shape)
}

/// GPUs of a machine of the price catalog.
fn gpus_of(instance_type: &str) -> Option<u32> {
    let catalog = Catalog::embedded();
    let wanted = instance_type.to_lowercase();
    let row = catalog.rows().iter().find(|row| row.instance_type.to_lowercase() == wanted)?;
    Some(row.shape.gpus).filter(|gpus| *gpus > 0)
}

/// An endpoint on SageMaker HyperPod, with the ScaledObject of its `autoScalingSpec`.
pub fn hyperpod(source: Source<'_>) -> Result<Shape, ScenarioError> {
    let spec = source.need(&["spec"])?;
    let document = source.document;
    let worker = spec.get("worker").or_else(|| spec.get("server")).unwrap_or(spec);
    let mut container = vec![("name", spec.with_text(document.name.as_str()))];
    container.extend(fields(worker, &["image", "resources", "args", "command"]));
    if let Some(env) = worker.get("environmentVariables") {
        container.push(("env", env.clone()));
    }
    let mut pod = template(spec, vec![spec.with_map(container)], document.node.at(&["metadata", "labels"]));
    let instance = spec.text_at(&["instanceType"]).or_else(|| spec.text_at(&["server", "instanceType"]));
    if let Some(instance) = instance.map(|name| name.trim_start_matches("ml.")) {
        with_gpus(&mut pod, gpus_of(instance).unwrap_or(1));
        if let Some(pod) = pod.get_mut("spec") {
            pod.put("nodeSelector", spec.with_map([("node.kubernetes.io/instance-type", spec.with_text(instance))]));
        }
    }
    let mut shape = Shape::of(pod, "spec.worker", spec.get("replicas").cloned());
    if let Some(own) = spec.get("autoScalingSpec") {
        let scaled = Target { group: "apps".into(), kind: "Deployment".into(), name: document.name.clone() };
        let number = |keys: [&str; 1], usual: &str| own.at(&keys).cloned().unwrap_or_else(|| spec.with_word(usual));
        let mut fields = fields(own, &["pollingInterval"]);
        fields.push(("minReplicaCount", number(["minReplicaCount"], "1")));
        fields.push(("maxReplicaCount", number(["maxReplicaCount"], "5")));
        fields.push(("cooldownPeriod", number(["cooldownPeriod"], "300")));
        fields.push(("initialCooldownPeriod", number(["initialCooldownPeriod"], "300")));
        let triggers: Vec<Node> = [("cloudWatchTrigger", "aws-cloudwatch"), ("prometheusTrigger", "prometheus")]
            .into_iter()
            .filter_map(|(key, kind)| Some(trigger(own.get(key)?, kind)))
            .collect();
        fields.push(("triggers", spec.with_list(triggers)));
        shape.scalers.push(scaler(document, Kind::ScaledObject, &document.name, &scaled, fields));
        shape.targets.push(scaled);
    }
    Ok(shape)
}

/// A trigger of HyperPod's as KEDA has it: all of its settings are text.
fn trigger(own: &Node, kind: &str) -> Node {
    let names: &[(&str, &str)] = match kind {
        "prometheus" => &[
            ("serverAddress", "serverAddress"),
            ("query", "query"),
            ("targetValue", "threshold"),
            ("activationTargetValue", "activationThreshold"),
        ],
        _ => &[
            ("namespace", "namespace"),
            ("metricName", "metricName"),
            ("targetValue", "targetMetricValue"),
            ("activationTargetValue", "activationTargetMetricValue"),
            ("minValue", "minMetricValue"),
            ("metricStat", "metricStat"),
            ("metricCollectionPeriod", "metricStatPeriod"),
            ("metricCollectionStartTime", "metricCollectionTime"),
        ],
    };
    let text = |(old, new): &(&str, &'static str)| Some((*new, own.with_text(own.text_at(&[old])?)));
    let mut metadata: Vec<(&str, Node)> = names.iter().filter_map(text).collect();
    if kind == "aws-cloudwatch" {
        // The operator fills in the region that it runs in; here any will do.
        metadata.push(("awsRegion", own.with_text("us-east-1")));
        let of_dimensions = |key: &str| {
            let dimensions = own.get("dimensions").map(Node::items).unwrap_or_default();
            dimensions.iter().filter_map(|one| one.text_at(&[key])).collect::<Vec<_>>().join(";")
        };
        metadata.push(("dimensionName", own.with_text(of_dimensions("name"))));
        metadata.push(("dimensionValue", own.with_text(of_dimensions("value"))));
    }
    own.with_map([("type", own.with_text(kind)), ("metadata", own.with_map(metadata))])
}
