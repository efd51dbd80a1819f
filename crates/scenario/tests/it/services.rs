//! Several services in one scenario.

use cluster::spec::{ControllerSpec, SimulationSpec};
use insta::assert_snapshot;
use scenario::Loaded;

use crate::support::{SCENARIO, load_text, load_with, message, with};

/// Two services, each with a Deployment, one with an HPA.
const ZOO: &str = "\
apiVersion: scalelab.dev/v1
kind: Scenario
metadata:
  name: zoo
spec:
  run: {duration: 1h}
  services:
  - name: chat
    traffic: {generator: {rate: 10req/s}}
    service:
      model: {slots: {serviceTime: 50ms}}
    slo: {latency: 200ms}
  - name: embed
    traffic: {generator: {rate: 20req/s}}
    service:
      workload: embedder
      model: {slots: {serviceTime: 20ms}}
    coldStart: {imagePull: 40s}
  nodes:
    pools:
    - {name: gpu, instanceTypes: [p5.48xlarge]}
  prices:
    p5.48xlarge: {onDemand: $55/h}
  policies:
  - name: as-deployed
  - name: tuned
    services:
      chat: {static: {replicas: 3}}
      embed: {hpa: {maxReplicas: 9, metrics: [{type: Pods, pods: {metric: {name: nv_inference_pending_request_count}, target: {type: AverageValue, averageValue: '2'}}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat, namespace: ai}
spec:
  replicas: 2
  selector: {matchLabels: {app: chat}}
  template:
    metadata: {labels: {app: chat}}
    spec:
      containers: [{name: main, image: 'nvcr.io/nvidia/tritonserver:25.01-py3', resources: {limits: {nvidia.com/gpu: 1}}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: embedder, namespace: ai}
spec:
  replicas: 4
  selector: {matchLabels: {app: embedder}}
  template:
    metadata: {labels: {app: embedder}}
    spec:
      containers: [{name: main, image: 'nvcr.io/nvidia/tritonserver:25.01-py3', resources: {limits: {nvidia.com/gpu: 2}}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: chat-hpa, namespace: ai}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: chat}
  maxReplicas: 5
  metrics:
  - {type: Pods, pods: {metric: {name: nv_inference_pending_request_count}, target: {type: AverageValue, averageValue: '1500m'}}}
";

fn zoo(old: &str, new: &str) -> String {
    assert!(ZOO.contains(old), "`{old}` is not in the scenario");
    ZOO.replacen(old, new, 1)
}

fn refused(old: &str, new: &str) -> String {
    message(&zoo(old, new))
}

/// The maximum of the HPA, or the fixed number, of each service in a policy.
fn counts(spec: &SimulationSpec, policy: usize) -> Vec<(&'static str, u32)> {
    let of = |controller: &ControllerSpec| match controller {
        ControllerSpec::Static { replicas } => ("static", *replicas),
        ControllerSpec::Hpa { spec, .. } => ("hpa", spec.replicas_max),
        ControllerSpec::Keda { .. } => ("keda", 0),
        ControllerSpec::Predictive(_) => ("predictive", 0),
        ControllerSpec::Recorded(path) => ("recorded", path.most()),
        ControllerSpec::External { config, .. } => ("external", config.bounds.1),
    };
    spec.policies[policy].services.iter().flat_map(|service| service.controllers.iter().map(of)).collect()
}

/// [`SCENARIO`] in the long form.
fn long_form() -> String {
    let (mut text, mut is_own) = (String::new(), false);
    for line in SCENARIO.lines() {
        match line {
            "  traffic:" => text += "  services:\n  - name: inference\n    traffic:\n",
            "  service:" => text += "    service:\n",
            "    static: {replicas: 2}" => text += "    services: {inference: {static: {replicas: 2}}}\n",
            _ if is_own && line.starts_with("    ") => text += &format!("  {line}\n"),
            _ => text += &format!("{line}\n"),
        }
        is_own = line == "  traffic:" || line == "  service:" || is_own && line.starts_with("    ");
    }
    text
}

#[test]
fn the_long_form_of_one_service_is_the_short_form_but_for_its_random_numbers() {
    let (short, mut long) = (load_text(SCENARIO).unwrap(), load_text(&long_form()).unwrap());
    assert!(long.spec.services[0].salt != 0 && short.spec.services[0].salt == 0);
    long.spec.services[0].salt = 0;
    assert_eq!(format!("{:#?}", long.spec), format!("{:#?}", short.spec));
    assert_eq!((long.notes, long.counted), (short.notes, short.counted));
}

#[test]
fn each_service_has_its_own_keys_and_workload() {
    let Loaded { spec, .. } = load_text(ZOO).unwrap();
    let facts: Vec<_> = spec
        .services
        .iter()
        .map(|one| {
            (one.name.as_str(), one.workload.as_str(), one.pod.gpus, one.replicas_initial, one.slo.latency.is_some())
        })
        .collect();
    assert_eq!(facts, [("chat", "chat", 1, 2, true), ("embed", "embedder", 2, 4, false)]);
    assert_ne!(format!("{:?}", spec.services[0].cold_start), format!("{:?}", spec.services[1].cold_start));
}

#[test]
fn what_a_policy_does_not_name_keeps_its_manifest() {
    let Loaded { spec, .. } = load_text(ZOO).unwrap();
    assert_eq!(counts(&spec, 0), [("hpa", 5), ("static", 4)]);
    assert_eq!(counts(&spec, 1), [("static", 3), ("hpa", 9)]);
}

#[test]
fn requests_of_a_service_follow_from_its_name_not_from_its_place() {
    let seeds = |text: &str| -> Vec<(String, u64)> {
        let Loaded { spec, .. } = load_text(text).unwrap();
        let mut seeds: Vec<_> = spec.services.iter().map(|one| (one.name.clone(), one.seed(7))).collect();
        seeds.sort();
        seeds
    };
    let (chat, rest) = ZOO.split_once("  - name: chat\n").unwrap();
    let (own, rest) = rest.split_once("  - name: embed\n").unwrap();
    let (embed, rest) = rest.split_once("  nodes:\n").unwrap();
    let turned = format!("{chat}  - name: embed\n{embed}  - name: chat\n{own}  nodes:\n{rest}");
    assert_eq!(seeds(ZOO), seeds(&turned));
}

#[test]
fn an_error_stands_where_it_is_written_in_the_long_form() {
    assert_snapshot!(refused("rate: 20req/s", "rate: 20"), @"scenario.yaml:14:33: spec.services[1].traffic.generator.rate: number `20` without a unit, expected a rate such as `12req/s` or a factor such as `70%`");
    assert_snapshot!(refused("imagePull: 40s", "preset: vlm"), @"scenario.yaml:18:25: spec.services[1].coldStart.preset: there is no preset `vlm` (one of: vllm-8b-h100, vllm-8b-h100-parallel-pull, vllm-8b-h100-fast-load, vllm-32b-h100, vllm-8b-a10g-disk, vllm-8b-a10g-s3-stream, vllm-70b-tp4, vllm-70b-tp4-s3-stream, vllm-235b-tp8, diffusion-base-model, diffusion-lora, vllm-8b-h100-sleep, vllm-wake)");
    assert_snapshot!(refused("    slo: {latency: 200ms}", "    slo: {objective: 200%}"), @"scenario.yaml:12:22: spec.services[0].slo.objective: must be above 0% and at most 100%");
    assert_snapshot!(refused("{maxReplicas: 9, ", "{maxReplicas: 9, minReplicas: 10, "), @"scenario.yaml:29:34: spec.policies[1].services.embed.hpa.maxReplicas: 9 is below minReplicas 10");
}

#[test]
fn unknown_names_of_services_are_shown_the_nearest() {
    assert_snapshot!(refused("      embed: {hpa", "      embedd: {hpa"), @r#"scenario.yaml:29:15: spec.policies[1].services.embedd: there is no service `embedd`; did you mean `embed`? (one of: chat, embed)"#);
    assert_snapshot!(load_with(ZOO, &[("policies.tuned.services.chta.static.replicas", "5")]).unwrap_err(), @r#"--set policies.tuned.services.chta.static.replicas=5: spec.policies[1].services.chta: there is no service `chta`; did you mean `chat`? (one of: chat, embed)"#);
    assert_snapshot!(load_with(ZOO, &[("services.chta.traffic.scale", "200%")]).unwrap_err(), @"--set services.chta.traffic.scale=200%: `spec.services` has no entry `chta` (one of: chat, embed); did you mean `spec.services.chat`?");
}

#[test]
fn both_forms_at_once_are_refused() {
    assert_snapshot!(refused("  nodes:\n", "  slo: {latency: 1s}\n  nodes:\n"), @"scenario.yaml:19:8: spec.slo: `slo` and `services` together: with `services` each has its own, `services.NAME.slo`; a scenario of one service may do without `services`");
    assert_snapshot!(load_with(ZOO, &[("traffic.scale", "200%")]).unwrap_err(), @"--set traffic.scale=200%: spec.traffic: `traffic` and `services` together: with `services` each has its own, `services.NAME.traffic`; a scenario of one service may do without `services`");
    assert_snapshot!(refused("  - name: as-deployed", "  - name: as-deployed\n    static: {replicas: 2}"), @"scenario.yaml:26:13: spec.policies[0].static: does not say on which service it acts: `services: {chat: {static: …}}` names it");
    assert_snapshot!(message(&with("static: {replicas: 2}", "services: {inference: {static: {replicas: 2}}}")), @"scenario.yaml:25:15: spec.policies[0].services: names services, and the scenario has no `services`: what acts on its only service stands in the policy itself");
    assert_snapshot!(message(&with("  traffic:\n    generator:\n      rate: 10req/s\n", "")), @"scenario.yaml:6:3: spec: key `traffic` is missing");
}

#[test]
fn every_service_is_there_once() {
    assert_snapshot!(refused("- name: embed", "- name: chat"), @"scenario.yaml:13:11: spec.services[1].name: another service is called `chat` already");
    assert_snapshot!(refused("workload: embedder", "workload: chat"), @"scenario.yaml:16:7: spec.services[1].service: Deployment/chat runs service `chat` already; two services on one workload are one");
    assert_snapshot!(refused("- name: embed", "- name: 'em bed'"), @"scenario.yaml:13:11: spec.services[1].name: `em bed` must be made of letters, digits, `-` and `_`");
    assert_snapshot!(refused("  policies:", "  metrics: {modelName: llama}\n  policies:"), @"scenario.yaml:24:24: spec.metrics.modelName: names the model of one service, and there are several: with `services` each has its own, `services.NAME.modelName`");
}

#[test]
fn a_run_has_a_bound_of_services() {
    let copies: String = (0..1024).map(|number| format!("  - {{name: copy-{number}, service: {{model: {{slots: {{serviceTime: 20ms}}}}}}, traffic: {{generator: {{rate: 1req/s}}}}}}\n")).collect();
    assert_snapshot!(refused("  nodes:\n", &format!("{copies}  nodes:\n")), @"scenario.yaml:8:5: spec.services: are 1026; a run may have 1024");
}

#[test]
fn pools_for_each_service_are_copies_and_what_is_limited_has_none() {
    let apart =
        |text: &str| text.replacen("  - name: as-deployed\n", "  - name: as-deployed\n    pools: perService\n", 1);
    let spec = load_text(&apart(ZOO)).unwrap().spec;
    let names: Vec<String> = spec.fleet_of(0).pools.iter().map(|pool| pool.name.clone()).collect();
    assert_eq!((names, spec.fleet_of(1).pools.len()), (vec!["gpu/chat".to_owned(), "gpu/embed".to_owned()], 1));
    let limited = apart(ZOO).replacen("[p5.48xlarge]}", "[p5.48xlarge], capacity: {on-demand: {instancesMax: 3}}}", 1);
    assert_snapshot!(message(&limited), @"scenario.yaml:26:12: spec.policies[0].pools: perService: of pool `gpu` only so many p5.48xlarge can be had (`instancesMax` or a reservation): how many of them are whose is not said");
    let serverless = apart(ZOO).replacen("nodes:\n", "nodes:\n    manager: {serverless: {price: $9/h}}\n", 1);
    assert_snapshot!(message(&serverless.replace("    pools:\n    - {name: gpu, instanceTypes: [p5.48xlarge]}\n", "")), @"scenario.yaml:25:12: spec.policies[0].pools: perService: serverless replicas share no nodes");
    assert_snapshot!(message(&with("static: {replicas: 2}", "static: {replicas: 2}\n    pools: perService")), @"scenario.yaml:26:12: spec.policies[0].pools: perService: the scenario has one service, which has all pools to itself");
}

#[test]
fn a_neighbours_engine_is_no_sign_of_another_program() {
    let model = "continuousBatching: {sequencesMax: 8, batchedTokensMax: 99, iterationMin: 9ms, iterationBase: 9ms, perKvToken: 1ns, perPromptToken: 1us, \
                 kvTokens: 9000, promptTokens: 9, outputTokens: 9}";
    let text = ZOO
        .replacen("nvcr.io/nvidia/tritonserver:25.01-py3'", "vllm/vllm-openai:v0.11.0', args: [--model, m]", 1)
        .replacen("slots: {serviceTime: 50ms}", model, 1)
        .replace(
            "nv_inference_pending_request_count}, target: {type: AverageValue, averageValue: '1500m'",
            "'vllm:num_requests_running'}, target: {type: AverageValue, averageValue: 2",
        );
    let loaded = load_text(&text).unwrap();
    assert_eq!(loaded.notes.iter().filter(|note| note.contains("assumed:")).count(), 0, "{:?}", loaded.notes);
}

#[test]
fn overrides_find_services_by_name() {
    let changes = [
        ("services.embed.service.model.slots.concurrency", "7"),
        ("policies.tuned.services.chat.static.replicas", "6"),
        ("policies.as-deployed.services.embed.static.replicas", "1"),
    ];
    let Loaded { spec, .. } = load_with(ZOO, &changes).unwrap();
    assert!(format!("{:?}", spec.services[1].model).contains("concurrency: 7"));
    assert!(format!("{:?}", spec.services[0].model).contains("concurrency: 1"));
    assert_eq!([counts(&spec, 0), counts(&spec, 1)].concat(), [("hpa", 5), ("static", 1), ("static", 6), ("hpa", 9)]);
}

#[test]
fn an_override_changes_a_copy_of_the_manifest_a_service_names() {
    let text = zoo("chat: {static: {replicas: 3}}", "chat: {hpa: chat-hpa}");
    let Loaded { spec, .. } = load_with(&text, &[("policies.tuned.services.chat.hpa.maxReplicas", "8")]).unwrap();
    assert_eq!((counts(&spec, 0)[0], counts(&spec, 1)[0]), (("hpa", 5), ("hpa", 8)));
}

#[test]
fn an_autoscaler_of_another_service_is_refused() {
    assert_snapshot!(refused("embed: {hpa: {maxReplicas: 9, metrics: [{type: Pods, pods: {metric: {name: nv_inference_pending_request_count}, target: {type: AverageValue, averageValue: '2'}}}]}}", "embed: {hpa: chat-hpa}"), @"scenario.yaml:57:65: spec.scaleTargetRef.name: HorizontalPodAutoscaler/chat-hpa targets Deployment chat, the service is Deployment/embedder");
}

#[test]
fn several_autoscalers_of_one_service_need_a_word() {
    let (_, hpa) = ZOO.rsplit_once("---\n").unwrap();
    let text = format!("{ZOO}---\n{}", hpa.replace("chat-hpa", "chat-second"));
    assert_snapshot!(message(&text), @"scenario.yaml:25:5: spec.policies[0]: names nothing that scales `chat`, and several of the manifests do: HorizontalPodAutoscaler/chat-hpa, HorizontalPodAutoscaler/chat-second");
}

#[test]
fn links_and_cache_are_those_of_the_nodes() {
    let link = |chat: &str, embed: &str| {
        let text = zoo("    slo: {latency: 200ms}", &format!("    coldStart: {{links: [{chat}]}}"));
        text.replacen(
            "{imagePull: 40s}",
            &format!("{{links: [{embed}], imagePull: {{transfer: {{size: 8GiB, links: [s3]}}}}}}"),
            1,
        )
    };
    let one = "{name: s3, bandwidth: 10Gbit/s}";
    assert_eq!(load_text(&link(one, one)).unwrap().spec.fleet.links.len(), 1);
    assert_eq!(load_text(&link(one, "")).unwrap().spec.fleet.links.len(), 1);
    assert_snapshot!(message(&link(one, "{name: s3, bandwidth: 5Gbit/s}")), @"scenario.yaml:18:25: spec.services[1].coldStart.links[0]: `s3` is another link than that of service `chat`; both share it");
    let cache = |size: &str| {
        let text = zoo("    slo: {latency: 200ms}", "    coldStart: {modelCache: {size: 100GiB, model: 16GiB}}");
        text.replacen("{imagePull: 40s}", &format!("{{modelCache: {{size: {size}, model: 2GiB}}}}"), 1)
    };
    assert!(load_text(&cache("100GiB")).unwrap().spec.fleet.cache.is_some());
    assert_snapshot!(message(&cache("50GiB")), @"scenario.yaml:18:36: spec.services[1].coldStart.modelCache.size: `size` is another than service `chat` has; it is one cache that they share");
}

#[test]
fn calls_between_services_are_checked() {
    let call = |from: &str| refused("traffic: {generator: {rate: 20req/s}}", &format!("traffic: {{from: {from}}}"));
    assert_snapshot!(call("{service: chta}"), @"scenario.yaml:14:31: spec.services[1].traffic.from.service: there is no service `chta`; did you mean `chat`? (one of: chat, embed)");
    assert_snapshot!(call("{service: chat, share: 130%}"), @"scenario.yaml:14:44: spec.services[1].traffic.from.share: must be above 0% and at most 100%");
    assert_snapshot!(call("{service: chat, count: 0}"), @"scenario.yaml:14:44: spec.services[1].traffic.from.count: must be at least 1");
    assert_snapshot!(call("{service: embed}"), @"scenario.yaml:14:31: spec.services[1].traffic.from.service: these services call each other in a ring: embed <- embed");
    let called =
        |traffic: &str| load_text(&zoo("traffic: {generator: {rate: 20req/s}}", &format!("traffic: {traffic}")));
    let alone = called("{from: {service: chat, share: 30%, count: 2}}").unwrap();
    let expected = cluster::spec::CalledBy { service: 0, share: 0.3, count: 2, transfer: None };
    assert_eq!(alone.spec.services[1].called_by, Some(expected));
    assert!(matches!(&alone.spec.services[1].traffic, workload::Traffic::Merge(own) if own.is_empty()));
    let beside = called("{from: {service: chat}, generator: {rate: 20req/s}}").unwrap();
    assert!(matches!(beside.spec.services[1].traffic, workload::Traffic::Poisson { .. }));
    assert_snapshot!(called("{from: {service: chat}, scale: 50%}").unwrap_err().to_string(), @"scenario.yaml:14:45: spec.services[1].traffic.scale: shapes requests of the service's own, and it has but those of `from`: `share` and `count` say how many");
    assert_snapshot!(refused("    slo: {latency: 200ms}", "    slo: {endToEnd: 200ms}"), @"scenario.yaml:12:21: spec.services[0].slo.endToEnd: is for services that others call, with `traffic.from`; elsewhere it is `latency`");
    assert_snapshot!(message(&with("    generator:\n      rate: 10req/s\n", "    from: {service: chat}\n")), @"scenario.yaml:9:11: spec.traffic.from: there is no other service here: it is for scenarios with `services`");
}

#[test]
fn a_pod_that_fits_nowhere_is_named() {
    assert_snapshot!(refused("nvidia.com/gpu: 2", "nvidia.com/gpu: 16"), @"scenario.yaml:20:5: spec.nodes: service `embed`: pool `gpu` can never hold the pod: it asks for 16 GPUs, p5.48xlarge has 8");
}

#[test]
fn notes_are_said_once_and_name_their_service() {
    let budget = "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: chat, namespace: ai}\n\
                  spec: {maxUnavailable: 1, selector: {matchLabels: {app: chat}}}\n";
    let loaded = load_text(&format!("{ZOO}{budget}")).unwrap();
    assert_eq!(loaded.spec.services.iter().map(|one| one.budgets.len()).collect::<Vec<_>>(), [1, 0]);
    assert_snapshot!(loaded.notes.join("\n"), @r#"
no readinessProbe: in a cluster the pod counts as ready, and gets requests, as soon as its container runs; the model takes it as ready once it is loaded
chat: HorizontalPodAutoscaler/chat-hpa scales it in policies that name nothing else
embed: no manifest scales it: policies that name nothing else keep its replicas
no prometheus-adapter rules in these files: the default rules of its chart are assumed, for nv_inference_pending_request_count (`metrics.adapter: none` if the cluster has no adapter)
chat: as-deployed: nv_inference_pending_request_count of pods is answered by the adapter's default rule: sum(nv_inference_pending_request_count{}) by (pod)
embed: tuned: nv_inference_pending_request_count of pods is answered by the adapter's default rule: sum(nv_inference_pending_request_count{}) by (pod)
"#);
}

#[test]
fn a_query_that_reads_the_neighbours_series_too_is_noted() {
    let keda = |query: &str| {
        let trigger =
            format!("{{type: prometheus, metadata: {{serverAddress: http://p, threshold: '5', query: '{query}'}}}}");
        let text = zoo("chat: {static: {replicas: 3}}", &format!("chat: {{keda: {{triggers: [{trigger}]}}}}"));
        let notes = load_text(&text).unwrap().notes;
        notes.into_iter().filter(|note| note.contains("series of service")).collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(keda("sum(nv_inference_pending_request_count)"), @"chat: scenario.yaml:28:110: tuned: keda/s0: it reads the series of service `embed` too: nothing in it tells the services apart");
    assert_snapshot!(keda("sum(nv_inference_pending_request_count{pod=~\"chat-.*\"})"), @"");
    assert_snapshot!(keda("sum(nv_inference_pending_request_count{pod=~\"embedder-.*\"})"), @"chat: scenario.yaml:28:110: tuned: keda/s0: it reads the series of service `embed`, and none of its own service");
}

#[test]
fn each_service_may_say_under_which_name_its_model_is_served() {
    let named =
        zoo("    service:\n      workload: embedder", "    modelName: qwen\n    service:\n      workload: embedder");
    let asking = |model: &str| {
        let query = format!("sum(vllm:num_requests_waiting{{model_name=\"{model}\"}})");
        let keda = format!(
            "{{keda: {{maxReplicaCount: 9, triggers: [{{type: prometheus, metadata: {{serverAddress: 'http://p', threshold: '5', query: '{query}'}}}}]}}}}"
        );
        let of_hpa = named.find("{hpa: {maxReplicas: 9").expect("the alternative's HPA");
        let end = named[of_hpa..].find('\n').expect("its end") + of_hpa;
        let text = format!("{}{keda}{}", &named[..of_hpa], &named[end..]);
        text.replace(
            "nvcr.io/nvidia/tritonserver:25.01-py3', resources: {limits: {nvidia.com/gpu: 2}}",
            "vllm/vllm-openai:v0.9.1', resources: {limits: {nvidia.com/gpu: 2}}",
        )
    };
    load_text(&asking("qwen")).expect("the name it is served under");
    let other = message(&asking("llama"));
    assert!(other.contains("qwen"), "{other}");
    assert!(other.contains("modelName"), "{other}");
}
