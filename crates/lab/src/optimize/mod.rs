//! Search: the least of one column such that conditions hold, over a space of settings.
//!
//! Three ideas share the work. *Sequential halving*: every candidate is tried with one replication, the best quarter of those tried with
//! `r` go on to `2 r`, so most runs are spent where the answer is. *A tree-structured Parzen estimator*: new candidates are drawn
//! where good ones lie densely and bad ones do not. It was chosen over Gaussian processes because it ranks rather than regresses: it
//! takes whole numbers, words and infeasible points as they come, does not mind that noise differs from point to point, needs no
//! matrix algebra, and its few lines can be checked. *A pattern search* takes steps along one parameter at a time from the best so far. All
//! candidates meet the same requests, and every step depends on results alone: the same seed finds the same winner with any number of threads.

mod cliff;
mod order;
mod parzen;
mod pattern;

pub use cliff::{Cliff, CliffStep, find_cliff};

use std::collections::BTreeSet;

use record::Interval;

use crate::columns::Column;
use crate::design::{Dimension, Parameter, Sample, Setting};
use crate::experiment::{Replication, deciding_interval, held_interval, replications_needed};
use crate::gates::{Bound, Condition, Gate, Outcome, Side, decide};
use crate::statistics::Confidence;
use crate::sweep::Scenarios;
use crate::trial::{TrialError, Trials};

/// New candidates per round: enough to keep threads busy, few enough that each round learns from the one before.
const BATCH: usize = 8;
/// Of those tried with `r` replications one in so many goes on to `2 r`.
const PROMOTED: usize = 4;
/// Candidates that get all replications in the end, whatever became of them before.
const FINALISTS: usize = 3;
/// First length of a pattern's steps in the unit cube.
const FIRST_STEP: f64 = 0.25;
/// Fresh seeds lie this many replications beyond any the search uses.
const FRESH_FROM: u32 = 1 << 20;
/// How many of the best are confirmed before giving up.
const CONFIRMATIONS_MAX: usize = 5;

/// What to search.
#[derive(Clone, Debug)]
pub struct Search {
    /// The column to make small.
    pub minimize: &'static Column,
    /// What must hold, of the whole cluster or of a service; bounds are figures, a baseline has no place here.
    pub subject_to: Vec<Gate>,
    /// The space.
    pub over: Vec<(Parameter, Dimension)>,
    /// Runs the search may take, confirmation not counted.
    pub runs_max: usize,
    /// Replications of a candidate that goes all the way, and of a confirmation unless its intervals take more.
    pub replications: u32,
}

/// A point that was tried.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its place in the unit cube.
    position: Vec<f64>,
    /// Its settings.
    pub settings: Vec<Setting>,
    /// Its replications so far.
    pub replications: Vec<Replication>,
    /// The column to be made small.
    pub objective: Interval,
    /// Each condition's column.
    pub measures: Vec<Interval>,
    /// What the intervals say of each condition.
    pub outcomes: Vec<Outcome>,
    /// By how much the estimates miss the conditions, relative to the bounds; 0 if they meet all.
    pub violation: f64,
}

impl Candidate {
    fn new(search: &Search, position: Vec<f64>, settings: Vec<Setting>) -> Self {
        let none = Interval { mean: f64::NAN, low: f64::NAN, high: f64::NAN };
        Self {
            position,
            settings,
            replications: Vec::new(),
            objective: none,
            measures: vec![none; search.subject_to.len()],
            outcomes: vec![Outcome::Undecided; search.subject_to.len()],
            violation: f64::INFINITY,
        }
    }

    fn judge(&mut self, search: &Search) {
        self.objective = held_interval(search.minimize, &self.replications, Confidence::P95);
        self.violation = 0.0;
        for (index, gate) in search.subject_to.iter().enumerate() {
            let (condition, measure) = (&gate.condition, measure(gate, &self.replications));
            let limit = limit(condition);
            self.measures[index] = measure;
            let decides = deciding(gate, &self.replications);
            self.outcomes[index] = decide(condition.column, decides, condition.side, limit);
            self.violation += violation(condition, measure.mean);
        }
    }

    /// Whether the estimates meet all conditions.
    pub fn is_feasible(&self) -> bool {
        self.violation == 0.0
    }

