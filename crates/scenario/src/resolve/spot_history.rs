//! Recorded spot prices on the clock of a run. Where the record has no answer it says so: a price is never made up.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use prices::{Catalog, SpotPriceHistory, SpotPriceSeries};
use units::{SimDuration, SimTime, UsdPerHour};

use crate::error::ScenarioError;
use crate::file::SpotHistoryFile;
use crate::quantity::Time;

use super::{Context, RunWindow};

/// A history that ends this long before the run (or the stretch that is repeated) does holds its last price long enough to be worth a
/// warning. AWS reports most prices at least once a day.
const STALE_AFTER: SimDuration = SimDuration::from_secs(86_400);

/// Prices from an instant on, ascending, the first at zero.
pub type PriceSteps = Arc<[(SimTime, UsdPerHour)]>;

/// A recorded history and how it is laid over the run.
pub struct RecordedPrices {
    history: SpotPriceHistory,
    /// The catalog it was made of, if it was.
    catalog: Option<Catalog>,
    product: String,
    from: Timestamp,
    length: SimDuration,
    period: Option<SimDuration>,
}

/// The shortest stretch of a history that is repeated: spot prices stand for minutes at least, and a run holds every repetition.
const PERIOD_MIN: SimDuration = SimDuration::from_secs(60);

impl Context<'_> {
    /// The history a scenario names, read.
    pub(super) fn recorded_prices(
        &mut self,
        file: &SpotHistoryFile,
        window: &RunWindow,
    ) -> Result<RecordedPrices, ScenarioError> {
        let at = "spec.prices.spotHistory";
        let from = match &file.from {
            None => window.start,
            Some(text) => text.parse().map_err(|_| ScenarioError::WrongValue {
                at: self.at(&format!("{at}.from")),
                found: format!("text `{text}`"),
                expected: "an instant with its zone such as `2026-08-10T00:00:00Z`".to_owned(),
            })?,
        };
        let period = file.repeat.map(Time::duration);
        if period.is_some_and(|period| period < PERIOD_MIN) {
            return Err(self.inconsistent(&format!("{at}.repeat"), "must be at least `1m`"));
        }
        let (history, catalog) = self.price_history(&file.file.0)?;
        self.notes.extend(history.warnings.iter().map(|warning| format!("spot price history: {warning}")));
        let products: BTreeSet<&str> = history.series.iter().map(|series| series.product.as_str()).collect();
        if !history.series.iter().any(|series| series.is_product(&file.product)) {
            let path = format!("{at}.product");
            return Err(self.unknown_name(&path, "product in the spot price history", &file.product, products));
        }
        let recorded =
            RecordedPrices { catalog, product: file.product.clone(), from, length: window.length, period, history };
        self.notes.extend(recorded.stale());
        Ok(recorded)
    }

    fn price_history(&self, names: &[String]) -> Result<(SpotPriceHistory, Option<Catalog>), ScenarioError> {
        let file_of = |name: &String| self.file_of(name, "spec.prices.spotHistory.file");
        let paths = names.iter().map(file_of).collect::<Result<Vec<_>, _>>()?;
        let texts = paths.iter().map(|path| self.data.text(path)).collect::<Result<Vec<_>, _>>()?;
        let file = || paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        if texts.is_empty() {
            return Err(self.inconsistent("spec.prices.spotHistory.file", "at least one file is needed"));
        }
        let is_json = |text: &String| text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
        let read = if texts.iter().all(is_json) {
            SpotPriceHistory::parse(&texts.iter().map(String::as_str).collect::<Vec<_>>())
                .map(|history| (history, None))
        } else if let [text] = &texts[..] {
            Catalog::parse(text).and_then(|catalog| Ok((SpotPriceHistory::of_catalog(&catalog)?, Some(catalog))))
        } else {
            let reason = "several files are pages of one AWS answer, all of them JSON; a catalog comes alone";
            return Err(ScenarioError::BadFile { file: file(), reason: reason.to_owned() });
        };
        read.map_err(|error| ScenarioError::BadFile { file: file(), reason: error.to_string() })
    }
}

impl RecordedPrices {
    /// Instance types the history has prices of.
    pub fn types(&self) -> BTreeSet<&str> {
        self.usable().map(|series| series.instance_type.as_str()).collect()
    }

    /// Whose instance type it is, if the history knows it.
    pub fn provider(&self, instance_type: &str) -> Option<String> {
        match &self.catalog {
            // The answers are those of an AWS command.
            None => self.types().contains(instance_type).then(|| "aws".to_owned()),
            Some(catalog) => catalog.find(instance_type, None, None).first().map(|row| row.provider.clone()),
        }
    }

    fn usable(&self) -> impl Iterator<Item = &SpotPriceSeries> {
        self.history.series.iter().filter(|series| series.is_product(&self.product))
    }

    /// The price of an instance type in a zone, from the start of the run on; `None` if the history does not know the type.
    pub fn steps(&self, instance_type: &str, zone: &str) -> Result<Option<PriceSteps>, String> {
        let known: Vec<&SpotPriceSeries> =
            self.usable().filter(|series| series.instance_type == instance_type).collect();
        let Some(first) = known.first() else { return Ok(None) };
        let zones: Vec<String> = known.iter().map(|series| zone_names(series)).collect();
        let series = match zone {
            "" if known.len() == 1 => first,
            "" => {
                return Err(format!(
                    "the spot price history has `{instance_type}` in zones {}: name the zones of the pool",
                    zones.join(", ")
                ));
            }
            zone => known.iter().find(|series| series.is_in(zone)).ok_or_else(|| {
                let near = names::nearest(
                    zone,
                    known.iter().flat_map(|series| [series.zone.as_str(), series.zone_id.as_str()]),
                );
                let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                let known = zones.join(", ");
                format!("the spot price history has no `{instance_type}` in zone `{zone}`{hint} (it has {known})")
            })?,
        };
        let steps = series.replay(self.from, self.length, self.period).ok_or_else(|| {
            format!(
                "the spot price history of `{instance_type}` in {} begins at {}, after {}, where the run starts; \
                 set `prices.spotHistory.from` to an instant within it",
                zone_names(series),
                series.points[0].0,
                self.from
            )
        })?;
        Ok(Some(Arc::from(steps)))
    }

    /// A warning if the end of the record comes long before the end of what is asked of it.
    fn stale(&self) -> Option<String> {
        let asked = self.period.map_or(self.length, |period| period.min(self.length));
        let latest = self.history.latest();
        let covered = self.from.duration_until(latest).as_secs_f64();
        let missing = asked.as_secs_f64() - covered;
        (missing > STALE_AFTER.as_secs_f64()).then(|| {
            format!(
                "stale: the spot price history ends at {latest}, {:.1} days before the end of what is replayed; its last prices stay",
                missing / STALE_AFTER.as_secs_f64()
            )
        })
    }
}

fn zone_names(series: &SpotPriceSeries) -> String {
    if series.zone_id.is_empty() { series.zone.clone() } else { format!("{} ({})", series.zone, series.zone_id) }
}
