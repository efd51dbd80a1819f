//! Which stretch of the past is meant.

use jiff::Timestamp;
use live::Grid;
use scenario::{Amount, Time};

use crate::failure::{Failure, Result};

/// Rows that tables are made of at most.
const ROWS_MAX: i64 = 5_000_000;

/// The rows that the arguments mean, by the server's clock. Without an end it is two rows before now: the newest scrapes are still under way.
pub fn grid(since: &str, until: Option<&str>, step_ms: i64, now: Timestamp) -> Result<Grid> {
    let wrong = |flag: &str, text: &str, reason: &str| Failure::input(format!("{flag} {text}: {reason}"));
    let instant = "an instant such as 2026-03-01T00:00:00Z is needed, with its offset";
    let now_ms = now.as_millisecond();
    let to_ms = match until {
        Some(text) => text.parse::<Timestamp>().map_err(|_| wrong("--until", text, instant))?.as_millisecond(),
        None => now_ms - 2 * step_ms,
    };
    if to_ms > now_ms {
        return Err(wrong("--until", until.unwrap_or_default(), &format!("is not over yet: it is {now} there")));
    }
    let to_ms = to_ms.div_euclid(step_ms) * step_ms;
    let from_ms = match (since.parse::<Timestamp>(), Time::parse(since)) {
        (Ok(instant), _) => instant.as_millisecond(),
        (_, Some(length)) => to_ms - (length.0 * 1e3) as i64,
        _ => {
            return Err(wrong(
                "--since",
                since,
                "a length such as 7d, or an instant such as 2026-03-01T00:00:00Z, is needed",
            ));
        }
    };
    let from_ms = from_ms.div_euclid(step_ms) * step_ms;
    let rows = (to_ms - from_ms) / step_ms;
    if rows < 2 {
        return Err(wrong("--since", since, "leaves no two rows before the end"));
    }
    if rows > ROWS_MAX {
        return Err(wrong(
            "--since",
            since,
            &format!("makes {rows} rows, of at most {ROWS_MAX}; --step makes longer ones"),
        ));
    }
    Ok(Grid { from_ms, step_ms, rows: rows as usize })
}

/// An instant as tables have it.
pub fn shown(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(|_| format!("{at_ms} ms"), |at| at.to_string())
}

/// A length in words.
pub fn length(ms: i64) -> String {
    match ms / 1_000 {
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds if seconds < 7_200 => format!("{} min", seconds / 60),
        seconds => format!("{:.1} h", seconds as f64 / 3_600.0),
    }
}