    /// Whether the intervals, and not just the estimates, say that all conditions hold.
    pub fn is_certain(&self) -> bool {
        self.outcomes.iter().all(|outcome| *outcome == Outcome::Holds)
    }
}

/// What a condition is held against; NaN for a baseline, which has no place in a search.
pub fn limit(condition: &Condition) -> f64 {
    match condition.bound {
        Bound::Value(limit) => limit,
        Bound::Baseline { .. } => f64::NAN,
    }
}

/// What a gate is about, over the replications.
fn measure(gate: &Gate, replications: &[Replication]) -> Interval {
    of_gate(gate, replications, held_interval)
}

/// What it is decided by.
fn deciding(gate: &Gate, replications: &[Replication]) -> Interval {
    of_gate(gate, replications, deciding_interval)
}

fn of_gate(
    gate: &Gate,
    replications: &[Replication],
    interval: fn(&Column, &[Replication], Confidence) -> Interval,
) -> Interval {
    let condition = &gate.condition;
    match gate.service.as_deref() {
        Some(service) => interval(condition.column, &part(replications, service), condition.confidence),
        None => interval(condition.column, replications, condition.confidence),
    }
}

fn part(replications: &[Replication], service: &str) -> Vec<Replication> {
    replications.iter().map(|one| one.of_service(Some(service)).clone()).collect()
}

/// Replications from which the intervals of all conditions are known to hold.
fn needed(conditions: &[Gate], replications: &[Replication]) -> u32 {
    let of = |gate: &Gate| match gate.service.as_deref() {
        Some(service) => replications_needed(gate.condition.column, &part(replications, service)),
        None => replications_needed(gate.condition.column, replications),
    };
    conditions.iter().map(of).max().unwrap_or(0)
}

fn violation(condition: &Condition, mean: f64) -> f64 {
    let limit = limit(condition);
    let over = match condition.side {
        Side::AtMost | Side::Below => mean - limit,
        Side::AtLeast | Side::Above => limit - mean,
    };
    if over.is_nan() { f64::INFINITY } else { over.max(0.0) / scale(condition) }
}

/// What distances to a bound are measured by. A share close to one is judged by its misses: 98 % instead of 99 % is twice as many, not one
/// percent less.
fn scale(condition: &Condition) -> f64 {
    let limit = limit(condition);
    let scale = if condition.column.unit == crate::columns::Unit::Share { 1.0 - limit } else { limit.abs() };
    scale.max(1e-9)
}

/// What is known of candidates that fell at the confirmation, condition by condition.
struct Fallen {
    /// Margin the next one needs.
    needed: Vec<f64>,
    /// Margin that was not enough.
    had: Vec<f64>,
}

impl Fallen {
    fn new(conditions: usize) -> Self {
        Self { needed: vec![f64::NEG_INFINITY; conditions], had: vec![f64::NEG_INFINITY; conditions] }
    }

