//! Do fits recover what measurements were made from?

mod cold_start;
mod formats;
mod llm_data;
mod presets;
mod service;
mod shared_data;
mod spot;
mod synthetic;
