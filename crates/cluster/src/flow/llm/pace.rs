//! How fast a decoding sequence goes on: one token an iteration, or with speculative decoding as many as are right on the average.
//!
//! Guesses are not drawn: each sequence gains the mean, and what is left of a token below one is carried on. So the tokens of a run of
//! iterations follow from their number, whoever counts them.

use crate::spec::EngineSpec;

/// Bits of a token below one that are counted where sequences gain several.
const TOKEN_BITS: u32 = 10;

/// The gain of a decoding sequence in one iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Bits below a token of what is counted.
    pub bits: u32,
    /// What it gains, in such units; at least a token.
    pub gain: u64,
    /// Tokens of it in a pass: the next one, and the guesses after it.
    pub width: u64,
}

impl Pace {
    /// A token an iteration.
    pub const ONE: Self = Self { bits: 0, gain: 1, width: 1 };

    /// That of an engine.
    pub fn of(engine: &EngineSpec) -> Self {
        let Some(speculative) = &engine.speculative else { return Self::ONE };
        let unit = f64::from(1u32 << TOKEN_BITS);
        let gain = (speculative.tokens_per_iteration() * unit).round() as u64;
        Self { bits: TOKEN_BITS, gain: gain.max(1 << TOKEN_BITS), width: u64::from(speculative.width()) }
    }

    /// Whether it is a token an iteration.
    #[inline]
    pub fn is_one(&self) -> bool {
        self.bits == 0
    }

    /// Iterations until so many tokens are gained, from a whole token on.
    #[inline]
    pub fn steps_for(&self, tokens: u64) -> u64 {
        if self.is_one() { tokens } else { (tokens << self.bits).div_ceil(self.gain) }
    }

    /// Tokens gained in so many iterations at most.
    pub fn most_in(&self, steps: u64) -> u64 {
        (steps.saturating_mul(self.gain) >> self.bits) + 1
    }
}

#[cfg(test)]
mod tests {
    use units::SimDuration;

    use super::*;
    use crate::spec::Speculative;

    #[test]
    fn tokens_come_in_as_few_iterations_as_the_gain_allows() {
        let engine = EngineSpec {
            speculative: Some(Speculative { tokens: 3, acceptance: vec![0.5; 3], draft_time: SimDuration::ZERO }),
            ..EngineSpec::default()
        };
        // 1 + 1/2 + 1/4 + 1/8 tokens.
        let pace = Pace::of(&engine);
        assert_eq!((pace.gain, pace.width), (1_920, 4));
        assert_eq!([1, 2, 15, 16].map(|tokens| pace.steps_for(tokens)), [1, 2, 8, 9]);
        assert_eq!(Pace::of(&EngineSpec::default()).steps_for(15), 15);
    }
}