    /// One that had `margins` and came to `worst` with fresh seeds.
    fn add(&mut self, margins: &[f64], worst: &[f64]) {
        for (index, (&has, &worst)) in margins.iter().zip(worst).enumerate() {
            if worst < 0.0 {
                self.needed[index] = has - worst;
                self.had[index] = self.had[index].max(has);
            }
        }
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The best candidate whose conditions hold for certain with fresh seeds; `None` if none was confirmed.
    pub winner: Option<Candidate>,
    /// The same settings with the fresh seeds; of the last candidate tried if none was confirmed.
    pub confirmation: Option<Candidate>,
    /// Candidates that fell at the confirmation, best first.
    pub refused: Vec<Candidate>,
    /// All candidates tried, best first.
    pub tried: Vec<Candidate>,
    /// Runs taken, confirmation included.
    pub runs: usize,
    /// Settings that make no scenario, with what is wrong.
    pub failures: Vec<TrialError>,
    /// Whether the stop flag cut it short.
    pub is_interrupted: bool,
}

impl Found {
    /// The candidates that no other beats in both the objective and the first condition's column: cheapest first.
    pub fn front(&self, search: &Search) -> Vec<&Candidate> {
        let Some(Gate { condition, .. }) = search.subject_to.first() else {
            return self.tried.first().into_iter().collect();
        };
        let sign = if matches!(condition.side, Side::AtLeast | Side::Above) { -1.0 } else { 1.0 };
        let mut candidates: Vec<&Candidate> =
            self.tried.iter().filter(|candidate| !candidate.objective.mean.is_nan()).collect();
        let key = |candidate: &Candidate| (candidate.objective.mean, sign * candidate.measures[0].mean);
        candidates.sort_by(|a, b| {
            let (a, b) = (key(a), key(b));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        let mut best = f64::INFINITY;
        candidates.retain(|candidate| {
            let measure = key(candidate).1;
            let is_better = measure < best;
            best = best.min(measure);
            is_better
        });
        candidates
    }
}

/// Searches, and confirms the winner with seeds that the search has not seen: the best of many noisy candidates looks better than it is.
pub fn optimize<S: Scenarios>(search: &Search, trials: &Trials<'_, S>) -> Found {
    assert!(!search.over.is_empty(), "a search over nothing");
    let mut state = State {
        search,
        trials,
        candidates: Vec::new(),
        seen: BTreeSet::new(),
        step: FIRST_STEP,
        best: None,
        found: Found::nothing(),
    };
    state.search();
    state.confirm();
    let State { candidates, mut found, .. } = state;
    found.tried = order::ranked(search, &candidates).into_iter().map(|index| candidates[index].clone()).collect();
    found
}

impl Found {
    fn nothing() -> Self {
        Self {
            winner: None,
            confirmation: None,
            refused: Vec::new(),
            tried: Vec::new(),
            runs: 0,
            failures: Vec::new(),
            is_interrupted: false,
        }
    }
}

struct State<'a, S> {
    search: &'a Search,
    trials: &'a Trials<'a, S>,
    candidates: Vec<Candidate>,
    /// Settings tried, as text: whole numbers repeat, and a repeat with the same seeds tells nothing.
    seen: BTreeSet<Vec<String>>,
    /// Length of the pattern's steps; halved whenever they found nothing better.
    step: f64,
    /// The best settings when the pattern was last laid.
    best: Option<Vec<String>>,
    found: Found,
}

impl<S: Scenarios> State<'_, S> {
    fn search(&mut self) {
        let dimensions = self.search.over.len();
        let initial = (4 * dimensions).clamp(BATCH, 32).min(self.search.runs_max.div_ceil(3));
        let sample = Sample { points: initial, dimensions, seed: self.trials.seed };
        self.add(sample.spread());
        // What the last few need to be judged is not spent on looking further.
        let finals = FINALISTS * (self.search.replications.saturating_sub(1)) as usize;
        let explored = self.search.runs_max - finals.min(self.search.runs_max / 3);
        let mut round = 0;
        while self.found.runs < explored && !self.found.is_interrupted {
            if self.promote(explored) {
                continue;
            }
            let left = BATCH.min(explored - self.found.runs);
            let before = self.found.runs;
            let proposals = self.proposals(round, left);
            self.add(proposals);
            if self.found.runs == before {
                // Nothing new near the good ones; a small space may be used up.
                let anywhere = Sample { points: 8 * BATCH, seed: self.trials.seed ^ round, ..sample }.latin_hypercube();
                self.add(self.unseen(anywhere, left));
            }
            if self.found.runs == before {
                break;
            }
            round += 1;
        }
        while !self.found.is_interrupted && self.finish_one() {}
        while !self.found.is_interrupted && self.promote(self.search.runs_max) {}
    }

    /// Up to `count` new places: steps from the best so far and draws from the density of good ones, in turn.
    fn proposals(&mut self, round: u64, count: usize) -> Vec<Vec<f64>> {
        let order = order::ranked(self.search, &self.candidates);
        let positions: Vec<Vec<f64>> = order.iter().map(|&index| self.candidates[index].position.clone()).collect();
        let best = order.first().map(|&index| self.texts(&self.candidates[index].position));
        if self.best == best {
            self.step /= 2.0;
        }
        self.best = best;
        let over: Vec<&Dimension> = self.search.over.iter().map(|(_, dimension)| dimension).collect();
        let mut steps: Vec<Vec<f64>> =
            positions.first().map(|best| pattern::moves(best, &over, self.step)).unwrap_or_default();
        if !steps.is_empty() {
            let turn = round as usize * count % steps.len();
            steps.rotate_left(turn);
        }
        let steps = self.unseen(steps, usize::MAX);
        let drawn = parzen::propose(&positions, 8 * BATCH, self.trials.seed ^ round);
        let mut both = Vec::new();
        let (mut steps, mut drawn) = (steps.into_iter(), drawn.into_iter());
        loop {
            let pair = (steps.next(), drawn.next());
            if pair == (None, None) {
                return self.unseen(both, count);
            }
            both.extend([pair.0, pair.1].into_iter().flatten());
        }
    }

