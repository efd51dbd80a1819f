//! Load shapes as people describe them: a night floor, office days, weekends, flash crowds, noise.

use units::{SimDuration, SimTime};

use crate::{Purpose, RateCurve, Stream, normal};

const DAY: SimDuration = SimDuration::from_secs(86_400);
const DAYS_PER_WEEK: u64 = 7;

/// A load as a sum of parts. Rates are in requests per second; times of day count from midnight.
///
/// rate = (base + wave + office day) x weekday factor x noise + flash crowds, never negative.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadShape {
    /// What is always there: the night floor.
    pub base: f64,
    /// A sinusoid of one day.
    pub wave: Option<DailyWave>,
    /// A plateau in working hours.
    pub office: Option<OfficeDay>,
    /// Factors for Monday to Sunday.
    pub weekday_factors: [f64; 7],
    /// Sudden crowds, in any order.
    pub flashes: Vec<FlashCrowd>,
    /// Random ups and downs.
    pub noise: Option<RateNoise>,
    /// Where in the week the run starts: time since Monday, 00:00.
    pub start_in_week: SimDuration,
}

/// A sinusoid with a period of one day, lifted so that its trough is zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DailyWave {
    /// From trough to crest.
    pub height: f64,
    /// Time of day of the crest.
    pub crest_at: SimDuration,
}

/// A plateau in working hours, with linear flanks; it must fit into one day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OfficeDay {
    /// Height of the plateau.
    pub height: f64,
    /// Time of day at which load starts to rise.
    pub opens_at: SimDuration,
    /// How long it rises.
    pub rise: SimDuration,
    /// Time of day at which it starts to fall.
    pub closes_at: SimDuration,
    /// How long it falls.
    pub fall: SimDuration,
}

/// A crowd that comes once: linear flanks around a plateau.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlashCrowd {
    /// When it starts to rise.
    pub start: SimTime,
    /// How long it rises.
    pub rise: SimDuration,
    /// How long it stays at its height.
    pub hold: SimDuration,
    /// How long it falls.
    pub fall: SimDuration,
    /// Its height.
    pub height: f64,
}

/// A random factor around 1: lognormal, with a memory that fades exponentially.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateNoise {
    /// Standard deviation of the factor's logarithm: about the relative spread if small.
    pub sigma: f64,
    /// Time after which the correlation has fallen to 1/e; zero for independent steps.
    pub memory: SimDuration,
}

impl Default for LoadShape {
    /// Nothing at all, from Monday, 00:00.
    fn default() -> Self {
        Self {
            base: 0.0,
            wave: None,
            office: None,
            weekday_factors: [1.0; 7],
            flashes: Vec::new(),
            noise: None,
            start_in_week: SimDuration::ZERO,
        }
    }
}

impl LoadShape {
    /// The load as a curve of `step`s over `length`. `seed` matters only with noise.
    pub fn curve(&self, step: SimDuration, length: SimDuration, seed: u64) -> RateCurve {
        let mut noise = self.noise.map(|noise| NoiseWalk::new(noise, step, seed));
        RateCurve::from_fn(step, length, |at| {
            let factor = noise.as_mut().map_or(1.0, NoiseWalk::next_factor);
            let flashes: f64 = self.flashes.iter().map(|flash| flash.rate_at(at)).sum();
            self.steady_rate_at(at) * factor + flashes
        })
    }

    fn steady_rate_at(&self, at: SimTime) -> f64 {
        let in_week = self.start_in_week.as_nanos() + at.as_nanos();
        let weekday = (in_week / DAY.as_nanos()) % DAYS_PER_WEEK;
        let time_of_day = SimDuration::from_nanos(in_week % DAY.as_nanos());
        let wave = self.wave.map_or(0.0, |wave| wave.rate_at(time_of_day));
        let office = self.office.map_or(0.0, |office| office.rate_at(time_of_day));
        (self.base + wave + office) * self.weekday_factors[weekday as usize]
    }
}

impl DailyWave {
    fn rate_at(&self, time_of_day: SimDuration) -> f64 {
        let turn = (time_of_day.as_secs_f64() - self.crest_at.as_secs_f64()) / DAY.as_secs_f64();
        self.height * f64::midpoint(1.0, libm::cos(turn * std::f64::consts::TAU))
    }
}

impl OfficeDay {
    fn rate_at(&self, time_of_day: SimDuration) -> f64 {
        let rising = flank(time_of_day.as_nanos(), self.opens_at.as_nanos(), self.rise);
        let falling = flank(time_of_day.as_nanos(), self.closes_at.as_nanos(), self.fall);
        // The lesser of the two, so that a day that closes while it still rises just peaks lower.
        self.height * rising.min(1.0 - falling)
    }
}

impl FlashCrowd {
    fn rate_at(&self, at: SimTime) -> f64 {
        let peak = self.start + self.rise + self.hold;
        self.height
            * (flank(at.as_nanos(), self.start.as_nanos(), self.rise)
                - flank(at.as_nanos(), peak.as_nanos(), self.fall))
    }
}

/// 0 before `start_ns`, 1 after `start_ns + length`, linear between.
fn flank(at_ns: u64, start_ns: u64, length: SimDuration) -> f64 {
    let into = at_ns.saturating_sub(start_ns);
    if at_ns < start_ns {
        0.0
    } else if into >= length.as_nanos() {
        1.0
    } else {
        into as f64 / length.as_nanos() as f64
    }
}

