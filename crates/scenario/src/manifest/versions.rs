//! Older versions of a kind, in the shape of the newest one that is read.

use crate::tree::{Node, Value, parse_block};

use super::Kind;

/// Some versions are kinds of their own to us.
pub fn kind_of(kind: Kind, version: &str) -> Kind {
    match (kind, version) {
        (Kind::NodePool, "v1beta1") => Kind::NodePoolBeta,
        _ => kind,
    }
}

/// Rewrites a HorizontalPodAutoscaler of `v1` or `v2beta1` as `v2`; others stay as they are. The error is a path and a reason.
pub fn modernise(kind: Kind, node: &mut Node) -> Result<(), (String, String)> {
    if kind != Kind::HorizontalPodAutoscaler {
        return Ok(());
    }
    match node.text_at(&["apiVersion"]) {
        Some("autoscaling/v1") => hpa_v1(node),
        Some("autoscaling/v2beta1") => {
            let metrics = node.get_mut("spec").and_then(|spec| spec.get_mut("metrics"));
            if let Some(Value::List(items)) = metrics.map(|metrics| &mut metrics.value) {
                items.iter_mut().for_each(flat_metric);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// `v1` has one CPU target, and the rest as JSON in annotations.
fn hpa_v1(node: &mut Node) -> Result<(), (String, String)> {
    let mut annotated = |name: &str| {
        let key = format!("autoscaling.alpha.kubernetes.io/{name}");
        let entry = node.get_mut("metadata")?.get_mut("annotations")?.take(&key)?;
        Some((format!("metadata.annotations[\"{key}\"]"), entry.value))
    };
    let parse = |found: Option<(String, Node)>| -> Result<Option<Node>, (String, String)> {
        let Some((path, text)) = found else { return Ok(None) };
        let documents = parse_block(&text).map_err(|_| (path, "is not valid JSON".to_owned()))?;
        Ok(documents.into_iter().next())
    };
    let (metrics, behavior) = (parse(annotated("metrics"))?, parse(annotated("behavior"))?);
    // Conditions are the server's own record.
    drop((annotated("conditions"), annotated("current-metrics")));
    let place = node.clone();
    let Some(spec) = node.get_mut("spec") else { return Ok(()) };
    let cpu = spec.take("targetCPUUtilizationPercentage").map(|entry| entry.value);
    let mut list = match metrics.map(|node| node.value) {
        Some(Value::List(mut items)) => {
            items.iter_mut().for_each(pascal_to_camel);
            items.iter_mut().for_each(flat_metric);
            items
        }
        _ => Vec::new(),
    };
    if cpu.is_some() || list.is_empty() {
        let percent = cpu.unwrap_or_else(|| place.with_word("80"));
        let target = place.with_map([("type", place.with_text("Utilization")), ("averageUtilization", percent)]);
        let resource = place.with_map([("name", place.with_text("cpu")), ("target", target)]);
        list.push(place.with_map([("type", place.with_text("Resource")), ("resource", resource)]));
    }
    spec.put("metrics", place.with_list(list));
    if let Some(mut behavior) = behavior {
        pascal_to_camel(&mut behavior);
        spec.put("behavior", behavior);
    }
    Ok(())
}

/// Internal versions in annotations may have capitals at the start of their keys.
fn pascal_to_camel(node: &mut Node) {
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(pascal_to_camel),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| {
            if let Some(first) = entry.key.get(..1) {
                entry.key = first.to_lowercase() + &entry.key[1..];
            }
            pascal_to_camel(&mut entry.value);
        }),
        Value::Null | Value::Scalar { .. } => {}
    }
}

/// A metric of `v2beta1`, whose targets are keys of their own.
fn flat_metric(metric: &mut Node) {
    let place = metric.clone();
    for source in ["resource", "containerResource", "pods", "object", "external"] {
        let Some(source) = metric.get_mut(source) else { continue };
        let targets = [
            ("targetAverageUtilization", "Utilization", "averageUtilization"),
            ("targetAverageValue", "AverageValue", "averageValue"),
            ("averageValue", "AverageValue", "averageValue"),
            ("targetValue", "Value", "value"),
        ];
        // In an Object metric `target` is the object; it has a name and no type.
        if source.at(&["target", "name"]).is_some()
            && let Some(entry) = source.take("target")
        {
            source.put("describedObject", entry.value);
        }
        for (old, kind, new) in targets {
            if let Some(entry) = source.take(old) {
                let target = place.with_map([("type", place.with_text(kind)), (new, entry.value)]);
                // An average wins over a value, as in the controller.
                if source.get("target").is_none() {
                    source.put("target", target);
                }
            }
        }
        if let Some(name) = source.take("metricName") {
            let selector = ["selector", "metricSelector"].into_iter().find_map(|key| source.take(key));
            let mut metric = vec![("name", name.value)];
            metric.extend(selector.map(|entry| ("selector", entry.value)));
            source.put("metric", place.with_map(metric));
        }
    }
}
