//! Does the user understand? Loading, error messages, overrides, shipped scenarios, traces.

mod article;
mod errors;
mod folders;
mod karpenter;
mod manifests;
mod nodes;
mod overrides;
mod scheduling;
mod shipped;
mod support;
mod traces;
mod usage;
mod workloads;
