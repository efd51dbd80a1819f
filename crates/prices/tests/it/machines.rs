//! Is the machine table whole, and do its labels say what the platforms' nodes say?

use prices::{
    Catalog, EstimateFrom, Gpu, Label, Platform, Query, gpus, implied_taints, known_values, machine, machines,
    provider_of_key,
};
use record::Purchase;

fn value(instance_type: &str, key: &str) -> String {
    match machine(instance_type).unwrap().label(key) {
        Some(Label::Value(value)) => value,
        other => format!("{other:?}"),
    }
}

#[test]
fn every_machine_is_there_once_and_holds_less_than_it_is_sold_with() {
    assert!(machines().len() > 140 && gpus().len() > 20);
    for (index, one) in machines().iter().enumerate() {
        assert!(machines()[..index].iter().all(|other| other.instance_type != one.instance_type), "{one:?}");
        assert!(one.cpu_milli < u64::from(one.vcpus) * 1_000 && one.allocatable_mib < one.memory_mib, "{one:?}");
    }
}

#[test]
fn allocatable_is_what_the_kubelet_leaves() {
    let of = |name| machine(name).map(|one| (one.cpu_milli, one.allocatable_mib, one.pods)).unwrap();
    assert_eq!(of("g5.xlarge"), (3_920, 14_162, 58));
    assert_eq!(of("p5.48xlarge"), (191_450, 1_938_410, 100));
    assert_eq!(of("g2-standard-4"), (3_920, 13_622, 110));
}

#[test]
fn labels_are_those_of_each_platform() {
    assert_eq!(value("g6e.12xlarge", "karpenter.k8s.aws/instance-generation"), "6");
    assert_eq!(value("g5.xlarge", "karpenter.k8s.aws/instance-network-bandwidth"), "2500");
    assert_eq!(value("p4de.24xlarge", "eks.amazonaws.com/instance-gpu-memory"), "81920");
    assert_eq!(value("g6f.xlarge", "karpenter.k8s.aws/instance-gpu-count"), "0");
    assert_eq!(value("Standard_NC24ads_A100_v4", "karpenter.azure.com/sku-gpu-name"), "A100");
    assert_eq!(value("Standard_ND96amsr_A100_v4", "karpenter.azure.com/sku-series"), "NDamsr_v4");
    assert_eq!(value("Standard_NC6s_v3", "karpenter.azure.com/sku-gpu-name"), "Some(Absent)");
    assert_eq!(value("a2-ultragpu-4g", "cloud.google.com/gke-accelerator"), "nvidia-a100-80gb");
    assert_eq!(value("a2-ultragpu-4g", "karpenter.k8s.gcp/instance-gpu-count"), "1");
    assert_eq!(value("n1-standard-4+t4", "node.kubernetes.io/instance-type"), "n1-standard-4");
    assert_eq!(value("g5g.xlarge", "karpenter.k8s.aws/instance-local-nvme"), "Some(Absent)");
    assert_eq!(value("g5g.xlarge", "beta.kubernetes.io/arch"), "arm64");
    assert_eq!(value("g4dn.xlarge", "nvidia.com/gpu.memory"), "15360");
    assert_eq!(value("g4dn.xlarge", "nvidia.com/gpu.product"), "Tesla-T4");
    assert_eq!(value("g4dn.xlarge", "cloud.google.com/gke-accelerator"), "Some(Absent)");
    assert_eq!(value("g4dn.xlarge", "team"), "None");
}

#[test]
fn every_key_of_a_platform_is_a_label_of_its_machines() {
    let platforms = [
        (Platform::KarpenterAws, "aws"),
        (Platform::EksAuto, "aws"),
        (Platform::KarpenterAzure, "azure"),
        (Platform::KarpenterGcp, "gcp"),
        (Platform::Any, "gcp"),
    ];
    for (platform, provider) in platforms {
        let sample = machines().iter().find(|machine| machine.provider == provider).unwrap();
        for key in platform.keys(provider) {
            assert!(sample.label(&key).is_some(), "{key}");
        }
    }
    assert_eq!((provider_of_key("kubernetes.azure.com/mode"), provider_of_key("team")), (Some("azure"), None));
}

#[test]
fn names_of_gpus_are_known_beyond_the_machines_of_the_table() {
    let names = known_values("aws", "karpenter.k8s.aws/instance-gpu-name").unwrap();
    assert!(names.contains(&"l40s".to_owned()) && names.contains(&"m60".to_owned()), "{names:?}");
    assert_eq!(known_values("aws", "karpenter.k8s.aws/instance-family"), None);
    assert_eq!(Gpu::of_product("A100-SXM4-40GB").unwrap().name, "A100-40GB");
}

#[test]
fn taints_that_nobody_writes_are_the_platforms() {
    let keys =
        |provider, is_spot| implied_taints(provider, true, is_spot).iter().map(|taint| taint.key).collect::<Vec<_>>();
    assert_eq!(keys("gcp", true), ["nvidia.com/gpu", "cloud.google.com/gke-spot"]);
    assert_eq!(keys("azure", true), ["kubernetes.azure.com/scalesetpriority"]);
    assert!(keys("azure", false).is_empty() && keys("aws", true).is_empty());
}

fn spot<'a>(instance_type: &'a str, region: &'a str) -> Query<'a> {
    Query { instance_type, provider: None, region: Some(region), zone: None, purchase: Purchase::Spot }
}

#[test]
fn an_unknown_spot_price_is_guessed_from_sizes_of_the_family_where_they_agree() {
    let of = |rows: &str| Catalog::parse(&format!("{}\n{rows}", prices::COLUMNS.join(","))).unwrap();
    let catalog = of("gcp,us-central1,,g2-standard-4,1,L4,24,4,16,0.7068,0.424,,2026-08-20,s\n\
                      gcp,us-central1,,g2-standard-24,2,L4,24,24,96,2.0008,,,2026-08-20,s\n");
    let guess = catalog.estimate_spot(spot("g2-standard-24", "us-central1"), EstimateFrom::Siblings).unwrap();
    assert!((guess.price.as_f64() - 1.2002).abs() < 1e-3, "{guess:?}");
    assert!(
        guess.basis.contains("estimated $1.2") && guess.basis.contains("g2-standard-4 (us-central1) (n 1"),
        "{guess:?}"
    );
    // One sibling is not enough on AWS, and one without a pool is none.
    let catalog = of("aws,us-east-1,,g6.xlarge,1,L4,24,4,16,0.8,0.4,,2026-08-20,s\n\
                      aws,us-east-1,,g6.4xlarge,1,L4,24,16,64,1.3,1.3,,2026-08-20,s\n\
                      aws,us-east-1,,g6.2xlarge,1,L4,24,8,32,1.0,,,2026-08-20,s\n");
    assert!(
        catalog
            .estimate_spot(spot("g6.2xlarge", "us-east-1"), EstimateFrom::Siblings)
            .unwrap_err()
            .contains("2 are needed")
    );
    assert_eq!(catalog.spot_siblings(spot("g6.2xlarge", "us-east-1")), ["g6.xlarge (us-east-1)"]);
}

#[test]
fn families_without_a_common_ratio_are_never_guessed() {
    let catalog = Catalog::embedded();
    let refused = |name, region| catalog.estimate_spot(spot(name, region), EstimateFrom::Siblings).unwrap_err();
    assert!(refused("p5.4xlarge", "us-east-1").contains("p5"));
    assert!(refused("Standard_NC16as_T4_v3", "eastus").contains("Azure"));
}
