//! Finding a price.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{Span, ToSpan};
use names::nearest;
use record::Purchase;
use units::UsdPerHour;

use crate::{BillingRules, Catalog, PriceError, Row, Shape};

/// The region meant where none is named: the one most price pages open with.
const DEFAULT_REGIONS: [(&str, &str); 3] = [("aws", "us-east-1"), ("gcp", "us-central1"), ("azure", "eastus")];

/// The region meant where none is named; `None` for providers without one.
pub fn default_region(provider: &str) -> Option<&'static str> {
    DEFAULT_REGIONS.iter().find(|default| default.0 == provider).map(|default| default.1)
}

/// The catalog's name for the prices of the article; they answer only those who ask for them by name.
const ARTICLE: &str = "article";

/// Age in months from which a price is called stale, unless the user says otherwise.
pub const STALE_AFTER_MONTHS: u32 = 6;

/// What a price is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query<'a> {
    /// Instance type.
    pub instance_type: &'a str,
    /// Provider; needed only if several have the instance type.
    pub provider: Option<&'a str>,
    /// Region; by default `us-east-1`, `us-central1` and `eastus`, or the provider's only one.
    pub region: Option<&'a str>,
    /// Zone, for spot prices.
    pub zone: Option<&'a str>,
    /// How it is bought.
    pub purchase: Purchase,
}

/// What an answer rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// A row for this very zone.
    Zone,
    /// A row for the region.
    Region,
    /// The median of the zones of the region: the zone was not named, or has no row.
    MedianOfZones(usize),
}

/// A price and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// The price of one instance.
    pub price: UsdPerHour,
    /// What is in it.
    pub shape: Shape,
    /// Provider.
    pub provider: String,
    /// Region.
    pub region: String,
    /// What the answer rests on.
    pub basis: Basis,
    /// Day of the price; the oldest, if several make up the answer.
    pub date: Date,
    /// Who says so.
    pub source: String,
    /// How the provider bills.
    pub billing: BillingRules,
}

/// A price that is older than it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staleness {
    /// Full months between the day of the price and the start of the run.
    pub months: u32,
    /// A sentence for the user.
    pub message: String,
}

impl Price {
    /// A warning if the price is more than `months_max` months older than the start of the run. Prices from after the start are fine.
    pub fn staleness(&self, instance_type: &str, run_start: Date, months_max: u32) -> Option<Staleness> {
        let limit = self.date.checked_add(i64::from(months_max).months()).ok()?;
        if limit >= run_start {
            return None;
        }
        let age: Span = self.date.until((jiff::Unit::Month, run_start)).ok()?;
        let months = u32::try_from(age.get_months()).unwrap_or(0);
        let message = format!(
            "price of `{instance_type}` ({}, {}) is of {}, {months} months before the start of the run; check it or import a newer one",
            self.provider, self.region, self.date
        );
        Some(Staleness { months, message })
    }
}