/// An Ornstein-Uhlenbeck process seen at each step, as a factor with mean 1.
struct NoiseWalk {
    stream: Stream,
    sigma: f64,
    kept: f64,
    fresh: f64,
    level: f64,
}

impl NoiseWalk {
    fn new(noise: RateNoise, step: SimDuration, seed: u64) -> Self {
        let mut stream = Stream::new(seed, Purpose::RateNoise, 0);
        let kept =
            if noise.memory.is_zero() { 0.0 } else { libm::exp(-step.as_secs_f64() / noise.memory.as_secs_f64()) };
        // Starting from the stationary distribution, the first step is as noisy as every other.
        let level = standard_normal(&mut stream);
        Self { stream, sigma: noise.sigma, kept, fresh: (1.0 - kept * kept).sqrt(), level }
    }

    fn next_factor(&mut self) -> f64 {
        let factor = libm::exp(self.sigma * self.level - 0.5 * self.sigma * self.sigma);
        self.level = self.kept * self.level + self.fresh * standard_normal(&mut self.stream);
        factor
    }
}

/// One normal number from one uniform, taken at the middle of its 2^-53 cell so that it is finite.
fn standard_normal(stream: &mut Stream) -> f64 {
    normal::quantile(stream.uniform() + 0.5 / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: SimDuration = SimDuration::from_secs(60);

    fn hours(hours: u64) -> SimDuration {
        SimDuration::from_secs(hours * 3_600)
    }

    fn at_hour(curve: &RateCurve, hour: u64) -> f64 {
        curve.rate_at(SimTime::ZERO + hours(hour))
    }

    fn office_week() -> LoadShape {
        let office =
            OfficeDay { height: 90.0, opens_at: hours(8), rise: hours(2), closes_at: hours(17), fall: hours(3) };
        LoadShape {
            base: 10.0,
            office: Some(office),
            weekday_factors: [1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.1],
            ..LoadShape::default()
        }
    }

    #[test]
    fn an_office_day_rises_holds_and_falls_back_to_the_night_floor() {
        let curve = office_week().curve(MINUTE, DAY, 0);
        let seen = [4, 9, 10, 16, 20, 23].map(|hour| at_hour(&curve, hour).round());
        assert_eq!(seen, [10.0, 55.0, 100.0, 100.0, 10.0, 10.0]);
    }

    #[test]
    fn weekdays_follow_the_calendar_start_of_the_run() {
        let friday_noon = LoadShape { start_in_week: DAY * 4 + hours(12), ..office_week() };
        let curve = friday_noon.curve(MINUTE, DAY * 3, 0);
        let noons = [0, 24, 48].map(|hour| at_hour(&curve, hour).round());
        assert_eq!(noons, [100.0, 50.0, 10.0]);
    }

    #[test]
    fn a_daily_wave_swings_between_zero_and_its_height() {
        let wave = DailyWave { height: 80.0, crest_at: hours(14) };
        let curve = LoadShape { base: 5.0, wave: Some(wave), ..LoadShape::default() }.curve(MINUTE, DAY, 0);
        assert!((at_hour(&curve, 14) - 85.0).abs() < 0.01 && (at_hour(&curve, 2) - 5.0).abs() < 0.01);
        assert!((curve.mean() - 45.0).abs() < 1e-9);
    }

    #[test]
    fn a_flash_crowd_comes_once_on_top() {
        let flash = FlashCrowd {
            start: SimTime::from_secs(3_600),
            rise: MINUTE * 2,
            hold: MINUTE * 5,
            fall: MINUTE * 10,
            height: 300.0,
        };
        let shape = LoadShape { base: 20.0, flashes: vec![flash], ..LoadShape::default() };
        let curve = shape.curve(SimDuration::from_secs(1), DAY, 0);
        let area = curve.expected_count(SimTime::ZERO, SimTime::MAX) - 20.0 * 86_400.0;
        assert!((area - 300.0 * (60.0 + 300.0 + 300.0)).abs() < 1e-3, "{area}");
        assert_eq!(curve.peak(), 320.0);
    }

    #[test]
    fn noise_keeps_the_mean_and_has_the_memory_asked_for() {
        let noise = RateNoise { sigma: 0.2, memory: MINUTE * 3 };
        let shape = LoadShape { base: 100.0, noise: Some(noise), ..LoadShape::default() };
        let curve = shape.curve(MINUTE, DAY * 140, 3);
        let n = curve.rates.len() as f64;
        // Neighbours repeat each other: the effective sample is smaller by (1 - kept) / (1 + kept).
        let kept = libm::exp(-1.0 / 3.0);
        let standard_error = 0.2 / (n * (1.0 - kept) / (1.0 + kept)).sqrt();
        assert!((curve.mean() / 100.0 - 1.0).abs() < 4.0 * standard_error, "{}", curve.mean());

        let levels: Vec<f64> = curve.rates.iter().map(|rate| libm::log(rate / 100.0) / 0.2 + 0.1).collect();
        let correlation = levels.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / n;
        assert!((correlation - kept).abs() < 0.02, "{correlation}");
        assert_eq!(curve, shape.curve(MINUTE, DAY * 140, 3));
        assert_ne!(curve, shape.curve(MINUTE, DAY * 140, 4));
    }
}
