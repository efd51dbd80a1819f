//! Which machines NodePools come to, from the catalog, and what is said where there are none.

use insta::assert_snapshot;
use record::Purchase;
use scenario::Loaded;

use crate::support::{SCENARIO, load_text, message};

/// A scenario on a NodePool with these requirements and the prices of the catalog.
fn pooled(requirements: &[&str]) -> String {
    let scenario = SCENARIO
        .replacen("  nodes:\n    pools:\n    - name: gpu\n      instanceTypes: [g5.xlarge]\n", "  nodes: {}\n", 1)
        .replacen("  prices:\n    g5.xlarge: {onDemand: $1.01/h}\n", "  prices: {catalog: embedded}\n", 1);
    let requirements: String = requirements.iter().map(|rule| format!("      - {{{rule}}}\n")).collect();
    format!(
        "{scenario}---\napiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata: {{name: gpus}}\nspec:\n  template:\n    spec:\n      \
         nodeClassRef: {{group: karpenter.k8s.aws, kind: EC2NodeClass, name: gpus}}\n      requirements:\n{requirements}"
    )
}

const ON_DEMAND: &str = "key: karpenter.sh/capacity-type, operator: In, values: [on-demand]";
const SPOT: &str = "key: karpenter.sh/capacity-type, operator: In, values: [spot]";

fn types(loaded: &Loaded) -> Vec<&str> {
    let mut types: Vec<&str> =
        loaded.spec.fleet.pools[0].offerings.iter().map(|offering| offering.instance_type.as_str()).collect();
    types.dedup();
    types
}

fn cheapest(loaded: &Loaded) -> &str {
    let offerings = &loaded.spec.fleet.pools[0].offerings;
    &offerings.iter().min_by_key(|offering| offering.prices[0].1).unwrap().instance_type
}

/// The scenario with a pod of this size.
fn pod(text: &str, cpu: &str, memory: &str) -> String {
    text.replacen("      gpus: 1\n", &format!("      gpus: 1\n      cpu: \"{cpu}\"\n      memory: {memory}\n"), 1)
}

#[test]
fn a_pool_launches_machines_of_its_node_class_alone_and_the_generation_counts() {
    let loaded = load_text(&pooled(&[
        ON_DEMAND,
        "key: karpenter.k8s.aws/instance-category, operator: In, values: [g]",
        "key: karpenter.k8s.aws/instance-generation, operator: Gt, values: [\"4\"]",
        "key: kubernetes.io/arch, operator: In, values: [amd64]",
    ]))
    .unwrap();
    let types = types(&loaded);
    assert!(types.len() > 20 && types.iter().all(|name| name.starts_with('g') && name.contains('.')), "{types:?}");
    assert!(types.iter().all(|name| !name.starts_with("g4") && !name.starts_with("g5g")), "{types:?}");
    assert_eq!(cheapest(&loaded), "g6.xlarge");
}

#[test]
fn a_slice_of_a_gpu_is_never_launched_for_a_gpu() {
    let loaded =
        load_text(&pooled(&[ON_DEMAND, "key: karpenter.k8s.aws/instance-gpu-name, operator: In, values: [l4]"]))
            .unwrap();
    assert!(types(&loaded).iter().all(|name| !name.starts_with("g6f")));
    assert_eq!(cheapest(&loaded), "g6.xlarge");
}

#[test]
fn the_cheapest_machine_is_the_cheapest_that_leaves_enough_to_pods() {
    let any = pooled(&[ON_DEMAND, "key: kubernetes.io/arch, operator: In, values: [amd64]"]);
    assert_eq!(cheapest(&load_text(&pod(&any, "3900m", "13GiB")).unwrap()), "g4dn.xlarge");
    let larger = load_text(&pod(&any, "4", "24GiB")).unwrap();
    assert_eq!(cheapest(&larger), "g4dn.2xlarge");
    let named = pooled(&[ON_DEMAND, "key: karpenter.k8s.aws/instance-gpu-name, operator: In, values: [l4, a10g]"]);
    assert_eq!(cheapest(&load_text(&pod(&named, "4", "24GiB")).unwrap()), "g6.2xlarge");
}

