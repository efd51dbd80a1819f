//! Labels of nodes: which keys each platform sets, and what a machine's nodes have for them.
//!
//! AWS: `karpenter-provider-aws/pkg/providers/instancetype/types.go`; EKS Auto Mode: its user guide; Azure:
//! `karpenter-provider-azure/pkg/apis/v1beta1/labels.go`; GCP: `karpenter-provider-gcp/pkg/providers/instancetype/types.go`; GKE: the
//! reference of node labels and compute classes; `nvidia.com/`: `k8s-device-plugin/internal/lm`.

use super::{Machine, names};

/// What a machine's nodes have for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// This value.
    Value(String),
    /// They do not carry the label.
    Absent,
    /// The platform sets the label, and what it says is not known here.
    Opaque,
}

/// Who sets the labels of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Karpenter on AWS.
    KarpenterAws,
    /// EKS Auto Mode.
    EksAuto,
    /// Karpenter on Azure, also as node auto-provisioning of AKS.
    KarpenterAzure,
    /// Karpenter on Google Cloud.
    KarpenterGcp,
    /// Whoever runs the provider's nodes: every label that any of its platforms sets.
    Any,
}

const KARPENTER_AWS: &str = "karpenter.k8s.aws/";
const EKS: &str = "eks.amazonaws.com/";
const KARPENTER_AZURE: &str = "karpenter.azure.com/";
const AKS: &str = "kubernetes.azure.com/";
const KARPENTER_GCP: &str = "karpenter.k8s.gcp/";
const GKE: &str = "cloud.google.com/";
const NVIDIA: &str = "nvidia.com/";

/// Prefixes of keys and whose nodes have them.
const PREFIXES: [(&str, &str); 8] = [
    (KARPENTER_AWS, "aws"),
    (EKS, "aws"),
    ("topology.k8s.aws/", "aws"),
    (KARPENTER_AZURE, "azure"),
    (AKS, "azure"),
    (KARPENTER_GCP, "gcp"),
    (GKE, "gcp"),
    ("topology.k8s.gcp/", "gcp"),
];

/// Keys with values that Karpenter on AWS takes from the type, without their prefix.
const AWS: [&str; 22] = [
    "instance-category",
    "instance-family",
    "instance-generation",
    "instance-size",
    "instance-cpu",
    "instance-cpu-manufacturer",
    "instance-cpu-sustained-clock-speed-mhz",
    "instance-memory",
    "instance-ebs-bandwidth",
    "instance-network-bandwidth",
    "instance-local-nvme",
    "instance-hypervisor",
    "instance-encryption-in-transit-supported",
    "instance-capability-flex",
    "instance-tenancy",
    "instance-gpu-name",
    "instance-gpu-manufacturer",
    "instance-gpu-count",
    "instance-gpu-memory",
    "instance-accelerator-name",
    "instance-accelerator-manufacturer",
    "instance-accelerator-count",
];

/// Keys of Karpenter on AWS that follow from settings or reservations.
const AWS_OPAQUE: [&str; 7] = [
    "nitro-sandbox",
    "capacity-reservation-id",
    "capacity-reservation-type",
    "capacity-reservation-interruptible",
    "placement-group-id",
    "placement-group-partition",
    "ec2nodeclass",
];

/// Keys of Karpenter on AWS that EKS Auto Mode does not have.
const NOT_AUTO: [&str; 6] = [
    "instance-cpu-sustained-clock-speed-mhz",
    "instance-capability-flex",
    "instance-tenancy",
    "instance-accelerator-name",
    "instance-accelerator-manufacturer",
    "instance-accelerator-count",
];

const AZURE: [&str; 9] = [
    "sku-name",
    "sku-series",
    "sku-family",
    "sku-version",
    "sku-cpu",
    "sku-memory",
    "sku-gpu-name",
    "sku-gpu-manufacturer",
    "sku-gpu-count",
];

const AZURE_OPAQUE: [&str; 6] = [
    "sku-networking-accelerated",
    "sku-storage-premium-capable",
    "sku-storage-ephemeralos-maxsize",
    "sku-storage-ultra-ssd",
    "placement-scope",
    "aksnodeclass",
];

