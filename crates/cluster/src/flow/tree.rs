//! A winner tree: which server is free first.

/// "Never": not in the tree.
pub const NEVER: u64 = u64::MAX;

#[derive(Clone, Copy, Debug)]
struct Winner {
    time: u64,
    index: u32,
}

/// The smallest of n times and its index, with O(log n) updates that touch one path of a flat array. Equal times: the smallest index.
///
/// Against a binary heap it has one fixed place per server, so a server's time is replaced without a pop and a push.
#[derive(Clone, Debug)]
pub struct WinnerTree {
    /// Node 1 is the root, node i has children 2i and 2i + 1, leaves start at `leaves`.
    nodes: Vec<Winner>,
    leaves: usize,
}

impl WinnerTree {
    /// A tree without any server.
    pub fn new() -> Self {
        Self::with_leaves(1)
    }

    fn with_leaves(leaves: usize) -> Self {
        let mut nodes = vec![Winner { time: NEVER, index: 0 }; 2 * leaves];
        for (index, node) in nodes[leaves..].iter_mut().enumerate() {
            node.index = index as u32;
        }
        let mut tree = Self { nodes, leaves };
        (1..leaves).rev().for_each(|node| tree.play(node));
        tree
    }

    /// Sets the time of server `index`, growing the tree if it is new.
    #[inline]
    pub fn set(&mut self, index: usize, time: u64) {
        if index >= self.leaves {
            self.grow(index + 1);
        }
        let mut node = self.leaves + index;
        self.nodes[node].time = time;
        while node > 1 {
            node >>= 1;
            self.play(node);
        }
    }

    /// The earliest time and its server; [`NEVER`] if there is none.
    #[inline]
    pub fn first(&self) -> (u64, usize) {
        let winner = self.nodes[1];
        (winner.time, winner.index as usize)
    }

    #[inline]
    fn play(&mut self, node: usize) {
        let (left, right) = (self.nodes[2 * node], self.nodes[2 * node + 1]);
        self.nodes[node] = if right.time < left.time { right } else { left };
    }

    #[cold]
    fn grow(&mut self, servers: usize) {
        let mut larger = Self::with_leaves(servers.next_power_of_two());
        for index in 0..self.leaves {
            larger.nodes[larger.leaves + index].time = self.nodes[self.leaves + index].time;
        }
        (1..larger.leaves).rev().for_each(|node| larger.play(node));
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
