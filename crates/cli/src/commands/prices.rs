//! `scalelab prices`: what GPUs cost, by whose word, as of when.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use prices::{Advisor, AdvisorEntry, Catalog, ListFilter, Row, SkyPilotSource, SpotPriceHistory, SpotPriceSeries};

use super::data_files::{file_name, read_text, say, write, wrong};
use crate::args::{PriceFormat, Prices, PricesImport, PricesList, PricesShow};
use crate::failure::{Failure, OrInput, Outcome, Result};

/// Runs the command given.
pub fn prices(args: &Prices) -> Result<Outcome> {
    match args {
        Prices::List(args) => list(args)?,
        Prices::Show(args) => show(args)?,
        Prices::Import(args) => import(args)?,
    }
    Ok(Outcome::Done)
}

fn catalog(path: Option<&Path>) -> Result<Catalog> {
    let Some(path) = path else { return Ok(Catalog::embedded()) };
    Catalog::parse(&read_text(path)?).map_err(|error| wrong(path, error))
}

fn list(args: &PricesList) -> Result<()> {
    let catalog = catalog(args.catalog.as_deref())?;
    let rows = || catalog.rows().iter();
    known("--gpu", args.gpu.as_deref(), rows().map(|row| row.shape.gpu_model.as_str()))?;
    known("--provider", args.provider.as_deref(), rows().map(|row| row.provider.as_str()))?;
    known("--region", args.region.as_deref(), rows().map(|row| row.region.as_str()))?;
    let filter = ListFilter {
        provider: args.provider.as_deref(),
        region: args.region.as_deref(),
        gpu_model: args.gpu.as_deref(),
    };
    say(&prices::list_table(&catalog, filter, today()))
}

/// The day prices are looked at.
fn today() -> Date {
    TimeZone::UTC.to_datetime(Timestamp::now()).date()
}

/// A name that occurs nowhere is a slip of the pen, not an empty list.
fn known<'a>(option: &str, wanted: Option<&str>, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let Some(wanted) = wanted else { return Ok(()) };
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    if names.iter().any(|name| name.eq_ignore_ascii_case(wanted)) {
        return Ok(());
    }
    let hint = names::nearest(wanted, names.iter().copied());
    let hint = hint.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    Err(Failure::input(format!("{option} {wanted}: not in the catalog{hint} (one of: {})", names.join(", "))))
}

fn show(args: &PricesShow) -> Result<()> {
    let catalog = catalog(args.catalog.as_deref())?;
    catalog.shape(&args.instance, args.provider.as_deref()).or_input()?;
    let everywhere = catalog.find(&args.instance, args.provider.as_deref(), None);
    known("--region", args.region.as_deref(), everywhere.iter().map(|row| row.region.as_str()))?;
    let rows = catalog.find(&args.instance, args.provider.as_deref(), args.region.as_deref());
    say(&prices::show_table(&rows, today()))
}

fn import(args: &PricesImport) -> Result<()> {
    let (catalog, notes) = match args.format {
        PriceFormat::Skypilot => skypilot(args)?,
        PriceFormat::AwsSpotHistory => spot_history(args)?,
        PriceFormat::SpotAdvisor => spot_advisor(args)?,
    };
    notes.iter().for_each(|note| eprintln!("note: {note}"));
    if catalog.rows().is_empty() {
        let files: Vec<String> = args.files.iter().map(|path| path.display().to_string()).collect();
        return Err(Failure::input(format!("{}: no usable price; nothing was written", files.join(", "))));
    }
    write(&args.out, &catalog.to_csv())?;
    eprintln!("{} prices are in {}", catalog.rows().len(), args.out.display());
    Ok(())
}

/// The day a file was made: as said, or its modification date.
fn date_of(args: &PricesImport, path: &Path, notes: &mut Vec<String>) -> Result<Date> {
    if let Some(date) = args.date {
        return Ok(date);
    }
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    let date = modified.ok().and_then(|time| Timestamp::try_from(time).ok());
    let date = date.ok_or_else(|| wrong(path, "does not say when it was made; add --date YYYY-MM-DD"))?;
    let date = TimeZone::UTC.to_datetime(date).date();
    notes.push(format!("{}: dated {date}, when the file was last changed; --date says otherwise", path.display()));
    Ok(date)
}

fn skypilot(args: &PricesImport) -> Result<(Catalog, Vec<String>)> {
    let (mut all, mut notes) = (Catalog::default(), Vec::new());
    for path in &args.files {
        let date = date_of(args, path, &mut notes)?;
        let source = args.source.clone().unwrap_or_else(|| format!("SkyPilot catalog, {}", file_name(path)));
        let from = SkyPilotSource { provider: &args.provider, date, source: &source };
        let imported = prices::skypilot_catalog(&read_text(path)?, from).map_err(|error| wrong(path, error))?;
        for (reason, count) in imported.skipped {
            notes.push(format!("{}: {count} rows left out: {reason}", path.display()));
        }
        all.merge(imported.catalog);
    }
    Ok((all, notes))
}

