//! New versions of the workload that are rolled out in the course of a run.

use units::{SimDuration, SimTime};

/// A new pod template at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutSpec {
    /// When.
    pub at: SimTime,
    /// The image is another: none that a node has pulled helps.
    pub image_is_new: bool,
    /// So are the weights: none that a node has cached help.
    pub model_is_new: bool,
    /// A pod is available when it has been ready this long (`minReadySeconds`).
    pub min_ready: SimDuration,
    /// Without progress for so long it is said to have none (`progressDeadlineSeconds`); nothing else follows. StatefulSets have no such limit.
    pub progress_deadline: Option<SimDuration>,
    /// How old pods give way to new ones.
    pub strategy: RolloutStrategy,
}

/// How old pods give way to new ones.
#[derive(Clone, Debug, PartialEq)]
pub enum RolloutStrategy {
    /// A Deployment's `RollingUpdate`.
    Rolling(Leeway),
    /// `Recreate`: all old pods are gone before a new one is made.
    Recreate,
    /// A StatefulSet's `RollingUpdate`: the highest ordinal first, each in its own place.
    Ordered {
        /// Ordinals below it stay as they are.
        partition: u32,
        /// Pods that may be unavailable at once, at least one whatever the percentage. `Count(0)` is `OnDelete`: none is deleted, only
        /// pods that go for other reasons are replaced by new ones.
        unavailable_max: Portion,
    },
    /// An Argo Rollout's `canary`.
    Canary {
        /// Its steps; after the last all pods are new.
        steps: Vec<CanaryStep>,
        /// Its bounds.
        leeway: Leeway,
        /// With `trafficRouting` the old pods stay to the end.
        keeps_stable: bool,
    },
    /// An Argo Rollout's `blueGreen`: new pods get no requests before they all do.
    BlueGreen {
        /// New pods before the promotion; as many as old ones unless said.
        preview: Option<u32>,
        /// From all of them being available to the promotion.
        promote_after: SimDuration,
        /// From the promotion to the end of the old pods.
        scale_down_delay: SimDuration,
    },
}

/// One step of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CanaryStep {
    /// So many percent of the pods are new.
    Weight(u32),
    /// So many pods, or percent of them, are new, whatever the weight says.
    Scale(Portion),
    /// Nothing happens for so long.
    Pause(SimDuration),
}

/// How far a rollout may go beyond and below the wanted count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leeway {
    /// `maxSurge`.
    pub surge: Portion,
    /// `maxUnavailable`.
    pub unavailable: Portion,
}

impl Leeway {
    /// What Kubernetes takes where nothing is said: a quarter each.
    pub const DEFAULT: Self = Self { surge: Portion::Percent(25), unavailable: Portion::Percent(25) };

    /// Pods beyond `replicas`, and below: percentages are rounded up for the one and down for the other, and not both are zero.
    pub fn of(self, replicas: u32) -> (u32, u32) {
        let surge = self.surge.of(replicas, u64::div_ceil);
        let unavailable = self.unavailable.of(replicas, |amount, hundred| amount / hundred);
        if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
    }
}

/// A number of pods or a percentage of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portion {
    /// Pods.
    Count(u32),
    /// Percent of the wanted count.
    Percent(u32),
}

impl Portion {
    /// The count of `replicas`, a percentage divided by 100 as `divide` rounds.
    pub fn of(self, replicas: u32, divide: impl Fn(u64, u64) -> u64) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => {
                u32::try_from(divide(u64::from(replicas) * u64::from(percent), 100)).unwrap_or(u32::MAX)
            }
        }
    }
}
