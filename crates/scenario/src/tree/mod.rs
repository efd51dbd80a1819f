//! A document as a tree whose every node knows where it stands.
//!
//! Between text and types stands this tree, so that `--set` can edit documents, errors can name file, line, column and path, and the
//! fields of a manifest that have no effect can be listed. It knows nothing of what documents mean.

mod access;
mod deserialize;
mod error;
mod parse;
mod stream;

pub use access::{Segment, parse_path, path_text};
pub use deserialize::is_text_to_clients;
pub use error::TreeError;
#[cfg(test)]
pub use parse::parse_documents;
pub use parse::{Parsed, Repeated, parse_value};
pub use stream::{parse_block, parse_manifests};

use crate::error::{At, Place, ScenarioError};

/// One node and where it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it starts.
    pub place: Place,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: an empty value, `null` or `~`.
    Null,
    /// A word, number or text. `plain` is false if it was written in quotes or as a block: then it is text whatever it looks like.
    Scalar {
        /// The text, escapes resolved.
        text: String,
        /// Written without quotes.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order written.
    Map(Vec<Entry>),
}

/// One key of a mapping and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// Reads the typed value this node holds; `path` is how errors call it.
    pub fn read<'a, T: serde::Deserialize<'a>>(&'a self, path: &str) -> Result<T, ScenarioError> {
        T::deserialize(self).map_err(|error| error.into_scenario_error(path, &self.place))
    }

    /// The value of `key`, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match &mut self.value {
            Value::Map(entries) => entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value),
            _ => None,
        }
    }

    /// The entries of a mapping, to be changed; none for anything else.
    pub fn entries_mut(&mut self) -> &mut [Entry] {
        match &mut self.value {
            Value::Map(entries) => entries,
            _ => &mut [],
        }
    }

    /// The text of the scalar at the end of a path of keys.
    pub fn text_at(&self, keys: &[&str]) -> Option<&str> {
        self.at(keys)?.text()
    }

    /// Puts a value under a key of this mapping, in the place of the one it may have; nothing happens to anything else.
    pub fn put(&mut self, key: &str, value: Node) {
        let Value::Map(entries) = &mut self.value else { return };
        match entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => entry.value = value,
            None => entries.push(Entry { key: key.to_owned(), place: value.place.clone(), value }),
        }
    }

    /// Takes a key out of this mapping, if it is there.
    pub fn take(&mut self, key: &str) -> Option<Entry> {
        let Value::Map(entries) = &mut self.value else { return None };
        let position = entries.iter().position(|entry| entry.key == key)?;
        Some(entries.remove(position))
    }

    /// A text at this node's place: it stays text whatever it looks like.
    pub fn with_text(&self, text: impl Into<String>) -> Node {
        Node { value: Value::Scalar { text: text.into(), plain: false }, place: self.place.clone() }
    }

    /// A number or a word at this node's place.
    pub fn with_word(&self, text: impl Into<String>) -> Node {
        Node { value: Value::Scalar { text: text.into(), plain: true }, place: self.place.clone() }
    }

    /// A mapping at this node's place.
    pub fn with_map<'k>(&self, entries: impl IntoIterator<Item = (&'k str, Node)>) -> Node {
        let entry = |(key, value): (&str, Node)| Entry { key: key.to_owned(), place: value.place.clone(), value };
        Node { value: Value::Map(entries.into_iter().map(entry).collect()), place: self.place.clone() }
    }

    /// A list at this node's place.
    pub fn with_list(&self, items: Vec<Node>) -> Node {
        Node { value: Value::List(items), place: self.place.clone() }
    }

    /// Moves everything in it by some lines and columns: what was counted from the start of a part is counted from that of the whole.
    pub fn move_by(&mut self, lines: u32, columns: u32) {
        self.place.move_by(lines, columns);
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.move_by(lines, columns)),
            Value::Map(entries) => entries.iter_mut().for_each(|entry| {
                entry.place.move_by(lines, columns);
                entry.value.move_by(lines, columns);
            }),
            Value::Null | Value::Scalar { .. } => {}
        }
    }

    /// The node at the end of a path of keys.
    pub fn at(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// As far along a path as there are nodes.
    pub fn deepest(&self, path: &[Segment]) -> &Node {
        let mut node = self;
        for segment in path {
            let next = match (segment, &node.value) {
                (Segment::Key(key), _) => node.get(key),
                (Segment::Index(index), Value::List(items)) => items.get(*index),
                _ => None,
            };
            let Some(next) = next else { break };
            node = next;
        }
        node
    }

    /// The node at the very end of a path, to be changed.
    pub fn deepest_mut(&mut self, path: &[Segment]) -> Option<&mut Node> {
        path.iter().try_fold(self, |node, segment| match segment {
            Segment::Key(key) => node.get_mut(key),
            Segment::Index(index) => match &mut node.value {
                Value::List(items) => items.get_mut(*index),
                _ => None,
            },
        })
    }

    /// The entries of a mapping; none for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// This place under a path.
    #[allow(clippy::unnecessary_box_returns, reason = "errors hold it boxed, to stay small")]
    pub fn locate(&self, path: impl Into<String>) -> Box<At> {
        Box::new(At { place: self.place.clone(), path: path.into() })
    }

    /// The node as JSON, numbers and booleans as YAML reads them.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Scalar { text, plain } => deserialize::scalar_to_json(text, *plain),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.value.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}
