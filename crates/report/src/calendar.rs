//! Calendar times of simulated instants. It knows no time zones: whoever makes one says when the clocks change in the run.

use units::SimTime;

const SECONDS_PER_DAY: i64 = 86_400;
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// When the run's first instant is, on the wall clock of the scenario's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarStart<'a> {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub unix_seconds: i64,
    /// What local time is ahead of UTC at that instant, in seconds.
    pub utc_offset_seconds: i32,
    /// Changes of the clocks after it, in order of time: when, in seconds since 1970-01-01T00:00:00Z, and what local time is ahead of UTC from
    /// then on, in seconds.
    pub changes: &'a [(i64, i32)],
}

impl CalendarStart<'_> {
    /// `2026-03-02T09:14:00+01:00`, with a fraction of a second where the instant has one.
    pub fn iso(self, time: SimTime) -> String {
        let local = self.local_seconds(time);
        let (year, month, day) = civil(local.div_euclid(SECONDS_PER_DAY));
        let second_of_day = local.rem_euclid(SECONDS_PER_DAY);
        let nanos = time.as_nanos() % 1_000_000_000;
        let fraction = if nanos == 0 { String::new() } else { format!(".{nanos:09}").trim_end_matches('0').to_owned() };
        let (hour, minute, second) = (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{}", self.offset(time))
    }

    /// `09:14:30`, with the date before it on other days than the first and a fraction of a second where there is one.
    pub fn moment(self, time: SimTime) -> String {
        let (first, iso) = (self.iso(SimTime::ZERO), self.iso(time));
        // `2026-03-16T09:14:30.25+01:00`: the zone is the run's and goes without saying.
        let (date, rest) = iso.split_at(11);
        let clock: String = rest.chars().take_while(|c| !matches!(c, '+' | '-' | 'Z')).collect();
        let clock = clock
            .split_once('.')
            .map_or(clock.clone(), |(whole, part)| format!("{whole}.{}", part.chars().take(3).collect::<String>()));
        if first.starts_with(date) { clock } else { format!("{} {clock}", &date[..10]) }
    }

    /// `14:31`, with the day before it after the first.
    pub(crate) fn clock(self, time: SimTime) -> String {
        let local = self.local_seconds(time);
        let day = |seconds: i64| seconds.div_euclid(SECONDS_PER_DAY);
        let second_of_day = local.rem_euclid(SECONDS_PER_DAY);
        let clock = format!("{:02}:{:02}", second_of_day / 3_600, second_of_day / 60 % 60);
        if day(local) == day(self.local_seconds(SimTime::ZERO)) {
            clock
        } else {
            format!("{} {clock}", day_label(local))
        }
    }

    /// Local seconds since 1970-01-01T00:00:00 local time, whole.
    pub(crate) fn local_seconds(self, time: SimTime) -> i64 {
        self.unix_seconds + time.as_secs() as i64 + i64::from(self.offset_at(time))
    }

    /// What local time is ahead of UTC, in seconds.
    fn offset_at(self, time: SimTime) -> i32 {
        let now = self.unix_seconds + time.as_secs() as i64;
        let next = self.changes.partition_point(|change| change.0 <= now);
        next.checked_sub(1).map_or(self.utc_offset_seconds, |last| self.changes[last].1)
    }

    /// Seconds from the start to the instant at which local time has gone on by `shown` seconds; the first one if there are two, and if the
    /// clocks skip it that at which they would show it without the change.
    pub fn elapsed(self, shown: f64) -> f64 {
        let mut since = f64::NEG_INFINITY;
        let mut ahead = 0.0;
        for (at, next) in self.shifts() {
            if (since..at as f64).contains(&(shown - ahead)) {
                break;
            }
            if shown - (next as f64) < at as f64 {
                return shown - ahead;
            }
            (since, ahead) = (at as f64, next as f64);
        }
        shown - ahead
    }

    /// How far local time is ahead of that of the start from when on, in seconds since the start, for every change of the clocks.
    pub(crate) fn shifts(self) -> impl Iterator<Item = (i64, i64)> {
        let (start, first) = (self.unix_seconds, self.utc_offset_seconds);
        self.changes.iter().map(move |&(at, offset)| (at - start, i64::from(offset - first)))
    }

    /// `UTC`, `UTC+1`, `UTC-3:30`, `UTC+1, then UTC+2`: for axis titles.
    pub(crate) fn zone_label(self) -> String {
        let label = |offset: i32| {
            let minutes = offset.unsigned_abs() / 60;
            let sign = if offset < 0 { '-' } else { '+' };
            match (minutes / 60, minutes % 60) {
                (0, 0) => "UTC".to_owned(),
                (hours, 0) => format!("UTC{sign}{hours}"),
                (hours, rest) => format!("UTC{sign}{hours}:{rest:02}"),
            }
        };
        let first = label(self.utc_offset_seconds);
        match self.changes {
            [] => first,
            [(_, offset)] => format!("{first}, then {}", label(*offset)),
            _ => format!("{first} at the start"),
        }
    }

    fn offset(self, time: SimTime) -> String {
        let offset = self.offset_at(time);
        let minutes = offset.unsigned_abs() / 60;
        let sign = if offset < 0 { '-' } else { '+' };
        if minutes == 0 { "Z".to_owned() } else { format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60) }
    }
}

