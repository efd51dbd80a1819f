//! Values as scenarios write them.

use workload::Distribution;

/// A length of time to four significant digits, in seconds or, below one, milliseconds or smaller.
pub fn time(seconds: f64) -> String {
    let (scale, unit) = match seconds {
        s if s >= 1.0 || s == 0.0 => (1.0, "s"),
        s if s >= 1e-3 => (1e3, "ms"),
        s if s >= 1e-6 => (1e6, "us"),
        _ => (1e9, "ns"),
    };
    format!("{}{unit}", significant(seconds * scale))
}

/// A number to four significant digits, without needless zeros or exponents.
pub fn significant(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return "0".to_owned();
    }
    let digits = (3 - libm::floor(libm::log10(number.abs())) as i64).clamp(0, 12) as usize;
    let text = format!("{number:.digits$}");
    if digits == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

/// A distribution of times, such as `{logNormal: {p50: 41s, p90: 66s}}`; a constant is just its time.
pub fn distribution(distribution: &Distribution) -> String {
    match distribution {
        Distribution::Constant(value) => time(*value),
        Distribution::Uniform { low, high } => format!("{{uniform: {{low: {}, high: {}}}}}", time(*low), time(*high)),
        Distribution::Exponential { mean } => format!("{{exponential: {{mean: {}}}}}", time(*mean)),
        Distribution::LogNormal { p50, p90 } => format!("{{logNormal: {{p50: {}, p90: {}}}}}", time(*p50), time(*p90)),
        Distribution::Gamma { mean, cv } => format!("{{gamma: {{mean: {}, cv: {}}}}}", time(*mean), significant(*cv)),
        Distribution::Weibull { shape, scale } => {
            format!("{{weibull: {{shape: {}, scale: {}}}}}", significant(*shape), time(*scale))
        }
        Distribution::Empirical(values) => {
            let values: Vec<String> = values.iter().map(|value| time(*value)).collect();
            format!("{{empirical: [{}]}}", values.join(", "))
        }
        Distribution::Normal { mean, std, min, max } => {
            let max = if max.is_finite() { format!(", max: {}", time(*max)) } else { String::new() };
            format!("{{normal: {{mean: {}, std: {}, min: {}{max}}}}}", time(*mean), time(*std), time(*min))
        }
        Distribution::Discrete(shares) => {
            let values: Vec<String> = shares.iter().map(|(value, _)| time(*value)).collect();
            let before = std::iter::once(0.0).chain(shares.iter().map(|(_, share)| *share));
            let weights: Vec<String> =
                shares.iter().zip(before).map(|((_, share), before)| significant(share - before)).collect();
            format!("{{empirical: {{values: [{}], weights: [{}]}}}}", values.join(", "), weights.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_carry_their_unit_and_four_digits() {
        let shown: Vec<String> = [41.0, 41.23456, 123_456.7, 0.5, 62.7e-9, 0.0].into_iter().map(time).collect();
        assert_eq!(shown, ["41s", "41.23s", "123457s", "500ms", "62.7ns", "0s"]);
    }

    #[test]
    fn distributions_use_the_keys_of_scenarios() {
        assert_eq!(
            distribution(&Distribution::LogNormal { p50: 41.0, p90: 66.0 }),
            "{logNormal: {p50: 41s, p90: 66s}}"
        );
        assert_eq!(distribution(&Distribution::Empirical([1.0, 2.5].into())), "{empirical: [1s, 2.5s]}");
    }
}
