//! What the clocks of the run's time zone show, summer time included.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, ZonedDateTime};
use units::SimDuration;

/// Seconds in a day of 24 hours.
pub const DAY: f64 = 86_400.0;

/// How far before the run rates are asked for at most: histories of predictors are shorter.
const BEFORE_HOURS: i64 = 3 * 366 * 24;

/// A change of the clocks: when, in seconds since 1970-01-01T00:00:00Z, and what local time is ahead of UTC from then on, in seconds.
pub type ClockChange = (i64, i32);

/// Changes of the clocks after `from` and up to `to`, in order of time.
fn changes_between(start: &ZonedDateTime, from: Timestamp, to: Timestamp) -> Vec<ClockChange> {
    let zone = start.time_zone();
    let mut offset = zone.to_offset(from);
    let mut changes = Vec::new();
    for change in zone.following(from).take_while(|change| change.timestamp() <= to) {
        // Some transitions rename the time and leave it as it is.
        if change.offset() != offset {
            offset = change.offset();
            changes.push((change.timestamp().as_second(), offset.seconds()));
        }
    }
    changes
}

/// Changes of the clocks in a run of this length.
pub fn changes_in_run(start: &ZonedDateTime, length: SimDuration) -> Vec<ClockChange> {
    changes_between(start, start.timestamp(), later(start, length))
}

fn later(start: &ZonedDateTime, length: SimDuration) -> Timestamp {
    let seconds = i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
    start.timestamp().checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// The clocks of a run; times in seconds from its start, negative before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    /// What they show at the start, in seconds since midnight.
    pub second_of_day: f64,
    /// The weekday of the start, 0 for Monday.
    pub weekday: usize,
    /// By how many seconds they are ahead of those of the start, from when on; ascending, the first from for ever. Empty if they never change.
    changes: Arc<[(f64, f64)]>,
}

impl Calendar {
    /// That of a run of `length`.
    pub fn of(start: &ZonedDateTime, length: SimDuration) -> Self {
        let midnight = start.time().duration_since(jiff::civil::Time::midnight());
        let weekday = start.weekday().to_monday_zero_offset();
        let before = start.timestamp().checked_sub(SignedDuration::from_hours(BEFORE_HOURS)).unwrap_or(Timestamp::MIN);
        let found = changes_between(start, before, later(start, length));
        let ahead = |offset: i32| f64::from(offset - start.offset().seconds());
        let first = (f64::NEG_INFINITY, ahead(start.time_zone().to_offset(before).seconds()));
        let since = |unix_seconds: i64| (unix_seconds - start.timestamp().as_second()) as f64;
        let changes = found.iter().map(|&(at, offset)| (since(at), ahead(offset)));
        let changes = if found.is_empty() { Vec::new() } else { std::iter::once(first).chain(changes).collect() };
        Self { second_of_day: midnight.as_secs_f64(), weekday: weekday.unsigned_abs().into(), changes: changes.into() }
    }

    /// One whose clocks never change.
    #[cfg(test)]
    pub fn steady(second_of_day: f64, weekday: usize) -> Self {
        Self { second_of_day, weekday, changes: Arc::new([]) }
    }

    /// The clocks for what repeats every `period` seconds: what has to do with the time of day follows them, all else goes by time elapsed.
    pub fn for_period(&self, period: f64) -> Self {
        let is_daily = period > 0.0 && (period % DAY == 0.0 || DAY % period == 0.0);
        Self { changes: if is_daily { Arc::clone(&self.changes) } else { Arc::new([]) }, ..self.clone() }
    }

    /// How far they are ahead of those of the start at `t`, in seconds.
    pub fn ahead(&self, t: f64) -> f64 {
        if self.changes.is_empty() {
            return 0.0;
        }
        let next = self.changes.partition_point(|change| change.0 <= t);
        self.changes[next.saturating_sub(1)].1
    }

    /// What they show at `t`, in seconds since midnight of the first day.
    pub fn shown(&self, t: f64) -> f64 {
        t + self.second_of_day + self.ahead(t)
    }
}
