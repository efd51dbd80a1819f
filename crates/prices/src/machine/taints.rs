//! Taints that nobody writes into a manifest and nodes have all the same.

/// A taint with effect `NoSchedule` that the platform puts on nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImpliedTaint {
    /// Key.
    pub key: &'static str,
    /// Value.
    pub value: &'static str,
    /// True if the platform's admission adds the toleration to pods that ask for the resource.
    pub is_tolerated_by_admission: bool,
}

/// Taints of nodes that GKE and AKS make, beyond those of a pool's manifest: GPU nodes of GKE (whose admission adds the toleration to pods
/// with GPUs), spot nodes that GKE creates itself, spot pools of AKS. EKS and Karpenter put none of their own.
pub fn implied_taints(provider: &str, has_gpus: bool, is_spot: bool) -> Vec<ImpliedTaint> {
    let taint = |key, value, is_tolerated_by_admission| ImpliedTaint { key, value, is_tolerated_by_admission };
    let mut taints = Vec::new();
    if provider == "gcp" && has_gpus {
        taints.push(taint("nvidia.com/gpu", "present", true));
    }
    match (provider, is_spot) {
        ("gcp", true) => taints.push(taint("cloud.google.com/gke-spot", "true", false)),
        ("azure", true) => taints.push(taint("kubernetes.azure.com/scalesetpriority", "spot", false)),
        _ => {}
    }
    taints
}