#[test]
fn the_requirement_that_leaves_nothing_is_named_and_a_slip_gets_the_nearest_value() {
    let last = "key: karpenter.k8s.aws/instance-gpu-count, operator: Gt, values: [\"8\"]";
    let family = "key: karpenter.k8s.aws/instance-family, operator: In, values: [g6]";
    assert_snapshot!(message(&pooled(&[family, last])), @"scenario.yaml:31:9: spec.template.spec.requirements: NodePool/gpus launches nothing for the pod: `karpenter.k8s.aws/instance-gpu-count Gt [8]` removes the last of aws's machines that meet what is above it, which have 1, 4, 8");
    let one = |rule: &str, wanted: &str| {
        let text = message(&pooled(&[rule]));
        assert!(text.starts_with("scenario.yaml:31:") && text.contains(wanted), "{text}");
    };
    one(
        "key: karpenter.k8s.aws/instance-gpu-name, operator: In, values: [l4os]",
        "no machine has `l4os`; did you mean `l40s`?",
    );
    one(
        "key: eks.amazonaws.com/instance-family, operator: In, values: [g6]",
        "write `karpenter.k8s.aws/instance-family`",
    );
    one(
        "key: karpenter.k8s.aws/instance-category, operator: In, values: [c, m]",
        "admits none of aws's machines with accelerators",
    );
    one(
        "key: node.kubernetes.io/instance-type, operator: In, values: [g6.xlarg]",
        "no machine of aws is called that; did you mean `g6.xlarge`?",
    );
}

#[test]
fn a_pool_of_cpu_machines_beside_a_gpu_pool_is_a_note() {
    let gpu = pooled(&[ON_DEMAND, "key: karpenter.k8s.aws/instance-family, operator: In, values: [g6]"]);
    let cpu = pooled(&["key: karpenter.k8s.aws/instance-category, operator: In, values: [c, m, r]"]);
    let cpu = cpu.split("---\n").nth(1).unwrap().replacen("name: gpus}", "name: general}", 1);
    let loaded = load_text(&format!("{gpu}---\n{cpu}")).unwrap();
    assert_eq!(loaded.spec.fleet.pools.len(), 1);
    assert!(
        loaded.notes.iter().any(|note| note.starts_with("NodePool/general launches nothing for the pod")),
        "{:?}",
        loaded.notes
    );
}

#[test]
fn an_unknown_spot_price_is_said_type_by_type_and_guessed_only_if_asked() {
    let family = "key: karpenter.k8s.aws/instance-family, operator: In, values: [g7e]";
    let both = "key: karpenter.sh/capacity-type, operator: In, values: [spot, on-demand]";
    let loaded = load_text(&pooled(&[both, family])).unwrap();
    let note = loaded.notes.iter().find(|note| note.starts_with("not offered for want of a price: g7e.")).unwrap();
    assert!(note.contains("g7e.2xlarge") && note.contains("`spot`"), "{note}");
    let refusal = message(&pooled(&[SPOT, family]));
    assert!(
        refusal.contains("has a price for any of its capacity types") && refusal.contains("g7e.2xlarge"),
        "{refusal}"
    );
    let g6 = pooled(&[SPOT, "key: karpenter.k8s.aws/instance-family, operator: In, values: [g6]"]);
    let guessing =
        g6.replacen("{catalog: embedded}", "{catalog: embedded, region: ca-central-1, estimateSpot: regions}", 1);
    let loaded = load_text(&guessing).unwrap();
    assert!(loaded.spec.fleet.pools[0].offerings.iter().all(|offering| offering.purchase == Purchase::Spot));
    assert!(loaded.notes.iter().any(|note| note.contains("estimated $")), "{:?}", loaded.notes);
}

