//! Probes of the kubelet that restart a container, and what a restarted one still has.

use units::SimDuration;

/// Startup and liveness probes; the period and initial delay of the readiness probe are in [`super::PodSpec`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probes {
    /// Until it has succeeded once the others do not probe.
    pub startup: Option<Probe>,
    /// Matters without a startup probe: then it kills a container that takes too long to answer.
    pub liveness: Option<Probe>,
    /// Readiness probes in a row that must succeed beyond the first.
    pub more_successes: u32,
    /// Weights that a container downloaded are there for the next one: they lie on a volume of the pod, not in the container.
    pub keeps_download: bool,
    /// An init container downloads the weights: that time is outside all windows, and not repeated by restarts.
    pub downloads_first: bool,
}

/// A probe that kills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// `initialDelaySeconds`.
    pub initial_delay: SimDuration,
    /// `periodSeconds`, above zero.
    pub period: SimDuration,
    /// `failureThreshold`, at least 1.
    pub failures: u32,
    /// `terminationGracePeriodSeconds` of a kill by this probe; `None`: the pod's.
    pub grace: Option<SimDuration>,
}

impl Probe {
    /// From the start of a container to its kill, if it never answers and the first tick after the initial delay comes `wait` later.
    pub fn killed_after(&self, wait: SimDuration) -> SimDuration {
        self.initial_delay + wait + self.period * u64::from(self.failures.saturating_sub(1))
    }

    /// The nominal window.
    pub fn window(&self) -> SimDuration {
        self.initial_delay + self.period * u64::from(self.failures)
    }
}

impl Probes {
    /// The probe that decides whether a container that is starting is killed.
    pub fn killer(&self) -> Option<&Probe> {
        self.startup.as_ref().or(self.liveness.as_ref())
    }
}
