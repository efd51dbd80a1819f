//! Every kind of workload becomes the pod, the number and the autoscaler that its controller would make of it.

use cluster::spec::{ControllerSpec, GroupRestart, ReplicaOrder, ServiceSpec};
use insta::assert_snapshot;
use scenario::{Input, Loaded, Survey};

use crate::support::{load_text, load_with, message, with};

/// A scenario of the workloads in these manifests, with this policy.
fn text(policy: &str, manifests: &str) -> String {
    let scenario =
        with("    pod:\n      gpus: 1\n", "").replacen("instanceTypes: [g5.xlarge]", "instanceTypes: [g5.12xlarge]", 1);
    let scenario = scenario.replacen("    g5.xlarge: {onDemand: $1.01/h}", "    g5.12xlarge: {onDemand: $5/h}", 1);
    format!("{}---\n{manifests}", scenario.replacen("static: {replicas: 2}", policy, 1))
}

fn loaded(policy: &str, manifests: &str) -> Loaded {
    load_text(&text(policy, manifests)).unwrap_or_else(|error| panic!("{error}\n{manifests}"))
}

/// What is said of workloads: neither of probes nor of requests, which these pods do without.
fn said(loaded: &Loaded) -> String {
    let others = ["no readinessProbe", "fixed: missing request", "nodeSelector", "service.onTerminate"];
    let notes = loaded.notes.iter().filter(|note| !others.iter().any(|start| note.starts_with(start)));
    notes.cloned().collect::<Vec<_>>().join("\n")
}

fn service(manifests: &str) -> ServiceSpec {
    loaded("static: {replicas: 2}", manifests).spec.services.swap_remove(0)
}

fn of(kind: &str, spec: &str) -> String {
    format!("apiVersion: {kind}\nmetadata: {{name: llm, namespace: ml}}\nspec: {spec}\n")
}

const POD: &str = "{metadata: {labels: {app: llm}}, spec: {containers: [{name: server, image: vllm/vllm-openai:v0.10.0, resources: {limits: {nvidia.com/gpu: 2}}}]}}";

#[test]
fn a_stateful_set_has_an_order() {
    let set =
        |more: &str| service(&of("apps/v1\nkind: StatefulSet", &format!("{{replicas: 3, template: {POD}{more}}}")));
    let ordered = set("");
    assert_eq!(
        (ordered.name.as_str(), ordered.namespace.as_str(), ordered.replicas_initial, ordered.pod.gpus),
        ("llm", "ml", 3, 2)
    );
    assert_eq!(ordered.order, ReplicaOrder::Ordered);
    assert_eq!(set(", podManagementPolicy: Parallel").order, ReplicaOrder::HighestFirst);
    let wrong = of("apps/v1\nkind: StatefulSet", &format!("{{podManagementPolicy: Paralel, template: {POD}}}"));
    assert_snapshot!(message(&text("static: {replicas: 2}", &wrong)), @"scenario.yaml:28:29: spec.podManagementPolicy: unknown choice `Paralel`; did you mean `Parallel`? (one of: OrderedReady, Parallel)");
}

#[test]
fn kinds_like_a_deployment_are_read_as_one() {
    for kind in [
        "argoproj.io/v1alpha1\nkind: Rollout",
        "apps.kruise.io/v1alpha1\nkind: CloneSet",
        "apps.openshift.io/v1\nkind: DeploymentConfig",
        "apps/v1\nkind: ReplicaSet",
    ] {
        let found = service(&of(kind, &format!("{{replicas: 4, template: {POD}}}")));
        assert_eq!((found.replicas_initial, found.pod.gpus, found.order), (4, 2, ReplicaOrder::Parallel), "{kind}");
    }
}

#[test]
fn a_rollout_may_take_its_pod_from_a_deployment_which_is_then_no_workload_of_its_own() {
    let deployment = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: base, namespace: ml}}\nspec: {{replicas: 0, template: {POD}}}\n"
    );
    let rollout = of(
        "argoproj.io/v1alpha1\nkind: Rollout",
        "{replicas: 3, workloadRef: {apiVersion: apps/v1, kind: Deployment, name: base, scaleDown: onsuccess}}",
    );
    let found = loaded("static: {replicas: 2}", &format!("{deployment}---\n{rollout}"));
    assert_eq!(
        (
            found.spec.services[0].name.as_str(),
            found.spec.services[0].replicas_initial,
            found.spec.services[0].pod.gpus
        ),
        ("llm", 3, 2)
    );
    let alone = text("static: {replicas: 2}", &rollout);
    assert_snapshot!(message(&alone), @"scenario.yaml:28:80: spec.workloadRef.name: there is no workload in the folder that `workloadRef` names, `base` (there is none)");
}