#[test]
fn what_a_manifest_cannot_say_is_said_under_its_name() {
    let family = "key: karpenter.k8s.aws/instance-family, operator: In, values: [g6]";
    let both = "key: karpenter.sh/capacity-type, operator: In, values: [spot, on-demand]";
    let adding = |more: &str| {
        pooled(&[family, both]).replacen("nodes: {}", &format!("nodes: {{pools: [{{name: gpus, {more}}}]}}"), 1)
    };
    let loaded = load_text(&adding(
        "capacity: {spot: {instancesMax: 2}}, onDemandBase: 1, onDemandShare: 25%, spotPrice: $0.3/h, zones: [use1-az4]",
    ))
    .unwrap();
    let pool = &loaded.spec.fleet.pools[0];
    assert_eq!((loaded.spec.fleet.pools.len(), pool.on_demand.unwrap().base), (1, 1));
    let spot: Vec<_> = pool.offerings.iter().filter(|offering| offering.purchase == Purchase::Spot).collect();
    assert!(!spot.is_empty());
    for offering in spot {
        assert_eq!((offering.capacity_max, offering.zone.as_str()), (Some(2), "use1-az4"));
        assert_eq!(offering.prices[0].1.as_micros(), 300_000);
    }
    assert_snapshot!(message(&adding("nodesMax: 3")), @"scenario.yaml:17:42: spec.nodes.pools[0].nodesMax: `gpus` is a pool of a manifest, which decides on `nodesMax`; here it may have name, capacity, onDemandBase, onDemandShare, spotPrice, zones");
}

#[test]
fn a_zone_of_the_requirements_chooses_the_region_of_the_prices() {
    let zone = "key: topology.kubernetes.io/zone, operator: In, values: [eu-west-1a]";
    let loaded = load_text(&pooled(&[
        ON_DEMAND,
        zone,
        "key: node.kubernetes.io/instance-type, operator: In, values: [g5.xlarge]",
    ]))
    .unwrap();
    assert_eq!(loaded.spec.fleet.pools[0].offerings[0].prices[0].1.as_micros(), 1_123_000);
}

#[test]
fn karpenter_launches_nothing_for_labels_of_gpu_feature_discovery_that_its_pool_does_not_declare() {
    let requiring = |rules: &[&str]| {
        pooled(rules).replacen(
            "      gpus: 1\n",
            "      gpus: 1\n      nodeSelector: {nvidia.com/gpu.product: NVIDIA-L4}\n",
            1,
        )
    };
    assert!(message(&requiring(&[ON_DEMAND])).contains("nodes.assumeGfdLabels"));
    let assuming = requiring(&[ON_DEMAND]).replacen("nodes: {}", "nodes: {assumeGfdLabels: true}", 1);
    let holding = |loaded: &Loaded| {
        let pool = &loaded.spec.fleet.pools[0];
        let fits = pool
            .offerings
            .iter()
            .filter(|one| one.labels.iter().any(|(_, value)| value.as_deref() == Some("NVIDIA-L4")));
        fits.map(|offering| offering.instance_type.clone()).collect::<Vec<_>>()
    };
    assert!(holding(&load_text(&assuming).unwrap()).contains(&"g6.xlarge".to_owned()));
    let declared = requiring(&[ON_DEMAND, "key: nvidia.com/gpu.product, operator: In, values: [NVIDIA-L4]"]);
    assert!(
        types(&load_text(&declared).unwrap()).iter().all(|name| name.starts_with("g6.") || name.starts_with("gr6."))
    );
}

#[test]
fn min_values_that_too_few_machines_have_launch_nothing() {
    let family = |least: u32| {
        format!("key: karpenter.k8s.aws/instance-family, operator: In, values: [g5, g6, g6e], minValues: {least}")
    };
    load_text(&pooled(&[ON_DEMAND, &family(3)])).unwrap();
    let text = message(&pooled(&[
        ON_DEMAND,
        &family(3),
        "key: karpenter.k8s.aws/instance-gpu-name, operator: In, values: [l4]",
    ]));
    assert!(text.contains("minValues 3") && text.contains("launch nothing"), "{text}");
}

#[test]
fn reserved_capacity_is_bought_only_where_it_is_asked_for_or_has_a_price_of_its_own() {
    let family = "key: karpenter.k8s.aws/instance-family, operator: In, values: [g5]";
    let reserved = |text: &str| {
        let loaded = load_text(text).unwrap();
        loaded.spec.fleet.pools[0].offerings.iter().any(|offering| offering.purchase == Purchase::Reserved)
    };
    let open = pooled(&[family]);
    assert!(!reserved(&open), "the catalog's price of reserved capacity is that of a year's commitment");
    let asked = "key: karpenter.sh/capacity-type, operator: In, values: [reserved, on-demand]";
    assert!(reserved(&pooled(&[family, asked])));
    let priced = "prices: {catalog: embedded, g5.xlarge: {onDemand: $1.01/h, reserved: $0.6/h}}";
    assert!(reserved(&open.replacen("prices: {catalog: embedded}", priced, 1)));
}

