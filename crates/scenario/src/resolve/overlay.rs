//! Karpenter's NodeOverlay: prices that it chooses by and nobody pays, and resources that machines are said to have.

use std::collections::BTreeMap;

use cluster::spec::{InstanceOffering, PriceOverlay};
use prices::{Label, Machine};
use serde::Deserialize;
use units::UsdPerHour;

use crate::error::ScenarioError;
use crate::file::{ManagerFile, ServiceView};
use crate::manifest::{Document, Kind, Quantity, Requirement, read_loosely};

use super::Context;
use super::offerings::{Wanted, bought_label};
use super::requirement::ValueSet;
use super::wish;

/// A NodeOverlay.
#[derive(Clone, Debug)]
pub struct Overlay {
    weight: u32,
    name: String,
    rules: Vec<(String, ValueSet)>,
    price: Option<PriceOverlay>,
    capacity: Vec<(String, u32)>,
}

#[derive(Debug, Deserialize)]
struct OverlayFile {
    spec: OverlaySpecFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OverlaySpecFile {
    requirements: Vec<Requirement>,
    weight: Option<u32>,
    price: Option<String>,
    price_adjustment: Option<String>,
    capacity: BTreeMap<String, Quantity>,
}

impl Context<'_> {
    /// The overlays of the folder, the one that counts first in front.
    pub(super) fn overlays(&mut self, spec: &ServiceView) -> Result<Vec<Overlay>, ScenarioError> {
        let documents: Vec<&Document> = self.of_kind(Kind::NodeOverlay).collect();
        let mut overlays = Vec::new();
        for document in documents {
            self.used.insert(document.label());
            if !matches!(spec.nodes.manager, ManagerFile::Karpenter) {
                self.note(format!("{}: means nothing without Karpenter", document.label()));
                continue;
            }
            let file: OverlayFile = read_loosely(document)?;
            let overlay = file.spec.resolve(&document.name).map_err(|reason| ScenarioError::Inconsistent {
                at: document.node.get("spec").unwrap_or(&document.node).locate("spec"),
                reason,
            })?;
            self.note(format!(
                "{}: needs Karpenter's feature gate NodeOverlay, which is off by default; taken as on. Its price is chosen by, not paid",
                document.title()
            ));
            overlays.push(overlay);
        }
        // The heavier counts; of equal ones the first in the alphabet.
        overlays.sort_by(|one, two| two.weight.cmp(&one.weight).then_with(|| one.name.cmp(&two.name)));
        Ok(overlays)
    }
}

impl OverlaySpecFile {
    fn resolve(self, name: &str) -> Result<Overlay, String> {
        let rules = self
            .requirements
            .iter()
            .map(|rule| Ok((prices::well_known_key(&rule.key).to_owned(), ValueSet::of(rule)?)));
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        let micros = |dollars: f64| (dollars * 1e6).round();
        let price = match (self.price, self.price_adjustment) {
            (Some(_), Some(_)) => return Err("`price` and `priceAdjustment` exclude each other".to_owned()),
            (Some(price), None) => match number(&price).filter(|price| *price >= 0.0) {
                Some(price) => Some(PriceOverlay::Fixed(UsdPerHour::from_micros(micros(price) as u64))),
                None => return Err(format!("price: `{price}` is no price in dollars per hour, such as `0.85`")),
            },
            (None, Some(text)) => {
                let wrong =
                    || format!("priceAdjustment: `{text}` is neither an amount nor a share, such as `+0.1` or `-10%`");
                if !text.starts_with(['+', '-']) {
                    return Err(wrong());
                }
                Some(match text.strip_suffix('%') {
                    Some(share) => PriceOverlay::Share(number(share).ok_or_else(wrong)? / 100.0),
                    None => PriceOverlay::Add(micros(number(&text).ok_or_else(wrong)?) as i64),
                })
            }
            (None, None) => None,
        };
        if let Some(resource) =
            self.capacity.keys().find(|name| matches!(name.as_str(), "cpu" | "memory" | "pods" | "ephemeral-storage"))
        {
            return Err(format!(
                "capacity: `{resource}` is the machine's own, an overlay adds extended resources only"
            ));
        }
        let capacity = self.capacity.iter();
        let whole = |count: &Quantity| u32::try_from(count.units()).unwrap_or(u32::MAX);
        Ok(Overlay {
            weight: self.weight.unwrap_or(0),
            name: name.to_owned(),
            rules: rules.collect::<Result<_, String>>()?,
            price,
            capacity: capacity.map(|(name, count)| (name.clone(), whole(count))).collect(),
        })
    }
}

/// What an offering is of.
pub struct Overlaid<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// What the pool asks for.
    pub wanted: &'a Wanted<'a>,
}

impl Overlaid<'_> {
    /// Puts on an offering what overlays say of it: the price of the first that has one, the resources of all.
    pub fn apply(&self, overlays: &[Overlay], offering: &mut InstanceOffering) {
        let Some(cloud) = self.wanted.cloud else { return };
        let label = |key: &str, offering: &InstanceOffering| match (key, bought_label(key, offering, self.machine)) {
            ("karpenter.sh/nodepool", _) => Label::Value(self.wanted.pool.to_owned()),
            (_, Some(Some(value))) => Label::Value(value),
            (_, Some(None)) => Label::Absent,
            (_, None) => wish::label(self.machine, key, cloud),
        };
        for overlay in overlays {
            if !overlay.rules.iter().all(|(key, set)| set.meets(&label(key, offering))) {
                continue;
            }
            offering.overlay = offering.overlay.or(overlay.price);
            for (name, count) in &overlay.capacity {
                if !offering.extended.iter().any(|(known, _)| known == name) {
                    offering.extended.push((name.clone(), *count));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(price: Option<&str>, adjustment: Option<&str>) -> Result<Option<PriceOverlay>, String> {
        let spec = OverlaySpecFile {
            price: price.map(str::to_owned),
            price_adjustment: adjustment.map(str::to_owned),
            ..OverlaySpecFile::default()
        };
        spec.resolve("a").map(|overlay| overlay.price)
    }

    #[test]
    fn a_price_replaces_and_an_adjustment_is_added() {
        let over =
            |overlay: Option<PriceOverlay>| overlay.unwrap().over(UsdPerHour::from_micros(1_000_000)).as_micros();
        assert_eq!(over(price(Some("0.5"), None).unwrap()), 500_000);
        assert_eq!(over(price(None, Some("+0.25")).unwrap()), 1_250_000);
        assert_eq!(over(price(None, Some("-10%")).unwrap()), 900_000);
        assert_eq!(over(price(None, Some("-2")).unwrap()), 0);
        assert!(price(None, Some("10%")).is_err() && price(Some("1"), Some("+1")).is_err());
    }
}
