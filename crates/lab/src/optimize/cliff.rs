//! The SLA cliff: the largest value of one parameter at which conditions still hold.

use record::Interval;

use super::{limit, measure, needed};
use crate::design::{Dimension, Parameter, Setting, Value};
use crate::gates::{Gate, Outcome, decide};
use crate::sweep::Scenarios;
use crate::trial::{TrialError, Trials};

/// One value that was tried.
#[derive(Clone, Debug)]
pub struct CliffStep {
    /// The value.
    pub value: Value,
    /// Each condition's column.
    pub measures: Vec<Interval>,
    /// Holds if all conditions do; fails if one does; undecided otherwise.
    pub outcome: Outcome,
}

/// Where the cliff is.
#[derive(Clone, Debug)]
pub struct Cliff {
    /// Largest value tried at which all conditions hold; `None` if they do not even at the lower end.
    pub holds_up_to: Option<Value>,
    /// Smallest value tried beyond it at which they do not, or not for certain; `None` if they hold up to the upper end.
    pub breaks_from: Option<Value>,
    /// Everything tried, in order of trying.
    pub steps: Vec<CliffStep>,
}

/// Bisects `dimension`, trying at most `steps_max` values with `replications` each, or as many as intervals take, for the largest value that holds `conditions`.
///
/// It takes for granted that once they break they stay broken. A value that is undecided counts as broken: the answer is one the
/// data support.
pub fn find_cliff<S: Scenarios>(
    trials: &Trials<'_, S>,
    over: (&Parameter, &Dimension),
    conditions: &[Gate],
    replications: u32,
    steps_max: usize,
) -> Result<Cliff, TrialError> {
    let mut cliff = Cliff { holds_up_to: None, breaks_from: None, steps: Vec::new() };
    let step = |position: f64, cliff: &mut Cliff| -> Result<bool, TrialError> {
        let value = over.1.at(position);
        let settings = vec![Setting { parameter: over.0.clone(), value: value.clone() }];
        let mut runs = trials.run_one(settings.clone(), 0..replications)?;
        let needed = needed(conditions, &runs);
        if needed > replications {
            runs.extend(trials.run_one(settings, replications..needed)?);
        }
        let measures: Vec<Interval> = conditions.iter().map(|gate| measure(gate, &runs)).collect();
        let outcome = combined(conditions, &measures);
        cliff.steps.push(CliffStep { value: value.clone(), measures, outcome });
        let holds = outcome == Outcome::Holds;
        *(if holds { &mut cliff.holds_up_to } else { &mut cliff.breaks_from }) = Some(value);
        Ok(holds)
    };
    if !step(0.0, &mut cliff)? || step(1.0, &mut cliff)? {
        return Ok(cliff);
    }
    let (mut low, mut high) = (0.0, 1.0);
    while cliff.steps.len() < steps_max {
        let middle = f64::midpoint(low, high);
        let value = Some(over.1.at(middle));
        // Whole numbers and six digits come to an end; then the ends are neighbors.
        if value == cliff.holds_up_to || value == cliff.breaks_from {
            break;
        }
        *(if step(middle, &mut cliff)? { &mut low } else { &mut high }) = middle;
    }
    Ok(cliff)
}

fn combined(conditions: &[Gate], measures: &[Interval]) -> Outcome {
    let outcomes: Vec<Outcome> = conditions
        .iter()
        .zip(measures)
        .map(|(Gate { condition, .. }, measure)| decide(condition.column, *measure, condition.side, limit(condition)))
        .collect();
    if outcomes.contains(&Outcome::Fails) {
        Outcome::Fails
    } else if outcomes.contains(&Outcome::Undecided) {
        Outcome::Undecided
    } else {
        Outcome::Holds
    }
}