#[test]
fn machines_that_amd64_images_do_not_start_on_are_named_unless_the_processor_is_said() {
    let category = "key: karpenter.k8s.aws/instance-category, operator: In, values: [g]";
    let note = |text: &str| load_text(text).unwrap().notes.into_iter().find(|note| note.contains("arm64"));
    assert_snapshot!(note(&pooled(&[ON_DEMAND, category])).unwrap(), @"NodePool/gpus: g5g.16xlarge and 5 more may be launched, arm64 machines: an image for amd64 alone does not start there; `{key: kubernetes.io/arch, operator: In, values: [amd64]}` of the pool, or a nodeSelector, keeps them out");
    assert_eq!(note(&pooled(&[ON_DEMAND, category, "key: kubernetes.io/arch, operator: In, values: [amd64]"])), None);
}

#[test]
fn a_weight_that_the_api_server_refuses_is_refused() {
    let weighted = |weight: u32| {
        pooled(&[ON_DEMAND]).replacen("spec:\n  template:", &format!("spec:\n  weight: {weight}\n  template:"), 1)
    };
    load_text(&weighted(100)).unwrap();
    assert_snapshot!(message(&weighted(101)), @"scenario.yaml:27:11: spec.weight: `101` is above 100; the API server refuses it");
}

/// Allocatable CPU in thousandths and memory in MiB of a g5.xlarge below a node class with this text.
fn on_class(class: &str) -> (u64, u64) {
    let class =
        format!("---\napiVersion: karpenter.k8s.aws/v1\nkind: EC2NodeClass\nmetadata: {{name: gpus}}\nspec:\n{class}");
    let loaded = load_text(&(pooled(&[ON_DEMAND, G5_XLARGE]) + &class)).unwrap();
    let offering = &loaded.spec.fleet.pools[0].offerings[0];
    (offering.cpu.0, offering.memory.0 >> 20)
}

const G5_XLARGE: &str = "key: node.kubernetes.io/instance-type, operator: In, values: [g5.xlarge]";

#[test]
fn what_the_kubelets_of_a_node_class_keep_is_not_there_for_pods() {
    // By default 11 MiB for each of 58 pods and 255, 100 for evictions, and 80m.
    assert_eq!(on_class("  amiFamily: AL2023\n"), (3_920, 14_162));
    let system = "  kubelet: {systemReserved: {cpu: \"1\", memory: 2Gi}}\n";
    assert_eq!(on_class(system), (2_920, 14_162 - 2_048));
    let kube = "  kubelet: {kubeReserved: {cpu: 500m, memory: 1Gi}}\n";
    assert_eq!(on_class(kube), (3_500, 14_162 + 11 * 58 + 255 - 1_024));
    // 5 % of 15155 MiB; of two signals the larger.
    let evictions = "  kubelet: {evictionHard: {memory.available: 5%}, evictionSoft: {memory.available: 500Mi}}\n";
    assert_eq!(on_class(evictions), (3_920, 14_162 + 100 - 757));
    assert_eq!(on_class("  kubelet: {maxPods: 20}\n"), (3_920, 14_162), "AL2023 keeps memory by addresses");
    let bottlerocket = "  amiSelectorTerms: [{alias: bottlerocket@latest}]\n  kubelet: {maxPods: 20}\n";
    assert_eq!(on_class(bottlerocket), (3_920, 14_162 + 11 * 38));
}

#[test]
fn an_amount_that_a_kubelet_cannot_read_is_refused() {
    let class = "---\napiVersion: karpenter.k8s.aws/v1\nkind: EC2NodeClass\nmetadata: {name: gpus}\nspec:\n  kubelet: {systemReserved: {memory: 2 Gi}}\n";
    let told = message(&(pooled(&[ON_DEMAND, G5_XLARGE]) + class));
    assert!(told.contains("systemReserved[\"memory\"]: `2 Gi` is no quantity"), "{told}");
}
