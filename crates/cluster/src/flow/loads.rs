//! Which replica has the fewest requests.

use std::collections::BTreeSet;

/// Loads below this have a set of slots each; few replicas are ever above it, and those are kept in a tree.
const LEVELS: u64 = 256;
const WORD_BITS: usize = 64;

/// The load of a slot that is not in the index.
const ABSENT: u64 = u64::MAX;

/// Slots by load: the least loaded one, lowest slot first, at a cost that does not depend on how many there are (up to some thousands;
/// then it grows by a word per 4,096).
#[derive(Clone, Debug, Default)]
pub struct LoadIndex {
    /// Load of each slot, or [`ABSENT`].
    loads: Vec<u64>,
    levels: Levels,
    above: BTreeSet<(u64, usize)>,
    /// No level below this has a slot.
    lowest: usize,
}

impl LoadIndex {
    /// Puts a slot at a load, or takes it out.
    pub fn set(&mut self, slot: usize, load: Option<u64>) {
        if slot >= self.loads.len() {
            self.loads.resize(slot + 1, ABSENT);
            self.levels.widen(slot);
        }
        self.replace(slot, load.unwrap_or(ABSENT));
    }

    /// Changes the load of a slot that is in the index.
    #[inline]
    pub fn change(&mut self, slot: usize, by: i64) {
        let load = self.loads[slot].checked_add_signed(by).expect("a load never falls below zero");
        self.replace(slot, load);
    }

    /// Gives the least loaded slot one more; `None` if there is no slot.
    #[inline]
    pub fn raise_first(&mut self) -> Option<usize> {
        if self.levels.width == 1 {
            // Of the level with the lowest bit to the one above it, if there is one already.
            while let Some([bits, above]) =
                self.levels.words.get_mut(self.lowest..).and_then(|words| words.first_chunk_mut())
            {
                if *bits == 0 {
                    self.lowest += 1;
                    continue;
                }
                let slot = bits.trailing_zeros() as usize;
                let bit = *bits & bits.wrapping_neg();
                *bits ^= bit;
                *above |= bit;
                self.loads[slot] += 1;
                return Some(slot);
            }
        }
        let slot = self.first()?;
        self.change(slot, 1);
        Some(slot)
    }

    /// Takes `by` of its load from a slot that is in the index.
    #[inline]
    pub fn lower(&mut self, slot: usize, by: u64) {
        let before = self.loads[slot];
        if self.levels.width == 1 && before < LEVELS {
            let (bit, after) = (1 << slot, before - by);
            self.levels.words[before as usize] ^= bit;
            self.levels.words[after as usize] |= bit;
            self.loads[slot] = after;
            self.lowest = self.lowest.min(after as usize);
        } else {
            self.change(slot, -(by as i64));
        }
    }

    #[inline]
    fn replace(&mut self, slot: usize, load: u64) {
        let before = std::mem::replace(&mut self.loads[slot], load);
        if before < LEVELS {
            self.levels.remove(before as usize, slot);
        } else if before != ABSENT {
            self.above.remove(&(before, slot));
        }
        if load < LEVELS {
            self.levels.insert(load as usize, slot);
            self.lowest = self.lowest.min(load as usize);
        } else if load != ABSENT {
            self.above.insert((load, slot));
        }
    }

    /// The least loaded slot; `None` if there is no slot.
    #[inline]
    pub fn first(&mut self) -> Option<usize> {
        while self.lowest < self.levels.count {
            if let Some(slot) = self.levels.first(self.lowest) {
                return Some(slot);
            }
            // Each insertion lowers the mark at most to where it goes, so this loop is paid for by what has been put in.
            self.lowest += 1;
        }
        self.above.first().map(|&(_, slot)| slot)
    }
}

/// Sets of slots as bits, level after level in one piece of memory; where a level has several words, with a bit per word that has any.
#[derive(Clone, Debug, Default)]
struct Levels {
    count: usize,
    /// Words of a level.
    width: usize,
    words: Vec<u64>,
    summaries: Vec<u64>,
}

impl Levels {
    fn summary_width(&self) -> usize {
        self.width.div_ceil(WORD_BITS)
    }

