//! The worlds: a scenario each, the figure that is compared, and what theory says of it.

use super::formulas::{
    ekm1_wait, erlang_a, erlang_b, erlang_c, mg1_wait, mmc_quantile, mmc_wait, mmc_within, mmck, power_of_two,
};

/// What is read off a run.
#[derive(Clone, Copy)]
pub enum Figure {
    Wait,
    Latency,
    P99,
    Attainment,
    Rejected,
    TimedOut,
    Busy,
    Cost,
    Requests,
    Interruptions,
    InSystem,
}

/// One line of the page.
pub struct Row {
    pub system: String,
    pub figure: Figure,
    pub formula: &'static str,
    pub theory: f64,
    /// How far the formula itself may be from the system, relative to it: a limit, or the histogram's buckets.
    pub left_out: f64,
    pub world: String,
}

/// What differs between worlds.
struct World {
    traffic: String,
    service: String,
    routing: &'static str,
    replicas: u32,
    seconds: u32,
    more: &'static str,
}

impl World {
    /// A server of one request at a time, of which all replicas share a queue.
    fn slots(rate: u32, time: &str, replicas: u32, seconds: u32) -> Self {
        Self {
            traffic: format!("{{generator: {{rate: {rate}req/s}}}}"),
            service: format!("model: {{slots: {{concurrency: 1, serviceTime: {time}}}}}"),
            routing: "centralQueue",
            replicas,
            seconds,
            more: "",
        }
    }

    fn routed(self, routing: &'static str) -> Self {
        Self { routing, ..self }
    }

    fn service(self, service: &str) -> Self {
        Self { service: service.to_owned(), ..self }
    }

    fn traffic(self, traffic: &str) -> Self {
        Self { traffic: traffic.to_owned(), ..self }
    }

    fn text(&self) -> String {
        let Self { traffic, service, routing, replicas, seconds, more } = self;
        format!(
            "apiVersion: scalelab.dev/v1\nkind: Scenario\nmetadata: {{name: theory}}\nspec:\n  run: {{duration: {}s, warmUp: 20s, seed: 1, timelineStep: 60s}}\n  traffic: {traffic}\n  service: {{{service}, routing: {routing}, pod: {{name: server}}, replicas: {replicas}}}\n  slo: {{latency: 50ms, objective: 95%}}\n  nodes: {{manager: {{serverless: {{price: $3.60/h}}}}}}\n  policies: [{{name: static, static: {{replicas: {replicas}}}, replicas: {replicas}}}]\n{more}",
            seconds + 20
        )
    }

    fn row(&self, system: &str, figure: Figure, formula: &'static str, theory: f64) -> Row {
        Row { system: system.to_owned(), figure, formula, theory, left_out: 0.0, world: self.text() }
    }
}

/// All of them.
pub fn rows() -> Vec<Row> {
    [one_server(), several_servers(), losses(), patience(), splits(), others()].into_iter().flatten().collect()
}

const EXPONENTIAL: &str = "{exponential: {mean: 10ms}}";

