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
    /// AWS EC2, Linux.
    pub const AWS: Self = Self {
        minimum: SimDuration::from_secs(60),
        increment: SimDuration::from_secs(1),
        spot_free_until: SimDuration::from_secs(3_600),
        spot_notice: SimDuration::from_secs(120),
        source: "EC2 user guide, billing for interrupted Spot Instances",
    };

    /// Google Compute Engine.
    pub const GCP: Self = Self {
        minimum: SimDuration::from_secs(60),
        increment: SimDuration::from_secs(1),
        spot_free_until: SimDuration::from_secs(60),
        spot_notice: SimDuration::from_secs(30),
        source: "Compute Engine VM instance pricing; Spot VMs",
    };

    /// Azure virtual machines.
    pub const AZURE: Self = Self {
        minimum: SimDuration::from_secs(60),
        increment: SimDuration::from_secs(1),
        spot_free_until: SimDuration::ZERO,
        spot_notice: SimDuration::from_secs(30),
        source: "Azure Linux VM pricing; Spot VM documentation (notice is best effort)",
    };

    /// A provider whose rules are not known here: by the minute, one minute at least.
    pub const ASSUMED: Self = Self {
        minimum: SimDuration::from_secs(60),
        increment: SimDuration::from_secs(60),
        spot_free_until: SimDuration::ZERO,
        spot_notice: SimDuration::from_secs(30),
        source: "assumed: not stated by the catalog",
    };

    /// The rules of `provider`, a name from the catalog. The article uses AWS and GCP names and is billed as AWS.
    pub fn of(provider: &str) -> Self {
        match provider {
            "aws" | "article" => Self::AWS,
            "gcp" => Self::GCP,
            "azure" => Self::AZURE,
            "modal" => Self { minimum: SimDuration::ZERO, increment: SimDuration::from_secs(1), ..Self::ASSUMED },
            _ => Self::ASSUMED,
        }
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
