//! Versions of exporters, as image tags give them.

use std::fmt;

/// A release: major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16, pub u16, pub u16);

impl Version {
    /// The version an image tag or a user's text names: `v0.11.0`, `0.9`, `24.08-py3`. None for `latest`, digests and words.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let digits = tag.strip_prefix('v').unwrap_or(tag);
        let core = digits.split(|letter: char| !letter.is_ascii_digit() && letter != '.').next()?;
        let mut parts = core.split('.').map(|part| part.parse::<u16>().ok());
        let (major, minor) = (parts.next()??, parts.next()??);
        Some(Self(major, minor, parts.next().flatten().unwrap_or(0)))
    }

    /// The version in an image reference `registry:port/name:tag@digest`.
    pub fn of_image(image: &str) -> Option<Self> {
        let name = image.rsplit('/').next()?.split('@').next()?;
        Self::of_tag(name.split_once(':')?.1)
    }
}

/// `0.12`, or `0.9.2` where the patch says something.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)?;
        if self.2 == 0 { Ok(()) } else { write!(f, ".{}", self.2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_releases_are_versions_and_other_tags_are_none() {
        let of = |image| Version::of_image(image);
        assert_eq!(of("vllm/vllm-openai:v0.11.0"), Some(Version(0, 11, 0)));
        assert_eq!(of("registry:5000/x/vllm:0.9.2-cu128@sha256:ab"), Some(Version(0, 9, 2)));
        assert_eq!(of("nvcr.io/nvidia/tritonserver:24.08-trtllm-python-py3"), Some(Version(24, 8, 0)));
        assert_eq!([of("vllm/vllm-openai:latest"), of("vllm/vllm-openai"), of("a@sha256:0.1")], [None; 3]);
    }
}
