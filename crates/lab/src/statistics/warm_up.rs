//! How much of the beginning of a series to leave out.

/// MSER-5: how many leading values to delete, a multiple of five, so that the mean of the rest is known best.
///
/// The series is averaged in fives; of all cuts in its first half the one is taken that makes the squared standard error of the
/// rest least (White, Cobb and Spratt, "A comparison of five steady-state truncation heuristics for simulation", WSC 2000). A cut
/// beyond the half would say that the series is too short; then, and with fewer than ten values, the answer is the half.
pub fn mser5(series: &[f64]) -> usize {
    let fives: Vec<f64> = series.chunks_exact(5).map(super::mean).collect();
    if fives.len() < 2 {
        return series.len() / 2;
    }
    // Walking from the end, sums give every cut in constant time.
    let (mut sum, mut squares) = (0.0, 0.0);
    let mut best = (f64::INFINITY, fives.len() / 2);
    for cut in (0..fives.len()).rev() {
        sum += fives[cut];
        squares += fives[cut] * fives[cut];
        let left = (fives.len() - cut) as f64;
        let measure = (squares - sum * sum / left).max(0.0) / (left * left);
        // `<=` prefers the shorter warm-up among equals.
        if cut <= fives.len() / 2 && measure <= best.0 {
            best = (measure, cut);
        }
    }
    best.1 * 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_before_a_plateau_is_cut_where_it_ends() {
        let series: Vec<f64> = (0..200)
            .map(|step| if step < 40 { 100.0 - 2.0 * f64::from(step) } else { 20.0 + f64::from(step % 3) })
            .collect();
        assert_eq!(mser5(&series), 40);
    }

    #[test]
    fn a_flat_series_needs_no_warm_up() {
        assert_eq!(mser5(&[3.0; 100]), 0);
        assert_eq!(mser5(&[]), 0);
    }
}
