//! Before the run: what changes when the prehistory is over.

use policy::Action;
use policy::keda::Setting;
use units::{PodId, SimDuration, SimTime};

use super::Service;
use crate::flow::{Load, ReplicaStats};
use crate::spec::SimulationSpec;

const A_DAY_S: i64 = 86_400;
/// Requests that wait when the run begins are worth a remark if they are more than arrived within this.
const BACKLOG: SimDuration = SimDuration::from_secs(30);

/// A ScaledObject in a cluster of `spec`: there for a day if the service has been running, else from the start.
pub(super) fn setting(spec: &SimulationSpec, first_poll: SimTime) -> Setting {
    let before = spec.prehistory.length.as_secs() as i64;
    let starting = Setting::starting_at(spec.start_unix_seconds - before);
    let created_s = if before == 0 { 0 } else { before - A_DAY_S };
    Setting { first_poll, created_s, ..starting }
}

impl Service<'_> {
    /// The prehistory is over. What is in the system stays in it; what has been counted is forgotten.
    pub fn begin(&mut self, now: SimTime) {
        let arrived = self.flow.load(now).arrived;
        let load = self.load_of_run(now);
        let mut done: Vec<(PodId, ReplicaStats)> = Vec::new();
        for (pod, slot) in self.pods.in_flow() {
            let stats = self.flow.stats(slot, now);
            self.pods.set_busy_told(pod, stats.busy_ns);
            done.push((pod, stats));
        }
        self.recorder.begin(load, done.into_iter());
        self.controllers.begin(arrived);
        self.remark_on_backlog(load.waiting, arrived);
    }

    /// The load at `now` as the timeline counts it: without the ends of requests that arrived before the run.
    pub(super) fn load_of_run(&mut self, now: SimTime) -> Load {
        let load = self.flow.load(now);
        let (completed, failed) = self.flow.meter().before_start();
        Load { completed: load.completed - completed, failed: load.failed - failed, ..load }
    }

    fn remark_on_backlog(&mut self, waiting: u64, arrived: u64) {
        let arrived_lately = arrived as f64 * BACKLOG.as_secs_f64() / self.run.prehistory.length.as_secs_f64();
        if waiting as f64 > arrived_lately {
            let replicas = self.actives_at_start;
            self.recorder.remark(format!(
                "at the start {waiting} requests wait that came before it: more came than {replicas} replicas serve; state a lower \
                 `traffic.history.rate`, more `service.replicas` or `run.prehistory: none`"
            ));
        }
    }

    /// The first pass of a controller wants another count than the run begins with.
    pub(super) fn remark_on_first_pass(&mut self, controller: &str, before: u32, action: Action) {
        if let Action::Scale(replicas) = action
            && !self.run.prehistory.length.is_zero()
            && replicas != before
            && before == self.actives_at_start
        {
            self.recorder.remark(format!("at the start {controller} wants {replicas}, the run begins with {before}"));
        }
    }
}
