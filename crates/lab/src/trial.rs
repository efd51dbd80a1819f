//! Trials: settings of a scenario, tried over replications, for searches and sensitivities.
//!
//! Every trial uses the same seeds (common random numbers), so that two settings differ by what was set and not by luck.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cluster::Keep;
use thiserror::Error;

use crate::design::Setting;
use crate::experiment::{Job, Replication, reduce, replication_seed};
use crate::sweep::{Scenarios, Slot};
use crate::{Progress, Workers};

/// What can be wrong with trials.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TrialError {
    /// The scenario cannot be made with these settings.
    #[error("{settings}: {problem}")]
    Scenario {
        /// The settings, as `--set` takes them.
        settings: String,
        /// What is wrong.
        problem: String,
    },
    /// The stop flag was raised.
    #[error("stopped")]
    Stopped,
}

/// Where and how trials are run.
pub struct Trials<'a, S> {
    /// The threads.
    pub workers: &'a Workers,
    /// The scenario.
    pub scenarios: &'a S,
    /// Which policy; `None` if the scenario has only one.
    pub policy: Option<&'a str>,
    /// Base seed.
    pub seed: u64,
    /// Called after each run, from any thread; the total is that of the batch at work.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// Settings and the replications to run of them.
pub(crate) type Request = (Vec<Setting>, Range<u32>);

impl<S: Scenarios> Trials<'_, S> {
    /// Runs all requests at once; the answers are in their order.
    pub(crate) fn run(&self, requests: &[Request]) -> Vec<Result<Vec<Replication>, TrialError>> {
        let slots: Vec<Slot<(S::Prepared, usize)>> =
            requests.iter().map(|(_, replications)| Slot::new(replications.len())).collect();
        let tasks: Vec<(usize, u32)> = requests
            .iter()
            .enumerate()
            .flat_map(|(index, (_, replications))| replications.clone().map(move |replication| (index, replication)))
            .collect();
        let finished = AtomicUsize::new(0);
        let answers = self.workers.map(&tasks, |&(index, replication)| {
            let prepared = slots[index].get(|| self.prepare(&requests[index].0));
            let answer = self.one(&prepared, replication);
            slots[index].release();
            let finished = finished.fetch_add(1, Ordering::Relaxed) + 1;
            (self.progress)(Progress { finished, total: tasks.len() });
            answer
        });
        let mut answers = answers.into_iter();
        requests
            .iter()
            .map(|(settings, replications)| {
                let mine: Vec<_> = answers.by_ref().take(replications.len()).collect();
                mine.into_iter()
                    .map(|answer| answer.ok_or(TrialError::Stopped)?.map_err(|problem| described(settings, problem)))
                    .collect()
            })
            .collect()
    }

    /// Runs one request.
    pub(crate) fn run_one(
        &self,
        settings: Vec<Setting>,
        replications: Range<u32>,
    ) -> Result<Vec<Replication>, TrialError> {
        self.run(&[(settings, replications)]).remove(0)
    }

    fn prepare(&self, settings: &[Setting]) -> Result<(S::Prepared, usize), String> {
        let prepared = self.scenarios.prepare(settings)?;
        let known = self.scenarios.policies(&prepared);
        let index = match self.policy {
            Some(name) => known.iter().position(|policy| policy == name),
            None if known.len() == 1 => Some(0),
            None => None,
        };
        let index = index.ok_or_else(|| match self.policy {
            Some(name) => format!("unknown policy `{name}`; one of: {}", known.join(", ")),
            None => format!("several policies; choose one of: {}", known.join(", ")),
        })?;
        Ok((prepared, index))
    }

    fn one(
        &self,
        prepared: &Arc<Result<(S::Prepared, usize), String>>,
        replication: u32,
    ) -> Result<Replication, String> {
        let (prepared, policy) = prepared.as_ref().as_ref().map_err(Clone::clone)?;
        let seed = replication_seed(self.seed, replication);
        let job = Job { policy: *policy, replication, seed, keep: Keep::default() };
        Ok(reduce(&self.scenarios.run(prepared, &job)))
    }
}

fn described(settings: &[Setting], problem: String) -> TrialError {
    let settings = settings.iter().map(Setting::to_override).collect::<Vec<_>>().join(", ");
    let settings = if settings.is_empty() { "scenario as it is".to_owned() } else { settings };
    TrialError::Scenario { settings, problem }
}
