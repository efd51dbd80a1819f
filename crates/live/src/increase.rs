//! Requests per row, out of counters as they were scraped.
//!
//! Between two scrapes of one series its increase is what it grew by, or its value where it fell (the process began anew), exactly. The
//! increase is spread evenly over the time between the scrapes; nothing is extrapolated, so that the rows add up to what was counted. Where no
//! series at all was scraped for a while, the rows have no value.

use std::collections::{BTreeMap, BTreeSet};

use crate::answer::{Sample, Series};
use crate::error::LiveError;
use crate::grid::Grid;
use crate::twins;

/// Scrapes further apart than so many usual intervals leave a gap.
const GAP: f64 = 2.5;
/// A series that begins with more than so many of the largest increases between two scrapes counts what was before it was scraped.
const OLD: f64 = 10.0;

/// What was counted, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requests {
    /// Requests of each row; `None` where nothing was scraped.
    pub rows: Vec<Option<f64>>,
    /// Usual time between two scrapes of a series, in milliseconds.
    pub interval_ms: i64,
    /// Stretches without a scrape, `[from, to)`, in milliseconds.
    pub gaps: Vec<(i64, i64)>,
    /// Requests that were counted across such stretches, and are in no row.
    pub lost_in_gaps: f64,
    /// Requests of single series that missed scrapes while others did not: spread over a longer time than they came in.
    pub blurred: f64,
    /// First values of series that began with more than a scrape's worth, and are left out.
    pub begun_before: Vec<f64>,
    /// How many series there were.
    pub series: usize,
}

/// Puts series together, chunk by chunk in order of time.
pub(crate) struct Folding {
    grid: Grid,
    amounts: Vec<f64>,
    last: BTreeMap<String, Sample>,
    first_scrape_ms: Option<i64>,
    last_scrape_ms: Option<i64>,
    /// First values of series that were not there at the start: when, how much.
    births: Vec<(i64, f64)>,
    largest: f64,
    done: Requests,
}

impl Folding {
    pub(crate) fn new(grid: Grid) -> Self {
        Self {
            grid,
            amounts: vec![0.0; grid.rows],
            last: BTreeMap::new(),
            first_scrape_ms: None,
            last_scrape_ms: None,
            births: Vec::new(),
            largest: 0.0,
            done: Requests::default(),
        }
    }

    /// The same, of series that can be counters of requests; others are refused.
    pub(crate) fn add_checked(&mut self, chunk: &[Series]) -> Result<(), LiveError> {
        let is_negative = |series: &&Series| series.samples.iter().any(|sample| sample.value < 0.0);
        if let Some(series) = chunk.iter().find(is_negative) {
            let name = series.labels.get("__name__").map_or("what stands for requests", String::as_str);
            return Err(LiveError::input(format!(
                "{name} is below zero at times, so it counts no requests: --requests names a counter that does"
            )));
        }
        twins::refuse_twins(chunk)?;
        self.add(chunk);
        Ok(())
    }

    /// The samples of the next chunk; those that were seen already are passed over.
    fn add(&mut self, chunk: &[Series]) {
        let scrapes: BTreeSet<i64> = chunk.iter().flat_map(|one| &one.samples).map(|sample| sample.at_ms).collect();
        if self.done.interval_ms == 0 {
            self.done.interval_ms = usual_interval(chunk).unwrap_or(0);
        }
        for &at in &scrapes {
            if let Some(before) = self.last_scrape_ms.filter(|before| self.is_gap(*before, at)) {
                self.done.gaps.push((before, at));
            }
            self.first_scrape_ms = self.first_scrape_ms.or(Some(at));
            self.last_scrape_ms = self.last_scrape_ms.max(Some(at));
        }
        for series in chunk {
            let key = format!("{:?}", series.labels);
            for &sample in series.samples.iter().filter(|sample| sample.value.is_finite()) {
                match self.last.get(&key).copied() {
                    Some(before) if sample.at_ms <= before.at_ms => continue,
                    Some(before) => self.grew(before, sample),
                    // What is there at the very start has grown before.
                    None if sample.at_ms <= self.grid.from_ms => {}
                    None => self.births.push((sample.at_ms, sample.value)),
                }
                self.last.insert(key.clone(), sample);
            }
        }
    }

    fn is_gap(&self, from_ms: i64, to_ms: i64) -> bool {
        self.done.interval_ms > 0 && (to_ms - from_ms) as f64 > GAP * self.done.interval_ms as f64
    }

    fn grew(&mut self, before: Sample, now: Sample) {
        let increase = if now.value < before.value { now.value } else { now.value - before.value };
        if self.is_gap(before.at_ms, now.at_ms) {
            let in_gap = self.done.gaps.iter().rev().any(|(from, to)| *from < now.at_ms && *to > before.at_ms);
            if in_gap {
                self.done.lost_in_gaps += increase;
                return;
            }
            self.done.blurred += increase;
        } else {
            self.largest = self.largest.max(increase);
        }
        self.spread((before.at_ms, now.at_ms), increase);
    }

    fn spread(&mut self, over: (i64, i64), increase: f64) {
        let amounts = &mut self.amounts;
        self.grid.spread(over, increase, |row, part| amounts[row] += part);
    }