/// `Mon 2 Mar` of a local second.
pub(crate) fn day_label(local_seconds: i64) -> String {
    let days = local_seconds.div_euclid(SECONDS_PER_DAY);
    let (_, month, day) = civil(days);
    // 1970-01-01 was a Thursday.
    let weekday = WEEKDAYS[(days + 3).rem_euclid(7) as usize];
    format!("{weekday} {day} {}", MONTHS[month as usize - 1])
}

/// Year, month 1..=12 and day 1..=31 of a day count since 1970-01-01 in the Gregorian calendar.
///
/// Counts in years that begin on 1 March, so that the leap day is the last of its year and every 400 years have 146,097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_dated_in_the_scenarios_zone() {
        let start = CalendarStart { unix_seconds: 1_772_406_000, utc_offset_seconds: 3_600, changes: &[] };
        assert_eq!(start.iso(SimTime::ZERO), "2026-03-02T00:00:00+01:00");
        assert_eq!(start.iso(SimTime::from_nanos(33_240_250_000_000)), "2026-03-02T09:14:00.25+01:00");
        assert_eq!(day_label(start.local_seconds(SimTime::ZERO)), "Mon 2 Mar");
        assert_eq!(start.zone_label(), "UTC+1");
    }

    #[test]
    fn a_change_of_the_clocks_changes_the_offset() {
        // Europe/Berlin, from midnight of 29 March 2026: 03:00 of summer time follows 02:00.
        let changes = [(1_774_746_000, 7_200)];
        let start = CalendarStart { unix_seconds: 1_774_738_800, utc_offset_seconds: 3_600, changes: &changes };
        let iso = |seconds| start.iso(SimTime::from_secs(seconds));
        assert_eq!([iso(7_199), iso(7_200)], ["2026-03-29T01:59:59+01:00", "2026-03-29T03:00:00+02:00"]);
        assert_eq!(
            [0.0, 7_199.0, 9_000.0, 10_800.0, 14_400.0].map(|shown| start.elapsed(shown)),
            [0.0, 7_199.0, 9_000.0, 7_200.0, 10_800.0]
        );
        let back = CalendarStart { changes: &[(1_774_746_000, 0)], ..start };
        assert_eq!([3_600.0, 5_400.0, 9_000.0].map(|shown| back.elapsed(shown)), [3_600.0, 5_400.0, 12_600.0]);
        assert_eq!(
            (start.clock(SimTime::from_secs(10_800)), start.zone_label()),
            ("04:00".into(), "UTC+1, then UTC+2".into())
        );
    }

    #[test]
    fn leap_days_and_years_before_1970_are_dated_rightly() {
        let date =
            |unix_seconds| CalendarStart { unix_seconds, utc_offset_seconds: 0, changes: &[] }.iso(SimTime::ZERO);
        assert_eq!(date(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(date(4_107_542_400), "2100-03-01T00:00:00Z");
        assert_eq!(date(-1), "1969-12-31T23:59:59Z");
    }
}
