//! What a pod goes through between getting a node and serving.
//!
//! Image and cached weights belong to the node: a second pod on it waits for the pull under way, or pulls nothing. Every pod draws the
//! lengths of all its phases when it is bound, whether or not a cache spares it some: its draws are its own and the same under every policy.

use record::GpuUse;
use units::{NodeId, PodId, SimDuration, SimTime};
use workload::{Purpose, Stream};

use super::Fleet;
use super::dice::{draw, time_part};
use super::event::{FleetEvent, LoadPart, Notice, Out};
use super::images::ImageState;
use super::pod::{self, PodPhase, PodRole};
use super::transfer::Owner;
use crate::spec::PhaseSpec;

/// Positions of the phases in [`super::pod::Pod::lengths`].
const IMAGE: usize = 0;
pub(super) const DOWNLOAD: usize = 1;
const GPU_LOAD: usize = 2;
const WARM_UP: usize = 3;
const RESTORE: usize = 4;

impl Fleet {
    /// Draws the phases of `pod`, just bound, and starts the first.
    pub(super) fn begin_cold_start(&mut self, pod: PodId, out: &mut Out) {
        self.draw_lengths(pod, pod::entity(pod));
        self.draw_ticks(pod);
        let node = self.node_of(pod);
        match self.nodes[node.index()].images[self.class(pod).image].state {
            ImageState::Present => self.start_container(pod, out),
            ImageState::Pulling => self.enter_phase(pod, PodPhase::ImagePull),
            ImageState::Absent => self.pull_image(pod, node, out),
        }
    }

    /// Draws the lengths of all phases, as this entity's.
    pub(super) fn draw_lengths(&mut self, pod: PodId, entity: u64) {
        let mut stream = Stream::new(self.class(pod).seed, Purpose::ColdStart, entity);
        let cold = &self.class(pod).cold_start;
        let phases = [&cold.image_pull, &cold.model_download, &cold.gpu_load, &cold.cuda_warm_up];
        let [image, download, load, warm_up] = phases.map(|phase| draw(time_part(phase), &mut stream));
        let restore = cold.restore.as_ref().map(|restore| draw(time_part(&restore.length), &mut stream));
        self.pods[pod].lengths = [image, download, load, warm_up, restore.unwrap_or_default()];
    }

    fn pull_image(&mut self, pod: PodId, node: NodeId, out: &mut Out) {
        let fixed = self.pods[pod].lengths[IMAGE];
        let image = self.class(pod).image;
        self.nodes[node.index()].images[image].state = ImageState::Pulling;
        self.enter_phase(pod, PodPhase::ImagePull);
        let phase = self.class(pod).cold_start.image_pull.clone();
        // The unpacking of a transfer waits in the length until the bytes are there.
        self.nodes[node.index()].images[image].unpack = fixed;
        if !self.start_transfer(&phase, Owner::Image(node, image as u32), node, out) {
            self.after(fixed, FleetEvent::ImagePulled(node, image as u32), out);
        }
    }

    /// The image is there: every pod that waited for it starts its containers.
    pub(super) fn on_image_pulled(&mut self, node: NodeId, image: usize, out: &mut Out) {
        if self.nodes[node.index()].ended.is_some() {
            return;
        }
        let on_node = &mut self.nodes[node.index()].images[image];
        let is_old = std::mem::take(&mut on_node.pulls_old);
        on_node.state = if is_old { ImageState::Absent } else { ImageState::Present };
        let waiting: Vec<PodId> = self.nodes[node.index()]
            .pods
            .iter()
            .copied()
            .filter(|&pod| self.pods[pod].phase == PodPhase::ImagePull && self.class(pod).image == image)
            .collect();
        for pod in waiting {
            self.start_container(pod, out);
        }
    }

    fn start_container(&mut self, pod: PodId, out: &mut Out) {
        out.tell(Notice::ContainerStarted { pod });
        self.run_container(pod, out);
    }