fn one_server() -> Vec<Row> {
    use Figure::{Attainment, Busy, Latency, P99, Wait};
    const PK: &str = "Pollaczek–Khinchine";
    let server = |rate: u32, time: &str| World::slots(rate, time, 1, 600);
    let mut rows = Vec::new();
    for rate in [30, 50, 80] {
        let system = format!("M/M/1, ρ = 0.{}", rate / 10);
        rows.push(server(rate, EXPONENTIAL).row(
            &system,
            Wait,
            "ρS ÷ (1 − ρ)",
            mg1_wait(f64::from(rate) / 1e3, 10.0, 1.0),
        ));
    }
    let half = server(50, EXPONENTIAL);
    rows.push(half.row("M/M/1, ρ = 0.5", Attainment, "1 − exp(−(μ − λ)t)", 1.0 - (-0.05_f64 * 50.0).exp()));
    let p99 = half.row("M/M/1, ρ = 0.5", P99, "ln 100 ÷ (μ − λ)", 100_f64.ln() / 0.05);
    rows.push(Row { left_out: 0.004, ..p99 });
    rows.push(half.row("M/M/1, ρ = 0.5", Busy, "ρ", 0.5));
    for rate in [50, 80] {
        let system = format!("M/D/1, ρ = 0.{}", rate / 10);
        let world = server(rate, "{constant: 10ms}");
        rows.push(world.row(&system, Wait, PK, mg1_wait(f64::from(rate) / 1e3, 10.0, 0.0)));
    }
    let laws = [
        ("gamma, cv 0.5", "{gamma: {mean: 10ms, cv: 0.5}}", 0.25),
        ("gamma, cv 2", "{gamma: {mean: 10ms, cv: 2}}", 4.0),
        ("uniform 5 to 15 ms", "{uniform: {low: 5ms, high: 15ms}}", 1.0 / 12.0),
        ("uniform 0 to 20 ms", "{uniform: {low: 0ms, high: 20ms}}", 1.0 / 3.0),
    ];
    for (name, law, scv) in laws {
        let system = format!("M/G/1, {name}, ρ = 0.6");
        rows.push(server(60, law).row(&system, Wait, PK, mg1_wait(0.06, 10.0, scv)));
    }
    let batch = server(70, EXPONENTIAL)
        .service("model: {dynamicBatching: {batchMax: 1, latency: {affine: {base: 6ms, perRequest: 4ms}}}}");
    rows.push(batch.row(
        "batches of one, ρ = 0.7",
        Latency,
        "M/D/1: S + ρS ÷ 2(1 − ρ)",
        10.0 + mg1_wait(0.07, 10.0, 0.0),
    ));
    rows
}

fn several_servers() -> Vec<Row> {
    use Figure::{Attainment, Busy, P99, Wait};
    let mut rows = Vec::new();
    for (servers, rate, seconds) in
        [(2, 160, 300), (3, 210, 300), (4, 320, 300), (8, 640, 150), (16, 1440, 100), (32, 3040, 60)]
    {
        let arrivals = f64::from(rate) / 1e3;
        let system = format!("M/M/{servers}, ρ = {:.2}", arrivals * 10.0 / f64::from(servers));
        let world = World::slots(rate, EXPONENTIAL, servers, seconds);
        rows.push(world.row(&system, Wait, "Erlang C", mmc_wait(servers, arrivals, 10.0)));
    }
    let eight = World::slots(640, EXPONENTIAL, 8, 150);
    rows.push(eight.row("M/M/8, ρ = 0.80", Attainment, "wait and service convolved", mmc_within(8, 0.64, 10.0, 50.0)));
    let p99 = eight.row("M/M/8, ρ = 0.80", P99, "wait and service convolved", mmc_quantile(8, 0.64, 10.0, 0.99));
    rows.push(Row { left_out: 0.004, ..p99 });
    rows.push(eight.row("M/M/8, ρ = 0.80", Busy, "ρ", 0.8));
    let one_with_four = World::slots(320, EXPONENTIAL, 1, 300)
        .service("model: {slots: {concurrency: 4, serviceTime: {exponential: {mean: 10ms}}}}");
    rows.push(one_with_four.row("one replica of four slots, ρ = 0.80", Wait, "Erlang C", mmc_wait(4, 0.32, 10.0)));
    rows
}

fn losses() -> Vec<Row> {
    use Figure::{Rejected, Wait};
    let mut rows = Vec::new();
    for (servers, rate) in [(2, 150), (5, 400), (10, 900), (20, 1900)] {
        let system = format!("M/M/{servers}/{servers}, {:.1} Erlangs", f64::from(rate) / 100.0);
        let world = World::slots(rate, EXPONENTIAL, servers, 100)
            .service("model: {slots: {concurrency: 1, serviceTime: {exponential: {mean: 10ms}}}}, queueLimit: 0");
        rows.push(world.row(&system, Rejected, "Erlang B", erlang_b(servers, f64::from(rate) / 100.0)));
    }
    let insensitive = World::slots(400, EXPONENTIAL, 5, 100)
        .service("model: {slots: {concurrency: 1, serviceTime: {constant: 10ms}}}, queueLimit: 0");
    rows.push(insensitive.row("M/D/5/5, 4 Erlangs", Rejected, "Erlang B, whatever the service", erlang_b(5, 4.0)));
    for (servers, room, rate) in [(1_u32, 4_u32, 90), (4, 6, 400)] {
        let arrivals = f64::from(rate) / 1e3;
        let (lost, wait) = mmck(servers as usize, room as usize, arrivals, 10.0);
        let system = format!("M/M/{servers}/{}, ρ = {:.2}", servers + room, arrivals * 10.0 / f64::from(servers));
        let service = format!("model: {{slots: {{concurrency: 1, serviceTime: {EXPONENTIAL}}}}}, queueLimit: {room}");
        let world = World::slots(rate, EXPONENTIAL, servers, 200).service(&service);
        rows.push(world.row(&system, Rejected, "birth and death", lost));
        rows.push(world.row(&system, Wait, "birth and death, Little", wait));
    }
    rows
}

