//! Upper bounds of buckets.

/// Upper bounds of a histogram, without `+Inf`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bounds {
    /// As they are.
    List(&'static [f64]),
    /// `first * factor^k` for `count` values of `k` from 0.
    Geometric {
        /// The first.
        first: f64,
        /// From one to the next.
        factor: f64,
        /// How many.
        count: u32,
    },
    /// 1, 2, 5, 10, 20, 50 and so on up to the longest context.
    OneTwoFive,
    /// A hundred equal steps up to the longest context.
    Hundredths,
    /// What the scenario says for HTTP histograms, or Go's default.
    Http,
}

impl Bounds {
    /// The bounds, for a longest context of so many tokens and these bounds of HTTP histograms.
    pub fn list(self, context_tokens: u32, http: &[f64]) -> Vec<f64> {
        match self {
            Self::List(bounds) => bounds.to_vec(),
            Self::Geometric { first, factor, count } => {
                let mut bounds = Vec::new();
                let mut bound = first;
                for _ in 0..count {
                    bounds.push(bound);
                    bound *= factor;
                }
                bounds
            }
            Self::OneTwoFive => {
                let decades = (0..10).map(|exponent| 10_f64.powi(exponent));
                let all = decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|step| step * decade));
                all.take_while(|bound| *bound <= f64::from(context_tokens)).collect()
            }
            Self::Hundredths => (1..=100).map(|step| f64::from(step) * f64::from(context_tokens) / 100.0).collect(),
            Self::Http => http.to_vec(),
        }
    }
}

/// vLLM's time to first token, seconds.
pub(super) const FIRST_TOKEN: Bounds = Bounds::List(&[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
    160.0, 640.0, 2560.0,
]);

/// vLLM's time between tokens, seconds.
pub(super) const INTER_TOKEN: Bounds = Bounds::List(&[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
]);

/// vLLM's latencies of requests, seconds.
pub(super) const REQUEST: Bounds = Bounds::List(&[
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0,
    1920.0, 7680.0,
]);

/// Default of the Go client, seconds.
pub(super) const GO: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Default of the Python and OpenTelemetry clients, seconds.
pub(super) const PYTHON: Bounds =
    Bounds::List(&[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]);

/// Bounds of HTTP histograms where the scenario gives none: those of the Go client.
pub fn default_http_bounds() -> Vec<f64> {
    GO.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_bounds_go_up_to_the_longest_context() {
        assert_eq!(Bounds::OneTwoFive.list(100, &[]), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(Bounds::Hundredths.list(200, &[]).last(), Some(&200.0));
    }

    #[test]
    fn geometric_bounds_multiply() {
        let bounds = Bounds::Geometric { first: 1.0, factor: 2.0, count: 4 };
        assert_eq!(bounds.list(0, &[]), [1.0, 2.0, 4.0, 8.0]);
    }
}
