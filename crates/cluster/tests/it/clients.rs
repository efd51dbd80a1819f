//! Clients that leave and ask again: the event flow against a loop that looks at every request at every instant.

use std::collections::{BTreeMap, BTreeSet};

use cluster::flow::Meter;
use cluster::spec::{Patience, RetryDemand, RetrySpec, Routing, ServiceModel, ServiceSpec};
use proptest::prelude::*;
use units::{PodId, SimDuration, SimTime};
use workload::{Distribution, Purpose, Stream};

use crate::support::{Demand, MILLISECOND, batching, millis, replay, service, slots};

/// A request as the loop sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Client {
    first: u64,
    arrival: u64,
    service: u64,
    attempt: u32,
    number: u64,
}

/// (arrival of the client, start, end, outcome) of each request.
type Fate = (u64, Option<u64>, Option<u64>, &'static str);

/// What a server works on: start, end, and the clients with whether they have left.
type Batch = (u64, u64, Vec<(Client, bool)>);

/// The service of the loop: nothing but what is needed to say what must happen.
struct Loop<'a> {
    spec: &'a ServiceSpec,
    seed: u64,
    batch_max: usize,
    retries: Vec<(u64, Client)>,
    queue: Vec<Client>,
    /// By server, while it works.
    servers: Vec<Option<Batch>>,
    idle_since: Vec<u64>,
    fates: Vec<Fate>,
}

