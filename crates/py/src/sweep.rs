//! Sweeps: all runs here, or a part of them for an engine that has other machines.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};

use cli::failure::{Failure, OrEnvironment, OrInput};
use cli::sweep_folder;
use cli::sweep_points::{check_points, problem_at, sweep_failure};
use cli::tuning::Tuned;
use lab::Workers;
use lab::sweep::{AxisFile, Merged, OneOrMany, Scalar, Shard, Sweep, SweepFile, SweepOptions};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arguments::{Whole, Words};
use crate::error::{raised, scenario_error};
use crate::scenario::Scenario;
use crate::study::studied;
use crate::table::Table;
use crate::value;

/// What a sweep runs, apart from the scenario.
struct Question<'a, 'py> {
    over: &'a Bound<'py, PyDict>,
    policies: Option<Vec<String>>,
    replications: Option<NonZeroU32>,
    seed: Option<u64>,
}

impl<'a, 'py> Question<'a, 'py> {
    fn new(
        over: &'a Bound<'py, PyDict>,
        policies: Option<Words>,
        replications: Option<Whole<NonZeroU32>>,
        seed: Option<Whole<u64>>,
    ) -> Self {
        let (replications, seed) = (Whole::if_given(replications), Whole::if_given(seed));
        Self { over, policies: Words::if_given(policies), replications, seed }
    }

    /// Every combination of the values, as points of a sweep.
    fn sweep(self, py: Python<'_>, scenario: &Scenario) -> PyResult<Sweep> {
        let mut axes = Vec::new();
        for (path, values) in self.over {
            let values = values.try_iter()?.map(|value| value::text(&value?).map(Scalar));
            let values = values.collect::<PyResult<Vec<_>>>()?;
            axes.push(AxisFile { path: Some(path.extract()?), values: Some(values), ..AxisFile::default() });
        }
        let mut loaded = (*scenario.loaded).clone();
        cli::inputs::choose_policies(&mut loaded, self.policies.as_deref().unwrap_or_default())
            .map_err(|failure| raised(py, failure))?;
        let file = SweepFile {
            api_version: "scalelab.dev/v1".to_owned(),
            kind: "Sweep".to_owned(),
            name: loaded.spec.name.clone(),
            scenario: OneOrMany::Many(Vec::new()),
            policies: self.policies,
            replications: self.replications.map_or(loaded.replications, NonZeroU32::get),
            seed: self.seed.unwrap_or(loaded.seed),
            axes,
            constraints: Vec::new(),
        };
        Sweep::resolve(&file).map_err(|error| scenario_error(py, &error.to_string(), Default::default()))
    }
}

/// Runs a scenario at every combination of the values in `over`, a path and a list of values each. The table has a row for each point, policy
/// and replication. With `folder` finished runs are kept there, as `scalelab sweep` keeps them, and `resume` goes on with what it has.
#[pyfunction]
#[pyo3(signature = (scenario, over, policies=None, replications=None, seed=None, jobs=None, progress=None, folder=None, resume=false))]
pub fn sweep(
    py: Python<'_>,
    scenario: &Scenario,
    over: &Bound<'_, PyDict>,
    policies: Option<Words>,
    replications: Option<Whole<NonZeroU32>>,
    seed: Option<Whole<u64>>,
    jobs: Option<Whole<NonZeroUsize>>,
    progress: Option<&Bound<'_, PyAny>>,
    folder: Option<PathBuf>,
    resume: bool,
) -> PyResult<Table> {
    let sweep = Question::new(over, policies, replications, seed).sweep(py, scenario)?;
    let tuned = scenario.tuned().map_err(|failure| raised(py, failure))?;
    let table = studied(py, jobs, progress, |workers, note| {
        check_points(&sweep, &tuned, workers)?;
        let temporary = tempfile::tempdir().or_environment("making a folder for the runs")?;
        let folder = folder.as_deref().unwrap_or(temporary.path());
        let options = SweepOptions { shard: Shard::WHOLE, resume, progress: note };
        Ok(done(&sweep, &tuned, workers, folder, &options)?.1)
    })?;
    Ok(Table::new("results", table))
}

