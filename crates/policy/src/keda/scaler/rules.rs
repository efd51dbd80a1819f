//! What each type of fed trigger makes of its figures.

use units::SimDuration;

use super::kinds::Kind;
use super::{Fault, Metadata};
use crate::Signal;
use crate::keda::annotations::parse_bool;
use crate::keda::{Release, Trigger};

/// How one metric of a trigger comes about.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// Metric name without its index.
    pub name: String,
    /// The figures the rule wants by default, its value first; none where only the author can say.
    pub signals: Vec<Signal>,
    pub rule: Rule,
    /// Target and activation, where the keys of the type are not the place.
    pub target: Option<f64>,
    pub activation: Option<f64>,
    /// Freshness, where it is not the type's.
    pub every: Option<SimDuration>,
    pub delay: Option<SimDuration>,
    /// Window of a rate.
    pub over: Option<SimDuration>,
    /// What a rate is multiplied by.
    pub factor: f64,
    pub missing: Option<f64>,
    pub remarks: Vec<String>,
}

/// From figures to a value and an activity.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rule {
    /// The first figure.
    Plain,
    /// The first figure, rounded up.
    RoundUp,
    /// A consumer lag, capped by what the partitions let consumers share.
    Kafka(Kafka),
    /// Unprocessed events, capped at one consumer per partition.
    EventHub { target: f64, partitions: Option<u32> },
    /// Active also if the second figure, a number of messages, is above the activation value.
    OrMessages,
    /// First over second: published over delivered.
    Ratio,
    /// How long the messages (third figure) last at the rates in and out (first and second).
    ConsumptionTime,
    /// At most 32 messages can be peeked at; from there on all count (second figure).
    Peek,
}

/// `pkg/scalers/kafka_scaler.go:getTotalLag` and what follows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kafka {
    pub target: f64,
    pub partitions: Option<u32>,
    pub allow_idle_consumers: bool,
    pub limit_to_partitions_with_lag: bool,
    pub even_distribution: bool,
    /// With excludePersistentLag: answers at the last read, if there was one.
    #[allow(clippy::option_option, reason = "whether the flag is set, and whether there was a read")]
    pub persistent: Option<Option<f64>>,
}

/// What a rule comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    pub value: f64,
    pub is_active: bool,
}

impl Shape {
    pub(super) fn plain(name: String, signal: Option<Signal>) -> Self {
        Self {
            name,
            signals: signal.into_iter().collect(),
            rule: Rule::Plain,
            target: None,
            activation: None,
            every: None,
            delay: None,
            over: None,
            factor: 1.0,
            missing: None,
            remarks: Vec::new(),
        }
    }
}

/// The metrics of `trigger`, whose type is `kind`.
pub(super) fn shapes(trigger: &Trigger, kind: &Kind, release: Release) -> Result<Vec<Shape>, Fault> {
    let metadata = Metadata(&trigger.metadata);
    let mut shape = Shape::plain(name(trigger), kind.feed.signal);
    match trigger.kind.as_str() {
        "kafka" | "apache-kafka" => kafka(metadata, &mut shape)?,
        "aws-sqs-queue" => {
            if !flag(metadata, "scaleOnInFlight", true)? {
                shape.signals = vec![Signal::Held];
            }
            // Nothing is delayed here, so scaleOnDelayed adds nothing.
            flag(metadata, "scaleOnDelayed", false)?;
        }
        "rabbitmq" => rabbitmq(metadata, &mut shape)?,
        "redis-streams" | "redis-cluster-streams" | "redis-sentinel-streams" => redis_stream(metadata, &mut shape)?,
        "gcp-pubsub" => pubsub(metadata, &mut shape, release)?,
        "azure-servicebus" if metadata.text("topicName").is_some() && metadata.text("subscriptionName").is_none() => {
            return Err(Fault::MissingKey { keys: "subscriptionName".to_owned() });
        }
        "azure-queue" => match metadata.text("queueLengthStrategy").unwrap_or("all") {
            "all" => {}
            "visibleonly" => (shape.signals, shape.rule) = (vec![Signal::Held, Signal::Requests], Rule::Peek),
            other => return Err(choice("queueLengthStrategy", other, "all and visibleonly")),
        },
        "azure-eventhub" => shape.rule = Rule::EventHub { target: 0.0, partitions: None },
        "solace-event-queue" => return solace(metadata, &shape),
        "aws-cloudwatch" => cloudwatch(metadata, &mut shape)?,
        "datadog" => shape.missing = number(metadata, "metricUnavailableValue")?,
        "prometheus" | "loki" | "gcp-prometheus" => {
            shape.missing = flag(metadata, "ignoreNullValues", true)?.then_some(0.0);
        }
        "gcp-stackdriver" => shape.missing = number(metadata, "valueIfNull")?,
        "metrics-api" => metrics_api(metadata, &mut shape)?,
        "kubernetes-workload" if number(metadata, "value")?.is_some_and(|value| value <= 0.0) => {
            return Err(Fault::Other("metadata.value must be above 0".to_owned()));
        }
        _ => {}
    }
    Ok(vec![shape])
}