impl Loop<'_> {
    fn limits(&self, client: &Client) -> (u64, u64) {
        let mut dice = Stream::new(self.seed, Purpose::Patience, client.number);
        let mut limit = |patience: &Option<Patience>| match patience {
            None => u64::MAX,
            Some(Patience::Fixed(limit)) => limit.as_nanos(),
            Some(Patience::Drawn(law)) => SimDuration::from_secs_f64(law.sampler().sample(&mut dice)).as_nanos().max(1),
        };
        let answer = limit(&self.spec.client_timeout);
        (answer, answer.min(limit(&self.spec.client_patience)))
    }

    fn fail(&mut self, client: Client, now: u64, (start, outcome): (Option<u64>, &'static str)) {
        let retries = self.spec.retries.as_ref().filter(|retries| client.attempt < retries.attempts_max);
        let Some(retries) = retries else { return self.fates.push((client.first, start, Some(now), outcome)) };
        let pause = retries.backoff.as_nanos() << (client.attempt - 1);
        let arrival = now + pause.min(retries.backoff_max.as_nanos()).max(1);
        let attempt = client.attempt + 1;
        let mut again = Client { arrival, attempt, ..client };
        if let (RetryDemand::Redraw, ServiceModel::Slots { service, .. }) = (retries.demand, &self.spec.model) {
            let entity = client.number + (u64::from(attempt) << 44);
            let drawn = service.sampler().sample(&mut Stream::new(self.seed, Purpose::Retry, entity));
            again.service = SimDuration::from_secs_f64(drawn).as_nanos();
        }
        self.retries.push((arrival, again));
    }

    fn arrive(&mut self, client: Client, now: u64) {
        let limit = self.spec.queue_limit.map_or(usize::MAX, |limit| limit as usize);
        if self.queue.len() >= limit {
            return self.fail(client, now, (None, "rejected"));
        }
        self.queue.push(client);
    }

    /// Answers, arrivals, time-outs, starts of one instant.
    fn instant(&mut self, now: u64, arrivals: &mut Vec<Client>) {
        self.finish(now);
        while arrivals.last().is_some_and(|next| next.arrival == now) {
            let next = arrivals.pop().unwrap();
            self.arrive(next, now);
        }
        let mut due: Vec<Client> =
            self.retries.extract_if(.., |(at, _)| *at == now).map(|(_, client)| client).collect();
        due.sort_unstable();
        due.into_iter().for_each(|client| self.arrive(client, now));
        self.time_out(now);
        self.start(now);
    }

    fn finish(&mut self, now: u64) {
        for server in 0..self.servers.len() {
            if self.servers[server].as_ref().is_some_and(|(_, end, _)| *end == now) {
                let (start, end, batch) = self.servers[server].take().unwrap();
                self.idle_since[server] = now;
                let answered = batch.iter().filter(|(_, has_left)| !has_left);
                self.fates.extend(answered.map(|(client, _)| (client.first, Some(start), Some(end), "completed")));
            }
        }
    }

    fn time_out(&mut self, now: u64) {
        for server in 0..self.servers.len() {
            let Some((start, _, batch)) = self.servers[server].clone() else { continue };
            for (place, (client, has_left)) in batch.into_iter().enumerate() {
                if !has_left && client.arrival.saturating_add(self.limits(&client).0) <= now {
                    self.servers[server].as_mut().unwrap().2[place].1 = true;
                    self.fail(client, now, (Some(start), "timed_out"));
                }
            }
        }
        for client in self.queue.clone() {
            if client.arrival.saturating_add(self.limits(&client).1) <= now {
                self.queue.retain(|other| *other != client);
                self.fail(client, now, (None, "timed_out"));
            }
        }
    }

    fn start(&mut self, now: u64) {
        let idle =
            |this: &Self| (0..this.servers.len()).filter(|&server| this.servers[server].is_none()).collect::<Vec<_>>();
        while let Some(server) = idle(self).into_iter().min_by_key(|&server| (self.idle_since[server], server))
            && !self.queue.is_empty()
        {
            let taken: Vec<Client> = self.queue.drain(..self.batch_max.min(self.queue.len())).collect();
            let duration = match &self.spec.model {
                ServiceModel::DynamicBatching { latency, .. } => latency.table[taken.len() - 1].as_nanos(),
                _ => taken[0].service,
            };
            let batch = taken.into_iter().map(|client| (client, false)).collect();
            self.servers[server] = Some((now, now + duration, batch));
        }
    }

    /// The next instant at which anything can happen.
    fn next(&self, arrivals: &[Client]) -> u64 {
        let mut times: BTreeSet<u64> = arrivals.last().map(|next| next.arrival).into_iter().collect();
        times.extend(self.retries.iter().map(|(at, _)| *at));
        for (_, end, batch) in self.servers.iter().flatten() {
            times.insert(*end);
            let there = batch.iter().filter(|(_, has_left)| !has_left);
            times.extend(there.map(|(client, _)| client.arrival.saturating_add(self.limits(client).0)));
        }
        times.extend(self.queue.iter().map(|client| client.arrival.saturating_add(self.limits(client).1)));
        times.first().copied().unwrap_or(u64::MAX)
    }
}

fn fates_of_loop(case: &Case, end: u64) -> Vec<Fate> {
    let (servers, batch_max) = match &case.service.model {
        ServiceModel::Slots { concurrency, .. } => (case.replicas * *concurrency as usize, 1),
        ServiceModel::DynamicBatching { batch_max, .. } => (case.replicas, *batch_max as usize),
        ServiceModel::ContinuousBatching { .. } => panic!("not a service of these tests"),
    };
    let mut world = Loop {
        spec: &case.service,
        seed: SEED,
        batch_max,
        retries: Vec::new(),
        queue: Vec::new(),
        servers: vec![None; servers],
        idle_since: vec![0; servers],
        fates: Vec::new(),
    };
    let service = match &case.service.model {
        ServiceModel::Slots { service, .. } => {
            let mut times = Vec::new();
            workload::ServiceTimes::new(service, SEED).fill(&mut times, case.arrivals.len());
            times
        }
        _ => vec![0; case.arrivals.len()],
    };
    let clients = case.arrivals.iter().zip(service).enumerate();
    let mut arrivals: Vec<Client> = clients
        .map(|(index, (&arrival, service))| Client {
            first: arrival,
            arrival,
            service,
            attempt: 1,
            number: index as u64 + 1,
        })
        .collect();
    arrivals.reverse();
    loop {
        let now = world.next(&arrivals);
        if now > end {
            break;
        }
        world.instant(now, &mut arrivals);
    }
    let served = world.servers.iter().flatten().flat_map(|(_, _, batch)| batch).filter(|(_, has_left)| !has_left);
    let left =
        served.map(|(client, _)| client).chain(&world.queue).chain(world.retries.iter().map(|(_, client)| client));
    let mut fates = world.fates.clone();
    fates.extend(left.map(|client| (client.first, None, None, "in_system")));
    fates.sort_unstable();
    fates
}

