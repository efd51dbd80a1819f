//! List prices of many regions in a compact table: a block per source and day, a line per instance type, a column per region.
//!
//! ```text
//! provider,aws
//! date,2025-11-30
//! source,who says so
//! regions,eu-west-1,us-east-1:use1-az4
//! g5.xlarge,1.123//0.7,/0.44
//! ```
//!
//! A cell is `on demand/spot/reserved for a year` in dollars per hour, what is not known empty; a zone follows its region after a colon.

use jiff::civil::Date;
use units::UsdPerHour;

use crate::catalog::price_above_zero;
use crate::{Machine, Row, machine};

/// The rows of an embedded table. Shapes are those of the machine table.
pub fn rows(text: &str) -> Vec<Row> {
    text.split("\n\n").flat_map(block).collect()
}

fn block(text: &str) -> Vec<Row> {
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let mut head = |key: &str| {
        let line = lines.next().unwrap_or_default();
        line.strip_prefix(key)
            .and_then(|rest| rest.strip_prefix(','))
            .unwrap_or_else(|| panic!("no `{key}` at {line}"))
            .to_owned()
    };
    let (provider, date, source, places) = (head("provider"), head("date"), head("source"), head("regions"));
    let date: Date = date.parse().expect("the embedded table has dates");
    let places: Vec<(&str, &str)> =
        places.split(',').map(|place| place.split_once(':').unwrap_or((place, ""))).collect();
    let mut rows = Vec::new();
    for line in lines {
        let mut cells = line.split(',');
        let instance_type = cells.next().unwrap_or_default();
        let shape = machine(instance_type).and_then(Machine::shape);
        let shape = shape.unwrap_or_else(|| panic!("the machine table has no GPU machine {instance_type}"));
        for ((region, zone), cell) in places.iter().zip(cells) {
            let mut parts = cell.split('/');
            let mut next = || price(parts.next().unwrap_or_default());
            let (on_demand, spot, reserved_1y) = (next(), next(), next());
            if on_demand.or(spot).or(reserved_1y).is_none() {
                continue;
            }
            rows.push(Row {
                provider: provider.clone(),
                region: (*region).to_owned(),
                zone: (*zone).to_owned(),
                instance_type: instance_type.to_owned(),
                shape: shape.clone(),
                on_demand,
                spot,
                reserved_1y,
                date,
                source: source.clone(),
            });
        }
    }
    rows
}

fn price(cell: &str) -> Option<UsdPerHour> {
    if cell.is_empty() {
        return None;
    }
    let dollars = cell.parse().ok().and_then(price_above_zero);
    Some(dollars.unwrap_or_else(|| panic!("no price: {cell}")))
}
