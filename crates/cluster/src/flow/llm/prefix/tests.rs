//! Does the cache keep what one that is kept block by block keeps, and find in recorded prompts what others found?

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

/// Every block for itself.
#[derive(Default)]
struct Plain {
    queue: VecDeque<Option<(u64, usize)>>,
    /// Holders of the blocks that are present.
    chains: BTreeMap<u64, Vec<u32>>,
}

impl Plain {
    fn blocks_of(parts: &[Part], limit: u64) -> Vec<(u64, usize)> {
        let each = parts.iter().flat_map(|part| (0..part.blocks.min(1_000) as usize).map(|index| (part.key, index)));
        each.take(limit as usize).collect()
    }

    fn look(&self, parts: &[Part], limit: u64) -> (u64, u64) {
        let holders = |(key, index): (u64, usize)| self.chains.get(&key).and_then(|chain| chain.get(index));
        let found: Vec<&u32> = Self::blocks_of(parts, limit).into_iter().map_while(holders).collect();
        (found.len() as u64, found.iter().filter(|holders| ***holders > 0).count() as u64)
    }

    fn take(&mut self, block: (u64, usize)) {
        let holders = &mut self.chains.get_mut(&block.0).expect("it is present")[block.1];
        if *holders == 0 {
            self.queue.retain(|other| *other != Some(block));
        }
        *holders += 1;
    }

    fn settle(&mut self, free: u64) {
        while self.queue.len() as u64 > free {
            if let Some((key, index)) = self.queue.pop_front().expect("it is not empty") {
                let chain = self.chains.get_mut(&key).expect("it is present");
                assert_eq!(chain.len(), index + 1, "the tail of a chain goes first");
                chain.pop();
            }
        }
    }

    fn release(&mut self, held: &[(u64, usize)], blocks: u64) {
        self.queue.extend((held.len() as u64..blocks).map(|_| None));
        for &(key, index) in held.iter().rev() {
            let holders = &mut self.chains.get_mut(&key).expect("it is present")[index];
            *holders -= 1;
            if *holders == 0 {
                self.queue.push_back(Some((key, index)));
            }
        }
    }
}

/// A request in both.
struct Request {
    parts: Vec<Part>,
    holding: u32,
    blocks: u64,
    held: Vec<(u64, usize)>,
}

struct Both {
    cache: PrefixCache,
    plain: Plain,
    total: u64,
    requests: Vec<Request>,
}

impl Both {
    fn free(&self) -> u64 {
        let counted: u64 = self.requests.iter().map(|request| request.blocks).sum();
        self.total + self.cache.counted_twice() - counted
    }

    fn settle(&mut self) {
        let free = self.free();
        self.cache.settle(free);
        self.plain.settle(free);
    }

    fn begin(&mut self, parts: Vec<Part>, blocks: u64) {
        self.settle();
        let holding = self.cache.announce(&parts);
        let (found, pinned) = self.cache.look(holding, blocks);
        assert_eq!((found, pinned), self.plain.look(&parts, blocks));
        assert_eq!(found, self.cache.present(&parts, blocks));
        if blocks - pinned > self.free() {
            return self.cache.forget(holding);
        }
        self.cache.take(holding, found);
        let held = Plain::blocks_of(&parts, found);
        held.iter().for_each(|&block| self.plain.take(block));
        self.requests.push(Request { parts, holding, blocks, held });
        self.settle();
        self.extend(self.requests.len() - 1, blocks);
    }

    fn extend(&mut self, place: usize, blocks: u64) {
        let request = &mut self.requests[place];
        self.cache.extend(request.holding, blocks);
        for (key, index) in Plain::blocks_of(&request.parts, blocks).split_off(request.held.len()) {
            let chain = self.plain.chains.entry(key).or_default();
            if chain.len() > index {
                break;
            }
            chain.push(1);
            request.held.push((key, index));
        }
    }

    fn go_on(&mut self, place: usize, blocks: u64) {
        self.requests[place].blocks += blocks.min(self.free());
        self.settle();
        self.extend(place, self.requests[place].blocks);
    }

