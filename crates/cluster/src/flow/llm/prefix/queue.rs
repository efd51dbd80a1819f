//! Free blocks in the order in which they are used again.

use super::chains::Chains;

/// The chain of blocks nobody looks for.
pub const ANONYMOUS: u32 = u32::MAX;
const NONE: u32 = u32::MAX;

/// Blocks of one chain that stand together in the queue, the last of them first.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    chain: u32,
    /// The first and the one after the last.
    pub from: u64,
    pub to: u64,
    before: u32,
    after: u32,
}

/// A list of pieces, linked both ways.
#[derive(Clone, Debug)]
pub struct Queue {
    pieces: Vec<Piece>,
    vacant: Vec<u32>,
    head: u32,
    tail: u32,
    blocks: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self { pieces: Vec::new(), vacant: Vec::new(), head: NONE, tail: NONE, blocks: 0 }
    }
}

impl Queue {
    /// A piece.
    pub fn piece(&self, place: u32) -> Piece {
        self.pieces[place as usize]
    }

    /// Adds blocks `from..to` of a chain at the end. Gives their place; anonymous ones may join those before them.
    pub fn push(&mut self, chain: u32, (from, to): (u64, u64)) -> u32 {
        let count = to - from;
        self.blocks += count;
        if self.tail != NONE && chain == ANONYMOUS && self.pieces[self.tail as usize].chain == ANONYMOUS {
            self.pieces[self.tail as usize].to += count;
            return self.tail;
        }
        if count == 0 {
            return NONE;
        }
        let piece = Piece { chain, from, to, before: self.tail, after: NONE };
        let place = if let Some(place) = self.vacant.pop() {
            self.pieces[place as usize] = piece;
            place
        } else {
            self.pieces.push(piece);
            self.pieces.len() as u32 - 1
        };
        match self.tail {
            NONE => self.head = place,
            tail => self.pieces[tail as usize].after = place,
        }
        self.tail = place;
        place
    }

    /// Takes the first `count` blocks of a piece out. True if that was all of it: its place is no longer its own.
    pub fn take_front(&mut self, place: u32, count: u64) -> bool {
        self.pieces[place as usize].from += count;
        self.blocks -= count;
        self.remove_if_empty(place)
    }

    /// Uses blocks from the head until `blocks` are left.
    pub fn shrink(&mut self, blocks: u64, chains: &mut Chains) {
        while self.blocks > blocks {
            let head = self.head;
            let piece = &mut self.pieces[head as usize];
            let count = (self.blocks - blocks).min(piece.to - piece.from);
            piece.to -= count;
            let (chain, to) = (piece.chain, piece.to);
            self.blocks -= count;
            let is_gone = self.remove_if_empty(head);
            if chain != ANONYMOUS {
                chains.cut(chain, to as u32, is_gone);
            }
        }
    }

    fn remove_if_empty(&mut self, place: u32) -> bool {
        let Piece { from, to, before, after, .. } = self.pieces[place as usize];
        if from < to {
            return false;
        }
        match before {
            NONE => self.head = after,
            before => self.pieces[before as usize].after = after,
        }
        match after {
            NONE => self.tail = before,
            after => self.pieces[after as usize].before = before,
        }
        self.vacant.push(place);
        true
    }
}