const AKS_OPAQUE: [&str; 10] = [
    "cluster",
    "mode",
    "os-sku",
    "os-sku-effective",
    "os-sku-requested",
    "fips_enabled",
    "artifactstreaming-enabled",
    "role",
    "agentpool",
    "storageprofile",
];

const GCP: [&str; 10] = [
    "instance-family",
    "instance-shape",
    "instance-size",
    "instance-generation",
    "instance-cpu",
    "instance-memory",
    "instance-gpu-name",
    "instance-gpu-count",
    "instance-gpu-memory",
    "instance-gpu-manufacturer",
];

const GKE_OPAQUE: [&str; 15] = [
    "gke-gpu-driver-version",
    "gke-gpu-partition-size",
    "gke-gpu-sharing-strategy",
    "gke-max-shared-clients-per-gpu",
    "gke-nodepool",
    "gke-boot-disk",
    "gke-local-nvme-ssd",
    "gke-ephemeral-storage-local-ssd",
    "gke-queued",
    "gke-os-distribution",
    "gke-container-runtime",
    "reservation-name",
    "reservation-affinity",
    "reservation-project",
    "compute-class",
];

const GFD: [&str; 10] = [
    "gpu.product",
    "gpu.memory",
    "gpu.count",
    "gpu.replicas",
    "gpu.sharing-strategy",
    "gpu.family",
    "gpu.compute.major",
    "gpu.compute.minor",
    "gpu.present",
    "mps.capable",
];

/// The key a label has today: Kubernetes and Karpenter rewrite the old ones.
pub fn well_known_key(key: &str) -> &str {
    match key {
        "beta.kubernetes.io/arch" => "kubernetes.io/arch",
        "beta.kubernetes.io/os" => "kubernetes.io/os",
        "beta.kubernetes.io/instance-type" => "node.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/zone" => "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region" => "topology.kubernetes.io/region",
        _ => key,
    }
}

/// Whose nodes a key belongs to; `None` for keys of Kubernetes, of vendors and of users.
pub fn provider_of_key(key: &str) -> Option<&'static str> {
    PREFIXES.iter().find(|(prefix, _)| key.starts_with(prefix)).map(|(_, provider)| *provider)
}

/// Whether GPU feature discovery sets the label, which is only after a node has started.
pub fn is_gpu_feature(key: &str) -> bool {
    key.strip_prefix(NVIDIA)
        .is_some_and(|name| ["gpu.", "mig.", "mps.", "cuda."].iter().any(|start| name.starts_with(start)))
}

/// Values of a key that no machine of the table has and that are no slip of the pen all the same: older, other or smaller hardware.
const ELSEWHERE: [(&str, &[&str]); 6] = [
    ("instance-gpu-name", &["k80", "m60", "k520", "gaudi-hl-205", "p4", "u30", "radeon-pro-v520"]),
    ("instance-gpu-manufacturer", &["habana", "nvidia", "amd", "xilinx"]),
    (
        "instance-accelerator-name",
        &["trainium3", "inferentia", "inferentia2", "trainium", "trainium2", "qualcomm-ai100"],
    ),
    ("instance-cpu-manufacturer", &["aws", "intel", "amd", "apple"]),
    ("sku-gpu-name", &["V710", "MI300X", "V100", "M60", "RTXPRO6000BSE"]),
    (
        "gke-accelerator",
        &[
            "nvidia-tesla-p4",
            "nvidia-tesla-p100",
            "nvidia-tesla-v100",
            "nvidia-gb300",
            "nvidia-l4-vws",
            "nvidia-tesla-t4-vws",
        ],
    ),
];

