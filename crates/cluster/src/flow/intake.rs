//! Requests on their way in: read ahead block by block, with the demand each was created with.

use units::SimTime;
use workload::{ArrivalCursor, Distribution, ServiceTimes, Tag, TraceChunk, Traffic};

use super::llm::{TagDraws, TokenCounts};
use super::reactive::{Answered, Coming, Handover, Reactive, Ticket};

/// "No such arrival": later than every run.
pub const NEVER: u64 = u64::MAX;

/// A window over the requests that have been read and not yet been taken: from the oldest one waiting to some way past the present.
///
/// Columns, because the batch recursion scans arrivals only. Everything before `head` has been taken.
pub struct Intake {
    cursor: ArrivalCursor,
    demands: Option<ServiceTimes>,
    exhausted: bool,
    chunk: TraceChunk,
    /// Arrivals in nanoseconds, ascending. After the last request of the traffic come `padding` entries of `NEVER`.
    pub arrivals: Vec<u64>,
    /// Service times in nanoseconds; as long as `arrivals`, or empty if the service does not use them.
    pub service: Vec<u64>,
    /// Prompt tokens; as long as `arrivals`, or empty if the service does not use them.
    pub prompt_tokens: Vec<u32>,
    /// Output tokens, likewise.
    pub output_tokens: Vec<u32>,
    /// What else is known of requests, and the blocks of their prompts, row by row as far as anything is.
    known: TraceChunk,
    /// Tokens of requests that come without.
    tokens: Option<TokenCounts>,
    /// What else is drawn for each request.
    tags: Option<TagDraws>,
    /// First request not taken.
    pub head: usize,
    padding: usize,
    read: u64,
    read_before: u64,
    measure_from: u64,
    /// Requests before the traffic, until they are all read.
    early: Option<Early>,
    /// When the traffic starts.
    origin: u64,
    /// Requests that follow from others, and who waits for what.
    reactive: Option<Box<Reactive>>,
}

/// Requests of the prehistory, with numbers of their own, so that those after them are the same with and without.
struct Early {
    cursor: ArrivalCursor,
    demands: Option<ServiceTimes>,
    tokens: Option<TokenCounts>,
    tags: Option<TagDraws>,
}

impl Intake {
    /// Reads `traffic` under `seed`; `service` draws a service time per request if given. At least `padding` entries (real ones or
    /// `NEVER`) can always be looked at past the head after [`Intake::ensure`].
    pub fn new(traffic: &Traffic, seed: u64, end: SimTime, service: Option<&Distribution>, padding: usize) -> Self {
        Self {
            cursor: ArrivalCursor::new(traffic, seed, end),
            demands: service.map(|distribution| ServiceTimes::new(distribution, seed)),
            exhausted: false,
            chunk: TraceChunk::default(),
            arrivals: Vec::new(),
            service: Vec::new(),
            prompt_tokens: Vec::new(),
            output_tokens: Vec::new(),
            known: TraceChunk::default(),
            tokens: None,
            tags: None,
            head: 0,
            padding,
            read: 0,
            read_before: 0,
            measure_from: 0,
            early: None,
            origin: 0,
            reactive: None,
        }
    }

    /// The traffic starts at `origin`. Before it come the requests of `early`, which draws its numbers under a seed of its own: their
    /// demands from `service` if given, and their tokens from `tokens` where they come without.
    pub fn preceded_by(
        mut self,
        origin: SimTime,
        (early, seed): (Option<&Traffic>, u64),
        service: Option<&Distribution>,
        tokens: Option<TokenCounts>,
    ) -> Self {
        self.origin = origin.as_nanos();
        self.early = early.map(|early| Early {
            cursor: ArrivalCursor::new(early, seed, origin),
            demands: service.map(|distribution| ServiceTimes::new(distribution, seed)),
            tokens,
            tags: None,
        });
        self
    }

    /// Requests that arrive before `from` are left out of [`Intake::arrived_measured`].
    pub fn measure_from(mut self, from: u64) -> Self {
        self.measure_from = from;
        self
    }

