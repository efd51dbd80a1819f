//! Requirements over the machine table: the counts are those of Karpenter's own reference.

use super::*;

fn rule(key: &str, operator: Operator, values: &[&str]) -> Requirement {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Requirement { key: key.to_owned(), operator, values, min_values: None }
}

fn pool(requirements: Vec<Requirement>) -> KarpenterPool {
    KarpenterPool {
        name: "gpu".to_owned(),
        weight: 0,
        requirements,
        on_demand_by_default: false,
        labels: BTreeMap::new(),
        node_class: None,
        taints: Vec::new(),
        protected: false,
        replicas: None,
        limits: BTreeMap::new(),
        disruption: crate::manifest::KarpenterDisruption {
            consolidation: cluster::spec::Consolidation::Never,
            expire_after: None,
            expires_gracefully: false,
            termination_grace: None,
            budgets: Vec::new(),
        },
    }
}

fn left(provider: &str, platform: Platform, requirements: Vec<Requirement>) -> Result<Wish, Unmet> {
    let cloud = Cloud { provider: provider.to_owned(), platform };
    let universe = machines().iter().filter(|machine| machine.provider == provider).cloned().collect();
    wish_of(&pool(requirements), &cloud, universe, &PodSpec::plain())
}

fn aws(requirements: Vec<Requirement>) -> Vec<String> {
    let found = left("aws", Platform::KarpenterAws, requirements).unwrap();
    found.machines.into_iter().map(|machine| machine.instance_type).collect()
}

fn key(name: &str) -> String {
    format!("karpenter.k8s.aws/instance-{name}")
}

/// What a pool leaves for one pod.
fn wish_of(pool: &KarpenterPool, cloud: &Cloud, universe: Vec<Machine>, pod: &PodSpec) -> Result<Wish, Unmet> {
    wish(pool, cloud, universe, &[Asker { number: 0, name: "llm", pod, namespace: None }])
}

#[test]
fn requirements_leave_as_many_types_as_in_karpenters_reference() {
    use Operator::{Exists, Gt, In};
    assert_eq!(aws(vec![rule(&key("gpu-count"), Gt, &["0"])]).len(), 68);
    assert_eq!(aws(vec![rule(&key("gpu-count"), Exists, &[])]).len(), 73);
    assert_eq!(aws(vec![rule(&key("gpu-memory"), Gt, &["40000"])]).len(), 22);
    let modern = aws(vec![
        rule(&key("category"), In, &["g"]),
        rule(&key("generation"), Gt, &["4"]),
        rule(&key("gpu-count"), In, &["1"]),
        rule("kubernetes.io/arch", In, &["amd64"]),
    ]);
    assert_eq!(modern.len(), 21);
    assert!(modern.iter().all(|name| !name.starts_with("g4dn") && !name.starts_with("g5g")), "{modern:?}");
}

#[test]
fn a_type_without_the_label_passes_not_in_alone() {
    use Operator::{DoesNotExist, Gt, NotIn};
    let with_disk = aws(vec![rule(&key("local-nvme"), Gt, &["100"])]);
    assert!(with_disk.iter().all(|name| !name.starts_with("g5g") && name != "g6f.large"), "{with_disk:?}");
    let none = aws(vec![rule(&key("gpu-count"), DoesNotExist, &[])]);
    assert!(none.contains(&"inf2.xlarge".to_owned()) && !none.contains(&"g5.xlarge".to_owned()), "{none:?}");
    let not_eight = aws(vec![rule(&key("gpu-count"), NotIn, &["8"])]);
    assert!(not_eight.contains(&"trn1.2xlarge".to_owned()) && !not_eight.contains(&"p5.48xlarge".to_owned()));
}

#[test]
fn every_cloud_has_labels_of_its_own() {
    use Operator::{Gt, In};
    let names = |provider, platform, key: &str, operator, value: &str| -> Vec<String> {
        let found = left(provider, platform, vec![rule(key, operator, &[value])]).unwrap();
        found.machines.into_iter().map(|machine| machine.instance_type).collect()
    };
    let auto = names("aws", Platform::EksAuto, "eks.amazonaws.com/instance-gpu-name", In, "l40s");
    assert!(auto.len() == 8 && auto.iter().all(|name| name.starts_with("g6e.")), "{auto:?}");
    let azure = names("azure", Platform::KarpenterAzure, "karpenter.azure.com/sku-gpu-name", In, "A100");
    assert!(azure.contains(&"Standard_NC24ads_A100_v4".to_owned()) && azure.len() == 4, "{azure:?}");
    assert_eq!(
        names("azure", Platform::KarpenterAzure, "karpenter.azure.com/sku-series", In, "NCads_v4").len(),
        // Two GPUs share the series' name: A10 and A100.
        6
    );
    let gcp = names("gcp", Platform::KarpenterGcp, "karpenter.k8s.gcp/instance-generation", Gt, "2");
    assert!(
        gcp.iter().all(|name| ["a3-", "a4-", "a4x-", "g4-"].iter().any(|start| name.starts_with(start))),
        "{gcp:?}"
    );
    let l4 = names("gcp", Platform::Any, "cloud.google.com/gke-accelerator", In, "nvidia-l4");
    assert!(l4.len() == 8 && l4.iter().all(|name| name.starts_with("g2-standard-")), "{l4:?}");
}

