//! NVIDIA's operators: NIM services and Dynamo graphs.

use cluster::spec::ReplicaOrder;

use crate::error::ScenarioError;
use crate::tree::Node;

use super::super::{Document, Kind};
use super::made::{alike, fields, is_on, scaler, target, template, with_gpus};
use super::plain::beside;
use super::shape::{accelerator, merged, whole};
use super::{Shape, Source, Target};

/// A NIMService: the operator's Deployment, or its LeaderWorkerSet, and the HPA of `scale.hpa`.
pub fn nim_service(source: Source<'_>) -> Result<Shape, ScenarioError> {
    let spec = source.need(&["spec"])?;
    let document = source.document;
    let image = source.need(&["spec", "image"])?;
    let tag = image.text_at(&["tag"]).map(|tag| format!(":{tag}")).unwrap_or_default();
    let reference = format!("{}{tag}", image.text_at(&["repository"]).unwrap_or_default());
    let mut container = vec![("name", spec.with_text(format!("{}-ctr", document.name)))];
    container.push(("image", image.with_text(reference)));
    container.extend(fields(spec, &["command", "args", "env", "resources"]));
    container.extend(probes(spec));
    let mut pod = template(spec, vec![spec.with_map(container)], spec.get("labels"));
    let parallel = spec.at(&["multiNode", "parallelism"]);
    let of = |key: &str| parallel.and_then(|node| whole(node, &[key])).unwrap_or(1).max(1);
    let mut notes = Vec::new();
    if spec.at(&["draResources"]).is_some() && accelerator(&pod).is_none() {
        notes.push(format!(
            "{}: the devices of `draResources` are counted as {} GPUs a pod",
            document.title(),
            of("tensor")
        ));
    }
    with_gpus(&mut pod, of("tensor"));
    let group = parallel.and_then(|_| alike(document, of("pipeline"), &pod));
    let scaled = match &group {
        Some(_) => target("LeaderWorkerSet", format!("{}-lws", document.name)),
        None => target("Deployment", document.name.as_str()),
    };
    let hpa = spec
        .at(&["scale", "hpa"])
        .filter(|_| spec.at(&["scale", "enabled"]).is_some() && is_on(spec.at(&["scale", "enabled"])));
    let replicas = spec.get("replicas").or_else(|| hpa?.get("minReplicas")).cloned();
    let scalers = hpa.map(|hpa| {
        let own = fields(hpa, &["minReplicas", "maxReplicas", "metrics", "behavior"]);
        scaler(document, Kind::HorizontalPodAutoscaler, &document.name, &scaled, own)
    });
    Ok(Shape {
        order: if group.is_some() { ReplicaOrder::HighestFirst } else { ReplicaOrder::Parallel },
        group,
        scalers: scalers.into_iter().collect(),
        targets: vec![scaled],
        notes,
        ..Shape::of(pod, "spec", replicas)
    })
}

/// The operator's probes where the manifest has none of its own: 30 s before the startup probe, 120 of them; 15 s before the others.
fn probes(spec: &Node) -> Vec<(&'static str, Node)> {
    let probe = |name: &'static str, path: &str, delay: u32, failures: u32| {
        let own = spec.get(name);
        if own.is_some() && !is_on(own.and_then(|own| own.get("enabled"))) {
            return None;
        }
        let written = own.and_then(|own| own.get("probe")).cloned();
        let number = |count: u32| spec.with_word(count.to_string());
        let get = spec.with_map([("path", spec.with_text(path)), ("port", number(8000))]);
        let usual = || {
            spec.with_map([
                ("httpGet", get.clone()),
                ("initialDelaySeconds", number(delay)),
                ("periodSeconds", number(10)),
                ("failureThreshold", number(failures)),
            ])
        };
        Some((name, written.unwrap_or_else(usual)))
    };
    let all = [
        probe("startupProbe", "/v1/health/ready", 30, 120),
        probe("livenessProbe", "/v1/health/live", 15, 3),
        probe("readinessProbe", "/v1/health/ready", 15, 3),
    ];
    all.into_iter().flatten().collect()
}

/// The NIMServices of a NIMPipeline.
pub fn nim_services(pipeline: &Document) -> Vec<Document> {
    let services = pipeline.node.at(&["spec", "services"]).map(Node::items).unwrap_or_default();
    let enabled = services.iter().filter(|service| is_on(service.get("enabled")));
    enabled
        .filter_map(|service| {
            let (name, spec) = (service.text_at(&["name"])?, service.get("spec")?);
            let mut metadata = vec![("name", service.with_text(name))];
            metadata.extend(pipeline.namespace().map(|namespace| ("namespace", service.with_text(namespace))));
            let node = service.with_map([
                ("apiVersion", service.with_text("apps.nvidia.com/v1alpha1")),
                ("kind", service.with_text("NIMService")),
                ("metadata", service.with_map(metadata)),
                ("spec", spec.clone()),
            ]);
            Some(Document { kind: Kind::NimService, name: name.to_owned(), node })
        })
        .collect()
}

/// A component of a Dynamo graph, whichever version wrote it.
struct Component<'a> {
    name: &'a str,
    node: &'a Node,
    kind: &'a str,
    part: &'a str,
    template: Node,
    gpus: u32,
}