    /// Keeps the tokens of requests: the traffic's own, or `tokens` where it has none. Requests must then be taken one by one, and not
    /// be put back.
    pub fn with_tokens(mut self, tokens: TokenCounts) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Has requests follow from others. They must then be looked at with [`Intake::next_arrival`] and taken with [`Intake::admit`], and their ends
    /// told to [`Intake::ended`]: the flows that handle every request do.
    pub fn with_reactive(mut self, reactive: Option<Box<Reactive>>) -> Self {
        self.reactive = reactive;
        self
    }

    /// Whether what follows depends on how requests end.
    #[inline]
    pub fn is_reactive(&self) -> bool {
        self.reactive.is_some()
    }

    /// When the next request arrives, `NEVER` if none is known. It is then at the head.
    #[inline]
    pub fn next_arrival(&mut self) -> u64 {
        self.ensure(1);
        if self.reactive.is_some() {
            self.bring_forward();
        }
        self.arrivals[self.head]
    }

    /// Takes the request at the head, which [`Intake::next_arrival`] has shown. Its ticket; 0 where nothing follows from any.
    #[inline]
    pub fn admit(&mut self) -> Ticket {
        let head = self.head;
        self.head += 1;
        let Some(reactive) = &mut self.reactive else { return 0 };
        let tokens = self.prompt_tokens.get(head).copied().zip(self.output_tokens.get(head).copied());
        reactive.admit(self.arrivals[head], tokens.unwrap_or_default(), self.known.tag(head))
    }

    /// What else is known of a request in the system, where requests follow from others.
    pub fn tag_of(&self, ticket: Ticket) -> Option<Tag> {
        self.reactive.as_ref().map(|reactive| reactive.tag(ticket))
    }

    /// The request of a ticket has ended at `at`, with an answer or without.
    #[inline]
    pub fn ended(&mut self, ticket: Ticket, at: u64, is_answered: bool) {
        if let Some(reactive) = &mut self.reactive {
            reactive.ended(ticket, at, is_answered, None);
        }
    }

    /// The request of a ticket was answered at `at`, and its prompt is kept to be fetched.
    pub fn handed_over(&mut self, ticket: Ticket, at: u64, handover: Handover) {
        if let Some(reactive) = &mut self.reactive {
            reactive.ended(ticket, at, true, Some(handover));
        }
    }

    /// Whether a request with a prompt of so many tokens is left to the service that answers.
    #[inline]
    pub fn goes_on(&self, prompt: u32) -> bool {
        self.reactive.as_ref().is_some_and(|reactive| reactive.goes_on(prompt))
    }

    /// The request at the head, which [`Intake::next_arrival`] has shown, is left to the service that answers: it does not count as one that has
    /// arrived here.
    pub fn pass_on(&mut self, tokens: (u32, u32)) {
        let at = self.arrivals[self.head];
        let ticket = self.admit();
        self.read -= 1;
        self.read_before -= u64::from(at < self.measure_from);
        if let Some(reactive) = &mut self.reactive {
            reactive.pass_on(ticket, at, tokens);
        }
    }

    /// Those of a service whose prompts are computed by one and answered by another.
    pub fn apart(&mut self) -> Option<&mut Reactive> {
        self.reactive.as_deref_mut()
    }

    /// Whether what is computed here is kept for others to fetch.
    pub fn hands_over(&self) -> bool {
        self.reactive.as_ref().is_some_and(|reactive| reactive.hands_over())
    }

    /// A number of a request in the system that is its own in every policy, where requests follow from others.
    pub fn identity(&self, ticket: Ticket) -> Option<u64> {
        self.reactive.as_ref().map(|reactive| reactive.identity(ticket))
    }

    /// Whether a request that arrives at `at` is one of the prehistory.
    pub fn is_early(&self, at: u64) -> bool {
        at < self.origin
    }

    /// When the first request of the chain of a request in the system arrived, if chains are known.
    pub fn asked(&self, ticket: Ticket) -> Option<u64> {
        self.reactive.as_ref().map(|reactive| reactive.asked(ticket))
    }

