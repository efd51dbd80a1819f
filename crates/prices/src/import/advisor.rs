//! The AWS Spot Advisor: how often instances of a type were interrupted in the trailing month, in five buckets.

use std::collections::BTreeMap;

use names::nearest;

use crate::PriceError;

/// Hours of an average month: 365 days / 12.
pub const HOURS_PER_MONTH: f64 = 730.0;

/// Lower and upper bound of the advisor's buckets, as shares of instances interrupted in a month. The last is open at the top.
const BUCKETS: [(f64, f64); 5] = [(0.0, 0.05), (0.05, 0.10), (0.10, 0.15), (0.15, 0.20), (0.20, 1.0)];

/// Taken for the open bucket, whose middle would be a guess anyway.
const OPEN_BUCKET_SHARE: f64 = 0.25;

/// The advisor's table.
#[derive(Clone, Debug, PartialEq)]
pub struct Advisor {
    regions: BTreeMap<String, BTreeMap<String, BTreeMap<String, AdvisorEntry>>>,
}

/// What the advisor says of one instance type in one region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct AdvisorEntry {
    /// Saving over on demand in percent; below zero where spot was dearer.
    #[serde(rename = "s")]
    pub saving_percent: i32,
    /// Bucket, 0 (below 5 %) to 4 (above 20 %).
    #[serde(rename = "r")]
    pub bucket: usize,
}

#[derive(serde::Deserialize)]
struct File {
    spot_advisor: BTreeMap<String, BTreeMap<String, BTreeMap<String, AdvisorEntry>>>,
}

impl Advisor {
    /// Reads `spot-advisor-data.json`.
    pub fn parse(text: &str) -> Result<Self, PriceError> {
        let json = |reason: String| PriceError::Json { what: "spot advisor", reason };
        let file: File = serde_json::from_str(text).map_err(|error| json(error.to_string()))?;
        for (region, systems) in &file.spot_advisor {
            for (instance_type, entry) in systems.values().flatten() {
                if entry.bucket >= BUCKETS.len() {
                    return Err(json(format!("{instance_type} in {region}: bucket {} (known: 0 to 4)", entry.bucket)));
                }
            }
        }
        Ok(Self { regions: file.spot_advisor })
    }

    /// The entry of an instance type; `system` is `Linux` or `Windows`.
    pub fn find(&self, region: &str, system: &str, instance_type: &str) -> Result<AdvisorEntry, PriceError> {
        let systems = entry(&self.regions, "region", region)?;
        let types = entry(systems, "operating system", system)?;
        entry(types, "instance type", instance_type).copied()
    }
}

fn entry<'a, V>(map: &'a BTreeMap<String, V>, what: &'static str, name: &str) -> Result<&'a V, PriceError> {
    map.get(name).ok_or_else(|| PriceError::NotInAdvisor {
        what,
        name: name.to_owned(),
        nearest: nearest(name, map.keys().map(String::as_str)).map(str::to_owned),
    })
}

impl AdvisorEntry {
    /// Share of instances interrupted in a month that stands for the bucket: its middle, and 25 % for the open one above 20 %.
    pub fn monthly_share(self) -> f64 {
        let (low, high) = BUCKETS[self.bucket];
        if self.bucket == BUCKETS.len() - 1 { OPEN_BUCKET_SHARE } else { f64::midpoint(low, high) }
    }

    /// Interruptions per instance-hour: the constant hazard h for which a share p of instances is gone after a month of 730 h, that is
    /// p = 1 − exp(−730 h), so h = −ln(1 − p) / 730.
    pub fn hazard_per_hour(self) -> f64 {
        hazard_per_hour(self.monthly_share())
    }

    /// The hazards at the bounds of the bucket; the open bucket has no upper one.
    pub fn hazard_bounds_per_hour(self) -> (f64, Option<f64>) {
        let (low, high) = BUCKETS[self.bucket];
        (hazard_per_hour(low), (high < 1.0).then(|| hazard_per_hour(high)))
    }
}

fn hazard_per_hour(share: f64) -> f64 {
    -libm::log1p(-share) / HOURS_PER_MONTH
}
