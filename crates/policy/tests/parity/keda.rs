//! KEDA.