    fn end(&mut self, place: usize) {
        self.settle();
        let request = self.requests.remove(place);
        self.cache.release(request.holding, request.blocks);
        self.cache.forget(request.holding);
        self.plain.release(&request.held, request.blocks);
    }
}

#[derive(Clone, Debug)]
enum Act {
    Begin(Vec<Part>, u64),
    GoOn(usize, u64),
    End(usize),
}

fn acts() -> impl Strategy<Value = Act> {
    let numbered = prop::collection::vec((0u32..6).prop_map(|number| Part::block(number, 1 + number % 3)), 0..5);
    let shared = (0u32..3, 0u32..4).prop_map(|(group, session)| {
        let mut parts = vec![Part::group(group, 16 * (1 + group))];
        parts.extend((session > 0).then(|| Part::session(session)));
        parts
    });
    // A number that comes twice in a prompt is no prompt.
    let numbered = numbered.prop_map(|mut parts| {
        parts.dedup();
        let mut seen = Vec::new();
        parts.retain(|part| {
            !seen.contains(part) && {
                seen.push(*part);
                true
            }
        });
        parts
    });
    prop_oneof![
        4 => (prop_oneof![numbered, shared], 1u64..12).prop_map(|(parts, blocks)| Act::Begin(parts, blocks)),
        2 => (0usize..8, 0u64..5).prop_map(|(place, blocks)| Act::GoOn(place, blocks)),
        3 => (0usize..8).prop_map(Act::End),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn pieces_of_chains_keep_what_single_blocks_keep(acts in prop::collection::vec(acts(), 1..80), total in 4u64..40) {
        let mut both = Both { cache: PrefixCache::new(total), plain: Plain::default(), total, requests: Vec::new() };
        both.plain.queue.extend((0..total).map(|_| None));
        for act in acts {
            let count = both.requests.len();
            match act {
                Act::Begin(parts, blocks) => both.begin(parts, blocks),
                Act::GoOn(place, blocks) if place < count => both.go_on(place, blocks),
                Act::End(place) if place < count => both.end(place),
                Act::GoOn(..) | Act::End(_) => {}
            }
            let twice: usize = both.requests.iter().map(|request| request.held.len()).sum::<usize>()
                - both.plain.chains.values().flatten().filter(|holders| **holders > 0).count();
            prop_assert_eq!(both.cache.counted_twice(), twice as u64);
        }
    }
}

/// (input tokens, blocks).
type Recorded = (u64, Vec<u32>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    RoundRobin,
    MostMatched,
    Weighted,
}

/// Replays prompts in blocks of 512 tokens on caches of `capacity` blocks. Gives (tokens found, requests that found any).
fn replay(requests: &[Recorded], (replicas, capacity): (usize, u64), way: Way) -> (u64, u64) {
    let mut caches: Vec<PrefixCache> = (0..replicas).map(|_| PrefixCache::new(capacity)).collect();
    let mut loads = vec![0u64; replicas];
    let (mut found, mut with_any) = (0, 0);
    for (number, (tokens, blocks)) in requests.iter().enumerate() {
        let parts: Vec<Part> = blocks.iter().map(|&block| Part::block(block, 1)).collect();
        let matched: Vec<u64> = caches.iter().map(|cache| cache.present(&parts, parts.len() as u64)).collect();
        let (low, high) = (*loads.iter().min().expect("a replica"), *loads.iter().max().expect("a replica"));
        let score = |replica: usize| {
            let load = if low == high { 1.0 } else { (high - loads[replica]) as f64 / (high - low) as f64 };
            3.0 * matched[replica] as f64 / parts.len() as f64 + 2.0 * load
        };
        let replica = match way {
            Way::RoundRobin => number % replicas,
            Way::MostMatched => (0..replicas).min_by_key(|&r| (u64::MAX - matched[r], loads[r], r)).expect("a replica"),
            Way::Weighted => (1..replicas).fold(0, |best, other| if score(other) > score(best) { other } else { best }),
        };
        let hit = (512 * matched[replica]).min(tokens - 1);
        found += hit;
        with_any += u64::from(hit > 0);
        loads[replica] += tokens - hit;
        caches[replica].touch(&parts, parts.len() as u64);
    }
    (found, with_any)
}

/// Prompts of a conversation of three turns, another user's, and the first one's fourth turn, worked out by hand.
#[test]
fn a_small_recorded_trace_finds_what_was_worked_out_by_hand() {
    let requests: Vec<Recorded> = vec![
        (1_000, vec![1, 2]),
        (1_500, vec![1, 2, 3]),
        (600, vec![1, 9]),
        (2_048, vec![1, 2, 3, 4]),
        (600, vec![1, 9]),
        (1_024, vec![7, 8]),
        (1_500, vec![1, 2, 3]),
    ];
    // Found: nothing, two blocks, one, three, all but one token, nothing, all but one token.
    assert_eq!(replay(&requests, (1, 100), Way::RoundRobin), (1_024 + 512 + 1_536 + 599 + 1_499, 5));
    // Room for four: 9 took the room of nobody, 4 that of 9, and then 9, 7 and 8 that of 4, 3 and 2, so that 1 alone is found.
    assert_eq!(replay(&requests, (1, 4), Way::RoundRobin), (1_024 + 512 + 1_536 + 512 + 512, 5));
    // Everything that begins with block 1 goes where block 1 is.
    assert_eq!(replay(&requests, (2, 100), Way::MostMatched), (1_024 + 512 + 1_536 + 599 + 1_499, 5));
}

/// The number after `"name":`.
fn number(text: &str, name: &str) -> Option<u64> {
    let rest = text.split_once(&format!("\"{name}\":"))?.1.trim_start();
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

fn recorded(line: &str) -> Recorded {
    let list = line.split_once("\"hash_ids\":").and_then(|(_, rest)| rest.split_once('[')?.1.split_once(']'));
    let (list, _) = list.expect("a list of blocks");
    let blocks = list.split(',').filter_map(|block| block.trim().parse().ok()).collect();
    (number(line, "input_length").expect("a length"), blocks)
}

/// The vectors and the traces are no part of the repository: `SCALELAB_SHARED` names their folder, by default `../shared` beside it.
#[test]
fn recorded_prompts_find_what_others_found_in_them() {
    use std::io::Read;
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").to_owned();
    let folder = std::path::PathBuf::from(std::env::var("SCALELAB_SHARED").unwrap_or_else(|_| beside()));
    let Ok(vectors) = std::fs::read_to_string(folder.join("data/llm/prefix_vectors.json")) else {
        println!("skipped: {} has no vectors", folder.display());
        return;
    };
    let trace = |name: &str| {
        let file = folder.join(format!("data/traffic/mooncake_{name}_trace.jsonl.gz"));
        let mut text = String::new();
        let packed = std::fs::File::open(file).expect("a trace beside its vectors");
        flate2::read::GzDecoder::new(packed).read_to_string(&mut text).expect("a readable trace");
        text.lines().map(recorded).collect::<Vec<_>>()
    };
    let traces = [("conversation", trace("conversation")), ("synthetic", trace("synthetic"))];
    let mut checked = 0;
    for vector in vectors.split('{').filter(|text| text.contains("\"hit_tokens\"")) {
        let (_, requests) = traces.iter().find(|(name, _)| vector.contains(name)).expect("a known trace");
        let way = [("roundRobin", Way::RoundRobin), ("\"prefix\"", Way::MostMatched), ("weighted", Way::Weighted)];
        let way = way.iter().find(|(name, _)| vector.contains(name)).expect("a known routing").1;
        let capacity = number(vector, "capacity_blocks").unwrap_or(1 << 40);
        let replicas = number(vector, "replicas").expect("a number of replicas") as usize;
        let expected = ["hit_tokens", "requests_with_hit"].map(|name| number(vector, name).expect("a result"));
        let found = replay(requests, (replicas, capacity), way);
        assert_eq!([found.0, found.1], expected, "{vector}");
        checked += 1;
    }
    assert!(checked > 20, "{checked} vectors");
}
