//! PodDisruptionBudget, `policy/v1`.

use cluster::spec::PodDisruptionBudget;
use serde::Deserialize;

use super::autoscaler::SelectorFile;
use super::{IntOrPercent, MetadataFile};

/// The manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BudgetFile {
    /// `metadata`.
    pub metadata: MetadataFile,
    /// `spec`.
    pub spec: BudgetSpecFile,
}

/// `spec` of a PodDisruptionBudget.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BudgetSpecFile {
    /// Pods that must stay.
    #[serde(default)]
    pub min_available: Option<IntOrPercent>,
    /// Pods that may be away.
    #[serde(default)]
    pub max_unavailable: Option<IntOrPercent>,
    /// Whose pods.
    pub selector: SelectorFile,
}

impl BudgetSpecFile {
    /// True if it selects pods with these labels.
    pub fn selects(&self, labels: &[(String, String)]) -> bool {
        self.selector
            .match_labels
            .iter()
            .all(|(key, value)| labels.iter().any(|label| label == &(key.clone(), value.clone())))
    }

    /// The model's budget; the error says what is wrong with `spec`.
    pub fn resolve(&self) -> Result<PodDisruptionBudget, String> {
        let over =
            |value: Option<IntOrPercent>| matches!(value, Some(IntOrPercent::Percent(percent)) if percent > 100.0);
        if over(self.min_available) || over(self.max_unavailable) {
            return Err("more than 100 %; Kubernetes refuses it".to_owned());
        }
        Ok(match (self.min_available, self.max_unavailable) {
            (Some(IntOrPercent::Int(pods)), None) => PodDisruptionBudget::AvailableMin(pods),
            (Some(IntOrPercent::Percent(percent)), None) => PodDisruptionBudget::AvailableMinPercent(percent),
            (None, Some(IntOrPercent::Int(pods))) => PodDisruptionBudget::UnavailableMax(pods),
            (None, Some(IntOrPercent::Percent(percent))) => PodDisruptionBudget::UnavailableMaxPercent(percent),
            _ => return Err("exactly one of `minAvailable` and `maxUnavailable` is needed".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_all_pods_is_refused() {
        let read = |percent| BudgetSpecFile {
            min_available: Some(IntOrPercent::Percent(percent)),
            max_unavailable: None,
            selector: SelectorFile::default(),
        };
        assert!(read(100.0).resolve().is_ok());
        assert!(read(1_000_000.0).resolve().is_err());
    }
}