    /// Its container runs, for the first time or again.
    pub(super) fn run_container(&mut self, pod: PodId, out: &mut Out) {
        self.pods[pod].container_started = self.now;
        let node = self.node_of(pod);
        let downloads_first = self.class(pod).pod.probes.downloads_first;
        if !downloads_first {
            self.watch_container(pod, out);
        }
        let has_snapshot = self.nodes[node.index()].classes[pod.service()].has_snapshot;
        if self.class(pod).cold_start.restore.as_ref().is_some_and(|restore| restore.everywhere || has_snapshot) {
            if downloads_first {
                self.watch_container(pod, out);
            }
            self.enter_phase(pod, PodPhase::Restore);
            self.start_part(pod, LoadPart::Restore, out);
            return;
        }
        if self.has_weights(pod.service(), node) || self.has_own_weights(pod) {
            if downloads_first {
                self.watch_container(pod, out);
            }
            self.start_gpu_load(pod, out);
            return;
        }
        self.pods[pod].attempts.download_began = self.now;
        self.enter_phase(pod, PodPhase::ModelDownload);
        self.start_part(pod, LoadPart::Download, out);
        let streams = self.class(pod).cold_start.streaming_load && !downloads_first;
        if streams && self.pods[pod].phase == PodPhase::ModelDownload {
            self.start_part(pod, LoadPart::GpuLoad, out);
        }
    }

    fn start_gpu_load(&mut self, pod: PodId, out: &mut Out) {
        self.enter_phase(pod, PodPhase::GpuLoad);
        self.start_part(pod, LoadPart::GpuLoad, out);
    }

    fn start_part(&mut self, pod: PodId, part: LoadPart, out: &mut Out) {
        let cold = &self.class(pod).cold_start;
        let (phase, index) = match part {
            LoadPart::Download => (cold.model_download.clone(), DOWNLOAD),
            LoadPart::GpuLoad => (cold.gpu_load.clone(), GPU_LOAD),
            LoadPart::WarmUp => (cold.cuda_warm_up.clone(), WARM_UP),
            LoadPart::Restore => {
                let restore = cold.restore.as_ref().expect("only pods that can be restored are");
                (restore.length.clone(), RESTORE)
            }
        };
        let node = self.node_of(pod);
        if !self.start_transfer(&phase, Owner::Pod(pod, part), node, out) {
            let length = if index == DOWNLOAD { self.download_length(pod) } else { self.pods[pod].lengths[index] };
            self.after(length, self.part_done(pod, part), out);
        }
    }

    /// Starts the bytes of `phase`; false if it has none.
    pub(super) fn start_transfer(&mut self, phase: &PhaseSpec, owner: Owner, node: NodeId, out: &mut Out) -> bool {
        match phase {
            PhaseSpec::Transfer { bytes, links, .. } if bytes.0 > 0 && !links.is_empty() => {
                self.transfers.start(owner, *bytes, (links, node), (self.now, out));
                true
            }
            _ => false,
        }
    }

    /// Bytes have arrived; the fixed part of their phase follows.
    pub(super) fn on_transferred(&mut self, owner: Owner, out: &mut Out) {
        match owner {
            Owner::Image(node, image) => {
                let unpack = self.nodes[node.index()].images[image as usize].unpack;
                self.after(unpack, FleetEvent::ImagePulled(node, image), out);
            }
            Owner::Cache(node) => {
                let fixed = self.cache_fill_length(node);
                self.after(fixed, FleetEvent::CacheFilled(node), out);
            }
            Owner::Pod(pod, part) => {
                let lengths = &self.pods[pod].lengths;
                let fixed = match part {
                    LoadPart::Download => lengths[DOWNLOAD],
                    LoadPart::GpuLoad => lengths[GPU_LOAD],
                    LoadPart::WarmUp => lengths[WARM_UP],
                    LoadPart::Restore => lengths[RESTORE],
                };
                self.after(fixed, self.part_done(pod, part), out);
            }
        }
    }

