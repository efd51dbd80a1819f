//! Rates put together from terms, evaluated at any instant before or after the start of the run.

use std::sync::Arc;

use workload::{Distribution, Purpose, Stream};

use super::Context;
use super::calendar::{Calendar, DAY};
use super::series::Series;
use crate::error::ScenarioError;
use crate::file::{BurstFile, Level, NoiseFile, PointsFile, RateTerm, RateTermChoice, SineFile, TextOr, WeeklyFile};
use crate::quantity::Share;

/// A term ready to be evaluated; times in seconds from the start of the run, negative before it.
#[derive(Clone, Debug)]
pub enum Rate {
    /// Always the same.
    Constant(f64),
    /// Terms added.
    Sum(Vec<Rate>),
    /// Terms multiplied.
    Product(Vec<Rate>),
    /// Straight lines between points, by what the clocks show where they repeat.
    Points { points: Vec<(f64, f64)>, every: Option<f64>, calendar: Calendar },
    /// A sine wave, by what the clocks show.
    Sine { mean: f64, swing: f64, period: f64, peak: f64, calendar: Calendar },
    /// A factor per weekday.
    Weekly { factors: [f64; 7], calendar: Calendar },
    /// A trapezium.
    Burst { at: f64, rise: f64, hold: f64, fall: f64, height: f64 },
    /// A lognormal factor with mean 1, redrawn every interval.
    Noise { factor: Distribution, interval: f64, seed: u64 },
    /// The same later, in seconds.
    Shifted { rate: Box<Rate>, by: f64 },
    /// Recorded.
    Series { series: Arc<Series>, start_at: f64 },
}

/// What a term measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Requests per second.
    Rate,
    /// A factor.
    Factor,
}

impl Rate {
    /// The value at `t`; `None` where a record has a gap.
    pub fn at(&self, t: f64) -> Option<f64> {
        Some(match self {
            Self::Constant(value) => *value,
            Self::Sum(terms) => terms.iter().map(|term| term.at(t)).sum::<Option<f64>>()?,
            Self::Product(terms) => terms.iter().map(|term| term.at(t)).product::<Option<f64>>()?,
            Self::Points { points, every, calendar } => {
                interpolate(points, every.map_or(t, |every| calendar.shown(t).rem_euclid(every)))
            }
            Self::Sine { mean, swing, period, peak, calendar } => {
                mean + swing * libm::cos((t + calendar.ahead(t) - peak) / period * std::f64::consts::TAU)
            }
            Self::Weekly { factors, calendar } => {
                let days = (calendar.shown(t) / DAY).floor() as i64;
                factors[(calendar.weekday as i64 + days).rem_euclid(7) as usize]
            }
            Self::Burst { at, rise, hold, fall, height } => height * trapezium(t - at, *rise, *hold, *fall),
            Self::Noise { factor, interval, seed } => {
                let index = (t / interval).floor() as i64;
                factor.sample(&mut Stream::new(*seed, Purpose::RateNoise, index as u64))
            }
            Self::Shifted { rate, by } => rate.at(t - by)?,
            Self::Series { series, start_at } => series.rate_at(t + start_at)?,
        })
    }

    /// A step of at most `longest` seconds that meets every change of the recorded rates in it, where their rows are evenly apart.
    pub fn step(&self, longest: f64) -> f64 {
        match self {
            Self::Sum(terms) | Self::Product(terms) => {
                terms.iter().fold(longest, |step, term| step.min(term.step(longest)))
            }
            Self::Shifted { rate, .. } => rate.step(longest),
            Self::Series { series, .. } => series.interval() / (series.interval() / longest).ceil(),
            _ => longest,
        }
    }

    /// The mean over `[from, from + length)`, from samples `step` apart; `None` if any of them is in a gap.
    pub fn mean(&self, from: f64, length: f64, step: f64) -> Option<f64> {
        let samples = (length / step).round().max(1.0);
        let width = length / samples;
        let total: Option<f64> = (0..samples as u32).map(|i| self.at(from + (f64::from(i) + 0.5) * width)).sum();
        total.map(|total| total / samples)
    }
}

/// Between points; the first and last level hold outside.
fn interpolate(points: &[(f64, f64)], t: f64) -> f64 {
    let next = points.partition_point(|point| point.0 <= t);
    match (next.checked_sub(1).map(|last| points[last]), points.get(next)) {
        (None, Some(first)) => first.1,
        (Some(last), None) => last.1,
        (Some((t0, v0)), Some((t1, v1))) => v0 + (v1 - v0) * (t - t0) / (t1 - t0),
        (None, None) => 0.0,
    }
}

