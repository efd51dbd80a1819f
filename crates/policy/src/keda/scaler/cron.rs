//! The cron scaler (`pkg/scalers/cron_scaler.go`) and the five-field schedules it reads.
//!
//! Schedules follow robfig/cron v3, whose walk through the calendar decides what happens on days with a clock change: a time that is
//! skipped does not fire that day, a time that comes twice fires twice. With the rule for windows below this has a side effect on the
//! real system too: where a clock change skips the start, the window is open from the end before it until the end of that day.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::{Metadata, normalized};

/// Metadata of a cron trigger, as admission checks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronMetadata {
    /// `timezone`, an IANA name.
    pub timezone: String,
    /// `start`, as written.
    pub start: String,
    /// `end`, as written.
    pub end: String,
    /// `desiredReplicas`, not 0.
    pub desired_replicas: i64,
    start_schedule: Schedule,
    end_schedule: Schedule,
}

impl CronMetadata {
    /// Keys that take part in the model.
    pub const KEYS: [&str; 4] = ["timezone", "start", "end", "desiredReplicas"];

    /// Reads the metadata; the text of the error names the key.
    pub fn parse(metadata: &BTreeMap<String, String>) -> Result<Self, String> {
        let metadata = Metadata(metadata);
        let timezone = metadata.required("timezone")?.to_owned();
        let start = metadata.required("start")?.to_owned();
        let end = metadata.required("end")?.to_owned();
        let replicas = metadata.required("desiredReplicas")?;
        let desired_replicas: i64 =
            replicas.parse().map_err(|_| format!("metadata.desiredReplicas: `{replicas}` is not a whole number"))?;
        let start_schedule = Schedule::parse(&start).map_err(|error| format!("metadata.start: {error}"))?;
        let end_schedule = Schedule::parse(&end).map_err(|error| format!("metadata.end: {error}"))?;
        if start == end {
            return Err("metadata.start and metadata.end are the same".to_owned());
        }
        if desired_replicas == 0 {
            return Err("metadata.desiredReplicas must not be 0".to_owned());
        }
        Ok(Self { timezone, start, end, desired_replicas, start_schedule, end_schedule })
    }

    /// Name of the metric of trigger number `index`.
    pub fn metric_name(&self, index: usize) -> String {
        let compact = |schedule: &str| {
            let letters = [(" ", ""), ("*", "x"), ("/", "Sl"), ("?", "Qm"), (",", "Cm")];
            letters.iter().fold(schedule.to_owned(), |text, (from, to)| text.replace(from, to))
        };
        let name = format!("cron-{}-{}-{}", self.timezone, compact(&self.start), compact(&self.end));
        format!("s{index}-{}", normalized(&name))
    }
}

/// The recurring window of a cron trigger in its time zone.
#[derive(Clone, Debug)]
pub struct CronWindow {
    metadata: CronMetadata,
    zone: TimeZone,
    start: NextFiring,
    end: NextFiring,
}

/// The next firing after an instant stays the next one for every instant before it.
#[derive(Clone, Copy, Debug, Default)]
struct NextFiring {
    known: Option<(i64, Option<i64>)>,
}

impl CronWindow {
    /// Looks the time zone up. KEDA would admit an unknown one and fail at every read; here it is refused.
    pub fn new(metadata: CronMetadata) -> Result<Self, String> {
        let zone = TimeZone::get(&metadata.timezone)
            .map_err(|_| format!("metadata.timezone: `{}` is not a known IANA time zone", metadata.timezone))?;
        Ok(Self { metadata, zone, start: NextFiring::default(), end: NextFiring::default() })
    }

    /// The metadata.
    pub fn metadata(&self) -> &CronMetadata {
        &self.metadata
    }

    /// True inside [start, end): when the next end does not come after the next start. A schedule that never fires counts as lying
    /// before everything, as Go's zero time does.
    pub fn is_active(&mut self, unix_s: i64) -> bool {
        let start = self.start.after(unix_s, &self.metadata.start_schedule, &self.zone);
        let end = self.end.after(unix_s, &self.metadata.end_schedule, &self.zone);
        end <= start
    }
}

impl NextFiring {
    fn after(&mut self, unix_s: i64, schedule: &Schedule, zone: &TimeZone) -> Option<i64> {
        match self.known {
            Some((asked_s, firing)) if asked_s <= unix_s && firing.is_none_or(|next| unix_s < next) => firing,
            _ => {
                let firing = schedule.next_after(unix_s, zone);
                self.known = Some((unix_s, firing));
                firing
            }
        }
    }
}

/// A five-field schedule: one bit per value that fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    minutes: u64,
    hours: u64,
    days_of_month: u64,
    months: u64,
    days_of_week: u64,
    /// One of the day fields is `*`: then both must match. If both restrict, either is enough.
    is_any_day_field_open: bool,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The range of one field and the names it knows, with the value of the first name.
struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

