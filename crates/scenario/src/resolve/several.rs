//! The long form: what its services are called, that each is there once, and what scales those that a policy does not name.

use std::collections::BTreeSet;

use cluster::spec::{CalledBy, FleetSpec, InterruptionModel, NodeManager, ServiceSpec};
use units::PodId;

use crate::error::ScenarioError;
use crate::file::{
    FromFile, PolicyFile, PoolSharing, Reference, ScenarioSpec, ServiceEntryFile, ServiceView, StaticFile,
};
use crate::manifest::{Document, Kind};
use crate::survey::{is_scaler, scales};
use crate::tree::{Segment, path_text};

use super::Context;
use super::scale_target::scaled_by;
use super::turn::OWN_KEYS;

impl Context<'_> {
    /// The scenario as each service sees it: once in the short form.
    pub(super) fn views(&mut self, spec: &ScenarioSpec) -> Result<Vec<ServiceView>, ScenarioError> {
        let mut views = match &spec.services {
            None => vec![self.only_view(spec)?],
            Some(services) => self.entry_views(spec, services)?,
        };
        let manager = self.settled_manager(&views[0])?;
        if let Some(manager) = manager {
            views.iter_mut().for_each(|view| view.nodes.manager = manager.clone());
        }
        Ok(views)
    }

    fn only_view(&self, spec: &ScenarioSpec) -> Result<ServiceView, ScenarioError> {
        let missing = |key: &str| ScenarioError::MissingKey { at: self.at("spec"), key: key.to_owned() };
        if let Some(index) = spec.policies.iter().position(|policy| policy.services.is_some()) {
            let reason = "names services, and the scenario has no `services`: what acts on its only service stands in the policy itself";
            return Err(self.inconsistent(&format!("spec.policies[{index}].services"), reason));
        }
        let traffic = spec.traffic.as_ref().ok_or_else(|| missing("traffic"))?;
        if traffic.from.is_some() {
            let reason = "there is no other service here: it is for scenarios with `services`";
            return Err(self.inconsistent("spec.traffic.from", reason));
        }
        ServiceView::of_only(spec).ok_or_else(|| missing("service"))
    }

    fn entry_views(
        &mut self,
        spec: &ScenarioSpec,
        services: &[ServiceEntryFile],
    ) -> Result<Vec<ServiceView>, ScenarioError> {
        if let Some(key) = OWN_KEYS.iter().find(|key| self.scenario.at(&["spec", key]).is_some()) {
            let reason = format!(
                "`{key}` and `services` together: with `services` each has its own, `services.NAME.{key}`; a scenario of one service may do without \
                 `services`"
            );
            return Err(self.inconsistent(&format!("spec.{key}"), &reason));
        }
        if services.is_empty() {
            return Err(self.inconsistent("spec.services", "at least one service is needed"));
        }
        if services.len() > PodId::SERVICES_MAX {
            let reason = format!("are {}; a run may have {}", services.len(), PodId::SERVICES_MAX);
            return Err(self.inconsistent("spec.services", &reason));
        }
        self.check_names(services)?;
        self.check_policies(spec, services)?;
        self.check_callers(services)?;
        if services.len() > 1 && spec.metrics.model_name.is_some() {
            let reason = "names the model of one service, and there are several: with `services` each has its own, `services.NAME.modelName`";
            return Err(self.inconsistent("spec.metrics.modelName", reason));
        }
        self.take_turns(spec);
        Ok(services.iter().map(|entry| ServiceView::of_entry(spec, entry)).collect())
    }

    fn check_names(&self, services: &[ServiceEntryFile]) -> Result<(), ScenarioError> {
        for (index, entry) in services.iter().enumerate() {
            let path = format!("spec.services[{index}].name");
            let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
            if entry.name.is_empty() || !entry.name.chars().all(is_plain) {
                let reason = format!("`{}` must be made of letters, digits, `-` and `_`", entry.name);
                return Err(self.inconsistent(&path, &reason));
            }
            if services[..index].iter().any(|earlier| earlier.name == entry.name) {
                let reason = format!("another service is called `{}` already", entry.name);
                return Err(self.inconsistent(&path, &reason));
            }
        }
        Ok(())
    }

    /// Policies name services, and services there are.
    fn check_policies(&self, spec: &ScenarioSpec, services: &[ServiceEntryFile]) -> Result<(), ScenarioError> {
        for (index, policy) in spec.policies.iter().enumerate() {
            let path = format!("spec.policies[{index}]");
            if let Some(key) = policy.keys_of_one_service().first() {
                let name = &services[0].name;
                let reason =
                    format!("does not say on which service it acts: `services: {{{name}: {{{key}: …}}}}` names it");
                return Err(self.inconsistent(&format!("{path}.{key}"), &reason));
            }
            for name in policy.services.iter().flatten().map(|(name, _)| name) {
                if !services.iter().any(|entry| entry.name == *name) {
                    let names = services.iter().map(|entry| entry.name.as_str());
                    let path = path_text(&format!("{path}.services"), &[Segment::Key(name.clone())]);
                    return Err(self.unknown_name(&path, "service", name, names));
                }
            }
        }
        Ok(())
    }

    /// `traffic.from`: who calls whom. The names and numbers must be right.
    fn check_callers(&self, services: &[ServiceEntryFile]) -> Result<(), ScenarioError> {
        let from = |entry: &ServiceEntryFile| entry.traffic.from.clone();
        let calls = services.iter().enumerate().filter_map(|(index, entry)| Some((index, from(entry)?)));
        let calls: Vec<(usize, FromFile)> = calls.collect();
        let path = |index: usize| format!("spec.services[{index}].traffic.from");
        for (index, call) in &calls {
            let path = path(*index);
            if !services.iter().any(|entry| entry.name == call.service) {
                let names = services.iter().map(|entry| entry.name.as_str());
                return Err(self.unknown_name(&format!("{path}.service"), "service", &call.service, names));
            }
            if !(call.share.0 > 0.0 && call.share.0 <= 1.0) {
                return Err(self.inconsistent(&format!("{path}.share"), "must be above 0% and at most 100%"));
            }
            if call.count == 0 {
                return Err(self.inconsistent(&format!("{path}.count"), "must be at least 1"));
            }
        }
        for (index, _) in &calls {
            if let Some(ring) = ring(services, *index) {
                let reason = format!("these services call each other in a ring: {}", ring.join(" <- "));
                return Err(self.inconsistent(&format!("{}.service", path(*index)), &reason));
            }
        }
        Ok(())
    }

    /// Who calls a service, by number. That there is such a one has been checked.
    pub(super) fn called_by(&mut self, views: &[ServiceView], spec: &ServiceView) -> Option<CalledBy> {
        let from = spec.traffic.from.as_ref()?;
        let service = views.iter().position(|view| view.name.as_ref() == Some(&from.service))?;
        if from.kv_transfer.is_some() {
            // Both services and their requests must be known: see `kv_transfers`.
            return Some(CalledBy { service, share: from.share.0, count: from.count, transfer: None });
        }
        self.note(format!(
            "requests come when `{}` has answered: latency here counts from then; `slo.endToEnd` and a remark are about the whole way from the first request of the chain",
            from.service
        ));
        Some(CalledBy { service, share: from.share.0, count: from.count, transfer: None })
    }

    /// Pools that are copied for each service are of a kind that can be copied.
    pub(super) fn check_pools_apart(
        &self,
        policies: &[PolicyFile],
        (fleet, services): (&FleetSpec, usize),
    ) -> Result<(), ScenarioError> {
        let Some(index) = policies.iter().position(|policy| policy.pools == PoolSharing::PerService) else {
            return Ok(());
        };
        let offerings =
            || fleet.pools.iter().flat_map(|pool| pool.offerings.iter().map(move |offering| (pool, offering)));
        let limited = offerings().find(|(_, offering)| offering.capacity_max.is_some());
        let reason = if services < 2 {
            "the scenario has one service, which has all pools to itself".to_owned()
        } else if matches!(fleet.manager, NodeManager::Serverless { .. }) {
            "serverless replicas share no nodes".to_owned()
        } else if let Some((pool, offering)) = limited {
            let (name, kind) = (&pool.name, &offering.instance_type);
            format!(
                "of pool `{name}` only so many {kind} can be had (`instancesMax` or a reservation): how many of them are whose is not said"
            )
        } else if matches!(fleet.spot.model, InterruptionModel::Availability { .. }) {
            "the recorded availability is of all spot nodes together: how many of them are whose is not said".to_owned()
        } else {
            return Ok(());
        };
        Err(self.inconsistent(&format!("spec.policies[{index}].pools"), &format!("perService: {reason}")))
    }

    /// No two services run the same pods.
    pub(super) fn check_apart(&self, service: &ServiceSpec, earlier: &[ServiceSpec]) -> Result<(), ScenarioError> {
        let is_same = |other: &&ServiceSpec| other.workload == service.workload && other.namespace == service.namespace;
        let Some(other) = earlier.iter().find(is_same) else { return Ok(()) };
        let what = match &self.workload {
            Some(workload) => workload.document.title(),
            None => format!("a workload called `{}`", service.workload),
        };
        let reason = format!("{what} runs service `{}` already; two services on one workload are one", other.name);
        Err(self.inconsistent("spec.service", &reason))
    }

    /// Where a policy does not say what scales a service of the long form: the autoscaler of its manifests, or its replicas.
    pub(super) fn keep_manifests(
        &mut self,
        view: &mut ServiceView,
        service: &ServiceSpec,
    ) -> Result<(), ScenarioError> {
        if view.name.is_none() || view.policies.iter().all(PolicyFile::names_controllers) {
            return Ok(());
        }
        let scalers: Vec<&Document> = self.documents.iter().filter(|one| self.is_scaler_of(one, service)).collect();
        let titles: Vec<String> = scalers.iter().map(|scaler| scaler.title()).collect();
        for (index, policy) in view.policies.iter_mut().enumerate() {
            if policy.names_controllers() {
                continue;
            }
            match scalers[..] {
                [] => {
                    let replicas = policy.replicas.unwrap_or(service.replicas_initial);
                    policy.fixed = Some(StaticFile { replicas });
                }
                [only] if only.kind == Kind::HorizontalPodAutoscaler => {
                    policy.hpa = Some(Reference::Name(only.name.clone()));
                }
                [only] => policy.keda = Some(Reference::Name(only.name.clone())),
                _ => {
                    let reason = format!(
                        "names nothing that scales `{}`, and several of the manifests do: {}",
                        service.name,
                        titles.join(", ")
                    );
                    return Err(self.inconsistent(&format!("spec.policies[{index}]"), &reason));
                }
            }
        }
        self.note(match titles.first() {
            Some(title) => format!("{title} scales it in policies that name nothing else"),
            None => "no manifest scales it: policies that name nothing else keep its replicas".to_owned(),
        });
        Ok(())
    }

    fn is_scaler_of(&self, document: &Document, service: &ServiceSpec) -> bool {
        is_scaler(document, self.documents)
            && match &self.workload {
                Some(workload) => scales(document, workload),
                // A pod written in the scenario stands for whatever has its name.
                None => scaled_by(document).is_some_and(|(_, _, name)| name == service.workload),
            }
    }
}

/// The ring of callers that starts and ends with a service, if there is one.
fn ring(services: &[ServiceEntryFile], start: usize) -> Option<Vec<&str>> {
    let (mut names, mut seen, mut at) = (vec![services[start].name.as_str()], BTreeSet::new(), start);
    while let Some(from) = &services[at].traffic.from {
        names.push(&from.service);
        at = services.iter().position(|entry| entry.name == from.service)?;
        if at == start {
            return Some(names);
        }
        if !seen.insert(at) {
            return None;
        }
    }
    None
}

/// A number that tells the random numbers of a service from those of others: FNV-1a of its name, never 0, which is the short form's.
pub(super) fn salt(name: &str) -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, fold).max(1)
}