#[test]
fn what_another_document_made_is_no_workload_beside_it() {
    let deployment = of("apps/v1\nkind: Deployment", &format!("{{replicas: 3, template: {POD}}}"));
    let child = "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: llm-5f, namespace: ml, uid: a, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: llm, controller: true}]}\nspec: {replicas: 9, template: {spec: {containers: []}}}\n";
    let found = loaded("static: {replicas: 2}", &format!("{child}---\n{deployment}"));
    assert_eq!((found.spec.services[0].name.as_str(), found.spec.services[0].replicas_initial), ("llm", 3));
    assert_eq!(found.counted, ["1 document belongs to others in the folder, which are read instead"]);
}

/// `{metadata, spec}` of a pod with so many GPUs.
fn pod_of(name: &str, gpus: &str, more: &str) -> String {
    format!(
        "{{spec: {{containers: [{{name: {name}, resources: {{limits: {{nvidia.com/gpu: {gpus}, cpu: 1}}}}}}]{more}}}}}"
    )
}

fn groups(spec: &str) -> String {
    of("leaderworkerset.x-k8s.io/v1\nkind: LeaderWorkerSet", spec)
}

#[test]
fn a_leader_worker_set_has_groups_of_pods() {
    let (leader, worker) = (pod_of("l", "2", ""), pod_of("w", "2", ", terminationGracePeriodSeconds: 5"));
    let spec = |set: &str| format!("{{replicas: 2, startupPolicy: LeaderReady, leaderWorkerTemplate: {{{set}}}}}");
    let set = format!("size: 3, restartPolicy: None, workerTemplate: {worker}, leaderTemplate: {leader}");
    let manifests = groups(&spec(&set));
    let survey =
        Survey::read(&[Input::Text { name: "f.yaml".to_owned(), text: manifests.clone() }], false, &[]).unwrap();
    let found = &survey.candidates[0];
    assert_eq!((found.replicas, found.pods, found.accelerator.clone().unwrap().1), (2, 3, 2.0));

    let loaded = loaded("static: {replicas: 2}", &manifests);
    let found = &loaded.spec.services[0];
    let group = found.pod.group.clone().unwrap();
    assert_eq!((found.replicas_initial, found.pod.gpus, found.pod.replica_gpus(), group.size), (2, 2, 6, 3));
    assert_eq!(
        (group.restart, group.leader_ready_first, found.order),
        (GroupRestart::Pod, true, ReplicaOrder::HighestFirst)
    );
    assert_eq!((found.pod.containers[0].name.as_str(), group.worker_containers[0].name.as_str()), ("l", "w"));
    let labels: Vec<&str> = found.pod.labels.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(labels, ["leaderworkerset.sigs.k8s.io/name", "leaderworkerset.sigs.k8s.io/worker-index"]);
    assert_snapshot!(said(&loaded), @"LeaderWorkerSet/llm: of a group that loses a pod a cluster makes that one again, and the others start their servers anew in their places; here the whole group is deleted and made again");

    let alone = groups(&spec(&set.replacen("size: 3", "size: 1", 1)));
    let found = service(&alone);
    assert_eq!((found.replicas_initial, found.pod.group, found.order), (2, None, ReplicaOrder::HighestFirst));
    let one_template = groups(&spec(&format!("size: 2, workerTemplate: {worker}")));
    assert_eq!(service(&one_template).pod.group.unwrap().worker_containers[0].name, "w");
    let refused = |set: &str| message(&text("static: {replicas: 2}", &groups(&spec(set))));
    let slip = set.replacen(
        "name: l, resources: {limits: {nvidia.com/gpu: 2",
        "name: l, resources: {limits: {nvidia.com/gpu: one",
        1,
    );
    assert_snapshot!(refused(&slip), @r#"scenario.yaml:28:321: spec.leaderWorkerTemplate.leaderTemplate.spec.containers[0].resources.limits["nvidia.com/gpu"]: text `one`, expected a Kubernetes quantity such as `500m`, `4` or `16Gi`"#);
    let slip = set.replacen(
        "name: w, resources: {limits: {nvidia.com/gpu: 2",
        "name: w, resources: {limits: {nvidia.com/gpu: one",
        1,
    );
    assert_snapshot!(refused(&slip), @r#"scenario.yaml:28:186: spec.leaderWorkerTemplate.workerTemplate.spec.containers[0].resources.limits["nvidia.com/gpu"]: text `one`, expected a Kubernetes quantity such as `500m`, `4` or `16Gi`"#);
    assert_snapshot!(refused(&set.replacen("size: 3", "size: none", 1)), @"scenario.yaml:28:78: spec.leaderWorkerTemplate.size: `none`, expected a number of pods, 1 or more");
    assert_snapshot!(refused(&set.replacen("Policy: None", "Policy: Recreate", 1)), @"scenario.yaml:28:96: spec.leaderWorkerTemplate.restartPolicy: unknown choice `Recreate`; did you mean `RecreateGroupAfterStart`? (one of: RecreateGroupOnPodRestart, RecreateGroupAfterStart, None, Default)");
}

#[test]
fn what_a_group_asks_for_that_is_not_modelled_is_refused_at_its_place() {
    let set = |leader: &str, worker: &str| {
        groups(&format!("{{leaderWorkerTemplate: {{size: 2, leaderTemplate: {leader}, workerTemplate: {worker}}}}}"))
    };
    let refused = |manifests: &str| message(&text("static: {replicas: 1}", manifests));
    let alike = set(&pod_of("l", "2", ""), &pod_of("w", "2", ""));
    assert_snapshot!(refused(&set(&pod_of("l", "1", ""), &pod_of("w", "2", ""))), @"scenario.yaml:28:157: spec.leaderWorkerTemplate.workerTemplate: LeaderWorkerSet/llm: its leader asks for 1 nvidia.com/gpu and its workers for 2 nvidia.com/gpu; ask for the same in both templates; it would change the result and is not modelled");
    assert_snapshot!(refused(&set(&pod_of("l", "2", ""), &pod_of("w", "2", ", nodeSelector: {a: b}"))), @"scenario.yaml:28:157: spec.leaderWorkerTemplate.workerTemplate: LeaderWorkerSet/llm: its leader and its workers differ in where they may run (nodeSelector, affinity, tolerations, priority, annotations, claims, quota); write the same in both templates; it would change the result and is not modelled");
    let exclusive = |key: &str| {
        alike.replacen(
            "namespace: ml",
            &format!("namespace: ml, annotations: {{leaderworkerset.sigs.k8s.io/{key}: rack}}"),
            1,
        )
    };
    assert_snapshot!(refused(&exclusive("exclusive-topology")), @r#"scenario.yaml:27:100: metadata.annotations["leaderworkerset.sigs.k8s.io/exclusive-topology"]: LeaderWorkerSet/llm: keeps its pods in a domain of `rack` of their own; leave the annotation out to have them wherever there is room; it would change the result and is not modelled"#);
    assert_snapshot!(refused(&exclusive("subgroup-exclusive-topology")), @r#"scenario.yaml:27:109: metadata.annotations["leaderworkerset.sigs.k8s.io/subgroup-exclusive-topology"]: LeaderWorkerSet/llm: keeps its pods in a domain of `rack` of their own; leave the annotation out to have them wherever there is room; it would change the result and is not modelled"#);
    let budget = |label: &str| {
        let kind = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b, namespace: ml}";
        format!(
            "{alike}---\n{kind}\nspec: {{maxUnavailable: 1, selector: {{matchLabels: {{leaderworkerset.sigs.k8s.io/{label}}}}}}}\n"
        )
    };
    assert_snapshot!(refused(&budget("worker-index: '0'")), @"scenario.yaml:33:37: spec.selector: selects some pods of LeaderWorkerSet/llm only, of whose groups of 2 pods none serves without the others; select all by `leaderworkerset.sigs.k8s.io/name`; it would change the result and is not modelled");
    let found = loaded("static: {replicas: 1}", &budget("name: llm"));
    assert_eq!((found.spec.services[0].budgets.len(), said(&found).as_str()), (1, ""));
}

#[test]
fn an_autoscaler_finds_its_target_by_kind_and_name() {
    let set = of("apps/v1\nkind: StatefulSet", &format!("{{podManagementPolicy: Parallel, template: {POD}}}"));
    let hpa = |target: &str, namespace: &str| {
        format!(
            "{set}---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: h, namespace: {namespace}}}\nspec: {{scaleTargetRef: {target}, maxReplicas: 4}}\n"
        )
    };
    let policy = "hpa: h";
    let found = loaded(policy, &hpa("{apiVersion: apps/v1, kind: StatefulSet, name: llm}", "ml"));
    assert_eq!(said(&found), "");
    let versionless = loaded(policy, &hpa("{kind: StatefulSet, name: llm}", "ml"));
    assert_snapshot!(said(&versionless), @"HorizontalPodAutoscaler/h: its target has no `apiVersion`, without which a cluster finds nothing; `apps/v1` is meant");
    let refused = |target: &str, namespace: &str| message(&text(policy, &hpa(target, namespace)));
    assert_snapshot!(refused("{apiVersion: apps/v1, kind: Deployment, name: llm}", "ml"), @"scenario.yaml:33:70: spec.scaleTargetRef.name: HorizontalPodAutoscaler/h targets Deployment llm; the folder has StatefulSet llm");
    assert_snapshot!(refused("{apiVersion: apps/v1, kind: StatefulSet, name: lm}", "ml"), @"scenario.yaml:33:71: spec.scaleTargetRef.name: there is no workload `StatefulSet/lm`; did you mean `StatefulSet/llm`? (one of: StatefulSet/llm)");
    assert_snapshot!(refused("{apiVersion: apps/v1, kind: StatefulSet, name: llm}", "web"), @"scenario.yaml:33:71: spec.scaleTargetRef.name: HorizontalPodAutoscaler/h is in namespace web and scales StatefulSet llm there; the one here is in namespace ml");
}

#[test]
fn several_workloads_need_a_name_unless_one_alone_has_accelerators() {
    let bare = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: gateway}\nspec: {template: {spec: {containers: [{name: c}]}}}\n";
    let set = of("apps/v1\nkind: StatefulSet", &format!("{{podManagementPolicy: Parallel, template: {POD}}}"));
    let found = loaded("static: {replicas: 2}", &format!("{bare}---\n{set}"));
    assert_eq!(found.spec.services[0].name, "llm");
    assert_snapshot!(said(&found), @r"
    the service is StatefulSet/llm, the only workload with an accelerator
    not the service, which is StatefulSet/llm: Deployment/gateway
    ");
    let twin = set.replacen("namespace: ml", "namespace: other", 1);
    let both = text("static: {replicas: 2}", &format!("{set}---\n{twin}"));
    assert_snapshot!(message(&both), @"scenario.yaml:12:5: spec.service: there are several workloads (StatefulSet/llm, StatefulSet/llm); name one in `service.workload`");
    let named = |name: &str| {
        load_with(&both, &[("service.workload", name)])
            .map(|found| found.spec.services[0].namespace.clone())
            .map_err(|error| error.to_string())
    };
    assert_eq!(named("other/StatefulSet/llm").unwrap(), "other");
    assert_snapshot!(named("llm").unwrap_err(), @"--set service.workload=llm: spec.service.workload: `llm` may be ml/StatefulSet/llm or other/StatefulSet/llm; name one of them");
    assert_snapshot!(named("lm").unwrap_err(), @"--set service.workload=lm: spec.service.workload: there is no workload `lm` (one of: StatefulSet/llm, StatefulSet/llm)");
}

#[test]
fn an_export_says_that_its_count_is_of_a_moment() {
    let set =
        of("apps/v1\nkind: StatefulSet", &format!("{{replicas: 7, podManagementPolicy: Parallel, template: {POD}}}"))
            .replacen("name: llm,", "name: llm, uid: 0-1,", 1);
    let found = loaded("static: {replicas: 2}", &set);
    assert_eq!(found.spec.services[0].replicas_initial, 7);
    assert_snapshot!(said(&found), @"StatefulSet/llm comes from a cluster: its 7 replicas are those of that moment, and the number the run starts with");
}

#[test]
fn a_nim_service_brings_its_own_autoscaler_which_may_be_changed() {
    let nim = of(
        "apps.nvidia.com/v1alpha1\nkind: NIMService",
        "{image: {repository: nvcr.io/nim/meta/llama, tag: 1.8.4}, scale: {enabled: true, hpa: {minReplicas: 2, maxReplicas: 4}}}",
    );
    let found = loaded("hpa: llm", &nim);
    let ControllerSpec::Hpa { spec, .. } = &found.spec.policies[0].services[0].controllers[0] else { panic!("no HPA") };
    assert_eq!((spec.replicas_min, spec.replicas_max), (2, 4));
    let service = &found.spec.services[0];
    assert_eq!(
        (service.pod.gpus, service.pod.image.as_str(), service.replicas_initial),
        (1, "nvcr.io/nim/meta/llama:1.8.4", 2)
    );
    for path in ["NIMService/llm.spec.scale.hpa.maxReplicas", "policies.fixed.spec.maxReplicas"] {
        let changed = load_with(&text("hpa: llm", &nim), &[(path, "9")]).unwrap();
        let ControllerSpec::Hpa { spec, .. } = &changed.spec.policies[0].services[0].controllers[0] else {
            panic!("no HPA")
        };
        assert_eq!(spec.replicas_max, 9, "{path}");
    }
    let pipeline = "apiVersion: apps.nvidia.com/v1alpha1\nkind: NIMPipeline\nmetadata: {name: p}\nspec: {services: [{name: off, enabled: false, spec: {}}, {name: on, enabled: true, spec: {image: {repository: x}, multiNode: {parallelism: {tensor: 2, pipeline: 1}}}}]}\n";
    let service = self::service(pipeline);
    assert_eq!((service.name.as_str(), service.pod.gpus), ("on", 2));
}

#[test]
fn an_inference_service_is_its_predictor_over_its_runtime() {
    let runtime = "apiVersion: serving.kserve.io/v1alpha1\nkind: ServingRuntime\nmetadata: {name: hf, namespace: ml}\nspec: {nodeSelector: {pool: gpu}, supportedModelFormats: [{name: huggingface, autoSelect: true}], containers: [{name: kserve-container, image: kserve/huggingfaceserver:v0.15, args: [--a], env: [{name: A, value: \"1\"}]}]}\n---\n";
    let isvc = |annotations: &str, predictor: &str| {
        format!(
            "{runtime}apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {{name: llm, namespace: ml, annotations: {{serving.kserve.io/deploymentMode: Standard{annotations}}}}}\nspec: {{predictor: {{{predictor}, model: {{modelFormat: {{name: huggingface}}, args: [--b], resources: {{limits: {{nvidia.com/gpu: 2}}}}}}}}}}\n"
        )
    };
    let found = loaded("hpa: llm-predictor", &isvc("", "minReplicas: 2, maxReplicas: 6, scaleTarget: 70"));
    let pod = &found.spec.services[0].pod;
    assert_eq!((pod.gpus, pod.image.as_str()), (2, "kserve/huggingfaceserver:v0.15"));
    assert_eq!(pod.node_selector, [("pool".to_owned(), "gpu".to_owned())]);
    let ControllerSpec::Hpa { spec, .. } = &found.spec.policies[0].services[0].controllers[0] else { panic!("no HPA") };
    assert_eq!((spec.replicas_min, spec.replicas_max), (2, 6));
    let keda = isvc(
        ", serving.kserve.io/autoscalerClass: keda",
        "minReplicas: 1, maxReplicas: 3, autoScaling: {metrics: [{type: External, external: {metric: {backend: prometheus, serverAddress: http://p, query: up}, target: {type: Value, value: \"5\"}}}]}",
    );
    let found = loaded("keda: llm-predictor", &keda);
    let ControllerSpec::Keda { scaled_object, .. } = &found.spec.policies[0].services[0].controllers[0] else {
        panic!("no KEDA")
    };
    assert_eq!(scaled_object.triggers[0].metadata["threshold"], "5");
    let knative =
        loaded("static: {replicas: 2}", &isvc("", "minReplicas: 1, maxReplicas: 3").replacen("Standard", "Knative", 1));
    assert_snapshot!(said(&knative), @"InferenceService/llm: Knative moves its replicas by requests in progress (KPA), which is not modelled; with `serving.kserve.io/deploymentMode: Standard` it has an HPA or KEDA instead");
}

#[test]
fn an_llm_inference_service_is_put_over_its_bases() {
    let manifests = "apiVersion: serving.kserve.io/v1alpha1\nkind: LLMInferenceServiceConfig\nmetadata: {name: base}\nspec: {parallelism: {tensor: 4}, template: {nodeSelector: {pool: gpu}, containers: [{name: main, image: vllm:1}]}}\n---\napiVersion: serving.kserve.io/v1alpha1\nkind: LLMInferenceService\nmetadata: {name: llm}\nspec: {model: {uri: hf://m}, baseRefs: [{name: base}], template: {containers: [{name: main, image: vllm:2}]}, scaling: {minReplicas: 2, maxReplicas: 5, keda: {triggers: [{type: cron, metadata: {timezone: UTC, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: \"3\"}}]}}}\n";
    let found = loaded("keda: llm-kserve-keda", manifests);
    let pod = &found.spec.services[0].pod;
    assert_eq!(
        (pod.gpus, pod.image.as_str(), pod.node_selector.len(), found.spec.services[0].replicas_initial),
        (4, "vllm:2", 1, 2)
    );
}

#[test]
fn kinds_with_a_scaler_of_their_own_say_what_is_lost() {
    let ray = of(
        "ray.io/v1\nkind: RayService",
        "\n  serveConfigV2: |\n    applications:\n    - deployments:\n      - {name: llm, autoscaling_config: {min_replicas: 2, max_replicas: 4}, ray_actor_options: {num_gpus: 1}}\n  rayClusterConfig: {workerGroupSpecs: [{groupName: gpu, template: {spec: {containers: [{name: w, resources: {limits: {nvidia.com/gpu: 1}}}]}}}]}",
    );
    let knative = of("serving.knative.dev/v1\nkind: Service", &format!("{{template: {POD}}}"));
    let kubeai = of(
        "kubeai.org/v1\nkind: Model",
        "{engine: VLLM, resourceProfile: \"nvidia-gpu-l4:2\", minReplicas: 1, maxReplicas: 3}",
    );
    let mut lost = Vec::new();
    for (manifests, gpus, replicas) in [(&ray, 1, 2), (&knative, 2, 1), (&kubeai, 2, 1)] {
        let found = loaded("static: {replicas: 2}", manifests);
        assert_eq!((found.spec.services[0].pod.gpus, found.spec.services[0].replicas_initial), (gpus, replicas));
        lost.push(said(&found));
    }
    assert_snapshot!(lost.join("\n"), @r"
    RayService/llm: the service is its deployment llm
    RayService/llm: Ray Serve moves its replicas by requests in progress (autoscaling_config), which is not modelled
    Service/llm: Knative moves its replicas by requests in progress (KPA), which is not modelled
    Model/llm: a unit of resource profile nvidia-gpu-l4 is taken as one device, its CPU and memory are not known
    Model/llm: KubeAI moves its replicas by the mean of active requests (targetRequests), which is not modelled
    ");
    let fixed = ray.replacen("autoscaling_config: {min_replicas: 2, max_replicas: 4}", "num_replicas: 3", 1);
    assert_eq!(service(&fixed).replicas_initial, 3);
}

#[test]
fn a_dynamo_graph_is_the_component_that_decodes() {
    let old = of(
        "nvidia.com/v1alpha1\nkind: DynamoGraphDeployment",
        "{services: {Frontend: {componentType: frontend, replicas: 1}, Prefill: {componentType: worker, subComponentType: prefill, replicas: 1, resources: {limits: {gpu: \"1\"}}}, Decode: {componentType: worker, subComponentType: decode, replicas: 2, resources: {limits: {gpu: \"2\"}}, extraPodSpec: {mainContainer: {image: \"vllm-runtime:1\"}}}}}",
    );
    let found = loaded("static: {replicas: 2}", &old);
    let service = &found.spec.services[0];
    assert_eq!((service.pod.gpus, service.replicas_initial, service.pod.image.as_str()), (2, 2, "vllm-runtime:1"));
    assert_snapshot!(said(&found), @r"
    DynamoGraphDeployment/llm: the service is its component Decode
    DynamoGraphDeployment/llm: work and GPUs of Prefill are left out
    ");
    let adapter = "---\napiVersion: nvidia.com/v1alpha1\nkind: DynamoGraphDeploymentScalingAdapter\nmetadata: {name: a, namespace: ml}\nspec: {replicas: 4, dgdRef: {name: llm, serviceName: Decode}}\n---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h, namespace: ml}\nspec: {scaleTargetRef: {apiVersion: nvidia.com/v1alpha1, kind: DynamoGraphDeploymentScalingAdapter, name: a}, maxReplicas: 5}\n";
    assert_eq!(loaded("hpa: h", &format!("{old}{adapter}")).spec.services[0].replicas_initial, 4);
}

#[test]
fn kaito_and_hyperpod_take_their_machine_from_the_manifest() {
    let kaito = "apiVersion: kaito.sh/v1alpha1\nkind: InferenceSet\nmetadata: {name: llm}\nspec: {replicas: 2, template: {resource: {instanceType: g5.12xlarge}, inference: {preset: {name: phi-4}}}}\n";
    let found = service(kaito);
    assert_eq!((found.pod.gpus, found.replicas_initial), (4, 2));
    assert_eq!(found.pod.node_selector, [("node.kubernetes.io/instance-type".to_owned(), "g5.12xlarge".to_owned())]);
    let pod = of(
        "inference.sagemaker.aws.amazon.com/v1\nkind: InferenceEndpointConfig",
        "{modelName: m, instanceType: ml.g5.12xlarge, replicas: 1, worker: {image: \"djl:1\"}, autoScalingSpec: {maxReplicaCount: 3, prometheusTrigger: {serverAddress: http://p, query: up, targetValue: 5}}}",
    );
    let found = loaded("keda: llm", &pod);
    let ControllerSpec::Keda { scaled_object, .. } = &found.spec.policies[0].services[0].controllers[0] else {
        panic!("no KEDA")
    };
    assert_eq!((scaled_object.replicas_max, scaled_object.triggers[0].metadata["threshold"].as_str()), (Some(3), "5"));
    let watched = pod.replacen(
        "prometheusTrigger: {serverAddress: http://p, query: up, targetValue: 5}",
        "cloudWatchTrigger: {namespace: AWS/ApplicationELB, metricName: RequestCount, targetValue: 5, dimensions: [{name: LoadBalancer, value: lb}, {name: Zone, value: a}]}",
        1,
    );
    let scenario = text("keda: llm", &watched);
    let triggers = "\n  metrics: {triggers: {llm/0: {signal: arrivalRate}}}\n  policies:";
    let found = load_text(&scenario.replacen("\n  policies:", triggers, 1)).expect("what it watches is said");
    let ControllerSpec::Keda { scaled_object, .. } = &found.spec.policies[0].services[0].controllers[0] else {
        panic!("no KEDA")
    };
    let metadata = &scaled_object.triggers[0].metadata;
    assert_eq!(
        (metadata["dimensionName"].as_str(), metadata["dimensionValue"].as_str()),
        ("LoadBalancer;Zone", "lb;a")
    );
}

#[test]
fn the_likeliest_service_has_an_accelerator_then_a_known_server_then_an_autoscaler() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: gateway}\nspec: {replicas: 9, template: {spec: {containers: [{name: c, image: envoy:1}]}}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: train}\nspec: {template: {spec: {containers: [{name: c, image: x:1, resources: {limits: {nvidia.com/gpu: 8}}}]}}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: idle}\nspec: {template: {spec: {containers: [{name: c, image: vllm/vllm-openai:1, resources: {limits: {nvidia.com/gpu: 1}}}]}}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: llm}\nspec: {template: {spec: {containers: [{name: c, image: vllm/vllm-openai:1, resources: {limits: {nvidia.com/gpu: 1}}}]}}}\n---\napiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: so}\nspec: {scaleTargetRef: {name: llm}, triggers: []}\n";
    let input = Input::Text { name: "f.yaml".to_owned(), text: text.to_owned() };
    let survey = Survey::read(&[input], false, &[]).unwrap();
    let names: Vec<&str> = survey.candidates.iter().map(|candidate| candidate.name.as_str()).collect();
    assert_eq!(names, ["llm", "idle", "train", "gateway"]);
    assert_eq!(survey.autoscalers[0].candidate, Some(0));
}
