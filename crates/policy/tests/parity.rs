//! Do the policies decide as the real controllers do? Recorded decisions replayed, one module per controller.
//!
//! `SCALELAB_VECTORS=DIR cargo test --release -p scalelab-policy --test parity -- --nocapture` replays every file of `DIR/hpa` and `DIR/keda`;
//! without the variable the vectors committed under `tests/data` are replayed.

#[path = "parity/hpa.rs"]
mod hpa;
#[path = "parity/keda.rs"]
mod keda;
