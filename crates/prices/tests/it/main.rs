//! Can prices be read, found and trusted?

mod catalog;
mod errors;
mod histories;
mod lookup;
mod machines;
mod shared_data;
