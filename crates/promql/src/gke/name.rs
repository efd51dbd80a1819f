//! What a metric's name says: `prometheus.googleapis.com|vllm:num_requests_waiting|gauge`.

use std::fmt;

/// How Managed Service for Prometheus stored a series: the last part of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeriesKind {
    /// A gauge, or the result of a recording rule.
    Gauge,
    /// A counter.
    Counter,
    /// A histogram; its value is a distribution.
    Histogram,
    /// A summary.
    Summary,
    /// A series without type, taken as a gauge.
    Unknown,
    /// The same series taken as a counter.
    UnknownCounter,
}

impl SeriesKind {
    /// All kinds by the word names use.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("gauge", Self::Gauge),
        ("counter", Self::Counter),
        ("histogram", Self::Histogram),
        ("summary", Self::Summary),
        ("unknown", Self::Unknown),
        ("unknown:counter", Self::UnknownCounter),
    ];

    /// Whether its value is a rate.
    pub fn is_cumulative(self) -> bool {
        matches!(self, Self::Counter | Self::UnknownCounter)
    }
}

impl fmt::Display for SeriesKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name))
    }
}

/// A metric that GKE answers for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GkeMetric {
    /// `prometheus.googleapis.com|NAME|KIND`.
    Prometheus {
        /// The series as scraped.
        series: String,
        /// How it was stored.
        kind: SeriesKind,
    },
    /// `kubernetes.io|container|accelerator|duty_cycle`: the busy share of a container's GPUs, percent.
    DutyCycle,
    /// `autoscaling.gke.io|OBJECT|NAME`: a gauge that an AutoscalingMetric reads from the pods.
    Autoscaling {
        /// Name of the AutoscalingMetric.
        object: String,
        /// Name of the metric within it.
        metric: String,
        /// The gauge as the pods show it.
        series: String,
    },
}

/// Why a name of GKE's cannot be answered here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GkeNameError {
    /// The parts are not those of the domain.
    #[error("{name}: GKE's form is {form}")]
    Form {
        /// As written.
        name: String,
        /// What it should be.
        form: &'static str,
    },
    /// The kind is none.
    #[error(
        "{name}: {kind:?} is no kind of series; there are gauge, counter, histogram, summary, unknown and unknown:counter"
    )]
    Kind {
        /// As written.
        name: String,
        /// The last part.
        kind: String,
    },
    /// A distribution, which the published adapter refuses.
    #[error(
        "{name}: a {kind} is a distribution, which GKE's adapter refuses unless it is told --enable-distribution-support and given a \
         reducer"
    )]
    Distribution {
        /// As written.
        name: String,
        /// Its kind.
        kind: SeriesKind,
    },
    /// A metric of Cloud Monitoring that nothing here produces.
    #[error("{name} comes from {domain}, which is not modelled; say by metrics.external what it follows")]
    Foreign {
        /// As written.
        name: String,
        /// The service it comes from.
        domain: String,
    },
}

const PROMETHEUS: &str = "prometheus.googleapis.com";
const AUTOSCALING: &str = "autoscaling.gke.io";
/// Domains of Cloud Monitoring metrics.
const FOREIGN: [&str; 5] = [
    "custom.googleapis.com",
    "external.googleapis.com",
    "kubernetes.io",
    "loadbalancing.googleapis.com",
    "pubsub.googleapis.com",
];

impl GkeMetric {
    /// What a name of an HPA's metric means on GKE; None if it is no name of GKE's. `|` stands for `/`.
    pub fn parse(name: &str) -> Option<Result<Self, GkeNameError>> {
        let path = name.replace('|', "/");
        let (domain, rest) = path.split_once('/')?;
        if domain == PROMETHEUS {
            return Some(prometheus(name, rest));
        }
        if domain == AUTOSCALING {
            let form = "autoscaling.gke.io|OBJECT|NAME";
            let parts = rest.split_once('/').filter(|(object, metric)| !object.is_empty() && !metric.is_empty());
            return Some(parts.map_or_else(
                || Err(GkeNameError::Form { name: name.to_owned(), form }),
                |(object, metric)| {
                    let (object, metric) = (object.to_owned(), metric.to_owned());
                    Ok(Self::Autoscaling { object, series: metric.clone(), metric })
                },
            ));
        }
        if path == "kubernetes.io/container/accelerator/duty_cycle" {
            return Some(Ok(Self::DutyCycle));
        }
        let is_foreign = FOREIGN.contains(&domain) || domain.ends_with(".googleapis.com");
        let foreign = || GkeNameError::Foreign { name: name.to_owned(), domain: domain.to_owned() };
        is_foreign.then(|| Err(foreign()))
    }

    /// Name of the series the values come from.
    pub fn series(&self) -> &str {
        match self {
            Self::Prometheus { series, .. } | Self::Autoscaling { series, .. } => series,
            Self::DutyCycle => "DCGM_FI_DEV_GPU_UTIL",
        }
    }

    /// Whether the adapter may look at a series of this name.
    pub fn wants_name(&self, name: &str) -> bool {
        self.series() == name
    }
}

fn prometheus(name: &str, rest: &str) -> Result<GkeMetric, GkeNameError> {
    let form = "prometheus.googleapis.com|NAME|KIND, such as prometheus.googleapis.com|vllm:num_requests_waiting|gauge";
    let parts = rest.split_once('/').filter(|(series, kind)| !series.is_empty() && !kind.contains('/'));
    let Some((series, word)) = parts else { return Err(GkeNameError::Form { name: name.to_owned(), form }) };
    let Some((_, kind)) = SeriesKind::NAMES.iter().find(|(known, _)| *known == word) else {
        return Err(GkeNameError::Kind { name: name.to_owned(), kind: word.to_owned() });
    };
    if *kind == SeriesKind::Histogram {
        return Err(GkeNameError::Distribution { name: name.to_owned(), kind: *kind });
    }
    Ok(GkeMetric::Prometheus { series: series.to_owned(), kind: *kind })
}
