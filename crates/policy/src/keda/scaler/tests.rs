//! Triggers fed by signals: metadata in, what is asked and what it comes to out.

use std::collections::BTreeMap;

use insta::assert_snapshot;

use super::*;
use crate::keda::{Feed, FeedSource};
use crate::{Signal, SignalQuery};

fn trigger(kind: &str, metadata: &str) -> Trigger {
    let pairs = metadata.split_whitespace().map(|pair| pair.split_once('=').expect("key=value"));
    let metadata: BTreeMap<String, String> = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Trigger { kind: kind.to_owned(), metadata, ..Trigger::default() }
}

fn scaler(trigger: &Trigger) -> Scaler {
    Scaler::all_of(trigger, Release::default()).unwrap().remove(0)
}

fn refused(kind: &str, metadata: &str) -> String {
    Scaler::all_of(&trigger(kind, metadata), Release::default()).unwrap_err().to_string()
}

/// Which signals are asked for.
fn asked(scaler: &Scaler) -> Vec<SignalQuery> {
    let query = |query| match query {
        MetricQuery::Signal(query) => query,
        other => panic!("no signal: {other:?}"),
    };
    scaler.queries().into_iter().map(query).collect()
}

fn signals(trigger: &Trigger) -> Vec<Signal> {
    asked(&scaler(trigger)).into_iter().map(|query| query.signal).collect()
}

fn read(trigger: &Trigger, figures: &[f64]) -> Sample {
    let answers: Vec<_> = figures.iter().map(|figure| Ok(MetricReading::Signal(*figure))).collect();
    scaler(trigger).read(0, &answers).unwrap()
}

const KAFKA: &str = "bootstrapServers=b consumerGroup=g topic=t";

fn kafka(extra: &str, partitions: Option<u32>) -> Trigger {
    let feed = Feed { partitions, ..Feed::of(FeedSource::Signal(Signal::Requests)) };
    Trigger { feeds: vec![feed], ..trigger("kafka", &format!("{KAFKA} lagThreshold=10 {extra}")) }
}

#[test]
fn a_kafka_lag_makes_no_more_replicas_than_there_are_partitions() {
    let value = |extra: &str, partitions, lag| read(&kafka(extra, partitions), &[lag]).value;
    assert_eq!(value("", Some(8), 500.0), 80.0);
    assert_eq!(value("", Some(8), 35.5), 35.0);
    assert_eq!(value("allowIdleConsumers=true", Some(8), 500.0), 500.0);
    // Nobody said how many partitions there are: no cap, and a remark.
    assert_eq!(value("", None, 500.0), 500.0);
    assert_eq!(scaler(&kafka("", None)).feed_note().unwrap().remarks.len(), 1);
    // Three messages lie in at most three partitions.
    assert_eq!(value("limitToPartitionsWithLag=true lagThreshold=1", Some(8), 3.0), 3.0);
    assert_eq!(value("limitToPartitionsWithLag=true", Some(8), 500.0), 80.0);
}

#[test]
fn an_even_distribution_takes_a_divisor_of_the_partitions() {
    let value = |lag| read(&kafka("ensureEvenDistributionOfPartitions=true", Some(12)), &[lag]).value;
    // Five consumers' worth of lag makes six of twelve partitions; even none makes one.
    assert_eq!([value(45.0), value(0.0), value(61.0), value(900.0)], [60.0, 10.0, 120.0, 120.0]);
}

#[test]
fn a_lag_nobody_commits_against_counts_for_activity_alone() {
    let mut scaler = scaler(&kafka("excludePersistentLag=true", None));
    let mut at = |lag: f64, completed: f64| {
        let answers = [lag, completed].map(|figure| Ok(MetricReading::Signal(figure)));
        scaler.read(0, &answers).unwrap()
    };
    assert_eq!(at(50.0, 7.0), Sample { value: 50.0, is_active: true });
    assert_eq!(at(60.0, 7.0), Sample { value: 0.0, is_active: true });
    assert_eq!(at(55.0, 9.0), Sample { value: 55.0, is_active: true });
}

