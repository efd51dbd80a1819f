//! Relabelling: what `relabelings` and `metricRelabelings` make of a label set.
//!
//! Follows Prometheus' `model/relabel/relabel.go`. Rules are checked once and applied in order. This module does not know whether the
//! labels are those of a discovered target or of a scraped sample; [`target_labels`] does the rest of what discovery does.

#[cfg(test)]
mod tests;

use regex::Regex;

use crate::labels::Labels;
use crate::matcher::anchored;

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Writes the replacement to the target label where the pattern matches.
    Replace,
    /// Drops what does not match.
    Keep,
    /// Drops what matches.
    Drop,
    /// Copies labels whose names match to names made of the replacement.
    LabelMap,
    /// Takes out labels whose names match.
    LabelDrop,
    /// Takes out labels whose names do not match.
    LabelKeep,
    /// Writes the joined source in lower case to the target label.
    Lowercase,
    /// The same in upper case.
    Uppercase,
}

impl Action {
    /// All actions there are, by the name configurations use.
    pub const NAMES: [(&'static str, Self); 8] = [
        ("replace", Self::Replace),
        ("keep", Self::Keep),
        ("drop", Self::Drop),
        ("labelmap", Self::LabelMap),
        ("labeldrop", Self::LabelDrop),
        ("labelkeep", Self::LabelKeep),
        ("lowercase", Self::Lowercase),
        ("uppercase", Self::Uppercase),
    ];

    /// The action of a name; capital letters do not matter, as for Prometheus.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, action)| *action)
    }

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, action)| *action == self).map_or("", |(name, _)| name)
    }
}

/// One rule as its user wrote it; what is left out has Prometheus' default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelabelConfig {
    /// Labels whose values are joined.
    pub source_labels: Vec<String>,
    /// Between the values; `;` if left out.
    pub separator: Option<String>,
    /// Pattern for the joined values or, for the label actions, for label names; `(.*)` if left out.
    pub regex: Option<String>,
    /// Label to write; may use groups of the pattern.
    pub target_label: Option<String>,
    /// What to write; `$1` if left out.
    pub replacement: Option<String>,
    /// What to do; replace if left out.
    pub action: Option<Action>,
}

/// Why a rule is refused, as a server refuses its configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelabelError {
    /// The pattern is none.
    #[error("invalid regular expression {pattern:?}: {reason}")]
    Pattern {
        /// As written.
        pattern: String,
        /// What the compiler said.
        reason: String,
    },
    /// A setting that the action needs.
    #[error("relabelling action {action} needs `{setting}`")]
    Missing {
        /// The action.
        action: &'static str,
        /// The setting.
        setting: &'static str,
    },
    /// A setting that the action cannot use.
    #[error("relabelling action {action} takes no `{setting}`")]
    Needless {
        /// The action.
        action: &'static str,
        /// The setting.
        setting: &'static str,
    },
    /// A label name that is none.
    #[error("{name:?} is not a label name")]
    LabelName {
        /// As written.
        name: String,
    },
}

/// A checked rule.
#[derive(Clone, Debug)]
pub struct RelabelRule {
    source_labels: Vec<String>,
    separator: String,
    regex: Regex,
    target_label: String,
    replacement: String,
    action: Action,
    /// The pattern was left out: an empty source then writes the replacement as it is.
    is_default_pattern: bool,
}

/// Rules are equal if they were written equal.
impl PartialEq for RelabelRule {
    fn eq(&self, other: &Self) -> bool {
        let key = |rule: &Self| (rule.action, rule.regex.as_str().to_owned(), rule.separator.clone());
        key(self) == key(other)
            && (&self.source_labels, &self.target_label, &self.replacement)
                == (&other.source_labels, &other.target_label, &other.replacement)
    }
}

impl Eq for RelabelRule {}

const DEFAULT_PATTERN: &str = "(.*)";
const DEFAULT_REPLACEMENT: &str = "$1";
const DEFAULT_SEPARATOR: &str = ";";

impl RelabelRule {
    /// Checks a rule as a server does when it reads its configuration.
    pub fn new(config: &RelabelConfig) -> Result<Self, RelabelError> {
        let action = config.action.unwrap_or(Action::Replace);
        check_settings(config, action)?;
        let pattern = config.regex.as_deref().unwrap_or(DEFAULT_PATTERN);
        let regex = anchored(pattern)
            .map_err(|error| RelabelError::Pattern { pattern: error.pattern, reason: error.reason })?;
        Ok(Self {
            source_labels: config.source_labels.clone(),
            separator: config.separator.clone().unwrap_or_else(|| DEFAULT_SEPARATOR.to_owned()),
            regex,
            target_label: config.target_label.clone().unwrap_or_default(),
            replacement: config.replacement.clone().unwrap_or_else(|| DEFAULT_REPLACEMENT.to_owned()),
            action,
            is_default_pattern: pattern == DEFAULT_PATTERN,
        })
    }

