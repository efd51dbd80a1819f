//! Which replica has the fewest requests.

use std::collections::BTreeSet;

/// Loads below this have a set of slots each; few replicas are ever above it, and those are kept in a tree.
const LEVELS: u64 = 256;
const WORD_BITS: usize = 64;

/// Slots by load: the least loaded one, lowest slot first, at a cost that does not depend on how many there are (up to some thousands;
/// then it grows by a word per 4,096).
#[derive(Clone, Debug, Default)]
pub struct LoadIndex {
    /// Load of each slot that is in the index.
    loads: Vec<Option<u64>>,
    levels: Vec<SlotSet>,
    above: BTreeSet<(u64, usize)>,
    /// No level below this has a slot.
    lowest: usize,
}

impl LoadIndex {
    /// Puts a slot at a load, or takes it out.
    pub fn set(&mut self, slot: usize, load: Option<u64>) {
        if slot >= self.loads.len() {
            self.loads.resize(slot + 1, None);
        }
        let before = std::mem::replace(&mut self.loads[slot], load);
        match before {
            Some(before) if before < LEVELS => self.levels[before as usize].remove(slot),
            Some(before) => drop(self.above.remove(&(before, slot))),
            None => {}
        }
        match load {
            Some(load) if load < LEVELS => {
                let level = load as usize;
                if level >= self.levels.len() {
                    self.levels.resize(level + 1, SlotSet::default());
                }
                self.levels[level].insert(slot);
                self.lowest = self.lowest.min(level);
            }
            Some(load) => drop(self.above.insert((load, slot))),
            None => {}
        }
    }

    /// The least loaded slot; `None` if there is no slot.
    pub fn first(&mut self) -> Option<usize> {
        while let Some(level) = self.levels.get(self.lowest) {
            if let Some(slot) = level.first() {
                return Some(slot);
            }
            // Each insertion lowers the mark at most to where it goes, so this loop is paid for by what has been put in.
            self.lowest += 1;
        }
        self.above.first().map(|&(_, slot)| slot)
    }
}

/// A set of slots as bits, with a bit per word that has any.
#[derive(Clone, Debug, Default)]
struct SlotSet {
    words: Vec<u64>,
    summary: Vec<u64>,
}

impl SlotSet {
    fn insert(&mut self, slot: usize) {
        let word = slot / WORD_BITS;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
            self.summary.resize(word / WORD_BITS + 1, 0);
        }
        self.words[word] |= 1 << (slot % WORD_BITS);
        self.summary[word / WORD_BITS] |= 1 << (word % WORD_BITS);
    }

    fn remove(&mut self, slot: usize) {
        let word = slot / WORD_BITS;
        self.words[word] &= !(1 << (slot % WORD_BITS));
        if self.words[word] == 0 {
            self.summary[word / WORD_BITS] &= !(1 << (word % WORD_BITS));
        }
    }

    fn first(&self) -> Option<usize> {
        let (place, summary) = self.summary.iter().enumerate().find(|(_, summary)| **summary != 0)?;
        let word = place * WORD_BITS + summary.trailing_zeros() as usize;
        Some(word * WORD_BITS + self.words[word].trailing_zeros() as usize)
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
    }
}
