//! The requests in the system, by key.

use workload::Tag;

use crate::flow::Slot;
use crate::flow::reactive::Ticket;

/// The prompt is made of no numbered blocks.
pub const NO_LIST: u32 = u32::MAX;

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// With no replica.
    Queue,
    /// At the replica of a slot.
    At(Slot),
}

/// One attempt of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// When its client first asked.
    pub first_arrival: u64,
    /// When this attempt arrived.
    pub arrival: u64,
    /// Prompt tokens.
    pub prompt: u32,
    /// Output tokens.
    pub output: u32,
    /// Attempts so far, this one included.
    pub attempt: u32,
    /// Whom its end is told to.
    pub ticket: Ticket,
    /// Where it is.
    pub place: Place,
    /// What else is known of it.
    pub tag: Tag,
    /// The blocks its prompt is made of, in [`Lists`].
    pub list: u32,
    /// What is drawn for its client follows from this.
    pub number: u64,
}

impl Entry {
    /// A request that arrives for the first time.
    pub fn new(arrival: u64, (prompt, output): (u32, u32), ticket: Ticket) -> Self {
        let (tag, list, place) = (Tag::default(), NO_LIST, Place::Queue);
        Self { first_arrival: arrival, arrival, prompt, output, attempt: 1, ticket, place, tag, list, number: 0 }
    }
}

/// All requests that have arrived and have neither been answered nor failed. Keys are reused; a generation tells their users apart.
#[derive(Clone, Debug, Default)]
pub struct RequestTable {
    entries: Vec<Entry>,
    /// Odd while the key is in use.
    generations: Vec<u32>,
    vacant: Vec<u32>,
}

impl RequestTable {
    /// Takes a request in. Returns its key and generation.
    pub fn insert(&mut self, entry: Entry) -> (u32, u32) {
        let key = self.vacant.pop().unwrap_or_else(|| {
            self.entries.push(entry);
            self.generations.push(0);
            self.entries.len() as u32 - 1
        });
        let index = key as usize;
        self.entries[index] = entry;
        self.generations[index] = self.generations[index].wrapping_add(1);
        (key, self.generations[index])
    }

    /// Whether the request that got `key` in `generation` is still in the system.
    pub fn is_alive(&self, key: u32, generation: u32) -> bool {
        self.generations[key as usize] == generation
    }

    /// Keeps `key` in use for what a request that is over has left. Returns its generation: for who knew the request it is gone.
    pub fn leave(&mut self, key: u32) -> u32 {
        let generation = &mut self.generations[key as usize];
        *generation = generation.wrapping_add(2);
        *generation
    }

    /// The key of the request in the system whose end is told to `ticket`.
    pub fn key_of(&self, ticket: Ticket) -> Option<u32> {
        let is_it = |(entry, generation): (&Entry, &u32)| generation % 2 == 1 && entry.ticket == ticket;
        self.entries.iter().zip(&self.generations).position(is_it).map(|key| key as u32)
    }

    /// Takes a request out.
    pub fn remove(&mut self, key: u32) -> Entry {
        let index = key as usize;
        self.generations[index] = self.generations[index].wrapping_add(1);
        self.vacant.push(key);
        self.entries[index]
    }

    /// Notes where a request is now, and returns it.
    pub fn place(&mut self, key: u32, place: Place) -> Entry {
        self.entries[key as usize].place = place;
        self.entries[key as usize]
    }

    /// A request.
    pub fn get(&self, key: u32) -> Entry {
        self.entries[key as usize]
    }

    /// When the present attempt of a request arrived.
    pub fn arrival(&self, key: u32) -> u64 {
        self.entries[key as usize].arrival
    }

    /// The present attempt of a request.
    pub fn entry(&self, key: u32) -> &Entry {
        &self.entries[key as usize]
    }
}

/// Lists of numbered blocks, each with the request that brought it until that is over.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    lists: Vec<Vec<u32>>,
    vacant: Vec<u32>,
}

impl Lists {
    /// Keeps a list.
    pub fn keep(&mut self, blocks: &[u32]) -> u32 {
        if blocks.is_empty() {
            return NO_LIST;
        }
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.lists.push(Vec::new());
            self.lists.len() as u32 - 1
        });
        self.lists[place as usize].extend_from_slice(blocks);
        place
    }

    /// A list that is kept.
    pub fn get(&self, list: u32) -> &[u32] {
        &self.lists[list as usize]
    }

    /// Keeps it no longer.
    pub fn forget(&mut self, list: u32) {
        if list != NO_LIST {
            self.lists[list as usize].clear();
            self.vacant.push(list);
        }
    }
}