/// A Dynamo graph: of its components the one that decodes (or the only worker) is the service.
pub fn dynamo_graph(source: Source<'_>) -> Result<Shape, ScenarioError> {
    let spec = source.need(&["spec"])?;
    let components = components(spec);
    let workers: Vec<&Component<'_>> = components.iter().filter(|one| one.gpus > 0).collect();
    let is_decode = |one: &&&Component<'_>| {
        one.part == "decode" || (one.part.is_empty() && one.name.to_lowercase().contains("decode"))
    };
    let title = source.document.title();
    let Some(chosen) = workers.iter().find(is_decode).or(workers.last()) else {
        let reason = format!("{title}: no component with a GPU, so there is nothing to serve");
        return Err(ScenarioError::Inconsistent { at: spec.locate("spec"), reason });
    };
    let mut notes = vec![format!("{title}: the service is its component {}", chosen.name)];
    let others: Vec<&str> = workers.iter().filter(|one| one.name != chosen.name).map(|one| one.name).collect();
    if !others.is_empty() {
        notes.push(format!("{title}: work and GPUs of {} are left out", others.join(", ")));
    }
    let adapters = beside(&source, Kind::DynamoScalingAdapter).filter(|adapter| {
        let reference = |key: &str| adapter.node.text_at(&["spec", "dgdRef", key]);
        reference("name") == Some(&source.document.name)
            && [reference("serviceName"), reference("componentGroupName")].contains(&Some(chosen.name))
    });
    let adapters: Vec<&Document> = adapters.collect();
    let count = adapters.first().and_then(|adapter| adapter.node.at(&["spec", "replicas"]));
    let mut targets: Vec<Target> = adapters
        .iter()
        .map(|adapter| Target {
            group: "nvidia.com".to_owned(),
            kind: "DynamoGraphDeploymentScalingAdapter".to_owned(),
            name: adapter.name.clone(),
        })
        .collect();
    // Where the adapter is made by the operator it is called after graph and component.
    let name = format!("{}-{}", source.document.name, chosen.name.to_lowercase());
    if targets.is_empty() {
        targets.push(Target {
            group: "nvidia.com".to_owned(),
            kind: "DynamoGraphDeploymentScalingAdapter".to_owned(),
            name,
        });
    }
    let planner = components.iter().find(|one| one.kind == "planner");
    let nodes = chosen.node.at(&["multinode", "nodeCount"]).and_then(|node| node.text()?.parse().ok()).unwrap_or(1);
    let path = match spec.get("components") {
        Some(_) => "spec.components".to_owned(),
        None => format!("spec.services.{}", chosen.name),
    };
    Ok(Shape {
        group: alike(source.document, nodes, &chosen.template),
        targets,
        own_scaler: planner.map(|planner| {
            format!("{title}: its planner ({}) moves the replicas by forecasts that are not modelled", planner.name)
        }),
        notes,
        ..Shape::of(chosen.template.clone(), &path, count.or_else(|| chosen.node.get("replicas")).cloned())
    })
}

fn components(spec: &Node) -> Vec<Component<'_>> {
    let old = spec.get("services").map(Node::entries).unwrap_or_default();
    let old = old.iter().map(|entry| (entry.key.as_str(), &entry.value));
    let new = spec.get("components").map(Node::items).unwrap_or_default();
    let new = new.iter().map(|node| (node.text_at(&["name"]).unwrap_or_default(), node));
    old.chain(new)
        .map(|(name, node)| {
            let text = |keys: &[&str]| keys.iter().find_map(|key| node.text_at(&[key])).unwrap_or_default();
            let mut template = component_template(node);
            let gpus = ["limits", "requests"].into_iter().find_map(|key| whole(node, &["resources", key, "gpu"]));
            with_gpus(&mut template, gpus.unwrap_or(0));
            let gpus = accelerator(&template).map_or(0, |(_, count)| count as u32);
            let (kind, part) = (text(&["componentType", "type"]), text(&["subComponentType"]));
            let part = if part.is_empty() && ["prefill", "decode"].contains(&kind) { kind } else { part };
            Component { name, node, kind, part, template, gpus }
        })
        .collect()
}

/// The pod of a component: `extraPodSpec` with its `mainContainer`, or `podTemplate`.
fn component_template(node: &Node) -> Node {
    if let Some(template) = node.get("podTemplate") {
        return template.clone();
    }
    let nothing = node.with_map([]);
    let pod = node.get("extraPodSpec").unwrap_or(&nothing);
    let mut main = node.with_map([("name", node.with_text("main"))]);
    if let Some(resources) = node.get("resources") {
        // Names of Dynamo's own: `gpu` becomes `nvidia.com/gpu` when it is counted.
        let renamed = ["requests", "limits"].into_iter().filter_map(|key| {
            let amounts =
                resources.get(key)?.entries().iter().filter(|entry| ["cpu", "memory"].contains(&entry.key.as_str()));
            let amounts: Vec<(&str, Node)> = amounts.map(|entry| (entry.key.as_str(), entry.value.clone())).collect();
            Some((key, resources.with_map(amounts)))
        });
        main.put("resources", resources.with_map(renamed.collect::<Vec<_>>()));
    }
    for key in ["env", "envs"] {
        if let Some(env) = node.get(key) {
            main.put("env", env.clone());
        }
    }
    if let Some(own) = pod.get("mainContainer") {
        main = merged(&main, own);
        main.put("name", node.with_text("main"));
    }
    let more = pod.get("containers").map(|list| list.items().to_vec()).unwrap_or_default();
    template(pod, std::iter::once(main).chain(more).collect(), node.get("labels"))
}
