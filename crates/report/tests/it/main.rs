//! Tests of the crate from outside, over one made-up day.

mod fixture;
mod gallery;
mod page;
mod pictures;
mod reader;
mod services;
mod sweep;
mod tables;
mod words;
