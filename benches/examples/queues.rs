//! Prints CPU nanoseconds per request of one flow after another: `queues [REQUESTS] [NAME]`.

use benches::{Queue, cpu_seconds};
use cluster::spec::Routing;
use workload::Distribution;

fn main() {
    let requests = std::env::args().nth(1).map_or(1e7, |text| text.parse().expect("a number"));
    let exponential = || Distribution::Exponential { mean: 0.1 };
    for servers in [8, 64, 1_000, 10_000] {
        report(&format!("M/M/{servers}, load 0.8"), requests, &Queue::slots(servers, 0.8, exponential(), requests));
    }
    let routings =
        [Routing::CentralQueue, Routing::RoundRobin, Routing::Random, Routing::LeastRequests, Routing::PowerOfTwo];
    for routing in routings {
        for replicas in [10, 100, 1_000, 10_000] {
            let queue = Queue::batching(replicas, requests).routed(routing);
            report(&format!("batches, {routing:?}, {replicas} replicas"), requests, &queue);
        }
        for replicas in [10, 10_000] {
            let queue = Queue::slots(replicas, 0.8, exponential(), requests).routed(routing);
            report(&format!("slots, {routing:?}, {replicas} replicas"), requests, &queue);
        }
    }
}

fn report(name: &str, requests: f64, queue: &Queue) {
    if std::env::args().nth(2).is_some_and(|wanted| !name.contains(&wanted)) {
        return;
    }
    // The least of three: what else the machine does can only add to it.
    let once = |_| {
        let before = cpu_seconds();
        let outcome = queue.run();
        ((cpu_seconds() - before) * 1e9 / requests, outcome.wait)
    };
    let (nanos, wait) = (0..3).map(once).min_by(|one, other| one.0.total_cmp(&other.0)).expect("three runs");
    println!("{name:<44} {nanos:6.1} ns  {:6.1} M/s  wait {:.3} ms", 1e3 / nanos, wait * 1e3);
}
