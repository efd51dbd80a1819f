//! Where a value lies on an axis, and where the ticks are. It knows no pixels.

use units::SimTime;

use crate::CalendarStart;
use crate::calendar::day_label;
use crate::rounding;

/// How values map to 0..=1 along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    Linear {
        low: f64,
        high: f64,
    },
    /// Linear from zero, with ticks at whole numbers only.
    Whole {
        high: f64,
    },
    /// Both ends above zero.
    Log {
        low: f64,
        high: f64,
    },
    /// Linear from 0 to 1 and logarithmic from there to `high`: counts that are often zero.
    Count {
        high: f64,
    },
    /// Shares near one: logarithmic in `1 - share`; `miss_low` is the smallest distance to one that is told from it.
    Nines {
        miss_high: f64,
        miss_low: f64,
    },
}

impl Scale {
    /// From 0 to a round number at or above `largest`.
    pub fn from_zero(largest: f64) -> Self {
        let largest = if largest > 0.0 { largest } else { 1.0 };
        Self::Linear { low: 0.0, high: largest * 1.06 }
    }

    /// The same for what is counted one by one.
    pub fn whole_from_zero(largest: f64) -> Self {
        Self::Whole { high: largest.max(1.0) * 1.06 }
    }

    /// Logarithmic over all positive `values` and rounded outward; 1 to 10 where there are none.
    pub fn log_over(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = extent(values.filter(|&value| value > 0.0)).unwrap_or((1.0, 10.0));
        Self::Log { low: nice_below(low), high: nice_above(high) }
    }

    /// The values at the beginning and the end of the axis.
    pub fn ends(self) -> (f64, f64) {
        match self {
            Self::Linear { low, high } | Self::Log { low, high } => (low, high),
            Self::Whole { high } | Self::Count { high } => (0.0, high),
            Self::Nines { miss_high, miss_low } => (1.0 - miss_high, 1.0 - miss_low),
        }
    }

    /// Whether `value` lies on the axis, and not beyond its ends.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::Linear { low, high } | Self::Log { low, high } => (low..=high).contains(&value),
            Self::Whole { high } | Self::Count { high } => value <= high,
            // The last decade stands for all that is nearer to one.
            Self::Nines { miss_high, .. } => 1.0 - value <= miss_high,
        }
    }

    /// Position of `value` along the axis, limited to its ends.
    pub fn position(self, value: f64) -> f64 {
        let raw = match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Whole { high } => value / high,
            Self::Log { low, high } => (value.max(low) / low).log10() / (high / low).log10(),
            Self::Count { high } => symlog(value) / symlog(high),
            Self::Nines { miss_high, miss_low } => {
                (miss_high / (1.0 - value).max(miss_low)).log10() / (miss_high / miss_low).log10()
            }
        };
        raw.clamp(0.0, 1.0)
    }

    /// About `wanted` round values with their labels, ascending.
    pub fn ticks(self, wanted: usize) -> Vec<(f64, String)> {
        match self {
            Self::Linear { low, high } => even_ticks((low, high), round_step((high - low) / wanted as f64)),
            Self::Whole { high } => even_ticks((0.0, high), round_step(high / wanted as f64).max(1.0)),
            Self::Log { low, high } => log_ticks(low, high, wanted),
            Self::Count { high } => {
                let mut ticks = vec![(0.0, "0".to_owned())];
                ticks.extend(log_ticks(1.0, high, wanted.saturating_sub(1).max(1)));
                ticks
            }
            Self::Nines { miss_high, miss_low } => {
                let misses = log_ticks(miss_low, miss_high, wanted);
                misses.into_iter().rev().map(|(miss, _)| (1.0 - miss, nines_label(miss))).collect()
            }
        }
    }
}

fn even_ticks((low, high): (f64, f64), step: f64) -> Vec<(f64, String)> {
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|index| index as f64 * step).map(|value| (value, rounding::tick(value))).collect()
}

fn symlog(value: f64) -> f64 {
    if value <= 1.0 { value.max(0.0) * 0.5 } else { 0.5 + value.log10() }
}

/// `90 %`, `99.5 %`, `99.99 %` of one minus `miss`.
fn nines_label(miss: f64) -> String {
    let digits = (-(miss * 100.0).log10() - 1e-9).ceil().max(0.0) as usize;
    format!("{:.digits$} %", (1.0 - miss) * 100.0)
}

/// Powers of ten, with their doubles and fives while few powers fit; thinned where many do.
fn log_ticks(low: f64, high: f64, wanted: usize) -> Vec<(f64, String)> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let decades = (high / low).log10();
    let factors: &[f64] = match wanted as f64 / decades.max(0.1) {
        room if room >= 3.0 => &[1.0, 2.0, 5.0],
        room if room >= 2.0 => &[1.0, 3.0],
        _ => &[1.0],
    };
    let stride = (decades / wanted as f64).ceil().max(1.0) as i32;
    let mut ticks = Vec::new();
    for power in (first..=last).filter(|power| power.rem_euclid(stride) == 0) {
        for factor in factors {
            let value = factor * 10f64.powi(power);
            if value >= low * 0.999 && value <= high * 1.001 {
                ticks.push((value, rounding::tick(value)));
            }
        }
    }
    ticks
}

/// Smallest and largest of the finite values.
pub(super) fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |seen, value| match seen {
        None => Some((value, value)),
        Some((low, high)) => Some((low.min(value), high.max(value))),
    })
}

