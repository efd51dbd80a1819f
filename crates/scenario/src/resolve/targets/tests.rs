//! Do monitors select, and label, as the real ones do?

use super::*;
use crate::tree::{Node, parse_documents};

const POD: &str = "
metadata:
  labels: {app: llm, team: ml}
spec:
  containers:
  - name: server
    image: vllm/vllm-openai:v0.11.0
    ports: [{name: metrics, containerPort: 8000}]
";

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: llm-service, namespace: chat, labels: {app: llm, tier: gold}}
spec: {selector: {app: llm}, ports: [{name: http, port: 80, targetPort: metrics}]}
";

fn nodes(text: &str) -> Vec<Node> {
    parse_documents("m.yaml", text).unwrap()
}

fn pod(text: &str) -> PodFacts {
    PodFacts::of_template(&nodes(text)[0], ("Deployment", "llm"), "chat")
}

fn found(pod_text: &str, documents: &str) -> Found {
    let nodes = nodes(documents);
    let monitors = nodes.iter().filter_map(|node| Monitor::family(node).map(|family| Monitor::read(node, family)));
    let monitors: Vec<Monitor> = monitors.collect::<Result<_, _>>().unwrap();
    let services = nodes.iter().filter(|node| group_kind(node) == ("", "Service")).map(ServiceFacts::read);
    let services: Vec<ServiceFacts> = services.collect();
    let settings = ScrapeSettings::of_documents(&nodes).unwrap();
    scrapes(&pod(pod_text), &monitors, &services, &settings).unwrap()
}

fn shown(scrape: &Scrape) -> String {
    let mut labels: Vec<String> =
        scrape.labels.iter().map(|label| format!("{}={}", label.name, label.value.text())).collect();
    labels.sort();
    format!("{} every {}, {:?}: {}", scrape.origin, scrape.interval, scrape.life, labels.join(" "))
}

fn all(found: &Found) -> String {
    found.scrapes.iter().map(shown).chain(found.notes.clone()).collect::<Vec<_>>().join("\n")
}

fn service_monitor(spec: &str) -> String {
    format!(
        "{SERVICE}---\napiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {{name: m, namespace: chat}}\nspec: {spec}\n"
    )
}

#[test]
fn a_service_monitor_labels_by_service_and_ends_with_the_endpoints() {
    let spec = "{selector: {matchLabels: {app: llm}}, targetLabels: [tier], podTargetLabels: [team], jobLabel: app, \
                endpoints: [{port: http, interval: 5s}]}";
    assert_eq!(
        all(&found(POD, &service_monitor(spec))),
        "ServiceMonitor/m every 5s, Endpoints: container=server endpoint=http instance={pod_ip}:8000 job=llm namespace=chat pod={pod} \
         service=llm-service team=ml tier=gold"
    );
}

#[test]
fn the_prometheus_object_gives_the_interval_and_the_role_that_a_monitor_leaves_open() {
    let spec = "{selector: {matchLabels: {app: llm}}, endpoints: [{port: http}]}";
    let prometheus = "---\napiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: k8s}\n\
                      spec: {scrapeInterval: 20s, serviceDiscoveryRole: EndpointSlice}\n";
    let with = found(POD, &format!("{}{prometheus}", service_monitor(spec)));
    assert_eq!((with.scrapes[0].interval, with.scrapes[0].life), (SimDuration::from_secs(20), TargetLife::PodObject));
    let without = found(POD, &service_monitor(spec));
    assert_eq!(
        (without.scrapes[0].interval, without.scrapes[0].life),
        (SimDuration::from_secs(30), TargetLife::Endpoints)
    );
}

#[test]
fn what_a_service_monitor_misses_is_said() {
    let monitor = |spec: &str| found(POD, &service_monitor(spec)).notes.join("\n");
    let by_pod = monitor("{selector: {matchLabels: {team: ml}}, endpoints: [{port: http}]}");
    assert!(by_pod.contains("its selector fits labels of the pods, but it selects by labels of Services"), "{by_pod}");
    let port = monitor("{selector: {matchLabels: {app: llm}}, endpoints: [{port: metrics}]}");
    assert!(port.ends_with("scrapes nothing: Service/llm-service has no port `metrics` (ports: http)"), "{port}");
    let elsewhere = service_monitor("{selector: {matchLabels: {app: llm}}, endpoints: [{port: http}]}")
        .replace("name: m, namespace: chat", "name: m, namespace: monitoring");
    let elsewhere = found(POD, &elsewhere).notes.join("\n");
    assert!(
        elsewhere.contains("it looks into namespace monitoring only, and Service/llm-service is in chat"),
        "{elsewhere}"
    );
}

