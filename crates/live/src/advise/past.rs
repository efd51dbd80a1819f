//! Requests per second of past minutes, for policies that look at other days.

use std::collections::BTreeMap;

use policy::RateHistory;
use policy::predictive::PredictiveConfig;

use crate::client::Prometheus;
use crate::error::LiveError;
use crate::grid::Grid;
use crate::import;
use crate::select::Matchers;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// Rates by minute since the start of the controllers' clock, which may be negative.
#[derive(Default)]
pub(super) struct Past {
    rates: BTreeMap<i64, f64>,
    /// Days of which nothing is known, and why.
    pub missing: Vec<String>,
}

impl RateHistory for Past {
    fn rate_at_minute(&self, minute: i64) -> Option<f64> {
        self.rates.get(&minute).copied()
    }
}

impl Past {
    /// Whether nothing is known of any day.
    pub fn is_empty(&self) -> bool {
        self.rates.is_empty()
    }

    /// What forecasts between `from_ms` and `at_ms` look at. The clock begins at `start_ms`, a whole minute. A day of which nothing is known is
    /// missing: a forecast makes do with the others.
    pub fn add(
        &mut self,
        server: &Prometheus,
        (matchers, counter): (&Matchers, Option<&str>),
        config: &PredictiveConfig,
        (start_ms, from_ms, at_ms): (i64, i64, i64),
    ) -> Result<(), LiveError> {
        let milliseconds = |length: units::SimDuration| (length.as_nanos() / 1_000_000) as i64;
        let (ahead, half) = (milliseconds(config.lookahead), milliseconds(config.window) / 2 + MINUTE_MS);
        for days in &config.days_ago {
            let back = i64::from(*days) * DAY_MS;
            let first = (from_ms + ahead - back - half - start_ms).div_euclid(MINUTE_MS);
            let last = (at_ms + ahead - back + half - start_ms).div_euclid(MINUTE_MS) + 1;
            let rows = usize::try_from(last - first).unwrap_or(0);
            let grid = Grid { from_ms: start_ms + first * MINUTE_MS, step_ms: MINUTE_MS, rows };
            let requests = match import::requests(server, (matchers, counter), grid) {
                Ok(requests) => requests,
                Err(error) if error.is_of_question => {
                    self.missing.push(format!("{days} days ago: {}", error.message));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let known = requests.rows.iter().enumerate().filter_map(|(row, count)| Some((row, (*count)?)));
            let rates: Vec<(i64, f64)> = known.map(|(row, count)| (first + row as i64, count / 60.0)).collect();
            if rates.is_empty() {
                self.missing.push(format!("{days} days ago: the counter has too few samples around that time"));
            }
            self.rates.extend(rates);
        }
        Ok(())
    }
}
