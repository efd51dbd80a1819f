//! One decision.

use criterion::{Criterion, criterion_group, criterion_main};
use policy::fixed::Fixed;
use policy::hpa::{HorizontalPodAutoscaler, HpaConfig, HpaSpec, MetricSpec, MetricTarget};
use policy::predictive::{Predictive, PredictiveConfig};
use policy::{
    Action, Counts, MetricError, MetricReading, Observation, PodPhase, PodSample, PodView, RateHistory, Ready,
    ScalingPolicy,
};
use units::{PodId, SimDuration, SimTime};

/// The same rate at every minute there ever was.
struct Steady(f64);

impl RateHistory for Steady {
    fn rate_at_minute(&self, _minute: i64) -> Option<f64> {
        Some(self.0)
    }
}

const HISTORY: Steady = Steady(900.0);

/// `replicas` ready pods at 90 requests a second each.
struct Seen {
    pods: Vec<PodView>,
    metrics: Vec<Result<MetricReading, MetricError>>,
}

impl Seen {
    fn new(replicas: u32) -> Self {
        let view = |pod| PodView {
            pod: PodId(pod),
            phase: PodPhase::Running,
            deleted: false,
            ready: Ready::True,
            started_ns: Some(0),
            ready_transition_ns: 0,
        };
        let sample = |pod| PodSample { pod: PodId(pod), value_m: 90_000, timestamp_ns: 0 };
        let metrics = vec![Ok(MetricReading::Pods((0..replicas).map(sample).collect()))];
        Self { pods: (0..replicas).map(view).collect(), metrics }
    }

    fn at(&self, now: SimTime) -> Observation<'_> {
        let replicas = self.pods.len() as u32;
        Observation {
            now,
            counts: Counts { spec: replicas, status: replicas, ready: replicas, ..Counts::default() },
            floor: 0,
            pods: &self.pods,
            metrics: &self.metrics,
            provenance: &[],
            arrivals: 0,
            completions: 0,
            queue: 0,
            in_flight: 0,
            history: &HISTORY,
        }
    }
}

/// Pass after pass, 15 seconds apart, each with the same answer.
fn measure(criterion: &mut Criterion, id: &str, policy: &mut dyn ScalingPolicy, (seen, action): (&Seen, Action)) {
    let mut now = SimTime::from_secs(3_600);
    // A controller may first have to learn that nothing changes.
    policy.decide(&seen.at(now));
    criterion.bench_function(&format!("policy/decide/{id}"), |bencher| {
        bencher.iter(|| {
            now += SimDuration::from_secs(15);
            assert_eq!(policy.decide(&seen.at(now)).action, action);
        });
    });
}

fn decide(criterion: &mut Criterion) {
    let few = Seen::new(10);
    measure(criterion, "static/10", &mut Fixed { replicas: 10 }, (&few, Action::Hold));
    for replicas in [10, 1_000] {
        let target = MetricTarget::AverageValue(90_000);
        let metrics = vec![MetricSpec::Pods { name: "requests_per_second".into(), selector: Vec::new(), target }];
        let spec = HpaSpec { name: "server".into(), replicas_min: 1, replicas_max: 5_000, metrics, behavior: None };
        let mut hpa = HorizontalPodAutoscaler::new(&spec, HpaConfig::default());
        let seen = Seen::new(replicas);
        let action = hpa.decide(&seen.at(SimTime::from_secs(3_585))).action;
        assert!(matches!(action, Action::Hold) || action == Action::Scale(replicas), "{action:?}");
        measure(criterion, &format!("hpa/{replicas}"), &mut hpa, (&seen, action));
    }
    let mut predictive = Predictive::new(PredictiveConfig {
        interval: SimDuration::from_secs(300),
        lookahead: SimDuration::from_secs(300),
        days_ago: vec![7, 14],
        percentile: 95.0,
        window: SimDuration::from_secs(1_800),
        buffer: 1.0,
        replica_rps: 90.0,
        replicas_min: 1,
        replicas_max: 5_000,
        role: policy::predictive::Role::Floor,
    });
    measure(criterion, "predictive/10", &mut predictive, (&few, Action::Floor(10)));
}

criterion_group!(benches, decide);
criterion_main!(benches);
