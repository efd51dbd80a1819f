//! Named random streams.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// What a stream is for. The number is part of the seed: never reorder, only append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Gaps between requests.
    Arrivals = 1,
    /// Demand of requests.
    Demand = 2,
    /// Lengths of cold-start phases.
    ColdStart = 3,
    /// Spot interruptions.
    Spot = 4,
    /// Routing choices.
    Routing = 5,
    /// Phases of periodic things: controllers, scrapes.
    Phase = 6,
    /// Provisioning of nodes.
    Provisioning = 7,
    /// Client behaviour: retries and back-off.
    Client = 8,
    /// Resampling in statistics.
    Resampling = 9,
    /// Design of experiments.
    Design = 10,
    /// Noise in a generated rate curve.
    RateNoise = 11,
    /// Which requests of a source a factor lets through.
    Thinning = 12,
    /// Requests before the start of the run.
    Prehistory = 13,
    /// Names of pods and identities of things, which only look random.
    Name = 14,
    /// Seeds of the services of a run.
    Service = 15,
    /// UIDs of pods, by which a scale-in chooses among those of an age.
    PodUid = 16,
    /// Gaps and pauses of the stages of a load test.
    LoadStage = 20,
    /// How often each request of a trace is drawn anew.
    Redraw = 21,
    /// Calls of one service to another: which requests call, and the demands of their calls.
    Calls = 22,
    /// Turns of sessions: how many, after which pauses, with how many tokens.
    Sessions = 23,
    /// Demands of requests that follow from others.
    Following = 24,
    /// What requests have in common, and how urgent they are.
    Tags = 25,
    /// How long clients wait.
    Patience = 26,
    /// Demands of requests that are sent again.
    Retry = 27,
    /// What requests that follow from others have in common, and how urgent they are.
    FollowingTags = 28,
    /// What requests take outside the engine of a language model.
    Overhead = 29,
}

/// One independent random stream: xoshiro256++, seeded from (seed, purpose, entity) by SplitMix64. The same numbers on every platform.
#[derive(Clone, Debug)]
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// The stream of `purpose` for `entity` (a pod, a node, a controller: any stable number) under `seed`.
    pub fn new(seed: u64, purpose: Purpose, entity: u64) -> Self {
        let key = mix(mix(mix(seed) ^ purpose as u64) ^ entity);
        Self(Xoshiro256PlusPlus::seed_from_u64(key))
    }

    /// The next 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1), 53 bits.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in 0..`bound`; `bound` must not be 0. Lemire's multiply-shift without rejection: the bias is under `bound` / 2^64.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a draw below zero");
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}

/// SplitMix64's finalizer: every input bit moves every output bit.
fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
