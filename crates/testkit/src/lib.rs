//! What tests of the whole program share: every reader of input behind one function each with an input it takes, and dice that damage inputs.
//!
//! `examples/mutate.rs` gives each reader damaged inputs as fast as it takes them, `fuzz/` lets libFuzzer choose them. The tidy test lives here too.

pub mod dice;
pub mod readers;