    /// Gives the best candidate that does not have all replications those it lacks; whether anything was run.
    fn finish_one(&mut self) -> bool {
        let finalists = self.distinct(order::ranked(self.search, &self.candidates)).into_iter().take(FINALISTS);
        let lacking = |index: &usize| {
            let has = self.candidates[*index].replications.len();
            let lacks = (self.search.replications as usize).saturating_sub(has);
            lacks > 0 && self.found.runs + lacks <= self.search.runs_max
        };
        let Some(index) = finalists.into_iter().find(lacking) else { return false };
        self.extend(&[(index, self.search.replications)]);
        true
    }

    /// Leaves out candidates that did event by event what one before them did: a parameter that changes nothing is no second chance.
    fn distinct(&self, order: Vec<usize>) -> Vec<usize> {
        let mut seen = BTreeSet::new();
        let mut is_new = |index: &usize| {
            let first = &self.candidates[*index].replications[0].summary;
            // Prices change the bill and no event.
            seen.insert((first.digest, self.search.minimize.of(first).to_bits()))
        };
        order.into_iter().filter(|index| is_new(index)).collect()
    }

    fn unseen(&self, positions: Vec<Vec<f64>>, count: usize) -> Vec<Vec<f64>> {
        let mut batch = BTreeSet::new();
        positions
            .into_iter()
            .filter(|position| {
                let texts = self.texts(position);
                !self.seen.contains(&texts) && batch.insert(texts)
            })
            .take(count)
            .collect()
    }

    fn settings(&self, position: &[f64]) -> Vec<Setting> {
        let over = self.search.over.iter().zip(position);
        over.map(|((parameter, dimension), at)| Setting { parameter: parameter.clone(), value: dimension.at(*at) })
            .collect()
    }

    fn texts(&self, position: &[f64]) -> Vec<String> {
        self.settings(position).into_iter().map(|setting| setting.value.text).collect()
    }

    /// Tries new candidates with one replication each.
    fn add(&mut self, positions: Vec<Vec<f64>>) {
        let from = self.candidates.len();
        for position in positions {
            if self.seen.insert(self.texts(&position)) {
                let settings = self.settings(&position);
                self.candidates.push(Candidate::new(self.search, position, settings));
            }
        }
        let targets: Vec<(usize, u32)> = (from..self.candidates.len()).map(|index| (index, 1)).collect();
        self.extend(&targets);
    }

    /// Gives the best quarter of those tried with `r` replications `2 r`, from the most tried down, up to `runs_max` runs in all; whether
    /// anything was run.
    ///
    /// A level is only looked at with so many candidates on or beyond it: the best of less is luck.
    fn promote(&mut self, runs_max: usize) -> bool {
        let levels = std::iter::successors(Some(1_u32), |level| Some((level * 2).min(self.search.replications)))
            .take_while(|&level| level < self.search.replications);
        let order = self.distinct(order::ranked(self.search, &self.candidates));
        let mut targets = Vec::new();
        for level in levels {
            let reached = |index: &&usize| self.candidates[**index].replications.len() as u32 >= level;
            let ranked: Vec<usize> = order.iter().filter(reached).copied().collect();
            if ranked.len() < PROMOTED {
                break;
            }
            let next = (level * 2).min(self.search.replications);
            for &index in &ranked[..ranked.len() / PROMOTED] {
                if self.candidates[index].replications.len() as u32 == level {
                    targets.push((index, next));
                }
            }
        }
        // What there are no runs left for is not begun; the best come first within a level.
        let mut left = runs_max.saturating_sub(self.found.runs);
        targets.retain(|&(index, next)| {
            let runs = next as usize - self.candidates[index].replications.len();
            let fits = runs <= left;
            left -= if fits { runs } else { 0 };
            fits
        });
        self.extend(&targets);
        !targets.is_empty()
    }

