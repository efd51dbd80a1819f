//! `aws ec2 describe-spot-price-history`: change events, newest first, in pages.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use units::{SimDuration, SimTime, UsdPerHour};

use crate::catalog::price_above_zero;
use crate::{Catalog, PriceError};

const WHAT: &str = "spot price history";

/// The product whose prices catalogs hold.
pub const LINUX: &str = "Linux/UNIX";

/// Price series by zone, instance type and product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpotPriceHistory {
    /// One series per zone, instance type and product, in that order.
    pub series: Vec<SpotPriceSeries>,
    /// What the reader of the result should know.
    pub warnings: Vec<String>,
}

/// The price of one instance type in one zone: constant from each point to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpotPriceSeries {
    /// Zone as the account names it, such as `us-east-1a`: other accounts may use the letter for another zone.
    pub zone: String,
    /// Zone as all accounts name it, such as `use1-az4`; empty if the file has none.
    pub zone_id: String,
    /// Instance type.
    pub instance_type: String,
    /// Product, such as `Linux/UNIX`.
    pub product: String,
    /// (from, price), ascending, never empty.
    pub points: Vec<(Timestamp, UsdPerHour)>,
}

/// Zone, instance type, product.
type Key = (String, String, String);

/// Prices by the instant of their change.
type Points = BTreeMap<Timestamp, UsdPerHour>;

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    spot_price_history: Vec<Entry>,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    availability_zone: String,
    #[serde(default)]
    availability_zone_id: String,
    instance_type: String,
    product_description: String,
    spot_price: String,
    timestamp: String,
}

impl SpotPriceHistory {
    /// Reads all pages of one or more answers and merges them; entries that several pages repeat count once. Where a page set ends in a
    /// token, older entries are missing and a warning says so.
    pub fn parse(pages: &[&str]) -> Result<Self, PriceError> {
        let mut merged: BTreeMap<Key, (String, Points)> = BTreeMap::new();
        let mut warnings = Vec::new();
        let mut tokens_open = 0;
        for page in pages {
            let page: Page = serde_json::from_str(page)
                .map_err(|error| PriceError::Json { what: WHAT, reason: error.to_string() })?;
            tokens_open += usize::from(page.next_token.is_some_and(|token| !token.is_empty()));
            for entry in page.spot_price_history {
                let (from, price) = entry.point()?;
                let key = (entry.availability_zone, entry.instance_type, entry.product_description);
                let (zone_id, points) = merged.entry(key.clone()).or_default();
                zone_id.clone_from(&entry.availability_zone_id);
                if let Some(other) = points.insert(from, price).filter(|other| *other != price) {
                    let (zone, instance_type, _) = &key;
                    warnings.push(format!(
                        "{instance_type} in {zone} has two prices at {from} ({} and {}): the later line counts",
                        crate::catalog::dollars(other),
                        crate::catalog::dollars(price)
                    ));
                }
            }
        }
        if merged.is_empty() {
            return Err(PriceError::Empty { what: WHAT, detail: String::new() });
        }
        // Each page but the last of an answer carries a token, so as many tokens as pages means that an answer was cut short.
        if tokens_open >= pages.len() {
            warnings.push("the last page has a NextToken: older prices are missing".to_owned());
        }
        let series = merged.into_iter().map(|((zone, instance_type, product), (zone_id, points))| SpotPriceSeries {
            zone,
            zone_id,
            instance_type,
            product,
            points: points.into_iter().collect(),
        });
        Ok(Self { series: series.collect(), warnings })
    }

    /// The series of an instance type in a zone (by either of its names) for a product; products ending in `(Amazon VPC)` count as the
    /// plain product.
    pub fn find(&self, zone: &str, instance_type: &str, product: &str) -> Option<&SpotPriceSeries> {
        self.series
            .iter()
            .find(|series| series.is_in(zone) && series.instance_type == instance_type && series.is_product(product))
    }

    /// The history that the rows of a catalog make: one series per zone and instance type with a spot price, each changing at midnight
    /// UTC of the days of its rows. Rows for a whole region make a series of the zone with the region's name.
    pub fn of_catalog(catalog: &Catalog) -> Result<Self, PriceError> {
        let mut merged: BTreeMap<(&str, &str), Points> = BTreeMap::new();
        for row in catalog.rows() {
            let midnight = TimeZone::UTC.to_timestamp(row.date.to_datetime(Time::midnight()));
            if let (Some(price), Ok(from)) = (row.spot, midnight) {
                let zone = if row.zone.is_empty() { &row.region } else { &row.zone };
                merged.entry((zone, &row.instance_type)).or_default().insert(from, price);
            }
        }
        if merged.is_empty() {
            return Err(PriceError::Empty {
                what: WHAT,
                detail: ": no row of the catalog has a spot price".to_owned(),
            });
        }
        let series = merged.into_iter().map(|((zone, instance_type), points)| SpotPriceSeries {
            zone: zone.to_owned(),
            zone_id: String::new(),
            instance_type: instance_type.to_owned(),
            product: LINUX.to_owned(),
            points: points.into_iter().collect(),
        });
        Ok(Self { series: series.collect(), warnings: Vec::new() })
    }