/// 0 outside, 1 on top, straight flanks.
fn trapezium(t: f64, rise: f64, hold: f64, fall: f64) -> f64 {
    let end = rise + hold + fall;
    if t < 0.0 || t >= end {
        0.0
    } else if t < rise {
        t / rise
    } else if t < rise + hold {
        1.0
    } else {
        (end - t) / fall
    }
}

impl Context<'_> {
    /// A term checked: what it measures must fit what it is combined with.
    pub(super) fn rate(
        &self,
        term: &RateTerm,
        path: &str,
        calendar: &Calendar,
    ) -> Result<(Rate, Dimension), ScenarioError> {
        let choice = match term {
            TextOr::Amount(level) => {
                let (value, dimension) = level_parts(*level);
                return Ok((Rate::Constant(value), dimension));
            }
            TextOr::Choice(choice) => choice,
        };
        match choice {
            RateTermChoice::Sum(terms) => {
                let path = format!("{path}.sum");
                let (rates, dimensions) = self.terms(terms, &path, calendar)?;
                if dimensions.windows(2).any(|pair| pair[0] != pair[1]) {
                    return Err(
                        self.inconsistent(&path, "adds rates (`req/s`) and factors (`%`); all terms must be alike")
                    );
                }
                Ok((Rate::Sum(rates), dimensions[0]))
            }
            RateTermChoice::Product(terms) => {
                let path = format!("{path}.product");
                let (rates, dimensions) = self.terms(terms, &path, calendar)?;
                match dimensions.iter().filter(|dimension| **dimension == Dimension::Rate).count() {
                    0 => Ok((Rate::Product(rates), Dimension::Factor)),
                    1 => Ok((Rate::Product(rates), Dimension::Rate)),
                    _ => Err(self
                        .inconsistent(&path, "multiplies several rates (`req/s`); all but one must be factors (`%`)")),
                }
            }
            RateTermChoice::Points(file) => self.points(file, &format!("{path}.points"), calendar),
            RateTermChoice::Sine(file) => self.sine(*file, &format!("{path}.sine"), calendar),
            RateTermChoice::Weekly(file) => Ok((weekly(file, calendar), Dimension::Factor)),
            RateTermChoice::Burst(file) => Ok(burst(*file)),
            RateTermChoice::Noise(file) => self.noise(*file, &format!("{path}.noise")),
            RateTermChoice::Series(file) => {
                let name = self.file_of(&file.file, &format!("{path}.series.file"))?;
                let series = Series::from_rows(&self.data.rates(&name, file)?, file.value_unit);
                Ok((Rate::Series { series: Arc::new(series), start_at: file.start_at.0 }, Dimension::Rate))
            }
        }
    }

    fn terms(
        &self,
        terms: &[RateTerm],
        path: &str,
        calendar: &Calendar,
    ) -> Result<(Vec<Rate>, Vec<Dimension>), ScenarioError> {
        if terms.is_empty() {
            return Err(self.inconsistent(path, "needs at least one term"));
        }
        let mut all = (Vec::new(), Vec::new());
        for (index, term) in terms.iter().enumerate() {
            let (rate, dimension) = self.rate(term, &format!("{path}[{index}]"), calendar)?;
            all.0.push(rate);
            all.1.push(dimension);
        }
        Ok(all)
    }

    fn points(&self, file: &PointsFile, path: &str, calendar: &Calendar) -> Result<(Rate, Dimension), ScenarioError> {
        let points: Vec<(f64, f64)> = file.at.iter().map(|point| (point.time.0, level_parts(point.level).0)).collect();
        let dimensions: Vec<Dimension> = file.at.iter().map(|point| level_parts(point.level).1).collect();
        if points.is_empty() || points.windows(2).any(|pair| pair[1].0 <= pair[0].0) {
            return Err(
                self.inconsistent(&format!("{path}.at"), "needs at least one point, in ascending order of `time`")
            );
        }
        if dimensions.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(self.inconsistent(&format!("{path}.at"), "mixes rates (`req/s`) and factors (`%`)"));
        }
        let every = file.every.map(|every| every.0);
        if every.is_some_and(|every| every <= points[points.len() - 1].0) {
            return Err(self.inconsistent(&format!("{path}.every"), "must be longer than the time of the last point"));
        }
        let mut points = points;
        if let Some(every) = every {
            // The line from the last point of one period to the first of the next.
            let (first, last) = (points[0], points[points.len() - 1]);
            points.insert(0, (last.0 - every, last.1));
            points.push((first.0 + every, first.1));
        }
        let calendar = calendar.for_period(every.unwrap_or(0.0));
        Ok((Rate::Points { points, every, calendar }, dimensions[0]))
    }

    fn sine(&self, file: SineFile, path: &str, calendar: &Calendar) -> Result<(Rate, Dimension), ScenarioError> {
        if file.amplitude.0 > 1.0 {
            return Err(
                self.inconsistent(&format!("{path}.amplitude"), "must be at most 100%: there are no negative rates")
            );
        }
        if file.period.0 <= 0.0 {
            return Err(self.inconsistent(&format!("{path}.period"), "must be longer than zero"));
        }
        let (mean, dimension) = level_parts(file.mean);
        let peak = file.peak.0 - calendar.second_of_day;
        let (swing, period) = (mean * file.amplitude.0, file.period.0);
        let calendar = calendar.for_period(period);
        Ok((Rate::Sine { mean, swing, period, peak, calendar }, dimension))
    }

    fn noise(&self, file: NoiseFile, path: &str) -> Result<(Rate, Dimension), ScenarioError> {
        if file.interval.0 <= 0.0 {
            return Err(self.inconsistent(&format!("{path}.interval"), "must be longer than zero"));
        }
        // A lognormal factor with mean 1 and this coefficient of variation, by the quantiles the distribution is given in;
        // 1.2815… is the normal 90th percentile.
        let variance = libm::log1p(file.cv.0 * file.cv.0);
        let p50 = libm::exp(-variance / 2.0);
        let p90 = p50 * libm::exp(1.281_551_565_544_600_4 * variance.sqrt());
        Ok((
            Rate::Noise { factor: Distribution::LogNormal { p50, p90 }, interval: file.interval.0, seed: file.seed },
            Dimension::Factor,
        ))
    }
}

