//! Calls into the library that reads Parquet. On some damaged files it panics where it should give an error.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

/// What is said of such a file.
pub const BROKEN: &str = "it is damaged, or no whole Parquet file";

thread_local! {
    /// Whether this thread is in a guarded call, whose panic is an answer and not a mistake of the program.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// What `work` says; [`BROKEN`] if it panics. Nothing is printed then.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |info| {
            if !IS_GUARDED.get() {
                others(info);
            }
        }));
    });
    let was_guarded = IS_GUARDED.replace(true);
    // What a panic leaves half-done in there is dropped with it.
    let answer = catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(was_guarded);
    answer.unwrap_or_else(|_| Err(BROKEN.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_inside_is_an_answer() {
        assert_eq!(guarded::<()>(|| panic!("invalid num_bits 57")), Err(BROKEN.to_owned()));
        assert_eq!(guarded(|| Ok(7)), Ok(7));
    }
}
