//! Maximum likelihood.

use super::families::{Family, Parameters};
use super::observation::Tally;

/// Probabilities below this count as this, so that one impossible observation does not end the search.
const PROBABILITY_MIN: f64 = 1e-12;

/// The most likely parameters of a family for a sample, and the log-likelihood there. `start` is a guess; by default one is made from the
/// middles of the observations. `None` if the search ends nowhere.
pub fn likelihood(family: Family, tally: &Tally, start: Option<Parameters>) -> Option<(Parameters, f64)> {
    let loss = |parameters: Parameters| -log_likelihood(family, parameters, tally);
    // A restart for a fresh guess: a simplex that has collapsed too early spreads again.
    let (first, spread, rounds, flat) = match start {
        // A resample's optimum is close, and its interval needs no more digits than this.
        Some(parameters) => (parameters, 0.05, 1, 1e-3),
        None => (family.guess(&middles(tally)), 0.3, 2, 1e-7),
    };
    let mut best = (first, loss(first));
    for _ in 0..rounds {
        best = nelder_mead(loss, best.0, spread, flat);
    }
    (best.1.is_finite() && best.0.iter().all(|parameter| parameter.is_finite())).then_some((best.0, -best.1))
}

/// Middles of the complete observations; the censored stand at their bounds, since a guess is all this is for.
fn middles(tally: &Tally) -> Vec<f64> {
    let one = |(observation, count): &(super::Observation, usize)| {
        let super::Observation::LongerThan(bound) = *observation else {
            return std::iter::repeat_n(observation.middle().unwrap_or(0.0), *count);
        };
        std::iter::repeat_n(bound, *count)
    };
    tally.counts.iter().flat_map(one).collect()
}

fn log_likelihood(family: Family, parameters: Parameters, tally: &Tally) -> f64 {
    let one = |(observation, count): &(super::Observation, usize)| {
        let seen = observation.probability(|x| family.cdf(parameters, x), |x| family.pdf(parameters, x));
        *count as f64 * libm::log(seen.max(PROBABILITY_MIN))
    };
    // Beyond these the special functions lose their digits and no cold start has ever been.
    if !parameters.iter().all(|parameter| parameter.abs() < 25.0) {
        return f64::NEG_INFINITY;
    }
    tally.counts.iter().map(one).sum()
}

/// Minimizes a function of two numbers: Nelder and Mead's simplex with their coefficients, at most 300 steps, until the simplex is flat
/// to `flat`.
fn nelder_mead(loss: impl Fn(Parameters) -> f64, start: Parameters, spread: f64, flat: f64) -> (Parameters, f64) {
    let corner = |x: f64, y: f64| {
        let point = [start[0] + x, start[1] + y];
        (point, loss(point))
    };
    let mut simplex = [corner(0.0, 0.0), corner(spread, 0.0), corner(0.0, spread)];
    for _ in 0..300 {
        simplex.sort_by(|left, right| left.1.total_cmp(&right.1));
        let [best, middle, worst] = simplex;
        if worst.1 - best.1 < flat {
            break;
        }
        let center = [f64::midpoint(best.0[0], middle.0[0]), f64::midpoint(best.0[1], middle.0[1])];
        let along = |factor: f64| {
            let point = [center[0] + factor * (worst.0[0] - center[0]), center[1] + factor * (worst.0[1] - center[1])];
            (point, loss(point))
        };
        let reflected = along(-1.0);
        simplex[2] = if reflected.1 < best.1 {
            let expanded = along(-2.0);
            if expanded.1 < reflected.1 { expanded } else { reflected }
        } else if reflected.1 < middle.1 {
            reflected
        } else {
            let contracted = if reflected.1 < worst.1 { along(-0.5) } else { along(0.5) };
            if contracted.1 < worst.1.min(reflected.1) {
                contracted
            } else {
                let halfway = |point: Parameters| {
                    let moved = [f64::midpoint(best.0[0], point[0]), f64::midpoint(best.0[1], point[1])];
                    (moved, loss(moved))
                };
                simplex[1] = halfway(middle.0);
                halfway(worst.0)
            }
        };
    }
    simplex.sort_by(|left, right| left.1.total_cmp(&right.1));
    simplex[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curved_valley_is_followed_to_its_bottom() {
        // Rosenbrock's function; its minimum is 0 at (1, 1).
        let valley = |[x, y]: Parameters| (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
        let (point, loss) = nelder_mead(valley, [-1.2, 1.0], 0.3, 1e-7);
        assert!(loss < 1e-5 && (point[0] - 1.0).abs() < 0.01, "{point:?} {loss}");
    }
}