/// Clients that leave, and clients that ask again.
fn patience() -> Vec<Row> {
    use Figure::{TimedOut, Wait};
    let mut rows = Vec::new();
    for (servers, rate, mean) in [(1_u32, 120, 20), (8, 760, 10), (8, 960, 30)] {
        let (left, wait) = erlang_a(servers as usize, f64::from(rate) / 1e3, 10.0, f64::from(mean));
        let client = format!("client: {{patience: {{exponential: {{mean: {mean}ms}}}}}}");
        let system = format!("M/M/{servers}+M, {:.1} Erlangs, patience {mean} ms", f64::from(rate) / 100.0);
        let world = World::slots(rate, EXPONENTIAL, servers, 200)
            .service(&format!("model: {{slots: {{concurrency: 1, serviceTime: {EXPONENTIAL}}}}}, {client}"));
        rows.push(world.row(&system, TimedOut, "Erlang A", left));
        rows.push(world.row(&system, Wait, "Erlang A", wait));
    }
    for (demand, formula, theory) in [("same", "exp(−2)", (-2.0_f64).exp()), ("redraw", "exp(−2)³", (-6.0_f64).exp())]
    {
        let client = format!("client: {{timeout: 20ms, retries: {{attemptsMax: 3, backoff: 1ms, demand: {demand}}}}}");
        let world = World::slots(100, EXPONENTIAL, 1, 400)
            .service(&format!("model: {{slots: {{concurrency: 1000, serviceTime: {EXPONENTIAL}}}}}, {client}"));
        rows.push(world.row(&format!("M/M/∞, three attempts of 2 S, {demand}"), TimedOut, formula, theory));
    }
    rows
}

fn splits() -> Vec<Row> {
    use Figure::{Latency, Wait};
    let mut rows = Vec::new();
    let random = World::slots(240, EXPONENTIAL, 4, 300).routed("random");
    rows.push(random.row("at random to 4, ρ = 0.6", Wait, "each is M/M/1", mg1_wait(0.06, 10.0, 1.0)));
    for servers in [2_u32, 4] {
        let world = World::slots(70 * servers, EXPONENTIAL, servers, 300).routed("roundRobin");
        let theory = ekm1_wait(servers as i32, 0.07, 10.0);
        rows.push(world.row(&format!("in turn to {servers}, ρ = 0.7"), Wait, "each is Eₖ/M/1", theory));
    }
    let two = World::slots(16_000, EXPONENTIAL, 200, 10).routed("powerOfTwo");
    let row =
        two.row("the better of two of 200, ρ = 0.8", Latency, "mean field: Σ ρ^(2ⁱ − 2)", power_of_two(0.8, 10.0));
    rows.push(Row { left_out: 0.015, ..row });
    rows
}

