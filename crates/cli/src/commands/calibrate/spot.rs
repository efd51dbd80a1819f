//! `scalelab calibrate spot`: histories of three kinds, told apart by their first letters.

use std::path::Path;

use calibrate::{SpotHistory, ZonePrices, ZoneSteps};
use prices::{Availability, Catalog, Query, SpotPriceHistory, SpotPriceSeries};
use record::Purchase;
use scenario::Price;
use units::{SimDuration, SimTime, UsdPerHour};

use super::super::data_files::{read_text, write, wrong};
use super::super::prices::region;
use super::super::trace::amount;
use crate::args::CalibrateSpot;
use crate::failure::{Failure, OrInput, Result};

pub fn spot(args: &CalibrateSpot) -> Result<()> {
    let texts = args.history.iter().map(|path| read_text(path)).collect::<Result<Vec<_>>>()?;
    let is_priced: Vec<bool> = texts.iter().map(|text| text.contains("\"SpotPriceHistory\"")).collect();
    let mut notes = Vec::new();
    let history = if is_priced.iter().all(|priced| *priced) {
        if args.available {
            return Err(Failure::input("--available is for counts of nodes, not for prices"));
        }
        prices_history(args, &texts, &mut notes)?
    } else if is_priced.contains(&true) {
        return Err(Failure::input("--history: price histories and node counts do not mix"));
    } else {
        counts_history(args, &texts, &mut notes)?
    };
    let fit = calibrate::spot(&history).or_input()?;
    if let Some(path) = &args.plot {
        let drawing = super::plot::spot(&fit).ok_or_else(|| Failure::input("--plot: fewer than two events to draw"))?;
        write(path, &drawing)?;
    }
    let notes: String = notes.iter().map(|note| format!("note: {note}\n")).collect();
    let head = "# Interruptions measured by `scalelab calibrate spot`; goes under `spec` of a Scenario.\n";
    let report = format!("{}{notes}", fit.report());
    super::publish(&report, &format!("{head}{}", fit.yaml()), args.out.as_deref())
}

fn counts_history(args: &CalibrateSpot, texts: &[String], notes: &mut Vec<String>) -> Result<SpotHistory> {
    if args.price_max.is_some() || args.instance_type.is_some() {
        return Err(Failure::input("--price-max and --instance-type are for price histories"));
    }
    let mut zones = Vec::new();
    for (path, text) in args.history.iter().zip(texts) {
        let zone = zone_name(path);
        let read = if text.trim_start().starts_with('{') {
            prices::availability_skypilot(&zone, text)
        } else {
            prices::availability_bamboo(&zone, text)
        };
        let Availability { zone, steps, end, notes: odd } = read.map_err(|error| wrong(path, error))?;
        notes.extend(odd.into_iter().map(|note| format!("{zone}: {note}")));
        zones.push(ZoneSteps { zone, steps, end });
    }
    if args.available {
        return Ok(SpotHistory::Available(zones));
    }
    notes.push("counts are taken as nodes that were held; --available if they are nodes that could be had".to_owned());
    Ok(SpotHistory::Held(zones))
}

/// A file without its endings names its zone.
fn zone_name(path: &Path) -> String {
    let name = super::super::data_files::file_name(path);
    name.split('.').next().unwrap_or_default().to_owned()
}

fn prices_history(args: &CalibrateSpot, texts: &[String], notes: &mut Vec<String>) -> Result<SpotHistory> {
    let pages: Vec<&str> = texts.iter().map(String::as_str).collect();
    let history = SpotPriceHistory::parse(&pages).map_err(|error| wrong(&args.history[0], error))?;
    notes.extend(history.warnings.iter().cloned());
    let is_wanted = |series: &&SpotPriceSeries| {
        series.product.starts_with("Linux/UNIX")
            && args.instance_type.as_ref().is_none_or(|wanted| *wanted == series.instance_type)
    };
    let series: Vec<&SpotPriceSeries> = history.series.iter().filter(is_wanted).collect();
    let mut types: Vec<&str> = series.iter().map(|series| series.instance_type.as_str()).collect();
    types.dedup();
    types.sort_unstable();
    types.dedup();
    let [instance_type] = types[..] else {
        let reason = if types.is_empty() {
            format!("no Linux/UNIX prices of {}", args.instance_type.as_deref().unwrap_or("any instance type"))
        } else {
            format!("prices of {}; choose one with --instance-type", types.join(", "))
        };
        return Err(wrong(&args.history[0], reason));
    };
    let price_max = match &args.price_max {
        Some(text) => amount::<Price>("--price-max", text)?.0,
        None => on_demand(instance_type, series[0], notes)?,
    };
    let start = series.iter().filter_map(|series| series.points.first()).map(|point| point.0).min();
    let end = series.iter().filter_map(|series| series.points.last()).map(|point| point.0).max();
    let (start, end) = start.zip(end).expect("a series has at least one point");
    let length = SimDuration::from_secs_f64(end.duration_since(start).as_secs_f64());
    if length.is_zero() {
        return Err(wrong(&args.history[0], "all prices are of one instant; a history is longer"));
    }
    let zones = series.iter().map(|series| ZonePrices {
        zone: series.zone.clone(),
        points: series.since(start),
        end: SimTime::ZERO + length,
    });
    Ok(SpotHistory::Prices { zones: zones.collect(), price_max })
}

/// The most one would pay, unless said otherwise: what the machine costs without the risk.
fn on_demand(instance_type: &str, series: &SpotPriceSeries, notes: &mut Vec<String>) -> Result<UsdPerHour> {
    let catalog = Catalog::embedded();
    let query =
        |region| Query { instance_type, provider: Some("aws"), region, zone: None, purchase: Purchase::OnDemand };
    let found = catalog.price(query(Some(region(&series.zone)))).or_else(|_| catalog.price(query(None)));
    let found =
        found.map_err(|error| Failure::input(format!("{error}; say the most you would pay with --price-max")))?;
    notes.push(format!(
        "the most one would pay is the on-demand price, ${}/h ({}, {}); --price-max says otherwise",
        found.price.as_f64(),
        found.region,
        found.date
    ));
    Ok(found.price)
}