#[test]
fn a_pod_monitor_gives_no_service_and_needs_a_declared_port() {
    let monitor = |port: &str| {
        format!(
            "apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {{name: m, namespace: chat}}\n\
             spec: {{selector: {{matchLabels: {{app: llm}}}}, podMetricsEndpoints: [{{port: {port}, interval: 10s}}]}}\n"
        )
    };
    assert_eq!(
        all(&found(POD, &monitor("metrics"))),
        "PodMonitor/m every 10s, PodObject: container=server endpoint=metrics instance={pod_ip}:8000 job=chat/m namespace=chat pod={pod}"
    );
    let missed = all(&found(POD, &monitor("http")));
    assert!(missed.ends_with("no container of the pods declares port `http` (ports: metrics)"), "{missed}");
}

#[test]
fn a_pod_monitoring_labels_as_google_does() {
    let monitoring = "apiVersion: monitoring.googleapis.com/v1\nkind: PodMonitoring\nmetadata: {name: m, namespace: chat}\n\
                      spec: {selector: {matchLabels: {app: llm}}, endpoints: [{port: metrics, interval: 15s}], \
                      targetLabels: {fromPod: [{from: team, to: squad}]}}\n";
    assert_eq!(
        all(&found(POD, monitoring)),
        "PodMonitoring/m every 15s, PodObject: cluster=cluster container=server instance={pod}:metrics job=m location=location \
         namespace=chat pod={pod} project_id=project squad=ml top_level_controller_name=llm top_level_controller_type=Deployment"
    );
    let by_number = found(POD, &monitoring.replace("port: metrics", "port: 8000"));
    let labels = shown(&by_number.scrapes[0]);
    assert!(labels.contains("instance={pod}:8000") && !labels.contains("container="), "{labels}");
}

#[test]
fn annotated_pods_have_all_their_labels_and_monitors_come_first() {
    let annotated = POD.replace(
        "metadata:\n",
        "metadata:\n  annotations: {prometheus.io/scrape: \"true\", prometheus.io/port: \"8000\"}\n",
    );
    let alone = found(&annotated, SERVICE);
    assert_eq!(
        shown(&alone.scrapes[0]),
        "the annotation prometheus.io/scrape of the pods every 60s, PodObject: app=llm instance={pod_ip}:8000 job=kubernetes-pods \
         namespace=chat node={node} pod={pod} team=ml"
    );
    assert!(alone.scrapes[0].honor_labels);
    let both = found(&annotated, &service_monitor("{selector: {matchLabels: {app: llm}}, endpoints: [{port: http}]}"));
    assert_eq!(both.scrapes.len(), 1);
    assert!(both.notes[0].contains("has no effect: the pods are scraped for ServiceMonitor/m"), "{:?}", both.notes);
}

#[test]
fn two_monitors_on_one_port_are_two_targets_and_sums_double() {
    let one = service_monitor("{selector: {matchLabels: {app: llm}}, endpoints: [{port: http}]}");
    let pods = "---\napiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {name: p, namespace: chat}\n\
                spec: {selector: {matchLabels: {app: llm}}, podMetricsEndpoints: [{port: metrics}]}\n";
    let both = found(POD, &format!("{one}{pods}"));
    assert_eq!(both.scrapes.len(), 2);
    assert!(both.notes[0].contains("a sum over both counts double"), "{:?}", both.notes);
}

#[test]
fn relabelling_is_executed_and_what_takes_pods_apart_is_refused() {
    let spec = "{selector: {matchLabels: {app: llm}}, endpoints: [{port: http, relabelings: [\
                {sourceLabels: [__meta_kubernetes_pod_node_name], targetLabel: node}, \
                {sourceLabels: [__meta_kubernetes_pod_controller_name], regex: \"(.+)-[^-]+\", targetLabel: deployment}, \
                {action: labeldrop, regex: \"endpoint|instance\"}]}]}";
    let labels = shown(&found(POD, &service_monitor(spec)).scrapes[0]);
    assert!(labels.contains("deployment=llm") && labels.contains("node={node}"), "{labels}");
    assert!(!labels.contains("endpoint="), "{labels}");
    let apart = spec.replace("\"(.+)-[^-]+\"", "\".+-([^-]+)\"");
    let nodes = nodes(&service_monitor(&apart));
    let monitor = Monitor::read(&nodes[1], Monitor::family(&nodes[1]).unwrap()).unwrap();
    let services = [ServiceFacts::read(&nodes[0])];
    let error = scrapes(&pod(POD), &[monitor], &services, &ScrapeSettings::default()).unwrap_err().to_string();
    assert!(error.contains("relabelling takes apart what differs from pod to pod"), "{error}");
}

#[test]
fn an_action_that_is_not_executed_or_not_known_is_refused_at_its_place() {
    let read = |action: &str| {
        let spec = format!("{{endpoints: [{{port: http, metricRelabelings: [{{action: {action}, regex: x}}]}}]}}");
        let nodes = nodes(&service_monitor(&spec));
        Monitor::read(&nodes[1], Monitor::family(&nodes[1]).unwrap()).unwrap_err().to_string()
    };
    let hashed = read("hashmod");
    assert!(
        hashed
            .contains("spec.endpoints[0].metricRelabelings[0].action: relabelling action hashmod decides over targets"),
        "{hashed}"
    );
    assert!(read("labeldropp").contains("did you mean `labeldrop`?"));
}
