//! The cost ledger: every billed node-second, attributed to exactly one use of at most one service, in integers.

use std::collections::BTreeMap;

use units::{Cost, Usd, UsdPerHour};

/// What a GPU was doing while its node was billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GpuUse {
    /// A ready replica was serving at least one request.
    ServingBusy,
    /// A ready replica had nothing to do.
    ServingIdle,
    /// Held for a pod whose node is still coming up.
    Provisioning,
    /// A pod was pulling its image.
    ImagePull,
    /// A pod was downloading the model.
    ModelDownload,
    /// A pod was loading the model into GPU memory.
    GpuLoad,
    /// A pod was warming up CUDA kernels.
    CudaWarmUp,
    /// A loaded pod was waiting for its readiness probe and endpoint.
    Readiness,
    /// A warm standby, outside the endpoints.
    Standby,
    /// A pod was finishing its last requests.
    Draining,
    /// No pod on this GPU while others of the node were in use (fragmentation).
    Unallocated,
    /// No pod on the node at all: boot before it is wanted, empty delay, billing minimum and rounding.
    NodeOverhead,
}

impl GpuUse {
    /// Every use, in the order of the ledger's columns.
    pub const ALL: [Self; 12] = [
        Self::ServingBusy,
        Self::ServingIdle,
        Self::Provisioning,
        Self::ImagePull,
        Self::ModelDownload,
        Self::GpuLoad,
        Self::CudaWarmUp,
        Self::Readiness,
        Self::Standby,
        Self::Draining,
        Self::Unallocated,
        Self::NodeOverhead,
    ];

    /// Column name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServingBusy => "serving",
            Self::ServingIdle => "idle",
            Self::Provisioning => "provisioning",
            Self::ImagePull => "image_pull",
            Self::ModelDownload => "model_download",
            Self::GpuLoad => "gpu_load",
            Self::CudaWarmUp => "cuda_warm_up",
            Self::Readiness => "readiness",
            Self::Standby => "standby",
            Self::Draining => "draining",
            Self::Unallocated => "unallocated",
            Self::NodeOverhead => "node_overhead",
        }
    }
}

/// How capacity is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purchase {
    /// Pay as you go.
    OnDemand,
    /// Interruptible.
    Spot,
    /// Committed: paid whether used or not.
    Reserved,
    /// Billed per replica-second, no node.
    Serverless,
}

impl Purchase {
    /// Every option.
    pub const ALL: [Self; 4] = [Self::OnDemand, Self::Spot, Self::Reserved, Self::Serverless];

    /// Column name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnDemand => "on_demand",
            Self::Spot => "spot",
            Self::Reserved => "reserved",
            Self::Serverless => "serverless",
        }
    }
}

/// One cell of the ledger, rounded to micro-dollars such that all lines add up to the rounded total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerLine {
    /// What the GPUs did.
    pub gpu_use: GpuUse,
    /// How they were paid for.
    pub purchase: Purchase,
    /// Zone; empty where the scenario has none.
    pub zone: String,
    /// GPU-nanoseconds.
    pub gpu_ns: u128,
    /// Dollars.
    pub amount: Usd,
}

/// What a cell of the ledger is for: use, purchase option, zone, and the service whose pods did it; what no pod did is nobody's.
type Cell = (GpuUse, Purchase, String, Option<u32>);

/// Exact costs by use, purchase option, zone and service. Cells are raw [`Cost`]s, so any order of adding gives the same total.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CostLedger {
    cells: BTreeMap<Cell, (Cost, u128)>,
    /// Σ billed time × price, kept apart from the cells so that closing is a check and not a definition.
    billed: Cost,
}

impl CostLedger {
    /// Attributes `cost` for `gpu_ns` GPU-nanoseconds to one use by no service in particular.
    pub fn attribute(&mut self, key: (GpuUse, Purchase, &str), cost: Cost, gpu_ns: u128) {
        self.attribute_to(None, key, (cost, gpu_ns));
    }

    /// Attributes cost and GPU-nanoseconds to one use by the pods of a service.
    pub fn attribute_to(&mut self, service: Option<u32>, key: (GpuUse, Purchase, &str), (cost, gpu_ns): (Cost, u128)) {
        let cell = self.cells.entry((key.0, key.1, key.2.to_owned(), service)).or_default();
        cell.0 += cost;
        cell.1 += gpu_ns;
    }

    /// What the pods of a service did costs, exactly; `None` for what none did. All of them together are [`CostLedger::attributed`].
    pub fn cost_of(&self, service: Option<u32>) -> Cost {
        self.cells.iter().filter(|(cell, _)| cell.3 == service).map(|(_, amount)| amount.0).sum()
    }

    /// GPU-nanoseconds of the pods of a service; `None` for those of none.
    pub fn gpu_ns_of(&self, service: Option<u32>) -> u128 {
        self.cells.iter().filter(|(cell, _)| cell.3 == service).map(|(_, amount)| amount.1).sum()
    }

    /// Books a bill: `price` for `billed`. Every bill must also be attributed.
    pub fn bill(&mut self, price: UsdPerHour, billed: units::SimDuration) {
        self.billed += price.cost_of(billed);
    }

    /// Books a bill that is not a price times a time, such as what is left of a commitment.
    pub fn bill_exactly(&mut self, cost: Cost) {
        self.billed += cost;
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for ((gpu_use, purchase, zone, service), &amount) in &other.cells {
            self.attribute_to(*service, (*gpu_use, *purchase, zone), amount);
        }
        self.billed += other.billed;
    }

