//! A winner tree: which server is free first.

use std::hint::select_unpredictable;

/// "Never": not in the tree.
pub const NEVER: u64 = u64::MAX;

/// A time and the server it belongs to.
#[derive(Clone, Copy, Debug)]
struct Entry {
    time: u64,
    index: u64,
}

impl Entry {
    fn new(time: u64, index: usize) -> Self {
        Self { time, index: index as u64 }
    }

    /// The earlier of two, by index at equal times.
    ///
    /// Which of two servers is free first is a coin toss, and a branch would be mispredicted half the time: without the two hints the
    /// compiler makes one, and a queue with 64 servers takes 40 ns a request instead of 23.
    #[inline]
    #[expect(clippy::needless_bitwise_bool, reason = "a lazy `||` is a branch")]
    fn earlier(self, other: Self) -> Self {
        let is_other = (other.time < self.time) | ((other.time == self.time) & (other.index < self.index));
        Self {
            time: select_unpredictable(is_other, other.time, self.time),
            index: select_unpredictable(is_other, other.index, self.index),
        }
    }
}

/// The smallest of n times and its index, with O(log n) updates that touch one path of a flat array. Equal times: the smallest index.
///
/// Against a binary heap it has one fixed place per server, so a server's time is replaced without a pop and a push.
#[derive(Clone, Debug)]
pub struct WinnerTree {
    /// Node 1 is the root, node i has children 2i and 2i + 1, leaves start at `leaves`.
    nodes: Vec<Entry>,
    leaves: usize,
}

impl WinnerTree {
    /// A tree without any server.
    pub fn new() -> Self {
        Self::with_leaves(1)
    }

    fn with_leaves(leaves: usize) -> Self {
        let mut nodes = vec![Entry::new(NEVER, 0); 2 * leaves];
        for (index, node) in nodes[leaves..].iter_mut().enumerate() {
            *node = Entry::new(NEVER, index);
        }
        let mut tree = Self { nodes, leaves };
        tree.play_all();
        tree
    }

    /// Sets the time of server `index`, growing the tree if it is new.
    #[inline]
    pub fn set(&mut self, index: usize, time: u64) {
        if index >= self.leaves {
            self.grow(index + 1);
        }
        let mut node = self.leaves + index;
        // The winner so far stays in registers: on the way up only the other child of each node is read.
        let mut winner = Entry::new(time, index);
        let nodes = self.nodes.as_mut_slice();
        nodes[node] = winner;
        while node > 1 {
            winner = winner.earlier(nodes[node ^ 1]);
            node >>= 1;
            nodes[node] = winner;
        }
    }

    /// The earliest time and its server; [`NEVER`] if there is none.
    #[inline]
    pub fn first(&self) -> (u64, usize) {
        let winner = self.nodes[1];
        (winner.time, winner.index as usize)
    }

    fn play_all(&mut self) {
        for node in (1..self.leaves).rev() {
            self.nodes[node] = self.nodes[2 * node].earlier(self.nodes[2 * node + 1]);
        }
    }

    #[cold]
    fn grow(&mut self, servers: usize) {
        let mut larger = Self::with_leaves(servers.next_power_of_two());
        for index in 0..self.leaves {
            larger.nodes[larger.leaves + index] = self.nodes[self.leaves + index];
        }
        larger.play_all();
        *self = larger;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_is_the_smallest_time_then_the_smallest_index(updates in prop::collection::vec((0usize..40, prop_oneof![0u64..10, Just(NEVER)]), 1..200)) {
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
