//! KEDA triggers whose source lies outside the cluster, the HTTP add-on, and what versions decide.

use cluster::spec::{ControllerSpec, NoReplicaRule};
use insta::assert_snapshot;
use policy::hpa::ZeroRule;
use policy::keda::{FeedSource, ScaledObject};
use policy::{MetricQuery, Signal};
use units::SimDuration;

use crate::support::{HPA, load_text, load_with, message, with};

/// A ScaledObject `so` with one trigger.
fn object(kind: &str, metadata: &str) -> String {
    format!(
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata:\n  name: so\n  annotations: {{}}\nspec:\n  scaleTargetRef: {{name: \
         inference}}\n  maxReplicaCount: 9\n  triggers:\n  - type: {kind}\n    metadata: {metadata}\n"
    )
}

/// The scenario that runs `object` under `extra` keys of its `spec`.
fn scenario(extra: &str, object: &str) -> String {
    let base = with("static: {replicas: 2}", "keda: so");
    format!("{base}{extra}---\n{object}")
}

fn loaded(text: &str) -> ScaledObject {
    let loaded = load_text(text).unwrap();
    match &loaded.spec.policies[0].services[0].controllers[0] {
        ControllerSpec::Keda { scaled_object, .. } => scaled_object.clone(),
        other => panic!("no ScaledObject: {other:?}"),
    }
}

const SQS: &str = "{queueURL: \"https://q/1/work\", awsRegion: eu-west-1, queueLength: \"5\"}";

#[test]
fn a_queue_trigger_is_fed_by_the_signal_of_its_type_and_says_so() {
    let loaded = load_text(&scenario("", &object("aws-sqs-queue", SQS))).unwrap();
    assert_snapshot!(loaded.notes.join("\n"), @"ScaledObject/so: trigger 0 (aws-sqs-queue) is fed by the signal requests; metrics.triggers can name another");
}

#[test]
fn a_queue_that_routing_empties_is_told_of_unless_replicas_pull() {
    let redis = object("redis", "{listName: l}");
    let notes = |text: &str| load_text(text).unwrap().notes.join("\n");
    assert_snapshot!(notes(&scenario("", &redis)), @"
    ScaledObject/so: trigger 0 (redis) is fed by the signal held; metrics.triggers can name another
    ScaledObject/so: trigger 0 (redis) counts a queue, but the service pushes requests to its replicas, where they no longer count; a pull consumer has routing: centralQueue
    ");
    let pulled = scenario("", &redis).replacen("    pod:\n", "    routing: centralQueue\n    pod:\n", 1);
    assert_snapshot!(notes(&pulled), @"ScaledObject/so: trigger 0 (redis) is fed by the signal held; metrics.triggers can name another");
}

#[test]
fn the_scenario_says_what_feeds_a_trigger() {
    let triggers = "  metrics:\n    triggers:\n      so/0: {signal: arrivalRate, perRequest: 60, every: 1min, delay: 90s, over: 2min}\n";
    let watch = "{expression: e, awsRegion: r, targetMetricValue: \"150\"}";
    let feed = loaded(&scenario(triggers, &object("aws-cloudwatch", watch))).triggers[0].feeds[0].clone();
    assert_eq!((feed.source, feed.per_request), (FeedSource::Signal(Signal::ArrivalRate), 60.0));
    let seconds = [feed.every, feed.delay, feed.over].map(|time| time.map(SimDuration::as_secs));
    assert_eq!(seconds, [Some(60), Some(90), Some(120)]);
}

#[test]
fn a_trigger_that_counts_pods_counts_those_that_its_selector_meets() {
    let workload = |name: &str, replicas: u32, resources: &str| {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: {replicas}\n  template:\n    metadata: \
             {{labels: {{app: {name}}}}}\n    spec:\n      containers:\n      - {{name: main, image: x, resources: {{limits: {{{resources}}}}}}}\n"
        )
    };
    let fed = |selector: &str, more: &str| {
        let object = object("kubernetes-workload", &format!("{{podSelector: '{selector}', value: '2'}}"));
        let scenario =
            scenario("", &object).replacen("    pod:\n      gpus: 1\n", "    workload: Deployment/inference\n", 1);
        let text = scenario + &workload("inference", 2, "nvidia.com/gpu: 1") + &workload("batch", 8, "cpu: 1") + more;
        load_text(&text).map(|loaded| match &loaded.spec.policies[0].services[0].controllers[0] {
            ControllerSpec::Keda { scaled_object, .. } => scaled_object.triggers[0].feeds[0].source.clone(),
            other => panic!("no ScaledObject: {other:?}"),
        })
    };
    assert_eq!(fed("app in (inference, gone)", "").unwrap(), FeedSource::Signal(Signal::Pods));
    assert_eq!(fed("app notin (inference),app", "").unwrap(), FeedSource::Constant(8.0), "pods of another workload");
    assert!(fed("app in (inference, batch)", "").is_err(), "of both: a sum that the model has not");
    let scaler = "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: b}\nspec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: batch}, maxReplicas: 9}\n";
    assert!(fed("app=batch", scaler).is_err(), "somebody else scales them");
}

