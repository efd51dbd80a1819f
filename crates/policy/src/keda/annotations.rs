//! The annotations by which an operator pauses or forces a ScaledObject.

use std::collections::BTreeMap;

use super::Violation;

const PREFIX: &str = "autoscaling.keda.sh/";

/// `metadata.annotations` of a ScaledObject; only those with KEDA's prefix matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations(pub BTreeMap<String, String>);

impl Annotations {
    /// True if the object carries either of the annotations that stop it altogether, whatever their value.
    pub fn has_pause(&self) -> bool {
        self.get("paused").is_some() || self.get("paused-replicas").is_some()
    }

    /// True if the object is stopped: its loop does not run and its HPA is deleted. `paused-replicas` wins over `paused: "false"`.
    pub fn is_paused(&self) -> bool {
        self.get("paused-replicas").is_some() || self.is_true("paused")
    }

    /// The count `paused-replicas` asks for, which may exceed the maximum.
    pub fn paused_replicas(&self) -> Result<Option<u32>, Violation> {
        let Some(found) = self.get("paused-replicas") else { return Ok(None) };
        match found.parse::<i32>() {
            Ok(count) if count >= 0 => Ok(Some(count as u32)),
            _ => Err(Violation::PausedReplicas { found: found.to_owned() }),
        }
    }

    /// True if neither loop may scale down.
    pub fn is_scale_in_paused(&self) -> bool {
        self.is_true("paused-scale-in")
    }

    /// True if neither loop may scale up.
    pub fn is_scale_out_paused(&self) -> bool {
        self.is_true("paused-scale-out")
    }

    /// True if every poll counts as active.
    pub fn is_activation_forced(&self) -> bool {
        self.is_true("force-activation")
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name.strip_prefix(PREFIX) == Some(key)).map(|(_, value)| value.as_str())
    }

    /// What is not a boolean counts as true, so that a typing error pauses rather than scales.
    fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| parse_bool(value).unwrap_or(true))
    }
}

/// The spellings Go's `strconv.ParseBool` accepts.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}