/// The latest price of each instance type and zone.
fn spot_history(args: &PricesImport) -> Result<(Catalog, Vec<String>)> {
    let texts = args.files.iter().map(|path| read_text(path)).collect::<Result<Vec<_>>>()?;
    let pages: Vec<&str> = texts.iter().map(String::as_str).collect();
    let history = SpotPriceHistory::parse(&pages).map_err(|error| wrong(&args.files[0], error))?;
    let shapes = Catalog::embedded();
    let mut notes = history.warnings.clone();
    let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
    let mut rows = Vec::new();
    for series in &history.series {
        match history_row(args, series, &shapes) {
            Ok(row) => rows.push(row),
            Err(reason) => *left_out.entry(reason).or_default() += 1,
        }
    }
    notes.extend(left_out.iter().map(|(reason, count)| format!("{count} series left out: {reason}")));
    Ok((Catalog::from_rows(rows), notes))
}

fn history_row(args: &PricesImport, series: &SpotPriceSeries, shapes: &Catalog) -> std::result::Result<Row, String> {
    if !series.product.starts_with("Linux/UNIX") {
        return Err(format!("product {}", series.product));
    }
    let shape = shapes
        .shape(&series.instance_type, Some("aws"))
        .map_err(|_| format!("the built-in catalog does not say what is in {}", series.instance_type))?;
    let (from, price) = series.points[series.points.len() - 1];
    Ok(Row {
        provider: "aws".to_owned(),
        region: region(&series.zone).to_owned(),
        zone: if series.zone_id.is_empty() { series.zone.clone() } else { series.zone_id.clone() },
        instance_type: series.instance_type.clone(),
        shape: shape.clone(),
        on_demand: None,
        spot: Some(price),
        reserved_1y: None,
        date: TimeZone::UTC.to_datetime(from).date(),
        source: args.source.clone().unwrap_or_else(|| "aws ec2 describe-spot-price-history, latest price".to_owned()),
    })
}

/// `us-east-1` of `us-east-1a`; local zones keep their name up to the letter too.
pub fn region(zone: &str) -> &str {
    zone.trim_end_matches(|letter: char| letter.is_ascii_alphabetic())
}

/// The advisor has no prices, only savings: spot prices follow from the on-demand prices of the built-in catalog.
fn spot_advisor(args: &PricesImport) -> Result<(Catalog, Vec<String>)> {
    let [path] = &args.files[..] else { return Err(Failure::input("--format spot-advisor: one file at a time")) };
    let mut notes = Vec::new();
    let date = date_of(args, path, &mut notes)?;
    let advisor = Advisor::parse(&read_text(path)?).map_err(|error| wrong(path, error))?;
    let built_in = Catalog::embedded();
    let mut rows: Vec<Row> = Vec::new();
    let mut table =
        String::from("region          instance type    saving  interrupted per month    hazard per node-hour\n");
    for known in built_in.rows().iter().filter(|row| row.provider == "aws" && row.zone.is_empty()) {
        let Some(on_demand) = known.on_demand else { continue };
        let Ok(entry) = advisor.find(&known.region, "Linux", &known.instance_type) else { continue };
        let share = f64::from(100 - entry.saving_percent) / 100.0;
        let source = args.source.clone().unwrap_or_else(|| {
            format!("AWS Spot Advisor: {} % below the on-demand price of {}", entry.saving_percent, known.date)
        });
        rows.push(Row {
            on_demand: None,
            spot: Some(units::UsdPerHour::from_dollars(on_demand.as_f64() * share)),
            reserved_1y: None,
            date,
            source,
            ..known.clone()
        });
        table += &advisor_line(known, entry);
    }
    notes.push("the advisor knows savings, not prices: each is its saving off the built-in on-demand price".to_owned());
    if !rows.is_empty() {
        say(&table)?;
    }
    Ok((Catalog::from_rows(rows), notes))
}

fn advisor_line(row: &Row, entry: AdvisorEntry) -> String {
    let (low, high) = entry.hazard_bounds_per_hour();
    let bucket = ["below 5 %", "5 to 10 %", "10 to 15 %", "15 to 20 %", "above 20 %"][entry.bucket];
    let bounds = match high {
        Some(high) => format!("{low:.6} to {high:.6}"),
        None => format!("above {low:.6}"),
    };
    let (hazard, saving) = (entry.hazard_per_hour(), entry.saving_percent);
    format!("{:<14}  {:<15}  {saving:>4} %  {bucket:<21}    {hazard:.6} ({bounds})\n", row.region, row.instance_type)
}
