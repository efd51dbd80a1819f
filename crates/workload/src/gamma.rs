//! The gamma distribution with scale 1: distribution function and quantile.
//!
//! Written on libm alone, so that a draw has the same bits on every platform.

use crate::normal;

/// Newton's method has converged once a step is below this share: the error left is about its square.
const STEP_MIN: f64 = 1e-10;
/// Convergence is quadratic from a start on the right side; this many steps are never needed.
const STEPS_MAX: usize = 100;
/// Above this shape (a coefficient of variation below 0.001) the quantile is Wilson and Hilferty's cube, off by less than 1e-8 of the value.
const SHAPE_MAX: f64 = 1e6;

/// Both sides of the distribution at one point.
struct Tails {
    below: f64,
    above: f64,
    density: f64,
}

/// The value below which a share `q` in [0, 1) lies, for `shape` > 0. About a microsecond.
pub fn quantile(shape: f64, q: f64) -> f64 {
    if q <= 0.0 {
        0.0
    } else if shape > SHAPE_MAX {
        cube_guess(shape, q)
    } else if q <= 0.5 {
        lower_quantile(shape, q)
    } else {
        upper_quantile(shape, 1.0 - q)
    }
}

/// The probability density at `x` > 0.
pub fn density(shape: f64, x: f64) -> f64 {
    libm::exp(shape * libm::log(x) - x - libm::lgamma(shape)) / x
}

/// Newton's method on `ln P` over `ln x`. That function is rising and concave, so from the second point on the steps go up to the root and
/// never past it.
fn lower_quantile(shape: f64, q: f64) -> f64 {
    // P(x) <= x^shape / Gamma(shape + 1), with equality towards zero.
    let power_log = (libm::log(q) + libm::lgamma(shape + 1.0)) / shape;
    let cube = cube_guess(shape, q);
    let mut x_log = if shape >= 1.0 && cube > 0.0 { libm::log(cube) } else { power_log };
    // So near zero the power law is exact to the last bit.
    if x_log < -36.0 {
        return libm::exp(power_log);
    }
    for _ in 0..STEPS_MAX {
        let x = libm::exp(x_log);
        let tails = tails(shape, x);
        let step = libm::log(q / tails.below) * tails.below / (x * tails.density);
        x_log += step;
        if step.abs() < STEP_MIN {
            break;
        }
    }
    libm::exp(x_log)
}

/// Newton's method on `ln Q` over `x`: concave for a shape above 1, where every start will do; convex below 1, where the start must lie
/// left of the root, as the median does.
fn upper_quantile(shape: f64, above: f64) -> f64 {
    let mut x = if shape >= 1.0 { cube_guess(shape, 1.0 - above) } else { lower_quantile(shape, 0.5) };
    if x < f64::MIN_POSITIVE {
        // The median is too small for a number. Left of the root lies the power law as well, and near zero it is the root.
        let power_log = (libm::log1p(-above) + libm::lgamma(shape + 1.0)) / shape;
        x = libm::exp(power_log);
        if power_log < -36.0 {
            return x;
        }
    }
    for _ in 0..STEPS_MAX {
        let tails = tails(shape, x);
        let step = libm::log(tails.above / above) * tails.above / tails.density;
        x += step;
        if step.abs() < STEP_MIN * x {
            break;
        }
    }
    x
}

/// Wilson and Hilferty: the cube root of a gamma number is nearly normal.
fn cube_guess(shape: f64, q: f64) -> f64 {
    let spread = 1.0 / (9.0 * shape);
    let root = 1.0 - spread + normal::quantile(q) * spread.sqrt();
    shape * root * root * root
}

fn tails(shape: f64, x: f64) -> Tails {
    let density = density(shape, x);
    if x < shape + 1.0 {
        let below = density * x * power_series(shape, x);
        Tails { below, above: 1.0 - below, density }
    } else {
        let above = density * x * continued_fraction(shape, x);
        Tails { below: 1.0 - above, above, density }
    }
}

/// `1/a + x/(a(a+1)) + x^2/(a(a+1)(a+2)) + ...`: the lower incomplete gamma function over `x^a e^-x`.
fn power_series(shape: f64, x: f64) -> f64 {
    let mut term = 1.0 / shape;
    let mut sum = term;
    let mut divisor = shape;
    while term > sum * 1e-17 {
        divisor += 1.0;
        term *= x / divisor;
        sum += term;
    }
    sum
}

/// `1/(x+1-a - 1(1-a)/(x+3-a - 2(2-a)/(x+5-a - ...)))`, by Lentz's method: the upper incomplete gamma function over `x^a e^-x`.
fn continued_fraction(shape: f64, x: f64) -> f64 {
    let mut partial = x + 1.0 - shape;
    // Stands for a first denominator of zero; it can only occur at x = shape - 1, left of where this is used.
    let mut numerator_ratio = 1e300;
    let mut denominator_ratio = 1.0 / partial;
    let mut value = denominator_ratio;
    let mut term = 0.0;
    loop {
        term += 1.0;
        let coefficient = -term * (term - shape);
        partial += 2.0;
        denominator_ratio = 1.0 / (coefficient * denominator_ratio + partial);
        numerator_ratio = partial + coefficient / numerator_ratio;
        let change = denominator_ratio * numerator_ratio;
        value *= change;
        if (change - 1.0).abs() < 1e-16 || term > 1e5 || change.is_nan() {
            return value;
        }
    }
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ContinuousCDF, Gamma};

    use super::*;

    #[test]
    fn shape_one_is_the_exponential_distribution() {
        for step in 1..1_000 {
            let q = f64::from(step) / 1_000.0;
            let expected = -libm::log1p(-q);
            assert!((quantile(1.0, q) - expected).abs() < 1e-12 * expected, "{q}");
        }
    }

    #[test]
    fn the_quantile_inverts_an_independent_distribution_function() {
        for shape in [0.04, 0.25, 0.7, 1.5, 4.0, 100.0, 10_000.0] {
            let reference = Gamma::new(shape, 1.0).expect("a valid shape");
            for q in [1e-9, 1e-3, 0.1, 0.4, 0.5, 0.50001, 0.9, 0.999, 1.0 - 1e-9] {
                let x = quantile(shape, q);
                if x > 1e-100 {
                    let (below, above) = (reference.cdf(x), reference.sf(x));
                    assert!(
                        (below - q).abs() < 1e-9 * q && (above - (1.0 - q)).abs() < 1e-6 * (1.0 - q),
                        "{shape} {q}: {below}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_tiny_shape_has_quantiles_too() {
        for shape in [1.0 / (33.0 * 33.0), 1.0 / (36.0 * 36.0), 1e-4, 1e-6] {
            let reference = Gamma::new(shape, 1.0).expect("a valid shape");
            for above in [1e-9, 1e-6, 1e-4, 1e-3] {
                let x = quantile(shape, 1.0 - above);
                let found = if x < 1e-300 { above } else { reference.sf(x) };
                assert!((found - above).abs() < 1e-5 * above, "{shape} {above}: {x} {found}");
            }
            assert!((0..1_000).all(|step| quantile(shape, f64::from(step) / 1_000.0).is_finite()));
        }
    }

    #[test]
    fn the_cube_takes_over_without_a_jump() {
        for q in [0.001, 0.3, 0.9, 0.999] {
            let (newton, cube) = (quantile(SHAPE_MAX, q), cube_guess(SHAPE_MAX, q));
            assert!((newton / cube - 1.0).abs() < 1e-8, "{q}: {newton} {cube}");
        }
    }
}