/// Whether a key has few values, all of them known, so that another one is a mistake.
pub fn known_values(provider: &str, key: &str) -> Option<Vec<String>> {
    let key = well_known_key(key);
    let name = key.split_once('/').map_or(key, |(_, name)| name);
    let fixed: &[&str] = match key {
        "kubernetes.io/arch" => &["amd64", "arm64"],
        "kubernetes.io/os" => &["linux", "windows"],
        _ => &[],
    };
    if !fixed.is_empty() {
        return Some(fixed.iter().map(|value| (*value).to_owned()).collect());
    }
    let others = ELSEWHERE.iter().find(|(suffix, _)| *suffix == name).map(|(_, values)| *values);
    let is_product = key == "nvidia.com/gpu.product" || key == "nvidia.com/gpu.family";
    if others.is_none() && !is_product {
        return None;
    }
    let mut values: std::collections::BTreeSet<String> =
        others.unwrap_or_default().iter().map(|value| (*value).to_owned()).collect();
    for machine in super::machines().iter().filter(|machine| is_product || machine.provider == provider) {
        if let Some(Label::Value(value)) = machine.label(key) {
            values.insert(value);
        }
    }
    if key == "nvidia.com/gpu.product" {
        values.extend(super::gpus().iter().flat_map(|gpu| gpu.products.iter().cloned()));
    }
    Some(values.into_iter().collect())
}

impl Platform {
    /// Keys whose values follow from the instance type.
    #[allow(clippy::match_same_arms, reason = "one line per platform")]
    pub fn keys(self, provider: &str) -> Vec<String> {
        let under =
            |prefix: &str, names: &[&str]| names.iter().map(|name| format!("{prefix}{name}")).collect::<Vec<_>>();
        let mut keys = under("", &["node.kubernetes.io/instance-type", "kubernetes.io/arch", "kubernetes.io/os"]);
        let auto: Vec<&str> = AWS.into_iter().filter(|name| !NOT_AUTO.contains(name)).collect();
        match (self, provider) {
            (Self::KarpenterAws, _) => keys.extend(under(KARPENTER_AWS, &AWS)),
            (Self::EksAuto, _) => {
                keys.extend(under(EKS, &auto));
                keys.push(format!("{EKS}compute-type"));
            }
            (Self::KarpenterAzure, _) => keys.extend(under(KARPENTER_AZURE, &AZURE)),
            (Self::KarpenterGcp, _) => keys.extend(under(KARPENTER_GCP, &GCP)),
            (Self::Any, "aws") => {
                keys.extend(under(KARPENTER_AWS, &AWS));
                keys.extend(under(EKS, &auto));
                keys.push("k8s.amazonaws.com/accelerator".to_owned());
            }
            (Self::Any, "azure") => keys.extend(under(KARPENTER_AZURE, &AZURE)),
            (Self::Any, "gcp") => keys.extend(under(KARPENTER_GCP, &GCP)),
            (Self::Any, _) => {}
        }
        if provider == "azure" {
            keys.extend(under(AKS, &["sku-cpu", "sku-memory", "accelerator"]));
        }
        if provider == "gcp" {
            keys.extend(under(
                GKE,
                &[
                    "gke-accelerator",
                    "gke-accelerator-count",
                    "machine-family",
                    "gke-tpu-accelerator",
                    "gke-tpu-topology",
                ],
            ));
        }
        keys.extend(under(NVIDIA, &GFD));
        keys
    }
}

impl Machine {
    /// What nodes of this type have for `key`; `None` if no platform sets such a label from the type.
    pub fn label(&self, key: &str) -> Option<Label> {
        let key = well_known_key(key);
        if provider_of_key(key).is_some_and(|provider| provider != self.provider) {
            return Some(Label::Absent);
        }
        let (prefix, name) = key.split_once('/').map_or(("", key), |(prefix, name)| (&key[..=prefix.len()], name));
        match prefix {
            KARPENTER_AWS => self.aws(name),
            EKS if NOT_AUTO.contains(&name) => None,
            EKS if name == "compute-type" => Some(Label::Value("auto".to_owned())),
            EKS if name == "nodegroup" => Some(Label::Opaque),
            EKS => self.aws(name).filter(|label| *label != Label::Opaque || AWS.contains(&name)),
            "topology.k8s.aws/" | "topology.k8s.gcp/" => Some(Label::Opaque),
            KARPENTER_AZURE => self.azure(name),
            AKS => self.aks(name),
            KARPENTER_GCP => self.gcp(name),
            GKE => self.gke(name),
            NVIDIA if is_gpu_feature(key) => Some(self.gpu_feature(name)),
            _ => match key {
                "node.kubernetes.io/instance-type" => {
                    Some(Label::Value(names::gcp_plain(&self.instance_type).to_owned()))
                }
                "kubernetes.io/arch" => Some(Label::Value(self.arch.clone())),
                "kubernetes.io/os" => Some(Label::Value("linux".to_owned())),
                "node.kubernetes.io/windows-build" => Some(Label::Absent),
                "k8s.amazonaws.com/accelerator" if self.provider == "aws" => Some(Label::Opaque),
                "accelerator" if self.provider == "azure" => Some(self.on_gpus("nvidia")),
                _ => None,
            },
        }
    }