impl Catalog {
    /// Rows of an instance type, most recent first; of equal dates, the last in the file first.
    pub fn find(&self, instance_type: &str, provider: Option<&str>, region: Option<&str>) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self
            .of_type(instance_type)
            .rev()
            .filter(|row| provider.map_or(row.provider != ARTICLE, |name| row.provider == name))
            .filter(|row| region.is_none_or(|name| row.region == name))
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.date));
        rows
    }

    /// The shape of an instance type, from its most recent row.
    pub fn shape(&self, instance_type: &str, provider: Option<&str>) -> Result<&Shape, PriceError> {
        let rows = self.of_one_provider(instance_type, provider)?;
        Ok(&rows[0].shape)
    }

    /// The price that `query` asks for: the most recent row for the zone, else for the region, else the median of its zones.
    pub fn price(&self, query: Query<'_>) -> Result<Price, PriceError> {
        let rows = self.of_one_provider(query.instance_type, query.provider)?;
        let region = region_of(&rows, query)?;
        let priced: Vec<(&Row, UsdPerHour)> = rows
            .iter()
            .filter(|row| row.region == region)
            .filter_map(|row| Some((*row, price_of(row, query.purchase)?)))
            .collect();
        let of_zone = priced.iter().find(|(row, _)| !row.zone.is_empty() && Some(row.zone.as_str()) == query.zone);
        let of_region = priced.iter().find(|(row, _)| row.zone.is_empty());
        let (row, price, basis) = match (of_zone, of_region) {
            (Some((row, price)), _) => (*row, *price, Basis::Zone),
            (None, Some((row, price))) => (*row, *price, Basis::Region),
            (None, None) => median_of_zones(&priced).ok_or_else(|| PriceError::NoPrice {
                instance_type: query.instance_type.to_owned(),
                region: region.to_owned(),
                purchase: query.purchase,
            })?,
        };
        Ok(Price {
            price,
            shape: row.shape.clone(),
            provider: row.provider.clone(),
            region: row.region.clone(),
            basis,
            date: row.date,
            source: row.source.clone(),
            billing: BillingRules::of(&row.provider),
        })
    }

    fn of_one_provider(&self, instance_type: &str, provider: Option<&str>) -> Result<Vec<&Row>, PriceError> {
        if let Some(name) = provider.filter(|name| !self.providers().any(|known| known == *name)) {
            let known: BTreeSet<&str> = self.providers().collect();
            return Err(PriceError::UnknownProvider {
                name: name.to_owned(),
                nearest: nearest(name, known.iter().copied()).map(str::to_owned),
                known: join(known),
            });
        }
        let rows = self.find(instance_type, provider, None);
        let providers: BTreeSet<&str> = rows.iter().map(|row| row.provider.as_str()).collect();
        match providers.len() {
            0 => {
                let types = self.rows().iter().filter(|row| provider.is_none_or(|name| row.provider == name));
                Err(PriceError::UnknownInstanceType {
                    name: instance_type.to_owned(),
                    nearest: nearest(instance_type, types.map(|row| row.instance_type.as_str())).map(str::to_owned),
                })
            }
            1 => Ok(rows),
            _ => Err(PriceError::AmbiguousProvider { name: instance_type.to_owned(), providers: join(providers) }),
        }
    }
}

/// The region that is asked for, by name or by default.
fn region_of<'a>(rows: &[&'a Row], query: Query<'a>) -> Result<&'a str, PriceError> {
    let known: BTreeSet<&str> = rows.iter().map(|row| row.region.as_str()).collect();
    let everywhere = known.contains("any");
    let default = default_region(&rows[0].provider);
    let wanted = match query.region {
        Some(region) if known.contains(region) => return Ok(region),
        Some(_) if everywhere => return Ok("any"),
        Some(region) => region,
        None if known.len() == 1 => return Ok(rows[0].region.as_str()),
        None => default.unwrap_or("any"),
    };
    if known.contains(wanted) {
        return Ok(wanted);
    }
    Err(PriceError::UnknownRegion {
        instance_type: query.instance_type.to_owned(),
        region: wanted.to_owned(),
        known: join(known),
    })
}

/// The row's price for a way to buy; serverless is what the provider charges on demand for a GPU without a node.
fn price_of(row: &Row, purchase: Purchase) -> Option<UsdPerHour> {
    match purchase {
        Purchase::OnDemand | Purchase::Serverless => row.on_demand,
        Purchase::Spot => row.spot,
        Purchase::Reserved => row.reserved_1y,
    }
}

/// The median over zones of each zone's most recent price; the lower of the middle two. The oldest of their dates stands for all.
fn median_of_zones<'a>(priced: &[(&'a Row, UsdPerHour)]) -> Option<(&'a Row, UsdPerHour, Basis)> {
    let mut seen = BTreeSet::new();
    let mut zones: Vec<(&Row, UsdPerHour)> =
        priced.iter().filter(|(row, _)| seen.insert(row.zone.as_str())).copied().collect();
    zones.sort_by_key(|(_, price)| *price);
    let (_, price) = *zones.get(zones.len().saturating_sub(1) / 2)?;
    let (oldest, _) = zones.iter().min_by_key(|(row, _)| row.date)?;
    Some((*oldest, price, Basis::MedianOfZones(zones.len())))
}

fn join(names: BTreeSet<&str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}
