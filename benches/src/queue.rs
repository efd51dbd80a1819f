//! One flow by itself: a fixed number of replicas under Poisson arrivals.

use std::sync::Arc;

use cluster::flow::{Batching, CentralFlow, EventFlow, Flow, Intake, Meter, Slots};
use cluster::spec::{ServiceModel, ServiceSpec, SloSpec};
use units::{PodId, SimDuration, SimTime};
use workload::{Distribution, RateCurve, Traffic};
