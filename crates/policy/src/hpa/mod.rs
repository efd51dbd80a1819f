//! HorizontalPodAutoscaler v2, decision by decision as kube-controller-manager makes them.
//!
//! [`HorizontalPodAutoscaler`] is the policy; the modules below it hold the rule in pure functions, one concern each. Arithmetic is in
//! milli-integers and doubles exactly where the real controller has them. Knows neither manifests nor the metrics pipeline.

mod conditions;
mod config;
mod controller;
pub mod defaults;
pub mod evaluate;
pub mod events;
pub mod group;
pub mod limits;
mod moment;
pub mod normalize;
mod pass;
pub mod ratio;
pub mod replicas;
pub mod requests;
mod spec;
pub mod stabilize;
#[cfg(test)]
mod tests;

pub use conditions::{Condition, Conditions};
pub use config::{HpaConfig, ZeroRule};
pub use controller::HorizontalPodAutoscaler;
pub use limits::LegacyLimit;
pub use moment::Moment;
pub use pass::{Memory, Outcome, ScaleApi, reconcile};
pub use requests::{ContainerRequests, PodRequests, RequestTable};
pub use spec::{Behavior, HpaSpec, MetricSpec, MetricTarget, PolicyKind, Rules, ScalingPolicyRule, SelectPolicy};
