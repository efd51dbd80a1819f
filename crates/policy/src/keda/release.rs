//! Releases of KEDA, as far as they decide differently.

use std::fmt;

/// A release: major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Release {
    /// The release of this number.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Reads `2.20`, `v2.20.1`, `2.20.1-rc1`. A minor release without a patch is its newest one.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts = text.split(['-', '+']).next()?.split('.');
        let (major, minor) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let patch = parts.next().map_or(Some(u32::MAX), |patch| patch.parse().ok())?;
        parts.next().is_none().then_some(Self { major, minor, patch })
    }
}

impl Default for Release {
    /// The newest known.
    fn default() -> Self {
        Self::new(2, 21, u32::MAX)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch == u32::MAX { Ok(()) } else { write!(f, ".{}", self.patch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minor_release_is_its_newest_patch() {
        assert!(Release::parse("2.20") > Release::parse("2.20.2"));
        assert!(Release::parse("v2.21.0-rc1") > Release::parse("2.20"));
        assert_eq!(["2", "x.1", "2.20.1.4", ""].map(Release::parse), [None; 4]);
    }
}
