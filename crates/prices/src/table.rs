//! The catalog as text, for `scalelab prices list` and `scalelab prices show`.

use jiff::ToSpan;
use jiff::civil::Date;

use crate::catalog::dollars;
use crate::{BillingRules, Catalog, Row, STALE_AFTER_MONTHS};

/// Which rows to list; `None` means any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListFilter<'a> {
    /// Provider.
    pub provider: Option<&'a str>,
    /// Region.
    pub region: Option<&'a str>,
    /// GPU model, such as `H100`; capitals do not count.
    pub gpu_model: Option<&'a str>,
}

impl ListFilter<'_> {
    fn admits(&self, row: &Row) -> bool {
        self.provider.is_none_or(|name| name == row.provider)
            && self.region.is_none_or(|name| name == row.region)
            && self.gpu_model.is_none_or(|name| name.eq_ignore_ascii_case(&row.shape.gpu_model))
    }
}

/// Rows that pass the filter as a table, cheapest GPU first. Of prices that are stale by `today` the date carries an asterisk, explained
/// below the table.
pub fn list_table(catalog: &Catalog, filter: ListFilter<'_>, today: Date) -> String {
    let mut rows: Vec<&Row> = catalog.rows().iter().filter(|row| filter.admits(row)).collect();
    rows.sort_by_key(|row| {
        let cheapest = row.spot.or(row.on_demand).or(row.reserved_1y).map_or(0, units::UsdPerHour::as_micros);
        (cheapest / u64::from(row.shape.gpus), row.instance_type.as_str(), row.zone.as_str())
    });
    let head = ["provider", "region", "zone", "instance type", "GPUs", "model", "$/h", "spot $/h", "1 y $/h", "date"];
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        let price = |price: Option<units::UsdPerHour>| price.map_or_else(|| "-".to_owned(), dollars);
        [
            row.provider.clone(),
            row.region.clone(),
            if row.zone.is_empty() { "-".to_owned() } else { row.zone.clone() },
            row.instance_type.clone(),
            row.shape.gpus.to_string(),
            row.shape.gpu_model.clone(),
            price(row.on_demand),
            price(row.spot),
            price(row.reserved_1y),
            format!("{}{}", row.date, if is_stale(row, today) { "*" } else { "" }),
        ]
    }));
    let mut text = aligned(&lines);
    let stale = rows.iter().filter(|row| is_stale(row, today)).count();
    if stale > 0 {
        text += &format!(
            "* stale: {stale} of {} prices are more than {STALE_AFTER_MONTHS} months old; `scalelab prices import` makes newer ones\n",
            rows.len()
        );
    }
    text
}

/// Whether the price of a row is older by `today` than a run that starts then would take without a warning.
fn is_stale(row: &Row, today: Date) -> bool {
    row.date.checked_add(i64::from(STALE_AFTER_MONTHS).months()).is_ok_and(|limit| limit < today)
}

/// Everything the catalog says about one instance type: shape, billing rules, every price with its source, and which are stale by `today`.
pub fn show_table(rows: &[&Row], today: Date) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let shape = &first.shape;
    let rules = BillingRules::of(&first.provider);
    let amount = |amount: Option<String>| amount.unwrap_or_else(|| "not stated".to_owned());
    let mut text = format!(
        "{} ({})\n  {} x {} with {} GiB each; vCPUs {}, memory {}\n  billed by {}, at least {}; spot notice {}; {} [{}]\n",
        first.instance_type,
        first.provider,
        shape.gpus,
        shape.gpu_model,
        shape.gpu_memory_gib,
        amount(shape.vcpus.map(|count| count.to_string())),
        amount(shape.memory_gib.map(|gib| format!("{gib} GiB"))),
        rules.increment,
        rules.minimum,
        rules.spot_notice,
        if rules.spot_free_until.is_zero() {
            "spot is never free".to_owned()
        } else {
            format!("spot reclaimed within {} is free", rules.spot_free_until)
        },
        rules.source,
    );
    for row in rows {
        let place = if row.zone.is_empty() { row.region.clone() } else { format!("{} {}", row.region, row.zone) };
        let kinds = [("on demand", row.on_demand), ("spot", row.spot), ("reserved 1 y", row.reserved_1y)];
        let age = if is_stale(row, today) { ", stale" } else { "" };
        text.extend(kinds.into_iter().filter_map(|(kind, price)| {
            Some(format!("  {place}: {kind} ${}/h on {}{age} ({})\n", dollars(price?), row.date, row.source))
        }));
    }
    text
}

/// Columns padded to equal width, two spaces apart, without trailing blanks.
fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for line in lines {
        for (cell, width) in line.iter().zip(&mut widths) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in lines {
        let padded: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text += padded.join("  ").trim_end();
        text.push('\n');
    }
    text
}
