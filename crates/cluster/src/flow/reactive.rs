//! Requests that come because others have ended: the next of a client, the next turn of a session, the calls of another service.
//!
//! They wait here until their time has come and then stand before what the intake has read. Each has a ticket from its arrival to its end;
//! the flow gives it back with what became of it. The demand of such a request follows from its number alone, so that it is the same in
//! every policy, whoever is served first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use units::SimTime;
use workload::{Conversation, Distribution, LoadDriver, Purpose, Sampler, Sent, Stream, Tag, Traffic, Turn};

use super::Slot;
use super::llm::TagLaw;
use crate::spec::{CalledBy, ServiceModel, ServiceSpec};

/// Number of a request while it is in the system.
pub type Ticket = u32;

/// A request that has been answered, as those who act on it see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// A number that is its own, the same in every policy.
    pub identity: u64,
    /// When the first request of the chain that it belongs to arrived.
    pub asked: u64,
    /// When it was answered.
    pub at: u64,
    /// What there is for those who answer in place of this service.
    pub handover: Option<Handover>,
}

/// A request that another service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handover {
    /// Where its prompt has been computed and is kept; `None`: nowhere, the other computes it.
    pub kept: Option<Kept>,
    /// Tokens of the request: prompt and answer.
    pub tokens: (u32, u32),
    /// What else is known of it.
    pub tag: Tag,
}

/// The KV cache of a prompt that a replica of the caller keeps until it has been fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The replica.
    pub slot: Slot,
    /// The request there, as its flow knows it.
    pub request: (u32, u32),
}

/// A request that is to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coming {
    /// When, on the clock of the arrivals.
    pub at: u64,
    /// Of those at one instant the one announced first comes first.
    order: u64,
    ticket: Ticket,
    /// Its service time in nanoseconds, where the service has one.
    pub service: u64,
    /// Its tokens, likewise.
    pub tokens: (u32, u32),
    /// When its client asked, as far as it knows: it belongs to the part of the run in which that is.
    pub since: u64,
}

/// What a request in the system is to those who wait for its end.
#[derive(Clone, Debug)]
struct Held {
    identity: u64,
    asked: u64,
    role: Role,
    prompt: Prompt,
    tag: Tag,
}

/// Where the KV cache of a request's prompt comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prompt {
    /// Its replica computes it, or has it.
    Own,
    /// Another keeps it.
    At(Kept),
    /// The other is gone, and it with that.
    Lost,
}

#[derive(Clone, Debug)]
enum Role {
    /// Nobody waits but other services.
    Plain,
    /// Of a load test, by number.
    OfTest(u64),
    /// A turn of a session.
    OfSession(Box<Turn>),
}

/// Of a request of the prehistory, so that those after it have the numbers they have without one.
const EARLY: u64 = 1 << 63;

/// What follows from the ends of requests.
pub struct Reactive {
    seed: u64,
    origin: u64,
    driver: Option<LoadDriver>,
    sessions: Option<Conversation>,
    called_by: Option<CalledBy>,
    /// Who answers are told to, if anybody.
    answered: Option<Vec<Answered>>,
    /// They fetch what has been computed here: prompts of so many tokens at least. Those of fewer go on as they come.
    hands_over: Option<u32>,
    /// What need not be kept any longer.
    released: Vec<Kept>,
    service_time: Option<Sampler>,
    tokens: Option<(Sampler, Sampler)>,
    tags: Option<TagLaw>,
    held: Vec<Held>,
    vacant: Vec<Ticket>,
    later: BinaryHeap<Reverse<Coming>>,
    /// Tickets of those that stand before what was read, the next one last.
    standing: Vec<Ticket>,
    announced: u64,
    /// Requests read that have arrived: of the run, and before it.
    read: (u64, u64),
    sent: Vec<Sent>,
}

