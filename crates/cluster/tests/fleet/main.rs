//! The fleet, driven by a heap of its own events instead of the engine.

mod autoscaler;
mod closing;
mod karpenter;
mod money;
mod node_cache;
mod pause;
mod room;
mod spot;
mod start;
mod support;
mod timeouts;
