//! A random world as the text of a scenario.

use std::fmt::Write as _;

use workload::{Purpose, Stream};

const SCHEDULERS: [&str; 6] = ["vllm", "vllm", "noEvict", "maxUtilization", "prefillFirst", "tgi"];

/// Dice for words and numbers.
struct Dice(Stream);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True once in `times`.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }
}

/// The world of a seed: up to five services of any model but those that need data files, on spot machines or others, under a handful of
/// policies, with clients that leave and come again. It is valid, and small enough to run in a second or two.
pub fn world(seed: u64) -> String {
    let mut dice = Dice(Stream::new(seed, Purpose::Design, 0));
    let services = [1, 1, 2, 2, 3, 5][dice.below(6) as usize];
    let minutes = dice.between(4, 30);
    let mut text = format!(
        "# A random world: scalelab fuzz\napiVersion: scalelab.dev/v1\nkind: Scenario\nmetadata: {{name: fuzz}}\nspec:\n  run: {{duration: {minutes}m, seed: {}, warmUp: {}s, timelineStep: {}s, timeZone: {}, start: \"{}\"}}\n  services:\n",
        seed % 1_000_003,
        [0, 0, 30][dice.below(3) as usize],
        [7, 20, 60, 3_600][dice.below(4) as usize],
        dice.of(&["UTC", "Europe/Berlin", "America/St_Johns"]),
        dice.of(&["2026-03-16T00:00:00", "2026-03-29T01:50:00", "2026-10-25T01:50:00", "2024-02-29T23:55:00"]),
    );
    let mut made: Vec<Made> = Vec::new();
    for number in 0..services {
        let one = service(&mut text, &mut dice, (number, services), made.last_mut());
        made.push(one);
    }
    fleet(&mut text, &mut dice);
    if dice.once_in(4) {
        let (of, at, length) = (dice.of(&["prometheus", "adapter", "exporter"]), dice.below(200), dice.between(5, 200));
        let _ = writeln!(text, "  metrics: {{outages: [{{of: {of}, at: {at}s, for: {length}s}}]}}");
    }
    policies(&mut text, &mut dice, services);
    text
}

