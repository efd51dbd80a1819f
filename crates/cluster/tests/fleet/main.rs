//! The fleet, driven by a heap of its own events instead of the engine.

mod autoscaler;
mod closing;
mod disruption;
mod karpenter;
mod money;
mod node_cache;
mod pause;
mod preferences;
mod probes;
mod room;
mod scheduling;
mod services;
mod several;
mod spot;
mod start;
mod support;
mod timeouts;
