//! Formulas and recursions; times in milliseconds, rates per millisecond.

/// Erlang B: share lost of `load` Erlangs on `servers`.
pub fn erlang_b(servers: u32, load: f64) -> f64 {
    (1..=servers).fold(1.0, |blocked, k| load * blocked / (f64::from(k) + load * blocked))
}

/// Erlang C: share that waits.
pub fn erlang_c(servers: u32, load: f64) -> f64 {
    let blocked = erlang_b(servers, load);
    blocked / (1.0 - load / f64::from(servers) * (1.0 - blocked))
}

/// Mean wait of M/M/c.
pub fn mmc_wait(servers: u32, arrivals: f64, service: f64) -> f64 {
    erlang_c(servers, arrivals * service) / (f64::from(servers) / service - arrivals)
}

/// Mean wait of M/G/1 (Pollaczek and Khinchine) by the squared coefficient of variation of the service.
pub fn mg1_wait(arrivals: f64, service: f64, scv: f64) -> f64 {
    let load = arrivals * service;
    load * service * (1.0 + scv) / 2.0 / (1.0 - load)
}

/// Probabilities of 0..=limit requests of a birth-death process with the given rates up and down.
fn birth_death(limit: usize, up: impl Fn(usize) -> f64, down: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut weights = vec![1.0];
    for n in 1..=limit {
        weights.push(weights[n - 1] * up(n - 1) / down(n));
    }
    let all: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / all).collect()
}

/// M/M/c with room for `room` that wait: share rejected, and mean wait of the others.
pub fn mmck(servers: usize, room: usize, arrivals: f64, service: f64) -> (f64, f64) {
    let limit = servers + room;
    let busy = |n: usize| n.min(servers) as f64 / service;
    let shares = birth_death(limit, |_| arrivals, busy);
    let waiting: f64 = shares.iter().enumerate().map(|(n, share)| share * n.saturating_sub(servers) as f64).sum();
    (shares[limit], waiting / (arrivals * (1.0 - shares[limit])))
}

/// M/M/n+M (Erlang A): share that leaves before it is served, and mean wait of those that are served.
pub fn erlang_a(servers: usize, arrivals: f64, service: f64, patience: f64) -> (f64, f64) {
    const ROOM: usize = 2_000;
    let serving = servers as f64 / service;
    let waiting = |n: usize| n.saturating_sub(servers) as f64;
    let shares = birth_death(servers + ROOM, |_| arrivals, |n| n.min(servers) as f64 / service + waiting(n) / patience);
    let queue: f64 = shares.iter().enumerate().map(|(n, share)| share * waiting(n)).sum();
    let left = queue / patience / arrivals;
    // Who finds j waiting moves up j + 1 times, each time as the first of a race, unless its own patience wins one of them.
    let mut stay = 0.0;
    let waited: f64 = (0..ROOM)
        .map(|ahead| {
            let race = serving + (ahead as f64 + 1.0) / patience;
            stay += 1.0 / race;
            shares[servers + ahead] * serving / race * stay
        })
        .sum();
    (left, waited / (1.0 - left))
}

/// Mean wait of E_k/M/1: of k Poisson streams in turn one server gets every k-th arrival.
pub fn ekm1_wait(stages: i32, arrivals: f64, service: f64) -> f64 {
    // The root of σ = A*(μ(1 − σ)), by iteration from below.
    let stage = f64::from(stages) * arrivals;
    let root = (0..500).fold(0.0, |sigma: f64, _| (stage / (stage + (1.0 - sigma) / service)).powi(stages));
    root * service / (1.0 - root)
}

/// Mean time in system of the better of two queues drawn at random, of infinitely many (Mitzenmacher; Vvedenskaya, Dobrushin, Karpelevich).
pub fn power_of_two(load: f64, service: f64) -> f64 {
    (1..12).map(|length| load.powf(2_f64.powi(length) - 2.0)).sum::<f64>() * service
}

/// Share of M/M/c answered within `limit`.
pub fn mmc_within(servers: u32, arrivals: f64, service: f64, limit: f64) -> f64 {
    let (rate, spare) = (1.0 / service, f64::from(servers) / service - arrivals);
    let waits = erlang_c(servers, arrivals * service);
    let tail = |rate: f64| (-rate * limit).exp();
    let late = if (spare - rate).abs() < 1e-12 {
        (1.0 + rate * limit) * tail(rate)
    } else {
        (spare * tail(rate) - rate * tail(spare)) / (spare - rate)
    };
    1.0 - (1.0 - waits) * tail(rate) - waits * late
}

/// The time within which the share `q` of M/M/c is answered.
pub fn mmc_quantile(servers: u32, arrivals: f64, service: f64, q: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        *(if mmc_within(servers, arrivals, service, middle) < q { &mut low } else { &mut high }) = middle;
    }
    low
}