fn reason(unmet: Result<Wish, Unmet>) -> (String, bool) {
    match unmet.unwrap_err() {
        Unmet::Mistake(reason) => (reason, false),
        Unmet::NoMachine { reason, is_cpu } => (reason, is_cpu),
    }
}

#[test]
fn the_requirement_that_removes_the_last_machine_is_named() {
    use Operator::{Gt, In};
    let found = left(
        "aws",
        Platform::KarpenterAws,
        vec![rule(&key("category"), In, &["p"]), rule(&key("gpu-name"), In, &["l4"]), rule(&key("cpu"), Gt, &["1"])],
    );
    let (text, is_cpu) = reason(found);
    assert!(
        !is_cpu && text.starts_with("`karpenter.k8s.aws/instance-gpu-name In [l4]` removes the last of aws's machines"),
        "{text}"
    );
    assert!(text.contains("which have a100, b200, b300, h100, h200, v100"), "{text}");
    let (text, is_cpu) =
        reason(left("aws", Platform::KarpenterAws, vec![rule(&key("category"), In, &["c", "m", "r"])]));
    assert!(is_cpu && text.contains("admits none of aws's machines with accelerators"), "{text}");
    let (text, is_cpu) = reason(left("aws", Platform::KarpenterAws, vec![rule(&key("family"), In, &["g6ee"])]));
    assert!(!is_cpu && text.contains("did you mean `g6e`?"), "{text}");
}

#[test]
fn keys_of_another_platform_and_keys_nobody_has_are_mistakes() {
    use Operator::In;
    let (text, _) =
        reason(left("aws", Platform::KarpenterAws, vec![rule("eks.amazonaws.com/instance-family", In, &["g6"])]));
    assert!(text.contains("write `karpenter.k8s.aws/instance-family`"), "{text}");
    let (text, _) =
        reason(left("aws", Platform::KarpenterAws, vec![rule("cloud.google.com/gke-accelerator", In, &["nvidia-l4"])]));
    assert!(text.contains("is a label of gcp's nodes"), "{text}");
    let (text, _) =
        reason(left("aws", Platform::KarpenterAws, vec![rule("karpenter.k8s.aws/instance-gpu-nam", In, &["l4"])]));
    assert!(text.contains("did you mean `karpenter.k8s.aws/instance-gpu-name`?"), "{text}");
}

#[test]
fn a_value_no_machine_has_gets_the_nearest_that_one_has() {
    let cloud = Cloud { provider: "aws".to_owned(), platform: Platform::KarpenterAws };
    let check = |key: &str, value: &str| check_values(&pool(vec![rule(key, Operator::In, &["spot", value])]), &cloud);
    let gpu = check_values(&pool(vec![rule(&key("gpu-name"), Operator::In, &["a100", "h1000"])]), &cloud).unwrap_err();
    assert!(gpu.contains("no machine has `h1000`; did you mean `h100`?"), "{gpu}");
    assert!(check("karpenter.sh/capacity-type", "ondemand").unwrap_err().contains("did you mean `on-demand`?"));
    assert_eq!(check("karpenter.sh/capacity-type", "reserved"), Ok(()));
}

#[test]
fn min_values_count_the_machines_that_are_left() {
    let mut three = rule(&key("family"), Operator::In, &["g5", "g6", "g6e"]);
    three.min_values = Some(3);
    let cloud = Cloud { provider: "aws".to_owned(), platform: Platform::KarpenterAws };
    let found = left("aws", Platform::KarpenterAws, vec![three.clone()]).unwrap();
    assert_eq!(found.short_of_values(&cloud), None);
    let one = rule(&key("gpu-name"), Operator::In, &["l4"]);
    let found = left("aws", Platform::KarpenterAws, vec![three.clone(), one]).unwrap();
    let text = found.short_of_values(&cloud).unwrap();
    assert!(text.contains("has minValues 3") && text.contains("have 1 (g6)"), "{text}");
    three.min_values = Some(4);
    assert!(reason(left("aws", Platform::KarpenterAws, vec![three])).0.contains("minValues 4 with 3 values"));
}

#[test]
fn a_key_of_the_users_own_becomes_a_label_with_the_value_the_pod_wants() {
    let cloud = Cloud { provider: "aws".to_owned(), platform: Platform::KarpenterAws };
    let mut pod = PodSpec::plain();
    pod.node_selector = vec![("example.com/rack".to_owned(), "b".to_owned())];
    let racks = rule("example.com/rack", Operator::In, &["a", "b"]);
    let found = wish_of(&pool(vec![racks.clone()]), &cloud, machines().to_vec(), &pod).unwrap();
    assert_eq!(found.labels["example.com/rack"], "b");
    let found = wish_of(&pool(vec![racks]), &cloud, machines().to_vec(), &PodSpec::plain()).unwrap();
    assert_eq!(found.labels["example.com/rack"], "a");
}
