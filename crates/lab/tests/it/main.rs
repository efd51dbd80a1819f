//! The lab on synthetic runners whose truth is known by formula.

mod coverage;
mod experiment;
mod gates;
mod queue;
mod search;
mod services;
mod sweep;
mod verdict;
