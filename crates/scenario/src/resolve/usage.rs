//! `service.usage` and `metrics.outages`: what replicas use, and when the pipeline does not work.
//!
//! Nothing says how many cores an inference server burns, so a policy that asks for CPU or memory needs a statement; unless the real
//! controller would fail before it came to use one.

use std::collections::BTreeSet;

use cluster::spec::{ControllerSpec, CpuUsage, MemoryUsage, Outage, OutageSpec, PolicySpec, ServiceSpec, UsageSpec};
use exporters::catalogue::Statement;
use policy::hpa::{MetricSpec, MetricTarget};
use units::{Bytes, Millicores, SimDuration, SimTime};

use crate::error::{Allowed, At, ScenarioError};
use crate::file::{
    AmountOr, CpuFile, HpaChoice, KedaChoice, MemoryFile, OutageFile, OutagePartFile, Reference, ServiceView,
    UsageChoice, UsageFile,
};
use crate::manifest::Kind;
use crate::tree::parse_path;

use super::Context;
use super::registry::exporter;

/// What `service.usage` makes known.
pub(super) fn statements(usage: Option<&UsageChoice>) -> BTreeSet<Statement> {
    match usage {
        None => BTreeSet::new(),
        Some(UsageChoice::Guess) => BTreeSet::from([Statement::Usage]),
        Some(UsageChoice::Stated(file)) => {
            let known = [
                (file.cpu.is_some() && file.memory.is_some(), Statement::Usage),
                (file.gpu_memory.is_some(), Statement::GpuMemory),
                (file.gpu_power.is_some(), Statement::GpuPower),
            ];
            known.into_iter().filter(|(is_known, _)| *is_known).map(|(_, statement)| statement).collect()
        }
    }
}

