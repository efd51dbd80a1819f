//! Builders, check helpers and the tidy test.
