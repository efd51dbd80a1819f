//! A scenario that can be played with where there is no disk: packed with its data files, changed by knobs, run policy by policy.
//!
//! [`pack`] makes one piece of bytes of a scenario; a [`Session`] reads it and answers questions, each of them JSON, with JSON and columns of
//! numbers. Everything it shows is the engine's own result. It knows no page, no thread and no file.

mod answer;
mod files;
mod knobs;
mod preview;
mod recorder;
mod request_trace;
mod session;
mod yaml;

pub use answer::refusal;
pub use knobs::{Knob, knobs};
pub use recorder::{PackError, Recorder, pack};
pub use session::Session;