fn level_parts(level: Level) -> (f64, Dimension) {
    match level {
        Level::Rate(rate) => (rate, Dimension::Rate),
        Level::Factor(factor) => (factor, Dimension::Factor),
    }
}

fn weekly(file: &WeeklyFile, calendar: &Calendar) -> Rate {
    let days = [file.monday, file.tuesday, file.wednesday, file.thursday, file.friday, file.saturday, file.sunday];
    Rate::Weekly { factors: days.map(|Share(factor)| factor), calendar: calendar.clone() }
}

fn burst(file: BurstFile) -> (Rate, Dimension) {
    let (height, dimension) = level_parts(file.height);
    let rate = Rate::Burst { at: file.at.0, rise: file.rise.0, hold: file.hold.0, fall: file.fall.0, height };
    (rate, dimension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_that_repeat_join_over_midnight_and_count_from_it() {
        let noon = Calendar::steady(43_200.0, 0);
        let points =
            vec![(18.0 * 3600.0 - DAY, 0.0), (6.0 * 3600.0, 12.0), (18.0 * 3600.0, 0.0), (6.0 * 3600.0 + DAY, 12.0)];
        let rate = Rate::Points { points, every: Some(DAY), calendar: noon };
        let seen = [0.0, 6.0, 12.0, 18.0, -24.0].map(|hour| rate.at(hour * 3600.0).unwrap());
        assert_eq!(seen, [6.0, 0.0, 6.0, 12.0, 6.0]);
    }

    #[test]
    fn weekdays_are_right_before_the_start_too() {
        let calendar = Calendar::steady(3_600.0, 0);
        let rate = weekly(&WeeklyFile { sunday: Share(0.5), ..WeeklyFile::default() }, &calendar);
        assert_eq!([-3_601.0, -3_600.0, 0.0].map(|t| rate.at(t).unwrap()), [0.5, 1.0, 1.0]);
    }

    #[test]
    fn a_burst_rises_holds_falls_and_is_gone() {
        let rate = Rate::Burst { at: 10.0, rise: 4.0, hold: 2.0, fall: 8.0, height: 100.0 };
        let seen = [9.0, 12.0, 15.0, 20.0, 24.0].map(|t| rate.at(t).unwrap());
        assert_eq!(seen, [0.0, 50.0, 100.0, 50.0, 0.0]);
    }

    #[test]
    fn noise_has_mean_one_and_the_same_value_all_through_an_interval() {
        let factor = Distribution::LogNormal { p50: 0.98, p90: 1.27 };
        let rate = Rate::Noise { factor, interval: 600.0, seed: 3 };
        assert_eq!(rate.at(0.0), rate.at(599.0));
        assert_ne!(rate.at(0.0), rate.at(600.0));
        assert!(rate.at(-1.0).unwrap() > 0.0);
    }
}