fn others() -> Vec<Row> {
    use Figure::{Attainment, Cost, InSystem, Interruptions, Latency, Requests, TimedOut, Wait};
    let mut rows = Vec::new();
    let infinite = World::slots(400, EXPONENTIAL, 1, 200)
        .service("model: {slots: {concurrency: 1000, serviceTime: {gamma: {mean: 50ms, cv: 1.5}}}}");
    rows.push(infinite.row("M/G/∞", Latency, "E S", 50.0));
    rows.push(infinite.row("M/G/∞", InSystem, "Little: λ E S", 20.0));
    let patient = World::slots(50, EXPONENTIAL, 1, 400).service(
        "model: {slots: {concurrency: 1000, serviceTime: {exponential: {mean: 10ms}}}}, client: {timeout: 20ms}",
    );
    rows.push(patient.row("M/M/∞, time-out after 2 S", TimedOut, "exp(−2)", (-2.0_f64).exp()));
    rows.push(patient.row("M/M/∞, time-out after 2 S", Attainment, "1 − exp(−2)", 1.0 - (-2.0_f64).exp()));
    let empty = World::slots(1, "{constant: 1ms}", 3, 1_780);
    rows.push(empty.row("three servers for 1,780 s at $3.60/h", Cost, "price × time", 3.0 * 1_780.0 * 0.001));
    let wave = empty
        .traffic("{generator: {rate: {sine: {mean: 40req/s, amplitude: 50%, period: 300s, peak: 75s}}, step: 1s}}");
    // The run counts from 20 s to 1,800 s: six periods but for the first 20 s.
    let missing =
        40.0 * 20.0 + 20.0 * 300.0 / std::f64::consts::TAU * (1.0 - (std::f64::consts::TAU * 20.0 / 300.0).cos());
    let row = wave.row("Poisson on a wave", Requests, "∫ λ(t) dt", 40.0 * 1_800.0 - missing);
    rows.push(Row { left_out: 0.0005, ..row });
    rows.push(tandem());
    rows.push(spot(Interruptions));
    rows.push(World::slots(90, EXPONENTIAL, 1, 600).row(
        "M/M/1, ρ = 0.9",
        Wait,
        "Erlang C × S ÷ (1 − ρ)",
        erlang_c(1, 0.9) * 100.0,
    ));
    rows
}

/// The second of two queues in a row sees Poisson arrivals (Burke).
fn tandem() -> Row {
    let world = "apiVersion: scalelab.dev/v1\nkind: Scenario\nmetadata: {name: theory}\nspec:\n  run: {duration: 620s, warmUp: 20s, seed: 1, timelineStep: 60s}\n  services:\n  - name: first\n    traffic: {generator: {rate: 60req/s}}\n    service: {model: {slots: {concurrency: 1, serviceTime: {exponential: {mean: 10ms}}}}, routing: centralQueue, pod: {name: first}, replicas: 1}\n    slo: {latency: 50ms}\n  - name: second\n    traffic: {from: {service: first, share: 50%}}\n    service: {model: {slots: {concurrency: 1, serviceTime: {exponential: {mean: 20ms}}}}, routing: centralQueue, pod: {name: second}, replicas: 1}\n    slo: {latency: 50ms}\n  nodes: {manager: {serverless: {price: $3.60/h}}}\n  policies:\n  - name: static\n    services:\n      first: {static: {replicas: 1}, replicas: 1}\n      second: {static: {replicas: 1}, replicas: 1}\n";
    Row {
        system: "Jackson: half of M/M/1's answers go on to another".to_owned(),
        figure: Figure::Wait,
        formula: "M/M/1 again (Burke)",
        theory: mg1_wait(0.03, 20.0, 1.0),
        left_out: 0.0,
        world: world.to_owned(),
    }
}

/// Machines that are taken away at a constant rate.
fn spot(figure: Figure) -> Row {
    let world = "apiVersion: scalelab.dev/v1\nkind: Scenario\nmetadata: {name: theory}\nspec:\n  run: {duration: 100h, seed: 1, timelineStep: 1h}\n  traffic: {generator: {rate: 0.01req/s}}\n  service: {model: {slots: {concurrency: 1, serviceTime: {constant: 10ms}}}, pod: {name: server}, replicas: 8}\n  slo: {latency: 50ms}\n  nodes: {pools: [{name: spot, instanceTypes: [g5.xlarge], capacityTypes: [spot]}]}\n  prices: {g5.xlarge: {onDemand: $1.00/h, spot: $0.40/h}}\n  spot: {interruptions: {constant: 0.2/h}, notice: 0s}\n  policies: [{name: static, static: {replicas: 8}, replicas: 8}]\n";
    Row {
        system: "eight spot machines, 0.2/h".to_owned(),
        figure,
        formula: "the hazard",
        theory: 0.2,
        left_out: 0.0,
        world: world.to_owned(),
    }
}
