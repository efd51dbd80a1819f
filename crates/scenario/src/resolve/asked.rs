//! Which metrics the policies ask the metric APIs for, and where each is written.

use cluster::spec::{ControllerSpec, PolicySpec};
use policy::LabelCondition;
use policy::hpa::{HpaSpec, MetricSpec};

use crate::error::At;
use crate::file::{Reference, ServiceView};
use crate::manifest::Kind;
use crate::tree::parse_path;

use super::Context;

/// A metric of the custom or external metrics API that an HPA asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AskedMetric {
    /// Name of the policy.
    pub policy: String,
    /// Where its name is written.
    pub at: Box<At>,
    /// Name in the API.
    pub name: String,
    /// Of what.
    pub of: AskedOf,
    /// Its selector.
    pub selector: Vec<LabelCondition>,
}

/// Of what a metric is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AskedOf {
    /// Of the pods.
    Pods,
    /// Of one object.
    Object {
        /// Its kind, as written.
        kind: String,
        /// Its name.
        name: String,
    },
    /// Of nothing in the cluster.
    External,
}

impl AskedOf {
    /// The words messages use.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Pods => "pods".to_owned(),
            Self::Object { kind, name } => format!("{kind}/{name}"),
            Self::External => "external metrics".to_owned(),
        }
    }
}

impl Context<'_> {
    /// The metrics that HPAs of these policies ask an adapter for, in their order. KEDA answers for its own HPAs.
    pub(super) fn asked_metrics(&self, spec: &ServiceView, policies: &[PolicySpec]) -> Vec<AskedMetric> {
        let mut asked = Vec::new();
        for (index, policy) in policies.iter().enumerate() {
            for controller in &policy.services[0].controllers {
                if let ControllerSpec::Hpa { spec: hpa, .. } = controller {
                    let choice = spec.policies.get(index).and_then(|file| file.hpa.as_ref());
                    let name = match choice {
                        Some(Reference::Name(name)) => Some(name.as_str()),
                        _ => None,
                    };
                    asked.extend(self.asked_by(hpa, &policy.name, (index, name)));
                }
            }
        }
        asked
    }

    fn asked_by(&self, hpa: &HpaSpec, policy: &str, (index, manifest): (usize, Option<&str>)) -> Vec<AskedMetric> {
        let numbered = hpa.metrics.iter().enumerate();
        let asked = numbered.filter_map(|(number, metric)| {
            let (name, selector, of, key) = match metric {
                MetricSpec::Pods { name, selector, .. } => (name, selector, AskedOf::Pods, "pods"),
                MetricSpec::Object { name, selector, kind, object, .. } => {
                    let of = AskedOf::Object { kind: kind.clone(), name: object.clone() };
                    (name, selector, of, "object")
                }
                MetricSpec::External { name, selector, .. } => (name, selector, AskedOf::External, "external"),
                _ => return None,
            };
            let at = match manifest {
                Some(manifest) => self.in_manifest(manifest, &format!("spec.metrics[{number}].{key}.metric.name")),
                None => self.at(&format!("spec.policies[{index}].hpa.metrics[{number}].{key}.metric.name")),
            };
            Some(AskedMetric { policy: policy.to_owned(), at, name: name.clone(), of, selector: selector.clone() })
        });
        asked.collect()
    }

    #[allow(clippy::unnecessary_box_returns, reason = "errors hold it boxed, to stay small")]
    fn in_manifest(&self, name: &str, path: &str) -> Box<At> {
        let document = self.beside(Kind::HorizontalPodAutoscaler, name);
        let Some(document) = document else { return self.at("spec.policies") };
        let segments = parse_path(path).expect("paths in this crate are well-formed");
        Box::new(At { place: document.node.deepest(&segments).place.clone(), path: path.to_owned() })
    }
}
