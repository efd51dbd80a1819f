//! The meter of one node: what its GPUs did, at which price, and how that becomes exact money.
//!
//! It knows nothing of pods or schedulers: it is told how many GPUs of which class are in which use and multiplies by time.

use record::{CostLedger, GpuUse, Purchase};
use smallvec::SmallVec;
use units::{Cost, SimDuration, SimTime, UsdPerHour};

use crate::spec::GpuSlice;

const USES: usize = GpuUse::ALL.len();

/// What an instance is billed, and as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tariff {
    /// Price.
    pub price: UsdPerHour,
    /// Purchase option in the ledger: that of the instance, or committed for what a commitment covers.
    pub purchase: Purchase,
}

/// Shares or share-times of one class by use.
#[derive(Clone, Copy, Debug, Default)]
struct Row<T> {
    class: usize,
    by_use: [T; USES],
}

/// The row of a class, made if there is none. Most nodes see few classes.
fn row<T: Copy + Default>(rows: &mut SmallVec<[Row<T>; 1]>, class: usize) -> &mut [T; USES] {
    let place = rows.iter().position(|row| row.class == class).unwrap_or_else(|| {
        rows.push(Row { class, by_use: [T::default(); USES] });
        rows.len() - 1
    });
    &mut rows[place].by_use
}

/// A stretch of time at one tariff.
#[derive(Clone, Debug)]
struct Segment {
    tariff: Tariff,
    start: SimTime,
    gpu_ns: SmallVec<[Row<u64>; 1]>,
    /// Of shares that no pod held, while others were held and while none was.
    unallocated_ns: u64,
    overhead_ns: u64,
    /// By class.
    busy_ns: SmallVec<[(usize, u64); 1]>,
}

impl Segment {
    fn new(tariff: Tariff, start: SimTime) -> Self {
        Self { tariff, start, gpu_ns: SmallVec::new(), unallocated_ns: 0, overhead_ns: 0, busy_ns: SmallVec::new() }
    }

    /// Its cells: those of the classes by class and use, then those of nobody.
    fn cells(&self) -> impl Iterator<Item = (GpuUse, Option<usize>, u64)> + Clone + '_ {
        let of_row = |row: &'_ Row<u64>| {
            let class = row.class;
            let by_use = row.by_use;
            GpuUse::ALL.into_iter().map(move |gpu_use| (gpu_use, Some(class), by_use[gpu_use as usize]))
        };
        let of_nobody =
            [(GpuUse::Unallocated, None, self.unallocated_ns), (GpuUse::NodeOverhead, None, self.overhead_ns)];
        self.gpu_ns.iter().flat_map(of_row).chain(of_nobody)
    }

    /// Moves busy time out of idle time and returns what did not fit.
    fn split_busy(&mut self) -> SmallVec<[(usize, u64); 1]> {
        let mut left = std::mem::take(&mut self.busy_ns);
        for (class, busy_ns) in &mut left {
            let by_use = row(&mut self.gpu_ns, *class);
            let busy = (*busy_ns).min(by_use[GpuUse::ServingIdle as usize]);
            by_use[GpuUse::ServingIdle as usize] -= busy;
            by_use[GpuUse::ServingBusy as usize] += busy;
            *busy_ns -= busy;
        }
        left
    }

    fn add_busy(&mut self, class: usize, share_ns: u64) {
        match self.busy_ns.iter_mut().find(|busy| busy.0 == class) {
            Some(busy) => busy.1 += share_ns,
            None => self.busy_ns.push((class, share_ns)),
        }
    }
}

/// GPU-time by class and use, in price segments, from launch to end.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    /// GPUs, and the shares they are counted in: all below are shares, and times are share-times.
    slice: GpuSlice,
    /// Shares by class and use now; those free are not listed, they follow from the rest.
    in_use: SmallVec<[Row<u32>; 1]>,
    since: SimTime,
    open: Segment,
    closed: Vec<(Segment, SimTime)>,
    /// Stretches that are billed, with the price that was paid, to share a bill among pods.
    settled: Vec<(SimTime, SimTime, UsdPerHour)>,
}