/// Keys that name what is measured, the most telling first.
const NAMING: [&str; 14] = [
    "topic",
    "queueName",
    "subscriptionName",
    "topicName",
    "listName",
    "stream",
    "streamName",
    "tableName",
    "destinationName",
    "tube",
    "taskQueue",
    "metricName",
    "eventHubName",
    "httpScaledObject",
];

/// The metric's name: the type, and what the metadata names.
fn name(trigger: &Trigger) -> String {
    let metadata = Metadata(&trigger.metadata);
    if trigger.kind == "metrics-api" {
        let location = metadata.text("valueLocation").or(metadata.text("scalelabSignal")).unwrap_or_default();
        return format!("metric-api-{location}");
    }
    let named = NAMING.iter().find_map(|key| metadata.text(key));
    let url = metadata.text("queueURL").and_then(|url| url.rsplit('/').next()).filter(|name| !name.is_empty());
    match named.or(url) {
        Some(named) => format!("{}-{named}", trigger.kind),
        None => trigger.kind.clone(),
    }
}

fn kafka(metadata: Metadata<'_>, shape: &mut Shape) -> Result<(), Fault> {
    let kafka = Kafka {
        target: 0.0,
        partitions: None,
        allow_idle_consumers: flag(metadata, "allowIdleConsumers", false)?,
        limit_to_partitions_with_lag: flag(metadata, "limitToPartitionsWithLag", false)?,
        even_distribution: flag(metadata, "ensureEvenDistributionOfPartitions", false)?,
        persistent: flag(metadata, "excludePersistentLag", false)?.then_some(None),
    };
    let needs_topic = kafka.limit_to_partitions_with_lag || kafka.even_distribution;
    let topic = metadata.text("topic").or(metadata.text("topicFromEnv"));
    let clash = |what: &str| Err(Fault::Other(what.to_owned()));
    if kafka.allow_idle_consumers && kafka.limit_to_partitions_with_lag {
        return clash("metadata.allowIdleConsumers and metadata.limitToPartitionsWithLag exclude each other");
    }
    if kafka.limit_to_partitions_with_lag && kafka.even_distribution {
        return clash(
            "metadata.limitToPartitionsWithLag and metadata.ensureEvenDistributionOfPartitions exclude each other",
        );
    }
    if topic.is_none() && (needs_topic || !flag(metadata, "fullMetadata", true)?) {
        return Err(Fault::MissingKey { keys: "topic".to_owned() });
    }
    match metadata.text("offsetResetPolicy") {
        None | Some("latest" | "earliest") => {}
        Some(other) => return Err(choice("offsetResetPolicy", other, "latest and earliest")),
    }
    if kafka.persistent.is_some() {
        shape.signals.push(Signal::CompletedTotal);
    }
    shape.rule = Rule::Kafka(kafka);
    Ok(())
}

