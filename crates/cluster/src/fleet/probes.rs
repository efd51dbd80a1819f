//! What the kubelet's probes do to a container: see that it is ready, or kill it when it takes too long.
//!
//! The kubelet runs one worker per container and probe from the moment it knows the pod, so where in a probe's period a container starts
//! is chance (`pkg/kubelet/prober/worker.go`). Every pod draws its phases once.

use units::{PodId, SimDuration, SimTime};
use workload::{Purpose, Stream};

use super::Fleet;
use super::event::{FleetEvent, LoadPart, Notice, Out};
use super::pod::{self, PodPhase};
use crate::spec::{PhaseSpec, Probe};

/// Phases of probes are drawn as this entity's.
const PROBE_ENTITY: u64 = 1 << 35;
/// So are the lengths of later attempts, each a step further.
const ATTEMPT_ENTITY: u64 = 1 << 36;
/// The wait before a restart: none at first, then the first of these, doubling up to the second.
const BACKOFF: (SimDuration, SimDuration) = (SimDuration::from_secs(10), SimDuration::from_secs(300));
/// An exit this long after the last restart is treated as the first (`flowcontrol.Backoff`: twice the longest wait).
const BACKOFF_FORGOTTEN: SimDuration = SimDuration::from_secs(600);

/// How a pod's container has fared so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempts {
    /// Restarts so far: the number of the present attempt.
    pub restarts: u32,
    /// Wait before the next restart, if it comes soon.
    backoff: SimDuration,
    restarted: SimTime,
    /// Time of containers that were killed, and of the waits after them.
    pub lost: SimDuration,
    /// When the present download began, and the share that earlier ones brought in.
    pub download_began: SimTime,
    pub downloaded: f64,
    /// When the present container was killed.
    killed: SimTime,
}

/// Where in their periods the probes of a pod tick, as shares of them: readiness, and the probe that kills.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ticks {
    readiness: f64,
    killer: f64,
}

impl Fleet {
    /// Draws where the probes of `pod`, just bound, tick.
    pub(super) fn draw_ticks(&mut self, pod: PodId) {
        if self.class(pod).pod.probe_period.is_zero() && self.class(pod).pod.probes.killer().is_none() {
            return;
        }
        let mut stream = Stream::new(self.class(pod).seed, Purpose::Phase, PROBE_ENTITY + pod::entity(pod));
        self.pods[pod].ticks = Ticks { readiness: stream.uniform(), killer: stream.uniform() };
    }

    /// A container has started: unless it answers in time, it will be killed. Of a group the leader is asked.
    pub(super) fn watch_container(&mut self, pod: PodId, out: &mut Out) {
        if let Some(probe) = self.class(pod).pod.probes.killer().filter(|_| self.gang(pod).place(pod).1 == 0) {
            let first = next_tick(self.now + probe.initial_delay, probe.period, self.pods[pod].ticks.killer);
            let wait = first.since(self.now + probe.initial_delay);
            let event = FleetEvent::ProbeKill(pod, self.pods[pod].attempts.restarts);
            self.after(probe.killed_after(wait), event, out);
        }
    }

    /// When the pod, loaded now, is first seen to be ready.
    pub(super) fn ready_seen_at(&self, pod: PodId) -> SimTime {
        let state = &self.pods[pod];
        let (spec, started) = (&self.class(pod).pod, state.container_started);
        let asked_from = started + spec.probe_initial_delay;
        let more = spec.probe_period * u64::from(spec.probes.more_successes);
        if let Some(startup) = &spec.probes.startup {
            let passed = next_tick(self.now.max(started + startup.initial_delay), startup.period, state.ticks.killer);
            // Readiness is probed the moment the startup probe has passed.
            if passed >= asked_from {
                return passed + more;
            }
        }
        next_tick(self.now.max(asked_from), spec.probe_period, state.ticks.readiness) + more
    }

    /// The last probe that may fail is due: a container that does not answer yet is killed, and started again after its wait.
    pub(super) fn on_probe_kill(&mut self, pod: PodId, attempt: u32, out: &mut Out) {
        let state = &self.pods[pod];
        let is_loading = matches!(
            state.phase,
            PodPhase::ModelDownload | PodPhase::GpuLoad | PodPhase::CudaWarmUp | PodPhase::Restore
        ) || state.phase == PodPhase::Group && self.gang(pod).waits_unanswering(pod);
        if !is_loading || state.attempts.restarts != attempt {
            return;
        }
        let download = self.download_progress(pod);
        let node = self.node_of(pod);
        self.transfers.abandon(|owner| matches!(owner, super::transfer::Owner::Pod(of, _) if of == pod), self.now, out);
        // A server that is still loading stops when told to; only the hook takes time.
        let grace =
            self.class(pod).pod.probes.killer().and_then(|probe| probe.grace).unwrap_or(self.class(pod).pod.grace);
        let stopping = self.class(pod).pod.pre_stop.min(grace);
        let (now, exit) = (self.now, self.now + stopping);
        let state = &mut self.pods[pod];
        state.gpu_loaded = false;
        let attempts = &mut state.attempts;
        attempts.downloaded = download;
        attempts.killed = now;
        attempts.lost += now.since(state.container_started);
        let is_forgotten = exit.since(attempts.restarted) > BACKOFF_FORGOTTEN;
        let wait = if attempts.restarts == 0 || is_forgotten { SimDuration::ZERO } else { attempts.backoff };
        attempts.backoff = if wait.is_zero() { BACKOFF.0 } else { (wait * 2).min(BACKOFF.1) };
        attempts.restarts += 1;
        let next = attempts.restarts;
        self.enter_phase(pod, PodPhase::BackOff);
        out.tell(Notice::ContainerKilled { pod, node });
        self.after(stopping + wait, FleetEvent::Restart(pod, next), out);
    }