impl Context<'_> {
    /// What replicas use; every CPU and memory metric of the policies needs it.
    pub(super) fn usage(
        &mut self,
        spec: &ServiceView,
        service: &ServiceSpec,
        policies: &[PolicySpec],
    ) -> Result<UsageSpec, ScenarioError> {
        let usage = spec.service.usage.as_ref();
        self.judge_resource_metrics(spec, service, policies)?;
        match usage {
            None => Ok(UsageSpec::default()),
            Some(UsageChoice::Guess) => {
                self.notes.push(
                    "assumed: service.usage is guess: CPU of a pod is taken as its busy share times the request, memory as the request"
                        .to_owned(),
                );
                Ok(UsageSpec::default())
            }
            Some(UsageChoice::Stated(file)) => self.stated(file, service),
        }
    }

    fn stated(&mut self, file: &UsageFile, service: &ServiceSpec) -> Result<UsageSpec, ScenarioError> {
        let names: Vec<&str> = service.pod.containers.iter().map(|container| container.name.as_str()).collect();
        if let Some(name) = file.containers.keys().find(|name| !names.contains(&name.as_str())) {
            let at = self.at(&format!("spec.service.usage.containers[\"{name}\"]"));
            return Err(ScenarioError::UnknownName { at, what: "container", allowed: Allowed::new(name, names) });
        }
        if let Some(main) = names.first().filter(|main| file.containers.contains_key(**main)) {
            let reason = format!("`{main}` is the serving container; its use is `cpu` and `memory`");
            return Err(self.inconsistent(&format!("spec.service.usage.containers[\"{main}\"]"), &reason));
        }
        if let Some(power) = file.gpu_power.filter(|power| power.idle > power.busy) {
            let reason = format!("`idle` ({} W) is above `busy` ({} W)", power.idle.0, power.busy.0);
            return Err(self.inconsistent("spec.service.usage.gpuPower", &reason));
        }
        for name in names.iter().skip(1).filter(|name| !file.containers.contains_key(**name)) {
            self.notes.push(format!(
                "assumed: container {name} uses no CPU and no memory; service.usage.containers can say otherwise"
            ));
        }
        if let (Some(used), Some(total)) = (file.gpu_memory, file.gpu_memory_total)
            && used > total
        {
            return Err(self.inconsistent("spec.service.usage.gpuMemory", "is above `gpuMemoryTotal`"));
        }
        self.note_memory_limit(file, service);
        Ok(UsageSpec {
            cpu: file.cpu.map(cpu),
            memory: file.memory.map(memory),
            containers: file
                .containers
                .iter()
                .map(|(name, used)| (name.clone(), Millicores(used.cpu.0), Bytes(used.memory.0)))
                .collect(),
            gpu_memory: file.gpu_memory.map(|size| Bytes(size.0)),
            gpu_memory_total: file.gpu_memory_total.map(|size| Bytes(size.0)),
            gpu_power: file.gpu_power.map(|power| (power.idle.0, power.busy.0)),
        })
    }

    /// More than the request is possible; more than the limit would be the end of the container, which is not modelled.
    fn note_memory_limit(&mut self, file: &UsageFile, service: &ServiceSpec) {
        let Some(loaded) = file.memory.map(memory).map(|memory| memory.loaded) else { return };
        let Some(main) = service.pod.containers.first() else { return };
        if main.memory.is_some_and(|request| loaded.0 > request.0) {
            self.notes.push(format!(
                "container {} holds more memory once it is loaded than it requests; that it is killed above its limit is not modelled",
                main.name
            ));
        }
    }

    /// Every metric of CPU or memory that a policy asks for needs a value, unless the controller fails before it asks.
    fn judge_resource_metrics(
        &mut self,
        spec: &ServiceView,
        service: &ServiceSpec,
        policies: &[PolicySpec],
    ) -> Result<(), ScenarioError> {
        for (index, policy) in policies.iter().enumerate() {
            for controller in &policy.services[0].controllers {
                for (metric, name) in others_of(controller) {
                    let asked = Asked { resource: name, container: None, is_utilization: false, path: metric };
                    let (place, name) = (self.asked_at(spec, index, &asked).place, &asked.resource);
                    self.note_once(format!(
                        "{place}: {}: the resource metrics of pods are cpu and memory only: `{name}` fails at every pass, and without another \
                         metric the count never changes (how busy a GPU is, dcgm-exporter shows: DCGM_FI_DEV_GPU_UTIL)",
                        asked.path
                    ));
                }
                for asked in asked_of(controller) {
                    let missing = missing_request(&asked, service);
                    if let Some(container) = missing {
                        self.notes.push(format!(
                            "{}: missing request for {} in container {container}: the metric fails, as in a cluster, and without \
                             another the count never changes",
                            policy.name, asked.resource
                        ));
                    } else if !is_known(spec.service.usage.as_ref(), &asked.resource) {
                        let at = self.asked_at(spec, index, &asked);
                        return Err(ScenarioError::Inconsistent { at, reason: unknown_usage(&asked.resource) });
                    }
                }
            }
        }
        Ok(())
    }

    /// Where a metric is asked for.
    #[allow(clippy::unnecessary_box_returns, reason = "errors hold it boxed, to stay small")]
    fn asked_at(&self, spec: &ServiceView, policy: usize, asked: &Asked) -> Box<At> {
        let file = &spec.policies[policy];
        let in_document = |kind: Kind, name: &str| {
            let document = self.beside(kind, name)?;
            let path = format!("spec.{}", asked.path);
            let segments = parse_path(&path).ok()?;
            Some(Box::new(At { place: document.node.deepest(&segments).place.clone(), path }))
        };
        let (key, place) = match (&file.hpa, &file.keda) {
            (Some(HpaChoice::Name(name)), _) => ("hpa", in_document(Kind::HorizontalPodAutoscaler, name)),
            (_, Some(KedaChoice::Name(name))) => ("keda", in_document(Kind::ScaledObject, name)),
            (Some(Reference::Inline(_)), _) => ("hpa", None),
            _ => ("keda", None),
        };
        place.unwrap_or_else(|| self.at(&format!("spec.policies[{policy}].{key}.{}", asked.path)))
    }

    /// When parts of the pipeline do not work.
    pub(super) fn outages(&self, files: &[OutageFile]) -> Result<Vec<OutageSpec>, ScenarioError> {
        let mut outages = Vec::with_capacity(files.len());
        for (index, file) in files.iter().enumerate() {
            let path = format!("spec.metrics.outages[{index}]");
            if file.exporter.is_some() && file.of != OutagePartFile::Exporter {
                return Err(self.inconsistent(&format!("{path}.exporter"), "only `of: exporter` has one"));
            }
            let length = self.at_least(file.length, SimDuration::from_secs(1), &format!("{path}.for"))?;
            let of = match file.of {
                OutagePartFile::Prometheus => Outage::Prometheus,
                OutagePartFile::Adapter => Outage::Adapter,
                OutagePartFile::Exporter => Outage::Exporter(file.exporter.map(exporter)),
            };
            outages.push(OutageSpec { of, at: SimTime::ZERO + file.at.duration(), length });
        }
        Ok(outages)
    }
}

/// CPU or memory that a controller asks for.
struct Asked {
    /// `cpu` or `memory`.
    resource: String,
    container: Option<String>,
    is_utilization: bool,
    /// Below `spec`.
    path: String,
}

