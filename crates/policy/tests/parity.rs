//! Does it behave like the real system? Vectors are replayed, source and version named in each.

#[path = "parity/keda.rs"]
mod keda;
