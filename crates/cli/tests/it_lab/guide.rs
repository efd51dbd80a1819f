//! The commands of the guide, run.