    /// All chunks are there. `is_quiet` says of an instant whether there was no replica, so that nothing could be scraped: no gap then.
    pub(crate) fn finish(mut self, is_quiet: impl Fn(i64) -> bool) -> Requests {
        let (grid, interval) = (self.grid, self.done.interval_ms);
        let (Some(first), Some(last)) = (self.first_scrape_ms, self.last_scrape_ms) else { return self.done };
        let ends = [(grid.from_ms.min(first), first), (last, grid.to_ms().max(last))];
        self.done.gaps.extend(ends.into_iter().filter(|(from, to)| to > from));
        let is_quiet = |(from, to): (i64, i64)| {
            let inside = (from + interval..to - interval).step_by(grid.step_ms as usize);
            is_quiet(from.midpoint(to)) && inside.into_iter().all(&is_quiet)
        };
        self.done.gaps.retain(|gap| !is_quiet(*gap));
        self.done.gaps.sort_unstable();
        self.done.series = self.last.len();
        for (at, value) in std::mem::take(&mut self.births) {
            // What is first seen when scraping (again) begins may be older than that.
            let is_back = self.done.gaps.iter().any(|(_, to)| at >= *to && at <= to + interval);
            let is_known = is_back
                || (at as f64) <= first as f64 + GAP * interval as f64 && !is_quiet((grid.from_ms.min(first), first));
            if self.largest > 0.0 && value > OLD * self.largest {
                self.done.begun_before.push(value);
            } else if is_known {
                self.done.lost_in_gaps += if is_back && at > first + interval { value } else { 0.0 };
            } else {
                self.spread((at - interval, at), value);
            }
        }
        self.done.rows = self.amounts.iter().map(|amount| Some(*amount)).collect();
        for (from, to) in self.done.gaps.clone() {
            for row in (0..grid.rows).filter(|row| grid.at_ms(*row) < to && grid.at_ms(row + 1) > from) {
                self.done.rows[row] = None;
            }
        }
        self.done.gaps.retain(|(from, to)| *to > grid.from_ms && *from < grid.to_ms());
        self.done
    }
}

/// The median time between two samples of a series.
fn usual_interval(chunk: &[Series]) -> Option<i64> {
    let pairs = chunk.iter().flat_map(|series| series.samples.windows(2));
    let mut between: Vec<i64> = pairs.map(|pair| pair[1].at_ms - pair[0].at_ms).filter(|gap| *gap > 0).collect();
    let middle = between.len() / 2;
    (!between.is_empty()).then(|| *between.select_nth_unstable(middle).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { from_ms: 0, step_ms: 10_000, rows: 6 };

    fn series(name: &str, samples: &[(i64, f64)]) -> Series {
        let labels = BTreeMap::from([("pod".to_owned(), name.to_owned())]);
        let samples = samples.iter().map(|(at, value)| Sample { at_ms: at * 1_000, value: *value }).collect();
        Series { labels, samples }
    }

    fn folded(chunks: &[&[Series]], is_quiet: fn(i64) -> bool) -> Requests {
        let mut folding = Folding::new(GRID);
        chunks.iter().for_each(|chunk| folding.add(chunk));
        folding.finish(is_quiet)
    }

    fn rows(requests: &Requests) -> Vec<Option<i64>> {
        requests.rows.iter().map(|row| row.map(|amount| amount.round() as i64)).collect()
    }

    /// A counter scraped every ten seconds, five seconds off the rows, that grows by 100 each time.
    fn steady(name: &str, from: i64, to: i64) -> Series {
        let at = (from..=to).filter(|at| at.rem_euclid(10) == 5);
        series(name, &at.map(|at| (at, 1_000.0 + at as f64 * 10.0)).collect::<Vec<_>>())
    }

    #[test]
    fn rows_add_up_to_what_was_counted() {
        let all = folded(&[&[steady("a", -15, 75)]], |_| false);
        assert_eq!(rows(&all), [Some(100); 6]);
        let parts = folded(&[&[steady("a", -15, 25)], &[steady("a", 15, 75)]], |_| false);
        assert_eq!(parts.rows, all.rows, "chunks may overlap and change nothing");
    }

    #[test]
    fn a_counter_that_falls_began_anew() {
        let fell = series(
            "a",
            &[(-5, 500.0), (5, 600.0), (15, 40.0), (25, 140.0), (35, 240.0), (45, 340.0), (55, 440.0), (65, 540.0)],
        );
        assert_eq!(
            rows(&folded(&[&[fell]], |_| false)),
            [Some(70), Some(70), Some(100), Some(100), Some(100), Some(100)]
        );
    }

    #[test]
    fn a_new_pod_counts_from_zero_and_an_old_one_that_was_not_scraped_does_not() {
        let born = series("b", &[(25, 80.0), (35, 180.0)]);
        let old = series("c", &[(25, 1e6), (35, 1e6)]);
        let all = folded(&[&[steady("a", -15, 75), born, old]], |_| false);
        assert_eq!(rows(&all), [Some(100), Some(140), Some(190), Some(150), Some(100), Some(100)]);
        assert_eq!(all.begun_before, [1e6]);
    }

    #[test]
    fn a_gap_has_no_value_and_its_requests_are_told() {
        let outage = folded(&[&[steady("a", -15, 5), steady("a", 45, 75)]], |_| false);
        assert_eq!(rows(&outage), [None, None, None, None, None, Some(100)]);
        assert_eq!(outage.gaps, [(5_000, 45_000)]);
        assert_eq!(outage.lost_in_gaps, 400.0);
        let quiet = folded(&[&[steady("a", -15, 5), steady("b", 45, 75)]], |at| (8_000..42_000).contains(&at));
        assert!(quiet.gaps.is_empty(), "{:?}", quiet.gaps);
        assert_eq!(rows(&quiet)[1..4], [Some(0), Some(0), Some(0)]);
    }

    #[test]
    fn one_pod_that_misses_scrapes_is_spread_and_told() {
        let mut holes = steady("b", -15, 75);
        holes.samples.retain(|sample| !(10_000..40_000).contains(&sample.at_ms));
        let all = folded(&[&[steady("a", -15, 75), holes]], |_| false);
        assert_eq!(rows(&all), [Some(200); 6]);
        assert_eq!(all.blurred, 400.0);
    }
}
