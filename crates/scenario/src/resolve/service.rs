//! The service and its pod.

use std::sync::Arc;

use cluster::spec::{
    BatchLatency, ContainerSpec, KillRule, NoReplicaRule, Overhead, PodScheduling, PodSpec, ReplicaOrder, Scheduler,
    ServiceModel, ServiceSpec, SoftSpread, StopRule, Toleration,
};
use units::{Bytes, Millicores, SimDuration};
use workload::Distribution as Drawn;

use crate::error::ScenarioError;
use crate::file::{
    BatchLatencyFile, BatchPoint, ContinuousBatchingFile, DynamicBatchingFile, KillFile, ModelFile, NoReplicaFile,
    PodFile, SchedulingPolicyFile, ServiceView, SpreadFile,
};
use crate::manifest::Quantity;
use crate::manifest::workload::gpu_containers;
use crate::quantity::Time;
use crate::server::Words;
use crate::tree::parse_path;

use super::Context;
use super::several::salt;
use super::updates::UpdateDefaults;

impl Context<'_> {
    /// `service`, with the workload it names.
    pub(super) fn service(&mut self, spec: &ServiceView) -> Result<ServiceSpec, ScenarioError> {
        let file = &spec.service;
        let endpoint_delay = file.endpoint_delay.duration();
        self.workload = self.choose_workload(file, spec.name.as_deref())?;
        let (name, namespace, replicas, pod) = match (&file.pod, self.workload.clone()) {
            (Some(pod), None) => {
                let pod = self.own_pod(pod, spec);
                (pod.name.clone(), pod.namespace.clone(), 1, self.written_pod(&pod, endpoint_delay)?)
            }
            (_, Some(workload)) => {
                let (pod, replicas) = self.workload_pod(&workload, endpoint_delay, &spec.nodes.manager)?;
                let namespace = self.namespace_of(&workload.document).unwrap_or("default").to_owned();
                (workload.name().to_owned(), namespace, replicas, pod)
            }
            (None, None) => return Err(self.no_workload()),
        };
        let order = self.workload.as_ref().map_or(ReplicaOrder::Parallel, |workload| workload.order);
        let (pod, stop_source) = self.with_stop(pod, file);
        if pod.stop == StopRule::Halt && !matches!(file.model, ModelFile::ContinuousBatching(_)) {
            let reason = "`atKill` needs `continuousBatching`: other servers exit at once";
            return Err(self.inconsistent("spec.service.onTerminate.abort.notice", reason));
        }
        let model = self.model(&file.model, &pod)?;
        let engine = self.engine_spec(&file.model, &model)?;
        let lets_wait = match &model {
            ServiceModel::Slots { .. } => false,
            ServiceModel::DynamicBatching { queue_delay, .. } => !queue_delay.is_zero(),
            ServiceModel::ContinuousBatching { .. } => true,
        };
        if file.queue_limit == Some(0) && lets_wait {
            let reason =
                "0 lets nobody wait, and every request of this model waits for its batch: all would be rejected";
            return Err(self.inconsistent("spec.service.queueLimit", reason));
        }
        let mut service = ServiceSpec {
            salt: spec.name.as_deref().map_or(0, salt),
            name: spec.name.clone().unwrap_or_else(|| name.clone()),
            workload: name,
            namespace,
            engine_by_priority: engine.scheduler == Scheduler::Vllm && self.goes_by_priority(&file.model),
            engine,
            no_replica: match file.while_no_replica {
                NoReplicaFile::Hold => NoReplicaRule::Hold,
                NoReplicaFile::Reject => NoReplicaRule::Reject,
            },
            queue_limit: file.queue_limit,
            client_timeout: self.patience(file.client.timeout.as_ref(), "spec.service.client.timeout")?,
            client_patience: self.patience(file.client.patience.as_ref(), "spec.service.client.patience")?,
            retries: self.retries(file, &model)?,
            kill_rule: match file.on_kill {
                KillFile::Fail => KillRule::Fail,
                KillFile::Requeue => KillRule::Requeue,
            },
            replicas_initial: file.replicas.unwrap_or(replicas),
            order,
            min_ready: UpdateDefaults::of(self.workload.as_ref())?.min_ready,
            pod,
            ..ServiceSpec::plain("", model)
        };
        self.route(&mut service, spec)?;
        self.adapters(&mut service, spec)?;
        self.note_lost_at_stop(&service, stop_source.as_deref());
        Ok(service)
    }

    /// Whether the engine takes requests by priority: as the scenario says, else as the manifest's `--scheduling-policy`.
    fn goes_by_priority(&mut self, model: &ModelFile) -> bool {
        let ModelFile::ContinuousBatching(model) = model else { return false };
        if let Some(policy) = model.scheduling_policy {
            return policy == SchedulingPolicyFile::Priority;
        }
        let Some(workload) = &self.workload else { return false };
        let node = &workload.deployment.node;
        let template = node.at(&["spec", "template"]).unwrap_or(node);
        let Some(container) = gpu_containers(template).first().copied() else { return false };
        let written = Words::of(container).flag(&["--scheduling-policy"]);
        let (is_priority, place) = (written.is_some_and(|(_, value)| value == "priority"), container.place.to_string());
        if is_priority {
            self.note(format!(
                "{place}: --scheduling-policy priority: the engine takes the smallest `enginePriority` of `traffic.classes` first"
            ));
        }
        is_priority
    }

    /// A pod as it is written. Where no name is, that of one service of several is called as that, and where no image is, it is another than
    /// that of the others.
    fn own_pod(&self, pod: &PodFile, spec: &ServiceView) -> PodFile {
        let mut pod = pod.clone();
        let Some(service) = &spec.name else { return pod };
        let path = parse_path(&self.place_of("spec.service.pod")).expect("paths in this crate are well-formed");
        if self.scenario.deepest(&path).get("name").is_none() {
            pod.name.clone_from(service);
        }
        if self.has_several() && pod.image.is_empty() {
            pod.image = format!("unnamed:{:x}", salt(service));
        }
        pod
    }

    fn written_pod(&self, pod: &PodFile, endpoint_delay: SimDuration) -> Result<PodSpec, ScenarioError> {
        let cpu = pod.cpu.as_ref().map(|text| {
            policy::keda::quantity::milli_from_text(text).map(Quantity).ok_or_else(|| ScenarioError::WrongValue {
                at: self.at("spec.service.pod.cpu"),
                found: format!("text `{text}`"),
                expected: "a CPU quantity such as `4` or `500m`".to_owned(),
            })
        });
        let container = ContainerSpec {
            name: pod.name.clone(),
            cpu: cpu.transpose()?.map(|cpu| Millicores(u64::try_from(cpu.0).unwrap_or(0))),
            memory: pod.memory.map(|memory| Bytes(memory.0)),
            is_sidecar: false,
        };
        Ok(PodSpec {
            gpus: pod.gpus,
            gpu_resource: pod.gpu_resource.clone(),
            containers: vec![container],
            grace: pod.grace.duration(),
            pre_stop: pod.pre_stop.duration(),
            probe_period: self.at_least(
                pod.probe_period,
                SimDuration::from_millis(1),
                "spec.service.pod.probePeriod",
            )?,
            probe_initial_delay: pod.probe_initial_delay.duration(),
            endpoint_delay,
            drain_delay: None,
            stop: StopRule::FINISH,
            spread: SoftSpread {
                nodes: pod.spread.contains(&SpreadFile::Nodes),
                zones: pod.spread.contains(&SpreadFile::Zones),
            },
            node_selector: pod.node_selector.clone().into_iter().collect(),
            priority: 0,
            labels: pod.labels.clone().into_iter().collect(),
            image: pod.image.clone(),
            group: None,
            probes: cluster::spec::Probes::default(),
            // Nobody has written tolerations for a pod that is described here: it goes wherever it fits.
            scheduling: PodScheduling { tolerations: vec![Toleration::default()], ..PodScheduling::default() },
        })
    }

    fn model(&mut self, model: &ModelFile, pod: &PodSpec) -> Result<ServiceModel, ScenarioError> {
        match model {
            ModelFile::Slots(slots) => {
                if slots.concurrency == 0 {
                    return Err(self.inconsistent("spec.service.model.slots.concurrency", "must be at least 1"));
                }
                let service = self.distribution(&slots.service_time, "spec.service.model.slots.serviceTime")?;
                Ok(ServiceModel::Slots { concurrency: slots.concurrency, service })
            }
            ModelFile::DynamicBatching(batching) => self.dynamic_batching(batching),
            ModelFile::ContinuousBatching(batching) => self.continuous_batching(batching, pod),
            ModelFile::Preset(_) => unreachable!("views spell presets out"),
        }
    }

    fn dynamic_batching(&self, file: &DynamicBatchingFile) -> Result<ServiceModel, ScenarioError> {
        let path = "spec.service.model.dynamicBatching";
        if file.batch_max == 0 || file.batch_max > 65_536 {
            return Err(self.inconsistent(&format!("{path}.batchMax"), "must be 1 to 65536"));
        }
        let mut preferred = file.preferred.clone();
        preferred.sort_unstable();
        if preferred.first() == Some(&0) || preferred.last().is_some_and(|size| *size > file.batch_max) {
            return Err(self.inconsistent(&format!("{path}.preferred"), "sizes must be 1 to `batchMax`"));
        }
        let latency = |size: u32| match &file.latency {
            BatchLatencyFile::Affine(affine) => affine.base.0 + affine.per_request.0 * f64::from(size),
            BatchLatencyFile::Points(points) => interpolated(points, size),
        };
        if let BatchLatencyFile::Points(points) = &file.latency
            && (points.is_empty() || points.windows(2).any(|pair| pair[1].batch <= pair[0].batch))
        {
            let reason = "at least one point is needed, in ascending order of `batch`";
            return Err(self.inconsistent(&format!("{path}.latency.points"), reason));
        }
        let table: Arc<[SimDuration]> =
            (1..=file.batch_max).map(|size| SimDuration::from_secs_f64(latency(size))).collect();
        if table.iter().any(|duration| duration.is_zero()) {
            return Err(self.inconsistent(&format!("{path}.latency"), "every batch must take longer than zero"));
        }
        Ok(ServiceModel::DynamicBatching {
            batch_max: file.batch_max,
            preferred,
            queue_delay: file.queue_delay.duration(),
            latency: BatchLatency { table },
        })
    }

    /// What requests take outside the engine.
    fn overhead(&self, file: &ContinuousBatchingFile, path: &str) -> Result<Overhead, ScenarioError> {
        Ok(match self.distribution(&file.overhead, &format!("{path}.overhead"))? {
            Drawn::Constant(seconds) => Overhead::Fixed(Time(seconds).duration()),
            law => Overhead::Drawn(law),
        })
    }

    fn continuous_batching(
        &mut self,
        file: &ContinuousBatchingFile,
        pod: &PodSpec,
    ) -> Result<ServiceModel, ScenarioError> {
        let path = "spec.service.model.continuousBatching";
        let completed = self.with_preset(file, pod)?;
        let file = completed.as_ref().unwrap_or(file);
        let missing = |key: &str| ScenarioError::MissingKey { at: self.at(path), key: key.to_owned() };
        let sequences_max = file.sequences_max.ok_or_else(|| missing("sequencesMax"))?;
        let batched_tokens_max = file.batched_tokens_max.ok_or_else(|| missing("batchedTokensMax"))?;
        let kv_tokens = file.kv_tokens.ok_or_else(|| missing("kvTokens"))?;
        if sequences_max == 0 || batched_tokens_max == 0 || kv_tokens == 0 {
            let reason = "`sequencesMax`, `batchedTokensMax` and `kvTokens` must be at least 1";
            return Err(self.inconsistent(path, reason));
        }
        Ok(ServiceModel::ContinuousBatching {
            sequences_max,
            batched_tokens_max,
            kv_tokens,
            law: self.iteration_law(file)?,
            overhead: self.overhead(file, path)?,
            prompt_tokens: self.distribution(&file.prompt_tokens, &format!("{path}.promptTokens"))?,
            output_tokens: self.distribution(&file.output_tokens, &format!("{path}.outputTokens"))?,
        })
    }
}

/// Seconds for a batch of `size` between measured points; below the first as the first, beyond the last by the last slope.
fn interpolated(points: &[BatchPoint], size: u32) -> f64 {
    let first = points[0];
    if size <= first.batch || points.len() == 1 {
        return first.latency.0;
    }
    let end = points.iter().position(|point| point.batch >= size).unwrap_or(points.len() - 1);
    let (low, high) = (points[end - 1], points[end]);
    let slope = (high.latency.0 - low.latency.0) / f64::from(high.batch - low.batch);
    low.latency.0 + slope * f64::from(size - low.batch)
}