#[test]
fn a_trigger_without_a_signal_is_refused_with_the_key_that_would_help() {
    let watch = "{expression: e, awsRegion: r, targetMetricValue: \"150\"}";
    assert_snapshot!(message(&scenario("", &object("aws-cloudwatch", watch))), @r#"scenario.yaml:36:11: spec.triggers[0].type: triggers[0] (aws-cloudwatch): what it measures lies outside the cluster; say which simulated signal stands for it: metrics.triggers: {"so/0": {signal: requests}} (or another signal, constant, promql)"#);
    let workload = message(&scenario("", &object("kubernetes-workload", "{podSelector: app=batch, value: '2'}")));
    assert!(
        workload.contains("(kubernetes-workload): what it measures is in the cluster, but beside what is simulated;"),
        "{workload}"
    );
    assert_snapshot!(message(&scenario("", &object("kafak", "{topic: t}"))), @r#"scenario.yaml:36:11: spec.triggers[0].type: there is no trigger type `kafak`; did you mean `kafka`? (one of: prometheus, cron, cpu, memory, kafka, apache-kafka, aws-sqs-queue, rabbitmq, redis, redis-cluster, redis-sentinel, redis-streams, redis-cluster-streams, redis-sentinel-streams, gcp-pubsub, azure-servicebus, azure-queue, azure-eventhub, azure-blob, nats-jetstream, stan, pulsar, nsq, gcp-cloudtasks, activemq, artemis-queue, ibmmq, beanstalkd, solace-event-queue, aws-kinesis-stream, aws-dynamodb-streams, temporal, liiklus, gcp-storage, openstack-swift, aws-cloudwatch, datadog, metrics-api, kubernetes-workload, kubernetes-resource, new-relic, dynatrace, elasticsearch, graphite, influxdb, loki, gcp-stackdriver, gcp-prometheus, azure-monitor, azure-log-analytics, azure-app-insights, azure-data-explorer, mysql, postgresql, mssql, cassandra, mongodb, couchdb, arangodb, etcd, clickhouse, spanner, gcp-spanner, solr, splunk, splunk-observability, sumologic, predictkube, openstack-metric, huawei-cloudeye, external, external-push); a signal can stand for it: metrics.triggers: {"so/0": {signal: requests, target: 10}}"#);
    assert_snapshot!(message(&scenario("", &object("external", "{scalerAddress: \"x:9090\"}"))), @r#"scenario.yaml:37:15: spec.triggers[0].metadata: triggers[0] (external): metadata.targetValue is missing; where its server gives the target, say both which simulated signal stands for it and the target of a replica: metrics.triggers: {"so/0": {signal: requests, target: 10}}"#);
    assert_snapshot!(message(&scenario("", &object("github-runner", "{owner: o}"))), @"scenario.yaml:37:15: spec.triggers[0].metadata: triggers[0] (github-runner): a github-runner trigger cannot be fed: it starts jobs of a CI system, and nothing simulated here stands for those");
}

#[test]
fn misspelt_keys_are_told_of_and_refused_where_they_are_needed() {
    let slip = "{queueUrl: \"https://q/1/work\", awsRegion: eu-west-1, queueLenght: \"5\"}";
    assert_snapshot!(message(&scenario("", &object("aws-sqs-queue", slip))), @"scenario.yaml:37:26: spec.triggers[0].metadata.queueUrl: triggers[0] (aws-sqs-queue): there is no key `queueUrl`; did you mean `queueURL`?");
    let harmless = SQS.replacen("queueLength", "queueLenght", 1);
    let loaded = load_text(&scenario("", &object("aws-sqs-queue", &harmless))).unwrap();
    assert_snapshot!(loaded.notes[0], @"scenario.yaml:37:81: ScaledObject/so: no aws-sqs-queue trigger has a key `queueLenght`; did you mean `queueLength`, which has its default now?");
}

#[test]
fn an_entry_of_metrics_triggers_must_name_something() {
    let refused = |entry: &str| {
        message(&scenario(&format!("  metrics:\n    triggers:\n      {entry}\n"), &object("aws-sqs-queue", SQS)))
    };
    assert_snapshot!(refused("sso/0: {signal: held}"), @r#"scenario.yaml:28:14: spec.metrics.triggers["sso/0"]: there is no ScaledObject `sso`; did you mean `so`? (one of: so)"#);
    assert_snapshot!(refused("so/1: {signal: held}"), @r#"scenario.yaml:28:13: spec.metrics.triggers["so/1"]: there is no trigger `1` (one of: 0, *)"#);
    assert_snapshot!(refused("so/*: {signal: hold}"), @r#"scenario.yaml:28:22: spec.metrics.triggers["so/*"].signal: there is no signal `hold`; did you mean `held`? (one of: held, assigned, running, waiting, requests, arrivalRate, finishRate, oldest, arrivals_total, completed_total, failed_total, replicas_current, replicas_ready, pods, gateway_queue, dispatched, in_flight, queue_length, unfinished, arrival_rate, finish_rate, oldest_age, requests_total, answered_total)"#);
    assert_snapshot!(refused("so: {signal: held}"), @r#"scenario.yaml:28:11: spec.metrics.triggers["so"]: the key is SCALEDOBJECT/TRIGGER, the trigger by its name, its index or `*`"#);
    assert_snapshot!(refused("so/0: {signal: held, constant: 3}"), @r#"scenario.yaml:28:13: spec.metrics.triggers["so/0"]: needs exactly one of `signal`, `constant` and `promql`"#);
    assert_snapshot!(refused("so/0: {promql: sum(}"), @r#"scenario.yaml:28:22: spec.metrics.triggers["so/0"].promql: cannot parse query "sum(": unclosed left parenthesis"#);
    assert_snapshot!(refused("so/0: {signal: held, perRequest: 0}"), @r#"scenario.yaml:28:40: spec.metrics.triggers["so/0"].perRequest: must be above 0"#);
}

const HTTP: &str = "\
apiVersion: http.keda.sh/v1alpha1
kind: HTTPScaledObject
metadata: {name: so}
spec:
  hosts: [h]
  scaleTargetRef: {name: inference, service: inference, port: 80}
  replicas: {min: 0, max: 6}
  scaledownPeriod: 120
  scalingMetric:
    concurrency: {targetValue: 4}
";

#[test]
fn an_http_scaled_object_becomes_what_the_add_on_makes_of_it() {
    let loaded = load_text(&scenario("", HTTP)).unwrap();
    let ControllerSpec::Keda { scaled_object, .. } = &loaded.spec.policies[0].services[0].controllers[0] else {
        panic!("no KEDA")
    };
    assert_eq!(scaled_object.polling_interval().as_secs(), 15);
    assert_eq!(scaled_object.cooldown_period().as_secs(), 120);
    assert_eq!((scaled_object.replicas_min, scaled_object.hpa_replicas_max()), (Some(0), 6));
    let feed = &scaled_object.triggers[0].feeds[0];
    assert_eq!((&feed.source, feed.target, feed.push), (&FeedSource::Signal(Signal::Requests), Some(4.0), Some(true)));
    assert_eq!(loaded.spec.services[0].no_replica, NoReplicaRule::Hold);
}

#[test]
fn a_request_rate_is_a_mean_over_the_window_rounded_up() {
    let rate = HTTP.replacen("    concurrency: {targetValue: 4}", "    requestRate: {targetValue: 7, window: 30s}", 1);
    let feed = loaded(&scenario("", &rate)).triggers[0].feeds[0].clone();
    assert_eq!((feed.source, feed.target), (FeedSource::Signal(Signal::ArrivalRate), Some(7.0)));
    assert_eq!((feed.over.map(SimDuration::as_secs), feed.rounds_up), (Some(30), true));
}

#[test]
fn a_scaled_object_of_ones_own_names_its_route() {
    let route = "apiVersion: http.keda.sh/v1beta1\nkind: InterceptorRoute\nmetadata: {name: way}\nspec:\n  target: {service: inference}\n  \
                 scalingMetric:\n    concurrency: {targetValue: 3}\n    requestRate: {targetValue: 5}\n";
    let own = object("external-push", "{scalerAddress: \"a:9090\", interceptorRoute: way}");
    let feeds = loaded(&scenario("", &format!("{own}---\n{route}"))).triggers[0].feeds.clone();
    assert_eq!(feeds.iter().map(|feed| feed.target).collect::<Vec<_>>(), [Some(3.0), Some(5.0)]);
}

#[test]
fn without_a_scaled_object_of_its_own_a_released_http_object_scales_nothing() {
    let released = HTTP.replacen(
        "metadata: {name: so}",
        "metadata: {name: so, annotations: {httpscaledobject.keda.sh/skip-scaledobject-creation: \"true\"}}",
        1,
    );
    assert_snapshot!(message(&scenario("", &released)), @"scenario.yaml:31:3: spec: its annotations keep the add-on from making a ScaledObject, and the folder has none of this name");
}

#[test]
fn pods_and_config_maps_of_the_folder_feed_their_triggers() {
    let text = scenario(
        "",
        &object("kubernetes-resource", "{resourceKind: ConfigMap, resourceName: plan, key: n, targetValue: \"2\"}"),
    );
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plan}\ndata: {n: \"14\"}\n";
    let feeds = loaded(&format!("{text}---\n{map}")).triggers[0].feeds.clone();
    assert_eq!(feeds[0].source, FeedSource::Constant(14.0));
}

#[test]
fn annotations_reach_the_policy_even_past_an_override_of_the_spec() {
    let paused = object("aws-sqs-queue", SQS).replacen("{}", "{autoscaling.keda.sh/paused-replicas: \"3\"}", 1);
    assert_eq!(loaded(&scenario("", &paused)).annotations.paused_replicas(), Ok(Some(3)));
    let changed = load_with(&scenario("", &paused), &[("policies.fixed.spec.maxReplicaCount", "4")]).unwrap();
    let ControllerSpec::Keda { scaled_object, .. } = &changed.spec.policies[0].services[0].controllers[0] else {
        panic!("no KEDA")
    };
    assert_eq!((scaled_object.name.as_str(), scaled_object.hpa_replicas_max()), ("so", 4));
    assert_eq!(scaled_object.annotations.paused_replicas(), Ok(Some(3)));
    let word = object("aws-sqs-queue", SQS).replacen("{}", "{autoscaling.keda.sh/paused-replicas: three}", 1);
    assert_snapshot!(message(&scenario("", &word)), @"scenario.yaml:33:3: spec: annotation autoscaling.keda.sh/paused-replicas: `three` is not a number of replicas");
}

/// [`HPA`] with minimum 0 on the metric given.
fn from_zero(metric: &str) -> String {
    let at = HPA.find("  metrics:").unwrap();
    format!("{}  minReplicas: 0\n  metrics:\n{metric}", &HPA[..at])
}

const LAG: &str = "  - type: External\n    external:\n      metric: {name: lag}\n      target: {type: AverageValue, averageValue: \"5\"}\n";
const PODS: &str = "  - type: Pods\n    pods:\n      metric: {name: nv_inference_pending_request_count}\n      target: {type: AverageValue, averageValue: \"5\"}\n";

fn hpa(extra: &str, manifest: &str) -> String {
    let base = with("static: {replicas: 2}", "hpa: busy");
    format!("{base}{extra}---\n{manifest}")
}

#[test]
fn a_minimum_of_zero_is_a_matter_of_the_release_its_gate_and_the_metrics() {
    let zero_rule = |extra: &str| {
        let extra = format!("  metrics: {{assumeAbsent: [lag]}}\n{extra}");
        let loaded = load_text(&hpa(&extra, &from_zero(LAG))).unwrap();
        match &loaded.spec.policies[0].services[0].controllers[0] {
            ControllerSpec::Hpa { manager, .. } => manager.zero_rule,
            other => panic!("no HPA: {other:?}"),
        }
    };
    let forced =
        |version: &str| format!("  kubernetes: {{version: \"{version}\", featureGates: {{HPAScaleToZero: true}}}}\n");
    assert_eq!(zero_rule(""), ZeroRule::Condition);
    assert_eq!(zero_rule(&forced("1.36")), ZeroRule::Condition);
    assert_eq!(zero_rule(&forced("1.35")), ZeroRule::MinReplicas);
    assert_snapshot!(message(&hpa("  kubernetes: {version: \"1.36\"}\n", &from_zero(LAG))), @"scenario.yaml:35:16: spec.minReplicas: Kubernetes 1.36 refuses 0: the gate HPAScaleToZero is off (on by default from 1.37; kubernetes.featureGates: {HPAScaleToZero: true})");
    assert_snapshot!(message(&hpa("", &from_zero(PODS))), @"scenario.yaml:34:16: spec.minReplicas: 0 needs at least one Object or External metric: per-pod metrics say nothing without pods");
}

#[test]
fn versions_and_gates_are_checked() {
    let refused = |extra: &str| message(&hpa(extra, HPA));
    assert_snapshot!(refused("  kubernetes: {version: \"1.99\"}\n"), @r#"scenario.yaml:26:25: spec.kubernetes.version: text `1.99`, expected a release from 1.23 to 1.37, such as `"1.36"`"#);
    assert_snapshot!(refused("  kubernetes: {featureGates: {HPAScaletoZero: true}}\n"), @"scenario.yaml:26:30: spec.kubernetes.featureGates: there is no feature gate that the HPA reads `HPAScaletoZero`; did you mean `HPAScaleToZero`? (one of: HPAScaleToZero, HPAConfigurableTolerance, PodLevelResources)");
    assert_snapshot!(message(&scenario("  keda: {version: latest}\n", &object("aws-sqs-queue", SQS))), @r#"scenario.yaml:26:19: spec.keda.version: text `latest`, expected a release from 2.0 to 2.21, such as `"2.19"` or `"2.20.1"`"#);
}

#[test]
fn a_tolerance_the_release_drops_is_told_of() {
    let tolerant = format!("{HPA}  behavior: {{scaleUp: {{tolerance: \"0.02\"}}}}\n");
    let notes = |extra: &str| load_text(&hpa(extra, &tolerant)).unwrap().notes.join("\n");
    assert_snapshot!(notes("  kubernetes: {version: \"1.34\"}\n"), @r##"
    HorizontalPodAutoscaler/busy: tolerance has no effect: the gate HPAConfigurableTolerance is off (on by default from 1.35), kubernetes.version is 1.34
    no prometheus-adapter rules in these files: the default rules of its chart are assumed, for nv_inference_pending_request_count (`metrics.adapter: none` if the cluster has no adapter)
    fixed: nv_inference_pending_request_count of pods is answered by the adapter's default rule: sum(nv_inference_pending_request_count{}) by (pod)
    "##);
    assert_snapshot!(notes(""), @r##"
    no prometheus-adapter rules in these files: the default rules of its chart are assumed, for nv_inference_pending_request_count (`metrics.adapter: none` if the cluster has no adapter)
    fixed: nv_inference_pending_request_count of pods is answered by the adapter's default rule: sum(nv_inference_pending_request_count{}) by (pod)
    "##);
}

#[test]
fn an_hpa_of_the_same_name_that_keda_does_not_own_is_a_clash() {
    let other = HPA.replacen("name: busy", "name: keda-hpa-so", 1);
    let text = format!("{}---\n{other}", scenario("", &object("aws-sqs-queue", SQS)));
    assert_snapshot!(message(&text), @r#"scenario.yaml:33:3: spec.advanced.horizontalPodAutoscalerConfig.name: name clash: its HPA is called keda-hpa-so, and so is one of the folder that KEDA does not own (scenario.yaml:39:1); set the annotation scaledobject.keda.sh/transfer-hpa-ownership: "true" or another horizontalPodAutoscalerConfig.name"#);
    assert!(load_text(&text.replacen("  policies:", "  keda: {version: \"2.20\"}\n  policies:", 1)).is_ok());
}

#[test]
fn a_fed_trigger_asks_the_simulator_and_not_prometheus() {
    let object = loaded(&scenario("", &object("aws-sqs-queue", SQS)));
    let keda = policy::keda::Keda::new(object, policy::keda::Setting::starting_at(0)).unwrap();
    let queries = policy::ScalingPolicy::queries(&keda);
    assert!(matches!(queries, [MetricQuery::Signal(query)] if query.signal == Signal::Requests));
}

#[test]
fn what_the_interceptor_does_besides_counting_is_said() {
    let notes = |extra: &str, spec: &str| {
        let loaded = load_text(&scenario(extra, &format!("{HTTP}{spec}"))).unwrap();
        let notes = loaded.notes.into_iter().filter(|note| note.contains("HTTPScaledObject"));
        notes.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(notes("", ""), "");
    assert_snapshot!(notes("  httpAddOn: {version: \"0.13\"}\n", ""), @"HTTPScaledObject/so: its interceptor fails requests that wait 20s for a ready pod or 500ms for the first byte of the answer: not modelled, they wait as long as their clients do (service.client.timeout)");
    assert_snapshot!(notes("", "    requestRate: {window: 1m, granularity: 20s}\n  timeouts: {conditionWait: 40s, responseHeader: 0s}\n"), @r##"
    HTTPScaledObject/so: its interceptor fails requests that wait 40s for a ready pod: not modelled, they wait as long as their clients do (service.client.timeout)
    HTTPScaledObject/so: requestRate.granularity 20s is not modelled: the rate is that of the window that ends at the reading, not of whole buckets of that length
    "##);
    let route = "---\napiVersion: http.keda.sh/v1beta1\nkind: InterceptorRoute\nmetadata: {name: way}\nspec:\n  target: {service: inference}\n  \
                 timeouts: {readiness: 45s, request: 2m}\n  coldStart: {placeholder: {response: wait}}\n";
    let loaded = load_text(&scenario("", &format!("{HTTP}{route}"))).unwrap();
    let notes: Vec<String> = loaded.notes.into_iter().filter(|note| note.contains("InterceptorRoute")).collect();
    assert_snapshot!(notes.join("\n"), @r##"
    InterceptorRoute/way: its interceptor fails requests that wait 45s for a ready pod: not modelled, they wait as long as their clients do (service.client.timeout)
    InterceptorRoute/way: its interceptor fails requests that wait 120s for the whole answer: not modelled, they wait as long as their clients do (service.client.timeout)
    InterceptorRoute/way: coldStart.placeholder is not modelled: nothing else answers while none of its pods does
    "##);
}