impl Schedule {
    /// Reads minute, hour, day of month, month and day of week.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(format!("`{text}` has {} fields, five are needed", fields.len()));
        };
        let (minutes, _) = bits(minute, &Field { name: "minute", low: 0, high: 59, names: &[] })?;
        let (hours, _) = bits(hour, &Field { name: "hour", low: 0, high: 23, names: &[] })?;
        let (days_of_month, any_day) = bits(day, &Field { name: "day of month", low: 1, high: 31, names: &[] })?;
        let (months, _) = bits(month, &Field { name: "month", low: 1, high: 12, names: &MONTHS })?;
        let (days_of_week, any_weekday) = bits(weekday, &Field { name: "day of week", low: 0, high: 6, names: &DAYS })?;
        Ok(Self { minutes, hours, days_of_month, months, days_of_week, is_any_day_field_open: any_day || any_weekday })
    }

    /// The first firing strictly after `unix_s`, in unix seconds; `None` if there is none within five years.
    pub fn next_after(&self, unix_s: i64, zone: &TimeZone) -> Option<i64> {
        let mut walk = Walk { now_s: unix_s + 1, is_aligned: false, zone };
        let year_limit = walk.civil()?.year() + 5;
        loop {
            if walk.civil()?.year() > year_limit {
                return None;
            }
            // Each step returns false when it ran over the end of the larger unit, and the walk starts again from the top.
            if walk.seek_month(self)?
                && walk.seek_day(self)?
                && walk.seek_hour(self)?
                && walk.seek_minute(self)?
                && walk.seek_second()?
            {
                return Some(walk.now_s);
            }
        }
    }

    fn fires_on(&self, date: Date) -> bool {
        let day = self.days_of_month >> date.day() & 1 == 1;
        let weekday = self.days_of_week >> date.weekday().to_sunday_zero_offset() & 1 == 1;
        if self.is_any_day_field_open { day && weekday } else { day || weekday }
    }
}

/// robfig/cron's search: from the upcoming second outwards, month, day, hour, minute, second.
struct Walk<'a> {
    now_s: i64,
    /// Set once the smaller units have been cut off.
    is_aligned: bool,
    zone: &'a TimeZone,
}

impl Walk<'_> {
    fn civil(&self) -> Option<DateTime> {
        Some(self.zone.to_datetime(Timestamp::from_second(self.now_s).ok()?))
    }

    /// Goes to a wall-clock time the way Go's `time.Date` does where a clock change makes it ambiguous or skips it.
    fn set(&mut self, wall: DateTime) -> Option<()> {
        let as_utc_s = TimeZone::UTC.to_timestamp(wall).ok()?.as_second();
        let offset_at = |unix_s: i64| {
            Timestamp::from_second(unix_s).ok().map(|instant| i64::from(self.zone.to_offset(instant).seconds()))
        };
        let guess_s = as_utc_s - offset_at(as_utc_s)?;
        self.now_s = as_utc_s - offset_at(guess_s)?;
        Some(())
    }

    /// Cuts the smaller units off, once.
    fn align(&mut self, wall: impl FnOnce(DateTime) -> Option<DateTime>) -> Option<()> {
        if !self.is_aligned {
            self.is_aligned = true;
            let aligned = wall(self.civil()?)?;
            self.set(aligned)?;
        }
        Some(())
    }

    fn seek_month(&mut self, schedule: &Schedule) -> Option<bool> {
        while schedule.months >> self.civil()?.month() & 1 == 0 {
            self.align(|now| Some(now.first_of_month().start_of_day()))?;
            let now = self.civil()?;
            let next = now.checked_add(jiff::Span::new().months(1)).ok()?;
            self.set(next)?;
            if self.civil()?.month() == 1 {
                return Some(false);
            }
        }
        Some(true)
    }

    fn seek_day(&mut self, schedule: &Schedule) -> Option<bool> {
        while !schedule.fires_on(self.civil()?.date()) {
            self.align(|now| Some(now.start_of_day()))?;
            let next = self.civil()?.tomorrow().ok()?;
            self.set(next)?;
            // Where midnight itself is skipped or doubled the hour is no longer 0: step back onto the day's first hour.
            let hour = i64::from(self.civil()?.hour());
            if hour > 12 {
                self.now_s += (24 - hour) * 3600;
            } else {
                self.now_s -= hour * 3600;
            }
            if self.civil()?.day() == 1 {
                return Some(false);
            }
        }
        Some(true)
    }

    fn seek_hour(&mut self, schedule: &Schedule) -> Option<bool> {
        while schedule.hours >> self.civil()?.hour() & 1 == 0 {
            self.align(|now| now.with().minute(0).second(0).subsec_nanosecond(0).build().ok())?;
            self.now_s += 3600;
            if self.civil()?.hour() == 0 {
                return Some(false);
            }
        }
        Some(true)
    }

    fn seek_minute(&mut self, schedule: &Schedule) -> Option<bool> {
        while schedule.minutes >> self.civil()?.minute() & 1 == 0 {
            if !self.is_aligned {
                self.is_aligned = true;
                self.now_s -= self.now_s.rem_euclid(60);
            }
            self.now_s += 60;
            if self.civil()?.minute() == 0 {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Schedules fire on second 0.
    fn seek_second(&mut self) -> Option<bool> {
        let second = i64::from(self.civil()?.second());
        if second == 0 {
            return Some(true);
        }
        self.is_aligned = true;
        self.now_s += 60 - second;
        Some(false)
    }
}

/// The bits of one field, and whether it is open (`*`).
fn bits(text: &str, field: &Field) -> Result<(u64, bool), String> {
    let mut found = 0;
    let mut is_open = false;
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (bits, open) = range(part, field).map_err(|error| format!("{} `{part}`: {error}", field.name))?;
        found |= bits;
        is_open |= open;
    }
    Ok((found, is_open))
}

/// `*`, `5`, `5-9`, `5/2` (to the end), `5-9/2`, `*/2`; names where the field has some.
fn range(part: &str, field: &Field) -> Result<(u64, bool), String> {
    let (span, step) = match part.split_once('/') {
        None => (part, None),
        Some((_, step)) if step.contains('/') => return Err("too many slashes".to_owned()),
        Some((span, step)) => (span, Some(step.parse::<u32>().map_err(|_| format!("step `{step}` is not a number"))?)),
    };
    let ends: Vec<&str> = span.split('-').collect();
    let is_star = matches!(ends[0], "*" | "?");
    let (low, mut high) = match ends.as_slice() {
        _ if is_star => (field.low, field.high),
        [single] => (value(single, field)?, value(single, field)?),
        [low, high] => (value(low, field)?, value(high, field)?),
        _ => return Err("too many hyphens".to_owned()),
    };
    if step.is_some() && ends.len() == 1 {
        high = field.high;
    }
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err("a step of 0 goes nowhere".to_owned());
    }
    if low < field.low || high > field.high || low > high {
        return Err(format!("not within {} to {} in ascending order", field.low, field.high));
    }
    let found = (low..=high).step_by(step as usize).fold(0, |bits, value| bits | 1_u64 << value);
    Ok((found, is_star && step == 1))
}

