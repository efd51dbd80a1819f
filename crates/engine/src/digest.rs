//! A fold over everything a run handled: two runs with equal digests took the same path.

/// An order-sensitive 64-bit fold of words. Not cryptographic: it finds differences, it does not resist being fooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Folds one word in.
    pub fn fold(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 29);
    }

    /// The value so far.
    pub fn value(self) -> u64 {
        self.0
    }
}
