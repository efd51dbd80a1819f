//! How inputs are damaged.

use workload::{Purpose, Stream};

/// Words that broke something once, in this program or in others.
const NASTY: [&str; 28] = [
    "",
    "0",
    "-1",
    "1e308",
    "-0.0",
    "NaN",
    "inf",
    "18446744073709551615",
    "9223372036854775808",
    "1e-300",
    "true",
    "null",
    "[]",
    "{}",
    "~",
    "\"",
    "'",
    "\u{1b}[2J",
    "=1+1",
    "💥",
    "../..",
    "5200000h",
    "1ns",
    "sum(rate(x[$y]))",
    "2026-02-30",
    "- -",
    "<<",
    "&a *a",
];

/// Damages inputs, the same way for the same seed.
pub struct Dice(Stream);

impl Dice {
    /// Dice of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Stream::new(seed, Purpose::Arrivals, 0))
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.0.next_u64() % limit.max(1) as u64) as usize
    }

    /// One to four changes: a byte, a bit, a stretch gone or doubled, two stretches exchanged, the end cut off, or a word for another.
    pub fn damage(&mut self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        for _ in 0..=self.below(4) {
            if bytes.is_empty() {
                return bytes;
            }
            let at = self.below(bytes.len());
            let end = (at + 1 + self.below(40)).min(bytes.len());
            match self.below(8) {
                0 => bytes[at] = self.below(256) as u8,
                1 => bytes[at] ^= 1 << self.below(8),
                2 => drop(bytes.drain(at..end)),
                3 => {
                    let stretch = bytes[at..end].to_vec();
                    bytes.splice(at..at, stretch);
                }
                4 => {
                    let other = self.below(bytes.len());
                    bytes.swap(at, other);
                }
                5 if self.below(8) == 0 => bytes.truncate(at),
                _ => {
                    let word = NASTY[self.below(NASTY.len())].bytes();
                    drop(bytes.splice(word_around(&bytes, at), word));
                }
            }
        }
        bytes
    }
}

/// The word, number or path at a place.
fn word_around(bytes: &[u8], at: usize) -> std::ops::Range<usize> {
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/' | b'%');
    let start = bytes[..at].iter().rposition(|byte| !is_inside(byte)).map_or(0, |before| before + 1);
    let end = bytes[at..].iter().position(|byte| !is_inside(byte)).map_or(bytes.len(), |after| at + after);
    start..end.max(start)
}