fn value(text: &str, field: &Field) -> Result<u32, String> {
    let lowered = text.to_ascii_lowercase();
    if let Some(place) = field.names.iter().position(|name| *name == lowered) {
        return Ok(field.low + place as u32);
    }
    text.parse().map_err(|_| format!("`{text}` is not a value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    /// The first `count` firings after `from`, in the zone's clock.
    fn firings(schedule: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let schedule = Schedule::parse(schedule).unwrap();
        let mut now = at(from);
        (0..count)
            .map(|_| {
                now = schedule.next_after(now, &zone).unwrap();
                Timestamp::from_second(now).unwrap().to_zoned_datetime(zone.clone()).strftime("%F %H:%M%:z").to_string()
            })
            .collect()
    }

    #[test]
    fn a_time_skipped_by_the_clock_change_does_not_fire_that_day() {
        let found = firings("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2);
        assert_eq!(found, ["2026-03-09 02:30-04:00", "2026-03-10 02:30-04:00"]);
    }

    #[test]
    fn a_time_that_comes_twice_fires_twice() {
        let found = firings("30 1 * * *", "America/New_York", "2026-11-01T00:00:00Z", 3);
        assert_eq!(found, ["2026-11-01 01:30-04:00", "2026-11-01 01:30-05:00", "2026-11-02 01:30-05:00"]);
    }

    #[test]
    fn the_wall_clock_hour_is_kept_across_a_clock_change() {
        let found = firings("0 8 * * 1-5", "Europe/Berlin", "2026-03-27T00:00:00Z", 2);
        assert_eq!(found, ["2026-03-27 08:00+01:00", "2026-03-30 08:00+02:00"]);
    }

    #[test]
    fn two_restricted_day_fields_fire_on_either() {
        let found = firings("0 0 13 * Fri", "UTC", "2026-02-01T00:00:00Z", 3);
        assert_eq!(found, ["2026-02-06 00:00+00:00", "2026-02-13 00:00+00:00", "2026-02-20 00:00+00:00"]);
    }

    #[test]
    fn leap_days_are_found_and_impossible_days_are_not() {
        assert_eq!(firings("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 1), ["2028-02-29 00:00+00:00"]);
        assert_eq!(Schedule::parse("0 0 30 2 *").unwrap().next_after(at("2026-01-01T00:00:00Z"), &TimeZone::UTC), None);
    }

    #[test]
    fn fields_out_of_range_or_form_are_refused() {
        for bad in [
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 7",
            "5-1 * * * *",
            "*/0 * * * *",
            "1-2-3 * * * *",
            "@daily",
        ] {
            assert!(Schedule::parse(bad).is_err(), "{bad}");
        }
    }
}