/// What a settlement came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bill {
    /// Billed time.
    pub billed: SimDuration,
    /// Its price.
    pub cost: Cost,
}

/// How a settlement ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    /// Zone, for the ledger.
    pub zone: &'a str,
    /// Billed beyond the end by minimum and rounding.
    pub surplus: SimDuration,
    /// Whether none of it is paid.
    pub free: bool,
}

impl Meter {
    /// A meter for a node with the GPUs of `slice`. It runs from `start` on.
    pub fn new(slice: GpuSlice, tariff: Tariff, start: SimTime) -> Self {
        Self {
            slice,
            in_use: SmallVec::new(),
            since: start,
            open: Segment::new(tariff, start),
            closed: Vec::new(),
            settled: Vec::new(),
        }
    }

    /// Starts over at `now`, at `tariff`, keeping what the GPUs are doing: all before is forgotten.
    pub fn restart(&mut self, tariff: Tariff, now: SimTime) {
        self.since = now;
        self.open = Segment::new(tariff, now);
        self.closed.clear();
        self.settled.clear();
    }

    /// From `now` on a class has `units` more allocatable units in use `to`.
    pub fn take(&mut self, (class, to): (usize, GpuUse), units: u32, now: SimTime) {
        self.accrue(now);
        row(&mut self.in_use, class)[to as usize] += units * self.slice.of_unit;
    }

    /// From `now` on `units` allocatable units that a class had in use `from` are free.
    pub fn free(&mut self, (class, from): (usize, GpuUse), units: u32, now: SimTime) {
        self.accrue(now);
        row(&mut self.in_use, class)[from as usize] -= units * self.slice.of_unit;
    }

    /// Counts time of a class in [`GpuUse::ServingIdle`] as [`GpuUse::ServingBusy`] at settlement.
    pub fn add_busy(&mut self, class: usize, unit_time: SimDuration) {
        self.open.add_busy(class, unit_time.as_nanos() * u64::from(self.slice.of_unit));
    }

    /// From `now` on this tariff holds. Nothing happens if it does already.
    pub fn change_tariff(&mut self, tariff: Tariff, now: SimTime) {
        if tariff == self.open.tariff {
            return;
        }
        self.accrue(now);
        let closed = std::mem::replace(&mut self.open, Segment::new(tariff, now));
        self.closed.push((closed, now));
    }

    /// What has been spent by `now`, without minimum and rounding.
    pub fn cost_so_far(&self, now: SimTime) -> Cost {
        let closed: Cost =
            self.closed.iter().map(|(segment, end)| segment.tariff.price.cost_of(*end - segment.start)).sum();
        closed + self.open.tariff.price.cost_of(now.since(self.open.start))
    }

    /// Writes everything up to `end` into the ledger and starts over.
    pub fn settle(&mut self, end: SimTime, terms: Terms<'_>, ledger: &mut CostLedger) -> Bill {
        self.accrue(end);
        let last = self.open.tariff;
        let mut segments = std::mem::take(&mut self.closed);
        segments.push((std::mem::replace(&mut self.open, Segment::new(last, end)), end));
        let mut bill = Bill::default();
        let mut carried: SmallVec<[(usize, u64); 1]> = SmallVec::new();
        for (mut segment, segment_end) in segments {
            // Busy time is reported late: what does not fit into the idle time of this segment belongs to the next.
            for (class, busy_ns) in carried {
                segment.add_busy(class, busy_ns);
            }
            carried = segment.split_busy();
            let price = if terms.free { UsdPerHour::ZERO } else { segment.tariff.price };
            self.settled.push((segment.start, segment_end, price));
            let paid = self.attribute(&segment, segment_end, &terms, ledger);
            bill.cost += paid.cost;
            bill.billed += paid.billed;
        }
        if !terms.surplus.is_zero() && !terms.free {
            ledger.bill(last.price, terms.surplus);
            let gpu_ns = u128::from(terms.surplus.as_nanos()) * u128::from(self.slice.devices);
            let key = (GpuUse::NodeOverhead, last.purchase, terms.zone);
            ledger.attribute(key, last.price.cost_of(terms.surplus), gpu_ns);
            bill.cost += last.price.cost_of(terms.surplus);
            bill.billed += terms.surplus;
        }
        bill
    }