    /// Σ of all attributed cells, exactly.
    pub fn attributed(&self) -> Cost {
        self.cells.values().map(|cell| cell.0).sum()
    }

    /// Σ billed time × price, exactly.
    pub fn billed(&self) -> Cost {
        self.billed
    }

    /// The total in micro-dollars. Panics if the ledger does not close: that would be a bug of the simulator.
    pub fn total(&self) -> Usd {
        assert_eq!(self.attributed(), self.billed, "the cost ledger does not close");
        self.billed.to_usd()
    }

    /// All cells in micro-dollars whosesoever they are, adding up to [`CostLedger::total`] exactly: each is rounded down and the
    /// micro-dollars left over go to the cells with the largest remainders (ties: ledger order).
    pub fn lines(&self) -> Vec<LedgerLine> {
        let mut merged: BTreeMap<(GpuUse, Purchase, &str), (Cost, u128)> = BTreeMap::new();
        for ((gpu_use, purchase, zone, _), &(cost, gpu_ns)) in &self.cells {
            let cell = merged.entry((*gpu_use, *purchase, zone)).or_default();
            cell.0 += cost;
            cell.1 += gpu_ns;
        }
        let cells =
            merged.into_iter().map(|((gpu_use, purchase, zone), amount)| ((gpu_use, purchase, zone, ()), amount));
        self.rounded(cells).into_iter().map(|(line, ())| line).collect()
    }

    /// The same service by service: each line with its service, `None` for what is nobody's. They too add up to [`CostLedger::total`].
    pub fn lines_by_service(&self) -> Vec<(LedgerLine, Option<u32>)> {
        let cells = self.cells.iter().map(|((gpu_use, purchase, zone, service), &amount)| {
            ((*gpu_use, *purchase, zone.as_str(), *service), amount)
        });
        self.rounded(cells)
    }

    fn rounded<'a, S>(
        &self,
        cells: impl Iterator<Item = ((GpuUse, Purchase, &'a str, S), (Cost, u128))>,
    ) -> Vec<(LedgerLine, S)> {
        let mut remainders = Vec::new();
        let mut lines: Vec<(LedgerLine, S)> = cells
            .map(|((gpu_use, purchase, zone, service), (cost, gpu_ns))| {
                remainders.push(cost.raw() % Cost::PER_MICRO_USD);
                let amount = Usd::from_micros((cost.raw() / Cost::PER_MICRO_USD) as i64);
                (LedgerLine { gpu_use, purchase, zone: zone.to_owned(), gpu_ns, amount }, service)
            })
            .collect();
        let floor: Usd = lines.iter().map(|(line, _)| line.amount).sum();
        let left_over = (self.total() - floor).as_micros() as usize;
        let mut by_remainder: Vec<usize> = (0..lines.len()).collect();
        by_remainder.sort_by_key(|&index| std::cmp::Reverse(remainders[index]));
        for &index in by_remainder.iter().take(left_over) {
            lines[index].0.amount += Usd::from_micros(1);
        }
        lines
    }

    /// Σ GPU-nanoseconds over all uses.
    pub fn gpu_ns(&self) -> u128 {
        self.cells.values().map(|cell| cell.1).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use units::SimDuration;

    use super::*;

    proptest! {
        #[test]
        fn lines_add_up_to_the_total_to_the_last_micro_dollar(parts in prop::collection::vec((0usize..12, 0usize..4, 0u64..1 << 50), 1..40)) {
            let mut ledger = CostLedger::default();
            let price = UsdPerHour::from_dollars(32.77);
            for (gpu_use, purchase, nanos) in parts {
                let billed = SimDuration::from_nanos(nanos);
                ledger.bill(price, billed);
                ledger.attribute((GpuUse::ALL[gpu_use], Purchase::ALL[purchase], "a"), price.cost_of(billed), u128::from(nanos));
            }
            let sum: Usd = ledger.lines().iter().map(|line| line.amount).sum();
            prop_assert_eq!(sum, ledger.total());
        }
    }

    #[test]
    fn each_service_has_its_part_and_the_parts_add_up() {
        let mut ledger = CostLedger::default();
        let hour = SimDuration::from_secs(3_600);
        for (service, gpu_use) in
            [(Some(0), GpuUse::ServingBusy), (Some(1), GpuUse::ServingBusy), (None, GpuUse::Unallocated)]
        {
            let price = UsdPerHour::from_micros(1_000_003);
            ledger.bill(price, hour);
            ledger.attribute_to(service, (gpu_use, Purchase::Spot, "a"), (price.cost_of(hour), 1));
        }
        assert_eq!(ledger.lines().len(), 2, "uses are one line whosesoever they are");
        let parts = ledger.lines_by_service();
        assert_eq!(parts.iter().map(|(line, _)| line.amount).sum::<Usd>(), ledger.total());
        assert_eq!(parts.iter().filter(|(_, service)| *service == Some(1)).count(), 1);
        let costs = [Some(0), Some(1), None].map(|service| ledger.cost_of(service));
        assert_eq!(costs.into_iter().sum::<Cost>(), ledger.attributed());
        assert_eq!(costs[1].to_usd().to_string(), "1.000003");
    }

    #[test]
    #[should_panic(expected = "does not close")]
    fn a_bill_without_attribution_is_caught() {
        let mut ledger = CostLedger::default();
        ledger.bill(UsdPerHour::from_dollars(1.0), SimDuration::from_secs(1));
        ledger.total();
    }
}
