//! KEDA: the operator's scale loop and the HorizontalPodAutoscaler it generates, two controllers on one replica count.