impl Reactive {
    /// Of a service some of whose requests follow from others, or whose answers others act on (`is_heard`) or fetch (`hands_over`); `None`
    /// of any other.
    pub fn of(
        service: &ServiceSpec,
        (is_heard, hands_over): (bool, Option<u32>),
        seed: u64,
        (origin, end): (SimTime, SimTime),
    ) -> Option<Box<Self>> {
        let follows = service.traffic.follows_answers() || service.called_by.is_some();
        if !follows && !is_heard {
            return None;
        }
        let (service_time, tokens) = match &service.model {
            ServiceModel::Slots { service, .. } => (Some(service), None),
            ServiceModel::DynamicBatching { .. } => (None, None),
            ServiceModel::ContinuousBatching { prompt_tokens, output_tokens, .. } => {
                (None, Some((prompt_tokens, output_tokens)))
            }
        };
        let driver = match &service.traffic {
            Traffic::LoadTest(test) if test.follows_answers() => Some(LoadDriver::new(test, seed, end)),
            _ => None,
        };
        let sessions = match &service.traffic {
            Traffic::Sessions { law, .. } => Some(Conversation::new(law, tokens, seed)),
            _ => None,
        };
        let mut reactive = Self {
            seed,
            origin: origin.as_nanos(),
            driver,
            sessions,
            called_by: service.called_by,
            answered: is_heard.then(Vec::new),
            hands_over,
            released: Vec::new(),
            service_time: service_time.map(Distribution::sampler),
            tokens: tokens.map(|(prompt, output)| (prompt.sampler(), output.sampler())),
            tags: TagLaw::new(&service.tags),
            held: Vec::new(),
            vacant: Vec::new(),
            later: BinaryHeap::new(),
            standing: Vec::new(),
            announced: 0,
            read: (0, 0),
            sent: Vec::new(),
        };
        if let Some(driver) = &mut reactive.driver {
            driver.begin(&mut reactive.sent);
            reactive.announce_sent();
        }
        Some(Box::new(reactive))
    }

    /// The next of those to come, if it does so before `read`, the next that was read; it then stands before that.
    pub fn next_before(&mut self, read: u64) -> Option<Coming> {
        let Reverse(next) = *self.later.peek()?;
        if next.at >= read {
            return None;
        }
        self.later.pop();
        self.standing.push(next.ticket);
        Some(next)
    }

    /// The next request arrives: one that stood before, or one that was read, which arrives at `at` with `tokens` and of which `tag` is known. Its
    /// ticket.
    pub fn admit(&mut self, at: u64, tokens: (u32, u32), mut tag: Tag) -> Ticket {
        if let Some(ticket) = self.standing.pop() {
            return ticket;
        }
        let identity = if at < self.origin {
            self.read.1 += 1;
            EARLY | self.read.1
        } else {
            self.read.0 += 1;
            self.read.0 - 1
        };
        let role = match &self.sessions {
            Some(sessions) if at >= self.origin => {
                // Session numbers begin at 1.
                tag.session = identity as u32 + 1;
                Role::OfSession(Box::new(sessions.begin(identity, tokens)))
            }
            _ => Role::Plain,
        };
        self.hold(Held { identity, asked: at, role, prompt: Prompt::Own, tag })
    }

    /// When the first request of the chain of one in the system arrived.
    pub fn asked(&self, ticket: Ticket) -> u64 {
        self.held[ticket as usize].asked
    }

    /// A number of a request in the system that is its own, the same in every policy.
    pub fn identity(&self, ticket: Ticket) -> u64 {
        self.held[ticket as usize].identity
    }

    /// What else is known of a request in the system.
    pub fn tag(&self, ticket: Ticket) -> Tag {
        self.held[ticket as usize].tag
    }

    /// Whether what is computed here is kept for others to fetch.
    pub fn hands_over(&self) -> bool {
        self.hands_over.is_some()
    }

    /// Whether a request with a prompt of so many tokens is left to those who answer.
    pub fn goes_on(&self, prompt: u32) -> bool {
        self.hands_over.is_some_and(|from| prompt < from)
    }

    /// A request that has just arrived, at `at`, is left to those who answer.
    pub fn pass_on(&mut self, ticket: Ticket, at: u64, tokens: (u32, u32)) {
        let handover = Handover { kept: None, tokens, tag: self.tag(ticket) };
        self.ended(ticket, at, true, Some(handover));
    }

    /// Where the prompt of a request in the system is kept, if elsewhere.
    pub fn kept(&self, ticket: Ticket) -> Option<Kept> {
        if let Prompt::At(kept) = self.held[ticket as usize].prompt { Some(kept) } else { None }
    }

    /// Whether the prompt of a request was lost with who kept it.
    pub fn is_prompt_lost(&self, ticket: Ticket) -> bool {
        self.held[ticket as usize].prompt == Prompt::Lost
    }

    /// The prompt of a request need not be kept elsewhere any longer.
    pub fn release(&mut self, ticket: Ticket) {
        let prompt = &mut self.held[ticket as usize].prompt;
        if let Prompt::At(kept) = std::mem::replace(prompt, Prompt::Own) {
            self.released.push(kept);
        }
    }

    /// Moves what need not be kept any longer to `into`.
    pub fn take_released(&mut self, into: &mut Vec<Kept>) {
        into.append(&mut self.released);
    }

    /// A prompt is lost with its keeper: whose it was.
    pub fn lose(&mut self, kept: Kept) -> Option<Ticket> {
        let ticket = self.held.iter().position(|held| held.prompt == Prompt::At(kept))?;
        self.held[ticket].prompt = Prompt::Lost;
        Some(ticket as Ticket)
    }

