//! The calendar (UTC) of a time in seconds.

/// Parts of a point in time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    pub year: f64,
    /// 1 to 12.
    pub month: f64,
    /// 1 to 31.
    pub day_of_month: f64,
    /// 0 is Sunday.
    pub day_of_week: f64,
    /// 1 to 366.
    pub day_of_year: f64,
    /// 28 to 31.
    pub days_in_month: f64,
    /// 0 to 23.
    pub hour: f64,
    /// 0 to 59.
    pub minute: f64,
}

const DAY_S: i64 = 86_400;

impl Moment {
    /// The moment `seconds` after 1970 began, cut to whole seconds.
    pub fn at(seconds: f64) -> Self {
        let seconds = seconds as i64;
        let (day, second) = (seconds.div_euclid(DAY_S), seconds.rem_euclid(DAY_S));
        let (year, day_of_year) = year_of(day);
        let (mut month, mut day_of_month) = (1, day_of_year);
        while day_of_month >= days_in_month(year, month) {
            day_of_month -= days_in_month(year, month);
            month += 1;
        }
        Self {
            year: year as f64,
            month: month as f64,
            day_of_month: (day_of_month + 1) as f64,
            // The first day of 1970 was a Thursday.
            day_of_week: (day + 4).rem_euclid(7) as f64,
            day_of_year: (day_of_year + 1) as f64,
            days_in_month: days_in_month(year, month) as f64,
            hour: (second / 3600) as f64,
            minute: (second % 3600 / 60) as f64,
        }
    }
}

/// Year and day within it (from 0) of a day counted from the start of 1970.
fn year_of(day: i64) -> (i64, i64) {
    // 400 years have 146,097 days; within them the mean year is a good first guess, off by one at most.
    let mut year = 1970 + (day as f64 / 365.2425).floor() as i64;
    while start_of(year) > day {
        year -= 1;
    }
    while start_of(year + 1) <= day {
        year += 1;
    }
    (year, day - start_of(year))
}

/// First day of a year, counted from the start of 1970.
fn start_of(year: i64) -> i64 {
    let leap_days = |before: i64| before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leap_day_is_the_29th_of_february() {
        // 2024-02-29 13:37:00, a Thursday.
        let moment = Moment::at(1_709_213_820.0);
        assert_eq!((moment.year, moment.month, moment.day_of_month), (2024.0, 2.0, 29.0));
        assert_eq!((moment.day_of_week, moment.day_of_year, moment.days_in_month), (4.0, 60.0, 29.0));
        assert_eq!((moment.hour, moment.minute), (13.0, 37.0));
    }

    #[test]
    fn years_follow_each_other_without_a_gap() {
        for year in 1900..2200 {
            let length = start_of(year + 1) - start_of(year);
            assert_eq!(length, (1..=12).map(|month| days_in_month(year, month)).sum::<i64>(), "{year}");
            assert_eq!(year_of(start_of(year)), (year, 0));
        }
    }
}