fn rabbitmq(metadata: Metadata<'_>, shape: &mut Shape) -> Result<(), Fault> {
    let mode = metadata.text("mode");
    if metadata.text("queueLength").is_some() && (mode.is_some() || metadata.text("value").is_some()) {
        return Err(Fault::Other("metadata.queueLength cannot stand beside mode or value".to_owned()));
    }
    if metadata.text("value").is_some() != mode.is_some() {
        return Err(Fault::MissingKey { keys: if mode.is_some() { "value" } else { "mode" }.to_owned() });
    }
    let mode = mode.unwrap_or("QueueLength");
    let scheme = metadata.text("host").and_then(|host| host.split_once("://")).map(|(scheme, _)| scheme);
    let is_http = match (metadata.text("protocol").unwrap_or("auto"), scheme) {
        ("http", _) | ("auto", Some("http" | "https")) => true,
        ("amqp", _) | ("auto", Some("amqp" | "amqps")) => false,
        ("auto", _) => {
            // The host is in a secret: only the modes that need the management API tell.
            let (word, is_http) = if mode == "QueueLength" { ("amqp", false) } else { ("http", true) };
            shape.remarks.push(format!("its host is not in the manifest, so metadata.protocol is taken to be {word}"));
            is_http
        }
        (other, _) => return Err(choice("protocol", other, "auto, amqp and http")),
    };
    let only_ready = flag(metadata, "excludeUnacknowledged", false)?;
    if !is_http && (mode != "QueueLength" || only_ready) {
        let what = if only_ready { "excludeUnacknowledged" } else { mode };
        return Err(Fault::Other(format!("metadata: {what} needs protocol http, the management API")));
    }
    if is_http {
        shape.every = Some(SimDuration::from_secs(5));
    }
    let messages = if is_http && !only_ready { Signal::Requests } else { Signal::Held };
    (shape.signals, shape.rule) = match mode {
        "QueueLength" => (vec![messages], Rule::Plain),
        "MessageRate" => (vec![Signal::ArrivalRate, messages], Rule::OrMessages),
        "DeliverGetRate" => (vec![Signal::FinishRate, messages], Rule::OrMessages),
        "PublishedToDeliveredRatio" => (vec![Signal::ArrivalRate, Signal::FinishRate], Rule::Ratio),
        "ExpectedQueueConsumptionTime" => {
            (vec![Signal::ArrivalRate, Signal::FinishRate, messages], Rule::ConsumptionTime)
        }
        other => {
            let modes =
                "QueueLength, MessageRate, DeliverGetRate, PublishedToDeliveredRatio and ExpectedQueueConsumptionTime";
            return Err(choice("mode", other, modes));
        }
    };
    Ok(())
}

fn redis_stream(metadata: Metadata<'_>, shape: &mut Shape) -> Result<(), Fault> {
    let group = metadata.text("consumerGroup").or(metadata.text("consumerGroupFromEnv"));
    let (key, signal, default) = match (group, metadata.text("lagCount")) {
        (Some(_), Some(_)) => ("lagCount", Signal::Held, None),
        (Some(_), None) => ("pendingEntriesCount", Signal::Assigned, Some(5.0)),
        (None, Some(_)) => return Err(Fault::MissingKey { keys: "consumerGroup".to_owned() }),
        (None, None) => ("streamLength", Signal::Requests, Some(5.0)),
    };
    shape.signals = vec![signal];
    shape.target = whole(metadata, key)?.or(default);
    Ok(())
}

fn pubsub(metadata: Metadata<'_>, shape: &mut Shape, release: Release) -> Result<(), Fault> {
    if metadata.text("subscriptionSize").is_some() && release >= Release::new(2, 20, 0) {
        let what = "metadata.subscriptionSize was removed in KEDA 2.20; write mode: SubscriptionSize and value";
        return Err(Fault::Other(what.to_owned()));
    }
    let is_topic = metadata.text("subscriptionName").or(metadata.text("subscriptionNameFromEnv")).is_none();
    shape.missing = number(metadata, "valueIfNull")?;
    shape.signals = match metadata.text("mode").unwrap_or("SubscriptionSize") {
        "SubscriptionSize" | "NumUndeliveredMessages" => vec![Signal::Requests],
        "OldestUnackedMessageAge" => vec![Signal::Oldest],
        // Any other metric of Cloud Monitoring: only the author knows what it counts.
        _ => Vec::new(),
    };
    if is_topic {
        shape.remarks.push(
            "a topic has subscriptions of its own kind: its one subscription is taken to be the service".to_owned(),
        );
    }
    Ok(())
}

