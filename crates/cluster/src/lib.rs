//! The model: services, replicas, nodes, queues, the metrics pipeline.
