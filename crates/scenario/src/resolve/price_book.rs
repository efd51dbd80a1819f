//! Prices as a scenario has them: those it writes, and for the rest those of a dated catalog. A price nobody states stays missing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use prices::{Catalog, PriceError, Query};
use record::Purchase;
use units::UsdPerHour;

use cluster::spec::{Billing, NodePoolSpec};

use crate::error::ScenarioError;
use crate::file::{CapacityType, PriceFile, ScenarioSpec};

use super::Context;

/// A price this much older than the start of the run is worth a warning.
const MONTHS_MAX: u32 = 6;

/// More notes on single prices than this are put into one sentence.
const NOTES_MAX: usize = 6;

/// The catalog's name for the one that is built in.
const EMBEDDED: &str = "embedded";

/// Where prices come from.
pub struct PriceBook {
    written: BTreeMap<String, PriceFile>,
    /// In the order of the scenario: a later one takes precedence.
    catalogs: Vec<Catalog>,
    provider: Option<String>,
    region: Option<String>,
}

impl Context<'_> {
    /// The prices of a scenario, catalogs read.
    pub(super) fn price_book(&self, spec: &ScenarioSpec) -> Result<PriceBook, ScenarioError> {
        let file = &spec.prices;
        let catalogs = file.catalog.iter().map(|name| self.catalog(name)).collect::<Result<Vec<_>, _>>()?;
        let book = PriceBook {
            written: file.types.clone(),
            catalogs,
            provider: file.provider.clone(),
            region: file.region.clone(),
        };
        if book.catalogs.is_empty() {
            if file.provider.is_some() || file.region.is_some() {
                let reason = "`provider` and `region` choose among the prices of a catalog: add `catalog: embedded`";
                return Err(self.inconsistent("spec.prices", reason));
            }
            return Ok(book);
        }
        let providers: BTreeSet<&str> = book.rows().map(|row| row.provider.as_str()).collect();
        if let Some(name) = file.provider.as_deref().filter(|name| !providers.contains(name)) {
            return Err(self.unknown_name("spec.prices.provider", "provider in the catalog", name, providers));
        }
        let regions: BTreeSet<&str> = book.rows().map(|row| row.region.as_str()).collect();
        if let Some(name) = file.region.as_deref().filter(|name| !regions.contains(name)) {
            return Err(self.unknown_name("spec.prices.region", "region in the catalog", name, regions));
        }
        Ok(book)
    }

    fn catalog(&self, name: &str) -> Result<Catalog, ScenarioError> {
        if name == EMBEDDED {
            return Ok(Catalog::embedded());
        }
        let path = self.file(name);
        Catalog::parse(&crate::trace::read_text(&path)?)
            .map_err(|error| ScenarioError::BadFile { file: path.display().to_string(), reason: error.to_string() })
    }

    /// Says which prices came from a catalog, and which of them are old.
    pub(super) fn note_catalog_prices(&mut self, book: &PriceBook, pools: &[NodePoolSpec], start: Date) {
        let mut told = BTreeSet::new();
        let (mut sources, mut stale) = (Vec::new(), Vec::new());
        for offering in pools.iter().flat_map(|pool| &pool.offerings) {
            let name = &offering.instance_type;
            if !told.insert((name, offering.purchase.name())) {
                continue;
            }
            let Some(Ok(price)) = book.catalog_price(name, offering.purchase, Some(&offering.zone)) else { continue };
            sources.push(format!(
                "price of `{name}`, {}: ${}/h by the catalog ({} {}, {}; {})",
                offering.purchase.name(),
                price.price.as_f64(),
                price.provider,
                price.region,
                price.date,
                price.source
            ));
            stale.extend(price.staleness(name, start, MONTHS_MAX).map(|old| format!("stale: {}", old.message)));
        }
        self.push_notes(sources, "prices are the catalog's; `scalelab prices show` says where each is from");
        self.push_notes(stale, "of them are stale: more than six months older than the start of the run");
    }

    fn push_notes(&mut self, notes: Vec<String>, in_short: &str) {
        if notes.len() > NOTES_MAX {
            self.notes.push(format!("{} {in_short}", notes.len()));
        } else {
            self.notes.extend(notes);
        }
    }
}

impl PriceBook {
    fn rows(&self) -> impl Iterator<Item = &prices::Row> {
        self.catalogs.iter().flat_map(Catalog::rows)
    }

