//! Savings plans and reserved instances: money spent by the hour whether it is used or not.
//!
//! A clock hour's commitment is a budget that running on-demand instances of the covered types draw on, at their rates under it, until it
//! is spent; from then to the end of the hour they are billed on demand. What is left when the hour ends is paid all the same. Over an hour
//! that is min(usage, commitment) at the committed rates, the rest on demand, as providers bill it: AWS applies both kinds by the clock hour.
//! It knows nothing of pods: only which offerings have how many billed instances.

use record::{GpuUse, Purchase};
use units::{Cost, SimDuration, SimTime, UsdPerHour};

use super::Fleet;
use super::event::{FleetEvent, Out};
use super::meter::Tariff;
use super::node::Offer;
use crate::spec::CommitmentSpec;

const HOUR: SimDuration = SimDuration::from_secs(3_600);

/// One commitment at work.
#[derive(Clone, Debug)]
pub(super) struct Commitment {
    per_hour: UsdPerHour,
    /// Rate of each offering it covers, by index.
    rates: Vec<Option<UsdPerHour>>,
    /// When the present clock hour began; the start of the run in the first.
    hour: SimTime,
    /// What running instances have drawn since then, up to `since`.
    used: Cost,
    since: SimTime,
    /// What the instances it covers draw in a nanosecond.
    draw: u128,
    /// Budget of the hour.
    budget: Cost,
    /// What was unused of it when the measurement began.
    forgotten: Cost,
    spent: bool,
    /// Grows with each change, so that older forecasts of its exhaustion do not count.
    epoch: u32,
}

impl Commitment {
    fn new(spec: &CommitmentSpec, offers: &[Offer]) -> Self {
        let rate = |offer: &Offer| {
            let is_covered = offer.spec.purchase == Purchase::OnDemand;
            let rate = spec.rates.iter().find(|(name, _)| *name == offer.spec.instance_type);
            rate.filter(|_| is_covered).map(|rate| rate.1)
        };
        Self {
            per_hour: spec.per_hour,
            rates: offers.iter().map(rate).collect(),
            hour: SimTime::ZERO,
            used: Cost::ZERO,
            since: SimTime::ZERO,
            draw: 0,
            budget: Cost::ZERO,
            forgotten: Cost::ZERO,
            spent: false,
            epoch: 0,
        }
    }

    fn used_at(&self, now: SimTime) -> Cost {
        self.used + Cost::from_raw(self.draw * u128::from((now - self.since).as_nanos()))
    }

    fn accrue(&mut self, now: SimTime) {
        self.used = self.used_at(now);
        self.since = now;
    }

    /// What the hour so far costs beyond what was drawn.
    fn unused_at(&self, now: SimTime) -> Cost {
        let due = self.per_hour.cost_of(now - self.hour);
        let beyond = due.raw().saturating_sub(self.used_at(now).raw());
        Cost::from_raw(beyond.saturating_sub(self.forgotten.raw()))
    }

    /// A new hour, or what the run has of its first, with its budget.
    fn begin_hour(&mut self, now: SimTime, end: SimTime) {
        self.hour = now;
        self.since = now;
        self.used = Cost::ZERO;
        self.forgotten = Cost::ZERO;
        self.budget = self.per_hour.cost_of(end - now);
        self.spent = false;
    }
}

impl Fleet {
    /// The commitments, and the end of the first clock hour.
    pub(super) fn start_commitments(&mut self, out: &mut Out) {
        let specs = std::mem::take(&mut self.spec.commitments);
        self.commitments = specs.iter().map(|spec| Commitment::new(spec, &self.offers)).collect();
        self.spec.commitments = specs;
        if !self.commitments.is_empty() {
            self.begin_hours();
            out.at(self.hour_end(), FleetEvent::CommitmentHour);
        }
    }

