//! Recorded spot availability.

use std::path::Path;

use serde::Deserialize;
use units::SimTime;

use crate::error::ScenarioError;

use super::read_text;

#[derive(Deserialize)]
struct Recorded {
    metadata: Metadata,
    data: Vec<u32>,
}

#[derive(Deserialize)]
struct Metadata {
    gap_seconds: f64,
}

/// Nodes that could be had from an instant on: one step per change.
pub fn availability(path: &Path) -> Result<Vec<(SimTime, u32)>, ScenarioError> {
    let bad = |reason: String| ScenarioError::BadFile { file: path.display().to_string(), reason };
    let recorded: Recorded = serde_json::from_str(&read_text(path)?).map_err(|error| bad(error.to_string()))?;
    let gap = recorded.metadata.gap_seconds;
    if !(gap.is_finite() && gap > 0.0) || recorded.data.is_empty() {
        return Err(bad("needs `metadata.gap_seconds` above 0 and at least one entry in `data`".to_owned()));
    }
    let mut steps: Vec<(SimTime, u32)> = Vec::new();
    for (index, nodes) in recorded.data.iter().enumerate() {
        if steps.last().is_none_or(|last| last.1 != *nodes) {
            steps.push((SimTime::from_nanos((index as f64 * gap * 1e9) as u64), *nodes));
        }
    }
    Ok(steps)
}
