//! `label_replace` and `label_join`.

use super::plan::RelabelRule;
use crate::labels::Labels;

/// The label set after the rule; the very same object if the rule does not apply.
pub(super) fn apply(rule: &RelabelRule, labels: &Labels) -> Labels {
    match rule {
        RelabelRule::Replace { target, template, source, pattern } => {
            let Some(groups) = pattern.captures(labels.get(source)) else { return labels.clone() };
            let mut value = String::new();
            groups.expand(template, &mut value);
            labels.with(target, &value)
        }
        RelabelRule::Join { target, separator, sources } => {
            let parts: Vec<&str> = sources.iter().map(|source| labels.get(source)).collect();
            labels.with(target, &parts.join(separator))
        }
    }
}