fn solace(metadata: Metadata<'_>, shape: &Shape) -> Result<Vec<Shape>, Fault> {
    const PARTS: [(&str, &str, Option<Signal>); 3] = [
        ("messageCountTarget", "activationMessageCountTarget", Some(Signal::Requests)),
        ("messageReceiveRateTarget", "activationMessageReceiveRateTarget", Some(Signal::ArrivalRate)),
        ("messageSpoolUsageTarget", "activationMessageSpoolUsageTarget", None),
    ];
    let mut shapes = Vec::new();
    for (target, activation, signal) in PARTS {
        let Some(value) = number(metadata, target)? else { continue };
        let mut part = Shape::plain(format!("{}-{target}", shape.name), signal);
        part.target = Some(value);
        part.activation = Some(number(metadata, activation)?.unwrap_or(0.0));
        shapes.push(part);
    }
    if shapes.is_empty() {
        let keys = "messageCountTarget or messageReceiveRateTarget or messageSpoolUsageTarget".to_owned();
        return Err(Fault::MissingKey { keys });
    }
    Ok(shapes)
}

fn cloudwatch(metadata: Metadata<'_>, shape: &mut Shape) -> Result<(), Fault> {
    if metadata.text("expression").is_none() {
        for key in ["namespace", "metricName", "dimensionName", "dimensionValue"] {
            metadata.text(key).ok_or_else(|| Fault::MissingKey { keys: format!("{key} or expression") })?;
        }
    }
    let period = whole(metadata, "metricStatPeriod")?.unwrap_or(300.0);
    let collected = whole(metadata, "metricCollectionTime")?.unwrap_or(300.0);
    let offset = whole(metadata, "metricEndTimeOffset")?.unwrap_or(0.0);
    if period <= 0.0 || offset < 0.0 {
        return Err(Fault::Other(
            "metadata.metricStatPeriod must be above 0 and metricEndTimeOffset not below".to_owned(),
        ));
    }
    if collected % period != 0.0 {
        return Err(Fault::Other(format!(
            "metadata.metricCollectionTime {collected} is not a multiple of metricStatPeriod {period}"
        )));
    }
    let seconds = |seconds: f64| SimDuration::from_secs(seconds as u64);
    (shape.every, shape.over, shape.delay) =
        (Some(seconds(period)), Some(seconds(period)), Some(seconds(offset + 60.0)));
    match metadata.text("metricStat").unwrap_or("Average") {
        "Sum" | "SampleCount" => shape.factor = period,
        "Average" | "Minimum" | "Maximum" => {}
        other => return Err(choice("metricStat", other, "Average, Sum, SampleCount, Minimum and Maximum")),
    }
    let least = number(metadata, "minMetricValue")?.unwrap_or(0.0);
    shape.missing = flag(metadata, "ignoreNullValues", true)?.then_some(least);
    Ok(())
}

fn metrics_api(metadata: Metadata<'_>, shape: &mut Shape) -> Result<(), Fault> {
    if metadata.text("scalelabSignal").is_none() {
        metadata.text("valueLocation").ok_or_else(|| Fault::MissingKey { keys: "valueLocation".to_owned() })?;
    }
    if flag(metadata, "aggregateFromKubeServiceEndpoints", false)? {
        let how = metadata.text("aggregationType").unwrap_or("average");
        if !["average", "sum", "max", "min"].contains(&how) {
            return Err(choice("aggregationType", how, "average, sum, max and min"));
        }
        shape.remarks.push(format!(
            "aggregateFromKubeServiceEndpoints: what feeds it is taken to be the {how} over the endpoints"
        ));
    }
    Ok(())
}

impl Rule {
    /// Tells a rule that caps what it needs besides the metadata.
    pub(super) fn set_target(&mut self, to: f64, given: Option<u32>) {
        match self {
            Self::Kafka(kafka) => (kafka.target, kafka.partitions) = (to, given),
            Self::EventHub { target, partitions } => (*target, *partitions) = (to, given),
            _ => {}
        }
    }

