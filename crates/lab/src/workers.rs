//! The only threads: one pool, made in one place, that takes jobs in order and gives results in order.
//!
//! It does not know what a job is.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// How far a piece of work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Runs finished.
    pub finished: usize,
    /// Runs there will be, as far as is known.
    pub total: usize,
}

/// Raises a flag when its thread panics.
struct RaisedByPanic<'a>(&'a AtomicBool);

impl Drop for RaisedByPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// What a thread's share of work is done in: it must call what it is given, once.
pub type Within = fn(&mut (dyn FnMut() + Send + '_));

/// A pool of worker threads with a stop flag that a signal handler can raise.
#[derive(Debug)]
pub struct Workers {
    pool: rayon::ThreadPool,
    stop: Arc<AtomicBool>,
    within: Option<Within>,
}

impl Workers {
    /// A pool of `jobs` threads; `None` takes as many as the machine offers. Fails when the system gives no threads.
    pub fn new(jobs: Option<NonZeroUsize>) -> Result<Self, rayon::ThreadPoolBuildError> {
        // Zero is rayon's word for "as many as there are cores".
        let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.map_or(0, NonZeroUsize::get)).build()?;
        Ok(Self { pool, stop: Arc::default(), within: None })
    }

    /// Whatever a thread does for one [`Self::map`] is done within a call of `within`: a host that has to know its threads greets each of them
    /// once, and not for every question that a run puts to it.
    #[must_use]
    pub fn within(mut self, within: Within) -> Self {
        self.within = Some(within);
        self
    }

    /// How many threads work.
    pub fn jobs(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Raising this flag lets running jobs end and starts no further one.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Whether the flag was raised.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Runs `work` on every item; the answers come in the order of the items, `None` for those not started when the flag was raised.
    ///
    /// Workers take the items one by one from the front, so that what is finished at a stop is nearly a prefix and a long item at
    /// the end costs at most its own length. A panic in `work` is passed on.
    pub fn map<T: Sync, R: Send + Sync>(&self, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<Option<R>> {
        let slots: Vec<OnceLock<R>> = items.iter().map(|_| OnceLock::new()).collect();
        let (next, is_broken) = (AtomicUsize::new(0), AtomicBool::new(false));
        self.pool.scope(|scope| {
            for _ in 0..self.jobs().min(items.len()) {
                scope.spawn(|_| {
                    // A panic ends the whole: the others need not work through what nobody will get.
                    let _broken = RaisedByPanic(&is_broken);
                    let mut share = || {
                        while !self.is_stopped() && !is_broken.load(Ordering::Relaxed) {
                            let index = next.fetch_add(1, Ordering::Relaxed);
                            let Some(item) = items.get(index) else { break };
                            // Each index is handed out once, so the slot is always free.
                            let _ = slots[index].set(work(item));
                        }
                    };
                    match self.within {
                        Some(within) => within(&mut share),
                        None => share(),
                    }
                });
            }
        });
        slots.into_iter().map(OnceLock::into_inner).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static IS_KNOWN: Cell<bool> = const { Cell::new(false) };
    }

    fn known(share: &mut (dyn FnMut() + Send + '_)) {
        IS_KNOWN.set(true);
        share();
        IS_KNOWN.set(false);
    }

    #[test]
    fn every_item_is_done_within_what_the_host_gives() {
        let workers = Workers::new(NonZeroUsize::new(3)).unwrap().within(known);
        let found = workers.map(&[(); 50], |()| IS_KNOWN.get());
        assert_eq!(found, [Some(true); 50]);
    }
}