#[derive(Clone, Debug)]
struct Case {
    service: ServiceSpec,
    arrivals: Vec<u64>,
    replicas: usize,
}

const SEED: u64 = 5;

fn fates_of_flow(case: &Case, end: u64) -> Vec<Fate> {
    let end = SimTime::from_nanos(end);
    let demand =
        Demand { keep_rows: true, ..Demand::of(replay(case.arrivals.clone()), SEED, SimTime::from_secs(3_600)) };
    let mut flow = demand.event_flow(&case.service);
    (0..case.replicas).for_each(|slot| flow.add(slot, PodId(slot as u32), SimTime::ZERO));
    assert_eq!(flow.advance(end), None);
    let arrived = flow.finish(end);
    let (totals, _, rows) = std::mem::replace(flow.meter(), Meter::idle()).into_totals(arrived);
    assert_eq!(totals.arrived, totals.completed + totals.failed() + totals.in_system);
    let nanos = |time: Option<SimTime>| time.map(SimTime::as_nanos);
    let mut fates: Vec<Fate> =
        rows.iter().map(|row| (row.arrival.as_nanos(), nanos(row.start), nanos(row.end), row.outcome)).collect();
    fates.sort_unstable();
    fates
}

fn limits() -> impl Strategy<Value = Option<Patience>> {
    let drawn = (1u64..30).prop_map(|mean| Patience::Drawn(Distribution::Exponential { mean: mean as f64 * 1e-3 }));
    let fixed = (1u64..30).prop_map(|limit| Patience::Fixed(millis(limit)));
    prop_oneof![1 => Just(None), 2 => fixed.prop_map(Some), 2 => drawn.prop_map(Some)]
}

fn cases() -> impl Strategy<Value = Case> {
    let on_the_grid = Distribution::Empirical([0.001, 0.002, 0.005, 0.020].into());
    let law = prop_oneof![Just(Distribution::Exponential { mean: 0.008 }), Just(on_the_grid)];
    let model = prop_oneof![
        (1u32..4, law).prop_map(|(concurrency, law)| slots(concurrency, law)),
        (1u32..6, 1u64..20).prop_map(|(size, time)| batching(size, SimDuration::ZERO, millis(time), millis(1))),
    ];
    let demand = prop_oneof![Just(RetryDemand::Same), Just(RetryDemand::Redraw)];
    let retries = prop::option::of((1u32..5, 0u64..9, demand).prop_map(|(attempts_max, backoff, demand)| RetrySpec {
        attempts_max,
        backoff: millis(backoff),
        backoff_max: millis(15),
        jitter: 0.0,
        demand,
    }));
    let gap = prop_oneof![2 => Just(0), 4 => (1u64..6).prop_map(|gap| gap * MILLISECOND), 2 => 0..4 * MILLISECOND];
    let clients = (limits(), limits(), retries, prop::option::of(1u32..8));
    (model, clients, prop::collection::vec(gap, 1..60), 1usize..4).prop_map(
        |(model, (client_timeout, client_patience, retries, queue_limit), gaps, replicas)| {
            let service = ServiceSpec {
                routing: Routing::CentralQueue,
                client_timeout,
                client_patience,
                retries,
                queue_limit,
                ..service(model)
            };
            let arrivals = gaps.iter().scan(0, |now, gap| {
                *now += gap;
                Some(*now)
            });
            Case { service, arrivals: arrivals.collect(), replicas }
        },
    )
}