    /// Instance types with a price, written ones and those of the catalog that need no further word to be found.
    pub fn names(&self) -> Vec<String> {
        let mut names: BTreeSet<String> = self.written.keys().cloned().collect();
        for row in self.rows().filter(|row| row.shape.vcpus.is_some()) {
            if !names.contains(&row.instance_type) && self.is_priced(&row.instance_type) {
                names.insert(row.instance_type.clone());
            }
        }
        names.into_iter().collect()
    }

    fn is_priced(&self, name: &str) -> bool {
        [Purchase::OnDemand, Purchase::Spot, Purchase::Reserved]
            .into_iter()
            .any(|purchase| matches!(self.catalog_price(name, purchase, None), Some(Ok(_))))
    }

    /// Whether there is any price of an instance type; if not, why the catalog has none, `None` without a catalog.
    pub fn check(&self, name: &str) -> Result<(), Option<PriceError>> {
        if self.written.contains_key(name) || self.is_priced(name) {
            return Ok(());
        }
        Err(self.catalog_price(name, Purchase::OnDemand, None).and_then(Result::err))
    }

    /// The price of an instance type bought some way in a zone, written or from the catalog; `None` if nobody states one.
    pub fn price(&self, name: &str, capacity_type: CapacityType, zone: &str) -> Option<UsdPerHour> {
        let purchase = purchase(capacity_type);
        self.written_price(name, purchase)
            .or_else(|| self.catalog_price(name, purchase, Some(zone))?.ok().map(|found| found.price))
    }

    fn written_price(&self, name: &str, purchase: Purchase) -> Option<UsdPerHour> {
        let file = self.written.get(name)?;
        let price = match purchase {
            Purchase::OnDemand | Purchase::Serverless => file.on_demand,
            Purchase::Spot => file.spot,
            Purchase::Reserved => file.reserved,
        };
        price.map(|price| price.0)
    }

    /// The catalog's price where the scenario writes none; `None` without a catalog.
    fn catalog_price(
        &self,
        name: &str,
        purchase: Purchase,
        zone: Option<&str>,
    ) -> Option<Result<prices::Price, PriceError>> {
        if self.written_price(name, purchase).is_some() {
            return None;
        }
        let query = Query {
            instance_type: name,
            provider: self.provider.as_deref(),
            region: self.region.as_deref(),
            zone: zone.filter(|zone| !zone.is_empty()),
            purchase,
        };
        let mut refusal = None;
        for catalog in self.catalogs.iter().rev() {
            match catalog.price(query) {
                Ok(price) => return Some(Ok(price)),
                // A catalog that has never heard of the type says less than one that has it elsewhere.
                Err(PriceError::UnknownInstanceType { .. } | PriceError::UnknownProvider { .. })
                    if refusal.is_some() => {}
                Err(error) => refusal = Some(error),
            }
        }
        refusal.map(Err)
    }

    /// How an instance is billed: as written, else by its provider's rules.
    pub fn billing(&self, name: &str, capacity_type: CapacityType) -> Billing {
        let is_spot = capacity_type == CapacityType::Spot;
        if let Some(file) = self.written.get(name) {
            return Billing {
                minimum: file.billing_minimum.duration(),
                increment: file.billing_increment.duration(),
                spot_first_hour_free: file.spot_first_hour_free && is_spot,
            };
        }
        let provider = self.latest(name).map(|row| row.provider.as_str());
        let rules = prices::BillingRules::of(provider.unwrap_or_default());
        let hour = units::SimDuration::from_secs(3_600);
        Billing {
            minimum: rules.minimum,
            increment: rules.increment,
            spot_first_hour_free: rules.spot_free_until >= hour && is_spot,
        }
    }

    /// What the catalogs say is in an instance.
    pub fn shape(&self, name: &str) -> Option<&prices::Shape> {
        self.latest(name).map(|row| &row.shape)
    }

    /// The latest row of the last catalog that has the type.
    fn latest(&self, name: &str) -> Option<&prices::Row> {
        self.catalogs
            .iter()
            .rev()
            .find_map(|catalog| catalog.find(name, self.provider.as_deref(), None).first().copied())
    }
}

fn purchase(capacity_type: CapacityType) -> Purchase {
    match capacity_type {
        CapacityType::OnDemand => Purchase::OnDemand,
        CapacityType::Spot => Purchase::Spot,
        CapacityType::Reserved => Purchase::Reserved,
    }
}
