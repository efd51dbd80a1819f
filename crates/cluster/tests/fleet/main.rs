//! The fleet, driven by a heap of its own events instead of the engine.

mod autoscaler;
mod closing;
mod karpenter;
mod money;
mod pause;
mod spot;
mod start;
mod support;
