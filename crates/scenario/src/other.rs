//! Documents of other kinds, read with the same care as a Scenario: every error has file, line, column and the nearest name.

use serde::de::DeserializeOwned;

use crate::error::{Place, ScenarioError};
use crate::tree::{Node, parse_manifests, parse_path};

/// One document that is not of this crate.
#[derive(Clone, Debug)]
pub struct OtherDocument {
    node: Node,
}

impl OtherDocument {
    /// The only document of a text; `source` is how messages call it.
    pub fn parse(source: &str, text: &str) -> Result<Self, ScenarioError> {
        let bad_file = |reason: String| ScenarioError::BadFile { file: source.to_owned(), reason };
        let documents = parse_manifests(source, text)?;
        let found = documents.len();
        let mut documents = documents.into_iter();
        let (Some(parsed), None) = (documents.next(), documents.next()) else {
            return Err(bad_file(match found {
                0 => "is empty".to_owned(),
                found => format!("holds {found} documents; one is expected"),
            }));
        };
        match parsed.repeated.into_iter().next() {
            Some(repeated) => Err(repeated.into_error()),
            None => Ok(Self { node: parsed.node }),
        }
    }

    /// What it says, as a type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ScenarioError> {
        self.node.read("")
    }

    /// Where a key stands, or the innermost of the keys above it that are there.
    pub fn place_of(&self, key: &str) -> Place {
        let path = parse_path(key).unwrap_or_default();
        self.node.deepest(&path).place.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_not_there_is_where_it_should_be() {
        let document = OtherDocument::parse("s.yaml", "kind: Sweep\naxes:\n- path: a\n  values: [1]\n").unwrap();
        assert_eq!(document.place_of("axes[0].values").to_string(), "s.yaml:4:11");
        assert_eq!(document.place_of("axes[0].range.step").to_string(), "s.yaml:3:3");
        assert_eq!(OtherDocument::parse("s.yaml", "").unwrap_err().to_string(), "s.yaml: is empty");
    }
}
