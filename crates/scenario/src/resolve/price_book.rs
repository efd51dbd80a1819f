//! Prices as a scenario has them: those it writes, and for the rest those of a dated catalog. A price nobody states stays missing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use prices::{BillingRules, Catalog, EstimateFrom, Machine, PriceError, Query};
use record::Purchase;
use units::{SimDuration, SimTime, UsdPerHour};

use cluster::spec::{Billing, CommitmentSpec, NodePoolSpec};

use crate::error::ScenarioError;
use crate::file::{CapacityType, CommitmentFile, EstimateSpot, PriceFile, ServiceView};
use crate::quantity::Time;

use super::spot_history::{PriceSteps, RecordedPrices};
use super::{Context, RunWindow};

/// A price this much older than the start of the run is worth a warning.
const MONTHS_MAX: u32 = 6;

/// More notes on single prices than this are put into one sentence.
const NOTES_MAX: usize = 6;

const HOUR: SimDuration = SimDuration::from_secs(3_600);

/// Billing of a price that is written without a word about whose it is: as all three large clouds bill what they do not take back.
const UNSTATED: BillingRules = BillingRules {
    minimum: SimDuration::from_secs(60),
    increment: SimDuration::from_secs(1),
    spot_free_until: SimDuration::ZERO,
    ..BillingRules::ASSUMED
};

/// The catalog's name for the one that is built in.
const EMBEDDED: &str = "embedded";

/// Where prices come from.
pub struct PriceBook {
    written: BTreeMap<String, PriceFile>,
    /// In the order of the scenario: a later one takes precedence.
    catalogs: Vec<Cow<'static, Catalog>>,
    provider: Option<String>,
    region: Option<String>,
    zones: BTreeMap<String, String>,
    recorded: Option<RecordedPrices>,
    estimate: Option<EstimateFrom>,
}

/// Where something is bought; what is `None` is as under `prices`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place<'a> {
    /// Provider.
    pub provider: Option<&'a str>,
    /// Region.
    pub region: Option<&'a str>,
    /// Zone; empty: none is named.
    pub zone: &'a str,
}