    /// Requests of the service that calls this one have been answered, none of them before what was taken here last.
    pub fn take_calls(&mut self, answered: &[Answered]) {
        self.reactive.as_mut().expect("another service calls this one").take_calls(answered);
    }

    /// Moves what has been answered since to `into`.
    pub fn take_answered(&mut self, into: &mut Vec<Answered>) {
        if let Some(reactive) = &mut self.reactive {
            reactive.take_answered(into);
        }
    }

    /// Puts what follows from others before what was read, as far as it comes earlier.
    fn bring_forward(&mut self) {
        let first = self.arrivals[self.head];
        let Some(coming) = self.reactive.as_mut().and_then(|reactive| reactive.next_before(first)) else { return };
        let Coming { at, service, tokens: (prompt, output), since, .. } = coming;
        if self.head == 0 {
            // The window begins with requests that have long been taken.
            const ROOM: usize = 64;
            self.arrivals.splice(0..0, std::iter::repeat_n(0, ROOM));
            if self.demands.is_some() {
                self.service.splice(0..0, std::iter::repeat_n(0, ROOM));
            }
            if self.tokens.is_some() {
                self.prompt_tokens.splice(0..0, std::iter::repeat_n(0, ROOM));
                self.output_tokens.splice(0..0, std::iter::repeat_n(0, ROOM));
                self.known.prepend_unknown(ROOM);
            }
            self.head = ROOM;
        }
        self.head -= 1;
        self.arrivals[self.head] = at;
        if self.demands.is_some() {
            self.service[self.head] = service;
        }
        if self.tokens.is_some() {
            self.prompt_tokens[self.head] = prompt;
            self.output_tokens[self.head] = output;
        }
        self.read += 1;
        self.read_before += u64::from(since < self.measure_from);
    }

    /// Draws what else is to be known of each request.
    pub fn with_tags(mut self, tags: Option<TagDraws>) -> Self {
        self.tags = tags;
        self
    }

    /// The same of the requests that come before the traffic.
    pub fn with_early_tags(mut self, tags: Option<TagDraws>) -> Self {
        if let Some(early) = &mut self.early {
            early.tags = tags;
        }
        self
    }

    /// Makes `count` entries from the head on readable.
    #[inline]
    pub fn ensure(&mut self, count: usize) {
        while self.head + count > self.arrivals.len() {
            self.read_block(count);
        }
    }

    /// Takes the first request, which must be readable: its arrival and its service time (0 without one).
    #[inline]
    pub fn take(&mut self) -> (u64, u64) {
        let head = self.head;
        self.head += 1;
        (self.arrivals[head], self.service.get(head).copied().unwrap_or(0))
    }

    /// What else is known of the request in row `row` of the window, if it was read.
    pub fn tag(&self, row: usize) -> Tag {
        self.known.tag(row)
    }

    /// The numbered blocks its prompt is made of, if they are known.
    pub fn blocks_of(&self, row: usize) -> &[u32] {
        self.known.blocks_of(row)
    }

    /// Reads until every arrival up to and including `time` is in the window.
    pub fn ensure_until(&mut self, time: u64) {
        while !self.exhausted && self.arrivals.last().is_none_or(|&last| last <= time) {
            self.read_block(self.padding);
        }
    }

    /// Requests in the window that arrived up to and including `time` and have not been taken.
    pub fn waiting(&self, time: u64) -> usize {
        self.arrivals[self.head..].partition_point(|&arrival| arrival <= time)
    }

    /// Requests that arrived up to and including `time`, which must not be before any request taken.
    pub fn arrived(&mut self, time: u64) -> u64 {
        self.ensure_until(time);
        self.read - self.later_than(time)
    }

    /// The same, without those of the warm-up.
    pub fn arrived_measured(&mut self, time: u64) -> u64 {
        self.arrived(time) - self.read_before
    }