    /// What is left out for want of an input.
    pub(super) fn remark(&self) -> Option<String> {
        let without = "the number of partitions is not given, so replicas are not capped by it; say `partitions` in metrics.triggers";
        match self {
            Self::Kafka(kafka) if kafka.caps() && kafka.partitions.is_none() => Some(without.to_owned()),
            Self::EventHub { partitions: None, .. } => Some(without.to_owned()),
            _ => None,
        }
    }

    pub(super) fn read(&mut self, figures: &[f64], activation: f64) -> Reading {
        let first = figures[0];
        let compared = |value: f64| Reading { value, is_active: value > activation };
        match self {
            Self::Plain => compared(first),
            Self::RoundUp => compared(first.ceil()),
            Self::Kafka(kafka) => kafka.read(figures, activation),
            Self::EventHub { target, partitions } => {
                let cap = partitions.map(f64::from).filter(|partitions| (first / *target).floor() > *partitions);
                Reading { value: cap.map_or(first, |partitions| partitions * *target), is_active: first > activation }
            }
            Self::OrMessages => Reading { value: first, is_active: first > activation || figures[1] > activation },
            Self::Ratio => match (first, figures[1]) {
                (published, 0.0) if published > 0.0 => Reading { value: activation, is_active: true },
                (_, 0.0) => compared(0.0),
                (published, delivered) => compared(published / delivered),
            },
            Self::ConsumptionTime => match (first, figures[1], figures[2]) {
                (_, 0.0, messages) => Reading { value: activation, is_active: messages > 0.0 },
                (published, delivered, messages) => {
                    compared((published - delivered) / delivered + messages / delivered)
                }
            },
            Self::Peek => compared(if first >= 32.0 { figures[1] } else { first }),
        }
    }
}

impl Kafka {
    fn caps(&self) -> bool {
        !self.allow_idle_consumers || self.limit_to_partitions_with_lag || self.even_distribution
    }

    fn read(&mut self, figures: &[f64], activation: f64) -> Reading {
        let lag = figures[0].floor();
        let is_active = lag > activation;
        let mut counted = lag;
        if let Some(last) = &mut self.persistent {
            // Nothing was committed since the last read: the lag is none that consumers work off.
            if last.replace(figures[1]) == Some(figures[1]) {
                counted = 0.0;
            }
        }
        Reading { value: self.capped(counted), is_active }
    }

    /// The lag that counts, from `kafka_scaler.go:getTotalLag`; the number of replicas it makes may not exceed the partitions.
    fn capped(&self, mut lag: f64) -> f64 {
        let Some(partitions) = self.partitions.filter(|_| self.caps()) else { return lag };
        let with_lag = f64::from(partitions).min(lag);
        if self.even_distribution {
            let divisors = (1..=partitions).filter(|factor| partitions % factor == 0);
            let factor = divisors.map(f64::from).find(|factor| factor * self.target >= lag);
            lag = factor.unwrap_or(f64::from(partitions)) * self.target;
        }
        let bound = if self.limit_to_partitions_with_lag { with_lag } else { f64::from(partitions) };
        if (lag / self.target).floor() > bound { bound * self.target } else { lag }
    }
}

fn flag(metadata: Metadata<'_>, key: &str, default: bool) -> Result<bool, Fault> {
    let Some(text) = metadata.text(key) else { return Ok(default) };
    parse_bool(text).ok_or_else(|| Fault::Other(format!("metadata.{key}: `{text}` is not a boolean")))
}

fn number(metadata: Metadata<'_>, key: &str) -> Result<Option<f64>, Fault> {
    metadata.number(key).map_err(Fault::Other)
}

fn whole(metadata: Metadata<'_>, key: &str) -> Result<Option<f64>, Fault> {
    let Some(text) = metadata.text(key) else { return Ok(None) };
    let value = text.parse::<i64>();
    value
        .map(|value| Some(value as f64))
        .map_err(|_| Fault::Other(format!("metadata.{key}: `{text}` is not a whole number")))
}

fn choice(key: &str, found: &str, allowed: &str) -> Fault {
    Fault::Other(format!("metadata.{key}: found `{found}`, allowed are {allowed}"))
}
