//! Moments of a run as people name them: by the clock of its time zone, as everything prints them, or by the time since its start.

use report::CalendarStart;
use units::{SimDuration, SimTime};

use crate::failure::{Failure, Result};

const DAY: i64 = 86_400;

/// The clock of a run.
#[derive(Clone, Copy)]
pub struct Clock(pub CalendarStart<'static>);

impl Clock {
    /// `09:14:30`, with the date before it on other days than the first and a fraction of a second where there is one.
    pub fn at(self, time: SimTime) -> String {
        self.0.moment(time)
    }

    /// Seconds since midnight at the start.
    fn second_of_first_day(self) -> i64 {
        (self.0.unix_seconds + i64::from(self.0.utc_offset_seconds)).rem_euclid(DAY)
    }
}

/// `HH:MM` or `HH:MM:SS` as a length of time, in seconds.
fn since_start(text: &str) -> Option<f64> {
    let parts: Option<Vec<f64>> = text.split(':').map(|part| part.parse().ok()).collect();
    match parts?[..] {
        [hours, minutes] => Some(hours * 3_600.0 + minutes * 60.0),
        [hours, minutes, seconds] => Some(hours * 3_600.0 + minutes * 60.0 + seconds),
        _ => None,
    }
}

/// The moment named, which must lie in the run.
pub fn within(text: &str, clock: Clock, end: SimTime) -> Result<SimTime> {
    let seconds = parse(text, clock).ok_or_else(|| {
        Failure::input(format!(
            "--at {text}: expected a clock time such as 09:14, 09:14:30, `2026-03-17 09:14` or `1d 09:14` (the day after the first), or a time since the start such as +90m or 5400s"
        ))
    })?;
    let is_within = |seconds: &f64| (0.0..=end.as_secs_f64()).contains(seconds);
    // A clock time that the run does not have may be a time since its start: `00:40:00` of an hour from nine on.
    let seconds = Some(seconds).filter(is_within).or_else(|| since_start(text).filter(is_within)).unwrap_or(seconds);
    if !is_within(&seconds) {
        return Err(Failure::input(format!(
            "--at {text}: the run goes from {} to {} on {}{}",
            clock.at(SimTime::ZERO),
            clock.at(end),
            &clock.0.iso(SimTime::ZERO)[..10],
            if text.starts_with('+') { "" } else { "; a time since the start has a `+` before it, such as +90m" }
        )));
    }
    Ok(SimTime::ZERO + SimDuration::from_secs_f64(seconds))
}

/// Seconds since the start; negative before it.
fn parse(text: &str, clock: Clock) -> Option<f64> {
    let text = text.trim();
    if let Some(since) = text.strip_prefix('+') {
        return duration(since);
    }
    let begins = clock.second_of_first_day();
    if let Some((days, rest)) = text.split_once("d ") {
        let days: i64 = days.trim().parse().ok().filter(|days| (0..100_000).contains(days))?;
        return Some(clock.0.elapsed(days as f64 * DAY as f64 + time_of_day(rest)? - begins as f64));
    }
    if let Some(seconds) = text.strip_suffix('s').and_then(|number| number.parse::<f64>().ok()) {
        return Some(seconds).filter(|seconds| seconds.is_finite());
    }
    if let Some((date, rest)) = text.split_once(['T', ' ']) {
        let day = day_number(date)? - day_number(&clock.0.iso(SimTime::ZERO)[..10])?;
        return Some(clock.0.elapsed(day as f64 * DAY as f64 + time_of_day(rest)? - begins as f64));
    }
    let since = time_of_day(text)? - begins as f64;
    // A run that goes on after midnight has the next such time of day.
    Some(clock.0.elapsed(if since < 0.0 { since + DAY as f64 } else { since }))
}

/// `09:14` or `09:14:30.5`, in seconds since midnight.
fn time_of_day(text: &str) -> Option<f64> {
    let mut parts = text.trim().split(':');
    let hour: f64 = parts.next()?.parse::<u32>().ok().filter(|hour| *hour < 24)?.into();
    let minute: f64 = parts.next()?.parse::<u32>().ok().filter(|minute| *minute < 60)?.into();
    let second: f64 = parts.next().map_or(Some(0.0), |text| text.parse().ok())?;
    let is_whole = parts.next().is_none() && (0.0..60.0).contains(&second);
    is_whole.then_some(hour * 3_600.0 + minute * 60.0 + second)
}

/// `90m`, `1h30m`, `45s`, `2d`, in seconds.
fn duration(text: &str) -> Option<f64> {
    let (mut total, mut number) = (0.0, String::new());
    for character in text.chars() {
        if character.is_ascii_digit() || character == '.' {
            number.push(character);
            continue;
        }
        let unit = match character {
            'd' => 86_400.0,
            'h' => 3_600.0,
            'm' => 60.0,
            's' => 1.0,
            _ => return None,
        };
        total += std::mem::take(&mut number).parse::<f64>().ok()? * unit;
    }
    (number.is_empty() && !text.is_empty()).then_some(total)
}

/// Unix seconds and the offset from UTC of `2026-03-16T09:14:30.25+01:00`, fractions left out.
pub fn calendar(iso: &str) -> Option<(i64, i32)> {
    let (date, rest) = iso.split_once('T')?;
    let zone = rest.find(['Z', '+', '-'])?;
    let (clock, zone) = rest.split_at(zone);
    let offset = match zone.split_at_checked(1)? {
        ("Z", "") => 0,
        (sign, clock) => time_of_day(clock)? as i32 * if sign == "-" { -1 } else { 1 },
    };
    let local = day_number(date)? * DAY + time_of_day(clock)? as i64;
    Some((local - i64::from(offset), offset))
}

/// Days since 1970-01-01 of `2026-03-16`.
fn day_number(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let mut next = || parts.next()?.parse::<i64>().ok();
    let (year, month, day) = (next()?, next()?, next()?);
    if !(0..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years from March on, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From 2026-03-16 09:00 in a zone one hour ahead.
    const START: Clock = Clock(CalendarStart { unix_seconds: 1_773_648_000, utc_offset_seconds: 3_600, changes: &[] });

    fn found(text: &str) -> Option<u64> {
        within(text, START, SimTime::from_secs(30 * 3_600)).ok().map(SimTime::as_secs)
    }

    #[test]
    fn a_clock_time_is_that_of_the_run_and_not_since_its_start() {
        assert_eq!(START.at(SimTime::ZERO), "09:00:00");
        assert_eq!(found("09:54"), Some(54 * 60));
        assert_eq!(found("09:54:30"), Some(54 * 60 + 30));
        assert_eq!(found("02:00"), Some(17 * 3_600), "the night after");
        assert_eq!(found("1d 02:00"), Some(17 * 3_600));
        assert_eq!(found("2026-03-17 10:00"), Some(25 * 3_600));
        assert_eq!(found("2026-03-17T10:00:30"), Some(25 * 3_600 + 30));
        assert_eq!(START.at(SimTime::from_secs(25 * 3_600)), "2026-03-17 10:00:00");
    }

    #[test]
    fn the_start_of_a_run_is_read_back_from_its_tables() {
        for time in [SimTime::ZERO, SimTime::from_secs(25 * 3_600)] {
            let unix = START.0.unix_seconds + time.as_secs() as i64;
            assert_eq!(calendar(&START.0.iso(time)), Some((unix, 3_600)));
        }
        assert_eq!(calendar("2026-03-16T00:00:00.5Z"), Some((1_773_619_200, 0)));
        assert_eq!(calendar("1969-12-31T19:00:00-05:00"), Some((0, -18_000)));
        assert_eq!(calendar("yesterday"), None);
    }

    #[test]
    fn a_time_since_the_start_has_a_sign_or_a_unit() {
        assert_eq!(found("+1h30m"), Some(5_400));
        assert_eq!(found("5400s"), Some(5_400));
        assert_eq!(found("+90"), None);
    }

    #[test]
    fn what_lies_outside_the_run_is_refused() {
        for text in
            ["+31h", "2026-03-15 10:00", "2026-03-18 10:00", "0d 08:59", "25:00", "09:61", "noon", "-5s", "NaNs"]
        {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
