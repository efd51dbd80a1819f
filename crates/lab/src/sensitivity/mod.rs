//! Which inputs matter: one-at-a-time tornado, and Sobol indices.

mod sobol_indices;

pub use sobol_indices::{SobolDesign, SobolIndex, sobol_indices};

use record::Interval;

use crate::columns::Column;
use crate::design::{Dimension, Parameter, Setting, Value};
use crate::experiment::{Replication, column_figure, held_difference, held_interval};
use crate::statistics::Confidence;
use crate::sweep::Scenarios;
use crate::trial::{Request, TrialError, Trials};

/// An input with its range.
pub type Input = (Parameter, Dimension);

/// One bar of a tornado: one input at its ends, all others as the scenario has them.
#[derive(Clone, Debug)]
pub struct TornadoBar {
    /// The input.
    pub parameter: Parameter,
    /// Lower end.
    pub low: Value,
    /// Upper end.
    pub high: Value,
    /// The column at the lower end.
    pub at_low: Interval,
    /// The column at the upper end.
    pub at_high: Interval,
    /// Upper minus lower, paired over replications.
    pub swing: Interval,
}

/// A tornado: the scenario as it is, and a bar per input, widest first.
#[derive(Clone, Debug)]
pub struct Tornado {
    /// The column of the scenario as it is.
    pub base: Interval,
    /// Bars, widest swing first.
    pub bars: Vec<TornadoBar>,
}

/// Turns one input after the other to both ends of its range. Runs `(2 inputs + 1) replications`.
pub fn tornado<S: Scenarios>(
    trials: &Trials<'_, S>,
    inputs: &[Input],
    column: &Column,
    replications: u32,
) -> Result<Tornado, TrialError> {
    let ends = |input: &Input| [0.0, 1.0].map(|end| Setting { parameter: input.0.clone(), value: input.1.at(end) });
    let mut requests: Vec<Request> = vec![(Vec::new(), 0..replications)];
    requests.extend(inputs.iter().flat_map(ends).map(|setting| (vec![setting], 0..replications)));
    let mut answers = trials.run(&requests).into_iter().collect::<Result<Vec<_>, _>>()?.into_iter();
    let interval = |runs: &[Replication]| held_interval(column, runs, Confidence::P95);
    let base = interval(&answers.next().unwrap_or_default());
    let mut bars: Vec<TornadoBar> = inputs
        .iter()
        .map(|input| {
            let [low, high] = ends(input).map(|setting| setting.value);
            let [at_low, at_high] = [0, 1].map(|_| answers.next().unwrap_or_default());
            let swing = held_difference(column, &at_high, &at_low);
            let (at_low, at_high) = (interval(&at_low), interval(&at_high));
            TornadoBar { parameter: input.0.clone(), low, high, at_low, at_high, swing }
        })
        .collect();
    bars.sort_by(|a, b| b.swing.mean.abs().total_cmp(&a.swing.mean.abs()));
    Ok(Tornado { base, bars })
}

/// Sobol indices of `column` over all inputs at once, from `points (inputs + 2) replications` runs; `points` is best a power of two.
///
/// Replications of a point are averaged. All points meet the same requests, so what is left of chance is mostly common to all and
/// does not count as an effect of the inputs.
pub fn sobol_sensitivity<S: Scenarios>(
    trials: &Trials<'_, S>,
    inputs: &[Input],
    column: &Column,
    design: SobolDesign,
    replications: u32,
) -> Result<Vec<(Parameter, SobolIndex)>, TrialError> {
    let positions = design.positions(inputs.len());
    let requests: Vec<Request> = positions
        .iter()
        .map(|position| {
            let settings = inputs.iter().zip(position);
            let settings = settings
                .map(|((parameter, dimension), at)| Setting { parameter: parameter.clone(), value: dimension.at(*at) })
                .collect();
            (settings, 0..replications)
        })
        .collect();
    let outputs = trials
        .run(&requests)
        .into_iter()
        .map(|answer| answer.map(|runs| column_figure(column, &runs)))
        .collect::<Result<Vec<f64>, _>>()?;
    let indices = sobol_indices(&outputs, inputs.len(), design.seed);
    Ok(inputs.iter().map(|input| input.0.clone()).zip(indices).collect())
}
