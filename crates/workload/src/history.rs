//! What was offered in the past, minute by minute.

/// Mean offered rates per minute: a recorded past before the run, and what has arrived since.
#[derive(Clone, Debug, Default)]
pub struct RateLog {
    /// Minutes before the start of the run, the last one just before it; `None` was not recorded. Requests per second.
    pub before: Vec<Option<f64>>,
    /// Full minutes since the start. Requests per second.
    pub since: Vec<f64>,
}