/// What later services have to know of one that is there.
struct Made {
    kind: Kind,
    /// Its clients wait for answers before they ask again.
    follows: bool,
    /// Another fetches the prompts that it computes.
    is_fetched_from: bool,
    /// Its requests follow from those of another.
    is_called: bool,
    /// They are for adapters.
    has_adapters: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Slots,
    Batches,
    /// A language model, by its scheduler.
    Model(&'static str),
}

impl Kind {
    fn is_model(self) -> bool {
        matches!(self, Self::Model(_))
    }
}

/// How the requests of a service come.
struct Coming {
    text: String,
    follows: bool,
    has_sessions: bool,
    /// Their prompts are computed elsewhere.
    is_fetching: bool,
    /// They follow from those of another service.
    is_called: bool,
    /// They are for adapters, as those are that the prompts are of.
    has_adapters: bool,
}

fn service(text: &mut String, dice: &mut Dice, (number, services): (u64, u64), caller: Option<&mut Made>) -> Made {
    let (mut model, kind) = model(dice);
    let most = if kind.is_model() { 4 } else { 120 } / services.min(3);
    let called = if dice.once_in(3) { caller } else { None };
    let coming = match called {
        Some(caller) => calls(dice, (caller, number - 1), kind),
        None => traffic(dice, most.max(1), kind.is_model()),
    };
    let has_adapters =
        if coming.is_fetching { coming.has_adapters } else { kind == Kind::Model("vllm") && dice.once_in(3) };
    let mut traffic = coming.text;
    if has_adapters {
        model = model.replacen("scheduler: vllm", &format!("scheduler: vllm, adapters: {}", adapters(dice)), 1);
    }
    if has_adapters && !coming.is_fetching {
        let (count, share) = (dice.between(1, 12), dice.between(1, 100));
        traffic.insert_str(
            traffic.len() - 1,
            &format!(", adapters: {{count: {count}, share: {share}%, popularity: {{zipf: 1}}}}"),
        );
    }
    let routing = match kind {
        _ if coming.has_sessions && dice.once_in(2) => "sessionAffinity",
        Kind::Model(_) if dice.once_in(4) => dice.of(&["leastKv", "{flowControl: {}}"]),
        _ => dice.of(&["centralQueue", "roundRobin", "random", "leastRequests", "powerOfTwo"]),
    };
    let mut keys = format!("model: {model}, routing: {routing}, replicas: {}", dice.between(0, 3));
    let absent = dice.of(&["hold", "reject"]);
    let kill = if coming.is_fetching { "fail" } else { dice.of(&["fail", "requeue"]) };
    let _ = write!(keys, ", whileNoReplica: {absent}, onKill: {kill}");
    if dice.once_in(3) {
        let _ = write!(keys, ", queueLimit: {}", dice.between(1, 200));
    }
    if dice.once_in(3) {
        let _ = write!(keys, ", drainDelay: {}ms", dice.between(1, 3_000));
    }
    if !dice.once_in(3) && !coming.is_fetching {
        let _ = write!(keys, ", client: {{{}}}", client(dice, kind == Kind::Batches));
    }
    let (grace, hook) = (dice.between(0, 40), dice.between(0, 8));
    let _ = write!(keys, ", pod: {{name: s{number}, gpus: {}, grace: {grace}s, preStop: {hook}s}}", dice.between(1, 2));
    let cold = [0, 5, 40].map(|_| dice.between(0, 30));
    let _ = writeln!(
        text,
        "  - name: s{number}\n    traffic: {}\n    service: {{{keys}}}\n    slo: {{{}: {}ms, objective: 95%}}\n    coldStart: {{imagePull: {}s, modelDownload: {{uniform: {{low: 1s, high: {}s}}}}, gpuLoad: {}s}}",
        traffic,
        if kind.is_model() { "ttft" } else { "latency" },
        dice.between(20, 2_000),
        cold[0],
        cold[1] + 2,
        cold[2],
    );
    Made { kind, follows: coming.follows, is_fetched_from: false, is_called: coming.is_called, has_adapters }
}

/// How a server has its adapters: few slots, so that they take turns.
fn adapters(dice: &mut Dice) -> String {
    let active = dice.between(1, 4);
    let kept = active + dice.below(6);
    let (load, fetch, share) = (dice.between(0, 40), dice.between(0, 400), dice.between(0, 8));
    format!(
        "{{maxActive: {active}, maxCpu: {kept}, load: {{fixed: {load}ms}}, fetch: {{fixed: {fetch}ms}}, stepOverhead: {share}%}}"
    )
}

/// Requests that the service before makes of this one; of a model where that can be, prompts that it has computed.
fn calls(dice: &mut Dice, (caller, number): (&mut Made, u64), kind: Kind) -> Coming {
    let hands_over = matches!(caller.kind, Kind::Model(scheduler) if scheduler != "tgi") && !caller.follows;
    let fetches = matches!(kind, Kind::Model(scheduler) if scheduler != "tgi" && scheduler != "prefillFirst");
    let fits = !caller.has_adapters || kind == Kind::Model("vllm");
    let is_fetching = hands_over && fetches && fits && !caller.is_fetched_from && !dice.once_in(4);
    caller.is_fetched_from |= is_fetching;
    let how = if is_fetching {
        let (speed, latency, size) = (dice.between(1, 400), dice.between(0, 40), dice.between(1, 200));
        let decider = if caller.is_called || dice.once_in(2) {
            String::new()
        } else {
            format!(", decider: {{nonCachedTokens: {}}}", dice.between(0, 800))
        };
        format!("kvTransfer: {{bandwidth: {speed}MB/s, latency: {latency}ms, bytesPerToken: {size}kB}}{decider}")
    } else {
        format!("share: {}%, count: {}", dice.between(1, 100), dice.between(1, 3))
    };
    let prefix = if kind.is_model() && !is_fetching { prefix(dice, false) } else { String::new() };
    let text = format!("{{from: {{service: s{number}, {how}}}{prefix}}}");
    let has_adapters = is_fetching && caller.has_adapters;
    Coming { text, follows: false, has_sessions: false, is_fetching, is_called: true, has_adapters }
}

fn model(dice: &mut Dice) -> (String, Kind) {
    match dice.below(5) {
        0 => {
            let text = format!("{{slots: {{concurrency: {}, serviceTime: {}}}}}", dice.between(1, 4), time(dice, 60));
            (text, Kind::Slots)
        }
        1 => {
            let (size, delay) = (dice.between(1, 32), dice.between(0, 20));
            let (base, each) = (dice.between(1, 40), dice.between(0, 5));
            let text = format!(
                "{{dynamicBatching: {{batchMax: {size}, queueDelay: {delay}ms, latency: {{affine: {{base: {base}ms, perRequest: {each}ms}}}}}}}}"
            );
            (text, Kind::Batches)
        }
        2 => (format!("{{slots: {{concurrency: 1, serviceTime: {}}}}}", time(dice, 300)), Kind::Slots),
        _ => {
            let (sequences, tokens) = (dice.between(1, 64), dice.between(64, 2_048));
            let scheduler = SCHEDULERS[dice.below(6) as usize];
            let text = format!(
                "{{continuousBatching: {{sequencesMax: {sequences}, batchedTokensMax: {tokens}, kvTokens: {}, iterationMin: 9ms, iterationBase: 6ms, perKvToken: 60ns, perPromptToken: 20us, overhead: {}ms, scheduler: {scheduler}, promptTokens: {{gamma: {{mean: {}, cv: 1}}}}, outputTokens: {{exponential: {{mean: {}}}}}}}}}",
                dice.between(2_000, 60_000),
                dice.between(0, 30),
                dice.between(10, 800),
                dice.between(5, 150),
            );
            (text, Kind::Model(scheduler))
        }
    }
}

/// What prompts of a language model share, if anything, as a key after others.
fn prefix(dice: &mut Dice, has_sessions: bool) -> String {
    match dice.below(5) {
        0 => format!(
            ", prefix: {{sharedPrefix: {{groups: {}, tokens: {}}}}}",
            dice.between(1, 50),
            dice.between(16, 600)
        ),
        1 => format!(", prefix: {{hitRatio: {}%}}", dice.between(0, 99)),
        2 if has_sessions => ", prefix: {sessions: {}}".to_owned(),
        _ => String::new(),
    }
}

/// A time or a law of times, of up to `most` milliseconds on average.
fn time(dice: &mut Dice, most: u64) -> String {
    let mean = dice.between(1, most);
    match dice.below(4) {
        0 => format!("{mean}ms"),
        1 => format!("{{exponential: {{mean: {mean}ms}}}}"),
        2 => format!("{{gamma: {{mean: {mean}ms, cv: {}}}}}", dice.between(1, 3)),
        _ => format!("{{uniform: {{low: 0ms, high: {}ms}}}}", 2 * mean),
    }
}

fn traffic(dice: &mut Dice, most: u64, is_language_model: bool) -> Coming {
    let mean = dice.between(1, most);
    let rate = match dice.below(4) {
        0 => format!("{mean}req/s"),
        1 => format!("{{sine: {{mean: {mean}req/s, amplitude: 90%, period: {}m, peak: 3m}}}}", dice.between(2, 12)),
        2 => format!("{{burst: {{at: {}s, rise: 20s, hold: 90s, fall: 30s, height: {mean}req/s}}}}", dice.below(120)),
        _ => format!(
            "{{product: [{{points: {{every: 24h, at: [{{time: 0h, level: {mean}req/s}}, {{time: 2h, level: 0req/s}}, {{time: 3h, level: {mean}req/s}}]}}}}, {{noise: {{cv: 30%, interval: 1m, seed: 3}}}}]}}"
        ),
    };
    let kind = dice.below(6);
    let has_sessions = kind == 1 && is_language_model;
    let source = match kind {
        0 => format!("closedLoop: {{concurrency: {}, duration: 3m}}", dice.between(1, 20)),
        1 if is_language_model => {
            format!(
                "generator: {{rate: {rate}}}, sessions: {{turns: 3, thinkTime: {}, newTokens: 40}}",
                time(dice, 9_000)
            )
        }
        _ => format!("generator: {{rate: {rate}}}"),
    };
    let prefix = if is_language_model { prefix(dice, has_sessions) } else { String::new() };
    Coming {
        text: format!("{{{source}{prefix}}}"),
        follows: kind == 0 || has_sessions,
        has_sessions,
        is_fetching: false,
        is_called: false,
        has_adapters: false,
    }
}

fn client(dice: &mut Dice, is_batch: bool) -> String {
    let mut keys = Vec::new();
    if !dice.once_in(3) {
        keys.push(format!("timeout: {}", time(dice, 4_000).replace("low: 0ms", "low: 1ms")));
    }
    if dice.once_in(3) {
        keys.push(format!("patience: {}", time(dice, 2_000).replace("low: 0ms", "low: 1ms")));
    }
    if !dice.once_in(3) {
        let demand = if is_batch { "same" } else { dice.of(&["same", "redraw"]) };
        let (attempts, backoff) = (dice.between(1, 4), dice.between(0, 900));
        keys.push(format!("retries: {{attemptsMax: {attempts}, backoff: {backoff}ms, demand: {demand}}}"));
    }
    keys.join(", ")
}

fn fleet(text: &mut String, dice: &mut Dice) {
    if dice.once_in(4) {
        text.push_str("  nodes: {manager: {serverless: {price: $3.60/h}}}\n");
        return;
    }
    let kinds = dice.of(&["[spot]", "[on-demand]", "[spot, on-demand]"]);
    let manager = dice.of(&["karpenter", "{clusterAutoscaler: {}}"]);
    let (gpus, most) = (dice.of(&["2", "4", "8"]), dice.between(4, 40));
    let _ = write!(
        text,
        "  nodes:\n    manager: {manager}\n    instanceTypes: {{big: {{gpus: {gpus}, cpu: \"64\", memory: 256Gi}}}}\n    pools: [{{name: pool, instanceTypes: [big], capacityTypes: {kinds}, gpusMax: {most}}}]\n  prices: {{big: {{onDemand: $8.00/h, spot: $2.50/h}}}}\n"
    );
    if kinds.contains("spot") {
        let (rate, notice) = (dice.of(&["0", "1", "20", "60"]), dice.between(0, 120));
        let _ = writeln!(text, "  spot: {{interruptions: {{constant: {rate}/h}}, notice: {notice}s}}");
    }
}

fn policies(text: &mut String, dice: &mut Dice, services: u64) {
    text.push_str("  policies:\n");
    for (policy, pool) in [("plain", false), ("other", true)] {
        let _ = writeln!(text, "  - name: {policy}\n    services:");
        for number in 0..services {
            let most = dice.between(1, 8);
            let scaler = match dice.below(4) {
                0 => format!("static: {{replicas: {}}}", dice.between(0, 4)),
                1 => format!(
                    "hpa: {{minReplicas: 1, maxReplicas: {most}, metrics: [{{type: Pods, pods: {{metric: {{name: nv_inference_pending_request_count}}, target: {{type: AverageValue, averageValue: '2'}}}}}}]}}"
                ),
                2 => format!(
                    "predictive: {{replicaRate: {}req/s, replicasMin: 1, replicasMax: {most}}}",
                    dice.between(1, 60)
                ),
                _ => format!(
                    "keda: {{maxReplicaCount: {most}, cooldownPeriod: {}, triggers: [{{type: prometheus, metadata: {{serverAddress: 'http://p', threshold: '{}', query: 'sum(rate(http_requests_total[1m]))'}}}}]}}",
                    dice.between(10, 300),
                    dice.between(1, 40)
                ),
            };
            let warm = if pool && dice.once_in(2) { ", warmPool: {size: 1, promote: 2s}" } else { "" };
            let _ = writeln!(text, "      s{number}: {{{scaler}{warm}}}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_one_world_and_seeds_make_many() {
        assert_eq!(world(7), world(7));
        let worlds: std::collections::BTreeSet<String> = (0..200).map(world).collect();
        assert!(worlds.len() > 190);
        // Rare ones too.
        let mut missing = std::collections::BTreeSet::from(["kvTransfer", "nonCachedTokens", "maxActive"]);
        (0..3_000).map(world).for_each(|world| missing.retain(|feature| !world.contains(feature)));
        assert!(missing.is_empty(), "{missing:?}");
    }
}
