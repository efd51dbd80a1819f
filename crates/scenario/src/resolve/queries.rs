//! Every PromQL query of the policies, with where it stands.

use cluster::spec::{ControllerSpec, PolicySpec};
use exporters::Reader;
use policy::keda::FeedSource;

use crate::error::At;
use crate::file::{Reference, ServiceView};
use crate::manifest::{Document, Kind};
use crate::tree::{Node, parse_path};

use super::Context;

/// A query and who asks.
#[derive(Clone, Debug)]
pub(super) struct AskedQuery {
    /// Its text.
    pub text: String,
    /// Where it stands.
    pub at: Box<At>,
    /// `keda/s0`, as tables call it.
    pub asker: String,
    /// What its reader can take.
    pub reader: Reader,
    /// Whether it is put about the service's own pods, whatever its text.
    pub is_of_own_pods: bool,
}

impl Context<'_> {
    /// The queries that a program of policy number `index` is shown.
    fn exec_queries(&self, metrics: &[(String, policy::MetricQuery)], policy: &str, index: usize) -> Vec<AskedQuery> {
        let asked = |(name, query): &(String, policy::MetricQuery)| match query {
            policy::MetricQuery::PromQl { expression } => Some(AskedQuery {
                text: expression.clone(),
                at: self.at(&format!("spec.policies[{index}].exec.metrics.{name}")),
                asker: format!("{policy}: exec/{name}"),
                reader: Reader::Keda,
                is_of_own_pods: false,
            }),
            _ => None,
        };
        metrics.iter().filter_map(asked).collect()
    }

    /// The queries of the prometheus triggers of all policies and of programs.
    pub(super) fn keda_queries(&self, spec: &ServiceView, policies: &[PolicySpec]) -> Vec<AskedQuery> {
        let mut asked = Vec::new();
        for (index, policy) in policies.iter().enumerate() {
            for controller in &policy.services[0].controllers {
                if let ControllerSpec::External { config, .. } = controller {
                    asked.extend(self.exec_queries(&config.metrics, &policy.name, index));
                }
                let ControllerSpec::Keda { scaled_object, .. } = controller else { continue };
                let manifest = match spec.policies.get(index).and_then(|file| file.keda.as_ref()) {
                    Some(Reference::Name(name)) => self.scaled_object_document(name),
                    _ => None,
                };
                for (number, trigger) in scaled_object.triggers.iter().enumerate() {
                    let of_feeds = trigger.feeds.iter().filter_map(|feed| match &feed.source {
                        FeedSource::PromQl(text) => Some(text.clone()),
                        _ => None,
                    });
                    asked.extend(of_feeds.map(|text| AskedQuery {
                        text,
                        at: self.at("spec.metrics.triggers"),
                        asker: format!("{}: keda/s{number}", policy.name),
                        reader: Reader::Keda,
                        is_of_own_pods: false,
                    }));
                    if trigger.kind != "prometheus" || !trigger.feeds.is_empty() {
                        continue;
                    }
                    let Some(text) = trigger.metadata.get("query") else { continue };
                    let below = format!("triggers[{number}].metadata.query");
                    let at = match manifest {
                        Some(document) => below_of(&document.node, &format!("spec.{below}")),
                        None => self.at(&format!("spec.policies[{index}].keda.{below}")),
                    };
                    asked.push(AskedQuery {
                        text: text.clone(),
                        at,
                        asker: format!("{}: keda/s{number}", policy.name),
                        reader: Reader::Keda,
                        is_of_own_pods: false,
                    });
                }
            }
        }
        asked
    }

    fn scaled_object_document(&self, name: &str) -> Option<&Document> {
        self.beside(Kind::ScaledObject, name)
    }
}

#[allow(clippy::unnecessary_box_returns, reason = "errors hold it boxed, to stay small")]
fn below_of(node: &Node, path: &str) -> Box<At> {
    let segments = parse_path(path).expect("paths in this crate are well-formed");
    Box::new(At { place: node.deepest(&segments).place.clone(), path: path.to_owned() })
}
