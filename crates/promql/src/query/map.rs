//! Functions of each element's value, and sorting.

use std::cmp::Ordering;

use super::plan::MapFunction;
use super::{Element, calendar};

/// Applies the function to each element; `clamp` with crossed bounds leaves none.
pub(super) fn apply(function: MapFunction, mut elements: Vec<Element>, parameters: &[f64]) -> Vec<Element> {
    if let (MapFunction::Clamp, [low, high]) = (function, parameters)
        && high < low
    {
        elements.clear();
    }
    for element in &mut elements {
        element.value = value(function, element.value, parameters);
    }
    elements
}

fn value(function: MapFunction, x: f64, parameters: &[f64]) -> f64 {
    let parameter = |index: usize| parameters.get(index).copied().unwrap_or(f64::NAN);
    match function {
        MapFunction::Absolute => x.abs(),
        MapFunction::Ceiling => x.ceil(),
        MapFunction::Floor => x.floor(),
        MapFunction::SquareRoot => x.sqrt(),
        MapFunction::Exponential => libm::exp(x),
        MapFunction::LogNatural => libm::log(x),
        MapFunction::Log2 => libm::log2(x),
        MapFunction::Log10 => libm::log10(x),
        MapFunction::Sign if x > 0.0 => 1.0,
        MapFunction::Sign if x < 0.0 => -1.0,
        MapFunction::Sign => x,
        MapFunction::Round => {
            // Through the inverse, as Prometheus does: 1/0.1 is exact where 0.1 is not.
            let inverse = 1.0 / parameters.first().copied().unwrap_or(1.0);
            (x * inverse + 0.5).floor() / inverse
        }
        MapFunction::Clamp => at_least(at_most(x, parameter(1)), parameter(0)),
        MapFunction::ClampMin => at_least(x, parameter(0)),
        MapFunction::ClampMax => at_most(x, parameter(0)),
        MapFunction::Year => calendar::Moment::at(x).year,
        MapFunction::Month => calendar::Moment::at(x).month,
        MapFunction::DayOfMonth => calendar::Moment::at(x).day_of_month,
        MapFunction::DayOfWeek => calendar::Moment::at(x).day_of_week,
        MapFunction::DayOfYear => calendar::Moment::at(x).day_of_year,
        MapFunction::DaysInMonth => calendar::Moment::at(x).days_in_month,
        MapFunction::Hour => calendar::Moment::at(x).hour,
        MapFunction::Minute => calendar::Moment::at(x).minute,
    }
}

/// The larger of two, as Go counts: NaN if one is, unless the other is +Inf.
fn at_least(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

/// The smaller of two, as Go counts: NaN if one is, unless the other is -Inf.
fn at_most(a: f64, b: f64) -> f64 {
    -at_least(-a, -b)
}

/// Elements by value, NaN last in both directions.
pub(super) fn sort(mut elements: Vec<Element>, is_descending: bool) -> Vec<Element> {
    elements.sort_by(|a, b| by_value(a.value, b.value, is_descending));
    elements
}

/// Order of two values; NaN comes after everything.
pub(super) fn by_value(a: f64, b: f64, is_descending: bool) -> Ordering {
    match a.partial_cmp(&b) {
        Some(order) if is_descending => order.reverse(),
        Some(order) => order,
        None => a.is_nan().cmp(&b.is_nan()),
    }
}
