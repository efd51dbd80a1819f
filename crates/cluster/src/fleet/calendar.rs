//! Cron windows of disruption budgets, in UTC.

use units::SimDuration;

use crate::spec::DisruptionBudget;

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

/// A cron schedule as Karpenter's parser reads it (`robfig/cron`, standard fields, UTC).
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// Allowed values by field, as bits: minute, hour, day of month, month, day of week.
    allowed: [u64; 5],
    /// Whether each of the two day fields is restricted.
    by_day: (bool, bool),
}

/// The windows of budgets: `None` for one without a schedule, or with one that cannot be read.
pub(super) fn windows(budgets: &[DisruptionBudget]) -> Vec<Option<Schedule>> {
    let parsed = |budget: &DisruptionBudget| budget.window.as_ref().and_then(|(schedule, _)| parse(schedule));
    budgets.iter().map(parsed).collect()
}

/// Whether Karpenter can read the schedule of a disruption budget. One that it cannot read permits nothing.
pub fn is_schedule(text: &str) -> bool {
    parse(text).is_some()
}

/// Whether `unix_seconds` lies within `duration` after some firing.
pub(super) fn is_within(schedule: &Schedule, duration: SimDuration, unix_seconds: i64) -> bool {
    let last = unix_seconds.div_euclid(MINUTE);
    let first = (unix_seconds - duration.as_secs() as i64).div_euclid(MINUTE) + 1;
    (first..=last).rev().any(|minute| fires(schedule, minute * MINUTE))
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Lowest and highest value of each field, and names that stand for values from the lowest on. Sunday is 0, and 7 is none.
const FIELDS: [(u32, u32, &[&str]); 5] = [(0, 59, &[]), (0, 23, &[]), (1, 31, &[]), (1, 12, &MONTHS), (0, 6, &DAYS)];

fn parse(schedule: &str) -> Option<Schedule> {
    let expanded = match schedule {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        other => other,
    };
    let parts: Vec<&str> = expanded.split_whitespace().collect();
    if parts.len() != FIELDS.len() {
        return None;
    }
    let mut allowed = [0; 5];
    for ((bits, part), bounds) in allowed.iter_mut().zip(&parts).zip(FIELDS) {
        *bits = field(part, bounds)?;
    }
    // A star with a step restricts.
    let is_restricted = |part: &str| part.split(',').all(|item| !matches!(item, "*" | "?" | "*/1" | "?/1"));
    Some(Schedule { allowed, by_day: (is_restricted(parts[2]), is_restricted(parts[4])) })
}

/// `*`, `?`, `a`, `a-b`, each with `/step`, and lists of these.
fn field(text: &str, (low, high, names): (u32, u32, &[&str])) -> Option<u64> {
    let value = |text: &str| {
        let named = names.iter().position(|name| text.eq_ignore_ascii_case(name)).map(|index| low + index as u32);
        named.or_else(|| if text.starts_with('+') { None } else { text.parse().ok() })
    };
    let mut bits = 0;
    for item in text.split(',') {
        let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
        let (from, to) = match range.split_once('-') {
            _ if matches!(range, "*" | "?") => (low, high),
            Some((from, to)) => (value(from)?, value(to)?),
            // `5/15` means from 5 on.
            None => (value(range)?, if step.is_some() { high } else { value(range)? }),
        };
        let step: u32 = step.map_or(Some(1), |step| step.parse().ok())?;
        if step == 0 || from < low || to > high || from > to {
            return None;
        }
        for number in (from..=to).step_by(step as usize) {
            bits |= 1 << number;
        }
    }
    Some(bits)
}

fn fires(schedule: &Schedule, unix_seconds: i64) -> bool {
    let days = unix_seconds.div_euclid(DAY);
    let second_of_day = unix_seconds.rem_euclid(DAY);
    let (month, day) = month_and_day(days);
    // The first of January 1970 was a Thursday.
    let weekday = (days + 4).rem_euclid(7);
    let is = |field: usize, value: i64| schedule.allowed[field] >> value & 1 == 1;
    // Where both day fields are restricted either suffices.
    let is_day = match schedule.by_day {
        (true, true) => is(2, day) || is(4, weekday),
        _ => is(2, day) && is(4, weekday),
    };
    is(0, second_of_day / 60 % 60) && is(1, second_of_day / 3_600) && is_day && is(3, month)
}

/// Month and day of the civil date that many days after 1970-01-01: eras of 400 years, years that begin in March so that the leap
/// day comes last.
fn month_and_day(days: i64) -> (i64, i64) {
    let day_of_era = (days + 719_468).rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    (if shifted < 10 { shifted + 3 } else { shifted - 9 }, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-02-29 09:00:00 UTC, a Thursday.
    const LEAP_DAY: i64 = 1_709_197_200;

    #[test]
    fn a_window_opens_at_its_minute_and_closes_after_its_duration() {
        let hour = SimDuration::from_secs(3_600);
        for (schedule, offset, is_open) in [
            ("0 9 * * *", 0, true),
            ("0 9 * * *", 3_599, true),
            ("0 9 * * *", 3_600, false),
            ("0 9 * * *", -1, false),
            ("0 9 * * mon-fri", 10, true),
            ("0 9 * * sat,sun", 10, false),
            ("0 9 29 2 *", 10, true),
            ("0 9 28 2 *", 10, false),
            ("30/15 8 * * *", 0, true),
            ("@daily", 0, false),
            // Either day field suffices where both are restricted, and a star with a step does restrict.
            ("0 9 1 * thu", 10, true),
            ("0 9 1 * */6", 10, false),
            ("0 9 ? * thu", 10, true),
        ] {
            let parsed = parse(schedule).unwrap();
            assert_eq!(is_within(&parsed, hour, LEAP_DAY + offset), is_open, "{schedule} {offset}");
        }
    }

    #[test]
    fn what_the_parser_of_karpenter_refuses_is_no_schedule() {
        for text in ["0 0 * * sat-sun", "0 0 * * 7", "0 0 * mon *", "0 24 * * *", "0 0 * *", "0 0 */0 * *", "@every 1h"]
        {
            assert!(!is_schedule(text), "{text}");
        }
        assert!(is_schedule("0 0 * * sat,sun") && is_schedule("*/5 9-17/2 1,15 JAN-mar MON-Fri"));
    }
}