/// Does the runs that `folder` has not; how many were done now, and the table of all it has then.
fn done(
    sweep: &Sweep,
    tuned: &Tuned,
    workers: &Workers,
    folder: &Path,
    options: &SweepOptions<'_>,
) -> Result<(usize, report::Table), Failure> {
    let scenarios = tuned.scenarios_until(workers.stop_flag());
    let outcome = lab::sweep::run(workers, sweep, &scenarios, folder, options).map_err(sweep_failure)?;
    if let Some((point, problem)) = outcome.failures.first() {
        return Err(Failure::input(problem_at(*point, &sweep.points[*point].to_overrides(), problem)));
    }
    let results = lab::sweep::read(folder).map_err(sweep_failure)?;
    Ok((outcome.done, sweep_folder::table(&results)))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    report::write_atomically(path, bytes).or_environment(&format!("writing {}", path.display()))
}

/// How much a sweep is, found good before anything is started: points, runs, and a number that is the same for the same work.
#[pyfunction]
#[pyo3(signature = (scenario, over, policies=None, replications=None, seed=None))]
pub fn sweep_plan(
    py: Python<'_>,
    scenario: &Scenario,
    over: &Bound<'_, PyDict>,
    policies: Option<Words>,
    replications: Option<Whole<NonZeroU32>>,
    seed: Option<Whole<u64>>,
) -> PyResult<(usize, usize, String)> {
    let sweep = Question::new(over, policies, replications, seed).sweep(py, scenario)?;
    let tuned = scenario.tuned().map_err(|failure| raised(py, failure))?;
    let all = || scenario.loaded.spec.policies.iter().map(|policy| policy.name.clone()).collect();
    let policies: Vec<String> = sweep.policies.clone().unwrap_or_else(all);
    studied(py, None, None, |workers, _| check_points(&sweep, &tuned, workers))?;
    let runs = sweep.points.len() * policies.len() * sweep.replications as usize;
    Ok((sweep.points.len(), runs, format!("{:016x}", sweep.fingerprint(&policies))))
}

/// Does the runs of one of several shares into `folder`, which must be new, and leaves their table as `results.parquet`. What is whole in the journals of
/// `earlier`, folders of attempts at the same share, is taken over. Gives the number of runs that were done now.
#[pyfunction]
#[pyo3(signature = (scenario, over, policies, replications, seed, shard, folder, earlier))]
pub fn sweep_part(
    py: Python<'_>,
    scenario: &Scenario,
    over: &Bound<'_, PyDict>,
    policies: Option<Words>,
    replications: Option<Whole<NonZeroU32>>,
    seed: Option<Whole<u64>>,
    shard: &str,
    folder: PathBuf,
    earlier: Vec<PathBuf>,
) -> PyResult<usize> {
    let sweep = Question::new(over, policies, replications, seed).sweep(py, scenario)?;
    let tuned = scenario.tuned().map_err(|failure| raised(py, failure))?;
    studied(py, Whole::one(), None, |workers, note| {
        let shard = Shard::parse(shard).or_input()?;
        if !earlier.is_empty() {
            merged(&earlier, &folder)?.finish().map_err(sweep_failure)?;
        }
        let options = SweepOptions { shard, resume: !earlier.is_empty(), progress: note };
        let (runs, table) = done(&sweep, &tuned, workers, &folder, &options)?;
        write(&folder.join("results.parquet"), &table.to_parquet())?;
        Ok(runs)
    })
}

/// Puts shares together into `folder` and gives the table of all; the runs that are missing are counted.
#[pyfunction]
pub fn sweep_merge(py: Python<'_>, parts: Vec<PathBuf>, folder: PathBuf) -> PyResult<(Table, usize)> {
    let work = || -> Result<(report::Table, usize), Failure> {
        let merged = merged(&parts, &folder)?;
        let table = sweep_folder::table(&merged.results);
        for (name, bytes) in [("results.csv", table.to_csv()), ("results.parquet", table.to_parquet())] {
            write(&folder.join(name), &bytes)?;
        }
        // The journal gets its name last: a merge that was killed is done again.
        let results = merged.finish().map_err(sweep_failure)?;
        Ok((table, results.missing()))
    };
    let (table, missing) = py.detach(work).map_err(|failure| raised(py, failure))?;
    Ok((Table::new("results", table), missing))
}

fn merged(parts: &[PathBuf], folder: &Path) -> Result<Merged, Failure> {
    let parts: Vec<&Path> = parts.iter().map(PathBuf::as_path).collect();
    lab::sweep::merge(&parts, folder).map_err(sweep_failure)
}