    /// Puts requests (arrival, service time), oldest first, back to where they stood: before what arrived with them or later, after
    /// what arrived earlier and has itself been put back.
    pub fn put_back(&mut self, requests: &[(u64, u64)]) {
        let count = requests.len();
        if self.head < count {
            let room = (count - self.head).max(1_024);
            self.arrivals.splice(0..0, std::iter::repeat_n(0, room));
            if self.demands.is_some() {
                self.service.splice(0..0, std::iter::repeat_n(0, room));
            }
            self.head += room;
        }
        self.head -= count;
        // A merge in place: what is written never overtakes what has yet to be read.
        let (mut place, mut older) = (self.head, self.head + count);
        for &(arrival, service) in requests {
            while self.arrivals.get(older).is_some_and(|&other| other < arrival) {
                self.arrivals[place] = self.arrivals[older];
                if self.demands.is_some() {
                    self.service[place] = self.service[older];
                }
                place += 1;
                older += 1;
            }
            self.arrivals[place] = arrival;
            if self.demands.is_some() {
                self.service[place] = service;
            }
            place += 1;
        }
    }

    /// Drops the waiting requests `from..to`, counted from the head, handing each arrival to `each`.
    pub fn drop_waiting(&mut self, from: usize, to: usize, mut each: impl FnMut(u64)) {
        let range = self.head + from..self.head + to;
        self.arrivals[range.clone()].iter().for_each(|&arrival| each(arrival));
        self.arrivals.drain(range.clone());
        if self.demands.is_some() {
            self.service.drain(range);
        }
    }

    fn later_than(&self, time: u64) -> u64 {
        let real = self.arrivals.partition_point(|&arrival| arrival != NEVER);
        (real - self.arrivals[..real].partition_point(|&arrival| arrival <= time)) as u64
    }

    #[cold]
    fn read_block(&mut self, wanted: usize) {
        if self.head > 4_096 && self.head > self.arrivals.len() / 2 {
            self.arrivals.drain(..self.head);
            if self.demands.is_some() {
                self.service.drain(..self.head);
            }
            if self.tokens.is_some() {
                self.prompt_tokens.drain(..self.head);
                self.output_tokens.drain(..self.head);
                self.known.forget_first(self.head);
            }
            self.head = 0;
        }
        if !self.read_chunk() {
            self.exhausted = true;
            self.arrivals.extend(std::iter::repeat_n(NEVER, wanted.max(self.padding)));
            if self.demands.is_some() {
                self.service.resize(self.arrivals.len(), 0);
            }
            if self.tokens.is_some() {
                self.prompt_tokens.resize(self.arrivals.len(), 0);
                self.output_tokens.resize(self.arrivals.len(), 0);
            }
            return;
        }
        let fresh = &self.chunk.arrival_ns;
        self.read += fresh.len() as u64;
        self.read_before += fresh.partition_point(|&arrival| arrival < self.measure_from) as u64;
        self.arrivals.extend_from_slice(fresh);
        let (demands, tokens, tags) = match &mut self.early {
            Some(early) => (&mut early.demands, &mut early.tokens, &mut early.tags),
            None => (&mut self.demands, &mut self.tokens, &mut self.tags),
        };
        if let Some(demands) = demands {
            demands.fill(&mut self.service, fresh.len());
        }
        if let Some(tokens) = tokens {
            let rows = (self.arrivals.len() - fresh.len(), self.arrivals.len());
            self.known.extend_known(&self.chunk, rows.0);
            if let Some(tags) = tags {
                tags.fill(&mut self.known.tags, rows);
            }
            if self.chunk.has_tokens() {
                self.prompt_tokens.extend_from_slice(&self.chunk.prompt_tokens);
                self.output_tokens.extend_from_slice(&self.chunk.output_tokens);
            } else {
                tokens.fill(&mut self.prompt_tokens, &mut self.output_tokens, fresh.len());
            }
        }
    }

    /// Reads the next block into the chunk: of the early requests while there are some, then of the traffic. False at the end.
    fn read_chunk(&mut self) -> bool {
        self.chunk.clear();
        if let Some(early) = &mut self.early {
            if early.cursor.fill(&mut self.chunk) {
                return true;
            }
            self.early = None;
        }
        let is_more = !self.exhausted && self.cursor.fill(&mut self.chunk);
        if self.origin > 0 {
            self.chunk.arrival_ns.iter_mut().for_each(|arrival| *arrival += self.origin);
        }
        is_more
    }
}