impl Context<'_> {
    /// The prices of a scenario, catalogs read.
    pub(super) fn price_book(&mut self, spec: &ServiceView, window: &RunWindow) -> Result<PriceBook, ScenarioError> {
        let file = &spec.prices;
        let catalogs = file.catalog.iter().map(|name| self.catalog(name)).collect::<Result<Vec<_>, _>>()?;
        for (name, price) in &file.types {
            let provider = price.billing.as_deref().unwrap_or("aws");
            let mut known = BillingRules::KNOWN.iter().map(|known| known.0);
            if !known.any(|known| known == provider) {
                let path = format!("spec.prices[\"{name}\"].billing");
                let known = BillingRules::KNOWN.iter().map(|known| known.0);
                return Err(self.unknown_name(&path, "provider with known billing rules", provider, known));
            }
        }
        let recorded = file.spot_history.as_ref().map(|file| self.recorded_prices(file, window)).transpose()?;
        let book = PriceBook {
            recorded,
            written: file.types.clone(),
            catalogs,
            provider: file.provider.clone(),
            region: file.region.clone(),
            zones: file.zones.clone(),
            estimate: match file.estimate_spot {
                EstimateSpot::No => None,
                EstimateSpot::Siblings => Some(EstimateFrom::Siblings),
                EstimateSpot::Regions => Some(EstimateFrom::Regions),
            },
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

    fn catalog(&self, name: &str) -> Result<Cow<'static, Catalog>, ScenarioError> {
        if name == EMBEDDED {
            return Ok(Cow::Borrowed(Catalog::built_in()));
        }
        let path = self.file_of(name, "spec.prices.catalog")?;
        Catalog::parse(&self.data.text(&path)?)
            .map(Cow::Owned)
            .map_err(|error| ScenarioError::BadFile { file: path.display().to_string(), reason: error.to_string() })
    }

    /// What is paid for whether it is used or not. A type it covers and no pool offers on demand is a slip: the money would buy nothing.
    pub(super) fn commitments(
        &self,
        spec: &ServiceView,
        pools: &[NodePoolSpec],
    ) -> Result<Vec<CommitmentSpec>, ScenarioError> {
        let offerings = pools.iter().flat_map(|pool| &pool.offerings);
        let on_demand: BTreeSet<&str> = offerings
            .filter(|offering| offering.purchase == Purchase::OnDemand)
            .map(|offering| offering.instance_type.as_str())
            .collect();
        let resolve = |(index, file): (usize, &CommitmentFile)| {
            let path = format!("spec.prices.commitments[{index}]");
            if let Some(name) = file.rates.keys().find(|name| !on_demand.contains(name.as_str())) {
                let what = "instance type that a pool offers on demand";
                return Err(self.unknown_name(&format!("{path}.rates"), what, name, on_demand.iter().copied()));
            }
            let mut rates = file.rates.iter().map(|(name, price)| (name.clone(), price.0));
            let per_hour = match (file.per_hour, file.instances, &file.rates.len()) {
                (_, _, 0) => return Err(self.inconsistent(&format!("{path}.rates"), "at least one rate is needed")),
                (Some(per_hour), None, _) => per_hour.0,
                (None, Some(instances), 1) => {
                    let (_, rate) = rates.clone().next().expect("there is one rate");
                    UsdPerHour::from_micros(rate.as_micros() * u64::from(instances))
                }
                (None, Some(_), _) => {
                    let reason = "`instances` are of one type: give one rate, or `perHour` for several";
                    return Err(self.inconsistent(&path, reason));
                }
                _ => return Err(self.inconsistent(&path, "needs `perHour` or `instances`, one of them")),
            };
            Ok(CommitmentSpec { per_hour, rates: rates.by_ref().collect() })
        };
        spec.prices.commitments.iter().enumerate().map(resolve).collect()
    }

    /// Says which spot prices are recorded ones.
    pub(super) fn note_recorded_prices(&mut self, book: &PriceBook, pools: &[NodePoolSpec]) {
        let mut told = BTreeSet::new();
        let mut notes = Vec::new();
        for offering in pools.iter().flat_map(|pool| &pool.offerings) {
            let (name, zone) = (&offering.instance_type, &offering.zone);
            if offering.purchase != Purchase::Spot || !book.is_recorded(name) || !told.insert((name, zone)) {
                continue;
            }
            let prices = || offering.prices.iter().map(|step| step.1.as_f64());
            let (low, high) = (prices().fold(f64::INFINITY, f64::min), prices().fold(0.0, f64::max));
            let place = if zone.is_empty() { String::new() } else { format!(" in {zone}") };
            notes.push(format!(
                "price of `{name}`, spot{place}: recorded, ${}/h at the start, {} changes, ${low} to ${high}/h",
                offering.prices[0].1.as_f64(),
                offering.prices.len() - 1
            ));
        }
        self.push_notes(notes, "spot prices are recorded ones");
    }

    /// Says which prices came from a catalog, and which of them are old.
    pub(super) fn note_catalog_prices(&mut self, book: &PriceBook, pools: &[NodePoolSpec], start: Date) {
        let mut told = BTreeSet::new();
        let (mut sources, mut stale, mut guesses) = (Vec::new(), Vec::new(), Vec::new());
        for offering in pools.iter().flat_map(|pool| &pool.offerings) {
            let name = &offering.instance_type;
            let is_recorded = offering.purchase == Purchase::Spot && book.is_recorded(name);
            if is_recorded || !told.insert((name, offering.purchase.name())) {
                continue;
            }
            let place = Place { zone: &offering.zone, region: region_of(offering), provider: None };
            let Some(Ok(price)) = book.catalog_price(name, offering.purchase, place) else {
                if let (Purchase::Spot, Some(basis)) = (offering.purchase, book.estimated(name, place)) {
                    guesses.push(format!("price of `{name}`, spot: {basis}"));
                }
                continue;
            };
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
        self.notes.extend(book.guessed_zones(pools));
        // Never put into one sentence with prices that are known.
        self.notes.extend(guesses);
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
        self.catalogs.iter().flat_map(|catalog| catalog.rows())
    }

    /// Whether prices come from a catalog too.
    pub fn has_catalog(&self) -> bool {
        !self.catalogs.is_empty()
    }

    /// The provider under `prices`.
    pub fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// The region under `prices`.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Instance types with a price, written ones and those of the catalog that need no further word to be found.
    pub fn names(&self) -> Vec<String> {
        let mut names: BTreeSet<String> = self.written.keys().cloned().collect();
        let of_catalogs: BTreeSet<&str> = self.catalogs.iter().flat_map(|catalog| catalog.types()).collect();
        for name in of_catalogs {
            if !names.contains(name) && self.machine(name).is_some() && self.is_priced(name, Place::default()) {
                names.insert(name.to_owned());
            }
        }
        let has_shape = |name: &&str| self.machine(name).is_some();
        names.extend(self.recorded.iter().flat_map(RecordedPrices::types).filter(has_shape).map(str::to_owned));
        names.into_iter().collect()
    }

    /// True if the scenario itself writes a price of reserved capacity.
    pub fn states_reserved(&self) -> bool {
        self.written.values().any(|file| file.reserved.is_some())
    }

    fn is_priced(&self, name: &str, place: Place<'_>) -> bool {
        [Purchase::OnDemand, Purchase::Spot, Purchase::Reserved]
            .into_iter()
            .any(|purchase| matches!(self.catalog_price(name, purchase, place), Some(Ok(_))))
    }

    /// Whether there is any price of an instance type; if not, why the catalog has none, `None` without a catalog.
    pub fn check(&self, name: &str, place: Place<'_>) -> Result<(), Option<PriceError>> {
        if self.written.contains_key(name) || self.is_recorded(name) || self.is_priced(name, place) {
            return Ok(());
        }
        Err(self.catalog_price(name, Purchase::OnDemand, place).and_then(Result::err))
    }

    /// Whether the spot price of a type is a recorded one.
    fn is_recorded(&self, name: &str) -> bool {
        self.written_price(name, Purchase::Spot).is_none()
            && self.recorded.as_ref().is_some_and(|recorded| recorded.types().contains(name))
    }

    /// The price of an instance type bought some way in a zone, over the run: written, else recorded, else from the catalog; `None` if
    /// nobody states one. An error if the record should know it and does not.
    pub fn prices(
        &self,
        name: &str,
        capacity_type: CapacityType,
        place: Place<'_>,
    ) -> Result<Option<PriceSteps>, String> {
        let purchase = purchase(capacity_type);
        let constant = |price: UsdPerHour| PriceSteps::from([(SimTime::ZERO, price)]);
        if let Some(price) = self.written_price(name, purchase) {
            return Ok(Some(constant(price)));
        }
        if let (Purchase::Spot, Some(recorded)) = (purchase, &self.recorded)
            && let Some(steps) = recorded.steps(name, place.zone)?
        {
            return Ok(Some(steps));
        }
        let found = self.catalog_price(name, purchase, place).and_then(Result::ok).map(|found| found.price);
        let guess = || self.estimate(name, place).filter(|_| purchase == Purchase::Spot).map(|guess| guess.price);
        Ok(found.or_else(guess).map(constant))
    }

    /// The guess for a spot price that is not known, where the scenario allows one.
    fn estimate(&self, name: &str, place: Place<'_>) -> Option<prices::SpotEstimate> {
        let query = self.query(name, Purchase::Spot, place);
        self.catalogs.iter().rev().find_map(|catalog| catalog.estimate_spot(query, self.estimate?).ok())
    }

    /// What the guess rests on.
    fn estimated(&self, name: &str, place: Place<'_>) -> Option<String> {
        if self.written_price(name, Purchase::Spot).is_some() {
            return None;
        }
        self.estimate(name, place).map(|guess| guess.basis)
    }

    /// Sizes of the type's family whose spot price is known.
    pub fn spot_siblings(&self, name: &str, place: Place<'_>) -> Vec<String> {
        let query = self.query(name, Purchase::Spot, place);
        self.catalogs
            .iter()
            .rev()
            .map(|catalog| catalog.spot_siblings(query))
            .find(|known| !known.is_empty())
            .unwrap_or_default()
    }

    fn query<'a>(&'a self, name: &'a str, purchase: Purchase, place: Place<'a>) -> Query<'a> {
        Query {
            instance_type: name,
            provider: place.provider.or(self.provider.as_deref()),
            region: place.region.or(self.region.as_deref()),
            zone: Some(place.zone).filter(|zone| !zone.is_empty()),
            purchase,
        }
    }

    /// What else to say where a purchase option has no price.
    pub fn unpriced_hint(&self, capacity_type: CapacityType) -> String {
        match &self.recorded {
            Some(recorded) if capacity_type == CapacityType::Spot => {
                let types: Vec<&str> = recorded.types().into_iter().collect();
                format!("; the spot price history has {}", types.join(", "))
            }
            _ => String::new(),
        }
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
        place: Place<'_>,
    ) -> Option<Result<prices::Price, PriceError>> {
        if self.written_price(name, purchase).is_some() {
            return None;
        }
        let id = self.zone_id(name, place.zone);
        let query = self.query(name, purchase, Place { zone: id.as_deref().unwrap_or(place.zone), ..place });
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

    /// The zone id that a zone of the account stands for: as `prices.zones` says, else in order of the ids the catalog has of its region.
    fn zone_id(&self, name: &str, zone: &str) -> Option<String> {
        if let Some(id) = self.zones.get(zone) {
            return Some(id.clone());
        }
        let letter = zone.bytes().last().filter(u8::is_ascii_lowercase)?;
        let region =
            zone.get(..zone.len() - 1).filter(|region| region.ends_with(|digit: char| digit.is_ascii_digit()))?;
        self.machine(name).filter(|machine| machine.provider == "aws")?;
        let of_region = self.rows().filter(|row| row.region == region && row.provider == "aws" && !row.zone.is_empty());
        let ids: BTreeSet<&str> = of_region.map(|row| row.zone.as_str()).collect();
        ids.into_iter().nth(usize::from(letter - b'a')).map(str::to_owned)
    }

    /// Says which zones were taken for which ids.
    pub(super) fn guessed_zones(&self, pools: &[NodePoolSpec]) -> Option<String> {
        let spot = pools.iter().flat_map(|pool| &pool.offerings).filter(|offering| offering.purchase == Purchase::Spot);
        let guessed: BTreeSet<String> = spot
            .filter(|offering| !self.zones.contains_key(&offering.zone) && !self.is_recorded(&offering.instance_type))
            .filter(|offering| self.written_price(&offering.instance_type, Purchase::Spot).is_none())
            .filter_map(|offering| {
                Some(format!("{} as {}", offering.zone, self.zone_id(&offering.instance_type, &offering.zone)?))
            })
            .collect();
        let listed: Vec<String> = guessed.into_iter().collect();
        (!listed.is_empty()).then(|| {
            format!(
                "spot prices are per zone id, whose letters differ between accounts: {} were taken; `prices.zones` says which yours are",
                listed.join(", ")
            )
        })
    }

    /// How an instance is billed: as written, else by its provider's rules.
    pub fn billing(&self, name: &str, capacity_type: CapacityType) -> Billing {
        let file = self.written.get(name);
        let rules = match (file.and_then(|file| file.billing.as_deref()), self.latest(name)) {
            (Some(provider), _) => BillingRules::of(provider),
            (None, Some(row)) => BillingRules::of(&row.provider),
            (None, None) => self
                .recorded
                .as_ref()
                .and_then(|recorded| recorded.provider(name))
                .map_or(UNSTATED, |provider| BillingRules::of(&provider)),
        };
        let written = |read: fn(&PriceFile) -> Option<Time>| file.and_then(read).map(Time::duration);
        let first_hour = file.and_then(|file| file.spot_first_hour_free);
        let free = written(|file| file.spot_free_within)
            .or_else(|| first_hour.map(|free| if free { HOUR } else { SimDuration::ZERO }))
            .unwrap_or(rules.spot_free_until);
        Billing {
            minimum: written(|file| file.billing_minimum).unwrap_or(rules.minimum),
            increment: written(|file| file.billing_increment).unwrap_or(rules.increment),
            spot_free_until: if capacity_type == CapacityType::Spot { free } else { SimDuration::ZERO },
        }
    }

    /// The machine table's entry of a type, else what the catalogs say of it.
    pub fn machine(&self, name: &str) -> Option<Cow<'static, Machine>> {
        let listed =
            prices::machine(name).filter(|machine| self.provider.as_ref().is_none_or(|name| machine.provider == *name));
        listed.map(Cow::Borrowed).or_else(|| {
            let row = self.latest(name)?;
            Machine::of_shape(&row.provider, name, &row.shape).map(Cow::Owned)
        })
    }

    /// The latest row of the last catalog that has the type.
    fn latest(&self, name: &str) -> Option<&prices::Row> {
        self.catalogs
            .iter()
            .rev()
            .find_map(|catalog| catalog.find(name, self.provider.as_deref(), None).first().copied())
    }
}

/// The purchase option a capacity type is.
pub(super) fn purchase(capacity_type: CapacityType) -> Purchase {
    match capacity_type {
        CapacityType::OnDemand => Purchase::OnDemand,
        CapacityType::Spot => Purchase::Spot,
        CapacityType::Reserved => Purchase::Reserved,
    }
}

/// The region an offering's price is of.
fn region_of(offering: &cluster::spec::InstanceOffering) -> Option<&str> {
    offering.labels.iter().find(|(key, _)| key == "topology.kubernetes.io/region")?.1.as_deref()
}
