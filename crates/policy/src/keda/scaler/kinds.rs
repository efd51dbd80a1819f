//! The trigger types whose source lies outside the cluster: their keys, targets, and the signal that stands in for the source.
//!
//! One row per type, after `pkg/scalers/*_scaler.go` of kedacore/keda (August 2026). Lists of keys are words; `a|b` means either. What a
//! type does beyond comparing one number with its target is in [`super::fed`].

use units::SimDuration;

use crate::Signal;

/// A number of the metadata: the keys it may stand under, and its default.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    /// Keys, the newest first.
    pub keys: &'static str,
    /// What it is where none is given; `None` makes it required.
    pub default: Option<f64>,
    /// KEDA reads it as an integer.
    pub is_whole: bool,
}

/// The signal a type is fed with where the scenario says nothing, and how stale its source is.
#[derive(Clone, Copy, Debug)]
pub(super) struct DefaultFeed {
    pub signal: Option<Signal>,
    pub every_s: u64,
    pub delay_s: u64,
}

impl DefaultFeed {
    pub(super) fn every(self) -> SimDuration {
        SimDuration::from_secs(self.every_s)
    }

    pub(super) fn delay(self) -> SimDuration {
        SimDuration::from_secs(self.delay_s)
    }
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// `type`, with its other names.
    pub names: &'static str,
    /// Keys that must be there.
    pub required: &'static str,
    /// Keys that are KEDA's and have no effect on the value: connection, credentials.
    pub known: &'static str,
    pub target: Amount,
    pub activation: Amount,
    pub feed: DefaultFeed,
}

const fn whole(keys: &'static str, default: f64) -> Amount {
    Amount { keys, default: Some(default), is_whole: true }
}

const fn real(keys: &'static str, default: f64) -> Amount {
    Amount { keys, default: Some(default), is_whole: false }
}

const fn required(keys: &'static str) -> Amount {
    Amount { keys, default: None, is_whole: false }
}

const fn fed_by(signal: Signal) -> DefaultFeed {
    DefaultFeed { signal: Some(signal), every_s: 0, delay_s: 0 }
}

const UNFED: DefaultFeed = DefaultFeed { signal: None, every_s: 0, delay_s: 0 };

const fn foreign(
    names: &'static str,
    keys: (&'static str, &'static str),
    target: &'static str,
    activation: &'static str,
) -> Kind {
    let (required_keys, known) = keys;
    let (target, activation) = (required(target), real(activation, 0.0));
    Kind { names, required: required_keys, known, target, activation, feed: UNFED }
}

const AWS: &str = "awsEndpoint identityOwner awsAccessKeyID awsAccessKeyIDFromEnv awsSecretAccessKey awsSecretAccessKeyFromEnv \
                   awsSessionTokenFromEnv awsRoleArn";
const REDIS: &str = "address addressFromEnv addresses addressesFromEnv host hostFromEnv hosts hostsFromEnv port portFromEnv ports \
                     portsFromEnv username usernameFromEnv password passwordFromEnv sentinelMaster sentinelMasterFromEnv \
                     sentinelUsername sentinelUsernameFromEnv sentinelPassword sentinelPasswordFromEnv databaseIndex enableTLS \
                     unsafeSsl";
const SQL: &str = "connectionString connectionStringFromEnv host hostFromEnv port userName username usernameFromEnv passwordFromEnv \
                   password dbName database sslmode driverName";
const CLOUD: &str = "cloud endpointSuffix activeDirectoryEndpoint tenantId clientId clientIdFromEnv clientPasswordFromEnv \
                     azureResourceManagerEndpoint";

