//! Can prices be read, found and trusted?

mod catalog;
mod errors;
mod histories;
mod lookup;
mod shared_data;
