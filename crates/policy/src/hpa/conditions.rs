//! Status conditions of the HPA: its own account of what it did.

use std::fmt;

/// One condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// "True" or "False".
    pub is_true: bool,
    /// Reason word.
    pub reason: &'static str,
}

/// All conditions an HPA can have; they last from pass to pass until set anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Can the controller read and write the scale?
    pub able_to_scale: Option<Condition>,
    /// Are there metrics to go by?
    pub scaling_active: Option<Condition>,
    /// Was the wish cut by a limit or a bound?
    pub scaling_limited: Option<Condition>,
    /// Was it this controller that went to zero? Decides whether it may come back (since v1.36).
    pub scaled_to_zero: Option<Condition>,
}

impl Condition {
    /// "True" for this reason.
    pub const fn yes(reason: &'static str) -> Option<Self> {
        Some(Self { is_true: true, reason })
    }

    /// "False" for this reason.
    pub const fn no(reason: &'static str) -> Option<Self> {
        Some(Self { is_true: false, reason })
    }
}

impl Conditions {
    /// Those that are set, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Condition)> + '_ {
        let all = [
            ("AbleToScale", self.able_to_scale),
            ("ScalingActive", self.scaling_active),
            ("ScalingLimited", self.scaling_limited),
            ("ScaledToZero", self.scaled_to_zero),
        ];
        all.into_iter().filter_map(|(name, condition)| Some((name, condition?)))
    }
}

impl fmt::Display for Conditions {
    /// `AbleToScale=True/ReadyForNewScale, ScalingActive=…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, condition)) in self.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            let status = if condition.is_true { "True" } else { "False" };
            write!(f, "{comma}{name}={status}/{}", condition.reason)?;
        }
        Ok(())
    }
}
