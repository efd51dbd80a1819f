//! A winner tree: which server is free first.

/// "Never": not in the tree.
pub const NEVER: u64 = u64::MAX;

/// The smallest of n times and its index, with O(log n) updates that touch one path of a flat array. Equal times: the smallest index.
///
/// Against a binary heap it has one fixed place per server, so a server's time is replaced without a pop and a push. A node is one number, the
/// time since some past instant above the index: which of two servers is free first is a coin toss, and between numbers it takes no branch.
#[derive(Clone, Debug)]
pub struct WinnerTree {
    /// Node 1 is the root, node i has children 2i and 2i + 1, leaves start at `leaves`.
    nodes: Vec<u64>,
    leaves: usize,
    /// Bits of an index.
    bits: u32,
    /// What times in nodes count from: none in the tree is earlier.
    base: u64,
    /// The times as they were set.
    times: Vec<u64>,
    /// The earliest of them.
    earliest: u64,
}

impl WinnerTree {
    /// A tree without any server.
    pub fn new() -> Self {
        Self { nodes: vec![NEVER; 2], leaves: 1, bits: 0, base: 0, times: vec![NEVER], earliest: NEVER }
    }

    /// Sets the time of server `index`, growing the tree if it is new.
    #[inline]
    pub fn set(&mut self, index: usize, time: u64) {
        if index >= self.leaves {
            self.grow(index + 1);
        }
        self.times[index] = time;
        if time < self.base {
            return self.count_from(time);
        }
        // The winner so far stays in a register: on the way up only the other child of each node is read.
        let mut winner = self.rank(index);
        let mut node = self.leaves + index;
        let nodes = self.nodes.as_mut_slice();
        nodes[node] = winner;
        while node > 1 {
            winner = winner.min(nodes[node ^ 1]);
            node >>= 1;
            nodes[node] = winner;
        }
        if winner >> self.bits == self.far() {
            return self.move_on();
        }
        self.earliest = self.times[self.index_of(winner)];
    }

    /// The earliest time and its server; [`NEVER`] if there is none.
    #[inline]
    pub fn first(&self) -> (u64, usize) {
        (self.earliest, self.index_of(self.nodes[1]))
    }

    #[inline]
    fn index_of(&self, rank: u64) -> usize {
        (rank & ((1 << self.bits) - 1)) as usize
    }

    /// Times this long after `base`, and longer, are all the same to a node. The one above it is never.
    #[inline]
    fn far(&self) -> u64 {
        (NEVER >> self.bits) - 1
    }

    /// What stands in the leaf of a server.
    #[inline]
    fn rank(&self, index: usize) -> u64 {
        let time = self.times[index];
        let since = if time == NEVER { self.far() + 1 } else { (time - self.base).min(self.far()) };
        since << self.bits | index as u64
    }

    /// The earliest times are too far away to be told apart.
    #[cold]
    fn move_on(&mut self) {
        let earliest = self.times.iter().copied().min().expect("there is a server");
        self.count_from(earliest);
    }

    #[cold]
    fn count_from(&mut self, base: u64) {
        self.base = base;
        for index in 0..self.leaves {
            self.nodes[self.leaves + index] = self.rank(index);
        }
        for node in (1..self.leaves).rev() {
            self.nodes[node] = self.nodes[2 * node].min(self.nodes[2 * node + 1]);
        }
        self.earliest = self.times[self.index_of(self.nodes[1])];
    }

    #[cold]
    fn grow(&mut self, servers: usize) {
        self.leaves = servers.next_power_of_two();
        self.bits = self.leaves.trailing_zeros();
        self.times.resize(self.leaves, NEVER);
        self.nodes.resize(2 * self.leaves, NEVER);
        self.count_from(self.base);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_is_the_smallest_time_then_the_smallest_index(
            updates in prop::collection::vec(
                (0usize..40, prop_oneof![4 => 0u64..10, 2 => Just(NEVER), 1 => 1u64 << 62..(1 << 62) + 10, 1 => NEVER - 9..NEVER]),
                1..200,
            )
        ) {
            let mut tree = WinnerTree::new();
            let mut times = vec![NEVER; 40];
            for (index, time) in updates {
                tree.set(index, time);
                times[index] = time;
                let earliest = *times.iter().min().expect("forty entries");
                prop_assert_eq!(tree.first().0, earliest);
                if earliest != NEVER {
                    prop_assert_eq!(tree.first().1, times.iter().position(|&other| other == earliest).expect("it is the minimum"));
                }
            }
        }
    }
}
