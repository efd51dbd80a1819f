//! Long work with Python's lock released, that Ctrl-C ends and a callback follows.

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use cli::failure::{Failure, OrEnvironment};
use cli::programs::ProgramFailure;
use cli::tuning::Stopped;
use lab::{Progress, Workers};
use pyo3::prelude::*;

use crate::error;

/// How long Ctrl-C may wait until it is looked for, and the callback until it is called again.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Threads that Python knows as long as they work. Each would be made known, and forgotten, for every question to a policy in Python otherwise,
/// which takes longer than most answers.
pub fn workers(jobs: Option<NonZeroUsize>) -> Result<Workers, Failure> {
    let workers = Workers::new(jobs).or_environment("starting threads")?;
    Ok(workers.within(|share| Python::attach(|py| py.detach(share))))
}

/// What the thread that works and the one that looks on share.
#[derive(Default)]
struct State {
    latest: Option<Progress>,
    has_ended: bool,
}

/// Does `work` on another thread, which is handed a function to say how far it is. Meanwhile signals are looked for, and `progress` is called
/// with (finished, total), at most ten times a second and once at the end. What either of them raises also raises `stop`, and comes beside the
/// result. An error is what a policy of somebody's own did instead of answering.
pub fn watched<T: Send>(
    py: Python<'_>,
    stop: &AtomicBool,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&(dyn Fn(Progress) + Sync)) -> T + Send,
) -> PyResult<(T, Option<PyErr>)> {
    let (state, changed) = (Mutex::new(State::default()), Condvar::new());
    let note = |now: Progress| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.latest.is_none_or(|before| before.finished < now.finished || before.total != now.total) {
            state.latest = Some(now);
        }
    };
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let found = catch_unwind(AssertUnwindSafe(|| work(&note)));
            state.lock().unwrap_or_else(PoisonError::into_inner).has_ended = true;
            changed.notify_all();
            found
        });
        let mut raised = None;
        loop {
            let (latest, has_ended) = py.detach(|| {
                let state = state.lock().unwrap_or_else(PoisonError::into_inner);
                let waited = changed.wait_timeout_while(state, LOOK_EVERY, |state| !state.has_ended);
                let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
                (state.latest.take(), state.has_ended)
            });
            if raised.is_none() {
                raised = look(py, latest, progress).err();
                if raised.is_some() {
                    stop.store(true, Ordering::Relaxed);
                }
            }
            if has_ended {
                break;
            }
        }
        let found = py.detach(|| worker.join());
        match found.and_then(|found| found) {
            Ok(found) => Ok((found, raised)),
            // A policy that cannot answer ends its run this way.
            Err(panic) => Err(unwound(py, panic, raised)),
        }
    })
}

/// What work that unwound is raised as: a run was stopped, or a policy could not answer. What nobody meant goes on unwinding.
fn unwound(py: Python<'_>, panic: Box<dyn Any + Send>, raised: Option<PyErr>) -> PyErr {
    let panic = match (panic.downcast::<Stopped>(), raised) {
        (Ok(_), Some(error)) => return error::interrupted(py, error, None),
        (Ok(panic), None) => panic,
        (Err(panic), _) => panic,
    };
    match panic.downcast::<PyErr>() {
        Ok(error) => *error,
        Err(panic) => match panic.downcast::<ProgramFailure>() {
            Ok(failure) => error::raised(py, Failure::from(*failure)),
            Err(panic) => resume_unwind(panic),
        },
    }
}

fn look(py: Python<'_>, latest: Option<Progress>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    py.check_signals()?;
    if let Some((latest, progress)) = latest.zip(progress) {
        progress.call1((latest.finished, latest.total))?;
    }
    Ok(())
}
