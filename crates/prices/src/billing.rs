//! How providers turn running time into a bill.

use units::SimDuration;

/// A provider's billing rules. The cost of a node is its price times the billed time, from running to terminating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BillingRules {
    /// Shortest bill of one instance.
    pub minimum: SimDuration,
    /// Bills are rounded up to a multiple of this.
    pub increment: SimDuration,
    /// A spot instance that the provider takes back within this age is free; zero means never.
    pub spot_free_until: SimDuration,
    /// Time between the notice of an interruption and its end.
    pub spot_notice: SimDuration,
    /// Where the rules are written down, or that they are assumed.
    pub source: &'static str,
}

impl BillingRules {
    /// AWS EC2, Linux other than SUSE, whose hours are whole.
    pub const AWS: Self = Self {
        minimum: SimDuration::from_secs(60),
        increment: SimDuration::from_secs(1),
        spot_free_until: SimDuration::from_secs(3_600),
        spot_notice: SimDuration::from_secs(120),
        source: "EC2 user guide, billing for interrupted Spot Instances, read 2026-11-23",
    };

    /// Google Compute Engine: vCPUs, memory and GPUs alike.
    pub const GCP: Self = Self {
        minimum: SimDuration::from_secs(60),
        increment: SimDuration::from_secs(1),
        spot_free_until: SimDuration::from_secs(60),
        spot_notice: SimDuration::from_secs(30),
        source: "Compute Engine, VM instance pricing; that a preemption in the first minute is free was not read again",
    };

    /// Azure virtual machines. Some say that since June 2025 five minutes are billed at least; no page of Azure's own was found that does.
    pub const AZURE: Self = Self {
        minimum: SimDuration::from_secs(60),
        increment: SimDuration::from_secs(1),
        spot_free_until: SimDuration::ZERO,
        spot_notice: SimDuration::from_secs(30),
        source: "Azure virtual machine pricing, metered by the second; the minute at least is commonly quoted, notice is best effort",
    };

    /// Modal: by the second, without a minimum.
    pub const MODAL: Self = Self { minimum: SimDuration::ZERO, increment: SimDuration::from_secs(1), ..Self::ASSUMED };

    /// A provider whose rules are not known here: by the minute, one minute at least.
    pub const ASSUMED: Self = Self {
        minimum: SimDuration::from_secs(60),
        increment: SimDuration::from_secs(60),
        spot_free_until: SimDuration::ZERO,
        spot_notice: SimDuration::from_secs(30),
        source: "assumed: not stated by the catalog",
    };

    /// Providers whose rules are known, by their names in the catalog. The article uses AWS and GCP names and is billed as AWS.
    pub const KNOWN: [(&str, Self); 5] = [
        ("aws", Self::AWS),
        ("gcp", Self::GCP),
        ("azure", Self::AZURE),
        ("modal", Self::MODAL),
        ("article", Self::AWS),
    ];

    /// The rules of `provider`, a name from the catalog; assumed ones if they are not known.
    pub fn of(provider: &str) -> Self {
        Self::KNOWN.into_iter().find(|known| known.0 == provider).map_or(Self::ASSUMED, |known| known.1)
    }

    /// The time billed for an instance that ran for `ran`: at least the minimum, rounded up to the increment.
    pub fn billed(&self, ran: SimDuration) -> SimDuration {
        let step = self.increment.as_nanos().max(1);
        SimDuration::from_nanos(ran.max(self.minimum).as_nanos().div_ceil(step) * step)
    }

    /// The time billed for a spot instance that the provider took back after `ran`. One that is terminated by its owner is billed as any
    /// other, even if a notice was pending.
    pub fn billed_when_reclaimed(&self, ran: SimDuration) -> SimDuration {
        if ran < self.spot_free_until { SimDuration::ZERO } else { self.billed(ran) }
    }
}
