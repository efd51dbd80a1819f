//! KEDA: the operator's scale loop and the HorizontalPodAutoscaler it generates, two controllers on one replica count.

/// A ScaledObject as its owner wrote it (placeholder until its own branch lands).
#[derive(Clone, Debug)]
pub struct ScaledObject {}
