//! What was offered in the past, minute by minute.

/// Mean offered rates per minute: a recorded past before the run, and what has arrived since.
#[derive(Clone, Debug, Default)]
pub struct RateLog {
    /// Minutes before the start of the run, the last one just before it; `None` was not recorded. Requests per second.
    pub before: Vec<Option<f64>>,
    /// Full minutes since the start. Requests per second.
    pub since: Vec<f64>,
}

impl RateLog {
    /// A log with a recorded past and nothing since.
    pub fn with_past(before: Vec<Option<f64>>) -> Self {
        Self { before, since: Vec::new() }
    }

    /// Notes the mean rate, in requests per second, of the minute that has just ended.
    pub fn push_minute(&mut self, rate: f64) {
        self.since.push(rate);
    }

    /// Mean offered rate in requests per second over the minute that starts `minute` minutes after the start of the run (negative: before
    /// it). `None` if that minute has not ended or was not recorded.
    pub fn rate_at_minute(&self, minute: i64) -> Option<f64> {
        if let Ok(index) = usize::try_from(minute) {
            return self.since.get(index).copied();
        }
        let back = usize::try_from(minute.unsigned_abs()).ok()?;
        self.before[self.before.len().checked_sub(back)?]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_before_the_run_joins_the_minutes_since_without_a_gap() {
        let mut log = RateLog::with_past(vec![Some(1.0), None, Some(3.0)]);
        log.push_minute(4.0);
        let seen: Vec<_> = (-4..=1).map(|minute| log.rate_at_minute(minute)).collect();
        assert_eq!(seen, [None, Some(1.0), None, Some(3.0), Some(4.0), None]);
        assert_eq!(log.rate_at_minute(i64::MIN), None);
    }
}