#[test]
fn a_queue_in_flight_counts_where_its_scaler_counts_it() {
    let sqs = |extra: &str| signals(&trigger("aws-sqs-queue", &format!("queueURL=u awsRegion=r {extra}")));
    assert_eq!(sqs(""), [Signal::Requests]);
    assert_eq!(sqs("scaleOnInFlight=false"), [Signal::Held]);
    let rabbit = |extra: &str| signals(&trigger("rabbitmq", &format!("queueName=q {extra}")));
    assert_eq!(rabbit("host=http://h"), [Signal::Requests]);
    assert_eq!(rabbit("host=amqp://h"), [Signal::Held]);
    assert_eq!(rabbit("host=http://h excludeUnacknowledged=true"), [Signal::Held]);
    assert_eq!(rabbit("protocol=http mode=MessageRate value=5"), [Signal::ArrivalRate, Signal::Requests]);
    let stream = |extra: &str| signals(&trigger("redis-streams", &format!("stream=s {extra}")));
    assert_eq!(stream("consumerGroup=g lagCount=3"), [Signal::Held]);
    assert_eq!(stream("consumerGroup=g"), [Signal::Assigned]);
    assert_eq!(stream(""), [Signal::Requests]);
    assert_eq!(signals(&trigger("redis", "listName=l")), [Signal::Held]);
    assert_eq!(
        signals(&trigger("gcp-pubsub", "subscriptionName=s mode=OldestUnackedMessageAge value=60")),
        [Signal::Oldest]
    );
}

#[test]
fn each_mode_of_rabbitmq_has_its_own_arithmetic() {
    let of = |mode: &str, figures: &[f64]| {
        let mode = format!("protocol=http queueName=q activationValue=2 value=5 mode={mode}");
        let Sample { value, is_active } = read(&trigger("rabbitmq", &mode), figures);
        (value, is_active)
    };
    assert_eq!(of("QueueLength", &[3.0]), (3.0, true));
    assert_eq!(of("MessageRate", &[1.0, 3.0]), (1.0, true));
    assert_eq!(of("MessageRate", &[1.0, 2.0]), (1.0, false));
    assert_eq!(of("PublishedToDeliveredRatio", &[6.0, 2.0]), (3.0, true));
    assert_eq!(of("PublishedToDeliveredRatio", &[6.0, 0.0]), (2.0, true));
    assert_eq!(of("PublishedToDeliveredRatio", &[0.0, 0.0]), (0.0, false));
    assert_eq!(of("ExpectedQueueConsumptionTime", &[6.0, 2.0, 10.0]), (7.0, true));
    assert_eq!(of("ExpectedQueueConsumptionTime", &[0.0, 0.0, 0.0]), (2.0, false));
}

#[test]
fn sources_are_as_stale_as_their_kind() {
    let shown = |trigger: &Trigger| {
        let SignalQuery { signal, over, every, delay } = asked(&scaler(trigger))[0];
        format!("{} over {over} every {every} delay {delay}", signal.name())
    };
    let fed = |kind: &str, metadata: &str| {
        let feeds = vec![Feed::of(FeedSource::Signal(Signal::ArrivalRate))];
        shown(&Trigger { feeds, ..trigger(kind, metadata) })
    };
    assert_snapshot!(shown(&trigger("gcp-pubsub", "subscriptionName=s")), @"requests over 60s every 60s delay 90s");
    assert_snapshot!(shown(&trigger("rabbitmq", "queueName=q host=http://h")), @"requests over 60s every 5s delay 0s");
    let watch = "expression=e awsRegion=r targetMetricValue=150 metricStatPeriod=60 metricEndTimeOffset=30";
    assert_snapshot!(fed("aws-cloudwatch", watch), @"arrivalRate over 60s every 60s delay 90s");
    assert_snapshot!(fed("datadog", "query=q queryValue=7"), @"arrivalRate over 60s every 0s delay 60s");
}

#[test]
fn a_sum_over_a_period_is_a_rate_times_the_period() {
    let feeds = vec![Feed::of(FeedSource::Signal(Signal::ArrivalRate))];
    let watch = "expression=e awsRegion=r targetMetricValue=150 metricStatPeriod=60";
    let of = |stat: &str| {
        let metadata = format!("{watch} metricStat={stat}");
        read(&Trigger { feeds: feeds.clone(), ..trigger("aws-cloudwatch", &metadata) }, &[10.0]).value
    };
    assert_eq!([of("Average"), of("Sum")], [10.0, 600.0]);
}

#[test]
fn a_queue_that_can_only_be_peeked_at_counts_whole_from_32_on() {
    let queue = trigger("azure-queue", "queueName=q queueLengthStrategy=visibleonly");
    assert_eq!([read(&queue, &[31.0, 80.0]).value, read(&queue, &[32.0, 80.0]).value], [31.0, 80.0]);
}