fn asked_of(controller: &ControllerSpec) -> Vec<Asked> {
    match controller {
        ControllerSpec::Hpa { spec, .. } => asked_of_metrics(&spec.metrics),
        ControllerSpec::Keda { scaled_object, .. } => {
            let setting = policy::keda::Setting::starting_at(0);
            let keda = policy::keda::Keda::new(scaled_object.clone(), setting).ok();
            let metrics = keda.as_ref().and_then(|keda| keda.hpa_spec()).map(|spec| spec.metrics.clone());
            let mut asked = asked_of_metrics(&metrics.unwrap_or_default());
            let triggers = scaled_object.triggers.iter().enumerate().filter(|(_, trigger)| trigger.is_resource());
            for (asked, (index, _)) in asked.iter_mut().zip(triggers) {
                asked.path = format!("triggers[{index}]");
            }
            asked
        }
        ControllerSpec::Static { .. }
        | ControllerSpec::Recorded(_)
        | ControllerSpec::Predictive(_)
        | ControllerSpec::External { .. } => Vec::new(),
    }
}

/// Resource metrics that no metrics-server has a figure of, by path and name.
fn others_of(controller: &ControllerSpec) -> Vec<(String, String)> {
    let ControllerSpec::Hpa { spec, .. } = controller else { return Vec::new() };
    let named = spec.metrics.iter().enumerate().filter_map(|(index, metric)| match metric {
        MetricSpec::Resource { name, .. } | MetricSpec::ContainerResource { name, .. } => Some((index, name)),
        _ => None,
    });
    let others = named.filter(|(_, name)| !matches!(name.as_str(), "cpu" | "memory"));
    others.map(|(index, name)| (format!("metrics[{index}]"), name.clone())).collect()
}

fn asked_of_metrics(metrics: &[MetricSpec]) -> Vec<Asked> {
    let asked = |(index, metric): (usize, &MetricSpec)| {
        let (name, container, target) = match metric {
            MetricSpec::Resource { name, target } => (name, None, target),
            MetricSpec::ContainerResource { name, container, target } => (name, Some(container.clone()), target),
            _ => return None,
        };
        // Any other resource metrics-server has no figure of, here as there.
        matches!(name.as_str(), "cpu" | "memory").then(|| Asked {
            resource: name.clone(),
            container,
            is_utilization: matches!(target, MetricTarget::Utilization(_)),
            path: format!("metrics[{index}]"),
        })
    };
    metrics.iter().enumerate().filter_map(asked).collect()
}

/// The container without the request that a utilization is divided by.
fn missing_request(asked: &Asked, service: &ServiceSpec) -> Option<String> {
    if !asked.is_utilization {
        return None;
    }
    let meant = service
        .pod
        .containers
        .iter()
        .filter(|container| asked.container.as_ref().is_none_or(|named| *named == container.name));
    let has_none = meant.into_iter().find(|container| match asked.resource.as_str() {
        "cpu" => container.cpu.is_none(),
        _ => container.memory.is_none(),
    });
    has_none.map(|container| container.name.clone())
}

fn is_known(usage: Option<&UsageChoice>, resource: &str) -> bool {
    match usage {
        None => false,
        Some(UsageChoice::Guess) => true,
        Some(UsageChoice::Stated(file)) => match resource {
            "cpu" => file.cpu.is_some(),
            _ => file.memory.is_some(),
        },
    }
}

fn unknown_usage(resource: &str) -> String {
    match resource {
        "cpu" => "CPU of the pods is not known; state service.usage.cpu (measure: rate(container_cpu_usage_seconds_total[1m]) idle and \
                  under load), or service.usage: guess"
            .to_owned(),
        _ => "memory of the pods is not known; state service.usage.memory (measure: container_memory_working_set_bytes once loaded and \
              under load), or service.usage: guess"
            .to_owned(),
    }
}

fn cpu(written: AmountOr<crate::file::Cores, CpuFile>) -> CpuUsage {
    let cores = |cores: crate::file::Cores| Millicores(cores.0);
    match written {
        AmountOr::Amount(always) => {
            let always = cores(always);
            CpuUsage { startup: always, idle: always, busy: always, per_request: Millicores(0) }
        }
        AmountOr::Mapping(CpuFile { idle, busy, startup, per_request }) => CpuUsage {
            startup: cores(startup.unwrap_or(busy)),
            idle: cores(idle),
            busy: cores(busy),
            per_request: per_request.map_or(Millicores(0), cores),
        },
    }
}

fn memory(written: AmountOr<crate::quantity::Size, MemoryFile>) -> MemoryUsage {
    match written {
        AmountOr::Amount(loaded) => MemoryUsage { loaded: Bytes(loaded.0), per_request: Bytes(0) },
        AmountOr::Mapping(MemoryFile { loaded, per_request }) => {
            MemoryUsage { loaded: Bytes(loaded.0), per_request: Bytes(per_request.map_or(0, |size| size.0)) }
        }
    }
}
