//! Control variates: what is known of one figure's mean tells how lucky the draws were.

use record::Interval;

use super::{Confidence, mean, standard_error};

/// Fewest values for which a control is used: the slope costs a degree of freedom, and an ill-known slope costs more than it saves.
pub const CONTROLLED_MIN: usize = 5;

/// A mean with a control variate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Controlled {
    /// The estimate and its interval.
    pub interval: Interval,
    /// Variance of the estimate over that without the control; above 1 where the control says nothing.
    pub variance_ratio: f64,
}

/// The mean of `values` by regression on `controls`, whose mean is known to be `control_mean`: Student's t with two degrees of freedom less than
/// values, exact where the pairs are jointly normal. `None` for fewer than [`CONTROLLED_MIN`] values, and where values or controls do not vary.
///
/// S. S. Lavenberg, P. D. Welch, "A perspective on the use of control variables to increase the efficiency of Monte Carlo simulations",
/// Management Science 27 (1981).
pub fn controlled_interval(
    values: &[f64],
    controls: &[f64],
    control_mean: f64,
    confidence: Confidence,
) -> Option<Controlled> {
    assert_eq!(values.len(), controls.len(), "every value has its control");
    let count = values.len() as f64;
    let (center, control) = (mean(values), mean(controls));
    let squares: f64 = controls.iter().map(|one| (one - control) * (one - control)).sum();
    let plain = standard_error(values);
    // Values without any spread (but for rounding) do not say that there is none.
    let has_spread = plain > 1e-12 * center.abs();
    if values.len() < CONTROLLED_MIN || squares == 0.0 || !squares.is_finite() || !has_spread {
        return None;
    }
    let products: f64 = values.iter().zip(controls).map(|(value, one)| (value - center) * (one - control)).sum();
    let slope = products / squares;
    let residual = |(value, one): (&f64, &f64)| {
        let rest = value - center - slope * (one - control);
        rest * rest
    };
    let variance = values.iter().zip(controls).map(residual).sum::<f64>() / (count - 2.0);
    let luck = control - control_mean;
    let error = libm::sqrt(variance * (1.0 / count + luck * luck / squares));
    let estimate = center - slope * luck;
    let half_width = confidence.t(count - 2.0) * error;
    Some(Controlled {
        interval: Interval { mean: estimate, low: estimate - half_width, high: estimate + half_width },
        variance_ratio: error * error / (plain * plain),
    })
}

#[cfg(test)]
mod tests {
    use workload::{Purpose, Stream};

    use super::*;

    #[test]
    fn what_the_control_explains_fully_is_known_exactly() {
        let controls = [9.0, 12.0, 10.5, 8.0, 13.0, 11.0];
        let values = controls.map(|control| 3.0 + 2.0 * control);
        let found = controlled_interval(&values, &controls, 10.0, Confidence::P95).unwrap();
        assert!((found.interval.mean - 23.0).abs() < 1e-12, "{found:?}");
        assert!(found.interval.high - found.interval.low < 1e-6 && found.variance_ratio < 1e-12, "{found:?}");
    }

    #[test]
    fn few_values_and_constant_controls_give_nothing() {
        assert_eq!(controlled_interval(&[1.0; 4], &[1.0, 2.0, 3.0, 4.0], 2.0, Confidence::P95), None);
        assert_eq!(controlled_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], &[7.0; 5], 7.0, Confidence::P95), None);
        assert_eq!(controlled_interval(&[1.0; 5], &[1.0, 2.0, 3.0, 4.0, 5.0], 2.0, Confidence::P95), None);
    }

    #[test]
    fn intervals_cover_the_mean_as_often_as_they_say_and_are_narrower() {
        // Value = control + noise, both about normal with variance 1: the control halves the variance.
        let mut stream = Stream::new(11, Purpose::Resampling, 0);
        let mut normal = || (0..12).map(|_| stream.uniform()).sum::<f64>() - 6.0;
        let (mut hits, mut ratios) = (0, 0.0);
        for _ in 0..2_000 {
            let controls: [f64; 10] = std::array::from_fn(|_| normal());
            let values = controls.map(|control| control + normal());
            let found = controlled_interval(&values, &controls, 0.0, Confidence::P95).unwrap();
            hits += u32::from(found.interval.low <= 0.0 && 0.0 <= found.interval.high);
            ratios += found.variance_ratio / 2_000.0;
        }
        // Three standard errors of a share of 2,000 at 95 % are 1.5 %.
        assert!((1_870..=1_930).contains(&hits), "{hits}");
        assert!((0.5..0.75).contains(&ratios), "{ratios}");
    }
}
