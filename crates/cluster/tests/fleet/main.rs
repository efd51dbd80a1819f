//! The fleet, driven by a heap of its own events instead of the engine.

mod closing;
mod money;
mod start;
mod support;