    /// Every label of [`Platform::keys`] that its nodes carry, sorted by key.
    pub fn labels(&self, platform: Platform) -> Vec<(String, String)> {
        let carried = |key: String| match self.label(&key) {
            Some(Label::Value(value)) => Some((key, value)),
            _ => None,
        };
        let mut labels: Vec<_> = platform.keys(&self.provider).into_iter().filter_map(carried).collect();
        labels.sort();
        labels
    }

    /// A figure of the table; what a machine outside it has is not known.
    fn listed<T: ToString>(&self, value: Option<T>) -> Label {
        match value {
            Some(value) => Label::Value(value.to_string()),
            None if self.is_listed => Label::Absent,
            None => Label::Opaque,
        }
    }

    fn on_gpus(&self, value: &str) -> Label {
        if self.gpu.is_some() { Label::Value(value.to_owned()) } else { Label::Absent }
    }

    fn aws(&self, name: &str) -> Option<Label> {
        let (family, size) = names::aws_parts(&self.instance_type).unwrap_or((&self.instance_type, ""));
        let text = |value: &str| Label::Value(value.to_owned());
        let gpu = self.gpu.filter(|gpu| !gpu.aws_name.is_empty());
        let accelerator = self.accelerator.as_ref();
        Some(match name {
            "instance-category" => text(names::aws_category(family)),
            "instance-family" => text(family),
            "instance-size" => text(size),
            "instance-generation" => self.listed(names::aws_generation(family)),
            "instance-cpu" => text(&self.vcpus.to_string()),
            "instance-memory" => text(&self.memory_mib.to_string()),
            "instance-cpu-manufacturer" => self.listed(Some(&self.cpu_maker).filter(|maker| !maker.is_empty())),
            "instance-cpu-sustained-clock-speed-mhz" => self.listed(self.cpu_mhz),
            "instance-ebs-bandwidth" => self.listed(self.ebs_mbps),
            "instance-network-bandwidth" => self.listed(self.network_mbps),
            "instance-local-nvme" => self.listed(self.nvme_gb),
            "instance-hypervisor" => self.listed(self.is_listed.then_some(&self.hypervisor)),
            "instance-encryption-in-transit-supported" => self.listed(self.encryption),
            "instance-capability-flex" => text("false"),
            "instance-tenancy" => text("default"),
            "instance-gpu-name" => self.listed(gpu.map(|gpu| &gpu.aws_name)),
            "instance-gpu-manufacturer" => self.listed(self.gpu.map(|gpu| &gpu.manufacturer)),
            "instance-gpu-count" => self.listed(self.devices.filter(|_| self.gpu.is_some())),
            "instance-gpu-memory" => self.listed(self.gpu_memory_mib),
            "instance-accelerator-name" => self.listed(accelerator.map(|(name, _)| name)),
            "instance-accelerator-count" => self.listed(accelerator.map(|(_, count)| count)),
            "instance-accelerator-manufacturer" => {
                self.listed(accelerator.map(|(name, _)| if name.starts_with("qualcomm") { "qualcomm" } else { "aws" }))
            }
            _ if AWS_OPAQUE.contains(&name) => Label::Opaque,
            _ => return None,
        })
    }

