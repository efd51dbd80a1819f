//! Ctrl-C, SIGTERM and SIGHUP: the first lets running jobs end and writes what is finished, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Raises `stop` on the first interrupt.
pub fn raise_on_interrupt(stop: Arc<AtomicBool>) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || {
        if stop.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("interrupted: finishing the runs under way; once more to stop at once");
    })
}