    /// Brings each candidate to its number of replications.
    fn extend(&mut self, targets: &[(usize, u32)]) {
        let requests: Vec<_> = targets
            .iter()
            .map(|&(index, replications)| {
                let candidate = &self.candidates[index];
                (candidate.settings.clone(), candidate.replications.len() as u32..replications)
            })
            .collect();
        self.found.runs += requests.iter().map(|(_, replications)| replications.len()).sum::<usize>();
        for (answer, &(index, _)) in self.trials.run(&requests).into_iter().zip(targets) {
            match answer {
                Ok(more) => {
                    self.candidates[index].replications.extend(more);
                    self.candidates[index].judge(self.search);
                }
                Err(TrialError::Stopped) => self.found.is_interrupted = true,
                Err(error) => self.found.failures.push(error),
            }
        }
        self.candidates.retain(|candidate| !candidate.replications.is_empty());
    }

    /// Tries the best with fresh seeds, those first whose conditions already hold for certain.
    ///
    /// The seeds of the search may have been kind to all candidates alike. What a refused one falls short by, the next must have in
    /// reserve: candidates that would fail the same way are not tried. Where none has so much, the one that lacks least is tried next, as long as it
    /// has more than those that fell: an interval of few replications asks for more than there may be.
    fn confirm(&mut self) {
        let order = order::ranked(self.search, &self.candidates).into_iter().map(|index| &self.candidates[index]);
        let mut left: Vec<Candidate> = order.filter(|candidate| candidate.is_feasible()).cloned().collect();
        // The sort is stable: within each half they stay in order.
        left.sort_by_key(|candidate| !candidate.is_certain());
        let mut fallen = Fallen::new(self.search.subject_to.len());
        while self.found.refused.len() < CONFIRMATIONS_MAX {
            let Some(index) = self.next_to_confirm(&left, &fallen) else { return };
            let candidate = left.remove(index);
            let needed = needed(&self.search.subject_to, &candidate.replications);
            let fresh = FRESH_FROM..FRESH_FROM + self.search.replications.max(needed);
            self.found.runs += fresh.len();
            let Ok(replications) = self.trials.run_one(candidate.settings.clone(), fresh) else {
                self.found.is_interrupted = true;
                return;
            };
            let mut confirmation = Candidate { replications, ..candidate.clone() };
            confirmation.judge(self.search);
            let margins = self.margins(&candidate, |measure, _| measure.mean);
            let worst =
                self.margins(&confirmation, |measure, is_least| if is_least { measure.low } else { measure.high });
            fallen.add(&margins, &worst);
            let is_certain = confirmation.is_certain();
            self.found.confirmation = Some(confirmation);
            if is_certain {
                self.found.winner = Some(candidate);
                return;
            }
            self.found.refused.push(candidate);
        }
    }

    /// The first that has in reserve what those before it lacked, or else the one that lacks least of it.
    fn next_to_confirm(&self, left: &[Candidate], fallen: &Fallen) -> Option<usize> {
        let margins: Vec<Vec<f64>> =
            left.iter().map(|candidate| self.margins(candidate, |measure, _| measure.mean)).collect();
        let lack = |index: usize| {
            let conditions = margins[index].iter().zip(&fallen.needed).zip(&self.search.subject_to);
            let of = conditions.map(|((has, needs), gate)| (needs - has).max(0.0) / scale(&gate.condition));
            of.fold(0.0, f64::max)
        };
        let has_enough = |index: &usize| lack(*index) == 0.0;
        let has_more = |index: &usize| margins[*index].iter().zip(&fallen.had).all(|(has, had)| has > had);
        (0..left.len())
            .find(has_enough)
            .or_else(|| (0..left.len()).filter(has_more).min_by(|&a, &b| lack(a).total_cmp(&lack(b))))
    }

    /// How far inside each condition's bound a figure of its interval lies; `figure` is told whether the bound is a lower one.
    fn margins(&self, candidate: &Candidate, figure: impl Fn(&Interval, bool) -> f64) -> Vec<f64> {
        let conditions = self.search.subject_to.iter().zip(&candidate.measures);
        conditions
            .map(|(Gate { condition, .. }, measure)| {
                let is_least = matches!(condition.side, Side::AtLeast | Side::Above);
                let distance = figure(measure, is_least) - limit(condition);
                if is_least { distance } else { -distance }
            })
            .collect()
    }
}