/// Without retries a client that has left while it was served is counted when its server is done with it, unless clients differ.
fn counts_at_once(service: &ServiceSpec) -> bool {
    service.retries.is_some() || service.clients_differ()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn every_client_meets_the_fate_that_the_loop_gives_it(case in cases()) {
        prop_assume!(counts_at_once(&case.service));
        let end = case.arrivals.last().unwrap() + 45 * MILLISECOND;
        prop_assert_eq!(fates_of_flow(&case, end), fates_of_loop(&case, end));
    }

    /// A law that always gives the same is no other than the same for all.
    #[test]
    fn who_draws_a_constant_waits_as_long_as_all(case in cases(), limit in 1u64..30) {
        let retries = case.service.retries.clone().or_else(|| Some(RetrySpec {
            attempts_max: 1,
            backoff: millis(1),
            backoff_max: millis(1),
            jitter: 0.0,
            demand: RetryDemand::Same,
        }));
        let with = |limit| {
            let service = ServiceSpec { client_timeout: Some(limit), client_patience: None, ..case.service.clone() };
            Case { service: ServiceSpec { retries: retries.clone(), ..service }, ..case.clone() }
        };
        let end = case.arrivals.last().unwrap() + 45 * MILLISECOND;
        let drawn = with(Patience::Drawn(Distribution::Constant(limit as f64 * 1e-3)));
        prop_assert_eq!(fates_of_flow(&drawn, end), fates_of_flow(&with(Patience::Fixed(millis(limit))), end));
    }
}

/// Three attempts of four seconds each at a service of eleven: over after twelve seconds, and not after 33.
#[test]
fn a_client_that_times_out_in_service_asks_again_at_its_time_out() {
    let second = |count: u64| SimDuration::from_nanos(count * 1_000 * MILLISECOND);
    let retries = RetrySpec {
        attempts_max: 3,
        backoff: SimDuration::ZERO,
        backoff_max: SimDuration::ZERO,
        jitter: 0.0,
        demand: RetryDemand::Same,
    };
    for model in [slots(1, Distribution::Constant(11.0)), batching(1, SimDuration::ZERO, second(11), SimDuration::ZERO)]
    {
        let service = ServiceSpec {
            client_timeout: Some(Patience::Fixed(second(4))),
            retries: Some(retries.clone()),
            ..service(model)
        };
        let fates = fates_of_flow(&Case { service, arrivals: vec![0], replicas: 3 }, second(60).as_nanos());
        let (_, start, end, outcome) = fates[0];
        assert_eq!(
            (start, end.map(|end| end / (1_000 * MILLISECOND)), outcome),
            (Some(8_000_000_002), Some(12), "timed_out")
        );
    }
}

/// The server goes on with what nobody wants any more, and the next one waits for it.
#[test]
fn abandoned_work_keeps_its_slot() {
    let mut by_start = BTreeMap::new();
    let service = ServiceSpec {
        client_patience: None,
        client_timeout: Some(Patience::Drawn(Distribution::Constant(0.004))),
        ..service(slots(1, Distribution::Constant(0.010)))
    };
    let arrivals = vec![0, 8 * MILLISECOND];
    for fate in fates_of_flow(&Case { service, arrivals, replicas: 1 }, 40 * MILLISECOND) {
        by_start.insert(fate.0, fate);
    }
    assert_eq!(by_start[&0], (0, Some(0), Some(4 * MILLISECOND), "timed_out"));
    let second = 8 * MILLISECOND;
    assert_eq!(by_start[&second], (second, Some(10 * MILLISECOND), Some(12 * MILLISECOND), "timed_out"));
}