    /// The instant of the latest change of any price: how far the history goes.
    pub fn latest(&self) -> Timestamp {
        let last = |series: &SpotPriceSeries| series.points[series.points.len() - 1].0;
        self.series.iter().map(last).max().expect("a history has at least one series")
    }
}

impl Entry {
    fn point(&self) -> Result<(Timestamp, UsdPerHour), PriceError> {
        let wrong = |what: &str, found: &str| PriceError::Json {
            what: WHAT,
            reason: format!("{} in {}: found {what} `{found}`", self.instance_type, self.availability_zone),
        };
        let from: Timestamp = self.timestamp.parse().map_err(|_| wrong("Timestamp", &self.timestamp))?;
        let price = self
            .spot_price
            .parse()
            .ok()
            .and_then(price_above_zero)
            .ok_or_else(|| wrong("SpotPrice", &self.spot_price))?;
        Ok((from, price))
    }
}

impl SpotPriceSeries {
    /// The series on the clock of a run that starts at `start`: (from, price) ascending, the first at zero. A price in force before the
    /// start holds at the start; before the first known price the first one holds.
    pub fn since(&self, start: Timestamp) -> Vec<(SimTime, UsdPerHour)> {
        let later = self.points.partition_point(|(from, _)| *from <= start);
        let in_force = self.points[later.saturating_sub(1)].1;
        let mut points = vec![(SimTime::ZERO, in_force)];
        for (from, price) in &self.points[later..] {
            let nanos = from.as_nanosecond() - start.as_nanosecond();
            let at = SimTime::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            if points.last().is_some_and(|(_, last)| last != price) {
                points.push((at, *price));
            }
        }
        points
    }

    /// The price on the clock of a run of `length` that starts at `start`: (from, price) ascending, the first at zero. With `period` the
    /// stretch of that length from `start` on is played again and again. `None` if no price is known at the start: what was in force
    /// before the first change is not in the file.
    pub fn replay(
        &self,
        start: Timestamp,
        length: SimDuration,
        period: Option<SimDuration>,
    ) -> Option<Vec<(SimTime, UsdPerHour)>> {
        if self.points[0].0 > start {
            return None;
        }
        let period = period.filter(|period| !period.is_zero()).unwrap_or(SimDuration::MAX);
        let once: Vec<(SimTime, UsdPerHour)> =
            self.since(start).into_iter().filter(|(at, _)| at.since(SimTime::ZERO) < period).collect();
        let end = SimTime::ZERO + length;
        let mut points: Vec<(SimTime, UsdPerHour)> = Vec::new();
        let mut round = SimTime::ZERO;
        while round < end || points.is_empty() {
            for (at, price) in &once {
                let at = round.saturating_add(at.since(SimTime::ZERO));
                if (at < end || points.is_empty()) && points.last().is_none_or(|last| last.1 != *price) {
                    points.push((at, *price));
                }
            }
            round = round.saturating_add(period);
        }
        Some(points)
    }

    /// Whether the zone goes by this name: the account's letter or the zone id.
    pub fn is_in(&self, zone: &str) -> bool {
        self.zone == zone || self.zone_id == zone
    }

    /// Whether the prices are of this product; products ending in `(Amazon VPC)` count as the plain product.
    pub fn is_product(&self, product: &str) -> bool {
        self.product.trim_end_matches(" (Amazon VPC)") == product
    }

    /// The mean price from the first point to `end`, weighted by time.
    pub fn mean(&self, end: Timestamp) -> UsdPerHour {
        let ends = self.points.iter().skip(1).map(|point| point.0).chain([end]);
        let mut weighted = 0i128;
        let mut total = 0i128;
        for ((from, price), until) in self.points.iter().zip(ends) {
            let nanos = (until.min(end).as_nanosecond() - from.as_nanosecond()).max(0);
            weighted += nanos * i128::from(price.as_micros());
            total += nanos;
        }
        if total == 0 { self.points[0].1 } else { UsdPerHour::from_micros((weighted / total) as u64) }
    }
}