/// 1, 2 or 5 times a power of ten at or above `rough`.
fn round_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough * 0.999);
    factor.unwrap_or(10.0) * power
}

fn nice_above(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|nice| *nice > value * 1.02)
        .unwrap_or(value * 2.0)
}

fn nice_below(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [7.0, 5.0, 3.0, 2.0, 1.5, 1.0, 0.7]
        .into_iter()
        .map(|factor| factor * power)
        .find(|nice| *nice < value * 0.98)
        .unwrap_or(value / 2.0)
}

/// Steps between time ticks in seconds.
const TIME_STEPS: [i64; 17] =
    [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 43_200];

/// Ticks of a time axis from `first` to `last` seconds since the start of the run: (second, label).
pub(super) fn time_ticks(span: (f64, f64), start: Option<CalendarStart<'_>>, wanted: usize) -> Vec<(f64, String)> {
    let (first, last) = span;
    let rough = (last - first) / wanted as f64;
    let days = ((rough / 86_400.0).ceil() as i64).max(1);
    let step = TIME_STEPS.into_iter().find(|&step| step as f64 >= rough).unwrap_or(86_400 * days);
    // Ticks fall on round local times, so the grid is shifted by the start's local time.
    let origin = start.map_or(0, |start| start.local_seconds(SimTime::ZERO));
    let label = |tick| if start.is_some() { clock_label(tick) } else { elapsed_label(tick, step) };
    // From each change of the clocks on the grid is another.
    let mut shifts = vec![(i64::MIN, 0)];
    shifts.extend(start.iter().flat_map(|start| start.shifts()));
    let mut ticks = Vec::new();
    for (index, &(since, ahead)) in shifts.iter().enumerate() {
        let until = shifts.get(index + 1).map_or(i64::MAX, |next| next.0);
        let (low, high) = (first.max(since as f64), last.min(until.saturating_sub(1) as f64));
        let origin = origin + ahead;
        let from = (low.ceil() as i64 + origin).div_euclid(step) * step;
        let grid = (0..).map(|index| from + index * step).skip_while(|&tick| ((tick - origin) as f64) < low);
        let grid = grid.take_while(|&tick| (tick - origin) as f64 <= high);
        ticks.extend(grid.map(|tick| ((tick - origin) as f64, label(tick))));
    }
    ticks
}

fn clock_label(local: i64) -> String {
    let second = local.rem_euclid(86_400);
    match (second, second % 60) {
        (0, _) => day_label(local),
        (_, 0) => format!("{:02}:{:02}", second / 3_600, second / 60 % 60),
        (_, rest) => format!("{:02}:{:02}:{rest:02}", second / 3_600, second / 60 % 60),
    }
}

fn elapsed_label(seconds: i64, step: i64) -> String {
    match step {
        86_400.. => format!("{} d", seconds / 86_400),
        3_600.. => format!("{} h", seconds / 3_600),
        60.. => format!("{}:{:02}", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: Vec<(f64, String)>) -> Vec<String> {
        ticks.into_iter().map(|tick| tick.1).collect()
    }

    #[test]
    fn ticks_are_round_numbers_inside_the_axis() {
        assert_eq!(labels(Scale::Linear { low: 0.0, high: 22.3 }.ticks(5)), ["0", "5", "10", "15", "20"]);
        assert_eq!(labels(Scale::Log { low: 7.0, high: 3000.0 }.ticks(5)), ["10", "100", "1,000"]);
        assert_eq!(labels(Scale::Count { high: 20_000.0 }.ticks(4)), ["0", "1", "100", "10k"]);
        assert_eq!(labels(Scale::Nines { miss_high: 0.2, miss_low: 0.000_8 }.ticks(3)), ["90 %", "99 %", "99.9 %"]);
    }

    #[test]
    fn what_is_counted_has_ticks_at_whole_numbers() {
        assert_eq!(labels(Scale::whole_from_zero(2.0).ticks(5)), ["0", "1", "2"]);
        assert_eq!(labels(Scale::whole_from_zero(20.0).ticks(5)), ["0", "5", "10", "15", "20"]);
    }

    #[test]
    fn time_ticks_fall_on_local_clock_times() {
        // 2026-03-02T22:30+01:00: midnight is a tick and names the day.
        let start = CalendarStart { unix_seconds: 1_772_487_000, utc_offset_seconds: 3_600, changes: &[] };
        assert_eq!(
            labels(time_ticks((0.0, 7_200.0), Some(start), 4)),
            ["22:30", "23:00", "23:30", "Tue 3 Mar", "00:30"]
        );
        assert_eq!(
            labels(time_ticks((0.0, 86_400.0), None, 8)),
            ["0 h", "3 h", "6 h", "9 h", "12 h", "15 h", "18 h", "21 h", "24 h"]
        );
        assert_eq!(labels(time_ticks((0.0, 600.0), None, 4)), ["0:00", "0:05", "0:10"]);
    }

    #[test]
    fn values_beyond_the_axis_stay_on_its_ends() {
        assert_eq!(Scale::Log { low: 1.0, high: 100.0 }.position(10.0), 0.5);
        assert_eq!(Scale::Log { low: 1.0, high: 100.0 }.position(0.0), 0.0);
        assert_eq!(Scale::Count { high: 100.0 }.position(1e9), 1.0);
    }
}
