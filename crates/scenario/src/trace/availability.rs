//! Recorded spot availability.

use std::path::Path;

use prices::{Availability, availability_bamboo, availability_skypilot};

use crate::error::ScenarioError;

use super::read_text;

/// Nodes that could be had, or were held, from an instant on: a SkyPilot trace (JSON) or a Bamboo one (CSV).
pub fn availability(zone: &str, path: &Path) -> Result<Availability, ScenarioError> {
    let text = read_text(path)?;
    let is_json = text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
    let read = if is_json { availability_skypilot(zone, &text) } else { availability_bamboo(zone, &text) };
    read.map_err(|error| ScenarioError::BadFile { file: path.display().to_string(), reason: error.to_string() })
}
