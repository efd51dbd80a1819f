//! Ranges against the time between samples.

use promql::SelectorUse;
use units::SimDuration;

use super::{Finding, Severity, Topic};
use crate::registry::Shown;

/// Functions that need two samples.
const NEED_TWO: [&str; 7] = ["rate", "increase", "irate", "idelta", "delta", "deriv", "predict_linear"];

/// What a range and the samples in it make of each other.
pub(super) fn finding(selector: &SelectorUse, matched: &[&Shown]) -> Option<Finding> {
    let range_ms = u64::try_from(selector.range_ms?).ok()?;
    let slowest = matched.iter().max_by_key(|shown| shown.interval)?;
    let interval_ms = slowest.interval.as_nanos() / 1_000_000;
    let (range, interval) = (SimDuration::from_millis(range_ms), slowest.interval);
    let function = selector.around.first()?;
    let name = &slowest.name;
    let new = |severity, text: String| Some(Finding::new(severity, Topic::Window, selector.offset, text));
    let every = format!("{name} is scraped every {interval}");
    if NEED_TWO.contains(&function.as_str()) {
        return match range_ms {
            short if short <= interval_ms => {
                // All of them are dead only if the fastest is.
                let fastest_ms = matched.iter().map(|shown| shown.interval.as_nanos() / 1_000_000).min()?;
                let severity = if short <= fastest_ms { Severity::Error } else { Severity::Warning };
                let text = format!("{function} over {range} never has two samples, because {every}");
                new(severity, text).map(|finding| {
                    let least = SimDuration::from_millis(4 * interval_ms);
                    finding.with_help([format!("take a window of at least four intervals: [{least}]")])
                })
            }
            short if short < 2 * interval_ms => new(
                Severity::Warning,
                format!("{function} over {range} often has one sample only, and then no value, because {every}"),
            ),
            short if short == 2 * interval_ms => new(
                Severity::Note,
                format!("{function} over {range} has two samples: a single missed scrape empties it ({every})"),
            ),
            _ => None,
        };
    }
    if function.ends_with("_over_time") && range_ms < interval_ms {
        return new(Severity::Warning, format!("{function} over {range} is empty between scrapes, because {every}"));
    }
    None
}
