//! One service as the pipeline knows it.

use std::sync::Arc;

use units::PodId;

use super::names::Names;
use super::process::Process;
use super::signal::SignalLog;
use super::tally::Tally;
use crate::flow::Watched;
use crate::spec::ServiceSpec;

/// A service, its pods beside their requests, and the figures of it that have a memory of their own.
pub(super) struct Tenant {
    pub service: ServiceSpec,
    /// Seed of its random numbers.
    pub seed: u64,
    pub names: Names,
    /// Every pod there ever was, by its number.
    pub processes: Vec<Process>,
    pub tally: Tally,
    pub signals: SignalLog,
    /// The histograms of it that are read.
    pub watched: Arc<Watched>,
}

impl Tenant {
    /// The process of one of its pods, made if it has not been heard of.
    pub fn process_mut(&mut self, pod: PodId) -> &mut Process {
        if self.processes.len() <= pod.index() {
            self.processes.resize_with(pod.index() + 1, Process::default);
        }
        &mut self.processes[pod.index()]
    }
}

/// The process of a pod of one of the `tenants`, if it has been heard of.
pub(super) fn process_of(tenants: &[Tenant], pod: PodId) -> Option<&Process> {
    tenants[pod.service()].processes.get(pod.index())
}
