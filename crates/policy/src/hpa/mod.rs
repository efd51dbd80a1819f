//! HorizontalPodAutoscaler v2, decision by decision as kube-controller-manager makes them.

mod spec;

pub use spec::{Behavior, HpaSpec, MetricSpec, MetricTarget, PolicyKind, Rules, ScalingPolicyRule, SelectPolicy};