    /// What `units` of the node's allocatable units cost from `from` to `to`, of what is settled; rounded down.
    pub fn cost_between(&self, from: SimTime, to: SimTime, units: u32) -> Cost {
        let stretch = |&(start, end, price): &(SimTime, SimTime, UsdPerHour)| {
            let (start, end) = (start.max(from), end.min(to));
            if end > start { price.cost_of(end - start) } else { Cost::ZERO }
        };
        let whole: Cost = self.settled.iter().map(stretch).sum();
        whole.share(u64::from(units * self.slice.of_unit), u64::from(self.slice.shares.max(1)))
    }

    fn accrue(&mut self, now: SimTime) {
        let elapsed = (now - self.since).as_nanos();
        self.since = now;
        if elapsed == 0 {
            return;
        }
        let mut used = 0;
        for held in &self.in_use {
            let totals = row(&mut self.open.gpu_ns, held.class);
            for (total, &gpus) in totals.iter_mut().zip(&held.by_use) {
                *total += elapsed * u64::from(gpus);
                used += gpus;
            }
        }
        let rest = elapsed * u64::from(self.slice.shares - used);
        if used > 0 {
            self.open.unallocated_ns += rest;
        } else {
            self.open.overhead_ns += rest;
        }
    }

    /// Attributes one segment: each use its share rounded down, the few raw units left over to the largest, so that it closes exactly.
    fn attribute(&self, segment: &Segment, end: SimTime, terms: &Terms<'_>, ledger: &mut CostLedger) -> Bill {
        let elapsed = end - segment.start;
        let price = if terms.free { UsdPerHour::ZERO } else { segment.tariff.price };
        let total = price.cost_of(elapsed);
        let share = |gpu_ns: u64| {
            // A node without GPUs has one nominal unit, all of it overhead.
            price.cost_of(SimDuration::from_nanos(gpu_ns)).share(1, u64::from(self.slice.shares.max(1)))
        };
        let left_over = total - segment.cells().map(|(_, _, gpu_ns)| share(gpu_ns)).sum();
        // Shares of a GPU as GPU-time, in the same way.
        let (devices, shares) = (u128::from(self.slice.devices), u128::from(self.slice.shares.max(1)));
        let of_gpus = |share_ns: u64| u128::from(share_ns) * devices / shares;
        let all_ns = u128::from(elapsed.as_nanos()) * devices;
        let left_over_ns = all_ns - segment.cells().map(|(_, _, share_ns)| of_gpus(share_ns)).sum::<u128>();
        let largest = segment.cells().enumerate().max_by_key(|(_, cell)| cell.2).map_or(0, |(index, _)| index);
        ledger.bill(price, elapsed);
        for (index, (gpu_use, class, share_ns)) in segment.cells().enumerate() {
            let (mut cost, mut gpu_ns) = (share(share_ns), of_gpus(share_ns));
            if index == largest {
                cost += left_over;
                gpu_ns += left_over_ns;
            }
            if share_ns > 0 || cost > Cost::ZERO {
                let key = (gpu_use, segment.tariff.purchase, terms.zone);
                ledger.attribute_to(class.map(|class| class as u32), key, (cost, gpu_ns));
            }
        }
        Bill { billed: if terms.free { SimDuration::ZERO } else { elapsed }, cost: total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(surplus_secs: u64, free: bool) -> Terms<'static> {
        Terms { zone: "a", surplus: SimDuration::from_secs(surplus_secs), free }
    }

    fn at(price: UsdPerHour) -> Tariff {
        Tariff { price, purchase: Purchase::OnDemand }
    }

    fn amount(ledger: &CostLedger, gpu_use: GpuUse) -> String {
        ledger
            .lines()
            .into_iter()
            .find(|line| line.gpu_use == gpu_use)
            .map_or_else(|| "-".into(), |line| line.amount.to_string())
    }

    #[test]
    fn one_gpu_of_eight_pays_an_eighth_and_seven_are_unallocated() {
        let mut meter = Meter::new(GpuSlice::whole(8), at(UsdPerHour::from_dollars(32.77)), SimTime::ZERO);
        meter.take((0, GpuUse::ServingIdle), 1, SimTime::ZERO);
        meter.add_busy(0, SimDuration::from_secs(1_800));
        let mut ledger = CostLedger::default();
        let bill = meter.settle(SimTime::from_secs(3_600), terms(0, false), &mut ledger);
        assert_eq!(bill.cost.to_usd().to_string(), "32.770000");
        assert_eq!(amount(&ledger, GpuUse::ServingBusy), "2.048125");
        assert_eq!(amount(&ledger, GpuUse::ServingIdle), "2.048125");
        assert_eq!(amount(&ledger, GpuUse::Unallocated), "28.673750");
        assert_eq!(ledger.total().to_string(), "32.770000");
    }

    #[test]
    fn a_seventh_of_a_gpu_pays_a_seventh_and_the_slices_nobody_asked_for_are_unallocated() {
        // An A100 cut into two 3g instances and a 1g one, which nobody here asks for; one 3g is in use.
        let mut meter = Meter::new(
            GpuSlice { devices: 1, shares: 7, of_unit: 3 },
            at(UsdPerHour::from_dollars(7.0)),
            SimTime::ZERO,
        );
        meter.take((0, GpuUse::ServingIdle), 1, SimTime::ZERO);
        meter.add_busy(0, SimDuration::from_secs(1_200));
        let mut ledger = CostLedger::default();
        meter.settle(SimTime::from_secs(3_600), terms(0, false), &mut ledger);
        assert_eq!(amount(&ledger, GpuUse::ServingBusy), "1.000000");
        assert_eq!(amount(&ledger, GpuUse::ServingIdle), "2.000000");
        assert_eq!(amount(&ledger, GpuUse::Unallocated), "4.000000");
        assert_eq!(ledger.gpu_ns(), 3_600_000_000_000);
    }

    #[test]
    fn a_price_change_bills_each_stretch_at_its_price() {
        let mut meter = Meter::new(GpuSlice::whole(1), at(UsdPerHour::from_dollars(1.0)), SimTime::ZERO);
        meter.change_tariff(at(UsdPerHour::from_dollars(3.0)), SimTime::from_secs(3_600));
        let mut ledger = CostLedger::default();
        meter.settle(SimTime::from_secs(7_200), terms(0, false), &mut ledger);
        assert_eq!(ledger.total().to_string(), "4.000000");
    }

    #[test]
    fn the_billing_minimum_is_overhead_and_a_free_hour_costs_nothing() {
        let mut ledger = CostLedger::default();
        let mut meter = Meter::new(GpuSlice::whole(1), at(UsdPerHour::from_dollars(3.6)), SimTime::ZERO);
        meter.take((0, GpuUse::ServingIdle), 1, SimTime::ZERO);
        let bill = meter.clone().settle(SimTime::from_secs(10), terms(50, false), &mut ledger);
        assert_eq!(bill.billed, SimDuration::from_secs(60));
        assert_eq!(amount(&ledger, GpuUse::NodeOverhead), "0.050000");
        let mut free = CostLedger::default();
        meter.settle(SimTime::from_secs(10), terms(50, true), &mut free);
        assert_eq!(free.total().to_string(), "0.000000");
        assert_eq!(free.gpu_ns(), 10_000_000_000);
    }

    #[test]
    fn a_price_of_one_micro_dollar_over_three_gpus_still_closes() {
        let mut meter = Meter::new(GpuSlice::whole(3), at(UsdPerHour::from_micros(1)), SimTime::ZERO);
        meter.take((0, GpuUse::GpuLoad), 1, SimTime::ZERO);
        let mut ledger = CostLedger::default();
        meter.settle(SimTime::from_nanos(7), terms(0, false), &mut ledger);
        assert_eq!(ledger.attributed(), ledger.billed());
        assert_eq!(ledger.billed().raw(), 7);
    }
}
