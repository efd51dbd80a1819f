//! From files to validated values: the only crate that reads input files.
