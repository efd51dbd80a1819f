//! KV caches of prompts on their way from the replicas that have computed them to those that decode.
//!
//! What is under way into or out of one replica shares its bandwidth evenly: a transfer goes as fast as the busier of its two ends lets it.

use super::{Instant, LlmFlow, NEVER, Slot};
use crate::flow::llm::engine::Engine;
use crate::flow::meter::Failure;
use crate::flow::reactive::{Kept, Ticket};
use crate::spec::KvTransfer;

/// One prompt on its way.
#[derive(Clone, Copy, Debug)]
struct Transfer {
    /// Key of its request.
    key: u32,
    from: Slot,
    to: Slot,
    /// When its first byte comes.
    begins: u64,
    /// Bytes still to come.
    left: f64,
    /// Bytes a nanosecond; 0 before it begins.
    rate: f64,
}

impl Transfer {
    /// When it is over at its present rate, seen from `now`; the instant it begins if it has not.
    fn due(&self, now: u64) -> u64 {
        if self.rate == 0.0 { self.begins } else { now.saturating_add((self.left / self.rate).ceil() as u64) }
    }
}

/// Everything on its way to the replicas of one service.
#[derive(Clone, Debug)]
pub(super) struct Transfers {
    rules: KvTransfer,
    /// In the order in which they were asked for.
    list: Vec<Transfer>,
    /// The instant `left` is about, and for which the rates hold until the next change.
    now: u64,
    next: u64,
}

impl Transfers {
    pub fn new(rules: KvTransfer) -> Self {
        Self { rules, list: Vec::new(), now: 0, next: NEVER }
    }

    /// When one begins or is over.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// A replica asks for the prompt of a request, of so many tokens, at `now`.
    pub fn begin(&mut self, key: u32, (from, to): (Slot, Slot), tokens: u32, now: u64) {
        self.progress(now);
        let begins = now + self.rules.latency.as_nanos();
        let left = f64::from(tokens) * self.rules.bytes_per_token;
        self.list.push(Transfer { key, from, to, begins, left, rate: 0.0 });
        self.share();
    }

    /// Brings all to `now` and takes out those that are over: (key, where it has come to).
    pub fn arrived(&mut self, now: u64) -> Vec<(u32, Slot)> {
        if self.next > now {
            return Vec::new();
        }
        let since = self.now;
        let is_over = |one: &Transfer| one.rate > 0.0 && one.due(since) <= now;
        let over: Vec<(u32, Slot)> = self.list.iter().filter(|one| is_over(one)).map(|one| (one.key, one.to)).collect();
        self.list.retain(|one| !is_over(one));
        self.progress(now);
        self.share();
        over
    }

    /// Nobody waits for the prompt of request `key` any longer.
    pub fn cancel(&mut self, key: u32, now: u64) {
        if self.list.iter().any(|one| one.key == key) {
            self.progress(now);
            self.list.retain(|one| one.key != key);
            self.share();
        }
    }

    fn progress(&mut self, now: u64) {
        let passed = (now - self.now) as f64;
        self.list.iter_mut().for_each(|one| one.left = (one.left - one.rate * passed).max(0.0));
        self.now = now;
    }

    /// Gives each its rate from now on.
    fn share(&mut self) {
        let now = self.now;
        let runs = |one: &&Transfer| one.begins <= now;
        let running: Vec<(Slot, Slot)> = self.list.iter().filter(runs).map(|one| (one.from, one.to)).collect();
        let whole = self.rules.bytes_per_second / 1e9;
        for one in self.list.iter_mut().filter(|one| one.begins <= now) {
            let out = running.iter().filter(|other| other.0 == one.from).count();
            let into = running.iter().filter(|other| other.1 == one.to).count();
            one.rate = whole / out.max(into) as f64;
        }
        self.next = self.list.iter().map(|one| one.due(now)).min().unwrap_or(NEVER);
    }
}

impl<E: Engine> LlmFlow<E> {
    /// Prompts that have come by now: their requests go on.
    pub(super) fn land(&mut self) {
        let Some(transfers) = &mut self.transfers else { return };
        let has_started = self.done_until.is_some_and(|until| until >= self.clock);
        for (key, slot) in transfers.arrived(self.clock) {
            self.engines[slot].land(key, Instant { now: self.clock, has_started });
            self.release_prompt(self.requests.get(key).ticket);
            self.touch(slot);
        }
    }

    /// Requests that the replica at `slot` has just given a seat fetch their prompts.
    pub(super) fn fetch(&mut self, slot: Slot) {
        let Some(transfers) = &mut self.transfers else { return };
        let mut fresh = Vec::new();
        self.engines[slot].take_fetching(&mut fresh);
        for key in fresh {
            let entry = self.requests.get(key);
            let kept = self.intake.apart().and_then(|reactive| reactive.kept(entry.ticket));
            let from = kept.expect("what is fetched is kept somewhere").slot;
            transfers.begin(key, (from, slot), entry.prompt, self.clock);
        }
    }