    /// A request has ended at `at`; answered, it may have something to hand over.
    pub fn ended(&mut self, ticket: Ticket, at: u64, is_answered: bool, handover: Option<Handover>) {
        self.release(ticket);
        let Held { identity, asked, tag, ref mut role, ref mut prompt } = self.held[ticket as usize];
        let role = std::mem::replace(role, Role::Plain);
        *prompt = Prompt::Own;
        self.vacant.push(ticket);
        if let Some(answered) = self.answered.as_mut().filter(|_| is_answered) {
            answered.push(Answered { identity, asked, at, handover });
        }
        match role {
            Role::Plain => {}
            Role::OfTest(number) => {
                let driver = self.driver.as_mut().expect("a load test sent it");
                driver.ended(number, (at - self.origin, is_answered), &mut self.sent);
                self.announce_sent();
            }
            Role::OfSession(turn) => {
                let sessions = self.sessions.as_ref().expect("a session asked it");
                // Who gets no answer does not go on.
                if let Some(next) = sessions.next(&turn).filter(|_| is_answered) {
                    let identity = Stream::new(identity, Purpose::Sessions, 0).next_u64();
                    let (service, _) = self.demand(identity);
                    let at = at + next.after_ns;
                    let role = Role::OfSession(Box::new(next.turn));
                    let held = Held { identity, asked: at, role, prompt: Prompt::Own, tag };
                    self.announce(at, held, (service, next.tokens));
                }
            }
        }
    }

    /// Requests of the service that calls this one have been answered: some of them call.
    pub fn take_calls(&mut self, answered: &[Answered]) {
        let Some(CalledBy { share, count, transfer, .. }) = self.called_by else { return };
        for answer in answered {
            // What the caller hands over is for who answers in its place; of what it has left to that others never hear.
            let handover = answer.handover.filter(|_| transfer.is_some());
            if transfer.is_none() && answer.handover.is_some_and(|handover| handover.kept.is_none()) {
                continue;
            }
            let mut dice = Stream::new(self.seed, Purpose::Calls, answer.identity);
            if dice.uniform() >= share {
                continue;
            }
            for _ in 0..count {
                let identity = dice.next_u64();
                let kept = handover.and_then(|handover| handover.kept);
                let prompt = kept.map_or(Prompt::Own, Prompt::At);
                let tag = handover.map_or_else(|| self.drawn_tag(identity), |handover| handover.tag);
                let held = Held { identity, asked: answer.asked, role: Role::Plain, prompt, tag };
                let demand = handover.map_or_else(|| self.demand(identity), |handover| (0, handover.tokens));
                self.announce(answer.at, held, demand);
            }
        }
    }

    /// Moves what has been answered since to `into`.
    pub fn take_answered(&mut self, into: &mut Vec<Answered>) {
        if let Some(answered) = &mut self.answered {
            into.append(answered);
        }
    }

    fn announce_sent(&mut self) {
        for Sent { at_ns, number } in std::mem::take(&mut self.sent) {
            let at = self.origin + at_ns;
            let tag = self.drawn_tag(number);
            let held = Held { identity: number, asked: at, role: Role::OfTest(number), prompt: Prompt::Own, tag };
            let demand = self.demand(number);
            self.announce(at, held, demand);
        }
    }

    fn announce(&mut self, at: u64, held: Held, (service, tokens): (u64, (u32, u32))) {
        let since = if held.prompt == Prompt::Own { at } else { held.asked };
        let ticket = self.hold(held);
        self.announced += 1;
        self.later.push(Reverse(Coming { at, order: self.announced, ticket, service, tokens, since }));
    }

    /// Service time and tokens of a request, from its identity alone.
    fn demand(&self, identity: u64) -> (u64, (u32, u32)) {
        let mut dice = Stream::new(self.seed, Purpose::Following, identity);
        let service = self
            .service_time
            .as_ref()
            .map_or(0, |law| units::SimDuration::from_secs_f64(law.sample(&mut dice)).as_nanos());
        let mut whole = |law: &Sampler| ((law.sample(&mut dice) + 0.5) as u32).max(1);
        let tokens = self.tokens.as_ref().map_or((1, 1), |(prompt, output)| (whole(prompt), whole(output)));
        (service, tokens)
    }

    /// What a request is that begins nothing of its own and goes on with nothing, from its identity alone.
    fn drawn_tag(&self, identity: u64) -> Tag {
        let draw = |law: &TagLaw| law.draw(&mut Stream::new(self.seed, Purpose::FollowingTags, identity));
        self.tags.as_ref().map(draw).unwrap_or_default()
    }

    fn hold(&mut self, held: Held) -> Ticket {
        if let Some(ticket) = self.vacant.pop() {
            self.held[ticket as usize] = held;
            return ticket;
        }
        self.held.push(held);
        self.held.len() as Ticket - 1
    }
}