    /// The container is started again: its image is there, what it had downloaded only if it lies on a volume.
    pub(super) fn on_restart(&mut self, pod: PodId, attempt: u32, out: &mut Out) {
        let now = self.now;
        let state = &mut self.pods[pod];
        if state.phase != PodPhase::BackOff || state.attempts.restarts != attempt {
            return;
        }
        state.attempts.lost += now.since(state.attempts.killed);
        state.attempts.restarted = now;
        let entity = pod::entity(pod) + ATTEMPT_ENTITY * u64::from(attempt);
        self.draw_lengths(pod, entity);
        self.run_container(pod, out);
    }

    /// The share of the weights that the next container of `pod` finds on its volume. Bytes over shared links are not resumed.
    #[allow(clippy::match_same_arms, reason = "one line per phase")]
    fn download_progress(&self, pod: PodId) -> f64 {
        let state = &self.pods[pod];
        if !self.class(pod).pod.probes.keeps_download && !self.class(pod).pod.probes.downloads_first {
            return 0.0;
        }
        let length = self.download_length(pod);
        match (state.phase, &self.class(pod).cold_start.model_download) {
            (PodPhase::ModelDownload, PhaseSpec::Transfer { .. }) => state.attempts.downloaded,
            (PodPhase::ModelDownload, PhaseSpec::Time(_)) if !length.is_zero() => {
                let done = self.now.since(state.attempts.download_began).as_secs_f64() / length.as_secs_f64();
                let before = state.attempts.downloaded;
                (before + done * (1.0 - before)).min(1.0)
            }
            (PodPhase::Restore, _) => state.attempts.downloaded,
            _ => 1.0,
        }
    }

    /// Whether an earlier container of `pod` left all weights behind.
    pub(super) fn has_own_weights(&self, pod: PodId) -> bool {
        self.pods[pod].attempts.downloaded >= 1.0
    }

    /// How long the present attempt takes to download what is missing; with bytes, the fixed part.
    pub(super) fn download_length(&self, pod: PodId) -> SimDuration {
        let state = &self.pods[pod];
        let whole = state.lengths[super::cold_start::DOWNLOAD];
        match self.class(pod).cold_start.model_download {
            PhaseSpec::Time(_) if state.attempts.downloaded > 0.0 => {
                SimDuration::from_secs_f64(whole.as_secs_f64() * (1.0 - state.attempts.downloaded))
            }
            _ => whole,
        }
    }

    /// Whether a part that ends now belongs to the present attempt.
    pub(super) fn is_current(&self, pod: PodId, attempt: u32) -> bool {
        self.pods[pod].attempts.restarts == attempt
    }

    /// The event that ends a part of the present attempt.
    pub(super) fn part_done(&self, pod: PodId, part: LoadPart) -> FleetEvent {
        FleetEvent::PartDone(pod, part, self.pods[pod].attempts.restarts)
    }
}

/// The first tick at or after `from` of a probe that ticks every `period`, `share` of one after time zero; `from` itself without a period.
fn next_tick(from: SimTime, period: SimDuration, share: f64) -> SimTime {
    let period = period.as_nanos();
    if period == 0 {
        return from;
    }
    let phase = (share * period as f64) as u64 % period;
    let past = (from.as_nanos() % period + period - phase) % period;
    if past == 0 { from } else { from + SimDuration::from_nanos(period - past) }
}

impl Probe {
    /// The kill of a container whose first tick after the initial delay is a share of the period away.
    #[cfg(test)]
    fn killed_at_share(&self, share: f64) -> SimDuration {
        self.killed_after(SimDuration::from_secs_f64(share * self.period.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_a_period_apart_from_their_phase_on() {
        let period = SimDuration::from_secs(10);
        let tick = |from: u64| next_tick(SimTime::from_secs(from), period, 0.3).as_secs_f64();
        assert_eq!([tick(0), tick(3), tick(4), tick(13), tick(14)], [3.0, 3.0, 13.0, 13.0, 23.0]);
        assert_eq!(next_tick(SimTime::from_secs(7), SimDuration::ZERO, 0.3), SimTime::from_secs(7));
    }

    #[test]
    fn a_container_is_killed_within_the_last_period_of_its_window() {
        let probe = Probe {
            initial_delay: SimDuration::from_secs(20),
            period: SimDuration::from_secs(10),
            failures: 30,
            grace: None,
        };
        assert_eq!(probe.window(), SimDuration::from_secs(320));
        assert_eq!(probe.killed_at_share(0.0), SimDuration::from_secs(310));
        assert_eq!(probe.killed_at_share(1.0), probe.window());
    }
}