    /// The end of the clock hour that now is in.
    fn hour_end(&self) -> SimTime {
        let hour = HOUR.as_nanos();
        let offset = self.start_unix_seconds.rem_euclid(3_600).unsigned_abs() * 1_000_000_000;
        SimTime::from_nanos(((self.now.as_nanos() + offset) / hour + 1) * hour - offset)
    }

    fn begin_hours(&mut self) {
        let (now, end) = (self.now, self.hour_end());
        for commitment in &mut self.commitments {
            commitment.begin_hour(now, end);
        }
    }

    /// A clock hour is over: what was not used of it is paid, and the next one has its budget.
    pub(super) fn on_commitment_hour(&mut self, out: &mut Out) {
        self.pay_unused();
        self.begin_hours();
        self.apply_commitments(out);
        out.at(self.hour_end(), FleetEvent::CommitmentHour);
    }

    /// The budget of an hour may be spent.
    pub(super) fn on_commitment_spent(&mut self, index: u32, epoch: u32, out: &mut Out) {
        if self.commitments[index as usize].epoch == epoch {
            self.commitments[index as usize].spent = true;
            self.apply_commitments(out);
        }
    }

    /// Puts what the present hour costs beyond its use into the ledger.
    pub(super) fn pay_unused(&mut self) {
        for commitment in &mut self.commitments {
            let unused = commitment.unused_at(self.now);
            commitment.accrue(self.now);
            if unused > Cost::ZERO {
                self.ledger.bill_exactly(unused);
                self.ledger.attribute((GpuUse::NodeOverhead, Purchase::Reserved, ""), unused, 0);
            }
        }
    }

    /// Unused commitments of the present hour by `now`.
    pub(super) fn unused_so_far(&self, now: SimTime) -> Cost {
        self.commitments.iter().map(|commitment| commitment.unused_at(now)).sum()
    }

    /// The end of warm-up: what is unused of the hour so far is forgotten. What is spent of it stays spent: the provider knows nothing of
    /// our measurement.
    pub(super) fn restart_commitments(&mut self) {
        for commitment in &mut self.commitments {
            let unused = commitment.unused_at(self.now);
            commitment.forgotten += unused;
        }
    }

    /// What an instance of `offer` is billed now, and as what.
    pub(super) fn tariff(&self, offer: usize) -> Tariff {
        let mut covered = self.commitments.iter().filter(|commitment| !commitment.spent);
        match covered.find_map(|commitment| commitment.rates[offer]) {
            Some(price) => Tariff { price, purchase: Purchase::Reserved },
            None => Tariff { price: self.offers[offer].price(), purchase: self.offers[offer].spec.purchase },
        }
    }

    /// The set of billed instances or of commitments with money left has changed: who draws on which, and until when.
    pub(super) fn apply_commitments(&mut self, out: &mut Out) {
        if self.commitments.is_empty() {
            return;
        }
        let now = self.now;
        let mut draws = vec![0u128; self.commitments.len()];
        for node in self.live.clone() {
            if !self.nodes[node.index()].is_billed() {
                continue;
            }
            let offer = self.nodes[node.index()].offer;
            let tariff = self.tariff(offer);
            self.nodes[node.index()].meter.change_tariff(tariff, now);
            let covers = |commitment: &Commitment| !commitment.spent && commitment.rates[offer].is_some();
            if let Some(index) = self.commitments.iter().position(covers) {
                draws[index] += u128::from(tariff.price.as_micros());
            }
        }
        for (index, (commitment, draw)) in self.commitments.iter_mut().zip(draws).enumerate() {
            commitment.accrue(now);
            commitment.draw = draw;
            commitment.epoch += 1;
            let left = commitment.budget.raw().saturating_sub(commitment.used.raw());
            // `None`: nothing draws on it.
            if let Some(nanos) = left.checked_div(draw) {
                let lasts = SimDuration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
                out.at(now.saturating_add(lasts), FleetEvent::CommitmentSpent(index as u32, commitment.epoch));
            }
        }
    }
}
