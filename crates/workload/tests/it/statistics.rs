//! Measures of fit between samples and distributions.

/// Kolmogorov's distance between a sample and a distribution function.
pub fn ks_distance(mut sample: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let n = sample.len() as f64;
    let gaps = sample.iter().enumerate().map(|(i, x)| {
        let expected = cdf(*x);
        (expected - i as f64 / n).abs().max(((i + 1) as f64 / n - expected).abs())
    });
    gaps.fold(0.0, f64::max)
}

/// Kolmogorov's distance of a true sample of `n` stays below this with probability 0.999.
pub fn ks_limit(n: usize) -> f64 {
    1.95 / (n as f64).sqrt()
}

/// How many standard deviations chi-square is from its mean, for counts that should be Poisson with the given means, all of them large.
pub fn chi_square_deviations(counts: &[u64], means: &[f64]) -> f64 {
    let terms = counts.iter().zip(means).map(|(count, mean)| (*count as f64 - mean).powi(2) / mean);
    // Each term has mean 1 and variance 2 + 1/mean.
    let variance: f64 = means.iter().map(|mean| 2.0 + 1.0 / mean).sum();
    (terms.sum::<f64>() - counts.len() as f64) / variance.sqrt()
}