    fn azure(&self, name: &str) -> Option<Label> {
        let (series, version, words) = names::azure_parts(&self.instance_type);
        let text = |value: &str| Label::Value(value.to_owned());
        let token = self.gpu.map(|gpu| gpu.azure_token.as_str()).filter(|token| words.contains(token));
        Some(match name {
            "sku-name" => text(&self.instance_type),
            "sku-series" => text(&series),
            "sku-family" => text(&series.chars().take(1).collect::<String>()),
            "sku-version" => text(version),
            "sku-cpu" => text(&self.vcpus.to_string()),
            "sku-memory" => text(&self.memory_mib.to_string()),
            "sku-gpu-name" => token.map_or(Label::Absent, text),
            "sku-gpu-manufacturer" => self.gpu.map_or(Label::Absent, |gpu| text(&gpu.manufacturer)),
            "sku-gpu-count" => text(&self.devices.unwrap_or(0).to_string()),
            _ if AZURE_OPAQUE.contains(&name) => Label::Opaque,
            _ => return None,
        })
    }

    fn aks(&self, name: &str) -> Option<Label> {
        Some(match name {
            "sku-cpu" => Label::Value(self.vcpus.to_string()),
            "sku-memory" => Label::Value(self.memory_mib.to_string()),
            "accelerator" => self.on_gpus("nvidia"),
            _ if AKS_OPAQUE.contains(&name) => Label::Opaque,
            _ => return None,
        })
    }

    fn gcp(&self, name: &str) -> Option<Label> {
        let plain = names::gcp_plain(&self.instance_type);
        let mut parts = plain.split('-');
        let family = parts.next().unwrap_or_default();
        let text = |value: Option<&str>| value.map_or(Label::Absent, |value| Label::Value(value.to_owned()));
        Some(match name {
            "instance-family" => text(Some(family)),
            "instance-shape" => text(parts.next()),
            "instance-size" => text(names::gcp_size(plain)),
            "instance-generation" => text(names::gcp_generation(family).map(String::from).as_deref()),
            "instance-cpu" => text(Some(&self.vcpus.to_string())),
            "instance-memory" => text(Some(&self.memory_mib.to_string())),
            "instance-gpu-name" => self.accelerator_name(),
            // It counts kinds of accelerators, not accelerators.
            "instance-gpu-count" => self.on_gpus("1"),
            // Declared and never filled.
            "instance-gpu-memory" | "instance-gpu-manufacturer" => Label::Absent,
            _ => return None,
        })
    }

    fn gke(&self, name: &str) -> Option<Label> {
        let family = names::gcp_plain(&self.instance_type).split('-').next().unwrap_or_default();
        Some(match name {
            "gke-accelerator" => self.accelerator_name(),
            "gke-accelerator-count" => self.devices.map_or(Label::Absent, |count| Label::Value(count.to_string())),
            "machine-family" => Label::Value(family.to_owned()),
            "gke-tpu-accelerator" | "gke-tpu-topology" | "gke-tpu-slice" => Label::Absent,
            _ if GKE_OPAQUE.contains(&name) => Label::Opaque,
            _ => return None,
        })
    }

    fn accelerator_name(&self) -> Label {
        let name = self.gpu.map(|gpu| gpu.gke_accelerator.clone()).filter(|name| !name.is_empty());
        name.map_or(Label::Absent, Label::Value)
    }

    fn gpu_feature(&self, name: &str) -> Label {
        let Some(gpu) = self.gpu.filter(|gpu| gpu.manufacturer == "nvidia" && self.gpus > 0) else {
            return Label::Absent;
        };
        let known = |value: Option<String>| value.map_or(Label::Opaque, Label::Value);
        match name {
            // A slice of a GPU has a name of its own that the table does not have.
            "gpu.product" | "gpu.memory" if self.is_slice() => Label::Opaque,
            "gpu.product" => known(gpu.product().map(str::to_owned)),
            "gpu.memory" => known(gpu.driver_memory_mib.map(|mib| mib.to_string())),
            "gpu.count" => Label::Value(self.gpus.to_string()),
            "gpu.replicas" => Label::Value("1".to_owned()),
            "gpu.sharing-strategy" => Label::Value("none".to_owned()),
            "gpu.family" => known(Some(gpu.family.clone()).filter(|family| !family.is_empty())),
            "gpu.compute.major" => known(gpu.capability.map(|(major, _)| major.to_string())),
            "gpu.compute.minor" => known(gpu.capability.map(|(_, minor)| minor.to_string())),
            "gpu.present" | "mps.capable" => Label::Value("true".to_owned()),
            _ => Label::Opaque,
        }
    }
}
