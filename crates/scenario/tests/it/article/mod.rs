//! The manifests of the article load word for word; only their lost indentation is restored.

use cluster::spec::{Consolidation, ControllerSpec};
use insta::assert_snapshot;
use record::Purchase;
use scenario::Input;
use traces::load;
use units::SimDuration;

use crate::support::{SCENARIO, load_text};

const DAEMON_SET: &str = include_str!("daemonset.yaml");
const PROVISIONER: &str = include_str!("provisioner.yaml");

#[test]
fn the_provisioner_becomes_a_pool_with_its_types_and_timers() {
    let scenario = SCENARIO
        .replacen("    pools:\n    - name: gpu\n      instanceTypes: [g5.xlarge]\n", "    manager: karpenter\n", 1)
        .replacen(
            "    g5.xlarge: {onDemand: $1.01/h}",
            "    g5.xlarge: {onDemand: $1.01/h, spot: $0.30/h}\n    g5.2xlarge: {onDemand: $1.212/h}",
            1,
        );
    let loaded = load_text(&format!("{scenario}---\n{PROVISIONER}---\n{DAEMON_SET}")).unwrap();
    let pool = &loaded.spec.fleet.pools[0];
    let offered: Vec<(&str, Purchase)> =
        pool.offerings.iter().map(|offering| (offering.instance_type.as_str(), offering.purchase)).collect();
    assert_eq!(
        offered,
        [("g5.2xlarge", Purchase::OnDemand), ("g5.xlarge", Purchase::OnDemand), ("g5.xlarge", Purchase::Spot)]
    );
    assert_eq!((pool.weight, pool.gpus_max), (10, Some(20)));
    assert_eq!(pool.consolidation, Consolidation::WhenEmpty(SimDuration::from_secs(300)));
    assert_eq!(pool.expire_after, Some(SimDuration::from_secs(86_400)));
    assert_snapshot!(loaded.details.join("\n"), @r#"
    ignored: scenario.yaml: Provisioner/gpu-inference: spec.providerRef
    no effect: scenario.yaml: DaemonSet/model-cache-warmer
    "#);
}

#[test]
fn its_provisioner_can_never_hold_its_deployment_and_the_user_is_told() {
    let mut inputs = Input::embedded_default();
    inputs.push(Input::Text { name: "provisioner.yaml".to_owned(), text: PROVISIONER.to_owned() });
    let prices = [("prices[\"g5.2xlarge\"].onDemand".to_owned(), "$1.21/h".to_owned())];
    let loaded = load(&inputs, &prices).unwrap();
    let note = loaded.notes.iter().find(|note| note.contains("launches nothing")).unwrap();
    assert!(
        note.starts_with("Provisioner/gpu-inference launches nothing for the pod: it requires `nvidia.com/gpu.product: NVIDIA-A100-SXM4-80GB`"),
        "{note}"
    );
}

#[test]
fn its_autoscalers_are_read_as_written() {
    let loaded = load(&Input::embedded_default(), &[]).unwrap();
    let of = |name: &str| {
        &loaded.spec.policies.iter().find(|policy| policy.name == name).unwrap().services[0].controllers[0]
    };
    let ControllerSpec::Hpa { spec, .. } = of("hpa-as-published") else { panic!("no HPA") };
    assert_eq!((spec.replicas_min, spec.replicas_max, spec.metrics.len()), (2, 20, 3));
    let down = spec.behavior.as_ref().unwrap().scale_down.as_ref().unwrap();
    assert_eq!(down.stabilization_window, Some(SimDuration::from_secs(300)));
    let ControllerSpec::Keda { scaled_object, .. } = of("keda") else { panic!("no ScaledObject") };
    assert_eq!((scaled_object.replicas_min, scaled_object.replicas_max), (Some(0), Some(10)));
    assert_eq!(scaled_object.cooldown_period(), SimDuration::from_secs(600));
    assert_eq!(scaled_object.triggers[1].metadata["threshold"], "100");
}