#[test]
fn an_event_hub_has_no_more_consumers_than_partitions() {
    let feed = Feed { partitions: Some(4), ..Feed::of(FeedSource::Signal(Signal::Requests)) };
    let hub = Trigger { feeds: vec![feed], ..trigger("azure-eventhub", "unprocessedEventThreshold=10") };
    assert_eq!([read(&hub, &[49.0]).value, read(&hub, &[50.0]).value], [49.0, 40.0]);
}

#[test]
fn solace_emits_one_metric_per_target() {
    let base = "solaceSempBaseURL=u messageVpn=v queueName=q";
    let of =
        |extra: &str| Scaler::all_of(&trigger("solace-event-queue", &format!("{base} {extra}")), Release::default());
    let both = of("messageCountTarget=5 messageReceiveRateTarget=7").unwrap();
    assert_eq!(both.iter().map(Scaler::threshold).collect::<Vec<_>>(), [5.0, 7.0]);
    assert_eq!(both[1].queries().len(), 1);
    // How many megabytes a request spools only the author knows.
    assert_eq!(of("messageSpoolUsageTarget=5").unwrap_err(), Fault::NeedsFeed);
}

#[test]
fn what_cannot_be_read_is_refused_in_words() {
    assert_snapshot!(refused("aws-sqs-queue", "queueUrl=u awsRegion=r"), @"metadata.queueURL or queueURLFromEnv is missing");
    assert_snapshot!(refused("aws-sqs-queue", "queueURL=u awsRegion=r queueLength=2.5"), @"metadata.queueLength: `2.5` is not a whole number");
    assert_snapshot!(refused("rabbitmq", "queueName=q queueLength=5 value=3"), @"metadata.queueLength cannot stand beside mode or value");
    assert_snapshot!(refused("rabbitmq", "queueName=q protocol=amqp mode=MessageRate value=3"), @"metadata: MessageRate needs protocol http, the management API");
    assert_snapshot!(refused("kafka", "bootstrapServers=b consumerGroup=g allowIdleConsumers=true limitToPartitionsWithLag=true"), @"metadata.allowIdleConsumers and metadata.limitToPartitionsWithLag exclude each other");
    assert_snapshot!(refused("gcp-pubsub", "subscriptionName=s subscriptionSize=5"), @"metadata.subscriptionSize was removed in KEDA 2.20; write mode: SubscriptionSize and value");
    assert_snapshot!(refused("aws-cloudwatch", "expression=e awsRegion=r targetMetricValue=1 metricStatPeriod=60 metricCollectionTime=90"), @"metadata.metricCollectionTime 90 is not a multiple of metricStatPeriod 60");
    assert_snapshot!(refused("github-runner", "owner=o"), @"a github-runner trigger cannot be fed: it starts jobs of a CI system, and nothing simulated here stands for those");
    assert_eq!(
        Scaler::all_of(&trigger("postgresql", "query=q targetQueryValue=3"), Release::default()).unwrap_err(),
        Fault::NeedsFeed
    );
    assert_eq!(Scaler::all_of(&trigger("postgres", "query=q"), Release::default()).unwrap_err(), Fault::UnknownType);
}

#[test]
fn an_older_keda_still_reads_what_was_removed_later() {
    let old = trigger("gcp-pubsub", "subscriptionName=s subscriptionSize=5");
    assert_eq!(Scaler::all_of(&old, Release::new(2, 19, 0)).unwrap()[0].threshold(), 5.0);
    let cpu = trigger("cpu", "value=50 type=Utilization");
    assert!(Scaler::all_of(&cpu, Release::new(2, 17, 3)).is_ok());
    assert!(Scaler::all_of(&cpu, Release::new(2, 18, 0)).is_err());
}

#[test]
fn every_row_of_the_table_reads_its_own_required_keys() {
    for kind in known_types().filter(|kind| !["prometheus", "cron", "cpu", "memory"].contains(kind)) {
        let keys = known_keys(kind).unwrap();
        let metadata = keys.iter().map(|key| ((*key).to_owned(), "7".to_owned())).collect();
        let feeds = vec![Feed { target: Some(5.0), ..Feed::of(FeedSource::Constant(3.0)) }];
        let full = Trigger { kind: kind.to_owned(), metadata, feeds, ..Trigger::default() };
        let outcome = Scaler::all_of(&full, Release::new(2, 19, 0));
        // Keys that exclude each other or hold words, not numbers, may be refused; a missing key may not be among the reasons.
        assert!(!matches!(outcome, Err(Fault::MissingKey { .. } | Fault::NeedsFeed)), "{kind}: {outcome:?}");
    }
}
