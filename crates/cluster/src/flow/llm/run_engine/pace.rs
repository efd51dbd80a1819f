//! Where decoding sequences stand, at any pace; and what several tokens an iteration take, sequence by sequence.

use super::super::engine::{BLOCK_TOKENS, blocks};
use super::{RunEngine, Sequence};

impl RunEngine {
    /// Tokens of a decoding sequence in the cache at the end of `step`: its last one is never written there.
    #[inline]
    pub(super) fn cached_at(&self, sequence: &Sequence, step: u64) -> u64 {
        let pace = &self.limits.pace;
        let fine = (step * pace.gain).wrapping_add_signed(sequence.offset);
        (fine >> pace.bits).min(u64::from(sequence.job.prompt) + u64::from(sequence.job.output) - 1)
    }

    /// Tokens a decoding sequence has made by now.
    #[inline]
    pub(super) fn made_of(&self, sequence: &Sequence) -> u64 {
        self.cached_at(sequence, self.step) + 1 - u64::from(sequence.job.prompt)
    }

    /// Blocks that the decoding sequences need for the next iteration.
    #[inline]
    pub(super) fn blocks_needed(&self) -> u64 {
        if self.limits.pace.is_one() {
            u64::from(self.phases[Self::phase_at(self.step)])
        } else {
            self.blocks_taken_at_pace(self.step, 1)
        }
    }

    /// Tokens that the next `count` iterations make.
    pub(super) fn tokens_made(&self, count: u64) -> u64 {
        if self.limits.pace.is_one() {
            return self.decoding * count;
        }
        let made =
            |sequence: &Sequence| self.cached_at(sequence, self.step + count) - self.cached_at(sequence, self.step);
        self.sequences.iter().filter(|sequence| sequence.lives).map(made).sum()
    }

    /// See [`RunEngine::blocks_taken`].
    pub(super) fn blocks_taken_at_pace(&self, step: u64, count: u64) -> u64 {
        let taken = |sequence: &Sequence| {
            blocks(self.cached_at(sequence, step + count)) - blocks(self.cached_at(sequence, step))
        };
        self.sequences.iter().filter(|sequence| sequence.lives).map(taken).sum()
    }

    /// See [`RunEngine::iterations_with_room`]: with `free` blocks.
    pub(super) fn room_at_pace(&self, wanted: u64, free: u64) -> u64 {
        if (self.limits.pace.most_in(wanted) / BLOCK_TOKENS + 1).saturating_mul(self.decoding) <= free {
            return wanted;
        }
        // The more iterations the more blocks: the last number that fits lies between these.
        let (mut fits, mut beyond) = (0, wanted + 1);
        while beyond - fits > 1 {
            let middle = fits.midpoint(beyond);
            if self.blocks_taken_at_pace(self.step + 1, middle) <= free { fits = middle } else { beyond = middle }
        }
        fits
    }
}