    /// A part is over; the next begins. Pods that were drained or deleted meanwhile are past caring.
    pub(super) fn on_part_done(&mut self, pod: PodId, (part, attempt): (LoadPart, u32), out: &mut Out) {
        if !self.is_current(pod, attempt) {
            return;
        }
        let phase = self.pods[pod].phase;
        match (part, phase) {
            (LoadPart::Download, PodPhase::ModelDownload) => {
                self.fill_cache_from(pod);
                if self.pods[pod].gpu_loaded {
                    self.start_warm_up(pod, out);
                } else if self.class(pod).pod.probes.downloads_first {
                    // An init container downloaded: the server starts now.
                    self.pods[pod].container_started = self.now;
                    self.pods[pod].attempts.downloaded = 1.0;
                    self.watch_container(pod, out);
                    self.start_gpu_load(pod, out);
                } else if self.class(pod).cold_start.streaming_load {
                    // Its loading into GPU memory began with the download and goes on.
                    self.enter_phase(pod, PodPhase::GpuLoad);
                } else {
                    self.start_gpu_load(pod, out);
                }
            }
            (LoadPart::GpuLoad, PodPhase::ModelDownload) => self.pods[pod].gpu_loaded = true,
            (LoadPart::GpuLoad, PodPhase::GpuLoad) => self.start_warm_up(pod, out),
            (LoadPart::WarmUp, PodPhase::CudaWarmUp) | (LoadPart::Restore, PodPhase::Restore) => {
                self.await_probe(pod, out);
            }
            _ => {}
        }
    }

    fn start_warm_up(&mut self, pod: PodId, out: &mut Out) {
        self.enter_phase(pod, PodPhase::CudaWarmUp);
        self.start_part(pod, LoadPart::WarmUp, out);
    }

    /// Readiness is seen by the first probe after warm-up.
    fn await_probe(&mut self, pod: PodId, out: &mut Out) {
        let node = self.node_of(pod);
        self.nodes[node.index()].classes[pod.service()].has_snapshot = true;
        out.tell(Notice::Loaded { pod });
        self.enter_phase(pod, PodPhase::Readiness);
        let seen = self.ready_seen_at(pod);
        self.at_or_now(seen, FleetEvent::Probe(pod), out);
    }

    /// The probe passed: an active pod waits for its endpoint, a standby is warm.
    pub(super) fn on_probe(&mut self, pod: PodId, out: &mut Out) {
        if self.pods[pod].phase != PodPhase::Readiness {
            return;
        }
        match self.pods[pod].role {
            PodRole::Active => self.after(self.class(pod).pod.endpoint_delay, FleetEvent::Endpoint(pod), out),
            PodRole::Standby => self.on_endpoint(pod, out),
        }
    }

    /// It may serve.
    pub(super) fn on_endpoint(&mut self, pod: PodId, out: &mut Out) {
        if self.pods[pod].phase == PodPhase::Readiness {
            self.become_ready(pod, out);
        }
    }

    /// Closes the present phase of `pod` and moves its GPUs to the use of the next.
    pub(super) fn enter_phase(&mut self, pod: PodId, phase: PodPhase) {
        self.change_pod(pod, |pod| pod.phase = phase);
    }

    /// Runs `change` on the pod, keeping its node's meter, its spans and the counts of healthy pods in step.
    pub(super) fn change_pod(&mut self, pod: PodId, change: impl FnOnce(&mut pod::Pod)) {
        let (now, gpus) = (self.now, self.class(pod).pod.gpus);
        let state = &mut self.pods[pod];
        let before = (state.gpu_use(), state.is_healthy(), state.is_expected());
        let name = state.phase_name();
        change(state);
        if state.phase_name() != name {
            state.close_span(name, now);
        }
        let after = (state.gpu_use(), state.is_healthy(), state.is_expected());
        let class = &mut self.classes[pod.service()];
        class.healthy = class.healthy + u32::from(after.1) - u32::from(before.1);
        class.expected = class.expected + u32::from(after.2) - u32::from(before.2);
        if let Some(node) = state.node.filter(|_| before.0 != after.0) {
            let meter = &mut self.nodes[node.index()].meter;
            if before.0 != GpuUse::Unallocated {
                meter.free((pod.service(), before.0), gpus, now);
            }
            if after.0 != GpuUse::Unallocated {
                meter.take((pod.service(), after.0), gpus, now);
            }
        }
    }

    /// Schedules `event` after `delay`.
    pub(super) fn after(&self, delay: SimDuration, event: FleetEvent, out: &mut Out) {
        out.at(self.now.saturating_add(delay), event);
    }

    fn at_or_now(&self, time: SimTime, event: FleetEvent, out: &mut Out) {
        out.at(time.max(self.now), event);
    }
}
