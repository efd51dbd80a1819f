//! Observed quantiles, where some values are cut short: Kaplan and Meier's estimator, and the plot against a fitted distribution.

use workload::Distribution;

use super::observation::{Observation, Tally};

/// Points of a plot and values of an empirical distribution, at most.
const POINTS_MAX: usize = 100;

/// Observed quantile against the fitted one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantilePair {
    /// Share of values at or below, 0 to 1.
    pub share: f64,
    /// Observed, in the unit of the measurements: seconds, or node-hours between interruptions.
    pub observed: f64,
    /// Fitted, in the same.
    pub fitted: f64,
}

/// The observed distribution function.
pub struct Curve {
    /// Its steps, ascending.
    pub steps: Vec<Step>,
}

/// One step of an observed distribution function.
#[derive(Clone, Copy)]
pub struct Step {
    /// Where.
    pub length: f64,
    /// Share at or below just before it.
    before: f64,
    /// Share at or below.
    after: f64,
    /// What was observed there.
    observation: Observation,
}

/// Kaplan and Meier's estimate from the middles of the observations; at equal lengths, ends come before cuts.
pub fn survival(tally: &Tally) -> Curve {
    let mut lengths: Vec<(f64, bool, usize, Observation)> = tally
        .counts
        .iter()
        .map(|(observation, count)| match (*observation, observation.middle()) {
            (Observation::LongerThan(bound), _) => (bound, true, *count, *observation),
            (_, middle) => (middle.unwrap_or(0.0), false, *count, *observation),
        })
        .collect();
    lengths.sort_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
    let mut at_risk: usize = lengths.iter().map(|length| length.2).sum();
    let mut surviving = 1.0;
    let mut steps: Vec<Step> = Vec::new();
    for (length, is_cut, count, observation) in lengths {
        if !is_cut {
            let before = 1.0 - surviving;
            surviving *= 1.0 - count as f64 / at_risk as f64;
            match steps.last_mut().filter(|step| step.length == length) {
                Some(step) => step.after = 1.0 - surviving,
                None => steps.push(Step { length, before, after: 1.0 - surviving, observation }),
            }
        }
        at_risk -= count;
    }
    Curve { steps }
}

impl Curve {
    /// Observed value at a share; the longest complete one where the estimate does not reach that far.
    pub fn quantile(&self, share: f64) -> f64 {
        let index = self.steps.partition_point(|step| step.after < share);
        self.steps[index.min(self.steps.len() - 1)].length
    }

    /// Kolmogorov's distance to a distribution function, as far as rounding and probing do not explain it.
    pub fn distance(&self, cdf: impl Fn(f64) -> f64) -> f64 {
        let at = |step: &Step| {
            let (low, high) = step.observation.share_seen_below(&cdf);
            let seen = if let Observation::Exact(_) = step.observation {
                f64::midpoint(step.before, step.after)
            } else {
                step.after
            };
            (low - seen).max(seen - high).max(0.0)
        };
        self.steps.iter().map(at).fold(0.0, f64::max)
    }

    /// Observed and fitted quantiles at up to a hundred shares.
    pub fn pairs(&self, fitted: &Distribution) -> Vec<QuantilePair> {
        let all: Vec<QuantilePair> = self
            .steps
            .iter()
            .map(|step| {
                let share = f64::midpoint(step.before, step.after);
                QuantilePair { share, observed: step.length, fitted: fitted.quantile(share.min(1.0 - 1e-9)) }
            })
            .collect();
        thinned(&all)
    }

    /// The observed values as a distribution, up to a hundred of them at even shares.
    pub fn empirical(&self) -> Distribution {
        if let [step] = self.steps[..] {
            return Distribution::Constant(step.length);
        }
        let reached = self.steps[self.steps.len() - 1].after;
        let count = self.steps.len().min(POINTS_MAX);
        let values = (0..count).map(|index| self.quantile(reached * (index as f64 + 0.5) / count as f64));
        Distribution::Empirical(values.collect())
    }
}

fn thinned(pairs: &[QuantilePair]) -> Vec<QuantilePair> {
    if pairs.len() <= POINTS_MAX {
        return pairs.to_vec();
    }
    (0..POINTS_MAX).map(|index| pairs[index * (pairs.len() - 1) / (POINTS_MAX - 1)]).collect()
}

/// A plot for the terminal: observed upwards, fitted to the right; points on the diagonal agree.
pub fn quantile_plot(pairs: &[QuantilePair], columns: usize, rows: usize) -> String {
    let longest = pairs.iter().map(|pair| pair.observed.max(pair.fitted)).fold(0.0, f64::max);
    if longest <= 0.0 || columns < 2 || rows < 2 {
        return String::new();
    }
    let place = |value: f64, cells: usize| ((value / longest * (cells - 1) as f64 + 0.5) as usize).min(cells - 1);
    let mut grid = vec![vec![' '; columns]; rows];
    for column in 0..columns {
        grid[column * (rows - 1) / (columns - 1)][column] = '·';
    }
    for pair in pairs {
        grid[place(pair.observed, rows)][place(pair.fitted, columns)] = 'o';
    }
    let mut text = format!("observed, 0 to {longest:.1} s\n");
    for row in grid.iter().rev() {
        text.push('|');
        text += row.iter().collect::<String>().trim_end();
        text.push('\n');
    }
    text.push('+');
    text += &"-".repeat(columns);
    text.push_str(" fitted\n");
    text
}