    /// Makes room for a slot on every level.
    fn widen(&mut self, slot: usize) {
        let width = (slot / WORD_BITS + 1).next_power_of_two();
        if width <= self.width {
            return;
        }
        let before = std::mem::replace(self, Self { width, ..Self::default() });
        for (level, words) in before.words.chunks(before.width.max(1)).enumerate() {
            self.reach(level);
            for (word, &bits) in words.iter().enumerate().filter(|(_, bits)| **bits != 0) {
                self.words[level * width + word] = bits;
                self.summarise(level, word);
            }
        }
    }

    /// Makes sure that there is such a level.
    #[inline]
    fn reach(&mut self, level: usize) {
        if level >= self.count {
            self.count = level + 1;
            self.words.resize((level + 1) * self.width, 0);
            self.summaries.resize((level + 1) * self.summary_width(), 0);
        }
    }

    fn summarise(&mut self, level: usize, word: usize) {
        let bit = 1 << (word % WORD_BITS);
        let summary = level * self.summary_width() + word / WORD_BITS;
        if self.words[level * self.width + word] == 0 {
            self.summaries[summary] &= !bit;
        } else {
            self.summaries[summary] |= bit;
        }
    }

    #[inline]
    fn insert(&mut self, level: usize, slot: usize) {
        self.reach(level);
        self.words[level * self.width + slot / WORD_BITS] |= 1 << (slot % WORD_BITS);
        if self.width > 1 {
            self.summarise(level, slot / WORD_BITS);
        }
    }

    #[inline]
    fn remove(&mut self, level: usize, slot: usize) {
        self.words[level * self.width + slot / WORD_BITS] &= !(1 << (slot % WORD_BITS));
        if self.width > 1 {
            self.summarise(level, slot / WORD_BITS);
        }
    }

    #[inline]
    fn first(&self, level: usize) -> Option<usize> {
        if self.width == 1 {
            let bits = self.words[level];
            return (bits != 0).then(|| bits.trailing_zeros() as usize);
        }
        let summaries = &self.summaries[level * self.summary_width()..][..self.summary_width()];
        let (place, summary) = summaries.iter().enumerate().find(|(_, summary)| **summary != 0)?;
        let word = place * WORD_BITS + summary.trailing_zeros() as usize;
        Some(word * WORD_BITS + self.words[level * self.width + word].trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_has_the_smallest_load_then_the_lowest_slot(
            updates in prop::collection::vec((0usize..9_000, prop::option::of(prop_oneof![0u64..4, 250u64..260])), 1..300)
        ) {
            let mut index = LoadIndex::default();
            let mut loads = std::collections::BTreeMap::new();
            for (slot, load) in updates {
                index.set(slot, load);
                match load {
                    Some(load) => drop(loads.insert(slot, load)),
                    None => drop(loads.remove(&slot)),
                }
                let expected = loads.iter().map(|(&slot, &load)| (load, slot)).min().map(|(_, slot)| slot);
                prop_assert_eq!(index.first(), expected);
            }
        }

        #[test]
        fn raising_the_first_and_lowering_any_equals_setting_them(
            slots in prop_oneof![Just(40usize), Just(200)],
            start in prop_oneof![0u64..4, 250u64..260],
            steps in prop::collection::vec(prop::option::of((0usize..200, 1u64..9)), 1..400),
        ) {
            let mut index = LoadIndex::default();
            let mut loads = vec![start; slots];
            (0..slots).for_each(|slot| index.set(slot, Some(start)));
            for step in steps {
                if let Some((slot, by)) = step {
                    let slot = slot % slots;
                    let by = by.min(loads[slot]);
                    index.lower(slot, by);
                    loads[slot] -= by;
                } else {
                    let first = (0..slots).min_by_key(|&slot| loads[slot]);
                    prop_assert_eq!(index.raise_first(), first);
                    loads[first.expect("there are slots")] += 1;
                }
                prop_assert_eq!(index.first(), (0..slots).min_by_key(|&slot| loads[slot]));
            }
        }
    }
}