    /// Whether the prompt of a request is kept elsewhere, for it to fetch.
    pub(super) fn is_kept(&mut self, ticket: Ticket) -> bool {
        self.transfers.is_some() && self.intake.apart().is_some_and(|reactive| reactive.kept(ticket).is_some())
    }

    /// Whether it was, and is lost.
    pub(super) fn is_prompt_lost(&mut self, ticket: Ticket) -> bool {
        self.transfers.is_some() && self.intake.apart().is_some_and(|reactive| reactive.is_prompt_lost(ticket))
    }

    fn release_prompt(&mut self, ticket: Ticket) {
        if let Some(reactive) = self.intake.apart() {
            reactive.release(ticket);
        }
    }

    /// The prompts of these are gone with the replicas that kept them: their requests fail. Those that have not arrived do when they do.
    pub(super) fn lose_prompts(&mut self, lost: &[Kept]) {
        for &kept in lost {
            let ticket = self.intake.apart().and_then(|reactive| reactive.lose(kept));
            if let Some(key) = ticket.and_then(|ticket| self.requests.key_of(ticket)) {
                self.abandon(key, Failure::Lost);
            }
        }
    }

    /// Replicas need not keep what has been fetched, or will not be.
    pub(super) fn let_go_of(&mut self, released: &[Kept]) {
        let has_started = self.done_until.is_some_and(|until| until >= self.clock);
        for &Kept { slot, request: (key, generation) } in released {
            // Of a replica that is gone nothing is kept.
            if !self.requests.is_alive(key, generation) {
                continue;
            }
            self.requests.remove(key);
            self.kept.retain(|kept| kept.request.0 != key);
            self.engines[slot].let_go_of(key, Instant { now: self.clock, has_started });
            self.set_load(slot, self.seats[slot].load);
            self.touch(slot);
        }
    }

    /// A replica is gone with what it kept.
    pub(super) fn lose_kept(&mut self, slot: Slot) {
        let (gone, kept) = std::mem::take(&mut self.kept).into_iter().partition(|kept| kept.slot == slot);
        self.kept = kept;
        let gone: Vec<Kept> = gone;
        for kept in &gone {
            self.requests.remove(kept.request.0);
        }
        self.lost.extend(gone);
    }

    /// Whether a replica keeps what others have yet to fetch.
    pub(super) fn keeps(&self, slot: Slot) -> bool {
        self.kept.iter().any(|kept| kept.slot == slot)
    }
}

#[cfg(test)]
mod tests {
    use units::SimDuration;

    use super::*;

    fn transfers() -> Transfers {
        // Ten bytes a token, one byte a nanosecond, five nanoseconds to the first.
        Transfers::new(KvTransfer {
            bytes_per_second: 1e9,
            latency: SimDuration::from_nanos(5),
            bytes_per_token: 10.0,
            from_tokens: 0,
        })
    }

    /// Every landing until all is over.
    fn landings(transfers: &mut Transfers) -> Vec<(u64, u32)> {
        let mut landed = Vec::new();
        while transfers.next() != NEVER {
            let now = transfers.next();
            landed.extend(transfers.arrived(now).iter().map(|(key, _)| (now, *key)));
        }
        landed
    }

    #[test]
    fn alone_it_takes_the_latency_and_its_bytes() {
        let mut transfers = transfers();
        transfers.begin(1, (0, 0), 7, 100);
        assert_eq!(landings(&mut transfers), [(175, 1)]);
    }

    #[test]
    fn two_into_one_replica_share_its_bandwidth_and_the_rest_goes_faster() {
        let mut transfers = transfers();
        transfers.begin(1, (0, 2), 10, 0);
        transfers.begin(2, (1, 2), 4, 0);
        // From 5 on each has half; the short one is over at 85, and 60 bytes of the other are left.
        assert_eq!(landings(&mut transfers), [(85, 2), (145, 1)]);
    }

    #[test]
    fn between_other_replicas_they_do_not_meet() {
        let mut transfers = transfers();
        transfers.begin(1, (0, 2), 10, 0);
        transfers.begin(2, (1, 3), 10, 0);
        assert_eq!(landings(&mut transfers), [(105, 1), (105, 2)]);
    }

    #[test]
    fn what_is_given_up_leaves_its_share() {
        let mut transfers = transfers();
        transfers.begin(1, (0, 2), 10, 0);
        transfers.begin(2, (0, 3), 10, 0);
        transfers.arrived(5);
        transfers.cancel(1, 25);
        assert_eq!(landings(&mut transfers), [(115, 2)]);
    }
}
