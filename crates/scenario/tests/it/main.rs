//! Does the user understand? Loading, error messages, overrides, shipped scenarios, traces.

mod article;
mod edges;
mod engines;
mod errors;
mod folders;
mod karpenter;
mod llm;
mod load_tests;
mod manifests;
mod metrics;
mod node_manifests;
mod nodes;
mod overrides;
mod pipes;
mod presets;
mod rollouts;
mod routing;
mod schedulers;
mod scheduling;
mod services;
mod shipped;
mod support;
mod traces;
mod triggers;
mod usage;
mod workloads;