    /// Labels the rule reads the values of.
    pub fn source_labels(&self) -> &[String] {
        &self.source_labels
    }

    /// What it does.
    pub fn action(&self) -> Action {
        self.action
    }

    /// The labels after this rule; None if it drops them.
    fn apply(&self, labels: &Labels) -> Option<Labels> {
        let joined = || {
            let values: Vec<&str> = self.source_labels.iter().map(|name| labels.get(name)).collect();
            values.join(&self.separator)
        };
        Some(match self.action {
            Action::Keep => return self.regex.is_match(&joined()).then(|| labels.clone()),
            Action::Drop => return (!self.regex.is_match(&joined())).then(|| labels.clone()),
            Action::Replace => self.replaced(labels, &joined()),
            Action::Lowercase => labels.with(&self.target_label, &joined().to_lowercase()),
            Action::Uppercase => labels.with(&self.target_label, &joined().to_uppercase()),
            Action::LabelMap => self.mapped(labels),
            Action::LabelDrop => labels.filtered(|name| !self.regex.is_match(name)),
            Action::LabelKeep => labels.filtered(|name| self.regex.is_match(name)),
        })
    }

    fn replaced(&self, labels: &Labels, value: &str) -> Labels {
        let is_plain = !self.target_label.contains('$') && !self.replacement.contains('$');
        if value.is_empty() && self.is_default_pattern && is_plain {
            return labels.with(&self.target_label, &self.replacement);
        }
        let Some(groups) = self.regex.captures(value) else { return labels.clone() };
        let expand = |template: &str| {
            let mut text = String::new();
            groups.expand(template, &mut text);
            text
        };
        let target = expand(&self.target_label);
        // A target that is no label name leaves everything as it is; an empty value takes the label out.
        if is_label_name(&target) { labels.with(&target, &expand(&self.replacement)) } else { labels.clone() }
    }

    fn mapped(&self, labels: &Labels) -> Labels {
        let copies = labels
            .iter()
            .filter(|(name, _)| self.regex.is_match(name))
            .map(|(name, value)| (self.regex.replace(name, self.replacement.as_str()).into_owned(), value.to_owned()));
        let own = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Labels::new(own.chain(copies.collect::<Vec<_>>()).filter(|(name, _)| !name.is_empty()))
    }
}

fn check_settings(config: &RelabelConfig, action: Action) -> Result<(), RelabelError> {
    let name = action.name();
    let missing = |setting| Err(RelabelError::Missing { action: name, setting });
    let needless = |setting| Err(RelabelError::Needless { action: name, setting });
    let target = config.target_label.as_deref().unwrap_or_default();
    match action {
        Action::Replace | Action::Lowercase | Action::Uppercase if target.is_empty() => return missing("targetLabel"),
        Action::Lowercase | Action::Uppercase if config.replacement.as_deref().is_some_and(|text| text != "$1") => {
            return needless("replacement");
        }
        Action::LabelDrop | Action::LabelKeep => {
            let settings = [
                ("sourceLabels", !config.source_labels.is_empty()),
                ("targetLabel", !target.is_empty()),
                ("separator", config.separator.as_deref().is_some_and(|text| text != DEFAULT_SEPARATOR)),
                ("replacement", config.replacement.as_deref().is_some_and(|text| text != DEFAULT_REPLACEMENT)),
            ];
            if let Some((setting, _)) = settings.into_iter().find(|(_, is_given)| *is_given) {
                return needless(setting);
            }
        }
        _ => {}
    }
    let is_written = matches!(action, Action::Replace | Action::Lowercase | Action::Uppercase);
    if is_written && !target.contains('$') && !is_label_name(target) {
        return Err(RelabelError::LabelName { name: target.to_owned() });
    }
    Ok(())
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`. Prometheus 3 accepts more in configurations it is told to; exporters and queries do not use it.
pub fn is_label_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A name as service discovery writes it into a label name: everything but letters, digits and `_` becomes `_`.
pub fn sanitized(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
}

/// The labels after all rules, in order; None if one drops them.
pub fn apply(rules: &[RelabelRule], labels: &Labels) -> Option<Labels> {
    rules.iter().try_fold(labels.clone(), |labels, rule| rule.apply(&labels))
}

/// The labels of a target out of what discovery knows of it: the rules are applied, what begins with `__` is taken out, and `instance`
/// is the address unless a rule wrote it. None if a rule drops the target, or leaves it without address.
pub fn target_labels(discovered: &Labels, rules: &[RelabelRule]) -> Option<Labels> {
    let labels = apply(rules, discovered)?;
    let address = labels.get("__address__").to_owned();
    if address.is_empty() {
        return None;
    }
    let labels = if labels.get("instance").is_empty() { labels.with("instance", &address) } else { labels };
    Some(labels.filtered(|name| !name.starts_with("__")))
}