/// Types with a queue or a stream behind them.
const QUEUES: [Kind; 26] = [
    Kind {
        names: "kafka apache-kafka",
        required: "bootstrapServers|bootstrapServersFromEnv consumerGroup|consumerGroupFromEnv",
        known: "topic topicFromEnv version tls sasl saslTokenProvider awsRegion awsRoleArn partitionLimitation offsetResetPolicy \
                allowIdleConsumers excludePersistentLag scaleToZeroOnInvalidOffset limitToPartitionsWithLag \
                ensureEvenDistributionOfPartitions fullMetadata unsafeSsl",
        target: whole("lagThreshold", 10.0),
        activation: whole("activationLagThreshold", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "aws-sqs-queue",
        required: "queueURL|queueURLFromEnv awsRegion",
        known: "scaleOnInFlight scaleOnDelayed awsEndpoint identityOwner awsAccessKeyID awsAccessKeyIDFromEnv awsSecretAccessKey \
                awsSecretAccessKeyFromEnv awsSessionTokenFromEnv awsRoleArn",
        target: whole("queueLength", 5.0),
        activation: whole("activationQueueLength", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "rabbitmq",
        required: "queueName|queueNameFromEnv",
        known: "host hostFromEnv mode queueLength protocol vhostName vhostNameFromEnv useRegex operation pageSize timeout \
                excludeUnacknowledged unsafeSsl tls usernameFromEnv passwordFromEnv metricName",
        target: real("value queueLength", 20.0),
        activation: real("activationValue", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "redis redis-cluster redis-sentinel",
        required: "listName|listNameFromEnv",
        known: REDIS,
        target: whole("listLength", 5.0),
        activation: whole("activationListLength", 0.0),
        feed: fed_by(Signal::Held),
    },
    Kind {
        names: "redis-streams redis-cluster-streams redis-sentinel-streams",
        required: "stream|streamFromEnv",
        known: "consumerGroup consumerGroupFromEnv pendingEntriesCount streamLength lagCount address addressFromEnv addresses \
                addressesFromEnv host hostFromEnv hosts hostsFromEnv port portFromEnv ports portsFromEnv username usernameFromEnv \
                password passwordFromEnv sentinelMaster sentinelMasterFromEnv sentinelUsername sentinelUsernameFromEnv \
                sentinelPassword sentinelPasswordFromEnv databaseIndex enableTLS unsafeSsl",
        target: whole("pendingEntriesCount", 5.0),
        activation: whole("activationLagCount", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "gcp-pubsub",
        required: "subscriptionName|subscriptionNameFromEnv|topicName|topicNameFromEnv",
        known: "mode aggregation timeHorizon valueIfNull credentialsFromEnv projectId subscriptionSize",
        target: real("value subscriptionSize", 10.0),
        activation: real("activationValue", 0.0),
        feed: DefaultFeed { signal: Some(Signal::Requests), every_s: 60, delay_s: 90 },
    },
    Kind {
        names: "azure-servicebus",
        required: "queueName|topicName|queueNameFromEnv|topicNameFromEnv",
        known: "subscriptionName subscriptionNameFromEnv connection connectionFromEnv namespace useRegex operation cloud \
                endpointSuffix",
        target: whole("messageCount", 5.0),
        activation: whole("activationMessageCount", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "azure-queue",
        required: "queueName",
        known: "queueLengthStrategy accountName connection connectionFromEnv cloud endpointSuffix",
        target: whole("queueLength", 5.0),
        activation: whole("activationQueueLength", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "azure-eventhub",
        required: "",
        known: "consumerGroup connection connectionFromEnv storageConnection storageConnectionFromEnv storageAccountName \
                eventHubNamespace eventHubNamespaceFromEnv eventHubName eventHubNameFromEnv blobContainer checkpointStrategy cloud \
                endpointSuffix storageEndpointSuffix eventHubResourceURL serviceBusEndpointSuffix activeDirectoryEndpoint",
        target: whole("unprocessedEventThreshold", 64.0),
        activation: whole("activationUnprocessedEventThreshold", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "azure-blob",
        required: "blobContainerName",
        known: "accountName connection connectionFromEnv blobDelimiter blobPrefix recursive globPattern cloud endpointSuffix",
        target: whole("blobCount", 5.0),
        activation: whole("activationBlobCount", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "nats-jetstream",
        required: "account|accountFromEnv stream consumer",
        known: "natsServerMonitoringEndpoint useHttps",
        target: whole("lagThreshold", 10.0),
        activation: whole("activationLagThreshold", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "stan",
        required: "queueGroup durableName subject",
        known: "natsServerMonitoringEndpoint useHttps",
        target: whole("lagThreshold", 10.0),
        activation: whole("activationLagThreshold", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "pulsar",
        required: "adminURL topic subscription",
        known: "isPartitionedTopic authModes tls oauthTokenURI scope clientID endpointParams",
        target: whole("msgBacklogThreshold msgBacklog", 10.0),
        activation: whole("activationMsgBacklogThreshold", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "nsq",
        required: "nsqLookupdHTTPAddresses topic channel",
        known: "useHttps unsafeSsl",
        target: whole("depthThreshold", 10.0),
        activation: whole("activationDepthThreshold", 0.0),
        feed: fed_by(Signal::Held),
    },
    Kind {
        names: "gcp-cloudtasks",
        required: "queueName",
        known: "projectID credentialsFromEnv filterDuration",
        target: real("value", 100.0),
        activation: real("activationValue", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "activemq",
        required: "managementEndpoint|restAPITemplate destinationName|restAPITemplate brokerName|restAPITemplate",
        known: "corsHeader username usernameFromEnv password passwordFromEnv",
        target: whole("targetQueueSize", 10.0),
        activation: whole("activationTargetQueueSize", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "artemis-queue",
        required: "managementEndpoint|restApiTemplate queueName|restApiTemplate brokerName|restApiTemplate \
                   brokerAddress|restApiTemplate",
        known: "corsHeader username usernameFromEnv password passwordFromEnv",
        target: whole("queueLength", 10.0),
        activation: whole("activationQueueLength", 10.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "ibmmq",
        required: "host|hostFromEnv queueName",
        known: "queueManager operation tls unsafeSsl username usernameFromEnv passwordFromEnv",
        target: whole("queueDepth", 20.0),
        activation: whole("activationQueueDepth", 0.0),
        feed: fed_by(Signal::Held),
    },
    Kind {
        names: "beanstalkd",
        required: "server tube",
        known: "includeDelayed timeout",
        target: required("value"),
        activation: real("activationValue", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "solace-event-queue",
        required: "solaceSempBaseURL|solaceSempBaseURLFromEnv messageVpn queueName",
        known: "messageCountTarget messageReceiveRateTarget messageSpoolUsageTarget activationMessageCountTarget \
                activationMessageReceiveRateTarget activationMessageSpoolUsageTarget username usernameFromEnv passwordFromEnv",
        target: real("messageCountTarget", 0.0),
        activation: real("activationMessageCountTarget", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "aws-kinesis-stream",
        required: "streamName awsRegion",
        known: AWS,
        target: whole("shardCount", 2.0),
        activation: whole("activationShardCount", 0.0),
        feed: UNFED,
    },
    Kind {
        names: "aws-dynamodb-streams",
        required: "tableName awsRegion",
        known: AWS,
        target: whole("shardCount", 2.0),
        activation: whole("activationShardCount", 0.0),
        feed: UNFED,
    },
    Kind {
        names: "temporal",
        required: "endpoint|endpointFromEnv taskQueue",
        known: "namespace queueTypes buildId selectAllActive selectUnversioned includeRunningWorkflowCount apiKeyFromEnv \
                minConnectTimeout unsafeSsl tlsServerName workerDeploymentName workerVersioningType",
        target: whole("targetQueueSize", 5.0),
        activation: whole("activationTargetQueueSize", 0.0),
        feed: fed_by(Signal::Held),
    },
    Kind {
        names: "liiklus",
        required: "address topic group",
        known: "groupVersion",
        target: whole("lagThreshold", 10.0),
        activation: whole("activationLagThreshold", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "gcp-storage",
        required: "bucketName",
        known: "credentialsFromEnv maxBucketItemsToScan blobDelimiter blobPrefix",
        target: whole("targetObjectCount", 100.0),
        activation: whole("activationTargetObjectCount", 0.0),
        feed: fed_by(Signal::Requests),
    },
    Kind {
        names: "openstack-swift",
        required: "containerName",
        known: "swiftURL objectPrefix objectDelimiter objectLimit onlyFiles timeout",
        target: whole("objectCount", 2.0),
        activation: whole("activationObjectCount", 0.0),
        feed: fed_by(Signal::Requests),
    },
];

/// Types that answer a query of their own, which only the scenario's author can translate.
const FOREIGN: [Kind; 36] = [
    Kind {
        names: "aws-cloudwatch",
        required: "awsRegion",
        known: "namespace metricName dimensionName dimensionValue expression metricCollectionTime metricStat metricStatPeriod \
                metricUnit metricEndTimeOffset minMetricValue ignoreNullValues awsEndpoint identityOwner awsAccessKeyIDFromEnv \
                awsSecretAccessKeyFromEnv awsSessionTokenFromEnv accountId awsRoleArn",
        target: required("targetMetricValue"),
        activation: real("activationTargetMetricValue", 0.0),
        feed: DefaultFeed { signal: None, every_s: 300, delay_s: 60 },
    },
    Kind {
        names: "datadog",
        required: "",
        known: "query type age timeWindowOffset lastAvailablePointOffset metricUnavailableValue queryAggregator metricsServiceUrl \
                useClusterAgentProxy datadogMetricName datadogMetricNamespace datadogMetricsService \
                datadogMetricsServiceNamespace datadogMetricsServicePort targetValue timeout",
        target: required("queryValue targetValue"),
        activation: real("activationQueryValue", 0.0),
        feed: DefaultFeed { signal: None, every_s: 0, delay_s: 60 },
    },
    Kind {
        names: "metrics-api",
        required: "url",
        known: "valueLocation format unsafeSsl authMode method aggregateFromKubeServiceEndpoints aggregationType \
                apiKeyHeaderName keyParamName timeout",
        target: required("targetValue"),
        activation: real("activationTargetValue", 0.0),
        feed: UNFED,
    },
    Kind {
        names: "kubernetes-workload",
        required: "podSelector",
        known: "namespace groupByNode allPodsSelector",
        target: required("value"),
        activation: real("activationValue", 0.0),
        feed: UNFED,
    },
    foreign(
        "kubernetes-resource",
        ("resourceKind resourceName", "apiVersion namespace key valueLocation format"),
        "targetValue",
        "activationValue activationTargetValue activation",
    ),
    foreign(
        "prometheus",
        (
            "serverAddress query",
            "timeout namespace customHeaders ignoreNullValues unsafeSsl cortexOrgID authModes queryParameters awsRegion",
        ),
        "threshold",
        "activationThreshold",
    ),
    foreign("new-relic", ("nrql", "account queryKeyFromEnv region noDataError"), "threshold", "activationThreshold"),
    foreign(
        "dynatrace",
        ("metricSelector|query", "host hostFromEnv tokenFromEnv from"),
        "threshold",
        "activationThreshold",
    ),
    foreign(
        "elasticsearch",
        (
            "index valueLocation",
            "addresses username passwordFromEnv cloudID apiKeyFromEnv searchTemplateName parameters query unsafeSsl \
             ignoreNullValues",
        ),
        "targetValue",
        "activationTargetValue",
    ),
    foreign("graphite", ("serverAddress query queryTime", "authMode"), "threshold", "activationThreshold"),
    foreign(
        "influxdb",
        (
            "query",
            "serverURL authTokenFromEnv authToken organizationName organizationNameFromEnv unsafeSsl queryType database",
        ),
        "thresholdValue",
        "activationThresholdValue",
    ),
    foreign(
        "loki",
        ("serverAddress query", "tenantName ignoreNullValues unsafeSsl authModes"),
        "threshold",
        "activationThreshold",
    ),
    foreign(
        "gcp-stackdriver",
        (
            "filter",
            "projectId credentialsFromEnv alignmentPeriodSeconds alignmentAligner alignmentReducer aggregation valueIfNull \
             filterDuration metricName",
        ),
        "targetValue",
        "activationTargetValue",
    ),
    foreign(
        "gcp-prometheus",
        ("query", "projectId credentialsFromEnv serverAddress ignoreNullValues"),
        "threshold",
        "activationThreshold",
    ),
    foreign(
        "azure-monitor",
        (
            "resourceURI metricName",
            "tenantId subscriptionId resourceGroupName metricNamespace metricFilter metricAggregationInterval \
             metricAggregationType activeDirectoryClientId activeDirectoryClientPasswordFromEnv cloud \
             azureResourceManagerEndpoint activeDirectoryEndpoint activeDirectoryClientIdFromEnv",
        ),
        "targetValue",
        "activationTargetValue",
    ),
    foreign(
        "azure-log-analytics",
        ("query", "tenantId clientId clientSecretFromEnv workspaceId workspaceIdFromEnv cloud unsafeSsl timeout"),
        "threshold",
        "activationThreshold",
    ),
    foreign(
        "azure-app-insights",
        (
            "metricId",
            "applicationInsightsId tenantId metricAggregationType metricAggregationTimespan metricFilter ignoreNullValues \
             activeDirectoryClientId cloud appInsightsResourceURL activeDirectoryEndpoint",
        ),
        "targetValue",
        "activationTargetValue",
    ),
    foreign("azure-data-explorer", ("query", CLOUD), "threshold", "activationThreshold"),
    foreign("mysql", ("query", SQL), "queryValue", "activationQueryValue"),
    foreign("postgresql", ("query", SQL), "targetQueryValue", "activationTargetQueryValue"),
    foreign("mssql", ("query", SQL), "targetValue", "activationTargetValue"),
    foreign(
        "cassandra",
        ("query keyspace", "clusterIPAddress consistency protocolVersion port username passwordFromEnv tls"),
        "targetQueryValue",
        "activationTargetQueryValue",
    ),
    foreign(
        "mongodb",
        ("collection query", "connectionStringFromEnv scheme host port username passwordFromEnv dbName tls"),
        "queryValue",
        "activationQueryValue",
    ),
    foreign(
        "couchdb",
        ("query", "connectionStringFromEnv host port username passwordFromEnv dbName"),
        "queryValue",
        "activationQueryValue",
    ),
    foreign(
        "arangodb",
        ("query", "endpoints collection authModes unsafeSsl dbName"),
        "queryValue",
        "activationQueryValue",
    ),
    foreign("etcd", ("endpoints watchKey", "tls watchProgressNotifyInterval"), "value", "activationValue"),
    foreign("clickhouse", ("query", SQL), "targetQueryValue", "activationTargetQueryValue"),
    foreign(
        "spanner gcp-spanner",
        ("query", "projectId instance instanceId database databaseId credentialsFromEnv"),
        "targetValue targetQueryValue",
        "activationTargetValue activationTargetQueryValue",
    ),
    foreign(
        "solr",
        ("host collection query", "username passwordFromEnv"),
        "targetQueryValue",
        "activationTargetQueryValue",
    ),
    foreign("splunk", ("savedSearchName valueField", "host username unsafeSsl"), "targetValue", "activationValue"),
    foreign(
        "splunk-observability",
        ("query duration queryAggregator", "realm"),
        "targetValue",
        "activationTargetValue",
    ),
    foreign(
        "sumologic",
        (
            "query|query.A",
            "host queryType dimension timezone rollup quantization timerange resultQueryRowID resultField aggregator",
        ),
        "threshold",
        "activationThreshold",
    ),
    foreign(
        "predictkube",
        ("query prometheusAddress", "predictHorizon historyTimeWindow queryStep"),
        "threshold",
        "activationThreshold",
    ),
    foreign(
        "openstack-metric",
        ("metricID", "metricsURL aggregationMethod granularity timeout"),
        "threshold",
        "activationThreshold",
    ),
    foreign(
        "huawei-cloudeye",
        (
            "metricName dimensionName dimensionValue",
            "namespace metricCollectionTime metricFilter metricPeriod minMetricValue",
        ),
        "targetMetricValue",
        "activationTargetMetricValue",
    ),
    Kind {
        names: "external external-push",
        required: "scalerAddress",
        known: "caCert tlsCertFile tlsClientCert tlsClientKey unsafeSsl httpScaledObject interceptorRoute hosts host",
        target: Amount { keys: "targetValue", default: None, is_whole: false },
        activation: real("activationTargetValue", 0.0),
        feed: UNFED,
    },
];

/// Types that count CI jobs: nothing in a simulation of inference stands for them.
const CI_JOBS: [&str; 6] =
    ["github-runner", "azure-pipelines", "selenium-grid", "forgejo-runner", "gitlab-runner", "bitbucket-pipelines"];

/// The row of a trigger type.
pub(super) fn named(kind: &str) -> Option<&'static Kind> {
    QUEUES.iter().chain(&FOREIGN).find(|row| row.names.split_whitespace().any(|name| name == kind))
}

/// True for the types that start CI jobs.
pub(super) fn is_ci(kind: &str) -> bool {
    CI_JOBS.contains(&kind)
}

/// Every type that is fed.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    QUEUES.iter().chain(&FOREIGN).flat_map(|row| row.names.split_whitespace())
}

impl Kind {
    /// Every key KEDA reads of this type.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        let required = self.required.split_whitespace().flat_map(|keys| keys.split('|'));
        let amounts = self.target.keys.split_whitespace().chain(self.activation.keys.split_whitespace());
        required.chain(amounts).chain(self.known.split_whitespace())
    }
}
